"""The steps below layer 1: the embedding of inputs, and the learned input scale."""

from __future__ import annotations

from clearprop.explain.expression import shown_of
from clearprop.explain.forms import categories, embedding, input_scale
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.step import EXAMPLES, Step, example, more, over_all


def embedding_step(glyphs: Glyphs, row: int) -> Step:
    """Return what the embedding makes of some inputs."""
    its, lines = glyphs.trace.architecture.embedding, embedding.forward(glyphs, row)
    title = f"Embedding: {its}{example(glyphs, row)}"
    return Step("embedding", title, 0, row, tuple(lines), _more_inputs(glyphs), embedding.FORWARD)


def _more_inputs(glyphs: Glyphs) -> str:
    its = glyphs.trace.architecture.embedding
    n = len(its.columns or ()) if its is not None else 0
    of_both = (
        more(n, len(embedding.inputs_shown(glyphs)), "embedded inputs"),
        more(categories.n_categories(its), len(categories.shown(glyphs)), "categories"),
    )
    return "; ".join(filter(None, of_both))


def embedding_gradient_step(glyphs: Glyphs) -> Step:
    """Return the gradients of some parameters of the embedding, and what leads to them."""
    its = glyphs.trace.architecture.embedding
    lines = embedding.backward(glyphs, shown_of(glyphs.n_samples, EXAMPLES))
    said = embedding.BACKWARD + (embedding.SHARED if its is not None and its.shared else "")
    title = f"Gradient, embedding{over_all(glyphs)}"
    return Step("embedding", title, 0, None, tuple(lines), _more_inputs(glyphs), said)


def scale_step(glyphs: Glyphs, row: int) -> Step:
    """Return what the input scale makes of some of what it multiplies."""
    lines, left_out = input_scale.forward(glyphs, row), _more_scaled(glyphs)
    title = f"Input scale{example(glyphs, row)}"
    return Step("scale", title, 0, row, tuple(lines), left_out, input_scale.FORWARD)


def scale_gradient_step(glyphs: Glyphs) -> Step:
    """Return the gradient of some of the input scale."""
    lines = input_scale.backward(glyphs, shown_of(glyphs.n_samples, EXAMPLES))
    title = f"Gradient, input scale{over_all(glyphs)}"
    return Step("scale", title, 0, None, tuple(lines), _more_scaled(glyphs), input_scale.BACKWARD)


def _more_scaled(glyphs: Glyphs) -> str:
    return more(glyphs.sizes[0], len(input_scale.shown(glyphs)), "inputs")
