"""What a wrong number is instead: each likely slip is made on purpose, from the student's own numbers.

Those of the pass backwards are the mistakes of `gradient_check`; those of the pass forwards, of
gradients and of the update are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from clearprop.activations import ACTIVATIONS, Array
from clearprop.classroom.carried import Own
from clearprop.gradient_check.wrong_passes import RULES
from clearprop.gradient_check.wrong_slopes import SLOPES

_USUAL = ("sigmoid", "tanh", "relu")  # that are taken for one another
RARE = ("another_cost", "another_slope", "softmax_axis")  # where one works by hand


class Slip(NamedTuple):
    """A mistake, and the numbers that it leads to."""

    name: str
    sentence: str
    array: Array


def slips(own: Own, quantity: str, layer: int, right: Array) -> Iterator[Slip]:
    """Yield the slips that can be made where a quantity is computed, the likeliest first.

    Parameters
    ----------
    own : Own
        With all that comes before the quantity.
    quantity, layer
    right : ndarray
        What it should be.
    """
    with np.errstate(all="ignore"):
        for slip in _SLIPS[quantity](own, layer, right):
            if slip.array.shape == right.shape:
                yield slip


def _where(own: Own, layer: int) -> str:
    return f"in layer {own.worksheet.glyphs.number(layer)}"


def _z(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    W, b, a = own.weights[layer - 1], own.biases[layer - 1], own.values["a", layer - 1]
    where = _where(own, layer)
    if b is not None:
        yield Slip("no_bias", f"the bias is left out of z {where}", right - b)
        yield Slip("sign", f"the bias is subtracted {where}, where it is added", right - 2 * b)
    if W.size > 1:
        turned = a @ W.reshape(W.shape[::-1]) + (0 if b is None else b)
        said = f"the weights are transposed {where}: row = the unit they lead to, column = where from"
        yield Slip("transposed_weights", said, turned)
    added = 0 if b is None else b
    if layer > 1:
        z = own.values["z", layer - 1]
        said = f"z of the layer before comes in {where}, where its a is meant"
        yield Slip("wrong_input", said, z @ W.T + added)
        if W.shape[1] == own.X.shape[1]:
            yield Slip("wrong_input", f"the inputs x come in {where}", own.X @ W.T + added)
    terms = a[:, None, :] * W
    yield from _of_terms(right, terms, f"of z {where}")


def _of_terms(right: Array, terms: Array, where: str, axis: str = "unit") -> Iterator[Slip]:
    """Yield that one term of a sum is missing, or has the other sign."""
    n = terms.shape[-1]
    for k in range(n) if n > 1 else ():
        term = terms[..., k]
        yield Slip("missing_term", f"the term of {axis} {k + 1} is left out {where}", right - term)
        said = f"the term of {axis} {k + 1} has the other sign in the sum {where}"
        yield Slip("sign", said, right - 2 * term)


def _a(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    z, function, where = own.values["z", layer], own.function(layer), _where(own, layer)
    name = function.name
    yield Slip("missing_activation", f"a is z {where}: {name} is left out", z)
    if not function.elementwise:
        said = f"exp(z) is not divided by the sum of all {where}"
        yield Slip("missing_sum", said, np.exp(z))
        total = np.exp(z).sum(axis=0, keepdims=True)
        yield Slip(
            "softmax_axis", f"exp(z) is divided by the sum over the rows {where}", np.exp(z) / total
        )
        yield Slip(
            "another_activation", f"z is divided by the sum of all z {where}", z / z.sum(1)[:, None]
        )
        return
    yield Slip("sign", f"the sign of z is turned {where}: it is {name} of −z", function(-z))
    yield Slip(
        "slope_for_activation", f"it is the slope f'(z) {where}, where f(z) is meant", function.slope(z)
    )
    for other in _USUAL:
        if other != name:
            said = f"{other} of z is taken {where}, where {name} is meant"
            yield Slip("another_activation", said, ACTIVATIONS[other](z))


def _sample_cost(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    a, y = own.values["a", own.last], own.Y
    yield from _cost_factors(right, "the cost")
    squares = ((a - y) ** 2).sum(axis=1)
    for name, array in (
        ("squared", squares),
        ("quadratic", squares / 2),
        ("absolute", np.abs(a - y).sum(axis=1)),
        ("logarithmic", -(y * np.log(a)).sum(axis=1)),
        ("logarithmic", -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1)),
    ):
        yield Slip("another_cost", f"it is the {name} cost, which is not that of this network", array)
    yield Slip(
        "logarithm", "the logarithm is that to the base 10, where ln is meant", right / np.log(10)
    )


def _cost(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    m = len(own.X)
    if m == 1:
        for name, sentence, array in _sample_cost(own, layer, right[None]):
            yield Slip(name, sentence, array.reshape(()))
        return
    yield from _over_m(right, m, "the costs of the rows")
    yield from _cost_factors(right, "the cost")


def _cost_factors(right: Array, what: str) -> Iterator[Slip]:
    yield Slip("factor", f"the 1/2 of {what} is left out, or a 2 is there too many", 2 * right)
    yield Slip("factor", f"{what} is halved, where it is not meant to be", right / 2)


def _over_m(right: Array, m: int, what: str) -> Iterator[Slip]:
    if m > 1:
        yield Slip("sum_for_mean", f"1/m is left out: the sum of {what} is meant as a mean", m * right)
        yield Slip("sum_for_mean", f"1/m is there twice: {what} are divided by m once", right / m)


def _error(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    where = _where(own, layer)
    yield Slip("sign", f"the sign is turned {where}: it is a − y, and what comes of it", -right)
    if layer == own.last:
        yield Slip("factor", f"the factor of the cost's derivative is not its own {where}", 2 * right)
        yield Slip("factor", f"the factor of the cost's derivative is not its own {where}", right / 2)
        return
    yield from _carried(own, layer, lambda error: error)
    W, delta = own.weights[layer], own.values["delta", layer + 1]
    yield from _of_terms(right, delta[:, None, :] * W.T, f"of dC/da {where}")


def _carried(own: Own, layer: int, then: Callable[[Array], Array]) -> Iterator[Slip]:
    """Yield what is done wrongly on the way back to a layer, through the weights of the next."""
    made, at = own.made, layer - 1
    error, delta = own.values["error", layer + 1], own.values["delta", layer + 1]
    for rule in RULES:
        if rule.carry is not None and rule.applies(made, at):
            yield Slip(
                rule.name, _said(own, rule.sentence, layer), then(rule.carry(made, at, error, delta))
            )
    if own.worksheet.learning_rate is not None:
        step = own.rate * own.right("weight_gradient", layer + 1)
        said = (
            f"the weights are updated {_where(own, layer + 1)} before delta goes back through them: "
            "those from before the step are meant (X36)"
        )
        yield Slip("early_update", said, then(delta @ (own.weights[layer] - step)))


def _said(own: Own, sentence: str, layer: int) -> str:
    """Return a sentence of `gradient_check` with the notation's numbers of the layers."""
    number = own.worksheet.glyphs.number(layer)
    which = f"layer {number}" + (", the output" if layer == own.last else "")
    return sentence.format(where=f"in {which}", which=which, after=f"layer {number + 1}")


def _delta(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    made, at, error = own.made, layer - 1, own.values["error", layer]
    function, where = own.function(layer), _where(own, layer)
    rules = [rule for rule in (*RULES, *SLOPES) if rule.delta is not None and rule.applies(made, at)]
    for rule in sorted(rules, key=lambda rule: rule.name in RARE):
        if rule.delta is not None:
            yield Slip(rule.name, _said(own, rule.sentence, layer), rule.delta(made, at, error))
    yield Slip("sign", f"the sign is turned {where}: delta begins with a − y", -right)
    if layer < own.last:
        if ("error", layer) not in {key[:2] for key in own.worksheet.asked}:
            yield from _carried(
                own, layer, lambda made: function.backward(own.values["z", layer], made)
            )
            slope = function.slope(own.values["z", layer])[:, :, None]
            terms = own.values["delta", layer + 1][:, None, :] * own.weights[layer].T * slope
            yield from _of_terms(right, terms, f"of delta {where}")
        alone = np.broadcast_to(own.values["delta", layer + 1].sum(axis=1)[:, None], right.shape)
        said = f"the weights are left out {where}: delta goes back through them (BP2)"
        yield Slip("missing_weights", said, alone * function.slope(own.values["z", layer]))
    yield from _cost_factors(right, "delta")
    yield from _over_m(right, len(own.X), "delta")


def _weight_gradient(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    delta, a, m, at = own.values["delta", layer], own.values["a", layer - 1], len(own.X), layer - 1
    where = _where(own, layer)
    yield from _over_m(right, m, "delta times a")
    for rule in RULES:
        if rule.source is not None and rule.applies(own.made, at):
            source = rule.source(own.made, at)
            if source.shape == a.shape:
                array = own.scale * (delta.T @ source)
                yield Slip(rule.name, _said(own, rule.sentence, layer), array)
    if right.size > 1:
        said = f"rows and columns are exchanged {where}: row = the unit that the weight leads to"
        yield Slip("transposed_weights", said, right.T.reshape(right.shape))
    alone = np.broadcast_to((own.scale * delta.sum(axis=0))[:, None], right.shape)
    yield Slip("missing_input", f"it is delta alone {where}: times a of the layer before (BP4)", alone)
    of_a = np.broadcast_to((own.scale * a.sum(axis=0))[None, :], right.shape)
    yield Slip("missing_delta", f"it is a alone {where}: times delta (BP4)", of_a)
    error = own.scale * (own.values["error", layer].T @ a)
    said = f"dC/da is multiplied by a {where}, where delta is meant: the slope is left out (BP4)"
    yield Slip("missing_slope", said, error)
    yield from _of_rows(own, right, lambda row: np.outer(delta[row], a[row]), where)
    yield from _signs_of_gradient(own, right, where)


def _bias_gradient(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    delta, where = own.values["delta", layer], _where(own, layer)
    yield from _over_m(right, len(own.X), "delta")
    for rule in RULES:
        if rule.bias is not None and rule.applies(own.made, layer - 1) and right.size > 1:
            array = own.scale * np.asarray(rule.bias(delta))
            yield Slip(rule.name, _said(own, rule.sentence, layer), array)
    if (b := own.biases[layer - 1]) is not None:
        yield Slip(
            "bias_for_gradient", f"the bias itself stands {where}, where its gradient is meant", b
        )
        said = f"delta is multiplied by the bias {where}: the slope of z by it is 1 (BP3)"
        yield Slip("factor", said, right * b)
    yield from _of_rows(own, right, lambda row: delta[row], where)
    yield from _signs_of_gradient(own, right, where)


def _of_rows(own: Own, right: Array, of: Callable[[int], Array], where: str) -> Iterator[Slip]:
    m = len(own.X)
    for row in (m - 1, 0) if m > 1 else ():
        said = f"it is the gradient of row {row + 1} alone {where}: the rows are added up"
        yield Slip("one_sample", said, of(row))
        yield Slip("one_sample", said, of(row) / m)


def _signs_of_gradient(own: Own, right: Array, where: str) -> Iterator[Slip]:
    yield Slip("sign", f"the sign of the gradient is turned {where}", -right)
    if own.rate:
        said = f"the gradient is multiplied by the learning rate already {where}: that is of the update"
        yield Slip("learning_rate", said, own.rate * right)


def _after(own: Own, before: Array, gradient: Array, right: Array, where: str) -> Iterator[Slip]:
    m, step = len(own.X), own.rate * gradient
    yield Slip(
        "sign", f"the step goes along the gradient {where}, where it goes against it", before + step
    )
    yield Slip("learning_rate", f"the learning rate is left out of the step {where}", before - gradient)
    yield Slip("update", f"it is the step alone {where}: it is subtracted from what was there", step)
    yield Slip("update", f"it is the step alone {where}: it is added to what was there", -step)
    yield Slip("update", f"nothing is changed {where}", before)
    if m > 1:
        said = f"1/m is left out of the step {where}, or there twice"
        yield Slip("sum_for_mean", said, before - m * step)
        yield Slip("sum_for_mean", said, before - step / m)


def _weight_after(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    W, dW = own.weights[layer - 1], own.values["weight_gradient", layer]
    yield from _after(own, W, dW, right, _where(own, layer))
    if W.shape[0] == W.shape[1] > 1:
        said = f"the gradient is transposed {_where(own, layer)}: each weight has its own"
        yield Slip("transposed_weights", said, W - own.rate * dW.T)


def _bias_after(own: Own, layer: int, right: Array) -> Iterator[Slip]:
    b, db = own.biases[layer - 1], own.values["bias_gradient", layer]
    if b is not None:
        yield from _after(own, b, db, right, _where(own, layer))


_SLIPS: dict[str, Callable[[Own, int, Array], Iterator[Slip]]] = {
    "z": _z,
    "a": _a,
    "sample_cost": _sample_cost,
    "cost": _cost,
    "error": _error,
    "delta": _delta,
    "weight_gradient": _weight_gradient,
    "bias_gradient": _bias_gradient,
    "weight_after": _weight_after,
    "bias_after": _bias_after,
}
