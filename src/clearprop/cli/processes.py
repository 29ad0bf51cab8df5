"""A command by several processes: which of them speaks, and what happens where one of them fails.

In: the command line, and what `mpiexec` has put into the environment. Out: the team of processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TextIO

from clearprop import __version__
from clearprop.cli import errors
from clearprop.data.spool import Spool
from clearprop.distributed.defaults import SHARDS, STALL_TIMEOUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from clearprop.cli.options import Options
    from clearprop.data.table import TableSource
    from clearprop.data.table.passes import Pass
    from clearprop.distributed.team import Team

SEVERAL = ("train", "predict")  # the commands that run by several processes

_team: list[Team] = []


def begin(arguments: Sequence[str]) -> None:
    """Find the processes that mpiexec has started, if it has; of them only the first prints.

    Parameters
    ----------
    arguments : sequence of str
        Of the program; the first one is the command.

    Raises
    ------
    ValueError, ImportError
        If the command is for one process, or they cannot find each other.
    """
    from clearprop.distributed import mpi

    command, (rank, size) = arguments[0], mpi.launched()
    if size == 0:
        return
    heard = sys.stderr
    if rank > 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the process
    if command in SEVERAL:
        from clearprop.distributed import agreement, teams

        made = teams.team_of("mpi", _stall_timeout(arguments))
        made.holds_all, made.sentence, made.code_of = True, errors.sentence, errors.exit_code
        made.heart.say = functools.partial(_say_on, heard)  # of the first process another says it
        _team.append(made)
        agreement.compare(made, {"command": command, "version of clearprop": __version__})
    elif size > 1 and not command.startswith("-"):
        raise ValueError(
            f"{command} runs in one process, mpiexec has started {size}: start it without mpiexec"
        )


def _stall_timeout(arguments: Sequence[str]) -> float:
    """Return --stall-timeout, which holds from the beginning: before the command reads its options."""
    seconds = STALL_TIMEOUT
    for each, following in itertools.pairwise([*arguments, ""]):
        name, _, value = each.partition("=")
        if name == "--stall-timeout":
            with contextlib.suppress(ValueError):  # it is refused later, as are those out of bounds
                seconds = float(value or following)
    return seconds if 1 <= seconds < math.inf else STALL_TIMEOUT


def _say_on(stream: TextIO, sentence: str) -> None:
    with contextlib.redirect_stderr(stream):
        errors.say(sentence)


def team() -> Team | None:
    """Return the processes that run this command; None where mpiexec has not started it."""
    return _team[0] if _team else None


def checked(options: Options) -> Options:
    """Return the options, those for several processes checked and taken. Collective.

    Raises
    ------
    ValueError
    """
    compare_arguments({k: v for k, v in vars(options).items() if k != "threads"})
    take_stall_timeout(options.stall_timeout, "train")
    if options.fast_sum and not _team:
        raise ValueError("--fast-sum is for several processes: mpiexec -n 4 clearprop train ...")
    if options.fast_sum and not _is_joined(options):
        errors.say(
            "--fast-sum: MPI adds the gradients, the bits are those of this number of processes only"
        )
    if _team and options.shards is None and not _is_joined(options):
        return dataclasses.replace(options, shards=SHARDS)
    return options


def take_stall_timeout(seconds: float | None, command: str) -> None:
    """Take --stall-timeout where it is given, which a file of --config may do, too.

    Raises
    ------
    ValueError
    """
    if seconds is None:
        return
    if not _team:
        raise ValueError(
            f"--stall-timeout is for several processes: mpiexec -n 4 clearprop {command} ..."
        )
    if not 1 <= seconds < math.inf:
        raise ValueError(f"--stall-timeout must be a finite number of at least 1, got {seconds:g}")
    _team[0].timeout = seconds


def sharing_problems() -> AbstractContextManager[None]:
    """Let what one process raises be raised by all. Collective."""
    return _team[0].sharing_problems() if _team else contextlib.nullcontext()


def compare_arguments(given: Mapping[str, Any]) -> None:
    """Refuse processes of other arguments. Collective."""
    if _team:
        from clearprop.distributed import agreement

        agreement.compare(_team[0], agreement.arguments(given))


def compare_content(name: str, array: NDArray[Any]) -> None:
    """Refuse processes that have read other numbers, which have a name. Collective."""
    if _team:
        from clearprop.distributed import agreement

        agreement.compare(_team[0], {f"shape of {name}": list(array.shape)})
        agreement.compare(_team[0], {f"content of {name}": agreement.digest(array)})


def opened(what: str | list[str], read: Callable[[], TableSource]) -> TableSource:
    """Return a table that each process opens; refuse one that is not the same for all. Collective.

    Parameters
    ----------
    what : str or list of str
        The table's name.
    read : callable
        Opens it.
    """
    if not _team or _team[0].size == 1:
        return read()
    from clearprop.data.table import fingerprint
    from clearprop.distributed import agreement

    with sharing_problems():
        table = read()
        known = fingerprint.facts_of(what, table.stored)
    for facts in known:
        agreement.compare(_team[0], facts)
    return table


def is_first() -> bool:
    """Return whether this is the process that writes and prints."""
    return not _team or _team[0].is_first


def described(processor: str) -> str:
    """Return a line on the processes and the code that all of them run; "" where one trains alone.

    Parameters
    ----------
    processor : str
        The mark that `agreement.one_processor` has returned, "" where no code is built.
    """
    if not _team or _team[0].size == 1:
        return ""
    n, name = len(set(_team[0].hosts)), processor.rpartition(" ")[0]
    code = f"; code for {name}, which all have" if name else ""
    return f"{_team[0].size} processes on {n} host{'s' if n > 1 else ''}{code}"


def settle(problem: BaseException) -> None:
    """End all processes where a problem is not that of all of them: what this one says is said."""
    if _team and not isinstance(problem, SystemExit):
        _team[0].settle(problem)


def end() -> None:
    """Part from the others."""
    if _team:
        _team[0].close()


def shared_pass(options: Options) -> Pass:
    """Return how processes learn columns of a table for each other."""
    if len(_team) == 0 or _team[0].size == 1 or _is_joined(options):
        from clearprop.data.table.passes import Alone

        return Alone()
    from clearprop.distributed.columns import SharedPass

    return SharedPass(_team[0])


def spool_of(options: Options) -> Callable[..., Spool]:
    """Return what encoded rows are kept in: by several processes, of each its shards, on all disks."""
    if len(_team) == 0 or _team[0].size == 1 or _is_joined(options):
        return Spool
    from clearprop.distributed.spool import SharedSpool

    return functools.partial(SharedSpool, _team[0], options.shards or SHARDS)


def _is_joined(options: Options) -> bool:
    """Return whether JAX trains on the devices of all processes, each of which has all rows then."""
    from clearprop.engines import JOINED

    return options.engine == JOINED
