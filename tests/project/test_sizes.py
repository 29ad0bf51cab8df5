"""What is too long to be read at once is found out: functions, lists of arguments, files.

Where one must be longer, ``# long: REASON`` stands on the line before it; of a file, it is its first
line. A reason without need of one is found out too.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import clearprop as cp
from clearprop.cli.app import COMMANDS
from test_public_api import code_lines
from test_typed_api import PUBLIC

PACKAGE = Path(cp.__file__).parent
MOST_CODE, MOST_ARGUMENTS, MOST_LINES = 60, 10, 400
MOST_EXCEPTIONS = 10
LONG = re.compile(r"\s*# long: (?=\S+ \S+ \S+)(.+)")
API = {name.removeprefix("clearprop.") for name in PUBLIC} | {f"cli.{name}.{name}" for name in COMMANDS}


@dataclass(frozen=True)
class Size:
    """A file, or a function that stands in no other, with the measures that it exceeds."""

    name: str
    too_much: tuple[str, ...]
    reason: str | None


def functions(node, owner):
    """Yield (name, function, whether another one holds it) of every function in a syntax tree."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{owner}.{child.name}"
            if not isinstance(child, ast.ClassDef):
                yield name, child, isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from functions(child, name)
        else:
            yield from functions(child, owner)
