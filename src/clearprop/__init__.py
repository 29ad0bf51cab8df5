"""Feed-forward neural networks trained by explicit backpropagation.

A network you can see through: `Network` trains and predicts, `Network.trace` shows one exact pass,
`check_gradient` proves a gradient. To read the mathematics, open ``activations``, ``costs``,
``architecture`` and ``backprop``, in this order.
"""

from typing import TYPE_CHECKING, Any

from clearprop import costs, data, initializers, metrics, schedules
from clearprop.activations import Activation
from clearprop.architecture import Layer, Scaling
from clearprop.checkpoint import CheckpointError
from clearprop.costs import Cost
from clearprop.diagnosis import DiagnosisCallback, diagnose
from clearprop.explain import Notation, Trace, explain, notation, nudge, path_sum
from clearprop.gradient_check import GradientCheck, check_gradient
from clearprop.network import Network, load
from clearprop.optimizers import LBFGS, SGD, Adam, AdamW, RMSProp
from clearprop.trace import Gradient
from clearprop.training import DivergenceError, EarlyStopping, History, Training

if TYPE_CHECKING:
    from clearprop.estimators import MLPClassifier, MLPRegressor

__version__ = "0.1.0"
__all__ = [
    "LBFGS",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "CheckpointError",
    "Cost",
    "DiagnosisCallback",
    "DivergenceError",
    "EarlyStopping",
    "Gradient",
    "GradientCheck",
    "History",
    "Layer",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "Notation",
    "RMSProp",
    "Scaling",
    "Trace",
    "Training",
    "check_gradient",
    "costs",
    "data",
    "diagnose",
    "explain",
    "initializers",
    "load",
    "metrics",
    "notation",
    "nudge",
    "path_sum",
    "schedules",
]


def __getattr__(name: str) -> Any:
    """Import the estimators when they are first asked for: they bring scikit-learn with them."""
    if name in ("MLPClassifier", "MLPRegressor"):
        from clearprop import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'clearprop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
