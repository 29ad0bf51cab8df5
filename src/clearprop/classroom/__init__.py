"""Exercises for a class: a pass or a step to be worked by hand, its keys, and marks with reasons.

`numbers` draws small networks with short numbers, one for each student. A `Worksheet` is the pass of
one of them with blanks in it (`working`), printed as text, LaTeX or a page (`printing`). `answers`
reads what students hand in, `carried` computes what each number should be after those that a student
wrote before it, `slips` what it is where it is wrong; `marking` puts them together, `grading` does so
for a class.
"""

from __future__ import annotations

from clearprop.classroom.folder import write_worksheets
from clearprop.classroom.grading import Grades, grade
from clearprop.classroom.marking import Mark, Marked, Mistake
from clearprop.classroom.numbers import worksheets
from clearprop.classroom.sheet import FORMATS, Worksheet
from clearprop.classroom.working import BLANKS

__all__ = [
    "BLANKS",
    "FORMATS",
    "Grades",
    "Mark",
    "Marked",
    "Mistake",
    "Worksheet",
    "grade",
    "worksheets",
    "write_worksheets",
]
