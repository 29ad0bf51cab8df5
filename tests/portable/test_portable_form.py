"""The standalone form in a real Chromium: raw values typed in, and the model's answer."""

import numpy as np
import pytest

import browser
from clearprop.portable import javascript
from portable_models import case_of, network, other_rows

browser.require()
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CATEGORIES = ("colour", "pair", "flag", "city", "code")
WRITTEN = {"when": lambda time: time.isoformat()[:19], "clock": "1970-01-01T{}".format}


def rows_of(page):
    cells = page.evaluate(
        "[...document.querySelectorAll('#answer tr')].map(row => [...row.cells].map(c => c.textContent))"
    )
    return dict(cells)


def test_what_is_typed_in_is_predicted(pages):
    case = case_of("table, classes")
    page = pages.open(javascript.form_of(case.model, "A <model>", "Written"))
    assert page.title() == "A <model>"
    k, row = 5, other_rows().iloc[5]
    for name, value in row.items():
        page_field = page.get_by_label(name, exact=True)
        if name in CATEGORIES:
            page_field.select_option(f"{value:g}" if name == "code" else str(value).lower())
        else:
            page_field.fill("" if value != value else WRITTEN.get(name, str)(value))
    found = rows_of(page)
    assert found.pop("answer") == case.told[k]
    np.testing.assert_allclose([float(each) for each in found.values()], case.numbers[k], atol=1e-5)


def test_a_number_that_nothing_fills_is_asked_for(pages):
    page = pages.open(javascript.form_of(network((2, 3, 2)).model, "numbers", "Written"))
    assert len(rows_of(page)) == 3
    page.get_by_label("x1", exact=True).fill("")
    assert rows_of(page) == {}
    assert page.text_content("#said") == "x1 must be a number, nothing stands for a missing one"
