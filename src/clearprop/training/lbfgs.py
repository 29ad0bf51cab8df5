"""L-BFGS on the whole training set, through SciPy."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop, penalties
from clearprop.optimizers import LBFGS
from clearprop.training import display
from clearprop.training.divergence import DivergenceError
from clearprop.training.interrupt import Interrupts

if TYPE_CHECKING:
    from clearprop.training.loop import Loop

_ROWS = 8192  # rows passed through the network together: bounds the memory of their activations


def objective(training: Loop, parameters: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
    """Return cost plus penalties and their gradient at `parameters`, over all training data."""
    plan = training.plan
    architecture, n = plan.architecture, plan.n_samples
    total, flat = training.processes.summed(training.engine, n, partial(_summed, training, parameters))
    total *= architecture.cost.scale(n)
    penalties.add_gradient(architecture, flat, parameters, plan.l2, plan.l1)
    return total + penalties.penalty(architecture, parameters, plan.l2, plan.l1), flat


def _summed(
    training: Loop, parameters: NDArray[Any], first: int, last: int
) -> tuple[float, NDArray[np.float64]]:
    """Return the sum of some rows' costs, and the gradient of the whole cost that these rows make."""
    architecture, n = training.plan.architecture, training.plan.n_samples
    total, flat = 0.0, np.zeros(architecture.n_parameters)
    for X, Y, weight in training.supply.blocks(_ROWS, (first, last)):
        passed = backprop.forward(architecture, parameters, X)
        costs = architecture.cost.of_samples(architecture.output, passed.z[-1], passed.a[-1], Y)
        wide = costs.astype(np.float64)
        total += float(wide.sum() if weight is None else wide @ weight)
        back = backprop.backward(architecture, parameters, passed, Y, weight)
        block = backprop.gradient(architecture, passed, back).astype(np.float64)
        flat += block / architecture.cost.scale(len(costs)) * architecture.cost.scale(n)
    return total, flat


def run_lbfgs(
    training: Loop, target: int, interrupts: Interrupts, deadline: float, shown: display.Display
) -> None:
    """Make iterations until `target` epochs are done, or the run has converged.

    Of several processes the first one has SciPy's: others compute with it what it asks for, since its
    own numbers depend on the processor.
    """
    optimizer, plan, state = training.settings.optimizer, training.plan, training.state
    assert isinstance(optimizer, LBFGS)
    if training.epochs_done >= target:
        return
    dtype = state.parameters.dtype
    began = time.monotonic()

    def value_and_gradient(flat: NDArray[np.float64], _: float) -> tuple[float, NDArray[np.float64]]:
        value, gradient = objective(training, flat.astype(dtype))
        if not np.isfinite(value):  # the line search steps back from it
            return np.inf, np.zeros_like(gradient)
        return value, gradient

    def after_iteration(flat: NDArray[np.float64], value: float) -> bool:
        """Return whether it was the last."""
        nonlocal began
        state.parameters[:] = flat
        penalty = penalties.penalty(plan.architecture, state.parameters, plan.l2, plan.l1)
        training.progress.epoch_seconds = time.monotonic() - began
        state.epoch, state.step = state.epoch + 1, state.step + 1
        model = training.model
        model.epochs_trained, model.steps_trained = state.epoch, state.step
        training.record_epoch(value - penalty, 1.0)
        shown.epoch({**training.history.row(-1), "epoch": training.epochs_done})
        began = time.monotonic()
        if interrupts.received:
            training.history.stopped = "interrupted"
        elif began >= deadline and not training.history.stopped:
            training.history.stopped = "time limit"
        training.history.stopped = training.processes.ended(training.history.stopped)
        return bool(training.history.stopped) or training.epochs_done >= target

    start = state.parameters.astype(np.float64)
    if not np.isfinite(objective(training, state.parameters)[0]):
        raise DivergenceError(
            "the cost is not finite at the first parameters; try smaller ones, or scaled inputs",
            state.epoch + 1,
            1,
            None,
            "cost",
            1.0,
        )

    calls = {"value_and_gradient": value_and_gradient, "after_iteration": after_iteration}
    lead = partial(_minimize, start, optimizer, target - training.epochs_done)
    ending = training.processes.led(lead, calls)
    if training.epochs_done < target and not training.history.stopped:
        training.history.stopped = ending


def _minimize(start: NDArray[np.float64], optimizer: LBFGS, most: int, ask: Callable[..., Any]) -> str:
    """Make iterations, of what all processes find; return why it ended where none was the last."""
    from scipy.optimize import minimize

    of_all: Any = partial(ask, "value_and_gradient")

    def callback(intermediate_result: Any) -> None:
        if ask("after_iteration", intermediate_result.x, float(intermediate_result.fun)):
            raise StopIteration

    found = minimize(
        of_all,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={
            "maxcor": optimizer.memory,
            "maxiter": most,
            "maxfun": optimizer.evaluations or np.iinfo(np.int32).max,
            "gtol": optimizer.gradient_tolerance,
            "ftol": optimizer.cost_tolerance,
        },
    )
    limited = optimizer.evaluations is not None and found.nfev >= optimizer.evaluations
    ending = "converged" if found.success else "no further descent"
    return "evaluations" if limited else ending
