"""The methods that the classifier and the regressor have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.data.table import TableStream
from clearprop.estimators import presets
from clearprop.estimators.callback_bridge import CallbackSupportMixin, with_callbacks
from clearprop.estimators.fitting import Fitting
from clearprop.network import Network

if TYPE_CHECKING:
    from clearprop.estimators.rate_finder import LearningRates

Array = NDArray[Any]


class BaseMLP(CallbackSupportMixin, Fitting):
    """Everything but what y is."""

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Train the network on X and y.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
            NumPy, SciPy sparse, pandas, polars or pyarrow. Column names are kept, and checked in
            every later call. Or what `clearprop.data.stream` returns, alone, for a table that is larger
            than memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            At least 0. A weight of 0 leaves a row out.
        X_val, y_val : array-like, optional
            Validation data of your own, for ``history_`` and early stopping; otherwise early stopping
            sets `validation_fraction` of X aside.
        groups : array-like of shape (n_samples,), optional
            Rows of one group are set aside together: those groups whose rows come nearest to
            `validation_fraction` of all.

        Returns
        -------
        self

        Raises
        ------
        DivergenceError
            If the cost leaves the finite numbers, at that step; with early stopping too.
        ValueError, TypeError
            Naming the argument, its rule and the value.
        """
        if isinstance(X, TableStream):
            return self._fit_stream(X, y, sample_weight, X_val, y_val, groups)
        return self._fit(X, y, sample_weight, (X_val, y_val), groups, incremental=False)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        return self._fit(X, y, sample_weight, (None, None), None, incremental=True)

    @property
    def _n_features_out(self) -> int:
        return self.network_.sizes[-2]

    @property
    def coefs_(self) -> list[Array]:
        """Weights in scikit-learn's layout, (n_in, n_out): writable views of those of `network_`."""
        return [W.T for W in self._fitted_network("coefs_").weights]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of every layer: writable views of those of `network_`."""
        return [b for b in self._fitted_network("intercepts_").biases if b is not None]

    def _fitted_network(self, wanted: str) -> Network:
        if "network_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {wanted} before it is fitted")
        return self.network_

    def find_learning_rate(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        smallest: float = 1e-6,
        largest: float = 10.0,
        steps: int = 100,
    ) -> LearningRates:
        """Return the losses under a learning rate that grows with every step (Smith 2017).

        The estimator is not changed; its network is initialised and trained as `fit` would.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        smallest, largest : float
            The first and the last rate.
        steps : int
            In between them, evenly in their logarithm.

        Returns
        -------
        LearningRates
            With ``suggestion``, ``rates``, ``losses`` and ``plot()``.
        """
        from clearprop.estimators import rate_finder

        return rate_finder.find(self, X, y, sample_weight, smallest, largest, steps)

    def to_sklearn(self) -> Any:
        """Return a fitted estimator of scikit-learn's own with the same weights and predictions.

        Raises
        ------
        ValueError
            If it has no such activation, loss or preprocessing.
        """
        from clearprop.estimators import conversion

        check_is_fitted(self)
        return conversion.to_sklearn(self)

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Self:
        """Return a fitted estimator with the arguments, weights and predictions of scikit-learn's.

        Parameters
        ----------
        estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
            Fitted.
        """
        from clearprop.estimators import conversion

        made: Self = conversion.from_sklearn(cls, estimator)
        return made

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator as a safetensors file: nothing in it can be executed.

        It holds the network, classes, feature names, preprocessing, the arguments and the optimizer's
        state, and no training data. Callbacks and a scorer of your own are left out. `clearprop.load`
        reads the network in it.

        Parameters
        ----------
        path : path
        """
        from clearprop.estimators import files

        check_is_fitted(self)
        files.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], custom: Iterable[Activation | Cost] = ()) -> Self:
        """Return the estimator that `save` wrote.

        Parameters
        ----------
        path : path
        custom : iterable of Activation and Cost
            Your own, if the network uses any.

        Raises
        ------
        CheckpointError (a ValueError)
            If the file is damaged, or holds another estimator or none.
        """
        from clearprop.estimators import files

        made: Self = files.load(cls, path, custom)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        explicit = presets.given(self)
        preprocessing = presets.argument(self, self._kind, "preprocessing", explicit)
        dtype = presets.argument(self, self._kind, "dtype", explicit)
        tags.input_tags.sparse = preprocessing != "robust"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"] if dtype == "auto" else [dtype]
        return tags
