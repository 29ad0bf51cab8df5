"""Rules about units: saturated, stuck, silent, dead, identical (D2, D3, D4, D5, D16)."""

# ruff: noqa: E501 - a sentence of prose is not cut

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clearprop.diagnosis.activation_range import Kind
from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.quantities import LayerNumbers
from clearprop.diagnosis.rules import remedies
from clearprop.diagnosis.rules.words import graded, named, number, of, percent
from clearprop.diagnosis.thresholds import Thresholds

_BP4 = "BP4: dC/dW = delta a_previous^T"
_S2 = "S2 on BP4: a weight learns slowly when its input neuron has low activation"
_SAID = 5  # units or features that a sentence names


def saturated(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D2: hidden units whose slope is flat on (almost) every example, while there is error left."""
    if m.has_learned(t):
        return
    for layer in m.layers:
        if layer.is_output or not (layer.range.kind == Kind.both_ends).any():
            continue
        mine = layer.range.kind == Kind.both_ends
        flat = mine & (layer.low >= t.saturated_share)
        share, cells = float(flat.mean()), float(layer.low[mine].mean())
        by_units = graded(share, t.saturated_warning, t.saturated_error)
        by_cells = graded(cells, t.saturated_cells_warning, t.saturated_cells_error)
        severity = "error" if "error" in (by_units, by_cells) else by_units or by_cells
        if severity is None:
            continue
        meant = flat if by_units else mine & (layer.low >= t.saturated_cells_warning)
        limit = t.saturated_warning if by_units else t.saturated_cells_warning
        remedy, changes = remedies.for_units(m, t, "glorot_uniform")
        nearly = f"{percent(float(layer.low[flat].min()))}" if by_units else percent(cells)
        yield Finding(
            id="D2",
            name="saturated units",
            severity=severity,
            layer=layer.number,
            units=_positions(meant),
            value=share if by_units else cells,
            threshold=limit,
            n=m.n,
            evidence=layer.worst,
            equation="BP2: delta = (W_next^T delta_next) * f'(z)",
            factors=_factors(layer, meant),
            explains=_missing(m, layer, meant),
            what=f"Layer {layer.number}: {of(meant.sum(), layer.n_out, layer.function + ' unit')} "
            f"{'is' if meant.sum() == 1 else 'are'} saturated on {nearly} of {m.n:,} examples.",
            how=f"f'(z) is below {percent(t.low_slope)} of its largest value there (median |z| "
            f"{number(layer.z_median)}), so in BP2 the error arrives and hardly passes: what is left of "
            f"the slope is {number(_rms(layer.slope[meant]))} of what it could be.",
            remedy=remedy,
            changes=changes,
            source="Glorot and Bengio 2010; SageMaker Debugger, SaturatedActivation",
        )


def stuck(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D3: outputs that are flat and wrong, where the cost leaves f' in delta."""
    share = float(m.output.stuck.mean())
    severity = graded(share, t.stuck_warning, t.stuck_error)
    if severity is None or m.output.unreachable.any():
        return  # where targets cannot be reached, outputs are flat for that reason: D17
    layer, meant = m.layers[-1], m.output.stuck > t.stuck_warning
    cure = (
        "cross_entropy, where f' cancels: delta = a - y"
        if m.output.probabilities
        else "identity outputs, whose slope is 1"
    )
    changes: dict[str, object] = {"initializer": "glorot_uniform", "bias_initializer": "zeros"}
    if m.output.probabilities:
        changes["cost"] = "cross_entropy"
    else:
        changes["output"] = "identity"
    yield Finding(
        id="D3",
        name="stuck outputs",
        severity=severity,
        layer=layer.number,
        units=_positions(meant),
        value=share,
        threshold=t.stuck_warning,
        n=m.n,
        evidence=m.output.stuck_rows,
        equation="BP1: delta = dC/da * f'(z)",
        factors=_factors(layer, meant),
        explains=_missing(m, layer, meant),
        what=f"Layer {layer.number}: {of(meant.sum(), layer.n_out, 'output')} "
        f"{'is' if meant.sum() == 1 else 'are'} saturated and wrong, {percent(share)} of all outputs on "
        f"{m.n:,} examples.",
        how=f"There f'(z) is below {percent(t.low_slope)} of its largest value while |a - y| is above "
        f"{number(t.wrong_by * (m.output.high - m.output.low))}. In BP1 the error is there, the slope is "
        f"not, and with {m.output.cost_name} both are factors of delta.",
        remedy=f"Try {cure}; and start again with smaller weights and biases zero.",
        changes=changes,
        source="S2, BP1 and its discussion of saturated outputs",
    )


def low_activation(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D4: units that hand on next to nothing, so that every weight behind them learns slowly."""
    silent = np.flatnonzero(m.inputs.rms == 0)
    if len(silent):
        yield Finding(
            id="D4",
            name="silent features",
            severity="info",
            layer=0,
            units=tuple(int(j) for j in silent),
            value=float(len(silent)),
            threshold=0.0,
            n=m.n,
            equation=_BP4,
            what=f"{of(len(silent), len(m.inputs.rms), 'feature')} {'is' if len(silent) == 1 else 'are'} "
            f"0 in all {m.n:,} examples.",
            how="In BP4 their weights have the factor a = 0: they keep their initial values.",
            remedy="Nothing has to be done; leave them out to save time.",
            source=_S2,
        )
    if m.has_learned(t):
        return
    yield from _low_inputs(m, t)
    for layer, after in zip(m.layers, m.layers[1:], strict=False):
        usual = _rms(layer.activation)
        # Units that are hardly ever active are D5's: when they are, they hand on what others do.
        active = (layer.range.kind < Kind.below) | (layer.low < t.saturated_share)
        low = (layer.activation <= t.low_activation * usual) & active
        share = float(low.mean())
        if not low.any() or usual == 0:
            continue
        many = share >= t.low_activation_warning  # a layer does without one of many
        ratio = _rms(layer.activation[low]) / _rms(layer.activation[~low])
        lost = float((after.usual_input - after.listened[low]).clip(min=0).sum())
        yield Finding(
            id="D4",
            name="low activations",
            severity="warning" if many else "info",
            layer=layer.number,
            units=_positions(low),
            value=share,
            threshold=t.low_activation_warning,
            n=m.n,
            equation=_BP4,
            factors={"activation": ratio},
            explains=m.share(lost),
            what=f"Layer {layer.number}: {of(low.sum(), layer.n_out, 'unit')} "
            f"{'hands' if low.sum() == 1 else 'hand'} on next to nothing: {_named(low, 'unit')}.",
            how=_how_slow(ratio, int(low.sum()), m.n),
            remedy="Start again with weights of one size for all units (glorot_uniform)."
            if many
            else "Nothing has to be done where the others are enough.",
            changes={"initializer": "glorot_uniform", "bias_initializer": "zeros"} if many else {},
            source=_S2,
        )


def _low_inputs(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D4, of layer 0: features far smaller than the others where they are not 0.

    What is mostly 0 (a pixel, a category of many) is small because it is rare, and what does not vary is
    a bias: neither is meant. Whether the network would learn from a feature if it were larger can be
    seen now: as the correlation with a delta of layer 1, in which its size cancels.
    """
    inputs, first = m.inputs, m.layers[0]
    size = inputs.rms / np.sqrt(np.maximum(inputs.active, 1.0 / m.n))  # RMS where it is not 0
    others = (size > 0) & (inputs.rms <= t.input_high)  # those that are large are D19's
    usual = _rms(size[others])
    varies = inputs.deviation > 1e-6 * inputs.rms
    low = (size <= t.low_input * usual) & varies & (inputs.active >= t.low_input_active)
    if not low.any():
        return
    wanted = low & (inputs.wanted > t.low_input_wanted / math.sqrt(m.n))
    several, ratio = low.sum() > 1, _rms(size[low]) / _rms(size[others & ~low])
    lost = float((first.usual_input - first.listened[wanted]).clip(min=0).sum())
    yield Finding(
        id="D4",
        name="low activations",
        severity="warning" if wanted.any() else "info",
        layer=0,
        units=_positions(low),
        value=_rms(size[low]) / usual,
        threshold=t.low_input,
        n=m.n,
        equation=_BP4,
        factors={"activation": ratio},
        explains=m.share(lost),
        what=f"{of(low.sum(), len(size), 'feature')} {'are' if several else 'is'} far smaller than the "
        f"others: {_named(low, 'feature', m.feature_names)}.",
        how=_how_slow(ratio, int(low.sum()), m.n)
        + (
            ""
            if wanted.any()
            else f" So far nothing is seen that {'they' if several else 'it'} would teach."
        ),
        remedy="Scale every feature to mean 0 and deviation 1 (cp.data.standardize).",
        changes={"scaling": "standard"},
        source=_S2,
    )


def _how_slow(ratio: float, some: int, n: int) -> str:
    """Return what a low activation costs the weights behind it."""
    it, its = ("it is", "its") if some == 1 else ("they are", "their")
    return (
        f"In dC/dw = a_in delta_out {it} a_in, {number(ratio)} of the others' (RMS over {n:,} examples): "
        f"the gradient of {its} weights is that much smaller, and what a step of gradient descent adds to "
        f"z, {number(ratio * ratio)} of the usual."
    )


def _named(units: NDArray[np.bool_], noun: str, names: tuple[str, ...] = ()) -> str:
    """Return which they are: "feature 2 (from 0)", or by their names."""
    which = [names[j] if names else str(j) for j in _positions(units)]
    said = ", ".join(which[:_SAID]) + (f" and {len(which) - _SAID} more" if len(which) > _SAID else "")
    return said if names else f"{noun}{'s' if len(which) > 1 else ''} {said} (from 0)"


def dead(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D5: units whose slope is zero on every example: no gradient will ever move them."""
    if m.has_learned(t):
        return
    for layer in m.layers:
        one_sided = layer.range.kind >= Kind.below
        silent = one_sided & (layer.low >= 1.0)
        share = float(silent.mean())
        severity = graded(share, t.dead_warning, t.dead_error)
        if severity is None:
            continue
        exactly = bool((layer.range.kind[silent] == Kind.dead_below).all())
        leaky = bool((layer.slope[silent] > 0).all())
        remedy, changes = remedies.for_units(m, t, "he_normal")
        word = "dead" if exactly else "inactive"
        if not exactly and leaky and layer.function == "leaky_relu":
            severity = "info"  # what leaks is meant to bring them back
        yield Finding(
            id="D5",
            name=f"{word} units",
            severity=severity,
            layer=layer.number,
            units=_positions(silent),
            value=share,
            threshold=t.dead_warning,
            n=m.n,
            evidence=layer.worst,
            equation="BP2: delta = (W_next^T delta_next) * f'(z)",
            factors=_factors(layer, silent),
            explains=_missing(m, layer, silent),
            what=f"Layer {layer.number}: {of(silent.sum(), layer.n_out, layer.function + ' unit')} "
            f"{'is' if silent.sum() == 1 else 'are'} {word}: not active on any of {m.n:,} examples.",
            how=f"f'(z) is {'0' if exactly else 'nearly 0'} on all of them (so active on fewer than "
            f"{percent(3.0 / m.n)} of all data, by the rule of three), and in BP2 it is a factor of delta: "
            f"{'nothing can move their weights' if exactly else 'their weights hardly move'}.",
            remedy=f"{remedy} Or use leaky_relu.",
            changes=changes,
            source="CS231n; Lu et al. 2019; SageMaker Debugger, DeadRelu",
        )


def identical(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D16: units with equal weights in, bias and weights out: they have equal gradients for ever."""
    # Steps larger than the weights leave only themselves: D9 says so.
    swallowed = m.step is not None and m.steps_trained and max(m.step.update) >= t.update_high_error
    for layer, after in zip(m.layers, m.layers[1:], strict=False):
        if not layer.identical or swallowed:
            continue
        units = sorted(j for group in layer.identical for j in group)
        spare = len(units) - len(layer.identical)
        whole = float(after.listened.sum() + layer.actual.sum())
        twins = float(after.listened[units].sum() + layer.actual[units].sum())
        limit = t.identical_float32
        yield Finding(
            id="D16",
            name="identical units",
            severity="error",
            layer=layer.number,
            units=tuple(units),
            value=float(spare),
            threshold=limit,
            n=m.n,
            equation="BP4: dC/dW = delta a_previous^T, BP2: delta = (W_next^T delta_next) * f'(z)",
            explains=twins / whole if whole > 0 else 0.0,
            what=f"Layer {layer.number}: {of(len(units), layer.n_out, 'unit')} are copies of one another, "
            f"in {named(len(layer.identical), 'group')}.",
            how="Their weights in, their bias and their weights out are equal, so a, f' and the error that "
            "arrives are equal too, and all gradients: without dropout they will stay one unit.",
            remedy="Start again from random weights (glorot_uniform).",
            changes={"initializer": "glorot_uniform", "bias_initializer": "zeros"},
            source="S1 on symmetry breaking; CS231n",
        )


def _positions(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(j) for j in np.flatnonzero(mask))


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(values).mean())) if len(values) else float("nan")


def _factors(layer: LayerNumbers, units: NDArray[np.bool_]) -> dict[str, float]:
    """Return slope and error of units, beside the largest slope and the layer's error."""
    of_layer = _rms(layer.error)
    return {
        "slope": 1.0 if layer.cancels else _rms(layer.slope[units]),
        "error": _rms(layer.error[units]) / of_layer if of_layer > 0 else float("nan"),
    }


def _missing(m: Measurements, layer: LayerNumbers, units: NDArray[np.bool_]) -> float:
    return m.share(float((layer.possible - layer.actual)[units].sum()))
