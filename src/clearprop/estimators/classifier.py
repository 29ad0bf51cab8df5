"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from clearprop import costs
from clearprop.activations import ACTIVATIONS, Array
from clearprop.costs import Cost
from clearprop.data import labels
from clearprop.data.labels import check_classes
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.regressor import LOSSES
from clearprop.masks import refuse_masked
from clearprop.names import known_name

_KINDS = ("binary", "multiclass", "multiclass-multioutput", "multilabel-indicator")
_CLASSIFIER_LOSSES: dict[str, Callable[..., Cost]] = {"log_loss": costs.cross_entropy, **LOSSES}


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier: scikit-learn's, with what its users have asked for.

    With ``preset="sklearn"`` it does what scikit-learn's documentation says, with its initial weights,
    its L2 penalty (``alpha / 2`` times the sum of squared weights, over the sum of the *batch's*
    sample weights: a smaller batch decays more) and its Adam (corrections folded into the rate, so
    that epsilon counts for more in the first steps). With any other preset the penalty is on the mean
    cost, and Adam is that of Kingma and Ba's algorithm 1.

    y may hold labels of two or more classes, an indicator matrix (multilabel), or several columns of
    labels, each with classes of its own (multiclass-multioutput); one class is learned too.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        ``()`` is a linear model.
    activation : str, Activation, or a list with one for each hidden layer
        scikit-learn's "identity", "logistic", "tanh", "relu", and all of clearprop's.
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop"} or Optimizer
    alpha : float
        L2 penalty.
    batch_size : int or "auto"
        "auto" is ``min(200, n_samples)``.
    learning_rate : {"constant", "invscaling", "adaptive"} or Schedule
        A schedule, such as ``cp.schedules.cosine(0.01, epochs=50)``, has its own rate and horizon. The
        policies are for any solver with a rate.
    learning_rate_init, power_t, max_iter, shuffle, random_state, tol, verbose, warm_start, momentum
        As in scikit-learn. ``verbose="bar"`` shows a progress bar on standard error; ``shuffle="once"``
        draws one random order for all epochs, so that each has the same batches.
    nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change
        As in scikit-learn; `beta_2` is also RMSProp's rho.
    max_fun : int
        Evaluations of L-BFGS.
    preset : {"sklearn", "realmlp-s"}
        What arguments that are not given are. "realmlp-s" is the simplified RealMLP of Holzmueller et
        al. (2024): three layers of 256, selu, robust scaling, one learned scale for each input, label
        smoothing, the coslog4 schedule, the best epoch of 256; each epoch leaves out other rows where
        they make no whole batch. Beyond it, the parameters are a mean over a 64th
        of the epochs (``averaging=0.75`` of 256); ``averaging=0`` is RealMLP alone.
    loss : str or Cost
        "log_loss", "squared_error", "absolute_error", "huber", "quantile", or a cost of your own.
    class_weight : dict, list of dict or "balanced", optional
        Multiplies the sample weights.
    label_smoothing : float
        Share of each target spread over all classes.
    preprocessing : {None, "standard", "robust"}
        Learned from the training part, kept with the model and applied in every prediction. "robust" is
        median and quartiles, then a smooth clip.
    initializer, bias_initializer : str or Initializer
        "auto" is scikit-learn's draw.
    l1 : float
        L1 penalty, treated as alpha is.
    weight_decay : float, optional
        Of solver="adamw"; None is 0.01.
    dropout : float or list of float
        Share of each hidden layer's neurons left out of a step.
    clip_norm : float, optional
        Longest gradient of a step.
    averaging : float
        Share of a running mean of the parameters that stays from epoch to epoch. What is scored,
        kept and predicted with is the mean; 0 is none.
    n_batches : int, optional
        Instead of `batch_size`: every epoch is cut into so many batches, whose sizes differ by one at
        most. "realmlp-s" leaves out no rows then, nor with `shuffle` "once" or False.
    scoring : str or callable, optional
        Any scikit-learn scorer; what early stopping watches. None is the accuracy.
    columns : dict of str, or sequence of ColumnDecision, optional
        With preset="realmlp-s" and a data frame: the kinds of columns ("numeric", "boolean",
        "categorical", "datetime" or "dropped") that their values do not tell; or all decisions, as
        ``columns_`` has them.
    callbacks : list of callable
        Each is called with the `Training` after every epoch; one that returns True ends it.
        scikit-learn's own go to ``set_callbacks``.
    time_limit : float, optional
        Seconds.
    dtype : {"auto", "float32", "float64"}
        "auto" follows X.
    engine : {"auto", "numpy", "numba"}
    n_threads : int, optional
        None is as many as the work is worth, at most OMP_NUM_THREADS.

    Attributes
    ----------
    classes_ : ndarray, or list of ndarray with several columns of labels
    network_ : Network
        What was trained; it sees X after `preprocessing`.
    columns_ : tuple of ColumnDecision, or None
        What became of each column of a data frame, and why.
    table_encoder_ : TableEncoder or None
        What makes numbers of it.
    history_ : History
        Costs, scores, rates and seconds of every epoch.
    coefs_, intercepts_ : list of ndarray
        In scikit-learn's layout, (n_in, n_out): writable views into `network_`.
    loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_
        As in scikit-learn.
    n_iter_ : int
        Epochs of the last fit; partial_fit goes on counting.
    t_ : int
        Samples seen.
    n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(preprocessing="standard", class_weight="balanced", dropout=0.1,
    ...                       max_iter=400, learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _kind = "classifier"
    _score_name = "accuracy"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool | str = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        preset: str = "sklearn",
        loss: str | Cost = "log_loss",
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        preprocessing: str | None = None,
        initializer: Any = "auto",
        bias_initializer: Any = "auto",
        l1: float = 0.0,
        weight_decay: float | None = None,
        dropout: Any = 0.0,
        clip_norm: float | None = None,
        averaging: float = 0.0,
        n_batches: int | None = None,
        scoring: Any = None,
        columns: Any = None,
        callbacks: Any = (),
        time_limit: float | None = None,
        dtype: str = "auto",
        engine: str = "auto",
        n_threads: int | None = None,
    ) -> None:
        self._set_arguments(locals())

    # What y is

    def _read_targets(self, y: Any, options: SimpleNamespace, *, reset: bool) -> Array:
        y = _as_labels(y)
        kind = _kind_of(y)
        if reset:
            self._learn_classes(y, kind, getattr(self, "_coming_classes", None))
        elif kind != self._target_kind and not (
            kind in ("binary", "multiclass") and self._target_kind in ("binary", "multiclass", "single")
        ):
            raise ValueError(f"y must be {self._target_kind} as before, got {kind}")
        elif options.same_classes and kind in ("binary", "multiclass"):
            found = np.unique(column_or_1d(y))
            if set(found.tolist()) != set(np.asarray(self.classes_).tolist()):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {found}"
                )
        return self._encode(y)

    def _learn_classes(self, y: Any, kind: str, classes: Any) -> None:
        """Take note of what y is, and of its classes, or the given ones."""
        self._groups: tuple[int, ...] = ()
        if kind == "multiclass-multioutput":
            columns = _columns(y)
            if classes is not None and len(classes) != len(columns):
                raise ValueError(
                    f"classes must be a list for each of y's {len(columns)} columns, got {len(classes)}"
                )
            known = columns if classes is None else [_as_labels(each, "classes") for each in classes]
            self.classes_: Any = [np.unique(column) for column in known]
            self._groups = tuple(len(each) for each in self.classes_)
        elif kind == "multilabel-indicator":
            self.classes_ = np.arange(np.shape(y)[1])
        else:
            known = column_or_1d(y) if classes is None else _as_labels(classes, "classes")
            self.classes_ = np.unique(known)
            kind = {1: "single", 2: "binary"}.get(len(self.classes_), "multiclass")
        for each in self.classes_ if self._groups else [self.classes_]:
            check_classes(each.tolist(), "y")
        self._target_kind = kind

    def _learn_fitted_classes(self, classes: Array, kind: str) -> None:
        """Take over what a scikit-learn classifier has learned of y."""
        self._groups = ()
        self.classes_ = _as_labels(np.array(classes), "classes")
        self._target_kind = kind if kind == "multilabel-indicator" else "multiclass"
        if self._target_kind == "multiclass":
            self._learn_classes(None, "multiclass", classes)

    def _name_network(self) -> None:
        super()._name_network()
        if self._target_kind in ("binary", "multiclass"):
            known = self.classes_.tolist()
            if self.classes_.dtype.kind == "f":
                known = [int(label) for label in known]  # whole ones: that is what a network holds
            if {type(label) for label in known} in ({str}, {int}, {bool}):
                self.network_.classes = tuple(known)

    def _encode(self, y: Any) -> Array:
        """Return one column for two classes or one, one for each of more classes or labels."""
        if self._target_kind == "multilabel-indicator":
            dense = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
            if dense.ndim != 2 or dense.shape[1] != len(self.classes_):
                raise ValueError(f"y must have {len(self.classes_)} labels, got shape {dense.shape}")
            return (dense != 0).astype(np.float64)
        if self._groups:
            columns = _columns(y)
            blocks = [
                np.eye(len(known))[_codes(column, known)]
                for column, known in zip(columns, self.classes_, strict=True)
            ]
            return np.concatenate(blocks, axis=1)
        codes = _codes(column_or_1d(y, warn=np.ndim(y) == 2), self.classes_)
        if self._target_kind == "single":
            return np.ones((len(codes), 1))
        if self._target_kind == "binary" and not self._two_outputs:
            return codes[:, None].astype(np.float64)
        return np.eye(len(self.classes_))[codes]

    @property
    def _two_outputs(self) -> bool:
        """Whether two classes have an output each, as in RealMLP."""
        return self.preset == "realmlp-s"

    def _output(self, options: SimpleNamespace) -> tuple[str, Cost]:
        loss = options.loss
        if self._groups:
            if loss != "log_loss" or options.label_smoothing:
                raise ValueError(
                    "several columns of labels need loss='log_loss' without label_smoothing, got "
                    f"loss={loss!r}, label_smoothing={options.label_smoothing!r}"
                )
            return "identity", costs.grouped_cross_entropy(self._groups)
        known = _CLASSIFIER_LOSSES
        cost = loss if isinstance(loss, Cost) else known[known_name("loss", loss, known)]()
        if cost.name == "poisson":
            raise ValueError("loss='poisson' is for counts; a classifier needs another loss")
        softmax = self._target_kind == "multiclass" or (
            self._target_kind == "binary" and self._two_outputs
        )
        return ("softmax" if softmax else "sigmoid"), cost

    def _weigh_classes(self, y: Any, weight: Array | None, options: SimpleNamespace) -> Array | None:
        if options.class_weight is None:
            return weight
        rows = y.toarray() if hasattr(y, "toarray") else _as_labels(y)
        factor = compute_sample_weight(options.class_weight, rows)
        return factor if weight is None else weight * factor

    def _stratify(self, targets: Array) -> Array | None:
        if self._target_kind not in ("binary", "multiclass"):
            return None
        if targets.shape[1] == 1:
            return self.classes_[targets[:, 0].astype(np.int64)]
        return self.classes_[targets.argmax(axis=1)]

    def _score_outputs(self, a: Array, targets: Array, weight: Array | None) -> float:
        if not np.isfinite(a).all():
            return float("nan")
        if self._groups:
            right = [p == t for p, t in zip(self._picks(a), self._picks(targets), strict=True)]
            return float(np.average(np.all(right, axis=0), weights=weight))
        if targets.shape[1] > 1 and self._target_kind != "multilabel-indicator":
            right_rows = a.argmax(axis=1) == targets.argmax(axis=1)
        else:
            right_rows = ((a > 0.5) == (targets > 0.5)).all(axis=1)
        return float(np.average(right_rows, weights=weight))

    def _picks(self, a: Array) -> list[NDArray[np.int64]]:
        ends = np.cumsum(self._groups)
        return [part.argmax(axis=1) for part in np.split(a, ends[:-1], axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of rows of which everything is right.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        refuse_masked(sample_weight, "sample_weight")
        predicted, y = self.predict(X), _as_labels(y)
        if self._groups:
            right = (predicted == y).all(axis=1)
            return float(np.average(right, weights=sample_weight))
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    # Predicting

    def predict(self, X: Any) -> Array:
        """Return the class of every row; an indicator matrix or several columns where y was one.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        """
        z = self._logits(X)
        if self._groups:
            picks = zip(self._picks(z), self.classes_, strict=True)
            columns = [known[codes] for codes, known in picks]
            if len({each.dtype.kind for each in columns}) > 1:  # else numbers become texts, or floats
                columns = [each.astype(object) for each in columns]
            return np.stack(columns, axis=1)
        if self._target_kind == "single":
            return np.repeat(self.classes_, len(z))
        a = self.network_.architecture.output(z)
        if self._target_kind == "multilabel-indicator":
            return (a > 0.5).astype(np.int64)
        codes = a.argmax(axis=1) if a.shape[1] > 1 else (a[:, 0] > 0.5).astype(np.int64)
        return self.classes_[codes]

    def decision_function(self, X: Any) -> Array:
        """Return the weighted inputs z of the output layer: the log odds of two classes.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, otherwise (n_samples, n_outputs)
        """
        z = self._logits(X)
        if self._target_kind == "binary" and z.shape[1] == 2:
            return z[:, 1] - z[:, 0]
        return z[:, 0] if z.shape[1] == 1 else z

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities in the order of `classes_`, shape (n_samples, n_classes).

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray; of several columns of labels, a list with one for each
        """
        z = self._logits(X)
        if self._groups:
            softmax = ACTIVATIONS["softmax"]
            return [softmax(part) for part in np.split(z, np.cumsum(self._groups)[:-1], axis=1)]
        if self._target_kind == "single":
            return np.ones((len(z), 1), z.dtype)
        a = self.network_.architecture.output(z)
        if self._target_kind == "binary" and a.shape[1] == 1:
            return np.concatenate([1.0 - a, a], axis=1)
        return a

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`, -inf where a probability is 0.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        """
        probability = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(p) for p in probability] if self._groups else np.log(probability)

    @available_if(lambda self: self._is_stochastic)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Sequence[Any] | None = None
    ) -> Self:
        """Train for one epoch on X and y, going on with order, optimizer and counters.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. `preprocessing` is what the first call learned.
        classes : array-like, optional
            All classes that will come; needed in the first call. Of several columns of labels, a list
            with those of each; without it, the first call's are all.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `classes` is missing or changes, y has others, or `class_weight` is "balanced": what is
            balanced is not known of a part.
        """
        self._validate_params()
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' cannot be used with partial_fit, which sees a part of the "
                "data; give weights, from sklearn.utils.class_weight.compute_class_weight"
            )
        if not hasattr(self, "network_"):
            return self._first_partial_fit(X, y, sample_weight, classes)
        if classes is not None and not self._groups and self._target_kind != "multilabel-indicator":
            given = np.unique(_as_labels(classes, "classes"))
            if given.tolist() != self.classes_.tolist():
                raise ValueError(
                    f"classes must be those of the first call, {self.classes_}, got {given}"
                )
        return self._partial_fit(X, y, sample_weight)

    def _first_partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> Self:
        y = _as_labels(y)
        kind = _kind_of(y)
        if classes is None and kind in ("binary", "multiclass"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        self._coming_classes = classes
        try:
            return self._partial_fit(X, y, sample_weight)
        finally:
            del self._coming_classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _as_labels(y: Any, argument: str = "y") -> Any:
    """Return y as an array of labels, each there; a sparse matrix and ragged lists as they are."""
    if hasattr(y, "tocsr"):
        return y
    refuse_masked(y, argument)
    given = labels.objects_of(y)
    if given.dtype != object:
        return labels.as_labels(given, argument)
    if given.ndim not in (1, 2) or not given.size or any(np.ndim(label) for label in given.flat):
        return y
    columns = [labels.typed_labels(column, argument) for column in given.reshape(len(given), -1).T]
    kinds = {column.dtype.kind for column in columns}
    typed = not hasattr(y, "dtype") or (given.ndim == 1 and kinds != {"U"})  # objects stay objects
    if typed and (len(kinds) == 1 or kinds <= {"i", "u", "f"}):
        table = np.stack(columns, axis=1)
        if table.T.tolist() == [column.tolist() for column in columns]:
            return table.reshape(given.shape)
    objects = np.empty((len(given), len(columns)), object)
    for each, column in zip(objects.T, columns, strict=True):
        each[:] = column.tolist()
    return objects.reshape(given.shape)


def _several_types(y: Any) -> bool:
    """Whether y has several columns of labels, such as a data frame's, that have a type each."""
    return isinstance(y, np.ndarray) and y.dtype == object and y.ndim == 2 and y.shape[1] > 1


def _columns(y: Any) -> list[Array]:
    """Return the columns of y, each as an array of the type of its labels."""
    if _several_types(y):
        return [labels.typed_labels(column, "y") for column in y.T]
    return list(np.asarray(y).T)


def _kind_of(y: Any) -> str:
    if _several_types(y):
        return "multiclass-multioutput"
    kind = str(type_of_target(y, input_name="y"))
    if kind not in _KINDS:
        check_classification_targets(y)  # which says why
    return kind


def _codes(given: Array, classes: Array) -> NDArray[np.int64]:
    found, codes = np.unique(given, return_inverse=True)
    # Looked up as Python's numbers: NumPy compares integers with and without a sign as floats.
    known = {label: code for code, label in enumerate(classes.tolist())}
    if any(label not in known for label in found.tolist()):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has {found}."
        )
    return np.array([known[label] for label in found.tolist()])[codes]
