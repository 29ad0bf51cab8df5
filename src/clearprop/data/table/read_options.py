"""ReadOptions: how a CSV file is written, where it does not tell itself."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from numbers import Integral, Real
from typing import Any

from clearprop.data.table.values import text_of
from clearprop.data.tables import column_names
from clearprop.names import trim

WHICH_DECIMAL = "--decimal says which, in Python decimal='.' or ','"
"""Who says whether 1,234 is a thousand: an option, or an argument (of estimators and `ReadOptions`)."""

Missing = str | Real | Iterable[str | Real] | None
"""What stands for a missing value, as it is given in Python."""


@dataclass(frozen=True)
class ReadOptions:
    """How a CSV file is written; what is None is told by the file.

    Parameters
    ----------
    delimiter : str, optional
        Between two fields; one character.
    decimal : {".", ","}, optional
        The decimal sign.
    encoding : str
        One of Python's.
    missing : tuple of str
        What stands for a missing value besides `clearprop.data.targets.MISSING`, in every column:
        words, and numbers by their value (-999 and -999.0 are one).
    names : tuple of str, optional
        Of the columns, where the file has no row of names.
    skip_lines : int, optional
        Lines above the names (or, with `names`, above the rows) that are left out. None: what is above
        a table by its looks is, and is said.
    comment : str, optional
        What a line begins with that is no row, wherever it stands.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    skip_lines: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        """Check every option against its rule."""
        if self.delimiter is not None and (
            len(self.delimiter) != 1 or self.delimiter in '"\r\n' or not self.delimiter.isascii()
        ):
            raise ValueError(f"delimiter must be one character such as ';', got {self.delimiter!r}")
        if self.names is not None:
            object.__setattr__(self, "names", column_names(self.names))
        object.__setattr__(self, "missing", words(self.missing))
        lines = self.skip_lines
        if lines is not None and (isinstance(lines, bool) or not isinstance(lines, int) or lines < 0):
            raise ValueError(f"skip_lines must be a number of lines, at least 0, got {lines!r}")
        mark = self.comment
        if mark is not None and (not trim(mark) or set(mark) & set('"\r\n')):
            raise ValueError(f"comment must be what lines begin with, such as '#', got {mark!r}")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal must be '.' or ',', got {self.decimal!r}")
        if self.decimal == "," and self.delimiter == ",":
            raise ValueError("decimal and delimiter must be two characters, got ',' for both")
        try:
            text = codecs.lookup(self.encoding)._is_text_encoding
        except (LookupError, ValueError):
            text = False
        if not text:
            raise ValueError(f"encoding must be one that Python knows, got {self.encoding!r}")

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReadOptions:
        """Return what `to_json` gave."""
        names = data["names"]
        return cls(
            data["delimiter"],
            data["decimal"],
            str(data["encoding"]),
            tuple(map(str, data["missing"])),
            None if names is None else tuple(map(str, names)),
            data.get("skip_lines"),
            data.get("comment"),
        )


def with_missing(options: ReadOptions | None, missing: Missing) -> ReadOptions:
    """Return options with more that stands for a missing value."""
    options = options or ReadOptions()
    return replace(options, missing=(*options.missing, *words(missing)))


def words(missing: Missing) -> tuple[str, ...]:
    """Return what stands for a missing value, as it is given in Python, as words.

    Parameters
    ----------
    missing : None, str, number, or a sequence of them

    Raises
    ------
    TypeError
        If it is something else.
    """
    given = () if missing is None else (missing,) if isinstance(missing, str | Real) else tuple(missing)
    for each in given:
        if isinstance(each, bool) or not isinstance(each, str | Real):
            raise TypeError(f"missing must hold words and numbers, got {each!r}")
    return tuple(
        str(each) if isinstance(each, str | Integral) else text_of(float(each)) for each in given
    )
