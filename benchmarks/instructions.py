"""Is a version slower than another? Instructions of one epoch of W1 to W5, counted; or their time.

    python benchmarks/instructions.py OLD NEW [--workloads W1,W2] [--clock]

OLD and NEW are as in `same.py`. Prints NEW / OLD for each workload; the exit code is 1 if one is above
1.02. What twenty epochs more add to a training is counted, by Valgrind's callgrind, on one thread and
on dense inputs: the orders of samples, the steps and what is recorded of them. Twenty, because two
processes that do the same differ by about ten million instructions. Valgrind knows no AVX-512
and tells programs that they run on a Haswell, for which the engine then compiles its kernels; this is
done before, outside of Valgrind. Counts are therefore of AVX2 code. Four processes are
run for each workload, ten minutes of CPU in all: choose with --workloads what is likely to change.

With --clock, epochs of both versions take turns on one core, as the CPU at hand runs them: the median
of 9 ratios of speeds NEW / OLD, with the smallest and the largest. The exit code is 1 if a median is
below 0.95. Only for a machine that does nothing else.

Epochs have fewer rows than the workloads: counts grow with them, ratios do not.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from same import checkout, environment

ROWS = {"W1": 2_000, "W2": 1_000, "W3": 1_280, "W4": 256, "W5": 1_024}  # of an epoch that is counted
CLOCK_ROWS = {"W1": 10_000, "W2": 2_000, "W3": 10_000, "W4": 2_560, "W5": 10_240}
MOST, LEAST, PAIRS, EPOCHS = 1.02, 0.95, 9, 20
SHOWN = """from llvmlite import binding
print(binding.get_host_cpu_name())
print({**binding.get_host_cpu_features()})"""


def prepared(name: str, rows: int) -> Any:
    """Return a training of a workload whose first epoch is done."""
    import numpy as np
    from workloads import WORKLOADS, initial_parameters

    import clearprop as cp
    from clearprop.training import loop

    loop.STRETCH_SECONDS = (
        1e6  # else the clock says how often an epoch is interrupted, and Valgrind is slow
    )
    work = replace(WORKLOADS[name], n_samples=rows)
    rng = np.random.default_rng(0)
    X = np.abs(rng.standard_normal((rows, work.sizes[0]), dtype=np.float32)) / 3  # no zeros
    Y = rng.integers(0, 10, rows) if work.output != "identity" else X[:, :1] * X[:, 1:2]
    net = cp.Network(list(work.sizes), work.hidden, work.output, work.cost, seed=0)
    for W, b, given, zeros in zip(net.weights, net.biases, *initial_parameters(work), strict=True):
        W[:], b[:] = given, zeros
    optimizer = {"sgd": cp.SGD, "adam": cp.Adam}[work.optimizer](work.rate)
    how = {"epochs": 100, "batch_size": work.batch, "optimizer": optimizer, "engine": "numba"}
    training = cp.Training(net, X, Y, **how, n_threads=1, progress=False)
    training.run(1)
    return training


def warm(names: list[str], cpu: str, features: dict[str, bool]) -> None:
    """Let the kernels be compiled for the CPU that Valgrind shows; its code runs here as well."""
    from llvmlite import binding
    from workloads import WORKLOADS

    known = type(binding.get_host_cpu_features())(features)
    binding.get_host_cpu_name, binding.get_host_cpu_features = lambda: cpu, lambda: known
    for name in names:
        prepared(name, WORKLOADS[name].batch)


def answer(names: list[str]) -> None:
    """For each name that is asked for, train an epoch and print its seconds."""
    import time

    trainings = {name: prepared(name, CLOCK_ROWS[name]) for name in names}
    for line in sys.stdin:
        began = time.perf_counter()
        trainings[line.strip()].run(1)
        print(time.perf_counter() - began, flush=True)


def _me(*words: str) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve()), *words]


def counted(source: Path, folder: Path, names: list[str]) -> dict[str, int]:
    """Return the instructions of an epoch of each workload with a version's source."""
    how: dict[str, Any] = {"env": _variables(source, folder), "cwd": folder}
    told = subprocess.run(
        ["valgrind", "--quiet", "--tool=none", sys.executable, "-c", SHOWN],
        check=True, capture_output=True, text=True, **how,
    )  # fmt: skip
    subprocess.run(_me("--warm", *told.stdout.splitlines(), *names), check=True, **how)
    return {
        name: (_of_epochs(name, 1 + EPOCHS, how) - _of_epochs(name, 1, how)) // EPOCHS for name in names
    }


def _of_epochs(name: str, more: int, how: dict[str, Any]) -> int:
    """Return the instructions of a process that trains one epoch, and so many more."""
    file = how["cwd"] / f"{name}-{more}"
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={file}"]
    subprocess.run([*valgrind, *_me("--train", name, str(more))], check=True, **how)
    totals = next(line for line in file.read_text().splitlines() if line.startswith("totals:"))
    return int(totals.split()[1])


def _variables(source: Path, folder: Path) -> dict[str, str]:
    (folder / "cache").mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "work").mkdir(exist_ok=True)
    return environment(source, folder)


def timed(sources: dict[str, Path], folder: Path, names: list[str]) -> dict[str, list[float]]:
    """Return for each workload the ratios of the speeds of epochs that took turns."""
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
        ratios: dict[str, list[float]] = {name: [] for name in names}
        for name in names:
            for side in asked:
                seconds(side, name)  # once for caches
            for pair in range(PAIRS):
                order = list(asked) if pair % 2 else list(asked)[::-1]
                took = {side: seconds(side, name) for side in order}
                ratios[name].append(took["old"] / took["new"])
    finally:
        for process in asked.values():
            process.communicate()
    return ratios


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--workloads", default=",".join(ROWS))
    parser.add_argument("--clock", action="store_true", help="by the clock, not by counting")
    options = parser.parse_args()
    names = options.workloads.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        raise SystemExit(f"--workloads must be among {', '.join(ROWS)}, got {', '.join(unknown)}")
    slower = False
    with ExitStack() as keep:
        folder = Path(keep.enter_context(tempfile.TemporaryDirectory())).resolve()
        sources = {"old": checkout(options.old, keep), "new": checkout(options.new, keep)}
        if options.clock:
            for name, ratios in timed(sources, folder, names).items():
                slower |= median(ratios) < LEAST
                spread = f"({min(ratios):.3f} to {max(ratios):.3f})"
                print(f"{name}  {median(ratios):.3f} {spread} of the speed")
        else:
            old, new = (counted(source, folder / side, names) for side, source in sources.items())
            for name in names:
                ratio = new[name] / old[name]
                slower |= ratio > MOST
                print(f"{name}  {old[name]:15,} {new[name]:15,} instructions, {ratio:.4f}")
    return int(slower)


INSIDE: dict[str, Any] = {"--answer": lambda *names: answer(list(names))}
INSIDE["--train"] = lambda name, more: prepared(name, ROWS[name]).run(int(more))
INSIDE["--warm"] = lambda cpu, features, *names: warm(list(names), cpu, ast.literal_eval(features))

if __name__ == "__main__":
    inside = INSIDE.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if inside is not None:
        inside(*sys.argv[2:])
    else:
        sys.exit(main())
