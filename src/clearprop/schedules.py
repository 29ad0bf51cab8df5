"""Learning rates as functions of time; also weight decay and dropout.

A schedule is called with the epochs trained so far, a float that grows within the epoch, and returns
the learning rate of the next step, or what else it is given for. It carries its own horizon:
``training.run(3)`` twice is ``training.run(6)``, and beyond the horizon it keeps its last value. A new
``fit`` starts it anew, like everything of the optimizer.

The names are in lower case because they are read as functions of time: ``cosine(0.1, epochs=30)``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clearprop.names import is_number, known_name


class Schedule:
    """A learning rate that changes with time: ``schedule(epochs) -> rate``."""

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        for each in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            rule, holds = _RULES.get(each.name, ("", lambda _: True))
            if not holds(value):
                raise ValueError(f"{each.name} must be {rule}, got {value!r}")


def _number(low: float, *, above: bool = False, high: float = math.inf) -> Callable[[Any], bool]:
    return lambda v: is_number(v) and (v > low if above else v >= low) and v <= high


_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "rate": ("a finite number above 0", _number(0, above=True)),
    "peak": ("a finite number above 0", _number(0, above=True)),
    "final": ("a finite number of at least 0", _number(0)),
    "epochs": ("a finite number above 0", _number(0, above=True)),
    "every": ("a finite number above 0", _number(0, above=True)),
    "factor": ("in (0, 1]", _number(0, above=True, high=1)),
    "decay": ("a finite number of at least 0", _number(0)),
    "power": ("a finite number of at least 0", _number(0)),
    "rising": ("in (0, 1]", _number(0, above=True, high=1)),
    "start": ("in [0, 1]", _number(0, high=1)),
    "divisor": ("at least 1", _number(1)),
    "patience": ("an integer of at least 1", lambda v: type(v) is int and v >= 1),
    "monitor": ("the name of a column", lambda v: isinstance(v, str)),
    "mode": ("'min', 'max' or None", lambda v: v in ("min", "max", None)),
    "min_delta": ("a finite number of at least 0", _number(0)),
    "schedule": ("a schedule", lambda v: isinstance(v, Schedule)),
}


def _done(epochs: float, horizon: float) -> float:
    return min(max(epochs / horizon, 0.0), 1.0)


def _half_cosine(done: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * done))


@dataclass(frozen=True)
class constant(Schedule):
    """``rate``, always."""

    rate: float

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        return self.rate


@dataclass(frozen=True)
class step(Schedule):
    """``rate * factor**k`` after k times `every` epochs."""

    rate: float
    every: float = 10
    factor: float = 0.1

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        return self.rate * self.factor ** math.floor(epochs / self.every)


@dataclass(frozen=True)
class exponential(Schedule):
    """``rate * factor**epochs``: `factor` is what is left after each epoch."""

    rate: float
    factor: float = 0.95

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        return self.rate * self.factor**epochs


@dataclass(frozen=True)
class inverse_time(Schedule):
    """``rate / (1 + decay * epochs)**power``."""

    rate: float
    decay: float = 1.0
    power: float = 1.0

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        try:
            return self.rate / (1.0 + self.decay * epochs) ** self.power
        except OverflowError:
            return 0.0


@dataclass(frozen=True)
class cosine(Schedule):
    """From `rate` to `final` along half a cosine, in `epochs` epochs (Loshchilov and Hutter 2017).

    Examples
    --------
    >>> [round(cosine(0.1, epochs=4)(epoch), 3) for epoch in range(6)]
    [0.1, 0.085, 0.05, 0.015, 0.0, 0.0]
    """

    rate: float
    epochs: float
    final: float = 0.0

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        return self.final + (self.rate - self.final) * _half_cosine(_done(epochs, self.epochs))


@dataclass(frozen=True)
class one_cycle(Schedule):
    """Up to `peak` and down again along half cosines (Smith and Topin 2019).

    It starts at ``peak / divisor``, reaches `peak` after the share `rising` of `epochs`, and ends at
    ``peak / divisor / 1e4``.
    """

    peak: float
    epochs: float
    rising: float = 0.3
    divisor: float = 25.0

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        done, start = _done(epochs, self.epochs), self.peak / self.divisor
        if done < self.rising:
            return self.peak + (start - self.peak) * _half_cosine(done / self.rising)
        end, left = start / 1e4, (done - self.rising) / max(1.0 - self.rising, 1e-12)
        return end + (self.peak - end) * _half_cosine(left)


@dataclass(frozen=True)
class coslog4(Schedule):
    """Four cosine periods that grow longer: ``rate * (1 - cos(2 pi log2(1 + 15 t))) / 2``.

    t is the share of `epochs` that is over (Holzmueller et al. 2024, RealMLP).
    """

    rate: float
    epochs: float

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        periods = math.log2(1.0 + 15.0 * _done(epochs, self.epochs))
        return self.rate * 0.5 * (1.0 - math.cos(2.0 * math.pi * periods))


@dataclass(frozen=True)
class flat_cos(Schedule):
    """`rate` for the first half of `epochs`, then half a cosine down to 0."""

    rate: float
    epochs: float

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        return self.rate * _half_cosine(max(2.0 * _done(epochs, self.epochs) - 1.0, 0.0))


@dataclass(frozen=True)
class plateau(Schedule):
    """`rate`, times `factor` whenever `monitor` has not improved for `patience` epochs.

    An improvement is more than `min_delta`, downwards or upwards as `mode` says ("min" or "max"; known
    for costs, errors, accuracies and r2). The training keeps the count, and multiplies.
    """

    rate: float
    factor: float = 0.5
    patience: int = 5
    min_delta: float = 0.0
    monitor: str = "validation_cost"
    mode: str | None = None

    def __call__(self, epochs: float) -> float:
        """Return `rate`; what the plateaus so far make of it is up to the training."""
        return self.rate


@dataclass(frozen=True)
class warmup(Schedule):
    """`schedule`, scaled by a line from `start` to 1 over the first `epochs` epochs.

    Examples
    --------
    >>> rate = warmup(4, constant(0.1), start=0.0)
    >>> [rate(epoch) for epoch in (0, 1, 2, 4, 5)]
    [0.0, 0.025, 0.05, 0.1, 0.1]
    """

    epochs: float
    schedule: Schedule
    start: float = 0.01

    def __call__(self, epochs: float) -> float:
        """Return the learning rate after `epochs` epochs."""
        risen = self.start + (1.0 - self.start) * _done(epochs, self.epochs)
        return risen * self.schedule(epochs)


SCHEDULES: dict[str, type[Schedule]] = {
    each.__name__: each
    for each in (
        constant,
        step,
        exponential,
        inverse_time,
        cosine,
        one_cycle,
        coslog4,
        flat_cos,
        plateau,
        warmup,
    )
}


SCALINGS: dict[str, float] = {"linear": 1.0, "sqrt": 0.5}


def for_batches(
    rate: float, batch_size: int, rule: str = "linear", *, base: int = 256, epochs: float = 5.0
) -> Schedule:
    """Return the rate of larger batches than those that `rate` is good for, and the way up to it.

    "linear" multiplies it by ``batch_size / base``: so many small steps of SGD, as long as they would
    point the same way (Goyal et al. 2017, arXiv 1706.02677, with the warm-up). "sqrt" multiplies it by
    the root, which keeps the noise of a step of Adam or RMSProp (Malladi et al. 2022, arXiv
    2205.10287).

    Parameters
    ----------
    rate : float
        That of batches of `base` samples.
    batch_size : int
        Of all processes together.
    rule : {"linear", "sqrt"}
    base : int
    epochs : float
        In which it rises from `rate`.

    Raises
    ------
    ValueError
        If the rule is unknown, or a number is not above 0.

    Examples
    --------
    >>> risen = for_batches(0.1, 1024, epochs=2)
    >>> [risen(epoch) for epoch in (0, 1, 2, 3)]
    [0.1, 0.25, 0.4, 0.4]
    """
    power = SCALINGS[known_name("rule", rule, SCALINGS)]
    for name, size in (("batch_size", batch_size), ("base", base)):
        if not size > 0:
            raise ValueError(f"{name} must be above 0, got {size}")
    times = (batch_size / base) ** power
    scaled = constant(rate * times)
    return scaled if times <= 1.0 else warmup(epochs, scaled, start=1.0 / times)


def find_plateau(schedule: Schedule) -> plateau | None:
    """Return the plateau schedule inside `schedule`, if there is one."""
    if isinstance(schedule, warmup):
        return find_plateau(schedule.schedule)
    return schedule if isinstance(schedule, plateau) else None


def at(value: float | Schedule, epochs: float) -> float:
    """Return a number, or what a schedule is after `epochs` epochs."""
    return value(epochs) if isinstance(value, Schedule) else float(value)


def number(value: float | Schedule) -> float | Schedule:
    """Return a number as a float; a schedule stays one."""
    return value if isinstance(value, Schedule) else float(value)


def refuse_plateau(argument: str, schedule: float | Schedule) -> None:
    """Refuse a schedule that watches the training, for anything but the learning rate.

    Raises
    ------
    ValueError
    """
    if isinstance(schedule, Schedule) and find_plateau(schedule):
        raise ValueError(
            f"{argument} cannot be a plateau, which is for learning rates, got {schedule!r}; use a "
            "number, or another schedule"
        )


def resolve(rate: float | Schedule, argument: str = "learning_rate") -> Schedule:
    """Return the schedule from a number or itself.

    Raises
    ------
    TypeError, ValueError
        If it is neither a schedule nor a finite number above 0.
    """
    if isinstance(rate, Schedule):
        return rate
    if not is_number(rate) or rate <= 0:
        kind = ValueError if isinstance(rate, int | float) else TypeError
        raise kind(f"{argument} must be a finite number above 0 or a schedule, got {rate!r}")
    return constant(float(rate))


def describe(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as JSON-able data, for a checkpoint."""
    values = {each.name: getattr(schedule, each.name) for each in dataclasses.fields(schedule)}  # type: ignore[arg-type]
    return {"name": type(schedule).__name__, **{k: described(v) for k, v in values.items()}}


def described(value: object) -> object:
    """Return a value as it is, but a schedule as data."""
    return describe(value) if isinstance(value, Schedule) else value


def from_description(data: dict[str, Any]) -> Schedule:
    """Return the schedule that `describe` wrote.

    Raises
    ------
    ValueError
        If the name or an argument is unknown or out of range.
    """
    values = dict(data)
    kind = SCHEDULES[known_name("schedule", values.pop("name", None), SCHEDULES)]
    if "schedule" in values:
        values["schedule"] = from_description(values["schedule"])
    try:
        return kind(**values)
    except TypeError as problem:
        raise ValueError(f"schedule {data['name']} has other arguments: {problem}") from None
