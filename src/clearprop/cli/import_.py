"""``clearprop import``: a network of another library as a model of clearprop."""

from __future__ import annotations

import enum
import os
from typing import Annotated

import typer

from clearprop.cli import errors, files, model, training_files
from clearprop.cli.arguments import option
from clearprop.incoming.files import network_in


class Rows(enum.StrEnum):
    """What a row of foreign weights is."""

    source = "source"
    destination = "destination"


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An .onnx, .safetensors or .npz file.")],
    output: Annotated[str, option(metavar="MODEL", text="Where the model is written.")],
    activation: Annotated[
        str | None, option(metavar="NAME", text="Of hidden layers, of arrays", default="sigmoid")
    ] = None,
    output_activation: Annotated[
        str | None,
        option(metavar="NAME", text="Of the last layer, of arrays", default="what goes with the cost"),
    ] = None,
    cost: Annotated[
        str | None,
        option(metavar="NAME", text="To train on with", default="what goes with the outputs"),
    ] = None,
    rows: Annotated[
        Rows | None,
        option(
            metavar="NEURON",
            text="source or destination: which neuron a row of the weights is",
            default="told by the shapes",
        ),
    ] = None,
) -> None:
    """Bring a network of dense layers in FILE in: to be explained, checked, diagnosed and trained on.

    An .onnx graph says its activations itself; arrays are those of the layers in
    the order of the numbers in their names. Nothing in FILE is executed.

    Example: clearprop import keras.npz --activation relu --output mine.safetensors
    """
    files.refuse_same({"FILE": file}, {"--output": output})
    path = model.expanded(output)
    training_files.check_writable(path)
    if os.path.lexists(path) and not model.is_own_model(path):
        raise ValueError(f"{path} exists and is no clearprop model; --output names another file")
    transposed = None if rows is None else rows is Rows.source
    net = network_in(file, activation, output_activation, cost, transposed=transposed)
    net.save(path)
    print(net)
    errors.say(f"wrote {output}")
