"""What a cell shows of data sets, passes, paths, changes, findings, marks and curves."""

import re

import numpy as np
import pytest

import clearprop as cp
from test_reprs import HOSTILE, Elements

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(7, 4)), np.array([0, 1, 2, 0, 1, 2, 0])


@pytest.fixture(scope="module")
def net():
    return cp.Network([4, 5, 3], seed=1)


def test_a_data_set_says_what_it_is_and_what_is_in_it():
    shown = Elements(cp.data.load("iris")._repr_html_()).text
    for each in (
        "classification",
        "120 rows to train on, 30 to test",
        "setosa",
        "33.3%",
        "petal length (cm)",
        "5.858",
    ):
        assert each in shown
    wide = cp.data.load("digits")._repr_html_()
    assert "images of 8 x 8" in wide
    assert "and 52 more" in Elements(wide).text
    assert "least" in Elements(cp.data.load("diabetes")._repr_html_()).text


def test_a_data_sets_names_are_text():
    made = cp.data.Dataset(
        "n",
        HOSTILE,
        "classification",
        X,
        LABELS,
        classes=(HOSTILE, "b", "c"),
        feature_names=(HOSTILE, "b", "c", "d"),
    )
    found = Elements(made._repr_html_())
    assert found.text.count(HOSTILE) == 3
    assert "img" not in found.names
    assert "rows" in Elements(cp.data.Dataset("n", "s", "regression", X, None)._repr_html_()).text


def test_paths_are_a_table_and_a_formula(net):
    paths = cp.path_sum(net, X[0], LABELS[0], layer=0, to=1, source=2)
    shown = Elements(paths._repr_html_())
    assert f"{paths.total:.4g}" in shown.text
    assert shown.names.count("tr") == 1 + len(paths.paths)
    latex = paths._repr_latex_()
    assert latex.startswith("$$\\begin{aligned}\n\\frac{\\partial C}{\\partial w_{23}} &= ")
    factors = [re.findall(r"-?\d\.\d+", line) for line in latex.splitlines()[2:-1]]
    found = [np.prod([float(each) for each in line]) for line in factors if len(line) > 1]
    np.testing.assert_allclose(found, [path.product for path in paths.paths], rtol=1e-3)


def test_a_change_is_a_table_and_a_formula(net):
    nudge = cp.nudge(net, X[0], LABELS[0], layer=0, neuron=1, by=-0.01)
    shown = Elements(nudge._repr_html_())
    assert f"{nudge.predicted:#.4g}" in shown.text
    assert "is changed by -0.01" in shown.text
    latex = nudge._repr_latex_()
    assert r"\Delta C &\approx \delta\, \Delta z" in latex
    assert r"\times (-0.01)" in latex
    assert latex.count("{") == latex.count("}")


def test_a_pass_is_formulas_with_the_engines_numbers(net):
    trace = net.copy("float64").trace(X[:1], LABELS[:1])
    latex = trace._repr_latex_()
    assert latex.count(r"\begin{aligned}") == latex.count(r"\end{aligned}") == 1
    assert r"\tag" not in latex  # MathJax has none inside
    assert f"{trace.layers[-1].delta[0, 0]:.4g}" in latex
    assert latex.count("{") == latex.count("}")


def test_a_finding_alone_and_marks_show_themselves():
    slow = cp.Network([4, 5, 3], output="sigmoid", cost="quadratic", seed=0)
    slow.biases[1][:] = 9.0
    finding = cp.diagnose(slow, X, RNG.uniform(size=(7, 3)))[0]
    assert finding.what.split(":")[0][:20] in Elements(finding._repr_html_()).text
    (worksheet,) = cp.worksheets(blanks=["forward"])
    assert "Worksheet 1 of 1" in Elements(worksheet._repr_html_()).text
    assert ".worksheet .blank {" in worksheet._repr_html_()  # a line to write on


@pytest.fixture(scope="module")
def stopped():
    net = cp.Network([4, 5, 3], seed=1)
    held_out = RNG.normal(size=(20, 4)), RNG.integers(0, 3, 20)
    stop = cp.EarlyStopping(patience=4)
    optimizer = cp.Adam(0.1)
    return net.fit(X, LABELS, epochs=60, batch_size=3, validation_data=held_out, early_stopping=stop,
                   optimizer=optimizer, progress=False, seed=0)  # fmt: skip


def test_the_epoch_that_is_kept_is_marked(stopped):
    best = stopped["epoch"][int(np.argmin(stopped["validation_cost"]))]
    assert stopped.stopped == "early stopping"
    assert stopped.kept == best < len(stopped)
    shown = Elements(stopped._repr_html_())
    assert f"epoch {best} is kept" in shown.text
    pytest.importorskip("matplotlib")
    for axes in stopped.plot().axes:
        (mark,) = [line for line in axes.get_lines() if str(line.get_label()).startswith("kept")]
        assert set(mark.get_xdata()) == {best}


def test_an_estimators_history_knows_the_epoch_that_is_kept():
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(120, 4)), rng.integers(0, 2, 120)
    model = cp.MLPClassifier(
        8, early_stopping=True, max_iter=25, learning_rate_init=0.05, random_state=0
    )
    history = model.fit(rows, labels).history_
    scores = model.validation_scores_
    assert history.kept == len(scores) - int(np.argmax(scores[::-1]))
    assert model.fit(rows, labels).history_.kept == history.kept


def test_nothing_is_marked_where_the_latest_parameters_are_kept():
    net = cp.Network([4, 5, 3], seed=1)
    history = net.fit(X, LABELS, epochs=3, batch_size=3, progress=False)
    assert history.kept is None
    assert "kept" not in history._repr_html_()


def test_a_run_that_goes_on_knows_which_epoch_is_kept(tmp_path):
    def made():
        return cp.Network([4, 5, 3], seed=1)

    held_out = RNG.normal(size=(20, 4)), RNG.integers(0, 3, 20)
    how = {"validation_data": held_out, "early_stopping": cp.EarlyStopping(patience=50), "batch_size": 3,
           "optimizer": cp.Adam(0.1), "progress": False, "seed": 0, "checkpoint": tmp_path / "c"}  # fmt: skip
    whole = made().fit(X, LABELS, epochs=20, **(how | {"checkpoint": None}))
    made().fit(X, LABELS, epochs=12, **how)
    assert made().fit(X, LABELS, epochs=20, resume=True, **how).kept == whole.kept is not None


def test_a_figure_shows_itself_once_and_is_none_of_pyplots(net, stopped, tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib import pyplot

    for figure in (stopped.plot(), net.plot(str(tmp_path / "net.png"))):
        assert figure._repr_png_().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []
    assert (tmp_path / "net.png").stat().st_size > 5000
    lines = net.plot().axes[0].get_lines()
    assert len(lines) == 4 * 5 + 5 * 3
    dashed = sum(line.get_linestyle() == "--" for line in lines)
    assert dashed == sum(int((W < 0).sum()) for W in net.weights)
    assert len(cp.Network([300, 30, 2], seed=0).plot().axes[0].get_lines()) == 8 * 8 + 8 * 2
