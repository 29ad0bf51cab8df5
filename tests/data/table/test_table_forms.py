"""One table, one reading: whatever holds it, names, kinds, labels, gaps and numbers are the same."""

import csv
import datetime
import io
import json
import math

import hypothesis.strategies as st
import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings

import clearprop as cp
from clearprop import data
from clearprop.data.table import (
    ReadOptions,
    Roles,
    TableEncoder,
    TargetEncoder,
    csv_text,
    decide,
    open_table,
    stream,
)
from clearprop.names import BLANKS, trim

BLANK = st.text(st.sampled_from(" \t\u00a0\u2003\u202f\u3000\u200b\ufeff"), max_size=2)
NUMBERS = st.one_of(st.none(), st.integers(-3, 3), st.floats(-1e9, 1e9, allow_subnormal=False))
CELLS = {
    "number": NUMBERS.map(lambda value: None if value is None else float(value)),
    "whole": st.one_of(st.none(), st.integers(0, 4)),
    "word": st.one_of(st.none(), st.sampled_from(["red", "blue", "light blue", "x,y", "a;b", 'say "so"'])),
    "boolean": st.one_of(st.none(), st.booleans()),
    "date": st.one_of(st.none(), st.dates(datetime.date(1970, 1, 1), datetime.date(2040, 12, 31))),
}  # fmt: skip


@st.composite
def tables(draw):
    """Draw a table: the kind of each column, and cells, of which the last column's are never missing."""
    n = draw(st.integers(7, 12))
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    made = {
        f"c{at} {kind}": draw(st.lists(CELLS[kind], min_size=n, max_size=n))
        for at, kind in enumerate(kinds)
    }
    labels = st.lists(st.sampled_from(["no", "yes", "not yet"]), min_size=n - 2, max_size=n - 2)
    return made | {"y": ["no", "yes", *draw(labels)]}


def text_of(value):
    return "" if value is None else str(value)


def as_csv(table, delimiter, around=""):
    """Write a table as CSV, with blanks around names and cells."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow([f"{around}{name}{around}" for name in table])
    for row in zip(*table.values(), strict=True):
        writer.writerow([f"{around}{text_of(cell)}{around}" for cell in row])
    return text.getvalue()


def as_json_lines(table):
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    return "".join(json.dumps(row, default=str) + "\n" for row in rows)


def padded(table, around):
    """Return a table with blanks around its names and words."""
    return {
        f"{around}{name}{around}": [f"{around}{v}{around}" if isinstance(v, str) else v for v in cells]
        for name, cells in table.items()
    }


def objects(table):
    return pandas.DataFrame({name: pandas.Series(v, dtype=object) for name, v in table.items()})


def nullable(table):
    frame = objects(table)
    types = {"number": "Float64", "whole": "Int64", "word": "string", "boolean": "boolean"}
    return frame.astype(
        {name: types[kind] for name in frame if (kind := trim(name).split()[-1]) in types}
    )


def strings(table):
    """Return a frame of text throughout, as a file has it."""
    cells = {name: [None if v is None else str(v) for v in cells] for name, cells in table.items()}
    return pandas.DataFrame(cells).astype("string")


def arrow(table):
    types = {
        "number": pa.float64(),
        "whole": pa.int64(),
        "word": pa.string(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
    }
    return pa.table({
        name: pa.array(cells, types.get(trim(name).split()[-1], pa.string())) for name, cells in table.items()
    })  # fmt: skip


def forms(folder, table, around):
    """Return a table in all forms, by their names."""
    found = {
        "Arrow": arrow(table),
        "Arrow, with blanks": arrow(padded(table, around)),
        "objects": objects(table),
        "objects, with blanks": objects(padded(table, around)),
        "nullable": nullable(padded(table, around)),
        "strings": strings(table),
        "polars": polars.DataFrame(arrow(padded(table, around))),
    }
    for name, delimiter in {"commas": ",", "semicolons": ";", "tabs": "\t"}.items():
        found[name] = folder / f"{name}.csv"
        found[name].write_bytes(as_csv(table, delimiter).encode())
    found["blanks"] = folder / "blanks.csv"
    found["blanks"].write_bytes(as_csv(table, "|", around.replace("\t", " ")).encode())
    found["Parquet"] = folder / "t.parquet"
    pq.write_table(arrow(padded(table, around)), found["Parquet"])
    found["JSON lines"] = folder / "t.jsonl"
    found["JSON lines"].write_text(as_json_lines(padded(table, around)))
    return found


def reading(what):
    """Return all that is learned of a table: names, kinds, cells, labels, and the inputs of a network."""
    source = open_table(what)
    target = TargetEncoder.learn(source, "\u00a0y ")
    decisions = decide(source, Roles(target=" y\u2003"))
    encoder = TableEncoder.learn(source.batches(), decisions)
    cells = source.table()
    return {
        "names": source.names,
        "kinds": [(each.name, each.kind, each.reason) for each in decisions],
        "labels": (target.classes, target.codes(cells.column("y")).tolist()),
        "cells": cells.to_pydict(),
        "features": encoder.feature_names,
        "inputs": encoder.encode(cells).tobytes(),
    }


SOME = {
    "c0 number": [0.1, None, 1e-300, -2.5, 3.0, 1e9, 7.0],
    "c1 word": ["red", None, "x,y", "red", "light blue", "red", "red"],
    "c2 boolean": [True, None, False, True, True, False, True],
    "y": ["no", "yes", "no", "no", "yes", "not yet", "no"],
}


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(tables(), BLANK)
@example(SOME, "\u00a0")
def test_the_same_table_is_read_alike_from_whatever_holds_it(tmp_path_factory, table, around):
    try:
        expected = reading(arrow(table))
    except ValueError as problem:  # no column is worth learning from: in no form
        for name, what in forms(tmp_path_factory.mktemp("t"), table, around).items():
            with pytest.raises(ValueError, match="must have a feature beside the target"):
                pytest.fail(f"{name}: {reading(what)} but {problem}")
        return
    assert expected["names"] == tuple(table)
    for name, what in forms(tmp_path_factory.mktemp("t"), table, around).items():
        found = reading(what)
        for part, value in expected.items():
            if part == "cells" and name != "Arrow":  # a column of nothing has no type of its own
                for column, cells in value.items():
                    if any(cell is not None for cell in cells):
                        assert found[part][column] == cells, (name, column)
            else:
                assert found[part] == value, (name, part)


def large(n=60):
    rng = np.random.default_rng(0)
    return {
        "c0 number": [None if i % 9 == 4 else float(v) for i, v in enumerate(rng.normal(size=n))],
        "c1 whole": rng.integers(0, 90, n).tolist(),
        "c2 word": [None if i % 7 == 3 else ("red", "blue", "x y")[i % 3] for i in range(n)],
        "c3 boolean": [bool(v) for v in rng.integers(0, 2, n)],
        "y": [("no", "yes")[int(v)] for v in rng.integers(0, 2, n)],
    }


def test_any_model_takes_any_form_and_is_the_same_to_the_bit(clearprop, tmp_path):
    around = "\u00a0"
    table = large()
    X = {name: cells for name, cells in table.items() if name != "y"}
    quick = {"preset": "realmlp-s", "max_iter": 2, "hidden_layer_sizes": 5, "random_state": 3}
    made, expected = {}, None
    for name, what in forms(tmp_path, X, around).items():
        if not hasattr(what, "open"):
            made[name] = cp.MLPClassifier(**quick).fit(what, table["y"])
            found = made[name].predict_proba(what)
            expected = found if expected is None else expected
            np.testing.assert_array_equal(found, expected, err_msg=name)
    run = ("--target", "y\u2003", "--epochs", 2, "--hidden", 5, "--seed", 3, "--validation", 0, "-q")
    blocks = set()
    for name, what in forms(tmp_path, table, around).items():
        if hasattr(what, "open"):
            model = tmp_path / f"{name}.safetensors"
            assert clearprop("train", what, *run, "--output", model)[0] == 0
            made[name] = cp.MLPClassifier.load(model)
            blocks.add(b"".join(np.asarray(p).tobytes() for p in made[name].network_.weights))
    assert len(blocks) == 1
    frames = forms(tmp_path, X, around)
    for model in made.values():
        wanted = model.predict_proba(frames["Arrow"])
        model.save(tmp_path / "m.safetensors")
        for form, what in frames.items():
            if hasattr(what, "open"):
                code, out, err = clearprop("predict", tmp_path / "m.safetensors", what)
                assert code == 0, err
                rows = list(csv.DictReader(io.StringIO(out)))
                found = np.array(
                    [[float(row[f"probability_{c}"]) for c in ("no", "yes")] for row in rows]
                )
                np.testing.assert_allclose(found, wanted, atol=1e-6, err_msg=form)
            else:
                np.testing.assert_array_equal(model.predict_proba(what), wanted, err_msg=form)


def test_blanks_around_the_names_in_any_option_are_no_part_of_them(clearprop, tmp_path):
    table = large() | {"w": [1.0 + i % 3 for i in range(60)], "g": [i % 9 for i in range(60)]}
    (tmp_path / "t.csv").write_text(as_csv(table, ","))
    around = " \u00a0"
    options = {
        "--target": "y", "--weight": "w", "--group": "g", "--drop": "c0 number", "--categorical": "c1 whole",
    }  # fmt: skip
    run = ("train", tmp_path / "t.csv", "--epochs", 1, "--hidden", 4, "--seed", 1, "-q")
    told = [each for option, name in options.items() for each in (option, f"{around}{name}\u2003")]
    assert clearprop(*run, "--output", tmp_path / "a.safetensors", *told)[0] == 0
    kinds = {d.name: d.kind for d in cp.MLPClassifier.load(tmp_path / "a.safetensors").columns_}
    assert kinds["c0 number"] == "dropped"
    assert kinds["c1 whole"] == "categorical"
    told = ("--target", "y ", "--columns", " c1 whole,\u00a0c0 number", "--numeric", "c1 whole\u00a0")
    assert clearprop(*run, "--output", tmp_path / "b.safetensors", *told)[0] == 0
    kinds = {d.name: d.kind for d in cp.MLPClassifier.load(tmp_path / "b.safetensors").columns_}
    assert kinds["c2 word"] == "dropped"
    assert kinds["c1 whole"] == kinds["c0 number"] == "numeric"
    rows = stream(
        tmp_path / "t.csv",
        target=" y",
        weight="w ",
        group="\u00a0g",
        drop=["c3 boolean "],
        columns=None,
    )
    assert {d.name for d in rows.decisions if d.used} == {"c0 number", "c1 whole", "c2 word"}
    X = pandas.DataFrame(table).drop(columns=["y", "w", "g"])
    fitted = cp.MLPClassifier(preset="realmlp-s", max_iter=1, columns={" c1 whole": "categorical"})
    assert {d.name: d.kind for d in fitted.fit(X, table["y"]).columns_}["c1 whole"] == "categorical"
    assert (
        data.load(tmp_path / "n.csv", target="y ").target == "y" if numeric(tmp_path / "n.csv") else 0
    )


def numeric(path, names="a , b\u00a0,y"):
    return path.write_text(f"{names}\n" + "".join(f"{i},{i * i}.5,{i % 2}\n" for i in range(9)))


def test_a_network_of_numbers_takes_a_frame_and_a_file_whose_names_differ_in_blanks(
    clearprop, tmp_path
):
    numeric(tmp_path / "t.csv")
    frame = pandas.read_csv(tmp_path / "t.csv")
    X, y = frame.drop(columns="y"), frame["y"]
    assert list(X.columns) == ["a ", " b\u00a0"]
    net = cp.Network([2, 4, 2], seed=0)
    net.fit(X, y, epochs=1, batch_size=3, progress=False)
    assert net.feature_names == ("a", "b")
    np.testing.assert_array_equal(net.predict(X.set_axis(["a", "b"], axis=1)), net.predict(X))
    net.save(tmp_path / "m.safetensors")
    assert clearprop("predict", tmp_path / "m.safetensors", tmp_path / "t.csv")[0] == 0
    fitted = cp.MLPClassifier(solver="lbfgs", max_iter=300, random_state=0).fit(X, y)
    assert list(fitted.feature_names_in_) == list(X.columns)
    np.testing.assert_array_equal(
        fitted.predict_proba(X.set_axis(["a", "b"], axis=1)), fitted.predict_proba(X)
    )
    fitted.save(tmp_path / "m.safetensors")
    assert clearprop("predict", tmp_path / "m.safetensors", tmp_path / "t.csv")[0] == 0
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(X.set_axis(["a", "c"], axis=1))


def test_labels_of_a_frame_and_of_a_file_differ_in_no_blank(clearprop, tmp_path):
    """As those of UCI's adult, which pandas reads with a blank before each."""
    table = large()
    frame = objects(padded(table, " "))
    fitted = cp.MLPClassifier(preset="realmlp-s", max_iter=2, hidden_layer_sizes=4, random_state=0)
    X = frame.drop(columns=" y ")
    fitted.fit(X, frame[" y "])
    assert fitted.classes_.tolist() == [" no ", " yes "]  # scikit-learn's are those of y
    fitted.save(tmp_path / "m.safetensors")
    (tmp_path / "t.csv").write_text(as_csv(table, ",", " "))
    code, out, err = clearprop(
        "evaluate", tmp_path / "m.safetensors", tmp_path / "t.csv", "--target", "y", "--json"
    )
    assert code == 0, err
    assert "n_unknown" not in out
    assert f'"accuracy": {fitted.score(X, frame[" y "]):.3}'[:15] in out
    numeric(tmp_path / "n.csv")
    found = data.load(tmp_path / "n.csv")
    wanted = data.Schema("classification", 2, ("a ", "b"), (" 0", "1 "), "y")
    assert found.conform(wanted).Y_train.tolist() == found.Y_train.tolist()


def test_names_that_differ_only_in_blanks_are_refused():
    for table in (
        pa.table({"a": [1], "a ": [2]}),
        pandas.DataFrame([[1, 2]], columns=["a", "\u00a0a"]),
    ):
        with pytest.raises(ValueError, match="name every column differently, got 'a' more than once"):
            open_table(table)


@pytest.mark.parametrize("text", ["\u00a0007", " 007", "\u200b0123 "])
def test_codes_are_codes_whatever_blanks_are_around_them(tmp_path, text):
    rows = "".join(f"{text},{i}\n" for i in range(7))
    (tmp_path / "t.csv").write_text(f"a,b\n{rows}")
    assert open_table(tmp_path / "t.csv").types["a"] == "text"


def test_blanks_are_those_of_unicode_and_three_more():
    white = {chr(code) for code in range(0x3001) if chr(code).isspace()}
    assert set(BLANKS) == white | {"\u200b", "\u2060", "\ufeff"}
    assert len(BLANKS) == len(set(BLANKS))


# What stands for a missing value

WORDS = st.sampled_from(
    ["1", "2.5", "-999", "-999.0", "-9.99e2", "-99", "n/k", " n/k\u00a0", "x", "", "007"]
)


def is_missing(cell):
    plain = trim(cell)
    return plain in ("", "n/k") or (plain.startswith("-9") and float(plain) == -999)


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12), st.sampled_from([16, 24, 64]), st.integers(1, 5))
@example(["-999", "1"] * 9, 16, 1)
@example(["1"] * 9 + ["-999.0", "x"], 16, 2)
def test_words_and_numbers_are_missing_wherever_the_blocks_end(tmp_path_factory, cells, block, rows):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text("a,b\n" + "".join(f"{cell},1\n" for cell in cells))
    options = ReadOptions(missing=("n/k", "-999"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_text, "BLOCK_BYTES", block)
        source = open_table(path, options)
        n_missing = source.profile["a"].n_missing
        parts = list(source.batches(["a"], rows))
    found = pa.Table.from_batches(parts).column(0).to_pylist()
    assert [value is None for value in found] == [is_missing(cell) for cell in cells]
    assert n_missing == sum(map(is_missing, cells))
    again = open_table(pa.table({"a": cells}), options)
    assert again.table().column("a").to_pylist() == found


MISSING = ["-999", "9999-12-31", "none given", "false", "7"]
HELD = {
    "text numbers": (["1.5", "-999", "-999.00", "7"], [1.5, None, None, None]),
    "floats": ([1.5, -999.0, None, 7.0], [1.5, None, None, None]),
    "small floats": (pa.array([1.5, -999.0, 7.0], pa.float32()), [1.5, None, None]),
    "whole numbers": ([1, -999, 7, None], [1.0, None, None, None]),
    "bytes": (pa.array([1, 7, 9], pa.uint8()), [1.0, None, 9.0]),
    "decimals": (pa.array([1, -999, 7], pa.decimal128(9, 2)), [1.0, None, None]),
    "words": (["a", "none given", " -999 ", "None given"], ["a", None, None, "None given"]),
    "codes": (["007", "7", "008"], ["007", None, "008"]),
    "booleans": ([True, False, None], [True, None, None]),
    "days": (
        [datetime.date(2020, 1, 1), datetime.date(9999, 12, 31)], [datetime.datetime(2020, 1, 1), None]
    ),
    "moments": (
        [datetime.datetime(2020, 1, 1, 5), datetime.datetime(9999, 12, 31)],
        [datetime.datetime(2020, 1, 1, 5), None],
    ),
    "dates as text": (["2020-01-01", "9999-12-31"], [datetime.datetime(2020, 1, 1), None]),
    "categories": (pa.array(["a", "none given", "-999"]).dictionary_encode(), ["a", None, None]),
    "numbered categories": (pa.array([1, 7, 2]).dictionary_encode(), [1.0, None, 2.0]),
    "spans": (pa.array([5, 7, 9], pa.duration("s")), [5.0, None, 9.0]),
}  # fmt: skip


@pytest.mark.parametrize("case", HELD)
def test_what_stands_for_a_missing_value_does_so_in_every_column(tmp_path, case):
    cells, expected = HELD[case]
    table = pa.table({"a": cells, "b": range(len(cells))})
    pq.write_table(table, tmp_path / "t.parquet") if case != "numbered categories" else None
    options = ReadOptions(missing=MISSING)
    for what in (table, tmp_path / "t.parquet"):
        if what is table or what.exists():
            source = open_table(what, options)
            found = source.table().column("a").to_pylist()
            assert found == expected
            assert source.profile["a"].n_missing == expected.count(None)


def test_whole_numbers_that_floats_lose_are_missing_by_all_their_digits():
    long = 2**63 - 1
    table = pa.table({"a": [1, long, long - 1], "b": [1, long, 3]})
    source = open_table(table, ReadOptions(missing=[long]))
    assert source.table().to_pydict() == {"a": ["1", None, str(long - 1)], "b": [1.0, None, 3.0]}


@pytest.mark.parametrize("missing", [-999, "-999", [-999.0, "n/k"], ("-999.0",)], ids=str)
def test_missing_is_an_argument_in_python(clearprop, tmp_path, missing):
    table = large()
    table["c0 number"] = [-999.0 if v is None else v for v in table["c0 number"]]
    frame = pandas.DataFrame(table)
    X, gaps = frame.drop(columns="y"), pandas.DataFrame(large()).drop(columns="y")
    quick = {"preset": "realmlp-s", "max_iter": 2, "hidden_layer_sizes": 5, "random_state": 3}
    expected = cp.MLPClassifier(**quick).fit(gaps, frame["y"]).predict_proba(gaps)
    fitted = cp.MLPClassifier(**quick, missing=missing).fit(X, frame["y"])
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    fitted.save(tmp_path / "m.safetensors")
    loaded = cp.MLPClassifier.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    frame.to_csv(tmp_path / "t.csv", index=False)
    out = clearprop("predict", tmp_path / "m.safetensors", tmp_path / "t.csv")[1]
    found = [float(row["probability_no"]) for row in csv.DictReader(io.StringIO(out))]
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-6)
    for what in (frame, tmp_path / "t.csv"):
        rows = stream(what, target="y", missing=missing, validation=0, seed=0, dtype="float64")
        assert "c0 number is missing" in rows.encoder.feature_names
    numbers = frame[["c0 number", "c1 whole"]].assign(y=1.5 * frame["c1 whole"])
    numbers.to_csv(tmp_path / "n.csv", index=False)
    assert data.load(tmp_path / "n.csv").X_train.min() == -999
    with pytest.raises(ValueError, match="must have no missing values, got '-999.0': line 6, feature"):
        data.load(tmp_path / "n.csv", missing=missing)


@pytest.mark.parametrize(("decimal", "size"), [(".", 1000.0), (",", 1.0)])
def test_what_a_comma_is_can_be_said_in_python_too(clearprop, tmp_path, decimal, size):
    numbers = np.arange(1, 41)
    frame = pandas.DataFrame({"a": [f"{n},{n:03}" for n in numbers], "b": numbers / 8})
    frame["c"] = ["u", "v"] * 20
    quick = {"preset": "realmlp-s", "max_iter": 2, "hidden_layer_sizes": 5, "random_state": 3}
    with pytest.raises(ValueError, match="thousands or decimals .* in Python decimal='.' or ','"):
        cp.MLPRegressor(**quick).fit(frame, numbers)
    fitted = cp.MLPRegressor(**quick, decimal=decimal).fit(frame, pandas.Series(numbers, name="n"))
    later = frame.head(2).assign(a=["2,004", "2,005"])
    wanted = later.assign(a=[2.004 * size, 2.005 * size])
    plain = frame.assign(a=numbers * 1.001 * size)
    same = cp.MLPRegressor(**quick).fit(plain, numbers)
    np.testing.assert_allclose(fitted.predict(later), same.predict(wanted), rtol=1e-6)
    fitted.save(tmp_path / "m.safetensors")
    loaded = cp.MLPRegressor.load(tmp_path / "m.safetensors")
    assert loaded.decimal == decimal
    np.testing.assert_array_equal(loaded.predict(later), fitted.predict(later))
    frame.assign(n=numbers).to_csv(tmp_path / "t.csv", index=False)  # b has points, whatever a has
    code, out, _ = clearprop("predict", tmp_path / "m.safetensors", tmp_path / "t.csv")
    found = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(out))]
    assert code == 0
    np.testing.assert_allclose(found, fitted.predict(frame), rtol=1e-5)


def test_a_frame_of_numbers_is_encoded_where_a_number_stands_for_a_gap():
    rng = np.random.default_rng(0)
    X = pandas.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    fitted = cp.MLPRegressor(
        preset="realmlp-s", max_iter=9, missing=-1, random_state=0, early_stopping=False
    )
    fitted.fit(X, X["a"] * 2)
    later = X.head(3).assign(a=[-1, math.nan, 0.5])
    found = fitted.predict(later.assign(b=1.0))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cp.MLPClassifier(missing=-1).fit([[0.0], [1.0]], [0, 1]), "missing needs preset='realmlp-s'"),
        (lambda: cp.MLPRegressor(decimal=",").fit([[0.0], [1.0]], [0, 1]), "decimal needs preset='realmlp-s'"),
        (lambda: cp.MLPRegressor(decimal=";").fit([[0.0], [1.0]], [0, 1]), "'decimal' parameter"),
        (lambda: data.load("iris", missing=-1), "missing is for a CSV, Parquet or JSON lines file, iris is none"),
        (lambda: data.load("iris", options=ReadOptions()), "options is for a CSV, Parquet or JSON lines file"),
    ],
)  # fmt: skip
def test_missing_where_it_would_do_nothing_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("missing", [[True], [None], [b"x"]], ids=str)
def test_missing_must_hold_words_and_numbers(missing):
    with pytest.raises(TypeError, match="missing must hold words and numbers, got"):
        ReadOptions(missing=missing)


def test_a_number_that_is_missing_may_stand_in_a_configuration(clearprop, tmp_path):
    table = large()
    table["c0 number"] = [-999.0 if v is None else v for v in table["c0 number"]]
    (tmp_path / "t.csv").write_text(as_csv(table, ","))
    (tmp_path / "run.toml").write_text(
        'target = "y"\nmissing = [-999, "n/k"]\nepochs = 1\nhidden = "4"\n'
    )
    run = ("train", tmp_path / "t.csv", "--config", tmp_path / "run.toml", "-q", "--seed", 1)
    assert clearprop(*run, "--output", tmp_path / "m.safetensors")[0] == 0
    encoder = cp.load(tmp_path / "m.safetensors").model.inputs.encoder
    assert "c0 number is missing" in encoder.feature_names
