import math

import numpy as np
import pytest

import clearprop as cp
from clearprop import initializers, randomness
from clearprop.initializers import resolve

N_IN, N_OUT = 300, 200


def drawn(initializer, shape=(N_OUT, N_IN), seed=0, layer=0):
    made = resolve(initializer)
    return made.draw(shape, N_IN, N_OUT, seed=seed, purpose=randomness.INITIAL_WEIGHTS, layer=layer)


UNIFORM = [  # initializer, half-width
    (initializers.uniform(0.25), 0.25),
    ("uniform", 0.5),
    ("glorot_uniform", math.sqrt(6 / 500)),
    ("he_uniform", math.sqrt(6 / 300)),
]
NORMAL = [  # initializer, standard deviation
    (initializers.normal(0.3), 0.3),
    ("normal", 1.0),
    ("lecun_normal", math.sqrt(1 / 300)),
    ("glorot_normal", math.sqrt(2 / 500)),
    ("he_normal", math.sqrt(2 / 300)),
]


@pytest.mark.parametrize(("initializer", "half_width"), UNIFORM, ids=str)
def test_uniform_draws_stay_within_their_bounds_and_fill_them(initializer, half_width):
    w = drawn(initializer)  # C29: weights start in [-epsilon, epsilon]
    n = w.size
    assert np.abs(w).max() <= half_width
    assert np.abs(w).max() > 0.999 * half_width
    std = half_width / math.sqrt(3)
    assert abs(w.mean()) < 5 * std / math.sqrt(n)
    assert abs(w.var() / std**2 - 1) < 5 * math.sqrt(0.8 / n)  # kurtosis 1.8


@pytest.mark.parametrize(("initializer", "std"), NORMAL, ids=str)
def test_normal_draws_have_their_moments(initializer, std):
    w = drawn(initializer)
    n = w.size
    assert abs(w.mean()) < 5 * std / math.sqrt(n)
    assert abs(w.var() / std**2 - 1) < 5 * math.sqrt(2 / n)
    assert abs((w**4).mean() / std**4 - 3) < 5 * math.sqrt(96 / n)


def test_constant_and_zeros():
    np.testing.assert_array_equal(drawn(initializers.constant(0.3), (2, 3)), np.full((2, 3), 0.3))
    np.testing.assert_array_equal(drawn("zeros", (2, 3)), np.zeros((2, 3)))


def test_golden_draws():
    where = {"purpose": randomness.INITIAL_WEIGHTS, "layer": 0}
    u = randomness.uniform(5, 6, **where).reshape(2, 3)
    np.testing.assert_array_equal(drawn(initializers.uniform(0.25), (2, 3), 5), 0.25 * (2 * u - 1))
    z = randomness.normal(5, 6, **where).reshape(2, 3)
    np.testing.assert_array_equal(drawn("normal", (2, 3), 5), z)
    np.testing.assert_allclose(drawn("he_normal", (2, 3), 5), z * math.sqrt(2 / 300), rtol=1e-15)


def test_a_networks_first_parameters_are_the_documented_draws():
    net = cp.Network(
        [4, 5, 3], initializer="normal", bias_initializer="normal", dtype="float64", seed=3
    )
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        of_weights = {"purpose": randomness.INITIAL_WEIGHTS, "layer": layer}
        of_biases = {"purpose": randomness.INITIAL_BIASES, "layer": layer}
        np.testing.assert_array_equal(W.ravel(), randomness.normal(3, W.size, **of_weights))
        np.testing.assert_array_equal(b, randomness.normal(3, b.size, **of_biases))


def test_float32_parameters_are_the_float64_ones_rounded():
    narrow, wide = (cp.Network([4, 5, 3], dtype=d, seed=3) for d in ("float32", "float64"))
    np.testing.assert_array_equal(narrow.parameters, wide.parameters.astype(np.float32))


def test_layers_seeds_weights_and_biases_draw_different_numbers():
    draws = [drawn("normal", (3, 3), seed, layer).ravel() for seed in (0, 1) for layer in (0, 1)]
    assert len(np.unique(np.concatenate(draws))) == 36


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.uniform(0), "epsilon must be a finite number above 0, got 0"),
        (lambda: initializers.uniform(math.inf), "epsilon must be a finite number above 0, got inf"),
        (lambda: initializers.normal(-1), "std must be a finite number above 0, got -1"),
        (lambda: initializers.normal(math.nan), "std must be a finite number above 0, got nan"),
        (
            lambda: initializers.constant(math.nan),
            "value must be a finite number, as in constant\\(0.5\\), got nan",
        ),
        (lambda: resolve("he_norml"), r"initializer must be one of .*did you mean 'he_normal'\?"),
        (lambda: resolve("zero", "bias_initializer"), r"bias_initializer must be .*'zeros'\?"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
