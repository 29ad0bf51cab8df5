"""How far a rate that is scaled with the batch holds: what larger batches reach in the same epochs.

    python benchmarks/large_batches.py COVERTYPE.csv [--rows 200000] [--epochs 10]

Covertype's table, and a made one that passes through a buffer, each trained by Adam in batches of 256
at a rate of 0.001, and in larger ones at that rate, and scaled by `schedules.for_batches`. Prints
accuracy on a fifth of the rows, and R2 on rows that were not streamed.
"""

import argparse

import numpy as np

import clearprop as cp
from clearprop.data.row_stream import RowStream
from clearprop.data.scaling import standardize

BATCHES = (256, 1024, 4096, 16384)
RULES = (None, "sqrt", "linear")


def rate_of(batch, rule):
    return 1e-3 if rule is None else cp.schedules.for_batches(1e-3, batch, rule)


def covertype(path, batch, rule, epochs):
    data = cp.data.load(path, target="Cover_Type", task="classification")
    X, Y = data.train
    held = np.arange(len(X)) % 5 == 0
    scaling = standardize(X[~held])
    net = cp.Network([X.shape[1], 128, 64, len(data.classes)], activation="relu", scaling=scaling,
                     initializer="he_normal", seed=0)  # fmt: skip
    net.fit(X[~held], Y[~held], epochs=epochs, batch_size=min(batch, int((~held).sum())),
            optimizer=cp.Adam(rate_of(batch, rule)), progress=False)  # fmt: skip
    return float((net.classify(X[held]) == Y[held]).mean())


def streamed(rows, batch, rule, epochs):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, 30), dtype=np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] + np.sin(X[:, 3])).astype(np.float32)[:, None]
    held = rows // 10
    net = cp.Network(
        [30, 128, 64, 1], activation="relu", cost="quadratic", initializer="he_normal", seed=0
    )
    stream = RowStream.of_arrays(X[held:], y[held:], buffer_rows=65_536)
    net.fit(
        stream, epochs=epochs, batch_size=batch, optimizer=cp.Adam(rate_of(batch, rule)), progress=False
    )
    return cp.metrics.r2(net.predict(X[:held]), y[:held])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("covertype")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--epochs", type=int, default=10)
    asked = parser.parse_args()
    for name, run in (
        ("Covertype, accuracy", lambda *how: covertype(asked.covertype, *how, asked.epochs)),
        ("streamed, R2", lambda *how: streamed(asked.rows, *how, asked.epochs)),
    ):
        print(f"\n| {name} | the rate as it is | by the root | linear |\n| --- | --- | --- | --- |")
        for batch in BATCHES:
            found = [run(batch, rule) for rule in RULES]
            print(
                f"| batches of {batch:,} | " + " | ".join(f"{each:.3f}" for each in found) + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
