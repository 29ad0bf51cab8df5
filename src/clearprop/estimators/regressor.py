"""The regressor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import StrOptions

from clearprop.activations import Array
from clearprop.costs import Cost
from clearprop.data.table import ColumnDecision
from clearprop.data.table.read_options import Missing
from clearprop.distributed import STALL_TIMEOUT
from clearprop.estimators import reader
from clearprop.estimators.arguments import where_stochastic
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.options import HiddenActivations
from clearprop.estimators.tasks import Regression
from clearprop.initializers import Initializer
from clearprop.masks import refuse_masked
from clearprop.model import conformal
from clearprop.model.targets import Units
from clearprop.optimizers import Optimizer
from clearprop.schedules import Schedule
from clearprop.training.training import Training
from clearprop.typing import Samples, Sizes


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor: scikit-learn's, with what its users have asked for.

    With ``preset="sklearn"`` it does what scikit-learn's documentation says, with its initial weights,
    its L2 penalty (``alpha / 2`` times the sum of squared weights, over the sum of the *batch's*
    sample weights: a smaller batch decays more) and its Adam (corrections folded into the rate, so
    that epsilon counts for more in the first steps). With any other preset the penalty is on the mean
    cost, and Adam is that of Kingma and Ba's algorithm 1.

    Parameters
    ----------
    loss : str or Cost
        "squared_error" (half of it), "absolute_error", "huber", "quantile", "poisson" (through exp),
        "quantiles" (three outputs for one quantity: 0.05, the median, which is the answer, and 0.95;
        ``predict(X, interval=0.9)`` is conformalised quantile regression then, wide where y varies),
        or a cost such as ``cp.costs.quantile(0.9)`` or your own.
    hidden_layer_sizes : int or sequence of int
        ``()`` is a linear model.
    activation : str, Activation, or a list with one for each hidden layer
        scikit-learn's "identity", "logistic", "tanh", "relu", and all of clearprop's.
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop", "schedulefreeadamw"} or Optimizer
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
    test_share : float
        Of the rows set aside, of `X_val`, or of those that a stream holds out: so many choose nothing
        and judge what was chosen, in ``test_result_``; 0.5 is half of them.
    max_fun : int
        Evaluations of L-BFGS.
    preset : {"sklearn", "realmlp-s", "realmlp", "tabm-mini"}
        What arguments that are not given are. "realmlp-s" is the simplified RealMLP of Holzmueller et
        al. (2024): three layers of 256, mish, robust scaling, one learned scale for each input,
        standardized targets, the coslog4 schedule, the best epoch of 256; each epoch leaves out other
        rows where they make no whole batch. Beyond it, the parameters are a mean over a 64th
        of the epochs (``averaging=0.75`` of 256); ``averaging=0`` is RealMLP alone.
        "realmlp" is RealMLP itself (RealMLP-TD): besides, inputs are embedded ("pbld"), the activation
        is "parametric_mish", dropout of 0.15 and weight decay of 0.02 fade in the second half of the
        epochs, and the first weights and biases are fitted to the rows. Predictions stay between the
        least and the largest target. "tabm-mini" is TabM-mini (Gorishniy et al. 2025): 8 `members` that
        share two layers of 256; it ends after 16 epochs without a lower validation cost.
    preprocessing : {None, "standard", "robust"}
        Learned from the training part, kept with the model and applied in every prediction. "robust" is
        median and quartiles, then a smooth clip.
    target : {None, "standardize"}
        Whether the network learns targets of mean 0 and standard deviation 1.
    embedding : {"pl", "plr", "plr-lite", "pbld"}, optional
        What each input with more than two values becomes before the first layer: "pl" is
        `cp.embeddings.piecewise_linear`, "plr" `cp.embeddings.periodic` ("plr-lite" with `lite`),
        "pbld" `cp.embeddings.pbld`, on rows after `preprocessing`. Not with streams.
    members : int
        So many networks are trained side by side, each from its own first parameters, on its own
        batches and with its own dropout. Their predictions are averaged, and the kept epoch is that
        of the average. ``network_.members`` has them. Not with lbfgs, nor with streams.
    patience : int or None, optional
        With a preset that has a schedule and rows to validate on: end the training after so many epochs
        without a lower validation cost (or a better `scoring`) and keep the epoch with the lowest.
        "auto" is fitted to the schedule: one of its periods, see `presets.last_epoch`. None makes all
        epochs and keeps the one with the best score, as RealMLP does. `n_iter_no_change` is its name
        in scikit-learn (infinity is None).
    initializer, bias_initializer : str or Initializer
        "auto" is scikit-learn's draw.
    l1 : float
        L1 penalty, treated as alpha is.
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
        Any scikit-learn scorer; what early stopping watches. None is R squared.
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
        Seconds of training, which end it. With a preset that has a schedule, of the fit: the whole
        schedule is run in the epochs that fit, see `clearprop.estimators.planning`; a `ValueError`
        where not one does.
    dtype : {"auto", "float32", "float64"}
        "auto" follows X.
    engine : {"auto", "numpy", "compiled", "jax"}
    n_threads : int, optional
        None is as many as the work is worth, at most OMP_NUM_THREADS.
    shards, communicator, stall_timeout, fast_sum : optional
        As in `Network.fit`; all processes have the fitted estimator.

    Attributes
    ----------
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
        As in scikit-learn; with several outputs, losses are summed over them.
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
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor(preprocessing="standard", target="standardize", max_iter=30,
    ...                      learning_rate=cp.schedules.cosine(0.01, epochs=30), random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.5
    True
    """

    _task = Regression()
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "target": [None, StrOptions({"standardize"})],
    }

    def __init__(
        self,
        loss: str | Cost = "squared_error",
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
        preprocessing: str | None = None,
        embedding: str | None = None,
        members: int = 1,
        patience: int | str | None = "auto",
        target: str | None = None,
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
        shards: int | None = None,
        communicator: object = None,
        stall_timeout: float = STALL_TIMEOUT,
        fast_sum: bool = False,
    ) -> None:
        self._set_arguments(locals())

    @property
    def target_shift_(self) -> Array | None:
        """The mean that was taken off the targets; None where they were learned as they are."""
        return self._units.shift

    @property
    def target_scale_(self) -> Array | None:
        """What the targets were divided by then."""
        return self._units.factor

    @property
    def _units(self) -> Units:
        units = self._fitted_network("target_shift_").model.targets
        assert isinstance(units, Units)
        return units

    @overload
    def predict(self, X: Samples, *, interval: None = None) -> Array: ...

    @overload
    def predict(self, X: Samples, *, interval: float) -> tuple[Array, Array]: ...

    def predict(self, X: Samples, *, interval: float | None = None) -> Array | tuple[Array, Array]:
        """Return predictions, shape (n_samples,) or (n_samples, n_outputs); with bounds, if asked.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        interval : float, optional
            Share of rows whose quantity is to lie between two bounds, such as 0.9: split conformal
            intervals, by the errors on the rows that judge (`test_share`), around the answers or, with
            the loss "quantiles", around the outer quantiles. Of several outputs each has
            its own. Bounds of shape (n_samples, 2) or (n_samples, n_outputs, 2) come second then.

        Raises
        ------
        ValueError
            If no rows judged, or too few for such a share.
        """
        predictor = self._predictor()
        a = predictor.outputs(reader.read_X(self, X))
        quantities: Array = self._units.decode(a)
        one = quantities.shape[1] == 1
        answers = quantities[:, 0] if one else quantities
        if interval is None:
            return answers
        bounds = self._units.bounds(a, conformal.check_level(interval))
        return answers, bounds[:, 0] if one else bounds

    def score(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R squared, of several outputs their mean.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        refuse_masked(y, "y")
        refuse_masked(sample_weight, "sample_weight")
        return float(super().score(X, y, sample_weight))

    @where_stochastic
    def partial_fit(self, X: Samples, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on X and y, going on with order, optimizer and counters.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. `preprocessing` and `target` are what the first call learned.

        Returns
        -------
        self
        """
        Fitter(self).fit_one_epoch(X, y, sample_weight)
        return self
