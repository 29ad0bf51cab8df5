"""What becomes of a table's columns, and the numbers that are made of them."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearprop.data.table import Roles, TableEncoder, TargetEncoder, decide, open_table
from clearprop.data.table import encoder as encoder_module

N = 60
RNG = np.random.default_rng(0)


def decided(column, name="a", **options):
    """Return the decision on a column beside one that is always learned from."""
    table = pa.table({name: column, "other": np.arange(len(column)) / 2})
    return decide(open_table(table), **options)[0]


KINDS = {
    "numbers": (RNG.normal(size=N), "a", "numeric", "numbers from"),
    "whole numbers": (np.arange(N) % 7, "a", "numeric", "whole numbers from 0 to 6"),
    "all different whole numbers": (np.arange(N), "a", "numeric", "whole numbers from 0 to 59"),
    "two numbers": ([3, 5] * 30, "a", "boolean", "two values, 3 and 5"),
    "booleans": ([True, False, None] * 20, "a", "boolean", "true or false; 20 missing"),
    "words": (["u", "v", "w"] * 20, "a", "categorical", "3 categories"),
    "codes with zeros": (["007", "008"] * 30, "a", "categorical", "2 categories"),
    "numbers and a word that is there often": (["0", "1", "3+"] * 20, "a", "categorical", "3 categories"),
    "an Arrow category": (pa.array(["1", "2"] * 30).dictionary_encode(), "a", "categorical", "2 cat"),
    "dates": ([f"2024-01-{1 + i % 28:02}" for i in range(N)], "a", "datetime", "points in time"),
    "an id": (np.arange(N), "customer_id", "identifier", "left out: an identifier by its name"),
    "an id in capitals": (np.arange(N), "customerID", "identifier", "an identifier by its name"),
    "an index": (np.arange(N), "Unnamed: 0", "identifier", "an identifier by its name"),
    "an id that repeats": (np.arange(N) % 4, "store_id", "categorical", "codes by its name: 4"),
    "a counted id": (np.arange(N) + 1, "OBJECTID", "identifier", "an identifier by its name"),
    "a number of a row": (np.arange(N) + 1, "rowid", "identifier", "an identifier by its name"),
    "no counted id": (np.arange(N) * 2, "PAID", "numeric", "whole numbers"),
    "an id of numbers and words": (
        [*map(str, range(50)), *(f"10{i}F6" for i in range(10))], "Climate ID", "identifier", "every row has its own"
    ),
    "no id": (np.arange(N), "humid", "numeric", "whole numbers"),
    "words of their own": ([f"c{i}" for i in range(N)], "a", "identifier", "every row has its own value"),
    "words that hardly repeat": ([f"c{i % 40}" for i in range(N)], "a", "identifier", "40 different values"),
    "sentences": ([f"the {i} quick brown fox jumps" for i in range(N)], "a", "text", "free text"),
    "few whole numbers": ([i % 3 for i in range(N)], "a", "categorical", "few values: 3 different whole numbers"),
    "few years": ([2020 + i % 3 for i in range(N)], "a", "numeric", "whole numbers from 2020"),
    "few fractions": ([i % 3 / 2 for i in range(N)], "a", "numeric", "numbers from 0 to 1"),
    "few below zero": ([i % 3 - 1 for i in range(N)], "a", "numeric", "whole numbers from -1"),
    "not so few": ([i % 6 for i in range(N)] * 2, "a", "numeric", "whole numbers from 0 to 5"),
    "few that hardly repeat": ([i % 5 for i in range(N)], "a", "numeric", "whole numbers from 0 to 4"),
    "one value": ([5] * N, "a", "constant", "left out: it is always 5"),
    "one word": (["x"] * N, "a", "constant", "left out: it is always 'x'"),
    "one value or none": ([5, None] * 30, "a", "numeric", "30 missing"),
    "no value": ([None] * N, "a", "constant", "left out: it has no values"),
    "dates of two kinds": (["01/02/2024", "03/04/2024"] * 30, "a", "dropped", "can be read in 2 ways"),
}  # fmt: skip


@pytest.mark.parametrize("case", KINDS)
def test_what_becomes_of_a_column_is_told_by_its_values(case):
    column, name, kind, reason = KINDS[case]
    found = decided(column, name)
    assert (found.kind, found.name) == (kind, name)
    assert reason in found.reason
    assert found.used == (kind in ("numeric", "boolean", "categorical", "datetime"))


def test_what_was_asked_for_comes_before_what_the_values_tell():
    numbers = np.arange(N)
    assert decided(numbers, categorical=["a"]).kind == "categorical"
    assert decided(numbers, drop=["a"]).kind == "dropped"
    assert decided(numbers, columns=["other"]).kind == "dropped"
    assert decided(numbers, "id", kinds={"id": "numeric"}).kind == "numeric"
    for role in ("target", "weight", "group", "time"):
        assert decided(numbers, "r", roles=Roles(**{role: "r"})).kind == role


BAD = {
    "a role that is no column": ({"roles": Roles(target="z")}, "X has no column 'z': the target must be one of 'a', 'other'"),
    "a column twice": ({"roles": Roles(target="a", weight="a")}, "the target and the weight must be two columns, got 'a'"),
    "dropping what is not there": ({"drop": ["b"]}, "X has no column 'b': drop must be among 'a', 'other'"),
    "dropping the target": ({"roles": Roles(target="a"), "drop": ["a"]}, "drop must not hold the target 'a'"),
    "dropped and categorical": ({"drop": ["a"], "categorical": ["a"]}, "drop and categorical must be different columns"),
    "another kind": ({"kinds": {"a": "text"}}, "the kind of column 'a' must be one of numeric"),
    "a kind that does not fit": ({"kinds": {"a": "datetime"}}, "column 'a' of X cannot be datetime: it holds number"),
    "nothing left": ({"columns": ["a"], "drop": ["a"]}, "X must have a feature beside the target, got none"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_decided_is_refused(case):
    options, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        decided(np.arange(N), **options)


STRAYS = {
    "a word": ([*map(str, range(N)), "many"], "must hold numbers, as it does elsewhere, got 'many': row 60"),
    "words": (["none so far", *map(str, range(N)), "many"], "got 'none so far' and 1 more like it: row 0"),
    "thousands": ([f"{i},{i:03}" for i in range(1, N)], "'1,001', thousands or decimals .--decimal says which, in Python decimal='.' or ','.: row 0"),
    "one without its currency": ([f"${i}.50" for i in range(N)] + ["9.50"], r"numbers in '\$', .* got '9.50': row 60"),
    "pounds among euros": ([f"{i} €" for i in range(N)] + ["9 £"], "numbers in '€', as it does elsewhere, got '9 £': row 60"),
    "underscores": ([f"1_00{i % 10}" for i in range(N)], "written like 1234.5, got '1_000': row 0"),
    "hexadecimal": ([f"0x{i:x}" for i in range(N)], "written like 1234.5, got '0x0': row 0"),
    "other digits": (["١٢", "١٣"] * 30, "written like 1234.5, got '١٢': row 0"),
    "infinity": (["1.5", "1e400"] * 30, "must hold finite numbers, got '1e400': row 1"),
    "inf": (pa.array([1.0, -np.inf] * 30), "must hold finite numbers, got '-inf': row 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", STRAYS)
def test_numbers_with_something_else_among_them_are_refused_with_the_place(case):
    column, message = STRAYS[case]
    with pytest.raises(ValueError, match=f"{message}, column 'a'"):
        decided(column)
    assert decided(column, drop=["a"]).kind == "dropped"
    if "finite" not in message:
        assert decided(column, categorical=["a"]).kind == "categorical"


@pytest.mark.parametrize(
    "column",
    [[[1], [2]], [{"u": 1}, {"u": 2}], [b"u", b"v"]],
    ids=["lists", "structures", "bytes"],
)
def test_what_no_number_can_be_made_of_is_refused_by_name_or_dropped(column):
    with pytest.raises(
        ValueError, match=r"holds .* in column 'a', which cannot be learned from: drop it"
    ):
        decided(column)
    assert decided(column, drop=["a"]).kind == "dropped"


# The encoder


def learned(table, **options):
    source = open_table(pa.table(table))
    return TableEncoder.learn(source.batches(), decide(source, **options)), source


def encoded(table, **options):
    encoder, source = learned(table, **options)
    return dict(zip(encoder.feature_names, encoder.encode(source.table()).T.tolist(), strict=True))


def test_a_missing_number_is_the_median_and_says_so():
    assert encoded({"a": [1.0, None, 5.0, 2.0], "b": [1.5, 2.5, 3.5, 4.5]}) == {
        "a": [1.0, 2.0, 5.0, 2.0],
        "a is missing": [0.0, 1.0, 0.0, 0.0],
        "b": [1.5, 2.5, 3.5, 4.5],
    }


def test_a_category_is_one_of_its_columns_and_two_share_one():
    words = {"c": ["u", "v", "w", "u"] * 3, "d": ["yes", "no", "yes", "yes"] * 3}
    assert encoded(words) == {
        "c = u": [1.0, 0.0, 0.0, 1.0] * 3,
        "c = v": [0.0, 1.0, 0.0, 0.0] * 3,
        "c = w": [0.0, 0.0, 1.0, 0.0] * 3,
        "d = yes": [1.0, -1.0, 1.0, 1.0] * 3,
    }


def test_missing_is_a_category_where_the_training_part_had_any():
    found = encoded({"c": ["u", None, "v", "u"] * 5})
    assert found["c is missing"] == [0.0, 1.0, 0.0, 0.0] * 5
    assert list(found) == ["c = u", "c = v", "c is missing"]


def test_rare_categories_are_one_and_so_is_what_is_new():
    words = ["u"] * 5 + ["v"] * 5 + ["rare", "r2", "r2"]
    encoder, _ = learned({"c": words})
    assert encoder.feature_names == ("c = u", "c = v", "c is other")
    new = pa.table({"c": ["u", "r2", "never seen", None]})
    np.testing.assert_array_equal(encoder.encode(new), [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]])


def test_what_is_new_is_no_category_where_none_was_pooled():
    encoder, _ = learned({"c": ["u", "v", "w"] * 5, "d": ["x", "y", "x"] * 5})
    new = pa.table({"c": ["new", None], "d": ["new", None]})
    np.testing.assert_array_equal(encoder.encode(new), np.zeros((2, 4)))


def test_a_date_is_the_parts_of_it_that_vary():
    found = encoded({"t": ["2024-01-31", "2024-03-01", None, "2024-03-02"], "a": [1.5, 2, 3, 4]})
    assert found["t: month"] == [1.0, 3.0, 3.0, 3.0]
    assert found["t: day of week"] == [2.0, 4.0, 4.0, 5.0]  # a Wednesday, a Friday, a Saturday
    assert found["t is missing"] == [0.0, 0.0, 1.0, 0.0]
    assert "t: year" not in found
    assert "t: hour" not in found


def test_one_and_the_same_category_has_one_text():
    words = {"text": ["1", "0"] * 8, "numbers": [1, 0] * 8, "floats": [1.0, 0.0] * 8}
    for column in words.values():
        encoder, _ = learned({"c": column}, kinds={"c": "categorical"})
        assert encoder.encoded[0].categories == ("0", "1")
        for other in ({"c": ["1"]}, {"c": [1]}, {"c": [1.0]}):
            np.testing.assert_array_equal(encoder.encode(pa.table(other)), [[1.0]])


def test_the_columns_of_many_categories_are_bounded(monkeypatch):
    monkeypatch.setattr(encoder_module, "MOST_CATEGORIES", 8)
    monkeypatch.setattr(encoder_module, "MOST_FEATURES", 10)
    rows = [f"c{i:02}" for i in range(20) for _ in range(3 + i)]
    encoder, _ = learned({"c": rows, "d": rows})
    assert encoder.n_features <= 12
    kept = encoder.encoded[0].categories
    assert kept == tuple(f"c{i:02}" for i in range(20 - len(kept), 20))  # those that are there most
    assert encoder.encoded[0].pooled == 20 - len(kept)


def test_an_encoder_comes_back_from_json_as_it_was():
    table = {
        "a": [1.0, None, 0.1] * 20,
        "c": ["u", None, "v"] * 20,
        "t": ["2024-01-31", "2025-03-01", None] * 20,
        "id": list(range(60)),
    }
    encoder, source = learned(table)
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert (again.decisions, again.feature_names) == (encoder.decisions, encoder.feature_names)
    np.testing.assert_array_equal(again.encode(source.table()), encoder.encode(source.table()))


def test_columns_are_found_by_their_names():
    encoder, _ = learned({"a": [1.5, 2.5, 3.0], "c": ["u", "v", "u"]})
    other = pa.table({"more": [0, 0], "c": ["v", "u"], "a": [7.0, 8.0]})
    np.testing.assert_array_equal(encoder.encode(other), [[7.0, 1.0], [8.0, -1.0]])
    with pytest.raises(ValueError, match="the table lacks 'c'"):
        encoder.encode(pa.table({"a": [1.0]}))


cells = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(-1e6, 1e6)),
        st.one_of(st.none(), st.sampled_from(["u", "v", "w", "x y", "é"])),
    ),
    min_size=4,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(cells, st.integers(1, 7))
def test_what_is_learned_does_not_depend_on_the_batches(rows, size):
    numbers, words = zip(*rows, strict=True)
    table = pa.table(
        {"a": pa.array(numbers, pa.float64()), "c": pa.array(words, pa.string()), "z": range(len(rows))}
    )
    source = open_table(table)
    decisions = decide(source, kinds={"a": "numeric", "c": "categorical"})
    whole = TableEncoder.learn(source.batches(), decisions)
    parts = TableEncoder.learn(source.batches(batch_rows=size), decisions)
    assert whole.encoded == parts.encoded
    together = np.concatenate([whole.encode(batch) for batch in source.batches(batch_rows=size)])
    np.testing.assert_array_equal(together, whole.encode(source.table()))
    found = whole.encode(source.table())
    assert np.isfinite(found).all()
    there = np.array([n for n in numbers if n is not None])
    if len(there):  # median() rounds otherwise: (a + b) / 2
        assert whole.encoded[0].median == np.quantile(there, 0.5)


# The target


TARGETS = {
    "words": (["u", "v", "w"] * 9, None, "multiclass", ("u", "v", "w")),
    "two words": (["yes", "no"] * 9, None, "binary", ("no", "yes")),
    "booleans": ([True, False] * 9, None, "binary", (False, True)),
    "the words true and false": (["true", "FALSE", "True"] * 9, None, "binary", (False, True)),
    "very large whole numbers": ([1e300, 2.0**60] * 9, None, "regression", None),
    "few whole numbers": ([3, 1, 2] * 9, None, "multiclass", (1, 2, 3)),
    "few whole floats": ([1.0, 0.0] * 9, None, "binary", (0, 1)),
    "codes": (["007", "7"] * 9, None, "binary", ("007", "7")),
    "many whole numbers": (list(range(25)), None, "regression", None),
    "fractions": ([0.5, 1.0] * 9, None, "regression", None),
    "asked for": ([0, 1] * 9, "regression", "regression", None),
    "asked for classes": (list(range(25)), "classification", "multiclass", tuple(range(25))),
}


@pytest.mark.parametrize("case", TARGETS)
def test_the_task_is_told_by_the_target(case):
    column, task, kind, classes = TARGETS[case]
    source = open_table(pa.table({"y": column, "a": range(len(column))}))
    target = TargetEncoder.learn(source, "y", task)
    assert (target.kind, target.classes) == (kind, classes)
    codes = target.codes(source.table(["y"]).column("y"))
    values = [str(v).lower() == "true" for v in column] if column[0] == "true" else column
    np.testing.assert_array_equal(target.labels(codes), values)
    again = TargetEncoder.from_json(json.loads(json.dumps(target.to_json())))
    assert again == target


BAD_TARGETS = {
    "missing": (["u", None, "v"], None, "must have no missing values in the target 'y', got 1: the first in row 1"),
    "constant": ([5, 5, 5], None, "the target 'y' of X must vary, is always 5"),
    "constant fraction": ([0.5, 0.5], None, "must vary, is always 0.5"),
    "dates": (["2024-01-01", "2024-01-02"], None, "must be numbers, booleans or text, got dates"),
    "times of day": (["6:30 PM", "7:10 AM"], None, "must be numbers, booleans or text, got times of day"),
    "words for a regression": (["u", "v"], "regression", "must hold numbers for a regression, got 'u'"),
    "fractions for classes": ([0.5, 1.0], "classification", "must hold classes, whole numbers or text, got 0.5"),
    "very large classes": ([1e300, 2.0], "classification", "must hold classes, whole numbers or text, got 1e.300"),
    "true and TRUE": (["true", "TRUE"], None, "must vary, is always True"),
    "money of two kinds": (
        [f"${i}.50" for i in range(30)] + ["€5"], None, r"must hold numbers in '\$', .* got '€5': row 30, target 'y'"
    ),
    "a stray word among a few numbers": ([*map(str, range(30)), "oops"], None, "got 'oops': row 30, target 'y'"),
    "three for binary": ([1, 2, 3], "binary", "must have 2 classes, has 3: 1, 2, 3"),
    "a task that is none": ([1, 2], "clustering", "task must be one of classification"),
    "a stray word": (
        [*map(str, range(300)), "oops"], None, "must hold numbers, .* got 'oops': row 300, target 'y' .say that it "
        "is missing, or that the task is classification."
    ),
    "two readings": ([f"{i},234" for i in range(1, 60)], None, "decimals .--decimal says which, in Python decimal='.' or ','.: row 0, target 'y'$"),
    "lists": ([[1], [2]], None, "must hold numbers, booleans or text in the target 'y', got list"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_a_wrong_target_is_refused(case):
    column, task, message = BAD_TARGETS[case]
    with pytest.raises(ValueError, match=message):
        TargetEncoder.learn(open_table(pa.table({"y": column})), "y", task, gaps="refuse")


def test_a_target_of_times_is_how_long_something_took():
    words = [f"{2 + i // 60:02}:{i % 60:02}:07" for i in range(90)]
    source = open_table(pa.table({"y": words, "x": range(90)}))
    target = TargetEncoder.learn(source, "y")
    assert target.task == "regression"
    assert target.reason.endswith(", time spans in seconds")
    seconds, _ = target.of_table(source)
    assert seconds.tolist() == [7207.0 + 60 * i for i in range(90)]


def test_times_before_noon_may_be_time_spans_and_it_is_said():
    words = [f"{2 + i // 60:02}:{i % 60:02}:07" for i in range(700)]
    for column, said in ((words[:590], True), (words, False)):
        found = decide(open_table(pa.table({"a": column, "x": range(len(column))})))[0]
        assert found.kind == "datetime"
        assert ("none after noon: if they are time spans, --numeric" in found.reason) == said


def test_a_class_for_every_other_row_is_warned_of():
    source = open_table(pa.table({"y": [f"n{i}" for i in range(30)]}))
    with pytest.warns(
        UserWarning, match="'y' of X has 30 classes in 30 rows: is it a name or a number"
    ):
        TargetEncoder.learn(source, "y")


def test_labels_that_are_new_are_told_from_those_that_are_known():
    target = TargetEncoder.learn(open_table(pa.table({"y": [1, 2, 1]})), "y")
    assert target.codes(pa.array([2.0, 3.0, 1.0])).tolist() == [1, -1, 0]
    assert target.codes(pa.array(["2", "x", None])).tolist() == [1, -1, -1]
