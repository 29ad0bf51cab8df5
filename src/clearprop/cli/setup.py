"""From the options of ``clearprop train`` to the arguments of a network and its training."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

import clearprop as cp
from clearprop import optimizers, randomness
from clearprop.cli import model, terminal
from clearprop.data import Dataset

Pair = tuple[NDArray[Any], NDArray[Any]]

_HELD_OUT = 0.2  # of a file's rows, where nothing is said: a file has no test part to be measured on
_FEWEST = 10  # rows below which nothing is held out unasked

# What suits each optimizer at the default number of epochs, on the built-in sets.
_RATES = {"sgd": 0.2, "rmsprop": 0.003, "adam": 0.01, "adamw": 0.01}


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of ``clearprop train``, as given; None where nothing was."""

    data: str
    target: str | None
    task: str | None
    hidden: str
    activation: str
    output_activation: str | None
    cost: str | None
    epochs: int
    batch_size: int | None
    optimizer: str | None
    learning_rate: float | None
    momentum: float | None
    l2: float
    dropout: float
    running_window: int
    validation: str | None
    seed: int | None
    engine: str
    threads: int | None
    output: str | None
    log: str | None
    checkpoint: str | None
    checkpoint_every: str
    resume: bool
    config: str | None
    columns: Sequence[str] | None = None
    drop: Sequence[str] | None = None
    categorical: Sequence[str] | None = None
    numeric: Sequence[str] | None = None
    weight: str | None = None
    group: str | None = None
    time: str | None = None
    class_weight: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: Sequence[str] | None = None
    names: Sequence[str] | None = None
    buffer: int | None = None
    given: frozenset[str] = (
        frozenset()
    )  # those that are not at their defaults for want of anything said


def choose_seed(options: Options) -> int:
    """Return the seed given, that of the checkpoint to go on from, or a new one."""
    if options.seed is None and options.resume and options.checkpoint:
        path = model.expanded(options.checkpoint)
        if os.path.exists(path):
            return cp.load(path).seed
    if options.seed is None:
        return randomness.check_seed(None) % 2**32  # short enough to be typed again
    return randomness.check_seed(options.seed)


def split(options: Options, dataset: Dataset, seed: int) -> tuple[Pair, Pair | None, str]:
    """Return the rows to train on, those to validate on or None, and a note on them."""
    X, Y = dataset.train
    fraction = _held_out(options, dataset)
    if fraction is None:
        assert options.validation is not None
        other = cp.data.load(options.validation, schema=dataset.schema)
        return (X, Y), other.test, f"validated on {len(other.test[0]):,} rows of {other.source}"
    if not fraction:
        return (X, Y), None, ""
    rows, held = cp.data.holdout(Y, fraction, seed)
    note = f"{len(held):,} rows are held out for validation"
    if options.validation is None:
        note += " (--validation 0 trains on all)"
    return (X[rows], Y[rows]), (X[held], Y[held]), note


def _held_out(options: Options, dataset: Dataset) -> float | None:
    """Return the fraction of the rows that is held out; None where other data are validated on."""
    if options.validation is not None:
        return fraction(options.validation)
    return _HELD_OUT if dataset.X_test is None and len(dataset.X_train) >= _FEWEST else 0.0


def compared(options: Options, dataset: Dataset) -> dict[str, Any]:
    """Return the options that a training's settings do not hold, but that a resumed run must share."""
    fraction = _held_out(options, dataset)
    return {
        "checkpoint-every": "".join(options.checkpoint_every.split()),
        "validation": "other data" if fraction is None else fraction,  # which data, their rows tell
    }


def check_resumed(options: Options, dataset: Dataset) -> None:
    """Hold the options against those with which the checkpoint was begun.

    The library holds its own settings against the checkpoint's; here is what it does not see.

    Raises
    ------
    ValueError
        Naming each that differs.
    """
    assert options.checkpoint is not None
    about = cp.load(model.expanded(options.checkpoint)).about
    then = about.get(model.OPTIONS)
    if not isinstance(then, dict):  # begun from Python
        return
    now = compared(options, dataset) | {"task": dataset.task, "target": dataset.target}
    then = then | {name: about.get(name) for name in ("task", "target")}
    different = [
        f"--{name} is {told(value)}, was {told(then[name])}"
        for name, value in now.items()
        if name in then and then[name] != value
    ]
    if different:
        raise ValueError(
            f"{options.checkpoint} cannot be resumed with other settings: {'; '.join(different)}"
        )


def told(value: Any) -> str:
    """Return a setting's value for a message."""
    return "not given" if value is None else terminal.plain(value)[:80]


def is_fraction(validation: str | None) -> bool:
    """Return whether ``--validation`` was a fraction, not data."""
    return fraction(validation) is not None


def fraction(text: str | None) -> float | None:
    """Return what ``--validation`` says, or None where it names data or was not given."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def make_network(
    options: Options, dataset: Dataset, X: NDArray[Any], Y: NDArray[Any], seed: int
) -> tuple[cp.Network, model.Outputs]:
    """Return the network to train, and what its outputs stand for."""
    classes = dataset.classes is not None
    cost = options.cost or ("cross_entropy" if classes else "quadratic")
    output = options.output_activation
    if output is None and classes:
        output = "sigmoid" if cost == "binary_cross_entropy" else "softmax"
    elif output is None:
        output = "exp" if cost == "poisson" else "identity"
    outputs = model.outputs_for(dataset, Y, cost, output)
    net = cp.Network(
        [dataset.n_features, *sizes(options.hidden), outputs.n_outputs],
        activation=options.activation,
        output=output,
        cost=cost,
        seed=seed,
        scaling=dataset.scaling_of(X),
    )
    net.classes, net.feature_names = dataset.classes, dataset.feature_names
    net.about = {
        "data": dataset.source,
        "task": dataset.task,
        "target": dataset.target,
        "image_shape": dataset.image_shape and list(dataset.image_shape),
        "n_samples": len(X),
        model.OPTIONS: compared(options, dataset),
    } | model.describe_units(outputs)
    return net, outputs


def sizes(hidden: str) -> list[int]:
    """Return the sizes that ``--hidden`` gives."""
    if hidden.strip().lower() in ("none", ""):
        return []
    try:
        return [int(size) for size in hidden.split(",")]
    except ValueError:
        raise ValueError(
            f"--hidden must be sizes such as 30 or 64,32, or none, got {hidden!r}"
        ) from None


def settings(options: Options, dataset: Dataset, n_samples: int, seed: int) -> dict[str, Any]:
    """Return the arguments of the training."""
    size = options.batch_size
    return {
        "epochs": options.epochs,
        "batch_size": min(32, n_samples) if size is None else size,
        "optimizer": make_optimizer(options, dataset.classes is not None),
        "metrics": ("accuracy",) if dataset.classes is not None else ("r2",),
        "running_window": options.running_window,
        "l2": options.l2,
        "dropout": options.dropout,
        "engine": options.engine,
        "n_threads": options.threads,
        "seed": seed,
        "checkpoint": options.checkpoint,
        "checkpoint_every": options.checkpoint_every,
        "resume": options.resume,
    }


def make_optimizer(options: Options, classes: bool) -> Any:
    """Return the optimizer with the learning rate given, or the one that suits it."""
    name = (options.optimizer or ("sgd" if classes else "adam")).lower()
    rate, momentum = options.learning_rate, options.momentum
    if momentum is not None and name != "sgd":
        raise ValueError(f"--momentum goes with --optimizer sgd, got --optimizer {name}")
    if name == "lbfgs":
        for option, value in (("--learning-rate", rate), ("--batch-size", options.batch_size)):
            if value is not None:
                raise ValueError(f"{option} does not go with --optimizer lbfgs, got {value}")
    if name not in _RATES:
        return optimizers.resolve(name)  # which names those that are known
    kind: Any = optimizers.OPTIMIZERS[name]
    if name != "sgd":
        return kind(_RATES[name] if rate is None else rate)
    momentum = 0.9 if momentum is None else momentum
    if rate is None:
        # Without a bound on the hidden neurons, or with targets that are not classes, steps are larger.
        calm = classes and options.activation == "sigmoid"
        rate = _RATES["sgd"] if calm else _RATES["sgd"] / 10
        rate *= 1.0 if momentum else 2.5
    return kind(rate, momentum=momentum)
