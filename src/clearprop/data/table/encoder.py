"""TableEncoder: the columns of a table as numbers, learned in one pass over its batches."""

from __future__ import annotations

import abc
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import some
from clearprop.data.table.columns import (
    COLUMNS,
    CategoryColumn,
    Column,
    NumericColumn,
    TimeColumn,
    numbers_of,
    part_of,
    parts_of,
    words_of,
)
from clearprop.data.table.kinds import ColumnDecision
from clearprop.data.table.passes import Alone, Pass
from clearprop.data.table.quantiles import Quantiles
from clearprop.data.table.seen import SLICES, Seen, of_categories, times_of

Array = NDArray[Any]

RARE = 3  # rows that a category needs to have a column of its own
MOST_CATEGORIES = 256  # columns that one column may become
MOST_FEATURES = 4096  # columns that all may become together
_COUNTED = 200_000  # different categories that are counted, before the rarest are forgotten


class TableEncoder:
    """Numbers for every column of a table, learned from the batches of one.

    Parameters
    ----------
    decisions : sequence of ColumnDecision
        What becomes of every column of the table.
    encoded : sequence of NumericColumn, CategoryColumn and TimeColumn
        One for each column that is learned from, in their order.
    seen : sequence of Seen
        How the cells of each were spread in training; empty where an older file does not say.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from clearprop.data.table import TableEncoder, decide, open_table
    >>> table = pa.table({"age": [30, None, 50, 41], "colour": ["red", "blue", "red", "blue"]})
    >>> source = open_table(table)
    >>> encoder = TableEncoder.learn(source.batches(), decide(source))
    >>> encoder.feature_names
    ('age', 'age is missing', 'colour = red')
    >>> encoder.encode(source.table()).tolist()[:2]
    [[30.0, 0.0, 1.0], [41.0, 1.0, -1.0]]
    """

    def __init__(
        self,
        decisions: Sequence[ColumnDecision],
        encoded: Sequence[Column],
        seen: Sequence[Seen] = (),
    ) -> None:
        self.decisions, self.encoded, self.seen = tuple(decisions), tuple(encoded), tuple(seen)

    @classmethod
    def learn(
        cls,
        batches: Iterable[Any],
        decisions: Sequence[ColumnDecision],
        quantiles: Callable[[], Quantiles] = Quantiles,
        shared: Pass | None = None,
    ) -> TableEncoder:
        """Return the encoder of the rows that are shown: those of the training part.

        Parameters
        ----------
        batches : iterable of pyarrow.RecordBatch or Table
            Of `TableSource.batches`.
        decisions : sequence of ColumnDecision
        quantiles : callable
            Makes what medians are asked of. The default keeps every number.
        shared : Pass, optional
            Of several processes: the batches need the columns alone that are this one's.
        """
        shared, used = shared or Alone(), [each for each in decisions if each.used]
        names = [each.name for each in used]
        mine = set(shared.mine(names))
        learners = [_LEARNERS[d.kind](d.name, quantiles, d.type) for d in used if d.name in mine]
        with shared.together():
            for batch in batches:
                for learner in learners:
                    learner.see(column_of(batch, learner.name))
        wanted = shared.of_all({each.name: each.n_wanted for each in learners})
        most = _most_categories([wanted[name] for name in names])
        encoded = shared.of_all({each.name: each.column(most) for each in learners})
        seen = shared.of_all({each.name: each.seen(encoded[each.name]) for each in learners})
        return cls(decisions, [encoded[name] for name in names], [seen[name] for name in names])

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a table that are needed."""
        return tuple(each.name for each in self.encoded)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Of the columns of `encode`."""
        return tuple(name for each in self.encoded for name in each.feature_names)

    @property
    def places(self) -> tuple[slice, ...]:
        """Where the numbers of each column are in a row of `encode`."""
        ends = np.cumsum([0, *(len(each.feature_names) for each in self.encoded)]).tolist()
        return tuple(map(slice, ends[:-1], ends[1:]))

    @property
    def n_features(self) -> int:
        """Columns of `encode`."""
        return len(self.feature_names)

    def encode(self, batch: Any, dtype: str = "float64") -> Array:
        """Return the numbers of a batch, shape (n_rows, n_features), C-contiguous.

        Parameters
        ----------
        batch : pyarrow.RecordBatch or Table
            Its columns are found by their names; others are ignored.
        dtype : str

        Raises
        ------
        ValueError
            If a column is absent.
        """
        if absent := [name for name in self.columns if name not in batch.schema.names]:
            raise ValueError(f"the table lacks {some(absent)}")
        out = np.empty((batch.num_rows, self.n_features), dtype)
        for each, place in zip(self.encoded, self.places, strict=True):
            each.encode(column_of(batch, each.name), out[:, place])
        return out

    def middle(self) -> tuple[dict[str, Any], Array]:
        """Return the median row: what it holds in every column, and its numbers, shape (1, n_features).

        Of categories it holds the usual one, of times the medians of their parts.

        Raises
        ------
        ValueError
            If a usual category is not known.
        """
        each = {column.name: column.middle() for column in self.encoded}
        numbers = [number for _, those in each.values() for number in those]
        return {name: raw for name, (raw, _) in each.items()}, np.array([numbers])

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            "decisions": [each.to_json() for each in self.decisions],
            "columns": [each.fields() for each in self.encoded],
            **({"seen": [each.to_json() for each in self.seen]} if self.seen else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableEncoder:
        """Return what `to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        decisions = [ColumnDecision.from_json(each) for each in data["decisions"]]
        used = [each for each in decisions if each.used]
        columns = [
            COLUMNS[d.kind].from_fields(d.name, fields)
            for d, fields in zip(used, data["columns"], strict=True)
        ]
        return cls(decisions, columns, [Seen.from_json(each) for each in data.get("seen", ())])


def column_of(batch: Any, name: str) -> Any:
    """Return a column of a batch or table as one Arrow array."""
    import pyarrow as pa

    column = batch.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


class _Learner(abc.ABC):
    """What learns one column from batches of it."""

    n_wanted = 0  # columns it would like for categories

    def __init__(self, name: str, quantiles: Callable[[], Quantiles], cell_type: str) -> None:
        self.name, self._quantiles, self._type = name, quantiles, cell_type
        self.missing, self.n_missing = False, 0
        self.begin()

    @abc.abstractmethod
    def begin(self) -> None: ...

    def see(self, column: Any) -> None:
        self.n_missing += column.null_count
        self.missing = self.n_missing > 0
        self.learn(column)

    @abc.abstractmethod
    def learn(self, column: Any) -> None: ...

    @abc.abstractmethod
    def column(self, most: int) -> Column: ...

    @abc.abstractmethod
    def seen(self, column: Any) -> Seen: ...


class _NumericLearner(_Learner):
    def begin(self) -> None:
        self._numbers = self._quantiles()
        self._words: Counter[str] = Counter()

    def learn(self, column: Any) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        worded = pa.types.is_struct(column.type)
        if worded:
            words = pc.struct_field(column, "word").drop_null()
            self._words.update(words.to_pylist())
        numbers = numbers_of(column)
        self._numbers.add(numbers[~np.isnan(numbers)] if worded or column.null_count else numbers)

    def column(self, most: int) -> Column:
        median = _or_zero(self._numbers.quantile(0.5))
        return NumericColumn(self.name, median, self.missing, tuple(sorted(self._words)))

    def seen(self, column: Any) -> Seen:
        words = tuple(self._words[word] for word in column.words)
        return Seen(*self._numbers.slices(SLICES), self.n_missing, words)


class _CategoryLearner(_Learner):
    def begin(self) -> None:
        self._counts: Counter[str] = Counter()
        self._forgotten = self._n_rows = 0

    def learn(self, column: Any) -> None:
        import pyarrow.compute as pc

        self._n_rows += len(column)
        counted = pc.value_counts(pc.drop_null(words_of(column)))
        found = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
        for word, count in found:
            self._counts[word] += count
        if len(self._counts) > _COUNTED:
            kept = Counter({word: n for word, n in self._counts.items() if n > 1})
            kept = Counter(dict(kept.most_common(_COUNTED // 2)))
            self._forgotten += len(self._counts) - len(kept)
            self._counts = kept

    @property
    def n_wanted(self) -> int:  # type: ignore[override]
        return sum(count >= RARE for count in self._counts.values())

    def column(self, most: int) -> Column:
        counts = self._counts
        pair = len(counts) <= 2 and not self._forgotten
        own = sorted(counts, key=lambda word: (-counts[word], word))
        usual = own[0] if own else None
        if not pair:
            own = [word for word in own if counts[word] >= RARE][:most]
        pooled = len(counts) - len(own) + self._forgotten
        if pooled == 1 and len(own) < most:  # one alone needs no pool
            own, pooled = list(counts), 0
        usual = usual if usual in own else None
        return CategoryColumn(self.name, tuple(sorted(own)), pooled, self.missing, usual)

    def seen(self, column: Any) -> Seen:
        n = self._n_rows - self.n_missing
        return Seen((), of_categories(self._counts, column.categories, n), self.n_missing)


class _TimeLearner(_Learner):
    def begin(self) -> None:
        self._parts = {part: self._quantiles() for part in parts_of(self._type)}
        self._ends = dict.fromkeys(self._parts, (math.inf, -math.inf))
        self._moments = self._quantiles()

    def learn(self, column: Any) -> None:
        present = column.drop_null()
        if not len(present):
            return
        self._moments.add(times_of(present))
        for part in self._parts:
            numbers = numbers_of(part_of(present, part))
            low, high = self._ends[part]
            self._ends[part] = min(low, float(numbers.min())), max(high, float(numbers.max()))
            self._parts[part].add(numbers)

    def column(self, most: int) -> Column:
        varying = [part for part in self._parts if self._ends[part][0] < self._ends[part][1]]
        varying = varying or [next(iter(self._parts))]
        medians = {part: _or_zero(self._parts[part].quantile(0.5)) for part in varying}
        return TimeColumn(self.name, medians, self.missing)

    def seen(self, column: Any) -> Seen:
        return Seen(*self._moments.slices(SLICES), self.n_missing)


def _or_zero(median: float) -> float:
    return 0.0 if math.isnan(median) else median


_LEARNERS: dict[str, type[_Learner]] = {
    "numeric": _NumericLearner,
    "boolean": _CategoryLearner,
    "categorical": _CategoryLearner,
    "datetime": _TimeLearner,
}


def _most_categories(wanted: Sequence[int]) -> int:
    """Return how many categories of one column get their own, so that all fit together."""
    most = MOST_CATEGORIES
    while most > 2 and sum(min(each, most) for each in wanted) > MOST_FEATURES:
        most = most * 3 // 4
    return most
