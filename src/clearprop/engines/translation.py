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
import builtins
import types
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from clearprop.engines.built_in import BUILT_IN
from clearprop.engines.language import (
    BOOL,
    FLOAT64,
    I1,
    I8,
    I64,
    INT,
    WORD,
    Emitted,
    Flat,
    Kernel,
    Scalar,
    Several,
    Table,
    Type,
    Value,
    described,
    hints_of,
    is_record,
    joined,
    parts_of,
    split,
    type_of,
    whole,
)


class Translated(NamedTuple):
    """An LLVM function, and the type it returns."""

    function: ir.Function
    returns: Type


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
            self.done[key] = Writer(self, kernel, types, function).write()
        return self.done[key]

    def export(self, kernel: Kernel, types: tuple[Type, ...]) -> None:
        """Make a kernel callable from outside, as ``name(slots, thread, n_threads)``.

        `slots` is the address of 64-bit words, the parts of all arguments but the last two numbers:
        `machine_code.places` says where each is.
        """
        translated = self.translate(kernel, types)
        kind = ir.FunctionType(ir.VoidType(), [I64.as_pointer(), I64, I64])
        function = ir.Function(self.module, kind, f"clearprop_{kernel.name}")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        values = []
        for i, part in enumerate(translated.function.ftype.args[:-2]):
            value = builder.load(builder.gep(function.args[0], [I64(i)]))
            values.append(_from_word(builder, value, part))
        builder.call(translated.function, [*values, *function.args[1:]])
        builder.ret_void()


def _from_word(builder: ir.IRBuilder, word: Any, kind: ir.Type) -> Any:
    """Return what a slot holds: an address, a float64's bits, a truth or an integer."""
    if kind.is_pointer:
        return builder.inttoptr(word, kind)
    if kind == I1:
        return builder.trunc(word, I1)
    return word if kind == I64 else builder.bitcast(word, kind)


_BINARY = {
    ast.Add: ("add", "fadd"), ast.Sub: ("sub", "fsub"), ast.Mult: ("mul", "fmul"),
    ast.Div: ("", "fdiv"), ast.BitAnd: ("and_", ""), ast.BitOr: ("or_", ""), ast.BitXor: ("xor", ""),
    ast.LShift: ("shl", ""),
}  # fmt: skip
_COMPARED = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class Writer:
    """Writes one kernel's LLVM code, statement by statement."""

    def __init__(
        self, translation: Translation, kernel: Kernel, types: tuple[Type, ...], function: ir.Function
    ) -> None:
        self.translation, self.kernel, self.types, self.function = translation, kernel, types, function
        self.module = translation.module
        self.flags = kernel.flags
        self.variables: dict[str, tuple[Type, list[Any]]] = {}
        self.known: dict[str, Any] = {}  # Python objects: what a row of a table holds
        self.returns: Type | None = None
        self.loops: list[tuple[Any, Any]] = []  # where continue and break go
        self.places = ir.IRBuilder(function.append_basic_block("variables"))
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))

    def write(self) -> Translated:
        """Write the whole function."""
        tree, used = self.kernel.tree, 0
        for argument, kind in zip(tree.args.args, self.types, strict=True):
            n = len(parts_of(kind))
            self.assign(argument.arg, Value(kind, tuple(self.function.args[used : used + n])))
            used += n
        self.body(tree.body)
        if not self.builder.block.is_terminated:
            self.give_back(joined([]))
        self.places.branch(self.function.basic_blocks[1])
        assert self.returns is not None
        return Translated(self.function, self.returns)

    def refuse(self, node: ast.AST, why: str) -> Exception:
        """Return the error that names the line."""
        return TypeError(f"{self.kernel.name}, line {getattr(node, 'lineno', '?')}: {why}")

    # Statements

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
        counter = self.places.alloca(I64)
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

    # Places

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
            number = self.builder.zext(number, I8) if element == BOOL else number
            self.builder.store(number, place)
        else:
            raise self.refuse(target, "only names and elements can be assigned to")

    def element(self, node: ast.Subscript) -> tuple[Scalar, Any]:
        """Return the type and the place of an array's element."""
        array = self.value(node.value)
        b, index = self.builder, self.value(node.slice)
        if isinstance(array.type, Flat):
            offset = self.cast(index, INT).one
        elif isinstance(array.type, Table) and isinstance(index.type, Several):
            row, column = (self.cast(each, INT).one for each in split(index))
            offset = b.add(b.mul(row, array.parts[2], flags=("nsw",)), column, flags=("nsw",))
        else:
            raise self.refuse(node, f"{described(array.type)} has no such element")
        return array.type.of, b.gep(array.parts[0], [offset], inbounds=True)

    # Expressions

    def value(self, node: ast.expr) -> Value:
        """Write an expression."""
        write = getattr(self, f"of_{type(node).__name__}", None)
        if write is None:
            raise self.refuse(node, f"kernels have no {type(node).__name__}")
        found: Value = write(node)
        return found

    def constant(self, number: Any, node: ast.expr) -> Value:
        """Return a Python number, or a tuple of them, as a constant."""
        if isinstance(number, tuple):
            return joined([self.constant(each, node) for each in number])
        if isinstance(number, bool | np.bool_):
            return Value(BOOL, (I1(int(number)),))
        if isinstance(number, int):
            return whole(number)
        if isinstance(number, float):
            return Value(FLOAT64, (ir.Constant(FLOAT64.ir, number),))
        raise self.refuse(node, f"{ast.unparse(node)} is no number")

    def of_Constant(self, node: ast.Constant) -> Value:
        """Write a number."""
        return self.constant(node.value, node)

    def of_Name(self, node: ast.Name) -> Value:
        """Write a variable, or a constant of the module."""
        if node.id in self.variables:
            kind, places = self.variables[node.id]
            return Value(kind, tuple(self.builder.load(place) for place in places))
        if (found := self.known_object(node)) is None:
            raise self.refuse(node, f"{node.id} has no value yet")
        return self.constant(found, node)

    def known_object(self, node: ast.expr) -> Any:
        """Return what a name or ``module.name`` stands for if that is known now; None if it is not."""
        if isinstance(node, ast.Name) and node.id not in self.variables:
            of_module = self.kernel.function.__globals__
            return self.known.get(node.id, of_module.get(node.id, getattr(builtins, node.id, None)))
        if isinstance(node, ast.Attribute):
            owner = self.known_object(node.value)
            if isinstance(owner, types.ModuleType) or is_record(type(owner)):
                return getattr(owner, node.attr, None)
        return None

    def of_Tuple(self, node: ast.Tuple) -> Value:
        """Write a tuple."""
        return joined([self.value(each) for each in node.elts])

    def of_Attribute(self, node: ast.Attribute) -> Value:
        """Write a record's field, a constant, or an array's ``size``, ``itemsize`` or ``shape``."""
        if (found := self.known_object(node)) is not None:
            return self.constant(found, node)
        array = self.value(node.value)
        if isinstance(array.type, Several) and node.attr in getattr(array.type.record, "_fields", ()):
            return split(array)[array.type.record._fields.index(node.attr)]  # type: ignore[union-attr]
        if isinstance(array.type, Flat) and node.attr == "size":
            return Value(INT, (array.parts[1],))
        if isinstance(array.type, Flat) and node.attr == "itemsize":
            return whole(array.type.of.itemsize)
        if isinstance(array.type, Table) and node.attr == "shape":
            return joined([Value(INT, (part,)) for part in array.parts[1:]])
        raise self.refuse(node, f"{described(array.type)} has no {node.attr}")

    def of_Subscript(self, node: ast.Subscript) -> Value:
        """Write an element of an array or tuple, or a row of a table."""
        container = self.value(node.value)
        if isinstance(container.type, Several):
            if not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int)):
                raise self.refuse(node, "a tuple's index must be a constant")
            return split(container)[node.slice.value]
        if isinstance(container.type, Table) and not isinstance(node.slice, ast.Tuple):
            pointer, _, columns = container.parts
            first = self.builder.mul(
                self.cast(self.value(node.slice), INT).one, columns, flags=("nsw",)
            )
            row = self.builder.gep(pointer, [first], inbounds=True)
            return Value(Flat(container.type.of), (row, columns))
        kind, place = self.element(node)
        number = self.builder.load(place)
        return Value(kind, (self.builder.icmp_signed("!=", number, I8(0)) if kind == BOOL else number,))

    def of_UnaryOp(self, node: ast.UnaryOp) -> Value:
        """Write ``-x`` or ``not x``."""
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return Value(BOOL, (self.builder.not_(self.truth(value)),))
        if not isinstance(node.op, ast.USub):
            raise self.refuse(node, f"kernels have no {type(node.op).__name__}")
        if value.type.real:  # type: ignore[union-attr]
            return Value(value.type, (self.builder.fneg(value.one, flags=self.flags),))
        return Value(INT, (self.builder.neg(self.cast(value, INT).one),))

    def of_BinOp(self, node: ast.BinOp) -> Value:
        """Write arithmetic."""
        return self.binary(node, node.op, self.value(node.left), self.value(node.right))

    def binary(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
        """Write ``a op b``."""
        if isinstance(op, ast.FloorDiv | ast.Mod | ast.RShift):
            return self.integer_division(node, op, a, b)
        kind = (
            FLOAT64 if isinstance(op, ast.Div) and not self.any_real(a, b) else self.common(node, a, b)
        )
        for_integers, for_reals = _BINARY.get(type(op), ("", ""))
        name = for_reals if kind.real else for_integers
        if not name:
            raise self.refuse(node, f"{kind.name} has no {type(op).__name__}")
        write, x, y = getattr(self.builder, name), self.cast(a, kind).one, self.cast(b, kind).one
        if kind.real:
            return Value(kind, (write(x, y, flags=self.flags),))
        signed = kind == INT and name in ("add", "sub", "mul")
        return Value(kind, (write(x, y, flags=("nsw",)) if signed else write(x, y),))

    def integer_division(self, node: ast.AST, op: ast.operator, a: Value, b: Value) -> Value:
        """Write ``//`` and ``%``, which round down, and the shift of words."""
        kind, w = self.common(node, a, b), self.builder
        x, y = self.cast(a, kind).one, self.cast(b, kind).one
        if isinstance(op, ast.RShift) and kind == WORD:
            return Value(WORD, (w.lshr(x, y),))
        if kind != INT or isinstance(op, ast.RShift):
            raise self.refuse(node, f"{kind.name} has no {type(op).__name__}")
        quotient, rest = w.sdiv(x, y), w.srem(x, y)
        down = w.and_(w.icmp_signed("!=", rest, I64(0)), w.icmp_signed("<", w.xor(rest, y), I64(0)))
        if isinstance(op, ast.FloorDiv):
            return Value(INT, (w.sub(quotient, w.zext(down, I64)),))
        return Value(INT, (w.select(down, w.add(rest, y), rest),))

    def of_Compare(self, node: ast.Compare) -> Value:
        """Write a comparison of two values."""
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARED:
            raise self.refuse(node, "comparisons are of two numbers")
        a, b = self.value(node.left), self.value(node.comparators[0])
        kind, sign = self.common(node, a, b), _COMPARED[type(node.ops[0])]
        x, y, w = self.cast(a, kind).one, self.cast(b, kind).one, self.builder
        if kind.real:
            ordered = w.fcmp_unordered if sign == "!=" else w.fcmp_ordered
            return Value(BOOL, (ordered(sign, x, y),))
        return Value(BOOL, ((w.icmp_signed if kind == INT else w.icmp_unsigned)(sign, x, y),))

    def of_BoolOp(self, node: ast.BoolOp) -> Value:
        """Write ``and`` or ``or``: the second is looked at only where the first does not decide."""
        result = self.places.alloca(I1)
        after = self.function.append_basic_block("decided")
        for i, each in enumerate(node.values):
            truth = self.truth(self.value(each))
            self.builder.store(truth, result)
            if i == len(node.values) - 1:
                self.builder.branch(after)
                break
            further = self.function.append_basic_block("undecided")
            ends = (further, after) if isinstance(node.op, ast.And) else (after, further)
            self.builder.cbranch(truth, *ends)
            self.builder.position_at_end(further)
        self.builder.position_at_end(after)
        return Value(BOOL, (self.builder.load(result),))

    def of_IfExp(self, node: ast.IfExp) -> Value:
        """Write ``a if test else b``: only one of them is evaluated."""
        test = self.truth(self.value(node.test))
        blocks = [self.function.append_basic_block(n) for n in ("if_so", "if_not")]
        after = self.function.append_basic_block("chosen")
        self.builder.cbranch(test, *blocks)
        found, ends = [], []
        for block, expression in zip(blocks, (node.body, node.orelse), strict=True):
            self.builder.position_at_end(block)
            found.append(self.value(expression))
            ends.append(self.builder.block)
        kind = found[0].type if found[0].type == found[1].type else self.common(node, *found)
        for i, end in enumerate(ends):
            self.builder.position_at_end(end)
            found[i] = self.cast(found[i], kind)
            self.builder.branch(after)
        self.builder.position_at_end(after)
        parts = []
        for pair in zip(found[0].parts, found[1].parts, strict=True):
            phi = self.builder.phi(pair[0].type)
            for part, end in zip(pair, ends, strict=True):
                phi.add_incoming(part, end)
            parts.append(phi)
        return Value(kind, tuple(parts))

    def of_Call(self, node: ast.Call) -> Value:
        """Write a call of a kernel, or of something built in; or a record."""
        if isinstance(node.func, ast.Attribute) and node.func.attr == "_replace":
            return self.replaced(node, self.value(node.func.value))
        callee = self.callee(node.func)
        if is_record(callee):
            return self.record(node, callee)
        if node.keywords:
            raise self.refuse(node, "names of arguments are for records")
        values = [self.value(each) for each in node.args]
        if isinstance(callee, Emitted):
            return callee.emit(self, *values)
        if not isinstance(callee, Kernel):
            return BUILT_IN[callee](self, *values)
        function, returns = self.translation.translate(callee, tuple(v.type for v in values))
        result = self.builder.call(function, [part for v in values for part in v.parts])
        n = len(parts_of(returns))
        if n < 2:
            return Value(returns, (result,) if n else ())
        return Value(returns, tuple(self.builder.extract_value(result, i) for i in range(n)))

    def callee(self, node: ast.expr) -> Any:
        """Return the Python object that is called."""
        found = self.known_object(node)
        if not isinstance(found, Kernel) and not is_record(found) and found not in BUILT_IN:
            raise self.refuse(node, f"kernels cannot call {ast.unparse(node)}")
        return found

    def record(self, node: ast.Call, kind: Any) -> Value:
        """Write ``Record(a, name=b)``, or ``Record(*row)`` of a row's elements."""
        if len(node.args) == 1 and isinstance(node.args[0], ast.Starred):
            row, b = self.value(node.args[0].value), self.builder
            if not isinstance(row.type, Flat) or node.keywords:
                raise self.refuse(node, "a record is made of its fields, or of one row")
            places = [b.gep(row.parts[0], [I64(i)], inbounds=True) for i in range(len(kind._fields))]
            values = [Value(row.type.of, (b.load(place),)) for place in places]
        else:
            names = [*kind._fields[: len(node.args)], *(each.arg for each in node.keywords)]
            nodes = [*node.args, *(each.value for each in node.keywords)]
            given = {name: self.value(each) for name, each in zip(names, nodes, strict=True)}
            if set(given) != set(kind._fields) or len(names) != len(given):
                raise self.refuse(node, f"{kind.__name__} has the fields {', '.join(kind._fields)}")
            values = [given[name] for name in kind._fields]
        return joined(
            [
                self.as_annotated(v, hint)
                for v, hint in zip(values, hints_of(kind).values(), strict=True)
            ],
            kind,
        )

    def as_annotated(self, value: Value, hint: Any) -> Value:
        """Return a number as the field it is for wants it."""
        return self.cast(value, type_of(hint, FLOAT64)) if hint in (int, float, bool) else value

    def replaced(self, node: ast.Call, record: Value) -> Value:
        """Write ``record._replace(name=value)``."""
        kind: Any = record.type.record if isinstance(record.type, Several) else None
        names = {each.arg: each.value for each in node.keywords}
        if kind is None or node.args or not set(names) <= set(kind._fields):
            raise self.refuse(node, f"{described(record.type)} has no such fields")
        values = dict(zip(kind._fields, split(record), strict=True))
        for name, each in names.items():
            values[str(name)] = self.as_annotated(self.value(each), hints_of(kind)[str(name)])
        return joined(list(values.values()), kind)

    # Types

    def any_real(self, *values: Value) -> bool:
        """Return whether one of them is a floating-point number."""
        return any(isinstance(each.type, Scalar) and each.type.real for each in values)

    def common(self, node: ast.AST, a: Value, b: Value) -> Any:
        """Return the type in which two values meet."""
        kinds = {a.type, b.type}
        if len(kinds) == 1:
            return a.type
        if not all(isinstance(each, Scalar) for each in kinds) or WORD in kinds:
            raise self.refuse(node, f"{described(a.type)} and {described(b.type)} do not mix")
        return FLOAT64 if self.any_real(a, b) else INT

    def truth(self, value: Value) -> Any:
        """Return whether a value is not zero, as LLVM's boolean."""
        return self.cast(value, BOOL).one

    def cast(self, value: Value, kind: Type) -> Value:
        """Return a value in another type."""
        source, b = value.type, self.builder
        if source == kind:
            return value
        if isinstance(source, Several) and isinstance(kind, Several) and len(source.of) == len(kind.of):
            members = zip(split(value), kind.of, strict=True)
            return joined([self.cast(v, k) for v, k in members], kind.record)
        if not (isinstance(source, Scalar) and isinstance(kind, Scalar)):
            raise TypeError(f"{self.kernel.name}: {described(source)} cannot be made {described(kind)}")
        x = value.one
        if kind == BOOL:
            zero = ir.Constant(source.ir, 0.0 if source.real else 0)
            found = b.fcmp_unordered("!=", x, zero) if source.real else b.icmp_signed("!=", x, zero)
        elif source == BOOL:
            x = b.zext(x, I64)
            found = b.uitofp(x, kind.ir) if kind.real else x
        elif source.real:
            if not kind.real:
                found = b.fptosi(x, I64)
            else:
                found = b.fpext(x, kind.ir) if kind == FLOAT64 else b.fptrunc(x, kind.ir)
        elif kind.real:
            found = (b.uitofp if source == WORD else b.sitofp)(x, kind.ir)
        else:
            found = x  # int64 and uint64
        return Value(kind, (found,))

    def call(self, name: str, *values: Value, result: Scalar | None = None) -> Value:
        """Write a call of an LLVM or C function that maps numbers to a number of the same type."""
        kind = result or values[0].type
        signature = ir.FunctionType(kind.ir, [each.one.type for each in values])  # type: ignore[union-attr]
        function = self.module.globals.get(name) or ir.Function(self.module, signature, name)
        flags = self.flags if name.startswith("llvm.") else ()
        return Value(kind, (self.builder.call(function, [v.one for v in values], fastmath=flags),))
