"""What the page offers to choose, from Python's own tables: functions, costs, optimizers, first draws.

A number that goes with a choice, such as a momentum, is described with what may be put in: that is
asked of the thing itself, by making it with 0, 1 and -1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from clearprop import costs, initializers, optimizers
from clearprop.activations import ACTIVATIONS
from clearprop.costs import CLASSES, COUNTS, Cost
from clearprop.data.targets import MISSING
from clearprop.explain.notation import NOTATIONS, Notation

OPTIMIZERS: Mapping[str, tuple[str, optimizers.Optimizer]] = {
    "sgd": ("SGD", optimizers.SGD()),
    "momentum": ("SGD with momentum", optimizers.SGD(momentum=0.9)),
    "nesterov": ("SGD, Nesterov's momentum", optimizers.SGD(momentum=0.9, nesterov=True)),
    "rmsprop": ("RMSProp", optimizers.RMSProp()),
    "adam": ("Adam", optimizers.Adam()),
    "adamw": ("AdamW", optimizers.AdamW()),
}
_FIRST = "tanh", "sigmoid", "relu"  # of the activations, for the others are rarer
_CONSTANT = 0.5


def offers() -> dict[str, Any]:
    """Return every table, as JSON has it."""
    hidden = [name for name, each in ACTIVATIONS.items() if each.elementwise]
    return {
        "activations": [*_FIRST, *(name for name in hidden if name not in _FIRST)],
        "optimizers": {name: _optimizer(*each) for name, each in OPTIMIZERS.items()},
        "initializers": {name: _initializer(name) for name in initializers.INITIALIZERS},
        "outputs": {"classes": _of_classes(), "quantity": _of_quantities()},
        "missing": sorted(MISSING),
        "notations": {name: _notation(each) for name, each in NOTATIONS.items()},
    }


def _notation(its: Notation) -> dict[str, Any]:
    """Describe letters and how layers are counted; the page's numbers stay derivatives."""
    book, kept = (
        its.source.partition(":")[2].strip(),
        ("layer_base", "weight_owner", "superscript_style"),
    )
    letters = {
        "w": its.weight_symbol,
        "W": its.matrix_symbol,
        "b": its.bias_symbol,
        "C": its.cost_symbol,
        "δ": its.delta_symbol,
    }
    differs = {
        "minus the derivative is what the book calls δ and gradient": its.delta_sign < 0,
        "its cost is without ½: squared error has its numbers": its.cost_scale == 1.0,
        "it adds up a batch where the page takes the mean": its.reduction_in == "none",
    }
    notes = [note for note, there in differs.items() if there]
    return {"book": book, "letters": letters, "notes": notes} | {
        name: getattr(its, name) for name in kept
    }


def _optimizer(title: str, made: optimizers.Optimizer) -> dict[str, Any]:
    """Describe an optimizer; a momentum that is 0 is none."""
    said = optimizers.describe(made)
    numbers = {name: x for name, x in said.items() if isinstance(x, float) and x}
    return {"title": title, "is": said, "numbers": _numbers(numbers, partial(replace, made))}


def _initializer(name: str) -> dict[str, Any]:
    factory = initializers.INITIALIZERS[name]
    example = factory(_CONSTANT) if name == "constant" else factory()
    numbers = _numbers(example.parameters, factory)
    return {"title": name.replace("_", " "), "is": {"name": name}, "numbers": numbers}


def _numbers(given: Mapping[str, float], make: Callable[..., object]) -> list[dict[str, Any]]:
    """Describe numbers: what each is at first, and whether it may be 0, below 0, 1 or more."""

    def may(name: str, number: float) -> bool:
        try:
            make(**{name: number})
        except ValueError:
            return False
        return True

    ends = {"zero": 0.0, "negative": -1.0, "large": 1.0}
    return [
        {"name": name, "value": value} | {key: may(name, end) for key, end in ends.items()}
        for name, value in given.items()
    ]


# Costs, with the outputs that they are computed for


def _of_classes() -> dict[str, Any]:
    """Return the costs of classes; a quantity's costs compare sigmoid outputs with 0 and 1."""
    found: dict[str, Any] = {}
    for name in sorted(costs.COSTS, key=lambda name: not costs.COSTS[name]().one_output):
        cost = costs.COSTS[name]()
        if cost.kind == CLASSES:
            for output in cost.canonical:
                found[_key(cost, output)] = _cost(cost, output)
        elif cost.kind != COUNTS:
            found[name] = _cost(cost, "sigmoid")
    return found


def _of_quantities() -> dict[str, Any]:
    made = [factory() for factory in costs.COSTS.values()]
    found = {cost.name: _cost(cost, "identity") for cost in made if cost.kind not in (CLASSES, COUNTS)}
    counts = [cost for cost in made if cost.kind == COUNTS]
    return found | {_key(c, output): _cost(c, output) for c in counts for output in c.canonical}


def _key(cost: Cost, output: str) -> str:
    return cost.name if output == cost.usual_outputs[1] else f"{cost.name}_{output}"


def _cost(cost: Cost, output: str) -> dict[str, Any]:
    return {
        "title": f"{output}, {cost.name.replace('_', ' ')}",
        "output": output,
        "is": {"name": cost.name, "reduction": cost.reduction},
        "two": cost.one_output,
        "numbers": _numbers(cost.parameters, costs.FACTORIES[cost.name]),
        "counts": cost.kind == COUNTS,
    }
