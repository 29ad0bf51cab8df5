"""The page of one pass in a real Chromium: what a reader can do with it.

The numbers of the names are those of the study's list of tests (showing-the-working, section 8).
"""

import itertools
import json
import math
import re

import numpy as np
import pytest

import browser
import clearprop as cp
from clearprop.explain import expression
from explained import PRESETS, mazur, problem, within
from test_web import as_written, element_of

browser.require()


@pytest.fixture(scope="module")
def mazur_trace():
    net, x, y = mazur()
    return net.trace(x, y, cp.SGD(0.5))


@pytest.fixture(scope="module")
def mazur_html(mazur_trace):
    return mazur_trace.to_html()


def slow_but(*kept, of=PRESETS):
    """Return the parameters; the default run takes those that are kept, make test-slow all of them."""
    return [each if each in kept else pytest.param(each, marks=pytest.mark.slow) for each in of]


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def assert_numbers(page, trace, at_least=60):
    """Compare every number that is shown, at every step in every form, with the trace."""
    found = page.evaluate(
        """() => {
            const seen = new Set();
            for (const chip of document.querySelectorAll('.chip')) {
                chip.click();
                for (const form of document.querySelectorAll('.forms button')) {
                    document.querySelector(`.forms [data-form=${form.dataset.form}]`).click();
                    for (const e of document.querySelectorAll('[data-ref]')) {
                        seen.add([e.dataset.ref, Number(e.dataset.factor ?? 1), e.textContent].join(' '));
                    }
                }
            }
            return [...seen].map(each => each.split(' '));
        }"""
    )
    assert len(found) > at_least
    for ref, factor, text in found:
        assert within(as_written(text), float(factor) * element_of(trace, ref)), (ref, factor, text)


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


# 3: numbers


@pytest.mark.parametrize("notation", slow_but("nielsen", "jordan"))
def test_03_at_every_step_every_number_shown_is_the_engines(pages, mazur_trace, mazur_html, notation):
    page = pages.open(mazur_html, f"#n={notation}")
    assert_numbers(page, mazur_trace)


@pytest.mark.slow  # test_web.py looks at the numbers of all networks, without a browser
@pytest.mark.parametrize("name", ["softmax", "batch", "float32"])
def test_03_so_it_is_for_other_networks(pages, name):
    how = {
        "batch": {"n": 3},
        "softmax": {"sizes": (20, 18, 3), "cost": "cross_entropy"},
        "float32": {"dtype": "float32", "activation": "tanh"},
    }[name]
    net, X, Y = problem(**how)
    trace = net.trace(X, Y, cp.SGD(0.5))
    page = pages.open(trace.to_html())
    for notation in range(4):
        page.select_option("#notation", str(notation))
        assert_numbers(page, trace, 150)


def test_03_jordans_delta_has_the_other_sign(pages, mazur_trace, mazur_html):
    page = pages.open(mazur_html, "#n=jordan&step=8")
    text = page.text_content(".net [data-unit='2,0'] .delta")
    assert "−0.1385" in text
    page.select_option("#notation", label="nielsen")
    assert "0.1385" in page.text_content(".net [data-unit='2,0'] .delta")
    assert "−" not in page.text_content(".net [data-unit='2,0'] .delta")


@pytest.mark.parametrize(
    "target", [pytest.param(None, marks=pytest.mark.slow), 1]
)  # of one class: minus a product that begins with a number
def test_the_script_writes_formulas_as_the_program_does(pages, target):
    net, X, Y = problem(sizes=(3, 18, 2), cost="cross_entropy", n=2 if target is None else 1)
    html = net.trace(X, Y if target is None else [target]).to_html()
    page = pages.open(html)
    without = pages.open(html, java_script_enabled=False)
    read = "found => found.map(e => e.outerHTML)"
    for i in range(page.evaluate("document.querySelectorAll('.chip').length")):
        given = page.eval_on_selector_all("#all-steps .formula math", read)
        assert given == without.eval_on_selector_all(f"#step-{i} math", read)
        if not page.is_disabled("#next"):
            page.click("#next")


def test_the_script_rounds_as_the_program_does(pages, mazur_html):
    from clearprop.explain.expression import Num
    from clearprop.explain.printers.digits import shown
    from clearprop.explain.web.numbers import written

    rng = np.random.default_rng(0)
    values = rng.normal(size=400) * 10.0 ** rng.integers(-12, 12, 400)
    values = np.concatenate(
        [values, np.round(values, 3), [0.0, -0.0, 1.0, 1e5, 99999.0, 0.99999, 1e-4, 1e-5]]
    )
    html = mazur_html.replace('say("Copied as LaTeX");', "").replace(
        "document.documentElement.classList.add",
        "window.text = text;\ndocument.documentElement.classList.add",
    )
    script = re.search(r"<script>(.*?)</script>", html, re.S)[1]
    page = pages.open(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html))
    assert "window.text" in script
    given = page.evaluate(f"{json.dumps(values.tolist())}.map(each => window.text(each))")
    assert given == [written(shown(Num("x", 0, (i,), values), 4)) for i in range(len(values))]


@pytest.mark.parametrize("notation", slow_but("jordan"))
def test_the_factors_of_a_weight_multiply_to_the_product_that_is_shown(pages, mazur_html, notation):
    page = pages.open(mazur_html, f"#n={notation}&sel=w:1:1:2")
    rows = page.locator("#closer table", has_text="Three factors").locator("tbody tr")
    numbers = [
        float(as_written(rows.nth(i).locator("td").first.inner_text()).replace("−", "-"))
        for i in range(4)
    ]
    assert math.isclose(math.prod(numbers[:3]), numbers[3], rel_tol=2e-3)
    assert ("−∂J/∂θ" in rows.nth(3).inner_text()) == (notation == "jordan")
    heads = page.locator("[data-head=weight_gradient]").all_text_contents()
    assert all(each.startswith("−") == (notation == "jordan") for each in heads)
    said = "minus the derivative" if notation == "jordan" else ", derivative"
    assert said in page.get_attribute("[data-edge='1,0,1']", "aria-label")


def test_what_goes_on_beyond_its_box_is_shaded(pages):
    net, X, Y = problem(sizes=(3, 4, 12), cost="cross_entropy")
    page = pages.open(net.trace(X, Y).to_html(), "#step=5")
    shaded = page.evaluate(
        """() => [...document.querySelectorAll('.formula .math, .picture, .scroll, .chips')]
            .filter(e => e.scrollWidth > e.clientWidth + 1)
            .map(e => getComputedStyle(e).backgroundImage.includes('gradient'))"""
    )
    assert shaded
    assert all(shaded)


@pytest.mark.parametrize("n", slow_but(10, of=(2, 10)))
def test_no_words_or_numbers_of_the_drawing_lie_on_one_another(pages, n):
    net, X, _ = problem(sizes=(n, n, n), cost="cross_entropy", seed=3)
    page = pages.open(net.trace(X, np.eye(n)[:1]).to_html(), "#step=20")
    found = page.evaluate(
        """() => {
            const shown = [...document.querySelectorAll('.net text')].filter(e => {
                const style = getComputedStyle(e);
                return style.display !== 'none' && style.visibility === 'visible' && !e.closest('.edge-label');
            });
            const letters = shown.filter(e => e.matches('.unit .letter')).length;
            const cost = document.querySelector('.net .cost rect').getBoundingClientRect();
            const boxes = shown.map(e => [e.textContent, e.getBoundingClientRect(), e.closest('.cost')]);
            const on = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5;
            const clashes = boxes.filter(([, box, inCost]) => !inCost && on(box, cost)).map(each => each[0]);
            boxes.forEach(([words, box], i) => boxes.slice(i + 1).forEach(([other, its]) => {
                if (on(box, its)) clashes.push(`${words} | ${other}`);
            }));
            return [letters, clashes];
        }"""
    )
    assert found == [4 * n, []]  # z and a of every neuron have their letters


def test_a_chain_whose_other_terms_are_0_says_so(pages):
    net, X, _ = problem(sizes=(3, 4, 10), cost="cross_entropy")
    page = pages.open(net.trace(X, [3]).to_html(), "#sel=w:2:1:1")
    chain = page.locator("#closer .formula[data-form=chain]")
    assert "9 more, all 0" in chain.inner_text()
    assert "9 more, all 0" in chain.inner_html()


# 4: stepping


def test_04_a_step_looks_the_same_from_both_sides(pages, mazur_html):
    page = pages.open(mazur_html)
    seen = []
    look = """document.querySelector('main').innerHTML
        .replace(/\\s*(tabindex="-?\\d"|aria-current="step")/g, '')
        .replace(/class="([^"]*)"/g, (_, names) => names.split(' ').sort().join(' '))"""
    while True:
        seen.append(page.evaluate(look))
        if page.is_disabled("#next"):
            break
        page.click("#next")
    assert len(set(seen)) == len(seen)
    for expected in reversed(seen):
        assert page.evaluate(look) == expected
        if not page.is_disabled("#back"):
            page.click("#back")


def test_a_number_is_not_there_before_its_step(pages, mazur_html):
    page = pages.open(mazur_html)
    visible = "e => getComputedStyle(e).visibility === 'visible'"
    z, delta = ".net [data-unit='1,0'] .value.z", ".net [data-unit='1,0'] .delta"
    assert [page.eval_on_selector(each, visible) for each in (z, delta)] == [False, False]
    page.click("#next")
    assert [page.eval_on_selector(each, visible) for each in (z, delta)] == [True, False]
    page.click("#last, #end, [aria-label='Last step']")
    assert [page.eval_on_selector(each, visible) for each in (z, delta)] == [True, True]


def test_the_address_keeps_what_is_shown(pages, mazur_html):
    page = pages.open(mazur_html)
    page.select_option("#notation", label="dp")
    page.click("#next")
    page.click(".net [data-unit='1,1']")
    fragment = page.evaluate("location.hash")
    assert fragment == "#n=dp&step=2&sel=z:1:2"
    again = pages.open(mazur_html, fragment)
    for selector in ("#all-steps", "#closer", "#footnotes"):
        assert again.inner_html(selector) == page.inner_html(selector)


@pytest.mark.parametrize(
    "fragment",
    slow_but(
        "#n=nobody&step=-4&sel=w:9:9:9",
        "#%%%",
        of=("#n=nobody&step=-4&sel=w:9:9:9", "#step=9999", "#sel=<img>", "#%%%", "#sel=z:0:1"),
    ),
)
def test_an_address_that_says_nonsense_shows_the_page(pages, mazur_html, fragment):
    page = pages.open(mazur_html, fragment)
    assert page.inner_text("#closer h2")
    assert page.locator(".chip[aria-current]").count() == 1


# 5: by keyboard alone


def test_05_a_weight_is_reached_and_selected_and_its_formula_copied_by_keyboard(pages, mazur_html):
    page = pages.open(mazur_html, permissions=["clipboard-read", "clipboard-write"])
    focused = (
        "document.activeElement.closest('[data-unit], [data-edge]')?.getAttribute('aria-label') ?? ''"
    )
    for _ in range(12):
        press(page, "Tab")
        if page.evaluate(focused):
            break
    assert page.evaluate(focused).startswith("input 1")
    press(page, "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowDown", "Enter")
    label = page.evaluate(focused)
    assert label.startswith("weight from input 2 to hidden layer, neuron 2, 0.3")
    assert "Weight from input 2 to hidden layer, neuron 2" in page.inner_text("#closer")
    press(page, "Escape")
    assert page.evaluate("document.activeElement.id") == "next"
    for _ in range(60):
        press(page, "Tab")
        if page.evaluate("document.activeElement.matches('#closer .copy')"):
            break
    press(page, "Enter")
    assert page.evaluate("navigator.clipboard.readText()") == (
        r"\frac{\partial C}{\partial w^{2}_{22}} = a^{1}_{2}\, \delta^{2}_{2} = 0.1 \times 0.009954 = 0.0009954"
    )
    assert page.inner_text("#said") == "Copied as LaTeX"


def test_05_the_stepper_and_a_path_by_keyboard(pages, mazur_html):
    page = pages.open(mazur_html)
    page.focus("#next")
    press(page, "End")
    assert page.is_disabled("#next")
    press(page, "ArrowLeft", "Home", "ArrowRight")
    assert page.evaluate("location.hash").startswith("#n=nielsen&step=2")
    assert "Step 2 of" in page.inner_text("#said")
    page.focus(".paths .way")
    press(page, "Enter")
    assert page.get_attribute(".paths .way", "aria-pressed") == "true"
    assert page.evaluate("document.activeElement.matches('.way')")
    assert page.locator(".path-over path").count() == 2
    rates = page.eval_on_selector_all(".path-over text", "found => found.map(e => e.textContent)")
    assert rates[1] == "×0.0841"  # the weight times the slope behind it: 0.45 x 0.1868


def test_t_opens_and_closes_the_table_of_the_figure_in_focus(pages, mazur_html):
    page = pages.open(mazur_html)
    page.focus(".net [data-unit='0,0']")
    assert page.get_attribute("#network details", "open") is None
    press(page, "t")
    assert page.get_attribute("#network details", "open") is not None
    press(page, "t")
    assert page.get_attribute("#network details", "open") is None


# 6: paths


def test_06_the_products_of_all_paths_are_the_derivative(pages, mazur_trace, mazur_html):
    page = pages.open(mazur_html)
    assert "52 factors an example" in page.inner_text("#facts")
    # All of them in one call: each edge is selected, and its table read.
    found = page.evaluate(
        """() => [...document.querySelectorAll('[data-edge]')].map(edge => {
            edge.dispatchEvent(new Event('click'));
            const rows = [...document.querySelectorAll('.paths tbody tr')];
            return [edge.dataset.edge, rows.map(r => [...r.querySelectorAll('td')].map(e => e.textContent))];
        })"""
    )
    assert len(found) == 8
    factors = 0
    for edge, rows in found:
        layer, to, source = map(int, edge.split(","))
        *paths, (total, *_) = rows
        gradient = mazur_trace.layers[layer - 1].weight_gradient[to, source]
        assert within(as_written(total), gradient)
        products = [float(as_written(product).replace("−", "-")) for product, _, _ in paths]
        assert math.isclose(math.fsum(products), gradient, rel_tol=2e-3)
        factors += sum(1 + text.count("×") - text.count("×10") for _, _, text in paths)
    assert factors == 52


def test_v14_and_v16_the_chains_of_a_weight_are_drawn_in_their_colours(pages, mazur_html):
    """S1's blue chain leads through the first output and the orange one through the second."""
    page = pages.open(mazur_html, "#n=jordan&sel=w:1:1:1")
    page.click(".all-ways")
    assert page.inner_text(".all-ways") == "Draw both in their colours"
    edges = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('[data-edge]')].map(
            e => [e.querySelector('.line').getAttribute('d'), e.dataset.edge]))"""
    )
    chains = page.eval_on_selector_all(
        ".path-over",
        """found => found.map(e => [
            [...e.classList], [...e.querySelectorAll('path')].map(p => p.getAttribute('d')),
            getComputedStyle(e.querySelector('path')).stroke, getComputedStyle(e.querySelector('path')).strokeDasharray,
            e.getAttribute('transform')])""",
    )
    to_cost = page.eval_on_selector_all(".to-cost path", "found => found.map(e => e.getAttribute('d'))")
    assert [[edges.get(d, d) for d in paths] for _, paths, *_ in chains] == [
        ["1,0,0", "2,0,0", to_cost[0]], ["1,0,0", "2,1,0", to_cost[1]]
    ]  # fmt: skip
    for kind in (0, 2, 3, 4):  # class, colour, dashes, place
        assert len({str(each[kind]) for each in chains}) == 2
    red, _, blue = map(int, re.findall(r"\d+", chains[0][2])[:3])
    assert blue > red + 60
    red, _, blue = map(int, re.findall(r"\d+", chains[1][2])[:3])
    assert red > blue + 60
    swatches = page.eval_on_selector_all(
        ".paths tbody tr",
        "rows => rows.map(r => [r.querySelector('.swatch')?.className, r.textContent])",
    )
    assert {kind: "1 → 1" in text for kind, text in swatches if kind} == {
        "swatch chain-0": True, "swatch chain-1": False
    }  # fmt: skip
    assert page.evaluate("document.activeElement.matches('.all-ways')")
    press(page, "Enter")
    assert page.locator(".path-over").count() == 0
    assert page.locator(".swatch").count() == 0


@pytest.mark.parametrize(
    "width", [360, *(pytest.param(width, marks=pytest.mark.slow) for width in (800, 1100, 1400))]
)
def test_the_network_covers_nothing_and_is_in_view_when_a_path_is_drawn_on_it(pages, mazur_html, width):
    page = pages.open(mazur_html, "#n=jordan&sel=w:1:1:1", width=width)
    for y in range(0, 2400, 200):
        page.evaluate("y => scrollTo(0, y)", y)
        above, below = (page.locator(each).bounding_box() for each in ("#network", "#closer"))
        assert above["y"] + above["height"] <= below["y"]
    for button in (".all-ways", ".paths .way >> nth=1"):
        page.click(button)
        top, height = (
            page.locator("#network svg.net").bounding_box()[each] for each in ("y", "height")
        )
        assert top > -1
        assert top + height < 901
        page.click(button)
        assert page.locator(".path-over").count() == 0


# 7: the demon


def test_07_halving_the_nudge_brings_its_error_to_a_quarter(pages, mazur_html):
    page = pages.open(mazur_html, "#sel=z:2:1")
    page.focus(".nudge input")
    errors = []
    for by in ("0.125", "0.0625", "0.03125"):
        while page.get_attribute(".nudge input", "aria-valuetext") != by:
            press(page, "ArrowLeft")
        errors.append(float(as_written(page.inner_text(".nudge .error")).replace("−", "-")))
    for error, half in itertools.pairwise(errors):
        assert 3.6 < error / half < 4.4


# E7


def test_blanks_are_checked_and_a_wrong_sign_is_told(pages, mazur_html):
    page = pages.open(mazur_html, "#step=8")
    page.check("#practice")
    assert "0.1385" not in page.inner_text("#all-steps")
    field = page.locator("#all-steps input").first
    for typed, said in (
        ("0,1385", "Right"),
        ("-0.1385", "wrong sign"),
        ("3", "Not yet"),
        ("x", "not a number"),
    ):
        field.fill(typed)
        field.press("Enter")
        assert said in page.locator("#all-steps output").first.inner_text()
    page.locator("#all-steps .answer button").nth(1).click()
    assert page.locator("#all-steps output").nth(1).inner_text() == "−0.03810"


# 13 to 18


@pytest.mark.parametrize(
    "how",
    [
        {"color_scheme": "light"},
        pytest.param({"color_scheme": "dark"}, marks=pytest.mark.slow),
        pytest.param({"forced_colors": "active"}, marks=pytest.mark.slow),
    ],
)
def test_13_axe_finds_nothing(pages, mazur_html, how):
    from axe_playwright_python.sync_playwright import Axe

    fragments = ("", "#step=8&sel=z:1:1&practice=1")
    for fragment in fragments if how == {"color_scheme": "light"} else fragments[1:]:
        page = pages.open(re.sub(r"<meta http-equiv[^>]*>", "", mazur_html), fragment, **how)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [360, pytest.param(1400, marks=pytest.mark.slow)])
def test_14_nothing_has_to_be_scrolled_sideways(pages, width):
    net, X, Y = problem(sizes=(40, 20, 12), cost="cross_entropy")
    for html in (net.trace(X, Y).to_html(), mazur()[0].trace(*mazur()[1:]).to_html()):
        page = pages.open(html, width=width)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        widest = page.evaluate(
            """() => Math.max(...[...document.querySelectorAll('.chip')].map(chip => {
                chip.click();
                return document.documentElement.scrollWidth - document.documentElement.clientWidth;
            }))"""
        )
        assert widest <= 0


def test_14_at_twice_the_size_nothing_has_to_be_scrolled_sideways(pages, mazur_html):
    # 200 % of 1280 pixels is a page of 640 CSS pixels.
    page = pages.open(mazur_html, width=640, device_scale_factor=2)
    assert overflow(page) <= 0


def test_14_with_reduced_motion_nothing_moves(pages, mazur_html):
    page = pages.open(mazur_html, reduced_motion="reduce")
    page.click("#next")
    assert page.evaluate("document.getAnimations().length") == 0


def test_15_without_javascript_there_are_formulas_tables_and_the_drawing(pages, mazur_html):
    page = pages.open(mazur_html, java_script_enabled=False)
    assert page.locator("#all-steps section").count() == 13
    assert page.locator("#all-steps math").count() > 30
    assert page.locator(".net [data-unit]").count() == 6
    assert page.locator(".net .value.z").first.is_visible()
    page.click("#network summary")
    assert "0.008771" in page.inner_text("#network table >> nth=1")
    assert page.locator("button").count() == 0
    assert overflow(page) <= 0


def test_16_the_policy_stops_what_is_not_ours(pages, mazur_html):
    page = pages.open(mazur_html)
    stopped = page.evaluate(
        """async () => {
            const stopped = [];
            document.addEventListener('securitypolicyviolation', e => stopped.push(e.effectiveDirective));
            const script = document.createElement('script');
            script.textContent = 'window.evil = 1';
            document.body.append(script);
            const holder = document.createElement('div');
            holder.innerHTML = '<img src="data:," onerror="window.evil = 1"><p style="color: red">x</p>';
            document.body.append(holder);
            try { await fetch('https://example.org/'); } catch { /* as it should be */ }
            await new Promise(done => setTimeout(done, 100));
            return stopped;
        }"""
    )
    assert page.evaluate("window.evil") is None
    assert {"script-src-elem", "script-src-attr", "style-src-attr", "connect-src"} <= set(stopped)
    assert all("Content Security Policy" in each for each in pages.problems)
    pages.problems.clear()


def test_16_hostile_names_are_inert(pages):
    net, X, Y = problem()
    hostile = "</script><img src=x onerror=window.evil=1>"
    net.feature_names = tuple(f"{hostile}{i}" for i in range(4))
    net.classes = tuple(f'"><svg onload=window.evil=1>{i}' for i in range(3))
    page = pages.open(cp.explain(net, X, Y, format="html"))
    for key in ("1,0", "2,0"):
        page.click(f".net [data-unit='{key}'] .half")
    page.dispatch_event(".net [data-edge='1,0,0']", "click")
    assert page.evaluate("window.evil") is None
    assert page.locator("img").count() == 0
    assert hostile in page.text_content("#closer")


def test_17_mathml_is_drawn(pages, mazur_html):
    page = pages.open(mazur_html, "#step=8")
    box = "e => e.getBoundingClientRect().height"
    assert page.eval_on_selector("#all-steps math", box) > 0
    line = page.eval_on_selector("#all-steps .formula:nth-of-type(2) mn", box)
    fraction = page.eval_on_selector("#all-steps mfrac", box)
    assert fraction > 1.5 * line


def test_18_the_drawing_as_a_screen_reader_has_it(pages, mazur_html):
    page = pages.open(mazur_html, "#step=13")
    said = page.locator(".net").aria_snapshot()
    assert "group" in said.splitlines()[0]
    assert 'button "hidden layer, neuron 1, z 0.3775, a 0.5933, δ 0.008771"' in said
    assert (
        'button "weight from input 1 to hidden layer, neuron 1, 0.15, derivative 0.0004386" [pressed]'
        not in said
    )
    assert len(re.findall(r"- button", said)) == 6 + 8


def test_of_numbers_that_are_not_finite_the_page_says_so(pages):
    net, x, y = mazur()
    net.weights[1][0, 0] = np.inf
    page = pages.open(net.trace(x, y).to_html(), "#step=5&sel=z:2:1")
    assert "∞" in page.inner_text("#closer")
    assert "Not finite" in page.inner_text("#notes")
    for chip in page.query_selector_all(".chip"):
        chip.click()
    assert "NaN" in page.text_content(".net [data-unit='1,0'] .delta")


@pytest.mark.parametrize("weight", slow_but(np.inf, 0.0, of=(np.inf, np.nan, 0.0)))
def test_what_has_no_value_has_no_share_and_no_mark(pages, weight):
    net, x, y = mazur()
    net.weights[1][:] = weight
    page = pages.open(net.trace(x, y).to_html())
    found = page.evaluate(
        """() => [...document.querySelectorAll('[data-edge], [data-unit]:not([data-unit^="0,"])')].map(each => {
            each.dispatchEvent(new Event('click'));
            const closer = document.getElementById('closer');
            const marks = [...closer.querySelectorAll('svg *')].flatMap(e => [...e.attributes].map(a => a.value));
            return [closer.innerText, marks.filter(each => /NaN|Infinity/.test(each))];
        })"""
    )
    assert len(found) == 8 + 4
    for text, marks in found:
        assert marks == []
        assert "NaN%" not in text
        if "this sum has no value" in text:
            assert "The smallest of them" not in text
            assert "more]" not in text
    said = "Every path's product is 0." if weight == 0 else "this sum has no value"
    assert any(said in text for text, _ in found)


@pytest.mark.parametrize("notation", slow_but("jordan"))
def test_the_nudge_is_on_the_engines_scale_in_every_notation(pages, mazur_trace, mazur_html, notation):
    page = pages.open(mazur_html, f"#n={notation}&sel=z:2:1")
    rate = float(mazur_trace.layers[1].delta[0, 0])
    said = page.inner_text(".nudge")
    assert "predicted dC/dz·Δz" in said
    assert "δ" not in said
    predicted = float(as_written(page.inner_text(".nudge b.predicted")).replace("−", "-"))
    assert math.isclose(predicted, 0.5 * rate, rel_tol=1e-3)


def test_one_table_of_binding_decides_in_text_latex_mathml_and_the_script(pages, monkeypatch):
    net, X, Y = mazur()
    trace = net.trace(X, Y)

    def written():
        told = {form: cp.explain(net, X, Y, format=form) for form in ("text", "latex", "mathml")}
        page = pages.open(trace.to_html())
        scripts = []
        for _ in range(page.evaluate("document.querySelectorAll('.chip').length") - 1):
            page.click("#next")
            scripts += page.eval_on_selector_all(
                "#all-steps .formula math", "found => found.map(e => e.outerHTML)"
            )
        return {**told, "script": scripts}

    before = written()
    monkeypatch.setitem(expression.BINDS, expression.Sum, expression.ATOM)  # (a - y)^2: no parentheses
    after = written()
    assert [name for name in before if before[name] == after[name]] == []
    assert "(a³₁ − y₁)²" in before["text"]
    assert "(a³₁ − y₁)²" not in after["text"]
