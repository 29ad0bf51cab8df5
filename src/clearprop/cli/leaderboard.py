"""What a tuning found: its trials, what rows say that have chosen nothing, and JSON of both."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clearprop.cli import terminal
from clearprop.cli.evaluate import NAMES, number_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from clearprop.tuning import TrialResult, Tuning

_SHOWN = 10  # of the best trials, beside those of the ensemble
_BESIDE = {"log_loss": "accuracy", "rmse": "r2"}  # the metric that is shown beside the objective
_OURS = ("best network", "ensemble")


def line(trial: TrialResult) -> str:
    """Return a line on a trial that has ended."""
    if trial.error:
        return f"trial {trial.number} failed after {trial.seconds:.1f} s: {trial.error}"
    told = ", ".join(
        f"{NAMES[name]} {number_of(name, trial.metrics[name])}"
        for each in _BESIDE.items()
        for name in each
        if name in trial.metrics
    )
    what = _in_short(trial.parameters)
    return f"trial {trial.number}: {told}, {trial.seconds:.1f} s ({what})"


def show(found: Tuning, saved: str) -> None:
    """Print the leaderboard, the figures of the test rows, and what was saved."""
    console = terminal.console()
    console.print()
    _show_trials(console, found)
    _show_test(console, found)
    for each in _remarks(found):
        console.print(each, style="dim", soft_wrap=True)
    console.print()
    said = f"{saved}: {_saved(found)}, trained again; seed {found.seed}"
    console.print(f"{'saved':<20}{said}", soft_wrap=True)
    console.print(f"{'next':<20}clearprop predict {shlex.quote(saved)} DATA.csv", soft_wrap=True)


def _saved(found: Tuning) -> str:
    """Return what is in the model's file."""
    numbers = list(found.weights)
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    return f"an ensemble of trials {', '.join(map(str, numbers))} (members 0 to {len(numbers) - 1})"


def _table(console: Console, *columns: str) -> Table:
    """Return a table without rows: numbers stand in all columns but the first, and the last of six."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if terminal.is_wide(console) else box.ASCII_DOUBLE_HEAD)
    for number, name in enumerate(columns):
        is_text = number == 0 or name == "what"
        table.add_column(name, justify="left" if is_text else "right", no_wrap=name != "what")
    return table


def _show_trials(console: Console, found: Tuning) -> None:
    beside = _BESIDE[found.objective]
    console.print(f"Chosen on {found.n_rows['validation']:,} validation rows:", soft_wrap=True)
    titles = NAMES[found.objective], NAMES[beside], "share", "seconds", "what"
    table = _table(console, "trial", *titles)
    for place, each in enumerate(found.trials):
        name, seconds = str(each.number), f"{each.seconds:.1f}"
        if each.error:
            error = f"failed: {terminal.plain(each.error)}"
            table.add_row(name, "", "", "", seconds, error, style="dim")
            continue
        weight = found.weights.get(each.number)
        if place >= _SHOWN and weight is None:
            continue
        share = "" if weight is None else terminal.percent(weight, 0)
        figures = number_of(found.objective, each.loss), number_of(beside, each.metrics[beside])
        table.add_row(name, *figures, share, seconds, _in_short(each.parameters))
    terminal.print_table(console, table)


def _show_test(console: Console, found: Tuning) -> None:
    metrics = found.objective, _BESIDE[found.objective]
    console.print(f"Measured on {found.n_rows['test']:,} rows that chose nothing:", soft_wrap=True)
    table = _table(console, "", *(NAMES[each] for each in metrics))
    for name in sorted(found.test, key=lambda each: found.losses[each]):
        cells, evaluated = [], found.test[name]
        for metric in metrics:
            ends = evaluated.intervals.get(metric, ())
            between = " to ".join(number_of(metric, each).removesuffix(" %") for each in ends)
            cells.append(
                number_of(metric, evaluated.metrics[metric]) + (f" ({between})" if ends else "")
            )
        said = f"ensemble of {len(found.weights)}" if name == "ensemble" else name
        table.add_row(said, *cells, style="bold" if name == "ensemble" else "")
    terminal.print_table(console, table)


def _remarks(found: Tuning) -> list[str]:
    """Return what the figures of the test rows say of the network: also where others win."""
    ours = found.losses["ensemble"]  # which is what is saved
    name, loss = min(
        ((name, loss) for name, loss in found.losses.items() if name not in _OURS),
        key=lambda each: each[1],
    )
    remarks = ["In parentheses: 95 % intervals, bootstrap over rows. Share: in the ensemble."]
    if loss < ours:
        unit = NAMES[found.objective]
        lead = f"{number_of(found.objective, loss)} against {number_of(found.objective, ours)}"
        remarks.append(f"On these test rows {name} did better: {unit} {lead}.")
    return remarks


def _in_short(drawn: Mapping[str, Any]) -> str:
    """Return what a trial drew in a line: what is off is left out."""
    width, layers = drawn.get("width"), drawn.get("layers")
    said = [] if width is None else [f"{layers} x {width}"]
    said += [
        str(drawn[name]) for name in ("activation", "embedding") if drawn.get(name, "none") != "none"
    ]
    rates = {
        "learning_rate": "rate",
        "dropout": "dropout",
        "weight_decay": "decay",
        "label_smoothing": "smoothing",
    }
    said += [f"{short} {drawn[name]:.3g}" for name, short in rates.items() if name in drawn]
    if drawn.get("averages") is False:
        said.append("no averaging")
    return ", ".join(said) or "as it was given"


def described(found: Tuning) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {
        "objective": found.objective,
        "rows": found.n_rows,
        "seed": found.seed,
        "saved": {
            "kind": "network" if len(found.weights) == 1 else "ensemble",
            "trials": list(found.weights),
        },
        "trials": [
            {
                "number": each.number,
                "loss": each.loss,
                "metrics": each.metrics,
                "epochs": each.epochs,
                "epochs_made": each.epochs_made,
                "seconds": each.seconds,
                "error": each.error or None,
                "weight": found.weights.get(each.number, 0.0),
                "parameters": each.parameters,
            }
            for each in found.trials
        ],
        "test": {
            name: {
                "loss": found.losses[name],
                "metrics": each.metrics,
                "intervals": {metric: list(ends) for metric, ends in each.intervals.items()},
            }
            for name, each in found.test.items()
        },
    }
