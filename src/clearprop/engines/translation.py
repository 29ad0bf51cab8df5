"""Kernels are Python; this turns the part of Python that they use into LLVM's language.

A kernel is a plain function of numbers and flat arrays: it can be stepped through in a debugger, and
translated. What it may use: integers, booleans, float32 and float64 numbers, unsigned 64-bit words, 1-d
and 2-d arrays, tuples and records (``NamedTuple``) of these, made by ``Record(a, name=b)`` or, of the
elements of a row, by ``Record(*row)``; constants, also of other modules (``codes.LINE``); assignments,
``if``, ``while``, ``for ... in range``, calls of other kernels, of the functions in ``BUILT_IN`` and of
``record._replace``. ``for code, f in TABLE``, over a tuple that a module has, is written out row by
row: what a row holds is known when it is translated, kernels too. Everything else is refused, with the
line.

The types are those of the arguments of a call (a kernel called with float32 and with float64 is two
functions), and flow forwards: a variable has the type of what it is first given. Mixed arithmetic gives
float64, ``like`` in ``intrinsics`` keeps a constant from doing so. Integers have 64 bits and are not to
overflow, indices are not checked and do not count from the end.

Why not ``numba.njit``, which knows all of Python: it needs 9 seconds to find the types of these kernels
and to write their LLVM code, this half a second; and what LLVM makes of either is equally fast.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from clearprop.engines import llvm
from clearprop.engines.expressions import Expressions, Translated
from clearprop.engines.language import (
    BOOL,
    INT,
    Kernel,
    Scalar,
    Type,
    Value,
    joined,
    parts_of,
    split,
    whole,
)


class Translation:
    """An LLVM module, and the kernels translated into it so far."""

    def __init__(self, triple: str, data_layout: str) -> None:
        self.module = ir.Module("clearprop")
        self.module.triple, self.module.data_layout = triple, data_layout
        self.done: dict[tuple[Kernel, tuple[Type, ...]], Translated] = {}

    def translate(self, kernel: Kernel, types: tuple[Type, ...]) -> Translated:
        """Return a kernel's LLVM function for some types, written when it is first asked for."""
        key = kernel, types
        if key not in self.done:
            name = self.module.get_unique_name(kernel.name)
            arguments = [part for each in types for part in parts_of(each)]
            function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), arguments), name)
            function.linkage = "internal"
            function.attributes.add("nounwind")
            self.done[key] = Writer(self.translate, kernel, function).write(types)
        return self.done[key]

    def export(self, kernel: Kernel, types: tuple[Type, ...]) -> None:
        """Make a kernel callable from outside, as ``name(slots, thread, n_threads)``.

        `slots` is the address of 64-bit words, the parts of all arguments but the last two numbers:
        `machine_code.places` says where each is.
        """
        translated = self.translate(kernel, types)
        kind = ir.FunctionType(ir.VoidType(), [llvm.I64.as_pointer(), llvm.I64, llvm.I64])
        function = ir.Function(self.module, kind, f"clearprop_{kernel.name}")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        values = []
        for i, part in enumerate(translated.function.ftype.args[:-2]):
            value = builder.load(builder.gep(function.args[0], [llvm.I64(i)]))
            values.append(_from_word(builder, value, part))
        builder.call(translated.function, [*values, *function.args[1:]])
        builder.ret_void()


def _from_word(builder: ir.IRBuilder, word: Any, kind: ir.Type) -> Any:
    """Return what a slot holds: an address, a float64's bits, a truth or an integer."""
    if kind.is_pointer:
        return builder.inttoptr(word, kind)
    if kind == llvm.I1:
        return builder.trunc(word, llvm.I1)
    return word if kind == llvm.I64 else builder.bitcast(word, kind)


class Writer(Expressions):
    """Writes one kernel's LLVM code, statement by statement."""

    def __init__(
        self,
        translate: Callable[[Kernel, tuple[Type, ...]], Translated],
        kernel: Kernel,
        function: ir.Function,
    ) -> None:
        super().__init__(translate, kernel, function)
        self.returns: Type | None = None
        self.loops: list[tuple[Any, Any]] = []  # where continue and break go

    def write(self, types: tuple[Type, ...]) -> Translated:
        """Write the whole function."""
        tree, used = self.kernel.tree, 0
        for argument, kind in zip(tree.args.args, types, strict=True):
            n = len(parts_of(kind))
            self.assign(argument.arg, Value(kind, tuple(self.function.args[used : used + n])))
            used += n
        self.body(tree.body)
        if not self.builder.block.is_terminated:
            self.give_back(joined([]))
        self.places.branch(self.function.basic_blocks[1])
        assert self.returns is not None
        return Translated(self.function, self.returns)

    def body(self, statements: list[ast.stmt]) -> None:
        """Write statements up to the first that leaves."""
        for each in statements:
            if self.builder.block.is_terminated:
                return
            getattr(self, f"do_{type(each).__name__}", self.do_unknown)(each)

    def do_unknown(self, node: ast.stmt) -> None:
        """Refuse what is not in the language."""
        raise self.refuse(node, f"kernels have no {type(node).__name__}")

    def do_Expr(self, node: ast.Expr) -> None:
        """Write a call, or pass over a docstring."""
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def do_Pass(self, node: ast.Pass) -> None:
        """Write nothing."""

    def do_Assign(self, node: ast.Assign) -> None:
        """Write an assignment."""
        self.store(node.targets[0], self.value(node.value))

    def do_AugAssign(self, node: ast.AugAssign) -> None:
        """Write ``target op= value``."""
        old = self.value(node.target)
        self.store(node.target, self.binary(node, node.op, old, self.value(node.value)))

    def do_Return(self, node: ast.Return) -> None:
        """Write a return."""
        self.give_back(joined([]) if node.value is None else self.value(node.value))

    def do_If(self, node: ast.If) -> None:
        """Write ``if``, ``elif``, ``else``."""
        then, otherwise, after = (
            self.function.append_basic_block(n) for n in ("then", "else", "after")
        )
        self.builder.cbranch(self.truth(self.value(node.test)), then, otherwise)
        leaves = True
        for block, statements in ((then, node.body), (otherwise, node.orelse)):
            self.builder.position_at_end(block)
            self.body(statements)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
                leaves = False
        self.builder.position_at_end(after)
        if leaves:
            self.builder.unreachable()

    def do_While(self, node: ast.While) -> None:
        """Write a loop with a condition."""
        test, inside, after = (self.function.append_basic_block(n) for n in ("while", "do", "done"))
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.truth(self.value(node.test)), inside, after)
        self.inside(node.body, inside, test, after)
        self.builder.position_at_end(after)

    def do_For(self, node: ast.For) -> None:
        """Write ``for name in range(...)``; a step that goes down is a constant."""
        if isinstance(rows := self.known_object(node.iter), tuple):
            self.unroll(node, rows)
            return
        if not (isinstance(node.iter, ast.Call) and isinstance(node.target, ast.Name)):
            raise self.refuse(node, "for loops are over range(...) or a module's tuple")
        bounds = [self.cast(self.value(each), INT) for each in node.iter.args]
        start, stop = (whole(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) == 3 else whole(1)
        counter = self.places.alloca(llvm.I64)
        test, inside, later, after = (
            self.function.append_basic_block(n) for n in ("for", "do", "next", "done")
        )
        down = len(bounds) == 3 and isinstance(node.iter.args[2], ast.UnaryOp)
        b = self.builder
        b.store(start.one, counter)
        b.branch(test)
        b.position_at_end(test)
        b.cbranch(b.icmp_signed(">" if down else "<", b.load(counter), stop.one), inside, after)
        b.position_at_end(inside)
        self.assign(node.target.id, Value(INT, (b.load(counter),)))
        self.inside(node.body, inside, later, after)
        b.position_at_end(later)
        b.store(b.add(b.load(counter), step.one, flags=("nsw",)), counter)
        b.branch(test)
        b.position_at_end(after)

    def unroll(self, node: ast.For, rows: tuple[Any, ...]) -> None:
        """Write what a loop repeats once for each row of a table, which the names then stand for."""
        targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
        names = [each.id for each in targets if isinstance(each, ast.Name)]
        if any(name in self.variables for name in names):
            raise self.refuse(node, f"{' or '.join(names)} is a variable already")
        after = self.function.append_basic_block("done")
        for row in rows:
            held = row if isinstance(node.target, ast.Tuple) else (row,)
            self.known.update(zip(names, held, strict=True))
            inside, later = (self.function.append_basic_block(n) for n in ("row", "next"))
            self.builder.branch(inside)
            self.inside(node.body, inside, later, after)
            self.builder.position_at_end(later)
        for name in names:
            self.known.pop(name, None)
        self.builder.branch(after)
        self.builder.position_at_end(after)

    def inside(self, statements: list[ast.stmt], block: Any, later: Any, after: Any) -> None:
        """Write what a loop repeats, and go on at `later`."""
        self.loops.append((later, after))
        self.builder.position_at_end(block)
        self.body(statements)
        self.loops.pop()
        if not self.builder.block.is_terminated:
            self.builder.branch(later)

    def do_Continue(self, node: ast.Continue) -> None:
        """Go to the loop's next turn."""
        self.builder.branch(self.loops[-1][0])

    def do_Break(self, node: ast.Break) -> None:
        """Leave the loop."""
        self.builder.branch(self.loops[-1][1])

    def give_back(self, value: Value) -> None:
        """Write a return; the first one decides what the function returns."""
        if self.returns is None:
            self.returns = value.type
            kinds = parts_of(value.type)
            made = (
                kinds[0] if len(kinds) == 1 else ir.LiteralStructType(kinds) if kinds else ir.VoidType()
            )
            kind = ir.FunctionType(made, self.function.ftype.args)
            self.function.ftype, self.function.type = kind, kind.as_pointer()
            self.function.return_value.type = made
        value = self.cast(value, self.returns)
        if len(value.parts) < 2:
            self.builder.ret(value.one) if value.parts else self.builder.ret_void()
            return
        whole_value = ir.Constant(self.function.ftype.return_type, ir.Undefined)
        for i, part in enumerate(value.parts):
            whole_value = self.builder.insert_value(whole_value, part, i)
        self.builder.ret(whole_value)

    def assign(self, name: str, value: Value) -> None:
        """Give a variable a value; the first one decides its type."""
        if name in self.known:
            raise TypeError(f"{self.kernel.name}: {name} is of a table's row, and keeps its value")
        if name not in self.variables:
            places = [self.places.alloca(part) for part in parts_of(value.type)]
            self.variables[name] = value.type, places
        kind, places = self.variables[name]
        if isinstance(kind, Scalar) and isinstance(value.type, Scalar) and value.type.real:
            narrower = not kind.real or kind.itemsize < value.type.itemsize
            if narrower:
                raise TypeError(f"{self.kernel.name}: {name} is {kind.name}, not {value.type.name}")
        for place, part in zip(places, self.cast(value, kind).parts, strict=True):
            self.builder.store(part, place)

    def store(self, target: ast.expr, value: Value) -> None:
        """Put a value into a variable, an array's element, or a tuple of such."""
        if isinstance(target, ast.Name):
            self.assign(target.id, value)
        elif isinstance(target, ast.Tuple):
            for each, member in zip(target.elts, split(value), strict=True):
                self.store(each, member)
        elif isinstance(target, ast.Subscript):
            element, place = self.element(target)
            number = self.cast(value, element).one
            number = self.builder.zext(number, llvm.I8) if element == BOOL else number
            self.builder.store(number, place)
        else:
            raise self.refuse(target, "only names and elements can be assigned to")
