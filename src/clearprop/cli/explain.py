"""``clearprop explain``: one exact pass of a model on one row, with every number."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

import clearprop as cp
from clearprop.cli import files, model, model_data, terminal
from clearprop.cli.arguments import DataArgument, ModelArgument, Part, PartOption, TargetOption


class Format(enum.StrEnum):
    """What the explanation is written in."""

    text = "text"
    html = "html"
    latex = "latex"
    mathml = "mathml"
    json = "json"


def explain(
    model_file: ModelArgument,
    data: DataArgument,
    row: Annotated[int, typer.Option(help="Row of the part, counted from 0.")] = 0,
    notation: Annotated[
        str | None,
        typer.Option(metavar="nielsen|jordan|dp|softmax-ce", help="Whose symbols (nielsen)."),
    ] = None,
    format: Annotated[Format, typer.Option(help="What it is written in.")] = Format.text,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where to write it (standard output).")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Show the update of gradient descent (SGD) with it; else it is left open."),
    ] = None,
    blanks: Annotated[
        bool,
        typer.Option(
            "--blanks", help="Leave the derivatives out, to be filled in; a key is at the end."
        ),
    ] = False,
    algorithm: Annotated[
        str | None,
        typer.Option(
            metavar="A1|A2|A4|A6|A8",
            help="Tell it step by step as a book's algorithm does: S2's two, S1's, S3's, S0's.",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            metavar="matrix|component|numbers|chain|path",
            help="One way to look at the formulas (what reads best together).",
        ),
    ] = None,
    digits: Annotated[int, typer.Option(help="Significant digits, 1 to 17.")] = 4,
    part: PartOption = Part.test,
    target: TargetOption = None,
) -> None:
    """Show every number of one pass of MODEL on a row of DATA: forwards, backwards, gradients.

    Example: clearprop explain digits.safetensors digits --row 3 --format html --output page.html
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    net = model.load_model(model_file)
    dataset = model_data.load_data(net, data, target, part=part)
    X, Y = dataset.part(part)
    if not 0 <= row < len(X):
        raise ValueError(
            f"--row must be in 0..{len(X) - 1}, got {row}: {dataset.source} has {len(X):,} rows in "
            f"its part {model_data.part_name(dataset, part)}"
        )
    one = slice(row, row + 1)
    text = cp.explain(
        net,
        X[one],
        model.outputs_of(net).encode(Y[one]),
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
