"""Schedule-Free AdamW: an optimizer with a mean of its own in place of a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clearprop import schedules
from clearprop.optimizers import KNOWN, OPTIMIZERS, AdamW, Flat


def mean_share(t: int, warmup_steps: int) -> float:
    """Return the share of the t-th point in the mean of all: ``c_t = r_t^2 / (r_1^2 + ... + r_t^2)``.

    With rates ``r_t`` that rise in equal steps up to `warmup_steps` and stay, whatever they are.
    """
    n = max(warmup_steps, 1)
    if t < n:
        return 6.0 * t / ((t + 1.0) * (2.0 * t + 1.0))
    return 6.0 * n / ((n + 1.0) * (2.0 * n + 1.0) + 6.0 * n * (t - n))


@dataclass(frozen=True)
class ScheduleFreeAdamW(AdamW):
    """Schedule-Free AdamW (Defazio et al. 2024, algorithm 1): it needs no horizon.

    The gradient is taken at ``y = (1 - beta1) z + beta1 x``, the parameters while it trains. Steps are
    those of z, and x is their mean, which is evaluated and handed over:

    ``v <- beta2 v + (1 - beta2) g^2``, ``v_hat = v / (1 - beta2^t)``,
    ``h = g / (sqrt(v_hat) + epsilon) + weight_decay y``, ``z <- z - rate_t h`` and
    ``x <- (1 - c_t) x + c_t z`` with ``c_t`` from `mean_share` and
    ``rate_t = rate * min(1, t / warmup_steps)``. Kept are y, z and v; x follows from y and z.

    Parameters
    ----------
    learning_rate : float
        A number: a schedule would be a second one.
    warmup_steps : int
        Steps in which the rate rises.

    Raises
    ------
    ValueError
        If the rate is a schedule, beta1 is 0, or warmup_steps is no integer of at least 0.
    """

    moments: ClassVar[tuple[str, ...]] = ("z", "mean_square")
    has_mean: ClassVar[bool] = True
    learning_rate: float | schedules.Schedule = 2.5e-3
    weight_decay: float | schedules.Schedule = 0.0
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        """Check every argument against its rule."""
        super().__post_init__()
        if not isinstance(self.schedule, schedules.constant):
            raise ValueError(
                f"learning_rate must be a number for ScheduleFreeAdamW, which is to need no schedule, "
                f"got {self.learning_rate!r}"
            )
        if not self.beta1:
            raise ValueError("beta1 must be above 0 for ScheduleFreeAdamW, got 0")
        steps = self.warmup_steps
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise ValueError(f"warmup_steps must be an integer of at least 0, got {steps!r}")

    def init(self, parameters: Flat) -> Flat:
        """Return the first z, the parameters themselves, and zeros."""
        return np.stack([parameters, np.zeros_like(parameters)])

    def update(
        self,
        parameters: Flat,
        gradient: Flat,
        moments: Flat,
        rate: float | Flat,
        t: int,
        decay: float | Flat = 1.0,
    ) -> tuple[Flat, Flat]:
        """As in `Optimizer.update`; the parameters are y."""
        rate_t, c = rate * min(1.0, t / max(self.warmup_steps, 1)), mean_share(t, self.warmup_steps)
        z, v = moments[0], self.beta2 * moments[1] + (1.0 - self.beta2) * gradient * gradient
        step = rate_t * gradient / (np.sqrt(v / (1.0 - self.beta2**t)) + self.epsilon)
        step = step + rate_t * (schedules.at(self.weight_decay, 0.0) * decay) * parameters
        y = parameters + c * (z - parameters) - (1.0 - self.beta1 * (1.0 - c)) * step
        return y, np.stack([z - step, v])

    def evaluated(self, parameters: Flat, moments: Flat) -> Flat:
        """Return x, the mean."""
        return parameters + parameters.dtype.type(1.0 - 1.0 / self.beta1) * (moments[0] - parameters)

    def trained(self, evaluated: Flat, moments: Flat) -> Flat:
        """Return y, the parameters that `evaluated` was made of."""
        x = evaluated
        return x + x.dtype.type(1.0 - self.beta1) * (moments[0] - x)


OPTIMIZERS["schedulefreeadamw"] = KNOWN["schedulefreeadamw"] = ScheduleFreeAdamW
