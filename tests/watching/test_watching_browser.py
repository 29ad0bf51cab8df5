"""The page of a watched training in a real Chromium: the engine's numbers, and what a reader can do."""

import re
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("uvicorn")

import browser
import clearprop as cp
from clearprop.watching import server
from clearprop.watching.page import page as html_of
from commands import Command

browser.require()
SLOW = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 4))
Y = np.eye(3)[RNG.integers(0, 3, 70)]


class Tabs:
    """Opens addresses in one browser, and keeps what goes wrong in them."""

    def __init__(self, started):
        self.started, self.contexts, self.problems, self.asked = started, [], [], []
        self.may_be_gone = False

    def open(self, url, width=1400, height=900, **how):
        context = self.started.new_context(viewport={"width": width, "height": height}, **how)
        self.contexts.append(context)
        return self.tab(context, url)

    def tab(self, context, url):
        tab = context.new_page()
        tab.on("console", lambda m: m.type in ("error", "warning") and self.problems.append(m.text))
        tab.on("pageerror", lambda error: self.problems.append(str(error)))
        tab.on("request", lambda request: self.asked.append(request.url))
        tab.goto(url)
        return tab

    def close(self, url):
        for context in self.contexts:
            context.close()
        own = url.partition("/?")[0] + "/"
        assert [each for each in self.asked if not each.startswith((own, "data:"))] == []
        gone = "net::ERR_CONNECTION_REFUSED", "net::ERR_INCOMPLETE_CHUNKED_ENCODING"
        expected = gone if self.may_be_gone else ()
        assert [each for each in self.problems if not any(one in each for one in expected)] == []


@pytest.fixture
def tabs(_browser):
    return Tabs(_browser)


def state(tab, starts, seconds=40):
    tab.wait_for_function(
        "starts => document.getElementById('state').textContent.startsWith(starts)",
        arg=starts,
        timeout=1000 * seconds,
    )
    return tab.text_content("#state")


def epochs(tab):
    return float(tab.text_content("#epoch").split()[0].replace(",", ""))


def passes(tab, epoch):
    """Wait until more epochs are done."""
    number = "document.getElementById('epoch').textContent.split(' ')[0].replaceAll(',', '')"
    tab.wait_for_function(f"epoch => Number({number}) > epoch", arg=epoch, timeout=60_000)


def number(text):
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
    return float(text.replace("×10", "e").translate(digits))


@pytest.fixture
def training():
    """A training that goes on in a thread until its page ends it."""
    watch, net = cp.Watch(browser=False), cp.Network([4, 5, 3], "tanh", seed=0)
    how = {"epochs": 10**7, "batch_size": 10, "validation_data": (X[:20], Y[:20]), "progress": False}
    kept = []
    thread = threading.Thread(target=lambda: kept.append(net.fit(X, Y, callbacks=[watch], **how)))
    thread.start()
    while watch.url is None:
        assert thread.is_alive()
        time.sleep(0.01)
    yield watch.url, thread, kept, net
    if thread.is_alive():
        from asking import wish

        wish(watch.url, "stop")
        thread.join(30)


def test_the_page_shows_the_librarys_numbers_and_stops_the_run(tabs, training):
    url, thread, kept, net = training
    tab = tabs.open(url)
    tab.wait_for_selector(".layer")
    state(tab, "Training")
    tab.click("#twin summary")
    before = epochs(tab)
    passes(tab, before)
    tab.click("#stop")
    assert state(tab, "Ended") == "Ended: stopped"
    thread.join(30)
    history = kept[0]
    assert epochs(tab) == len(history)
    assert history.stopped == "callback"
    assert number(tab.text_content("#cost")) == pytest.approx(history["cost"][-1], rel=1e-3)
    assert number(tab.text_content("#held")) == pytest.approx(history["validation_cost"][-1], rel=1e-3)
    trace = net.trace(X, Y)
    rows = tab.evaluate(
        "[...document.querySelectorAll('#tables table')].map(each => [...each.querySelectorAll('tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.textContent)))"
    )
    curves, *quantities, updates = rows
    assert number(curves[-1][1]) == pytest.approx(history["cost"][-1], rel=1e-3)
    for table, name in zip(quantities, ("z", "a", "delta", "weight_gradient"), strict=True):
        for cells, layer in zip(table, trace.layers, strict=True):
            values = getattr(layer, name)
            assert number(cells[1]) == pytest.approx(values.min(), rel=1e-3)
            assert number(cells[3]) == pytest.approx(np.median(values), rel=1e-2, abs=1e-7)
            assert number(cells[5]) == pytest.approx(values.max(), rel=1e-3)
    assert len(updates) == 2
    assert tab.locator("#curves figure").count() == 2
    assert tab.locator(".layer figure").count() == 8
    assert "cost from" in tab.get_attribute("#curves svg", "aria-label")
    tabs.close(url)


SHOWN = {
    "run": "a", "state": "training", "why": "", "epoch": 2.5, "epochs": 40, "step": 9, "look": 1, "looked": 2,
    "looked_rows": 70, "n_layers": 1, "rows_per_second": 1e6, "seconds_left": 4000,
    "now": {"cost": 0.25, "validation_cost": 0.5, "learning_rate": 0.1},
    "curves": [{"name": "cost", "points": [[1, 1.0], [2, 0.25]]}, {"name": "validation_cost", "points": [[1, 2.0], [2, 0.5]]},
               {"name": "validation_accuracy", "points": [[1, 0.5], [2, 0.75]]}],
    "layers": [{"layer": 1, "function": "tanh", "neurons": 3, "update": 1e-3, "of": {
        name: {"n": 9, "not_finite": 1, "from": -1.5, "to": 2.0, "counts": [1, 0, 4, 3], "low": -2.0, "high": 2.5,
               "quantiles": [-1.4, 0.1, 1.9], "rms": 1.0} for name in ("z", "a", "delta")}
        | {"gradient": {"n": 3, "not_finite": 3}}}],
    "findings": [{"id": "D2", "name": "saturated units", "severity": "warning", "sentence": "Three are.", "equation": "BP1", "since": 3}],
    "row": {"row": 0, "cost": 0.3, "outputs": [{"name": "yes", "a": 0.4, "y": 1.0}],
            "layers": [{"layer": 1, "low": -1.0, "high": 2.0, "a": 0.5, "delta": 0.1, "gradient": None}]},
}  # fmt: skip


@pytest.fixture
def served():
    """A page that trains, whose server says what a test wants said."""
    made = server.Server(
        html_of("train", ["2-3-1"], n_rows=9), 0, frozenset({"play", "pause", "step", "start", "row"})
    )
    yield made
    made.close({})


HOSTILE = "</script><img src=x onerror=alert(1)><b>\u202e\x00"


def hostile(value):
    """Return a message whose every text is markup, but those that the page compares."""
    if isinstance(value, dict):
        kept = ("state", "severity", "run")
        return {key: each if key in kept else hostile(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.slow
def test_hostile_names_are_text(tabs, served):
    served.put(hostile(SHOWN))
    tab = tabs.open(served.url)
    tab.click("#twin summary")
    tab.wait_for_selector(".layer")
    assert tab.locator("img, b, main script").count() == 0
    assert HOSTILE[:20] in tab.text_content("#findings")
    assert HOSTILE[:20] in tab.text_content("#row-pass")
    tabs.close(served.url)


@pytest.mark.parametrize(
    "how",
    [
        {"color_scheme": "light"},
        pytest.param({"color_scheme": "dark", "reduced_motion": "reduce", "width": 800}, marks=SLOW),
        pytest.param({"forced_colors": "active", "width": 360}, marks=SLOW),
    ],
)
def test_axe_finds_nothing(tabs, served, how):
    from axe_playwright_python.sync_playwright import Axe

    served.put(SHOWN)
    tab = tabs.open(served.url, bypass_csp=True, **how)
    tab.wait_for_selector(".layer")
    tab.click("#twin summary")
    for shown in ("training", "waiting", "ended"):
        served.put(SHOWN | {"state": shown})
        tab.wait_for_selector(f"#state[data-state={shown}]")
        found = Axe().run(tab)
        assert found.violations_count == 0, found.generate_report()


@SLOW
@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(tabs, served, width, scheme, tmp_path):
    served.put(SHOWN)
    tab = tabs.open(served.url, width=width, height=740, color_scheme=scheme)
    tab.wait_for_selector(".layer")
    tab.click("#twin summary")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    for key in ("#play", "#step", "#start", "#row"):
        assert tab.locator(key).bounding_box()["height"] >= 24
    tabs.close(served.url)


@pytest.mark.slow
def test_controls_ask_for_what_they_say_by_mouse_and_keyboard(tabs, served):
    served.put(SHOWN | {"state": "waiting"})
    tab = tabs.open(served.url)
    tab.wait_for_selector("#state[data-state=waiting]")
    tab.click("#play")
    assert served.wish(20)["do"] == "play"
    tab.focus("#step")
    tab.keyboard.press("Enter")
    assert served.wish(20)["do"] == "step"
    served.put(SHOWN)
    tab.wait_for_selector("#state[data-state=training]")
    assert tab.text_content("#play") == "Pause"
    assert tab.is_disabled("#step")
    tab.click("#play")
    assert served.wish(20)["do"] == "pause"
    tab.click("#start")
    assert served.wish(20)["do"] == "start"
    tab.fill("#row", "400")
    tab.keyboard.press("Enter")
    assert served.wish(20) == {"do": "row", "row": 8}
    assert tab.input_value("#row") == "9"
    tabs.close(served.url)


@SLOW
def test_a_run_that_is_killed_is_missed_and_the_page_goes_on_with_the_next(tabs, tmp_path):
    from clearprop.watching import address

    free = address.listen(0)
    port = free.getsockname()[1]
    free.close()
    what = ["train", "digits", "--epochs", 10**6, "--output", tmp_path / "m.safetensors", "--watch", "--port", port,
            "--checkpoint", tmp_path / "c", "--checkpoint-every", "20epochs"]  # fmt: skip
    tabs.may_be_gone = True
    first = Command(*what, state=tmp_path)
    tab = tabs.open(first.url)
    other = tabs.tab(tab.context, first.url)
    tab.bring_to_front()
    passes(tab, 60)
    first.process.kill()
    first.wait()
    assert "it goes on when the server is back" in state(tab, "The server is gone")
    assert tab.is_disabled("#stop")
    missed = epochs(tab)
    second = Command(*what, "--resume", state=tmp_path)
    assert second.url == first.url
    state(tab, "Training")
    passes(tab, missed)
    tab.reload()
    state(tab, "Training")
    other.bring_to_front()
    state(other, "Training")
    other.click("#stop")
    state(other, "Ended")
    tab.bring_to_front()
    state(tab, "Ended")
    assert second.wait()[0] == 0
    assert (tmp_path / "m.safetensors").exists()
    tabs.close(first.url)


@SLOW
def test_a_served_network_is_played_and_stepped_from_its_page(tabs, tmp_path):
    net = cp.Network([64, 200, 150, 10], "relu", seed=0)  # 44,660 parameters: too large for a page
    net.save(tmp_path / "net.safetensors")
    command = Command("explore", "--serve", tmp_path / "net.safetensors", "digits", state=tmp_path)
    tab = tabs.open(command.url)
    state(tab, "Waiting")
    tab.click("#step")
    tab.wait_for_selector("#epoch:text-is('1')")
    tab.click("#play")
    state(tab, "Training")
    passes(tab, 3)
    tab.click("#play")
    state(tab, "Waiting")
    tab.fill("#row", "5")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#row-pass p:has-text('Row 5 ')")
    tab.click("#start")
    tab.wait_for_selector("#epoch:text-is('0')")
    command.end(signal.SIGINT)
    assert re.match("Ended: the command was ended|The server is gone", state(tab, ""))
