"""The files of one table: what reads them, whatever their kind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from clearprop.data.files import Place
from clearprop.data.table.csv_folder import CsvFolder
from clearprop.data.table.csv_text import CsvText
from clearprop.data.table.json_lines import JsonLines
from clearprop.data.table.parquet_files import ParquetFiles
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.stretches import Stretch, between
from clearprop.data.tables import absolute, files_of, is_of_json


def reader(paths: Sequence[Place], options: ReadOptions) -> Any:
    """Return what reads files and folders as one table.

    Raises
    ------
    OSError
        If one cannot be read.
    ValueError
        If they are of several kinds, or one is not what it should be.
    """
    first, read = paths[0], [each for path in paths for each in files_of(path)]
    if first.is_dir() and not read:
        raise ValueError(f"{first} must hold .parquet files, got none")
    kinds: dict[str, Place] = {}
    for path in read:
        kinds.setdefault(_kind(path), path)
    if len(kinds) > 1 or (len(read) > 1 and "JSON lines" in kinds):
        got = " and ".join(map(str, kinds.values()))
        raise ValueError(f"several files must be Parquet, or CSV, all of them, got {got}")
    if "JSON lines" in kinds:
        return JsonLines(first)
    if "Parquet" in kinds:
        return ParquetFiles(read, common_folder(paths, read))
    return CsvText(first, options) if read == [first] else CsvFolder(read, options)


def common_folder(paths: Sequence[Place], read: Sequence[Place]) -> str:
    """Return the folder in which the files of a table are: the one that is named, or all of them."""
    if len(paths) == 1 and paths[0].is_dir():
        return absolute(paths[0])
    return os.path.commonpath([absolute(each.parent) for each in read])


def _kind(path: Place) -> str:
    if path.name.lower().endswith(".parquet"):
        return "Parquet"
    return "JSON lines" if is_of_json(path) else "CSV"


def stored_batches(
    raw: Any, columns: Sequence[str], batch_rows: int, stretch: Stretch
) -> Iterator[Any]:
    """Give some columns of a stretch of a table's rows; nothing else of Parquet is read.

    Parameters
    ----------
    raw : CsvText, CsvFolder, ParquetFiles, JsonLines or pyarrow.Table
    columns : sequence of str
    batch_rows : int
        Rows at most in a batch.
    stretch : Stretch
    """
    if isinstance(raw, ParquetFiles):
        yield from raw.batches(columns, batch_rows, stretch)
        return
    text = isinstance(raw, CsvText | CsvFolder)
    whole = raw.batches() if text else raw.to_batches(max_chunksize=batch_rows)
    for batch in between(iter(whole), stretch):
        chosen = batch.select(list(columns))
        for start in range(0, chosen.num_rows, batch_rows):
            yield chosen.slice(start, batch_rows)
