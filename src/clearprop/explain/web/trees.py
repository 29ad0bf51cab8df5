"""Formulas for the script: every distinct node of all trees once, a formula is a number among them.

A node is a list that begins with its kind (``script/formula.js`` prints them):

    n  number        reference, text, factor        m  matrix    rows, rows and columns left out
    s  symbol        base, sup, sub, 1 if arrow     f  function  name, argument, prime
    p  derivative    top, bottom                    -  minus     argument, 1 if it has a value
    +  sum           terms, left out, 1 if those are 0    *  product   factors
    h  elementwise   left, right, sign shown        v  matrix product  left, right, dot shown
    t  transpose     argument                       /  fraction  top, bottom
    ^  power         argument, exponent             S  sum over an index   index, argument
    =  relation      sides, sign                    i  whole number    w  word    ?  not computed
    b  blank         its number, answer

What a node at its end does not have is left out. A line is the number of its form among `LINES`, its
label and its formula.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearprop.explain.expression import (
    ATOM,
    BINDS,
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
        return tuple([self.add(node) for node in nodes])

    def _key(self, node: Any) -> Key:
        kind, rest = _KEYS[type(node)]
        return (kind, *rest(self, node))


def _number(trees: Trees, node: Num) -> Key:
    key = (node.reference, shown(node, trees.digits))
    return key if node.factor == 1 else (*key, repr(node.factor))


def _matrix(trees: Trees, node: Mat) -> Key:
    rows, below, right = node.shown()
    return (tuple(trees._all(tuple(row)) for row in rows), below, right)


def _symbol(_: Trees, node: Sym) -> Key:
    whole: Key = (node.base, node.sup, ",".join(node.sub), 1)
    return whole if node.vector else whole[:3] if node.sub else whole[:2] if node.sup else whole[:1]


def _function(trees: Trees, node: Fn) -> Key:
    pair = (trees.add(node.name), trees.add(node.arg))
    return (*pair, node.prime) if node.prime else pair


def _minus(trees: Trees, node: Neg) -> Key:
    return (trees.add(node.arg),) if node.value is None else (trees.add(node.arg), 1)


def _sum(trees: Trees, node: Sum) -> Key:
    terms = trees._all(node.terms)
    if node.zero:
        return (terms, node.elided, 1)
    return (terms, node.elided) if node.elided else (terms,)


def _relation(trees: Trees, node: Relation) -> Key:
    sides = trees._all(node.sides)
    return (sides,) if node.sign == "=" else (sides, node.sign)


# By type: a network has tens of thousands of nodes.
_KEYS: dict[type, tuple[str, Callable[[Trees, Any], Key]]] = {
    Num: ("n", _number),
    Mat: ("m", _matrix),
    Sym: ("s", _symbol),
    Fn: ("f", _function),
    Partial: ("p", lambda trees, node: (trees.add(node.top), trees.add(node.bottom))),
    Neg: ("-", _minus),
    Sum: ("+", _sum),
    Prod: ("*", lambda trees, node: (trees._all(node.factors),)),
    Hadamard: ("h", lambda trees, node: (trees.add(node.left), trees.add(node.right), int(node.shown))),
    MatVec: ("v", lambda trees, node: (trees.add(node.left), trees.add(node.right), int(node.dot))),
    Transpose: ("t", lambda trees, node: (trees.add(node.arg),)),
    Frac: ("/", lambda trees, node: (trees.add(node.top), trees.add(node.bottom))),
    Pow: ("^", lambda trees, node: (trees.add(node.arg), node.exponent)),
    BigSum: ("S", lambda trees, node: (node.index, trees.add(node.arg))),
    Relation: ("=", _relation),
    Int: ("i", lambda _, node: (node.number,)),
    Word: ("w", lambda _, node: (node.text,)),
    Missing: ("?", lambda _, node: ()),
    Blank: ("b", lambda trees, node: (node.number, trees.add(node.answer))),
}


def binds() -> dict[str, int]:
    """Return how tightly each kind of node binds, for the script."""
    return {kind: BINDS.get(each, ATOM) for each, (kind, _) in _KEYS.items()}
