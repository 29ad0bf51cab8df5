"""Several models of one table that answer as one, and the file that holds them.

What is averaged are probabilities or quantities, each with a weight. In a file the arrays of model 0
are called ``members.0.layers.0.weight`` and so on, and its description is as in a file of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import engines
from clearprop.activations import Activation
from clearprop.checkpoint import CheckpointError, read_tensors, write_tensors
from clearprop.checkpoint.atomic_file import FilePath
from clearprop.checkpoint.description import FORMAT, check
from clearprop.checkpoint.ensemble_description import check_ensemble, start
from clearprop.costs import Cost
from clearprop.model import file
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units

Array = NDArray[Any]


class EnsembleParts(NamedTuple):
    """What a file held: a model, or several with weights of sum 1, and how good they were together."""

    members: tuple[file.Parts, ...]
    weights: tuple[float, ...] | None = None  # None in the file of one model
    result: dict[str, Any] | None = None


def write(
    path: FilePath,
    members: Sequence[Model],
    weights: Sequence[float],
    result: Mapping[str, Any] | None = None,
) -> None:
    """Write models that are to answer as one, atomically.

    Parameters
    ----------
    path : path
    members : sequence of Model
        Their inputs and targets, cost and outputs are the same: they learned of one table.
    weights : sequence of float
        Above 0, of sum 1.
    result : mapping, optional
        How good they were on rows that chose nothing, as a model's file says it.

    Raises
    ------
    ValueError
        If the models do not belong together, or cannot be saved.
    """
    tensors = {
        start(number) + name: tensor
        for number, model in enumerate(members)
        for name, tensor in file.tensors_of(model).items()
    }
    told = {"weights": list(weights), "members": [file.describe(model) for model in members]}
    if result is not None:
        told["result"] = dict(result)
    metadata = json.loads(json.dumps({"format": FORMAT, "ensemble": told}))  # as it will be read
    check_ensemble(metadata, tensors)
    write_tensors(path, tensors, metadata)


def read(path: FilePath, custom: Iterable[Activation | Cost] = ()) -> EnsembleParts:
    """Return the model in a file, or the models of an ensemble, as `file.read` does.

    Raises
    ------
    CheckpointError, OSError
        As `file.read`; if the models do not belong together.
    """
    tensors, metadata = read_tensors(path)
    own = list(file.by_name(custom).values())
    told = metadata.get("ensemble")
    try:
        each = [(tensors, metadata)] if told is None else check_ensemble(metadata, tensors)
        if told is None:
            check(metadata, tensors)
    except CheckpointError as problem:
        raise CheckpointError(f"{os.fsdecode(path)}: {problem}") from None
    members = tuple(file.parts_of(path, *one, own) for one in each)
    return (
        EnsembleParts(members)
        if told is None
        else EnsembleParts(members, tuple(told["weights"]), told.get("result"))
    )


@dataclass(frozen=True, eq=False)
class Averaged:
    """Models of one table, asked together.

    Parameters
    ----------
    members : tuple of Model
        All in raw units, or all as they learned.
    weights : tuple of float
        Of sum 1.
    """

    members: tuple[Model, ...]
    weights: tuple[float, ...]

    @cached_property
    def model(self) -> Model:
        """Their inputs and targets: the first one's, without what held-out rows chose for it alone."""
        first = self.members[0]
        targets = first.targets
        if isinstance(targets, Classes):
            return replace(first, targets=Classes(targets.n_outputs, targets.labels))
        assert isinstance(targets, Units)
        return replace(first, targets=replace(targets, residuals=None))

    def predict(self, X: Array) -> Array:
        """Return the mean of what the models answer, float64 of shape (n_samples, n_outputs)."""
        return self.outputs(self.model.rows(X))

    def outputs(self, inputs: Array) -> Array:
        """Return what `predict` does, for what the networks see."""
        each = [_answers(model, inputs) for model in self.members]
        mean: Array = np.tensordot(np.array(self.weights), np.stack(each), 1)
        return mean

    def evaluate(self, inputs: Array, Y: Array) -> tuple[Array, float]:
        """Return outputs and their cost, for inputs and targets as `engines.evaluate` takes them."""
        a, made = self.outputs(inputs), self.model.architecture
        with np.errstate(divide="ignore"):
            z = _Z_OF.get(made.output.name, _itself)(a)
        return a, made.cost.reduce(made.cost.of_samples(made.output, z, a, Y.astype(np.float64)))


def _answers(model: Model, inputs: Array) -> Array:
    """Return probabilities or quantities, float64 of shape (n_samples, n_outputs)."""
    rows = inputs.astype(model.dtype, copy=False)
    a = engines.predict(model.architecture, model.parameters, rows).astype(np.float64)
    if isinstance(model.targets, Classes):
        return model.targets.probabilities(a)[:, -a.shape[1] :]
    assert isinstance(model.targets, Units)
    return model.targets.bounded(a)


def _itself(a: Array) -> Array:
    return a


# The z of an output: many costs are written for z.
_Z_OF: dict[str, Callable[[Array], Array]] = {
    "softmax": np.log,
    "sigmoid": lambda a: np.log(a) - np.log1p(-a),
    "exp": np.log,
    "softplus": lambda a: a + np.log(-np.expm1(-a)),
}
