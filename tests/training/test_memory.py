"""What a training holds: the data once, five times the parameters, one batch of activations."""

import tracemalloc

import numpy as np
import pytest

import clearprop as cp
from clearprop.engines import State
from clearprop.training.training import Training

SIZES = (300, 2000, 1000, 10)
BATCH = 16


def peak_of_a_fit(**settings):
    """Return the bytes that a network and its training take at most, over those of the parameters."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4 * BATCH, SIZES[0])).astype("float32"), rng.integers(0, 10, 4 * BATCH)
    cp.Network([3, 2], seed=0).fit(X[:, :3], Y % 2, epochs=1, progress=False)  # what is loaded once
    tracemalloc.start()
    try:
        net = cp.Network(list(SIZES), "relu", seed=0)
        tracemalloc.reset_peak()
        net.fit(X, Y, epochs=2, batch_size=BATCH, progress=False, n_threads=1, **settings)
        return tracemalloc.get_traced_memory()[1] / net.parameters.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("optimizer", "most"),
    [(cp.SGD(0.01), 2), (cp.SGD(0.01, momentum=0.9), 3), (cp.Adam(1e-4), 4)],
    ids=str,
)
def test_a_training_holds_parameters_and_moments_and_little_else(optimizer, most):
    assert peak_of_a_fit(optimizer=optimizer) < most


@pytest.mark.parametrize(
    ("how", "most"),
    [({}, 5), ({"early_stopping": cp.EarlyStopping("validation_cost")}, 6)],
    ids=["validation", "early stopping"],
)
def test_validation_lays_the_weights_out_and_early_stopping_keeps_the_best_ones(how, most):
    X, Y = np.ones((100, SIZES[0]), np.float32), np.zeros(100, int)
    assert peak_of_a_fit(optimizer=cp.Adam(1e-4), validation_data=(X, Y), **how) < most


def test_a_checkpoint_is_written_from_the_arrays_themselves(tmp_path):
    assert peak_of_a_fit(optimizer=cp.Adam(1e-4), checkpoint=tmp_path / "run.safetensors") < 5


def test_a_copy_of_the_state_at_every_stretch_would_be_noticed(monkeypatch):
    stretch = Training._stretch

    def mutant(self, *arguments):
        start = State.copy(self.state)
        stretch(self, *arguments)
        assert start is not None

    monkeypatch.setattr(Training, "_stretch", mutant)
    assert peak_of_a_fit(optimizer=cp.Adam(1e-4)) > 5


def test_rows_take_eight_bytes_each_for_their_order_whatever_the_epoch():
    n = 800_000
    X = np.zeros((n, 3), np.float32)
    Y = X[:, :1].copy()
    net = cp.Network([3, 4, 1], cost="quadratic", seed=0)
    tracemalloc.start()
    try:
        net.fit(X, Y, epochs=2, batch_size=10_000, progress=False, n_threads=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    batch = 4 * 10_000 * (3 + 3 * (4 + 1))  # inputs; z, a and delta of every neuron
    keys = 2.5e6  # of a stretch of rows, while they are drawn
    assert peak < 8 * n + batch + keys < 2 * 8 * n
