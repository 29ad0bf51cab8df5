"""What `to_onnx` notes of a model beside its graph, and how a network that comes back takes it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.incoming.onnx_tensors import noted
from clearprop.model.targets import Classes, Indicators, Units, taken_choices
from clearprop.network import Network
from clearprop.portable.program import INDICATORS

if TYPE_CHECKING:
    import onnx

_PREFIX = "clearprop."


def notes_of(model: onnx.ModelProto) -> dict[str, Any]:
    """Return what clearprop has noted in a model that it wrote; {} of those of others.

    Raises
    ------
    ValueError
        If a note cannot be read.
    """
    if model.producer_name != "clearprop":
        return {}
    said = {name.removeprefix(_PREFIX): value for name, value in noted(model).items()}
    try:
        found = {name: json.loads(said[name]) for name in ("classes", "chosen") if name in said}
    except (ValueError, RecursionError):
        raise _unreadable() from None
    return found | {"task": said.get("task")}


def take_notes(net: Network, notes: dict[str, Any]) -> None:
    """Give a network its classes, calibration, threshold and bounds, or its indicators.

    Raises
    ------
    ValueError
        If what is noted does not fit the network.
    """
    try:
        if notes.get("task") == INDICATORS:
            net.model.targets = Indicators(net.sizes[-1])
        _take_classes(net, *notes.get("classes", ()))
        _take_chosen(net, dict(notes.get("chosen", {})))
    except (KeyError, OverflowError, TypeError, ValueError):
        raise _unreadable() from None


def _take_classes(net: Network, classes: list[Any] | None = None) -> None:
    if classes and [*map(repr, classes)] != [*map(repr, range(len(classes)))]:  # True is 1
        net.classes = tuple(classes)


def _take_chosen(net: Network, chosen: dict[str, Any]) -> None:
    if not chosen:
        return
    targets = net.model.targets
    if isinstance(targets, Units):
        low, high = (np.array(chosen[name], np.float64) for name in ("low", "high"))
        if low.shape != high.shape or low.shape != net.sizes[-1:] or not (low <= high).all():
            raise ValueError("bounds")
        net.model.targets = dataclasses.replace(targets, low=low, high=high)
        return
    taken = taken_choices(chosen)
    made, threshold = taken["calibration"], taken["threshold"]
    if not isinstance(targets, Classes) or chosen:
        raise ValueError("choices")
    fits = True
    if made is not None:
        shares = 0.0 <= made.smoothing < 1.0 and 0.0 <= made.label_smoothing < 1.0
        fits = shares and 0.0 < made.temperature < np.inf
    if threshold is not None:
        fits = fits and targets.n_classes == 2 and 0.0 <= threshold <= 1.0
    if not fits:
        raise ValueError("choices")
    net.model.targets = dataclasses.replace(targets, **taken)


def _unreadable() -> ValueError:
    return ValueError(
        "what the ONNX model notes of itself as clearprop's must fit its network, it does not: write "
        "it again with to_onnx(), or clear its metadata_props"
    )
