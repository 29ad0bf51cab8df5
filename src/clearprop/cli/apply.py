"""``clearprop predict``, and the arguments of every command that applies a model to data."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from clearprop.cli import files, model, predictions


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
