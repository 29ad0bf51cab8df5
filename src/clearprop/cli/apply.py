"""``clearprop evaluate`` and ``clearprop predict``: a model and data it has not seen."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from clearprop.cli import errors, files, model, predictions, terminal
from clearprop.data import Dataset
from clearprop.data.dataset import some


class Part(enum.StrEnum):
    """Which part of the data."""

    train = "train"
    test = "test"
    all = "all"


ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="A model file or checkpoint.")]
DataArgument = Annotated[
    str, typer.Argument(metavar="DATA", help="A built-in set, a file or a folder.")
]
PartOption = Annotated[
    Part, typer.Option(help="Part of a built-in set or IDX folder; a file is one part.")
]
TargetOption = Annotated[
    str | None, typer.Option(help="Column that holds the target (the one the model learned).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def evaluate(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure MODEL on DATA: cost and accuracy, or errors and R2.

    Example: clearprop evaluate digits.safetensors digits --json
    """
    net = model.load_model(model_file)
    dataset, known = model.load_with_strangers(net, data, target)
    X, Y = dataset.part(part)
    name = model.part_name(dataset, part)
    if name == "all" and dataset.X_test is None and net.about.get("data") == dataset.source:
        errors.say(f"note: {model_file} was trained on rows of {dataset.source}")
    result = {"part": name, "n_samples": len(X), **model.measure(net, X, Y)}
    if known is not None and (n := int(np.count_nonzero(known <= Y))):
        result["n_unknown"] = n
        _say_unknown(n, dataset, known, Y)
    if as_json:
        terminal.print_json(result)
        return
    for key, value in result.items():
        shown = value if isinstance(value, str | int) else format(value, ".6g")
        print(f"{key:<12}{'none' if shown == 'nan' else shown}")


def _say_unknown(n: int, dataset: Dataset, known: int, Y: NDArray[Any]) -> None:
    """Say which labels were counted as wrong, and what the cost is over."""
    rows = "1 row has a label" if n == 1 else f"{n:,} rows have labels"
    names = some([(dataset.classes or ())[number] for number in np.unique(Y[known <= Y])])
    cost = "no row is left for a cost" if n == len(Y) else f"the cost is over the other {len(Y) - n:,}"
    errors.say(f"{rows} the model does not know ({names}): counted as wrong; {cost}")


def predict(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="A .csv or .parquet file (standard output).")
    ] = None,
) -> None:
    """Predict the rows of DATA with MODEL, as CSV: row, prediction, and a probability for each class.

    The rows count from 0 and keep their order. DATA needs no target; a table may be of any size.

    Example: clearprop predict digits.safetensors digits --output predictions.csv
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    net = model.load_model(model_file)
    if output is not None:
        predictions.check_output(model.expanded(output))
    predictions.write(net, model.input_blocks(net, data, part), output)
