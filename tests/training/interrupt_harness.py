"""Interrupts something again and again at random moments; each time it must do right the next time.

    python tests/training/interrupt_harness.py WHAT INTERRUPTS [--careless]

WHAT is predict, train, members, own-cost, stream or estimator. A handler of SIGALRM that raises interrupts it, up to
three times in a row, while two threads compute. After each, every helper thread must be idle and the next
result the right one. Prints one line of JSON. With --careless, helpers are begun and waited for by bytecodes,
between which a handler raises: the harness has to notice.
"""

import itertools
import json
import os
import random
import signal
import sys
import threading
import time
import warnings

os.environ["OMP_NUM_THREADS"] = "2"

import numpy as np

import clearprop as cp
from clearprop.engines import compiled, forwards, helpers

# So that small work is worth a thread too.
compiled.WORTH_A_THREAD = forwards.PREDICTION_WORTH_A_THREAD = 20_000
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(400, 40)).astype(np.float32), np.arange(400) % 3


class Stop(BaseException):
    """What the handler raises."""


def stop(number, frame):
    raise Stop


dropped = []  # that rose in the callback of a weak reference, say, from where Python raises nothing


def drop(unraisable):
    if unraisable.exc_type is Stop:
        dropped.append(Stop)
    else:
        sys.__unraisablehook__(unraisable)


def network(**how):
    return cp.Network([40, 50, 60, 3], seed=0, **how)


def predict():
    wide = cp.Network([40, 300, 300, 3], seed=0)
    wide.fit(X, Y, epochs=1, batch_size=100, progress=False)
    rows = np.tile(X, (5, 1))
    return lambda: wide.predict(rows)


def training(net, *data, **how):
    """Return what trains a copy for some epochs."""

    def train():
        made = net.copy()
        made.fit(*data, epochs=4, batch_size=100, n_threads=2, progress=False, **how)
        return made.parameters

    return train


def train():
    return training(network(), X, Y, optimizer=cp.Adam(0.01))


def members():
    return training(network(members=3), X, Y, dropout=0.2)


def own_cost():
    fourth = cp.Cost("fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)
    return training(network(output="tanh", cost=fourth), X, np.eye(3, dtype=np.float32)[Y])


def stream():
    rows = cp.data.RowStream.of_arrays(X, Y, buffer_rows=100)
    return training(network(), rows, None)


def estimator():
    def fit():
        model = cp.MLPClassifier((50, 60), max_iter=3, batch_size=200, random_state=0).fit(X, Y)
        return model.predict_proba(X)

    return fit


class Interrupted:
    """Sends SIGALRM at random moments of a call, from a thread of its own."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, work, seconds):
        """Return the number of interrupts that have risen in the work."""
        dropped.clear()
        waits = [self.random.uniform(0, seconds)]
        waits += [self.random.choice([0, 1e-5, 1e-3]) for _ in range(self.random.choice([0, 0, 1, 2]))]

        def send():
            for each in waits:
                time.sleep(each)
                os.kill(os.getpid(), signal.SIGALRM)

        sender, risen = threading.Thread(target=send), 0
        try:
            sender.start()
            work()
        except Stop:
            risen += 1
        while sender.is_alive():
            try:
                time.sleep(1e-4)
            except Stop:
                risen += 1
        return risen + len(dropped)


def idle():
    """Wait until no helper is busy; return whether each that lives is at hand."""
    threads = [each for each in threading.enumerate() if each.name == "clearprop helper"]
    return len(threads) == len(helpers._IDLE) == len(set(helpers._IDLE))


def main():
    what, wanted = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGALRM, stop)
    sys.unraisablehook = drop
    work = globals()[what.replace("-", "_")]()
    if "--careless" in sys.argv:
        helpers.deque = lambda steps, maxlen: [step() for step in steps]
    right = work()
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    interrupt, risen, calls = Interrupted(1), 0, 0
    for calls in itertools.count(1):
        try:
            found = interrupt(work, seconds * 1.1)
            risen += found
            if not found:
                raise SystemExit(f"call {calls}: an interrupt was lost")
            if not idle():
                raise SystemExit(f"call {calls}: a helper is not idle")
            if not np.array_equal(work(), right):
                raise SystemExit(f"call {calls}: the next result is wrong")
        except Stop:  # one that came late
            risen += 1
        if risen >= wanted:
            break
    print(
        json.dumps({"what": what, "interrupts": risen, "calls": calls, "helpers": len(helpers._IDLE)})
    )


if __name__ == "__main__":
    main()
