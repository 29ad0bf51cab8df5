"""What is shown of a training: its columns before, and its result, curve and mistakes afterwards.

In: an `Outcome`, or a table's encoder. Out: text that fits the terminal, or a dictionary for JSON.
"""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import pictures, terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from clearprop.data.table import ColumnDecision, TableEncoder
    from clearprop.estimators.baselines import Baseline

_WIDEST = 120
_CURVE_HEIGHT = 8
_MANY_COLUMNS, _OF_A_KIND = 100, 12
_JOINED_FROM, _ALIKE = 24, 3  # columns from which neighbours that are alike, so many, share a line
_FEW = 100  # rows below which 95 % intervals of an accuracy are wider than ten points to each side
_SIDE_BY_SIDE = 72  # columns from which two panels stand side by side


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A training that has ended, and its model.

    Parameters
    ----------
    net : Network
        In raw units.
    training : Training
    result : dict
        The part that was measured, its number of rows, and its metrics.
    saved : str
        The model's file.
    standardized : bool
        Whether the history is that of standardized targets.
    best_epoch : int, optional
        The epoch whose network was kept, counted from 1; None where it is the last.
    test_data : str, optional
        Data with a test part, that the model can be evaluated on.
    images : (X, Y, shape), optional
        What was measured, where that is images.
    baselines : sequence of Baseline, optional
        What stands beside it, where that was asked for.
    """

    net: cp.Network
    training: cp.Training
    result: dict[str, Any]
    saved: str
    standardized: bool = False
    best_epoch: int | None = None
    test_data: str | None = None
    images: tuple[NDArray[Any], NDArray[Any], tuple[int, int]] | None = None
    baselines: Sequence[Baseline] | None = None

    @property
    def seconds(self) -> float:
        """How long its epochs took."""
        history = self.training.history
        return float(sum(history["seconds"])) if len(history) else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        net, training = self.net, self.training
        return {
            "model": self.saved,
            **{name: net.about.get(name) for name in ("data", "task", "target")},
            **self.result,
            "epochs": training.epochs_done,
            "steps": training.state.step,
            "best_epoch": self.best_epoch,
            "seconds": round(self.seconds, 3),
            "stopped": training.history.stopped or None,
            "seed": net.seed,
        } | ({} if self.baselines is None else {"baselines": [b.to_dict() for b in self.baselines]})


def show(outcome: Outcome) -> None:
    """Show on standard output how a training went, and what can be done next."""
    console = terminal.console()
    wide = terminal.is_wide(console)
    for number, (name, text) in enumerate(result_lines(outcome.result, outcome.net)):
        _line(console, name, text, "" if number else "bold")
    if outcome.baselines:
        from clearprop.cli import baselines  # with scikit-learn

        for name, text in baselines.lines(outcome.baselines, console.width - 20):
            _line(console, name, text)
    _line(console, "trained", _summary(outcome))
    if outcome.best_epoch is not None:
        _line(console, "kept", kept_line(outcome.best_epoch))
    if stopped := _stopped(outcome):
        _line(console, "stopped", stopped)
    _show_curve(console, outcome.training.history, wide, outcome.standardized)
    if outcome.images is not None:
        _show_wrong(console, outcome.net, *outcome.images, outcome.result["part"], wide)
    console.print()
    _line(console, "saved", outcome.saved)
    name = shlex.quote(outcome.saved)
    data = shlex.quote("DATA.csv" if outcome.test_data is None else outcome.test_data)
    command = "predict" if outcome.test_data is None else "evaluate"
    _line(console, "next", f"clearprop {command} {name} {data}", "bold")
    _line(console, "", f"clearprop info {name}", "bold")


def length(epochs: int, steps: int) -> str:
    """Return how long a network has been trained, in words."""
    counts = ((epochs, "epoch"), (steps, "step"))
    return ", ".join(f"{n:,} {what}{'' if n == 1 else 's'}" for n, what in counts)


def _summary(outcome: Outcome) -> str:
    training = outcome.training
    said = f"{length(training.epochs_done, training.state.step)}, {outcome.seconds:.1f} s"
    if training.history.stopped:
        said += f" ({training.history.stopped})"
    return f"{said}, seed {outcome.net.seed}"


def _stopped(outcome: Outcome) -> str:
    """Return what patience has ended the training, where one has."""
    training, best = outcome.training, outcome.best_epoch
    if training.history.stopped != "early stopping" or best is None:
        return ""
    waited, wanted = training.epochs_done - best, training.settings.epochs
    return f"{waited:,} epochs brought nothing better (--patience none makes all {wanted:,})"


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
    shown = _fewer(encoder.decisions)
    rows = _joined(_rows(encoder, shown)) if len(shown) > _JOINED_FROM else _rows(encoder, shown)
    longest = max((len(row.name) for row in rows), default=0)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("column", overflow="fold", no_wrap=longest <= console.width // 2)
    table.add_column("kind", no_wrap=True)
    table.add_column("inputs", justify="right", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for row in rows:
        inputs = str(row.inputs or "")
        table.add_row(row.name, row.kind, inputs, row.text, style="" if row.inputs else "dim")
    terminal.print_table(console, table)
    if left := len(encoder.decisions) - len(shown):
        rest = Counter(each.kind for each in encoder.decisions if each not in shown)
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in rest.most_common())
        console.print(f"and {left:,} more: {kinds}", soft_wrap=True)
    console.print()


class _Row(NamedTuple):
    """A line on a column, or on neighbours that are alike."""

    name: str
    kind: str
    inputs: int
    text: str


def _rows(encoder: TableEncoder, shown: Sequence[ColumnDecision]) -> list[_Row]:
    made = {each.name: each for each in encoder.encoded}
    rows = []
    for each in shown:
        found = made.get(each.name)
        text = f"{each.reason} ({found.summary})" if found and found.summary else each.reason
        inputs = len(found.feature_names) if found else 0
        rows.append(_Row(terminal.plain(each.name), each.kind, inputs, terminal.plain(text)))
    return rows


def _joined(rows: Sequence[_Row]) -> list[_Row]:
    """Return a line for neighbours of which the same is said: the forty kinds of soil are one."""
    joined = []
    for (kind, _, text), group in itertools.groupby(rows, key=lambda row: row[1:]):
        alike = list(group)
        if len(alike) < _ALIKE or kind == "target":
            joined += alike
            continue
        name = f"{alike[0].name} to {alike[-1].name}"
        inputs = sum(row.inputs for row in alike)
        joined.append(_Row(name, kind, inputs, f"{len(alike):,} columns, each: {text}"))
    return joined


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


def _line(console: Console, name: str, text: str, style: str = "") -> None:
    from rich.text import Text

    line = Text(f"{name:<20}", "dim")
    line.append(text, style)
    console.print(line, soft_wrap=True)


def result_lines(result: Mapping[str, Any], net: cp.Network) -> list[tuple[str, str]]:
    """Return what a part of the data measured, as names and texts."""
    part, n = result["part"], int(result["n_samples"])
    named = "" if "folds" in result else f"{part} "  # which has a line of its own
    cost = (f"{named}cost", f"{terminal.number(result['cost'])}  ({net.architecture.cost.name})")
    sure = _sure_lines(result) + _calibration_lines(result) + _threshold_lines(result)
    if "accuracy" in result:
        right = round(result["accuracy"] * n)
        text = f"{terminal.percent(result['accuracy'])}  ({right:,} of {n:,} right)"
        return [(f"{named}accuracy", text), *sure, cost]
    rmse, mae = terminal.number(result["rmse"]), terminal.number(result["mae"])
    return [
        (f"{named}R2", f"{result['r2']:.3f}  ({n:,} rows)"),
        *sure,
        (f"{named}RMSE", f"{rmse}  (mean absolute error {mae})"),
        *([("90 % lie within", terminal.number(away))] if (away := result.get("within_90")) else []),
        cost,
    ]


def _sure_lines(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the interval of a result's first figure, and what the rows are that it comes from."""
    if result["part"] == "training":
        return [("", "of rows it learned from: others do worse")]
    lines, n = [], int(result["n_samples"])
    name, show = ("accuracy", terminal.percent) if "accuracy" in result else ("r2", "{:.3f}".format)
    if name in (between := result.get("intervals", {})):
        low, high = map(show, between[name])
        lines.append(("95 % interval", f"{low} to {high}"))
    if "folds" in result:
        lines.append(("", "out of fold: of each row one of"))
        lines.append(("", f"{result['folds']} networks that had not seen it"))
    if "n_validation" in result:
        lines.append(("", f"of rows that chose nothing; {result['n_validation']:,} chose"))
    if n < _FEW:
        lines.append(("", "few rows: the interval says how little"))
    return lines


def _calibration_lines(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the temperature, and how reliable probabilities were before and are now."""
    found = result.get("calibration")
    if found is None:
        return []
    before, after = found["before"], found["after"]
    taken_back = ", label smoothing taken back" if found.get("label_smoothing") else ""
    lines = [("temperature", f"{found['temperature']:.3g}{taken_back}")]
    for key, name in (("ece", "ECE"), ("log_loss", "log loss"), ("brier", "Brier score")):
        lines.append((name, f"{before[key]:.4f}, calibrated {after[key]:.4f}"))
    lines.insert(
        2, ("", f"of labels drawn {before['ece_by_chance']:.4f}, {after['ece_by_chance']:.4f}")
    )
    return lines


def _threshold_lines(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the threshold, and how good the answers by it are."""
    found = result.get("threshold")
    if found is None:
        return []
    (low, high), name = found["interval"], found["by"].replace("_", " ")
    return [
        ("threshold", f"{found['value']:.3g}, chosen by {name}"),
        (name, f"{found['score']:.4g} ({low:.4g} to {high:.4g}), {found['at_half']:.4g} at 0.5"),
    ]


def kept_line(best_epoch: int) -> str:
    """Return which epoch's network a model is."""
    return f"epoch {best_epoch:,}, the best on the rows held out"


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
            panels.append((only if len(lines) == 1 else title, lines))
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
    if standardized:  # the cost above it is in the target's units
        console.print(
            "         the cost is that of the standardized target", style="dim", soft_wrap=True
        )


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
