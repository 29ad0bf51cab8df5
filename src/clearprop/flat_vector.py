"""Where each array of parameters lies in the one flat vector that holds them all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from clearprop.names import known_name


class Block(NamedTuple):
    """Where one array of parameters lies in the flat vector, and how it is treated."""

    name: str  # layers.0.weight
    shape: tuple[int, ...]
    offset: int
    kind: str  # weights, biases, scales or embedding
    lr_factor: float
    decay_factor: float
    gradient_factor: float = 1.0  # of what the optimizer sees: the parametrisation's

    @property
    def layer(self) -> int:
        """The weight layer that it belongs to, counted from 0; an embedding belongs to the first."""
        return 0 if self.kind == "embedding" else int(self.name.split(".")[1])

    @property
    def is_map(self) -> bool:
        """Whether it holds weights, also those of an embedding: what penalties are on."""
        return self.name.endswith(".weight")

    @property
    def size(self) -> int:
        """The number of parameters in it."""
        return math.prod(self.shape)

    @property
    def slice(self) -> slice:
        """Its place in the flat vector."""
        return slice(self.offset, self.offset + self.size)


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
