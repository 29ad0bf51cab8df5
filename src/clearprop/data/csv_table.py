"""Numeric CSV, read by pyarrow; what it refuses is explained with its line, column and value."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from clearprop.data.csv_text import (
    EXACT,
    LEADING_ZERO,
    NUMBER,
    WHOLE,
    CsvText,
    first_problem,
    open_text,
)
from clearprop.data.dataset import Dataset
from clearprop.data.files import Source, local_path
from clearprop.data.tables import TargetColumn, choose_target, table_dataset
from clearprop.data.targets import MAX_CLASSES, check_task, is_missing

_BLOCK_BYTES = 1 << 22


def read_csv(
    path: Source, *, target: str | None = None, task: str | None = None, need_target: bool = True
) -> Dataset:
    """Return the data set in a CSV file of numbers with a row of column names.

    The text is UTF-8, plain or gzip. Fields are separated by commas or, where the row of names has
    none, by semicolons, tabs or bars; the decimal sign is the point. A target of numbers written
    with leading zeros (007) is text; one of true and false is boolean.

    Parameters
    ----------
    path : str or path
        A regular file.
    target : str, optional
        The target's column. Without it, the only one called target, label, y or class.
    task : {"classification", "regression"}, optional
        Without it the target decides: text, booleans and at most 100 different whole numbers are
        classes; anything else is a quantity.
    need_target : bool
        False: the target may be absent.

    Returns
    -------
    Dataset
        X and a regression's Y are float64; a class keeps its text, or is an int or a bool.

    Raises
    ------
    OSError
        If `path` is no regular file that can be read.
    TypeError
        If `path` or `target` has the wrong type.
    ValueError
        If the text is not such a table: the message has the line, the column and the value. A
        feature that is missing (see `targets.MISSING`), no number or not finite is refused.
    """
    check_task(task)
    path = local_path(path, "path")
    text = open_text(path)
    target = choose_target(text.names, target, need_target, path)
    features = [name for name in text.names if name != target]
    table, X = _parse(text, features, target)
    found = None
    if target is not None:
        found = _target_column(text, target, table.column(target), task)
    return table_dataset(path, features, X, found, task)


def _parse(text: CsvText, features: list[str], target: str | None) -> tuple[Any, NDArray[np.float64]]:
    """Return the Arrow table, the target in it as text, and the features."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    if text.data.count(b'"') % 2 and (problem := first_problem(text, target)):
        raise ValueError(f"{text.path} {problem}")  # else pyarrow takes the rest of the file as text
    types = {name: pa.string() if name == target else pa.float64() for name in text.names}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(memoryview(text.data)[text.body :])),
            pa_csv.ReadOptions(column_names=list(text.names), block_size=_BLOCK_BYTES),
            pa_csv.ParseOptions(delimiter=text.delimiter),
            pa_csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
        )
    except Exception as error:  # whatever pyarrow raises, the file is what it disliked
        _refuse(text, target, str(error).partition("\n")[0][:200])
    X = np.empty((table.num_rows, len(features)))
    for index, name in enumerate(features):
        X[:, index] = table.column(name).to_numpy()
    largest = max(float(X.max()), -float(X.min()))
    if not math.isfinite(largest):
        _refuse(text, target, "it has a number that is not finite")
    if largest >= EXACT and (problem := first_problem(text, target)):
        raise ValueError(f"{text.path} {problem}")
    return table, X


def _refuse(text: CsvText, target: str | None, otherwise: str) -> NoReturn:
    problem = first_problem(text, target)
    raise ValueError(f"{text.path} {problem or 'could not be read as CSV: ' + otherwise}") from None


def _target_column(text: CsvText, name: str, column: Any, task: str | None) -> TargetColumn:
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    numbers = [float(value) for value in texts if NUMBER.fullmatch(value)]
    mixed = len(numbers) < len(texts)
    # one stray word among a thousand different numbers does not make them classes
    quantity = task == "regression" or (len(texts) > MAX_CLASSES and 2 * len(numbers) > len(texts))
    doubtful = (
        (mixed and quantity)
        or not all(map(math.isfinite, numbers))
        or any(is_missing(value) or "\n" in value or "\r" in value for value in texts)
    )
    if doubtful and (problem := first_problem(text, name, numbers=quantity or not mixed)):
        raise ValueError(f"{text.path} {problem}")
    return TargetColumn(name, _typed(texts, task), encoded.indices.to_numpy())


def _typed(texts: list[str], task: str | None) -> list[Any]:
    """Return a column's different texts as Python values of one type, told by all of them."""
    if all(map(WHOLE.fullmatch, texts)):
        if task == "regression" or not any(map(LEADING_ZERO.fullmatch, texts)):
            return [int(value) for value in texts]
        return texts
    if all(map(NUMBER.fullmatch, texts)):
        return [float(value) for value in texts]
    if all(value.strip().lower() in ("true", "false") for value in texts):
        return [value.strip().lower() == "true" for value in texts]
    return texts
