"""A finding: one thing that is wrong or worth knowing, and how it is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """What is wrong, where, how it is known, and what to try.

    Attributes
    ----------
    id : str
        Of the rule: "D2".
    name : str
        Of what was found: "saturated units".
    severity : {"info", "warning", "error"}
    layer : int or None
        1 to L as in messages, 0 for the inputs; None where it concerns the whole.
    units : tuple of int
        Positions in the layer, from 0: the neurons, features or outputs that are meant.
    value, threshold : float
        What was measured, and what it was compared with.
    n : int
        Samples (or epochs) it was measured on.
    evidence : tuple of int
        Rows of the given X that show it best, from 0.
    equation : str
        What the value means in the equations of backpropagation.
    what, how, remedy : str
        The parts of `sentence`: what is the case and where, how we know, and what to try.
    changes : mapping
        The remedy as settings, such as ``{"cost": "cross_entropy"}``; "learning_rate_factor" and
        "batch_size_factor" multiply.
    factors : mapping
        Activation, slope and error of the weights that are meant, beside what is usual in the layer.
    explains : float
        Share of the samples' gradients (their RMS) that is missing, or in excess, because of it, in
        0..1; 0 where it has no such share.
    source : str
        Where the definition and its limits come from.
    since : int or None
        The epoch in which it was first seen, in a training that is watched.
    """

    id: str
    name: str
    severity: str
    value: float
    threshold: float
    n: int
    what: str
    how: str
    remedy: str
    equation: str = ""
    source: str = ""
    layer: int | None = None
    units: tuple[int, ...] = ()
    evidence: tuple[int, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    explains: float = 0.0
    since: int | None = None

    @property
    def sentence(self) -> str:
        """What, where, how we know, what to try."""
        return " ".join(part for part in (self.what, self.how, self.remedy) if part)

    @property
    def suggestion(self) -> str:
        """What to try."""
        return self.remedy

    def in_rows(self, rows: Sequence[int] | NDArray[np.int64]) -> Finding:
        """Return it with its evidence in other numbers: row i is ``rows[i]`` then."""
        return replace(self, evidence=tuple(int(rows[i]) for i in self.evidence))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can write it; a number that is none is None."""
        plain = asdict(self) | {"sentence": self.sentence, "suggestion": self.suggestion}
        return {key: _plain(value) for key, value in plain.items()}

    def _repr_html_(self) -> str:
        return Findings([self], n=self.n)._repr_html_()

    def __str__(self) -> str:
        return f"{self.severity} {self.id} {self.name}: {self.sentence}"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None  # JSON has neither NaN nor infinity
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


class Findings(list[Finding]):
    """Findings, the most severe first, and among these the one that explains most of the gradient.

    Empty where nothing is wrong.

    Attributes
    ----------
    n : int
        Samples that were looked at.
    subject : str
        The network, in words.
    sizes : tuple of int
        Its layers', the input's first.
    """

    def __init__(
        self,
        found: Iterable[Finding] = (),
        *,
        n: int = 0,
        subject: str = "",
        sizes: tuple[int, ...] = (),
    ) -> None:
        super().__init__(
            sorted(found, key=lambda f: (-SEVERITIES.index(f.severity), -f.explains, int(f.id[1:])))
        )
        self.n, self.subject, self.sizes = n, subject, sizes

    @property
    def warnings(self) -> Findings:
        """Those that are more than information."""
        return self.only(f for f in self if f.severity != "info")

    def only(self, found: Iterable[Finding]) -> Findings:
        """Return other findings of the same network and samples."""
        return Findings(found, n=self.n, subject=self.subject, sizes=self.sizes)

    def to_text(self, ascii: bool = False) -> str:
        """Return the findings for a terminal, at most 100 columns wide."""
        from clearprop.diagnosis.text import as_text

        return as_text(self, ascii=ascii)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can write it."""
        return {
            "format": "diagnosis/1",
            "network": self.subject,
            "n_samples": self.n,
            "findings": [each.to_dict() for each in self],
        }

    def to_html(self) -> str:
        """Return one self-contained page: no network, readable without JavaScript."""
        from clearprop.diagnosis.html import as_page

        return as_page(self)

    def _repr_html_(self) -> str:
        from clearprop.diagnosis.html import as_fragment

        return as_fragment(self)

    def __str__(self) -> str:
        return self.to_text()
