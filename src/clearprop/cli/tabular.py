"""``clearprop train`` with a table: what becomes of its columns, an estimator, and its model."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import errors, files, model, report, running, setup, table_options, terminal
from clearprop.cli.setup import Options
from clearprop.data.table import (
    ColumnDecision,
    Roles,
    TableSource,
    TargetEncoder,
    decide,
    open_table,
    streamed,
)
from clearprop.data.tables import choose_target
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.session import Session
from clearprop.estimators.table_model import TableModel
from clearprop.training.supply import InMemory

Array = NDArray[Any]


@dataclasses.dataclass
class Rows:
    """What an estimator is fitted to."""

    X: Any  # a pyarrow Table
    y: Array
    weight: Array | None = None
    groups: Array | None = None

    def part(self, rows: Array) -> Rows:
        """Return some of the rows."""
        pick = [None if each is None else each[rows] for each in (self.weight, self.groups)]
        return Rows(self.X.take(rows), self.y[rows], *pick)


def run(options: Options) -> int:
    """Train on a table as the options say; return the exit code."""
    running.refuse_same(options, options.output)
    files.check_log(options.log)
    resumes = running.check_checkpoint(options)
    unchanged = streamed.watch(options.data)
    source = open_table(options.data, table_options.read_options(options))
    target = TargetEncoder.learn(source, _target_name(source, options), options.task)
    roles = table_options.roles(options, target.name)
    decisions = decide(
        source,
        roles,
        columns=table_options.names(options.columns) or None,
        drop=table_options.names(options.drop),
        categorical=table_options.names(options.categorical),
        kinds=dict.fromkeys(table_options.names(options.numeric), "numeric"),
    )
    output = running.check_output(options, table_options.model_name(options.data))
    run = _Run(options, source, target, roles, decisions, output, resumes)
    if table_options.is_streamed(options, source, decisions):
        return run.train(run.streamed(unchanged))
    return run.train(run.in_memory())


def _target_name(source: TableSource, options: Options) -> str:
    from pathlib import Path

    name = choose_target(source.names, options.target, True, Path(source.where))
    assert name is not None
    return name


class _Run:
    """One training from the command line."""

    def __init__(
        self,
        options: Options,
        source: TableSource,
        target: TargetEncoder,
        roles: Roles,
        decisions: tuple[ColumnDecision, ...],
        output: str,
        resumes: bool,
    ) -> None:
        self.options, self.source, self.target, self.roles = options, source, target, roles
        self.decisions, self.output, self.resumes = decisions, output, resumes
        self.seed = setup.choose_seed(options)
        horizon = self._horizon()
        kind = "regressor" if target.classes is None else "classifier"
        self.estimator = table_options.make_estimator(options, kind, self.seed, horizon)
        self.estimator.set_params(columns=decisions)
        self.log = running.Log(options.log)
        self.estimator.set_params(callbacks=[self.log])
        self.training: Any = None
        self.note = ""

    def _horizon(self) -> int | None:
        """Return the epochs of the schedule that a checkpoint was begun with; compare its options."""
        path = self.options.checkpoint
        if not self.resumes or path is None:
            return None
        then = cp.load(model.expanded(path)).about.get(model.OPTIONS)
        if not isinstance(then, dict) or not isinstance(then.get("horizon"), int):
            return None  # begun from Python: the training compares itself
        now = self._kept(then["horizon"])
        different = [
            f"--{name} is {setup.told(now.get(name))}, was {setup.told(then.get(name))}"
            for name in sorted({*now, *then})
            if now.get(name) != then.get(name)
        ]
        if different:
            raise ValueError(f"{path} cannot be resumed with other settings: {'; '.join(different)}")
        return int(then["horizon"])

    def _kept(self, horizon: int) -> dict[str, Any]:
        return table_options.kept(self.options, horizon, self.target, self.source.n_rows or 0)

    # The rows

    def _read(self, source: TableSource) -> Rows:
        roles, features = self.roles, [d.name for d in self.decisions if d.kind not in _NO_FEATURES]
        table = source.table([*features, *_columns_of(roles)])
        y = self.target.labels(_known(self.target, table.column(roles.target), source))
        return Rows(
            table.select(features),
            y,
            None if roles.weight is None else _numbers(table, roles.weight, source),
            None if roles.group is None else np.array(_codes(table.column(roles.group))),
        )

    def _split(self) -> tuple[Rows, tuple[Any, Any]]:
        """Return the rows to fit to, and those to validate on where the estimator is not to choose."""
        options, rows = self.options, self._read(self.source)
        fraction = table_options.held_out(options, len(rows.y))
        if fraction is None:
            other = self._other_table()
            held = self._read(other)
            self.note = f"validated on {len(held.y):,} rows of {other.where}"
            return rows, (held.X, held.y)
        if self.roles.time is not None and fraction > 0:
            order = np.argsort(self._times(), kind="stable")
            n_held = round(fraction * len(order))
            if not 1 <= n_held < len(order):
                raise ValueError(f"--validation {fraction} of {len(order)} rows leaves {n_held}")
            late = rows.part(np.sort(order[-n_held:]))
            self.note = f"the latest {n_held:,} rows are held out for validation"
            return rows.part(np.sort(order[:-n_held])), (late.X, late.y)
        if fraction == 0:
            self.estimator.set_params(early_stopping=False)
        return rows, (None, None)

    def _other_table(self) -> TableSource:
        """Return the table that is validated on, read as the one that is trained on."""
        types = {name: self.source.types[name] for name in self.source.names}
        other = open_table(str(self.options.validation), self.source.read_options, types)
        missing = [d.name for d in self.decisions if d.kind != "dropped"]
        if absent := [name for name in missing if name not in other.names]:
            raise ValueError(f"{other.where} lacks {', '.join(map(repr, absent))}")
        return other

    def _times(self) -> Array:
        import pyarrow as pa

        name = str(self.roles.time)
        column = self.source.table([name]).column(0).combine_chunks()
        if pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
            raise ValueError(
                f"{self.source.where} must hold dates or numbers in the time {name!r}, got text"
            )
        if self.source.profile[name].ambiguous:
            raise ValueError(f"{self.source.where} has dates in {name!r} that can be read in two ways")
        _refuse_missing(column, "time", name, self.source)
        times: Array = column.cast(
            pa.int64() if pa.types.is_timestamp(column.type) else pa.float64()
        ).to_numpy()
        return times

    def in_memory(self) -> dict[str, Any]:
        """Return the arguments of a fit to all rows together."""
        rows, validation = self._split()
        groups = rows.groups if self.estimator._options().early_stopping else None
        data = {"X": rows.X, "y": rows.y, "sample_weight": rows.weight, "groups": groups}
        return data | {"X_val": validation[0], "y_val": validation[1]}

    def streamed(self, unchanged: Callable[[], None]) -> dict[str, Any]:
        """Return the argument of a fit to rows that pass through a buffer, from disk."""
        options, source = self.options, self.source
        fraction: Any = table_options.held_out(options, source.n_rows or 0)
        if fraction is None:
            fraction = self._other_table()
        elif fraction == 0:
            self.estimator.set_params(early_stopping=False)
        rows = streamed.encoded(
            source, self.decisions, self.target, self.roles, unchanged, buffer_rows=options.buffer,
            validation=fraction, seed=self.seed, say=errors.say,
        )  # fmt: skip
        self.note = "; ".join((*rows.notes[:-1], "they pass through a buffer, from disk"))
        return {"X": rows}

    # The training

    def train(self, data: dict[str, Any]) -> int:
        """Fit, save and show; return the exit code."""
        options, estimator = self.options, self.estimator
        horizon = int(estimator._options().max_iter)
        n_rows = len(data["X"])
        self.model = TableModel(
            estimator, self.target, self.source.read_options, self._about(horizon, n_rows)
        )
        estimator._session = Session(  # type: ignore[misc]
            options.checkpoint,
            options.checkpoint_every,
            options.resume,
            options.running_window,
            prepare=lambda _: self.model.describe_network(),
            begin=self._begin,
        )
        try:
            estimator.fit(**data)
        except errors.Terminated:
            return self._interrupted(errors.TERMINATED)
        finally:
            if self.training is not None:
                self.log.write(self.training.history)
        if self.training.history.stopped == "interrupted":
            return self._interrupted(errors.INTERRUPTED)
        return self._finish()

    def _about(self, horizon: int, n_rows: int) -> dict[str, Any]:
        then = {} if self.options.checkpoint is None else self._kept(horizon)
        return {
            "data": self.source.where,
            "task": self.target.task,
            "target": self.target.name,
            "n_samples": n_rows,
            **({model.OPTIONS: then} if then else {}),
        }

    def _begin(self, training: Any) -> None:
        self.training = training
        if self.resumes:
            running.say_resumed(self.options, training)
        n, held = training.supply.n_samples, training.validation
        if held is not None and not self.note:
            self.note = (
                f"{len(held.X):,} rows are held out for validation (--validation 0 trains on all)"
            )
        report.show_columns(self.model.encoder, error=True)
        target = self.target
        what = "a quantity" if target.classes is None else f"{len(target.classes)} classes"
        optimizer = training.settings.optimizer
        rate = "" if isinstance(optimizer, cp.LBFGS) else f" {_rate(optimizer):g}"
        net = training.net
        for line in (
            f"{self.source.where}: {n:,} rows to train on; {self.note or 'none are held out'}",
            f"target {target.name}: {target.kind}, {what} ({target.reason}; --task overrides)",
            f"network {'-'.join(map(str, net.sizes))}, {net.layers[0].function}, "
            f"{net.architecture.cost.name}; {type(optimizer).__name__}{rate}, batches of "
            f"{training.plan.batch_size}, {training.engine.name} engine",
        ):
            print(terminal.plain(line), file=sys.stderr)

    def _interrupted(self, code: int) -> int:
        running.say_interrupted(self.options, self.training)
        return code

    def _finish(self) -> int:
        training, estimator = self.training, self.estimator
        held = training.validation
        part = "training" if held is None else "validation"
        result = {"part": part, **_measured(estimator, held or _rows_of(training))}
        about = {key: value for key, value in self.model.about.items() if key != model.OPTIONS}
        about |= {"result": result, "n_samples": training.supply.n_samples}
        self.model = dataclasses.replace(self.model, about=about)
        self.model.save(self.output)
        seconds = sum(training.history["seconds"]) if len(training.history) else 0.0
        scores = estimator.validation_scores_
        best = scores and len(scores) - int(np.nanargmax(scores[::-1]))  # of equals the last is kept
        summary = f"{training.epochs_done:,} epochs, {training.state.step:,} steps, {seconds:.1f} s"
        summary += f", the best was epoch {best}" if best else ""
        summary += f", seed {self.seed}"
        report.show_table(estimator.network_, training.history, result, self.output, summary)
        return 0


_NO_FEATURES = ("target", "weight", "group", "time")


def _columns_of(roles: Roles) -> list[str]:
    return [each for each in (roles.target, roles.weight, roles.group) if each is not None]


def _rate(optimizer: Any) -> float:
    schedule = optimizer.schedule
    return float(getattr(schedule, "rate", schedule(0.0)))


def _known(target: TargetEncoder, column: Any, source: TableSource) -> Array:
    read_as: dict[str, Any] = {}
    codes = target.codes(column, read_as)
    model.say_read_as(read_as, source.where)
    _refuse_missing(column, "target", target.name, source)
    if target.classes is not None and (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise ValueError(
            f"{source.where} has the label {column[row].as_py()!r}, which the training data have not: "
            f"{source.place(row)}, target {target.name!r}"
        )
    return codes


def _refuse_missing(column: Any, role: str, name: str, source: TableSource) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        row = pc.index(pc.is_null(column), pa.scalar(True)).as_py()
        raise ValueError(
            f"{source.where} must have no missing values in the {role} {name!r}, got "
            f"{column.null_count:,}: the first in {source.place(row)}"
        )


def _numbers(table: Any, name: str, source: TableSource) -> Array:
    import pyarrow as pa

    column = table.column(name)
    if not pa.types.is_floating(column.type):
        raise ValueError(f"{source.where} must hold numbers in the weight {name!r}, got {column.type}")
    _refuse_missing(column, "weight", name, source)
    numbers: Array = column.to_numpy()
    if (numbers < 0).any() or not numbers.any():
        row = int(np.argmax(numbers < 0))
        raise ValueError(
            f"{source.where} must hold weights of at least 0, not all 0, got {numbers[row]:g}: "
            f"{source.place(row)}, weight {name!r}"
        )
    return numbers


def _codes(column: Any) -> list[int]:
    codes: list[int] = column.combine_chunks().dictionary_encode("encode").indices.to_pylist()
    return codes


def _rows_of(training: Any) -> Any:
    """Return rows to measure a model on that had none to validate on: of a stream, the first."""
    supply = training.supply
    return supply.data if isinstance(supply, InMemory) else next(supply.blocks(streamed.HELD_ROWS))


def _measured(estimator: BaseMLP, data: Any) -> dict[str, Any]:
    """Return how good an estimator is on prepared rows: cost and accuracy, or errors and R2."""
    net = estimator.network_
    a, cost = net.evaluate_prepared(data.X, data.Y, data.sample_weight)
    found = {"n_samples": len(data.X), "cost": float(cost)}
    if estimator._kind == "classifier":
        return found | {"accuracy": float(cp.metrics.accuracy(a, data.Y))}
    scale = getattr(estimator, "target_scale_", None)
    shift = getattr(estimator, "target_shift_", None)
    y = data.Y.astype(np.float64)
    if scale is not None and shift is not None:
        a, y = a * scale + shift, y * scale + shift
    return found | {name: float(cp.metrics.METRICS[name](a, y)) for name in ("mae", "rmse", "r2")}
