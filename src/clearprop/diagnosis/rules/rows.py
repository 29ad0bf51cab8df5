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
    """Return whether the cost calls for a test of X and Y: it stays at that of a guess, and weights move."""
    guess, few = m.output.constant_cost, m.n < t.strangers_rows
    if not m.steps_trained or few or not guess > 0 or _hardly_moves(m, t) or m.nonfinite is not None:
        return False
    wait = int(t.strangers_epochs)
    validation = m.run.validation_cost
    if len(validation) >= wait:
        return min(validation) > t.trivial * guess
    if not m.run.cost:
        return m.remaining > t.trivial
    # Later it may fall, by heart.
    at_guess = sum(cost > t.trivial * guess for cost in m.run.cost)
    return at_guess >= wait and not m.has_learned(t)


def _hardly_moves(m: Measurements, t: Thresholds) -> bool:
    moves = [] if m.step is None else [each for each in m.step.update if not np.isnan(each)]
    return bool(moves) and max(moves) < t.update_low_warning


def strangers(m: Measurements, t: Thresholds) -> Iterator[Finding]:
    """D21: nothing in X says anything about Y, and the network finds nothing."""
    found = m.association
    if not suspects_strangers(m, t) or not found.score < t.association:
        return
    classes = m.output.name in ("softmax", "sigmoid")
    guess = (
        "the class shares" if classes else "the mean" if m.output.name == "identity" else "a constant"
    )
    validation, epochs = m.run.validation_cost, named(len(m.run.cost), "epoch")
    if validation:
        left = (
            f"{percent(min(validation) / m.output.constant_cost)} of it are left on the validation data"
        )
    else:
        left = f"{percent(m.remaining)} of it are left"
    after = f" after {epochs}" if m.run.cost else ""
    moved = ""
    if found.shifted_score > t.associated:
        where = "the row before" if found.shift < 0 else "the row after"
        moved = (
            f" With the Y of {where} it is {number(found.shifted_score)}: is one of them off by a row?"
        )
    yield Finding(
        id="D21",
        name="rows that may not belong together",
        severity="warning",
        value=found.score,
        threshold=t.association,
        n=m.n,
        explains=1.0,
        what="Do the rows of X and Y belong together? The network moves, but its cost stays at that of "
        f"guessing {guess}: {left}{after}.",
        how=f"Over {m.n:,} rows X and Y go together as rows in any order do: "
        f"{number(found.score)} standard deviations of chance, by products and by distances of features "
        f"({number(t.association)} would be a sign).{moved}",
        remedy="Check what may have parted them: the order of the rows, a join, a sort of one of them, an "
        "off-by-one in time. If all is right, these features say nothing about the target.",
        source="Gretton et al. 2008, A kernel statistical test of independence",
    )
