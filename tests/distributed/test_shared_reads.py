"""Each process reads the rows of its shards, and all have what one process has."""

import contextlib
import os
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from clearprop.data.spool import Spool
from clearprop.data.table import parquet_files, streamed, stretches
from clearprop.data.table.giveaways import Giveaways
from clearprop.data.table.kinds import Roles, decide
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.source import TableSource, open_table
from clearprop.data.table.target import TargetEncoder
from clearprop.distributed.columns import SharedPass
from clearprop.distributed.spool import SharedSpool
from clearprop.distributed.team import OtherRankError
from thread_team import together

N, SHARDS = 230, 8
FILES = [(0, 90, 40), (90, 191, 101), (191, 230, 7)]  # first row, end, rows of a row group


def table(weights=None):
    rng = np.random.default_rng(5)
    y = [None if i % 11 == 3 or 100 <= i < 123 else bool(v) for i, v in enumerate(rng.random(N) > 0.5)]
    columns = {
        "number": np.arange(N, dtype=float) + rng.integers(0, 2, N) / 4,
        "colour": np.array(["red", "green", "blue"])[rng.integers(0, 3, N)],
        "w": rng.random(N) if weights is None else weights,
        "g": rng.integers(0, 17, N).astype(str),
        "t": np.append(N, rng.permutation(N - 1)).astype(float),  # the first row is held out
    }
    return pa.table(columns | {"y": pa.array(y)})


@pytest.fixture
def parts(tmp_path):
    """Return a folder of files with row groups of unequal sizes."""
    (tmp_path / "parts").mkdir()
    for number, (first, end, rows) in enumerate(FILES):
        path = tmp_path / "parts" / f"{number}.parquet"
        pq.write_table(table().slice(first, end - first), path, row_group_size=rows)
    return tmp_path / "parts"


def stream(what, roles, team=None, other=None, **how):
    source, spool = what if isinstance(what, TableSource) else open_table(what), Spool
    if team is not None:
        source.shared = SharedPass(team)
        spool = lambda *a, **k: SharedSpool(team, SHARDS, *a, **k)  # noqa: E731
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decisions = decide(source, roles)
        target = TargetEncoder.learn(source, "y")
        if other is not None:
            how["validation"] = open_table(other, source.read_options, source.types).with_target("y")
            how["validation"].shared = source.shared
        decided = streamed.Decided(source.with_target("y"), decisions, target, roles, lambda: None)
        return streamed.encoded(decided, seed=3, spool_of=how.pop("spool_of", spool), **how)


def everything(rows):
    spool, held = rows.spool, rows.held
    found = [spool.X(0, spool.n_rows).tolist(), spool.Y(0, spool.n_rows).tolist(), spool.fingerprint()]
    weight = spool.weight(0, spool.n_rows)
    found += [None if weight is None else weight.tolist(), rows.notes, rows.encoder.to_json()]
    if held is not None:
        both = held.divide(0.5, 1)  # by groups or times, where there are any
        each = [getattr(part, name) for part in both for name in ("X", "Y", "weight", "times")]
        found += [None if its is None else its.tolist() for its in each]
    return found


CASES = {
    "rows": (Roles("y"), {"validation": 0.2}),
    "weights": (Roles("y", weight="w"), {"validation": 0.2}),
    "groups": (Roles("y", group="g", weight="w"), {"validation": 0.3}),
    "times": (Roles("y", time="t"), {"validation": 0.3}),
    "none": (Roles("y"), {"validation": 0.0}),
}


@pytest.mark.parametrize("marks", [None, 16])
@pytest.mark.parametrize("case", CASES)
def test_any_number_of_processes_has_the_rows_of_one(parts, case, marks, monkeypatch):
    if marks is not None:  # of a table with more rows than marks
        monkeypatch.setattr(stretches, "_MOST_MARKS", marks)
    roles, how = CASES[case]
    alone = stream(parts, roles, **how)
    n_held = 0 if alone.held is None else len(alone.held.X)
    assert alone.spool.n_rows + n_held == N - table().column("y").null_count
    want = everything(alone)
    for size in (1, 2, 3, 5):
        each = together(size, lambda team: everything(stream(parts, roles, team, **how)))
        assert each == [want] * size


def of_csv(folder):
    path = folder / "t.csv"
    pyarrow.csv.write_csv(table(), path)
    return path


@pytest.mark.parametrize("make", [lambda folder: table(), of_csv])
def test_tables_that_nothing_can_be_skipped_in_are_divided_as_well(tmp_path, make):
    what, roles = make(tmp_path), Roles("y", weight="w")
    want = everything(stream(what, roles, validation=0.2))
    each = together(3, lambda team: everything(stream(what, roles, team, validation=0.2)))
    assert each == [want] * 3


def test_another_table_is_validated_on_by_parts(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "HELD_ROWS", 40)  # of the 61 that have a target
    path, roles = tmp_path / "other.parquet", Roles("y", group="g", weight="w")
    pq.write_table(table().slice(95, 90).append_column("more", pa.array([1] * 90)), path, 13)
    want = everything(stream(parts, roles, other=path))
    for size in (2, 3):
        each = together(size, lambda team: everything(stream(parts, roles, team, path)))
        assert each == [want] * size
    few = table().slice(0, 2)  # fewer rows than processes
    want = everything(stream(parts, roles, other=few))
    assert together(3, lambda team: everything(stream(parts, roles, team, few))) == [want] * 3


class Recorded:
    """A Parquet file that keeps which row groups are read of it."""

    def __init__(self, file, name, into):
        self._file, self._name, self._into = file, name, into

    def __getattr__(self, name):
        return getattr(self._file, name)

    def iter_batches(self, rows, groups, columns, **how):
        self._into.read += tuple((self._name, group) for group in groups)
        return self._file.iter_batches(rows, groups, columns, **how)


class Recording(parquet_files.ParquetFiles):
    read = ()

    @contextlib.contextmanager
    def _file(self, path):
        with super()._file(path) as file:
            yield Recorded(file, int(path.stem), self)


def groups_of(first, end):
    """Return the row groups that rows are in, as (file, row group)."""
    found = []
    for number, (begin, stop, rows) in enumerate(FILES):
        for group, row in enumerate(range(begin, stop, rows)):
            if row < end and min(row + rows, stop) > first:
                found.append((number, group))
    return found


def test_a_column_that_gives_the_target_away_is_found_in_all_rows(monkeypatch):
    told, whole = [], table()
    words = [None if each is None else f"v{each}" for each in whole.column("y").to_pylist()]
    what = whole.append_column("tells", pa.array(words))
    monkeypatch.setattr(Giveaways, "ask", lambda self: told.append(self.found()))
    stream(what, Roles("y"))
    together(3, lambda team: stream(what, Roles("y"), team))
    assert told == [{"tells": 1.0}] * 4


@pytest.mark.parametrize("case", CASES)
def test_a_process_reads_the_row_groups_of_its_rows_alone(parts, case):
    roles, how = CASES[case]

    def work(team):
        raw = Recording(sorted(parts.iterdir()), parts)

        def spool(*arguments, **how):
            raw.read = ()  # what follows are the rows
            return SharedSpool(team, SHARDS, *arguments, **how)

        source = TableSource("parts", raw, ReadOptions(), None)
        rows = stream(source, roles, team, spool_of=spool, **how)
        first, last = rows.spool._mine
        rows.spool.collective = False
        return int(rows.spool.X(first, last)[0, 0]), raw.read

    for size in (1, 2, 3):
        each = together(size, work)
        starts = [0, *(number for number, _ in each[1:]), N]
        for rank, (_, read) in enumerate(each):
            assert list(read) == groups_of(starts[rank], starts[rank + 1])


def test_of_a_file_the_bytes_of_a_column_and_a_row_group_are_read(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "t.parquet"
    columns = {f"c{i}": rng.normal(size=30_000) for i in range(5)}
    pq.write_table(pa.table(columns), path, row_group_size=5000, compression="none")
    raw, read = parquet_files.ParquetFiles([path], tmp_path), []

    class Counting(parquet_files._Bounded):
        def read(self, n):
            found = super().read(n)
            read.append(len(found))
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_files, "_Bounded", Counting)
        batches = list(raw.batches(["c3"], 3000, stretches.Stretch(7000, 14_000)))
    found = np.concatenate([batch.column(0).to_numpy() for batch in batches])
    np.testing.assert_array_equal(found, columns["c3"][7000:14_000])
    numbers, footer = 2 * 5000 * 8, 1 << 16  # which is asked for before its size is known
    assert numbers <= sum(read) - footer < 1.3 * numbers


def test_what_one_process_cannot_read_or_write_is_said_by_all(parts):
    weights = np.where(np.arange(N) == 200, -1.0, 1.0)
    bad = table(weights)

    def work(team):
        with pytest.raises((ValueError, OtherRankError)) as raised:
            stream(bad, Roles("y", weight="w"), team)
        return str(raised.value)

    first, last = together(2, work)
    assert last == "X must hold weights of at least 0 in 'w', got -1.0: row 200"
    assert first == f"rank 1 on {os.uname().nodename}: {last}"

    def full(team):
        def spool(*arguments, **how):
            made = SharedSpool(team, SHARDS, *arguments, **how)
            if team.rank == 1:  # a disk that is full
                os.dup2(os.open("/dev/full", os.O_WRONLY), made._X._descriptor)
            return made

        with pytest.raises((OSError, OtherRankError)) as raised:
            stream(parts, Roles("y"), team, spool_of=spool)
        return str(raised.value)

    first, last = together(2, full)
    assert "encoded rows cannot be kept there during a training: No space left on device" in last
    assert first.startswith("rank 1 on ")
    assert "No space left on device" in first


def test_counts_of_giveaways_are_those_of_all_rows():
    rng = np.random.default_rng(2)
    codes, n = rng.integers(0, 3, 600), 600
    columns = {
        "tells": [f"v{each}" for each in codes],
        "nearly": np.where(rng.random(n) < 0.01, 7, codes),
        "many": np.arange(n) % 450,
        "gaps": [None if i % 5 else "x" for i in range(n)],
    }
    batch = pa.record_batch(columns)
    decisions = decide(open_table(pa.table(columns)))

    def counted(*cuts):
        each = []
        for first, last in zip((0, *cuts), (*cuts, n), strict=True):
            part = Giveaways(decisions, 3)
            part.see(batch.slice(first, last - first), codes[first:last])
            each.append(part.told())
        joined = Giveaways(decisions, 3)
        joined.join(each)
        return joined.found()

    alone = Giveaways(decisions, 3)
    alone.see(batch, codes)
    assert set(alone.found()) == {"tells", "nearly"}
    assert counted(100) == counted(250, 251) == alone.found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clearprop.data.table.giveaways._MOST_CELLS", 449 * 3)
        joined = Giveaways(decisions, 3)
        halves = [Giveaways(decisions, 3) for _ in range(2)]
        for i, half in enumerate(halves):
            half.see(batch.slice(300 * i, 300), codes[300 * i :][:300])
        joined.join([half.told() for half in halves])
        assert "many" in halves[0].told()[1]
        assert "many" not in joined.told()[1]
