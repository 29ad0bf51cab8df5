"""scikit-learn: its own estimators, epoch by epoch through partial_fit, from the given weights.

``_init_coef`` is the one private name used: there is no public way to start from given weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from workloads import Rows, Workload

HIDDEN = {"sigmoid": "logistic", "relu": "relu", "scaled_tanh": "tanh", "selu": "relu"}


class _Given:
    """Starts from given weights instead of drawing them."""

    given: list[tuple[Any, Any]]

    def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[Any, Any]:
        W, b = self.given.pop(0)
        return np.array(W.T, dtype, order="C"), b.astype(dtype)


class Classifier(_Given, MLPClassifier):
    pass


class Regressor(_Given, MLPRegressor):
    pass


class Contestant:
    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        self.work, self.rows = work, rows
        self.nearest, self.notes = self._nearest(), ""
        regression = work.cost == "squared_error"
        self.model = (Regressor if regression else Classifier)(
            hidden_layer_sizes=work.sizes[1:-1],
            activation=HIDDEN[work.hidden],
            solver=work.optimizer,
            alpha=work.l2 * work.batch,  # it divides alpha by the samples of a batch
            batch_size=min(work.batch, len(rows.X)),
            learning_rate_init=work.rate,
            # It adds epsilon to a root that still lacks 1 / sqrt(1 - beta2**t), which is 32 at first:
            # this is the others' 1e-8 in the first step.
            epsilon=1e-8 * (1 - 0.999) ** 0.5,
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,  # the rows come shuffled
            n_iter_no_change=10**9,
        )
        self.model.given = list(zip(weights, biases, strict=True))
        if regression:
            self.y = rows.Y[:, 0]
        else:  # several labels at once is its only way to sigmoid outputs
            self.y = rows.labels if work.output == "softmax" else rows.Y.astype(int)
        self.classes = None if regression else np.arange(10)
        if work.kind == "predict":
            self._start(rows)

    def _nearest(self) -> str | None:
        said = []
        if self.work.hidden in ("scaled_tanh", "selu"):
            said.append(f"{HIDDEN[self.work.hidden]} for {self.work.hidden}")
        if self.work.cost == "quadratic" and self.work.kind != "predict":
            said.append("logistic loss on its sigmoid outputs for the quadratic cost")
        return ", ".join(said) or None

    def _start(self, rows: Rows) -> None:
        """Make it a fitted model that has the given weights still: one step of rate 0."""
        self.model.learning_rate_init = 1e-30
        self._fit(rows.X[: self.work.batch], self.y[: self.work.batch])

    def _fit(self, X: Any, y: Any) -> None:
        if self.classes is None:
            self.model.partial_fit(X, y)
        else:
            self.model.partial_fit(X, y, classes=self.classes)

    def epoch(self, order: Any) -> None:
        self._fit(self.rows.X[order], self.y[order])

    def parameters(self) -> tuple[Any, Any]:
        return [W.T for W in self.model.coefs_], self.model.intercepts_

    def predict(self, X: Any) -> Any:
        if self.classes is None:
            return self.model.predict(X)[:, None]
        return self.model.predict_proba(X)
