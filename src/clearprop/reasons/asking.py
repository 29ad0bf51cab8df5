"""From rows, as networks see them, to reasons: what is explained, from which baseline, by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import engines, randomness
from clearprop.model.inputs import Inputs, narrowed
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Columns, Indicators, Units
from clearprop.reasons.answer import Answer, LogOdds, Quantity
from clearprop.reasons.integrals import RELATIVE, Contributions, contributions
from clearprop.reasons.lines import Explained
from clearprop.reasons.result import Reasons, Values
from clearprop.typing import Label

Floats = NDArray[np.float64]

MOST_BASELINES = 64  # rows of many that expected gradients are taken against


class Rows(NamedTuple):
    """Rows as the networks see them, and what they hold."""

    inputs: Floats  # of shape (n_rows, n_inputs)
    values: Values


@dataclass(frozen=True, eq=False)
class Asked:
    """Models of one table that answer together.

    Parameters
    ----------
    models : sequence of Model
    weights : sequence of float
        How much each counts; of sum 1.
    """

    models: Sequence[Model]
    weights: Sequence[float] = (1.0,)

    def reasons(
        self,
        rows: Rows,
        baseline: Rows | None = None,
        of: Label | None = None,
        relative: float = RELATIVE,
    ) -> Reasons:
        """Return why the models answer rows as they do.

        Parameters
        ----------
        rows : Rows
        baseline : Rows, optional
            One, or many, of which at most `MOST_BASELINES` are taken, always the same. None is the
            median row.
        of : label, str or int, optional
            Which label's log odds, or which of several quantities, by its name or number. None is the
            second of two classes, of more the class that is told of each row, or the only quantity.
        relative : float
            As in `integrals.contributions`.

        Raises
        ------
        ValueError
            If there is no such label or quantity, or no median row is known.
        """
        base, row = self._baseline(baseline)
        numbers = self._numbers(rows.inputs, of)
        n_rows = len(rows.inputs)
        found = _nothing(n_rows, rows.inputs.shape[1])
        baselines = np.zeros(n_rows)
        for number in np.unique(numbers):
            mine = np.flatnonzero(numbers == number)
            answer, spread = self._answer(int(number))
            made = self._contributions(answer, rows.inputs[mine], base, spread, relative)
            baselines[mine] = made.baseline
            for name in ("parts", "answer", "error", "n_steps"):
                getattr(found, name)[mine] = getattr(made, name)
        told = self._told(numbers)
        parts = _by_column(self.models[0].inputs, found.parts)
        fields = (found.answer, baselines, told, found.error, found.n_steps, rows.values, row)
        return Reasons(rows.values.columns, parts, *fields)

    def told(self, inputs: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
        """Return the number of the class that each row is told to be, and its probability.

        Parameters
        ----------
        inputs : ndarray of shape (n_rows, n_inputs)
            As the networks see rows.
        """
        targets = self.models[0].targets
        if not isinstance(targets, Classes):
            nothing = np.zeros(len(inputs))
            return nothing.astype(np.int64), nothing
        p = np.zeros((len(inputs), targets.n_classes))
        for model, weight in zip(self.models, self.weights, strict=True):
            rows = np.ascontiguousarray(inputs, model.dtype)
            a = engines.predict(model.architecture, model.parameters, rows)
            assert isinstance(model.targets, Classes)
            p += weight * model.targets.probabilities(a)
        numbers = targets.decided(a) if len(self.models) == 1 else p.argmax(axis=1)
        return numbers, p[np.arange(len(p)), numbers]

    def _contributions(
        self, answer: Answer, rows: Floats, base: Floats, spread: float, relative: float
    ) -> Contributions:
        all_narrow = all(model.dtype == "float32" for model in self.models)
        dtypes = ("float32", "float64") if all_narrow else ("float64",)
        made = [Explained(self.models, answer, dtype) for dtype in dtypes]
        return contributions(made, rows, base, spread, relative)

    # From what

    def _baseline(self, given: Rows | None) -> tuple[Floats, Mapping[str, Any] | None]:
        if given is None:
            return median_row(self.models[0])
        inputs, values = given
        if len(inputs) == 1:
            return inputs, {name: values.cell(0, at) for at, name in enumerate(values.columns)}
        if len(inputs) > MOST_BASELINES:
            order = randomness.permutation(0, len(inputs), step=0, purpose=randomness.HOLDOUT)
            inputs = inputs[np.sort(order[:MOST_BASELINES])]
        return inputs, None

    # Of what

    def _numbers(self, inputs: Floats, of: Label | None) -> NDArray[np.int64]:
        """Return the number of the label or quantity that is explained of every row."""
        model, targets = self.models[0], self.models[0].targets
        if isinstance(targets, Columns):
            raise ValueError(
                "reasons are of one label or quantity of a row, the model tells "
                f"{len(targets.each)} columns of labels"
            )
        if isinstance(targets, Classes):
            return self._numbers_of_classes(targets, inputs, of)
        names: Sequence[object] = model.target_names or range(model.architecture.sizes[-1])
        if isinstance(targets, Units) and targets.quantiles:
            names = ("prediction",)
        if of is None and len(names) > 1:
            raise ValueError(f"of must be one of {_listed(names)}: which of them is to be explained?")
        return np.full(len(inputs), 0 if of is None else _place(of, names), np.int64)

    def _numbers_of_classes(
        self, targets: Classes, inputs: Floats, of: Label | None
    ) -> NDArray[np.int64]:
        labels = range(targets.n_classes) if targets.labels is None else targets.labels.tolist()
        if targets.n_classes == 1:
            raise ValueError("reasons need two labels that could be told, the model knows one")
        if of is not None or targets.n_classes == 2:
            number = 1 if of is None else _place(of, labels)
            return np.full(len(inputs), number, np.int64)
        each = [LogOdds(self.models, self.weights, number) for number in range(targets.n_classes)]
        dtype = self.models[0].dtype
        values = [Explained(self.models, one, dtype).value(inputs) for one in each]
        return np.argmax(values, axis=0)

    def _answer(self, number: int) -> tuple[Answer, float]:
        """Return what is explained, and the spread of its answers as far as it is known."""
        model = self.models[0]
        if isinstance(model.targets, Classes | Indicators):
            output = model.architecture.output
            if not output.probabilities:
                return Quantity(self.models, self.weights, number), 1.0
            alone = output.elementwise and model.architecture.sizes[-1] > 1
            return LogOdds(self.models, self.weights, number, alone), 1.0
        factor = model.targets.factor if isinstance(model.targets, Units) else None
        spread = 0.0 if factor is None else float(np.resize(factor, number + 1)[number])
        return Quantity(self.models, self.weights, number), spread

    def _told(self, numbers: NDArray[np.int64]) -> tuple[str, ...]:
        """Return what is explained of every row, in words."""
        model, targets = self.models[0], self.models[0].targets
        if isinstance(targets, Classes):
            labels = range(targets.n_classes) if targets.labels is None else targets.labels.tolist()
            kind = "log odds" if model.architecture.output.probabilities else "output"
            return tuple(f"{kind} of {labels[number]!r}" for number in numbers)
        if isinstance(targets, Indicators):
            return tuple(f"log odds of label {number}" for number in numbers)
        one = model.schema.target or "prediction"
        names = model.target_names or (one,)
        return tuple(names[n] if len(names) > 1 else one for n in numbers)


def median_row(model: Model) -> tuple[Floats, Mapping[str, Any]]:
    """Return the median row of the training as a network sees it, and what it holds.

    Raises
    ------
    ValueError
        If the model's file does not say it.
    """
    encoder, scaling = model.inputs.encoder, model.inputs.scaling
    if encoder is not None:
        row, numbers = encoder.middle()
    elif scaling is not None and scaling.shift.size == model.architecture.n_features:
        numbers = scaling.shift[None]
        row = dict(zip(names_of(model), numbers[0].tolist(), strict=True))
    else:
        raise ValueError(
            "baseline must be given, a row or the rows of the training: the model keeps no median of "
            "what it learned from, as preprocessing='robust' does"
        )
    return model.inputs(narrowed(numbers, model.dtype)).astype(np.float64), row


def names_of(model: Model) -> tuple[str, ...]:
    """Return what the columns of a model's numbers are called."""
    return model.feature_names or tuple(f"x{k}" for k in range(model.architecture.n_features))


def rows_of_numbers(model: Model, X: NDArray[Any], names: tuple[str, ...] | None = None) -> Rows:
    """Return rows of numbers, which have no table's encoder, as networks see them."""
    columns = names or names_of(model)
    inputs = model.inputs(narrowed(X, model.dtype)).astype(np.float64)
    return Rows(inputs, Values(columns, list(X.T)))


def rows_of_network(model: Model, X: ArrayLike, argument: str) -> Rows:
    """Return rows as a network takes them, checked, as it sees them."""
    inputs = model.rows(X, argument).astype(np.float64)
    return Rows(inputs, Values(names_of(model), list(np.asarray(X).T)))


def rows_of_table(model: Model, table: Any) -> Rows:
    """Return rows of a raw table, read as that of the training, as networks see them.

    Parameters
    ----------
    model : Model
    table : pyarrow.Table
        With the encoder's columns.
    """
    return rows_of_inputs(model, model.inputs.of_batch(table, model.dtype), table)


def rows_of_inputs(model: Model, inputs: NDArray[Any], table: Any) -> Rows:
    """Return rows of a raw table that are encoded already, with what they hold."""
    columns = model.inputs.columns
    cells = [table.column(name) for name in columns]
    return Rows(inputs.astype(np.float64), Values(columns, cells))


def _by_column(inputs: Inputs, parts: Floats) -> Floats:
    """Return the sums over the numbers that each column of a table became."""
    if inputs.encoder is None:
        return parts
    widths = [len(each.feature_names) for each in inputs.encoder.encoded]
    found: Floats = np.add.reduceat(parts, np.cumsum([0, *widths[:-1]]), axis=1)
    return found


def _nothing(n_rows: int, n_inputs: int) -> Contributions:
    of_rows = np.zeros((3, n_rows))
    return Contributions(
        np.zeros((n_rows, n_inputs)), of_rows[0], 0.0, of_rows[1], of_rows[2].astype(np.int64)
    )


def _place(of: Label, names: Sequence[object]) -> int:
    known = list(names)
    if of in known:
        return known.index(of)
    texts = [str(name) for name in known]
    if str(of) in texts:
        return texts.index(str(of))
    raise ValueError(f"of must be one of {_listed(known)}, got {of!r}")


def _listed(names: Sequence[object]) -> str:
    some = ", ".join(map(repr, list(names)[:10]))
    return some + (f" and {len(names) - 10} more" if len(names) > 10 else "")
