"""Where a formula too long for a line may be broken: before the terms of its sum.

LaTeX and MathML break formulas alike and differ in their signs alone. Widths are estimates, in digits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from clearprop.explain.expression import (
    BINDS,
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
    Word,
    binding,
    children,
    has_symbols,
)
from clearprop.explain.printers.digits import shown
from clearprop.explain.printers.text import is_signed

_SIGN, _SCRIPT, _PARENTHESES = 2.4, 0.75, 1.8  # widths


@dataclass(frozen=True)
class Signs:
    """What stands between the parts of a formula in a format."""

    plus: str
    minus: str
    times: str
    beside: str  # between factors that need no sign
    opened: str  # parentheses that may stand on different lines
    closed: str
    more: Callable[[str], str]


@dataclass(frozen=True)
class Piece:
    """A part of a formula that stays on one line."""

    text: str
    width: float


class Breaker:
    """Cuts formulas into pieces.

    Parameters
    ----------
    signs : Signs
    inline : callable
        Prints a node, in parentheses if it binds less than is asked for.
    digits : int
        Significant digits of a number.
    """

    def __init__(self, signs: Signs, inline: Callable[[Expr, int], str], digits: int) -> None:
        self.signs, self.inline, self.digits = signs, inline, digits

    def lines(self, relation: Relation, room: float, equals: str) -> list[tuple[bool, str]]:
        """Return what stands right of the first sign, line by line.

        With each line goes whether it begins with a sign of its own, ``=`` after the first.
        """
        left, *sides = relation.sides
        room -= self.width(left)
        lines: list[tuple[bool, Piece]] = []
        for side in sides:
            first, *rest = self.rows(side, room)
            last = lines[-1][1] if lines else None
            if last is not None and not rest and last.width + first.width + _SIGN <= room:
                lines[-1] = (
                    lines[-1][0],
                    _joined(last, Piece(equals + first.text, first.width + _SIGN)),
                )
            else:
                lines.append((True, first))
            lines += [(False, piece) for piece in rest]
        return [(own, piece.text) for own, piece in lines]

    def rows(self, node: Expr, room: float) -> list[Piece]:
        """Return a formula as lines of at most a width, as far as its terms allow it."""
        pieces = self.pieces(node) if self.width(node) > room else [self.whole(node)]
        rows = pieces[:1]
        for piece in pieces[1:]:
            if rows[-1].width + piece.width <= room:
                rows[-1] = _joined(rows[-1], piece)
            else:
                rows.append(piece)
        return rows

    def whole(self, node: Expr, at_least: int = 0) -> Piece:
        """Return a node as one piece."""
        around = _PARENTHESES if binding(node) < at_least else 0.0
        return Piece(self.inline(node, at_least), self.width(node) + around)

    def pieces(self, node: Expr) -> list[Piece]:
        """Return the pieces of a formula; joined, they are the formula."""
        match node:
            case Sum():
                return self._sum(node)
            case Neg(Sum() as total):
                return self._enclosed(self.signs.minus, total, "")
            case Prod(factors):
                sums = [i for i, factor in enumerate(factors) if isinstance(factor, Sum)]
                if len(sums) == 1:
                    at = sums[0]
                    before = self.product(factors[:at])
                    after = self.product(factors[at + 1 :])
                    if before:
                        before += self.between(factors[at - 1], factors[at])
                    if after:
                        after = self.between(factors[at], factors[at + 1]) + after
                    return self._enclosed(before, factors[at], after)
        return [self.whole(node)]

    def _sum(self, node: Sum) -> list[Piece]:
        pieces = [self.whole(node.terms[0], BINDS[Neg if len(node.terms) == 1 else Sum])]
        for term in node.terms[1:]:
            if isinstance(term, Neg) and term.value is None:
                sign, inner = self.signs.minus, self.whole(term.arg, BINDS[Prod])
            else:
                sign, inner = (
                    self.signs.plus,
                    self.whole(term, BINDS[Hadamard if is_signed(term) else Neg]),
                )
            pieces.append(Piece(sign + inner.text, inner.width + _SIGN))
        if node.elided:
            pieces.append(Piece(self.signs.plus + self.signs.more(node.more), 12 * 0.9 + _SIGN))
        return pieces

    def _enclosed(self, before: str, total: Expr, after: str) -> list[Piece]:
        first, *others = self.pieces(total)
        pieces = [Piece(before + self.signs.opened + first.text, first.width + 2), *others]
        end = pieces[-1]
        return [*pieces[:-1], Piece(end.text + self.signs.closed + after, end.width + 8)]

    def sum(self, node: Sum) -> str:
        """Return a sum on one line."""
        return "".join(piece.text for piece in self._sum(node))

    def product(self, factors: tuple[Expr, ...]) -> str:
        """Return factors on one line."""
        text = ""
        for i, factor in enumerate(factors):
            text += (self.between(factors[i - 1], factor) if i else "") + self.inline(
                factor, BINDS[MatVec]
            )
        return text

    def between(self, left: Expr, right: Expr) -> str:
        """Return what stands between two factors."""
        return self.signs.beside if has_symbols(left) or has_symbols(right) else self.signs.times

    def width(self, node: Expr) -> float:
        """Return about how wide a formula is."""
        match node:
            case Num():
                text = shown(node, self.digits)
                return len(text) + (2.0 if "e" in text else 0.0)
            case Int(number):
                return len(str(number))
            case Word(text):
                return len(text)
            case Missing() | Blank():
                return 6.0
            case Mat():
                rows, _, right = node.shown()
                wide = sum(max(map(self.width, column)) + 2.0 for column in zip(*rows, strict=True))
                return wide + _PARENTHESES + (12.0 if right else 0.0)
            case Sym():
                return self._symbol(node)
            case Fn(name, arg):
                return self._symbol(name) + _PARENTHESES + self.width(arg)
            case Partial(top, bottom):
                return 1.2 + max(self._symbol(top), self._symbol(bottom))
            case Frac(top, bottom):
                return 0.5 + max(self.width(top), self.width(bottom))
            case Pow(arg):
                return _SCRIPT + _PARENTHESES + self.width(arg)
            case Prod(factors):
                signs = sum(
                    _SIGN if self.between(*pair) == self.signs.times else 0.4
                    for pair in itertools.pairwise(factors)
                )
                return signs + sum(self._factor(factor) for factor in factors)
            case Sum(terms, elided):
                return sum(self.width(term) + _SIGN for term in terms) + (12.0 if elided else 0.0)
            case Relation(sides):
                return sum(self.width(side) + _SIGN for side in sides)
        return _SIGN + sum(self._factor(child) for child in children(node))

    def _factor(self, node: Expr) -> float:
        return self.width(node) + (_PARENTHESES if binding(node) < BINDS[MatVec] else 0.0)

    def _symbol(self, symbol: Sym) -> float:
        below = len("".join(symbol.sub)) + (len(symbol.sub) > 1) * 0.5
        return max(1.2, 0.9 * len(symbol.base)) + _SCRIPT * max(len(symbol.sup), below)


def _joined(one: Piece, other: Piece) -> Piece:
    return Piece(one.text + other.text, one.width + other.width)
