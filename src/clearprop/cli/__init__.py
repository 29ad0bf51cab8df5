"""The command line: reads options and files, calls the library, and shows what came of it.

Results go to standard output, progress and warnings to standard error. Exit codes: 0 success; 1 the
work failed; 2 a mistake in the command or the data, told in one sentence; 130 and 143 interrupted.
"""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    try:
        from clearprop.cli import app
    except (
        ImportError,
        MemoryError,
        OSError,
    ) as problem:  # with little memory, a library is not loaded
        from clearprop.cli import errors

        sys.exit(errors.tell(problem))
    app.main(arguments)
