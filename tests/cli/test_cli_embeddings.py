"""``clearprop train --embedding``, and what the other commands say of its models."""

import csv
import json
import re

import numpy as np
import pytest

import clearprop as cp

RNG = np.random.default_rng(0)
AGE = RNG.integers(18, 80, 80)
ROWS = [
    (age, RNG.choice(["red", "blue", "green"]), "yes" if abs(age - 45) < 12 else "no") for age in AGE
]
QUICK = ("--hidden", "8", "--epochs", "2", "--seed", "0", "--target", "ok")


@pytest.fixture
def table(tmp_path):
    with open(tmp_path / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows([("age", "colour", "ok"), *ROWS])


@pytest.mark.usefixtures("table")
def test_a_table_is_trained_on_with_an_embedding_and_all_commands_know_it(clearprop):
    code, _, err = clearprop("train", "t.csv", "--embedding", "pl", "--output", "m", *QUICK)
    assert code == 0, err
    assert "piecewise_linear of 1 of 4 inputs, 16 numbers each (19 in all)" in err
    assert clearprop("predict", "m", "t.csv")[0] == 0
    assert clearprop("evaluate", "m", "t.csv")[0] == 0
    code, out, _ = clearprop("info", "m")
    assert "embedding           piecewise_linear of 1 of 4 inputs, 16 numbers each" in out
    told = json.loads(clearprop("info", "m", "--json")[1])["embedding"]
    assert (told["kind"], told["columns"]) == ("piecewise_linear", [0])


def test_a_data_set_of_arrays_is_embedded_too(clearprop):
    how = ("--embedding", "pbld", "--epochs", "1", "--seed", "0", "--engine", "numpy", "--output", "m")
    code, _, err = clearprop("train", "iris", *how)
    assert code == 0, err
    assert "pbld of all inputs, 4 numbers each (16 in all)" in err
    code, _, err = clearprop("train", "iris", "--preset", "realmlp")
    assert (code, err) == (2, "clearprop: --preset is for tables (CSV, Parquet), iris is none\n")
    code, _, err = clearprop("train", "iris", "--embedding", "spline")
    assert (code, err.partition(",")[0]) == (2, "clearprop: --embedding must be one of pl")
    code, out, err = clearprop("diagnose", "m", "iris")
    assert code == 0, err
    assert "D19" not in out


@pytest.mark.usefixtures("table")
def test_a_table_is_trained_on_with_the_preset_realmlp_and_resumed_to_the_same_bits(clearprop):
    how = ("--preset", "realmlp", *QUICK[:2], "--seed", "0", "--target", "ok", "--batch-size", "16")
    code, _, err = clearprop(
        "train", "t.csv", *how, "--epochs", "4", "--checkpoint", "c", "--output", "m"
    )
    assert code == 0, err
    assert (
        "pbld of 1 of 4 inputs, 4 numbers each (7 in all), parametric_selu, cross_entropy; AdamW" in err
    )
    first = ("--epochs", "2", "--checkpoint", "d", "--output", "n")
    assert clearprop("train", "t.csv", *how, *first)[0] == 0
    code, _, err = clearprop("train", "t.csv", *how, "--resume", *first[2:], "--epochs", "4")
    assert code == 0, err
    nets = [cp.load(name) for name in "cmn"]
    assert nets[0].architecture.blocks == nets[2].architecture.blocks
    assert not np.array_equal(nets[1].parameters, nets[2].parameters)  # another horizon
    again = clearprop("train", "t.csv", *how, "--resume", "--epochs", "4", *first[2:4], "--output", "o")
    assert again[0] == 0, again[2]
    np.testing.assert_array_equal(cp.load("o").parameters, nets[2].parameters)
    code, _, err = clearprop("train", "t.csv", *how[2:], "--resume", "--epochs", "4", *first[2:])
    assert (code, "--preset is not given, was realmlp" in err) == (2, True)
    assert "parametric_selu" in clearprop("info", "m")[1]


def test_categories_are_in_info_and_explained(clearprop, tmp_path):
    with open(tmp_path / "t.csv", "w", newline="") as file:
        rows = [(age, f"town {k % 10}", ok) for k, (age, _, ok) in enumerate(ROWS)]
        csv.writer(file).writerows([("age", "town", "ok"), *rows])
    how = ("--preset", "realmlp", "--hidden", "8", "--seed", "0", "--target", "ok", "--epochs", "3")
    assert clearprop("train", "t.csv", *how, "--output", "m")[0] == 0
    said = "pbld of 1 of 11 inputs, 4 numbers each; 1 category of 10 columns, 8 numbers each"
    assert said in clearprop("info", "m")[1]
    groups = json.loads(clearprop("info", "m", "--json")[1])["embedding"]["categories"]["groups"]
    assert groups == [list(range(1, 11))]
    told = clearprop("explain", "m", "t.csv", "--row", "0", "--part", "all", "--form", "numbers")[1]
    assert re.search(r"E₂. = u₂ Q₂. \+ \[..., 9 more, all 0\]", told)


@pytest.mark.usefixtures("table")
def test_a_table_is_trained_on_with_the_preset_tabm_mini_and_resumed_to_the_same_bits(clearprop):
    how = ("--preset", "tabm-mini", "--members", "2", *QUICK[:2], *QUICK[4:])
    code, _, err = clearprop("train", "t.csv", *how, "--epochs", "3", "--output", "m")
    assert code == 0, err
    assert "2 networks" in err
    assert "2, whose outputs are averaged, which share all but" in clearprop("info", "m")[1]
    assert json.loads(clearprop("info", "m", "--json")[1])["shares_layers"] is True
    assert "learned input scale" in clearprop("explain", "m", "t.csv", "--row", "0", "--member", "1")[1]
    first = ("--epochs", "1", "--checkpoint", "c", "--output", "n")
    assert clearprop("train", "t.csv", *how, *first)[0] == 0
    code, _, err = clearprop("train", "t.csv", *how, "--resume", "--epochs", "3", *first[2:])
    assert code == 0, err
    np.testing.assert_array_equal(cp.load("n").parameters, cp.load("m").parameters)


REFUSED = {
    ("--preset", "sklearn"): "--preset must be one of realmlp-s, realmlp",
    ("--preset", "realmlp", "--buffer", "30"): "--preset realmlp needs all 80 rows in memory",
    ("--preset", "tabm-mini", "--buffer", "30"): "--preset tabm-mini needs all 80 rows in memory",
    ("--embedding", "spline"): "--embedding must be",
    ("--embedding", "pl", "--buffer", "30"): "--embedding needs all 80 rows in memory",
    ("--embedding", "plr", "--drop", "age"): "--embedding plr needs a numeric input",
}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("how", REFUSED)
def test_what_cannot_be_embedded_is_refused_in_a_sentence(clearprop, how, tmp_path):
    code, _, err = clearprop("train", "t.csv", *how, "--output", "m", *QUICK)
    assert code != 0
    assert REFUSED[how] in err
    assert not (tmp_path / "m").exists()


@pytest.mark.usefixtures("table")
def test_a_run_is_not_resumed_with_another_embedding(clearprop):
    how = ("--checkpoint", "c", "--output", "m", *QUICK)
    assert clearprop("train", "t.csv", "--embedding", "plr-lite", *how)[0] == 0
    code, _, err = clearprop("train", "t.csv", "--embedding", "plr", "--resume", *how)
    assert code != 0
    assert "--embedding is plr, was plr-lite" in err
