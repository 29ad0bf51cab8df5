"""The rows of a table, encoded batch by batch: to disk, or in memory those to validate on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.data import split
from clearprop.data.spool import Spool
from clearprop.data.table import held
from clearprop.data.table.encoder import TableEncoder
from clearprop.data.table.giveaways import Giveaways
from clearprop.data.table.kinds import ColumnDecision, Roles
from clearprop.data.table.source import BATCH_ROWS, TableSource
from clearprop.data.table.stretches import WHOLE, Marks, Stretch
from clearprop.data.table.target import TargetEncoder

Array = NDArray[Any]
Thinner = Callable[[held.Mask, int], held.Mask]  # keeps some of the rows that are held out

_BATCH_BYTES = 2**23  # encoded together


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


class _Batch(NamedTuple):
    """Rows of a table.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
    mask : ndarray of bool, shape (n_rows,)
        Which are held out.
    stored : ndarray of int, shape (n_rows,)
        The number of each in the whole table.
    first : int
        The number of the first among those that have a target.
    """

    rows: Any
    mask: held.Mask
    stored: Array
    first: int

    def part(self, begin: int, end: int) -> _Batch:
        some = slice(begin, end)
        rows = self.rows.slice(begin, end - begin)
        return _Batch(rows, self.mask[some], self.stored[some], self.first + begin)


@dataclass
class _Told:
    """What a process has found in its rows: those it has kept, groups by number, labels, weights."""

    kept: list[HeldPart]
    groups: dict[Any, int]
    read_as: dict[str, Any]
    counts_something: bool


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
        # Rows to train on; of a table that is validated on, which has none, its rows.
        self.marks = Marks()
        self.read_as: dict[str, Any] = {}  # labels that were taken for others

    def _batches(
        self,
        columns: Sequence[str],
        batch_rows: int = BATCH_ROWS,
        stretch: Stretch = WHOLE,
        first: int = 0,
    ) -> Iterator[_Batch]:
        for rows, stored in self._source.numbered(columns, batch_rows, stretch):
            yield _Batch(rows, self._held(rows, first), stored, first)
            first += rows.num_rows

    def _counted(self, mask: held.Mask) -> held.Mask:
        return mask if self._held is held.all_held else ~mask

    def training(self) -> Iterator[Any]:
        """Give the rows to train on, of the columns that this process learns; count them all."""
        import pyarrow as pa

        roles = self._roles
        names = {
            *self._source.shared.mine(self._learned),
            *filter(None, (roles.group, roles.time)),
            roles.target,
        }
        columns = [name for name in self._columns if name in names]
        for batch in self._batches(columns):
            self.marks.see(~batch.mask, batch.stored, batch.first)
            yield batch.rows.filter(pa.array(~batch.mask)) if batch.mask.any() else batch.rows

    def _mine(self, wanted: Stretch, batch_rows: int) -> Iterator[_Batch]:
        """Give some of the counted rows, those behind each, and before the first of all."""
        stretch, place = self.marks.around(wanted)
        n = place.counted
        for batch in self._batches(self._columns, batch_rows, stretch, place.kept):
            counted = self._counted(batch.mask)
            at = np.maximum(n + np.cumsum(counted), 1)
            begin, end = np.searchsorted(at, wanted, side="right")
            n += int(counted.sum())
            if begin < end:
                yield batch.part(begin, end)

    def wanted(self) -> Stretch:
        """Return which rows of a table that is validated on are this process's, by a pass over it."""
        shared = self._source.shared
        if shared.is_alone:
            return WHOLE
        for batch in self._batches([str(self._roles.target)]):
            self.marks.see(batch.mask, batch.stored, batch.first)
        return shared.share(self.marks.n)

    def encode(
        self,
        encoder: TableEncoder,
        target: TargetEncoder,
        spool: Spool,
        thinner: Thinner,
        wanted: Stretch,
        giveaways: Giveaways | None = None,
    ) -> HeldPart:
        """Write the rows to train on that are wanted; return those to validate on, of all processes.

        A row that is held out goes with the one before it that is trained on. Collective.
        """
        shared = self._source.shared
        rows = max(1, min(BATCH_ROWS, _BATCH_BYTES // (8 * encoder.n_features)))
        mine = _Told([], {}, self.read_as, self._roles.weight is None)
        with shared.together():
            for batch in self._mine(wanted, rows):
                Y, weight = self._targets(batch, target), self._weights(batch)
                if giveaways is not None:
                    giveaways.see(batch.rows, Y)
                mine.counts_something |= weight is not None and bool(weight.any())
                groups, times = self._groups(batch, mine.groups), self._times(batch)
                part = HeldPart(np.empty((len(Y), 0)), Y, weight, groups, times)
                mine.kept += _encoded(batch, part, encoder, spool, thinner(batch.mask, batch.first))
        told = shared.of_each(mine)
        if giveaways is not None and not shared.is_alone:
            giveaways.join(shared.of_each(giveaways.told()))
        for each in told:
            self.read_as |= each.read_as
        if not any(each.counts_something for each in told):
            raise ValueError(
                f"{self._source.where} must hold weights that are not all 0 in {self._roles.weight!r}"
            )
        return _joined(told, encoder.n_features)

    def _groups(self, batch: _Batch, numbers: dict[Any, int]) -> Array | None:
        """Return the numbers of the groups that rows are in, of those that are held out."""
        name = self._roles.group
        if name is None or name not in self._columns:
            return None
        import pyarrow as pa

        found = np.zeros(len(batch.mask), np.int64)
        groups = batch.rows.column(name).filter(pa.array(batch.mask)).to_pylist()
        found[batch.mask] = [numbers.setdefault(each, len(numbers)) for each in groups]
        return found

    def _times(self, batch: _Batch) -> Array | None:
        name = self._roles.time
        return None if name is None or name not in self._columns else held.times_of(batch.rows, name)

    def _targets(self, batch: _Batch, target: TargetEncoder) -> Array:
        column = batch.rows.column(target.name)
        codes = target.codes(column, self.read_as)
        target.refuse_unknown(codes, column, self._source, batch.first)
        return codes

    def _weights(self, batch: _Batch) -> Array | None:
        import pyarrow as pa

        name = self._roles.weight
        if name is None:
            return None
        column = batch.rows.column(name)
        numbers: Array = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        wrong = ~(np.isfinite(numbers) & (numbers >= 0))
        if wrong.any():
            row = int(np.argmax(wrong))
            value = column[row].as_py()
            got = "nothing" if value is None else value
            raise ValueError(
                f"{self._source.where} must hold weights of at least 0 in {name!r}, got {got}: "
                f"{self._source.place(batch.first + row)}"
            )
        return numbers


def _encoded(
    batch: _Batch, part: HeldPart, encoder: TableEncoder, spool: Spool, chosen: held.Mask
) -> list[HeldPart]:
    """Write the rows of a batch that are trained on; return the chosen ones of those held out."""
    import pyarrow as pa

    needed = ~batch.mask | chosen
    if not needed.any():
        return []
    rows = batch.rows if needed.all() else batch.rows.filter(pa.array(needed))
    X, training = encoder.encode(rows, spool.dtype), ~batch.mask
    weight = None if part.weight is None else part.weight[training]
    spool.append(X[training[needed]], part.Y[training], weight)
    if not chosen.any():
        return []
    return [replace(part.take(np.flatnonzero(chosen)), X=X[chosen[needed]])]


def _joined(told: Sequence[_Told], n_features: int) -> HeldPart:
    """Return the rows to validate on of all processes."""
    kept: list[HeldPart] = []
    numbers: dict[Any, int] = {}  # of groups
    for each in told:
        its = np.array([numbers.setdefault(group, len(numbers)) for group in each.groups])
        kept += [
            part if part.groups is None else replace(part, groups=its[part.groups])
            for part in each.kept
        ]
    if not kept:
        return HeldPart(np.empty((0, n_features)), np.empty(0), None)
    names = [field.name for field in fields(HeldPart) if getattr(kept[0], field.name) is not None]
    columns = {name: np.concatenate([getattr(part, name) for part in kept]) for name in names}
    return replace(kept[0], **columns)
