"""Presets, members and calibration on tables of at most 5,000 training rows: errors, log losses, times.

    python benchmarks/presets.py --data FOLDER [--tables telco_churn] [--splits 5] [--contestants ...]

FOLDER is that of tables.py, whose splits these are; of a larger training part 5,000 rows are drawn by
the number of the split. Every contestant fits the same rows. Every result is a line in
``results/presets.jsonl``, and one that is there is not made again. ``--report`` only writes
``results/presets.md``. Times are by the clock, each contestant with the threads that it takes by
itself; ``--errors-only`` leaves them out, for runs beside other work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np

import tables

RESULTS = Path(__file__).parent / "results" / "presets.jsonl"
MOST = 5000  # training rows
Make = Callable[[bool, int], Any]


def ours(**how: Any) -> Make:
    def make(classification: bool, seed: int) -> Any:
        import clearprop as cp

        return (cp.MLPClassifier if classification else cp.MLPRegressor)(random_state=seed, **how)

    return make


def linear(classification: bool, seed: int) -> Any:
    """Return logistic or ridge regression with the preparation that scikit-learn's MLP has."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline

    theirs = tables.sklearn_mlp(True, seed, None)
    return make_pipeline(theirs[0], LogisticRegression(max_iter=1000) if classification else RidgeCV())


def realmlp_td(classification: bool, seed: int) -> Any:
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    kind = RealMLP_TD_Classifier if classification else RealMLP_TD_Regressor
    return tables.Categories(kind(device="cpu", random_state=seed, verbosity=0), fill=True)


CONTESTANTS: dict[str, Make] = {
    "realmlp-s": ours(preset="realmlp-s"),
    "realmlp": ours(preset="realmlp"),
    "realmlp, 8 members": ours(preset="realmlp", members=8),
    "realmlp-s, all epochs": ours(preset="realmlp-s", patience=None),
    "tabm-mini": ours(preset="tabm-mini"),
    "RealMLP-TD-S": lambda classification, seed: tables.realmlp_td_s(classification, seed, None),
    "RealMLP-TD": realmlp_td,
    "linear": linear,
    "trees": lambda classification, seed: tables.hist_gradient_boosting(classification, seed, None),
}
PAIRS = (
    ("realmlp-s", "realmlp-s, all epochs"),
    ("realmlp-s", "RealMLP-TD-S"),
    ("realmlp", "RealMLP-TD"),
    ("realmlp", "RealMLP-TD-S"),
    ("realmlp", "linear"),
    ("realmlp", "trees"),
    ("realmlp, 8 members", "realmlp"),
    ("realmlp, 8 members", "RealMLP-TD"),
    ("tabm-mini", "realmlp"),
    ("tabm-mini", "RealMLP-TD"),
    ("realmlp-s", "linear"),
    ("realmlp-s", "trees"),
)


def rows(name: str, number: int, data: Path) -> tuple[Any, Any, Any, Any]:
    """Return a split of `tables`, of its training part at most MOST rows."""
    X, y, X_test, y_test = tables.split(name, data, number)
    if len(X) > MOST:
        some = np.sort(np.random.RandomState(number).permutation(len(X))[:MOST])
        X, y = X.iloc[some].reset_index(drop=True), y[some]
    return X, y, X_test, y_test


def log_loss(model: Any, X: Any, y: Any) -> float | None:
    """Return the mean of -log p of the true label; None where the model tells no probabilities."""
    inner = model.model if isinstance(model, tables.Categories) else model
    given = model._prepared(X) if isinstance(model, tables.Categories) else X
    known = {str(label): j for j, label in enumerate(inner.classes_)}
    p = inner.predict_proba(given)[np.arange(len(y)), [known[label] for label in y]]
    return float(-np.log(np.maximum(p, 1e-15)).mean())


def measure(name: str, number: int, contestant: str, data: Path) -> dict[str, Any]:
    """Return a line."""
    classification = tables.TABLES[name].classification
    X, y, X_test, y_test = rows(name, number, data)
    model, began = CONTESTANTS[contestant](classification, number), time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - began
    line = {
        "table": name,
        "split": number,
        "contestant": contestant,
        "error": tables.error(y_test, model.predict(X_test), classification),
        "rows": len(X),
        "seconds": seconds,
        "cores": len(os.sched_getaffinity(0)),
    }
    return line | ({"log_loss": log_loss(model, X_test, y_test)} if classification else {})


def report(lines: list[dict[str, Any]]) -> str:
    """Return the page."""
    latest = {(x["table"], x["split"], x["contestant"]): x for x in lines}
    text = [
        "# Presets on tables of at most 5,000 training rows",
        "",
        *machine.lines(machine.describe()),
    ]
    for key, title in (
        ("error", "Wrong labels in %, or RMSE: the mean over the splits that all have"),
        ("log_loss", "Log loss"),
    ):
        text += ["", f"{title}.", "", "| table | splits | " + " | ".join(CONTESTANTS) + " |"]
        text.append("|---|---:|" + "---:|" * len(CONTESTANTS))
        for name in tables.TABLES:
            text += _means(latest, name, key)
    for first, second in PAIRS:
        found = {name: tables._pairs(latest, name, first, second) for name in tables.TABLES}
        if not any(found.values()):
            continue
        said = f"`{first}` less {second}, paired by split, with the 95 % interval of the mean."
        text += ["", said, ""]
        text += ["| table | pairs | points of error, or % of RMSE | log loss |", "|---|---:|---|---|"]
        text += [
            f"| {name} | {len(pairs)} | {_difference(pairs, name)} |"
            for name, pairs in found.items()
            if pairs
        ]
    return "\n".join([*text, "", *_times(lines)]) + "\n"


def _means(latest: dict[Any, Any], name: str, key: str) -> list[str]:
    found: dict[str, dict[int, float]] = {}
    for (table, number, contestant), x in latest.items():
        if table == name and contestant in CONTESTANTS and key in x:
            found.setdefault(contestant, {})[number] = x[key]
    if not found:
        return []
    shared = set.intersection(*(set(each) for each in found.values()))
    scale = 100.0 if key == "error" and tables.TABLES[name].classification else 1.0
    cells = [
        f"{scale * statistics.fmean(found[each][n] for n in shared):.4g}"
        if each in found and shared
        else ""
        for each in CONTESTANTS
    ]
    return [f"| {name} | {len(shared)} | " + " | ".join(cells) + " |"]


def _difference(pairs: list[tuple[Any, Any]], name: str) -> str:
    classification, cells = tables.TABLES[name].classification, []
    if classification:
        cells.append([100 * (a["error"] - b["error"]) for a, b in pairs])
        cells.append([a["log_loss"] - b["log_loss"] for a, b in pairs])
    else:
        cells.append([100 * (a["error"] / b["error"] - 1) for a, b in pairs])
    said = []
    for differences in cells:
        mean, low, high = tables.interval(differences)
        said.append(f"{mean:+.3g}" + (f" [{low:+.3g}, {high:+.3g}]" if len(differences) > 1 else ""))
    return " | ".join(said) + ("" if classification else " | ")


def _times(lines: list[dict[str, Any]]) -> list[str]:
    timed = [x for x in lines if "seconds" in x]
    text = ["Seconds of `fit` by the clock, in turns in one run, on so many cores: the median.", ""]
    text += ["| table | cores | " + " | ".join(CONTESTANTS) + " |"]
    text += ["|---|---:|" + "---:|" * len(CONTESTANTS)]
    for name in tables.TABLES:
        of_table = [x for x in timed if x["table"] == name]
        if of_table:
            run = of_table[-1]["run"]
            seconds: dict[str, list[float]] = {}
            for x in of_table:
                if x["run"] == run:
                    seconds.setdefault(x["contestant"], []).append(x["seconds"])
            cells = [
                f"{statistics.median(seconds[c]):.3g}" if c in seconds else "" for c in CONTESTANTS
            ]
            text.append(f"| {name} | {of_table[-1]['cores']} | " + " | ".join(cells) + " |")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="*", default=list(tables.TABLES), choices=list(tables.TABLES))
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument(
        "--contestants", nargs="*", default=list(CONTESTANTS), choices=list(CONTESTANTS)
    )
    parser.add_argument("--errors-only", action="store_true", help="write no times")
    parser.add_argument("--again", action="store_true", help="measure what is there already")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    lines = tables._read_lines(options.results)
    if not options.report:
        if options.data is None:
            parser.error("--data must be given, to measure")
        _measure_all(options, lines)
    text = report(tables._read_lines(options.results))
    options.results.with_suffix(".md").write_text(text)
    print(text)
    return 0


def _measure_all(options: argparse.Namespace, lines: list[dict[str, Any]]) -> None:
    there = {(x["table"], x["split"], x["contestant"]) for x in lines}
    run = uuid.uuid4().hex[:8]
    warnings.simplefilter("ignore")
    for number in range(options.splits):
        for name in options.tables:
            for contestant in options.contestants:
                if (name, number, contestant) in there and not options.again:
                    continue
                try:
                    line = measure(name, number, contestant, options.data) | {"run": run}
                except ImportError as problem:
                    print(f"{contestant}: not there ({problem})", file=sys.stderr)
                    continue
                took = f"{line['seconds']:.1f} s"
                said = f"{name:18} {number} {contestant:14} error {line['error']:.5g}, {took}"
                if options.errors_only:
                    del line["seconds"]
                with options.results.open("a") as out:
                    out.write(json.dumps(line) + "\n")
                print(said, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
