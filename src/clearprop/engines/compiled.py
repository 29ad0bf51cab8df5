"""The compiled engine: packs a plan into flat tables and calls one compiled function.

What the arithmetic is, ``kernels`` says. Here is what surrounds it: which plans it can run, where
everything lies in the workspace, how many threads are worth their while.
"""

from __future__ import annotations

import os
import sys
import weakref
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from clearprop import optimizers
from clearprop.activations import ACTIVATIONS, Activation, Array
from clearprop.architecture import Architecture
from clearprop.engines import choice, helpers, machine_code, own, products
from clearprop.engines import codes as k
from clearprop.engines import intrinsics as low
from clearprop.engines.interface import Data, Plan, Report, State, first_row

_RESIDUAL_COSTS = {
    "quadratic": k.QUADRATIC,
    "squared_error": k.SQUARED_ERROR,
    "mean_absolute_error": k.MEAN_ABSOLUTE_ERROR,
    "huber": k.HUBER,
    "quantile": k.QUANTILE,
}
_CANONICAL_COSTS = {
    ("cross_entropy", "softmax"): k.SOFTMAX_ENTROPY,
    ("cross_entropy", "sigmoid"): k.SIGMOID_ENTROPY,
    ("binary_cross_entropy", "sigmoid"): k.SIGMOID_ENTROPY,
    ("poisson", "exp"): k.POISSON_EXP,
    ("poisson", "softplus"): k.POISSON_SOFTPLUS,
    ("grouped_cross_entropy", "identity"): k.GROUPED_ENTROPY,
}
# Multiply-adds of a step from which a second thread gains more than the meetings cost.
WORTH_A_THREAD = 8_000_000
_PREDICTION_WORTH_A_THREAD = 16_000_000  # more: a step meets again at once, this wakes a thread
_BLOCK = 256  # rows of a prediction at a time
_CHUNK = 64 * 1024  # elements of the gradient held at a time: they stay in the second-level cache
_ALIGNMENT = 32  # elements; stretches of the workspace start on a cache line of their own


class CompiledEngine:
    """Trains with ``kernels.train``, compiled for this CPU by Numba's LLVM and kept on disk."""

    name = "numba"

    def __init__(self) -> None:
        self._prepared: WeakKeyDictionary[Plan, _Prepared] = WeakKeyDictionary()

    def supports(self, plan: Plan) -> str | None:
        """Return None, or which part of the plan has no compiled form."""
        reason = self.supports_forward(plan.architecture)
        if reason is not None:
            return reason
        if _cost_code(plan.architecture) is None and not _is_called(plan.architecture):
            return f"cost {plan.architecture.cost.name!r} is not built in"
        if _optimizer_code(plan.optimizer) is None:
            return f"optimizer {type(plan.optimizer).__name__} is not built in, or not made of steps"
        return None

    @staticmethod
    def supports_forward(architecture: Architecture) -> str | None:
        """Return None, or which activation has no compiled form."""
        for number, layer in enumerate(architecture.layers, start=1):
            for each in layer.function.parts or (layer.function,):
                if _activation_code(each, np.dtype(np.float64)) is None:
                    return f"Numba cannot compile activation {each.name!r} of layer {number}"
        return None

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
    ) -> Report:
        """As in `Engine.run`."""
        prepared = self._prepared.get(plan)
        if prepared is None or prepared.dtype != state.parameters.dtype:
            prepared = self._prepared[plan] = _Prepared(plan, state.parameters.dtype)
        return prepared.run(state, data, order, rates, first_step)


def _cost_code(architecture: Architecture) -> int | None:
    cost, output = architecture.cost, architecture.output.name
    if not cost.built_in:
        return None
    if output in cost.canonical:
        return _CANONICAL_COSTS.get((cost.name, output))
    return _RESIDUAL_COSTS.get(cost.name)


def _is_called(architecture: Architecture) -> bool:
    """Return whether the cost is a user's own, of the outputs: the machine code calls it."""
    cost = architecture.cost
    return not cost.built_in and architecture.output.name not in cost.canonical


def _optimizer_code(optimizer: optimizers.Optimizer) -> int | None:
    if type(optimizer) is optimizers.SGD:
        return (k.NESTEROV if optimizer.nesterov else k.MOMENTUM) if optimizer.momentum else k.SGD
    codes: dict[type, int] = {
        optimizers.RMSProp: k.RMSPROP,
        optimizers.Adam: k.ADAM,
        optimizers.AdamW: k.ADAMW,
        optimizers.FoldedAdam: k.FOLDED_ADAM,
    }
    return codes.get(type(optimizer))


def _activation_code(function: Activation, dtype: np.dtype[Any]) -> int | None:
    """Return the code of a built-in activation, or the address of a user's own that was compiled."""
    if ACTIVATIONS.get(function.name) is function:
        return k.ACTIVATION_CODES[function.name]
    return own.address_of(function, dtype)


def _segments(function: Activation, dtype: np.dtype[Any]) -> list[tuple[int, int, int]]:
    """Return (first column, last, code) of the stretches of a layer with one activation each."""
    found: list[tuple[int, int, int]] = []
    for j, part in enumerate(function.parts):
        code = _activation_code(part, dtype) or 0
        if found and found[-1][2] == code:
            found[-1] = (found[-1][0], j + 1, code)
        else:
            found.append((j, j + 1, code))
    return found


class _Layout:
    """Where the activations, slopes and deltas of a batch lie in the workspace."""

    def __init__(
        self,
        architecture: Architecture,
        dtype: np.dtype[Any],
        batch: int,
        n_threads: int = 1,
        *,
        trains: bool = True,
    ) -> None:
        self.end = 0
        sizes = architecture.sizes
        self.layers = np.full((len(sizes) - 1, k.LAYER_COLUMNS), -1, np.int64)
        segments: list[tuple[int, int, int]] = []
        offsets = {block.name: block.offset for block in architecture.blocks}
        below = self.take(batch * sizes[0])
        slope = delta = -1 if trains else self.take(batch * max(sizes))  # slopes nobody looks at
        if architecture.input_scale and trains:
            slope, delta = self.take(batch * sizes[0]), self.take(batch * sizes[0])
        for i, (row, layer) in enumerate(zip(self.layers, architecture.layers, strict=True)):
            row[k.N_IN], row[k.N_OUT] = sizes[i], layer.size
            row[k.WEIGHTS] = offsets[f"layers.{i}.weight"]
            row[k.BIASES] = offsets.get(f"layers.{i}.bias", -1)
            row[k.SCALES] = offsets.get(f"layers.{i}.scale", -1)
            row[k.BELOW], row[k.BELOW_SLOPE], row[k.BELOW_DELTA] = below, slope, delta
            row[k.ABOVE] = below = self.take(batch * layer.size)
            if trains:
                slope, delta = self.take(batch * layer.size), self.take(batch * layer.size)
            row[k.SLOPE], row[k.DELTA] = slope, delta
            row[k.DROP] = 0
            if layer.function.parts:
                row[k.CODE] = k.MIXED
                row[k.FIRST_SEGMENT] = len(segments)
                segments += _segments(layer.function, dtype)
                row[k.LAST_SEGMENT] = len(segments)
            else:
                row[k.CODE] = _activation_code(layer.function, dtype) or 0
        self.layers[-1, k.Z] = self.take(batch * sizes[-1])
        first = len(segments)
        for size in architecture.cost.groups:
            start = segments[-1][1] if len(segments) > first else 0
            segments.append((start, start + size, k.IDENTITY))
        if architecture.cost.groups:
            self.layers[-1, k.FIRST_SEGMENT], self.layers[-1, k.LAST_SEGMENT] = first, len(segments)
        self.segments = np.array(segments or [(0, 0, 0)], np.int64)
        self.layers[:, k.LOG_SUMS] = self.take(batch)
        self.layers[:, k.COPIED] = copied = products.spare(batch, max(sizes))
        self.layers[:, k.COPIES] = self.take(copied * n_threads)

    def take(self, n: int) -> int:
        """Return the start of a new stretch of n elements."""
        start = self.end
        self.end += -(-n // _ALIGNMENT) * _ALIGNMENT
        return start


class _Call:
    """What a prediction by so many threads needs; one row takes microseconds, making this as long."""

    def __init__(self, layout: _Layout, dtype: np.dtype[Any], columns: Array, n_threads: int) -> None:
        none = np.empty(0)
        self.work = _aligned(layout.end * n_threads, dtype)
        self.found = np.zeros(2, np.int64)  # whether an input is not finite; where threads meet
        slots = machine_code.slots(
            none, none, 0, _BLOCK, layout.layers, layout.segments, self.work, none, none, columns,
            none, self.found, low.address_of_yield(),
        )  # fmt: skip
        self.address, self.slots = machine_code.address(slots), memoryview(slots)


class _Forward:
    """An architecture packed for predictions in one dtype."""

    def __init__(self, architecture: Architecture, dtype: np.dtype[Any]) -> None:
        self.layout = _Layout(architecture, dtype, _BLOCK, trains=False)
        self.keeps_z = self.layout.layers.copy()
        self.layout.layers[-1, k.Z] = -1
        sizes = architecture.sizes
        self.n_outputs = sizes[-1]
        self.multiply_adds = architecture.multiply_adds()[0]
        self.laid_out = sum(map(products.laid_out_size, sizes, sizes[1:]))
        self.dtype = dtype
        self.kernel = machine_code.code(dtype).predict
        self.columns = products.every(max(sizes), dtype.itemsize)
        self.spare: dict[int, list[_Call]] = {}  # by the number of threads: those that nobody is using

    def __call__(
        self, parameters: Array, X: Array, n_threads: int | None = None, z: Array | None = None
    ) -> Array:
        """Return the activations of the last layer, and put its weighted inputs into `z`."""
        return self.look_and_pass(parameters, X, n_threads, z)[0]

    def look_and_pass(
        self, parameters: Array, X: Array, n_threads: int | None = None, z: Array | None = None
    ) -> tuple[Array, bool]:
        """Return the activations of the last layer, and whether all inputs are finite."""
        n_rows = X.shape[0]
        X, out = _plain(X), np.empty((n_rows, self.n_outputs), self.dtype)
        worth = n_rows * self.multiply_adds // _PREDICTION_WORTH_A_THREAD
        threads = 1 if worth < 2 else _threads(n_threads, worth)
        spare = self.spare.setdefault(threads, [])
        try:
            call = spare.pop()
        except IndexError:  # asking first would let another thread in between
            call = _Call(self.layout, self.dtype, self.columns, threads)
        slots, address, found = call.slots, machine_code.address, call.found
        slots[0], slots[1] = address(parameters), parameters.size
        slots[2], slots[3], slots[4] = address(X), X.size, n_rows
        slots[6] = address(self.layout.layers if z is None else self.keeps_z)
        slots[14], slots[15] = address(out), out.size
        slots[16], slots[17] = (0, 0) if z is None else (address(z), z.size)
        rows = -(-n_rows // threads)
        slots[5] = -(-rows // max(1, -(-rows // _BLOCK)))  # even ones
        slots[20] = slots[21] = found[0] = found[1] = 0
        if rows >= products.LARGE:
            panels = _aligned(self.laid_out, self.dtype)
            slots[20], slots[21] = address(panels), panels.size
        _side_by_side(self.kernel, call.address, threads)
        finite = not found[0]
        spare.append(call)
        return out, finite


_FORWARDS: dict[tuple[int, str], _Forward | None] = {}


def forward_of(architecture: Architecture, dtype: np.dtype[Any]) -> _Forward | None:
    """Return what predicts with an architecture, packed once; None where it has no compiled form."""
    key = id(architecture), dtype.char
    if key not in _FORWARDS:
        if not _ready(architecture):
            return None
        supported = CompiledEngine.supports_forward(architecture) is None
        _FORWARDS[key] = _Forward(architecture, dtype) if supported else None
        weakref.finalize(architecture, _FORWARDS.pop, key, None)
    return _FORWARDS[key]


def _ready(architecture: Architecture) -> bool:
    """Return whether nothing of the user's own is still to be compiled."""
    every = [
        part for layer in architecture.layers for part in layer.function.parts or (layer.function,)
    ]
    return all(ACTIVATIONS.get(each.name) is each or own.is_compiled(each) for each in every)


class _Prepared:
    """A plan packed for one dtype, and the workspace that its runs share."""

    def __init__(self, plan: Plan, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        architecture = plan.architecture
        batch = min(plan.batch_size, plan.n_samples)
        work = sum(architecture.multiply_adds()) * batch
        self.n_threads = _threads(plan.n_threads, work // WORTH_A_THREAD)
        layout = _Layout(architecture, dtype, batch, self.n_threads)
        self.layers, self.segments = layout.layers, layout.segments
        for row in self.layers:
            if batch >= products.LARGE and row[k.N_OUT] >= products.LARGE:
                row[k.PANELS] = layout.take(min(batch, products.MOST) * (row[k.N_IN] + products.WIDE))
        self.factors = _factors(plan)
        for i, rate in enumerate(plan.dropout):
            if rate:
                self.layers[i, k.DROP] = round(rate * 2**32)
                self.factors[i, k.KEEP_SCALE] = 1.0 / (1.0 - rate)

        columns = products.every(max(architecture.sizes), dtype.itemsize)
        room = self.n_threads * (architecture.sizes[0] + len(columns) + 1)
        self.columns = np.concatenate([columns, np.zeros(room, np.int64)])
        self.integers = np.zeros(k.N_INTEGERS, np.int64)
        self.integers[k.COLUMNS] = len(columns)
        chunk = max(_CHUNK, max(architecture.sizes))
        whole = architecture.n_parameters if plan.clip_norm is not None else chunk * self.n_threads
        optimizer, cost = plan.optimizer, architecture.cost
        for what, integer in {
            k.BATCH: batch,
            k.LARGER: plan.n_larger,
            k.SEED: int(np.uint64(plan.seed).astype(np.int64)),
            k.COST: _cost_code(architecture),
            k.OPTIMIZER: _optimizer_code(optimizer),
            k.COUNTS: plan.counts_correct,
            k.SUM: cost.reduction == "sum",
            k.CLIPS: plan.clip_norm is not None,
            k.FUSED: self._fuses(plan),
            k.GRADIENT: layout.take(whole),
            k.CHUNK: chunk,
            k.OVER_WEIGHT: plan.over_batch_weight,
            k.YIELD: low.address_of_yield() if self.n_threads > 1 else 0,
        }.items():
            self.integers[what] = integer or 0
        self.numbers = np.zeros(k.N_NUMBERS)
        for where, value in {
            k.L2: plan.l2,
            k.L1: plan.l1,
            k.CLIP: plan.clip_norm or 0.0,
            k.FIRST: _first(optimizer),
            k.SECOND: getattr(optimizer, "beta2", 0.0),
            k.EPSILON: getattr(optimizer, "epsilon", 0.0),
            k.DECAY: getattr(optimizer, "weight_decay", 0.0),
            k.COST_PARAMETER: 0.0 if cost.groups else next(iter(cost.parameters.values()), 0.0),
        }.items():
            self.numbers[where] = value
        self.work = _aligned(layout.end, dtype)
        self.costs = np.zeros(batch + self.n_threads * (1 + 2 * len(self.layers)))
        self.own_cost: own.CostOfSamples | None = None
        if _is_called(architecture):
            places = (self.layers[-1, column] for column in (k.ABOVE, k.DELTA))
            outputs, errors = (self._rows(start, batch, architecture.sizes[-1]) for start in places)
            self.own_cost = own.CostOfSamples(cost, architecture.output, outputs, errors, self.costs)
            self.integers[k.COST] = self.own_cost.address
        self.measured: tuple[Array, float] | None = None
        queues = 3 * len(self.layers) * self.n_threads
        self.counter = np.zeros(k.LINE * (1 + queues), np.int64)

    def _rows(self, start: int, m: int, n: int) -> Array:
        """Return a layer's part of the workspace, of m rows."""
        return self.work[start : start + m * n].reshape(m, n)

    def _fuses(self, plan: Plan) -> bool:
        """Return whether a step is ``W -= rate (dC/dW + l2 W)`` and nothing else."""
        architecture = plan.architecture
        plain = _optimizer_code(plan.optimizer) == k.SGD and plan.clip_norm is None and not plan.l1
        return plain and not (architecture.input_scale or architecture.ntk)

    def run(
        self,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        first_step: int,
    ) -> Report:
        """As in `Engine.run`; a step that might leave the finite numbers is made from a copy."""
        report, doubtful = self._go(state, data, order, rates, first_step)
        made, correct = report.n_steps, [report.correct]
        while doubtful:
            before = state.copy()
            report, _ = self._go(state, data, order, rates[made : made + 1], first_step, watched=True)
            if not report.bad and not np.isfinite(state.parameters).all():
                state.take(before)
                return Report(made, True, _joined(correct))
            made, correct = made + report.n_steps, [*correct, report.correct]
            if report.bad or made == len(rates):
                break
            del before
            report, doubtful = self._go(state, data, order, rates[made:], first_step)
            made, correct = made + report.n_steps, [*correct, report.correct]
        return Report(made, report.bad, _joined(correct))

    def _go(
        self,
        state: State,
        data: Data,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        first_step: int,
        watched: bool = False,
    ) -> tuple[Report, bool]:
        """Return what was found, and whether the next step is in doubt."""
        integers, numbers = self.integers.copy(), self.numbers.copy()
        integers[k.WATCHED], numbers[k.LARGEST] = watched, self._largest(data.X)
        step = state.epoch_step - first_step  # of those that `order` has the rows of
        integers[k.FIRST_STEP], integers[k.STEP] = step, state.step
        integers[k.N_SAMPLES] = len(order)
        integers[k.UPDATES], integers[k.WEIGHTED] = state.updates, data.sample_weight is not None
        numbers[k.EPOCH_COST] = state.epoch_cost
        batch, n_samples = int(integers[k.BATCH]), len(order)
        counts = bool(integers[k.COUNTS])
        correct = np.zeros(len(rates) * batch if counts else 1, np.bool_)
        weight = np.ones(1, self.dtype) if data.sample_weight is None else data.sample_weight
        order, rates = np.ascontiguousarray(order, np.int64), np.ascontiguousarray(rates, np.float64)
        X, Y, weight, counter = (
            _plain(data.X),
            _plain(data.Y),
            _plain(weight),
            np.zeros_like(self.counter),
        )
        arguments = machine_code.slots(
            state.parameters, state.moments.reshape(-1), X, Y, weight, order, rates, self.layers,
            self.segments, self.factors, integers, numbers, self.work, self.costs, correct, counter,
            self.columns,
        )  # fmt: skip
        address, aside = machine_code.address(arguments), self.own_cost is not None
        try:
            _side_by_side(machine_code.code(self.dtype).train, address, self.n_threads, aside)
        finally:  # the steps are made, also where a signal's handler raises now
            made = int(integers[k.MADE])
            state.step += made
            state.epoch_step += made
            state.updates = int(integers[k.UPDATES])
            state.epoch_cost = float(numbers[k.EPOCH_COST])
        larger = int(integers[k.LARGER])
        first, after = (first_row(each, batch, larger) for each in (step, step + made))
        seen = min(n_samples, after) - min(n_samples, first)
        if self.own_cost is not None:
            self.own_cost.raise_what_it_raised()
        bad, doubtful = bool(integers[k.BAD]), integers[k.BAD] == k.DOUBTFUL
        return Report(made, bad, correct[:seen] if counts else None), bool(doubtful)

    def _largest(self, X: Array) -> float:
        """Return the size of the largest input, looked for once in each array."""
        if self.measured is None or self.measured[0] is not X:
            self.measured = X, max(float(X.max()), -float(X.min()))
        return self.measured[1]


def _joined(correct: list[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
    found = [each for each in correct if each is not None]
    return np.concatenate(found) if found else None


def _first(optimizer: optimizers.Optimizer) -> float:
    """Return the factor of an optimizer's first moment."""
    names = ("momentum", "rho", "beta1")
    return next((float(getattr(optimizer, name)) for name in names if hasattr(optimizer, name)), 0.0)


def _factors(plan: Plan) -> NDArray[np.float64]:
    factors = np.zeros((len(plan.architecture.layers), k.FACTOR_COLUMNS))
    for block in plan.architecture.blocks:
        row = factors[int(block.name.split(".")[1])]
        kind = ("weights", "biases", "scales").index(block.kind)
        row[k.RATE + kind] = 0.0 if block in plan.frozen else block.lr_factor
        row[k.DECAY_FACTOR + kind] = block.decay_factor
        row[k.GRADIENT_FACTOR + kind] = block.gradient_factor
    return factors


def _plain(array: Array) -> Array:
    """Return an array flat, and as the kernels read it: its elements one after the other."""
    if array.flags.carray:  # at once: one row takes microseconds
        return array.reshape(-1)
    return np.require(array, requirements=["C", "A"]).reshape(-1)


def _aligned(n: int, dtype: np.dtype[Any]) -> Array:
    """Return an empty array that begins on a cache line; NumPy's own begin in the middle of one."""
    whole = np.empty(n * dtype.itemsize + 64, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + n * dtype.itemsize].view(dtype)


def _threads(asked: int | None, worth: int) -> int:
    """Return how many threads to use, where the work is worth so many.

    Unless so many were asked for, OMP_NUM_THREADS is the most, as in every library that computes:
    joblib says there how many of the cores are a worker's own.
    """
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        available = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdecimal() and int(limit):
        available = min(available, int(limit))
    if not low.address_of_yield():
        return 1
    return max(1, min(available if asked is None else asked, worth))


def _side_by_side(kernel: helpers.Kernel, address: int, n_threads: int, aside: bool = False) -> None:
    """Call a kernel once for each thread, with the address of its slots."""
    if n_threads == 1 and not aside:
        kernel(address, 0, 1)
    else:
        helpers.side_by_side(kernel, address, n_threads, aside)


choice.compiled = sys.modules[__name__]  # last: another thread must not find half of it
