"""``clearprop train``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clearprop.cli import config, running
from clearprop.cli.setup import Options

_DATA, _TABLE, _NET, _TRAINING, _FILES = "Data", "Tables", "Network", "Training", "Files"


def train(
    context: typer.Context,
    data: Annotated[str, typer.Argument(metavar="DATA", help="A built-in set, a file or a folder.")],
    target: Annotated[
        str | None,
        typer.Option(
            help="Column of a table to learn (target, label, y or class).", rich_help_panel=_DATA
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="classification, binary, multiclass or regression (by the target's values).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="FRACTION|DATA",
            help="Rows to validate on after each epoch (0.2 of a file without a test part, else none).",
            rich_help_panel=_DATA,
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="The only columns to learn from.", rich_help_panel=_TABLE
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,...", help="Columns to leave out.", rich_help_panel=_TABLE),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="Columns whose values are categories.", rich_help_panel=_TABLE
        ),
    ] = None,
    numeric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Columns of a few whole numbers that are quantities.",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column of how much each row counts.", rich_help_panel=_TABLE)
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Column of what is held out together.", rich_help_panel=_TABLE),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="Column of the rows' order: the latest are held out.", rich_help_panel=_TABLE
        ),
    ] = None,
    class_weight: Annotated[
        str | None, typer.Option(help="balanced: each class counts alike.", rich_help_panel=_TABLE)
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="Between the fields (by the file); tab, too.", rich_help_panel=_TABLE),
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Decimal sign, . or , (by the file).", rich_help_panel=_TABLE)
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="(utf-8)", rich_help_panel=_TABLE)] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD,...",
            help="What stands for a missing value, besides blanks, NA, ? and the like.",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="Of the columns, if the file has none.", rich_help_panel=_TABLE
        ),
    ] = None,
    buffer: Annotated[
        int | None,
        typer.Option(
            metavar="ROWS",
            help="Rows in memory at a time, the others on disk (all, unless the table is large).",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    hidden: Annotated[
        str,
        typer.Option(
            metavar="N[,N...]",
            help="Neurons of each hidden layer, or none (30; of tables 256,256,256).",
            show_default=False,
            rich_help_panel=_NET,
        ),
    ] = "30",
    activation: Annotated[
        str,
        typer.Option(
            help="Of the hidden layers (sigmoid; of tables selu, for numbers mish).",
            show_default=False,
            rich_help_panel=_NET,
        ),
    ] = "sigmoid",
    output_activation: Annotated[
        str | None, typer.Option(help="Of the last layer (by the cost).", rich_help_panel=_NET)
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(help="(cross_entropy for classes, quadratic for numbers)", rich_help_panel=_NET),
    ] = None,
    epochs: Annotated[
        int,
        typer.Option(
            help="Passes over the data (30; of tables 256).",
            show_default=False,
            rich_help_panel=_TRAINING,
        ),
    ] = 30,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Samples in a step (32; of tables 256).", rich_help_panel=_TRAINING),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="sgd, rmsprop, adam, adamw or lbfgs (sgd; for numbers and tables adam).",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="(what suits the optimizer)", rich_help_panel=_TRAINING)
    ] = None,
    momentum: Annotated[
        float | None, typer.Option(help="Of sgd (0.9).", rich_help_panel=_TRAINING)
    ] = None,
    l2: Annotated[
        float,
        typer.Option(
            help="Penalty: this / 2 times the sum of the squared weights.", rich_help_panel=_TRAINING
        ),
    ] = 0.0,
    dropout: Annotated[
        float,
        typer.Option(help="Share of the hidden neurons left out of a step.", rich_help_panel=_TRAINING),
    ] = 0.0,
    running_window: Annotated[
        int,
        typer.Option(
            help="Last samples that the running accuracy is over.",
            rich_help_panel=_TRAINING,
        ),
    ] = 1000,
    seed: Annotated[
        int | None, typer.Option(help="The same seed, the same network.", rich_help_panel=_TRAINING)
    ] = None,
    engine: Annotated[
        str, typer.Option(help="auto, numpy or numba.", rich_help_panel=_TRAINING)
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="(what suits the engine)", rich_help_panel=_TRAINING)
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="The model's file (NAME.safetensors).", rich_help_panel=_FILES
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The history as CSV.", rich_help_panel=_FILES),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What a run can be gone on from.", rich_help_panel=_FILES),
    ] = None,
    checkpoint_every: Annotated[
        str,
        typer.Option(metavar="1epoch|30s", help="When it is written.", rich_help_panel=_FILES),
    ] = "1epoch",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint.", rich_help_panel=_FILES)
    ] = False,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            callback=config.read_config,
            is_eager=True,
            help="Options from a TOML file; the command line wins.",
            rich_help_panel=_FILES,
        ),
    ] = None,
) -> None:
    """Train a network on DATA, save it, and show what it learned."""
    given = {name: value for name, value in locals().items() if name not in ("context", "config_file")}
    given["given"] = frozenset(
        name
        for name in given
        if (source := context.get_parameter_source(name)) and source.name != "DEFAULT"
    )
    given["config"] = None if config_file is None else str(config_file)
    code = running.run(Options(**given))
    raise typer.Exit(code)


train.__doc__ = (
    f"{train.__doc__}\n\nExample: clearprop train digits --hidden 64,32 --epochs 20 --seed 1"
)
