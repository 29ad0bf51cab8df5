"""A report: its numbers are the library's, and those on its page are its numbers."""

import io
import json
import math
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn import metrics

import clearprop as cp
from clearprop.cli import app
from clearprop.reporting import figures_of
from clearprop.reporting.doors import subject_of
from reported import Page, at, classifier, houses, people, points_of, read_back, regressor

DOCS = Path(__file__).parents[2] / "docs" / "report.md"


@pytest.fixture(scope="module")
def of_classes():
    model, rows = classifier()
    return model, rows, cp.report(model, rows.drop(columns="leaves"), rows["leaves"])


@pytest.fixture(scope="module")
def of_quantities():
    model, rows = regressor()
    return model, rows, cp.report(model, rows.drop(columns="cost"), rows["cost"])


@pytest.fixture(scope="module")
def several():
    X, y = np.random.default_rng(0).normal(size=(90, 4)), np.arange(90) % 3
    X[:, 0] += y
    net = cp.Network([4, 5, 3], output="softmax", cost="cross_entropy", seed=0)
    net.fit(X, y, epochs=5, batch_size=9, optimizer=cp.Adam(0.05), progress=False)
    return cp.report(net, X, y)


@pytest.fixture(scope="module", params=["of_classes", "of_quantities", "several"])
def any_report(request):
    found = request.getfixturevalue(request.param)
    return found[2] if isinstance(found, tuple) else found


def test_every_number_on_the_page_is_that_of_the_tree_as_it_is_shown(any_report):
    tree = any_report.to_dict()
    found = Page(any_report.html).numbers
    assert len(found) > 60
    for ref, value, factor, text in found:
        assert float(value) == at(tree, ref), ref
        shown, half = read_back(text, factor)
        assert abs(shown - float(value)) <= half * 1.001 + 1e-12, (ref, text)


def test_every_series_that_is_drawn_has_the_points_of_the_tree(any_report):
    tree, drawn = any_report.to_dict(), Page(any_report.html).paths
    assert drawn
    for ref, path, axes in drawn:
        (x, y), wide, tall = points_of(path, axes)
        there = at(tree, ref)
        if ref in ("roc.0", "precision_recall.0", "roc.1", "roc.2"):
            np.testing.assert_allclose(x, there["x"], atol=0.06 * wide)
            np.testing.assert_allclose(y, there["y"], atol=0.06 * tall)
        elif ref == "reliability.bins":
            np.testing.assert_allclose(y, [each["came"]["value"] for each in there], atol=0.06 * tall)
        elif ref == "fit.true":
            np.testing.assert_allclose(y, there, atol=0.06 * tall)
        elif ref.startswith("fit.over"):
            np.testing.assert_allclose(y, [each["error"]["value"] for each in there], atol=0.06 * tall)
        elif ref.startswith("course"):
            np.testing.assert_allclose(y, [v for v in there if v is not None], atol=0.06 * tall)


def test_metrics_are_those_of_scikit_learn(of_classes):
    model, rows, made = of_classes
    X, y = rows.drop(columns="leaves"), rows["leaves"]
    p = model.predict_proba(X)[:, 1].astype(np.float64)
    values = made.figures.performance.contestants[0].values
    assert values["accuracy"].value == (model.predict(X) == y).mean()
    assert values["auc"].value == pytest.approx(metrics.roc_auc_score(y == "Yes", p), abs=1e-6)
    assert values["log_loss"].value == pytest.approx(metrics.log_loss(y, p), abs=1e-6)
    assert values["brier"].value == pytest.approx(metrics.brier_score_loss(y == "Yes", p), abs=1e-6)
    counts = metrics.confusion_matrix(y, model.predict(X))
    assert np.array_equal(made.figures.confusion.counts, counts)
    area = metrics.average_precision_score(y == "Yes", p)
    assert made.figures.precision_recall[0].area == pytest.approx(area, abs=1e-6)
    for each in values.values():
        assert each.low < each.value < each.high


def test_baselines_answer_rows_that_they_have_not_learned_from(of_classes):
    _, rows, made = of_classes
    majority, linear, trees = made.figures.performance.contestants[1:]
    assert (majority.name, linear.name, trees.name) == (
        "majority",
        "logistic regression",
        "boosted trees",
    )
    assert majority.n_learned == 240
    share = rows["leaves"].value_counts(normalize=True).max()
    assert majority.values["accuracy"].value == pytest.approx(share, abs=1e-12)
    mine = made.figures.performance.contestants[0].values["accuracy"].value
    assert majority.better.value == pytest.approx(mine - share)
    assert majority.better.low < majority.better.value < majority.better.high


def test_reliability_counts_what_came_of_what_was_said(of_classes):
    model, rows, made = of_classes
    p = model.predict_proba(rows.drop(columns="leaves"))[:, 1].astype(np.float64)
    came = (rows["leaves"] == "Yes").to_numpy()
    order = np.argsort(p, kind="stable")
    bins = made.figures.reliability.bins
    assert sum(each.n for each in bins) == len(rows)
    first = order[: bins[0].n]
    assert bins[0].said == pytest.approx(p[first].mean(), abs=1e-6)
    assert bins[0].came.value == came[first].mean()
    counts = made.figures.scores.counts
    assert sum(counts["Yes"]) == came.sum()
    assert sum(counts["No"]) == (~came).sum()


def test_thresholds_count_mistakes_and_the_best_one_costs_least(of_classes):
    model, rows, made = of_classes
    p = model.predict_proba(rows.drop(columns="leaves"))[:, 1].astype(np.float64)
    came = (rows["leaves"] == "Yes").to_numpy()
    found = made.figures.thresholds
    for at_, alarms, missed in list(
        zip(found.at, found.false_positives, found.false_negatives, strict=True)
    )[::10]:
        assert alarms == ((p > at_) & ~came).sum()
        assert missed == ((p <= at_) & came).sum()
    for choice in found.choices:
        costs = (
            np.array(found.false_positives) + choice.ratio * np.array(found.false_negatives)
        ) / len(p)
        assert choice.cost <= costs.min() + 1e-12
        assert choice.cost_now == pytest.approx(costs[50])


def test_quantities_have_their_errors_residuals_and_intervals(of_quantities):
    model, rows, made = of_quantities
    X, y = rows.drop(columns="cost"), rows["cost"].to_numpy()
    predicted = model.predict(X).astype(np.float64)
    values = made.figures.performance.contestants[0].values
    assert values["rmse"].value == pytest.approx(np.sqrt(((predicted - y) ** 2).mean()), rel=1e-5)
    assert values["r2"].value == pytest.approx(metrics.r2_score(y, predicted), rel=1e-5)
    fit = made.figures.fit
    assert fit.quantiles["50 %"] == pytest.approx(np.median(y - predicted), rel=1e-3, abs=1e-3)
    over = fit.over[0]
    assert over.column == "the prediction"
    assert sum(group.n for group in over.groups) == len(rows)
    lowest = predicted <= np.quantile(predicted, 0.1, method="inverted_cdf")
    assert over.groups[0].error.value == pytest.approx((y - predicted)[lowest].mean(), rel=1e-3)
    for each in made.figures.coverage:
        _, bounds = model.predict(X, interval=each.level)
        held = ((bounds[:, 0] <= y) & (y <= bounds[:, 1])).mean()
        assert each.held.value == pytest.approx(held, abs=2 / len(y))
    assert [each.level for each in made.figures.coverage]


def test_the_shell_says_what_evaluate_says_and_the_files_are_named(tmp_path, monkeypatch, capsys):
    rows = people(300)
    monkeypatch.chdir(tmp_path)
    rows.to_csv("people.csv", index=False)
    people(200, 1).to_csv("new_customers.csv", index=False)
    how = "--hidden 5 --epochs 4 --seed 1 --engine numpy --quiet --output churn.safetensors"
    assert run(f"train people.csv --target leaves {how}") == 0
    page, figures = re.findall(r"^\$ clearprop (report .*)$", DOCS.read_text(), flags=re.MULTILINE)
    assert run(page) == 0
    assert run(figures.removesuffix(" > figures.json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert run("evaluate churn.safetensors new_customers.csv --json") == 0
    there = json.loads(capsys.readouterr().out)
    values = told["performance"]["contestants"][0]["values"]
    for name in ("accuracy", "log_loss", "brier", "auc"):
        assert values[name]["value"] == there[name]
        assert [values[name]["low"], values[name]["high"]] == there["intervals"][name]
    assert told["performance"]["ece"] == there["ece"]
    assert told["performance"]["cost"] == there["cost"]
    about = told["about"]
    assert (about["model"]["name"], about["data"]["name"]) == ("churn.safetensors", "new_customers.csv")
    assert len(about["model"]["sha256"]) == 64
    assert about["same_data"] is False
    assert about["result"]["part"] == "test"
    assert told["course"]["kept"] in told["course"]["epochs"]
    kinds = {each["name"]: each["kind"] for each in told["columns"]}
    assert kinds == {
        "person": "identifier", "tenure": "numeric", "charges": "numeric", "contract": "categorical",
        "leaves": "target",
    }  # fmt: skip
    written = tmp_path / "report.html"
    first = written.read_bytes()
    assert run(page) == 0
    assert written.read_bytes() == first
    assert run("report churn.safetensors people.csv --output report.html") == 0
    page = " ".join(Page(written.read_text()).text)
    assert "Of rows that it has seen every figure looks better than it is" in page
    lines = people(40, 1).to_json(orient="records", lines=True)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert run("report churn.safetensors - --json") == 0
    about = json.loads(capsys.readouterr().out)["about"]
    assert (about["data"]["name"], about["n_rows"]) == ("standard input", 40)


def run(line):
    with pytest.raises(SystemExit) as ended:
        app.main(line.split())
    return ended.value.code or 0


# What is not there, or is wrong


def test_without_a_target_there_are_no_metrics_and_the_page_says_so(of_classes):
    model, rows, _ = of_classes
    made = cp.report(model, rows.drop(columns="leaves"))
    assert made.figures.performance is None
    assert "without metrics" in " ".join(Page(made.html).text)
    assert made.figures.columns


def test_a_target_among_the_columns_is_found_by_its_name(of_classes):
    model, rows, made = of_classes
    assert cp.report(model, rows).figures.performance == made.figures.performance


def test_labels_that_the_model_does_not_know_count_as_wrong_and_are_named(of_classes):
    model, rows, _ = of_classes
    y = rows["leaves"].where(rows.index % 10 != 0, "Perhaps")
    found = cp.report(model, rows.drop(columns="leaves"), y).figures
    assert found.performance.n_unknown == 30
    assert found.performance.unknown == ("Perhaps",)
    assert sum(found.confusion.n_unknown) == 30
    right = (model.predict(rows.drop(columns="leaves")) == y).mean()
    assert found.performance.contestants[0].values["accuracy"].value == pytest.approx(right)


def test_a_target_of_other_classes_is_refused(of_classes):
    model, rows, _ = of_classes
    y = np.where(rows["leaves"] == "Yes", "ja", "nein")
    with pytest.raises(
        ValueError, match=r"must hold classes that the model knows \('No', 'Yes'\), got 'ja'"
    ):
        cp.report(model, rows.drop(columns="leaves"), y)


def test_a_table_of_another_model_is_refused(of_classes):
    with pytest.raises(ValueError, match="lacks 'person', 'tenure', 'charges'|lacks 'tenure'"):
        cp.report(of_classes[0], houses(9), ["No"] * 9)


def test_rows_and_answers_that_do_not_go_together_are_refused(of_classes, of_quantities):
    model, rows, _ = of_classes
    with pytest.raises(ValueError, match="as many rows, got 300 and 299"):
        cp.report(model, rows.drop(columns="leaves"), rows["leaves"][1:])
    model, rows, _ = of_quantities
    with pytest.raises(ValueError, match="y must hold one finite quantity for each row, got NaN"):
        cp.report(model, rows.drop(columns="cost"), rows["cost"].where(rows.index != 3))
    with pytest.raises(TypeError, match="model must be a Network, a fitted MLPClassifier"):
        cp.report("model", rows)
    with pytest.raises(ValueError, match="one label or one quantity a row, this one answers 2"):
        cp.report(cp.Network([2, 2], cost="quadratic", seed=0), [[1.0, 2.0]], None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("", "--output must name the page's file, or --json ask for the figures"),
        ("--output page.csv", "--output must be a .html file, got page.csv"),
        ("--output no/page.html", "--output no/page.html: there is no folder"),
        ("--output page.html --target tenor", "did you mean 'tenure'?"),
    ],
)
def test_the_shell_refuses_in_a_sentence_and_writes_nothing(
    options, sentence, tmp_path, monkeypatch, capsys, of_classes
):
    model, rows, _ = of_classes
    monkeypatch.chdir(tmp_path)
    model.save("model.safetensors")
    rows.to_csv("rows.csv", index=False)
    assert run(f"report model.safetensors rows.csv {options}") == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "rows.csv"]


def test_one_row_one_class_and_a_constant_column_make_a_report(of_classes):
    model, rows, _ = of_classes
    for some in (rows[:1], rows[rows["leaves"] == "Yes"], rows.assign(tenure=3)):
        made = cp.report(model, some.drop(columns="leaves"), some["leaves"])
        assert made.figures.performance.n_rows == len(some)
    assert made.figures.segments.constant == ("tenure",)
    assert "The same in every row here, so that nothing can be compared: tenure." in made.html
    assert "tenure" not in {each.column for each in made.figures.segments.found}


def test_what_is_written_in_cells_is_inert(of_classes):
    words = ("<script>alert(1)</script>", "</style>&")
    rows = people(200, words=words)
    made = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    made.fit(rows.drop(columns="leaves"), rows["leaves"])
    page = cp.report(made, rows.drop(columns="leaves"), rows["leaves"]).html
    assert "<script>alert" not in page
    assert page.count("</style>") == 1
    assert "<script>alert(1)</script>" in unescape(" ".join(Page(page).text))


def test_a_notebook_shows_the_page_and_the_tree_is_json(of_classes):
    made = of_classes[2]
    assert unescape(made._repr_html_()).count("<!DOCTYPE html>") == 1
    tree = json.loads(made.to_json())
    assert tree == made.to_dict()
    assert tree["format"] == "clearprop-report/1"
    assert repr(made).startswith("<a report of")


def test_what_is_no_finite_number_is_none_in_json(of_classes):
    model, rows, _ = of_classes
    subject, _ = subject_of(model, rows.drop(columns="leaves"), rows["leaves"])
    found = figures_of(subject, {"epoch": [1, 2], "cost": [math.nan, 0.5]})
    assert found.course.columns["cost"][1] == 0.5
    from clearprop.reporting import Report

    made = Report(found)
    assert made.to_dict()["course"]["columns"]["cost"] == [None, 0.5]


def test_of_very_many_rows_some_are_drawn_the_same_ones_however_they_came(monkeypatch):
    model, _ = regressor(200)
    rows = pandas.concat([houses(300, seed) for seed in range(4)], ignore_index=True)
    monkeypatch.setattr("clearprop.reporting.subject.MOST_ROWS", 400)
    subject, _ = subject_of(model, rows.drop(columns="cost"), rows["cost"])
    assert subject.n_rows == 1200
    assert 200 < len(subject) < 400
    np.testing.assert_array_equal(subject.y, rows["cost"].to_numpy()[subject.rows])
    again = cp.report(model, rows.drop(columns="cost"), rows["cost"]).figures
    assert again.about.n_used == len(subject)
