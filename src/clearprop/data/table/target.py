"""TargetEncoder: what a table's target column stands for, told by all of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import meant, some
from clearprop.data.labels import check_classes, label_array, warn_of_alike
from clearprop.data.table import dates, time_choices
from clearprop.data.table.kinds import refuse_split
from clearprop.data.table.profiles import MOST_VALUES
from clearprop.data.table.read_options import WHICH_DECIMAL
from clearprop.data.table.source import TableSource
from clearprop.data.table.values import BOOLEAN, NUMBER, TEXT, TIME
from clearprop.data.targets import (
    EXACT,
    GAPS,
    MAX_CLASSES,
    TASKS,
    decide_task,
    refused_gaps,
    warn_of_many,
)
from clearprop.names import known_name, trim
from clearprop.typing import Label

GIVEN_TASKS = (*TASKS, "binary", "multiclass")


@dataclass(frozen=True)
class TargetEncoder:
    """What the values of a target are: class numbers or quantities.

    Parameters
    ----------
    name : str
        The column.
    classes : tuple of str, int or bool, optional
        In the order of their numbers; None for a regression.
    reason : str
        Why it is what it is, in a sentence.
    """

    name: str
    classes: tuple[Label, ...] | None
    reason: str = ""

    @property
    def task(self) -> str:
        """Classification or regression."""
        return "regression" if self.classes is None else "classification"

    @property
    def kind(self) -> str:
        """Binary, multiclass or regression."""
        if self.classes is None:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"

    @classmethod
    def learn(
        cls, source: TableSource, name: str, task: str | None = None, gaps: str = "drop"
    ) -> TargetEncoder:
        """Return what a column of a table is as a target.

        Text and booleans are classes, as are at most 20 different whole numbers; all else is a
        quantity. Rows without a value say nothing of it.

        Raises
        ------
        ValueError
            If it does not vary, is not what `task` says, or has gaps that are to be refused.
        """
        if task is not None and task not in GIVEN_TASKS:
            raise ValueError(f"task must be one of {', '.join(GIVEN_TASKS)} or None, got {task!r}")
        name = trim(name)
        if name in source.refused:
            raise ValueError(
                f"{source.where} must hold numbers, booleans or text in the target {name!r}, got "
                f"{source.refused[name]}"
            )
        found = source.profile[name]
        what = f"the target {name!r} of {source.where}"
        if found.problem is not None and (
            task == "regression" or found.kind == NUMBER or (task is None and _looks(found))
        ):
            place = source.place(found.problem_row or 0)
            raise ValueError(
                f"{source.where} {found.problem}: {place}, target {name!r}{_remedy(found)}"
            )
        if known_name("target_gaps", gaps, GAPS) == "refuse" and found.n_missing:
            place = f"the first in {source.place(_first_missing(source, name))}"
            raise ValueError(refused_gaps(source.where, name, f"{found.n_missing:,}", place))
        if not found.n_present:
            raise ValueError(f"{source.where} must have a row with a target, got no value in {name!r}")
        refuse_split(source, found, "target")
        if found.kind == TIME:  # 02:05:12 is how long something took: a time of day is no target
            time_choices.answer(source, found, "numeric")
        kind = found.kind
        if kind == TIME:
            is_clock = dates.is_time_of_day(found.type.partition(" ")[2])
            held = "times of day" if is_clock else "dates"
            raise ValueError(f"{what} must be numbers, booleans or text, got {held}")
        if task is None:
            task, reason = _infer(found, kind)
        else:
            reason = "as asked"
        if found.n_distinct < 2:
            only = next(iter(found.counts or ["?"]))
            raise ValueError(f"{what} must vary, is always {_label(only)!r}")
        if task == "regression":
            if kind != NUMBER:
                raise ValueError(
                    f"{what} must hold numbers for a regression, got {found.example or kind!r}"
                )
            return cls(name, None, reason)
        classes = _classes(found, what, task)
        if reason != "as asked":
            warn_of_many(len(classes), found.n, what)
        return cls(name, classes, reason)

    def codes(self, column: Any, read_as: dict[str, Label] | None = None) -> NDArray[Any]:
        """Return class numbers, int64, -1 for an unknown label; or float64 quantities.

        Parameters
        ----------
        column : pyarrow.Array or ChunkedArray
            Without missing values, as `TableSource.with_target` gives it.
        read_as : dict, optional
            With it, a label that is unknown only for the point at its end is taken for the known one,
            and both are added, to be said: the test part of UCI's adult is written so.
        """
        import pyarrow as pa

        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if self.classes is None:
            quantities: NDArray[Any] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            return quantities
        known = {trim(str(label)): number for number, label in enumerate(self.classes)}
        if len(known) < len(self.classes):  # an array's, which differ in blanks
            known = {str(label): number for number, label in enumerate(self.classes)}
        encoded = column.dictionary_encode()
        words = [str(_label(value)) for value in encoded.dictionary.to_pylist()]
        for at, word in enumerate(words if read_as is not None else ()):
            if word not in known and word.endswith(".") and word[:-1] in known:
                read_as[word] = self.classes[known[word[:-1]]]  # type: ignore[index]
                words[at] = word[:-1]
        table = np.array([known.get(word, -1) for word in words] + [-1], np.int64)
        codes: NDArray[Any] = table[
            encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
        ]
        return codes

    def refuse_unknown(
        self, codes: NDArray[Any], column: Any, source: TableSource, first_row: int = 0
    ) -> None:
        """Refuse a label that was not learned; row 0 of the column is `first_row` of the source.

        Raises
        ------
        ValueError
            Naming the first, with its place.
        """
        if self.classes is not None and (codes < 0).any():
            row = int(np.argmax(codes < 0))
            raise ValueError(
                f"{source.where} has the label {column[row].as_py()!r}, which the training data have "
                f"not: {source.place(first_row + row)}, target {self.name!r}"
            )

    def of_table(
        self, source: TableSource, name: str | None = None, read_as: dict[str, Label] | None = None
    ) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Return the class numbers of a table's target, and labels that are not known.

        Those get the numbers from the last one on; of a regression, return quantities.

        Parameters
        ----------
        source : TableSource
            Rows that have a target.
        name : str, optional
            The column, if it is not called as in training.
        read_as : dict, optional
            As in `codes`.

        Raises
        ------
        ValueError
            If the column is absent.
        """
        name = trim(name or self.name)
        self.check(source, name)
        if self.classes is None:
            return np.concatenate([self.codes(each) for each in self._columns(source, name)]), ()
        unknown: set[str] = set()
        for column in self._columns(source, name):
            strange = np.flatnonzero(self.codes(column, read_as) < 0)
            unknown.update(str(column[int(row)].as_py()) for row in strange)
        strangers = {label: len(self.classes) + i for i, label in enumerate(sorted(unknown))}
        parts = []
        for column in self._columns(source, name):
            codes = self.codes(column, read_as)
            for row in np.flatnonzero(codes < 0):
                codes[row] = strangers[str(column[int(row)].as_py())]
            parts.append(codes)
        return np.concatenate(parts), tuple(strangers)

    def check(self, source: TableSource, name: str) -> None:
        """Refuse a table that has no column `name`."""
        if name not in source.names:
            raise ValueError(
                f"{source.where} has no column {name!r}{meant(name, source.names)}: the target must be "
                "one of "
                f"{some(list(source.names))}"
            )

    def _columns(self, source: TableSource, name: str) -> Iterator[Any]:
        for batch in source.batches([name]):
            yield batch.column(0)

    def labels(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the labels of class numbers, or quantities as they are."""
        if self.classes is None:
            return codes
        return label_array(self.classes, "classes")[codes]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        classes = None if self.classes is None else list(self.classes)
        return {"name": self.name, "classes": classes, "reason": self.reason}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetEncoder:
        """Return what `to_json` gave."""
        classes = data["classes"]
        if classes is not None and not all(isinstance(each, str | int) for each in classes):
            raise ValueError(f"classes must be text, whole numbers or booleans, got {some(classes)}")
        return cls(str(data["name"]), None if classes is None else tuple(classes), str(data["reason"]))


def say_read_as(read_as: Mapping[str, Label], where: str) -> str:
    """Return the sentence on labels that `codes` took for others."""
    pairs = [f"{word!r} as {str(label)!r}" for word, label in sorted(read_as.items())]
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    return f"{where} has labels with a point at the end: read {', '.join(pairs[:5])}{more}"


def _remedy(found: Any) -> str:
    """Return how to say what words among numbers are, unless another question is to be answered."""
    if WHICH_DECIMAL in found.problem:
        return ""
    return " (say that it is missing, or that the task is classification)"


def _looks(found: Any) -> bool:
    """Return whether strays among numbers are no classes: there are too many different numbers."""
    return bool(found.type == TEXT and found.n_distinct > MAX_CLASSES)


def _infer(found: Any, kind: str) -> tuple[str, str]:
    if kind != NUMBER:
        return decide_task(found.n_distinct, text=kind == TEXT, boolean=kind == BOOLEAN)
    top = max(found.high, -found.low)
    task, reason = decide_task(found.n_distinct, whole=found.whole, top=top)
    if not found.is_number:
        return task, f"{reason}, time spans in seconds"
    return task, reason if found.dress is None else f"{reason}, {found.dress.told}"


def _classes(found: Any, what: str, task: str) -> tuple[Label, ...]:
    if found.counts is None:
        raise ValueError(
            f"{what} must have at most {MOST_VALUES:,} classes, has {found.n_distinct:,}: is it a name "
            "or a number?"
        )
    if found.kind == NUMBER:
        odd = [v for v in found.counts if not float(v).is_integer() or abs(v) >= EXACT]
        if odd:
            raise ValueError(f"{what} must hold classes, whole numbers or text, got {odd[0]}")
    labels = {_label(value) for value in found.counts}
    if found.type == BOOLEAN:  # as text has them: true, TRUE
        labels = {str(label).lower() == "true" for label in labels}
    check_classes(labels, what)
    warn_of_alike(labels, what)
    classes = tuple(sorted(labels, key=lambda c: (str(type(c)), c)))
    if len(classes) < 2:
        raise ValueError(f"{what} must vary, is always {classes[0]!r}")
    if task == "binary" and len(classes) != 2:
        raise ValueError(f"{what} must have 2 classes, has {len(classes)}: {some(classes)}")
    return classes


def _label(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _first_missing(source: TableSource, name: str) -> int:
    row = 0
    for batch in source.batches([name]):
        column = batch.column(0)
        if column.null_count:
            import pyarrow as pa

            return row + int(column.is_null().index(pa.scalar(True)).as_py())
        row += batch.num_rows
    return row
