"""What several cards are made of."""

from __future__ import annotations

from collections.abc import Mapping

from clearprop.page import Markup, joined, tag


def options(values: Mapping[str, str], chosen: str) -> list[Markup]:
    """Return the options of a select: what they say, by their values."""
    return [
        tag("option", text, value=value, selected=value == chosen) for value, text in values.items()
    ]


def button(key: str, text: str, label: str | None = None) -> Markup:
    """Return a button; a label says in words what its short text does."""
    return tag("button", text, id=key, type="button", aria_label=label, title=label)


def facts(values: Mapping[str, str]) -> Markup:
    """Return places for numbers, what they are called by the key of each."""
    pairs = (tag("div", tag("dt", name), tag("dd", "", id=key)) for key, name in values.items())
    return tag("dl", *pairs, class_="facts")


def keys(*names: str) -> Markup:
    """Return names of keys."""
    return joined((tag("kbd", name) for name in names), " ")


def twin(key: str) -> Markup:
    """Return the place of a figure's twin, a table."""
    return tag("details", tag("summary", "As a table"), tag("div", "", id=f"{key}-twin"), class_="twin")
