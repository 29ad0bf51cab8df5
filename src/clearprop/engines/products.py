"""Matrix products, held in registers.

BLAS spends most of a small product (10 x 784 x 30) on packing its arguments. These two functions take
them where they lie, and keep a block of the result in vector registers while they run along the shared
dimension: every number loaded is used for several multiply-adds. Large products are ``sums`` of copies
that lie in the order in which they are read.

    dots    out[i, j] = sum_k a[i, k] b[j, k]                 z = a W^T
    sums    out[r, k] = beta out[r, k] + sum_s c[s, r] x[s, k]
                        with c in any layout                  error = delta W;  dC/dW = delta^T a

In ``dots`` the vectors lie along the shared dimension and are summed at the end, in ``sums`` along the
result's rows; so no argument of a small product is ever transposed. Each is one LLVM function,
generated from one description for every height of a block. The vectors are LLVM's own: a CPU without
registers of that width still runs the same code, in halves. A last vector that is not full is loaded
and stored through a mask, so that nothing beyond an array is touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir

from clearprop.engines.intrinsics import kernel, like, part, written_by
from clearprop.engines.language import INT as WHOLE
from clearprop.engines.language import NOTHING, Flat, Scalar, Value
from clearprop.engines.translation import Writer

INT = ir.IntType(32)
LONG = ir.IntType(64)
# Sums in any order, products fused with them; NaN and infinity keep their meaning.
FREE = ("reassoc", "contract", "nsz")


def _register_bytes() -> int:
    features = llvmlite.binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


REGISTER_BYTES = _register_bytes()
# (rows, columns) of the block of results, in scalars or vectors: most of 32 or 16 registers.
DOTS_BLOCK = (5, 5) if REGISTER_BYTES == 64 else (3, 4)
SUMS_BLOCK = (6, 4) if REGISTER_BYTES == 64 else (6, 2)
SEVERAL, LEAST = 8, 4  # that many rows or more are cut into strips of 4 to 6: fewer heights to compile


class _Writer:
    """Writes one LLVM function: the loops, loads and multiply-adds that both products are made of."""

    def __init__(self, builder: ir.IRBuilder, real: ir.Type, lanes: int) -> None:
        self.builder = builder
        self.real, self.lanes = real, lanes
        self.vector = ir.VectorType(real, lanes)
        self.align = 4 if real == ir.FloatType() else 8
        self.name = f"v{lanes}f{8 * self.align}"

    def call(self, name: str, result: ir.Type, arguments: list[Any], flags: Sequence[str] = ()) -> Any:
        """Call one of LLVM's own functions."""
        kind = ir.FunctionType(result, [each.type for each in arguments])
        function = self.builder.module.globals.get(name) or ir.Function(self.builder.module, kind, name)
        return self.builder.call(function, arguments, fastmath=flags)

    def at(self, pointer: Any, *offsets: Any) -> Any:
        """Return the pointer moved by the sum of some numbers of elements."""
        total = LONG(0)
        for offset in offsets:
            total = self.builder.add(total, offset)
        return self.builder.gep(pointer, [total])

    def times(self, a: Any, b: Any) -> Any:
        """Return a b, of integers."""
        return self.builder.mul(a, b if isinstance(b, ir.Value) else LONG(b))

    def smaller(self, a: Any, b: Any) -> Any:
        """Return the smaller of two integers."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def load(self, pointer: Any, mask: Any) -> Any:
        """Return the vector at the pointer, with zeros where the mask is false."""
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            return self.builder.load(where, align=self.align)
        arguments = [where, INT(self.align), mask, self.zero()]
        return self.call(f"llvm.masked.load.{self.name}.p0", self.vector, arguments)

    def store(self, value: Any, pointer: Any, mask: Any) -> None:
        """Store a vector, where the mask is true."""
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            self.builder.store(value, where, align=self.align)
            return
        arguments = [value, where, INT(self.align), mask]
        self.call(f"llvm.masked.store.{self.name}.p0", ir.VoidType(), arguments)

    def variable(self, kind: ir.Type | None = None) -> Any:
        """Return a place for a vector, made once however often the code around it runs."""
        with self.builder.goto_entry_block():
            return self.builder.alloca(kind or self.vector)

    def ask_for(self, pointer: Any) -> None:
        """Ask for what is at the pointer, to write there soon."""
        place = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        self.call("llvm.prefetch.p0", ir.VoidType(), [place, INT(1), INT(3), INT(1)])

    @contextlib.contextmanager
    def loop(self, start: Any, stop: Any, step: Any) -> Iterator[Any]:
        """Write what is inside the ``with`` block for start, start + step and on, below stop."""
        b = self.builder
        test, inside, after = (b.append_basic_block(name) for name in ("loop", "inside", "after"))
        before = b.block
        b.branch(test)
        b.position_at_end(test)
        index = b.phi(LONG)
        index.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", index, stop), inside, after)
        b.position_at_end(inside)
        yield index
        index.add_incoming(b.add(index, step, flags=("nsw",)), b.block)
        b.branch(test)
        b.position_at_end(after)

    def zero(self) -> Any:
        """Return a vector of zeros."""
        return ir.Constant(self.vector, [0.0] * self.lanes)

    def spread(self, scalar: Any) -> Any:
        """Return a vector of one number."""
        b = self.builder
        one = b.insert_element(ir.Constant(self.vector, ir.Undefined), scalar, INT(0))
        zeros = ir.Constant(ir.VectorType(INT, self.lanes), [0] * self.lanes)
        return b.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), zeros)

    def first(self, n: Any) -> Any:
        """Return the mask of the first n lanes."""
        b = self.builder
        kind = ir.VectorType(LONG, self.lanes)
        one = b.insert_element(ir.Constant(kind, ir.Undefined), n, INT(0))
        zeros = ir.Constant(ir.VectorType(INT, self.lanes), [0] * self.lanes)
        spread = b.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)
        return b.icmp_signed("<", ir.Constant(kind, list(range(self.lanes))), spread)

    def add_product(self, total: Any, a: Any, b: Any) -> None:
        """Add a b to the variable `total`."""
        product = self.builder.fmul(a, b, flags=FREE)
        self.builder.store(self.builder.fadd(self.builder.load(total), product, flags=FREE), total)

    def totals(self, rows: int, columns: int) -> list[list[Any]]:
        """Return a block of vector variables that are zero; LLVM puts them in registers."""
        block = [[self.variable() for _ in range(columns)] for _ in range(rows)]
        for row in block:
            for variable in row:
                self.builder.store(self.zero(), variable)
        return block

    def sums_of_lanes(self, vectors: list[Any]) -> Any:
        """Return a vector that begins with the sums of the elements of each of some vectors.

        Neighbours are folded into one vector until one is left: half the work of summing each alone.
        """
        segments = 1
        while segments < self.lanes:
            vectors = vectors if len(vectors) % 2 == 0 else [*vectors, self.zero()]
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self.fold(a, b, segments) for a, b in pairs]
            segments *= 2
        return vectors[0]

    def fold(self, a: Any, b: Any, segments: int) -> Any:
        """Add the two halves of every segment of a, then of b."""
        size = self.lanes // segments
        starts = range(0, 2 * self.lanes, size)
        kind = ir.VectorType(INT, self.lanes)
        low, high = (
            ir.Constant(kind, [start + half + i for start in starts for i in range(size // 2)])
            for half in (0, size // 2)
        )
        shuffle = self.builder.shuffle_vector
        return self.builder.fadd(shuffle(a, b, low), shuffle(a, b, high), flags=FREE)

    def transposed(self, rows: list[Any]) -> list[Any]:
        """Return the columns of a square of vectors: its quarters swapped, then theirs, and so on."""
        rows = list(rows)
        kind = ir.VectorType(INT, self.lanes)
        lanes = range(self.lanes)
        half = self.lanes // 2
        while half:
            upper = ir.Constant(kind, [self.lanes + j - half if j & half else j for j in lanes])
            lower = ir.Constant(kind, [self.lanes + j if j & half else j + half for j in lanes])
            for i in lanes:
                if not i & half:
                    a, b = rows[i], rows[i + half]
                    rows[i] = self.builder.shuffle_vector(a, b, upper)
                    rows[i + half] = self.builder.shuffle_vector(a, b, lower)
            half //= 2
        return rows

    def strips(self, n: Any, most: int, body: Callable[[Any, Any, int], None], least: int = 1) -> None:
        """Cut n rows into even strips of at most `most`; write ``body(number, first, height)``.

        Strips of fewer rows than `least` are not written: n is known to be large enough.
        """
        b = self.builder
        count = b.sdiv(b.add(n, LONG(most - 1)), LONG(most))
        with self.loop(LONG(0), count, LONG(1)) as index:
            first = b.sdiv(b.mul(index, n), count)
            last = b.sdiv(b.mul(b.add(index, LONG(1)), n), count)
            done = b.append_basic_block("strip_done")
            switch = b.switch(b.sub(last, first), done)
            for height in range(least, most + 1):
                block = b.append_basic_block(f"height_{height}")
                switch.add_case(LONG(height), block)
                b.position_at_end(block)
                body(index, first, height)
                b.branch(done)
            b.position_at_end(done)

    def stretches(self, n: Any, width: int, body: Callable[[Any, int, Any], None]) -> None:
        """Cut n columns into `width` vectors, then one; write ``body(first, vectors, mask)``."""
        b = self.builder
        wide = LONG(width * self.lanes)
        whole = b.mul(b.sdiv(n, wide), wide)
        with self.loop(LONG(0), whole, wide) as first:
            body(first, width, None)
        with self.loop(whole, n, LONG(self.lanes)) as first:
            body(first, 1, self.first(b.sub(n, first)))

    def listed(
        self, n: Any, columns: Any, count: Any, width: int, body: Callable[[list[Any], Any], None]
    ) -> None:
        """Go through the vectors that begin at some columns, `width` at a time, then one by one."""
        b = self.builder
        # The last one may reach beyond n, the others do not.
        last = b.select(b.icmp_signed(">", count, LONG(0)), b.sub(count, LONG(1)), LONG(0))
        reaches = b.icmp_signed(">", b.add(b.load(self.at(columns, last)), LONG(self.lanes)), n)
        full = b.select(reaches, last, count)
        wide = b.mul(b.sdiv(full, LONG(width)), LONG(width))
        with self.loop(LONG(0), wide, LONG(width)) as i:
            body([b.load(self.at(columns, i, LONG(v))) for v in range(width)], None)
        with self.loop(wide, count, LONG(1)) as i:
            k = b.load(self.at(columns, i))
            body([k], self.first(b.sub(n, k)))


def _write_dots(w: _Writer, out: Any, ldo: Any, a: Any, lda: Any, x: Any, ldx: Any, m: Any, n: Any,
                length: Any, columns: Any, count: Any) -> None:  # fmt: skip
    b = w.builder

    width = min(DOTS_BLOCK[1], w.lanes)  # their sums are to fit one vector

    def block(i: Any, height: int, j: Any) -> None:
        totals = w.totals(height, width)
        # Where fewer rows of x are left than a block has, the last is taken again, and not stored.
        left = w.smaller(LONG(width), b.sub(n, j))
        sources = [
            w.at(x, w.times(b.add(j, w.smaller(LONG(c), b.sub(left, LONG(1)))), ldx))
            for c in range(width)
        ]

        def along(at: list[Any], mask: Any) -> None:
            k = at[0]
            rows = [w.load(w.at(a, w.times(b.add(i, LONG(r)), lda), k), mask) for r in range(height)]
            for c in range(width):  # one register for all columns: with four, AVX2's 16 do not suffice
                column = w.load(w.at(sources[c], k), mask)
                for r in range(height):
                    w.add_product(totals[r][c], rows[r], column)

        w.listed(length, columns, count, 1, along)
        for r in range(height):
            sums_of_row = w.sums_of_lanes([b.load(variable) for variable in totals[r]])
            place = w.at(out, w.times(b.add(i, LONG(r)), ldo), j)
            w.store(sums_of_row, place, w.first(left))

    def strip(_: Any, i: Any, height: int) -> None:
        with w.loop(LONG(0), n, LONG(width)) as j:
            block(i, height, j)

    w.strips(m, DOTS_BLOCK[0], strip)


def _write_sums(w: _Writer, out: Any, ldo: Any, c: Any, along_s: Any, along_r: Any, along_first: Any,
                along_strip: Any, x: Any, ldx: Any, rows: Any, n: Any, length: Any,
                beta: Any) -> None:  # fmt: skip
    def stretch(k: Any, vectors: int, mask: Any) -> None:
        masks = [mask] * vectors
        strip = _strip_of_sums(
            w, w.at(out, k), ldo, c, along_s, along_r, along_first, along_strip, w.at(x, k), ldx,
            length, beta, masks, masks,
        )  # fmt: skip
        w.strips(rows, SUMS_BLOCK[0], strip)

    w.stretches(n, SUMS_BLOCK[1], stretch)


def _write_sums_of_panel(w: _Writer, out: Any, ldo: Any, c: Any, along_s: Any, along_r: Any,
                         along_first: Any, along_strip: Any, x: Any, rows: Any, n: Any, length: Any,
                         beta: Any) -> None:  # fmt: skip
    b = w.builder
    lanes, wide = LONG(w.lanes), LONG(SUMS_BLOCK[1] * w.lanes)

    def stretch(k: Any, vectors: int, masks: list[Any]) -> None:
        # A panel's rows are full ones, whatever is in them: masks cost more than what they leave out.
        strip = _strip_of_sums(
            w, w.at(out, k), ldo, c, along_s, along_r, along_first, along_strip, w.at(x, k),
            wide, length, beta, [None] * vectors, masks,
        )  # fmt: skip
        w.strips(rows, SUMS_BLOCK[0], strip)

    with w.loop(LONG(0), n, wide) as k:
        left = b.sub(n, k)
        with b.if_else(b.icmp_signed(">", left, lanes)) as (several, one):
            with several:
                masks = [w.first(b.sub(left, LONG(v * w.lanes))) for v in range(SUMS_BLOCK[1])]
                stretch(k, SUMS_BLOCK[1], masks)
            with one:
                stretch(k, 1, [w.first(left)])


def _strip_of_sums(w: _Writer, out: Any, ldo: Any, c: Any, along_s: Any, along_r: Any, along_first: Any,
                   along_strip: Any, x: Any, ldx: Any, length: Any, beta: Any, reads: list[Any],
                   writes: list[Any], which: Any = None,
                   columns: list[Any] | None = None) -> Callable[[Any, Any, int], None]:  # fmt: skip
    """Return what writes a block of results; `reads` and `writes` are the masks of its vectors.

    `which` lists the `length` rows of x and c that take part, `columns` where in a row of results its
    vectors lie: without these, the first rows, and one vector after the other.
    """
    b, vectors = w.builder, len(writes)
    columns = columns or [LONG(v * w.lanes) for v in range(vectors)]
    keeps = b.fcmp_unordered("!=", beta, ir.Constant(w.real, 0.0))
    long = b.icmp_signed(">=", length, LONG(32))

    def strip(number: Any, r0: Any, height: int) -> None:
        target = w.at(out, w.times(r0, ldo))
        places = [[w.at(target, w.times(ldo, r), k) for k in columns] for r in range(height)]
        with b.if_then(long):  # long enough for it to arrive
            for row in places:
                w.ask_for(row[0])
        start = w.at(c, w.times(number, along_strip), w.times(r0, along_first))
        totals = w.totals(height, vectors)
        with w.loop(LONG(0), length, LONG(1)) as i:
            index = b.load(w.at(which, i)) if which else i
            source = w.at(x, w.times(index, ldx))
            right = [w.load(w.at(source, LONG(v * w.lanes)), reads[v]) for v in range(vectors)]
            factors = w.at(start, w.times(index, along_s))
            for r in range(height):
                factor = w.spread(b.load(w.at(factors, w.times(along_r, r))))
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


def _write_sums_of_used(w: _Writer, out: Any, ldo: Any, c: Any, along_s: Any, along_r: Any,
                        along_first: Any, along_strip: Any, x: Any, rows: Any, which: Any, first: Any,
                        length: Any, beta: Any) -> None:  # fmt: skip
    b = w.builder
    wide = LONG(SUMS_BLOCK[1] * w.lanes)
    c = w.at(c, b.neg(w.times(first, along_s)))  # the list counts from where `first` does
    x = w.at(x, b.neg(w.times(first, wide)))
    unmasked = [None] * SUMS_BLOCK[1]
    strip = _strip_of_sums(
        w, out, ldo, c, along_s, along_r, along_first, along_strip, x, wide, length, beta, unmasked,
        unmasked, which,
    )  # fmt: skip
    w.strips(rows, SUMS_BLOCK[0], strip, LEAST)


def _write_sums_at(w: _Writer, out: Any, ldo: Any, c: Any, along_s: Any, along_strip: Any, x: Any,
                   rows: Any, columns: Any, length: Any, beta: Any) -> None:  # fmt: skip
    wide, unmasked = LONG(SUMS_BLOCK[1] * w.lanes), [None] * SUMS_BLOCK[1]
    places = [w.builder.load(w.at(columns, LONG(v))) for v in range(SUMS_BLOCK[1])]
    strip = _strip_of_sums(
        w, out, ldo, c, along_s, LONG(1), LONG(0), along_strip, x, wide, length, beta, unmasked,
        unmasked, None, places,
    )  # fmt: skip
    w.strips(rows, SUMS_BLOCK[0], strip, LEAST)


def _write_sums_listed(w: _Writer, out: Any, ldo: Any, c: Any, along_s: Any, x: Any, ldx: Any,
                       rows: Any, n: Any, length: Any, columns: Any, count: Any) -> None:  # fmt: skip
    b = w.builder

    def strip(_: Any, r0: Any, height: int) -> None:
        start, target = w.at(c, r0), w.at(out, w.times(r0, ldo))

        def stretch(at: list[Any], mask: Any) -> None:
            places = [[w.at(target, w.times(ldo, r), k) for k in at] for r in range(height)]
            totals = [[w.variable() for _ in at] for _ in range(height)]
            for r in range(height):
                for total, place in zip(totals[r], places[r], strict=True):
                    b.store(w.load(place, mask), total)
            with w.loop(LONG(0), length, LONG(1)) as index:
                source = w.at(x, w.times(index, ldx))
                right = [w.load(w.at(source, k), mask) for k in at]
                factors = w.at(start, w.times(index, along_s))
                for r in range(height):
                    factor = w.spread(b.load(w.at(factors, LONG(r))))
                    for total, vector in zip(totals[r], right, strict=True):
                        w.add_product(total, factor, vector)
            for r in range(height):
                for total, place in zip(totals[r], places[r], strict=True):
                    w.store(b.load(total), place, mask)

        w.listed(n, columns, count, SUMS_BLOCK[1], stretch)

    w.strips(rows, SUMS_BLOCK[0], strip)


def _write_used(w: _Writer, x: Any, ldx: Any, m: Any, n: Any, columns: Any) -> None:
    b = w.builder
    bits = ir.VectorType(ir.IntType(8 * w.align), w.lanes)
    none = ir.Constant(bits, [0] * w.lanes)
    found, count = w.variable(bits), w.variable(LONG)
    b.store(LONG(0), count)
    with w.loop(LONG(0), n, LONG(w.lanes)) as k:
        mask = w.first(b.sub(n, k))
        b.store(none, found)
        with w.loop(LONG(0), m, LONG(1)) as i:
            row = b.bitcast(w.load(w.at(x, w.times(i, ldx), k), mask), bits)
            b.store(b.or_(b.load(found), row), found)
        so_far = b.load(count)
        b.store(k, w.at(columns, so_far, LONG(1)))
        which = b.bitcast(b.icmp_unsigned("!=", b.load(found), none), ir.IntType(w.lanes))
        any_of_them = b.icmp_unsigned("!=", which, which.type(0))
        b.store(b.add(so_far, b.zext(any_of_them, LONG)), count)
    b.store(b.load(count), columns)


def _write_panel(w: _Writer, out: Any, step: Any, x: Any, along_s: Any, along_k: Any, length: Any,
                 width: Any) -> None:  # fmt: skip
    b = w.builder
    zero, one, lanes = LONG(0), LONG(1), LONG(w.lanes)

    def turned(k: Any) -> None:
        last = b.sub(width, one)
        sources = [
            w.at(x, w.times(w.smaller(b.add(k, LONG(i)), last), along_k)) for i in range(w.lanes)
        ]

        def square(s: Any, _: int, mask: Any) -> None:
            rows = w.transposed([w.load(w.at(source, s), mask) for source in sources])
            for i, row in enumerate(rows):
                w.store(row, w.at(out, w.times(b.add(s, LONG(i)), step), k), None)

        w.stretches(length, 1, square)

    def rows(vectors: int) -> None:
        masks = [w.first(b.sub(width, LONG(v * w.lanes))) for v in range(vectors)]
        with w.loop(zero, length, one) as s:
            source, target = w.at(x, w.times(s, along_s)), w.at(out, w.times(s, step))
            for v, mask in enumerate(masks):  # what is too much of a row, the next one replaces
                at = LONG(v * w.lanes)
                w.store(w.load(w.at(source, at), mask), w.at(target, at), None)

    with b.if_else(b.icmp_signed("==", along_k, one)) as (as_it_lies, across):
        with as_it_lies, b.if_else(b.icmp_signed("<=", width, lanes)) as (narrow, wide):
            with narrow:
                rows(1)
            with wide:
                rows(SUMS_BLOCK[1])
        with across, w.loop(zero, width, lanes) as k:
            turned(k)


def _call(name: str, write: Callable[..., None]) -> Callable[..., Value]:
    """Return what calls a generated function, written into the module when it is first asked for."""

    def emit(w: Writer, *values: Value) -> Value:
        dtype: Scalar = values[0].type.of  # type: ignore[union-attr,assignment]
        kinds = [WHOLE if each.type == WHOLE else dtype for each in values]
        arguments = [
            v.parts[0] if isinstance(v.type, Flat) else w.cast(v, kind).one
            for v, kind in zip(values, kinds, strict=True)
        ]
        if name not in w.module.globals:
            kind = ir.FunctionType(ir.VoidType(), [each.type for each in arguments])
            function = ir.Function(w.module, kind, name)
            function.linkage = "internal"
            function.attributes.add("noinline")
            inside = ir.IRBuilder(function.append_basic_block("entry"))
            lanes = REGISTER_BYTES // dtype.itemsize
            write(_Writer(inside, dtype.ir, lanes), *function.args)
            inside.ret_void()
        w.builder.call(w.module.globals[name], arguments)
        return Value(NOTHING, ())

    return emit


def _grid(x: Any, rows: int, columns: int, along_rows: int, along_columns: int = 1) -> Any:
    strides = (along_rows * x.itemsize, along_columns * x.itemsize)
    return np.lib.stride_tricks.as_strided(x, (rows, columns), strides)


def _chosen(n: int, columns: Any, count: int, itemsize: int) -> Any:
    """Return the indices of the columns that some vectors begin at, as the generated code does."""
    lanes = np.arange(REGISTER_BYTES // itemsize)
    which = (columns[:count, None] + lanes).ravel()
    return which[which < n]


@written_by(_call("clearprop_dots", _write_dots))
def _dots(out: Any, ldo: int, a: Any, lda: int, x: Any, ldx: int, m: int, n: int, length: int,
          columns: Any, count: int) -> None:  # fmt: skip
    which = _chosen(length, columns, count, x.itemsize)
    _grid(out, m, n, ldo)[:] = _grid(a, m, length, lda)[:, which] @ _grid(x, n, length, ldx)[:, which].T


@written_by(_call("clearprop_sums", _write_sums))
def _sums(out: Any, ldo: int, c: Any, along_s: int, along_r: int, along_first: int, along_strip: int,
          x: Any, ldx: int, rows: int, n: int, length: int, beta: float) -> None:  # fmt: skip
    n_strips = -(-rows // SUMS_BLOCK[0])
    for number in range(n_strips):
        first, last = number * rows // n_strips, (number + 1) * rows // n_strips
        target = _grid(out[first * ldo :], last - first, n, ldo)
        factors = c[number * along_strip + first * along_first :]
        total = _grid(factors, last - first, length, along_r, along_s) @ _grid(x, length, n, ldx)
        target[:] = total + beta * target if beta else total


@written_by(_call("clearprop_sums_of_panel", _write_sums_of_panel))
def _sums_of_panel(out: Any, ldo: int, c: Any, along_s: int, along_r: int, along_first: int,
                   along_strip: int, panel: Any, rows: int, n: int, length: int,
                   beta: float) -> None:  # fmt: skip
    wide = width(panel)
    _sums(out, ldo, c, along_s, along_r, along_first, along_strip, panel, wide, rows, n, length, beta)


@written_by(_call("clearprop_sums_of_used", _write_sums_of_used))
def _sums_of_used(out: Any, ldo: int, c: Any, along_s: int, along_r: int, along_first: int,
                  along_strip: int, panel: Any, rows: int, which: Any, first: int, length: int,
                  beta: float) -> None:  # fmt: skip
    wide, rows_of_it = width(panel), which[:length] - first
    n_strips = -(-rows // SUMS_BLOCK[0])
    for number in range(n_strips):
        begin, end = number * rows // n_strips, (number + 1) * rows // n_strips
        target = _grid(out[begin * ldo :], end - begin, wide, ldo)
        factors = c[number * along_strip + begin * along_first :]
        deep = 1 + max(rows_of_it, default=-1)
        left = _grid(factors, end - begin, deep, along_r, along_s)[:, rows_of_it]
        total = left @ _grid(panel, deep, wide, wide)[rows_of_it]
        target[:] = total + beta * target if beta else total


@written_by(_call("clearprop_sums_at", _write_sums_at))
def _sums_at(out: Any, ldo: int, c: Any, along_s: int, along_strip: int, panel: Any, rows: int,
             columns: Any, length: int, beta: float) -> None:  # fmt: skip
    wide, lanes = width(panel), REGISTER_BYTES // panel.itemsize
    for v in range(wide // lanes):
        target, x = out[columns[v] :], panel[v * lanes :]
        _sums(target, ldo, c, along_s, 1, 0, along_strip, x, wide, rows, lanes, length, beta)


@written_by(_call("clearprop_sums_listed", _write_sums_listed))
def _sums_listed(out: Any, ldo: int, c: Any, along_s: int, x: Any, ldx: int, rows: int, n: int,
                 length: int, columns: Any, count: int) -> None:  # fmt: skip
    which = _chosen(n, columns, count, x.itemsize)
    target = _grid(out, rows, n, ldo)
    target[:, which] += _grid(c, rows, length, 1, along_s) @ _grid(x, length, n, ldx)[:, which]


@written_by(_call("clearprop_used", _write_used))
def used(x: Any, ldx: int, m: int, n: int, columns: Any) -> None:
    """List the vectors in which any of m rows is not zero: their number, then their first columns."""
    step = REGISTER_BYTES // x.itemsize
    rows = _grid(x, m, n, ldx)
    firsts = [k for k in range(0, n, step) if rows[:, k : k + step].any()]
    columns[0], columns[1 : len(firsts) + 1] = len(firsts), firsts


@written_by(_call("clearprop_panel", _write_panel))
def _panel(out: Any, step: int, x: Any, along_s: int, along_k: int, length: int,
           width: int) -> None:  # fmt: skip
    _grid(out, length, width, step)[:] = _grid(x, length, width, along_s, along_k)


# The products as kernels of their own, so that each is generated once. Small ones take their arguments
# where they lie. Large ones lay out copies in the order in which they are read, blocked for the caches
# as Goto and van de Geijn describe (ACM TOMS 34, 2008): a panel of x, DEEP x WIDE, stays in the first
# level while strips of c, TALL x DEEP together, pass by from the second.
MOST = 512  # samples copied at a time for a gradient
LARGE = 48  # rows from which the copies cost less than they save
DEEP, WIDE, TALL = 400, 128, 96
STRIP, PANEL = SUMS_BLOCK[0], SUMS_BLOCK[1] * REGISTER_BYTES // 4  # of float32; half of it in float64
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
def width(x: Any) -> int:
    """Return how many columns a panel has: as many as the block of results in registers."""
    return 4 * PANEL // x.itemsize


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
            _panel(target, wide, source, along_s, along_k, min(block, length - s), min(wide, n - k))


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
            _panel(target, wide, source, ldx, 1, min(16, m - s), min(lanes, n - first[v]))


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
            _panel(target, STRIP, source, along_s, 1, min(32, deep - s), end - begin)


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
                    _sums_of_panel(
                        target, ldo, factors, step, along, first, strip, panel, tall, n - k, deep, by
                    )
                elif used.size > 0 and tall >= SEVERAL:
                    _sums_of_used(
                        target, ldo, factors, step, along, first, strip, panel, tall, which,
                        first_used + s, which.size, by,
                    )  # fmt: skip
                else:
                    _sums(
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
                    _sums_at(
                        target, ldo, strips, STRIP, strip_size(deep), panel, tall, columns, deep, by
                    )
                    continue
                for i in range(columns.size):  # the last one may reach beyond n, or have no neighbour
                    k = columns[i]
                    one = part(panel, i * lanes, panel.size - i * lanes)
                    _sums_of_panel(
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
        _dots(target, ldo, a, lda, source, ldx, m, some, length, columns, count)


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
        _sums(
            out, ldo, factors, along_s, along_r, along_r, 0, source, ldx, rows, n, some,
            beta if s == 0 else 1.0,
        )  # fmt: skip


@kernel()
def add_listed(
    out: Any, ldo: int, c: Any, along_s: int, x: Any, ldx: int, rows: int, n: int, length: int,
    columns: Any, count: int,
) -> None:  # fmt: skip
    """Add c^T x to `out` where x is not zero: in the vectors at the first `count` of `columns`."""
    _sums_listed(out, ldo, c, along_s, x, ldx, rows, n, length, columns, count)
