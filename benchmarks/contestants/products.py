"""The matrix products of a workload and nothing else: what no NumPy program can be faster than."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import BLOCK, Rows, Workload


class Contestant:
    nearest: str | None = "no training"
    notes = "forward and backward products alone, results preallocated"

    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        self.work, self.X, self.weights = work, rows.X, weights
        m = min(work.batch, len(self.X)) if work.kind != "predict" else BLOCK
        rng = np.random.default_rng(2)
        self.a: list[Any] = [rng.standard_normal((m, n)).astype(work.dtype) for n in work.sizes]
        self.delta = [rng.standard_normal((m, n)).astype(work.dtype) for n in work.sizes[1:]]
        self.z = [np.empty((m, n), work.dtype) for n in work.sizes[1:]]
        self.back = [np.empty((m, n), work.dtype) for n in work.sizes]
        self.dW = [np.empty_like(W) for W in weights]

    def _forward(self, X: Any) -> None:
        k, a = len(X), [X, *self.a[1:]]
        for i, W in enumerate(self.weights):
            np.dot(a[i][:k], W.T, out=self.z[i][:k])

    def epochs(self, orders: Any) -> None:
        for _ in orders:
            self._epoch()

    def _epoch(self) -> None:
        for first in range(0, len(self.X), self.work.batch):
            X = self.X[first : first + self.work.batch]
            k, a = len(X), [X, *self.a[1:]]
            self._forward(X)
            for i in range(len(self.weights) - 1, -1, -1):
                delta = self.delta[i][:k]
                np.dot(delta.T, a[i][:k], out=self.dW[i])
                if i:
                    np.dot(delta, self.weights[i], out=self.back[i][:k])

    def parameters(self) -> tuple[Any, Any]:
        return self.weights, [np.zeros(len(W), W.dtype) for W in self.weights]

    def predict(self, X: Any) -> Any:
        for first in range(0, len(X), BLOCK):
            self._forward(X[first : first + BLOCK])
        return self.z[-1][: len(X)]
