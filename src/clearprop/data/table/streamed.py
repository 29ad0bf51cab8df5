"""stream: a table that is larger than memory as rows to train on.

One pass tells the types, one learns the encoder, one encodes every row to disk (`Spool`), from where a
training reads blocks in any order. What is held out to validate on stays in memory; it is bounded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray

from clearprop import randomness
from clearprop.data.files import Source, state
from clearprop.data.row_stream import RowStream
from clearprop.data.spool import Spool
from clearprop.data.table import held
from clearprop.data.table.encoder import TableEncoder
from clearprop.data.table.giveaways import Giveaways
from clearprop.data.table.kinds import ColumnDecision, Roles, decide, undecided
from clearprop.data.table.quantiles import Quantiles
from clearprop.data.table.read_options import Missing, ReadOptions, with_missing
from clearprop.data.table.row_encoding import HeldPart, RowReader
from clearprop.data.table.source import TableSource, open_table
from clearprop.data.table.stretches import Stretch
from clearprop.data.table.target import TargetEncoder, say_read_as
from clearprop.data.tables import are_files, files_of, sources
from clearprop.typing import Table
from clearprop.user_warning import warn

Array = NDArray[Any]

HELD_ROWS = 100_000
"""Rows to validate on, at most; more would measure no better."""

HELD_BYTES = 2**26  # what they may take
_THINNED = 1  # of the draws that choose among held-out rows


class TableStream(RowStream):
    """A table as rows that pass through a buffer: what `stream` returns.

    Attributes
    ----------
    source : TableSource
    decisions : tuple of ColumnDecision
        What becomes of each column.
    encoder : TableEncoder
        From rows of the table to `n_features` numbers.
    target : TargetEncoder
        From the target's column to class numbers or quantities.
    spool : Spool
        The encoded rows to train on.
    held : HeldPart or None
        The rows to validate on.
    notes : tuple of str
        Sentences on which rows are held out, and what is on disk.
    """

    def __init__(
        self,
        source: TableSource,
        encoder: TableEncoder,
        target: TargetEncoder,
        spool: Spool,
        held: HeldPart | None,
        notes: tuple[str, ...],
        buffer_rows: int | None,
    ) -> None:
        super().__init__(spool, buffer_rows)
        self.source, self.encoder, self.target = source, encoder, target
        self.spool, self.held, self.notes = spool, held, notes

    @property
    def decisions(self) -> tuple[ColumnDecision, ...]:
        """What becomes of each column."""
        return self.encoder.decisions

    @property
    def n_outputs(self) -> int:
        """Outputs that a network needs: one for each of three or more classes, else one or two."""
        return len(self.target.classes) if self.target.classes else 1

    @property
    def validation(self) -> tuple[Array, Array] | None:
        """The rows to validate on as `Network.fit` takes them."""
        if self.held is None:
            return None
        return self.held.X, self.target.labels(self.held.Y)


def stream(
    what: Source | Sequence[Source] | Table,
    *,
    target: str,
    task: str | None = None,
    weight: str | None = None,
    group: str | None = None,
    time: str | None = None,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    target_gaps: str = "drop",
    options: ReadOptions | None = None,
    missing: Missing = None,
    buffer_rows: int | None = None,
    validation: float = 0.1,
    seed: int | None = None,
    dtype: str = "float32",
    folder: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> TableStream:
    """Return a table that need not fit in memory as a stream of encoded rows.

    The table is read three times, in batches: for its types, for its encoder, and to encode it to disk.
    The rows on disk have no name and are gone with the process.

    Parameters
    ----------
    what : path, sequence of paths, or table
        CSV, Parquet, a folder of Parquet files, a URL of one (``s3://bucket/folder``), or an object
        that speaks Arrow; as in `open_table`.
    target : str
        The column to learn.
    task : {"classification", "binary", "multiclass", "regression"}, optional
        None tells by the target's values.
    weight, group, time : str, optional
        Columns that say how much a row counts, which rows are held out together, and in which order
        they came: the latest are held out then.
    columns, drop, categorical, kinds, options
        As in `decide` and `open_table`.
    target_gaps : {"drop", "refuse"}
        Whether rows without a target are left out, and counted in a warning, or refused.
    missing : str, number, or a sequence of them, optional
        What stands for a missing value too, in every column: -999 and "-999.0" are one.
    buffer_rows : int, optional
        As in `RowStream`. Medians are exact where it holds every row, and right to a thousandth of the
        rows otherwise.
    validation : float
        Share of the rows (or groups, or the latest rows) to hold out, in [0, 1); at most `HELD_ROWS`.
    seed : int, optional
        Of which rows are held out.
    dtype : {"float32", "float64"}
    folder : path, optional
        Where the encoded rows are written; None is TMPDIR or /var/tmp.
    say : callable, optional
        Is told what is being done, a sentence before every pass.

    Raises
    ------
    OSError
        If a file cannot be read, was changed meanwhile, or the disk is too small.
    ValueError, TypeError
        Naming the column, the row and the value.

    Examples
    --------
    >>> import clearprop as cp
    >>> import pyarrow as pa
    >>> n = np.arange(500)
    >>> late = n % 7 + n % 5 > 5
    >>> table = pa.table({"x": n % 7, "colour": np.where(n % 3, "red", "blue"), "y": late})
    >>> rows = stream(table, target="y", buffer_rows=128, seed=0)
    >>> rows.encoder.feature_names
    ('x', 'colour = red')
    >>> net = cp.Network([rows.n_features, 8, rows.n_outputs], activation="tanh", seed=0)
    >>> history = net.fit(rows, epochs=3, validation_data=rows.validation, progress=False)
    >>> net.classes
    (False, True)
    """
    unchanged = watch(what)
    source = open_table(what, with_missing(options, missing))
    if say is not None:
        say(f"reading {source.where} for the kinds of its columns")
    roles = Roles(target, weight, group, time)
    decisions = decide(source, roles, columns=columns, drop=drop, categorical=categorical, kinds=kinds)
    column = TargetEncoder.learn(source, target, task, target_gaps)
    for sentence in undecided(source, decisions):
        warn(sentence)
    return encoded(
        Decided(source.with_target(target, target_gaps), decisions, column, roles, unchanged),
        buffer_rows=buffer_rows, validation=validation, seed=seed, dtype=dtype, folder=folder, say=say,
    )  # fmt: skip


class Decided(NamedTuple):
    """A table of which is known what becomes of each column.

    Parameters
    ----------
    source : TableSource
        Its rows that have a target.
    decisions : sequence of ColumnDecision
    target : TargetEncoder
    roles : Roles
    unchanged : callable
        Of `watch`, called before the table was first read.
    """

    source: TableSource
    decisions: Sequence[ColumnDecision]
    target: TargetEncoder
    roles: Roles
    unchanged: Callable[[], None]


def encoded(
    table: Decided,
    *,
    buffer_rows: int | None = None,
    validation: float | TableSource = 0.1,
    seed: int | None = None,
    dtype: str = "float32",
    folder: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
    least_groups: int = 1,
    spool_of: Callable[..., Spool] = Spool,
) -> TableStream:
    """Return what `stream` does, of a table whose columns are decided.

    Parameters
    ----------
    table : Decided
    validation : float or TableSource
        A share of the rows, or another table: at most `HELD_ROWS` of it are kept.
    buffer_rows, seed, dtype, folder, say
        As in `stream`.
    least_groups : int
        Groups that are held out at least, where whole groups are.
    spool_of : callable
        Makes what the encoded rows are kept in.
    """
    source, decisions, target, roles, unchanged = table
    other = validation if isinstance(validation, TableSource) else None
    fraction = 0.0 if isinstance(validation, TableSource) else _share(validation, roles)
    say = say or (lambda sentence: None)
    n_rows = source.n_rows
    assert n_rows is not None  # after `decide`
    kept = None if buffer_rows is not None and n_rows <= buffer_rows else 0
    quantiles = partial(Quantiles, kept)
    key = randomness.check_seed(seed)
    held_rows, share = _rule(source, roles, fraction, key, quantiles, least_groups)
    say(f"reading {n_rows:,} rows for medians and categories")
    reader = RowReader(source, decisions, roles, held_rows)
    encoder = TableEncoder.learn(reader.training(), decisions, quantiles, source.shared)
    with source.shared.together():
        spool = spool_of(
            encoder.n_features,
            dtype,
            target_dtype="float64" if target.classes is None else "int32",
            weighted=roles.weight is not None,
            classes=target.classes,
            folder=folder,
        )
        spool.check_space(n_rows)
    size = f"{n_rows * spool.row_bytes / 1e9:.2g} GB in {spool.folder}"
    say(f"writing encoded rows to disk ({size}, until the training ends)")
    giveaways = Giveaways(decisions, len(target.classes or ()))
    thinner = _Thinner(key, share * n_rows, spool.row_bytes)
    wanted = Stretch(*spool.expect(reader.marks.n))
    part = reader.encode(encoder, target, spool, thinner, wanted, giveaways if target.classes else None)
    giveaways.ask()
    spool.finish()
    if other is not None:
        part = _of_other(other, table, encoder, spool, key, say)
    unchanged()
    asked = fraction > 0 or other is not None
    if spool.n_rows == 0 or (asked and len(part.X) == 0):
        raise ValueError(
            f"validation must leave a row to train on and one to validate on, got {validation} of "
            f"{n_rows} rows"
        )
    notes = [_said_of(part, other, roles, 1.0 - spool.n_rows / n_rows, fraction)] if asked else []
    notes.append(f"{spool.n_rows:,} rows are trained on, from disk")
    return TableStream(
        source, encoder, target, spool, part if asked else None, tuple(notes), buffer_rows
    )


def _of_other(
    other: TableSource,
    table: Decided,
    encoder: TableEncoder,
    spool: Spool,
    key: int,
    say: Callable[[str], None],
) -> HeldPart:
    """Return rows of another table than the one that is trained on, encoded as its are."""
    whole = RowReader(other, table.decisions, table.roles, held.all_held)
    thinner = _Thinner(key, float(other.n_rows or 0), spool.row_bytes)
    part = whole.encode(encoder, table.target, spool, thinner, whole.wanted())
    if whole.read_as:
        say(say_read_as(whole.read_as, other.where))
    return part


def _said_of(
    part: HeldPart, other: TableSource | None, roles: Roles, share: float, asked: float
) -> str:
    """Return which rows are validated on; `share` of them all came of the share that was asked for."""
    if other is not None:
        return f"validated on {len(part.X):,} rows of {other.where}"
    how = f"the latest by {roles.time!r}" if roles.time else "drawn"
    if roles.group:
        how = held.told_groups(roles.group, share, asked)
    return f"{len(part.X):,} rows are held out for validation ({how})"


def _share(validation: object, roles: Roles) -> float:
    if not isinstance(validation, int | float) or isinstance(validation, bool):
        raise TypeError(f"validation must be a number in [0, 1), got {validation!r}")
    if not 0.0 <= validation < 1.0:
        raise ValueError(f"validation must be in [0, 1), got {validation}")
    if roles.group is not None and roles.time is not None:
        raise ValueError(
            "group and time both say which rows are held out; give one, got "
            f"{roles.group!r} and {roles.time!r}"
        )
    return float(validation)


def _rule(
    source: TableSource,
    roles: Roles,
    share: float,
    seed: int,
    quantiles: Callable[[], Quantiles],
    least_groups: int,
) -> tuple[held.HeldRows, float]:
    """Return which rows are held out, and which share of them all that is about."""
    if not share:
        return held.none_held, 0.0
    if roles.time is not None:
        return held.latest_rows(source, roles.time, share, quantiles), share
    if roles.group is not None:
        return held.whole_groups(source, roles.group, share, seed, least_groups), share
    share = min(share, HELD_ROWS / (source.n_rows or 1))
    return held.random_rows(seed, share, source.n_rows or 0), share


class _Thinner:
    """Keeps as many of the rows that are held out as memory is to hold."""

    def __init__(self, seed: int, expected: float, row_bytes: int) -> None:
        most = max(1, min(HELD_ROWS, HELD_BYTES // row_bytes))
        self._seed, self._share = seed, min(1.0, most / expected) if expected else 1.0

    def __call__(self, mask: held.Mask, first: int) -> held.Mask:
        if self._share == 1.0:
            return mask
        draws = randomness.uniform(
            self._seed, len(mask), purpose=randomness.HOLDOUT, step=_THINNED, first=first
        )
        return mask & (draws < self._share)


def watch(what: object) -> Callable[[], None]:
    """Return what refuses files that are not as they are now."""
    if not are_files(what):
        return lambda: None
    before = _state(what)

    def unchanged() -> None:
        for name, *_ in sorted(set(before) ^ set(_state(what))):
            raise OSError(f"{name} was changed while it was read")

    return unchanged


def _state(what: Any) -> list[tuple[str, int, int, int]]:
    """Return name, size, time and number of each file."""
    found = []
    for each in [each for path in sources(what) for each in files_of(path)]:
        found.append((str(each), *state(each)))
    return found
