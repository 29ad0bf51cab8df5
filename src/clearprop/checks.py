"""What layers, outputs and targets must be: each refused with one sentence."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence

import numpy as np

from clearprop.activations import Activation, Array
from clearprop.costs import ANY, DISTRIBUTION, NOT_NEGATIVE, Cost

LARGEST_NETWORK = 2**31  # parameters; a mistyped size is far likelier than a larger network


def check_one_for_each(size: int, given: str | Activation | Sequence[str | Activation]) -> None:
    """Refuse activations for single neurons that are not as many as a layer has."""
    each = given.parts if isinstance(given, Activation) else () if isinstance(given, str) else given
    if isinstance(each, Sequence) and len(each) != size and (each or each is given):
        raise ValueError(f"a layer of {size} neurons needs {size} activations, got {len(each)}")


def check_layers(functions: Sequence[Activation], n_outputs: int) -> None:
    """Refuse activations that do not stand where they can, or too many layers."""
    *hidden, output = functions
    for number, function in enumerate(hidden, start=1):
        if not function.elementwise:
            raise ValueError(f"activation {function} is for the output layer, got it in layer {number}")
    if output.plain:
        raise ValueError(f"activation {output} is for hidden layers, got it in the output layer")
    if not output.elementwise and n_outputs == 1:
        raise ValueError(
            f"{output} needs at least 2 outputs, got 1 (a single {output} output is always 1); use "
            "output='sigmoid' for two classes, or 'identity' for regression"
        )
    if len(functions) > 4096:
        raise ValueError(  # the keys of the random numbers have 12 bits for the layer
            f"a network must have at most 4096 weight layers, got {len(functions):,}"
        )


def check_n_parameters(n_parameters: int, sizes: tuple[int, ...]) -> None:
    """Refuse a network larger than any would be meant, with the bytes it would need."""
    if n_parameters > LARGEST_NETWORK:
        raise ValueError(
            f"a network must have at most 2**31 parameters, got {n_parameters:,} for sizes "
            f"{sizes}, which would take {4 * n_parameters / 1e9:,.1f} GB in float32"
        )


def check_memory(n_bytes: int, n_members: int, n_parameters: int, what: str) -> None:
    """Refuse members that are more than there is memory for, before any of it is taken.

    Parameters
    ----------
    n_bytes : int
        That `what` of all members takes.
    n_members, n_parameters : int
        Parameters of each.
    what : str
        As in a sentence.
    """
    there = _memory()
    if n_bytes > there:
        raise ValueError(
            f"members must fit in memory, got {n_members:,} of {n_parameters:,} parameters: {what} "
            f"would take {n_bytes / 1e9:,.1f} GB of {there / 1e9:,.1f} GB; fewer members fit"
        )


def _memory() -> float:
    """Return the bytes of memory that this process may have: the machine's, or a limit below it."""
    found = [math.inf]
    with contextlib.suppress(ValueError, OSError, AttributeError):  # not on every system
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(ValueError, OSError), open("/sys/fs/cgroup/memory.max") as file:
        found.append(int(file.read()))  # of a container
    with contextlib.suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        found.append(math.inf if limit == resource.RLIM_INFINITY else limit)
    return min(found)


def check_outputs(cost: Cost, output: Activation, n_outputs: int) -> None:
    """Refuse an output layer for which a cost is not defined.

    Raises
    ------
    ValueError
        If the output activation, or the number of outputs, does not go with the cost.
    """
    if cost.only_canonical and not cost.form(output):
        raise ValueError(
            f"cost {cost.name} needs outputs through {' or '.join(cost.canonical)}, got {output.name}"
        )
    if cost.groups and sum(cost.groups) != n_outputs:
        raise ValueError(f"groups must be of all {n_outputs} outputs together, got {list(cost.groups)}")
    if cost.one_output and n_outputs != 1:
        raise ValueError(f"cost {cost.name} needs one output, got {n_outputs}")


def check_targets(cost: Cost, output: Activation, y: Array, argument: str = "Y") -> None:
    """Refuse targets for which a cost is not defined.

    Raises
    ------
    ValueError
        Naming the first row that breaks the rule (X33: soft targets must sum to 1).
    """
    form = cost.form(output)
    rule = form.targets if form else cost.targets
    if rule == ANY:
        return
    wrong = (y < 0) if rule == NOT_NEGATIVE else (y < 0) | (y > 1)
    rows = wrong.any(axis=1)
    if rule == DISTRIBUTION:
        rows |= np.abs(y.sum(axis=1, dtype=np.float64) - 1.0) > 1e-4
    if rows.any():
        row = int(np.argmax(rows))
        raise ValueError(
            f"{argument} must be {rule} for cost {cost.name} with {output.name} outputs, "
            f"got {y[row].tolist()} in row {row}"
        )
