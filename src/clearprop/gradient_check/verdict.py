"""Verdicts: on one parameter, on a gradient, and how they are told."""

from __future__ import annotations

import html
import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clearprop.gradient_check.mistakes import Mistake

HAPPY = 1e-7  # the relative error at which CS231n is happy; what a float64 gradient must reach
_LISTED = 10  # parameters that did not pass


class Estimate(NamedTuple):
    """A numeric derivative."""

    value: float
    bound: float  # on its error; infinite at a kink
    step: float
    kink: bool = False


class Row(NamedTuple):
    """One parameter of a gradient check."""

    block: str  # layers.0.weight
    index: tuple[int, ...]  # type: ignore[assignment]  # in the block; hides tuple.index
    term: str  # of the cost: "data", "penalty", or "total" where a foreign gradient has both
    analytic: float  # what was claimed
    numeric: float
    # |a - n| / max(|a|, |n|); beside the block's largest where rounding explains it, of a foreign one
    relative_error: float
    step: float  # h; 1e-30 is the complex step
    verdict: str  # pass, fail, undecided or kink


@dataclass(frozen=True)
class GradientCheck:
    """What a gradient check found.

    Attributes
    ----------
    verdict : {"pass", "fail", "undecided", "kink"}
        "fail" if any parameter fails; otherwise "kink" if some lie on a kink; "pass" if every block
        has parameters that pass, most of all pass, and the corrupted gradient failed in every block;
        else "undecided". It is true in an ``if`` only where it is "pass".
    max_relative_error : float
        Of the parameters that pass or fail; of all, where there are none.
    rows : tuple of Row
    n_parameters : int
        Of the network; `rows` are a sample of them.
    blind_blocks : tuple of str
        In which the corrupted gradient was not found out.
    mistakes : tuple of Mistake
        Of a foreign gradient that fails: the classic mistakes that give exactly these numbers.
    """

    verdict: str
    max_relative_error: float
    rows: tuple[Row, ...]
    n_parameters: int
    blind_blocks: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def first_wrong(self) -> str | None:
        """The block of the first layer on the way back that fails; None where none does."""
        failed = [row.block for row in self.rows if row.verdict == "fail"]
        return max(failed, key=_depth, default=None)

    def by_block(self) -> dict[tuple[str, str], list[Row]]:
        """Return the rows of each block and term of the cost."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.block, row.term), []).append(row)
        return found

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    def __str__(self) -> str:
        """Return the verdict, a line for each block, and the parameters that did not pass."""
        checked = len({(row.block, row.index) for row in self.rows})
        lines = [
            f"gradient check: {self.verdict} ({checked:,} of {self.n_parameters:,} parameters, "
            f"largest relative error {self.max_relative_error:.1e})",
            f"{'block':25} {'checked':>7}  {'largest error':>13}  verdicts",
        ]
        for name, n, error, counts in self._blocks():
            lines.append(f"{name:25} {n:>7}  {error:>13}  {counts}")
        for name in self.blind_blocks:
            lines.append(f"{name}: a corrupted gradient was not found out; nothing is certified")
        if (first := self.first_wrong) is not None:
            lines += ["", f"First wrong layer, on the way back from the cost: {_layer(first)}."]
            lines += [line for said in self._likely() for line in _wrapped(said)]
        if bad := self._not_passed():
            lines += ["", f"{'parameter':28} {'claimed':>14} {'numeric':>14}   error     step  verdict"]
        for place, claimed, numeric, error, step, verdict in bad[:_LISTED]:
            lines.append(f"{place:28} {claimed:>14} {numeric:>14} {error:>7} {step:>8}  {verdict}")
        if len(bad) > _LISTED:
            lines.append(f"... and {len(bad) - _LISTED} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the verdict and the same tables, for a notebook."""
        checked = len({(row.block, row.index) for row in self.rows})
        parts = [
            f"<p><b>Gradient check: {self.verdict}</b> ({checked:,} of {self.n_parameters:,} "
            f"parameters, largest relative error {self.max_relative_error:.1e})</p>",
            _html_table(("block", "checked", "largest error", "verdicts"), self._blocks()),
        ]
        parts += [
            f"<p>{name}: a corrupted gradient was not found out; nothing is certified</p>"
            for name in self.blind_blocks
        ]
        if (first := self.first_wrong) is not None:
            parts.append(f"<p>First wrong layer, on the way back from the cost: {_layer(first)}.</p>")
        parts += [f"<p>{html.escape(said)}</p>" for said in self._likely()]
        if bad := self._not_passed():
            head = ("parameter", "claimed", "numeric", "error", "step", "verdict")
            parts.append(_html_table(head, bad[:_LISTED]))
            if len(bad) > _LISTED:
                parts.append(f"<p>... and {len(bad) - _LISTED} more</p>")
        return "\n".join(parts)

    def _likely(self) -> list[str]:
        """Return what a foreign gradient that fails is a sign of."""
        if self.first_wrong is None or self.rows[0].term != "total":
            return []
        said = [f"Likely: {each.sentence}." for each in self.mistakes]
        return said or ["None of the classic mistakes gives exactly these numbers."]

    def _blocks(self) -> list[tuple[str, ...]]:
        """Return name, number of parameters, largest error and verdicts of each block."""
        found: list[tuple[str, ...]] = []
        for (block, term), mine in self.by_block().items():
            name = f"{block} (penalty)" if term == "penalty" else block
            verdicts = Counter(row.verdict for row in mine)
            counts = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common())
            found.append((name, f"{len(mine):,}", f"{largest(mine):.1e}", counts))
        return found

    def _not_passed(self) -> list[tuple[str, ...]]:
        """Return place, numbers and verdict of the parameters that did not pass, worst kind first."""
        order = {"fail": 0, "kink": 1, "undecided": 2}
        bad = sorted((row for row in self.rows if row.verdict in order), key=lambda r: order[r.verdict])
        return [
            (
                f"{row.block}[{', '.join(map(str, row.index))}]{_mark(row)}",
                f"{row.analytic:.7g}",
                f"{row.numeric:.7g}",
                f"{row.relative_error:.0e}",
                f"{row.step:.0e}",
                row.verdict,
            )
            for row in bad
        ]


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', head)}</thead><tbody>{body}</tbody></table>"


def _mark(row: Row) -> str:
    return " (penalty)" if row.term == "penalty" else ""


def _depth(block: str) -> int:
    kind, number, *_ = block.split(".")
    return int(number) if kind == "layers" else -1


def _layer(block: str) -> str:
    return f"layer {_depth(block) + 1} ({block})" if _depth(block) >= 0 else f"the embedding ({block})"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100, subsequent_indent="  ", break_on_hyphens=False)


def largest(rows: Sequence[Row]) -> float:
    """Return the largest relative error of what was decided, or of all where nothing was."""
    decided = [row.relative_error for row in rows if row.verdict in ("pass", "fail")]
    return max(decided or [row.relative_error for row in rows])


def relative_error(a: float, n: float) -> float:
    """Return ``|a - n| / max(|a|, |n|)``; 0 where they are equal, infinite where one is not finite."""
    if not (math.isfinite(a) and math.isfinite(n)):
        return math.inf
    return 0.0 if a == n else abs(a - n) / max(abs(a), abs(n))


def judge(a: float, estimate: Estimate, tolerance: float = HAPPY) -> str:
    """Return the verdict on a claimed derivative: pass, fail, undecided or kink."""
    if estimate.kink:
        return "kink" if math.isfinite(a) else "fail"
    if a == 0.0 == estimate.value and estimate.bound > 0:
        return "undecided"  # too small to be seen is not the same as nothing
    if relative_error(a, estimate.value) <= tolerance:
        return "pass"
    return "undecided" if abs(a - estimate.value) <= estimate.bound else "fail"


def overall(rows: Sequence[Row], blind: Sequence[str]) -> str:
    """Return the verdict on the whole gradient."""
    verdicts = Counter(row.verdict for row in rows)
    passed = {row.block for row in rows if row.verdict == "pass"}
    if verdicts["fail"]:
        return "fail"
    if verdicts["kink"]:
        return "kink"
    every_block = passed == {row.block for row in rows}
    if every_block and not blind and 2 * verdicts["pass"] > len(rows):
        return "pass"
    return "undecided"
