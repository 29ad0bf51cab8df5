"""Random numbers that are looked up, not consumed.

Every draw is a pure function of a seed and of where it is used: the Philox 4x32-10 generator of
Salmon, Moraes, Dror and Shaw ("Parallel random numbers: as easy as 1, 2, 3", 2011) turns a counter of
four 32-bit words and a key of two into four random words. The key is the seed; the counter is

    (block, row, step modulo 2**32, purpose << 28 | layer << 16 | step >> 32)

so that no two uses share a number, any part of a draw can be made alone, and every engine and any
number of threads sees the same bits. Nothing here has a state.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]  # each holds 32 bits

(
    INITIAL_WEIGHTS, INITIAL_BIASES, SAMPLE_ORDER, DROPOUT, HOLDOUT, CHECK, BLOCK_ORDER, EVALUATION,
    EMBEDDING, MEMBER, INPUT_SCALE,
) = range(1, 12)  # fmt: skip
WORKSHEET, DEFORMATION = 13, 14

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
_AT_ONCE = 2**14  # keys: what stays in the cache
ROUNDS = 10


def check_seed(seed: object, argument: str = "seed") -> int:
    """Return `seed` as an int; one drawn from the operating system for None.

    Raises
    ------
    TypeError
        If it is neither None nor an integer.
    ValueError
        If it is not from 0 to 2**64 - 1.
    """
    if seed is None:
        import secrets  # which takes longer to import than all of the mathematics

        return secrets.randbits(63)  # 63: a file's readers may know no unsigned integers
    try:
        if isinstance(seed, bool | np.bool_):
            raise TypeError
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{argument} must be None or an integer, got {seed!r}; a generator cannot be used, since "
            "every draw here is a function of the seed alone"
        ) from None
    if not 0 <= number < 2**64:
        raise ValueError(f"{argument} must be from 0 to 2**64 - 1, got {number}")
    return number


def member_seed(seed: int, member: int) -> int:
    """Return the seed of a member of a network of several: trained alone with it, it is that member.

    Member 0 has the network's own seed; the others have a word of 32 random bits, which is a seed for
    NumPy's generators too.
    """
    return int(philox(seed, member, 0, purpose=MEMBER)[0]) if member else seed


def philox(
    seed: int, block: Any, row: Any, step: Any = 0, *, purpose: int, layer: int = 0
) -> tuple[Words, Words, Words, Words]:
    """Return four 32-bit words for each counter; block, row and step are broadcast together.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.
    block, row : int or array of int
        From 0 to 2**32 - 1.
    step : int or array of int
        From 0 to 2**48 - 1.
    purpose, layer : int
        What the numbers are for (1 to 15), and where (0 to 4095).

    Returns
    -------
    tuple of four ndarrays of uint64
        Each element below 2**32.
    """
    shape = np.broadcast_shapes(np.shape(block), np.shape(row), np.shape(step))
    # Words 0 and 2, which are multiplied, and words 1 and 3: half as many calls as one by one.
    factors, others, products = (np.empty((2, *shape), np.uint64) for _ in range(3))
    factors[0], others[0], factors[1] = block, row, step & 0xFFFFFFFF
    others[1] = purpose << 28 | layer << 16 | step >> 32
    alone = (2, *(1 for _ in shape))
    multipliers = np.array(MULTIPLIERS, np.uint64).reshape(alone)
    start = seed & 0xFFFFFFFF, seed >> 32
    keys = [
        [key + i * weyl & 0xFFFFFFFF for key, weyl in zip(start, WEYL, strict=True)]
        for i in range(ROUNDS)
    ]
    crossed = products[::-1]  # what comes of word 0 is words 2 and 3
    for key in np.array(keys, np.uint64).reshape(ROUNDS, *alone):
        np.multiply(factors, multipliers, out=products)
        np.right_shift(crossed, _SHIFT, out=factors)
        factors ^= others
        factors ^= key
        np.bitwise_and(crossed, _LOW, out=others)
    return factors[0], others[0], factors[1], others[1]


def _pairs(seed: int, blocks: Any, *, purpose: int, layer: int = 0, step: Any = 0) -> Words:
    """Return the two words of 64 bits that each block of four has, on a last axis."""
    w0, w1, w2, w3 = philox(seed, blocks & _LOW, blocks >> _SHIFT, step, purpose=purpose, layer=layer)
    return np.stack([w0 << _SHIFT | w1, w2 << _SHIFT | w3], axis=-1)


def _words64(
    seed: int, n: int, *, purpose: int, layer: int = 0, step: Any = 0, first: int = 0
) -> Words:
    """Return n words of 64 bits; with a column of steps, shape (n_steps, n), those of each."""
    blocks = np.arange(first // 2, (first + n + 1) // 2, dtype=np.uint64)
    pairs = _pairs(seed, blocks, purpose=purpose, layer=layer, step=step)
    return pairs.reshape(*pairs.shape[:-2], -1)[..., first % 2 :][..., :n]


def uniform(
    seed: int, n: int, *, purpose: int, layer: int = 0, step: int = 0, first: int = 0
) -> NDArray[np.float64]:
    """Return numbers `first` to ``first + n - 1`` of a stream uniform in [0, 1), of 53 random bits."""
    words = _words64(seed, n, purpose=purpose, layer=layer, step=step, first=first)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, n: int, *, purpose: int, layer: int = 0, step: int = 0) -> NDArray[np.float64]:
    """Return n numbers from N(0, 1), by the transform of Box and Muller (1958)."""
    u = uniform(seed, 2 * ((n + 1) // 2), purpose=purpose, layer=layer, step=step).reshape(-1, 2)
    radius = np.sqrt(-2.0 * np.log1p(-u[:, 0]))  # 1 - u is never 0
    angle = 2.0 * np.pi * u[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:n]


def permutation(
    seed: int, n: int, *, step: int, purpose: int = SAMPLE_ORDER, first: int = 0
) -> NDArray[np.int64]:
    """Return the numbers 0 to n - 1 in the random order that belongs to (seed, step).

    The order of samples in epoch e is ``permutation(seed, n_samples, step=e)``. Every number has a
    random key, by which they are sorted; with `first` they have the keys of first to first + n - 1.
    """
    return permutations(seed, n, steps=range(step, step + 1), purpose=purpose, first=first)[0]


def permutations(
    seed: int, n: int, *, steps: range, purpose: int = SAMPLE_ORDER, first: int = 0
) -> NDArray[np.int64]:
    """Return `permutation` of every step, shape (n_steps, n): of few numbers, in half the time.

    Numbers in the place of their keys' lowest bits are sorted with them: in a tenth of the time that
    sorting them by their keys takes, and in eight bytes each.
    """
    each = np.array(steps, np.int64)[:, None]
    bits = np.uint64(max(1, (n - 1).bit_length()))
    packed = np.empty((len(steps), n), np.uint64)
    for begin in range(0, n, _AT_ONCE):
        end = min(n, begin + _AT_ONCE)
        keys = _words64(seed, end - begin, purpose=purpose, step=each, first=first + begin)
        packed[:, begin:end] = keys >> bits << bits | np.arange(begin, end, dtype=np.uint64)
    packed.sort(axis=1)
    tied = _tied(packed, bits)
    packed &= (np.uint64(1) << bits) - np.uint64(1)
    for row, at in tied.items():  # the bits that are gone decide
        numbers = packed[row, at]
        places = numbers + np.uint64(first)
        pairs = _pairs(seed, places >> np.uint64(1), purpose=purpose, step=steps[row])
        whole = pairs[np.arange(len(at)), (places & np.uint64(1)).astype(np.intp)]
        packed[row, at] = numbers[np.lexsort((numbers, whole))]
    return packed.view(np.int64)


def _tied(packed: Words, bits: np.uint64) -> dict[int, NDArray[np.intp]]:
    """Return, of each row that has any, the places that agree with a neighbour but for so many bits."""
    found: dict[int, list[NDArray[np.intp]]] = {}
    for begin in range(0, packed.shape[1], _AT_ONCE):
        part = packed[:, begin : begin + _AT_ONCE + 1] >> bits
        rows, at = np.nonzero(part[:, 1:] == part[:, :-1])
        for row in set(rows.tolist()):
            found.setdefault(row, []).append(begin + at[rows == row])
    joined = {row: np.concatenate(each) for row, each in found.items()}
    return {row: np.union1d(each, each + 1) for row, each in joined.items()}


def dropout_threshold(rate: float) -> int:
    """Return the number below which a 32-bit word drops its neuron: ``rate * 2**32``, rounded."""
    return round(rate * 2**32)


def keep_mask(
    seed: int, step: int, layer: int, n_rows: int, n_neurons: int, rate: float
) -> NDArray[np.bool_]:
    """Return which neurons of a layer are kept, shape (n_rows, n_neurons).

    Neuron j of row i depends on (seed, step, layer, i, j) alone: it is word j mod 4 of the block
    j // 4. Each is dropped with probability `rate`.
    """
    blocks = np.arange((n_neurons + 3) // 4)
    words = philox(
        seed, blocks[None, :], np.arange(n_rows)[:, None], step, purpose=DROPOUT, layer=layer
    )
    drawn = np.stack(words, axis=2).reshape(n_rows, -1)[:, :n_neurons]
    return drawn >= np.uint64(dropout_threshold(rate))
