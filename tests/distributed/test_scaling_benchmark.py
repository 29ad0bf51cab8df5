"""What many hosts take on paper, held against messages that are delayed."""

import sys
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from thread_team import together

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(
    not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy"
)


@pytest.fixture
def scaling():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import scaling
    finally:
        sys.path.remove(str(BENCHMARKS))
    return scaling


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_step_costs_the_messages_and_bytes_of_the_formula(scaling, size, rng):
    X, y = rng.normal(size=(80, 40)), rng.integers(0, 3, 80)
    latency, rate = 1e-5, 1e9

    def work(team):
        net = cp.Network([40, 120, 3], seed=0)
        mine = slice(80 * team.rank // size, 80 * (team.rank + 1) // size)
        training = cp.Training(
            net,
            X[mine],
            y[mine],
            batch_size=40,
            shards=8,
            communicator=team,
            progress=False,
            n_threads=1,
        )
        before, steps = team.communicator.owed, []
        run, ends = training.engine._exchanged, team.communicator

        def counted(*given):
            begin = ends.owed
            found = run(*given)
            steps.append(ends.owed - begin)
            return found

        training.engine._exchanged = counted
        training.run(2)
        assert ends.owed > before
        return net.parameters.nbytes, steps

    n_bytes, steps = together(size, work, latency=latency, rate=rate)[0]
    assert len(steps) == 4
    nodes = scaling.n_nodes(size, 8)
    said = scaling.exchange_seconds(size, n_bytes, latency, rate, nodes)
    assert steps == pytest.approx([said] * 4, rel=0.05)  # beside the costs of each shard
    assert scaling.step_seconds(0.01, 0.001, said) == pytest.approx(0.011 + said)
    assert scaling.step_seconds(0.01, 0.001, said, read=1.0) == 1.0


def test_the_paper_gives_more_hosts_less_of_each_and_a_faster_net_more(scaling):
    rows = [line.split("|")[1:5] for line in scaling.paper(0.1, 0.004, 2.7e6, 2e-5).splitlines()[2:]]
    slow, fast = ([int(row[column].split()[0]) for row in rows] for column in (2, 3))
    assert slow == sorted(slow, reverse=True)
    assert all(a <= b for a, b in zip(slow, fast, strict=True))
    assert np.all(np.array(fast) <= 100)


def test_what_could_be_hidden_is_less_than_the_exchange_and_than_a_shards_backward_pass(scaling):
    # Of two hosts each has 32 shards: the last one's backward pass is 2/3 of a 32nd of the step.
    assert scaling.hidden_seconds(2, 0.96, 1.0, 0.25) == pytest.approx(0.02)
    assert scaling.hidden_seconds(64, 0.96, 0.4, 0.25) == pytest.approx(0.3)
    assert scaling.hidden_seconds(64, 0.96, 0.4, 1.0) == 0.0
