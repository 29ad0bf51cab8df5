"""The rules D1 to D21: pure functions from numbers to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.rules import data, layers, rows, runs, steps, units
from clearprop.diagnosis.thresholds import Thresholds

Rule = Callable[[Measurements, Thresholds], Iterator[Finding]]

RULES: dict[str, Rule] = {
    "D1": layers.nonfinite,
    "D2": units.saturated,
    "D3": units.stuck,
    "D4": units.low_activation,
    "D5": units.dead,
    "D6": layers.vanishing,
    "D7": layers.exploding,
    "D8": layers.gain,
    "D9": steps.update_ratio,
    "D10": steps.gradient_noise,
    "D11": runs.plateau,  # and D12, its cause
    "D13": runs.oscillation,
    "D14": runs.divergence,
    "D15": runs.bad_start,
    "D16": units.identical,
    "D17": data.unreachable,
    "D18": data.cost_and_output,
    "D19": data.input_scale,
    "D20": runs.overfitting,
    "D21": rows.strangers,
}


@np.errstate(all="ignore")  # finite numbers may still have squares that are not
def apply(m: Measurements, limits: Thresholds) -> list[Finding]:
    """Return what every rule finds; where a number is not finite, that alone."""
    first = list(layers.nonfinite(m, limits))
    if first:
        return first
    return [finding for rule in RULES.values() for finding in rule(m, limits)]
