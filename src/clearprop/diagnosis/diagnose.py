"""`diagnose`: from a network and data to findings."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import optimizers
from clearprop.activations import Array
from clearprop.diagnosis import measurements, quantities, rules
from clearprop.diagnosis.association import association
from clearprop.diagnosis.finding import Findings
from clearprop.diagnosis.measurements import Measurements, Run
from clearprop.diagnosis.rules.rows import suspects_strangers
from clearprop.diagnosis.thresholds import Thresholds
from clearprop.engines import Plan, State
from clearprop.names import integer, is_number
from clearprop.optimizers import Optimizer
from clearprop.traceable import Traceable, refuse_members
from clearprop.training import History

BATCHES = 20  # whose steps are measured
LARGEST_SAMPLE = 2000


def diagnose(
    net: Traceable,
    X: ArrayLike,
    Y: ArrayLike,
    history: History | None = None,
    *,
    optimizer: str | Optimizer | None = None,
    batch_size: int | None = None,
    l2: float = 0.0,
    thresholds: Thresholds | None = None,
    max_samples: int = LARGEST_SAMPLE,
) -> Findings:
    """Return what makes a network learn slowly, or not at all: findings, none where nothing does.

    For every weight and sample the gradient is activation x slope x error. What is reported is a factor
    that is small, or a step or run that wastes the gradient; a small error is success, and saturated
    units that are right are no sickness.

    Parameters
    ----------
    net : Network
    X, Y : array-like
        Best the training data. Of more than `max_samples` a stratified sample is looked at.
    history : History, optional
        Of the training that led here: plateau, swings, divergence and overfitting are seen in it.
    optimizer : Optimizer or str, optional
        With which it is, or will be, trained: how far a step goes, and whether it goes too far.
    batch_size : int, optional
        With which it is trained: how noisy a step is. Default: all of the sample.
    l2 : float
        Its penalty.
    thresholds : Thresholds, optional
        The limits of the rules.
    max_samples : int
        At least 1.

    Returns
    -------
    Findings
        A list of `Finding`, the most severe first; printed it is text, in a notebook a page.

    Raises
    ------
    ValueError, TypeError
        If X and Y do not fit the network, or an argument breaks its rule.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 3, 1], output="sigmoid", cost="quadratic", seed=0)
    >>> net.biases[1][:] = 8.0
    >>> found = cp.diagnose(net, [[0, 1], [1, 0], [1, 1]], [[0], [0], [1]])
    >>> found[0].id, found[0].name, found[0].severity
    ('D3', 'stuck outputs', 'error')
    """
    if history is not None and not isinstance(history, History):
        raise TypeError(f"history must be a History, got {history!r}")
    if thresholds is not None and not isinstance(thresholds, Thresholds):
        raise TypeError(f"thresholds must be a Thresholds, got {thresholds!r}")
    if not is_number(l2) or l2 < 0:
        raise ValueError(f"l2 must be a finite number of at least 0, got {l2!r}")
    limits = thresholds or Thresholds()
    inputs, targets = prepared(net, X, Y)
    rows = stratified(targets, integer("max_samples", max_samples, 1))
    p = quantities.run(net.architecture, net.parameters, inputs[rows], targets[rows])
    plan = None
    if optimizer is not None or batch_size is not None or l2:
        plan = Plan(
            net.architecture,
            optimizers.resolve("sgd" if optimizer is None else optimizer),
            net.training_seed,
            p.n if batch_size is None else integer("batch_size", batch_size, 1),
            len(inputs),
            l2=float(l2),
        )
    run = Run.of(history.columns) if history is not None else Run()
    m = measurements.measure(
        p,
        limits,
        steps_trained=net.steps_trained,
        plan=plan,
        rate=_rate(plan, history) if optimizer is not None else math.nan,
        run=run,
        feature_names=net.feature_names,
    )
    if plan is not None and optimizer is not None and m.nonfinite is None:
        state = State(net.parameters, plan.optimizer.init(net.parameters))
        step = measurements.step_of(plan, state, m.learning_rate, p, BATCHES, overshoot=True)
        m = dataclasses.replace(m, step=step)
    if suspects_strangers(m, limits):
        m = dataclasses.replace(m, association=association(inputs, targets, rows))
    if batch_size is None:
        m = dataclasses.replace(m, batch_size=None)  # it was not said: D10 has nothing to judge
    return findings(m, limits, net, rows)


def findings(m: Measurements, limits: Thresholds, net: Traceable, rows: NDArray[np.int64]) -> Findings:
    """Return what the rules find; evidence is said in rows of the caller's data."""
    found = [each.in_rows(rows) for each in rules.apply(m, limits)]
    return Findings(found, n=m.n, subject=repr(net).strip("<>"), sizes=net.sizes)


def _rate(plan: Plan | None, history: History | None) -> float:
    if plan is None or isinstance(plan.optimizer, optimizers.LBFGS):
        return math.nan
    if history is not None and "learning_rate" in history and len(history):
        return float(history["learning_rate"][-1])
    return float(plan.optimizer.schedule(0.0))


def prepared(net: Traceable, X: ArrayLike, Y: ArrayLike) -> tuple[Array, Array]:
    """Return inputs and targets as the network sees them.

    Targets that the cost refuses are let through: that they cannot be reached is what D17 says.
    """
    refuse_members("a diagnosis", net.parameters)
    inputs, targets = net.inputs(X), net.targets(Y)
    if len(inputs) != len(targets):
        raise ValueError(f"X and Y must have as many rows, got {len(inputs)} and {len(targets)}")
    return inputs, targets


def stratified(Y: Array, most: int) -> NDArray[np.int64]:
    """Return at most so many rows, spread evenly over the data, each class with its share.

    Examples
    --------
    >>> stratified(np.array([[1.0, 0], [1, 0], [0, 1], [1, 0], [1, 0], [0, 1]]), 3).tolist()
    [0, 3, 5]
    """
    n = len(Y)
    if n <= most:
        return np.arange(n)
    one_hot = Y.shape[1] > 1 and bool((((Y == 0) | (Y == 1)).all()) and (Y.sum(axis=1) == 1).all())
    labels = Y.argmax(axis=1) if one_hot else (Y[:, 0] > 0.5) * bool(((Y == 0) | (Y == 1)).all())
    by_class = np.argsort(labels, kind="stable")  # every class together: even steps take its share
    return np.sort(by_class[np.linspace(0, n - 1, most).round().astype(np.int64)])
