"""Renderings are read back: every number in them is the engine's, within what its digits imply."""

import copy
import json
import re
import shutil
import subprocess
import unicodedata
import xml.etree.ElementTree as ET

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clearprop as cp
from clearprop.explain import explained as document_of
from clearprop.explain import rendered
from clearprop.explain.document import wanted
from clearprop.explain.expression import numbers
from clearprop.explain.forms import FORMS
from clearprop.explain.printers.json import schema
from clearprop.explain.printers.latex import escaped
from explained import NUMBER, PAIRS, PRESETS, PROBLEMS, interval, look_up, mazur, problem, within


def told(name, notation, **how):
    net, X, Y = problem(**PROBLEMS[name])
    return document_of(net.trace(X, Y, cp.SGD(0.5)), notation, **how)


def expected(document, form):
    """Return the numbers that a rendering should show, in order: the engine's times the factor."""
    shown = [
        number
        for step in document.steps
        for line in step.lines
        if wanted(line, form)
        for number in numbers(line.formula)
    ]
    with np.errstate(all="ignore"):
        return [each.factor * float(each.array[each.index]) for each in shown]


def body(text):
    return text.partition("\nNotes\n")[0].partition("subsection*{Notes}")[0]


def assert_read_back(texts, values, in_order):
    assert len(texts) == len(values)
    if not in_order:  # matrices stand side by side: what is shown most exactly has the first choice
        texts = sorted(texts, key=lambda each: interval(each)[1] / max(abs(interval(each)[0]), 1e-300))
        left, values = np.array(values), []
        for text in texts:
            nearest = np.abs(left - interval(text)[0]).argmin()
            values.append(left[nearest])
            left = np.delete(left, nearest)
    for text, value in zip(texts, values, strict=True):
        assert within(text, value), f"{text} is shown for {value!r}"


@pytest.mark.parametrize("form", [None, *FORMS])
@pytest.mark.parametrize("notation", PRESETS)
@pytest.mark.parametrize("name", ["softmax, cross_entropy", "wide batch", "float32"])
def test_text_is_read_back(name, notation, form):
    document = told(name, notation)
    for ascii in (False, True):
        text = rendered(document, "text", form, ascii=ascii)
        assert_read_back(NUMBER.findall(body(text)), expected(document, form), form in FORMS[1:])
        assert (
            max(len("".join(c for c in x if not unicodedata.combining(c))) for x in text.splitlines())
            <= 100
        )
        assert not ascii or text.isascii()


@settings(max_examples=15)
@given(
    name=st.sampled_from(sorted(PROBLEMS)),
    notation=st.sampled_from(PRESETS),
    digits=st.integers(1, 17),
    exponent=st.integers(-30, 30),
)
def test_numbers_of_any_size_and_any_number_of_digits_are_read_back(name, notation, digits, exponent):
    net, X, Y = problem(**PROBLEMS[name])
    net.weights[-1][:] *= 10.0**exponent
    document = document_of(net.trace(X, Y, cp.SGD(0.5)), notation, digits=digits)
    for format in ("text", "latex"):
        text = rendered(document, format, "numbers", digits)
        found = NUMBER.findall(body(from_latex(text) if format == "latex" else text))
        assert_read_back(found, expected(document, "numbers"), in_order=True)
        assert format == "latex" or max(map(len, text.splitlines())) <= 110  # with combining marks


def from_latex(text):
    """Return LaTeX with its numbers as the text format has them."""
    text = re.sub(r"\\times 10\^\{(-?\d+)\}", r"e\1", text).replace(r"\infty", "inf")
    text = re.sub(r"(?<=[\d.])e(\d)", r"e+\1", text)
    return re.sub(
        r"\\ldots\\text\{[^}]*\}|\\text\{NaN\}", lambda m: "NaN" if "NaN" in m[0] else "", text
    )


@pytest.mark.parametrize("form", [None, "matrix"])
@pytest.mark.parametrize(("name", "notation"), PAIRS)
def test_latex_is_balanced_and_read_back(name, notation, form):
    document = told(name, notation)
    text = rendered(document, "latex", form)
    assert_balanced(text)
    assert_read_back(NUMBER.findall(body(from_latex(text))), expected(document, form), in_order=True)
    assert set(re.findall(r"\\usepackage(?:\[\w+\])?\{(\w+)\}", text)) == {"inputenc", "amsmath"}


def assert_balanced(text):
    plain = re.sub(r"\\[\\{}$&#%_]", "", text)
    depth = 0
    for each in plain:
        depth += (each == "{") - (each == "}")
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    assert len(re.findall(r"\\left\b", text)) == len(re.findall(r"\\right\b", text))
    opened = []
    for what, environment in re.findall(r"\\(begin|end)\{([\w*]+)\}", text):
        if what == "begin":
            opened.append(environment)
        else:
            assert opened.pop() == environment
    assert not opened


def test_the_balance_checker_finds_what_is_not_balanced():
    for wrong in (r"\frac{1}{2", r"\left(a", r"\begin{a}\end{b}", "a$b", "}{"):
        with pytest.raises(AssertionError):
            assert_balanced(wrong)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
@pytest.mark.parametrize("notation", PRESETS)
def test_latex_compiles(tmp_path, notation):
    (tmp_path / "it.tex").write_text(
        rendered(told("softmax, cross_entropy", notation), "latex"), "utf-8"
    )
    made = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "it.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-2000:]


CORE = {
    "math",
    "mrow",
    "mi",
    "mn",
    "mo",
    "mtext",
    "mspace",
    "msup",
    "msub",
    "msubsup",
    "mfrac",
    "mover",
    "munder",
    "mtable",
    "mtr",
    "mtd",
}


@pytest.mark.parametrize(("name", "notation"), PAIRS)
def test_mathml_is_well_formed_core_and_every_number_is_its_reference(name, notation):
    document = told(name, notation)
    trace = json.loads(rendered(document, "json", "all"))
    tree = ET.fromstring(rendered(document, "mathml", "matrix" if name == "deep" else None))
    used, references = set(), 0
    for element in tree.iter():
        namespace, _, tag = element.tag[1:].partition("}")
        if "MathML" in namespace:
            used.add(tag)
        if "data-ref" in element.attrib:
            quantity, layer, index = element.attrib["data-ref"].split("/")
            at = [int(each) for each in index.split(",") if each]
            value = look_up(trace, quantity, int(layer), at) * float(
                element.attrib.get("data-factor", 1)
            )
            assert within(from_superscripts(element.text), value)
            references += 1
    assert used <= CORE
    assert references > 10


def from_superscripts(text):
    mantissa, _, exponent = text.partition("×10")
    if not exponent:
        return text
    plain = unicodedata.normalize("NFKC", exponent).replace("−", "-")
    return f"{mantissa}e{plain if plain.startswith('-') else '+' + plain}"


VALIDATOR = jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize(
    ("name", "notation"),
    [
        ("one layer", "nielsen"),
        ("binary", "jordan"),
        ("no biases", "dp"),
        ("softmax, quadratic", "softmax-ce"),
    ],
)
def test_json_obeys_its_schema(name, notation):
    net, X, Y = problem(**{"sizes": (2, 2, 2), **PROBLEMS[name]})
    VALIDATOR.validate(
        json.loads(cp.explain(net, X, Y, notation, "json", optimizer="adam", blanks=True))
    )


@pytest.mark.parametrize("name", ["batch of 7", "float32", "softmax, quadratic"])
def test_json_has_every_row_to_the_bit_and_no_formulas_unless_asked(name):
    net, X, Y = problem(**PROBLEMS[name])
    value = json.loads(cp.explain(net, X, Y, format="json"))
    VALIDATOR.validate(value)
    assert "steps" not in value
    assert (value["batch"]["n_samples"], len(value["layers"][0]["z"])) == (len(X), len(X))
    np.testing.assert_array_equal(value["layers"][0]["z"], net.trace(X, Y).layers[0].z)
    for asked in ({"form": "all"}, {"form": "matrix"}, {"algorithm": "A2"}, {"blanks": True}):
        value = json.loads(cp.explain(net, X, Y, format="json", **asked))
        if len(X) == 1:  # the schema's check takes seconds for the formulas of a batch
            VALIDATOR.validate(value)
        assert any(step["lines"] for step in value["steps"])
        assert ("answers" in value) == ("blanks" in asked)
    with pytest.raises(ValueError, match="form must be one of matrix, .*, got 'all'"):
        cp.explain(net, X, Y, form="all")


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_arrays_in_json_are_the_engines(name):
    net, X, Y = problem(**PROBLEMS[name])
    value = json.loads(cp.explain(net, X, Y, format="json"))
    trace = net.trace(X, Y)
    for layer, shown in zip(trace.layers, value["layers"], strict=True):
        for quantity in ("z", "a", "slope", "error", "delta", "weight_gradient"):
            np.testing.assert_array_equal(
                getattr(layer, quantity), np.array(shown[quantity], net.dtype)
            )
        assert ("bias" in shown) == (layer.biases is not None)
    np.testing.assert_array_equal(np.array(value["batch"]["x"], net.dtype), trace.X)


def test_json_names_numbers_that_it_lacks():
    net, X, Y = problem((2, 3, 2), activation="exp")
    net.weights[0][:] = 1e4
    text = cp.explain(net, np.abs(X), Y, format="json")
    value = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    VALIDATOR.validate(value)
    assert value["layers"][0]["a"] == [["Infinity"] * 3]


def golden():
    net, x, y = problem((2, 1))
    return json.loads(cp.explain(net, x, y, format="json", form="component", optimizer=cp.SGD(0.5)))


def formula_of(value):
    return value["steps"][1]["lines"][0]["formula"]


BAD = {
    "another version": lambda v: v.update(format="trace/1"),
    "no version": lambda v: v.pop("format"),
    "an unknown key": lambda v: v.update(comment="hello"),
    "an unknown key in a layer": lambda v: v["layers"][0].update(momentum=[]),
    "a layer without delta": lambda v: v["layers"][0].pop("delta"),
    "z as text": lambda v: v["layers"][0].update(z="0.5"),
    "a number that is null": lambda v: v["layers"][0]["z"][0].__setitem__(0, None),
    "a number in words": lambda v: v["layers"][0]["z"][0].__setitem__(0, "nan"),
    "layer 0 as a weight layer": lambda v: v["layers"][0].update(layer=0),
    "a sign of 0": lambda v: v["notation"].update(delta_sign=0),
    "no factor": lambda v: v["notation"]["factors"].pop("gradient"),
    "an unknown kind of step": lambda v: v["steps"][0].update(kind="thinking"),
    "an unknown form": lambda v: v["steps"][1]["lines"][0].update(form="poem"),
    "an unknown node": lambda v: formula_of(v)["sides"].__setitem__(1, {"t": "integral", "arg": {}}),
    "a node without children": lambda v: formula_of(v)["sides"].__setitem__(1, {"t": "sum", "terms": []}),
    "a number in place of a reference": lambda v: formula_of(v)["sides"].__setitem__(1, 0.5),
    "a reference with its own value": lambda v: formula_of(v)["sides"].__setitem__(
        1, {"t": "num", "quantity": "z", "layer": 1, "index": [0, 0], "factor": 1, "value": 7}
    ),
    "a reference to nothing known": lambda v: formula_of(v)["sides"].__setitem__(
        1, {"t": "num", "quantity": "momentum", "layer": 1, "index": [0, 0], "factor": 1}
    ),
    "a negative index": lambda v: formula_of(v)["sides"].__setitem__(
        1, {"t": "num", "quantity": "z", "layer": 1, "index": [0, -1], "factor": 1}
    ),
    "a relation of one side": lambda v: formula_of(v).update(sides=formula_of(v)["sides"][:1]),
    "elided by half": lambda v: formula_of(v)["sides"].__setitem__(
        1, {"t": "sum", "terms": [{"t": "int", "number": 1}], "elided": 0.5}
    ),
    "sizes of nothing": lambda v: v["net"].update(sizes=[0, 2]),
    "an update without weights": lambda v: v["update"]["layers"][0].pop("weight_after"),
    "answers without formulas": lambda v: [v.update(answers=[]), v.pop("steps")],
    "a batch of none": lambda v: v["batch"].update(n_samples=0),
}  # fmt: skip


def test_the_golden_json_is_good():
    jsonschema.Draft202012Validator.check_schema(schema())
    VALIDATOR.validate(golden())


@pytest.mark.parametrize("fault", BAD)
def test_bad_json_is_refused(fault):
    value = copy.deepcopy(golden())
    BAD[fault](value)
    assert next(VALIDATOR.iter_errors(value), None) is not None


HOSTILE = [
    "</script><img onerror=alert(1)>",
    r"\input{/etc/passwd}",
    "100% & $x_1^2$ #~",
    "\x1b[31m\x00red",
    '"><b>',
    "{}}}",
    "名前 ⊙ é",
]


@pytest.mark.parametrize("format", ["text", "latex", "mathml", "json"])
def test_hostile_names_of_functions_are_inert(format):
    cost = cp.Cost(
        "evil\x1b[31m\\input{x}</math>",
        lambda a, y: ((a - y) ** 4).sum(axis=1),
        lambda a, y: 4 * (a - y) ** 3,
    )
    activation = cp.Activation("<b>{", np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    net = cp.Network([2, 3, 2], activation=activation, cost=cost, seed=0)
    text = cp.explain(net, [[1.0, 2.0]], [[0.0, 1.0]], format=format)
    assert "\x1b" not in text
    if format == "mathml":
        ET.fromstring(text)
    if format == "latex":
        assert_balanced(text)
        assert r"\input{" not in text


@pytest.mark.parametrize("format", ["text", "latex", "mathml", "json"])
def test_hostile_names_are_inert(format):
    net, X, Y = problem((len(HOSTILE), 3, 2), cost="cross_entropy")
    net.feature_names, net.classes = tuple(HOSTILE), (HOSTILE[0], HOSTILE[1])
    X = np.ones_like(X)
    for shown in range(len(HOSTILE)):
        X[0, shown] = 5.0
        text = cp.explain(net, X, Y, format=format)
        assert "\x1b" not in text
        assert "\x00" not in text
        if format == "mathml":
            tree = ET.fromstring(text)
            assert not [e for e in tree.iter() if e.tag.endswith(("script", "img", "}b"))]
        if format == "latex":
            assert_balanced(text)
            assert r"\input{" not in text
            assert r"\textbackslash{}input" in text
        if format == "json":
            assert any(name in fact for name in HOSTILE for fact in json.loads(text)["facts"])
        X[0, shown] = 1.0


def test_latex_escapes_every_special_character():
    text = escaped("".join(map(chr, range(32, 127))))
    assert_balanced(text)
    assert re.sub(r"\\text\w+\{\}|\\[{}$&#%_]", "", text).isprintable()
    assert not set(re.sub(r"\\text\w+\{\}|\\[{}$&#%_]", "", text)) & set("\\{}$&#%_^~")


def test_numbers_shorter_than_the_digits_asked_for_are_exact_and_others_are_not_shortened():
    net, x, y = mazur()
    text = cp.explain(net, x, y)
    assert "a¹₁ = 0.05\n" in text
    assert "= −0.03810" in text  # not −0.0381, which would claim to be exact
    assert "= −0.02260" in text


def test_a_large_network_is_told_quickly_enough_to_ask_for_it():
    net = cp.Network([784, 30, 10], seed=0)
    rng = np.random.default_rng(0)
    text = cp.explain(net, rng.uniform(size=(1, 784)), [3])
    assert "[..., 780 more]" in text
    assert len(text) < 30_000


def test_what_a_matrix_leaves_out_is_counted_exactly():
    net, X, Y = problem((40, 20, 12))
    document = document_of(net.trace(X, Y), "nielsen")
    text, latex, mathml = (rendered(document, each, "matrix") for each in ("text", "latex", "mathml"))
    step = text.partition("Forward, layer 2")[2].partition("a² = ")[0]
    assert re.findall(r"([\d,]+) more", step.partition("z² = w² a¹ + b²")[2]) == [
        "37",
        "16",
        "36",
        "16",
        "16",
    ]
    for each in (latex, mathml):
        for count in ("37 more", "16 more", "36 more"):
            assert count in each
    # 4 of 20 rows and 3 of 40 columns; 4 rows of 40; one row more than 4 would be shown rather than counted.
    assert "[..., 1 more]" not in rendered(
        document_of(problem((5, 5, 5))[0].trace([[1.0] * 5], [[1.0] * 5])), "text", "matrix"
    )


def test_a_large_json_is_announced_with_its_size():
    net = cp.Network([1500, 1000, 10], seed=0)
    with pytest.warns(
        UserWarning, match=r"has 3,0\d\d,\d{3} numbers, about 61 MB: .* HTML, LaTeX"
    ) as told:
        made = cp.explain(net, np.zeros((1, 1500)), [0], format="json")
    assert told[0].filename == __file__
    assert 0.1 < len(made) / 60e6 < 1.5
