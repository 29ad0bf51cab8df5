"""From arguments and data to a `Training`, and what is taken over from it."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Integral
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _check_sample_weight

from clearprop import randomness
from clearprop.architecture import Layer
from clearprop.costs import Cost
from clearprop.data import arrays
from clearprop.data.table import TableStream
from clearprop.engines import Data
from clearprop.estimators import held_out, inputs, presets, recipe, streamed
from clearprop.estimators.callback_bridge import Bridge
from clearprop.estimators.inputs import PREPROCESSING, Preprocessing
from clearprop.estimators.prediction import Prediction
from clearprop.estimators.session import Session
from clearprop.estimators.tables import TableRows
from clearprop.estimators.training import EstimatorTraining, Follower, Progress
from clearprop.network import Network
from clearprop.training import History
from clearprop.training.supply import InMemory, Supply

Array = NDArray[Any]

_OUR_NAMES = {"sigmoid": "logistic"}


class Fitting(Prediction, ABC):
    """Everything of a fit but what y is."""

    _session: ClassVar[Session] = Session()
    _score_name: ClassVar[str]  # what `_score_outputs` returns

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
        held_out.check(self, options, validation, groups, incremental)
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
        start = None
        if first:
            state = self._random_state()
            if not isinstance(whole, TableRows):  # whose number of features is to be learned
                start = self._first_parameters(options, whole, targets, state)
            seed = self._seed(state)
        else:
            seed = self.network_.training_seed
            state = np.random.RandomState((seed + self.network_.epochs_trained) % 2**32)
        rows, held_rows = None, None
        if options.early_stopping and not incremental and validation[0] is None:
            rows, held_rows = held_out.split(options, groups, n, self._stratify(targets), state)
        if isinstance(whole, TableRows):
            self.table_encoder_ = whole.learn(rows)
            whole = self.table_encoder_.encode(whole.table)
            start = self._first_parameters(options, whole, targets, state)
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
        supply = InMemory(data)
        return self._train(options, supply, validation_data, validation_table, total, incremental, X, y)

    def _fit_stream(self, stream: TableStream, *others: Any) -> Self:
        """Fit to a table that is larger than memory; see `estimators.streamed`."""
        if any(each is not None for each in others):
            raise ValueError(
                "a stream must be the only data given: it has targets and weights of its own"
            )
        if self.warm_start:
            raise ValueError("warm_start=True cannot be used with a stream, which starts afresh")
        options, state = self._options(), self._random_state()
        seed = self._seed(state)
        supply, validation, total = streamed.prepare(self, stream, options, seed)
        sizes = [*self.network_.sizes[:1], *options.sizes, self.network_.sizes[-1]]
        self._start_from(recipe.scikit_parameters(options, sizes, state))
        return self._train(options, supply, validation, (None, None), total, False, stream, None)

    # The data

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

    def _first_parameters(
        self, options: SimpleNamespace, X: Any, targets: Array, state: np.random.RandomState
    ) -> list[tuple[Array | None, Array | None]]:
        sizes = [X.shape[1], *options.sizes, targets.shape[1]]
        return recipe.scikit_parameters(options, sizes, state)

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

    def _target_moments(
        self, options: SimpleNamespace, targets: Array, weight: Array | None
    ) -> tuple[Array, Array] | None:
        """Return mean and variance of every target, where they are to be scaled."""
        return None

    def _learn_units(self, options: SimpleNamespace, moments: tuple[Array, Array] | None) -> None:
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
        self._make_network(
            options,
            make(X, weight) if make else None,
            self._target_moments(options, targets, weight),
            (X.shape[1], targets.shape[1]),
            dtype,
            seed,
        )

    def _make_network(
        self,
        options: SimpleNamespace,
        preprocessing: Preprocessing | None,
        moments: tuple[Array, Array] | None,
        ends: tuple[int, int],
        dtype: str,
        seed: int,
    ) -> None:
        """Make the network, of so many features and outputs, and begin to count."""
        self.preprocessing_ = preprocessing
        self._learn_units(options, moments)
        activation, cost = self._output(options)
        hidden = [
            Layer(size, each)
            for size, each in zip(options.sizes, recipe.hidden_activations(options), strict=True)
        ]
        self.network_ = Network(
            [ends[0], *hidden, Layer(ends[1], activation)],
            cost=cost,
            initializer=recipe.initializer(options, "initializer"),
            bias_initializer=recipe.initializer(options, "bias_initializer"),
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

    # The training

    def _train(
        self,
        options: SimpleNamespace,
        supply: Supply,
        validation: Data | None,
        validation_table: tuple[Any, Any],
        total: float,
        incremental: bool,
        X: Any,
        y: Any,
    ) -> Self:
        net = self.network_
        n = supply.n_samples
        if not net.parameters.flags.writeable:  # memory-mapped by joblib
            net = self.network_ = net.copy()
        scorer = None if options.scoring is None else get_scorer(options.scoring)
        evaluated = scorer is not None and validation is not None
        metrics: list[Any] = []
        if validation is not None and not evaluated:
            metrics.append(self._metric(validation))
        before = self._score_now(metrics, validation) if options.early_stopping else None
        batch_size = recipe.batch_size(options, n)
        # RealMLP's; without an order of its own every epoch would leave out the same rows.
        supply.whole_batches = options.preset == "realmlp-s" and bool(options.shuffle)
        seen = supply.n_trained(batch_size or n)
        follower = self._follower(options, supply, seen, incremental)
        if evaluated:
            follower.score_name = "score"
            follower.score = lambda: float(scorer(self, *validation_table))  # type: ignore[misc]
        epochs = 1 if incremental else int(options.max_iter)
        bridge = Bridge(self, X, y, epochs, follower)
        quirk = options.like_sklearn and not options.lbfgs
        session = self._session
        if session.prepare is not None:
            session.prepare(self)
        training = EstimatorTraining(
            net,
            supply,
            validation,
            labelled=self._kind == "classifier" and not hasattr(self, "_groups"),
            shuffle=bool(options.shuffle),
            over_batch_weight=quirk,
            going_on=self._going_on,
            follower=follower,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=options.optimizer,
            metrics=metrics,
            l2=recipe.penalty(options, float(options.alpha), n, total),
            l1=recipe.penalty(options, float(options.l1), n, total),
            dropout=recipe.dropout(options.dropout),
            label_smoothing=float(getattr(options, "label_smoothing", 0.0)),
            clip_norm=None if options.clip_norm is None else float(options.clip_norm),
            callbacks=[follower, *bridge.callbacks, *options.callbacks],
            engine=recipe.engine(options, supply),
            n_threads=None if options.n_threads is None else int(options.n_threads),
            progress=options.verbose == "bar",
            **session.settings(),
            time_limit=None if options.time_limit is None else float(options.time_limit),
        )
        self._before_training(training)
        if session.begin is not None:
            session.begin(training)
        try:
            bridge.begin()
            training.run(epochs if session.checkpoint is None else None)
        finally:
            self._take(training, follower, seen, incremental)
        bridge.close()
        self._after(options, training, follower, before, incremental)
        return self

    def _before_training(self, training: EstimatorTraining) -> None:
        """See a training that is prepared, before it is run."""

    def _metric(self, validation: Data) -> Callable[[Array, Array], float]:
        weight = validation.sample_weight

        def score(a: Array, y: Array) -> float:
            return self._score_outputs(a, y, weight)

        score.__name__ = self._score_name
        return score

    def _score_now(self, metrics: list[Any], validation: Data | None) -> float | None:
        if not metrics or validation is None:
            return None
        a, _ = self.network_.evaluate_prepared(validation.X, validation.Y, validation.sample_weight)
        return float(metrics[0](a, validation.Y))

    def _follower(
        self, options: SimpleNamespace, supply: Supply, n: int, incremental: bool
    ) -> Follower:
        nothing_yet = self.best_loss_ is None
        return Follower(
            tol=float(options.tol),
            patience=options.n_iter_no_change,
            best_loss=np.inf if nothing_yet else self.best_loss_,  # type: ignore[arg-type]
            best_score=-np.inf if self.best_validation_score_ is None else self.best_validation_score_,
            no_improvement=self._no_improvement_count if incremental else 0,
            watches_score=bool(options.early_stopping),
            score=None,
            score_name=self._score_name,
            latest_of_equals=not options.like_sklearn,
            policy=options.learning_rate if isinstance(options.learning_rate, str) else "constant",
            base_rate=float(options.learning_rate_init),
            power_t=float(options.power_t),
            samples_seen=self.t_,
            samples_in_epoch=n,
            first_iteration=self.n_iter_ if incremental else 0,
            loss_offset=self._loss_offset(supply),
            report=print if options.verbose and options.verbose != "bar" else None,
        )

    def _loss_offset(self, supply: Supply) -> float:
        """Return what scikit-learn's loss has besides our cost: a function of y alone."""
        return 0.0

    def _take(self, training: EstimatorTraining, follower: Follower, n: int, incremental: bool) -> None:
        """Take over what a training has come to, also where it ended with an error."""
        if training.best_parameters is not None:
            self.network_.parameters[:] = training.best_parameters
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
