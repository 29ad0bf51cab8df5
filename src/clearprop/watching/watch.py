"""`Watch`: a callback that shows a training in the browser while it goes on."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clearprop.training.loop import Loop
from clearprop.watching import address
from clearprop.watching.observer import Observer
from clearprop.watching.page import page

if TYPE_CHECKING:
    from clearprop.watching.server import Server

_ENDINGS = {"": "all epochs are done", "callback": "stopped", "interrupted": "interrupted"}


class Watch:
    """Shows a training in the browser while it goes on: costs, layers, findings, the time left.

    A server in a thread of its own streams the engine's numbers to the page. The training never waits
    for it, and nothing is changed: a watched run has the bits of an unwatched one. The page can end the
    run, between two stretches, as a callback does that returns True.

    Given to `Network.fit`, `Training` or an estimator as one of the ``callbacks``. The address, which
    only this machine can reach and which holds a secret token, is printed on standard error.

    Parameters
    ----------
    port : int, optional
        In 1 to 65535. With one, address and token are the same in every run of this user, and a page
        that is open goes on when a run that was killed is resumed. Default: one that is free, and a new
        token.
    browser : bool
        Whether to open the page.

    Attributes
    ----------
    url : str or None
        Where the page is, during a training.

    Raises
    ------
    ImportError
        If Starlette or uvicorn is not installed: ``pip install 'clearprop[explore]'``.
    ValueError, TypeError
        If the port is none; when a training begins, also if it is taken.

    Examples
    --------
    >>> net.fit(X, Y, callbacks=[cp.Watch()])  # doctest: +SKIP
    watch it at http://127.0.0.1:40287/?token=ZyJvtuIK7HNIPojqRMMVTfn4xZT_voLACI7dnj-mzwY
    """

    def __init__(self, port: int | None = None, *, browser: bool = True) -> None:
        require_server()
        self.port, self.browser = address.check_port(port), browser
        self.url: str | None = None
        self._server: Server | None = None
        self._observer: Observer | None = None
        self._run = ""

    def __repr__(self) -> str:
        return f"Watch(port={self.port or None}, browser={self.browser})"

    @contextmanager
    def during(self, training: Loop) -> Iterator[None]:
        """Serve the page while a training goes on."""
        from clearprop.watching.server import Server

        facts = facts_of(training)
        server = Server(page("watch", facts), self.port, frozenset({"stop"}))
        self._server, self._observer, self.url = server, Observer(), server.url
        self._run = secrets.token_hex(8)
        tell_address(server.url, self.browser)
        server.put(self._told({}, "training", "the first step is being made"))
        ending = ""
        try:
            yield
            stopped = training.history.stopped
            ending = _ENDINGS.get(stopped, stopped)
        except BaseException as problem:
            ending = (str(problem) or type(problem).__name__)[:800]
            raise
        finally:
            last = self._observer.message(training, last=True)
            server.close(self._told(last, "ended", ending))
            self._server = self._observer = self.url = None

    def __call__(self, training: Loop) -> bool:
        """Tell where the training is, if it is time; return whether the page wants it to end."""
        if self._server is None or self._observer is None:
            return False
        if self._observer.due():
            self._server.put(self._told(self._observer.message(training), "training", ""))
        return self._server.wish() is not None

    def after_stretch(self, training: Loop) -> bool:
        """Do the same within an epoch: after one, it is done already."""
        return training.state.epoch_step != 0 and self(training)

    def _told(self, message: dict[str, Any], state: str, why: str) -> dict[str, Any]:
        return {"run": self._run, "state": state, "why": why, **message}


def require_server() -> None:
    """Raise an ImportError that says what to install, where there is nothing to serve with."""
    try:
        import starlette
        import uvicorn
    except ImportError:
        raise ImportError(
            "a watched training needs Starlette and uvicorn: pip install 'clearprop[explore]'"
        ) from None
    del starlette, uvicorn


def facts_of(training: Loop) -> list[str]:
    """Return what stays the same of a training, as a few phrases."""
    made, plan = training.net.architecture, training.plan
    hidden = ", ".join(dict.fromkeys(layer.function.name[:40] for layer in made.layers))
    sizes = [str(size) for size in made.sizes]
    if len(sizes) > 10:
        sizes = [*sizes[:4], "…", *sizes[-4:]]
    rows = f"{plan.n_samples:,} rows in batches of {plan.batch_size:,}"
    several = f"{plan.n_members} members, of which the first is shown" if plan.n_members > 1 else ""
    parameters = f"{made.n_parameters:,} parameters"
    optimizer = type(plan.optimizer).__name__
    said = ["-".join(sizes), hidden, made.cost.name[:40], parameters, optimizer, rows, several]
    return [each for each in said if each]


def tell_address(url: str, browser: bool) -> None:
    """Print where the page is, and open it."""
    if sys.stderr is None:
        return
    opened = browser and address.open_browser(url)
    why = "" if opened or not browser else " (there is no browser to open here)"
    print(f"watch it at {url}{why}", file=sys.stderr, flush=True)
