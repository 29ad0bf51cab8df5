"""Optimizers: pure functions on the flat vector of all parameters.

An optimizer is a frozen description. Its state is one array of moments, shape (n_moments,
n_parameters), made by ``init``; ``update`` returns new parameters and new moments. Block factors are
arrays over the flat vector (or 1.0): `rate` below is the learning rate times ``lr_factor`` of each
parameter's block, `decay` its ``decay_factor``.

The recurrences are PyTorch's where the libraries differ: epsilon is added outside the root, velocity
is not multiplied by the rate, AdamW's decay is multiplied by it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clearprop import schedules
from clearprop.names import is_number, known_name
from clearprop.schedules import Schedule

Flat = NDArray[np.floating[Any]]


def _checked(owner: object, name: str, holds: Callable[[float], bool], rule: str) -> None:
    value = getattr(owner, name)
    if not is_number(value) or not holds(value):
        kind = ValueError if isinstance(value, int | float) else TypeError
        raise kind(f"{name} must be {rule}, got {value!r}")


def _fraction(owner: object, *names: str) -> None:
    for name in names:
        _checked(owner, name, lambda value: 0 <= value < 1, "in [0, 1)")


@dataclass(frozen=True)
class Optimizer:
    """How parameters follow a gradient.

    Parameters
    ----------
    learning_rate : float or Schedule
        A finite number above 0, or a function of the epochs trained so far.
    """

    moments: ClassVar[tuple[str, ...]] = ()
    has_mean: ClassVar[bool] = False  # of its own, which is evaluated and handed over
    learning_rate: float | Schedule

    @functools.cached_property  # it is asked for in every epoch
    def schedule(self) -> Schedule:
        """The learning rate as a function of time."""
        return schedules.resolve(self.learning_rate)

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        schedules.resolve(self.learning_rate)

    @property
    def form(self) -> str:
        """The name of its update rule, which engines know it by."""
        return type(self).__name__

    def init(self, parameters: Flat) -> Flat:
        """Return the first moments: zeros of shape (n_moments, n_parameters)."""
        return np.zeros((len(self.moments), parameters.size), parameters.dtype)

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: float | Flat,
        t: int,
        decay: float | Flat = 1.0,
    ) -> tuple[Flat, Flat]:
        """Return new parameters and moments after the t-th update, t counted from 1.

        Nothing is changed in place.
        """
        raise NotImplementedError

    def evaluated(self, parameters: Flat, moments: Flat) -> Flat:
        """Return what is evaluated and handed over: the parameters, or an optimizer's mean of them."""
        return parameters

    def trained(self, evaluated: Flat, moments: Flat) -> Flat:
        """Return the parameters that `evaluated` was made of."""
        return evaluated


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: ``p <- p - rate * g``.

    With momentum mu (Polyak 1964), ``v <- mu v + g`` and ``p <- p - rate * v``; with Nesterov's
    variant (Sutskever et al. 2013), ``p <- p - rate * (g + mu v)``.

    Raises
    ------
    ValueError
        If momentum is not in [0, 1), or nesterov is asked for without it.
    """

    learning_rate: float | Schedule = 0.1
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def moments(self) -> tuple[str, ...]:  # type: ignore[override]
        """The velocity, where there is momentum."""
        return ("velocity",) if self.momentum else ()

    @property
    def form(self) -> str:
        """The name of its update rule: momentum and Nesterov's variant have their own."""
        if not self.momentum:
            return "SGD"
        return "SGD with Nesterov momentum" if self.nesterov else "SGD with momentum"

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        super().__post_init__()
        _fraction(self, "momentum")
        if self.nesterov and not self.momentum:
            raise ValueError(f"nesterov=True needs momentum above 0, got momentum={self.momentum}")

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: float | Flat,
        t: int,
        decay: float | Flat = 1.0,
    ) -> tuple[Flat, Flat]:
        """As in `Optimizer.update`."""
        if not self.momentum:
            return parameters - rate * gradient, moments
        velocity = self.momentum * moments[0] + gradient
        step = gradient + self.momentum * velocity if self.nesterov else velocity
        return parameters - rate * step, velocity[None]


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """``s <- rho s + (1 - rho) g^2``, ``p <- p - rate * g / (sqrt(s) + epsilon)`` (Hinton 2012)."""

    moments: ClassVar[tuple[str, ...]] = ("mean_square",)
    learning_rate: float | Schedule = 1e-3
    rho: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        super().__post_init__()
        _fraction(self, "rho")
        _checked(self, "epsilon", lambda value: value > 0, "a finite number above 0")

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: float | Flat,
        t: int,
        decay: float | Flat = 1.0,
    ) -> tuple[Flat, Flat]:
        """As in `Optimizer.update`."""
        s = self.rho * moments[0] + (1.0 - self.rho) * gradient * gradient
        return parameters - rate * gradient / (np.sqrt(s) + self.epsilon), s[None]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam, algorithm 1 of Kingma and Ba (2015).

    ``m <- beta1 m + (1 - beta1) g``, ``v <- beta2 v + (1 - beta2) g^2``, and
    ``p <- p - rate * m_hat / (sqrt(v_hat) + epsilon)`` with ``m_hat = m / (1 - beta1^t)``,
    ``v_hat = v / (1 - beta2^t)``.
    """

    moments: ClassVar[tuple[str, ...]] = ("mean", "mean_square")
    learning_rate: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        super().__post_init__()
        _fraction(self, "beta1", "beta2")
        _checked(self, "epsilon", lambda value: value > 0, "a finite number above 0")

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: float | Flat,
        t: int,
        decay: float | Flat = 1.0,
    ) -> tuple[Flat, Flat]:
        """As in `Optimizer.update`."""
        m = self.beta1 * moments[0] + (1.0 - self.beta1) * gradient
        v = self.beta2 * moments[1] + (1.0 - self.beta2) * gradient * gradient
        m_hat = m / (1.0 - self.beta1**t)
        v_hat = v / (1.0 - self.beta2**t)
        return parameters - rate * m_hat / (np.sqrt(v_hat) + self.epsilon), np.stack([m, v])


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    ``p <- p - rate * weight_decay * decay * p`` before Adam's step; biases have decay 0. The weight
    decay may be a schedule, as the rate; `update` takes it as it is at first, engines step by step.
    """

    weight_decay: float | Schedule = 0.01

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        super().__post_init__()
        if not isinstance(self.weight_decay, Schedule):
            _checked(self, "weight_decay", lambda value: value >= 0, "a finite number of at least 0")
        schedules.refuse_plateau("weight_decay", self.weight_decay)

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: float | Flat,
        t: int,
        decay: float | Flat = 1.0,
    ) -> tuple[Flat, Flat]:
        """As in `Optimizer.update`."""
        decayed = parameters - rate * (schedules.at(self.weight_decay, 0.0) * decay) * parameters
        return super().update(decayed, gradient, moments, rate, t)


@dataclass(frozen=True)
class FoldedAdam(Adam):
    """Adam with its corrections folded into the rate (Kingma and Ba 2015, end of section 2).

    ``p <- p - rate_t * m / (sqrt(v) + epsilon)`` with ``rate_t = rate * sqrt(1 - beta2^t) /
    (1 - beta1^t)``: Adam whose epsilon is ``epsilon / sqrt(1 - beta2^t)``, as in scikit-learn.
    """

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: float | Flat,
        t: int,
        decay: float | Flat = 1.0,
    ) -> tuple[Flat, Flat]:
        """As in `Optimizer.update`."""
        m = self.beta1 * moments[0] + (1.0 - self.beta1) * gradient
        v = self.beta2 * moments[1] + (1.0 - self.beta2) * gradient * gradient
        folded = rate * (math.sqrt(1.0 - self.beta2**t) / (1.0 - self.beta1**t))
        return parameters - folded * m / (np.sqrt(v) + self.epsilon), np.stack([m, v])


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS on the whole training set, by SciPy; an epoch is one iteration.

    It has a line search in place of a learning rate, and no state that could be resumed.

    Parameters
    ----------
    memory : int
        Updates kept (SciPy's maxcor).
    gradient_tolerance, cost_tolerance : float
        The run ends when the largest element of the gradient, or the relative fall of the cost, is
        below this (SciPy's gtol and ftol).
    evaluations : int, optional
        Of cost and gradient, after which the run ends (SciPy's maxfun).
    """

    learning_rate: float | Schedule = field(default=1.0, repr=False)
    memory: int = 10
    gradient_tolerance: float = 1e-8
    cost_tolerance: float = 0.0
    evaluations: int | None = None

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        for name in ("memory", "evaluations"):
            value = getattr(self, name)
            if name == "evaluations" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
        for name in ("gradient_tolerance", "cost_tolerance"):
            _checked(self, name, lambda value: value >= 0, "a finite number of at least 0")


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "lbfgs": LBFGS,
}
KNOWN = OPTIMIZERS | {"foldedadam": FoldedAdam}  # those of files, too
_SUITED_RATES = {"sgd": 0.2, "rmsprop": 0.003, "adam": 0.01, "adamw": 0.01, "schedulefreeadamw": 0.01}


def suited(
    name: str, learning_rate: float | None = None, momentum: float | None = None, *, calm: bool = True
) -> Optimizer:
    """Return an optimizer that suits some tens of epochs over standardized inputs: the shell's.

    Parameters
    ----------
    name : str
    learning_rate : float, optional
        Instead of 0.2 for SGD with momentum, 0.003 for RMSProp, 0.01 for Adam and those like it.
    momentum : float, optional
        Of SGD, instead of 0.9; without any, its rate is 2.5 times as large.
    calm : bool
        Whether steps are bounded: sigmoid neurons that classify. SGD's rate is a tenth otherwise.

    Raises
    ------
    ValueError
        As `resolve`, or if a learning rate or a momentum is given to an optimizer that has none.
    """
    name = name.lower()
    if momentum is not None and name != "sgd":
        raise ValueError(f"momentum goes with the optimizer sgd, got {name}")
    if name not in _SUITED_RATES:
        if learning_rate is not None and name in OPTIMIZERS:
            raise ValueError(
                f"learning_rate does not go with the optimizer {name}, got {learning_rate}"
            )
        return resolve(name)  # which names those that are known
    kind: Any = OPTIMIZERS[name]
    rate = _SUITED_RATES[name] if learning_rate is None else learning_rate
    if name != "sgd":
        made: Optimizer = kind(rate)
        return made
    momentum = 0.9 if momentum is None else momentum
    if learning_rate is None:
        rate = (rate if calm else rate / 10) * (1.0 if momentum else 2.5)
    return SGD(rate, momentum=momentum)


def resolve(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimizer from its name, with its defaults, or itself.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if not isinstance(optimizer, str):
        raise TypeError(f"optimizer must be a name or an optimizer, got {optimizer!r}")
    kind: Any = OPTIMIZERS[known_name("optimizer", optimizer.lower(), OPTIMIZERS)]
    made: Optimizer = kind()  # each has a default learning rate of its own
    return made


def describe(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer as JSON-able data, for a checkpoint."""
    values = {each.name: getattr(optimizer, each.name) for each in dataclasses.fields(optimizer)}
    values["learning_rate"] = optimizer.schedule
    values = {k: schedules.described(v) for k, v in values.items()}
    return {"name": type(optimizer).__name__.lower(), **values}


def from_description(data: dict[str, Any]) -> Optimizer:
    """Return the optimizer that `describe` wrote.

    Raises
    ------
    ValueError, TypeError
        If the name or an argument is unknown or out of range.
    """
    values = dict(data)
    kind = KNOWN[known_name("optimizer", values.pop("name", None), KNOWN)]
    values = {k: schedules.from_description(v) if isinstance(v, dict) else v for k, v in values.items()}
    return kind(**values)
