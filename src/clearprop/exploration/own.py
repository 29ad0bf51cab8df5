"""What a page gets of one's own model and rows: the network, raw rows, what outputs stand for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.architecture import Architecture
from clearprop.data import arrays
from clearprop.data.table import TableSource
from clearprop.model.ends import Cell, inputs_of, rows_of, targets_of
from clearprop.model.file import describe, describe_architecture, tensors_of
from clearprop.model.inputs import narrowed
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units

MOST_PARAMETERS, MOST_ROWS = 20_000, 1_000


def described(model: Model, X: Any, Y: Any) -> dict[str, Any]:
    """Return a model, rows and targets as the page takes them.

    Parameters
    ----------
    model : Model
    X : array, data frame or TableSource
        Raw rows; of a table, as its own columns, and of a TableSource the first `MOST_ROWS`.
    Y : array-like
        Labels, quantities in their own units, or rows that the cost compares outputs with.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value; or what no page can hold.
    """
    _refuse(model)
    rows, inputs = _rows(model, X)
    targets = _targets(model, Y)
    if len(rows) != len(targets):
        raise ValueError(f"X and Y must have the same length, got {len(rows)} and {len(targets)}")
    if len(rows) > MOST_ROWS:
        raise ValueError(f"X must have at most {MOST_ROWS:,} rows for a live page, got {len(rows):,}")
    parameters = np.atleast_2d(np.asarray(model.parameters, np.float64))
    if not np.isfinite(parameters).all():
        raise ValueError("net must have finite parameters for a live page")
    seed = model.training_seed
    names = model.feature_names
    return {
        "architecture": describe_architecture(model.architecture),
        "parameters": parameters.tolist(),
        "X": rows,
        "Y": targets.astype(np.float64).tolist(),
        "seed": str(seed if seed < 2**53 else 0),
        "names": None if names is None else [*map(str, names)],
        **({} if inputs is None else {"inputs": inputs}),
        **_ends(model),
        **_of_file(model if model.n_members == 1 else model.member(0)),
    }


def _of_file(model: Model) -> dict[str, Any]:
    """Return what a file of the model has beside the architecture and its parameters."""
    ours = {block.name for block in model.architecture.blocks}
    return {
        "model": describe(model),
        "tensors": [
            {"name": name, "shape": each.shape, "values": each.ravel().tolist()}
            for name, each in tensors_of(model).items()
            if name not in ours
        ],
    }


def _refuse(model: Model) -> None:
    made = model.architecture
    if made.n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f"net must have at most {MOST_PARAMETERS:,} parameters for a live page, "
            f"got {made.n_parameters:,}"
        )
    if made.cost.groups:
        raise ValueError("net must have one target for a live page, got several")
    if isinstance(model.targets, Units) and model.targets.quantiles:
        raise ValueError("net must have one output a target for a live page, got three quantiles")
    _refuse_unknown(made)


def _refuse_unknown(made: Architecture) -> None:
    """Refuse functions of the user's own: a page has the built-in ones, translated."""
    used = [part for layer in made.layers for part in layer.function.parts or (layer.function,)]
    strange = [each.name for each in used if not each.built_in]
    if not made.cost.built_in:
        strange.append(made.cost.name)
    if strange:
        raise ValueError(f"net must have built-in functions for a live page, got {strange[0]!r}")


def _rows(model: Model, X: Any) -> tuple[list[Any], dict[str, Any] | None]:
    """Return raw rows, and what they go through; None where the network sees them as they are."""
    made, inputs, dtype = model.architecture, model.inputs, model.dtype
    if inputs.encoder is not None:
        source = X if isinstance(X, TableSource) else inputs.open(X)
        return _cells(model, source.batches(inputs.columns)), inputs_of(inputs, (), dtype)
    table = arrays.as_inputs(X, made.n_features, dtype, "X")
    if not len(table):
        raise ValueError("X must have at least 1 row, got none")
    if not inputs.steps:
        return table.tolist(), None
    names = model.feature_names or [f"x{k}" for k in range(1, made.n_features + 1)]
    return table.tolist(), inputs_of(inputs, names, dtype)


def _cells(model: Model, batches: Iterable[Any]) -> list[list[Cell]]:
    """Return the first rows of a table, which must be numbers that the network can hold."""
    found: list[list[Cell]] = []
    for batch in batches:
        assert model.inputs.encoder is not None
        narrowed(model.inputs.encoder.encode(batch), model.dtype)
        found += rows_of(model.inputs, batch)
        if len(found) > MOST_ROWS:
            break
    return found


def _targets(model: Model, Y: Any) -> NDArray[Any]:
    """Return what the cost compares outputs with."""
    its = model.targets
    if isinstance(its, Units) and its.standardized:
        quantities = np.asarray(Y, np.float64)
        return model.encode(its.encode(quantities.reshape(len(quantities), -1)))
    if not isinstance(its, Classes) or its.labels is None or np.ndim(Y) != 1:
        return model.encode(Y)
    numbers = {label: number for number, label in enumerate(its.labels.tolist())}
    given = np.asarray(Y).tolist()
    if unknown := [label for label in given if label not in numbers]:
        known = ", ".join(map(repr, itertools.islice(numbers, 9)))
        raise ValueError(f"Y must hold labels that the model knows ({known}), got {unknown[0]!r}")
    return its.encode_numbers(np.array([numbers[label] for label in given]), model.dtype)


def _ends(model: Model) -> dict[str, Any]:
    """Return what outputs stand for: classes, or units of quantities."""
    said = targets_of(model.targets) or {}
    if "classes" in said:
        return said
    return {"units": said} if isinstance(model.targets, Units) else {}
