"""``clearprop train`` with a table: what becomes of its columns, an estimator, and its model.

In: `Options`, and the table that they name. Out: a `Job` for `running`: an estimator that is fitted to
the rows, all together or through a buffer, and afterwards the model and what is to be shown.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np

import clearprop as cp
from clearprop.cli import baselines, errors, outcome, processes, resuming, running, table_options
from clearprop.cli.options import JUDGING, Options
from clearprop.cli.table_rows import RowReader, Rows
from clearprop.data.table import TableStream, TargetEncoder, open_table, streamed
from clearprop.data.table.held import told_groups
from clearprop.engines import Data
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.baselines import LEAST, SHARE, Baseline
from clearprop.estimators.fitting import Fitter
from clearprop.estimators.judging import is_calibrated
from clearprop.estimators.session import Session
from clearprop.model.measuring import measure_prepared
from clearprop.model.model import Model
from clearprop.training.supply import InMemory
from clearprop.tuning import out_of_fold
from clearprop.tuning.examples import Examples


class TableJob:
    """A table, what becomes of its columns, and an estimator for it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._unchanged = streamed.watch(options.source)
        how = table_options.read_options(options)
        whole = processes.opened(options.source, lambda: open_table(options.source, how))
        whole.shared = processes.shared_pass(self.options)
        name, gaps = table_options.target_name(options, whole), options.target_gaps or "drop"
        self.target = TargetEncoder.learn(whole, name, options.task, gaps)
        self.decisions = table_options.decisions(options, whole, self.target)
        roles = table_options.roles(options, name)
        self.source = whole.with_target(name, gaps)
        self.rows = RowReader(self.source, self.target, roles, self.decisions, gaps)
        self.note = ""
        self.horizon: int | None = None  # that a checkpoint was begun with
        self._beside: list[Baseline] | None = None  # out of fold
        # Rows that several processes have read together, for the first of them.
        self._compared: Data | None = None
        self._measured: Data | None = None
        self._planned: float | None = None  # share of the rows in an epoch of those that fit a limit

    @property
    def name(self) -> str:
        """What the model is called where nothing is said."""
        return table_options.model_name(self.options.data)

    def train(self, run: running.Run) -> None:
        """As in `running.Job`."""
        seed, self.horizon = resuming.choose_seed(self.options), self._horizon(run.resumes)
        options = self.options
        estimator = self.estimator(seed, self.horizon)
        estimator.set_params(callbacks=run.callbacks)
        share = table_options.held_out(options, self.source.n_rows or 0)
        self._compares = baselines.are_wanted(options, share)
        is_streamed = table_options.is_streamed(options, self.source, self.decisions)
        read = None if is_streamed else self.rows.split(options)
        if options.in_folds:
            table_options.refuse_folds(options, is_streamed)
        self._all = self._in_folds(read[0], seed) if read and options.in_folds else None
        if share != 0 and self._all is None:
            estimator.set_params(test_share=JUDGING)
        session = Session(
            options.checkpoint,
            options.checkpoint_every,
            options.resume,
            options.running_window,
            options.running_every,
            share=1.0 if self._planned is None else self._planned,
            team=processes.team(),
            fast_sum=options.fast_sum,
            prepare=self._note,
            begin=lambda training: self._begin(run, training),
        )
        self.fitter = Fitter(estimator, session)
        self._asked = int(self.fitter.options.max_iter)
        rows = self._streamed(seed) if read is None else self._in_memory(*read, seed)
        with warnings.catch_warnings():  # `running` says it, and where the run goes on
            warnings.filterwarnings("ignore", "Training interrupted by user")
            warnings.filterwarnings("ignore", ".* differ only in case or blanks")  # of the target: said
            if isinstance(rows, TableStream):
                self.fitter.fit_stream(rows)
            else:
                self.fitter.fit(*rows)
        ended = run.training.history.stopped != "interrupted"
        if self._all is not None and ended and processes.is_first():
            self._judge(self._all, seed)
        if ended and is_streamed and processes.team() is not None:  # the rows are on the disks of all
            training, about = run.training, self.fitter.estimator.network_.model.about
            if self._compares and self.fitter.test is not None:
                self._compared = baselines.some_rows(training.supply, training.net.model.seed)
            if about.get("result") is None:
                self._measured = _rows_of(training)

    def estimator(self, seed: int, horizon: int | None = None) -> BaseMLP:
        """Return the estimator that is fitted to the rows, with what was decided on their columns."""
        options = self.options
        kind = "regressor" if self.target.classes is None else "classifier"
        streams = table_options.is_streamed(options, self.source, self.decisions)
        preset = options.preset or table_options.usual_preset(options, streams)
        made = table_options.make_estimator(options, preset, kind, seed, horizon)
        made.set_params(columns=self.decisions)
        share = table_options.held_out(options, self.source.n_rows or 0)
        stopping = options.stopping(share)
        if options.patience is not None:
            made.set_params(patience=stopping and stopping.patience)
        for option in table_options.chosen_on_held_out(options) if share == 0 else ():
            raise ValueError(f"{option} needs rows that are held out, and there are none")
        if share == 0:
            made.set_params(early_stopping=False)
        return made

    def _note(self, model: Model, n_rows: int) -> None:
        """Tell a model what its file is to say: its checkpoint is written first."""
        epochs = int(self.fitter.options.max_iter)
        if epochs < self._asked:
            self._planned = self.fitter.session.share
        model.about = self._about(self.horizon or epochs, n_rows)
        model.column = self.target
        model.inputs = dataclasses.replace(model.inputs, read=self.source.read_options)

    def _begin(self, run: running.Run, training: Any) -> None:
        run.begin(training, self._described(training), training.net.model.inputs.encoder)

    def save(self, run: running.Run, output: str) -> outcome.Outcome:
        """As in `running.Job`."""
        training: Any = run.training
        estimator = self.fitter.estimator
        model = estimator.network_.model
        about = {key: value for key, value in model.about.items() if key != resuming.OPTIONS}
        result = about.get("result")
        if result is None:  # none were held out
            rows = self._measured or _rows_of(training)
            result = {"part": "training", **measure_prepared(model, rows)}
        best = training.kept_epoch
        about |= {"result": result, "n_samples": training.supply.n_samples, "best_epoch": best}
        about |= {"stopped": training.history.stopped} if training.history.stopped else {}
        model.about = about
        estimator.save(output)
        found, judging = self._beside if self._compares else None, self.fitter.test
        if self._compares and judging is not None:
            seconds = sum(training.history["seconds"])
            found = baselines.learned(training, judging, seconds, self._compared)
        return outcome.Outcome(
            estimator.network_,
            training,
            result,
            output,
            standardized="r2" in result,
            best_epoch=best,
            baselines=found,
        )

    # What a fit is told

    def _in_memory(self, rows: Rows, held: Rows | None, note: str, seed: int) -> tuple[Any, ...]:
        """Return the arguments of a fit to all rows together."""
        self.note = note
        if held is None:
            groups = rows.groups if self.fitter.options.early_stopping else None
            return rows.X, rows.y, rows.weight, (None, None), groups
        choosing, judging = held.divide(JUDGING, seed)
        return rows.X, rows.y, rows.weight, (choosing.X, choosing.y), None, (judging.X, judging.y)

    def _in_folds(self, rows: Rows, seed: int) -> Examples:
        """Return all rows, of which folds can be made."""
        classes = None if self.target.classes is None else np.unique(rows.y)
        found = Examples(rows.X, rows.y, classes, rows.weight, rows.groups)
        out_of_fold.folds_of(found, seed)
        return found

    def _judge(self, rows: Examples, seed: int) -> None:
        """Note how good the model is by networks that have not learned from the rows they judge."""
        fitter, spent = self.fitter, 0.0
        if self._compares:
            spent = max(SHARE * sum(fitter.estimator.history_["seconds"]), LEAST)
        try:
            found = out_of_fold.out_of_fold(self.estimator(seed, self.horizon), rows, seed, spent)
        except KeyboardInterrupt:
            errors.say("interrupted: the model is saved, without figures of rows that it has not seen")
            return
        self._beside = found.beside
        model = fitter.estimator.network_.model
        model.about["result"] = out_of_fold.judge(model, fitter.options, found)

    def _streamed(self, seed: int) -> TableStream:
        """Return rows that pass through a buffer, from disk."""
        options, source = self.options, self.source
        fraction: Any = table_options.held_out(options, source.n_rows or 0)
        if fraction is None:
            fraction = self.rows.other(str(options.validation))
        say = (lambda _: None) if options.quiet else errors.say
        roles, unchanged = self.rows.roles, self._unchanged
        table = streamed.Decided(source, self.decisions, self.target, roles, unchanged)
        rows = streamed.encoded(
            table, buffer_rows=options.buffer, validation=fraction, seed=seed, say=say,
            least_groups=2, spool_of=processes.spool_of(options),
        )  # fmt: skip
        self.note = "; ".join((*rows.notes[:-1], "they pass through a buffer, from disk"))
        return rows

    def _horizon(self, resumes: bool) -> int | None:
        """Return the epochs of the schedule that a checkpoint was begun with; compare its options."""
        then = resuming.begun_with(self.options) if resumes else None
        if then is None or not isinstance(then.get("horizon"), int):
            return None  # begun from Python: the training compares itself
        horizon, planned = int(then["horizon"]), then.get("planned")
        if isinstance(planned, float) and 0.0 < planned <= 1.0:
            self._planned = planned
        before = {"patience": "none"}  # as it was before there was a patience by default
        if self.options.patience is None and then.get("patience", "none") == "none":
            self.options = dataclasses.replace(self.options, patience="none")
        if self.options.epochs is None and self._planned is not None:
            self.options = dataclasses.replace(self.options, epochs=horizon)
        resuming.compare(self.options, self._shared(horizon), before)
        return horizon

    def _shared(self, horizon: int) -> dict[str, Any]:
        n_rows = self.source.n_rows or 0
        return table_options.shared(self.options, horizon, self._planned, self.target, n_rows)

    def _about(self, horizon: int, n_rows: int) -> dict[str, Any]:
        then = {} if self.options.checkpoint is None else self._shared(horizon)
        return {
            "data": self.source.where,
            "task": self.target.task,
            "target": self.target.name,
            "n_samples": n_rows,
            **resuming.first_parameters(self.options),
            **({resuming.OPTIONS: then} if then else {}),
        }

    def _chosen(self, training: Any) -> str:
        """Return in words what the rows choose that do not judge."""
        options, targets = self.fitter.options, training.net.model.targets
        found = ["the epoch"]
        found += ["the temperature"] * is_calibrated(targets, options, training.validation)
        found += ["the threshold"] * (options.threshold is not None)
        return " and ".join(filter(None, [", ".join(found[:-1]), found[-1]]))

    def _described(self, training: Any) -> list[str]:
        """Return lines on what is about to be trained."""
        n, part, target = training.supply.n_samples, training.validation, self.target
        note, roles = self.note or "none are held out", ""
        if part is not None and self._all is not None:
            choosing, judging = len(part.X), 0
            roles = (
                f"{choosing:,} of them choose the epoch; all rows judge, each one of "
                f"{out_of_fold.FOLDS} more networks that has not learned from it"
            )
        if part is not None and self.fitter.test is not None:
            choosing, judging = len(part.X), len(self.fitter.test.X)
            chosen = self._chosen(training)
            roles = f"{choosing:,} of them choose {chosen}; {judging:,} judge, the figures are theirs"
        if roles and not self.note:
            how, group, held = "--validation 0 trains on all", self.rows.roles.group, choosing + judging
            if group is not None:
                asked = self.fitter.options.validation_fraction
                how = told_groups(group, held / (held + n), asked)
            note = f"{held:,} rows are held out for validation ({how})"
        planned = ""
        if (epochs := training.settings.epochs) < self._asked:
            planned = f"{epochs} of {self._asked} epochs fit into {self.options.time_limit}"
            if training.supply.share < 1.0:
                planned += f", each of {training.supply.share:.0%} of the rows"
        what = "a quantity" if target.classes is None else f"{len(target.classes)} classes"
        return [
            f"{self.source.where}: {n:,} rows to train on; {note}",
            roles,
            f"target {target.name}: {target.kind}, {what} ({target.reason}; --task overrides)",
            running.describe_network(training),
            planned,
        ]


def _rows_of(training: cp.Training) -> Any:
    """Return rows to measure a model on that had none to validate on: of a stream, the first."""
    supply = training.supply
    return supply.data if isinstance(supply, InMemory) else next(supply.blocks(streamed.HELD_ROWS))
