"""Reasons of one row in words: what moved its answer, from what to what; as text and for JSON."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clearprop.data.table.values import TIME
from clearprop.reasons.changes import Change
from clearprop.reasons.result import Reasons, shown

Showing = Callable[[str, Any], str]  # a cell of a column in words


def plainly(column: str, cell: Any) -> str:
    """Return a cell in words, whatever its column."""
    return shown(cell)


def text(found: Reasons, row: int, cell: Showing = plainly) -> str:
    """Return the reasons of a row as a table, those that contribute most first.

    Parameters
    ----------
    found : Reasons
    row : int
    cell : callable
        Says what a cell holds, with its unit.
    """
    baseline = "median row" if found.baseline_row is not None else "baseline rows"
    rows = [("column", "this row", baseline, found.of[row])]
    for each in found.top(row):
        base = "" if found.baseline_row is None else cell(each.column, each.baseline)
        rows.append((each.column, cell(each.column, each.value), base, f"{each.part:+.4g}"))
    rows.append(("all together", "", "", f"{found.parts[row].sum():+.4g}"))
    widths = [max(len(line[k]) for line in rows) for k in range(4)]
    lines = [
        f"{name:<{widths[0]}}  {own:<{widths[1]}}  {base:<{widths[2]}}  {part:>{widths[3]}}"
        for name, own, base, part in rows
    ]
    answer, base = found.answer[row], found.baseline[row]
    steps = f"{found.n_steps[row]} steps"
    end = (
        f"They add up to {answer:.5g} less {base:.5g} of the {baseline}, but for "
        f"{abs(found.lacking[row]):.1g}; none is wrong by more than {found.error[row]:.1g} ({steps})."
    )
    return "\n".join([*lines, "", end]) + "\n"


def changes_text(found: Sequence[Change], labels: Sequence[object], cell: Showing = plainly) -> str:
    """Return the changes that turn a decision, a line each."""
    lines = []
    for each in found:
        told = ", ".join(
            f"{name}: {cell(name, now)} -> {cell(name, then)}"
            for name, (now, then) in each.values.items()
        )
        lines.append(f"  {told}  ({labels[each.number]!r}, probability {each.probability:.3g})")
    return "\n".join(lines) + "\n"


def json_of(found: Reasons, row: int) -> dict[str, Any]:
    """Return the reasons of a row as JSON has them."""
    return {
        "of": found.of[row],
        "answer": float(found.answer[row]),
        "baseline": float(found.baseline[row]),
        "lacking": float(found.lacking[row]),
        "error": float(found.error[row]),
        "steps": int(found.n_steps[row]),
        "reasons": [
            {
                "column": each.column,
                "value": _plain(each.value),
                "baseline": _plain(each.baseline),
                "part": each.part,
            }
            for each in found.top(row)
        ],
    }


def json_of_changes(found: Sequence[Change], labels: Sequence[object]) -> list[dict[str, Any]]:
    """Return changes as JSON has them."""
    return [
        {
            "changes": {name: [_plain(now), _plain(then)] for name, (now, then) in each.values.items()},
            "prediction": labels[each.number],
            "probability": each.probability,
        }
        for each in found
    ]


def _plain(cell: Any) -> Any:
    return cell if isinstance(cell, str | int | float | bool | None) else str(cell)


def units(types: Mapping[str, str]) -> Showing:
    """Return what says cells with the units that they wear in the table.

    Parameters
    ----------
    types : dict of str
        Of the columns, as their decisions have them.
    """
    from clearprop.data.table.dates import is_time_of_day
    from clearprop.data.table.dressed import dress_of

    forms = {name: held.partition(" ")[2] for name, held in types.items()}
    dresses = {name: dress_of(form) for name, form in forms.items()}
    clocks = {
        name for name, held in types.items() if held.startswith(TIME) and is_time_of_day(forms[name])
    }

    def cell(column: str, value: Any) -> str:
        if column in clocks and isinstance(value, datetime.datetime):
            value = value.time()
        dress, told = dresses.get(column), shown(value)
        if dress is None or isinstance(value, bool) or not isinstance(value, int | float):
            return told
        gap = " " if dress.after[:1].isalpha() else ""
        return f"{dress.before}{told}{gap}{dress.after}"

    return cell
