"""What each number should be after those that a student has written before it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from clearprop.activations import Array
from clearprop.gradient_check.wrong_passes import Pass

if TYPE_CHECKING:
    from clearprop.classroom.sheet import Worksheet

# The slope as it is got from a, by those who do.
_OF_A = {
    "sigmoid": lambda a: a * (1.0 - a),
    "tanh": lambda a: 1.0 - a * a,
    "relu": lambda a: (a > 0).astype(a.dtype),
}


class Own:
    """A pass that goes on from whatever numbers are put into it.

    `values` has the arrays of the pass by quantity and weight layer, 1..L, as far as it has come; each
    is computed by `right` from those before it.
    """

    sample_weight: Array | None = None

    def __init__(self, worksheet: Worksheet) -> None:
        self.worksheet, self.architecture = worksheet, worksheet.net.architecture
        self.parameters = worksheet.net.parameters
        self.X, self.Y = worksheet.trace.X, worksheet.trace.Y
        self.weights, self.biases = self.architecture.views(self.parameters)
        self.last = len(self.weights)
        self.scale = self.architecture.cost.scale(len(self.X))
        self.values: dict[tuple[str, int], Array] = {("a", 0): self.X}

    def order(self) -> Iterator[tuple[str, int]]:
        """Yield the quantities in the order of a pass."""
        for layer in range(1, self.last + 1):
            yield from (("z", layer), ("a", layer))
        yield from (("sample_cost", 0), ("cost", 0))
        for layer in range(self.last, 0, -1):
            yield from (("error", layer), ("delta", layer))
        kinds = ("gradient", "after") if self.worksheet.learning_rate is not None else ("gradient",)
        for kind in kinds:
            for layer in range(1, self.last + 1):
                yield f"weight_{kind}", layer
                if self.biases[layer - 1] is not None:
                    yield f"bias_{kind}", layer

    def right(self, quantity: str, layer: int) -> Array:
        """Return the array that follows from those before it."""
        with np.errstate(all="ignore"):
            found: Array = np.asarray(getattr(self, f"_{quantity}")(layer), np.float64)
        return found

    def alike(self, quantity: str, layer: int) -> Iterator[Array]:
        """Yield what is right as well: the slope taken from a in place of z."""
        slope = _OF_A.get(self.function(layer).name) if quantity == "delta" else None
        if slope is not None and not self._is_difference(layer):
            yield self.values["error", layer] * slope(self.values["a", layer])

    def function(self, layer: int):  # type: ignore[no-untyped-def]
        """Return the activation of a layer."""
        return self.architecture.layers[layer - 1].function

    def _is_difference(self, layer: int) -> bool:
        return layer == self.last and self.worksheet.glyphs.a_minus_y

    # Each quantity

    def _z(self, layer: int) -> Array:
        z: Array = self.values["a", layer - 1] @ self.weights[layer - 1].T
        return z if (b := self.biases[layer - 1]) is None else z + b

    def _a(self, layer: int) -> Array:
        return self.function(layer)(self.values["z", layer])

    def _sample_cost(self, layer: int) -> Array:
        cost, a = self.architecture.cost, self.values["a", self.last]
        form = cost.form(self.architecture.output)
        value = cost.value if form is None or form.printed is None else form.printed
        return value(a, self.Y)

    def _cost(self, layer: int) -> Array:
        return np.array(self.architecture.cost.reduce(self.values["sample_cost", 0]))

    def _error(self, layer: int) -> Array:
        if layer == self.last:
            return self.architecture.cost.error(
                self.architecture.output, self.values["a", layer], self.Y
            )
        return self.values["delta", layer + 1] @ self.weights[layer]

    def _delta(self, layer: int) -> Array:
        if self._is_difference(layer):
            return self.values["a", layer] - self.Y
        return self.function(layer).backward(self.values["z", layer], self.values["error", layer])

    def _weight_gradient(self, layer: int) -> Array:
        return self.scale * (self.values["delta", layer].T @ self.values["a", layer - 1])

    def _bias_gradient(self, layer: int) -> Array:
        return self.scale * self.values["delta", layer].sum(axis=0)

    def _weight_after(self, layer: int) -> Array:
        return self.weights[layer - 1] - self.rate * self.values["weight_gradient", layer]

    def _bias_after(self, layer: int) -> Array:
        return self.biases[layer - 1] - self.rate * self.values["bias_gradient", layer]  # type: ignore[operator]

    @property
    def rate(self) -> float:
        """The learning rate."""
        return self.worksheet.learning_rate or 0.0

    @cached_property
    def made(self) -> OwnPass:
        """The pass of `gradient_check` that makes mistakes on purpose, with these numbers."""
        return OwnPass(self)


class OwnPass(Pass):
    """A pass whose forward numbers are a student's."""

    def __init__(self, own: Own) -> None:
        super().__init__(own)
        layers = range(1, own.last + 1)
        self.passed = self.passed._replace(
            z=tuple(own.values["z", layer] for layer in layers),
            a=(own.X, *(own.values["a", layer] for layer in layers)),
        )
        self.error = own.values["error", own.last]
        self.delta = own.right("delta", own.last)
