"""Predictor: from rows to what a model says of them, some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop, engines
from clearprop.estimators import inputs
from clearprop.model.model import Model
from clearprop.traceable import refuse_members

Array = NDArray[Any]

_ROWS = 4096  # rows passed through together: bounds the memory of the hidden activations


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model, asked.

    Parameters
    ----------
    model : Model
    n_threads : int, optional
        As in the estimators.
    """

    model: Model
    n_threads: int | None = None

    def logits(self, X: Any) -> Array:
        """Return z of the last layer, shape (n_samples, n_outputs).

        Parameters
        ----------
        X : ndarray or SciPy CSR matrix of shape (n_samples, n_features)
            Finite; the model's steps are applied here.
        """
        blocks = list(self._logits_by_block(X))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def decoded_sparse(self, X: Any) -> Any:
        """Return the answers of sparse indicators, for X as in `logits`, block after block."""
        from scipy.sparse import vstack

        output, targets = self.model.architecture.output, self.model.targets
        answers: list[Any] = [targets.decode(output(z)) for z in self._logits_by_block(X)]
        return vstack(answers, format="csr")

    def outputs(self, X: Any) -> Array:
        """Return the activations of the last layer, for X as in `logits`."""
        return self.model.architecture.output(self.logits(X))

    def _logits_by_block(self, X: Any) -> Iterator[Array]:
        model, n, at_once = self.model, X.shape[0], _ROWS
        if hasattr(X, "tocsr"):
            at_once = max(1, min(_ROWS, inputs.DENSE_BYTES // (8 * model.architecture.n_features)))
        for first in range(0, n, at_once):
            rows = X if n <= at_once else X[first : first + at_once]
            yield self._pass(inputs.as_rows(rows, model.dtype, model.inputs)[:])

    def _pass(self, a: Array) -> Array:
        with np.errstate(all="ignore"):
            return engines.logits(self.model.architecture, self.model.parameters, a, self.n_threads)

    def hidden(self, X: Any, layer: int) -> Array:
        """Return the activations of a hidden layer, shape (n_samples, n_neurons), for X as in `logits`.

        Raises
        ------
        ValueError
            If there is no such layer; they count from 1, -1 is the last one.
        """
        model = self.model
        refuse_members("transform", model.parameters)
        n_hidden = len(model.architecture.layers) - 1
        number = layer + n_hidden + 1 if layer < 0 else layer
        if not 1 <= number <= n_hidden:
            raise ValueError(
                f"layer must be a hidden layer, from 1 to {n_hidden} or from -{n_hidden} to -1, "
                f"got {layer}"
            )
        rows = inputs.as_rows(X, model.dtype, model.inputs)
        # In float64: what a row becomes is not to depend on the rows beside it, by float32's rounding.
        wide = rows[:].astype(np.float64)
        return (
            backprop.forward(model.architecture, model.parameters, wide).a[number].astype(model.dtype)
        )

    def input_gradient(self, X: Any) -> Array:
        """Return the derivative of every output by every number of X, for X as in `logits`.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs, n_features)

        Raises
        ------
        ValueError
            If members have a softmax for each of several groups of outputs.
        """
        if (n := self.model.n_members) > 1:
            if self.model.architecture.cost.groups:
                refuse_members("an input gradient of several columns", self.model.parameters)
            each = [Predictor(self.model.member(k)).input_gradient(X) for k in range(n)]
            mean: Array = np.mean(each, axis=0)
            return mean
        model, made = self.model, self.model.architecture
        raw = inputs.as_rows(X, model.dtype)
        passed = backprop.forward(made, model.parameters, model.inputs(raw))
        zs = passed.z
        weights, functions = made.views(model.parameters)[0], made.functions(model.parameters)
        slopes = np.empty((len(raw), made.sizes[-1], raw.shape[1]), model.dtype)
        for output in range(slopes.shape[1]):
            error = np.zeros_like(zs[-1])
            error[:, output] = 1.0
            delta = made.output.backward(zs[-1], error)
            for z, function, W in reversed(list(zip(zs, functions, weights[1:], strict=False))):
                delta = function.backward(z, delta @ W)
            slopes[:, output] = backprop.input_error(made, model.parameters, passed, delta)
        slopes *= model.inputs.slope(raw)[:, None, :]
        return slopes
