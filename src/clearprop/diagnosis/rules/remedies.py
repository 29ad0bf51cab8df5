"""What to try, where the same symptom has several causes: the inputs, the steps, or the start."""

from __future__ import annotations

from typing import Any

import numpy as np

from clearprop.diagnosis.activation_range import Kind
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.rules.words import times
from clearprop.diagnosis.thresholds import Thresholds

MOST_MOMENTUM = 0.95


def large_or_far(m: Measurements, t: Thresholds) -> tuple[Any, Any]:
    """Return which features are large, and which vary little beside how far from 0 they are."""
    inputs = m.inputs
    large = inputs.rms > t.input_high
    varies = (inputs.deviation > 0) & (inputs.rms >= t.input_low)
    offset = np.abs(inputs.mean[varies]) / inputs.deviation[varies]
    # One feature far from 0 can be borne with; where most are, all weights of a unit move together.
    together = len(offset) > 0 and float(np.median(offset)) > t.input_offset_median
    far = np.zeros_like(varies)
    far[varies] = offset > (t.input_offset_median if together else t.input_offset)
    return large, far


def smaller_steps(m: Measurements) -> tuple[str, dict[str, Any]]:
    """Return how to make steps smaller: where momentum is what makes them large, less of it."""
    if m.momentum > MOST_MOMENTUM:
        gathered = 1.0 / (1.0 - m.momentum)
        return (
            f"momentum 0.9 (with {m.momentum:g} a step is up to {gathered:.0f} gradients long)",
            {"momentum": 0.9},
        )
    return "a learning rate 10 times lower", {"learning_rate_factor": 0.1}


def for_units(m: Measurements, t: Thresholds, start: str) -> tuple[str, dict[str, Any]]:
    """Return what to try where units are flat: what made them so is the inputs, the steps or the start.

    `start` is the initializer that suits them.
    """
    again = {"initializer": start, "bias_initializer": "zeros"}
    large, far = large_or_far(m, t)
    if large.any() or far.any():
        return (
            "Scale the inputs to mean 0 and deviation 1 first: they are what drives the units there.",
            {"scaling": "standard"},
        )
    if m.l2 and m.steps_trained and m.gradient.pull >= t.held:
        return (
            "Try a penalty (l2) 1000 times smaller: it is what holds the weights where they are.",
            {"l2_factor": 1e-3},
        )
    weights = "he_normal" if start == "he_normal" else "glorot_uniform"
    if m.steps_trained:
        words, changes = smaller_steps(m)
        return (
            f"Start again ({weights}, biases zero). If the units were alive before the first step "
            f"(diagnose the new network), training has driven them there: try {words}.",
            again | changes,
        )
    return f"Start again with weights of the usual size ({weights}) and biases zero.", again


def large_targets(m: Measurements, t: Thresholds) -> bool:
    """Return whether the targets are so large that their size is the gradient's."""
    return max(abs(m.output.target_low), abs(m.output.target_high)) > t.input_high


_SCALE_TARGETS: tuple[str, dict[str, Any]] = (
    "Scale the targets to mean 0 and deviation 1: with this cost their size is the gradient's.",
    {"target_scaling": "standard"},
)


def for_large_gradients(m: Measurements, t: Thresholds) -> tuple[str, dict[str, Any]]:
    """Return what to try where gradients are large: inputs, targets, steps or the start did it."""
    large, _ = large_or_far(m, t)
    if large.any():
        return "Scale the inputs to mean 0 and deviation 1.", {"scaling": "standard"}
    if large_targets(m, t):
        return _SCALE_TARGETS
    if m.steps_trained:
        words, changes = smaller_steps(m)
        return f"Clip the gradient (clip_norm=1), or try {words}.", {"clip_norm": 1.0} | changes
    again = usual_start(m)
    return (
        f"Start again with weights of the usual size ({again}).",
        {"initializer": again, "bias_initializer": "zeros"},
    )


def for_large_steps(m: Measurements, t: Thresholds, factor: float) -> tuple[str, dict[str, Any]]:
    """Return what to try where steps are large: targets, momentum or the rate make them so."""
    if large_targets(m, t):
        return _SCALE_TARGETS
    if m.momentum > MOST_MOMENTUM:
        words, changes = smaller_steps(m)
        return f"Try {words}.", changes
    return f"Try a learning rate {times(1 / factor)} lower.", {"learning_rate_factor": factor}


def usual_start(m: Measurements) -> str:
    """Return the initializer that suits the hidden layers."""
    one_sided = any((each.range.kind >= Kind.below).any() for each in m.layers[:-1])
    return "he_normal" if one_sided else "glorot_uniform"
