"""What the classifier and the regressor have in common: from arguments and tables to a `Training`."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from numbers import Integral, Real
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.base import _clone_parametrized as clone_parametrized
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    _get_feature_names,
    check_is_fitted,
    validate_data,
)

from clearprop import architecture as architectures
from clearprop import optimizers, randomness, schedules
from clearprop.activations import Activation
from clearprop.architecture import Layer
from clearprop.costs import Cost
from clearprop.data import arrays
from clearprop.engines import Data
from clearprop.estimators import inputs, presets, tables
from clearprop.estimators.inputs import PREPROCESSING, Preprocessing
from clearprop.estimators.training import EstimatorTraining, Follower, Progress
from clearprop.initializers import Initializer
from clearprop.network import Network
from clearprop.optimizers import Optimizer
from clearprop.schedules import Schedule
from clearprop.training import History

try:  # since scikit-learn 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # pragma: no cover - with the oldest supported version

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """Return the method: this scikit-learn has no callbacks."""
        return method


if TYPE_CHECKING:
    from clearprop.estimators.rate_finder import LearningRates

Array = NDArray[Any]

_ROWS = 4096  # rows passed through together: bounds the memory of the hidden activations
_STOCHASTIC = ("sgd", "adam", "adamw", "rmsprop")
_SCIKIT_NAMES = {"logistic": "sigmoid"}
_OUR_NAMES = {"sigmoid": "logistic"}


class BaseMLP(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC
):
    """Everything but what y is."""

    _kind: ClassVar[str]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [str, list, tuple, Activation],
        "solver": [StrOptions({"lbfgs", *_STOCHASTIC}), Optimizer],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "loss": [str, Cost],
        "shuffle": ["boolean"],
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
        "scoring": [None, str, callable],
        "callbacks": [list, tuple],
        "time_limit": [None, Interval(Real, 0, None, closed="neither")],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "engine": [StrOptions({"auto", "numpy", "numba"})],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    }
    network_: Network
    n_features_in_: int
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

    # What was asked for

    def _options(self) -> SimpleNamespace:
        """Return every argument, from the estimator or its preset, checked as far as no data is needed.

        Raises
        ------
        ValueError, TypeError
            Naming the argument, its rule and the value.
        """
        self._validate_params()
        explicit = presets.given(self)
        names = self.get_params(deep=False)
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
        if options.lbfgs:
            for name in ("dropout", "clip_norm"):
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

    # What y is

    @abstractmethod
    def _read_targets(self, y: Any, options: SimpleNamespace, *, reset: bool) -> Array:
        """Return y as targets, shape (n_samples, n_outputs); with `reset`, learn what it is."""

    @abstractmethod
    def _output(self, options: SimpleNamespace) -> tuple[str, Cost]:
        """Return the activation of the outputs and the cost."""

    @abstractmethod
    def _weigh_classes(self, y: Any, weight: Array | None, options: SimpleNamespace) -> Array | None:
        """Return the sample weights times those of the classes."""

    @abstractmethod
    def _score_outputs(self, a: Array, targets: Array, weight: Array | None) -> float:
        """Return the score that early stopping watches where no scorer is given."""

    def _stratify(self, targets: Array) -> Array | None:
        """Return what the validation part is to have its share of, if anything."""
        return None

    # Fitting

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the network on X and y.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
            NumPy, SciPy sparse, pandas, polars or pyarrow. Column names are kept, and checked in
            every later call.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            At least 0. A weight of 0 leaves a row out.
        X_val, y_val : array-like, optional
            Validation data of your own, for ``history_`` and early stopping; otherwise early stopping
            sets `validation_fraction` of X aside.
        groups : array-like of shape (n_samples,), optional
            Rows of one group are set aside together.

        Returns
        -------
        self

        Raises
        ------
        DivergenceError
            If the cost leaves the finite numbers, at that step; with early stopping too.
        ValueError, TypeError
            Naming the argument, its rule and the value.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val), groups, incremental=False)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        return self._fit(X, y, sample_weight, (None, None), None, incremental=True)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any],
        groups: Any,
        *,
        incremental: bool,
    ) -> Self:
        options = self._options()
        self._check_validation_arguments(options, validation, groups, incremental)
        first = not hasattr(self, "network_") or not (self.warm_start or incremental)
        table, whole = X, self._read_X(X, reset=first)
        if y is None:
            raise ValueError(
                f"y must be given: {type(self).__name__} requires y to be passed, but the target y is "
                "None"
            )
        options.same_classes = not first and not incremental  # those of a warm start, all of them
        targets = self._read_targets(y, options, reset=first)
        options.same_classes = False
        n = whole.shape[0]
        if len(targets) != n:
            raise ValueError(f"X and y must have as many rows, got {n} and {len(targets)}")
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, whole)
        weight = self._weigh_classes(y, weight, options)
        dtype = self._dtype_of(whole, options) if first else self.network_.dtype
        if first:
            state, sizes = self._random_state(), [whole.shape[1], *options.sizes, targets.shape[1]]
            start = _scikit_parameters(options, sizes, state)
            seed = self._seed(state)
        else:
            seed = self.network_.training_seed
            state = np.random.RandomState((seed + self.network_.epochs_trained) % 2**32)
            start = None
        held = self._hold_out(options, validation, groups, targets, state, incremental)
        rows, held_rows = held if held else (None, None)
        train = whole if rows is None else _safe_indexing(whole, rows)
        train_targets = targets if rows is None else targets[rows]
        train_weight = weight if rows is None or weight is None else weight[rows]
        if first:
            self._begin(options, train, train_targets, train_weight, dtype, seed)
            if start is not None:
                self._start_from(start)
        elif self.network_.sizes[1:-1] != tuple(options.sizes):
            raise ValueError(
                f"hidden_layer_sizes must be what the network has, {self.network_.sizes[1:-1]}, to go "
                f"on with it, got {tuple(options.sizes)}"
            )
        if options.preprocessing is None and first:
            inputs.warn_of_scales(train, getattr(self, "feature_names_in_", None))
        data = self._data(train, train_targets, train_weight, dtype)
        validation_data, validation_table = None, (None, None)
        if held_rows is not None:
            held_weight = None if weight is None else weight[held_rows]
            validation_data = self._data(
                _safe_indexing(whole, held_rows), targets[held_rows], held_weight, dtype
            )
            if options.scoring is not None:
                validation_table = tuple(_safe_indexing(each, held_rows) for each in (table, y))
        elif validation[0] is not None:
            validation_data = self._data(
                self._read_X(validation[0], reset=False),
                self._read_targets(validation[1], options, reset=False),
                None,
                dtype,
            )
            validation_table = validation
        total = float(len(data.X) if train_weight is None else np.sum(train_weight))
        return self._train(options, data, validation_data, validation_table, total, incremental, X, y)

    def _check_validation_arguments(
        self, options: SimpleNamespace, validation: tuple[Any, Any], groups: Any, incremental: bool
    ) -> None:
        if incremental and "early_stopping" in presets.PRESETS[self.preset][self._kind]:
            options.early_stopping = self.early_stopping and "early_stopping" in presets.given(self)
        if incremental and options.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if (validation[0] is None) != (validation[1] is None):
            raise ValueError("X_val and y_val must be given together")
        if groups is not None and (not options.early_stopping or validation[0] is not None):
            raise ValueError(
                "groups are for the part of X that early_stopping=True sets aside, and there is none"
            )
        if (
            options.scoring is not None
            and not options.early_stopping
            and validation[0] is None
            and not incremental
        ):
            raise ValueError(
                "scoring needs early_stopping=True, or X_val and y_val, to be computed on, got "
                f"scoring={options.scoring!r}"
            )

    def _hold_out(
        self,
        options: SimpleNamespace,
        validation: tuple[Any, Any],
        groups: Any,
        targets: Array,
        state: np.random.RandomState,
        incremental: bool,
    ) -> tuple[Array, Array] | None:
        """Return the rows to train on and those set aside, or None where none are."""
        if not options.early_stopping or incremental or validation[0] is not None:
            return None
        n = len(targets)
        if groups is not None:
            split = GroupShuffleSplit(1, test_size=options.validation_fraction, random_state=state)
            rows, held = next(split.split(np.zeros((n, 1)), groups=groups))
        else:
            rows, held = train_test_split(
                np.arange(n),
                test_size=options.validation_fraction,
                random_state=state,
                stratify=self._stratify(targets) if options.like_sklearn else None,
            )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small: validation_fraction="
                f"{options.validation_fraction} of {n} samples leaves {len(held)}, at least 2 are "
                "needed"
            )
        return np.sort(rows), np.sort(held)

    # The data

    def _read_X(self, X: Any, *, reset: bool) -> Any:
        """Return X as a dense array or a CSR matrix of floats, its column names checked."""
        X = _as_table(X)
        if not reset and _is_plain(X, self):
            return X
        if self.preset == "realmlp-s":
            encoded = self._encode_table(X, reset=reset)
            if encoded is not None:
                return encoded
        try:
            return validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=(np.float64, np.float32),
                reset=reset,
            )
        except ValueError as problem:
            if "must be in the same order" not in str(problem):
                raise
            names, known = tables.column_names(X) or [], list(self.feature_names_in_)
            moved = [name for name, there in zip(names, known, strict=True) if name != there]
            raise ValueError(f"{problem}Not in their place: {', '.join(moved)}\n") from None

    def _encode_table(self, X: Any, *, reset: bool) -> Array | None:
        """Return a data frame of text and missing values as numbers, or None where X is another."""
        names = tables.column_names(X)
        if reset:
            self._table_encoder: tables.TableEncoder | None = None
            if names is not None and tables.needs_encoding(X):
                self._table_encoder = tables.TableEncoder.learn(X)
        if self._table_encoder is None:
            return None
        if names is None:
            raise ValueError(
                "X must be a data frame, as in fit: it has columns of text or missing values"
            )
        _check_feature_names(self, X, reset=reset)
        _check_n_features(self, X, reset=reset)
        return self._table_encoder(X)

    def _dtype_of(self, X: Any, options: SimpleNamespace) -> str:
        if options.dtype != "auto":
            return str(options.dtype)
        return "float32" if X.dtype == np.float32 else "float64"

    def _random_state(self) -> np.random.RandomState:
        state: np.random.RandomState = check_random_state(self.random_state)
        return state

    def _seed(self, state: np.random.RandomState) -> int:
        """Return what orders and dropout are keyed by: random_state itself, or a draw from it."""
        if isinstance(self.random_state, Integral):
            return randomness.check_seed(int(self.random_state), "random_state")
        return int(state.randint(2**31 - 1))

    def _start_from(self, start: list[tuple[Array | None, Array | None]]) -> None:
        views = zip(self.network_.weights, self.network_.biases, start, strict=True)
        for W, b, (weights, biases) in views:
            if weights is not None:
                W[:] = weights.T
            if biases is not None and b is not None:
                b[:] = biases

    def _data(self, X: Any, targets: Array, weight: Array | None, dtype: str) -> Data:
        if weight is not None and (weight == weight[0]).all() and weight[0] > 0:
            weight = None  # to the last bit, equal weights are no weights
        return Data(
            inputs.as_rows(X, dtype, self.preprocessing_),
            np.ascontiguousarray(self._scale_targets(targets), dtype=dtype),
            arrays.as_sample_weight(weight, len(targets), dtype),
        )

    def _scale_targets(self, targets: Array) -> Array:
        return targets

    def _learn_targets(self, options: SimpleNamespace, targets: Array, weight: Array | None) -> None:
        """Learn how targets are scaled."""

    # The network

    def _begin(
        self,
        options: SimpleNamespace,
        X: Any,
        targets: Array,
        weight: Array | None,
        dtype: str,
        seed: int,
    ) -> None:
        make = PREPROCESSING.get(options.preprocessing)
        self.preprocessing_: Preprocessing | None = make(X, weight) if make else None
        self._learn_targets(options, targets, weight)
        activation, cost = self._output(options)
        hidden = [
            Layer(size, each)
            for size, each in zip(options.sizes, _hidden_activations(options), strict=True)
        ]
        self.network_ = Network(
            [X.shape[1], *hidden, Layer(targets.shape[1], activation)],
            cost=cost,
            initializer=_initializer(options, "initializer"),
            bias_initializer=_initializer(options, "bias_initializer"),
            dtype=dtype,
            seed=seed,
        )
        if options.preset == "realmlp-s":
            presets.as_realmlp(self.network_, options)
        self.n_layers_ = len(self.network_.sizes)
        self.n_outputs_ = self.network_.sizes[-1]
        self.out_activation_ = _OUR_NAMES.get(activation, activation)
        self.n_iter_, self.t_ = 0, 0
        self.loss_curve_: list[float] = []
        self.history_ = History()
        self.best_loss_: float | None = None
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        self._no_improvement_count = 0
        self._going_on: Progress | None = None

    @property
    def _n_features_out(self) -> int:
        return self.network_.sizes[-2]

    @property
    def coefs_(self) -> list[Array]:
        """Weights in scikit-learn's layout, (n_in, n_out): writable views of those of `network_`."""
        return [W.T for W in self._fitted_network("coefs_").weights]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of every layer: writable views of those of `network_`."""
        return [b for b in self._fitted_network("intercepts_").biases if b is not None]

    def _fitted_network(self, wanted: str) -> Network:
        if "network_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {wanted} before it is fitted")
        return self.network_

    # The training

    def _train(
        self,
        options: SimpleNamespace,
        data: Data,
        validation: Data | None,
        validation_table: tuple[Any, Any],
        total: float,
        incremental: bool,
        X: Any,
        y: Any,
    ) -> Self:
        net = self.network_
        n = len(data.X)
        if not net.parameters.flags.writeable:  # memory-mapped by joblib
            net = self.network_ = net.copy()
        scorer = None if options.scoring is None else get_scorer(options.scoring)
        evaluated = scorer is not None and validation is not None
        metrics: list[Any] = []
        if validation is not None and not evaluated:
            metrics.append(self._metric(validation))
        before = self._score_now(metrics, validation) if options.early_stopping else None
        follower = self._follower(options, data, n, incremental)
        if evaluated:
            follower.score = lambda: float(scorer(self, *validation_table))  # type: ignore[misc]
        epochs = 1 if incremental else int(options.max_iter)
        bridge = _Bridge(self, X, y, epochs, follower)
        quirk = options.like_sklearn and not options.lbfgs
        training = EstimatorTraining(
            net,
            data,
            validation,
            labelled=self._kind == "classifier" and not hasattr(self, "_groups"),
            shuffle=bool(options.shuffle),
            over_batch_weight=quirk,
            going_on=self._going_on,
            epochs=epochs,
            batch_size=_batch_size(options, n),
            optimizer=options.optimizer,
            metrics=metrics,
            l2=_l2(options, n, total),
            l1=_penalty(options, float(options.l1), n, total),
            dropout=_dropout(options.dropout),
            label_smoothing=float(getattr(options, "label_smoothing", 0.0)),
            clip_norm=None if options.clip_norm is None else float(options.clip_norm),
            callbacks=[follower, *bridge.callbacks, *options.callbacks],
            engine=_engine(options, data),
            n_threads=None if options.n_threads is None else int(options.n_threads),
            progress=options.verbose == "bar",
            time_limit=None if options.time_limit is None else float(options.time_limit),
        )
        self._before_training(training)
        try:
            bridge.begin()
            training.run(epochs)
        finally:
            self._take(training, follower, n, incremental)
        bridge.close()
        self._after(options, training, follower, before, incremental)
        return self

    def _before_training(self, training: EstimatorTraining) -> None:
        """See a training that is prepared, before it is run."""

    def _metric(self, validation: Data) -> Callable[[Array, Array], float]:
        weight = validation.sample_weight

        def score(a: Array, y: Array) -> float:
            return self._score_outputs(a, y, weight)

        return score

    def _score_now(self, metrics: list[Any], validation: Data | None) -> float | None:
        if not metrics or validation is None:
            return None
        a, _ = self.network_.evaluate_prepared(validation.X, validation.Y, validation.sample_weight)
        return float(metrics[0](a, validation.Y))

    def _follower(self, options: SimpleNamespace, data: Data, n: int, incremental: bool) -> Follower:
        nothing_yet = self.best_loss_ is None
        return Follower(
            tol=float(options.tol),
            patience=options.n_iter_no_change,
            best_loss=np.inf if nothing_yet else self.best_loss_,  # type: ignore[arg-type]
            best_score=-np.inf if self.best_validation_score_ is None else self.best_validation_score_,
            no_improvement=self._no_improvement_count if incremental else 0,
            watches_score=bool(options.early_stopping),
            score=None,
            latest_of_equals=not options.like_sklearn,
            policy=options.learning_rate if isinstance(options.learning_rate, str) else "constant",
            base_rate=float(options.learning_rate_init),
            power_t=float(options.power_t),
            samples_seen=self.t_,
            samples_in_epoch=n,
            first_iteration=self.n_iter_ if incremental else 0,
            loss_offset=self._loss_offset(data),
            report=print if options.verbose and options.verbose != "bar" else None,
        )

    def _loss_offset(self, data: Data) -> float:
        """Return what scikit-learn's loss has besides our cost: a function of y alone."""
        return 0.0

    def _take(self, training: EstimatorTraining, follower: Follower, n: int, incremental: bool) -> None:
        """Take over what a training has come to, also where it ended with an error."""
        if follower.best_parameters is not None:
            self.network_.parameters[:] = follower.best_parameters
        self._going_on = training.progress
        self._no_improvement_count = follower.no_improvement
        done = len(follower.losses)
        self.n_iter_ = done + (self.n_iter_ if incremental else 0)
        self.t_ += n * done
        self.loss_curve_ += follower.losses
        for row in training.history.rows():
            self.history_.append(row)
        self.history_.stopped = training.history.stopped
        if self.loss_curve_:
            self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = None if follower.watches_score else min(follower.best_loss, np.inf)
        if follower.watches_score:
            self.validation_scores_ = (self.validation_scores_ or []) + follower.scores
            self.best_validation_score_ = follower.best_score
        else:
            self.validation_scores_ = self.best_validation_score_ = None

    def _after(
        self,
        options: SimpleNamespace,
        training: EstimatorTraining,
        follower: Follower,
        before: float | None,
        incremental: bool,
    ) -> None:
        """Warn of what the caller should know of the training that has ended."""
        stopped = training.history.stopped
        if stopped == "interrupted":
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=5)
        unfinished = stopped == "evaluations" or (not stopped and not incremental)
        if unfinished and isinstance(options.learning_rate, str):
            limit = "max_fun" if stopped == "evaluations" else "max_iter"
            warnings.warn(
                f"{limit} ({getattr(options, limit)}) was reached before the training converged: the "
                "last loss is "
                f"{self.loss_:.6g}. Raise {limit}, the learning rate or tol",
                ConvergenceWarning,
                stacklevel=5,
            )
        best = self.best_validation_score_
        if best is not None and before is not None and not best >= before:
            warnings.warn(
                f"the best validation score, {best:.6g}, is below that of the untrained network, "
                f"{before:.6g}; try a smaller learning rate",
                ConvergenceWarning,
                stacklevel=5,
            )

    # Predicting

    def _logits(self, X: Any) -> Array:
        """Return z of the last layer, shape (n_samples, n_outputs), for raw X."""
        if "network_" not in vars(self):
            check_is_fitted(self)  # which takes longer than a row's prediction
        X = self._read_X(X, reset=False)
        net, then = self.network_, self.preprocessing_
        n = X.shape[0]
        if n <= _ROWS:
            return self._pass(inputs.as_rows(X, net.dtype, then))
        parts = [
            self._pass(inputs.as_rows(X[first : first + _ROWS], net.dtype, then))
            for first in range(0, n, _ROWS)
        ]
        return np.concatenate(parts)

    def _pass(self, a: Array, up_to: int | None = None) -> Array:
        """Return z of the last layer, or the activations of hidden layer `up_to`, counted from 1."""
        net = self.network_
        last = len(net.layers)
        a = _times_scale(net, a)
        weights, biases = net.architecture.views(net.parameters)
        with np.errstate(all="ignore"):
            for number, (W, b, layer) in enumerate(
                zip(weights, biases, net.layers, strict=True), start=1
            ):
                z = a @ W.T
                if b is not None:
                    z += b
                if number == last:
                    return z
                a = layer.function(z)
                if number == up_to:
                    return a
        return a

    def _outputs(self, X: Any) -> Array:
        """Return the activations of the last layer for raw X."""
        z = self._logits(X)
        return self.network_.architecture.output(z)

    def transform(self, X: Any, layer: int = -1) -> Array:
        """Return the activations of a hidden layer, shape (n_samples, n_neurons).

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
        layer : int
            Hidden layers count from 1; -1 is the last one.

        Raises
        ------
        ValueError
            If there is no such hidden layer.
        """
        check_is_fitted(self)
        n_hidden = len(self.network_.layers) - 1
        number = layer + n_hidden + 1 if layer < 0 else layer
        if not 1 <= number <= n_hidden:
            raise ValueError(
                f"layer must be a hidden layer, from 1 to {n_hidden} or from -{n_hidden} to -1, "
                f"got {layer}"
            )
        X = self._read_X(X, reset=False)
        rows = inputs.as_rows(X, self.network_.dtype, self.preprocessing_)
        # In float64: what a row becomes is not to depend on the rows beside it, by float32's rounding.
        return self._pass(rows[:].astype(np.float64), number).astype(self.network_.dtype)

    def input_gradient(self, X: Any) -> Array:
        """Return the derivative of every prediction by every raw feature.

        Of ``predict_proba`` for a classifier (of two classes: of the second one's), of ``predict`` for
        a regressor.

        Parameters
        ----------
        X : array-like or sparse matrix

        Returns
        -------
        ndarray of shape (n_samples, n_features), or (n_samples, n_outputs, n_features) with several
        outputs
        """
        check_is_fitted(self)
        raw = inputs.as_rows(self._read_X(X, reset=False), self.network_.dtype, None)
        scaled = raw if self.preprocessing_ is None else self.preprocessing_(raw)
        net = self.network_
        zs, a = [], _times_scale(net, scaled)
        for W, b, each in zip(net.weights, net.biases, net.layers, strict=True):
            zs.append(a @ W.T if b is None else a @ W.T + b)
            a = each.function(zs[-1]) if each.function.elementwise else zs[-1]
        input_scale = net.architecture.scale_view(net.parameters)
        slopes = np.empty((len(raw), net.sizes[-1], raw.shape[1]), net.dtype)
        for output in range(net.sizes[-1]):
            error = np.zeros_like(zs[-1])
            error[:, output] = 1.0
            for z, W, each in reversed(list(zip(zs, net.weights, net.layers, strict=True))):
                error = each.function.backward(z, error) @ W
            slopes[:, output] = error
        if input_scale is not None:
            slopes *= input_scale
        if self.preprocessing_ is not None:
            slopes *= self.preprocessing_.slope(raw)[:, None, :]
        slopes *= self._prediction_slope()[:, None]
        return slopes[:, 0] if slopes.shape[1] == 1 else slopes

    def _prediction_slope(self) -> Array:
        """Return the derivative of every prediction by its output of the network."""
        return np.ones(self.network_.sizes[-1], self.network_.dtype)

    # What else there is

    def find_learning_rate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        smallest: float = 1e-6,
        largest: float = 10.0,
        steps: int = 100,
    ) -> LearningRates:
        """Return the losses under a learning rate that grows with every step (Smith 2017).

        The estimator is not changed; its network is initialised and trained as `fit` would.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        smallest, largest : float
            The first and the last rate.
        steps : int
            In between them, evenly in their logarithm.

        Returns
        -------
        LearningRates
            With ``suggestion``, ``rates``, ``losses`` and ``plot()``.
        """
        from clearprop.estimators import rate_finder

        return rate_finder.find(self, X, y, sample_weight, smallest, largest, steps)

    def to_sklearn(self) -> Any:
        """Return a fitted estimator of scikit-learn's own with the same weights and predictions.

        Raises
        ------
        ValueError
            If it has no such activation, loss or preprocessing.
        """
        from clearprop.estimators import conversion

        check_is_fitted(self)
        return conversion.to_sklearn(self)

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Self:
        """Return a fitted estimator with the arguments, weights and predictions of scikit-learn's.

        Parameters
        ----------
        estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
            Fitted.
        """
        from clearprop.estimators import conversion

        made: Self = conversion.from_sklearn(cls, estimator)
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator as a safetensors file: nothing in it can be executed.

        It holds the network, classes, feature names, preprocessing, the arguments and the optimizer's
        state, and no training data. Callbacks and a scorer of your own are left out. `clearprop.load`
        reads the network in it.

        Parameters
        ----------
        path : path
        """
        from clearprop.estimators import files

        check_is_fitted(self)
        files.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], custom: Iterable[Activation | Cost] = ()) -> Self:
        """Return the estimator that `save` wrote.

        Parameters
        ----------
        path : path
        custom : iterable of Activation and Cost
            Your own, if the network uses any.

        Raises
        ------
        CheckpointError (a ValueError)
            If the file is damaged, or holds another estimator or none.
        """
        from clearprop.estimators import files

        made: Self = files.load(cls, path, custom)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        explicit = presets.given(self)
        preprocessing = presets.argument(self, self._kind, "preprocessing", explicit)
        dtype = presets.argument(self, self._kind, "dtype", explicit)
        tags.input_tags.sparse = preprocessing != "robust"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"] if dtype == "auto" else [dtype]
        return tags


class _Bridge:
    """Calls scikit-learn's callbacks around every epoch, where they are supported and set."""

    def __init__(self, estimator: BaseMLP, X: Any, y: Any, epochs: int, follower: Follower) -> None:
        self.estimator, self.X, self.y = estimator, X, y
        self.epochs, self.follower = epochs, follower
        self.context: Any = None
        self.active = bool(getattr(estimator, "_skl_callbacks", None)) or hasattr(
            estimator, "_parent_callback_ctx"
        )
        self.callbacks: Sequence[Any] = [self._end] if self.active else []

    def begin(self) -> None:
        """Open the context of the fit, and of its first epoch."""
        if self.active:
            self.context = self.estimator._init_callback_context(max_subtasks=self.epochs)
            self.context.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)
        self.begun = True

    def _end(self, training: EstimatorTraining) -> bool:
        self.estimator.n_iter_ = self.follower.iteration
        self.begun = False
        stop = bool(self.epoch.call_on_fit_task_end(**self._what))
        if not (stop or self.follower.stopped or len(self.follower.losses) >= self.epochs):
            self._begin_epoch()
        return stop

    def close(self) -> None:
        """End the context of the fit, and of an epoch that was begun and not made."""
        if self.active:
            if self.begun:
                self.epoch.call_on_fit_task_end(estimator=self.estimator)
            self.context.call_on_fit_task_end(**self._what)

    @property
    def _what(self) -> dict[str, Any]:
        attributes = {"network_": self.estimator.network_}
        what = {"estimator": self.estimator, "X": self.X, "y": self.y}
        return what | {"reconstruction_attributes": attributes}


def _times_scale(net: Network, a: Array) -> Array:
    scale = net.architecture.scale_view(net.parameters)
    return a if scale is None else a * scale


def _sizes(sizes: Any) -> list[int]:
    listed = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    try:
        return [architectures.check_size(size) for size in listed]
    except (TypeError, ValueError):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {listed}") from None


def _hidden_activations(options: SimpleNamespace) -> list[Any]:
    given, n = options.activation, len(options.sizes)
    each = list(given) if isinstance(given, list | tuple) else [given] * n
    if len(each) != n:
        raise ValueError(
            f"activation must be one, or one for each of {n} hidden layers, got {len(each)}: {given!r}"
        )
    return [_renamed(one) for one in each]


def _renamed(activation: Any) -> Any:
    if isinstance(activation, list | tuple):
        return [_renamed(one) for one in activation]
    return _SCIKIT_NAMES.get(activation, activation) if isinstance(activation, str) else activation


def _initializer(options: SimpleNamespace, name: str) -> Any:
    chosen = getattr(options, name)
    return "zeros" if _is_auto(chosen) else chosen


def _scikit_parameters(
    options: SimpleNamespace, sizes: list[int], state: np.random.RandomState
) -> list[tuple[Array | None, Array | None]]:
    """Return scikit-learn's first weights (n_in, n_out) and biases of every layer, where "auto".

    Glorot and Bengio's bound for both, a third of the variance for the logistic function; the same
    numbers in the same order, so that a random_state means the same network.
    """
    gain = 2.0 if isinstance(options.activation, str) and options.activation == "logistic" else 6.0
    drawn = []
    for n_in, n_out in pairwise(sizes):
        bound = np.sqrt(gain / (n_in + n_out))
        weights = state.uniform(-bound, bound, (n_in, n_out))
        biases = state.uniform(-bound, bound, n_out)
        auto = (_is_auto(options.initializer), _is_auto(options.bias_initializer))
        drawn.append((weights if auto[0] else None, biases if auto[1] else None))
    return drawn


def _is_auto(chosen: Any) -> bool:
    return isinstance(chosen, str) and chosen == "auto"


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


def _dropout(rates: Any) -> float | list[float]:
    return [float(rate) for rate in rates] if isinstance(rates, list | tuple) else float(rates)


def _batch_size(options: SimpleNamespace, n: int) -> int | None:
    if options.lbfgs:
        return None
    if options.batch_size == "auto":
        return min(200, n)
    return int(options.batch_size) if options.batch_size_given else min(int(options.batch_size), n)


def _l2(options: SimpleNamespace, n: int, total: float) -> float:
    return _penalty(options, float(options.alpha), n, total)


def _penalty(options: SimpleNamespace, strength: float, n: int, total: float) -> float:
    """Return a penalty's strength as `Training` takes it.

    scikit-learn divides it by the sum of weights: of the batch, which the engine does (it sees weights
    of mean 1), or with L-BFGS of all samples.
    """
    if not options.like_sklearn:
        return strength
    return strength / total if options.lbfgs else strength * n / total


def _engine(options: SimpleNamespace, data: Data) -> str:
    if options.engine == "auto" and isinstance(data.X, inputs.SparseRows):
        return "numpy"  # which indexes rows, and takes them one batch at a time
    return str(options.engine)


def _as_table(X: Any) -> Any:
    """Return a table that the installed scikit-learn knows the column names of; others as they are."""
    names = tables.column_names(X)
    if names is not None and len(set(names)) != len(names):
        raise ValueError(f"X must have columns of different names, got {names}")
    if names is not None and not hasattr(X, "iloc") and hasattr(X, "to_pandas"):
        return X if _get_feature_names(X) is not None else X.to_pandas()
    return X


def _is_plain(X: Any, estimator: BaseMLP) -> bool:
    """Whether X is an array that needs no conversion: a row is predicted faster than it is checked."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == estimator.n_features_in_
        and X.shape[0] > 0
        and X.dtype in (np.float32, np.float64)
        and not hasattr(estimator, "feature_names_in_")
        and getattr(estimator, "_table_encoder", None) is None
        and bool(np.isfinite(X).all())
    )
