"""The row shown: raw cells, tables and members of one's own, a file of one's own, and the pad for digits."""

import datetime
import re
from base64 import b64decode

import numpy as np
import pyarrow as pa
import pytest

import browser
import clearprop as cp
from clearprop.exploration.sets import sets
from live_page import number, numbers_in, opened

browser.require()
SLOW = pytest.mark.slow
CSV = (
    "age;plan;use\n"
    + "".join(f"{20 + i % 30};{'abc'[i % 3]};{i % 7},5\n" for i in range(40))
    + ";b;1,5\n"
)


def answers(page, of="#row-answer"):
    """Return the numbers of a list of answers, by their names."""
    lines = page.locator(f"{of} li").all()
    return {
        each.locator("span").nth(0).text_content(): number(
            each.locator("span").nth(1).text_content().split(",")[0].split(" ")[0]
        )
        for each in lines
    }


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    size = [None if i % 9 == 4 else float(x) for i, x in enumerate(rng.normal(10, 3, 60).round(2))]
    day = [None if i % 11 == 3 else f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(60)]
    return pa.table(
        {
            "size": size,
            "kind": [["u", "v", "w", None][i % 4] for i in range(60)],
            "day": pa.array(day).cast(pa.timestamp("us")),
        }
    )


def changed(table, row, **cells):
    rows = table.to_pylist()
    return pa.Table.from_pylist([rows[row] | cells], schema=table.schema)


@pytest.mark.parametrize("members", [1, pytest.param(2, marks=SLOW)])
def test_1_a_table_is_shown_and_changed_in_its_own_units(pages, table, members):
    y = np.array(["no", "yes", "maybe"] * 20)
    model = cp.MLPClassifier((4,), preset="realmlp", max_iter=1, random_state=0, members=members)
    model.fit(table, y)
    page = opened(pages, cp.explore(model, table, y).html, "#row=4")
    page.click("#tab-row")
    assert page.text_content("#row-title") == "Row 5 of 60"
    assert page.input_value("[name='0']") == ""
    assert page.input_value("[name='1']") == "u"
    assert page.input_value("[name='2']").startswith("2024-05-05T00:00")

    def agrees(row):
        probabilities = (
            [cp.MLPClassifier.predict_proba(model, row)]
            if members == 1
            else [
                net.predict(
                    model.network_.model.inputs.of_batch(
                        model.network_.model.inputs.open(row).table(), "float32"
                    )
                )
                for net in model.network_.members
            ]
        )
        found = answers(page)
        for name, p in zip(model.classes_, probabilities[0][0], strict=True):
            assert found[name] == pytest.approx(p, rel=6e-3)
        if members > 1:
            said = numbers_in(page.text_content("#row-answer p").split("(")[1])
            assert said == pytest.approx(np.mean(probabilities, axis=0)[0], rel=6e-3)

    agrees(changed(table, 4))
    page.select_option("[name='1']", "w")
    agrees(changed(table, 4, kind="w"))
    page.set_viewport_size({"width": 900, "height": 800})  # shows all again
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    predicted, was, now, by = numbers_in(page.text_content("#row-says"))
    assert now - was == pytest.approx(by, abs=2e-3 * was)
    assert abs(predicted) > 0
    page.fill("[name='0']", "12,5")
    page.keyboard.press("Tab")
    agrees(changed(table, 4, kind="w", size=12.5))
    page.fill("[name='2']", "2024-01-31T00:00:00")
    page.keyboard.press("Tab")
    agrees(changed(table, 4, kind="w", size=12.5, day=datetime.datetime(2024, 1, 31)))
    page.fill("[name='0']", "")
    page.keyboard.press("Tab")
    agrees(changed(table, 4, kind="w", day=datetime.datetime(2024, 1, 31)))
    page.fill("[name='0']", "much")
    page.keyboard.press("Tab")
    assert page.text_content("#row-says") == "size must be a number, got “much”."
    cost, address = page.text_content("#cost"), page.evaluate("location.hash")
    page.click("#next")
    page.click("#back")
    assert page.text_content("#cost") == cost
    again = opened(pages, cp.explore(model, table, y).html, address)
    assert again.text_content("#cost") == cost
    again.evaluate("document.querySelector('#twin').open = true")
    assert again.text_content("#tables caption") == "What layer 1 sees at row 5"


@pytest.mark.slow
def test_2_a_file_is_learned_from_and_a_link_asks_for_it(pages, playground):
    page = opened(pages, playground)
    page.select_option("[name=data]", "csv")
    page.set_input_files("#file", {"name": "my.csv", "mimeType": "text/csv", "buffer": CSV.encode()})
    page.wait_for_selector("#file-target")
    said = page.text_content("#file-said")
    assert said == "my.csv: 41 rows, 5 inputs from 2 columns; use is a quantity."
    assert page.input_value("[name=output]") == "quadratic"
    assert "numbers from 20 to 49, 1 missing" in page.text_content("#file-columns")
    page.select_option("#file-target", "plan")
    assert page.input_value("[name=output]") == "cross_entropy"
    page.click("#next")
    address, cost = page.evaluate("location.hash"), page.text_content("#cost")
    assert "file=my.csv-" in address
    assert "target=plan" in address

    again = opened(pages, playground, address)
    assert "This link is of a run on your file my.csv" in again.text_content("#file-said")
    other = {"name": "my.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n2"}
    again.set_input_files("#file", other)
    again.locator("#file-said", has_text="Line 3 of my.csv has 1 value").wait_for()
    again.set_input_files("#file", {**other, "buffer": CSV.encode()})
    again.wait_for_selector("#file-target")
    assert again.evaluate("location.hash") == address
    assert again.text_content("#cost") == cost


def pixels(page):
    """Return the 64 numbers that the pad shows, 0 to 1."""
    from io import BytesIO

    from PIL import Image

    url = page.evaluate("document.querySelector('#pad-seen').toDataURL()")
    grey = np.array(Image.open(BytesIO(b64decode(url.split(",")[1]))).convert("L"))[4::8, 4::8]
    return np.round((255 - grey) / 255 * 16) / 16


@pytest.mark.parametrize(
    "how", ["keys", *(pytest.param(how, marks=SLOW) for how in ("mouse", "touch"))]
)
def test_3_a_digit_is_drawn_and_answered_as_the_library_does(pages, playground, how):
    pytest.importorskip("PIL")
    digits = sets()["digits"]
    X = np.array([[int(c, 17) for c in row] for row in digits["X"]]) / 16
    net = cp.Network([64, 5, 10], "tanh", cost="cross_entropy", dtype="float64", seed=0)
    net.fit(
        X,
        np.ravel(digits["Y"]),
        epochs=3,
        optimizer=cp.Adam(0.01),
        batch_size=32,
        seed=0,
        progress=False,
    )
    fragment = "#data=digits&hidden=5&activation=tanh&seed=0&step=57"
    page = opened(pages, playground, fragment, has_touch=how == "touch", height=1400)
    page.click("#tab-row")
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"]
    if how == "mouse":
        page.mouse.move(x, y + 20)
        page.mouse.down()
        page.mouse.move(x + 4, y + 150, steps=6)
        page.mouse.up()
    elif how == "touch":
        page.touchscreen.tap(x, y + 20)
        page.touchscreen.tap(x + 3, y + 120)
    else:
        page.focus("#pad")
        for key in [" ", *["ArrowDown"] * 9, "ArrowRight", " "]:
            page.keyboard.press(key)
    seen = pixels(page)
    assert seen.max() > 0.4
    a = net.predict(seen.reshape(1, 64))[0]
    found = answers(page, "#pad-answer")
    for digit, p in enumerate(a):
        assert found[str(digit)] == pytest.approx(p, rel=6e-3)
    assert page.text_content("#pad-says") == f"It says: {a.argmax()}."
    page.focus("#pad")
    page.keyboard.press("Delete")
    assert page.text_content("#pad-says") == ""
    assert pixels(page).max() == 0


STATES = {
    "iris": "#data=iris&step=20",
    "digits": "#data=digits&step=10",
    "xor": "#step=3",
}


@pytest.mark.parametrize(
    ("state", "how"),
    [
        ("digits", {"width": 360}),
        pytest.param("digits", {"width": 1400, "color_scheme": "dark"}, marks=SLOW),
        pytest.param("iris", {"width": 800, "color_scheme": "dark"}, marks=SLOW),
        pytest.param("xor", {"width": 360, "forced_colors": "active"}, marks=SLOW),
        pytest.param("csv", {"width": 360}, marks=SLOW),
        pytest.param("csv", {"width": 1400, "color_scheme": "dark"}, marks=SLOW),
    ],
)
def test_4_axe_finds_nothing(pages, playground, state, how):
    from axe_playwright_python.sync_playwright import Axe

    html = re.sub(r"<meta http-equiv[^>]*>", "", playground)
    page = opened(pages, html, STATES.get(state, ""), **how)
    if state == "csv":
        page.select_option("[name=data]", "csv")
        page.set_input_files(
            "#file", {"name": "my.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
        )
        page.wait_for_selector("#file-target")
    else:
        page.click("#tab-row")
    assert page.evaluate("document.documentElement.scrollWidth") == how["width"]
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_5_a_cell_of_32_bits_has_the_digits_it_was_written_with(pages):
    written = [5.1, 1.4, 16777216, 0.2, 1e-7, 3.5, 123456.79]
    rows = pa.table({"length": pa.array(written, pa.float32()), "width": list(range(7))})
    model = cp.MLPClassifier((3,), preset="realmlp", max_iter=1, random_state=0)
    model.fit(rows, list("aabbaab"))
    page = opened(pages, cp.explore(model, rows, list("aabbaab")).html)
    page.click("#tab-row")
    for row, number_written in enumerate(written, start=1):
        page.fill("#row", str(row))
        page.keyboard.press("Tab")
        assert float(page.input_value("[name='0']")) == number_written
