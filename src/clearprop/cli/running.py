"""A training from the command line: what is refused first, how it ends, and what is kept."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import clearprop as cp
from clearprop import Training
from clearprop.cli import errors, files, model, report, setup, table_options
from clearprop.cli.setup import Options, Pair
from clearprop.data import Dataset

_LOG_SECONDS = 1.0  # between two writings of the log


def run(options: Options) -> int:
    """Train as the options say; return the exit code."""
    if table_options.is_table(options.data):
        from clearprop.cli import tabular

        return tabular.run(options)
    table_options.refuse_for_others(options)
    refuse_same(options, options.output)
    files.check_log(options.log)
    resumes = check_checkpoint(options)
    dataset = cp.data.load(options.data, target=options.target, task=options.task)
    output = check_output(options, dataset.name)
    if resumes:
        setup.check_resumed(options, dataset)
    seed = setup.choose_seed(options)
    (X, Y), held, note = setup.split(options, dataset, seed)
    net, outputs = setup.make_network(options, dataset, X, Y, seed)
    log = Log(options.log)
    training = cp.Training(
        net,
        X,
        outputs.encode(Y),
        validation_data=None if held is None else (held[0], outputs.encode(held[1])),
        callbacks=(log,),
        **setup.settings(options, dataset, len(X), seed),
    )
    if resumes:
        say_resumed(options, training)
    announce(dataset, net, training, note)
    try:
        ended = _run(training)
    finally:
        log.write(training.history)
    if ended:
        say_interrupted(options, training)
        return ended
    del net.about[model.OPTIONS]  # nothing more is to be resumed
    return finish(model.in_raw_units(net), training, dataset, held, output)


def _run(training: Training) -> int:
    """Train; return the exit code if a signal ended it, else 0."""
    try:
        history = training.run()
    except errors.Terminated:
        return errors.TERMINATED
    return errors.INTERRUPTED if history.stopped == "interrupted" else 0


def finish(
    net: cp.Network, training: Training, dataset: Dataset, held: Pair | None, output: str
) -> int:
    """Save the network, then show how it went: a reader that has gone costs no work."""
    history, state = training.history, training.state
    net.about["result"] = result = report.measure(net, dataset, held)
    net.save(output)
    seconds = sum(history["seconds"]) if len(history) else 0.0
    summary = f"{training.epochs_done:,} epochs, {state.step:,} steps, {seconds:.1f} s"
    if history.stopped:
        summary += f" ({history.stopped})"
    summary += f", seed {net.seed}"
    standardized = model.is_standardized(training.net)
    report.show(net, history, dataset, held, result, output, summary, standardized)
    return 0


def say_interrupted(options: Options, training: Training) -> None:
    """Say where an interrupted run has left what it learned."""
    where = f"interrupted at epoch {training.epochs_done}, step {training.state.step}"
    if options.checkpoint:
        errors.say(f"{where}; the same command with --resume goes on from {options.checkpoint}")
    else:
        errors.say(f"{where}; nothing was saved (with --checkpoint FILE a run can be gone on with)")


def refuse_same(options: Options, output: str | None) -> None:
    """Make sure that no file is written which is another of the run's files too.

    Raises
    ------
    ValueError
        Naming both options.
    """
    validation = None if setup.is_fraction(options.validation) else options.validation
    files.refuse_same(
        {"DATA": options.data, "--validation": validation, "--config": options.config},
        {"--output": output, "--log": options.log, "--checkpoint": options.checkpoint},
    )


def check_checkpoint(options: Options) -> bool:
    """Return whether there is a checkpoint to go on from, before anything is loaded.

    Raises
    ------
    ValueError
        If one would be overwritten, or none was named.
    """
    if options.checkpoint is None:
        if options.resume:
            raise ValueError("--resume needs --checkpoint FILE, the file to go on from")
        return False
    path = model.expanded(options.checkpoint)
    there = os.path.exists(path)
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise ValueError(f"--checkpoint {path}: there is no folder {os.path.dirname(path)}")
    if there and not options.resume:
        raise ValueError(
            f"--checkpoint {options.checkpoint} exists: --resume goes on from it, another name starts "
            "anew"
        )
    if options.resume and not there:
        errors.say(f"{options.checkpoint} does not exist: starting from the beginning")
    return there


def check_output(options: Options, name: str) -> str:
    """Return the model's file, which can be written and holds nothing that would be missed."""
    path = model.expanded(options.output or f"{name}.safetensors")
    try:
        folder = os.path.dirname(os.path.abspath(path))
    except FileNotFoundError:
        raise ValueError(f"--output {path}: the current folder has been removed") from None
    if os.path.isdir(path):
        raise ValueError(f"--output must be a file, {path} is a folder")
    if not os.path.isdir(folder):
        raise ValueError(f"--output {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"--output {path}: the folder {folder} cannot be written to")
    refuse_same(options, path)
    if os.path.lexists(path) and not model.is_own_model(path):
        raise ValueError(f"{path} exists and is no clearprop model; --output names another file")
    return path


def say_resumed(options: Options, training: Training) -> None:
    """Say from where a run goes on, and whether there is anything left to do."""
    done, wanted = training.epochs_done, training.settings.epochs
    errors.say(f"resumed at epoch {done}, step {training.state.step} ({options.checkpoint})")
    if done >= wanted:
        errors.say(
            f"nothing is left to do: {done} of {wanted} epochs are done (a larger --epochs trains on)"
        )


def announce(dataset: Dataset, net: cp.Network, training: Training, note: str) -> None:
    """Say on standard error what is about to be trained."""
    n = f"{training.plan.n_samples:,} rows"
    if dataset.X_test is not None:
        n += f" to train on, {len(dataset.X_test):,} to test on"
    what = "1 target" if net.sizes[-1] == 1 else f"{net.sizes[-1]} targets"
    if dataset.classes is not None:
        what = f"{len(dataset.classes)} classes"
    optimizer = training.settings.optimizer
    rate = "" if isinstance(optimizer, cp.LBFGS) else f" {optimizer.learning_rate:g}"
    lines = [
        f"{dataset.source}: {n}, {net.sizes[0]} features, {what}",
        note,
        f"network {'-'.join(map(str, net.sizes))}, {net.layers[-1].function}, "
        f"{net.architecture.cost.name}; {type(optimizer).__name__}{rate}, batches of "
        f"{training.plan.batch_size}, {training.engine.name} engine",
    ]
    if model.is_standardized(net):
        lines.append("the target is standardized while it trains, and so is the cost shown")
    for line in filter(None, lines):
        print(line, file=sys.stderr)


class Log:
    """Writes the history as CSV while it grows; a file that cannot be written is only warned of."""

    def __init__(self, path: str | None) -> None:
        self.path = None if path is None else os.path.expanduser(path)
        self._written = time.monotonic()

    def __call__(self, training: Training) -> None:
        """Write after an epoch, at most once a second."""
        if self.path is not None and time.monotonic() - self._written >= _LOG_SECONDS:
            self.write(training.history)

    def write(self, history: cp.History) -> None:
        """Write all of the history."""
        if self.path is None:
            return
        try:
            Path(self.path).write_text(history.to_csv(), "utf-8")
        except OSError as problem:
            errors.say(
                f"warning: the log {self.path} cannot be written ({problem.strerror or problem}); "
                "the training goes on without it"
            )
            self.path = None
        self._written = time.monotonic()
