"""What an estimator is: arguments with their rules, which of them were given, and what a fit adds."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.base import _clone_parametrized as clone_parametrized
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if

from clearprop import optimizers
from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.data.deformation import Deform
from clearprop.data.table.read_options import Missing
from clearprop.distributed.team import Team
from clearprop.engines import ALSO_CALLED, ENGINES
from clearprop.estimators import presets
from clearprop.estimators.tasks import Task
from clearprop.estimators.training import GoingOn
from clearprop.initializers import Initializer
from clearprop.model.embedding import NAMES as EMBEDDINGS
from clearprop.model.inputs import LEARNED
from clearprop.network import Network
from clearprop.optimizers import Optimizer
from clearprop.schedules import Schedule
from clearprop.training import History

Method = TypeVar("Method", bound=Callable[..., object])


def where_stochastic(method: Method) -> Method:
    """Return a method that only those have whose solver makes steps over batches."""
    made: Method = available_if(lambda self: self._is_stochastic)(method)  # which says no types
    return made


class Arguments(BaseEstimator):
    """An estimator's arguments, and the attributes that a fit gives it.

    `Options` says what the arguments are that were not given; reader, fitter and predictor work on it.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [str, list, tuple, Activation],
        "solver": [StrOptions(set(optimizers.OPTIMIZERS)), Optimizer],
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
        "test_share": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "patience": [None, StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "preset": [StrOptions(set(presets.PRESETS))],
        "embedding": [None, StrOptions(set(EMBEDDINGS))],
        "members": [Interval(Integral, 1, None, closed="left")],
        "preprocessing": [None, StrOptions(set(LEARNED))],
        "initializer": [str, Initializer],
        "bias_initializer": [str, Initializer],
        "l1": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [None, Interval(Real, 0, None, closed="left"), Schedule],
        "dropout": [Interval(Real, 0, 1, closed="left"), Schedule, list, tuple],
        "clip_norm": [None, Interval(Real, 0, None, closed="neither")],
        "augment": [None, Deform, callable],
        "averaging": [Interval(Real, 0, 1, closed="left")],
        "scoring": [None, str, callable],
        "columns": [None, dict, list, tuple],
        "missing": [None, str, Real, list, tuple],
        "decimal": [None, StrOptions({".", ","})],
        "callbacks": [list, tuple],
        "time_limit": [None, Interval(Real, 0, None, closed="neither")],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "engine": [StrOptions({*ENGINES, *ALSO_CALLED})],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
        "shards": [None, Interval(Integral, 1, None, closed="left")],
        "communicator": [None, StrOptions({"mpi"}), HasMethods(["Dup", "Get_rank"]), Team],
        "stall_timeout": [Interval(Real, 1, None, closed="left")],
        "fast_sum": ["boolean"],
    }
    preset: str
    random_state: int | np.random.RandomState | None
    warm_start: bool
    _task: ClassVar[Task]
    network_: Network
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    history_: History
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    n_iter_: int
    t_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    columns: Any
    missing: Missing
    decimal: str | None
    n_threads: int | None
    _going_on: GoingOn | None
    _no_improvement_count: int

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an estimator, and remember which arguments were given: those win over a preset."""
        made = super().__new__(cls)
        presets.remember_given(made, args, kwargs)
        return made

    def set_params(self, **params: object) -> Self:
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

    @property
    def _is_stochastic(self) -> bool:
        """Whether there is something for partial_fit to make a step of."""
        if self.solver == "lbfgs" or isinstance(self.solver, optimizers.LBFGS):
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers; lbfgs is not stochastic"
            )
        return True
