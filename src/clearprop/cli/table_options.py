"""The options that tables have, and what the others mean for a table's estimator.

In: `Options`, and the table that they name. Out: how it is read, what becomes of its columns, an
estimator whose arguments are the options', and what a resumed run must share.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearprop import costs
from clearprop.cli import model, resuming
from clearprop.cli.options import HELD_OUT, Options
from clearprop.data import BUILT_IN, tables
from clearprop.data.files import place_of
from clearprop.data.remote import Remote
from clearprop.data.table import ColumnDecision, ReadOptions, Roles, TableSource, TargetEncoder, decide
from clearprop.data.table.encoder import MOST_CATEGORIES
from clearprop.data.table.kinds import undecided
from clearprop.data.table.time_choices import ORDERS
from clearprop.data.tables import choose_target
from clearprop.model.embedding import NAMES as EMBEDDINGS
from clearprop.names import trim
from clearprop.schedules import Schedule
from clearprop.user_warning import warn

if TYPE_CHECKING:
    from clearprop.estimators.base import BaseMLP

_SHARE = 0.5  # of the machine's memory, beyond which a table is trained on from disk
READING = ("delimiter", "decimal", "encoding", "missing", "names", "skip_lines", "comment")
ORDER_OPTIONS = tuple(order.replace("-", "_") for order in ORDERS)
DECIDING = ("columns", "drop", "categorical", "numeric", *ORDER_OPTIONS, "weight", "group", "time",
            "class_weight", "target_gaps")  # fmt: skip
_LOSSES = {
    "classifier": {
        "cross_entropy": "log_loss", "binary_cross_entropy": "log_loss", "quadratic": "squared_error",
        "squared_error": "squared_error", "mean_absolute_error": "absolute_error", "huber": "huber",
    },
    "regressor": {
        "quadratic": "squared_error", "squared_error": "squared_error",
        "mean_absolute_error": "absolute_error", "huber": "huber", "quantile": "quantile",
        "poisson": "poisson", "quantiles": "quantiles",
    },
}  # fmt: skip


def is_table(data: str | list[str]) -> bool:
    """Return whether DATA is a file of a table, a folder of such, or several.

    Raises
    ------
    OSError, ValueError
        If it is several, or a pattern, and they are no files that can be one table.
    """
    if not isinstance(data, str):
        for path in tables.sources(data):
            if not tables.is_table(path):
                raise ValueError(f"several files must be tables (CSV, Parquet), {path} is none")
        return True
    if data in BUILT_IN:
        return False
    return _is_there(data) and tables.is_table(place_of(data))


def _is_there(data: str) -> bool:
    path = place_of(data)
    return isinstance(path, Remote) or path.exists() or bool(tables.fitting(path))


def refuse_for_others(options: Options) -> None:
    """Refuse the options of tables where DATA is none.

    Raises
    ------
    ValueError
        Naming the first.
    """
    if str(options.source) not in BUILT_IN and not _is_there(str(options.source)):
        return  # what reads it says so
    of_files = ("target_gaps",) if str(options.source).lower().endswith(".npz") else ()
    for name in (*READING, *DECIDING, "preset", "buffer", "baselines"):
        if getattr(options, name) is not None and name not in of_files:
            option = "--" + name.replace("_", "-")
            raise ValueError(f"{option} is for tables (CSV, Parquet), {options.source} is none")
    if options.in_folds:
        raise ValueError(f"--validation folds is for tables (CSV, Parquet), {options.source} is none")


def names(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names in options that may be repeated, each a list as a row of CSV has it."""
    return tuple(trim(name) for row in csv.reader(given or (), skipinitialspace=True) for name in row)


def read_options(given: Any) -> ReadOptions:
    """Return how the file is read, from the options of a command."""
    return ReadOptions(
        None if given.delimiter is None else model.separator(given.delimiter),
        given.decimal,
        given.encoding or "utf-8",
        names(given.missing),
        names(given.names) or None,
        given.skip_lines,
        given.comment,
    )


def roles(options: Options, target: str) -> Roles:
    """Return which columns are not learned from."""
    if options.group is not None and options.time is not None:
        raise ValueError("--group and --time cannot be used together: the latest rows are held out")
    return Roles(target, options.weight, options.group, options.time)


def target_name(options: Options, source: TableSource) -> str:
    """Return the column that is learned."""
    name = choose_target(source.names, options.target, True, source.where)
    assert name is not None  # or it would have been refused
    return name


def decisions(
    options: Options, source: TableSource, target: TargetEncoder
) -> tuple[ColumnDecision, ...]:
    """Return what becomes of each column."""
    found = decide(
        source,
        roles(options, target.name),
        columns=names(options.columns) or None,
        drop=names(options.drop),
        categorical=names(options.categorical),
        kinds=_kinds(options),
    )
    for sentence in undecided(source, found) if options.quiet else ():
        warn(sentence)  # else the table of columns says it
    return found


def _kinds(options: Options) -> dict[str, str]:
    """Return the kinds of columns that options name, each in one of them."""
    kinds: dict[str, str] = {}
    for option in ("numeric", *ORDER_OPTIONS):
        for name in names(getattr(options, option)):
            kind = option.replace("_", "-")
            if kinds.setdefault(name, kind) != kind:
                raise ValueError(
                    f"--{kinds[name]} and --{kind} must be different columns, got {name!r} in both"
                )
    return kinds


def make_estimator(options: Options, preset: str, kind: str, seed: int, horizon: int | None) -> BaseMLP:
    """Return the estimator that the options ask for; where they ask for nothing, the preset says it.

    Parameters
    ----------
    options : Options
    preset : str
    kind : {"classifier", "regressor"}
    seed : int
    horizon : int, optional
        Epochs of the schedule, where they are not those to train.
    """
    from clearprop.estimators import MLPClassifier, MLPRegressor, presets
    from clearprop.names import known_name

    known_name("--preset", preset, [each for each in presets.PRESETS if each != "sklearn"])
    arguments: dict[str, Any] = {
        "random_state": seed, "engine": options.engine, "n_threads": options.threads,
        "shards": options.shards,
        "verbose": False if options.quiet else "bar", "time_limit": options.seconds,
    }  # fmt: skip
    if options.output_activation is not None:
        raise ValueError(
            "--output-activation cannot be chosen for a table, it follows from the task, got "
            f"{options.output_activation}"
        )
    arguments |= _network_arguments(options, kind)
    given, usual = frozenset(arguments), presets.PRESETS[preset][kind]
    if horizon not in (None, arguments.get("max_iter", usual.get("max_iter"))):
        arguments |= presets.scheduled(
            preset, given, {"learning_rate": None} | usual | arguments | {"max_iter": horizon}
        )
    if kind == "regressor":
        if options.class_weight is not None:
            raise ValueError(f"--class-weight is for classes, {options.target or 'the target'} is none")
        refuse_choices(options)
        return MLPRegressor(preset=preset, **arguments)
    if options.class_weight not in (None, "balanced"):
        raise ValueError(f"--class-weight must be balanced, got {options.class_weight!r}")
    if options.calibrate is not None:
        arguments["calibrate"] = options.calibrate
    if options.threshold is not None:
        arguments["threshold"] = threshold_of(options.threshold)
    return MLPClassifier(preset=preset, class_weight=options.class_weight, **arguments)


def chosen_on_held_out(options: Options) -> list[str]:
    """Return the options that are given and choose something for a classifier on held-out rows."""
    return ["--calibrate"] * bool(options.calibrate) + ["--threshold"] * (options.threshold is not None)


def refuse_choices(options: Options) -> None:
    """Refuse what chooses something for a classifier where there is none."""
    for option in chosen_on_held_out(options):
        raise ValueError(f"{option} is for classes, {options.target or 'the target'} is none")


def threshold_of(text: str) -> str | list[list[float]]:
    """Return the name of a score, or the costs that a text lists: row by row."""
    parts = text.split(",")
    try:
        a, b, c, d = map(float, parts)
    except ValueError:
        if len(parts) == 1:
            return text.strip().lower().replace("-", "_")
        raise ValueError(
            "--threshold must be accuracy, balanced_accuracy, f1 or four costs such as 0,1,5,0 (a row "
            "of the first class told as the first and as the second, then of the second), got "
            f"{text!r}"
        ) from None
    return [[a, b], [c, d]]


def _network_arguments(options: Options, kind: str) -> dict[str, Any]:
    from clearprop.names import known_name

    if options.deform is not None:
        raise ValueError(f"--deform is for images, {', '.join(options.data)} is a table")
    plain = {
        "activation": "activation", "epochs": "max_iter", "batch_size": "batch_size", "l2": "alpha",
        "learning_rate": "learning_rate_init", "momentum": "momentum", "dropout": "dropout",
        "optimizer": "solver", "embedding": "embedding",
    }  # fmt: skip
    given = {there: getattr(options, here) for here, there in plain.items()}
    found = {name: value for name, value in given.items() if value is not None}
    if isinstance(options.rate, Schedule):
        found["learning_rate"] = options.rate
    if options.sizes is not None:
        found["hidden_layer_sizes"] = options.sizes
    if options.optimizer is not None:
        found["solver"] = options.optimizer.lower()
    if options.members is not None:
        found["members"] = options.n_members
    if options.embedding is not None:
        known_name("--embedding", options.embedding, EMBEDDINGS)
    if options.momentum is not None and found.get("solver") != "sgd":
        raise ValueError(f"--momentum goes with --optimizer sgd, got {found.get('solver', 'adam')}")
    if options.cost is not None:
        losses = _LOSSES[kind]
        found["loss"] = losses[known_name("cost", options.cost, losses)]
        if costs.resolve(options.cost).kind == costs.COUNTS:
            found["target"] = None  # counts are not standardized
    if options.fraction:
        found["validation_fraction"] = options.fraction
    return found | options.batching | options.initializers


def held_out(options: Options, n_rows: int) -> float | None:
    """Return the share of the rows that is held out; None where other data are validated on."""
    fraction = options.held_out(n_rows)
    if fraction is not None and not 0 <= fraction < 1:
        raise ValueError(
            f"--validation must be at least 0 and below 1, or other data, got {options.validation}"
        )
    if fraction is not None and math.ceil(fraction * n_rows) >= n_rows:
        raise ValueError(f"--validation {fraction:g} of {n_rows} rows leaves none to train on")
    return fraction


def usual_preset(options: Options, is_streamed: bool) -> str:
    """Return the preset where none is asked for: the checkpoint's, else RealMLP, small for a stream."""
    return resuming.preset_begun_with(options) or ("realmlp-s" if is_streamed else "realmlp")


def is_streamed(options: Options, source: TableSource, decisions: Sequence[ColumnDecision]) -> bool:
    """Return whether a table is trained on from disk: asked for, or because it is large.

    Raises
    ------
    ValueError
        If --buffer is no number of rows, or --embedding or --members needs rows that do not fit.
    """
    n_rows = source.n_rows or 0
    if options.buffer is not None:
        if options.buffer < 1:
            raise ValueError(f"--buffer must be at least 1, got {options.buffer}")
        streams = options.buffer < n_rows
    else:
        streams = n_rows * _row_bytes(source, decisions) > _memory() * _SHARE
    needing = {
        "--members": options.n_members > 1,
        "--embedding": options.embedding is not None,
        f"--preset {options.preset}": options.preset in ("realmlp", "tabm-mini"),
    }
    if streams and any(needing.values()):
        option = next(name for name, needs in needing.items() if needs)
        raise ValueError(
            f"{option} needs all {n_rows:,} rows in memory, got rows that pass through a buffer; leave "
            "it out, or train on fewer rows"
        )
    return streams


def refuse_folds(options: Options, streamed: bool) -> None:
    """Refuse --validation folds beside what it does not go with.

    Raises
    ------
    ValueError
        Naming it.
    """
    beside = {
        "--buffer": streamed,
        "--threshold": options.threshold is not None,
        "--time": options.time is not None,
        "--time-limit": options.time_limit is not None,
        "--cost quantiles": options.cost == "quantiles",
    }
    for option in (name for name, there in beside.items() if there):
        raise ValueError(
            f"--validation folds does not go with {option}; --validation {HELD_OUT} holds out a fifth "
            "of the rows"
        )


def _row_bytes(source: TableSource, decisions: Sequence[ColumnDecision]) -> float:
    """Return about what a row takes in memory: as Arrow has it, and encoded, each more than once."""
    features = 0
    for each in decisions:
        if each.kind in ("categorical", "boolean"):
            features += min(source.profile[each.name].n_distinct, MOST_CATEGORIES)
        elif each.used:
            features += 2
    return 32.0 * len(decisions) + 24.0 * features


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not on every system
        return 2**32


def shared(
    options: Options, horizon: int, planned: float | None, target: TargetEncoder, n_rows: int
) -> dict[str, Any]:
    """Return the options that a resumed run must share, and that a training does not compare itself.

    Parameters
    ----------
    options : Options
    horizon : int
        Epochs of the schedule.
    planned : float, optional
        Where that is how many fit into --time-limit: the share of the rows in each.
    target : TargetEncoder
    n_rows : int
    """
    given = {name: getattr(options, name) for name in (*READING, *DECIDING)}
    told: dict[str, Any] = {
        name.replace("_", "-"): list(names(value)) if isinstance(value, list | tuple) else value
        for name, value in given.items()
        if value
    }
    fraction = held_out(options, n_rows)
    return told | {
        "checkpoint-every": "".join(options.checkpoint_every.split()),
        "validation": "folds" if options.in_folds else "other data" if fraction is None else fraction,
        "task": target.task,
        "target": target.name,
        "horizon": horizon,
        **resuming.untold(options),
        "patience": "fitted" if options.patience is None else options.waits or "none",
        **({} if planned is None else {"planned": planned}),
    }


def model_name(data: Sequence[str]) -> str:
    """Return what a model of DATA is called where nothing is said."""
    name = Path(tables.absolute(place_of(data[0]))).name.split(".")[0]
    if len(data) > 1 or "*" in name:  # part-0.parquet part-1.parquet
        name = name.split("*")[0].rstrip("0123456789-_ ")
    return name or "table"
