"""What every engine agrees on: plan, state, data, and the report of a stretch of mini-batches.

Into ``run`` flow a plan (what does not change), a state (flat arrays and numbers: it *is* the
checkpoint), the data, the epoch's order of samples and one learning rate for each step of the stretch
(where dropout or weight decay are schedules, a `Course` of these too); out flow the changed state and
a report. However an epoch is cut into stretches, the bits are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.flat_vector import Block

if TYPE_CHECKING:
    from clearprop.optimizers import Optimizer

_ROWS = 4096


class Course(NamedTuple):
    """What else changes from step to step, where it does: a row for each step of a stretch."""

    dropout: NDArray[np.float64]  # the rate of each hidden layer, shape (n_steps, n_hidden)
    weight_decay: NDArray[np.float64]  # of the optimizer, shape (n_steps,)

    def after(self, n_steps: int) -> Course:
        """Return what follows after some steps; a single row is that of every step."""
        begin = min(n_steps, len(self.weight_decay) - 1)
        return Course(self.dropout[begin:], self.weight_decay[begin:])


class Data(NamedTuple):
    """What is trained on, converted once: all of one dtype, C-contiguous, scaled.

    The same object has the same rows for good; an array may be filled anew, for other data.
    """

    X: Array  # (n_samples, n_features)
    Y: Array  # (n_samples, n_outputs)
    sample_weight: Array | None  # (n_samples,), mean 1


def first_row(step: int, batch_size: int, n_larger: int) -> int:
    """Return where a step's rows begin, if steps from `n_larger` on have one row less."""
    return step * batch_size - max(0, step - n_larger)


@dataclass(frozen=True, eq=False)
class Plan:
    """What does not change while a network is trained."""

    architecture: Architecture
    optimizer: Optimizer
    seed: int
    batch_size: int  # with `n_batches`, of the largest
    n_samples: int
    l2: float = 0.0
    l1: float = 0.0
    dropout: tuple[float, ...] = ()  # the rate of each hidden layer, unless a course says it
    clip_norm: float | None = None
    frozen: tuple[Block, ...] = ()
    counts_correct: bool = False  # whether the targets are classes
    n_threads: int | None = None
    n_batches: int | None = (
        None  # of an epoch, their sizes one apart at most; None: all but the last full
    )
    # scikit-learn's convention: gradient and l2 are divided by the sum of the batch's weights, and the
    # epoch's cost has the penalty in it.
    over_batch_weight: bool = False
    n_members: int = 1
    shares_layers: bool = False  # whether members share all but input scale and last layer

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each member."""
        return tuple(randomness.member_seed(self.seed, member) for member in range(self.n_members))

    def of_member(self, member: int) -> Plan:
        """Return the plan by which a member would be trained alone; of a single one, this."""
        if self.n_members == 1:
            return self
        return replace(self, seed=self.seeds[member], n_members=1, shares_layers=False)

    @property
    def steps_per_epoch(self) -> int:
        """The number of mini-batches, the last short one among them."""
        return self.steps_of(self.n_samples)

    def steps_of(self, n_rows: int) -> int:
        """Return the number of mini-batches that so many rows make: an epoch's, or a buffer's."""
        return -(-n_rows // self.batch_size) if self.n_batches is None else self.n_batches

    @property
    def n_larger(self) -> int:
        """The number of mini-batches up to which all have `batch_size` rows; later ones one less."""
        if self.n_batches is None:
            return self.steps_per_epoch
        return self.n_samples - self.n_batches * (self.batch_size - 1)

    def batch(self, step: int) -> slice:
        """Return which rows of the epoch's order, or of a buffer's, make a step of it."""
        return slice(*(first_row(each, self.batch_size, self.n_larger) for each in (step, step + 1)))

    def lr_factors(self, dtype: np.dtype[Any]) -> Array | float:
        """Return what multiplies the learning rate of each parameter: 0 where it is frozen."""
        if not self.frozen and all(b.lr_factor == 1.0 for b in self.architecture.blocks):
            return 1.0
        factors = self.architecture.factors("lr_factor")
        for block in self.frozen:
            factors[block.slice] = 0.0
        return factors.astype(dtype)

    def gradient_factors(self, dtype: np.dtype[Any]) -> Array | None:
        """Return what multiplies the gradient before the optimizer sees it; None where nothing does."""
        if all(b.gradient_factor == 1.0 for b in self.architecture.blocks):
            return None
        return self.architecture.factors("gradient_factor").astype(dtype)

    def decay_factors(self, dtype: np.dtype[Any]) -> Array | float:
        """Return what multiplies an optimizer's decay, if it has one: 0 for biases."""
        if not hasattr(self.optimizer, "weight_decay"):
            return 1.0
        return self.architecture.factors("decay_factor").astype(dtype)


@dataclass(eq=False)
class State:
    """Where a training is; changed in place by ``run``."""

    parameters: Array  # (n_parameters,)
    moments: Array  # (n_moments, n_parameters)
    step: int = 0  # steps since the training seed was set: keys the dropout masks
    updates: int = 0  # of this optimizer: a batch whose weights are all zero makes none
    epoch: int = 0  # epochs since the training seed was set: keys the order of samples
    epoch_step: int = 0  # steps of the epoch that is going on
    epoch_cost: float = 0.0  # sum of its samples' weighted costs, each before its step's update

    @property
    def each_moment(self) -> Array:
        """The moments along a first axis, each of the shape of the parameters."""
        return self.moments

    @property
    def members(self) -> tuple[State, ...]:
        """The state of each member; of a single one, this."""
        return (self,)

    def copy(self) -> State:
        """Return an independent copy."""
        return State(
            **{**vars(self), "parameters": self.parameters.copy(), "moments": self.moments.copy()}
        )

    def take(self, other: State) -> None:
        """Become what another state is, in place."""
        self.parameters[:], self.moments[:] = other.parameters, other.moments
        vars(self).update({**vars(other), "parameters": self.parameters, "moments": self.moments})


class Report(NamedTuple):
    """What a stretch found."""

    n_steps: int  # made; fewer than asked for only where one was bad
    bad: bool  # the cost of the next step is not finite, or its update would not be
    correct: NDArray[np.bool_] | None  # of each sample in the order seen, before its step's update
    member: int = 0  # that the rest is of, where one of several is bad
    quantity: str = "cost"  # that is not finite, where no row shows it


class Engine(Protocol):
    """What trains."""

    name: str

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
        """Make ``len(rates)`` steps from ``state.epoch_step`` on, all within this epoch.

        `order` has the rows of `data` that make the steps from `first_step` of the epoch on: all of its
        permutation, or what a buffer holds of it. A course has the dropout and the weight decay of each
        step, where one of them is a schedule. At a step whose cost is not finite, or which would
        make a parameter so, the engine stops with the state as it was before that step.
        """
        ...

    def supports(self, plan: Plan) -> str | None:
        """Return None, or a sentence with the reason why this engine cannot run the plan."""
        ...


def row_blocks(n_rows: int) -> Iterator[slice]:
    """Return the rows that pass through the reference together: it bounds the memory of a pass."""
    return (slice(first, first + _ROWS) for first in range(0, n_rows, _ROWS))
