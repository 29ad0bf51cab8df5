# ruff: noqa: E501 - threads are set before NumPy is there
"""What watching costs a training, with 50 clients: python benchmarks/watching.py

A third of the clients read at once, a third read slowly, a third have asked and never read. A training
is made with and without them, in turns; what is compared is the CPU time of the training's process, all
of its threads, since a machine whose cores are taken is slowed down by as much. The clients are a
process of their own. Goal: at most 5 %.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread's CPU is what is measured

import io
import socket
import statistics
import subprocess
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from urllib.parse import urlsplit

import machine
import numpy as np

import clearprop as cp

CLIENTS = 50
SLOW_SECONDS = 0.2  # between two readings of 512 bytes
RUNS = (  # sizes, rows, batch, epochs
    ((2, 3, 1), 4, 4, 30_000),
    ((64, 30, 10), 1437, 32, 9000),
    ((784, 30, 10), 10_000, 10, 400),
    ((784, 256, 256, 10), 10_000, 64, 60),
)


def connect(url: str) -> list[socket.socket]:
    parts, made = urlsplit(url), []
    for _ in range(CLIENTS):
        wire = socket.create_connection((parts.hostname, parts.port))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        wire.sendall(f"GET /events?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        wire.setblocking(False)
        made.append(wire)
    return made


def read(url: str) -> None:
    """Be the clients, until the server is gone; say how many bytes each kind has read."""
    wires = connect(url)
    print("ready", flush=True)
    got, due, last = [0, 0, 0], 0.0, time.monotonic()
    while time.monotonic() - last < 5:  # nothing is read any more: it has ended
        is_due = time.monotonic() >= due
        due = time.monotonic() + SLOW_SECONDS if is_due else due
        for i, wire in enumerate(wires):
            kind = i % 3
            if kind == 2 or (kind == 1 and not is_due):
                continue
            try:
                part = wire.recv(1 << 20 if kind == 0 else 512)
            except OSError:
                continue
            if kind == 0 and part:
                last = time.monotonic()
            got[kind] += len(part)
        time.sleep(0.01)
    print(*got)


class Clients:
    """Starts the clients when a training begins; given before `Watch` they would have no address."""

    def __init__(self, watch: cp.Watch) -> None:
        self.watch, self.process = watch, None

    def __call__(self, training: cp.Training) -> None:
        if self.process is None:
            command = [sys.executable, __file__, "--read", str(self.watch.url)]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self.process.stdout.readline()
            self.began = time.process_time(), time.thread_time(), time.monotonic()


class Clock:
    """Begins to measure after the first epoch, as `Clients` does."""

    began: tuple[float, ...] | None = None

    def __call__(self, training: cp.Training) -> None:
        self.began = self.began or (time.process_time(), time.thread_time(), time.monotonic())


def train(run: tuple, watched: bool) -> tuple[np.ndarray, str]:
    """Return CPU seconds of the process and of its training thread, and seconds; and what was read."""
    sizes, rows, batch, epochs = run
    rng = np.random.default_rng(0)
    X = rng.random((rows, sizes[0]), np.float32)
    Y = rng.random((rows, 1)) if sizes[-1] == 1 else rng.integers(0, sizes[-1], rows)
    net = cp.Network(
        list(sizes), "tanh", cost="quadratic" if sizes[-1] == 1 else "cross_entropy", seed=0
    )
    watch = cp.Watch(browser=False) if watched else None
    clock = Clients(watch) if watch else Clock()
    with redirect_stderr(io.StringIO()):
        net.fit(
            X, Y, epochs=epochs, batch_size=batch, optimizer=cp.SGD(0.01), progress=False, n_threads=1,
            callbacks=[watch, clock] if watch else [clock],
        )  # fmt: skip
    ended = time.process_time(), time.thread_time(), time.monotonic()
    told = clock.process.communicate()[0].strip() if watch else ""
    return np.subtract(ended, clock.began), told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", default=str(Path(__file__).parent / "results" / "watching.md"))
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    about = machine.describe()
    lines = [
        "# What watching costs a training",
        "",
        f"{about['cpu']}, {about['date']}. {CLIENTS} clients, of which a third read slowly and a third never; medians of "
        f"{options.rounds} rounds. CPU time of the process, one training thread and the server's; kB read by the "
        "quick and by the slow clients.",
        "",
        "| Network, rows, batch | epochs | CPU without | with | more | of it the training's thread | kB read |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for run in RUNS:
        train((*run[:3], 2), False)  # compiled, and warm
        pairs = []
        for _ in range(options.rounds):
            alone, (watched, told) = train(run, False)[0], train(run, True)
            pairs.append((alone, watched, [int(each) // 1000 for each in told.split()]))
        alone, watched = (np.median([each[i] for each in pairs], axis=0) for i in (0, 1))
        more = [statistics.median(each[1][i] / each[0][i] - 1 for each in pairs) for i in (0, 1)]
        sizes, rows, batch, epochs = run
        quick, slow, _ = pairs[-1][2]
        lines.append(
            f"| {'-'.join(map(str, sizes))}, {rows:,}, {batch} | {epochs:,} | {alone[0]:.2f} s | {watched[0]:.2f} s "
            f"| {more[0]:+.1%} | {more[1]:+.1%} | {quick:,}, {slow:,} |"
        )
        print(lines[-1], flush=True)
    Path(options.output).write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
