"""``clearprop export``: a model for other programs, from raw row to answer."""

from __future__ import annotations

import enum
import os
import re
from typing import Annotated

import typer

import clearprop as cp
from clearprop.checkpoint import atomic_file
from clearprop.cli import errors, files, model, model_data, standard_input, terminal
from clearprop.cli import golden as vectors
from clearprop.cli.arguments import MemberOption, ModelArgument, Part, PartOption, option
from clearprop.model.measuring import measure
from clearprop.model.model import Model
from clearprop.portable import c_network, c_source, javascript, onnx_model, python
from clearprop.portable.program import Program, program_of


class Format(enum.StrEnum):
    """What a model is written as."""

    c = "c"
    js = "js"
    onnx = "onnx"
    python = "python"


_ENDING = {Format.c: ".c", Format.js: ".mjs", Format.onnx: ".onnx", Format.python: ".py"}

_DataArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]",
        help="Rows for --golden, or that --int8 is measured on.",
        callback=standard_input.as_file,
    ),
]


def export(
    model_file: ModelArgument,
    data: _DataArgument = None,
    format: Annotated[Format | None, option(metavar="NAME", text="c, js, onnx or python.")] = None,
    int8: Annotated[
        bool,
        option("--int8", metavar="", text="C with weights of a byte; DATA shows what that costs."),
    ] = False,
    golden: Annotated[
        int | None,
        option(
            metavar="N", text="Every number of a pass over the first N rows of DATA, as JSON and NPZ."
        ),
    ] = None,
    member: MemberOption = None,
    part: PartOption = Part.test,
    output: Annotated[
        str | None,
        option(metavar="FILE", text="Where it is written", default="MODEL's name, with another ending"),
    ] = None,
) -> None:
    """Write MODEL for other programs: raw rows in, labels and probabilities or quantities out.

    c is a header and a source of C99 without allocation; js a module and a
    page with a form; onnx a graph whose inputs have the names of the table
    (extra [onnx]); python a module that needs NumPy alone. With --golden,
    alone or beside a format, golden vectors for a port: check --trace reads
    them, and those of the port.

    Example: clearprop export digits.safetensors --format onnx
    """
    if format is None and golden is None:
        raise ValueError(
            f"--format must be {', '.join(Format)}, or --golden a number of rows, got none"
        )
    if golden is not None and data is None:
        raise ValueError(f"--golden {golden} needs DATA, whose first rows are passed")
    if int8 and (format is not Format.c or data is None):
        raise ValueError(
            "--int8 must come with --format c and DATA whose targets are known, for what it costs"
        )
    stem = os.path.splitext(model.expanded(output or model_file))[0]
    path = model.expanded(output or "") or f"{stem}{_ENDING[format] if format else ''}"
    written = {} if format is None else _written(model_file, format, path, int8)
    beside: dict[str, str | None] = {
        f"what is written as {each}": each for each in written if each != path
    }
    files.refuse_same({"MODEL": model_file, "DATA": data}, beside | {"--output": path})
    for each in written:
        files.check_export(each)
    if golden is not None and data is not None:
        written |= vectors.written(model_file, data, part, golden, member, stem)
    if int8 and data is not None:
        _say_loss(model_file, data, part)
    for each, content in written.items():
        with atomic_file.replacing(each) as file:
            file.write(content)
    errors.say(f"wrote {' and '.join(written)}")


def _written(model_file: str, format: Format, path: str, int8: bool) -> dict[str, bytes]:
    """Return the content of each file by its path."""
    read = model.read_network(model_file)[0].model
    program = program_of(read)
    name = re.sub(r"[^\w. ()-]", "_", os.path.basename(model_file))  # it stands in a comment
    by = f"{files.EXPORTED} {cp.__version__} from {name}"
    if format is Format.onnx:
        return {path: onnx_model.model_of(program, by).SerializeToString()}
    if format is Format.python:
        return {path: python.source(program, by).encode()}
    if format is Format.js:
        return _page_files(read, program, path, name, by)
    stem, ending = os.path.splitext(path)
    if ending != ".c":
        raise ValueError(f"--output must be a .c file, beside which its .h is written, got {path}")
    made = c_source.sources(program, os.path.basename(stem), by, int8)
    return {path: made.source.encode(), f"{stem}.h": made.header.encode()}


def _page_files(read: Model, program: Program, path: str, name: str, by: str) -> dict[str, bytes]:
    stem, ending = os.path.splitext(path)
    if ending not in (".mjs", ".js"):
        raise ValueError(
            f"--output must be an .mjs or .js file, beside which an .html is written, got {path}"
        )
    made = {path: javascript.module_of(read, by).encode()}
    if (n := javascript.n_fields(program)) > javascript.MOST_FIELDS:
        errors.say(f"no form is written: it would have {n:,} fields")
        return made
    return made | {f"{stem}.html": javascript.form_of(read, name, by).encode()}


def _say_loss(model_file: str, data: str, part: Part) -> None:
    """Print what is measured with whole numbers as weights, beside what is without."""
    net = model.load_model(model_file)
    dataset = model_data.load_data(net, data, part=part)
    X, Y = dataset.part(part)
    before, after = (measure(each, X, Y) for each in (net.model, c_network.as_int8(net.model)))
    name = model_data.part_name(dataset, part)
    print(f"{name}, {len(X):,} rows{'':12}{net.dtype:>12}{'int8':>12}")
    for metric, value in before.items():
        shown = (terminal.number(v) if metric != "accuracy" else terminal.percent(v, 2)
                 for v in (value, after[metric]))  # fmt: skip
        print(f"{metric:28}" + "".join(f"{each:>12}" for each in shown))
