"""Has a change made anything slower? Instructions are counted first, then times taken in turns.

    python benchmarks/alarm.py OLD NEW [--works W1,W2] [--counts | --clock]

OLD and NEW are as in `same.py`. Prints NEW / OLD for each of WORKS, and the exit code is 1 if one is
slower by more than 5 %: by the clock, beyond noise, or in instructions, where the clock does not say
that it is faster. Ten minutes of CPU in all: choose with --works what is likely to change.

Instructions are those of three epochs, or some hundred predictions, after the first, counted by
Valgrind's callgrind on one thread and on dense inputs: the orders of samples, the steps and what is
recorded of them. They differ by one in 10,000 between two runs of the same. Valgrind knows no AVX-512
and tells programs that they run on a Haswell, for which the engine then compiles its kernels; this is
done before, outside of Valgrind. Counts are therefore of AVX2 code. They know nothing of caches, which
is what the clock is for.

Times are CPU time of both versions on one core, a unit of each in turn, as the CPU at hand runs them:
the median of 25 ratios, and the interval that has it with 95 %. Where that holds 1, it is noise.
Without Valgrind there is the clock alone.
"""

from __future__ import annotations

import argparse
import ast
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from same import checkout, environment

# Rows of an epoch that is counted, and of one that is timed; or calls.
WORKS = {
    "import": (1, 1),
    "W1": (2_000, 10_000),
    "W2": (1_000, 2_000),
    "W3": (1_280, 10_000),
    "W4": (256, 2_560),
    "W5": (1_024, 10_240),
    "W9": (1_000, 10_000),
    "short": (100, 100),  # rows of W9: what is done once in an epoch
    "one row": (300, 3_000),  # of 40-100-100-10, predicted
    "predict": (1_000, 10_000),  # rows of W1
}
LIMIT, PAIRS, EPOCHS = 1.05, 25, 3
Ratios = dict[str, list[float]]
SHOWN = """from llvmlite import binding
print(binding.get_host_cpu_name())
print({**binding.get_host_cpu_features()})"""


# --- what is measured, in a process of a version


def unit(name: str, size: int) -> Callable[[int], Any]:
    """Return what does a work so many times; it was done once."""
    import numpy as np

    import clearprop as cp

    if name == "one row":
        net, x = cp.Network([40, 100, 100, 10], "relu", seed=0), np.ones((1, 40), np.float32)
        return _repeated(lambda: [net.predict(x) for _ in range(size)])
    if name == "predict":
        net, X = cp.Network([784, 30, 10], "sigmoid", seed=0), np.ones((size, 784), np.float32)
        return _repeated(lambda: net.predict(X))
    if name == "import":
        return _repeated(lambda: subprocess.run([sys.executable, "-c", "import clearprop"], check=True))
    return _training("W9" if name == "short" else name, size)


def _repeated(do: Callable[[], Any]) -> Callable[[int], Any]:
    do()
    return lambda times: [do() for _ in range(times)]


def _training(name: str, rows: int) -> Callable[[int], Any]:
    import numpy as np
    from workloads import WORKLOADS, initial_parameters

    import clearprop as cp
    from clearprop.training import loop

    loop.STRETCH_SECONDS = 1e6  # else the clock says how often an epoch is interrupted
    work = WORKLOADS[name]
    work = replace(work, n_samples=rows, batch=min(work.batch, rows))
    rng = np.random.default_rng(0)
    X = np.abs(rng.standard_normal((rows, work.sizes[0]), dtype=np.float32)) / 3  # no zeros
    Y = rng.integers(0, 10, rows) if work.output != "identity" else X[:, : work.sizes[-1]] * X[:, 1:2]
    net = cp.Network(list(work.sizes), work.hidden, work.output, work.cost, seed=0)
    for W, b, given, zeros in zip(net.weights, net.biases, *initial_parameters(work), strict=True):
        W[:], b[:] = given, zeros
    optimizer = {"sgd": cp.SGD, "adam": cp.Adam}[work.optimizer](work.rate)
    how = {"epochs": 100, "batch_size": work.batch, "optimizer": optimizer, "engine": "numba"}
    training = cp.Training(net, X, Y, **how, n_threads=1, progress=False)
    training.run(1)
    return training.run


def warm(names: list[str], cpu: str, features: dict[str, bool]) -> None:
    """Let the kernels be compiled for the CPU that Valgrind shows; its code runs here as well."""
    from llvmlite import binding

    known = type(binding.get_host_cpu_features())(features)
    binding.get_host_cpu_name, binding.get_host_cpu_features = lambda: cpu, lambda: known
    for name in names:
        unit(name, min(WORKS[name][0], 256))


def count(names: list[str]) -> None:
    """Do each work between two calls that nothing else makes: callgrind begins and ends with them."""
    if "import" in names:
        os.getpgid(0)
        import clearprop  # noqa: F401

        os.getppid()
    for name in names:
        if name != "import":
            run = unit(name, WORKS[name][0])
            os.getpgid(0)
            run(EPOCHS)
            os.getppid()


def answer(names: list[str]) -> None:
    """For each name that is asked for, do its work once and print the seconds of CPU."""
    units = {name: unit(name, WORKS[name][1]) for name in names}
    for line in sys.stdin:
        began = _cpu_seconds()
        units[line.strip()](1)
        print(_cpu_seconds() - began, flush=True)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)  # as good as none, but for "import"
    return time.process_time() + children.ru_utime + children.ru_stime


# --- both versions


def _me(*words: str) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve()), *words]


def _variables(source: Path, folder: Path) -> dict[str, str]:
    (folder / "cache").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "work").mkdir(exist_ok=True)
    return environment(source, folder)


def counted(source: Path, folder: Path, names: list[str]) -> dict[str, int]:
    """Return the instructions of each work with a version's source."""
    how: dict[str, Any] = {"env": _variables(source, folder), "cwd": folder, "check": True}
    told = subprocess.run(
        ["valgrind", "--quiet", "--tool=none", sys.executable, "-c", SHOWN],
        capture_output=True, text=True, **how,
    )  # fmt: skip
    subprocess.run(_me("--warm", *told.stdout.splitlines(), *names), **how)
    file = folder / "counts"
    tool = ["--tool=callgrind", "--zero-before=getpgid", "--dump-before=getppid"]
    valgrind = ["valgrind", "--quiet", *tool, f"--callgrind-out-file={file}"]
    subprocess.run([*valgrind, *_me("--count", *names)], **how)
    ordered = sorted(names, key=lambda name: name != "import")  # it can be made once, before all
    return {name: _total(Path(f"{file}.{i}")) for i, name in enumerate(ordered, 1)}


def _total(file: Path) -> int:
    totals = next(line for line in file.read_text().splitlines() if line.startswith("totals:"))
    return int(totals.split()[1])


def timed(sources: dict[str, Path], folder: Path, names: list[str]) -> Ratios:
    """Return for each work the ratios of the times NEW / OLD of units that took turns."""
    core = sorted(os.sched_getaffinity(0))[-1]
    asked = {
        side: subprocess.Popen(
            _me("--answer", *names), env=_variables(source, folder / side), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, [core]),
        )
        for side, source in sources.items()
    }  # fmt: skip

    def seconds(side: str, name: str) -> float:
        process = asked[side]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        ratios: Ratios = {name: [] for name in names}
        for name in names:
            for side in asked:
                seconds(side, name)  # once for caches
            for pair in range(PAIRS):
                order = list(asked) if pair % 2 else list(asked)[::-1]
                took = {side: seconds(side, name) for side in order}
                ratios[name].append(took["new"] / took["old"])
    finally:
        for process in asked.values():
            process.communicate()
    return ratios


# --- what follows from it


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median, and between which two of the ratios it is with 95 %: no shape is assumed."""
    n, tail, k = len(ratios), 0.0, 0
    while (tail := tail + math.comb(n, k) / 2**n) <= 0.025:
        k += 1
    ordered = [-math.inf, *sorted(ratios), math.inf]
    return ordered[k], median(ratios), ordered[-1 - k]


def slower(instructions: float | None, ratios: list[float]) -> bool:
    """Return whether a work is slower by more than 5 %, of whichever was measured."""
    least, middle, most = interval(ratios) if ratios else (1.0, 1.0, math.inf)
    more = instructions is not None and instructions > LIMIT
    return (middle > LIMIT and least > 1.0) or (more and most > 1.0)


def said(instructions: float | None, ratios: list[float]) -> str:
    """Return a line's figures."""
    parts = [] if instructions is None else [f"instructions x {instructions:.4f}"]
    if ratios:
        least, middle, most = interval(ratios)
        parts.append(f"time x {middle:.3f} ({least:.3f} to {most:.3f})")
    return ", ".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--works", default=",".join(WORKS))
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--counts", action="store_true", help="instructions alone")
    only.add_argument("--clock", action="store_true", help="times alone")
    options = parser.parse_args()
    names = options.works.split(",")
    if unknown := [name for name in names if name not in WORKS]:
        raise SystemExit(f"--works must be among {', '.join(WORKS)}, got {', '.join(unknown)}")
    if shutil.which("valgrind") is None:
        if options.counts:
            raise SystemExit("--counts needs valgrind, which is not installed")
        print("valgrind is not installed: by the clock alone")
        options.clock = True
    found: dict[str, float] = {}
    ratios: Ratios = {}
    with ExitStack() as keep:
        folder = Path(keep.enter_context(tempfile.TemporaryDirectory())).resolve()
        sources = {"old": checkout(options.old, keep), "new": checkout(options.new, keep)}
        if not options.clock:
            old, new = (counted(source, folder / side, names) for side, source in sources.items())
            found = {name: new[name] / old[name] for name in names}
        if not options.counts:
            ratios = timed(sources, folder, names)
    measured = {name: (found.get(name), ratios.get(name, [])) for name in names}
    for name, what in measured.items():
        print(f"{name:8} {said(*what)}{'  SLOWER' if slower(*what) else ''}")
    return int(any(slower(*what) for what in measured.values()))


INSIDE: dict[str, Any] = {"--answer": lambda *names: answer(list(names))}
INSIDE["--count"] = lambda *names: count(list(names))
INSIDE["--warm"] = lambda cpu, features, *names: warm(list(names), cpu, ast.literal_eval(features))

if __name__ == "__main__":
    inside = INSIDE.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if inside is not None:
        inside(*sys.argv[2:])
    else:
        sys.exit(main())
