"""Loading: what a file holds, a network or an ensemble."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from clearprop.activations import Activation
from clearprop.costs import Cost
from clearprop.model import ensemble
from clearprop.network import Network, as_path

if TYPE_CHECKING:
    from clearprop.estimators.ensemble import Ensemble


def load(path: str | os.PathLike[str], custom: Iterable[Activation | Cost] = ()) -> Network | Ensemble:
    """Return the network in a model file or checkpoint; nothing in the file is ever executed.

    A checkpoint gives the network as it was at its step, also where the training has seen a better one.
    The file of an ensemble, which `clearprop tune` makes, gives the ensemble of its estimators.

    Parameters
    ----------
    path : path
    custom : iterable of Activation and Cost
        Your own, if the network uses any; they are found by their names.

    Returns
    -------
    Network or Ensemble

    Raises
    ------
    CheckpointError (a ValueError)
        If the file is damaged, or not a network of this library.
    OSError
        If it cannot be read.
    """
    where = as_path(path)
    found = ensemble.read(where, custom)
    if found.weights is None:
        return Network.of(found.members[0].model)
    from clearprop.estimators.ensemble import Ensemble  # with scikit-learn

    return Ensemble.of(where, found, custom)
