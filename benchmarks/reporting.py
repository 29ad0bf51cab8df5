"""How long a report takes: of 100,000 rows and 60 columns, two classes or a quantity.

    python benchmarks/reporting.py [--rows 100000] [--columns 60] [--cores 0,1]

A table of numbers (some with gaps), of categories and of a target is made, a network of the preset
"realmlp-s" learns 20,000 other rows of it for two epochs, and ``clearprop report`` runs as a process of
its own on the cores named. Seconds by the clock, of the CPU, and the peak of its memory go to
``results/reporting.md``: those by the clock say little where others compute on the same cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results" / "reporting.md"
TRAINED, LIMIT = 20_000, 60.0


def table(rows: int, columns: int, seed: int, *, classes: bool) -> pd.DataFrame:
    """Return three quarters of numbers, every fifth with gaps, one quarter of categories, and y."""
    rng = np.random.default_rng(seed)
    numbers = columns * 3 // 4
    X = rng.normal(size=(rows, numbers)).round(4)
    score = X[:, :8] @ np.linspace(1.0, 0.2, 8) + 0.5 * X[:, 0] * X[:, 1] + rng.normal(size=rows)
    found = {f"number {k}": X[:, k].copy() for k in range(numbers)}
    for k in range(0, numbers, 5):
        found[f"number {k}"][rng.random(rows) < 0.05] = np.nan
    for k in range(columns - numbers):
        codes = rng.integers(0, 3 + k, rows)
        score += 0.3 * (codes == 0)
        found[f"word {k}"] = np.array([f"value {code}" for code in range(3 + k)])[codes]
    found["y"] = np.where(score > 0, "yes", "no") if classes else score.round(4)
    return pd.DataFrame(found)


def measured(folder: Path, rows: int, columns: int, cores: set[int], *, classes: bool) -> str:
    """Return a line of the results."""
    clearprop = [sys.executable, "-m", "clearprop"]
    trained, asked, model = (folder / name for name in ("t.csv", "r.csv", "m.safetensors"))
    table(TRAINED, columns, 0, classes=classes).to_csv(trained, index=False)
    table(rows, columns, 1, classes=classes).to_csv(asked, index=False)
    learn = ["train", trained, "--target", "y", "--epochs", "2", "--seed", "0", "--quiet"]
    subprocess.run([*clearprop, *map(str, learn), "--output", str(model)], check=True)
    page = folder / "report.html"
    command = [*clearprop, "report", str(model), str(asked), "--output", str(page)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, preexec_fn=lambda: os.sched_setaffinity(0, cores))
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    kind = "two classes" if classes else "a quantity"
    cells = [kind, f"{rows:,}", f"{columns}", f"{seconds:.1f}", f"{cpu:.1f}"]
    return f"| {' | '.join(cells)} | {after.ru_maxrss / 2**20:.1f} | {page.stat().st_size / 1000:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=60)
    parser.add_argument("--cores", default="0,1")
    options = parser.parse_args()
    cores = {int(each) for each in options.cores.split(",")}
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            measured(Path(folder), options.rows, options.columns, cores, classes=classes)
            for classes in (True, False)
        ]
    text = [
        "# Reports", "", *machine.lines(machine.describe()), "",
        f"`clearprop report` as a process, on {len(cores)} cores; wanted are under {LIMIT:g} s for "
        "100,000 rows of 60 columns.",
        "",
        "| target | rows | columns | seconds | CPU seconds | peak memory, GiB | page, kB |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *lines,
        "",
        f"Load of the machine as it ended: {os.getloadavg()[0]:.1f}.",
        "",
    ]  # fmt: skip
    RESULTS.write_text("\n".join(text), "utf-8")
    print(RESULTS.read_text("utf-8"))


if __name__ == "__main__":
    main()
