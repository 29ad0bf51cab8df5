"""``clearprop train TABLE``: what stands beside the network, and when."""

import json
import re

import numpy as np
import pytest

from clearprop.estimators import baselines

QUICK = ("--hidden", "5", "--epochs", "2", "--seed", "0", "--engine", "numpy", "--output", "m")
TABLE = ("train", "t.csv", "--target", "price", *QUICK)


@pytest.fixture(autouse=True)
def table(here):
    """Write a table whose target is a product that a line does not see."""
    a, b = np.random.default_rng(0).normal(size=(2, 500))
    rows = [f"{x:.3f},{y:.3f},{1000 * x * y:.1f}" for x, y in zip(a, b, strict=True)]
    (here / "t.csv").write_text("\n".join(["a,b,price", *rows]))


def test_every_baseline_has_a_line_and_trees_that_win_say_so(clearprop):
    code, out, err = clearprop(*TABLE)
    assert code == 0, err
    assert re.search(r"^mean                RMSE [\d,.]+  ", out, flags=re.M)
    assert re.search(r"^ridge regression    RMSE [\d,.]+  ", out, flags=re.M)
    assert re.search(
        r"^boosted trees       RMSE [\d,.]+  wins: the network is worse by [\d.,]+ \([\d.]",
        out,
        re.M,
    )


@pytest.mark.parametrize("quiet", [("--json",), ("--quiet",), ("--no-baselines",)])
def test_a_program_that_reads_the_result_is_not_kept_waiting(clearprop, monkeypatch, quiet):
    monkeypatch.setattr(baselines, "compare", lambda *what, **how: 1 / 0)
    code, out, err = clearprop(*TABLE, *quiet)
    assert (code, "baselines" in out) == (0, False), err


def test_baselines_that_are_asked_for_are_in_the_json(clearprop, monkeypatch):
    told, seconds = [], []
    compare = baselines.compare

    def seen(*rows, **how):
        seconds.append(how["seconds"])
        return compare(*rows, **how)

    monkeypatch.setattr(baselines, "compare", seen)
    for how in ((), ("--buffer", "300")):
        code, out, err = clearprop(*TABLE, "--json", "--baselines", *how)
        assert code == 0, err
        told.append(json.loads(out)["baselines"])
    assert seconds == [2.0, 2.0]
    for found in told:
        assert [each["name"] for each in found] == ["mean", "ridge regression", "boosted trees"]
        assert all(each["low"] < each["difference"] < each["high"] for each in found)
        assert 380 < found[0]["of_rows"] <= 400
    assert told[0][1]["value"] > 800  # in the target's own units


def test_baselines_that_cannot_be_had_are_refused_in_a_sentence(clearprop):
    code, _, err = clearprop(*TABLE, "--baselines", "--validation", "0")
    assert (code, err.split(",")[0]) == (2, "clearprop: --baselines needs rows that are held out")
    code, _, err = clearprop("train", "iris", "--baselines")
    assert (code, err) == (2, "clearprop: --baselines is for tables (CSV, Parquet), iris is none\n")


def test_a_model_is_saved_where_its_baselines_are_interrupted(clearprop, monkeypatch, here):
    def interrupted(*what, **how):
        assert (here / "m").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(baselines, "compare", interrupted)
    code, out, err = clearprop(*TABLE)
    assert (code, "saved               m" in out) == (0, True)
    assert "interrupted: the model is saved, its baselines are left out" in err
