"""What a student hands in, read with care: numbers from JSON, CSV or NPZ, and nothing else."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import CheckpointError
from clearprop.checkpoint.strict_json import parse_json
from clearprop.data.files import open_regular, size
from clearprop.data.npz import read_every_array

if TYPE_CHECKING:
    from clearprop.classroom.sheet import Worksheet

ENDINGS = (".csv", ".json", ".npz")
MOST_BYTES = 1 << 20  # of a file, and of all arrays in it: a sheet has some hundred numbers at most
_DELIMITERS = ";\t,"
_DECIMAL = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_ARRAY = re.compile(r"layers\.(\d{1,3})\.(\w+)")
_WHOLE = {"cost": "cost", "sample_costs": "sample_cost"}  # of no layer: the name, and the quantity's


def read(path: Path, worksheet: Worksheet) -> dict[int, float]:
    """Return the numbers of a file by their blanks.

    Raises
    ------
    OSError, ValueError
        Naming the file, the field in it, and what it must be.
    """
    with open_regular(path) as file:
        if (n := size(file)) > MOST_BYTES:
            raise ValueError(f"{path.name} must have at most {MOST_BYTES:,} bytes, got {n:,}")
        content = file.read(MOST_BYTES)
    readers: dict[str, Callable[[bytes, Path], Mapping[Any, Any]]] = {
        ".csv": _csv, ".json": _json, ".npz": _npz,
    }  # fmt: skip
    found = readers[path.suffix.lower()](content, path)
    try:
        return by_blank(worksheet, found)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{path.name}: {problem}") from None


def by_blank(worksheet: Worksheet, answers: Mapping[Any, Any]) -> dict[int, float]:
    """Return answers by the number of their blank, from numbers of blanks and names of arrays.

    Raises
    ------
    ValueError, TypeError
        If there is no such blank or array, or something is no number.
    """
    found: dict[int, float] = {}
    for key, value in answers.items():
        for number, each in _numbered(worksheet, key, value):
            if number in found:
                raise ValueError(f"blank {number} must be given once, is given again as {key!r}")
            answer = _number(f"blank {number}", each)
            if answer is not None:
                found[number] = answer
    return found


def _numbered(worksheet: Worksheet, key: Any, value: Any) -> Iterator[tuple[int, Any]]:
    text = str(key).strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        n = len(worksheet.asked)
        if not 1 <= int(text) <= n:
            raise ValueError(f"sheet {worksheet.number} has the blanks 1 to {n}, not {text}")
        yield int(text), value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        return
    quantity, layer = _quantity(worksheet, text)
    places = {
        place: number
        for number, (name, of, place) in enumerate(worksheet.asked, start=1)
        if (name, of) == (quantity, layer)
    }
    array, shape = _array(text, value), _shape(worksheet, quantity, layer)
    if len(shape) == 2 and shape[0] == 1 and array.shape == shape[1:]:
        array = array[None]  # of one sample, without its axis
    if array.shape != shape:
        raise ValueError(f"{text} must have the shape {shape}, got {array.shape}")
    for place, number in places.items():
        yield number, array[place]


def _quantity(worksheet: Worksheet, name: str) -> tuple[str, int]:
    if name in _WHOLE:
        return _WHOLE[name], 0
    found, last = _ARRAY.fullmatch(name), len(worksheet.trace.layers)
    if found is not None and int(found[1]) < last:
        quantity = found[2]
        if _shape_of_layer(worksheet, quantity, int(found[1]) + 1) is not None:
            return quantity, int(found[1]) + 1
    raise ValueError(
        f"there is no blank or array {name[:60]!r}: blanks are numbers, arrays have names such as "
        f"layers.0.z or layers.{last - 1}.weight_gradient"
    )


def _shape(worksheet: Worksheet, quantity: str, layer: int) -> tuple[int, ...]:
    if layer == 0:
        return () if quantity == "cost" else (len(worksheet.trace.X),)
    return _shape_of_layer(worksheet, quantity, layer) or ()


def _shape_of_layer(worksheet: Worksheet, quantity: str, layer: int) -> tuple[int, ...] | None:
    made = worksheet.trace.layers[layer - 1]
    arrays = dict.fromkeys(("z", "a", "error", "delta"), made.z)
    for kind, array in (("weight", made.weights), ("bias", made.biases)):
        if array is not None:
            arrays |= {f"{kind}_gradient": array, f"{kind}_after": array}
    return arrays[quantity].shape if quantity in arrays else None


def _array(name: str, value: Any) -> NDArray[Any]:
    try:
        array = np.array(value, dtype=object)
    except ValueError:
        raise ValueError(f"{name} must be an array, got lists of several lengths") from None
    for place, each in np.ndenumerate(array):
        _number(f"{name}{list(place)}", each)
    return array


def _number(what: str, value: Any) -> float | None:
    """Return a number, or None where nothing was answered."""
    if value is None:
        return None
    if isinstance(value, bool | np.bool_) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        raise TypeError(f"{what} must be a number, got {str(value)[:40]!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ValueError(f"{what} must be a finite number, got {str(value)[:40]}")
    return None if math.isnan(number) else number


def _json(content: bytes, path: Path) -> dict[str, Any]:
    try:
        return parse_json(content.removeprefix(b"\xef\xbb\xbf"), path.name)
    except CheckpointError as problem:
        raise ValueError(str(problem).replace("JSON as clearprop writes it", "JSON")) from None


def _npz(content: bytes, path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            declared = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        declared = 0  # what is wrong with it is said below
    if declared > MOST_BYTES:
        raise ValueError(f"{path.name} must hold at most {MOST_BYTES:,} bytes, declares {declared:,}")
    try:
        return dict(read_every_array(path))
    except ValueError as problem:
        raise ValueError(str(problem).replace(str(path), path.name)) from None


def _csv(content: bytes, path: Path) -> dict[int, float]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"{path.name} must be text in UTF-8, byte {problem.start} is none") from None
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    delimiter = next((mark for mark in _DELIMITERS if mark in head), ",")
    found: dict[int, float] = {}
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as problem:
        raise ValueError(f"{path.name} must be a CSV file, got: {problem}") from None
    columns = max(2, len(next(csv.reader([head], delimiter=delimiter))))
    for line, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].partition(",")[0].lower() == "blank":
            continue
        number, answer = _of_line(cells, columns, f"{path.name}, line {line}")
        if number in found:
            raise ValueError(f"{path.name}, line {line}: blank {number} must be given once")
        found[number] = answer
    return found


def _of_line(cells: list[str], columns: int, where: str) -> tuple[int, float]:
    number = cells[0].partition(",")[0]  # a spreadsheet of semicolons keeps the form's line in one cell
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise ValueError(f"{where} must begin with the number of a blank, got {cells[0][:40]!r}")
    if len(cells) > columns:
        got = ",".join(cells[columns - 1 :])[:40]
        raise ValueError(
            f"{where}: blank {number} must have one answer, got {got!r}: write a point, or quotes "
            "around a number with a comma"
        )
    text = cells[-1].replace("−", "-") if len(cells) == columns else ""
    if not text:
        return int(number), math.nan
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{where}: blank {number} must be a number, got {cells[-1][:40]!r}")
    return int(number), float(text.replace(",", "."))
