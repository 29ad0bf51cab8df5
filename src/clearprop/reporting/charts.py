"""Charts of a report as SVG: axes with ticks, and on them lines, points, bars and intervals.

Colours and strokes are those of `clearprop.page.chart`, by classes of the page's style: a policy that
allows no style but the page's own lets none stand in an attribute. Every series says what it is of in
``data-ref``, and every chart where its axes lie in ``data-axes``, so that a test reads the figures back
from the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from clearprop.page import Markup, tag

WIDTH, HEIGHT = 380, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 22, 12, 42
_TICKS = 5
_MOST_WORDS, _LETTER = 14, 6.6  # letters of a category below an axis, and how wide one is about

Ends = tuple[float, float]


def ticks(low: float, high: float, most: int = _TICKS) -> list[float]:
    """Return round numbers between two, at distances of 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> ticks(0, 1), ticks(-3, 17)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 5.0, 10.0, 15.0])
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(each for each in (1, 2, 5, 10) if each * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(each * step, 12) for each in range(first, last + 1)]


def around(values: Iterable[float | None], *, zero: bool = False) -> Ends:
    """Return ends that hold all values with a little room; `zero`: and 0."""
    there = [each for each in values if each is not None and math.isfinite(each)]
    there += [0.0] if zero or not there else []
    low, high = min(there), max(there)
    room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    return low - room if low < 0 or not zero else low, high + room


def tick_text(value: float) -> str:
    """Return a number below an axis, short: 12k for 12,000."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{letter}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


class Frame:
    """Axes, and what is drawn on them.

    Parameters
    ----------
    x, y : (float, float)
        What the axes reach from and to.
    x_name, y_name : str
    words : sequence of str, optional
        In place of numbers below the axis: x is their place, counted from 0.
    percent : str
        The axes, of "x" and "y", that show shares.
    """

    def __init__(
        self,
        x: Ends,
        y: Ends,
        x_name: str,
        y_name: str,
        *,
        words: Sequence[str] = (),
        percent: str = "",
        height: int = HEIGHT,
    ) -> None:
        self.x, self.y = x, y
        self.words = [
            each if len(each) <= _MOST_WORDS else each[: _MOST_WORDS - 1] + "…" for each in words
        ]
        longest = max(map(len, self.words), default=0)
        self.turned = len(words) * longest * _LETTER > WIDTH - _LEFT - _RIGHT
        self.bottom = height - _BOTTOM - (int(0.62 * longest * _LETTER) if self.turned else 0)
        self.height = height
        self.parts: list[Markup] = []
        self._axes(x_name, y_name, percent)

    def across(self, x: float) -> float:
        """Return where a number stands on the axis of x, in pixels."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * _share(x, *self.x)

    def up(self, y: float) -> float:
        """Return where a number stands on the axis of y, in pixels."""
        return self.bottom - (self.bottom - _TOP) * _share(y, *self.y)

    def _axes(self, x_name: str, y_name: str, percent: str) -> None:
        right = WIDTH - _RIGHT
        for value in ticks(*self.y):
            at = f"{self.up(value):.1f}"
            self.parts.append(tag("path", d=f"M{_LEFT} {at}H{right}", class_="grid"))
            text = f"{100 * value:.4g} %" if "y" in percent else tick_text(value)
            where = {"x": _LEFT - 6, "y": f"{self.up(value) + 4:.1f}", "text_anchor": "end"}
            self.parts.append(tag("text", text, **where))
        if self.words:
            self._words()
        else:
            for value in ticks(*self.x):
                text = f"{100 * value:.4g} %" if "x" in percent else tick_text(value)
                where = {"x": f"{self.across(value):.1f}", "y": self.bottom + 16}
                self.parts.append(tag("text", text, text_anchor="middle", **where))
        self.parts.append(tag("path", d=f"M{_LEFT} {_TOP}V{self.bottom}H{right}", class_="axis"))
        middle = (_LEFT + right) / 2
        below = {"x": middle, "y": self.height - 8, "text_anchor": "middle", "class_": "name"}
        self.parts.append(tag("text", x_name, **below))
        turn = f"translate(12 {(_TOP + self.bottom) / 2:.0f}) rotate(-90)"
        self.parts.append(tag("text", y_name, transform=turn, text_anchor="middle", class_="name"))

    def _words(self) -> None:
        for place, short in enumerate(self.words):
            at = f"{self.across(place):.1f}"
            if self.turned:  # they would run into one another
                turn = f"translate({at} {self.bottom + 12}) rotate(-36)"
                self.parts.append(tag("text", short, transform=turn, text_anchor="end"))
            else:
                self.parts.append(tag("text", short, x=at, y=self.bottom + 16, text_anchor="middle"))

    def line(
        self, x: Sequence[float], y: Sequence[float | None], look: str, ref: str | None = None
    ) -> None:
        """Draw a line, with gaps where there is no number."""
        drawn, pen = "", "M"
        for a, b in zip(x, y, strict=True):
            if b is None or not math.isfinite(b):
                pen = "M"
                continue
            drawn += f"{pen}{self.across(a):.1f} {self.up(b):.1f}"
            pen = "L"
        self.parts.append(tag("path", d=drawn, class_=f"line {look}", data_ref=ref))

    def steps(self, edges: Sequence[float], y: Sequence[float], look: str, ref: str) -> None:
        """Draw a histogram as a filled line of steps from 0."""
        drawn = f"M{self.across(edges[0]):.1f} {self.up(0):.1f}"
        for right, value in zip(edges[1:], y, strict=True):
            drawn += f"V{self.up(value):.1f}H{self.across(right):.1f}"
        drawn += f"V{self.up(0):.1f}"
        self.parts.append(tag("path", d=drawn, class_=f"steps {look}", data_ref=ref))

    def points(self, x: Sequence[float], y: Sequence[float], look: str, ref: str | None = None) -> None:
        """Draw points: those of a path have no length, so that only their caps are seen."""
        drawn = "".join(f"M{self.across(a):.1f} {self.up(b):.1f}h0" for a, b in zip(x, y, strict=True))
        self.parts.append(tag("path", d=drawn, class_=f"points {look}", data_ref=ref))

    def intervals(
        self, x: Sequence[float], low: Sequence[float | None], high: Sequence[float | None], look: str
    ) -> None:
        """Draw upright lines from low to high."""
        drawn = "".join(
            f"M{self.across(a):.1f} {self.up(b):.1f}V{self.up(c):.1f}"
            for a, b, c in zip(x, low, high, strict=True)
            if b is not None and c is not None
        )
        self.parts.append(tag("path", d=drawn, class_=f"interval {look}"))

    def band(self, x: Sequence[float], low: Sequence[float], high: Sequence[float], look: str) -> None:
        """Fill between two lines."""
        there = [*zip(x, high, strict=True), *reversed([*zip(x, low, strict=True)])]
        drawn = "M" + "L".join(f"{self.across(a):.1f} {self.up(b):.1f}" for a, b in there) + "Z"
        self.parts.append(tag("path", d=drawn, class_=f"band {look}"))

    def diagonal(self) -> None:
        """Draw where x and y are one."""
        low, high = max(self.x[0], self.y[0]), min(self.x[1], self.y[1])
        self.line((low, high), (low, high), "quiet-line")

    def level(self, y: float) -> None:
        """Draw a level line."""
        self.line(self.x, (y, y), "quiet-line")

    def mark(self, x: float, text: str) -> None:
        """Draw an upright line with what it is."""
        at = self.across(x)
        self.parts.append(tag("path", d=f"M{at:.1f} {_TOP}V{self.bottom}", class_="line quiet-line"))
        left = at > WIDTH / 2
        where = {"x": f"{at + (-5 if left else 5):.1f}", "y": _TOP + 10}
        self.parts.append(tag("text", text, text_anchor="end" if left else "start", **where))

    def svg(self, said: str, **attributes: Any) -> Markup:
        """Return the chart; `said` is what it says, in words."""
        ends = (*self.x, _LEFT, WIDTH - _RIGHT, *self.y, self.bottom, _TOP)
        axes = " ".join(f"{each:.10g}" for each in ends)
        return tag(
            "svg", *self.parts, viewBox=f"0 0 {WIDTH} {self.height}", role="img", aria_label=said,
            class_="chart", data_axes=axes, **attributes,
        )  # fmt: skip


def bars(
    rows: Sequence[tuple[str, float, float | None, float | None]],
    ends: Ends,
    ref: str,
    said: str,
    *,
    most_letters: int = 48,
) -> Markup:
    """Return lying bars from 0, each with its name above it and an interval.

    Parameters
    ----------
    rows : sequence of (name, value, low, high)
    ends : (float, float)
        Of the axis.
    ref : str
        ``{}`` in it stands for the number of the bar.
    said : str
    most_letters : int
        Of a name.
    """
    step, left, right = 34, 6, WIDTH - 10

    def across(value: float) -> float:
        return left + (right - left) * _share(min(max(value, ends[0]), ends[1]), *ends)

    parts, height = [], step * len(rows) + 24
    for value in ticks(*ends):
        at = across(value)
        parts.append(tag("path", d=f"M{at:.1f} 0V{height - 20}", class_="grid"))
        anchor = "start" if at < 20 else "end" if at > right - 16 else "middle"
        parts.append(tag("text", tick_text(value), x=f"{at:.1f}", y=height - 6, text_anchor=anchor))
    for place, (name, value, low, high) in enumerate(rows):
        y = step * place
        parts.append(tag("text", _short(name, most_letters), x=left, y=y + 13, class_="name"))
        start, end = sorted((across(0.0), across(value)))
        box = {"x": f"{start:.1f}", "width": f"{max(end - start, 0.5):.1f}", "y": y + 18, "height": 10}
        parts.append(tag("rect", **box, class_="bar", data_ref=ref.format(place)))
        if low is not None and high is not None:
            drawn = f"M{across(low):.1f} {y + 23}H{across(high):.1f}"
            parts.append(tag("path", d=drawn, class_="interval s0"))
    return tag(
        "svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=said,
        class_="chart bars", data_bars=f"{ends[0]:.10g} {ends[1]:.10g} {left} {right}",
    )  # fmt: skip


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
