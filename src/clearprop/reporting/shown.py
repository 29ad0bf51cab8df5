"""Numbers as a page shows them: each is looked up in the tree, and says where it stands there.

``<data value="0.8153409090909091" data-ref="performance.contestants.0.values.accuracy.value">`` holds
the number itself; what a reader sees is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from clearprop.page import Markup, tag

How = Callable[[float], str]
NONE = "–"


def percent(value: float) -> str:
    """Return a share: 81.5 %."""
    return f"{100 * value:.1f} %".replace("-", "−")


def points(value: float) -> str:
    """Return a difference of shares: +1.2 points."""
    return f"{100 * value:+.1f} points".replace("-", "−")


def count(value: float) -> str:
    """Return a whole number: 12,345."""
    return f"{int(value):,}"


def number(value: float) -> str:
    """Return a number in four figures: 0.3764, 48,650."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 1e9 or abs(value) < 1e-4:
        return f"{value:.3e}".replace("-", "−")
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}".replace("-", "−")


def fixed(value: float) -> str:
    """Return a number around 1 or below it: 0.3764."""
    if abs(value) >= 1e4:
        return number(value)
    return f"{value:.4f}".replace("-0.0000", "0.0000").replace("-", "−")


def plain(value: float) -> str:
    """Return a number that somebody chose: 5, 0.2."""
    return f"{value:g}"


def signed(value: float) -> str:
    """Return a difference: +48.6."""
    return ("+" if value > 0 else "") + number(value)


# How a metric is shown; others are numbers.
HOW: dict[str, How] = {
    "accuracy": percent,
    **dict.fromkeys(("log_loss", "brier", "auc", "r2"), fixed),
}
DIFFERENCE: dict[str, How] = {"accuracy": points, "rmse": signed}


class Shown:
    """Figures of a tree as elements.

    Parameters
    ----------
    tree : dict
        Of `Report.to_dict`.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree

    def at(self, ref: str) -> Any:
        """Return what stands at a path: ``performance.contestants.0.name``."""
        found: Any = self.tree
        for step in ref.split("."):
            found = found[int(step)] if isinstance(found, list) else found[unescaped(step)]
        return found

    def __call__(self, ref: str, how: How = number, *, bare: bool = False) -> Markup:
        """Return a number; a dash where there is none. `bare`: without its unit, which stands near."""
        value = self.at(ref)
        if value is None:
            return Markup(NONE)
        text, factor = how(value), None
        for unit in (" %", " points") if bare else ():
            if text.endswith(unit):
                text, factor = text.removesuffix(unit), "0.01"
        return tag("data", text, value=repr(value), data_ref=ref, data_factor=factor)

    def interval(self, ref: str, how: How = number) -> Markup:
        """Return "low to high" of a `Value`; a dash where it has none."""
        if self.at(ref) is None or self.at(f"{ref}.low") is None:
            return Markup(NONE)
        low, high = self(f"{ref}.low", how, bare=True), self(f"{ref}.high", how)
        return Markup(f"{low} to {high}")

    def both(self, ref: str, how: How = number) -> Markup:
        """Return a `Value` and its interval in parentheses."""
        found = self(f"{ref}.value", how)
        if self.at(f"{ref}.low") is None:
            return found
        low, high = (self(f"{ref}.{end}", how, bare=True) for end in ("low", "high"))
        return Markup(f"{found} ({low} to {high})")


def escaped(key: str) -> str:
    """Return a key as a step of a path, which has no point in it."""
    return key.replace("~", "~0").replace(".", "~1")


def unescaped(step: str) -> str:
    """Return the key that `escaped` was given."""
    return step.replace("~1", ".").replace("~0", "~")
