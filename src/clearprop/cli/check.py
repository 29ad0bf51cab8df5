"""``clearprop check``: whether a gradient is right, a model's own or one from elsewhere."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from clearprop.cli import errors, model, model_data, terminal
from clearprop.cli.arguments import (
    DataArgument,
    GapsOption,
    JsonOption,
    ModelArgument,
    Part,
    PartOption,
    TargetOption,
    option,
)
from clearprop.gradient_check import GradientCheck, check_gradient
from clearprop.gradient_check.verdict import largest


def check(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    target: TargetOption = None,
    target_gaps: GapsOption = "drop",
    rows: Annotated[
        int | None,
        option(metavar="N", text="Rows to take", default="32, spread over DATA; with --gradient all"),
    ] = None,
    gradient: Annotated[
        str | None,
        option(
            metavar="FILE",
            text="A gradient from elsewhere: safetensors with layers.0.weight, layers.0.bias, ...",
        ),
    ] = None,
    l2: Annotated[float, option(metavar="F", text="Penalty, checked by itself", default=0)] = 0.0,
    l1: Annotated[float, option(metavar="F", text="Penalty, checked by itself", default=0)] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Hold a gradient against central differences of the cost of MODEL on DATA.

    It is the model's own, or with --gradient one from elsewhere: of the mean
    cost of the rows. What is likely to be wrong with it is said.

    The exit code is 1 if the verdict is fail.

    Example: clearprop check digits.safetensors digits
    """
    if rows is not None and rows < 1:
        raise ValueError(f"--rows must be at least 1, got {rows}")
    net = model.load_model(model_file)
    dataset = model_data.load_data(net, data, target, part=part, gaps=target_gaps)
    X, Y = dataset.part(part)
    claimed = None
    if gradient is None:
        X, Y = _spread(X, Y, rows or 32)
    else:
        claimed = _read(model.expanded(gradient))
        X, Y = X[:rows], Y[:rows]
    result = check_gradient(net, X, net.model.encode_numbers(Y), claimed, l2=l2, l1=l1)
    if as_json:
        terminal.print_json(_checked(result, model_data.part_name(dataset, part), len(X)))
    else:
        print(result)
    if result.verdict == "fail":
        raise typer.Exit(errors.FAILED)


def _checked(result: GradientCheck, part: str, n_samples: int) -> dict[str, Any]:
    first = result.first_wrong
    return {
        "verdict": result.verdict,
        "max_relative_error": result.max_relative_error,
        "part": part,
        "n_samples": n_samples,
        "n_parameters": result.n_parameters,
        "n_checked": len(result.rows),
        "blocks": [
            {
                "block": block,
                "term": term,
                "n_checked": len(mine),
                "max_relative_error": largest(mine),
                "verdicts": dict(Counter(row.verdict for row in mine)),
            }
            for (block, term), mine in result.by_block().items()
        ],
        "blind_blocks": list(result.blind_blocks),
        "first_wrong": first,
        "mistakes": [dataclasses.asdict(each) for each in result.mistakes],
        "failed": [row._asdict() for row in result.rows if row.verdict == "fail"],
    }


def _read(path: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file, whoever wrote it."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, KeyError, TypeError) as problem:  # the last two: a dtype NumPy has not
        raise ValueError(
            f"--gradient {path} must be a safetensors file of float32 or float64 arrays, got: {problem}"
        ) from None


def _spread(X: NDArray[Any], Y: NDArray[Any], n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return n rows spread evenly over the data."""
    chosen = np.unique(np.linspace(0, len(X) - 1, min(n, len(X))).astype(int))
    return X[chosen], Y[chosen]
