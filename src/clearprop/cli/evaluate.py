"""``clearprop evaluate``: how good a model is on data it has not seen, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.cli import errors, model, model_data, terminal
from clearprop.cli.arguments import (
    CommentOption,
    DataArgument,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    GapsOption,
    JsonOption,
    ModelArgument,
    Part,
    PartOption,
    SkipLinesOption,
    TargetOption,
    option,
)
from clearprop.data.dataset import some
from clearprop.data.files import place_of
from clearprop.evaluation import ClassTally, Evaluation
from clearprop.model.ensemble import Averaged
from clearprop.model.measuring import Measured

if TYPE_CHECKING:
    from rich.console import Console

_ROWS = 4096  # passed through the network together
_WHOLE_MATRIX = 12  # classes up to which all of the confusion matrix is printed
NAMES = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "auc": "AUC",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R2",
}

ReplicatesOption = Annotated[
    int,
    option("--bootstrap", metavar="N", text="Samples of the bootstrap; 0: no intervals", default=1000),
]
LevelOption = Annotated[
    float, option(metavar="F", text="Share of those samples in an interval", default=0.95)
]
SeedOption = Annotated[int, option(metavar="N", text="Of the bootstrap", default=0)]


def evaluate(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    target: TargetOption = None,
    replicates: ReplicatesOption = 1000,
    level: LevelOption = 0.95,
    seed: SeedOption = 0,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    target_gaps: GapsOption = "drop",
    skip_lines: SkipLinesOption = None,
    comment: CommentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure MODEL on DATA: accuracy, log loss, Brier score, AUC and confusions, or errors and R2.

    Every number comes with an interval: how far another sample of as many rows could move it.

    Example: clearprop evaluate digits.safetensors digits --json
    """
    for name, value in (("bootstrap", replicates), ("seed", seed)):
        if value < 0:
            raise ValueError(f"--{name} must be at least 0, got {value}")
    if not 0 < level < 1:
        raise ValueError(f"--level must be above 0 and below 1, got {level:g}")
    net = model.load_answering(model_file)
    model.read_otherwise(
        net, data, delimiter=delimiter, decimal=decimal, encoding=encoding, skip_lines=skip_lines,
        comment=comment,
    )  # fmt: skip
    measured = Measured(net.model, seed, net.evaluate if isinstance(net, Averaged) else None)
    if net.model.is_of_table:
        name, source = "all", str(place_of(data))
        strangers: Sequence[Any] = measured.add_table(data, target, errors.say, target_gaps)
    else:
        dataset, known = model_data.load_with_strangers(net, data, target, target_gaps)
        name, source = model_data.part_name(dataset, part), dataset.source
        X, Y = dataset.part(part)
        for first in range(0, len(X), _ROWS):
            measured.add(net.model.rows(X[first : first + _ROWS]), Y[first : first + _ROWS])
        strange: Any = [] if known is None else np.unique(Y[known <= Y])
        strangers = [(dataset.classes or ())[number] for number in strange]
    if name == "all" and net.model.about.get("data") == source:
        errors.say(f"note: {model_file} was trained on rows of {source}")
    found = measured.tally.result(replicates, level)
    result = {"part": name, "n_samples": found.n_rows, "cost": measured.cost}
    if isinstance(measured.tally, ClassTally):
        result |= measured.tally.calibration_errors
    if strangers:
        result["n_unknown"] = found.n_rows - measured.n_known
        _say_unknown(found.n_rows - measured.n_known, found.n_rows, strangers)
    classes = net.model.schema.classes
    show(result, found, None if classes is None else tuple(map(str, classes)), seed, as_json)


def _say_unknown(n: int, n_rows: int, labels: Sequence[Any]) -> None:
    """Say which labels were counted as wrong, and what the cost is over."""
    rows = "1 row has a label" if n == 1 else f"{n:,} rows have labels"
    cost = "no row is left for a cost" if n == n_rows else f"the cost is over the other {n_rows - n:,}"
    errors.say(f"{rows} the model does not know ({some(labels)}): counted as wrong; {cost}")


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
        "part", "n_samples", "cost" and, where there are any, "n_unknown", "ece", "ece_by_chance".
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
            } | ({"wilson": ["accuracy"]} if found.wilson else {})
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
    table.add_column(
        f"{result['part']}, {result['n_samples']:,} row{'' if result['n_samples'] == 1 else 's'}"
    )
    table.add_column("", justify="right")
    if found.intervals:
        table.add_column(f"{100 * found.level:g} % interval", justify="right")
    for name in NAMES:
        if name not in found.metrics:
            continue
        low, high = found.intervals.get(name, (float("nan"), float("nan")))
        between = "" if low != low else f"{number_of(name, low)} to {number_of(name, high)}"
        value = number_of(name, found.metrics[name])
        table.add_row(NAMES[name], value, *([between] if found.intervals else []))
    if "ece" in result:
        chance = f"{number_of('ece', result['ece_by_chance'])} by chance"
        table.add_row("ECE", number_of("ece", result["ece"]), *([chance] if found.intervals else []))
    cost = terminal.number(result["cost"])
    table.add_row("cost", cost, *([""] if found.intervals else []))
    if "n_unknown" in result:
        table.add_row("unknown labels", f"{result['n_unknown']:,}")
    terminal.print_table(console, table)
    notes = []
    if found.intervals:
        notes.append(f"Intervals: bootstrap over rows, {found.replicates:,} samples, percentiles.")
        if found.wilson:
            notes.append("The accuracy's is Wilson's: it is the same in every sample of these rows.")
        if any(value == value for name, value in found.metrics.items() if name not in found.intervals):
            notes.append("There is none where every sample of these rows gives the same number.")
    if "ece" in result:
        notes.append(
            "ECE: 15 bins of equal mass; by chance is that of labels drawn from the probabilities."
        )
    if found.rows_for_auc and found.rows_for_auc < result["n_samples"] - result.get("n_unknown", 0):
        notes.append(f"AUC: of {found.rows_for_auc:,} rows, drawn at random.")
    for note in notes:
        console.print(note, style="dim", soft_wrap=True)


def number_of(name: str, value: float) -> str:
    """Return a metric's value as it is printed."""
    if name == "accuracy":
        return terminal.percent(value, 2)
    return f"{value:.4f}" if name == "r2" and abs(value) < 1e4 else terminal.number(value)


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
                table.add_row(names[i], names[j], f"{wrong[i, j]:,}", terminal.percent(share))
    if table.row_count:
        terminal.print_table(console, table)
