"""Several softmaxes side by side: the cost of several columns of labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clearprop.activations import ACTIVATIONS, Array
from clearprop.costs import Cost

_softmax = ACTIVATIONS["softmax"]
NAME = "grouped_cross_entropy"


def _parts(groups: tuple[int, ...], n: int) -> Iterator[slice]:
    first = 0
    for size in groups:
        if first < n:
            yield slice(first, min(first + size, n))
        first += size


class _Value:
    """``sum over groups of -y . ln softmax(z)``; a class, so that it can be pickled."""

    def __init__(self, groups: tuple[int, ...]) -> None:
        self.groups = groups

    def __call__(self, z: Array, y: Array) -> Array:
        total = np.zeros(len(z), z.dtype)
        for part in _parts(self.groups, z.shape[1]):
            top = z[:, part].max(axis=1, keepdims=True)
            log_sum = np.log(np.exp(z[:, part] - top).sum(axis=1, keepdims=True)) + top
            total += (y[:, part] * (log_sum - z[:, part])).sum(axis=1)
        return total


class _Derivative(_Value):
    """dC/dz: softmax times the sum of y, minus y, in every group."""

    def __call__(self, z: Array, y: Array) -> Array:
        found = np.zeros_like(z)
        for part in _parts(self.groups, z.shape[1]):
            found[:, part] = _softmax(z[:, part]) * y[:, part].sum(axis=1, keepdims=True) - y[:, part]
        return found


def grouped_cross_entropy(groups: tuple[int, ...]) -> Cost:
    """Return the sum of a cross-entropy for each group of outputs, of identity outputs z."""
    return Cost(NAME, _Value(groups), _Derivative(groups))


def softmax_groups(z: Array, groups: tuple[int, ...]) -> list[Array]:
    """Return the probabilities of every group, each of shape (n_samples, its classes)."""
    return [_softmax(z[:, part]) for part in _parts(groups, z.shape[1])]
