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
    SEVERAL,
    SUMS_BLOCK,
    block_dots,
    block_sums,
    block_sums_at,
    block_sums_listed,
    block_sums_of_panel,
    block_sums_of_used,
    copy_panel,
    width,
)
from clearprop.engines.intrinsics import kernel, like, part
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
def find_used(x: Any, m: int, n: int, seen: Any, which: Any) -> int:
    """List the columns in which any of m rows of x is not zero; return how many, 0 for (almost) all.

    It looks at a few rows first: where every column has something in it, they mostly show that.
    """
    for k in range(n):
        seen[k] = like(seen[k], 0.0)
    i, some, count = 0, 8, 0
    while i < m and count < n:
        end = min(m, i + some)
        while i < end:
            row = part(x, i * n, n)
            for k in range(n):
                seen[k] += abs(row[k])
            i += 1
        some *= 2
        count = 0
        for k in range(n):
            which[count] = k
            count += 1 if seen[k] != 0 else 0
    return count if count < n - n // 8 else 0


@kernel()
def cover(used: Any, lanes: int, first: Any) -> int:
    """List where vectors begin that cover all of some columns; return how many they are."""
    count, end = 0, -1
    for i in range(used.size):
        if used[i] >= end:
            first[count] = used[i]
            end = used[i] + lanes
            count += 1
    return count


@kernel()
def lay_out_at(panels: Any, x: Any, ldx: int, m: int, first: Any, n: int) -> None:
    """Copy the vectors of x that begin at some columns into panels, as `lay_out` does."""
    wide = width(x)
    lanes = REGISTER_BYTES // x.itemsize
    for s in range(0, m, 16):
        for v in range(first.size):
            place = v * lanes // wide * wide * m + s * wide + v * lanes % wide
            target = part(panels, place, 16 * wide)
            source = part(x, s * ldx + first[v], 16 * ldx - first[v])
            copy_panel(target, wide, source, ldx, 1, min(16, m - s), min(lanes, n - first[v]))


@kernel()
def number_before(which: Any, column: int) -> int:
    """Return how many of the listed columns, which ascend, are before one."""
    low, high = 0, which.size
    while low < high:
        middle = (low + high) // 2
        if which[middle] < column:
            low = middle + 1
        else:
            high = middle
    return low


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
    beta: float, strips: Any, used: Any, first_used: int,
) -> None:  # fmt: skip
    """Put beta out + c^T x into `out`, with x laid out in panels.

    Where `used` is not empty, it lists the rows of c that are not all zero, counted from `first_used`.
    """
    wide, block = width(panels), depth(length)
    for s in range(0, length, block):
        deep = min(block, length - s)
        begin = number_before(used, first_used + s)
        which = part(used, begin, number_before(used, first_used + s + deep) - begin)
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
                elif used.size > 0 and tall >= SEVERAL:
                    block_sums_of_used(
                        target, ldo, factors, step, along, first, strip, panel, tall, which,
                        first_used + s, which.size, by,
                    )  # fmt: skip
                else:
                    block_sums(
                        target, ldo, factors, step, along, first, strip, panel, wide, tall, wide, deep,
                        by,
                    )  # fmt: skip


@kernel()
def multiply_at(
    out: Any, ldo: int, c: Any, along_s: int, panels: Any, rows: int, n: int, first: Any, length: int,
    beta: float, strips: Any,
) -> None:  # fmt: skip
    """Put beta out + c^T x into `out` where the vectors are that x was laid out of by `lay_out_at`."""
    wide, block = width(panels), depth(length)
    lanes = REGISTER_BYTES // panels.itemsize
    several = wide // lanes
    for s in range(0, length, block):
        deep = min(block, length - s)
        by = beta if s == 0 else 1.0
        for r in range(0, rows, TALL):
            tall = min(TALL, rows - r)
            copy_strips(strips, part(c, s * along_s + r, c.size - s * along_s - r), along_s, tall, deep)
            for v in range(0, first.size, several):
                panel = part(panels, v * lanes * length + s * wide, deep * wide)
                target = part(out, r * ldo, out.size - r * ldo)
                columns = part(first, v, min(several, first.size - v))
                whole = columns.size == several and columns[several - 1] + lanes <= n
                if whole and tall >= SEVERAL:
                    block_sums_at(
                        target, ldo, strips, STRIP, strip_size(deep), panel, tall, columns, deep, by
                    )
                    continue
                for i in range(columns.size):  # the last one may reach beyond n, or have no neighbour
                    k = columns[i]
                    one = part(panel, i * lanes, panel.size - i * lanes)
                    block_sums_of_panel(
                        part(target, k, target.size - k), ldo, strips, STRIP, 1, 0, strip_size(deep),
                        one, tall, min(lanes, n - k), deep, by,
                    )  # fmt: skip


@kernel()
def product(
    out: Any, ldo: int, c: Any, along_s: int, along_r: int, x: Any, x_along_s: int, x_along_k: int,
    rows: int, n: int, length: int, copies: Any, used: Any,
) -> None:  # fmt: skip
    """Put c^T x into `out`, a block of x at a time; `used` as in `multiply`."""
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
                0.0 if s == 0 else 1.0, strips, used, s,
            )  # fmt: skip


@kernel()
def dots(
    out: Any, ldo: int, a: Any, lda: int, x: Any, ldx: int, m: int, n: int, length: int, copies: Any,
    columns: Any, count: int, used: Any,
) -> None:  # fmt: skip
    """Put a x^T into `out`: a (m, length) in rows of lda, x (n, length) of ldx, out (m, n) of ldo.

    Only the vectors that begin at the first `count` of `columns` take part, where there are no copies,
    and where there are, if `used` is not empty, only the columns of a that it lists.
    """
    if m >= LARGE and copies.size > 0:
        product(out, ldo, a, 1, lda, x, 1, ldx, m, n, length, copies, used)
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
    length: int, beta: float, copies: Any, every: Any,
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
                multiply(out, ldo, factors, along_s, 1, panels, rows, n, some, by, strips, every, 0)
        else:
            product(out, ldo, c, along_s, along_r, x, ldx, 1, rows, n, length, copies, every)
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
