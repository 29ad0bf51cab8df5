"""A trace that can show itself: what `Network.trace` returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from clearprop import trace as traces
from clearprop.explain.notation import Notation


@dataclass(frozen=True, eq=False)
class Trace(traces.Trace):
    """A `clearprop.trace.Trace` that knows what its inputs and outputs are called, and can show itself.

    Attributes
    ----------
    feature_names, classes : sequence or None
        What the inputs and the outputs are called; any text.
    """

    feature_names: Sequence[object] | None = None
    classes: Sequence[object] | None = None

    @classmethod
    def of(
        cls,
        trace: traces.Trace,
        feature_names: Sequence[object] | None = None,
        classes: Sequence[object] | None = None,
    ) -> Trace:
        """Return a trace with the names of its inputs and outputs."""
        given = {each.name: getattr(trace, each.name) for each in fields(traces.Trace)}
        return cls(**given, feature_names=input_names(trace, feature_names), classes=classes)

    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        notation: str | Notation | None = None,
        *,
        digits: int = 4,
        blanks: bool = False,
    ) -> str:
        """Return the pass as a web page, and write it to a file if one is given.

        The page is one file that needs no network; it reads without JavaScript, and with it can be
        stepped through and asked. The same trace gives the same bytes.

        Parameters
        ----------
        path : path-like, optional
            Written in UTF-8.
        notation : str or Notation, optional
            In which it opens ("nielsen"); the reader can choose another.
        digits : int
            Significant digits, 1 to 17.
        blanks : bool
            Whether to leave out the results of the backward pass, to be filled in (E7).

        Returns
        -------
        str

        Raises
        ------
        ValueError, TypeError
            If the notation is unknown or the digits are out of range.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> net = cp.Network([2, 3, 2], seed=0)
        >>> html = net.trace([[0.5, 1.0]], [1]).to_html()
        >>> html.startswith("<!DOCTYPE html>")
        True
        """
        from clearprop.explain import web  # many modules, for those who ask for a page

        html = web.page(
            self,
            notation,
            digits=digits,
            blanks=blanks,
            feature_names=self.feature_names,
            classes=self.classes,
        )
        if path is not None:
            Path(path).write_text(html, "utf-8")
        return html

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.architecture.sizes))
        many = f"{len(self.X):,} sample{'' if len(self.X) == 1 else 's'}"
        return f"<Trace of {many} through {sizes}: cost {self.cost:.4g}>"

    def __str__(self) -> str:
        """Return the first sample's z, a and delta of every layer, and how large gradients are."""
        from clearprop.explain.overview import overview

        return overview(self, self.feature_names, self.classes)

    def _repr_html_(self) -> str:
        from clearprop.explain import web

        return web.fragment(self, feature_names=self.feature_names, classes=self.classes)

    def _repr_latex_(self) -> str:
        from clearprop.explain import cells, telling

        return cells.pass_as_latex(telling.explained(self))


def input_names(trace: traces.Trace, features: Sequence[object] | None) -> Sequence[object] | None:
    """Return what the numbers that layer 1 sees are called: the features, or what they become."""
    embedding = trace.architecture.embedding
    return features if features is None or embedding is None else embedding.names(features)
