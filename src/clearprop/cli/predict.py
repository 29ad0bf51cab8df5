"""``clearprop predict``: what a model makes of the rows of data."""

from __future__ import annotations

import dataclasses
import enum
import os
from fractions import Fraction
from typing import Annotated

import numpy as np

from clearprop.cli import errors, files, model, processes
from clearprop.cli.arguments import (
    CommentOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    FilesArgument,
    ModelArgument,
    Part,
    PartOption,
    SkipLinesOption,
    one_or_more,
    option,
)
from clearprop.cli.model import Answering
from clearprop.model.targets import Classes


class Format(enum.StrEnum):
    """What predictions are written as."""

    csv = "csv"
    parquet = "parquet"
    jsonl = "jsonl"


_Output = Annotated[
    str | None,
    option(metavar="FILE", text="A .csv, .parquet or .jsonl file.", default="standard output"),
]
_Format = Annotated[
    Format | None,
    option(metavar="NAME", text="csv, parquet or jsonl (a JSON object a line)", default="told by FILE"),
]
_Interval = Annotated[
    str | None,
    option(
        metavar="PERCENT",
        text="Of quantities: bounds beside each prediction that so many per cent of rows lie in.",
    ),
]
_Keep = Annotated[
    str | None,
    option(
        metavar="COLUMNS",
        text="Columns of a table that are written beside the predictions",
        default="its identifiers",
    ),
]
_Reasons = Annotated[
    int | None,
    option(metavar="N", text="The columns that moved each prediction most, from the median row."),
]
_Threshold = Annotated[
    float | None,
    option(
        metavar="P",
        text="Of two classes: above which probability the second is told",
        default="the model's",
    ),
]
_StallTimeout = Annotated[
    float | None,
    option(
        metavar="SECONDS",
        text="In which a process that stops ends all that mpiexec has started.",
        default="30",
    ),
]


def predict(
    model_file: ModelArgument,
    data: FilesArgument,
    part: PartOption = Part.test,
    output: _Output = None,
    format: _Format = None,
    keep: _Keep = None,
    interval: _Interval = None,
    reasons: _Reasons = None,
    threshold: _Threshold = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    skip_lines: SkipLinesOption = None,
    comment: CommentOption = None,
    stall_timeout: _StallTimeout = None,
) -> None:
    """Predict the rows of DATA with MODEL: row, key, prediction, and a probability for each class.

    The rows count from 0 and keep their order. DATA needs no target; a table may be of any size, and
    its identifiers, which nothing was learned from, are written beside the predictions.
    Labels are written as they are: a spreadsheet takes one that begins with = + - or @ for a formula.
    Each of several processes (mpiexec) writes a Parquet file, whose name has its number.

    Example: clearprop predict digits.safetensors digits --output predictions.csv
    """
    processes.compare_arguments(locals())
    from clearprop.cli import predictions, row_blocks

    processes.take_stall_timeout(stall_timeout, "predict")
    source, team = one_or_more(data), processes.team()
    with processes.sharing_problems():
        files.refuse_same({"MODEL": model_file, "DATA": source}, {"--output": output})
        net = model.load_answering(model_file)
        model.read_otherwise(
            net, str(source), delimiter=delimiter, decimal=decimal, encoding=encoding,
            skip_lines=skip_lines, comment=comment,
        )  # fmt: skip
        level = None if interval is None else _level(interval)
        if threshold is not None:
            _decide(net, threshold)
        if reasons is not None and reasons < 1:
            raise ValueError(f"--reasons must be at least 1, got {reasons}")
        if team is not None and team.size > 1:
            output = _part_of(output, team.rank, team.size)
        if output is not None:
            predictions.check_output(model.expanded(output))
    if team is not None:
        processes.compare_content("MODEL", np.fromfile(model.expanded(model_file), np.uint8))
    mine = (0, 1) if team is None else (team.rank, team.size)
    blocks = row_blocks.blocks(net, source, part, keep, *mine)
    written = None if format is None else format.value
    wanted = predictions.Wanted(output, written, level, reasons, blocks.first)
    predictions.write(net, blocks.each, wanted)
    if output is not None:
        errors.say(f"wrote {output}")


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


def _decide(net: Answering, threshold: float) -> None:
    """Let a model of two classes answer by another threshold."""
    made, targets = net.model, net.model.targets
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"--threshold must be a probability, from 0 to 1, got {threshold:g}")
    two = isinstance(targets, Classes) and targets.n_classes == 2
    if not isinstance(targets, Classes) or not two or not made.architecture.output.probabilities:
        raise ValueError("--threshold is for the probabilities of two classes, the model has none")
    made.targets = dataclasses.replace(targets, threshold=threshold)
