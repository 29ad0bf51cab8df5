"""What one call for one row takes, beside mlpfile and onnxruntime where they are installed.

    python benchmarks/one_row.py [--rounds 1000]

The network is 40-100-100-10 with ReLU, quadratic cost and float32. All have the same weights, which is
looked at first: outputs, Jacobians and the weights after a step agree to 1e-5. Then everybody makes
some calls in turns, round after round, with one thread; what counts is the median over the rounds of a
round's mean, and half of the rounds lie between the two numbers beside it. The first prediction is one
of a new process that has imported clearprop. Written to ``results/one_row.md``.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import machine
import numpy as np

import clearprop as cp

RESULTS = Path(__file__).parent / "results" / "one_row.md"
SIZES, RATE = (40, 100, 100, 10), 1e-4
CALLS = 30  # of a round: shorter than the system lets a process run, on a machine that does other work
rng = np.random.default_rng(0)
x, y = rng.normal(size=(1, 40)).astype("f"), rng.normal(size=(1, 10)).astype("f")
Call = Callable[[], Any]


def network() -> cp.Network:
    return cp.Network(
        list(SIZES), activation="relu", cost="quadratic", bias_initializer="normal", seed=0
    )


def ours(net: cp.Network) -> dict[str, Call]:
    calls: dict[str, Call] = {
        "predict": lambda: net.predict(x),
        "jacobian": lambda: net.jacobian(x),
        "cost": lambda: net.cost(x, y),
        "input_gradient": lambda: net.input_gradient(x, y),
        "gradient": lambda: net.gradient(x, y),
    }
    for name, optimizer in (
        ("step, SGD", cp.SGD(RATE)),
        ("step, SGD with momentum", cp.SGD(RATE, momentum=0.9)),
        ("step, Adam", cp.Adam(1e-6)),
        ("step, AdamW", cp.AdamW(1e-6)),
    ):
        training = cp.Training(network(), optimizer=optimizer)
        calls[name] = lambda training=training: training.step(x, y)
    return calls


def mlpfile_calls(net: cp.Network) -> dict[str, Call]:
    """Return mlpfile's calls, of a random model whose weights the network gets too."""
    import mlpfile

    model, trained = (mlpfile.Model.random(SIZES[0], list(SIZES[1:-1]), SIZES[-1]) for _ in range(2))
    give(net, model)
    row, target = x[0].copy(), y[0].copy()
    near(model.forward(row), net.predict(x)[0])
    near(model.jacobian(row), net.jacobian(x)[0])
    mine = net.copy()
    give(mine, trained)
    rate = RATE * float(
        (mlpfile.squared_error(target * 0, target) / -target)[0]
    )  # of 1/2 or 1 times it
    cp.Training(mine, optimizer=cp.SGD(rate)).step(x, y)
    trained.grad_update(row, target, mlpfile.squared_error, RATE)
    near(trained.layers[0].W, mine.weights[0])
    return {
        "predict": lambda: model.forward(row),
        "jacobian": lambda: model.jacobian(row),
        "step, SGD": lambda: trained.grad_update(row, target, mlpfile.squared_error, RATE),
    }


def give(net: cp.Network, model: Any) -> None:
    """Give a network the weights of a model of mlpfile."""
    linear = [each for each in model.layers if "Linear" in str(each.type)]
    for W, b, layer in zip(net.weights, net.biases, linear, strict=True):
        W[:], b[:] = layer.W, np.ravel(layer.b)  # type: ignore[index]


def onnxruntime_calls(net: cp.Network) -> dict[str, Call]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(plain_graph(net).SerializeToString(), options)
    near(session.run(None, {"x": x})[0], net.predict(x))
    return {"predict": lambda: session.run(None, {"x": x})}


def plain_graph(net: cp.Network) -> Any:
    """Return the layers as an ONNX graph of floats: what a model has besides would cost time too."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, arrays, name = [], [], "x"
    for number, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), 1):
        last = number == len(net.weights)
        out = "y" if last else f"z{number}"
        arrays += [
            numpy_helper.from_array(W.copy(), f"W{number}"),
            numpy_helper.from_array(b.copy(), f"b{number}"),
        ]  # type: ignore[union-attr]
        nodes.append(helper.make_node("Gemm", [name, f"W{number}", f"b{number}"], [out], transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"a{number}"]))
            name = f"a{number}"
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k])
        for n, k in (("x", SIZES[0]), ("y", SIZES[-1]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def near(one: Any, other: Any) -> None:
    one, other = (np.asarray(each, float).reshape(-1) for each in (one, other))
    if np.abs(one - other).max() > 1e-5 * np.abs(other).max():
        raise SystemExit(f"the contestants differ by {np.abs(one - other).max():.1e}")


def microseconds(calls: dict[tuple[str, str], Call], rounds: int) -> dict[tuple[str, str], list[float]]:
    """Return the mean of each round, of all in turns."""
    found: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for call in calls.values():
        for _ in range(2000):
            call()
    for _ in range(rounds):
        for key, call in calls.items():
            for _ in range(5):  # the others were in the cache
                call()
            begin = time.perf_counter()
            for _ in range(CALLS):
                call()
            found[key].append((time.perf_counter() - begin) / CALLS * 1e6)
    return found


def rows_a_second(net: cp.Network, n_rows: int, n_threads: int, seconds: float = 0.5) -> float:
    """Return how many calls a second so many threads make together, of batches of some rows."""
    X, counts = np.repeat(x, n_rows, axis=0), [0] * n_threads
    end = time.perf_counter() + seconds

    def work(k: int) -> None:
        while time.perf_counter() < end:
            for _ in range(50):
                net.predict(X)
            counts[k] += 50

    threads = [threading.Thread(target=work, args=(k,)) for k in range(n_threads)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(counts) / seconds


STARTS = {
    "import numpy": "import numpy",
    "import clearprop": "import clearprop",
    "to the first prediction": "import clearprop, numpy; before = now()\n"
    "net = clearprop.Network([40, 100, 100, 10]); net.predict(numpy.zeros((1, 40), 'f'))",
}


def milliseconds(code: str) -> float:
    """Return the CPU time of some code in a new process; from `before` on, where it sets that."""
    program = (
        f"import time; now = time.process_time; before = now()\n{code}\nprint((now() - before) * 1000)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def table(found: dict[tuple[str, str], list[float]], who: list[str]) -> list[str]:
    lines = ["| microseconds | " + " | ".join(who) + " |", "| --- |" + " ---: |" * len(who)]
    for what in dict.fromkeys(name for _, name in found):
        cells = []
        for each in who:
            rounds = found.get((each, what))
            low, middle, high = statistics.quantiles(rounds, n=4) if rounds else (0.0, 0.0, 0.0)
            cells.append(f"{middle:.1f} ({low:.1f} to {high:.1f})" if rounds else "")
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    net = network()
    cp.Training(net, x, y, batch_size=1, optimizer=cp.SGD(1e-9), progress=False).run(1)
    calls = {("clearprop", name): call for name, call in ours(net).items()}
    for other, made in (("mlpfile", mlpfile_calls), ("onnxruntime", onnxruntime_calls)):
        if importlib.util.find_spec(other) is None:
            print(f"{other} is not installed", file=sys.stderr)
            continue
        calls |= {(other, name): call for name, call in made(net).items()}
    who = list(dict.fromkeys(each for each, _ in calls))
    lines = table(microseconds(calls, rounds), who)
    several = [rows_a_second(net, n, k) for n in (1, 8, 64) for k in (1, 2)]
    turns = [[milliseconds(code) for code in STARTS.values()] for _ in range(15)]
    starts = dict(zip(STARTS, map(sorted, zip(*turns, strict=True)), strict=True))
    places = zip((1, 8, 64), several[::2], several[1::2], strict=True)
    text = "\n".join(
        [
            "# One row at a time\n",
            "`python benchmarks/one_row.py`: 40-100-100-10, ReLU, float32, one thread; the median",
            "over the rounds of a round's mean, and between what half of the rounds lie.\n",
            *lines,
            "\nCalls a second of `predict` by Python threads:\n",
            "| rows | 1 thread | 2 threads |\n| --- | ---: | ---: |",
            *(f"| {n} | {one:,.0f} | {two:,.0f} |" for n, one, two in places),
            "\nMilliseconds of CPU time in a new process, the median of 15 (least to most):\n",
            *(f"- {n}: {each[7]:.0f} ({each[0]:.0f} to {each[-1]:.0f})" for n, each in starts.items()),
            "",
            *machine.lines(machine.describe()),
            "",
        ]
    )
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
