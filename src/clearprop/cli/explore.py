"""``clearprop explore``: the live page, of a playground or of one's own network."""

from __future__ import annotations

from typing import Annotated

import typer

import clearprop as cp
from clearprop.cli import errors, files, model, model_data, standard_input
from clearprop.cli.arguments import Part, PartOption, TargetOption, option
from clearprop.exploration import MOST_ROWS, Exploration


def explore(
    model_file: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="A model file; without one, a playground.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="A built-in set, a file or a folder; - is standard input."),
    ] = None,
    output: Annotated[
        str | None, option(metavar="FILE", text="Write the page there, and open no browser")
    ] = None,
    part: PartOption = Part.test,
    target: TargetOption = None,
) -> None:
    """Train, step through and change a network in the browser, with every number in sight.

    Example: clearprop explore --output playground.html
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    made = cp.explore() if model_file is None else _own(model_file, data, target, part)
    if output is not None:
        made.write(model.expanded(output))
    elif not made.show():
        raise ValueError("there is no browser to open: --output page.html writes the page")


def _own(model_file: str, data: str | None, target: str | None, part: Part) -> Exploration:
    if data is None:
        raise ValueError("DATA must be given with MODEL: the rows that the network is shown on")
    net = model.load_model(model_file)
    if net.model.is_of_table:
        raise ValueError(
            f"MODEL must be a network of arrays, {model_file} is one of a table: "
            "clearprop explain shows it row by row"
        )
    X, Y = model_data.load_data(net, standard_input.as_file(data), target, part=part).part(part)
    if len(X) > MOST_ROWS:
        errors.say(f"the page has the first {MOST_ROWS:,} of {len(X):,} rows")
    return cp.explore(net, X[:MOST_ROWS], net.model.encode_numbers(Y[:MOST_ROWS]))
