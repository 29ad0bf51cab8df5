"""A column as it is stored becomes one of a table's few types, or names the first cell that cannot."""

from __future__ import annotations

from typing import Any, NamedTuple

from clearprop.data.table import arrow_source, dates, spans, values
from clearprop.data.table.dressed import arrow_type, dress_of
from clearprop.data.table.values import BOOLEAN, NUMBER, TEXT, TIME, BadCell

_READ_AS = b"clearprop.read_as"  # of a column that was text, or a time: which form it had


def field_of(name: str, held: str) -> Any:
    """Return the Arrow field of a column that holds a type, with its form noted beside it."""
    import pyarrow as pa

    arrow = {NUMBER: pa.float64(), BOOLEAN: pa.bool_(), TEXT: pa.string(), TIME: pa.timestamp("us")}
    kind, _, form = held.partition(" ")
    metadata = {_READ_AS: f"{kind} {form}"} if form else None
    return pa.field(name, arrow_type(form) or arrow[kind], metadata=metadata)


def noted_type(field: Any) -> str | None:
    """Return the type that `field_of` has noted; None of any other field."""
    found = (field.metadata or {}).get(_READ_AS)
    return None if found is None else str(found.decode())


class Conversion(NamedTuple):
    """How the columns of one table are read.

    Parameters
    ----------
    missing : pyarrow.Array
        The words that stand for a missing value.
    decimal : {".", ","}
        Of text that is all plain numbers.
    is_given : bool
        Whether the types were told, and not by a pass over these values.
    """

    missing: Any
    decimal: str
    is_given: bool

    def convert(self, column: Any, held: str, stored: Any, wanted: Any) -> Any:
        """Return a column of values.

        Parameters
        ----------
        column : pyarrow.Array
        held : str
            The column's type: number, boolean, text, or time and its format.
        stored, wanted : pyarrow.Field
            What it is, and what is to come of it: `field_of` its type.

        Raises
        ------
        BadCell
            If a value is not what the column holds.
        """
        import pyarrow as pa

        kind, _, form = held.partition(" ")
        if dress_of(form) and noted_type(stored) == held:
            return column
        if kind == TEXT and arrow_source.loses_digits(column):
            return column.cast(pa.string())
        if stored.metadata != wanted.metadata and not dress_of(form):
            _refuse_other_times(column, kind, form)
        column = arrow_source.plain(column)
        if kind == TIME and form and pa.types.is_floating(column.type):
            column = _as_text(column)  # of days such as 20241231
        is_text = pa.types.is_string(column.type)
        if kind == NUMBER and form and is_text:
            dress = dress_of(form)
            if dress is not None:
                return dress.read(column, self.missing)
            return values.as_seconds(column, self.missing, form)
        if kind == NUMBER and (dress := dress_of(form)):
            return dress.read_numbers(_plain(column, kind))
        if kind == NUMBER and is_text:
            return values.as_numbers(column, self.missing, self.decimal)
        if kind == BOOLEAN and is_text:
            return values.as_booleans(column, self.missing)
        if kind == TIME and is_text:
            return values.as_times(column, self.missing, form)
        if kind == TEXT:
            text = values.trimmed(_as_text(column), self.missing)
            if self.is_given:  # else `decide` has seen to it
                values.refuse_split(text)
            return text
        return _plain(column, kind)


def _plain(column: Any, kind: str) -> Any:
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        values.refuse_infinite(column)
    return _as_kind(column, kind)


def _as_text(column: Any) -> Any:
    """Return any column as the text of its categories."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(column.type):
        return column
    if pa.types.is_floating(column.type):
        encoded = column.dictionary_encode()
        words = pa.array(
            [values.text_of(value) for value in encoded.dictionary.to_pylist()], pa.string()
        )
        return words.take(encoded.indices)
    return pc.cast(column, pa.string())


def _refuse_other_times(column: Any, kind: str, form: str) -> None:
    """Refuse a time that is stored as one of another kind: as numbers, one would pass for the other."""
    import pyarrow as pa

    stored = arrow_source.kind_of(column.type)
    if not form or stored in (TEXT, None) or column.null_count == len(column):
        return
    held = arrow_source.form_of(column.type)
    is_clock = kind == TIME and dates.is_time_of_day(form)
    fits = held == spans.SPAN if kind == NUMBER else (held == dates.TIME_OF_DAY) == is_clock
    if fits or (kind == TIME and stored != TIME):  # which is refused below
        return
    row = pa.compute.index(column.is_valid(), pa.scalar(True)).as_py()
    what = "time spans" if kind == NUMBER else "times of day" if is_clock else "dates"
    raise BadCell(row, values.text_of(column[row].as_py()), f"must hold {what}")


def _as_kind(column: Any, kind: str) -> Any:
    import pyarrow as pa

    if kind == NUMBER and pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    fits = {NUMBER: pa.types.is_floating, BOOLEAN: pa.types.is_boolean, TIME: pa.types.is_timestamp}
    if not fits[kind](column.type):
        if kind == BOOLEAN and pa.types.is_floating(column.type):
            for row, value in enumerate(column.to_pylist()):
                if value not in (None, 0.0, 1.0):
                    raise BadCell(row, values.text_of(value), "must hold true or false")
            return column.cast(pa.uint8()).cast(pa.bool_())
        rule = {NUMBER: "numbers", BOOLEAN: "true or false", TIME: "dates"}[kind]
        for row, value in enumerate(column.to_pylist()):
            if value is not None:
                raise BadCell(row, values.text_of(value), f"must hold {rule}")
        return pa.nulls(len(column))
    return column
