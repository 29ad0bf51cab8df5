"""Subject: a model and the rows that it is judged on, by whatever door they came.

Rows are held three times: as raw cells, which readers know; as the numbers made of them, in which a
column can be changed; and, where they are asked for, as the network's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.data.dataset import some
from clearprop.data.table import ColumnDecision
from clearprop.data.table.columns import Column, NumericColumn
from clearprop.data.table.values import NUMBER
from clearprop.model.ensemble import Averaged
from clearprop.model.inputs import narrowed
from clearprop.model.measuring import evaluate
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units
from clearprop.reasons.asking import names_of

Array = NDArray[Any]

MOST_ROWS = 200_000  # that are looked at; of more, some are drawn
_AT_ONCE = 8192  # rows passed through together: bounds the memory of the hidden activations
_DRAWN, _READ = 7, 8  # of what is drawn for an evaluation: the rows of a figure, and of a report


@dataclass(frozen=True, eq=False)
class RawColumn:
    """A column of the rows.

    Parameters
    ----------
    decision : ColumnDecision
        What became of it in training.
    cells : pyarrow.Array
        As they are read.
    made : NumericColumn, CategoryColumn or TimeColumn, optional
        What makes numbers of it; None of one that is not learned from.
    features : slice
        Its columns among the numbers.
    """

    decision: ColumnDecision
    cells: Any
    made: Column | None = None
    features: slice = field(default_factory=lambda: slice(0, 0))

    @property
    def name(self) -> str:
        """As in training."""
        return self.decision.name


@dataclass(eq=False)
class Subject:
    """A model and rows.

    Parameters
    ----------
    model : Model
        In raw units.
    averaged : Averaged, optional
        The models of an ensemble, which answer in place of `model`.
    columns : tuple of RawColumn
        Those that the model learned from, in the order of their numbers.
    others : tuple of RawColumn
        Identifiers and the like, by which a reader knows a row.
    numbers : ndarray of shape (n_rows, n_features)
        Of the columns, before the steps of the model's inputs.
    y : ndarray of shape (n_rows,), optional
        Numbers of classes, -1 of a label that the model does not know; or quantities.
    where : str
        What messages call the data.
    rows : ndarray of shape (n_rows,)
        Which row of the data each is, counted from 0.
    n_rows, n_without_target : int
        Of the data.
    strangers : tuple of str
        Labels that the model does not know.
    """

    model: Model
    averaged: Averaged | None
    columns: tuple[RawColumn, ...]
    numbers: Array
    y: Array | None
    where: str
    rows: NDArray[np.int64]
    n_rows: int
    n_without_target: int = 0
    strangers: tuple[str, ...] = ()
    others: tuple[RawColumn, ...] = ()
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty of a quantity."""
        found = self.model.schema.classes
        return () if found is None else tuple(map(str, found))

    @property
    def is_probable(self) -> bool:
        """Whether the outputs are probabilities."""
        made = self.model.architecture
        return bool(made.output.probabilities and (made.sizes[-1] == 1 or not made.output.elementwise))

    def inputs(self, numbers: Array) -> Array:
        """Return what the network sees of numbers."""
        return np.ascontiguousarray(self.model.inputs(narrowed(numbers, self.model.dtype)))

    def ask(self, numbers: Array) -> Array:
        """Return the outputs for numbers of rows, shape (n_rows, n_outputs)."""
        return self._by_block(numbers, self.inputs)

    def ask_inputs(self, inputs: Array) -> Array:
        """Return the outputs for what the network sees of rows."""
        return self._by_block(inputs, np.ascontiguousarray)

    def _by_block(self, rows: Array, seen: Callable[[Array], Array]) -> Array:
        blocks = (rows[first : first + _AT_ONCE] for first in range(0, len(rows), _AT_ONCE))
        return np.concatenate([self._outputs(seen(block)) for block in blocks])

    def _outputs(self, inputs: Array) -> Array:
        targets = np.zeros((len(inputs), self.model.architecture.sizes[-1]), self.model.dtype)
        if self.averaged is not None:
            return self.averaged.outputs(inputs)
        return evaluate(self.model, inputs, targets)[0]

    @cached_property
    def outputs(self) -> Array:
        """The outputs for all rows."""
        return self.ask(self.numbers)

    @cached_property
    def probabilities(self) -> Array:
        """What the outputs say of each class, float64 of shape (n_rows, n_classes)."""
        return self.probabilities_of(self.outputs)

    def probabilities_of(self, a: Array) -> Array:
        """Return what outputs say of each class, in float64."""
        assert isinstance(self.model.targets, Classes)
        return self.model.targets.probabilities(a).astype(np.float64)

    @cached_property
    def predicted(self) -> Array:
        """The answers: numbers of classes, or quantities in float64."""
        targets = self.model.targets
        if isinstance(targets, Classes):
            return targets.decided(self.outputs)
        assert isinstance(targets, Units)
        return targets.decode(self.outputs)[:, 0].astype(np.float64)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a target that the model knows."""
        assert self.y is not None
        return np.ones(len(self.y), bool) if not self.classes else self.y >= 0

    def sample(self, most: int, step: int, among: Array | None = None) -> NDArray[np.int64]:
        """Return sorted rows, at most so many, drawn for one figure; the same ones every time.

        Parameters
        ----------
        most : int
        step : int
            Of the figure: others draw other rows.
        among : ndarray of int, optional
            Which rows are drawn from.
        """
        rows = np.arange(len(self)) if among is None else among
        if len(rows) <= most:
            return rows
        keys = randomness.uniform(0, len(rows), purpose=randomness.EVALUATION, layer=_DRAWN, step=step)
        return np.sort(rows[np.argpartition(keys, most)[:most]])


def of_arrays(
    model: Model,
    averaged: Averaged | None,
    X: Array,
    Y: Array | None,
    where: str,
    strangers: Sequence[str] = (),
) -> Subject:
    """Return numbers, shape (n_rows, n_features), and their targets, as a subject.

    `Y` holds numbers of classes, where others than the model's are unknown, or quantities.
    """
    if not len(X):
        raise ValueError(f"{where} must have rows, got none")
    n_rows, rows = len(X), drawn(np.arange(len(X)), share_of(len(X)))
    X, Y = X[rows], None if Y is None else Y.reshape(len(Y))[rows]
    if Y is not None and isinstance(model.targets, Classes):
        Y = np.where((Y >= 0) & (model.targets.n_classes > Y), Y, -1).astype(np.int64)
    columns = _numeric_columns(model, X)
    found = Subject(model, averaged, columns, X, Y, where, rows, n_rows, strangers=tuple(strangers))
    return checked(found)


def _numeric_columns(model: Model, X: Array) -> tuple[RawColumn, ...]:
    import pyarrow as pa

    return tuple(
        RawColumn(
            ColumnDecision(name, "numeric", "numbers, as they are", NUMBER),
            pa.array(X[:, at].astype(np.float64)),
            NumericColumn(name, 0.0, False),
            slice(at, at + 1),
        )
        for at, name in enumerate(names_of(model))
    )


def share_of(n_rows: int) -> float:
    """Return the largest power of 1/2 that leaves about `MOST_ROWS` of rows."""
    share = 1.0
    while share * n_rows > MOST_ROWS:
        share /= 2.0
    return share


def drawn(rows: Array, share: float, *, places: bool = False) -> NDArray[np.int64]:
    """Return those rows whose keys lie below a share (or their places among the rows)."""
    if share == 1.0 or not len(rows):
        return np.arange(len(rows)) if places else rows.astype(np.int64)
    first, last = int(rows[0]), int(rows[-1])
    keys = randomness.uniform(
        0, last - first + 1, purpose=randomness.EVALUATION, layer=_READ, first=first
    )
    below = keys[rows - first] < share
    return np.flatnonzero(below) if places else rows[below].astype(np.int64)


def checked(subject: Subject) -> Subject:
    """Refuse rows of which nothing can be said."""
    model = subject.model
    targets = model.targets
    one = isinstance(targets, Classes) or (
        isinstance(targets, Units) and (targets.quantiles or model.architecture.sizes[-1] == 1)
    )
    if not one:
        raise ValueError(
            "a report is of models with one label or one quantity a row, this one answers "
            f"{model.architecture.sizes[-1]} at a time"
        )
    if subject.y is not None and not subject.known.any():
        got = f", got {some(subject.strangers)}" if subject.strangers else ""
        raise ValueError(
            f"the target of {subject.where} must hold classes that the model knows "
            f"({some(subject.classes)}){got}"
        )
    return subject
