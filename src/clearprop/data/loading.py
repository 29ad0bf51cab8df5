"""load: from the name of a data set, a file or a folder to a Dataset."""

from __future__ import annotations

import difflib
import errno
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearprop.data.builtin import SETS, read_built_in
from clearprop.data.dataset import PARTS, Dataset, Schema
from clearprop.data.files import Source, local_path
from clearprop.data.idx import read_idx_folder
from clearprop.data.mnist import read_mnist
from clearprop.data.npz import read_npz
from clearprop.data.tables import is_table
from clearprop.data.targets import GAPS, check_task
from clearprop.names import alike, known_name

if TYPE_CHECKING:
    from clearprop.data.table.read_options import Missing, ReadOptions

BUILT_IN = (*SETS, "mnist")


def load(
    source: Source,
    *,
    target: str | None = None,
    task: str | None = None,
    schema: Schema | None = None,
    need_target: bool = True,
    part: str | None = None,
    target_gaps: str = "drop",
    missing: Missing = None,
    options: ReadOptions | None = None,
) -> Dataset:
    """Return a data set: raw features, targets, and what is known about them.

    Parameters
    ----------
    source : str or path
        A built-in name (digits, iris, wine, breast_cancer, diabetes, mnist), a table of numbers (.csv,
        .csv.gz, .parquet or a folder of either, .jsonl, see `read_table`), an .npz file, or a folder
        with the four IDX files of MNIST or of a set made like it. A built-in name wins over a file of
        that name, which ``./iris`` still reaches.
    target : str, optional
        The column of a table that holds the target. Without it, the only one called target, label, y or
        class.
    task : {"classification", "regression"}, optional
        For a file. Without it the target decides: text, booleans and at most 20 different whole
        numbers (1.0 among them) are classes; anything else is a quantity.
    schema : Schema, optional
        What a model was trained on. The data are brought into its form: columns by name, labels as
        its class numbers. Its `target` is the default of `target`, its `task` decides.
    need_target : bool
        False: a file may come without a target, as for a prediction.
    part : {"train", "test", "all"}, optional
        The only part that is needed: of images in IDX files the others are not read, and have no rows.
    target_gaps : {"drop", "refuse"}
        Whether rows of a table or an NPZ file without a target are left out, and counted in a warning,
        or refused.
    missing : str, number, or a sequence of them, optional
        What stands for a missing value in a table too, besides blanks, NA, ? and the like: it is
        refused, since nothing is filled in here.
    options : ReadOptions, optional
        How a CSV file is written; see `clearprop.data.table`.

    Returns
    -------
    Dataset
        A file has one part, which stands for train, test and all.

    Raises
    ------
    OSError
        If the source does not exist, is no regular file or folder, or cannot be read.
    TypeError
        If an argument has the wrong type.
    ValueError
        If the content is not what it should be; the message names the file and the place.

    Examples
    --------
    >>> iris = load("iris")
    >>> iris.X_train.shape, iris.X_test.shape, iris.classes
    ((120, 4), (30, 4), ('setosa', 'versicolor', 'virginica'))
    """
    if target is not None and not isinstance(target, str):
        raise TypeError(f"target must be the name of a column, got {target!r}")
    check_task(task)
    known_name("target_gaps", target_gaps, GAPS)
    if part is not None:
        known_name("part", part, PARTS)
    needed = need_target or target is not None  # a target that was named has to be there
    if schema is not None:
        task = task or schema.task
        if target is None and source not in BUILT_IN and is_table(local_path(source)):
            target = schema.target
    try:
        _check_is_table(source, {"missing": missing, "options": options})
        how = {"target_gaps": target_gaps, "missing": missing, "options": options}
        dataset = _read(source, target, task, needed, part, how)
        if schema is not None:
            return dataset.conform(schema)
    except MemoryError:
        raise OSError(errno.ENOMEM, "it does not fit into memory", str(source)) from None
    _check_trainable(dataset, task)
    return dataset


def _check_trainable(dataset: Dataset, task: str | None) -> None:
    if task is not None and task != dataset.task and dataset.Y_train is not None:
        raise ValueError(f"task must be {dataset.task} for {dataset.source}, got {task}")
    if dataset.target is None or dataset.Y_train is None or len(dataset.Y_train) == 1:
        return
    low, high = dataset.Y_train.min(), dataset.Y_train.max()
    if low == high:
        value = dataset.classes[0] if dataset.classes else float(low)
        raise ValueError(
            f"the target {dataset.target!r} of {dataset.source} must vary, is always {value!r}"
        )


def _read(
    source: Source,
    target: str | None,
    task: str | None,
    need_target: bool,
    part: str | None,
    how: Mapping[str, Any],
) -> Dataset:
    if isinstance(source, str) and source in BUILT_IN:
        _no_target(target, f"{source} is built in")
        return read_mnist(part) if source == "mnist" else read_built_in(source)
    path = local_path(source)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(_not_found(path)) from None
    if is_table(path):
        from clearprop.data.table.numeric import read_table

        return read_table(path, target=target, task=task, need_target=need_target, **how)
    if stat.S_ISDIR(status.st_mode):
        _no_target(target, f"{path} is a folder of images and labels")
        return read_idx_folder(path, part)
    if path.name.lower().endswith(".npz"):
        _no_target(target, f"{path} has its target in y")
        gaps = how["target_gaps"]
        return read_npz(path, task=task, need_target=need_target, target_gaps=gaps)
    raise ValueError(
        f"source must be a .csv, .csv.gz, .parquet, .jsonl or .npz file or a folder, got {path}"
    )


def _check_is_table(source: Source, given: Mapping[str, Any]) -> None:
    name = next((name for name, value in given.items() if value is not None), None)
    if name is not None and (source in BUILT_IN or not is_table(local_path(source))):
        raise ValueError(f"{name} is for a CSV, Parquet or JSON lines file, {source} is none")


def _no_target(target: str | None, reason: str) -> None:
    if target is not None:
        raise ValueError(
            f"target must name a column of a CSV, Parquet or JSON lines file, got {target!r}: {reason}"
        )


def _not_found(path: Path) -> str:
    near = alike(str(path)) or next(iter(difflib.get_close_matches(str(path), BUILT_IN, n=1)), "")
    meant = f"; did you mean {near!r}?" if near else ""
    return (
        f"there is no file or folder {path}, and no built-in data set of that name "
        f"({', '.join(BUILT_IN)}){meant}"
    )
