"""The page of a diagnosis in a real Chromium."""

import re

import pytest

import browser
from clearprop.diagnosis import Findings
from test_diagnosis_views import FOUND

browser.require()
HTML = FOUND.to_html()


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize(
    "how",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        pytest.param({"forced_colors": "active"}, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing(pages, how):
    from axe_playwright_python.sync_playwright import Axe

    page = pages.open(re.sub(r"<meta http-equiv[^>]*>", "", HTML), **how)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(
    "width",
    [360, pytest.param(640, marks=pytest.mark.slow), pytest.param(1400, marks=pytest.mark.slow)],
)
def test_nothing_has_to_be_scrolled_sideways(pages, width):
    page = pages.open(HTML, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert overflow(page) <= 0


def test_without_javascript_every_finding_is_there_with_all_that_it_says(pages):
    page = pages.open(HTML, java_script_enabled=False, width=360)
    text = page.inner_text("body")
    flat = " ".join(text.split())
    assert len(FOUND) > 3
    for each in FOUND:
        for part in (each.what, each.remedy):
            assert " ".join(part.split()) in flat
    assert page.locator("svg").first.bounding_box()["height"] > 20
    assert overflow(page) <= 0


def test_nothing_found_is_a_page_too(pages):
    page = pages.open(Findings(n=7, subject="Network 2-2").to_html(), width=360)
    assert "Nothing is wrong" in page.inner_text("body")
    assert overflow(page) <= 0


def test_its_policy_stops_scripts_that_are_not_ours(pages):
    page = pages.open(HTML)
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.evil = 1';
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.evil") is None
    assert all("Content Security Policy" in each for each in pages.problems)
    pages.problems.clear()
