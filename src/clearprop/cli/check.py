"""``clearprop check``: whether a gradient is right, a model's own or one from elsewhere; or a trace."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import errors, model, model_data, number_files, terminal
from clearprop.cli.arguments import (
    DataArgument,
    GapsOption,
    JsonOption,
    MemberOption,
    ModelArgument,
    Part,
    PartOption,
    TargetOption,
    option,
)
from clearprop.gradient_check import GradientCheck, check_gradient, check_trace
from clearprop.gradient_check.verdict import largest


def check(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    target: TargetOption = None,
    member: MemberOption = None,
    target_gaps: GapsOption = "drop",
    rows: Annotated[
        int | None,
        option(
            metavar="N",
            text="Rows to take",
            default="32, spread over DATA; with --gradient all, with --trace its own",
        ),
    ] = None,
    gradient: Annotated[
        str | None,
        option(
            metavar="FILE",
            text="A gradient from elsewhere, of layers.0.weight, ...: safetensors, NPZ, JSON or CSV.",
        ),
    ] = None,
    trace: Annotated[
        str | None,
        option(
            metavar="FILE",
            text="A whole pass from elsewhere, of layers.0.z, ...; or as explain writes JSON.",
        ),
    ] = None,
    l2: Annotated[float, option(metavar="F", text="Penalty, checked by itself", default=0)] = 0.0,
    l1: Annotated[float, option(metavar="F", text="Penalty, checked by itself", default=0)] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Hold a gradient against central differences of the cost of MODEL on DATA.

    It is the model's own, or with --gradient one from elsewhere: of the mean
    cost of the rows. What is likely to be wrong with it is said. With --trace
    it is a whole pass, and the first layer and quantity that differs is said.

    The exit code is 1 if the verdict is fail.

    Example: clearprop check digits.safetensors digits
    """
    if rows is not None and rows < 1:
        raise ValueError(f"--rows must be at least 1, got {rows}")
    if gradient is not None and trace is not None:
        raise ValueError("--gradient and --trace must be given one at a time, got both")
    net = model.load_member(model_file, member)
    dataset = model_data.load_data(net, data, target, part=part, gaps=target_gaps)
    X, Y = dataset.part(part)
    name = model_data.part_name(dataset, part)
    if trace is not None:
        _check_trace(net, X, Y, model.expanded(trace), rows, name if as_json else None)
        return
    claimed = None
    if gradient is None:
        X, Y = _spread(X, Y, rows or 32)
    else:
        claimed = number_files.read_gradient(model.expanded(gradient), net.blocks)
        X, Y = X[:rows], Y[:rows]
    result = check_gradient(net, X, net.model.encode_numbers(Y), claimed, l2=l2, l1=l1)
    if as_json:
        terminal.print_json(_checked(result, name, len(X)))
    else:
        print(result)
    if result.verdict == "fail":
        raise typer.Exit(errors.FAILED)


def _check_trace(
    net: cp.Network,
    X: NDArray[Any],
    Y: NDArray[Any],
    path: str,
    rows: int | None,
    part: str | None,
) -> None:
    """Print what a trace check found; as JSON where the part of the data is given."""
    given = number_files.read_trace(path)
    n = rows or _n_samples(net, given)
    if n > len(X):
        raise ValueError(f"--trace {path} must be of rows of DATA, got {n:,} of {len(X):,}")
    result = check_trace(net, X[:n], net.model.encode_numbers(Y[:n]), given)
    if part is None:
        print(result)
    else:
        first = result.first_wrong
        terminal.print_json(
            {
                "verdict": result.verdict,
                "part": part,
                "n_samples": n,
                "first_wrong": None if first is None else first._asdict(),
                "quantities": [row._asdict() for row in result.rows],
            }
        )
    if result.verdict == "fail":
        raise typer.Exit(errors.FAILED)


def _n_samples(net: cp.Network, given: dict[str, Any]) -> int:
    """Return of how many samples a trace is: the rows of its first array that has a row for each."""
    widths = {"x": net.architecture.widths[0], "y": net.sizes[-1]}
    for layer, size in enumerate(net.sizes[1:]):
        widths |= {f"layers.{layer}.{name}": size for name in ("z", "a", "error", "delta")}
    for name, width in widths.items():
        shape = np.shape(given.get(name, 0.0))
        if len(shape) == 2:
            return shape[1] if shape[0] == width != shape[1] else shape[0]
    return 1


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


def _spread(X: NDArray[Any], Y: NDArray[Any], n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return n rows spread evenly over the data."""
    chosen = np.unique(np.linspace(0, len(X) - 1, min(n, len(X))).astype(int))
    return X[chosen], Y[chosen]
