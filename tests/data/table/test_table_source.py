"""Tables of any kind as one source: types told by the whole, and errors that name the place."""

import datetime
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from clearprop import data
from clearprop.data.table import ReadOptions, decide, open_table
from clearprop.data.table import csv_text as csv_text_module

ROWS = {"size": [1.5, None, -300.0], "colour": ["red", "blue", None], "old": [True, False, True]}
TABLE = "size,colour,old\n1.5,red,true\n,blue,False\n-3e2,?,TRUE\n"


def write(path, text, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def everything(source):
    return source.table().to_pydict()


SAME = {
    "plain": (TABLE, {}),
    "CRLF": (TABLE.replace("\n", "\r\n"), {}),
    "CR": (TABLE.replace("\n", "\r"), {}),
    "blank lines": (TABLE.replace("\n", "\n\n"), {}),
    "no last end": (TABLE.rstrip(), {}),
    "semicolons": (TABLE.replace(",", ";"), {}),
    "tabs": (TABLE.replace(",", "\t"), {}),
    "bars": (TABLE.replace(",", "|"), {}),
    "a delimiter that is given": (TABLE.replace(",", "~"), {"delimiter": "~"}),
    "decimal commas": (TABLE.replace(",", ";").replace("1.5", "1,5"), {}),
    "decimal commas, given": (TABLE.replace(",", ";").replace("1.5", "1,5"), {"decimal": ","}),
    "quotes": (TABLE.replace("red", '"red"').replace("1.5", '"1.5"'), {}),
    "blanks": (TABLE.replace(",", " , "), {}),
    "a mark": ("\ufeff" + TABLE, {}),
    "latin-1": (TABLE, {"encoding": "latin-1"}),
    "utf-16": (TABLE.encode("utf-16"), {"encoding": "utf-16"}),
    "gzip": (gzip.compress(TABLE.encode()), {}),
    "two gzip members": (gzip.compress(TABLE[:9].encode()) + gzip.compress(TABLE[9:].encode()), {}),
    "no names": (TABLE.partition("\n")[2], {"names": ("size", "colour", "old")}),
    "a missing word of its own": (TABLE.replace("?", "none given"), {"missing": ("none given",)}),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_the_ways_to_write_a_table_as_text_are_one(tmp_path, case):
    text, options = SAME[case]
    source = open_table(write(tmp_path / "t.csv", text), ReadOptions(**options))
    assert everything(source) == ROWS
    assert source.n_rows == 3


def test_what_speaks_arrow_is_the_same_table(tmp_path):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = pa.table(ROWS)
    pq.write_table(table, tmp_path / "t.parquet")
    folder = tmp_path / "folder"
    folder.mkdir()
    pq.write_table(table.slice(0, 1), folder / "a.parquet")
    pq.write_table(table.slice(1), folder / "b.parquet")
    for what in (
        tmp_path / "t.parquet", folder, table, table.to_batches()[0], table.to_reader(), polars.DataFrame(ROWS),
        pandas.DataFrame(ROWS), ds.dataset(folder).to_table(),
    ):  # fmt: skip
        source = open_table(what)
        assert everything(source) == ROWS, what
        assert source.types == {"size": "number", "colour": "text", "old": "boolean"}
        assert source.n_rows == 3


def test_a_folder_of_keys_has_a_column_of_each(tmp_path):
    for key in ("north", "south"):
        (tmp_path / f"region={key}").mkdir()
        pq.write_table(pa.table({"a": [1, 2]}), tmp_path / f"region={key}" / "x.parquet")
    found = everything(open_table(tmp_path))
    assert found == {"a": [1.0, 2.0, 1.0, 2.0], "region": ["north", "north", "south", "south"]}


def test_columns_are_chosen_and_ordered(tmp_path):
    source = open_table(write(tmp_path / "t.csv", TABLE))
    (batch,) = source.batches(["old", "size"])
    assert batch.schema.names == ["old", "size"]
    with pytest.raises(ValueError, match="lacks 'weight'"):
        list(source.batches(["weight"]))


@pytest.mark.parametrize("rows", [1, 2, 5, 64])
def test_a_type_does_not_depend_on_how_the_file_is_cut(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(csv_text_module, "BLOCK_BYTES", 64)
    n = 200
    text = "a,b,c,d\n" + "".join(
        f"{i},{'x' if i == 150 else i},{'' if i < 190 else i / 2},{'true' if i < 199 else 'maybe'}\n"
        for i in range(n)
    )
    source = open_table(write(tmp_path / "t.csv", text))
    assert source.types == {"a": "number", "b": "text", "c": "number", "d": "text"}
    parts = list(source.batches(batch_rows=rows))
    assert max(part.num_rows for part in parts) <= rows
    whole = pa.Table.from_batches(parts).to_pydict()
    assert whole["a"] == list(range(n))
    assert whole["c"] == [None] * 190 + [i / 2 for i in range(190, n)]
    assert whole["d"][-1] == "maybe"


TYPES = {
    "whole numbers": (["1", "-2", "+3"], "number"),
    "blanks among numbers": (["1", " ", "NA"], "number"),
    "codes with zeros": (["007", "8", "9"], "text"),
    "numbers too long for a float": ([str(2**53 + 1), "1", "2"], "text"),
    "true and false": (["true", "FALSE", ""], "boolean"),
    "yes and no": (["yes", "no", "yes"], "text"),
    "dates": (["2024-01-31", "", "2023-12-01"], "time"),
    "times of day": (["2024-01-31 10:30", "2023-12-01T11:00:05", "2023-12-01"], "time"),
    "zones": (["2024-01-31T10:30:00Z", "2023-12-01T11:00:05+02:00", ""], "time"),
    "days first": (["31/12/2024", "01/02/2024", "05/06/2024"], "time %d/%m/%Y"),
    "months first": (["12/31/2024 10:00", "01/02/2024 11:30", ""], "time %m/%d/%Y %H:%M"),
    "no date": (["2024-02-30", "2024-01-01", "2024-01-02"], "text"),
    "nothing": (["", "?", "-"], "number"),
    "words": (["a", "b", "1"], "text"),
}


@pytest.mark.parametrize("case", TYPES)
@pytest.mark.parametrize("stored", ["text", "arrow"])
def test_what_a_column_of_text_holds_is_told_by_all_of_it(tmp_path, case, stored):
    words, expected = TYPES[case]
    if stored == "text":
        what = write(tmp_path / "t.csv", "a,b\n" + "".join(f"{word},0\n" for word in words))
    else:
        what = pa.table({"a": words})
    assert open_table(what).types["a"] == expected


def test_dates_are_points_in_time(tmp_path):
    text = "when,day,y\n2024-01-31 10:30,31/01/2024,1\n,,2\n2023-12-01T11:00:05Z,01/12/2023,3\n"
    found = everything(open_table(write(tmp_path / "t.csv", text)))
    stamp = datetime.datetime
    assert found["when"] == [stamp(2024, 1, 31, 10, 30), None, stamp(2023, 12, 1, 11, 0, 5)]
    assert found["day"] == [stamp(2024, 1, 31), None, stamp(2023, 12, 1)]


def test_a_column_of_another_type_is_refused_unless_nothing_is_in_it():
    types = {"t": "time", "n": "number", "b": "boolean"}
    nothing = {"t": pa.nulls(2), "n": pa.nulls(2, pa.bool_()), "b": pa.nulls(2, pa.date32())}
    assert everything(open_table(pa.table(nothing), types=types)) == {
        name: [None, None] for name in nothing
    }
    for name, column, said in (
        ("t", [None, 20240105], "dates, got '20240105': row 1"),
        ("n", [None, datetime.date(2024, 1, 5)], "numbers, got '2024-01-05 00:00:00': row 1"),
        ("b", [None, datetime.date(2024, 1, 5)], "true or false, got '2024-01-05 00:00:00': row 1"),
    ):
        with pytest.raises(ValueError, match=f"X must hold {said}, column '{name}'"):
            open_table(pa.table({**nothing, name: column}), types=types).table()


def test_dates_that_can_be_read_in_two_ways_are_not_guessed():
    profile = open_table(pa.table({"a": ["01/02/2024", "03/04/2024"]})).profile["a"]
    assert profile.ambiguous == ("%d/%m/%Y", "%m/%d/%Y")


@pytest.mark.parametrize("rows", [2, 100])
@pytest.mark.parametrize("odd", ["13.02.2024", "soon", "2024-02-30", "5", "02/13/2024"])
def test_a_date_that_is_not_written_as_the_others_is_named(monkeypatch, odd, rows):
    """A column of dates with one of them is no column of categories or names."""
    days = [f"2024-01-{day:02d}" for day in range(1, 29)]
    table = pa.table({"day": [*days[:9], None, odd, *days[9:]], "x": range(30)})
    source = open_table(table)
    monkeypatch.setattr("clearprop.data.table.source.BATCH_ROWS", rows)
    with pytest.raises(
        ValueError, match=f"dates written as elsewhere in it, got '{odd}': row 10, column 'd"
    ):
        decide(source)
    kinds = {each.name: each.kind for each in decide(source, categorical=["day"])}
    assert kinds["day"] == "categorical"


def test_words_with_a_few_dates_among_them_are_categories():
    table = pa.table(
        {"a": ["u", "v", "2024-01-31", "w"] * 20, "b": ["1.2.2020", "1.2.3", "u", "v"] * 20}
    )
    assert [each.kind for each in decide(open_table(table))] == ["categorical", "categorical"]


ARROW = {
    "int8": (pa.array([1, None], pa.int8()), [1.0, None]),
    "uint64": (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
    "half": (pa.array(np.array([0.5, np.nan], np.float16)), [0.5, None]),
    "decimal": (pa.array(["1.5", None], pa.string()).cast(pa.decimal128(5, 2)), [1.5, None]),
    "NaN": (pa.array([np.nan, 2.0]), [None, 2.0]),
    "category": (pa.array(["1", "2"]).dictionary_encode(), ["1", "2"]),
    "category of numbers": (pa.array([1, 2]).dictionary_encode(), [1.0, 2.0]),
    "category of text views": (
        pa.DictionaryArray.from_arrays([1, 0, None], pa.array(["a", "b"], pa.string_view())),
        ["b", "a", None],
    ),
    "large text": (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
    "text view": (pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
    "date": (pa.array([0, None], pa.date32()), [datetime.datetime(1970, 1, 1), None]),
    "zone": (
        pa.array([0, 3_600_000], pa.timestamp("ms", "Europe/Berlin")),
        [datetime.datetime(1970, 1, 1, 1), datetime.datetime(1970, 1, 1, 2)],
    ),
    "duration": (pa.array([1500, None], pa.duration("ms")), [1.5, None]),
    "time of day": (pa.array([3600, 0], pa.time32("s")), [datetime.datetime(1970, 1, 1, 1), datetime.datetime(1970, 1, 1)]),
    "nothing": (pa.nulls(2), [None, None]),
}  # fmt: skip


@pytest.mark.parametrize("case", ARROW)
def test_arrow_types_become_a_few(tmp_path, case):
    array, expected = ARROW[case]
    table = pa.table({"a": array})
    assert everything(open_table(table))["a"] == expected
    if "text view" not in case:
        pq.write_table(table, tmp_path / "t.parquet")
        assert everything(open_table(tmp_path / "t.parquet"))["a"] == expected


def test_categories_of_polars_are_categories():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": ["u", "v", None]})
    for kind in (polars.Categorical, polars.Enum(["w", "v", "u"])):
        source = open_table(frame.with_columns(polars.col("a").cast(kind)))
        assert everything(source)["a"] == ["u", "v", None]
        assert source.profile["a"].is_category


def test_what_a_table_cannot_hold_is_refused_with_its_column_and_what_to_do():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1.0], "b": [2]}).with_columns(polars.col("b").cast(polars.Int128))
    with pytest.raises(ValueError, match="X holds Int128 in column 'b', .* cast it to Int64"):
        open_table(frame)
    beyond = pa.table({"t": pa.array([0, 2**62], pa.timestamp("s"))})
    with pytest.raises(ValueError, match=r"X, column 't', could not be read as a table: .*bounds"):
        decide(open_table(beyond))
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="'a' of X must hold numbers, words or dates, got complex"):
        open_table(pandas.DataFrame({"a": [1 + 2j, 3j]}))


def test_whole_numbers_that_no_type_holds_are_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [2**70 + 1, 2**200, None]}, dtype=object)
    assert everything(open_table(frame))["a"] == [str(2**70 + 1), str(2**200), None]


def test_another_file_is_read_with_the_types_of_the_first(tmp_path):
    first = open_table(write(tmp_path / "a.csv", "a,b\n1,x\n2,7\n"))
    second = write(tmp_path / "b.csv", "b,a,more\n5,,z\n6,4,z\n")
    source = open_table(second, types=first.types)
    assert everything(source) == {"b": ["5", "6"], "a": [None, 4.0], "more": ["z", "z"]}


BAD_CELLS = {
    "a word": ("1\n2\nmany\n", "must hold numbers, got 'many': line 4, column 'a'"),
    "infinity": ("1\n1e400\n", "must hold finite numbers, got '1e400': line 3, column 'a'"),
    "the word inf": ("1\n2\n-inf\n", "must hold numbers, got '-inf': line 4, column 'a'"),
    "thousands": ('1\n2\n"1,234"\n', "must hold numbers, got '1,234': line 4, column 'a'"),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_a_cell_that_does_not_fit_is_named_with_its_line(tmp_path, case):
    rows, message = BAD_CELLS[case]
    text = "a,b\n" + rows.replace("\n", ",0\n")
    source = open_table(write(tmp_path / "t.csv", text), types={"a": "number", "b": "number"})
    with pytest.raises(ValueError, match=message) as caught:
        source.table()
    assert str(tmp_path / "t.csv") in str(caught.value)
    words = [row.strip('"') for row in rows.split()]
    source = open_table(pa.table({"a": words}), types={"a": "number"})
    with pytest.raises(
        ValueError, match=f"X {message.partition(':')[0]}: row {len(words) - 1}, column"
    ):
        source.table()


def test_a_folder_of_csv_files_is_one_table(tmp_path):
    write(tmp_path / "a.csv", "size,colour,old\n1.5,red,true\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"old,size,colour\nfalse,,blue\n"))
    write(tmp_path / "c.csv", "old,size,colour\n,3,red\n")
    write(tmp_path / "README.txt", "not a table")
    source = open_table(tmp_path)
    assert everything(source) == {
        "size": [1.5, None, 3.0], "colour": ["red", "blue", "red"], "old": [True, False, None],
    }  # fmt: skip
    assert source.n_rows == 3
    with pytest.raises(ValueError, match="lacks 'weight'"):
        list(source.batches(["weight"]))


def test_a_value_in_a_folder_is_named_with_its_file(tmp_path):
    write(tmp_path / "a.csv", "x,y\n1,0\n2,1\n")
    write(tmp_path / "b.csv", "x,y\n3,0\n\n?!,1\n")
    source = open_table(tmp_path, types={"x": "number", "y": "number"})
    with pytest.raises(ValueError, match=r"must hold numbers, got '\?!': line 4 of b.csv, column 'x'"):
        list(source.batches())


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ("x,z\n1,2\n", r"b.csv must have the columns of .*a.csv, lacks 'y', has 'z'$"),
        ("x\n1\n", r"b.csv must have the columns of .*a.csv, lacks 'y'$"),
        ("x;y\n1;2\n", r"b.csv must have the delimiter of .*a.csv, ',', got ';'$"),
        ("x,y\n", r"b.csv must have rows, got only the names of 2 columns"),
    ],
)
def test_files_of_a_folder_that_differ_are_named(tmp_path, other, sentence):
    write(tmp_path / "a.csv", "x,y\n1,0\n2,1\n")
    write(tmp_path / "b.csv", other)
    for read in (open_table, data.load, data.read_table):
        with pytest.raises(ValueError, match=sentence):
            read(tmp_path)


def test_more_columns_in_a_later_file_are_said(tmp_path):
    write(tmp_path / "a.csv", "x,y\n1,0\n2,1\n")
    write(tmp_path / "b.csv", "y,more,x\n1,5,3\n")
    with pytest.warns(UserWarning, match=r"b.csv has 'more', which .*a.csv has not: not used"):
        found = data.load(tmp_path)
    assert found.X_train.tolist() == [[1.0], [2.0], [3.0]]
    assert found.Y_train.tolist() == [0, 1, 1]


def test_a_folder_of_images_stays_one(tmp_path):
    write(tmp_path / "notes.csv", "x,y\n1,0\n")
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="must hold MNIST's four IDX files"):
        data.load(tmp_path)


def test_a_first_column_without_a_name_is_called_as_pandas_calls_it_beside_others(tmp_path):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "t.csv"
    for names in (",a,x,y", ",Unnamed: 0,x,y", ",Unnamed: 0,Unnamed: 0.1,y"):
        path.write_text(f"{names}\n" + "".join(f"{i},{i},{i},{i % 3}\n" for i in range(7)))
        source = open_table(path)
        assert list(source.names) == pandas.read_csv(path).columns.tolist()
        assert decide(source)[0].kind == "identifier"
