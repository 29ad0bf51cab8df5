"""The page of a training that a server streams: what stands in it before its script fills it."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Sequence

from clearprop.page import Markup, document, joined, module, tag

_SCRIPTS = "dom", "drawing", "tables", "main"
_FACTS = (
    ("epoch", "epoch"),
    ("cost", "cost"),
    ("held", "held out"),
    ("rate", "learning rate"),
    ("speed", "rows a second"),
    ("left", "time left"),
)


def page(kind: str, facts: Sequence[str], *, n_rows: int = 0, comes_back: bool = False) -> str:
    """Return the page.

    Parameters
    ----------
    kind : {"watch", "train"}
        Whether it shows a training, or makes one.
    facts : sequence of str
        What stays the same; any text.
    n_rows : int
        From which one can be chosen, where it makes one.
    comes_back : bool
        Whether another run may have the same address.
    """
    trains = kind == "train"
    title = "A network, trained from here" if trains else "A training, watched"
    head = tag("header", tag("h1", title), tag("p", " · ".join(facts), class_="lead"))
    script = tag("noscript", tag("p", "The numbers come while it trains: this page needs JavaScript."))
    pictures = [tag("div", _curves(), _findings()), _row()] if trains else [_curves(), _findings()]
    cards = [_progress(trains, n_rows), *pictures, _layers()]
    return document(
        title,
        joined([head, script, tag("main", *cards, _twin())], "\n"),
        style=_read("watch.css"),
        script=_script(),
        data={"trains": trains, "rows": n_rows, "comesBack": comes_back},
        description="The numbers of a training while it goes on",
        served=True,
    )


def _read(name: str) -> str:
    return importlib.resources.files("clearprop.watching").joinpath(name).read_text("utf-8")


@functools.cache
def _script() -> str:
    return module("clearprop.watching", [f"script/{name}.js" for name in _SCRIPTS])


def _progress(trains: bool, n_rows: int) -> Markup:
    numbers = [
        tag("div", tag("dt", name, id=f"{key}-name"), tag("dd", "–", id=key)) for key, name in _FACTS
    ]
    return tag(
        "section",
        tag("h2", "Where it is", class_="visually-hidden"),
        tag("p", "connecting …", id="state", role="status"),
        tag("progress", id="done", max="1", value="0", aria_label="Epochs that are done"),
        tag("dl", *numbers, class_="facts"),
        tag("div", *(_controls(n_rows) if trains else [_button("stop", "Stop the training")]),
            class_="buttons"),
        class_="card progress",
    )  # fmt: skip


def _controls(n_rows: int) -> list[Markup]:
    row = tag("input", id="row", type="number", min="1", max=n_rows, value="1", inputmode="numeric")
    return [
        _button("play", "Play"),
        _button("step", "+ epoch"),
        _button("start", "Start", "Back to the start"),
        tag("label", "row ", row, f" of {n_rows:,}"),
    ]


def _button(key: str, text: str, label: str | None = None) -> Markup:
    return tag("button", text, id=key, type="button", disabled=True, aria_label=label, title=label)


def _curves() -> Markup:
    return tag(
        "section", tag("h2", "Curves"), tag("div", "no epoch yet", id="curves"), class_="card",
    )  # fmt: skip


def _findings() -> Markup:
    return tag(
        "section",
        tag("h2", "Findings"),
        tag("ul", tag("li", "nothing was looked at yet"), id="findings", aria_live="polite"),
        class_="card",
    )


def _row() -> Markup:
    return tag(
        "section",
        tag("h2", "The row that is chosen"),
        tag("div", id="row-pass"),
        class_="card",
    )


def _layers() -> Markup:
    return tag(
        "section",
        tag("h2", "Layers"),
        tag("p", "", id="looked", class_="quiet"),
        tag("div", id="layers"),
        class_="card wide",
    )


def _twin() -> Markup:
    return tag(
        "details",
        tag("summary", "Everything as tables"),
        tag("div", id="tables"),
        id="twin",
        class_="card wide",
    )
