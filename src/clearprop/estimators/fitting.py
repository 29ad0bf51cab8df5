"""Fitter: from what was given to fit to a model and its training, and back into the estimator."""

from __future__ import annotations

import time
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _check_sample_weight

from clearprop import randomness
from clearprop.architecture import Layer
from clearprop.data import arrays
from clearprop.data.table.arrow_source import at_hand
from clearprop.data.table.giveaways import Giveaways
from clearprop.engines import Data
from clearprop.estimators import (
    gathering,
    held_out,
    inputs,
    planning,
    reader,
    recipe,
    streamed,
    unchanged,
)
from clearprop.estimators.arguments import Arguments
from clearprop.estimators.learned import Learned
from clearprop.estimators.options import Options
from clearprop.estimators.running import Runner, Work
from clearprop.estimators.session import Session
from clearprop.estimators.tables import TableRows
from clearprop.estimators.training import EstimatorTraining
from clearprop.masks import refuse_masked
from clearprop.model.inputs import LEARNED, Inputs, keeping_one_hot
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Targets, Units
from clearprop.network import Network
from clearprop.training import History
from clearprop.training.supply import InMemory
from clearprop.user_warning import warn

if TYPE_CHECKING:
    from clearprop.data.table import TableEncoder, TableStream

Array = NDArray[Any]

_OUR_NAMES = {"sigmoid": "logistic"}


class Rows(NamedTuple):
    """Rows that were given, checked."""

    X: Any  # dense, CSR, or a table that is still to be encoded
    Y: Array  # encoded, not in units yet
    weight: Array | None

    def take(self, rows: Array | None) -> Rows:
        """Return some of the rows; all for None."""
        if rows is None:
            return self
        weight = None if self.weight is None else self.weight[rows]
        return Rows(_safe_indexing(self.X, rows), self.Y[rows], weight)


class Fitter:
    """Fits an estimator.

    Parameters
    ----------
    estimator : Arguments
        It gets the model, and everything that is learned beside it.
    session : Session
        What a command adds: a checkpoint, say.
    """

    def __init__(self, estimator: Arguments, session: Session | None = None) -> None:
        self.estimator, self.session = estimator, session or Session()
        self.options, self.task = Options.of(estimator), estimator._task
        self.test: Data | None = None  # the rows that judge, when they are known
        self._began = time.monotonic()

    # Ways in

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        validation: tuple[Any, Any] = (None, None),
        groups: Any = None,
        test: tuple[Any, Any] = (None, None),
    ) -> None:
        """Fit to rows in memory; without `test`, `test_share` of those set aside judge."""
        self.train(self.work(X, y, sample_weight, validation, groups, test))

    def fit_one_epoch(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> None:
        """Go on for one epoch on other rows; `classes` are all that will come, in the first call."""
        self.train(self.work(X, y, sample_weight, incremental=True, classes=classes))

    def fit_stream(self, stream: TableStream) -> None:
        """Fit to a table that is larger than memory; see `estimators.streamed`."""
        self.train(self.work_of_stream(stream))

    def work_of_stream(self, stream: TableStream) -> Work:
        """Return what is trained on; the estimator gets its model."""
        if self.estimator.warm_start:
            raise ValueError("warm_start=True cannot be used with a stream, which starts afresh")
        state = self.random_state()
        seed = self.seed(state)
        self.options = streamed.checked(self.options, stream)
        prepared = streamed.prepare(
            self.estimator,
            self.options,
            stream,
            lambda learned, dtype: self.begin(learned, dtype, seed),
            seed,
        )
        net = self.estimator.network_
        sizes = [net.sizes[0], *self.options.sizes, net.sizes[-1]]
        self.start_from(recipe.scikit_parameters(self.options, sizes, state))
        return Work(
            stream, None, prepared.supply, prepared.validation, (None, None), prepared.total, False,
            prepared.test,
        )  # fmt: skip

    def prepare(self, X: Any, y: Any, sample_weight: Any = None) -> EstimatorTraining:
        """Return the training that `fit` would run, not begun."""
        work = self.work(X, y, sample_weight)
        return self._runner.prepare(work).training

    def train(self, work: Work) -> None:
        """Train on some work, and give the estimator what comes of it."""
        self.test = work.test
        if planning.is_asked(self.options) and not work.incremental:
            self.options, self.session = planning.fitted(self._runner, work, self._began)
        self._runner.train(work)

    @property
    def _runner(self) -> Runner:
        return Runner(self.estimator, self.options, self.session)

    # What is trained on

    def work(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        validation: tuple[Any, Any] = (None, None),
        groups: Any = None,
        test: tuple[Any, Any] = (None, None),
        *,
        incremental: bool = False,
        classes: Any = None,
    ) -> Work:
        """Return what is trained on; the estimator gets its model, unless it goes on with one."""
        estimator, X = self.estimator, at_hand(X)
        X, y, sample_weight, validation, groups = gathering.of_all(
            self.options, estimator.random_state, (X, y, sample_weight, validation, groups)
        )
        self.options = held_out.check(self.options, validation, groups, incremental)
        options = self.options
        first = not hasattr(estimator, "network_") or not (estimator.warm_start or incremental)
        given, targets = self._read(X, y, sample_weight, classes, first=first, incremental=incremental)
        state = self.random_state() if first else self._going_on_state()
        start: recipe.Start = []
        if first and not isinstance(given.X, TableRows):  # whose number of features is to be learned
            start = self._first_parameters(given.X.shape[1], given.Y.shape[1], state)
        seed = self.seed(state) if first else estimator.network_.training_seed
        dtype, rows, held, judging = self._dtype_of(given.X), None, None, None
        if validation[0] is not None and test[0] is None:
            validation, test = held_out.divide_given(options, validation, seed)
        elif options.sets_aside and not incremental and validation[0] is None:
            strata = self.task.strata(targets, given.Y)
            n, weight = len(given.Y), given.weight
            rows, held, judging = held_out.parts(options, groups, n, strata, weight, state, seed)
        encoder = None
        if isinstance(given.X, TableRows):
            if isinstance(targets, Classes):
                self._ask_of_giveaways(given.X, targets.numbers(given.Y), targets.n_classes)
            encoder = given.X.learn(rows)
            given = given._replace(X=encoder.encode(given.X.table))
            start = self._first_parameters(given.X.shape[1], given.Y.shape[1], state)
        train = given.take(rows)
        # Those of the classes are in them now, and scales are learned with them next.
        arrays.as_sample_weight(train.weight, len(train.Y), "float64")
        if first:
            learned = self._learn(train, encoder, targets, dtype)
            self.begin(learned, dtype, seed).learn_target_names(y)
            if learned.embedding is not None:  # how many numbers layer 1 sees is known now
                width = estimator.network_.architecture.widths[0]
                start = self._first_parameters(width, learned.n_outputs, state)
            self.start_from(start)
            if options.preprocessing is None:
                inputs.warn_of_scales(train.X, getattr(estimator, "feature_names_in_", None))
        else:
            unchanged.check(self.options, estimator.network_, self.task)
        supply = InMemory(self._data(train))
        if first and options.preset == "realmlp":
            recipe.start_from_rows(estimator.network_, options, supply.data.X)
        if held is not None and options.scoring is not None:
            validation = held_out.rows_of(X, held), held_out.rows_of(y, held)
        total = float(len(train.Y) if train.weight is None else np.sum(train.weight))
        parts = self._held_data(given, held, validation), self._held_data(given, judging, test)
        return Work(X, y, supply, parts[0], validation, total, incremental, parts[1])

    def _read(
        self, X: Any, y: Any, sample_weight: Any, classes: Any, *, first: bool, incremental: bool
    ) -> tuple[Rows, Targets]:
        """Return what was given, checked, and what y is; with `first`, learned from it."""
        estimator = self.estimator
        read = reader.learn_X(estimator, X) if first else reader.read_X(estimator, X)
        if y is None:
            raise ValueError(
                f"y must be given: {type(estimator).__name__} requires y to be passed, but the target "
                "y is None"
            )
        if first:
            two_outputs = not self.options.like_sklearn  # as in RealMLP
            targets, n_outputs = self.task.learn(y, two_outputs, classes), 0
        else:
            targets, n_outputs = estimator.network_.model.targets, estimator.network_.sizes[-1]
        # Those of a warm start are all of them.
        Y = self.task.encode(y, targets, n_outputs, same=not first and not incremental)
        if len(Y) != read.shape[0]:
            raise ValueError(f"X and y must have as many rows, got {read.shape[0]} and {len(Y)}")
        refuse_masked(sample_weight, "sample_weight")
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, read)
        arrays.as_sample_weight(weight, len(Y), "float64")  # which names the row, before a split
        return Rows(read, Y, self.task.weigh(y, weight, self.options.class_weight)), targets

    @staticmethod
    def _ask_of_giveaways(rows: TableRows, codes: Array, n_classes: int) -> None:
        seen = Giveaways(rows.decisions, n_classes)
        seen.see(rows.table, codes)
        seen.ask(warn)

    def _held_data(self, given: Rows, rows: Array | None, own: tuple[Any, Any]) -> Data | None:
        """Return rows of X that were set aside, or those of the caller's own, if there are any."""
        if rows is not None:
            return self._data(given.take(rows))
        return None if own[0] is None else self.data_of(*own)

    def data_of(self, X: Any, y: Any) -> Data:
        """Return rows as the estimator's network is measured on them."""
        net = self.estimator.network_
        read = reader.read_X(self.estimator, X)
        return self._data(Rows(read, self.task.encode(y, net.model.targets, net.sizes[-1]), None))

    def _data(self, rows: Rows) -> Data:
        model, weight = self.estimator.network_.model, rows.weight
        if weight is not None and (weight == weight[0]).all() and weight[0] > 0:
            weight = None  # to the last bit, equal weights are no weights
        Y = model.targets.encode(rows.Y) if isinstance(model.targets, Units) else rows.Y
        return Data(
            inputs.as_rows(rows.X, model.dtype, model.inputs),
            np.ascontiguousarray(Y, dtype=model.dtype),
            arrays.as_sample_weight(weight, len(rows.Y), model.dtype),
        )

    # Seeds and starts

    def _dtype_of(self, X: Any) -> str:
        if self.options.dtype != "auto":
            return self.options.dtype
        return "float32" if X.dtype == np.float32 else "float64"

    def random_state(self) -> np.random.RandomState:
        """Return the numbers of a fit that begins."""
        given = self.estimator.random_state
        return gathering.one_state(self.options, self.session, check_random_state(given), given)

    def _going_on_state(self) -> np.random.RandomState:
        """Return the numbers of a fit that goes on: other ones after every epoch."""
        net = self.estimator.network_
        return np.random.RandomState((net.training_seed + net.epochs_trained) % 2**32)

    def seed(self, state: np.random.RandomState) -> int:
        """Return what orders and dropout are keyed by: random_state itself, or a draw from it."""
        given = self.estimator.random_state
        if isinstance(given, Integral):
            return randomness.check_seed(int(given), "random_state")
        return int(state.randint(2**31 - 1))

    def _first_parameters(
        self, n_inputs: int, n_outputs: int, state: np.random.RandomState
    ) -> recipe.Start:
        sizes = [n_inputs, *self.options.sizes, n_outputs]
        return recipe.scikit_parameters(self.options, sizes, state)

    def start_from(self, start: recipe.Start) -> None:
        """Give the network its first parameters, those that are not drawn by initializers.

        Members after the first get those of a random_state that is their seed.
        """
        net = self.estimator.network_
        for number, member in enumerate(net.members):
            if number:
                state = np.random.RandomState(member.seed)
                start = recipe.scikit_parameters(self.options, list(net.architecture.widths), state)
            for W, b, (weights, biases) in zip(member.weights, member.biases, start, strict=True):
                if weights is not None:
                    W[:] = weights.T
                if biases is not None and b is not None:
                    b[:] = biases

    # The model

    def _learn(self, rows: Rows, encoder: TableEncoder | None, targets: Targets, dtype: str) -> Learned:
        """Return the ends of a model: from the rows, how they are scaled."""
        options = self.options
        learn = LEARNED.get(options.preprocessing or "")
        steps = learn(rows.X, rows.weight) if learn else ()
        categories = recipe.many_valued(options, encoder)
        steps = keeping_one_hot(steps, [k for group in categories for k in group])
        targets, n_outputs = self.task.for_loss(targets, options.loss, rows.Y.shape[1])
        if options.target is not None:
            wide = rows.Y.astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):  # `in_units` looks at them
                mean = np.average(wide, axis=0, weights=rows.weight)
                moments = mean, np.average((wide - mean) ** 2, axis=0, weights=rows.weight)
            targets = self.task.in_units(targets, options.loss, moments, dtype)
            if options.preset == "realmlp" and isinstance(targets, Units):
                targets = targets.between(wide.min(axis=0), wide.max(axis=0))
        then = Inputs(steps)
        embedding = recipe.embedding(options, rows.X, rows.weight, then, dtype, encoder)
        return Learned(steps, encoder, targets, rows.X.shape[1], n_outputs, embedding)

    def begin(self, learned: Learned, dtype: str, seed: int) -> Model:
        """Return the estimator's model, made for ends that are learned, and begin to count."""
        estimator, options = self.estimator, self.options
        activation, cost = self.task.output(options.loss, learned.targets, options.label_smoothing)
        hidden = [
            Layer(size, each)
            for size, each in zip(options.sizes, recipe.hidden_activations(options), strict=True)
        ]
        net = Network(
            [learned.n_features, *hidden, Layer(learned.n_outputs, activation)],
            cost=cost,
            initializer=recipe.initializer(options, "initializer"),
            bias_initializer=recipe.initializer(options, "bias_initializer"),
            dtype=dtype,
            seed=seed,
            embedding=learned.embedding,
            members=int(options.members),
        )
        if not options.like_sklearn:
            recipe.as_preset(net, options)
        read = None if learned.encoder is None else reader.read_options(estimator)
        net.model.inputs = Inputs(learned.steps, learned.encoder, read, outside=True)
        net.model.targets = learned.targets
        names = getattr(estimator, "feature_names_in_", None)
        if learned.encoder is not None:
            names = learned.encoder.feature_names
        if names is not None and len(names) == learned.n_features:
            net.feature_names = tuple(map(str, names))
        estimator.network_ = net
        estimator.n_layers_, estimator.n_outputs_ = len(net.sizes), net.sizes[-1]
        estimator.out_activation_ = _OUR_NAMES.get(activation, activation)
        estimator.n_iter_, estimator.t_ = 0, 0
        estimator.loss_curve_ = []
        estimator.history_ = History()
        estimator.best_loss_ = None
        estimator.validation_scores_ = None
        estimator.best_validation_score_ = None
        estimator._no_improvement_count = 0
        estimator._going_on = None
        return net.model
