"""Rules about one step: how far it goes, and how noisy its direction is (D9, D10)."""

# ruff: noqa: E501 - a sentence of prose is not cut

from __future__ import annotations

import math
from collections.abc import Iterator

from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.rules import remedies, runs
from clearprop.diagnosis.rules.words import graded, graded_below, named, number, percent, times
from clearprop.diagnosis.thresholds import Thresholds


def update_ratio(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D9: steps that are tiny or huge beside the weights they change."""
    if m.step is None:
        return
    known = [(u, l) for l, u in enumerate(m.step.update, start=1) if not math.isnan(u)]  # noqa: E741
    if not known:
        return
    # A step is too small if it is so in every layer; a last layer that grows from 0 has no size yet.
    size, last = m.last_layer_size(t), len(m.layers)
    largest, smallest = max((u * (size if l == last else 1.0), l) for u, l in known), max(known)  # noqa: E741
    high = graded(largest[0], t.update_high_warning, t.update_high_error)
    # Weights that are all 0 have no such ratio; they leave 0 with the next step, however small it is.
    starting = any(each.weight_norm == 0 < each.gradient_norm for each in m.layers)
    may_be_low = not (starting or m.has_learned(t))
    low = _low(m, smallest[0], t) if may_be_low else None
    if high is None and low is None:
        if largest[0] >= t.update_high_info:
            high = "info"
        elif smallest[0] < t.update_low_info and may_be_low:
            low = "info"
        else:
            return
    layer = largest[1] if high else smallest[1]
    ratio = m.step.update[layer - 1]
    limits = (
        {"info": t.update_high_info, "warning": t.update_high_warning, "error": t.update_high_error}
        if high
        else {"info": t.update_low_info, "warning": t.update_low_warning, "error": t.update_low_error}
    )
    severity = high or low
    assert severity is not None
    factor = max(min(1e-2 / ratio, 1.0), 1e-6) if high else min(1e-3 / max(ratio, 1e-12), 1e8)
    remedy, changes = remedies.for_large_steps(m, t, factor)
    if not high:
        remedy = f"Try a learning rate {times(factor)} higher."
        changes = {"learning_rate_factor": factor}
    yield Finding(
        id="D9",
        name="updates too large" if high else "updates too small",
        severity=severity,
        layer=layer,
        value=ratio,
        threshold=limits[severity],
        n=m.step.n_batches,
        equation="W <- W - eta dC/dW",
        what=f"A step of {m.optimizer or 'the optimizer'} changes the weights of layer {layer} by "
        f"{percent(ratio) if ratio > 1e-4 else number(ratio)} of their norm"
        + ("." if high else ", and those of the other layers by less."),
        how=f"That is ||W_after - W|| / ||W||, the median of {named(m.step.n_batches, 'mini-batch', 'mini-batches')}, at learning "
        f"rate {number(m.learning_rate)}; about 0.001 is usual. "
        + (
            "What the gradient says holds only near the weights it was taken at."
            if high
            else f"At this rate it takes {number(1 / max(ratio, 1e-300))} steps to change a weight by its "
            "own size."
        ),
        remedy=remedy,
        changes=changes,
        source="CS231n and Karpathy: about 1e-3; neurolens, nnscope",
    )


def _low(m: Measurements, ratio: float, t: Thresholds) -> str | None:
    # Gradients that cancel over the samples are those of a minimum: there, small steps are right.
    cancelled = m.gradient.sample_norm > 0 and (
        m.gradient.norm < t.cancelling * m.gradient.sample_norm and m.remaining < t.trivial
    )
    return None if cancelled else graded_below(ratio, t.update_low_warning, t.update_low_error)


def gradient_noise(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D10: the batch beside the size at which noise and signal are equal."""
    size, scale = m.batch_size, m.gradient.noise_scale
    if size is None or math.isnan(m.gradient.noise) or m.n < 30 or m.has_learned(t):
        return
    undetermined = math.isnan(scale)
    noisy = undetermined or size < scale / t.noise_ratio
    if not noisy and not size > scale * t.noise_ratio:
        return
    remedy = "Smaller batches learn as much from each sample, and more from each epoch."
    changes: dict[str, object] = {"batch_size_factor": 0.25}
    if noisy and not runs.is_plateau(m.run.cost, t):
        remedy = (
            "Nothing has to be done while the cost falls; then take larger batches, or a lower rate."
        )
        changes = {}
    elif noisy:
        wanted = 8 if undetermined else round(min(max(scale / t.noise_ratio / size, 2.0), 64.0))
        remedy = f"Try batches {times(wanted)} larger, or a lower learning rate."
        changes = {"batch_size_factor": wanted}
    yield Finding(
        id="D10",
        name="noisy gradient" if noisy else "batch larger than needed",
        severity="info",
        value=scale,
        threshold=size * t.noise_ratio if noisy else size / t.noise_ratio,
        n=m.n,
        equation="BP3, BP4: the mean over the batch",
        what=f"Gradients of {named(size, 'sample')} are mostly noise."
        if noisy
        else f"Batches of {named(size, 'sample')} are larger than the noise asks for.",
        how=(
            f"Over {m.n:,} examples their mean cannot be told from 0 (noise {number(m.gradient.noise)}, "
            f"signal {number(m.gradient.signal)})."
            if undetermined
            else f"Noise and signal are equal at {number(scale)} samples (trace of the covariance of the "
            f"samples' gradients over ||gradient||^2, {m.n:,} examples)."
        ),
        remedy=remedy,
        changes=changes,
        source="McCandlish et al. 2018; Byrd et al. 2012",
    )
