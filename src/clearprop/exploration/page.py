"""The live page put together: what stands in it before the script fills it."""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any

import numpy as np

from clearprop import optimizers
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.engines import javascript
from clearprop.model.file import describe_architecture
from clearprop.page import Markup, document, joined, module, tag
from clearprop.traceable import Traceable

MOST_PARAMETERS, MOST_ROWS = 20_000, 1_000
SCRIPTS = "recipe", "elements", "problems", "run", "network", "pictures", "tables", "main"
ACTIVATIONS = "tanh", "sigmoid", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "identity"
_OPTIMIZERS: Mapping[str, optimizers.Optimizer] = {
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
_SPEEDS = {"1": "1 epoch/s", "10": "10 epochs/s", "100": "100 epochs/s", "100000": "as fast as it goes"}


def page(net: Traceable | None = None, X: Array | None = None, Y: Array | None = None) -> str:
    """Return the page of a network and its rows, as it takes them; without them, the playground.

    Raises
    ------
    ValueError
        If the network or its rows are not for a page.
    """
    own = None if net is None or X is None or Y is None else _own(net, X, Y)
    data = {
        "own": own,
        "activations": list(ACTIVATIONS),
        "optimizers": {name: optimizers.describe(each) for name, each in _OPTIMIZERS.items()},
        "initializers": {"weights": {"name": "glorot_uniform"}, "biases": {"name": "zeros"}},
    }
    return document(
        "Backpropagation, live",
        joined([_heading(own is not None), tag("main", *_cards(own is not None))], "\n"),
        style=_read("explore.css"),
        script=_script(),
        data=data,
        description="A neural network to train, to step through and to change, with every number",
    )


@functools.cache
def _script() -> str:
    names = [f"script/{name}.js" for name in SCRIPTS]
    return module("clearprop.exploration", names, javascript.script())


def _read(name: str) -> str:
    return importlib.resources.files("clearprop.exploration").joinpath(name).read_text("utf-8")


def _own(net: Traceable, X: Array, Y: Array) -> dict[str, Any]:
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
    return {
        "architecture": describe_architecture(made),
        "parameters": parameters.tolist(),
        "X": np.asarray(X, np.float64).tolist(),
        "Y": np.asarray(Y, np.float64).tolist(),
        "seed": str(net.training_seed if net.training_seed < 2**53 else 0),
        "featureNames": None if net.feature_names is None else [*map(str, net.feature_names)],
    }


def _refuse_unknown(made: Architecture) -> None:
    """Refuse functions of the user's own: a page has the built-in ones, translated."""
    used = [part for layer in made.layers for part in layer.function.parts or (layer.function,)]
    strange = [each.name for each in used if not each.built_in]
    if not made.cost.built_in:
        strange.append(made.cost.name)
    if strange:
        raise ValueError(f"net must have built-in functions for a live page, got {strange[0]!r}")


# The cards


def _heading(is_own: bool) -> Markup:
    what = "your network" if is_own else "a network"
    return tag(
        "header",
        tag("h1", "Backpropagation, live"),
        tag(
            "p",
            f"Train {what}, go back a step, change any number: all the others follow at once. "
            "Nothing leaves this page",
            tag("span", "; its address holds the whole run", id="address"),
            ".",
            class_="lead",
        ),
        tag("noscript", tag("p", "This page computes in the browser: it needs JavaScript.")),
    )


def _cards(is_own: bool) -> list[Markup]:
    return [
        tag("div", _drawing(), _transport(), _touch(), class_="left"),
        tag("div", _pictures(), _choices(is_own), class_="right"),
        _twin(),
    ]


def _drawing() -> Markup:
    facts = (("epoch", "epochs"), ("step", "steps"), ("cost, all rows", "cost"))
    numbers = [tag("div", tag("dt", name), tag("dd", "", id=key)) for name, key in facts]
    row = tag("input", id="row", type="number", min="1", value="1", inputmode="numeric")
    shown = tag("label", "row shown ", row, " ", tag("span", "", id="of-rows"), class_="row")
    numbers.append(tag("div", tag("dt", "cost, this row"), tag("dd", "", id="row-cost")))
    return tag(
        "section",
        tag("h2", "The network", class_="visually-hidden"),
        tag("div", tag("dl", *numbers, class_="facts"), shown, class_="facts-row"),
        tag("div", tag("svg", id="net", role="group", aria_label="The network"), class_="picture"),
        tag(
            "p",
            "z, a and δ are of the row shown; on each weight, its value above its gradient over all "
            "rows. Dashed: negative.",
            class_="quiet legend",
        ),
        tag("p", "", id="stopped", class_="stopped", role="status"),
        class_="card",
        aria_label="The network",
    )


def _transport() -> Markup:
    def button(key: str, text: str, label: str) -> Markup:
        return tag("button", text, id=key, type="button", aria_label=label, title=label)

    speeds = _options(_SPEEDS, "10")
    sizes = _options({each: each for each in ("1", "0.1", "0.01", "0.001")}, "0.1")
    return tag(
        "section",
        tag("button", "Play", id="play", type="button"),
        tag("select", *speeds, id="speed", aria_label="Speed"),
        button("start", "Start", "Back to the start"),
        button("back-epoch", "− epoch", "One epoch back"),
        button("back", "− batch", "One batch back"),
        button("next", "+ batch", "One batch on"),
        button("next-epoch", "+ epoch", "One epoch on"),
        tag(
            "div",
            tag("label", "", id="what", for_="value"),
            tag("button", "−", id="less", type="button", aria_label="Less"),
            tag(
                "input",
                id="value",
                type="text",
                inputmode="decimal",
                aria_label="Value",
                autocomplete="off",
            ),
            tag("button", "+", id="more", type="button", aria_label="More"),
            tag("label", "by ", tag("select", *sizes, id="size")),
            tag("span", "", id="short"),
            class_="changing",
        ),
        class_="transport",
        aria_label="Training and changes",
    )


def _touch() -> Markup:
    slopes = (("gradient, all rows", "slope"), ("gradient, this row alone", "own-slope"))
    return tag(
        "section",
        tag("h2", "Change a number"),
        tag("p", tag("span", "", id="chosen"), class_="chosen"),
        tag(
            "input",
            id="slider",
            type="range",
            min="-4",
            max="4",
            step="0.01",
            aria_label="Dragged value",
        ),
        tag(
            "dl",
            *(tag("div", tag("dt", name), tag("dd", "", id=key)) for name, key in slopes),
            class_="facts",
        ),
        tag("p", "", id="came", class_="came", role="status"),
        tag(
            "div",
            tag("button", "Undo", id="undo", type="button"),
            tag("button", "Redo", id="redo", type="button"),
            tag("button", "As it was", id="as-it-was", type="button", title="Without all changes"),
            class_="buttons",
        ),
        _help(),
        class_="card",
        aria_label="Change a number",
    )


def _help() -> Markup:
    return tag(
        "details",
        tag("summary", "How to choose, and keys"),
        tag("p", "Choose a weight, bias, input or target in the drawing, by mouse, touch, Tab."),
        tag("p", "There: arrows move, ", _keys("+", "−"), " change, ", _keys("Enter"), " types."),
        tag("p", "Everywhere: ", _keys("space"), " plays, ", _keys(".", ","), " a batch on and back, ",
            _keys(">", "<"), " an epoch, ", _keys("Ctrl Z"), " undoes."),
        class_="quiet",
    )  # fmt: skip


def _keys(*names: str) -> Markup:
    return joined((tag("kbd", name) for name in names), " ")


def _pictures() -> Markup:
    plane = tag(
        "canvas", id="plane", width="300", height="300", role="img",
        aria_label="The plane of the two inputs: what the network answers, and the rows. "
        "The table of all numbers has them too.",
    )  # fmt: skip
    return tag(
        "section",
        tag("h2", "What it has learned", class_="visually-hidden"),
        tag(
            "figure",
            plane,
            tag("figcaption", "Its answer everywhere; ● 0, ■ 1. Choose a row."),
            id="plane-box",
        ),
        tag(
            "figure",
            tag("svg", id="curve", viewBox="0 0 364 204", role="img", aria_label="Cost of each epoch"),
            tag("figcaption", "Cost of each epoch, each row's before its step"),
        ),
        class_="card pictures",
        aria_label="What it has learned",
    )


def _choices(is_own: bool) -> Markup:
    def field(label: str, control: Markup) -> Markup:
        return tag("label", tag("span", label), control)

    def text(name: str, mode: str) -> Markup:
        return tag("input", name=name, type="text", inputmode=mode, autocomplete="off")

    def select(name: str, values: tuple[str, ...]) -> Markup:
        return tag(
            "select", *_options({each: _CALLED.get(each, each) for each in values}, ""), name=name
        )

    network = [
        field("Data", select("data", ("xor", "moons", "circles", "spiral"))),
        field("Hidden layers, as 4,3", text("hidden", "text")),
        field("Activation", select("activation", ACTIVATIONS)),
        field(
            "Output and cost", select("output", ("binary_cross_entropy", "quadratic", "cross_entropy"))
        ),
    ]
    training = [
        field("Optimizer", select("optimizer", tuple(_OPTIMIZERS))),
        field("Learning rate", text("rate", "decimal")),
        field("Batch size", text("batch", "numeric")),
        field("Seed", text("seed", "numeric")),
    ]
    return tag(
        "section",
        tag("h2", "Choose"),
        tag("form", *([] if is_own else network), *training, id="choices"),
        tag("p", "", id="refused", class_="stopped", role="status"),
        tag("p", "A choice begins a run from the start; undo leads back.", class_="quiet"),
        class_="card",
        aria_label="Choose",
    )


def _twin() -> Markup:
    return tag(
        "details",
        tag("summary", "All numbers as tables"),
        tag("div", "", id="tables"),
        id="twin",
        class_="card",
    )


def _options(values: Mapping[str, str], chosen: str) -> list[Markup]:
    return [
        tag("option", text, value=value, selected=value == chosen) for value, text in values.items()
    ]
