"""The sum of several batches' gradients along a binary tree, while each is in the cache: `leaves`."""

from __future__ import annotations

from clearprop.engines.intrinsics import kernel, like, part
from clearprop.engines.language import Reals
from clearprop.engines.records import Batch, Run


@kernel()
def climb(run: Run, batch: Batch, offset: int, g: Reals) -> None:
    """Add a part of a leaf's gradient to those of the leaves before it.

    The moments are the levels of the tree, as a binary counter has digits: where the number of the leaf
    ends with k ones, k sums to its left are whole.
    """
    n, level, leaf = g.size, 0, batch.number
    for i in range(n if batch.rows.size == 0 else 0):
        g[i] = like(g[i], 0.0)  # no product has written to it
    while leaf % 2 == 1:
        left = part(run.moments, level * run.parameters.size + offset, n)
        for i in range(n):
            g[i] = left[i] + g[i]
        leaf, level = leaf // 2, level + 1
    whole = part(run.moments, level * run.parameters.size + offset, n)
    for i in range(n):
        whole[i] = g[i]
