"""What a reader takes along from the live page: a film, its costs, its network, a program that goes on."""

import csv
import io
import re

import numpy as np
import pyarrow as pa
import pytest

import browser
import clearprop as cp
from live_page import UNEVEN, X, Y, number, opened, parameters, values

browser.require()
SLOW = pytest.mark.slow
MIDST = "#data=moons&hidden=4,3&optimizer=adam&rate=0.03&batch=32&held=0&seed=4&dropout=0.25"
OTHERS = (
    "#data=xor&hidden=3&optimizer=momentum&rate=0.3&batch=4&seed=1",
    "#data=moons&hidden=3&optimizer=nesterov:0.8&rate=0.3&batch=32&held=20&seed=1&output=cross_entropy",
    "#data=curve&hidden=4,3&activation=tanh/relu/gelu/silu,sigmoid&output=huber:0.7&optimizer=adamw"
    "&rate=0.01&batch=16&seed=3",
    "#data=iris&optimizer=rmsprop&batch=50&edits=2:p3:0.5_3:r:0.002_4:x7.1:-1.5",
)


def kept(page, what):
    """Return the bytes of a file that the page makes."""
    page.click("#tab-keep")
    with page.expect_download() as download:
        page.click(f"#keep-{what}")
    assert download.value.suggested_filename in page.text_content("#kept")
    return download.value.path().read_bytes()


def loaded(page, folder):
    path = folder / "network.safetensors"
    path.write_bytes(kept(page, "model"))
    return cp.load(path)


def continued(page, epochs):
    """Return the network of the program that goes on, after some epochs."""
    names = {"__name__": "goes_on"}
    exec(compile(kept(page, "program"), "goes_on.py", "exec"), names)
    names["training"].run(epochs)
    return names["net"]


def test_1_the_model_file_is_the_network_to_the_bit(pages, playground, tmp_path):
    page = opened(pages, playground, f"{UNEVEN}&step=5")
    net = loaded(page, tmp_path)
    assert np.array_equal(net.parameters, parameters(page, net))
    assert (net.training_seed, net.epochs_trained, net.steps_trained) == (7, 2, 5)
    assert net.sizes == (2, 4, 3, 1)
    assert net.architecture.cost.name == "quadratic"


@pytest.mark.parametrize("address", [MIDST, *(pytest.param(each, marks=SLOW) for each in OTHERS)])
def test_2_the_program_goes_on_with_the_same_numbers(pages, playground, address):
    page = opened(pages, playground, f"{address}&step=6")
    net = continued(page, 3)  # of which the first is the epoch that was going on
    later = opened(pages, playground, f"{address}&step=6")
    for _ in range(3):
        later.keyboard.press(">")
    assert np.abs(net.parameters - parameters(later, net)).max() < 1e-9


@pytest.mark.slow
def test_3_costs_are_a_table_as_history_has_it(pages, playground):
    page = opened(pages, playground, f"{UNEVEN}&step=20")
    rows = [*csv.DictReader(io.StringIO(kept(page, "costs").decode()))]
    net = cp.Network([2, 4, 3, 1], "tanh", "sigmoid", "quadratic", dtype="float64", seed=7)
    made = net.fit(X, Y, epochs=10, optimizer=cp.Adam(0.05), batch_size=3, seed=7, progress=False)
    assert set(rows[0]) == {"epoch", "cost", "learning_rate"} <= set(made.columns)
    for name in rows[0]:
        assert [float(row[name]) for row in rows] == pytest.approx(made[name], rel=1e-9)


@pytest.mark.slow
def test_4_a_film_plays_from_its_file(pages, playground):
    page = opened(pages, playground, f"{MIDST}&step=20")
    end = values(page)
    page.focus("#scrub")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.text_content("#scrub-says") == "epoch 1 of 5"
    second = values(page)
    film = opened(pages, kept(page, "film").decode())
    assert film.evaluate("location.hash").endswith("step=4&to=20")
    assert film.text_content("#scrub-says") == "epoch 1 of 5"
    assert "in epoch 5" in film.get_attribute("#curve", "aria-label")
    assert values(film) == second
    film.focus("#scrub")
    film.keyboard.press("End")
    assert film.text_content("#scrub-says") == "epoch 5 of 5"
    assert values(film) == end


@SLOW
def test_5_the_run_so_far_is_scrubbed_and_a_change_begins_another(pages, playground):
    page = opened(pages, playground, f"{MIDST}&step=400")
    assert page.text_content("#scrub-says") == "epoch 100 of 100"
    seen = {}
    for epoch in (3, 77, 50, 51, 0, 99):
        page.fill("#scrub", str(epoch))
        assert page.text_content("#scrub-says") == f"epoch {epoch} of 100"
        seen[epoch] = values(page)
    page.wait_for_function("() => location.hash.includes('step=396&to=400')")
    page.keyboard.press("Control+z")  # back and forth over the run is one way
    assert page.text_content("#scrub-says") == "epoch 100 of 100"
    for epoch in (50, 3):
        fresh = opened(pages, playground, f"{MIDST}&step={4 * epoch}")
        assert values(fresh) == seen[epoch]
        assert fresh.text_content("#scrub-says") == f"epoch {epoch} of {epoch}"
    page.fill("#scrub", "50")
    page.locator('[data-item="w,1,1,0"]').click()
    page.click("#more")
    assert page.text_content("#scrub-says") == "epoch 50 of 50"
    page.keyboard.press("Control+z")
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.text_content("#scrub-says") == "epoch 50 of 100"
    assert values(page) == seen[50]


@SLOW
def test_6_a_set_of_raw_rows_comes_with_its_scaling_and_names(pages, playground, tmp_path):
    page = opened(pages, playground, "#data=iris&held=0&batch=30&step=10&row=4")
    net = loaded(page, tmp_path)
    assert net.classes == ("setosa", "versicolor", "virginica")
    found = cp.data.load("iris")
    assert net.feature_names == found.feature_names
    rows = np.concatenate([found.part(each)[0] for each in ("train", "test")])
    labels = np.concatenate([found.part(each)[1] for each in ("train", "test")])
    cost = net.cost(rows, np.array(net.classes)[labels])
    assert cost == pytest.approx(number(page.text_content("#cost")), rel=1e-3)


@SLOW
def test_7_ones_own_network_comes_back_as_it_was(pages, tmp_path):
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(7, 4)), ["a", "b", "c", "a", "b", "c", "a"]
    scaling = cp.data.standardize(rows)
    layers = [4, cp.Layer(5, ["tanh", "relu", "tanh", "gelu", "selu"], bias=False), 3]
    net = cp.Network(layers, seed=2, scaling=scaling)
    net.classes, net.about = ("a", "b", "c"), {"made": "here"}
    page = opened(
        pages, cp.explore(net, rows, labels).html, "#optimizer=sgd&rate=0.1&batch=3&seed=5&step=2"
    )
    back = loaded(page, tmp_path)
    assert back.classes == net.classes
    assert back.about == net.about
    assert back.epochs_trained == 0
    went = net.copy("float64")
    continued = cp.Training(
        went, rows, labels, optimizer=cp.SGD(0.1), batch_size=3, seed=5, progress=False
    )
    continued.run(1)
    page.keyboard.press(">")
    assert np.abs(loaded(page, tmp_path).parameters - went.parameters).max() < 1e-6
    assert np.allclose(loaded(page, tmp_path).predict(rows), went.predict(rows))


@SLOW
def test_10_a_table_comes_back_and_its_program_goes_on(pages, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = np.array(["u", "v", "w"])[rng.integers(0, 3, 40)]
    table = pa.table({"size": rng.normal(10, 3, 40).round(2), "kind": words})
    model = cp.MLPClassifier((4,), preset="realmlp", max_iter=1, random_state=0)
    model.fit(table, words == "u")
    address = "#optimizer=adam&rate=0.01&batch=16&seed=2&step=4"
    page = opened(pages, cp.explore(model, table, words == "u").html, address)
    net = loaded(page, tmp_path)
    assert net.model.estimator["class"] == "MLPClassifier"
    assert net.epochs_trained == 1
    went = continued(page, 2)
    for _ in range(2):
        page.keyboard.press(">")
    back = loaded(page, tmp_path)
    assert np.abs(back.parameters - net.parameters).max() > 1e-3
    assert np.abs(back.parameters - went.parameters).max() < 1e-9


@SLOW
def test_11_a_film_has_the_readers_file_in_it(pages, playground):
    rows = "".join(f"{20 + i % 30};{'abc'[i % 3]};{i % 7},5\n" for i in range(40))
    page = opened(pages, playground)
    page.select_option("[name=data]", "csv")
    page.set_input_files(
        "#file", {"name": "my.csv", "mimeType": "text/csv", "buffer": f"age;plan;use\n{rows}".encode()}
    )
    page.wait_for_selector("#file-target")
    page.locator("h1").click()
    for _ in range(3):
        page.keyboard.press(">")
    end = values(page)
    film = opened(pages, kept(page, "film").decode())
    assert film.text_content("#scrub-says") == "epoch 3 of 3"
    assert values(film) == end
    assert "my.csv" in film.text_content("#file-said")


@SLOW
def test_9_by_touch_on_a_phone(pages, playground):
    page = opened(pages, playground, width=360, height=740, has_touch=True)
    page.tap("#lessons > summary")
    page.locator("a", has_text="Mazur").tap()
    page.tap("#lesson-next")
    page.tap("#lesson-check")
    page.wait_for_selector("#lesson-came b")
    assert "as claimed" in page.text_content("#lesson-came")
    page.tap("#next")
    scrub = page.locator("#scrub").bounding_box()
    page.touchscreen.tap(scrub["x"] + 4, scrub["y"] + scrub["height"] / 2)
    assert page.text_content("#scrub-says") == "epoch 0 of 1"
    page.tap("#tab-practice")
    page.locator("#questions button", has_text="Show").first.tap()
    assert page.locator("#questions .verdict").first.text_content() == "0.1385"
    page.tap("#tab-keep")
    with page.expect_download():
        page.tap("#keep-model")


@SLOW
@pytest.mark.parametrize("how", [{"color_scheme": "dark", "width": 360}, {"forced_colors": "active"}])
def test_8_axe_finds_nothing(pages, playground, how):
    from axe_playwright_python.sync_playwright import Axe

    html = re.sub(r"<meta http-equiv[^>]*>", "", playground)
    page = opened(pages, html, f"{MIDST}&step=40&to=80", **how)
    kept(page, "costs")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == how.get("width", 1400)
