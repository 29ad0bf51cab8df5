"""What probabilities and intervals are worth: reliability and log loss, coverage and width.

    python benchmarks/probabilities.py --data FOLDER [--tables telco_churn] [--splits 5]

FOLDER and splits are those of tables.py, with at most 5,000 training rows. Of classes the preset
"realmlp" is measured as it is by default, stopped and calibrated, before its temperature and after,
beside logistic regression, on test rows that neither has seen. Of quantities the test rows are cut
into halves 20 times: one half says how wide the intervals are, the other how many rows lie in them.
Every fit is a line in ``results/probabilities.jsonl``, and one that is there is not made again;
``--splits 0`` only writes ``results/probabilities.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import machine
import numpy as np
import presets

import clearprop as cp
import tables
from clearprop.model import conformal
from clearprop.model.reliability import reliability

RESULTS = Path(__file__).parent / "results" / "probabilities.jsonl"
HALVES = 20
LEVEL = Fraction(9, 10)


def classes(name: str, number: int, data: Path) -> dict[str, Any]:
    """Return how reliable probabilities are before a temperature and after, and a linear model's."""
    X, y, X_test, y_test = presets.rows(name, number, data)
    model = cp.MLPClassifier(preset="realmlp", random_state=number, n_threads=1).fit(X, y)
    known = {str(label): j for j, label in enumerate(model.classes_)}
    codes = np.array([known[label] for label in y_test])
    after, made = model.predict_proba(X_test), model.calibration_
    targets = model.network_.model.targets
    model.network_.model.targets = dataclasses.replace(targets, calibration=None)
    before = model.predict_proba(X_test)
    linear = presets.linear(True, number).fit(X, y).predict_proba(X_test)
    return {
        "temperature": made.temperature,
        "before": reliability(before, codes),
        "after": reliability(after, codes),
        "linear": reliability(linear, codes),
    }


def quantities(name: str, number: int, data: Path) -> dict[str, Any]:
    """Return the coverage and the mean width of intervals for 90 %, in each of the halves."""
    X, y, X_test, y_test = presets.rows(name, number, data)
    found: dict[str, Any] = {"spread": float(y_test.astype(np.float64).std())}
    true = y_test.astype(np.float64)[:, None]
    for loss in ("squared_error", "quantiles"):
        model = cp.MLPRegressor(loss, preset="realmlp", random_state=number, n_threads=1).fit(X, y)
        net = model.network_
        net.model.targets = dataclasses.replace(net.model.targets, quantiles=False)  # all outputs
        raw = np.asarray(model.predict(X_test), np.float64).reshape(len(true), -1)
        covered, widths = [], []
        for half in range(HALVES):
            order = np.random.RandomState(half).permutation(len(true))
            known, new = np.array_split(order, 2)
            if loss == "quantiles":
                away = conformal.half_width(conformal.beyond(raw[known], true[known]), LEVEL)
                bounds = conformal.around(raw[new], away)[:, 0]
            else:
                away = conformal.half_width(conformal.residuals(raw[known], true[known]), LEVEL)
                bounds = raw[new] + np.array([-1.0, 1.0]) * away
            low, high = bounds.T
            covered.append(float(np.mean((low <= true[new, 0]) & (true[new, 0] <= high))))
            widths.append(float(np.mean(high - low)))
        found[loss] = {"covered": covered, "width": widths}
    return found


def report(lines: list[dict[str, Any]]) -> str:
    """Return the page."""
    text = ["# Probabilities and intervals", "", *machine.lines(machine.describe()), ""]
    text += [
        '`preset="realmlp"`, at most 5,000 training rows, a fifth of which choose the epoch and the',
        "temperature. Figures are means over splits, of test rows; differences are paired by split,",
        "with the 95 % interval of the mean. Of the calibration error (ECE, 15 bins of equal mass)",
        "what is beyond the error of labels that are drawn from the model's own probabilities.",
        "",
        "| table | splits | temperature | ECE | calibrated | beyond chance | calibrated | left |",
        "|---|---:|---:|---:|---:|---|---|---:|",
    ]
    named = [(name, [x for x in lines if x["table"] == name]) for name in tables.TABLES]
    kinds = [(name, mine) for name, mine in named if mine and "after" in mine[0]]
    for name, mine in kinds:
        beyond = {
            when: [x[when]["ece"] - x[when]["ece_by_chance"] for x in mine]
            for when in ("before", "after")
        }
        left = statistics.fmean(beyond["after"]) / statistics.fmean(beyond["before"])
        cells = [f"{statistics.fmean(x['temperature'] for x in mine):.2f}"]
        cells += [f"{statistics.fmean(x[w]['ece'] for x in mine):.4f}" for w in beyond]
        cells += [_interval(each) for each in beyond.values()]
        text.append(f"| {name} | {len(mine)} | " + " | ".join(cells) + f" | {100 * left:.0f} % |")
    text += ["", "| table | log loss | calibrated | less | logistic regression | calibrated less it |"]
    text[-1] += " Brier score | calibrated |"
    text.append("|---|---:|---:|---|---:|---|---:|---:|")
    for name, mine in kinds:
        whens = "before", "after", "linear"
        loss = {when: [x[when]["log_loss"] for x in mine] for when in whens}
        means = {when: f"{statistics.fmean(each):.4f}" for when, each in loss.items()}
        brier = [f"{statistics.fmean(x[when]['brier'] for x in mine):.4f}" for when in whens[:2]]
        cells = [means["before"], means["after"], _interval(_less(loss, "before")), means["linear"]]
        cells += [_interval(_less(loss, "linear")), *brier]
        text.append(f"| {name} | " + " | ".join(cells) + " |")
    text += [
        "",
        f"Intervals for 90 %: in each of {HALVES} cuts of the test rows one half says how wide, and",
        "the other is covered; of coverage the mean over all cuts and their range, of widths the mean,",
        "also in standard deviations of the target.",
        "",
        "| table | fits | cuts | covered | range | width | in deviations |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    for name, mine in named:
        for loss, said in (("squared_error", ""), ("quantiles", ", quantiles")):
            parts = [x[loss] for x in mine if loss in x]
            if not parts:
                continue
            covered, widths = (np.concatenate([x[key] for x in parts]) for key in ("covered", "width"))
            relative = statistics.fmean(statistics.fmean(x[loss]["width"]) / x["spread"] for x in mine)
            cells = [f"{100 * covered.mean():.2f} %"]
            cells += [f"{100 * covered.min():.1f} to {100 * covered.max():.1f} %"]
            cells += [f"{widths.mean():.4g}", f"{relative:.2f}"]
            text.append(f"| {name}{said} | {len(mine)} | {len(covered)} | " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def _less(loss: dict[str, list[float]], other: str) -> list[float]:
    return [a - b for a, b in zip(loss["after"], loss[other], strict=True)]


def _interval(found: list[float]) -> str:
    mean, low, high = tables.interval(found)
    return f"{mean:+.4f}" + (f" [{low:+.4f}, {high:+.4f}]" if len(found) > 1 else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="*", default=list(tables.TABLES), choices=list(tables.TABLES))
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = tables._read_lines(RESULTS)
    there = {(x["table"], x["split"]) for x in lines}
    for number in range(options.splits):
        for name in options.tables:
            if (name, number) in there:
                continue
            measure = classes if tables.TABLES[name].classification else quantities
            line = {"table": name, "split": number} | measure(name, number, options.data)
            lines.append(line)
            with RESULTS.open("a") as out:
                out.write(json.dumps(line) + "\n")
            print(name, number, file=sys.stderr, flush=True)
    RESULTS.with_suffix(".md").write_text(report(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
