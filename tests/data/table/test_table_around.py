"""What stands around a table: read or left out, and said; what could be a row is never left out."""

import gzip
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings

from clearprop import data
from clearprop.data.table import ReadOptions, csv_bytes, open_table, stream

NAMES = "size,speed,y\n"
ROWS = "".join(f"{i}.5,{i * i},{i % 2}\n" for i in range(7))
TABLE = NAMES + ROWS
EXPECTED = {
    "size": [i + 0.5 for i in range(7)],
    "speed": [float(i * i) for i in range(7)],
    "y": [float(i % 2) for i in range(7)],
}
NOTE = "Notes offered by somebody (https://example.org)\n"
TOTAL = "Total amount funded in policy code 1: 460296150\n"


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def said(call):
    """Call a function; return what it returns, and what was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = call()
    return found, [str(each.message).split(": ", 1)[1] for each in caught]


def wider(text, more):
    """Return a text whose lines end in more."""
    return "".join(f"{line}{more}\n" for line in text.splitlines())


AROUND = {
    "nothing": (TABLE, {}, []),
    "the delimiter for a spreadsheet": (
        "sep=;\n" + TABLE.replace(",", ";"), {}, ["left out line 1 ('sep=;')"]
    ),
    "the same in quotes": (
        '"sep=|"\r\n' + TABLE.replace(",", "|"), {}, ["left out line 1 ('\"sep=|\"')"]
    ),
    "comments": ("# logger 1.2\n# degC\n" + TABLE, {}, ["left out lines 1 to 2 ('# logger 1.2')"]),
    "a comment with as many fields": ("# one, two, three\n" + TABLE, {}, ["left out line 1 ('# one')"]),
    "a sentence": (NOTE + TABLE, {}, [f"left out line 1 ('{NOTE[:36]}...)"]),
    "a sentence below blank lines": (
        "\n\n" + NOTE + "\n" + TABLE, {}, [f"left out line 3 ('{NOTE[:36]}...)"]
    ),
    "a title of as many fields": ("A small table,,\n" + TABLE, {}, ["left out line 1 ('A small table')"]),
    "units": (
        NAMES + "degC,m/s,\n" + ROWS, {}, ["left out line 2, which holds units ('degC', 'm/s')"]
    ),
    "a known unit": (NAMES + "[cm],,\n" + ROWS, {}, ["left out line 2, which holds units ('[cm]')"]),
    "delimiters at the end": (wider(TABLE, ",,"), {}, ["left out 2 columns without a name or a value"]),
    "delimiters at the end of rows": (
        NAMES + wider(ROWS, ","), {}, ["left out 1 column without a name or a value"]
    ),
    "a delimiter at the end of the names": (NAMES.rstrip() + ",\n" + ROWS, {}, []),
    "a column of nothing": (
        TABLE.replace("size,", "size,, ").replace(".5,", ".5,,"), {}, ["left out 1 column without a name or a value"]
    ),
    "rows of nothing at the end": (
        TABLE + ",,\n , ,\u00a0\n,\n,,,,\n", {}, ["left out 2 rows without any value"]
    ),
    "rows of nothing in the middle": (
        NAMES + ",,\n" + ROWS[: ROWS.index("\n") + 1] + " ,,\n\n,\n" + ROWS[ROWS.index("\n") + 1 :], {},
        ["left out 2 rows without any value"],
    ),
    "a total": (
        TABLE + "Total,,4\n", {}, ["left out 1 line below the table ('Total,,4'), which looks like a total of the rows"]
    ),
    "a total of money above a note": (
        TABLE + f'Grand total:,"$1,234.50",\n\n{NOTE}', {},
        ["left out 2 lines below the table ('Grand total:,\"$1,234.50\",' and 1 more), of which 1 looks like a total of the rows"],
    ),
    "a comment among the rows": (
        NAMES + "# restarted\n" + ROWS + "# the end\n", {}, ["left out 1 line beginning with '#', "
        "1 line below the table ('# the end')"]
    ),
    "lines below the table": (
        TABLE + TOTAL + TOTAL, {}, [f"left out 2 lines below the table ('{TOTAL[:36]}... and 1 more)"]
    ),
    "wide lines below the table": (
        TABLE + ",,\n" + TOTAL.rstrip() + ",,\n", {}, [f"left out 1 row without any value, "
        f"1 line below the table ('{TOTAL[:36]}...)"]
    ),
    "fields below the table": (
        TABLE + "\nSource: the World, 2020\n", {}, ["left out 1 line below the table ('Source: the World, 2020')"]
    ),
    "comments, given": (
        "% a, b, c\n" + NAMES + "%1,2,0\n" + ROWS + "%\n", {"comment": "%"}, ["left out 3 lines beginning with '%'"]
    ),
    "lines, given": ("Report\n1,2\n" + TABLE, {"skip_lines": 2}, []),
    "all of it": (
        "# a, b\n" + NOTE + "\n" + wider(NAMES + "(mm),(s),\n" + ROWS, ",") + ",,,\n" + TOTAL,
        {},
        ["left out lines 1 to 2 ('# a'); line 5, which holds units ('(mm)', '(s)')",
         "left out 1 column without a name or a value, 1 row without any value, 1 line below "
         f"the table ('{TOTAL[:36]}...)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AROUND)
def test_what_stands_around_a_table_is_left_out_and_said(tmp_path, case):
    text, options, expected = AROUND[case]
    path = write(tmp_path / "t.csv", text)
    read = ReadOptions(**options)
    source, told = said(lambda: open_table(path, read))
    table, later = said(source.table)
    assert [*told, *later] == expected
    assert table.to_pydict() == EXPECTED
    assert said(source.table)[1] == []  # it is said once


@pytest.mark.parametrize("case", AROUND)
def test_every_door_leaves_it_out(tmp_path, case):
    text, options, _ = AROUND[case]
    read = ReadOptions(**options)
    packed = tmp_path / "packed.csv"
    write(packed, gzip.compress(text.encode()))
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.csv", text)
    write(folder / "b.csv", text)
    X = np.array([EXPECTED["size"], EXPECTED["speed"]]).T
    found, _ = said(lambda: data.load(packed, options=read))
    np.testing.assert_array_equal(found.X_train, X)
    assert found.feature_names == ("size", "speed")
    assert found.Y_train.tolist() == EXPECTED["y"]
    both, _ = said(lambda: data.load(folder, options=read))
    np.testing.assert_array_equal(both.X_train, np.concatenate([X, X]))
    rows, _ = said(lambda: stream(folder, target="y", options=read, validation=0, dtype="float64"))
    np.testing.assert_array_equal(rows.rows.X(0, 14), np.concatenate([X, X]))


def test_a_row_of_units_may_stand_above_numbers_that_carry_theirs(tmp_path):
    rows = "".join(f"{i}.5,{90 + i} kg,{'ab'[i % 2]}\n" for i in range(20))
    path = write(tmp_path / "t.csv", "x,v,c\nm,kg,text\n" + rows)
    source, told = said(lambda: open_table(path))
    assert told == ["left out line 2, which holds units ('m', 'kg')"]
    assert source.table(["v"]).column(0).to_pylist() == [90.0 + i for i in range(20)]
    write(path, "x,v,c\nm,kg,text\n" + rows.replace(" kg", " lb"))  # another's unit: a row like others
    assert said(lambda: open_table(path))[1] == []


@pytest.mark.parametrize(
    ("unit", "written"),
    [("USD", "$5"), ("EUR", "\u20ac5"), ("EUR", "5 \u20ac"), ("$", "$5"), ("[CHF]", "CHF 5")],
)
def test_a_currency_is_a_unit_above_money(tmp_path, unit, written):
    rows = "".join(f"{written.replace('5', f'{i}.25')},{'ab'[i % 2]}\n" for i in range(7))
    path = write(tmp_path / "t.csv", f"price,c\n{unit},\n{rows}")
    source, told = said(lambda: open_table(path))
    assert told == [f"left out line 2, which holds units ({unit!r})"]
    assert source.table(["price"]).column(0).to_pylist() == [i + 0.25 for i in range(7)]
    write(path, f"price,c\n{unit},\n" + "u,a\nv,b\n" * 7)  # above words it is one of them
    assert said(lambda: open_table(path))[1] == []


def test_fields_above_a_table_are_left_out_where_a_blank_line_is_between(tmp_path):
    """As the World Bank writes it."""
    above = '"Data Source","World Indicators",\n\n"Last Updated Date","2020",\n\n'
    names = '"Country Name","Code","1960","1961",\n'
    text = above + names + "".join(f'"Land {i}","L{i}","{i}.5","",\n' for i in range(7))
    table, told = said(lambda: open_table(write(tmp_path / "t.csv", text)).table())
    assert table.schema.names == ["Country Name", "Code", "1960", "1961"]
    assert table.num_rows == 7
    assert told == [
        "left out lines 1 to 3 ('Data Source')", "left out 1 column without a name or a value"
    ]  # fmt: skip
    write(tmp_path / "t.csv", text.replace("\n\n", "\n"))
    with pytest.raises(ValueError, match="2 fields in line 1 .* 4 in line 3: skip_lines=2 leaves out"):
        open_table(tmp_path / "t.csv")


CAUGHT = {
    "a longer row": (TABLE + "1,2,0,9\n" + ROWS, "must have 3 fields in each row, got 4 in line 9"),
    "a shorter row": (TABLE + "1,2\n" + ROWS, "must have 3 fields in each row, got 2 in line 9"),
    "a row that was cut": (TABLE + "1", "must have 3 fields in each row, got 1 in line 9"),
    "a row of words that was cut": (
        "name,a,b\n" + "".join(f"Ann Lee {i},{i},1\n" for i in range(7)) + "Bob Lee",
        "must have 3 fields in each row, got 1 in line 9",
    ),
    "a word below the table": (TABLE + "end\n", "must have 3 fields in each row, got 1 in line 9"),
    "a sentence among the rows": (TABLE + TOTAL + ROWS, "must have 3 fields in each row, got 1 in line 9"),
    "names of too few fields": (
        "a,b\n" + ROWS, "must have 2 fields in each row, got 3 in line 2: give the names, and skip_lines=1"
    ),
    "words of too few fields": ("a,b,c\n" + "u,v,w,x\n" * 9, "must have 3 fields in each row, got 4 in line 2"),
    "a title of one word": (
        "Report\n" + TABLE,
        r"must have a row of column names first, got 1 field in line 1 \('Report'\) and 3 in line 2: "
        "skip_lines=1 leaves out what is above the names",
    ),
    "titles of two fields": (
        "Report,2020\nof,all\n" + NAMES.replace(",y", ",y,a,b") + wider(ROWS, ",1,2"),
        r"got 2 fields in line 1 \('Report'\) and 5 in line 3: skip_lines=2 leaves out",
    ),
    "titles of nearly as many fields": (
        "Report,2020\nof,all\n" + TABLE,
        r"got 2 fields in line 1 \('Report'\) and 3 in line 3: skip_lines=2 leaves out what is above",
    ),
    "titles of nearly as many fields, filled up": (
        "Report,2020,\nof,all,\n" + TABLE,
        r"got 2 fields in line 1 \('Report'\) and 3 in line 3: skip_lines=2 leaves out what is above",
    ),
    "names that go on below": (
        "x,a,b\nyear,\n" + ROWS, "must have 3 fields in each row, got 2 in line 2: give the names, and skip_lines=2"
    ),
    "no names below a comment": (
        "# logger\n" + ROWS,
        "must have a row of column names, got numbers in line 2 such as '0.5': give the names",
    ),
    "no names": (
        "red,small,0\n" + "red,large,1\nblue,small,0\n" * 9,
        "must have a row of column names, got 'red', 'small' in line 1, which the rows below hold as values",
    ),
    "a value below no name": (
        "a,,b\n" + "1,,2\n" * 99 + "1,7,2\n", "must name every column, column 2 has no name and holds '7' in line 101"
    ),
    "a value beyond the names": (
        "a,b\n" + "1,2,\n" * 99 + "1,2,7\n", "must have 2 fields in each row, got 3 in line 101"
    ),
    "values that begin as comments do": (
        "a,b\n" + "#1,2\n#2,3\n" * 9 + "#4\n", "must have 2 fields in each row, got 1 in line 20"
    ),
    "more lines left out than there are": (
        "a,b\n1,2\n", "must have a row of column names, is empty below line 9", {"skip_lines": 9}
    ),
    "nothing but what is below": ("a,b\n" + TOTAL, "must have rows, got none"),
    "an unclosed quote below the table": (TABLE + 'Total "of, all\n', "must have 3 fields in each row, got 2 in line 9"),
}  # fmt: skip


@pytest.mark.parametrize("case", CAUGHT)
def test_what_could_be_a_row_is_refused_with_its_line(tmp_path, case):
    text, message, *options = CAUGHT[case]
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(ValueError, match=message) as caught:
        said(lambda: open_table(path, ReadOptions(**(options[0] if options else {}))).table())
    assert str(caught.value).startswith(str(path))


READ = {
    "a name that begins as comments do": ("# x,y\n1,2\n3,4\n", {"# x": [1.0, 3.0], "y": [2.0, 4.0]}),
    "a name of several words": ("annual income\n1\n2\n", {"annual income": [1.0, 2.0]}),
    "words that begin as comments do": (
        "#n,c\n#a,1\n#b,2\n", {"#n": ["#a", "#b"], "c": [1.0, 2.0]}
    ),
    "a first row of words that repeat": (
        "n,c\nunknown,u\n1,v\nunknown,u\n", {"n": ["unknown", "1", "unknown"], "c": ["u", "v", "u"]}
    ),
    "one word above numbers": ("n,c\nmany,\n1,v\n2,w\n3,w\n", None),
    "names as a second row": ("n,c\nn,c\n1,2\n3,4\n5,6\n", {"n": ["n", "1", "3", "5"], "c": ["c", "2", "4", "6"]}),
    "a last row of one value": (
        "n,a,b\n" + "Ann Lee,1,2\n" * 3 + "Bob Lee,,\n",
        {"n": ["Ann Lee"] * 3 + ["Bob Lee"], "a": [1.0] * 3 + [None], "b": [2.0] * 3 + [None]},
    ),
    "sentences on several lines": (
        'a,b\n1,"x y\nz w"\n2,"x y\nof all things\n"\n', {"a": [1.0, 2.0], "b": ["x y\nz w", "x y\nof all things"]}
    ),
    "a total among others": (
        "n,a\nu,1\nv,2\nTotal,3\nw,4\nu,5\nv,4\nTotal,9\n",
        {"n": ["u", "v", "Total", "w", "u", "v", "Total"], "a": [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 9.0]},
    ),
    "a word like that of a total beside another": (
        "n,c\nu,v\nv,w\nu,v\nTotal,w\n", {"n": ["u", "v", "u", "Total"], "c": ["v", "w", "v", "w"]}
    ),
    "a total of nothing": ("n,a\nTotal,3\n", {"n": ["Total"], "a": [3.0]}),
    "a column of gaps": ('a\n1\n""\n3\n""\n', {"a": [1.0, None, 3.0, None]}),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_what_only_looks_like_something_around_a_table_is_read(tmp_path, case):
    text, expected = READ[case]
    table, told = said(lambda: open_table(write(tmp_path / "t.csv", text)).table())
    assert told == []
    if expected is None:
        assert table.num_rows == text.count("\n") - 1
    else:
        assert table.to_pydict() == expected


@pytest.mark.parametrize("options", [{}, {"comment": "%"}], ids=str)
def test_lines_keep_their_numbers(tmp_path, options):
    mark = options.get("comment", "#")
    text = f"{mark} a\n{NOTE}\n{NAMES}mm,kg,\n{ROWS}{mark} b\n,,\n\n,,\nx,2,0\n{ROWS}{TOTAL}"
    path = write(tmp_path / "t.csv", text)
    number = 1 + text[: text.index("x,2,0")].count("\n")
    types = dict.fromkeys(("size", "speed", "y"), "number")
    for what in (path, tmp_path):
        with pytest.raises(ValueError, match=f"must hold numbers, got 'x': line {number}"):
            said(lambda what=what: open_table(what, ReadOptions(**options), types=types).table())


def test_a_comment_in_a_text_is_none_and_one_with_a_quote_is(tmp_path):
    text = 'a,b\n1,"u\n% no comment\nv"\n% a "comment\n2,w\n'
    table, told = said(
        lambda: open_table(write(tmp_path / "t.csv", text), ReadOptions(comment="%")).table()
    )
    assert table.to_pydict()["b"] == ["u\n% no comment\nv", "w"]
    assert told == ["left out 1 line beginning with '%'"]


PIECES = st.sampled_from(["1,2\n", "% x\n", '"% y",3\n', '"a\n% z",4\n', "\n", ",\n", "5,6\r\n", "%\r"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(PIECES, min_size=1, max_size=12),
    st.sampled_from([1, 2, 3, 7, 64]),
    st.sampled_from([1, 5, 64]),
)
@example(["% x\n", "1,2\n", ",\n"], 1, 1)
def test_where_the_blocks_of_a_file_end_makes_no_difference(tmp_path_factory, pieces, chunk, tail):
    text = "a,b\n7,8\n" + "".join(pieces) + "9,9\n"
    path = write(tmp_path_factory.mktemp("t") / "t.csv", text)
    read = ReadOptions(comment="%", skip_lines=0)
    whole, told = said(lambda: open_table(path, read).table())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_bytes, "CHUNK", chunk)
        patch.setattr(csv_bytes, "TAIL", tail)
        cut, retold = said(lambda: open_table(path, read).table())
    assert cut.equals(whole)
    assert retold == told
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    n = sum(line not in ("", ",", "%") and not line.startswith("% ") for line in lines)
    assert whole.num_rows == n - 1 - sum('"a' in line for line in lines) + sum(
        line.startswith("% z") for line in lines
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skip_lines": -1}, "skip_lines must be a number of lines, at least 0, got -1"),
        ({"skip_lines": True}, "skip_lines must be a number of lines, at least 0, got True"),
        ({"comment": " "}, "comment must be what lines begin with, such as '#', got ' '"),
        ({"comment": '"'}, "comment must be what lines begin with"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ReadOptions(**options)


def test_reading_options_come_back_from_json():
    for options in (ReadOptions(), ReadOptions(";", ",", "latin-1", ("x",), ("a", "b"), 3, "%")):
        assert ReadOptions.from_json(options.to_json()) == options
    old = {"delimiter": ";", "decimal": None, "encoding": "utf-8", "missing": [], "names": None}
    assert ReadOptions.from_json(old) == ReadOptions(";")


def test_the_shell_names_the_option_and_predicts_as_it_was_trained(clearprop, tmp_path):
    path = write(tmp_path / "t.csv", "Report\n" + TABLE)
    run = ("train", path, "--target", "y", "--epochs", 1, "--hidden", 4, "--seed", 1, "-q")
    code, _, err = clearprop(*run)
    assert code == 2
    assert (
        "in line 1 ('Report') and 3 in line 2: --skip-lines 1 leaves out what is above the names" in err
    )
    model = tmp_path / "m.safetensors"
    assert clearprop(*run, "--skip-lines", 1, "--output", model)[0] == 0
    code, out, err = clearprop("predict", model, path)
    assert (code, err, len(out.splitlines())) == (0, "", 8)
    plain = write(tmp_path / "plain.csv", TABLE + "% a, b, c, d\n")
    code, _, err = clearprop("predict", model, plain)
    assert code == 2
    assert "numbers in line 2" in err
    other = ("predict", model, plain, "--skip-lines", 0, "--comment", "%")
    (code, again, err), _ = said(lambda: clearprop(*other))
    assert (code, again) == (0, out)
    assert err == f"clearprop: warning: {plain}: left out 1 line beginning with '%'\n"
    code, _, err = clearprop(*run, "--skip-lines", "-1")
    assert (code, err) == (2, "clearprop: --skip-lines must be a number of lines, at least 0, got -1\n")


@pytest.mark.parametrize("tail", range(60, 70))
def test_the_end_of_a_file_may_begin_in_the_middle_of_a_character(tmp_path, monkeypatch, tail):
    monkeypatch.setattr(csv_bytes, "CHUNK", 7)
    monkeypatch.setattr(csv_bytes, "TAIL", tail)
    text = "a,b\n" + "".join(f"{i},ééé€{i % 3}\n" for i in range(40)) + TOTAL[:40] + "\n"
    table, told = said(lambda: open_table(write(tmp_path / "t.csv", text)).table())
    assert table.to_pydict()["b"] == [f"ééé€{i % 3}" for i in range(40)]
    assert "1 line below the table" in told[-1]


APART = {
    "with names": "Yr Mo  speed\n61 1 15.04\n61  2 NaN\n61 3 14.7\n61 4 9.1\n61 5 9.2\n61 6 9.3\n",
    "without": " 0.1  18.00 2\n 0.2   0.00 3\n12.3  11.00 4\n",
}


@pytest.mark.parametrize("case", APART)
def test_numbers_with_nothing_but_blanks_between_them_are_refused_in_a_sentence_that_is_true(
    tmp_path, case
):
    path = write(tmp_path / "t.csv", APART[case])
    first = " ".join(APART[case].split("\n")[0].split())
    with pytest.raises(ValueError, match="must have a comma, .* got blanks in " + repr(first)):
        open_table(path)


@pytest.mark.parametrize(
    "text",
    [
        "people\n1 234\n12 345\n1 234 567\n2 345\n",
        "name\nSan Jose 3\nNew York 4\nOld Town 5\nUp Hill 6\n",
        "a b\n1\n2\n3\n4\n",
    ],
)
def test_one_column_of_thousands_or_words_is_a_table(tmp_path, text):
    assert open_table(write(tmp_path / "t.csv", text)).table().num_rows == text.count("\n") - 1


def test_a_first_row_of_numbers_may_be_names_and_it_is_said_how(tmp_path):
    text = "5,10,15,Half\n" + "15.5,15.7,16.1,31.9\n" * 5
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(ValueError, match="such as '5': give the names, and skip_lines=1 if it is that"):
        open_table(path)
    read = ReadOptions(names=("k5", "k10", "k15", "half"), skip_lines=1)
    assert open_table(path, read).table().num_rows == 5
