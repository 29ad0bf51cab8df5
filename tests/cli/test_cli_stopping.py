"""``clearprop train`` of a table: what stops it, and a run that was fitted to a time."""

import json
import re

import numpy as np
import pytest

import clearprop as cp
from clearprop.estimators.training import EstimatorTraining

QUICK = ("--hidden", "5", "--seed", "3", "--engine", "numpy", "--no-baselines", "--target", "c")


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write a table with a target that nothing tells; return its folder, which is the current one."""
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{b:.3f},{c}"
        for a, b, c in zip(*rng.normal(size=(2, 80)), rng.choice(["x", "y"], 80), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *rows]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_stops_by_itself_and_says_why(clearprop, table):
    code, out, _ = clearprop("train", "t.csv", *QUICK, "--output", "m")
    assert code == 0
    done, best = (int(re.search(f"{name} +(?:epoch )?(\\d+)", out)[1]) for name in ("trained", "kept"))
    assert best < done < 256
    assert f"stopped             {done - best} epochs brought nothing better" in out
    assert "(--patience none makes all 256)" in out
    info = clearprop("info", "m")[1]
    assert "stopped             early stopping\n" in info
    assert "preset              realmlp\npatience            a period of the schedule\n" in info


def test_no_patience_makes_all_epochs_also_of_a_run_from_before_there_was_one(clearprop, table):
    how = (*QUICK, "--epochs", "20", "--json", "--checkpoint", "c", "--output", "m")
    told = json.loads(clearprop("train", "t.csv", *how, "--patience", "none")[1])
    assert (told["epochs"], told["stopped"]) == (20, None)
    code, _, err = clearprop("train", "t.csv", *how, "--resume")  # which says nothing of patience
    assert (code, "nothing is left to do" in err) == (0, True)
    code, _, err = clearprop("train", "t.csv", *how, "--resume", "--patience", "4")
    assert (code, "--patience is 4, was none" in err) == (2, True)


def test_a_schedule_that_fits_into_the_time_is_gone_on_with_to_the_same_bits(
    clearprop, table, monkeypatch
):
    monkeypatch.setattr(EstimatorTraining, "epoch_seconds", lambda training, *how: (15.0, 3.0))
    run = ("train", "t.csv", *QUICK, "--patience", "none")
    how = ("--time-limit", "100s", "--checkpoint", "c")
    assert clearprop(*run, *how, "--output", "whole")[0] == 0
    stopped = []

    def stop_at_2(training):
        stopped.append(training.epochs_done)
        return training.epochs_done == 2

    with monkeypatch.context() as patched:
        patched.setattr("clearprop.cli.running.Log.__call__", lambda log, training: stop_at_2(training))
        code, _, err = clearprop(*run, *how[:2], "--checkpoint", "d", "--output", "part")
    assert (code, stopped) == (0, [1, 2])
    assert "6 of 256 epochs fit into 100s" in err
    said = "planned             6 epochs, of a time limit of 100 s\n"
    for name in ("whole", "c"):
        assert said in clearprop("info", name)[1]
        told = json.loads(clearprop("info", name, "--json")[1])
        assert told["about"]["planned_epochs"] == told["rates"]["learning_rate"]["epochs"] == 6
    info = clearprop("info", "whole")[1]
    for rate in (
        "learning rate       coslog4(rate=0.04, epochs=6.0)",
        "label smoothing     0.1",
        "averaging  ",
    ):
        assert f"\n{rate}" in info
    assert "learning_rate coslog4(rate=0.04, epochs=6.0), beta1" in clearprop("info", "c")[1]
    monkeypatch.setattr(EstimatorTraining, "epoch_seconds", lambda training, *how: 1 / 0)
    assert clearprop(*run, "--checkpoint", "d", "--resume", "--output", "resumed")[0] == 0
    nets = [cp.load(name) for name in ("whole", "resumed")]
    assert [net.epochs_trained for net in nets] == [6, 6]
    assert np.array_equal(*(net.parameters for net in nets))


def test_info_shows_the_schedules_of_a_preset_and_what_was_given_instead(clearprop, table):
    run = ("train", "t.csv", *QUICK, "--preset", "realmlp", "--epochs", "3", "--checkpoint", "c")
    assert clearprop(*run, "--output", "m")[0] == 0
    told = [json.loads(clearprop("info", name, "--json")[1])["rates"] for name in ("m", "c")]
    assert told[0] == told[1]
    assert told[0]["dropout"] == {"name": "flat_cos", "rate": 0.15, "epochs": 3.0}
    said = clearprop("info", "m")[1]
    assert "weight decay        flat_cos(rate=0.02, epochs=3.0)\n" in said
    assert "planned             3 epochs\n" in said
    assert "dropout             flat_cos(rate=0.15, epochs=3.0)\n" in clearprop("info", "c")[1]
    assert clearprop(*run[:-2], "--dropout", "0.25", "--output", "m")[0] == 0
    assert "dropout             0.25\n" in clearprop("info", "m")[1]


def test_info_shows_a_preset_s_own_patience_and_what_held_out_rows_chose(clearprop, table):
    rng = np.random.default_rng(0)
    X, how = rng.normal(size=(90, 3)), {"hidden_layer_sizes": 4, "engine": "numpy", "max_iter": 1}
    asked = {"preset": "realmlp-s", "calibrate": True, "threshold": "f1"}
    model = cp.MLPClassifier(**how, **asked).fit(X, X[:, 0] + rng.normal(size=90) > 0)
    model.save("m")
    said = clearprop("info", "m")[1]
    assert f"temperature         {model.calibration_.temperature:.3g}\n" in said
    assert f"threshold           {model.threshold_:.3g}\n" in said
    cp.MLPRegressor(**how, preset="tabm-mini", test_share=0.5).fit(X, X[:, 1]).save("r")
    said = clearprop("info", "r")[1]
    assert "patience            16 epochs\n" in said
    assert "intervals           by the errors on 9 rows that chose nothing\n" in said
    assert json.loads(clearprop("info", "r", "--json")[1])["patience"] == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--calibrate", "--calibrate needs held-out rows of at least two classes, got 4 of class 'x'"),
        (
            "--threshold f1",
            "--threshold f1 needs held-out rows of at least two classes, got 4 of class",
        ),
        ("--time-limit 0.0001s", "--time-limit must leave time for one epoch, which takes about "),
    ],
)
def test_held_out_rows_of_one_class_and_a_short_time_are_refused_and_leave_nothing(
    clearprop, table, options, message
):
    rows = ["a,b,c", *(f"{i * i % 7},{i},{'y' if i in (3, 30) else 'x'}" for i in range(40))]
    (table / "t.csv").write_text("\n".join(rows))
    code, out, err = clearprop(
        "train", "t.csv", *QUICK, *options.split(), "--checkpoint", "c", "--quiet"
    )
    assert (code, out) == (2, "")
    assert err.startswith(f"clearprop: {message}"), err
    assert [path.name for path in table.iterdir()] == ["t.csv"]
