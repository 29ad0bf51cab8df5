"""The page: one pass to look at, to step through and to ask, in one file.

What a reader sees without the script (`page`): the network drawn with its numbers (`drawing`), every
step as formulas, tables, one weight looked at closely (`panels`), in the words of `narration`. The
script (``script/*.js``) adds stepping, selecting, nudging and the other notations; it gets formulas as
trees (`trees`), curves (`curves`) and the values that it may have to show, and computes nothing of the
network itself. Every number carries the reference of the array element that it is (`numbers`).
"""

from __future__ import annotations

from clearprop.explain.web.page import fragment, page

__all__ = ["fragment", "page"]
