"""The training of an estimator: how it is made, followed epoch by epoch, and taken over from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer

from clearprop import engines
from clearprop.engines import Data
from clearprop.estimators import files, judging, recipe
from clearprop.estimators.arguments import Arguments
from clearprop.estimators.callback_bridge import Bridge
from clearprop.estimators.training import EstimatorTraining, Follower, Patience, Policy, SoFar
from clearprop.schedules import constant, number
from clearprop.training.preparation import Prepared
from clearprop.training.supply import Supply
from clearprop.user_warning import warn

if TYPE_CHECKING:
    from clearprop.estimators.options import Options
    from clearprop.estimators.session import Session

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
    test: Data | None  # rows that choose nothing, and judge


class Ready(NamedTuple):
    """A training that can begin."""

    training: EstimatorTraining
    bridge: Bridge
    before: float | None  # the validation score of the network as it is


@dataclass(frozen=True, eq=False)
class Runner:
    """Runs the training of an estimator.

    Parameters
    ----------
    estimator : Arguments
        It has its model.
    options : Options
    session : Session
        What a command adds: a checkpoint, say.
    """

    estimator: Arguments
    options: Options
    session: Session

    def train(self, work: Work) -> None:
        """Train on some work, and give the estimator what comes of it."""
        estimator, options, session = self.estimator, self.options, self.session
        training, bridge, before = self.prepare(work)
        if session.begin is not None:
            session.begin(training)
        try:
            bridge.begin()
            training.run(bridge.epochs if session.checkpoint is None else None)
        finally:
            self._take(training, work.incremental)
        bridge.close()
        model = estimator.network_.model
        if work.validation is not None:
            judging.choose(model, options, work.validation)
        judging.judge(model, options, work)
        _warn_of(estimator, options, training, before, work.incremental)

    def prepare(self, work: Work) -> Ready:
        """Return the training of some work, scikit-learn's callbacks, and the score before it."""
        estimator, options, session = self.estimator, self.options, self.session
        if not estimator.network_.parameters.flags.writeable:  # memory-mapped by joblib
            estimator.network_ = estimator.network_.copy()
        judging.prepare(estimator.network_.model, options, work.validation)
        supply = work.supply
        # RealMLP's; without an order of its own every epoch would leave out the same rows.
        fresh = options.n_batches is None and options.shuffle not in (False, "once")
        supply.whole_batches = not options.like_sklearn and fresh
        supply.share = session.share
        samples = supply.n_trained(recipe.batch_size(options, supply.n_samples) or supply.n_samples)
        follower, metrics = self._follower(work, samples), self._metrics(work)
        before = self._score_now(metrics, work.validation) if options.early_stopping else None
        epochs = 1 if work.incremental else int(options.max_iter)
        bridge = Bridge(estimator, work.X, work.y, epochs, follower)
        if session.checkpoint is not None:
            estimator.network_.model.estimator = files.describe(estimator)
        if session.prepare is not None:
            session.prepare(estimator.network_.model, supply.n_samples)
        if not (options.like_sklearn or options.lbfgs or work.incremental):
            estimator.network_.model.about["planned_epochs"] = epochs  # of the schedule, for `info`
        labelled = estimator.network_.model.targets.kind in ("binary", "multiclass")
        training_data = Prepared(supply, work.validation, labelled)
        training = EstimatorTraining(
            estimator.network_,
            training_data,
            going_on=estimator._going_on,
            follower=follower,
            epochs=epochs,
            metrics=metrics,
            callbacks=[follower, *bridge.callbacks, *options.callbacks],
            **self._settings(work),
            **session.settings(),
        )
        return Ready(training, bridge, before)

    def _settings(self, work: Work) -> dict[str, Any]:
        """Return the arguments of a training that are the estimator's own, as a training takes them."""
        options, n = self.options, work.supply.n_samples
        shuffle = options.shuffle
        return {
            "shuffle": shuffle if isinstance(shuffle, str) else bool(shuffle),
            "over_batch_weight": options.like_sklearn and not options.lbfgs,
            **recipe.batches(options, n),
            "optimizer": options.optimizer,
            "l2": recipe.penalty(options, float(options.alpha), n, work.total),
            "l1": recipe.penalty(options, float(options.l1), n, work.total),
            "dropout": recipe.dropout(options.dropout),
            "label_smoothing": number(options.label_smoothing),
            "clip_norm": None if options.clip_norm is None else float(options.clip_norm),
            "augment": options.augment,
            # A call of partial_fit is one epoch, which is its own mean.
            "averaging": 0.0 if work.incremental else float(options.averaging),
            "engine": recipe.engine(options, work.supply),
            "n_threads": None if options.n_threads is None else int(options.n_threads),
            "progress": options.verbose == "bar",
            "time_limit": None if options.time_limit is None else float(options.time_limit),
            "shards": None if options.shards is None else int(options.shards),
            "communicator": self.session.team or options.communicator,
            "stall_timeout": float(options.stall_timeout),
            "fast_sum": self.session.fast_sum or bool(options.fast_sum),
        }

    def _metrics(self, work: Work) -> list[Any]:
        """Return what is computed from the validation outputs: nothing where a scorer is asked."""
        if work.validation is None or self.options.scoring is not None:
            return []
        task, weight = self.estimator._task, work.validation.sample_weight
        targets = self.estimator.network_.model.targets

        def score(a: Array, y: Array) -> float:
            return task.score(targets, a, y, weight)

        score.__name__ = task.score_name
        return [score]

    def _score_now(self, metrics: list[Any], validation: Data | None) -> float | None:
        if not metrics or validation is None:
            return None
        net = self.estimator.network_
        a, _ = engines.evaluate(net.architecture, net.parameters, validation)
        return float(metrics[0](a, validation.Y))

    def _scorer(self, work: Work) -> Callable[[], float] | None:
        """Return what computes the score of the network as it is, where a scorer was given."""
        if self.options.scoring is None or work.validation is None:
            return None
        scorer = get_scorer(self.options.scoring)
        return lambda: float(scorer(self.estimator, *work.scored))

    def _follower(self, work: Work, samples: int) -> Follower:
        estimator, options = self.estimator, self.options
        best_loss, best_score = estimator.best_loss_, estimator.best_validation_score_
        cost = estimator.network_.architecture.cost
        patience = Patience(
            tol=float(options.tol) if options.like_sklearn or "tol" in options.given else 0.0,
            epochs=_epochs_of(options),
            horizon=options.horizon if options.early_stopping and options.patience == "auto" else None,
            watches_score=bool(options.early_stopping),
            watches_cost=options.keeps_lowest_cost,
            score=self._scorer(work),
            score_name=self.estimator._task.score_name if options.scoring is None else "score",
            latest_of_equals=not options.like_sklearn,
        )
        policy = Policy(
            name=options.learning_rate if isinstance(options.learning_rate, str) else "constant",
            base_rate=float(options.learning_rate_init),
            power_t=float(options.power_t),
            samples_in_epoch=samples,
        )
        so_far = SoFar(
            best_loss=np.inf if best_loss is None else best_loss,
            best_score=-np.inf if best_score is None else best_score,
            no_improvement=estimator._no_improvement_count if work.incremental else 0,
            samples_seen=estimator.t_,
            iteration=estimator.n_iter_ if work.incremental else 0,
        )
        return Follower(
            patience,
            policy,
            so_far,
            loss_offset=self.estimator._task.loss_offset(cost, work.supply),
            report=print if options.verbose and options.verbose != "bar" else None,
        )

    def _take(self, training: EstimatorTraining, incremental: bool) -> None:
        """Take over what a training has come to, also where it ended with an error."""
        estimator, follower = self.estimator, training.follower
        if training.progress.best_parameters is not None:
            estimator.network_.parameters[:] = training.progress.best_parameters
        estimator._going_on = training.going_on
        estimator._no_improvement_count = follower.no_improvement
        done = len(follower.losses)
        estimator.n_iter_ = done + (estimator.n_iter_ if incremental else 0)
        estimator.t_ += follower.policy.samples_in_epoch * done
        estimator.loss_curve_ += follower.losses
        for row in training.history.rows():
            estimator.history_.append(row)
        estimator.history_.stopped = training.history.stopped
        estimator.history_.kept = training.kept_epoch
        if estimator.loss_curve_:
            estimator.loss_ = estimator.loss_curve_[-1]
        estimator.best_loss_ = (
            None if follower.patience.watches_score else min(follower.best_loss, np.inf)
        )
        if follower.patience.watches_score:
            estimator.validation_scores_ = (estimator.validation_scores_ or []) + follower.scores
            estimator.best_validation_score_ = follower.best_score
        else:
            estimator.validation_scores_ = estimator.best_validation_score_ = None


_SAME_SCORE = 1e-5  # of what is shown: six digits


def _epochs_of(options: Options) -> float:
    """Return the patience."""
    if options.like_sklearn:
        return options.n_iter_no_change
    return float(options.patience) if isinstance(options.patience, Integral) else np.inf


def _warn_of(
    estimator: Arguments,
    options: Options,
    training: EstimatorTraining,
    before: float | None,
    incremental: bool,
) -> None:
    """Warn of what the caller should know of the training that has ended."""
    stopped = training.history.stopped
    if stopped == "interrupted":
        warn("Training interrupted by user.")
    unfinished = stopped == "evaluations" or (not stopped and not incremental)
    optimizer = options.optimizer  # whose schedule ends, or whose mean is good at any time
    ends = not isinstance(optimizer.schedule, constant) or optimizer.has_mean
    if unfinished and not ends and not options.keeps_lowest_cost:
        limit = "max_fun" if stopped == "evaluations" else "max_iter"
        warn(
            f"{limit} ({getattr(options, limit)}) was reached before the training converged: the "
            "last loss is "
            f"{estimator.loss_:.6g}. Raise {limit}, the learning rate or tol",
            ConvergenceWarning,
        )
    best = max((each for each in training.follower.scores if np.isfinite(each)), default=-np.inf)
    # A time limit may end the first epoch before a score; a rate that begins at 0 changes little.
    if before is None or best == -np.inf or np.isclose(best, before, rtol=_SAME_SCORE, atol=0):
        return
    if not best >= before:
        warn(
            f"the best validation score, {best:.6g}, is below that of the untrained network, "
            f"{before:.6g}; try a smaller learning rate",
            ConvergenceWarning,
        )
