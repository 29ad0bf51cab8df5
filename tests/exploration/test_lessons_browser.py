"""Lessons in a real Chromium: each is opened by its link, played to its end, and checked on the page."""

import re

import pytest

import browser
import clearprop as cp
from clearprop.exploration.cards.lessons import LESSONS

browser.require()
SLOW = pytest.mark.slow
QUICK = ("mazur",)


@pytest.fixture(scope="module")
def playground():
    return cp.explore().html


def opened(pages, html, fragment="", **how):
    page = pages.open(html, fragment, **how)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def checked(page):
    page.click("#lesson-check")
    page.wait_for_selector("#lesson-came b", timeout=120_000)
    return page.text_content("#lesson-came")


@pytest.mark.parametrize(
    "lesson",
    [pytest.param(each, id=each["name"], marks=[] if each["name"] in QUICK else [SLOW])
     for each in LESSONS],
)  # fmt: skip
def test_1_a_lesson_is_opened_by_its_link_played_and_what_it_claims_comes(pages, playground, lesson):
    page = opened(pages, playground, f"#lesson={lesson['name']}")
    steps = lesson["steps"]
    for n, step in enumerate(steps):
        assert page.text_content("#lesson-title") == lesson["title"]
        assert page.text_content("#lesson-where") == f"{n + 1} of {len(steps)}"
        assert page.text_content("#lesson-text") == step["text"]
        assert page.is_visible("#lesson-claim") == ("claim" in step)
        if "claim" in step:
            assert re.fullmatch(r"It came to [−\d.]+: as claimed\.", checked(page)), step["claim"]
        if "press" in step:
            assert page.evaluate("document.querySelector('[data-marked]').id") == step["press"]
            page.click(f"#{step['press']}")
        if "speed" in step:
            assert page.input_value("#speed") == step["speed"]
        if n < len(steps) - 1:
            page.click("#lesson-next")
    assert page.is_disabled("#lesson-next")


@pytest.mark.slow
def test_2_the_reader_may_touch_everything_meanwhile(pages, playground):
    page = opened(pages, playground, "")
    page.focus("#lessons > summary")
    page.keyboard.press("Enter")
    page.locator("a", has_text="Why weights start at random").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#lesson", state="visible")
    assert page.evaluate("document.activeElement.id") == "lesson-title"
    assert "lesson=symmetry&at=1" in page.evaluate("location.hash")
    page.click("#next")
    page.click("#lesson-next")  # a step without a run of its own leaves the reader's
    assert page.text_content("#steps") == "1"
    page.fill("[name=seed]", "7")
    page.keyboard.press("Tab")
    page.wait_for_selector("#lesson", state="visible")
    assert page.text_content("#lesson-where") == "2 of 4"
    address = page.evaluate("location.hash")
    again = opened(pages, playground, address)
    assert again.text_content("#lesson-where") == "2 of 4"
    assert again.input_value("[name=seed]") == "7"
    page.click("#lesson-again")
    assert page.input_value("[name=seed]") == "0"
    page.keyboard.press("Control+z")
    assert page.input_value("[name=seed]") == "7"
    page.click("#lesson-close")
    assert page.is_hidden("#lesson")
    assert "lesson" not in page.evaluate("location.hash")


@SLOW
def test_3_what_is_no_lesson_is_refused_in_a_sentence(pages, playground):
    page = opened(pages, playground, "#lesson=calculus")
    assert page.text_content("#refused").startswith("Lesson must be one of and, xor,")
    page.fill("[name=start]", "0.1,0.2")
    page.keyboard.press("Tab")
    assert page.text_content("#refused") == "First parameters must be 1 number or 13; got 2."
    page.fill("[name=dropout]", "1")
    page.keyboard.press("Tab")
    assert page.text_content("#refused").startswith("Dropout must be a share from 0 to below 1")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"color_scheme": "light", "width": 360}, marks=SLOW),
        {"color_scheme": "dark", "width": 800, "reduced_motion": "reduce"},
        pytest.param({"forced_colors": "active"}, marks=SLOW),
    ],
)
def test_4_axe_finds_nothing(pages, playground, how):
    from axe_playwright_python.sync_playwright import Axe

    html = re.sub(r"<meta http-equiv[^>]*>", "", playground)
    page = opened(pages, html, "#lesson=saturation&at=3", **how)
    page.click("#lessons > summary")
    checked(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == how.get("width", 1400)
