"""``clearprop explain``: one exact pass of a model on one row, or a few, with every number."""

from __future__ import annotations

import enum
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
_DIGITS = 4
_Row = Annotated[int, option(metavar="N", text="Row of the part, counted from 0", default=0)]
_NRows = Annotated[
    int, option(metavar="N", text="How many rows from there on, as one batch", default=1)
]
_Notation = Annotated[
    str | None,
    option(metavar="NAME", text="Symbols: nielsen, jordan, dp or softmax-ce", default="nielsen"),
]
_Format = Annotated[
    Format, option(metavar="NAME", text="text, html, latex, mathml or json", default="text")
]
_Output = Annotated[
    str | None, option(metavar="FILE", text="Where it is written", default="standard output")
]
_Digits = Annotated[int, option(metavar="N", text="Significant digits, 1 to 17", default=_DIGITS)]
_Reasons = Annotated[
    bool,
    option("--reasons", metavar="", text="Which columns moved the answer: of a table the default."),
]
_Change = Annotated[
    str | None,
    option(metavar="COLUMNS", text="The smallest changes of these columns that would turn the answer."),
]
_Baseline = Annotated[
    str | None,
    option(
        metavar="DATA",
        text="Reasons from rows of it, 64 at most, such as those of the training",
        default="the median row",
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
    row: _Row = 0,
    rows: _NRows = 1,
    notation: _Notation = None,
    format: _Format = Format.text,
    output: _Output = None,
    learning_rate: _LearningRate = None,
    blanks: _Blanks = False,
    algorithm: _Algorithm = None,
    form: _Form = None,
    digits: _Digits = _DIGITS,
    part: PartOption = Part.test,
    target: TargetOption = None,
    member: MemberOption = None,
    reasons: _Reasons = False,
    change: _Change = None,
    baseline: _Baseline = None,
) -> None:
    """Show why a row of a table is answered as it is, or every number of one pass on rows of DATA.

    Of a model of tables: which columns moved the answer, from what to what. Otherwise, and with any
    option of the pass such as --notation: forwards, backwards, gradients.

    Example: clearprop explain digits.safetensors digits --row 3 --format html --output page.html
    """
    files.refuse_same({"MODEL": model_file, "DATA": data, "--baseline": baseline}, {"--output": output})
    files.refuse_terminal(format is Format.html, output)
    of_pass = {
        "--rows": rows != 1, "--notation": notation, "--learning-rate": learning_rate,
        "--blanks": blanks, "--algorithm": algorithm, "--form": form, "--digits": digits != _DIGITS,
        "--member": member, "--target": target, "--format": format is not Format.text,
    }  # fmt: skip
    given = [name for name, value in of_pass.items() if value not in (None, False)]
    asked = reasons or change is not None or baseline is not None
    if asked:
        _refuse_pass([name for name in given if name != "--format"], format)
    answering = model.load_answering(model_file) if asked or not given else None
    if answering is not None and (asked or answering.model.is_of_table):
        from clearprop.cli import why

        tell = why.as_json if format is Format.json else why.text
        said = tell(answering, why.Question(data, row, part, change, baseline))
        hint = "" if asked or output else "\nEvery number of the pass: --notation nielsen\n"
        files.print_or_write(said + hint, output)
        return
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
    files.print_or_write(text, output)


def _refuse_pass(given: list[str], format: Format) -> None:
    """Refuse options of the pass where reasons are asked for."""
    if given:
        raise ValueError(f"reasons do not go with {given[0]}, which is of the pass")
    if format not in (Format.text, Format.json):
        raise ValueError(f"reasons are written as text or json, got --format {format.value}")


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
