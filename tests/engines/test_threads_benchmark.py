"""What 16 threads take on paper, held against how the engine's threads meet."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop.engines import compiled

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(
    not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy"
)


@pytest.fixture(scope="module")
def threads():
    """Return benchmarks/threads.py, which stands beside what it imports."""
    with pytest.MonkeyPatch.context() as changed:
        changed.syspath_prepend(BENCHMARKS)
        spec = importlib.util.spec_from_file_location("threads", BENCHMARKS / "threads.py")
        module = importlib.util.module_from_spec(spec)
        changed.setitem(sys.modules, "threads", module)
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("sizes", [(4, 5, 3), (4, 5, 6, 3)], ids=len)
@pytest.mark.parametrize("n_threads", [2, 3])
def test_a_step_has_as_many_meetings_as_the_paper(threads, monkeypatch, rng, sizes, n_threads):
    counters, record = [], compiled._Prepared.record

    def kept(*given, **more):
        run = record(*given, **more)
        counters.append(run.counter)
        return run

    monkeypatch.setattr(compiled._Prepared, "record", kept)
    monkeypatch.setattr(compiled, "WORTH_A_THREAD", 1)
    net = cp.Network(list(sizes), seed=0)
    how = {"epochs": 2, "batch_size": 3, "n_threads": n_threads, "engine": "compiled"}
    net.fit(rng.normal(size=(7, 4)), rng.integers(0, 3, 7), progress=False, **how)
    arrived = sum(int(counter[0]) for counter in counters)
    assert arrived == n_threads * 6 * threads.n_meetings(len(sizes) - 1)


def test_what_each_does_for_itself_is_what_grows_with_the_threads(threads):
    own, shared = threads.shares({1: 10.0, 2: 10.5, 4: 11.5, 16: 17.5})
    np.testing.assert_allclose([own, shared], [0.5, 9.5])
    assert threads.shares({1: 10.0, 2: 9.0, 4: 9.0})[0] == 0.0


@pytest.mark.parametrize(("n_threads", "seconds"), [(1, 12.0), (2, 6.5), (4, 4.0)])
def test_a_step_is_a_share_of_the_work_and_meetings_that_grow(threads, n_threads, seconds):
    assert threads.step_seconds(12.0, n_threads, meeting=0.1, meetings=5) == pytest.approx(seconds)
