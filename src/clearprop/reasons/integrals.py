"""Integrated gradients: what each input contributes to the difference of two answers.

Along the straight line from a baseline b to a row x, the contribution of input j is

    (x_j - b_j) * integral over t from 0 to 1 of dF/dx_j (b + t (x - b))

and all of them add up to F(x) - F(b): "completeness" (Sundararajan, Taly and Yan, "Axiomatic
attribution for deep networks", 2017). Expected gradients are the mean over several baselines (Erion et
al. 2021). The line is cut into steps of equal length. Those of `lines` leave nothing of the difference
over, so that completeness alone would call any number of steps enough; what tells is how much half as
many would change. The error of n steps falls as n^-2, so that a third of the change from n / 2 to n is
what n steps still lack; it is added, and is the error that is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearprop.reasons.lines import Explained

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

RELATIVE = 1e-3  # of what is explained: the most that may be wrong with a contribution, or missing
OF_SPREAD = 1e-6  # of the answers' spread: so much may always
MOST_STEPS = 4096
_FIRST_STEPS, _FIRST_OF_SEVERAL = 8, 2  # the errors to several baselines have a mean, which is small
_AT_ONCE = 2048  # points that are passed through together
_ROUNDING = 1e-13  # of answers in float64


@dataclass(frozen=True, eq=False)
class Contributions:
    """What the inputs of rows contribute to their answers.

    Parameters
    ----------
    parts : ndarray of shape (n_rows, n_inputs)
    answer : ndarray of shape (n_rows,)
        F of the rows.
    baseline : float
        F of the baseline, or its mean over several.
    error : ndarray of shape (n_rows,)
        The most that is wrong with a part, as the steps tell.
    n_steps : ndarray of shape (n_rows,)
        Into which the line to every baseline was cut.
    """

    parts: Floats
    answer: Floats
    baseline: float
    error: Floats
    n_steps: Numbers

    @property
    def lacking(self) -> Floats:
        """What the parts lack of ``answer - baseline``, shape (n_rows,): complete ones nothing."""
        found: Floats = self.answer - self.baseline - self.parts.sum(axis=1)
        return found


def contributions(
    functions: Sequence[Explained],
    rows: Floats,
    baselines: Floats,
    spread: float = 0.0,
    relative: float = RELATIVE,
) -> Contributions:
    """Return what every input of rows contributes, against one baseline or the mean of several.

    Parameters
    ----------
    functions : sequence of Explained
        What is explained, in float64 at last; first as the network computes, which is faster and is
        enough where the difference is no rounding.
    rows : ndarray of shape (n_rows, n_inputs)
    baselines : ndarray of shape (n_baselines, n_inputs)
    spread : float
        Standard deviation of the answers, as far as it is known.
    relative : float
        Of the difference: the most that may be missing. Of it or the largest part: the most that may be
        wrong with one.
    """
    high, low = (_values(functions[-1], each) for each in (rows, baselines))
    parts, error, n = np.zeros(rows.shape), np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    found = Contributions(parts, high, float(low.mean()), error, n)
    difference = np.abs(high - found.baseline)
    least = np.maximum(OF_SPREAD * spread, _ROUNDING * (np.abs(high) + np.abs(low).max()))
    left = np.arange(len(rows))
    n_steps = _FIRST_STEPS if len(baselines) == 1 else _FIRST_OF_SEVERAL
    while len(left) and n_steps <= MOST_STEPS:
        asked = left
        for function in functions:
            if len(asked):
                parts[asked], error[asked] = _integrated(function, rows[asked], baselines, n_steps)
            enough = np.maximum(relative * difference, least)
            asked = asked[(np.abs(found.lacking) > enough)[asked]]
        n[left] = n_steps
        largest = np.maximum(difference, np.abs(parts).max(axis=1))
        left = left[(error > np.maximum(relative * largest, least))[left]]
        n_steps *= 2
    return found


def _integrated(
    function: Explained, rows: Floats, baselines: Floats, n_steps: int
) -> tuple[Floats, Floats]:
    """Return the contributions by so many steps, and the most that is wrong with one, of every row."""
    t = (np.arange(n_steps + 1) / n_steps)[:, None]
    parts, error = np.empty(rows.shape), np.empty(len(rows))
    n_bases = len(baselines)
    at_once = max(1, _AT_ONCE // (n_bases * (n_steps + 1)))
    for first in range(0, len(rows), at_once):
        block = slice(first, first + at_once)
        ways = (rows[block, None] - baselines).reshape(-1, 1, rows.shape[1])
        starts = np.tile(baselines, (len(ways) // n_bases, 1))[:, None]
        fine, coarse = (
            each.reshape(-1, n_bases, rows.shape[1]).mean(axis=1)
            for each in function.contributions(starts + t * ways, (1, 2))
        )
        lacking = (fine - coarse) / 3.0
        parts[block], error[block] = fine + lacking, np.abs(lacking).max(axis=1)
    return parts, error


def _values(function: Explained, inputs: Floats) -> Floats:
    blocks = range(0, len(inputs), _AT_ONCE)
    return np.concatenate([function.value(inputs[first : first + _AT_ONCE]) for first in blocks])
