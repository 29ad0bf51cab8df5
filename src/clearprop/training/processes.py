"""Where a training is made: in this process as a whole, or on shards, by one process or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop import engines
from clearprop.activations import Array
from clearprop.distributed import agreement, joining, teams
from clearprop.distributed.engine import ShardedEngine, Sums
from clearprop.distributed.shards import Dealing, Holding
from clearprop.distributed.team import Lead, Team
from clearprop.engines import Data, Engine, Plan, cpu
from clearprop.engines.interface import row_blocks
from clearprop.model.model import Model
from clearprop.training import resume
from clearprop.training.divergence import DivergenceError, first_of
from clearprop.training.settings import Settings
from clearprop.training.sharding import dealt
from clearprop.training.supply import Supply

if TYPE_CHECKING:
    from clearprop.training.loop import Loop


class OneProcess:
    """A training whose batches are not cut: nothing is to be agreed on."""

    is_first = True  # the one that writes and shows
    processor = ""  # that code is built for, where it was agreed on

    def begin(self, model: Model) -> None:
        """Let all begin from the same parameters and seeds."""

    def dealt(self, supply: Supply) -> Supply:
        """Return the rows that this process trains on."""
        return supply

    def engine(self, name: str, plan: Plan) -> Engine:
        """Return what trains."""
        return engines.select(name, plan)

    def checkpoint(self, training: Loop) -> resume.CheckpointFile:
        """Return where a training is written to."""
        return resume.CheckpointFile(training)

    def note_checkpoint(self) -> None:
        """Let others know that there is a checkpoint."""

    def compare(self, training: Loop) -> None:
        """Refuse processes that do not have the same training."""

    def together(self) -> AbstractContextManager[None]:
        """Let an error of one process end all."""
        return nullcontext()

    def sharing_problems(self) -> AbstractContextManager[None]:
        """Let what one process raises be raised by all."""
        return nullcontext()

    def doing(self, what: str) -> AbstractContextManager[None]:
        """Let others know what this process is busy with."""
        return nullcontext()

    def steps(self, wanted: int) -> int:
        """Return how many steps all make next."""
        return wanted

    def of_first(self, seconds: list[float]) -> list[float]:
        """Return times that all reckon with: those that the first process has measured."""
        return seconds

    def ended(self, why: str) -> str:
        """Return why all end, or "" where they go on."""
        return why

    def led(self, lead: Lead, calls: Mapping[str, Callable[..., Any]]) -> str:
        """Let the first process lead: what it asks for by a name, an array and a number, all do.

        Returns in all of them what `lead` returns.
        """
        return lead(lambda name, array, number=0.0: calls[name](array, number))

    def summed(self, engine: Engine, n_rows: int, sums: Sums) -> tuple[float, Array]:
        """Return a cost and a gradient of all rows, of what `sums` finds of a stretch of them."""
        return sums(0, n_rows)

    def diverged(self, problem: DivergenceError) -> DivergenceError:
        """Return the error that all raise."""
        return problem

    def evaluate(self, plan: Plan, parameters: Array, data: Data, engine: str) -> tuple[Array, float]:
        """Return outputs and cost, as `engines.evaluate` does."""
        return engines.evaluate(plan.architecture, parameters, data, engine, plan.n_threads)


class Several(OneProcess):
    """A training by a team: all begin alike, and go on and end together.

    Parameters
    ----------
    settings : Settings
    team : Team
    """

    def __init__(self, settings: Settings, team: Team) -> None:
        self.settings, self.team, self.is_first = settings, team, team.is_first

    def begin(self, model: Model) -> None:
        """As in `OneProcess`; seeds that nobody gave are those of rank 0."""
        self.team.heart.has_checkpoint = False
        compare_arguments(self.settings, self.team)
        names = "training_seed", "epochs_trained", "steps_trained"
        found = self.team.as_first([model.seed, *(getattr(model, name) for name in names)])
        model.seed = found.pop(0)
        for name, value in zip(names, found, strict=True):
            setattr(model, name, value)
        agreement.compare(
            self.team,
            {"parameters": list(model.parameters.shape), "dtype": model.parameters.dtype.name},
        )
        agreement.same_arrays(self.team, [model.parameters])

    def checkpoint(self, training: Loop) -> resume.CheckpointFile:
        """As in `OneProcess`; others than the first only read it."""
        make = resume.CheckpointFile if self.is_first else _ReadOnly
        with self.team.sharing_problems():
            return make(training)

    def note_checkpoint(self) -> None:
        """As in `OneProcess`."""
        self.team.heart.has_checkpoint = True

    def compare(self, training: Loop) -> None:
        """As in `OneProcess`."""
        settings, validation = training.settings, training.validation
        if self.team.size == 1:
            return
        supply = training.supply
        with self.sharing_problems():
            known = supply.identity() if settings.shards is None else supply.sampled()
        known = *known, *(validation or ())
        versions = resume.versions(training.engine.name, self.processor)
        agreement.compare(
            self.team,
            {
                "seed": training.plan.seed,
                "engine": training.engine.name,
                "network": repr(training.model.architecture),
                "rows": supply.n_samples,
                "data": agreement.digest(*(each for each in known if each is not None)),
                "parameters": agreement.digest(training.state.parameters, training.state.moments),
                "step": training.state.step,
                **{f"version of {name}": v for name, v in versions.items()},
            },
        )

    def together(self) -> AbstractContextManager[None]:
        """As in `OneProcess`."""
        return self.team.together()

    def sharing_problems(self) -> AbstractContextManager[None]:
        """As in `OneProcess`."""
        return self.team.sharing_problems()

    def doing(self, what: str) -> AbstractContextManager[None]:
        """As in `OneProcess`."""
        return self.team.heart.doing(what)

    def steps(self, wanted: int) -> int:
        """As in `OneProcess`: the clock of rank 0 decides."""
        return int(self.team.as_first(wanted))

    def of_first(self, seconds: list[float]) -> list[float]:
        """As in `OneProcess`."""
        return list(self.team.as_first(seconds))

    def ended(self, why: str) -> str:
        """As in `OneProcess`."""
        return self.team.first_said(why)

    def led(self, lead: Lead, calls: Mapping[str, Callable[..., Any]]) -> str:
        """As in `OneProcess`."""
        return self.team.led(lead, calls)


class Processes(Several):
    """A training on shards."""

    def __init__(self, settings: Settings, team: Team) -> None:
        super().__init__(settings, team)
        assert settings.shards is not None
        self.n_shards = settings.shards
        if team.size > self.n_shards:
            raise ValueError(
                f"there must be at most as many processes as shards, {self.n_shards}, got "
                f"{team.size}; start fewer, or give shards={team.size}"
            )
        self.holding: Holding | None = None

    def dealt(self, supply: Supply) -> Supply:
        """As in `OneProcess`."""
        with self.team.sharing_problems():
            dealing = Dealing(supply.n_samples, self.n_shards)
            self.holding = Holding(dealing, self.team.shards(self.n_shards))
            return dealt(supply, self.holding)

    def engine(self, name: str, plan: Plan) -> Engine:
        """As in `OneProcess`."""
        holding, team, fast_sum = self.holding, self.team, self.settings.fast_sum
        assert holding is not None
        if name != "numpy" and cpu.has_code():
            self.processor = agreement.one_processor(team)
        one = engines.select_one(name, plan)
        if not hasattr(one, "sum_leaves"):
            raise ValueError(
                f"engine {one.name!r} cannot train on shards: 'compiled' can, and without shards "
                f"{engines.JOINED!r} trains on the devices of all processes"
            )
        make = type(one)
        return engines.of_members(
            plan, lambda: ShardedEngine(make, holding, team, fast_sum), one_by_one=True
        )

    def summed(self, engine: Engine, n_rows: int, sums: Sums) -> tuple[float, Array]:
        """As in `OneProcess`: shard by shard, along the tree."""
        assert isinstance(engine, ShardedEngine)
        return engine.summed(sums)

    def diverged(self, problem: DivergenceError) -> DivergenceError:
        """As in `OneProcess`: the first of what all have found in their rows."""
        said = [str(problem), *problem.__reduce__()[1][1:]]
        return first_of([DivergenceError(*each) for each in self.team.tell_all(said)])

    def evaluate(self, plan: Plan, parameters: Array, data: Data, engine: str) -> tuple[Array, float]:
        """As in `OneProcess`; each process does some of the blocks of rows, which are always the same.

        The costs are summed by all in the same way, of all outputs.
        """
        team, architecture = self.team, plan.architecture
        blocks = list(row_blocks(len(data.X)))
        mine = blocks[len(blocks) * team.rank // team.size : len(blocks) * (team.rank + 1) // team.size]
        a = np.empty((0, architecture.sizes[-1]), parameters.dtype)
        outputs, costs = [a], [np.empty(0)]
        for rows in mine:
            a, z = engines.a_and_z(architecture, parameters, data.X[rows], engine, plan.n_threads)
            outputs.append(a)
            found = architecture.cost.of_samples(architecture.output, z, a, data.Y[rows])
            costs.append(found.astype(np.float64))
        every, each = (
            np.concatenate(team.gathered(np.concatenate(arrays))) for arrays in (outputs, costs)
        )
        return every, architecture.cost.reduce(each, data.sample_weight)


class Joined(Several):
    """A training on the devices of all processes, which JAX joins: each has all rows."""

    def __init__(self, settings: Settings, team: Team) -> None:
        super().__init__(settings, team)
        joining.join(team, settings.engine)

    def engine(self, name: str, plan: Plan) -> Engine:
        """As in `OneProcess`."""
        with self.team.sharing_problems():
            return joining.Watched(engines.select(name, plan), self.team)


class Hosts(OneProcess):
    """A training on the devices of several hosts, which JAX has joined: the first process writes.

    All train the same, and agree on the steps of a stretch and on when it ends.
    """

    def __init__(self) -> None:
        from clearprop.engines.jax import hosts  # there it is known that JAX is there

        self._hosts = hosts
        self.is_first = hosts.rank() == 0

    def checkpoint(self, training: Loop) -> resume.CheckpointFile:
        """As in `OneProcess`; others than the first only read it."""
        return (resume.CheckpointFile if self.is_first else _ReadOnly)(training)

    def compare(self, training: Loop) -> None:
        """Refuse processes that would train something else than the first one.

        Raises
        ------
        ValueError
            In all processes, naming one that differs, and in what.
        """
        settings, state = training.settings, training.state
        plan, rows = training.plan, (*training.supply.identity(), *(training.validation or ()))
        described = settings.describe(), settings.epochs, plan.seed, repr(plan.architecture)
        mine = {
            "arguments": agreement.digest(np.frombuffer(repr(described).encode(), np.uint8)),
            "rows": agreement.digest(*(each for each in rows if each is not None)),
            "parameters": agreement.digest(state.parameters, state.moments),
            "step": str(state.step),
        }
        for name, word in mine.items():
            told = self._hosts.words_of_all(word)
            other = next((k for k, each in enumerate(told) if each != told[0]), None)
            if other is not None:
                raise ValueError(
                    f"all processes must train the same, got other {name} in process {other} than in "
                    "process 0: each has all rows and the same arguments, and goes on from one step"
                )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let all leave a run when the first one has written what came of it."""
        yield
        self._hosts.meet("clearprop: the end of a run")

    def steps(self, wanted: int) -> int:
        """As in `OneProcess`: the fewest that a process has the time for."""
        return int(self._hosts.of_all(np.int32(wanted)).min())

    def of_first(self, seconds: list[float]) -> list[float]:
        """As in `OneProcess`."""
        each: list[float] = self._hosts.of_all(np.array(seconds, np.float32))[0].tolist()
        return each

    def ended(self, why: str) -> str:
        """As in `OneProcess`: what has ended one process ends all."""
        return next(filter(None, self._hosts.words_of_all(why)), "")


class _ReadOnly(resume.CheckpointFile):
    """What a process has of a checkpoint that another writes: it has gone on from it."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """As in `CheckpointFile`; the file is another's by now."""
        yield

    def write_if_due(self) -> None:
        """As in `CheckpointFile`."""

    def write(self) -> None:
        """As in `CheckpointFile`."""


def compare_arguments(settings: Settings, team: Team, **more: bool) -> None:
    """Refuse processes of other arguments: what they agree on next depends on these. Collective.

    Parameters
    ----------
    settings : Settings
    team : Team
    **more
        What else was given.

    Raises
    ------
    ValueError
        As in `agreement.compare`.
    """
    names = "epochs", "engine", "resume"
    limited = {"time_limit": settings.time_limit is not None, "seed": settings.seed}
    said = settings.describe() | {name: getattr(settings, name) for name in names}
    agreement.compare(team, {f"argument {k}": v for k, v in (said | limited | more).items()})


def processes_of(settings: Settings) -> OneProcess:
    """Return where a training of some settings is made.

    Raises
    ------
    ValueError, TypeError, ImportError
        If the communicator is none.
    """
    team = teams.team_of(settings.communicator, settings.stall_timeout)
    if settings.shards is not None:
        return Processes(settings, team)
    if team.size > 1:
        return Joined(settings, team)
    return Hosts() if engines.n_hosts(settings.engine) > 1 else OneProcess()
