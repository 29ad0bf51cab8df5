"""``clearprop predict``: what a model makes of the rows of data."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Annotated

from clearprop.cli import files, model, model_data, predictions, processes
from clearprop.cli.arguments import (
    CommentOption,
    DataArgument,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    ModelArgument,
    Part,
    PartOption,
    SkipLinesOption,
    option,
)


def predict(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    output: Annotated[
        str | None, option(metavar="FILE", text="A .csv or .parquet file.", default="standard output")
    ] = None,
    interval: Annotated[
        str | None,
        option(
            metavar="PERCENT",
            text="Of quantities: bounds beside each prediction that so many per cent of rows lie in.",
        ),
    ] = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    skip_lines: SkipLinesOption = None,
    comment: CommentOption = None,
) -> None:
    """Predict the rows of DATA with MODEL, as CSV: row, prediction, and a probability for each class.

    The rows count from 0 and keep their order. DATA needs no target; a table may be of any size.
    Labels are written as they are: a spreadsheet takes one that begins with = + - or @ for a formula.
    Each of several processes (mpiexec) writes a Parquet file, whose name has its number.

    Example: clearprop predict digits.safetensors digits --output predictions.csv
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    net = model.load_answering(model_file)
    model.read_otherwise(
        net, data, delimiter=delimiter, decimal=decimal, encoding=encoding, skip_lines=skip_lines,
        comment=comment,
    )  # fmt: skip
    level = None if interval is None else _level(interval)
    team = processes.team()
    if team is not None and team.size > 1:
        output = _part_of(output, team.rank, team.size)
    if output is not None:
        predictions.check_output(model.expanded(output))
    mine = (0, 1) if team is None else (team.rank, team.size)
    blocks = model_data.input_blocks(net, data, part, *mine)
    predictions.write(net, blocks.each, output, level, blocks.first)


def _part_of(output: str | None, rank: int, size: int) -> str:
    """Return the file that one of several processes writes: their names sort as the rows do."""
    stem, ending = os.path.splitext(output or "")
    if ending.lower() != ".parquet":
        got = "none" if output is None else output
        raise ValueError(
            f"--output must be a .parquet file with several processes, each writes a part; got {got}"
        )
    return f"{stem}-{rank:0{len(str(size - 1))}}{ending}"


def _level(text: str) -> Fraction:
    """Return the share that a percentage is, exactly."""
    try:
        level = Fraction(text.strip().removesuffix("%")) / 100
    except (ValueError, ZeroDivisionError):
        level = Fraction(0)
    if not 0 < level < 1:
        raise ValueError(f"--interval must be per cent above 0 and below 100, such as 90, got {text!r}")
    return level
