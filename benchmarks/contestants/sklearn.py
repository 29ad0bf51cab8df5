"""scikit-learn: its own estimators, epoch by epoch through partial_fit, from the given weights.

Two private names are used, since there is no public way to the same work: ``_init_coef``, to start
from given weights, and ``_optimizer``, for an Adam whose epsilon means what everyone else's does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer
from workloads import Rows, Workload

HIDDEN = {"sigmoid": "logistic", "relu": "relu", "tanh": "tanh", "scaled_tanh": "tanh", "selu": "relu"}


class _Given:
    """Starts from given weights instead of drawing them."""

    given: list[tuple[Any, Any]]

    def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[Any, Any]:
        W, b = self.given.pop(0)
        return np.array(W.T, dtype, order="C"), b.astype(dtype)


class Adam(AdamOptimizer):
    """Kingma and Ba's Adam: scikit-learn adds epsilon to a root that still lacks 1 / (1 - beta2**t)."""

    def _get_updates(self, grads: Any) -> Any:
        self.epsilon = 1e-8 * (1 - self.beta_2 ** (self.t + 1)) ** 0.5
        return super()._get_updates(grads)


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
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,  # the rows come shuffled
            n_iter_no_change=10**9,
        )
        self.model.given = list(zip(weights, biases, strict=True))
        if work.optimizer == "adam":
            shaped = [*(W.T for W in weights), *biases]
            self.model._optimizer = Adam(shaped, learning_rate_init=work.rate)
        if regression:
            self.y = rows.Y[:, 0] if work.sizes[-1] == 1 else rows.Y
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
        self.model.solver, self.model.learning_rate_init = "sgd", 1e-30
        self.model.__dict__.pop("_optimizer", None)
        self._fit(rows.X[: self.work.batch], self.y[: self.work.batch])

    def _fit(self, X: Any, y: Any) -> None:
        if self.classes is None:
            self.model.partial_fit(X, y)
        else:
            self.model.partial_fit(X, y, classes=self.classes)

    def epochs(self, orders: Any) -> None:
        for order in orders:
            self._fit(self.rows.X[order], self.y[order])

    def parameters(self) -> tuple[Any, Any]:
        return [W.T for W in self.model.coefs_], self.model.intercepts_

    def predict(self, X: Any) -> Any:
        if self.classes is None:
            return self.model.predict(X)[:, None]
        return self.model.predict_proba(X)
