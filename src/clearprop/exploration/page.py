"""The live page put together: what stands in it before the script fills it."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from clearprop.engines import javascript
from clearprop.exploration import cards, rules
from clearprop.exploration.cards import lessons, practice
from clearprop.exploration.offers import offers
from clearprop.exploration.sets import sets
from clearprop.page import Markup, document, joined, module, tag
from clearprop.training.divergence import MESSAGE

SCRIPTS = (
    "recipe", "notation", "elements", "csv", "learned", "sets", "problems", "walk", "trail", "cells",
    "run", "measures", "explorer", "lessons", "telling", "motion", "charts", "network", "stopped",
    "transport", "scrub", "touch", "pictures", "fitted", "panels", "choices", "answers", "own_file",
    "row", "pad", "inside", "layers", "surface", "measurements", "findings", "tables", "mistakes",
    "practice", "film", "modelfile", "program", "keep", "main",
)  # fmt: skip
STYLES = (
    "page", "lessons", "drawing", "transport", "touch", "pictures", "fitted", "panels", "choices",
    "own_file", "row", "figures", "practice", "keep", "narrow",
)  # fmt: skip


def page(own: dict[str, Any] | None = None) -> str:
    """Return the page of what `own.described` has returned; without it, the playground."""
    data = {
        "own": own,
        **offers(),
        "sets": {} if own else sets(),
        "lessons": [] if own else lessons.LESSONS,
        "mistakes": practice.mistakes(),
        "diverged": MESSAGE,
    }
    return document(
        "Backpropagation, live",
        joined([_heading(own is not None), _main(own is not None)], "\n"),
        style=_style(),
        script=_script(),
        data=data,
        description="A neural network to train, to step through and to change, with every number",
    )


@functools.cache
def _script() -> str:
    names = [f"script/{name}.js" for name in SCRIPTS]
    return module("clearprop.exploration", names, javascript.script() + rules.script())


def _style() -> str:
    folder = importlib.resources.files("clearprop.exploration").joinpath("style")
    return "\n".join(folder.joinpath(f"{name}.css").read_text("utf-8") for name in STYLES)


# What stands on the page


def _heading(is_own: bool) -> Markup:
    what = "your network" if is_own else "a network"
    return tag(
        "header",
        tag("h1", "Backpropagation, live"),
        tag(
            "p",
            f"Train {what}, step through it, change any number. Nothing leaves this page",
            tag("span", "; its address holds the whole run", id="address"),
            ".",
            class_="lead",
        ),
        tag("noscript", tag("p", "This page computes in the browser: it needs JavaScript.")),
    )


def _main(is_own: bool) -> Markup:
    def made(cards: Iterable[ModuleType]) -> list[Markup]:
        return [each.card(is_own) for each in cards]

    left = tag("div", *made(cards.LEFT), class_="left")
    right = tag("div", *made(cards.RIGHT), _panels(is_own), class_="right")
    columns = tag("div", left, right, class_="columns")
    return tag("main", *made(cards.ABOVE), columns, *made(cards.BELOW))


def _panels(is_own: bool) -> Markup:
    """Return the panels that share a place, the first one open, under their tabs."""
    tabs: list[Markup] = []
    panels: list[Markup] = []
    for name, module_of in cards.PANELS.items():
        first = not tabs
        roles = {"role": "tab", "aria_controls": f"panel-{name}", "aria_selected": str(first).lower()}
        index = "0" if first else "-1"
        tabs.append(
            tag("button", module_of.TITLE, id=f"tab-{name}", type="button", tabindex=index, **roles)
        )
        body = module_of.card(is_own)
        panels.append(
            tag("div", body, id=f"panel-{name}", role="tabpanel", aria_labelledby=f"tab-{name}")
        )
    return tag(
        "div",
        tag("div", *tabs, id="tabs", role="tablist", aria_label="Panels"),
        *panels,
        class_="card panels",
    )
