"""``clearprop export``: a model for other programs, from raw row to answer."""

from __future__ import annotations

import enum
import os
import re
from typing import Annotated

import clearprop as cp
from clearprop.checkpoint import atomic_file
from clearprop.cli import errors, files, model
from clearprop.cli.arguments import ModelArgument, option
from clearprop.portable import onnx_model, python
from clearprop.portable.program import Program, program_of


class Format(enum.StrEnum):
    """What a model is written as."""

    onnx = "onnx"
    python = "python"


_ENDING = {Format.onnx: ".onnx", Format.python: ".py"}


def export(
    model_file: ModelArgument,
    format: Annotated[Format, option(metavar="NAME", text="onnx or python")],
    output: Annotated[
        str | None,
        option(metavar="FILE", text="Where it is written", default="MODEL's name, with another ending"),
    ] = None,
) -> None:
    """Write MODEL for other programs: raw rows in, labels and probabilities or quantities out.

    onnx is a graph whose inputs have the names of the table (extra [onnx]);
    python is a module that needs NumPy alone.

    Example: clearprop export digits.safetensors --format onnx
    """
    path = model.expanded(output or os.path.splitext(model_file)[0] + _ENDING[format])
    files.refuse_same({"MODEL": model_file}, {"--output": path})
    program = program_of(model.read_network(model_file)[0].model)
    name = re.sub(r"[^\w. ()-]", "_", os.path.basename(model_file))  # it stands in a comment
    content = _written(program, format, name)
    _write(path, content)
    errors.say(f"wrote {path}")


def _written(program: Program, format: Format, name: str) -> bytes:
    by = f"{files.EXPORTED} {cp.__version__} from {name}"
    if format is Format.onnx:
        content: bytes = onnx_model.model_of(program, by).SerializeToString()
        return content
    return python.source(program, by).encode()


def _write(path: str, content: bytes) -> None:
    files.check_export(path)
    with atomic_file.replacing(path) as file:
        file.write(content)
