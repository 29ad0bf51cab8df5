"""Expressions of a kernel in LLVM's language: variables, elements, records, conditions and calls."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

from clearprop.engines import llvm
from clearprop.engines.arithmetic import Arithmetic
from clearprop.engines.built_in import BUILT_IN
from clearprop.engines.language import (
    BOOL,
    FLOAT64,
    INT,
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


_COMPARED = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


class Expressions(Arithmetic):
    """Writes the expressions of one kernel.

    Parameters
    ----------
    translate : callable
        Gives the LLVM function of a kernel that is called, for the types of its arguments.
    kernel : Kernel
    function : ir.Function
    """

    def __init__(
        self,
        translate: Callable[[Kernel, tuple[Type, ...]], Translated],
        kernel: Kernel,
        function: ir.Function,
    ) -> None:
        super().__init__(kernel, function)
        self.translate = translate
        self.variables: dict[str, tuple[Type, list[Any]]] = {}
        self.known: dict[str, Any] = {}  # Python objects: what a row of a table holds

    def value(self, node: ast.expr) -> Value:
        """Write an expression."""
        write = getattr(self, f"of_{type(node).__name__}", None)
        if write is None:
            raise self.refuse(node, f"kernels have no {type(node).__name__}")
        found: Value = write(node)
        return found

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
        return Value(
            kind, (self.builder.icmp_signed("!=", number, llvm.I8(0)) if kind == BOOL else number,)
        )

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
        result = self.places.alloca(llvm.I1)
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
        function, returns = self.translate(callee, tuple(v.type for v in values))
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
            places = [
                b.gep(row.parts[0], [llvm.I64(i)], inbounds=True) for i in range(len(kind._fields))
            ]
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
