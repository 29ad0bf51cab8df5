"""A step on 1 to 16 threads, on paper, from what two cores can measure.

    python benchmarks/threads.py [--rounds 3]

On one core, P threads take turns: an epoch takes what all of them compute together, and their
meetings. What each does for itself (the look at whether a step stays finite, panels that are laid out
twice) makes that grow with P; what they share out does not. The meetings are those of a network of as
many layers that computes next to nothing. On P cores, then,

    step = work(P) / P + meetings * meeting(2) * P / 2

with work(P) measured on one core, and a meeting of two threads on two: a meeting counts its arrivals on
one line of the cache, which goes from core to core as often as there are threads. Amdahl's share is the
part of a step on one thread that is not shared out, by a line through work(P).

What is not in it: a faster clock of a core that works alone, and memory. For that, the table says how
many bytes a second a step on paper moves, and what copies reach here. Results: results/threads.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import machine
import numpy as np
import process

import clearprop as cp
from clearprop.engines import compiled

RESULTS = Path(__file__).with_name("results")
THREADS = (1, 2, 4, 8, 16)
NETS = {  # sizes, batch
    "784-512-512-10, ReLU, Adam, batch 128": ([784, 512, 512, 10], 128),
    "the same, batch 1,024": ([784, 512, 512, 10], 1024),
    "784-2500-2000-1500-1000-500-10, ReLU, Adam, batch 256": (
        [784, 2500, 2000, 1500, 1000, 500, 10], 256,
    ),
}  # fmt: skip


# On paper


def n_meetings(n_layers: int) -> int:
    """Return how often the threads of a step meet: after rows, costs, update and each layer, twice."""
    return 2 * n_layers + 2


def shares(work: dict[int, float]) -> tuple[float, float]:
    """Return what each thread does for itself, and what they share out, of the work of P threads."""
    slope, intercept = np.polyfit([*work], [*work.values()], 1)
    return max(float(slope), 0.0), float(intercept)


def step_seconds(work: float, n_threads: int, meeting: float, meetings: int) -> float:
    """Return how long a step takes whose threads compute `work` seconds together, each on a core.

    `meeting` is what two threads take to meet; one has nobody to meet.
    """
    return work / n_threads + (meetings * meeting * n_threads / 2 if n_threads > 1 else 0.0)


def moved(n_parameters: int, itemsize: int = 4) -> int:
    """Return how many bytes of parameters and moments a step of Adam reads and writes, at least.

    Parameters are read forwards and backwards; they and two moments are then read and written.
    """
    return itemsize * n_parameters * (1 + 1 + 2 * 3)


# Measured


def seconds_of_a_step(sizes: Sequence[int], batch: int, n_threads: int, at_least: float) -> float:
    """Return the least time of a step, of epochs that fill `at_least` seconds, three or more."""
    compiled.WORTH_A_THREAD = 1  # as many as are asked for
    products = sum(a * b for a, b in pairwise(sizes)) * batch
    steps = min(4000, max(4, 2_000_000_000 // products))
    rng = np.random.default_rng(0)
    X = rng.random((steps * batch, sizes[0]), np.float32)
    labels = rng.integers(0, sizes[-1], len(X))
    net = cp.Network(list(sizes), activation="relu", initializer="he_normal", seed=0)
    training = cp.Training(
        net, X, labels, batch_size=batch, optimizer=cp.Adam(1e-4), seed=0, n_threads=n_threads,
        engine="compiled", progress=False,
    )  # fmt: skip
    training.run(2)
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < at_least:
        began = time.perf_counter()
        training.run(1)
        taken.append(time.perf_counter() - began)
    return min(taken) / steps


def seconds_of_a_copy(n_bytes: int, n_threads: int) -> float:
    """Return how long threads take to copy so many bytes each; each moves twice as many."""
    sources = [np.ones(n_bytes // 4, np.float32) for _ in range(n_threads)]
    targets = [each.copy() for each in sources]
    taken = []
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in range(20):
            began = time.perf_counter()
            list(pool.map(np.copyto, targets, sources))
            taken.append(time.perf_counter() - began)
    return min(taken)


def on_cores(n_cores: int, what: str, **how: Any) -> float:
    """Return what a function of this file finds in a process on so many cores."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", what, json.dumps(how)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: process.pin(n_cores),
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


class Measured:
    """What was measured of a network, in seconds: the least, since others on these cores only add."""

    def __init__(self, sizes: Sequence[int], batch: int, rounds: int, at_least: float) -> None:
        self.meetings = n_meetings(len(sizes) - 1)
        architecture = cp.Network(list(sizes)).architecture
        self.n_parameters = architecture.n_parameters
        self.worth = sum(architecture.multiply_adds()) * batch // compiled.WORTH_A_THREAD
        idle = [2] * len(sizes)

        def least(n_cores: int, its: Sequence[int], rows: int, n: int) -> float:
            how = {"sizes": its, "batch": rows, "n_threads": n, "at_least": at_least}
            return min(on_cores(n_cores, "step", **how) for _ in range(rounds))

        alone = {n: least(1, idle, 16, n) for n in THREADS}
        self.work = {n: least(1, sizes, batch, n) - (alone[n] - alone[1]) for n in THREADS}
        self.meeting = max(least(2, idle, 16, 2) - alone[1] / 2, 0.0) / self.meetings
        self.on_two = least(2, sizes, batch, 2)

    def step(self, n_threads: int) -> float:
        return step_seconds(self.work[n_threads], n_threads, self.meeting, self.meetings)

    def markdown(self, name: str) -> list[str]:
        own, _ = shares(self.work)
        head = [
            "threads",
            "work of all, ms",
            "meetings, us",
            "step, ms",
            "times as fast",
            "moves, GB/s",
        ]
        lines = [f"## {name}", "", "| " + " | ".join(head) + " |", "|" + " ---: |" * len(head)]
        for n in THREADS:
            step = self.step(n)
            row = [
                f"{n}", f"{1e3 * self.work[n]:.2f}", f"{1e6 * (step - self.work[n] / n):.0f}",
                f"{1e3 * step:.2f}", f"{self.step(1) / step:.1f}",
                f"{moved(self.n_parameters) / step / 1e9:.0f}",
            ]  # fmt: skip
            lines.append("| " + " | ".join(row) + " |")
        most = THREADS[-1]
        step = self.step(most)
        parts = {"what each does for itself": own, "meetings": step - self.work[most] / most}
        said = ", ".join(f"{100 * part / step:.0f} % {what}" for what, part in parts.items())
        one, two = self.step(1), self.step(2)
        return [
            *lines,
            "",
            f"Amdahl's share: {100 * own / one:.2f} % of a step on one thread is not shared out.",
            f"Of a step on {most} threads: {said}. By itself the engine takes at most {self.worth}.",
            f"Two threads on two cores, measured: {1e3 * self.on_two:.2f} ms,",
            f"{one / self.on_two:.2f} times as fast (on paper {one / two:.2f}).",
            "",
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each run, at least")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        of: dict[str, Callable[..., float]] = {"step": seconds_of_a_step, "copy": seconds_of_a_copy}
        print(of[options.child[0]](**json.loads(options.child[1])))
        return 0
    about = machine.describe()
    lines = ["# A step on 1 to 16 threads, on paper", "", *machine.lines(about), ""]
    nets: dict[str, Measured] = {}
    for name, (sizes, batch) in NETS.items():
        print(name, file=sys.stderr, flush=True)
        nets[name] = Measured(sizes, batch, options.rounds, options.seconds)
    meeting = min(each.meeting for each in nets.values())  # it is the same for every network
    for name, each in nets.items():
        each.meeting = meeting
        lines += each.markdown(name)
    copies = {n: 2 * n * 2**28 / on_cores(n, "copy", n_bytes=2**28, n_threads=n) / 1e9 for n in (1, 2)}
    lines.append(f"Copies between arrays of 256 MB move {copies[1]:.0f} GB/s on one thread, ")
    lines[-1] += f"{copies[2]:.0f} on two; two threads meet in {1e6 * meeting:.1f} us."
    text = "\n".join(lines) + "\n"
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "threads.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
