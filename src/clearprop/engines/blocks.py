"""Blocks of matrix products, held in registers; each is one LLVM function.

    block_dots             out[i, j] = sum_k a[i, k] b[j, k]
    block_sums             out[r, k] = beta out[r, k] + sum_s c[s, r] x[s, k], with c in any layout
    block_sums_of_panel    the same of a panel: x is laid out in the order in which it is read
    block_sums_listed      of the listed vectors of x, added to out
    block_step_dots        W + c x^T of one sample, and its product with the next: W is read once
    used                   which vectors are not zero in all rows
    copy_panel             a panel, laid out

A block of results stays in vector registers while it runs along the shared dimension: every number
loaded is used for several multiply-adds. In ``block_dots`` the vectors lie along the shared dimension
and are summed at the end, in the others along the result's rows. Each is generated from one description
for every height of a block; its Python form says what it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.engines import llvm
from clearprop.engines.intrinsics import kernel, written_by
from clearprop.engines.language import (
    INT,
    NOTHING,
    Flat,
    Integers,
    Reals,
    Scalar,
    Several,
    Type,
    Value,
    split,
)
from clearprop.engines.records import Filled, Matrix, Strips
from clearprop.engines.registers import DOTS_BLOCK, PANEL, REGISTER_BYTES, SUMS_BLOCK

if TYPE_CHECKING:
    from clearprop.engines.translation import Writer
    from clearprop.engines.vector_code import VectorWriter


@kernel()
def width(x: Reals) -> int:
    """Return how many columns a panel has: as many as the block of results in registers."""
    return 4 * PANEL // x.itemsize


def _write_dots(
    w: VectorWriter, out: Matrix, a: Matrix, x: Matrix, m: Any, n: Any, length: Any, filled: Filled
) -> None:
    b = w.builder

    width = min(DOTS_BLOCK[1], w.lanes)  # their sums are to fit one vector

    def block(i: Any, height: int, j: Any) -> None:
        totals = w.totals(height, width)
        # Where fewer rows of x are left than a block has, the last is taken again, and not stored.
        left = w.smaller(llvm.I64(width), b.sub(n, j))
        sources = [
            w.at(x.x, w.times(b.add(j, w.smaller(llvm.I64(c), b.sub(left, llvm.I64(1)))), x.down))
            for c in range(width)
        ]

        def along(at: list[Any], mask: Any) -> None:
            k = at[0]
            places = [w.at(a.x, w.times(b.add(i, llvm.I64(r)), a.down), k) for r in range(height)]
            rows = [w.load(place, mask) for place in places]
            for c in range(width):  # one register for all columns: with four, AVX2's 16 do not suffice
                column = w.load(w.at(sources[c], k), mask)
                for r in range(height):
                    w.add_product(totals[r][c], rows[r], column)

        w.listed(length, filled.columns, filled.n, 1, along)
        for r in range(height):
            sums_of_row = w.sums_of_lanes([b.load(variable) for variable in totals[r]])
            place = w.at(out.x, w.times(b.add(i, llvm.I64(r)), out.down), j)
            w.store(sums_of_row, place, w.first(left))

    def strip(_: Any, i: Any, height: int) -> None:
        with w.loop(llvm.I64(0), n, llvm.I64(width)) as j:
            block(i, height, j)

    w.strips(m, DOTS_BLOCK[0], strip)


def _write_sums(
    w: VectorWriter, out: Matrix, c: Strips, x: Matrix, rows: Any, n: Any, length: Any, beta: Any
) -> None:
    def stretch(k: Any, vectors: int, mask: Any) -> None:
        masks = [mask] * vectors
        target, source = out._replace(x=w.at(out.x, k)), x._replace(x=w.at(x.x, k))
        strip = _strip_of_sums(w, target, c, source, length, beta, masks, masks)
        w.strips(rows, SUMS_BLOCK[0], strip)

    w.stretches(n, SUMS_BLOCK[1], stretch)


def _write_sums_of_panel(
    w: VectorWriter, out: Matrix, c: Strips, panel: Any, rows: Any, n: Any, length: Any, beta: Any
) -> None:
    b = w.builder
    lanes, wide = llvm.I64(w.lanes), llvm.I64(SUMS_BLOCK[1] * w.lanes)

    def stretch(k: Any, vectors: int, masks: list[Any]) -> None:
        # A panel's rows are full ones, whatever is in them: masks cost more than what they leave out.
        target, source = out._replace(x=w.at(out.x, k)), Matrix(w.at(panel, k), wide, llvm.I64(1))
        strip = _strip_of_sums(w, target, c, source, length, beta, [None] * vectors, masks)
        w.strips(rows, SUMS_BLOCK[0], strip)

    with w.loop(llvm.I64(0), n, wide) as k:
        left = b.sub(n, k)
        with b.if_else(b.icmp_signed(">", left, lanes)) as (several, one):
            with several:
                masks = [w.first(b.sub(left, llvm.I64(v * w.lanes))) for v in range(SUMS_BLOCK[1])]
                stretch(k, SUMS_BLOCK[1], masks)
            with one:
                stretch(k, 1, [w.first(left)])


def _strip_of_sums(
    w: VectorWriter, out: Matrix, c: Strips, x: Matrix, length: Any, beta: Any, reads: list[Any],
    writes: list[Any],
) -> Callable[[Any, Any, int], None]:  # fmt: skip
    """Return what writes a block of results; `reads` and `writes` are the masks of its vectors."""
    b, vectors = w.builder, len(writes)
    keeps = b.fcmp_unordered("!=", beta, llvm.ir.Constant(w.real, 0.0))
    long = b.icmp_signed(">=", length, llvm.I64(32))

    def strip(number: Any, r0: Any, height: int) -> None:
        target = w.at(out.x, w.times(r0, out.down))
        places = [
            [w.at(target, w.times(out.down, r), llvm.I64(v * w.lanes)) for v in range(vectors)]
            for r in range(height)
        ]
        with b.if_then(long):  # long enough for it to arrive
            for row in places:
                w.ask_for(row[0])
        start = w.at(c.x, w.times(number, c.along_strip), w.times(r0, c.along_first))
        totals = w.totals(height, vectors)
        with w.loop(llvm.I64(0), length, llvm.I64(1)) as index:
            source = w.at(x.x, w.times(index, x.down))
            right = [w.load(w.at(source, llvm.I64(v * w.lanes)), reads[v]) for v in range(vectors)]
            factors = w.at(start, w.times(index, c.along_s))
            for r in range(height):
                factor = w.spread(b.load(w.at(factors, w.times(c.along_r, r))))
                for v in range(vectors):
                    w.add_product(totals[r][v], factor, right[v])
        with b.if_then(keeps):
            for r in range(height):
                for v in range(vectors):
                    w.add_product(totals[r][v], w.spread(beta), w.load(places[r][v], writes[v]))
        for r in range(height):
            for v in range(vectors):
                w.store(b.load(totals[r][v]), places[r][v], writes[v])

    return strip


def _write_sums_listed(
    w: VectorWriter, out: Matrix, c: Matrix, x: Matrix, rows: Any, n: Any, length: Any, filled: Filled
) -> None:
    b = w.builder

    def strip(_: Any, r0: Any, height: int) -> None:
        start, target = w.at(c.x, r0), w.at(out.x, w.times(r0, out.down))

        def stretch(at: list[Any], mask: Any) -> None:
            places = [[w.at(target, w.times(out.down, r), k) for k in at] for r in range(height)]
            totals = [[w.variable() for _ in at] for _ in range(height)]
            for r in range(height):
                for total, place in zip(totals[r], places[r], strict=True):
                    b.store(w.load(place, mask), total)
            with w.loop(llvm.I64(0), length, llvm.I64(1)) as index:
                source = w.at(x.x, w.times(index, x.down))
                right = [w.load(w.at(source, k), mask) for k in at]
                factors = w.at(start, w.times(index, c.down))
                for r in range(height):
                    factor = w.spread(b.load(w.at(factors, llvm.I64(r))))
                    for total, vector in zip(totals[r], right, strict=True):
                        w.add_product(total, factor, vector)
            for r in range(height):
                for total, place in zip(totals[r], places[r], strict=True):
                    w.store(b.load(total), place, mask)

        w.listed(n, filled.columns, filled.n, SUMS_BLOCK[1], stretch)

    w.strips(rows, SUMS_BLOCK[0], strip)


def _write_step_dots(
    w: VectorWriter, W: Matrix, c: Any, x: Any, ahead: Any, out: Any, rows: Any, n: Any
) -> None:
    b, most = w.builder, min(DOTS_BLOCK[1], w.lanes)  # their sums are to fit one vector

    def strip(_: Any, r0: Any, height: int) -> None:
        starts = [w.at(W.x, w.times(b.add(r0, llvm.I64(r)), W.down)) for r in range(height)]
        factors = [w.spread(b.load(w.at(c, r0, llvm.I64(r)))) for r in range(height)]
        totals = [row[0] for row in w.totals(height, 1)]

        def stretch(k: Any, _: int, mask: Any) -> None:
            now, next_one = (w.load(w.at(row, k), mask) for row in (x, ahead))
            for start, factor, total in zip(starts, factors, totals, strict=True):
                moved = w.variable()
                b.store(w.load(w.at(start, k), mask), moved)
                w.add_product(moved, factor, now)
                w.store(b.load(moved), w.at(start, k), mask)
                w.add_product(total, next_one, b.load(moved))

        w.stretches(n, 1, stretch)
        sums = w.sums_of_lanes([b.load(total) for total in totals])
        w.store(sums, w.at(out, r0), w.first(llvm.I64(height)))

    w.strips(rows, most, strip)


def _write_used(w: VectorWriter, x: Matrix, m: Any, n: Any, columns: Any) -> None:
    b = w.builder
    bits = llvm.ir.VectorType(llvm.ir.IntType(8 * w.align), w.lanes)
    none = llvm.ir.Constant(bits, [0] * w.lanes)
    found, count = w.variable(bits), w.variable(llvm.I64)
    b.store(llvm.I64(0), count)
    with w.loop(llvm.I64(0), n, llvm.I64(w.lanes)) as k:
        mask = w.first(b.sub(n, k))
        b.store(none, found)
        with w.loop(llvm.I64(0), m, llvm.I64(1)) as i:
            row = b.bitcast(w.load(w.at(x.x, w.times(i, x.down), k), mask), bits)
            b.store(b.or_(b.load(found), row), found)
        so_far = b.load(count)
        b.store(k, w.at(columns, so_far, llvm.I64(1)))
        which = b.bitcast(b.icmp_unsigned("!=", b.load(found), none), llvm.ir.IntType(w.lanes))
        any_of_them = b.icmp_unsigned("!=", which, which.type(0))
        b.store(b.add(so_far, b.zext(any_of_them, llvm.I64)), count)
    b.store(b.load(count), columns)


def _write_panel(w: VectorWriter, out: Matrix, x: Matrix, length: Any, width: Any) -> None:
    b = w.builder
    zero, one, lanes = llvm.I64(0), llvm.I64(1), llvm.I64(w.lanes)

    def turned(k: Any) -> None:
        last = b.sub(width, one)
        sources = [
            w.at(x.x, w.times(w.smaller(b.add(k, llvm.I64(i)), last), x.across)) for i in range(w.lanes)
        ]

        def square(s: Any, _: int, mask: Any) -> None:
            rows = w.transposed([w.load(w.at(source, s), mask) for source in sources])
            for i, row in enumerate(rows):
                w.store(row, w.at(out.x, w.times(b.add(s, llvm.I64(i)), out.down), k), None)

        w.stretches(length, 1, square)

    def rows(vectors: int) -> None:
        masks = [w.first(b.sub(width, llvm.I64(v * w.lanes))) for v in range(vectors)]
        with w.loop(zero, length, one) as s:
            source, target = w.at(x.x, w.times(s, x.down)), w.at(out.x, w.times(s, out.down))
            for v, mask in enumerate(masks):  # what is too much of a row, the next one replaces
                at = llvm.I64(v * w.lanes)
                w.store(w.load(w.at(source, at), mask), w.at(target, at), None)

    with b.if_else(b.icmp_signed("==", x.across, one)) as (as_it_lies, across):
        with as_it_lies, b.if_else(b.icmp_signed("<=", width, lanes)) as (narrow, wide):
            with narrow:
                rows(1)
            with wide:
                rows(SUMS_BLOCK[1])
        with across, w.loop(zero, width, lanes) as k:
            turned(k)


def _leaves(kind: Type) -> list[Any]:
    """Return the arrays that a type is made of."""
    if isinstance(kind, Several):
        return [leaf for each in kind.of for leaf in _leaves(each)]
    return [kind] if isinstance(kind, Flat) else []


def _passed(w: Writer, value: Value, dtype: Scalar) -> list[Any]:
    """Return what is passed of an argument: arrays without their sizes, numbers in the run's dtype."""
    if isinstance(value.type, Several):
        return [part for each in split(value) for part in _passed(w, each, dtype)]
    if isinstance(value.type, Flat):
        return [value.parts[0]]
    return [w.cast(value, INT if value.type == INT else dtype).one]


def _as_passed(kind: Type, arguments: Iterator[Any]) -> Any:
    """Return the next argument, put together to the record that it is."""
    if not isinstance(kind, Several):
        return next(arguments)
    assert kind.record is not None
    return kind.record(*[_as_passed(each, arguments) for each in kind.of])


def _call(name: str, write: Callable[..., None]) -> Callable[..., Value]:
    """Return what calls a generated function, written into the module when it is first asked for."""

    def emit(w: Writer, *values: Value) -> Value:
        from clearprop.engines.vector_code import VectorWriter

        dtype = next(each.of for value in values for each in _leaves(value.type) if each.of.real)
        passed = [part for each in values for part in _passed(w, each, dtype)]
        if name not in w.module.globals:
            kind = llvm.ir.FunctionType(llvm.ir.VoidType(), [each.type for each in passed])
            function = llvm.ir.Function(w.module, kind, name)
            function.linkage = "internal"
            function.attributes.add("noinline")
            inside = llvm.ir.IRBuilder(function.append_basic_block("entry"))
            lanes = REGISTER_BYTES // dtype.itemsize
            arguments = iter(function.args)
            write(
                VectorWriter(inside, dtype.ir, lanes),
                *[_as_passed(each.type, arguments) for each in values],
            )
            inside.ret_void()
        w.builder.call(w.module.globals[name], passed)
        return Value(NOTHING, ())

    return emit


def _at(x: Any, rows: int, columns: int, along_rows: int, along_columns: int = 1) -> Any:
    strides = (along_rows * x.itemsize, along_columns * x.itemsize)
    return np.lib.stride_tricks.as_strided(x, (rows, columns), strides)


def _grid(of: Matrix, rows: int, columns: int) -> Any:
    return _at(of.x, rows, columns, of.down, of.across)


def _chosen(n: int, filled: Filled, itemsize: int) -> Any:
    """Return the indices of the columns that some vectors begin at, as the generated code does."""
    lanes = np.arange(REGISTER_BYTES // itemsize)
    which = (filled.columns[: filled.n, None] + lanes).ravel()
    return which[which < n]


@written_by(_call("clearprop_dots", _write_dots))
def block_dots(out: Matrix, a: Matrix, x: Matrix, m: int, n: int, length: int, filled: Filled) -> None:
    """Put a x^T into `out`, m by n, of the vectors that `filled` lists; rows are one element apart."""
    which = _chosen(length, filled, x.x.itemsize)
    _grid(out, m, n)[:] = _grid(a, m, length)[:, which] @ _grid(x, n, length)[:, which].T


@written_by(_call("clearprop_sums", _write_sums))
def block_sums(out: Matrix, c: Strips, x: Matrix, rows: int, n: int, length: int, beta: float) -> None:
    """Put beta out + c^T x into `out`: x (length, n), out (rows, n)."""
    n_strips = -(-rows // SUMS_BLOCK[0])
    for number in range(n_strips):
        first, last = number * rows // n_strips, (number + 1) * rows // n_strips
        target = _at(out.x[first * out.down :], last - first, n, out.down)
        factors = c.x[number * c.along_strip + first * c.along_first :]
        total = _at(factors, last - first, length, c.along_r, c.along_s) @ _grid(x, length, n)
        target[:] = total + beta * target if beta else total


@written_by(_call("clearprop_sums_of_panel", _write_sums_of_panel))
def block_sums_of_panel(
    out: Matrix, c: Strips, panel: Reals, rows: int, n: int, length: int, beta: float
) -> None:
    """Put beta out + c^T x into `out`, x being a panel, of which n columns are stored."""
    block_sums(out, c, Matrix(panel, width(panel), 1), rows, n, length, beta)


@written_by(_call("clearprop_sums_listed", _write_sums_listed))
def block_sums_listed(
    out: Matrix, c: Matrix, x: Matrix, rows: int, n: int, length: int, filled: Filled
) -> None:
    """Add c^T x to `out`, in the vectors that `filled` lists; rows of all are one element apart."""
    which = _chosen(n, filled, x.x.itemsize)
    target = _grid(out, rows, n)
    target[:, which] += _grid(c, length, rows).T @ _grid(x, length, n)[:, which]


@written_by(_call("clearprop_step_dots", _write_step_dots))
def block_step_dots(W: Matrix, c: Reals, x: Reals, ahead: Reals, out: Reals, m: int, n: int) -> None:
    """Add c x^T to W, m by n, and put its product with `ahead` into `out`."""
    of = _grid(W, m, n)
    of += np.outer(c[:m], x[:n])
    out[:m] = of @ ahead[:n]


@written_by(_call("clearprop_used", _write_used))
def used(x: Matrix, m: int, n: int, columns: Integers) -> None:
    """List the vectors in which any of m rows is not zero: their number, then their first columns."""
    step = REGISTER_BYTES // x.x.itemsize
    rows = _grid(x, m, n)
    firsts = [k for k in range(0, n, step) if rows[:, k : k + step].any()]
    columns[0], columns[1 : len(firsts) + 1] = len(firsts), firsts


@written_by(_call("clearprop_panel", _write_panel))
def copy_panel(out: Matrix, x: Matrix, length: int, width: int) -> None:
    """Copy x[s, k] into rows of a panel; what follows a row may be overwritten."""
    _grid(out, length, width)[:] = _grid(x, length, width)
