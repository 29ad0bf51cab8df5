"""What the golden runs learn from: small, unequal in its sizes, made here from seeds or bundled."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, CLASSES = 4, 3
N = 97  # the last batch is short
_rng = np.random.default_rng(7)
X = _rng.normal(size=(N, FEATURES)).round(3)
X_NEW = np.concatenate(
    [_rng.normal(size=(20, FEATURES)), np.zeros((1, FEATURES)), 40 * np.eye(FEATURES)]
)
LABELS = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 0.5)
WORDS = np.array(["low", "middle", "high"])[LABELS]
QUANTITY = (np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 3).round(4)
COUNTS = np.floor(np.exp(0.4 * X[:, 0])).astype(int) + 1
PAIR = np.stack([QUANTITY, X[:, 3] ** 2], axis=1)
FLAGS = (X[:, :CLASSES] > 0).astype(int)
WEIGHT = (np.arange(N) % 4).astype(float)
GROUP = np.arange(N) // 5
SPARSE = np.where(np.arange(N * 40).reshape(N, 40) % 7 < 2, np.abs(np.resize(X, (N, 40))), 0.0)
CONSTANT = np.where(np.arange(FEATURES) == 1, 5.0, X)  # a column that does not vary in training


def table_columns(n: int = 150) -> dict[str, list[Any]]:
    """Return a table with everything that tables have: gaps, words, dates, ids, what does not vary."""
    rng = np.random.default_rng(11)
    age = rng.normal(40, 12, n).round(1)
    plan = rng.choice(["basic", "plus", "pro"], n)
    spent = np.exp(rng.normal(3, 2, n)).round(2)
    return {
        "customer_id": [1000 + i for i in range(n)],
        "age": [None if i % 9 == 0 else float(age[i]) for i in range(n)],
        "plan": [None if i % 11 == 0 else str(plan[i]) for i in range(n)],
        "since": [f"20{10 + i % 9}-0{1 + i % 9}-1{i % 10}" for i in range(n)],
        "vip": ["true" if v else "false" for v in rng.random(n) < 0.3],
        "country": ["NL"] * n,
        "shop": [i % 6 for i in range(n)],
        "visits": [1 + i % 3 for i in range(n)],
        "spent": [float(v) for v in spent],
        "note": [f"a long remark, number {i}, of its own" for i in range(n)],
        "weight": [1 + i % 3 for i in range(n)],
        "week": [i // 7 for i in range(n)],
        "left": ["yes" if a else "no" for a in (age > 40) ^ (plan == "pro")],
        "bill": [float(v) for v in (age * 2 + spent / 10 + (plan == "pro") * 20).round(3)],
    }


def targets(n: int = 150) -> dict[str, list[Any]]:
    """Return columns of which it is to be told whether they are classes or quantities."""
    i = np.arange(n)
    return {
        "words": [f"w{k % 3}" for k in i],
        "booleans": ["true" if k % 3 else "false" for k in i],
        "two": [int(k % 2) for k in i],
        "gaps": [int(10 * (k % 4)) for k in i],
        "twenty": [int(k % 20) for k in i],
        "twenty-one": [int(k % 21) for k in i],
        "hundred": [int(k % 100) for k in i],
        "hundred-and-one": [int(k % 101) for k in i],
        "whole floats": [float(k % 5) for k in i],
        "fractions": [float(k % 5) / 4 for k in i],
        "every row its own": [int(k) for k in i],
    }


def without(columns: dict[str, list[Any]], *names: str) -> dict[str, list[Any]]:
    return {name: values for name, values in columns.items() if name not in names}


def write_csv(path: Path, columns: dict[str, list[Any]], rows: slice = slice(None)) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(list(zip(*columns.values(), strict=True))[rows])


def write_files(folder: Path) -> None:
    """Write what the shell reads, sound and not."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = table_columns()
    write_csv(folder / "customers.csv", without(columns, "bill"))
    write_csv(folder / "bills.csv", without(columns, "left"))
    write_csv(folder / "others.csv", without(columns, "left", "bill", "note"), slice(0, 40))
    write_csv(folder / "no-age.csv", without(columns, "age", "left", "bill"))
    pq.write_table(pa.table(without(columns, "bill")), folder / "customers.parquet", row_group_size=37)
    numbers = {f"x{j}": X[:, j].tolist() for j in range(FEATURES)} | {"y": LABELS.tolist()}
    write_csv(folder / "numbers.csv", numbers)
    write_csv(folder / "constant.csv", numbers | {"x1": [5.0] * N})
    write_csv(folder / "moved.csv", numbers | {"x1": [5.0 + (i % 3) for i in range(N)]})
    write_csv(folder / "gaps.csv", numbers | {"y": ["" if i == 9 else i % 2 for i in range(N)]})
    write_csv(folder / "one-class.csv", numbers | {"y": [1] * N})
    write_csv(folder / "empty.csv", numbers, slice(0, 0))
    (folder / "ragged.csv").write_text("x,y\n1,0\n2,1,5\n3,0\n")
    (folder / "text.txt").write_text("no table\n")
    (folder / "broken.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    (folder / "bad.toml").write_text("epochs = 'many'\nnonsense = 1\n")
    np.savez(folder / "arrays.npz", X=X.astype(np.float32), y=LABELS)
    np.savez(folder / "quantities.npz", X=X, y=PAIR)
    np.savez(folder / "nan.npz", X=np.where(X > 2, np.nan, X), y=LABELS)
