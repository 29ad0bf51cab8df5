"""The rows of a table, encoded batch by batch: to disk, or in memory those to validate on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data import split
from clearprop.data.spool import Spool
from clearprop.data.table import held
from clearprop.data.table.encoder import TableEncoder
from clearprop.data.table.giveaways import Giveaways
from clearprop.data.table.kinds import ColumnDecision, Roles
from clearprop.data.table.source import TableSource
from clearprop.data.table.target import TargetEncoder

Array = NDArray[Any]
Thinner = Callable[[held.Mask, int], held.Mask]  # keeps some of the rows that are held out

_BATCH_BYTES = 2**23  # encoded together
_WORTH_A_CHOICE = 0.8  # share of a batch's rows below which the others are not encoded


@dataclass(frozen=True, eq=False)
class HeldPart:
    """Rows to validate on, encoded, in memory.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    Y : ndarray of shape (n_rows,)
        Class numbers or quantities.
    weight : ndarray of shape (n_rows,), optional
    groups, times : ndarray of shape (n_rows,), optional
        What stays together, as numbers; or the rows' order.
    """

    X: Array
    Y: Array
    weight: Array | None
    groups: Array | None = None
    times: Array | None = None

    def take(self, rows: Array) -> HeldPart:
        """Return some of the rows."""
        others = (self.weight, self.groups, self.times)
        return HeldPart(
            self.X[rows], self.Y[rows], *(each if each is None else each[rows] for each in others)
        )

    def divide(self, share: float, seed: int) -> tuple[HeldPart, HeldPart]:
        """Return the rows that choose and those that judge, as `clearprop.data.split.divide`."""
        choosing, judging = split.divide(self.Y, share, seed, groups=self.groups, times=self.times)
        return self.take(choosing), self.take(judging)


class _Encoded:
    """The rows of a batch that somebody asks for, encoded; in one process nearly always all."""

    def __init__(
        self, encoder: TableEncoder, batch: Any, mine: Array, chosen: held.Mask, dtype: str
    ) -> None:
        import pyarrow as pa

        needed = chosen.copy()
        needed[mine] = True
        if needed.mean() < _WORTH_A_CHOICE:
            self._place = np.cumsum(needed) - 1
            batch = batch.filter(pa.array(needed))
        else:
            self._place = np.arange(len(needed))
        self._X = encoder.encode(batch, dtype) if batch.num_rows else np.empty((0, encoder.n_features))

    def take(self, rows: Array) -> Array:
        """Return some of the batch's rows."""
        return self._X[self._place[rows]]


class RowReader:
    """The columns that are needed, batch by batch, and which of the rows are held out."""

    def __init__(
        self,
        source: TableSource,
        decisions: Sequence[ColumnDecision],
        roles: Roles,
        held_rows: held.HeldRows,
    ) -> None:
        given = (roles.target, roles.weight, roles.group, roles.time)
        names = [d.name for d in decisions if d.used or d.name in given]
        # Another table than the first need not say what is only there to hold rows out.
        self._columns = [n for n in names if n in source.names or n not in (roles.group, roles.time)]
        self._source, self._roles, self._held = source, roles, held_rows
        self._learned = [each.name for each in decisions if each.used]
        self._counts_something = roles.weight is None
        self.n_training = 0  # rows to train on, known after `training`
        self.read_as: dict[str, Any] = {}  # labels that were taken for others

    def _batches(
        self, columns: Sequence[str], batch_rows: int = 1 << 16
    ) -> Iterator[tuple[Any, held.Mask, int]]:
        first = 0
        for batch in self._source.batches(columns, batch_rows):
            yield batch, self._held(batch, first), first
            first += batch.num_rows

    def training(self) -> Iterator[Any]:
        """Give the rows to train on, of the columns that this process learns."""
        import pyarrow as pa

        self.n_training = 0
        roles = self._roles
        names = {
            *self._source.shared.mine(self._learned),
            *filter(None, (roles.group, roles.time)),
            roles.target,
        }
        columns = [name for name in self._columns if name in names]
        for batch, mask, _ in self._batches(columns):
            self.n_training += int(len(mask) - mask.sum())
            yield batch.filter(pa.array(~mask)) if mask.any() else batch

    def encode(
        self,
        encoder: TableEncoder,
        target: TargetEncoder,
        spool: Spool,
        thinner: Thinner,
        giveaways: Giveaways | None = None,
    ) -> HeldPart:
        """Write the rows to train on; return those to validate on."""
        rows = max(1, min(1 << 16, _BATCH_BYTES // (8 * encoder.n_features)))
        kept: list[HeldPart] = []
        numbers: dict[Any, int] = {}  # of groups
        for batch, mask, first in self._batches(self._columns, rows):
            Y = self._targets(batch, target, first)
            if giveaways is not None:
                giveaways.see(batch, Y)
            weight, training, chosen = (
                self._weights(batch, first), np.flatnonzero(~mask), thinner(mask, first)
            )  # fmt: skip
            mine = training[spool.wanted(len(training))]
            encoded = _Encoded(encoder, batch, mine, chosen, spool.dtype)
            if len(training):
                its = None if weight is None else weight[mine]
                spool.append(encoded.take(mine), Y[mine], its, len(training))
            if chosen.any():
                keys = self._groups(batch, numbers), self._times(batch)
                some = np.flatnonzero(chosen)
                rest = HeldPart(Y[:, None], Y, weight, *keys).take(some)
                kept.append(replace(rest, X=encoded.take(some)))
        if not self._counts_something:
            raise ValueError(
                f"{self._source.where} must hold weights that are not all 0 in {self._roles.weight!r}"
            )
        if not kept:
            return HeldPart(np.empty((0, encoder.n_features)), np.empty(0), None)

        one = kept[0]
        names = [field.name for field in fields(HeldPart) if getattr(one, field.name) is not None]
        columns = {name: np.concatenate([getattr(part, name) for part in kept]) for name in names}
        return replace(one, **columns)

    def _groups(self, batch: Any, numbers: dict[Any, int]) -> Array | None:
        name = self._roles.group
        if name is None or name not in self._columns:
            return None
        found = batch.column(name).to_pylist()
        return np.array([numbers.setdefault(each, len(numbers)) for each in found])

    def _times(self, batch: Any) -> Array | None:
        name = self._roles.time
        return held.times_of(batch, name) if name is not None and name in self._columns else None

    def _targets(self, batch: Any, target: TargetEncoder, first: int) -> Array:
        column = batch.column(target.name)
        codes = target.codes(column, self.read_as)
        target.refuse_unknown(codes, column, self._source, first)
        return codes

    def _weights(self, batch: Any, first: int) -> Array | None:
        import pyarrow as pa

        name = self._roles.weight
        if name is None:
            return None
        column = batch.column(name)
        numbers: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        wrong = ~(np.isfinite(numbers) & (numbers >= 0))
        if wrong.any():
            row = int(np.argmax(wrong))
            value = column[row].as_py()
            got = "nothing" if value is None else value
            raise ValueError(
                f"{self._source.where} must hold weights of at least 0 in {name!r}, got {got}: "
                f"{self._source.place(first + row)}"
            )
        self._counts_something = self._counts_something or bool(numbers.any())
        return numbers
