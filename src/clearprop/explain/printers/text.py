"""Documents as text of at most 100 columns, in Unicode or ASCII."""

from __future__ import annotations

import itertools
import textwrap
import unicodedata

from clearprop.explain.document import Document, contains_matrix, said_of, wanted
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
    binding,
    children,
)
from clearprop.explain.printers.digits import shown
from clearprop.explain.step import Step

WIDTH = 100
_LONGEST_TERM = 75  # that has to stay on one line
_SUP = str.maketrans("0123456789()+-xijkn", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻ˣⁱʲᵏⁿ")
_SUB = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUB_LETTERS = {"x": "ₓ", "i": "ᵢ", "j": "ⱼ", "k": "ₖ", "n": "ₙ"}
_ASCII = {
    "∂": "d", "×": "*", "−": "-", "—": "--", "⊙": "(*)", "Σ": "Sum", "→": "->", "∞": "inf", "′": "'",
    "·": ".", "⃗": "", "ᵀ": ".T", "ℓ": "l", "½": "1/2",
}  # fmt: skip


def is_numeric(node: Expr) -> bool:
    """Return whether a factor needs a sign of multiplication beside it."""
    if isinstance(node, Sum | Prod | Neg | Pow | Frac):
        return all(is_numeric(each) for each in children(node))
    return isinstance(node, Num | Int | Blank)


def is_signed(term: Expr) -> bool:
    """Return whether a term of a sum has to stand in parentheses."""
    return binding(term) <= BINDS[Neg] and not isinstance(term, Neg | BigSum)


def in_minus(arg: Expr) -> int:
    """Return how tightly what follows a minus has to bind: a number would take the sign for its own."""
    first = arg
    while isinstance(first, Prod | Frac | Pow):
        first = children(first)[0]
    return ATOM if isinstance(first, Num) and first is not arg else BINDS[Prod]


class _Block:
    """A few lines of text side by side, on one baseline."""

    def __init__(self, lines: list[str], base: int = 0) -> None:
        self.lines, self.base = lines, base
        self.width = max(map(width, lines))

    def beside(self, other: _Block) -> _Block:
        base = max(self.base, other.base)
        below = max(len(self.lines) - self.base, len(other.lines) - other.base)
        lines = []
        for i in range(-base, below):
            parts = []
            for each in (self, other):
                at = each.base + i
                text = each.lines[at] if 0 <= at < len(each.lines) else ""
                parts.append(text + " " * (each.width - width(text)))
            lines.append("".join(parts))
        return _Block(lines, base)


def width(text: str) -> int:
    """Return how many columns a text takes: combining marks take none."""
    return sum(not unicodedata.combining(each) for each in text)


class TextPrinter:
    """Prints documents.

    Parameters
    ----------
    digits : int
        Significant digits.
    ascii : bool
        Whether to use ASCII alone.
    """

    def __init__(self, digits: int = 4, ascii: bool = False) -> None:
        self.digits, self.ascii = digits, ascii

    # A document

    def document(self, document: Document, form: str | None = None) -> str:
        """Return the whole document."""
        lines = [document.title, "=" * min(width(document.title), WIDTH), ""]
        for fact in document.facts:
            lines += self._wrapped(fact)
        for step in document.steps:
            lines += self.step(step, form)
        if document.answers:
            lines += ["", "Key", "---"]
            key = [f"({each.number})\u00a0{self.inline(each.answer)}" for each in document.answers]
            lines += textwrap.wrap("   ".join(key), WIDTH)  # a number stays with its answer
        lines += ["", "Notes", "-----"]
        for note in document.footnotes:
            lines += self._wrapped("* " + note + ".", "  ")
        text = "\n".join(line.rstrip() for line in lines) + "\n"
        return self._plain(text.replace("\u00a0", " "))

    def _plain(self, text: str) -> str:
        if not self.ascii:
            return text
        for character, instead in _ASCII.items():
            text = text.replace(character, instead)
        # A space that a line is not broken at stays one until the lines are made.
        keep = "\u00a0"
        return "".join(each if ord(each) < 128 or each == keep else _ascii_name(each) for each in text)

    def _wrapped(self, text: str, indent: str = "") -> list[str]:
        lines = textwrap.wrap(
            printable(self._plain(text)), WIDTH, subsequent_indent=indent, break_on_hyphens=False
        )
        return lines or [""]

    def step(self, step: Step, form: str | None = None) -> list[str]:
        """Return the lines of one step, an empty one first; none if it has nothing in that form."""
        chosen = [line for line in step.lines if wanted(line, form)]
        if not chosen and step.lines:
            return []
        lines = ["", *self._wrapped(step.title)]
        if said := said_of(step, chosen):
            lines += self._wrapped("  " + said, "  ")
        for line in chosen:
            lines += self.formula(line.formula, line.label)
        if step.left_out:
            lines.append("  " + step.left_out)
        return lines

    # A formula

    def formula(self, relation: Relation, label: str = "") -> list[str]:
        """Return a formula as indented lines of at most 100 columns, its label at the right."""
        return [line.replace("\u00a0", " ") for line in self._formula(relation, label)]

    def _formula(self, relation: Relation, label: str) -> list[str]:
        if contains_matrix(relation):
            return self._matrix_formula(relation, label)
        sides = [self._plain(self.inline(side)) for side in relation.sides]
        signs = [self._plain(f" {relation.sign} "), *[" = "] * len(sides)]
        whole = "  " + sides[0] + "".join(s + each for s, each in zip(signs, sides[1:], strict=False))
        if width(whole) + width(label) + 3 <= WIDTH:
            return [whole + _at_right(whole, label)]
        lines = ["  " + sides[0] + signs[0] + sides[1]] if len(sides) > 1 else [whole]
        lines += ["     " + sign + side for sign, side in zip(signs[1:], sides[2:], strict=False)]
        broken: list[str] = []
        for number, line in enumerate(lines):
            room = WIDTH - (len(label) + 3 if number == 0 else 0)
            indent = line[: len(line) - len(line.lstrip())]
            broken += textwrap.wrap(
                line.lstrip(),
                room,
                initial_indent=indent,
                subsequent_indent="        ",
                break_on_hyphens=False,
            )
        broken[0] += _at_right(broken[0], label)
        return broken

    def _matrix_formula(self, relation: Relation, label: str) -> list[str]:
        signs = ["", f" {relation.sign} ", *[" = "] * len(relation.sides)]
        rows: list[_Block] = []
        current: _Block | None = None
        for sign, side in zip(signs, relation.sides, strict=False):
            for piece in self._pieces(sign, side):
                if current is None:
                    current = _Block(["  "]).beside(piece)
                elif current.width + piece.width <= WIDTH:
                    current = current.beside(piece)
                else:
                    rows.append(current)
                    current = _Block([" " * 6]).beside(piece)
        if current is not None:
            rows.append(current)
        lines = [line for row in rows for line in row.lines]
        if label and width(lines[0]) + width(label) + 3 > WIDTH:
            lines.insert(0, "")
        return [lines[0] + _at_right(lines[0], label), *lines[1:]]

    def _pieces(self, sign: str, node: Expr) -> list[_Block]:
        """Return blocks between which a line may be broken."""
        match node:
            case Sum(terms, 0):
                pieces = self._pieces(sign, terms[0])
                for term in terms[1:]:
                    minus = isinstance(term, Neg) and term.value is None
                    inner = term.arg if minus and isinstance(term, Neg) else term
                    pieces += self._pieces(" − " if minus else " + ", inner)
                return pieces
            case MatVec(left, right) | Hadamard(left, right):
                if isinstance(node, Hadamard):  # a product of matrices in it stands in parentheses
                    return [
                        *self._grouped(sign, left, MatVec),
                        *self._grouped(" ⊙ " if node.shown else " ", right, MatVec),
                    ]
                between = " · " if node.dot else " "
                return [*self._grouped(sign, left), *self._grouped(between, right)]
            case Prod(factors):
                pieces = self._grouped(sign, factors[0])
                for factor in factors[1:]:
                    pieces += self._grouped(" × ", factor)
                return pieces
        return [_Block([self._plain(sign)]).beside(self._block(node))]

    def _grouped(self, sign: str, node: Expr, *also: type) -> list[_Block]:
        if isinstance(node, (Sum, Hadamard, Neg, *also)):
            inner = self._pieces(sign + "(", node)
            return [*inner[:-1], inner[-1].beside(_Block([")"]))]
        return self._pieces(sign, node)

    def _block(self, node: Expr) -> _Block:
        match node:
            case Mat():
                return self._matrix(node)
            case Transpose(arg) if contains_matrix(arg):
                block = self._block(arg)
                corner = _Block([self._plain("ᵀ"), *[""] * (len(block.lines) - 1)], block.base)
                return block.beside(corner)
            case Fn(name, arg, prime) if contains_matrix(arg):
                head = _Block([self._plain(self._function_name(name, prime)) + "("])
                return head.beside(self._block(arg)).beside(_Block([")"]))
        return _Block([self._plain(self.inline(node))])

    def _matrix(self, matrix: Mat) -> _Block:
        rows, below, right = matrix.shown()
        cells = [[self.number(each) for each in row] for row in rows]
        wide = [max(width(row[j]) for row in cells) for j in range(len(cells[0]))]
        lines = []
        for i, row in enumerate(cells):
            text = "  ".join(cell.rjust(w) for cell, w in zip(row, wide, strict=True))
            if right:
                text += f"  ..., {right:,} more" if i == 0 else "  ..." + " " * len(f", {right:,} more")
            lines.append(text)
        if below:
            note = f"[..., {below:,} more]"
            longest = max(len(lines[0]), len(note))
            lines = [line.ljust(longest) for line in [*lines, note]]
        return _Block([f"[ {line} ]" for line in lines], (len(lines) - 1) // 2)

    def inline(self, node: Expr, at_least: int = 0) -> str:
        """Return a formula on one line, in parentheses if it binds less than is asked for."""
        text = self._inline(node)
        return f"({text})" if binding(node) < at_least else text

    def _inline(self, node: Expr) -> str:
        match node:
            case Num():
                return self.number(node)
            case Int(number):
                return str(number)
            case Word(text):
                return printable(text)
            case Missing():
                return "—"
            case Blank(number):
                return f"____({number})"
            case Sym():
                return self.symbol(node)
            case Fn(name, arg, prime):
                return f"{self._function_name(name, prime)}({self.inline(arg)})"
            case Partial(top, bottom):
                return f"∂{self.symbol(top)}/∂{self.symbol(bottom)}"
            case Neg(arg):
                return "−" + self.inline(arg, in_minus(arg))
            case Sum():
                return self._sum(node)
            case Prod(factors):
                return self._prod(factors)
            case Hadamard(left, right, is_shown):
                sign = " ⊙ " if is_shown else " "
                return self.inline(left, BINDS[Frac]) + sign + self.inline(right, BINDS[Frac])
            case MatVec(left, right, dot):
                sign = " · " if dot else " "
                return self.inline(left, BINDS[MatVec]) + sign + self.inline(right, BINDS[MatVec])
            case Transpose(arg):
                return f"({self.inline(arg)})ᵀ"
            case Frac(top, bottom):
                return self.inline(top, BINDS[Partial]) + "/" + self.inline(bottom, BINDS[Partial])
            case Pow(arg, exponent):
                power = f"^{exponent}" if self.ascii else str(exponent).translate(_SUP)
                return self.inline(arg, ATOM) + power
            case BigSum(index, arg):
                sub = f"_{index}" if self.ascii else _SUB_LETTERS.get(index, f"_{index}")
                return f"Σ{sub} " + self.inline(arg, BINDS[Prod])
            case Relation(sides, sign):
                first = self.inline(sides[0]) + f" {sign} "
                return first + " = ".join(self.inline(side) for side in sides[1:])
            case Mat():
                return "; ".join(" ".join(self.number(x) for x in row) for row in node.shown()[0])

    def _sum(self, node: Sum) -> str:
        text = self.inline(node.terms[0], BINDS[Neg if len(node.terms) == 1 else Sum])
        text = _together(text)
        for term in node.terms[1:]:
            if isinstance(term, Neg) and term.value is None:
                text += " " + _together("− " + self.inline(term.arg, BINDS[Prod]))
            else:
                text += " " + _together(
                    "+ " + self.inline(term, BINDS[Hadamard if is_signed(term) else Neg])
                )
        return text + (" " + _together(f"+ [..., {node.more}]") if node.elided else "")

    def _prod(self, factors: tuple[Expr, ...]) -> str:
        text = self.inline(factors[0], BINDS[MatVec])
        for before, factor in itertools.pairwise(factors):
            times = " × " if is_numeric(before) or is_numeric(factor) else " "
            text += times + self.inline(factor, BINDS[MatVec])
        return text

    def _function_name(self, name: Sym, prime: str) -> str:
        if prime == "dot":
            dotted = f"{name.base}dot" if self.ascii else name.base + "\u0307"
            return self.symbol(Sym(dotted, name.sup, name.sub))
        return self.symbol(name) + ("′" if prime else "")

    def symbol(self, symbol: Sym) -> str:
        """Return a symbol with its superscript and subscripts."""
        base = printable(symbol.base) + ("\u20d7" if symbol.vector and not self.ascii else "")
        if self.ascii:
            base = self._plain(base)
        if symbol.sup:
            base += self._superscript(symbol.sup)
        if not symbol.sub:
            return base
        if all(len(each) == 1 for each in symbol.sub):
            joined = "".join(symbol.sub)
            if self.ascii:
                return f"{base}_{joined}"
            return base + "".join(_SUB_LETTERS.get(each, each) for each in joined).translate(_SUB)
        return base + "_{" + ",".join(symbol.sub) + "}"

    def _superscript(self, sup: str) -> str:
        if not self.ascii and all(each == "," or ord(each) in _SUP for each in sup):
            return sup.translate(_SUP)
        return f"^{{{sup}}}" if "," in sup else f"^{sup}"

    def number(self, number: Num) -> str:
        """Return a number as it is shown."""
        text = shown(number, self.digits)
        return text if self.ascii else text.replace("-", "−").replace("inf", "∞")


def _together(term: str) -> str:
    """Return a term that is not broken within, unless it is too long for that."""
    return term.replace(" ", "\u00a0") if width(term) <= _LONGEST_TERM else term


def _at_right(line: str, label: str) -> str:
    return " " * (WIDTH - width(line) - width(label)) + label if label else ""


def _ascii_name(character: str) -> str:
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        letter = name.split()[-1].lower()
        return letter.capitalize() if "CAPITAL" in name else letter
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or ("" if unicodedata.combining(character) else "?")


def printable(text: str) -> str:
    """Return a name without the characters that a terminal would obey."""
    # A combining mark, the dot over a letter, is not printable on its own.
    return "".join(
        each if each.isprintable() or unicodedata.combining(each) else repr(each)[1:-1] for each in text
    )
