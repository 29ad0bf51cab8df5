"""A user's own activation or cost, held against finite differences; and how one is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_FINDING = ("name", "parts", "reduction", "parameters", "built_in")


class Stored:
    """How pickle, copies and skops store one: if built in, without its functions, to be found again."""

    built_in: bool

    def _found_by(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return what finds a built-in one again: a function and its arguments."""
        raise NotImplementedError

    def __reduce__(self) -> Any:
        return self._found_by() if self.built_in else super().__reduce__()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).items() if name in _FINDING or not self.built_in
        }

    def __setstate__(self, state: dict[str, Any]) -> None:  # of skops, which knows no __reduce__
        vars(self).update(state)
        if self.built_in:
            find, arguments = self._found_by()
            vars(self).update(vars(find(*arguments)))


def check_name(kind: str, name: object, built_in: Mapping[str, object]) -> None:
    """Refuse a name that is none, or that of a built-in one: a file would be read back as that."""
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"the name of your own {kind} must be a text, got {name!r}")
    if name in built_in:
        raise ValueError(
            f"the name of your own {kind} must not be that of a built-in one, got {name!r}"
        )


def _called(what: str, function: Callable[..., Any], *arguments: Array) -> Array:
    try:
        return np.asarray(function(*arguments))
    except Exception as problem:
        raise ValueError(f"{what} must take and return arrays, it raised {problem!r}") from problem


class ActivationLike(Protocol):
    """What is checked of an activation."""

    @property
    def name(self) -> str:
        """Under which messages know it."""
        ...

    @property
    def function(self) -> Callable[[Array], Array]:
        """f(z)."""
        ...

    @property
    def derivative(self) -> Callable[[Array], Array]:
        """f'(z)."""
        ...


class CostLike(Protocol):
    """What is checked of a cost."""

    @property
    def name(self) -> str:
        """Under which messages know it."""
        ...

    @property
    def value(self) -> Callable[[Array, Array], Array]:
        """The cost of each sample."""
        ...

    @property
    def derivative(self) -> Callable[[Array, Array], Array]:
        """dC/da."""
        ...


def check_activation(activation: ActivationLike) -> None:
    """Refuse a derivative that disagrees with central differences of its function.

    A point where the two one-sided differences disagree is a kink of the function, not a mistake of
    the derivative; it is passed over.
    """
    # Irrational steps: no common kink (0, 1, -1, 0.5) is hit.
    z = np.concatenate([np.arange(-6.0, 6.0, 0.0917), [-30.03, -15.17, 15.17, 30.03]])
    name = activation.name
    for what, f in (("function", activation.function), ("derivative", activation.derivative)):
        values = _called(f"the {what} of activation {name!r}", f, z)
        if values.shape != z.shape:
            raise ValueError(
                f"the {what} of activation {name!r} must return an array of the shape of z, "
                f"{z.shape}, got {values.shape}"
            )
        if not np.array_equal(np.asarray(f(z[::-1].copy()))[::-1], values, equal_nan=True):
            raise ValueError(f"the {what} of activation {name!r} must work element by element")
    h = 1e-5
    f = activation.function
    left, right = (f(z) - f(z - h)) / h, (f(z + h) - f(z)) / h
    estimate, claimed = (left + right) / 2, np.asarray(activation.derivative(z), dtype=np.float64)
    # fmax passes over NaN: what is not a number is a mismatch, not a kink.
    scale = np.fmax(1.0, np.fmax(np.abs(estimate), np.abs(claimed)))
    kink = np.abs(right - left) / scale >= 1e-2
    mismatch = np.where(kink, 0.0, np.abs(estimate - claimed) / scale)
    mismatch = np.where(np.isnan(mismatch), np.inf, mismatch)
    worst = int(np.argmax(mismatch))
    if mismatch[worst] > 1e-5:
        raise ValueError(
            f"the derivative of activation {name!r} must agree with finite differences of its "
            f"function: at z = {z[worst]:.4g} it gives {claimed[worst]:.6g}, the differences "
            f"{estimate[worst]:.6g} (the largest mismatch, {mismatch[worst]:.2g})"
        )


def check_cost(cost: CostLike) -> None:
    """Refuse a cost that is not one number for each sample alone, or whose derivative disagrees."""
    rng = np.random.default_rng(0)  # test points only; nothing is drawn from it for a model
    a, y = rng.uniform(0.1, 0.9, (2, 7, 3))
    values = _called(f"the value of cost {cost.name!r}", cost.value, a, y)
    if values.shape != (len(a),):
        raise ValueError(
            f"the value of cost {cost.name!r} must be one number for each sample, shape ({len(a)},), "
            f"got shape {values.shape}"
        )
    alone = [np.asarray(cost.value(a[[i]], y[[i]]))[0] for i in range(len(a))]
    if not np.allclose(values, alone, rtol=1e-9, atol=1e-12):
        raise ValueError(
            f"the value of cost {cost.name!r} must depend, for each sample, on that sample alone"
        )
    claimed = _called(f"the derivative of cost {cost.name!r}", cost.derivative, a, y)
    if claimed.shape != a.shape:
        raise ValueError(
            f"the derivative of cost {cost.name!r} must have the shape of the outputs, {a.shape}, "
            f"got {claimed.shape}"
        )
    h = 1e-6
    estimate = np.empty_like(a)
    for j in range(a.shape[1]):
        step = h * np.eye(a.shape[1])[j]
        estimate[:, j] = (cost.value(a + step, y) - cost.value(a - step, y)) / (2 * h)
    scale = np.maximum(1.0, np.maximum(np.abs(estimate), np.abs(claimed)))
    mismatch = np.abs(estimate - claimed) / scale
    worst = np.unravel_index(int(np.argmax(mismatch)), a.shape)
    if not mismatch.max() <= 1e-6:
        raise ValueError(
            f"the derivative of cost {cost.name!r} must agree with finite differences of its value: "
            f"at a = {a[worst]:.4g}, y = {y[worst]:.4g} it gives {claimed[worst]:.6g}, the differences "
            f"{estimate[worst]:.6g} (the largest mismatch, {mismatch.max():.2g})"
        )


def of_shape(shape: tuple[int, ...], found: Any, what: str, name: str) -> Array:
    """Return what a cost's function gave; its shape may be one that broadcasting would hide."""
    made: Array = np.asarray(found)
    if made.shape != shape:
        raise ValueError(
            f"the {what} of cost {name!r} must have the shape {shape} for {shape[0]} samples, "
            f"got {made.shape}"
        )
    return made
