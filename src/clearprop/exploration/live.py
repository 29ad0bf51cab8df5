"""`explore`: the live page of one's own network, or the playground."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from html import escape
from pathlib import Path
from typing import Protocol, runtime_checkable

from clearprop.data.table.source import TableSource
from clearprop.exploration.own import described
from clearprop.exploration.page import page
from clearprop.model.model import Model
from clearprop.typing import Answers, Samples

_FRAME = "width: 100%; height: 46rem; border: 1px solid #8888"


class Exploration:
    """A live page, which shows itself in a notebook.

    Attributes
    ----------
    html : str
        The whole page: one file that needs no server and asks for nothing.
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.html, "utf-8")

    def show(self) -> bool:
        """Open the page in the browser, from a file of its own; return whether there is a browser."""
        with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8", delete=False) as file:
            file.write(self.html)
        path = Path(file.name)
        opened = webbrowser.open(path.as_uri())
        if not opened:
            path.unlink()
        return opened

    def __repr__(self) -> str:
        return f"<a live page of {len(self.html) // 1000} kB: show() opens it, write(path) keeps it>"

    def _repr_html_(self) -> str:
        # The page is a document of its own: its policy and its style are not the notebook's.
        inside = f'sandbox="allow-scripts allow-downloads" title="clearprop explore" style="{_FRAME}"'
        return f'<iframe srcdoc="{escape(self.html)}" {inside}></iframe>'


@runtime_checkable
class HasModel(Protocol):
    """A network: its model."""

    @property
    def model(self) -> Model:
        """With both of its ends."""


@runtime_checkable
class HasNetwork(Protocol):
    """A fitted estimator: its network."""

    @property
    def network_(self) -> HasModel:
        """What was fitted."""

    def _model_of_file(self) -> Model: ...


def explore(
    net: HasModel | HasNetwork | None = None,
    X: Samples | TableSource | None = None,
    Y: Answers | None = None,
) -> Exploration:
    """Return the live page of a model and some rows; without arguments, the playground.

    It trains with the reference's equations in float64, steps forwards and backwards, and says of every
    change what its gradient predicted and what came.

    Parameters
    ----------
    net : Network, MLPClassifier or MLPRegressor
        With at most `exploration.MOST_PARAMETERS` parameters.
    X : array or data frame
        Raw rows, at most `exploration.MOST_ROWS`; a data frame where the model learned from one.
    Y : array
        Labels, or quantities in their own units; of a network also as for `Network.trace`.

    Returns
    -------
    Exploration
        Shows itself in a notebook; `Exploration.show` opens it, `Exploration.write` keeps it.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> from clearprop import Network
    >>> made = explore(Network([2, 3, 1], "tanh", cost="quadratic", seed=0), [[0, 1]], [[1]])
    >>> made.html.startswith("<!DOCTYPE html>")
    True
    """
    if net is None:
        if X is not None or Y is not None:
            raise ValueError("net must be given with X and Y: explore(net, X, Y), or explore()")
        return Exploration(page())
    if X is None or Y is None:
        raise ValueError("X and Y must be given with net: rows and their targets, as for net.trace")
    if not isinstance(net, HasModel | HasNetwork):
        raise TypeError(
            f"net must be a Network, or a fitted MLPClassifier or MLPRegressor, got {net!r}"
        )
    model = net._model_of_file() if isinstance(net, HasNetwork) else net.model
    return Exploration(page(described(model, X, Y)))
