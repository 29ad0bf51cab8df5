"""What is shown when a training has ended: the result, the learning curve, and what it read wrongly."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import model, pictures, terminal
from clearprop.cli.setup import Pair
from clearprop.data import Dataset

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from clearprop.data.table import ColumnDecision, TableEncoder

_WIDEST = 120
_CURVE_HEIGHT = 8
_MANY_COLUMNS, _OF_A_KIND = 100, 12
_SIDE_BY_SIDE = 72  # columns from which two panels stand side by side


def show(
    net: cp.Network,
    history: cp.History,
    dataset: Dataset,
    held: Pair | None,
    result: dict[str, Any],
    saved: str,
    summary: str,
    standardized: bool = False,
) -> None:
    """Show how a training went, on standard output.

    Parameters
    ----------
    net : Network
        In raw units.
    held : (X, Y) or None
        Rows held out of the training.
    result : dict
        As `measure` returned it.
    saved : str
        The model's file.
    summary : str
        A line about the training.
    standardized : bool
        Whether the history is that of standardized targets.
    """
    part, X, Y = _part_to_measure(dataset, held)
    console = terminal.console()
    wide = terminal.is_wide(console)
    _say_result(console, part, result, len(X), net)
    _line(console, "trained", summary)
    _show_curve(console, history, wide, standardized)
    if dataset.image_shape is not None:
        _show_wrong(console, net, X, Y, dataset.image_shape, part, wide)
    console.print()
    _line(console, "saved", saved)
    name = shlex.quote(saved)
    others = dataset.X_test is not None
    data = shlex.quote(dataset.source if others else "DATA.csv")
    _line(console, "next", f"clearprop {'evaluate' if others else 'predict'} {name} {data}", "bold")
    _line(console, "", f"clearprop info {name}", "bold")


def show_columns(encoder: TableEncoder, *, error: bool = False) -> None:
    """Print what becomes of every column of a table, and why.

    Parameters
    ----------
    encoder : TableEncoder
    error : bool
        On standard error.
    """
    from rich.table import Table

    console = terminal.console(error=error)
    made = {each.name: each for each in encoder.encoded}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("column", "kind", "what it is", "inputs"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "inputs" else "left")
    shown = _fewer(encoder.decisions)
    for each in shown:
        found = made.get(each.name)
        inputs = "" if found is None else str(len(found.feature_names))
        reason = each.reason
        if found is not None and found.summary:
            reason += f" ({found.summary})"
        style = "" if each.used else "dim"
        table.add_row(terminal.plain(each.name), each.kind, terminal.plain(reason), inputs, style=style)
    console.print(table)
    if left := len(encoder.decisions) - len(shown):
        rest = Counter(each.kind for each in encoder.decisions if each not in shown)
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in rest.most_common())
        console.print(f"and {left:,} more: {kinds}", soft_wrap=True)
    console.print()


def _fewer(decisions: Sequence[ColumnDecision]) -> list[ColumnDecision]:
    """Return the columns to show: of very many, the first of each kind."""
    if len(decisions) <= _MANY_COLUMNS:
        return list(decisions)
    seen: Counter[str] = Counter()
    shown = []
    for each in decisions:
        seen[each.kind] += 1
        if seen[each.kind] <= _OF_A_KIND:
            shown.append(each)
    return shown


def show_table(
    net: cp.Network, history: cp.History, result: dict[str, Any], saved: str, summary: str
) -> None:
    """Show how a training on a table went, on standard output.

    Parameters
    ----------
    net : Network
    history : History
    result : dict
        With its part, number of rows and metrics.
    saved : str
        The model's file.
    summary : str
        A line about the training.
    """
    console = terminal.console()
    _say_result(console, result["part"], result, result["n_samples"], net)
    _line(console, "trained", summary)
    _show_curve(console, history, terminal.is_wide(console), "r2" in result)
    console.print()
    _line(console, "saved", saved)
    _line(console, "next", f"clearprop predict {shlex.quote(saved)} DATA.csv", "bold")
    _line(console, "", f"clearprop info {shlex.quote(saved)}", "bold")


def measure(net: cp.Network, dataset: Dataset, held: Pair | None) -> dict[str, Any]:
    """Return how good a network is on the rows that are the most honest: test, validation, training."""
    part, X, Y = _part_to_measure(dataset, held)
    return {"part": part, "n_samples": len(X), **model.measure(net, X, Y)}


def _part_to_measure(dataset: Dataset, held: Pair | None) -> tuple[str, NDArray[Any], NDArray[Any]]:
    if dataset.X_test is not None:
        return ("test", *dataset.test)
    return ("validation", *held) if held is not None else ("training", *dataset.train)


def _line(console: Console, name: str, text: str, style: str = "") -> None:
    from rich.text import Text

    line = Text(f"{name:<20}", "dim")
    line.append(text, style)
    console.print(line, soft_wrap=True)


def _say_result(console: Console, part: str, result: dict[str, Any], n: int, net: cp.Network) -> None:
    if "accuracy" in result:
        right = round(result["accuracy"] * n)
        text = f"{result['accuracy']:.1%}".replace("%", " %")
        _line(console, f"{part} accuracy", f"{text}  ({right:,} of {n:,} right)", "bold")
    else:
        _line(console, f"{part} R2", f"{result['r2']:.3f}  ({n:,} rows)", "bold")
        _line(
            console, f"{part} RMSE", f"{result['rmse']:.4g}  (mean absolute error {result['mae']:.4g})"
        )
    _line(console, f"{part} cost", f"{result['cost']:.4g}  ({net.architecture.cost.name})")


def _show_curve(console: Console, history: cp.History, wide: bool, standardized: bool) -> None:
    if len(history) < 2:
        return
    panels = []
    for title, columns in (
        ("cost", ("cost", "validation_cost")),
        ("accuracy", ("running_accuracy", "validation_accuracy")),
        ("R2", ("validation_r2",)),
        ("score", ("validation_score",)),
    ):
        lines = [
            pictures.Series(
                "valid" if name.startswith("validation") else "train",
                history[name],
                "yellow" if name.startswith("validation") else "cyan",
                name.startswith("validation"),
            )
            for name in columns
            if name in history
        ]
        if lines:
            only = f"validation {title}" if lines[0].dashed else f"training {title}"
            shown = only if len(lines) == 1 else title
            if standardized and title == "cost":  # the cost above it is in the target's units
                shown += ", standardized"
            panels.append((shown, lines))
    width = min(console.width, _WIDEST)
    beside = width >= _SIDE_BY_SIDE and len(panels) > 1
    each = min((width - 3) // 2 if beside else width - 1, 57)
    drawn = [
        pictures.panel(
            title, lines, history["epoch"], each, _CURVE_HEIGHT, wide=wide, may_be_log="cost" in title
        )
        for title, lines in panels
    ]
    _print_blocks(console, [drawn] if beside else [[one] for one in drawn])


def _print_blocks(console: Console, rows: Sequence[Sequence[Sequence[Text]]]) -> None:
    for blocks in rows:
        console.print()
        for line in pictures.side_by_side(blocks):
            console.print(line, soft_wrap=True)


def _show_wrong(
    console: Console,
    net: cp.Network,
    X: NDArray[Any],
    Y: NDArray[Any],
    shape: tuple[int, int],
    part: str,
    wide: bool,
) -> None:
    from rich.text import Text

    a = net.predict(X)
    if a.shape[1] == 1:
        a = np.hstack([1 - a, a])
    read = a.argmax(axis=1)
    wrong = np.flatnonzero(read != Y)
    if not len(wrong):
        return
    wrong = wrong[np.argsort(-a[wrong, read[wrong]], kind="stable")]
    names = net.classes or tuple(range(a.shape[1]))
    blocks: list[list[Text]] = []
    room = min(console.width, _WIDEST)
    for row in wrong[:6]:
        picture = pictures.image(X[row].reshape(shape), wide)
        title = Text("is ")
        title.append(terminal.plain(names[Y[row]]), "bold green")
        title.append(", read as ")
        title.append(terminal.plain(names[read[row]]), "bold red")
        block = [title, *(Text(line) for line in picture)]
        width = max(line.cell_len for line in block) + 3
        if blocks and width > room:
            break
        room -= width
        blocks.append(block)
    shown = "all" if len(blocks) == len(wrong) else f"{len(blocks)} of the"
    told = f"{shown} {len(wrong):,} wrongly read images of the {part} part, the surest mistakes first"
    console.print()
    console.print(Text(told, "dim"), soft_wrap=True)
    _print_blocks(console, [blocks] if room >= 0 else [[block] for block in blocks])
