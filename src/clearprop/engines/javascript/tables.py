"""The rows of Python's tables as JavaScript: activations, costs, optimizers, initializers, purposes.

A row that is added in Python is there on the page; what it computes is its own kernel, translated.
"""

from __future__ import annotations

import json

from clearprop import initializers, optimizers, randomness, schedule_free  # noqa: F401 - its row
from clearprop.engines import elementary, neurons, outputs, updates
from clearprop.engines.javascript import functions
from clearprop.engines.javascript.translation import Translation, arrow
from clearprop.engines.language import Kernel

# dC/da of the costs that kernels compute from z: what `Canonical.derivative` gives.
_ERRORS: dict[tuple[str, str | None], Kernel] = {
    ("cross_entropy", "softmax"): functions.error_of_softmax_entropy,
    ("cross_entropy", "sigmoid"): functions.error_of_sigmoid_entropy,
    ("binary_cross_entropy", "sigmoid"): functions.error_of_sigmoid_entropy,
    ("poisson", "exp"): functions.error_of_poisson,
    ("poisson", "softplus"): functions.error_of_poisson,
}
_NUMBERS = "first", "second", "epsilon", "weight_decay"
_MISSING = (
    "ScheduleFreeAdamW",
)  # its mean is handed over: the page's training has no place for it yet
_PURPOSES = "INITIAL_WEIGHTS", "INITIAL_BIASES", "SAMPLE_ORDER", "DROPOUT"


def script() -> str:
    """Return the tables, after the kernels that they name."""
    made = Translation()
    tables = {
        "ACTIVATIONS": {name: made.name(f) for name, f in neurons.ACTIVATIONS.items()},
        "COSTS": {
            f"{cost} {output or ''}": _cost(made, (cost, output)) for cost, output in outputs.COSTS
        },
        "OPTIMIZERS": {
            form: _optimizer(made, form) for form in updates.OPTIMIZERS if form not in _MISSING
        },
        "FORMS": {name: json.dumps(kind.__name__) for name, kind in optimizers.KNOWN.items()},
        "INITIALIZERS": {name: _initializer(name) for name in initializers.INITIALIZERS},
        "PURPOSES": {name: str(getattr(randomness, name)) for name in _PURPOSES},
    }
    for used in (functions.log_one_plus, functions.circle, elementary.turned):
        made.name(used)
    return "\n".join([*made.parts.values(), *(_object(*each) for each in tables.items())])


def _object(name: str, rows: dict[str, str]) -> str:
    lines = [f"  {json.dumps(key)}: {written}," for key, written in rows.items()]
    return "\n".join([f"export const {name} = {{", *lines, "};\n"])


def _cost(made: Translation, key: tuple[str, str | None]) -> str:
    row = outputs.COSTS[key]
    entries = [f"cost: {made.name(row.kernel)}", f"parameter: {json.dumps(row.parameter)}"]
    if row.kernel is outputs.grouped_cost:
        entries.append("groups: true")
    if key in _ERRORS:
        entries.append(f"error: {made.name(_ERRORS[key])}")
    return f"{{ {', '.join(entries)} }}"


def _optimizer(made: Translation, form: str) -> str:
    row = updates.OPTIMIZERS[form]
    entries = [f"follow: {made.name(row.follow)}"]
    entries += [f"{each}: {json.dumps(getattr(row, each))}" for each in _NUMBERS]
    return f"{{ {', '.join(entries)} }}"


def _initializer(name: str) -> str:
    """Write an initializer; its scale is the function in its factory's source."""
    factory = initializers.INITIALIZERS[name]
    example = factory(1.0) if name == "constant" else factory()
    scale = arrow(factory)
    return (
        f"{{ distribution: {json.dumps(example.distribution)}, scale: {scale}, "
        f"parameters: {json.dumps(dict(example.parameters))} }}"
    )
