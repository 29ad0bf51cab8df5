"""From what was given to fit to a network, and to the data that it is trained on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral
from types import SimpleNamespace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _check_sample_weight

from clearprop import randomness
from clearprop.activations import Activation
from clearprop.architecture import Layer
from clearprop.costs import Cost
from clearprop.data import arrays
from clearprop.data.table import TableStream
from clearprop.data.table.arrow_source import at_hand
from clearprop.engines import Data
from clearprop.estimators import held_out, inputs, presets, recipe, streamed
from clearprop.estimators.inputs import PREPROCESSING, Preprocessing
from clearprop.estimators.running import Running, Work
from clearprop.estimators.tables import TableRows
from clearprop.estimators.training import Progress
from clearprop.masks import refuse_masked
from clearprop.network import Network
from clearprop.training import History
from clearprop.training.supply import InMemory

Array = NDArray[Any]

_OUR_NAMES = {"sigmoid": "logistic"}


def _shown(activation: Activation) -> str | list[str]:
    return [part.name for part in activation.parts] or activation.name


class Rows(NamedTuple):
    """What was given to fit, checked."""

    X: Any  # dense, CSR, or a table that is still to be encoded
    targets: Array
    weight: Array | None

    def take(self, rows: Array | None) -> Rows:
        """Return some of the rows; all for None."""
        if rows is None:
            return self
        weight = None if self.weight is None else self.weight[rows]
        return Rows(_safe_indexing(self.X, rows), self.targets[rows], weight)


class Fitting(Running, ABC):
    """From what was given to fit to the `Work` that is trained."""

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
        options, X = self._options(), at_hand(X)
        refuse_masked(groups, "groups")
        held_out.check(self, options, validation, groups, incremental)
        first = not hasattr(self, "network_") or not (self.warm_start or incremental)
        given = self._read(X, y, sample_weight, options, first=first, incremental=incremental)
        state = self._random_state() if first else self._going_on_state()
        start: recipe.Start = []
        if first and not isinstance(given.X, TableRows):  # whose number of features is to be learned
            start = self._first_parameters(options, given, state)
        seed = self._seed(state) if first else self.network_.training_seed
        dtype, rows, held = self._dtype_of(given.X, options), None, None
        if options.early_stopping and not incremental and validation[0] is None:
            strata = self._stratify(given.targets)
            n, weight = len(given.targets), given.weight
            rows, held = held_out.split(options, groups, n, strata, weight, state)
        if isinstance(given.X, TableRows):
            self.table_encoder_ = given.X.learn(rows)
            given = given._replace(X=self.table_encoder_.encode(given.X.table))
            start = self._first_parameters(options, given, state)
        train = given.take(rows)
        # Those of the classes are in them now, and scales are learned with them next.
        arrays.as_sample_weight(train.weight, len(train.targets), "float64")
        if first:
            self._begin(options, train, dtype, seed)
            self._start_from(start)
            if options.preprocessing is None:
                inputs.warn_of_scales(train.X, getattr(self, "feature_names_in_", None))
        else:
            self._check_unchanged(options)
        supply = InMemory(self._data(train))
        if held is None:
            validation_data = self._read_validation(validation, options)
        else:
            validation_data = self._data(given.take(held))
            if options.scoring is not None:
                indexed = X.tocsr() if hasattr(X, "tocsr") else X  # not every format has rows
                validation = _safe_indexing(indexed, held), _safe_indexing(y, held)
        total = float(len(train.targets) if train.weight is None else np.sum(train.weight))
        work = Work(X, y, supply, validation_data, validation, total, incremental)
        return self._train(options, work)

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
        work = Work(stream, None, supply, validation, (None, None), total, incremental=False)
        return self._train(options, work)

    # The data

    def _read(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        options: SimpleNamespace,
        *,
        first: bool,
        incremental: bool,
    ) -> Rows:
        """Return what was given, checked; with `first`, learn what it is."""
        read = self._read_X(X, reset=first)
        if y is None:
            raise ValueError(
                f"y must be given: {type(self).__name__} requires y to be passed, but the target y is "
                "None"
            )
        options.same_classes = not first and not incremental  # those of a warm start, all of them
        targets = self._read_targets(y, options, reset=first)
        options.same_classes = False
        if len(targets) != read.shape[0]:
            raise ValueError(f"X and y must have as many rows, got {read.shape[0]} and {len(targets)}")
        refuse_masked(sample_weight, "sample_weight")
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, read)
        arrays.as_sample_weight(weight, len(targets), "float64")  # which names the row, before a split
        return Rows(read, targets, self._weigh_classes(y, weight, options))

    def _read_validation(self, validation: tuple[Any, Any], options: SimpleNamespace) -> Data | None:
        """Return the validation data of the caller's own, if there are any."""
        X, y = validation
        if X is None:
            return None
        read = self._read_X(X, reset=False)
        return self._data(Rows(read, self._read_targets(y, options, reset=False), None))

    def _check_unchanged(self, options: SimpleNamespace) -> None:
        """Refuse other layers, costs or scalings than those of the network that is gone on with."""
        net = self.network_
        had = "realmlp-s" if net.architecture.input_scale else "sklearn"
        self._check_same("preset", had, options.preset)
        self._check_same("hidden_layer_sizes", net.sizes[1:-1], tuple(options.sizes))
        wanted = zip(options.sizes, recipe.hidden_activations(options), strict=True)
        self._check_same(
            "activation",
            [_shown(layer.function) for layer in net.layers[:-1]],
            [_shown(Layer(size, each).function) for size, each in wanted],
        )
        self._check_same("loss", repr(net.architecture.cost), repr(self._output(options)[1]))
        then = self.preprocessing_
        self._check_same(
            "preprocessing",
            None if then is None else "robust" if then.clip else "standard",
            options.preprocessing,
        )
        if options.dtype != "auto":
            self._check_same("dtype", net.dtype, options.dtype)

    @staticmethod
    def _check_same(name: str, had: Any, wanted: Any) -> None:
        if had != wanted:
            raise ValueError(
                f"{name} must be what the network has, {had}, to go on with it, got {wanted}"
            )

    def _dtype_of(self, X: Any, options: SimpleNamespace) -> str:
        if options.dtype != "auto":
            return str(options.dtype)
        return "float32" if X.dtype == np.float32 else "float64"

    def _random_state(self) -> np.random.RandomState:
        state: np.random.RandomState = check_random_state(self.random_state)
        return state

    def _going_on_state(self) -> np.random.RandomState:
        """Return the numbers of a fit that goes on: other ones after every epoch."""
        return np.random.RandomState(
            (self.network_.training_seed + self.network_.epochs_trained) % 2**32
        )

    def _seed(self, state: np.random.RandomState) -> int:
        """Return what orders and dropout are keyed by: random_state itself, or a draw from it."""
        if isinstance(self.random_state, Integral):
            return randomness.check_seed(int(self.random_state), "random_state")
        return int(state.randint(2**31 - 1))

    def _first_parameters(
        self, options: SimpleNamespace, rows: Rows, state: np.random.RandomState
    ) -> recipe.Start:
        sizes = [rows.X.shape[1], *options.sizes, rows.targets.shape[1]]
        return recipe.scikit_parameters(options, sizes, state)

    def _start_from(self, start: recipe.Start) -> None:
        views = zip(self.network_.weights, self.network_.biases, start, strict=True)
        for W, b, (weights, biases) in views:
            if weights is not None:
                W[:] = weights.T
            if biases is not None and b is not None:
                b[:] = biases

    def _data(self, rows: Rows) -> Data:
        weight, dtype = rows.weight, self.network_.dtype
        if weight is not None and (weight == weight[0]).all() and weight[0] > 0:
            weight = None  # to the last bit, equal weights are no weights
        return Data(
            inputs.as_rows(rows.X, dtype, self.preprocessing_),
            np.ascontiguousarray(self._scale_targets(rows.targets), dtype=dtype),
            arrays.as_sample_weight(weight, len(rows.targets), dtype),
        )

    def _scale_targets(self, targets: Array) -> Array:
        return targets

    def _target_moments(
        self, options: SimpleNamespace, targets: Array, weight: Array | None
    ) -> tuple[Array, Array] | None:
        """Return mean and variance of every target, where they are to be scaled."""
        return None

    def _learn_units(
        self, options: SimpleNamespace, moments: tuple[Array, Array] | None, dtype: str
    ) -> None:
        """Learn how targets are scaled."""

    # The network

    def _name_network(self) -> None:
        """Let the network know its features, and a classifier's its classes, by their names."""
        names = getattr(self, "feature_names_in_", None)
        encoder = getattr(self, "table_encoder_", None)
        if encoder is not None:
            names = encoder.feature_names
        if names is not None and len(names) == self.network_.sizes[0]:
            self.network_.feature_names = tuple(map(str, names))

    def _begin(self, options: SimpleNamespace, rows: Rows, dtype: str, seed: int) -> None:
        """Make the network, and learn from the rows how they are scaled."""
        make = PREPROCESSING.get(options.preprocessing)
        self._make_network(
            options,
            make(rows.X, rows.weight) if make else None,
            self._target_moments(options, rows.targets, rows.weight),
            (rows.X.shape[1], rows.targets.shape[1]),
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
        self._learn_units(options, moments, dtype)
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
        self._name_network()
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
