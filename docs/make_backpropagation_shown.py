"""Write docs/backpropagation-shown.md: python docs/make_backpropagation_shown.py."""

# ruff: noqa: E501 - a sentence of prose is one line

import dataclasses
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop.explain import derivations, explained
from clearprop.explain.printers.text import TextPrinter

PAGE = Path(__file__).parent / "backpropagation-shown.md"
EXAMPLES = Path(__file__).parents[1] / "examples"
NOTATIONS = {
    "nielsen": "S2, Nielsen: column vectors, the input is layer 1, δ = ∂C/∂z",
    "jordan": "S1, Jordan: rows, Θ belongs to the layer it starts from, δ has the other sign",
    "dp": "S3: the input is layer 0, the cost has no half, ∂C/∂a is carried back",
    "softmax-ce": "S0: ∂C/∂a is carried back, the product is written with a dot",
}
DRAWING = """
input         hidden           output
layer 1       layer 2          layer 3           cost

  a¹₁ ──w²₁₁── z²₁|a²₁ ──w³₁₁── z³₁|a³₁ ─┐
      ╲    ╱           ╲    ╱            ├── C
       ╲  ╱             ╲  ╱             │
        ╳                ╳               │
       ╱  ╲             ╱  ╲             │
      ╱    ╲           ╱    ╲            │
  a¹₂ ──w²₂₂── z²₂|a²₂ ──w³₂₂── z³₂|a³₂ ─┘
"""
SAID = {
    "input": "Two numbers go in, and two should come out. Above the symbol stands the layer, below it the neuron.",
    "forward": "Each neuron adds up what arrives, times the weights of its connections, and its bias: that is z. "
    "What it passes on is a = σ(z), a number between 0 and 1.",
    "cost": "How wrong the outputs are is one number, C. Learning is to make it smaller, by changing weights and "
    "biases.",
    "error": "Now backwards. If an output a were a little larger, C would change by so much times as much:",
    "delta": "But a can only be changed through z, and where σ is flat a change of z hardly arrives. δ is the "
    "rate at which C changes with z: what arrives at a, times the slope of σ.",
    "hidden": "A hidden neuron has no target of its own. What it does to C it does through the neurons of the next "
    "layer: the same weights that carried its a forwards carry their δ back.",
    "gradient": "From δ to the weights is one product: C changes with a weight by what comes in through it, times "
    "the δ of the neuron it leads to. The longer lines say the same as the chain rule does, factor by factor, "
    "and as the sum over all ways from the weight to the cost.",
    "update": "Each weight and bias takes a step against its gradient, all at once, after the last gradient has "
    "been found. η = 0.5 is the learning rate.",
}


def mazur() -> tuple[cp.Network, list[list[float]], list[list[float]]]:
    """Return the 2-2-2 network that Mazur worked through by hand, its input and its target."""
    net = cp.Network([2, 2, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    net.weights[0][:], net.biases[0][:] = [[0.15, 0.20], [0.25, 0.30]], 0.35
    net.weights[1][:], net.biases[1][:] = [[0.40, 0.45], [0.50, 0.55]], 0.60
    return net, [[0.05, 0.10]], [[0.01, 0.99]]


def block(text: str) -> str:
    """Return text as a block that Markdown leaves alone."""
    return "```text\n" + text.strip("\n") + "\n```\n"


def _in_own_notation(net: cp.Network, x: list[list[float]], y: list[list[float]]) -> list[str]:
    mine = dataclasses.replace(
        cp.notation.NIELSEN,
        name="mine",
        layer_base=0,
        matrix_symbol="W",
        cost_symbol="E",
        delta_symbol="ε",
    )
    told = explained(net.trace(x, y), mine)
    delta = next(step for step in told.steps if step.kind == "delta" and step.layer == 1)
    return TextPrinter().step(delta)[1:]


def matrix(name: str, values: NDArray[Any]) -> str:
    """Return a matrix with its name, as it is written."""
    cells = [[f"{value:.4g}".replace("-", "−") for value in row] for row in np.atleast_2d(values)]
    width = max(len(cell) for row in cells for cell in row)
    rows = ["[ " + "  ".join(cell.rjust(width) for cell in row) + " ]" for row in cells]
    return "\n".join(
        (f"  {name} = " if i == 0 else " " * (len(name) + 5)) + row for i, row in enumerate(rows)
    )


def mini_batch() -> list[str]:
    """Return the section on S2's problem, worked with three samples."""
    net = mazur()[0]
    X = np.array([[0.05, 0.10], [0.90, 0.20], [0.40, 0.70]])
    Y = np.array([[0.01, 0.99], [0.99, 0.01], [0.50, 0.50]])
    sys.path.insert(0, str(EXAMPLES))
    try:
        example = importlib.import_module("s2_matrix_form")
    finally:
        sys.path.remove(str(EXAMPLES))
    form = example.MatrixForm(net.weights, net.biases)
    together, alone = form.backprop(X.T, Y.T), net.gradient(X, Y, per_sample=True)
    hidden, output = net.trace(X, Y).layers
    of_each = [(f"δ³ (a²)ᵀ of x{i}", each) for i, each in enumerate(alone.weights[1], start=1)]
    beside = [("X, S2's", X.T), ("X, clearprop's", X)]
    forward = [("Z²", hidden.z.T), ("A²", hidden.a.T), ("Z³", output.z.T), ("A³", output.a.T)]
    backward = [("D³", output.delta.T), ("D²", hidden.delta.T)]
    summed = [("their sum", alone.weights[1].sum(axis=0)), ("D³ (A²)ᵀ", together[1][1])]
    summed.append(("over m, as in clearprop", net.gradient(X, Y).weights[1]))
    for mine, theirs in zip((*together[1], *together[0]), (*alone.weights, *alone.biases), strict=True):
        assert np.allclose(mine.squeeze(), theirs.sum(axis=0), rtol=1e-12)
    each_column, added = (
        "\n\n".join("\n".join(matrix(*one) for one in part) for part in parts)
        for parts in ((beside, forward, backward), (of_each, summed))
    )
    return [
        "## A mini-batch as one matrix",
        "S2 loops over the samples of a mini-batch, and leaves it as a problem to do without. The samples "
        "become the columns of one matrix, X = [x1 x2 ... xm], and every line of the algorithm stays, in "
        "capitals; `*` is the product element by element, 1 a column of m ones:",
        block(example.PSEUDOCODE),
        "Three samples through the network above. Column k is sample k, all the way. clearprop has a sample in "
        "each row, so its matrices are these transposed:",
        block(each_column),
        "No column has met another so far: each is what S2's loop finds for its sample. The last product is where "
        "they are added. Row j, column k of D³ (A²)ᵀ is the sum over the samples of δ³ⱼ a²ₖ, which is BP4 of each, "
        "so it is the sum of the gradients that the loop adds up:",
        block(added),
        "`python examples/s2_matrix_form.py` has S2's listing without its loop, `cost_derivative` and the "
        "vectorised sigmoid functions by their names; it holds all gradients against the loop's, and measures "
        "how much faster a step is on your machine. S2 found a factor of about two.",
    ]


def page() -> str:
    """Return the page."""
    net, x, y = mazur()
    optimizer = cp.SGD(0.5)
    told = explained(net.trace(x, y, optimizer))
    printer = TextPrinter()
    out = [
        "# Backpropagation, shown",
        "One step of learning of a network with two inputs, two hidden neurons and two outputs, from input to "
        "update. This page is written by `docs/make_backpropagation_shown.py`: every number is one that the "
        "program computed, and a test fails when the page is not what the program prints.",
        block(DRAWING),
    ]
    said: set[str] = set()
    for step in told.steps:
        kind = "hidden" if step.kind == "delta" and step.layer < len(net.layers) else step.kind
        out.append(f"## {step.title}")
        if kind not in said:
            out.append(SAID[kind])
            said.add(kind)
        out.append(block("\n".join(printer.step(step)[2:])))
    after = net.copy()
    after.fit(x, y, epochs=1, batch_size=1, optimizer=optimizer, progress=False, engine="numpy")
    out.append(
        f"The cost was {net.cost(x, y):.6f}; with these weights and biases it is {after.cost(x, y):.6f}. "
        "That was one step. Training is thousands of them."
    )
    out.append("## The same in four notations")
    out.append(
        "Textbooks number layers differently, put the half and the sign in different places, and carry "
        "different things back. The gradient of the last layer in each; they are the same, up to the factor "
        "that each declares."
    )
    for name, what in NOTATIONS.items():
        document = explained(net.trace(x, y), name)
        gradient = next(step for step in document.steps if step.kind == "gradient")
        scale = next(note for note in document.footnotes if note.startswith("Scale"))
        lines = printer.step(gradient, "numbers")[2:]
        out += [f"**{name}** ({what}). {scale}.", block("\n".join(lines))]
    out += [
        "## As matrices",
        "A whole layer at once, as a computer does it:",
        block("\n".join(line for step in told.steps for line in printer.step(step, "matrix"))),
        *mini_batch(),
        "## Why the equations hold",
        "BP1 to BP4 derived with these numbers: first by the chain rule, then as the equation has it.",
        block(derivations(net, x, y)),
        "## One weight, all ways to the cost",
        "The weight from input 1 to hidden neuron 1 acts through both outputs:",
        block(str(cp.path_sum(net, x[0], y[0], layer=0, to=0, source=0))),
        "## The demon",
        "S2 imagines a demon that sits at a neuron and changes its z a little. δ predicts what that does:",
        block("\n\n".join(str(cp.nudge(net, x[0], y[0], 0, 0, by)) for by in (0.1, 0.01))),
        "A tenth of the change, a hundredth of the error: δ is the derivative.",
        "S2 ends with the same for a weight: its change is followed through every activation to the cost, each "
        "predicted change made from the one before, beside what a second pass gives:",
        block(str(cp.nudge(net, x[0], y[0], 0, 0, 0.1, on="weight", source=1))),
        "## In your own notation",
        "A notation is data. If your book numbers the input 0, writes E for the cost and ε for what is carried "
        "back, say so:",
        "```python\nimport dataclasses\nimport clearprop as cp\n\nmine = dataclasses.replace(\n"
        '    cp.notation.NIELSEN, name="mine", layer_base=0, matrix_symbol="W", cost_symbol="E", delta_symbol="ε"\n)\n'
        "print(cp.explain(net, x, y, mine))\n```",
        block("\n".join(_in_own_notation(net, x, y))),
        "Everything that the books disagree about is a field: see `help(cp.Notation)`.",
        "## Try it",
        '```python\nimport clearprop as cp\n\nprint(cp.explain(net, X[:1], Y[:1], notation="jordan"))\n'
        "print(cp.explain(net, X[:1], Y[:1], blanks=True))  # derivatives left out, with a key\n"
        'print(cp.explain(net, X[:1], Y[:1], algorithm="A6"))  # in the order of S3\'s dynamic programme\n```',
        "On the command line: `clearprop explain digits.safetensors digits --row 3 --notation dp --format latex`.",
    ]
    return "\n\n".join(part.rstrip("\n") for part in out) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
