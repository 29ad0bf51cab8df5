"""``clearprop explain``: one exact pass of a model on one row, or a few, with every number."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import files, model, model_data, terminal
from clearprop.cli.arguments import (
    DataArgument,
    MemberOption,
    ModelArgument,
    Part,
    PartOption,
    TargetOption,
    option,
)
from clearprop.data import Dataset


class Format(enum.StrEnum):
    """What the explanation is written in."""

    text = "text"
    html = "html"
    latex = "latex"
    mathml = "mathml"
    json = "json"


_LearningRate = Annotated[
    float | None,
    option(metavar="F", text="Show an update by gradient descent (SGD) with it."),
]
_Blanks = Annotated[
    bool,
    option(
        "--blanks",
        metavar="",
        text="Leave the derivatives out, to be filled in; a key is at the end.",
    ),
]
_Algorithm = Annotated[
    str | None,
    option(
        metavar="NAME",
        text="Tell it step by step as a book does: A1, A2 (nielsen), A4 (jordan), A6 (dp), A8.",
    ),
]
_Form = Annotated[
    str | None,
    option(
        metavar="NAME",
        text="Formulas as matrix, component, numbers, chain or path",
        default="what reads best; json: none, or all",
    ),
]


def explain(
    model_file: ModelArgument,
    data: DataArgument,
    row: Annotated[int, option(metavar="N", text="Row of the part, counted from 0", default=0)] = 0,
    rows: Annotated[
        int, option(metavar="N", text="How many rows from there on, as one batch", default=1)
    ] = 1,
    notation: Annotated[
        str | None,
        option(metavar="NAME", text="Symbols: nielsen, jordan, dp or softmax-ce", default="nielsen"),
    ] = None,
    format: Annotated[
        Format, option(metavar="NAME", text="text, html, latex, mathml or json", default="text")
    ] = Format.text,
    output: Annotated[
        str | None, option(metavar="FILE", text="Where it is written", default="standard output")
    ] = None,
    learning_rate: _LearningRate = None,
    blanks: _Blanks = False,
    algorithm: _Algorithm = None,
    form: _Form = None,
    digits: Annotated[int, option(metavar="N", text="Significant digits, 1 to 17", default=4)] = 4,
    part: PartOption = Part.test,
    target: TargetOption = None,
    member: MemberOption = None,
) -> None:
    """Show every number of one pass of MODEL on rows of DATA: forwards, backwards, gradients.

    Example: clearprop explain digits.safetensors digits --row 3 --format html --output page.html
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    files.refuse_terminal(format is Format.html, output)
    net = model.load_member(model_file, member)
    dataset = model_data.load_data(net, data, target, part=part)
    X, Y = _rows(dataset, part, row, rows)
    if net.model.is_of_table and len(X) == 1:
        net.feature_names = model_data.names_in_row(net, data, row)
    text = cp.explain(
        net,
        X,
        net.model.encode_numbers(Y),
        notation,
        format.value,
        form=form,
        algorithm=algorithm,
        digits=digits,
        optimizer=None if learning_rate is None else cp.SGD(learning_rate),
        blanks=blanks,
        ascii=format is Format.text and output is None and not terminal.is_wide(terminal.console()),
    )
    if output is None:
        print(text, end="")
    else:
        Path(model.expanded(output)).write_text(text, "utf-8")


def _rows(dataset: Dataset, part: Part, first: int, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return rows of a part by their numbers in its file: some may have no target."""
    (X, Y), there = dataset.part(part), dataset.with_target
    total = len(X) if there is None else len(there)
    has = f"{dataset.source} has {total:,} rows in its part {model_data.part_name(dataset, part)}"
    if not 0 <= first < total:
        raise ValueError(f"--row must be in 0..{total - 1}, got {first}: {has}")
    if not 1 <= n <= total - first:
        raise ValueError(f"--rows must be in 1..{total - first} from row {first} on, got {n}: {has}")
    if there is not None:
        if not there[first : first + n].all():
            row = first + int(np.argmin(there[first : first + n]))
            raise ValueError(f"--row must have a target, row {row} of {dataset.source} has none")
        first = int(there[:first].sum())
    return X[first : first + n], Y[first : first + n]
