"""Small charts as SVG text: deterministic, light and dark, with words for who cannot see them."""

# ruff: noqa: E501 - CSS

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 560, 210
LEFT, RIGHT, TOP, BOTTOM = 92, 16, 34, 34
STYLE = """
text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Roboto, sans-serif; fill: #1d2129; }
.title { font-weight: 600; font-size: 13px; } .quiet { fill: #565d69; }
.card { fill: #ffffff; stroke: #dcd8cd; } .axis { stroke: #8d8776; fill: none; }
.line { stroke: #1a4f9c; fill: none; stroke-width: 2; } .second { stroke: #9a4a00; stroke-dasharray: 6 3; }
.bar { fill: #1a4f9c; } .sick { fill: #a51d2d; } .limit { stroke: #8a5200; stroke-dasharray: 4 3; stroke-width: 1.5; }
.dot { fill: #1a4f9c; fill-opacity: 0.55; } .dot.sick { fill: #a51d2d; fill-opacity: 0.7; }
@media (prefers-color-scheme: dark) {
text { fill: #e7e5df; } .quiet { fill: #a5aab4; } .card { fill: #1c1f26; stroke: #343842; }
.axis { stroke: #7d8492; } .line { stroke: #9cc0ff; } .second { stroke: #f2b269; } .bar, .dot { fill: #9cc0ff; }
.sick, .dot.sick { fill: #ff9aa2; } .limit { stroke: #f0b860; }
}
"""


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _said(value: float) -> str:
    if value and not 1e-3 <= abs(value) < 1e4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.3g}"


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Return a text element."""
    given = f' class="{kind}"' if kind else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{given}>{escape(words)}</text>'


def picture(title: str, description: str, parts: Sequence[str], height: float = HEIGHT) -> str:
    """Return the whole SVG file."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {_n(height)}" width="{WIDTH}" '
        f'role="img"><title>{escape(title)}. {escape(description)}</title><style>{STYLE}</style>\n'
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{_n(height - 1)}" rx="7"/>\n'
        + text(14, 21, title, kind="title")
        + "\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def bars(
    title: str,
    named: Sequence[tuple[str, float, bool]],
    *,
    limit: float | None = None,
    limit_name: str = "",
    log: bool = True,
) -> str:
    """Draw a bar for each (name, value, whether it is sick); a dashed line is the limit."""
    values = [value for _, value, _ in named if value > 0] + ([limit] if limit else [])
    if log:
        low, high = (
            math.floor(math.log10(min(values)) - 0.05),
            math.ceil(math.log10(max(values)) + 0.05),
        )
    else:
        low, high = 0.0, max(values) * 1.08
    row, top = 24, 36
    room = WIDTH - LEFT - RIGHT - 60

    def place(value: float) -> float:
        at = math.log10(max(value, 10.0**low)) if log else value
        return LEFT + room * (at - low) / (high - low)

    height = top + row * len(named) + (26 if limit is not None else 12)
    parts = []
    for i, (name, value, sick) in enumerate(named):
        y = top + row * i
        parts.append(text(LEFT - 8, y + 14, name, "end"))
        wide = max(place(value) - LEFT, 1.0)
        kind = "sick" if sick else "bar"
        parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y + 2}" width="{_n(wide)}" height="15"/>')
        parts.append(text(LEFT + wide + 6, y + 14, _said(value) + (" ✗" if sick else "")))
    if limit is not None:
        x, end = place(limit), top + row * len(named)
        parts.append(f'<line class="limit" x1="{_n(x)}" x2="{_n(x)}" y1="{top - 4}" y2="{end + 2}"/>')
        parts.append(text(x, end + 16, f"{limit_name} {_said(limit)}".strip(), "middle", "quiet"))
    said = ", ".join(f"{name} {_said(value)}" for name, value, _ in named)
    return picture(title, said, parts, height)


class Plane:
    """The plane of a chart with two axes."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y, self.parts = x, y, []
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        self.parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
        for at, anchor in zip(x, ("start", "end"), strict=True):
            self.parts.append(text(self.across(at), bottom + 15, _said(at), anchor, "quiet"))
        for at in y:
            self.parts.append(text(LEFT - 6, self.up(at) + 4, _said(at), "end", "quiet"))

    def across(self, x: float) -> float:
        """Return where a value lies from left to right."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - self.x[0]) / (self.x[1] - self.x[0])

    def up(self, y: float) -> float:
        """Return where a value lies from top to bottom; what is beyond lies on the edge."""
        share = min(max((y - self.y[0]) / (self.y[1] - self.y[0]), 0.0), 1.0)
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share

    def line(self, points: Sequence[tuple[float, float]], kind: str = "line") -> None:
        """Draw a line through points."""
        path = "L".join(f"{_n(self.across(x))} {_n(self.up(y))}" for x, y in points)
        self.parts.append(f'<path class="{kind}" d="M{path}"/>')

    def dots(self, points: Sequence[tuple[float, float]], kind: str = "dot") -> None:
        """Draw a dot at each point."""
        for x, y in points:
            self.parts.append(
                f'<circle class="{kind}" cx="{_n(self.across(x))}" cy="{_n(self.up(y))}" r="3.5"/>'
            )

    def label(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        """Write words at a point."""
        self.parts.append(text(self.across(x), self.up(y), words, anchor))

    def axes(self, x: str, y: str) -> None:
        """Name the axes."""
        middle = (LEFT + WIDTH - RIGHT) / 2
        self.parts.append(text(middle, HEIGHT - 8, x, "middle", "quiet"))
        self.parts.append(text(LEFT - 6, (TOP + HEIGHT - BOTTOM) / 2 + 4, y, "end", "quiet"))


def curves(title: str, lines: Sequence[tuple[str, Sequence[float]]], y_name: str = "cost") -> str:
    """Draw one or two sequences against epochs, from 0 up."""
    top = max(value for _, values in lines for value in values)
    long = max(len(values) for _, values in lines)
    plane = Plane((1, long), (0.0, top))
    for i, (name, values) in enumerate(lines):
        plane.line([(e, v) for e, v in enumerate(values, start=1)], "line second" if i else "line")
        if len(lines) > 1:
            plane.label(long, values[-1] + 0.05 * top, name, "end")
    plane.axes("epoch", y_name)
    said = "; ".join(f"{name} from {_said(v[0])} to {_said(v[-1])}" for name, v in lines)
    return picture(title, said, plane.parts)
