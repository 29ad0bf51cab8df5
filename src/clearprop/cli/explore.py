"""``clearprop explore``: the live page, of a playground or of one's own network."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import errors, files, model, model_data, standard_input
from clearprop.cli.arguments import Part, PartOption, PortOption, TargetOption, option
from clearprop.data.files import local_path
from clearprop.data.table import TableSource
from clearprop.exploration import MOST_PARAMETERS, MOST_ROWS, Exploration
from clearprop.model.targets import Units
from clearprop.names import trim


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
    serve: Annotated[
        bool,
        option("--serve", metavar="", text="Train with the real engine, for networks of any size."),
    ] = False,
    port: PortOption = None,
) -> None:
    """Train, step through and change a network in the browser, with every number in sight.

    Example: clearprop explore --output playground.html
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    if port is not None and not serve:
        raise ValueError(f"--port goes with --serve, got --port {port} alone")
    if serve:
        _serve(model_file, data, target, part, output, port)
        return
    made = cp.explore() if model_file is None else _own(model_file, data, target, part)
    if output is not None:
        made.write(model.expanded(output))
        errors.say(f"wrote {output}")
    elif not made.show():
        raise ValueError("there is no browser to open: --output page.html writes the page")


def _serve(
    model_file: str | None,
    data: str | None,
    target: str | None,
    part: Part,
    output: str | None,
    port: int | None,
) -> None:
    if model_file is None or data is None:
        raise ValueError("--serve needs MODEL and DATA: what is trained, and on what")
    if output is not None:
        raise ValueError("--serve does not go with --output: its page needs the server")
    if part is not Part.test:
        raise ValueError(f"--serve trains on the training part, got --part {part}")
    from clearprop.cli.serving import serve

    serve(model_file, data, target, port)


def _own(model_file: str, data: str | None, target: str | None, part: Part) -> Exploration:
    if data is None:
        raise ValueError("DATA must be given with MODEL: the rows that the network is shown on")
    net = model.read_network(model_file)[0]
    its = net.model
    if (n := its.architecture.n_parameters) > MOST_PARAMETERS:
        raise ValueError(
            f"MODEL must have at most {MOST_PARAMETERS:,} parameters for a page that trains in the "
            f"browser, got {n:,}: --serve trains it with the real engine, train --hidden 32,16 makes a "
            "smaller one"
        )
    X, Y = _table(net, data, target) if its.is_of_table else _arrays(net, data, target, part)
    if (n := len(Y)) > MOST_ROWS:
        errors.say(f"the page has the first {MOST_ROWS:,} of {n:,} rows")
    targets = Y[:MOST_ROWS]
    return cp.explore(
        net, X, targets if isinstance(its.targets, Units) else its.encode_numbers(targets)
    )


def _arrays(
    net: cp.Network, data: str, target: str | None, part: Part
) -> tuple[NDArray[Any], NDArray[Any]]:
    dataset = model_data.load_data(net, standard_input.as_file(data), target, part=part)
    X, Y = dataset.part(part)
    return X[:MOST_ROWS], Y


def _table(net: cp.Network, data: str, target: str | None) -> tuple[TableSource, NDArray[Any]]:
    """Return the rows of a raw table that have a target, and the numbers of their classes."""
    inputs, column = net.model.inputs, net.model.column
    assert column is not None
    source = inputs.open(local_path(standard_input.as_file(data)))
    name = trim(target or column.name)
    inputs.say_unknown(source, errors.say, name)
    column.check(source, name)
    source = source.with_target(name, "drop")
    Y, strangers = column.of_table(source, name)
    if strangers:
        raise ValueError(
            f"{source.where} has the label {strangers[0]!r}, which the model does not know"
        )
    return source, Y
