"""Rules about what happens to delta from layer to layer (D6, D7, D8), and to numbers at all (D1)."""

# ruff: noqa: E501 - a sentence of prose is not cut

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.quantities import LayerNumbers
from clearprop.diagnosis.rules import remedies
from clearprop.diagnosis.rules.words import graded_below, number, times
from clearprop.diagnosis.thresholds import Thresholds


def nonfinite(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D1: the first quantity of the pass that is NaN or infinite."""
    if m.nonfinite is None:
        return
    layer, quantity = m.nonfinite
    given = quantity in ("W", "b")
    where = "The cost" if quantity == "C" else f"{quantity} of layer {layer}"
    rate = {} if given else {"learning_rate_factor": 0.1}
    yield Finding(
        id="D1",
        name="non-finite numbers",
        severity="error",
        layer=layer,
        value=float("nan"),
        threshold=0.0,
        n=m.n,
        equation={"W": "", "b": "", "z": "(25): z = W a + b", "a": "(25): a = f(z)"}.get(
            quantity, "BP1-BP4"
        ),
        explains=1.0,
        what=f"{where} holds NaN or infinity.",
        how="It is the first such quantity in the order of the pass, forwards and then backwards; "
        "everything behind it is no number either, and nothing more can be said.",
        remedy="Start again from finite parameters"
        + ("." if given else ", with inputs scaled to about 1 and a lower learning rate or clip_norm."),
        changes={"initializer": "glorot_uniform", "bias_initializer": "zeros", **rate},
        source="SageMaker Debugger, ExplodingTensor",
    )


def _more_layers(n: int) -> str:
    return "1 more layer's gain is" if n == 1 else f"{n} more layers' gains are"


def vanishing(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D6: delta shrinks on its way back to the first layer, while there is error left."""
    first, last = m.layers[0], m.layers[-1]
    if len(m.layers) < 2 or m.has_learned(t) or last.delta == 0:
        return
    ratio = first.delta / last.delta
    size = m.last_layer_size(t)
    severity = graded_below(ratio / size, t.vanishing_warning, t.vanishing_error) if size else None
    if severity is None:
        return
    at, after = min(zip(m.layers, m.layers[1:], strict=False), key=lambda pair: _shrink(*pair))
    shrunk = _shrink(at, after)
    steepest = np.where(np.isfinite(at.range.steepest), at.range.steepest, 1.0)
    slope = float(np.sqrt(np.square(at.slope * steepest).mean()))
    by_slope = slope == 0 or slope * slope < shrunk  # shrunk is slope times what the weights do
    wanted = last.delta  # what layer 1 would have if nothing shrank on the way
    lost = (
        float(first.actual.sum()) * ((wanted / first.delta) ** 2 - 1) if first.delta > 0 else math.inf
    )
    start = remedies.usual_start(m)
    relu_like = start == "he_normal"
    per_layer = ", ".join(number(each.delta / last.delta) for each in m.layers)
    remedy, changes = remedies.for_units(m, t, start)
    relative = float(np.sqrt(np.square(at.slope).mean()))
    if by_slope and not relu_like and relative > 0.5:  # not saturated: it is what the function is like
        remedy = "Try relu with he_normal, whose slope is 1 where a unit is active, or fewer layers."
        changes = {"activation": "relu", "initializer": "he_normal", "bias_initializer": "zeros"}
        if m.learning_rate > 0.3 and m.optimizer == "SGD":
            changes["learning_rate_factor"] = 0.1  # relu layers do not bear the rates of sigmoid ones
    yield Finding(
        id="D6",
        name="vanishing gradient",
        severity=severity,
        layer=1,
        value=ratio,
        threshold=t.vanishing_warning,
        n=m.n,
        evidence=first.worst,
        equation="BP2: delta = (W_next^T delta_next) * f'(z), layer after layer",
        factors={"slope": slope, "error": shrunk / slope if slope > 0 else math.nan},
        explains=1.0 if math.isinf(lost) else m.share(lost),
        what=f"The gradient vanishes on its way back: delta of layer 1 is {number(ratio)} of that of layer "
        f"{last.number}.",
        how=f"RMS of delta by layer, over the last layer's: {per_layer}. It shrinks most from layer "
        f"{at.number + 1} to layer {at.number}, to {number(shrunk)}; f'(z) is {number(slope)} "
        f"there (RMS), {'which is' if by_slope else 'but the weights are'} the larger part.",
        remedy=remedy,
        changes=changes,
        source="AutoTrainer; Glorot and Bengio 2010; S2, chapter 5",
    )


def _shrink(layer: LayerNumbers, after: LayerNumbers) -> float:
    return layer.delta / after.delta if after.delta > 0 else math.inf


def exploding(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D7: delta grows on its way back, or gradients are large or growing."""
    first, last = m.layers[0], m.layers[-1]
    ratio = first.delta / last.delta if last.delta > 0 and len(m.layers) > 1 else 0.0
    largest = max(m.layers, key=lambda each: each.gradient_norm)
    norms, back = m.run.gradient_norms, int(t.growth_evaluations)
    rising = len(m.run.cost) > 1 and m.run.cost[-1] > 1.5 * min(m.run.cost)
    earlier = min(norms[-back - 1 : -1], default=math.inf)
    growth = norms[-1] / earlier if norms and earlier > 0 else 0.0
    remedy, changes = remedies.for_large_gradients(m, t)
    common = {
        "id": "D7",
        "name": "exploding gradient",
        "n": m.n,
        "equation": "BP2: delta = (W_next^T delta_next) * f'(z), layer after layer",
        "source": "AutoTrainer; CS231n; Pascanu et al. 2013",
    }
    if largest.gradient_norm > t.exploding_norm or (growth >= t.exploding_growth and rising):
        big = largest.gradient_norm > t.exploding_norm
        yield Finding(
            **common,  # type: ignore[arg-type]
            severity="error",
            layer=largest.number,
            value=largest.gradient_norm if big else growth,
            threshold=t.exploding_norm if big else t.exploding_growth,
            what=f"The gradient is too large to be followed: ||dC/dW|| of layer {largest.number} is "
            f"{number(largest.gradient_norm)}.",
            how=f"Its weights have the norm {number(largest.weight_norm)}"
            + (f", and the gradient has grown {times(growth)} while the cost rose." if rising else "."),
            remedy=remedy,
            changes=changes,
        )
    elif ratio > t.exploding_ratio:
        yield Finding(
            **common,  # type: ignore[arg-type]
            severity="warning",
            layer=1,
            value=ratio,
            threshold=t.exploding_ratio,
            explains=m.share(float(first.actual.sum()) * (1 - 1 / ratio**2)),
            what=f"The gradient explodes on its way back: delta of layer 1 is {times(ratio)} that of layer "
            f"{last.number}.",
            how="RMS of delta by layer, over the last layer's: "
            f"{', '.join(number(each.delta / last.delta) for each in m.layers)}.",
            remedy="Start again with smaller weights (he_normal for relu, else glorot_uniform), or clip the "
            "gradient.",
            changes={"initializer": remedies.usual_start(m), "bias_initializer": "zeros"},
        )


def gain(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D8: a layer that would shrink or stretch any delta that comes back through it, at the start."""
    if m.has_learned(t):
        return
    size = m.last_layer_size(t)
    judged = m.layers[1:] if size else m.layers[1:-1]
    lowest = {each.number: t.gain_low * (size if each.is_output else 1.0) for each in judged}
    off = [each for each in judged if not lowest[each.number] <= each.gain <= t.gain_high]
    off = [each for each in off if not math.isnan(each.gain)]
    if not off or (m.steps_trained and m.remaining < t.trivial):
        return  # training changes gains for its own reasons; once it works they are no fault
    worst = max(off, key=lambda each: abs(math.log(max(each.gain, 1e-300))))
    small = worst.gain < t.gain_low
    before = m.layers[worst.number - 2]
    remedy, changes = remedies.for_units(m, t, remedies.usual_start(m))
    slope = float(np.sqrt(np.square(before.slope).mean()))
    yield Finding(
        id="D8",
        name="layer gain off 1",
        severity="warning",
        layer=worst.number,
        value=worst.gain,
        threshold=t.gain_low if small else t.gain_high,
        n=m.n,
        equation="BP2: delta = (W_next^T delta_next) * f'(z)",
        factors={"slope": slope},
        explains=m.share(sum(float(each.actual.sum()) for each in m.layers[: worst.number - 1]))
        if not small
        else m.share(
            sum(float(each.actual.sum()) for each in m.layers[: worst.number - 1])
            * (max(worst.gain, 1e-12) ** -2 - 1)
        ),
        what=f"Layer {worst.number} {'shrinks' if small else 'stretches'} whatever comes back through it: "
        f"its gain is {number(worst.gain)}"
        + ("." if len(off) == 1 else f", and {_more_layers(len(off) - 1)} off too."),
        how="That is the root of mean ||W diag f'||^2 over its widths, 1 for a start after Glorot and "
        f"Bengio with slopes of 1; the slopes of layer {before.number} are {number(slope)} of the largest.",
        remedy=remedy,
        changes=changes,
        source="Glorot and Bengio 2010 (16); SageMaker Debugger, PoorWeightInitialization",
    )
