"""Is a gradient right? Central differences in float64, with a verdict that can be "I cannot tell".

For each sampled parameter w, ``(C(w + h) - C(w - h)) / 2h`` is held against the claimed dC/dw. Four
rules keep the answer honest:

* only a small *relative* error passes. A difference that drowns in rounding may excuse a parameter
  ("undecided"); it never certifies one, or a tiny gradient that is 100 % wrong would pass;
* where a relu or |a - y| changes side between w - h and w + h, the difference means nothing: smaller
  steps are tried, and if none is clean the verdict is "kink";
* a gradient from elsewhere is held to what rounding explains, in the precision it shows (`rounding`);
* a corrupted gradient is judged first, by the same numbers. A check that lets it through in some block
  of parameters cannot certify that block.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import penalties, randomness
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.flat_vector import Block
from clearprop.gradient_check import foreign, mistakes, rounding
from clearprop.gradient_check.differences import Differences, estimate
from clearprop.gradient_check.verdict import (
    HAPPY,
    Estimate,
    GradientCheck,
    Row,
    judge,
    largest,
    overall,
    relative_error,
)

_FLOAT32 = 1e-4  # relative, of a block: what a gradient in float32 is held to
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


def check_gradient(
    net: Checkable,
    X: ArrayLike,
    Y: ArrayLike,
    gradient: object = None,
    *,
    n_parameters: int = 200,
    seed: int = 0,
    l2: float = 0.0,
    l1: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> GradientCheck:
    """Hold a gradient against central differences of the cost, in float64.

    Parameters
    ----------
    net : Network
        A float64 copy of it is used; it is not changed.
    X, Y : array-like
        As for ``net.cost``.
    gradient : array-like, optional
        A gradient from elsewhere: flat like ``net.parameters``; a `Gradient`; arrays or tensors in the
        order of ``net.blocks``, as in PyTorch's ``[p.grad for p in model.parameters()]``; a pair
        (weights, biases) for each layer, or one pair of the weights and the biases of all; or a
        mapping from the names in ``net.blocks`` to arrays. None checks the network's own. One from
        elsewhere is held to the precision in which its numbers can have been computed, which they show
        themselves: one is wrong if it is further off than rounding explains, down to 1e-4 of its
        block's largest in float32 and 1e-9 in float64. Of one that fails, `mistakes` says what it is a
        sign of.
    n_parameters : int
        At most so many are looked at (but one of every block), drawn with `seed`; of a gradient from
        elsewhere also the one of each block that is furthest off, where rounding does not explain it.
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
    difference = _differences(wide, X, Y, sample_weight)
    if gradient is not None:
        exact = wide.gradient(X, Y, sample_weight=sample_weight, l2=l2, l1=l1).flat
        rights = [exact, *_with_penalty_of(net, exact, l2, l1)]
        held = _Held(difference, foreign.as_flat(architecture, gradient), rights, l2, l1)
    claimed: dict[str, Array] = {}
    if gradient is None:
        claimed["data"] = wide.gradient(X, Y, sample_weight=sample_weight).flat
        if l2 or l1:
            total = wide.gradient(X, Y, sample_weight=sample_weight, l2=l2, l1=l1).flat
            claimed["penalty"] = total - claimed["data"]
    rows, blind = [], []
    for block in architecture.blocks:
        sample = _sample(architecture, block, n_parameters, seed)
        if gradient is None:
            mine, found_out = _rows(difference, block, sample, claimed, (l2, l1))
        else:
            mine, found_out = held.rows(block, sample)
        rows += mine
        if not found_out:
            blind.append(block.name)
    verdict = overall(rows, blind)
    return GradientCheck(
        verdict,
        largest(rows),
        tuple(rows),
        architecture.n_parameters,
        tuple(blind),
        held.mistakes() if verdict == "fail" and gradient is not None else (),
    )


def _differences(wide: Checkable, X: Any, Y: Any, sample_weight: Any) -> Differences:
    """Return the cost of the network's layers, which must be the cost that it says it has."""
    weight = None
    expected = wide.cost(X, Y, sample_weight=sample_weight)  # which also checks the weights
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=np.float64)
        weight = weight / weight.mean()
    pair = wide.trace(X, Y)
    difference = Differences(wide.architecture, wide.parameters, pair.X, pair.Y, weight)
    if not math.isfinite(expected):
        raise ValueError(f"the cost must be finite for its gradient to be checked, got {expected}")
    base = difference.cost()
    if not math.isclose(base, expected, rel_tol=1e-9, abs_tol=1e-12):
        raise ValueError(
            f"net.cost and the cost that its layers give must be equal, got {expected} and {base}"
        )
    return difference


def _with_penalty_of(net: Checkable, exact: Array, l2: float, l1: float) -> list[Array]:
    """Return the exact gradient with penalties as a float32 network's own weights give them.

    ``l2 * W`` is in float32 then, and so is its sum with ``l1 * sign(W)``, or each is added by itself.
    """
    if net.parameters.dtype != np.float32 or not (l2 or l1):
        return []
    architecture = net.architecture

    def of(parameters: NDArray[Any], l2: float, l1: float) -> Array:
        made = np.zeros_like(parameters)
        penalties.add_gradient(architecture, made, parameters, l2, l1)
        return made.astype(np.float64)

    data = exact - of(net.parameters.astype(np.float64), l2, l1)
    return [
        data + of(net.parameters, l2, l1),
        data + of(net.parameters, l2, 0) + of(net.parameters, 0, l1),
    ]


class _Held:
    """A gradient from elsewhere, held against the network's own where differences bear that out.

    The network's own is exact to the rounding of float64, and there for every parameter, where
    differences see to 1e-7: so one number that is 1e-9 off is found wherever it is. Of several that are
    right, as penalties can be added in more ways than one, it is held against the nearest.
    """

    def __init__(
        self, difference: Differences, claimed: Array, rights: list[Array], l2: float, l1: float
    ) -> None:
        self.difference, self.penalties = difference, (l2, l1)
        self.claimed, self.exact = claimed, (exact := rights[0])
        blocks = difference.architecture.blocks
        shown = rounding.precision([claimed[block.slice] for block in blocks])
        self.spread = spread = rounding.spread(difference, l2, l1).gradient
        self.bound = rounding.bound(spread, shown.eps, exact)
        self.tolerance = np.full(claimed.shape, shown.tolerance)
        if shown.eps == rounding.DOUBLE:  # and yet it may have been computed in float32 in part
            short = rounding.looks_like(difference, claimed, exact, spread)
            self.bound[short] = rounding.bound(spread[short], rounding.SINGLE, exact)
            self.tolerance[short] = np.maximum(shown.tolerance, rounding.tolerance(rounding.SINGLE))
        self.bound += shown.half_place
        self.coarse = _FLOAT32 if self.tolerance.max() > HAPPY else HAPPY
        self.right = min(rights, key=lambda right: float(self._off(right).max()))
        self.off = self._off(self.right)

    def _off(self, right: Array) -> Array:
        """Return how far the claim is from what is right, in what is allowed."""
        with np.errstate(all="ignore"):
            off = np.abs(self.claimed - right) / (self.bound + self.tolerance * np.abs(right))
        return np.where(self.claimed == right, 0.0, np.nan_to_num(off, nan=math.inf))

    def rows(self, block: Block, sample: list[int]) -> tuple[list[Row], bool]:
        """Return the rows of a block, and whether a corrupted gradient was found out in it."""
        own = {i: self._estimate(block, i, float(self.exact[i]), HAPPY) for i in sample}
        borne_out = self._is_borne_out(block, own)
        worst = block.offset + int(np.argmax(self.off[block.slice]))
        is_seen = borne_out or not math.isfinite(self.claimed[worst])
        if worst not in own and is_seen and self.off[worst] > 1:
            own[worst] = self._estimate(block, worst, float(self.exact[worst]), HAPPY)
        size = float(np.abs(self.exact[block.slice]).max())
        rows, found_out = [], False
        for i, each in sorted(own.items()):
            tolerance = self.coarse
            if borne_out and not each.kink:
                each = Estimate(float(self.right[i]), float(self.bound[i]), each.step)
                tolerance = float(self.tolerance[i])
            elif not each.kink:
                each = self._estimate(block, i, float(self.claimed[i]), tolerance)
                if self.coarse > HAPPY and math.isfinite(self.bound[i]):
                    each = each._replace(bound=each.bound + float(self.bound[i]))
            row, caught = _judged(block, i, "total", float(self.claimed[i]), each, tolerance)
            if row.verdict == "undecided" and borne_out and self.bound[i] <= tolerance * size:
                # What rounding leaves open is less than what has to be found.
                beside = abs(row.analytic - row.numeric) / size
                row = row._replace(verdict="pass", relative_error=beside)
            rows.append(row)
            found_out |= caught
        return rows, found_out

    def mistakes(self) -> tuple[mistakes.Mistake, ...]:
        """Return what a gradient that fails is a sign of."""
        found = mistakes.likely(self.difference, self.claimed, self.coarse, *self.penalties)
        if not found and rounding.may_be_half(self.claimed, self.exact, self.spread):
            found = (mistakes.half_precision(len(self.difference.architecture.layers)),)
        return found

    def _is_borne_out(self, block: Block, own: dict[int, Estimate]) -> bool:
        """Return whether differences contradict none of the network's own, and see some of it."""
        verdicts = {judge(float(self.exact[i]), each) for i, each in own.items()}
        if not verdicts & {"pass", "fail"}:
            largest = block.offset + int(np.argmax(np.abs(self.exact[block.slice])))
            a = float(self.exact[largest])
            verdicts.add(judge(a, self._estimate(block, largest, a, HAPPY)))
        return "pass" in verdicts and "fail" not in verdicts

    def _estimate(self, block: Block, i: int, a: float, tolerance: float) -> Estimate:
        return estimate(self.difference, block, i, "total", a, tolerance, *self.penalties)


def _rows(
    difference: Differences,
    block: Block,
    sample: list[int],
    claimed: dict[str, Array],
    penalties: tuple[float, float],
) -> tuple[list[Row], bool]:
    """Return the rows of a block, and whether a corrupted gradient was found out in it."""
    rows, found_out = [], False
    for i in sample:
        for term, values in claimed.items():
            a = float(values[i])
            made = estimate(difference, block, i, term, a, HAPPY, *penalties)
            if term == "penalty" and a != made.value:
                # It was found by a subtraction, which leaves its rounding.
                noise = 4 * np.finfo(np.float64).eps * abs(float(claimed["data"][i]))
                made = made._replace(bound=made.bound + noise)
            row, caught = _judged(block, i, term, a, made, HAPPY)
            rows.append(row)
            found_out |= caught and term != "penalty"
    return rows, found_out


def _judged(
    block: Block, i: int, term: str, a: float, made: Estimate, tolerance: float
) -> tuple[Row, bool]:
    """Return the row of a claim, and whether a corrupted one would have failed."""
    index = tuple(int(k) for k in np.unravel_index(i - block.offset, block.shape))
    n = made.value
    wrong = n * (1 + _control(tolerance)) if n or made.bound else _control(tolerance)
    found_out = judge(wrong, made, tolerance) == "fail"
    verdict = judge(a, made, tolerance)
    return Row(block.name, index, term, a, n, relative_error(a, n), made.step, verdict), found_out


def _check_count(n_parameters: int) -> int:
    if isinstance(n_parameters, bool) or not isinstance(n_parameters, int | np.integer):
        raise TypeError(f"n_parameters must be an integer of at least 1, got {n_parameters!r}")
    if n_parameters < 1:
        raise ValueError(f"n_parameters must be at least 1, got {n_parameters}")
    return int(n_parameters)


def _control(tolerance: float) -> float:
    return max(_CORRUPTION, 10 * tolerance)


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
