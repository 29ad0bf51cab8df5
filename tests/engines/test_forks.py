"""Processes that a training process starts: by fork, in the midst of anything, and by spawn."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import weakref

import numpy as np
import pytest

import clearprop as cp
from clearprop import forks
from kept_code import copied_to

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

FORKS = """
import os, sys, threading, time, warnings
import numpy as np
import clearprop as cp
warnings.simplefilter("ignore")
if "careless" in sys.argv:
    from clearprop import forks
    forks.LOCK = threading.RLock()
X = np.random.default_rng(0).normal(size=(70, 4)).astype("float32")
Y = np.arange(70) % 3

def train(net, epochs):
    net.fit(X, Y, epochs=epochs, batch_size=20, progress=False)
    return net.predict(X)

nets = [cp.Network([4, 5, 3], seed=seed) for seed in (0, 1)]
threading.Thread(target=train, args=(nets[0], 10**7), daemon=True).start()
time.sleep(float(sys.argv[1]))
child = os.fork()
if child == 0:
    os._exit(0 if all(np.isfinite(train(net, 2)).all() for net in nets) else 3)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def fork_after(seconds, folder, *arguments, timeout=300):
    process = subprocess.Popen(
        [sys.executable, "-c", FORKS, str(seconds), *arguments],
        env={**os.environ, "CLEARPROP_CACHE": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the child, which waits for good, too
        process.communicate()
        raise
    return process.returncode, said


@pytest.mark.parametrize("seconds", [0.02, 0.2, 1.0])  # it imports, loads its code, trains
def test_a_child_works_that_is_forked_while_another_thread_trains(seconds, tmp_path):
    copied_to(tmp_path)
    assert fork_after(seconds, tmp_path) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.02, 0.2, 1.0])
def test_a_child_works_that_is_forked_before_or_while_another_thread_compiles(seconds, tmp_path):
    assert fork_after(seconds, tmp_path) == (0, "")


@pytest.mark.slow
def test_a_fork_that_does_not_wait_is_noticed(tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        fork_after(1.0, tmp_path, "careless", timeout=20)


def test_the_forking_thread_may_hold_the_lock_itself():
    with forks.LOCK:
        child = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(0))
        child.start()
    child.join(60)
    assert child.exitcode == 0


def test_a_network_is_sent_to_a_process_that_is_spawned(tmp_path):
    script = tmp_path / "spawns.py"
    script.write_text(
        textwrap.dedent("""
        import multiprocessing
        import numpy as np
        import clearprop as cp

        def predict(net, X):
            net.fit(X, np.arange(7) % 3, epochs=1, progress=False, batch_size=3)
            return net.predict(X)

        if __name__ == "__main__":
            X = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
            net = cp.Network([4, 5, 3], seed=0)
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                got = pool.starmap(predict, [(net, X)] * 3)
            wanted = predict(net.copy(), X)
            assert all(np.array_equal(each, wanted) for each in got)
        """)
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:training with engine 'numpy'")
def test_what_is_ones_own_is_kept_no_longer_than_it_lives():
    """An activation, compiled and diagnosed, and a cost: both hold what a user's functions close over."""
    X, Y = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32), np.eye(3)[np.arange(7) % 3]

    def lives():
        one, other = 1.0, np.ones(3)
        own = cp.Activation("own", np.tanh, lambda z: one - np.tanh(z) ** 2)
        cost = cp.Cost(
            "own", lambda a, y: ((a - y) ** 4).sum(axis=1) * other[0], lambda a, y: 4 * (a - y) ** 3
        )
        net = cp.Network([4, cp.Layer(5, own), cp.Layer(3, "tanh")], cost=cost, seed=0)
        net.fit(X, Y, epochs=1, batch_size=3, progress=False)
        net.predict(X)
        cp.diagnose(net, X, Y)
        return [weakref.ref(each) for each in (other, own.derivative, cost.value)]

    found = lives()
    gc.collect()
    assert [each() is None for each in found] == [True] * 3
