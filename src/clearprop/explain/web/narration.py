"""What each step means, in a sentence or two for someone who has never seen it."""

from __future__ import annotations

from clearprop.explain.glyphs import Glyphs
from clearprop.explain.step import Step

_SQUASHES = {
    "sigmoid": "sigmoid squeezes it between 0 and 1",
    "tanh": "tanh squeezes it between -1 and 1",
    "relu": "relu lets it pass if it is above 0, and gives 0 otherwise",
    "softmax": "softmax makes all outputs positive, with a sum of 1: they are probabilities",
    "identity": "here it is passed on unchanged",
}


def layer_name(glyphs: Glyphs, layer: int) -> str:
    """Return a layer's name, the same in every notation."""
    if layer == 0:
        return "input"
    if layer == glyphs.last:
        return "output"
    return "hidden layer" if glyphs.last == 2 else f"hidden layer {layer}"


def unit_name(glyphs: Glyphs, layer: int, j: int) -> str:
    """Return a neuron's name, the same in every notation."""
    if layer in (0, glyphs.last):
        return f"{layer_name(glyphs, layer)} {j + 1}"
    return f"{layer_name(glyphs, layer)}, neuron {j + 1}"


def shared(glyphs: Glyphs) -> str:
    """Return what the notation calls delta."""
    return heads(glyphs)["delta"]


def heads(glyphs: Glyphs) -> dict[str, str]:
    """Return what the notation calls the derivatives: where its delta is minus dC/dz, minus them."""
    cost, w = glyphs.notation.cost_symbol, glyphs.notation.weight_symbol
    minus = "−" if glyphs.notation.delta_sign == -1 and not glyphs.faithful else ""
    return {
        "error": f"{minus}∂{cost}/∂a",
        "delta": glyphs.notation.delta_symbol or f"{minus}∂{cost}/∂b",
        "weight_gradient": f"{minus}∂{cost}/∂{w}",
        "weight": w,
    }


def said(glyphs: Glyphs, step: Step, half: str = "") -> str:
    """Return what a step means; `half` is z or a of a step forwards."""
    layer, cost = step.layer, glyphs.notation.cost_symbol
    where = f"the {layer_name(glyphs, layer)}" + (
        " layer" if layer in (0, glyphs.last) and layer else ""
    )
    match step.kind:
        case "input":
            return "One example goes in. Beside it, the target: what the network should answer."
        case "forward" if half == "z":
            return (
                f"Every neuron of {where} takes what comes in, each input times the weight of its "
                "edge, and adds it all up, with its bias. That sum is its weighted input z."
            )
        case "forward":
            return (
                "Then the neuron's activation function turns z into its activation a: "
                f"{_how(glyphs, layer)}."
            )
        case "cost":
            return (
                f"The cost {cost} says in one number how far the answer is from the target. All "
                "that follows asks one thing of every weight: if it grew a little, how would the cost "
                "change?"
            )
        case "error":
            return _error(glyphs, layer, where, cost)
        case "delta":
            return _delta(glyphs, layer, where, cost)
        case "gradient":
            return (
                "A weight's derivative is what came in through it, times the "
                f"{shared(glyphs)} of the neuron that it leads to. One pass back has given all of them."
            )
        case "update":
            return _update(glyphs)
    return ""


def _how(glyphs: Glyphs, layer: int) -> str:
    name = glyphs.trace.architecture.layers[layer - 1].function.name
    return _SQUASHES.get(name, f"{name[:40]}(z)")


def _error(glyphs: Glyphs, layer: int, where: str, cost: str) -> str:
    if layer == glyphs.last:
        return (
            f"How does the cost change if an output's activation a grows a little? That is ∂{cost}/∂a."
        )
    return (
        f"A neuron of {where} has no target. What its activation does to the cost goes through every "
        "neuron that it feeds: the derivatives there, each times the weight that leads there, added up."
    )


def _delta(glyphs: Glyphs, layer: int, where: str, cost: str) -> str:
    name = shared(glyphs)
    if layer == glyphs.last and glyphs.a_minus_y:
        name = f"∂{cost}/∂z" if glyphs.is_s0 else name
        ends = ("answer", "target") if glyphs.notation.delta_sign == 1 else ("target", "answer")
        return (
            "How does the cost change if an output's z grows a little? With this cost the slope of "
            f"the activation cancels: {name} is {ends[0]} minus {ends[1]}."
        )
    if layer == glyphs.last:
        return (
            f"How does the cost change if an output's z grows a little? That is its {name}: the error "
            "of its activation, times the slope of the activation function at z."
        )
    if glyphs.notation.carried == "dC_da":
        return f"Through the slope of the activation function, ∂{cost}/∂a becomes {name}."
    return (
        f"A neuron of {where} has no target. Its {name} is collected from the neurons that it feeds: "
        f"each {name} there, times the weight that leads there, added up; then times its own slope."
    )


def _update(glyphs: Glyphs) -> str:
    if glyphs.trace.update is None:
        return (
            "Gradient descent moves every weight a little against its derivative, all of them at once. "
            "How far, the learning rate says, and no learning rate was given."
        )
    return (
        "Every weight moves a little against its derivative, all of them at once, after the last "
        "derivative is known: that makes the cost smaller."
    )


def lead(glyphs: Glyphs) -> tuple[str, str]:
    """Return the two sentences at the top: what happened, and what backpropagation asks."""
    sizes, m = glyphs.sizes, glyphs.n_samples
    hidden = " + ".join(f"{n:,}" for n in sizes[1:-1])
    between = f", {hidden} hidden neurons" if hidden else ""
    n_inputs = glyphs.trace.architecture.n_features
    embedded = f", made into {sizes[0]:,} numbers" if glyphs.trace.architecture.embedding else ""
    what = (
        f"A network with {n_inputs:,} input{_s(n_inputs)}{embedded}{between} and "
        f"{sizes[-1]:,} output{_s(sizes[-1])} was shown "
        + ("one example." if m == 1 else f"{m:,} examples.")
    )
    n = sum(each.weights.size for each in glyphs.trace.layers)
    why = (
        "Going forwards, every neuron computes from left to right, and the cost says how wrong the "
        f"answer is. Going backwards, one pass finds for each of the {n:,} weights how the cost would "
        "change if that weight grew a little: its derivative. That is backpropagation, and all that "
        "learning needs."
    )
    return what, why


def _s(n: int) -> str:
    return "" if n == 1 else "s"
