"""Lessons: what to do, what comes of it, and a number that the page checks.

``lessons.json`` has them as data. A lesson is a run, as the address has it, and steps with a text. A
step may have a run of its own, a control to press, a place to choose, a speed, and a claim: a number,
its measure (``script/measures.js``), and of which run it is.
"""

from __future__ import annotations

import importlib.resources
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from clearprop.exploration.cards.parts import button
from clearprop.page import Markup, joined, tag

LESSONS: Sequence[Mapping[str, Any]] = json.loads(
    importlib.resources.files("clearprop.exploration").joinpath("lessons.json").read_text("utf-8")
)


def card(is_own: bool) -> Markup:
    """Return the list of lessons, and the place of the one that is open."""
    if is_own:  # lessons have networks of their own
        return joined([])
    groups = itertools.groupby(LESSONS, key=lambda each: each["group"])
    listed = tag("div", *(_group(name, [*lessons]) for name, lessons in groups), class_="groups")
    return joined([tag("details", tag("summary", "Lessons"), listed, id="lessons"), _open()])


def _group(name: str, lessons: Sequence[Mapping[str, Any]]) -> Markup:
    items = (tag("li", tag("a", each["title"], href=f"#lesson={each['name']}")) for each in lessons)
    return tag("div", tag("h2", name), tag("ol", *items))


def _open() -> Markup:
    claim = tag(
        "div",
        tag("p", tag("span", "", id="lesson-says"), " ", tag("b", "", id="lesson-number")),
        button("lesson-check", "Check it here"),
        tag("p", "", id="lesson-came", role="status"),
        id="lesson-claim",
    )
    head = tag(
        "div",
        tag("h2", "", id="lesson-title", tabindex="-1"),
        tag("span", "", id="lesson-where", class_="quiet"),
        tag(
            "div",
            button("lesson-back", "Back", "Back: one step of the lesson"),
            button("lesson-next", "Next", "Next step of the lesson"),
            button("lesson-again", "Again", "Again: set up this step's run"),
            button("lesson-close", "Close", "Close the lesson"),
            class_="lesson-buttons",
        ),
        class_="lesson-head",
    )
    text = tag("p", "", id="lesson-text", role="status")
    return tag(
        "section",
        head,
        tag("div", text, claim, class_="lesson-body"),
        id="lesson",
        class_="card",
        hidden=True,
        aria_labelledby="lesson-title",
    )
