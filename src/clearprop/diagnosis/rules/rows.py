"""The rule about rows of X and Y that may not belong together (D21)."""

# ruff: noqa: E501 - a sentence of prose is not cut

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import Measurements
from clearprop.diagnosis.rules.words import named, number, percent
from clearprop.diagnosis.thresholds import Thresholds


def suspects_strangers(m: Measurements, t: Thresholds) -> bool:
    """Return whether the cost calls for a test of X and Y: it is that of a guess, while weights move."""
    guess = m.output.constant_cost
    if not m.steps_trained or m.n < t.strangers_rows or not guess > 0 or m.nonfinite is not None:
        return False
    if _hardly_moves(m, t):
        return False
    wait, validation = int(t.strangers_epochs), m.run.validation_cost
    if len(validation) >= wait:
        return min(validation) > t.trivial * guess
    if not m.run.cost:
        return m.remaining > t.trivial
    # Later it may fall, by heart.
    return _epochs_at_guess(m, t) >= wait and not m.has_learned(t)


def _epochs_at_guess(m: Measurements, t: Thresholds) -> int:
    return sum(cost > t.trivial * m.output.constant_cost for cost in m.run.cost)


def _hardly_moves(m: Measurements, t: Thresholds) -> bool:
    moves = [] if m.step is None else [each for each in m.step.update if not np.isnan(each)]
    return bool(moves) and max(moves) < t.update_low_warning


def strangers(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D21: nothing in X says anything about Y, and the network finds nothing."""
    found = m.association
    if not suspects_strangers(m, t) or not found.score < t.association:
        return
    moved = ""
    if found.shifted_score > t.associated:
        row = "the row before" if found.shift < 0 else "the row after"
        moved = f" With the Y of {row} it is {number(found.shifted_score)}."
    yield Finding(
        id="D21",
        name="rows that may not belong together",
        severity="warning",
        value=found.score,
        threshold=t.association,
        n=m.n,
        explains=1.0,
        what=f"Do the rows of X and Y belong together? The network moves, but {_stays(m, t)}.",
        how=f"X goes with Y no better than with the rows of Y in any order: {number(found.score)} standard "
        f"deviations above chance, where {number(t.association)} would be a sign.{moved}",
        remedy="Check what may have parted them: the order of the rows, a join, a sort of one of them, an "
        "off-by-one in time. If all is right, these features say nothing about the target.",
        source="Gretton et al. 2008, A kernel statistical test of independence",
    )


def _stays(m: Measurements, t: Thresholds) -> str:
    classes = m.output.probabilities
    guess = "the mean" if m.output.squares else "a constant"
    guessing = f"that of guessing {'the class shares' if classes else guess}"
    validation, epochs = m.run.validation_cost, named(len(m.run.cost), "epoch")
    if len(validation) >= t.strangers_epochs:
        best = percent(min(validation) / m.output.constant_cost)
        return f"its validation cost stays at {guessing}: {best} of it at best, in {epochs}"
    if m.run.cost:
        return f"its cost stays at {guessing} for {_epochs_at_guess(m, t):,} of {epochs}"
    return f"its cost is {guessing}: {percent(m.remaining)} of it"
