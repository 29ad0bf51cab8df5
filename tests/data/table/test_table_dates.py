"""Dates, times of day and time spans: every form that people write, read back as what it says."""

import datetime as dt
import json
import re
import warnings

import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import clearprop as cp
from clearprop.data.table import TableEncoder, dates, decide, open_table, spans

FEW = settings(deadline=None, max_examples=4)
MANY = settings(deadline=None, max_examples=40)

# A form as strftime writes it, and the smallest thing it says.
FORMS = {
    "%Y-%m-%d": "day", "%Y-%m-%d %H:%M": "minute", "%Y-%m-%dT%H:%M:%S": "second",
    "%Y-%m-%d %H:%M:%S.%f": "microsecond", "%Y-%m-%dT%H:%M:%SZ": "second",
    "%Y-%m-%d %H:%M:%S -0800": "second", "%Y-%m-%d %H:%M:%S UTC": "second",
    "%Y-%m-%d %H:%M:%S,%f": "microsecond", "%Y-%m-%d %I:%M %p": "minute",
    "%Y%m%dT%H%M%S": "second", "%Y%m%dT%H%M": "minute", "%Y%m%d %H%M%S": "second", "%Y%m%dT%H%M%SZ": "second",
    "%Y/%m/%d": "day", "%Y/%m/%d %H:%M:%S": "second", "%Y.%m.%d": "day",
    "%d/%m/%Y": "day", "%m/%d/%Y": "day", "%d-%m-%Y": "day", "%m-%d-%Y": "day", "%d.%m.%Y": "day",
    "%d/%m/%y": "day", "%m/%d/%y": "day", "%d-%m-%y": "day", "%d.%m.%y": "day",
    "%m/%d/%Y %H:%M": "minute", "%d.%m.%Y %H:%M:%S": "second", "%d.%m.%y %H:%M": "minute",
    "%m/%d/%Y %I:%M:%S %p": "second", "%m/%d/%y %I:%M%p": "minute", "%d/%m/%Y, %H:%M:%S": "second",
    "%d/%m/%Y %H.%M.%S": "second", "%m/%d/%Y %I:%M:%S.%f %p": "microsecond",
    "%d-%b-%y": "day", "%d-%b-%Y": "day", "%d-%B-%Y": "day", "%d %b %Y": "day", "%d %B %Y": "day",
    "%d%b%Y": "day", "%d%b%Y:%H:%M:%S": "second", "%b %d, %Y": "day", "%B %d, %Y": "day", "%b. %d, %Y": "day",
    "%B %d %Y": "day", "%Y-%b-%d": "day", "%b %d, %Y %I:%M %p": "minute", "%b %d, %Y at %I:%M %p": "minute",
    "%A, %B %d, %Y": "day", "%a %b %d %H:%M:%S %Y": "second", "%a, %d %b %Y %H:%M:%S +0000": "second",
    "%a %b %d %H:%M:%S +0000 %Y": "second", "%d/%b/%Y:%H:%M:%S +0200": "second",
    "%b-%Y": "month", "%B-%Y": "month", "%B %Y": "month", "%b-%y": "month", "%b '%y": "month",
    "%Y-%m": "month", "%Y/%m": "month", "%m/%Y": "month", "%m-%Y": "month", "%Y %B": "month",
}  # fmt: skip
CUT = {
    "month": {"day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0},
    "day": {"hour": 0, "minute": 0, "second": 0, "microsecond": 0},
    "minute": {"second": 0, "microsecond": 0}, "second": {"microsecond": 0}, "microsecond": {},
}  # fmt: skip
MOMENTS = st.datetimes(dt.datetime(1969, 1, 1), dt.datetime(2068, 12, 31, 23, 59, 59))
CLEAR = dt.datetime(2003, 12, 31, 13, 45, 59, 123456)  # has one reading in every form


def read(words, **options):
    """Return the column as it is read, and how."""
    source = open_table(pa.table({"when": words, "x": range(len(words))}), **options)
    return source.table(["when"]).column(0).to_pylist(), source


DAYS = ("%Y%m%d", "%d%m%Y", "%m%d%Y")


@pytest.mark.parametrize("form", DAYS)
@pytest.mark.parametrize("kind", [str, int, float])
def test_days_without_a_mark_are_dates_however_they_are_stored(tmp_path, form, kind):
    days = [dt.datetime(2018, 1, 3) + dt.timedelta(days=9 * i) for i in range(80)]
    words = [day.strftime(form) for day in days]
    table = pa.table({"when": [kind(word) for word in words], "x": range(80)})
    for what in (table, table.to_pandas(), polars.DataFrame(table.to_pydict())):
        source = open_table(what)
        assert decide(source)[0].kind == "datetime"
        assert source.types["when"] == f"time {form}"
        assert source.table(["when"]).column(0).to_pylist() == days
        again = open_table(what, types=source.types)
        assert again.table(["when"]).column(0).to_pylist() == days
    path = tmp_path / "t.csv"
    path.write_text("when,x\n" + "".join(f"{word},{i}\n" for i, word in enumerate(words)))
    source = open_table(path)
    decide(source)
    assert source.table(["when"]).column(0).to_pylist() == days
    wrong = open_table(pa.table({"when": [20181301], "x": [1]}), types=source.types)
    with pytest.raises(ValueError, match="must hold dates such as .*, got '20181301'"):
        wrong.table()


NO_DAYS = {
    "a month too many": [*range(20181201, 20181232), 20181301],
    "30 February": [20180227, 20180228, 20180301, 20180302, 20180230],
    "a digit less": [*range(2018120, 2018130), 20181201],
    "a year of nobody": [*range(10181201, 10181232)],
    "fractions": [20181201.5, *range(20181202, 20181220)],
    "few": [20181201, 20181202, 20181203] * 9,
}


@pytest.mark.parametrize("case", NO_DAYS)
def test_numbers_that_are_not_all_days_are_numbers(case):
    source = open_table(pa.table({"when": NO_DAYS[case], "x": range(len(NO_DAYS[case]))}))
    assert decide(source)[0].kind == "numeric"


def test_days_without_a_mark_are_numbers_where_that_is_said_and_ids_by_their_name():
    days = list(range(20181201, 20181232))
    table = pa.table({"when": days, "order_id": days, "x": range(31)})
    found = {each.name: each.kind for each in decide(open_table(table), kinds={"when": "numeric"})}
    assert found == {"when": "numeric", "order_id": "identifier", "x": "numeric"}


@pytest.mark.parametrize("kind", [str, int])
def test_days_without_a_mark_with_two_readings_are_asked_about(kind):
    words = [f"{day:02}{month:02}2018" for day in (10, 11, 12) for month in (10, 11, 12)]
    table = pa.table({"when": [kind(word) for word in words], "x": range(9)})
    first = decide(open_table(table))[0]
    assert first.kind == "dropped"
    assert "can be read in 2 ways (%d%m%Y, %m%d%Y): --day-first or --month-first" in first.reason
    assert "10102018" in first.reason
    source = open_table(table)
    assert decide(source, kinds={"when": "month-first"})[0].kind == "datetime"
    assert source.table(["when"]).column(0).to_pylist()[1] == dt.datetime(2018, 10, 11)


@pytest.mark.parametrize("form", ["%B %Y", "%b-%y", "%Y%m%d"])
def test_a_word_before_all_dates_does_not_make_them_names(form):
    days = [dt.datetime(2018, 12, 3) + dt.timedelta(days=40 * i) for i in range(30)]
    words = ["soon", *(day.strftime(form) for day in days)]
    with pytest.raises(ValueError, match="must hold (dates|numbers).* got 'soon': row 0"):
        decide(open_table(pa.table({"when": words, "x": range(31)})))


@pytest.mark.parametrize("form", FORMS)
@FEW
@given(moments=st.lists(MOMENTS, min_size=6, max_size=6, unique=True), at=st.integers(0, 6))
def test_a_date_is_read_as_what_was_written(form, moments, at):
    moments.insert(at, CLEAR)
    words = [each.strftime(form) for each in moments]
    found, source = read([words[0], None, " " + words[1] + " ", *words[2:]])
    expected = [each.replace(**CUT[FORMS[form]]) for each in moments]
    assert found == [expected[0], None, *expected[1:]]
    assert source.types["when"].startswith("time")
    assert not source.profile["when"].ambiguous
    assert decide(source)[0].kind == "datetime"


OTHERWISE = {
    "January 7th, 2018": "2018-01-07", "JAN 7, 2018": "2018-01-07", "sept 3, 2012": "2012-09-03",
    "7 january 2018": "2018-01-07", "3/4/2015 1:20 p.m.": "2015-03-04 13:20", "3/31/2015 12:05 AM": "2015-03-31 00:05",
    "3/31/2015 12:05\u202fPM": "2015-03-31 12:05", "1/31/69": "1969-01-31", "1/31/68": "2068-01-31", "31-Jan-69": "1969-01-31", "31-Jan-68": "2068-01-31",
    "Oct  3 10:00:00 2014": "2014-10-03 10:00", "29/02/2024": "2024-02-29", "31/12/9999": "9999-12-31",
    "2014-01-05T06:07:08.1234567Z": "2014-01-05 06:07:08.123456", "2014-1-5": "2014-01-05", "2014-10-13 9:05": "2014-10-13 09:05", "3/31/2015 6 PM": "2015-03-31 18:00",
}  # fmt: skip


@pytest.mark.parametrize("word", OTHERWISE)
def test_a_date_may_be_written_in_other_letters_and_without_zeros(word):
    forms = dates.candidates(word)
    found = {str(dates.parse(pa.array([word]), form)[0].as_py()) for form in forms}
    assert str(dt.datetime.fromisoformat(OTHERWISE[word])) in found


@pytest.mark.parametrize(
    "word",
    ["2024-02-30", "30/02/2024", "29.02.2023", "Feb 30, 2024", "31-Jun-18", "13/13/2024", "1/2/200", "20141313T000000",
     "2020-13", "00/2020", "10:60", "25:00 PM", "13:00 PM", "24:01", "1.2.3", "10.0.19", "March", "May 5", "12 Main St",
     "5", "", "2024", "16:9", "192.168.0.1", "+49 30 1234", "1-2", "x 01/02/2024", "01/02/2024 x", "Jan-2018-Feb"],
)  # fmt: skip
def test_what_is_no_date_is_read_as_none(word):
    assert dates.candidates(word) == ()


EARLY = st.dates(dt.date(2001, 1, 1), dt.date(2060, 12, 28)).map(
    lambda d: d.replace(day=min(d.day, 12))
)


@MANY
@given(
    days=st.lists(EARLY, min_size=5, max_size=5, unique=True),
    form=st.sampled_from(["%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d/%m/%Y %H:%M"]),
)
def test_day_or_month_first_is_asked_where_both_fit_every_row_and_the_answer_is_taken(days, form):
    # A year of two digits up to 31 may be a day too, with the year first.
    assume("%Y" in form or any(day.year % 100 > 31 for day in days))
    words = [day.strftime(form) for day in days]
    _, source = read(words)
    found = source.profile["when"]
    assert len(found.ambiguous) == 2
    decision = decide(source, kinds={"x": "numeric"})[0]
    assert decision.kind == "dropped"
    assert "--day-first or --month-first says which" in decision.reason
    swapped = form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
    for order, written in (("day-first", form), ("month-first", swapped)):
        answered = open_table(pa.table({"when": words, "x": range(5)}))
        decided = decide(answered, kinds={"when": order, "x": "numeric"})[0]
        assert decided.kind in ("datetime", "constant")
        expected = [dt.datetime.strptime(word, written) for word in words]
        assert answered.table(["when"]).column(0).to_pylist() == expected
        assert decided.type == answered.types["when"]


@MANY
@given(
    days=st.lists(EARLY, min_size=4, max_size=4),
    late=st.integers(13, 28),
    at=st.integers(0, 4),
    first=st.booleans(),
)
def test_one_day_after_the_twelfth_decides_for_all_rows(days, late, at, first):
    days.insert(at, dt.date(2020, 1, late))
    form = "%d/%m/%Y" if first else "%m/%d/%Y"
    found, source = read([day.strftime(form) for day in days])
    assert source.types["when"] == f"time {form}"
    assert [each.date() for each in found] == days


def test_a_year_of_two_digits_that_comes_first_is_asked_about_only_among_many_days_of_few_years():
    days = [dt.date(2014, 1, 1) + dt.timedelta(7 * i) for i in range(70)]
    _, source = read([day.strftime("%d-%m-%y") for day in days])
    assert source.types["when"] == "time %d-%m-%y"
    assert not source.profile["when"].ambiguous
    _, source = read([day.strftime("%y-%m-%d") for day in days])
    assert source.profile["when"].ambiguous == ("%d-%m-%y", "%y-%m-%d")
    assert "--day-first or --year-first" in decide(source)[0].reason
    found, source = read([day.strftime("%y/%m/%d") for day in [dt.date(1999, 12, 31), *days]])
    assert source.types["when"] == "time %y/%m/%d"
    assert found[1] == dt.datetime(2014, 1, 1)


def test_a_year_of_two_digits_is_no_year_of_four(tmp_path):
    """It was the year 14 once."""
    found, source = read(["01/13/14", "02/01/15", "03/02/16"])
    assert source.types["when"] == "time %m/%d/%y"
    assert found[0] == dt.datetime(2014, 1, 13)


WRONG = ("soon", "5", "13.13.2024", "2020-02-30", "32/01/2020")


@MANY
@given(data=st.data())
def test_a_cell_that_is_written_otherwise_is_named_with_its_line(tmp_path_factory, data):
    form = data.draw(st.sampled_from(sorted(FORMS)))
    moments = data.draw(st.lists(MOMENTS, min_size=6, max_size=6, unique=True))
    at = data.draw(st.integers(0, 7))
    words = [CLEAR.strftime(form), *(each.strftime(form) for each in moments)]
    words.insert(at, data.draw(st.sampled_from(WRONG)))
    path = tmp_path_factory.mktemp("dates") / "t.csv"
    path.write_text("x;when\n" + "".join(f"{i / 3};{word}\n" for i, word in enumerate(words)))
    rule = (
        f"must hold dates written as elsewhere in it, got {words[at]!r}: line {at + 2}, column 'when'"
    )
    with pytest.raises(ValueError, match=re.escape(rule)):
        decide(open_table(path))


@pytest.mark.parametrize(
    ("fitted", "other", "said"),
    [
        ("01/31/2024", "01/31/24", "must hold dates such as 01/31/2024 (month-first), got '01/31/24': row 1"),
        ("01/31/2024", "31/01/2024", "(month-first), got '31/01/2024': row 1"),
        ("2024-01-31", "20240131T000000", "must hold dates such as 2024-01-31, got '20240131T000000': row 1"),
        ("2024-01-31", "31-Jan-24", "must hold dates such as 2024-01-31, got '31-Jan-24'"),
        ("31.01.2024", "30.02.2024", "must hold dates such as 31.01.2024 (day-first), got '30.02.2024'"),
        ("01/31/2024 01:20 PM", "01/31/2024 13:20", "such as 01/31/2024 03:30 PM (month-first), got '01/31/2024 13:20'"),
        ("13:20", "1:20 PM", "must hold times of day such as 15:30, got '1:20 PM'"),
        ("13:20", "2024-01-31", "must hold times of day such as 15:30, got '2024-01-31'"),
        ("13:20", dt.datetime(2024, 1, 31, 13, 20), "must hold times of day, got '2024-01-31 13:20:00'"),
        ("01/31/2024", dt.time(13, 20), "must hold dates, got '13:20:00'"),
        ("26:10:00", "2640", "must hold time spans such as 1:02:03 or 4 days 01:02:03, got '2640'"),
        ("26:10:00", 2640.0, "must hold time spans, got '2640'"),
        ("26:10", "0:26:10", "must hold time spans such as 12:30 (hours and minutes), got '0:26:10'"),
    ],
)  # fmt: skip
def test_a_model_reads_what_it_read_when_it_was_fitted_and_refuses_the_rest(fitted, other, said):
    _, source = read([fitted, None, fitted])
    with pytest.raises(ValueError, match=re.escape(said)):
        read([None, other], types=source.types)


def test_a_model_that_was_fitted_to_text_takes_what_is_stored_as_times():
    day, clock, span = dt.datetime(2024, 1, 31), dt.time(13, 20), dt.timedelta(hours=26)
    for word, value, expected in (
        ("31.01.2024", day, day), ("31.01.2024", day.date(), day), ("13:20", clock, dt.datetime(1970, 1, 1, 13, 20)),
        ("26:00:00", span, 93600.0), ("26:00:00", None, None), ("13:20", None, None),
    ):  # fmt: skip
        _, source = read([word, word])
        assert read([value, None], types=source.types)[0] == [expected, None]


SPANS = st.timedeltas(dt.timedelta(days=-300), dt.timedelta(days=300))


def clock_of(span, colon=True):
    total = span // dt.timedelta(seconds=1)
    hours, minutes, seconds = total // 3600, total // 60 % 60, total % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if colon else f"{hours}h {minutes}m {seconds}s"


def iso_of(span):
    sign, span = ("-", -span) if span < dt.timedelta() else ("", span)
    whole = f"{sign}P{span.days}DT{span.seconds // 3600}H{span.seconds // 60 % 60}M"
    return f"{whole}{span.seconds % 60}.{span.microseconds:06}S"


WRITTEN = {
    "by Python": (str, 1), "by pandas": (lambda span: str(pandas.Timedelta(span)), 1), "in ISO 8601": (iso_of, 1),
    "with colons": (lambda span: clock_of(abs(span)), 10**6), "with units": (lambda s: clock_of(abs(s), False), 10**6),
    "not at all": (lambda span: span, 1),
}  # fmt: skip


@pytest.mark.parametrize("how", WRITTEN)
@FEW
@given(drawn=st.lists(SPANS, min_size=6, max_size=6, unique=True))
def test_time_spans_become_seconds_however_they_are_written(how, drawn):
    write, step = WRITTEN[how]
    drawn.append(dt.timedelta(days=9, hours=5, seconds=7))
    found, source = read([None, *map(write, drawn)])
    spans_of = [abs(each) if step > 1 else each for each in drawn]
    assert found == [None] + [
        each // dt.timedelta(microseconds=step) / (10**6 / step) for each in spans_of
    ]
    decision = decide(source)[0]
    assert (decision.kind, decision.type) == ("numeric", "number span")
    low, high = min(found[1:]), max(found[1:])
    assert (source.profile["when"].low, source.profile["when"].high) == (low, high)


WHICH = {
    "hours of a day": (["0:44:00", "23:59:59", "7:10:05"], "when", "time %H:%M:%S"),
    "more than a day": (["0:44:00", "26:10:00", "7:10:05"], "when", "number span"),
    "less than an hour each": (["0:44:00", "0:04:13", "0:59:59"], "when", "number span"),
    "by its name": (["1:44:00", "2:04:13", "3:59:59"], "flight_duration", "number span"),
    "below zero": (["-0:44:00", "0:04:13", "0:59:59"], "when", "number span"),
    "hours and minutes of a day": (["00:15", "12:45", "24:00"], "when", "time %H:%M"),
    "hours and minutes": (["38:30", "40:00", "7:15"], "when", "number span %H:%M"),
    "minutes and hours": (["59:10", "1:02:03", "58:03"], "when", "number span %M:%S"),
    "units": (["2h 50m", "19h", "25m"], "when", "number span"),
    "one unit": (["90 min", "20 min", "25 min"], "when", 'number {"after": "min"}'),
    "points": (["18.00.00", "19.30.00", "0.00.00"], "when", "time %H.%M.%S"),
    "12 hours": (["6:30 PM", "12:05 am", "11:00 PM"], "when", "time %I:%M %p"),
}


@pytest.mark.parametrize("case", WHICH)
@pytest.mark.parametrize("turn", [0, 1, 2])
def test_times_of_day_and_time_spans_are_told_apart_by_the_whole_column(case, turn):
    words, name, expected = WHICH[case]
    words = words[turn:] + words[:turn]
    assert open_table(pa.table({name: words})).types[name] == expected


def test_what_is_asked_for_decides_between_times_of_day_and_time_spans():
    words = ["1:44:00", "2:04:13", "3:59:59"]
    for name, kind, expected in (
        ("when", "numeric", 6240.0),
        ("duration", "datetime", dt.datetime(1970, 1, 1, 1, 44)),
    ):
        source = open_table(pa.table({name: words, "x": [1.5, 2, 3]}))
        assert source.schema.field(name).type != (
            pa.float64() if kind == "numeric" else pa.timestamp("us")
        )
        assert decide(source, kinds={name: kind})[0].kind == kind
        assert source.table([name]).column(0).to_pylist()[0] == expected


def encoded(words, **options):
    source = open_table(pa.table({"t": words, "x": np.arange(len(words)) / 2}))
    encoder = TableEncoder.learn(source.batches(), decide(source, **options))
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    numbers = again.encode(source.table())
    np.testing.assert_array_equal(numbers, encoder.encode(source.table()))
    return dict(zip(encoder.feature_names, numbers.T.tolist(), strict=True))


def test_a_time_of_day_is_hour_and_minute_and_a_point_on_the_circle_of_the_day():
    found = encoded(["00:00", "06:30", None, "24:00", "18:00"])
    assert found["t: hour"] == [0, 6, 3, 0, 18]
    assert found["t: minute"] == [0, 30, 0, 0, 0]
    assert found["t is missing"] == [0, 0, 1, 0, 0]
    angle = 2 * np.pi * np.array([0.0, 6.5, np.nan, 0.0, 18.0]) / 24
    for name, expected in (("sine", np.sin(angle)), ("cosine", np.cos(angle))):
        expected[2] = np.nanmedian(expected)
        np.testing.assert_allclose(found[f"t: {name} of the day"], expected, atol=1e-15)


def test_a_month_has_no_day_of_the_week():
    found = encoded(["2020-08", "2021-09", "2020-10"])
    assert [name for name in found if name != "x"] == ["t: year", "t: month"]
    found = encoded(["01/31/2015 01:20:00 PM", "02/01/2016 01:20:00 AM", "03/04/2015 12:20:00 AM"])
    assert found["t: hour"] == [13, 1, 0]
    assert [*found][:4] == ["t: year", "t: month", "t: day of week", "t: hour"]


def doors(folder):
    """Give one table of times in every form in which we are handed one."""
    rng = np.random.default_rng(0)
    n = 60
    seconds, micro = rng.integers(0, 10**6, n), rng.integers(0, 10**6, n)
    frame = pandas.DataFrame({
        "x": rng.random(n),
        "span": pandas.to_timedelta(seconds * 10**6 + micro, unit="us"),
        "when": pandas.to_datetime("2020-01-01") + pandas.to_timedelta(seconds * 100, unit="s"),
        "clock": [dt.time(int(s) % 24, int(s) % 60) for s in seconds],
    })  # fmt: skip
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_csv(folder / "t2.csv", index=False, sep=";")
    frame.to_parquet(folder / "t.parquet")
    table = pa.table({name: pa.array(frame[name]) for name in frame})
    arrow = polars.from_arrow(table)
    iso = arrow.with_columns(polars.col("span").dt.to_string("iso"))
    iso.write_csv(folder / "p.csv")
    stored = [folder / name for name in ("t.csv", "t2.csv", "p.csv", "t.parquet")]
    return [*stored, frame, frame.astype(object), frame.astype(str), table, arrow]


def test_one_table_of_times_is_one_reading_at_every_door(tmp_path):
    encoders, numbers = [], []
    tables = doors(tmp_path)
    for each in tables:
        source = open_table(each)
        encoders.append(TableEncoder.learn(source.batches(), decide(source)))
        numbers.append(encoders[-1].encode(source.table()))
    assert numbers[0].shape == (60, 10)
    for each, encoder, found in zip(tables, encoders, numbers, strict=True):
        assert [(d.kind, d.type) for d in encoder.decisions] == [
            ("numeric", "number"), ("numeric", "number span"), ("datetime", "time"), ("datetime", "time %H:%M:%S"),
        ]  # fmt: skip
        np.testing.assert_array_equal(found, numbers[0])
        types = {d.name: d.type for d in encoders[0].decisions}
        again = open_table(open_table(each, types=types).table(), types=types)  # read twice
        np.testing.assert_array_equal(encoders[0].encode(again.table()), numbers[0])


def test_an_estimator_takes_time_spans_and_says_which_dates_it_leaves_out(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.random(90)
    frame = pandas.DataFrame({"x": x, "span": pandas.to_timedelta(np.arange(90), "h")})
    model = cp.MLPClassifier(preset="realmlp-s", max_iter=2, random_state=0, engine="numpy")
    model.fit(frame, x > 0.5)
    assert [each.kind for each in model.columns_] == ["numeric", "numeric"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    again = pandas.read_csv(tmp_path / "t.csv")  # which reads text
    np.testing.assert_array_equal(model.predict_proba(frame), model.predict_proba(again))
    frame["day"] = [f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(90)]
    with pytest.warns(
        UserWarning, match="column 'day' of X is left out: dates such as '01/01/2024' can be"
    ):
        model.fit(frame, x > 0.5)
    model.set_params(columns={"day": "month-first"}).fit(frame, x > 0.5)
    assert model.columns_[2].type == "time %m/%d/%Y"
    with pytest.raises(ValueError, match="column 'day' of X is undecided: dates such as '01/01/2024'"):
        model.set_params(columns={"day": "datetime"}).fit(frame, x > 0.5)
    with pytest.raises(
        ValueError, match="column 'span' of X cannot be day-first: it holds number span"
    ):
        model.set_params(columns={"span": "day-first"}).fit(frame, x > 0.5)


def test_a_stream_is_told_which_comes_first():
    n = 90
    day = [f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(n)]
    table = pa.table({"day": day, "x": np.arange(n) / 2, "y": [i % 2 for i in range(n)]})
    with pytest.warns(UserWarning, match="column 'day' of X is left out: dates such as"):
        cp.data.stream(table, target="y", seed=0)
    rows = cp.data.stream(table, target="y", seed=0, kinds={"day": "day-first"}, time="day")
    assert "the latest by 'day'" in rows.notes[0]
    months = rows.source.table(["day"]).column(0).to_pylist()
    assert months[1] == dt.datetime(2024, 2, 2)
    assert months[8] == dt.datetime(2024, 2, 9)


def test_the_shell_asks_which_comes_first_and_takes_the_answer(clearprop):
    rows = "".join(f"{i / 7},0{1 + i % 9}/0{1 + i % 7}/2024,{'ab'[i % 2]}\n" for i in range(60))
    with open("t.csv", "w") as file:
        file.write("x,day,y\n" + rows)
    train = ("train", "t.csv", "--target", "y", "--epochs", "1", "--hidden", "4")
    code, _, err = clearprop(*train)
    assert code == 0
    assert re.search(r"^day +dropped +left out", err, re.MULTILINE)
    assert "--day-first or --month-first" in " ".join(err.split())
    with warnings.catch_warnings(action="default"):
        code, _, err = clearprop(*train, "--quiet")
    assert code == 0
    assert "warning: column 'day' of t.csv is left out: dates such as" in err
    code, _, err = clearprop(*train, "--month-first", "day")
    assert code == 0
    assert re.search(r"^day +datetime +2 ", err, re.MULTILINE)
    assert cp.MLPClassifier.load("t.safetensors").columns_[1].type == "time %m/%d/%Y"
    with open("new.csv", "w") as file:
        file.write("x,day\n0.5,13/01/2024\n")
    code, _, err = clearprop("predict", "t.safetensors", "new.csv")
    assert code == 2
    assert "must hold dates such as 01/31/2024 (month-first), got '13/01/2024': line 2" in err
    code, _, err = clearprop(*train, "--month-first", "day", "--day-first", "day")
    assert code == 2
    assert "--day-first and --month-first must be different columns, got 'day'" in err
    code, _, err = clearprop(*train, "--month-first", "dya")
    assert code == 2
    assert "--month-first must be among" in err
    code, _, err = clearprop(*train, "--time", "day")
    assert code == 2
    assert "the time 'day' of t.csv is undecided: dates such as '01/01/2024'" in err


@pytest.mark.parametrize("rows", [2, 3, 100])
def test_where_a_batch_ends_makes_no_difference(monkeypatch, rows):
    monkeypatch.setattr("clearprop.data.table.source.BATCH_ROWS", rows)
    words = [None, None, None, "01/02/2014", "03/04/2014", "05/06/2014", "31/07/2014"]
    assert read(words)[1].types["when"] == "time %d/%m/%Y"
    assert read([None, None, None, "true", "false", "true"])[1].types["when"] == "boolean"
    with pytest.raises(ValueError, match="dates written as elsewhere in it, got '5': row 0"):
        decide(read(["5", "6", None, *words, *words, *words])[1])


def test_words_beside_a_few_times_of_day_are_categories():
    words = ["9:00", "10:00", "closed", "9:30"] * 10
    assert decide(read(words)[1])[0].kind == "categorical"
    words = [f"{i % 24}:{i % 60:02}" for i in range(60)]
    with pytest.raises(ValueError, match="times of day written as elsewhere in it, got 'noon': row 60"):
        decide(read([*words, "noon"])[1])


def test_every_form_has_an_example_that_it_reads():
    for form in (
        "",
        "%d/%m/%Y",
        "%b %d, %Y %I:%M:%S %p",
        "%a, %d %b %Y %H:%M:%S %z",
        "%Y%m%dT%H%M%S",
        "%H:%M",
    ):
        assert dates.parse(pa.array([dates.example_of(form)]), form)[0].as_py() is not None
    for form, words in spans.EXAMPLES.items():
        first = re.split(r" \(| or ", words)[0]
        assert spans.parse(pa.array([first]), form)[0].as_py() is not None


def test_parquet_keeps_times_of_day_as_they_are(tmp_path):
    clocks = [dt.time(i % 24, i % 60) for i in range(30)]
    pq.write_table(pa.table({"when": clocks, "x": range(30)}), tmp_path / "t.parquet")
    source = open_table(tmp_path / "t.parquet")
    assert source.types["when"] == "time %H:%M:%S"
    assert source.table().column("when").to_pylist()[3] == dt.datetime(1970, 1, 1, 3, 3)
