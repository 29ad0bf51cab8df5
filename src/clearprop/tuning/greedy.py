"""An ensemble of networks that were trained already: greedy selection with replacement.

Caruana, Niculescu-Mizil, Crew and Ksikes (2004), Ensemble selection from libraries of models, ICML,
section 2: begin with nothing; in every round add the model that makes the mean of all added the best on
validation rows; a model may be added again, and so counts for more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ROUNDS = 50  # as RealMLP's authors choose
MOST = 8  # different models: each is fitted again, and predicts


def select(
    outputs: Sequence[Array], loss: Callable[[Array], float], rounds: int = ROUNDS, most: int = MOST
) -> NDArray[np.float64]:
    """Return the weight of every model in the ensemble, not negative and of sum 1.

    Parameters
    ----------
    outputs : sequence of ndarray
        What each model makes of the validation rows: at least one.
    loss : callable
        Of such outputs, to be made small.
    rounds : int
        How often a model is added; of all rounds, the first that was best counts.
    most : int
        Different models.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0])
    >>> select([y + 1, y - 1, y + 5], lambda a: float(np.mean((a - y) ** 2)))
    array([0.5, 0.5, 0. ])
    """
    counts = np.zeros(len(outputs), np.int64)
    total = np.zeros_like(outputs[0], np.float64)
    best, weights = np.inf, counts
    for size in range(1, rounds + 1):
        is_full = np.count_nonzero(counts) >= most
        allowed = np.flatnonzero(counts).tolist() if is_full else list(range(len(outputs)))
        losses = [loss((total + outputs[i]) / size) for i in allowed]
        chosen = allowed[int(np.argmin(losses))]
        counts[chosen] += 1
        total += outputs[chosen]
        if min(losses) < best:
            best, weights = min(losses), counts.copy()
    return weights / weights.sum()
