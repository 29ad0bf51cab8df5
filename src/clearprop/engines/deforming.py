"""Images deformed on their way into a training: data.deformation.Deform, compiled.

    draw          the numbers that are smoothed                   data.deformation._noise
    displace      smoothed in both directions: two products       Deform.displacements
    read_between  the pixels of a deformed image                  data.deformation._read_between

Every image is one thread's alone, so no bit depends on how many there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clearprop.engines.intrinsics import kernel, like, part
from clearprop.engines.language import Integers, Reals
from clearprop.engines.layers import share
from clearprop.engines.neurons import philox
from clearprop.engines.products import sums
from clearprop.engines.records import Matrix


class Deforming(NamedTuple):
    """What `deform_rows` takes."""

    X: Reals
    rows: Integers  # which rows of X
    out: Reals
    places: Reals  # six numbers of each row
    down: Reals  # what smooths columns and rows, times alpha; empty where nothing is displaced
    across: Reals
    height: int
    width: int
    seed: int
    epoch: int
    first: int  # where in the epoch the first row stands
    work: Reals  # of all threads
    thread: int
    n_threads: int


@kernel()
def draw(run: Deforming, row: int, noise: Reals) -> None:
    """Fill `noise`, whose size is a multiple of 8, with a row's numbers from (-1, 1)."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    seed, x1 = np.uint64(run.seed), np.uint64(row)
    x2, x3 = np.uint64(run.epoch) & low, np.uint64(14) << np.uint64(28)  # 14: randomness.DEFORMATION
    x3 = x3 | np.uint64(run.epoch) >> shift
    unit, most = like(noise[0], 0.000030517578125), like(noise[0], 0.9999847412109375)  # 2^-15, 1-2^-16
    half, its = np.uint64(16), np.uint64(0xFFFF)
    for block in range(noise.size // 8):
        a, b, c, d = philox(seed, np.uint64(block + 1), x1, x2, x3)
        eight = part(noise, 8 * block, 8)
        eight[0], eight[1] = like(unit, a & its) * unit - most, like(unit, a >> half) * unit - most
        eight[2], eight[3] = like(unit, b & its) * unit - most, like(unit, b >> half) * unit - most
        eight[4], eight[5] = like(unit, c & its) * unit - most, like(unit, c >> half) * unit - most
        eight[6], eight[7] = like(unit, d & its) * unit - most, like(unit, d >> half) * unit - most


@kernel()
def displace(run: Deforming, noise: Reals, half: Reals, moved: Reals) -> None:
    """Smooth both fields of noise, which lie side by side: (height, 2 width)."""
    height, width, none = run.height, run.width, part(run.work, 0, 0)
    both = 2 * width
    down, across = Matrix(run.down, height, 1), Matrix(run.across, width, 1)
    sums(Matrix(half, both, 1), down, Matrix(noise, both, 1), height, both, height, 0.0, none)
    for field in range(2):
        begin = field * width
        its = part(half, begin, half.size - begin)
        out = Matrix(part(moved, begin, moved.size - begin), both, 1)
        sums(out, Matrix(its, 1, both), across, height, width, width, 0.0, none)


@kernel({"contract"})
def read_between(run: Deforming, image: Reals, place: Reals, moved: Reals, out: Reals) -> None:
    """Read every pixel where it comes from, between four."""
    height, width = run.height, run.width
    none = like(place[0], 0.0)
    lowest, rightmost = like(none, height - 1), like(none, width - 1)
    for i in range(height):
        y_left, x_left = place[0] + place[1] * like(none, i), place[3] + place[4] * like(none, i)
        for j in range(width):
            y, x = y_left + place[2] * like(none, j), x_left + place[5] * like(none, j)
            if moved.size > 0:
                y += moved[2 * i * width + j]
                x += moved[(2 * i + 1) * width + j]
            y = none if y < none else (lowest if y > lowest else y)
            x = none if x < none else (rightmost if x > rightmost else x)
            above, left = int(y), int(x)
            v, u = y - like(none, above), x - like(none, left)
            here, right = above * width + left, min(left + 1, width - 1) - left
            below = (min(above + 1, height - 1) - above) * width
            top, bottom = image[here], image[here + below]
            top += (image[here + right] - top) * u
            bottom += (image[here + below + right] - bottom) * u
            out[i * width + j] = top + (bottom - top) * v


@kernel()
def deform_rows(run: Deforming) -> None:
    """Put some rows of X, deformed, into ``run.out``; every thread does some of them."""
    n, size = run.height * run.width, run.work.size // (3 * run.n_threads)
    base = 3 * size * run.thread
    noise = part(run.work, base, size)
    half, moved = part(run.work, base + size, size), part(run.work, base + 2 * size, size)
    if run.down.size == 0:
        moved = part(run.work, 0, 0)
    first, end = share(run.thread, run.n_threads, run.rows.size, 1)
    for i in range(first, end):
        if run.down.size > 0:
            draw(run, run.first + i, noise)
            displace(run, noise, half, moved)
        image, place = part(run.X, run.rows[i] * n, n), part(run.places, 6 * i, 6)
        read_between(run, image, place, moved, part(run.out, i * n, n))
