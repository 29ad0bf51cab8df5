"""The methods that the classifier and the regressor have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.data.table import ColumnDecision, TableEncoder, TableStream
from clearprop.data.table.values import NUMBER
from clearprop.estimators import presets, reader
from clearprop.estimators.arguments import Arguments
from clearprop.estimators.callback_bridge import CallbackSupportMixin, with_callbacks
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.predictor import Predictor
from clearprop.model.inputs import Inputs
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units
from clearprop.network import Network
from clearprop.reasons import Reasons
from clearprop.reasons.changes import Change
from clearprop.typing import Answers, Label, Samples

if TYPE_CHECKING:
    import onnx
    from sklearn import neural_network
    from torch import nn

    from clearprop.estimators.rate_finder import LearningRates

Array = NDArray[Any]


class BaseMLP(CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, Arguments):
    """Everything but what y is: arguments and attributes; reader, fitter and predictor do the work."""

    @with_callbacks
    def fit(
        self,
        X: Samples | TableStream,
        y: Answers | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Samples | None = None,
        y_val: Answers | None = None,
        groups: ArrayLike | None = None,
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
        if not isinstance(X, TableStream):
            Fitter(self).fit(X, y, sample_weight, (X_val, y_val), groups)
            return self
        if any(each is not None for each in (y, sample_weight, X_val, y_val, groups)):
            raise ValueError(
                "a stream must be the only data given: it has targets and weights of its own"
            )
        Fitter(self).fit_stream(X)
        return self

    # What is asked of a fitted one

    def _predictor(self) -> Predictor:
        if "network_" not in vars(self):
            check_is_fitted(self)  # which takes longer than a row's prediction
        return Predictor(self.network_.model, self.n_threads)

    def _logits(self, X: Samples) -> Array:
        """Return z of the last layer, shape (n_samples, n_outputs), for raw X."""
        return self._predictor().logits(reader.read_X(self, X))

    def transform(self, X: Samples, layer: int = -1) -> Array:
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
        return self._predictor().hidden(reader.read_X(self, X), layer)

    def input_gradient(self, X: Samples) -> Array:
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
        read, predictor = reader.read_X(self, X), self._predictor()
        slopes = predictor.input_gradient(read)
        units = self.network_.model.targets
        if isinstance(units, Classes):
            slopes = units.slopes(predictor.outputs(read), slopes)
        if isinstance(units, Units) and units.factor is not None:
            slopes *= units.factor.astype(slopes.dtype)[:, None]
        return slopes[:, 0] if slopes.shape[1] == 1 else slopes

    def reasons(self, X: Samples, baseline: Samples | None = None, of: Label | None = None) -> Reasons:
        """Return why every row is answered as it is: what each column contributes to the answer.

        Integrated gradients from the baseline to the row (Sundararajan, Taly and Yan 2017), along a
        straight line in what the network sees, by the backward pass. The parts of a row add up to its
        answer less the baseline's; the line is cut into steps until what is wrong with a part is below
        a thousandth of that difference, or of the largest part.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        baseline : array-like or data frame, optional
            A row, or rows of the training, of which 64 are taken, always the same: the mean over them
            is explained then (expected gradients, Erion et al. 2021). None is the median row, with the
            usual category of every column; of ``preprocessing="standard"`` the mean row.
        of : label, str or int, optional
            Of a classifier the label whose log odds are explained; None is the second of two classes,
            or the one that is told of each row. Of several quantities the name or number of one.

        Returns
        -------
        Reasons
            With ``parts`` of shape (n_samples, n_columns), in log odds or the target's units (before
            answers are brought between the least and the largest that were learned from), ``columns``,
            ``answer``, ``baseline``, ``error``; ``top(row, n)`` has those that contribute most.

        Raises
        ------
        ValueError
            If X is a stream, no median row is known, or there is no such label.
        """
        from clearprop.estimators import explaining

        self._predictor()  # or it is not fitted
        return explaining.reasons([self], (1.0,), X, baseline, of)

    def smallest_changes(self, row: Mapping[str, Any], columns: Sequence[str]) -> list[Change]:
        """Return the smallest changes of a row of a table that would turn the class that is told.

        Parameters
        ----------
        row : mapping
            What it holds in every column that was learned from.
        columns : sequence of str
            Those that may be changed: categories, numbers and dates, within the range of the training.

        Returns
        -------
        list of Change
            ``values`` (from, to) by column, ``number`` of the class, its ``probability``; the smallest
            first. All change as few columns as are enough, three at most; empty where none is enough.

        Raises
        ------
        ValueError
            If a column is none that can be changed, or it is no classifier of a data frame.
        """
        from clearprop.estimators import explaining

        self._predictor()  # or it is not fitted
        return explaining.smallest_changes(self, row, columns)

    @property
    def test_result_(self) -> dict[str, Any] | None:
        """How good the model is on rows that chose nothing; None without `test_share`.

        "n_samples" rows judge and "n_validation" others chose the epoch; "cost", and "accuracy" or
        "mae", "rmse" and "r2"; their 95 % "intervals". Of a model that `clearprop train` made of few
        rows, how good networks of "folds" are on the rows that they have not learned from.
        """
        result = self._fitted_network("test_result_").about.get("result")
        known = isinstance(result, dict) and result.get("part") in ("test", "out-of-fold")
        return result if known else None

    @property
    def preprocessing_(self) -> Inputs:
        """What X goes through before the network sees it."""
        return self.network_.model.inputs

    @property
    def table_encoder_(self) -> TableEncoder | None:
        """What makes numbers of a data frame; None where X was numbers."""
        return self.network_.model.inputs.encoder

    @property
    def columns_(self) -> tuple[ColumnDecision, ...] | None:
        """What became of every column of X; None where X had no names of columns."""
        encoder = self._fitted_network("columns_").model.inputs.encoder
        if encoder is not None:
            return encoder.decisions
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            return None
        return tuple(ColumnDecision(name, "numeric", "numbers, as they are", NUMBER) for name in names)

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
        X: Samples,
        y: Answers,
        sample_weight: ArrayLike | None = None,
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

    def to_sklearn(self) -> neural_network.MLPClassifier | neural_network.MLPRegressor:
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
    def from_sklearn(
        cls, estimator: neural_network.MLPClassifier | neural_network.MLPRegressor
    ) -> Self:
        """Return a fitted estimator with the arguments, weights and predictions of scikit-learn's.

        Parameters
        ----------
        estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
            Fitted.
        """
        from clearprop.estimators import conversion

        made: Self = conversion.from_sklearn(cls, estimator)
        return made

    def to_function(self) -> Callable[..., Any]:
        """Return the fitted model as a function of NumPy alone, as `Network.to_function`.

        Returns
        -------
        callable
            Takes an array, or of a model of a data frame a dict of columns or a data frame; returns
            labels and probabilities, or quantities.
        """
        return self._fitted_network("to_function").to_function()

    def to_onnx(self) -> onnx.ModelProto:
        """Return the fitted model as an ONNX model, from raw rows to answers, as `Network.to_onnx`."""
        self._fitted_network("to_onnx")
        return Network.of(self._model_of_file()).to_onnx()

    def to_torch(self) -> nn.Module:
        """Return the fitted model as a PyTorch module, as `Network.to_torch`."""
        return self._fitted_network("to_torch").to_torch()

    def _model_of_file(self) -> Model:
        """Return the model that a file of this estimator holds; the live page's files have it too."""
        from clearprop.estimators import files

        return files.model_of(self)

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
        kind = self._task.kind
        preprocessing = presets.argument(self, kind, "preprocessing", explicit)
        dtype = presets.argument(self, kind, "dtype", explicit)
        tags.input_tags.sparse = preprocessing != "robust"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"] if dtype == "auto" else [dtype]
        return tags
