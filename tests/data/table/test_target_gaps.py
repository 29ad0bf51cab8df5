"""Rows without a target are left out, and counted; labels and columns that look wrong are asked about."""

import json
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clearprop as cp
from clearprop import data
from clearprop.data.table import ColumnDecision, open_table, stream
from clearprop.data.table.giveaways import Giveaways

N = 60
RNG = np.random.default_rng(3)
A, B = RNG.normal(size=N).round(3), RNG.choice(["u", "v", "w"], N)
Y = np.where(A + RNG.normal(size=N) > 0, "yes", "no")
PRICE = (A + RNG.normal(size=N)).round(2)


@pytest.fixture
def clearprop(clearprop):
    """Call the command line as elsewhere, with warnings that are said."""

    def call(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            return clearprop(*arguments)

    return call


def columns(gaps, y=Y, blank=None):
    """Return a table whose rows in `gaps` have no target."""
    target = [blank if row in gaps else value for row, value in enumerate(y.tolist())]
    return {"a": A.tolist(), "b": B.tolist(), "y": target}


def without(table, gaps):
    return {name: [v for row, v in enumerate(c) if row not in gaps] for name, c in table.items()}


def write(path, table):
    rows = zip(*table.values(), strict=True)
    lines = [",".join("" if v is None else str(v) for v in row) for row in rows]
    Path(path).write_text("\n".join([",".join(table), *lines]) + "\n", "utf-8")
    return path


def weights(path):
    return cp.load(path).parameters.tobytes()


GAPS = st.sets(st.integers(0, N - 1), min_size=1, max_size=N // 2)


@given(gaps=GAPS, validation=st.sampled_from([0.0, 0.25]), quantity=st.booleans())
def test_a_stream_is_that_of_the_table_without_those_rows(gaps, validation, quantity):
    whole = columns(gaps, PRICE if quantity else Y)
    few = without(whole, gaps)
    how = {"target": "y", "validation": validation, "seed": 4}
    with pytest.warns(UserWarning, match=f"{len(gaps)} of {N} rows ha(s|ve) no target 'y'"):
        found = stream(pa.table(whole), **how)
    wanted = stream(pa.table(few), **how)
    assert (
        found.spool.n_rows
        == wanted.spool.n_rows
        == found.source.n_rows - len(found.held.Y if found.held else ())
    )
    n = wanted.spool.n_rows
    np.testing.assert_array_equal(found.spool.X(0, n), wanted.spool.X(0, n))
    np.testing.assert_array_equal(found.spool.Y(0, n), wanted.spool.Y(0, n))
    if validation:
        np.testing.assert_array_equal(found.validation[0], wanted.validation[0])
        np.testing.assert_array_equal(found.validation[1], wanted.validation[1])


@given(gaps=GAPS, batch_rows=st.integers(1, N))
def test_the_place_of_a_row_is_that_in_the_whole_table(gaps, batch_rows):
    source = open_table(pa.table(columns(gaps))).with_target("y")
    with pytest.warns(UserWarning, match="no target"):
        batches = list(source.batches(["a"], batch_rows))
    kept = [row for row in range(N) if row not in gaps]
    assert [source.place(i) for i in range(len(kept))] == [f"row {row}" for row in kept]
    assert np.concatenate([batch.column(0) for batch in batches]).tolist() == A[kept].tolist()
    assert source.n_rows == len(kept)
    list(source.batches())  # and is said once: a second warning would be an error here


@given(gaps=GAPS)
def test_load_reads_the_rows_that_have_a_target(tmp_path_factory, gaps):
    table = {"a": A.tolist(), "y": columns(gaps)["y"]}
    path = write(tmp_path_factory.mktemp("gaps") / "t.csv", table)
    with pytest.warns(UserWarning, match=f"t.csv: {len(gaps)} of {N} rows ha(s|ve) no target 'y'"):
        found = data.load(path)
    kept = [row for row in range(N) if row not in gaps]
    np.testing.assert_array_equal(found.X_train[:, 0], A[kept])
    assert [found.classes[y] for y in found.Y_train] == Y[kept].tolist()
    assert found.rows.tolist() == kept
    with pytest.raises(
        ValueError, match=f"no missing values, got '': line {min(gaps) + 2}, target 'y'"
    ):
        data.load(path, target_gaps="refuse")
    everything = data.load(path, need_target=False)
    assert (len(everything.X_train), everything.Y_train) == (N, None)


def test_a_cell_that_is_wrong_is_named_with_its_line_whatever_was_left_out_above(tmp_path):
    path = write(tmp_path / "t.csv", {"a": [1, "x", 3, "oops"], "y": ["u", None, "v", "v"]})
    with pytest.raises(ValueError, match="must hold numbers, got 'oops': line 5, feature 'a'"):
        data.load(path)


def test_words_that_stand_for_nothing_are_named_beside_their_number(tmp_path):
    table = columns({1, 2, 5}, blank="None") | {"b": A.tolist()}
    table["y"][9] = table["y"][30] = " "
    path = write(tmp_path / "t.csv", table)
    message = f"5 of {N} rows have no target 'y' \\('None' in 3\\): they are left out"
    with pytest.warns(UserWarning, match=message):
        data.load(path)
    with pytest.warns(UserWarning, match=message):
        list(open_table(path).with_target("y").batches(["a"]))


def test_a_table_without_any_target_is_refused(tmp_path):
    path = write(tmp_path / "t.csv", {"a": [1, 2, 3], "y": [None, None, None]})
    for read in (lambda: data.load(path), lambda: stream(path, target="y")):
        with pytest.raises(
            ValueError, match="t.csv must have a row with a target, got no value in 'y'"
        ):
            read()


@pytest.mark.parametrize("read", [data.load, lambda p, **how: stream(p, target="y", **how)])
def test_what_becomes_of_gaps_is_one_of_two_words(tmp_path, read):
    path = write(tmp_path / "t.csv", {"a": [1, 2, 3], "y": ["u", "v", "v"]})
    with pytest.raises(ValueError, match="target_gaps must be one of drop, refuse, got 'keep'"):
        read(path, target_gaps="keep")


@pytest.mark.parametrize("buffer", [(), ("--buffer", 20)])
def test_train_makes_the_model_of_the_rows_with_a_target(clearprop, buffer):
    gaps = {0, 7, 8, 40, 59}
    table = columns(gaps)
    write("gaps.csv", table)
    write("few.csv", without(table, gaps))
    quick = ("--target", "y", "--hidden", 4, "--epochs", 2, "--seed", 1, *buffer)
    code, _, err = clearprop("train", "gaps.csv", *quick, "--output", "one.safetensors")
    assert code == 0
    assert err.count("gaps.csv: 5 of 60 rows have no target 'y': they are left out") == 1
    code, _, err = clearprop("train", "few.csv", *quick, "--output", "two.safetensors")
    assert (code, "no target" in err) == (0, False)
    assert weights("one.safetensors") == weights("two.safetensors")
    code, _, err = clearprop("train", "gaps.csv", *quick, "--target-gaps", "refuse")
    assert code == 2
    assert "got 5: the first in line 2 (--target-gaps drop leaves such rows out)" in err


def test_other_rows_to_validate_on_may_have_gaps_as_well(clearprop):
    write("train.csv", columns(set()))
    write("other.csv", columns({3, 4}))
    quick = ("--target", "y", "--hidden", 4, "--epochs", 2, "--validation", "other.csv")
    code, out, err = clearprop("train", "train.csv", *quick)
    assert code == 0
    assert "other.csv: 2 of 60 rows have no target 'y'" in err
    assert "validated on 58 rows of other.csv" in out + err


@pytest.fixture(params=["a table's model", "a network"])
def trained(request, tmp_path, clearprop):
    """Write a table with gaps, and a model; return its gaps."""
    gaps = {2, 3, 30}
    table = columns(gaps)
    if request.param == "a network":
        table["b"] = RNG.normal(size=N).tolist()
        pandas = pytest.importorskip("pandas")
        net = cp.Network([2, 4, 2], seed=0)
        net.fit(pandas.DataFrame({"a": A, "b": table["b"]}), Y, epochs=2, progress=False)
        net.save("m.safetensors")
        write("t.csv", table)
        return gaps
    write("t.csv", table)
    code, _, _ = clearprop(
        "train", "t.csv", "--target", "y", "--hidden", 4, "--epochs", 1, "--output", "m.safetensors"
    )
    assert code == 0
    return gaps


def test_evaluate_counts_the_rows_that_have_a_target(clearprop, trained):
    code, out, err = clearprop("evaluate", "m.safetensors", "t.csv", "--json")
    assert (code, json.loads(out)["n_samples"]) == (0, N - 3)
    assert "t.csv: 3 of 60 rows have no target 'y': they are left out" in err
    code, _, err = clearprop("evaluate", "m.safetensors", "t.csv", "--target-gaps", "refuse")
    assert code == 2
    assert "no missing values" in err
    assert "line 4" in err


@pytest.mark.parametrize("command", ["check", "diagnose"])
def test_check_and_diagnose_take_the_rows_that_have_a_target(clearprop, trained, command):
    code, out, err = clearprop(command, "m.safetensors", "t.csv", "--json")
    assert code == 0
    assert "3 of 60 rows have no target" in err
    assert json.loads(out)["n_samples"] in (32, N - 3)
    code, _, err = clearprop(command, "m.safetensors", "t.csv", "--target-gaps", "refuse")
    assert code == 2
    assert "line 4" in err


def test_a_row_to_explain_is_found_by_its_number_in_the_file(clearprop, trained):
    code, out, _ = clearprop("explain", "m.safetensors", "t.csv", "--row", 31, "--format", "json")
    assert code == 0
    whole = columns(set())
    Path("one.csv").write_text(
        Path("t.csv").read_text().splitlines()[0] + "\n" + Path("t.csv").read_text().splitlines()[32]
    )
    code, alone, _ = clearprop("explain", "m.safetensors", "one.csv", "--format", "json")
    assert (code, json.loads(out)) == (0, json.loads(alone))
    assert whole["y"][31] is not None
    code, _, err = clearprop("explain", "m.safetensors", "t.csv", "--row", 3, "--notation", "nielsen")
    assert code == 2
    assert "--row must have a target, row 3 of t.csv has none" in err
    code, _, err = clearprop("explain", "m.safetensors", "t.csv", "--row", N)
    assert code == 2
    assert f"--row must be in 0..{N - 1}, got {N}: t.csv has {N} rows" in err


def test_predict_predicts_every_row(clearprop, trained):
    code, out, _ = clearprop("predict", "m.safetensors", "t.csv")
    assert (code, len(out.splitlines()) - 1) == (0, N)


def test_what_a_diagnosis_shows_has_the_numbers_of_the_file(clearprop):
    """Row 31 of the file, the 29th that has a target, is the one that cannot be reached."""
    y = np.linspace(0.1, 0.9, N)
    y[31] = 5.0
    write("t.csv", {"a": A.tolist(), "y": [None if i in (2, 30) else v for i, v in enumerate(y)]})
    cp.Network([1, 4, 1], output="sigmoid", cost="quadratic", seed=0).save("m.safetensors")
    code, out, _ = clearprop("diagnose", "m.safetensors", "t.csv", "--json")
    found = {each["id"]: each for each in json.loads(out)["findings"]}
    assert code == 0
    assert found["D17"]["evidence"] == [31]


@pytest.mark.parametrize("preset", ["sklearn", "realmlp-s"])
@pytest.mark.parametrize("gap", [np.nan, None, "NA"])
def test_an_estimator_refuses_gaps_and_says_how_to_leave_them_out(preset, gap):
    pandas = pytest.importorskip("pandas")
    y = PRICE.astype(object)
    y[7] = pandas.NA if gap == "NA" else gap
    X, y = pandas.DataFrame({"a": A, "c": A[::-1]}), pandas.Series(y)
    model = cp.MLPRegressor(hidden_layer_sizes=5, preset=preset, max_iter=2, random_state=0)
    with pytest.raises(ValueError, match=r"row 7; .* known = pandas.notna\(y\): fit X\[known\], y"):
        model.fit(X, y)
    known = pandas.notna(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two epochs
        assert model.fit(X[known], y[known].astype(float)).n_iter_ == 2


# Labels and columns that look wrong

ALIKE = {
    "case": ["Yes", "yes", "No"],
    "a blank between": ["New York", "NewYork", "Rome"],
    "no-break blanks": ["a b", "a\u00a0b", "c"],
    "a blank of no width": ["no one", "no\u200b one", "all"],
    "several": ["A1", "a1", "B1", "b1", "c1"],
}


def doors(labels, tmp_path):
    """Give the ways in which labels come to be classes."""
    y = np.resize(np.array(labels), N)
    table = {"a": A.tolist(), "y": y.tolist()}
    path = write(tmp_path / "t.csv", table)
    quick = {"hidden_layer_sizes": 3, "max_iter": 30, "tol": 1.0, "solver": "lbfgs"}
    yield lambda: data.load(path)
    yield lambda: stream(pa.table(table), target="y", seed=0)
    yield lambda: stream(path, target="y", seed=0)
    yield lambda: cp.MLPClassifier(**quick).fit(A[:, None], y)
    yield lambda: cp.MLPClassifier(**quick).fit(A[:, None], np.stack([y, y], axis=1))


@pytest.mark.parametrize("case", ALIKE)
def test_labels_that_differ_only_in_case_or_blanks_are_named_in_one_warning(case, tmp_path):
    labels = ALIKE[case]
    for door in doors(labels, tmp_path):
        with pytest.warns(UserWarning, match="differ only in case or blanks") as caught:
            door()
        texts = [str(each.message) for each in caught if "differ only" in str(each.message)]
        assert all(repr(label) in texts[0] for label in labels[:2])
        assert repr(labels[-1]) not in texts[0]
        assert len(texts) in (1, 2)  # two columns of labels are two targets


def test_labels_that_differ_in_more_than_that_are_left_in_peace(tmp_path):
    for door in doors(["yes", "no", "Yes!", "y e s s"], tmp_path):
        door()  # a warning is an error here


def test_train_names_labels_alike_once_and_learns_each(clearprop):
    write("t.csv", {"a": A.tolist(), "y": np.resize(["Yes", "yes", "No"], N).tolist()})
    code, out, err = clearprop("train", "t.csv", "--target", "y", "--hidden", 3, "--epochs", 1)
    assert code == 0
    assert err.count("differ only in case or blanks: 'Yes' and 'yes'; do they mean the same?") == 1
    assert "multiclass, 3 classes" in out + err


def test_a_column_that_gives_the_target_away_is_asked_about(clearprop):
    code_of = {"yes": "D1", "no": "D2"}
    leak = [code_of[y] for y in Y]
    write("t.csv", {"a": A.tolist(), "b": B.tolist(), "discharge": leak, "y": Y.tolist()})
    quick = ("--target", "y", "--hidden", 3, "--epochs", 1)
    asked = (
        "column 'discharge' (100 % of the rows) alone gives the target away, one value, one class: is"
    )
    for more in ((), ("--buffer", 20)):
        code, _, err = clearprop("train", "t.csv", *quick, *more)
        assert code == 0
        assert err.count(asked + " it known when you predict? Drop it if not") == 1
    code, _, err = clearprop("train", "t.csv", *quick, "--drop", "discharge")
    assert (code, "gives the target away" in err) == (0, False)


def test_a_frame_with_such_a_column_is_asked_about_at_the_line_of_its_fit():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"b": B, "leak": np.where(Y == "yes", 1, 0)})
    model = cp.MLPClassifier(3, preset="realmlp-s", max_iter=1, random_state=0)
    with pytest.warns(UserWarning, match="column 'leak' .* alone gives the target away") as caught:
        model.fit(frame, Y)
    assert caught[0].filename == __file__


@given(
    st.integers(50, 90),
    st.integers(2, 4),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "all different", "one class in 97 %", "pairs"]),
)
def test_columns_that_tell_nothing_are_not_accused(n, n_classes, seed, kind):
    rng = np.random.default_rng(seed)
    codes = rng.integers(n_classes, size=n)
    codes[:n_classes] = np.arange(n_classes)
    x = rng.integers(5, size=n).astype(float)
    if kind == "all different":
        x = np.arange(float(n))  # every value has one class, and says nothing of other rows
    elif kind == "one class in 97 %":
        codes = (np.arange(n) < max(1, n // 33)).astype(int)
    elif kind == "pairs":
        x = np.arange(n) // 2.0
    assert giveaways(x, codes) == {}


def giveaways(x, codes, cuts=()):
    seen = Giveaways([ColumnDecision("x", "numeric", "")], int(codes.max()) + 1)
    for rows in np.split(np.arange(len(x)), cuts):
        seen.see(pa.table({"x": x[rows]}), codes[rows])
    return seen.found()


@given(st.integers(50, 90), st.integers(2, 4), st.integers(0, 2**32 - 1), st.integers(1, 49))
def test_a_column_of_which_each_value_has_one_class_is_found_in_any_blocks(n, n_classes, seed, cut):
    rng = np.random.default_rng(seed)
    values = rng.permutation(8)
    x = np.resize(values, n).astype(float)
    codes = np.resize(np.arange(8) % n_classes, n)
    assert giveaways(x, codes) == giveaways(x, codes, [cut]) == {"x": 1.0}
    spoiled = codes.copy()
    spoiled[::10] = (spoiled[::10] + 1) % n_classes
    assert giveaways(x, spoiled) == {}


def test_gaps_of_a_column_are_a_value_like_others():
    x = np.where(np.arange(60) % 2, np.nan, np.arange(60) % 3)
    table = pa.table({"x": pa.array(x, from_pandas=True)})
    seen = Giveaways([ColumnDecision("x", "numeric", "")], 2)
    seen.see(table, np.arange(60) % 2)
    assert seen.found() == {"x": 1.0}
