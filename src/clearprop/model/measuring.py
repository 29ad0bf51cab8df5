"""How good a model is on rows whose targets are known: numbers of classes, or quantities."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop import engines, metrics
from clearprop.engines import Data
from clearprop.evaluation import ClassTally, QuantityTally, wilson_interval
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units

Array = NDArray[Any]
Asked = Callable[[Array, Array], tuple[Array, float]]  # inputs and targets: outputs and their cost

_LEVEL, _REPLICATES = 0.95, 200  # of the intervals beside what is measured after a training


def measure(model: Model, X: Array, Y: Array) -> dict[str, float]:
    """Return cost and accuracy, or cost, mae, rmse and r2, of a model in raw units.

    Parameters
    ----------
    model : Model
    X : ndarray of shape (n_samples, n_features)
        Raw, as `Network.predict` takes it.
    Y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Numbers of classes: those beyond the model's count as wrong, and the cost is over the other
        rows, NaN without any. Or quantities.
    """
    n, targets = len(Y), model.targets
    if isinstance(targets, Classes):
        known = targets.n_classes > Y
        if not known.all():
            X, Y = X[known], Y[known]
        if not len(Y):
            return {"cost": float("nan"), "accuracy": 0.0}
    encoded = model.encode_numbers(Y)
    a, cost = evaluate(model, model.rows(X), encoded)
    if isinstance(targets, Classes):
        accuracy = float(np.mean(targets.right(a, encoded)))
        return {"cost": cost, "accuracy": accuracy if len(Y) == n else accuracy * len(Y) / n}
    return {"cost": cost} | measure_quantities(a, encoded)


def measure_prepared(
    model: Model, data: Data, *, sure: bool = False, asked: Asked | None = None
) -> dict[str, Any]:
    """Return the number of rows, cost and accuracy, or cost, mae, rmse and r2 in the target's units.

    Parameters
    ----------
    model : Model
    data : Data
        As a training takes it: its cost is that of what the network learns.
    sure : bool
        Whether to add "intervals", of `intervals`.
    asked : callable, optional
        As in `Measured`, for rows without weights.
    """
    a, cost = evaluate(model, *data) if asked is None else asked(data.X, data.Y)
    found: dict[str, Any] = {"n_samples": len(data.X), "cost": float(cost)}
    if not isinstance(model.targets, Units):
        found["accuracy"] = float(np.mean(model.targets.right(a, data.Y)))
        return found | ({"intervals": intervals(found)} if sure else {})
    wide = predicted_and_true(model.targets, a, data.Y)
    found |= measure_quantities(*wide)
    return found | ({"intervals": intervals(found, *wide)} if sure else {})


def predicted_and_true(units: Units, a: Array, Y: Array) -> tuple[Array, Array]:
    """Return outputs and encoded targets in the units of the answers, in float64."""
    true = units.middle(units.in_own_units(Y.astype(np.float64)))
    return units.decode(a.astype(np.float64)), true


def intervals(
    found: dict[str, Any], a: Array | None = None, Y: Array | None = None
) -> dict[str, list[float]]:
    """Return how far another sample of as many rows could move what was measured: 95 % intervals.

    Of an accuracy Wilson's; of quantities, shape (n_samples, n_outputs), the bootstrap's.

    Parameters
    ----------
    found : dict
        "n_samples", and the metrics.
    a, Y : ndarray, optional
        Predicted and true quantities.
    """
    if a is None or Y is None:
        return {"accuracy": list(wilson_interval(found["accuracy"], found["n_samples"], _LEVEL))}
    tally = QuantityTally()
    tally.add(a, Y)
    drawn = tally.result(_REPLICATES, _LEVEL).intervals
    return {name: [float(low), float(high)] for name, (low, high) in drawn.items()}


def measure_quantities(a: Array, Y: Array) -> dict[str, float]:
    """Return mae, rmse and r2 of predicted quantities, shape (n_samples, n_outputs)."""
    return {name: float(metrics.METRICS[name](a, Y)) for name in ("mae", "rmse", "r2")}


def evaluate(model: Model, inputs: Array, Y: Array, weight: Array | None = None) -> tuple[Array, float]:
    """Return outputs and cost for what the network sees, and targets as its cost takes them."""
    return engines.evaluate(model.architecture, model.parameters, Data(inputs, Y, weight))


class Measured:
    """The tally of a model's outputs, and its mean cost, over rows that come in blocks.

    Parameters
    ----------
    model : Model
        In raw units.
    seed : int
        Of the bootstrap.
    asked : callable, optional
        Takes inputs and targets, and returns outputs and their cost; None asks the model.
    """

    def __init__(
        self,
        model: Model,
        seed: int,
        asked: Asked | None = None,
    ) -> None:
        self.model, self._asked = model, asked or partial(evaluate, model)
        self.n_known, self._costs = 0, 0.0
        single, output = model.architecture.sizes[-1] == 1, model.architecture.output
        self.tally: ClassTally | QuantityTally = QuantityTally(seed)
        if isinstance(model.targets, Classes):
            probable = output.probabilities and (single or not output.elementwise)
            self.tally = ClassTally(model.targets.n_classes, probabilities=probable, seed=seed)

    @property
    def cost(self) -> float:
        """The mean cost of the rows whose labels are known, NaN without any."""
        return self._costs / self.n_known if self.n_known else float("nan")

    def add(self, inputs: Array, Y: Array) -> None:
        """Add rows: what the network sees, and class numbers (others are unknown) or quantities."""
        model, known = self.model, np.ones(len(Y), bool)
        if isinstance(model.targets, Classes):
            known = (Y >= 0) & (model.targets.n_classes > Y)
        targets = model.encode_numbers(np.where(known, Y, 0) if not known.all() else Y)
        a, cost = self._asked(inputs, targets)
        if not known.all():
            cost = self._asked(inputs[known], targets[known])[1] if known.any() else 0.0
        n = int(known.sum())
        self.n_known += n
        self._costs += cost * n if model.architecture.cost.reduction == "mean" else cost
        if isinstance(self.tally, ClassTally) and isinstance(model.targets, Classes):
            self.tally.add(model.targets.probabilities(a), Y, model.targets.decided(a))
        else:
            if isinstance(units := model.targets, Units):
                a, targets = units.middle(units.bounded(a)), units.middle(targets)
            self.tally.add(a, targets)

    def add_table(
        self,
        what: Any,
        target: str | None = None,
        note: Callable[[str], None] | None = None,
        gaps: str = "drop",
    ) -> list[str]:
        """Add the rows of a raw table, batch by batch; return labels that the model does not know.

        Parameters
        ----------
        what : path or table
        target : str, optional
            The target's column, if it is not called as in training.
        note : callable, optional
            Is told what is not used, and what is read otherwise than it is written.
        gaps : {"drop", "refuse"}
            What becomes of rows without a target.
        """
        model = self.model
        column, known = model.column, isinstance(model.targets, Classes)
        if column is None:
            raise ValueError("the model does not take raw tables")
        from clearprop.data.table.target import say_read_as

        source = model.inputs.open(what)
        name = target or column.name
        if note is not None:
            model.inputs.say_unknown(source, note, name)
        column.check(source, name)
        source = source.with_target(name, gaps)
        strangers: set[str] = set()
        read_as: dict[str, Any] = {}
        columns = list(model.inputs.columns)
        for batch in source.batches(list(dict.fromkeys([*columns, name]))):
            labels = batch.column(name)
            codes = column.codes(labels, read_as)
            if known:
                strangers |= {str(labels[int(row)].as_py()) for row in np.flatnonzero(codes < 0)}
            self.add(model.inputs.of_batch(batch.select(columns), model.dtype), codes)
        if read_as and note is not None:
            note(say_read_as(read_as, source.where))
        return sorted(strangers)
