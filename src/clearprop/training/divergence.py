"""What happens when a cost or a parameter stops being a finite number.

Engines look at the cost of each batch only; when one is not finite, the stretch is replayed from its
start on the reference engine, one step at a time with everything looked at, to name what went first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop
from clearprop.engines import Data, Plan, State
from clearprop.engines.reference import ReferenceEngine, batch_costs, keep, step_gradient


class DivergenceError(ValueError):
    """Training has left the finite numbers; the network keeps its last finite parameters.

    Attributes
    ----------
    epoch, step : int
        Where, both counted from 1; the step within the epoch.
    layer : int or None
        The first layer with a non-finite value, 1..L; None if it is the cost.
    quantity : str
        z, a, cost, delta, gradient or parameters.
    """

    def __init__(
        self, message: str, epoch: int, step: int, layer: int | None, quantity: str, rate: float
    ) -> None:
        super().__init__(message)
        self.epoch, self.step, self.layer, self.quantity = epoch, step, layer, quantity
        self.learning_rate = rate

    def __reduce__(self) -> Any:
        """Let it pass from one process to another."""
        where = (self.epoch, self.step, self.layer, self.quantity, self.learning_rate)
        return DivergenceError, (str(self), *where)


def diagnose(
    plan: Plan,
    start: State,
    data: Data,
    order: NDArray[np.int64],
    rates: NDArray[np.float64],
    first_step: int = 0,
) -> tuple[State, DivergenceError]:
    """Return the last finite state and the error to raise, by replaying a stretch from `start`.

    The arguments are those of `Engine.run`.
    """
    state = start.copy()
    engine = ReferenceEngine()
    for rate in rates:
        before = state.copy()
        rows = order[(state.epoch_step - first_step) * plan.batch_size :][: plan.batch_size]
        culprit = next(_non_finite(plan, state, data, rows, float(rate)), None)
        if culprit:
            return before, _error(before, *culprit, float(rate))
        engine.run(plan, state, data, rows, np.array([rate]), state.epoch_step)
    # Another engine rounds otherwise; its step was on the edge.
    return start, _error(start, None, "cost", float(rates[0]))


def _error(state: State, layer: int | None, quantity: str, rate: float) -> DivergenceError:
    where = "the cost" if layer is None else f"{quantity} of layer {layer}"
    message = (
        f"training diverged at epoch {state.epoch + 1}, step {state.epoch_step + 1}: {where} is not "
        f"finite (learning rate {rate:g}); the last finite parameters are kept. Try a smaller learning "
        "rate, clip_norm, or inputs scaled to about 1"
    )
    return DivergenceError(message, state.epoch + 1, state.epoch_step + 1, layer, quantity, rate)


def _non_finite(
    plan: Plan, state: State, data: Data, rows: NDArray[np.int64], rate: float
) -> Iterator[tuple[int | None, str]]:
    """Yield the layer (1..L) and quantity of every non-finite array of one step, in its order."""
    X, Y = data.X[rows], data.Y[rows]
    weight = None if data.sample_weight is None else data.sample_weight[rows]
    passed = backprop.forward(plan.architecture, state.parameters, X, keep(plan, state, len(X)))
    for number, (z, a) in enumerate(zip(passed.z, passed.a[1:], strict=True), start=1):
        yield from _if_bad(z, number, "z")
        yield from _if_bad(a, number, "a")
    if not np.isfinite(batch_costs(plan, passed, Y, weight)):
        yield None, "cost"
    back = backprop.backward(plan.architecture, state.parameters, passed, Y, weight)
    for number, delta in reversed(list(enumerate(back.delta, start=1))):
        yield from _if_bad(delta, number, "delta")
    gradient = step_gradient(plan, state, passed, Y, weight)
    yield from _if_bad_block(plan, gradient, "gradient")
    after = state.copy()
    ReferenceEngine().run(plan, after, data, rows, np.array([rate]), state.epoch_step)
    yield from _if_bad_block(plan, after.parameters, "parameters")


def _if_bad(array: NDArray[Any], layer: int, quantity: str) -> Iterator[tuple[int, str]]:
    if not np.isfinite(array).all():
        yield layer, quantity


def _if_bad_block(plan: Plan, flat: NDArray[Any], quantity: str) -> Iterator[tuple[int, str]]:
    for block in plan.architecture.blocks:
        yield from _if_bad(flat[block.slice], int(block.name.split(".")[1]) + 1, quantity)
