"""Do two versions do the same, to the bit? The golden runs of both, compared.

    python benchmarks/same.py OLD NEW [--expect FILE] [--only NAME ...]

OLD and NEW are folders with a checkout, or revisions of git, which are checked out for the time. The
runs of `golden/` are made by this Python with the source of each, side by side, each with machine code
of its own, which is compiled afresh. Parameters are compared bit by bit, so both must run on this
machine; what the clock says is left out by its name. Every difference is printed: which run, which
quantity, what was and what is. The exit code is 1 if there is any, but for those that FILE expects, 2
if there is nothing to compare.

FILE (TOML; `intended.toml` is one) has a table for each change that is meant:

    [[change]]
    reason = "a column that does not vary becomes 0, in what is predicted too"
    run = "*: constant column"      # patterns, as of file names
    quantity = "*"                  # if not given: all
    new = "regression"              # if given: what the new value's text must hold
"""

from __future__ import annotations

import argparse
import base64
import difflib
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
LINES, WIDTH = 12, 160  # of one difference, at most
ABSENT = object()


# What is compared


@dataclass(frozen=True)
class Difference:
    """One quantity of one run, and how it differs, ready to be printed."""

    run: str
    quantity: str
    said: str
    new: str  # the new value's text


@dataclass
class Change:
    """A difference that is meant."""

    reason: str
    run: str = "*"
    quantity: str = "*"
    new: str = ""
    seen: list[Difference] = field(default_factory=list)

    def covers(self, found: Difference) -> bool:
        return (
            fnmatch.fnmatchcase(found.run, self.run)
            and fnmatch.fnmatchcase(found.quantity, self.quantity)
            and self.new in found.new
        )


def compare(run: str, old: Any, new: Any, quantity: str = "") -> Iterator[Difference]:
    """Yield the differences between two values, part by part."""
    if old == new and json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True):
        return
    if _is_array(old) and _is_array(new):
        yield Difference(run, quantity, _arrays(old, new), _text(new))
    elif isinstance(old, dict) and isinstance(new, dict) and not (_is_array(old) or _is_array(new)):
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{quantity} / {name}" if quantity else name
            yield from compare(run, old.get(name, ABSENT), new.get(name, ABSENT), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and not _flat(old):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from compare(run, one, other, f"{quantity} / {i}")
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        yield Difference(run, quantity, _texts(old, new), new)
    elif not _same_nan(old, new):
        yield Difference(run, quantity, f"old {_short(old)}\nnew {_short(new)}", _text(new))


def _is_array(value: Any) -> bool:
    return isinstance(value, dict) and "bits" in value


def _flat(values: list[Any]) -> bool:
    return not any(isinstance(each, dict | list) for each in values)


def _same_nan(old: Any, new: Any) -> bool:
    """NaN is not itself: what was computed is compared as it is written."""
    return ABSENT not in (old, new) and json.dumps(old) == json.dumps(new)


def _text(value: Any) -> str:
    if value is ABSENT:
        return "(absent)"
    if _is_array(value):
        return f"{np.dtype(value['dtype'])} {tuple(value['shape'])}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]} ... ({len(text):,} characters)"


def _arrays(old: Any, new: Any) -> str:
    if _text(old) != _text(new):
        return f"old {_text(old)}\nnew {_text(new)}"
    before, after = (
        np.frombuffer(base64.b64decode(each["bits"]), each["dtype"]).reshape(each["shape"])
        for each in (old, new)
    )
    bits = f"u{before.dtype.itemsize}"
    changed = np.argwhere(before.view(bits) != after.view(bits))
    first = tuple(map(int, changed[0]))
    far = np.abs(after.astype(np.float64) - before.astype(np.float64)).max()
    return (
        f"{len(changed):,} of {before.size:,} values, by at most {far:.3g}, the first {list(first)}\n"
        f"old {before[first]!r}\nnew {after[first]!r}"
    )


def _texts(old: str, new: str) -> str:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0))
    lines = [line[: WIDTH + 1] for line in lines if not line.startswith(("---", "+++", "@@"))]
    more = f"\n... and {len(lines) - LINES} more lines" if len(lines) > LINES else ""
    shown = [("old " if line[0] == "-" else "new ") + line[1:] for line in lines[:LINES]]
    return ("\n".join(shown) or "the ends of lines differ") + more


# How the runs are made


def checkout(what: str, keep: ExitStack) -> Path:
    """Return the folder of a version; that of a revision is gone when `keep` is closed."""
    folder = Path(what).resolve()
    if (folder / "src" / "clearprop").is_dir():
        return folder
    made = Path(keep.enter_context(tempfile.TemporaryDirectory())) / "checkout"
    git = ["git", "-C", str(HERE)]
    done = subprocess.run(
        [*git, "worktree", "add", "--quiet", "--detach", str(made), what],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{what} is no folder of a checkout and no revision: {done.stderr.strip()}")
    remove = [*git, "worktree", "remove", "--force", str(made)]
    keep.callback(subprocess.run, remove, check=False)
    return made


def environment(source: Path, folder: Path) -> dict[str, str]:
    """Return the variables under which a version is run, the same but for its places."""
    places = {"PYTHONPATH": str(source / "src"), "CLEARPROP_CACHE": str(folder / "cache")}
    places |= {"TMPDIR": str(folder / "work"), "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
    fixed = {"PYTHONHASHSEED": "0", "COLUMNS": "100", "TZ": "UTC", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **one, **fixed, **places}


def start(source: Path, folder: Path, only: list[str]) -> subprocess.Popen[str]:
    """Begin the golden runs of a version; their results are in `results` of its folder."""
    work = folder / "work"
    work.mkdir(parents=True)
    (folder / "cache").mkdir(mode=0o700)
    return subprocess.Popen(
        [sys.executable, str(HERE / "golden"), str(folder / "results"), *only],
        cwd=work, env=environment(source, folder), text=True, stderr=subprocess.PIPE,
    )  # fmt: skip


def results(process: subprocess.Popen[str], folder: Path, name: str) -> dict[str, Any]:
    """Return what was found in each run."""
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"the runs of {name} ended with {process.returncode}:\n{said[-3000:]}")
    lines = map(json.loads, (folder / "results").read_text().splitlines())
    return {line["run"]: line["found"] for line in lines}


def differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    """Yield what differs between the runs of two versions."""
    for run in [*old, *(run for run in new if run not in old)]:
        yield from compare(run, old.get(run, ABSENT), new.get(run, ABSENT))


def broken(found: dict[str, Any]) -> list[str]:
    """Return the runs that could not be made, each with what was raised."""
    return [
        f"{run}: {each['raised']}\n{each['where']}" for run, each in found.items() if "raised" in each
    ]


def read_changes(path: Path | None) -> list[Change]:
    """Return the differences that are meant."""
    if path is None:
        return []
    try:
        return [Change(**each) for each in tomllib.loads(path.read_text()).get("change", [])]
    except (OSError, TypeError, tomllib.TOMLDecodeError) as problem:
        raise SystemExit(f"--expect {path}: {problem}") from None


def report(found: list[Difference], changes: list[Change]) -> list[Difference]:
    """Print every difference; return those that nobody expects."""
    wrong = []
    for each in found:
        change = next((change for change in changes if change.covers(each)), None)
        (wrong if change is None else change.seen).append(each)
    for change in changes:
        print(
            f"expected: {change.reason}: "
            + (f"{len(change.seen)} differences" if change.seen else "none")
        )
        for each in change.seen:
            _show(each)
    for each in wrong:
        _show(each)
    return wrong


def _show(each: Difference) -> None:
    print(f"{each.run} | {each.quantity}")
    print("".join(f"    {line}\n" for line in each.said.splitlines()), end="")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--expect", type=Path, metavar="FILE", help="differences that are meant")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="patterns of runs")
    options = parser.parse_args()
    changes = read_changes(options.expect)
    with ExitStack() as keep:
        folder = Path(keep.enter_context(tempfile.TemporaryDirectory())).resolve()
        # Of one length: what is printed may be broken into lines by it.
        sides = {"old": options.old, "new": options.new}
        sources = {side: checkout(what, keep) for side, what in sides.items()}
        running = {side: start(sources[side], folder / side, options.only) for side in sides}
        for process in running.values():
            keep.callback(process.kill)
        old, new = (results(running[side], folder / side, sides[side]) for side in sides)
    if not old:
        raise SystemExit(f"--only {' '.join(options.only)}: there is no such run")
    for said in broken(old):
        print(f"of {options.old} could not be made: {said}")
    wrong = report(list(differences(old, new)), changes)
    n = sum(len(change.seen) for change in changes)
    print(f"{len(old)} runs; {len(wrong)} differences" + (f", {n} more that are expected" if n else ""))
    return 1 if wrong or broken(old) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            sys.exit(2)
        raise
