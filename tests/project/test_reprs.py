"""What is printed, and what a notebook shows, is worth looking at; what completes is what is public."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import browser
import clearprop as cp
from clearprop.page import lines

HOSTILE = "<img src=x onerror=alert(1)>"
RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(7, 4)), np.array([0, 1, 2, 0, 1, 2, 0])


class Elements(HTMLParser):
    """Notes the elements of a text, each of which must end."""

    def __init__(self, html):
        super().__init__()
        self.names, self.open, self.text = [], [], ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, name, attrs):
        self.names.append(name)
        self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def net():
    made = cp.Network([4, 5, 3], seed=1)
    made.feature_names = ("tenure", HOSTILE, "c", "d")
    return made


@pytest.fixture(scope="module")
def history(net):
    return net.copy().fit(
        X, LABELS, epochs=12, validation_data=(X, LABELS), metrics=["accuracy"], progress=False,
        batch_size=3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def rates():
    return cp.MLPClassifier(5, random_state=0, engine="numpy").find_learning_rate(X, LABELS)


@pytest.mark.parametrize("module", [cp, cp.data])
def test_what_completes_is_what_is_public_and_nothing_else(module):
    assert {*dir(module)} - {"__version__"} == {*module.__all__}
    assert dir(module) == sorted(dir(module))
    assert all(hasattr(module, name) for name in dir(module))


def test_a_printed_trace_shows_its_numbers_in_a_few_lines(net):
    trace = net.trace(X[:1], LABELS[:1])
    shown = str(trace)
    assert len(shown.splitlines()) < 20
    assert max(map(len, shown.splitlines())) <= 100
    assert shown.startswith(f"Pass of 1 sample through 4-5-3, cross_entropy: cost {trace.cost:.4g}\n")
    for values in [trace.X[0], trace.Y[0], *(v[0] for t in trace.layers for v in (t.z, t.a, t.delta))]:
        row = [f"{value:.4g}" for value in values]
        assert any(line.split()[-len(row) :] == row for line in shown.splitlines()), row
    size = np.linalg.norm(trace.layers[0].weight_gradient)
    assert f"|dC/dw| {size:.4g}" in shown
    assert "array(" not in shown
    assert repr(trace) == f"<Trace of 1 sample through 4-5-3: cost {trace.cost:.4g}>"


def test_a_printed_trace_of_many_rows_and_wide_layers_is_short_and_says_so():
    net = cp.Network([300, 30, 11], seed=1)
    shown = str(net.trace(RNG.normal(size=(7, 300)), np.arange(7)))
    assert "Sample 1 of 7 is shown; gradients are of all of them." in shown
    assert "... 300 in all" in shown
    assert "... 30 in all" in shown
    assert "... 11 in all" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_printed_range_test_names_its_suggestion_and_marks_it(rates):
    shown = str(rates).splitlines()
    assert len(shown) <= 15
    assert shown[-1] == f"suggestion: a learning rate of {rates.suggestion:.2g}"
    marked = [line for line in shown if line.endswith("<- falls most steeply")]
    assert [line.split()[0] for line in marked] == [f"{rates.suggestion:.3g}"]
    assert repr(rates).startswith(f"<LearningRates: suggestion {rates.suggestion:.3g}, ")
    bars = {line.count("#"): float(line.split()[1]) for line in shown[1:-1]}
    assert [bars[size] for size in sorted(bars)] == sorted(bars.values())  # longer is higher


def test_a_notebook_shows_a_network_as_a_drawing_and_its_table(net):
    found = Elements(net._repr_html_())
    assert found.names.count("circle") == 4 + 5 + 3
    assert found.names.count("path") == 4 * 5 + 5 * 3
    assert str(net) in found.text
    assert HOSTILE in found.text
    assert "img" not in found.names


def test_a_notebook_shows_of_a_wide_network_a_part_and_says_so():
    net = cp.Network([784, 30, 10], seed=1)
    net.feature_names = tuple(f"pixel {i}" for i in range(784))
    found = Elements(net._repr_html_())
    assert found.names.count("circle") == 3 * 8
    assert "8 of 784" in found.text
    assert "pixel 11, and 772 more" in found.text


def test_weights_are_drawn_as_wide_as_they_are_large_and_dashed_below_zero():
    net = cp.Network([1, 2, 1], seed=1)
    net.weights[0][:] = [[2.0], [-1.0]]
    first, second = re.findall("<path[^>]*>", net._repr_html_())[:2]
    assert 'stroke-width="2.30"' in first
    assert "dasharray" not in first
    assert 'stroke-width="1.30"' in second
    assert "dasharray" in second
    net.weights[0][0] = np.nan
    Elements(net._repr_html_())


def test_a_notebook_shows_a_history_as_curves_with_the_last_values(history):
    found = Elements(history._repr_html_())
    assert found.names.count("svg") == 2
    for name in ("cost", "validation_cost", "validation_accuracy"):
        assert f"{name.replace('_', ' ')} {history[name][-1]:.4g}" in found.text
    assert str(history) in found.text
    assert "12 epochs" in found.text


def test_a_notebook_shows_an_empty_history_and_what_ended_one():
    empty = cp.History()
    assert "0 epochs" in Elements(empty._repr_html_()).text
    empty.append({"epoch": 1, "cost": math.nan, HOSTILE: 1.0})
    empty.stopped = "early stopping"
    found = Elements(empty._repr_html_())
    assert "1 epoch, stopped: early stopping" in found.text
    assert "img" not in found.names


def test_a_notebook_shows_a_range_test(rates):
    found = Elements(rates._repr_html_())
    assert f"suggestion {rates.suggestion:.2g}" in found.text


def test_a_lines_points_stand_where_their_values_are_and_gaps_are_left():
    drawn = lines("cost", [1, 2, 3, 4, 5], {"cost": [0.0, 1.0, math.nan, 0.5, math.nan]}, axis="epoch")
    path = re.findall(r'<path d="([^"]*)" stroke=', drawn)[0]
    assert path == "M58.0 176.0L133.0 26.0M283.0 101.0h0.1"


def test_a_single_epoch_is_a_dot_that_is_seen_and_no_number_beside_the_axis_is_cut_off():
    drawn = lines("cost", [1], {"cost": [-1.2345e-5]}, axis="epoch")
    (path,) = re.findall(r"<path d=\"M208[^>]*>", drawn)
    assert 'stroke-linecap="round"' in path
    assert ">-1.2e-05<" in drawn
    assert repr(cp.History()).startswith("<History of 0 epochs")
    one = cp.History()
    one.append({"epoch": 1, "cost": 0.5})
    assert repr(one) == "<History of 1 epoch: epoch, cost>"


def test_a_long_history_is_thinned_out_and_ends_where_it_ended():
    x = list(range(1, 5001))
    drawn = lines("cost", x, {"cost": [1.0 / each for each in x]}, axis="epoch")
    assert len(drawn) < 12_000
    assert "cost 0.0002" in drawn


@pytest.mark.skipif(browser.chromium() is None, reason="no chromium on PATH")
def test_what_a_notebook_shows_logs_nothing_and_asks_for_nothing(net, history, rates, pages):
    shown = "".join(each._repr_html_() for each in (net, history, rates))
    page = pages.open(f"<!DOCTYPE html><meta charset=utf-8><title>cells</title>{shown}")
    assert page.locator("svg").count() == 4
    assert page.locator("svg").first.bounding_box()["width"] > 100
