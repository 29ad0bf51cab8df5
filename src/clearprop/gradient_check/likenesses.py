"""What wrong numbers of a pass are instead: each likely thing is made, and compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clearprop.activations import ACTIVATIONS, Array
from clearprop.gradient_check.mistakes import where
from clearprop.gradient_check.wrong_passes import RULES, Pass, Problem, Rule
from clearprop.gradient_check.wrong_slopes import SLOPES
from clearprop.trace import Trace

TRANSPOSED = "it is transposed: row = sample, or destination neuron of a weight"
_SAME = 1e-5  # relative, of the norm: far above rounding in float32, far below any mistake
_COMPARED = 20_000_000  # numbers, to find one order of rows among others


class Likeness:
    """One quantity of a pass, and what can stand in its place."""

    def __init__(self, problem: Problem, trace: Trace, raw: Array, quantity: str, layer: int) -> None:
        self.problem, self.trace, self.raw = problem, trace, raw
        self.quantity, self.layer = quantity, layer

    def same(self, one: Array, other: Array) -> bool:
        """Return whether two arrays are the same to rounding, and not both nothing."""
        if one.shape != other.shape or not np.isfinite(other).all():
            return False
        size = max(float(np.linalg.norm(one)), float(np.linalg.norm(other)))
        return size > 0 and float(np.linalg.norm(one - other)) <= _SAME * size

    def sentence(self, given: Array, right: Array) -> str:
        """Return what wrong numbers are; of some that differ, which."""
        if right.ndim == 2 and right.shape[0] == right.shape[1] and self.same(given.T, right):
            return TRANSPOSED
        for kind in (self.other_order, self.factors, self.others, self.ways):
            with np.errstate(all="ignore"):
                found = next(kind(given, right), None)
            if found is not None:
                return found
        return self.places(given, right)

    def factors(self, given: Array, right: Array) -> Iterator[str]:
        """Yield the number that all are multiplied by."""
        size = float((right * right).sum())
        c = float((given * right).sum()) / size if size else 0.0
        if not c:
            if size and not given.any():
                yield "it is 0: it was never computed, or cleared again"
            return
        if not self.same(given, c * right):
            return
        m = len(self.trace.X)
        known = {
            -1.0: "it has the other sign: a - y is meant, not y - a",
            1 / m: f"it is divided by the {m} samples: that of each sample's own cost is meant",
            float(
                m
            ): f"it is {m} times what it should be: multiplied by, or added up over, the samples",
        }
        if self.quantity.endswith("_gradient"):
            known[1 / m] = f"it is divided by the {m} samples once more than is meant"
        for value, said in known.items():
            if abs(c - value) < 1e-4 * abs(value) and (m > 1 or value == -1.0):
                yield said
        yield f"it is {c:.6g} times what it should be"

    def other_order(self, given: Array, right: Array) -> Iterator[str]:
        """Yield that the rows, or the columns, are the right ones in another order."""
        of_samples = self.quantity in ("x", "y", "z", "a", "error", "slope", "delta", "sample_costs")
        for axis, what in ((0, "samples" if of_samples else "neurons"), (1, "neurons")):
            if axis >= right.ndim:
                return
            one, other = (np.moveaxis(each, axis, 0) for each in (given, right))
            one, other = (each.reshape(len(each), -1) for each in (one, other))
            if len(one) < 2 or len(one) * other.size > _COMPARED:
                continue
            apart = np.abs(one[:, None, :] - other[None, :, :]).sum(axis=2)
            order = apart.argmin(axis=1)
            if len(set(order.tolist())) == len(order) and self.same(one, other[order]):
                i = int(np.argmax(order != np.arange(len(order))))
                one_of = what.removesuffix("s")
                yield f"the {what} are in another order: {one_of} {i} is the network's {order[i]}"

    def others(self, given: Array, right: Array) -> Iterator[str]:
        """Yield which other quantity it is."""
        if self.quantity == "x" and self.same(given, self.raw.reshape(len(self.raw), -1)):
            yield "it is as in the data: the network scales its inputs first"
        if right.ndim == 2 and (
            self.same(given.ravel(), right.T.ravel()) or self.same(given.T.ravel(), right.ravel())
        ):
            yield "its numbers are taken in the other order: they are rows, one after the other"
        if self.layer < 0:
            return
        made = self.trace.layers[self.layer]
        for name in ("z", "a", "slope", "error", "delta"):
            if name != self.quantity and self.same(given, getattr(made, name)):
                yield f"it is {name} of this layer"
        if self.quantity == "a":
            for name, function in ACTIVATIONS.items():
                if self.same(given, function(made.z)):
                    yield f"it is {name} of z, where the network has {self._name()}"
                if not function.elementwise and self.same(given, function(made.z.T).T):
                    yield f"it is {name} over the samples, where the outputs of each sample are meant"
        if self.quantity == "z":
            source = self.trace.layers[self.layer - 1].a if self.layer else self.trace.inputs
            W, b = made.weights, made.biases
            if b is not None and self.same(given, source @ W.T):
                yield "its biases are left out: z = W a + b is meant"
            b = np.zeros(len(W)) if b is None else b
            if W.shape[0] == W.shape[1] and self.same(given, source @ W + b):
                yield "its weights are transposed: row = destination neuron, column = source"
            if self.same(given, source @ W.ravel().reshape(W.shape[::-1]) + b):
                yield "its weights are read in the other order: they are rows, one after the other"

    def _name(self) -> str:
        return self.problem.architecture.layers[self.layer].function.name

    def ways(self, given: Array, right: Array) -> Iterator[str]:
        """Yield which classic mistake of the pass backwards gives these numbers."""
        its = self.problem.architecture
        plain = {block.kind for block in its.blocks} <= {"weights", "biases"}
        if self.layer < 0 or not plain:
            return
        made = Pass(self.problem)
        for rule in (*RULES, *SLOPES):
            if (rule.carry is not None and self.layer == made.last) or not rule.applies(
                made, self.layer
            ):
                continue
            found = self._by(rule, made)
            if found is not None and self.same(given, found) and not self.same(found, right):
                yield rule.sentence.format(**where(frozenset([self.layer]), made.last))

    def _by(self, rule: Rule, made: Pass) -> Array | None:
        """Return what a rule makes of this quantity, where it makes something else of it."""
        l, mine = self.layer, self.trace.layers[self.layer]  # noqa: E741 - as in the equations
        error = mine.error
        if rule.carry is not None:
            above = self.trace.layers[l + 1]
            error = rule.carry(made, l, above.error, above.delta)
        match self.quantity:
            case "error" if rule.carry is not None:
                return error
            case "delta" if rule.carry is not None:
                return self.problem.architecture.layers[l].function.backward(mine.z, error)
            case "delta" if rule.delta is not None:
                return rule.delta(made, l, error)
            case "weight_gradient" if rule.source is not None:
                product: Array = made.scale * (mine.delta.T @ rule.source(made, l))
                return product
            case "bias_gradient" if rule.bias is not None:
                return made.scale * rule.bias(mine.delta)
        return None

    def places(self, given: Array, right: Array) -> str:
        """Return how many numbers differ, and where the first does."""
        scale = float(np.abs(right).max(initial=0.0))
        wrong = np.abs(given - right) > _SAME * scale
        if wrong.all() or not wrong.any():
            return ""
        at = tuple(map(int, np.argwhere(wrong)[0]))
        n = int(wrong.sum())
        return (
            f"{n:,} of its {wrong.size:,} numbers differ{'s' if n == 1 else ''}, first at {list(at)}: "
            f"{given[at]:.7g}, where {right[at]:.7g} is meant"
        )
