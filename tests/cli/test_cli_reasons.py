"""predict beside a table's key, with reasons; explain in a table's language, and what would turn an answer."""

import datetime
import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas
import pytest
from pyarrow import parquet

import clearprop as cp
from clearprop.reasons import changes

N = 90


def table():
    rng = np.random.default_rng(3)
    frame = pandas.DataFrame(
        {
            "customer_id": [f"{k:04}-X" for k in range(N)],
            "months": rng.integers(1, 60, N),
            "plan": rng.choice(["month", "month", "year"], N),
            "price": [f"${value:.2f}" for value in rng.uniform(5, 90, N)],
            "note": [None if k % 7 == 0 else f"n{k % 5}" for k in range(N)],
        }
    )
    left = np.where(
        (frame["plan"] == "month") & (frame["months"] + rng.normal(0, 4, N) < 30), "yes", "no"
    )
    return frame, left


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reasons")
    frame, left = table()
    how = {
        "preset": "realmlp-s",
        "calibrate": False,
        "batch_size": 16,
        "max_iter": 12,
        "random_state": 0,
    }
    how |= {"columns": {"note": "dropped"}}
    cp.MLPClassifier((6, 4), **how).fit(frame, pandas.Series(left, name="left")).save(
        folder / "left.safetensors"
    )
    spent = frame["months"] * 2.0 + 1000.0
    cp.MLPRegressor(
        hidden_layer_sizes=(6, 4), preset="realmlp-s", batch_size=16, max_iter=12, random_state=0
    ).fit(frame.drop(columns="note"), spent.rename("spent")).save(folder / "spent.safetensors")
    frame.to_csv(folder / "new.csv", index=False)
    frame.to_parquet(folder / "new.parquet")
    frame.to_json(folder / "new.jsonl", orient="records", lines=True)
    return folder


def test_a_tables_key_is_written_beside_the_predictions(clearprop, files):
    frame, _ = table()
    model = cp.MLPClassifier.load(files / "left.safetensors")
    code, out, err = clearprop("predict", files / "left.safetensors", files / "new.csv")
    assert (code, err) == (0, "")
    told = pandas.read_csv(io.StringIO(out), dtype={"customer_id": str})
    assert list(told) == ["row", "customer_id", "prediction", "probability_no", "probability_yes"]
    assert told["customer_id"].tolist() == frame["customer_id"].tolist()
    assert told["prediction"].tolist() == model.predict(frame).tolist()
    code, out, _ = clearprop(
        "predict", files / "left.safetensors", files / "new.csv", "--keep", "note,price"
    )
    kept = pandas.read_csv(io.StringIO(out))
    assert list(kept)[:3] == ["row", "note", "price"]
    assert kept["price"].tolist() == frame["price"].tolist()
    assert kept["note"].isna().sum() == frame["note"].isna().sum()


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_every_format_says_the_same_in_a_file_and_in_a_pipe(clearprop, files, tmp_path, ending):
    written = tmp_path / f"p.{ending}"
    command = [
        "predict",
        files / "left.safetensors",
        files / "new.parquet",
        "--reasons",
        "2",
        "--keep",
        "note",
    ]
    for _ in range(2):  # over its own
        assert clearprop(*command, "--output", written)[0] == 0
    if ending == "parquet":
        told = parquet.read_table(written).to_pandas()
    else:
        code, out, _ = clearprop(*command, "--format", ending)
        assert (code, out) == (0, written.read_text())
        told = (
            pandas.read_csv(written)
            if ending == "csv"
            else pandas.DataFrame(map(json.loads, out.splitlines()))
        )
    frame, _ = table()
    assert told["note"].isna().tolist() == frame["note"].isna().tolist()
    found = cp.MLPClassifier.load(files / "left.safetensors").reasons(frame)
    for row in (0, 7, 31):
        for place, reason in enumerate(found.top(row, 2), start=1):
            assert told[f"reason_{place}"][row] == reason.column
            np.testing.assert_allclose(told[f"reason_{place}_part"][row], reason.part, rtol=1e-4)
    assert list(told)[-3:] == ["reason_2", "reason_2_value", "reason_2_part"]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_rows_come_from_a_pipe_and_go_into_one(files, ending):
    command = [
        sys.executable,
        "-m",
        "clearprop",
        "predict",
        str(files / "left.safetensors"),
        "-",
        "--format",
        "parquet",
    ]
    done = subprocess.run(
        command, input=(files / f"new.{ending}").read_bytes(), capture_output=True, check=True
    )
    told = parquet.read_table(io.BytesIO(done.stdout))
    assert told.column_names[:3] == ["row", "customer_id", "prediction"]
    assert told.num_rows == N


def test_a_threshold_decides(clearprop, files):
    def yes(*options):
        out = clearprop("predict", files / "left.safetensors", files / "new.csv", *options)[1]
        told = pandas.read_csv(io.StringIO(out))
        return (told["prediction"] == "yes").to_numpy(), told["probability_yes"].to_numpy()

    plain, p = yes()
    np.testing.assert_array_equal(plain, p > 0.5)
    few, _ = yes("--threshold", "0.8")
    np.testing.assert_array_equal(few, p > 0.8)
    assert 0 < few.sum() < plain.sum()


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        ("left", ("--keep", "pri"), "new.csv has no column 'pri' (did you mean 'price'?)"),
        ("left", ("--keep", "note,note"), "--keep must name each column once, got 'note' twice"),
        ("left", ("--reasons", "0"), "--reasons must be at least 1, got 0"),
        ("left", ("--threshold", "1.5"), "--threshold must be a probability, from 0 to 1, got 1.5"),
        (
            "spent",
            ("--threshold", "0.5"),
            "--threshold is for the probabilities of two classes, the model has none",
        ),
        ("left", ("--output", "p.txt"), "--output must be a .csv, .parquet or .jsonl file"),
        ("left", ("--interval", "90"), "--interval is for quantities"),
    ],
)
def test_what_cannot_be_written_is_said(clearprop, files, model, options, sentence):
    code, out, err = clearprop("predict", files / f"{model}.safetensors", files / "new.csv", *options)
    assert (code, out) == (2, "")
    assert sentence in err


def test_a_row_is_explained_in_the_words_of_its_table(clearprop, files):
    frame, _ = table()
    found = cp.MLPClassifier.load(files / "left.safetensors").reasons(frame[4:5])
    code, out, err = clearprop("explain", files / "left.safetensors", files / "new.csv", "--row", 4)
    assert (code, err) == (0, "")
    first, told, probability, _, head, *lines = out.splitlines()
    assert first == f"row 4 of {files / 'new.csv'}: customer_id 0004-X"
    assert told.removeprefix("prediction: ") in ("yes", "no")
    assert float(probability.removeprefix("probability: ")) > 0.5
    assert head.split("  ")[0] == "column"
    assert head.endswith("median row  log odds of 'yes'")
    for line, reason in zip(lines, found.top(0), strict=False):
        name, *_, part = line.split()
        assert (name, float(part)) == (reason.column, pytest.approx(reason.part, rel=1e-3, abs=1e-6))
    price = next(line for line in lines if line.startswith("price"))
    assert frame["price"][4].rstrip("0") in price
    assert price.count("$") == 2
    total = next(line for line in lines if line.startswith("all together"))
    assert float(total.split()[-1]) == pytest.approx(found.answer[0] - found.baseline[0], rel=1e-3)
    assert any(line.startswith("They add up to ") for line in lines)
    assert "--notation nielsen" in out.splitlines()[-1]


def test_reasons_as_json_from_rows_and_of_a_quantity(clearprop, files):
    frame, _ = table()
    told = json.loads(
        clearprop("explain", files / "spent.safetensors", files / "new.csv", "--row", 5, "--reasons", "--format", "json",
                  "--baseline", files / "new.csv")[1]
    )  # fmt: skip
    model = cp.MLPRegressor.load(files / "spent.safetensors")
    found = model.reasons(frame.drop(columns="note")[5:6], baseline=frame.drop(columns="note"))
    assert told["of"] == "spent"
    assert told["key"] == {"customer_id": "0005-X"}
    assert told["prediction"] == pytest.approx(
        model.predict(frame.drop(columns="note")[5:6])[0], rel=1e-5
    )
    assert told["baseline"] == pytest.approx(found.baseline[0], rel=1e-5)
    assert {each["column"]: each["part"] for each in told["reasons"]} == {
        each.column: pytest.approx(each.part, rel=5e-3, abs=1e-2) for each in found.top(0)
    }
    assert all(each["baseline"] is None for each in told["reasons"])


def test_the_smallest_changes_turn_the_answer_and_smaller_ones_do_not(clearprop, files):
    frame, _ = table()
    model = cp.MLPClassifier.load(files / "left.safetensors")
    row = next(
        k
        for k in range(N)
        if frame["plan"][k] == "month" and model.predict(frame[k : k + 1])[0] == "yes"
    )
    cells = frame[row : row + 1].to_dict("records")[0]
    found = model.smallest_changes(cells, ["months", "plan"])
    assert found
    assert [each.distance for each in found] == sorted(each.distance for each in found)
    for each in found:
        assert len(each.values) == 1
        turned = cells | {name: then for name, (_, then) in each.values.items()}
        assert model.predict(turned)[0] == "no" == model.classes_[each.number]
        np.testing.assert_allclose(model.predict_proba(turned)[0, 0], each.probability, rtol=1e-5)
    for now, then in [each.values["months"] for each in found if "months" in each.values]:
        assert then == int(then)
        nearer = [
            k for k in range(min(now, then) + 1, max(now, then)) if abs(k - now) < abs(then - now)
        ]
        assert all(model.predict(cells | {"months": k})[0] == "yes" for k in nearer[: len(nearer)])
    code, out, err = clearprop(
        "explain",
        files / "left.safetensors",
        files / "new.csv",
        "--row",
        row,
        "--change",
        "months,plan",
    )
    assert (code, err) == (0, "")

    said = out.split("What would turn the prediction:\n")[1].splitlines()
    assert len(said) == len(found)
    for line, each in zip(said, found, strict=True):
        assert line.startswith(
            "  " + ", ".join(f"{name}: {now} -> {then}" for name, (now, then) in each.values.items())
        )


def test_dates_and_times_of_day_are_changed_and_told_as_such(clearprop, tmp_path):
    rng = np.random.default_rng(0)
    day = pandas.to_datetime("2020-01-01") + pandas.to_timedelta(rng.integers(0, 1400, 300), unit="D")
    minute = rng.integers(0, 1440, 300)
    frame = pandas.DataFrame({
        "since": day.strftime("%d/%m/%Y"),
        "at": [f"{each // 60}:{each % 60:02}" for each in minute],
        "seen": day + pandas.to_timedelta(minute, unit="min"),
    })  # fmt: skip
    y = np.where((day.year >= 2022) | (minute >= 1080), "new", "old")
    how = {"preset": "realmlp-s", "batch_size": 32, "max_iter": 30, "random_state": 0}
    how |= {"columns": {"since": "day-first"}, "calibrate": False}
    model = cp.MLPClassifier((8,), **how).fit(frame, y)
    assert model.score(frame, y) > 0.9
    model.save(tmp_path / "m.safetensors")
    frame.to_csv(tmp_path / "t.csv", index=False)
    row = int(np.flatnonzero((model.predict(frame) == "old") & (minute > 900) & (day.year == 2021))[0])
    cells = frame.to_dict("records")[row]
    found = model.smallest_changes(cells, ["since", "at", "seen"])
    kinds = {"since": datetime.date, "at": datetime.time, "seen": datetime.datetime}
    assert {name for each in found for name in each.values} >= {"since", "at"}
    for each in found:
        ((name, (now, then)),) = each.values.items()
        assert type(now) is type(then) is kinds[name]
        assert model.predict(cells | {name: then})[0] == "new"
    before = next(each.values["since"] for each in found if "since" in each.values)
    assert before[0] == day[row].date()
    nearer = before[1] - datetime.timedelta(days=1 if before[1] > before[0] else -1)
    assert model.predict(cells | {"since": nearer})[0] == "old"
    asked = ("explain", tmp_path / "m.safetensors", tmp_path / "t.csv", "--row", row)
    code, out, err = clearprop(*asked, "--change", "since,at,seen")
    assert (code, err) == (0, "")
    at = next(each.values["at"] for each in found if "at" in each.values)
    assert f"  at: {at[0]:%H:%M} -> {at[1]:%H:%M}  ('new', " in out
    assert f"  since: {before[0]} -> {before[1]}  ('new', " in out
    assert re.search(rf"^at +{at[0]:%H:%M} +hour [0-9]+, minute [0-9]+ +[-+]", out, re.MULTILINE)


def test_changes_of_two_columns_are_sought_where_one_is_not_enough():
    class Sum:
        """Told by a sum of two numbers, each of which has too small a range."""

        def __call__(self, rows):
            total = np.array([row["a"] + row["b"] for row in rows])
            return (total > 14.25).astype(np.int64), 1.0 / (1.0 + np.exp(-np.abs(total - 14.25)))

    X = pandas.DataFrame(
        {
            "a": np.arange(60.0) % 11 + 0.5 * (np.arange(60) == 3),
            "b": (np.arange(60.0) * 7) % 11,
            "c": ["x", None, "z"] * 20,
        }
    )
    model = cp.MLPClassifier((4,), preset="realmlp-s", max_iter=1, random_state=0).fit(
        X, np.arange(60) % 2
    )
    (found,) = changes.smallest({"a": 1.0, "b": 2.0, "c": "x"}, ["a", "b"], model.table_encoder_, Sum())
    total = sum(then for _, then in found.values.values())
    assert total == 15  # of whole numbers
    assert set(found.values) == {"a", "b"}
    assert changes.smallest({"a": 1.0, "b": 2.0, "c": "x"}, ["a"], model.table_encoder_, Sum()) == []
    for columns, sentence in (
        (["d"], "columns to change must be among those the model learned from, got 'd'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model.smallest_changes({"a": 1.0, "b": 2.0, "c": "x"}, columns)
    with pytest.raises(ValueError, match="row 0 of X lacks 'b'"):
        model.smallest_changes({"a": 1.0, "c": "x"}, ["a"])
    with pytest.raises(TypeError, match="columns must be a list of names, got 'a'"):
        model.smallest_changes({"a": 1.0, "b": 2.0, "c": "x"}, "a")


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        ("left", ("--row", "90", "--reasons"), "--row must be in 0..89, got 90: "),
        (
            "left",
            ("--reasons", "--notation", "nielsen"),
            "reasons do not go with --notation, which is of the pass",
        ),
        (
            "left",
            ("--reasons", "--format", "html", "--output", "x.html"),
            "reasons are written as text or json, got --format html",
        ),
        (
            "left",
            ("--change", "since"),
            "columns to change must be among those the model learned from, got 'since'",
        ),
        (
            "spent",
            ("--change", "months"),
            "--change is for classes: a quantity is no decision that could be turned",
        ),
    ],
)
def test_what_cannot_be_explained_is_said(clearprop, files, model, options, sentence):
    code, out, err = clearprop("explain", files / f"{model}.safetensors", files / "new.csv", *options)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err
