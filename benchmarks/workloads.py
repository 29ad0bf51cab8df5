"""The work: networks, data, initial weights, and the one cost that every contestant is judged by.

Only NumPy and the sample order come from elsewhere: what judges must share no code with what is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ORDER_SEED = 7
BLOCK = 4096  # rows evaluated together


@dataclass(frozen=True)
class Workload:
    """One network, one recipe, one set of rows; an "epoch" is a pass over `n_samples` of them."""

    name: str
    about: str
    sizes: tuple[int, ...]
    hidden: str
    output: str
    cost: str
    optimizer: str
    rate: float
    batch: int
    n_samples: int
    quick_samples: int
    data: str = "mnist"
    initial: str = "lecun"
    l2: float = 0.0
    kind: str = "train"  # or "predict", or "accuracy"
    rows: int | None = None  # of a prediction; None: all
    passes: int = 1  # timed together; an epoch is one of them
    dtype: str = "float32"  # "float64" only to see whether the work is the same

    @property
    def full(self) -> bool:
        """Return whether a batch is all rows: their order is nobody's work then."""
        return self.batch >= self.n_samples

    @property
    def steps(self) -> int:
        return -(-self.n_samples // self.batch)

    def multiply_adds(self) -> tuple[int, int]:
        """Of one sample, forwards and backwards: no dC/dX in the first layer."""
        products = [a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        return sum(products), sum(products) + sum(products[1:])

    def flops(self) -> int:
        """Of one timed unit: an epoch, or one prediction of `rows` rows."""
        forward, backward = self.multiply_adds()
        if self.kind == "predict":
            return 2 * forward * (self.rows or self.n_samples)
        return 2 * (forward + backward) * self.n_samples


_W1 = Workload(
    name="W1",
    about="784-30-10 sigmoid, quadratic, SGD, batch 10 (S2's own)",
    sizes=(784, 30, 10),
    hidden="sigmoid",
    output="sigmoid",
    cost="quadratic",
    optimizer="sgd",
    rate=3.0,
    batch=10,
    n_samples=50_000,
    quick_samples=605,
)
_W4 = Workload(
    name="W4",
    about="784-512-512-10 ReLU, softmax, Adam, batch 128",
    sizes=(784, 512, 512, 10),
    hidden="relu",
    output="softmax",
    cost="cross_entropy",
    optimizer="adam",
    rate=1e-3,
    batch=128,
    n_samples=50_000,
    quick_samples=1_000,
    initial="he",
)
_W5 = Workload(
    name="W5",
    about="32-256-256-256-1 SELU, squared error, Adam, batch 256 (a table)",
    sizes=(32, 256, 256, 256, 1),
    hidden="selu",
    output="identity",
    cost="squared_error",
    optimizer="adam",
    rate=1e-3,
    batch=256,
    n_samples=50_000,
    quick_samples=1_000,
    data="table",
)
_TRAIN = (
    _W1,
    replace(
        _W1,
        name="W2",
        about="784-30-10 sigmoid, quadratic, SGD, batch 1 (S0's online learning; 10,000 rows an epoch)",
        rate=0.3,
        batch=1,
        n_samples=10_000,
        quick_samples=100,
    ),
    Workload(
        name="W3",
        about="784-100-10 sigmoid, softmax, Adam, batch 32",
        sizes=(784, 100, 10),
        hidden="sigmoid",
        output="softmax",
        cost="cross_entropy",
        optimizer="adam",
        rate=1e-3,
        batch=32,
        n_samples=50_000,
        quick_samples=1_000,
    ),
    _W4,
    _W5,
    Workload(
        name="W6",
        about="784-2500-2000-1500-1000-500-10 scaled_tanh, SGD, batch 256 (5,120 rows an epoch)",
        sizes=(784, 2500, 2000, 1500, 1000, 500, 10),
        hidden="scaled_tanh",
        output="softmax",
        cost="cross_entropy",
        optimizer="sgd",
        rate=0.01,
        batch=256,
        n_samples=5_120,
        quick_samples=256,
    ),
    Workload(
        name="W9",
        about="4-32-16-4 tanh, squared error, Adam, full batch (exponentials of 2 x 2 matrices)",
        sizes=(4, 32, 16, 4),
        hidden="tanh",
        output="identity",
        cost="squared_error",
        optimizer="adam",
        rate=1e-3,
        batch=10_000,
        n_samples=10_000,
        quick_samples=1_000,
        data="matrices",
        passes=100,
    ),
)


def _dense() -> Iterator[Workload]:
    """W1 to W3 without zeros: columns that are 0 in a whole batch of MNIST's are passed over."""
    for work in _TRAIN[:3]:
        yield replace(work, name=f"{work.name}-dense", about=f"{work.about}; no zeros", data="dense")


def _predictions() -> Iterator[Workload]:
    for work in (_W1, _W4, _W5):
        for rows, said in ((1, "one row"), (1_000, "1,000 rows"), (None, "all rows")):
            yield replace(
                work,
                name=f"W7-{work.name}-{rows or 'all'}",
                about=f"predict {said}: {'-'.join(map(str, work.sizes))} {work.hidden}",
                kind="predict",
                rows=rows,
                quick_samples=2_000,
            )


_W8 = Workload(
    name="W8",
    about="seconds to 97 % and 98 %: 784-100-10 sigmoid, softmax, SGD 0.5, batch 10, l2 1e-4",
    sizes=(784, 100, 10),
    hidden="sigmoid",
    output="softmax",
    cost="cross_entropy",
    optimizer="sgd",
    rate=0.5,
    batch=10,
    n_samples=60_000,
    quick_samples=1_000,
    l2=1e-4,
    kind="accuracy",
)

WORKLOADS: dict[str, Workload] = {
    work.name: work for work in (*_TRAIN, *_dense(), *_predictions(), _W8)
}


def chosen(names: Sequence[str] | None, *, quick: bool) -> list[Workload]:
    """Return the workloads of these names; "W7" stands for all its parts, "W1" for W1-dense too."""
    picked = [
        work
        for work in WORKLOADS.values()
        if names is None or work.name in names or work.name.split("-")[0] in names
    ]
    known = {work.name for work in picked} | {work.name.split("-")[0] for work in picked}
    if unknown := [name for name in names or () if name not in known]:
        raise SystemExit(f"--workloads must be among W1 ... W9, got {', '.join(unknown)}")
    if quick:
        picked = [replace(work, n_samples=work.quick_samples) for work in picked]
    return picked


# The data: made once by the coordinator, read by every contestant's process


def prepare_data(folder: Path, wanted: str, works: Sequence[Workload]) -> dict[str, str]:
    """Write the arrays that `works` need into `folder`; return what each set is."""
    n_train = max(work.n_samples for work in works)
    said = {name: about for name, (make, about) in MADE.items() if any(w.data == name for w in works)}
    for name in said:
        X, y = MADE[name][0](n_train)
        np.save(folder / f"{name}_X.npy", X)
        np.save(folder / f"{name}_y.npy", y)
    if all(work.data in said for work in works):
        return said
    X, labels, X_test, labels_test, said["mnist"] = _images(wanted, n_train)
    for name, array in (
        ("mnist_X", X),
        ("mnist_y", labels),
        ("mnist_X_test", X_test),
        ("mnist_y_test", labels_test),
    ):
        np.save(folder / f"{name}.npy", array)
    return said


def _images(wanted: str, n_train: int) -> tuple[Any, Any, Any, Any, str]:
    reason = "asked for"
    if wanted != "synthetic":
        try:
            from clearprop import data

            found = data.load("mnist")
            X, X_test = (
                np.ascontiguousarray(part.reshape(len(part), -1), np.float32) / np.float32(255)
                for part in (found.X_train, found.X_test)
            )
            return (
                X,
                found.Y_train.astype(np.int64),
                X_test,
                found.Y_test.astype(np.int64),
                "MNIST",
            )
        except (OSError, ImportError, AttributeError) as error:
            if wanted == "mnist":
                raise
            reason = f"MNIST was not found: {type(error).__name__}"
    rng = np.random.default_rng(0)
    n_test = n_train // 6
    prototypes = rng.random((10, 784), np.float32) * (rng.random((10, 784), np.float32) < 0.3)
    labels = rng.integers(0, 10, n_train + n_test)
    X = rng.random((len(labels), 784), np.float32)
    X *= rng.random(X.shape, np.float32) < 0.19  # as many pixels as MNIST has that are not 0
    X *= np.float32(0.7)
    X += np.float32(0.6) * prototypes[labels]
    np.clip(X, 0, 1, out=X)
    said = f"random images of MNIST's shape ({reason})"
    return X[:n_train], labels[:n_train], X[n_train:], labels[n_train:], said


def _dense_images(n: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    prototypes, labels = rng.random((10, 784), np.float32), rng.integers(0, 10, n)
    return (rng.random((n, 784), np.float32) + prototypes[labels] - 1) / 2, labels


def _matrices(n: int) -> tuple[Any, Any]:
    """The task of SimpleChains.jl's documentation: exp(A) = e^s (cosh(q) I + sinh(q) / q B)."""
    A = np.random.default_rng(0).standard_normal((10_000, 2, 2))
    s = np.trace(A, axis1=1, axis2=2)[:, None, None] / 2
    B = A - s * np.eye(2)
    q = np.sqrt(-np.linalg.det(B).astype(complex))[:, None, None]
    Y = np.exp(s) * (np.cosh(q) * np.eye(2) + np.sinh(q) / q * B).real
    return A.reshape(-1, 4).astype(np.float32), Y.reshape(-1, 4).astype(np.float32)


def _table(n: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50_000, 32), dtype=np.float32)
    A = rng.standard_normal((32, 4)) / np.sqrt(32)
    z = X @ A
    y = np.sin(2 * z[:, 0]) + z[:, 1] * z[:, 2] + np.exp(-(z[:, 3] ** 2))
    y = (y - y.mean()) / y.std()
    return X, y[:, None].astype(np.float32)


MADE: dict[str, tuple[Callable[[int], tuple[Any, Any]], str]] = {
    "table": (_table, "50,000 x 32 standard normal features, a smooth target, seed 0"),
    "dense": (_dense_images, "uniform in (-1/2, 1/2), half of it of the class"),
    "matrices": (_matrices, "10,000 standard normal 2 x 2 matrices and their exponentials"),
}


@dataclass(frozen=True)
class Rows:
    """What a contestant is given: float32 inputs; labels of classes, or None; targets of the cost."""

    X: Any
    labels: Any
    Y: Any  # (n_samples, n_outputs), one-hot for classes
    X_test: Any = None
    labels_test: Any = None


def load_rows(folder: Path, work: Workload) -> Rows:
    """Return the first `n_samples` rows of the workload's data."""
    n = work.n_samples
    X = np.load(folder / f"{work.data}_X.npy", mmap_mode="r")[:n]
    labels = np.load(folder / f"{work.data}_y.npy")[:n]
    if labels.ndim == 2:
        return Rows(np.array(X, work.dtype), None, labels.astype(work.dtype))
    Y = np.zeros((len(labels), 10), work.dtype)
    Y[np.arange(len(labels)), labels] = 1.0
    test = (None, None)
    if work.kind == "accuracy":
        test = (np.load(folder / "mnist_X_test.npy"), np.load(folder / "mnist_y_test.npy"))
    return Rows(np.array(X, work.dtype), labels, Y, *test)


def initial_parameters(work: Workload) -> tuple[list[Any], list[Any]]:
    """Return the same weights (n_out, n_in) and biases (n_out,) for every contestant."""
    rng = np.random.default_rng(1)
    gain = 2.0 if work.initial == "he" else 1.0
    shapes = list(zip(work.sizes[1:], work.sizes, strict=False))
    weights = [
        (rng.standard_normal(shape) * np.sqrt(gain / shape[1])).astype(np.float32) for shape in shapes
    ]
    weights = [W.astype(work.dtype) for W in weights]  # the same numbers in float64
    return weights, [np.zeros(n_out, work.dtype) for n_out, _ in shapes]


# The judge


def _sigmoid(z: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def _selu(z: Any) -> Any:
    negative = 1.6732632423543772 * np.expm1(np.minimum(z, 0))
    return 1.0507009873554805 * np.where(z > 0, z, negative)


HIDDEN = {
    "sigmoid": _sigmoid,
    "relu": lambda z: np.maximum(z, 0),
    "selu": _selu,
    "tanh": np.tanh,
    "scaled_tanh": lambda z: 1.7159 * np.tanh(2.0 / 3.0 * z),
    "identity": lambda z: z,
}


def _outputs_z(work: Workload, weights: Any, biases: Any, X: Any) -> Any:
    a = X
    for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
        z = a @ W.T + b
        if i < len(weights) - 1:
            a = HIDDEN[work.hidden](z)
    return z


def outputs(work: Workload, weights: Any, biases: Any, X: Any) -> Any:
    """Return what the network's last layer gives."""
    z = _outputs_z(work, weights, biases, X)
    if work.output == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return HIDDEN[work.output](z)


def mean_cost(work: Workload, weights: Any, biases: Any, rows: Rows) -> float:
    """Return the mean cost over the training rows, without the penalty; float64 from z on."""
    total = 0.0
    for first in range(0, len(rows.X), BLOCK):
        part = slice(first, first + BLOCK)
        z = _outputs_z(work, weights, biases, rows.X[part]).astype(np.float64)
        Y = rows.Y[part]
        if work.cost == "cross_entropy":
            z = z - z.max(axis=1, keepdims=True)
            total += (np.log(np.exp(z).sum(axis=1)) - (z * Y).sum(axis=1)).sum()
        else:
            half = 0.5 if work.cost == "quadratic" else 1.0
            total += half * ((HIDDEN[work.output](z) - Y) ** 2).sum()
    return total / len(rows.X)


def accuracy(work: Workload, weights: Any, biases: Any, rows: Rows) -> float:
    """Return the share of test rows whose largest output is the right one."""
    right = 0
    for first in range(0, len(rows.X_test), BLOCK):
        part = slice(first, first + BLOCK)
        z = _outputs_z(work, weights, biases, rows.X_test[part])
        right += int((z.argmax(axis=1) == rows.labels_test[part]).sum())
    return right / len(rows.X_test)
