"""What a notebook shows of a pass and of its paths and changes: tables, and formulas as LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from clearprop.explain.printers.latex import LatexPrinter
from clearprop.page import Markup, joined, table, tag

if TYPE_CHECKING:
    from clearprop.explain.document import Document
    from clearprop.explain.nudge import Nudge
    from clearprop.explain.paths import PathSum

_FACTORS = 6  # of a path that are printed


def paths_as_html(paths: PathSum) -> Markup:
    """Return the paths of a weight as a table."""
    first, *rest = str(paths).splitlines()
    if paths.undefined:
        return tag("div", tag("p", first), tag("p", paths.undefined))
    rows = [
        (
            " > ".join(str(neuron + 1) for neuron in path.neurons),
            f"{path.product:.4g}",
            f"{path.share:.1%}",
            _product(f"{each:.4g}" for each in path.factors),
        )
        for path in paths.paths
    ]
    more = paths.n_paths - len(paths.paths)
    note = f"and {more:,} more, together {1 - paths.share:.1%} of the absolute sum" if more else None
    made = table("Paths", ("neurons", "product", "share", "factors"), rows, note=note)
    return tag("div", tag("p", first), tag("p", rest[0]), made)


def _product(factors: Iterable[str], times: str = " × ", more: str = "…") -> str:
    every = list(factors)
    return times.join([*every[:_FACTORS], *([more] if len(every) > _FACTORS else [])])


def paths_as_latex(paths: PathSum) -> str:
    """Return the sum over the paths as a formula: a line for each path that is listed."""
    by = f"b_{{{paths.to + 1}}}" if paths.source is None else _weight(paths.to, paths.source)
    head = rf"\frac{{\partial C}}{{\partial {by}}}"
    lines = [rf"{head} &= {_number(paths.total)} \quad \text{{(layer {paths.layer + 1})}}"]
    for number, path in enumerate(paths.paths):
        factors = _product((_signed(each) for each in path.factors), r" \times ", r"\cdots")
        sign = r"\quad {} +" if number else "="
        lines.append(f"&{sign} {factors}")
    if more := paths.n_paths - len(paths.paths):
        lines.append(rf"&\quad {{}} + \text{{{more:,} more}}")
    return _aligned(lines)


def nudge_as_html(nudge: Nudge) -> Markup:
    """Return what was changed, and the table of what followed."""
    first, predicted, exact, *rest = str(nudge).splitlines()
    parts = [tag("p", first), tag("p", predicted), tag("p", exact)]
    parts += [tag("p", line) for line in rest[: rest.index("")] if line]
    made = table("On the way to the cost", ("the change of", "predicted", "actual", ""), nudge.way())
    return tag("div", joined(parts), made)


def nudge_as_latex(nudge: Nudge) -> str:
    """Return the predicted change of the cost, and the exact one."""
    symbol = {"z": r"\delta", "a": r"\frac{\partial C}{\partial a}"}.get(nudge.on)
    changed = {"weight": "w", "bias": "b"}.get(nudge.on, nudge.on)
    symbol = symbol or rf"\frac{{\partial C}}{{\partial {changed}}}"
    return _aligned(
        [
            rf"\Delta C &\approx {symbol}\, \Delta {changed} = {_signed(nudge.rate)} \times "
            rf"{_signed(nudge.by)} = {_number(nudge.predicted)}",
            rf"\Delta C &= {_number(nudge.cost_after, 7)} - {_number(nudge.cost, 7)} "
            rf"= {_number(nudge.exact)}",
        ]
    )


def pass_as_latex(told: Document, digits: int = 4) -> str:
    """Return the formulas of a pass with their numbers, as MathJax and LaTeX read them."""
    printer = LatexPrinter(digits)
    lines = []
    for step in told.steps:
        mine = [line for line in step.lines if line.form == "numbers"]
        if mine:
            title = step.title.replace("_", r"\_")
            lines.append(rf"&\textbf{{{title}}}")
            lines += [row for line in mine for row in printer.rows(line.formula)]
    return _aligned(lines)


def _aligned(lines: list[str]) -> str:
    return "$$\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$$"


def _weight(to: int, source: int) -> str:
    comma = "," if max(to, source) > 8 else ""
    return f"w_{{{to + 1}{comma}{source + 1}}}"


def _number(value: float, digits: int = 4) -> str:
    text = f"{value:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    if text in ("nan", "inf", "-inf"):
        return rf"\text{{{text}}}"
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if e else mantissa


def _signed(value: float) -> str:
    return f"({_number(value)})" if value < 0 else _number(value)
