"""What kernels are made of: their types, the values that LLVM knows, and functions to be translated."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llvmlite import ir

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))


@dataclass(frozen=True)
class Scalar:
    """A number's type; booleans lie in memory as a byte."""

    name: str
    ir: ir.Type
    stored: ir.Type
    itemsize: int

    @property
    def real(self) -> bool:
        """Whether it is a floating-point type."""
        return self in (FLOAT32, FLOAT64)


BOOL = Scalar("bool", I1, I8, 1)
INT = Scalar("int64", I64, I64, 8)
WORD = Scalar("uint64", I64, I64, 8)
FLOAT32 = Scalar("float32", ir.FloatType(), ir.FloatType(), 4)
FLOAT64 = Scalar("float64", ir.DoubleType(), ir.DoubleType(), 8)


@dataclass(frozen=True)
class Flat:
    """A 1-d array: where it begins, and its size."""

    of: Scalar


@dataclass(frozen=True)
class Table:
    """A 2-d array: where it begins, its rows and its columns."""

    of: Scalar


@dataclass(frozen=True)
class Several:
    """A tuple."""

    of: tuple[Type, ...]


Type = Scalar | Flat | Table | Several
NOTHING = Several(())


class Value(NamedTuple):
    """A type, and the LLVM values that it is made of."""

    type: Type
    parts: tuple[Any, ...]

    @property
    def one(self) -> Any:
        """The only LLVM value."""
        return self.parts[0]


def parts_of(kind: Type) -> list[ir.Type]:
    """Return the LLVM types that a type is made of."""
    if isinstance(kind, Several):
        return [part for each in kind.of for part in parts_of(each)]
    if isinstance(kind, Scalar):
        return [kind.ir]
    return [kind.of.stored.as_pointer(), I64] + ([I64] if isinstance(kind, Table) else [])


def split(value: Value) -> list[Value]:
    """Return the members of a tuple."""
    members, used = [], 0
    for each in value.type.of:  # type: ignore[union-attr]
        n = len(parts_of(each))
        members.append(Value(each, value.parts[used : used + n]))
        used += n
    return members


def joined(values: Sequence[Value]) -> Value:
    """Return the tuple of some values."""
    kinds = tuple(each.type for each in values)
    return Value(Several(kinds), tuple(part for each in values for part in each.parts))


def whole(number: int) -> Value:
    """Return an integer constant."""
    return Value(INT, (I64(number),))


@functools.cache
def _functions_of(module: Any) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(inspect.getsource(module))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {node.name: node for node in found}


class Kernel:
    """A Python function that can be translated; called from Python, it runs as Python.

    Parameters
    ----------
    function : callable
    flags : set of str
        LLVM's fast-math flags for its arithmetic.
    """

    def __init__(self, function: Callable[..., Any], flags: Sequence[str] = ()) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.flags = tuple(sorted(flags))
        self.name = function.__name__

    def __call__(self, *arguments: Any) -> Any:
        """Run it as Python."""
        return self.function(*arguments)

    @property
    def tree(self) -> ast.FunctionDef:
        """What is written in the source."""
        return _functions_of(inspect.getmodule(self.function))[self.name]


class Emitted(Kernel):
    """A function with a Python form, and one that writes LLVM code: ``emit(writer, *values)``."""

    def __init__(self, function: Callable[..., Any], emit: Callable[..., Value]) -> None:
        super().__init__(function)
        self.emit = emit
