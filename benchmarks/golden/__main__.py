"""Make the golden runs with the clearprop that this Python imports, in this folder.

    python benchmarks/golden FILE [NAME ...]

FILE gets a line of JSON for each run: its name, what was found, the CPU seconds it took. NAME is a
pattern of the names of the runs to make. `same.py` calls this, and compares two such files.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

import shell

import data

CLOCK = ("seconds", "samples_per_second")
# What a text says by the clock: speeds, times, and which epochs but the first and the last are told.
BY_THE_CLOCK = (
    (r"  [\d,.]+ samples/s", ""),
    (r"  \d+ (s|min|h \d+ min) left", ""),
    (r"(trained +.*), \d+\.\d s", r"\1, # s"),
    (r"compiling .* \.\.\.\n", ""),
    (r"epoch +\d+\.\d+/\d+  .*\n", ""),
    (r"epoch +(?!1/)(\d+)/(?!\1\b)\d+  .*\n", ""),
    (r"[\d.e+-]+ GB are free", "# GB are free"),
)


def masked(text: str) -> str:
    """Return a text without what the clock says, and without this folder's name."""
    text = text.replace(str(Path.cwd()), "FOLDER")
    for pattern, put in BY_THE_CLOCK:
        text = re.sub(pattern, put, text)
    return text


def plain(value: Any) -> Any:
    """Return a value as JSON has it, arrays with all of their bits; masked by name: the clock's."""
    import numpy as np

    if isinstance(value, str):
        return masked(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "OU":
            return {"dtype": value.dtype.str, "values": [repr(each) for each in value.ravel()]}
        bits = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "bits": bits}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(k): "the clock's" if k in CLOCK else plain(each) for k, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def cpu_seconds() -> float:
    """Return the processor time of this process and its children."""
    return sum(os.times()[:4])


def chosen(patterns: list[str]) -> Any:
    """Yield the runs of these names; the shell's first: a process that computes is not to be forked."""

    def of(part: Any) -> list[Any]:
        return [
            (name, run)
            for name, run in part.runs()
            if not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ]

    if commands := of(shell):
        shell.prepare()
        yield from commands
    import networks
    import refused

    import estimators

    for part in (networks, estimators, refused):
        yield from of(part)


def main() -> None:
    file, patterns = Path(sys.argv[1]), sys.argv[2:]
    data.write_files(Path())
    with file.open("w") as out:
        for name, run in chosen(patterns):
            began = cpu_seconds()
            try:
                found = plain(run())
            except Exception as problem:
                where = traceback.format_exc()
                found = {"raised": f"{type(problem).__name__}: {problem}", "where": where}
            line = {"run": name, "found": found, "cpu": round(cpu_seconds() - began, 2)}
            out.write(json.dumps(line) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
