"""Encoded rows on the disks of several processes: each keeps its own, and all learn from all."""

import numpy as np
import pyarrow as pa

from clearprop.data.spool import Spool
from clearprop.data.table import streamed
from clearprop.data.table.kinds import Roles, decide
from clearprop.data.table.source import open_table
from clearprop.data.table.target import TargetEncoder
from clearprop.distributed.spool import SharedSpool
from thread_team import together

N = 230


def table():
    rng = np.random.default_rng(0)
    colour = np.array(["red", "green", "blue"])[rng.integers(0, 3, N)]
    return pa.table(
        {"a": rng.normal(size=N), "colour": colour, "w": rng.random(N), "y": rng.random(N) > 0.5}
    )


def stream(spool_of):
    source, roles = open_table(table()), Roles("y", weight="w")
    decisions = decide(source, roles)
    target = TargetEncoder.learn(source, "y")
    decided = streamed.Decided(source.with_target("y"), decisions, target, roles, lambda: None)
    return streamed.encoded(decided, validation=0.2, seed=3, spool_of=spool_of)


def everything(rows):
    spool = rows.spool
    return (
        spool.X(0, spool.n_rows).tolist(), spool.Y(0, spool.n_rows).tolist(),
        spool.weight(0, spool.n_rows).tolist(), rows.held.X.tolist(), rows.held.Y.tolist(),
        rows.held.weight.tolist(), spool.fingerprint(), rows.notes,
    )  # fmt: skip


def test_all_processes_have_the_rows_of_one_and_each_keeps_its_own():
    alone = stream(Spool)
    want, n_rows = everything(alone), alone.spool.n_rows

    def work(team):
        rows = stream(lambda *a, **k: SharedSpool(team, 8, *a, **k))
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
        made, n = SharedSpool(team, 8, 2, "float64"), 30 if team.is_first else 0
        made.expect(100)  # 8 shards of 12 rows or 13, the first four of 50
        wanted = [made.wanted(30)]
        made.append(np.zeros((n, 2)), np.zeros(n), None, 30)
        return [*wanted, made.wanted(40)]

    first, second = together(2, work)
    assert first == [slice(0, 30), slice(0, 20)]
    assert second == [slice(30, 30), slice(20, 40)]
