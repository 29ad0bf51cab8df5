"""CSV as text: its bytes checked while they flow, its row of names, and batches of text columns.

pyarrow reads the table. What it cannot say (on which line it stopped, what a stray quote has done) is
found by `CsvText.explain` and `CsvText.line_of`, which read the text again with the standard library,
slowly, and only once something is wrong.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from clearprop.data import files
from clearprop.data.table.values import PLAIN_NUMBER
from clearprop.data.tables import check_names

BLOCK_BYTES = 1 << 22  # read together; no row may be longer than two
_CHUNK = 1 << 20
_HEAD = 1 << 20  # bytes in which the row of names must end
UNNAMED = "Unnamed: 0"  # an index that pandas or R wrote before the first name, as pandas reads it
_DELIMITERS = ";\t|,"  # a comma last: it is also a decimal sign, and part of sentences
_SNIFFED_ROWS = 20
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


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
        What stands for a missing value besides `clearprop.data.targets.MISSING`.
    names : tuple of str, optional
        Of the columns, where the file has no row of names.
    """

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check every option against its rule."""
        if self.delimiter is not None and (
            len(self.delimiter) != 1 or self.delimiter in '"\r\n' or not self.delimiter.isascii()
        ):
            raise ValueError(f"delimiter must be one character such as ';', got {self.delimiter!r}")
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
        )


class _Utf8(io.RawIOBase):
    """A file's text as UTF-8, checked while it is read; every problem names its byte.

    Parameters
    ----------
    source : binary file
    path : Path
    encoding : str
    limit : int
        Bytes after which a compressed file is refused.
    """

    def __init__(self, source: IO[bytes], path: Path, encoding: str, limit: int | None) -> None:
        self._source, self._path, self._limit = source, path, limit
        self._encoding = codecs.lookup(encoding).name
        self._plain = self._encoding in ("utf-8", "ascii")
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._read, self._rest, self._ended = 0, b"", False
        self.n_quotes = 0
        self.problem: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> bytes:  # type: ignore[override]
        """Return `size` bytes of UTF-8, fewer at the end: pyarrow makes a batch of what it is given."""
        parts, left = [self._rest], size - len(self._rest)
        try:
            while left > 0 and not self._ended:
                parts.append(self._next())
                left -= len(parts[-1])
        except BaseException as problem:
            self.problem = problem
            raise
        found = b"".join(parts)
        self._rest = found[size:]
        return found[:size]

    def _next(self) -> bytes:
        chunk = self._source.read(_CHUNK)
        first = self._read == 0
        if first:
            self._check_mark(chunk)
        if self._plain and (at := chunk.find(b"\0")) >= 0:
            raise ValueError(f"{self._path} must be text, got a NUL at byte {self._read + at}")
        text = self._decode(chunk)
        self._ended = not chunk
        self._read += len(chunk)
        if self._limit is not None and self._read > self._limit:
            raise ValueError(
                f"{self._path} must not be compressed more than {files.MAX_RATIO} times, "
                f"holds over {self._limit} bytes"
            )
        self.n_quotes += text.count(b'"')
        return text.removeprefix(codecs.BOM_UTF8) if first else text

    def _check_mark(self, chunk: bytes) -> None:
        for mark, name in _MARKS.items():
            if chunk.startswith(mark) and not self._encoding.startswith(name):
                raise ValueError(
                    f"{self._path} must be UTF-8, starts like {name.upper()}: --encoding {name}"
                )

    def _decode(self, chunk: bytes) -> bytes:
        if self._plain and chunk.isascii() and not self._decoder.getstate()[0]:
            return chunk
        pending = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(chunk, final=not chunk)
            plain = text.encode()
        except UnicodeDecodeError as error:
            at = self._read - pending + error.start
            name = "UTF-8" if self._encoding == "utf-8" else self._encoding
            hint = (
                "save it as UTF-8, or name its --encoding" if name == "UTF-8" else "another --encoding?"
            )
            raise ValueError(
                f"{self._path} must be {name}, got the byte {error.object[error.start]:#04x} at byte "
                f"{at}: {hint}"
            ) from None
        except UnicodeError as error:  # no mark where there has to be one, half a character
            raise ValueError(f"{self._path} must be {self._encoding}: {error}") from None
        if (at := text.find("\0")) >= 0:
            raise ValueError(f"{self._path} must be text, got a NUL after byte {self._read}")
        return plain


class CsvText:
    """A CSV file, read as often as wanted.

    Parameters
    ----------
    path : Path
    options : ReadOptions

    Attributes
    ----------
    names : tuple of str
    delimiter : str
    has_nameless_index : bool
        Whether the first name was none, and is `UNNAMED`.

    Raises
    ------
    OSError, ValueError
        If it is no regular file, no text in the encoding, or has no row of names and rows below it.
    """

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options = path, options
        with self._open() as text:
            head = files.read_up_to(text, _HEAD)
        self.delimiter = options.delimiter or _sniff(_complete(head))
        self._body, self.has_nameless_index = 0, False
        self.names = options.names or self._read_names(bytes(head))
        if options.names is None:
            _refuse_numbers(self.names, path)
        check_names(self.names, path)
        if not re.compile(rb"[^\r\n]").search(head, self._body):
            raise ValueError(f"{path} must have rows, got only the names of {len(self.names)} columns")

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        with files.open_regular(self.path) as file:
            packed = files.is_gzip(file)
            limit = max(files.RATIO_FREE, files.MAX_RATIO * files.size(file)) if packed else None
            with files.content(file, self.path) as unpacked:
                yield _Utf8(unpacked, self.path, self.options.encoding, limit)

    def _read_names(self, head: bytes) -> tuple[str, ...]:
        lines = _Lines(iter([head]))
        try:
            names = next(
                (r for r in csv.reader(lines, delimiter=self.delimiter, strict=True) if r), None
            )
        except csv.Error as error:
            raise ValueError(f"{self.path} has a damaged row of column names: {error}") from None
        if names is None:
            raise ValueError(f"{self.path} must have a row of column names, is empty")
        self._body = lines.end
        plain = [name.strip(" \t") for name in names]
        if not plain[0] and all(plain[1:]):
            plain[0], self.has_nameless_index = UNNAMED, True
        return tuple(plain)

    def batches(self) -> Iterator[Any]:
        """Give every row, as record batches of text columns, in the file's order.

        Raises
        ------
        OSError, ValueError
            If the text is damaged; the sentence has the line.
        """
        import pyarrow as pa
        import pyarrow.csv as pa_csv

        with self._open() as text:
            self._skip_names(text)
            try:
                reader = pa_csv.open_csv(
                    pa.PythonFile(text, mode="r"),
                    pa_csv.ReadOptions(column_names=list(self.names), block_size=BLOCK_BYTES),
                    pa_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                    pa_csv.ConvertOptions(
                        column_types=dict.fromkeys(self.names, pa.string()),
                        null_values=[],
                        strings_can_be_null=False,
                        check_utf8=False,  # checked as it was read
                    ),
                )
                with reader:
                    yield from reader
            except GeneratorExit:
                raise
            except Exception as error:  # whatever pyarrow raises, the file is what it disliked
                if text.problem is not None:
                    raise text.problem from None
                raise self.explain(str(error).partition("\n")[0][:200]) from None
            if text.n_quotes % 2 and (problem := self._first_problem()):
                raise ValueError(f"{self.path} {problem}")  # else pyarrow has taken the rest as text

    def _skip_names(self, text: _Utf8) -> None:
        left = self._body
        while left:
            left -= len(text.read(left))

    def explain(self, otherwise: str) -> ValueError:
        """Return the error that names the first line with something wrong in it."""
        problem = self._first_problem() or f"could not be read as CSV: {otherwise}"
        return ValueError(f"{self.path} {problem}")

    def _first_problem(self) -> str | None:
        n = len(self.names)
        try:
            for first, row in self._records():
                if len(row) != n:
                    return f"must have {n} fields in each row, got {len(row)} in line {first}"
        except _Damaged as damage:
            return str(damage)
        return None

    def line_of(self, row: int) -> int | None:
        """Return the number of the line on which a row (counted from 0) begins, or None."""
        n_before = 0
        try:
            for first, _ in self._records():
                if n_before == row:
                    return first
                n_before += 1
        except _Damaged as damage:  # a field too long for the standard library, not for pyarrow
            return damage.line if n_before == row else None
        except ValueError:
            pass
        return None

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Give the first line and the fields of every record below the names."""
        with self._open() as text:
            lines = _Lines(iter(lambda: text.read(_CHUNK), b""))
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            header, line = self.options.names is None, 0
            limit = csv.field_size_limit(2 * BLOCK_BYTES)  # of this process; pyarrow reads as much
            try:
                for row in reader:
                    lines.record = 0
                    first, line = line + 1, reader.line_num
                    if row and not header:
                        yield first, row
                    header = header and not row
            except csv.Error as error:
                raise _Damaged(line + 1, str(error)) from None
            finally:
                csv.field_size_limit(limit)


class _Damaged(ValueError):
    """What is wrong with the record that begins on a line."""

    def __init__(self, line: int, reason: str) -> None:
        reason = "an unclosed quote" if "unexpected end" in reason else reason
        if "field limit" in reason:
            reason = f"a field of over {2 * BLOCK_BYTES:,} characters, or an unclosed quote"
        super().__init__(f"is damaged in line {line}: {reason}")
        self.line = line


class _Lines:
    """The lines of UTF-8 chunks as text, whatever ends them.

    `end` is the bytes up to the last one's end, `record` the characters since somebody made it 0.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self.end, self.record = chunks, 0, 0

    def __iter__(self) -> Iterator[str]:
        decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
        for chunk in itertools.chain(self._chunks, [b""]):
            last = not chunk
            rest += decoder.decode(chunk, final=last)
            start = 0
            for match in _LINE_END.finditer(rest):
                if match.end() == len(rest) and not last and match.group() == "\r":
                    break  # its line feed may follow
                yield self._counted(rest[start : match.end()])
                start = match.end()
            rest = rest[start:]
            self._bound(len(rest))
        if rest:
            yield self._counted(rest)

    def _counted(self, line: str) -> str:
        self.end += len(line.encode())
        self.record += len(line)
        self._bound(self.record)
        return line

    def _bound(self, n: int) -> None:
        """Refuse a line, or a row on many lines, that would fill the memory: few bytes unpack to it."""
        if n > 4 * BLOCK_BYTES:
            raise csv.Error(f"a row of over {4 * BLOCK_BYTES:,} characters, or an unclosed quote")


def _refuse_numbers(names: tuple[str, ...], path: Path) -> None:
    """Refuse a row of names that looks like a row of data: years and positions may be names."""
    found = [name.strip() for name in names if PLAIN_NUMBER.fullmatch(name.strip())]
    whole = [int(name) for name in found if name.isdecimal()]
    if len(whole) == len(found) and (
        whole in (list(range(len(whole))), list(range(1, len(whole) + 1)))
        or all(1800 <= year < 2200 for year in whole)
    ):
        return
    if len(found) > len(names) / 4:
        raise ValueError(
            f"{path} must have a row of column names, got numbers in its first row such as "
            f"{found[0]!r}: give the names"
        )


def _complete(head: bytes | bytearray) -> str:
    """Return the whole lines of a file's first bytes."""
    text = bytes(head).decode(errors="replace")
    if len(head) >= _HEAD and (end := max(text.rfind("\n"), text.rfind("\r"))) >= 0:
        return text[: end + 1]
    return text


def _sniff(text: str) -> str:
    """Return the delimiter that gives the first rows as many fields each, and more than one."""
    first = re.search(r"[^\r\n]+", text)
    for mark in _DELIMITERS:
        try:
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
            counts = [len(row) for row in itertools.islice((r for r in rows if r), _SNIFFED_ROWS)]
        except csv.Error:
            continue
        if len(set(counts)) == 1 and counts[0] > 1:
            return mark
    return next((mark for mark in ",;\t|" if first and mark in first.group()), ",")
