"""What the page draws as curves and pictures: activations, the cost under a nudge, heat maps."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np

from clearprop.activations import Activation, Array
from clearprop.explain.nudge import of_weight, onwards
from clearprop.explain.web.choice import Choice
from clearprop.explain.web.numbers import written
from clearprop.page import Markup, tag
from clearprop.trace import Trace

CHANGE = 0.1  # of a weight, whose way to the cost is shown
POINTS = 81  # of an activation's curve
WIDTH, HEIGHT = 320, 190  # of its picture
# The demon's changes of z: a curve from -2 to 2, and halves of halves, at which the error of the
# prediction goes down to a quarter each time.
_COARSE = [i / 8 for i in range(-16, 17)]
_FINE = [2.0**-i for i in range(4, 13)]
NUDGES = sorted({*_COARSE, *_FINE, *(-each for each in _FINE)})


class Curve(NamedTuple):
    """An activation over the range of z that its neurons have; paths are in the picture's units."""

    name: str
    reach: int  # z from -reach to reach
    low: float
    high: float
    function: str
    slope: str


def activation_curve(function: Activation, z: Array) -> Curve | None:
    """Return the curve of an activation that works element by element, over the reach of z."""
    if not function.elementwise:
        return None
    finite = np.abs(z[np.isfinite(z)].astype(np.float64))
    largest = float(finite.max()) if finite.size else 0.0
    reach = int(min(max(6, math.ceil(largest)), 40))
    grid = np.linspace(-reach, reach, POINTS)[:, None]
    with np.errstate(all="ignore"):
        f, slope = function(grid)[:, 0], function.slope(grid)[:, 0]
    every = np.concatenate([f, slope])
    every = every[np.isfinite(every)]
    if not every.size:
        return None
    low, high = min(float(every.min()), 0.0), max(float(every.max()), 1e-9)
    # exp and its like: so that the slope at the neuron's z can be seen, the top is cut off.
    high = min(high, 12.0 * max(1.0, low))
    return Curve(
        function.name,
        reach,
        low,
        high,
        *(_path(grid[:, 0], each, reach, low, high) for each in (f, slope)),
    )


def _path(x: Array, y: Array, reach: int, low: float, high: float) -> str:
    """Return an SVG path, in a picture of WIDTH x HEIGHT with a margin of 8."""
    points = []
    for at, value in zip(x, y, strict=True):
        if not math.isfinite(value):
            continue
        value = min(max(value, low - 0.1 * (high - low)), high + 0.1 * (high - low))
        px = 8 + (WIDTH - 16) * (at + reach) / (2 * reach)
        py = HEIGHT - 8 - (HEIGHT - 16) * (value - low) / (high - low)
        points.append(f"{px:.1f} {py:.1f}")
    return "M" + "L".join(points)


def nudged_costs(trace: Trace, layer: int, j: int) -> Array:
    """Return the cost of the first sample with z of one neuron changed by each of `NUDGES`.

    `layer` is a weight layer 1..L. The arithmetic is float64, from z of this layer on.
    """
    function = trace.layers[layer - 1].function
    with np.errstate(all="ignore"):
        z = np.repeat(trace.layers[layer - 1].z[:1].astype(np.float64), len(NUDGES), axis=0)
        z[:, j] += NUDGES
        zs, activations = onwards(trace, layer - 1, z, function(z))
        y = np.repeat(trace.Y[:1].astype(np.float64), len(NUDGES), axis=0)
        architecture = trace.architecture
        return architecture.cost.of_samples(architecture.output, zs[-1], activations[-1], y)


def changes_of_weight(
    trace: Trace, choice: Choice, layer: int, j: int, k: int, digits: int
) -> list[list[Any]]:
    """Return what a change of one weight by `CHANGE` does on its way to the cost, as it is shown.

    A row is layer, neuron, predicted and actual change, of the neurons that are drawn; the last row
    is the cost's, with layer and neuron None. `layer` is a weight layer 1..L.
    """
    changes, predicted, actual = of_weight(trace, layer - 1, j, k, CHANGE)
    softmax = trace.layers[layer - 1].slope.ndim == 3
    rows: list[list[Any]] = [
        [each.layer + 1, each.neuron, *(_rounded(x, digits) for x in (each.predicted, each.actual))]
        for each in changes
        if each.neuron in choice.units[each.layer + 1]
        and (each.layer >= layer or softmax or each.neuron == j)
    ]
    return [*rows, [None, None, _rounded(predicted, digits), _rounded(actual, digits)]]


def _rounded(value: float, digits: int) -> str:
    return written(f"{value + 0.0:#.{digits}g}")


def heat_map(values: Array, names: str, **attributes: Any) -> Markup:
    """Return a picture of numbers as an element; `names` says what it shows."""
    columns = picture_columns(len(values))
    rows = math.ceil(len(values) / columns)
    made = picture(values)
    return tag("img", src=made, alt=names, width=columns, height=rows, class_="heat", **attributes)


def picture(values: Array) -> str:
    """Return numbers as a picture in a data URL: blue above 0, red below, the more opaque the larger.

    `values` has one axis; the picture is a square where its length is one.
    """
    columns = picture_columns(len(values))
    rows = math.ceil(len(values) / columns)
    png = _png(_levels(values, rows * columns).reshape(rows, columns))
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def picture_columns(n: int) -> int:
    """Return the columns of a picture of n values: a square's side, or one row that is broken at 32."""
    side = math.isqrt(n)
    return side if side * side == n and n >= 16 else min(n, 32)


def _levels(values: Array, room: int) -> np.ndarray:
    """Return one byte a value: 128 is 0, 1 and 255 the largest, 0 what is not finite or not there."""
    wide = values.astype(np.float64)
    finite = np.isfinite(wide)
    largest = float(np.abs(wide[finite]).max()) if finite.any() else 0.0
    scaled = np.where(finite, wide, 0.0) / (largest or 1.0)
    levels = np.zeros(room, np.uint8)
    levels[: len(wide)] = np.where(finite, np.rint(128 + 127 * scaled), 0).astype(np.uint8)
    return levels


_POSITIVE, _NEGATIVE = (0x16, 0x62, 0x7F), (0xC2, 0x2E, 0x4C)


def _png(levels: np.ndarray) -> bytes:
    """Return an indexed PNG whose pixels are stored, not compressed: the same bytes everywhere."""
    rows, columns = levels.shape
    palette, alpha = bytearray(), bytearray()
    for level in range(256):
        palette += bytes(_POSITIVE if level >= 128 else _NEGATIVE)
        alpha.append(min(255, 2 * abs(level - 128) + (level > 128)) if level else 0)
    lines = b"".join(b"\x00" + line.tobytes() for line in levels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
            chunk(b"PLTE", bytes(palette)),
            chunk(b"tRNS", bytes(alpha)),
            chunk(b"IDAT", _stored(lines)),
            chunk(b"IEND", b""),
        ]
    )


def _stored(data: bytes) -> bytes:
    """Return a zlib stream of stored blocks: what a compressor makes may differ between versions."""
    blocks = [data[i : i + 65535] for i in range(0, len(data), 65535)] or [b""]
    out = b"\x78\x01"
    for i, block in enumerate(blocks):
        out += struct.pack("<BHH", i == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
    return out + struct.pack(">I", zlib.adler32(data))
