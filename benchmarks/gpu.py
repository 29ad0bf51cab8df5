"""How fast the JAX engine is on a GPU, and how many digits products with fewer cost.

    python benchmarks/gpu.py [--device gpu] [--repeats 5] [--precision highest] [--quick]

Three networks of the kind in `workloads`, W4, W6 and one that is 4,096 wide, all rows on the device: an
epoch by clearprop, and by PyTorch eager, with `torch.compile`, and as a CUDA graph of a step, where it
is there. The first epochs are not timed: they compile. `--precision` is that of the timed products, in
PyTorch too: "highest", or "tensorfloat32".

Then the distance of the parameters from the reference's in float64 after an epoch on 1,000 rows, for
each precision. A CPU has one only: there, the reference computes it in float32 with the factors of each
product rounded as a GPU rounds them.

Written where there was no GPU: its PyTorch part has not been run yet.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from workloads import WORKLOADS, Workload

import clearprop as cp
from clearprop import randomness
from clearprop.engines import Data, State
from clearprop.engines.reference import ReferenceEngine

PRECISIONS = {"highest": 23, "tensorfloat32": 10, "bfloat16": 7}  # bits of a factor's fraction
ROWS_OF_AGREEMENT = 1_000


def works(quick: bool) -> Iterator[Workload]:
    wide = replace(
        WORKLOADS["W4"], name="4096", about="784-4096-4096-10 ReLU, Adam, batch 512",
        sizes=(784, 4096, 4096, 10), batch=512,
    )  # fmt: skip
    for work in (WORKLOADS["W4"], WORKLOADS["W6"], wide):
        yield replace(work, n_samples=work.quick_samples) if quick else work


def rows(work: Workload) -> tuple[Any, Any]:
    """Return inputs and classes that are drawn: how long an epoch takes does not depend on them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(work.n_samples, work.sizes[0])).astype(np.float32)
    return X, rng.integers(0, work.sizes[-1], work.n_samples)


def training(work: Workload, engine: str, dtype: str = "float32", n: int | None = None) -> cp.Training:
    X, y = rows(work)
    net = cp.Network(
        list(work.sizes),
        activation=work.hidden,
        output=work.output,
        cost=work.cost,
        dtype=dtype,
        seed=0,
    )
    optimizer = cp.Adam(work.rate) if work.optimizer == "adam" else cp.SGD(work.rate)
    X, y = X[:n].astype(dtype), y[:n]
    how = {"batch_size": work.batch, "optimizer": optimizer, "seed": 1, "progress": False}
    return cp.Training(net, X, y, engine=engine, **how)


def clearprop_epoch(work: Workload, device: str) -> Callable[[], None]:
    made = training(work, f"jax:{device}")
    return lambda: made.run(1)


def torch_network(work: Workload, device: str) -> tuple[Any, Any, Any, Any]:
    """Return a model, its optimizer, and rows on the device."""
    import torch
    from torch import nn

    class ScaledTanh(nn.Module):
        def forward(self, z: Any) -> Any:
            return 1.7159 * torch.tanh(2.0 / 3.0 * z)

    layers: list[Any] = []
    for a, b in zip(work.sizes, work.sizes[1:], strict=False):
        layers += [nn.Linear(a, b), nn.ReLU() if work.hidden == "relu" else ScaledTanh()]
    model = nn.Sequential(*layers[:-1]).to(device)
    made = torch.optim.Adam if work.optimizer == "adam" else torch.optim.SGD
    more = {"capturable": True} if work.optimizer == "adam" else {}
    X, y = (torch.from_numpy(each).to(device) for each in rows(work))
    return model, made(model.parameters(), lr=work.rate, **more), X, y


def torch_epoch(work: Workload, how: str) -> Callable[[], None]:
    """Return an epoch by PyTorch, of whole batches: a graph has one shape."""
    import torch

    model, optimizer, X, y = torch_network(work, "cuda")
    loss = torch.nn.CrossEntropyLoss()
    x_now, y_now = X[: work.batch].clone(), y[: work.batch].clone()
    forward = torch.compile(lambda: loss(model(x_now), y_now)) if how == "compile" else None

    def step() -> None:
        optimizer.zero_grad(set_to_none=how != "graph")
        (forward or (lambda: loss(model(x_now), y_now)))().backward()
        optimizer.step()

    once = step
    if how == "graph":
        aside = torch.cuda.Stream()
        with torch.cuda.stream(aside):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        once = graph.replay

    def epoch() -> None:
        order = torch.randperm(len(X), device="cuda")
        for first in range(0, len(X) - work.batch + 1, work.batch):
            batch = order[first : first + work.batch]
            x_now.copy_(X[batch])
            y_now.copy_(y[batch])
            once()
        torch.cuda.synchronize()

    return epoch


def contestants(work: Workload, device: str) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "clearprop, engine jax", clearprop_epoch(work, device)
    if importlib.util.find_spec("torch") is None or device != "gpu":
        return
    for how in ("eager", "compile", "graph"):
        yield f"PyTorch, {how}", torch_epoch(work, how)


def timed(epoch: Callable[[], None], repeats: int) -> list[float]:
    for _ in range(2):
        epoch()
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        epoch()
        found.append(time.perf_counter() - began)
    return sorted(found)


def print_times(device: str, repeats: int, quick: bool) -> None:
    for work in works(quick):
        print(f"{work.name}: {work.about}, {work.n_samples:,} rows")
        for name, epoch in contestants(work, device):
            found = timed(epoch, repeats)
            middle = statistics.median(found)
            rate = work.flops() / middle / 1e12
            print(f"  {name:24}{middle * 1e3:10.1f} ms an epoch ({found[0] * 1e3:.1f} to "
                  f"{found[-1] * 1e3:.1f}), {rate:.2f} TFLOP/s")  # fmt: skip


def print_agreement(device: str) -> None:
    """Print how far an epoch leads from the reference's in float64, beside how far it leads."""
    print(f"after an epoch on {ROWS_OF_AGREEMENT:,} rows, distance of the parameters from those of the")
    print("float64 reference, as a share of the way that these have gone (root mean squares):")
    for work in works(quick=True):
        few = replace(work, n_samples=ROWS_OF_AGREEMENT)
        wanted = training(few, "numpy", "float64")
        first = wanted.net.parameters.copy()
        wanted.run(1)
        change = np.linalg.norm(wanted.net.parameters - first)
        for precision, bits in PRECISIONS.items():
            got = emulated(few, bits) if device == "cpu" else on_device(few, device, precision)
            far = np.linalg.norm(got - wanted.net.parameters)
            print(f"  {work.name:6}{precision:16}{far / change:.1e}")


def on_device(work: Workload, device: str, precision: str) -> Any:
    with jax.default_matmul_precision(precision):
        got = training(work, f"jax:{device}")
        got.run(1)
    return got.net.parameters


def emulated(work: Workload, bits: int) -> Any:
    """Return the parameters after an epoch by the reference whose products have rounded factors."""

    class Rounded(np.ndarray[Any, Any]):
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **how: Any) -> Any:
            plain = [np.asarray(x) if isinstance(x, Rounded) else x for x in inputs]
            if ufunc is np.matmul:
                plain = [rounded(x, bits) for x in plain]
            if "out" in how:
                how["out"] = tuple(np.asarray(x) for x in how["out"])
            made = getattr(ufunc, method)(*plain, **how)
            return made.view(Rounded) if isinstance(made, np.ndarray) else made

    got = training(work, "numpy")
    data, state, plan = got.data, got.state, got.plan
    view = Data(data.X.view(Rounded), data.Y.view(Rounded), None)
    begin = State(state.parameters.view(Rounded), state.moments.view(Rounded))
    order = randomness.permutation(plan.seed, plan.n_samples, step=0)
    ReferenceEngine().run(plan, begin, view, order, np.full(plan.steps_per_epoch, work.rate))
    return np.asarray(begin.parameters)


def rounded(x: Any, bits: int) -> Any:
    """Return float32 numbers with so many bits of fraction, the nearest, of two the even one."""
    if bits == 23:
        return x
    cut = np.uint32(23 - bits)
    word = np.ascontiguousarray(x).view(np.uint32)
    word = word + ((np.uint32(1) << cut - np.uint32(1)) - np.uint32(1)) + (word >> cut & np.uint32(1))
    return (word >> cut << cut).view(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("gpu", "tpu", "cpu"), default="gpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--precision", choices=list(PRECISIONS)[:2], default="highest")
    parser.add_argument("--quick", action="store_true", help="few rows, to see that it runs")
    how = parser.parse_args()
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.backends.cuda.matmul.allow_tf32 = how.precision == "tensorfloat32"
    found = jax.devices(how.device)
    print(f"{found[0].device_kind}, JAX {jax.__version__}, products {how.precision}")
    with jax.default_matmul_precision(how.precision):
        print_times(how.device, how.repeats, how.quick)
    print_agreement(how.device)


if __name__ == "__main__":
    main()
