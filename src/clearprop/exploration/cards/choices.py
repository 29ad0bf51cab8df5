"""What a run is made of: data, network, optimizer, seed."""

from __future__ import annotations

from collections.abc import Mapping

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
_CALLED = {
    "sgd": "SGD",
    "momentum": "SGD, momentum 0.9",
    "nesterov": "SGD, Nesterov 0.9",
    "rmsprop": "RMSProp",
    "adam": "Adam",
    "adamw": "AdamW",
    "xor": "XOR",
    "moons": "two moons",
    "binary_cross_entropy": "sigmoid, cross-entropy",
    "quadratic": "sigmoid, quadratic",
    "cross_entropy": "softmax, cross-entropy",
}


def card(is_own: bool) -> Markup:
    """Return the card; one's own network and rows are chosen already."""
    network = [
        _field("Data", _select("data", ("xor", "moons", "circles", "spiral"))),
        _field("Hidden layers, as 4,3", _text("hidden", "text")),
        _field("Activation", _select("activation", ACTIVATIONS)),
        _field(
            "Output and cost",
            _select("output", ("binary_cross_entropy", "quadratic", "cross_entropy")),
        ),
    ]
    training = [
        _field("Optimizer", _select("optimizer", tuple(OPTIMIZERS))),
        _field("Learning rate", _text("rate", "decimal")),
        _field("Batch size", _text("batch", "numeric")),
        _field("Seed", _text("seed", "numeric")),
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


def _select(name: str, values: tuple[str, ...]) -> Markup:
    return tag("select", *options({each: _CALLED.get(each, each) for each in values}, ""), name=name)
