"""The live page: a network to train, to step through and to change, with every number in sight.

`page.page` puts it together of `cards`, of which each has its script in ``script`` and its style in
``style``; `offers` and `sets` are what can be chosen, `own` is what it gets of one's own model. On the
engine of `engines.javascript` stand ``recipe.js`` (what a run is made of, and its link), ``sets.js``
and ``problems.js`` (data and network), ``run.js`` (steps forwards and backwards, changes) and
``explorer.js`` (where a reader is, and everything that moves): on these stand the cards.
"""

from __future__ import annotations

from clearprop.exploration.live import Exploration, explore
from clearprop.exploration.own import MOST_PARAMETERS, MOST_ROWS

__all__ = ["MOST_PARAMETERS", "MOST_ROWS", "Exploration", "explore"]
