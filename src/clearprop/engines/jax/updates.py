"""Optimizers on the device: what each makes of one array of parameters.

Each row is one of the update rules of `optimizers`, in the same order of operations. What depends on
the number of the update alone, such as Adam's corrections, is computed on the host in float64:
``1 - beta**t`` in float32 would have four digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from clearprop import optimizers
from clearprop.optimizers import KNOWN, Optimizer
from clearprop.schedule_free import mean_share

Numbers = tuple[NDArray[np.float64], ...]
Moved = tuple[jax.Array, tuple[jax.Array, ...]]


class Step(NamedTuple):
    """Of one array: the rate of its step, the decay of its weights, and what follows from t."""

    rate: Any
    decay: Any
    of_t: tuple[Any, ...]


class Rule(NamedTuple):
    """What is computed of t, the numbers of the updates, and what moves the parameters."""

    of_t: Callable[[Any, NDArray[np.int64]], Numbers]
    follow: Callable[[Any, Step, jax.Array, jax.Array, tuple[jax.Array, ...]], Moved]


def rule_of(optimizer: Optimizer) -> Rule | None:
    """Return the row of an optimizer; None where it is not built in, or not made of steps."""
    return RULES.get(optimizer.form) if type(optimizer) in KNOWN.values() else None


def _nothing(o: Optimizer, t: NDArray[np.int64]) -> Numbers:
    return ()


def _sgd(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    return p - step.rate * g, ()


def _momentum(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    velocity = o.momentum * moments[0] + g
    return p - step.rate * velocity, (velocity,)


def _nesterov(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    velocity = o.momentum * moments[0] + g
    return p - step.rate * (g + o.momentum * velocity), (velocity,)


def _rmsprop(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    s = o.rho * moments[0] + (1.0 - o.rho) * g * g
    return p - step.rate * g / (jnp.sqrt(s) + o.epsilon), (s,)


def _corrections(o: Any, t: NDArray[np.int64]) -> Numbers:
    """Return ``1 - beta^t`` of both means."""
    return 1.0 - o.beta1**t, 1.0 - o.beta2**t


def _means(o: Any, g: Any, moments: Any) -> tuple[jax.Array, jax.Array]:
    m = o.beta1 * moments[0] + (1.0 - o.beta1) * g
    return m, o.beta2 * moments[1] + (1.0 - o.beta2) * g * g


def _adam(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    m, v = _means(o, g, moments)
    m_hat, v_hat = m / step.of_t[0], v / step.of_t[1]
    return p - step.rate * m_hat / (jnp.sqrt(v_hat) + o.epsilon), (m, v)


def _adamw(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    return _adam(o, step, p - step.rate * step.decay * p, g, moments)


def _folding(o: Any, t: NDArray[np.int64]) -> Numbers:
    """Return what the rate is multiplied by."""
    return (np.sqrt(1.0 - o.beta2**t) / (1.0 - o.beta1**t),)


def _folded_adam(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    m, v = _means(o, g, moments)
    return p - step.rate * step.of_t[0] * m / (jnp.sqrt(v) + o.epsilon), (m, v)


def _of_mean(o: Any, t: NDArray[np.int64]) -> Numbers:
    """Return how far the rate has risen, c_t, how far y follows a step, and ``1 - beta2^t``."""
    shares = [mean_share(int(each), o.warmup_steps) for each in t.ravel()]
    c = np.array(shares).reshape(t.shape)
    risen = np.minimum(1.0, t / max(o.warmup_steps, 1))
    return risen, c, 1.0 - o.beta1 * (1.0 - c), 1.0 - o.beta2**t


def _schedule_free_adamw(o: Any, step: Step, p: Any, g: Any, moments: Any) -> Moved:
    risen, c, ahead, correction = step.of_t
    rate, (z, v) = step.rate * risen, moments
    v = o.beta2 * v + (1.0 - o.beta2) * g * g
    h = rate * g / (jnp.sqrt(v / correction) + o.epsilon) + rate * step.decay * p
    return p + c * (z - p) - ahead * h, (z - h, v)


RULES: dict[str, Rule] = {
    optimizers.SGD(1.0).form: Rule(_nothing, _sgd),
    optimizers.SGD(1.0, 0.9).form: Rule(_nothing, _momentum),
    optimizers.SGD(1.0, 0.9, nesterov=True).form: Rule(_nothing, _nesterov),
    "RMSProp": Rule(_nothing, _rmsprop),
    "Adam": Rule(_corrections, _adam),
    "AdamW": Rule(_corrections, _adamw),
    "FoldedAdam": Rule(_folding, _folded_adam),
    "ScheduleFreeAdamW": Rule(_of_mean, _schedule_free_adamw),
}
