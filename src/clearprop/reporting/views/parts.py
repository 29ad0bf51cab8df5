"""What cards are built of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearprop.page import Markup, joined, table, tag


def card(name: str, title: str, *parts: object) -> Markup:
    """Return a card of the page, to which ``#name`` leads."""
    return tag("section", tag("h2", title), joined(parts, "\n"), class_="card", id=name)


def told(text: object) -> Markup:
    """Return a quiet sentence."""
    return tag("p", text, class_="quiet")


def figure(caption: str, chart: Markup, *below: object) -> Markup:
    """Return a chart with what it shows above it, and its numbers or a sentence below."""
    return tag("figure", tag("figcaption", caption), chart, joined(below, "\n"))


def numbers(title: str, columns: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """Return the numbers of a chart as a table that is closed at first."""
    return tag("details", tag("summary", "Numbers"), table(title, columns, rows))


def side_by_side(*figures: Markup) -> Markup:
    """Return figures in as many columns as there is room for."""
    return tag("div", *figures, class_="figures")


def legend(entries: Iterable[tuple[str, object]]) -> Markup:
    """Return what each look of a chart is: (look, name)."""
    items = [tag("li", tag("span", class_=f"key {look}"), name) for look, name in entries]
    return tag("ul", *items, class_="legend")
