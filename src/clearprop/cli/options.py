# long: a declaration for every option of a training, which are one record
"""The options of ``clearprop train``, each declared once: its name, its type, its help.

Out: `Options`, which the rest of a training reads, and `declared`, which makes a command of it.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_type_hints

import typer

from clearprop.cli import arguments
from clearprop.cli.arguments import FilesArgument, option
from clearprop.cli.config import read_config
from clearprop.initializers import INITIALIZERS, Initializer, constant
from clearprop.names import known_name
from clearprop.schedules import SCALINGS, Schedule, for_batches
from clearprop.training.stopping import EarlyStopping

_DATA, _COLUMNS, _WRITTEN = "Data", "Columns of a table", "How a table is written"
_NET, _TRAINING, _FILES, _SHOWN = "Network", "Training", "Files", "What is shown"
_NAMES = "NAME,..."
HELD_OUT = 0.2  # of a file's rows, where nothing is said: a file has no test part to be measured on
JUDGING = 0.5  # of those rows: they choose nothing, and every figure is of them
_FEWEST = 10  # rows below which nothing is held out unasked
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of ``clearprop train``, as given; None where nothing was.

    A command with others too is a subclass, whose `without` names the fields that it does not have.
    """

    without: ClassVar[tuple[str, ...]] = ()

    data: FilesArgument

    # Data
    target: Annotated[str | None, arguments.target("target, label, y or class", _DATA)] = None
    target_gaps: Annotated[str | None, arguments.target_gaps("drop", _DATA)] = None
    task: Annotated[
        str | None,
        option(
            metavar="TASK",
            text="classification, binary, multiclass or regression",
            default="by the target's values",
            panel=_DATA,
        ),
    ] = None
    validation: Annotated[
        str | None,
        option(
            metavar="F|DATA|folds",
            text="Rows to validate on after each epoch; half judge where the others choose it. folds: "
            "every row of a table judges one of five networks that have not learned from it.",
            default="0.2 of a file that has no test part",
            panel=_DATA,
        ),
    ] = None

    # Columns of a table
    columns: Annotated[
        list[str] | None,
        option(metavar=_NAMES, text="The only columns to learn from.", default="all", panel=_COLUMNS),
    ] = None
    drop: Annotated[
        list[str] | None, option(metavar=_NAMES, text="Columns to leave out.", panel=_COLUMNS)
    ] = None
    categorical: Annotated[
        list[str] | None,
        option(metavar=_NAMES, text="Columns whose values are categories.", panel=_COLUMNS),
    ] = None
    numeric: Annotated[
        list[str] | None,
        option(
            metavar=_NAMES, text="Columns of few whole numbers that are quantities.", panel=_COLUMNS
        ),
    ] = None
    day_first: Annotated[
        list[str] | None,
        option(metavar=_NAMES, text="Columns of dates such as 31/12/24.", panel=_COLUMNS),
    ] = None
    month_first: Annotated[
        list[str] | None,
        option(metavar=_NAMES, text="Columns of dates such as 12/31/24.", panel=_COLUMNS),
    ] = None
    year_first: Annotated[
        list[str] | None,
        option(metavar=_NAMES, text="Columns of dates such as 24/12/31.", panel=_COLUMNS),
    ] = None
    weight: Annotated[
        str | None,
        option(metavar="NAME", text="Column of how much each row counts.", panel=_COLUMNS),
    ] = None
    group: Annotated[
        str | None,
        option(metavar="NAME", text="Column of what is held out together.", panel=_COLUMNS),
    ] = None
    time: Annotated[
        str | None,
        option(
            metavar="NAME",
            text="Column of the rows' order: the latest are held out.",
            panel=_COLUMNS,
        ),
    ] = None
    class_weight: Annotated[
        str | None,
        option(metavar="NAME", text="balanced: each class counts alike.", panel=_COLUMNS),
    ] = None

    # How a table is written
    delimiter: Annotated[str | None, arguments.delimiter("told by the file", _WRITTEN)] = None
    decimal: Annotated[str | None, arguments.decimal("told by the file", _WRITTEN)] = None
    encoding: Annotated[str | None, arguments.encoding("utf-8", _WRITTEN)] = None
    missing: Annotated[
        list[str] | None,
        option(
            metavar="WORD,...",
            text="What stands for a missing value, besides blanks, NA, ? and the like.",
            panel=_WRITTEN,
        ),
    ] = None
    names: Annotated[
        list[str] | None,
        option(
            metavar=_NAMES,
            text="Names of the columns, if the file has none.",
            panel=_WRITTEN,
        ),
    ] = None
    skip_lines: Annotated[int | None, arguments.skip_lines("told by the file", _WRITTEN)] = None
    comment: Annotated[str | None, arguments.comment("", _WRITTEN)] = None
    buffer: Annotated[
        int | None,
        option(
            metavar="ROWS",
            text="Rows in memory at a time; the others wait on disk.",
            default="all, unless the table is large",
            panel=_WRITTEN,
        ),
    ] = None

    # Network
    hidden: Annotated[
        str | None,
        option(
            metavar="N[,N...]",
            text="Neurons of each hidden layer; none for no such layer.",
            default="30; tables 256,256,256",
            panel=_NET,
        ),
    ] = None
    activation: Annotated[
        str | None,
        option(
            metavar="NAME",
            text="Of the hidden layers.",
            default="sigmoid; tables selu, mish for quantities",
            panel=_NET,
        ),
    ] = None
    output_activation: Annotated[
        str | None,
        option(
            metavar="NAME", text="Of the last layer.", default="what goes with the cost", panel=_NET
        ),
    ] = None
    cost: Annotated[
        str | None,
        option(
            metavar="NAME",
            text="What is made small.",
            default="cross_entropy for classes, quadratic for quantities",
            panel=_NET,
        ),
    ] = None

    preset: Annotated[
        str | None,
        option(
            metavar="NAME",
            text="What a table's network is where nothing is said: realmlp, which embeds its inputs, "
            "realmlp-s, which does not and is faster, or tabm-mini, members that share layers.",
            default="realmlp; realmlp-s where rows pass through a buffer",
            panel=_NET,
        ),
    ] = None
    embedding: Annotated[
        str | None,
        option(
            metavar="NAME",
            text="What each input becomes before the first layer: pl, plr, plr-lite or pbld.",
            default="none",
            panel=_NET,
        ),
    ] = None
    members: Annotated[
        int | None,
        option(
            metavar="N",
            text="So many networks are trained side by side, and their outputs averaged.",
            default="1",
            panel=_NET,
        ),
    ] = None
    initializer: Annotated[
        str | None,
        option(
            metavar="NAME[:F]",
            text="First weights: uniform:0.5 for [-0.5, 0.5], normal for N(0, 1).",
            default="glorot_uniform; tables lecun_normal",
            panel=_NET,
        ),
    ] = None
    bias_initializer: Annotated[
        str | None,
        option(
            metavar="NAME[:F]",
            text="First biases, such as constant:0.1.",
            default="zeros; tables normal",
            panel=_NET,
        ),
    ] = None

    # Training
    epochs: Annotated[
        int | None,
        option(metavar="N", text="Passes over the data.", default="30; tables 256", panel=_TRAINING),
    ] = None
    batch_size: Annotated[
        int | None,
        option(metavar="N", text="Samples in a step.", default="32; tables 256", panel=_TRAINING),
    ] = None
    batches: Annotated[
        int | None,
        option(metavar="N", text="Steps in an epoch, instead of a size.", panel=_TRAINING),
    ] = None
    shuffle: Annotated[
        str | None,
        option(
            metavar="WHEN",
            text="epoch: a new order for each; once: one for all; none",
            default="epoch",
            panel=_TRAINING,
        ),
    ] = None
    optimizer: Annotated[
        str | None,
        option(
            metavar="NAME",
            text="sgd, rmsprop, adam, adamw, schedulefreeadamw or lbfgs",
            default="sgd; adam for quantities and tables",
            panel=_TRAINING,
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        option(
            metavar="F",
            text="How large the steps are.",
            default="what suits the optimizer",
            panel=_TRAINING,
        ),
    ] = None
    scale_rate: Annotated[
        str | None,
        option(
            metavar="RULE",
            text="linear or sqrt: --learning-rate is that of batches of 256; that of --batch-size "
            "follows by this rule, and rises to it in five epochs.",
            panel=_TRAINING,
        ),
    ] = None
    momentum: Annotated[
        float | None, option(metavar="F", text="Of sgd", default="0.9", panel=_TRAINING)
    ] = None
    l2: Annotated[
        float | None,
        option(
            metavar="F",
            text="Penalty: F / 2 times the squared weights.",
            default="0",
            panel=_TRAINING,
        ),
    ] = None
    dropout: Annotated[
        float | None,
        option(
            metavar="F",
            text="Share of the hidden neurons left out of a step.",
            default="0",
            panel=_TRAINING,
        ),
    ] = None
    deform: Annotated[
        str | None,
        option(
            metavar="NAME=F,...",
            text="Deform images anew in each epoch: rotation=12,scaling=0.1,shear=0,alpha=36,sigma=5",
            default="no",
            panel=_TRAINING,
        ),
    ] = None
    running_window: Annotated[
        int,
        option(
            metavar="N",
            text="Last samples that the running accuracy is over.",
            default=1000,
            panel=_TRAINING,
        ),
    ] = 1000
    running_every: Annotated[
        int | None,
        option(
            metavar="N",
            text="Samples after which it is written to --log within an epoch too.",
            panel=_TRAINING,
        ),
    ] = None
    patience: Annotated[
        str | None,
        option(
            metavar="N|none",
            text="Stop after N epochs without a lower validation cost.",
            default="none; tables: fitted to the schedule",
            panel=_TRAINING,
        ),
    ] = None
    calibrate: Annotated[
        bool | None,
        option(
            "--calibrate/--no-calibrate",
            metavar="",
            text="Fit how sure a classifier is on held-out rows.",
            default="no; tables: yes, where there are some",
            panel=_TRAINING,
        ),
    ] = None
    threshold: Annotated[
        str | None,
        option(
            metavar="NAME|COSTS",
            text="Of two classes, choose when to answer with the second on held-out rows: by accuracy, "
            "balanced_accuracy, f1, or what a mistake costs, as 0,1,5,0.",
            panel=_TRAINING,
        ),
    ] = None
    time_limit: Annotated[
        str | None,
        option(
            metavar="TIME",
            text="Train no longer than this: 90s, 10min, 2h; for tables the schedule is fitted to it.",
            panel=_TRAINING,
        ),
    ] = None
    seed: Annotated[
        int | None,
        option(
            metavar="N",
            text="The same seed, the same network.",
            default="a new one, which is told",
            panel=_TRAINING,
        ),
    ] = None
    engine: Annotated[
        str,
        option(metavar="NAME", text="auto, numpy, compiled or jax", default="auto", panel=_TRAINING),
    ] = "auto"
    threads: Annotated[
        int | None,
        option(
            metavar="N",
            text="Threads that compute.",
            default="what suits the engine",
            panel=_TRAINING,
        ),
    ] = None
    shards: Annotated[
        int | None,
        option(
            metavar="N",
            text="Parts of every batch, for the same bits by any number of processes.",
            default="64 under mpiexec",
            panel=_TRAINING,
        ),
    ] = None
    stall_timeout: Annotated[
        float | None,
        option(
            metavar="SECONDS",
            text="In which a process that stops ends all that mpiexec has started.",
            default="30",
            panel=_TRAINING,
        ),
    ] = None
    fast_sum: Annotated[
        bool,
        option(
            "--fast-sum",
            metavar="",
            text="Let MPI add the gradients: other bits by another number of processes.",
            panel=_TRAINING,
        ),
    ] = False

    # Files
    output: Annotated[
        str | None,
        option(
            metavar="MODEL",
            text="The model's file.",
            default="DATA's name with .safetensors",
            panel=_FILES,
        ),
    ] = None
    log: Annotated[str | None, option(metavar="FILE", text="The history as CSV.", panel=_FILES)] = None
    checkpoint: Annotated[
        str | None,
        option(metavar="FILE", text="What a run can be gone on from.", panel=_FILES),
    ] = None
    checkpoint_every: Annotated[
        str,
        option(
            metavar="WHEN",
            text="How often it is written: 2epochs, 30s, 5min",
            default="1epoch",
            panel=_FILES,
        ),
    ] = "1epoch"
    resume: Annotated[
        bool, option("--resume", metavar="", text="Go on from the checkpoint.", panel=_FILES)
    ] = False
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=read_config,
            is_eager=True,
            help="Options from a TOML file; the command line wins.",
            rich_help_panel=_FILES,
        ),
    ] = None

    # What is shown
    watch: Annotated[
        bool,
        option("--watch", metavar="", text="Show the training in the browser.", panel=_SHOWN),
    ] = False
    port: Annotated[int | None, arguments.port(_SHOWN)] = None
    quiet: Annotated[
        bool,
        option(
            "--quiet", "-q", metavar="", text="Print warnings and errors, nothing else.", panel=_SHOWN
        ),
    ] = False
    json: Annotated[
        bool,
        option("--json", metavar="", text="Print the result as one JSON object.", panel=_SHOWN),
    ] = False

    baselines: Annotated[
        bool | None,
        option(
            "--baselines/--no-baselines",
            metavar="",
            text="Compare a table's network with regression and boosted trees.",
            default="yes, without --quiet and --json",
            panel=_SHOWN,
        ),
    ] = None

    @property
    def source(self) -> str | list[str]:
        """What is trained on: a name, or the files of a table."""
        return arguments.one_or_more(self.data)

    @property
    def fraction(self) -> float | None:
        """The share of the rows in --validation; None where it names data or is not given."""
        try:
            return None if self.validation is None else float(self.validation)
        except ValueError:
            return None

    @property
    def rate(self) -> float | Schedule | None:
        """The learning rate that is given; with --scale-rate, that of batches of --batch-size.

        Raises
        ------
        ValueError
            If one of the two is not given, or the rule is unknown.
        """
        if self.scale_rate is None:
            return self.learning_rate
        rule = known_name("--scale-rate", self.scale_rate.strip().lower(), SCALINGS)
        if self.learning_rate is None or self.batch_size is None:
            raise ValueError(
                f"--scale-rate {rule} needs --learning-rate, which is that of batches of 256, and "
                "--batch-size, to which it is scaled"
            )
        return for_batches(self.learning_rate, self.batch_size, rule)

    @property
    def in_folds(self) -> bool:
        """Whether all rows judge, out of fold."""
        return self.validation is not None and self.validation.strip().lower() == "folds"

    def held_out(self, n_rows: int) -> float | None:
        """Return the share of a file's rows to hold out; None where other data are validated on."""
        if self.in_folds:
            return HELD_OUT
        if self.validation is not None:
            return self.fraction
        return HELD_OUT if n_rows >= _FEWEST else 0.0

    @property
    def waits(self) -> int | None:
        """The epochs of --patience; None for none, and where it is not given."""
        if self.patience is None or self.patience.strip().lower() == "none":
            return None
        try:
            return EarlyStopping(patience=int(self.patience)).patience
        except ValueError:
            raise ValueError(
                f"--patience must be an integer of at least 1, or none, got {self.patience}"
            ) from None

    def stopping(self, held_out: float | None) -> EarlyStopping | None:
        """Return what --patience asks for, or None where it asks for nothing.

        Parameters
        ----------
        held_out : float, optional
            The share of the rows to validate on; None for other data.

        Raises
        ------
        ValueError
            If --patience is below 1, or there is nothing to validate on.
        """
        waits = self.waits
        if waits is None:
            return None
        if held_out == 0:
            raise ValueError(
                f"--patience {self.patience} needs rows to validate on, and none are held out: "
                f"--validation {HELD_OUT} holds out a fifth of them"
            )
        return EarlyStopping(patience=waits)

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """The neurons of each hidden layer, or None where --hidden is not given."""
        if self.hidden is None:
            return None
        if self.hidden.strip().lower() in ("none", ""):
            return ()
        try:
            return tuple(int(size) for size in self.hidden.split(","))
        except ValueError:
            raise ValueError(
                f"--hidden must be sizes such as 30 or 64,32, or none, got {self.hidden!r}"
            ) from None

    @property
    def batching(self) -> dict[str, Any]:
        """The arguments n_batches and shuffle of a training or an estimator, those that are given.

        Raises
        ------
        ValueError
            If --batch-size is given too, --optimizer lbfgs has neither, or the name is unknown.
        """
        lbfgs = (self.optimizer or "").lower() == "lbfgs"
        for name, value in (("--batches", self.batches), ("--shuffle", self.shuffle)):
            if lbfgs and value is not None:
                raise ValueError(f"{name} does not go with --optimizer lbfgs, got {value}")
        if self.batches is not None and self.batch_size is not None:
            raise ValueError(
                "--batches cannot be used with --batch-size, one follows from the other, got "
                f"{self.batches} and {self.batch_size}"
            )
        found: dict[str, Any] = {} if self.batches is None else {"n_batches": self.batches}
        if self.shuffle is not None:
            name = known_name("--shuffle", self.shuffle.strip().lower(), ("epoch", "once", "none"))
            found["shuffle"] = False if name == "none" else name
        return found

    @property
    def n_members(self) -> int:
        """How many networks are trained, 1 where --members is not given.

        Raises
        ------
        ValueError
            If it is below 1, or L-BFGS would train several.
        """
        n = 1 if self.members is None else self.members
        if n < 1:
            raise ValueError(f"--members must be at least 1, got {n}")
        if n > 1 and (self.optimizer or "").lower() == "lbfgs":
            raise ValueError(f"--members does not go with --optimizer lbfgs, got {n}")
        return n

    @property
    def initializers(self) -> dict[str, Any]:
        """The arguments initializer and bias_initializer, those that are given."""
        given = {name: getattr(self, name) for name in ("initializer", "bias_initializer")}
        return {
            name: _initializer("--" + name.replace("_", "-"), text)
            for name, text in given.items()
            if text is not None
        }

    @property
    def augment(self) -> Any:
        """The deformations of --deform, or None where it is not given.

        Raises
        ------
        ValueError
            If it does not list numbers by their names, or one is out of its range.
        """
        if self.deform is None:
            return None
        from clearprop.data.deformation import deform

        names = "rotation", "scaling", "shear", "alpha", "sigma"
        given = dict(each.strip().split("=", 1) for each in self.deform.split(",") if "=" in each)
        try:
            if len(given) != self.deform.count(",") + 1 or not given.keys() <= {*names}:
                raise ValueError
            numbers: dict[str, Any] = {name: float(text) for name, text in given.items()}
        except ValueError:
            raise ValueError(
                f"--deform must list numbers of {', '.join(names)} such as rotation=12,alpha=36, got "
                f"{self.deform!r}"
            ) from None
        try:
            return deform(**numbers)
        except ValueError as problem:
            raise ValueError(f"--deform: {problem}") from None

    @property
    def seconds(self) -> float | None:
        """The seconds of --time-limit, or None where it is not given."""
        if self.time_limit is None:
            return None
        match = re.fullmatch(r"([0-9.]+)(s|min|h)", "".join(self.time_limit.split()))
        try:
            found = float(match[1]) * _SECONDS[match[2]] if match else 0.0
        except ValueError:
            found = 0.0
        if not 0 < found < math.inf:
            raise ValueError(
                f"--time-limit must be a time such as 90s, 10min or 2h, got {self.time_limit!r}"
            )
        return found


def _initializer(option: str, text: str) -> Initializer:
    """Return what `uniform:0.5` or `normal` stands for.

    Raises
    ------
    ValueError
        Naming the option, its rule and the value.
    """
    name, colon, number = (part.strip() for part in text.partition(":"))
    factory = INITIALIZERS[known_name(option, name.lower(), INITIALIZERS)]
    takes = list(inspect.signature(factory).parameters)
    if colon and not takes:
        raise ValueError(f"{option} {name} takes no number, got {text}")
    if not colon and factory is constant:
        raise ValueError(f"{option} constant needs its value, as in constant:0.1, got {text}")
    try:
        return factory(*([float(number)] if colon else []))
    except ValueError:
        above = "" if factory is constant else " above 0"
        raise ValueError(
            f"{option} {name} must have a finite number{above} after its colon, the {takes[0]}, "
            f"got {text}"
        ) from None


Taken = TypeVar("Taken", bound=Options)


def declared(command: Callable[[Taken], Any]) -> Callable[..., Any]:
    """Make what takes `Options`, or a subclass, a command that has them: typer reads its signature."""
    kind = get_type_hints(command)["options"]

    def called(**given: Any) -> Any:
        return command(kind(**given))

    hints = get_type_hints(kind, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(kind)
        if field.name not in kind.without
    ]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = hints
    called.__doc__ = command.__doc__
    return called
