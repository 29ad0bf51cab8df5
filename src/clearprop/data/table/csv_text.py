"""CSV as text: what a file holds, in batches of text columns.

pyarrow reads the table. What it cannot say (on which line it stopped, what a stray quote has done) is
found by `CsvText.explain` and `CsvText.line_of`, which read the text again with the standard library,
slowly, and only once something is wrong.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator
from typing import IO, Any, cast

import numpy as np

from clearprop.data import files
from clearprop.data.dataset import some
from clearprop.data.files import Place
from clearprop.data.table.csv_bytes import BLOCK_BYTES, CHUNK, Lines, Utf8Text
from clearprop.data.table.csv_footer import Footer
from clearprop.data.table.csv_layout import COMMENT, HEAD, Layout, read_layout
from clearprop.data.table.read_options import ReadOptions
from clearprop.names import BLANKS, trim
from clearprop.user_warning import warn


class CsvText:
    """A CSV file, read as often as wanted.

    What is above and below its table, rows of nothing, and columns with neither a name nor a value are
    left out, which is said once.

    Parameters
    ----------
    path : Path or Remote
    options : ReadOptions

    Attributes
    ----------
    names : tuple of str
    delimiter : str
    has_nameless_index : bool
        Whether the first name was none, and is `unnamed`.

    Raises
    ------
    OSError, ValueError
        If it is no regular file, no text in the encoding, or has no row of names and rows below it.
    """

    def __init__(self, path: Place, options: ReadOptions) -> None:
        self.path, self.options = path, options
        with self._open(None) as text:
            head = bytes(files.read_up_to(cast(IO[bytes], text), HEAD))
        self._layout = layout = read_layout(head, path, options)
        self.delimiter, self.names = layout.delimiter, layout.names
        self.has_nameless_index = layout.has_nameless_index
        if not re.compile(rb"[^\r\n]").search(head, layout.body):
            raise ValueError(f"{path} must have rows, got only the names of {len(self.names)} columns")
        self._said = False
        if layout.above:
            self._say(layout.above)

    def _say(self, what: str) -> None:
        warn(f"{self.path}: left out {what}")

    @contextlib.contextmanager
    def _open(self, layout: Layout | None) -> Iterator[Utf8Text]:
        """Give the text; where the table is known, without what is below it."""
        with files.open_regular(self.path) as file:
            packed = files.is_gzip(file)
            limit = max(files.RATIO_FREE, files.MAX_RATIO * files.size(file)) if packed else None
            with files.content(file, self.path) as unpacked:
                text = Utf8Text(unpacked, self.path, self.options.encoding, limit, self.options.comment)
                text.cut = None if layout is None else Footer(layout)
                yield text

    def batches(self) -> Iterator[Any]:
        """Give every row, as record batches of text columns, in the file's order.

        Raises
        ------
        OSError, ValueError
            If the text is damaged; the sentence has the line.
        """
        import pyarrow as pa
        import pyarrow.csv as pa_csv

        fields = [name or f"\0{at}" for at, name in enumerate(self._layout.fields)]
        rows = _Rows(self._layout, fields)
        with self._open(self._layout) as text:
            self._skip_names(text)
            try:
                reader = pa_csv.open_csv(
                    pa.PythonFile(text, mode="r"),
                    pa_csv.ReadOptions(column_names=fields, block_size=BLOCK_BYTES),
                    pa_csv.ParseOptions(
                        delimiter=self.delimiter,
                        newlines_in_values=True,
                        invalid_row_handler=rows.of_other_length,
                    ),
                    pa_csv.ConvertOptions(
                        column_types=dict.fromkeys(fields, pa.string()),
                        null_values=[],
                        strings_can_be_null=False,
                        check_utf8=False,  # checked as it was read
                    ),
                )
                with reader:
                    for batch in reader:
                        yield from rows.of_table(batch)
            except GeneratorExit:
                raise
            except _Nameless:
                raise self.explain("a column without a name holds values") from None
            except Exception as error:  # whatever pyarrow raises, the file is what it disliked
                if text.problem is not None:
                    raise text.problem from None
                if "Empty CSV file" in str(error):  # but for what is below the table
                    raise ValueError(f"{self.path} must have rows, got none") from None
                raise self.explain(str(error).partition("\n")[0][:200]) from None
            if text.n_quotes % 2 and (problem := self._first_problem()):
                raise ValueError(f"{self.path} {problem}")  # else pyarrow has taken the rest as text
            self._say_once(rows, text)

    def _say_once(self, rows: _Rows, text: Utf8Text) -> None:
        """Say what was left out among the rows and below them."""
        if self._said:
            return
        self._said = True
        mark = self.options.comment or COMMENT
        n_nameless = len(self._layout.fields) - len(self.names)
        counts = [
            (n_nameless, "column", "without a name or a value"),
            (rows.n_empty, "row", "without any value"),
            (rows.n_comments + text.n_comments, "line", f"beginning with {mark!r}"),
        ]
        told = [f"{n:,} {what}{'s' * (n > 1)} {which}" for n, what, which in counts if n]
        if isinstance(text.cut, Footer) and text.cut.told:
            told.append(text.cut.told)
        if told:
            self._say(", ".join(told))

    def _skip_names(self, text: Utf8Text) -> None:
        left = self._layout.body
        while left:
            left -= len(text.read(left))

    def explain(self, otherwise: str) -> ValueError:
        """Return the error that names the first line with something wrong in it."""
        problem = self._first_problem() or f"could not be read as CSV: {otherwise}"
        return ValueError(f"{self.path} {problem}")

    def _first_problem(self) -> str | None:
        fields, n_named = self._layout.fields, self._layout.n_named
        n, nameless = len(fields), [at for at, name in enumerate(fields) if not name]
        try:
            for first, row in self._records():
                filled = [at for at in nameless if at < len(row) and trim(row[at])]
                if len(row) != n or any(at >= n_named for at in filled):
                    n = min(n, n_named) if len(row) >= n else n
                    below = first == self._layout.lines + 1 and len(row) < n  # where names may go on
                    remedy = (
                        f": give the names, and skip_lines={first}, if it is no row" if below else ""
                    )
                    return f"must have {n} fields in each row, got {len(row)} in line {first}{remedy}"
                if filled:
                    return (
                        f"must name every column, column {filled[0] + 1} has no name and holds "
                        f"{some([row[filled[0]]])} in line {first}: give the names, and "
                        f"skip_lines={self._layout.lines}"
                    )
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
        with self._open(self._layout) as text:
            self._skip_names(text)
            lines = Lines(iter(lambda: text.read(CHUNK), b""))
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            above, n = self._layout.lines, len(self._layout.fields)
            line = above
            limit = csv.field_size_limit(2 * BLOCK_BYTES)  # of this process; pyarrow reads as much
            try:
                for row in reader:
                    lines.record = 0
                    first, line = line + 1, above + reader.line_num
                    if row and not self._layout.is_no_row(row, len(row) != n):
                        yield first, row
            except csv.Error as error:
                raise _Damaged(line + 1, str(error)) from None
            finally:
                csv.field_size_limit(limit)


class _Nameless(Exception):
    """A column without a name holds a value."""


class _Rows:
    """What becomes of the rows that pyarrow reads.

    Parameters
    ----------
    layout : Layout
    fields : list of str
        What each column is called there.

    Attributes
    ----------
    n_empty, n_comments : int
        Rows of nothing so far, and lines that are no rows.
    """

    def __init__(self, layout: Layout, fields: list[str]) -> None:
        self._names, self._layout = list(layout.names), layout
        self._nameless = [name for name in fields if name.startswith("\0")]
        self._n_fields = len(fields)
        self.n_empty = self.n_comments = 0

    def of_other_length(self, row: Any) -> str:
        """Tell pyarrow what to do with a row of more or fewer fields."""
        if not self._layout.is_no_row(row.text.split(self._layout.delimiter)):
            return "error"
        self.n_comments += row.text.startswith(COMMENT)
        return "skip"

    def of_table(self, batch: Any) -> Iterator[Any]:
        """Give the rows of a batch, but for those of nothing."""
        import pyarrow.compute as pc

        for name in self._nameless:
            if pc.any(pc.not_equal(pc.utf8_trim(batch.column(name), BLANKS), "")).as_py():
                raise _Nameless
        batch = batch.select(self._names)
        if self._n_fields > 1:
            batch = self._without_empty(batch)
        if batch.num_rows:
            yield batch

    def _without_empty(self, batch: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        left = pa.array(np.arange(batch.num_rows))
        for column in batch.columns:
            if not len(left):
                return batch
            left = left.filter(pc.equal(pc.utf8_trim(column.take(left), BLANKS), ""))
        self.n_empty += len(left)
        filled = np.ones(batch.num_rows, bool)
        filled[left.to_numpy()] = False
        return batch.filter(pa.array(filled))


class _Damaged(ValueError):
    """What is wrong with the record that begins on a line."""

    def __init__(self, line: int, reason: str) -> None:
        reason = "an unclosed quote" if "unexpected end" in reason else reason
        if "field limit" in reason:
            reason = f"a field of over {2 * BLOCK_BYTES:,} characters, or an unclosed quote"
        super().__init__(f"is damaged in line {line}: {reason}")
        self.line = line
