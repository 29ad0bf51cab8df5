"""Numeric CSV and Parquet: what is read, and what is refused with which sentence."""

import gzip
import io
import tracemalloc
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearprop import data
from clearprop.data import files

TABLE = "a,b,target\n1,2.5,x\n3,-4,y\n5e2,6,x\n"


def write(path, text, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def assert_is_the_table(found):
    np.testing.assert_array_equal(found.X_train, [[1, 2.5], [3, -4], [500, 6]])
    assert found.X_train.dtype == np.float64
    np.testing.assert_array_equal(found.Y_train, [0, 1, 0])
    assert found.Y_train.dtype == np.int64
    assert (found.feature_names, found.classes, found.target) == (("a", "b"), ("x", "y"), "target")
    assert (found.task, found.image_shape, found.X_test) == ("classification", None, None)


SAME_TABLE = {
    "CRLF": TABLE.replace("\n", "\r\n").encode(),
    "CR": TABLE.replace("\n", "\r").encode(),
    "mixed ends": TABLE.replace("\n", "\r\n", 2).encode(),
    "no last end": TABLE.rstrip().encode(),
    "blank lines": TABLE.replace("\n", "\n\n").encode(),
    "blank lines first": b"\n\r\n" + TABLE.encode(),
    "byte order mark": TABLE.encode("utf-8-sig"),
    "semicolons": TABLE.replace(",", ";").encode(),
    "tabs": TABLE.replace(",", "\t").encode(),
    "bars": TABLE.replace(",", "|").encode(),
    "quotes": b'"a","b","target"\n"1","2.5","x"\n3,-4,"y"\n"5e2",6,x\n',
    "blanks around numbers": b"a,b,target\n 1 ,\t2.5,x\n3 , -4,y\n5e2, 6,x\n",
    "signs, zeros, points": b"a,b,target\n+1,02.50,x\n3.,-4,y\n+5E+02,.6e1,x\n",
    "gzip": gzip.compress(TABLE.encode()),
    "another place": b"target,a,b\nx,1,2.5\ny,3,-4\nx,5e2,6\n",
}


@pytest.mark.parametrize("case", SAME_TABLE)
def test_the_ways_to_write_a_table_as_csv_are_one(tmp_path, case):
    assert_is_the_table(data.load(write(tmp_path / "table.csv", SAME_TABLE[case])))


def test_a_gzip_file_may_be_called_so(tmp_path):
    found = data.load(write(tmp_path / "table.CSV.gz", gzip.compress(TABLE.encode())))
    assert_is_the_table(found)
    assert found.name == "table"


def test_text_files_may_be_called_otherwise_and_a_folder_of_parquet_is_one_table(tmp_path):
    for name in ("t.tsv", "t.txt", "t.data", "t.tsv.gz"):
        assert_is_the_table(data.load(write(tmp_path / name, TABLE.replace(",", "\t"))))
    (tmp_path / "t").mkdir()
    parquet(tmp_path / "t" / "1.parquet", a=[1, 3], b=[2.5, -4], target=["x", "y"])
    parquet(tmp_path / "t" / "2.parquet", a=[500], b=[6.0], target=["x"])
    found = data.load(tmp_path / "t")
    assert_is_the_table(found)
    assert_is_the_table(data.load(tmp_path / "t", schema=found.schema))


def test_a_parquet_file_is_the_same_table(tmp_path):
    a, b, target = [1, 3, 500], [2.5, -4, 6], ["x", "y", "x"]
    assert_is_the_table(data.load(parquet(tmp_path / "t.parquet", a=a, b=b, target=target)))
    types = {
        "a": pa.array([Decimal(1), Decimal(3), Decimal(500)], pa.decimal128(10, 2)),
        "b": pa.array(np.array(b, np.float16)).dictionary_encode(),
        "target": pa.array(target, pa.large_string()).dictionary_encode(),
    }
    assert_is_the_table(data.load(parquet(tmp_path / "u.parquet", **types)))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_come_back_to_the_bit(tmp_path_factory, values):
    folder = tmp_path_factory.getbasetemp()
    text = "v,y\n" + "".join(f"{value!r},{i / 2}\n" for i, value in enumerate(values))
    found = data.read_table(write(folder / "floats.csv", text)).X_train
    np.testing.assert_array_equal(found[:, 0].view(np.int64), np.array(values).view(np.int64))
    y = [i / 2 for i in range(len(values))]
    found = data.read_table(parquet(folder / "floats.parquet", v=values, y=y)).X_train
    np.testing.assert_array_equal(found[:, 0].view(np.int64), np.array(values).view(np.int64))


def test_a_table_longer_than_a_block_keeps_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr("clearprop.data.table.csv_text.BLOCK_BYTES", 10_000)
    rows = np.arange(20_000)
    text = "a,b,y\n" + "\n".join(f"{i},{-i},{i % 3}" for i in rows)
    assert len(text) > 200_000
    found = data.load(write(tmp_path / "long.csv", text))
    np.testing.assert_array_equal(found.X_train, np.stack([rows, -rows], axis=1))
    np.testing.assert_array_equal(found.Y_train, rows % 3)


# the target

TARGETS = {
    "whole numbers": (["7", "-3", "7"], "classification", (-3, 7), [1, 0, 1]),
    "whole floats": (["7.0", "1", "7e0"], "classification", (1, 7), [1, 0, 1]),
    "fractions": (["0.5", "1", "2"], "regression", None, [0.5, 1, 2]),
    "text": (["ü", "b", "ü"], "classification", ("b", "ü"), [1, 0, 1]),
    "text that holds commas": (
        ['"a,b"', '"c""d"', '"a,b"'],
        "classification",
        ("a,b", 'c"d'),
        [0, 1, 0],
    ),
    "numbers and text": (["1", "b", "10"], "classification", ("1", "10", "b"), [0, 2, 1]),
    "booleans": (["True", "false", "TRUE"], "classification", (False, True), [1, 0, 1]),
    "leading zeros": (["007", "7", "007"], "classification", ("007", "7"), [0, 1, 0]),
    "very large": ([str(2**70), "1", "1"], "classification", (1, 2**70), [1, 0, 0]),
    "none is a word": (["none", "some", "none"], "classification", ("none", "some"), [0, 1, 0]),
}


@pytest.mark.parametrize("case", TARGETS)
def test_the_target_of_a_csv_file_is_told_by_its_text(tmp_path, case):
    values, task, classes, Y = TARGETS[case]
    text = "a,y\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values))
    found = data.load(write(tmp_path / "t.csv", text))
    assert (found.task, found.classes) == (task, classes)
    assert [type(label) for label in found.classes or ()] == [type(label) for label in classes or ()]
    np.testing.assert_array_equal(found.Y_train, Y)


@pytest.mark.parametrize(
    ("column", "task", "classes"),
    [
        (pa.array([3, 1, 3], pa.uint8()), "classification", (1, 3)),
        (pa.array([True, False, True]), "classification", (False, True)),
        (pa.array([1.0, 2.0, 1.0]), "classification", (1, 2)),
        (pa.array([1.5, 2.0, 1.0]), "regression", None),
        (pa.array([Decimal("1.5"), Decimal(2), Decimal(1)]), "regression", None),
        (pa.array(["b", "a", "b"]).dictionary_encode(), "classification", ("a", "b")),
        (pa.array([2**63, 1, 1], pa.uint64()), "classification", (1, 2**63)),
    ],
    ids=str,
)
def test_the_target_of_a_parquet_file_is_told_by_its_type(tmp_path, column, task, classes):
    found = data.load(parquet(tmp_path / "t.parquet", a=[1, 2, 3], y=column))
    assert (found.task, found.classes) == (task, classes)


def test_a_regression_can_be_asked_for(tmp_path):
    path = write(tmp_path / "t.csv", "a,y\n1,5\n2,007\n")
    found = data.load(path, task="regression")
    np.testing.assert_array_equal(found.Y_train, [5.0, 7.0])
    assert (found.Y_train.dtype, found.classes) == (np.float64, None)


@pytest.mark.parametrize("name", ["target", "label", "y", "class"])
def test_the_target_is_found_by_its_name(tmp_path, name):
    path = write(tmp_path / "t.csv", f"a,{name},b\n1,0,2\n3,1,4\n")
    assert data.load(path).target == name
    assert data.load(path, target="b").feature_names == ("a", name)


BAD_TARGETS = {
    "none": ("a,b,c\n1,2,3\n", None, "no column target, label, y or class: .* one of 'a', 'b', 'c'"),
    "absent": (TABLE, "price", "has no column 'price': the target must be one of 'a', 'b', 'target'"),
    "two": ("a,y,label\n1,2,3\n", None, "more than one likely target, name one: 'label', 'y'"),
    "alone": ("y\n1\n2\n", None, "must have a feature beside the target 'y', got none"),
    "constant": ("a,y\n1,5\n2,5\n", None, "the target 'y' of .* must vary, is always 5"),
    "constant quantity": ("a,y\n1,.5\n2,.5\n", None, "the target 'y' of .* must vary, is always 0.5"),
    "missing": ("a,y\n1,u\n2, ?\n3,v\n", None, "no missing values, got ' \\?': line 3, target 'y'"),
    "empty": ("a,y\n1,u\n2,\n3,v\n", None, "no missing values, got '': line 3, target 'y'"),
    "infinite": ("a,y\n1,1\n2,1e400\n3,2\n", None, "finite numbers, got '1e400': line 3, target 'y'"),
    "on two lines": ('a,y\n1,u\n2,"v\nw"\n', None, r"each value on one line, got 'v\\nw': line 3"),
    "on two old lines": ('a,y\n1,u\n2,"v\rw"\n', None, r"each value on one line, got 'v\\rw': line 3"),
    "one stray word": (
        "a,y\n" + "".join(f"{i},{i}\n" for i in range(300)) + "300,oops\n",
        None,
        "must hold numbers, got 'oops': line 302, target 'y'",
    ),
}


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_a_wrong_target_is_refused(tmp_path, case):
    text, target, message = BAD_TARGETS[case]
    with pytest.raises(ValueError, match=message):
        data.load(write(tmp_path / "bad.csv", text), target=target, target_gaps="refuse")


def test_a_word_is_no_quantity(tmp_path):
    path = write(tmp_path / "bad.csv", "a,y\n1,2\n2,oops\n")
    with pytest.raises(ValueError, match="must hold numbers, got 'oops': line 3, target 'y'"):
        data.load(path, task="regression")


def test_a_target_has_to_be_a_name(tmp_path):
    with pytest.raises(TypeError, match="target must be the name of a column, got 2"):
        data.load(write(tmp_path / "t.csv", TABLE), target=2)


def test_features_alone_can_be_read_for_prediction(tmp_path):
    for path in (
        write(tmp_path / "t.csv", "a,b\n1,2\n3,4\n"),
        parquet(tmp_path / "t.parquet", a=[1, 3], b=[2, 4]),
    ):
        found = data.load(path, need_target=False)
        np.testing.assert_array_equal(found.inputs("all"), [[1, 2], [3, 4]])
        assert (found.Y_train, found.target) == (None, None)
        with pytest.raises(ValueError, match="has no column 'c'"):
            data.load(path, target="c", need_target=False)


# features

BAD_VALUES = {
    "text": ("abc", "must hold numbers, got 'abc'"),
    "thousands": ('"1,234"', "must hold numbers, got '1,234'"),
    "currency": ("$5", r"must hold numbers, got '\$5'"),
    "percent": ("5%", "must hold numbers, got '5%'"),
    "underscore": ("1_000", "must hold numbers, got '1_000'"),
    "arabic digits": ("١٢", "must hold numbers, got '١٢'"),
    "hexadecimal": ("0x10", "must hold numbers, got '0x10'"),
    "true": ("true", "must hold numbers, got 'true'"),
    "date": ("2024-01-01", "must hold numbers, got '2024-01-01'"),
    "1e400": ("1e400", "must hold finite numbers, got '1e400'"),
    "-1e400": ("-1e400", "must hold finite numbers, got '-1e400'"),
    "inf": ("inf", "must hold numbers, got 'inf'"),
    "2**53 + 1": (
        str(2**53 + 1),
        "must hold numbers that float64 keeps exactly, got '9007199254740993'",
    ),
    "formula": ("=1+1", "must hold numbers, got '=1\\+1'"),
    "200 kB": ("9" * 200_000, r"must hold finite numbers, got '9{36}\.\.\."),
    "9 MB": ("9" * 9_000_000, "is damaged in line 3: a field of over 8,388,608 characters"),
}
MISSING = ["", " ", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "-", "#N/A", "<NA>"]
BAD_VALUES |= {
    f"missing {word!r}": (word, f"must have no missing values, got '{word}'".replace("?", r"\?"))
    for word in MISSING
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_feature_that_is_no_number_is_refused_with_line_column_and_value(tmp_path, case):
    value, message = BAD_VALUES[case]
    path = write(tmp_path / "bad.csv", f"a,b,y\n1,2,0\n3,{value},1\n5,6,1\n")
    with pytest.raises(ValueError, match=message) as caught:
        data.load(path)
    assert str(path) in str(caught.value)
    if "damaged" not in message:
        assert str(caught.value).endswith("line 3, feature 'b'")


def test_the_first_thing_that_is_wrong_is_named(tmp_path):
    text = "a,b,y\n1,2,0\n3,1e400,1\noops,?,1\n"
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(ValueError, match="must hold finite numbers, got '1e400': line 3, feature 'b'"):
        data.load(path)
    write(path, text.replace("1e400", "4").replace("oops", "-").replace("?", "oops"))
    with pytest.raises(ValueError, match="must have no missing values, got '-': line 4, feature 'a'"):
        data.load(path)
    write(path, text.replace("3,", " ,").replace("1e400", "4"))
    with pytest.raises(ValueError, match="must have no missing values, got ' ': line 3, feature 'a'"):
        data.load(path)
    write(path, text + "5\n")
    with pytest.raises(ValueError, match="must have 3 fields in each row, got 1 in line 5"):
        data.load(path)


def test_the_line_is_that_of_the_file(tmp_path):
    path = write(tmp_path / "bad.csv", "\n\na,y\n\n1,0\n\r\n2,1\n\nx,0\n")
    with pytest.raises(ValueError, match="got 'x': line 9, feature 'a'"):
        data.load(path)


def test_a_stray_word_in_the_last_of_many_rows_is_found(tmp_path):
    path = write(tmp_path / "bad.csv", "a,y\n" + "1,0\n2,1\n" * 10_000 + "word,0\n")
    with pytest.raises(ValueError, match="got 'word': line 20002, feature 'a'"):
        data.load(path)


def test_a_decimal_comma_is_named(tmp_path):
    path = write(tmp_path / "bad.csv", "a;y\n1,5;0\n2,5;1\n")
    with pytest.raises(
        ValueError, match=r"got '1,5': line 2, .* \(the decimal sign must be a point; in Python options"
    ):
        data.load(path)


def test_the_first_whole_number_that_floats_lose_is_refused(tmp_path):
    path = write(tmp_path / "bad.csv", f"a,y\n{2**53},0\n-{2**53 + 1},1\n")
    with pytest.raises(ValueError, match="float64 keeps exactly, got '-9007199254740993': line 3"):
        data.load(path)


def test_large_whole_numbers_that_floats_keep_are_read(tmp_path):
    path = write(tmp_path / "t.csv", f"a,y\n{2**70},0\n1e300,1\n")
    np.testing.assert_array_equal(data.load(path).X_train, [[2.0**70], [1e300]])


# the text

BAD_TEXT = {
    "empty": (b"", "must have a row of column names, is empty"),
    "blank lines only": (b"\n\r\n\n", "must have a row of column names, is empty"),
    "header only": (b"a,b,y\n", "must have rows, got only the names of 3 columns"),
    "header and blank lines": (b"a,b,y\n\n\r\n", "must have rows, got only the names of 3 columns"),
    "longer row": (b"a,y\n1,0\n2,1,5\n", "must have 2 fields in each row, got 3 in line 3"),
    "shorter row": (b"a,b,y\n1,2,0\n2,1\n", "must have 3 fields in each row, got 2 in line 3"),
    "every row longer": (b"a,y\n1,0,1\n2,1,5\n", "must have 2 fields in each row, got 3 in line 2"),
    "unclosed quote": (b'a,y\n1,0\n"2,1\n3,1\n', "is damaged in line 3: an unclosed quote"),
    "unclosed quote in the target": (
        b'a,y\n1,0\n2,"u\n3,v\n',
        "is damaged in line 3: an unclosed quote",
    ),
    "unclosed quote below blank lines": (
        b'a,y\n1,0\n\n\n"2,1\n3,1\n',
        "is damaged in line 5: an unclosed quote",
    ),
    "unclosed quote at the end": (b'a,y\n1,v\n2,"u', "is damaged in line 3: an unclosed quote"),
    "unclosed quote in the names": (b'a,"y\n1,0\n', "damaged row of column names"),
    "NUL": (b"a,y\n1,0\n2\0,1\n", "must be text, got a NUL at byte 9"),
    "UTF-16 with mark": ("a,y\n1,0\n".encode("utf-16"), "must be UTF-8, starts like UTF-16"),
    "UTF-16 without mark": (
        "a,y\n1,0\n".encode("utf-16-le"),
        "must be text, got a NUL at byte 1",
    ),
    "latin-1": ("a,ÿ\n1,0\n".encode("latin-1"), "must be UTF-8, got the byte 0xff at byte 2"),
    "mixed": ("é,y\n1,ü\n2,".encode() + b"\xfc\n", "must be UTF-8, got the byte 0xfc at byte 12"),
    "surrogate": (b"a,y\n1,\xed\xa0\x80\n", "must be UTF-8, got the byte 0xed at byte 6"),
    "duplicate names": (b"a,b,a,y\n1,2,3,0\n", "must name every column differently, got 'a' more than"),
    "empty name": (b"a,,y\n1,2,0\n", "must name every column, column 2 has no name"),
    "an index without a name": (
        b",a,y\n0,2,0\n1,3,1\n",
        "must name every column, column 1 has no name",
    ),
    "blank name": (b"a, ,y\n1,2,0\n", "must name every column, column 2 has no name"),
    "a value below no name": (
        b"a,y,\n1,2,\n3,4,\n1,2,5\n",
        "must name every column, column 3 has no name",
    ),
    "no names": (
        b"1,2,1\n3,4,0\n",
        "must have a row of column names, got numbers in its first row such as '1': give the names",
    ),
    "gzip cut": (gzip.compress(TABLE.encode() * 9)[:-9], "ends in the middle of its gzip data"),
    "a Parquet file": (b"PAR1\x15\x04", "must have|must name|must be"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_a_file_that_is_no_table_is_refused(tmp_path, case):
    content, message = BAD_TEXT[case]
    path = write(tmp_path / "bad.csv", content)
    with pytest.raises(ValueError, match=message) as caught:
        data.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "ä", "<script>", 'say "hi"', "new\nline", "x" * 10_000])
def test_names_are_kept_exactly(tmp_path, name):
    quoted = '"' + name.replace('"', '""') + '"'
    found = data.load(write(tmp_path / "t.csv", f"{quoted},y\n1,0\n2,1\n"))
    assert found.feature_names == (name,)
    found = data.load(parquet(tmp_path / "t.parquet", **{name: [1, 2], "y": [0, 1]}))
    assert found.feature_names == (name,)


def test_a_csv_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RATIO_FREE", 2**16)
    path = write(tmp_path / "bomb.csv.gz", gzip.compress(TABLE.encode() + b"1,2,x\n" * 2_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="must not be compressed more than 200 times"):
            data.load(path)
        assert tracemalloc.get_traced_memory()[1] < 600 * path.stat().st_size < 12_000_000
    finally:
        tracemalloc.stop()


# Parquet


BAD_COLUMNS = {
    "text": (pa.array(["1", "v"]), "must hold numbers, got 'v': row 1, feature 'a'"),
    "dates": (pa.array([0, 1], pa.timestamp("ms")), r"must hold numbers in .*, got 'timestamp\[ms\]'"),
    "lists": (pa.array([[1], [2]]), "must hold numbers in the feature 'a', got 'list<"),
    "structs": (pa.array([{"u": 1}, {"u": 2}]), "must hold numbers in the feature 'a', got 'struct<"),
    "bytes": (pa.array([b"u", b"v"]), "must hold numbers in the feature 'a', got 'binary'"),
    "categories": (
        pa.array(["u", "v"]).dictionary_encode(),
        "must hold numbers, got 'u': row 0, feature 'a'",
    ),
    "nulls alone": (pa.nulls(2), "must have no missing values, got None: row 0, feature 'a'"),
    "one null": (pa.array([1, None]), "must have no missing values, got None: row 1, feature 'a'"),
    "one NaN": (pa.array([1.0, np.nan]), "must have no missing values, got nan: row 1, feature 'a'"),
    "infinity": (pa.array([-np.inf, 0.0]), "must hold finite numbers, got '-inf': row 0, feature 'a'"),
    "uint64": (
        pa.array([2**64 - 1, 0], pa.uint64()),
        "must hold numbers that float64 keeps exactly, got 18446744073709551615: row 0, feature 'a'",
    ),
}


@pytest.mark.parametrize("case", BAD_COLUMNS)
def test_a_column_of_another_type_is_refused(tmp_path, case):
    column, message = BAD_COLUMNS[case]
    path = parquet(tmp_path / "bad.parquet", b=[1, 2], a=column, y=[0, 1])
    with pytest.raises(ValueError, match=message) as caught:
        data.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array(["u", None]), "must have no missing values, got None: row 1, target 'y'"),
        (pa.array([1.5, np.nan]), "must have no missing values, got nan: row 1, target 'y'"),
        (pa.array(["u", "NaN"]), "must have no missing values, got 'NaN': row 1, target 'y'"),
        (
            pa.array([0, 1], pa.date32()),
            "must hold numbers, booleans or text in the target 'y', got 'date32",
        ),
    ],
    ids=["null", "NaN", "the word NaN", "dates"],
)
def test_a_wrong_parquet_target_is_refused(tmp_path, column, message):
    with pytest.raises(ValueError, match=message):
        data.load(parquet(tmp_path / "bad.parquet", a=[1, 2], y=column), target_gaps="refuse")


def parquet_bytes():
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [1.0, 2.0], "y": [0, 1]}), file)
    return file.getvalue()


BAD_PARQUET = {
    "empty": b"",
    "text": b"a,y\n1,0\n",
    "half": parquet_bytes()[: len(parquet_bytes()) // 2],
    "footer cut": parquet_bytes()[:-6],
    "length of the footer": parquet_bytes()[:-8] + b"\xff\xff\xff\x7fPAR1",
    "start cut": parquet_bytes()[4:],
}


@pytest.mark.parametrize("case", BAD_PARQUET)
def test_a_damaged_parquet_file_is_refused(tmp_path, case):
    path = write(tmp_path / "bad.parquet", BAD_PARQUET[case])
    with pytest.raises(ValueError, match=r"could not be read as Parquet: .") as caught:
        data.load(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    columns = {"a": pa.array([], pa.float64()), "y": pa.array([], pa.int8())}
    with pytest.raises(ValueError, match="must have rows, got 0 rows of 2 columns"):
        data.load(parquet(tmp_path / "bad.parquet", **columns))


def test_duplicate_parquet_names_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1, 2])] * 3, names=["a", "a", "y"])
    pq.write_table(table, tmp_path / "bad.parquet")
    with pytest.raises(ValueError, match="must name every column differently, got 'a' more than once"):
        data.load(tmp_path / "bad.parquet")


def test_a_parquet_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = parquet(tmp_path / "bomb.parquet", a=np.zeros(100_000), y=np.zeros(100_000))
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    assert path.stat().st_size < 10_000
    with pytest.raises(ValueError, match=r"must need at most 1000000 bytes .*, declares 1600000"):
        data.load(path)


def test_an_index_that_pandas_stored_is_no_feature(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3], "y": [0, 1, 0]}).iloc[[2, 0, 1]]
    frame.to_parquet(tmp_path / "t.parquet")
    assert len(pq.read_schema(tmp_path / "t.parquet").names) == 3
    assert data.load(tmp_path / "t.parquet").feature_names == ("a",)
