"""Which learning rate to begin with: the range test of Smith (2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from clearprop.estimators.arguments import Arguments
from clearprop.estimators.fitting import Fitter
from clearprop.notebook import new_figure
from clearprop.typing import Answers, Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from clearprop.estimators.training import EstimatorTraining
from clearprop.training.course import course_of

_ROWS, _BAR = 12, 32  # of a printed table


@dataclass(frozen=True, eq=False)
class LearningRates:
    """What a range test found.

    Attributes
    ----------
    rates, losses : ndarray
        The learning rate of every step, and its batch's loss, smoothed.
    suggestion : float
        Where the loss falls most steeply with the logarithm of the rate.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float

    def __repr__(self) -> str:
        span = f"{len(self.rates)} steps from {self.rates[0]:.3g} to {self.rates[-1]:.3g}"
        return f"<LearningRates: suggestion {self.suggestion:.3g}, {span}>"

    def __str__(self) -> str:
        """Return the suggestion, and about twelve of the losses with bars as long as they are high."""
        low, high = self.losses.min(), self.losses.max()
        steps = np.unique(np.linspace(0, len(self.rates) - 1, _ROWS).round().astype(int))
        at = int(np.argmin(np.abs(self.rates - self.suggestion)))
        lines = ["learning rate       loss"]
        for i in sorted({*steps.tolist(), at}):
            share = (self.losses[i] - low) / (high - low) if high > low else 1.0
            bar = "#" * round(1 + (_BAR - 1) * share)
            here = "  <- falls most steeply" if i == at else ""
            lines.append(f"{self.rates[i]:13.3g}  {self.losses[i]:9.4g}  {bar}{here}")
        return "\n".join([*lines, f"suggestion: a learning rate of {self.suggestion:.2g}"])

    def _repr_html_(self) -> str:
        from clearprop.page import lines

        series = {"loss of a batch, smoothed": self.losses.tolist()}
        mark = self.suggestion, f"suggestion {self.suggestion:.2g}"
        return lines(
            "loss", self.rates.tolist(), series, axis="learning rate", logarithmic=True, mark=mark
        )

    def plot(self, path: str | None = None) -> Figure:
        """Draw the losses against the rates, with the suggestion; return the matplotlib figure.

        Parameters
        ----------
        path : str, optional
            Where to save the picture.

        Raises
        ------
        ImportError
            If matplotlib is not installed (the extra ``plot``).
        """
        figure = new_figure("plot", figsize=(6, 4))
        axes = figure.add_subplot()
        axes.plot(self.rates, self.losses)
        axes.axvline(self.suggestion, color="0.5", linestyle="--")
        axes.annotate(
            f"suggestion {self.suggestion:.2g}",
            (self.suggestion, self.losses.min()),  # below a curve that falls is room
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
        )
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss of a batch, smoothed")
        axes.spines[["top", "right"]].set_visible(False)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def find(
    estimator: Arguments,
    X: Samples,
    y: Answers,
    sample_weight: ArrayLike | None,
    smallest: float,
    largest: float,
    steps: int,
) -> LearningRates:
    """Return the losses of `steps` steps whose rate grows from `smallest` to `largest`.

    Raises
    ------
    ValueError
        If the rates are not ``0 < smallest < largest``, there are fewer than 10 steps, or the solver
        has no learning rate.
    """
    if not 0 < smallest < largest < np.inf:
        raise ValueError(
            f"smallest and largest must be above 0 and in this order, got {smallest} and {largest}"
        )
    if steps < 10:
        raise ValueError(f"steps must be at least 10, got {steps}")
    probe = clone(estimator)
    explicit = {"early_stopping": False, "scoring": None, "learning_rate": "constant", "verbose": False}
    probe.set_params(**explicit, callbacks=(), test_share=0.0)
    if probe._task.kind == "classifier":
        probe.set_params(calibrate=False, threshold=None)
    fitter = Fitter(probe)
    if fitter.options.lbfgs:
        raise ValueError("find_learning_rate needs a solver with a learning rate, got lbfgs")
    training = fitter.prepare(X, y, sample_weight)
    rates = np.geomspace(smallest, largest, steps)
    losses: list[float] = []
    for rate in rates:
        loss = _one_step(training, float(rate))
        if loss is None or (losses and loss > 4.0 * max(min(losses), 1e-12) and len(losses) > 10):
            break
        losses.append(loss)
    if len(losses) < 3:
        raise ValueError(
            f"the loss is not finite at a learning rate of {smallest:g}; try a smaller one"
        )
    smooth = _smoothed(np.array(losses))
    used = rates[: len(losses)]
    falling = np.gradient(smooth, np.log(used))
    return LearningRates(used, smooth, float(used[int(np.argmin(falling))]))


def _one_step(training: EstimatorTraining, rate: float) -> float | None:
    state, plan = training.state, training.plan
    before, rows = state.epoch_cost, _rows_of(training)
    course = course_of(training.settings, plan, training.epochs_done, state.epoch_step, 1)
    report = training.engine.run(
        plan, state, training.data, training.order, np.array([rate]), course=course
    )
    if report.bad:
        return None
    loss = (state.epoch_cost - before) / rows
    if state.epoch_step == plan.steps_per_epoch:
        state.epoch, state.epoch_step, state.epoch_cost = state.epoch + 1, 0, 0.0
    return loss


def _rows_of(training: EstimatorTraining) -> int:
    plan = training.plan
    rows = plan.batch(training.state.epoch_step)
    return min(rows.stop, plan.n_samples) - rows.start


def _smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a running mean that forgets by 0.9 a step, without the pull towards its start."""
    mean, out = 0.0, np.empty_like(losses)
    for i, loss in enumerate(losses):
        mean = 0.9 * mean + 0.1 * loss
        out[i] = mean / (1.0 - 0.9 ** (i + 1))
    return out
