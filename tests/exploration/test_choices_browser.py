"""What can be chosen on the live page: every table of Python's, in the address, with the library's numbers."""

import json
import re

import numpy as np
import pytest

import browser
import clearprop as cp
from clearprop.data.scaling import standardize
from clearprop.exploration.offers import offers
from clearprop.exploration.sets import sets
from live_page import opened, parameters, values

browser.require()
SLOW = pytest.mark.slow
UNLIKE = (
    "#data=moons&hidden=3,2&activation=relu/tanh/sigmoid,elu&output=huber:0.3&weights=uniform:0.8"
    "&biases=normal:0.1&optimizer=nesterov:0.8&rate=0.05&batch=16&seed=5"
)

GO = """async (hash) => {
    await new Promise((done) => {
        addEventListener("hashchange", done, { once: true });
        location.hash = hash;
    });
    while (!document.documentElement.hasAttribute("data-ready")) await new Promise(requestAnimationFrame);
}"""


def rows(page):
    """Return the inputs and targets of a page, from what its engine was given."""
    table = page.evaluate("""async () => {
        const X = [], y = [], n = Number(document.querySelector("#row").max);
        for (let row = 1; row <= n; row++) {
            const input = document.querySelector("#row");
            input.value = row;
            input.dispatchEvent(new Event("change", { bubbles: true }));
            const at = (start) => [...document.querySelectorAll(`[data-item^="${start},"]`)].map((item) => {
                item.focus();
                return Number(document.querySelector("#value").value);
            });
            X.push(at("x"));
            y.push(at("y"));
        }
        return { X, y };
    }""")
    return np.array(table["X"]), np.array(table["y"])


def test_a_choice_of_everything_is_the_librarys(pages, playground):
    page = opened(pages, playground, UNLIKE)
    X, Y = rows(page)
    net = cp.Network(
        [2, cp.Layer(3, ["relu", "tanh", "sigmoid"]), cp.Layer(2, "elu"), cp.Layer(1, "sigmoid")],
        cost=cp.costs.huber(0.3),
        initializer=cp.initializers.uniform(0.8),
        bias_initializer=cp.initializers.normal(0.1),
        dtype="float64",
        seed=5,
    )
    found = parameters(page, net)
    for weights in net.architecture.views(found)[0]:
        assert np.abs(weights).max() <= 0.8
    of_weights = np.concatenate(
        [np.ones(b.size, bool) if b.kind == "weights" else np.zeros(b.size, bool) for b in net.blocks]
    )
    assert found[of_weights].tobytes() == net.parameters[of_weights].tobytes()
    np.testing.assert_allclose(found, net.parameters, rtol=1e-15)
    net.fit(X, Y, epochs=3, optimizer=cp.SGD(0.05, momentum=0.8, nesterov=True), batch_size=16, seed=5)
    page = opened(pages, playground, UNLIKE + "&step=21")
    assert page.text_content("#epochs") == "3"
    assert np.abs(parameters(page, net) - net.parameters).max() < 1e-9


@pytest.mark.slow
def test_a_form_of_everything_makes_the_address(pages, playground):
    page = opened(pages, playground)
    page.select_option("[name=data]", "curve")
    assert page.input_value("[name=hidden]") == "8"  # a network that learns it
    page.fill("[name=hidden]", "3,2")
    page.keyboard.press("Tab")
    page.select_option("[name='activation.0']", "/")
    page.select_option("[name='activation.0.2']", "relu")
    page.select_option("[name='activation.1']", "softplus")
    page.select_option("[name=output]", "huber")
    page.fill("[name='output.0']", "0,5")
    page.keyboard.press("Tab")
    page.select_option("[name=weights]", "constant")
    page.fill("[name='weights.0']", "0")
    page.keyboard.press("Tab")
    page.select_option("[name=optimizer]", "adamw")
    page.fill("[name='optimizer.3']", "0.1")
    page.keyboard.press("Tab")
    said = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    assert said["activation"] == "tanh/tanh/relu,softplus"
    assert said["output"] == "huber:0.5"
    assert said["weights"] == "constant:0"
    assert said["optimizer"] == "adamw:0.9,0.999,1e-8,0.1"
    seen = values(page)
    assert {seen[key] for key in seen if key.startswith("w,")} == {"0"}
    page.fill("[name='optimizer.0']", "1")
    page.keyboard.press("Tab")
    assert page.text_content("#refused") == (
        "Optimizer: beta1 must be a number of at least 0, below 1; got 1."
    )
    page.fill("[name='optimizer.0']", "0.5")
    page.fill("[name=hidden]", "4,2")
    page.keyboard.press("Tab")
    said = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    assert (said["hidden"], said["activation"]) == ("4,2", "tanh/tanh/relu/relu,softplus")


@pytest.mark.slow
def test_every_row_of_pythons_tables_is_offered_and_runs(pages, playground):
    found = offers()
    page = opened(pages, playground)
    quantities = [name for name in found["outputs"]["quantity"] if "poisson" not in name]
    for choice in (
        *(f"data=circles&activation={each}" for each in found["activations"]),
        *(f"data=xor&weights={each}" for each in found["initializers"]),
        *(f"data=xor&optimizer={each}" for each in found["optimizers"]),
        *(f"data=circles&output={each}" for each in found["outputs"]["classes"]),
        *(f"data=curve&output={each}" for each in quantities),
    ):
        page.evaluate(GO, f"#{choice}&step=1")
        assert (page.text_content("#steps"), page.text_content("#refused")) == ("1", ""), choice
    page.evaluate("location.hash = '#data=curve&output=poisson'")
    page.locator("#refused", has_text="Poisson's cost is for targets of at least 0.").wait_for()


@pytest.mark.parametrize(
    ("fragment", "sentence"),
    [
        ("#activation=swish", "Activation must be of the table"),
        ("#hidden=3,2&activation=tanh,relu,tanh", "Activation must be of the table"),
        ("#weights=uniform:-1", "First weights: epsilon must be a number above 0; got -1."),
        ("#optimizer=sgd:0.5", "Optimizer must be one of sgd, momentum"),
        ("#output=quantile:1", "Output and cost: q must be a number above 0, below 1; got 1."),
        (
            "#data=iris&output=binary_cross_entropy",
            "Binary cross-entropy is for one output, here are 3",
        ),
        ("#data=digits&hidden=64,64,64,64&seed=1", ""),
        ("#data=curve&output=cross_entropy", "Output and cost must be one of quadratic"),
        ("#data=__proto__", "Data must be one of xor"),
    ],
)
@SLOW
def test_what_cannot_be_is_a_sentence(pages, playground, fragment, sentence):
    page = opened(pages, playground, fragment)
    assert sentence in page.text_content("#refused")
    assert bool(sentence) == bool(page.text_content("#refused"))


@pytest.mark.slow
def test_iris_is_raw_and_standardized_and_the_same_as_the_librarys(pages, playground):
    iris = sets()["iris"]
    X, labels = np.array(iris["X"]), np.array(iris["Y"]).ravel()
    assert X.shape == (150, 4)
    assert np.bincount(labels).tolist() == [50, 50, 50]
    page = opened(pages, playground, "#data=iris&hidden=3&seed=2&batch=150&step=2")
    net = cp.Network([4, 3, 3], "tanh", cost="cross_entropy", dtype="float64", seed=2)
    net.fit(standardize(X)(X), labels, epochs=2, optimizer=cp.Adam(0.01), batch_size=150, seed=2)
    assert np.abs(parameters(page, net) - net.parameters).max() < 1e-9


def test_digits_are_rows_of_the_training_part():
    digits = sets()["digits"]
    known = cp.data.load("digits")
    texts = {
        "".join("0123456789abcdefg"[int(v)] for v in row): y
        for row, y in zip(known.X_train, known.Y_train, strict=True)
    }
    assert len(digits["X"]) == 600
    assert [texts[row] for row in digits["X"]] == [y for (y,) in digits["Y"]]
    assert [y for (y,) in digits["Y"][:10]] == list(range(10))
    assert len(json.dumps(digits["X"])) < 45_000


@SLOW
@pytest.mark.parametrize("how", [{"width": 360}, {"width": 800, "color_scheme": "dark"}])
@pytest.mark.parametrize("data", ["curve", "saddle", "iris", "digits"])
def test_axe_finds_nothing_with_other_data(pages, playground, data, how):
    from axe_playwright_python.sync_playwright import Axe

    html = re.sub(r"<meta http-equiv[^>]*>", "", playground)
    page = opened(pages, html, f"#data={data}&step=5", **how)
    assert page.evaluate("document.documentElement.scrollWidth") == how["width"]
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(
    ("notation", "weight", "delta"),
    [
        ("nielsen", "w³₂₄", "δ"),
        pytest.param("jordan", "θ⁽²⁾₂₄", "δ", marks=SLOW),
        pytest.param("dp", "w⁽²⁾₂₄", "∂C/∂b", marks=SLOW),
        pytest.param("softmax-ce", "w²₂₄", "∂C/∂b", marks=SLOW),
    ],
)
def test_symbols_are_those_of_explain(pages, playground, notation, weight, delta):
    net = cp.Network([2, 4, 3, 1], "tanh", "sigmoid", "quadratic", dtype="float64", seed=7)
    written = cp.explain(net, [[0, 1]], [[1]], notation, "text", form="component")
    assert weight in written
    page = opened(pages, playground, "#data=xor&hidden=4,3&step=2")
    before, cost = values(page), page.text_content("#cost")
    page.select_option("[name=notation]", notation)
    page.focus('[data-item="w,2,1,3"]')
    assert page.text_content("#what") == weight
    page.focus('[data-item="b,2,1"]')
    assert page.text_content("#what") in re.findall(r"(?<![∂\w])b[^\s]*₂", written)
    letters = {each.text_content() for each in page.locator("#net .letter").all()}
    assert letters == {"x₁", "x₂", "b", "z", "a", "y", delta}
    assert (values(page), page.text_content("#cost")) == (before, cost)  # letters alone
    assert f"notation={notation}" in page.evaluate("location.hash")
    assert page.text_content("#notation-says").startswith("Letters of ")
    again = opened(pages, playground, page.evaluate("location.hash"))
    assert again.input_value("[name=notation]") == notation
    again.evaluate("location.hash = '#data=xor'")
    again.locator("[name=notation]").wait_for()
    again.focus('[data-item="w,1,0,0"]')
    assert again.text_content("#what") == "w⁽¹⁾₁₁"


@SLOW
def test_a_notation_changes_no_name_of_an_input(pages):
    net = cp.Network([2, 2, 1], "tanh", cost="quadratic", seed=0)
    net.feature_names = ("weight of C", "w0")
    page = opened(pages, cp.explore(net, [[1, 2]], [[1]]).html, "#notation=jordan")
    page.evaluate("document.querySelector('#twin').open = true")
    page.locator("#tables th", has_text="θ from weight of C").first.wait_for()
