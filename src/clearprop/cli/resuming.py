"""What a run that goes on from a checkpoint takes over, and what it must share with the one that began.

In: `Options`, and the file of --checkpoint. Out: the seed, and a refusal that names each difference.
The library holds its own settings against the checkpoint's; here is what it does not see.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from clearprop import randomness
from clearprop.cli import model, processes, terminal
from clearprop.cli.options import Options

OPTIONS = "options"  # in a network's `about`, while its training may be resumed


def choose_seed(options: Options) -> int:
    """Return the seed given, that of the checkpoint to go on from, or a new one."""
    if options.seed is None and options.resume and options.checkpoint:
        path = model.expanded(options.checkpoint)
        if os.path.exists(path):
            return model.read_network(path)[0].seed
    if options.seed is None:
        drawn = randomness.check_seed(None) % 2**32  # short enough to be typed again
        team = processes.team()
        return drawn if team is None else int(team.as_first(drawn))
    return randomness.check_seed(options.seed)


def first_parameters(options: Options) -> dict[str, str]:
    """Return how first weights and biases are drawn, where that is said, for a network's `about`."""
    return {
        name.replace("_", "-"): ":".join([each.name, *map(repr, each.parameters.values())])
        for name, each in options.initializers.items()
    }


def untold(options: Options) -> dict[str, Any]:
    """Return what a resumed run must share that a file mentions only where it was given."""
    patience = {} if options.waits is None else {"patience": options.waits}
    given = {name: getattr(options, name) for name in ("embedding", "members", "preset", "threshold")}
    given["calibrate"] = options.calibrate
    kept = {name: value for name, value in given.items() if value is not None}
    return first_parameters(options) | patience | kept


def begun_with(options: Options) -> dict[str, Any] | None:
    """Return what the run of the checkpoint said of its options; None if it was begun from Python."""
    about = model.read_network(str(options.checkpoint))[0].about
    then = about.get(OPTIONS)
    return then if isinstance(then, dict) else None


def preset_begun_with(options: Options) -> str | None:
    """Return the preset of the checkpoint's run; None if no table's run is gone on with."""
    if not (options.resume and options.checkpoint):
        return None
    path = model.expanded(options.checkpoint)
    said = model.read_network(path)[1].model.estimator if os.path.exists(path) else None
    return None if said is None else said["arguments"].get("preset")


def compare(options: Options, now: Mapping[str, Any], unsaid: Mapping[str, Any] | None = None) -> None:
    """Hold a run's options against those with which its checkpoint was begun.

    Parameters
    ----------
    options : Options
    now : mapping
        What the run's `about` says under `OPTIONS`.
    unsaid : mapping, optional
        What holds for a checkpoint that does not say it.

    Raises
    ------
    ValueError
        Naming each that differs.
    """
    then = begun_with(options)
    if then is None:
        return
    then = {**(unsaid or {}), **then}
    different = [
        f"--{name} is {_told(now.get(name))}, was {_told(then.get(name))}"
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]
    if different:
        raise ValueError(
            f"{options.checkpoint} cannot be resumed with other settings: {'; '.join(different)}"
        )


def _told(value: Any) -> str:
    """Return a setting's value for a message."""
    return "not given" if value is None else terminal.plain(value)[:80]
