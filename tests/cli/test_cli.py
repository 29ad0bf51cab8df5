"""The command line: real processes where a process matters, ``main`` called here where it does not."""

import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas
import pytest
from safetensors.numpy import save_file

import clearprop as cp
from clearprop.cli import check, pictures
from clearprop.cli.model import load_model
from clearprop.gradient_check import GradientCheck
from clearprop.model.targets import Units
from data_files import idx_set, write_idx_folder

COMMAND = [sys.executable, "-m", "clearprop"]
NUMPY = ("--engine", "numpy")  # nothing to compile
QUICK = ("--epochs", "2", *NUMPY)


def environment(**changes):
    return {**os.environ, **changes}


def process(*arguments, cwd, **options):
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, **options
    )


@pytest.fixture
def here(here, monkeypatch):
    """Work in a narrow window."""
    monkeypatch.setenv("COLUMNS", "80")
    return here


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Run ``clearprop train digits`` once, with no option that matters."""
    folder = tmp_path_factory.mktemp("digits")
    done = process("train", "digits", "--seed", "1", *NUMPY, cwd=folder)
    return folder / "digits.safetensors", done


@pytest.fixture
def table(here):
    """Write a CSV whose target is a quantity in the millions, and one without the target."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = 3e6 + 1e6 * (2 * X[:, 0] - X[:, 1] * X[:, 2])
    rows = [",".join(map(str, [*x, t])) for x, t in zip(X, y, strict=True)]
    (here / "prices.csv").write_text("\n".join(["a,b,c,price", *rows]))
    (here / "new.csv").write_text("\n".join(["c,a,b", *(f"{c},{a},{b}" for a, b, c in X[:5])]))
    return X, y


# What train shows and keeps


def test_train_digits_shows_result_curve_wrong_images_and_what_to_do_next(digits):
    path, done = digits
    assert done.returncode == 0, done.stderr
    accuracy = float(re.search(r"test accuracy +([\d.]+) %  \(\d+ of 360 right\)", done.stdout)[1])
    assert accuracy > 95
    assert "training cost (log)" in done.stdout
    assert re.search(r"[\u2801-\u28ff]", done.stdout)
    assert re.search(r"is \d, read as \d", done.stdout)
    assert "██" in done.stdout
    assert "saved               digits.safetensors" in done.stdout
    assert path.exists()
    assert "clearprop evaluate digits.safetensors digits" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "epoch 30/30" in done.stderr
    assert "epoch 30/30" not in done.stdout


def test_the_next_command_that_train_names_works(digits, clearprop, monkeypatch):
    path, done = digits
    monkeypatch.chdir(path.parent)
    (command,) = re.findall(r"clearprop (evaluate .*)", done.stdout)
    result = json.loads(clearprop(*command.split(), "--json")[1])
    shown = float(re.search(r"test accuracy +([\d.]+) %", done.stdout)[1])
    assert {"part", "n_samples", "cost", "accuracy"} <= set(result)
    assert (result["part"], result["n_samples"]) == ("test", 360)
    assert result["accuracy"] * 100 == pytest.approx(shown, abs=0.05)


def test_digits_with_no_option_reaches_97_percent_in_the_median_of_five_seeds(clearprop):
    reached = []
    for seed in range(5):
        assert clearprop("train", "digits", "--seed", seed, *NUMPY)[0] == 0
        reached.append(cp.load("digits.safetensors").about["result"]["accuracy"])
    assert np.median(reached) >= 0.97


def test_diabetes_with_no_option_explains_its_target(clearprop):
    code, out, _ = clearprop("train", "diabetes", "--seed", 0, *NUMPY)
    assert code == 0
    assert float(re.search(r"test R2 +([-\d.]+)", out)[1]) > 0.2


def test_a_table_in_millions_trains_and_the_model_speaks_raw_units(clearprop, table):
    X, y = table
    small = ("--hidden", 32, "--epochs", 90)
    code, _, err = clearprop("train", "prices.csv", "--target", "price", "--seed", 0, *small, *NUMPY)
    assert code == 0
    assert "60 rows are held out" in err
    model = cp.MLPRegressor.load("prices.safetensors")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    assert model.score(frame, y) > 0.7
    assert cp.load("prices.safetensors").about["n_samples"] == 240
    result = json.loads(clearprop("evaluate", "prices.safetensors", "prices.csv", "--json")[1])
    assert set(result) == {"part", "n_samples", "cost", "mae", "rmse", "r2", "intervals", "bootstrap"}
    residual = model.predict(frame) - y
    assert result["rmse"] == pytest.approx(np.sqrt((residual**2).mean()), rel=1e-4)


def test_a_checkpoint_of_standardized_targets_is_read_in_raw_units(clearprop, table):
    trained = ("prices.csv", "--target", "price", "--seed", 0, *QUICK)
    clearprop("train", *trained, "--checkpoint", "run.ckpt")
    _, from_model, _ = clearprop("predict", "prices.safetensors", "new.csv")
    _, from_checkpoint, _ = clearprop("predict", "run.ckpt", "new.csv")
    assert from_model == from_checkpoint
    assert np.abs(cp.load("run.ckpt").predict(table[0])).max() < 100  # standardized still


def test_an_offset_that_float32_cannot_hold_makes_the_model_float64():
    net = cp.Network([1, 2, 1], output="identity", cost="quadratic", seed=0)
    net.model.targets = Units(np.array([1.7e9]), np.array([0.5]))
    raw = cp.Network.of(net.model.in_raw_units())
    X = np.array([[0.3], [0.9]])
    assert raw.dtype == "float64"
    wanted = net.predict(X).astype(np.float64) * 0.5 + 1.7e9
    np.testing.assert_allclose(raw.predict(X), wanted, rtol=0, atol=1e-6)
    assert (net.model.is_standardized, raw.model.is_standardized) == (True, False)


def test_validation_is_drawn_and_logged(clearprop):
    code, out, _ = clearprop(
        "train", "iris", "--seed", 0, "--validation", "0.25", "--log", "history.csv", *QUICK
    )
    assert code == 0
    assert "cost ── train ╌╌ valid" in out
    with open("history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["validation_accuracy"]) >= 0


@pytest.mark.parametrize("data", ["iris", "flowers.csv"])
def test_the_running_accuracy_within_epochs_is_logged(data, clearprop):
    iris = cp.data.load("iris")
    frame = pandas.DataFrame(iris.X_train, columns=[*"abcd"])
    frame.assign(species=np.array(iris.classes)[iris.Y_train]).to_csv("flowers.csv", index=False)
    target = ("--target", "species", "--no-baselines") if data.endswith("csv") else ()
    run = ("train", data, *target, "--seed", 0, "--running-every", 50, "--log", "h.csv", *QUICK)
    assert clearprop(*run)[0] == 0
    assert clearprop(*run)[0] == 0  # it is known as a history that may be overwritten
    with open("h.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    n = 50 / float(rows[0]["epoch"])
    expected = sorted({50 * i / n for i in range(1, int(2 * n / 50) + 1)} | {1.0, 2.0})
    assert [float(row["epoch"]) for row in rows] == pytest.approx(expected)
    assert all(0 <= float(row["running_accuracy"]) <= 1 for row in rows)
    assert [row["epoch"] for row in rows if row["cost"]] == ["1", "2"]


def test_validation_data_may_be_a_file(clearprop, table):
    run = ("train", "prices.csv", "--target", "price", "--validation", "prices.csv", *QUICK)
    code, out, err = clearprop(*run)
    assert code == 0, err
    assert "validated on 300 rows of prices.csv" in err
    assert cp.load("prices.safetensors").about["n_samples"] == 300
    assert "validation R2" in out


def test_a_model_saved_from_python_is_evaluated_and_predicts(clearprop):
    data = cp.data.load("iris")
    net = cp.Network([4, 3], scaling=data.scaling, seed=0)
    net.fit(*data.train, epochs=20, progress=False, engine="numpy")
    net.save("own.safetensors")
    told = json.loads(clearprop("evaluate", "own.safetensors", "iris", "--json", "--part", "train")[1])
    right = (net.classify(data.X_train) == data.Y_train).mean()
    assert (told["part"], told["n_samples"]) == ("train", 120)
    assert told["accuracy"] == pytest.approx(right)
    assert clearprop("predict", "own.safetensors", "iris")[0] == 0
    assert clearprop("info", "own.safetensors")[0] == 0


def test_a_log_that_cannot_be_written_is_only_warned_of(clearprop):
    code, _, err = clearprop("train", "iris", "--log", "no/such/folder.csv", *QUICK)
    assert code == 0
    assert err.count("warning: the log no/such/folder.csv cannot be written") == 1


def test_two_classes_may_have_one_output(clearprop):
    code, out, _ = clearprop(
        "train", "breast_cancer", "--cost", "binary_cross_entropy", "--epochs", 5, *NUMPY
    )
    assert code == 0
    assert cp.load("breast_cancer.safetensors").sizes == (30, 30, 1)
    _, out, _ = clearprop("predict", "breast_cancer.safetensors", "breast_cancer")
    header, first = list(csv.reader(io.StringIO(out)))[:2]
    assert header == ["row", "prediction", "probability_malignant", "probability_benign"]
    assert float(first[2]) + float(first[3]) == pytest.approx(1)
    told = clearprop("evaluate", "breast_cancer.safetensors", "breast_cancer")[1]
    assert float(re.search(r"accuracy +(\S+)", told)[1]) > 0.9


def test_features_of_any_size_are_scaled_and_the_model_keeps_the_scaling(clearprop):
    code, out, _ = clearprop("train", "wine", "--seed", 0, "--epochs", 10, *NUMPY)
    assert code == 0
    assert float(re.search(r"test accuracy +([\d.]+)", out)[1]) > 90
    scaling = cp.load("wine.safetensors").scaling
    np.testing.assert_array_equal(scaling.shift, cp.data.load("wine").scaling.shift)


def test_lbfgs_trains(clearprop):
    code, out, _ = clearprop("train", "iris", "--optimizer", "lbfgs", "--seed", 0, *NUMPY)
    assert code == 0
    assert float(re.search(r"test accuracy +([\d.]+)", out)[1]) > 90


# Files


def test_a_second_training_overwrites_its_own_model_but_nothing_else(clearprop):
    assert clearprop("train", "iris", *QUICK)[0] == 0
    first = Path("iris.safetensors").read_bytes()
    assert clearprop("train", "iris", "--seed", 5, *QUICK)[0] == 0
    assert Path("iris.safetensors").read_bytes() != first
    Path("iris.safetensors").write_text("notes")
    code, _, err = clearprop("train", "iris", *QUICK)
    assert (code, Path("iris.safetensors").read_text()) == (2, "notes")
    assert "iris.safetensors exists and is no clearprop model" in err


def test_a_checkpoint_is_never_taken_for_a_model_to_overwrite(clearprop):
    clearprop("train", "iris", "--checkpoint", "run.safetensors", *QUICK)
    code, _, err = clearprop("train", "iris", "--output", "run.safetensors", *QUICK)
    assert code == 2
    assert "is no clearprop model" in err


def test_predict_takes_a_table_without_target_and_orders_its_columns(clearprop, table):
    X, _ = table
    clearprop("train", "prices.csv", "--target", "price", "--seed", 0, *QUICK)
    code, out, _ = clearprop("predict", "prices.safetensors", "new.csv")
    rows = list(csv.reader(io.StringIO(out)))
    assert (code, rows[0]) == (0, ["row", "prediction"])
    assert [row[0] for row in rows[1:]] == ["0", "1", "2", "3", "4"]
    frame = pandas.DataFrame(X[:5], columns=["a", "b", "c"])
    expected = cp.MLPRegressor.load("prices.safetensors").predict(frame)
    answers = [float(row[1]) for row in rows[1:]]
    # float32: to the digits of the largest, also of one that is near 0 by chance
    np.testing.assert_allclose(answers, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_predictions_are_the_same_on_standard_output_in_csv_and_in_parquet(digits, clearprop):
    path, _ = digits
    _, out, _ = clearprop("predict", path, "digits")
    assert clearprop("predict", path, "digits", "--output", "p.csv")[0] == 0
    assert clearprop("predict", path, "digits", "--output", "p.parquet")[0] == 0
    from pyarrow import parquet

    frame = parquet.read_table("p.parquet").to_pydict()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert Path("p.csv").read_text() == out
    assert list(frame) == list(rows[0])
    assert frame["prediction"] == [row["prediction"] for row in rows]
    net, (X, Y) = cp.load(path), cp.data.load("digits").test
    assert frame["prediction"] == [str(label) for label in net.classify(X)]
    assert np.mean([label == str(y) for label, y in zip(frame["prediction"], Y, strict=True)]) > 0.95
    probabilities = np.array([list(row.values())[2:] for row in rows], dtype=float)
    np.testing.assert_array_equal(probabilities.astype(np.float32), net.predict(X))
    assert sorted(os.listdir()) == ["p.csv", "p.parquet"]


def test_a_prediction_that_fails_leaves_the_old_file(digits, clearprop, monkeypatch):
    from clearprop.cli import predictions

    old = "row,prediction\n0,1\n"
    Path("p.csv").write_text(old)

    def fail(blocks, file):
        file.write("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(predictions, "_write_csv", fail)
    code, _, err = clearprop("predict", digits[0], "digits", "--output", "p.csv")
    assert (code, err) == (1, "clearprop: p.csv: No space left on device\n")
    assert (os.listdir(), Path("p.csv").read_text()) == (["p.csv"], old)


# Nothing is overwritten that would be missed


@pytest.fixture
def flowers(here):
    """Write tables, other names of them, a folder of images, a configuration and a model."""
    iris = cp.data.load("iris")
    X, Y = iris.train
    rows = [",".join([*map(str, x), iris.classes[y]]) for x, y in zip(X, Y, strict=True)]
    (here / "t.csv").write_text("\n".join(["a,b,c,d,label", *rows]))
    (here / "v.csv").write_text("\n".join(["a,b,c,d,label", *rows[::2]]))
    os.link("t.csv", "hard")
    os.symlink("t.csv", "soft")
    os.symlink("none.yet", "dangling")
    write_idx_folder(here / "images", idx_set())
    (here / "run.toml").write_text("epochs = 2\n")
    net = cp.Network([4, 3], seed=0)
    net.classes, net.feature_names = iris.classes, ("a", "b", "c", "d")
    net.about = {"task": "classification", "target": "label"}
    net.save("m.csv")
    return here


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(sys.platform == "win32", reason="links")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("train t.csv --log t.csv", "DATA and --log must be two files, got t.csv for both"),
        ("train t.csv --log ./t.csv", "DATA and --log must be two files, got t.csv and ./t.csv, one"),
        ("train t.csv --log hard", "DATA and --log must be two files"),
        ("train soft.csv --log v.csv", "DATA and --log must be two files"),
        ("train t.csv --output soft", "DATA and --output must be two files"),
        ("train t.csv --checkpoint t.csv --resume", "DATA and --checkpoint must be two files"),
        ("train t.csv --validation v.csv --log v.csv", "--validation and --log must be two files"),
        ("train t.csv --config run.toml --log run.toml", "--config and --log must be two files"),
        ("train t.csv --checkpoint n --log n", "--log and --checkpoint must be two files"),
        ("train t.csv --checkpoint dangling --log none.yet", "--log and --checkpoint must be two"),
        ("train t.csv --output n --log ./n", "--output and --log must be two files"),
        ("train t.csv --log t.safetensors", "--output and --log must be two files"),
        (
            "train images --log images/train-labels-idx1-ubyte",
            "--log must be no file of the folder DATA, got images/train-labels-idx1-ubyte",
        ),
        ("predict m.csv t.csv --output t.csv", "DATA and --output must be two files"),
        ("predict m.csv t.csv --output m.csv", "MODEL and --output must be two files"),
        ("explain m.csv t.csv --output hard", "DATA and --output must be two files"),
    ],
)
def test_a_file_that_is_read_or_written_already_is_not_written(arguments, told, clearprop, flowers):
    os.symlink("v.csv", "soft.csv")
    before = contents(flowers)
    quick = QUICK if arguments.startswith("train") else ()
    code, out, err = clearprop(*arguments.split(), *quick)
    assert (code, out) == (2, "")
    assert err.startswith(f"clearprop: {told}")
    assert err.count("\n") == 1
    assert contents(flowers) == before


@pytest.mark.parametrize(
    "text", ["epoch\n1\n", "notes", "epoch,cost,price\n1,2,3\n", '"', "\n", "a,b\n1,2\n"]
)
def test_a_log_overwrites_nothing_but_a_history(text, clearprop, here):
    Path("log.csv").write_text(text)
    code, _, err = clearprop("train", "iris", "--log", "log.csv", *QUICK)
    assert (code, Path("log.csv").read_text()) == (2, text)
    assert err == (
        "clearprop: --log log.csv exists and holds no history; another name keeps what it holds\n"
    )
    assert os.listdir() == ["log.csv"]


def test_a_log_overwrites_an_earlier_history_and_an_empty_file(clearprop, here):
    Path("log.csv").touch()
    for epochs in (1, 3):
        run = ("train", "iris", "--log", "log.csv", "--epochs", epochs, *NUMPY)
        assert clearprop(*run)[0] == 0
        assert len(Path("log.csv").read_text().splitlines()) == 1 + epochs
    assert clearprop("train", "diabetes", "--log", "log.csv", *QUICK)[0] == 0
    assert clearprop("train", "iris", "--log", os.devnull, *QUICK)[0] == 0


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "P.PARQUET"])
def test_predictions_overwrite_nothing_but_predictions(name, clearprop, flowers):
    import pyarrow
    from pyarrow import parquet

    run = ("predict", "m.csv", "t.csv", "--output", name)
    if name.endswith("csv"):
        foreign = [b"notes", b"row,price\n1,2\n", b"row,prediction,price\n0,1,2\n", b"\xff\xfe"]
    else:
        parquet.write_table(pyarrow.table({"row": [0], "price": [1.5]}), name)
        foreign = [Path(name).read_bytes(), b"notes"]
    for content in foreign:
        Path(name).write_bytes(content)
        code, _, err = clearprop(*run)
        assert (code, Path(name).read_bytes()) == (2, content)
        assert err.startswith(f"clearprop: --output {name} exists and holds no predictions")
    Path(name).write_bytes(b"")
    assert clearprop(*run)[0] == 0
    first = Path(name).read_bytes()
    assert first
    assert clearprop(*run)[0] == 0
    assert Path(name).read_bytes() == first


def test_predictions_of_several_quantities_overwrite_their_own(clearprop, here):
    cp.Network([2, 2], output="identity", cost="quadratic", seed=0).save("m.safetensors")
    np.savez("x.npz", X=np.ones((3, 2)))
    for _ in range(2):
        assert clearprop("predict", "m.safetensors", "x.npz", "--output", "p.csv")[0] == 0
    assert Path("p.csv").read_text().startswith("row,prediction_1,prediction_2\n")


# Labels that a model does not know


def test_rows_of_unknown_labels_count_as_wrong_and_are_told(clearprop, flowers):
    quick = ("--hidden", 8, *QUICK)
    assert clearprop("train", "t.csv", "--seed", 0, "--validation", 0, *quick)[0] == 0
    whole = json.loads(clearprop("evaluate", "t.safetensors", "t.csv", "--json")[1])
    assert "n_unknown" not in whole
    rows = Path("t.csv").read_text().splitlines()
    strange = [*rows, "1,2,3,4,tulip", "1,2,3,4,rose", "1,2,3,4,rose"]
    Path("u.csv").write_text("\n".join(strange))
    code, out, err = clearprop("evaluate", "t.safetensors", "u.csv", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["n_samples"], told["n_unknown"]) == (123, 3)
    assert told["cost"] == pytest.approx(whole["cost"])
    assert told["accuracy"] == pytest.approx(whole["accuracy"] * 120 / 123)
    assert err == (
        "clearprop: 3 rows have labels the model does not know ('rose', 'tulip'): counted as wrong; "
        "the cost is over the other 120\n"
    )
    _, out, _ = clearprop("evaluate", "t.safetensors", "u.csv")
    assert re.search(r"unknown labels +3", out)
    assert re.search(r"\(unknown\)( +[.\d])+", out)
    Path("one.csv").write_text("a,b,c,d,label\n1,2,3,4,tulip\n")
    code, out, err = clearprop("evaluate", "t.safetensors", "one.csv", "--json")
    told = json.loads(out)
    assert (code, told["accuracy"], told["cost"]) == (0, 0.0, None)
    assert "1 row has a label the model does not know ('tulip')" in err
    assert re.search(r"cost +none", clearprop("evaluate", "t.safetensors", "one.csv")[1])
    assert clearprop("check", "t.safetensors", "u.csv")[0] == 2  # a gradient needs every target


def test_a_model_of_numbers_is_evaluated_on_rows_of_a_single_label(clearprop, here):
    net = cp.Network([2, 3], seed=0)
    net.classes = (0, 1, 2)
    net.save("m.safetensors")
    X = np.random.default_rng(0).normal(size=(20, 2))
    label = int(np.bincount(net.classify(X)).argmax())
    rows = [f"{a},{b},{label}" for a, b in X]
    Path("t.csv").write_text("\n".join(["a,b,label", *rows]))
    code, out, _ = clearprop("evaluate", "m.safetensors", "t.csv", "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] == pytest.approx((net.classify(X) == label).mean())
    Path("t.csv").write_text("\n".join(["a,b,label", *rows, "1,1,7"]))
    told = json.loads(clearprop("evaluate", "m.safetensors", "t.csv", "--json")[1])
    assert told["n_unknown"] == 1


# info and check


def test_info_says_that_a_checkpoint_speaks_standardized_targets(clearprop):
    clearprop("train", "diabetes", "--checkpoint", "run.ckpt", *QUICK)
    _, out, _ = clearprop("info", "run.ckpt")
    assert "outputs             standardized, as in training" in out
    assert "cp.load does not" in out
    assert json.loads(clearprop("info", "run.ckpt", "--json")[1])["standardized_outputs"] is True
    assert "standardized" not in clearprop("info", "diabetes.safetensors")[1]
    told = json.loads(clearprop("info", "diabetes.safetensors", "--json")[1])
    assert (told["standardized_outputs"], "options" in told["about"]) == (False, False)


def test_a_curve_in_other_units_than_the_result_says_so(clearprop):
    told = clearprop("train", "diabetes", "--seed", 0, *QUICK)[1]
    assert "the cost is that of the standardized target" in told
    assert "standardized" not in clearprop("train", "iris", "--seed", 0, *QUICK)[1]


def test_info_tells_a_model_and_a_checkpoint_apart(clearprop):
    clearprop("train", "iris", "--seed", 0, "--checkpoint", "run.ckpt", *QUICK)
    told = json.loads(clearprop("info", "iris.safetensors", "--json")[1])
    assert (told["kind"], told["sizes"], told["epochs_trained"]) == ("model", [4, 30, 3], 2)
    assert told["classes"] == ["setosa", "versicolor", "virginica"]
    told = json.loads(clearprop("info", "run.ckpt", "--json")[1])
    assert (told["kind"], told["epoch"], told["step"]) == ("checkpoint", 2, 8)
    assert told["optimizer"]["name"] == "sgd"
    assert len(told["history"]["cost"]) == 2
    _, out, _ = clearprop("info", "run.ckpt")
    assert "checkpoint at       epoch 2, step 8" in out
    assert "learning_rate 0.2, momentum 0.9" in out
    assert "running_accuracy" in out


def test_check_passes_a_right_gradient_and_fails_a_wrong_one(digits, clearprop, monkeypatch):
    path, _ = digits
    code, out, _ = clearprop("check", path, "digits", "--rows", 8)
    assert code == 0
    assert out.startswith("gradient check: pass")
    wrong = GradientCheck("fail", float("inf"), (), 10)
    monkeypatch.setattr(check, "check_gradient", lambda *_, **__: wrong)
    code, out, _ = clearprop("check", path, "digits", "--json")
    told = json.loads(out)
    assert (code, told["verdict"], told["max_relative_error"]) == (1, "fail", None)
    assert told["n_samples"] == 32


def foreign(path, rows=None, change=lambda name, array: array):
    """Write the gradient of a model on the test digits as another program would."""
    net = cp.load(path)
    data = cp.data.load("digits")
    g = net.copy("float64").gradient(data.X_test[:rows], data.Y_test[:rows])
    arrays = {f"layers.{i}.weight": W for i, W in enumerate(g.weights)}
    arrays |= {f"layers.{i}.bias": b for i, b in enumerate(g.biases)}
    save_file(
        {name: np.ascontiguousarray(change(name, a)) for name, a in arrays.items()}, "g.safetensors"
    )


def test_check_holds_a_gradient_from_elsewhere_and_names_its_mistake(digits, clearprop):
    path, _ = digits
    foreign(path)
    code, out, _ = clearprop("check", path, "digits", "--gradient", "g.safetensors")
    assert (code, out.partition(" (")[0]) == (0, "gradient check: pass")
    foreign(path, rows=20, change=lambda name, a: 20 * a)
    on = ("check", path, "digits", "--gradient", "g.safetensors", "--rows", 20)
    code, out, _ = clearprop(*on)
    assert code == 1
    assert "First wrong layer, on the way back from the cost: layer 2" in out
    assert "20 times too large: the sum over the 20 samples" in out
    told = json.loads(clearprop(*on, "--json")[1])
    assert told["mistakes"][0]["name"] == "sum_for_mean"
    assert told["first_wrong"].startswith("layers.1.")
    assert {block["block"] for block in told["blocks"]} == {
        f"layers.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")
    }


def test_check_refuses_a_gradient_that_does_not_fit(digits, clearprop, tmp_path):
    path, _ = digits
    foreign(path, change=lambda name, a: a.T)
    code, out, err = clearprop("check", path, "digits", "--gradient", "g.safetensors")
    assert (code, out) == (2, "")
    assert "row = destination neuron" in err
    (tmp_path / "text.safetensors").write_text("hello")
    for wrong, words in (
        ("text.safetensors", "must be a safetensors file"),
        ("no.safetensors", "there is no file no.safetensors"),
    ):
        code, out, err = clearprop("check", path, "digits", "--gradient", wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_check_tells_penalties_by_themselves(digits, clearprop):
    path, _ = digits
    code, out, _ = clearprop("check", path, "digits", "--rows", 4, "--l2", 0.01, "--json")
    assert code == 0
    assert {block["term"] for block in json.loads(out)["blocks"]} == {"data", "penalty"}
    assert (
        "layers.0.weight (penalty)" in clearprop("check", path, "digits", "--rows", 4, "--l2", 0.01)[1]
    )
    code, _, err = clearprop("check", path, "digits", "--l1", -1)
    assert (code, "--l1 must be" in err) == (2, True)


def hostile(path, **changes):
    """Rewrite a file, intact as a file, with other metadata."""
    tensors, metadata = cp.checkpoint.read_tensors(path)
    cp.checkpoint.write_tensors(path, tensors, {**metadata, **changes})


def test_a_hostile_model_file_is_refused_and_cannot_talk_to_the_terminal(clearprop):
    clearprop("train", "iris", *QUICK)
    hostile("iris.safetensors", classes=["a\x1b[2J", "b", "c\r"], about={"data": "\x1b]0;x\x07"})
    code, out, err = clearprop("info", "iris.safetensors")
    assert (code, "\x1b" in out + err, "\r" in out) == (0, False, False)
    assert "a\\x1b[2J" in out
    hostile("iris.safetensors", about={}, training={"history": 1, "settings": 2})
    code, _, err = clearprop("info", "iris.safetensors")
    assert code == 2
    assert "iris.safetensors: metadata.training: 'seed' is missing" in err


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train", "missing argument 'DATA...'"),
        ("trian digits", "no such command 'trian'. Did you mean 'train'?"),
        ("train digits --hiden 3", "no such option: --hiden"),
        ("train digtis", "there is no file or folder digtis"),
        ("train .", "."),
        ("train http://host/x.csv", "a URL must be one that pyarrow reads, such as s3://bucket/folder"),
        ("train -- -x.csv", "there is no file or folder -x.csv"),
        ("train digits --hidden 0", "a layer's size must be at least 1, got 0"),
        ("train digits --hidden 3x", "--hidden must be sizes such as 30 or 64,32, or none, got '3x'"),
        ("train digits --batch-size 0", "--batch-size must be at least 1, got 0"),
        ("train digits --epochs 0", "--epochs must be at least 1, got 0"),
        ("train digits --epochs ten", "--epochs: "),
        ("train digits --learning-rate nan", "--learning-rate must be a finite number above 0"),
        ("train digits --momentum 1", "--momentum must be in [0, 1), got 1.0"),
        ("train digits --dropout 1", "--dropout must be in [0, 1), got 1.0"),
        ("train digits --l2 -1", "--l2 must be a finite number of at least 0, got -1.0"),
        ("train digits --seed -1", "--seed must be from 0 to 2**64 - 1, got -1"),
        ("train digits --threads 0", "--threads must be at least 1, got 0"),
        ("train digits --running-window 0", "--running-window must be at least 1, got 0"),
        ("train digits --running-every 0", "--running-every must be at least 1, got 0"),
        ("train diabetes --running-every 9", "--running-every needs targets that are classes, got 9"),
        ("train digits --activation sigmod", "got 'sigmod'; did you mean 'sigmoid'?"),
        ("train digits --optimizer adm", "got 'adm'; did you mean 'adam'?"),
        ("train digits --engine gpu", "--engine must be one of"),
        ("train digits --cost quadratik", "did you mean 'quadratic'?"),
        ("train digits --cost binary_cross_entropy", "needs 2 classes, digits has 10"),
        ("train digits --optimizer adam --momentum 0.5", "--momentum goes with --optimizer sgd"),
        ("train digits --optimizer lbfgs --batch-size 5", "--batch-size does not go with"),
        ("train digits --optimizer lbfgs --checkpoint x", "--checkpoint cannot be used with LBFGS"),
        ("train digits --validation 1.5", "--validation must be between 0 and 1"),
        ("train digits --validation nothing", "there is no file or folder nothing"),
        ("train digits --output no/such.safetensors", "there is no folder"),
        ("train digits --output .", "--output must be a file"),
        ("train digits --output x --checkpoint x", "must be two files"),
        ("train digits --checkpoint no/x", "--checkpoint no/x: there is no folder no"),
        ("train digits --resume", "--resume needs --checkpoint FILE"),
        ("train digits --checkpoint x --checkpoint-every 3h", "--checkpoint-every must be a number"),
        ("train digits --config none.toml", "there is no file none.toml in /"),
        ("evaluate none.safetensors digits", "there is no file none.safetensors in /"),
        ("evaluate MODEL iris", "the columns must be the model's"),
        ("evaluate MODEL digits --part tets", "--part: "),
        (
            "predict MODEL digits --output x.txt",
            "--output must be a .csv, .parquet or .jsonl file, got x.txt",
        ),
        ("predict MODEL digits --output no/x.csv", "there is no folder"),
        ("info .", "path must be a regular file, got a folder"),
        ("check MODEL digits --rows 0", "--rows must be at least 1, got 0"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments, message, digits, clearprop):
    path, _ = digits
    code, out, err = clearprop(*arguments.replace("MODEL", str(path)).split())
    told = [line for line in err.splitlines() if line.startswith("clearprop: ")]
    assert (code, out, len(told)) == (2, "", 1)
    assert message in told[0]
    assert err.splitlines()[-1] == told[0]
    assert "Traceback" not in err
    assert os.listdir() == []


def test_divergence_exits_with_1_and_says_what_to_try(clearprop):
    code, _, err = clearprop(
        *[
            "train",
            "digits",
            "--learning-rate",
            "1e30",
            "--activation",
            "relu",
            "--output-activation",
            "identity",
        ],
        *("--cost", "quadratic", *NUMPY),
    )
    assert code == 1
    assert "clearprop: training diverged at epoch 1, step " in err
    assert "Try a smaller learning rate" in err
    assert not os.path.exists("digits.safetensors")


def test_a_warning_is_a_sentence_without_the_line_that_raised_it(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,x\n2,z\n3,x\n4,z\n")
    done = process("train", "t.csv", "--batch-size", "99", *QUICK, cwd=tmp_path)
    assert done.returncode == 0
    assert "clearprop: warning: --batch-size 99 is larger than the 4 samples" in done.stderr
    assert ".py" not in done.stderr


def test_debug_adds_the_traceback(clearprop):
    code, _, err = clearprop("info", "nothing", "--debug")
    assert code == 2
    assert err.startswith("Traceback")
    assert err.splitlines()[-1] == f"clearprop: there is no file nothing in {os.getcwd()}"


# Configuration


def test_a_configuration_gives_options_and_the_command_line_wins(clearprop, here):
    (here / "run.toml").write_text(
        'hidden = [8, 4]\nepochs = 3\nlearning-rate = 0.3\nseed = 3\nengine = "numpy"\n'
    )
    code, _, err = clearprop("train", "iris", "--config", "run.toml", "--epochs", 2)
    assert code == 0
    assert "network 4-8-4-3" in err
    assert "SGD 0.3" in err
    assert "epoch 2/2" in err
    assert cp.load("iris.safetensors").seed == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hiden = 3", "has the unknown key 'hiden'; did you mean 'hidden'?"),
        ("[train]\nepochs = 3", "has the unknown key 'train'; options are activation"),
        ("config = 'x'", "has the unknown key 'config'"),
        ("epochs = 2.5", "--epochs: "),
        ("epochs = true", "epochs must be a number or text, got True"),
        ("resume = 1", "resume must be true or false, got 1"),
        ("hidden = ['a']", "hidden must be a number or text"),
        ("epochs = [", "is not a TOML file"),
    ],
)
def test_a_wrong_configuration_is_refused(text, message, clearprop, here):
    (here / "run.toml").write_text(text)
    code, _, err = clearprop("train", "iris", "--config", "run.toml")
    assert code == 2
    assert message in err


# Interruption and resuming

RUN = [
    "train",
    "digits.npz",
    "--seed",
    "3",
    "--batch-size",
    "1",
    "--epochs",
    "6",
    "--dropout",
    "0.1",
    "--validation",
    "0.1",
]


def write_npz(folder):
    """Write digits as a file, which is read without scikit-learn: that is most of a start."""
    X, y = cp.data.load("digits").train
    np.savez(folder / "digits.npz", X=X, y=y)


def interrupt(number, folder, *arguments):
    """Start a training, send it a signal when its first epoch is done; return the ended process."""
    started = subprocess.Popen(
        [*COMMAND, *RUN, *NUMPY, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    err = ""
    while line := started.stderr.readline():
        err += line
        if re.match(r"epoch +\d", line):
            started.send_signal(number)
            break
    out, rest = started.communicate(timeout=120)
    return started.returncode, out, err + rest


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_run_interrupted_twice_goes_on_to_the_bits_of_the_unbroken_one(tmp_path):
    write_npz(tmp_path)
    whole = process(*RUN, *NUMPY, "--output", "whole.safetensors", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    kept = ("--checkpoint", "run.ckpt", "--output", "parts.safetensors")

    code, out, err = interrupt(signal.SIGINT, tmp_path, *kept)
    assert (code, out) == (130, "")
    epoch, step = map(int, re.search(r"interrupted at epoch (\d+), step (\d+)", err).groups())
    assert 1293 <= step < 6 * 1293
    assert epoch == step // 1293

    refused = process(*RUN, *NUMPY, *kept, cwd=tmp_path)
    assert refused.returncode == 2
    assert "--checkpoint run.ckpt exists" in refused.stderr

    code, out, err = interrupt(signal.SIGTERM, tmp_path, *kept, "--resume")
    assert (code, out) == (143, "")
    assert f"resumed at epoch {epoch}, step {step}" in err
    assert not (tmp_path / "parts.safetensors").exists()

    last = process(*RUN, *NUMPY, *kept, "--resume", "--threads", "1", cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    assert "not to the same bits" in last.stderr  # another number of threads may give them up
    parts = (tmp_path / "parts.safetensors").read_bytes()
    assert parts == (tmp_path / "whole.safetensors").read_bytes()


def test_resume_starts_from_the_beginning_or_has_nothing_left_to_do(clearprop):
    run = ("train", "iris", "--checkpoint", "run.ckpt", "--resume", *QUICK)
    code, _, err = clearprop(*run)
    assert code == 0
    assert "run.ckpt does not exist: starting from the beginning" in err
    first = Path("iris.safetensors").read_bytes()
    code, out, err = clearprop(*run)  # the seed, which was not given, is the checkpoint's
    assert code == 0
    assert "resumed at epoch 2, step 8" in err
    assert "nothing is left to do" in err
    assert "test accuracy" in out
    assert Path("iris.safetensors").read_bytes() == first
    code, _, err = clearprop(*run, "--epochs", 3)
    assert code == 0
    assert cp.load("iris.safetensors").epochs_trained == 3


def test_resume_refuses_what_would_make_another_run(clearprop):
    run = ("train", "iris", "--checkpoint", "run.ckpt", "--resume", *QUICK)
    clearprop(*run)
    for option in (("--hidden", 7), ("--learning-rate", 0.3), ("--validation", 0.2), ("--seed", 1)):
        code, _, err = clearprop(*run, *option)
        assert code == 2
        assert "run.ckpt cannot be resumed with other settings" in err


def test_resume_names_the_options_that_differ_and_allows_four(clearprop, flowers):
    run = ("train", "t.csv", "--checkpoint", "run.ckpt", "--resume", "--seed", 0, *NUMPY)
    assert clearprop(*run, "--epochs", 2, "--checkpoint-every", "2epochs")[0] == 0
    before = Path("run.ckpt").read_bytes()
    for options, told in (
        ("", "--checkpoint-every is 1epoch, was 2epochs"),
        ("--checkpoint-every 5s", "--checkpoint-every is 5s, was 2epochs"),
        (
            "--checkpoint-every 2epochs --validation 0.5",
            "--validation is 0.5, was 0.2",
        ),
        (
            "--checkpoint-every 2epochs --validation v.csv",
            "--validation is other data, was 0.2",
        ),
    ):
        code, out, err = clearprop(*run, *options.split(), "--epochs", 3)
        assert (code, out) == (2, "")
        assert err == f"clearprop: run.ckpt cannot be resumed with other settings: {told}\n"
    assert Path("run.ckpt").read_bytes() == before
    free = ("--epochs", 3, "--output", "o.safetensors", "--log", "log.csv", "--threads", 1)
    same = ("--checkpoint-every", "2 epochs", "--validation", "0.20")  # as it was, in other words
    code, _, err = clearprop(*run, *free, *same)
    assert code == 0
    assert "resumed at epoch 2" in err
    assert cp.load("o.safetensors").epochs_trained == 3


def test_resume_names_another_target_and_task(clearprop, here):
    rows = [f"{i % 5},{i % 3},{i % 2}" for i in range(30)]
    (here / "t.csv").write_text("\n".join(["a,b,label", *rows]))
    run = ("train", "t.csv", "--checkpoint", "run.ckpt", "--resume", *QUICK)
    assert clearprop(*run)[0] == 0
    _, _, err = clearprop(*run, "--target", "a", "--task", "regression")
    assert err == (
        "clearprop: run.ckpt cannot be resumed with other settings: --target is a, was label; --task is "
        "regression, was classification\n"
    )


def test_a_checkpoint_begun_in_python_is_resumed_by_its_settings_alone(clearprop):
    run = ("train", "iris", "--checkpoint", "run.ckpt", "--resume", *QUICK)
    clearprop(*run)
    _, metadata = cp.checkpoint.read_tensors("run.ckpt")
    del metadata["about"]["options"]
    hostile("run.ckpt", about=metadata["about"])
    assert clearprop(*run, "--epochs", 3, "--checkpoint-every", "2s")[0] == 0


# Terminals, or none


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_standard_error_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,x\n2,z\n3,x\n4,z\n")
    train = shlex.join([*COMMAND, "train", "t.csv", "--batch-size", "99", "--seed", "1", *QUICK])
    evaluate = shlex.join([*COMMAND, "evaluate", "t.safetensors", "t.csv", "--json"])
    for command, told in ((train, "saved  "), (evaluate, '"accuracy"')):
        for full in ("/dev/full", "&-"):
            done = subprocess.run(
                f"{command} 2>{full}", shell=True, cwd=tmp_path, capture_output=True, timeout=120
            )
            assert (done.returncode, done.stderr) == (0, b"")
            assert told in done.stdout.decode()
            assert "clearprop: " not in done.stdout.decode()  # what has no reader is no result
            assert "epoch 2/2" not in done.stdout.decode()
    assert cp.load(tmp_path / "t.safetensors").epochs_trained == 2
    failing = shlex.join([*COMMAND, "info", "nothing"])
    assert subprocess.run(f"{failing} 2>/dev/full", shell=True, cwd=tmp_path).returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_terminal_that_goes_away_costs_no_work(tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n1,x\n2,z\n3,x\n4,z\n")
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, "train", "t.csv", *QUICK]
    done = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=writing, env=environment(), timeout=120
    )
    os.close(writing)
    assert done.returncode == 0
    assert cp.load(tmp_path / "t.safetensors").epochs_trained == 2


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_reader_that_has_read_enough_ends_it_quietly(digits, tmp_path):
    path, _ = digits
    write_npz(tmp_path)
    arguments = ["predict", str(path), str(tmp_path / "digits.npz")]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout.readline().startswith(b"row,prediction")
        started.stdout.close()
        assert started.stderr.read() == b""
        assert started.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="file descriptors")
def test_without_standard_streams_and_home_a_training_still_saves(tmp_path):
    bare = {name: value for name, value in os.environ.items() if name != "HOME"}
    write_npz(tmp_path)
    command = " ".join([*COMMAND, "train", "digits.npz", *QUICK, ">&-", "2>&-"])
    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=bare, timeout=120)
    assert ended.returncode == 0
    assert cp.load(tmp_path / "digits.safetensors").epochs_trained == 2


def test_a_plain_locale_gets_ascii_pictures(tmp_path):
    plain = environment(LC_ALL="C", TERM="dumb", NO_COLOR="1", COLUMNS="60")
    done = process("train", "digits", *QUICK, cwd=tmp_path, env=plain)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert done.stderr.isascii()
    assert "-----" in done.stdout
    assert "@@" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_predictions_are_utf8_in_every_locale(clearprop, here):
    rows = [f"{i % 7},{'ß' if i % 7 > 3 else 'a, b'}" for i in range(40)]
    quoted = [row.replace("a, b", '"a, b"') for row in rows]
    (here / "t.csv").write_text("\n".join(["x,label", *quoted]), "utf-8")
    assert clearprop("train", "t.csv", *QUICK)[0] == 0
    done = subprocess.run(
        [*COMMAND, "predict", "t.safetensors", "t.csv"],
        cwd=here,
        capture_output=True,
        env=environment(LC_ALL="C"),
        timeout=120,
    )
    assert 'row,prediction,"probability_a, b",probability_ß' in done.stdout.decode("utf-8")


def test_color_is_for_terminals_that_want_it(clearprop, monkeypatch):
    color = re.compile(r"\x1b\[[0-9;]*3[0-9]m")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert color.search(clearprop("train", "iris", *QUICK)[1])
    monkeypatch.setenv("NO_COLOR", "1")
    assert not color.search(clearprop("train", "iris", *QUICK)[1])


@pytest.mark.parametrize("width", [20, 40, 72, 100, 200])
def test_what_train_shows_fits_the_terminal(width, clearprop, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, _ = clearprop("train", "digits", "--seed", 0, *QUICK)
    assert code == 0
    drawn = [line for line in out.splitlines() if re.search(r"[│└▓\u2801-\u28ff]", line)]
    assert len(drawn) > 10
    assert max(map(len, drawn)) <= width


# Help and start


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "info", "check"])
def test_the_help_of_every_command_has_an_example(command, clearprop):
    code, out, _ = clearprop(command, "--help")
    assert code == 0
    assert f"Example: clearprop {command} " in out


def test_help_and_version_load_nothing_heavy(tmp_path):
    code = (
        "import sys, contextlib, io\nfrom clearprop.cli import main\n"
        "for option in ('--version', '--help'):\n"
        "    with contextlib.suppress(SystemExit): main([option])\n"
        "heavy = {'numba', 'llvmlite', 'sklearn', 'scipy', 'pyarrow', 'pooch', 'matplotlib', 'safetensors'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[0] == f"clearprop {cp.__version__}"
    assert "Begin with: clearprop train digits" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


# Pictures


def lines(values, **options):
    series = pictures.Series("train", values, "", False)
    settings = {"wide": False, "may_be_log": False} | options
    epochs = range(1, len(values) + 1)
    return [str(line) for line in pictures.panel("cost", [series], epochs, 29, 5, **settings)]


def test_a_falling_line_is_drawn_from_the_top_left_to_the_bottom_right():
    drawn = lines([4.0, 3.0, 2.0, 1.0, 0.0])
    assert drawn[1:6] == [
        "      4 |***",
        "        |   *****",
        "      2 |        *****",
        "        |             *****",
        "      0 |                  **",
    ] or [line.rstrip() for line in drawn[1:6]] == [
        "      4 |***",
        "        |   *****",
        "      2 |        ****",
        "        |            *****",
        "      0 |                 ***",
    ]
    assert drawn[-1].split() == ["1", "epoch", "5"]


def test_a_cost_that_falls_far_is_drawn_on_a_logarithmic_axis():
    drawn = lines([100.0, 10.0, 1.0], may_be_log=True)
    assert "(log)" in drawn[0]
    assert drawn[3].startswith("     10 |")
    assert "(log)" not in lines([100.0, 10.0, 1.0])[0]
    assert "(log)" not in lines([100.0, 10.0, -1.0], may_be_log=True)[0]


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.0, 0.0], [np.nan, 1.0, 2.0], [np.nan, np.nan]])
@pytest.mark.parametrize("wide", [False, True])
def test_constant_and_missing_values_are_drawn_too(values, wide):
    assert len(lines(values, wide=wide, may_be_log=True)) == 8


def test_a_small_image_has_two_characters_for_a_pixel_and_a_large_one_one_for_two():
    assert pictures.image(np.array([[0, 16], [8, 0]]), True) == ["  ██", "▒▒  "]
    large = np.zeros((28, 28))
    large[:14] = 255
    drawn = pictures.image(large, False)
    assert (len(drawn), drawn[0], drawn[-1]) == (14, "@" * 28, " " * 28)
    assert len(pictures.image(np.ones((64, 64)), True)[0]) == 32


# evaluate: metrics and intervals


def test_evaluate_prints_the_metrics_of_classes_with_intervals(clearprop, flowers):
    assert clearprop("train", "t.csv", "--seed", 0, "--validation", 0, *NUMPY)[0] == 0
    told = json.loads(clearprop("evaluate", "t.safetensors", "t.csv", "--json", "--bootstrap", 200)[1])
    metrics = {"accuracy", "log_loss", "brier", "auc"}
    assert metrics <= set(told)
    # Where every sample of the rows has the same area, an interval would be a point.
    assert set(told["intervals"]) == metrics - {name for name in ("auc",) if told[name] == 1.0}
    for name in told["intervals"]:
        low, high = told["intervals"][name]
        assert low <= told[name] <= high
    how = {"replicates": 200, "level": 0.95, "method": "percentile", "seed": 0}
    assert told["bootstrap"] == how | ({"wilson": ["accuracy"]} if told["accuracy"] == 1.0 else {})
    counts = np.array(told["confusion"]["counts"])
    assert counts.sum() == told["n_samples"]
    assert np.trace(counts) / counts.sum() == pytest.approx(told["accuracy"])
    again = json.loads(clearprop("evaluate", "t.safetensors", "t.csv", "--json", "--bootstrap", 200)[1])
    assert again == told
    none = json.loads(clearprop("evaluate", "t.safetensors", "t.csv", "--json", "--bootstrap", 0)[1])
    assert "intervals" not in none
    code, out, _ = clearprop("evaluate", "t.safetensors", "t.csv", "--level", 0.9)
    assert code == 0
    assert "90 % interval" in out
    assert "1,000 samples" in out
    assert "is \\ predicted" in out
    code, _, err = clearprop("evaluate", "t.safetensors", "t.csv", "--level", 1.5)
    assert (code, err) == (2, "clearprop: --level must be above 0 and below 1, got 1.5\n")


def estimator_file(folder, **how):
    """Save a regressor and what it learned from; return it and both names."""
    X = np.random.default_rng(0).normal(5.0, 2.0, (60, 3))
    y = 100.0 + X @ [3.0, -2.0, 1.0]
    made = cp.MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0, **how)
    with warnings.catch_warnings(action="ignore"):  # that five epochs are few
        made.fit(X, y)
    made.save(folder / "estimator.safetensors")
    np.savez(folder / "data.npz", X=X, y=y)
    return made, X


def test_an_estimators_targets_are_predicted_in_their_own_units(clearprop, tmp_path):
    made, X = estimator_file(tmp_path, target="standardize")
    code, out, _ = clearprop("predict", "estimator.safetensors", "data.npz")
    predicted = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(out))]
    assert code == 0
    np.testing.assert_allclose(predicted, made.predict(X), rtol=1e-4)


def test_an_estimator_that_prepares_its_inputs_answers_from_the_shell_as_in_python(clearprop, tmp_path):
    made, X = estimator_file(tmp_path, preset="realmlp-s")
    files = ("estimator.safetensors", "data.npz")
    code, out, err = clearprop("predict", *files)
    assert code == 0, err
    predicted = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(out))]
    np.testing.assert_allclose(predicted, made.predict(X), rtol=1e-4)
    code, out, err = clearprop("evaluate", *files, "--json")
    assert code == 0, err
    with np.load(tmp_path / "data.npz") as file:
        rmse = np.sqrt(np.mean((made.predict(X) - file["y"]) ** 2))
    assert json.loads(out)["rmse"] == pytest.approx(rmse, rel=1e-4)
    for command in (("explain", *files, "--row", "0"), ("check", *files), ("diagnose", *files)):
        code, _, err = clearprop(*command)
        assert code == 0, (command, err)


def test_the_gradient_by_raw_inputs_goes_through_every_step_of_an_estimators_model(tmp_path):
    _, X = estimator_file(tmp_path, preset="realmlp-s")
    net, rows, eps = load_model(str(tmp_path / "estimator.safetensors")).copy("float64"), X[:7], 1e-6
    assert net.model.inputs.clips
    y = net.predict(rows) + 0.5
    found = net.input_gradient(rows, y)
    for j in range(X.shape[1]):
        step = eps * np.eye(X.shape[1])[j]
        sides = [
            np.array(
                [net.cost(row[None], t[None]) for row, t in zip(rows + sign * step, y, strict=True)]
            )
            for sign in (1, -1)
        ]
        np.testing.assert_allclose(found[:, j], (sides[0] - sides[1]) / (2 * eps), rtol=1e-6, atol=1e-9)
