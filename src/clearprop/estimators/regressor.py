"""The regressor."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_y, column_or_1d

from clearprop import costs, metrics
from clearprop.activations import Array
from clearprop.costs import Cost
from clearprop.estimators.base import BaseMLP
from clearprop.masks import refuse_masked
from clearprop.names import known_name
from clearprop.training.supply import Supply

_ROWS = 1 << 16  # looked at together

LOSSES: dict[str, Callable[..., Cost]] = {
    "squared_error": costs.quadratic,
    "absolute_error": costs.mean_absolute_error,
    "huber": costs.huber,
    "quantile": costs.quantile,
    "poisson": costs.poisson,
}


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
        or a cost such as ``cp.costs.quantile(0.9)`` or your own.
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
        al. (2024): three layers of 256, mish, robust scaling, one learned scale for each input,
        standardized targets, the coslog4 schedule, the best epoch of 256; each epoch leaves out other
        rows where they make no whole batch. Beyond it, the parameters are a mean over a 64th
        of the epochs (``averaging=0.75`` of 256); ``averaging=0`` is RealMLP alone.
    preprocessing : {None, "standard", "robust"}
        Learned from the training part, kept with the model and applied in every prediction. "robust" is
        median and quartiles, then a smooth clip.
    target : {None, "standardize"}
        Whether the network learns targets of mean 0 and standard deviation 1.
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
        Any scikit-learn scorer; what early stopping watches. None is R squared.
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
        As in scikit-learn; with several outputs, losses are summed over them.
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

    _kind = "regressor"
    _score_name = "r2"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "target": [None, StrOptions({"standardize"})],
    }

    def __init__(
        self,
        loss: str | Cost = "squared_error",
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
        preprocessing: str | None = None,
        target: str | None = None,
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

    def _read_targets(self, y: Any, options: SimpleNamespace, *, reset: bool) -> Array:
        refuse_masked(y, "y")
        checked = _check_y(y, multi_output=True, y_numeric=True, estimator=self)
        if checked.ndim == 2 and checked.shape[1] == 1:
            checked = column_or_1d(checked, warn=True)
        table: Array = checked.reshape(len(checked), -1)
        if not reset and table.shape[1] != self.network_.sizes[-1]:
            raise ValueError(
                f"y must have as many columns as before, {self.network_.sizes[-1]}, "
                f"got {table.shape[1]}"
            )
        return table.astype(np.float64) if table.dtype.kind != "f" else table

    def _output(self, options: SimpleNamespace) -> tuple[str, Cost]:
        loss = options.loss
        cost = loss if isinstance(loss, Cost) else LOSSES[known_name("loss", loss, LOSSES)]()
        return ("exp" if cost.name == "poisson" else "identity"), cost

    def _weigh_classes(self, y: Any, weight: Array | None, options: SimpleNamespace) -> Array | None:
        return weight

    def _target_moments(
        self, options: SimpleNamespace, targets: Array, weight: Array | None
    ) -> tuple[Array, Array] | None:
        if options.target is None:
            return None
        wide = targets.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # `_learn_units` looks at them
            mean = np.average(wide, axis=0, weights=weight)
            return mean, np.average((wide - mean) ** 2, axis=0, weights=weight)

    def _learn_units(
        self, options: SimpleNamespace, moments: tuple[Array, Array] | None, dtype: str
    ) -> None:
        self.target_shift_: Array | None = None
        self.target_scale_: Array | None = None
        if options.target is None or moments is None:
            return
        if self._output(options)[0] != "identity":
            raise ValueError(
                f"target='standardize' cannot be used with loss={options.loss!r}, whose targets are "
                "counts"
            )
        spread = np.sqrt(moments[1])
        if not (np.abs(moments[0]) + spread < np.finfo(dtype).max).all():
            raise ValueError(
                f"y must fit in {dtype}, got a mean of {moments[0].max():.6g} and a standard deviation "
                f"of {spread.max():.6g}; scale it"
            )
        self.target_shift_ = moments[0]
        self.target_scale_ = np.where(spread > 0, spread, 1.0)

    def _scale_targets(self, targets: Array) -> Array:
        if self.target_scale_ is None:
            return targets
        return (targets - self.target_shift_) / self.target_scale_

    def _loss_offset(self, supply: Supply) -> float:
        if self.network_.architecture.cost.name != "poisson":
            return 0.0
        total = weights = 0.0
        for _, Y, weight in supply.blocks(_ROWS):
            y = Y.astype(np.float64)
            rows = (np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0)), 0.0) - y).sum(axis=1)
            total += float(rows.sum() if weight is None else rows @ weight)
            weights += float(len(y) if weight is None else weight.sum())
        return total / weights

    def _check_unchanged(self, options: SimpleNamespace) -> None:
        super()._check_unchanged(options)
        self._check_same(
            "target", None if self.target_scale_ is None else "standardize", options.target
        )

    def _score_outputs(self, a: Array, targets: Array, weight: Array | None) -> float:
        if not np.isfinite(a).all():
            return float("nan")
        return metrics.r2(a, targets, weight)

    def _prediction_slope(self) -> Array:
        slope = super()._prediction_slope()
        return slope if self.target_scale_ is None else slope * self.target_scale_.astype(slope.dtype)

    def predict(self, X: Any) -> Array:
        """Return predictions, shape (n_samples,) or (n_samples, n_outputs).

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        """
        a = self._outputs(X)
        if self.target_scale_ is not None and self.target_shift_ is not None:
            a = a * self.target_scale_.astype(a.dtype) + self.target_shift_.astype(a.dtype)
        return a[:, 0] if a.shape[1] == 1 else a

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R squared, of several outputs their mean.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        """
        refuse_masked(y, "y")
        refuse_masked(sample_weight, "sample_weight")
        return float(super().score(X, y, sample_weight))

    @available_if(lambda self: self._is_stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on X and y, going on with order, optimizer and counters.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. `preprocessing` and `target` are what the first call learned.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)
