"""Training: what users hold of one, by epochs of rows or a row at a time."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

from numpy.typing import ArrayLike

from clearprop.data.row_stream import RowStream
from clearprop.model.model import Model
from clearprop.training import online
from clearprop.training.loop import Loop
from clearprop.training.online import Online
from clearprop.training.preparation import prepare, rows_of_all
from clearprop.training.settings import Settings


class HasModel(Protocol):
    """What is trained: a `clearprop.Network`, which stands above this."""

    model: Model


class Training(Loop):
    """One training of a network, which can be gone on with.

    Parameters
    ----------
    net : Network
        Changed in place.
    X, Y, validation_data, sample_weight, **settings
        As in `Network.fit`. Without X the training makes no epochs: `step` is given its rows.

    Attributes
    ----------
    history : History
    state : State
        Everything the next step depends on: parameters, moments, and where it is.
    epochs_done : int
        Since this training began.

    Examples
    --------
    >>> import clearprop
    >>> net = clearprop.Network([2, 3, 2], seed=0)
    >>> X, Y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> training = Training(net, X, Y, batch_size=2, progress=False)
    >>> len(training.run(2)), len(training.run(3))  # goes on: optimizer, schedule, order of samples
    (2, 5)
    """

    _online: Online | None = None  # prepared by the first step

    def __init__(
        self,
        net: HasModel,
        X: ArrayLike | RowStream | None = None,
        Y: ArrayLike | None = None,
        *,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
        **settings: object,
    ) -> None:
        self.net, options, model = net, Settings(**settings), net.model  # type: ignore[arg-type]
        if not (options.communicator is None or X is None or isinstance(X, RowStream)):
            X, Y, sample_weight, validation_data = rows_of_all(
                options, X, Y, sample_weight, validation_data
            )
        with model.as_it_was_if_refused():
            if X is None:
                beside = {"validation_data": validation_data, "sample_weight": sample_weight}
                prepared = online.prepare(model, Y, beside, options)
                options = dataclasses.replace(options, batch_size=1)
            else:
                prepared = prepare(model, X, Y, sample_weight, validation_data, options)
            super().__init__(model, prepared, options)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_online"}

    def step(self, x: ArrayLike, y: ArrayLike) -> float:
        """Make one step by a single row, and return the row's cost before it.

        It is the step that `fit` makes of the row as a batch, to the bit, and goes on from the last:
        moments, dropout and the number of updates are the training's. In a training with rows it comes
        between two of its steps, at the learning rate of the epoch that is going on. In one that was
        made without, every step counts as an epoch: for schedules, `epochs_trained` and checkpoints.

        Parameters
        ----------
        x : array-like of shape (n_features,) or (1, n_features)
        y : label or number, or array-like of shape (n_outputs,) or (1, n_outputs)

        Raises
        ------
        DivergenceError
            If the cost or a parameter would not be finite; the step is not made.
        ValueError, TypeError
            As in `fit`; or if the training has early stopping or averaging, or is one of L-BFGS.

        Examples
        --------
        >>> import clearprop
        >>> net = clearprop.Network([2, 3, 2], seed=0)
        >>> training = Training(net, optimizer=clearprop.SGD(0.5))
        >>> costs = [training.step([0.0, 1.0], 1) for _ in range(20)]
        >>> costs[-1] < costs[0], net.steps_trained
        (True, 20)
        """
        if self._online is None:
            self._online = Online(self)
        return self._online.step(x, y)
