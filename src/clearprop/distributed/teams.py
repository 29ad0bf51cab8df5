"""The teams of this process: a communicator has one, for as many trainings as it is given to."""

from __future__ import annotations

import atexit
from typing import Any

from clearprop.distributed.team import Team

_TEAMS: dict[Any, Team] = {}


def team_of(given: object, timeout: float) -> Team:
    """Return the team of a communicator: of this process alone for None.

    Parameters
    ----------
    given : {"mpi"}, mpi4py.MPI.Intracomm, Team or None
    timeout : float
        Seconds in which a stall must have ended all processes.

    Raises
    ------
    ValueError, TypeError, ImportError
    """
    if isinstance(given, Team):
        return given
    if given is None:
        return Team()
    key = given if isinstance(given, str) else getattr(given, "handle", None)
    if key not in _TEAMS:
        from clearprop.distributed import mpi

        made = mpi.communicator_of(given)
        _TEAMS[key] = Team(made, timeout)
        if made.size > 1 and not made.can_watch:
            _warn_of_threads()
        atexit.register(_TEAMS[key].close)  # before MPI ends, which mpi4py sees to at the very end
    team = _TEAMS[key]
    team.timeout = timeout
    return team


def _warn_of_threads() -> None:
    from clearprop.user_warning import warn

    warn(
        "this MPI allows one thread a process to use it (MPI_THREAD_MULTIPLE is missing): a process "
        "that stops is not noticed"
    )
