"""docs/the-four-chapters.md goes through every section of the documents, and all that it names is there."""

import importlib
import inspect
import re
from functools import reduce
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer.main

import clearprop as cp
from clearprop.cli.app import application
from clearprop.explain import FORMATS, NOTATIONS
from clearprop.explain.steps import NOTATION_OF
from oracles import central_differences
from test_equations_page import definition

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "the-four-chapters.md"
SECTIONS = {
    "S0": """1. Introduction; 2. Chain rule; 3. Calculating the derivatives;
        4. Backpropagating the last layer; 5. Backpropagating the remaining layers; 6. In practice""",
    "S1": """DATA SCIENCE; Neural networks: training with backpropagation.; Overview; Pre-requisites; Gradient descent;
        Matrix multiplication; Starting simple; Defining "good" performance in a neural network;
        Adding complexity; Layer 2 Parameters; Layer 1 Parameters; Generalizing a method;
        Layer 2 Parameters; Layer 1 Parameters; Backpropagation; Backpropagation visualized;
        A formalized method for implementing backpropagation; Revisiting the weights initialization;
        Putting it all together; Further reading; 12a: Neural Nets; Lecture 10 - Neural Networks;
        MORE IN DATA SCIENCE; DATA SCIENCE""",
    "S2": """How the backpropagation algorithm works; Neural Networks and Deep Learning; Sponsors; Resources;
        Warm up: a fast matrix-based approach to computing the output from a neural network;
        The two assumptions we need about the cost function; The Hadamard product, $s \\odot t$;
        The four fundamental equations behind backpropagation;
        Summary: the equations of backpropagation; Problem;
        Proof of the four fundamental equations (optional); Exercise; The backpropagation algorithm;
        Exercises; The code for backpropagation; Problem;
        In what sense is backpropagation a fast algorithm?; Backpropagation: the big picture""",
    "S3": """Working out Backpropogation; Neural Network Structure; Cost Gradients;
        Computing Partial Derivatives; The Backpropogation Algorithm; Stochastic Gradient Descent""",
}
VALUES = {"--notation": NOTATIONS, "--algorithm": NOTATION_OF, "--format": FORMATS}


def tables(text=None):
    """Return the rows of each document, as (section, what, where, shown by)."""
    found = {}
    for part in re.split(r"^## ", PAGE.read_text() if text is None else text, flags=re.MULTILINE)[1:]:
        lines = [line for line in part.splitlines() if line.startswith("|")][2:]
        found[part[:2]] = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]
    return found


ROWS = [row for rows in tables().values() for row in rows]
LINKS = sorted({link for row in ROWS for link in re.findall(r"\[(.+?)\]\((.+?)\)", " ".join(row))})
CODE = sorted(
    {
        code
        for row in ROWS
        for code in re.findall(r"`(.+?)`", re.sub(r"\[.+?\]\(.+?\)", "", " ".join(row)))
    }
)


@pytest.mark.parametrize("document", SECTIONS)
def test_every_section_of_the_document_has_its_rows_in_its_order(document):
    titles = [
        title for section, *_ in tables()[document] for title in re.findall(r"\*\*(.+?)\*\*", section)
    ]
    assert titles == [" ".join(title.split()) for title in SECTIONS[document].split(";")]


def test_every_row_says_what_where_and_by_which_test():
    assert "partly" not in PAGE.read_text()
    for row in ROWS:
        assert len(row) == 4, row
        _, what, where, shown = row
        assert what
        assert (where == "nothing to compute") == (shown == "")
        assert re.fullmatch(r"(\[`test_\w+`\]\(\.\./tests/[\w/]+\.py\)(, |$))*", shown), shown


def missing(name, target):
    """Return what is not there of what a link promises, or None."""
    file, _, anchor = target.partition("#")
    path = PAGE.parent / file
    if not path.is_file():
        return f"there is no {file}"
    text = path.read_text()
    if name.startswith("`") and definition(text, name.strip("`")) is None:
        return f"{file} has no {name}"
    if re.fullmatch(r"[VD]\d+", name) and not re.search(rf"^##+ {name}\b", text, flags=re.MULTILINE):
        return f"{file} has no section {name}"
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    if anchor and anchor not in [re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles]:
        return f"{file} has no section {anchor}"
    return None


@pytest.mark.parametrize(("name", "target"), LINKS)
def test_a_link_leads_to_what_it_names(name, target):
    assert missing(name, target) is None


def unknown(code):
    """Return what does not exist of a Python name or a command line, or None."""
    if match := re.fullmatch(r"cp\.([\w.]+)(?:\((.+)\))?", code):
        *owners, last = match[1].split(".")
        owner = reduce(getattr, owners, cp)
        if not hasattr(owner, last) and last not in getattr(owner, "__dataclass_fields__", ()):
            return match[1]
        named = re.findall(r"\w+(?==)", match[2] or "")
        known = inspect.signature(getattr(owner, last)).parameters if named else ()
        return next((each for each in named if each not in known), None)
    program, name, *words = [*code.split(), "", ""]
    command = typer.main.get_command(application()).commands.get(name)
    if program != "clearprop" or command is None:
        return code
    options = {option for parameter in command.params for option in parameter.opts}
    for word, value in pairwise(words):
        if word.startswith("--") and (word not in options or value not in VALUES.get(word, [value])):
            return f"{word} {value}".strip()
    return None


@pytest.mark.parametrize("code", CODE)
def test_a_function_or_command_that_is_named_exists(code):
    assert unknown(code) is None


def test_what_is_not_there_is_found_out():
    assert missing("`test_of_nothing`", "../tests/project/test_errata.py")
    assert missing("V99", "figures.md")
    assert missing("x", "backpropagation-shown.md#why-not")
    assert missing("x", "no-page.md")
    assert unknown("cp.Network.tracing") == "Network.tracing"
    assert unknown("cp.Network.fit(batch=)") == "batch"
    assert unknown("clearprop explain --notation heavy") == "--notation heavy"
    assert unknown("clearprop explain --colour") == "--colour"
    assert unknown("clearprop tell")
    assert unknown("f")


@pytest.mark.parametrize("file", sorted({t for _, t in LINKS if t.startswith("../tests/")}))
def test_every_test_that_is_named_is_one_that_pytest_collects(file):
    module = importlib.import_module(Path(file).stem)
    assert module.__name__.startswith("test_")
    for name in [name.strip("`") for name, target in LINKS if target == file]:
        assert inspect.isfunction(getattr(module, name)), name


# Sentences of the documents that no other test takes at their word


def test_the_derivatives_of_z_are_a_1_and_w():
    """S0, part 3; S3: of z_i = sum_j w_ij a_j + b_i, and a bias is the weight of an input of 1."""
    net = cp.Network([4, 5, 3], output="sigmoid", cost="quadratic", dtype="float64", seed=1)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=4), rng.uniform(size=3)
    net.biases[1][:] = rng.normal(size=3)
    hidden, output = net.trace(x[None], y[None]).layers
    w, b, a = net.weights[1].copy(), net.biases[1].copy(), hidden.a[0]

    def z(i, w_i, b_i, a):
        return sum(w_i[j] * a[j] for j in range(5)) + b_i

    dz_da = np.array([central_differences(lambda a, i=i: z(i, w[i], b[i], a), a) for i in range(3)])
    for i, delta in enumerate(output.delta[0]):
        by_w = central_differences(lambda w_i, i=i: z(i, w_i, b[i], a), w[i])
        by_b = central_differences(lambda b_i, i=i: z(i, w[i], b_i[0], a), b[i : i + 1])
        np.testing.assert_allclose(by_w, a, rtol=1e-9)
        np.testing.assert_allclose(by_b, [1], rtol=1e-9)
        np.testing.assert_allclose(output.weight_gradient[i], delta * by_w, rtol=1e-9)
        np.testing.assert_allclose(output.bias_gradient[i], delta * by_b[0], rtol=1e-9)
    np.testing.assert_allclose(dz_da, w, rtol=1e-9)
    np.testing.assert_allclose(hidden.error[0], output.delta[0] @ dz_da, rtol=1e-9)
    as_a_weight = cp.Network([6, cp.Layer(3, "sigmoid", bias=False)], cost="quadratic", dtype="float64")
    as_a_weight.weights[0][:] = np.column_stack([w, b])
    of_input = as_a_weight.gradient([[*a, 1.0]], y[None]).weights[0]
    np.testing.assert_allclose(of_input[:, :5], output.weight_gradient, rtol=1e-12)
    np.testing.assert_allclose(of_input[:, 5], output.bias_gradient, rtol=1e-12)


def test_the_slope_is_multiplied_as_in_28():
    """S2, (28): [1, 2] elementwise by [3, 4] is [3, 8]; here what arrives at a, by the slope."""
    scaled = [
        cp.Activation(f"times_{k}", lambda z, k=k: k * z, lambda z, k=k: k + 0 * z) for k in (3, 4)
    ]
    net = cp.Network([2, cp.Layer(2, scaled, bias=False)], cost="quadratic", dtype="float64", seed=0)
    net.weights[0][:] = 0
    layer = net.trace([[1.0, 1.0]], [[-1.0, -2.0]]).layers[0]
    assert (layer.error[0].tolist(), layer.slope[0].tolist()) == ([1, 2], [3, 4])
    assert layer.delta[0].tolist() == [3, 8]
