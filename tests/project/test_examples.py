"""Every example runs, without a warning, and prints the facts that it is there to show."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import oracles

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    command = [sys.executable, "-W", "error", EXAMPLES / name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def numbers(pattern, text, flags=0):
    found = re.findall(pattern, text, flags)
    assert found, f"{pattern} is not in:\n{text}"
    return [float(each) for each in found]


def test_the_listing_of_s2_and_the_network_agree_and_learn():
    shown = run("s2_nielsen.py", "--data", "digits", "--epochs", "5")
    assert "the gradients of 10 samples equal the listing's to 1e-12" in shown
    assert "the weights and biases after one update equal the listing's to 1e-12" in shown
    assert "digits: 1,437 training images, 360 test images" in shown
    right = numbers(r"Epoch \d: (\d+) / 360", shown)
    assert len(right) == 5
    assert right[-1] > 0.75 * 360


def test_a_start_of_s2_that_idles_never_says_the_digit_whose_output_diagnose_names():
    shown = run("s2_nielsen.py", "--data", "digits", "--epochs", "1")
    assert "D3 stuck outputs: Layer 2: 1 of 10 outputs is saturated and wrong" in shown
    [missed, images, output, others] = re.search(
        r"  (\d+) of (\d+) images of a \d are not told by output (\d), and (\d+) of others are", shown
    ).groups()
    assert (missed, output, others) == (images, "6", "0")
    [off], [slope], [delta] = (
        numbers(pattern, shown)
        for pattern in (r"\|a - y\| is ([\d.]+)", r"f'\(z\) ([\d.]+), and", r"\|delta\| ([\d.]+)")
    )
    assert off > 0.99
    assert slope < 0.04 * 0.25
    assert delta == pytest.approx(off * slope, rel=0.05)
    assert "for BP1: delta = dC/da * f'(z):\n  There f'(z) is below 4 %" in shown
    well = run("s2_nielsen.py", "--data", "digits", "--epochs", "1", "--seed", "2")
    assert "no output is stuck" in well
    assert numbers(r"Epoch 0: (\d+) / 360", well)[0] > numbers(r"Epoch 0: (\d+) / 360", shown)[0]


@pytest.mark.slow
def test_the_matrix_form_of_a_mini_batch_is_said_held_against_the_loop_and_measured():
    shown = run("s2_matrix_form.py", "--data", "digits", "--samples", "3", "7")
    assert "Dl = (W(l+1)^T D(l+1)) * sigma'(Zl)" in shown
    assert "S2's X is (64, 10), clearprop's is (10, 64), X transposed" in shown
    assert "the gradients of 10 samples at once equal the sum of the loop's to 1e-12" in shown
    assert numbers(r"^ +(\d+) samples .* ms .* ms +[\d.]+$", shown, re.MULTILINE) == [3, 7]


def test_the_matrix_form_is_the_sum_of_loops_over_neurons_and_takes_their_step(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    example = importlib.import_module("s2_matrix_form")
    rng = np.random.default_rng(4)
    W, b = [rng.normal(size=shape) for shape in ((5, 4), (3, 5))], [rng.normal(size=n) for n in (5, 3)]
    X, Y = rng.normal(size=(7, 4)), rng.random((7, 3))
    dW, db = oracles.loop_gradient(W, b, [["sigmoid"] * 5, ["sigmoid"] * 3], "quadratic", X, Y)
    form = example.MatrixForm(W, b)
    nabla_b, nabla_w = form.backprop(X.T, Y.T)
    form.update_mini_batch([(x[:, None], y[:, None]) for x, y in zip(X, Y, strict=True)], 3.0)
    for layer in range(2):
        np.testing.assert_allclose(nabla_w[layer], dW[layer], rtol=1e-12)
        np.testing.assert_allclose(nabla_b[layer][:, 0], db[layer], rtol=1e-12)
        np.testing.assert_allclose(form.weights[layer], W[layer] - 3 / 7 * dW[layer], rtol=1e-12)
        np.testing.assert_allclose(form.biases[layer][:, 0], b[layer] - 3 / 7 * db[layer], rtol=1e-12)


def test_the_eight_steps_of_s0_are_the_networks_and_the_running_accuracy_rises():
    shown = run("s0_online.py", "--data", "digits", "--epochs", "2", "--last", "300")
    for step, equation in ((3, "(8), (9)"), (4, "(13)"), (5, "(10), (11)"), (6, "(12)")):
        assert re.search(rf"^{step} .*{re.escape(equation)}$", shown, re.MULTILINE)
    assert "equal the eight steps' to 1e-12" in shown
    running = numbers(r"of the last 300 samples ([\d.]+)%", shown)
    everywhere = numbers(r"global accuracy ([\d.]+)%", shown)
    assert len(running) == len(everywhere) == 2
    assert running[0] < running[1]
    assert everywhere[1] > 80
    [on_the_way] = re.findall(r"after every 300 samples: (.*)$", shown, re.MULTILINE)
    assert len(on_the_way.split(", ")) == 2 * 1437 // 300


@pytest.fixture(scope="module")
def jordan():
    return run("s1_jordan.py")


def test_the_chains_of_s1_are_counted_and_its_golden_example_is_right_to_every_digit(jordan):
    assert "1-1-1: 2 chains, 8 factors; their sums are the gradient" in jordan
    assert "2-2-2: 12 chains, 52 factors; their sums are the gradient" in jordan
    for value in (
        "costs 0.2983711087600027\n",
        "out_h [0.59326999, 0.59688438]",
        "out_o [0.75136507, 0.77292847]",
        "w5..8 [0.35891648, 0.40866619, 0.51130127, 0.56137012]",
        "w1..4 [0.14978072, 0.19956143, 0.24975114, 0.29950229]",
    ):
        assert value in jordan
    [after] = numbers(r"and it costs ([\d.]+)", jordan)
    assert after == pytest.approx(0.29102777369359933, rel=1e-15)


def test_equal_weights_of_s1_stay_equal_exactly_and_random_ones_do_not(jordan):
    assert "all weights 0.3: 0 and 0 " in jordan
    moved = numbers(r"moved by up to ([\d.]+)", jordan)
    assert min(moved) > 0.1
    [apart] = numbers(r"in \[-0.5, 0.5\]: ([\d.]+) and", jordan)
    assert apart > 0.1


@pytest.mark.slow
def test_the_conventions_of_s3_are_a_factor_of_2n_and_learn_the_same():
    shown = run("s3_layers.py", "--epochs", "10")
    assert "the summed gradient is 2N = 240 times S2's mean one" in shown
    assert "equal to the trace of the network to 1e-12" in shown
    assert "a random partition into B = 12 batches of 10; every sample is in one of them" in shown
    assert "each of the 10 epochs goes through the same batches in the same order" in shown
    assert "after 10 epochs both conventions have the same weights to 1e-9" in shown
    [right] = numbers(r"([\d.]+)% of the test flowers", shown)
    assert right > 85


def test_the_exercises_come_out():
    shown = run("exercises.py")
    assert "E1   (33), (34) and (35) give the deltas of BP1 and BP2" in shown
    assert "neuron [3] differ" in shown
    assert "54 parameters, are one (2, 3) matrix" in shown
    assert min(numbers(r"off by ([\d.]+)%", shown)) > 0.5
    assert "slope 0.200 at z = 50" in shown
    assert "a wrong derivative is refused: the derivative of activation 'mistaken'" in shown


def test_single_exercises_can_be_asked_for():
    shown = run("exercises.py", "E4")
    assert shown.startswith("E4")
    assert "E1 " not in shown
