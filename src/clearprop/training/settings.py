"""The arguments of a training, each checked against its rule when they are given."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearprop import metrics as known_metrics
from clearprop import optimizers, randomness, schedule_free  # noqa: F401 - its row
from clearprop.distributed import SHARDS, STALL_TIMEOUT
from clearprop.engines import JOINED, known_engine
from clearprop.names import BATCH_SIZE, Unsaid, integer, is_number
from clearprop.optimizers import LBFGS, Optimizer
from clearprop.schedules import Schedule, at, described, find_plateau, refuse_plateau
from clearprop.training import augmentation
from clearprop.training.callbacks import Callback
from clearprop.training.stopping import EarlyStopping

Dropout = float | Schedule
_GRID = 257  # times at which a schedule of shares is looked at


@dataclass(frozen=True)
class Settings:
    """What ``fit`` takes besides the data; `Network.fit` says what each argument means.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.
    """

    epochs: int = 10
    batch_size: int | None = BATCH_SIZE
    n_batches: int | None = None
    shuffle: str | bool = "epoch"
    optimizer: Optimizer = dataclasses.field(default_factory=optimizers.Adam)
    metrics: Sequence[Any] = ()
    train_metrics: bool = False
    running_window: int = 1000
    running_every: int | None = None
    l2: float = 0.0
    l1: float = 0.0
    dropout: Dropout | Sequence[Dropout] = 0.0
    label_smoothing: float | Schedule = 0.0
    clip_norm: float | None = None
    augment: augmentation.Augment | None = None
    averaging: float = 0.0
    frozen: Sequence[str] = ()
    early_stopping: EarlyStopping | None = None
    callbacks: Sequence[Callback] = ()
    engine: str = "auto"
    n_threads: int | None = None
    seed: int | None = None
    progress: bool = True
    checkpoint: Any = None
    checkpoint_every: str = "1epoch"
    resume: bool = False
    time_limit: float | None = None
    shards: int | None = None
    communicator: Any = None
    stall_timeout: float = STALL_TIMEOUT
    fast_sum: bool = False

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        self._set(epochs=integer("epochs", self.epochs, 1))
        self._set(running_window=integer("running_window", self.running_window, 1))
        self._check_batches()
        for name in ("running_every", "n_threads"):
            if getattr(self, name) is not None:
                self._set(**{name: integer(name, getattr(self, name), 1)})
        self._set(optimizer=optimizers.resolve(self.optimizer))
        if self.averaging and self.optimizer.has_mean:
            raise ValueError(
                f"averaging must be 0 with {type(self.optimizer).__name__}, which has a mean of its "
                f"own, got {self.averaging!r}"
            )
        for name in ("l2", "l1"):
            _number(name, getattr(self, name), lambda v: v >= 0, "a finite number of at least 0")
        for name, shares in (
            ("dropout", self._dropouts()),
            ("label_smoothing", [self.label_smoothing]),
        ):
            for share in shares:
                self._check_share(name, share)
        _number("averaging", self.averaging, lambda v: 0 <= v < 1, "in [0, 1)")
        for name in ("clip_norm", "time_limit"):
            if getattr(self, name) is not None:
                _number(name, getattr(self, name), lambda v: v > 0, "a finite number above 0")
        self._set(metrics=tuple(_sequence("metrics", self.metrics)))
        for metric in self.metrics:
            if metric != "cost":  # which is there without being asked for
                known_metrics.resolve(metric)
        names = [name for name, _ in self.resolved_metrics()]
        if len(set(names)) < len(names) or "<lambda>" in names:
            raise ValueError(
                f"metrics must have names of their own, got {names}; define a function for each"
            )
        self._set(frozen=tuple(_sequence("frozen", self.frozen)))
        self._set(callbacks=tuple(_sequence("callbacks", self.callbacks)))
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"callbacks must be callable, got {callback!r}")
        if self.early_stopping is not None and not isinstance(self.early_stopping, EarlyStopping):
            raise TypeError(f"early_stopping must be an EarlyStopping, got {self.early_stopping!r}")
        self._set(engine=known_engine(self.engine))
        if self.seed is not None:
            self._set(seed=randomness.check_seed(self.seed))
        self.interval  # noqa: B018 - it checks checkpoint_every
        if self.resume and self.checkpoint is None:
            raise ValueError(
                "resume=True needs checkpoint, the file to go on from, got checkpoint=None"
            )
        self._check_shards()
        augmentation.check(self.augment)
        if isinstance(self.optimizer, LBFGS):
            self._check_lbfgs()

    def _check_shards(self) -> None:
        if self.shards is not None:
            self._set(shards=integer("shards", self.shards, 1))
        elif self.communicator is not None and self.engine != JOINED:
            self._set(shards=SHARDS)
        if self.augment is not None and self.shards is not None:
            raise ValueError(
                "augment cannot be used with shards, whose rows are dealt to processes, got "
                f"shards={self.shards}; without, any number of threads has the same rows"
            )
        rule = "a finite number of at least 1"
        _number("stall_timeout", self.stall_timeout, lambda v: v >= 1, rule)
        for name, usual in (("fast_sum", False), ("stall_timeout", STALL_TIMEOUT)):
            if self.communicator is None and (value := getattr(self, name)) != usual:
                raise ValueError(f"{name}={value} needs communicator, got communicator=None")
        if self.fast_sum and self.shards is None:
            raise ValueError(
                f"fast_sum cannot be used with engine {JOINED!r}, whose devices add, got True"
            )

    def _dropouts(self) -> Sequence[Any]:
        return [self.dropout] if self._is_one_dropout else _sequence("dropout", self.dropout)

    @property
    def _is_one_dropout(self) -> bool:
        return is_number(self.dropout) or isinstance(self.dropout, Schedule)

    def _check_share(self, name: str, share: Any) -> None:
        if not isinstance(share, Schedule):
            _number(name, share, lambda v: 0 <= v < 1, "in [0, 1)")
            return
        refuse_plateau(name, share)
        for epoch in np.linspace(0.0, self.epochs, _GRID).tolist():
            if not 0 <= share(epoch) < 1:
                raise ValueError(
                    f"{name} must stay in [0, 1), got {share(epoch):.4g} after {epoch:.4g} epochs from "
                    f"{share!r}"
                )

    def _check_batches(self) -> None:
        if self.n_batches is not None:
            self._set(n_batches=integer("n_batches", self.n_batches, 1))
            if not isinstance(self.batch_size, Unsaid):
                refuse_both(self.n_batches, self.batch_size)
            self._set(batch_size=None)
        elif self.batch_size is not None:
            self._set(batch_size=int(integer("batch_size", self.batch_size, 1)))
        if isinstance(self.shuffle, bool | np.bool_):
            self._set(shuffle="epoch" if self.shuffle else False)
        elif not isinstance(self.shuffle, str) or self.shuffle not in ("epoch", "once"):
            raise ValueError(f"shuffle must be 'epoch', 'once', True or False, got {self.shuffle!r}")

    def _check_lbfgs(self) -> None:
        if self.checkpoint is not None:
            raise ValueError("checkpoint cannot be used with LBFGS, which cannot be resumed")
        names = (
            "running_every", "dropout", "clip_norm", "averaging", "frozen", "n_batches", "augment",
        )  # fmt: skip
        for name in names:
            if getattr(self, name):
                raise ValueError(f"{name} cannot be used with LBFGS, got {getattr(self, name)!r}")
        if isinstance(self.label_smoothing, Schedule):
            raise ValueError(
                f"label_smoothing cannot be a schedule with LBFGS, got {self.label_smoothing!r}"
            )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def hands_over_a_mean(self) -> bool:
        """Whether a mean of the parameters is evaluated and handed over instead of them."""
        return bool(self.averaging) or self.optimizer.has_mean

    @property
    def interval(self) -> tuple[str, float]:
        """How often a checkpoint is written: ("epochs", n) or ("seconds", s)."""
        match = re.fullmatch(r"\s*([0-9.]+)\s*(epochs?|s|min)\s*", str(self.checkpoint_every))
        try:
            amount = float(match[1]) if match else math.nan
        except ValueError:
            amount = math.nan
        epochs = match is not None and match[2].startswith("epoch")
        if not match or not amount > 0 or (epochs and amount != int(amount)):
            raise ValueError(
                "checkpoint_every must be a number of epochs or seconds such as '1epoch', '30s' or "
                f"'5min', got {self.checkpoint_every!r}"
            )
        if epochs:
            return "epochs", amount
        return "seconds", amount * (60.0 if match[2] == "min" else 1.0)

    def largest_batch(self, n: int) -> int:
        """Return how many of n samples are in the largest batch, as asked for: there may be fewer.

        Raises
        ------
        ValueError
            If there are to be more batches than samples.
        """
        if self.n_batches is not None:
            if self.n_batches > n:
                raise ValueError(
                    f"n_batches must be at most the number of samples, {n}, got {self.n_batches}"
                )
            return -(-n // self.n_batches)
        return n if self.batch_size is None or isinstance(self.optimizer, LBFGS) else self.batch_size

    def dropout_rates(self, n_hidden: int, epochs: float = 0.0) -> tuple[float, ...]:
        """Return the rate of each hidden layer after `epochs` epochs.

        Raises
        ------
        ValueError
            If another number of rates was given.
        """
        rates = tuple(at(rate, epochs) for rate in self._dropouts())
        if self._is_one_dropout:
            return rates * n_hidden
        if len(rates) != n_hidden:
            raise ValueError(
                f"dropout must have a rate for each of {n_hidden} hidden layers, got {rates}"
            )
        return rates

    @property
    def has_course(self) -> bool:
        """Whether dropout or weight decay change from step to step."""
        decay = getattr(self.optimizer, "weight_decay", 0.0)
        return any(isinstance(each, Schedule) for each in (decay, *self._dropouts()))

    @property
    def step_by_step(self) -> bool:
        """Whether an engine is given one step at a time: the targets of each are smoothed before it."""
        return isinstance(self.label_smoothing, Schedule)

    def resolved_metrics(self) -> list[tuple[str, known_metrics.Metric]]:
        """Return the name and function of each metric but the cost."""
        return [known_metrics.resolve(metric) for metric in self.metrics if metric != "cost"]

    def monitored(self) -> set[str]:
        """Return the columns of the history that something depends on."""
        columns = {self.early_stopping.monitor} if self.early_stopping else set()
        watched = find_plateau(self.optimizer.schedule)
        return columns | ({watched.monitor} if watched else set())

    def describe(self) -> dict[str, Any]:
        """Return what must be the same when a training is resumed, as JSON-able data."""
        said = [described(rate) for rate in self._dropouts()]
        names = (
            "batch_size",
            "n_batches",
            "shuffle",
            "train_metrics",
            "running_window",
            "running_every",
            "l2",
            "l1",
            "clip_norm",
            "averaging",
            "shards",
            "fast_sum",
        )
        return {name: getattr(self, name) for name in names} | {
            "optimizer": optimizers.describe(self.optimizer),
            "metrics": [name for name, _ in self.resolved_metrics()],
            "label_smoothing": described(self.label_smoothing),
            "dropout": said[0] if self._is_one_dropout else said,
            "frozen": list(self.frozen),
            "augment": augmentation.described(self.augment),
            "early_stopping": dataclasses.asdict(self.early_stopping) if self.early_stopping else None,
        }


def refuse_both(n_batches: int | None, batch_size: object) -> None:
    """Refuse a number of batches beside a size that was given.

    Raises
    ------
    ValueError
        If there is such a number.
    """
    if n_batches is not None:
        raise ValueError(
            "n_batches cannot be used with batch_size, one follows from the other, got "
            f"n_batches={n_batches} and batch_size={batch_size!r}"
        )


def _number(name: str, value: Any, holds: Callable[[float], bool], rule: str) -> None:
    if not is_number(value) or not holds(value):
        kind = ValueError if isinstance(value, int | float) else TypeError
        raise kind(f"{name} must be {rule}, got {value!r}")


def _sequence(name: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a list or tuple, got {value!r}")
    return value
