"""Bad tables: each is refused with one sentence that names the file and the place, and writes nothing.

The numbers in brackets are those of the project's list of bad inputs.
"""

import gzip
import io
import os
import socket
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearprop.data import files
from clearprop.data.table import (
    ReadOptions,
    Roles,
    TableEncoder,
    TargetEncoder,
    arrow_source,
    csv_bytes,
    csv_text,
    decide,
    open_table,
)

TABLE = "a,b,y\n" + "".join(f"{i}.5,{'uvw'[i % 3]},{i % 2}\n" for i in range(12))


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def learn(what, target="y", options=None):
    """Do all that ``clearprop train`` does before it trains."""
    source = open_table(what, options)
    encoder = TableEncoder.learn(source.batches(), decide(source, Roles(target=target)))
    found = TargetEncoder.learn(source, target, gaps="refuse")
    return encoder.encode(source.table()), found.codes(source.table([target]).column(0))


TEXT = {
    "empty [62]": (b"", "must have a row of column names, is empty"),
    "blank lines [62]": (b"\n\r\n\n", "must have a row of column names, is empty"),
    "header only [62]": ("a,b,y\n", "must have rows, got only the names of 3 columns"),
    "header and blank lines [62]": ("a,b,y\n\n\r\n", "must have rows, got only the names of 3 columns"),
    "a longer row [63]": (TABLE + "1,u,0,9\n", "must have 3 fields in each row, got 4 in line 14"),
    "a shorter row [63]": (TABLE + "\n1,u\n", "must have 3 fields in each row, got 2 in line 15"),
    "every row longer [64]": (
        "a,b,y\n" + "1,u,0,9\n" * 9, "must have 3 fields in each row, got 4 in line 2"
    ),
    "an unclosed quote [65]": (TABLE + '1,"u,0\n2,v,1\n', "is damaged in line 14: an unclosed quote"),
    "an unclosed quote at the end [65]": (TABLE + '1,"u', "is damaged in line 14: an unclosed quote"),
    "an unclosed quote in the names [65]": ('a,"b,y\n1,2,0\n', "damaged row of column names"),
    "two unclosed quotes [65]": (
        TABLE + '1,"u,0\n2,v,1\n3,w",0\n', "must keep each value on one line.*line 14, column 'b'"
    ),
    "a field of 200 KB before a short row [63, 66]": (
        TABLE + "1," + "x" * 200_000 + ",0\n1,u\n", "must have 3 fields in each row, got 2 in line 15"
    ),
    "a field of 9 MB [66]": (TABLE + "1," + "x" * 9_000_000 + ",0\n", "line 14: a field of over 8,388,608 characters"),
    "a NUL [67]": (TABLE + "1,\0,0\n", f"must be text, got a NUL at byte {len(TABLE) + 2}"),
    "UTF-16 [69]": (TABLE.encode("utf-16"), "must be UTF-8, starts like UTF-16: --encoding utf-16"),
    "UTF-16 without its mark [69]": (TABLE.encode("utf-16-le"), "must be text, got a NUL at byte 1"),
    "latin-1 [69]": (
        (TABLE + "1,é,0\n").encode("latin-1"),
        f"must be UTF-8, got the byte 0xe9 at byte {len(TABLE) + 2}: .* --encoding",
    ),
    "encodings mixed [69]": (
        ("a,ü,y\n1,é,0\n").encode() + b"2,\xfc,1\n", "must be UTF-8, got the byte 0xfc at byte 16"
    ),
    "half a surrogate [69]": (TABLE.encode() + b"1,\xed\xa0\x80,0\n", "must be UTF-8, got the byte 0xed"),
    "the end of a character cut [69]": (TABLE.encode() + b"1,\xc3", "must be UTF-8, got the byte 0xc3"),
    "one column [71]": ("a\n" + "1\n2\n" * 9, "has no column 'y'"),
    "thousands after a semicolon [71]": (
        "a;b;y\n" + "".join(f"{i},{i}00;{i};{i % 2}\n" for i in range(1, 9)),
        "numbers such as '1,100' in column 'a', thousands or decimals: --decimal says which, in Python decimal='.' or ','",
    ),
    "both decimal signs [71]": (
        "a;b;y\n1,5;1.5;0\n2,5;2.5;1\n", "has decimal commas in 'a' and decimal points in 'b'"
    ),
    "a stray word among decimal commas [78]": (
        "a;b;y\n" + "".join(f"{i},5;{i};{i % 2}\n" for i in range(9)) + "oops;9;0\n",
        "must hold numbers, as it does elsewhere, got 'oops': line 11, column 'a'",
    ),
    "infinity with a decimal comma [73]": (
        "a;b;y\n" + "".join(f"{i},5;{i};{i % 2}\n" for i in range(9)) + "1,5e400;9;0\n",
        "must hold finite numbers, got '1,5e400': line 11, column 'a'",
    ),
    "a decimal point among commas [71]": (
        "a;b;y\n" + "".join(f"{i},5;{i};{i % 2}\n" for i in range(9)) + "1.5;9;0\n",
        "must hold numbers, as it does elsewhere, got '1.5': line 11, column 'a'",
    ),
    "thousands [72]": (
        TABLE.replace(".5,", "").replace("a,b", "b") and
        "a,b,y\n" + "".join(f'"{i},{i}00",{i},{i % 2}\n' for i in range(1, 9)),
        "got '1,100', thousands or decimals .--decimal says which, in Python decimal='.' or ','.: line 2, column 'a'",
    ),
    "two currencies [72]": (
        "a,b,y\n" + "".join(f"{'€$'[i % 2]}{i},{i},{i % 2}\n" for i in range(9)),
        r"must hold numbers in '€', as it does elsewhere, got '\$1' and 3 more like it: line 3, column 'a'",
    ),
    "1e400 [73]": (TABLE + "1e400,u,0\n", "must hold finite numbers, got '1e400': line 14, column 'a'"),
    "-1e400 [73]": (TABLE + "-1e400,u,0\n", "must hold finite numbers, got '-1e400': line 14, column 'a'"),
    "a name twice [76]": ("a,a,y\n1,2,0\n", "must name every column differently, got 'a' more than once"),
    "no name [76]": ("a,,y\n1,2,0\n", "must name every column, column 2 has no name"),
    "a blank name [76]": ("a, ,y\n1,2,0\n", "must name every column, column 2 has no name"),
    "data for names [76]": (
        TABLE.partition("\n")[2], "must have a row of column names, got numbers in its first row"
    ),
    "no target [77]": ("a,b,c\n1,2,0\n2,3,1\n", "has no column 'y': the target must be one of 'a', 'b'"),
    "the target twice [77]": ("a,y,y\n1,2,0\n", "must name every column differently, got 'y' more"),
    "a constant target [77]": ("a,y\n1,5\n2,5\n", "the target 'y' of .* must vary, is always 5"),
    "a target with gaps [77]": (TABLE + "1,u,\n", "no missing values in the target 'y', got 1: the first in line 14"),
    "a stray word late [78]": (
        "a,y\n" + "1.5,0\n2,1\n" * 40_000 + "oops,0\n",
        "must hold numbers, as it does elsewhere, got 'oops': line 80002, column 'a'",
    ),
    "gzip cut [86]": (gzip.compress(os.urandom(99).hex().encode() + TABLE.encode())[:-9], "ends in the middle of its gzip"),
    "gzip with another check [86]": (
        gzip.compress(TABLE.encode())[:-8] + b"\0" * 8, "has damaged gzip data: CRC check failed"
    ),
    "garbage after gzip [86]": (gzip.compress(TABLE.encode()) + b"rubbish", "has something else behind its gzip data"),
    "gzip in gzip [87]": (gzip.compress(gzip.compress(TABLE.encode())), "must be"),
    "an empty gzip [86]": (gzip.compress(b""), "must have a row of column names, is empty"),
    "Parquet called csv": (b"PAR1" + b"\x15\0\x15" * 9, "must be text, got a NUL"),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXT)
def test_a_bad_text_file_is_refused_with_the_place(tmp_path, case):
    content, message = TEXT[case]
    path = write(tmp_path / "bad.csv", content)
    with pytest.raises(ValueError, match=message) as caught:
        learn(path)
    assert str(caught.value).startswith(("the target", str(path)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


GOOD = {
    "a mark of UTF-8 [68]": b"\xef\xbb\xbf" + TABLE.encode(),
    "CRLF [70]": TABLE.replace("\n", "\r\n").encode(),
    "CR [70]": TABLE.replace("\n", "\r").encode(),
    "ends mixed [70]": TABLE.replace("\n", "\r\n", 5).encode(),
    "no last end [70]": TABLE.rstrip().encode(),
    "gzip called csv [86]": gzip.compress(TABLE.encode()),
    "gzip in parts [87]": gzip.compress(TABLE[:20].encode()) + gzip.compress(TABLE[20:].encode()),
}


@pytest.mark.parametrize("case", GOOD)
def test_other_ways_to_write_it_are_read(tmp_path, case):
    X, y = learn(write(tmp_path / "good.csv", GOOD[case]))
    expected, labels = learn(write(tmp_path / "plain.csv", TABLE))
    np.testing.assert_array_equal(X, expected)
    np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1.5"] * 9, "must hold numbers with decimal commas, got points"),
        (["1,5"] * 9 + ["1.5"], "must hold numbers, as it does elsewhere, got '1.5': line 11"),
    ],
)
def test_the_decimal_sign_that_was_given_holds_for_all_columns(tmp_path, cells, message):
    """[71]"""
    rows = "".join(f"{cell};{i % 2}\n" for i, cell in enumerate(cells))
    path = write(tmp_path / "t.csv", "a;y\n" + rows)
    with pytest.raises(ValueError, match=message):
        learn(path, options=ReadOptions(decimal=","))


def test_a_value_on_two_lines_is_no_category_but_may_be_in_a_text_that_is_left_out(tmp_path):
    rows = "".join(f'{i}.5,"the {i} quick brown\nfox jumps",{i % 2}\n' for i in range(20))
    path = write(tmp_path / "t.csv", "a,b,y\n" + rows)
    assert learn(path)[0].shape == (20, 1)
    with pytest.raises(ValueError, match="must keep each value on one line.*line 2, column 'b'"):
        open_table(path, types={"a": "number", "b": "text", "y": "number"}).table()


def test_words_that_stand_for_missing_values_are_one_list(tmp_path):
    """[75] The words, and how often each column has one, are in the decision."""
    words = [
        "",
        " ",
        "NA",
        "N/A",
        "n/a",
        "NaN",
        "nan",
        "NULL",
        "null",
        "None",
        "?",
        "-",
        "#N/A",
        "<NA>",
    ]
    rows = "".join(f"{word},{word},1\n" for word in words) + "".join(
        f"{i}.5,u,0\nv,w,0\n"[: 8 + len(str(i)) - 1] for i in range(9)
    )
    source = open_table(write(tmp_path / "t.csv", "a,b,y\n" + rows))
    assert source.profile["a"].n_missing == source.profile["b"].n_missing == len(words)
    assert source.types["a"] == "number"
    assert "14 missing" in decide(source, Roles(target="y"))[0].reason


def test_numbers_that_are_names_keep_every_digit(tmp_path):
    """[74] Leading zeros, and whole numbers too long for float64."""
    rows = "".join(f"00{i % 5},{2**70 + i % 4},{2**53 + 1 + i % 3},{i % 2}\n" for i in range(30))
    source = open_table(write(tmp_path / "t.csv", "zip,long,odd,y\n" + rows))
    table = source.table()
    assert table["zip"][1].as_py() == "001"
    assert table["long"][1].as_py() == str(2**70 + 1)
    assert table["odd"][0].as_py() == str(2**53 + 1)
    assert [d.kind for d in decide(source, Roles(target="y"))][:3] == ["categorical"] * 3


# Files that are none


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path):
    """[61]"""
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "pipe.parquet")
    os.symlink(tmp_path / "loop.csv", tmp_path / "loop.csv")
    os.symlink("/dev/zero", tmp_path / "zero.csv")
    os.symlink("/dev/zero", tmp_path / "zero.parquet")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(tmp_path)
        made.bind("s.csv")
    for name in (
        "pipe.csv",
        "pipe.parquet",
        "loop.csv",
        "zero.csv",
        "zero.parquet",
        "s.csv",
        "none.csv",
    ):
        with pytest.raises(OSError):
            open_table(tmp_path / name)
    with pytest.raises(ValueError, match=r"must hold \.parquet files, got none"):
        open_table(tmp_path / "folder")


def test_paths_are_those_of_files(tmp_path):
    """[92]"""
    for name in ("with blank.csv", "ünï.csv", "-x.csv", "n" * 200 + ".csv"):
        assert learn(write(tmp_path / name, TABLE))[0].shape[0] == 12
    folder = tmp_path / "a"
    folder.mkdir()
    assert open_table(folder / ".." / "-x.csv").names == ("a", "b", "y")
    with pytest.raises(ValueError, match="must be one that pyarrow reads, .*; got http://host/x.csv: "):
        open_table("http://host/x.csv")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    """[79]"""
    path = write(tmp_path / "t.csv", "a,y\n" + "1.5,0\n2,1\n" * 900_000)
    source = open_table(path, types={"a": "number", "y": "number"})
    batches = source.batches()
    next(batches)
    with open(path, "a") as file:
        file.write("3,1\n")
    with pytest.raises(OSError, match="was changed while it was read"):
        list(batches)


def test_a_gzip_bomb_is_stopped(tmp_path, monkeypatch):
    """[87]"""
    monkeypatch.setattr(files, "RATIO_FREE", 1 << 20)
    path = write(tmp_path / "bomb.csv", gzip.compress(b"a,y\n" + b"1,0\n" * 4_000_000))
    with pytest.raises(ValueError, match="must not be compressed more than 200 times"):
        list(open_table(path, types={"a": "number", "y": "number"}).batches())


# Parquet


def parquet(path, table, **options):
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path, **options)
    return path


def parquet_bytes():
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [1.5, 2.0], "y": [0, 1]}), file)
    return file.getvalue()


PARQUET = {
    "empty": b"",
    "text": b"a,y\n1,0\n",
    "half": parquet_bytes()[: len(parquet_bytes()) // 2],
    "footer cut": parquet_bytes()[:-6],
    "a lie about the footer": parquet_bytes()[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
    "start cut": parquet_bytes()[4:],
}


@pytest.mark.parametrize("case", PARQUET)
def test_a_damaged_parquet_file_is_refused(tmp_path, case):
    """[81]"""
    path = write(tmp_path / "bad.parquet", PARQUET[case])
    with pytest.raises(ValueError, match="could not be read as Parquet: .") as caught:
        learn(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 500


def test_parquet_columns_of_other_types(tmp_path):
    """[80] Numbers of any kind are numbers; what is none is refused by name."""
    n = 12
    good = {
        "decimal": pa.array([f"{i}.25" for i in range(n)]).cast(pa.decimal128(9, 2)),
        "time": pa.array(range(0, n * 10**9, 10**9), pa.timestamp("ms")),
        "words": pa.array(list("uvw" * 4)).dictionary_encode(),
        "unsigned": pa.array(range(n), pa.uint64()),
        "nothing": pa.nulls(n),
        "y": [0, 1] * 6,
    }
    source = open_table(parquet(tmp_path / "t.parquet", good))
    kinds = {d.name: d.kind for d in decide(source, Roles(target="y"))}
    assert kinds == {
        "decimal": "numeric", "time": "datetime", "words": "categorical", "unsigned": "numeric",
        "nothing": "constant", "y": "target",
    }  # fmt: skip
    for bad in (pa.array([[1]] * n), pa.array([{"u": 1}] * n), pa.array([b"u"] * n)):
        path = parquet(tmp_path / "bad.parquet", {"a": range(n), "bad": bad, "y": [0, 1] * 6})
        with pytest.raises(ValueError, match=r"holds .* in column 'bad', which cannot be learned from"):
            learn(path)


def test_duplicate_parquet_names_and_no_rows_are_refused(tmp_path):
    """[80] [62]"""
    table = pa.Table.from_arrays([pa.array([1, 2])] * 3, names=["a", "a", "y"])
    with pytest.raises(ValueError, match="must name every column differently, got 'a' more than once"):
        open_table(parquet(tmp_path / "bad.parquet", table))
    with pytest.raises(ValueError, match="must have rows, got 0 rows of 2 columns"):
        open_table(
            parquet(
                tmp_path / "bad.parquet", table.select([1, 2]).rename_columns(["a", "y"]).slice(0, 0)
            )
        )


def test_a_parquet_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """[82]"""
    n = 100_000
    path = parquet(tmp_path / "bomb.parquet", {"a": np.zeros(n), "y": np.zeros(n)})
    assert path.stat().st_size < 10_000
    source = open_table(path)
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    with pytest.raises(ValueError, match=r"must need at most 1000000 bytes .*, declares 1600000"):
        source.table()


def test_many_row_groups_are_read_and_too_many_columns_are_not(tmp_path):
    """[82]"""
    path = parquet(
        tmp_path / "t.parquet", {"a": np.arange(2000) / 2, "y": [0, 1] * 1000}, row_group_size=1
    )
    assert learn(path)[0].shape == (2000, 1)
    names = ",".join(f"c{i}" for i in range(20_001))
    with pytest.raises(ValueError, match="must have at most 20000 columns, got 20001"):
        open_table(write(tmp_path / "wide.csv", f"{names}\n{names}\n"))


def test_the_files_of_a_folder_have_the_same_columns(tmp_path):
    parquet(tmp_path / "a.parquet", {"a": [1, 2], "y": [0, 1]})
    parquet(tmp_path / "b.parquet", {"b": [1, 2], "y": [0, 1]})
    with pytest.raises(ValueError, match=r"b.parquet must have the columns of .*a.parquet, lacks 'a'"):
        open_table(tmp_path)
    parquet(tmp_path / "b.parquet", {"a": ["u", "v"], "y": [0, 1]})
    with pytest.raises(
        ValueError, match="b.parquet must .*, has string in column 'a' instead of int64"
    ):
        open_table(tmp_path)
    parquet(tmp_path / "b.parquet", {"a": [1, 2], "b": [1, 2], "y": [0, 1]})
    with pytest.warns(UserWarning, match=r"b.parquet has 'b', which .*a.parquet has not: not used"):
        open_table(tmp_path)


def test_a_column_may_be_stored_as_one_kind_of_numbers_or_words_in_each_file_of_a_folder(tmp_path):
    for number, a, b in (
        (1, pa.array([1, 2], pa.int8()), pa.nulls(2)),
        (2, pa.array([0.5, None]), pa.array(["u", "v"])),
        (3, pa.nulls(2), pa.array(["u", None], pa.large_string())),
        (4, pa.array([3, 2**40]), pa.array(["w", "w"]).dictionary_encode()),
    ):
        parquet(tmp_path / f"{number}.parquet", {"a": a, "b": b, "y": pa.array([0, 1], pa.int8())})
    found = open_table(tmp_path)
    assert found.types == {"a": "number", "b": "text", "y": "number"}
    assert found.table().to_pydict() == {
        "a": [1, 2, 0.5, None, None, None, 3, 2**40],
        "b": [None, None, "u", "v", "u", None, "w", "w"],
        "y": [0, 1] * 4,
    }


# Frames


def test_frames_that_are_no_tables_are_refused():
    """[32] [33] [41] [24] [21]"""
    pandas = pytest.importorskip("pandas")
    twice = pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    with pytest.raises(ValueError, match="columns of different names, got 'a' more than once"):
        open_table(twice)
    mixed = pandas.DataFrame({"a": pandas.Series([1, "x", 2.5], dtype=object)})
    with pytest.raises(ValueError, match="numbers, as it does elsewhere, got 'x': row 1, column 'a'"):
        decide(open_table(mixed))  # as of a file
    mixed = pandas.DataFrame({"a": pandas.Series([True, "x", b"y"], dtype=object)})
    with pytest.raises(
        ValueError, match="column 'a' of X must hold values of one type, got bool and bytes and str"
    ):
        open_table(mixed)
    with pytest.raises(ValueError, match="must have rows, got 0 rows"):
        open_table(pandas.DataFrame({"a": []}))
    with pytest.raises(TypeError, match="a table must be a file, .* got list"):
        open_table([[1, 2]])
    nullable = pandas.DataFrame({
        "i": pandas.array([1, None, 3], dtype="Int64"),
        "b": pandas.array([True, None, False], dtype="boolean"),
        "s": pandas.array(["u", None, "v"], dtype="string"),
        "c": pandas.Categorical(["u", None, "v"], categories=["u", "v", "unused"]),
    })  # fmt: skip
    assert open_table(nullable).table().to_pydict() == {
        "i": [1.0, None, 3.0], "b": [True, None, False], "s": ["u", None, "v"], "c": ["u", None, "v"],
    }  # fmt: skip


def test_an_index_without_a_name_is_left_out_and_blanks_around_names_are_no_part_of_them(tmp_path):
    """[76]"""
    rows = "".join(f"{i},{i}.5,{i % 2}\n" for i in range(12))
    source = open_table(write(tmp_path / "t.csv", ", a ,\ty\n" + rows))
    assert source.names == ("Unnamed: 0", "a", "y")
    assert decide(source, Roles(target="y"))[0].kind == "identifier"


@pytest.mark.parametrize("name", ["ü", "a b", "a\nb", 'a"b', "<script>", "n" * 10_000])
def test_odd_names_are_kept(tmp_path, name):
    """[34]"""
    quoted = '"' + name.replace('"', '""') + '"'
    path = write(tmp_path / "t.csv", f"{quoted},y\n" + "1.5,0\n2,1\n" * 9)
    assert open_table(path).names == (name, "y")
    assert open_table(parquet(tmp_path / "t.parquet", {name: [1.5], "y": [0]})).names == (name, "y")


def test_a_million_categories_are_bounded():
    """[38]"""
    n = 120_000
    words = [f"w{i // 3}" for i in range(n)]
    source = open_table(pa.table({"a": words, "b": ["u", "v"] * (n // 2), "y": np.arange(n) / 2}))
    decisions = decide(source, Roles(target="y"))
    encoder = TableEncoder.learn(source.batches(), decisions)
    assert encoder.n_features <= 256 + 1 + 1
    assert encoder.encoded[0].pooled == n // 3 - 256
    assert "rare ones as one" in encoder.encoded[0].summary


# From the command line: nothing is left behind


@pytest.mark.parametrize("name", ["bad.csv", "bad.parquet"])
def test_the_command_line_says_one_sentence_and_leaves_nothing_behind(tmp_path, name):
    content = TABLE + "1e400,u,0\n" if name == "bad.csv" else parquet_bytes()[:-6]
    write(tmp_path / name, content)
    arguments = ["train", name, "--target", "y", "--log", "h.csv", "--checkpoint", "c", "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "clearprop", *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"clearprop: {name} ")
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == [name]


def test_options_say_how_a_file_is_written():
    for options, message in (
        ({"delimiter": ";;"}, "delimiter must be one character such as ';', got ';;'"),
        ({"decimal": "'"}, "decimal must be '.' or ',', got \"'\""),
        ({"delimiter": ",", "decimal": ","}, "decimal and delimiter must be two characters"),
        ({"encoding": "utf-9"}, "encoding must be one that Python knows, got 'utf-9'"),
        ({"encoding": "base64"}, "encoding must be one that Python knows, got 'base64'"),
    ):
        with pytest.raises(ValueError, match=message):
            ReadOptions(**options)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(b"1" * 64, id="a field"),
        pytest.param(b"1," * 32, id="fields"),
        pytest.param(b'"1\n",' * 10, id="lines", marks=pytest.mark.slow),
    ],
)
def test_a_row_without_end_is_stopped(tmp_path, row, monkeypatch):
    for module in (csv_bytes, csv_text):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1 << 18)
    few = b"a,y\n1,0\n2,"
    path = write(tmp_path / "bomb.csv.gz", gzip.compress(few + row * (2**25 // len(row))))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="bomb.csv.gz is damaged in line 3: a (row|field) of over"):
            open_table(path).profile  # noqa: B018
        assert tracemalloc.get_traced_memory()[1] < 2**25  # the bomb itself has as many bytes
    finally:
        tracemalloc.stop()


def test_codes_of_a_long_word_are_refused_before_they_are_words(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_source, "MOST_TEXT", 10**6)
    words = pa.DictionaryArray.from_arrays(
        pa.array([0, 1] * 100, pa.int32()), pa.array(["a" * 10**4, "b"])
    )
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": words, "y": [0, 1] * 100}), path)
    message = "must hold text of at most 1,000,000 bytes, got 1,000,100"
    with pytest.raises(ValueError, match=message):
        open_table(path).profile  # noqa: B018
