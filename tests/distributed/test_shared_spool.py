"""Encoded rows on the disks of several processes: each keeps its own, and all learn from all."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearprop.data.spool import Spool
from clearprop.data.table import streamed
from clearprop.data.table.kinds import Roles, decide
from clearprop.data.table.parquet_files import ParquetFiles
from clearprop.data.table.read_options import ReadOptions
from clearprop.data.table.source import TableSource, open_table
from clearprop.data.table.target import TargetEncoder
from clearprop.distributed.columns import SharedPass
from clearprop.distributed.spool import SharedSpool
from clearprop.distributed.team import OtherRankError
from thread_team import together

N = 230


def table():
    rng = np.random.default_rng(0)
    colour = np.array(["red", "green", "blue"])[rng.integers(0, 3, N)]
    return pa.table(
        {"a": rng.normal(size=N), "colour": colour, "w": rng.random(N), "y": rng.random(N) > 0.5}
    )


def stream(spool_of, shared=None):
    source, roles = open_table(table()), Roles("y", weight="w")
    source.shared = shared or source.shared
    decisions = decide(source, roles)
    target = TargetEncoder.learn(source, "y")
    decided = streamed.Decided(source.with_target("y"), decisions, target, roles, lambda: None)
    return streamed.encoded(decided, validation=0.2, seed=3, spool_of=spool_of)


def everything(rows):
    spool = rows.spool
    return (
        spool.X(0, spool.n_rows).tolist(), spool.Y(0, spool.n_rows).tolist(),
        spool.weight(0, spool.n_rows).tolist(), rows.held.X.tolist(), rows.held.Y.tolist(),
        rows.held.weight.tolist(), spool.fingerprint(), rows.notes, rows.encoder.to_json(),
    )  # fmt: skip


def test_all_processes_have_the_rows_of_one_and_each_keeps_its_own():
    alone = stream(Spool)
    want, n_rows = everything(alone), alone.spool.n_rows

    def work(team):
        rows = stream(lambda *a, **k: SharedSpool(team, 8, *a, **k), SharedPass(team))
        found, spool = everything(rows), rows.spool
        spool.transform(lambda X: 2 * X)
        doubled = spool.X(3, 9).tolist()
        first, last = spool._mine
        kept = spool._n_rows
        spool.collective = False
        assert spool.X(first, last).shape == (kept, spool.n_features)
        return found, doubled, kept

    for size in (2, 3):
        each = together(size, work)
        assert [found for found, _, _ in each] == [want] * size
        assert sum(kept for _, _, kept in each) == n_rows
        assert max(kept for _, _, kept in each) < n_rows
        assert [doubled for _, doubled, _ in each] == [(2 * np.array(want[0][3:9])).tolist()] * size


def test_rows_are_wanted_by_the_process_whose_shards_they_are_of():
    def work(team):
        made = SharedSpool(team, 8, 2, "float64")
        return made.expect(100), made.n_rows  # 8 shards of 12 rows or 13, the first four of 50

    assert together(2, work) == [((0, 50), 100), ((50, 100), 100)]


class Counted(ParquetFiles):
    """Parquet files that keep which columns were read."""

    read = ()

    def batches(self, columns, *how):
        self.read = (*self.read, *columns)
        return super().batches(columns, *how)


def test_each_process_learns_some_columns_and_all_have_the_profiles_of_one(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "t.parquet"
    columns = {f"c{i}": rng.normal(size=50) for i in range(4)} | {"words": ["a", "bc"] * 25}
    pq.write_table(pa.table(columns), path, row_group_size=20)
    want = {name: its.__dict__["type"] for name, its in open_table(path).profile.items()}

    def work(team):
        raw = Counted([path], tmp_path)
        source = TableSource("t", raw, ReadOptions(), None)
        source.shared = SharedPass(team)
        found = source.profile
        lows = [found[name].low for name in source.names[:4]]
        return {name: its.type for name, its in found.items()}, lows, list(found), raw.read

    alone = open_table(path).profile
    for size in (2, 3, 6):  # one of six has no column
        each = together(size, work)
        assert all(types == want for types, *_ in each)
        assert all(lows == [alone[f"c{i}"].low for i in range(4)] for _, lows, _, _ in each)
        assert all(names == list(columns) for _, _, names, _ in each)
        read = [name for *_, its in each[:5] for name in its]
        assert sorted(read) == sorted(columns)


def test_a_column_that_one_process_cannot_read_ends_all(tmp_path):
    def work(team):
        source = open_table(pa.table({"a": [1.0], "b": [2.0]}))
        source.shared = SharedPass(team)
        if team.rank == 1:
            source.stored_batches = refuse
        with pytest.raises((OSError, OtherRankError), match="b is torn"):
            _ = source.profile

    def refuse(columns, rows):
        raise OSError("b is torn")

    together(2, work)
