"""From the shell: how first weights and biases are drawn, how many batches, and in which order."""

import itertools
import json
import math
import re

import numpy as np
import pandas
import pytest
from safetensors.numpy import load_file

import clearprop as cp
import oracles

pytestmark = pytest.mark.filterwarnings("ignore:epoch . has changed no parameter")

# Steps that are too short to move a float32: the model has its first weights and biases.
STILL = (
    "--learning-rate",
    "1e-30",
    "--momentum",
    "0",
    "--epochs",
    "1",
    "--seed",
    "7",
    "--engine",
    "numpy",
)
TABLE = (
    "--target",
    "y",
    "--hidden",
    "4,4",
    "--epochs",
    "2",
    "--seed",
    "7",
    "--engine",
    "numpy",
    "--quiet",
)
SIZES = 4, 5, 3  # iris, with --hidden 5
WEIGHTS, BIASES = 1, 2  # what their numbers are drawn for


@pytest.fixture
def table(tmp_path):
    """Write a table of 90 rows."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 90))
    frame = pandas.DataFrame({"a": a, "b": b, "y": np.where(a + b > 0, "yes", "no")})
    frame.to_csv(tmp_path / "t.csv", index=False)


def drawn(n, purpose, layer):
    """Return n numbers of seed 7 in [0, 1), of 53 bits each, by Philox in Python's integers."""
    found = []
    for block in range(-(-n // 2)):
        w = oracles.philox4x32([block, 0, 0, purpose << 28 | layer << 16], [7, 0])
        found += [((w[0] << 32 | w[1]) >> 11) * 2.0**-53, ((w[2] << 32 | w[3]) >> 11) * 2.0**-53]
    return found[:n]


def uniform(epsilon):
    """S1: uniform in [-epsilon, epsilon]."""
    return lambda n, *where: [epsilon * (2 * u - 1) for u in drawn(n, *where)]


def normal(std=1.0):
    """S2: N(0, 1), two numbers from two by Box and Muller."""

    def numbers(n, *where):
        u, found = drawn(n + n % 2, *where), []
        for first, second in zip(u[::2], u[1::2], strict=True):
            radius = std * math.sqrt(-2 * math.log(1 - first))
            found += [radius * math.cos(2 * math.pi * second), radius * math.sin(2 * math.pi * second)]
        return found[:n]

    return numbers


def constant(value):
    return lambda n, *_: [value] * n


@pytest.mark.parametrize(
    ("options", "weights", "biases"),
    [
        (("--initializer", "uniform:0.25"), uniform(0.25), constant(0.0)),
        (("--initializer", "uniform"), uniform(0.5), constant(0.0)),
        (("--initializer", "normal", "--bias-initializer", "Normal"), normal(), normal()),
        (("--initializer", "normal: 0.3", "--bias-initializer", "constant:-0.1"), normal(0.3), constant(-0.1)),
    ],
)  # fmt: skip
def test_the_first_weights_and_biases_are_those_that_are_asked_for(clearprop, options, weights, biases):
    code, _, err = clearprop("train", "iris", "--hidden", 5, *STILL, *options, "--output", "m")
    assert code == 0, err
    tensors = load_file("m")
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(SIZES)):
        W = np.reshape(weights(n_in * n_out, WEIGHTS, layer), (n_out, n_in))
        b = np.array(biases(n_out, BIASES, layer))
        np.testing.assert_allclose(tensors[f"layers.{layer}.weight"], W, rtol=2e-7)
        np.testing.assert_allclose(tensors[f"layers.{layer}.bias"], b, rtol=2e-7, atol=1e-20)


def test_info_tells_the_start_that_was_chosen_and_nothing_of_another(clearprop):
    clearprop("train", "iris", *STILL, "--initializer", "uniform:.25", "--output", "m", "--quiet")
    out = clearprop("info", "m")[1]
    assert "initializer         uniform:0.25\n" in out
    assert "bias initializer" not in out
    assert json.loads(clearprop("info", "m", "--json")[1])["about"]["initializer"] == "uniform:0.25"


def test_a_table_starts_as_it_is_told_its_last_layer_too(clearprop, table):
    options = ("--initializer", "uniform:0.25", "--bias-initializer", "constant:0.1")
    code, _, err = clearprop(
        "train", "t.csv", *TABLE, "--learning-rate", "1e-30", *options, "--output", "m"
    )
    assert code == 0, err
    tensors = load_file("m")
    for layer in range(3):
        n_out, n_in = tensors[f"layers.{layer}.weight"].shape
        W = np.reshape(uniform(0.25)(n_in * n_out, WEIGHTS, layer), (n_out, n_in))
        np.testing.assert_allclose(tensors[f"layers.{layer}.weight"], W, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(tensors[f"layers.{layer}.bias"], 0.1, rtol=1e-6)
    out = clearprop("info", "m")[1]
    assert "initializer         uniform:0.25\n" in out
    assert "bias initializer    constant:0.1\n" in out


def test_batches_and_their_order_are_those_of_a_training(clearprop):
    how = {
        "epochs": 3,
        "optimizer": cp.SGD(0.2, momentum=0.9),
        "seed": 7,
        "progress": False,
        "engine": "numpy",
    }
    iris = cp.data.load("iris")
    for options, same in (
        (("--batches", 7, "--shuffle", "once"), {"n_batches": 7, "shuffle": "once"}),
        (("--batches", 7), {"n_batches": 7}),
        (("--batch-size", 9, "--shuffle", "none"), {"batch_size": 9, "shuffle": False}),
    ):
        code, _, err = clearprop(
            "train", "iris", "--hidden", 5, "--epochs", 3, "--seed", 7, "--engine", "numpy", "--output", "m", *options
        )  # fmt: skip
        assert code == 0, err
        net = cp.Network([4, 5, 3], output="softmax", scaling=iris.scaling_of(iris.X_train), seed=7)
        net.fit(*iris.train, **how, **same)
        np.testing.assert_array_equal(cp.load("m").parameters, net.parameters)
        assert ("7 batches" in err) == ("--batches" in options)
        assert ("the same in every epoch" in err) == ("once" in options)
        assert ("in the order of the rows" in err) == ("none" in options)


def test_a_table_is_cut_into_batches_and_resumed_with_the_same(clearprop, table):
    first = ("train", "t.csv", *TABLE, "--checkpoint", "c", "--output", "m")
    code, _, err = clearprop(*first, "--batches", 5, "--shuffle", "once")
    assert code == 0, err
    out = clearprop("info", "c")[1]
    assert "batches             5 of an epoch, the same in every epoch\n" in out
    assert "batch size" not in out
    assert clearprop("diagnose", "c", "t.csv")[0] == 0
    for options, message in (
        (("--batches", 6, "--shuffle", "once"), "n_batches is 6, was 5"),
        (("--batches", 5), "shuffle is 'epoch', was 'once'"),
        (
            ("--batches", 5, "--shuffle", "once", "--initializer", "normal"),
            "--initializer is normal:1.0, was not given",
        ),
    ):
        code, _, err = clearprop(*first, "--resume", *options)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    code, _, err = clearprop(*first, "--resume", "--batches", 5, "--shuffle", "once", "--epochs", 3)
    assert code == 0, err


def test_a_configuration_file_chooses_them_too(clearprop, tmp_path):
    options = (
        "--batches",
        7,
        "--shuffle",
        "once",
        "--initializer",
        "normal",
        "--bias-initializer",
        "constant:0.1",
    )
    how = ("--epochs", 2, "--seed", 7, "--engine", "numpy", "--quiet")
    (tmp_path / "run.toml").write_text(
        'batches = 7\nshuffle = "once"\ninitializer = "normal"\nbias-initializer = "constant:0.1"\n'
    )
    assert clearprop("train", "iris", *how, *options, "--output", "one")[0] == 0
    assert clearprop("train", "iris", *how, "--config", "run.toml", "--output", "other")[0] == 0
    one, other = cp.load("one"), cp.load("other")
    np.testing.assert_array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize("data", ["iris", "t.csv --target y"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--initializer unifrom:0.5", "--initializer must be one of uniform, .* got 'unifrom'; did you mean 'uniform'\\?"),
        ("--bias-initializer zero", "--bias-initializer must be one of .*; did you mean 'zeros'\\?"),
        ("--initializer uniform:-1", "--initializer uniform must have a finite number above 0 after its colon, the epsilon, got uniform:-1"),
        ("--initializer uniform:x", "--initializer uniform must have .* got uniform:x"),
        ("--initializer normal:", "--initializer normal must have a finite number above 0 after its colon, the std, got normal:"),
        ("--initializer normal:inf", "--initializer normal must have .* got normal:inf"),
        ("--bias-initializer constant:nan", "--bias-initializer constant must have a finite number after its colon, the value, got constant:nan"),
        ("--initializer constant", "--initializer constant needs its value, as in constant:0.1, got constant"),
        ("--initializer he_normal:2", "--initializer he_normal takes no number, got he_normal:2"),
        ("--batches 0", "--batches must be at least 1, got 0"),
        ("--batches 500", "--batches must be at most the number of samples, \\d+, got 500"),
        ("--batches 3 --batch-size 32", "--batches cannot be used with --batch-size, .* got 3 and 32"),
        ("--batches 3 --optimizer lbfgs", "--batches does not go with --optimizer lbfgs, got 3"),
        ("--shuffle once --optimizer LBFGS", "--shuffle does not go with --optimizer lbfgs, got once"),
        ("--shuffle onse", "--shuffle must be one of epoch, once, none, got 'onse'; did you mean 'once'\\?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_sentence(clearprop, table, data, options, message):
    code, out, err = clearprop("train", *data.split(), *options.split(), "--quiet", "--output", "m")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(f"^clearprop: {message}$", err)


def test_a_table_on_disk_has_batches_of_one_size(clearprop, table):
    code, _, err = clearprop("train", "t.csv", *TABLE, "--batches", 5, "--buffer", 40, "--output", "m")
    assert code == 2
    assert "--batches cannot be used with --buffer" in err
    assert "got 5; use --batch-size" in err
