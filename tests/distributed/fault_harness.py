"""Kill and stop processes of a training again and again; it must end, and go on to the bits of the unbroken run.

    python tests/distributed/fault_harness.py FAULTS [--seed N]

Each time mpiexec starts two or three processes that go on from the checkpoint. At a random moment one of
them gets SIGKILL or SIGSTOP. mpiexec must then end by itself, not with 0, and leave no process; where a
process was stopped, another has named its rank, host and step; the checkpoint must be whole. After the
last fault the training goes on to its end. Prints one line of JSON.
"""

import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EPOCHS, TIMEOUT = 60, 2.0
HANG = 60.0  # seconds after which it is one, whatever else this machine does


def train(path, log):
    """What each process runs: epochs of some milliseconds, and a line in the log after each of them."""
    import hashlib

    import numpy as np

    import clearprop as cp

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(203, 4)), rng.integers(0, 3, 203)
    net = cp.Network([4, 5, 3], seed=0)
    pace = float(os.environ.get("PACE", "0"))

    def note(training):
        if training.processes.is_first:
            with open(log, "a") as file:
                file.write(f"{training.epochs_done}\n")
        time.sleep(pace)

    among = {}
    if "PMI_RANK" in os.environ:
        from mpi4py import MPI

        world = MPI.COMM_WORLD
        rows = slice(203 * world.rank // world.size, 203 * (world.rank + 1) // world.size)
        X, y, among = X[rows], y[rows], {"communicator": world, "stall_timeout": TIMEOUT}
    net.fit(
        X, y, epochs=EPOCHS, batch_size=40, optimizer=cp.Adam(0.01), dropout=0.2, shards=8, progress=False,
        checkpoint=path, checkpoint_every="3epochs", resume=True, callbacks=[note], **among,
        engine="numpy",  # which starts in half the time
    )  # fmt: skip
    if not among or world.rank == 0:
        with open(log, "a") as file:
            file.write(f"done {hashlib.sha256(net.parameters.tobytes()).hexdigest()[:16]}\n")


def ranks(root, word="fault_harness"):
    """Return the processes below another whose command has a word, by their rank."""
    children, found = {}, {}
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                fields = (each / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(each.name))
            except OSError:
                continue
    queue = [root]
    while queue:
        pid = queue.pop()
        queue += children.get(pid, [])
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        rank = [each[9:] for each in environment if each.startswith(b"PMI_RANK=")]
        if rank and word.encode() in command:
            found[int(rank[0])] = pid
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


def wait_for(condition, what, process):
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, f"{what} took longer than {HANG} s"
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


class Faults:
    def __init__(self, folder, seed):
        self.path, self.log, self.errors = folder / "c.safetensors", folder / "log", folder / "errors"
        self.random = random.Random(seed)
        self.count = {"killed": 0, "stopped": 0}
        self.longest, self.finished = 0.0, 0
        self.mpiexec = shutil.which(
            "mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        )

    def start(self, size, pace):
        command = [
            self.mpiexec,
            "-n",
            str(size),
            sys.executable,
            __file__,
            "--train",
            self.path,
            self.log,
        ]
        return subprocess.Popen(
            list(map(str, command)), stdout=subprocess.DEVNULL, stderr=self.errors.open("w"),
            env=os.environ | {"PACE": str(pace)}, start_new_session=True,
        )  # fmt: skip

    def one(self):
        """Start, hurt one process, and see that all end."""
        size, stops = self.random.choice([2, 3]), self.random.random() < 0.5
        begun, pids = len(lines(self.log)), {}
        process = self.start(size, 0.02)
        try:
            if not wait_for(lambda: len(lines(self.log)) > begun, "the first epoch", process):
                raise AssertionError(f"mpiexec ended by itself: {self.errors.read_text()}")
            time.sleep(self.random.random() * 0.3)
            pids = ranks(process.pid)
            victim = self.random.randrange(size)
            if len(pids) < size or not self.hurt(
                pids[victim], signal.SIGSTOP if stops else signal.SIGKILL
            ):
                process.wait(HANG)  # all was done already
                self.again()
                return
            hurt = time.monotonic()
            try:
                code = process.wait(HANG)
            except subprocess.TimeoutExpired:
                left = [rank for rank, pid in pids.items() if alive(pid)]
                if stops and left == [victim] and lines(self.log)[-1].startswith("done"):
                    self.hurt(
                        pids[victim], signal.SIGKILL
                    )  # all others had ended: nobody is left to notice
                    process.wait(HANG)
                    self.again()
                    return
                facts = size, "stopped" if stops else "killed", victim, left, self.errors.read_text()
                raise AssertionError(f"a hang: {facts}, {lines(self.log)[-3:]}") from None
            self.longest = max(self.longest, time.monotonic() - hurt)
            said = self.errors.read_text()
            if lines(self.log)[-1].startswith("done"):
                # It was at its very end. In MPI's own no heart beats, and what ends it there cannot speak.
                wait_for_none(pids.values())
                self.again()
                return
            assert code != 0, said
            if stops:
                pattern = rf"rank {victim} on {re.escape(platform.node())} has given no sign of life .* at step \d+"
                assert self.path.exists() or "checkpoint" not in said, said
                assert re.search(pattern, said), (
                    victim,
                    said,
                    lines(self.log)[-3:],
                    sum(self.count.values()),
                )
            wait_for_none(pids.values())
            self.count["stopped" if stops else "killed"] += 1
        finally:
            for pid in (*pids.values(), process.pid):
                self.hurt(pid, signal.SIGKILL)
            process.wait()
        self.check()

    @staticmethod
    def hurt(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def check(self):
        from clearprop.checkpoint import read_tensors

        if self.path.exists():
            read_tensors(self.path)  # which verifies every byte

    def again(self):
        """Begin anew: the training was done before all faults were."""
        self.finished += 1
        assert lines(self.log)[-1] == f"done {self.unbroken}", lines(self.log)[-1]
        self.path.unlink()
        self.log.unlink()


def wait_for_none(pids):
    end = time.monotonic() + HANG
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end, "a process was left"
        time.sleep(0.01)


def main():
    number, seed = (
        int(sys.argv[1]),
        int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 0,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        faults = Faults(folder, seed)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PMI")}
        alone = folder / "alone"
        command = [sys.executable, __file__, "--train", folder / "alone.safetensors", alone]
        subprocess.run(command, check=True, env=environment)
        faults.unbroken = lines(alone)[-1].split()[1]
        while sum(faults.count.values()) < number:
            faults.one()
        assert faults.start(3, 0).wait(HANG) == 0, faults.errors.read_text()
        faults.again()
        print(
            json.dumps(
                faults.count | {"finished": faults.finished, "longest_s": round(faults.longest, 2)}
            )
        )


if __name__ == "__main__":
    if "--train" in sys.argv:
        train(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
