"""How long until something happens: import, first fit, the command line from a cold process.

Every figure is the wall-clock time of a process of its own; the commands take turns, several rounds.
Results: benchmarks/results/, as JSON and Markdown.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import machine

RESULTS = Path(__file__).with_name("results")

# The set ships with scikit-learn; loading it is no part of the fit that is timed inside.
FIT = """
import json, time
import clearprop as cp
from sklearn.datasets import load_digits
X, y = load_digits(return_X_y=True)
X = X / 16
net = cp.Network([64, 30, 10], seed=0)
began, cpu = time.perf_counter(), time.process_time()
net.fit(X, y, epochs=1, batch_size=10, optimizer=cp.SGD(0.5), seed=0, progress=False)
first = time.perf_counter() - began, time.process_time() - cpu
began, cpu = time.perf_counter(), time.process_time()
net.fit(X, y, epochs=1, batch_size=10, optimizer=cp.SGD(0.5), seed=0, progress=False)
second = time.perf_counter() - began, time.process_time() - cpu
print(json.dumps({"first fit": first, "second fit": second}))
"""


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command: Sequence[str], **variables: str) -> tuple[tuple[float, float], str]:
    """Return the wall-clock and CPU seconds that a process took, and what it printed."""
    cpu, began = cpu_of_children(), time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **variables}, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command[-3:])} failed:\n{done.stderr}")
    return (seconds, cpu_of_children() - cpu), done.stdout


class Starts:
    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.seconds: dict[str, list[float]] = {}
        self.cpu_seconds: dict[str, list[float]] = {}
        self.caches = 0

    def _keep(self, name: str, taken: tuple[float, float]) -> None:
        self.seconds.setdefault(name, []).append(taken[0])
        self.cpu_seconds.setdefault(name, []).append(taken[1])

    def empty_cache(self) -> str:
        self.caches += 1
        folder = self.scratch / f"cache-{self.caches}"
        folder.mkdir()
        return str(folder)

    def imports(self) -> None:
        for module in ("numpy", "clearprop", "sklearn.neural_network", "numba", "torch", "jax"):
            if importlib.util.find_spec(module.split(".")[0]):
                self._keep(f"import {module}", timed([sys.executable, "-c", f"import {module}"])[0])
        self._keep("python alone", timed([sys.executable, "-c", "pass"])[0])

    def fits(self) -> None:
        cache = self.empty_cache()
        for state in ("empty", "warm"):
            seconds, printed = timed([sys.executable, "-c", FIT], CLEARPROP_CACHE=cache)
            self._keep(f"process that fits digits, {state} cache", seconds)
            for name, value in json.loads(printed.splitlines()[-1]).items():
                self._keep(f"{name} of digits, {state} cache", value)

    def command_line(self) -> None:
        if importlib.util.find_spec("clearprop.cli") is None:
            return
        command = [str(Path(sys.executable).with_name("clearprop"))]
        if not Path(command[0]).exists():
            command = [
                sys.executable,
                "-c",
                "import sys; from clearprop.cli import main; sys.exit(main())",
            ]
        self._keep("clearprop --help", timed([*command, "--help"])[0])
        cache = self.empty_cache()
        for state in ("empty", "warm"):
            model = str(self.scratch / f"digits-{self.caches}-{state}.safetensors")
            seconds, _ = timed([*command, "train", "digits", "--output", model], CLEARPROP_CACHE=cache)
            self._keep(f"clearprop train digits, {state} cache", seconds)


def table(seconds: dict[str, list[float]], cpu: dict[str, list[float]]) -> str:
    lines = ["| | median | least | most | CPU, median |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {name} | {statistics.median(taken):.3f} s | {min(taken):.3f} s | {max(taken):.3f} s "
        f"| {statistics.median(cpu[name]):.3f} s |"
        for name, taken in seconds.items()
    ]
    pairs = zip(seconds.get("import clearprop", []), seconds.get("import numpy", []), strict=False)
    if ratios := [ours / theirs for ours, theirs in pairs]:
        lines.append(
            f"| import clearprop / import numpy | {statistics.median(ratios):.2f} "
            f"| {min(ratios):.2f} | {max(ratios):.2f} | |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="imports,fits,command_line")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    about: dict[str, Any] = {"machine": machine.describe()}
    with tempfile.TemporaryDirectory(prefix="clearprop-start-") as scratch:
        starts = Starts(Path(scratch))
        parts: list[Callable[[], None]] = [getattr(starts, name) for name in options.only.split(",")]
        for part in parts:
            if part.__name__ == "imports":
                part()  # once in vain: the files come from memory afterwards, for everyone
                starts.seconds.clear()
                starts.cpu_seconds.clear()
        for turn in range(options.rounds):
            for part in parts:
                print(f"round {turn + 1}: {part.__name__}", file=sys.stderr, flush=True)
                part()
    text = "\n".join(
        [
            "# Starting",
            "",
            *machine.lines(about["machine"]),
            "",
            table(starts.seconds, starts.cpu_seconds),
        ]
    )
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "start.md").write_text(text)
    about |= {"seconds": starts.seconds, "cpu_seconds": starts.cpu_seconds}
    (options.output / "start.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
