"""Deformed images: each time a training sees one it is turned, stretched, sheared and bent a little.

The elastic displacements are those of Simard, Steinkraus and Platt ("Best Practices for Convolutional
Neural Networks Applied to Visual Document Analysis", 2003): independent numbers from [-1, 1) for every
pixel, smoothed by a Gaussian and multiplied by alpha. Every pixel of the deformed image is read where
its place comes from, between four pixels in proportion (bilinear interpolation).

All that is drawn is a function of the seed, the epoch and where a row stands in the epoch's order, by
`randomness`: no number of threads and no interruption changes a bit. What is here is NumPy, and says
what the kernel in ``engines.deforming`` must agree with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import randomness
from clearprop.names import is_number

Array = NDArray[Any]
_TRUNCATE = 4.0  # standard deviations after which a Gaussian ends, as in scipy.ndimage
HALVES = 8  # numbers of 16 random bits in a block of four words


@dataclass(frozen=True)
class Deform:
    """Random deformations of images; `deform` says what each number means.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    """

    rotation: float = 0.0
    scaling: float = 0.0
    shear: float = 0.0
    alpha: float = 0.0
    sigma: float = 5.0
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check every number against its rule."""
        for name, most in (("rotation", 180.0), ("scaling", 1.0), ("shear", math.inf)):
            value = getattr(self, name)
            rule = {"rotation": "from 0 to 180 degrees", "scaling": "at least 0 and below 1"}.get(
                name, "a finite number of at least 0"
            )
            _check(name, value, rule, least=0.0, most=most, open_end=name == "scaling")
        _check("alpha", self.alpha, "a finite number of pixels of at least 0", least=0.0)
        _check("sigma", self.sigma, "a finite number of pixels of at least 0", least=0.0)
        if self.alpha and not self.sigma:
            raise ValueError(f"sigma must be above 0 where alpha is, got {self.sigma!r}")
        if self.shape is not None:
            given = self.shape
            if not isinstance(given, tuple | list) or len(given) != 2:
                raise TypeError(f"shape must be (height, width), got {given!r}")
            if not all(isinstance(n, int | np.integer) and n >= 1 for n in given):
                raise ValueError(f"shape must be (height, width), each at least 1, got {given!r}")
            object.__setattr__(self, "shape", (int(given[0]), int(given[1])))

    def describe(self) -> dict[str, Any]:
        """Return its name and numbers, as JSON has them."""
        return {"name": "deform", **{name: _json(value) for name, value in vars(self).items()}}

    def image_shape(self, n_features: int) -> tuple[int, int]:
        """Return height and width of images of so many pixels.

        Raises
        ------
        ValueError
            If they are not of that shape; or no square, where no shape was given.
        """
        if self.shape is None:
            side = math.isqrt(n_features)
            if side * side != n_features:
                raise ValueError(
                    f"deform needs shape=(height, width) for images that are no squares, got "
                    f"{n_features} features"
                )
            return side, side
        if self.shape[0] * self.shape[1] != n_features:
            raise ValueError(
                f"deform's shape must have as many pixels as there are features, {n_features}, got "
                f"{self.shape}"
            )
        return self.shape

    def places(self, seed: int, epoch: int, rows: Array, shape: tuple[int, int]) -> Array:
        """Return (y0, y by i, y by j, x0, x by i, x by j) of every row: where pixel (i, j) comes from.

        The image is stretched, then sheared, then turned, about its middle; this is the way back.
        """
        words = randomness.philox(seed, 0, rows, epoch, purpose=randomness.DEFORMATION)
        turn, tall, wide, slant = (np.asarray(w, np.float64) * 2.0**-31 - 1.0 for w in words)
        angle, slant = turn * math.radians(self.rotation), slant * self.shear
        tall, wide = 1.0 / (1.0 + tall * self.scaling), 1.0 / (1.0 + wide * self.scaling)
        cos, sin = np.cos(angle), np.sin(angle)
        y_i, y_j = tall * cos, tall * -sin
        x_i, x_j = wide * (sin - slant * cos), wide * (cos + slant * sin)
        middle_y, middle_x = ((n - 1) / 2 for n in shape)
        y0 = middle_y - y_i * middle_y - y_j * middle_x
        x0 = middle_x - x_i * middle_y - x_j * middle_x
        return np.stack([y0, y_i, y_j, x0, x_i, x_j], axis=-1)

    def smoothing(self, n: int) -> NDArray[np.float64]:
        """Return the symmetric matrix whose product with n numbers smooths them; beyond them are 0."""
        reach = int(_TRUNCATE * self.sigma + 0.5)
        steps = np.arange(-reach, reach + 1)
        total = np.exp(-0.5 * (steps / self.sigma) ** 2).sum()
        apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        weights = np.exp(-0.5 * (apart / self.sigma) ** 2) / total
        return np.where(apart <= reach, weights, 0.0)

    def displacements(self, seed: int, epoch: int, rows: Array, shape: tuple[int, int]) -> Array:
        """Return how far each pixel's place is moved, down and to the right: (n, 2, height, width)."""
        height, width = shape
        noise = _noise(seed, epoch, rows, height * 2 * width).reshape(-1, height, 2, width)
        down, across = self.smoothing(height), self.smoothing(width)
        return self.alpha * np.einsum("ik,nkfl,lj->nfij", down, noise, across, optimize=True)

    def __call__(self, X: ArrayLike, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Array:
        """Return images deformed, as a training by NumPy's engine sees them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            In the order of the epoch.
        seed, epoch : int
        first : int
            Where in the epoch the first row stands.

        Returns
        -------
        ndarray of the shape of X

        Examples
        --------
        >>> image = np.arange(9.0)[None]
        >>> bool((deform()(image) == image).all()), deform(rotation=20)(image, seed=1).shape
        (True, (1, 9))
        """
        X = np.asarray(X)
        X = X if X.dtype.kind == "f" else X.astype(np.float64)
        shape = height, width = self.image_shape(X.shape[1])
        rows = np.arange(first, first + len(X))
        i, j = np.arange(height)[:, None], np.arange(width)
        place = self.places(seed, epoch, rows, shape).astype(X.dtype)[:, :, None, None]
        y = place[:, 0] + place[:, 1] * i + place[:, 2] * j
        x = place[:, 3] + place[:, 4] * i + place[:, 5] * j
        if self.alpha:
            moved = self.displacements(seed, epoch, rows, shape).astype(X.dtype)
            y, x = y + moved[:, 0], x + moved[:, 1]
        return _read_between(X.reshape(-1, height, width), y, x).reshape(X.shape).astype(X.dtype)


def deform(
    rotation: float = 0.0,
    scaling: float = 0.0,
    shear: float = 0.0,
    alpha: float = 0.0,
    sigma: float = 5.0,
    *,
    shape: tuple[int, int] | None = None,
) -> Deform:
    """Return deformations for ``augment``: every image is another one in every epoch.

    Parameters
    ----------
    rotation : float
        Degrees up to which an image is turned, either way.
    scaling : float
        Share by which it is stretched or shrunk at most, height and width each.
    shear : float
        Pixels to the side for each pixel down, at most.
    alpha, sigma : float
        Of the elastic displacements: their strength, and the width of their Gaussian, in pixels. 36
        and 5 move one of MNIST by about 1, down and across each. An alpha of 0: none.
    shape : (height, width), optional
        Of the images; by default they are squares.

    Returns
    -------
    Deform
        Called with images, it returns them deformed.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> import clearprop
    >>> net = clearprop.Network([9, 4, 2], seed=0)
    >>> X, y = np.random.default_rng(0).random((6, 9)), [0, 1, 0, 1, 0, 1]
    >>> bent = deform(rotation=12, alpha=4)
    >>> history = net.fit(X, y, epochs=2, batch_size=3, augment=bent, progress=False)
    >>> len(history)
    2
    """
    return Deform(rotation, scaling, shear, alpha, sigma, shape)


def _noise(seed: int, epoch: int, rows: Array, n: int) -> NDArray[np.float64]:
    """Return n numbers from (-1, 1) for every row, of 16 random bits each."""
    blocks = np.arange(1, -(-n // HALVES) + 1)
    words = randomness.philox(
        seed, blocks[None, :], rows[:, None], epoch, purpose=randomness.DEFORMATION
    )
    halves = [half for w in words for half in (w & np.uint64(0xFFFF), w >> np.uint64(16))]
    numbers = np.stack(halves, axis=-1).reshape(len(rows), -1)[:, :n]
    return (numbers.astype(np.float64) + 0.5) * 2.0**-15 - 1.0


def _read_between(images: Array, y: Array, x: Array) -> Array:
    """Return images at other places, between four pixels; beyond an image is its nearest pixel."""
    n, height, width = images.shape
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    i, j = y.astype(np.int64), x.astype(np.int64)
    below, right = np.minimum(i + 1, height - 1), np.minimum(j + 1, width - 1)
    each, v, u = np.arange(n)[:, None, None], y - i, x - j
    top, bottom = images[each, i, j], images[each, below, j]
    top = top + (images[each, i, right] - top) * u
    bottom = bottom + (images[each, below, right] - bottom) * u
    read: Array = top + (bottom - top) * v
    return read


def _json(value: Any) -> Any:
    return value if value is None else list(value) if isinstance(value, tuple) else float(value)


def _check(
    name: str, value: Any, rule: str, *, least: float, most: float = math.inf, open_end: bool = False
) -> None:
    if not is_number(value):
        raise TypeError(f"{name} must be {rule}, got {value!r}")
    if not least <= value <= most or (open_end and value == most):
        raise ValueError(f"{name} must be {rule}, got {value!r}")
