"""The live page by hand, in a real Chromium: touch, keys alone, a slow machine, and a minute of training."""

import pytest

import browser
from live_page import opened, values

browser.require()
SLOW = pytest.mark.slow
MIDST = "#data=moons&hidden=3&optimizer=adam&rate=0.03&held=20&seed=4&step=120"

# What has the focus, and whether something else lies over its middle.
FOCUSED = """() => {
    const on = document.activeElement, { left, right, top, bottom } = on.getBoundingClientRect();
    const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const name = on.id || on.name || on.dataset.item || on.textContent;
    const isFree = on === document.body || on.matches("#net [role=button]");
    return [on === document.body ? "the browser's own" : name, isFree || Boolean(over?.contains(on)) || on.contains(over)];
}"""
CONTROLS = """() => [...document.querySelectorAll("button, input, select, summary, a[href]")].filter(each =>
    !each.disabled && each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true })
).map(each => each.id || each.name || each.textContent)"""
EPOCHS = "count => Number(document.getElementById('epochs').textContent.replace(',', '')) >= count"


def test_1_every_control_answers_a_finger(pages, playground):
    page = opened(pages, playground, MIDST, width=360, height=740, has_touch=True)

    def tapped(control, shown):
        before = page.text_content(shown)
        page.tap(control)
        assert page.text_content(shown) != before, control

    tapped("#next", "#steps")
    tapped("#back", "#steps")
    for grain in ("batch", "layer", "product"):
        page.select_option("#grain", grain)
        for control in ("#next", "#back"):
            before = page.evaluate("location.hash")
            page.tap(control)
            page.wait_for_function("before => location.hash !== before", arg=before)
    page.select_option("#grain", "epoch")
    tapped("#next", "#steps")
    page.tap("#plane", position={"x": 40, "y": 40})
    assert page.input_value("#row") != "1"
    page.locator('[data-item="b,2,0"]').tap()
    assert page.text_content("#what") == "b⁽²⁾₁"
    page.select_option("#size", "1")
    where = page.locator("#more").bounding_box()
    tapped("#more", "#cost")
    assert page.locator("#more").bounding_box() == where  # a second tap meets it again
    tapped("#less", "#cost")
    tapped("#slider", "#cost")
    tapped("#undo", "#cost")
    tapped("#redo", "#cost")
    tapped("#as-it-was", "#cost")
    page.tap("#rate-less")
    assert page.input_value("#rate-now") == "0.015"
    page.tap("#rate-more")
    assert page.input_value("#rate-now") == "0.03"
    for tab in page.locator("[role=tab]").all():
        tab.tap()
        assert page.locator(f"#{tab.get_attribute('aria-controls')}").is_visible()
    tapped("#start", "#steps")
    page.select_option("#speed", "100")
    tapped("#play", "#play")
    page.wait_for_function(EPOCHS, arg=3)
    tapped("#play", "#play")


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, pytest.param(1400, marks=SLOW)])
def test_2_the_tab_key_visits_every_control_and_nothing_lies_over_it(pages, playground, width):
    page = opened(pages, playground, MIDST, width=width, height=740)
    expected, seen = page.evaluate(CONTROLS), []
    for _ in range(len(expected) + 12):
        page.keyboard.press("Tab")
        name, is_free = page.evaluate(FOCUSED)
        assert is_free, name
        seen.append(name)
    assert set(expected) <= set(seen), set(expected) - set(seen)


@pytest.mark.slow
def test_3_keys_alone_do_what_the_buttons_do(pages, playground):
    page = opened(pages, playground, MIDST)

    def pressed(control, key, shown):
        page.focus(control)
        before = page.evaluate(shown)
        page.keyboard.press(key)
        assert page.evaluate(shown) != before, control

    steps, cost = (
        "document.getElementById('steps').textContent",
        "document.getElementById('cost').textContent",
    )
    rate = "document.getElementById('rate-now').value"
    for control, key, shown in (
        ("#next", "Enter", steps),
        ("#back", " ", steps),
        ("#slider", "ArrowRight", cost),
        ("#less", "Enter", cost),
        ("#more", " ", cost),
        ("#value", "ArrowUp", cost),
        ("#undo", "Enter", cost),
        ("#redo", "Enter", cost),
        ("#as-it-was", "Enter", cost),
        ("#rate-less", "Enter", rate),
        ("#rate-more", "Enter", rate),
        ("#row", "ArrowUp", "document.getElementById('row-cost').textContent"),
        ("#start", "Enter", steps),
    ):
        pressed(control, key, shown)
    page.focus("#play")
    page.keyboard.press(" ")
    page.wait_for_function(EPOCHS, arg=2)
    page.keyboard.press("Enter")
    assert page.text_content("#play") == "Play"


@SLOW
def test_4_a_minute_of_training_leaves_the_heap_as_it_was(pages, playground):
    page = opened(pages, playground, "#data=xor&hidden=3&rate=0.01")
    protocol = page.context.new_cdp_session(page)

    def used():
        protocol.send("HeapProfiler.collectGarbage")
        return protocol.send("Runtime.getHeapUsage")["usedSize"] / 2**20

    page.select_option("#speed", "100000")
    page.click("#play")
    heaps = []
    for _ in range(6):
        page.wait_for_timeout(10_000)
        heaps.append(used())
    assert page.text_content("#play") == "Pause"
    # MiB. The run keeps a cost of each epoch, 8 bytes, and a bounded number of states.
    epochs = page.evaluate("Number(document.getElementById('epochs').textContent.replaceAll(',', ''))")
    assert heaps[-1] - heaps[0] < 4 + 16 * epochs / 2**20, heaps


@SLOW
def test_5_a_quarter_of_the_speed_is_enough(pages, playground):
    page = opened(pages, playground, "#data=spiral&hidden=16,16&optimizer=adam&rate=0.01")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.select_option("#speed", "100000")
    page.click("#play")
    page.wait_for_function(EPOCHS, arg=5)
    page.click("#tab-layers")  # everything answers while it trains
    assert page.is_visible("#panel-layers")
    page.click("#rate-less")
    page.wait_for_function(EPOCHS, arg=10)
    page.click("#play")
    assert page.text_content("#play") == "Play"
    before = values(page)
    page.focus('[data-item="w,1,0,0"]')
    for _ in range(5):
        page.keyboard.press("+")
    after = values(page)
    assert float(after["w,1,0,0"]) == pytest.approx(float(before["w,1,0,0"]) + 0.5)
    page.keyboard.press("<")
    assert "predicted" not in page.text_content("#short")
