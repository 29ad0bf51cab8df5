"""Arrays that begin on a cache line, as whole vectors want to: NumPy's begin in the middle of one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LINE = 64  # bytes


def empty(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of a shape, its elements as they come."""
    kind, shape = np.dtype(dtype), shape if isinstance(shape, tuple) else (shape,)
    size = math.prod(map(int, shape)) * kind.itemsize
    whole = np.empty(size + _LINE, np.uint8)
    start = -whole.ctypes.data % _LINE
    return whole[start : start + size].view(kind).reshape(shape)
