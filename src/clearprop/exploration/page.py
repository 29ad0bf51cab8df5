"""The live page put together: what stands in it before the script fills it."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.engines import javascript
from clearprop.exploration import cards
from clearprop.exploration.cards import lessons, practice
from clearprop.exploration.offers import offers
from clearprop.exploration.sets import sets
from clearprop.model.file import describe, describe_architecture, tensors_of
from clearprop.model.model import Model
from clearprop.page import Markup, document, joined, module, tag
from clearprop.traceable import Traceable
from clearprop.training.divergence import MESSAGE

MOST_PARAMETERS, MOST_ROWS = 20_000, 1_000
SCRIPTS = (
    "recipe", "elements", "csv", "learned", "sets", "problems", "walk", "run", "measures", "explorer",
    "lessons", "telling", "motion", "network", "stopped", "transport", "scrub", "touch", "pictures",
    "fitted", "panels", "choices", "inside", "tables",
    "mistakes", "practice", "film", "modelfile", "program", "keep", "main",
)  # fmt: skip
STYLES = (
    "page", "lessons", "drawing", "transport", "touch", "pictures", "fitted", "panels", "choices",
    "figures", "practice", "keep",
)  # fmt: skip


class Explorable(Traceable, Protocol):
    """Has a model, whose file the page writes."""

    @property
    def model(self) -> Model:
        """Everything that its file holds."""
        ...


def page(net: Explorable | None = None, X: Array | None = None, Y: Array | None = None) -> str:
    """Return the page of a network and its rows, as it takes them; without them, the playground.

    Raises
    ------
    ValueError
        If the network or its rows are not for a page.
    """
    own = None if net is None or X is None or Y is None else _own(net, X, Y)
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
    return module("clearprop.exploration", names, javascript.script())


def _style() -> str:
    folder = importlib.resources.files("clearprop.exploration").joinpath("style")
    return "\n".join(folder.joinpath(f"{name}.css").read_text("utf-8") for name in STYLES)


def _own(net: Explorable, X: Array, Y: Array) -> dict[str, Any]:
    """Return what the page gets of a network and its rows."""
    made = net.architecture
    if made.embedding is not None or made.input_scale:
        raise ValueError(
            "net must have no embedding and no input scales for a live page: explain shows its passes"
        )
    if made.n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f"net must have at most {MOST_PARAMETERS:,} parameters for a live page, "
            f"got {made.n_parameters:,}"
        )
    if len(X) > MOST_ROWS:
        raise ValueError(f"X must have at most {MOST_ROWS:,} rows for a live page, got {len(X):,}")
    if "groups" in made.cost.parameters:
        raise ValueError("net must have one target for a live page, got several")
    _refuse_unknown(made)
    parameters = np.asarray(net.parameters, np.float64)
    if not np.isfinite(parameters).all():
        raise ValueError("net must have finite parameters for a live page")
    own_tensors = {block.name for block in made.blocks}
    return {
        "architecture": describe_architecture(made),
        "parameters": [parameters.tolist()],
        "X": np.asarray(X, np.float64).tolist(),
        "Y": np.asarray(Y, np.float64).tolist(),
        "seed": str(net.training_seed if net.training_seed < 2**53 else 0),
        "names": None if net.feature_names is None else [*map(str, net.feature_names)],
        # What a file has beside the architecture and its parameters.
        "model": describe(net.model),
        "tensors": [
            {"name": name, "shape": each.shape, "values": each.ravel().tolist()}
            for name, each in tensors_of(net.model).items()
            if name not in own_tensors
        ],
    }


def _refuse_unknown(made: Architecture) -> None:
    """Refuse functions of the user's own: a page has the built-in ones, translated."""
    used = [part for layer in made.layers for part in layer.function.parts or (layer.function,)]
    strange = [each.name for each in used if not each.built_in]
    if not made.cost.built_in:
        strange.append(made.cost.name)
    if strange:
        raise ValueError(f"net must have built-in functions for a live page, got {strange[0]!r}")


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

    return tag(
        "main",
        *made(cards.ABOVE),
        tag("div", *made(cards.LEFT), class_="left"),
        tag("div", *made(cards.RIGHT), _panels(is_own), class_="right"),
        *made(cards.BELOW),
    )


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
