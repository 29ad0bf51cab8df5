"""scikit-learn 1.9's callbacks, called around every epoch of a training of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clearprop.estimators.arguments import Arguments, Method
from clearprop.estimators.training import EstimatorTraining, Follower

try:  # since scikit-learn 1.9
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # pragma: no cover - with the oldest supported version

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def _with_callbacks(method: Method) -> Method:
        return method


def with_callbacks(method: Method) -> Method:
    """Return a method around which scikit-learn's callbacks are called, where it has any."""
    wrapped: Method = _with_callbacks(method)  # which says no types
    return wrapped


class Bridge:
    """Calls scikit-learn's callbacks around every epoch, where they are supported and set."""

    def __init__(self, estimator: Arguments, X: Any, y: Any, epochs: int, follower: Follower) -> None:
        self.estimator, self.X, self.y = estimator, X, y
        self.epochs, self.follower = epochs, follower
        self.context: Any = None
        self.active = bool(getattr(estimator, "_skl_callbacks", None)) or hasattr(
            estimator, "_parent_callback_ctx"
        )
        self.callbacks: Sequence[Any] = [self._end] if self.active else []

    def begin(self) -> None:
        """Open the context of the fit, and of its first epoch."""
        if self.active:
            self.context = self.estimator._init_callback_context(max_subtasks=self.epochs)
            self.context.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)
            self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)
        self.begun = True

    def _end(self, training: EstimatorTraining) -> bool:
        self.estimator.n_iter_ = self.follower.iteration
        self.begun = False
        stop = bool(self.epoch.call_on_fit_task_end(**self._what))
        if not (stop or self.follower.stopped or len(self.follower.losses) >= self.epochs):
            self._begin_epoch()
        return stop

    def close(self) -> None:
        """End the context of the fit, and of an epoch that was begun and not made."""
        if self.active:
            if self.begun:
                self.epoch.call_on_fit_task_end(estimator=self.estimator)
            self.context.call_on_fit_task_end(**self._what)

    @property
    def _what(self) -> dict[str, Any]:
        attributes = {"network_": self.estimator.network_}
        what = {"estimator": self.estimator, "X": self.X, "y": self.y}
        return what | {"reconstruction_attributes": attributes}
