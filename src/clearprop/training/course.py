"""What changes from step to step beside the rate, by schedules: dropout, weight decay, smoothing."""

from __future__ import annotations

import numpy as np

from clearprop.engines import Data, Plan
from clearprop.engines.interface import Course
from clearprop.schedules import at
from clearprop.training.preparation import smoothed
from clearprop.training.settings import Settings
from clearprop.training.supply import Part


def course_of(
    settings: Settings, plan: Plan, epochs: int, first_step: int, n_steps: int
) -> Course | None:
    """Return the dropout and the weight decay of some steps; None where neither is a schedule.

    Parameters
    ----------
    settings : Settings
    plan : Plan
    epochs, first_step : int
        Since the training began, and of the epoch that is going on: where the steps begin.
    n_steps : int
    """
    if not settings.has_course:
        return None
    decay, n_hidden = (
        getattr(settings.optimizer, "weight_decay", 0.0),
        len(plan.architecture.layers) - 1,
    )
    times = [epochs + (first_step + i) / plan.steps_per_epoch for i in range(n_steps)]
    rates = np.array([settings.dropout_rates(n_hidden, t) for t in times])
    return Course(rates.reshape(n_steps, n_hidden), np.array([at(decay, t) for t in times]))


def part_of(settings: Settings, plan: Plan, part: Part, epochs: int, step: int) -> Part:
    """Return the rows that the next steps are made of: all that are given.

    Where label smoothing is a schedule they are those of one step, with the targets as it has them.
    """
    amount = settings.label_smoothing
    if not settings.step_by_step:
        return part
    its = part.order[..., part.batch(plan, step)]  # of members one each
    rows, (X, Y, weight) = its.reshape(-1), part.data
    now = at(amount, epochs + step / plan.steps_per_epoch)
    targets = smoothed(Y[rows], plan.architecture.output, now)
    data = Data(X[rows], targets, None if weight is None else weight[rows])
    return part.of_step(step, data, np.arange(len(rows)).reshape(its.shape))
