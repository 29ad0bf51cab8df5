# ruff: noqa: E501 - threads are set before NumPy is there
"""What a diagnosis costs beside training: python benchmarks/diagnosis_cost.py

Two questions. The default quantities of the pass that a step makes anyway, at every 10th step: how much do
they add to ten steps (goal: at most 5 %)? And the callback, which looks as often as its share allows:
how much to a training?
Times are of one thread's CPU, interleaved, medians of rounds.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread's CPU is what is measured

import statistics
import time
from pathlib import Path

import machine
import numpy as np

import clearprop as cp
from clearprop.diagnosis import Thresholds, quantities
from clearprop.engines import Data, Plan, State
from clearprop.engines.reference import ReferenceEngine

SHAPES = (
    ((784, 30, 10), 10),
    ((784, 100, 10), 32),
    ((784, 512, 512, 10), 128),
    ((784, 512, 512, 10), 512),
)


def of_quantities(p: quantities.Pass, limits: Thresholds) -> None:
    for layer in range(len(p.z)):
        quantities.layer_numbers(p, layer, limits)
    quantities.output_numbers(p, limits)
    quantities.gradient_numbers(p)
    quantities.input_numbers(p)
    quantities.nonfinite(p)


def clock(work, times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def step(sizes: tuple[int, ...], batch: int, rounds: int) -> tuple[float, float, float]:
    """Return CPU seconds of a reference step and of the quantities, and the share in multiply-adds."""
    net = cp.Network(list(sizes), activation="tanh", seed=0)
    rng = np.random.default_rng(0)
    X = rng.random((batch, sizes[0]), np.float32)
    Y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, batch)]
    plan = Plan(net.architecture, cp.SGD(0.01), 0, batch, batch)
    state = State(net.parameters.copy(), plan.optimizer.init(net.parameters))
    data, order, rates, engine = Data(X, Y, None), np.arange(batch), np.array([0.01]), ReferenceEngine()

    def one_step() -> None:
        state.epoch_step = 0
        engine.run(plan, state, data, order, rates)

    p, limits = quantities.run(net.architecture, net.parameters, X, Y), Thresholds()
    times = 3 if sizes[1] > 100 else 30
    pairs = [
        (clock(one_step, times), clock(lambda: of_quantities(p, limits), times)) for _ in range(rounds)
    ]
    of_step, of_them = (statistics.median(column) for column in zip(*pairs, strict=True))
    share = quantities.price(net.architecture, batch) / (batch * sum(net.architecture.multiply_adds()))
    return of_step, of_them, share


TRAININGS = (  # sizes, rows, batch, epochs: data drawn at random, which costs what real data does
    ((64, 64, 10), 1437, 32, 20),
    ((64, 64, 10), 1437, 32, 500),
    ((784, 30, 10), 10_000, 10, 20),
    ((784, 30, 10), 10_000, 10, 60),
    ((784, 256, 256, 10), 10_000, 64, 5),
)


def training(sizes: tuple[int, ...], rows: int, batch: int, epochs: int, rounds: int):
    """Return CPU seconds of a training without and with the callback, and how often it looked."""
    rng = np.random.default_rng(0)
    X = rng.random((rows, sizes[0]), np.float32)
    Y = rng.integers(0, 10, rows)
    looks = []

    def run(watched: bool) -> None:
        net = cp.Network(list(sizes), activation="tanh", seed=0)
        watch = cp.DiagnosisCallback(report=lambda found: None)
        how = {"optimizer": cp.SGD(0.01), "batch_size": batch, "progress": False, "n_threads": 1}
        net.fit(X, Y, epochs=epochs, callbacks=[watch] if watched else [], **how)
        looks.append(watch._looks)

    run(False)
    pairs = [(clock(lambda: run(False), 1), clock(lambda: run(True), 1)) for _ in range(rounds)]
    return (*(statistics.median(column) for column in zip(*pairs, strict=True)), looks[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--output", default=str(Path(__file__).parent / "results" / "diagnosis-cost.md")
    )
    options = parser.parse_args()
    about = machine.describe()
    lines = [
        "# What a diagnosis costs",
        "",
        f"{about['cpu']}, {about['date']}, one thread's CPU time.",
        "",
    ]
    lines += [
        "| Network, batch | a step (NumPy) | default quantities | at every 10th step | in multiply-adds |"
    ]
    lines += ["|---|---:|---:|---:|---:|"]
    for sizes, batch in SHAPES:
        of_step, of_them, share = step(sizes, batch, options.rounds)
        name = "-".join(map(str, sizes))
        lines.append(
            f"| {name}, {batch} | {1e3 * of_step:.2f} ms | {1e3 * of_them:.2f} ms "
            f"| {10 * of_them / of_step:.1f} % | {10 * share:.2f} % |"
        )
    lines += ["", "The callback, compiled engine, one thread:", ""]
    lines += ["| Network, rows, batch | epochs | looks | without it | with it | its share |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for sizes, rows, batch, epochs in TRAININGS:
        without, with_it, looks = training(sizes, rows, batch, epochs, options.rounds)
        lines.append(
            f"| {'-'.join(map(str, sizes))}, {rows:,}, {batch} | {epochs} | {looks} | {without:.2f} s "
            f"| {with_it:.2f} s | {100 * (with_it / without - 1):.1f} % |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    Path(options.output).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
