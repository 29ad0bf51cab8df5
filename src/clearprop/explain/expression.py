"""The tree that a formula is: a few kinds of nodes, printed as text, LaTeX, MathML or JSON.

The tree is closed: a printer knows every kind. A number in it is a reference into an array of the
trace, times the factor that the notation declares, so that what is printed is the engine's number. A
symbol may carry the number that it stands for; `substituted` puts the numbers in the symbols' places.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from clearprop.activations import Array

ROWS, COLUMNS = 4, 3  # of a matrix that are shown; all of it if it has one more than that


@dataclass(frozen=True)
class Num:
    """One element of an array of the trace, times the notation's factor.

    `quantity` and `layer` name the array (weight layers 1..L; 0 for what belongs to none).
    """

    quantity: str
    layer: int
    index: tuple[int, ...]
    array: Array = field(repr=False, compare=False)
    factor: float = 1.0

    @property
    def value(self) -> float:
        """What is shown."""
        with np.errstate(all="ignore"):
            return self.factor * float(self.array[self.index])

    @property
    def reference(self) -> str:
        """The array and the index in one word, as the page's script finds it."""
        return f"{self.quantity}/{self.layer}/{','.join(map(str, self.index))}"


@dataclass(frozen=True)
class Mat:
    """An array of the trace as a matrix, or one sample of it as a column or row, times a factor.

    `row` picks a sample; what is then one axis is a column if `transposed`, else a row. Without
    `row`, an array of one axis is a column if `transposed`, and one of two axes is transposed.
    """

    quantity: str
    layer: int
    array: Array = field(repr=False, compare=False)
    row: int | None = None
    transposed: bool = False
    factor: float = 1.0

    @property
    def table(self) -> Array:
        """The matrix, of two axes."""
        table = np.atleast_2d(self.array if self.row is None else self.array[self.row])
        return table.T if self.transposed else table

    def element(self, i: int, j: int) -> Num:
        """Return the number at row i, column j."""
        index: tuple[int, ...] = (j, i) if self.transposed else (i, j)
        if self.row is not None:
            index = (self.row, *index[2 - self.array[self.row].ndim :])
        else:
            index = index[2 - self.array.ndim :]
        return Num(self.quantity, self.layer, index, self.array, self.factor)

    def shown(self) -> tuple[list[list[Num]], int, int]:
        """Return the rows that are shown, and how many rows and columns are left out."""
        n, m = self.table.shape
        rows, columns = shown_of(n, ROWS), shown_of(m, COLUMNS)
        return (
            [[self.element(i, j) for j in range(columns)] for i in range(rows)],
            n - rows,
            m - columns,
        )


def shown_of(n: int, limit: int) -> int:
    """Return how many of n are shown: leaving out a single one would save nothing."""
    return n if n <= limit + 1 else limit


@dataclass(frozen=True)
class Int:
    """A whole number that belongs to the formula, such as the 2 of 1/2."""

    number: int


@dataclass(frozen=True)
class Word:
    """Text within a formula."""

    text: str


@dataclass(frozen=True)
class Missing:
    """What was not computed; never shown as 0."""


@dataclass(frozen=True)
class Blank:
    """A number left out for the reader to find; `answer` is in the key."""

    number: int
    answer: Num | Mat


@dataclass(frozen=True)
class Sym:
    """A letter with its layer above and its neurons below, and what it stands for."""

    base: str
    sup: str = ""
    sub: tuple[str, ...] = ()
    vector: bool = False  # drawn with an arrow, where the notation does
    value: Num | Mat | None = None


@dataclass(frozen=True)
class Fn:
    """A function of an argument; `prime` is "", "prime" or "dot"."""

    name: Sym
    arg: Expr
    prime: str = ""
    value: Num | Mat | None = None


@dataclass(frozen=True)
class Partial:
    """A derivative of one symbol by another."""

    top: Sym
    bottom: Sym
    value: Num | Mat | None = None


@dataclass(frozen=True)
class Neg:
    """Minus something; with a value, the value of the whole."""

    arg: Expr
    value: Num | Mat | None = None


@dataclass(frozen=True)
class Sum:
    """Terms added; `elided` more are not shown, of which `zero` says that each is 0."""

    terms: tuple[Expr, ...]
    elided: int = 0
    zero: bool = False

    @property
    def more(self) -> str:
        """What is said of the terms that are not shown."""
        return f"{self.elided:,} more{', all 0' if self.zero else ''}"


@dataclass(frozen=True)
class Prod:
    """Numbers multiplied."""

    factors: tuple[Expr, ...]


@dataclass(frozen=True)
class Hadamard:
    """Elementwise product; `shown` is whether its sign is printed."""

    left: Expr
    right: Expr
    shown: bool = True


@dataclass(frozen=True)
class MatVec:
    """Matrix product, of matrices or vectors; `dot` is whether its sign is printed."""

    left: Expr
    right: Expr
    dot: bool = False


@dataclass(frozen=True)
class Transpose:
    """The transpose."""

    arg: Expr


@dataclass(frozen=True)
class Frac:
    """A fraction."""

    top: Expr
    bottom: Expr


@dataclass(frozen=True)
class Pow:
    """A power."""

    arg: Expr
    exponent: int


@dataclass(frozen=True)
class BigSum:
    """A sum over an index that is not written out."""

    index: str
    arg: Expr


@dataclass(frozen=True)
class Relation:
    """Sides, with ``=``, or ``->`` or ``:=`` between the first two."""

    sides: tuple[Expr, ...]
    sign: str = "="


Expr = (
    Num
    | Mat
    | Int
    | Word
    | Missing
    | Blank
    | Sym
    | Fn
    | Partial
    | Neg
    | Sum
    | Prod
    | Hadamard
    | MatVec
    | Transpose
    | Frac
    | Pow
    | BigSum
    | Relation
)
_Node = TypeVar("_Node")

# How tightly each kind of node binds, for every printer and the page's script; one that binds less
# than its place asks for gets parentheses. What is not here never needs them.
BINDS: dict[type, int] = {
    Relation: 0, Sum: 1, Neg: 2, BigSum: 2, Hadamard: 3, Prod: 4, MatVec: 5, Frac: 6, Partial: 7,
}  # fmt: skip
ATOM = 9


def binding(node: Expr) -> int:
    """Return how tightly a node binds; a number below 0 as its sign does."""
    if isinstance(node, Num) and node.value < 0:
        return BINDS[Neg]
    return BINDS.get(type(node), ATOM)


def children(node: Expr) -> tuple[Expr, ...]:
    """Return the nodes directly below, in the order in which they are printed."""
    match node:
        case Fn(arg=arg) | Neg(arg=arg) | Transpose(arg) | Pow(arg) | BigSum(arg=arg):
            return (arg,)
        case Sum(terms):
            return terms
        case Prod(factors):
            return factors
        case Hadamard(left, right) | MatVec(left, right) | Frac(left, right):
            return (left, right)
        case Relation(sides):
            return sides
        case _:
            return ()


def rebuilt(node: Expr, new: tuple[Expr, ...]) -> Expr:
    """Return the node with other children."""
    match node:
        case Fn() | Neg() | Transpose() | Pow() | BigSum():
            return dataclasses.replace(node, arg=new[0])
        case Sum():
            return dataclasses.replace(node, terms=new)
        case Prod():
            return Prod(new)
        case Hadamard() | MatVec():
            return dataclasses.replace(node, left=new[0], right=new[1])
        case Frac():
            return Frac(new[0], new[1])
        case Relation():
            return Relation(new, node.sign)
        case _:
            return node


def substituted(node: Expr) -> Expr:
    """Return the tree with each symbol replaced by the number it stands for."""
    value = getattr(node, "value", None)
    if isinstance(value, Num | Mat):
        return value
    return rebuilt(node, tuple(substituted(each) for each in children(node)))


def numbers(node: Expr) -> list[Num]:
    """Return the numbers that a printing of the tree shows, in the order of the tree."""
    if isinstance(node, Num):
        return [node]
    if isinstance(node, Mat):
        return [each for row in node.shown()[0] for each in row]
    return [each for child in children(node) for each in numbers(child)]


def has_symbols(node: Expr) -> bool:
    """Return whether any symbol is left in the tree."""
    return isinstance(node, Sym | Partial) or any(has_symbols(each) for each in children(node))
