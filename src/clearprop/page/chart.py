"""A chart of lines as SVG, for a notebook: it takes the colours around it, light or dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from clearprop.page.markup import Markup, tag

# Each is at least 3 : 1 against white and against black, and each has dashes of its own.
_STROKES = (("#1a73b8", None), ("#c2570c", "5 3"), ("#3f8a4d", "2 2"), ("#8a63c9", "8 3 2 3"))
_POINTS = 400  # of a line
_LEFT, _TOP, _WIDTH, _HEIGHT = 58, 26, 300, 150


def lines(
    title: str,
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    axis: str,
    logarithmic: bool = False,
    mark: tuple[float, str] | None = None,
) -> Markup:
    """Return a chart; values that are not finite leave a gap in their line.

    Parameters
    ----------
    title, axis : str
        What is drawn, and against what.
    x : sequence of float
        Rising.
    series : mapping of str to sequence of float
        Each as long as x; from the fifth line on, strokes repeat.
    logarithmic : bool
        Whether x, all above 0, stands on a logarithmic axis.
    mark : (float, str), optional
        An x to point out, and what it is.

    Returns
    -------
    Markup
        With the lowest and highest values, and the last of every line, as its text.
    """
    every = max(1, len(x) // _POINTS)
    kept = [*range(0, len(x) - 1, every), len(x) - 1]
    x, series = [x[i] for i in kept], {name: [all_[i] for i in kept] for name, all_ in series.items()}
    at = [math.log(each) for each in x] if logarithmic else x
    there = [each for line in series.values() for each in line if math.isfinite(each)]
    low, high = min(there, default=0.0), max(there, default=1.0)

    def across(value: float) -> float:
        return _LEFT + _WIDTH * _share(value, at[0], at[-1])

    def up(value: float) -> float:
        return _TOP + _HEIGHT * (1.0 - _share(value, low, high))

    bottom, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    parts = [
        tag("text", title, x=_LEFT, y=14, font_weight="bold"),
        tag("path", d=f"M{_LEFT} {_TOP}V{bottom}H{right}", fill="none", stroke="currentColor"),
        tag("text", _beside(high), x=_LEFT - 6, y=_TOP + 8, text_anchor="end"),
        tag("text", _beside(low), x=_LEFT - 6, y=bottom, text_anchor="end"),
        tag("text", f"{x[0]:g}", x=_LEFT, y=bottom + 16),
        tag("text", axis, x=_LEFT + _WIDTH / 2, y=bottom + 16, text_anchor="middle"),
        tag("text", f"{x[-1]:.4g}", x=right, y=bottom + 16, text_anchor="end"),
    ]  # fmt: skip
    if mark is not None:
        place = across(math.log(mark[0]) if logarithmic else mark[0])
        parts.append(
            tag(
                "path", d=f"M{place:.1f} {_TOP}V{bottom}", stroke="currentColor", stroke_dasharray="2 3"
            )
        )
        # Left of it is room below a curve that falls; at the left end of the axis there is none.
        left = place - _LEFT > _WIDTH / 3
        beside, anchor = (place - 5, "end") if left else (place + 5, "start")
        parts.append(tag("text", mark[1], x=f"{beside:.1f}", y=bottom - 6, text_anchor=anchor))
    said = []
    for number, (name, values) in enumerate(series.items()):
        stroke, dashes = _STROKES[number % len(_STROKES)]
        pen = {"stroke": stroke, "stroke_width": 2, "stroke_dasharray": dashes, "fill": "none"}
        points = [
            (across(a), up(v)) if math.isfinite(v) else None for a, v in zip(at, values, strict=True)
        ]
        drawn = _path(points)
        # A dot has no length: only its cap is seen. Dashes would run into one another with it.
        parts.append(tag("path", d=drawn, **pen, stroke_linecap="round" if "h" in drawn else "butt"))
        y = bottom + 36 + 18 * number
        parts.append(tag("path", d=f"M{_LEFT} {y - 4}h24", **pen))
        last = f"{name} {values[-1]:.4g}"
        parts.append(tag("text", last, x=_LEFT + 32, y=y))
        said.append(last)
    height = bottom + 26 + 18 * len(series)
    return tag(
        "svg", *parts, viewBox=f"0 0 {right + 12} {height}", width=right + 12, role="img",
        aria_label=f"{title} against {axis}, at last {', '.join(said)}",
        style="max-width: 100%; font: 12px sans-serif; fill: currentColor",
    )  # fmt: skip


def _beside(value: float) -> str:
    """Return a number that is short enough to stand left of the axis."""
    said = f"{value:.4g}"
    return f"{value:.2g}" if "e" in said else said


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """Return a path through points, which a missing one breaks; a point alone is a dot."""
    drawn, pen = "", "M"
    for number, point in enumerate(points):
        if point is None:
            pen = "M"
            continue
        alone = pen == "M" and (number + 1 == len(points) or points[number + 1] is None)
        drawn += f"{pen}{point[0]:.1f} {point[1]:.1f}" + ("h0.1" if alone else "")
        pen = "L"
    return drawn
