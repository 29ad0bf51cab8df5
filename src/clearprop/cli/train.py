"""``clearprop train``: from the command line to a training.

In: the command line, and the file of --config. Out: a model's file, its report, an exit code.
"""

from __future__ import annotations

import typer

from clearprop.cli import running
from clearprop.cli.options import Options, declared


@declared
def train(options: Options) -> None:
    """Train a network on DATA, save it, and show what it learned.

    Defaults stand in parentheses.

    Example: clearprop train digits --hidden 64,32 --epochs 20 --seed 1
    """
    raise typer.Exit(running.run(options))
