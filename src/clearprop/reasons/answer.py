"""The one number of an answer that reasons are given for, and its slope by every input.

Of a label it is the log odds ``ln p - ln (1 - p)`` of its probability, averaged over members and
calibrated as the model answers; of a quantity the quantity, in its own units. Everything here is
float64: a difference of two answers is to be told to 1e-6 of what answers differ by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clearprop.model.calibration import Calibration
from clearprop.model.model import Model
from clearprop.model.targets import Classes, Units

Floats = NDArray[np.float64]


class Answer(Protocol):
    """A number made of the last layer's z of every network, and its derivatives by them.

    ``zs`` has an array of shape (n_networks, n_rows, n_outputs) for each model.
    """

    def value(self, zs: Sequence[Floats]) -> Floats:
        """Return the number of every row, shape (n_rows,)."""
        ...

    def slopes(self, zs: Sequence[Floats]) -> list[Floats]:
        """Return its derivative by each z, in the shapes of `zs`."""
        ...


@dataclass(frozen=True, eq=False)
class LogOdds:
    """The log odds of one label's probability, computed from logarithms, which do not saturate.

    Parameters
    ----------
    models : sequence of Model
    weights : sequence of float
        How much each model's probabilities count; of sum 1.
    number : int
        Of the label among the outputs.
    alone : bool
        Whether its output is a probability of its own, beside which no other counts.
    """

    models: Sequence[Model]
    weights: Sequence[float]
    number: int
    alone: bool = False

    def value(self, zs: Sequence[Floats]) -> Floats:
        """Return ln p - ln (1 - p) of every row, shape (n_rows,)."""
        log_p = self._log_probabilities([self._calibrated(*each)[0] for each in self._each(zs)])
        found: Floats = log_p[:, self._place] - _log_sum(self._others(log_p))
        return found

    def slopes(self, zs: Sequence[Floats]) -> list[Floats]:
        """Return the derivatives by each z: the chain rule, from the odds back to every network."""
        made = [self._calibrated(*each) for each in self._each(zs)]
        log_p = self._log_probabilities([found[0] for found in made])
        by_p = np.zeros_like(log_p)
        others = np.arange(log_p.shape[1]) != self._place
        by_p[:, self._place] = 1.0
        by_p[:, others] = -np.exp(log_p[:, others] - _log_sum(log_p[:, others])[:, None])
        found = []
        for (log_c, by_logs), weight, z in zip(made, self.weights, zs, strict=True):
            error = by_logs(by_p * weight * np.exp(log_c - log_p))
            found.append(self._by_z(error, z))
        return found

    @property
    def _place(self) -> int:
        return 1 if self.alone else self.number

    def _others(self, log_p: Floats) -> Floats:
        return np.delete(log_p, self._place, axis=1)

    def _each(self, zs: Sequence[Floats]) -> list[tuple[Model, Floats]]:
        """Return each model with the log probabilities of its networks, (n_networks, n_rows, k)."""
        return [(model, _log_softmax(self._pair(z))) for model, z in zip(self.models, zs, strict=True)]

    def _pair(self, z: Floats) -> Floats:
        """Return z as a softmax takes it: a sigmoid is one of 0 and z."""
        if self.alone:
            z = z[:, :, self.number : self.number + 1]
        return np.concatenate([np.zeros_like(z), z], axis=2) if z.shape[2] == 1 else z

    def _calibrated(self, model: Model, log_p: Floats) -> tuple[Floats, _Backward]:
        mean = _log_sum(log_p, axis=0) - np.log(len(log_p))
        targets = model.targets
        made = targets.calibration if isinstance(targets, Classes) else None
        calibrated = None if made is None else _Calibrated(made, mean, np.finfo(model.dtype).eps)

        def backward(error: Floats) -> Floats:
            if calibrated is not None:
                error = calibrated.backward(error)
            return error * np.exp(log_p - mean) / len(log_p)

        return (mean if calibrated is None else calibrated.log_p), backward

    def _log_probabilities(self, each: Sequence[Floats]) -> Floats:
        if len(each) == 1:
            return each[0]
        logs = np.log(self.weights)[:, None, None]
        return _log_sum(np.stack(each) + logs, axis=0)

    def _by_z(self, error: Floats, z: Floats) -> Floats:
        """Return the slopes by z from those by the log probabilities: softmax is one of them."""
        p = np.exp(_log_softmax(self._pair(z)))
        by_pair: Floats = error - p * error.sum(axis=2, keepdims=True)
        if by_pair.shape == z.shape and not self.alone:
            return by_pair
        found = np.zeros_like(z)
        found[:, :, self.number if self.alone else 0] = by_pair[:, :, 1]
        return found


class _Backward(Protocol):
    def __call__(self, error: Floats) -> Floats: ...


class _Calibrated:
    """Calibrated log probabilities, shape (n_rows, k), and the way back from them: `Calibration`."""

    def __init__(self, calibration: Calibration, log_p: Floats, eps: np.floating) -> None:
        p, n = np.exp(log_p), log_p.shape[1]
        self._slope, below, left = calibration.taken_back(n)
        q = self._slope * np.maximum(p - below, 0.0) + left
        self._counts = (p > below) & (q > eps)
        self._p, self._q = p, np.maximum(q, eps)
        self._temperature = calibration.temperature
        logs = _log_softmax(np.log(self._q) / self._temperature)
        self._s = np.exp(logs)
        self.log_p = logs
        if calibration.smoothing > 0.0:
            alike = np.log(calibration.smoothing / n)
            self.log_p = np.logaddexp(np.log1p(-calibration.smoothing) + logs, alike)
        self._share = np.exp(np.log1p(-calibration.smoothing) + logs - self.log_p)

    def backward(self, error: Floats) -> Floats:
        """Return the slopes by the log probabilities that came in."""
        of_s = error * self._share
        of_logs = (of_s - self._s * of_s.sum(axis=1, keepdims=True)) / self._temperature
        found: Floats = np.where(self._counts, self._slope * self._p / self._q, 0.0) * of_logs
        return found


@dataclass(frozen=True, eq=False)
class Quantity:
    """A quantity in its own units, also beyond those learned from; of quantiles the middle one.

    Parameters
    ----------
    models : sequence of Model
    weights : sequence of float
        How much each model counts; of sum 1.
    number : int
        Of the quantity among the outputs.
    """

    models: Sequence[Model]
    weights: Sequence[float]
    number: int

    def value(self, zs: Sequence[Floats]) -> Floats:
        """Return the quantity of every row, shape (n_rows,)."""
        found = np.zeros(zs[0].shape[1])
        for model, weight, z in zip(self.models, self.weights, zs, strict=True):
            own, _ = self._own(model, z)
            found += weight * np.take_along_axis(own, self._chosen(model, own), axis=1)[:, 0]
        return found

    def slopes(self, zs: Sequence[Floats]) -> list[Floats]:
        """Return its derivatives by each z."""
        found = []
        for model, weight, z in zip(self.models, self.weights, zs, strict=True):
            own, factor = self._own(model, z)
            error = np.zeros_like(own)
            np.put_along_axis(error, self._chosen(model, own), weight / len(z), axis=1)
            error *= factor
            output = model.architecture.output
            found.append(np.stack([output.backward(each, error) for each in z]))
        return found

    def _own(self, model: Model, z: Floats) -> tuple[Floats, Floats]:
        a = np.mean([model.architecture.output(each) for each in z], axis=0)
        units = model.targets
        factor = units.factor if isinstance(units, Units) else None
        own = units.in_own_units(a) if isinstance(units, Units) else a
        return own, np.ones(a.shape[1]) if factor is None else factor

    def _chosen(self, model: Model, own: Floats) -> NDArray[np.int64]:
        """Return the number of the output that is the answer of every row, shape (n_rows, 1)."""
        if isinstance(model.targets, Units) and model.targets.quantiles:
            return np.argsort(own, axis=1)[:, 1:2]
        return np.full((len(own), 1), self.number)


def mean_slopes(answer: Answer, low: Sequence[Floats], high: Sequence[Floats]) -> list[Floats]:
    """Return the slopes between two z whose products with ``high - low`` add up to the difference.

    They are the slopes half way, and along ``high - low`` what these lack of it: the discrete gradient
    of Gonzalez ("Time integration and discrete Hamiltonian systems", 1996).

    Parameters
    ----------
    answer : Answer
    low, high : sequence of ndarray
        As `Answer.value` takes them.
    """
    ways = [b - a for a, b in zip(low, high, strict=True)]
    found = answer.slopes([a + way / 2.0 for a, way in zip(low, ways, strict=True)])
    told = sum((slope * way).sum(axis=(0, 2)) for slope, way in zip(found, ways, strict=True))
    length = sum((way**2).sum(axis=(0, 2)) for way in ways)
    lacking = answer.value(high) - answer.value(low) - told
    share = np.divide(lacking, length, out=np.zeros_like(lacking), where=length > _TINY)[:, None]
    return [slope + share * way for slope, way in zip(found, ways, strict=True)]


_TINY = 1e-24  # of a squared length: below, differences of answers are rounding


def _log_sum(logarithms: Floats, axis: int = 1) -> Floats:
    most = logarithms.max(axis=axis, keepdims=True)
    total: Floats = np.log(np.exp(logarithms - most).sum(axis=axis)) + most.squeeze(axis)
    return total


def _log_softmax(z: Floats) -> Floats:
    """Return the logarithms of softmax along the last axis."""
    away = z - z.max(axis=-1, keepdims=True)
    found: Floats = away - np.log(np.exp(away).sum(axis=-1, keepdims=True))
    return found
