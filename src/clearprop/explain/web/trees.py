"""Formulas for the script: every distinct node of all trees once, a formula is a number among them.

A node is a list that begins with its kind (``script/formula.js`` prints them):

    n  number        reference, text, factor        m  matrix    rows, rows and columns left out
    s  symbol        base, sup, sub, 1 if arrow     f  function  name, argument, prime
    p  derivative    top, bottom                    -  minus     argument, 1 if it has a value
    +  sum           terms, terms left out          *  product   factors
    h  elementwise   left, right, sign shown        v  matrix product  left, right, dot shown
    t  transpose     argument                       /  fraction  top, bottom
    ^  power         argument, exponent             S  sum over an index   index, argument
    =  relation      sides, sign                    i  whole number    w  word    ?  not computed
    b  blank         its number, answer

What a node at its end does not have is left out. A line is the number of its form among `LINES`, its
label and its formula.
"""

from __future__ import annotations

from typing import Any

from clearprop.explain.expression import (
    BigSum,
    Blank,
    Expr,
    Fn,
    Frac,
    Hadamard,
    Int,
    Mat,
    MatVec,
    Missing,
    Neg,
    Num,
    Partial,
    Pow,
    Prod,
    Relation,
    Sum,
    Sym,
    Transpose,
    Word,
)
from clearprop.explain.forms import FORMS, Line
from clearprop.explain.printers.digits import shown

Key = tuple[Any, ...]
LINES = (*FORMS, "update")


class Trees:
    """Collects the nodes of formulas.

    Parameters
    ----------
    digits : int
        Significant digits of the numbers.
    """

    def __init__(self, digits: int) -> None:
        self.digits = digits
        self._index: dict[Key, int] = {}
        self._numbers: dict[Num, int] = {}  # rounding them once is half of the work

    @property
    def nodes(self) -> list[Key]:
        """All nodes, each after those that it is made of."""
        return list(self._index)

    def line(self, line: Line) -> list[object]:
        """Return a line as form, label and formula."""
        return [LINES.index(line.form), line.label, self.add(line.formula)]

    def add(self, node: Expr) -> int:
        """Return the number of a node among all nodes."""
        if not isinstance(node, Num):
            return self._of(self._key(node))
        if node not in self._numbers:
            self._numbers[node] = self._of(self._key(node))
        return self._numbers[node]

    def _of(self, key: Key) -> int:
        return self._index.setdefault(key, len(self._index))

    def _all(self, nodes: tuple[Expr, ...]) -> tuple[int, ...]:
        return tuple(map(self.add, nodes))

    def _key(self, node: Expr) -> Key:
        match node:
            case Num():
                key = ("n", node.reference, shown(node, self.digits))
                return key if node.factor == 1 else (*key, repr(node.factor))
            case Mat():
                rows, below, right = node.shown()
                return ("m", tuple(self._all(tuple(row)) for row in rows), below, right)
            case Sym(base, sup, sub, vector):
                whole: Key = ("s", base, sup, ",".join(sub), 1)
                return whole if vector else whole[:4] if sub else whole[:3] if sup else whole[:2]
            case Fn(name, arg, prime):
                pair = (self.add(name), self.add(arg))
                return ("f", *pair, prime) if prime else ("f", *pair)
            case Partial(top, bottom):
                return ("p", self.add(top), self.add(bottom))
            case Neg(arg, value):
                return ("-", self.add(arg)) if value is None else ("-", self.add(arg), 1)
            case Sum(terms, elided):
                return ("+", self._all(terms), elided) if elided else ("+", self._all(terms))
            case Prod(factors):
                return ("*", self._all(factors))
            case Hadamard(left, right, is_shown):
                return ("h", self.add(left), self.add(right), int(is_shown))
            case MatVec(left, right, dot):
                return ("v", self.add(left), self.add(right), int(dot))
            case Relation(sides, sign):
                return ("=", self._all(sides)) if sign == "=" else ("=", self._all(sides), sign)
            case _:
                return self._small(node)

    def _small(self, node: Expr) -> Key:
        match node:
            case Transpose(arg):
                return ("t", self.add(arg))
            case Frac(top, bottom):
                return ("/", self.add(top), self.add(bottom))
            case Pow(arg, exponent):
                return ("^", self.add(arg), exponent)
            case BigSum(index, arg):
                return ("S", index, self.add(arg))
            case Int(number):
                return ("i", number)
            case Word(text):
                return ("w", text)
            case Missing():
                return ("?",)
            case Blank(number, answer):
                return ("b", number, self.add(answer))
        raise TypeError(f"no such node: {node!r}")
