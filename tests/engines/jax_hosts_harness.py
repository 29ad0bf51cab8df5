"""One of two processes that train together: python jax_hosts_harness.py RANK PORT FOLDER WHAT."""

import sys
from pathlib import Path

import jax
import numpy as np

import clearprop as cp

RANK, PORT, FOLDER, WHAT = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]


def net():
    return cp.Network([4, 6, 3], output="softmax", cost="cross_entropy", seed=0, dtype="float64")


def fit(made, **how):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)
    how = {"epochs": 4, "batch_size": 7, "dropout": 0.2, "seed": 1, "progress": False} | how
    return made.fit(X, y, validation_data=(X, y), optimizer=cp.Adam(0.05), **how)


def together():
    """Train, and in pieces: all have the same bits."""
    whole, pieces, mine = net(), net(), FOLDER / f"run-{RANK}.safetensors"
    fit(whole, engine="jax:all")
    fit(net(), engine="jax:all", checkpoint=mine, epochs=2)
    history = fit(pieces, engine="jax:all", checkpoint=mine, resume=True)
    assert np.array_equal(pieces.parameters, whole.parameters)
    assert len(history["cost"]) == 4
    np.save(FOLDER / f"whole-{RANK}.npy", whole.parameters)
    alone = net()
    fit(alone, engine="numpy")
    np.testing.assert_allclose(whole.parameters, alone.parameters, rtol=1e-9)
    for name, problem in (("l2", {"l2": 0.1 * RANK}), ("time_limit", {"time_limit": 60})):
        try:
            fit(net(), engine="jax:all", **problem)
        except ValueError as refused:
            print(name, refused, flush=True)


def for_ever():
    """Train until somebody ends it."""
    fit(net(), engine="jax:all", epochs=10**6, callbacks=[lambda training: print("epoch", flush=True)])


if __name__ == "__main__":
    jax.distributed.initialize(f"127.0.0.1:{PORT}", 2, RANK, heartbeat_timeout_seconds=10)
    {"together": together, "for_ever": for_ever}[WHAT]()
