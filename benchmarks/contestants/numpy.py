"""Plain NumPy: explicit backpropagation over mini-batches, as a careful user writes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import Rows, Workload, outputs


def _sigmoid(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def _selu(z: Any) -> Any:
    return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))


def _selu_slope(a: Any) -> Any:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return np.where(a > 0, scale, a + scale * alpha)


# each slope from the activation itself
ACTIVATIONS = {
    "sigmoid": (_sigmoid, lambda a: a * (1 - a)),
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "selu": (_selu, _selu_slope),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "scaled_tanh": (
        lambda z: 1.7159 * np.tanh((2 / 3) * z),
        lambda a: (2 / 3) * (1.7159 - a * a / 1.7159),
    ),
}


class Contestant:
    nearest: str | None = None
    notes = ""

    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        self.work, self.rows = work, rows
        self.weights = [W.copy() for W in weights]
        self.biases = [b.copy() for b in biases]
        self.f, self.slope = ACTIVATIONS[work.hidden]
        self.t = 0
        if work.optimizer == "adam":
            self.m = [np.zeros_like(p) for p in (*self.weights, *self.biases)]
            self.v = [np.zeros_like(p) for p in (*self.weights, *self.biases)]

    def epochs(self, orders: Any) -> None:
        for order in orders:
            X, Y = self.rows.X[order], self.rows.Y[order]
            for first in range(0, len(X), self.work.batch):
                self._step(X[first : first + self.work.batch], Y[first : first + self.work.batch])

    def _step(self, X: Any, Y: Any) -> None:
        work, weights, last = self.work, self.weights, len(self.weights) - 1
        activations = [X]
        for i, (W, b) in enumerate(zip(weights, self.biases, strict=True)):
            z = activations[-1] @ W.T
            z += b
            if i < last:
                activations.append(self.f(z))
            elif work.output == "softmax":
                z -= z.max(axis=1, keepdims=True)
                np.exp(z, out=z)
                z /= z.sum(axis=1, keepdims=True)
                activations.append(z)
            else:
                activations.append(_sigmoid(z) if work.output == "sigmoid" else z)
        a = activations[-1]
        delta = a - Y
        if work.cost == "quadratic":
            delta *= a * (1 - a)
        delta *= (2.0 if work.cost == "squared_error" else 1.0) / len(X)
        dW, db = [None] * len(weights), [None] * len(weights)
        for i in range(last, -1, -1):
            dW[i], db[i] = delta.T @ activations[i], delta.sum(axis=0)
            if work.l2:
                dW[i] += work.l2 * weights[i]
            if i:
                delta = delta @ weights[i]
                delta *= self.slope(activations[i])
        self._update([*dW, *db])

    def _update(self, gradients: Any) -> None:
        rate = self.work.rate
        parameters = (*self.weights, *self.biases)
        if self.work.optimizer == "sgd":
            for p, g in zip(parameters, gradients, strict=True):
                g *= rate
                p -= g
            return
        self.t += 1
        c1, c2 = (1 - 0.9**self.t), (1 - 0.999**self.t)
        for p, g, m, v in zip(parameters, gradients, self.m, self.v, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            g *= g
            g *= 0.001
            v += g
            np.divide(v, c2, out=g)
            np.sqrt(g, out=g)
            g += 1e-8
            np.divide(m, g, out=g)
            g *= rate / c1
            p -= g

    def parameters(self) -> tuple[Any, Any]:
        return self.weights, self.biases

    def predict(self, X: Any) -> Any:
        return outputs(self.work, self.weights, self.biases, X)
