"""Sheets and keys in a real Chromium: nothing wider than the page, light and dark, and for everybody."""

import pytest

import browser
import clearprop as cp

browser.require()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made():
    (worksheet,) = cp.worksheets([3, 4, 3], cost="cross_entropy", rows=3, notation="dp")
    return {"sheet": worksheet.sheet("html"), "key": worksheet.key("html")}


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("which", ["sheet", "key"])
def test_nothing_is_wider_than_the_page(which, width, made, pages):
    page = pages.open(made[which], width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".blank").count() == (
        0 if which == "key" else made["sheet"].count('class="blank"')
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme, made, pages):
    pytest.importorskip("axe_playwright_python")
    from axe_playwright_python.sync_playwright import Axe

    page = pages.open(made["sheet"], color_scheme=scheme)
    found = Axe().run(page)
    assert not found.response["violations"], found.generate_report()
