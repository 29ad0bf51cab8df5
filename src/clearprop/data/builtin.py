"""The data sets that come with scikit-learn, each with its fixed parts and its scaling."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import Dataset

SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")
# The test parts of the sets that are read without loading scikit-learn, a bit for each row: what
# `_test_rows` finds.
_TEST_ROWS = {
    "digits": (
        "000004883524104000064100934205001a00080100240028062c12001000940a009019120420f8a0028110a0"
        "00080a8820441524494240a00a0000004004d80000818020004805c400104008a0100005404800301000020e"
        "c409000224840083a8013c20a6980a0000000b08400804a0184802024041c1008004404684376a8102160044"
        "80004042a0a4180a5000840b8561c608108008004c80c02004068e00010882008100380803c008190000100e"
        "01008410a0210033282904c044c080680e0102830082008822a6402c24042108a860809081a00c0282024212"
        "0138a41500"
    ),
    "iris": "90401400090b2300500042a019004040429210",
}


def read_built_in(name: str) -> Dataset:
    """Return one of scikit-learn's small data sets.

    The test part is the 20 % that ``train_test_split(X, y, test_size=0.2, random_state=0,
    stratify=y)`` of scikit-learn gives (not stratified for diabetes, a regression); both parts keep
    the order of the rows.

    Parameters
    ----------
    name : {"digits", "iris", "wine", "breast_cancer", "diabetes"}
        The images of digits are divided by 16; the other sets are standardized.

    Returns
    -------
    Dataset
        X is float64.
    """
    bunch = _read_file(name) if name in _TEST_ROWS else None
    if bunch is None:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")()
    regression = name == "diabetes"
    Y = bunch.target.astype(np.float64 if regression else np.int64)
    test = _test_rows(Y, name)
    return Dataset(
        name=name,
        source=name,
        task="regression" if regression else "classification",
        X_train=bunch.data[~test],
        Y_train=Y[~test],
        X_test=bunch.data[test],
        Y_test=Y[test],
        classes=None if regression else tuple(bunch.target_names.tolist()),
        feature_names=tuple(str(feature) for feature in bunch.feature_names),
        target=None,
        image_shape=(8, 8) if name == "digits" else None,
        divisor=16.0 if name == "digits" else None,
    )


def _read_file(name: str) -> Any:
    """Return what ``sklearn.datasets.load_digits`` or ``load_iris`` does, or None without its file.

    To import scikit-learn takes longer than to train on either.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        return None
    file = "digits.csv.gz" if name == "digits" else "iris.csv"
    path = Path(found.submodule_search_locations[0], "datasets", "data", file)
    if not path.is_file():
        return None
    table = np.loadtxt(path, delimiter=",", skiprows=0 if name == "digits" else 1)
    if name == "digits":
        names = np.arange(10)
        features = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    else:
        names = np.array(["setosa", "versicolor", "virginica"])
        features = [
            f"{part} {side} (cm)" for part in ("sepal", "petal") for side in ("length", "width")
        ]
    return SimpleNamespace(
        data=np.ascontiguousarray(table[:, :-1]),
        target=table[:, -1].astype(np.int64),
        target_names=names,
        feature_names=features,
    )


def _test_rows(Y: NDArray[Any], name: str) -> NDArray[np.bool_]:
    if name in _TEST_ROWS:
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(_TEST_ROWS[name]), np.uint8))
        return bits[: len(Y)].astype(bool)
    from sklearn.model_selection import train_test_split

    stratify = None if name == "diabetes" else Y
    _, rows = train_test_split(np.arange(len(Y)), test_size=0.2, random_state=0, stratify=stratify)
    test = np.zeros(len(Y), dtype=bool)
    test[rows] = True
    return test
