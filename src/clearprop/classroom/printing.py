"""A worksheet as text, LaTeX or a page to print: the printers of ``explain``, with room to write."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

from clearprop import page
from clearprop.explain.document import Document
from clearprop.explain.expression import Blank, Expr
from clearprop.explain.forms import Line
from clearprop.explain.printers.latex import LatexPrinter
from clearprop.explain.printers.mathml import MathmlPrinter
from clearprop.explain.printers.text import TextPrinter
from clearprop.page import Markup, joined, tag


def printed(documents: Sequence[Document], format: str, digits: int) -> str:
    """Return documents in one of the formats, each on a page of its own."""
    if format == "latex":
        first, *others = (_Latex(digits).document(each) for each in documents)
        end = r"\end{document}"
        bodies = [text.partition(r"\begin{document}")[2].removesuffix(end + "\n") for text in others]
        return "\\newpage".join([first.removesuffix(end + "\n"), *bodies]) + end + "\n"
    if format == "html":
        inside = joined((fragment(each, digits) for each in documents), "\n")
        return page.document(documents[0].title, tag("main", inside), style=_style())
    return "\f".join(TextPrinter(digits).document(each) for each in documents)


def _style() -> str:
    return importlib.resources.files("clearprop.classroom").joinpath("worksheet.css").read_text("utf-8")


def in_notebook(document: Document, digits: int) -> Markup:
    """Return a document as a notebook shows it, whose page has no style for it."""
    return joined([tag("style", Markup(_style())), fragment(document, digits)])


def fragment(document: Document, digits: int) -> Markup:
    """Return a document as the inside of a page."""
    printer = MathmlPrinter(digits)
    parts = [tag("h1", document.title), *(tag("p", fact, class_="fact") for fact in document.facts)]
    for step in document.steps:
        inside = [tag("h2", step.title)]
        inside += [tag("p", step.said, class_="quiet")] if step.said else []
        for line in step.lines:
            inside.append(_formula(printer, line))
        parts.append(tag("section", *inside, class_=step.kind))
    if document.answers:
        items = (tag("li", Markup(printer.formula(each.answer))) for each in document.answers)
        parts.append(tag("section", tag("h2", "Key"), tag("ol", *items, class_="key")))
    notes = (tag("li", f"{note}.") for note in document.footnotes)
    parts.append(tag("section", tag("h2", "Notes"), tag("ul", *notes, class_="quiet")))
    return tag("article", joined(parts, "\n"), class_="worksheet")


class _Latex(LatexPrinter):
    def _inline(self, node: Expr) -> str:
        if isinstance(node, Blank):
            return rf"\underline{{\hspace{{7em}}}}_{{({node.number})}}"
        return super()._inline(node)


def _formula(printer: MathmlPrinter, line: Line) -> Markup:
    """Return a formula in parts, between which a narrow page may end a line."""
    first, *sides = line.formula.sides
    signs = [line.formula.sign, *["="] * len(sides)]
    parts = [_math(printer.inline(first))]
    for sign, side in zip(signs, sides, strict=False):
        sign = f"<mo>{'→' if sign == '->' else sign}</mo>"
        if isinstance(side, Blank):
            number = tag("sub", f"({side.number})")
            parts.append(joined([_math(sign), tag("span", "", class_="blank"), number]))
            continue
        pieces = printer.pieces(side)
        # A sign at the beginning would be taken for that of the number after it, and stand close to it.
        more = (piece.replace("<mo>", '<mo form="infix">', 1) for piece in pieces[1:])
        parts += [_math(piece) for piece in (sign + pieces[0], *more)]
    told = [tag("span", each) for each in parts]
    if line.label:
        told.append(tag("span", line.label, class_="equation"))
    return tag("p", joined(told, " "), class_="formula")


def _math(inside: str) -> Markup:
    return Markup(
        f'<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true">{inside}</math>'
    )
