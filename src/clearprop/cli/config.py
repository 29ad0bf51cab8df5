"""Options from a TOML file: the long names of the options, without their dashes."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

import typer


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make what the file says the defaults of the command that is being read.

    Raises
    ------
    ValueError
        If it is not TOML, or a key is no option (with the nearest name) or has no value of one.
    OSError
        If it cannot be read.
    """
    if path is None:
        return None
    if path.exists() and not path.is_file():
        raise OSError(f"{path} must be a regular file")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except ValueError as problem:  # not TOML, or not UTF-8
        raise ValueError(f"{path} is not a TOML file: {problem}") from None
    known = {
        option[2:]: parameter
        for parameter in context.command.params
        for option in parameter.opts
        if option.startswith("--") and option not in ("--config", "--help")
    }
    context.default_map = {}
    for key, value in values.items():
        parameter = known[_known_key(key, known, path)]
        context.default_map[parameter.name] = _value(parameter, key, value, path)
    return path


def _known_key(key: str, known: dict[str, Any], path: Path) -> str:
    name = key.replace("_", "-")
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else f"; options are {', '.join(sorted(known))}"
    raise ValueError(f"{path} has the unknown key {key!r}{meant}")


def _value(parameter: Any, key: str, value: Any, path: Path) -> Any:
    """Return the value as it would stand on the command line; switches stay true or false."""
    if parameter.is_flag:
        if not isinstance(value, bool):
            raise ValueError(f"{path}: {key} must be true or false, got {value!r}")
        return value
    if isinstance(value, list) and parameter.multiple:
        if all(isinstance(each, str | int | float) and not isinstance(each, bool) for each in value):
            return [str(each) for each in value]
    elif isinstance(value, list) and all(type(each) is int for each in value):
        return ",".join(map(str, value))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{path}: {key} must be a number or text, got {value!r}")
    return str(value)
