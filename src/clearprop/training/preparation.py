"""From what the caller gives to what a training takes: rows, targets and weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import checks
from clearprop.activations import Activation
from clearprop.checks import check_targets
from clearprop.data import arrays
from clearprop.data.row_stream import RowStream
from clearprop.distributed import rows, teams
from clearprop.engines import Data, Plan
from clearprop.model.model import Model
from clearprop.optimizers import LBFGS
from clearprop.schedules import Schedule
from clearprop.training import streaming
from clearprop.training.processes import compare_arguments
from clearprop.training.settings import Settings
from clearprop.training.supply import InMemory, Streamed, Supply
from clearprop.user_warning import warn

Array = NDArray[Any]


class Prepared(NamedTuple):
    """What a training takes."""

    supply: Supply
    validation: Data | None
    labelled: bool  # whether the targets are classes


def prepare(
    model: Model,
    X: ArrayLike | RowStream,
    Y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    validation_data: object,
    settings: Settings,
) -> Prepared:
    """Return raw rows as a training takes them; the model learns what its targets stand for.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    """
    check_parameters(model)
    supply: Supply
    if isinstance(X, RowStream):
        streaming.refuse_members(model.n_members)
        streaming.check(X, Y, sample_weight, settings)
        supply, labelled = streaming.raw_supply(model, X, smoother(model, settings))
        _check_classes(labelled, np.empty((0, 0)), settings)
    else:
        supply, labelled = _in_memory(model, X, Y, sample_weight, settings)
    supply.shuffle = settings.shuffle
    held = None if validation_data is None else _validation(model, validation_data)
    return Prepared(supply, held, labelled)


def rows_of_all(
    settings: Settings,
    X: ArrayLike,
    Y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    validation_data: Any,
) -> tuple[Any, Any, Any, Any]:
    """Return the table that processes have together, of which each has given some rows. Collective."""
    team = teams.team_of(settings.communicator, settings.stall_timeout)
    held = validation_data
    compare_arguments(settings, team, validation_data=held is not None)
    if isinstance(held, tuple | list) and len(held) == 2:  # else it is refused later
        held = rows.of_all(team, held[0], "validation X"), rows.of_all(team, held[1], "validation Y")
    given = (X, "X"), (Y, "Y"), (sample_weight, "sample_weight")
    return *(rows.of_all(team, *each) for each in given), held


def refuse_members(plan: Plan, supply: Supply, itemsize: int) -> None:
    """Refuse what members cannot be trained by or from, and more than there is memory for.

    Raises
    ------
    ValueError
    """
    n, made = plan.n_members, plan.architecture
    if n == 1:
        return
    if isinstance(supply, Streamed):
        streaming.refuse_members(n)
    if isinstance(plan.optimizer, LBFGS):
        raise ValueError(f"members need an optimizer that makes steps, got LBFGS and {n} members")
    # Of each its parameters, those of the best epoch, moments, a batch's z, a and delta, and an order.
    numbers = made.n_parameters * (2 + len(plan.optimizer.init(np.zeros(1))))
    numbers += 3 * plan.batch_size * sum(made.widths)
    needed = n * (numbers * itemsize + 8 * plan.n_samples)
    checks.check_memory(needed, n, made.n_parameters, "their training")


def check_parameters(model: Model) -> None:
    """Refuse parameters that are not finite, naming their block."""
    for block in model.architecture.blocks:
        if not np.isfinite(model.parameters[..., block.slice]).all():
            raise ValueError(
                f"the network's parameters must be finite, got NaN or infinity in {block.name}"
            )


def _in_memory(
    model: Model,
    X: ArrayLike,
    Y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    settings: Settings,
) -> tuple[Supply, bool]:
    inputs = model.rows(X)
    model.learn_feature_names(X)
    model.learn_target_names(Y)
    given, labelled = model.learn(Y)
    if len(inputs) != len(given):
        raise ValueError(f"X and Y must have as many rows, got {len(inputs)} and {len(given)}")
    _check_classes(labelled, given, settings)
    targets = smoother(model, settings)(given)
    check_targets(model.architecture.cost, model.architecture.output, targets)
    weight = arrays.as_sample_weight(sample_weight, len(inputs), model.dtype)
    return InMemory(Data(inputs, targets, weight), given), labelled


def smoother(model: Model, settings: Settings) -> Callable[[Array], Array]:
    """Return what smooths all targets; by a schedule, they are smoothed step by step instead.

    Raises
    ------
    ValueError
        If there is label smoothing, and the outputs are no probabilities.
    """
    output, amount = model.architecture.output, settings.label_smoothing
    if amount and not output.probabilities:
        raise ValueError(f"label_smoothing needs softmax or sigmoid outputs, got {output.name}")
    if not amount or isinstance(amount, Schedule):
        return np.asarray
    return lambda targets: smoothed(targets, output, amount)


def smoothed(targets: Array, output: Activation, amount: float) -> Array:
    """Return targets of probabilities with a share of them spread evenly over the classes."""
    classes = 2 if output.elementwise else targets.shape[1]
    smooth: Array = (targets * (1.0 - amount) + amount / classes).astype(targets.dtype)
    return smooth


def _check_classes(labelled: bool, targets: Array, settings: Settings) -> None:
    if not labelled:
        if "accuracy" in settings.metrics:
            raise ValueError("metrics must not hold 'accuracy' where the targets are not classes")
    elif len(targets) > 1 and (targets == targets[0]).all() and set(targets[0].tolist()) <= {0.0, 1.0}:
        warn("Y has a single class; the network will predict it always")


def _validation(model: Model, validation_data: object) -> Data:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise TypeError(f"validation_data must be a pair (X, Y), got {type(validation_data).__name__}")
    X = model.rows(validation_data[0], "validation X")
    Y = model.encode(validation_data[1], "validation Y")
    if len(X) != len(Y):
        raise ValueError(f"validation X and Y must have as many rows, got {len(X)} and {len(Y)}")
    check_targets(model.architecture.cost, model.architecture.output, Y, "validation Y")
    return Data(X, Y, None)
