"""What is searched: RealMLP's space, as far as the estimators have it.

Layers, widths, dropout, label smoothing, learning rate, weight decay and the second moment's share are
those of RealMLP (Holzmueller et al. 2024) as TabArena searches them (autogluon/tabarena, hpo.py of
realmlp); that a rate may also be 0 is of TabM's space (Gorishniy et al. 2024). 128 neurons and no
embedding are here because a CPU is quick with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearprop.estimators.options import Options
from clearprop.schedules import Schedule

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

_WIDTHS, _LAYERS = (128, 256, 384, 512), (2, 4)
_ACTIVATIONS = ("selu", "mish", "relu")
_EMBEDDINGS = ("none", "pl", "plr", "plr-lite", "pbld")
_RANGES = {  # all but the first on a logarithmic scale
    "dropout": (0.05, 0.5),
    "learning_rate": (0.02, 0.3),
    "weight_decay": (1e-3, 0.05),
    "one_less_beta_2": (0.005, 0.05),
    "label_smoothing": (0.005, 0.1),
}


def fixed_by(options: Options) -> frozenset[str]:
    """Return the arguments that are not searched: those that were given, and what follows from them.

    Raises
    ------
    ValueError
        If the solver makes no steps, which most of the space is about.
    """
    if options.lbfgs:
        raise ValueError("tune searches networks that learn in steps, got solver='lbfgs'")
    found = set(options.given)
    if not isinstance(options.solver, str):  # an optimizer with rates and shares of its own
        found |= {"learning_rate_init", "beta_2"}
    if "learning_rate" in found and not isinstance(options.learning_rate, str):
        found.add("learning_rate_init")
    return frozenset(found)


def suggest(trial: BaseTrial, kind: str, fixed: frozenset[str]) -> dict[str, Any]:
    """Return arguments of an estimator that a trial is to try.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        Draws each parameter, and remembers it.
    kind : {"classifier", "regressor"}
    fixed : frozenset of str
        Arguments that are not searched.
    """
    found: dict[str, Any] = {}
    if "hidden_layer_sizes" not in fixed:
        width = trial.suggest_categorical("width", _WIDTHS)
        found["hidden_layer_sizes"] = (width,) * trial.suggest_int("layers", *_LAYERS)
    if "activation" not in fixed:
        found["activation"] = trial.suggest_categorical("activation", _ACTIVATIONS)
    if "embedding" not in fixed:
        name = trial.suggest_categorical("embedding", _EMBEDDINGS)
        found["embedding"] = None if name == "none" else name
    if "learning_rate_init" not in fixed:
        found["learning_rate_init"] = _number(trial, "learning_rate")
    if "dropout" not in fixed:
        found["dropout"] = _number(trial, "dropout") if _choice(trial, "drops_out") else 0.0
    if not fixed & {"solver", "weight_decay"} and _choice(trial, "decays"):
        found |= {"solver": "adamw", "weight_decay": _number(trial, "weight_decay")}
    if "beta_2" not in fixed:
        found["beta_2"] = 1.0 - _number(trial, "one_less_beta_2")
    if "averaging" not in fixed and not _choice(trial, "averages"):
        found["averaging"] = 0.0
    if kind == "classifier" and "label_smoothing" not in fixed:
        smooths = _choice(trial, "smooths")
        found["label_smoothing"] = _number(trial, "label_smoothing") if smooths else 0.0
    return found


def begin_with(options: Options, fixed: frozenset[str]) -> dict[str, Any] | None:
    """Return the parameters of the first trial: what the estimator is anyway.

    None where that lies outside the space.
    """
    sizes, rate = set(options.sizes), options.learning_rate_init
    found: dict[str, Any] = {
        "width": max(sizes, default=0),
        "layers": len(options.sizes),
        "activation": options.activation,
        "embedding": options.embedding or "none",
        "learning_rate": float(rate),
        "drops_out": bool(options.dropout),
        "decays": options.weight_decay is not None,
        "one_less_beta_2": round(1.0 - float(options.beta_2), 12),
        "averages": bool(options.averaging),
        "smooths": bool(options.label_smoothing),
    }
    of_rates = {
        "dropout": (options.dropout, found["drops_out"]),
        "weight_decay": (options.weight_decay, found["decays"]),
        "label_smoothing": (options.label_smoothing, found["smooths"]),
    }
    found |= {name: value for name, (value, is_on) in of_rates.items() if is_on}
    known = {"width": _WIDTHS, "layers": range(_LAYERS[0], _LAYERS[1] + 1),
             "activation": _ACTIVATIONS, "embedding": _EMBEDDINGS}  # fmt: skip
    searched = {
        "width": "hidden_layer_sizes",
        "layers": "hidden_layer_sizes",
        "learning_rate": "learning_rate_init",
        "one_less_beta_2": "beta_2",
    }
    for name, value in found.items():
        if searched.get(name, name) in fixed:
            continue
        low, high = _RANGES.get(name, (0.0, 1.0))
        number = not isinstance(value, Schedule)
        there = value in known[name] if name in known else number and low <= value <= high
        if not there or (name == "width" and len(sizes) > 1):
            return None
    return found


def _choice(trial: BaseTrial, name: str) -> bool:
    return bool(trial.suggest_categorical(name, (True, False)))


def _number(trial: BaseTrial, name: str) -> float:
    return float(trial.suggest_float(name, *_RANGES[name], log=name != "dropout"))
