"""The live page: a network to train, to step through and to change, with every number in sight.

`page.page` builds it; what moves is in ``script``, on the engine of `engines.javascript`:
``recipe.js`` (what a run is made of, and its link), ``problems.js`` (data and network), ``run.js``
(steps forwards and backwards, changes), ``network.js``, ``pictures.js`` and ``tables.js`` (what is
seen), and ``main.js`` (what a reader does).
"""

from __future__ import annotations

from clearprop.exploration.live import Exploration, explore
from clearprop.exploration.page import MOST_PARAMETERS, MOST_ROWS

__all__ = ["MOST_PARAMETERS", "MOST_ROWS", "Exploration", "explore"]
