"""``clearprop cv``: how good a network will be on rows of a table that it has not learned from.

In: the options of ``train``, and a table. Out: the metrics of every fold with their mean and its
interval, a picture of both, and predictions of every row by a network that has not seen it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from clearprop.cli import errors, files, model, outcome, pictures, predictions, table_options, terminal
from clearprop.cli.arguments import option
from clearprop.cli.evaluate import NAMES, number_of
from clearprop.cli.options import Options, declared

if TYPE_CHECKING:
    from rich.console import Console

    from clearprop.cli.tabular import TableJob
    from clearprop.tuning import CrossValidation, Estimate, FoldResult

_PANEL = "Cross-validation"
_PICTURED = ("accuracy", "log_loss", "rmse", "r2")
_WIDEST = 60  # characters of a picture
# Of one training that can be gone on with, of rows that pass through a buffer, of one model's answers.
OF_ONE_TRAINING = ("checkpoint", "checkpoint_every", "resume", "log", "running_window", "running_every",
                   "buffer", "threshold", "watch", "port",
                   "shards", "stall_timeout", "fast_sum", "deform")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class CrossValidationOptions(Options):
    """The options of ``clearprop cv``."""

    without: ClassVar[tuple[str, ...]] = OF_ONE_TRAINING

    validation: Annotated[
        str | None,
        option(
            metavar="F",
            text="Share of a fold's training rows that choose the epoch.",
            default="0.2",
            panel=_PANEL,
        ),
    ] = None
    output: Annotated[
        str | None,
        option(metavar="FILE", text="Predictions of the rows held out, .csv or .parquet", panel=_PANEL),
    ] = None
    folds: Annotated[
        int, option(metavar="N", text="Parts, each held out once.", default=5, panel=_PANEL)
    ] = 5
    repeats: Annotated[
        int, option(metavar="N", text="How often rows are cut anew.", default=1, panel=_PANEL)
    ] = 1


@declared
def cv(options: CrossValidationOptions) -> None:
    """Cross-validate a network on a table: every row is predicted by one that has not learned from it.

    Classes have their share in every fold; --group keeps groups whole, --time holds out later rows.
    Nothing is saved. The other options are those of train.

    Example: clearprop cv customers.csv --target churn --folds 10
    """
    from clearprop.tuning import cross_validate
    from clearprop.tuning.folds import check_counts

    check_counts(options.folds, options.repeats)
    files.refuse_same({"DATA": options.source}, {"--output": options.output})
    if options.output is not None:
        predictions.check_output(model.expanded(options.output))
    job, seed = read_table(options, "cv")
    rows = job.rows.read(job.source)
    if not options.quiet:
        show_data(job, rows.X)
    said = [] if options.quiet else [lambda fold: _say(fold, options)]
    found = cross_validate(
        job.estimator(seed).set_params(verbose=False),
        rows.X,
        rows.y,
        folds=options.folds,
        repeats=options.repeats,
        sample_weight=rows.weight,
        groups=rows.groups,
        times=rows.times,
        seed=seed,
        callbacks=said,
    )
    if options.output is not None:
        _write(found, job, options.output)
        if not options.quiet:
            errors.say(f"wrote {options.output}")
    if options.json:
        terminal.print_json(_described(found, job, options, seed))
    elif not options.quiet:
        _show(found, options, seed)


def read_table(options: Options, command: str) -> tuple[TableJob, int]:
    """Return a table that is held in memory, what becomes of its columns, and the seed.

    Raises
    ------
    ValueError
        If DATA is no table, does not fit, or --validation is no share.
    """
    if not table_options.is_table(options.source):
        raise ValueError(f"{command} takes a table (CSV, Parquet), {options.source} is none")
    if options.validation is not None and options.fraction is None:
        raise ValueError(
            f"--validation must be a share of the rows for {command}, got {options.validation}"
        )
    from clearprop.cli import resuming
    from clearprop.cli.tabular import TableJob

    job = TableJob(options)
    if table_options.is_streamed(options, job.source, job.decisions):
        raise ValueError(
            f"{command} needs all {job.source.n_rows or 0:,} rows in memory: take a part of them"
        )
    return job, resuming.choose_seed(options)


def show_data(job: TableJob, X: Any) -> None:
    """Say on standard error what becomes of the columns, and what is learned."""
    from clearprop.data.table import TableEncoder

    outcome.show_columns(TableEncoder.learn([X], job.decisions), error=True)
    target = job.target
    what = "a quantity" if target.classes is None else f"{len(target.classes)} classes"
    console = terminal.console(error=True)
    for line in (
        f"{job.source.where}: {X.num_rows:,} rows",
        f"target {target.name}: {target.kind}, {what} ({target.reason}; --task overrides)",
    ):
        terminal.print_line(console, line)


def _say(fold: FoldResult, options: CrossValidationOptions) -> None:
    repeat = f"repeat {fold.repeat}, " if options.repeats > 1 else ""
    told = ", ".join(
        f"{NAMES[name]} {number_of(name, fold.metrics[name])}"
        for name in _PICTURED
        if name in fold.metrics
    )
    terminal.print_line(
        terminal.console(error=True),
        f"{repeat}fold {fold.number} of {options.folds}: {told} on {fold.n_held:,} rows, "
        f"{fold.seconds:.1f} s",
    )


def _show(found: CrossValidation, options: CrossValidationOptions, seed: int) -> None:
    console = terminal.console()
    anew = f", cut {options.repeats} times" if options.repeats > 1 else ""
    _show_estimates(console, f"{options.folds} folds, {found.how}{anew}", found)
    _show_pictures(console, found.metrics)
    note = (
        "Intervals: of the mean, for folds that share rows (Nadeau and Bengio 2003)"
        if found.how != "in time order"
        else "Intervals: of the mean, rough in time order, where folds differ in size"
    )
    console.print(f"{note}; seed {seed}.", style="dim", soft_wrap=True)


def _show_estimates(console: Console, title: str, found: CrossValidation) -> None:
    """Print a table of metrics, each with its mean, its interval, and its range over folds."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if terminal.is_wide(console) else box.ASCII_DOUBLE_HEAD)
    table.add_column(title)
    for name in ("mean", f"{100 * found.level:g} % interval", "folds"):
        table.add_column(name, justify="right")
    for name in NAMES:
        if name not in found.metrics:
            continue
        each = found.metrics[name]
        between = _between(name, each.low, each.high) if np.isfinite(each.low) else ""
        finite = [value for value in each.values if np.isfinite(value)]
        spread = _between(name, min(finite), max(finite)) if finite else ""
        table.add_row(NAMES[name], number_of(name, each.mean), between, spread)
    terminal.print_table(console, table)


def _between(name: str, low: float, high: float) -> str:
    return f"{number_of(name, low)} to {number_of(name, high)}"


def _show_pictures(console: Console, metrics: Mapping[str, Estimate]) -> None:
    """Draw the folds of some metrics, and below them the mean in its interval."""
    from rich.text import Text

    wide, width = terminal.is_wide(console), min(console.width - 22, _WIDEST)
    for name in _PICTURED:
        if name not in metrics or not np.isfinite(metrics[name].mean) or width < 20:
            continue
        each = metrics[name]
        ends = [v for v in (*each.values, each.low, each.high) if np.isfinite(v)]
        left, right = number_of(name, min(ends)), number_of(name, max(ends))
        drawn = pictures.strip(each.values, (each.low, each.mean, each.high), width, wide=wide)
        scale = Text(f"{left}{right.rjust(width - len(left))}", "dim")
        for label, line in zip((NAMES[name], "  folds", "  mean"), (scale, *drawn), strict=True):
            console.print(Text(f"{label:<20}", "dim").append_text(line), soft_wrap=True)
        console.print()


def _write(found: CrossValidation, job: TableJob, output: str) -> None:
    """Write what every row was predicted as, by its number in the file."""
    there = np.isfinite(found.predictions).all(axis=1)
    numbers = np.flatnonzero(job.source.rows_with_target())[there]
    classes = None if found.classes is None else found.classes.tolist()
    columns = predictions.columns_of(found.predictions[there], classes)
    predictions.write_blocks([{"row": numbers, **columns}], classes, output)


def _described(
    found: CrossValidation, job: TableJob, options: CrossValidationOptions, seed: int
) -> dict[str, Any]:
    return {
        "data": job.source.where,
        "task": job.target.task,
        "target": job.target.name,
        "n_samples": len(found.predictions),
        "folds": options.folds,
        "repeats": options.repeats,
        "how": found.how,
        "level": found.level,
        "interval": "corrected resampled t (Nadeau and Bengio 2003)",
        "seed": seed,
        "metrics": {
            name: {"mean": each.mean, "low": each.low, "high": each.high, "values": list(each.values)}
            for name, each in found.metrics.items()
        },
        "seconds": round(sum(each.seconds for each in found.folds), 3),
        **({} if options.output is None else {"output": options.output}),
    }
