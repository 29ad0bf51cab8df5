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
    block_dots,
    block_sums,
    block_sums_of_panel,
    copy_panel,
    width,
)
from clearprop.engines.intrinsics import kernel, part
from clearprop.engines.language import Reals
from clearprop.engines.records import Filled, Matrix, Strips
from clearprop.engines.registers import PANEL, REGISTER_BYTES, SUMS_BLOCK

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
def rest(x: Reals, start: int) -> Reals:
    """Return ``x[start:]``."""
    return part(x, start, x.size - start)


@kernel()
def at(matrix: Matrix, i: int, j: int) -> Matrix:
    """Return the matrix that begins at row i and column j."""
    return matrix._replace(x=rest(matrix.x, i * matrix.down + j * matrix.across))


@kernel()
def lay_out(panels: Reals, x: Matrix, length: int, n: int) -> None:
    """Copy x[s, k] into panels of a few columns, each with its rows one after the other."""
    block = 16 if x.across == 1 else length  # short ones where rows are far apart: few pages at a time
    wide = width(x.x)
    for s in range(0, length, block):
        for k in range(0, n, wide):
            target = Matrix(part(panels, k * length + s * wide, block * wide), wide, 1)
            copy_panel(target, at(x, s, k), min(block, length - s), min(wide, n - k))


@kernel()
def laid_out_size(length: int, n: int) -> int:
    """Return how many elements `lay_out` may write."""
    return (n + PANEL - 1) // PANEL * PANEL * length + 16 * PANEL


@kernel()
def vectors(x: Reals, n: int) -> int:
    """Return how many vectors n elements of `x` are."""
    lanes = REGISTER_BYTES // x.itemsize
    return (n + lanes - 1) // lanes


@kernel()
def depth(length: int) -> int:
    """Return how deep even blocks of `length` are, of at most DEEP; a thin last one would cost more."""
    count = max(1, (length + DEEP - 1) // DEEP)
    return ((length + count - 1) // count + 7) // 8 * 8


@kernel()
def copy_strips(strips: Reals, c: Matrix, tall: int, deep: int) -> None:
    """Copy columns of c into strips whose rows are neighbours: read once, not for every panel."""
    count = (tall + STRIP - 1) // STRIP
    for s in range(0, deep, 32):  # rows are far apart: what a cache line has is used while it is there
        for i in range(count):
            begin, end = i * tall // count, (i + 1) * tall // count
            target = part(strips, i * strip_size(deep) + s * STRIP, 32 * STRIP)
            copy_panel(Matrix(target, STRIP, 1), at(c, s, begin), min(32, deep - s), end - begin)


@kernel()
def strip_size(deep: int) -> int:
    """Return how far the copies of strips are apart: the last row is stored as a full vector."""
    return STRIP * deep + REGISTER_BYTES // 4


@kernel()
def room(copies: Reals, rows: int) -> Reals:
    """Return the room for copies of the arguments of a product, if so many rows are worth them."""
    return part(copies, 0, copies.size if rows >= LARGE else 0)


@kernel()
def multiply(
    out: Matrix, c: Matrix, panels: Reals, rows: int, n: int, length: int, beta: float, copies: Reals
) -> None:
    """Put beta out + c^T x into `out`, with x laid out in panels; `copies` has room for strips."""
    wide, block = width(panels), depth(length)
    for s in range(0, length, block):
        deep = min(block, length - s)
        for r in range(0, rows, TALL):
            tall = min(TALL, rows - r)
            source = at(c, s, r)
            factors = Strips(source.x, c.down, c.across, c.across, 0)
            if c.across == 1:  # neighbours in c are a row apart in s
                copy_strips(copies, source, tall, deep)
                factors = Strips(copies, STRIP, 1, 0, strip_size(deep))
            for k in range(0, n, wide):
                target = at(out, r, k)
                panel = part(panels, k * length + s * wide, deep * wide)
                by = beta if s == 0 else 1.0
                if n - k < wide:  # masked: to store through one takes several times as long
                    block_sums_of_panel(target, factors, panel, tall, n - k, deep, by)
                else:
                    block_sums(target, factors, Matrix(panel, wide, 1), tall, wide, deep, by)


@kernel()
def product(out: Matrix, c: Matrix, x: Matrix, rows: int, n: int, length: int, copies: Reals) -> None:
    """Put c^T x into `out`, a block of x at a time."""
    panels, block = rest(copies, STRIPS), depth(length)
    for s in range(0, length, block):
        deep = min(block, length - s)
        for k in range(0, n, WIDE):
            wide = min(WIDE, n - k)
            lay_out(panels, at(x, s, k), deep, wide)
            beta = 0.0 if s == 0 else 1.0
            multiply(at(out, 0, k), at(c, s, 0), panels, rows, wide, deep, beta, copies)


@kernel()
def dots(
    out: Matrix, a: Matrix, x: Matrix, m: int, n: int, length: int, copies: Reals, filled: Filled
) -> None:
    """Put a x^T into `out`: a is (m, length), x (n, length), out (m, n); all in rows.

    Only the vectors that `filled` lists take part, where there is no room for copies; if it lists fewer
    than none, the product is there already.
    """
    if filled.n < 0:
        return
    if copies.size > 0:
        product(out, Matrix(a.x, 1, a.down), Matrix(x.x, 1, x.down), m, n, length, copies)
        return
    # Cut so that what is read again for every strip of rows stays in the second-level cache.
    rows = max(1, CACHED // (length * 20)) * 20  # 20: a multiple of every block's columns
    for j in range(0, n, rows):
        block_dots(at(out, 0, j), a, at(x, j, 0), m, min(rows, n - j), length, filled)


@kernel()
def sums(
    out: Matrix, c: Matrix, x: Matrix, rows: int, n: int, length: int, beta: float, copies: Reals
) -> None:
    """Put beta out + c^T x into `out`: c[s, r] in any layout; x (length, n) and out (rows, n) in rows.

    With beta 0, what was in `out` does not matter. There are copies where there is `room` for them.
    """
    if copies.size > 0:
        if c.across == 1:
            panels = rest(copies, STRIPS)
            for s in range(0, length, MOST):
                some = min(MOST, length - s)
                lay_out(panels, at(x, s, 0), some, n)
                by = beta if s == 0 else 1.0
                multiply(out, at(c, s, 0), panels, rows, n, some, by, copies)
        else:
            product(out, c, x, rows, n, length, copies)
        return
    for s in range(0, length, DEEP):
        by = beta if s == 0 else 1.0
        factors = Strips(at(c, s, 0).x, c.down, c.across, c.across, 0)
        block_sums(out, factors, at(x, s, 0), rows, n, min(DEEP, length - s), by)
