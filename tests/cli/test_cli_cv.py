"""``clearprop cv``: the table, the picture, JSON, and the predictions of rows held out."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.cli import pictures

pytestmark = pytest.mark.filterwarnings("default")  # rows without a target are told of
QUICK = ("--target", "left", "--hidden", "4", "--epochs", "2", "--engine", "numpy", "--seed", "0")
N = 60


@pytest.fixture
def frame(here):
    """Write a table of which some rows have no target, and return it."""
    rng = np.random.default_rng(0)
    age = rng.normal(40, 12, N).round(1)
    made = pandas.DataFrame(
        {
            "age": age,
            "plan": rng.choice(["basic", "pro"], N),
            "shop": [f"shop {i % 6}" for i in range(N)],
            "day": rng.permutation(N),
            "left": np.where(age > 40, "yes", "no"),
        }
    )
    made.loc[3, "left"] = ""
    made.to_csv("t.csv", index=False)
    return made


def test_it_prints_a_table_and_a_picture_and_writes_what_it_predicted(clearprop, frame):
    code, out, err = clearprop("cv", "t.csv", *QUICK, "--folds", "3", "--output", "o.csv")
    assert code == 0
    for said in ("3 folds, stratified", "95 % interval", "log loss", "Nadeau and Bengio", "seed 0"):
        assert said in out
    assert (
        out.count("●")
        + sum(int(c) for line in out.splitlines() if "  folds" in line for c in line if c in "23")
        >= 6
    )
    assert "┼" in out
    assert err.count("fold ") == 3
    for said in ("t.csv: 59 rows", "target left: binary, 2 classes", "fold 1 of 3: accuracy "):
        assert said in err
    rows = list(csv.DictReader(Path("o.csv").read_text().splitlines()))
    assert [int(row["row"]) for row in rows] == [i for i in range(N) if i != 3]
    assert set(rows[0]) == {"row", "prediction", "probability_no", "probability_yes"}
    assert clearprop("cv", "t.csv", *QUICK, "--folds", "3", "--output", "o.csv", "--quiet")[1] == ""


def test_json_is_what_python_finds(clearprop, frame):
    code, out, _ = clearprop(
        "cv",
        "t.csv",
        *QUICK,
        "--folds",
        "3",
        "--repeats",
        "2",
        "--group",
        "shop",
        "--drop",
        "day",
        "--json",
        "--quiet",
    )
    assert code == 0
    found = json.loads(out)
    known = frame[frame["left"] != ""]
    decisions = cp.data.table.decide(
        cp.data.table.open_table("t.csv"), cp.data.table.Roles("left", group="shop"), drop=["day"]
    )
    model = cp.MLPClassifier(
        preset="realmlp",
        hidden_layer_sizes=(4,),
        max_iter=2,
        engine="numpy",
        random_state=0,
        columns=decisions,
    )
    expected = cp.cross_validate(
        model, known[["age", "plan", "day"]], known["left"], folds=3, repeats=2, groups=known["shop"]
    )
    assert found["how"] == expected.how == "whole groups, stratified"
    assert (found["folds"], found["repeats"], found["n_samples"], found["seed"]) == (3, 2, 59, 0)
    for name, each in expected.metrics.items():
        np.testing.assert_allclose(found["metrics"][name]["values"], each.values, rtol=1e-6)
        assert found["metrics"][name]["low"] == pytest.approx(each.low, rel=1e-6)


def test_a_quantity_in_time_order_leaves_the_first_rows_out(clearprop, frame):
    code, out, _ = clearprop(
        "cv",
        "t.csv",
        "--target",
        "age",
        "--time",
        "day",
        "--drop",
        "left",
        *QUICK[2:],
        "--folds",
        "2",
        "--output",
        "o.csv",
    )
    assert code == 0
    assert "2 folds, in time order" in out
    assert "RMSE" in out
    assert "rough in time order" in out
    rows = {int(row["row"]) for row in csv.DictReader(Path("o.csv").read_text().splitlines())}
    assert rows == set(np.flatnonzero(frame["day"] >= 20))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("iris",), "cv takes a table (CSV, Parquet), iris is none"),
        (("t.csv", "--target", "left", "--folds", "1"), "--folds must be at least 2, got 1"),
        (("t.csv", "--target", "left", "--repeats", "0"), "--repeats must be at least 1, got 0"),
        (
            ("t.csv", "--target", "left", "--validation", "t.csv"),
            "--validation must be a share of the rows for cv, got t.csv",
        ),
        (
            ("t.csv", "--target", "left", "--output", "o.txt"),
            "--output must be a .csv, .parquet or .jsonl file, got o.txt",
        ),
        (
            ("t.csv", "--target", "left", "--group", "shop", "--time", "day"),
            "--group and --time cannot be used together",
        ),
        (("t.csv", "--checkpoint", "c"), "no such option: --checkpoint"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(clearprop, frame, arguments, message):
    before = sorted(Path().iterdir())
    code, out, err = clearprop("cv", *arguments)
    assert (code, out) == (2, "")
    assert err.lower().startswith(f"clearprop: {message}".lower())
    assert "Traceback" not in err
    assert sorted(Path().iterdir()) == before


def test_a_strip_shows_every_value_and_the_mean_in_its_interval():
    dots, below = pictures.strip([1.0, 2.0, 2.0, 3.0], (1.5, 2.0, 2.5), 21, wide=True)
    assert dots.plain == "●         2         ●"
    assert below.plain == "     ├────┼────┤"
    nan = float("nan")
    dots, below = pictures.strip([1.0, nan, 3.0], (nan, 2.0, nan), 5, wide=False)
    assert (dots.plain, below.plain) == ("o   o", "  +")
    assert pictures.strip([2.0, 2.0], (2.0, 2.0, 2.0), 9, wide=False)[0].plain.strip() == "2"
