"""Standard input as a file: what reads DATA reads it more than once."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

_ENDINGS = {b"PAR1": ".parquet", b"PK\x03\x04": ".npz", b"\x1f\x8b": ".csv.gz", b"{": ".jsonl"}
_NAME = "standard-input"


_made: list[str] = []  # the files that hold it


def said(text: str) -> str:
    """Return a text with "standard input" for a file that `as_file` has made."""
    for path in _made:
        text = text.replace(path, "standard input")
    return text


def as_files(data: list[str]) -> list[str]:
    """Return each of DATA; standard input, where it is ``-``, as `as_file` does."""
    return list(map(as_file, data))


def as_file(data: str) -> str:
    """Return DATA; where it is ``-``, a file with all of standard input, gone with the process.

    What it is, the first bytes tell: Parquet, NPZ, gzip, JSON lines, or else CSV.

    Raises
    ------
    ValueError
        If standard input is a terminal, or there is none.
    """
    if data != "-":
        return data
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("DATA - is standard input, which must come from a file or a pipe, got none")
    from clearprop.data.spool import default_folder

    stream = sys.stdin.buffer
    folder = tempfile.mkdtemp(prefix="clearprop-", dir=default_folder())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    head = stream.read(4)
    ending = next((end for magic, end in _ENDINGS.items() if head.startswith(magic)), ".csv")
    path = os.path.join(folder, _NAME + ending)
    with open(path, "wb") as file:
        file.write(head)
        shutil.copyfileobj(stream, file)
    _made.append(path)
    return path
