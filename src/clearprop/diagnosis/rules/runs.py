"""Rules about the run: plateau and its cause, swings, divergence, start, overfitting (D11-D15, D20)."""

# ruff: noqa: E501 - a sentence of prose is not cut

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.rules import remedies
from clearprop.diagnosis.rules.words import named, number, percent, times
from clearprop.diagnosis.thresholds import Thresholds


def is_plateau(cost: tuple[float, ...], t: Thresholds) -> bool:
    """Return whether the best cost has not improved for the epochs of a plateau."""
    wait = int(t.plateau_epochs)
    if len(cost) <= wait:
        return False
    best, recent = min(cost[:-wait]), min(cost[-wait:])
    return recent > best - t.plateau_improvement * abs(best)


def swings(cost: tuple[float, ...], t: Thresholds) -> float:
    """Return the share of epochs at which the cost turns after a swing, up and down, that counts."""
    if len(cost) < 5:
        return 0.0
    turns = [
        i for i in range(1, len(cost) - 1) if (cost[i] - cost[i - 1]) * (cost[i + 1] - cost[i]) < 0
    ]
    extrema = [cost[0], *(cost[i] for i in turns), cost[-1]]
    size = max(t.swing * (max(cost) - min(cost)), t.swing_least * abs(min(cost)))
    # Falling is what a cost should do: a swing is a rise that counts, and the fall after it.
    return 2 * sum(b - a >= size > 0 for a, b in pairwise(extrema)) / len(cost)


def suspects_overshoot(m: Measurements, t: Thresholds) -> bool:
    """Return whether the history calls for the one quantity that needs passes of its own."""
    return is_plateau(m.run.cost, t) or swings(m.run.cost, t) >= t.swing_epochs


def plateau(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D11, and D12, its cause, where the numbers of the pass or the step say one."""
    flat = is_plateau(m.run.cost, t)
    if m.has_learned(t) or not (flat or _not_started(m, t)):
        return
    epochs = len(m.run.cost)
    cause = next(_causes(m, t), None)
    ended = cause is None and m.gradient.norm < t.cancelling * m.gradient.sample_norm
    if flat:
        yield Finding(
            id="D11",
            name="plateau",
            severity="info" if ended else "warning",
            value=m.run.cost[-1],
            threshold=min(m.run.cost[: -int(t.plateau_epochs)]),
            n=epochs,
            equation="gradient descent: dC is about -eta ||grad C||^2",
            explains=0.0,
            what=f"The cost has not fallen for {named(int(t.plateau_epochs), 'epoch')}: it is "
            f"{number(m.run.cost[-1])}, {percent(min(m.remaining, 99))} of that of the best constant output.",
            how="The samples' gradients cancel: their mean has "
            f"{percent(m.gradient.norm / m.gradient.sample_norm)} of their size. That is what a minimum "
            "looks like."
            if ended
            else f"||grad C|| is {number(m.gradient.norm)}, the samples' own gradients have the size "
            f"{number(m.gradient.sample_norm)} (RMS).",
            remedy="More units or better features are what is left to try."
            if ended
            else "Look at the other findings first; else change the learning rate.",
            changes={} if ended else {"learning_rate_factor": 0.1 if _bounces(m, t) else 10.0},
            source="PyTorch, ReduceLROnPlateau; SageMaker Debugger, LossNotDecreasing",
        )
    if cause:
        yield replace(cause, n=epochs)


def _not_started(m: Measurements, t: Thresholds) -> bool:
    cost = m.run.cost
    enough = len(cost) >= 5 and m.steps_trained > 0
    return enough and m.remaining > t.trivial and cost[-1] > (1 - 0.02) * cost[0] - 1e-12


def _bounces(m: Measurements, t: Thresholds) -> bool:
    return m.step is not None and m.step.overshoot < t.bouncing


def _causes(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    common = {
        "id": "D12",
        "severity": "warning",
        "n": len(m.run.cost),
        "equation": "W <- W - eta dC/dW",
    }
    if m.l2 and m.gradient.pull >= t.held and m.remaining > 0.5:
        yield Finding(
            **common,  # type: ignore[arg-type]
            name="held by the penalty",
            value=m.gradient.pull,
            threshold=t.held,
            what=f"The penalty l2 = {number(m.l2)} holds the weights where they are.",
            how=f"Its gradient l2 W has {percent(m.gradient.pull)} of the size of the cost's own, while "
            f"{percent(m.remaining)} of the cost of a constant output remain.",
            remedy="Try a penalty 1000 times smaller.",
            changes={"l2_factor": 1e-3},
            source="the stationary point: dC/dW = -l2 W",
        )
    if _bounces(m, t):
        assert m.step is not None
        yield Finding(
            **common,  # type: ignore[arg-type]
            name="bouncing",
            value=m.step.overshoot,
            threshold=t.bouncing,
            what="Steps go beyond the minimum along their direction, and the next ones come back.",
            how=f"After a step along the gradient of all {m.n:,} examples the new gradient points "
            f"against it (cosine {number(m.step.overshoot)}), at learning rate {number(m.learning_rate)}.",
            remedy=f"Try {remedies.smaller_steps(m)[0]}.",
            changes=remedies.smaller_steps(m)[1],
            source="the cosine of successive gradients",
        )
    if _not_started(m, t):
        yield Finding(
            **common,  # type: ignore[arg-type]
            name="has not started",
            value=m.remaining,
            threshold=t.trivial,
            what=f"Nothing has been learned in {named(len(m.run.cost), 'epoch')}: the cost is still that of "
            "saying the same for every example.",
            how=f"It is {number(m.output.cost)}, the best constant output costs "
            f"{number(m.output.constant_cost)}; ||grad C|| is {number(m.gradient.norm)}.",
            remedy="If another finding names the cause, begin there; else try a higher learning rate, or "
            "relu with he_normal.",
            changes={"learning_rate_factor": 10.0},
            source="CS231n: chance performance",
        )


def oscillation(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D13: the cost goes up and down from epoch to epoch."""
    share = swings(m.run.cost, t)
    if share < t.swing_epochs or m.has_learned(t):
        return
    bounces = _bounces(m, t)
    yield Finding(
        id="D13",
        name="oscillation",
        severity="warning",
        value=share,
        threshold=t.swing_epochs,
        n=len(m.run.cost),
        equation="W <- W - eta dC/dW",
        what=f"The cost goes up and down: in {percent(share)} of {len(m.run.cost)} epochs it turns.",
        how=f"Swings of at least {percent(t.swing)} of its range are counted"
        + (f"; a step turns the gradient round (cosine {number(m.step.overshoot)})." if bounces and m.step
           else "."),
        remedy=f"Try {remedies.smaller_steps(m)[0]}, or larger batches.",
        changes=remedies.smaller_steps(m)[1],
        source="AutoTrainer, unstable training",
    )  # fmt: skip


def divergence(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D14: the cost is far above what it has been."""
    cost = m.run.cost
    if len(cost) < 2 or not cost[0] > 0:
        return
    best, now, first = min(cost), cost[-1], cost[0]
    from_first = now > t.diverging_first * first
    if not from_first and not (best > 0 and now > t.diverging_best * best and now > t.learned * first):
        return
    yield Finding(
        id="D14",
        name="divergence",
        severity="error",
        value=now / (first if from_first else best),
        threshold=t.diverging_first if from_first else t.diverging_best,
        n=len(cost),
        equation="W <- W - eta dC/dW",
        what=f"The cost is running away: {number(now)}, after {number(best)} at its best.",
        how=f"That is {times(now / best) if best > 0 else 'far'} its best and {times(now / first)} the "
        f"first of {len(cost)} epochs.",
        remedy=f"Try {remedies.smaller_steps(m)[0]}, or clip_norm=1.",
        changes=remedies.smaller_steps(m)[1] | {"clip_norm": 1.0},
        source="neurolens",
    )


def bad_start(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D15: before the first step the network costs more than one that says nothing."""
    if m.steps_trained:
        return
    classifies = m.output.probabilities
    nothing = m.output.silent_cost if classifies else m.output.constant_cost
    limit = t.bad_start if classifies else t.bad_start_regression
    if not nothing > 0 or not m.output.cost > limit * nothing:
        return
    ratio = m.output.cost / nothing
    yield Finding(
        id="D15",
        name="bad start",
        severity="warning",
        layer=m.layers[-1].number,
        value=ratio,
        threshold=limit,
        n=m.n,
        equation="BP1: delta = dC/da * f'(z)",
        explains=m.share(float(m.layers[-1].actual.sum()) * 0.0),
        what=f"The network starts confidently wrong: its cost is {number(m.output.cost)} before the first "
        "step.",
        how=f"That is {times(ratio)} the {number(nothing)} of "
        + ("giving every class the same probability." if classifies else "the best constant output.")
        + " The first epochs will only undo it.",
        remedy="Start again with smaller weights in the last layer (glorot_uniform, biases zero)"
        + ("." if classifies else ", and scale the targets to mean 0 and deviation 1."),
        changes={"initializer": remedies.usual_start(m), "bias_initializer": "zeros"}
        | ({} if classifies else {"target_scaling": "standard"}),
        source="CS231n: check the loss at chance performance; Karpathy",
    )


def overfitting(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D20: validation cost rises while the training cost falls."""
    validation, cost = m.run.validation_cost, m.run.cost
    if len(validation) < 3 or len(cost) < 3:
        return
    best = min(validation)
    at = validation.index(best)
    waited = len(validation) - 1 - at
    falls = cost[-1] < 0.9 * cost[min(at, len(cost) - 1)]
    rises = best > 0 and validation[-1] > (1 + t.overfitting) * best
    stays = waited >= t.plateau_epochs
    if not (falls and (rises or stays)) and not _parts(validation, cost, t):
        return
    if falls and rises:
        what = f"the validation cost is {percent(validation[-1] / best - 1)} above its best."
    elif falls and stays:
        what = f"the validation cost has not improved for {named(waited, 'epoch')}."
    else:
        what = (
            f"in {named(int(t.plateau_epochs), 'epoch')} the training cost has fallen by more than "
            f"{percent(t.overfitting_fall)}, the validation cost by less than {percent(t.overfitting_gain)}."
        )
        rises, waited = False, int(t.plateau_epochs)
    yield Finding(
        id="D20",
        name="overfitting",
        severity="info",
        value=validation[-1] / best - 1 if rises else float(waited),
        threshold=t.overfitting if rises else t.plateau_epochs,
        n=len(validation),
        equation="",
        what=f"It learns its own examples by heart: {what}",
        how=f"It was {number(best)} after epoch {at + 1} and is {number(validation[-1])} after epoch "
        f"{len(validation)}, while the training cost fell to {number(cost[-1])}.",
        remedy="Stop early (EarlyStopping), use a penalty (l2) or dropout, or more data.",
        changes={"early_stopping": True},
        source="SageMaker Debugger, Overfit; S2, chapter 3",
    )


def _parts(validation: tuple[float, ...], cost: tuple[float, ...], t: Thresholds) -> bool:
    """Return whether the training cost falls and the validation cost hardly does."""
    wait = int(t.plateau_epochs)
    if min(len(validation), len(cost)) <= wait:
        return False
    gained = min(validation[-wait:]) < (1 - t.overfitting_gain) * min(validation[:-wait])
    return not gained and cost[-1] < (1 - t.overfitting_fall) * cost[-wait - 1]


__all__ = [
    "bad_start",
    "divergence",
    "is_plateau",
    "oscillation",
    "overfitting",
    "plateau",
    "suspects_overshoot",
    "swings",
]
