"""What an installation weighs: the wheel in a fresh environment alone, and with each extra.

    python benchmarks/extras.py [WHEEL] [--only plot,jit]

WHEEL is by default the one of `make wheel` for this machine. An installation's weight is what its
environment takes on the disk afterwards less what it took when it was empty, in MB of 2**20 bytes as
`du -m` counts them; an extra's is that of the wheel with it less that of the wheel alone. The extra
`bench` has PyTorch, gigabytes, and is left out. Results: benchmarks/results/extras.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")
LEFT_OUT = {"bench"}


def extras() -> list[str]:
    """Return the names of the extras."""
    return [*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]]


def weight(environment: Path) -> dict[str, float]:
    """Return what an environment takes on the disk, in MB, and how many packages it has."""
    found = [path.lstat() for path in environment.rglob("*")]
    n_bytes = sum({each.st_ino: each.st_blocks * 512 for each in found}.values())
    packages = [*environment.glob("lib/python*/site-packages/*.dist-info")]
    return {"MB": n_bytes / 2**20, "packages": len(packages)}


def less(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Return by how much one weighs more than another."""
    return {what: one[what] - other[what] for what in one}


def installed(wheel: Path, extra: str = "") -> dict[str, float]:
    """Return what a wheel, with an extra or without, adds to an empty environment."""
    with tempfile.TemporaryDirectory(prefix="clearprop-extras-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        empty = weight(Path(folder))
        pip = [f"{folder}/bin/pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, f"{wheel}[{extra}]" if extra else str(wheel)], check=True)
        return less(weight(Path(folder)), empty)


def markdown(about: dict[str, Any], weights: dict[str, dict[str, float]]) -> str:
    """Return the table."""
    alone = weights[""]
    lines = ["# What an installation weighs", "", *machine.lines(about), ""]
    lines += ["| | MB | packages |", "| --- | ---: | ---: |"]
    lines.append(f"| the wheel alone | {alone['MB']:.0f} | {alone['packages']} |")
    for name, its in weights.items():
        if name:
            more = less(its, alone)
            lines.append(f"| `[{name}]` adds | {more['MB']:.0f} | {more['packages']} |")
    return "\n".join(lines) + "\n\n`[bench]` was not installed: PyTorch alone is gigabytes.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, nargs="?")
    parser.add_argument("--only", default=",".join(each for each in extras() if each not in LEFT_OUT))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    built = sorted((ROOT / "dist").glob(f"*manylinux*_{os.uname().machine}.whl"))
    if not (options.wheel or built):
        parser.error("WHEEL must be given where dist/ has none for this machine: make wheel builds it")
    wheel, about = options.wheel or built[-1], machine.describe()
    weights = {}
    for name in ["", *options.only.split(",")]:
        weights[name] = installed(wheel.resolve(), name)
        print(name or "the wheel alone", weights[name], file=sys.stderr, flush=True)
    text = markdown(about, weights)
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "extras.md").write_text(text)
    kept = {"machine": about, "weights": weights}
    (options.output / "extras.json").write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
