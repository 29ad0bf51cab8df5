"""Our estimators against scikit-learn's: equal losses first, then times, then test scores.

    python benchmarks/sklearn_dropin.py [--tables FOLDER] [--mnist FOLDER] [--only digits ...]

``--tables`` holds california_housing/housing.csv, adult/adult_train.data and letter/letterdata.csv as
their sources publish them; a set that is not there is left out. digits is always there.

For every set, with scikit-learn's defaults and with (256, 256): both fit the same rows, in the same
dtype, from the same first weights, on as many threads. The losses after the epochs must agree to 5 %
(the orders of samples differ; with the same order they agree to 1e-6, which the tests show), then the
fits are timed in turns and the ratio of medians is printed. Scores are paired over the seeds. On one
thread the times are CPU seconds, on several those of a clock. What is measured goes to
``results/sklearn-dropin-{threads}.json``, set by set, and from there to ``.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import machine
import numpy as np

HERE = Path(__file__).parent
EPOCHS = {"digits": 30, "california_housing": 6, "adult": 6, "letter": 8, "mnist": 3}


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
        return np.asarray(X).reshape(len(X), -1) / 255.0, np.asarray(y)
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


def estimators(name: str) -> tuple[Any, Any]:
    from sklearn import neural_network

    import clearprop as cp

    kind = "MLPRegressor" if name == "california_housing" else "MLPClassifier"
    return getattr(neural_network, kind), getattr(cp, kind)


def timed(make: Any, X: Any, y: Any, threads: int) -> tuple[float, Any]:
    model = make()
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    model.fit(X, y)
    return clock() - start, model


def compare(
    name: str, sizes: tuple[int, ...], dtype: str, data: Any, repeats: int, threads: int
) -> dict[str, Any]:
    X, y = data[0].astype(dtype), data[1]
    arguments = {
        "hidden_layer_sizes": sizes,
        "max_iter": EPOCHS[name],
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "random_state": 0,
    }
    theirs, ours = estimators(name)
    of_each = {"sklearn": {}, "clearprop": {"n_threads": threads}}
    timed(lambda: ours(**arguments | {"max_iter": 1}), X[:500], y[:500], 1)  # compiles, if it has to
    seconds: dict[str, list[float]] = {"sklearn": [], "clearprop": []}
    losses = {}
    for _ in range(repeats):
        for which, kind in (("sklearn", theirs), ("clearprop", ours)):
            everything = arguments | of_each[which]
            spent, model = timed(lambda k=kind, e=everything: k(**e), X, y, threads)
            seconds[which].append(spent)
            losses[which] = model.loss_
    row = X[:1]
    latency = {}
    for which, kind in (("sklearn", theirs), ("clearprop", ours)):
        model = kind(**arguments | {"max_iter": 1}).fit(X[:500], y[:500])
        each = []
        for _ in range(300):
            start = time.process_time()
            model.predict(row)
            each.append(time.process_time() - start)
        latency[which] = statistics.median(each) * 1e6
    median = {which: statistics.median(values) for which, values in seconds.items()}
    return {
        "data": name,
        "rows": len(X),
        "features": X.shape[1],
        "hidden": list(sizes),
        "dtype": dtype,
        "threads": threads,
        "losses": losses,
        "losses_agree": bool(abs(losses["clearprop"] / losses["sklearn"] - 1) < 0.05),
        "seconds": median,
        "all_seconds": seconds,
        "ratio": median["sklearn"] / median["clearprop"],
        "one_row_us": latency,
        "latency_share": latency["clearprop"] / latency["sklearn"],
    }


def scores(name: str, data: Any, seeds: int) -> dict[str, Any]:
    """Return the mean difference of test scores over the seeds, with its 95 % interval, in points."""
    from sklearn.model_selection import train_test_split

    differences = []
    for seed in range(seeds):
        X, X_test, y, y_test = train_test_split(*data, test_size=0.25, random_state=seed)
        found = [
            kind(max_iter=EPOCHS[name] * 2, random_state=seed).fit(X, y).score(X_test, y_test)
            for kind in estimators(name)
        ]
        differences.append(100 * (found[1] - found[0]))
    mean, error = np.mean(differences), np.std(differences, ddof=1) / np.sqrt(seeds)
    from scipy.stats import t

    half = float(t.ppf(0.975, seeds - 1) * error)
    return {
        "data": name,
        "seeds": seeds,
        "points": float(mean),
        "low": float(mean - half),
        "high": float(mean + half),
    }


def keep(results: dict[str, Any], kind: str, found: dict[str, Any], key: tuple[str, ...]) -> None:
    """Put a result in the place of an earlier one of the same work."""
    others = [x for x in results[kind] if any(x[name] != found[name] for name in key)]
    results[kind] = [*others, found]


def report(results: dict[str, Any], threads: int) -> str:
    clock = "CPU seconds" if threads == 1 else "seconds"
    text = [f"# Against scikit-learn's perceptrons, {threads} thread(s)", ""]
    text += [
        *machine.lines(results["machine"]),
        "",
        f"{clock} of `fit`, median; one row in microseconds.",
        "",
    ]
    text.append("| data | rows | hidden | dtype | scikit-learn | clearprop | times faster | one row |")
    text.append("|---|---:|---|---|---:|---:|---:|---:|")
    for fit in results["fits"]:
        row, seconds = fit["one_row_us"], fit["seconds"]
        differ = "" if fit["losses_agree"] else " (losses differ)"
        text.append(
            f"| {fit['data']} | {fit['rows']:,} | {fit['hidden']} | {fit['dtype']} | "
            f"{seconds['sklearn']:.2f} | {seconds['clearprop']:.2f} | {fit['ratio']:.2f}{differ} | "
            f"{row['sklearn']:.0f} / {row['clearprop']:.0f} |"
        )
    if results["scores"]:
        text += ["", "Test scores, ours less theirs, paired over the seeds, in points:", ""]
        text += ["| data | seeds | mean | 95 % interval |", "|---|---:|---:|---|"]
    for score in results["scores"]:
        text.append(
            f"| {score['data']} | {score['seeds']} | {score['points']:+.2f} | "
            f"[{score['low']:+.2f}, {score['high']:+.2f}] |"
        )
    return "\n".join(text) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables")
    parser.add_argument("--mnist")
    parser.add_argument("--only", nargs="*", default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, default=10, help="0: no scores")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != str(options.threads):  # read when the libraries are loaded
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[variable] = str(options.threads)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)
    path = HERE / "results" / f"sklearn-dropin-{options.threads}.json"
    results = json.loads(path.read_text()) if path.exists() else {"fits": [], "scores": []}
    agreed = True
    for name in options.only:
        data = load(name, options)
        if data is None:
            print(f"{name}: not there")
            continue
        for sizes in ((100,), (256, 256)):
            for dtype in options.dtypes:
                found = compare(name, sizes, dtype, data, options.repeats, options.threads)
                keep(results, "fits", found, ("data", "hidden", "dtype"))
                agreed = agreed and found["losses_agree"]
                print(
                    f"{name:18} {sizes!s:10} {dtype} {options.threads} thread(s): "
                    f"{found['seconds']['sklearn']:7.2f} s -> {found['seconds']['clearprop']:7.2f} s, "
                    f"{found['ratio']:.2f} times as fast; one row "
                    f"{found['one_row_us']['sklearn']:.0f} -> "
                    f"{found['one_row_us']['clearprop']:.0f} us; "
                    f"losses {found['losses']['sklearn']:.4f} {found['losses']['clearprop']:.4f}"
                    f"{'' if found['losses_agree'] else ' DIFFER'}",
                    flush=True,
                )
        if options.seeds:
            found = scores(name, data, options.seeds)
            keep(results, "scores", found, ("data",))
            interval = f"[{found['low']:+.2f}, {found['high']:+.2f}]"
            print(f"{name}: test score {found['points']:+.2f} points, 95 % {interval}")
        results["machine"] = machine.describe()
        path.write_text(json.dumps(results, indent=1) + "\n")
        path.with_suffix(".md").write_text(report(results, options.threads))
    return int(not agreed)


if __name__ == "__main__":
    sys.exit(main())
