"""Dataset: what every reader returns; Schema: what a model expects of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.scaling import Scaling, divide_by, standardize
from clearprop.names import trim
from clearprop.typing import Label

PARTS = ("train", "test", "all")


@dataclass(frozen=True)
class Schema:
    """What a model was trained on, so that other data can be brought into the same form.

    Parameters
    ----------
    task : {"classification", "regression"}
        What is learned.
    n_features : int
        Columns of X.
    feature_names : tuple of str, optional
        Their names, in the order of the model's inputs.
    classes : tuple of str, int or bool, optional
        The label of each output; None for a regression.
    target : str, optional
        The column that held the target.
    """

    task: str
    n_features: int
    feature_names: tuple[str, ...] | None = None
    classes: tuple[Label, ...] | None = None
    target: str | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Raw features and targets, with what is known about them.

    Parameters
    ----------
    name, source : str
        A short name, and where the data came from.
    task : {"classification", "regression"}
        What is to be learned.
    X_train : ndarray of shape (n_samples, n_features)
        As stored: bytes, float32 or float64; `scaling` is not applied yet.
    Y_train : ndarray or None
        Class numbers 0 to K - 1, int64, of shape (n_samples,); or float64 of shape (n_samples,) or
        (n_samples, n_outputs). None if the data have no target.
    X_test, Y_test : ndarray, optional
        The test part, if the source has one.
    classes : tuple of str, int or bool, optional
        The label that each class number stands for; None for a regression.
    feature_names : tuple of str, optional
        A name for each column of X.
    target : str, optional
        The name of the target's column.
    image_shape : tuple of two int, optional
        Rows and columns of the image that a row of X holds, row after row.
    divisor : float, optional
        What a feature is divided by, the same for all; without it features are standardized.
    with_target : ndarray of bool, optional
        Of a file, which of its rows had a target: only those are here. None where all have one.
    """

    name: str
    source: str
    task: str
    X_train: NDArray[Any] = field(repr=False)
    Y_train: NDArray[Any] | None = field(repr=False)
    X_test: NDArray[Any] | None = field(default=None, repr=False)
    Y_test: NDArray[Any] | None = field(default=None, repr=False)
    classes: tuple[Label, ...] | None = None
    feature_names: tuple[str, ...] | None = field(default=None, repr=False)
    target: str | None = None
    image_shape: tuple[int, int] | None = None
    divisor: float | None = None
    with_target: NDArray[np.bool_] | None = field(default=None, repr=False)

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return int(self.X_train.shape[1])

    @property
    def train(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and Y of the training part."""
        return self.part("train")

    @property
    def test(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and Y of the test part; of everything, if the source has no parts."""
        return self.part("test")

    @property
    def all(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and Y of the training part followed by the test part."""
        return self.part("all")

    @property
    def rows(self) -> NDArray[np.int64]:
        """The number that each row of the training part has in its source."""
        if self.with_target is None:
            return np.arange(len(self.X_train))
        return np.flatnonzero(self.with_target)

    def part(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return X and Y of one part: "train", "test" or "all".

        A file has no parts: each of the three names then stands for the whole file.

        Raises
        ------
        ValueError
            If `name` is another, or the data have no target.
        """
        X, Y = self._rows("X", name), self._rows("Y", name)
        if X is None or Y is None:
            raise ValueError(f"{self.source} has no target, only features")
        return X, Y

    def inputs(self, name: str) -> NDArray[Any]:
        """Return X of one part, as in `part`, whether there is a target or not."""
        X = self._rows("X", name)
        assert X is not None
        return X

    def _repr_html_(self) -> str:
        from clearprop.data.dataset_cell import as_html

        return as_html(self)

    def _rows(self, letter: str, name: str) -> NDArray[Any] | None:
        if name not in PARTS:
            raise ValueError(f"part must be one of {', '.join(PARTS)}, got {name!r}")
        train: NDArray[Any] | None = getattr(self, f"{letter}_train")
        test: NDArray[Any] | None = getattr(self, f"{letter}_test")
        if name == "train" or train is None or test is None:
            return train
        return test if name == "test" else np.concatenate([train, test])

    @cached_property
    def scaling(self) -> Scaling:
        """What turns the raw features into a network's inputs, fitted on the training part."""
        return self.scaling_of(self.X_train)

    def scaling_of(self, X: NDArray[Any]) -> Scaling:
        """Return the scaling as these rows alone give it: those left after a validation split."""
        return standardize(X) if self.divisor is None else divide_by(self.divisor)

    @property
    def schema(self) -> Schema:
        """What a model trained on these data expects of others."""
        return Schema(self.task, self.n_features, self.feature_names, self.classes, self.target)

    def conform(self, schema: Schema) -> Dataset:
        """Return these data in the form that a model expects.

        Columns are matched by name where both sides have names. Labels become the model's class
        numbers; a label is looked up as it is, then by its text (so that 1 finds "1").

        Raises
        ------
        ValueError
            If the task differs, a column or a label is missing on either side, or the number of
            columns differs.
        """
        if self.task != schema.task and self.Y_train is not None:
            raise ValueError(f"{self.source} is a {self.task} task, the model's is {schema.task}")
        if self.feature_names is not None and schema.feature_names is not None:
            columns = _columns(self.feature_names, schema.feature_names, self.source)
        elif self.n_features == schema.n_features:
            columns = None
        else:
            raise ValueError(
                f"{self.source} has {self.n_features} features, the model expects {schema.n_features}"
            )
        X_train = _chosen(self.X_train, columns)
        assert X_train is not None
        return replace(
            self,
            task=schema.task,
            classes=schema.classes,
            feature_names=schema.feature_names or self.feature_names,
            X_train=X_train,
            X_test=_chosen(self.X_test, columns),
            Y_train=self._renumbered(self.Y_train, schema),
            Y_test=self._renumbered(self.Y_test, schema),
        )

    def _renumbered(self, Y: NDArray[Any] | None, schema: Schema) -> NDArray[Any] | None:
        if Y is None or self.classes is None:
            return Y
        known = schema.classes or ()
        exact = {(type(label), label): number for number, label in enumerate(known)}  # True == 1
        by_text = {trim(str(label)): number for number, label in enumerate(known)}
        by_text |= {str(label): number for number, label in enumerate(known)}
        numbers = [
            exact.get((type(label), label), by_text.get(str(label), by_text.get(trim(str(label)), -1)))
            for label in self.classes
        ]
        if numbers == list(range(len(self.classes))):
            return Y
        if -1 in numbers:
            unknown = [label for label, n in zip(self.classes, numbers, strict=True) if n < 0]
            raise ValueError(
                f"{self.source} has labels that the model does not know: {some(unknown)}; "
                f"it knows {some(known)}"
            )
        return np.array(numbers, dtype=np.int64)[Y]


def some(items: Any, limit: int = 10) -> str:
    """Return the first few items for a message, each at most 40 characters long."""
    shown = [text if len(text := repr(item)) <= 40 else text[:37] + "..." for item in items[:limit]]
    more = len(items) - limit
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def meant(name: str, names: Sequence[str]) -> str:
    """Return the name that is most like another one as a question for a message, or nothing."""
    plain = {each.casefold(): each for each in reversed(names)}
    import difflib

    near = difflib.get_close_matches(name.casefold(), plain, n=1)
    return f" (did you mean {plain[near[0]]!r}?)" if near else ""


def _columns(have: tuple[str, ...], want: tuple[str, ...], source: str) -> list[int] | None:
    if len(set(map(trim, want))) == len(want):  # else they are an array's, and differ in blanks
        have, want = tuple(map(trim, have)), tuple(map(trim, want))
    if have == want:
        return None
    position = {name: index for index, name in enumerate(have)}
    known = set(want)
    missing = [name for name in want if name not in position]
    extra = [name for name in have if name not in known]
    if missing or extra:
        parts = [f"lacks {some(missing)}"] * bool(missing)
        parts += [f"has {some(extra)}, which the model does not know"] * bool(extra)
        counts = f": {len(want)} features, got {len(have)}" if len(have) != len(want) else ""
        raise ValueError(f"{source} {' and '.join(parts)}; the columns must be the model's{counts}")
    return [position[name] for name in want]


def _chosen(X: NDArray[Any] | None, columns: list[int] | None) -> NDArray[Any] | None:
    return X if X is None or columns is None else X[:, columns]
