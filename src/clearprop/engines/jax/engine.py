"""The JAX engine: what surrounds its `program`, on the host.

A stretch flows to the device in chunks of steps, one program call each; calls are queued, so that the
host prepares the next chunk while the device works. Rows lie on the device if they fit; otherwise each
chunk's rows are sent along with it, two chunks being there at a time.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jax
import numpy as np
from numpy.typing import NDArray

from clearprop import costs, optimizers
from clearprop.activations import Activation
from clearprop.architecture import Architecture
from clearprop.engines.announcement import announce
from clearprop.engines.interface import Course, Data, Plan, Report, State
from clearprop.engines.jax import memory
from clearprop.engines.jax.batches import Steps, Stretch, stretch_of
from clearprop.engines.jax.devices import Devices, check_dtype, precision
from clearprop.engines.jax.foreign import why_not
from clearprop.engines.jax.program import AXIS, Found, Moments, Program, Rows, Shape
from clearprop.engines.jax.updates import rule_of
from clearprop.schedules import at

Array = NDArray[Any]
_MOST_STEPS = 1024  # in a chunk
_MOST_ROWS = 2**20
_PROGRAMS: OrderedDict[Any, Program] = OrderedDict()
_MOST_PROGRAMS = 64


class JaxEngine:
    """Trains with `program`, which XLA compiles for a GPU, a TPU, several of them, or the CPU.

    Parameters
    ----------
    name : str
        "jax", or "jax:cpu", "jax:gpu", "jax:tpu", "jax:all": see `Devices`.
    memory : int, optional
        Bytes of a device that may be used; None takes what is free.

    Raises
    ------
    ValueError
        If there is no such device.
    """

    trains_members = True  # all in one program

    def __init__(self, name: str = "jax", memory: int | None = None) -> None:
        self.name, self.memory, self.devices = name, memory, Devices(name)
        self._prepared: WeakKeyDictionary[Plan, _Prepared] = WeakKeyDictionary()

    def supports(self, plan: Plan) -> str | None:
        """Return None, or which part of the plan JAX cannot run."""
        if rule_of(plan.optimizer) is None:
            return f"optimizer {type(plan.optimizer).__name__} is not built in, or not made of steps"
        return why_not(plan.architecture)

    def run(
        self,
        plan: Plan,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        first_step: int = 0,
        course: Course | None = None,
    ) -> Report:
        """As in `Engine.run`; members all stop where one of them does."""
        prepared = self._prepared.get(plan)
        if prepared is None or prepared.dtype != state.parameters.dtype:
            check_dtype(state.parameters.dtype, self.name)
            prepared = self._prepared[plan] = _Prepared(plan, state, self)
        stretch = _Asked(data, np.atleast_2d(order), rates, first_step, course or prepared.course)
        with memory.explained(plan, state, self.devices), jax.default_matmul_precision(precision()):
            return prepared.run(state, stretch, course is not None)


class _Asked(NamedTuple):
    """What a stretch is made of: as in `Engine.run`, `order` with a row for each member."""

    data: Data
    order: NDArray[np.int64]
    rates: NDArray[np.float64]
    first_step: int
    course: Course


class _Prepared:
    """A plan for one dtype, and what of it lies on the devices."""

    def __init__(self, plan: Plan, state: State, engine: JaxEngine) -> None:
        self.plan, self.dtype, self.devices = plan, state.parameters.dtype, engine.devices
        n_hidden = len(plan.architecture.layers) - 1
        decay = at(getattr(plan.optimizer, "weight_decay", 0.0), 0.0)
        dropout = plan.dropout or (0.0,) * n_hidden
        self.course = Course(np.array([dropout]), np.array([decay]))
        n = len(self.devices.all)
        self.batch = -(-min(plan.batch_size, plan.n_samples) // n) * n  # each device has as many
        self.chunk = max(1, min(_MOST_STEPS, _MOST_ROWS // self.batch, plan.steps_per_epoch))
        self.room = memory.room(plan, state, self.devices, engine.memory)
        words = [[seed & 0xFFFFFFFF, seed >> 32] for seed in plan.seeds]
        self.keys = self.devices.put(np.array(words, np.uint32))
        self.placed: tuple[Data, Rows] | None = None  # rows, and where they lie on the devices

    def run(self, state: State, asked: _Asked, has_course: bool) -> Report:
        """As in `Engine.run`; a stretch that leaves the finite numbers is made again, watched."""
        made = self._go(state, asked, has_course, watched=False)
        if not made.is_finite():
            made = self._go(state, asked, has_course, watched=True)
        return made.take(self.plan, state)

    def _go(self, state: State, asked: _Asked, has_course: bool, watched: bool) -> _Made:
        """Make a stretch from a state, which stays as it is."""
        rule = rule_of(self.plan.optimizer)
        assert rule is not None
        parameters, moments = self._put(state)
        fits = memory.size(asked.data) <= self.room
        program = self._program(asked.data, has_course, fits)
        call = program.run_watched if watched else program.run
        begin, n_steps = state.epoch_step - asked.first_step, len(asked.rates)
        stretch = stretch_of(self.plan, state, *asked[:3], asked.course, begin, rule)
        made = _Made(self.plan, stretch)
        if not fits:  # two chunks' rows at a time
            row = memory.size(asked.data) / len(asked.data.X) * self.batch * self.plan.n_members
            self.chunk = max(1, min(self.chunk, int(self.room / (2 * row))))
        for first in range(0, n_steps, self.chunk):
            n = min(self.chunk, n_steps - first)
            steps = jax.tree.map(lambda each, a=first, b=first + n: each[a:b], stretch.steps)
            data, steps = self._rows(asked.data, steps, fits)
            count = self.devices.put(np.int32(n))
            parameters, moments, found = call(parameters, moments, self.keys, steps, count, data)
            made.add(n, found)
        made.end(parameters, moments)
        return made

    def _put(self, state: State) -> tuple[Any, Moments]:
        """Return parameters and moments on the devices, by the names of the blocks."""
        n, size = self.plan.n_members, self.plan.architecture.n_parameters
        parameters = state.parameters.reshape(n, size)
        moments = state.moments.reshape(n, -1, size)
        its, its_moments = {}, {}
        for block in self.plan.architecture.blocks:
            shape = n, *block.shape
            its[block.name] = self.devices.put(parameters[:, block.slice].reshape(shape))
            each = (moments[:, i, block.slice].reshape(shape) for i in range(moments.shape[1]))
            its_moments[block.name] = tuple(map(self.devices.put, each))
        return its, its_moments

    def _program(self, data: Data, has_course: bool, fits: bool) -> Program:
        plan, n_hidden = self.plan, len(self.plan.architecture.layers) - 1
        rates = plan.dropout or (0.0,) * n_hidden
        drops = (True,) * n_hidden if has_course else tuple(rate > 0 for rate in rates)
        whole = plan.n_samples % plan.batch_size == 0 and self.batch == plan.batch_size
        shape = Shape(
            weighted=data.sample_weight is not None,
            pads=not whole or plan.n_batches is not None,
            drops=drops,
            mesh=self.devices.mesh,
            rolled=self.devices.here.platform == "cpu",
            spread=self.devices.mesh is not None and not fits,
        )
        return program_of(plan, shape)

    def _rows(self, data: Data, steps: Steps, fits: bool) -> tuple[Rows, Steps]:
        """Return the rows that some steps are made of, and the steps, on the devices."""
        n, m = len(steps.rate), steps.rows.shape[2]
        every = [
            np.pad(each, [(0, self.chunk - n)] + [(0, 0)] * (each.ndim - 1))
            for each in jax.tree.leaves(steps)
        ]
        steps = jax.tree.unflatten(jax.tree.structure(steps), every)
        rows = np.pad(steps.rows, [(0, 0), (0, 0), (0, self.batch - m)], mode="edge")
        if fits:
            there = self._whole(data)
        else:
            there, rows = self._sent(data, rows)
        put = self.devices.put
        rows, rest = put(rows, None, None, AXIS), steps._replace(rows=None)
        return there, jax.tree.map(put, rest)._replace(rows=rows)

    def _whole(self, data: Data) -> Rows:
        """Return all rows, which are sent once."""
        if self.placed is None or self.placed[0] is not data:
            self.placed = None  # let go of the others first
            X, Y, weight = (each if each is None else self.devices.put(each) for each in data)
            self.placed = data, (X, Y, weight)
        return self.placed[1]

    def _sent(self, data: Data, rows: Array) -> tuple[Rows, Array]:
        """Return the rows of a chunk in the order of its steps, and where they lie in that."""
        n_steps, n_members, m = rows.shape
        n = len(self.devices.all)
        each = rows.reshape(n_steps, n_members, n, m // n)
        order = each.transpose(2, 0, 1, 3).reshape(-1)  # device after device
        X, Y, weight = (x if x is None else self.devices.put(x[order], AXIS) for x in data)
        place = np.arange(n_steps * n_members * (m // n), dtype=np.int32)
        place = place.reshape(n_steps, n_members, m // n)
        return (X, Y, weight), np.tile(place, (1, 1, n))


class _Made:
    """What a stretch has made, before a state has it."""

    def __init__(self, plan: Plan, stretch: Stretch) -> None:
        self.plan, self.stretch = plan, stretch
        self.parts: list[tuple[int, Found]] = []

    def add(self, n_steps: int, found: Found) -> None:
        """Note what a chunk finds; two may be on their way, so the one before them has to be done."""
        if self.parts:
            jax.block_until_ready(self.parts[-1][1])
        self.parts.append((n_steps, found))

    def end(self, parameters: Any, moments: Moments) -> None:
        """Wait for the devices, and take everything from them."""
        names = [block.name for block in self.plan.architecture.blocks]
        self.parameters = _flat([parameters[name] for name in names])
        each = zip(*(moments[name] for name in names), strict=True)
        self.moments = [_flat(list(moment)) for moment in each]
        cut = [[np.asarray(each)[:n] for each in found] for n, found in self.parts]
        self.found = Found(*map(np.concatenate, zip(*cut, strict=True)))

    def is_finite(self) -> bool:
        """Return whether no step has left the finite numbers: there is no way back to them."""
        return bool(np.isfinite(self.found.costs).all() and np.isfinite(self.parameters).all())

    def take(self, plan: Plan, state: State) -> Report:
        """Have the state become what was made, and report it."""
        fine = self.found.fine.all(axis=1)
        n = len(fine) if fine.all() else int(np.argmin(fine))
        state.parameters[:] = self.parameters.reshape(state.parameters.shape)
        if self.moments:
            state.moments[:] = np.stack(self.moments, axis=1).reshape(state.moments.shape)
        costs = self._costs(plan)[:n]
        for number, member in enumerate(state.members):
            member.step += n
            member.epoch_step += n
            member.updates += int(self.stretch.active[:n, number].sum())
            member.epoch_cost = float(np.cumsum([member.epoch_cost, *costs[:, number]])[-1])
        bad = n < len(fine)
        worst = int(np.argmin(self.found.fine[n])) if bad else 0
        return Report(n, bad, self._correct(n) if plan.counts_correct else None, worst)

    def _costs(self, plan: Plan) -> NDArray[np.float64]:
        """Return the cost of each step, of each member, as the reference adds it to the epoch's."""
        n_rows, m = self.stretch.n_rows[:, None], self.found.costs.shape[2]
        real = np.arange(m) < n_rows[..., None]
        each = np.where(real, self.found.costs, 0).sum(axis=2, dtype=np.float64)
        if not plan.over_batch_weight:
            return each
        known = np.where(self.stretch.totals == 0.0, 1.0, self.stretch.totals)
        whole: Array = n_rows * (each + self.found.penalty) / known
        return np.where(self.stretch.totals == 0.0, 0.0, whole)

    def _correct(self, n: int) -> NDArray[np.bool_]:
        """Return which samples of the first steps were correct, in the order seen, member by member."""
        every = self.found.correct[:n].swapaxes(1, 2)
        real = np.arange(every.shape[1]) < self.stretch.n_rows[:n, None]
        found: NDArray[np.bool_] = every[real].reshape(-1)
        return found


def _flat(arrays: list[Any]) -> Array:
    """Return arrays of blocks as flat vectors, shape (n_members, n_parameters)."""
    return np.concatenate([np.asarray(each).reshape(len(each), -1) for each in arrays], axis=1)


def program_of(plan: Plan, shape: Shape) -> Program:
    """Return the program of a plan; plans that differ in seeds or rows alone share one."""
    key = _key(plan), shape, precision()
    if key not in _PROGRAMS:
        announce("the steps for JAX's device")
        _PROGRAMS[key] = Program(plan, shape)
        while len(_PROGRAMS) > _MOST_PROGRAMS:
            _PROGRAMS.popitem(last=False)
    _PROGRAMS.move_to_end(key)
    return _PROGRAMS[key]


def _key(plan: Plan) -> tuple[Any, ...]:
    """Return what a program is made for: no seed, no rate, and no number of rows."""
    described = optimizers.describe(plan.optimizer) | {"learning_rate": 0, "weight_decay": 0}
    return (
        of_architecture(plan.architecture),
        json.dumps(described),
        *(plan.l2, plan.l1, plan.clip_norm, plan.counts_correct, plan.over_batch_weight),
        tuple(block.name for block in plan.frozen),
        *(plan.n_members, plan.shares_layers),
    )


def of_architecture(made: Architecture) -> tuple[Any, ...]:
    """Return what tells an architecture from others: names, and a user's own functions themselves."""
    layers = tuple((each.size, _of_activation(each.function), each.bias) for each in made.layers)
    its = made.cost
    parameters = tuple(sorted(its.parameters.items()))
    cost: Any = (its.name, its.reduction, parameters) if its.built_in else its
    assert isinstance(its, costs.Cost)
    return made.n_features, layers, cost, made.input_scale, made.ntk, made.embedding


def _of_activation(function: Activation) -> Any:
    if function.parts:
        return tuple(map(_of_activation, function.parts))
    return function.name if function.built_in else function
