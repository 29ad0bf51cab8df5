"""Cells that hold several numbers each are pointed out; errors of spreadsheets are missing, and said."""

import warnings

import numpy as np
import pandas
import pyarrow as pa
import pytest

from clearprop import data
from clearprop.data.table import decide, open_table
from clearprop.estimators import tables

N = 60
NUMBERS = np.arange(N)


def decided(cells, name="a"):
    other = [i % 7 + 0.5 for i in range(len(cells))]
    return decide(open_table(pa.table({name: cells, "other": other})))[0]


SEVERAL = {
    "feet and inches": [f"{4 + i % 3}'{i % 12}\"" for i in NUMBERS],
    "feet and inches in words": [f"{4 + i % 3} ft {i % 12} in" for i in NUMBERS],
    "a torque at a speed": [f"{100 + i}.45@{1 + i % 5},000 (kgm@rpm)" for i in NUMBERS],
    "the same otherwise": [f"{100 + i}Nm@ {1500 + i}rpm" for i in NUMBERS],
    "the same in words": [f"{100 + i}.4 kgm at {1500 + i}-{2500 + i} rpm" for i in NUMBERS],
    "a range": [f"{90 + i}-{200 + 2 * i}" for i in NUMBERS],
    "a range of money": [f"${10 + i}K - ${80 + i}K" for i in NUMBERS],
    "a ratio": [f"{101 + i}/{70 + i % 9}" for i in NUMBERS],
    "a size": [f"{10 + i} x {20 + i}" for i in NUMBERS],
    "a place": [f"{i}.25, -{i}.5" for i in NUMBERS],
    "a place as maps write it": [f"POINT (-73.{i} 40.{i})" for i in NUMBERS],
    "categories by dozens": [f"{i % 30} kg / {i % 30 + 3} lb" for i in range(900)],
}
CODES = {
    "telephone numbers": [f"555-{1000 + i}" for i in NUMBERS],
    "years from one to the next": [f"{1951 + i}-{(52 + i) % 100:02}" for i in range(48)]
    + ["1999-2000"],
    "numbers with leading zeros": [f"{100 + 7 * i:04}-{i % 9:03}" for i in NUMBERS[:-1]] + ["1210-7"],
    "numbers of parts": [f"A{i}-B{i}" for i in NUMBERS],
    "hashes": [f"{i}ab{i}cd" for i in NUMBERS],
    "addresses": [f"{i} Main Street, Springfield {20000 + i}" for i in NUMBERS],
    "addresses of machines": [f"10.0.{i}.{i}" for i in NUMBERS],
    "versions": [f"1.{i}.{i + 3}" for i in NUMBERS],
    "ages by ranges": [["18-24", "25-34", "35-44", "100-110"][i % 4] for i in NUMBERS],
    "one number": [f"{i} Mb of memory" for i in NUMBERS],
    "some of them": [f"{i}/{i}" if i % 9 else "none" for i in NUMBERS],
}


@pytest.mark.parametrize("case", SEVERAL)
def test_cells_of_several_numbers_are_pointed_out_with_one_of_them(case):
    found = decided(SEVERAL[case])
    assert found.kind in ("categorical", "identifier")
    assert "; nearly every cell holds several numbers, such as " in found.reason
    assert repr(SEVERAL[case][0]) in found.reason
    assert found.reason.endswith("split them into columns of their own to learn from them")


@pytest.mark.parametrize("case", CODES)
def test_codes_and_few_categories_are_not(case):
    assert "several" not in decided(CODES[case]).reason


def test_it_is_said_in_python_too_unless_the_column_was_asked_for():
    frame = pandas.DataFrame({"both": SEVERAL["categories by dozens"], "b": np.arange(900.0)})
    with pytest.warns(UserWarning, match="column 'both' of X is 30 categories; nearly every cell"):
        tables.read(frame, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables.read(frame, {"both": "categorical"})


@pytest.mark.parametrize("error", ["#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A"])
def test_what_a_spreadsheet_could_not_compute_is_missing_and_said(tmp_path, error):
    cells = [error if i % 9 == 4 else f"{i}.5" for i in NUMBERS]
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{cell} ,{i % 2}\n" for i, cell in enumerate(cells)))
    for source in (open_table(path), open_table(pa.table({"a": cells, "y": NUMBERS % 2}))):
        (found, _), table = decide(source), source.table(["a"])
        assert (found.kind, found.type) == ("numeric", "number")
        assert found.reason == f"numbers from 0.5 to 59.5; 7 missing, {error!r} among them"
        assert table.column(0).null_count == 7
    path.write_text(path.read_text().replace("a,y", "y,b"))
    with pytest.warns(UserWarning, match=f"7 of 60 rows have no target 'y' \\('{error[:4]}.*' in 7\\)"):
        assert len(data.load(path).X_train) == 53


def test_numbers_that_begin_with_0_are_names_until_they_are_said_to_be_numbers():
    cells = [f"{'-' * (i % 2)}{i:03}" for i in NUMBERS[1:]]
    source = open_table(pa.table({"a": cells, "b": NUMBERS[1:]}))
    assert decide(source)[0].reason == (
        "left out: every row has its own value; written with a leading zero, as names are: if they are "
        "numbers, --numeric"
    )
    found = decide(source, kinds={"a": "numeric"})[0]
    assert (found.kind, found.type) == ("numeric", "number")
    assert source.table(["a"]).column(0).to_pylist() == [float(cell) for cell in cells]


def test_bounds_may_be_more_than_the_numbers_beside_them():
    cells = [
        "< 10000" if i % 10 < 6 else "> 900000" if i % 10 == 6 else f"{20_000 + 7 * i}"
        for i in range(300)
    ]
    found = decided(cells)
    assert (found.kind, found.reason) == (
        "numeric", "whole numbers from 20049 to 22093; '< 10000', '> 900000' in 210 rows"
    )  # fmt: skip
    assert decided([cell.replace("< 10000", "small") for cell in cells]).kind == "categorical"
