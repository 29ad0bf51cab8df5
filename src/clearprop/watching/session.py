"""A network that is trained from its page, with the real engine: play, pause, step, start again."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.diagnosis import quantities
from clearprop.network import Network
from clearprop.training import DivergenceError
from clearprop.training.loop import Loop
from clearprop.training.training import Training
from clearprop.watching import address
from clearprop.watching.figures import rounded, shown_layers
from clearprop.watching.observer import Observer
from clearprop.watching.page import page
from clearprop.watching.watch import facts_of, require_server, tell_address

_IDLE_SECONDS = 1.0  # between two looks at a signal while nothing is asked for
_PLENTY = 10**7  # epochs of a play that nobody pauses
_MOST_OUTPUTS = 5
_WISHES = frozenset({"play", "pause", "step", "start", "row"})

Pair = tuple[NDArray[Any], NDArray[Any]]


class Session:
    """Trains a copy of a network as its page asks for, until Ctrl-C.

    Parameters
    ----------
    net : Network
        Stays as it is.
    X, Y : ndarray
        To train on, as for `Network.fit`.
    validation_data : pair of ndarray, optional
        To measure on after each epoch.
    port, browser
        As for `Watch`.

    Raises
    ------
    ImportError, ValueError, TypeError
        As `Watch`; and as `Network.fit`.
    """

    def __init__(
        self,
        net: Network,
        X: NDArray[Any],
        Y: NDArray[Any],
        validation_data: Pair | None = None,
        *,
        port: int | None = None,
        browser: bool = True,
    ) -> None:
        require_server()
        self._net, self._data, self._validation = net, (X, Y), validation_data
        self._port, self._browser = address.check_port(port), browser
        self._row, self._following = 0, ""
        self._row_seen: tuple[Any, ...] = ()
        self._row_told: dict[str, Any] = {}
        self._begin()

    def _begin(self) -> None:
        """Make the training anew, from the parameters that were given."""
        metrics = ["accuracy"] if self._net.architecture.output.probabilities else []
        self._training = Training(
            self._net.copy(),
            *self._data,
            validation_data=self._validation,
            metrics=metrics,
            callbacks=[self],
            progress=False,
        )
        self._observer, self._run = Observer(), secrets.token_hex(8)

    def run(self) -> None:
        """Serve, and do what the page asks for; ended by Ctrl-C."""
        from clearprop.watching.server import Server

        n_rows, facts = len(self._data[0]), facts_of(self._training)
        self._server = Server(page("train", facts, n_rows=n_rows), self._port, _WISHES)
        try:
            tell_address(self._server.url, self._browser)
            self._tell("waiting", "Play trains it")
            while True:
                wish = self._server.wish(_IDLE_SECONDS)
                if wish is not None:
                    self._do(wish["do"], wish["row"])
        finally:
            self._server.close(self._told("ended", "the command was ended"))

    def _do(self, what: str, row: int) -> None:
        if what == "row":
            self._row = min(row, len(self._data[0]) - 1)
        why = ""
        if what in ("play", "step"):
            why = self._train(1 if what == "step" else _PLENTY)
        if "start" in (what, self._following):
            self._following = ""
            self._begin()
        self._tell("waiting", why)

    def _train(self, epochs: int) -> str:
        """Train until so many epochs are done, or the page wants a pause; return why it failed."""
        self._tell("training", "")
        try:
            stopped = self._training.run(epochs).stopped
        except DivergenceError as problem:
            return str(problem)
        if stopped == "interrupted":
            raise KeyboardInterrupt
        return ""

    def __call__(self, training: Loop) -> bool:
        """Tell where the training is, if it is time; return whether the page wants a pause."""
        wish = self._server.wish()
        if wish is not None and wish["do"] == "row":
            self._row = min(wish["row"], len(self._data[0]) - 1)
        elif wish is not None and wish["do"] in ("pause", "start"):
            self._following = wish["do"]
            return True
        if self._observer.due() or wish is not None:
            self._server.put(self._told("training", "", looks=False))
        return False

    def after_stretch(self, training: Loop) -> bool:
        """Do the same within an epoch: after one, it is done already."""
        return training.state.epoch_step != 0 and self(training)

    def _tell(self, state: str, why: str) -> None:
        self._server.put(self._told(state, why))

    def _told(self, state: str, why: str, looks: bool = True) -> dict[str, Any]:
        message = self._observer.message(self._training, last=looks)
        seen = self._run, message.get("look"), self._row
        if seen != self._row_seen:  # as often as the layers are looked at
            self._row_seen, self._row_told = seen, row_of(self._training, self._row)
        row = self._row_told
        return {"run": self._run, "state": state, "why": why[:800], "row": row, **message}


@np.errstate(all="ignore")
def row_of(training: Training, row: int) -> dict[str, Any]:
    """Return the pass of one row: its cost, its largest outputs with their targets, each layer."""
    data, parameters = training.data, training.state.members[0].parameters
    made, classes = training.net.architecture, training.net.classes
    p = quantities.run(made, parameters, data.X[row : row + 1], data.Y[row : row + 1])
    gradients = made.views(p.gradient)[0]
    a, y = p.a[-1][0], p.Y[0]
    largest = np.argsort(-np.maximum(a, y), kind="stable")[:_MOST_OUTPUTS].tolist()
    names = classes if classes is not None and len(classes) == len(a) else range(1, len(a) + 1)
    cost = made.cost.of_samples(made.output, p.z[-1], p.a[-1], p.Y)
    return {
        "row": row,
        "cost": rounded(float(cost[0])),
        "outputs": [
            {"name": str(names[i])[:80], "a": rounded(float(a[i])), "y": rounded(float(y[i]))}
            for i in largest
        ],
        "layers": [
            {
                "layer": l + 1,
                "low": rounded(float(p.z[l].min())),
                "high": rounded(float(p.z[l].max())),
                "a": _rms(p.a[l + 1]),
                "delta": _rms(p.delta[l]),
                "gradient": rounded(float(np.linalg.norm(gradients[l].astype(np.float64)))),
            }
            for l in shown_layers(len(p.z))  # noqa: E741
        ],
    }


def _rms(values: NDArray[Any]) -> float | None:
    return rounded(float(np.sqrt(np.square(values, dtype=np.float64).mean())))
