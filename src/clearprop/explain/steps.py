"""The documents' algorithms, step by step with the reader's numbers.

A1 is S2's for one example, A2 its mini-batch step, A4 S1's seven steps, A6 S3's dynamic programme, A8
S0's eight steps. Their orders differ, and what they carry back; their gradients are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clearprop.explain import document
from clearprop.explain.expression import shown_of
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.step import EXAMPLES, Step
from clearprop.names import known_name

# Each is told in the notation of its document.
NOTATION_OF = {"A1": "nielsen", "A2": "nielsen", "A4": "jordan", "A6": "dp", "A8": "softmax-ce"}


def _named(number: str, sentence: str, steps: list[Step]) -> list[Step]:
    return [replace(step, title=f"{number}. {sentence}: {step.title}") for step in steps]


def _forward(glyphs: Glyphs, row: int) -> list[Step]:
    return [document.forward_step(glyphs, layer, row) for layer in range(1, glyphs.last + 1)]


def _gradients(glyphs: Glyphs, layer: int, row: int) -> list[Step]:
    # Once, after the last example that is shown: it is the batch's.
    return [document.gradient_step(glyphs, layer)] if row == _last_row(glyphs) else []


def _last_row(glyphs: Glyphs) -> int:
    return shown_of(glyphs.n_samples, EXAMPLES) - 1


def _updates(glyphs: Glyphs) -> list[Step]:
    layers = range(glyphs.last, 0, -1)
    return [document.update_step(glyphs, layer) for layer in layers]


def _example(glyphs: Glyphs, row: int) -> list[Step]:
    last = glyphs.last
    steps = _named("1", "Input", [document.input_step(glyphs, row)])
    steps += _named("2", "Feedforward", _forward(glyphs, row))
    steps += _named("3", "Output error", document.backward_steps(glyphs, last, row))
    back = [x for layer in range(last - 1, 0, -1) for x in document.backward_steps(glyphs, layer, row)]
    return steps + _named("4", "Backpropagate the error", back)


def _a1(glyphs: Glyphs) -> list[Step]:
    steps = _example(glyphs, 0)
    output = [document.gradient_step(glyphs, layer) for layer in range(glyphs.last, 0, -1)]
    return steps + _named("5", "Output", output)


def _more_examples(glyphs: Glyphs) -> list[Step]:
    more = glyphs.n_samples - 1 - _last_row(glyphs)
    return [Step("note", f"[..., {more:,} more examples]")] if more else []


def _a2(glyphs: Glyphs) -> list[Step]:
    last = glyphs.last
    steps: list[Step] = []
    for row in range(_last_row(glyphs) + 1):
        steps += _named("1", "Input a set of training examples", [document.input_step(glyphs, row)])
        steps += _named("2a", "Feedforward", _forward(glyphs, row))
        steps += _named("2b", "Output error", document.backward_steps(glyphs, last, row))
        back = [
            x for layer in range(last - 1, 0, -1) for x in document.backward_steps(glyphs, layer, row)
        ]
        steps += _named("2c", "Backpropagate the error", back)
    steps += _more_examples(glyphs)
    descent = [
        step
        for layer in range(last, 0, -1)
        for step in (document.gradient_step(glyphs, layer), document.update_step(glyphs, layer))
    ]
    return steps + _named("3", "Gradient descent", descent)


def _a4(glyphs: Glyphs) -> list[Step]:
    last = glyphs.last
    steps: list[Step] = []
    for row in range(_last_row(glyphs) + 1):
        forward = [document.input_step(glyphs, row), *_forward(glyphs, row)]
        steps += _named("1", "Forward propagation", forward)
        steps += _named("2", "δ of the output layer", document.backward_steps(glyphs, last, row))
        steps += _named("3", "Gradient of the last weights", _gradients(glyphs, last, row))
        for layer in range(last - 1, 0, -1):
            here = f"l = {glyphs.number(layer)}"
            steps += _named("4, 5", f"{here}, its δ", document.backward_steps(glyphs, layer, row))
            # X13: as printed, step 6 would repeat step 3.
            gradients = _gradients(glyphs, layer, row)
            steps += _named("6", f"{here}, gradient of the weights that lead to it", gradients)
    return steps + _more_examples(glyphs)


def _a6(glyphs: Glyphs) -> list[Step]:
    last = glyphs.last
    steps: list[Step] = []
    for row in range(_last_row(glyphs) + 1):
        steps += [document.input_step(glyphs, row), *_forward(glyphs, row)]
        base = [*document.backward_steps(glyphs, last, row), *_gradients(glyphs, last, row)]
        steps += _named("Base case", f"layer {glyphs.number(last)}", base)
        for layer in range(last - 1, 0, -1):
            case = [*document.backward_steps(glyphs, layer, row), *_gradients(glyphs, layer, row)]
            steps += _named("Recursive case", f"layer {glyphs.number(layer)}", case)
    return steps + _more_examples(glyphs)


def _a8(glyphs: Glyphs) -> list[Step]:
    last = glyphs.last
    steps: list[Step] = []
    for row in range(_last_row(glyphs) + 1):
        forward = [document.input_step(glyphs, row), *_forward(glyphs, row)]
        steps += _named("1", "Feed forward and keep the activations", forward)
        steps += _named("2", "Cost", [document.cost_step(glyphs, row)])
        first = [*document.backward_steps(glyphs, last, row), *_gradients(glyphs, last, row)]
        steps += _named("3", "Gradient of the last layer", first)
        for layer in range(last - 1, 0, -1):
            error, delta = document.backward_steps(glyphs, layer, row)
            steps += _named("4", "Gradient of the activations before", [error])
            own = [delta, *_gradients(glyphs, layer, row)]
            steps += _named("5", "Gradient of that layer's weights and biases", own)
    steps += _more_examples(glyphs)
    return steps + _named("7", "Update, after all gradients (X36)", _updates(glyphs))


_ALGORITHMS: dict[str, Callable[[Glyphs], list[Step]]] = {
    "A1": _a1,
    "A2": _a2,
    "A4": _a4,
    "A6": _a6,
    "A8": _a8,
}


def algorithm_steps(glyphs: Glyphs, algorithm: str) -> list[Step]:
    """Return the steps of an algorithm.

    Raises
    ------
    ValueError
        If it is unknown; if A1, which is for one example, is given several; if A8, which carries dC/da
        back, is told in a notation that carries delta.
    """
    known_name("algorithm", algorithm, _ALGORITHMS)
    if algorithm == "A1" and glyphs.n_samples > 1:
        raise ValueError(
            f"algorithm A1 is for one example, got {glyphs.n_samples:,}; A2 is for a batch"
        )
    if algorithm == "A8" and glyphs.notation.carried != "dC_da":
        raise ValueError(
            "algorithm A8 carries dC/da back, got a notation that carries delta: "
            f"{glyphs.notation.name}; use softmax-ce or dp"
        )
    return _ALGORITHMS[algorithm](glyphs)
