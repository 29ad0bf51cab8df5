"""``clearprop train --members``, and what the other commands say of its models."""

import csv
import json

import numpy as np
import pytest

RNG = np.random.default_rng(0)
AGE = RNG.integers(18, 80, 80)
ROWS = [(age, "yes" if abs(age - 45) < 12 else "no") for age in AGE]
QUICK = ("--hidden", "8", "--epochs", "2", "--seed", "0", "--target", "ok", "--members", "3")


@pytest.fixture
def table(tmp_path):
    with open(tmp_path / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows([("age", "ok"), *ROWS])


@pytest.mark.usefixtures("table")
def test_members_of_a_table_are_trained_kept_averaged_and_explained_one_by_one(clearprop):
    code, _, err = clearprop("train", "t.csv", "--output", "m", "--checkpoint", "c", *QUICK)
    assert code == 0, err
    assert "3 networks 1-8-2, " in err
    assert clearprop("predict", "m", "t.csv")[0] == 0
    assert clearprop("evaluate", "m", "t.csv")[0] == 0
    assert "members             3, whose outputs are averaged" in clearprop("info", "m")[1]
    assert json.loads(clearprop("info", "m", "--json")[1])["members"] == 3
    for command, *options in (("explain", "--notation", "dp"), ("check",), ("diagnose",)):
        code, _, err = clearprop(command, "m", "t.csv", *options)
        assert (code, err.splitlines()[-1]) == (
            2, "clearprop: --member must name one of the 3 members of m, 0 to 2",
        )  # fmt: skip
        assert clearprop(command, "m", "t.csv", "--member", "2")[0] == 0
    first, second = (clearprop("explain", "m", "t.csv", "--member", k)[1] for k in ("0", "1"))
    assert first != second
    code, _, err = clearprop("explain", "m", "t.csv", "--member", "3")
    assert code == 2
    assert "--member must be in 0..2, got 3: m has 3 members" in err
    code, _, err = clearprop(
        "train", "t.csv", "--output", "m", "--checkpoint", "c", "--resume", *QUICK[:-1], "2"
    )
    assert code == 2
    assert "--members is 2, was 3" in err


def test_members_of_a_data_set_of_arrays(clearprop):
    how = ("--epochs", "1", "--seed", "0", "--engine", "numpy", "--output", "m")
    code, _, err = clearprop("train", "iris", "--members", "2", *how)
    assert code == 0, err
    assert "2 networks 4-30-3" in err
    assert clearprop("evaluate", "m", "iris", "--json")[0] == 0
    assert clearprop("train", "iris", *how)[0] == 0
    code, _, err = clearprop("explain", "m", "iris", "--member", "1")
    assert code == 2
    assert "--member must be in 0..0, got 1: m has one network" in err


REFUSED = {
    ("--members", "0"): "--members must be at least 1, got 0",
    ("--members", "2", "--buffer", "30"): "--members needs all 80 rows in memory",
    ("--members", "2", "--optimizer", "lbfgs"): "--members does not go with --optimizer lbfgs, got 2",
    ("--members", "1000000000"): "--members must fit in memory, got 1,000,000,000 of",
}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("how", REFUSED)
def test_what_members_cannot_be_is_refused_in_a_sentence(clearprop, how, tmp_path):
    code, _, err = clearprop("train", "t.csv", *QUICK[:-2], *how, "--output", "m")
    assert code == 2
    assert REFUSED[how] in err
    assert not (tmp_path / "m").exists()
