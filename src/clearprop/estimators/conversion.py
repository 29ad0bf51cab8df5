"""Weights from scikit-learn's multilayer perceptrons, and back, with equal predictions."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn import neural_network
from sklearn.base import is_classifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from clearprop.estimators import presets
from clearprop.estimators.arguments import Arguments
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.learned import Learned
from clearprop.estimators.tasks import Classification, as_labels
from clearprop.model.targets import Classes, Indicators, Targets, Units
from clearprop.traceable import refuse_members

_THEIR_ACTIVATIONS = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
_COPIED = [
    "n_iter_",
    "t_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "feature_names_in_",
    "n_features_in_",
]


def from_sklearn(cls: type[Any], estimator: Any) -> Any:
    """Return an estimator of class `cls` with the arguments and weights of scikit-learn's.

    Raises
    ------
    TypeError
        If it is another estimator.
    NotFittedError
        If it is not fitted.
    """
    theirs = _their_class(cls)
    if not isinstance(estimator, theirs):
        raise TypeError(f"estimator must be a scikit-learn {theirs.__name__}, got {estimator!r}")
    check_is_fitted(estimator)
    made = cls(**estimator.get_params(deep=False))
    coefs, intercepts = estimator.coefs_, estimator.intercepts_
    fitter = Fitter(made)
    sizes = tuple(W.shape[1] for W in coefs[:-1])
    fitter.options = dataclasses.replace(fitter.options, sizes=sizes)
    dtype = "float32" if coefs[0].dtype == np.float32 else "float64"
    learned = Learned((), None, _targets(estimator), len(coefs[0]), coefs[-1].shape[1])
    fitter.begin(learned, dtype, fitter.seed(fitter.random_state()))
    fitter.start_from(list(zip(coefs, intercepts, strict=True)))
    for name in _COPIED:
        if hasattr(estimator, name):
            setattr(made, name, getattr(estimator, name))
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        made.network_.feature_names = tuple(map(str, names))
    made.loss_curve_ = list(getattr(estimator, "loss_curve_", []))
    return made


def _targets(estimator: Any) -> Targets:
    if not is_classifier(estimator):
        return Units()
    classes = as_labels(np.array(estimator.classes_), "classes")
    binarizer = estimator._label_binarizer
    if binarizer.y_type_ == "multilabel-indicator":
        return Indicators(len(classes), binarizer.sparse_input_)
    return Classification().of_classes(classes)


def _their_class(cls: type[Any]) -> type[Any]:
    theirs: type[Any] = (
        neural_network.MLPClassifier if cls._task.kind == "classifier" else neural_network.MLPRegressor
    )
    return theirs


def to_sklearn(estimator: Arguments) -> Any:
    """Return a fitted estimator of scikit-learn's; linear preprocessing goes into the weights.

    Raises
    ------
    ValueError
        If scikit-learn has no such network.
    """
    theirs = _their_class(type(estimator))
    net = estimator.network_
    refuse_members("an estimator of scikit-learn's", net.parameters)
    if net.architecture.embedding is not None:
        raise ValueError(
            f"scikit-learn has no embeddings, the network has {net.architecture.embedding.kind!r}"
        )
    targets = net.model.targets
    if isinstance(targets, Classes) and (targets.calibration or targets.threshold is not None):
        raise ValueError(
            "scikit-learn's networks have no temperature and no threshold, this one has; "
            "calibrate=False and threshold=None leave them out"
        )
    if isinstance(targets, Units) and targets.quantiles:
        raise ValueError("scikit-learn's networks have no quantiles, this one has three")
    hidden = {_THEIR_ACTIVATIONS.get(layer.function.name) for layer in net.layers[:-1]}
    hidden = hidden or {"relu"}
    if None in hidden or len(hidden) > 1:
        names = ", ".join(layer.function.name for layer in net.layers[:-1])
        raise ValueError(f"scikit-learn has one of its activations for all layers, got {names}")
    kind = net.model.targets.kind
    if kind in ("single", "multiclass-multioutput") or (
        kind == "binary" and net.sizes[-1] == 2 and estimator.out_activation_ == "softmax"
    ):
        raise ValueError(f"scikit-learn has no such output layer: {kind}, {net.sizes[-1]} outputs")
    if any(bias is None for bias in net.biases):
        raise ValueError("scikit-learn has biases in every layer")
    made = theirs(**_their_arguments(estimator, theirs, str(hidden.pop())))
    made.coefs_ = [W.T.copy() for W in net.weights]
    made.intercepts_ = [b.copy() for b in net.biases if b is not None]
    _fold(estimator, made)
    made.n_layers_, made.n_outputs_ = estimator.n_layers_, estimator.n_outputs_
    made.out_activation_ = estimator.out_activation_
    for name in _COPIED:
        if hasattr(estimator, name):
            setattr(made, name, getattr(estimator, name))
    if not isinstance(net.model.targets, Units):
        binarizer = LabelBinarizer().fit(estimator.classes_)
        if isinstance(net.model.targets, Indicators):
            example = np.eye(len(estimator.classes_), dtype=int)
            binarizer.fit(csr_array(example) if net.model.targets.sparse else example)
        made._label_binarizer, made.classes_ = binarizer, binarizer.classes_
    return made


def _their_arguments(estimator: Arguments, theirs: type[Any], activation: str) -> dict[str, Any]:
    known = inspect.signature(theirs.__init__).parameters
    explicit = presets.given(estimator)
    chosen = {
        name: presets.argument(estimator, estimator._task.kind, name, explicit)
        for name in estimator.get_params(deep=False)
        if name in known
    }
    chosen["activation"] = activation
    chosen["hidden_layer_sizes"] = tuple(estimator.network_.sizes[1:-1])
    if chosen.get("loss") not in (None, "squared_error", "poisson"):
        chosen["loss"] = "squared_error"  # what is left of it in a prediction: identity outputs
    if chosen["solver"] not in ("lbfgs", "sgd", "adam"):
        chosen["solver"] = "adam"
    if chosen["learning_rate"] not in ("constant", "invscaling", "adaptive"):
        chosen["learning_rate"] = "constant"
    if chosen["verbose"] == "bar":
        chosen["verbose"] = True
    return chosen


def _fold(estimator: Arguments, made: Any) -> None:
    """Take preprocessing into the first layer, and the targets' scale into the last."""
    then = estimator.preprocessing_
    if then.scaling is not None:
        if then.clips:
            raise ValueError(
                "scikit-learn has no smooth clip: preprocessing='robust' cannot move there"
            )
        W = made.coefs_[0].astype(np.float64) * then.scaling.factor[:, None]
        made.intercepts_[0] = (made.intercepts_[0] - then.scaling.shift @ W).astype(
            made.coefs_[0].dtype
        )
        made.coefs_[0] = W.astype(made.coefs_[0].dtype)
    scale = getattr(estimator, "target_scale_", None)
    if scale is not None:
        dtype = made.coefs_[-1].dtype
        made.coefs_[-1] = (made.coefs_[-1] * scale).astype(dtype)
        shift = estimator.target_shift_
        made.intercepts_[-1] = (made.intercepts_[-1] * scale + shift).astype(dtype)
