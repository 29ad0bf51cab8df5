"""The devices of all processes, joined by JAX: MPI is how they find each other, and how they end.

JAX sums gradients itself. Its own service would end a process whose neighbours are gone, in words that
do not say which; a team's heart says it, and does so earlier.
"""

from __future__ import annotations

import math
import socket
from typing import Any

from clearprop import engines
from clearprop.distributed.faults import WAITING
from clearprop.distributed.team import Team
from clearprop.engines.interface import Engine, Plan, Report, State

_LATER = 2.0  # timeouts after which JAX's own service ends what is left
_HERE = "127.0.0.1"


def join(team: Team, engine: str) -> None:
    """Have JAX know the devices of all processes. Collective, and before JAX computes anything.

    A process that has a host for itself brings all devices of it; of several on one host each brings
    the one of its number.

    Raises
    ------
    ValueError
        If JAX has begun without the other processes, or a process has no device to bring.
    ImportError
        If JAX is not installed.
    """
    with team.sharing_problems():
        hosts = engines.jax_hosts(engine)
        if hosts.is_joined(team.size):
            return
    alone = len(set(team.hosts)) == 1
    address = f"{_HERE if alone else team.hosts[0]}:{team.as_first(_free_port())}"
    neighbours = [rank for rank, host in enumerate(team.hosts) if host == team.hosts[team.rank]]
    device = neighbours.index(team.rank) if len(neighbours) > 1 else None
    with team.sharing_problems():
        hosts.join(address, team.size, team.rank, device, math.ceil(_LATER * team.timeout))
    with team.sharing_problems():
        hosts.check_devices(engine)
    hosts.greet()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


class Watched:
    """An engine whose steps all processes make together, which a heart is told of.

    Parameters
    ----------
    engine : Engine
    team : Team
    """

    def __init__(self, engine: Engine, team: Team) -> None:
        self._engine, self._team, self.name = engine, team, engine.name

    def supports(self, plan: Plan) -> str | None:
        """As in `Engine`."""
        return self._engine.supports(plan)

    def run(self, plan: Plan, state: State, *rest: Any, **more: Any) -> Report:
        """As in `Engine`."""
        with self._team.heart.doing(WAITING):
            report = self._engine.run(plan, state, *rest, **more)
        self._team.heart.step = state.step
        return report
