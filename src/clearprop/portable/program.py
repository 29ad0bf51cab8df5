"""Program: a model as a small program over raw rows, as data; each export is written from it.

    raw columns -> numbers -> (x - shift) * factor, clip -> embedding, scale -> layers
    -> mean of the members -> calibration, threshold, bounds -> label and probabilities, or quantities

Numbers are prepared in double and then brought to the network's dtype, as everywhere in clearprop.
What a raw value is does not depend on the language: a number is a double, NaN where it is missing; a
category is a text, empty where it is missing, or a number where its column holds numbers; a point in
time is a whole number of microseconds since 1970-01-01T00:00 on its own clock, `NO_TIME` where it is
missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop.activations import Activation
from clearprop.data.scaling import Scaling
from clearprop.data.table.columns import CategoryColumn, Column, NumericColumn, TimeColumn
from clearprop.data.table.values import NUMBER, text_of
from clearprop.input_embedding import Embedding
from clearprop.model import file
from clearprop.model.inputs import Step
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Columns, Indicators, Units
from clearprop.typing import Label

Array = NDArray[Any]

NO_TIME = -(2**63)  # the missing point in time, as NumPy's NaT has it
NUMBERS, WORDS, MIXED, TIMES = "numbers", "words", "numbers or words", "times"
VALUES = {
    NUMBERS: "numbers, NaN where missing",
    WORDS: "texts, empty where missing",
    MIXED: "texts, numbers as digits, empty where missing",
    TIMES: "whole microseconds since 1970-01-01T00:00 on the column's own clock, of a time of day "
    f"since midnight, {NO_TIME} where missing",
}
"""What a raw value is, in words."""
CLASSES, INDICATORS, COLUMNS, QUANTITIES = "classes", "indicators", "columns", "quantities"


class RawColumn(NamedTuple):
    """A column of a raw row: what its values are, and what becomes of one.

    Attributes
    ----------
    column : NumericColumn, CategoryColumn or TimeColumn
        Its name, and with what it is filled, which categories it has, or which parts of a date.
    holds : str
        `NUMBERS`, `WORDS`, `MIXED` or `TIMES`.
    """

    column: Column
    holds: str

    @property
    def name(self) -> str:
        """As in the table."""
        return self.column.name

    @property
    def width(self) -> int:
        """The numbers that a value becomes."""
        return len(self.column.feature_names)


class Codes(NamedTuple):
    """The numbers of a column's categories.

    Attributes
    ----------
    values : list of str or float
        What has the number 0, 1, ...
    other, missing : int
        The numbers of anything else, and of nothing; -1 where they have none.
    """

    values: list[Any]
    other: int
    missing: int


class DenseLayer(NamedTuple):
    """A layer of neurons: ``z = W a + b``, ``a = f(z)``, or ``z + s (f(z) - z)`` with shares s.

    Attributes
    ----------
    weights : ndarray of shape (n_out, n_in)
    biases, shares : ndarray of shape (n_out,), or None
    functions : tuple of str
        The name of the activation; or one for each neuron.
    """

    weights: Array
    biases: Array | None
    functions: tuple[str, ...]
    shares: Array | None


class Member(NamedTuple):
    """A network: what its inputs are embedded with and multiplied by, and its layers."""

    embedding: dict[str, Array]
    scale: Array | None
    layers: tuple[DenseLayer, ...]


class Answer(NamedTuple):
    """What outputs stand for.

    Attributes
    ----------
    kind : str
        `CLASSES`, `INDICATORS`, `COLUMNS` (several classes of a row) or `QUANTITIES`.
    n_outputs : int
    labels : tuple of tuple
        Texts, whole numbers or truths, for the classes of each column; one column but for `COLUMNS`.
    sizes : tuple of int
        Of `COLUMNS`, the outputs of each, which go through a softmax.
    probable : bool
        Whether the outputs are probabilities.
    temperature, smoothing : float or None
        Of the calibration: ``(1 - smoothing) softmax(log(q) / temperature) + smoothing / k``.
    taken_back : tuple of float, or None
        Its slope, below and left: q is ``slope max(p - below, 0) + left``, without label smoothing.
    threshold : float or None
        Of two classes: above which probability the second is told.
    chosen : dict
        Calibration and threshold as the model's file describes them.
    low, high : ndarray of shape (n_outputs,), or None
        Between which quantities lie.
    names : tuple of str
        Of the columns or quantities.
    middle : bool
        Whether outputs are three quantiles of one quantity, whose answer is the middle one.
    """

    kind: str
    n_outputs: int
    labels: tuple[tuple[Label, ...], ...] = ()
    sizes: tuple[int, ...] = ()
    probable: bool = True
    temperature: float | None = None
    smoothing: float | None = None
    taken_back: tuple[float, float, float] | None = None
    threshold: float | None = None
    chosen: dict[str, Any] = {}  # noqa: RUF012 - read only
    low: Array | None = None
    high: Array | None = None
    names: tuple[str, ...] = ()
    middle: bool = False

    @property
    def n_answers(self) -> int:
        """The numbers that are answered of a row."""
        return 1 if self.middle else len(self.labels[0]) if self.kind == CLASSES else self.n_outputs


@dataclass(frozen=True, eq=False)
class Program:
    """A model from raw rows to answers.

    Attributes
    ----------
    dtype : {"float32", "float64"}
        Of everything after the preparation of numbers.
    columns : tuple of RawColumn
        Empty where rows come without names, as one array of numbers.
    n_features : int
        The numbers that they become.
    steps : tuple of Scaling and SmoothClip
    embedding : Embedding or None
        Its arrays are each member's own.
    members : tuple of Member
        Their outputs are averaged, in double.
    answer : Answer
    described : dict
        As the model's file describes the model, for what comes back whole.
    arrays : dict of ndarray
        What the file holds beside parameters.
    """

    dtype: str
    columns: tuple[RawColumn, ...]
    n_features: int
    steps: tuple[Step, ...]
    embedding: Embedding | None
    members: tuple[Member, ...]
    answer: Answer
    described: dict[str, Any]
    arrays: dict[str, Array]

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of all activations, each once, in the order of the layers."""
        names = [name for layer in self.members[0].layers for name in layer.functions]
        return tuple(dict.fromkeys(names))


def program_of(model: Model) -> Program:
    """Return a model as a program, with everything that its file holds: raw rows in, answers out.

    Raises
    ------
    ValueError
        If it has an activation of a user's own, or labels that are no texts, whole numbers or truths.
    """
    model = model.in_raw_units()
    for layer in model.architecture.layers:
        _refuse_own(layer.function)
    several = model.parameters if model.parameters.ndim == 2 else model.parameters[None]
    return Program(
        model.dtype,
        _columns(model),
        model.architecture.n_features,
        model.inputs.steps,
        model.architecture.embedding,
        tuple(_member(model, flat) for flat in several),
        _answer(model),
        file.describe(_with_units_of_one(model)),
        file.arrays_of(model),
    )


def _with_units_of_one(model: Model) -> Model:
    """Return a model in raw units as a file describes it with its bounds, which stand by units."""
    units, n = model.targets, model.architecture.sizes[-1]
    if not isinstance(units, Units) or units.low is None:
        return model
    targets = dataclasses.replace(units, shift=np.zeros(n), factor=np.ones(n))
    return dataclasses.replace(model, targets=targets)


def _refuse_own(function: Activation) -> None:
    for each in function.parts or (function,):
        if not each.built_in:
            raise ValueError(
                f"an exported network must have built-in activations, got {each.name!r}, whose formula "
                "is only in your program"
            )


def _columns(model: Model) -> tuple[RawColumn, ...]:
    encoder, names = model.inputs.encoder, model.feature_names
    if encoder is not None:
        types = {each.name: each.type for each in encoder.decisions}
        return tuple(RawColumn(each, _held(each, types[each.name])) for each in encoder.encoded)
    if names is None or "image_shape" in model.about:  # nobody names a thousand pixels one by one
        return ()
    return tuple(RawColumn(NumericColumn(str(name), np.nan, False), NUMBERS) for name in names)


def _held(column: Column, cell_type: str) -> str:
    if isinstance(column, TimeColumn):
        return TIMES
    if isinstance(column, NumericColumn):
        return MIXED if column.words else NUMBERS
    if cell_type.partition(" ")[0] == NUMBER and all(map(_is_of_number, column.categories)):
        return NUMBERS
    return WORDS


def _is_of_number(word: str) -> bool:
    try:
        return text_of(float(word)) == word
    except ValueError:
        return False


def codes_of(raw: RawColumn) -> Codes:
    """Return the numbers of a column's categories, of which the width of the column says how many."""
    column = raw.column
    assert isinstance(column, CategoryColumn)
    n = len(column.categories)
    other = n if column.pooled else -1
    missing = n + bool(column.pooled) if column.has_missing else -1
    as_numbers = raw.holds == NUMBERS
    return Codes([float(w) if as_numbers else w for w in column.categories], other, missing)


def _member(model: Model, flat: Array) -> Member:
    made = model.architecture
    weights, biases = made.views(flat)
    layers = tuple(
        DenseLayer(W, b, tuple(_names(layer.function)), s)
        for W, b, layer, s in zip(weights, biases, made.layers, made.shares(flat), strict=True)
    )
    return Member(made.embedding_views(flat), made.scale_view(flat), layers)


def _names(function: Activation) -> list[str]:
    return [part.name for part in function.parts] or [(function.plain or function).name]


def _answer(model: Model) -> Answer:
    targets, n = model.targets, model.architecture.sizes[-1]
    probable = model.architecture.output.probabilities
    if isinstance(targets, Units):
        middle = targets.quantiles
        names = model.target_names or (("prediction",) if n == 1 or middle else ())
        low, high = targets.low, targets.high
        return Answer(QUANTITIES, n, low=low, high=high, probable=False, names=names, middle=middle)
    if isinstance(targets, Indicators):
        return Answer(INDICATORS, n, probable=probable)
    if isinstance(targets, Columns):
        labels = tuple(_labels(each) for each in targets.each)
        return Answer(COLUMNS, n, labels, targets.sizes, names=model.target_names or ())
    made = targets.calibration
    return Answer(
        CLASSES,
        n,
        (_labels(targets),),
        probable=probable,
        temperature=None if made is None else made.temperature,
        smoothing=None if made is None else made.smoothing,
        taken_back=None if made is None else made.taken_back(targets.n_classes),
        threshold=targets.threshold,
        chosen=targets.describe_choices(),
    )


def _labels(known: Classes) -> tuple[Label, ...]:
    found = range(known.n_classes) if known.labels is None else known.labels.tolist()
    whole = [int(each) if isinstance(each, float) and each.is_integer() else each for each in found]
    types = {type(each) for each in whole}
    if types not in ({str}, {int}, {bool}):
        raise ValueError(
            "an exported network must have classes that are all texts, whole numbers or truths, got "
            f"{_shown(whole)}"
        )
    return tuple(whole)


def _shown(values: Sequence[Any]) -> str:
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return ", ".join(repr(each)[:40] for each in values[:3]) + more


def scalings(program: Program) -> list[Scaling]:
    """Return the shifts and factors among the steps, in their order."""
    return [step for step in program.steps if isinstance(step, Scaling)]
