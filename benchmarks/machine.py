"""What a measurement was made on: machine, versions, commit, date."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LIBRARIES = (
    "clearprop",
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "torch",
    "jax",
    "jaxlib",
)
# Each of these changes which kernels run or on how many threads.
VARIABLES = ("OPENBLAS_CORETYPE", "MKL_DEBUG_CPU_TYPE", "NUMBA_CPU_NAME", "MALLOC_CONF", "LD_PRELOAD")


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return "unknown"


def _commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "../src")
        return git("rev-parse", "--short=12", "HEAD") + (" with changes in src" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES if version(name)},
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "load_at_start": round(load, 2),
    }


def lines(about: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    said = [
        f"- {about['date']}, commit {about['commit']}",
        f"- {about['cpu']}, {about['cores']} cores, {about['memory']}, {about['system']}; "
        f"load at the start {about['load_at_start']}",
        f"- Python {about['python']}, {versions}",
    ]
    if about["environment"]:
        said.append("- environment: " + ", ".join(f"{k}={v}" for k, v in about["environment"].items()))
    return said
