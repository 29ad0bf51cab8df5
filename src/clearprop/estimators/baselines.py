"""Is a network worth having? What costs next to nothing learns the same rows and answers the same ones.

In: rows to learn from, rows that chose nothing of the network, and what the network says of them. Out:
a `Baseline` each for the majority or the mean, logistic or ridge regression, and scikit-learn's boosted
trees, with the paired difference between the network and it.

A share of right answers has the interval of Bonett and Price (2012, "Adjusted Wald confidence interval
for a difference of binomial proportions based on paired data"): that of a mean over rows to which one
row is added that only the network has right, and one that only the baseline has. Without them four
rows of luck would be a victory. A root of a mean square r has that of its influence, e^2 / (2 r).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from clearprop.engines import Data
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units

Array = NDArray[Any]

SHARE, LEAST = 0.1, 2.0  # of the training's seconds, and seconds at least
_LINEAR = 1 / 3  # of these seconds, by whose end the linear model has learned
_FIRST_ROWS = 256  # a baseline learns first, to see how long it takes
_NEARLY = 0.9  # of all rows are all of them: the time does not grow with the last ones
_WORTH = 1.5  # times as many rows, or it is not worth to learn again
_NORMAL = 1.959963984540054  # 97.5 % of a normal distribution lie below


class Rows(NamedTuple):
    """Rows as every contestant sees them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Numbers on one scale, without gaps.
    y : ndarray of shape (n_samples,), of quantities that are only learned also (n_samples, n_outputs)
        Numbers of classes, or quantities.
    weight : ndarray of shape (n_samples,), optional
    """

    X: Array
    y: Array
    weight: Array | None = None

    def take(self, rows: Array) -> Rows:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.X[rows], self.y[rows], weight)


@dataclass(frozen=True)
class Baseline:
    """What a baseline reaches, and how much better the network is.

    Parameters
    ----------
    name : str
    metric : {"accuracy", "rmse"}
    value : float
        On the rows that both answer: a share, or in the target's units.
    difference : float
        By how much the network is better, in the units of `value`; negative where it is worse.
    low, high : float
        The 95 % interval of the difference, paired by rows.
    rows : int
        Learned from: a sample where all would have taken too long.
    of_rows : int
        That there were to learn from.
    seconds : float
    unfinished : str
        What there was no time for, in words.
    """

    name: str
    metric: str
    value: float
    difference: float
    low: float
    high: float
    rows: int
    of_rows: int
    seconds: float
    unfinished: str = ""

    @property
    def wins(self) -> bool:
        """Whether it is better than the network, beyond chance."""
        return self.high < 0

    @property
    def is_beaten(self) -> bool:
        """Whether the network is better, beyond chance."""
        return self.low > 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def rows_of(model: Model, data: Data) -> Rows:
    """Return rows of a training, whose targets may be smoothed, as a baseline sees them."""
    targets = model.targets
    if isinstance(targets, Units):
        y = targets.in_own_units(data.Y.astype(np.float64))[:, 0]
    else:
        assert isinstance(targets, Classes)
        y = targets.numbers(data.Y)
    return Rows(data.X, y, data.sample_weight)


def answers(model: Model, a: Array) -> Array:
    """Return what a model answers, of its outputs of shape (n_samples, n_outputs), as in `Rows`."""
    targets = model.targets
    if isinstance(targets, Units):
        return targets.decode(a.astype(np.float64))[:, 0]
    assert isinstance(targets, Classes)
    return targets.decided(a)


def compare(
    train: Rows,
    held: Rows,
    predicted: Array,
    *,
    classes: bool,
    seconds: float,
    seed: int = 0,
    of_rows: int | None = None,
) -> list[Baseline]:
    """Return what each baseline reaches on the rows that a network has answered.

    Parameters
    ----------
    train : Rows
        Those that the network has learned from.
    held : Rows
        Rows that chose nothing of the network, not even its epoch.
    predicted : ndarray of shape (n_held,)
        What the network says of them: numbers of classes, or quantities.
    classes : bool
        Whether these are classes.
    seconds : float
        That all baselines together may take, about; above it they learn from samples.
    seed : int
        Of the samples, and of the trees.
    of_rows : int, optional
        How many rows there are to learn from, where `train` is a sample already.
    """
    found, metric, n = [], "accuracy" if classes else "rmse", len(train.y)
    for name, model, rows, took, unfinished in learn(train, classes, seconds, seed):
        figures = difference(held, predicted, model.predict(held.X), classes)
        found.append(Baseline(name, metric, *figures, rows, of_rows or n, took, unfinished))
    return found


class Learned(NamedTuple):
    """A baseline that has learned.

    Parameters
    ----------
    name : str
    model : estimator of scikit-learn's
    rows : int
        Learned from: all, or a sample where all would have taken too long.
    seconds : float
    unfinished : str
        What there was no time for, in words.
    """

    name: str
    model: Any
    rows: int
    seconds: float
    unfinished: str


def learn(train: Rows, classes: bool, seconds: float, seed: int = 0) -> Iterator[Learned]:
    """Return the baselines of some rows, each as soon as it has learned; arguments as in `compare`."""
    contestants, start = _contestants(classes, seed), time.monotonic()
    if classes and len(np.unique(train.y)) < 2:  # of which only a majority can be learned
        contestants = contestants[:1]
    if train.y.ndim > 1:  # trees learn one answer
        contestants = contestants[:2]
    for name, learned, share in contestants:
        began = time.monotonic()
        # One thread: a few rows are not worth more, and where others compute OpenMP's wait for them.
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # of a cheap model nobody asks whether it has converged
            fitted, rows = _learned(learned, train, start + share * seconds, seed, classes)
        yield Learned(name, fitted.model, rows, round(time.monotonic() - began, 3), fitted.unfinished)


def difference(
    held: Rows, ours: Array, theirs: Array, classes: bool
) -> tuple[float, float, float, float]:
    """Return how good their answers are, by how much ours are better, and its 95 % interval.

    Parameters
    ----------
    held : Rows
    ours, theirs : ndarray of shape (n_held,)
        Answers for these rows: numbers of classes, or quantities.
    classes : bool
        Whether shares of right answers are compared, or roots of mean squared errors.

    Returns
    -------
    value, difference, low, high : float
    """
    n = len(held.y)
    weight = np.ones(n) if held.weight is None else held.weight.astype(np.float64)
    weight /= weight.mean()
    if classes:
        mine, its = ((each == held.y).astype(np.float64) for each in (ours, theirs))
        value, rows = float(np.average(its, weights=weight)), mine - its
        mean = float(np.average(rows, weights=weight))
        rows, weight = np.append(rows, [1.0, -1.0]), np.append(weight, [1.0, 1.0])
        centre = float(np.average(rows, weights=weight))
    else:
        mine, its = ((each - held.y) ** 2 for each in (ours, theirs))
        roots = [float(np.sqrt(np.average(each, weights=weight))) for each in (mine, its)]
        value, centre = roots[1], roots[1] - roots[0]
        mean = centre
        rows = sum(
            sign * square / max(2.0 * root, np.finfo(np.float64).tiny)
            for sign, square, root in zip((-1, 1), (mine, its), roots, strict=True)
        )
    spread = np.sqrt(np.sum((weight * (rows - np.average(rows, weights=weight))) ** 2))
    half = _NORMAL * float(spread) / len(rows)
    return value, mean, centre - half, centre + half


class _Fitted(NamedTuple):
    model: Any
    unfinished: str = ""


_Learn = Callable[[Rows, float], _Fitted]  # until some time of the clock


def _contestants(classes: bool, seed: int) -> list[tuple[str, _Learn, float]]:
    """Return each baseline's name, how it learns, and the share of the time that ends then."""
    from sklearn import dummy, ensemble, linear_model

    if classes:
        constant, linear = dummy.DummyClassifier(), linear_model.LogisticRegression()
        trees = ensemble.HistGradientBoostingClassifier(random_state=seed)
        names = "majority", "logistic regression"
    else:
        constant, linear = dummy.DummyRegressor(), linear_model.Ridge()
        trees = ensemble.HistGradientBoostingRegressor(random_state=seed)
        names = "mean", "ridge regression"

    def at_once(model: Any) -> _Learn:
        return lambda rows, end: _Fitted(model.fit(rows.X, rows.y, sample_weight=rows.weight))

    return [
        (names[0], at_once(constant), 1.0),
        (names[1], at_once(linear), _LINEAR),
        ("boosted trees", lambda rows, end: _boosted(trees, rows, end), 1.0),
    ]


def _boosted(trees: Any, rows: Rows, end: float) -> _Fitted:
    """Return boosted trees with as many of their rounds as the time allows."""
    from sklearn import clone

    model, rounds = clone(trees).set_params(warm_start=True, max_iter=1), trees.max_iter
    while True:
        before, done = time.monotonic(), int(getattr(model, "n_iter_", 0))
        model.fit(rows.X, rows.y, sample_weight=rows.weight)
        now, more = time.monotonic(), model.n_iter_ - done
        if (
            model.n_iter_ < model.max_iter or model.n_iter_ == rounds
        ):  # it stops by itself, or all are made
            return _Fitted(model)
        fits = int(min(more * max(end - now, 0.0) / max(now - before, 1e-6), rounds))
        if fits < 1:
            return _Fitted(model, f"{model.n_iter_} of {rounds} rounds")
        model.max_iter = min(model.n_iter_ + fits, rounds)


def _learned(learn: _Learn, train: Rows, end: float, seed: int, classes: bool) -> tuple[_Fitted, int]:
    """Return a model of as many rows as the time allows, and their number.

    It learns from few rows first, then from as many as would fit if its time grew with them.
    """
    n = len(train.y)
    order, size = np.random.default_rng(seed).permutation(n), min(n, _FIRST_ROWS)
    while classes and size < n and len(np.unique(train.y[order[:size]])) < 2:
        size = min(n, 4 * size)
    while True:
        before = time.monotonic()
        fitted = learn(train.take(np.sort(order[:size])) if size < n else train, end)
        now = time.monotonic()
        fits = int(min(n, size * max(end - now, 0.0) / max(now - before, 1e-6)))
        fits = n if fits > _NEARLY * n else fits
        if size == n or fitted.unfinished or (fits < n and fits < _WORTH * size):
            return fitted, size
        size = max(size + 1, fits)
