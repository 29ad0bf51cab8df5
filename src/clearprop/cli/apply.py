"""``clearprop evaluate`` and ``clearprop predict``: a model and data it has not seen."""

from __future__ import annotations

import contextlib
import csv
import enum
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import clearprop as cp
from clearprop.cli import errors, files, model, terminal
from clearprop.data import Dataset
from clearprop.data.dataset import some

_ROWS = 1024  # predicted and printed together


class Part(enum.StrEnum):
    """Which part of the data."""

    train = "train"
    test = "test"
    all = "all"


ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="A model file or checkpoint.")]
DataArgument = Annotated[
    str, typer.Argument(metavar="DATA", help="A built-in set, a file or a folder.")
]
PartOption = Annotated[
    Part, typer.Option(help="Part of a built-in set or IDX folder; a file is one part.")
]
TargetOption = Annotated[
    str | None, typer.Option(help="Column that holds the target (the one the model learned).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def evaluate(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure MODEL on DATA: cost and accuracy, or errors and R2.

    Example: clearprop evaluate digits.safetensors digits --json
    """
    net = model.load_model(model_file)
    dataset, known = model.load_with_strangers(net, data, target)
    X, Y = dataset.part(part)
    name = model.part_name(dataset, part)
    if name == "all" and dataset.X_test is None and net.about.get("data") == dataset.source:
        errors.say(f"note: {model_file} was trained on rows of {dataset.source}")
    result = {"part": name, "n_samples": len(X), **model.measure(net, X, Y)}
    if known is not None and (n := int(np.count_nonzero(known <= Y))):
        result["n_unknown"] = n
        _say_unknown(n, dataset, known, Y)
    if as_json:
        terminal.print_json(result)
        return
    for key, value in result.items():
        shown = value if isinstance(value, str | int) else format(value, ".6g")
        print(f"{key:<12}{'none' if shown == 'nan' else shown}")


def _say_unknown(n: int, dataset: Dataset, known: int, Y: NDArray[Any]) -> None:
    """Say which labels were counted as wrong, and what the cost is over."""
    rows = "1 row has a label" if n == 1 else f"{n:,} rows have labels"
    names = some([(dataset.classes or ())[number] for number in np.unique(Y[known <= Y])])
    cost = "no row is left for a cost" if n == len(Y) else f"the cost is over the other {len(Y) - n:,}"
    errors.say(f"{rows} the model does not know ({names}): counted as wrong; {cost}")


def predict(
    model_file: ModelArgument,
    data: DataArgument,
    part: PartOption = Part.test,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="A .csv or .parquet file (standard output).")
    ] = None,
) -> None:
    """Predict the rows of DATA with MODEL, as CSV: row, prediction, and a probability for each class.

    The rows count from 0. DATA needs no target.

    Example: clearprop predict digits.safetensors digits --output predictions.csv
    """
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    net = model.load_model(model_file)
    dataset = model.load_data(net, data, need_target=False)
    X = dataset.inputs(part)
    if output is None:
        _print_csv(net, X)
    else:
        _write(net, X, model.expanded(output))


def _columns(net: cp.Network, a: NDArray[Any]) -> dict[str, Any]:
    """Return predictions and what they come from, by the names of their columns."""
    classes = model.schema_of(net).classes
    if classes is None:
        if a.shape[1] == 1:
            return {"prediction": a[:, 0]}
        return {f"prediction_{number}": column for number, column in enumerate(a.T, start=1)}
    if a.shape[1] == 1:
        a = np.hstack([1 - a, a])
    names = np.array([str(label) for label in classes])
    kind = "probability" if net.architecture.output.name in ("softmax", "sigmoid") else "output"
    columns = {f"{kind}_{name}": column for name, column in zip(names, a.T, strict=True)}
    return {"prediction": names[a.argmax(axis=1)], **columns}


def _blocks(net: cp.Network, X: NDArray[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for first in range(0, len(X), _ROWS):
        yield first, _columns(net, net.predict(X[first : first + _ROWS]))


def _write_csv(net: cp.Network, X: NDArray[Any], file: Any) -> None:
    writer = csv.writer(file, lineterminator="\n")
    for first, columns in _blocks(net, X):
        if not first:
            writer.writerow(["row", *columns])
        texts = [column.astype(str) for column in columns.values()]
        writer.writerows(zip(range(first, first + len(texts[0])), *texts, strict=True))


def _print_csv(net: cp.Network, X: NDArray[Any]) -> None:
    if hasattr(sys.stdout, "reconfigure"):  # a table is data, not text for a locale
        sys.stdout.reconfigure(encoding="utf-8")
    if sys.stdout is not None:
        _write_csv(net, X, sys.stdout)


def _write(net: cp.Network, X: NDArray[Any], path: str) -> None:
    """Write predictions to a file: what was there stays whole until the new one is."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in (".csv", ".parquet"):
        raise ValueError(f"--output must be a .csv or .parquet file, got {path}")
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise ValueError(f"--output must be a file, {path} is a folder")
    if not os.path.isdir(os.path.dirname(target)):
        raise ValueError(f"--output {path}: there is no folder {os.path.dirname(target)}")
    files.check_predictions(path)
    descriptor, temporary = tempfile.mkstemp(ending, ".clearprop-", os.path.dirname(target))
    os.close(descriptor)
    try:
        if ending == ".csv":
            with open(temporary, "w", encoding="utf-8", newline="") as file:
                _write_csv(net, X, file)
        else:
            _write_parquet(net, X, temporary)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode(target: str) -> int:
    """Return the mode of the file that is replaced, or that of a new file."""
    try:
        return os.stat(target).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _write_parquet(net: cp.Network, X: NDArray[Any], path: str) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = _columns(net, net.predict(X))
    parquet.write_table(pyarrow.table({"row": np.arange(len(X)), **columns}), path)
