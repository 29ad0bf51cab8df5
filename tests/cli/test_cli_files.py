"""Several files as one table, from the shell."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import clearprop as cp
from clearprop.data.table import open_table


@pytest.fixture
def folder(here):
    """Return a folder of three files of 60 rows, in which the program runs, and the rows as one."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {"row": np.arange(60) * 1.5, "x": rng.normal(size=60), "y": rng.integers(0, 2, 60)}
    )
    for number, (first, last) in enumerate([(0, 25), (25, 30), (30, 60)]):
        rows = table.slice(first, last - first)
        pq.write_table(rows, here / f"part-{number}.parquet")
        pa.csv.write_csv(rows, here / f"part-{number}.csv")
    pq.write_table(table, here / "whole.parquet")
    return here


HOW = ("--target", "y", "--epochs", "1", "--seed", "1", "--hidden", "3", "--quiet")


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_several_files_a_pattern_and_one_file_train_the_same_network(clearprop, folder, ending):
    each = [f"part-{number}.{ending}" for number in range(3)]
    assert clearprop("train", *each, *HOW)[0] == 0
    named = cp.load("part.safetensors").parameters
    assert clearprop("train", f"part-*.{ending}", *HOW, "--output", "p.safetensors")[0] == 0
    assert clearprop("train", "whole.parquet", *HOW)[0] == 0
    assert np.array_equal(named, cp.load("p.safetensors").parameters)
    assert np.array_equal(named, cp.load("whole.safetensors").parameters)


def test_several_files_are_predicted_in_their_order(clearprop, folder):
    assert clearprop("train", "whole.parquet", *HOW)[0] == 0
    whole = clearprop("predict", "whole.safetensors", "whole.parquet")[1]
    each = [f"part-{number}.parquet" for number in range(3)]
    found = clearprop("predict", "whole.safetensors", *each)[1]
    assert clearprop("predict", "whole.safetensors", "part-*.parquet")[1] == found
    rows = [np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=1) for text in (found, whole)]
    np.testing.assert_allclose(*rows, rtol=1e-5)  # blocks end elsewhere
    assert rows[0].shape == (60, 4)


def test_files_keep_their_order_and_their_folders_are_columns(folder):
    for day in (1, 2):
        (folder / f"day={day}").mkdir()
        pq.write_table(pa.table({"x": [day * 10.0]}), folder / f"day={day}" / "rows.parquet")
    table = open_table(["day=2/rows.parquet", folder / "day=1" / "rows.parquet"]).table()
    assert table.to_pydict() == {"x": [20.0, 10.0], "day": [2.0, 1.0]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (("part-0.parquet", "part-0.csv"), "several files must be Parquet, or CSV, all of them, got part-0.parquet and part-0.csv"),
        (("part-0.parquet", "part-0.parquet"), "different files, got 'part-0.parquet' more than once"),
        (("part-0.parquet", "part-9.parquet"), "part-9.parquet"),
        (("part-0.parquet", "digits"), "digits"),
        (("part-?.npz",), "part-?.npz"),
        (("part-0.parquet", "other.parquet"), "other.parquet must have the columns of part-0.parquet, lacks 'row'"),
    ],
)  # fmt: skip
def test_files_that_are_no_table_are_named(clearprop, folder, data, message):
    pq.write_table(pa.table({"x": [1.0], "y": [1]}), folder / "other.parquet")
    code, _, err = clearprop("train", *data, *HOW)
    assert code == 2
    assert err.count("clearprop: ") == 1
    assert message in err


def test_no_file_of_several_is_written_over(clearprop, folder):
    how = (*HOW, "--log", "part-1.parquet")
    code, _, err = clearprop("train", "part-0.parquet", "part-1.parquet", *how)
    assert code == 2
    assert "DATA and --log must be two files, got part-1.parquet for both" in err
