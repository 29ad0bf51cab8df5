"""The data sets that come with scikit-learn, each with its fixed parts and its scaling."""

from __future__ import annotations

from typing import Any

import numpy as np

from clearprop.data.dataset import Dataset

SETS = ("digits", "iris", "wine", "breast_cancer", "diabetes")


def read_built_in(name: str) -> Dataset:
    """Return one of scikit-learn's small data sets.

    The test part is the 20 % that ``train_test_split(X, y, test_size=0.2, random_state=0,
    stratify=y)`` of scikit-learn gives (not stratified for diabetes, a regression).

    Parameters
    ----------
    name : {"digits", "iris", "wine", "breast_cancer", "diabetes"}
        The images of digits are divided by 16; the other sets are standardized.

    Returns
    -------
    Dataset
        X is float64.
    """
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    bunch: Any = getattr(datasets, f"load_{name}")()
    regression = name == "diabetes"
    Y = bunch.target.astype(np.float64 if regression else np.int64)
    X_train, X_test, Y_train, Y_test = train_test_split(
        bunch.data, Y, test_size=0.2, random_state=0, stratify=None if regression else Y
    )
    return Dataset(
        name=name,
        source=name,
        task="regression" if regression else "classification",
        X_train=X_train,
        Y_train=Y_train,
        X_test=X_test,
        Y_test=Y_test,
        classes=None if regression else tuple(bunch.target_names.tolist()),
        feature_names=tuple(str(feature) for feature in bunch.feature_names),
        target=None,
        image_shape=(8, 8) if name == "digits" else None,
        divisor=16.0 if name == "digits" else None,
    )
