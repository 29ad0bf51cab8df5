"""Data sets that a page brings along: those of ``sets.json``, iris whole, and 600 rows of the digits.

In ``sets.json`` are rows, or what ``script/sets.js`` draws them by.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from clearprop.data import load
from clearprop.data.scaling import divide_by
from clearprop.model.ends import inputs_of
from clearprop.model.inputs import Inputs, standard

EACH = 60  # digits of a kind: 600 rows are 40 kB, of which a small network learns 94 % of others
SMALL: Mapping[str, Mapping[str, Any]] = json.loads(
    importlib.resources.files("clearprop.exploration").joinpath("sets.json").read_text("utf-8")
)
_LEVELS = "0123456789abcdefg"  # of a pixel


@functools.cache
def sets() -> dict[str, Any]:
    """Return the sets, as JSON has them: ``{"called", "X", "Y"}``, or how they are drawn.

    Where there are ``"inputs"``, X is raw; ``"features"`` are the library's names of its columns,
    ``"classes"`` the labels whose numbers Y has. Rows of `digits` are texts, of a character for each
    pixel.
    """
    return {**SMALL, "iris": _iris(), "digits": _digits()}


def _iris() -> dict[str, Any]:
    found = load("iris")
    X = np.concatenate([found.part(each)[0] for each in ("train", "test")])
    Y = np.concatenate([found.part(each)[1] for each in ("train", "test")])
    # One of each kind after the other, so that those in front are not all of one kind.
    order = np.lexsort((Y, _place_in_class(Y)))
    names = [str(name).removesuffix(" (cm)") for name in found.feature_names or ()]
    return {
        "called": "iris",
        "features": list(found.feature_names or ()),
        "inputs": inputs_of(Inputs(standard(X, None)), names, "float64"),
        "X": X[order].tolist(),
        "classes": [str(each) for each in found.classes or ()],
        "Y": Y[order, None].tolist(),
    }


def _digits() -> dict[str, Any]:
    found = load("digits", part="train")
    X, Y = found.part("train")
    chosen = np.lexsort((Y, _place_in_class(Y)))[: 10 * EACH]
    rows = X[chosen].astype(int)
    names = [f"px {row},{column}" for row in range(1, 9) for column in range(1, 9)]
    return {
        "called": "digits",
        "features": list(found.feature_names or ()),
        "inputs": inputs_of(Inputs((divide_by(16.0),)), names, "float64"),
        "X": ["".join(_LEVELS[level] for level in row) for row in rows],
        "classes": [str(digit) for digit in range(10)],
        "Y": Y[chosen, None].tolist(),
        "image": [8, 8],
    }


def _place_in_class(Y: Any) -> Any:
    """Return how many rows of its class stand before each row."""
    place = np.empty(len(Y), int)
    for label in np.unique(Y):
        place[label == Y] = np.arange((label == Y).sum())
    return place
