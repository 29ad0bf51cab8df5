"""What the processes that fit an estimator together must have in common: rows, and random numbers."""

from __future__ import annotations

import dataclasses
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clearprop.distributed import agreement, rows, teams
from clearprop.distributed.team import Team
from clearprop.estimators.options import Options
from clearprop.masks import refuse_masked

if TYPE_CHECKING:
    from clearprop.estimators.session import Session


class Given(NamedTuple):
    """What is given to a fit."""

    X: Any
    y: Any
    sample_weight: Any
    validation: tuple[Any, Any]
    groups: Any


# What may be another in each process; `given` follows from the others.
_OF_EACH = ("callbacks", "communicator", "given", "n_threads", "verbose")


def of_all(
    options: Options, random_state: object, given: tuple[Any, Any, Any, tuple[Any, Any], Any]
) -> Given:
    """Return the rows of all processes, where each has given its own. Collective.

    Raises
    ------
    ValueError, TypeError
        If they are of different kinds, or the arguments of the estimators are not the same.
    """
    refuse_masked(given[-1], "groups")
    if options.communicator is None:
        return Given(*given)
    team, (X, y, weight, (X_val, y_val), groups) = _team_of(options, options.communicator), given
    names = {each.name for each in dataclasses.fields(options)}.difference(_OF_EACH)
    alike = {name: getattr(options, name) for name in names}
    agreement.compare(team, agreement.arguments(alike | {"random_state": random_state}))
    return Given(
        rows.of_all(team, X, "X"),
        rows.of_all(team, y, "y"),
        rows.of_all(team, weight, "sample_weight"),
        (rows.of_all(team, X_val, "X_val"), rows.of_all(team, y_val, "y_val")),
        rows.of_all(team, groups, "groups"),
    )


def one_state(
    options: Options, session: Session, state: np.random.RandomState, given: object
) -> np.random.RandomState:
    """Return the random numbers of a fit: of several processes those of rank 0."""
    communicator = session.team or options.communicator
    if communicator is None or isinstance(given, Integral):
        return state
    return np.random.RandomState(
        _team_of(options, communicator).as_first(int(state.randint(2**31 - 1)))
    )


def _team_of(options: Options, communicator: object) -> Team:
    return teams.team_of(communicator, options.stall_timeout)
