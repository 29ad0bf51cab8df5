"""Numbers in clothes: the same numbers come out, whatever they wear; what wears something else is named."""

import csv
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clearprop as cp
from clearprop.checkpoint import CheckpointError, estimator_description
from clearprop.data.table import (
    ReadOptions,
    Roles,
    TableEncoder,
    TargetEncoder,
    decide,
    open_table,
    stream,
)
from clearprop.data.table.dressed import Dress

RNG = random.Random(5)


def table(column, name="a", **more):
    return pa.table({name: column, "other": np.arange(len(column)) / 2, **more})


def decided(column, name="a", options=None, **how):
    return decide(open_table(table(column, name), options), **how)[0]


def learned(what, options=None):
    """Return the decision on a table's first column, its encoded inputs, and the encoder."""
    source = open_table(what, options)
    decisions = decide(source)
    encoder = TableEncoder.learn(source.batches(), decisions)
    width = len(encoder.encoded[0].feature_names)
    return decisions[0], encoder.encode(source.table())[:, :width], encoder


def encoded(what, encoder):
    """Return what an encoder, after it was written and read again, makes of another table."""
    again = TableEncoder.from_json(encoder.to_json())
    source = open_table(what, types={each.name: each.type for each in again.decisions})
    return again.encode(source.table(again.columns))[:, : len(again.encoded[0].feature_names)]


# A dress, drawn

BEFORE = ("", "$", "€", "US$", "USD ", "Rs. ", "₹ ", "£\u00a0")
AFTER = ("", " CC", "%", " %", "kg", " km/h", " €", "+", " sq ft", "m²", "\u00a0l/100km", " lbs", "°C")
THOUSANDS = {".": ("", ",", " ", "\u00a0", "\u202f", "'"), ",": ("", ".", " ", "\u00a0", "'")}
NEGATIVE = ("-{}", "\u2212{}", "({})")
TENS = {"": 0, "k": 3, "M": 6, "B": 9}


@st.composite
def dresses(draw):
    mark = draw(st.sampled_from(".,"))
    return {
        "before": draw(st.sampled_from(BEFORE)),
        "after": draw(st.sampled_from(AFTER)),
        "mark": mark,
        "thousands": draw(st.sampled_from(THOUSANDS[mark])),
        "negative": draw(st.sampled_from(NEGATIVE)),
        "magnitudes": draw(st.booleans()),
    }


def dress_up(number, dress, magnitude=""):
    """Return a Decimal as a person would write it."""
    whole, _, fraction = f"{abs(number):,}".partition(".")
    text = whole.replace(",", dress["thousands"]) + (dress["mark"] + fraction if fraction else "")
    text = f"{dress['before']}{text}{magnitude}{dress['after']}"
    return dress["negative"].format(text) if number < 0 else text


@st.composite
def columns(draw):
    """Return a dress, cells in it, and their numbers; one cell tells its decimal sign."""
    dress = draw(dresses())
    scaled = st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 2)).map(
        lambda pair: Decimal(pair[0]).scaleb(-pair[1])
    )
    drawn = draw(st.lists(scaled, min_size=10, max_size=30, unique=True))
    numbers = [Decimal("12.5"), Decimal("1234567.5"), *drawn]
    marks = [""] * len(numbers)
    if dress["magnitudes"]:  # without a unit, fewer than five are strays
        marks = ["k"] * 6 + [draw(st.sampled_from(list(TENS))) for _ in numbers[6:]]
        if dress["after"][:1].isalpha():
            dress["after"] = " " + dress["after"]
    cells = [dress_up(number, dress, mark) for number, mark in zip(numbers, marks, strict=True)]
    expected = [float(f"{number}e{TENS[mark]}") for number, mark in zip(numbers, marks, strict=True)]
    return dress, cells, expected


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(columns(), st.integers(1, 9))
def test_the_same_numbers_come_out_whatever_they_wear_and_wherever_the_blocks_end(drawn, block):
    _, cells, expected = drawn
    decision, X, encoder = learned(table(cells))
    assert decision.kind == "numeric", decision
    np.testing.assert_array_equal(X, np.array(expected)[:, None])
    whole = table(cells)
    parts = [whole.slice(start, block) for start in range(0, len(cells), block)]
    assert decide(open_table(pa.concat_tables(parts)))[0] == decision
    np.testing.assert_array_equal(encoded(whole, encoder), X)


@settings(max_examples=11, deadline=None)
@given(columns())
def test_every_form_of_a_table_is_read_alike(tmp_path_factory, drawn):
    _, cells, _ = drawn
    folder = tmp_path_factory.mktemp("forms")
    whole = table(cells)
    decision, X, encoder = learned(whole)
    forms = [whole.to_pandas(), whole.to_pandas().convert_dtypes(), pl.from_arrow(whole)]
    pq.write_table(whole, folder / "t.parquet")
    with open(folder / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [("a", "other"), *zip(cells, (i / 2 for i in range(len(cells))), strict=True)]
        )
    for form in (*forms, folder / "t.parquet", folder / "t.csv"):
        found, Z, _ = learned(form)
        assert found == decision
        np.testing.assert_array_equal(Z, X)
        np.testing.assert_array_equal(encoded(form, encoder), X)


MUTANTS = {
    "another unit": lambda dress: {**dress, "after": " lb" if dress["after"] != " lbs" else " kg"},
    "another currency": lambda dress: {**dress, "before": "¥" if dress["before"] != "¥" else "$"},
    "nothing": lambda dress: {**dress, "before": "", "after": ""},
}


@settings(max_examples=30, deadline=None)
@given(columns(), st.sampled_from(list(MUTANTS)), st.data())
def test_a_cell_in_another_dress_is_named(drawn, mutant, data):
    dress, cells, _ = drawn
    other = MUTANTS[mutant](dress)
    if other["before"] + other["after"] == dress["before"] + dress["after"]:
        return
    row = data.draw(st.integers(0, len(cells) - 1))
    strange = dress_up(Decimal("77.5"), other)
    mutated = [*cells[:row], strange, *cells[row + 1 :]]
    _, _, encoder = learned(table(cells))
    place = rf"got {strange!r}"
    for read in (lambda: decided(mutated), lambda: encoded(table(mutated), encoder)):
        with pytest.raises(ValueError) as caught:
            read()
        assert place in str(caught.value)
        assert f"row {row}, column 'a'" in str(caught.value)


# What it is said to be

KINDS = {
    "a unit": ([f"{800 + i} CC" for i in range(60)], "whole numbers in 'CC' from 800 to 859"),
    "per cent": ([f"{i / 4}%" for i in range(60)], "numbers in '%' from 0 to 14.75"),
    "money": ([f"${i + 0.5}M" for i in range(60)], "whole numbers in '$' with magnitudes such as M from 500000 to 59500000"),
    "at least": (["10,000+", "1,000,000+", "500+", "0", "50+", "5+"] * 10, "in '+' with thousands as 1,234 from 0 to 1000000"),
    "magnitudes": ([f"{i}k" for i in range(60)] + ["950"], "whole numbers with magnitudes such as k from 0 to 59000"),
    "India": ([f"₹{i},00,000" for i in range(1, 61)], "in '₹' with thousands as 1,234 from 100000 to 6000000"),
    "an accountant": ([f"({i})" for i in range(30)] + list("0123456789"), "with negatives as (5) from -29 to 9"),
    "an accountant's dollars": ([f"$({i}.50)" for i in range(30)] + [f"${i}" for i in range(10)], "numbers in '$' with negatives as (5) from -29.5 to 9"),
    "a real minus": ([f"\u2212{i}" for i in range(30)] + ["5", "70"], "with negatives as \u22125 from -29 to 70"),
    "commas in a column": ([f"{i},5" for i in range(60)], "numbers with decimal commas from 0.5 to 59.5"),
    "one above a thousand": ([*map(str, range(900, 1000)), "1,000", "1,000.5"], "with thousands as 1,234 from 900 to 1000.5"),
    "year and years": ([f"{i} year{'s' * (i != 1)}" for i in range(1, 61)], "in 'years' from 1 to 60"),
    "a scale that is one letter": ([f"{i} m" for i in range(60)], "whole numbers in 'm' from 0 to 59"),
}  # fmt: skip


@pytest.mark.parametrize("case", KINDS)
def test_what_the_numbers_wear_is_said(case):
    column, reason = KINDS[case]
    found = decided(column)
    assert (found.kind, reason in found.reason) == ("numeric", True), found.reason
    assert decided(column, categorical=["a"]).kind == "categorical"


NAMES = {
    "seats": [f"{1 + i % 30}{'ABCDEF'[i % 6]}" for i in range(300)],
    "ordinals": [f"{i}th" for i in range(4, 20)] * 5,
    "streets": [f"{i} {('Main St', 'High St', 'Oak Avenue')[i % 3]}" for i in range(60)],
    "few": ["36 months", "60 months"] * 30,
    "stars": [f"{1 + i % 5} stars" for i in range(200)],
    "flats": (["2 BHK"] * 6 + ["3 BHK", "4 Bedroom", "1 RK", "5 BHK"]) * 20,
    "codes": ["007 kg", "008 kg", "123 kg"] * 20,
    "all in parentheses": [f"({i})" for i in range(60)],
    "hours of the clock": [f"{1 + i % 12} {'AP'[i % 2]}M" for i in range(120)],
}


@pytest.mark.parametrize("case", NAMES)
def test_names_that_hold_a_number_are_no_numbers(case):
    assert decided(NAMES[case]).kind in ("categorical", "identifier", "datetime")


REFUSED = {
    "two units": ([f"{i} kg" if i % 3 else f"{i} lbs" for i in range(1, 60)], "in 'kg', as it does elsewhere, got '3 lbs' and 18 more like it: row 2"),
    "two units alike often": ([f"{i} {('kg', 'lbs')[i % 2]}" for i in range(60)], "in one unit, got '1 lbs', '2 kg': row 1"),
    "a word": ([f"{i} CC" for i in range(60)] + ["oops"], "in 'CC', as it does elsewhere, got 'oops': row 60"),
    "a bare number": ([f"{i} CC" for i in range(60)] + ["80"], "got '80': row 60"),
    "one parenthesis too many": ([f"${i}" for i in range(60)] + ["($(5)"], r"in '\$', .* got '\(\$\(5\)': row 60"),
    "a pair that is half open": ([f"${i}" for i in range(60)] + ["$(5"], r"in '\$', .* got '\$\(5': row 60"),
    "one magnitude": ([*map(str, range(60)), "5k"], "must hold numbers, as it does elsewhere, got '5k': row 60"),
    "a point among commas": ([f"{i},5 kg" for i in range(60)] + ["1.5 kg"], "with decimal commas, .* got '1.5 kg': row 60"),
    "both marks": ([f"{i},234" for i in range(1, 60)], "got '1,234', thousands or decimals .--decimal says which, in Python decimal='.' or ','"),
    "both marks in a unit": ([f"{i}.234 kg" for i in range(1, 60)], "got '1.234 kg', thousands or decimals"),
    "rare words": ([*map(str, range(600)), *["never"] * 9, "oops"], "as it does elsewhere, got 'oops': row 609"),
    "many words": ([*map(str, range(600)), *[f"no {i}" for i in range(11)] * 9], "got 'no 0' and 98 more like it: row 600"),
    "telephones": ([f"{600 + i} {100 + i} {200 + i}" for i in range(60)], "numbers written like 1234.5, got '600 100 200'"),
    "ever so many words": ([*map(str, range(600)), *[f"no {i}" for i in range(99)]], "got 'no 0' and 98 more like it: row 600"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_one_kind_of_number_is_named(case):
    column, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        decided(column)


def test_the_decimal_sign_answers_the_question(tmp_path):
    cells = [f"{i},234" for i in range(1, 60)]
    for mark, factor in ((".", 1000), (",", 1)):
        decision, X, _ = learned(table(cells), ReadOptions(decimal=mark))
        assert decision.kind == "numeric"
        np.testing.assert_allclose(X[:, 0], (np.arange(1, 60) + 0.234) * factor, rtol=1e-15)
    units = [f"{i}.234 €" for i in range(1, 60)]
    assert learned(table(units), ReadOptions(decimal=","))[1][0] == 1234
    assert learned(table(units), ReadOptions(decimal="."))[1][0] == 1.234


# Words among numbers

WORDS = [">20", "<1", "never", "10+"]
MIXED = [RNG.choice(WORDS) if i % 5 == 0 else str(RNG.randint(1, 40)) for i in range(5000)]


def test_each_of_a_few_words_among_numbers_is_an_input_of_its_own():
    cells = [*MIXED[:7], None, *MIXED[8:]]
    decision, X, encoder = learned(table(cells))
    assert decision.reason.endswith(" in 1,000 rows; 1 missing")
    assert encoder.encoded[0].feature_names == (
        "a",
        "a is missing",
        *(f"a = {w}" for w in sorted(WORDS)),
    )
    numbers = [float(c) if c and c.isdigit() else np.nan for c in cells]
    np.testing.assert_array_equal(X[:, 0], np.nan_to_num(numbers, nan=np.nanmedian(numbers)))
    for at, word in enumerate([None, *sorted(WORDS)], 1):
        np.testing.assert_array_equal(X[:, at], [cell == word for cell in cells])
    np.testing.assert_array_equal(encoded(table(cells), encoder), X)
    with pytest.raises(
        ValueError, match="must hold numbers, or .*'never'.*, got 'seldom': row 1, column 'a'"
    ):
        encoded(table(["3", "seldom"]), encoder)
    np.testing.assert_array_equal(encoded(table([3.0, None]), encoder)[:, :2], [[3, 0], [X[7, 0], 1]])


def test_words_stand_among_dressed_numbers_too():
    cells = ["< 1 year", "10+ years", "1 year"] * 20 + [f"{i} years" for i in range(2, 62)]
    decision, X, encoder = learned(table(cells))
    assert (
        "whole numbers in 'years' from 1 to 61; '10+ years', '< 1 year' in 40 rows" in decision.reason
    )
    np.testing.assert_array_equal(X[:3, 1:], [[0, 1], [1, 0], [0, 0]])
    assert encoder.encoded[0].summary.endswith("and where it is '10+ years', '< 1 year'")


def test_a_word_that_only_held_out_rows_have_is_missing_to_the_model():
    source = open_table(table(MIXED))
    decisions = decide(source)
    part = source.table().slice(0, 7).filter([c != "never" for c in MIXED[:7]])
    encoder = TableEncoder.learn([part], decisions)
    X = encoder.encode(source.table())
    row = MIXED.index("never")
    assert "a = never" not in encoder.feature_names
    assert X[row, 0] == encoder.encoded[0].median


def test_few_numbers_and_words_are_categories_as_before():
    assert decided(["0", "1", "3+"] * 20).kind == "categorical"
    assert decided(["5 kg", "heavy"] * 20).kind == "categorical"


# Other roles


def test_targets_weights_and_times_may_be_dressed():
    money = table([f"${i}.50" for i in range(60)], "y")
    source = open_table(money)
    target = TargetEncoder.learn(source, "y")
    assert (target.kind, target.reason) == ("regression", "numbers with fractions, in '$'")
    assert target.codes(source.table(["y"]).column(0))[:2].tolist() == [0.5, 1.5]
    rows = stream(
        money.append_column("w", pa.array([f"{1 + i} kg" for i in range(60)])).append_column("t", pa.array([f"{i} s" for i in range(60)])),
        target="y", weight="w", time="t", validation=0.2,
    )  # fmt: skip
    assert rows.held.weight.tolist() == [float(i) for i in range(49, 61)]


def test_a_target_with_words_among_its_numbers_is_refused_as_before():
    source = open_table(table(MIXED, "y"))
    with pytest.raises(
        ValueError, match="must hold numbers, as it does elsewhere, got .*: row 0, target 'y'"
    ):
        TargetEncoder.learn(source, "y")


def test_a_stream_learns_the_same():
    frame = table(MIXED, gross=[f"${i}.5M" for i in range(5000)], y=np.arange(5000) % 2)
    rows = stream(frame, target="y", buffer_rows=5000, validation=0.0)
    source = open_table(frame)
    decisions = decide(source, Roles(target="y"))
    assert rows.decisions == decisions
    assert rows.encoder.to_json() == TableEncoder.learn(source.batches(), decisions).to_json()


# Numbers that look like a missing value

SENTINELS = {
    "-999 among fractions": ([-999.0] * 9 + [i / 7 for i in range(300)], "-999 in 9 rows"),
    "-200 among temperatures": (["-200"] * 9 + [f"{i / 7 - 9:.3f}" for i in range(300)], "-200 in 9 rows"),
    "9999 above": ([9999] * 9 + list(range(300)), "9999 in 9 rows"),
    "99 above, as surveys have it": ([99] * 9 + [i / 7 for i in range(300)], "99 in 9 rows"),
    "an age of 55": ([55] * 9 + [i / 14 for i in range(300)], None),
    "once": ([-999.0] + [i / 7 for i in range(300)], None),
    "near": ([-9.0] * 9 + [i / 7 for i in range(300)], None),
    "no such number": ([1000.0] * 9 + [i / 7 for i in range(300)], None),
    "nothing but it": ([-999.0] * 9 + [5.0] * 300 + [6.5] * 3, "-999 in 9 rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", SENTINELS)
def test_a_number_far_from_all_others_and_often_there_is_pointed_out(case):
    column, said = SENTINELS[case]
    found = decided(column)
    assert found.kind == "numeric"
    assert ("far from all others" in found.reason) == (said is not None)
    if said is not None:
        value = said.split()[0]
        assert f"{said} is far from all others: if it means missing, --missing={value}" in found.reason


def test_it_is_found_where_different_numbers_are_too_many_to_count():
    column = np.random.default_rng(0).normal(size=30_000)
    column[::100] = -999
    assert "-999 in 300 rows is far from all others" in decided(column).reason


def test_a_large_median_is_written_out():
    column = [str(i * 1_234_567) for i in range(60)] + [None]
    assert "median 36419726, and" in learned(table(column))[2].encoded[0].summary


def test_a_dress_is_kept_as_text_and_comes_back():
    for dress in (
        Dress(),
        Dress("$", magnitudes=("M", "k")),
        Dress(after="m²", decimal=",", thousands=". ", negatives="(", words=("never",)),
    ):
        kind, _, form = dress.type.partition(" ")
        assert kind == "number"
        assert (Dress.of_type(form) if form else Dress()) == dress


# From end to end


def made_up(n=120):
    rng = np.random.default_rng(3)
    tenure = [RNG.choice(WORDS) if i % 4 == 0 else str(RNG.randint(1, 40)) for i in range(n)]
    return pd.DataFrame(
        {
            "engine": [f"{800 + i} CC" for i in range(n)],
            "gross": [f"${each:.2f}M" for each in rng.uniform(1, 99, n)],
            "tenure": tenure,
            "price": [f"${10 * i + 5000:,}.50" for i in range(n)],
        }
    )


def test_an_estimator_learns_and_predicts_from_any_form_and_from_its_file(tmp_path):
    frame = made_up()
    X, y = frame.drop(columns="price"), np.arange(120) / 120
    model = cp.MLPRegressor(preset="realmlp-s", max_iter=2, random_state=0, engine="numpy").fit(X, y)
    assert model.network_.model.inputs.encoder.n_features == 2 + 1 + len(WORDS)
    model.save(tmp_path / "m.safetensors")
    again = cp.MLPRegressor.load(tmp_path / "m.safetensors")
    expected = model.predict(X)
    for form in (X, X.convert_dtypes(), pl.from_pandas(X), pa.Table.from_pandas(X)):
        np.testing.assert_array_equal(model.predict(form), expected)
        np.testing.assert_array_equal(again.predict(form), expected)
    bare = X.assign(engine=np.arange(120) + 800)
    with pytest.raises(
        ValueError,
        match="must hold numbers written like '1234.5 CC', got '800': row 0, column 'engine'",
    ):
        again.predict(bare)


def test_the_shell_trains_on_clothes_and_names_others_at_predict(clearprop, tmp_path):
    made_up().to_csv(tmp_path / "t.csv", index=False)
    how = ("--target", "price", "--hidden", "5", "--engine", "numpy", "--seed", "0", "--epochs", "2")
    code, _, err = clearprop("train", "t.csv", *how, "--output", "m.safetensors")
    assert code == 0
    assert "whole numbers in 'CC' from 800 to 919" in err
    assert "numbers with fractions, in '$' with thousands as 1,234" in err
    code, _, _ = clearprop("train", "t.csv", *how, "--output", "s.safetensors", "--buffer", "1000")
    assert code == 0
    for name in ("m.safetensors", "s.safetensors"):
        assert clearprop("evaluate", name, "t.csv")[0] == 0
        code, out, _ = clearprop("predict", name, "t.csv")
        assert (code, len(out.splitlines())) == (0, 121)
    text = (tmp_path / "t.csv").read_text().replace("801 CC", "801 hp")
    (tmp_path / "other.csv").write_text(text)
    code, _, err = clearprop("predict", "m.safetensors", "other.csv")
    assert code == 2
    assert "must hold numbers written like '1234.5 CC', got '801 hp': line 3, column 'engine'" in err


BAD_TYPES = (
    "number {",
    "number 5",
    'number {"unit": "kg"}',
    'number {"decimal": ";"}',
    'number {"words": "never"}',
)


@pytest.mark.parametrize("kind", BAD_TYPES)
def test_a_file_that_describes_no_dress_is_refused(kind):
    with pytest.raises(CheckpointError):
        estimator_description._cell_type(kind, "type")
    estimator_description._cell_type(Dress("$", words=("never",)).type, "type")


OTHERS = {
    "thousands": ([f"{i} CC" for i in range(800, 860)], "1,248 CC"),
    "other thousands": ([f"{i},000,000 CC" for i in range(1, 60)], "1 000 000 CC"),
    "the other decimal sign": ([f"{i}.5 CC" for i in range(60)], "12,5 CC"),
    "a magnitude": ([f"{i} CC" for i in range(60)], "5k CC"),
    "a bare number": ([f"{i}%" for i in range(60)], "0.05"),
    "a currency before it": ([f"{i} kr" for i in range(60)], "kr 5"),
    "a word": ([f"{i} kr" for i in range(60)], "free"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_model_reads_only_the_dress_that_it_has_learned(case):
    cells, other = OTHERS[case]
    _, X, encoder = learned(table(cells))
    np.testing.assert_array_equal(
        encoded(table([cells[5], " 0 ", ""]), encoder)[:, 0], [X[5, 0], 0, np.median(X)]
    )
    with pytest.raises(
        ValueError, match=f"must hold numbers written like .*, got '{other}': row 1, column 'a'"
    ):
        encoded(table([cells[5], other]), encoder)


def test_a_number_that_looks_missing_in_one_column_is_pointed_out_in_the_others_and_in_the_target():
    n = 400
    plain = np.arange(n) / 7
    columns = {
        "t": np.where(np.arange(n) % 40, plain, -200.0),
        "wide": np.where(np.arange(n) % 40, 40.0 * plain, -200.0),  # near, for its range
        "rare": np.where(np.arange(n) == 7, -200, np.arange(n)),
        "mostly": np.where(np.arange(n) % 9, -200, np.arange(n)),
        "flag": np.where(np.arange(n) % 3, -200, 1),
        "free": plain,
        "beyond": np.where(np.arange(n) % 40, plain, -300.0) - 200.0 * (np.arange(n) == 5),
        "gas": np.where(np.arange(n) % 40, plain, -200.0),
    }
    found = decide(open_table(pa.table(columns)), Roles(target="gas"))
    told = {each.name: each.reason for each in found}
    apart = "; -200 in 10 rows is far from all others: if it means missing, --missing=-200"
    assert told["t"].endswith(apart)
    assert told["gas"] == "what is learned" + apart
    assert told["wide"].endswith("; -200 in 10 rows, as in 't': missing there?")
    assert told["rare"].endswith("; -200 in 1 row, as in 't': missing there?")
    assert told["mostly"].endswith("; -200 in 355 rows, as in 't': missing there?")
    assert told["flag"].endswith("; -200 in 266 rows, as in 't': missing there?")
    assert "missing" not in told["free"]
    assert "-200" not in told["beyond"]


TOLD_COMMAS = {
    "1.234 as thousands": ([f"{i}.234" for i in range(1, 60)], np.arange(1, 60) * 1000.0 + 234),
    "1,5 and 2": ([f"{i},5" if i % 2 else str(i) for i in range(60)], [i + i % 2 / 2 for i in range(60)]),
    "whole numbers": ([str(i) for i in range(60)], np.arange(60.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD_COMMAS)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_frame_whose_decimal_sign_is_said_to_be_a_comma_is_read_so(case, frame):
    cells, numbers = TOLD_COMMAS[case]
    made = frame({"a": cells, "other": np.arange(len(cells)) / 2})
    _, X, encoder = learned(made, ReadOptions(decimal=","))
    np.testing.assert_array_equal(X[:, 0], numbers)
    np.testing.assert_array_equal(encoded(made, encoder), X)


def test_a_frame_said_to_have_decimal_commas_must_not_have_points():
    with pytest.raises(ValueError, match="must hold numbers with decimal commas, got points"):
        decided([f"{i}.5" for i in range(1, 60)], options=ReadOptions(decimal=","))


LADDERS = {
    "bytes": (["512 KB", "300 MB", "1.5 GB", "2 TB"], [512e3, 300e6, 1.5e9, 2e12], "'B' with magnitudes such as"),
    "small letters": (["512kb", "64gb", "1.5tb"], [512e3, 64e9, 1.5e12], "'b' with magnitudes such as"),
    "of a second": (["512 kB/s", "3 MB/s"], [512e3, 3e6], "'B/s' with magnitudes such as"),
    "waves": (["800 kHz", "1.5 GHz", "90 Hz"], [8e5, 1.5e9, 90.0], "'Hz' with magnitudes such as"),
    "one rung": (["64 GB", "128 GB", "256 GB"], [64e9, 128e9, 256e9], "'B' with magnitudes such as G"),
}  # fmt: skip


@pytest.mark.parametrize("case", LADDERS)
def test_sizes_of_one_unit_are_one_quantity(case):
    cells, numbers, told = LADDERS[case]
    several = [f"{i + 1} {cell.strip('0123456789. ')}" for i in range(40) for cell in cells]
    decision, X, encoder = learned(table(cells + several))
    assert decision.kind == "numeric"
    assert told in decision.reason
    np.testing.assert_array_equal(X[: len(cells), 0], numbers)
    np.testing.assert_array_equal(encoded(table(cells), encoder)[:, 0], numbers)
    with pytest.raises(ValueError, match=f"written like '1234.5 .{told[1:3].strip(chr(39))}"):
        encoded(table(["5 apples"]), encoder)


@pytest.mark.parametrize("other", ["mb", "MiB", "kg", "GBP"])
def test_a_size_of_another_unit_is_named(other):
    with pytest.raises(ValueError, match=f"in 'B' .* got '5 {other}'"):
        decided([f"{i + 1} {'KMG'[i % 3]}B" for i in range(60)] + [f"5 {other}"])
