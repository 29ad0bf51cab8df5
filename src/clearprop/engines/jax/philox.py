"""The keyed draws of `randomness` on the device: the same bits, from 32-bit words alone.

Without 64-bit numbers, which JAX has only where it is told to, the upper word of a product is put
together from the products of halves.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from clearprop import randomness

_HALF = np.uint32(16)
_LOW = np.uint32(0xFFFF)


def _product(a: int, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the upper and the lower word of a times b."""
    a_low, a_high, whole = np.uint32(a & 0xFFFF), np.uint32(a >> 16), np.uint32(a)
    b_low, b_high = b & _LOW, b >> _HALF
    middle = a_high * b_low + (a_low * b_low >> _HALF)  # below 2**32, as the next two are
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (other >> _HALF), whole * b


def words(key: jax.Array, counter: jax.Array, *, rolled: bool = False) -> jax.Array:
    """Return Philox 4x32-10 of some counters, as `randomness.philox` does.

    Parameters
    ----------
    key : array of uint32 of shape (2,)
        The lower word of the seed, and the upper one.
    counter : array of uint32 of shape (4, ...)
    rolled : bool
        Whether the rounds are a loop: faster on a CPU, where one kernel of all of them is slower.

    Returns
    -------
    array of uint32 of shape (4, ...)
    """

    def round_(_: Any, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        (w0, w1, w2, w3), key = state
        high0, low0 = _product(randomness.MULTIPLIERS[0], w0)
        high1, low1 = _product(randomness.MULTIPLIERS[1], w2)
        mixed = jnp.stack([high1 ^ w1 ^ key[0], low1, high0 ^ w3 ^ key[1], low0])
        return mixed, key + jnp.array(randomness.WEYL, jnp.uint32)

    n = randomness.ROUNDS
    made: jax.Array = jax.lax.fori_loop(0, n, round_, (counter, key), unroll=1 if rolled else n)[0]
    return made


def drawn(
    key: jax.Array, step: jax.Array, layer: int, rows: jax.Array, n_neurons: int, rolled: bool = False
) -> jax.Array:
    """Return the word of each neuron by which dropout decides, shape (n_rows, n_neurons).

    Parameters
    ----------
    key : array of uint32 of shape (2,)
    step : array of uint32 of shape (2,)
        The lower word of the step, and the upper one.
    layer : int
    rows : array of int32 of shape (n_rows,)
        The number of each row in its batch.
    n_neurons : int
    rolled : bool
        As in `words`.
    """
    blocks = jnp.arange((n_neurons + 3) // 4, dtype=jnp.uint32)
    where = np.uint32(randomness.DROPOUT << 28 | layer << 16)
    shape = len(rows), len(blocks)
    counter = [
        jnp.broadcast_to(each, shape)
        for each in (blocks, rows.astype(jnp.uint32)[:, None], step[0], where | step[1])
    ]
    found = words(key, jnp.stack(counter), rolled=rolled)
    return jnp.moveaxis(found, 0, 2).reshape(len(rows), -1)[:, :n_neurons]
