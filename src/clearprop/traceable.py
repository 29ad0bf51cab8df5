"""What those need of a network who show or judge it: they stand below `Network`, which calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from numpy.typing import ArrayLike

from clearprop.activations import Array
from clearprop.architecture import Architecture, Layer
from clearprop.typing import Label

if TYPE_CHECKING:
    from clearprop.optimizers import Optimizer
    from clearprop.trace import Trace


class Traceable(Protocol):
    """Has parameters and makes traces, as `clearprop.Network`, where the members are explained."""

    @property
    def architecture(self) -> Architecture: ...
    @property
    def layers(self) -> tuple[Layer, ...]: ...
    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def parameters(self) -> Array: ...
    @property
    def weights(self) -> tuple[Array, ...]: ...
    @property
    def biases(self) -> tuple[Array | None, ...]: ...
    @property
    def feature_names(self) -> tuple[str, ...] | None: ...
    @property
    def classes(self) -> tuple[Label, ...] | None: ...
    @property
    def training_seed(self) -> int: ...
    @property
    def steps_trained(self) -> int: ...
    def inputs(self, X: ArrayLike, argument: str = "X") -> Array: ...
    def targets(self, Y: ArrayLike, argument: str = "Y") -> Array: ...
    def copy(self, dtype: str | None = None) -> Traceable: ...
    def trace(self, X: ArrayLike, Y: ArrayLike, optimizer: str | Optimizer | None = None) -> Trace: ...


def refuse_members(what: str, parameters: Array) -> None:
    """Refuse what only a single network has.

    Parameters
    ----------
    what : str
        The subject of the sentence.
    parameters : ndarray
        The network's.

    Raises
    ------
    ValueError
        If they are those of members.
    """
    if parameters.ndim == 2:
        n = len(parameters)
        raise ValueError(f"{what} needs one network, got {n} members; ask net.members[0], say")
