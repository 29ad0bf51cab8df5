"""What happens when a cost or a parameter stops being a finite number.

An engine stops before the step that leaves the finite numbers; that step is then made once more with
the reference, with everything looked at, to name what went first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop
from clearprop.engines import Data, Plan, Report, State
from clearprop.engines.reference import batch_costs, step_gradient, updated
from clearprop.training.supply import Kept, Part

# The live page says it too.
MESSAGE = (
    "{who} diverged at epoch {epoch}, step {step}: {where} is not finite (learning rate {rate}); "
    "the last finite parameters are kept. Try a smaller learning rate, clip_norm, or inputs scaled "
    "to about 1"
)


class DivergenceError(ValueError):
    """Training has left the finite numbers; the network keeps its last finite parameters.

    Attributes
    ----------
    epoch, step : int
        Where, both counted from 1; the step within the epoch.
    member : int or None
        Which of a network's members, from 0; None where it has none.
    layer : int or None
        The first layer with a non-finite value, 1..L; None if it is the cost, or of shards a parameter.
    quantity : str
        z, a, cost, delta, gradient or parameters.
    """

    def __init__(
        self,
        message: str,
        epoch: int,
        step: int,
        layer: int | None,
        quantity: str,
        rate: float,
        member: int | None = None,
    ) -> None:
        super().__init__(message)
        self.member = member
        self.epoch, self.step, self.layer, self.quantity = epoch, step, layer, quantity
        self.learning_rate = rate

    def __reduce__(self) -> Any:
        """Let it pass from one process to another."""
        where = (self.epoch, self.step, self.layer, self.quantity, self.learning_rate, self.member)
        return DivergenceError, (str(self), *where)


def diagnose(plan: Plan, state: State, part: Part, report: Report, rate: float) -> DivergenceError:
    """Return the error to raise: what goes first in the step that follows a finite state.

    Parameters
    ----------
    plan, state
        As in `Engine.run`; the state is left as it is.
    part : Part
        The rows of the step, and those around it.
    report : Report
        Says whose step it is.
    rate : float
        Its learning rate.
    """
    member = report.member
    named = member if plan.n_members > 1 else None
    plan, state = plan.of_member(member), state.members[member]
    data, order = part.data, np.atleast_2d(part.order)[member]
    rows = order[part.batch(plan, state.epoch_step)]
    kept = part.keep(plan, state, len(rows))
    # Where nothing is found, another engine rounds otherwise; its step was on the edge.
    found = _non_finite(plan, state, data, rows, kept, rate if part.is_whole else None)
    culprit = next(found, (None, report.quantity))
    return _error(state, *culprit, rate, named)


def first_of(found: Sequence[DivergenceError]) -> DivergenceError:
    """Return what comes first in a step, of what was found in some of its rows each."""
    order = {"z": 0, "a": 1, "cost": 2, "delta": 3, "parameters": 4}

    def place(each: DivergenceError) -> tuple[int, int, int]:
        forwards, layer = order[each.quantity] < order["cost"], each.layer or 0
        return (0, layer, order[each.quantity]) if forwards else (1, order[each.quantity], -layer)

    return min(found, key=place)


def _error(
    state: State, layer: int | None, quantity: str, rate: float, member: int | None
) -> DivergenceError:
    who = "training" if member is None else f"training of member {member}"
    whole = "the cost" if quantity == "cost" else "a parameter"
    where = whole if layer is None else f"{quantity} of layer {layer}"
    epoch, step = state.epoch + 1, state.epoch_step + 1
    message = MESSAGE.format(who=who, epoch=epoch, step=step, where=where, rate=f"{rate:g}")
    return DivergenceError(message, epoch, step, layer, quantity, rate, member)


def _non_finite(
    plan: Plan, state: State, data: Data, rows: NDArray[np.int64], kept: Kept, rate: float | None
) -> Iterator[tuple[int | None, str]]:
    """Yield the layer (1..L) and quantity of every non-finite array of one step, in its order.

    Without a rate, the rows are not all of the step: its gradient is not known.
    """
    X, Y = data.X[rows], data.Y[rows]
    weight = None if data.sample_weight is None else data.sample_weight[rows]
    passed = backprop.forward(plan.architecture, state.parameters, X, kept)
    for number, (z, a) in enumerate(zip(passed.z, passed.a[1:], strict=True), start=1):
        yield from _if_bad(z, number, "z")
        yield from _if_bad(a, number, "a")
    if not np.isfinite(batch_costs(plan, passed, Y, weight)):
        yield None, "cost"
    back = backprop.backward(plan.architecture, state.parameters, passed, Y, weight)
    for number, delta in reversed(list(enumerate(back.delta, start=1))):
        yield from _if_bad(delta, number, "delta")
    if rate is None:
        return
    gradient = step_gradient(plan, state, passed, Y, weight)
    yield from _if_bad_block(plan, gradient, "gradient")
    yield from _if_bad_block(plan, updated(plan, state, gradient, rate)[0], "parameters")


def _if_bad(array: NDArray[Any], layer: int, quantity: str) -> Iterator[tuple[int, str]]:
    if not np.isfinite(array).all():
        yield layer, quantity


def _if_bad_block(plan: Plan, flat: NDArray[Any], quantity: str) -> Iterator[tuple[int, str]]:
    for block in plan.architecture.blocks:
        yield from _if_bad(flat[block.slice], block.layer + 1, quantity)
