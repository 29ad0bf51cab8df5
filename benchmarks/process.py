"""A contestant's process: started with its threads pinned, asked over a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NPROC",  # XLA's thread pool
)


class Failed(RuntimeError):
    """A contestant could not do what it was asked."""


def environment(threads: int) -> dict[str, str]:
    pinned = dict.fromkeys(COUNTS, str(threads))
    eigen = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    return {**os.environ, **pinned, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def pin(threads: int) -> None:
    """Keep this process on `threads` cores: the one limit that every library obeys."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


class Process:
    def __init__(self, name: str, threads: int, folder: Path) -> None:
        self.name, self.threads = name, threads
        self.running = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("worker.py")),
                name,
                str(threads),
                str(folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(threads),
            preexec_fn=lambda: pin(threads),
        )
        self.missing = self._answer().get("missing")

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self.running.stdin is not None
        try:
            self.running.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.running.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"{self.name} ended with exit code {self.running.wait()}") from None
        answer = self._answer()
        if "error_message" in answer:
            raise Failed(f"{self.name}: {answer['error_message']}")
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended with exit code {self.running.wait()}")
        return json.loads(line)

    def close(self) -> None:
        assert self.running.stdin is not None
        try:
            self.running.stdin.close()
            self.running.wait(timeout=10)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.running.kill()


def pinned(threads: int) -> bool:
    """Return whether this process was started with its threads pinned."""
    return os.environ.get("CLEARPROP_BENCH_PINNED") == str(threads)


def again_pinned(threads: int) -> int:
    """Run this script again with its threads pinned; libraries read the variables when they load."""
    pin(threads)
    env = {**environment(threads), "CLEARPROP_BENCH_PINNED": str(threads)}
    return subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode
