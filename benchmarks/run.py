"""clearprop beside PyTorch, JAX, scikit-learn and NumPy on the same work.

Every contestant runs in a process of its own for each number of threads, pinned to that many cores,
from the same initial weights through the same samples in the same order. After the first turn (an
epoch, a hundred of W9's; which also compiles what there is to compile, and is not timed) the training
losses must agree to 1e-4; of a contestant that deviates no time is printed, only by how much, and the
exit code is 1.
Where clearprop and plain NumPy disagree, or nobody agrees with clearprop, the workload is refused.
Where rounding grows so fast that no two float32 programs agree, as with ReLU and Adam, the same epoch
in float64 must agree.
Then the contestants take turns for several rounds. Results: benchmarks/results/, as
JSON and Markdown.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import contestants
import machine
import report
import workloads
from process import Failed, Process
from workloads import Workload

RESULTS = Path(__file__).with_name("results")
TOLERANCE = 1e-4
SETTLE = 0.05  # seconds between turns: the last one's threads stop spinning
LEVELS = (0.97, 0.98)
Key = tuple[str, int]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.processes: dict[Key, Process] = {}
        self.skipped: dict[str, str] = {}
        for name, threads in itertools.product((*options.contestants, "products"), options.threads):
            if name in self.skipped:
                continue
            process = Process(name, threads, folder)
            if process.missing:
                self.skipped[name] = process.missing
                say(f"skipped: {contestants.LABELS[name]} ({process.missing})")
                process.close()
            else:
                self.processes[name, threads] = process
        self.libraries = {
            f"{name}, {threads} threads": process.ask("libraries")
            for (name, threads), process in self.processes.items()
            if name != "products"
        }

    def close(self) -> None:
        for process in self.processes.values():
            process.close()

    def measure(self, work: Workload) -> dict[str, Any]:
        """Return all that was measured of one workload, or {"refused": ...}."""
        say(f"{work.name}: {work.about}")
        result: dict[str, Any] = {"workload": asdict(work), "flops": work.flops()}
        result["contestants"], active = self._load(work)
        if work.kind == "predict":
            wrong, refused = self._check_predictions(result, active)
        else:
            losses = self._losses(result, active)
            wrong, refused = deviants(losses)
            if (wrong or refused) and work.kind == "train":
                wrong, refused = self._only_rounding(work, result, losses, active)
        if refused:
            return result | {"refused": refused}
        for name, how in wrong.items():
            say(f"  refused: {name}: {how}")
            result["contestants"][name]["refused"] = how
        active = [key for key in active if _text(key) not in wrong]
        if work.kind == "accuracy":
            self._race(work, result, active)
        else:
            self._rounds(work, result, active)
        return result

    def _load(
        self, work: Workload, keys: Sequence[Key] | None = None
    ) -> tuple[dict[str, Any], list[Key]]:
        about, active = {}, []
        for key in list(self.processes) if keys is None else keys:
            process = self.processes[key]
            if key[0] == "products" and work.kind == "accuracy":
                continue
            try:
                about[_text(key)] = process.ask("load", workload=asdict(work))
                active.append(key)
            except Failed as error:
                about[_text(key)] = {"failed": str(error)}
                say(f"  {error}")
        return about, active

    def _losses(self, result: dict[str, Any], active: list[Key]) -> dict[str, float]:
        """Return the loss of each contestant after its first epoch; who cannot leaves `active`."""
        losses = {}
        for key in list(active):
            entry = result["contestants"][_text(key)]
            try:
                entry["first_epoch_seconds"] = self.processes[key].ask("epoch")["seconds"]
                if key[0] == "products":
                    continue
                entry["loss"] = self.processes[key].ask("loss")["loss"]
                say(f"  {_text(key):28} loss {entry['loss']:.7f}  {entry['nearest'] or ''}")
            except Failed as error:
                entry["failed"] = str(error)
                active.remove(key)
                say(f"  {error}")
                continue
            if not entry["nearest"]:
                losses[_text(key)] = entry["loss"]
        return losses

    def _only_rounding(
        self, work: Workload, result: dict[str, Any], losses: dict[str, float], active: list[Key]
    ) -> tuple[dict[str, str], str | None]:
        """Return who deviates in float64 too: in float32 the others differ by grown rounding alone.

        A mistake is as large in float64; what rounding has grown to is smaller by 1e9.
        """
        found = disagreement(losses)
        say(f"  {found}; the same epoch in float64:")
        wide = {"contestants": {}}
        wide["contestants"], reloaded = self._load(replace(work, dtype="float64"), active)
        wide_losses = self._losses(wide, reloaded)
        for name, entry in wide["contestants"].items():
            result["contestants"][name]["loss_float64"] = entry.get("loss")
        wrong, refused = deviants(wide_losses)
        if refused:
            return {}, f"{found}; in float64: {refused}"
        missing = {name: "it did not run in float64" for name in losses if name not in wide_losses}
        in_float32, _ = deviants(losses)
        wrong |= {name: how for name, how in missing.items() if name in in_float32}
        if in_float32.keys() - wrong.keys() or not in_float32:
            result["float64"] = (
                f"in float32 rounding grows: {found}; the same epoch in float64 agrees to {TOLERANCE}"
            )
        for key in active:
            if _text(key) not in wrong:
                self.processes[key].ask("load", workload=asdict(work))
                self.processes[key].ask("epoch")
        return wrong, None

    def _check_predictions(
        self, result: dict[str, Any], active: list[Key]
    ) -> tuple[dict[str, str], str | None]:
        """Return whose outputs differ from the judge's; clearprop's refuse the workload."""
        wrong = {}
        for key in list(active):
            entry = result["contestants"][_text(key)]
            if key[0] == "products":
                continue
            try:
                entry["error"] = self.processes[key].ask("prediction_error")["error"]
            except Failed as error:
                entry["failed"] = str(error)
                active.remove(key)
                say(f"  {error}")
                continue
            if not entry["nearest"] and not entry["error"] <= TOLERANCE:
                wrong[_text(key)] = f"outputs differ from the judge's by {entry['error']:.1e}"
        if own := [f"{name}: {how}" for name, how in wrong.items() if _is_anchor(name)]:
            return {}, "; ".join(own)
        return wrong, None

    def _rounds(self, work: Workload, result: dict[str, Any], active: list[Key]) -> None:
        times: dict[str, list[dict[str, float]]] = {_text(key): [] for key in active}
        peaks: dict[int, list[float]] = {threads: [] for threads in self.options.threads}
        for turn in range(self.options.rounds):
            # a rotation: no contestant always runs after the same one's caches
            for key in active[turn % len(active) :] + active[: turn % len(active)]:
                time.sleep(SETTLE)
                process = self.processes[key]
                if work.kind == "predict":
                    least = 0.02 if self.options.quick else 0.3
                    times[_text(key)].append(process.ask("predict", at_least=least))
                else:
                    times[_text(key)].append(process.ask("epoch"))
                if key[0] == "products":
                    peaks[key[1]].append(process.ask("peak")["seconds"])
        for name, taken in times.items():
            entry = result["contestants"][name]
            entry["seconds"] = [each["seconds"] for each in taken]
            entry["cpu_seconds"] = [each["cpu_seconds"] for each in taken]
        result["peak_gflops"] = {
            threads: [2 * 2048**3 / seconds / 1e9 for seconds in taken]
            for threads, taken in peaks.items()
        }

    def _race(self, work: Workload, result: dict[str, Any], active: list[Key]) -> None:
        """Train until the test accuracy is reached; only the training is timed."""
        fresh, active = self._load(work)
        racing = list(active)
        for key in active:
            result["contestants"][_text(key)] |= fresh[_text(key)] | {"seconds": [], "accuracy": []}
        for _ in range(self.options.max_epochs):
            for key in list(racing):
                time.sleep(SETTLE)
                entry, process = result["contestants"][_text(key)], self.processes[key]
                entry["seconds"].append(process.ask("epoch")["seconds"])
                entry["accuracy"].append(process.ask("accuracy")["accuracy"])
                if entry["accuracy"][-1] >= LEVELS[-1]:
                    racing.remove(key)
        for key in active:
            entry = result["contestants"][_text(key)]
            # compiled code is gone with the old model in some: its first epoch is the slowest
            entry["reached"] = {
                f"{level:.0%}": _reached(entry["seconds"], entry["accuracy"], level) for level in LEVELS
            }


def _reached(seconds: list[float], accuracy: list[float], level: float) -> dict[str, float] | None:
    for epoch, value in enumerate(accuracy, 1):
        if value >= level:
            return {"seconds": sum(seconds[:epoch]), "epochs": epoch}
    return None


def disagreement(losses: dict[str, float]) -> str | None:
    """Return None where all losses agree to TOLERANCE, relative; else who differs, and by how much."""
    if not losses:
        return None
    if bad := [f"{loss} ({name})" for name, loss in losses.items() if not math.isfinite(loss)]:
        return f"losses after the first epoch must be finite, got {', '.join(bad)}"
    low, high = min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)
    gap = (losses[high] - losses[low]) / abs(losses[low])
    if gap <= TOLERANCE:
        return None
    return (
        f"losses after the first epoch must agree to {TOLERANCE}, got {losses[low]:.7f} ({low}) and "
        f"{losses[high]:.7f} ({high}), {gap:.1e} apart"
    )


def _is_anchor(name: str) -> bool:
    """Return whether it is clearprop, or the plain NumPy beside which everything is judged."""
    return name.split(",")[0] in ("clearprop", "numpy")


def deviants(losses: dict[str, float]) -> tuple[dict[str, str], str | None]:
    """Return who is to be refused, each with how far it is off; and why all are, if all are.

    All are refused where clearprop and plain NumPy do not agree, or where clearprop stands alone.
    """
    anchors = {name: loss for name, loss in losses.items() if _is_anchor(name)}
    if (found := disagreement(anchors)) or not anchors:
        return {}, found or disagreement(losses)
    right = next(iter(anchors.values()))
    wrong = {
        name: f"its loss after the first epoch, {loss:.7f}, is {abs(loss - right) / abs(right):.1e} off"
        for name, loss in losses.items()
        if name not in anchors and not abs(loss - right) <= TOLERANCE * abs(right)
    }
    others = [name for name in losses if not name.startswith("clearprop,")]
    if others and all(name in wrong for name in others):
        return {}, disagreement(losses)
    return wrong, None


def _text(key: Key) -> str:
    return f"{key[0]}, {key[1]} threads"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return [part for part in text.split(",") if part]

    def counts(text: str) -> list[int]:
        return [int(part) for part in names(text)]

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = (*contestants.NAMES, *contestants.UNLISTED)
    parser.add_argument("--workloads", type=names, help="W1,...,W9; default all")
    parser.add_argument("--contestants", type=names, default=list(contestants.NAMES))
    parser.add_argument("--threads", type=counts, default=[1, 2])
    parser.add_argument("--rounds", type=int, help="default 7, with --quick 2")
    parser.add_argument("--max-epochs", type=int, help="of W8; default 60, with --quick 2")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--quick", action="store_true", help="little work: to see that it runs")
    parser.add_argument("--data", choices=("auto", "mnist", "synthetic"), help="--quick: synthetic")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.contestants if name not in known]:
        parser.error(f"--contestants must be among {', '.join(known)}, got {', '.join(unknown)}")
    options.rounds = options.rounds or (2 if options.quick else 7)
    options.max_epochs = options.max_epochs or (2 if options.quick else 60)
    options.data = options.data or ("synthetic" if options.quick else "auto")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    works = workloads.chosen(options.workloads, quick=options.quick)
    works = [replace(work, dtype=options.dtype) for work in works]
    everything: dict[str, Any] = {"machine": machine.describe(), "options": vars(options).copy()}
    everything["options"]["output"] = ""
    with tempfile.TemporaryDirectory(prefix="clearprop-bench-") as scratch:
        everything["data"] = workloads.prepare_data(Path(scratch), options.data, works)
        bench = Bench(options, Path(scratch))
        try:
            everything["libraries"], everything["skipped"] = bench.libraries, bench.skipped
            everything["results"] = {}
            print(report.head(everything))
            for work in works:
                everything["results"][work.name] = bench.measure(work)
                print(report.section(everything, work.name), flush=True)
                write(options.output, everything)  # what is measured is kept, whatever comes next
        finally:
            bench.close()
    print(report.summary(everything))
    wrong = list(failures(everything))
    for what in wrong:
        say(what)
    return 1 if wrong else 0


def failures(everything: dict[str, Any]) -> Iterator[str]:
    """Name every workload that was refused, and every contestant that could not do its part."""
    for work, result in everything["results"].items():
        if "refused" in result:
            yield f"refused: {work}: {result['refused']}"
        for name, entry in result["contestants"].items():
            for what in ("failed", "refused"):
                if what in entry:
                    yield f"{what}: {work}: {name}: {entry[what]}"


def write(folder: Path, everything: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = everything["options"]
    part = "-" + "-".join(options["workloads"]) if options["workloads"] else ""
    part += "-float64" if options["dtype"] == "float64" else ""
    stem = "quick" if options["quick"] else f"run{part}"  # a part never replaces the whole
    (folder / f"{stem}.json").write_text(json.dumps(everything, indent=1) + "\n")
    (folder / f"{stem}.md").write_text(report.markdown(everything))


if __name__ == "__main__":
    sys.exit(main())
