"""How long members take: an epoch of K networks trained side by side, beside one network's.

    python benchmarks/members.py [--members 8] [--width 256] [--threads 2] [--repeats 9]

Each repeat times both, one after the other, on the same threads; prints the medians, and the median and
the range of the ratios of the pairs.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import clearprop as cp

ROWS, FEATURES, CLASSES, BATCH = 5_000, 20, 3, 256


def training(n_members: int, width: int, n_threads: int) -> cp.Training:
    """Return a training that has made an epoch: everything is compiled, and in its place."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(ROWS, FEATURES)).astype(np.float32), rng.integers(0, CLASSES, ROWS)
    net = cp.Network([FEATURES, *[width] * 3, CLASSES], activation="selu", members=n_members, seed=1)
    made = cp.Training(
        net, X, y, validation_data=(X[:1000], y[:1000]), batch_size=BATCH, optimizer="adam",
        n_threads=n_threads, progress=False,
    )  # fmt: skip
    made.run(1)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    defaults = {"members": 8, "width": 256, "threads": 2, "repeats": 9, "epochs": 2}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    how = parser.parse_args()
    trainings = [training(n, how.width, how.threads) for n in (1, how.members)]
    pairs = []
    for _ in range(how.repeats):
        pair = []
        for each in trainings:
            began = time.perf_counter()
            each.run(how.epochs)
            pair.append((time.perf_counter() - began) / how.epochs)
        pairs.append(pair)
    one, several = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratios = sorted(b / a for a, b in pairs)
    print(f"1 network    {one * 1e3:8.1f} ms an epoch ({how.threads} threads, {how.width} wide)")
    print(f"{how.members} members    {several * 1e3:8.1f} ms an epoch")
    print(f"ratio        {statistics.median(ratios):8.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
