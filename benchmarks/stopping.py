"""What stopping by itself costs, and saves: full runs of a preset, and where they would have stopped.

    python benchmarks/stopping.py --data FOLDER --curves FILE [--tables telco_churn] [--splits 5]

FOLDER and splits are those of tables.py, with at most 5,000 training rows and 3,000 test rows. A run
that stops has the very epochs of one that does not: a training of all epochs, whose network is put to
the test after each, tells what every rule would have kept. Every run is a line in FILE, and one that
is there is not made again. ``results/stopping.md`` is written of all of them; ``--splits 0`` only
writes it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import machine
import numpy as np
import presets

import tables
from clearprop.estimators import reader
from clearprop.estimators.predictor import Predictor
from clearprop.estimators.presets import last_epoch

RESULTS = Path(__file__).parent / "results" / "stopping.md"
MOST_TEST = 3000
EPOCHS = 256


def run(name: str, number: int, data: Path) -> dict[str, Any]:
    """Return a line: cost and score of the validation part, error and loss of the test's, by epoch."""
    X, y, X_test, y_test = presets.rows(name, number, data)
    some = np.random.RandomState(number).permutation(len(X_test))[:MOST_TEST]
    X_test, y_test = X_test.iloc[some].reset_index(drop=True), y_test[some]
    classification = tables.TABLES[name].classification
    read, errors, losses = [], [], []

    def put_to_the_test(training: Any) -> None:
        if not read:
            read.append(reader.read_X(model, X_test))
        with training.judged_in_place():
            a = Predictor(training.model, 1).outputs(read[0])
        if classification:
            known = {str(label): j for j, label in enumerate(model.classes_)}
            codes = np.array([known[label] for label in y_test])
            p = training.model.targets.probabilities(a)[np.arange(len(codes)), codes]
            losses.append(round(float(-np.log(np.maximum(p, 1e-15)).mean()), 5))
        predicted = training.model.targets.decode(a)
        errors.append(float(f"{tables.error(y_test, predicted, classification):.6g}"))

    model = tables.clearprop(classification, number, 1).set_params(callbacks=[put_to_the_test])
    history = model.fit(X, y).history_
    score = history["validation_accuracy" if classification else "validation_r2"]
    line = {"table": name, "split": number, "cost": history["validation_cost"], "score": score}
    return line | {"error": errors, "loss": losses}


def stop(costs: list[float]) -> tuple[int, int]:
    """Return the last epoch of a run that stops by itself, and the one that it keeps."""
    for done in range(1, EPOCHS):
        best = int(np.argmin(costs[:done])) + 1
        if done >= last_epoch(best, EPOCHS):
            return done, best
    return EPOCHS, int(np.argmin(costs)) + 1


def report(lines: list[dict[str, Any]]) -> str:
    text = ["# Stopping", "", *machine.lines(machine.describe()), ""]
    text += [
        '`preset="realmlp-s"`, at most 5,000 training rows. A run that stops by itself, less one of',
        "all 256 epochs that keeps the lowest validation cost too, and less `patience=None`, which",
        "keeps the best accuracy or R2: points of wrong labels, or % of RMSE, with 95 % intervals; of",
        "log losses the mean. Half: runs that ended by half of the epochs, of those whose lowest cost",
        "lies in the first third.",
        "",
        "| table | splits | epochs | half | less the lowest cost's | less the best score's "
        "| log loss, less the best score's |",
        "|---|---:|---:|---|---|---|---:|",
    ]
    shares = []
    for name in (each for each in tables.TABLES if any(x["table"] == each for x in lines)):
        mine = [x for x in lines if x["table"] == name]
        ended, held, losses = [], [], []
        against: tuple[list[float], list[float]] = [], []
        for x in mine:
            done, kept = stop(x["cost"])
            scores = x["score"]
            others = int(np.argmin(x["cost"])) + 1, EPOCHS - int(np.argmax(scores[::-1]))
            ended.append(done)
            if others[0] <= EPOCHS / 3:
                held.append(done <= EPOCHS / 2)
            for other, found in zip(others, against, strict=True):
                ours, theirs = x["error"][kept - 1], x["error"][other - 1]
                found.append(100 * (ours - theirs if x["loss"] else ours / theirs - 1))
            if x["loss"]:
                losses.append(x["loss"][kept - 1] - x["loss"][others[1] - 1])
        shares.append(np.mean(ended) / EPOCHS)
        cells = ["{:+.2f} [{:+.2f}, {:+.2f}]".format(*tables.interval(found)) for found in against]
        loss = f"{np.mean(losses):+.4f}" if losses else ""
        row = [name, len(mine), f"{np.mean(ended):.0f}", f"{sum(held)} of {len(held)}", *cells, loss]
        text.append("| " + " | ".join(map(str, row)) + " |")
    text += ["", f"On average {100 * np.mean(shares):.0f} % of all epochs are made."]
    return "\n".join(text) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="*", default=list(tables.TABLES), choices=list(tables.TABLES))
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--curves", type=Path, required=True)
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.curves.open()] if arguments.curves.exists() else []
    there = {(x["table"], x["split"]) for x in lines}
    for number in range(arguments.splits):
        for name in arguments.tables:
            if (name, number) not in there:
                lines.append(run(name, number, arguments.data))
                with arguments.curves.open("a") as out:
                    out.write(json.dumps(lines[-1]) + "\n")
                print(name, number, *stop(lines[-1]["cost"]), file=sys.stderr, flush=True)
    RESULTS.write_text(report(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
