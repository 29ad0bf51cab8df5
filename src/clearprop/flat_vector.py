"""Where each array of parameters lies in the one flat vector that holds them all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clearprop.input_embedding import Start
from clearprop.names import known_name


class Block(NamedTuple):
    """Where one array of parameters lies in the flat vector, and how it is treated."""

    name: str  # layers.0.weight
    shape: tuple[int, ...]
    offset: int
    kind: str  # weights, biases, shares, scales or embedding
    lr_factor: float
    decay_factor: float
    gradient_factor: float = 1.0  # of what the optimizer sees: the parametrisation's

    @property
    def layer(self) -> int:
        """The weight layer that it belongs to, counted from 0; an embedding belongs to the first."""
        return 0 if self.kind == "embedding" else int(self.name.split(".")[1])

    @property
    def is_map(self) -> bool:
        """Whether it holds weights, also an embedding's map and vectors: what penalties are on."""
        return self.name.endswith((".weight", ".vectors"))

    @property
    def size(self) -> int:
        """The number of parameters in it."""
        return math.prod(self.shape)

    @property
    def slice(self) -> slice:
        """Its place in the flat vector."""
        return slice(self.offset, self.offset + self.size)


def table(
    starts: Mapping[str, Start],
    widths: Sequence[int],
    layers: Sequence[tuple[int, bool, bool]],
    input_scale: bool,
    ntk: bool,
) -> tuple[Block, ...]:
    """Return the blocks of a flat vector: embedding, input scale, then each layer's.

    With the neural tangent parametrisation their factors are RealMLP's, whose decay of what is no
    weight has the factor of the rate twice.

    Parameters
    ----------
    starts : dict of Start
        The embedding's arrays.
    widths : sequence of int
        What each layer sees.
    layers : sequence of (int, bool, bool)
        The size of each, whether it has biases, and whether its activation is parametric.
    input_scale, ntk : bool
        As in `Architecture`.
    """
    made: list[Block] = []

    def put(name: str, shape: tuple[int, ...], kind: str, *factors: float) -> None:
        made.append(Block(name, shape, made[-1].slice.stop if made else 0, kind, *factors))

    slow = 0.1 if ntk else 1.0
    for name, start in starts.items():
        factors = (start.slow, start.slow) if ntk else (1.0, start.decay_factor)
        put(f"embedding.{name}", start.shape, "embedding", *factors)
    if input_scale:
        put("layers.0.scale", (widths[0],), "scales", 6.0, 6.0 if ntk else 0.0)
    for i, (n_in, (size, bias, parametric)) in enumerate(zip(widths, layers, strict=False)):
        rate = n_in**-0.5 if ntk else 1.0
        put(f"layers.{i}.weight", (size, n_in), "weights", rate, 1.0 / rate, rate)
        if bias:
            put(f"layers.{i}.bias", (size,), "biases", slow, 0.0)
        if parametric:
            put(f"layers.{i}.share", (size,), "shares", slow, slow if ntk else 0.0)
    return tuple(made)


def shared(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Return what members that share layers have in common: all but input scale and last layer."""
    last = max(block.layer for block in blocks)
    return tuple(b for b in blocks if b.kind == "embedding" or (b.kind != "scales" and b.layer < last))


def select(blocks: Sequence[Block], which: Sequence[str]) -> tuple[Block, ...]:
    """Return the blocks that are named, or are of a kind that is named.

    Raises
    ------
    ValueError
        If a name is neither a block's nor a kind.
    """
    known = [*dict.fromkeys(b.kind for b in blocks), *(b.name for b in blocks)]
    for name in which:
        known_name("frozen", name, known)
    return tuple(b for b in blocks if b.name in which or b.kind in which)
