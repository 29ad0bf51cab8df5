"""The command line: reads options and files, calls the library, and shows what came of it.

Results go to standard output, progress and warnings to standard error. Exit codes: 0 success; 1 the
work failed; 2 a mistake in the command or the data, told in one sentence; 130 and 143 interrupted.
"""

from clearprop.cli.app import main

__all__ = ["main"]
