"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions

from clearprop.activations import Array
from clearprop.costs import Cost
from clearprop.data.table import ColumnDecision
from clearprop.data.table.read_options import Missing
from clearprop.distributed import STALL_TIMEOUT
from clearprop.estimators import reader
from clearprop.estimators.arguments import where_stochastic
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.options import ClassWeight, HiddenActivations
from clearprop.estimators.tasks import Classification, as_labels, kind_of
from clearprop.initializers import Initializer
from clearprop.masks import refuse_masked
from clearprop.model.calibration import Calibration
from clearprop.model.targets import Classes, Columns, Indicators, Units
from clearprop.optimizers import Optimizer
from clearprop.schedules import Schedule
from clearprop.training.training import Training
from clearprop.typing import Answers, Samples, Sizes, Sparse


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
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop", "schedulefreeadamw"} or Optimizer
    alpha, l1 : float
        L2 and L1 penalty.
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
    test_share : float
        Share of the rows set aside, of `X_val` or a stream's, that choose nothing and judge, in
        ``test_result_``; 0.5 is half of them.
    max_fun : int
        Evaluations of L-BFGS.
    preset : {"sklearn", "realmlp-s", "realmlp", "tabm-mini"}
        What arguments that are not given are. "realmlp-s" is the simplified RealMLP of Holzmueller et
        al. (2024): three layers of 256, selu, robust scaling, one learned scale for each input, label
        smoothing, the coslog4 schedule, the best epoch of 256; each epoch leaves out rows that make no
        whole batch. Beyond it, the parameters are a mean over a 64th of the epochs (``averaging=0.75``
        of 256); ``averaging=0`` is RealMLP alone. "realmlp" is RealMLP itself (RealMLP-TD): besides,
        inputs are embedded ("pbld"), the activation is "parametric_selu", dropout and decay fade, and
        the first parameters are fitted to the rows. "tabm-mini" is TabM-mini (Gorishniy et al. 2025):
        8 `members` that share two layers of 256; it ends after 16 epochs without a lower cost.
    loss : str or Cost
        "log_loss", "squared_error", "absolute_error", "huber", "quantile", or a cost of your own.
    class_weight : dict, list of dict or "balanced", optional
        Multiplies the sample weights.
    label_smoothing : float or Schedule
        Share of each target spread over all classes.
    calibrate : bool
        Whether label smoothing is taken out, and a temperature fitted to the rows set aside. Presets
        do so where these are 50 or more, with one label each.
    threshold : {"accuracy", "balanced_accuracy", "f1"} or array-like of shape (2, 2), optional
        Of two classes: by what the probability is chosen, on the same rows, above which the second is
        the answer, whose F1 is meant. An array is what it costs to answer the class of a column of it
        to the class of its row. None is 1/2.
    preprocessing : {None, "standard", "robust"}
        Learned from the training part, kept with the model and applied in every prediction. "robust" is
        median and quartiles, then a smooth clip.
    embedding : {"pl", "plr", "plr-lite", "pbld"}, optional
        What each input with more than two values becomes before the first layer: "pl" is
        `cp.embeddings.piecewise_linear`, "plr" `cp.embeddings.periodic` ("plr-lite" with `lite`),
        "pbld" `cp.embeddings.pbld`, after `preprocessing`. Not with streams.
    members : int
        So many networks are trained side by side, each from its own first parameters, on its own
        batches and with its own dropout. Their probabilities are averaged, and the kept epoch is that
        of the average. ``network_.members`` has them. Not with lbfgs, nor with streams.
    patience : int or None, optional
        With a preset that has a schedule and rows to validate on: end the training after so many epochs
        without a lower validation cost (or a better `scoring`) and keep the epoch with the lowest.
        "auto" is fitted to the schedule: one of its periods, see `presets.last_epoch`. None makes all
        epochs and keeps the one with the best score, as RealMLP does. `n_iter_no_change` is its name
        in scikit-learn (infinity is None).
    initializer, bias_initializer : str or Initializer
        "auto" is scikit-learn's draw.
    weight_decay : float or Schedule, optional
        Of solver="adamw", where None is 0.01, and of "schedulefreeadamw".
    dropout : float, Schedule, or list of these
        Share of each hidden layer's neurons left out of a step.
    clip_norm, augment : optional
        As in `clearprop.Network.fit`; rows that are set aside are not changed.
    averaging : float
        Share of a running mean of the parameters that stays from epoch to epoch. What is scored,
        kept and predicted with is the mean; 0 is none.
    n_batches : int, optional
        Instead of `batch_size`: every epoch is cut into so many batches, whose sizes differ by one at
        most. A preset leaves out no rows then, nor with `shuffle` "once" or False.
    scoring : str or callable, optional
        Any scikit-learn scorer; what early stopping watches. None is the accuracy.
    columns : dict of str, or sequence of ColumnDecision, optional
        With a preset and a data frame: the kinds of columns ("numeric", "boolean",
        "categorical", "datetime", "dropped"; of dates also "day-first", "month-first", "year-first")
        that their values do not tell; or all decisions, as ``columns_`` has them.
    missing : str, number, or list of them, optional
        With a preset and a data frame: what stands for a missing value in every column of X,
        besides None, NaN, blanks, NA, ? and the like; -999 and "-999.0" are one.
    decimal : {".", ","}, optional
        With a preset and a data frame: the decimal sign of numbers that are text, where they
        do not tell it themselves ("1,234").
    callbacks : list of callable
        Each is called with the `Training` after every epoch; one that returns True ends it.
        scikit-learn's own go to ``set_callbacks``.
    time_limit : float, optional
        Seconds of training. With a preset that has a schedule, of the fit: see `estimators.planning`.
    dtype : {"auto", "float32", "float64"}; "auto" follows X
    engine : {"auto", "numpy", "compiled", "jax"}
    n_threads : int, optional; None is as many as the work is worth, at most OMP_NUM_THREADS
    shards, communicator, stall_timeout, fast_sum : optional; see `Network.fit`

    Attributes
    ----------
    classes_ : ndarray, or list of ndarray with several columns of labels
    calibration_, threshold_ : Calibration or None, float or None
        What was chosen, where `calibrate` or `threshold` asked for it.
    network_ : Network
        What was trained; it sees X after `preprocessing`.
    columns_ : tuple of ColumnDecision, or None
        What became of each column of a data frame, and why; None where X had no names of columns.
    table_encoder_ : TableEncoder or None
        What makes numbers of it.
    history_ : History
        Costs, scores, rates and seconds of every epoch.
    coefs_, intercepts_ : list of ndarray
        In scikit-learn's layout, (n_in, n_out): writable views into `network_`.
    loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_
        As in scikit-learn.
    test_result_ : dict or None
        How good the model is on rows that chose nothing, with intervals; None without `test_share`.
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

    _task = Classification()
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left"), Schedule],
        "calibrate": ["boolean"],
        "threshold": [None, str, "array-like"],
    }

    def __init__(
        self,
        hidden_layer_sizes: Sizes = (100,),
        activation: HiddenActivations = "relu",
        *,
        solver: str | Optimizer = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str | Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool | str = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int | str = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        test_share: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        preset: str = "sklearn",
        loss: str | Cost = "log_loss",
        class_weight: ClassWeight = None,
        label_smoothing: float | Schedule = 0.0,
        calibrate: bool = False,
        threshold: str | ArrayLike | None = None,
        preprocessing: str | None = None,
        embedding: str | None = None,
        members: int = 1,
        patience: int | str | None = "auto",
        initializer: str | Initializer = "auto",
        bias_initializer: str | Initializer = "auto",
        l1: float = 0.0,
        weight_decay: float | Schedule | None = None,
        dropout: float | Schedule | Sequence[float | Schedule] = 0.0,
        clip_norm: float | None = None,
        augment: Callable[..., object] | None = None,
        averaging: float = 0.0,
        n_batches: int | None = None,
        scoring: str | Callable[..., float] | None = None,
        columns: Mapping[str, str] | Sequence[ColumnDecision] | None = None,
        missing: Missing = None,
        decimal: str | None = None,
        callbacks: Sequence[Callable[[Training], bool | None]] = (),
        time_limit: float | None = None,
        dtype: str = "auto",
        engine: str = "auto",
        n_threads: int | None = None,
        shards: int | None = None, communicator: object = None,
        stall_timeout: float = STALL_TIMEOUT, fast_sum: bool = False,
    ) -> None:  # fmt: skip
        self._set_arguments(locals())

    @property
    def classes_(self) -> Array | list[Array]:
        """The labels, sorted; of several columns of labels a list with those of each."""
        labels = self._labels.labels
        assert labels is not None  # an estimator has learned them
        return labels

    @property
    def calibration_(self) -> Calibration | None:
        """The temperature of the probabilities, and how they are smoothed; None without `calibrate`."""
        labels = self._labels
        return labels.calibration if isinstance(labels, Classes) else None

    @property
    def threshold_(self) -> float | None:
        """The probability above which the second class is the answer; None is 1/2."""
        labels = self._labels
        return labels.threshold if isinstance(labels, Classes) else None

    @property
    def _labels(self) -> Classes | Indicators | Columns:
        targets = self._fitted_network("classes_").model.targets
        assert not isinstance(targets, Units)
        return targets

    def score(self, X: Samples, y: Answers, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy: the share of rows of which everything is right.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        refuse_masked(sample_weight, "sample_weight")
        predicted, y = self.predict(X), as_labels(y)
        if isinstance(self._labels, Columns):
            right = (np.asarray(predicted) == y).all(axis=1)
            weights = None if sample_weight is None else np.asarray(sample_weight)
            return float(np.average(right, weights=weights))
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def predict(self, X: Samples, *, interval: None = None) -> Array | Sparse:
        """Return the class of every row; several columns or an indicator matrix (sparse) where y was.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        interval : None
            Of quantities alone; any other value is refused.
        """
        if interval is not None:
            raise ValueError(f"interval is for quantities, got {interval!r}; use predict_proba")
        predictor, read, labels = self._predictor(), reader.read_X(self, X), self._labels
        if isinstance(labels, Indicators) and labels.sparse:
            return predictor.decoded_sparse(read)
        return labels.decode(predictor.outputs(read))

    def decision_function(self, X: Samples) -> Array:
        """Return the weighted inputs z of the output layer: the log odds, uncalibrated.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, otherwise (n_samples, n_outputs)
        """
        z = self._logits(X)
        if self._labels.kind == "binary" and z.shape[1] == 2:
            return z[:, 1] - z[:, 0]
        return z[:, 0] if z.shape[1] == 1 else z

    def predict_proba(self, X: Samples) -> Array | list[Array]:
        """Return probabilities in the order of `classes_`, shape (n_samples, n_classes).

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray; of several columns of labels, a list with one for each
        """
        a = self._predictor().outputs(reader.read_X(self, X))
        return self._labels.probabilities(a)

    def predict_log_proba(self, X: Samples) -> Array | list[Array]:
        """Return the logarithms of `predict_proba`, -inf where a probability is 0.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        """
        probability = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            several = isinstance(probability, list)
            return [np.log(p) for p in probability] if several else np.log(probability)

    @where_stochastic
    def partial_fit(
        self,
        X: Samples,
        y: Answers,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | Sequence[ArrayLike] | None = None,
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
            If `classes` is missing or changes, y has others, or `class_weight` is "balanced".
        """
        self._validate_params()
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' cannot be used with partial_fit, which sees a part of the "
                "data; give weights, from sklearn.utils.class_weight.compute_class_weight"
            )
        if not hasattr(self, "network_"):
            if classes is None and kind_of(as_labels(y)) in ("binary", "multiclass"):
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif classes is not None and isinstance(self._labels, Classes):
            given = np.unique(as_labels(classes, "classes"))
            if given.tolist() != np.asarray(self.classes_).tolist():
                first = self.classes_
                raise ValueError(f"classes must be those of the first call, {first}, got {given}")
        Fitter(self).fit_one_epoch(X, y, sample_weight, classes)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
