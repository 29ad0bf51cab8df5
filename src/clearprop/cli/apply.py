"""``clearprop predict``, and the arguments of every command that applies a model to data."""

from __future__ import annotations

import dataclasses
import enum
from typing import Annotated, Any

import typer

import clearprop as cp
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
DelimiterOption = Annotated[
    str | None, typer.Option(help="Between the fields of a table (as in training, or by the file).")
]
DecimalOption = Annotated[
    str | None, typer.Option(help="Decimal sign of a table, . or , (as in training).")
]
EncodingOption = Annotated[str | None, typer.Option(help="Of a table (as in training).")]


def predict(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="A .csv or .parquet file (standard output).")
    ] = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
) -> None:
    """Predict the rows of DATA with MODEL, as CSV: row, prediction, and a probability for each class.

    The rows count from 0 and keep their order. DATA needs no target; a table may be of any size.

    Example: clearprop predict digits.safetensors digits --output predictions.csv
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    net = model.load_model(model_file)
    read_otherwise(net, data, delimiter, decimal, encoding)
    if output is not None:
        predictions.check_output(model.expanded(output))
    predictions.write(net, model.input_blocks(net, data, part), output)


def read_otherwise(
    net: cp.Network, data: str, delimiter: str | None, decimal: str | None, encoding: str | None
) -> None:
    """Let a model of raw tables read DATA as it is written, where that is not as in its training.

    Raises
    ------
    ValueError
        If an option is wrong, or the model takes no raw tables.
    """
    options = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if not given:
        return
    if not model.is_of_table(net):
        raise ValueError(f"--{next(iter(given))} is for models of tables (CSV, Parquet), got {data}")
    from clearprop.cli import table_options
    from clearprop.estimators.table_reader import TableReader

    if delimiter is not None:
        given["delimiter"] = table_options.delimiter(delimiter)
    then = TableReader.from_about(net.about, net.dtype).read
    net.about["table"]["read"] |= dataclasses.asdict(dataclasses.replace(then, **given))
