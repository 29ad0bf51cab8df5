"""A step of the live page at four grains, forwards and backwards, against the library's pass."""

import re

import numpy as np
import pytest

import browser
from live_page import UNEVEN, X, Y, library, number, opened, shows, values

browser.require()
SLOW = pytest.mark.slow

SEEN = """() => [
    [...document.querySelectorAll('#net text')].map(each => each.textContent).join('|'),
    document.getElementById('told').textContent,
]"""
CELLS = """() => [...document.querySelectorAll('#step-table table')].map(each =>
    [...each.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent)))"""
EVERY_TICK = """() => {
    const told = [];
    do {
        document.body.dispatchEvent(new KeyboardEvent('keydown', {key: "'", bubbles: true}));
        told.push(document.querySelector('#told .symbols').textContent);
    } while (!document.getElementById('told').textContent.includes('the pass is done'));
    return told;
}"""
A_STEP = """() => new Promise(done => {
    const look = () => Number(document.getElementById('steps').textContent) ? done() : requestAnimationFrame(look);
    look();
})"""
NUMBER = r"\(?(−?\d[\d.]*(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?)\)?"


def text_of(page, key):
    """Return what stands in the drawing for a number such as "z,1,0"."""
    name, layer, j = key.split(",")
    kind = {"δ": "delta"}.get(name, name)
    units = "document.querySelectorAll('#net .unit:not(.input)')"
    return page.evaluate(
        f"""([kind, layer, j]) => {{
            const columns = new Map();
            for (const unit of {units}) {{
                const x = unit.querySelector('rect').getAttribute('x');
                columns.set(x, [...(columns.get(x) ?? []), unit]);
            }}
            return [...columns.values()][layer - 1][j].querySelector(`.${{kind}} .value`).textContent;
        }}""",
        [kind, int(layer), int(j)],
    )


def test_1_layers_forwards_and_back_and_then_the_update(pages, playground):
    page = opened(pages, playground, f"{UNEVEN}&step=3&batch=4")
    page.keyboard.press(".")
    after = values(page)
    page.keyboard.press(",")
    page.keyboard.press("]")
    seen = [page.evaluate(SEEN)]
    assert "forwards through layer 1" in seen[0][1]
    assert text_of(page, "z,1,0") != "?"
    assert text_of(page, "z,2,0") == text_of(page, "δ,3,0") == page.text_content("#cost") == "?"
    for _ in range(6):  # 3 layers, the cost, 3 layers back
        page.keyboard.press("]")
        seen.append(page.evaluate(SEEN))
    assert "?" not in seen[-1][0]
    assert "Next: the update" in seen[-1][1]
    address = page.evaluate("location.hash")
    page.keyboard.press("]")
    assert page.text_content("#steps") == "4"
    assert values(page) == after
    for expected in reversed(seen):
        page.keyboard.press("[")
        assert page.evaluate(SEEN) == expected
    again = opened(pages, playground, address)
    assert again.evaluate(SEEN) == seen[-1]


def found_by_products(net, row):
    """Return what every tick of a row's pass finds, in their order."""
    trace = net.trace(X[row : row + 1], Y[row : row + 1])
    inputs = [X[row], *(each.a[0] for each in trace.layers)]
    for layer, a_in in zip(trace.layers, inputs, strict=False):
        for w, z, a in zip(layer.weights, layer.z[0], layer.a[0], strict=True):
            yield from (*(w * a_in), z, a)
    yield trace.cost
    after = None
    for layer in trace.layers[::-1]:
        for j, delta in enumerate(layer.delta[0]):
            if after is not None:
                yield from after.weights[:, j] * after.delta[0]
            yield delta
        for weight, bias in zip(layer.weight_gradient, layer.bias_gradient, strict=True):
            yield from (*weight, bias)
        after = layer


@pytest.mark.slow
def test_2_every_product_is_the_librarys(pages, playground):
    page = opened(pages, playground, f"{UNEVEN}&step=2&inside=0&row=1")
    page.click("#tab-step")
    told = page.evaluate(EVERY_TICK)  # of a row of the batch
    net, row = library(1), int(page.input_value("#row")) - 1
    expected = [*found_by_products(net, row)]
    assert len(told) == len(expected)
    for text, value in zip(told, expected, strict=True):
        *factors, found = (number(each) for each in re.findall(NUMBER, text.split(" = ", 1)[-1]))
        assert abs(found - value) <= 5.01e-4 * abs(value) + 1e-15, text
        if "×" in re.sub("×10", "", text):
            assert np.prod(factors[-2:]) == pytest.approx(value, rel=2e-3)
    rows = [
        int(each) - 1 for each in re.findall(r"\d", page.text_content("#step-rows").split("with")[1])
    ][:3]
    assert row in rows
    own, mean = net.gradient(X[row : row + 1], Y[row : row + 1]), net.gradient(X[rows], Y[rows])
    cells = [line for table in page.evaluate(CELLS) for line in table]
    page.keyboard.press(".")
    after = {float(each) for each in values(page).values()}
    blocks = zip(
        net.weights, net.biases, own.weights, own.biases, mean.weights, mean.biases, strict=True
    )
    flat = [pairs(*block) for block in blocks]
    for (_, *shown, update, new), wanted in zip(cells, np.concatenate(flat), strict=True):
        assert all(map(shows, shown, wanted)), (shown, wanted)
        assert number(update) == pytest.approx(number(new) - wanted[0], abs=1e-3)
        assert min(abs(each - number(new)) for each in after) <= 5e-4


def pairs(w, b, own_w, own_b, mean_w, mean_b):
    """Return value, own and mean gradient of a layer's parameters, each neuron's bias after its weights."""
    three = [np.column_stack(each) for each in ((w, b), (own_w, own_b), (mean_w, mean_b))]
    return np.stack([each.ravel() for each in three], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("grain", ["layer", pytest.param("product", marks=SLOW)])
def test_3_it_plays_at_that_grain_and_motion_is_for_those_who_want_it(pages, playground, grain):
    for how, dots in ({}, True), ({"reduced_motion": "reduce"}, False):
        page = opened(pages, playground, "", **how)
        page.select_option("#grain", grain)
        page.select_option("#speed", "1")
        page.click("#next")
        assert bool(page.evaluate("document.querySelectorAll('#net .dot').length")) == dots
        assert page.evaluate("document.querySelectorAll('#net .flows').length")
        page.select_option("#speed", "100")
        page.click("#play")
        page.evaluate(A_STEP)
        page.click("#play")
        assert "inside=" in page.evaluate("location.hash")
