"""What is seen of a training while it goes on, on standard error."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clearprop import notebook

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

_ROOM, _LITTLE = 160, 76  # columns that all of the live line needs, and without its bar and speed
_LIVE = ("cost", "running_accuracy")  # known within an epoch
_SHOWN = ("cost", "running_accuracy", "validation_cost", "validation_accuracy", "validation_r2")


class Display:
    """Shows nothing: what ``progress=False`` asks for, and the base of the others."""

    def start(self, done: float, epochs: int, deadline: float = math.inf) -> None:
        """Take note of the epochs done already, of their number in all, and of when time is up."""

    def stretch(self, done: float, row: dict[str, float]) -> None:
        """Show that so many epochs are done, a broken number, and the cost of this one so far.

        With it comes the running accuracy, where there is one.
        """

    def epoch(self, row: dict[str, float]) -> None:
        """Show the row that the history got."""

    def compiling(self, what: str) -> None:
        """Say what is compiled, which takes seconds; also before the start."""

    def finish(self) -> None:
        """Leave the terminal as it was."""


def describe(row: dict[str, float], epochs: int) -> str:
    """Return an epoch's row as one line."""
    epoch = f"epoch {int(row['epoch']):{len(str(epochs))}}/{epochs}"
    return "  ".join([epoch, *_parts(row)])


def _parts(row: dict[str, float]) -> list[str]:
    """Return costs and metrics, and at last the speed, each as text."""
    names = [name for name in row if name in _SHOWN]
    names += [n for n in row if n.startswith("validation_") and n not in names]
    return [*_named(row, names), f"{row['samples_per_second']:,.0f} samples/s"]


def _named(row: dict[str, float], names: Iterable[str]) -> list[str]:
    return [f"{_title(name)} {_figures(name, row[name])}" for name in names if name in row]


def _title(name: str) -> str:
    return name.replace("_", " ").replace(" r2", " R2")


def _figures(name: str, value: float) -> str:
    """Return a value as wide in one line as in the next: a share as per cent, else four figures."""
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return f"{value:#.4g}".removesuffix(".")


def duration(seconds: float) -> str:
    """Return a time in the units in which people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _short_speed(speed: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if speed >= size:
            return f"{speed / size:.3g}{letter}/s"
    return f"{speed:.3g}/s"


_LINES = 20  # of a training, in a log
_SILENT, _SHORTEST = 60.0, 0.5  # seconds without a line, at most and at least
_SHARE = 1 / 60  # of a training that takes hours, without a line


class Lines(Display):
    """The first epoch, about twenty others and the last, for what is not a terminal.

    Where epochs are long there is a line every minute, of a training of hours about sixty; where they
    are short two a second at most. An epoch in which code was compiled tells neither its speed nor the
    time left.
    """

    def __init__(self) -> None:
        self._last, self._held, self._compiled = -math.inf, "", False

    def start(self, done: float, epochs: int, deadline: float = math.inf) -> None:
        """As in `Display.start`."""
        self._epochs, self._first_done, self._begin = epochs, done, time.monotonic()
        self._deadline = deadline
        self._every = max(1, -(-(epochs - int(done)) // _LINES))

    def stretch(self, done: float, row: dict[str, float]) -> None:
        """As in `Display.stretch`."""
        now = time.monotonic()
        if now - max(self._last, self._begin) >= self._silence(now, done):
            self._print(self._within(done, row) + self._left(now, done), now)

    def epoch(self, row: dict[str, float]) -> None:
        """As in `Display.epoch`."""
        now, done = time.monotonic(), row["epoch"]
        line = describe(row, self._epochs)
        if self._compiled:
            line = line.rpartition("  ")[0]
            self._compiled, self._begin, self._first_done = False, now, done
        self._held = line = line + self._left(now, done)
        silent = now - self._last
        due = int(done) % self._every == 0 and silent >= _SHORTEST
        if due or silent >= self._silence(now, done):
            self._print(line, now)

    def _within(self, done: float, row: dict[str, float]) -> str:
        return "  ".join([f"epoch {done:.2f}/{self._epochs}", *_named(row, _SHOWN)])

    def _remaining(self, now: float, done: float) -> float:
        """Return the seconds that the training will take yet, 0 where nothing tells."""
        until = max(self._deadline - now, 0.0)
        if done <= self._first_done:
            return until if math.isfinite(until) else 0.0
        took = (now - self._begin) / (done - self._first_done)
        return min(took * max(self._epochs - done, 0), until)

    def _left(self, now: float, done: float) -> str:
        left = self._remaining(now, done)
        return f"  {duration(left)} left" if left >= 1 else ""

    def _silence(self, now: float, done: float) -> float:
        return max(_SILENT, _SHARE * (now - self._begin + self._remaining(now, done)))

    def compiling(self, what: str) -> None:
        """As in `Display.compiling`."""
        self._compiled = True
        self._print(f"compiling {what} ...")

    def finish(self) -> None:
        """Print the last epoch if it was held back."""
        if self._held:
            self._print(self._held)

    def _print(self, line: str, now: float | None = None) -> None:
        self._held = ""
        self._last = self._last if now is None else now
        with contextlib.suppress(OSError, ValueError):  # nobody reads; the training matters more
            print(line, file=sys.stderr, flush=True)


class Bar(Display):
    """A live line with a bar, the cost, the validation, the speed and the time left."""

    def __init__(self, console: Any) -> None:
        self._console = console

    def start(self, done: float, epochs: int, deadline: float = math.inf) -> None:
        """As in `Display.start`."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._epochs, self._text, self._live = epochs, "", ""
        self._narrow, self._little = (self._console.width < room for room in (_ROOM, _LITTLE))
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}"),
            *([] if self._little else [BarColumn(bar_width=10 if self._narrow else 24)]),
            TextColumn("{task.fields[text]}"),
            *([] if self._narrow else [TimeElapsedColumn(), TextColumn("elapsed ")]),
            _time_left(deadline),
            TextColumn("left"),
            console=self._console,
            refresh_per_second=8,
        )
        self._task = self._progress.add_task(
            "", total=epochs, completed=int(done), epoch=int(done), text="starting"
        )
        self._validates = False
        self._progress.start()

    def _show(self, done: float) -> None:
        text = "  ".join(each for each in (self._live, self._text) if each)
        self._progress.update(self._task, completed=done, epoch=int(done), text=text)

    def stretch(self, done: float, row: dict[str, float]) -> None:
        """As in `Display.stretch`."""
        live = _named(row, _LIVE)
        # A narrow line has room for one figure beside the cost: the validation's, after an epoch of it.
        self._live = "  ".join(live[:1] if self._narrow and self._validates else live)
        if self._narrow:
            self._live = self._live.replace("running ", "")
        self._show(done)

    def epoch(self, row: dict[str, float]) -> None:
        """As in `Display.epoch`."""
        *parts, speed = _parts({name: value for name, value in row.items() if name not in _LIVE})
        self._validates = bool(parts)
        if self._narrow:  # the last metric, and the speed, in short
            parts = [each.replace("validation", "val") for each in parts[-1:]]
            speed = _short_speed(row["samples_per_second"])
        self._text = "  ".join(parts if self._little else [*parts, speed])
        self.stretch(row["epoch"], row)

    def compiling(self, what: str) -> None:
        """As in `Display.compiling`."""
        self._console.print(f"compiling {what} ...", markup=False, highlight=False)

    def finish(self) -> None:
        """As in `Display.finish`."""
        self._progress.stop()


def _time_left(deadline: float) -> ProgressColumn:
    """Return the column of the time left, which a limit on the time bounds."""
    from rich.progress import Task, TimeRemainingColumn
    from rich.text import Text

    class TimeLeft(TimeRemainingColumn):
        max_refresh = 0.0  # a limit comes nearer, whatever the epochs do

        def render(self, task: Task) -> Text:
            until, expected = deadline - time.monotonic(), task.time_remaining
            if task.finished or until >= (math.inf if expected is None else expected):
                return super().render(task)
            minutes, seconds = divmod(math.ceil(max(until, 0.0)), 60)
            shown = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
            return Text(shown, style="progress.remaining")

    return TimeLeft()


def make(progress: bool) -> Display:
    """Return what shows the progress here: a curve, a bar on a terminal, lines, or nothing."""
    if progress and notebook.is_running():
        from clearprop.training.curve import Curve

        return Curve()
    if not progress or sys.stderr is None:
        return Display()
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return Lines()
    from rich.console import Console

    return Bar(Console(stderr=True))
