"""What a report says, as plain data: the tree that `Report.to_dict` writes, and of which the page is.

Every class is frozen and holds numbers, texts and tuples of such. Figures are floats of full precision;
None stands for what these rows do not say. Of what is computed on a sample, `rows` says of how many.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clearprop.reporting.insights import Dependence, Drift, Importance, Leaks, Segments, WorstRows
from clearprop.reporting.value import Numbers, Value

FORMAT = "clearprop-report/1"


# What was learned from what


@dataclass(frozen=True)
class File:
    """A file that was read: its name, the checksum of its bytes, and when it was last changed (UTC)."""

    name: str
    sha256: str
    modified: str


@dataclass(frozen=True)
class Result:
    """What the training measured on rows that it had not learned from; `part` says which."""

    part: str
    n_rows: int
    values: dict[str, Value]


@dataclass(frozen=True)
class About:
    """What the report is about.

    Parameters
    ----------
    version : str
        Of clearprop, which made the report.
    model, data : File, optional
        None of what was given as an object.
    network : str
        In a line.
    trained : dict
        What the model says of its training: "data", "n_samples", "epochs", "steps", "seed", "stopped".
    result : Result, optional
    task, target : str
    classes : tuple of str
        Empty of a quantity.
    n_rows, n_without_target, n_used : int
        Rows of the data; those left out; those that the report looks at.
    same_data : bool
        Whether these are the rows, or the file, that the model learned from.
    """

    version: str
    model: File | None
    data: File | None
    network: str
    trained: dict[str, int | str]
    result: Result | None
    task: str
    target: str | None
    classes: tuple[str, ...]
    n_rows: int
    n_without_target: int
    n_used: int
    same_data: bool


@dataclass(frozen=True)
class ColumnOfTable:
    """A column, what became of it in training, and its gaps in these rows (None: it is not read)."""

    name: str
    kind: str
    reason: str
    n_inputs: int
    n_missing: int | None


@dataclass(frozen=True)
class Course:
    """The training, epoch by epoch; `kept` is the epoch whose network the model is."""

    epochs: tuple[int, ...]
    columns: dict[str, Numbers]
    kept: int | None


# How good it is


@dataclass(frozen=True)
class Contestant:
    """The network, or a baseline that learned these rows in folds.

    Parameters
    ----------
    name : str
    n_learned : int, optional
        The rows that a baseline has learned from, of each fold.
    values : dict of Value
    better : Value, optional
        By how much the network is better than it in `Performance.main`, paired by rows.
    """

    name: str
    n_learned: int | None
    values: dict[str, Value]
    better: Value | None = None


@dataclass(frozen=True)
class Performance:
    """The metrics of the network, and of baselines on the same rows, or on `n_compared` of them.

    A baseline answers each of `n_folds` parts having learned from the others.
    """

    main: str
    contestants: tuple[Contestant, ...]
    cost: float
    cost_name: str
    n_rows: int
    n_compared: int
    n_folds: int
    n_unknown: int
    unknown: tuple[str, ...]
    replicates: int
    wilson: bool
    ece: float | None = None
    ece_by_chance: float | None = None


@dataclass(frozen=True)
class Confusion:
    """How often a class (first index) was told as another (second): rows of known labels."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    n_unknown: tuple[int, ...]  # rows of unknown labels, by what they were told as


@dataclass(frozen=True)
class Curve:
    """Points of a curve from left to right, and the area under it."""

    name: str
    x: Numbers
    y: Numbers
    area: float
    n_positive: int


@dataclass(frozen=True)
class Bin:
    """Rows whose probability lies in a range: what was said of them, and how often it came true."""

    n: int
    said: float
    came: Value


@dataclass(frozen=True)
class Reliability:
    """Bins of as many rows each; `of` says of what the probabilities are."""

    of: str
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Scores:
    """A histogram of probabilities for each group of rows."""

    of: str
    edges: Numbers
    counts: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Thresholds:
    """Of two classes: how many rows of each are told as the second, above each threshold."""

    positive: str
    negative: str
    n_positive: int
    n_negative: int
    current: float
    at: Numbers
    false_positives: tuple[int, ...]
    false_negatives: tuple[int, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Choice:
    """The threshold of least cost where a missed positive costs so many false alarms."""

    ratio: float
    threshold: float
    cost: float
    cost_now: float


@dataclass(frozen=True)
class Group:
    """Rows that are next to one another: the middle, and how far the truth is from the prediction.

    Parameters
    ----------
    name : str
        The range, or the category.
    n : int
    middle : float
        The median of what the rows are ordered by; of categories, their place.
    error : Value
        The mean of true less predicted.
    rmse : float
    """

    name: str
    n: int
    middle: float
    error: Value
    rmse: float


@dataclass(frozen=True)
class Over:
    """True less predicted over a column, or over the prediction."""

    column: str
    kind: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Fit:
    """Predicted against true quantities: a sample of points, and residuals.

    Parameters
    ----------
    rows : int
        In the sample.
    predicted, true : tuple of float
        The sample.
    quantiles : dict
        Of true less predicted: "5 %", "25 %", "50 %", "75 %", "95 %".
    over : tuple of Over
        The prediction, and the strongest columns.
    """

    rows: int
    predicted: Numbers
    true: Numbers
    quantiles: dict[str, float]
    over: tuple[Over, ...]


@dataclass(frozen=True)
class Coverage:
    """Whether intervals hold as many rows as they say; `reason` is why there are none."""

    level: float
    held: Value
    width: float


@dataclass(frozen=True)
class Figures:
    """A whole report."""

    about: About
    columns: tuple[ColumnOfTable, ...]
    course: Course | None
    performance: Performance | None = None
    confusion: Confusion | None = None
    roc: tuple[Curve, ...] = ()
    precision_recall: tuple[Curve, ...] = ()
    reliability: Reliability | None = None
    scores: Scores | None = None
    thresholds: Thresholds | None = None
    fit: Fit | None = None
    coverage: tuple[Coverage, ...] = ()
    segments: Segments | None = None
    worst: WorstRows | None = None
    importance: Importance | None = None
    dependence: tuple[Dependence, ...] = ()
    drift: Drift | None = None
    leaks: Leaks | None = None
    notes: dict[str, str] = field(default_factory=dict)  # by section: what is not there, and why
    format: str = FORMAT
