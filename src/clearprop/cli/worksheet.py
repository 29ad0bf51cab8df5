"""``clearprop worksheet``: a pass or a step as an exercise, for one student or a class."""

from __future__ import annotations

import enum
from typing import Annotated

import clearprop as cp
from clearprop.classroom.working import BLANKS
from clearprop.cli import errors, files, model
from clearprop.cli.arguments import option


class Format(enum.StrEnum):
    """What a worksheet is written in."""

    text = "text"
    latex = "latex"
    html = "html"


_Layers = Annotated[
    str, option(metavar="N,N[,N...]", text="Inputs, and neurons of each layer", default="2,2,1")
]
_Activation = Annotated[
    str, option(metavar="NAME", text="sigmoid, tanh, relu, leaky_relu or identity", default="sigmoid")
]
_Output = Annotated[
    str | None, option(metavar="NAME", text="Of the last layer", default="what suits the cost")
]
_Cost = Annotated[
    str,
    option(
        metavar="NAME",
        text="quadratic, squared_error, cross_entropy or binary_cross_entropy",
        default="quadratic",
    ),
]
_Blanks = Annotated[
    str,
    option(
        metavar="PART[,PART...]",
        text="What is to be filled in: forward, deltas, gradients, update",
        default="all",
    ),
]
_Notation = Annotated[
    str, option(metavar="NAME", text="Symbols: nielsen, jordan, dp or softmax-ce", default="nielsen")
]
_Folder = Annotated[
    str | None,
    option(
        metavar="FOLDER",
        text="A new folder for sheets, forms and keys",
        default="one sheet to standard output",
    ),
]
_ALL = ",".join(BLANKS)
_Digits = Annotated[int, option(metavar="N", text="Significant digits to round to, 2 to 8", default=4)]
_Students = Annotated[
    int, option(metavar="N", text="How many sheets, each with other numbers", default=1)
]


def worksheet(
    layers: _Layers = "2,2,1",
    activation: _Activation = "sigmoid",
    output_activation: _Output = None,
    cost: _Cost = "quadratic",
    rows: Annotated[int, option(metavar="N", text="Rows in the batch, 1 to 3", default=1)] = 1,
    blanks: _Blanks = _ALL,
    learning_rate: Annotated[float, option(metavar="F", text="Of the update", default=0.5)] = 0.5,
    notation: _Notation = "nielsen",
    digits: _Digits = 4,
    students: _Students = 1,
    seed: Annotated[int, option(metavar="N", text="Of the numbers", default=0)] = 0,
    format: Annotated[
        Format, option(metavar="NAME", text="text, latex or html", default="text")
    ] = Format.text,
    output: _Folder = None,
) -> None:
    """Make exercises: one pass or step of a small network, with short numbers and blanks.

    With --output each student gets a sheet and a CSV form to fill in; the
    keys lie in a folder of their own, keys. clearprop grade marks what is
    handed in.

    Example: clearprop worksheet --students 30 --format html --output class
    """
    if output is None and students > 1:
        raise ValueError(f"--students {students} needs --output FOLDER for the sheets and the keys")
    files.refuse_terminal(format is Format.html, output)
    made = cp.worksheets(
        _sizes(layers),
        activation,
        output_activation,
        cost,
        rows=rows,
        blanks=[each.strip() for each in blanks.split(",")],
        learning_rate=learning_rate,
        notation=notation,
        digits=digits,
        students=students,
        seed=seed,
    )
    if output is None:
        print(made[0].sheet(format.value), end="")
        errors.say("the key, and a form that grade reads, are written with --output FOLDER")
        return
    from clearprop.classroom.folder import ALL, ENDINGS, write_worksheets

    folder = model.expanded(output)
    write_worksheets(made, folder, format.value)
    s = "" if students == 1 else "s"
    at_once = (
        "" if students == 1 else f"; {ALL}{ENDINGS[format.value]} in each has all of them, to print"
    )
    errors.say(
        f"wrote {students} sheet{s} and form{s} of {len(made[0].lines)} blanks to {folder}, "
        f"the key{s} to {folder}/keys{at_once}"
    )


def _sizes(text: str) -> list[int]:
    words = [each.strip() for each in text.split(",")]
    if len(words) < 2 or not all(each.isascii() and each.isdigit() and len(each) < 7 for each in words):
        raise ValueError(f"--layers must be whole numbers between commas, as 2,3,1, got {text!r}")
    return [int(each) for each in words]
