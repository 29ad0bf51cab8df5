"""``clearprop tune``: a model that every command takes, figures of rows that chose nothing, a study."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.cli import leaderboard
from clearprop.tuning import greedy, trials

pytest.importorskip("optuna", reason="tune needs Optuna: pip install 'clearprop[tune]'")

QUICK = ("--target", "left", "--hidden", "4", "--embedding", "pl", "--epochs", "2", "--engine", "numpy")
N = 60


@pytest.fixture
def frame(here):
    """Write a table, and return it."""
    rng = np.random.default_rng(0)
    age = rng.normal(40, 12, N).round(1)
    left = np.where(age + rng.normal(0, 9, N) > 40, "yes", "no")
    made = pandas.DataFrame({"age": age, "plan": rng.choice(["basic", "pro"], N), "left": left})
    made.to_csv("t.csv", index=False)
    return made


def test_it_saves_a_model_that_predicts_and_says_how_good_it_is(clearprop, frame):
    code, out, err = clearprop("tune", "t.csv", *QUICK, "--trials", "3", "--seed", "4")
    assert code == 0
    for said in (
        "Chosen on 10 validation rows:",
        "Measured on 12 rows that chose nothing:",
        "best network",
        "logistic regression",
        "boosted trees",
        "majority",
        "saved               t.safetensors: trial ",
    ):
        assert said in out
    assert [f"trial {k}: log loss 0." in err for k in range(3)] == [True] * 3
    assert sorted(path.name for path in Path().iterdir()) == ["t.csv", "t.safetensors", "t.study"]
    code, found, _ = clearprop("predict", "t.safetensors", "t.csv")
    assert code == 0
    assert len(found.splitlines()) == N + 1
    assert clearprop("evaluate", "t.safetensors", "t.csv")[0] == 0
    info = clearprop("info", "t.safetensors")[1]
    for said in ("test accuracy", "on 48 rows", "age"):
        assert said in info


def test_json_is_what_python_finds_and_the_same_command_goes_on(clearprop, frame):
    command = ("tune", "t.csv", *QUICK, "--output", "m.safetensors", "--json", "--quiet")
    code, out, err = clearprop(*command, "--trials", "1", "--seed", "3")
    assert (code, err) == (0, "")
    first = json.loads(out)
    code, out, _ = clearprop(*command, "--trials", "2")
    second = json.loads(out)
    assert [each["number"] for each in sorted(second["trials"], key=lambda each: each["number"])] == [
        0,
        1,
    ]
    assert first["trials"][0] in [each | {"weight": 1.0} for each in second["trials"]]
    assert (second["model"], second["storage"], second["seed"]) == ("m.safetensors", "m.study", 3)
    decisions = cp.data.table.decide(cp.data.table.open_table("t.csv"), cp.data.table.Roles("left"))
    model = cp.MLPClassifier(
        preset="realmlp",
        hidden_layer_sizes=(4,),
        embedding="pl",
        max_iter=2,
        engine="numpy",
        columns=decisions,
    )
    expected = cp.tune(model, frame[["age", "plan"]], frame["left"], trials=2, seed=3)
    assert second == {
        **{name: second[name] for name in ("model", "storage", "data", "task", "target")},
        **without_seconds(leaderboard.described(expected), second),
    }
    X, found = frame[["age", "plan"]], expected.ensemble
    kind = second["saved"]["kind"]
    saved = cp.MLPClassifier.load("m.safetensors") if kind == "network" else cp.load("m.safetensors")
    np.testing.assert_array_equal(saved.predict_proba(X), found.predict_proba(X))


@pytest.fixture
def mixed(monkeypatch):
    """Let every trial be in the ensemble, the best one with the largest weight."""

    def select(outputs, loss):
        counts = np.arange(len(outputs), 0, -1.0)
        return counts / counts.sum()

    monkeypatch.setattr(greedy, "select", select)


@pytest.mark.parametrize("task", ["classes", "quantities"])
def test_the_ensemble_is_one_file_that_commands_know(clearprop, frame, mixed, task):
    if task == "quantities":
        frame = frame.assign(left=frame["age"] * 1000 + 1e6)
        frame.to_csv("t.csv", index=False)
    how = ("--target", "left", "--epochs", "2", "--engine", "numpy", "--preset", "realmlp")
    code, out, _ = clearprop("tune", "t.csv", *how, "--trials", "3", "--seed", "0")
    assert code == 0
    assert "(members 0 to 2), trained again" in out
    found, X = cp.load("t.safetensors"), frame[["age", "plan"]]
    assert found.weights == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    sizes = {tuple(each.network_.sizes) for each in found.members}
    assert len(sizes) == 3  # else nothing is shown of unlike networks

    told = pandas.read_csv(io.StringIO(clearprop("predict", "t.safetensors", "t.csv")[1]))
    assert (
        told["prediction"].tolist() == pytest.approx(found.predict(X).tolist())
        if (task == "quantities")
        else told["prediction"].tolist() == found.predict(X).tolist()
    )
    if task == "classes":
        p = told[["probability_no", "probability_yes"]].to_numpy()
        np.testing.assert_allclose(p, found.predict_proba(X), rtol=1e-5)
        expected = -np.log(found.predict_proba(X)[np.arange(N), (frame["left"] == "yes").astype(int)])
        named, wanted = "log_loss", expected.mean()
    else:
        named, wanted = "rmse", np.sqrt(np.mean((found.predict(X) - frame["left"]) ** 2))
    measured = json.loads(clearprop("evaluate", "t.safetensors", "t.csv", "--json")[1])
    assert measured[named] == pytest.approx(wanted, rel=1e-4)
    assert measured["cost"] == pytest.approx(wanted if task == "classes" else wanted**2 / 2, rel=1e-3)

    info = clearprop("info", "t.safetensors")[1]
    for said in (
        "an ensemble of 3 networks",
        "member 0            50 %: ",
        "test R2" if task == "quantities" else "test accuracy",
        "of 12 r",
        "age",
    ):
        assert said.replace("of 12 r", "12 rows" if task == "quantities" else "of 12 right") in info
    shown = json.loads(clearprop("info", "t.safetensors", "--json")[1])
    assert (shown["kind"], len(shown["members"]), shown["result"]["n_samples"]) == ("ensemble", 3, 12)
    code, out, err = clearprop("check", "t.safetensors", "t.csv", "--rows", "3", "--member", "1")
    assert (code, err) == (0, "")


def test_what_is_for_one_network_says_so_of_an_ensemble(clearprop, frame, mixed):
    assert clearprop("tune", "t.csv", *QUICK, "--trials", "2", "--seed", "0", "--quiet")[0] == 0
    before = sorted(Path().iterdir())
    for command in (
        ("explore", "t.safetensors", "t.csv"),
        ("export", "t.safetensors", "--format", "python"),
    ):
        code, out, err = clearprop(*command)
        assert (code, out) == (2, "")
        assert err == (
            "clearprop: t.safetensors holds an ensemble of 2 networks, this command is for one\n"
        )
    code, out, err = clearprop("explain", "t.safetensors", "t.csv", "--notation", "dp")
    assert err == "clearprop: --member must name one of the 2 members of t.safetensors, 0 to 1\n"
    code, out, err = clearprop("predict", "t.safetensors", "t.csv", "--interval", "90")
    assert (code, out) == (2, "")
    assert "--interval is for quantities" in err
    assert sorted(Path().iterdir()) == before
    assert clearprop("tune", "t.csv", *QUICK, "--trials", "2", "--quiet")[0] == 0  # in its place


def without_seconds(told, other):
    """Return what JSON has, with the seconds of another run."""
    told = json.loads(json.dumps(told))
    for mine, its in zip(told["trials"], other["trials"], strict=True):
        mine["seconds"] = its["seconds"]
    return told


@pytest.mark.parametrize("seed", ["0", "3", "6"])  # it is in each of the three parts
def test_a_class_of_one_row_is_no_reason_to_fail(clearprop, frame, seed, monkeypatch):
    frame.loc[7, "left"] = "rare"
    frame.to_csv("t.csv", index=False)
    code, out, _ = clearprop(
        "tune", "t.csv", *QUICK, "--trials", "1", "--seed", seed, "--json", "--quiet"
    )
    assert code == 0
    told = json.loads(out)
    assert sum(told["rows"].values()) == N
    labels = json.loads(clearprop("info", "t.safetensors", "--json")[1])["classes"]
    assert set(labels) in ({"no", "yes"}, {"no", "rare", "yes"})
    assert clearprop("predict", "t.safetensors", "t.csv")[0] == 0


def test_an_interrupt_says_what_goes_on_and_leaves_no_model(clearprop, frame, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "run", interrupted)
    code, out, err = clearprop("tune", "t.csv", *QUICK, "--trials", "2", "--quiet")
    assert (code, out) == (130, "")
    assert err == "clearprop: interrupted; the same command goes on with the trials in t.study\n"
    assert not Path("t.safetensors").exists()


@pytest.mark.slow
def test_a_trial_that_failed_is_a_row_with_its_sentence(clearprop, frame, monkeypatch):
    real, calls = trials.run, []

    def failing(*given):
        calls.append(given)
        if len(calls) == 1:
            raise ValueError("the cost is not finite")
        return real(*given)

    monkeypatch.setattr(trials, "run", failing)
    code, out, err = clearprop("tune", "t.csv", *QUICK, "--trials", "2")
    assert code == 0
    assert "failed: the cost is not finite" in " ".join(out.split())
    assert ": the cost is not finite\n" in err


@pytest.mark.slow
def test_it_says_so_where_a_baseline_did_better(clearprop, frame):
    frame.assign(left=np.where(frame["age"] > 40, "yes", "no")).to_csv("t.csv", index=False)
    code, out, _ = clearprop(
        "tune", "t.csv", *QUICK, "--trials", "1", "--seed", "0", "--learning-rate", "1e-9"
    )
    assert code == 0
    assert "On these test rows boosted trees did better: log loss " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("iris",), "tune takes a table (CSV, Parquet), iris is none"),
        (("t.csv", "--target", "left", "--trials", "0"), "--trials must be at least 1, got 0"),
        (
            ("t.csv", "--target", "left", "--time-limit", "soon"),
            "--time-limit must be a time such as 90s",
        ),
        (
            ("t.csv", "--target", "left", "--storage", "t.csv", "--quiet"),
            "--storage 't.csv' exists and holds no study",
        ),
        (("t.csv", "--target", "left", "--validation", "0", "--quiet"), "tune needs rows to choose by"),
        (("t.csv", "--target", "left", "--output", "t.csv"), "DATA and --output must be two files"),
        (("t.csv", "--target", "left", "--calibrate"), "no such option: --calibrate"),
        (("t.csv", "--target", "nothing"), "t.csv has no column 'nothing': --target must be one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(clearprop, frame, arguments, message):
    before = {path: path.read_bytes() for path in Path().iterdir()}
    code, out, err = clearprop("tune", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"clearprop: {message}")
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_a_study_of_another_table_is_refused(clearprop, frame):
    assert clearprop("tune", "t.csv", *QUICK, "--trials", "1", "--quiet")[0] == 0
    frame.iloc[1:].to_csv("t.csv", index=False)
    code, _, err = clearprop("tune", "t.csv", *QUICK, "--trials", "1", "--quiet")
    assert code == 2
    assert err.startswith(
        "clearprop: --storage 't.study' holds a study of another table (60 rows of age, plan, "
    )


def test_without_optuna_one_sentence_says_what_installs_it(clearprop, frame, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, out, err = clearprop("tune", "t.csv", "--target", "left")
    assert (code, out) == (2, "")
    assert err == "clearprop: tune needs Optuna: pip install 'clearprop[tune]'\n"


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["t.study", "sqlite:///t.db"])
def test_processes_that_share_a_study_share_its_work(clearprop, frame, storage):
    command = ("tune", "t.csv", *QUICK, "--seed", "0", "--storage", storage)
    assert clearprop(*command, "--trials", "1")[0] == 0
    shared = [sys.executable, "-m", "clearprop", *command, "--trials", "12"]
    begun = [
        subprocess.Popen([*shared, "--output", f"{k}.safetensors"], stderr=-1, stdout=-3)
        for k in range(2)
    ]
    lines = [each.communicate()[1].decode().splitlines() for each in begun]
    assert [each.returncode for each in begun] == [0, 0]
    done = [[line for line in some if line.startswith("trial ")] for some in lines]
    assert all(done)
    assert 11 <= sum(map(len, done)) <= 12
    found = json.loads(clearprop(*command, "--trials", "12", "--json", "--quiet")[1])
    drawn = [str(each["parameters"]) for each in found["trials"]]
    assert len(set(drawn)) == len(drawn) == 1 + sum(map(len, done))
