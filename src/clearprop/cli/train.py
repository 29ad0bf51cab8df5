"""``clearprop train``: from the command line to a training.

In: the command line, and the file of --config. Out: a model's file, its report, an exit code.
"""

from __future__ import annotations

import typer

from clearprop.cli import files, processes, running, table_options, training_files
from clearprop.cli.options import Options, declared


@declared
def train(options: Options) -> None:
    """Train a network on DATA, save it, and show what it learned.

    Defaults stand in parentheses.

    Example: clearprop train digits --hidden 64,32 --epochs 20 --seed 1
    """
    raise typer.Exit(_run(options))


def _run(options: Options) -> int:
    """Train as the options say; return the exit code."""
    options = processes.checked(options)
    training_files.refuse_same(options, options.output)
    files.check_log(options.log)
    resumes = training_files.check_checkpoint(options)
    job = _read(options)
    output = training_files.check_output(options, job.name)
    return running.Run(options, resumes).train(job, output)


def _read(options: Options) -> running.Job:
    if table_options.is_table(options.source):
        from clearprop.cli.tabular import TableJob

        return TableJob(options)
    from clearprop.cli.arrays import ArrayJob

    table_options.refuse_for_others(options)
    return ArrayJob(options)
