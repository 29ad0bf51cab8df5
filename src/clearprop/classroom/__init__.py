"""Exercises for a class: a pass or a step to be worked by hand, its keys, and marks with reasons.

`numbers` draws small networks with short numbers, one for each student. A `Worksheet` is the pass of
one of them with blanks in it (`working`), printed as text, LaTeX or a page (`printing`).
"""

from __future__ import annotations

from clearprop.classroom.folder import write_worksheets
from clearprop.classroom.numbers import worksheets
from clearprop.classroom.sheet import FORMATS, Worksheet
from clearprop.classroom.working import BLANKS

__all__ = ["BLANKS", "FORMATS", "Worksheet", "worksheets", "write_worksheets"]
