"""What stopped readers of the page, in a real Chromium: keys, the legend, a learning rate that is missing."""

import re

import numpy as np
import pytest

import browser
import clearprop as cp
from explained import mazur, problem

browser.require()


@pytest.fixture(scope="module")
def plain_html():
    net, x, y = mazur()
    return net.trace(x, y).to_html()


def step_of(page):
    return int(re.search(r"step=(\d+)", page.url)[1]) if "step=" in page.url else 1


def test_keys_work_before_anything_was_clicked(pages, plain_html):
    page = pages.open(plain_html)
    assert page.evaluate("document.activeElement === document.body")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert step_of(page) == 3
    page.keyboard.press("ArrowLeft")
    assert step_of(page) == 2
    page.keyboard.press("End")
    assert page.is_disabled("#next")
    page.keyboard.press("Home")
    assert step_of(page) == 1
    page.keyboard.press("Control+ArrowRight")
    assert step_of(page) == 1
    page.keyboard.press("t")
    assert page.evaluate("document.querySelector('#network details.twin').open")


def test_keys_in_a_field_are_the_fields(pages, plain_html):
    page = pages.open(plain_html, "#step=3&sel=w:1:1:1")
    page.fill("#closer-rate", "0.5")
    page.focus("#closer-rate")
    for key in ("ArrowLeft", "Home", "End", "ArrowRight"):
        page.keyboard.press(key)
    assert step_of(page) == 3


@pytest.mark.parametrize("optimizer", [None, cp.SGD(0.5)])
def test_the_legend_says_what_the_edges_show_at_every_step(pages, optimizer):
    net, x, y = mazur()
    page = pages.open(net.trace(x, y, optimizer).to_html())
    said = {}
    for _ in range(40):
        modes = page.evaluate(
            "[...document.querySelectorAll('.between')].map(e => e.className.baseVal.split('shows-')[1])"
        )
        said[tuple(modes)] = page.text_content("#edges-now")
        if page.is_disabled("#next"):
            break
        page.keyboard.press("ArrowRight")
    expected = {
        ("weight", "weight"): "weights",
        ("weight", "gradient"): "derivatives by the weights into layer 3, elsewhere weights",
        ("gradient", "weight"): "derivatives by the weights into layer 2, elsewhere weights",
    }
    if optimizer is not None:
        expected |= {
            ("after", "weight"): "weights after the update into layer 2, elsewhere weights",
            ("after", "after"): "weights after the update",
        }
    assert said == expected
    page.click(".paths .way")
    page.wait_for_function("document.getElementById('edges-now').textContent === 'a path to the cost'")


def test_the_legend_names_several_layers_as_several(pages):
    net = cp.Network([2, 3, 4, 1], output="sigmoid", cost="quadratic", seed=0)
    page = pages.open(net.trace([[0.5, 1.0]], [[0.0]], cp.SGD(0.5)).to_html())
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    said = page.text_content("#edges-now")
    assert said == "weights after the update into layers 2, 3, elsewhere weights"


def test_edges_after_the_update_are_drawn_as_wide_as_the_new_weights(pages):
    net, x, y = mazur()
    net.weights[0][0, 0] = 1e-4  # which an update of its size turns below 0
    page = pages.open(net.trace(x, y, cp.SGD(5.0)).to_html())
    line = "[data-edge='1,0,0'] .line"
    assert "positive" in page.get_attribute(line, "class")
    page.keyboard.press("End")
    assert "negative" in page.get_attribute(line, "class")
    others = page.get_attribute("[data-edge='1,0,1'] .line", "stroke-width")
    assert float(page.get_attribute(line, "stroke-width")) < float(others)


def test_a_missing_learning_rate_is_asked_for_and_gives_the_update_that_sgd_makes(pages, plain_html):
    net, x, y = mazur()
    made = net.trace(x, y, cp.SGD(0.5)).update
    page = pages.open(plain_html, "#sel=w:1:2:1")
    assert "—" not in page.text_content("#closer .formulas")
    assert page.text_content("#closer output") == ""
    page.fill("#closer-rate", "0,5")
    page.keyboard.press("Enter")
    assert page.text_content("#closer output") == f"{made.weights[0][1, 0]:#.4g}"
    assert page.evaluate("document.activeElement.id") == "closer-rate"
    page.click("#end")  # the last step is an update; the rate is known there
    assert page.input_value("#step-rate") == "0.5"
    shown = page.locator("#steps [data-moved]").all_text_contents()
    assert shown == [f"{each:#.4g}" for each in made.weights[1].ravel()]
    page.click(".net [data-unit='2,1'] .half")
    assert page.text_content("#closer output") == f"{made.biases[1][1]:#.4g}"


@pytest.mark.parametrize("given", ["-1", "0", "fast", "1e999"])
def test_a_learning_rate_that_is_none_is_told_so_and_changes_nothing(given, pages, plain_html):
    page = pages.open(plain_html, "#sel=w:1:2:1")
    page.fill("#closer-rate", given)
    page.keyboard.press("Enter")
    assert "A learning rate is a number above 0" in page.text_content("#closer")
    assert page.text_content("#closer output") == ""
    assert page.input_value("#closer-rate") == given


def test_each_block_keeps_its_own_factor_of_the_learning_rate(pages, rng):
    model = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=(3,), max_iter=1, engine="numpy")
    model.fit(rng.normal(size=(40, 2)), np.arange(40) % 2)
    net = model.network_
    trace = net.trace([[0.5, -1.0]], [1], cp.SGD(0.5))
    page = pages.open(net.trace([[0.5, -1.0]], [1]).to_html(), "#sel=w:1:2:1")
    page.fill("#closer-rate", "0.5")
    page.keyboard.press("Enter")
    assert float(page.text_content("#closer output").replace("−", "-")) == pytest.approx(
        float(trace.update.weights[0][1, 0]), rel=2e-3
    )


def test_a_pass_with_an_optimizer_asks_for_nothing(pages):
    net, X, Y = problem()
    page = pages.open(net.trace(X, Y, cp.Adam(0.1)).to_html())
    page.keyboard.press("End")
    assert page.locator("input.rate").count() == 0


def test_practice_does_not_give_the_derivatives_away_with_the_rate(pages, plain_html):
    page = pages.open(plain_html, "#practice=1")
    page.keyboard.press("End")
    assert page.locator("#steps [data-moved]").count() == 0
