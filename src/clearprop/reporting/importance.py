"""How much the answers rest on each column: what is lost when its cells are dealt to other rows.

Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019): a column is put in another order
and the loss measured again. Columns that say the same stand in for one another, so that each alone
seems to matter little: those that go together are dealt out together as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clearprop import randomness
from clearprop.evaluation import log_losses
from clearprop.reporting.association import together
from clearprop.reporting.insights import ColumnImportance, Importance
from clearprop.reporting.subject import RawColumn, Subject
from clearprop.reporting.value import Value

Array = NDArray[Any]

_REPEATS, _FEWER_REPEATS, _MANY_COLUMNS = 5, 2, 100
_WORK = 1.5e11  # multiply-adds that all repetitions may take
_FEWEST, _MOST = 200, 10_000  # rows
_NORMAL = 1.959963984540054  # 97.5 % of a normal distribution lie below


class _Base(NamedTuple):
    """The rows, in their own order."""

    inputs: Array
    y: Array
    losses: Array


def importance(subject: Subject) -> Importance:
    """Return what the loss grows by for each column, and for columns that go together."""
    groups = together(subject)
    repeats = _REPEATS if len(subject.columns) <= _MANY_COLUMNS else _FEWER_REPEATS
    rows = subject.sample(_rows(subject, repeats, len(groups)), 2, np.flatnonzero(subject.known))
    assert subject.y is not None
    inputs, y = subject.inputs(subject.numbers[rows]), subject.y[rows]
    base = _Base(inputs, y, losses(subject, subject.outputs[rows], y))
    orders = np.stack(
        [
            randomness.permutation(0, len(rows), step=step, purpose=randomness.EVALUATION)
            for step in range(repeats)
        ]
    )
    each, joint = (
        [
            ColumnImportance(tuple(one.name for one in some), _grown(subject, base, some, orders))
            for some in several
        ]
        for several in ([[one] for one in subject.columns], groups)
    )
    metric = metric_of(subject)
    value = float(base.losses.mean())
    return Importance(
        metric=metric,
        now=value**0.5 if metric == "rmse" else value,
        rows=len(rows),
        repeats=repeats,
        columns=tuple(sorted(each, key=lambda found: -found.lost.value)),
        groups=tuple(sorted(joint, key=lambda found: -found.lost.value)),
    )


def metric_of(subject: Subject) -> str:
    """Return the name of the loss whose growth counts."""
    if not subject.classes:
        return "rmse"
    return "log_loss" if subject.is_probable else "error rate"


def losses(subject: Subject, a: Array, y: Array) -> Array:
    """Return what each row loses by its outputs: squared error, log loss, or 1 where it is wrong."""
    targets: Any = subject.model.targets
    if not subject.classes:
        squared: Array = (targets.decode(a)[:, 0].astype(np.float64) - y) ** 2
        return squared
    if subject.is_probable:
        return log_losses(subject.probabilities_of(a), y)
    return (targets.decided(a) != y).astype(np.float64)


def _rows(subject: Subject, repeats: int, n_groups: int) -> int:
    made = subject.model.architecture
    weights = sum(n * m for n, m in zip(made.widths[:-1], made.widths[1:], strict=True))
    times = repeats * (len(subject.columns) + n_groups) * subject.model.n_members
    return int(min(max(_WORK // (weights * times), _FEWEST), _MOST))


def _grown(subject: Subject, base: _Base, columns: list[RawColumn], orders: NDArray[np.int64]) -> Value:
    """Return what the loss grows by where the cells of some columns are those of other rows."""
    features = np.concatenate([np.arange(*each.features.indices(1 << 62)) for each in columns])
    n = len(base.y)
    dealt = np.tile(base.inputs, (len(orders), 1))
    dealt[:, features] = base.inputs[orders.ravel()][:, features]
    each = losses(subject, subject.ask_inputs(dealt), np.tile(base.y, len(orders)))
    lost = each.reshape(len(orders), n)
    if metric_of(subject) == "rmse":
        roots = np.sqrt(lost.mean(axis=1))
        now, grown = float(np.sqrt(base.losses.mean())), float(np.sqrt(lost.mean()))
        tiny = np.finfo(np.float64).tiny
        by_row = lost.mean(axis=0) / max(2 * grown, tiny) - base.losses / max(2 * now, tiny)
        difference = grown - now
    else:
        roots = lost.mean(axis=1)
        by_row = lost.mean(axis=0) - base.losses
        difference = float(by_row.mean())
    spread = by_row.var() / n + roots.var(ddof=1) / len(orders)
    half = _NORMAL * float(np.sqrt(spread))
    if half < 1e-12 * max(float(roots.mean()), difference):  # which is rounding
        half = 0.0
    return Value(difference, difference - half, difference + half)


def strongest(subject: Subject, found: Importance, most: int) -> tuple[RawColumn, ...]:
    """Return the columns that the answers rest on most, those that they surely rest on alone."""
    by_name = {each.name: each for each in subject.columns}
    sure = [each.columns[0] for each in found.columns if (each.lost.low or 0.0) > 0]
    return tuple(by_name[name] for name in sure[:most])
