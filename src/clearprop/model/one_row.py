"""OneRow: what is computed of single rows, prepared while a model's structure and arrays stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import engines
from clearprop.model.model import Model

Array = NDArray[Any]

FEW = 64  # rows at a time that are worth a call of this kind


class OneRow:
    """Calls of compiled code with the addresses of a model's parameters in them.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self._architecture, self._parameters = model.architecture, model.parameters
        self._inputs, self._dtype = model.inputs, np.dtype(model.dtype)
        self._prediction: Any = None
        self._shapes: tuple[tuple[int, ...], ...] = ()  # of rows that `predict` takes
        self._pulls: dict[int, Any] = {}

    @classmethod
    def of(cls, model: Model, known: OneRow | None) -> OneRow:
        """Return `known` if it is the model's as it is now, otherwise a new one."""
        fits = (
            known is not None
            and known._parameters is model.parameters
            and known._architecture is model.architecture
            and known._inputs is model.inputs
        )
        return known if fits else cls(model)  # type: ignore[return-value]

    def prepare(self) -> None:
        """Prepare single predictions, where there is compiled code and no step before layer 1."""
        if self._prediction is None and not self._inputs.steps:
            self._prediction = engines.row_prediction(self._architecture, self._parameters)
            n = self._architecture.n_features
            self._shapes = () if self._prediction is None else ((1, n), (n,))

    def predict(self, model: Model, X: Array) -> Array | None:
        """Return the outputs of one row, shape (1, n_outputs) or (n_outputs,).

        Parameters
        ----------
        model : Model
        X : ndarray

        Returns
        -------
        ndarray or None
            None where it takes another way: what was prepared is not this model's, numbers have to be
            scaled first or are not finite, there is no compiled code, or X is no row of its dtype.
        """
        if (
            X.shape not in self._shapes
            or (
                X.dtype is not self._dtype and X.dtype != self._dtype
            )  # files have objects of their own
            or self._parameters is not model.parameters
            or self._architecture is not model.architecture
            or self._inputs is not model.inputs
        ):
            return None
        found: Array | None = self._prediction(X)  # there are no shapes without it
        return found

    def pull(self, wanted: int, X: Array, Y: Array | None, out: Array) -> float | None:
        """Put what is wanted of few rows into `out`; return the sum of their costs.

        Parameters
        ----------
        wanted : int
            Of `engines.codes`.
        X, Y, out : ndarray
            As `engines.rows.RowPull` takes them.

        Returns
        -------
        float or None
            None where it is for the reference.
        """
        if wanted not in self._pulls:
            self._pulls[wanted] = engines.row_pull(self._architecture, self._parameters, wanted)
        pull = self._pulls[wanted]
        found: float | None = None if pull is None else pull(X, Y, out)
        return found


def is_row(X: object, n_features: int) -> bool:
    """Return whether X is one row without an axis of samples: an array, or a list of numbers."""
    if type(X) is np.ndarray:
        return X.shape == (n_features,)
    return isinstance(X, list | tuple) and len(X) == n_features and all(map(np.isscalar, X))
