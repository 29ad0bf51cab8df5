"""A pass from elsewhere, quantity by quantity: where it leaves the network's own, and how.

What someone needs who ports a network: the first layer and the first quantity that differ, in the order
in which a pass computes them, and what the numbers there are instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Array
from clearprop.gradient_check import likenesses, rounding
from clearprop.gradient_check.differences import Differences
from clearprop.masks import refuse_masked
from clearprop.traceable import Traceable

FORWARD, BACKWARD = ("weight", "bias", "z", "a"), (
    "error",
    "slope",
    "delta",
    "weight_gradient",
    "bias_gradient",
)  # fmt: skip
_LOST = 1e-2  # relative: where rounding may do more than this, agreement says nothing
_SHORT = 0.75  # of the numbers, changed by the rounding of float32: then they were computed in it


class TraceRow(NamedTuple):
    """One quantity of a trace check."""

    quantity: str  # z
    layer: int  # the weight layer, 1..L; 0 for x, y and the costs
    difference: float  # the largest, beside the largest number; infinite where one is not finite
    verdict: str  # pass, fail or undecided
    sentence: str  # what is wrong, if something is


@dataclass(frozen=True)
class TraceCheck:
    """What a trace check found.

    Attributes
    ----------
    verdict : {"pass", "fail", "undecided"}
        "pass" if all that was given agrees; "undecided" if the rest is what rounding may have lost. It
        is true in an ``if`` only where it is "pass".
    rows : tuple of TraceRow
        In the order in which a pass computes them.
    n_samples : int
    """

    verdict: str
    rows: tuple[TraceRow, ...]
    n_samples: int

    @property
    def first_wrong(self) -> TraceRow | None:
        """The first quantity that differs, in the order of the pass; None where none does."""
        return next((row for row in self.rows if row.verdict == "fail"), None)

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    def __str__(self) -> str:
        """Return the verdict, the first quantity that differs, and a line for each."""
        s = "" if self.n_samples == 1 else "s"
        lines = [
            f"trace check: {self.verdict} ({len(self.rows)} quantities of {self.n_samples:,} sample{s})"
        ]
        if (first := self.first_wrong) is not None:
            lines += ["", f"First that differs, in the order of the pass: {told(first)}."]
            lines += [
                f"Likely: {first.sentence}." if first.sentence else "Its numbers are just others."
            ]
        lines += ["", f"{'quantity':32} {'difference':>10}  verdict"]
        lines += [f"{told(row):32} {row.difference:>10.1e}  {row.verdict}" for row in self.rows]
        return "\n".join(lines)


def told(row: TraceRow) -> str:
    """Return what a row is of, in words."""
    return f"{row.quantity} of layer {row.layer}" if row.layer else row.quantity


def check_trace(net: Traceable, X: Any, Y: Any, given: Mapping[str, Any]) -> TraceCheck:
    """Hold a pass from elsewhere against that of a network, in float64.

    Parameters
    ----------
    net : Network
        A float64 copy of it is used; it is not changed.
    X, Y : array-like
        As for ``net.trace``: the rows whose pass it is.
    given : mapping
        Arrays by their names: x, y, sample_costs, cost, and of layer l, counted from 0 as in
        ``net.blocks``: layers.l.z, .a, .error, .slope, .delta, .weight, .bias, .weight_gradient,
        .bias_gradient. As many of these as there are. Or the JSON of ``explain``, as it is read.

    Returns
    -------
    TraceCheck

    Raises
    ------
    ValueError, TypeError
        If a name is unknown, nothing was given, or an array is none of numbers, or of another shape.

    Examples
    --------
    >>> from clearprop.gradient_check import check_trace
    >>> net = cp.Network([2, 3, 2], seed=0)
    >>> X, Y = [[0.5, -1.0], [2.0, 0.1]], [0, 1]
    >>> hidden = net.trace(X, Y).layers[0]
    >>> check = check_trace(net, X, Y, {"layers.0.z": hidden.z, "layers.0.a": hidden.z})
    >>> check.verdict, check.first_wrong.quantity
    ('fail', 'a')
    >>> check.first_wrong.sentence
    'it is z of this layer'
    """
    right = _Right(net.copy("float64"), X, Y)
    arrays = {name: _numbers(name, each) for name, each in named_arrays(given).items()}
    known = right.expected()
    if unknown := sorted(set(arrays) - set(known)):
        raise ValueError(
            f"trace must have names such as x, layers.0.z or layers.{right.n_layers - 1}.delta, of "
            f"layers 0 to {right.n_layers - 1}, got {', '.join(unknown[:5])}"
        )
    if not arrays:
        raise ValueError("trace must have at least one quantity, such as layers.0.z, got none")
    shown = rounding.precision(list(arrays.values()))
    ends = np.cumsum([each.size for each in arrays.values()])[:-1]
    places = dict(zip(arrays, np.split(shown.half_place, ends), strict=True))
    rows = [
        right.row(name, arrays[name], places[name], *known[name], shown.eps)
        for name in known
        if name in arrays
    ]
    verdicts = {row.verdict for row in rows}
    verdict = next((v for v in ("fail", "undecided") if v in verdicts), "pass")
    return TraceCheck(verdict, tuple(rows), len(right.trace.X))


def named_arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of a trace by their names, also of the JSON of ``explain``.

    Raises
    ------
    ValueError, TypeError
        If what has layers is not of that form.
    """
    if "layers" not in given:
        return dict(given)
    version = given.get("format", "trace/2")
    if version not in ("trace/1", "trace/2"):
        raise ValueError(f"trace must be of the format trace/1 or trace/2, got {version!r}")
    batch, layers = given.get("batch", {}), given["layers"]
    if not isinstance(batch, Mapping) or not isinstance(layers, list):
        raise TypeError(
            "trace must have an object as batch and a list as layers, as explain writes them"
        )
    found = {name: batch[name] for name in ("x", "y") if name in batch}
    found |= {new: given[old] for old, new in _COSTS.items() if old in given}
    for at, layer in enumerate(layers):
        if not isinstance(layer, Mapping):
            raise TypeError(f"trace must have an object for each layer, got {type(layer).__name__}")
        number = layer.get("layer", at + 1)
        if number != int(number) or number < 1:
            raise ValueError(f"trace must number its layers from 1 on, got {number!r}")
        for name, array in layer.items():
            if name != "layer":
                found[f"layers.{int(number) - 1}.{name}"] = array
    return found


_COSTS = {"cost_value": "cost", "sample_costs": "sample_costs"}


def _numbers(name: str, array: Any) -> NDArray[np.float64]:
    refuse_masked((name, array), "trace")
    try:
        made = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"trace must hold numbers in one array for {name}, got others") from None
    return made


class _Right:
    """The network's own pass, and what rounding may do to it."""

    def __init__(self, net: Traceable, X: Any, Y: Any) -> None:
        self.trace, self.architecture = net.trace(X, Y), net.architecture
        self.raw = np.asarray(X)
        self.n_layers = len(net.architecture.layers)
        self.problem = Differences(self.architecture, net.parameters, self.trace.X, self.trace.Y)
        self.spread = rounding.spread(self.problem)

    def expected(self) -> dict[str, tuple[str, int, Array, Array]]:
        """Return by its name, in the order of a pass, each quantity: its name, layer, array, spread."""
        trace = self.trace
        found: dict[str, tuple[str, int, Array, Array]] = {}
        for name, array in (("x", trace.inputs), ("y", trace.Y)):
            found[name] = (name, 0, array, np.abs(array))
        for layer in range(self.n_layers):
            found |= {f"layers.{layer}.{name}": each for name, *each in self._of(layer, FORWARD)}  # type: ignore[misc]
        costs = np.abs(trace.sample_costs) + (
            np.abs(trace.layers[-1].delta) * self.spread.z[-1] + np.abs(trace.layers[-1].z)
        ).sum(axis=1)
        found["sample_costs"] = ("sample_costs", 0, trace.sample_costs, costs)
        total = np.array(costs.sum() * self.architecture.cost.scale(len(costs)))
        found["cost"] = ("cost", 0, np.array(trace.cost), total)
        for layer in reversed(range(self.n_layers)):
            found |= {f"layers.{layer}.{name}": each for name, *each in self._of(layer, BACKWARD)}  # type: ignore[misc]
        return {name: (each[0], each[1], each[2], each[3]) for name, each in found.items()}

    def _of(self, layer: int, names: tuple[str, ...]) -> Iterator[tuple[str, str, int, Array, Array]]:
        made, spread = self.trace.layers[layer], self.spread
        weights, biases = self.architecture.views(spread.gradient)
        spreads = {
            "weight": np.abs(made.weights),
            "bias": None if made.biases is None else np.abs(made.biases),
            "z": spread.z[layer],
            "a": spread.a[layer],
            "error": spread.error[layer],
            "slope": self._of_slope(layer),
            "delta": spread.delta[layer],
            "weight_gradient": weights[layer],
            "bias_gradient": biases[layer],
        }
        arrays = {"weight": made.weights, "bias": made.biases}
        for name in names:
            array, how_far = arrays.get(name, getattr(made, name, None)), spreads[name]
            if array is not None and how_far is not None:
                yield name, name, layer + 1, array, how_far

    def _of_slope(self, layer: int) -> Array:
        made, function = self.trace.layers[layer], self.trace.layers[layer].function
        if not function.elementwise:
            a = np.abs(made.a) + self.spread.a[layer]
            both: Array = a[:, :, None] + a[:, None, :]
            return both
        off = rounding.SINGLE * self.spread.z[layer]
        with np.errstate(all="ignore"):
            moved = np.maximum(*(np.abs(function.slope(made.z + d) - made.slope) for d in (off, -off)))
            found: Array = (
                moved / rounding.SINGLE + np.minimum(np.abs(made.a), 1.0) + np.abs(made.slope)
            )
        return found

    def row(
        self,
        name: str,
        given: NDArray[np.float64],
        half_place: Array,
        quantity: str,
        layer: int,
        right: Array,
        spread: Array,
        eps: float,
    ) -> TraceRow:
        """Return the verdict on one quantity."""
        if given.size == right.size and (given.ndim < right.ndim or not right.ndim):
            # Of one sample, without its axis; or one number with one.
            given = given.reshape(right.shape)
        like = likenesses.Likeness(self.problem, self.trace, self.raw, quantity, layer - 1)
        if given.shape != right.shape:
            if given.shape != right.T.shape or not like.same(given.T, right):
                raise ValueError(_shape(name, given, right, len(self.trace.X)))
            return TraceRow(quantity, layer, math.inf, "fail", likenesses.TRANSPOSED)
        if not np.isfinite(given).all() and np.isfinite(right).all():
            at = tuple(map(int, np.argwhere(~np.isfinite(given))[0]))
            sentence = f"{given[at]} stands where {right[at]:.7g} is meant, first at {list(at)}"
            return TraceRow(quantity, layer, math.inf, "fail", sentence)
        with np.errstate(all="ignore"):
            off = np.where(given == right, 0.0, np.abs(given - right))
            largest = float(np.abs(right).max(initial=0.0))
            difference = float(off.max(initial=0.0)) / (largest or 1.0)
        verdict = _verdict(right, off, spread, half_place.reshape(off.shape), eps)
        sentence = like.sentence(given, right) if verdict == "fail" else ""
        return TraceRow(quantity, layer, difference, verdict, sentence)


def _verdict(right: Array, off: Array, spread: Array, half_place: Array, eps: float) -> str:
    """Return whether numbers are right, in the precision in which they can have been computed."""
    for tried in (eps, rounding.SINGLE) if eps == rounding.DOUBLE else (eps,):
        bound = rounding.bound(spread, tried, right) + half_place
        if not (off <= bound).all():
            continue
        if tried != eps:  # float32 leaves hardly any number alone
            changed = off[spread > 0] > rounding.bound(spread, eps, right)[spread > 0]
            if np.mean(changed) < _SHORT:
                return "fail"
        size = _LOST * np.abs(right)
        lost = (off > size).any() and np.median((bound - size)[right != 0]) > 0
        return "undecided" if lost else "pass"
    return "fail"


def _shape(name: str, given: Array, right: Array, n: int) -> str:
    said = f"trace must have the shape {right.shape} for {name}, got {given.shape}"
    if right.ndim and given.ndim == right.ndim and right.shape[0] == n != given.shape[0]:
        said += f": {n} rows of the data were passed"
    return said
