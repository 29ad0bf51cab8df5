"""What processes that train together must be able to do: a narrow protocol, and one process alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Bytes = NDArray[np.uint8]


class Communicator(Protocol):
    """Some processes, of which this is one; what is collective, each must call in the same order."""

    rank: int
    size: int
    can_watch: bool  # whether a second thread may send and receive

    def everywhere(self, mine: Bytes, sizes: Sequence[int] | None = None) -> list[Bytes]:
        """Return what each process gives, by rank; where the sizes are known it takes one message less.

        Collective.
        """
        ...

    def across(self, mine: Sequence[Bytes], sizes: Sequence[int]) -> list[Bytes]:
        """Send the r-th array to rank r; return what each rank has sent here, of those sizes.

        Collective.
        """
        ...

    def total(self, mine: Array) -> Array:
        """Return the sum over all processes, in whatever order is fastest. Collective."""
        ...

    def settled(self, seconds: float) -> bool:
        """Return whether all processes have come to this call, waiting for so long.

        It has a channel of its own: others may be inside another collective call meanwhile.
        """
        ...

    def tell(self, rank: int, message: bytes, must: bool = False) -> None:
        """Send a few bytes to a rank without waiting; unless it must be, not behind one on its way."""
        ...

    def told(self) -> list[tuple[int, bytes]]:
        """Return what has come from others by `tell`, and from whom, without waiting."""
        ...

    def abort(self, code: int) -> NoReturn:
        """End all processes."""
        ...

    def end_within(self, seconds: float) -> None:
        """Have this process end in so many seconds: MPI's own end waits for all, unwatched."""
        ...


class Alone:
    """One process."""

    rank, size, can_watch = 0, 1, False

    def everywhere(self, mine: Bytes, sizes: Sequence[int] | None = None) -> list[Bytes]:
        """As in `Communicator`."""
        return [mine]

    def across(self, mine: Sequence[Bytes], sizes: Sequence[int]) -> list[Bytes]:
        """As in `Communicator`."""
        return list(mine)

    def total(self, mine: Array) -> Array:
        """As in `Communicator`."""
        return mine

    def settled(self, seconds: float) -> bool:
        """As in `Communicator`."""
        return True

    def tell(self, rank: int, message: bytes, must: bool = False) -> None:
        """As in `Communicator`: there is nobody."""

    def told(self) -> list[tuple[int, bytes]]:
        """As in `Communicator`."""
        return []

    def abort(self, code: int) -> NoReturn:
        """As in `Communicator`."""
        sys.exit(code)

    def end_within(self, seconds: float) -> None:
        """As in `Communicator`: there is nobody to wait for."""
