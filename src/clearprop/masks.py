"""Masked arrays are refused: NumPy's functions would take what lies under the mask for a value."""

from __future__ import annotations

import sys

import numpy as np


def refuse_masked(values: object, argument: str) -> None:
    """Refuse masked values, also those of an array inside a list or among objects.

    Raises
    ------
    ValueError
    """
    # Where nobody has imported numpy.ma there are no masks, and importing it takes 20 ms.
    if "numpy.ma" in sys.modules and _hides(values):
        raise ValueError(f"{argument} must have no masked values; fill or drop them first")


def _hides(values: object) -> bool:
    if isinstance(values, np.ma.MaskedArray):
        return bool(np.any(np.ma.getmaskarray(values).view(bool)))
    if isinstance(values, np.ndarray) and values.dtype == object:
        values = values.ravel().tolist()
    if not isinstance(values, list | tuple):
        return False
    return any(_hides(each) for each in values if isinstance(each, np.ndarray | list | tuple))
