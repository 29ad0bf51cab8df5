"""The arguments of an estimator: their rules, which were given, and a preset's in place of others."""

from __future__ import annotations

from numbers import Integral, Real
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.base import _clone_parametrized as clone_parametrized
from sklearn.utils._param_validation import Interval, Options, StrOptions

from clearprop import architecture as architectures
from clearprop import optimizers, schedules
from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.estimators import presets
from clearprop.estimators.inputs import PREPROCESSING
from clearprop.initializers import Initializer
from clearprop.optimizers import Optimizer
from clearprop.schedules import Schedule
from clearprop.training.settings import refuse_both

_STOCHASTIC = ("sgd", "adam", "adamw", "rmsprop")


class Arguments(BaseEstimator):
    """An estimator's arguments, checked; those that were not given are its preset's."""

    _kind: ClassVar[str]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [str, list, tuple, Activation],
        "solver": [StrOptions({"lbfgs", *_STOCHASTIC}), Optimizer],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "n_batches": [None, Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "loss": [str, Cost],
        "shuffle": ["boolean", StrOptions({"epoch", "once"})],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose", StrOptions({"bar"})],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "preset": [StrOptions(set(presets.PRESETS))],
        "preprocessing": [None, StrOptions(set(PREPROCESSING))],
        "initializer": [str, Initializer],
        "bias_initializer": [str, Initializer],
        "l1": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [None, Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
        "clip_norm": [None, Interval(Real, 0, None, closed="neither")],
        "averaging": [Interval(Real, 0, 1, closed="left")],
        "scoring": [None, str, callable],
        "columns": [None, dict, list, tuple],
        "callbacks": [list, tuple],
        "time_limit": [None, Interval(Real, 0, None, closed="neither")],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "engine": [StrOptions({"auto", "numpy", "numba"})],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    }
    preset: str
    random_state: Any
    warm_start: bool

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an estimator, and remember which arguments were given: those win over a preset."""
        made = super().__new__(cls)
        presets.remember_given(made, args, kwargs)
        return made

    def set_params(self, **params: Any) -> Self:
        """Set parameters; they count as given.

        Parameters
        ----------
        **params
            By name.
        """
        super().set_params(**params)
        presets.set_given(self, presets.remembered(self) | frozenset(params))
        return self

    def __sklearn_clone__(self) -> Self:
        copy: Self = clone_parametrized(self)
        presets.set_given(copy, presets.remembered(self))
        return copy

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return state | {"_given": tuple(sorted(presets.remembered(self)))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        given = frozenset(state.pop("_given", ()))
        super().__setstate__(state)
        presets.set_given(self, given)

    def _set_arguments(self, arguments: dict[str, Any]) -> None:
        for name, value in arguments.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def _options(self) -> SimpleNamespace:
        """Return every argument, from the estimator or its preset, checked as far as no data is needed.

        Raises
        ------
        ValueError, TypeError
            Naming the argument, its rule and the value.
        """
        self._validate_params()
        explicit = presets.given(self)
        names = presets.defaults(type(self))
        options = SimpleNamespace(
            **{name: presets.argument(self, self._kind, name, explicit) for name in names}
        )
        if self.preset == "realmlp-s" and "learning_rate" not in explicit:
            options.learning_rate = schedules.coslog4(
                float(options.learning_rate_init), float(options.max_iter)
            )
        options.batch_size_given = "batch_size" in explicit
        options.like_sklearn = self.preset == "sklearn"
        options.lbfgs = options.solver == "lbfgs" or isinstance(options.solver, optimizers.LBFGS)
        options.sizes = _sizes(options.hidden_layer_sizes)
        if "averaging" not in explicit:
            options.averaging = presets.averaging(options)
        options.seldom = options.learning_rate in ("constant", "invscaling", "adaptive")
        self._refuse_unused(options)
        options.optimizer = _optimizer(options)
        return options

    def _refuse_unused(self, options: SimpleNamespace) -> None:
        """Refuse arguments that would silently do nothing."""
        if options.weight_decay is not None and options.solver != "adamw":
            raise ValueError(
                f"weight_decay needs solver='adamw', got solver={options.solver!r}; alpha is the L2 "
                "penalty of the others"
            )
        if isinstance(options.learning_rate, Schedule) and not isinstance(options.solver, str):
            raise ValueError(
                f"learning_rate cannot be a schedule where solver is an optimizer with a learning rate "
                f"of its own, got {options.learning_rate!r} and {options.solver!r}"
            )
        if options.batch_size_given and options.batch_size != "auto":
            refuse_both(options.n_batches, options.batch_size)
        if options.columns is not None and options.preset != "realmlp-s":
            raise ValueError(f"columns needs preset='realmlp-s', got preset={options.preset!r}")
        if options.lbfgs:
            for name in ("dropout", "clip_norm", "averaging", "n_batches"):
                if np.any(getattr(options, name)):
                    raise ValueError(
                        f"{name} cannot be used with solver='lbfgs', got {getattr(options, name)!r}"
                    )

    @property
    def _is_stochastic(self) -> bool:
        """Whether there is something for partial_fit to make a step of."""
        if self.solver == "lbfgs" or isinstance(self.solver, optimizers.LBFGS):
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers; lbfgs is not stochastic"
            )
        return True


def _sizes(sizes: Any) -> list[int]:
    listed = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    try:
        return [architectures.check_size(size) for size in listed]
    except (TypeError, ValueError):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {listed}") from None


def _optimizer(options: SimpleNamespace) -> Optimizer:
    if isinstance(options.solver, Optimizer):
        return options.solver
    if options.solver == "lbfgs":
        # At scikit-learn's tol, SciPy's own limit on the relative fall of the cost.
        return optimizers.LBFGS(
            gradient_tolerance=float(options.tol),
            cost_tolerance=float(options.tol) * 2.2e-5,
            evaluations=int(options.max_fun),
        )
    rate: Any = options.learning_rate
    if isinstance(rate, str):
        rate = float(options.learning_rate_init)
    if options.solver == "sgd":
        momentum = float(options.momentum)
        return optimizers.SGD(rate, momentum, bool(options.nesterovs_momentum and momentum > 0))
    if options.solver == "rmsprop":
        return optimizers.RMSProp(rate, float(options.beta_2), float(options.epsilon))
    betas = float(options.beta_1), float(options.beta_2), float(options.epsilon)
    if options.solver == "adamw":
        decay = 0.01 if options.weight_decay is None else float(options.weight_decay)
        return optimizers.AdamW(rate, *betas, decay)
    return (optimizers.FoldedAdam if options.like_sklearn else optimizers.Adam)(rate, *betas)
