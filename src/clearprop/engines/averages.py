"""What the members of a network say together: the mean of their outputs.

Probabilities are averaged, not what they are made of. The cost of an average is wanted to the precision
of any other, and many costs are computed from z (`costs`), so there is also the z whose output the mean
is: of softmax outputs ``ln mean_k softmax(z_k)``, computed from logarithms, which neither overflow nor
underflow.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from clearprop.activations import Array, softplus
from clearprop.architecture import Architecture


@np.errstate(all="ignore")
def of_members(architecture: Architecture, a: Array, z: Array) -> tuple[Array, Array]:
    """Return the members' mean output and the z that it is of, each of shape (n_samples, n_outputs).

    Parameters
    ----------
    architecture : Architecture
        Where its output is none of those in the table below, neither its cost nor an estimator asks for
        z, which is the mean of z then.
    a, z : ndarray of shape (n_members, n_samples, n_outputs)
        Activations and weighted inputs of the last layer. Their means are accumulated in float64.
    """
    wide = z.astype(np.float64)
    if groups := architecture.cost.groups:  # a softmax each, which is the cost's: the outputs are z
        edges = np.cumsum([0, *groups])
        parts = [_of_softmax(wide[..., first:last]) for first, last in pairwise(edges)]
        joined = np.concatenate(parts, axis=-1).astype(z.dtype)
        return joined, joined
    found = _MEANS.get(architecture.output.name, _of_identity)(wide)
    return a.mean(axis=0, dtype=np.float64).astype(a.dtype), found.astype(z.dtype)


def _log_mean_exp(logarithms: Array) -> Array:
    found: Array = np.logaddexp.reduce(logarithms, axis=0) - np.log(len(logarithms))
    return found


def _of_softmax(z: Array) -> Array:
    return _log_mean_exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True))


def _of_sigmoid(z: Array) -> Array:
    """Return ``ln p - ln (1 - p)`` of the mean p, for ``ln sigmoid(z) = -softplus(-z)``."""
    return _log_mean_exp(-softplus(-z)) - _log_mean_exp(-softplus(z))


def _of_softplus(z: Array) -> Array:
    """Return ``ln(e^a - 1)`` of the mean a, in which no e^a overflows."""
    a: Array = softplus(z).mean(axis=0)
    found: Array = a + np.log(-np.expm1(-a))
    return found


def _of_identity(z: Array) -> Array:
    mean: Array = z.mean(axis=0)
    return mean


_MEANS: dict[str, Callable[[Array], Array]] = {
    "softmax": _of_softmax,
    "sigmoid": _of_sigmoid,
    "softplus": _of_softplus,
    "exp": _log_mean_exp,
    "identity": _of_identity,
}
