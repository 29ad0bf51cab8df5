"""Parametric activations: every neuron learns how much of its function it takes (RealMLP).

With a share s of each neuron, 1 at first, which is f itself; 0 is the identity:

    a = z + s (f(z) - z)

Backwards, from each sample's ``error = dC/da``:

    delta = error * (1 + s (f'(z) - 1))               as BP1 and BP2
    dC/ds = the sum of error * (f(z) - z)             BP3: s is a bias that meets the slope f(z) - z

of Holzmueller, Grinsztajn and Steinwart (2024). A layer has one by its name, "parametric_mish"; its
shares are the block of kind "shares" in the flat vector.
"""

from __future__ import annotations

from dataclasses import replace

from clearprop import rarer_activations  # noqa: F401 - its rows
from clearprop.activations import ACTIVATIONS, PARAMETRIC, Activation, Array

PREFIX = "parametric_"


# One for each activation of single neurons, but the identity.
for each in ACTIVATIONS.values():
    if each.elementwise and each.name != "identity":
        PARAMETRIC[PREFIX + each.name] = replace(each, name=PREFIX + each.name, plain=each)


def find(name: str) -> Activation | None:
    """Return the built-in activation of that name, parametric or not, if there is one."""
    return PARAMETRIC.get(name, ACTIVATIONS.get(name))


def is_parametric(name: object) -> bool:
    """Return whether a name is that of one of these."""
    return isinstance(name, str) and name in PARAMETRIC


def with_share(function: Activation, share: Array | None) -> Activation:
    """Return an activation with the shares of its neurons, shape (n_out,); another one as it is."""
    plain = function.plain
    if plain is None or share is None:
        return function
    return Activation(
        function.name,
        lambda z: z + share * (plain(z) - z),
        lambda z: 1.0 + share * (plain.slope(z) - 1.0),
        plain.kinks,
        plain.smooth,
        plain=plain,
        built_in=True,
    )


def share_delta(function: Activation, z: Array, error: Array) -> Array | None:
    """Return dC/ds of each sample, shape (n_samples, n_out); None where there are no shares."""
    return None if function.plain is None else error * (function.plain(z) - z)
