"""Two processes of one thread beside one process of two threads, and on paper many hosts.

    python benchmarks/scaling.py [--rows 20000000] [--rounds 3] [--paper] [--step S --gradient BYTES]

Measured: 784-512-512-10 in batches of 4,096 in memory, and a table of --rows by 30 numbers from disk
through a 128-64-1 network. Each is trained by one process with two threads on whole batches, by the
same on 64 shards, by two processes with a thread each, and by four; runs take turns. Their parameters
must be equal to the bit but for the first, which cuts no batch. Samples a second are those of an epoch,
reading and exchange in it.

On paper: `step_seconds` says how long a step takes on P hosts, from a step, an exchange and a read that
were measured; docs/scaling.md has the formula, and a test holds it against messages that are delayed.
`hidden_seconds` is how much of an exchange could at most go on behind the backward pass, by layer.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GBIT, SHARDS = 1e9 / 8, 64
# Of a step's multiply-adds, nearly: the backward pass makes two products for each of the forward pass.
BACKWARD = 2 / 3
KINDS = {  # processes, threads of each, shards
    "1 process x 2 threads, whole batches": (1, 2, None),
    "1 process x 2 threads, 64 shards": (1, 2, 64),
    "2 processes x 1 thread": (2, 1, 64),
    "4 processes x 1 thread, on two cores": (4, 1, 64),
}


# On paper


def n_nodes(size: int, n_shards: int) -> int:
    """Return how many sums a process has to send at most: one where processes are a power of two."""
    from clearprop.distributed.shards import owned
    from clearprop.distributed.sums import aligned

    owners = (owned(n_shards, rank, size) for rank in range(size))
    return max(len(aligned(each.start, each.stop)) for each in owners)


def exchange_seconds(size: int, gradient: float, latency: float, rate: float, nodes: int = 1) -> float:
    """Return how long the sum of a gradient of so many bytes takes: a slice from all, then to all."""
    messages = 2 * (size - 1)
    n_bytes = (nodes + 1) * gradient * (size - 1) / size
    return messages * latency + n_bytes / rate


def step_seconds(compute: float, update: float, exchange: float, read: float = 0.0) -> float:
    """Return how long a step takes, whose rows are read while the one before is made."""
    return max(compute + exchange + update, read)


def hidden_seconds(size: int, compute: float, exchange: float, first: float) -> float:
    """Return how much of an exchange could at most go on behind the backward pass.

    A layer's sum is whole when the last shard of a host has come to it, so that what goes on meanwhile
    is the rest of one shard's backward pass. The gradient of the first layer, a share of all, is last.
    """
    return min((1 - first) * exchange, BACKWARD * compute * size / SHARDS)


def paper(
    compute: float,
    update: float,
    gradient: float,
    latency: float,
    read: float = 0.0,
    first: float = 1.0,
) -> str:
    """Return the table of weak scaling: each host has as many rows of a batch as one alone.

    With a share of the gradient that is the first layer's, it is that of exchanges behind a pass.
    """
    alone = step_seconds(compute, update, 0.0, read)
    lines = ["| hosts | 1 Gbit/s | 10 Gbit/s | 100 Gbit/s |", "| --- | --- | --- | --- |"]
    for size in (2, 4, 8, 16, 32, 64):
        shares = []
        for speed in (1, 10, 100):
            exchange = exchange_seconds(size, gradient, latency, speed * GBIT, n_nodes(size, SHARDS))
            exchange -= hidden_seconds(size, compute, exchange, first)
            shares.append(alone / step_seconds(compute, update, exchange, read))
        lines.append(f"| {size} | " + " | ".join(f"{100 * each:.0f} %" for each in shares) + " |")
    return "\n".join(lines)


# Measured


def worker(what: str, folder: Path, threads: int, shards: int | None, together: bool) -> None:
    """Train; the first process prints samples a second and a digest of the parameters."""
    import hashlib

    import numpy as np

    import clearprop as cp
    from clearprop.data.row_stream import RowStream
    from clearprop.distributed.teams import team_of

    team = team_of("mpi", 60.0) if together else None
    if team is not None:
        team.holds_all = True
    X, Y = np.load(folder / f"{what}-X.npy", mmap_mode="r"), np.load(folder / f"{what}-Y.npy")
    how = {
        "batch_size": 4096,
        "n_threads": threads,
        "shards": shards,
        "communicator": team,
        "progress": False,
    }
    if what == "net":
        net = cp.Network([784, 512, 512, 10], activation="relu", initializer="he_normal", seed=0)
        training = cp.Training(net, np.array(X), Y, optimizer=cp.Adam(1e-3), seed=0, **how)
        training.run(1)
        training.run(2)
    else:
        net = cp.Network(
            [30, 128, 64, 1], activation="relu", cost="quadratic", initializer="he_normal", seed=0
        )
        rows = RowStream.of_arrays(X, Y[:, None])
        training = cp.Training(net, rows, optimizer=cp.Adam(1e-3), seed=0, **how)
        training.run(1)
    if team is None or team.is_first:
        speed = float(np.median(training.history["samples_per_second"][-2:]))
        print(
            json.dumps(
                {"speed": speed, "digest": hashlib.sha256(net.parameters.tobytes()).hexdigest()[:16]}
            )
        )
    if team is not None:
        team.close()


def make(folder: Path, rows: int) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    np.save(folder / "net-X.npy", rng.random((32_768, 784), dtype=np.float32))
    np.save(folder / "net-Y.npy", rng.integers(0, 10, 32_768))
    table = np.lib.format.open_memmap(folder / "table-X.npy", "w+", np.float32, (rows, 30))
    target = np.empty(rows, np.float32)
    for first in range(0, rows, 1_000_000):
        part = rng.standard_normal((min(1_000_000, rows - first), 30), dtype=np.float32)
        table[first : first + len(part)] = part
        target[first : first + len(part)] = part[:, 0] + part[:, 1] * part[:, 2]
    table.flush()
    np.save(folder / "table-Y.npy", target)


def measure(what: str, kind: str, folder: Path) -> dict[str, object]:
    processes, threads, shards = KINDS[kind]
    command = [sys.executable, __file__, "--worker", what, str(folder), str(threads), str(shards or 0)]
    if processes > 1:
        found = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        command = [str(found), "-n", str(processes), *command, "--together"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--paper", action="store_true", help="the tables on paper alone")
    parser.add_argument("--step", type=float, default=0.110, help="seconds of a host's part of a step")
    parser.add_argument("--update", type=float, default=0.004, help="seconds of the optimizer")
    parser.add_argument("--gradient", type=float, default=2.68e6, help="bytes")
    parser.add_argument("--first", type=float, default=0.6, help="the first layer's share of that")
    parser.add_argument("--latency", type=float, default=20e-6, help="seconds of a message")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if not asked.paper:
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            folder = Path(name)
            make(folder, asked.rows)
            for what in ("net", "table"):
                found = {kind: [] for kind in KINDS}
                for _ in range(asked.rounds):
                    for kind in KINDS:
                        found[kind].append(measure(what, kind, folder))
                shown(what, found)
    for first in (1.0, asked.first):
        print(paper(asked.step, asked.update, asked.gradient, asked.latency, first=first), end="\n\n")


def shown(what: str, found: dict[str, list[dict[str, object]]]) -> None:
    """Print the table of a workload; parameters of shards must be equal."""
    import statistics

    on_shards = [runs for kind, runs in found.items() if "whole" not in kind]
    digests = {each["digest"] for runs in on_shards for each in runs}
    base = statistics.median(float(each["speed"]) for each in next(iter(found.values())))
    print(
        f"\n{what}: parameters of all runs on shards {'are equal' if len(digests) == 1 else 'DIFFER'}\n"
    )
    print("| | samples/s, median (least to most) | of the first |\n| --- | --- | --- |")
    for kind, runs in found.items():
        speeds = sorted(float(each["speed"]) for each in runs)
        middle = statistics.median(speeds)
        print(
            f"| {kind} | {middle:,.0f} ({speeds[0]:,.0f} to {speeds[-1]:,.0f}) | {middle / base:.2f} |",
            flush=True,
        )
    assert len(digests) == 1


if __name__ == "__main__":
    if "--worker" in sys.argv:
        at = sys.argv.index("--worker")
        what, folder, threads, shards = sys.argv[at + 1 : at + 5]
        worker(what, Path(folder), int(threads), int(shards) or None, "--together" in sys.argv)
    else:
        main()
