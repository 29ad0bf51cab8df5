"""What a run is made of: data, network, optimizer, seed."""

from __future__ import annotations

from clearprop.explain.notation import NOTATIONS
from clearprop.exploration.cards import own_file
from clearprop.exploration.cards.parts import options
from clearprop.exploration.sets import sets
from clearprop.page import Markup, tag

TITLE = "Choose"

_HELD = {"0": "none", "20": "20 %", "50": "50 %"}


def card(is_own: bool) -> Markup:
    """Return the card; one's own network and rows are chosen already.

    What a select offers, and which numbers go with a choice, is filled in by the script.
    """
    called = {} if is_own else {name: each["called"] for name, each in sets().items()}
    called["csv"] = "own file (CSV) …"
    network = [
        _field("Data", tag("select", *options(called, ""), name="data")),
        _field("Hidden layers, as 4,3", _text("hidden", "text")),
        tag("div", id="activations", class_="fields"),
        _composed("Output and cost", "output"),
        _composed("First weights", "weights"),
        _composed("First biases", "biases"),
    ]
    training = [
        _composed("Optimizer", "optimizer"),
        _field("Learning rate", _text("rate", "decimal")),
        _field("Batch size", _text("batch", "numeric")),
        _field("Rows held out", tag("select", *options(_HELD, ""), name="held")),
        _field("Seed", _text("seed", "numeric")),
        _field("Dropout, hidden layers", _text("dropout", "decimal")),
        _field("First parameters, if given", _text("start", "text")),
    ]
    notations = {"page": "this page's", **dict.fromkeys(NOTATIONS)}
    notation = _field(
        "Notation",
        tag("select", *options({n: t or n for n, t in notations.items()}, ""), name="notation"),
    )
    return tag(
        "section",
        tag("form", *([] if is_own else network), *training, notation, id="choices"),
        tag("p", "", id="notation-says", class_="quiet", role="status"),
        *([] if is_own else [own_file.card(is_own)]),
        tag("p", "", id="refused", class_="stopped", role="status"),
        tag("p", "", id="choices-hint", class_="quiet"),
        tag("p", "A choice begins a run from the start; undo leads back.", class_="quiet"),
    )


def _field(label: str, control: Markup) -> Markup:
    return tag("label", tag("span", label), control)


def _text(name: str, mode: str) -> Markup:
    return tag("input", name=name, type="text", inputmode=mode, autocomplete="off")


def _composed(label: str, name: str) -> Markup:
    """Return a select, and a place for the numbers that go with what is selected."""
    field = _field(label, tag("select", name=name))
    return tag("div", field, tag("div", class_="fields", data_numbers=name), class_="fields")
