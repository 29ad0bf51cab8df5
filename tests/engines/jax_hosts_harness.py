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
    whole, pieces, file = net(), net(), FOLDER / "run.safetensors"
    fit(whole, engine="jax:all")
    fit(net(), engine="jax:all", checkpoint=file, epochs=2)
    history = fit(pieces, engine="jax:all", checkpoint=file, resume=True)
    assert np.array_equal(pieces.parameters, whole.parameters)
    assert len(history["cost"]) == 4
    np.save(FOLDER / f"whole-{RANK}.npy", whole.parameters)
    alone = net()
    fit(alone, engine="numpy")
    np.testing.assert_allclose(whole.parameters, alone.parameters, rtol=1e-9)
    limited = fit(net(), engine="jax:all", epochs=10**6, time_limit=0.5 * (1 + RANK))
    assert limited.stopped == "time limit"
    print("epochs", len(limited["cost"]))
    try:
        fit(net(), engine="jax:all", l2=0.1 * RANK)
    except ValueError as refused:
        print(refused, flush=True)


def for_ever():
    """Train until somebody ends it."""
    fit(net(), engine="jax:all", epochs=10**6, callbacks=[lambda training: print("epoch", flush=True)])


if __name__ == "__main__":
    jax.distributed.initialize(f"127.0.0.1:{PORT}", 2, RANK, heartbeat_timeout_seconds=10)
    {"together": together, "for_ever": for_ever}[WHAT]()
