"""A model as a function of NumPy alone says what the model says, and is a file that needs nothing else."""

import dataclasses
import runpy
import subprocess
import sys

import numpy as np
import pytest

import clearprop as cp
from clearprop.model.targets import Classes
from clearprop.portable import python
from clearprop.portable.program import program_of
from clearprop.portable.rows import raw_rows
from portable_models import CASES, agree, case_of, frame, network, other_rows, words

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def answered(case, function):
    found = function(case.rows)
    return found if case.told is not None else (None, found)


@pytest.mark.parametrize("name", CASES)
def test_a_function_says_what_the_model_says(name, tmp_path):
    case = case_of(name)
    told, numbers = answered(case, python.function_of(case.program))
    agree(case, told, numbers, 1e-12 if case.program.dtype == "float64" else 1e-6)
    path = tmp_path / "model.py"
    path.write_text(python.source(case.program, "Written"))
    again = answered(case, runpy.run_path(str(path))["predict"])
    assert str(again) == str((told, numbers))  # the file has every bit


def test_every_kind_of_column_is_among_the_tables_that_exports_are_held_to():
    columns = case_of("table, classes").program.columns
    assert {each.holds for each in columns} == {"numbers", "words", "numbers or words", "times"}
    made = [each.column for each in columns]
    assert any(getattr(each, "pooled", 0) for each in made)
    assert any(getattr(each, "has_missing", 0) for each in made)
    assert {part for each in made for part in getattr(each, "parts", ())} >= {"year", "sine of the day"}


def test_a_network_of_an_estimator_s_file_is_exported_whole(tmp_path):
    made = cp.MLPRegressor(
        hidden_layer_sizes=(3,), max_iter=2, preprocessing="standard", target="standardize"
    )
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
    made.fit(X, y).save(tmp_path / "m.safetensors")
    given = cp.load(tmp_path / "m.safetensors").to_function()(X)
    np.testing.assert_allclose(given, made.predict(X), rtol=1e-6)


def test_rows_may_be_texts_as_a_csv_file_has_them():
    made = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    made.fit(frame()[["gap", "flag", "when"]], words(2))
    table = {"gap": ["1.5", ""], "flag": ["true", True], "when": ["2024-01-31T15:30", None]}
    _, p = made.to_function()(table)
    wanted = {
        "gap": [1.5, None],
        "flag": [True, True],
        "when": np.array(["2024-01-31T15:30", "NaT"], "M8[us]"),
    }
    import pandas

    np.testing.assert_allclose(p, made.predict_proba(pandas.DataFrame(wanted)), rtol=1e-5)


def test_a_missing_number_that_nothing_fills_is_refused():
    with pytest.raises(ValueError, match="a number is missing"):
        network().to_function()([[1.0, np.nan, 0.0, 0.0]])


def test_what_cannot_be_said_elsewhere_is_refused_in_a_sentence():
    own = cp.Activation("square", lambda z: z**2, lambda z: 2 * z)
    with pytest.raises(ValueError, match="must have built-in activations, got 'square'"):
        network(activation=own).to_function()
    halves = dataclasses.replace(network().model, targets=Classes(3, np.array([0.5, 1.5, 2.5])))
    with pytest.raises(
        ValueError, match="classes that are all texts, whole numbers or truths, got 0.5"
    ):
        program_of(halves)


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "clearprop", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.mark.slow
def test_the_command_writes_a_module_that_says_what_predict_says(tmp_path):
    made = cp.MLPRegressor(preset="realmlp", hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    made.fit(frame()[["gap", "colour"]], frame()["age, in years"]).save(
        tmp_path / 'evil""".safetensors'
    )
    rows = other_rows()[["gap", "colour"]]
    rows.loc[5, "gap"] = 1e6  # beyond all targets that were learned from
    rows.to_csv(tmp_path / "rows.csv", index=False)
    told = run("predict", 'evil""".safetensors', "rows.csv", cwd=tmp_path)
    wanted = [float(line.split(",")[1]) for line in told.stdout.splitlines()[1:]]
    done = run("export", 'evil""".safetensors', "--format", "python", "--output", "m.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "clearprop: wrote m.py\n")
    table = {name: rows[name].tolist() for name in rows}
    given = runpy.run_path(str(tmp_path / "m.py"))["predict"](table)
    np.testing.assert_allclose(given, wanted, rtol=1e-6)
    assert (
        run(
            "export", 'evil""".safetensors', "--format", "python", "--output", "m.py", cwd=tmp_path
        ).returncode
        == 0
    )
    (tmp_path / "m.py").write_text("mine")
    done = run("export", 'evil""".safetensors', "--format", "python", "--output", "m.py", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "m.py").read_text()) == (2, "mine")
    assert "--output m.py exists and holds no export; another name keeps what it holds" in done.stderr


def test_the_rows_of_a_network_without_names_are_one_array():
    assert program_of(network().model).columns == ()
    named = network()
    named.feature_names = tuple("abcd")
    assert [each.name for each in program_of(named.model).columns] == list("abcd")


def test_raw_rows_of_numbers_with_names_are_read_by_these(tmp_path):
    net = network((2, 3, 2))
    net.feature_names = ("b", "a")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    rows = raw_rows(net.model, tmp_path / "rows.csv")
    assert {name: column.tolist() for name, column in rows.items()} == {"b": [2, 4], "a": [1, 3]}
    with pytest.raises(ValueError, match="features have no names: its rows are one array of numbers"):
        raw_rows(network().model, tmp_path / "rows.csv")
