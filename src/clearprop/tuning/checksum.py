"""What a study is of: the rows, told by a checksum, and the arguments that were given."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from clearprop.estimators import reader
from clearprop.estimators.base import BaseMLP
from clearprop.estimators.options import Options
from clearprop.estimators.tables import TableRows
from clearprop.training.resume import fingerprint
from clearprop.tuning.examples import Examples

# Those that change nothing that is learned, and what the rows' checksum has already.
_LEFT_OUT = {"random_state", "verbose", "engine", "n_threads", "callbacks", "time_limit", "columns"}


def described(estimator: BaseMLP, examples: Examples) -> dict[str, Any]:
    """Return the rows' number, columns and checksum, as JSON has it.

    The checksum is over the numbers that all rows are encoded as: a table is the same table whatever
    holds it.
    """
    read = reader.learn_X(clone(estimator), examples.X)
    if isinstance(read, TableRows):
        columns = [each.name for each in read.decisions if each.used]
        arrays = [read.learn(None).encode(read.table)]
    else:
        columns = [f"{read.shape[1]} features"]
        arrays = [read.data, read.indices, read.indptr] if hasattr(read, "tocsr") else [read]
    y = examples.y if examples.codes is None else examples.codes
    labels = [] if examples.classes is None else list(map(str, examples.classes.tolist()))
    others = (examples.weight, examples.groups, examples.times)
    plain = [None if each is None else _plain(each) for each in others]
    return {
        "rows": len(examples),
        "columns": columns,
        "classes": labels,
        "checksum": fingerprint(*arrays, y, *plain),
    }


def given_arguments(estimator: BaseMLP) -> dict[str, str]:
    """Return the arguments that are not searched, each as it is written in Python."""
    given = Options.of(estimator).given - _LEFT_OUT
    return {name: repr(getattr(estimator, name)) for name in sorted(given)}


def _plain(values: Any) -> Any:
    return values.astype(np.int64) if values.dtype.kind in "mM" else values
