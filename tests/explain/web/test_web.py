"""The page of one pass, as it is without a browser: numbers, names, bytes, sizes."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

import clearprop as cp
from clearprop.explain.web import curves
from explained import PAIRS, PRESETS, mazur, problem, within
from explained import PROBLEMS as NETWORKS

HOSTILE = ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<!--", "\x00\u202e"]


class Page(HTMLParser):
    """A page taken apart: elements, and every number with its reference."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.numbers, self._open = [], [], []
        self.feed(html)
        text = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1]
        self.data = json.loads(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if tag not in ("meta", "img", "br", "input"):
            self._open.append((attrs, []))

    def handle_endtag(self, tag):
        attrs, text = self._open.pop()
        if "data-ref" in attrs:
            self.numbers.append(
                (attrs["data-ref"], float(attrs.get("data-factor") or 1), "".join(text))
            )

    def handle_data(self, data):
        if self._open:
            self._open[-1][1].append(data)


SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def as_written(text):
    """Return a number of the page as a program writes it."""
    mantissa, times, exponent = text.partition("×10")
    return mantissa + ("e" + exponent.translate(SUPERSCRIPT) if times else "")


def element_of(trace, ref):
    """Return the element of the trace's arrays that a reference names."""
    quantity, layer, index = ref.split("/")
    index = tuple(int(each) for each in index.split(",")) if index else ()
    if quantity in ("x", "y"):
        array = {"x": trace.X, "y": trace.Y}[quantity]
    elif quantity in ("cost", "sample_cost"):
        array = np.array(trace.cost) if quantity == "cost" else trace.sample_costs
    elif quantity == "cost_parameter":
        array = np.array(*trace.architecture.cost.parameters.values())
    elif quantity == "learning_rate":
        array = trace.update.learning_rate
    elif quantity.endswith("_after"):
        array = getattr(trace.update, {"weight_after": "weights", "bias_after": "biases"}[quantity])
        array = array[int(layer) - 1]
    else:
        name = {"weight": "weights", "bias": "biases"}.get(quantity, quantity)
        array = getattr(trace.layers[int(layer) - 1], name)
    return float(array[index])


@pytest.mark.parametrize(("name", "notation"), PAIRS[::2])
def test_every_number_of_the_page_is_the_element_that_it_refers_to(name, notation):
    net, X, Y = problem(**NETWORKS[name])
    trace = net.trace(X, Y, cp.SGD(0.5))
    page = Page(trace.to_html(notation=notation))
    assert len(page.numbers) > 20
    for ref, factor, text in page.numbers:
        assert within(as_written(text), factor * element_of(trace, ref)), (ref, factor, text)


@pytest.mark.parametrize("name", ["quadratic", "softmax, quadratic", "float32", "batch of 7"])
def test_every_number_that_the_script_gets_is_the_element_that_it_refers_to(name):
    net, X, Y = problem(**NETWORKS[name])
    trace = net.trace(X, Y)
    data = Page(trace.to_html()).data
    for ref, value in data["values"].items():
        assert value == element_of(trace, ref), ref
    for kind, *rest in data["nodes"]:
        if kind == "n":
            ref, text, *factor = rest
            assert within(text, float(factor[0] if factor else 1) * element_of(trace, ref)), rest


def test_a_number_that_is_not_its_element_is_found():
    net, X, Y = problem()
    trace = net.trace(X, Y)
    page = Page(trace.to_html().replace(">0.0", ">0.1"))
    wrong = [
        ref for ref, f, text in page.numbers if not within(as_written(text), f * element_of(trace, ref))
    ]
    assert wrong


def test_the_paths_of_the_page_are_those_of_path_sum():
    net, X, Y = problem(sizes=(3, 4, 2, 3), activation="tanh")
    data = Page(net.trace(X, Y).to_html()).data
    for key, found in data["paths"].items():
        layer, j = map(int, key.split(","))
        expected = cp.path_sum(net, X[0], Y[0], layer - 1, j, None, 8)
        assert [tuple(way) for way in found["ways"]] == [path.neurons for path in expected.paths]
        assert found["absolute"] == expected.absolute_total
        assert (found["n"], found["factors"]) == (expected.n_paths, expected.n_factors)


@pytest.mark.parametrize("name", ["quadratic", "softmax, cross_entropy", "poisson, exp", "deep"])
def test_the_nudged_costs_are_those_of_nudge(name):
    net, X, Y = problem(**NETWORKS[name])
    data = Page(net.trace(X, Y).to_html()).data
    assert 0 in data["nudges"]
    for key, costs in data["nudged"].items():
        layer, j = map(int, key.split(","))
        for by, cost in list(zip(data["nudges"], costs, strict=True))[::7]:
            expected = cp.nudge(net, X[0], Y[0], layer - 1, j, by)
            np.testing.assert_allclose(cost, expected.cost_after, rtol=1e-12)


@pytest.mark.parametrize("name", ["deep", "softmax, cross_entropy", "quadratic"])
def test_the_changes_of_the_page_are_those_of_nudge(name):
    """(47) to (50) of S2: every drawn weight, predicted and actual."""
    net, x, y = problem(**NETWORKS[name])
    html = net.trace(x, y).to_html()
    found = Page(html).data["changes"]
    assert len(found) == sum(W.size for W in net.weights)
    for key, rows in found.items():
        layer, j, k = map(int, key.split(","))
        moved = cp.nudge(net, x, y, layer - 1, j, 0.1, "weight", source=k)
        right = [(each.layer + 1, each.neuron, each.predicted, each.actual) for each in moved.changes]
        right.append((None, None, moved.predicted, moved.exact))
        assert [row[:2] for row in rows] == [list(each[:2]) for each in right]
        for row, (_, _, *values) in zip(rows, right, strict=True):
            for text, value in zip(row[2:], values, strict=True):
                assert within(as_written(text), value) or abs(value) < 1e-15
    of_the_first = found[Page(html).data["selected"]]
    assert f"<td>{of_the_first[-1][2]}</td>" in html  # without a script as well
    assert Page(problem(n=3)[0].trace(*problem(n=3)[1:]).to_html()).data["changes"] == {}


def test_the_script_names_delta_only_as_the_notation_does():
    """Jordan's has the other sign, and two notations have none: the nudge speaks of dC/dz."""
    from importlib.resources import files

    script = files("clearprop.explain.web") / "script"
    for name in ("nudge.js", "paths.js", "closer.js"):
        assert "δ" not in (script / name).read_text("utf-8")
    nudge = (script / "nudge.js").read_text("utf-8")
    assert "predicted dC/dz·Δz" in nudge
    assert "on the engine's own scale, is the slope of this curve" in nudge


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_features_and_classes_add_no_element(name):
    net, X, Y = problem()
    kinds = []
    for given in (name, "plain"):
        net.feature_names = tuple(f"{given}{i}" for i in range(4))
        net.classes = tuple(f"{given}{i}" for i in range(3))
        html = cp.explain(net, X, Y, format="html")
        page = Page(html)
        kinds.append([tag for tag, _ in page.elements])
        assert page.data["names"]["0,0"] == f"input 1 ({given}0)"
    assert kinds[0] == kinds[1]


def test_the_same_trace_gives_the_same_bytes(tmp_path):
    net, x, y = mazur()
    html = net.trace(x, y).to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == html == net.trace(x, y).to_html()
    assert net.trace(x, y)._repr_html_() == net.trace(x, y)._repr_html_()


def test_the_2_2_2_network_takes_less_than_200_kilobytes():
    net, x, y = mazur()
    assert len(net.trace(x, y, cp.SGD(0.5)).to_html().encode()) < 200_000


def test_a_784_30_10_network_takes_less_than_a_megabyte(rng):
    net = cp.Network([784, 30, 10], seed=0)
    html = net.trace(rng.uniform(size=(1, 784)), [7], cp.SGD(0.5)).to_html()
    assert len(html.encode()) < 1_000_000


def test_a_wide_layer_is_drawn_in_part_and_says_how_much_is_left_out(rng):
    net = cp.Network([40, 30, 3], seed=0)
    html = net.trace(rng.normal(size=(1, 40)), [1]).to_html()
    drawn = re.findall(r'data-unit="(\d),', html)
    assert [drawn.count(layer) for layer in "012"] == [8, 8, 3]
    assert "… 32 more" in html
    assert "… 22 more" in html


def test_a_network_that_is_too_deep_to_draw_says_so(rng):
    net = cp.Network([2] * 14, seed=0)
    html = net.trace(rng.normal(size=(1, 2)), [1]).to_html()
    assert "<svg" not in html.split("</main>")[0]
    assert "This network has 13 layers of weights; a drawing has room for 10" in html
    assert list(Page(html).data["notations"][0]["weights"]) == ["1,0,0", "1,0,1", "1,1,0", "1,1,1"]


def test_numbers_that_are_not_finite_are_shown_as_they_are_and_explained():
    net, x, y = mazur()
    net.weights[1][0, 0] = np.inf
    net.weights[1][1, 0] = np.nan
    html = net.trace(x, y).to_html()
    page = Page(html)
    shown = {ref: text for ref, _, text in page.numbers}
    assert shown["weight/2/0,0"] == "∞"
    assert shown["z/2/0,1"] == "NaN"
    assert "Not finite: the first such number is in weights of weight layer 2" in html


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (
            np.nan,
            "2 paths of 5 factors. The pass has numbers that are not finite: this sum has no value.",
        ),
        (0.0, "2 paths of 5 factors. Every path's product is 0."),
    ],
)
def test_a_sum_over_paths_without_a_share_says_why(weight, said):
    net, x, y = mazur()
    net.weights[1][:] = weight
    closer = net.trace(x, y).to_html().partition('id="closer"')[2].partition("</section>")[0]
    assert said in unescape(closer)
    assert "%" not in closer


def test_a_weight_of_exactly_0_is_drawn_neither_as_above_nor_as_below_0():
    net, x, y = mazur()
    net.weights[0][:] = [[0.0, -0.0], [-1.0, 1.0]]
    drawn = dict(re.findall(r'data-edge="(1,[^"]+)" data-w="(\w+) ', net.trace(x, y).to_html()))
    assert drawn == {"1,0,0": "zero", "1,0,1": "zero", "1,1,0": "negative", "1,1,1": "positive"}


def test_of_a_pass_without_optimizer_no_update_is_shown():
    net, x, y = mazur()
    html = net.trace(x, y).to_html()
    assert "after the update" not in html.partition("<script")[0]
    assert "no learning rate was given" in html


def test_the_page_with_blanks_leaves_the_results_out_and_has_a_key():
    net, x, y = mazur()
    html = net.trace(x, y).to_html(blanks=True)
    steps = html[html.index('id="all-steps"') : html.index('id="key"')]
    delta = steps[steps.index('data-kind="delta"') :]
    delta = delta[: delta.index("</section>")]
    assert delta.count("____") == 2
    assert "____" not in steps[: steps.index('data-kind="cost"')]
    assert "practice: I fill in the derivatives" in html
    assert "0.1385" not in delta
    assert "0.1385" in html[html.index('id="key"') :]


@pytest.mark.parametrize("notation", PRESETS)
def test_a_notation_of_ones_own_is_first_and_the_presets_follow(notation):
    net, x, y = mazur()
    html = net.trace(x, y).to_html(notation=notation)
    names = [each["name"] for each in Page(html).data["notations"]]
    assert names[0] == notation
    assert sorted(names) == sorted(PRESETS)


def test_an_algorithm_is_told_in_the_notations_that_have_it():
    net, x, y = mazur()
    html = cp.explain(net, x, y, format="html", algorithm="A8")
    assert [each["name"] for each in Page(html).data["notations"]] == ["softmax-ce", "dp"]


def test_a_picture_of_numbers_is_a_png_with_one_level_a_number():
    import base64
    import struct
    import zlib

    data = base64.b64decode(curves.picture(np.array([0.0, 1.0, -1.0, np.nan] * 4)).partition(",")[2])
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (4, 4)
    start = data.index(b"IDAT") + 4
    lines = zlib.decompress(data[start : data.index(b"IEND") - 8])
    assert list(lines[:5]) == [0, 128, 255, 1, 0]


def test_no_two_modules_of_the_script_have_one_name():
    from importlib.resources import files

    found = []
    for module in sorted((files("clearprop.explain.web") / "script").iterdir(), key=lambda f: f.name):
        text = module.read_text("utf-8")
        found += re.findall(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", text, re.M)
    assert len(found) == len(set(found))


def test_a_notebook_gets_the_drawing_and_the_tables_and_no_script():
    net, x, y = mazur()
    html = net.trace(x, y)._repr_html_()
    assert "<svg" in html
    assert "<script" not in html
    assert html.count("<table") == 5


@pytest.mark.parametrize(
    ("notation", "said"),
    [
        ("nielsen", "δ is answer minus target"), ("jordan", "δ is target minus answer"),
        ("softmax-ce", "∂C/∂z is answer minus target"),
    ],
)  # fmt: skip
def test_what_cancels_is_said_with_the_notations_sign(notation, said):
    net, x, y = problem(cost="cross_entropy")
    assert said in net.trace(x, y).to_html(notation=notation)


@pytest.mark.parametrize("notation", PRESETS)
def test_the_heads_of_the_tables_have_the_sign_of_their_numbers(notation):
    net, x, y = mazur()
    page = net.trace(x, y).to_html(notation=notation)
    minus = "−" if notation == "jordan" else ""
    cost, w = {"nielsen": "Cw", "jordan": "Jθ", "dp": "Cw", "softmax-ce": "Cw"}[notation]
    assert f'data-head="weight_gradient">{minus}∂{cost}/∂{w}<' in page
    assert f'data-head="error">{minus}∂{cost}/∂a<' in page
    assert f"their product, {minus}∂{cost}/∂{w}<" in page
