"""Symbols: what a notation calls each quantity of a trace, and the number that it stands for.

Weight layers are numbered 1..L, layer 0 is the input, neurons and samples count from 0; the notation
prints its own numbers. A symbol without a neuron is the whole vector or matrix.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from clearprop.activations import Array
from clearprop.costs import residual
from clearprop.explain import notation as notations
from clearprop.explain import paths
from clearprop.explain.expression import Expr, Fn, Mat, Neg, Num, Partial, Sym
from clearprop.explain.notation import Notation
from clearprop.trace import Trace, TraceLayer

ANY = -1  # as a row: that of any example, the index of a sum over them; None is all rows at once


class Glyphs:
    """The symbols of one trace in one notation.

    Parameters
    ----------
    trace : Trace
    notation : Notation
    faithful : bool
        Whether to print what the book prints also where it has an erratum.
    """

    def __init__(self, trace: Trace, notation: Notation, faithful: bool = False) -> None:
        self.trace, self.given, self.faithful = trace, notation, faithful
        corrected = {"hadamard": "shown"}
        if notation.derivative_style == "prime_a":
            corrected["derivative_style"] = "prime_z"
        self.notation = notation if faithful else dataclasses.replace(notation, **corrected)  # type: ignore[arg-type]
        self.sizes = trace.architecture.widths
        self.last, self.n_samples = len(trace.layers), len(trace.inputs)
        self.factors = notations.factors(notation, trace.architecture, self.n_samples)
        self.column = notation.orientation == "column"
        form = trace.architecture.cost.form(trace.architecture.output)
        self.a_minus_y = form is not None and form.delta is residual
        self.softmax = not trace.architecture.output.elementwise
        self.is_s0 = notation.name == "softmax-ce" and self.a_minus_y and self.softmax
        self._ways: dict[tuple[int, int, int], list[tuple[int, ...]]] = {}

    def at(self, layer: int) -> TraceLayer:
        """Return weight layer 1..L of the trace."""
        return self.trace.layers[layer - 1]

    def has_bias(self, layer: int) -> bool:
        """Return whether a weight layer has biases."""
        return self.at(layer).biases is not None

    def best_paths(self, layer: int, j: int, top: int) -> list[tuple[int, ...]]:
        """Return the largest paths from z of a neuron on, the same for all weights into it."""
        key = (layer, j, top)
        if key not in self._ways:
            self._ways[key] = paths.best_paths(self.trace, layer - 1, j, top)
        return self._ways[key]

    # Layer numbers

    def number(self, layer: int) -> int:
        """Return the notation's number of a layer, 0 being the input."""
        return layer + self.notation.layer_base

    def _sup(self, number: int) -> str:
        return f"({number})" if self.notation.superscript_style == "parenthesised" else str(number)

    def sup(self, layer: int) -> str:
        """Return the superscript of what belongs to a layer."""
        return self._sup(self.number(layer))

    def of_example(self, row: int | None, sup: str = "") -> str:
        """Return the superscript of what belongs to one example of a batch: x,l of S2's a^{x,l}."""
        if self.n_samples == 1 or row is None:
            return sup
        example = self.notation.batch_axis if row == ANY else str(row + 1)
        return f"{example},{sup}" if sup else example

    def weight_sup(self, layer: int) -> str:
        """Return the superscript of a weight layer's weights."""
        return self._sup(self.number(layer) - (self.notation.weight_owner == "source"))

    # Values

    def _value(
        self,
        quantity: str,
        layer: int,
        array: Array,
        j: int | None,
        row: int | None,
        factor: float = 1.0,
    ) -> Num | Mat:
        if j is None:
            return Mat(quantity, layer, array, None if row == ANY else row, self.column, factor)
        if row is None or row == ANY:
            raise TypeError("one neuron's number is that of one sample")
        return Num(quantity, layer, (row, j), array, factor)

    @staticmethod
    def _sub(j: int | None) -> tuple[str, ...]:
        return () if j is None else (str(j + 1),)

    def _vector(self, j: int | None) -> bool:
        return j is None and self.notation.vector_style == "arrow"

    # What a pass forwards has

    def a(self, layer: int, j: int | None = None, row: int | None = 0) -> Sym:
        """Return an activation; of layer 0, an input."""
        if layer == 0:
            value = self._value("x", 0, self.trace.inputs, j, row)
            if self.notation.input_symbol != "a":
                sup = self.of_example(row)
                return Sym(self.notation.input_symbol, sup, self._sub(j), self._vector(j), value)
        else:
            value = self._value("a", layer, self.at(layer).a, j, row)
        sup = self.of_example(row, self.sup(layer))
        return Sym("a", sup, self._sub(j), self._vector(j), value)

    def z(self, layer: int, j: int | None = None, row: int | None = 0) -> Sym:
        """Return a weighted input."""
        value = self._value("z", layer, self.at(layer).z, j, row)
        sup = self.of_example(row, self.sup(layer))
        return Sym("z", sup, self._sub(j), self._vector(j), value)

    def y(self, j: int | None = None, row: int | None = 0) -> Sym:
        """Return a target."""
        value = self._value("y", 0, self.trace.Y, j, row)
        return Sym("y", self.of_example(row), self._sub(j), self._vector(j), value)

    def w(self, layer: int, j: int | None = None, k: int = 0) -> Sym:
        """Return the weight to neuron j from neuron k, or all of a layer."""
        sup, array = self.weight_sup(layer), self.at(layer).weights
        if j is None:
            return Sym(self.notation.matrix_symbol, sup, value=Mat("weight", layer, array))
        sub = (str(j + 1), str(k + 1))
        return Sym(self.notation.weight_symbol, sup, sub, value=Num("weight", layer, (j, k), array))

    def _of_parameters(
        self, quantity: str, layer: int, array: Array, j: int | None, factor: float = 1.0
    ) -> Num | Mat:
        if j is None:
            return Mat(quantity, layer, array, None, self.column, factor)
        return Num(quantity, layer, (j,), array, factor)

    def b(self, layer: int, j: int | None = None) -> Sym:
        """Return a bias."""
        array = self.at(layer).biases
        value = None if array is None else self._of_parameters("bias", layer, array, j)
        sup = self.weight_sup(layer)
        return Sym(self.notation.bias_symbol, sup, self._sub(j), self._vector(j), value)

    def _activation(self, layer: int) -> Sym:
        sup = self.sup(layer) if self.notation.activation_superscript else ""
        return Sym(self.notation.activation_symbol, sup)

    def activation(self, layer: int, j: int | None = None, row: int | None = 0) -> Expr:
        """Return f(z)."""
        softmax = layer == self.last and self.softmax
        name = Sym("softmax") if softmax else self._activation(layer)
        return Fn(name, self.z(layer, j, row))

    def slope(self, layer: int, j: int | None = None, row: int | None = 0) -> Expr:
        """Return f'(z), as the notation prints it."""
        value = self._value("slope", layer, self.at(layer).slope, j, row)
        style = self.notation.derivative_style
        arg = self.a(layer, j, row) if style == "prime_a" else self.z(layer, j, row)
        return Fn(self._activation(layer), arg, "dot" if style == "dot" else "prime", value)

    # Costs and derivatives

    def cost(self, row: int | None = None) -> Sym:
        """Return the cost of the batch, or of one sample, which for a batch of one is the same."""
        symbol, n = self.notation.cost_symbol, self.n_samples
        if row is None or n == 1:
            array = np.array(self.trace.cost)
            return Sym(symbol, value=Num("cost", 0, (), array, self.factors.cost))
        value = Num("sample_cost", 0, (row,), self.trace.sample_costs, self.factors.sample_cost)
        return Sym(symbol, "", (str(row + 1),), value=value)

    def cost_parameter(self, name: str) -> Sym:
        """Return a parameter of the cost, such as the q of a quantile."""
        array = np.array(self.trace.architecture.cost.parameters[name])
        return Sym(name, value=Num("cost_parameter", 0, (), array))

    def sample_cost(self, row: int | None) -> Sym:
        """Return the cost that deltas are derivatives of: of one example, unless they have the 1/m."""
        batch = self.n_samples > 1 and self.notation.reduction_in != "delta"
        sub = (self.of_example(ANY if row is None else row),) if batch else ()
        return Sym(self.notation.cost_symbol, "", sub)

    def _derivative(self, top: Sym, bottom: Sym, value: Num | Mat) -> Expr:
        top, bottom = _bare(top), _bare(bottom)
        if self.notation.delta_sign == 1 or self.faithful:
            return Partial(top, bottom, value)
        return Neg(Partial(top, bottom), value)

    def error(self, layer: int, j: int | None = None, row: int | None = 0) -> Expr:
        """Return dC/da, or minus it where the notation's delta is minus dC/dz."""
        value = self._value("error", layer, self.at(layer).error, j, row, self.factors.delta)
        return self._derivative(self.sample_cost(row), self.a(layer, j, row), value)

    def delta(self, layer: int, j: int | None = None, row: int | None = 0) -> Expr:
        """Return delta, or what has its place: dC/db, or dC/dz where there are no biases."""
        value = self._value("delta", layer, self.at(layer).delta, j, row, self.factors.delta)
        if symbol := self.notation.delta_symbol:
            sup = self.of_example(row, self.sup(layer))
            return Sym(symbol, sup, self._sub(j), self._vector(j), value)
        # (7) of S0 is the derivative by z, that by b is (9).
        at_z = not self.has_bias(layer) or (self.is_s0 and layer == self.last)
        bottom = self.z(layer, j, row) if at_z else self.b(layer, j)
        return self._derivative(self.sample_cost(row), bottom, value)

    def weight_gradient(self, layer: int, j: int | None = None, k: int = 0) -> Expr:
        """Return dC/dw."""
        array, factor = self.at(layer).weight_gradient, self.factors.gradient
        value: Num | Mat = Mat("weight_gradient", layer, array, factor=factor)
        if j is not None:
            value = Num("weight_gradient", layer, (j, k), array, factor)
        return self._derivative(self.cost(), self.w(layer, j, k), value)

    def bias_gradient(self, layer: int, j: int | None = None) -> Expr:
        """Return dC/db."""
        array: Any = self.at(layer).bias_gradient
        value = self._of_parameters("bias_gradient", layer, array, j, self.factors.gradient)
        return self._derivative(self.cost(), self.b(layer, j), value)

    def gradient_by(self, symbol: Sym, value: Num) -> Expr:
        """Return dC by another parameter."""
        return self._derivative(self.cost(), symbol, value)

    def jacobian(self, i: int | None = None, j: int = 0, row: int = 0) -> Expr:
        """Return da_i/dz_j of the last layer."""
        array, last = self.at(self.last).slope, self.last
        if i is None:
            value: Num | Mat = Mat("slope", last, array, row, self.column)
            return Partial(_bare(self.a(last, None, row)), _bare(self.z(last, None, row)), value)
        value = Num("slope", last, (row, i, j) if self.softmax else (row, j), array)
        return Partial(_bare(self.a(last, i, row)), _bare(self.z(last, j, row)), value)

    def da_dz(self, layer: int, j: int, row: int = 0) -> Expr:
        """Return da/dz of one neuron."""
        value = Num("slope", layer, (row, j), self.at(layer).slope)
        return Partial(_bare(self.a(layer, j, row)), _bare(self.z(layer, j, row)), value)

    def dz_da(self, layer: int, j: int, k: int) -> Expr:
        """Return dz_j/da_k, which is a weight."""
        value = Num("weight", layer, (j, k), self.at(layer).weights)
        return Partial(_bare(self.z(layer, j)), _bare(self.a(layer - 1, k)), value)

    def dz_dw(self, layer: int, j: int, k: int, row: int = 0) -> Expr:
        """Return dz_j/dw_jk, which is an activation."""
        value = self.a(layer - 1, k, row).value
        return Partial(_bare(self.z(layer, j, row)), _bare(self.w(layer, j, k)), value)

    # The update

    def learning_rate(self) -> Sym:
        """Return the learning rate that makes the optimizer's step with the notation's gradient."""
        update, value = self.trace.update, None
        if update is not None:
            factor = 1.0 / abs(self.factors.gradient)
            value = Num("learning_rate", 0, (), update.learning_rate, factor)
        return Sym("η", value=value)

    def weight_after(self, layer: int, j: int | None = None, k: int = 0) -> Num | Mat | None:
        """Return a weight after the update."""
        if self.trace.update is None:
            return None
        array = self.trace.update.weights[layer - 1]
        if j is None:
            return Mat("weight_after", layer, array)
        return Num("weight_after", layer, (j, k), array)

    def bias_after(self, layer: int, j: int | None = None) -> Num | Mat | None:
        """Return a bias after the update."""
        array = None if self.trace.update is None else self.trace.update.biases[layer - 1]
        return None if array is None else self._of_parameters("bias_after", layer, array, j)


def _bare(symbol: Sym) -> Sym:
    return Sym(symbol.base, symbol.sup, symbol.sub, symbol.vector)
