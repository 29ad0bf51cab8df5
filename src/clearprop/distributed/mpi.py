"""The communicator over MPI, and how a process finds out that it is one of several.

What a user gives is a communicator of mpi4py, or the word "mpi" for all processes that `mpiexec` has
started. Work, hearts and ends have duplicates of it, so that what one thread sends is never taken for
what another waits for.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from clearprop.distributed.communicator import Bytes

Array = NDArray[Any]
# What launchers tell a process of how many there are, and which it is.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMIX_SIZE")
_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMIX_RANK")
_OF_MPICH = ("MPICH", "Cray MPICH", "Intel MPI", "MVAPICH")  # in mpi4py's words
# Seconds of looking again and again, more for each byte that looking moves, then between two looks.
_SPIN, _SPIN_BYTE, _NAP = 5e-3, 2e-8, 2e-4


def launched() -> tuple[int, int]:
    """Return (rank, size) as the launcher tells them in the environment; (0, 0) without a launcher."""
    rank, size = (
        next((int(os.environ[each]) for each in names if os.environ.get(each, "").isdecimal()), -1)
        for names in (_RANKS, _SIZES)
    )
    if rank < 0:
        return 0, 0
    return rank, max(size, 1)


def world() -> Any:
    """Return the communicator of all processes.

    Raises
    ------
    ImportError
        If mpi4py or an MPI is not installed.
    ValueError
        If the launcher belongs to another MPI than mpi4py has found.
    """
    mpi, (_, told) = _mpi4py(), launched()
    if not mpi.Is_initialized():
        # MPICH ends a process that Open MPI has started, with words of its own.
        if told > 1 and "OMPI_COMM_WORLD_SIZE" in os.environ and mpi.get_vendor()[0] in _OF_MPICH:
            raise _of_two_kinds(mpi, told)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "suspicious MPI")  # it is said below
            mpi.Init_thread()
    if told > 1 and mpi.COMM_WORLD.size == 1:
        raise _of_two_kinds(mpi, told)
    return mpi.COMM_WORLD


def _of_two_kinds(mpi: Any, told: int) -> ValueError:
    library = mpi.Get_library_version().split("\n")[0].strip("\x00 ")
    return ValueError(
        f"mpiexec has started {told} processes, but mpi4py knows of one: they belong to different "
        f"MPIs (mpi4py has found {library}); use the mpiexec that lies beside it"
    )


def _mpi4py() -> Any:
    """Return mpi4py's module; where nobody has imported it yet, MPI has not begun."""
    try:
        from mpi4py import rc

        before = rc.initialize, rc.finalize
        rc.initialize, rc.finalize = False, True  # at the end of the process
        try:
            from mpi4py import MPI
        finally:
            rc.initialize, rc.finalize = before
    except (ImportError, RuntimeError) as problem:  # the latter where there is no MPI library
        raise ImportError(
            "training by several processes needs MPI: pip install 'clearprop[mpi]' "
            f"({str(problem).splitlines()[0]})"
        ) from None
    return MPI


def communicator_of(given: object) -> Mpi:
    """Return the communicator for what a user gave: "mpi", or one of mpi4py.

    Raises
    ------
    TypeError, ValueError, ImportError
    """
    if isinstance(given, str):
        if given != "mpi":
            raise ValueError(f"communicator must be 'mpi' or a communicator of mpi4py, got {given!r}")
        if launched() == (0, 0):
            raise ValueError(
                "communicator='mpi' needs processes that mpiexec has started (mpiexec -n 4 python "
                "program.py), got one without it; leave communicator out to train in this process"
            )
        return Mpi(world())
    if not all(hasattr(given, name) for name in ("Dup", "Alltoallv", "Ibarrier")):
        raise TypeError(f"communicator must be 'mpi' or a communicator of mpi4py, got {given!r}")
    return Mpi(given)


class Mpi:
    """Processes that exchange messages through MPI.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
    """

    def __init__(self, comm: Any) -> None:
        self._mpi = _mpi4py()
        self._comm, self._hearts, self._ends = comm.Dup(), comm.Dup(), comm.Dup()
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.can_watch = self._mpi.Query_thread() == self._mpi.THREAD_MULTIPLE
        self._on_their_way: dict[int, Any] = {}

    def everywhere(self, mine: Bytes, sizes: Sequence[int] | None = None) -> list[Bytes]:
        """As in `Communicator`."""
        if sizes is None:
            lengths = np.empty(self.size, np.int64)
            self._wait(self._comm.Iallgather(np.array([mine.size], np.int64), lengths))
            sizes = lengths.tolist()
        received = np.empty(sum(sizes), np.uint8)
        request = self._comm.Iallgatherv(mine, [received, list(sizes), self._mpi.BYTE])
        self._wait(request, received.size)
        return np.split(received, np.cumsum(sizes)[:-1])

    def across(self, mine: Sequence[Bytes], sizes: Sequence[int]) -> list[Bytes]:
        """As in `Communicator`."""
        sent, received = np.concatenate(mine), np.empty(sum(sizes), np.uint8)
        byte, out = self._mpi.BYTE, [each.size for each in mine]
        arrays = [sent, out, byte], [received, list(sizes), byte]
        self._wait(self._comm.Ialltoallv(*arrays), sent.size)
        return np.split(received, np.cumsum(sizes)[:-1])

    def total(self, mine: Array) -> Array:
        """As in `Communicator`."""
        out = np.empty_like(mine)
        self._wait(self._comm.Iallreduce(mine, out), out.nbytes)
        return out

    def _wait(self, request: Any, n_bytes: int = 0) -> None:
        """Wait without keeping a core from others: processes may be more than cores.

        MPI's own waiting would also keep signals from Python until it ends.
        """
        patience = time.monotonic() + _SPIN + _SPIN_BYTE * n_bytes
        while not request.Test():
            if time.monotonic() > patience:
                time.sleep(_NAP)
            else:
                os.sched_yield()

    def settled(self, seconds: float) -> bool:
        """As in `Communicator`."""
        request, deadline = self._ends.Ibarrier(), time.monotonic() + seconds
        while not request.Test():
            if time.monotonic() > deadline:
                return False
            time.sleep(_NAP)
        return True

    def tell(self, rank: int, message: bytes, must: bool = False) -> None:
        """As in `Communicator`."""
        before = self._on_their_way.get(rank)
        if before is not None and not before.Test() and not must:
            return
        buffer = np.frombuffer(message, np.uint8)
        self._on_their_way[rank] = self._hearts.Isend([buffer, self._mpi.BYTE], rank)

    def told(self) -> list[tuple[int, bytes]]:
        """As in `Communicator`."""
        found, status = [], self._mpi.Status()
        while self._hearts.Iprobe(status=status):
            source, message = status.Get_source(), bytearray(status.Get_count(self._mpi.BYTE))
            self._hearts.Recv([message, self._mpi.BYTE], source)
            found.append((source, bytes(message)))
        return found

    def abort(self, code: int) -> NoReturn:
        """As in `Communicator`."""
        self._comm.Abort(code)
        os._exit(code)  # where an MPI comes back

    def end_within(self, seconds: float) -> None:
        """As in `Communicator`; the launcher ends the others then."""
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            signal.signal(
                signal.SIGALRM, signal.SIG_DFL
            )  # which ends the process, whatever it waits for
            signal.setitimer(signal.ITIMER_REAL, seconds)
