"""Kernels become JavaScript that means the same, or are refused with the line."""

import numpy as np
import pytest

from clearprop.engines.intrinsics import kernel, prefetch
from clearprop.engines.javascript import functions
from clearprop.engines.javascript.translation import Translation
from page_engine import in_node, needs_node, numbers, script


@kernel()
def shifted(x):
    return x << 1


@kernel()
def fetching(x):
    prefetch(x, 0)


@kernel()
def backwards(x):
    for i in range(3, 0, -1):
        x[i] = 0.0


@kernel()
def reserved(x):
    new = 2.0 * x
    return new + x


@kernel()
def with_a_list(x):
    return [x]


@pytest.mark.parametrize("refused", [shifted, fetching, backwards, with_a_list])
def test_what_javascript_is_not_given_is_refused_with_its_line(refused):
    with pytest.raises(TypeError, match=f"{refused.name}, line \\d+: "):
        Translation().name(refused)


def test_names_that_mean_something_else_are_refused():
    with pytest.raises(TypeError, match="JavaScript has another use for new"):
        Translation().name(reserved)
    made = Translation()
    made.name(functions.log_one_plus)
    made.kernels["log"] = shifted
    with pytest.raises(TypeError, match="there are two kernels with the name log"):
        made.name(functions.log)


@kernel()
def everything(x, n):
    """Return what parentheses, ties, loops and conditions make of x."""
    total, i = 0.0, 0
    while i < n and not total > 100.0:
        total += x - (x - (1.0 - x)) / (x / (x * 2.0)) * -(x + 1.0)
        i = i + 1
    if total != total or n == 0:
        return -1.0, total
    if total >= 3.0:
        x, total = total, x
    else:
        total = max(total, 1.0) if x <= 0.25 else min(total, -x)
    return x, total


@needs_node
def test_a_translation_means_what_its_source_does(rng):
    made = Translation()
    made.name(everything)
    engine = script().replace(
        "const ACTIVATIONS", "\n".join([*made.parts.values(), "const ACTIVATIONS"])
    )
    engine = engine.replace("\nreturn { ", "\nreturn { everything, ")
    x = [[each, n] for each in (*rng.normal(size=9).tolist(), 0.3, 7.0) for n in (0, 1, 2, 5)]
    (answer,) = in_node([{"kind": "function", "name": "everything", "x": x}], engine)
    expected = np.array([everything(*each) for each in x])
    assert numbers(answer["of"]).tobytes() == expected.astype(float).ravel().tobytes()
