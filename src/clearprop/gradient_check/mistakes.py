"""What a wrong gradient is a sign of: each classic mistake is made on purpose, and compared.

A mistake of the pass backwards is a `Rule` (`wrong_passes`), tried everywhere, in the output layer, in
the hidden layers, and in each layer alone; where the gradient that comes out is the claimed one, to
rounding, in every block, the mistake is named. So a name is never a guess by size or sign alone, and
two mistakes that give the same numbers are both named.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clearprop import penalties
from clearprop.activations import Array
from clearprop.flat_vector import Block
from clearprop.gradient_check.wrong_passes import RULES, Pass, Problem, Rule
from clearprop.gradient_check.wrong_slopes import SLOPES

_SAME = 1e-6  # relative, of a block's norm: far above rounding, far below any mistake
_LEFT = 0.1  # of what is off: what an explanation may leave. Rounding, or one number, leaves all of it


@dataclass(frozen=True)
class Mistake:
    """A mistake that gives the gradient that was claimed.

    Attributes
    ----------
    name : str
        missing_slope, slope_at_activation, error_dropped, slope_of_error, mask_of_error,
        negative_side, slope_twice, slope_of_neighbour, another_slope, kept_slope, softmax_twice,
        softmax_axis, diagonal_jacobian, another_cost, transposed_weights, wrong_weights, wrong_input,
        bias_over_neurons, no_bias, early_update, one_sample, sum_for_mean, sign, factor, penalty,
        sample_weight, zero, half_precision.
    layer : int
        The weight layer, 1..L, in which it is made first on the way back.
    sentence : str
    """

    name: str
    layer: int
    sentence: str


def likely(
    problem: Problem, claimed: Array, tolerance: float, l2: float, l1: float
) -> tuple[Mistake, ...]:
    """Return the mistakes that give a gradient, the simplest kind that there is; none if none does."""
    architecture = problem.architecture
    plain = {block.kind for block in architecture.blocks} <= {"weights", "biases"}
    if not plain or not np.isfinite(claimed).all():
        return ()
    same = max(_SAME, 20 * tolerance)
    penalty = np.zeros_like(claimed)
    penalties.add_gradient(architecture, penalty, problem.parameters, l2, l1)
    with np.errstate(all="ignore"):
        search = _Search(problem, claimed - penalty, penalty, same, l2, l1)
        for kind in (
            search.penalties,
            search.scales,
            search.without_biases,
            search.unweighted,
            search.one_sample,
            search.layout,
            search.rules,
            search.early_update,
            search.partly,
        ):
            if found := list(kind()):
                return tuple(dict.fromkeys(found))
    return ()


def half_precision(layer: int) -> Mistake:
    """Return what is said of numbers that are all off, by no more than half precision explains."""
    return Mistake(
        "half_precision",
        layer,
        "all numbers are off by what rounding to float16 or bfloat16 may leave. If any of them was "
        "computed in it (autocast), compute the gradient in float32, which shows what is wrong",
    )


class _Search:
    """The kinds of mistakes, from simple ones to those that need several words."""

    def __init__(
        self, problem: Problem, claimed: Array, penalty: Array, same: float, l2: float, l1: float
    ) -> None:
        self.l2, self.l1 = l2, l1
        self.problem, self.claimed, self.penalty, self.same = problem, claimed, penalty, same
        self.architecture = problem.architecture
        self.right = Pass(problem)
        self.truth = self.right.gradient()
        self.off = claimed - self.truth
        self.n_layers = len(self.architecture.layers)

    def agree(self, one: Array, other: Array) -> bool:
        """Return whether two gradients are the same in every block, to rounding."""
        return all(self.block_agrees(one[b.slice], other[b.slice]) for b in self.architecture.blocks)

    def block_agrees(self, one: Array, other: Array) -> bool:
        size = max(np.linalg.norm(one), np.linalg.norm(other))
        return bool(np.linalg.norm(one - other) <= self.same * size)

    def explains(self, made: Array, blocks: Sequence[Block] = ()) -> bool:
        """Return whether a gradient is the claimed one, and the right one far from it, in blocks."""
        places = [block.slice for block in blocks or self.architecture.blocks]
        if not all(self.block_agrees(made[at], self.claimed[at]) for at in places):
            return False
        left, off = (
            math.hypot(*(np.linalg.norm(each[at]) for at in places))
            for each in (self.claimed - made, self.off)
        )
        return left <= _LEFT * off

    def factor(self, made: Array) -> float | None:
        """Return the c for which c times a gradient is the claimed one, if there is one."""
        c = float(made @ self.claimed) / (float(made @ made) or 1.0)
        return c if c and self.explains(c * made) else None

    # Kinds

    def penalties(self) -> Iterator[Mistake]:
        """Yield what is wrong with the penalty, where only that is."""
        if not self.penalty.any():
            return
        excess = self.off
        on_biases = self.of_biases()
        c = float(excess @ self.penalty) / float(self.penalty @ self.penalty)
        if on_biases.any() and self.explains(self.truth + on_biases):
            said = "the biases have a part of the penalty too: it is of the weights alone"
            yield Mistake("penalty", self.n_layers, said)
        elif not self.explains(self.truth + c * self.penalty):
            return
        elif abs(c + 1) < self.same:
            yield Mistake(
                "penalty", self.n_layers, "the penalty's part, l2 w + l1 sign(w), is left out"
            )
        else:
            yield Mistake(
                "penalty",
                self.n_layers,
                f"the penalty's part is {1 + c:.4g} times l2 w + l1 sign(w)"
                + (", of which S2 has the n-th part" if _near(1 + c, 1 / len(self.problem.X)) else "")
                + (": the half of l2/2 is missing" if _near(1 + c, 2.0) else ""),
            )

    def of_biases(self) -> Array:
        """Return what the penalty would be of the biases."""
        made = np.zeros_like(self.penalty)
        for block in self.architecture.blocks:
            if block.kind == "biases":
                b = self.problem.parameters[block.slice]
                made[block.slice] = self.l2 * b + self.l1 * np.sign(b)
        return made

    def scales(self) -> Iterator[Mistake]:
        """Yield what factors are a sign of, where every block is the right one times a number."""
        c = self.factor(self.truth)
        if c is not None:
            yield from self.named(c, self.n_layers, "the whole gradient")
            return
        factors: dict[str, float] = {}
        blocks = self.architecture.blocks
        for block in blocks:
            here, truth = self.claimed[block.slice], self.truth[block.slice]
            c = float(here @ truth) / float(truth @ truth) if truth.any() else 1.0
            if not self.block_agrees(c * truth, here):
                return
            factors[block.name] = c
        if not self.explains(np.concatenate([factors[b.name] * self.truth[b.slice] for b in blocks])):
            return
        for c, names in _grouped(factors):
            layer = max(int(name.split(".")[1]) for name in names) + 1
            if c == 0 and all(name.endswith("bias") for name in names):
                sentence = f"the biases have no gradient ({_listed(names)}): dC/db is delta (BP3)"
                yield Mistake("no_bias", layer, sentence)
            else:
                yield from self.named(c, layer, _listed(names))

    def named(self, c: float, layer: int, what: str) -> Iterator[Mistake]:
        """Yield what a factor is a sign of."""
        if c == 0:
            yield Mistake("zero", layer, f"{what} is 0: it was never computed, or cleared again")
        elif _near(c, -1):
            said = "has the other sign: a - y is meant, not y - a; the update subtracts it (X8)"
            yield Mistake("sign", layer, f"{what} {said}")
        elif not _near(c, 1):
            also = ", and has the other sign" if c < 0 else ""
            found = self.known_factors(abs(c))
            for name, said in found or [("factor", f"is {abs(c):.6g} times what it should be")]:
                yield Mistake(name, layer, f"{what} {said}{also}")

    def known_factors(self, size: float) -> list[tuple[str, str]]:
        """Return the mistakes whose sign is a positive factor."""
        m, n = len(self.problem.X), self.architecture.sizes[-1]
        mean = self.architecture.cost.reduction == "mean"
        once_more = "once more than is meant" if mean else "where their sum is meant"
        the_sum = f"is {m} times too large: the sum over the {m} samples, where their mean is meant"
        kind = self.architecture.cost.name
        twice = "is 2 times too large: as if it were added up twice, not cleared between two passes"
        if kind == "quadratic":
            twice += "; or as if the cost were ||a - y||^2, without the half"
        a_half = "is half of what it should be" + {
            "quadratic": ": the half of the cost cancels against the 2 of the square's derivative",
            "squared_error": ": as if the cost had a half that it has not",
        }.get(kind, "")
        outputs = f"is divided by the {n} outputs: their mean, where the sum over outputs is meant"
        squares = f"is 2/{n} of what it should be: the mean over the outputs of (a - y)^2"
        table = [
            (m > 1 and mean, m, "sum_for_mean", the_sum),
            (m > 1, 1 / m, "sum_for_mean", f"is divided by the {m} samples {once_more}"),
            (True, 2, "factor", twice),
            (True, 0.5, "factor", a_half),
            (n > 1, 1 / n, "factor", outputs),
            (n > 2 and kind == "quadratic", 2 / n, "factor", squares),
        ]
        return [(name, said) for possible, at, name, said in table if possible and _near(size, at)]

    def without_biases(self) -> Iterator[Mistake]:
        """Yield that the pass forwards has no biases."""
        made = Pass(self.problem, biases=False).gradient()
        cleared = made.copy()
        for block in self.architecture.blocks:
            if block.kind == "biases":
                cleared[block.slice] = 0.0
        for each in (made, cleared):  # with biases of 0 the pass is the right one
            if self.agree(each, self.truth) or not self.explains(each):
                continue
            said = "the biases are left out of the pass forwards: z = W a + b is meant"
            yield Mistake("no_bias", self.n_layers, said)
            return

    def rules(self) -> Iterator[Mistake]:
        """Yield the rules that give these numbers, or else those that give them times a factor."""
        scaled: list[Mistake] = []
        exact = False
        for rule, at, made in self.made():
            c = self.factor(made)
            if c is None or (exact and rule.name == "another_slope"):
                continue  # a plainer word says it: where there is no slope, relu's is as good
            said = rule.sentence.format(**where(at, self.right.last))
            if _near(c, 1):
                exact = True
                yield Mistake(rule.name, max(at) + 1, said)
            elif not exact:
                other = next(self.named(c, self.n_layers, "the whole gradient"))
                scaled.append(Mistake(rule.name, max(at) + 1, f"{said}; and {other.sentence}"))
        if not exact:
            yield from scaled

    def made(self) -> Iterator[tuple[Rule, frozenset[int], Array]]:
        """Yield every rule in every scope in which it makes a difference."""
        first = self.first_wrong()
        for rule in (*RULES, *SLOPES):
            alone: dict[frozenset[int], Array] = {}
            for layer in reversed(range(self.n_layers)):
                if (rule.carry is None or layer < self.right.last) and rule.applies(self.right, layer):
                    made = self.right.gradient(rule, frozenset([layer]))
                    if np.isfinite(made).all() and not self.agree(made, self.truth):
                        alone[frozenset([layer])] = made
            layers = frozenset[int]().union(*alone)
            for at in dict.fromkeys([layers, layers - {self.right.last}, *alone]):
                if at and max(at) >= first:  # else all is right in a layer where the claim is not
                    made = alone[at] if at in alone else self.right.gradient(rule, at)
                    if np.isfinite(made).all():
                        yield rule, at, made

    def first_wrong(self) -> int:
        """Return the first layer on the way back that is not the right one times a number."""
        c = None
        for layer in range(self.right.last, 0, -1):
            for block in self.architecture.blocks:
                if block.layer != layer:
                    continue
                here, truth = self.claimed[block.slice], self.truth[block.slice]
                if c is None and truth.any():
                    c = float(here @ truth) / float(truth @ truth)
                if not self.block_agrees((1.0 if c is None else c) * truth, here):
                    return layer
        return 0

    def early_update(self) -> Iterator[Mistake]:
        """Yield that weights are updated before delta goes back through them (X36)."""
        last = self.right.last
        if last == 0:
            return
        dW = self.architecture.views(self.claimed + self.penalty)[0]
        through = [
            b.slice for b in self.architecture.blocks if b.name.startswith(f"layers.{last - 1}.")
        ]

        def made(eta: float) -> Array:
            rule = Rule("early_update", "", carry=lambda made, layer, error, delta: (
                delta @ (made.weights[layer + 1] - eta * dW[layer + 1])
            ))  # fmt: skip
            return self.right.gradient(rule, frozenset(range(last)))

        # What reaches the layer before the last is linear in the learning rate.
        change, claimed = made(1.0) - self.truth, self.off
        top = np.concatenate([change[part] for part in through])
        eta = float(top @ np.concatenate([claimed[part] for part in through])) / (top @ top or 1.0)
        early = made(eta)
        if not self.agree(early, self.truth) and self.explains(early):
            said = (
                "the weights are updated before delta goes back through them, as with a learning rate "
                f"of {eta:.4g}: all gradients belong to one point (X36)"
            )
            yield Mistake("early_update", last, said)

    def layout(self) -> Iterator[Mistake]:
        """Yield that the gradients of the weights have sources as rows."""
        turned = np.concatenate(
            [
                self.truth[b.slice].reshape(b.shape).T.ravel()
                if b.kind == "weights"
                else self.truth[b.slice]
                for b in self.architecture.blocks
            ]
        )
        if not self.agree(turned, self.truth) and self.explains(turned):
            said = "every weight gradient is transposed: row = destination, column = source is meant"
            yield Mistake("transposed_weights", self.n_layers, said)

    def unweighted(self) -> Iterator[Mistake]:
        """Yield that every sample counts the same."""
        if self.problem.sample_weight is not None:
            made = Pass(self.problem, weighted=False).gradient()
            if not self.agree(made, self.truth) and self.explains(made):
                yield Mistake("sample_weight", self.n_layers, "the sample weights are left out")

    def one_sample(self) -> Iterator[Mistake]:
        """Yield that it is the gradient of one sample."""
        m = len(self.problem.X)
        for row, said in ((m - 1, "the last"), (0, "the first")) if m > 1 else ():
            made = Pass(self.problem, only=row).gradient()
            if (c := self.factor(made)) is not None and (_near(c, 1) or _near(c, m)):
                sentence = (
                    f"it is the gradient of {said} of the {m} samples alone: their sums are meant"
                )
                yield Mistake("one_sample", self.n_layers, sentence)

    def partly(self) -> Iterator[Mistake]:
        """Yield what explains the first wrong layer on the way back alone."""
        for layer in range(self.right.last, -1, -1):
            above = [b for b in self.architecture.blocks if int(b.name.split(".")[1]) >= layer]
            if all(self.block_agrees(self.truth[b.slice], self.claimed[b.slice]) for b in above):
                continue
            for rule, at, made in self.made():
                if layer in at and self.explains(made, above):
                    said = rule.sentence.format(**where(frozenset([layer]), self.right.last))
                    yield Mistake(
                        rule.name, layer + 1, f"{said}; this does not explain all that follows"
                    )
            return


def _near(c: float, known: float) -> bool:
    return math.isclose(c, known, rel_tol=1e-4)


def where(at: frozenset[int], last: int) -> dict[str, str]:
    """Return the words for some layers in the sentence of a `Rule`."""
    if len(at) == 1:
        layer = min(at) + 1
        name = f"layer {layer}" + (", the output" if layer == last + 1 else "")
        return {"where": f"in {name}", "which": name, "after": f"layer {layer + 1}"}
    name = "the hidden layers" if last not in at else "every layer" if min(at) == 0 else "these layers"
    return {"where": f"in {name}", "which": name, "after": "the next layer"}


def _grouped(factors: dict[str, float]) -> list[tuple[float, list[str]]]:
    """Return the blocks of each factor that is not 1, the last layer's first."""
    groups: list[tuple[float, list[str]]] = []
    for name, c in reversed(factors.items()):
        for known, names in groups:
            if _near(c, known):
                names.append(name)
                break
        else:
            groups.append((c, [name]))
    return [(c, names) for c, names in groups if not _near(c, 1)]


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more blocks"
