"""What the metadata of a file of several models must be: each one's own, of one table, and weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from clearprop.checkpoint import description
from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.result_description import result
from clearprop.checkpoint.rules import agree, anything, entries, items, one_of, record, refuse, share

_ENSEMBLE = record(
    {
        "format": one_of(description.FORMAT),
        "ensemble": record(
            {"weights": items(share), "members": items(entries(anything))}, {"result": result}
        ),
    }
)
_OF_ESTIMATOR = ("class", "n_features_in", "classes", "preprocessing", "table", "missing", "target")
_SEVERAL = ("multilabel-indicator", "multiclass-multioutput")
_LEAST_SUM, _LARGEST_SUM = 1.0 - 1e-6, 1.0 + 1e-6  # of weights that are rounded


def start(number: int) -> str:
    """Return how the names of a member's tensors begin."""
    return f"members.{number}."


def check_ensemble(
    metadata: Mapping[str, Any], tensors: description.Tensors
) -> list[tuple[dict[str, NDArray[Any]], dict[str, Any]]]:
    """Return what a file says of each of several models, which can answer as one.

    Returns
    -------
    list of (tensors, metadata)
        As in a file of its own.

    Raises
    ------
    CheckpointError
        Naming the entry, its rule and its value.
    """
    _ENSEMBLE(metadata, "metadata")
    weights, members = (metadata["ensemble"][name] for name in ("weights", "members"))
    agree("ensemble.weights", len(weights), "ensemble.members", len(members))
    if not _LEAST_SUM < sum(weights) < _LARGEST_SUM:
        raise refuse("ensemble.weights", "numbers of sum 1", weights)
    parted: list[dict[str, NDArray[Any]]] = [
        {name.removeprefix(own): each for name, each in tensors.items() if name.startswith(own)}
        for own in map(start, range(len(members)))
    ]
    agree("the tensors", len(tensors), "of ensemble.members", sum(map(len, parted)))
    for number, (member, its) in enumerate(zip(members, parted, strict=True)):
        try:
            description.check(member, its)
            if not description.is_estimator(member["about"]) or "training" in member:
                raise CheckpointError("it is no estimator's network")
            if member["about"]["estimator"]["attributes"].get("_target_kind") in _SEVERAL:
                raise CheckpointError("it has several labels for a row, which are not averaged")
        except CheckpointError as problem:
            raise CheckpointError(f"ensemble.members[{number}]: {problem}") from None
        for name, value in _shared(member).items():
            if value != _shared(members[0])[name]:
                raise CheckpointError(
                    f"{name} of ensemble.members[{number}] must be that of all: members of a file have "
                    "learned from the same rows"
                )
    return list(zip(parted, members, strict=True))


def _shared(member: Mapping[str, Any]) -> dict[str, Any]:
    """Return what models that answer as one have in common: what goes in, and what comes out."""
    made, about = member["architecture"], member["about"]
    return {
        **{name: about["estimator"].get(name) for name in _OF_ESTIMATOR},
        "table of a file": about.get("table"),
        "dtype": member["dtype"],
        "inputs": made["sizes"][0],
        "outputs": (made["sizes"][-1], made["layers"][-1]["activation"]),
        "cost": made["cost"],
    }
