"""What stopped newcomers is answered in one sentence that helps, and what could work does."""

import gzip
import io
import os
import pty
import subprocess
import sys
import warnings

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.cli import app

RNG = np.random.default_rng(0)
X, WORDS = RNG.normal(size=(7, 4)), ["low", "high", "low", "mid", "low", "high", "low"]
NUMBERS = RNG.normal(size=7)
COMMAND = [sys.executable, "-m", "clearprop"]


def a_table(n=40):
    rng = np.random.default_rng(1)
    contract = rng.choice(["month", "year"], n)
    return pandas.DataFrame(
        {
            "tenure": rng.integers(1, 70, n),
            "contract": contract,
            "churn": np.where(contract == "month", "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on a table once; return the folder of the model and the table."""
    folder = tmp_path_factory.mktemp("sentences")
    frame = a_table()
    frame.to_csv(folder / "customers.csv", index=False)
    frame.to_parquet(folder / "customers.parquet")
    (folder / "customers.csv.gz").write_bytes(gzip.compress((folder / "customers.csv").read_bytes()))
    quick = "--target churn --hidden 4 --epochs 2 --engine numpy --seed 1 --quiet --preset realmlp-s".split()
    subprocess.run([*COMMAND, "train", "customers.csv", *quick], cwd=folder, check=True, timeout=120)
    return folder


@pytest.fixture
def clearprop(trained, monkeypatch, capsys):
    """Call ``main`` in this process, given standard input; return exit code, output and error."""
    monkeypatch.chdir(trained)
    monkeypatch.setattr(app, "_listen", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def call(*arguments, given=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as ended:
            app.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


# A text target

FORMS = {
    "array": np.array(WORDS),
    "objects": np.array(WORDS, object),
    "list": WORDS,
    "series": pandas.Series(WORDS),
    "categories": pandas.Series(WORDS, dtype="category"),
    "two columns": np.c_[WORDS, WORDS],
    "one word": np.array(["1.5", "2", "3", "low", "5", "6", "7"], object),
}
LEARN = {
    "fit": lambda y, how: cp.MLPRegressor(max_iter=1, **how).fit(X, y),
    "partial_fit": lambda y, how: cp.MLPRegressor(max_iter=1, **how).partial_fit(X, y),
    "y_val": lambda y, how: cp.MLPRegressor(max_iter=1, **how).fit(X, NUMBERS, X_val=X, y_val=y),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", LEARN)
@pytest.mark.parametrize("preset", ["sklearn", "realmlp-s"])
def test_a_regressor_says_of_text_which_estimator_learns_it(form, way, preset):
    with pytest.raises(ValueError, match="^y must hold numbers") as told:
        LEARN[way](FORMS[form], {"preset": preset, "hidden_layer_sizes": 3, "engine": "numpy"})
    assert str(told.value) == (
        "y must hold numbers for MLPRegressor, got 'low'; MLPClassifier learns labels"
    )


def test_a_regressor_refuses_dates_and_gaps_in_objects_and_takes_numbers_written_as_text():
    dates = pandas.Series(pandas.date_range("2020", periods=7))
    with pytest.raises(ValueError, match=r"must hold numbers for MLPRegressor, got Timestamp\('2020"):
        cp.MLPRegressor().fit(X, dates)
    with pytest.raises(ValueError, match="y must have a value in each row, got None in row 2"):
        cp.MLPRegressor().fit(X, np.array([1, 2, None, 4, 5, 6, 7], object))
    written = [f"{number!r}" for number in NUMBERS.tolist()]
    quick = {"max_iter": 2, "random_state": 0, "engine": "numpy", "tol": 1e9, "n_iter_no_change": 1}
    text, numbers = (cp.MLPRegressor(hidden_layer_sizes=3, **quick) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text.fit(X, written)
        numbers.fit(X, NUMBERS)
    np.testing.assert_array_equal(text.network_.parameters, numbers.network_.parameters)


# A file that is not there


@pytest.mark.parametrize(
    "command", ["predict FILE customers.csv", "evaluate FILE customers.csv", "info FILE"]
)
def test_a_model_that_is_not_there_is_told_with_what_is_like_it(command, clearprop):
    code, out, err = clearprop(*command.replace("FILE", "custmers.safetensors").split())
    assert (code, out) == (2, "")
    assert err == (
        f"clearprop: there is no file custmers.safetensors in {os.getcwd()}; "
        "did you mean customers.safetensors?\n"
    )


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain", "diagnose"])
def test_data_that_are_not_there_are_told_with_where_they_were_looked_for(command, clearprop):
    code, out, err = clearprop(command, "customers.safetensors", "other.csv")
    assert (code, out) == (2, "")
    assert err == f"clearprop: there is no file other.csv in {os.getcwd()}\n"
    code, out, err = clearprop(command, "customers.safetensors", "no/other.csv")
    assert err == (f"clearprop: there is no file no/other.csv: there is no folder {os.getcwd()}/no\n")


LOOKED_FOR = {
    "load": lambda: cp.load("custmers.csv"),
    "MLPClassifier.load": lambda: cp.MLPClassifier.load("custmers.csv"),
    "read_table": lambda: cp.data.read_table("custmers.csv", target="churn"),
    "stream": lambda: cp.data.stream("custmers.csv", target="churn"),
    "read_npz": lambda: cp.data.read_npz("custmers.csv"),
    "read_idx": lambda: cp.data.read_idx("custmers.csv"),
}


@pytest.mark.parametrize("door", LOOKED_FOR)
def test_python_says_of_a_file_that_is_not_there_what_is_like_it(door, trained, monkeypatch):
    monkeypatch.chdir(trained)
    with pytest.raises(FileNotFoundError) as told:
        LOOKED_FOR[door]()
    assert str(told.value) == (
        f"there is no file custmers.csv in {trained}; did you mean customers.csv?"
    )


def test_training_on_a_table_that_is_not_there_names_what_is_like_it(clearprop):
    code, _, err = clearprop("train", "custmers.csv", "--target", "churn")
    assert (code, err.rpartition("; ")[2]) == (2, "did you mean 'customers.csv'?\n")
    assert clearprop("train", "digit")[2].endswith("; did you mean 'digits'?\n")


def test_a_page_that_cannot_be_written_names_the_folder(clearprop):
    page = ["--format", "html", "--output", "no/page.html"]
    code, out, err = clearprop("explain", "customers.safetensors", "customers.csv", *page)
    assert (code, out) == (2, "")
    assert err.endswith(f"there is no folder {os.getcwd()}/no\n")


# Standard input


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_predict_reads_standard_input_as_it_reads_the_file(form, trained, clearprop):
    file = f"customers.{form}"
    told = clearprop("predict", "customers.safetensors", file)
    given = (trained / file).read_bytes()
    assert told[0] == 0
    assert clearprop("predict", "customers.safetensors", "-", given=given) == told


@pytest.mark.parametrize("command", ["evaluate", "explain", "diagnose"])
def test_every_command_reads_standard_input(command, trained, clearprop):
    given = (trained / "customers.csv").read_bytes()
    told = clearprop(command, "customers.safetensors", "customers.csv")
    assert told[0] == 0
    expected = told[1].replace("customers.csv", "standard input")
    assert clearprop(command, "customers.safetensors", "-", given=given)[:2] == (0, expected)


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain", "report --json"])
def test_a_mistake_in_standard_input_is_said_to_be_there(command, trained, clearprop):
    given = (trained / "customers.csv").read_bytes().replace(b"tenure", b"tenur")
    name, *options = command.split()
    code, _, err = clearprop(name, "customers.safetensors", "-", *options, given=given)
    assert code == 2
    assert err.startswith("clearprop: standard input lacks 'tenure'")


def test_a_table_is_trained_on_from_a_pipe_and_nothing_is_left_of_it(trained, tmp_path):
    run = [*COMMAND, "train", "-", "--target", "churn", "--output", str(tmp_path / "piped.safetensors")]
    quick = "--hidden 4 --epochs 2 --engine numpy --seed 1 --quiet --preset realmlp-s".split()
    (tmp_path / "spool").mkdir()
    subprocess.run(
        [*run, *quick], input=(trained / "customers.csv").read_bytes(), check=True, timeout=120,
        env=os.environ | {"TMPDIR": str(tmp_path / "spool")},
    )  # fmt: skip
    models = [cp.load(tmp_path / "piped.safetensors"), cp.load(trained / "customers.safetensors")]
    np.testing.assert_array_equal(models[0].parameters, models[1].parameters)
    assert os.listdir(tmp_path / "spool") == []


def test_arrays_come_through_a_pipe_too(clearprop, tmp_path):
    held = io.BytesIO()
    np.savez(held, X=RNG.normal(size=(40, 3)), y=RNG.integers(0, 2, 40))
    out = tmp_path / "arrays.safetensors"
    run = ["train", "-", "--epochs", 1, "--engine", "numpy", "--quiet", "--output", out]
    assert clearprop(*run, given=held.getvalue()) == (0, "", "")
    assert cp.load(out).sizes[0] == 3


def on_a_terminal(folder, *arguments):
    """Run a command whose standard streams are a terminal; return exit code and what it showed."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, stdin=other, stdout=other, stderr=other
    )
    os.close(other)
    shown = b""
    while True:
        try:
            part = os.read(main, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(main)
    return process.wait(timeout=120), shown.decode().replace("\r\n", "\n")


def test_a_terminal_is_no_table(trained):
    assert on_a_terminal(trained, "predict", "customers.safetensors", "-") == (
        2,
        "clearprop: DATA - is standard input, which must come from a file or a pipe, got none\n",
    )


@pytest.mark.parametrize("command", ["explain", "diagnose"])
def test_a_page_is_not_poured_into_a_terminal(command, trained):
    asked = [command, "customers.safetensors", "customers.csv", "--format", "html"]
    assert on_a_terminal(trained, *asked) == (
        2,
        "clearprop: --format html is a page for a browser, not for a terminal: --output page.html "
        "writes it\n",
    )


# A table's model as a network


def _tables(frame):
    import polars
    import pyarrow

    return {
        "pandas": frame,
        "polars": polars.from_pandas(frame),
        "pyarrow": pyarrow.Table.from_pandas(frame),
    }


ASK = {
    "predict": lambda net, X: net.predict(X),
    "classify": lambda net, X: net.classify(X),
    "cost": lambda net, X: net.cost(X, ["yes"] * len(X)),
    "gradient": lambda net, X: net.gradient(X, ["yes"] * len(X)),
    "trace": lambda net, X: net.trace(X, ["yes"] * len(X)),
    "fit": lambda net, X: net.fit(X, ["yes", "no"] * (len(X) // 2), progress=False),
    "validation": lambda net, X: net.fit(
        np.zeros((4, net.sizes[0])), ["yes", "no"] * 2, validation_data=(X, ["yes"] * len(X)),
        progress=False, batch_size=4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("way", ASK)
def test_the_network_of_a_table_says_who_takes_the_table(form, way, trained):
    frame = a_table().drop(columns="churn")
    net = cp.load(trained / "customers.safetensors")
    with pytest.raises(ValueError, match="numbers that the network sees of a row of its table") as told:
        ASK[way](net, _tables(frame)[form])
    assert "got a table with 'tenure', 'contract': cp.MLPClassifier.load of the model's file" in str(
        told.value
    )
    model = cp.MLPClassifier.load(trained / "customers.safetensors")
    assert set(model.predict(frame)) <= {"yes", "no"}


def test_the_network_of_a_table_takes_a_frame_of_the_numbers_it_sees(trained):
    net = cp.load(trained / "customers.safetensors")
    numbers = pandas.DataFrame(np.zeros((3, net.sizes[0])), columns=net.feature_names)
    np.testing.assert_array_equal(net.predict(numbers), net.predict(numbers.to_numpy()))


# What features are called


def test_the_features_of_a_tables_model_are_the_tables_wherever_it_comes_from(trained, tmp_path):
    frame = a_table()
    quick = {"preset": "realmlp-s", "max_iter": 1, "hidden_layer_sizes": 4, "engine": "numpy"}
    fitted = cp.MLPClassifier(**quick).fit(frame.drop(columns="churn"), frame["churn"])
    fitted.save(tmp_path / "fitted.safetensors")
    rows = cp.data.stream(trained / "customers.csv", target="churn", buffer_rows=100)
    models = {
        "fitted": fitted,
        "loaded": cp.MLPClassifier.load(tmp_path / "fitted.safetensors"),
        "streamed": cp.MLPClassifier(**quick).fit(rows),
        "trained in a shell": cp.MLPClassifier.load(trained / "customers.safetensors"),
    }
    for name, model in models.items():
        assert list(model.feature_names_in_) == ["tenure", "contract"], name
        assert model.n_features_in_ == 2
        seen = model.network_.feature_names
        assert {each.partition(" = ")[0] for each in seen} == {"tenure", "contract"}, name


# Few rows


def test_evaluating_few_rows_shows_an_interval_that_is_not_a_point_and_says_whose(trained, clearprop):
    import json

    model, rows = cp.MLPClassifier.load(trained / "customers.safetensors"), a_table()
    right = rows[model.predict(rows.drop(columns="churn")) == rows["churn"]].head(6)
    right.to_csv(trained / "right.csv", index=False)
    code, out, _ = clearprop("evaluate", "customers.safetensors", "right.csv")
    assert code == 0
    assert " 100.00 %   60.97 % to 100.00 %" in out
    assert "The accuracy's is Wilson's: it is the same in every sample of these rows." in out
    told = json.loads(clearprop("evaluate", "customers.safetensors", "right.csv", "--json")[1])
    assert told["bootstrap"]["wilson"] == ["accuracy"]
    assert all(low < high for low, high in told["intervals"].values())
    code, out, _ = clearprop("evaluate", "customers.safetensors", "customers.csv")
    assert "Wilson" not in out


# Raw values


@pytest.fixture(scope="module")
def rough(tmp_path_factory):
    """Train on a table with a gap, two and three categories, a rare one and dates; return the folder."""
    folder, n = tmp_path_factory.mktemp("rough"), 40
    rng = np.random.default_rng(2)
    frame = pandas.DataFrame(
        {
            "tenure": rng.integers(3, 70, n),
            "charges": np.round(rng.normal(30, 9, n), 2),
            "sex": rng.choice(["Male", "Female"], n),
            "plan": rng.choice(["basic", "plus", "pro"], n),
            "churn": rng.choice(["yes", "no"], n),
        }
    )
    frame.loc[3, "charges"] = np.nan
    frame.loc[2, ["tenure", "charges", "sex", "plan"]] = [2, 10.5, "Female", "plus"]
    frame.to_csv(folder / "rough.csv", index=False)
    quick = "--target churn --hidden 4 --epochs 2 --engine numpy --seed 1 --quiet --preset realmlp-s".split()
    subprocess.run([*COMMAND, "train", "rough.csv", *quick], cwd=folder, check=True, timeout=120)
    return folder


def inputs_of(net, folder, row):
    frame = pandas.read_csv(folder / "rough.csv")
    model = cp.MLPClassifier.load(folder / "rough.safetensors")
    encoder = model.network_.model.inputs.encoder
    assert encoder.feature_names == net.feature_names
    table = net.model.inputs.open(frame.drop(columns="churn"))
    seen = np.concatenate([net.model.inputs.of_batch(each, net.dtype) for each in table.batches()])
    return net.trace(seen[row : row + 1], ["yes"]).inputs[0]


@pytest.mark.parametrize("format", ["text", "json", "latex", "mathml", "html"])
def test_raw_values_stand_beside_the_encoded_ones_where_a_row_is_explained(
    format, rough, clearprop, monkeypatch
):
    import html
    import json

    monkeypatch.chdir(rough)
    net = cp.load(rough / "rough.safetensors")
    values = dict(zip(net.feature_names, inputs_of(net, rough, 2), strict=True))
    code, out, err = clearprop(
        "explain",
        "rough.safetensors",
        "rough.csv",
        "--row",
        2,
        "--format",
        format,
        "--notation",
        "nielsen",
    )
    assert code == 0, err
    if format == "json":
        out = " ".join(json.loads(out)["facts"])
    said = " ".join(html.unescape(out).split())
    charges = f"{values['charges']:.4g}".replace("-", "−")
    if format in ("text", "json"):
        tenure = f"{values['tenure']:.4g}".replace("-", "−")
        assert f"1 = tenure 2 ({tenure}), 2 = charges 10.5 ({charges})" in said
        assert "sex = Male: Female (" in said
        assert f"plan = plus ({values['plan = plus']:.4g})" in said
    assert "tenure 2" in said
    assert "charges 10.5" in said
    assert "Female" in said
    assert "plan = plus" in said
    assert "plan = plus:" not in said  # which the name says already


def test_a_category_that_the_row_is_not_of_has_the_rows_beside_it(rough):
    inputs = cp.load(rough / "rough.safetensors").model.inputs
    names = inputs.names_in_row(inputs.open(rough / "rough.csv"), 2)
    assert [name for name in names if name.startswith("plan")] == [
        "plan = basic: plus",
        "plan = plus",
        "plan = pro: plus",
    ]


@pytest.mark.parametrize("format", ["text", "json", "latex", "mathml", "html"])
def test_the_numbers_of_a_row_stand_beside_the_scaled_ones_too(format):
    net = cp.Network([4, 5, 3], seed=1, scaling=cp.data.standardize(X))
    net.feature_names = ("age", "height", "weight", "pulse")
    row, label = [[1.5, -2.25, 0.5, 30.0]], [1]
    assert "weight 0.5" in cp.explain(net, row, label, format=format)
    assert "weight 0.5" not in cp.explain(net, row * 2, label * 2, format=format)
    if format == "text":
        seen = f"{net.trace(row, label).X[0, 2]:.4g}".replace("-", "−")
        assert f"3 = weight 0.5 ({seen})" in " ".join(cp.explain(net, row, label).split())
        names, raw = (line.split() for line in str(net.trace(row, label)).splitlines()[2:4])
        assert names == ["inputs", "age", "height", "weight", "pulse"]
        assert raw == ["raw", "1.5", "-2.25", "0.5", "30"]
    alike = cp.Network([4, 5, 3], seed=1, scaling=cp.data.divide_by(255))
    alike.feature_names = net.feature_names
    assert "weight 0.5" not in cp.explain(alike, row, label, format=format)


def test_a_gap_is_said_where_its_row_is_explained(rough, clearprop, monkeypatch):
    monkeypatch.chdir(rough)
    code, out, _ = clearprop(
        "explain", "rough.safetensors", "rough.csv", "--row", 3, "--notation", "nielsen"
    )
    assert code == 0
    assert "charges missing (" in " ".join(out.split())
