"""Each layer of a pass in few numbers: what a page draws, bounded whatever the size of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.diagnosis.quantities import Pass

MOST_LAYERS = 24  # that are shown: of more, the first and the last ones
MOST_VALUES = 20_000  # of a quantity that are looked at, spread evenly over all
BINS = 24
_TAIL = 0.5  # per cent of the values at either end that the outermost bins take in
_WIDEST = 1e307  # an axis: its length has to be finite
_QUANTILES = (5, 50, 95)


def rounded(value: float, digits: int = 6) -> float | None:
    """Return a number with so many significant digits; None, as JSON has it, where it is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def shown_layers(n: int) -> list[int]:
    """Return which of n layers are shown, from 0."""
    if n <= MOST_LAYERS:
        return list(range(n))
    half = MOST_LAYERS // 2
    return [*range(half), *range(n - half, n)]


def layers_of(p: Pass, update: Sequence[float]) -> list[dict[str, Any]]:
    """Return the numbers of the layers that are shown.

    Parameters
    ----------
    p : Pass
    update : sequence of float
        ``||W_after - W|| / ||W||`` of each layer; empty where it is not known.
    """
    gradients = p.architecture.views(p.gradient)[0]
    return [
        {
            "layer": l + 1,
            "function": p.architecture.layers[l].function.name[:40],
            "neurons": p.architecture.layers[l].size,
            "update": rounded(update[l], 3) if len(update) else None,
            "of": {
                "z": spread(p.z[l]),
                "a": spread(p.a[l + 1]),
                "delta": spread(p.delta[l]),
                "gradient": spread(gradients[l]),
            },
        }
        for l in shown_layers(len(p.z))  # noqa: E741
    ]


@np.errstate(all="ignore")
def spread(values: NDArray[Any]) -> dict[str, Any]:
    """Return how values are spread: a histogram, extremes and quantiles, the RMS, how many are finite.

    Examples
    --------
    >>> found = spread(np.array([[0.0, 1.0], [2.0, np.inf]]))
    >>> found["low"], found["high"], found["not_finite"], sum(found["counts"])
    (0.0, 2.0, 1, 3)
    """
    flat = values.reshape(-1)
    flat = flat[:: -(-len(flat) // MOST_VALUES)].astype(np.float64)
    finite = flat[np.isfinite(flat)]
    if not len(finite):
        return {"n": len(flat), "not_finite": len(flat)}
    left, right = np.clip(np.percentile(finite, (_TAIL, 100 - _TAIL)), -_WIDEST, _WIDEST)
    if not right - left > 1e-9 * max(abs(left), abs(right)):  # all alike: one bin in the middle
        reach = max(abs(left), 1e-30)
        left, right = left - reach, right + reach
    counts, _ = np.histogram(np.clip(finite, left, right), BINS, (left, right))
    quantiles = np.percentile(finite, _QUANTILES)
    return {
        "n": len(flat),
        "not_finite": len(flat) - len(finite),
        "from": rounded(left, 4),
        "to": rounded(right, 4),
        "counts": counts.tolist(),
        "low": rounded(finite.min()),
        "high": rounded(finite.max()),
        "quantiles": [rounded(each) for each in quantiles],
        "rms": rounded(math.sqrt(float(np.square(finite).mean()))),
    }
