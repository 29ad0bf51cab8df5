"""Rules about what is given: targets, cost and outputs, inputs (D17, D18, D19)."""

# ruff: noqa: E501 - a sentence of prose is not cut

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.diagnosis.activation_range import Kind
from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.rules import remedies
from clearprop.diagnosis.rules.words import number, of, percent, times
from clearprop.diagnosis.thresholds import Thresholds


def unreachable(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D17: targets that no output of this activation can be."""
    output = m.output
    share = float(output.unreachable.max()) if output.not_one == 0 else output.not_one
    if share == 0:
        return
    if output.unreachable.any():
        what = (
            f"{percent(share)} of the targets cannot be reached: they lie in {number(output.target_low)} to "
            f"{number(output.target_high)}, {output.name} outputs in {number(output.low)} to "
            f"{number(output.high)}."
        )
        how = "The outputs are driven to the edge, where f' is 0, and the error stays: BP1 gives it no slope."
        remedy = "Use identity outputs, or scale the targets into the range of the outputs."
        changes: dict[str, object] = {"output": "identity", "target_scaling": "standard"}
        if output.squashes and m.optimizer == "SGD":
            remedy += (
                f" Identity outputs have the slope 1 where {output.name} has less: with them, start "
            )
            remedy += "with a learning rate 10 times lower."
            changes["learning_rate_factor"] = 0.1
    else:
        what = f"{percent(share)} of the rows of targets do not sum to 1, softmax outputs always do."
        how = "Each row of softmax outputs is a distribution; targets that are none leave an error for ever."
        remedy = "Divide each row of the targets by its sum, or use sigmoid outputs."
        changes = {"output": "sigmoid"}
    yield Finding(
        id="D17",
        name="unreachable targets",
        severity="error",
        layer=m.layers[-1].number,
        units=tuple(int(j) for j in np.flatnonzero(output.unreachable)),
        value=share,
        threshold=0.0,
        n=m.n,
        evidence=output.unreachable_rows,
        equation="BP1: delta = dC/da * f'(z)",
        what=what,
        how=how,
        remedy=remedy,
        changes=changes,
        source="X33; AutoTrainer",
    )


def cost_and_output(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D18: outputs that go flat, with a cost that leaves their slope in delta."""
    output, layer = m.output, m.layers[-1]
    if not (output.leaves_slope and output.squashes) or m.has_learned(t):
        return
    cure = "cross_entropy" if output.probabilities else None
    yield Finding(
        id="D18",
        name="slope stays in the output's delta",
        severity="info",
        layer=layer.number,
        value=float(np.sqrt(np.square(layer.slope).mean())),
        threshold=1.0,
        n=m.n,
        equation="BP1: delta = dC/da * f'(z)",
        explains=m.share(float((layer.possible - layer.actual).sum())),
        what=f"With the cost {output.cost_name} the slope of the {output.name} outputs stays in their delta.",
        how="In BP1 an output that is sure and wrong has a small f'(z), and so a small delta; here the slopes "
        f"are {number(float(np.sqrt(np.square(layer.slope).mean())))} of the largest (RMS).",
        remedy="Try cross_entropy: with it f' cancels and delta = a - y."
        if cure
        else "Try identity outputs, whose slope is 1.",
        changes={"cost": cure} if cure else {"output": "identity"},
        source="S2, chapter 3: the cross-entropy cost; X20",
    )


class _Scale(NamedTuple):
    """What is wrong with the scale of the inputs: the features that are meant, and why it matters."""

    meant: NDArray[np.bool_]
    value: float
    limit: float
    what: str
    how: str


def input_scale(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D19: features that are large, small, far from 0, or drive the first layer into saturation."""
    if m.has_learned(t):
        return
    inputs, first = m.inputs, m.layers[0]
    whole = float(np.sqrt(np.square(inputs.rms).mean()))
    # Trained weights may be large for other reasons.
    saturating = (
        not m.steps_trained and bool((first.range.kind == Kind.both_ends).all()) and not first.is_output
    )
    steep = saturating and first.z_median > t.input_z
    found = _scale(m, t, whole, steep)
    if found is None:
        return
    listened = first.listened.sum()
    explains = float(first.listened[found.meant].sum() / listened) if listened > 0 else 0.0
    if whole < t.input_low:
        explains = m.share(float(first.actual.sum()) * min(max(whole, 1e-6) ** -2, 1e12))
    also = (
        ", and start with smaller weights."
        if steep and not remedies.large_or_far(m, t)[0].any()
        else "."
    )
    yield Finding(
        id="D19",
        name="scale of the inputs",
        severity="warning",
        layer=0,
        units=tuple(int(j) for j in np.flatnonzero(found.meant)),
        value=found.value,
        threshold=found.limit,
        n=m.n,
        equation="BP4: dC/dW = delta a_previous^T",
        factors={"activation": whole},
        explains=explains,
        what=found.what,
        how=found.how + f" ({m.n:,} examples, as the network sees them.)",
        remedy="Scale every feature to mean 0 and deviation 1 (cp.data.standardize)" + also,
        changes={"scaling": "standard"}
        | ({"initializer": "glorot_uniform", "bias_initializer": "zeros"} if steep else {}),
        source="LeCun et al. 1998, Efficient BackProp; UMLAUT",
    )


def _scale(m: Measurements, t: Thresholds, whole: float, steep: bool) -> _Scale | None:
    """Return the first that holds: large, far from 0, small, steep."""
    inputs, first = m.inputs, m.layers[0]
    large, far = remedies.large_or_far(m, t)
    n_features, varies = len(inputs.rms), inputs.deviation > 0
    factor = "In BP4 the input is a factor of the gradient"
    if large.any():
        value = float(inputs.rms.max())
        what = (
            f"{of(large.sum(), n_features, 'feature')} {_are(large)} large: RMS up to {number(value)}."
        )
        how = f"{factor}: their weights run ahead, the others crawl."
        return _Scale(large, value, t.input_high, what, how)
    if far.any():
        value = float((np.abs(inputs.mean[far]) / inputs.deviation[far]).max())
        limit = t.input_offset if value > t.input_offset else t.input_offset_median
        what = (
            f"{of(far.sum(), n_features, 'feature')} {_are(far)} far from 0 beside what {_they(far)} "
            f"vary: the mean is up to {times(value)} the deviation."
        )
        how = (
            f"{factor}; where it hardly changes its sign and size, all weights of a unit move together."
        )
        return _Scale(far, value, limit, what, how)
    if whole < t.input_low:
        what = f"The inputs are small: RMS {number(whole)} over all features."
        how = f"{factor}: layer 1 learns that much more slowly."
        return _Scale(varies, whole, t.input_low, what, how)
    if steep:
        value = first.z_median
        what = f"The inputs drive layer 1 into saturation: the median of |z| is {number(value)}."
        how = f"{first.function} is flat there, and in BP2 its slope is a factor of delta."
        return _Scale(varies, value, t.input_z, what, how)
    return None


def _are(mask: NDArray[np.bool_]) -> str:
    return "is" if mask.sum() == 1 else "are"


def _they(mask: NDArray[np.bool_]) -> str:
    return "it" if mask.sum() == 1 else "they"
