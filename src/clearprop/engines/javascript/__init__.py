"""An engine that runs in a page: the reference's equations in JavaScript, with Python's numbers.

Into `backprop.architecture` flows the entry ``architecture`` of a model's file, and out of it comes
what passes need to know of a network: layers, cost, and where each block lies in the flat vector. A
pass takes that, the flat parameters and rows (`Matrix`), and leaves every z, a, slope, error and delta;
`gradient` makes the flat gradient of them. `Training` adds a plan and a state, the same as Python's.
`encoded` makes inputs of raw rows, as `model.ends` describes it.

There is no second truth. Files that end in ``.js`` say what a layer, a pass and a step are, to be read
beside ``architecture.py``, ``backprop.py``, ``randomness.py`` and ``engines/reference.py``.
Activations, costs and optimizers are the kernels of the compiled engine, and scales of initializers
the functions in their factories, translated from their Python source by `translation`: the rows of
Python's tables.

All numbers are float64. Of ``Math`` nothing is called whose bits ECMAScript leaves open, so that a page
computes the same bits in every browser; `engines.elementary` and `functions` have exp, log, tanh, the
normal distribution, cos and sin. Schedules and ScheduleFreeAdamW are refused in a sentence.
"""

from __future__ import annotations

import functools
import importlib.resources

from clearprop.page import library

_BEFORE = ("numbers.js",)
_AFTER = (
    "matrix.js",
    "randomness.js",
    "embedding.js",
    "architecture.js",
    "backprop.js",
    "training.js",
    "inputs.js",
)


@functools.cache
def script() -> str:
    """Return the engine as a classic script, which defines one name: ``backprop``."""
    from clearprop.engines.javascript import tables  # loads LLVM, which a command's help does without

    folder = importlib.resources.files(__name__)
    read = [folder.joinpath(name).read_text("utf-8") for name in (*_BEFORE, *_AFTER)]
    return library("backprop", [*read[: len(_BEFORE)], tables.script(), *read[len(_BEFORE) :]])
