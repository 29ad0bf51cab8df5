"""The bytes of a CSV file while they flow: checked, as UTF-8, and as lines."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from typing import IO

from clearprop.data import files
from clearprop.data.files import Place

BLOCK_BYTES = 1 << 22  # read together; no row may be longer than two
CHUNK = 1 << 20
TAIL = 1 << 16  # bytes in which what stands below a table must be
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Utf8Text(io.RawIOBase):
    """A file's text as UTF-8, checked while it is read; every problem names its byte.

    Parameters
    ----------
    source : binary file
    path : Path or Remote
    encoding : str
    limit : int
        Bytes after which a compressed file is refused.
    comment : str, optional
        What a line begins with that is left blank.
    """

    def __init__(
        self,
        source: IO[bytes],
        path: Place,
        encoding: str,
        limit: int | None,
        comment: str | None = None,
    ) -> None:
        self._source, self._path, self._limit = source, path, limit
        self._encoding = codecs.lookup(encoding).name
        self._plain = self._encoding in ("utf-8", "ascii")
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._read, self._rest, self._ended = 0, b"", False
        self.n_quotes = self.n_comments = 0
        self._comment = None if comment is None else comment.encode()
        self._held = b""  # what is not given before more, or the end, was seen
        self.cut: Callable[[bytes], bytes] | None = None
        self.problem: BaseException | None = None

    def readable(self) -> bool:
        """Return that it can be read: pyarrow asks."""
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
        chunk = self._source.read(CHUNK)
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
        return self._given(text.removeprefix(codecs.BOM_UTF8) if first else text)

    def _given(self, text: bytes) -> bytes:
        """Return what may be given of the text, now that this was read."""
        text, self._held = self._held + text, b""
        if not self._ended:
            n_held = TAIL if self.cut is not None else 0
            end = max(len(text) - n_held, 0)
            if self._comment is not None:
                end = max(text.rfind(b"\n", 0, end), text.rfind(b"\r", 0, end)) + 1
                end = end or max(len(text) - 2 * BLOCK_BYTES, 0)  # no row is longer
            text, self._held = text[:end], text[end:]
        if self._comment is not None:
            text = self._without_comments(text, self._comment)
        if self._ended and self.cut is not None:
            text = self.cut(text)
        self.n_quotes += text.count(b'"')
        return text

    def _without_comments(self, text: bytes, comment: bytes) -> bytes:
        """Return whole lines, those that begin with the comment's mark blank; in quotes it is none."""
        if comment not in text:
            return text
        kept, start, n_quotes = [], 0, self.n_quotes
        for found in re.finditer(rb"(?<![^\r\n])" + re.escape(comment) + rb"[^\r\n]*", text):
            part = text[start : found.start()]
            n_quotes += part.count(b'"')
            kept.append(part)
            if n_quotes % 2:
                n_quotes += found.group().count(b'"')
                kept.append(found.group())
            else:
                self.n_comments += 1
            start = found.end()
        return b"".join([*kept, text[start:]])

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


class Lines:
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
