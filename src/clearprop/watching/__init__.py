"""Real runs watched in the browser, and large networks trained from it.

``observer`` makes messages of a training, ``server`` streams them to a ``page``; `Watch` is the
callback that joins them, ``session`` lets the page train.
"""

from __future__ import annotations

from clearprop.watching.watch import Watch

__all__ = ["Watch"]
