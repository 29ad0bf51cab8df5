"""A model, asked by rows of JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.table.values import BadValue
from clearprop.engines import choice
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units
from clearprop.serving.limits import Refused

Array = NDArray[Any]
Row = Mapping[str, Any] | Sequence[Any]

# So few rows pass through the compiled engine one after the other: the bits of an answer do not depend
# on what rows are beside it. NumPy's products depend on how many rows there are.
_TOGETHER = 32
_CELLS = (str, int, float, bool, type(None))


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model takes, and what it says.

    Parameters
    ----------
    models : sequence of Model
        In raw units; the first one's inputs and targets are those of all.
    outputs : callable
        From what the networks see of rows to the outputs.
    """

    models: Sequence[Model]
    outputs: Callable[[Array], Array]

    @property
    def model(self) -> Model:
        """Whose inputs and targets count."""
        return self.models[0]

    def prepare(self) -> None:
        """Load what answers, so that the first request does not wait, and is answered as all others."""
        for model in self.models:
            choice.prepare(model.architecture, model.parameters.dtype)

    def inputs(self, rows: Sequence[Row]) -> Array:
        """Return what the networks see of rows, shape (n_rows, n_inputs).

        Raises
        ------
        Refused
            Of the first row that the model does not take.
        """
        try:
            return self._inputs(rows)
        except BadValue as problem:
            raise Refused(422, _said(problem), problem.row, problem.column) from None
        except (ValueError, TypeError) as problem:
            raise _nested(rows) or Refused(422, _said(problem)) from None

    def _inputs(self, rows: Sequence[Row]) -> Array:
        model = self.model
        if model.inputs.encoder is None:
            numbers = [self._numbers(row, number) for number, row in enumerate(rows)]
            return model.rows(np.array(numbers, np.float64))
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise BadValue("a row must be an object with a value for each column", number)
        return model.inputs.of_rows(rows, model.dtype)  # type: ignore[arg-type]

    def _numbers(self, row: Row, number: int) -> list[float]:
        names, n = self.model.feature_names, self.model.architecture.n_features
        if isinstance(row, Mapping):
            if names is None:
                raise BadValue(f"row {number} must be an array of {n} numbers, got an object", number)
            for name in [*names, *row]:
                if name not in row:
                    raise BadValue(f"row {number} lacks {name!r}", number, name)
                if name not in names:
                    raise BadValue(
                        f"row {number} has {name!r:.60}, which the model does not know", number, name
                    )
            cells = [row[name] for name in names]
        else:
            cells = list(row)
            if len(cells) != n:
                raise BadValue(f"row {number} must hold {n} numbers, got {len(cells)}", number)
        for place, cell in enumerate(cells):
            if isinstance(cell, bool) or not isinstance(cell, int | float):
                name = str(place) if names is None else names[place]
                raise BadValue(
                    f"{name!r} of row {number} must be a number, got {cell!r:.60}", number, name
                )
        return cells

    def answer(self, inputs: Array) -> list[dict[str, Any]]:
        """Return what is said of every row, for inputs of shape (n_rows, n_inputs).

        ``{"prediction": label, "probabilities": {label: number}}`` of classes, ``{"prediction":
        number}`` of a quantity, of several an object with each by its name.
        """
        model, a = self.model, self._outputs(inputs)
        targets = model.targets
        if isinstance(targets, Classes) and (labels := model.schema.classes) is not None:
            kind = "probabilities" if model.architecture.output.probabilities else "outputs"
            shares = _plain(targets.probabilities(a))
            names = [str(label) for label in labels]
            return [
                {"prediction": labels[number], kind: dict(zip(names, share, strict=True))}
                for number, share in zip(targets.decided(a), shares, strict=True)
            ]
        told = _plain(targets.decode(a) if isinstance(targets, Units) else a)
        if len(told[0]) == 1:
            return [{"prediction": one} for (one,) in told]
        several = model.target_names or tuple(map(str, range(1, len(told[0]) + 1)))
        return [{"prediction": dict(zip(several, each, strict=True))} for each in told]

    def _outputs(self, inputs: Array) -> Array:
        compiled = all(
            choice.is_there(each.architecture, each.parameters.dtype) for each in self.models
        )
        step = _TOGETHER if compiled else 1
        blocks = (inputs[first : first + step] for first in range(0, len(inputs), step))
        found = [self.outputs(np.ascontiguousarray(block)) for block in blocks]
        return found[0] if len(found) == 1 else np.concatenate(found)


def _plain(numbers: Array) -> list[list[Any]]:
    """Return rows of numbers as JSON has them: in the digits that tell them from their neighbours."""
    if numbers.dtype == np.float32:
        return [[float(str(value)) for value in row] for row in numbers]
    found: list[list[Any]] = numbers.tolist()
    return found


def _said(problem: Exception) -> str:
    """Return a sentence on a request: the rows X of a call are its rows."""
    return str(problem).replace(" of X ", " ").replace("X must", "the row must", 1)


def _nested(rows: Sequence[Row]) -> Refused | None:
    """Return what is wrong where a cell is no cell: an array or an object."""
    for number, row in enumerate(rows):
        for name, cell in row.items() if isinstance(row, Mapping) else ():
            if not isinstance(cell, _CELLS):
                what = "an object" if isinstance(cell, Mapping) else "an array"
                rule = "must be a text, a number, true, false or null"
                sentence = f"{name!r:.60} of row {number} {rule}, got {what}"
                return Refused(422, sentence, number, str(name))
    return None
