"""``clearprop tune``: a search for the best network of a table.

In: the options of ``train``, of which those that are given are kept and the others searched. Out: a
leaderboard, figures of rows that have chosen nothing, and the model, an ensemble.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from clearprop.cli import errors, leaderboard, resuming, terminal, training_files
from clearprop.cli.arguments import option
from clearprop.cli.cv import OF_ONE_TRAINING, read_table, show_data
from clearprop.cli.options import Options, declared

if TYPE_CHECKING:
    from clearprop.cli.tabular import TableJob
    from clearprop.tuning import TrialResult, Tuning

_PANEL = "Search"


@dataclasses.dataclass(frozen=True)
class TuneOptions(Options):
    """The options of ``clearprop tune``."""

    without: ClassVar[tuple[str, ...]] = (*OF_ONE_TRAINING, "calibrate")

    validation: Annotated[
        str | None,
        option(
            metavar="F",
            text="Share of the rows beside the test rows that choose.",
            default="0.2",
            panel=_PANEL,
        ),
    ] = None
    time_limit: Annotated[
        str | None,
        option(
            metavar="TIME",
            text="Search, choose and train again in this time: 90s, 10min, 2h.",
            panel=_PANEL,
        ),
    ] = None
    trials: Annotated[
        int | None,
        option(
            metavar="N",
            text="That the study is to have, earlier ones too.",
            default="30, or what the time allows",
            panel=_PANEL,
        ),
    ] = None
    storage: Annotated[
        str | None,
        option(
            metavar="FILE|URL",
            text="Where trials are kept, to go on with or to share.",
            default="MODEL's name with .study",
            panel=_PANEL,
        ),
    ] = None


@declared
def tune(options: TuneOptions) -> None:
    """Search the best networks for a table, and save their ensemble, trained on all but the test rows.

    Options that are given are kept, the others are searched. Rows choose or measure, never both: every
    figure of the test rows is of rows that have chosen nothing. The same command goes on with a study.

    Example: clearprop tune customers.csv --target churn --time-limit 10min
    """
    import clearprop as cp

    _require_optuna()
    if options.trials is not None and options.trials < 1:
        raise ValueError(f"--trials must be at least 1, got {options.trials}")
    training_files.refuse_same(options, options.output)
    limit, (job, _) = options.seconds, read_table(options, "tune")
    output = training_files.check_output(options, job.name)
    storage = options.storage or str(Path(output).with_suffix(".study"))
    estimator = job.estimator(resuming.choose_seed(options)).set_params(time_limit=None)
    rows = job.rows.read(job.source)
    if not options.quiet:
        show_data(job, rows.X)
    try:
        found = cp.tune(
            estimator,
            rows.X,
            rows.y,
            trials=options.trials,
            time_limit=limit,
            storage=storage,
            sample_weight=rows.weight,
            groups=rows.groups,
            times=rows.times,
            seed=options.seed,
            callbacks=[] if options.quiet else [_say],
        )
    except (KeyboardInterrupt, errors.Terminated):
        errors.say(f"interrupted; the same command goes on with the trials in {storage}")
        raise
    _save(found, job, output)
    if options.json:
        told = {"model": output, "storage": storage, "data": job.source.where, "task": job.target.task}
        terminal.print_json({**told, "target": job.target.name, **leaderboard.described(found)})
    elif not options.quiet:
        leaderboard.show(found, output)


def _require_optuna() -> None:
    from clearprop.tuning.study import require_optuna

    try:
        require_optuna()
    except ImportError as problem:
        raise ValueError(str(problem)) from None


def _say(trial: TrialResult) -> None:
    terminal.print_line(terminal.console(error=True), leaderboard.line(trial))


def _save(found: Tuning, job: TableJob, output: str) -> None:
    """Write the ensemble, with what its file says of the table and of the test rows.

    One of a single member is that network alone, which every command takes.
    """
    for each in (found.best, *found.ensemble.members):
        model = each.network_.model
        learned, known = getattr(each, "classes_", None), job.target.classes
        if learned is not None and known is not None:  # all but those that are in the test rows alone
            known = tuple(label for label in known if label in learned.tolist())
        model.column = dataclasses.replace(job.target, classes=known)
        model.inputs = dataclasses.replace(model.inputs, read=job.source.read_options)
        model.about = {
            "data": job.source.where,
            "task": job.target.task,
            "target": job.target.name,
            "n_samples": found.n_rows["train"] + found.n_rows["validation"],
        }
    found.best.network_.model.about["result"] = found.results["best network"]
    if len(found.weights) == 1:
        found.ensemble.members[0].save(output)
    else:
        found.ensemble.save(output, found.results["ensemble"])
