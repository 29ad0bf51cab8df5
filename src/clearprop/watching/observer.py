"""What is told of a training: messages, each of them whole, made of numbers that are there anyway.

Nothing here changes a parameter, draws a number or asks an engine; a message is made when one is due
by the clock, so that all of them together take a small share of the time. That is CPU time: what else
the machine does is no cost of them.
"""

from __future__ import annotations

import time
from typing import Any

from clearprop.diagnosis import DiagnosisCallback, quantities
from clearprop.diagnosis.finding import Finding
from clearprop.diagnosis.measurements import step_of
from clearprop.diagnosis.quantities import Pass
from clearprop.diagnosis.rules.words import symbols
from clearprop.training.history import TIMES
from clearprop.training.loop import Loop
from clearprop.user_warning import warn
from clearprop.watching.curve import Curve
from clearprop.watching.figures import layers_of, rounded

LEAST_SECONDS = 0.25  # between two messages
# Of the process's CPU time: what looks at the layers may take, and what messages take beside them.
LOOKS, MESSAGES = 0.02, 0.005
MOST_CURVES, MOST_FINDINGS, MOST_TEXT = 8, 20, 800
_ROWS, _BATCHES = 500, 4
_FIRST = 0.01  # seconds that a first look is taken for


class Observer:
    """Makes the messages of one training.

    Attributes
    ----------
    looked : Pass or None
        The pass of the last look.
    """

    def __init__(self) -> None:
        self._curves: dict[str, Curve] = {}
        self._read = 0  # epochs of the history that are in the curves
        self._next_second = self._next_message = self._next_look = 0.0
        self._layers: dict[str, Any] = {}
        self._rules = DiagnosisCallback(report=_nothing, max_samples=_ROWS)
        self._blind, self._looks = False, 0
        self._speed: float | None = None
        self._seen: tuple[float, float] | None = None  # the clock, and the epochs then

    def due(self) -> bool:
        """Return whether it is time for a message."""
        return time.monotonic() >= self._next_second and time.process_time() >= self._next_message

    def message(self, training: Loop, last: bool = False) -> dict[str, Any]:
        """Return where a training is; `last` looks at the layers in any case."""
        began = time.thread_time()
        looks = last or time.process_time() >= self._next_look
        if looks and not self._blind:
            self._look(training)
        looked = time.thread_time()
        if looks:
            # The first one also loads and compiles what it needs.
            price = looked - began if self._looks > 1 else _FIRST
            self._next_look = time.process_time() + price / LOOKS
        self._read_history(training)
        done = training.epochs_done + training.state.epoch_step / training.plan.steps_per_epoch
        message = {
            "epoch": rounded(done),
            "epochs": training.horizon[0],
            "step": training.state.step,
            "now": self._now(training),
            **self._pace(training, done),
            "curves": [
                {"name": name, "points": list(curve.points)} for name, curve in self._curves.items()
            ],
            **self._layers,
        }
        took = time.thread_time() - looked
        self._next_message = time.process_time() + took / MESSAGES
        self._next_second = time.monotonic() + LEAST_SECONDS
        return message

    def _now(self, training: Loop) -> dict[str, float | None]:
        """Return the last row of the history, and the cost of the epoch that is going on."""
        history, state = training.history, training.state
        row = history.row(-1) if len(history) else {}
        now = {name: rounded(value) for name, value in row.items() if name not in TIMES}
        now.pop("epoch", None)
        samples = training.plan.batch(state.epoch_step).start if state.epoch_step else 0
        if samples:
            mean = training.plan.architecture.cost.reduction == "mean"
            now["cost"] = rounded(state.epoch_cost / samples if mean else state.epoch_cost)
        return dict(list(now.items())[:MOST_CURVES])

    def _pace(self, training: Loop, done: float) -> dict[str, float | None]:
        """Return the rows a second, smoothed, and the seconds that are left."""
        now = time.monotonic()
        if self._seen is not None and now > self._seen[0]:
            speed = (done - self._seen[1]) / (now - self._seen[0])
            self._speed = speed if self._speed is None else 0.7 * self._speed + 0.3 * speed
        self._seen = now, done
        target, deadline = training.horizon
        left = deadline - now
        if self._speed is None or self._speed <= 0:
            return {"rows_per_second": None, "seconds_left": rounded(left)}
        left = max(0.0, min((target - done) / self._speed, left))
        speed = self._speed * training.plan.n_samples
        return {"rows_per_second": rounded(speed, 3), "seconds_left": rounded(left, 3)}

    def _read_history(self, training: Loop) -> None:
        columns, first = training.history.columns, self._read
        n = len(training.history)
        for name, values in columns.items():
            if name in ("epoch", *TIMES) or (
                name not in self._curves and len(self._curves) >= MOST_CURVES
            ):
                continue
            curve = self._curves.setdefault(name[:80], Curve())
            curve.extend(columns["epoch"][first:n], values[first:n])
        self._read = n

    def _look(self, training: Loop) -> None:
        """Look at the layers; what goes wrong with it is told, and does not end the training."""
        try:
            self._layers = self._looked(training)
        except Exception as problem:  # a training is worth more than what is shown of it
            self._blind = True
            warn(f"the layers of a watched training are not shown: {problem}")

    def _looked(self, training: Loop) -> dict[str, Any]:
        found: list[Finding] = []
        self._looks += 1
        if training.net.architecture.embedding is None:
            p = self._rules.passed(training)
            step = self._rules.look(training, p).step
            found = list(self._rules.active)
        else:  # which the rules do not know
            p = _passed(training)
            rate = training.history["learning_rate"][-1] if len(training.history) else float("nan")
            plan, state = training.plan.of_member(0), training.state.members[0]
            step = step_of(plan, state, rate, p, _BATCHES, overshoot=False)
        return {
            "look": self._looks,
            "looked": training.state.epoch,
            "looked_rows": p.n,
            "n_layers": len(p.z),
            "layers": layers_of(p, () if step is None else step.update),
            "findings": [_told(each) for each in found[:MOST_FINDINGS]],
        }


def _passed(training: Loop) -> Pass:
    data, parameters = training.data, training.state.members[0].parameters
    X, Y = data.X[:_ROWS], data.Y[:_ROWS]
    return quantities.run(training.net.architecture, parameters, X, Y)


def _told(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "name": finding.name,
        "severity": finding.severity,
        "sentence": finding.sentence[:MOST_TEXT],
        "equation": symbols(finding.equation)[:MOST_TEXT],
        "since": finding.since,
    }


def _nothing(finding: Finding) -> None:
    """Report nothing: a page shows it."""
