"""Practice on the live page: what is asked, what is hidden, and what is said of wrong answers."""

import re
from types import SimpleNamespace

import pytest

import browser
import clearprop as cp
from clearprop.gradient_check.mistakes import where
from clearprop.gradient_check.wrong_passes import RULES, Pass
from clearprop.gradient_check.wrong_slopes import SLOPES
from live_page import UNEVEN, X, Y, opened, parameters

browser.require()
SLOW = pytest.mark.slow
CANONICAL = "#hidden=4,3&activation=tanh&batch=4&seed=7"
TOLD = {
    "missing_slope", "kept_slope", "slope_at_activation", "slope_twice", "error_dropped",
    "transposed_weights", "wrong_input",
}  # fmt: skip


def asked(page):
    """Return what is asked of: (layer, neuron) counted from 0, with the number of the field."""
    names = page.locator("#questions label").all_text_contents()
    found = [re.fullmatch(r"δ of neuron (\d+), layer (\d+)", name).groups() for name in names]
    return {(int(layer) - 1, int(j) - 1): n for n, (j, layer) in enumerate(found)}


def answer(page, n, value):
    page.fill(f"#answer-{n}", f"{value:.6g}")
    page.keyboard.press("Enter")
    return page.locator("#questions .verdict").nth(n).text_content()


def problem(page, cost):
    row = int(page.input_value("#row")) - 1
    net = cp.Network([2, 4, 3, 1], "tanh", "sigmoid", cost, dtype="float64", seed=7)
    net.parameters[:] = parameters(page, net)
    one = slice(row, row + 1)
    return SimpleNamespace(
        architecture=net.architecture, parameters=net.parameters, X=X[one], Y=Y[one], sample_weight=None
    )


@pytest.mark.parametrize(
    ("address", "cost"),
    [(UNEVEN, "quadratic"), pytest.param(CANONICAL, "binary_cross_entropy", marks=SLOW)],
)
def test_1_each_mistake_is_told_as_check_gradient_tells_it(pages, playground, address, cost):
    page = opened(pages, playground, f"{address}&step=4&practice=delta.2")
    made = Pass(problem(page, cost))
    told = set()
    for (layer, j), n in asked(page).items():
        right = made.architecture.views(made.gradient())[1][layer][j]
        for rule in (*RULES, *SLOPES):
            if rule.name not in TOLD - {"wrong_input"} or not rule.applies(made, layer):
                continue
            if rule.carry is not None and layer == made.last:
                continue
            wrong = made.architecture.views(made.gradient(rule, frozenset([layer])))[1][layer][j]
            if abs(wrong - right) < 0.03 * abs(right) or (
                rule.name == "missing_slope" and made.canonical and layer == made.last
            ):
                continue
            expected = rule.sentence.format(**where(frozenset([layer]), made.last))
            assert answer(page, n, wrong) == expected
            told.add(rule.name)
        assert answer(page, n, -right) == "The right size, the wrong sign"
        assert answer(page, n, 3.3 * right).startswith("Not yet")
        assert answer(page, n, right).startswith("Right: ")
    assert page.text_content("#practice-done") == "All right. Another?"
    assert told >= {"missing_slope", "slope_at_activation", "slope_twice", "error_dropped"}
    assert ("kept_slope" in told) == (cost != "quadratic")


@pytest.mark.slow
def test_2_variants_are_in_the_address_and_what_is_asked_is_hidden(pages, playground):
    page = opened(pages, playground, UNEVEN)
    assert page.locator("#net .delta .value").first.is_visible()
    page.click("#tab-practice")
    page.wait_for_selector("#answer-0")
    assert not page.locator("#net .delta .value").first.is_visible()
    seen = set()
    for _ in range(3):
        seen.add((page.input_value("#row"), *page.locator("#questions label").all_text_contents()))
        page.click("#practice-another")
    assert len(seen) == 3
    page.select_option("#practice-kind", "gradient")
    page.click("#practice-another")
    questions = page.locator("#questions label").all_text_contents()
    assert len(questions) == 4
    address = page.evaluate("location.hash")
    assert "practice=gradient.2" in address
    again = opened(pages, playground, address)
    again.wait_for_selector("#answer-0")
    assert again.locator("#questions label").all_text_contents() == questions
    assert again.input_value("#row") == page.input_value("#row")
    page.click("#tab-choose")
    assert page.locator("#net .delta .value").first.is_visible()
    assert "practice" not in page.evaluate("location.hash")


@SLOW
def test_3_gradients_are_of_the_row_alone(pages, playground):
    page = opened(pages, playground, f"{UNEVEN}&step=4&practice=gradient.5")
    page.wait_for_selector("#answer-0")
    page.locator("#questions button", has_text="Hint").first.click()
    given = problem(page, "quadratic")
    made = Pass(given)
    weights, biases = made.architecture.views(made.gradient())
    told = set()
    for n, name in enumerate(page.locator("#questions label").all_text_contents()):
        if of := re.fullmatch(r"bias of neuron (\d+) in layer (\d+)", name):
            j, layer = (int(each) - 1 for each in of.groups())
            right = biases[layer][j]
        else:
            of = re.fullmatch(
                r"weight from (?:input x([₁₂])|neuron (\d+) of layer \d+) to neuron (\d+) of layer (\d+)",
                name,
            )
            k = "₁₂".index(of[1]) if of[1] else int(of[2]) - 1
            j, layer = int(of[3]) - 1, int(of[4]) - 1
            right = weights[layer][j, k]
            if layer:
                z = made.passed.z[layer - 1][0, k] * biases[layer][j]
                if abs(z - right) > 0.03 * abs(right):
                    assert "multiplied by z of the layer before" in answer(page, n, z)
                    told.add(name)
        if right:
            assert answer(page, n, right).startswith("Right: ")
    assert told
    page.locator("#questions button", has_text="Show").last.click()
    assert page.locator("#questions .verdict").last.text_content()


@SLOW
@pytest.mark.parametrize("how", [{"color_scheme": "dark", "width": 360}, {"forced_colors": "active"}])
def test_4_axe_finds_nothing(pages, playground, how):
    from axe_playwright_python.sync_playwright import Axe

    html = re.sub(r"<meta http-equiv[^>]*>", "", playground)
    page = opened(pages, html, f"{UNEVEN}&practice=delta.2", **how)
    answer(page, 0, 5.0)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == how.get("width", 1400)
