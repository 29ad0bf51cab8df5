"""The compiled engine: packs a plan into flat tables and calls one compiled function.

What the arithmetic is, ``kernels`` says. Here is what surrounds it: which plans it can run, where
everything lies in the workspace, how many threads are worth their while.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from clearprop import aligned, optimizers
from clearprop.activations import Array
from clearprop.architecture import Architecture
from clearprop.engines import choice, codes, machine_code, outputs, own, products, updates
from clearprop.engines import intrinsics as low
from clearprop.engines.calling import flat, how_many_threads, side_by_side
from clearprop.engines.forwards import forward_of
from clearprop.engines.interface import Course, Data, Plan, Report, State, first_row
from clearprop.engines.layout import Layout, unsupported_activation
from clearprop.engines.leaves import Leaves, TreeSum
from clearprop.engines.records import Run, Settings
from clearprop.engines.rows import RowPrediction, RowPull, pulls
from clearprop.engines.sharing import GradientAlone
from clearprop.engines.stepping import RowStep
from clearprop.schedules import at

__all__ = ["CompiledEngine", "RowPrediction", "RowPull", "forward_of", "machine_code", "pulls"]

# Multiply-adds of a step from which a second thread gains more than the meetings cost.
WORTH_A_THREAD = 8_000_000
_NO_CUTS, _NO_LEAVES = np.zeros(0, np.int64), np.zeros(0)
_OF_A_RUN: dict[str, Any] = dict.fromkeys(Run._fields[Run._fields.index("counter") :])
_CHUNK = 64 * 1024  # elements of the gradient held at a time: they stay in the second-level cache


class CompiledEngine:
    """Trains with ``kernels.train``, compiled for this CPU by LLVM and kept on disk."""

    name = "compiled"

    def __init__(self) -> None:
        self._prepared: WeakKeyDictionary[Plan, _Prepared] = WeakKeyDictionary()

    def supports(self, plan: Plan) -> str | None:
        """Return None, or which part of the plan has no compiled form."""
        reason = self.supports_forward(plan.architecture)
        if reason is not None:
            return reason
        if outputs.row_of(plan.architecture) is None and not _is_called(plan.architecture):
            return f"cost {plan.architecture.cost.name!r} is not built in"
        if _optimizer_row(plan.optimizer) is None:
            return f"optimizer {type(plan.optimizer).__name__} is not built in, or not made of steps"
        return None

    @staticmethod
    def supports_forward(architecture: Architecture) -> str | None:
        """Return None, or which activation has no compiled form."""
        return unsupported_activation(architecture)

    def predict(
        self,
        architecture: Architecture,
        parameters: Array,
        X: Array,
        n_threads: int | None = None,
    ) -> Array:
        """Return the activations of the last layer, shape (n_samples, n_outputs).

        Parameters
        ----------
        architecture : Architecture
            One that ``supports_forward``.
        parameters : ndarray of shape (n_parameters,)
        X : ndarray of shape (n_samples, n_features)
            Scaled, and of the dtype of `parameters`.
        n_threads : int, optional
            At most so many; None takes what the size is worth.
        """
        forward = forward_of(architecture, parameters.dtype)
        if forward is None:
            raise ValueError(self.supports_forward(architecture))
        return forward(parameters, X, n_threads)

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
        """As in `Engine.run`."""
        prepared = self._of(plan, state.parameters.dtype)
        return prepared.run(state, data, order, rates, first_step, course or prepared.course)

    def row_step(self, plan: Plan, state: State) -> RowStep | None:
        """Return what makes single steps of a plan of one row; None where `run` has to."""
        prepared = self._of(plan, state.parameters.dtype)
        if prepared.n_threads > 1 or prepared.own_cost is not None:
            return None
        return RowStep(prepared, plan.architecture, state)

    def sum_leaves(
        self,
        plan: Plan,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        cuts: NDArray[np.int64],
        course: Course | None,
    ) -> Leaves:
        """As in `SumsLeaves`."""
        prepared = self._of(plan, state.parameters.dtype)
        costs = np.zeros(len(cuts) - 1)
        leaves = _Leaves(np.ascontiguousarray(cuts, np.int64), costs)
        state.epoch_step, rates = 0, np.ones(len(costs))
        report = prepared.run(state, data, order, rates, 0, course or prepared.course, leaves)
        return Leaves(costs, report.correct, not np.isfinite(costs).all())

    def _of(self, plan: Plan, dtype: np.dtype[Any]) -> _Prepared:
        prepared = self._prepared.get(plan)
        if prepared is None or prepared.dtype != dtype:
            prepared = self._prepared[plan] = _Prepared(plan, dtype)
        return prepared


def _is_called(architecture: Architecture) -> bool:
    """Return whether the cost is a user's own, of the outputs: the machine code calls it."""
    cost = architecture.cost
    return not cost.built_in and cost.form(architecture.output) is None


def _optimizer_row(optimizer: optimizers.Optimizer) -> str | None:
    """Return which row of `updates.OPTIMIZERS` follows the gradient; None where there is none."""
    known = type(optimizer) in (*optimizers.KNOWN.values(), GradientAlone, TreeSum)
    return optimizer.form if known and optimizer.form in updates.OPTIMIZERS else None


class _Leaves(NamedTuple):
    """How the rows of a run are cut, where no rule says it, and where its batches' costs are left."""

    cuts: NDArray[np.int64] = _NO_CUTS
    costs: NDArray[np.float64] = _NO_LEAVES


class _Prepared:
    """A plan packed for one dtype, and the workspace that its runs share."""

    def __init__(self, plan: Plan, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        architecture = plan.architecture
        batch = min(plan.batch_size, plan.n_samples)
        work = sum(architecture.multiply_adds()) * batch
        self.n_threads = how_many_threads(plan.n_threads, work // WORTH_A_THREAD)
        layout = Layout(architecture, dtype, batch, self.n_threads)
        rows = layout.rows
        for row in rows:
            if batch >= products.LARGE and row["n_out"] >= products.LARGE:
                row["panels"] = layout.take(min(batch, products.MOST) * (row["n_in"] + products.WIDE))
        self.factors = _factors(plan)
        decay = getattr(plan.optimizer, "weight_decay", 0.0)
        none = np.zeros(len(rows) - 1)
        self.course = Course(np.array([plan.dropout or none]), np.array([at(decay, 0.0)]))
        self.layers, self.segments = layout.layers, layout.segments
        self.embedding, widest = layout.embedding, max(architecture.widths)
        self.columns = products.every(widest, dtype.itemsize)
        self.listed = np.zeros(len(self.columns) + 1, np.int64)
        chunk = max(_CHUNK, widest, self.embedding.n_basis * self.embedding.n_mapped)
        whole = architecture.n_parameters if plan.clip_norm is not None else chunk * self.n_threads
        self.settings = _settings(plan, batch, chunk, layout.take(whole), self.n_threads)
        self.work = aligned.empty(layout.end, dtype)
        if self.embedding.exists:  # what is below has no slope of its own
            first = rows[0]
            self.work[first["below_slope"] :][: batch * first["n_in"]] = 1.0
        self.costs = np.zeros(batch)
        self.norms = np.zeros(self.n_threads)
        self.squares = np.zeros(2 * len(rows) * self.n_threads)
        self.own_cost: own.CostOfSamples | None = None
        if _is_called(architecture):
            outputs, errors = (
                self._rows(int(rows[name][-1]), batch, architecture.sizes[-1])
                for name in ("above", "delta")
            )
            cost = architecture.cost
            self.own_cost = own.CostOfSamples(cost, architecture.output, outputs, errors, self.costs)
            self.settings = self.settings._replace(own_cost=self.own_cost.address)
        self.measured: tuple[Data, float] | None = None
        self.common: tuple[Run, Array] | None = None  # to all runs, and as words
        queues = 3 * len(rows) * self.n_threads
        self.counter = np.zeros(codes.LINE * (1 + queues), np.int64)

    def _rows(self, start: int, m: int, n: int) -> Array:
        """Return a layer's part of the workspace, of m rows."""
        return self.work[start : start + m * n].reshape(m, n)

    def run(
        self,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        first_step: int,
        course: Course,
        leaves: _Leaves = _Leaves(),  # noqa: B008 - it is a constant
    ) -> Report:
        """As in `Engine.run`; a step that might leave the finite numbers is made from a copy."""
        report, doubtful = self._go(state, data, order, rates, first_step, course, leaves)
        made, correct = report.n_steps, [report.correct]
        while doubtful:
            before = state.copy()
            one, its = rates[made : made + 1], course.after(made)
            report, _ = self._go(state, data, order, one, first_step, its, leaves, watched=True)
            if not report.bad and not np.isfinite(state.parameters).all():
                state.take(before)
                return Report(made, True, _joined(correct))
            made, correct = made + report.n_steps, [*correct, report.correct]
            if report.bad or made == len(rates):
                break
            del before
            report, doubtful = self._go(
                state, data, order, rates[made:], first_step, course.after(made), leaves
            )
            made, correct = made + report.n_steps, [*correct, report.correct]
        return Report(made, report.bad, _joined(correct))

    def _go(
        self,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        first_step: int,
        course: Course,
        leaves: _Leaves,
        watched: bool = False,
    ) -> tuple[Report, bool]:
        """Return what was found, and whether the next step is in doubt."""
        step = state.epoch_step - first_step  # of those that `order` has the rows of
        settings, n_samples = self.settings, len(order)
        batch = settings.batch
        order, rates = np.ascontiguousarray(order, np.int64), np.ascontiguousarray(rates, np.float64)
        run = self.record(state, data, order, rates, step, course, self._largest(data), leaves, watched)
        correct, counts, epoch_cost = run.correct, run.counts, run.epoch_cost
        arguments = machine_code.slots(run, self.common)
        if self.common is None:
            self.common = run._replace(**_OF_A_RUN), arguments
        address, aside = machine_code.address(arguments), self.own_cost is not None
        try:
            side_by_side(machine_code.code(self.dtype).train, address, self.n_threads, aside)
        finally:  # the steps are made, also where a signal's handler raises now
            made = int(counts[codes.MADE])
            state.step += made
            state.epoch_step += made
            state.updates = int(counts[codes.UPDATES])
            state.epoch_cost = float(epoch_cost[0])
        begin = (
            leaves.cuts.__getitem__
            if leaves.cuts.size
            else lambda each: first_row(each, batch, settings.n_larger)
        )
        seen = min(n_samples, begin(step + made)) - min(n_samples, begin(step))
        if self.own_cost is not None:
            self.own_cost.raise_what_it_raised()
        bad = int(counts[codes.BAD])
        report = Report(made, bool(bad), correct[:seen] if settings.counts else None)
        return report, bad == codes.DOUBTFUL

    def record(
        self,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        first_step: int,
        course: Course,
        largest: float,
        leaves: _Leaves = _Leaves(),  # noqa: B008 - it is a constant
        watched: bool = False,
    ) -> Run:
        """Return what the kernel is called with, of contiguous arrays."""
        settings = self.settings
        correct = np.zeros(len(rates) * settings.batch if settings.counts else 1, np.bool_)
        dropout = np.zeros((len(course.dropout), len(self.layers)))
        dropout[:, :-1] = course.dropout  # the outputs are never dropped
        weight = np.ones(1, self.dtype) if data.sample_weight is None else data.sample_weight
        return Run(
            settings=settings, layers=self.layers, segments=self.segments, embedding=self.embedding,
            factors=self.factors,
            work=self.work, columns=self.columns, listed=self.listed, costs=self.costs,
            norms=self.norms, squares=self.squares, counter=np.zeros_like(self.counter),
            parameters=state.parameters, moments=state.moments.reshape(-1), X=flat(data.X),
            Y=flat(data.Y), sample_weight=flat(weight), weighted=data.sample_weight is not None,
            order=order, rates=rates,
            dropout=dropout,
            weight_decay=np.ascontiguousarray(course.weight_decay, np.float64),
            largest=largest, first_step=first_step, step=state.step, watched=watched,
            correct=correct, counts=np.array([0, 0, state.updates]),
            cuts=leaves.cuts, leaves=leaves.costs, epoch_cost=np.array([state.epoch_cost]),
            thread=0, n_threads=self.n_threads,
        )  # fmt: skip

    def _largest(self, data: Data) -> float:
        """Return the size of the largest input, looked for once in the same data."""
        if self.measured is None or self.measured[0] is not data:
            self.measured = data, max(float(data.X.max()), -float(data.X.min()))
        return self.measured[1]


def _joined(correct: list[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    found = [each for each in correct if each is not None]
    return np.concatenate(found) if found else None


def _settings(plan: Plan, batch: int, chunk: int, gradient: int, n_threads: int) -> Settings:
    """Return a plan as the kernels read it; the address of a user's own cost is still missing."""
    architecture, optimizer = plan.architecture, plan.optimizer
    cost, form = architecture.cost, _optimizer_row(optimizer)
    key = outputs.row_of(architecture)
    assert form is not None  # the plan is supported
    row = updates.OPTIMIZERS[form]
    parameter = outputs.COSTS[key].parameter if key else ""
    plain = row.fuses and plan.clip_norm is None and not plan.l1
    return Settings(
        batch=batch,
        n_larger=plan.n_larger,
        seed=int(np.uint64(plan.seed).astype(np.int64)),
        cost=outputs.COST_CODES[key] if key else codes.OWN,
        own_cost=0,
        cost_parameter=float(cost.parameters[parameter]) if parameter else 0.0,
        sums=cost.reduction == "sum",
        counts=plan.counts_correct,
        optimizer=updates.OPTIMIZER_CODES[form],
        **row.numbers(optimizer),
        l2=float(plan.l2),
        l1=float(plan.l1),
        clips=plan.clip_norm is not None,
        clip_norm=float(plan.clip_norm or 0.0),
        fused=plain
        and {b.kind for b in architecture.blocks} <= {"weights", "biases"}
        and not architecture.ntk,
        over_weight=plan.over_batch_weight,
        gradient=gradient,
        chunk=chunk,
        give_way=low.address_of_yield() if n_threads > 1 else 0,
    )


def _factors(plan: Plan) -> NDArray[np.float64]:
    n_layers = len(plan.architecture.layers)
    factors = np.zeros((n_layers + 2, codes.FACTOR_COLUMNS))  # the last are the embedding's
    for block in plan.architecture.blocks:
        if block.kind == "embedding":
            what = codes.EMBEDDING.index(block.name)
            row, kind = factors[n_layers + what // 3], what % 3
        else:
            row, kind = factors[block.layer], codes.KINDS.index(block.kind)
        row[codes.RATE + kind] = 0.0 if block in plan.frozen else block.lr_factor
        row[codes.DECAY_FACTOR + kind] = block.decay_factor
        row[codes.GRADIENT_FACTOR + kind] = block.gradient_factor
    return factors


choice.compiled = sys.modules[__name__]  # last: another thread must not find half of it
