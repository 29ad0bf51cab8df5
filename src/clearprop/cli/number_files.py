"""Numbers that another program wrote, for `check`: safetensors, NPZ, JSON or CSV.

In: a file. Out: arrays by their names, or numbers without names in their order. What a file declares is
looked at before memory is taken, and nothing in it is executed. JSON is nested as people nest it; the
trace of ``explain --format json`` is read as arrays with names like those of the parameters.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.dataset import some
from clearprop.data.files import check_size, local_path, open_regular, size
from clearprop.data.npz import read_every_array
from clearprop.flat_vector import Block
from clearprop.gradient_check import named_arrays

Numbers = dict[str, Any] | list[Any] | NDArray[np.float64]

_BYTES = 16  # in memory, of one in the file: a number of two characters becomes an object and its place
_NUMBERED = re.compile(r"arr_(\d+)")
_DELIMITERS = ",;\t"


def read_gradient(path: str, blocks: Sequence[Block]) -> Numbers:
    """Return a gradient in a form that `check_gradient` takes; a trace's gradient if it is a trace.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or holds no numbers.
    """
    found = _read(path, "--gradient", blocks)
    if isinstance(found, dict) and "layers" in found:
        found = {
            name.replace("_gradient", ""): _arrays(array, f"{name} in --gradient {path}")
            for name, array in named_arrays(found).items()
            if name.endswith("_gradient")
        }
    if isinstance(found, dict) and set(found) == {"weights", "biases"}:
        return [found["weights"], found["biases"]]
    return found


def read_trace(path: str) -> dict[str, Any]:
    """Return the arrays of a trace by their names, as `check_trace` takes them.

    Raises
    ------
    OSError, ValueError
        As `read_gradient`; or if the numbers have no names.
    """
    found = _read(path, "--trace", ())
    if not isinstance(found, dict):
        raise ValueError(
            f"--trace {path} must hold arrays with names, such as layers.0.z, or the JSON of explain, "
            "got numbers without names"
        )
    if "layers" not in found:
        return found
    made: dict[str, Any] = _arrays(named_arrays(found), f"--trace {path}")
    return made


def _read(path: str, option: str, blocks: Sequence[Block]) -> Numbers:
    place = local_path(path, option)
    kind = place.suffix.lower()
    with open_regular(place) as file:
        start = file.read(1)
    if kind == ".npz" or (kind != ".safetensors" and start == b"P"):
        return _in_order(read_every_array(place))
    if kind == ".json" or (kind not in (".safetensors", ".csv", ".tsv", ".txt") and start in b"{["):
        return _json(_text(place), f"{option} {path}")
    if kind in (".csv", ".tsv", ".txt"):
        return _csv(_text(place), f"{option} {path}", blocks)
    return _safetensors(place, f"{option} {path}")


def _in_order(arrays: dict[str, NDArray[Any]]) -> dict[str, Any] | list[Any]:
    """Return arrays that ``numpy.savez`` has numbered in their order, others by their names."""
    numbers = [_NUMBERED.fullmatch(name) for name in arrays]
    if not all(numbers):
        return arrays
    ordered = sorted(arrays, key=lambda name: int(name.removeprefix("arr_")))
    return arrays[ordered[0]] if len(ordered) == 1 else [arrays[name] for name in ordered]  # type: ignore[return-value]


def _text(path: Path) -> str:
    with open_regular(path) as file:
        check_size(path, _BYTES * size(file))
        content = file.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path} must be text in UTF-8, byte {problem.start} is none") from None


def _safetensors(path: Path, what: str) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with open_regular(path) as file:
        check_size(path, size(file))
        content = file.read()
    try:
        return load(content)
    except (SafetensorError, KeyError, TypeError) as problem:  # the last two: a dtype NumPy has not
        raise ValueError(
            f"{what} must be a safetensors file of float32 or float64 arrays, or .npz, .json or .csv, "
            f"got: {problem}"
        ) from None


def _json(text: str, what: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = [name for name in found if names.count(name) > 1]
            raise ValueError(f"{what} must have each name once, got {some(twice)} more than once")
        return found

    try:
        found = json.loads(text, object_pairs_hook=once, parse_int=float)
    except json.JSONDecodeError as problem:
        raise ValueError(f"{what} must be JSON, got at line {problem.lineno}: {problem.msg}") from None
    except RecursionError:
        raise ValueError(f"{what} must be nested as arrays are, is nested too deeply") from None
    if isinstance(found, dict) and "layers" in found:
        return found
    return _arrays(found, what)


def _arrays(value: Any, what: str) -> Any:
    """Return JSON with an array in place of each list of numbers, as deep as they are one."""
    if isinstance(value, dict):
        return {
            name: each
            if name == "cost" and isinstance(each, float)  # the one number that stands alone
            else _arrays(each, f"{name} in {what}")
            for name, each in value.items()
        }
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list of numbers, got {_told(value)}")
    if any(each is None for each in value):
        return value  # of an array that is missing more is said where the blocks are known
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        if not value or not all(isinstance(each, list) for each in value):
            wrong = next((e for e in value if not isinstance(e, list | float)), value)
            raise ValueError(f"{what} must be a list of numbers, got {_told(wrong)} in it") from None
    return [_arrays(each, what) for each in value]


def _told(value: Any) -> str:
    return repr(value)[:40] if not isinstance(value, dict) else "an object"


def _csv(text: str, what: str, blocks: Sequence[Block]) -> Numbers:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((mark for mark in _DELIMITERS if mark in first), None)
    if delimiter is None and len(first.split()) > 1:
        lines = [line.split() for line in text.splitlines()]
    else:
        try:
            lines = list(csv.reader(text.splitlines(), delimiter=delimiter or ","))
        except csv.Error as problem:
            raise ValueError(f"{what} must be a CSV file, got: {problem}") from None
    numbered = [
        (number, cells)
        for number, line in enumerate(lines, 1)
        if any(cells := [cell.strip() for cell in line])
    ]
    if numbered and _number(numbered[0][1][-1]) is None:
        numbered = numbered[1:]  # a line of names
    if not numbered:
        raise ValueError(f"{what} must hold numbers, got none")
    if _number(numbered[0][1][0]) is None:
        return _by_place(numbered, what)
    return _by_rows(numbered, what, blocks)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _by_place(lines: Iterable[tuple[int, list[str]]], what: str) -> dict[str, Any]:
    """Return the arrays of lines ``name,index,...,number``."""
    found: dict[str, dict[tuple[int, ...], float]] = {}
    for line, (name, *index, last) in lines:
        value, place = _number(last), [cell for cell in index if cell]
        if value is None or not all(cell.isdecimal() and len(cell) < 10 for cell in place):
            raise ValueError(
                f"{what} must have a name, whole numbers from 0 and a number in each line, such as "
                f"layers.0.weight,1,0,0.25, got {','.join([name, *index, last])[:60]!r} in line {line}"
            )
        array, at = found.setdefault(name, {}), tuple(map(int, place))
        if at in array:
            raise ValueError(f"{what} must have each place once, got {name}{list(at)} in line {line}")
        array[at] = value
    return {name: _filled(name, array, what) for name, array in found.items()}


def _filled(name: str, numbers: dict[tuple[int, ...], float], what: str) -> NDArray[np.float64]:
    ranks = {len(at) for at in numbers}
    shape = tuple(max(at) + 1 for at in zip(*numbers, strict=False))
    needed = 1
    for each in shape:
        needed *= each
    if len(ranks) > 1 or needed != len(numbers):
        places = f"its last place asks for {needed:,}" if len(ranks) == 1 else "places of several forms"
        raise ValueError(f"{name} in {what} must have a number in every place, has {len(numbers):,}, "
                         f"{places}")  # fmt: skip
    made = np.empty(shape)
    for at, value in numbers.items():
        made[at] = value
    return made


def _by_rows(
    lines: Sequence[tuple[int, list[str]]], what: str, blocks: Sequence[Block]
) -> NDArray[np.float64]:
    """Return numbers in the order of the parameters; lines of several must be rows of the blocks."""
    rows = []
    for line, cells in lines:
        row = [_number(cell) for cell in cells]
        if None in row:
            wrong = cells[row.index(None)]
            raise ValueError(f"{what} must hold numbers, got {wrong[:40]!r} in line {line}")
        rows.append(row)
    if len(rows) > 1 and max(map(len, rows)) > 1:
        _check_rows(list(zip([line for line, _ in lines], rows, strict=True)), what, blocks)
    return np.array(list(itertools.chain.from_iterable(rows)), dtype=np.float64)


def _check_rows(rows: list[tuple[int, list[float | None]]], what: str, blocks: Sequence[Block]) -> None:
    """Refuse lines that are not the rows of the blocks, one block after the other."""
    left = iter(rows)
    for block in blocks:
        n, columns = (block.shape[0], block.shape[1]) if len(block.shape) > 1 else (1, block.shape[0])
        for done in range(n):
            line, row = next(left, (0, []))
            if len(block.shape) == 1 and len(row) == 1 < columns:  # one below the other
                for _ in range(columns - 1):
                    next(left, None)
                continue
            if len(row) != columns:
                got = f"{len(row)} in line {line}" if row else "no more lines"
                turned = len(row) == n and done == 0 and len(block.shape) > 1
                hint = (
                    ": row = destination neuron, column = source; give its transpose" if turned else ""
                )
                raise ValueError(
                    f"{what} must have {columns} numbers in each of the {n} rows of {block.name}, "
                    f"got {got}{hint}"
                )
