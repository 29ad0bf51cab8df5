"""LLVM code for vectors, written by hand: what the blocks of a product are made of.

The vectors are LLVM's own: a CPU without registers of that width still runs the same code, in halves. A
last vector that is not full is loaded and stored through a mask, so that nothing beyond an array is
touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llvmlite import ir

INT = ir.IntType(32)
LONG = ir.IntType(64)
# Sums in any order, products fused with them; NaN and infinity keep their meaning.
FREE = ("reassoc", "contract", "nsz")


class VectorWriter:
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
