"""The page of a report in a real Chromium."""

import re

import pytest

import browser
import clearprop as cp
from reported import classifier, regressor

browser.require()


@pytest.fixture(scope="module")
def of_classes():
    model, rows = classifier()
    return cp.report(model, rows.drop(columns="leaves"), rows["leaves"])


@pytest.fixture(scope="module")
def of_quantities():
    model, rows = regressor()
    return cp.report(model, rows.drop(columns="cost"), rows["cost"])


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def open_details(page):
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("of_classes", {"color_scheme": "dark"}),
        pytest.param("of_quantities", {"color_scheme": "light"}, marks=pytest.mark.slow),
        pytest.param("of_classes", {"color_scheme": "light"}, marks=pytest.mark.slow),
        pytest.param("of_quantities", {"color_scheme": "dark"}, marks=pytest.mark.slow),
        pytest.param("of_classes", {"forced_colors": "active"}, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_and_nothing_has_to_be_scrolled_sideways(pages, request, kind, how):
    from axe_playwright_python.sync_playwright import Axe

    html = request.getfixturevalue(kind).html
    page = pages.open(re.sub(r"<meta http-equiv[^>]*>", "", html), width=360, **how)
    open_details(page)
    assert overflow(page) <= 0
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_control_says_what_ones_own_costs_come_to(pages, of_classes):
    found = of_classes.figures.thresholds
    page = pages.open(of_classes.html)
    told = page.locator("#threshold-told")
    page.fill("#cost-missed", "7")
    page.fill("#cost-alarm", "2")
    n = found.n_positive + found.n_negative
    costs = [
        (7 * b + 2 * a) / n for a, b in zip(found.false_positives, found.false_negatives, strict=True)
    ]
    assert f"a row costs {costs[50]:.4g}"[:18] in told.inner_text()
    page.click("#threshold-best")
    at = int(page.input_value("#threshold"))
    assert costs[at] == min(costs)
    said = told.inner_text()
    assert (
        f"Above {found.at[at]:.2f}: {found.false_negatives[at]} of {found.n_positive} Yes missed"
        in said
    )
    page.locator("#threshold").focus()
    page.keyboard.press("ArrowRight")
    assert f"Above {found.at[at + 1]:.2f}" in told.inner_text()
    page.fill("#cost-missed", "-1")
    assert told.inner_text() == "Costs must be numbers of at least 0."


def test_without_javascript_everything_is_there_but_the_control(pages, of_classes):
    page = pages.open(of_classes.html, java_script_enabled=False, width=360)
    assert not page.locator("#threshold-control").is_visible()
    assert page.locator("#thresholds table").first.is_visible()
    assert page.locator("svg.chart").count() > 8
    assert page.locator("svg.chart").first.bounding_box()["height"] > 100
    assert overflow(page) <= 0
