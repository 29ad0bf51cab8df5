"""What kernels are made of: their types, the values that LLVM knows, and functions to be translated.

A record is a ``NamedTuple`` whose fields say what they are: ``int``, ``float`` and ``bool`` numbers,
``Reals`` (of the run's dtype), ``Integers``, ``Numbers`` (float64) and ``Flags`` arrays, tables of the
two middle ones, or other records.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, get_type_hints

from clearprop.engines import llvm


@dataclass(frozen=True)
class Scalar:
    """A number's type; booleans lie in memory as a byte."""

    name: str
    itemsize: int

    @property
    def ir(self) -> Any:
        """LLVM's type of the number."""
        if self.real:
            return llvm.F32 if self == FLOAT32 else llvm.F64
        return llvm.I1 if self == BOOL else llvm.I64

    @property
    def stored(self) -> Any:
        """LLVM's type of what lies in memory."""
        return llvm.I8 if self == BOOL else self.ir

    @property
    def real(self) -> bool:
        """Whether it is a floating-point type."""
        return self in (FLOAT32, FLOAT64)


BOOL = Scalar("bool", 1)
INT = Scalar("int64", 8)
WORD = Scalar("uint64", 8)
FLOAT32 = Scalar("float32", 4)
FLOAT64 = Scalar("float64", 8)


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
    """A tuple; or a record, of the class `record`."""

    of: tuple[Type, ...]
    record: type | None = None


Type = Scalar | Flat | Table | Several
NOTHING = Several(())

# What arguments and the fields of records are annotated with.
Reals = Annotated[Any, Flat]
Integers = Annotated[Any, Flat, INT]
Numbers = Annotated[Any, Flat, FLOAT64]
Flags = Annotated[Any, Flat, BOOL]
IntegerTable = Annotated[Any, Table, INT]
NumberTable = Annotated[Any, Table, FLOAT64]
_NUMBERS = {int: INT, float: FLOAT64, bool: BOOL}


@functools.cache
def hints_of(record: Any) -> dict[str, Any]:
    """Return what the fields of a record, or the arguments of a function, are annotated with."""
    found = get_type_hints(record, include_extras=True)
    found.pop("return", None)
    return found


def type_of(hint: Any, real: Scalar) -> Type:
    """Return the type that an annotation stands for where the run's dtype is `real`."""
    if hint in _NUMBERS:
        return _NUMBERS[hint]
    if is_record(hint):
        return Several(tuple(type_of(each, real) for each in hints_of(hint).values()), hint)
    container, *of = hint.__metadata__
    found: Type = container(*of or [real])
    return found


def types_of(function: Any, real: Scalar) -> tuple[Type, ...]:
    """Return the types that a function's annotations stand for where the run's dtype is `real`."""
    return tuple(type_of(each, real) for each in hints_of(function).values())


def is_record(found: object) -> bool:
    """Return whether something is a NamedTuple's class."""
    return isinstance(found, type) and issubclass(found, tuple) and hasattr(found, "_fields")


class Value(NamedTuple):
    """A type, and the LLVM values that it is made of."""

    type: Type
    parts: tuple[Any, ...]

    @property
    def one(self) -> Any:
        """The only LLVM value."""
        return self.parts[0]


def described(kind: Type) -> str:
    """Return a type's name for a message."""
    if isinstance(kind, Several):
        return kind.record.__name__ if kind.record else f"({', '.join(map(described, kind.of))})"
    return kind.name if isinstance(kind, Scalar) else f"{type(kind).__name__} of {kind.of.name}"


def parts_of(kind: Type) -> list[Any]:
    """Return the LLVM types that a type is made of."""
    if isinstance(kind, Several):
        return [part for each in kind.of for part in parts_of(each)]
    if isinstance(kind, Scalar):
        return [kind.ir]
    return [kind.of.stored.as_pointer(), llvm.I64] + ([llvm.I64] if isinstance(kind, Table) else [])


def n_parts(kind: Type) -> int:
    """Return of how many LLVM values a type is made."""
    if isinstance(kind, Several):
        return sum(map(n_parts, kind.of))
    return 1 if isinstance(kind, Scalar) else 3 if isinstance(kind, Table) else 2


def split(value: Value) -> list[Value]:
    """Return the members of a tuple."""
    members, used = [], 0
    for each in value.type.of:  # type: ignore[union-attr]
        n = n_parts(each)
        members.append(Value(each, value.parts[used : used + n]))
        used += n
    return members


def joined(values: Sequence[Value], record: type | None = None) -> Value:
    """Return the tuple, or the record, of some values."""
    kinds = tuple(each.type for each in values)
    return Value(Several(kinds, record), tuple(part for each in values for part in each.parts))


def whole(number: int) -> Value:
    """Return an integer constant."""
    return Value(INT, (llvm.I64(number),))


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
