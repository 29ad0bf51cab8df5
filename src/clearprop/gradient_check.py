"""Is a gradient right? Central differences in float64, with a verdict that can be "I cannot tell".

For each sampled parameter w, ``(C(w + h) - C(w - h)) / 2h`` is held against the claimed dC/dw. Three
rules keep the answer honest:

* only a small *relative* error passes. A difference that drowns in rounding may excuse a parameter
  ("undecided"); it never certifies one, or a tiny gradient that is 100 % wrong would pass;
* where a relu or |a - y| changes side between w - h and w + h, the difference means nothing: smaller
  steps are tried, and if none is clean the verdict is "kink";
* a corrupted gradient is judged first, by the same numbers. A check that lets it through in some block
  of parameters cannot certify that block.

Where the differences cannot decide and every function is analytic, the complex step does: the imaginary
part of ``C(w + ih) / h`` has no cancellation (Squire and Trapp 1998).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clearprop import backprop, randomness
from clearprop.activations import Activation, Array
from clearprop.architecture import Architecture, Block
from clearprop.costs import Cost

HAPPY = 1e-7  # the relative error at which CS231n is happy; what a float64 gradient must reach
_FIRST_STEP = 1e-5  # times max(1, |w|): where truncation, h^2, and rounding, eps / h, are both small
_LADDER = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4)
_ROUNDING = 8 * np.finfo(np.float64).eps  # of a cost, relative: a few operations on its last bits
_COMPLEX_STEP = 1e-30
_CORRUPTION = 1e-3  # of the negative control: the mildest mistake that must not pass


class _HasFlat(Protocol):
    @property
    def flat(self) -> Any: ...


class _HasPair(Protocol):
    @property
    def X(self) -> Any: ...

    @property
    def Y(self) -> Any: ...


class Checkable(Protocol):
    """What `check_gradient` needs of a network."""

    @property
    def architecture(self) -> Architecture:
        """Layers and cost."""
        ...

    @property
    def parameters(self) -> NDArray[Any]:
        """The flat vector."""
        ...

    def copy(self, dtype: str | None = None) -> Checkable:
        """Return an independent copy in another dtype."""
        ...

    def trace(self, X: Any, Y: Any) -> _HasPair:
        """Return the pass, with X and Y as the network sees them."""
        ...

    def cost(
        self, X: Any, Y: Any, *, sample_weight: Any = None, l2: float = 0.0, l1: float = 0.0
    ) -> float:
        """Return the cost."""
        ...

    def gradient(
        self, X: Any, Y: Any, *, sample_weight: Any = None, l2: float = 0.0, l1: float = 0.0
    ) -> _HasFlat:
        """Return the gradient that is to be checked."""
        ...


class Row(NamedTuple):
    """One parameter of a gradient check."""

    block: str  # layers.0.weight
    index: tuple[int, ...]  # type: ignore[assignment]  # in the block; hides tuple.index
    term: str  # of the cost: "data", "penalty", or "total" where a foreign gradient has both
    analytic: float  # what was claimed
    numeric: float
    relative_error: float  # |a - n| / max(|a|, |n|)
    step: float  # h; 1e-30 is the complex step
    verdict: str  # pass, fail, undecided or kink


@dataclass(frozen=True)
class GradientCheck:
    """What a gradient check found.

    Attributes
    ----------
    verdict : {"pass", "fail", "undecided", "kink"}
        "fail" if any parameter fails; otherwise "kink" if some lie on a kink; "pass" if every block
        has parameters that pass, most of all pass, and the corrupted gradient failed in every block;
        else "undecided". It is true in an ``if`` only where it is "pass".
    max_relative_error : float
        Of the parameters that pass or fail; of all, where there are none.
    rows : tuple of Row
    n_parameters : int
        Of the network; `rows` are a sample of them.
    blind_blocks : tuple of str
        In which the corrupted gradient was not found out.
    """

    verdict: str
    max_relative_error: float
    rows: tuple[Row, ...]
    n_parameters: int
    blind_blocks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    def __str__(self) -> str:
        """Return the verdict, a line for each block, and the parameters that did not pass."""
        checked = len({(row.block, row.index) for row in self.rows})
        lines = [
            f"gradient check: {self.verdict} ({checked:,} of {self.n_parameters:,} parameters, "
            f"largest relative error {self.max_relative_error:.1e})",
            f"{'block':24} {'checked':>7}  {'largest error':>13}  verdicts",
        ]
        for name in dict.fromkeys(row.block + _mark(row) for row in self.rows):
            mine = [row for row in self.rows if row.block + _mark(row) == name]
            verdicts = Counter(row.verdict for row in mine)
            counts = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common())
            lines.append(f"{name:24} {len(mine):7,}  {_largest(mine):13.1e}  {counts}")
        for name in self.blind_blocks:
            lines.append(f"{name}: a corrupted gradient was not found out; nothing is certified")
        order = {"fail": 0, "kink": 1, "undecided": 2}
        bad = sorted((row for row in self.rows if row.verdict in order), key=lambda r: order[r.verdict])
        if bad:
            lines += ["", f"{'parameter':28} {'claimed':>14} {'numeric':>14}   error     step  verdict"]
        for row in bad[:10]:
            place = f"{row.block}[{', '.join(map(str, row.index))}]{_mark(row)}"
            lines.append(
                f"{place:28} {row.analytic:14.7g} {row.numeric:14.7g} {row.relative_error:7.0e} "
                f"{row.step:8.0e}  {row.verdict}"
            )
        if len(bad) > 10:
            lines.append(f"... and {len(bad) - 10} more")
        return "\n".join(lines)


def _mark(row: Row) -> str:
    return " (penalty)" if row.term == "penalty" else ""


def _largest(rows: Sequence[Row]) -> float:
    decided = [row.relative_error for row in rows if row.verdict in ("pass", "fail")]
    return max(decided or [row.relative_error for row in rows])


class Estimate(NamedTuple):
    """A numeric derivative."""

    value: float
    bound: float  # on its error; infinite at a kink
    step: float
    kink: bool = False


def check_gradient(
    net: Checkable,
    X: Any,
    Y: Any,
    gradient: Any = None,
    *,
    n_parameters: int = 200,
    seed: int = 0,
    l2: float = 0.0,
    l1: float = 0.0,
    sample_weight: Any = None,
) -> GradientCheck:
    """Hold a gradient against central differences of the cost, in float64.

    Parameters
    ----------
    net : Network
        A float64 copy of it is used; it is not changed.
    X, Y : array-like
        As for ``net.cost``.
    gradient : array-like, optional
        A gradient from elsewhere: flat like ``net.parameters``, a `Gradient`, or a pair (weights,
        biases) of sequences of arrays. None checks the network's own. One in float32 is held to 1e-4,
        one in float64 to 1e-7.
    n_parameters : int
        At most so many are looked at (but one of every block), drawn with `seed`.
    l2, l1 : float
        Penalties. Of the network's own gradient, their part is checked by itself, so that neither
        hides the other; a foreign gradient must contain them.
    sample_weight : array-like of shape (n_samples,), optional

    Returns
    -------
    GradientCheck

    Raises
    ------
    ValueError, TypeError
        If the gradient's shape is not the network's, the cost is not finite, or an argument is out of
        range.

    Notes
    -----
    Two passes forwards for each parameter, and up to ten more where the first two disagree with the
    claim.

    Examples
    --------
    >>> net = cp.Network([2, 3, 2], seed=0)
    >>> check = check_gradient(net, [[0.5, -1.0], [2.0, 0.1]], [0, 1])
    >>> check.verdict, check.max_relative_error < 1e-7
    ('pass', True)
    """
    n_parameters = _check_count(n_parameters)
    seed = randomness.check_seed(seed, "seed")
    for name, value in (("l2", l2), ("l1", l1)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    wide = net.copy("float64")
    architecture = wide.architecture
    weight = None
    expected = wide.cost(X, Y, sample_weight=sample_weight)  # which also checks the weights
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=np.float64)
        weight = weight / weight.mean()
    pair = wide.trace(X, Y)
    difference = Differences(architecture, wide.parameters, pair.X, pair.Y, weight)
    if not math.isfinite(expected):
        raise ValueError(f"the cost must be finite for its gradient to be checked, got {expected}")
    base = difference.cost()
    if not math.isclose(base, expected, rel_tol=1e-9, abs_tol=1e-12):
        raise ValueError(
            f"net.cost and the cost that its layers give must be equal, got {expected} and {base}"
        )
    claimed: dict[str, Array] = {}
    tolerance = HAPPY
    if gradient is None:
        claimed["data"] = wide.gradient(X, Y, sample_weight=sample_weight).flat
        if l2 or l1:
            total = wide.gradient(X, Y, sample_weight=sample_weight, l2=l2, l1=l1).flat
            claimed["penalty"] = total - claimed["data"]
    else:
        claimed["total"], tolerance = _foreign(architecture, gradient)
    rows, blind = [], []
    for block in architecture.blocks:
        found_out = False
        for i in _sample(architecture, block, n_parameters, seed):
            index = tuple(int(k) for k in np.unravel_index(i - block.offset, block.shape))
            for term, values in claimed.items():
                a = float(values[i])
                estimate = _estimate(difference, block, i, term, a, tolerance, l2, l1)
                if term == "penalty" and a != estimate.value:
                    # It was found by a subtraction, which leaves its rounding.
                    noise = 4 * np.finfo(np.float64).eps * abs(float(claimed["data"][i]))
                    estimate = estimate._replace(bound=estimate.bound + noise)
                n = estimate.value
                wrong = n * (1 + _control(tolerance)) if n or estimate.bound else _control(tolerance)
                if term != "penalty":
                    found_out |= judge(wrong, estimate, tolerance) == "fail"
                verdict = judge(a, estimate, tolerance)
                rows.append(
                    Row(block.name, index, term, a, n, relative_error(a, n), estimate.step, verdict)
                )
        if not found_out:
            blind.append(block.name)
    return GradientCheck(
        _overall(rows, blind), _largest(rows), tuple(rows), architecture.n_parameters, tuple(blind)
    )


def _check_count(n_parameters: int) -> int:
    if isinstance(n_parameters, bool) or not isinstance(n_parameters, int | np.integer):
        raise TypeError(f"n_parameters must be an integer of at least 1, got {n_parameters!r}")
    if n_parameters < 1:
        raise ValueError(f"n_parameters must be at least 1, got {n_parameters}")
    return int(n_parameters)


def _control(tolerance: float) -> float:
    return max(_CORRUPTION, 10 * tolerance)


def relative_error(a: float, n: float) -> float:
    """Return ``|a - n| / max(|a|, |n|)``; 0 where they are equal, infinite where one is not finite."""
    if not (math.isfinite(a) and math.isfinite(n)):
        return math.inf
    return 0.0 if a == n else abs(a - n) / max(abs(a), abs(n))


def judge(a: float, estimate: Estimate, tolerance: float = HAPPY) -> str:
    """Return the verdict on a claimed derivative: pass, fail, undecided or kink."""
    if estimate.kink:
        return "kink" if math.isfinite(a) else "fail"
    if a == 0.0 == estimate.value and estimate.bound > 0:
        return "undecided"  # too small to be seen is not the same as nothing
    if relative_error(a, estimate.value) <= tolerance:
        return "pass"
    return "undecided" if abs(a - estimate.value) <= estimate.bound else "fail"


def _overall(rows: Sequence[Row], blind: Sequence[str]) -> str:
    verdicts = Counter(row.verdict for row in rows)
    passed = {row.block for row in rows if row.verdict == "pass"}
    if verdicts["fail"]:
        return "fail"
    if verdicts["kink"]:
        return "kink"
    every_block = passed == {row.block for row in rows}
    if every_block and not blind and 2 * verdicts["pass"] > len(rows):
        return "pass"
    return "undecided"


def _sample(architecture: Architecture, block: Block, n: int, seed: int) -> list[int]:
    """Return which parameters of a block are looked at: its fair share, small blocks wholly."""
    left, sizes = n, sorted(each.size for each in architecture.blocks)
    share = 1
    for i, size in enumerate(sizes):  # what small blocks leave over goes to the larger ones
        share = max(left // (len(sizes) - i), 1)
        if size >= share:
            break
        left -= size
    else:
        share = sizes[-1]
    order = randomness.permutation(seed, block.size, step=block.offset, purpose=randomness.CHECK)
    return sorted(int(i) + block.offset for i in order[:share])


def _foreign(architecture: Architecture, gradient: Any) -> tuple[Array, float]:
    """Return a gradient from elsewhere as a flat float64 vector, and what it is held to."""
    if not isinstance(gradient, np.ndarray) and hasattr(gradient, "weights"):
        gradient = gradient.flat
    if isinstance(gradient, tuple | list) and len(gradient) == 2 and not np.isscalar(gradient[0]):
        gradient = _flattened(architecture, *gradient)
    flat = np.asarray(gradient)
    if flat.dtype.kind not in "iuf" or flat.dtype == np.float16:
        raise TypeError(f"gradient must hold float32 or float64 numbers, got dtype {flat.dtype}")
    if flat.shape != (architecture.n_parameters,):
        raise ValueError(
            f"gradient must have the shape of the parameters, ({architecture.n_parameters},), "
            f"got {flat.shape}"
        )
    return flat.astype(np.float64), 1e-4 if flat.dtype == np.float32 else HAPPY


def _flattened(architecture: Architecture, weights: Sequence[Any], biases: Sequence[Any]) -> Array:
    n = len(architecture.layers)
    for what, arrays in (("weights", weights), ("biases", biases)):
        if len(arrays) != n:
            raise ValueError(
                f"gradient must have {n} arrays of {what}, one for each layer, got {len(arrays)}"
            )
    parts = []
    for block in architecture.blocks:
        layer = int(block.name.split(".")[1])
        part = np.asarray((weights if block.kind == "weights" else biases)[layer])
        if part.shape != block.shape:
            raise ValueError(
                f"gradient must have the shape {block.shape} for {block.name}, got {part.shape}"
            )
        parts.append(part.ravel())
    for layer, (bias, made) in enumerate(zip(biases, architecture.layers, strict=True)):
        if bias is not None and not made.bias:
            raise ValueError(
                f"gradient must have None for the biases of layer {layer + 1}, which has none, "
                f"got shape {np.shape(bias)}"
            )
    return np.concatenate(parts)


class Differences:
    """The cost as a function of one parameter at a time.

    Parameters
    ----------
    architecture : Architecture
    parameters, X, Y : ndarray
        In float64; `parameters` are copied.
    sample_weight : ndarray of shape (n_samples,), optional
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Array,
        X: Array,
        Y: Array,
        sample_weight: Array | None = None,
    ) -> None:
        self.architecture, self.parameters = architecture, parameters.astype(np.float64)
        self.X, self.Y, self.sample_weight = X, Y, sample_weight
        self._folds = [_folds(layer.function, layer.size) for layer in architecture.layers]
        self._cost_folds = _cost_folds(architecture.cost)

    def cost(self) -> float:
        """Return the cost at the parameters held."""
        return self._reduced(backprop.forward(self.architecture, self.parameters, self.X))

    def _reduced(self, passed: backprop.Forward) -> float:
        return self.architecture.cost.reduce(self._costs(passed), self.sample_weight)

    def _costs(self, passed: backprop.Forward) -> Array:
        cost, output = self.architecture.cost, self.architecture.output
        return cost.of_samples(output, passed.z[-1], passed.a[-1], self.Y)

    def _at(self, i: int, w: float) -> tuple[float, float, list[Array], Array]:
        """Return the cost with parameter i at w, its rounding, the side of each kink, the last z."""
        kept, self.parameters[i] = self.parameters[i], w
        passed = backprop.forward(self.architecture, self.parameters, self.X)
        cost = self._reduced(passed)
        self.parameters[i] = kept
        sides = [
            np.sign(z[:, columns] - kink)
            for z, folds in zip(passed.z, self._folds, strict=True)
            for kink, columns in folds
        ]
        sides += [np.sign(passed.a[-1] - self.Y - kink) for kink in self._cost_folds]
        return cost, self._rounding(cost, passed), sides, passed.z[-1]

    def _rounding(self, value: float, passed: backprop.Forward) -> float:
        """Return the rounding of a cost: its own, and that of what was subtracted on the way."""
        cost, output, a = self.architecture.cost, self.architecture.output, passed.a[-1]
        if output.name in cost.canonical:
            sizes = np.abs(passed.z[-1]).max(axis=1)  # of log sum exp(z) - z
        else:
            sizes = (np.abs(cost.error(output, a, self.Y)) * (np.abs(a) + np.abs(self.Y))).sum(axis=1)
        return _ROUNDING * (abs(value) + cost.reduce(sizes, self.sample_weight))

    def at_step(self, i: int, h: float) -> Estimate:
        """Return the central difference with step h and the rounding in it."""
        w = float(self.parameters[i])
        above, rounding_above, sides_above, z_above = self._at(i, w + h)
        below, rounding_below, sides_below, z_below = self._at(i, w - h)
        width = (w + h) - (w - h)  # exactly; 2h is not
        crossed = any(not np.array_equal(p, q) for p, q in zip(sides_above, sides_below, strict=True))
        # Outputs that are the same to the last bit do not depend on w: then 0 is exact.
        same = np.array_equal(z_above, z_below)
        rounding = 0.0 if same else rounding_above + rounding_below
        return Estimate((above - below) / width, rounding / width, h, crossed)

    def complex_step(self, i: int) -> Estimate | None:
        """Return the derivative by a complex step, or None where something is not analytic."""
        if not _is_analytic(self.architecture):
            return None
        p = self.parameters.astype(np.complex128)
        p[i] += 1j * _COMPLEX_STEP
        passed = backprop.forward(self.architecture, p, self.X)
        slopes = np.imag(self._costs(passed)) / _COMPLEX_STEP
        if not np.isfinite(slopes).all():
            return None
        cost = self.architecture.cost
        # What is left when samples cancel, or a and y do: their rounding, times what it passes through.
        canonical = self.architecture.output.name in cost.canonical
        through = np.abs(np.imag(passed.z[-1] if canonical else passed.a[-1])) / _COMPLEX_STEP
        size = np.abs(slopes) + (through * (np.abs(passed.a[-1]) + np.abs(self.Y))).sum(axis=1)
        slope, bound = (cost.reduce(each, self.sample_weight) for each in (slopes, _ROUNDING * size))
        return Estimate(slope, bound, _COMPLEX_STEP)


def _folds(activation: Activation, size: int) -> list[tuple[float, NDArray[np.int64]]]:
    """Return where a layer's neurons have kinks: each kink, and the columns that have it."""
    parts = activation.parts or (activation,) * size
    kinks = sorted({kink for part in parts for kink in part.kinks})
    return [(k, np.array([j for j, part in enumerate(parts) if k in part.kinks])) for k in kinks]


def _cost_folds(cost: Cost) -> tuple[float, ...]:
    """Return the residuals a - y at which a cost's derivative jumps or bends."""
    if cost.smooth:
        return ()
    if "delta" in cost.parameters:
        return (-cost.parameters["delta"], cost.parameters["delta"])
    return (0.0,)


def _is_analytic(architecture: Architecture) -> bool:
    functions = [part for layer in architecture.layers for part in layer.function.parts]
    functions += [layer.function for layer in architecture.layers]
    cost = architecture.cost
    return cost.smooth and cost.built_in and all(f.smooth and f.built_in for f in functions)


def _estimate(
    difference: Differences,
    block: Block,
    i: int,
    term: str,
    a: float,
    tolerance: float,
    l2: float,
    l1: float,
) -> Estimate:
    decays = block.kind == "weights"
    w = float(difference.parameters[i])
    penalty = _penalty(w, l2, l1) if decays else Estimate(0.0, 0.0, 0.0)
    if term == "penalty":
        return penalty
    if term == "data" or not (decays and (l2 or l1)):
        return _data(difference, i, a, tolerance)
    data = _data(difference, i, a - penalty.value, tolerance)
    bound = data.bound + penalty.bound
    return Estimate(data.value + penalty.value, bound, data.step, data.kink or penalty.kink)


def _penalty(w: float, l2: float, l1: float) -> Estimate:
    """Return the derivative of one weight's penalty, by a central difference."""
    # At half a weight's distance from 0, |w| has no kink in reach and the difference no truncation.
    h = abs(w) / 2 or _FIRST_STEP

    def of(v: float) -> float:
        return 0.5 * l2 * v * v + l1 * abs(v)

    slope = (of(w + h) - of(w - h)) / ((w + h) - (w - h))
    return Estimate(slope, 0.0, h, kink=bool(l1 and w == 0.0))


def _data(difference: Differences, i: int, a: float, tolerance: float) -> Estimate:
    """Return the derivative of the cost at the step where neighbouring estimates agree best."""
    first = _FIRST_STEP * max(1.0, abs(float(difference.parameters[i])))
    tried: dict[float, Estimate] = {1.0: difference.at_step(i, first)}
    if not tried[1.0].kink and judge(a, tried[1.0], tolerance) == "pass":
        return tried[1.0]
    for factor in _LADDER:
        if factor not in tried:
            tried[factor] = difference.at_step(i, factor * first)
        clean = [tried[f] for f in _LADDER if f in tried and not tried[f].kink]
        if factor < 1.0 and len(clean) >= 2:
            break
    best = _best(clean)
    if best is None:
        return tried[_LADDER[-1]]
    # Outputs that stay the same may depend on w by less than their last bit: a saturated neuron's do.
    unseen = abs(a - best.value) <= best.bound or best.value == 0.0 != a
    if unseen and (exact := difference.complex_step(i)) is not None:
        return exact
    return best


def _best(clean: Sequence[Estimate]) -> Estimate | None:
    """Return the estimate, of those ordered by falling step, that its neighbour bears out."""
    if len(clean) < 2:
        return clean[0]._replace(bound=math.inf) if clean else None

    def apart(pair: tuple[Estimate, Estimate]) -> float:
        return abs(pair[0].value - pair[1].value)

    longer, shorter = min(itertools.pairwise(clean), key=apart)
    gap = apart((longer, shorter))
    # More apart than rounding explains: truncation, of which the shorter step has a hundredth.
    chosen = shorter if gap > shorter.bound else longer
    return chosen._replace(bound=gap + chosen.bound)
