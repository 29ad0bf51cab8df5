"""Our estimators against scikit-learn's: equal losses, fit times, latency of one row, test scores.

    python benchmarks/sklearn_dropin.py --scores [--tables FOLDER] [--mnist FOLDER] [--only digits ...]
    python benchmarks/sklearn_dropin.py --times  [--tables FOLDER] [--mnist FOLDER] [--threads 1 2]

``--tables`` holds california_housing/housing.csv, adult/adult_train.data and letter/letterdata.csv as
their sources publish them; a set that is not there is left out. digits is always there.

``--times`` (quiet machine, about eight minutes): with scikit-learn's defaults and with (256, 256), both
fit the same rows for the same number of epochs, in the same dtype, from the same first weights, on as
many threads, in turns. The losses must agree to 5 % (the orders of samples differ; with the same order
they agree to 1e-6, which the tests show). Wall-clock; the ratio is the median of the rounds' ratios and
its spread their smallest and largest.

``--scores`` (any machine; hours, but it can be cut short and goes on where it was): every argument at
its default but ``random_state`` and, where it says so, ``max_iter``; a quarter of the rows is held out,
anew for each seed. The difference of the scores is paired over the seeds.

What is measured is written at once: ``results/sklearn-dropin-times.json``, ``-scores.json``, and both
as tables in ``sklearn-dropin.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import machine
import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results"
# Epochs of a timed fit, and rounds: enough that losses of different sample orders agree to 5 %.
TIMED = {
    "digits": (30, 7),
    "california_housing": (6, 3),
    "letter": (8, 3),
    "adult": (4, 3),
    "mnist": (2, 3),
}
# scikit-learn's default is 200. On MNIST it would go on for an hour a seed.
MAX_ITER = {"mnist": 30}


def load(name: str, options: argparse.Namespace) -> tuple[Any, Any] | None:
    import pandas as pd
    from sklearn.datasets import load_digits

    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return X / 16, y
    if name == "mnist":
        if options.mnist is None:
            return None
        import clearprop as cp

        X, y = cp.data.load(options.mnist).train
        return np.asarray(X, np.float64).reshape(len(X), -1) / np.max(X), np.asarray(y)
    where = {
        "california_housing": "california_housing/housing.csv",
        "adult": "adult/adult_train.data",
        "letter": "letter/letterdata.csv",
    }[name]
    if options.tables is None or not (path := Path(options.tables, where)).exists():
        return None
    if name == "adult":
        table = pd.read_csv(path, header=None, skipinitialspace=True)
        y = (table.iloc[:, -1] == ">50K").to_numpy()
        X = pd.get_dummies(table.iloc[:, :-1]).to_numpy(np.float64)
    elif name == "letter":
        table = pd.read_csv(path)
        y, X = table.iloc[:, 0].to_numpy(str), table.iloc[:, 1:].to_numpy(np.float64)
    else:
        table = pd.read_csv(path).dropna()
        y = table.pop("median_house_value").to_numpy() / 1e5
        X = pd.get_dummies(table).to_numpy(np.float64)
    return (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0), y


def estimators(name: str) -> dict[str, Any]:
    from sklearn import neural_network

    import clearprop as cp

    kind = "MLPRegressor" if name == "california_housing" else "MLPClassifier"
    return {"sklearn": getattr(neural_network, kind), "clearprop": getattr(cp, kind)}


# Times


def timed(model: Any, X: Any, y: Any) -> float:
    start = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - start


def latency(models: dict[str, Any], row: Any) -> dict[str, float]:
    """Return the median time of `predict` of one row, in microseconds, measured in turns."""
    each: dict[str, list[float]] = {which: [] for which in models}
    for _ in range(300):
        for which, model in models.items():
            start = time.perf_counter()
            model.predict(row)
            each[which].append(time.perf_counter() - start)
    return {which: statistics.median(seconds) * 1e6 for which, seconds in each.items()}


def compare(
    name: str, sizes: tuple[int, ...], dtype: str, data: Any, threads: int, rounds: int
) -> dict[str, Any]:
    X, y = data[0].astype(dtype), data[1]
    arguments = {
        "hidden_layer_sizes": sizes,
        "max_iter": TIMED[name][0],
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "random_state": 0,
    }
    of_each: dict[str, dict[str, Any]] = {"sklearn": {}, "clearprop": {"n_threads": threads}}

    def make(which: str, **others: Any) -> Any:
        return estimators(name)[which](**arguments | of_each[which] | others)

    rows = {which: make(which, max_iter=1).fit(X[:500], y[:500]) for which in of_each}  # compiles, too
    seconds: dict[str, list[float]] = {which: [] for which in of_each}
    losses = {}
    for _ in range(rounds):
        for which in of_each:
            model = make(which)
            seconds[which].append(timed(model, X, y))
            losses[which] = float(model.loss_)
    ratios = [a / b for a, b in zip(seconds["sklearn"], seconds["clearprop"], strict=True)]
    one_row = latency(rows, X[:1])
    return {
        "data": name,
        "rows": len(X),
        "features": X.shape[1],
        "hidden": list(sizes),
        "dtype": dtype,
        "threads": threads,
        "epochs": TIMED[name][0],
        "losses": losses,
        "losses_agree": bool(abs(losses["clearprop"] / losses["sklearn"] - 1) < 0.05),
        "seconds": {which: statistics.median(values) for which, values in seconds.items()},
        "all_seconds": seconds,
        "ratio": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "one_row_us": one_row,
        "latency_share": one_row["clearprop"] / one_row["sklearn"],
        "machine": machine.describe(),
    }


def measure_times(options: argparse.Namespace) -> bool:
    """Measure on as many threads as this process was started with; return whether losses agree."""
    [threads] = options.threads
    agreed = True
    for name in options.only:
        data = load(name, options)
        if data is None:
            print(f"{name}: not there")
            continue
        for sizes in ((100,), (256, 256)):
            for dtype in options.dtypes:
                rounds = options.rounds or TIMED[name][1]
                found = compare(name, sizes, dtype, data, threads, rounds)
                keep("times", found, ("data", "hidden", "dtype", "threads"))
                agreed = agreed and found["losses_agree"]
                print(said_of_times(found), flush=True)
    return agreed


def said_of_times(found: dict[str, Any]) -> str:
    seconds, one_row, losses = found["seconds"], found["one_row_us"], found["losses"]
    low, high = found["spread"]
    return (
        f"{found['data']:18} {tuple(found['hidden'])!s:10} {found['dtype']} {found['threads']} "
        f"thread(s): {seconds['sklearn']:6.2f} s -> {seconds['clearprop']:6.2f} s, "
        f"{found['ratio']:.2f} times as fast [{low:.2f}, {high:.2f}]; one row "
        f"{one_row['sklearn']:.0f} -> {one_row['clearprop']:.0f} us; losses {losses['sklearn']:.4f} "
        f"{losses['clearprop']:.4f}{'' if found['losses_agree'] else ' DIFFER'}"
    )


# Scores


def measure_scores(options: argparse.Namespace) -> None:
    from sklearn.model_selection import train_test_split

    for name in options.only:
        data = load(name, options)
        if data is None:
            print(f"{name}: not there")
            continue
        done = {each["seed"] for each in kept("scores") if each["data"] == name}
        for seed in sorted(set(range(options.seeds)) - done):
            X, X_test, y, y_test = train_test_split(*data, test_size=0.25, random_state=seed)
            max_iter = MAX_ITER.get(name, 200)
            found: dict[str, Any] = {"data": name, "seed": seed, "max_iter": max_iter}
            for which, kind in estimators(name).items():
                model = kind(max_iter=max_iter, random_state=seed).fit(X, y)
                found[which] = {"score": model.score(X_test, y_test), "epochs": model.n_iter_}
            keep("scores", found | {"machine": machine.describe()}, ("data", "seed"))
            print(name, seed, found["sklearn"], found["clearprop"], flush=True)


def difference(each: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean difference of paired scores with its 95 % interval, in points."""
    from scipy.stats import t

    points = [100 * (one["clearprop"]["score"] - one["sklearn"]["score"]) for one in each]
    mean = statistics.mean(points)
    half = 0.0
    if len(points) > 1:
        half = float(t.ppf(0.975, len(points) - 1)) * statistics.stdev(points) / len(points) ** 0.5
    return {"mean": mean, "low": mean - half, "high": mean + half}


# What is kept


def kept(kind: str) -> list[dict[str, Any]]:
    path = RESULTS / f"sklearn-dropin-{kind}.json"
    return json.loads(path.read_text()) if path.exists() else []


def keep(kind: str, found: dict[str, Any], key: tuple[str, ...]) -> None:
    """Put a result in the place of an earlier one of the same work, and write the tables anew."""
    others = [each for each in kept(kind) if any(each[name] != found[name] for name in key)]
    path = RESULTS / f"sklearn-dropin-{kind}.json"
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps([*others, found], indent=1) + "\n")
    unfinished.replace(path)
    (RESULTS / "sklearn-dropin.md").write_text(report(kept("times"), kept("scores")))


def report(times: list[dict[str, Any]], scores: list[dict[str, Any]]) -> str:
    text = ["# Against scikit-learn's perceptrons"]
    if times:
        text += ["", *machine.lines(times[-1]["machine"]), ""]
        text += [
            "Seconds of `fit` by the clock, median of the rounds, both for the same epochs; times "
            "faster: median of the rounds' ratios [smallest, largest]; one row: `predict`, "
            "microseconds.",
            "",
            "| data | rows x features | epochs | hidden | dtype | threads | scikit-learn | clearprop "
            "| times faster | one row |",
            "|---|---:|---:|---|---|---:|---:|---:|---:|---:|",
        ]
    order = list(TIMED)
    for fit in sorted(times, key=lambda each: (order.index(each["data"]), each["threads"])):
        one_row, seconds, (low, high) = fit["one_row_us"], fit["seconds"], fit["spread"]
        differ = "" if fit["losses_agree"] else " (losses differ)"
        text.append(
            f"| {fit['data']} | {fit['rows']:,} x {fit['features']} | {fit['epochs']} | "
            f"{tuple(fit['hidden'])} | {fit['dtype']} | {fit['threads']} | {seconds['sklearn']:.2f} | "
            f"{seconds['clearprop']:.2f} | {fit['ratio']:.2f} [{low:.2f}, {high:.2f}]{differ} | "
            f"{one_row['sklearn']:.0f} / {one_row['clearprop']:.0f} |"
        )
    if scores:
        text += ["", "Test scores (accuracy; california_housing: R2), paired over the seeds:", ""]
        text += [*machine.lines(scores[-1]["machine"])[:1], ""]
        text += ["| data | max_iter | seeds | scikit-learn | clearprop | difference, points | 95 % |"]
        text += ["|---|---:|---:|---:|---:|---:|---|"]
    for name in order:
        every = sorted((one for one in scores if one["data"] == name), key=lambda one: one["seed"])
        for each in [every[:10]] * bool(every) + [every] * (len(every) > 10):  # ten were agreed on
            found = difference(each)
            mean = {w: statistics.mean(one[w]["score"] for one in each) for w in estimators(name)}
            text.append(
                f"| {name} | {each[0]['max_iter']} | {len(each)} | {mean['sklearn']:.4f} | "
                f"{mean['clearprop']:.4f} | {found['mean']:+.2f} | "
                f"[{found['low']:+.2f}, {found['high']:+.2f}] |"
            )
    return "\n".join(text) + "\n"


def with_threads(n: int) -> int:
    """Run this script again in a process whose libraries use n threads, and return its status."""
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(variables, str(n)) | {"DROPIN_THREADS": str(n)}
    command = [sys.executable, *sys.argv, "--threads", str(n)]
    return subprocess.run(command, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--scores", action="store_true")
    parser.add_argument("--tables")
    parser.add_argument("--mnist")
    parser.add_argument("--only", nargs="*", default=list(TIMED), choices=list(TIMED))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, help="of every timed fit; default 7 for digits, else 3")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    options = parser.parse_args()
    if not options.times and not options.scores:
        parser.error("say what to measure: --times, --scores or both")
    if "DROPIN_THREADS" not in os.environ:  # libraries read it when they are loaded
        counts = options.threads if options.times else [1]
        return max(with_threads(n) for n in counts)
    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)
    agreed = measure_times(options) if options.times else True
    if options.scores and options.threads == [1]:
        measure_scores(options)
    return int(not agreed)


if __name__ == "__main__":
    sys.exit(main())
