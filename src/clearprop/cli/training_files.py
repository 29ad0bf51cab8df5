"""The files of a training, looked at before it begins: no two of them one, none that would be lost.

In: `Options`. Out: the path of the model, and whether there is a checkpoint to go on from.
"""

from __future__ import annotations

import os

from clearprop.cli import errors, files, model
from clearprop.cli.options import Options


def refuse_same(options: Options, output: str | None) -> None:
    """Make sure that no file is written which is another of the training's files too.

    Raises
    ------
    ValueError
        Naming both options.
    """
    validation = None if options.fraction is not None or options.in_folds else options.validation
    config = None if options.config is None else str(options.config)
    files.refuse_same(
        {"DATA": options.source, "--validation": validation, "--config": config},
        {"--output": output, "--log": options.log, "--checkpoint": options.checkpoint},
    )


def check_checkpoint(options: Options) -> bool:
    """Return whether there is a checkpoint to go on from, before anything is loaded.

    Raises
    ------
    ValueError
        If one would be overwritten, or none was named.
    """
    if options.checkpoint is None:
        if options.resume:
            raise ValueError("--resume needs --checkpoint FILE, the file to go on from")
        return False
    path = model.expanded(options.checkpoint)
    there = os.path.exists(path)
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise ValueError(f"--checkpoint {path}: there is no folder {os.path.dirname(path)}")
    if there and not options.resume:
        raise ValueError(
            f"--checkpoint {options.checkpoint} exists: --resume goes on from it, another name starts "
            "anew"
        )
    if options.resume and not there:
        errors.say(f"{options.checkpoint} does not exist: starting from the beginning")
    return there


def check_output(options: Options, name: str) -> str:
    """Return the model's file, which can be written and holds nothing that would be missed."""
    path = model.expanded(options.output or f"{name}.safetensors")
    check_writable(path)
    refuse_same(options, path)
    if os.path.lexists(path) and not model.is_own_model(path):
        raise ValueError(f"{path} exists and is no clearprop model; --output names another file")
    return path


def check_writable(path: str) -> None:
    """Refuse a path that no file can be written to.

    Raises
    ------
    ValueError
    """
    try:
        folder = os.path.dirname(os.path.abspath(path))
    except FileNotFoundError:
        raise ValueError(f"--output {path}: the current folder has been removed") from None
    if os.path.isdir(path):
        raise ValueError(f"--output must be a file, {path} is a folder")
    if not os.path.isdir(folder):
        raise ValueError(f"--output {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"--output {path}: the folder {folder} cannot be written to")
