"""Kill a training with SIGKILL again and again; it must end with the bits of the unbroken run.

    python tests/training/kill_harness.py ENGINE CHECKPOINT_EVERY KILLS [FOLDER] [--forget] [--stream]

A warmed-up process forks a child that trains, and kills it: every other time at a random moment, otherwise
while it is writing its checkpoint (it says so in the log). The next child resumes. Every step and every
save is in a log that survives the kills; from it the harness asserts that no more than one checkpoint
interval is ever done twice. Prints one line of JSON. With --forget, a resumed
run loses Adam's moments: the harness has to notice. With --stream, the rows pass through a buffer of 40.
"""

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a child forked from a threaded process may hang

import numpy as np

import clearprop as cp
from clearprop import checkpoint
from clearprop.training import loop

EPOCHS, BATCH, N = 100, 5, 203
STEPS = -(-N // BATCH)
DEADLINE = 60.0  # a child that makes no progress for so long is a hang


def train(engine: str, every: str, path: Path | None, log: int | None) -> str:
    """Train, resuming from `path` if it is there; return the fingerprint of all that was learned."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(N, 4)), rng.integers(0, 3, N)
    net = cp.Network([4, 5, 3], seed=0)
    if log is not None:
        watch(log)
    settings = {} if path is None else {"checkpoint": path, "checkpoint_every": every, "resume": True}
    rows = (
        (cp.data.RowStream.of_arrays(X, Y, buffer_rows=40), None) if "--stream" in sys.argv else (X, Y)
    )
    training = cp.Training(
        net, *rows, epochs=EPOCHS, batch_size=BATCH, optimizer=cp.Adam(0.01), dropout=0.2, engine=engine,
        progress=False, validation_data=(X[:50], Y[:50]), n_threads=1, **settings,
    )  # fmt: skip
    if log is not None:
        os.write(log, f"start {training.state.step}\n".encode())
    if "--forget" in sys.argv and log is not None:
        training.state.moments[:] = 0
    history = training.run()
    columns = {k: v for k, v in history.to_dict().items() if k not in ("seconds", "samples_per_second")}
    digest = hashlib.sha256(net.parameters.tobytes() + training.state.moments.tobytes())
    digest.update(json.dumps(columns).encode())
    return digest.hexdigest()


def watch(log: int) -> None:
    """Write every stretch and every save to the log, and make stretches short."""
    loop.STRETCH_SECONDS = 0.001
    stretch, write = loop.Loop._stretch, checkpoint.write_tensors

    def logged_stretch(self, interrupts, deadline, shown):
        stretch(self, interrupts, deadline, shown)
        os.write(log, f"step {self.state.step}\n".encode())

    def logged_write(path, tensors, metadata):
        step = metadata["training"]["state"]["step"]
        os.write(log, f"saving {step}\n".encode())
        write(path, tensors, metadata)
        os.write(log, f"saved {step}\n".encode())

    loop.Loop._stretch = logged_stretch
    checkpoint.write_tensors = logged_write


def wait_for(log: Path, word: str, times: int, child: int, known: int) -> int | None:
    """Wait for so many new lines that begin with `word`; return the child's status if it ended."""
    began = time.monotonic()
    while time.monotonic() - began < DEADLINE:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if sum(line.startswith(word) for line in log.read_text()[known:].splitlines()) >= times:
            return None
        time.sleep(0.0002)
    raise SystemExit(f"hang: no {word!r} for {DEADLINE} s")


def one_child(
    engine: str, every: str, path: Path, log: Path, aim: str | None, rng: random.Random
) -> bool:
    """Fork a child and kill it as `aim` says; return whether it came to its end."""
    known = len(log.read_text()) if log.exists() else 0
    child = os.fork()
    if child == 0:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        result = train(engine, every, path, descriptor)
        os.write(descriptor, f"done {result}\n".encode())
        os._exit(0)
    log.touch()
    if aim == "save":
        status = wait_for(log, "saving", rng.randint(1, 12), child, known)
    elif aim == "any":
        status = wait_for(log, "start", 1, child, known)
    else:
        status = os.waitpid(child, 0)[1]
    if status is None:
        time.sleep(
            rng.uniform(0, 0.002) if aim == "save" else rng.choice([0.002, 0.05, 0.2]) * rng.random()
        )
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"a child ended with {os.WEXITSTATUS(status)}")
    return os.WIFEXITED(status)


def check(log: str, every: str) -> int:
    """Assert that no more than one interval was done twice; return the largest number of repeated steps."""
    saved = reached = repeated = 0
    for line in log.splitlines():
        word, _, rest = line.partition(" ")
        if word == "start":
            step = int(rest)
            assert step >= saved, f"resumed at step {step}, after step {saved} was saved"
            repeated = max(repeated, reached - step)
            if every == "1epoch":
                assert reached - step <= STEPS, f"{reached - step} steps were done twice"
            reached = step
        elif word == "step":
            reached = int(rest)
        elif word == "saved":
            saved = int(rest)
    return repeated


def main() -> None:
    engine, every, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    rng = random.Random(0)
    expected = train(engine, every, None, None)
    given = [word for word in sys.argv[4:] if not word.startswith("--")]
    folder = Path(given[0] if given else tempfile.mkdtemp())
    done, runs, repeated, in_save = 0, 0, 0, 0
    while done < kills:
        path, log = folder / f"{runs}.safetensors", folder / f"{runs}.log"
        runs += 1
        ended = False
        while not ended:
            aim = None if done >= kills else "save" if done % 2 else "any"
            ended = one_child(engine, every, path, log, aim, rng)
            if not ended:
                done += 1
                lines = log.read_text().splitlines()
                in_save += bool(lines) and lines[-1].startswith("saving")
        text = log.read_text()
        repeated = max(repeated, check(text, every))
        result = text.splitlines()[-1].removeprefix("done ")
        assert result == expected, "the bits differ from the unbroken run's"
        left = sorted(
            p.name for p in folder.iterdir() if not p.name.endswith((".log", ".lock", ".safetensors"))
        )
        assert not left, f"left behind: {left}"
    print(
        json.dumps(
            {
                "kills": done,
                "in_the_middle_of_a_save": in_save,
                "runs": runs,
                "most_steps_repeated": repeated,
            }
        )
    )


if __name__ == "__main__":
    main()
