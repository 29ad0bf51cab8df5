"""Matrix products, small ones where their arguments lie, large ones from copies.

BLAS spends most of a small product (10 x 784 x 30) on packing its arguments. These functions take them
where they lie; so no argument of a small product is ever transposed. Large products are ``sums`` of
copies that lie in the order in which they are read.

    dots    out[i, j] = sum_k a[i, k] b[j, k]                 z = a W^T
    sums    out[r, k] = beta out[r, k] + sum_s c[s, r] x[s, k]
                        with c in any layout                  error = delta W;  dC/dW = delta^T a
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clearprop.engines.blocks import (
    PANEL,
    SUMS_BLOCK,
    block_dots,
    block_sums,
    block_sums_listed,
    block_sums_of_panel,
    copy_panel,
    width,
)
from clearprop.engines.intrinsics import kernel, part
from clearprop.engines.vector_code import REGISTER_BYTES

# The products as kernels of their own, so that each is generated once. Small ones take their arguments
# where they lie. Large ones lay out copies in the order in which they are read, blocked for the caches
# as Goto and van de Geijn describe (ACM TOMS 34, 2008): a panel of x, DEEP x WIDE, stays in the first
# level while strips of c, TALL x DEEP together, pass by from the second.
MOST = 512  # samples copied at a time for a gradient
LARGE = 48  # rows from which the copies cost less than they save
DEEP, WIDE, TALL = 400, 128, 96
STRIP = SUMS_BLOCK[0]
STRIPS = (TALL + STRIP) * DEEP + 64  # elements of the copies of c; what follows are those of x
CACHED = 64 * 1024  # elements


def spare(batch: int, widest: int) -> int:
    """Return how many elements a thread's copies take: of W, or of a batch's widest activations."""
    if batch < LARGE:
        return 0
    return STRIPS + max(DEEP * WIDE, min(batch, MOST) * (widest + PANEL)) + 16 * PANEL


def every(widest: int, itemsize: int) -> Any:
    """Return where all vectors begin in rows of up to `widest` elements."""
    return np.arange(0, max(widest, PANEL), REGISTER_BYTES // itemsize, dtype=np.int64)


@kernel()
def lay_out(panels: Any, x: Any, along_s: int, along_k: int, length: int, n: int) -> None:
    """Copy x[s, k] into panels of a few columns, each with its rows one after the other."""
    block = 16 if along_k == 1 else length  # short ones where rows are far apart: few pages at a time
    wide = width(x)
    for s in range(0, length, block):
        for k in range(0, n, wide):
            start = s * along_s + k * along_k
            target = part(panels, k * length + s * wide, block * wide)
            source = part(x, start, x.size - start)
            copy_panel(target, wide, source, along_s, along_k, min(block, length - s), min(wide, n - k))


@kernel()
def laid_out_size(length: int, n: int) -> int:
    """Return how many elements `lay_out` may write."""
    return (n + PANEL - 1) // PANEL * PANEL * length + 16 * PANEL


@kernel()
def vectors(x: Any, n: int) -> int:
    """Return how many vectors n elements of `x` are."""
    lanes = REGISTER_BYTES // x.itemsize
    return (n + lanes - 1) // lanes


@kernel()
def depth(length: int) -> int:
    """Return how deep even blocks of `length` are, of at most DEEP; a thin last one would cost more."""
    count = max(1, (length + DEEP - 1) // DEEP)
    return ((length + count - 1) // count + 7) // 8 * 8


@kernel()
def copy_strips(strips: Any, c: Any, along_s: int, tall: int, deep: int) -> None:
    """Copy columns of c into strips whose rows are neighbours: read once, not for every panel."""
    count = (tall + STRIP - 1) // STRIP
    for s in range(0, deep, 32):  # rows are far apart: what a cache line has is used while it is there
        for i in range(count):
            begin, end = i * tall // count, (i + 1) * tall // count
            place, start = i * strip_size(deep) + s * STRIP, s * along_s + begin
            target, source = part(strips, place, 32 * STRIP), part(c, start, c.size - start)
            copy_panel(target, STRIP, source, along_s, 1, min(32, deep - s), end - begin)


@kernel()
def strip_size(deep: int) -> int:
    """Return how far the copies of strips are apart: the last row is stored as a full vector."""
    return STRIP * deep + REGISTER_BYTES // 4


@kernel()
def multiply(
    out: Any, ldo: int, c: Any, along_s: int, along_r: int, panels: Any, rows: int, n: int, length: int,
    beta: float, strips: Any,
) -> None:  # fmt: skip
    """Put beta out + c^T x into `out`, with x laid out in panels."""
    wide, block = width(panels), depth(length)
    for s in range(0, length, block):
        deep = min(block, length - s)
        for r in range(0, rows, TALL):
            tall = min(TALL, rows - r)
            start = s * along_s + r * along_r
            factors = part(c, start, c.size - start)
            step, along, first, strip = along_s, along_r, along_r, 0
            if along_r == 1:  # neighbours in c are a row apart in s
                copy_strips(strips, factors, along_s, tall, deep)
                factors, step, along, first, strip = strips, STRIP, 1, 0, strip_size(deep)
            for k in range(0, n, wide):
                target = part(out, r * ldo + k, out.size - r * ldo - k)
                panel = part(panels, k * length + s * wide, deep * wide)
                by = beta if s == 0 else 1.0
                if n - k < wide:  # masked: to store through one takes several times as long
                    block_sums_of_panel(
                        target, ldo, factors, step, along, first, strip, panel, tall, n - k, deep, by
                    )
                else:
                    block_sums(
                        target, ldo, factors, step, along, first, strip, panel, wide, tall, wide, deep,
                        by,
                    )  # fmt: skip


@kernel()
def product(
    out: Any, ldo: int, c: Any, along_s: int, along_r: int, x: Any, x_along_s: int, x_along_k: int,
    rows: int, n: int, length: int, copies: Any,
) -> None:  # fmt: skip
    """Put c^T x into `out`, a block of x at a time."""
    strips, panels = part(copies, 0, STRIPS), part(copies, STRIPS, copies.size - STRIPS)
    block = depth(length)
    for s in range(0, length, block):
        deep = min(block, length - s)
        factors = part(c, s * along_s, c.size - s * along_s)
        for k in range(0, n, WIDE):
            wide = min(WIDE, n - k)
            start = s * x_along_s + k * x_along_k
            lay_out(panels, part(x, start, x.size - start), x_along_s, x_along_k, deep, wide)
            multiply(
                part(out, k, out.size - k), ldo, factors, along_s, along_r, panels, rows, wide, deep,
                0.0 if s == 0 else 1.0, strips,
            )  # fmt: skip


@kernel()
def dots(
    out: Any, ldo: int, a: Any, lda: int, x: Any, ldx: int, m: int, n: int, length: int, copies: Any,
    columns: Any, count: int,
) -> None:  # fmt: skip
    """Put a x^T into `out`: a (m, length) in rows of lda, x (n, length) of ldx, out (m, n) of ldo.

    Only the vectors that begin at the first `count` of `columns` take part, where there are no copies.
    """
    if m >= LARGE and copies.size > 0:
        product(out, ldo, a, 1, lda, x, 1, ldx, m, n, length, copies)
        return
    # Cut so that what is read again for every strip of rows stays in the second-level cache.
    rows = max(1, CACHED // (length * 20)) * 20  # 20: a multiple of every block's columns
    for j in range(0, n, rows):
        some = min(rows, n - j)
        target, source = part(out, j, out.size - j), part(x, j * ldx, x.size - j * ldx)
        block_dots(target, ldo, a, lda, source, ldx, m, some, length, columns, count)


@kernel()
def sums(
    out: Any, ldo: int, c: Any, along_s: int, along_r: int, x: Any, ldx: int, rows: int, n: int,
    length: int, beta: float, copies: Any,
) -> None:  # fmt: skip
    """Put beta out + c^T x into `out`: x (length, n) in rows of ldx, out (rows, n) of ldo.

    c[s, r] is at ``s * along_s + r * along_r``. With beta 0, what was in `out` does not matter.
    """
    if rows >= LARGE and copies.size > 0:
        if along_r == 1:
            strips, panels = part(copies, 0, STRIPS), part(copies, STRIPS, copies.size - STRIPS)
            for s in range(0, length, MOST):
                some = min(MOST, length - s)
                lay_out(panels, part(x, s * ldx, x.size - s * ldx), ldx, 1, some, n)
                factors = part(c, s * along_s, c.size - s * along_s)
                by = beta if s == 0 else 1.0
                multiply(out, ldo, factors, along_s, 1, panels, rows, n, some, by, strips)
        else:
            product(out, ldo, c, along_s, along_r, x, ldx, 1, rows, n, length, copies)
        return
    for s in range(0, length, DEEP):
        some = min(DEEP, length - s)
        factors = part(c, s * along_s, c.size - s * along_s)
        source = part(x, s * ldx, x.size - s * ldx)
        block_sums(
            out, ldo, factors, along_s, along_r, along_r, 0, source, ldx, rows, n, some,
            beta if s == 0 else 1.0,
        )  # fmt: skip


@kernel()
def add_listed(
    out: Any, ldo: int, c: Any, along_s: int, x: Any, ldx: int, rows: int, n: int, length: int,
    columns: Any, count: int,
) -> None:  # fmt: skip
    """Add c^T x to `out` where x is not zero: in the vectors at the first `count` of `columns`."""
    block_sums_listed(out, ldo, c, along_s, x, ldx, rows, n, length, columns, count)
