"""What a run is made of: data, network, optimizer, seed."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

from clearprop import optimizers
from clearprop.exploration.cards.parts import options
from clearprop.page import Markup, tag

TITLE = "Choose"
ACTIVATIONS = "tanh", "sigmoid", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "identity"
OPTIMIZERS: Mapping[str, optimizers.Optimizer] = {
    "sgd": optimizers.SGD(),
    "momentum": optimizers.SGD(momentum=0.9),
    "nesterov": optimizers.SGD(momentum=0.9, nesterov=True),
    "rmsprop": optimizers.RMSProp(),
    "adam": optimizers.Adam(),
    "adamw": optimizers.AdamW(),
}
OUTPUTS = {
    "binary_cross_entropy": "sigmoid, cross-entropy",
    "quadratic": "sigmoid, quadratic",
    "cross_entropy": "softmax, cross-entropy",
}
_CALLED = {
    "sgd": "SGD",
    "momentum": "SGD, momentum 0.9",
    "nesterov": "SGD, Nesterov 0.9",
    "rmsprop": "RMSProp",
    "adam": "Adam",
    "adamw": "AdamW",
}
SETS: Mapping[str, Mapping[str, Any]] = json.loads(
    importlib.resources.files("clearprop.exploration").joinpath("sets.json").read_text("utf-8")
)

_HELD = {"0": "none", "20": "20 %", "50": "50 %"}


def card(is_own: bool) -> Markup:
    """Return the card; one's own network and rows are chosen already."""
    network = [
        _field("Data", _select("data", {name: each["called"] for name, each in SETS.items()})),
        _field("Hidden layers, as 4,3", _text("hidden", "text")),
        _field("Activation", _select("activation", {each: each for each in ACTIVATIONS})),
        _field(
            "Output and cost",
            _select("output", OUTPUTS),
        ),
    ]
    training = [
        _field("Optimizer", _select("optimizer", _CALLED)),
        _field("Learning rate", _text("rate", "decimal")),
        _field("Batch size", _text("batch", "numeric")),
        _field("Rows held out", tag("select", *options(_HELD, ""), name="held")),
        _field("Seed", _text("seed", "numeric")),
        _field("Dropout, hidden layers", _text("dropout", "decimal")),
        _field("First parameters, if given", _text("start", "text")),
    ]
    return tag(
        "section",
        tag("form", *([] if is_own else network), *training, id="choices"),
        tag("p", "", id="refused", class_="stopped", role="status"),
        tag("p", "A choice begins a run from the start; undo leads back.", class_="quiet"),
    )


def _field(label: str, control: Markup) -> Markup:
    return tag("label", tag("span", label), control)


def _text(name: str, mode: str) -> Markup:
    return tag("input", name=name, type="text", inputmode=mode, autocomplete="off")


def _select(name: str, values: Mapping[str, str]) -> Markup:
    return tag("select", *options(values, ""), name=name)
