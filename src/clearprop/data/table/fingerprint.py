"""What tells a table from another of the same name, cheaply: of large files samples are read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, BinaryIO

from clearprop.data.files import Source, open_regular, size
from clearprop.data.remote import Remote
from clearprop.data.table.reader import common_folder
from clearprop.data.tables import files_of, parts_below, sources

Facts = dict[str, str]  # by what each is called

_BLOCK = 1 << 16  # bytes of a sample
_MOST, _MOST_IN_ALL = 256, 1024  # samples of a file, and of a table; of each file there is one


def facts_of(what: Source | Sequence[Source], schema: Any) -> tuple[Facts, Facts, Facts]:
    """Return what a table is known by: its columns, the sizes of its files, and their content.

    A difference in one of them is a difference in those behind it.

    Parameters
    ----------
    what : path or sequence of paths
        As in `open_table`. Of files at a URL, which are the same wherever they are read, only the end
        is: in Parquet it says what the row groups hold.
    schema : pyarrow.Schema
        Of the columns as they are stored.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    paths = sources(what)
    read = [each for path in paths for each in files_of(path)]
    folder = common_folder(paths, read)
    sizes, contents = Facts(), Facts()
    for path in read:
        name = "file " + "/".join(parts_below(path, folder))
        n_samples = 1 if isinstance(path, Remote) else max(1, min(_MOST, _MOST_IN_ALL // len(read)))
        with open_regular(path) as file:
            sizes[name] = f"{size(file):,} bytes"
            contents[f"content of {name}"] = _sampled(file, n_samples)
    columns = {f"column {each.name}": f"{each.type}, number {i}" for i, each in enumerate(schema, 1)}
    return columns, sizes, contents


def _sampled(file: BinaryIO, most: int) -> str:
    """Return a digest of samples that lie evenly in a file, its end among them: of a small one, of all.

    Of Parquet the footer is read as a whole, with the sizes and statistics of all row groups.
    """
    n_bytes, found = size(file), hashlib.sha256()
    last, n = max(n_bytes - _BLOCK, 0), max(1, min(most, -(-n_bytes // _BLOCK)))
    for i in range(n):
        file.seek(last - last * i // max(n - 1, 1))
        found.update(file.read(_BLOCK))
    file.seek(max(n_bytes - 8, 0))
    end = file.read(8)
    if end[4:] == b"PAR1":
        footer = int.from_bytes(end[:4], "little")
        file.seek(max(n_bytes - 8 - footer, 0))
        found.update(file.read(footer))
    return found.hexdigest()[:16]
