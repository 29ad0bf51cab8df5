"""Of a report's tree: where a model is wrong, on what it rests, and what is strange about columns."""

from __future__ import annotations

from dataclasses import dataclass

from clearprop.reporting.value import Numbers, Value


@dataclass(frozen=True)
class Segment:
    """Rows by what a column holds; `behind`: how much larger their error is than the others'."""

    column: str
    name: str
    n: int
    score: Value
    behind: Value


@dataclass(frozen=True)
class Segments:
    """Segments in the order of how far they fall behind at least; the intervals hold together.

    Parameters
    ----------
    measure : {"accuracy", "mae"}
    all_rows : float
        The same of all rows.
    found : tuple of Segment
    empty : tuple of str
        Categories of the training that no row has.
    constant : tuple of str
        Columns that hold the same in every row.
    """

    measure: str
    all_rows: float
    found: tuple[Segment, ...]
    empty: tuple[str, ...]
    constant: tuple[str, ...]


@dataclass(frozen=True)
class Reason:
    """How far a column moved an answer, in log odds or in units of the target."""

    column: str
    cell: str
    moved: float


@dataclass(frozen=True)
class WorstRow:
    """A row that the model is wrong about: which row of the data, counted from 0.

    Parameters
    ----------
    row : int
    cells : tuple of str
        As `WorstRows.columns` are in order.
    true, predicted : str or float
    said : float, optional
        The probability of the true class.
    loss : float
        Its log loss, or the absolute error.
    of : str
        What the reasons are of: log odds of a label, or the quantity.
    reasons : tuple of Reason
    """

    row: int
    cells: tuple[str, ...]
    true: str | float
    predicted: str | float
    said: float | None
    loss: float
    of: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class WorstRows:
    """The rows that the model is most wrong about; `baseline` is from what the reasons move."""

    columns: tuple[str, ...]
    rows: tuple[WorstRow, ...]
    baseline: str


@dataclass(frozen=True)
class ColumnImportance:
    """What the loss grows by where the cells of a column, or of several, are those of other rows."""

    columns: tuple[str, ...]
    lost: Value


@dataclass(frozen=True)
class Importance:
    """Permutation importance of each column, and of columns that go together; `now` is the loss."""

    metric: str
    now: float
    rows: int
    repeats: int
    columns: tuple[ColumnImportance, ...]
    groups: tuple[ColumnImportance, ...]


@dataclass(frozen=True)
class Dependence:
    """The answer over the values of a column: the mean of rows, and single ones.

    Parameters
    ----------
    column, kind : str
    names : tuple of str
        The values, as they are written.
    x : tuple of float
        The values as numbers, or their places.
    of : tuple of str
        The classes whose probability it is, or the quantity.
    means : tuple of tuple of float
        A curve for each of these.
    curves : tuple of tuple of float
        Of single rows, of the first of these.
    rows : int
        In the mean.
    """

    column: str
    kind: str
    names: tuple[str, ...]
    x: Numbers
    of: tuple[str, ...]
    means: tuple[Numbers, ...]
    curves: tuple[Numbers, ...]
    rows: int


@dataclass(frozen=True)
class ColumnDrift:
    """How far a column is from what it was in training.

    Parameters
    ----------
    column : str
    chance : float
        How often rows of the training's distribution would differ so much, corrected for all columns.
    elsewhere : float
        The share of rows that would have to move for the shares of all slices to be the same.
    most : str
        The slice, or the category, whose share differs most.
    then, now : float
        That share.
    drifted : bool
    """

    column: str
    chance: float
    elsewhere: float
    most: str
    then: float
    now: float
    drifted: bool


@dataclass(frozen=True)
class Drift:
    """Every column against the training: drifted ones first, the farthest first."""

    n_then: int
    n_now: int
    columns: tuple[ColumnDrift, ...]


@dataclass(frozen=True)
class Leak:
    """How much a column tells alone of rows that were not looked at."""

    column: str
    told: float
    suspect: bool


@dataclass(frozen=True)
class Leaks:
    """The columns that tell most alone; `nothing` is what is told without any."""

    measure: str
    nothing: float
    rows: int
    columns: tuple[Leak, ...]
