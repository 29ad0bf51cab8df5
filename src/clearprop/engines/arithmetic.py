"""Numbers in LLVM's language: constants, arithmetic, and how a number becomes one of another type."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
from llvmlite import ir

from clearprop.engines import llvm
from clearprop.engines.language import (
    BOOL,
    FLOAT64,
    INT,
    WORD,
    Kernel,
    Scalar,
    Several,
    Type,
    Value,
    described,
    joined,
    split,
    whole,
)

_BINARY = {
    ast.Add: ("add", "fadd"), ast.Sub: ("sub", "fsub"), ast.Mult: ("mul", "fmul"),
    ast.Div: ("", "fdiv"), ast.BitAnd: ("and_", ""), ast.BitOr: ("or_", ""), ast.BitXor: ("xor", ""),
    ast.LShift: ("shl", ""),
}  # fmt: skip


class Arithmetic:
    """Writes what is done to numbers of one kernel.

    Parameters
    ----------
    kernel : Kernel
        Which gives the fast-math flags, and its name to errors.
    function : ir.Function
        Its code, so far empty.
    """

    def __init__(self, kernel: Kernel, function: ir.Function) -> None:
        self.kernel, self.function, self.module = kernel, function, function.module
        self.flags = kernel.flags
        self.places = ir.IRBuilder(function.append_basic_block("variables"))
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))

    def refuse(self, node: ast.AST, why: str) -> Exception:
        """Return the error that names the line."""
        return TypeError(f"{self.kernel.name}, line {getattr(node, 'lineno', '?')}: {why}")

    def constant(self, number: Any, node: ast.expr) -> Value:
        """Return a Python number, or a tuple of them, as a constant."""
        if isinstance(number, tuple):
            return joined([self.constant(each, node) for each in number])
        if isinstance(number, bool | np.bool_):
            return Value(BOOL, (llvm.I1(int(number)),))
        if isinstance(number, int):
            return whole(number)
        if isinstance(number, float):
            return Value(FLOAT64, (ir.Constant(FLOAT64.ir, number),))
        raise self.refuse(node, f"{ast.unparse(node)} is no number")

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
        down = w.and_(
            w.icmp_signed("!=", rest, llvm.I64(0)), w.icmp_signed("<", w.xor(rest, y), llvm.I64(0))
        )
        if isinstance(op, ast.FloorDiv):
            return Value(INT, (w.sub(quotient, w.zext(down, llvm.I64)),))
        return Value(INT, (w.select(down, w.add(rest, y), rest),))

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
            x = b.zext(x, llvm.I64)
            found = b.uitofp(x, kind.ir) if kind.real else x
        elif source.real:
            if not kind.real:
                found = b.fptosi(x, llvm.I64)
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
