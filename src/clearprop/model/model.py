"""Model: a network with both of its ends, and what is known of its training: what a file holds."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearprop import aligned, randomness
from clearprop.architecture import Architecture
from clearprop.checks import check_targets
from clearprop.data import arrays, feature_names
from clearprop.data.dataset import Schema, some
from clearprop.data.labels import label_array
from clearprop.model.inputs import Inputs
from clearprop.model.targets import Classes, Targets, Units
from clearprop.typing import Label

if TYPE_CHECKING:
    from clearprop.data.table import TargetEncoder

Array = NDArray[Any]


@dataclasses.dataclass(eq=False)
class Model:
    """From raw rows to answers: ``targets.decode(engine(inputs(X)))``.

    Parameters
    ----------
    architecture : Architecture
    parameters : ndarray of shape (n_parameters,), or (n_members, n_parameters)
        The flat vector, of members one each; trained in place.
    inputs : Inputs
        What raw rows go through before layer 1.
    targets : Classes, Indicators, Columns or Units
        What the outputs stand for.
    feature_names : tuple of str, optional
        Of what the network sees.
    column : TargetEncoder, optional
        How the target's column of a raw table is read.
    seed : int
        Of the initial parameters.
    seed_given : bool
        Whether the caller chose it.
    training_seed, epochs_trained, steps_trained : int
        What the orders of samples and the dropout masks are keyed by.
    about : dict
        Notes for people, as JSON has them.
    estimator : dict, optional
        What an estimator's file says of the arguments and attributes of the estimator.
    in_training : Thread, optional
        The thread in which a training runs just now.
    shares_layers : bool
        Whether members share all but input scale and last layer: what is shared is the same in all rows
        of `parameters`.
    """

    architecture: Architecture
    parameters: Array
    inputs: Inputs
    targets: Targets
    feature_names: tuple[str, ...] | None = None
    column: TargetEncoder | None = None
    seed: int = 0
    seed_given: bool = True
    training_seed: int = 0
    epochs_trained: int = 0
    steps_trained: int = 0
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    estimator: dict[str, Any] | None = None
    in_training: threading.Thread | None = None
    shares_layers: bool = False

    @property
    def dtype(self) -> str:
        """Of the parameters, and of everything that is computed."""
        return "float32" if self.parameters.dtype == np.float32 else "float64"

    @property
    def n_members(self) -> int:
        """How many networks it is, whose outputs are averaged."""
        return 1 if self.parameters.ndim == 1 else len(self.parameters)

    def member(self, member: int) -> Model:
        """Return a member as a model of its own, whose parameters are a view into those of this one."""
        estimator = self.estimator
        if estimator is not None:
            alone = estimator["arguments"] | {"members": 1}
            estimator = estimator | {"arguments": alone}
        return dataclasses.replace(
            self,
            parameters=self.parameters[member],
            seed=randomness.member_seed(self.seed, member),
            training_seed=randomness.member_seed(self.training_seed, member),
            about=dict(self.about),
            estimator=estimator,
            shares_layers=False,
        )

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """The labels that stand for outputs 0, 1, ... as plain Python values, if they are known."""
        return self.targets.names if isinstance(self.targets, Classes) else None

    @classes.setter
    def classes(self, labels: tuple[Label, ...] | None) -> None:
        if labels is None:
            self.targets = first_targets(self.architecture)
        else:
            self.targets = Classes(self.architecture.sizes[-1], label_array(labels, "classes"))

    @property
    def is_standardized(self) -> bool:
        """Whether the outputs are quantities in other units than their own."""
        return isinstance(self.targets, Units) and self.targets.standardized

    @property
    def is_of_table(self) -> bool:
        """Whether it takes raw tables from files."""
        return self.inputs.encoder is not None and self.column is not None

    # What flows in

    def rows(self, X: ArrayLike, argument: str = "X") -> Array:
        """Return X checked, converted to the network's dtype, and through the steps of `inputs`.

        Raises
        ------
        ValueError, TypeError
            As in `data.arrays.as_inputs`.
        """
        self._refuse_raw_table(X, argument)
        feature_names.check(X, self.feature_names)
        converted = arrays.as_inputs(X, self.architecture.n_features, self.dtype, argument)
        return converted if self.inputs.outside else self.inputs(converted)

    def names_in(self, X: ArrayLike) -> tuple[str, ...] | None:
        """Return what the features are called, in a single row with its raw numbers if it is scaled."""
        if self.feature_names is None or not self.inputs.steps:
            return self.feature_names
        converted = arrays.as_inputs(X, self.architecture.n_features, self.dtype, "X")
        return self.inputs.names_of_numbers(self.feature_names, converted)

    def _refuse_raw_table(self, X: ArrayLike, argument: str) -> None:
        columns = getattr(X, "column_names", getattr(X, "columns", None))
        if self.inputs.encoder is None or columns is None or isinstance(X, Mapping):
            return
        names = tuple(map(str, columns))
        if names != self.feature_names:
            kind = "MLPRegressor" if self.classes is None else "MLPClassifier"
            raise ValueError(
                f"{argument} must hold the {self.architecture.n_features} numbers that the network "
                f"sees of a row of its table, got a table with {some(names)}: cp.{kind}.load of the "
                "model's file takes the table itself, and so does clearprop predict"
            )

    def encode(self, Y: ArrayLike | None, argument: str = "Y") -> Array:
        """Return Y as an array of shape (n_samples, n_outputs): labels become one-hot rows.

        Raises
        ------
        ValueError, TypeError
            As in `data.arrays.as_targets`.
        """
        return self._encoded(Y, argument)[0]

    def learn(self, Y: ArrayLike | None, argument: str = "Y") -> tuple[Array, bool]:
        """Return `encode`'s array, and whether Y is classes; labels that are new become `classes`."""
        targets, classes = self._encoded(Y, argument, learn=True)
        if classes != self.classes:
            self.classes = classes
        return targets, self.architecture.is_labelled or arrays.is_one_hot(targets)

    def _encoded(
        self, Y: ArrayLike | None, argument: str, *, learn: bool = False
    ) -> tuple[Array, tuple[Label, ...] | None]:
        how = {"labelled": self.architecture.is_labelled, "learn": learn}
        n_outputs = self.architecture.sizes[-1]
        return arrays.as_targets(Y, n_outputs, self.dtype, self.classes, argument=argument, **how)

    def learn_feature_names(self, X: ArrayLike) -> None:
        """Keep the columns of a data frame, where none are known yet: `rows` compares them."""
        self.feature_names = self.feature_names or feature_names.names_of(X)

    def learn_target_names(self, Y: object) -> None:
        """Note what a Series or a data frame of targets is called: so it is in files."""
        names = feature_names.of_targets(Y)
        if names is not None:
            note = {"target": names[0]} if len(names) == 1 else {"targets": list(names)}
            self.about = note | self.about

    @property
    def target_names(self) -> tuple[str, ...] | None:
        """What each of several quantities is called, if it is known."""
        found, n = self.about.get("targets"), self.architecture.sizes[-1]
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            return None
        return tuple(found) if len(found) == len(set(found)) == n else None

    def pair(self, X: ArrayLike, Y: ArrayLike | None) -> tuple[Array, Array]:
        """Return X and Y as `rows` and `encode` do, held against each other and the cost.

        Raises
        ------
        ValueError
            If there are not as many of each, or the cost is not defined for a target.
        """
        rows, targets = self.rows(X), self.encode(Y)
        if len(rows) != len(targets):
            raise ValueError(f"X and Y must have as many rows, got {len(rows)} and {len(targets)}")
        check_targets(self.architecture.cost, self.architecture.output, targets)
        return rows, targets

    def encode_numbers(self, Y: Array) -> Array:
        """Return targets as the cost takes them, from numbers of classes or quantities.

        Parameters
        ----------
        Y : ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            In the network's dtype.
        """
        if isinstance(self.targets, Classes):
            return self.targets.encode_numbers(Y, self.dtype)
        table = Y.reshape(len(Y), -1)
        return self.encode(self.targets.encode(table) if isinstance(self.targets, Units) else table)

    @property
    def schema(self) -> Schema:
        """What other data have to be brought into the form of."""
        classes, target = self.classes, self.about.get("target")
        if classes is None and isinstance(self.targets, Classes):
            classes = tuple(range(self.targets.n_classes))
        return Schema(
            "regression" if classes is None else "classification",
            self.architecture.n_features,
            self.feature_names,
            classes,
            target if isinstance(target, str) else None,
        )

    # Other forms of it

    def copy(self, dtype: str | None = None) -> Model:
        """Return an independent copy, in another dtype if one is given."""
        parameters = aligned.empty(self.parameters.shape, dtype or self.dtype)
        parameters[:] = self.parameters
        return dataclasses.replace(
            self, parameters=parameters, about=dict(self.about), in_training=None
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "in_training": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        # Of a training and its model, the copies share one vector of parameters as well.
        parameters = copy.deepcopy(self.parameters, memo)
        new = memo[id(self)] = dataclasses.replace(
            self, parameters=parameters, about=dict(self.about), in_training=None
        )
        return new

    @contextlib.contextmanager
    def as_it_was_if_refused(self) -> Iterator[None]:
        """Undo what is learned inside, but for parameters, where it ends with an error."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            vars(self).update(before)
            raise

    def in_raw_units(self) -> Model:
        """Return a copy whose outputs are quantities in their own units; itself, if they are already.

        The units go into the last weights and biases, in float64 where a mean is so many deviations
        from 0 that float32 could not hold both.

        Raises
        ------
        ValueError
            If the outputs have no biases, or the units are not one for each.
        """
        units = self.targets
        if not isinstance(units, Units) or units.shift is None or units.factor is None:
            return self
        narrow = bool((np.abs(units.shift) > _NARROW * units.factor).any())
        raw = self.copy("float64" if narrow else None)
        weights, biases = raw.architecture.views(raw.parameters)
        W, b = weights[-1], biases[-1]
        if b is None or not units.shift.shape == units.factor.shape == b.shape[-1:]:
            raise ValueError("the model's units of its target do not fit its outputs")
        W[:] = W * units.factor[:, None]
        b[:] = b * units.factor + units.shift
        raw.targets = Units(
            low=units.low, high=units.high, residuals=units.residuals, quantiles=units.quantiles
        )
        return raw


_NARROW = 1e4  # a mean so many deviations from 0 is more than float32 can hold beside them


def first_targets(architecture: Architecture) -> Targets:
    """Return what is known of the targets of a network that has not learned any: numbers of classes."""
    return Classes(architecture.sizes[-1]) if architecture.is_labelled else Units()
