"""Feed-forward neural networks trained by explicit backpropagation.

A network you can see through: `Network` trains and predicts, `Network.trace` shows one exact pass,
`check_gradient` proves a gradient. To read the mathematics, open ``activations``, ``costs``,
``architecture`` and ``backprop``, in this order.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clearprop import forks, rarer_activations, rarer_costs  # noqa: F401 - their rows

if TYPE_CHECKING:
    from clearprop import costs, data, embeddings, initializers, metrics, schedules
    from clearprop.activations import Activation
    from clearprop.architecture import Layer
    from clearprop.checkpoint import CheckpointError
    from clearprop.classroom import grade, worksheets
    from clearprop.costs import Cost
    from clearprop.data.scaling import Scaling
    from clearprop.diagnosis import DiagnosisCallback
    from clearprop.diagnosis.diagnose import diagnose
    from clearprop.estimators import MLPClassifier, MLPRegressor
    from clearprop.explain import Notation, Trace, explain, notation, path_sum
    from clearprop.explain.nudge import nudge
    from clearprop.exploration import explore
    from clearprop.gradient_check import GradientCheck, check_gradient
    from clearprop.incoming import from_onnx, from_torch, from_weights
    from clearprop.loading import load
    from clearprop.network import Network
    from clearprop.optimizers import LBFGS, SGD, Adam, AdamW, RMSProp
    from clearprop.reporting import report
    from clearprop.schedule_free import ScheduleFreeAdamW
    from clearprop.trace import Gradient
    from clearprop.training import DivergenceError, EarlyStopping, History
    from clearprop.training.training import Training
    from clearprop.tuning import cross_validate, tune
    from clearprop.watching import Watch

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
    "ScheduleFreeAdamW",
    "Trace",
    "Training",
    "Watch",
    "check_gradient",
    "costs",
    "cross_validate",
    "data",
    "diagnose",
    "embeddings",
    "explain",
    "explore",
    "from_onnx",
    "from_torch",
    "from_weights",
    "grade",
    "initializers",
    "load",
    "metrics",
    "notation",
    "nudge",
    "path_sum",
    "report",
    "schedules",
    "tune",
    "worksheets",
]


# What is imported when it is first asked for: importing the package is as quick as importing NumPy.
_LATER = {
    "activations": ("Activation",),
    "architecture": ("Layer",),
    "checkpoint": ("CheckpointError",),
    "classroom": ("grade", "worksheets"),
    "costs": ("Cost",),
    "data.scaling": ("Scaling",),
    "diagnosis": ("DiagnosisCallback", "diagnose"),
    "estimators": ("MLPClassifier", "MLPRegressor"),
    "explain": ("Notation", "Trace", "explain", "notation", "nudge", "path_sum"),
    "exploration": ("explore",),
    "incoming": ("from_onnx", "from_torch", "from_weights"),
    "gradient_check": ("GradientCheck", "check_gradient"),
    "loading": ("load",),
    "network": ("Network",),
    "optimizers": ("LBFGS", "SGD", "Adam", "AdamW", "RMSProp"),
    "reporting": ("report",),
    "schedule_free": ("ScheduleFreeAdamW",),
    "trace": ("Gradient",),
    "training": ("DivergenceError", "EarlyStopping", "History"),
    "training.training": ("Training",),
    "tuning": ("cross_validate", "tune"),
    "watching": ("Watch",),
}


def __getattr__(name: str) -> Any:
    for package, names in _LATER.items():
        if name in names:
            with forks.LOCK:
                found = globals()[name] = getattr(import_module(f"clearprop.{package}"), name)
            return found
    if not name.startswith("_") and find_spec(f"clearprop.{name}"):  # costs, data, schedules, ...
        with forks.LOCK:
            return import_module(f"clearprop.{name}")
    raise AttributeError(f"module 'clearprop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


class _Package(ModuleType):
    """Keeps ``clearprop.explain`` the function, also when its package of that name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "explain" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __reduce__(self) -> Any:
        return import_module, (
            self.__name__,
        )  # joblib's processes get functions that name it, by value


sys.modules[__name__].__class__ = _Package
