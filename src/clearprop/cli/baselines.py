"""Baselines beside the network of a table: whether they are learned, and what is said of them.

In: `Options`, a training that has ended, and rows to judge it on. Out: what `estimators.baselines`
finds, and lines on it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from clearprop import engines
from clearprop.cli import errors, terminal
from clearprop.cli.options import HELD_OUT, Options
from clearprop.data.row_stream import CHUNK_ROWS
from clearprop.engines import Data
from clearprop.estimators import baselines
from clearprop.estimators.baselines import Baseline
from clearprop.training.supply import InMemory, Supply

_MOST_ROWS = 100_000  # of a stream, whose rows are on disk


def are_wanted(options: Options, held_out: float | None) -> bool:
    """Return whether baselines are learned: unless the output is for a program, if rows are held out.

    Raises
    ------
    ValueError
        If they are asked for, and no rows are held out.
    """
    if options.baselines and held_out == 0:
        raise ValueError(
            f"--baselines needs rows that are held out, and there are none: --validation {HELD_OUT} "
            "holds out a fifth of them"
        )
    if options.baselines is not None:
        return options.baselines
    return not (options.quiet or options.json) and held_out != 0


def learned(training: Any, held: Data, seconds: float, rows: Data | None = None) -> list[Baseline]:
    """Return the baselines of a training that took so long, on rows that chose nothing of it.

    They learn from some `rows`, by default those that `some_rows` gives.
    """
    model, supply = training.net.model, training.supply
    a, _ = engines.evaluate(model.architecture, model.parameters, held)
    try:
        return baselines.compare(
            baselines.rows_of(model, rows or some_rows(supply, model.seed)),
            baselines.rows_of(model, held),
            baselines.answers(model, a),
            classes=model.classes is not None,
            seconds=max(baselines.SHARE * seconds, baselines.LEAST),
            seed=model.seed % 2**32,
            of_rows=supply.n_samples,
        )
    except KeyboardInterrupt:
        errors.say("interrupted: the model is saved, its baselines are left out")
        return []


def some_rows(supply: Supply, seed: int) -> Data:
    """Return the rows of a training, of a stream's a sample that fits in memory."""
    if isinstance(supply, InMemory):
        return supply.data
    rng = np.random.default_rng(seed)
    share = min(1.0, _MOST_ROWS / supply.n_samples)
    parts = []
    for X, Y, weight in supply.blocks(CHUNK_ROWS):
        rows = np.flatnonzero(rng.random(len(X)) < share)
        parts.append(Data(X[rows], Y[rows], None if weight is None else weight[rows]))
    weights = [each.sample_weight for each in parts if each.sample_weight is not None]
    return Data(
        np.concatenate([each.X for each in parts]),
        np.concatenate([each.Y for each in parts]),
        np.concatenate(weights) if weights else None,
    )


def lines(found: Sequence[Baseline], room: int) -> list[tuple[str, str]]:
    """Return each baseline's name, and what it reaches beside the network, in lines that have room."""
    told = [(each.name, _text(each)) for each in found]
    told.append(("", "(differences are paired by rows, with their 95 % intervals)"))
    return [
        ("" if number else name, line)
        for name, text in told
        for number, line in enumerate(textwrap.wrap(text, max(room, 20), break_long_words=False))
    ]


def _text(found: Baseline) -> str:
    worse = -1.0 if found.wins else 1.0
    ends = sorted((worse * found.low, worse * found.high))
    if found.metric == "accuracy":
        value = terminal.percent(found.value)
        mean, low, high = (f"{100 * each:.1f}" for each in (worse * found.difference, *ends))
        mean += " points"
    else:
        value = f"RMSE {terminal.number(found.value)}"
        mean, low, high = map(terminal.number, (worse * found.difference, *ends))
    said = "no clear difference:"
    if found.is_beaten:
        said = "the network is better by"
    elif found.wins:
        said = "wins: the network is worse by"
    left = [] if found.rows >= found.of_rows else [f"of a sample of {found.rows:,} rows"]
    return "; ".join(
        [f"{value}  {said} {mean} ({low} to {high})", *left, *filter(None, [found.unfinished])]
    )
