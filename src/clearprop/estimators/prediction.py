"""From X to logits, hidden activations and input gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from clearprop import engines
from clearprop.estimators import inputs
from clearprop.estimators.features import Features
from clearprop.estimators.inputs import Preprocessing
from clearprop.network import Network

Array = NDArray[Any]

_ROWS = 4096  # rows passed through together: bounds the memory of the hidden activations


class Prediction(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Features):
    """What a fitted network says of X."""

    network_: Network
    preprocessing_: Preprocessing | None

    def _logits(self, X: Any) -> Array:
        """Return z of the last layer, shape (n_samples, n_outputs), for raw X."""
        if "network_" not in vars(self):
            check_is_fitted(self)  # which takes longer than a row's prediction
        X = self._read_X(X, reset=False)
        net, then = self.network_, self.preprocessing_
        if not hasattr(X, "tocsr"):
            return self._pass_rows(X, lambda rows: inputs.as_rows(rows, net.dtype, then))
        most = max(1, inputs.DENSE_BYTES // (8 * net.sizes[0]))
        return self._pass_rows(X, lambda rows: inputs.as_rows(rows, net.dtype, then)[:], most)

    def _pass_rows(
        self, X: Any, prepare: Callable[[Any], Array] | None = None, most: int = _ROWS
    ) -> Array:
        """Return z of the last layer of many rows, some thousand at a time."""
        n, at_once = X.shape[0], min(most, _ROWS)
        if n <= at_once:
            return self._pass(X if prepare is None else prepare(X))
        blocks = (X[first : first + at_once] for first in range(0, n, at_once))
        return np.concatenate([self._pass(X if prepare is None else prepare(X)) for X in blocks])

    def _pass(self, a: Array) -> Array:
        net = self.network_
        with np.errstate(all="ignore"):
            return engines.logits(net.architecture, net.parameters, a, self.n_threads)

    def _outputs(self, X: Any) -> Array:
        """Return the activations of the last layer for raw X."""
        z = self._logits(X)
        return self.network_.architecture.output(z)

    def transform(self, X: Any, layer: int = -1) -> Array:
        """Return the activations of a hidden layer, shape (n_samples, n_neurons).

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
        layer : int
            Hidden layers count from 1; -1 is the last one.

        Raises
        ------
        ValueError
            If there is no such hidden layer.
        """
        check_is_fitted(self)
        n_hidden = len(self.network_.layers) - 1
        number = layer + n_hidden + 1 if layer < 0 else layer
        if not 1 <= number <= n_hidden:
            raise ValueError(
                f"layer must be a hidden layer, from 1 to {n_hidden} or from -{n_hidden} to -1, "
                f"got {layer}"
            )
        X = self._read_X(X, reset=False)
        rows = inputs.as_rows(X, self.network_.dtype, self.preprocessing_)
        # In float64: what a row becomes is not to depend on the rows beside it, by float32's rounding.
        return self._hidden(rows[:].astype(np.float64), number).astype(self.network_.dtype)

    def _hidden(self, a: Array, up_to: int) -> Array:
        """Return the activations of hidden layer `up_to`, counted from 1."""
        net = self.network_
        a = _times_scale(net, a)
        with np.errstate(all="ignore"):
            for W, b, layer in list(zip(net.weights, net.biases, net.layers, strict=True))[:up_to]:
                a = layer.function(a @ W.T if b is None else a @ W.T + b)
        return a

    def input_gradient(self, X: Any) -> Array:
        """Return the derivative of every prediction by every raw feature.

        Of ``predict_proba`` for a classifier (of two classes: of the second one's), of ``predict`` for
        a regressor.

        Parameters
        ----------
        X : array-like or sparse matrix

        Returns
        -------
        ndarray of shape (n_samples, n_features), or (n_samples, n_outputs, n_features) with several
        outputs
        """
        check_is_fitted(self)
        raw = inputs.as_rows(self._read_X(X, reset=False), self.network_.dtype, None)
        scaled = raw if self.preprocessing_ is None else self.preprocessing_(raw)
        net = self.network_
        zs, a = [], _times_scale(net, scaled)
        for W, b, each in zip(net.weights, net.biases, net.layers, strict=True):
            zs.append(a @ W.T if b is None else a @ W.T + b)
            a = each.function(zs[-1]) if each.function.elementwise else zs[-1]
        input_scale = net.architecture.scale_view(net.parameters)
        slopes = np.empty((len(raw), net.sizes[-1], raw.shape[1]), net.dtype)
        for output in range(net.sizes[-1]):
            error = np.zeros_like(zs[-1])
            error[:, output] = 1.0
            for z, W, each in reversed(list(zip(zs, net.weights, net.layers, strict=True))):
                error = each.function.backward(z, error) @ W
            slopes[:, output] = error
        if input_scale is not None:
            slopes *= input_scale
        if self.preprocessing_ is not None:
            slopes *= self.preprocessing_.slope(raw)[:, None, :]
        slopes *= self._prediction_slope()[:, None]
        return slopes[:, 0] if slopes.shape[1] == 1 else slopes

    def _prediction_slope(self) -> Array:
        """Return the derivative of every prediction by its output of the network."""
        return np.ones(self.network_.sizes[-1], self.network_.dtype)


def _times_scale(net: Network, a: Array) -> Array:
    scale = net.architecture.scale_view(net.parameters)
    return a if scale is None else a * scale
