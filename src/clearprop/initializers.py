"""First weights and biases: functions of a layer's sizes and a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.names import is_number, known_name


@dataclass(frozen=True)
class Initializer:
    """Draws a block of first parameters.

    ``scale(n_in, n_out)`` is the half-width of a uniform draw around 0, the standard deviation of a
    normal one, or the value itself, as `distribution` says.
    """

    name: str
    distribution: str  # "uniform", "normal" or "constant"
    scale: Callable[[int, int], float] = field(repr=False, compare=False)
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __reduce__(self) -> Any:
        """Be found again by its name, not pickled."""
        return _again, (self.name, dict(self.parameters))

    def draw(
        self, shape: tuple[int, ...], n_in: int, n_out: int, *, seed: int, purpose: int, layer: int
    ) -> NDArray[np.float64]:
        """Return float64 parameters of the given shape, a pure function of the arguments."""
        n, scale = math.prod(shape), self.scale(n_in, n_out)
        if self.distribution == "constant":
            return np.full(shape, scale)
        where = {"purpose": purpose, "layer": layer}
        if self.distribution == "normal":
            return scale * randomness.normal(seed, n, **where).reshape(shape)
        return scale * (2.0 * randomness.uniform(seed, n, **where) - 1.0).reshape(shape)


def uniform(epsilon: float = 0.5) -> Initializer:
    """Return the uniform draw in [-epsilon, epsilon] of S1.

    Raises
    ------
    ValueError
        If epsilon is not above 0.
    """
    if not is_number(epsilon) or epsilon <= 0:
        raise ValueError(f"epsilon must be a finite number above 0, got {epsilon!r}")
    return Initializer("uniform", "uniform", lambda n_in, n_out: epsilon, {"epsilon": epsilon})


def normal(std: float = 1.0) -> Initializer:
    """Return the draw from N(0, std^2); S2's networks start with std 1.

    Raises
    ------
    ValueError
        If std is not above 0.
    """
    if not is_number(std) or std <= 0:
        raise ValueError(f"std must be a finite number above 0, got {std!r}")
    return Initializer("normal", "normal", lambda n_in, n_out: std, {"std": std})


def constant(value: float | None = None) -> Initializer:
    """Return the initializer that sets every parameter to `value`.

    Raises
    ------
    ValueError
        If value is not finite.
    """
    if not is_number(value):
        raise ValueError(f"value must be a finite number, as in constant(0.5), got {value!r}")
    return Initializer("constant", "constant", lambda n_in, n_out: value, {"value": value})


def zeros() -> Initializer:
    """Return the initializer that sets every parameter to 0."""
    return Initializer("zeros", "constant", lambda n_in, n_out: 0.0)


def lecun_normal() -> Initializer:
    """Return the draw from N(0, 1/n_in) (LeCun et al. 1998)."""
    return Initializer("lecun_normal", "normal", lambda n_in, n_out: math.sqrt(1.0 / n_in))


def glorot_uniform() -> Initializer:
    """Return the uniform draw of variance 2/(n_in + n_out) (Glorot and Bengio 2010)."""
    return Initializer("glorot_uniform", "uniform", lambda n_in, n_out: math.sqrt(6.0 / (n_in + n_out)))


def glorot_normal() -> Initializer:
    """Return the draw from N(0, 2/(n_in + n_out)) (Glorot and Bengio 2010)."""
    return Initializer("glorot_normal", "normal", lambda n_in, n_out: math.sqrt(2.0 / (n_in + n_out)))


def he_uniform() -> Initializer:
    """Return the uniform draw of variance 2/n_in (He et al. 2015)."""
    return Initializer("he_uniform", "uniform", lambda n_in, n_out: math.sqrt(6.0 / n_in))


def he_normal() -> Initializer:
    """Return the draw from N(0, 2/n_in) (He et al. 2015)."""
    return Initializer("he_normal", "normal", lambda n_in, n_out: math.sqrt(2.0 / n_in))


INITIALIZERS: dict[str, Callable[..., Initializer]] = {
    factory.__name__: factory
    for factory in (
        uniform,
        normal,
        lecun_normal,
        glorot_uniform,
        glorot_normal,
        he_uniform,
        he_normal,
        zeros,
        constant,
    )
}


def _again(name: str, parameters: dict[str, float]) -> Initializer:
    return INITIALIZERS[name](**parameters)


def resolve(initializer: str | Initializer, argument: str = "initializer") -> Initializer:
    """Return the initializer from its name or itself.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if isinstance(initializer, Initializer):
        return initializer
    return INITIALIZERS[known_name(argument, initializer, INITIALIZERS)]()
