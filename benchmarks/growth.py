"""How cost grows, and what the textbooks' claims about backpropagation's cost come to when measured.

Time of an epoch against samples, width, depth and batch size; time and memory against rows, to ten
million; memory against samples; backward beside forward (claim C3), matrix mini-batch beside the loop
over samples (C4), Hadamard products beside diagonal matrices (C5), finite differences beside
backpropagation (C2, C30), shared beside repeated factors (C14), one, some or all samples in a step
(C24). One thread, pinned; threads.py is about several. Results:
benchmarks/results/growth.md, .json and, where matplotlib is installed, .png.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import machine
import numpy as np
import process

import clearprop as cp
from clearprop import backprop, data

RESULTS = Path(__file__).with_name("results")
CHILD = "CLEARPROP_GROWTH_CHILD"
Table = tuple[list[str], list[list[Any]]]


def median_seconds(run: Callable[[], Any], at_least: float = 0.2, least_runs: int = 3) -> float:
    """Return the median time of one call, over calls that fill `at_least` seconds."""
    run()
    taken: list[float] = []
    while len(taken) < least_runs or sum(taken) < at_least:
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def images(n: int, n_features: int = 784) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.random((n, n_features), np.float32)
    return X, rng.integers(0, 10, n)


def epoch_seconds(sizes: list[int], n: int, batch: int, quick: bool) -> float:
    net = cp.Network(sizes, activation="sigmoid", seed=0)
    X, labels = images(n, sizes[0])
    training = cp.Training(
        net, X, labels, batch_size=batch, optimizer=cp.SGD(0.1), seed=0, n_threads=1, progress=False
    )
    return median_seconds(lambda: training.run(1), 0.02 if quick else 0.5)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the exponent p of y ~ x**p, by least squares in logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


class Growth:
    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.curves: dict[str, dict[str, Any]] = {}
        self.tables: dict[str, Table] = {}

    def _curve(self, name: str, x: list[int], y: list[float], said: str) -> None:
        half = len(x) // 2
        found = {"x": x, "y": y, "said": said, "slope": slope(x, y)}
        found["end_slope"] = slope(x[half:], y[half:]) if len(x) - half > 1 else found["slope"]
        self.curves[name] = found

    # Time of an epoch

    def samples(self) -> None:
        x = [500, 1000, 2000] if self.quick else [1000, 2000, 4000, 8000, 16000, 32000, 64000]
        y = [epoch_seconds([784, 30, 10], n, 10, self.quick) for n in x]
        self._curve("samples", x, y, "784-30-10, batch 10")

    def width(self) -> None:
        x = [16, 32, 64] if self.quick else [16, 32, 64, 128, 256, 512, 1024]
        n = 256 if self.quick else 2048
        y = [epoch_seconds([256, h, h, 10], n, 64, self.quick) for h in x]
        self._curve("width", x, y, f"256-h-h-10, batch 64, {n} samples")

    def depth(self) -> None:
        x = [1, 2, 4] if self.quick else [1, 2, 4, 8, 16, 32]
        n = 256 if self.quick else 4096
        y = [epoch_seconds([64, *[64] * d, 10], n, 32, self.quick) for d in x]
        self._curve("depth", x, y, f"d hidden layers of 64, batch 32, {n} samples")

    def batch(self) -> None:
        x = [1, 8, 64] if self.quick else [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
        n = 512 if self.quick else 8192
        y = [epoch_seconds([784, 100, 10], n, m, self.quick) for m in x]
        self._curve("batch size", x, y, f"784-100-10, {n} samples")

    # Memory

    def rows(self) -> None:
        if not Path("/proc/self/clear_refs").exists():
            return
        x = [1000, 10_000] if self.quick else [10**k for k in range(3, 8)]
        found = [of_child("rows", n) for n in x]
        self._curve("rows", x, [each["seconds"] for each in found], "30-64-32-1 Adam, batch 128")
        self.tables["Time and memory against rows (30-64-32-1, Adam, batch 128)"] = (
            ["rows", "a row", "data, MB", "peak minus data, MB", "promised, MB"],
            [
                [
                    f"{n:,}",
                    f"{1e9 * each['seconds'] / n:.0f} ns",
                    f"{each['data'] / 1e6:.1f}",
                    f"{(each['peak'] - each['before']) / 1e6:.1f}",
                    f"{promised(each['parameters'], [30, 64, 32, 1], 128, n) / 1e6:.1f}",
                ]
                for n, each in zip(x, found, strict=True)
            ],
        )

    def memory(self) -> None:
        if not Path("/proc/self/clear_refs").exists():
            return
        rows: list[list[Any]] = []
        for n in [2000, 4000] if self.quick else [10_000, 20_000, 40_000, 80_000, 160_000]:
            found = of_child("memory", n)
            extra = found["peak"] - found["before"]
            rows.append(
                [n, f"{found['data'] / 1e6:.1f}", f"{extra / 1e6:.1f}", f"{extra / found['data']:.2f}"]
            )
            extra_curve = self.curves.setdefault(
                "memory", {"x": [], "y": [], "said": "784-512-512-10 Adam, batch 128: peak minus data"}
            )
            extra_curve["x"].append(n)
            extra_curve["y"].append(max(extra, 1))
            extra_curve["parameters"] = found["parameters"]
        curve = self.curves["memory"]
        curve["slope"] = curve["end_slope"] = slope(curve["x"], curve["y"])
        self.tables["Memory while training, beyond what was there before (784-512-512-10, Adam)"] = (
            ["samples", "data, MB", "peak minus data, MB", "share of the data"],
            rows,
        )
        promise = promised(curve["parameters"], [784, 512, 512, 10], 128)
        self.tables["What is promised: 5 times the parameters and a batch of activations"] = (
            ["parameters, MB", "promised, MB"],
            [[f"{4 * curve['parameters'] / 1e6:.1f}", f"{promise / 1e6:.1f}"]],
        )

    # The claims

    def backward_over_forward(self) -> None:
        rows = []
        shapes = ([784, 30, 10], [784, 512, 512, 10], [256] * 6)
        for sizes in shapes[: 2 if self.quick else 3]:
            for m in (10, 100, 1000):
                net = cp.Network(sizes, activation="relu", seed=0)
                X = images(m, sizes[0])[0]
                Y = np.eye(sizes[-1], dtype=np.float32)[np.arange(m) % sizes[-1]]
                arch, p = net.architecture, net.parameters
                passed = backprop.forward(arch, p, X)
                forwards = median_seconds(lambda a=arch, p=p, X=X: backprop.forward(a, p, X))
                backwards = median_seconds(
                    lambda a=arch, p=p, f=passed, Y=Y: backprop.gradient(
                        a, f, backprop.backward(a, p, f, Y)
                    )
                )
                exact = arch.multiply_adds()
                ratio = backwards / forwards
                rows.append(
                    ["-".join(map(str, sizes)), m, f"{exact[1] / exact[0]:.2f}", f"{ratio:.2f}"]
                )
        self.tables["C3: backward over forward (reference engine, ReLU)"] = (
            ["network", "batch", "multiply-adds", "time"],
            rows,
        )

    def batch_or_loop(self) -> None:
        rows = []
        net = cp.Network(
            [784, 30, 10], activation="sigmoid", output="sigmoid", cost="quadratic", seed=0
        )
        for m in (10, 32, 100):
            X, labels = images(m)
            Y = np.eye(10, dtype=np.float32)[labels]
            arch, p = net.architecture, net.parameters

            def matrix(a: Any = arch, p: Any = p, X: Any = X, Y: Any = Y) -> Any:
                passed = backprop.forward(a, p, X)
                return backprop.gradient(a, passed, backprop.backward(a, p, passed, Y))

            def loop(W: Any = net.weights, b: Any = net.biases, X: Any = X, Y: Any = Y) -> Any:
                return loop_over_samples(W, b, X, Y)

            np.testing.assert_allclose(loop()[0][0], net.gradient(X, Y).weights[0], atol=1e-6)
            one, all_at_once = median_seconds(loop), median_seconds(matrix)
            rows.append(
                [m, f"{1e6 * one:.0f} us", f"{1e6 * all_at_once:.0f} us", f"{one / all_at_once:.1f}"]
            )
        self.tables["C4: a mini-batch as one matrix, and sample by sample (784-30-10, NumPy)"] = (
            ["batch", "loop", "matrix", "factor"],
            rows,
        )

    def hadamard_or_diagonal(self) -> None:
        rows, rng = [], np.random.default_rng(0)
        for n_hidden, n_out in ((30, 10), (100, 10), (512, 512)) + (
            () if self.quick else ((2000, 2000),)
        ):
            W = rng.standard_normal((n_out, n_hidden), np.float32)
            delta = rng.standard_normal(n_out, np.float32)
            s = rng.random(n_hidden, np.float32)
            np.testing.assert_allclose(np.diag(s) @ (W.T @ delta), (W.T @ delta) * s, rtol=1e-4)

            def diagonal(W: Any = W, s: Any = s, d: Any = delta) -> Any:
                return np.diag(s) @ (W.T @ d)

            def product(W: Any = W, s: Any = s, d: Any = delta) -> Any:
                return np.diag(s) @ W.T @ d  # from left to right, as (35) is written

            def hadamard(W: Any = W, s: Any = s, d: Any = delta) -> Any:
                return (W.T @ d) * s

            h, d, p = (median_seconds(f) for f in (hadamard, diagonal, product))
            name = f"{n_out} deltas to {n_hidden}"
            rows.append(
                [name, *(f"{1e6 * t:.1f} us" for t in (h, d, p)), f"{d / h:.1f}", f"{p / h:.1f}"]
            )
        self.tables["C5: BP2 with a Hadamard product, and with a diagonal matrix"] = (
            ["", "(W'd) * s", "S (W'd)", "(S W') d", "S (W'd) factor", "(S W') d factor"],
            rows,
        )

    def finite_differences(self) -> None:
        rows, x, y = [], [], []
        for n_in, h in ((20, 30), (60, 50), (100, 100), (784, 40), (784, 125))[
            : 2 if self.quick else 5
        ]:
            net = cp.Network([n_in, h, 10], activation="sigmoid", seed=0, dtype="float64")
            X, labels = images(10, n_in)
            X, Y = X.astype(np.float64), np.eye(10)[labels]
            arch, p = net.architecture, net.parameters
            calls = 0

            def cost(a: Any = arch, p: Any = p, X: Any = X, Y: Any = Y) -> float:
                nonlocal calls
                calls += 1
                passed = backprop.forward(a, p, X)
                return float(a.cost.of_samples(a.output, passed.z[-1], passed.a[-1], Y).mean())

            def forward_differences(p: Any = p, cost: Any = cost, step: float = 1e-6) -> Any:
                found, start = np.empty_like(p), cost()
                for i in range(len(p)):
                    kept, p[i] = p[i], p[i] + step
                    found[i] = (cost() - start) / step
                    p[i] = kept
                return found

            def back(a: Any = arch, p: Any = p, X: Any = X, Y: Any = Y) -> Any:
                passed = backprop.forward(a, p, X)
                return backprop.gradient(a, passed, backprop.backward(a, p, passed, Y))

            began = time.process_time()  # minutes of one thread: other programs' turns are left out
            estimate = forward_differences()
            slow, passes = time.process_time() - began, calls
            np.testing.assert_allclose(estimate, back(), atol=1e-4)
            fast = median_seconds(back)
            x.append(len(p))
            y.append(slow / fast)
            rows.append(
                [
                    f"{n_in}-{h}-10",
                    f"{len(p):,}",
                    f"{passes:,}",
                    f"{slow:.3g} s",
                    f"{1e3 * fast:.3g} ms",
                    f"{slow / fast:,.0f}",
                ]
            )
        self._curve("finite differences", x, y, "time over backpropagation's, against parameters")
        self.tables["C2, C30: forward differences beside backpropagation (batch 10, float64)"] = (
            ["network", "parameters", "forward passes", "differences", "backpropagation", "factor"],
            rows,
        )

    def repeated_factors(self) -> None:
        rows = []
        for sizes in ((2, 2, 2), (784, 30, 10), (784, 30, 30, 30, 10)):
            last = len(sizes) - 1
            factors = sum(
                sizes[l] * sizes[l - 1] * math.prod(sizes[l + 1 :]) * (3 + 2 * (last - l))
                for l in range(1, last + 1)  # noqa: E741 - the layer, as in the formula
            )
            done = cp.Network(list(sizes), seed=0).architecture.multiply_adds()[1]
            rows.append(
                ["-".join(map(str, sizes)), f"{factors:,}", f"{done:,}", f"{factors / done:,.0f}"]
            )
        self.tables[
            "C14: factors of every path's product, and multiply-adds once each delta is kept"
        ] = (
            ["network", "factors", "multiply-adds backwards", "factor"],
            rows,
        )

    def one_some_all(self) -> None:
        digits, rows = data.load("digits"), []
        X = np.ascontiguousarray(digits.X_train, np.float32) / np.float32(16)
        y = digits.Y_train
        target, n = 0.1, len(X)
        rates_of = {
            1: (0.03, 0.1, 0.3),
            10: (0.3, 1.0, 3.0),
            100: (1.0, 3.0, 10.0),
            n: (1.0, 3.0, 10.0),
        }
        for m, rates in rates_of.items():
            best: tuple[Any, ...] = (math.inf,)
            for rate in rates:
                net = cp.Network([64, 30, 10], activation="sigmoid", seed=0)
                net.copy().fit(X, y, epochs=1, batch_size=m, optimizer=cp.SGD(rate), progress=False)
                began = time.perf_counter()
                history = net.fit(
                    X,
                    y,
                    epochs=20 if self.quick else max(60, 4 * m),
                    batch_size=m,
                    optimizer=cp.SGD(rate),
                    seed=0,
                    n_threads=1,
                    progress=False,
                    callbacks=[lambda training: training.history["cost"][-1] <= target],
                )
                seconds, epochs = time.perf_counter() - began, len(history["cost"])
                if history["cost"][-1] <= target and seconds < best[0]:
                    best = (seconds, epochs, rate)
            name = f"{m}" if m < n else f"{n} (all)"
            if best[0] == math.inf:
                rows.append([name, "-", "-", "-", "-", "not reached"])
            else:
                seconds, epochs, rate = best
                steps = epochs * -(-n // m)
                rows.append(
                    [name, rate, epochs, steps, f"{1e6 * seconds / steps:.0f} us", f"{seconds:.3f} s"]
                )
        self.tables[f"C24: digits, 64-30-10, SGD, best of three rates, to a mean cost of {target}"] = (
            ["samples in a step", "rate", "epochs", "steps", "a step", "to the target"],
            rows,
        )


PARTS = (
    "samples",
    "width",
    "depth",
    "batch",
    "rows",
    "memory",
    "backward_over_forward",
    "batch_or_loop",
    "hadamard_or_diagonal",
    "finite_differences",
    "repeated_factors",
    "one_some_all",
)


def loop_over_samples(weights: Any, biases: Any, X: Any, Y: Any) -> tuple[list[Any], list[Any]]:
    """Return the mean gradient as S2's listing finds it: one sample after the other, as columns."""
    dW, db = [np.zeros_like(W) for W in weights], [np.zeros_like(b)[:, None] for b in biases]
    columns = [b[:, None] for b in biases]
    for x, y in zip(X[:, :, None], Y[:, :, None], strict=True):
        a, activations, zs = x, [x], []
        for W, b in zip(weights, columns, strict=True):
            zs.append(W @ a + b)
            a = 1.0 / (1.0 + np.exp(-zs[-1]))
            activations.append(a)
        delta = (a - y) * a * (1 - a)
        for i in range(len(weights) - 1, -1, -1):
            dW[i] = dW[i] + delta @ activations[i].T
            db[i] = db[i] + delta
            if i:
                s = 1.0 / (1.0 + np.exp(-zs[i - 1]))
                delta = (weights[i].T @ delta) * s * (1 - s)
    return [g / len(X) for g in dW], [g[:, 0] / len(X) for g in db]


def promised(n_parameters: int, sizes: Sequence[int], batch: int, n_rows: int = 0) -> int:
    """Return the bytes that a training in float32 may take beside its data.

    Five times the parameters, a batch's inputs and each neuron's z, a and delta, and eight bytes a row
    for the order of the samples.
    """
    return 20 * n_parameters + 4 * batch * (sizes[0] + 3 * sum(sizes[1:])) + 8 * n_rows


def of_child(kind: str, n: int) -> dict[str, Any]:
    """Return what a process of its own has measured."""
    environment = {**os.environ, CHILD: f"{kind} {n}"}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def status(name: str) -> int:
    """Return an entry of this process's memory, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


def child(kind: str, n: int) -> None:
    """Print the resident memory before a training and its peak during it, in bytes, and its time."""
    sizes = [784, 512, 512, 10] if kind == "memory" else [30, 64, 32, 1]

    def rows(n: int) -> tuple[Any, Any]:
        if kind == "memory":
            return images(n)
        X = np.random.default_rng(0).random((n, sizes[0]), np.float32)
        return X, X[:, :1].copy()

    def trained(X: Any, Y: Any) -> tuple[Any, float]:
        cost = "cross_entropy" if kind == "memory" else "quadratic"
        net = cp.Network(sizes, activation="relu", cost=cost, seed=0)
        training = cp.Training(
            net, X, Y, batch_size=128, optimizer=cp.Adam(), seed=0, n_threads=1, progress=False
        )
        return net, median_seconds(lambda: training.run(1), 0.5, 1 if kind == "memory" else 3)

    trained(*rows(256))  # what is compiled or started once is not counted
    X, Y = rows(n)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = status("VmRSS")
    net, seconds = trained(X, Y)
    found = {"before": before, "peak": status("VmHWM"), "data": X.nbytes}
    if kind == "rows":
        found["data"] += Y.nbytes
    print(json.dumps({**found, "parameters": net.n_parameters, "seconds": seconds}))


def _short(value: int) -> str:
    return f"{value / 1000:.3g}k" if value >= 1000 else str(value)


def draw(curves: dict[str, dict[str, Any]], path: Path) -> bool:
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    columns = min(3, len(curves))
    lines = -(-len(curves) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(4.6 * columns, 3.7 * lines), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(curves) :]:
        axis.axis("off")
    for axis, (name, curve) in zip(axes.flat, curves.items(), strict=False):
        bytes_ = name == "memory"
        y = [value / 1e6 for value in curve["y"]] if bytes_ else curve["y"]
        axis.loglog(curve["x"], y, "o-", color="#1f5fa8", markersize=4)
        axis.set_xticks(curve["x"], [_short(value) for value in curve["x"]], fontsize=8)
        axis.minorticks_off()
        axis.set_title(f"{name}: slope {curve['slope']:.2f}, upper half {curve['end_slope']:.2f}")
        axis.set_xlabel(curve["said"], fontsize=9)
        if bytes_:
            axis.set_ylim(min(y) / 2, max(y) * 2)
        factor = name == "finite differences"
        axis.set_ylabel("megabytes" if bytes_ else "factor" if factor else "seconds an epoch")
        axis.grid(visible=True, which="both", alpha=0.25)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True


def markdown(about: dict[str, Any], growth: Growth, drawn: bool) -> str:
    lines = ["# Growth", "", *machine.lines(about), "- one thread"]
    if growth.quick:
        lines.append("- --quick: these times mean nothing")
    if drawn:
        lines += ["", "![time and memory against size, log-log](growth.png)"]
    lines += ["", "| against | work | slope (log-log) | slope, upper half | values |"]
    lines.append("| --- | --- | ---: | ---: | --- |")
    for name, curve in growth.curves.items():
        values = ", ".join(f"{x:,}: {y:.3g}" for x, y in zip(curve["x"], curve["y"], strict=True))
        lines.append(
            f"| {name} | {curve['said']} | {curve['slope']:.2f} | {curve['end_slope']:.2f} | {values} |"
        )
    for title, (header, rows) in growth.tables.items():
        lines += ["", f"## {title}", "", "| " + " | ".join(header) + " |"]
        lines.append("| " + " | ".join(["---:"] * len(header)) + " |")
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    if asked := os.environ.get(CHILD):
        kind, n = asked.split()
        child(kind, int(n))
        return 0
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"--only must be among {', '.join(PARTS)}, got {', '.join(unknown)}")
    about, growth = machine.describe(), Growth(options.quick)
    for name in names:
        print(name, file=sys.stderr, flush=True)
        getattr(growth, name)()
    options.output.mkdir(parents=True, exist_ok=True)
    drawn = draw(growth.curves, options.output / "growth.png") if growth.curves else False
    text = markdown(about, growth, drawn)
    print(text)
    (options.output / "growth.md").write_text(text)
    kept = {"machine": about, "curves": growth.curves, "tables": growth.tables}
    (options.output / "growth.json").write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    if process.pinned(1):
        sys.exit(main())
    sys.exit(process.again_pinned(1))
