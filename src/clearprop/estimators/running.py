"""The training of an estimator: how it is made, followed epoch by epoch, and taken over from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer

from clearprop.engines import Data
from clearprop.estimators import recipe
from clearprop.estimators.callback_bridge import Bridge
from clearprop.estimators.prediction import Prediction
from clearprop.estimators.session import Session
from clearprop.estimators.training import EstimatorTraining, Follower, Progress
from clearprop.estimators.user_warning import warn
from clearprop.network import Network
from clearprop.training import History
from clearprop.training.supply import Supply

Array = NDArray[Any]


class Work(NamedTuple):
    """What one call of fit or partial_fit trains on."""

    X: Any  # as given, and y: what scikit-learn's callbacks are shown
    y: Any
    supply: Supply
    validation: Data | None
    scored: tuple[Any, Any]  # the validation data as given: what a scorer is shown
    total: float  # of the sample weights
    incremental: bool


class Running(Prediction, ABC):
    """Trains the network on some `Work`, and takes over what comes of it."""

    _session: ClassVar[Session] = Session()
    _score_name: ClassVar[str]  # what `_score_outputs` returns
    network_: Network
    history_: History
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_loss_: float | None
    best_validation_score_: float | None
    n_iter_: int
    t_: int
    _going_on: Progress | None
    _no_improvement_count: int

    @abstractmethod
    def _score_outputs(self, a: Array, targets: Array, weight: Array | None) -> float:
        """Return the score that early stopping watches where no scorer is given."""

    def _train(self, options: SimpleNamespace, work: Work) -> Self:
        if not self.network_.parameters.flags.writeable:  # memory-mapped by joblib
            self.network_ = self.network_.copy()
        supply, session = work.supply, self._session
        # RealMLP's; without an order of its own every epoch would leave out the same rows.
        fresh = options.n_batches is None and options.shuffle not in (False, "once")
        supply.whole_batches = options.preset == "realmlp-s" and fresh
        samples = supply.n_trained(recipe.batch_size(options, supply.n_samples) or supply.n_samples)
        follower, metrics = self._follower(options, work, samples), self._metrics(options, work)
        before = self._score_now(metrics, work.validation) if options.early_stopping else None
        epochs = 1 if work.incremental else int(options.max_iter)
        bridge = Bridge(self, work.X, work.y, epochs, follower)
        if session.prepare is not None:
            session.prepare(self)
        training = EstimatorTraining(
            self.network_,
            supply,
            work.validation,
            going_on=self._going_on,
            follower=follower,
            epochs=epochs,
            metrics=metrics,
            callbacks=[follower, *bridge.callbacks, *options.callbacks],
            **self._settings(options, work),
            **session.settings(),
        )
        self._before_training(training)
        if session.begin is not None:
            session.begin(training)
        try:
            bridge.begin()
            training.run(epochs if session.checkpoint is None else None)
        finally:
            self._take(training, work.incremental)
        bridge.close()
        self._after(options, training, before, work.incremental)
        return self

    def _settings(self, options: SimpleNamespace, work: Work) -> dict[str, Any]:
        """Return the arguments of a training that are the estimator's own, as a training takes them."""
        n = work.supply.n_samples
        return {
            "labelled": getattr(self, "_target_kind", "") in ("binary", "multiclass"),
            "shuffle": options.shuffle if isinstance(options.shuffle, str) else bool(options.shuffle),
            "over_batch_weight": options.like_sklearn and not options.lbfgs,
            **recipe.batches(options, n),
            "optimizer": options.optimizer,
            "l2": recipe.penalty(options, float(options.alpha), n, work.total),
            "l1": recipe.penalty(options, float(options.l1), n, work.total),
            "dropout": recipe.dropout(options.dropout),
            "label_smoothing": float(getattr(options, "label_smoothing", 0.0)),
            "clip_norm": None if options.clip_norm is None else float(options.clip_norm),
            # A call of partial_fit is one epoch, which is its own mean.
            "averaging": 0.0 if work.incremental else float(options.averaging),
            "engine": recipe.engine(options, work.supply),
            "n_threads": None if options.n_threads is None else int(options.n_threads),
            "progress": options.verbose == "bar",
            "time_limit": None if options.time_limit is None else float(options.time_limit),
        }

    def _before_training(self, training: EstimatorTraining) -> None:
        """See a training that is prepared, before it is run."""

    def _metrics(self, options: SimpleNamespace, work: Work) -> list[Any]:
        """Return what is computed from the validation outputs: nothing where a scorer is asked."""
        if work.validation is None or options.scoring is not None:
            return []
        return [self._metric(work.validation)]

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

    def _scorer(self, options: SimpleNamespace, work: Work) -> Callable[[], float] | None:
        """Return what computes the score of the network as it is, where a scorer was given."""
        if options.scoring is None or work.validation is None:
            return None
        scorer = get_scorer(options.scoring)
        return lambda: float(scorer(self, *work.scored))

    def _follower(self, options: SimpleNamespace, work: Work, samples: int) -> Follower:
        nothing_yet = self.best_loss_ is None
        return Follower(
            tol=float(options.tol),
            patience=options.n_iter_no_change,
            best_loss=np.inf if nothing_yet else self.best_loss_,  # type: ignore[arg-type]
            best_score=-np.inf if self.best_validation_score_ is None else self.best_validation_score_,
            no_improvement=self._no_improvement_count if work.incremental else 0,
            watches_score=bool(options.early_stopping),
            score=self._scorer(options, work),
            score_name=self._score_name if options.scoring is None else "score",
            latest_of_equals=not options.like_sklearn,
            policy=options.learning_rate if isinstance(options.learning_rate, str) else "constant",
            base_rate=float(options.learning_rate_init),
            power_t=float(options.power_t),
            samples_seen=self.t_,
            samples_in_epoch=samples,
            first_iteration=self.n_iter_ if work.incremental else 0,
            loss_offset=self._loss_offset(work.supply),
            report=print if options.verbose and options.verbose != "bar" else None,
        )

    def _loss_offset(self, supply: Supply) -> float:
        """Return what scikit-learn's loss has besides our cost: a function of y alone."""
        return 0.0

    def _take(self, training: EstimatorTraining, incremental: bool) -> None:
        """Take over what a training has come to, also where it ended with an error."""
        follower = training.follower
        if training.best_parameters is not None:
            self.network_.parameters[:] = training.best_parameters
        self._going_on = training.progress
        self._no_improvement_count = follower.no_improvement
        done = len(follower.losses)
        self.n_iter_ = done + (self.n_iter_ if incremental else 0)
        self.t_ += follower.samples_in_epoch * done
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
        before: float | None,
        incremental: bool,
    ) -> None:
        """Warn of what the caller should know of the training that has ended."""
        stopped = training.history.stopped
        if stopped == "interrupted":
            warn("Training interrupted by user.")
        unfinished = stopped == "evaluations" or (not stopped and not incremental)
        if unfinished and isinstance(options.learning_rate, str):
            limit = "max_fun" if stopped == "evaluations" else "max_iter"
            warn(
                f"{limit} ({getattr(options, limit)}) was reached before the training converged: the "
                "last loss is "
                f"{self.loss_:.6g}. Raise {limit}, the learning rate or tol",
                ConvergenceWarning,
            )
        best = self.best_validation_score_
        # A time limit may end the first epoch, before there is a score.
        if best is not None and best != -np.inf and before is not None and not best >= before:
            warn(
                f"the best validation score, {best:.6g}, is below that of the untrained network, "
                f"{before:.6g}; try a smaller learning rate",
                ConvergenceWarning,
            )
