"""The live page in a real Chromium: the library's numbers, and what a reader can do with them."""

import re

import numpy as np
import pytest

import browser
import clearprop as cp
from live_page import UNEVEN, X, Y, library, number, numbers_in, opened, parameters, shows, values

browser.require()
SLOW = pytest.mark.slow

PLAYED = """() => new Promise(done => {
    const look = () => Number(document.getElementById('epochs').textContent) > 5
        ? done() : requestAnimationFrame(look);
    look();
})"""
TABLES = """() => {
    document.querySelector('#twin').open = true;
    return new Promise(done => setTimeout(() => done(
        [...document.querySelectorAll('#tables table')].map(each =>
            [...each.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent)))
    ), 50));
}"""


def test_1_every_number_is_the_librarys(pages, playground):
    net = library(5)
    page = opened(pages, playground, f"{UNEVEN}&step=10&row=1")
    assert np.abs(parameters(page, net) - net.parameters).max() < 1e-9
    *layers, rows = page.evaluate(TABLES)
    one, every = net.trace(X[1:2], Y[1:2]), net.trace(X, Y)
    for of_row, of_all, table in zip(one.layers, every.layers, layers, strict=True):
        for j, (_, z, a, delta, b, bias_gradient, *rest) in enumerate(table):
            assert shows(z, of_row.z[0, j])
            assert shows(a, of_row.a[0, j])
            assert shows(delta, of_row.delta[0, j])
            assert shows(b, of_all.biases[j])
            assert shows(bias_gradient, of_all.bias_gradient[j])
            assert all(map(shows, rest[::2], of_all.weights[j]))
            assert all(map(shows, rest[1::2], of_all.weight_gradient[j]))
    for i, (_, *cells) in enumerate(rows):
        *given, answer, cost = cells
        assert [number(each) for each in given] == [*X[i], *Y[i]]
        assert shows(answer, every.layers[-1].a[i, 0])
        assert shows(cost, every.sample_costs[i])
    assert shows(page.text_content("#cost"), every.cost)


@pytest.mark.parametrize(
    ("item", "nth"),
    [
        ("w,2,1,3", 8 + 4 + 1 * 4 + 3),
        pytest.param("y,3,0", None, marks=SLOW),
        pytest.param("x,0,0", None, marks=SLOW),
        pytest.param("b,1,2", 8 + 2, marks=SLOW),
    ],
)
def test_2_a_change_is_predicted_and_comes(pages, playground, item, nth):
    page = opened(pages, playground, f"{UNEVEN}&step=4")
    net, inputs, targets = library(2), X.copy(), Y.copy()
    page.focus(f'[data-item="{item}"]')
    before = float(page.input_value("#value"))
    page.fill("#value", f"{before + 0.01:.6f}")
    after = float(page.input_value("#value"))
    cost, slope = net.trace(X, Y).cost, None
    if nth is not None:
        slope = net.gradient(X, Y).flat[nth]
        net.parameters[nth] = after
    elif item[0] == "x":
        inputs[0, 0] = after
    else:
        targets[0, 0] = after
    came = net.trace(inputs, targets).cost - cost
    changed, times, change, predicted, was, now, by = numbers_in(page.text_content("#came"))
    assert (changed, change) == pytest.approx((after - before, after - before), rel=1e-3)
    assert (was, now) == pytest.approx((cost, cost + came), rel=1e-3)
    assert by == pytest.approx(came, rel=1e-3)
    assert predicted == pytest.approx(times * change, rel=1e-3)
    assert predicted == pytest.approx(came, rel=0.05)
    assert slope is None or times == pytest.approx(slope, rel=1e-3)


def test_3_the_address_holds_the_run_and_steps_back_give_the_same_bits(pages, playground):
    page = opened(
        pages, playground, "#data=moons&hidden=3&optimizer=adam&rate=0.03&batch=32&held=0&seed=4"
    )
    seen = {0: values(page)}
    for _ in range(5):
        page.keyboard.press(".")
    seen[5] = values(page)
    page.focus('[data-item="x,0,1"]')
    page.keyboard.press("+")
    page.focus('[data-item="w,1,2,0"]')
    page.keyboard.press("-")
    page.keyboard.press(">")
    seen[8] = values(page)
    page.keyboard.press(">")
    end, address = values(page), page.evaluate("location.hash")
    assert "step=12" in address
    assert len({each["w,1,0,0"] for each in (*seen.values(), end)}) == 4

    again = opened(pages, playground, address)
    assert values(again) == end
    assert again.text_content("#cost") == page.text_content("#cost")
    for step in (8, 5, 0):
        while (now := int(page.text_content("#steps"))) != step:
            page.keyboard.press("," if now > step else ".")
        found = values(page)
        if step == 5:  # where the two changes were made
            differ = {key for key in found if found[key] != seen[5][key]}
            assert differ == {"x,0,1", "w,1,2,0"}
        else:
            assert found == seen[step]


@SLOW
def test_4_undo_redo_and_as_it_was(pages, playground):
    page = opened(pages, playground, "#step=3")
    first = values(page)
    page.locator('[data-item="w,1,1,0"]').click()
    page.click("#more")
    page.click("#more")
    page.locator('[data-item="b,2,0"]').click()
    page.click("#less")
    changed = values(page)
    assert {key for key in first if first[key] != changed[key]} == {"w,1,1,0", "b,2,0"}
    page.click("#undo")
    assert values(page) == first | {"w,1,1,0": changed["w,1,1,0"]}
    page.click("#redo")
    assert values(page) == changed
    page.click("#next")
    assert values(page) != changed
    page.click("#undo")
    assert values(page) == changed
    page.click("#as-it-was")
    assert values(page) == first
    assert page.is_disabled("#as-it-was")
    page.keyboard.press("Control+z")
    assert values(page) == changed


def test_5_it_plays_until_it_is_paused(pages, playground):
    page = opened(pages, playground)
    page.select_option("#speed", "100")
    page.locator("h1").click()
    page.keyboard.press(" ")
    page.evaluate(PLAYED)
    page.keyboard.press(" ")
    paused = page.text_content("#epochs")
    assert page.text_content("#play") == "Play"
    assert f"step={paused}" in page.evaluate("location.hash")
    assert re.search(r"from 0\.\d+ in epoch 1 to", page.get_attribute("#curve", "aria-label"))


@SLOW
def test_6_what_is_chosen_wrongly_is_refused_in_a_sentence(pages, playground):
    page = opened(pages, playground, "#data=circles&hidden=99")
    assert "Hidden layers must be at most 4 sizes from 1 to 64, as 4,3; got 99." in page.text_content(
        "#refused"
    )
    page.fill("[name=hidden]", "4,2")
    page.keyboard.press("Tab")
    assert page.text_content("#refused") == ""
    assert "hidden=4%2C2" in page.evaluate("location.hash")
    page.fill("[name=rate]", "fast")
    page.keyboard.press("Tab")
    assert page.text_content("#refused").startswith("Learning rate must be a number above 0")


@SLOW
def test_7_ones_own_network_diverges_in_a_sentence_and_its_names_are_inert(pages):
    rng = np.random.default_rng(0)
    net = cp.Network([3, 4, 2], "identity", cost="squared_error", dtype="float64", seed=2)
    net.feature_names = ("</script><script>throw 1</script>", "<img src=x onerror=alert(1)>", "z")
    inputs, targets = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    page = opened(pages, cp.explore(net, inputs, targets).html)
    assert np.array_equal(parameters(page, net), net.parameters.astype(float))
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    page.select_option("[name=optimizer]", "sgd")
    page.fill("[name=rate]", "50")
    page.keyboard.press("Tab")
    for _ in range(60):
        page.click("#next")
        if page.text_content("#stopped"):
            break
    with pytest.raises(cp.DivergenceError) as diverged:
        net.fit(
            inputs,
            targets,
            epochs=60,
            optimizer=cp.SGD(50),
            batch_size=7,
            engine="numpy",
            progress=False,
        )
    said = str(diverged.value)
    assert page.text_content("#stopped") == f"T{said[1:]}. Steps back are possible."
    assert page.is_visible("#why-box")
    page.click("#back")
    assert page.text_content("#stopped") == ""


@pytest.mark.parametrize(
    "how",
    [
        {"color_scheme": "light"},
        pytest.param({"color_scheme": "dark", "reduced_motion": "reduce"}, marks=SLOW),
        pytest.param({"forced_colors": "active", "width": 360}, marks=SLOW),
    ],
)
def test_8_axe_finds_nothing(pages, playground, how):
    from axe_playwright_python.sync_playwright import Axe

    html = re.sub(r"<meta http-equiv[^>]*>", "", playground)
    page = opened(pages, html, "#data=moons&hidden=4,2&step=20", **how)
    page.focus('[data-item="w,2,1,0"]')
    page.keyboard.press("+")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@SLOW
@pytest.mark.parametrize("width", [360, 800, 1400])
def test_9_drawing_and_controls_are_in_sight_together(pages, playground, width):
    page = opened(pages, playground, "#step=5", width=width, height=740, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator('[data-item="b,1,1"]').tap()
    page.tap("#more")
    assert "predicted" in page.text_content("#short")
    bar = page.locator(".transport").bounding_box()
    drawing = page.locator("#net").bounding_box()
    assert bar["y"] + bar["height"] <= 741
    assert drawing["y"] + drawing["height"] <= bar["y"] + 1
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    bar, table = page.locator(".transport").bounding_box(), page.locator("#twin").bounding_box()
    assert bar["y"] + bar["height"] <= table["y"] + 1 or table["y"] + table["height"] <= bar["y"] + 1


@SLOW
def test_10_a_notebook_shows_it_in_a_frame(pages):
    page = pages.open(f"<!DOCTYPE html><body>{cp.explore()._repr_html_()}")
    frame = page.frame_locator("iframe")
    frame.locator("#next").click()
    frame.locator("#more").click()
    assert frame.locator("#steps").text_content() == "1"
    assert "predicted" in frame.locator("#short").text_content()


PLACES = """id => {
    document.getElementById(id).scrollIntoView();
    const edges = [...document.querySelectorAll(`.drawing, .picture, .transport, #${id}`)].map(each => {
        const { top, bottom } = each.getBoundingClientRect();
        return [each.id || each.classList[each.classList.length - 1], { top, bottom }];
    });
    return Object.fromEntries(edges);
}"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, pytest.param(800, marks=SLOW)])
@pytest.mark.parametrize(
    "network", ["#lesson=xor", pytest.param("#data=spiral&hidden=16,16", marks=SLOW)]
)
def test_11_what_is_read_stands_between_the_drawing_and_the_bar(pages, playground, width, network):
    page = opened(pages, playground, network, width=width, height=740, has_touch=True)
    page.keyboard.press("]")  # the drawing is taller where it tells a step
    read = ["lesson", "panel-practice", "panel-findings"] if "lesson" in network else ["panel-keep"]
    for each in read:
        if each.startswith("panel"):
            page.click(each.replace("panel", "#tab"))
        at = page.evaluate(PLACES, each)
        assert at["drawing"]["top"] + 1 >= 0
        assert at["picture"]["bottom"] - at["picture"]["top"] >= 100
        assert at["drawing"]["bottom"] - 1 <= at[each]["top"] <= at["transport"]["top"] - 120
        assert 739 <= at["transport"]["bottom"] <= 741


@SLOW
@pytest.mark.parametrize("network", ["#data=spiral&hidden=16,16", "#lesson=overfitting"])
def test_12_a_large_drawing_leaves_the_bar_in_sight(pages, playground, network):
    page = opened(pages, playground, network)
    bar, drawing = (page.locator(each).bounding_box() for each in (".transport", "#net"))
    assert bar["y"] + bar["height"] <= 901
    assert bar["y"] - drawing["y"] > 350
    assert drawing["x"] + drawing["width"] <= 840
    page.click("#next")
    assert page.text_content("#epochs") == "1"
