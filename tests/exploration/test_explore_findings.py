"""The findings of the live page are those of `diagnose`: its rules, translated, on the page's own numbers."""

import re

import numpy as np
import pytest

import browser
import clearprop as cp
from live_page import opened, rows_of

browser.require()
SLOW = pytest.mark.slow

ITEMS = """() => [...document.querySelectorAll('#findings > li')].map(each => [
    each.querySelector('b').textContent,
    each.querySelector('.quiet').textContent.split(',')[0],
    ...[...each.querySelectorAll('p')].slice(1).map(p => p.textContent),
])"""
CASES = {
    "copies": {"data": "xor", "hidden": "3", "output": "quadratic", "batch": 4, "start": 8},
    "flat": {"data": "moons", "hidden": "4,4,4,4", "activation": "sigmoid", "batch": 20, "epochs": 12},
    "dead": {
        "data": "circles", "hidden": "5,4", "activation": "relu", "batch": 25, "start": -0.7, "epochs": 2,
    },
    "wild": {
        "data": "moons", "hidden": "4", "activation": "identity", "batch": 100, "rate": 60, "epochs": 14,
    },
    "sure": {
        "data": "xor", "hidden": "3", "activation": "sigmoid", "output": "quadratic", "batch": 4,
        "rate": 30, "epochs": 40,
    },
    "well": {"data": "xor", "hidden": "4,3", "batch": 3, "epochs": 400},
    "soft": {
        "data": "spiral", "hidden": "4,3", "output": "cross_entropy", "batch": 10, "rate": 0.1,
        "epochs": 15,
    },
}  # fmt: skip
COSTS = {"quadratic": "sigmoid", "binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}


def case(data, hidden, batch, activation="tanh", output="binary_cross_entropy", rate=0.5, start=None, epochs=0):  # fmt: skip
    """Return an address, and what trains the same in Python."""
    sizes = [2, *map(int, hidden.split(",")), 2 if output == "cross_entropy" else 1]
    net = cp.Network(sizes, activation, COSTS[output], output, dtype="float64", seed=3)
    given = {"data": data, "hidden": hidden, "activation": activation, "output": output}
    given |= {"rate": rate, "batch": batch, "seed": 3}
    if start is not None:
        net.parameters[:] = given["start"] = start
    return "#" + "&".join(f"{name}={value}" for name, value in given.items()), net


@pytest.mark.parametrize(
    "name", [name if name == "copies" else pytest.param(name, marks=SLOW) for name in CASES]
)
def test_findings_are_those_of_diagnose(pages, playground, name):
    given = CASES[name]
    address, net = case(**given)
    page = opened(pages, playground, address)
    X, Y = rows_of(page)
    optimizer, batch, epochs = cp.SGD(given.get("rate", 0.5)), given["batch"], given.get("epochs", 0)
    targets = Y.argmax(axis=1) if net.sizes[-1] == 2 else Y
    history = None
    if epochs:
        history = net.fit(X, targets, epochs=epochs, optimizer=optimizer, batch_size=batch, seed=3, progress=False)  # fmt: skip
        page = opened(pages, playground, f"{address}&step={epochs * -(-len(X) // batch)}")
    page.click("#tab-findings")
    found = page.evaluate(ITEMS)
    expected = cp.diagnose(net, X, targets, history, optimizer=optimizer, batch_size=batch)
    assert [id for _, id, *_ in found] == [each.id for each in expected if each.id != "D21"]
    for (head, _, said, remedy, *equation), finding in zip(found, expected, strict=True):
        assert head == f"{finding.severity}: {finding.name}"
        assert said == f"{finding.what} {finding.how}"
        assert remedy == finding.remedy
        assert bool(equation) == bool(finding.equation)
    n = len(expected.warnings)
    assert page.text_content("#tab-findings") == (f"Findings ({n})" if n else "Findings")
    assert bool(page.text_content("#findings-say")) == (not expected)


@SLOW
@pytest.mark.parametrize("kind", ["pbld", "periodic"])
def test_of_embedded_inputs_too(pages, kind):
    scaled = {"columns": [0]}
    how = {"embedding": getattr(cp.embeddings, kind)(size=3, n_frequencies=2, **scaled)}
    net = cp.Network([3, 5, 1], "tanh", "sigmoid", "quadratic", dtype="float64", seed=3, **how)
    X = np.random.default_rng(2).normal(size=(7, 3)) * [900, 1e-5, 90]
    Y = (X[:, :1] > 0).astype(float)
    page = opened(pages, cp.explore(net, X, Y).html, "#optimizer=sgd&rate=0.5&batch=3")
    page.click("#tab-findings")
    found = [(head, said) for head, _, said, *_ in page.evaluate(ITEMS)]
    expected = cp.diagnose(net, X, Y, optimizer=cp.SGD(0.5), batch_size=3)
    assert "D19" in [each.id for each in expected]
    assert found == [(f"{each.severity}: {each.name}", f"{each.what} {each.how}") for each in expected]


@SLOW
def test_findings_appear_while_it_trains_and_go_when_it_is_undone(pages, playground):
    page = opened(pages, playground, "#rate=100&activation=identity&data=moons&batch=100&held=0")
    page.click("#tab-findings")
    for _ in range(4):
        page.keyboard.press(">")
    assert any(re.match("D9|D14|D13", id) for _, id, *_ in page.evaluate(ITEMS))
    page.click("#start")
    assert not any(re.match("D9|D14|D13", id) for _, id, *_ in page.evaluate(ITEMS) if id != "D9")
