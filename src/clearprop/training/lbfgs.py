"""L-BFGS on the whole training set, through SciPy."""

from __future__ import annotations

import time
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
    total, flat = 0.0, np.zeros(architecture.n_parameters)
    for X, Y, weight in training.supply.blocks(_ROWS):
        passed = backprop.forward(architecture, parameters, X)
        costs = architecture.cost.of_samples(architecture.output, passed.z[-1], passed.a[-1], Y)
        wide = costs.astype(np.float64)
        total += float(wide.sum() if weight is None else wide @ weight)
        back = backprop.backward(architecture, parameters, passed, Y, weight)
        block = backprop.gradient(architecture, passed, back).astype(np.float64)
        flat += block / architecture.cost.scale(len(costs)) * architecture.cost.scale(n)
    total *= architecture.cost.scale(n)
    penalties.add_gradient(architecture, flat, parameters, plan.l2, plan.l1)
    return total + penalties.penalty(architecture, parameters, plan.l2, plan.l1), flat


def run_lbfgs(
    training: Loop, target: int, interrupts: Interrupts, deadline: float, shown: display.Display
) -> None:
    """Make iterations until `target` epochs are done, or the run has converged."""
    from scipy.optimize import minimize

    optimizer, plan, state = training.settings.optimizer, training.plan, training.state
    assert isinstance(optimizer, LBFGS)
    if training.epochs_done >= target:
        return
    dtype = state.parameters.dtype
    began = time.monotonic()

    def value_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = objective(training, flat.astype(dtype))
        if not np.isfinite(value):  # the line search steps back from it
            return np.inf, np.zeros_like(gradient)
        return value, gradient

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal began
        state.parameters[:] = intermediate_result.x
        penalty = penalties.penalty(plan.architecture, state.parameters, plan.l2, plan.l1)
        training.progress.epoch_seconds = time.monotonic() - began
        state.epoch, state.step = state.epoch + 1, state.step + 1
        model = training.model
        model.epochs_trained, model.steps_trained = state.epoch, state.step
        training.record_epoch(float(intermediate_result.fun) - penalty, 1.0)
        shown.epoch({**training.history.row(-1), "epoch": training.epochs_done})
        began = time.monotonic()
        if interrupts.received:
            training.history.stopped = "interrupted"
        elif began >= deadline and not training.history.stopped:
            training.history.stopped = "time limit"
        if training.history.stopped or training.epochs_done >= target:
            raise StopIteration

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
    found = minimize(
        value_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=after_iteration,
        options={
            "maxcor": optimizer.memory,
            "maxiter": target - training.epochs_done,
            "maxfun": optimizer.evaluations or np.iinfo(np.int32).max,
            "gtol": optimizer.gradient_tolerance,
            "ftol": optimizer.cost_tolerance,
        },
    )
    if training.epochs_done < target and not training.history.stopped:
        limited = optimizer.evaluations is not None and found.nfev >= optimizer.evaluations
        ending = "converged" if found.success else "no further descent"
        training.history.stopped = "evaluations" if limited else ending
