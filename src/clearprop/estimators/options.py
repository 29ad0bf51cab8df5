"""Options: an estimator's arguments as a training takes them, with those of its preset, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from clearprop import optimizers
from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.estimators import presets
from clearprop.estimators.arguments import Arguments
from clearprop.initializers import Initializer
from clearprop.model.threshold import score_of
from clearprop.names import check_size
from clearprop.optimizers import Optimizer
from clearprop.schedules import Schedule, coslog4, number
from clearprop.training.settings import refuse_both
from clearprop.typing import Label, Sizes

if TYPE_CHECKING:
    from clearprop.data.table import ColumnDecision
    from clearprop.data.table.read_options import Missing

# One, or for each hidden layer one, or one for each of its neurons.
HiddenActivations = str | Activation | Sequence[str | Activation | Sequence[str | Activation]]
OfLabels = Mapping[Label, float]
ClassWeight = OfLabels | Sequence[OfLabels] | str | None


@dataclasses.dataclass(frozen=True)
class Options:
    """Every argument: the estimator's own where it was given, else its preset's.

    The estimators say what each means. Those that only one of them has are at rest in the other.

    Parameters
    ----------
    sizes : tuple of int
        Of the hidden layers.
    given : frozenset of str
        The arguments that win over the preset.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    """

    preset: str
    sizes: tuple[int, ...]
    given: frozenset[str]
    activation: HiddenActivations
    solver: str | Optimizer
    alpha: float
    batch_size: int | str
    n_batches: int | None
    learning_rate: str | Schedule
    learning_rate_init: float
    power_t: float
    max_iter: int
    loss: str | Cost
    shuffle: bool | str
    tol: float
    verbose: bool | int | str
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    patience: int | str | None  # of presets with a schedule; None is all epochs
    max_fun: int
    preprocessing: str | None
    embedding: str | None
    members: int
    initializer: str | Initializer
    bias_initializer: str | Initializer
    l1: float
    weight_decay: float | Schedule | None
    dropout: float | Schedule | Sequence[float | Schedule]
    clip_norm: float | None
    augment: Any
    averaging: float
    scoring: str | Callable[..., float] | None
    columns: Mapping[str, str] | Sequence[ColumnDecision] | None
    missing: Missing
    decimal: str | None
    callbacks: Sequence[Callable[..., object]]
    time_limit: float | None
    dtype: str
    engine: str
    n_threads: int | None
    shards: int | None
    communicator: Any
    stall_timeout: float
    fast_sum: bool
    label_smoothing: float | Schedule = 0.0
    class_weight: ClassWeight = None
    target: str | None = None
    test_share: float = 0.0
    calibrate: bool = False
    threshold: str | ArrayLike | None = None

    @classmethod
    def of(cls, estimator: Arguments, epochs: int | None = None) -> Options:
        """Return the options of an estimator, checked as far as no data are needed.

        Parameters
        ----------
        estimator : Arguments
        epochs : int, optional
            Instead of its `max_iter`: the schedule, and what depends on its length, are made for them.
        """
        estimator._validate_params()
        given = presets.given(estimator)
        chosen = {
            name: presets.argument(estimator, estimator._task.kind, name, given)
            for name in presets.defaults(type(estimator))
        }
        if epochs is not None:
            chosen["max_iter"] = epochs
        if estimator.preset != "sklearn":
            presets.fit_solver(given, chosen)
        chosen |= presets.scheduled(estimator.preset, given, chosen)
        chosen["patience"] = _patience(chosen, given)
        sizes = _sizes(chosen.pop("hidden_layer_sizes"))
        names = {field.name for field in dataclasses.fields(cls)}
        made = cls(
            sizes=sizes,
            given=given,
            **{name: value for name, value in chosen.items() if name in names},
        )
        if "averaging" not in given and made.averaging:
            # Of L-BFGS every step is a descent.
            none = made.lbfgs or presets.has_mean(made.solver)
            share = 0.0 if none else presets.averaging(float(made.averaging), made.horizon)
            made = dataclasses.replace(made, averaging=share)
        made._refuse_unused()
        _ = made.optimizer  # it is checked when it is made
        return made

    @property
    def keeps_lowest_cost(self) -> bool:
        """Whether the epoch with the lowest validation cost is kept, and the patience is with it."""
        return self.early_stopping and self.patience is not None and self.scoring is None

    @property
    def horizon(self) -> float:
        """The epochs of the schedule."""
        schedule = self.optimizer.schedule
        return schedule.epochs if isinstance(schedule, coslog4) else float(self.max_iter)

    @property
    def like_sklearn(self) -> bool:
        """Whether penalties, Adam and stopping are scikit-learn's."""
        return self.preset == "sklearn"

    @property
    def chosen(self) -> dict[str, Any]:
        """What needs held-out rows besides early stopping, by the argument that asks for it."""
        asked = {"test_share": self.test_share, "calibrate": self.must_calibrate}
        found = {name: value for name, value in asked.items() if value}
        return found | ({} if self.threshold is None else {"threshold": self.threshold})

    @property
    def must_calibrate(self) -> bool:
        """Whether `calibrate` was given: a preset's is left out where nothing can be calibrated."""
        return self.calibrate and "calibrate" in self.given

    @property
    def sets_aside(self) -> bool:
        """Whether rows of X are not trained on, unless validation data are given."""
        return bool(self.early_stopping or self.chosen)

    @property
    def lbfgs(self) -> bool:
        """Whether the solver makes no steps over batches."""
        return self.solver == "lbfgs" or isinstance(self.solver, optimizers.LBFGS)

    @cached_property
    def optimizer(self) -> Optimizer:
        """What the solver is."""
        if isinstance(self.solver, Optimizer):
            return self.solver
        if self.solver == "lbfgs":
            # At scikit-learn's tol, SciPy's own limit on the relative fall of the cost.
            return optimizers.LBFGS(
                gradient_tolerance=float(self.tol),
                cost_tolerance=float(self.tol) * 2.2e-5,
                evaluations=int(self.max_fun),
            )
        rate: Any = self.learning_rate
        if isinstance(rate, str):
            rate = float(self.learning_rate_init)
        if self.solver == "sgd":
            momentum = float(self.momentum)
            return optimizers.SGD(rate, momentum, bool(self.nesterovs_momentum and momentum > 0))
        if self.solver == "rmsprop":
            return optimizers.RMSProp(rate, float(self.beta_2), float(self.epsilon))
        betas = float(self.beta_1), float(self.beta_2), float(self.epsilon)
        if presets.decays(self.solver):
            kind: Any = optimizers.OPTIMIZERS[self.solver]
            made: Optimizer = kind(rate, *betas, **self._decay)
            return made
        return (optimizers.FoldedAdam if self.like_sklearn else optimizers.Adam)(rate, *betas)

    @property
    def _decay(self) -> dict[str, Any]:
        return {} if self.weight_decay is None else {"weight_decay": number(self.weight_decay)}

    def _refuse_unused(self) -> None:
        """Refuse arguments that would silently do nothing."""
        if self.weight_decay is not None and not presets.decays(self.solver):
            raise ValueError(
                f"weight_decay needs solver='adamw', got solver={self.solver!r}; alpha is the L2 "
                "penalty of the others"
            )
        if isinstance(self.learning_rate, Schedule) and not isinstance(self.solver, str):
            raise ValueError(
                f"learning_rate cannot be a schedule where solver is an optimizer with a learning rate "
                f"of its own, got {self.learning_rate!r} and {self.solver!r}"
            )
        if "batch_size" in self.given and not isinstance(self.batch_size, str):
            refuse_both(self.n_batches, self.batch_size)
        if self.threshold is not None:
            score_of(self.threshold)  # which refuses what is none
        for name in ("columns", "missing", "decimal"):
            if getattr(self, name) is not None and self.like_sklearn:
                raise ValueError(f"{name} needs preset='realmlp-s', got preset={self.preset!r}")
        if self.lbfgs:
            if self.members > 1:
                raise ValueError(f"members cannot be used with solver='lbfgs', got {self.members}")
            for name in ("dropout", "clip_norm", "averaging", "n_batches", "augment"):
                if np.any(getattr(self, name)):
                    raise ValueError(
                        f"{name} cannot be used with solver='lbfgs', got {getattr(self, name)!r}"
                    )


def _patience(chosen: Mapping[str, Any], given: frozenset[str]) -> int | str | None:
    """Return the patience of a preset with a schedule, by whichever name it was given.

    Raises
    ------
    ValueError
        If both names are given, or the preset is scikit-learn's.
    """
    patience, same = chosen["patience"], chosen["n_iter_no_change"]
    if chosen["preset"] == "sklearn":
        if patience != "auto":
            raise ValueError(
                "patience needs a preset with a schedule, such as 'realmlp-s', got preset='sklearn' "
                f"and patience={patience!r}; n_iter_no_change is scikit-learn's"
            )
        return None
    if patience != "auto" and "n_iter_no_change" in given:
        raise ValueError(
            "patience and n_iter_no_change cannot be used together, one is the other's name, got "
            f"{patience!r} and {same!r}"
        )
    if patience == "auto" and "n_iter_no_change" in given:
        patience = None if np.isinf(same) else same
    return patience


def _sizes(sizes: Sizes) -> tuple[int, ...]:
    listed = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    try:
        return tuple(check_size(size) for size in listed)
    except (TypeError, ValueError):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {listed}") from None
