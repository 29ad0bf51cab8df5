"""``clearprop evaluate``: how good a model is on data it has not seen, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import errors, model, terminal
from clearprop.cli.apply import (
    DataArgument,
    JsonOption,
    ModelArgument,
    Part,
    PartOption,
    TargetOption,
)
from clearprop.data import Dataset
from clearprop.data.dataset import some
from clearprop.evaluation import ClassTally, Evaluation, QuantityTally

if TYPE_CHECKING:
    from rich.console import Console

_ROWS = 4096  # passed through the network together
_WHOLE_MATRIX = 12  # classes up to which all of the confusion matrix is printed
_NAMES = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "auc": "AUC",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R2",
}

ReplicatesOption = Annotated[
    int, typer.Option("--bootstrap", min=0, help="Samples of the bootstrap; 0 for no intervals.")
]
LevelOption = Annotated[float, typer.Option(help="Share of the bootstrap's samples in an interval.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")]


def evaluate(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    target: TargetOption = None,
    replicates: ReplicatesOption = 1000,
    level: LevelOption = 0.95,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure MODEL on DATA: accuracy, log loss, Brier score, AUC and confusions, or errors and R2.

    Every number comes with a bootstrap interval: how far another sample of as many rows could move it.

    Example: clearprop evaluate digits.safetensors digits --json
    """
    if not 0 < level < 1:
        raise ValueError(f"--level must be above 0 and below 1, got {level:g}")
    net = model.load_model(model_file)
    dataset, known = model.load_with_strangers(net, data, target)
    X, Y = dataset.part(part)
    name = model.part_name(dataset, part)
    if name == "all" and dataset.X_test is None and net.about.get("data") == dataset.source:
        errors.say(f"note: {model_file} was trained on rows of {dataset.source}")
    result: dict[str, Any] = {"part": name, "n_samples": len(X), **model.measure(net, X, Y)}
    if known is not None and (n := int(np.count_nonzero(known <= Y))):
        result["n_unknown"] = n
        _say_unknown(n, dataset, known, Y)
    classes = model.schema_of(net).classes
    found = _tally(net, X, Y, seed).result(replicates, level)
    show(result, found, None if classes is None else tuple(map(str, classes)), seed, as_json)


def _tally(net: cp.Network, X: NDArray[Any], Y: NDArray[Any], seed: int) -> ClassTally | QuantityTally:
    classes = model.schema_of(net).classes
    output = net.architecture.output.name
    if classes is None:
        quantities = QuantityTally(seed)
        for first in range(0, len(X), _ROWS):
            a, y = net.predict(X[first : first + _ROWS]), Y[first : first + _ROWS]
            quantities.add(a, y.reshape(a.shape))
        return quantities
    single = net.sizes[-1] == 1
    probable = output == "softmax" or (single and output == "sigmoid")
    tally = ClassTally(len(classes), probabilities=probable, seed=seed)
    for first in range(0, len(X), _ROWS):
        a = net.predict(X[first : first + _ROWS])
        tally.add(np.hstack([1 - a, a]) if single else a, Y[first : first + _ROWS])
    return tally


def _say_unknown(n: int, dataset: Dataset, known: int, Y: NDArray[Any]) -> None:
    """Say which labels were counted as wrong, and what the cost is over."""
    rows = "1 row has a label" if n == 1 else f"{n:,} rows have labels"
    names = some([(dataset.classes or ())[number] for number in np.unique(Y[known <= Y])])
    cost = "no row is left for a cost" if n == len(Y) else f"the cost is over the other {len(Y) - n:,}"
    errors.say(f"{rows} the model does not know ({names}): counted as wrong; {cost}")


def show(
    result: dict[str, Any],
    found: Evaluation,
    classes: tuple[str, ...] | None,
    seed: int,
    as_json: bool,
) -> None:
    """Print an evaluation, as text or as one JSON object.

    Parameters
    ----------
    result : dict
        "part", "n_samples", "cost" and, where there are any, "n_unknown".
    found : Evaluation
    classes : tuple of str, optional
        Without them the task is a regression.
    seed : int
        Of the bootstrap.
    as_json : bool
    """
    result = result | found.metrics
    if as_json:
        if found.intervals:
            result["intervals"] = {name: list(each) for name, each in found.intervals.items()}
            result["bootstrap"] = {
                "replicates": found.replicates,
                "level": found.level,
                "method": "percentile",
                "seed": seed,
            }
        if found.confusion is not None and classes is not None:
            counts = found.confusion if "n_unknown" in result else found.confusion[:-1]
            result["confusion"] = {"classes": list(classes), "counts": counts.tolist()}
        terminal.print_json(result)
        return
    console = terminal.console()
    _print_metrics(console, result, found)
    if found.confusion is not None and classes is not None:
        _print_confusion(console, found.confusion, classes)


def _print_metrics(console: Console, result: dict[str, Any], found: Evaluation) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if terminal.is_wide(console) else box.ASCII_DOUBLE_HEAD)
    table.add_column(f"{result['part']}, {result['n_samples']:,} rows")
    table.add_column("", justify="right")
    if found.intervals:
        table.add_column(f"{100 * found.level:g} % interval", justify="right")
    for name in _NAMES:
        if name not in found.metrics:
            continue
        low, high = found.intervals.get(name, (float("nan"), float("nan")))
        between = "" if low != low else f"{low:.4g} to {high:.4g}"
        table.add_row(
            _NAMES[name], _number(found.metrics[name]), *([between] if found.intervals else [])
        )
    table.add_row("cost", _number(result["cost"]), *([""] if found.intervals else []))
    if "n_unknown" in result:
        table.add_row("unknown labels", f"{result['n_unknown']:,}")
    console.print(table)
    notes = []
    if found.intervals:
        notes.append(f"Intervals: bootstrap over rows, {found.replicates:,} samples, percentiles.")
    if found.rows_for_auc and found.rows_for_auc < result["n_samples"] - result.get("n_unknown", 0):
        notes.append(f"AUC: of {found.rows_for_auc:,} rows, drawn at random.")
    for note in notes:
        console.print(note, style="dim", soft_wrap=True)


def _number(value: float) -> str:
    return "none" if value != value else f"{value:.4g}"


def _print_confusion(console: Console, counts: NDArray[np.int64], classes: tuple[str, ...]) -> None:
    """Print the whole matrix of a few classes; of many, the pairs that are mistaken most often."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    style = box.SIMPLE_HEAD if terminal.is_wide(console) else box.ASCII_DOUBLE_HEAD
    names = [terminal.plain(name) for name in classes]
    if len(classes) <= _WHOLE_MATRIX:
        table = Table(box=style)
        table.add_column("is \\ predicted")
        for name in names:
            table.add_column(name, justify="right")
        for i, (name, row) in enumerate(zip([*names, "(unknown)"], counts, strict=True)):
            if i == len(names) and not row.any():
                continue
            cells = [Text(f"{n:,}" if n else ".", "bold" if i == j else "") for j, n in enumerate(row)]
            table.add_row(name, *cells)
    else:
        table = Table(box=style)
        for title in ("is", "predicted", "rows", "of that class"):
            table.add_column(title, justify="left" if title in ("is", "predicted") else "right")
        wrong = counts[:-1].copy()
        np.fill_diagonal(wrong, 0)
        for flat in np.argsort(-wrong, axis=None, kind="stable")[:10]:
            i, j = divmod(int(flat), len(names))
            if wrong[i, j]:
                share = wrong[i, j] / counts[i].sum()
                table.add_row(names[i], names[j], f"{wrong[i, j]:,}", f"{share:.1%}".replace("%", " %"))
    if table.row_count:
        console.print(table)
