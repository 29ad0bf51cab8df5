"""The training of an estimator, and what scikit-learn does after every epoch of one."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import penalties
from clearprop.checks import check_targets
from clearprop.engines import Plan
from clearprop.estimators import presets
from clearprop.model.model import Model
from clearprop.optimizers import LBFGS
from clearprop.training import Loop
from clearprop.training.loop import STRETCH_SECONDS
from clearprop.training.preparation import Prepared, check_parameters, smoother
from clearprop.training.settings import Settings
from clearprop.training.supply import Supply

if TYPE_CHECKING:
    from clearprop.network import Network

_KEPT = (
    "best_loss", "best_score", "no_improvement", "samples_seen", "iteration", "losses", "scores"
)  # fmt: skip
SMALLEST_RATE = 1e-6  # below which learning_rate="adaptive" ends the training, as in scikit-learn


class GoingOn(NamedTuple):
    """Where an estimator's training is, besides its network: what partial_fit goes on from."""

    optimizer: str  # the name of its class; another one starts afresh
    moments: NDArray[Any]
    updates: int
    first_epoch: int
    rate_factor: float


class EstimatorTraining(Loop):
    """A training that follows scikit-learn's rules, and goes on from an earlier one.

    Parameters
    ----------
    net : Network
    prepared : Prepared
        Its targets are smoothed here, if at all.
    over_batch_weight : bool
        scikit-learn's convention of what a step divides by; see `Plan`.
    going_on : GoingOn, optional
        What to go on from.
    follower : Follower
        What a checkpoint keeps besides.
    """

    def __init__(
        self,
        net: Network,
        prepared: Prepared,
        *,
        over_batch_weight: bool,
        going_on: GoingOn | None,
        follower: Follower,
        **settings: Any,
    ) -> None:
        self.net, self._over_batch_weight = net, over_batch_weight
        self.rate_factor, self.follower = 1.0, follower
        options = Settings(**settings)
        with net.model.as_it_was_if_refused():
            _map_targets(net.model, prepared.supply, options)
            super().__init__(net.model, prepared, options)
        if going_on and going_on.optimizer == type(options.optimizer).__name__:
            self.state.moments[:] = going_on.moments
            moments = self.state.each_moment
            self.state.parameters[:] = options.optimizer.trained(net.parameters, moments)
            self.state.updates = going_on.updates
            self.progress.first_epoch = going_on.first_epoch
            self.rate_factor = going_on.rate_factor

    @property
    def going_on(self) -> GoingOn:
        """What the next training of this estimator goes on from."""
        name = type(self.settings.optimizer).__name__
        moments, updates = self.state.moments, self.state.updates
        return GoingOn(name, moments, updates, self.progress.first_epoch, self.rate_factor)

    def _make_plan(self) -> Plan:
        plan = super()._make_plan()
        return dataclasses.replace(plan, over_batch_weight=self._over_batch_weight)

    def _rates(self, n_steps: int) -> NDArray[np.float64]:
        return super()._rates(n_steps) * self.rate_factor

    def kept_in_checkpoint(self) -> dict[str, Any]:
        """Return what scikit-learn's rules go on from, besides the state."""
        return {"rate_factor": self.rate_factor, "follower": self.follower.kept()}

    def take_from_checkpoint(self, kept: dict[str, Any]) -> None:
        """Go on from what `kept_in_checkpoint` returned."""
        self.rate_factor = float(kept["rate_factor"])
        self.follower.take(kept["follower"])

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose parameters are handed over, counted from 1; None where it is the last."""
        patience, scores = self.follower.patience, self.follower.scores
        if not scores or self.progress.best_parameters is None:
            return None
        if patience.watches_cost:
            return int(np.nanargmin(self.history["validation_cost"])) + 1
        return len(scores) - int(np.nanargmax(scores[::-1]))  # of equals the last

    def epoch_seconds(self, budget: float, enough: float) -> tuple[float, float]:
        """Return how long an epoch's steps take, on a copy of the state, and what follows the last one.

        Parameters
        ----------
        budget : float
            Seconds that the steps may take, about.
        enough : float
            Seconds of an epoch below which it need not be known better.
        """
        plan, state, began = self.plan, self.state.copy(), time.monotonic()
        steps, seconds, wanted = 0, 0.0, 1
        with self.supply as supply:
            while True:
                before = time.monotonic()
                part = supply.part(plan, state.epoch, state.epoch_step)
                n = min(self.processes.steps(wanted), part.after_step(plan) - state.epoch_step)
                its = part.data, part.order, self._rates(n), part.first_step
                report = self.engine.run(plan, state, *its)
                now = time.monotonic()
                if wanted > 1:  # the first step makes what the others find made
                    steps, seconds = steps + n, seconds + now - before
                known = wanted > 1 and seconds / steps * plan.steps_per_epoch < enough
                enough_known = known or (wanted > 1 and now - began > budget)
                if report.bad or self.processes.ended("measured" if enough_known else ""):
                    break
                if state.epoch_step == plan.steps_per_epoch:
                    state.epoch, state.epoch_step, state.epoch_cost = state.epoch + 1, 0, 0.0
                stretch = min(STRETCH_SECONDS, budget / 4)
                wanted = max(2, round(stretch * n / max(now - before, 1e-7)))
        before = time.monotonic()
        if self.validation is not None:
            self._evaluate("validation", self.validation)
        if self.follower.patience.score is not None:
            self.follower.patience.score()
        return seconds / max(steps, 1) * plan.steps_per_epoch, time.monotonic() - before

    def loss(self, row: dict[str, float]) -> float:
        """Return an epoch's cost with the penalties, whatever the engine has put into it."""
        if self.plan.over_batch_weight and not isinstance(self.settings.optimizer, LBFGS):
            return row["cost"]
        plan = self.plan
        return row["cost"] + penalties.penalty(
            plan.architecture, self.state.parameters, plan.l2, plan.l1
        )


def _map_targets(model: Model, supply: Supply, settings: Settings) -> None:
    """Smooth the targets and hold them against the cost; choose the order of the rows."""
    check_parameters(model)
    cost, output = model.architecture.cost, model.architecture.output
    supply.map_targets(smoother(model, settings))

    def checked(targets: NDArray[Any]) -> NDArray[Any]:
        check_targets(cost, output, targets)
        return targets

    supply.map_targets(checked)
    # One batch of everything has no order; without one, rows are gathered in place.
    whole = settings.largest_batch(supply.n_samples) >= supply.n_samples
    supply.shuffle = False if whole else settings.shuffle


class Patience(NamedTuple):
    """What an epoch is judged by, and after how many that are no improvement a training ends.

    Parameters
    ----------
    tol, epochs : float
        An epoch is an improvement if the loss falls (or the score rises) by `tol`; the training ends
        after more than `epochs` others in a row.
    horizon : float, optional
        Epochs of the schedule to which the patience is fitted, see `presets.last_epoch`.
    watches_score : bool
        Whether the validation score decides; the best epoch's parameters are kept then, in the
        training's `best_parameters`.
    watches_cost : bool
        Whether the validation cost decides instead, on patience and the best epoch: the training ends
        after `epochs` epochs without a lower one.
    score : callable, optional
        Returns the validation score of the network as it is; without it, it is the history's.
    score_name : str
        What the history calls it, after "validation_".
    latest_of_equals : bool
        Whether of epochs that score alike the last one counts as the best.
    """

    tol: float
    epochs: float
    horizon: float | None
    watches_score: bool
    watches_cost: bool
    score: Callable[[], float] | None
    score_name: str
    latest_of_equals: bool


class Policy(NamedTuple):
    """How the learning rate goes on: `name` is "constant", "invscaling" or "adaptive"."""

    name: str
    base_rate: float
    power_t: float  # of "invscaling"
    samples_in_epoch: int


class SoFar(NamedTuple):
    """What the trainings that one goes on from have come to."""

    best_loss: float
    best_score: float
    no_improvement: int  # epochs in a row
    samples_seen: int
    iteration: int


class Follower:
    """What scikit-learn's perceptrons do after an epoch: losses, scores, patience, rates.

    Parameters
    ----------
    patience : Patience
    policy : Policy
    so_far : SoFar
    loss_offset : float
        Added to every loss.
    report : callable, optional
        Prints a line.
    """

    def __init__(
        self,
        patience: Patience,
        policy: Policy,
        so_far: SoFar,
        loss_offset: float,
        report: Callable[[str], None] | None,
    ) -> None:
        self.patience, self.policy = patience, policy
        self.loss_offset, self.report = loss_offset, report
        self.best_loss, self.best_score = so_far.best_loss, so_far.best_score
        self.no_improvement, self.samples_seen = so_far.no_improvement, so_far.samples_seen
        self.iteration = so_far.iteration
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.stopped = False

    def kept(self) -> dict[str, Any]:
        """Return, as JSON, all that depends on the epochs so far."""
        kept = {name: getattr(self, name) for name in _KEPT}
        return {name: value if _finite(value) else None for name, value in kept.items()}

    def take(self, kept: dict[str, Any]) -> None:
        """Go on from what `kept` returned."""
        for name in _KEPT:
            if kept[name] is not None:  # else it is as it was at first
                setattr(self, name, kept[name])

    def __call__(self, training: EstimatorTraining) -> bool:
        """Take note of the epoch that has just ended; return whether the training is to end."""
        patience = self.patience
        row = {name: values[-1] for name, values in training.history.columns.items()}
        loss = training.loss(row) + self.loss_offset
        self.losses.append(loss)
        self.iteration += 1
        self.samples_seen += self.policy.samples_in_epoch
        self._say(f"Iteration {self.iteration}, loss = {loss:.8f}")
        column = f"validation_{patience.score_name}"
        score = row.get(column)
        if patience.score is not None:
            with training.judged_in_place():
                score = patience.score()
        if score is not None and patience.score is not None:
            columns = training.history.columns
            columns.setdefault(column, [math.nan] * len(training.history))[-1] = score
        if patience.watches_score:
            assert score is not None
            self._see_score(training, score)
        else:
            self._count(loss <= self.best_loss - patience.tol)
        self.best_loss = min(self.best_loss, loss)
        if isinstance(training.settings.optimizer, LBFGS) and not patience.watches_cost:
            return False
        if self.policy.name == "invscaling":
            training.rate_factor = (self.samples_seen + 1.0) ** -self.policy.power_t
        return self._is_over(training)

    def _see_score(self, training: EstimatorTraining, score: float) -> None:
        patience = self.patience
        self.scores.append(score)
        self._say(f"Validation score: {score:f}")
        if patience.watches_cost:
            *before, cost = training.history["validation_cost"]
            lowest = min((each for each in before if math.isfinite(each)), default=math.inf)
            best = cost < lowest  # which a NaN is not
            self._count(cost < lowest - patience.tol)
        else:
            equal = patience.latest_of_equals and score == self.best_score
            best = score > self.best_score or equal
            self._count(score >= self.best_score + patience.tol)
        if best:
            self.best_score = score
            training.progress.keep()

    def _count(self, improved: bool) -> None:
        self.no_improvement = 0 if improved else self.no_improvement + 1

    def _is_over(self, training: EstimatorTraining) -> bool:
        patience = self.patience
        done, waits = len(self.losses), self.no_improvement
        if patience.horizon is not None:
            last = presets.last_epoch(max(done - waits, 1), patience.horizon)
            if done < last or done >= patience.horizon:
                return False
        elif waits <= patience.epochs - patience.watches_cost:
            return False
        what = "Validation score" if patience.watches_score else "Training loss"
        what = "Validation cost" if patience.watches_cost else what
        said = f"{what} did not improve more than tol={patience.tol:f} for {waits} epochs."
        if self.policy.name == "adaptive":
            rate = self.policy.base_rate * training.rate_factor
            if rate > SMALLEST_RATE:
                training.rate_factor /= 5.0
                self.no_improvement = 0
                self._say(f"{said} Setting learning rate to {rate / 5.0:f}")
                return False
            said += " Learning rate too small."
        self._say(f"{said} Stopping.")
        self.stopped = True
        training.history.stopped = "early stopping" if patience.watches_score else "converged"
        return True

    def _say(self, line: str) -> None:
        if self.report is not None:
            self.report(line)


def _finite(value: Any) -> bool:
    return isinstance(value, list) or math.isfinite(value)
