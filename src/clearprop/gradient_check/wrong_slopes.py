"""The mistakes in what a pass backwards does with the slope of an activation: BP1, BP2 and f'."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clearprop.activations import ACTIVATIONS, Activation, Array
from clearprop.gradient_check.wrong_passes import Pass, Rule

_LEAKY = ("leaky_relu", "elu", "selu")
_RECTIFIERS = ("relu", "leaky_relu")


def _function(made: Pass, layer: int) -> Activation:
    return made.architecture.layers[layer].function


def _slope(made: Pass, layer: int) -> Array:
    return _function(made, layer).slope(made.passed.z[layer])


def _elementwise(made: Pass, layer: int) -> bool:
    return _function(made, layer).elementwise


def _named(*names: str) -> Callable[[Pass, int], bool]:
    return lambda made, layer: _function(made, layer).name in names


def _neighbour(step: int) -> Callable[[Pass, int], bool]:
    """Return where the layer so many further on is of the same size, so that its z can be taken."""

    def applies(made: Pass, layer: int) -> bool:
        other = layer + step
        sizes = made.architecture.sizes[1:]
        return 0 <= other <= made.last and sizes[other] == sizes[layer] and _elementwise(made, layer)

    return applies


def _of_neighbour(step: int) -> Callable[[Pass, int, Array], Array]:
    def delta(made: Pass, layer: int, error: Array) -> Array:
        return error * _function(made, layer).slope(made.passed.z[layer + step])

    return delta


def _another(name: str) -> Rule:
    """Return the rule that the slope at z is that of another activation."""
    other = ACTIVATIONS[name]
    return Rule(
        "another_slope",
        f"the slope of {name} is taken {{where}}, where that of its own activation is meant",
        delta=lambda made, layer, error: error * other.slope(made.passed.z[layer]),
        applies=lambda made, layer: _elementwise(made, layer) and _function(made, layer) != other,
    )


def _of_a(name: str, formula: str, slope: Callable[[Array], Array]) -> Rule:
    """Return the rule that a formula is used that holds for one activation alone."""
    return Rule(
        "another_slope",
        f"the slope is {formula} {{where}}, which is that of {name} alone",
        delta=lambda made, layer, error: error * slope(made.passed.a[layer + 1]),
        applies=lambda made, layer: (
            _elementwise(made, layer)
            and _function(made, layer).name != name
            # of a canonical output a(1 - a) is the slope that was kept
            and not (layer == made.last and made.canonical)
        ),
    )


SLOPES = (
    Rule(
        "slope_at_activation",
        "the slope is taken at a {where}: f'(a), where f'(z) is meant (X6)",
        delta=lambda made, layer, error: _function(made, layer).backward(
            made.passed.a[layer + 1], error
        ),
    ),
    Rule(
        "error_dropped",
        "delta is the slope f'(z) alone {where}: the dC/da that comes from above is thrown away "
        "(BP1, BP2)",
        delta=lambda made, layer, error: _slope(made, layer),
        applies=_elementwise,
    ),
    Rule(
        "slope_of_error",
        "delta is e(1 - e) of the error e {where}: a(1 - a) is a formula for the activation a, and "
        "multiplies e",
        delta=lambda made, layer, error: error * (1.0 - error),
        applies=_named("sigmoid"),
    ),
    Rule(
        "slope_of_error",
        "delta is 1 - e^2 of the error e {where}: 1 - a^2 is a formula for the activation a, and "
        "multiplies e",
        delta=lambda made, layer, error: 1.0 - error * error,
        applies=_named("tanh"),
    ),
    Rule(
        "slope_of_error",
        "the slope is taken at dC/da {where}: f'(dC/da), where f'(z) is meant",
        delta=lambda made, layer, error: error * _function(made, layer).slope(error),
        applies=lambda made, layer: (
            _elementwise(made, layer) and _function(made, layer).name not in _RECTIFIERS
        ),
    ),
    Rule(
        "mask_of_error",
        "what is kept is where dC/da is positive {where}, where z positive is meant",
        delta=lambda made, layer, error: error * _function(made, layer).slope(error),
        applies=_named(*_RECTIFIERS),
    ),
    Rule(
        "negative_side",
        "the negative side is the slope alone {where}, where the slope times dC/da is meant",
        delta=lambda made, layer, error: np.where(
            made.passed.z[layer] > 0, error * _slope(made, layer), _slope(made, layer)
        ),
        applies=_named(*_LEAKY),
    ),
    Rule(
        "slope_twice",
        "the slope f'(z) is multiplied twice {where}",
        delta=lambda made, layer, error: error * _slope(made, layer) ** 2,
        applies=lambda made, layer: (
            _elementwise(made, layer) and not (layer == made.last and made.canonical)
        ),
    ),
    *(
        Rule(
            "slope_of_neighbour",
            f"the slope is taken at z of the layer {which} {{where}}, where that of its own z is meant",
            delta=_of_neighbour(step),
            applies=_neighbour(step),
        )
        for step, which in ((1, "after"), (-1, "before"))
    ),
    *(_another(name) for name, each in ACTIVATIONS.items() if each.elementwise and name != "identity"),
    _of_a("sigmoid", "a(1 - a)", lambda a: a * (1.0 - a)),
    _of_a("tanh", "1 - a^2", lambda a: 1.0 - a * a),
)
