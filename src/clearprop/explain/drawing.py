"""Drawings in text: a network with lines between some of its neurons, a curve, a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from clearprop.activations import Activation
from clearprop.explain.printers.text import WIDTH, width

TALLEST = 8  # neurons of a layer that are drawn


class Edge(NamedTuple):
    """A line from a neuron of one column to one of the next, with what stands on it."""

    column: int
    source: int
    to: int
    label: str


def drawn(
    columns: Sequence[Sequence[str]],
    edges: Sequence[Edge] = (),
    end: str = "",
    last: int | None = None,
) -> list[str]:
    """Return a network as lines of text.

    Parameters
    ----------
    columns : sequence of sequences of str
        The neurons' labels, layer by layer. Of a tall layer those without an edge are left out.
    edges : sequence of Edge
        At most one between two columns.
    end : str
        What the last column leads to; all of it, or the neuron `last`.
    """
    chosen = [_chosen(column, i, edges) for i, column in enumerate(columns)]
    height = max(len(rows) for rows in chosen)
    lines = [""] * height
    for i, (column, rows) in enumerate(zip(columns, chosen, strict=True)):
        labels = [("⋮" if j is None else column[j]) for j in rows]
        wide = max(map(width, labels))
        for row in range(height):
            label = labels[row] if row < len(labels) else ""
            lines[row] += label + " " * (wide - width(label))
        if i + 1 < len(columns):
            edge = next((each for each in edges if each.column == i), None)
            gap = _gap(edge, rows, chosen[i + 1], height)
            lines = [line + part for line, part in zip(lines, gap, strict=True)]
    if end:
        ends = chosen[-1]
        for row, j in enumerate(ends):
            if last is None or j == last:
                lines[row] += f" ──> {end}"
    hidden = sum(len(c) - sum(j is not None for j in r) for c, r in zip(columns, chosen, strict=True))
    lines = [line.rstrip() for line in lines] + ([f"[..., {hidden:,} more neurons]"] if hidden else [])
    if max(map(width, lines)) > WIDTH:
        return [f"[a network of {len(columns)} layers is too wide to be drawn in {WIDTH} columns]"]
    return lines


def _chosen(column: Sequence[str], i: int, edges: Sequence[Edge]) -> list[int | None]:
    """Return which neurons are drawn, None standing for those that are not."""
    if len(column) <= TALLEST:
        return list(range(len(column)))
    wanted = {each.source for each in edges if each.column == i}
    wanted |= {each.to for each in edges if each.column == i - 1} | {0, 1, len(column) - 1}
    rows: list[int | None] = []
    for j in sorted(wanted):
        if rows and rows[-1] != j - 1:
            rows.append(None)
        rows.append(j)
    return rows


def _gap(
    edge: Edge | None, left: Sequence[int | None], right: Sequence[int | None], height: int
) -> list[str]:
    if edge is None:
        return [" " * 5] * height
    start, stop = left.index(edge.source), right.index(edge.to)
    label = f" ─{edge.label}─"
    empty = " " * (width(label) + 4)
    if start == stop:
        return [f"{label}──> " if row == start else empty for row in range(height)]
    turn, land = ("╮", "╰") if stop > start else ("╯", "╭")
    parts = []
    for row in range(height):
        if row == start:
            parts.append(f"{label}{turn}   ")
        elif row == stop:
            parts.append(" " * width(label) + f"{land}─> ")
        elif min(start, stop) < row < max(start, stop):
            parts.append(" " * width(label) + "│   ")
        else:
            parts.append(empty)
    return parts


def curve(function: Activation, at: float, columns: int = 61, rows: int = 11) -> list[str]:
    """Return the graph of an activation as text, with a dot at one z."""
    reach = max(6.0, 1.2 * abs(at)) if np.isfinite(at) else 6.0
    z = np.linspace(-reach, reach, columns)
    with np.errstate(all="ignore"):
        a = np.nan_to_num(np.asarray(function(z), np.float64))
        value = float(function(np.array([at]))[0]) if np.isfinite(at) else float("nan")
    low, high = float(a.min()), float(a.max())
    span = (high - low) or 1.0
    canvas = [[" "] * columns for _ in range(rows)]
    for x, y in enumerate(a):
        canvas[rows - 1 - round((y - low) / span * (rows - 1))][x] = "·"
    if np.isfinite(value):
        x = round((at + reach) / (2 * reach) * (columns - 1))
        y = min(max(round((value - low) / span * (rows - 1)), 0), rows - 1)
        canvas[rows - 1 - y][x] = "●"
    marks = [f"{high:8.3g}", *[" " * 8] * (rows - 2), f"{low:8.3g}"]
    lines = [f"{mark} │{''.join(row)}".rstrip() for mark, row in zip(marks, canvas, strict=True)]
    middle = columns // 2
    axis = f"{-reach:.3g}".ljust(middle) + "0" + f"{reach:.3g}".rjust(columns - middle - 1)
    return [*lines, " " * 9 + "└" + "─" * columns, " " * 10 + axis]


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    groups: Sequence[Sequence[tuple[str, int]]] = (),
) -> str:
    """Return a table as text: the first column to the left, the others to the right.

    Above the head stand lines of captions, each over so many columns.
    """
    wide = [max(width(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for captions in groups:
        first = 0
        for caption, n in captions:
            room = sum(wide[first : first + n]) + 2 * (n - 1)
            wide[first + n - 1] += max(0, width(caption) + 2 - room) if caption else 0
            first += n

    def line(cells: Sequence[str]) -> str:
        padded = [" " * (w - width(cell)) for cell, w in zip(cells, wide, strict=True)]
        first = cells[0] + padded[0]
        return "  ".join([first, *(p + c for p, c in zip(padded[1:], cells[1:], strict=True))]).rstrip()

    def above(captions: Sequence[tuple[str, int]]) -> str:
        parts, first = [], 0
        for caption, n in captions:
            room = sum(wide[first : first + n]) + 2 * (n - 1)
            first += n
            left = (room - width(caption)) // 2
            fill = "╌" if caption else " "
            padded = f" {caption} " if caption else "  "
            parts.append(fill * (left - 1) + padded + fill * (room - width(caption) - left - 1))
        return "  ".join(parts).rstrip()

    rule = "  ".join("─" * w for w in wide)
    return "\n".join([*map(above, groups), line(head), rule, *map(line, rows)])
