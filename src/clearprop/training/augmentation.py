"""Rows that are others in every epoch: images deformed, or whatever a function of the user's makes.

In: a training's supply. Out: one whose parts are a thousand rows, made when their turn comes. No engine
knows of it: each trains on the rows that it is given. Validation rows are left as they are, and so are
those that ``train_metrics`` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.activations import Array
from clearprop.data.deformation import Deform
from clearprop.data.row_stream import Stretch
from clearprop.data.scaling import Scaling
from clearprop.engines import Data, Plan, cpu
from clearprop.training.supply import InMemory, Part, Supply

if TYPE_CHECKING:
    from clearprop.model.inputs import Inputs
    from clearprop.model.model import Model

Function = Callable[[Array, np.random.Generator], Any]
Augment = Deform | Function
_ROWS = 1024  # at a time: what the caches hold, and what is worth the call of a kernel


def check(augment: object) -> None:
    """Refuse what is neither deformations nor a function.

    Raises
    ------
    TypeError
    """
    if not (augment is None or isinstance(augment, Deform) or callable(augment)):
        raise TypeError(
            "augment must be None, cp.data.deform(...) or a function of (X, rng) that returns the rows "
            f"to train on, got {augment!r}"
        )


def described(augment: Augment | None) -> dict[str, Any] | None:
    """Return what a checkpoint says of it: of a function its name."""
    if augment is None:
        return None
    if isinstance(augment, Deform):
        return augment.describe()
    return {"name": getattr(augment, "__qualname__", type(augment).__qualname__)}


class Augmented(Supply):
    """A supply whose rows are changed when they are trained on.

    Parameters
    ----------
    supply : Supply
    augment : Deform or callable
    model : Model
        Which says what the rows have been through.
    engine : str
        "numpy" has NumPy deform images too; every other has the kernel do it, where there is one.
    n_threads : int, optional

    Raises
    ------
    ValueError, TypeError
        If the rows are no images of the shape that is asked for, scaled pixel by pixel, or sparse.
    """

    def __init__(
        self, supply: Supply, augment: Augment, model: Model, engine: str, n_threads: int | None
    ) -> None:
        self.supply, self.augment, self.n_samples = supply, augment, supply.n_samples
        self.shuffle, self.whole_batches = supply.shuffle, supply.whole_batches
        self.share, self._n_features = supply.share, model.architecture.n_features
        self._known: tuple[object, ...] = ()  # what the part was made of
        self._part: Part | None = None
        self._inner: Data | None = None
        self._room = np.empty((0, self._n_features), model.dtype)
        self._deformer: Any = None
        rows = supply.data.X if isinstance(supply, InMemory) else None
        if not (rows is None or isinstance(rows, np.ndarray)):
            raise TypeError(
                f"augment needs dense rows, got {type(rows).__name__}; X.toarray() makes them"
            )
        if not isinstance(augment, Deform):
            return
        self._shape = augment.image_shape(self._n_features)
        _refuse_uneven(model.inputs)
        if engine != "numpy" and cpu.has_code():
            from clearprop.engines.deformer import Deformer

            down, across = np.zeros((2, 0))
            if augment.alpha:
                down, across = map(augment.smoothing, self._shape)
            smooth = (augment.alpha * down).astype(model.dtype), across.astype(model.dtype)
            self._deformer = Deformer(*smooth, self._shape, n_threads)

    def part(self, plan: Plan, epoch: int, step: int) -> Part:
        """As in `Supply`; the rows are made, unless they were for the last call.

        Raises
        ------
        ValueError
            If a function raises, or returns anything but finite numbers of the shape it was given.
        """
        inner = self.supply.part(plan, epoch, step)
        steps = max(1, _ROWS // plan.batch_size)
        first = inner.first_step + (step - inner.first_step) // steps * steps
        after = min(first + steps, inner.after_step(plan))
        known = plan.seed, plan.batch_size, epoch, first
        if self._part is None or self._known != known or self._inner is not inner.data:
            self._known, self._inner = known, inner.data
            self._part = self._made(plan, epoch, inner, range(first, after))
        return self._part

    def _made(self, plan: Plan, epoch: int, inner: Part, steps: range) -> Part:
        cut = slice(inner.batch(plan, steps[0]).start, inner.batch(plan, steps[-1]).stop)
        orders = inner.order[..., cut].reshape(plan.n_members, -1)
        X, Y, weight = inner.data
        rows = orders.reshape(-1)
        if len(self._room) < len(rows):
            self._room = np.empty((len(rows), self._n_features), self._room.dtype)
        made = self._room[: len(rows)]
        each = zip(plan.seeds, orders, np.split(made, plan.n_members), strict=True)
        for seed, order, out in each:
            self._make(plan, seed, epoch, X, order, out, steps)
        data = Data(made, Y[rows], None if weight is None else weight[rows])
        return Part(steps[0], data, np.arange(len(rows)).reshape(inner.order[..., cut].shape))

    def _make(
        self, plan: Plan, seed: int, epoch: int, X: Array, order: NDArray[np.int64], out: Array,
        steps: range,
    ) -> None:  # fmt: skip
        """Put the rows of some steps into `out`, for one member."""
        first = plan.batch(steps[0]).start
        if not isinstance(self.augment, Deform):
            for step in steps:
                batch = plan.batch(step)
                its = slice(batch.start - first, min(batch.stop - first, len(order)))
                out[its] = self._asked(self.augment, X[order[its]], _generator(seed, epoch, step))
        elif self._deformer is None:
            out[:] = self.augment(X[order], seed=seed, epoch=epoch, first=first)
        else:
            numbers = np.arange(first, first + len(order))
            places = self.augment.places(seed, epoch, numbers, self._shape).astype(X.dtype)
            self._deformer(X, order, out, places, seed, epoch, first)

    def _asked(self, function: Function, X: Array, rng: np.random.Generator) -> Array:
        try:
            made = np.asarray(function(X, rng))
        except Exception as problem:
            raise ValueError(
                f"augment must take rows and a generator and return rows, it raised {problem!r}"
            ) from problem
        if made.shape != X.shape or made.dtype.kind not in "buif":
            raise ValueError(
                f"augment must return numbers of the shape of X, {X.shape}, got {made.dtype} of shape "
                f"{made.shape}"
            )
        if not np.isfinite(made).all():
            raise ValueError("augment must return finite numbers, got NaN or infinity")
        return made

    def blocks(self, n_rows: int, among: Stretch | None = None) -> Iterator[Data]:
        """As in `Supply`: the rows as they are."""
        return self.supply.blocks(n_rows, among)

    def identity(self) -> tuple[Array | None, ...]:
        """As in `Supply`."""
        return self.supply.identity()

    def sampled(self) -> tuple[Array | None, ...]:
        """As in `Supply`."""
        return self.supply.sampled()

    def map_targets(self, function: Callable[[Array], Array]) -> None:
        """As in `Supply`."""
        self.supply.map_targets(function)
        self._part = None

    def describe(self) -> dict[str, Any]:
        """As in `Supply`."""
        return self.supply.describe()

    def __enter__(self) -> Supply:
        self.supply.__enter__()
        return self

    def close(self) -> None:
        """As in `Supply`."""
        self.supply.close()


def _generator(seed: int, epoch: int, step: int) -> np.random.Generator:
    """Return the generator that belongs to a step of an epoch."""
    words = randomness.philox(seed, step, 0, epoch, purpose=randomness.DEFORMATION, layer=1)
    a, b, c, d = map(int, words)
    return np.random.Generator(np.random.Philox(key=a << 96 | b << 64 | c << 32 | d))


def _refuse_uneven(inputs: Inputs) -> None:
    """Refuse rows in which a pixel is not on its neighbours' scale."""
    scalings = [step for step in inputs.steps if isinstance(step, Scaling)]
    uneven = any(np.ptp(each) > 0 for step in scalings for each in (step.shift, step.factor))
    if uneven or inputs.encoder is not None:
        raise ValueError(
            "deform needs pixels that are all scaled alike, got a scaling of each feature; "
            "cp.data.divide_by(255) scales all"
        )
