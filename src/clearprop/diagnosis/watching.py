"""A callback that diagnoses a network while it is trained."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clearprop.diagnosis import measurements, quantities, rules
from clearprop.diagnosis.association import Association, association
from clearprop.diagnosis.diagnose import findings, stratified
from clearprop.diagnosis.finding import SEVERITIES, Finding, Findings
from clearprop.diagnosis.measurements import Measurements, Run, Step
from clearprop.diagnosis.rules.rows import suspects_strangers
from clearprop.diagnosis.rules.runs import suspects_overshoot
from clearprop.diagnosis.thresholds import Thresholds
from clearprop.engines import Plan
from clearprop.names import integer
from clearprop.user_warning import warn

if TYPE_CHECKING:
    from clearprop.training import Loop

# What will be the same at the next look, or must not wait for one.
AT_ONCE = frozenset({"D1", "D11", "D12", "D13", "D14", "D15", "D16", "D17", "D18", "D20", "D21"})
_Key = tuple[str, str, int | None]
_STEPS_KEPT = 20  # whose update ratios the median is over
_BATCHES = 4  # measured at each look
_SAMPLE = 500  # what benchmarks/faults.py looks at
_FREE = 20  # looks that a training has in any case: some tenths of a second in all
# A look is NumPy, a training is compiled: in its multiply-adds, what NumPy's calls cost however few
# the numbers are, for each layer, and what it needs for each of a pass and of the quantities' own.
_CALLS, _PASSED, _COUNTED = 60_000_000, 3, 12


def work_of_training(plan: Plan, steps: int) -> int:
    """Return the multiply-adds of so many steps."""
    return steps * plan.batch_size * sum(plan.architecture.multiply_adds())


def work_of_look(plan: Plan, n: int) -> int:
    """Return what a look at n samples costs, in multiply-adds of a training."""
    architecture = plan.architecture
    passes = (n + _BATCHES * min(plan.batch_size, n)) * sum(architecture.multiply_adds())
    own = quantities.price(architecture, n)
    return _CALLS * len(architecture.layers) + _PASSED * passes + _COUNTED * own


class DiagnosisWarning(UserWarning):
    """A finding of a training that is watched."""


class DiagnosisCallback:
    """Diagnoses while a network is trained, and warns of what stays wrong, once.

    A finding is reported when it has been there for `patience` looks one after the other; what history
    alone says, and what cannot change, is reported at once. It is over when its value is well on the
    good side of its limit, and never reported a second time at the same severity.

    It looks after every epoch at first; after 20 looks, as often as they stay within `share` of the
    work of the training. Work is counted in multiply-adds, never measured: the same training is looked
    at in the same epochs. Of a network's members the first is looked at.

    Parameters
    ----------
    every : int
        Least number of epochs between two looks.
    patience : int
    report : callable, optional
        Called with each `Finding`; default: a `DiagnosisWarning` with its sentence for what is more
        than information.
    thresholds : Thresholds, optional
    max_samples : int
        Of the training data, stratified.
    share : float
        Of the work of the training, that looks may cost; infinity to look always.

    Attributes
    ----------
    findings : Findings
        All that were reported, each with the epoch in which it was first seen.
    active : Findings
        Those that are not over.

    Raises
    ------
    ValueError, TypeError
        If an argument breaks its rule.

    Examples
    --------
    >>> import clearprop as cp
    >>> digits = cp.data.load("digits")
    >>> net = cp.Network([64, 16, 10], scaling=digits.scaling, seed=0)
    >>> watch = cp.DiagnosisCallback(report=lambda found: print(found.id, found.name))
    >>> history = net.fit(
    ...     *digits.train, epochs=4, optimizer=cp.SGD(1e-7), callbacks=[watch], progress=False
    ... )
    D9 updates too small
    D4 silent features
    """

    def __init__(
        self,
        every: int = 1,
        patience: int = 3,
        *,
        report: Callable[[Finding], object] | None = None,
        thresholds: Thresholds | None = None,
        max_samples: int = _SAMPLE,
        share: float = 0.05,
    ) -> None:
        if thresholds is not None and not isinstance(thresholds, Thresholds):
            raise TypeError(f"thresholds must be a Thresholds, got {thresholds!r}")
        if report is not None and not callable(report):
            raise TypeError(f"report must be a function of a Finding, got {report!r}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not share > 0:
            raise ValueError(f"share must be a number above 0, got {share!r}")
        self.share = float(share)
        self.every = integer("every", every, 1)
        self.patience = integer("patience", patience, 1)
        self.max_samples = integer("max_samples", max_samples, 1)
        self.thresholds = thresholds or Thresholds()
        self._report = report or _warn
        self.findings, self.active = Findings(), Findings()
        self._seen: dict[_Key, tuple[int, int]] = {}  # since, how often
        self._told: dict[_Key, int] = {}  # the severity it was reported with
        self._steps: deque[Step] = deque(maxlen=_STEPS_KEPT // _BATCHES)
        self._norms: list[float] = []
        self._rows: NDArray[np.int64] | None = None
        self._association: Association | None = None
        self._looks, self._free_until = 0, 0  # a step

    def __call__(self, training: Loop) -> None:
        """Look at the network, if it is time to."""
        if training.epochs_done % self.every == 0 and self._may_look(training):
            self.look(training, self.passed(training))

    def look(self, training: Loop, p: quantities.Pass) -> Measurements:
        """Look at the network now, in a pass of it; return what was measured."""
        m = self.measure(training, p)
        assert self._rows is not None
        found = findings(m, self.thresholds, training.net, self._rows)
        lingering = {_key(each) for each in rules.apply(m, self.thresholds.looser())}
        self.see(found, training.state.epoch, lingering)
        return m

    def _may_look(self, training: Loop) -> bool:
        """Return whether the looks, with this one, are within their share; if so, count it."""
        step = training.state.step
        if self._looks < _FREE:
            self._free_until = step
        else:
            trained = work_of_training(training.plan, step - self._free_until)
            looked = (self._looks + 1 - _FREE) * work_of_look(training.plan, self._sample(training))
            if looked > self.share * trained:
                return False
        self._looks += 1
        return True

    def _sample(self, training: Loop) -> int:
        return min(self.max_samples, len(training.data.X))

    def passed(self, training: Loop) -> quantities.Pass:
        """Return a pass of the network as it is, over the rows that are looked at."""
        data, state = training.data, training.state.members[0]
        if self._rows is None or self._rows[-1] >= len(data.X):
            self._rows, self._association = stratified(data.Y, self.max_samples), None
        X, Y = data.X[self._rows], data.Y[self._rows]
        return quantities.run(training.net.architecture, state.parameters, X, Y)

    def measure(self, training: Loop, p: quantities.Pass) -> Measurements:
        """Return the numbers of this moment, of a pass and of the run."""
        net, data, state = training.net, training.data, training.state.members[0]
        plan = training.plan.of_member(0)
        rate = training.history["learning_rate"][-1] if len(training.history) else float("nan")
        run = Run.of(training.history.columns, self._norms)
        m = measurements.measure(
            p,
            self.thresholds,
            steps_trained=state.step,
            plan=plan,
            rate=rate,
            run=run,
            feature_names=net.feature_names,
        )
        self._norms.append(max(each.gradient_norm for each in m.layers))
        m = replace(m, run=replace(run, gradient_norms=tuple(self._norms)))
        m = replace(m, step=self._step(training, p, m))
        if suspects_strangers(m, self.thresholds):
            if self._association is None:  # of the data, which stay the same
                assert self._rows is not None
                self._association = association(data.X, data.Y, self._rows)
            m = replace(m, association=self._association)
        return m

    def _step(self, training: Loop, p: quantities.Pass, m: Measurements) -> Step | None:
        wanted = suspects_overshoot(m, self.thresholds)
        plan, state = training.plan.of_member(0), training.state.members[0]
        step = measurements.step_of(plan, state, m.learning_rate, p, _BATCHES, overshoot=wanted)
        if step is None:
            return None
        self._steps.append(step)
        kept = np.array([each.update for each in self._steps])
        known = ~np.isnan(kept).all(axis=0)
        update = np.full(kept.shape[1], np.nan)
        update[known] = np.nanmedian(kept[:, known], axis=0)
        return Step(
            tuple(float(u) for u in update), step.overshoot, sum(each.n_batches for each in self._steps)
        )

    def see(self, found: Findings, epoch: int, lingering: Container[_Key] = ()) -> None:
        """Take in what one look has found: report what has stayed, forget what is over.

        `lingering` are the keys of what looser limits would have found.
        """
        now = {_key(each): each for each in found}
        for key in [key for key in self._seen if key not in now and key not in lingering]:
            del self._seen[key]
        active = [each for each in self.active if _key(each) in self._seen and _key(each) not in now]
        for key, each in now.items():
            since, times = self._seen.get(key, (epoch, 0))
            self._seen[key] = (since, times + 1)
            each = replace(each, since=since)
            severity = SEVERITIES.index(each.severity)
            patient = each.id in AT_ONCE or times + 1 >= self.patience
            if patient:
                active.append(each)
            if patient and severity > self._told.get(key, -1):
                self._told[key] = severity
                self.findings = found.only([*self.findings, each])
                self._report(each)
        self.active = found.only(active)


def _key(finding: Finding) -> _Key:
    return finding.id, finding.name, finding.layer


def _warn(finding: Finding) -> None:
    if finding.severity != "info":
        warn(str(finding), DiagnosisWarning)
