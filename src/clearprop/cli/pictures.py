"""Pictures in characters: learning curves in braille, images in shades; both in ASCII where need be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.text import Text

# The dots of a braille character, by row and column, as bits above U+2800.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_SHADES, _ASCII_SHADES = " ░▒▓█", " .:-=+*#%@"
_LOG_FROM = 10.0


class Series(NamedTuple):
    """One line of a panel."""

    name: str
    values: Sequence[float]
    style: str
    dashed: bool


class _Axis(NamedTuple):
    low: float
    high: float
    logarithmic: bool
    only: float | None = None  # of values that are all the same

    def place(self, value: float) -> float:
        """Return where a value is, from 0 (the low end) to 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, place: float) -> float:
        """Return the value at a place from 0 to 1."""
        if self.logarithmic:
            return self.low * (self.high / self.low) ** place
        return self.low + place * (self.high - self.low)


def panel(
    title: str,
    lines: Sequence[Series],
    epochs: Sequence[float],
    width: int,
    height: int,
    *,
    wide: bool,
    may_be_log: bool,
) -> list[Text]:
    """Return a picture of some columns of a history against epochs, as lines of `width` characters.

    Parameters
    ----------
    title : str
    lines : sequence of Series
    epochs : sequence of float
        The first and the last are written under the axis.
    width, height : int
        Characters; the height is that of the area that is drawn in.
    wide : bool
        Whether braille may be used; else ASCII.
    may_be_log : bool
        Whether the axis is logarithmic where the values differ by more than ten times.
    """
    from rich.text import Text

    axis = _axis([value for line in lines for value in line.values], may_be_log)
    columns = max(width - 9, 8)
    cells: list[list[tuple[str, str]]] = [[(" ", "")] * columns for _ in range(height)]
    for line in lines:
        _draw(cells, line, axis, wide)
    labels = _labels(axis, height)
    vertical, corner, horizontal = ("│", "└", "─") if wide else ("|", "+", "-")
    rows = [_legend(title + (" (log)" if axis.logarithmic else ""), lines, width, wide)]
    for number, row in enumerate(cells):
        text = Text(f"{labels.get(number, ''):>7} {vertical}", "dim")
        for character, style in row:
            text.append(character, style)
        rows.append(text)
    rows.append(Text(f"{'':7} {corner}{horizontal * columns}", "dim"))
    rows.append(Text(f"{'':9}{_under(epochs, columns)}", "dim"))
    return rows


def _axis(values: Sequence[float], may_be_log: bool) -> _Axis:
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if may_be_log and low > 0 and high > _LOG_FROM * low:
        return _Axis(low, high, True)
    if low == high:  # a line in the middle
        pad = abs(low) or 1.0
        return _Axis(low - pad, high + 1.1 * pad, False, only=low)  # 1.1: not between two dots
    return _Axis(low, high, False)


def _labels(axis: _Axis, height: int) -> dict[int, str]:
    """Return the numbers beside the axis by their row, with as many figures as tell them apart."""
    middle = height // 2
    if axis.only is not None:
        return {middle: _number(axis.only, 3)}
    places = {0: 1.0, height - 1: 0.0} | ({middle: 1 - (middle + 0.5) / height} if height >= 5 else {})
    for figures in (3, 4, 5):
        labels = {row: _number(axis.value(place), figures) for row, place in places.items()}
        if len(set(labels.values())) == len(labels):
            break
    return labels


def _number(value: float, figures: int) -> str:
    if 1e3 <= abs(value) < 1e5:
        return f"{value:,.0f}"
    return f"{value:.{figures}g}" if abs(value) < 1e3 else f"{value:.1e}"


def _under(epochs: Sequence[float], columns: int) -> str:
    first, last = f"{epochs[0]:.0f}", f"{epochs[-1]:.0f}"
    middle = "epoch" if columns > len(first) + len(last) + 8 else ""
    return first + middle.center(columns - len(first) - len(last)) + last


def _legend(title: str, lines: Sequence[Series], width: int, wide: bool) -> Text:
    from rich.text import Text

    text = Text(" " * 9)
    text.append(title, "bold")
    for line in lines if len(lines) > 1 else ():
        mark = ("╌╌" if line.dashed else "──") if wide else ("o" if line.dashed else "*")
        text.append(" ")
        text.append(mark, line.style)
        text.append(f" {line.name}")
    text.truncate(width)
    return text


def _draw(cells: list[list[tuple[str, str]]], line: Series, axis: _Axis, wide: bool) -> None:
    across, down = (2, 4) if wide else (1, 1)
    n_columns, n_rows = len(cells[0]) * across, len(cells) * down
    before: int | None = None
    for x in range(n_columns):
        value = _between(line.values, x / (n_columns - 1))
        if not math.isfinite(value):
            before = None
            continue
        y = round((1 - min(max(axis.place(value), 0.0), 1.0)) * (n_rows - 1))
        first = y if before is None or y == before else before + (1 if y > before else -1)
        before = y
        if line.dashed and (x // across) % 3 == 2:
            continue
        for dot in range(min(first, y), max(first, y) + 1):
            _set(cells, x, dot, line, wide)


def _between(values: Sequence[float], place: float) -> float:
    position = place * (len(values) - 1)
    left = min(int(position), len(values) - 2)
    share = position - left
    if share == 0:
        return values[left]
    return values[left] * (1 - share) + values[left + 1] * share


def _set(cells: list[list[tuple[str, str]]], x: int, y: int, line: Series, wide: bool) -> None:
    if not wide:
        cells[y][x] = ("o" if line.dashed else "*", line.style)
        return
    there = cells[y // 4][x // 2][0]
    bits = ord(there) - 0x2800 if there != " " else 0
    cells[y // 4][x // 2] = (chr(0x2800 + (bits | int(_DOTS[y % 4, x % 2]))), line.style)


def strip(
    values: Sequence[float], interval: tuple[float, float, float], width: int, *, wide: bool
) -> list[Text]:
    """Return a picture of values on a line, and of their mean in its interval below it.

    Parameters
    ----------
    values : sequence of float
        At least one is finite. Those that share a character are a digit, their number.
    interval : (low, mean, high)
        The ends may be NaN: there is no interval.
    width : int
        Characters.
    wide : bool
        Whether Unicode may be used; else ASCII.
    """
    from rich.text import Text

    axis = _axis([*values, *interval], may_be_log=False)

    def column(value: float) -> int:
        return round(axis.place(value) * (width - 1))

    counts = np.bincount([column(each) for each in values if math.isfinite(each)], minlength=width)
    dot, bar, middle, ends = ("●", "─", "┼", ("├", "┤")) if wide else ("o", "-", "+", ("|", "|"))
    dots = "".join(" " if not n else dot if n == 1 else str(min(n, 9)) for n in counts.tolist())
    below = [" "] * width
    low, mean, high = interval
    if math.isfinite(low) and math.isfinite(high):
        first, last = column(low), column(high)
        below[first : last + 1] = bar * (last + 1 - first)
        below[first], below[last] = ends
    below[column(mean)] = middle
    return [Text(dots.rstrip(), "cyan"), Text("".join(below).rstrip(), "yellow")]


def image(pixels: NDArray[Any], wide: bool) -> list[str]:
    """Return an image of shape (rows, columns) in shades, dark where the value is small.

    A character is about twice as high as wide: small images get two characters for a pixel, larger
    ones a character for two pixels, one above the other.
    """
    shades = _SHADES if wide else _ASCII_SHADES
    table = np.asarray(pixels, np.float64)
    table = table - table.min()
    table = table / (table.max() or 1.0)
    step = math.ceil(table.shape[1] / 32)
    if step > 1:
        table = _mean_of_blocks(table, step, step)
    repeat = 2 if table.shape[1] <= 16 else 1
    if repeat == 1:
        table = _mean_of_blocks(table, 2, 1)
    numbers = np.minimum((table * len(shades)).astype(int), len(shades) - 1)
    return ["".join(shades[each] * repeat for each in row) for row in numbers]


def _mean_of_blocks(table: NDArray[np.float64], down: int, across: int) -> NDArray[np.float64]:
    rows, columns = (-table.shape[0]) % down, (-table.shape[1]) % across
    whole = np.pad(table, ((0, rows), (0, columns)))
    shape = (whole.shape[0] // down, down, whole.shape[1] // across, across)
    return whole.reshape(shape).mean(axis=(1, 3))


def side_by_side(blocks: Sequence[Sequence[Text]], gap: int = 2) -> list[Text]:
    """Return blocks of lines as one, the next right of the one before; each block's lines padded."""
    from rich.text import Text

    widths = [max(line.cell_len for line in block) for block in blocks]
    joined = []
    for number in range(max(map(len, blocks))):
        row = Text()
        for place, (block, width) in enumerate(zip(blocks, widths, strict=True)):
            cell = block[number].copy() if number < len(block) else Text()
            cell.pad_right(width - cell.cell_len + (gap if place < len(blocks) - 1 else 0))
            row.append_text(cell)
        row.rstrip()
        joined.append(row)
    return joined
