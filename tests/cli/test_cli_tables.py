"""``clearprop train`` with raw tables, and what its models do with others like them."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clearprop as cp
from clearprop.cli import errors, running, table_options
from clearprop.estimators.fitting import Fitter

SMALL = ("--hidden", "8", "--engine", "numpy", "--seed", "0")
QUICK = (*SMALL, "--epochs", "2")
N = 120


@pytest.fixture
def frame(tmp_path):
    """Write a table with all that tables have, and return it."""
    rng = np.random.default_rng(0)
    plan = rng.choice(["basic", "plus", "pro"], N)
    age = rng.normal(40, 12, N).round(1)
    made = {
        "customer_id": np.arange(N) + 1000,
        "age": np.where(np.arange(N) % 9 == 0, " ", age.astype(str)),
        "plan": np.where(np.arange(N) % 11 == 0, "?", plan),
        "since": [f"20{10 + i % 9}-0{1 + i % 9}-1{i % 10}" for i in range(N)],
        "vip": np.where(rng.random(N) < 0.3, "true", "false"),
        "country": ["NL"] * N,
        "shop": np.arange(N) % 6,
        "count": 1 + np.arange(N) % 3,
        "note": [f"a long remark number {i} of its own" for i in range(N)],
        "left": np.where((age > 40) ^ (plan == "pro"), "yes", "no"),
    }
    found = pandas.DataFrame(made)
    found.to_csv(tmp_path / "t.csv", index=False)
    return found


def test_what_becomes_of_every_column_is_said_and_kept(clearprop, frame):
    code, out, err = clearprop("train", "t.csv", "--target", "left", *QUICK)
    assert code == 0
    rows = {line.split()[0]: line.split()[1] for line in err.splitlines() if len(line.split()) > 1}
    expected = {
        "customer_id": "identifier", "age": "numeric", "plan": "categorical", "since": "datetime",
        "vip": "boolean", "country": "constant", "shop": "numeric", "count": "categorical", "note": "text",
        "left": "target",
    }  # fmt: skip
    assert {name: rows[name] for name in expected} == expected
    ages = pandas.to_numeric(frame["age"], errors="coerce")
    for said in (
        "left out: an identifier by its name, with 120 different values",
        f"numbers from {ages.min():g} to {ages.max():g}; 14 missing (median",
        "left out: it is always 'NL'",
        "left out: free text, 3",
        "t.csv: 96 rows to train on; 24 rows are held out for validation",
        "target left: binary, 2 classes (2 different words; --task overrides)",
    ):
        assert said in " ".join(err.split())
    assert "12 of them choose the epoch; 12 judge, the figures are theirs" in err
    assert re.search(r"^test accuracy +\d+\.\d %  \(\d+ of 12 right\)\n95 % interval +\d", out)
    assert "of rows that chose nothing; 12 chose" in out
    assert "few rows: the interval says how little" in out
    info = clearprop("info", "t.safetensors")[1]
    assert "on 96 rows" in info
    for name, kind in expected.items():
        assert any(line.split()[:2] == [name, kind] for line in info.splitlines()), name
    described = json.loads(clearprop("info", "t.safetensors", "--json")[1])
    decisions = described["about"]["estimator"]["table"]["decisions"]
    assert {each["name"]: each["kind"] for each in decisions} == expected


def test_the_model_is_that_of_the_estimator_and_takes_the_raw_file_back(clearprop, frame):
    assert clearprop("train", "t.csv", "--target", "left", *QUICK)[0] == 0
    code, out, err = clearprop("predict", "t.safetensors", "t.csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["row", "customer_id", "prediction", "probability_no", "probability_yes"]
    estimator = cp.MLPClassifier.load("t.safetensors")
    assert estimator.preset == "realmlp"
    features = frame.drop(columns="left")
    assert [row["prediction"] for row in rows] == estimator.predict(features).tolist()
    found = [[float(row[f"probability_{label}"]) for label in ("no", "yes")] for row in rows]
    np.testing.assert_allclose(found, estimator.predict_proba(features), rtol=1e-5)
    net = cp.load("t.safetensors")
    inputs = net.model.inputs
    rows = inputs.of_batch(inputs.open("t.csv").table(inputs.columns), net.dtype)
    np.testing.assert_allclose(net.model.targets.probabilities(net.predict(rows)), found, rtol=1e-5)


def test_columns_may_be_in_any_order_and_others_are_named_but_none_may_be_absent(clearprop, frame):
    clearprop("train", "t.csv", "--target", "left", *QUICK)
    _, expected, _ = clearprop("predict", "t.safetensors", "t.csv")
    others = frame[["vip", "plan", "age", "since", "count", "shop", "customer_id"]].assign(
        more=1, fun="x"
    )
    others.to_csv("moved.csv", index=False)
    code, out, err = clearprop("predict", "t.safetensors", "moved.csv")
    assert (code, out) == (0, expected)
    assert err == "clearprop: moved.csv has 'more', 'fun', which the model does not know: not used\n"
    frame.rename(columns={"age": "Age"}).drop(columns=["shop"]).to_csv("renamed.csv", index=False)
    code, out, err = clearprop("predict", "t.safetensors", "renamed.csv", "--output", "p.csv")
    assert (code, out) == (2, "")
    assert err == (
        "clearprop: renamed.csv lacks 'age', 'shop' and has 'Age', which the model does not know; the "
        "columns must be the model's\n"
    )
    assert not Path("p.csv").exists()


def test_a_file_that_is_written_otherwise_than_in_training_is_read_as_told(clearprop, frame):
    clearprop("train", "t.csv", "--target", "left", *QUICK)
    _, expected, _ = clearprop("predict", "t.safetensors", "t.csv")
    _, measured, _ = clearprop("evaluate", "t.safetensors", "t.csv", "--json")
    otherwise = {"sep": "\t", "decimal": ",", "encoding": "utf-16"}
    numbers = frame.assign(age=pandas.to_numeric(frame["age"], errors="coerce"))
    numbers.to_csv("other.csv", index=False, **otherwise)
    assert "other.csv must be UTF-8" in clearprop("predict", "t.safetensors", "other.csv")[2]
    told = ("--delimiter", "tab", "--decimal", ",", "--encoding", "utf-16")
    assert clearprop("predict", "t.safetensors", "other.csv", *told) == (0, expected, "")
    _, out, _ = clearprop("evaluate", "t.safetensors", "other.csv", "--json", *told)
    assert json.loads(out) == json.loads(measured)
    for wrong, message in {
        ("--encoding", "utf-16"): "t.csv must be utf-16: UTF-16 stream does not start with BOM",
        ("--encoding", "utf-9"): "--encoding must be one that Python knows, got 'utf-9'",
        ("--decimal", ",", "--delimiter", "comma"): "--decimal and --delimiter must be two characters",
    }.items():
        code, out, err = clearprop("predict", "t.safetensors", "t.csv", *wrong)
        assert (code, out) == (2, "")
        assert message in err
    clearprop("train", "iris", "--output", "iris.safetensors", *QUICK)
    _, _, err = clearprop("predict", "iris.safetensors", "t.csv", "--encoding", "latin-1")
    assert err == "clearprop: --encoding is for models of tables (CSV, Parquet), got t.csv\n"


def test_a_value_that_is_none_is_named_when_it_comes_to_predict(clearprop, frame):
    clearprop("train", "t.csv", "--target", "left", *QUICK)
    frame.loc[7, "age"] = "old"
    frame.to_csv("odd.csv", index=False)
    code, out, err = clearprop("predict", "t.safetensors", "odd.csv", "--output", "p.csv")
    assert (code, out) == (2, "")
    assert err == "clearprop: odd.csv must hold numbers, got 'old': line 9, column 'age'\n"
    assert not Path("p.csv").exists()


def test_options_overrule_what_the_values_tell(clearprop, frame):
    options = (
        "--drop",
        "age,vip",
        "--drop",
        "note",
        "--categorical",
        "shop",
        "--numeric",
        "count",
        "--task",
        "classification",
    )
    code, _, err = clearprop("train", "t.csv", "--target", "left", *options, *QUICK)
    assert code == 0
    rows = {line.split()[0]: line.split()[1] for line in err.splitlines() if len(line.split()) > 1}
    kinds = [rows[name] for name in ("age", "vip", "note", "shop", "count")]
    assert kinds == ["dropped"] * 3 + ["categorical", "numeric"]
    Path("run.toml").write_text(
        'target = "left"\ncolumns = ["age", "plan"]\nepochs = 1\nhidden = [8]\n'
    )
    code, _, err = clearprop("train", "t.csv", "--config", "run.toml", *SMALL[2:])
    assert code == 0
    assert cp.MLPClassifier.load("t.safetensors").table_encoder_.columns == ("age", "plan")


def test_weights_groups_and_balanced_classes_are_those_of_the_estimator(clearprop, frame):
    options = ("--weight", "count", "--group", "shop", "--class-weight", "balanced")
    code, _, err = clearprop("train", "t.csv", "--target", "left", *options, *QUICK)
    assert code == 0
    told = "80 rows to train on; 40 rows are held out for validation (whole groups of 'shop': 33.3 % of"
    assert told in err  # two of six shops: one chooses, the other judges
    assert "20 of them choose the epoch; 20 judge" in err
    net = cp.load("t.safetensors")
    fitted = cp.MLPClassifier(
        preset="realmlp", columns=net.model.inputs.encoder.decisions, class_weight="balanced", max_iter=2,
        hidden_layer_sizes=(8,), engine="numpy", random_state=0, test_share=0.5,
    )  # fmt: skip
    fitted.fit(frame.drop(columns=["left"]), frame["left"], frame["count"], groups=frame["shop"])
    np.testing.assert_array_equal(fitted.network_.parameters, net.parameters)
    assert fitted.test_result_ == net.about["result"]


def test_the_latest_rows_are_held_out_in_the_order_of_time(clearprop, frame, monkeypatch):
    seen = {}
    fit = Fitter.fit

    def watched(self, X, y, weight, validation, groups, test):
        seen.update(train=X, held=validation[0], judging=test[0])
        fit(self, X, y, weight, validation, groups, test)

    monkeypatch.setattr(Fitter, "fit", watched)
    frame["when"] = pandas.to_datetime(frame["since"])
    code, _, err = clearprop("train", "t.csv", "--target", "left", "--time", "since", *QUICK)
    assert code == 0
    assert "the latest 24 rows are held out for validation" in err
    order = np.argsort(frame["when"].to_numpy(), kind="stable")
    for name, rows in (("held", order[-24:-12]), ("judging", order[-12:])):
        assert seen[name].column("shop").to_pylist() == frame.iloc[np.sort(rows)]["shop"].tolist()
    assert "since" not in seen["train"].column_names


@pytest.mark.parametrize("solver", [(), ("--optimizer", "schedulefreeadamw", "--preset", "realmlp-s")])
def test_a_run_that_was_ended_goes_on_to_the_same_bits(clearprop, frame, monkeypatch, solver):
    run = ("train", "t.csv", "--target", "left", "--epochs", 4, *SMALL, *solver)
    assert clearprop(*run, "--output", "whole.safetensors")[0] == 0
    call = running.Log.__call__

    def end(self, training):
        call(self, training)
        if training.epochs_done == 3:
            raise errors.Terminated

    with monkeypatch.context() as changed:
        changed.setattr(running.Log, "__call__", end)
        assert clearprop(*run, "--checkpoint", "run.ckpt")[0] == 143
    assert clearprop("predict", "run.ckpt", "t.csv")[0] == 0  # a checkpoint is a model
    code, _, err = clearprop(*run, "--checkpoint", "run.ckpt", "--resume", "--output", "r.safetensors")
    assert code == 0
    assert "resumed at epoch 2" in err
    whole, resumed = (cp.MLPClassifier.load(f"{name}.safetensors") for name in ("whole", "r"))
    np.testing.assert_array_equal(whole.network_.parameters, resumed.network_.parameters)
    assert whole.validation_scores_ == resumed.validation_scores_
    assert whole.history_["cost"] == resumed.history_["cost"]
    code, _, err = clearprop(*run, "--checkpoint", "run.ckpt", "--resume", "--drop", "age")
    assert code == 2
    assert "run.ckpt cannot be resumed with other settings: --drop is ['age'], was not given" in err


def test_the_preset_is_realmlp_but_for_streams_and_runs_begun_with_another(
    clearprop, frame, monkeypatch
):
    run = ("train", "t.csv", "--target", "left", *QUICK)
    for how, preset in (((), "realmlp"), (("--buffer", "50"), "realmlp-s")):
        assert clearprop(*run, *how, "--batch-size", 40, "--output", "m")[0] == 0
        assert cp.MLPClassifier.load("m").preset == preset
    with monkeypatch.context() as before:  # there was realmlp
        before.setattr(table_options, "usual_preset", lambda *_: "realmlp-s")
        assert clearprop(*run, "--checkpoint", "c", "--output", "m")[0] == 0
    assert clearprop(*run, "--checkpoint", "c", "--resume", "--output", "m")[0] == 0
    assert cp.MLPClassifier.load("m").preset == "realmlp-s"


def test_a_regression_learns_and_says_quantities(clearprop, frame):
    frame["bill"] = 1e6 + 500.0 * pandas.to_numeric(frame["age"], errors="coerce").fillna(40)
    pq.write_table(pa.Table.from_pandas(frame.drop(columns="left")), "t.parquet")
    options = ("--target", "bill", "--drop", "note", "--epochs", 60, "--learning-rate", 0.05)
    code, out, err = clearprop("train", "t.parquet", *options, *SMALL)
    assert code == 0
    assert "target bill: regression, a quantity" in err
    assert float(out.split("test R2")[1].split()[0]) > 0.5
    rows = list(csv.DictReader(io.StringIO(clearprop("predict", "t.safetensors", "t.parquet")[1])))
    found = np.array([float(row["prediction"]) for row in rows])
    assert np.abs(found - frame["bill"]).mean() < 5000
    estimator = cp.MLPRegressor.load("t.safetensors")
    expected = estimator.predict(frame.drop(columns=["left", "bill"]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_counts_are_learned_with_their_own_cost_and_another_column_can_be_evaluated(clearprop, frame):
    run = ("train", "t.csv", "--target", "shop", "--task", "regression", "--cost", "poisson", *QUICK)
    code, out, err = clearprop(*run)
    assert code == 0
    assert "poisson" in err
    rows = list(csv.DictReader(io.StringIO(clearprop("predict", "t.safetensors", "t.csv")[1])))
    assert min(float(row["prediction"]) for row in rows) > 0
    clearprop("train", "t.csv", "--target", "left", *QUICK)
    code, out, err = clearprop("evaluate", "t.safetensors", "t.csv", "--target", "vip", "--json")
    assert code == 0
    assert json.loads(out)["n_unknown"] == N  # true and false are not yes and no


def test_a_file_without_names_and_words_of_its_own_are_read_as_told(clearprop, frame):
    names = ",".join(frame.columns)
    text = frame.replace({"plan": {"?": "not known"}}).to_csv(index=False, header=False, sep=";")
    Path("raw.data").write_text(text, encoding="latin-1")
    options = ("--names", names, "--missing", "not known", "--encoding", "latin-1")
    assert clearprop("train", "raw.data", "--target", "left", *options, *QUICK)[0] == 0
    encoder = cp.load("raw.safetensors").model.inputs.encoder
    assert encoder.encoded[1].has_missing
    assert clearprop("predict", "raw.safetensors", "raw.data")[0] == 0
    code, _, err = clearprop("train", "raw.data", "--target", "left", *QUICK)
    assert code == 2
    assert "must have a row of column names, got numbers in its first row such as '1000'" in err


def test_the_numbers_of_validation_can_be_of_other_data_or_none(clearprop, frame):
    frame.iloc[:50].to_csv("v.csv", index=False)
    run = ("train", "t.csv", "--target", "left", *QUICK)
    _, _, err = clearprop(*run, "--validation", "v.csv")
    assert "120 rows to train on; validated on 50 rows of v.csv" in err
    _, out, err = clearprop(*run, "--validation", 0)
    assert "120 rows to train on; none are held out" in err
    assert "training accuracy" in out


@pytest.mark.parametrize("how", ["", "--buffer 50"])
@pytest.mark.parametrize("roles", ["--group shop", "--time since", ""])
def test_rows_of_another_file_choose_or_judge_too(clearprop, frame, how, roles):
    """By groups and in time where the file has the column, and by rows where it has not."""
    late = frame.iloc[:60].sort_values("since")
    run = ["train", "t.csv", "--target", "left", *QUICK, "--quiet", "--json", "--batch-size", 40]
    run += ["--preset", "realmlp-s"] * (not how)  # which learns something in two epochs
    run += ["--validation", "v.csv", *how.split(), *roles.split()]
    for left_out in ([], ["shop"] * ("shop" in roles) + ["since"] * ("since" in roles)):
        late.drop(columns=left_out).to_csv("v.csv", index=False)
        code, out, err = clearprop(*run)
        assert code == 0, err
        told = json.loads(out)
        assert (told["part"], told["n_samples"], told["n_validation"]) == ("test", 30, 30)
        assert told["intervals"]["accuracy"][0] < told["accuracy"] < told["intervals"]["accuracy"][1]


def test_two_groups_or_two_rows_are_too_few_to_choose_and_to_judge(clearprop, frame):
    run = ("train", "t.csv", "--target", "left", *QUICK)
    for how in ((), ("--buffer", 50)):
        code, out, err = clearprop(*run, "--group", "vip", *how)
        assert (code, out) == (2, "")
        assert (
            "the group 'vip' of t.csv must have at least 3 different values, so that the rows of two "
            in err
        )
    code, out, err = clearprop(*run, "--time", "since", "--validation", 0.01)
    assert (code, out) == (2, "")
    assert (
        "--validation 0.01 of 120 rows holds out 1: needed are 2, to choose the epoch and to judge"
        in err
    )


def test_the_epoch_that_is_called_the_best_is_the_one_that_is_kept(clearprop, frame):
    run = ("train", "t.csv", "--target", "left", *SMALL, "--epochs", 120, "--log", "log.csv")
    code, out, _ = clearprop(*run)
    assert code == 0
    costs = pandas.read_csv("log.csv")["validation_cost"].to_numpy()
    assert f"epoch {costs.argmin() + 1}, the best on the rows held out" in out
    code, out, _ = clearprop(*run, "--patience", "none")
    assert code == 0
    scores = pandas.read_csv("log.csv")["validation_accuracy"].to_numpy()
    best = np.flatnonzero(scores == scores.max())
    assert len(best) > 1  # of equals the last
    assert f"epoch {best[-1] + 1}, the best on the rows held out" in out


def test_labels_that_differ_by_a_point_at_the_end_are_read_and_said(clearprop, frame):
    """The test part of UCI's adult has `>50K.` where the training part has `>50K`."""
    run = ("train", "t.csv", "--target", "left", *QUICK, "--output", "m.safetensors")
    assert clearprop(*run)[0] == 0
    frame.assign(left=frame["left"] + ".").to_csv("dots.csv", index=False)
    said = "dots.csv has labels with a point at the end: read 'no.' as 'no', 'yes.' as 'yes'"
    code, out, err = clearprop("evaluate", "m.safetensors", "dots.csv", "--json")
    assert code == 0
    assert said in err
    found, plain = (
        json.loads(out),
        json.loads(clearprop("evaluate", "m.safetensors", "t.csv", "--json")[1]),
    )
    assert found["accuracy"] == plain["accuracy"]
    assert "n_unknown" not in found
    frame.assign(left=frame["left"] + "!").to_csv("strange.csv", index=False)
    assert (
        json.loads(clearprop("evaluate", "m.safetensors", "strange.csv", "--json")[1])["n_unknown"] == N
    )
    for how in ((), ("--buffer", 500)):
        code, out, err = clearprop(*run, "--validation", "dots.csv", *how)
        assert code == 0
        assert said in err
    code, out, err = clearprop(*run, "--validation", "strange.csv")
    assert code == 2
    assert "strange.csv has the label" in err


def test_of_very_many_columns_the_first_of_each_kind_are_shown(clearprop):
    rng = np.random.default_rng(0)
    wide = pandas.DataFrame(rng.normal(size=(40, 150)), columns=[f"c{i}" for i in range(150)])
    wide.assign(y=[0, 1] * 20).to_csv("wide.csv", index=False)
    _, _, err = clearprop("train", "wide.csv", "--target", "y", *QUICK)
    assert "and 138 more: 138 numeric" in err
    assert err.count(" numeric ") == 12


WRONG = {
    "--target Left": "has no column 'Left' (did you mean 'left'?): --target must be one of",
    "--drop plans": "has no column 'plans' (did you mean 'plan'?): --drop must be among",
    "--drop nothing": "has no column 'nothing': --drop must be among",
    "--columns age,nothing": "has no column 'nothing': --columns must be among",
    "--categorical age --drop age": "--drop and --categorical must be different columns",
    "--threads 0": "--threads must be at least 1, got 0",
    "--dropout 1": "--dropout must be a float in the range [0.0, 1.0)",
    "--drop left": "--drop must not hold the target 'left'",
    "--categorical left": "--categorical must not hold the target 'left'",
    "--validation 1": "--validation must be at least 0 and below 1, or other data, got 1",
    "--validation nan": "--validation must be at least 0 and below 1, or other data, got nan",
    "--validation 0.999": "--validation 0.999 of 120 rows leaves none to train on",
    "--numeric age --drop age": "--drop and --numeric must be different columns",
    "--numeric age --categorical age": "--categorical and --numeric must be different columns",
    "--numeric nothing": "has no column 'nothing': --numeric must be among",
    "--numeric plan": "column 'plan' of t.csv cannot be numeric: it holds text",
    "--weight plan": "must hold numbers in the weight 'plan'",
    "--weight age": "must have no missing values in the weight 'age', got 14: the first in line 2",
    "--weight left": "the target and the weight must be two columns",
    "--time plan": "must hold dates or numbers in the time 'plan', got text",
    "--group country": "the group 'country' of t.csv must have at least 3 different values",
    "--group shop --time since": "--group and --time cannot be used together",
    "--class-weight heavy": "--class-weight must be balanced, got 'heavy'",
    "--output-activation tanh": "--output-activation cannot be chosen for a table",
    "--cost hinge": "--cost",
    "--task clustering": "--task must be one of classification, regression, binary, multiclass",
    "--task regression": "must hold numbers for a regression",
    "--delimiter ;;": "--delimiter must be one character such as ';', got ';;'",
    "--decimal x": "--decimal must be '.' or ',', got 'x'",
    "--encoding utf-9": "--encoding must be one that Python knows, got 'utf-9'",
    "--momentum 0.5": "--momentum goes with --optimizer sgd",
    "--target plan --target-gaps refuse": "must have no missing values in the target 'plan', got 11: the first in line 2",
    "--target country": "the target 'country' of t.csv must vary, is always 'NL'",
}


@pytest.mark.parametrize("options", WRONG)
def test_a_wrong_option_is_refused_in_a_sentence(clearprop, frame, options):
    target = () if "--target" in options else ("--target", "left")
    code, out, err = clearprop("train", "t.csv", *target, *options.split(" "), *QUICK)
    assert (code, out) == (2, "")
    assert WRONG[options] in err
    assert err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


def test_options_of_tables_are_refused_for_other_data(clearprop):
    code, _, err = clearprop("train", "iris", "--drop", "a", *QUICK)
    assert code == 2
    assert err == "clearprop: --drop is for tables (CSV, Parquet), iris is none\n"


# The real tables, where they lie beside the project

ADULT = (
    "age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex,"
    "capital_gain,capital_loss,hours_per_week,native_country,income"
)
ABALONE = "sex,length,diameter,height,whole,shucked,viscera,shell,rings"
RAW = {
    "adult/adult_train.data": ("income", "binary", "--names", ADULT, "--missing", "?"),
    "telco_churn/Telco-Customer-Churn.csv": ("Churn", "binary"),
    "german_credit/german_credit.csv": ("class", "binary"),
    "covertype_sample/train.csv": ("Cover_Type", "multiclass"),
    "letter/letterdata.csv": ("letter", "multiclass"),
    "california_housing/housing.csv": ("median_house_value", "regression"),
    "abalone/abalone.csv": ("rings", "regression", "--names", ABALONE),
    "diamonds/diamonds.csv": ("price", "regression"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RAW)
def test_a_raw_table_trains_with_one_command_and_is_taken_back(clearprop, name):
    folders = [folder / "shared" / "data" / "tables" for folder in Path(__file__).parents]
    path = next((folder / name for folder in folders if (folder / name).exists()), None)
    if path is None:
        pytest.skip(f"{name} is not there")
    target, kind, *options = RAW[name]
    run = ("train", path, "--target", target, *options, "--output", "m.safetensors", "--epochs", 3)
    code, out, err = clearprop(*run, *SMALL)
    assert code == 0, err
    assert f"target {target}: {kind}" in err
    assert "nan" not in out
    counts = re.search(r": ([\d,]+) rows to train on; ([\d,]+) rows are held out", err).groups()
    learned, held = (int(count.replace(",", "")) for count in counts)
    assert cp.load("m.safetensors").about["n_samples"] == learned
    code, out, err = clearprop("predict", "m.safetensors", path)
    assert code == 0, err
    assert len(out.splitlines()) == learned + held + 1
    if name.startswith("adult"):  # its official test part
        code, out, err = clearprop(
            "evaluate", "m.safetensors", path.with_name("adult_test.data"), "--json"
        )
        assert "read '<=50K.' as '<=50K', '>50K.' as '>50K'" in err
        found = json.loads(out)
        assert (found["n_samples"], "n_unknown" in found) == (16_281, False)
        assert found["accuracy"] > 0.8


@pytest.mark.parametrize("target", ["left", "bill"])
def test_an_estimator_that_learned_a_data_frame_takes_files_like_it(clearprop, frame, target):
    frame["bill"] = 1e3 + 5.0 * pandas.to_numeric(frame["age"], errors="coerce").fillna(40)
    X = frame.drop(columns=["left", "bill"])
    kind = cp.MLPClassifier if target == "left" else cp.MLPRegressor
    fitted = kind(preset="realmlp-s", max_iter=3, hidden_layer_sizes=8, random_state=0)
    fitted.fit(X, frame[target]).save("fitted.safetensors")
    X[list(reversed(X.columns))].to_csv("new.csv", index=False, sep=";")
    code, out, err = clearprop("predict", "fitted.safetensors", "new.csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    if target == "left":
        assert [row["prediction"] for row in rows] == fitted.predict(X).tolist()
        found = np.array(
            [[float(row[f"probability_{each}"]) for each in ("no", "yes")] for row in rows]
        )
        np.testing.assert_allclose(found, fitted.predict_proba(X), atol=1e-6)
    else:
        found = np.array([float(row["prediction"]) for row in rows])
        np.testing.assert_allclose(found, fitted.predict(X), rtol=1e-5)
    frame.to_csv("t.csv", index=False)
    code, out, err = clearprop("evaluate", "fitted.safetensors", "t.csv", "--json")
    assert code == 0  # the Series has told the target's name
    assert f"{target!r}" not in err
    fitted.fit(X, frame[target].to_numpy()).save("nameless.safetensors")
    code, _, err = clearprop("evaluate", "nameless.safetensors", "t.csv")
    assert code == 2
    assert "t.csv has no column 'target'" in err
    assert ": --target must be one of" in err
    named = ("nameless.safetensors", "t.csv", "--target", target, "--json")
    assert clearprop("evaluate", *named)[:2] == (0, out)
    told = json.loads(out)["accuracy" if target == "left" else "r2"]
    assert told == pytest.approx(fitted.score(X, frame[target]), rel=1e-4)
    code, out, _ = clearprop("info", "fitted.safetensors")
    assert code == 0
    assert "plan         categorical" in out


@pytest.mark.filterwarnings("ignore:max_iter", "ignore:A column-vector")
def test_a_series_and_the_columns_of_a_frame_name_the_targets_of_numbers(clearprop):
    rng = np.random.default_rng(0)
    made = pandas.DataFrame(rng.normal(size=(40, 4)), columns=["a", "b", "size ", "price"])
    X, few = made[["a", "b"]], {"hidden_layer_sizes": 4, "max_iter": 2, "random_state": 0}
    made.drop(columns="price").to_csv("t.csv", index=False)
    net = cp.Network([2, 3, 1], output="identity", cost="quadratic", seed=0)
    for y in (made["size "], made[["size "]], polars.Series("size", made["size "].to_numpy())):
        cp.MLPRegressor(**few).fit(X, y).save("m.safetensors")
        code, out, _ = clearprop("evaluate", "m.safetensors", "t.csv", "--json")
        assert (code, json.loads(out)["n_samples"]) == (0, 40)
        assert "size" in clearprop("info", "m.safetensors")[1]
        assert cp.MLPRegressor.load("m.safetensors").network_.about == {"target": "size"}
    net.fit(X, made["size "], epochs=1, progress=False, engine="numpy")
    assert net.about == {"target": "size"}
    cp.MLPRegressor(**few).fit(X, made[["size ", "price"]]).save("m.safetensors")
    X.to_csv("t.csv", index=False)
    code, out, _ = clearprop("predict", "m.safetensors", "t.csv")
    assert (code, out.splitlines()[0]) == (0, "row,prediction_size,prediction_price")


@pytest.mark.filterwarnings("always:.*no target")
def test_rows_of_npz_without_a_target_are_left_out_at_every_door(clearprop):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.where(np.arange(40) % 9 == 2, np.nan, np.arange(40) % 2)
    np.savez("t.npz", X=X, y=y)
    said = "t.npz: 5 of 40 rows have no target 'y': they are left out"
    train = ("train", "t.npz", "--validation", "0", "--output", "m.safetensors", *QUICK)
    code, _, err = clearprop(*train)
    assert (code, said in err, cp.load("m.safetensors").about["n_samples"]) == (0, True, 35)
    code, out, err = clearprop("evaluate", "m.safetensors", "t.npz", "--json")
    assert (code, said in err, json.loads(out)["n_samples"]) == (0, True, 35)
    code, out, err = clearprop("predict", "m.safetensors", "t.npz")
    assert (code, err, len(out.splitlines())) == (0, "", 41)
    for command in (train, ("evaluate", "m.safetensors", "t.npz")):
        code, _, err = clearprop(*command, "--target-gaps", "refuse")
        assert code == 2
        assert (
            "no missing values in the target 'y', got 5: the first in row 2 (--target-gaps drop" in err
        )


def predicted(clearprop, labels, output):
    """Train on a table with these labels and predict it; return the predictions and what was said."""
    rng = np.random.default_rng(0)
    y = [labels[i % len(labels)] for i in range(60)]
    pq.write_table(pa.table({"x": rng.normal(size=60), "y": y}), "t.parquet")
    how = ("--target", "y", "--output", "m.safetensors", "--no-baselines", *QUICK)
    assert clearprop("train", "t.parquet", *how)[0] == 0
    code, out, err = clearprop("predict", "m.safetensors", "t.parquet", *output)
    assert code == 0
    if not output:
        return list(csv.DictReader(io.StringIO(out))), err
    if output[-1].endswith(".parquet"):
        return pq.read_table(output[-1]).to_pylist(), err
    with open(output[-1], newline="") as file:
        return list(csv.DictReader(file)), err


@pytest.mark.parametrize("output", [(), ("--output", "p.csv"), ("--output", "p.parquet")], ids=str)
def test_labels_that_begin_as_formulas_do_are_kept_and_said(clearprop, output):
    labels = ["=1+1", "@SUM(A1)", "-a", "plain"]
    found, said = predicted(clearprop, labels, output)
    assert set(found[0]) == {"row", "prediction", *(f"probability_{label}" for label in labels)}
    assert {row["prediction"] for row in found} <= set(labels)
    sentence = "labels such as '-a' and 2 more begin as formulas do: a spreadsheet computes them"
    assert (sentence in said) == (output[-1:] != ("p.parquet",))


def test_numbers_and_words_are_no_formulas(clearprop):
    for labels in ([-1, 1], ["-1", "+2.5", "x"], ["a=1", "b"], [True, False]):
        assert "formulas" not in predicted(clearprop, labels, ())[1]


@pytest.mark.parametrize("task", [(), ("--task", "multiclass")], ids=str)
def test_large_whole_numbers_stay_apart_in_a_table(clearprop, task):
    labels = [2**63 + 1, 2**63 + 3, 7]
    y = pa.array([labels[i % 3] for i in range(60)], pa.uint64())
    pq.write_table(pa.table({"x": np.arange(60.0), "y": y}), "t.parquet")
    arguments = ("train", "t.parquet", "--target", "y", "--output", "m.safetensors", *QUICK, *task)
    assert clearprop(*arguments)[0] == 0
    _, out, _ = clearprop("predict", "m.safetensors", "t.parquet")
    assert set(next(csv.reader(io.StringIO(out)))[2:]) == {f"probability_{label}" for label in labels}


@pytest.mark.parametrize("buffer", [(), ("--buffer", "32")], ids=str)
def test_a_label_with_a_nul_is_refused_by_the_shell(clearprop, tmp_path, buffer):
    pq.write_table(pa.table({"x": np.arange(60.0), "y": ["a", "a\0"] * 30}), "t.parquet")
    arguments = ("train", "t.parquet", "--target", "y", "--output", "m.safetensors", *QUICK, *buffer)
    code, _, err = clearprop(*arguments)
    assert code == 2
    assert err.endswith("t.parquet must hold text without the character NUL, got 'a\\x00'\n")
    assert not (tmp_path / "m.safetensors").exists()


def test_any_label_comes_back_from_the_csv(clearprop, tmp_path):
    labels = ["a\rb", 'a,"b', "a\nb", " a", "a "]
    net = cp.Network([2, 3, 5], seed=0)
    net.fit(np.eye(5)[:, :2], labels, epochs=1, batch_size=5, progress=False)
    net.save(tmp_path / "m.safetensors")
    np.savez(tmp_path / "d.npz", X=np.random.default_rng(0).normal(size=(200, 2)) * 9)
    assert clearprop("predict", "m.safetensors", "d.npz", "--output", "p.csv")[0] == 0
    with open(tmp_path / "p.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert set(found[0]) == {"row", "prediction", *(f"probability_{label}" for label in labels)}
    with np.load(tmp_path / "d.npz") as file:
        answers = net.classify(file["X"]).tolist()
    assert [row["prediction"] for row in found] == answers
    assert len(set(answers)) > 1
