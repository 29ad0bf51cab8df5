"""The live page's figures of a training: their numbers are the library's, and every one has a twin."""

import re

import numpy as np
import pytest

import browser
import clearprop as cp
from clearprop import randomness
from live_page import UNEVEN, X, Y, number, opened, parameters, rows_of, shows, values

browser.require()
SLOW = pytest.mark.slow
PANELS = "step", "layers", "surface", "findings"
ROWS_DRAWN = 15  # the purpose of problems.js
TWINS = """() => {
    for (const twin of document.querySelectorAll('.twin')) twin.open = true;
    return new Promise(done => setTimeout(done, 100));
}"""


def twin(page, key):
    """Return the lines of a figure's twin."""
    page.evaluate(TWINS)
    return page.evaluate(
        """key => [...document.querySelectorAll(`#${key}-twin tbody tr`)]
            .map(row => [...row.cells].map(cell => cell.textContent))""",
        key,
    )


def test_1_costs_and_ratios_are_the_librarys(pages, playground):
    page = opened(pages, playground, f"{UNEVEN}&step=10")
    net = cp.Network([2, 4, 3, 1], "tanh", "sigmoid", "quadratic", dtype="float64", seed=7)
    training = cp.Training(net, X, Y, optimizer=cp.Adam(0.05), batch_size=3, seed=7, progress=False)
    training.run(5)
    costs = twin(page, "curve")
    assert [int(epoch) for epoch, _ in costs] == [1, 2, 3, 4, 5]
    assert all(
        shows(cost, value) for (_, cost), value in zip(costs, training.history["cost"], strict=True)
    )
    page.click("#tab-layers")
    (*_, (epoch, *ratios)) = twin(page, "ratio")
    page.keyboard.press(",")
    before = parameters(page, net)
    assert epoch == "5"
    for ratio, block in zip(ratios, [b for b in net.blocks if b.kind == "weights"], strict=True):
        was, now = before[block.slice], net.parameters[block.slice]
        assert number(ratio) == pytest.approx(np.linalg.norm(now - was) / np.linalg.norm(was), rel=1e-3)
    spread = {name: list(map(number, cells)) for name, *cells in twin(page, "spread")}
    layer = net.copy()
    layer.parameters[:] = before
    z = layer.trace(X, Y).layers[1].z
    assert spread["layer 2, z"] == pytest.approx(
        [z.min(), z.mean(), z.max(), np.sqrt((z**2).mean())], rel=1e-3
    )


@pytest.mark.slow
def test_2_the_learning_rate_is_changed_in_the_run_and_the_link_knows_it(pages, playground):
    page = opened(pages, playground, "#batch=3&seed=7&step=10")
    page.click("#rate-less")
    assert page.input_value("#rate-now") == "0.25"
    for _ in range(3):
        page.keyboard.press(">")
    end, address = values(page), page.evaluate("location.hash")
    assert "edits=10%3Ar%3A0.25" in address
    again = opened(pages, playground, address)
    assert values(again) == end
    net = cp.Network([2, 3, 1], "tanh", cost="binary_cross_entropy", dtype="float64", seed=7)
    for rate, epochs in (0.5, 5), (0.25, 3):
        net.fit(X, Y, epochs=epochs, optimizer=cp.SGD(rate), batch_size=3, seed=None, progress=False)
    assert np.abs(parameters(page, net) - net.parameters).max() < 1e-9
    page.fill("#rate-now", "fast")
    page.keyboard.press("Tab")
    assert page.input_value("#rate-now") == "0.25"
    page.click("#undo")  # the three epochs, and then the rate
    page.click("#undo")
    page.click("#undo")
    page.click("#undo")
    assert page.input_value("#rate-now") == "0.5"


def test_3_rows_are_held_out_and_not_trained_on(pages, playground):
    page = opened(pages, playground, "#data=moons&hidden=3&batch=8&held=20&step=30")
    assert page.text_content("#of-rows") == "of 80"
    held = np.sort(randomness.permutation(0, 100, step=1, purpose=ROWS_DRAWN)[:20])
    everything = opened(pages, playground, "#data=moons&hidden=3&batch=8&step=0")
    rows, targets = rows_of(everything)
    net = cp.Network([2, 3, 1], "tanh", cost="binary_cross_entropy", dtype="float64", seed=0)
    kept = np.setdiff1d(np.arange(100), held)
    history = net.fit(
        rows[kept], targets[kept], epochs=3, optimizer=cp.SGD(0.5), batch_size=8, seed=0,
        validation_data=(rows[held], targets[held]), progress=False,
    )  # fmt: skip
    assert np.abs(parameters(page, net) - net.parameters).max() < 1e-9
    for (_, cost, other), *expected in zip(
        twin(page, "curve"), history["cost"], history["validation_cost"], strict=True
    ):
        assert shows(cost, expected[0])
        assert shows(other, expected[1])


@pytest.mark.slow
def test_4_the_plane_of_the_costs_is_there_and_holds_the_run(pages, playground):
    page = opened(pages, playground, "#step=300")
    page.click("#tab-surface")
    page.wait_for_selector("#surface[data-done]")
    low, high = (
        number(each)
        for each in re.findall(r"([\d.]+(?:×10[⁻⁰-⁹¹²³]+)?) \(", page.text_content("#surface-says"))
    )
    assert low <= number(page.text_content("#cost")) <= high
    way = twin(page, "surface")
    assert [number(each) for each in way[-1][1:]] == [0, 0]
    page.select_option("#along-1", "0")
    page.select_option("#along-2", "3")
    net = cp.Network([2, 3, 1], "tanh", cost="binary_cross_entropy", dtype="float64", seed=0)
    start, now = net.parameters.copy(), parameters(page, net)
    way = twin(page, "surface")
    assert [number(each) for each in way[0][1:]] == pytest.approx((start - now)[[0, 3]], rel=1e-3)


@pytest.mark.parametrize("panel", [pytest.param(each, marks=SLOW) for each in PANELS])
@pytest.mark.parametrize("how", [{"color_scheme": "light"}, {"color_scheme": "dark", "width": 360}])
def test_5_axe_finds_nothing_in_any_panel(pages, playground, panel, how):
    from axe_playwright_python.sync_playwright import Axe

    html = re.sub(r"<meta http-equiv[^>]*>", "", playground)
    page = opened(pages, html, "#data=moons&hidden=4,2&step=20&held=20&inside=9", **how)
    page.click(f"#tab-{panel}")
    page.evaluate(TWINS)
    assert page.evaluate("document.documentElement.scrollWidth") <= how.get("width", 1400)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@SLOW
def test_6_tabs_are_turned_by_keys(pages, playground):
    page = opened(pages, playground)
    page.focus("#tab-choose")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#panel-row")
    assert not page.is_visible("#panel-choose")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"
