"""Errors and times on real tables: ours, scikit-learn's and, where it is installed, RealMLP-TD-S.

    python benchmarks/tables.py --data FOLDER [--tables adult letter] [--splits 5] [--contestants ...]
    python benchmarks/tables.py --data FOLDER --threads 2 --splits 3   # wall clock, on two cores

FOLDER holds a folder for each table, with the file as its source publishes it. Every contestant fits
the same rows and is asked for the same test rows: the official test part where there is one (adult),
else a fifth of the rows, drawn by the number of the split. The multilayer perceptron and the gradient
boosting of scikit-learn get the usual preparation (median, one-hot or categories, standard scaling),
RealMLP-TD-S medians for missing numbers (it takes none); ours gets the table as it is read.

Every result is a line in ``results/tables.jsonl``, written when it is there; a result that is there is
not made again, except with --again. There are two kinds of times of `fit`, each compared only where
both contestants were measured in one run (one process, in turns), after a first fit to some rows:

- CPU seconds, with everybody held to one thread (the default);
- with ``--threads N`` seconds by the clock, as a user of N cores sees them: the process is given N
  cores, and every contestant takes as many threads as it takes by default. Nothing else must run.

Errors are taken from either. ``--errors-only`` leaves the times out of the lines, for runs beside other
work. ``--report`` only writes ``results/tables.md``.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "tables.jsonl"
ADULT = (
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation",
    "relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country",
    "income",
)  # fmt: skip
ABALONE = ("sex", "length", "diameter", "height", "whole", "shucked", "viscera", "shell", "rings")


@dataclass(frozen=True)
class Table:
    """A table: its file, target and task; `test` is the file of an official test part."""

    file: str
    target: str
    classification: bool
    names: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    test: str | None = None


TABLES = {
    "adult": Table("adult_train.data", "income", True, ADULT, test="adult_test.data"),
    "telco_churn": Table("Telco-Customer-Churn.csv", "Churn", True, drop=("customerID",)),
    "german_credit": Table("german_credit.csv", "class", True),
    "covertype_sample": Table("train.csv", "Cover_Type", True, drop=("Id",)),
    "letter": Table("letterdata.csv", "letter", True),
    "california_housing": Table("housing.csv", "median_house_value", False),
    "abalone": Table("abalone.csv", "rings", False, ABALONE),
    "diamonds": Table("diamonds.csv", "price", False),
}


def read(folder: Path, table: Table, file: str) -> tuple[Any, Any]:
    """Return X as a data frame and y."""
    import pandas as pd

    frame = pd.read_csv(
        folder / file,
        header=None if table.names else 0,
        names=list(table.names) if table.names else None,
        skipinitialspace=True,
        na_values=["?", ""],
    ).drop(columns=list(table.drop))
    y = frame.pop(table.target).to_numpy()
    if table.classification:
        y = np.array([str(label).rstrip(".") for label in y])
    return frame, y


def split(name: str, data: Path, number: int) -> tuple[Any, Any, Any, Any]:
    """Return the training part X, y and the test part X, y of a split."""
    from sklearn.model_selection import train_test_split

    table = TABLES[name]
    X, y = read(data / name, table, table.file)
    if table.test:
        return X, y, *read(data / name, table, table.test)
    strata = y if table.classification else None
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=number, stratify=strata)
    return X.reset_index(drop=True), y, X_test.reset_index(drop=True), y_test


# Contestants: a function of (classification, seed, n_threads or None for its own choice) that returns
# an estimator of raw data frames. Those without an argument for it heed OMP_NUM_THREADS.


def clearprop(classification: bool, seed: int, n_threads: int | None) -> Any:
    import clearprop as cp

    kind = cp.MLPClassifier if classification else cp.MLPRegressor
    return kind(preset="realmlp-s", patience=None, random_state=seed, n_threads=n_threads)


def sklearn_mlp(classification: bool, seed: int, n_threads: int | None) -> Any:
    from sklearn import compose
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    prepare = compose.make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), _texts),
        (numbers, compose.make_column_selector(dtype_include=np.number)),
    )
    if classification:
        return make_pipeline(prepare, MLPClassifier(random_state=seed))
    model = make_pipeline(prepare, MLPRegressor(random_state=seed))
    return compose.TransformedTargetRegressor(model, transformer=StandardScaler())


def _texts(X: Any) -> list[str]:
    return [name for name in X.columns if X[name].dtype.kind not in "iufb"]


class Categories:
    """An estimator that is given text as pandas' categories, and numbers without gaps if it must."""

    def __init__(self, model: Any, fill: bool) -> None:
        self.model, self.fill = model, fill

    def fit(self, X: Any, y: Any) -> Categories:
        self.known = {name: sorted(X[name].dropna().unique()) for name in _texts(X)}
        self.medians = X.median(numeric_only=True)
        self.model.fit(self._prepared(X), y)
        return self

    def predict(self, X: Any) -> Any:
        return self.model.predict(self._prepared(X))

    def _prepared(self, X: Any) -> Any:
        import pandas as pd

        X = X.copy()
        for name, known in self.known.items():
            X[name] = pd.Categorical(X[name], categories=known)
        return X.fillna(self.medians) if self.fill else X


def hist_gradient_boosting(classification: bool, seed: int, n_threads: int | None) -> Any:
    from sklearn import ensemble

    name = f"HistGradientBoosting{'Classifier' if classification else 'Regressor'}"
    return Categories(getattr(ensemble, name)(random_state=seed), fill=False)


def realmlp_td_s(classification: bool, seed: int, n_threads: int | None) -> Any:
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    kind = RealMLP_TD_S_Classifier if classification else RealMLP_TD_S_Regressor
    threads = {} if n_threads is None else {"n_threads": n_threads}
    return Categories(kind(device="cpu", random_state=seed, verbosity=0, **threads), fill=True)


CONTESTANTS: dict[str, Callable[[bool, int, int | None], Any]] = {
    "clearprop": clearprop,
    "sklearn MLP": sklearn_mlp,
    "HistGradientBoosting": hist_gradient_boosting,
    "RealMLP-TD-S": realmlp_td_s,
}
REALMLP = "clearprop", "RealMLP-TD-S"
MLP = "clearprop", "sklearn MLP"


def error(y: Any, predicted: Any, classification: bool) -> float:
    """Return the share of wrong labels, or the root of the mean squared error."""
    predicted = np.asarray(predicted).reshape(-1)
    if classification:
        return float(np.mean(predicted.astype(str) != y))
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - y) ** 2)))


_warm: set[tuple[str, bool]] = set()


def measure(name: str, number: int, contestant: str, data: Path, threads: int) -> dict[str, Any]:
    """Return a line: with 1 thread everybody is held to it, with more they choose for themselves."""
    classification = TABLES[name].classification
    X, y, X_test, y_test = split(name, data, number)
    make, n_threads = CONTESTANTS[contestant], 1 if threads == 1 else None
    if (contestant, classification) not in _warm:  # imports and compiles, if it has to
        some = np.arange(0, len(X), max(len(X) // 200, 1))
        make(classification, 0, n_threads).fit(X.iloc[some].reset_index(drop=True), y[some])
        _warm.add((contestant, classification))
    model = make(classification, number, n_threads)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(X, y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "table": name,
        "split": number,
        "contestant": contestant,
        "error": error(y_test, model.predict(X_test), classification),
        "rows": len(X),
        "threads": threads,
        "cpu_seconds": cpu,
        "seconds": wall,
    }


# What came of it


def interval(differences: list[float]) -> tuple[float, float, float]:
    """Return the mean of paired differences and its 95 % interval (t)."""
    from scipy.stats import t

    mean = statistics.fmean(differences)
    if len(differences) < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf(0.975, len(differences) - 1)) * statistics.stdev(differences)
    half /= len(differences) ** 0.5
    return mean, mean - half, mean + half


def report(lines: list[dict[str, Any]]) -> str:
    latest = {(x["table"], x["split"], x["contestant"]): x for x in lines}
    names = [name for name in TABLES if any(key[0] == name for key in latest)]
    text = ["# Errors on tables", "", *machine.lines(machine.describe()), ""]
    text += [
        "Classification: wrong labels in %. Regression: RMSE. Mean over the splits that all have.",
        "",
    ]
    text.append("| table | splits | " + " | ".join(CONTESTANTS) + " |")
    text.append("|---|---:|" + "---:|" * len(CONTESTANTS))
    for name in names:
        scale = 100.0 if TABLES[name].classification else 1.0
        errors: dict[str, dict[int, float]] = {}
        for (table, number, contestant), x in latest.items():
            if table == name:
                errors.setdefault(contestant, {})[number] = x["error"]
        shared = set.intersection(*(set(each) for each in errors.values()))
        cells = [
            f"{scale * statistics.fmean(errors[contestant][n] for n in shared):.4g}"
            if shared and contestant in errors
            else ""
            for contestant in CONTESTANTS
        ]
        text.append(f"| {name} | {len(shared)} | " + " | ".join(cells) + " |")
    text += ["", *_differences(latest, names), "", *_times(lines, names)]
    better = [name for name in names if _better(latest, name)]
    both = [name for name in names if _pairs(latest, name, *MLP)]
    said = f"Better than scikit-learn's MLP on {len(better)} of the {len(both)} measured"
    text += ["", f"{said}: {', '.join(better)}."]
    return "\n".join(text) + "\n"


def _differences(latest: dict[Any, Any], names: list[str]) -> list[str]:
    text = [
        "Ours less that of another, paired by split, with the 95 % interval of the mean: points of",
        "error, or % of RMSE.",
        "",
        "| table | pairs | less RealMLP-TD-S | 95 % interval "
        "| pairs | less sklearn MLP | 95 % interval |",
        "|---|---:|---:|---|---:|---:|---|",
    ]
    for name in names:
        cells = []
        for other in (REALMLP, MLP):
            pairs = _pairs(latest, name, *other)
            if TABLES[name].classification:
                differences = [100 * (a["error"] - b["error"]) for a, b in pairs]
            else:
                differences = [100 * (a["error"] / b["error"] - 1) for a, b in pairs]
            if len(pairs) < 2:
                cells += [f"{len(pairs)}", "".join(f"{each:+.2f}" for each in differences), ""]
            else:
                mean, low, high = interval(differences)
                cells += [f"{len(pairs)}", f"{mean:+.2f}", f"[{low:+.2f}, {high:+.2f}]"]
        text.append(f"| {name} | " + " | ".join(cells) + " |")
    return text


def _times(lines: list[dict[str, Any]], names: list[str]) -> list[str]:
    """Return a table of both kinds of times, each of runs in which both contestants took turns."""
    cores = sorted({_threads(x) for x in lines} - {1})
    kinds = [(1, "cpu_seconds", "1 thread, CPU")]
    kinds += [(n, "seconds", f"{n} cores, by the clock") for n in cores]
    text = [
        "Seconds of `fit` per 1,000 training rows, ours and RealMLP-TD-S's in turns in one run: the",
        "median, and of the ratio also the lowest and the highest. CPU seconds where everybody is held",
        "to one thread; by the clock where each takes as many threads as it does by itself.",
        "",
        "| table |" + "".join(f" {k}: pairs | ours | theirs | times faster |" for _, _, k in kinds),
        "|---|" + "---:|---:|---:|---|" * len(kinds),
    ]
    for name in names:
        cells = []
        for threads, key, _ in kinds:
            timed = [x for x in lines if _threads(x) == threads and key in x]
            pairs = _together(timed, name, *REALMLP)
            if not pairs:
                cells += ["0", "", "", ""]
                continue
            ours, theirs = (
                statistics.median(1000 * pair[i][key] / pair[i]["rows"] for pair in pairs)
                for i in (0, 1)
            )
            ratios = [b[key] / a[key] for a, b in pairs]
            spread = f" ({min(ratios):.1f} to {max(ratios):.1f})" if len(pairs) > 1 else ""
            cells += [f"{len(pairs)}", f"{ours:.2f}", f"{theirs:.2f}"]
            cells.append(f"{statistics.median(ratios):.1f}{spread}")
        text.append(f"| {name} | " + " | ".join(cells) + " |")
    return text


def _threads(line: dict[str, Any]) -> int:
    return int(line.get("threads", 1))


def _pairs(latest: dict[Any, Any], name: str, first: str, second: str) -> list[tuple[Any, Any]]:
    numbers = sorted({key[1] for key in latest if key[0] == name})
    both = [(latest.get((name, n, first)), latest.get((name, n, second))) for n in numbers]
    return [(a, b) for a, b in both if a and b]


def _together(lines: list[dict[str, Any]], name: str, first: str, second: str) -> list[tuple[Any, Any]]:
    found = {(x["run"], x["split"], x["contestant"]): x for x in lines if x["table"] == name}
    both = [(x, found.get((key[0], key[1], second))) for key, x in found.items() if key[2] == first]
    return [(a, b) for a, b in both if b]


def _better(latest: dict[Any, Any], name: str) -> bool:
    pairs = _pairs(latest, name, *MLP)
    return bool(pairs) and statistics.fmean(a["error"] - b["error"] for a, b in pairs) < 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--splits", type=int, default=5)
    everyone = list(CONTESTANTS)
    parser.add_argument("--contestants", nargs="*", default=everyone, choices=everyone)
    parser.add_argument("--threads", type=int, default=1, help="1: CPU seconds; more: by the clock")
    parser.add_argument("--errors-only", action="store_true", help="write no times")
    parser.add_argument("--again", action="store_true", help="measure what is there already")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not options.report:
        if options.data is None:
            parser.error("--data must be given, to measure")
        _hold_to(options.threads)
    lines = _read_lines(options.results)
    if not options.report:
        _measure_all(options, lines)
    text = report(lines)
    options.results.with_suffix(".md").write_text(text)
    print(text)
    return 0


def _hold_to(threads: int) -> None:
    """Give this process so many cores: one thread in all libraries, or as many as they like."""
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= threads <= len(cores):
        raise SystemExit(f"--threads must be between 1 and the {len(cores)} cores, got {threads}")
    variables = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
    wanted = dict.fromkeys(variables, "1" if threads == 1 else None)
    if threads > 1 and len(cores) > threads:
        os.sched_setaffinity(0, cores[:threads])
    if any(os.environ.get(name) != value for name, value in wanted.items()):  # read when they load
        for name, value in wanted.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        os.execv(sys.executable, [sys.executable, *sys.argv])


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _measure_all(options: argparse.Namespace, lines: list[dict[str, Any]]) -> None:
    there = {(_threads(x), x["table"], x["split"], x["contestant"]) for x in lines}
    run = uuid.uuid4().hex[:8]
    warnings.simplefilter("ignore")
    for number in range(options.splits):
        for name in options.tables:
            for contestant in options.contestants:
                if (options.threads, name, number, contestant) in there and not options.again:
                    continue
                try:
                    found = measure(name, number, contestant, options.data, options.threads)
                except ImportError as problem:
                    print(f"{contestant}: not there ({problem})", file=sys.stderr)
                    continue
                found["run"] = run
                took = found["cpu_seconds" if options.threads == 1 else "seconds"]
                if options.errors_only:
                    del found["cpu_seconds"], found["seconds"]
                lines.append(found)
                with options.results.open("a") as out:
                    out.write(json.dumps(found) + "\n")
                print(
                    f"{name:18} {number} {contestant:22} error {found['error']:.5g}, "
                    f"{1000 * took / found['rows']:.2f} s per 1,000 rows",
                    flush=True,
                )


if __name__ == "__main__":
    sys.exit(main())
