"""The sum of all shards' gradients along one fixed tree, whoever computed which of them.

The leaves of the tree are the shards, in their order; a node is the sum of its left half and its right
half, added in this order, and half of a node that begins beyond the last shard is not there. A process
owns neighbouring leaves, so it has some whole nodes: `aligned` of them. To sum them up, each process
gets a slice of every node from the processes that have it, goes up the tree in that slice, and gives
what it found to all: as much traffic as a ring takes, twice the gradient, where the number of processes
is a power of two, and at most so many gradients more as a process has nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Node(NamedTuple):
    """Some leaves: `size` is a power of two, `first` one of its multiples."""

    first: int
    size: int


def root(n_leaves: int) -> Node:
    """Return the node of all leaves."""
    return Node(0, 1 << max(n_leaves - 1, 0).bit_length())


def aligned(first: int, after: int, largest: int | None = None) -> list[Node]:
    """Return the fewest nodes that have leaves `first` to ``after - 1``, each `largest` at most."""
    nodes = []
    while first < after:
        size = first & -first or 1 << (after - first).bit_length()
        while first + size > after or (largest is not None and size > max(largest, 1)):
            size //= 2
        nodes.append(Node(first, size))
        first += size
    return nodes


def up_to(node: Node, parts: Mapping[Node, Array], n_leaves: int) -> Array:
    """Return the sum of a node from those of nodes below it, whose arrays are written over."""
    if node in parts:
        return parts[node]
    first, half = node.first, node.size // 2
    left = up_to(Node(first, half), parts, n_leaves)
    if first + half >= n_leaves:
        return left
    return np.add(left, up_to(Node(first + half, half), parts, n_leaves), out=left)


def whole(parts: Mapping[Node, Array], leaves: range, n_leaves: int) -> dict[Node, Array]:
    """Return the sums of the nodes that a process owns from those of nodes below them."""
    return {node: up_to(node, parts, n_leaves) for node in aligned(leaves.start, leaves.stop)}


def slices(n: int, size: int) -> list[slice]:
    """Return which elements each process goes up the tree for."""
    return [slice(rank * n // size, (rank + 1) * n // size) for rank in range(size)]


def joined(received: Sequence[Array], owners: Sequence[range], n_leaves: int) -> Array:
    """Return the sum of all leaves in a slice.

    Parameters
    ----------
    received : sequence of ndarray
        What each process has sent: the slice of each of its nodes, one after the other.
    owners : sequence of range
        The leaves of each process.
    n_leaves : int
    """
    parts: dict[Node, Array] = {}
    for sent, leaves in zip(received, owners, strict=True):
        nodes = aligned(leaves.start, leaves.stop)
        parts |= dict(zip(nodes, sent.reshape(len(nodes), -1), strict=True))
    return up_to(root(n_leaves), parts, n_leaves)
