"""Why is this weight slow? Its speed, split exactly into activation, slope, error, and how they meet.

For every weight and sample, dC/dw_jk = a_k * f'(z_j) * dC/da_j. With RMS over the samples,

    mean |a_k f'_j e_j|  =  A_k * S_j * E_j * M_jk

where A, S, E are the RMS of the factors and M, at least 0, says how far the samples on which they are
large are the same. A weight is slow because of the factor that is smallest beside what is usual: the
layer's RMS of a, the steepest slope, the layer's RMS of e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop.diagnosis import activation_range, quantities
from clearprop.diagnosis.diagnose import LARGEST_SAMPLE, prepared, stratified

if TYPE_CHECKING:
    from clearprop.traceable import Traceable

Numbers = NDArray[np.float64]
FACTORS = ("activation", "slope", "error", "meeting")


class Slow(NamedTuple):
    """A weight, and why it is slow: `unit` and `input` count from 0."""

    unit: int
    input: int
    speed: float
    cause: str
    activation: float
    slope: float
    error: float
    meeting: float


@dataclass(frozen=True, eq=False)
class Attribution:
    """The speeds of one layer's weights and their factors, each relative to what is usual.

    Attributes
    ----------
    layer : int
        1 to L.
    speed : ndarray of shape (n_out, n_in)
        ``mean over samples |dC/dw|``.
    usual : float
        What the relative factors are relative to: ``speed = usual * activation * slope * error *
        meeting``.
    activation : ndarray of shape (n_in,)
    slope, error : ndarray of shape (n_out,)
        Where cost and output cancel the slope (delta = a - y), slope is 1 and error is of delta.
    meeting : ndarray of shape (n_out, n_in)
        At least 0; NaN where a factor is 0 on every sample.
    """

    layer: int
    speed: Numbers
    usual: float
    activation: Numbers
    slope: Numbers
    error: Numbers
    meeting: Numbers

    @property
    def cause(self) -> NDArray[np.int64]:
        """The position in `FACTORS` of each weight's smallest factor, shape (n_out, n_in)."""
        shape = self.speed.shape
        factors = np.stack(
            [
                np.broadcast_to(self.activation, shape),
                np.broadcast_to(self.slope[:, None], shape),
                np.broadcast_to(self.error[:, None], shape),
                np.nan_to_num(self.meeting, nan=1.0),
            ]
        )
        return factors.argmin(axis=0)

    def shares(self, below: float = 0.1) -> dict[str, float]:
        """Return, for the weights slower than `below` of the median, the share of each cause.

        The shares are of all weights of the layer.
        """
        slow = self.speed < below * np.median(self.speed)
        return {name: float((slow & (self.cause == i)).mean()) for i, name in enumerate(FACTORS)}

    def slowest(self, n: int = 10) -> list[Slow]:
        """Return the n slowest weights with their causes."""
        order = np.argsort(self.speed, axis=None, kind="stable")[:n]
        cause = self.cause
        return [
            Slow(
                int(j),
                int(k),
                float(self.speed[j, k]),
                FACTORS[cause[j, k]],
                float(self.activation[k]),
                float(self.slope[j]),
                float(self.error[j]),
                float(self.meeting[j, k]),
            )
            for j, k in zip(*np.unravel_index(order, self.speed.shape), strict=True)
        ]


def attribute(
    net: Traceable, X: ArrayLike, Y: ArrayLike, *, max_samples: int = LARGEST_SAMPLE
) -> tuple[Attribution, ...]:
    """Return the three-factor attribution of every layer's weights.

    Parameters
    ----------
    net : Network
    X, Y : array-like
    max_samples : int
        Of more rows a stratified sample is looked at.

    Returns
    -------
    tuple of Attribution
        One for each layer.

    Raises
    ------
    ValueError, TypeError
        If X and Y do not fit the network.

    Examples
    --------
    >>> import clearprop as cp
    >>> net = cp.Network([2, 2, 1], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    >>> net.biases[0][0] = 20.0  # saturates the first hidden unit
    >>> layer = attribute(net, [[0.5, 1.0], [1.0, 0.2]], [[0], [1]])[0]
    >>> layer.slowest(1)[0].unit, layer.slowest(1)[0].cause
    (0, 'slope')
    """
    inputs, targets = prepared(net, X, Y)
    rows = stratified(targets, max_samples)
    p = quantities.run(net.architecture, net.parameters, inputs[rows], targets[rows])
    return tuple(of_layer(p, l) for l in range(len(p.z)))  # noqa: E741


@np.errstate(all="ignore")
def of_layer(p: quantities.Pass, l: int) -> Attribution:  # noqa: E741
    """Return the attribution of one layer; its price is one more product delta^T a."""
    layer = p.architecture.layers[l]
    last = l == len(p.z) - 1
    # softmax mixes its layer's errors, and canonical costs cancel the slope: delta is then one factor.
    whole = last and (
        p.architecture.cost.form(p.architecture.output) is not None or not layer.function.elementwise
    )
    a, delta = p.a[l].astype(np.float64), p.delta[l].astype(np.float64)
    e = delta if whole else p.error[l].astype(np.float64)
    s = np.ones_like(delta) if whole else np.abs(p.slope[l].astype(np.float64))
    speed = np.abs(delta).T @ np.abs(a) / p.n
    A, S, E = (np.sqrt(np.square(each).mean(axis=0)) for each in (a, s, e))
    steepest = (
        np.ones(layer.size) if whole else activation_range.of_layer(layer.function, layer.size).steepest
    )
    steepest = np.where(np.isfinite(steepest), steepest, 1.0)
    usual_a, usual_e = (float(np.sqrt(np.square(each).mean())) for each in (a, e))
    usual_s = float(steepest.max())
    return Attribution(
        l + 1,
        speed,
        usual_a * usual_s * usual_e,
        _over(A, usual_a),
        S / usual_s,
        _over(E, usual_e),
        speed / (A * S[:, None] * E[:, None]),
    )


def _over(values: Numbers, usual: float) -> Numbers:
    return values / usual if usual > 0 else np.zeros_like(values)
