"""What a preset changes, and which arguments were given: an argument that was given wins."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from clearprop.optimizers import LBFGS, OPTIMIZERS, AdamW, Optimizer
from clearprop.schedules import Schedule, coslog4, flat_cos

# Remembered beside the estimators: scikit-learn allows __init__ to set its parameters only.
_GIVEN: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()
_DEFAULTS: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()

REALMLP_S: dict[str, Any] = {
    "hidden_layer_sizes": (256, 256, 256),
    "solver": "adam",
    "alpha": 0.0,
    "batch_size": 256,
    "max_iter": 256,
    "beta_2": 0.95,
    "initializer": "lecun_normal",
    "bias_initializer": "normal",
    "averaging": 0.75,
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": float("inf"),
    "preprocessing": "robust",
    "dtype": "float32",
}
_LABELS: dict[str, Any] = {"label_smoothing": 0.1, "learning_rate_init": 0.04, "calibrate": True}
_QUANTITIES: dict[str, Any] = {
    "target": "standardize",
    "epsilon": 5e-9,  # RealMLP's 1e-8 is for the squared error, ours is half of it
}
REALMLP: dict[str, Any] = REALMLP_S | {
    "solver": "adamw",
    "embedding": "pbld",
    "dropout": 0.15,
    "weight_decay": 0.02,
}
# TabM-mini with embeddings, as TabArena has it but for its size: 32 members, 512 wide.
TABM_MINI: dict[str, Any] = {
    "hidden_layer_sizes": (256, 256),
    "activation": "relu",
    "members": 8,
    "embedding": "pl",
    "solver": "adamw",
    "learning_rate_init": 0.002,
    "weight_decay": 3e-4,
    "alpha": 0.0,
    "clip_norm": 1.0,
    "dropout": 0.1,
    "batch_size": 256,
    "max_iter": 256,
    "patience": 16,
    "initializer": "lecun_normal",
    "bias_initializer": "zeros",
    "early_stopping": True,
    "validation_fraction": 0.2,
    "preprocessing": "robust",
    "dtype": "float32",
}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "sklearn": {"classifier": {}, "regressor": {}},
    "realmlp-s": {
        "classifier": REALMLP_S | _LABELS | {"activation": "selu"},
        "regressor": REALMLP_S | _QUANTITIES | {"activation": "mish", "learning_rate_init": 0.07},
    },
    "realmlp": {
        "classifier": REALMLP | _LABELS | {"activation": "parametric_selu"},
        "regressor": REALMLP
        | _QUANTITIES
        | {"activation": "parametric_mish", "learning_rate_init": 0.2},
    },
    "tabm-mini": {"classifier": TABM_MINI, "regressor": TABM_MINI | {"target": "standardize"}},
}
# What a preset's numbers are the rates of: schedules over the epochs, of arguments that are not given.
SCHEDULED: dict[str, dict[str, type[coslog4] | type[flat_cos]]] = {
    "sklearn": {},
    "realmlp-s": {"learning_rate": coslog4},
    "tabm-mini": {},
    "realmlp": {"learning_rate": coslog4, "dropout": flat_cos, "weight_decay": flat_cos},
}


def fit_solver(explicit: frozenset[str], chosen: dict[str, Any]) -> None:
    """Leave out what of a preset does not go with another solver, and was not given."""
    solver = chosen["solver"]
    if not decays(solver) and "weight_decay" not in explicit:
        chosen["weight_decay"] = None
    if (solver == "lbfgs" or isinstance(solver, LBFGS)) and "dropout" not in explicit:
        chosen["dropout"] = 0.0


def decays(solver: str | Optimizer) -> bool:
    """Return whether a solver takes `weight_decay`: an optimizer has one of its own."""
    return isinstance(solver, str) and issubclass(OPTIMIZERS[solver], AdamW)


def has_mean(solver: str | Optimizer) -> bool:
    """Return whether a solver has a mean of its own, in place of a schedule and of `averaging`."""
    return (OPTIMIZERS[solver] if isinstance(solver, str) else solver).has_mean


def scheduled(preset: str, explicit: frozenset[str], chosen: Mapping[str, Any]) -> dict[str, Schedule]:
    """Return the arguments that a preset has schedules for, and that were not given."""
    epochs, solver = float(chosen["max_iter"]), chosen["solver"]
    rates = dict(chosen) | {"learning_rate": chosen["learning_rate_init"]}
    if not isinstance(solver, str) or has_mean(solver):  # an optimizer has its own rates
        rates["learning_rate"] = None
    return {
        name: schedule(float(rates[name]), epochs)
        for name, schedule in SCHEDULED[preset].items()
        if name not in explicit and rates[name]
    }


def averaging(share: float, epochs: float) -> float:
    """Return the preset's share of the running mean: over a 64th of the epochs, however many."""
    scaled = share ** (REALMLP_S["max_iter"] / epochs)
    return min(round(scaled, 6), 0.999999)  # rounded to 1 it would be the first epoch alone


def last_epoch(best: int, epochs: float) -> float:
    """Return the epoch that ends a training whose lowest validation cost so far is of epoch `best`.

    The cost rises and falls with the learning rate: a whole period of coslog4 without a lower one is
    waited for, and 10 epochs at least. Its periods double with 1 + 15 t, so that a period after t is
    2 t + 1 / 15. Where the lowest cost lies in the first third of all epochs, half of them are enough.

    Parameters
    ----------
    best : int
        Counted from 1.
    epochs : float
        Of the schedule.

    Examples
    --------
    >>> [last_epoch(best, 240.0) for best in (10, 27, 60, 81, 112)]
    [36.0, 70.0, 120.0, 178.0, 240.0]
    """
    period_later = 2.0 * best + epochs / 15.0
    most = epochs / 2.0 if best <= epochs / 3.0 else epochs
    return max(min(period_later, most), best + 10.0)


def defaults(kind: Any) -> dict[str, Any]:
    """Return the arguments of a class in their order, with their defaults."""
    if kind not in _DEFAULTS:  # inspecting takes as long as an epoch of few rows
        parameters = list(inspect.signature(kind.__init__).parameters.items())[1:]
        _DEFAULTS[kind] = {name: parameter.default for name, parameter in parameters}
    return _DEFAULTS[kind]


def remember_given(estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Note which arguments an estimator is constructed with."""
    names = list(defaults(type(estimator)))
    _GIVEN[estimator] = frozenset(names[: len(args)]) | frozenset(kwargs)


def given(estimator: Any) -> frozenset[str]:
    """Return the names of the arguments that were given, or are not at their defaults."""
    changed = frozenset(
        name
        for name, default in defaults(type(estimator)).items()
        if getattr(estimator, name) is not default and not _same(getattr(estimator, name), default)
    )
    return _GIVEN.get(estimator, frozenset()) | changed


def set_given(estimator: Any, names: frozenset[str]) -> None:
    """Take over what another estimator was given."""
    _GIVEN[estimator] = names


def remembered(estimator: Any) -> frozenset[str]:
    """Return only what was given as an argument."""
    return _GIVEN.get(estimator, frozenset())


def _same(value: Any, default: Any) -> bool:
    try:
        return type(value) is type(default) and bool(value == default)
    except ValueError:  # arrays
        return False


def argument(estimator: Any, kind: str, name: str, explicit: frozenset[str]) -> Any:
    """Return an argument's value: the estimator's own if it was given, else the preset's, if any."""
    preset = PRESETS.get(estimator.preset, PRESETS["sklearn"])[kind]
    return preset[name] if name in preset and name not in explicit else getattr(estimator, name)
