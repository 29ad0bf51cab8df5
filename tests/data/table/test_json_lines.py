"""JSON lines: read as the table that they are, and refused with the line where they are none."""

import gzip
import json
import re

import numpy as np
import pytest

from clearprop import data
from clearprop.data.table import Roles, decide, open_table

ROWS = [
    {"when": "2024-01-05", "size": 2, "price": 1, "kind": "a", "paid": True, "code": 7},
    {"kind": None, "price": 2.5, "when": "2024-02-05", "code": "x7", "size": 3},
    {
        "when": None,
        "size": -1,
        "price": float("nan"),
        "kind": "",
        "paid": False,
        "code": None,
        "late": 2**70,
    },
]


def written(path, rows):
    lines = "\n\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\ufeff" + lines + "\n", encoding="utf-8")
    return path


def test_columns_are_those_of_all_lines_whatever_their_order(tmp_path):
    source = open_table(written(tmp_path / "t.jsonl", ROWS))
    assert source.names == ("when", "size", "price", "kind", "paid", "code", "late")
    assert source.types["size"] == source.types["price"] == "number"
    assert source.types["when"].startswith("time")
    assert source.types["code"] == "text"
    found = source.table().to_pydict()
    assert found["size"] == [2, 3, -1]
    assert found["price"] == [1, 2.5, None]
    assert found["kind"] == ["a", None, None]
    assert found["paid"] == [True, None, False]
    assert found["code"] == ["7", "x7", None]
    assert source.n_rows == 3
    assert source.place(1) == "line 3"


def test_packed_ones_are_read_in_blocks_and_as_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("clearprop.data.table.json_lines._ROWS", 2)
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(b'{"a": %d, "y": %d}\n' % (i, i % 2) for i in range(7))))
    found = data.load(path, target="y")
    np.testing.assert_array_equal(found.X_train[:, 0], range(7))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([ROWS[0], "[1, 2]"], "must have a JSON object in each line, got an array in line 3"),
        (["7"], "must have a JSON object in each line, got a number in line 1"),
        (['"a"'], "must have a JSON object in each line, got a text in line 1"),
        ([ROWS[0], '{"when": 1'], "could not read line 3: Expecting ',' delimiter"),
        (["{", '"when": 1}'], "could not read line 1: Expecting property name"),
        (['{"a": 1, "b": 2, "a": 3}'], "must name every column once, has 'a' twice in line 1"),
        (['{"a": 1, " a": 2}'], "must name every column differently, got 'a' more than once"),
        (['{"": 1, "a": 2, "b ": 2, " ": 1}'], "must name every column, column 1, 4 has no name"),
        (["[" * 100_000], "must have a JSON object in each line, got an array in line 1"),
        ([f'{{"a": {"9" * 5000}}}'], "could not read line 1: Exceeds the limit"),
        ([" ", "{}"], "must have rows, an object in each line, got none"),
        (['{"a": "' + "x" * (1 << 24) + '"}'], "must have an object in each line, line 1 is too long"),
    ],
)
def test_what_is_no_object_a_line_is_refused_with_the_line(tmp_path, rows, sentence):
    path = written(tmp_path / "t.jsonl", rows)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        open_table(path)


@pytest.mark.parametrize(
    ("cell", "what"), [([1], "an array"), ({"b": 1}, "an object")], ids=["array", "object"]
)
def test_nested_values_are_missing_unless_they_are_learned_from(tmp_path, cell, what):
    path = written(tmp_path / "t.jsonl", [{"a": 1, "y": 0}, {"a": cell, "y": 1}, {"a": [], "y": 1}])
    source = open_table(path)
    assert source.table(["y"])["y"].to_pylist() == [0, 1, 1]
    with pytest.raises(ValueError, match=f"t.jsonl holds {what} in line 3 in column 'a'.*: drop it"):
        decide(source, Roles(target="y"))
    with pytest.raises(ValueError, match=f"t.jsonl must hold .* in column 'a', got {what} in line 3"):
        source.refuse_useless(["a"])


def test_cells_that_are_not_what_a_column_holds_are_refused_with_the_line(tmp_path):
    path = written(tmp_path / "t.jsonl", [{"a": 1}, {"a": float("inf")}])
    with pytest.raises(ValueError, match="t.jsonl must hold finite numbers.*line 3, column 'a'"):
        open_table(path).table()
    with pytest.raises(ValueError, match="t.jsonl .*'b'.*line 1, column 'a'"):
        open_table(written(tmp_path / "t.jsonl", [{"a": "b"}]), types={"a": "number"}).table()
