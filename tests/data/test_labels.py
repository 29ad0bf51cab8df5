"""Class labels: every one is kept apart from the others to the answer, or refused at fit."""

import datetime
import decimal
import enum
import math

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clearprop as cp

pytestmark = pytest.mark.filterwarnings("ignore")  # few rows, few epochs, a column for labels

N = 7
X = np.random.default_rng(0).normal(size=(N, 3))


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 5


def network(y, path, rows=X):
    """Fit, save, load: return both models' classes and answers, and the true labels as numbers."""
    found = cp.Network([3, 4, 2], seed=0)
    found.fit(rows, y, epochs=1, progress=False)
    found.save(path)
    loaded = cp.load(path)
    known = [loaded.classes, found.classes]
    return known, [found.classify(rows), loaded.classify(rows)], found.targets(y).argmax(axis=1)


def stream(y, path):
    found = cp.Network([3, 4, 2], seed=0)
    found.fit(cp.data.RowStream.of_arrays(X, y), epochs=1, progress=False, batch_size=4)
    found.save(path)
    loaded = cp.load(path)
    known = [loaded.classes, found.classes]
    return known, [found.classify(X), loaded.classify(X)], found.targets(y).argmax(axis=1)


def training(y, path):
    found = cp.Network([3, 4, 2], seed=0)
    cp.Training(found, X, y, epochs=1, progress=False, validation_data=(X, y)).run()
    found.save(path)
    loaded = cp.load(path)
    return [loaded.classes, found.classes], [found.classify(X), loaded.classify(X)], None


def classifier(y, path):
    found = cp.MLPClassifier(max_iter=1, class_weight="balanced").fit(X, y)
    found.save(path)
    loaded = cp.MLPClassifier.load(path)
    assert 0 <= found.score(X, y) <= 1
    known = [loaded.classes_.tolist(), found.classes_.tolist()]
    codes = found._task.encode(y, found.network_.model.targets, 0)
    codes = codes[:, 0] if codes.shape[1] == 1 else codes.argmax(axis=1)
    return known, [found.predict(X), loaded.predict(X)], codes


def partial(y, path):
    found = cp.MLPClassifier().partial_fit(X, y, classes=y)
    found.partial_fit(X, y, classes=y)
    found.save(path)
    loaded = cp.MLPClassifier.load(path)
    known = [loaded.classes_.tolist(), found.classes_.tolist()]
    return known, [found.predict(X), loaded.predict(X)], None


DOORS = {each.__name__: each for each in (network, stream, training, classifier, partial)}

TEXTS = st.text(st.characters(exclude_categories=()), max_size=4)  # lone surrogates and NUL among them
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(2**53 - 1, 2**53 + 2),
    st.integers(-(2**53) - 2, 1 - 2**53),
    st.integers(2**63 - 2, 2**63 + 2),
    st.integers(-(2**63) - 1, 1 - 2**63),
    st.integers(2**64 - 2, 2**64 + 1),
    st.integers(),
)
FLOATS = st.one_of(st.floats(), NUMBERS.map(float), st.sampled_from([0.0, -0.0, 1.0]))
STRANGE = st.sampled_from(
    [None, b"a", b"a\0", 1j, (1, 2), np.datetime64("2020-01-01"), np.timedelta64(1, "s"),
     datetime.date(2020, 1, 1), decimal.Decimal(1), Colour.RED, Colour.BLUE, Size.SMALL, Size.LARGE,
     np.longdouble(1), np.str_("a\0"), np.ma.masked, pandas.NA, pandas.NaT]
)  # fmt: skip
KINDS = (TEXTS, NUMBERS, FLOATS, st.booleans(), STRANGE)
HOLDERS = {
    "list": list,
    "tuple": tuple,
    "objects": lambda y: np.array([*y, None], object)[:-1],
    "numpy": np.array,
    "pandas": pandas.Series,
    "polars": polars.Series,
    "pyarrow": pa.array,
    "column": lambda y: [[label] for label in y],
}


@st.composite
def columns(draw):
    """Draw two labels, of one kind or two, and a column of both in one of the libraries."""
    kinds = draw(st.sampled_from(KINDS)), draw(st.sampled_from(KINDS))
    pair = draw(kinds[0]), draw(kinds[draw(st.integers(0, 1))])
    y = [pair[draw(st.integers(0, 1))] for _ in range(N - 2)] + list(pair)
    return y, draw(st.sampled_from(sorted(HOLDERS)))


def held(y, holder):
    try:
        found = HOLDERS[holder](y)
    except Exception:  # the library has no such column
        return None
    wide = str(getattr(found, "dtype", "")) in ("Int128", "UInt128")  # which polars keeps from NumPy
    return None if wide else found


def plain(label):
    if isinstance(label, str):
        return str.__str__(label)
    label = label.item() if hasattr(label, "item") else label
    return int(label) if isinstance(label, enum.IntEnum) else label


def assert_kept(door, y, asked, path):
    """Assert that labels come back as they are, or are refused in a sentence."""
    try:
        (loaded, fitted), (before, after), codes = DOORS[door](y, path)
    except (ValueError, TypeError) as refusal:
        if "JSON" in str(refusal):  # at save, not at fit
            raise
        return
    assert [(type(label), label) for label in loaded] == [(type(label), label) for label in fitted]
    assert before.dtype == after.dtype
    assert before.tolist() == after.tolist()
    labels = [plain(label) for label in asked]
    assert not any(isinstance(label, float) and math.isnan(label) for label in labels)
    numbered = door in ("network", "stream", "training") and fitted == (0, 1)  # a network's own
    assert set(fitted) == set(labels) or (numbered and set(labels) <= {0, 1})
    assert {isinstance(label, bool) for label in fitted} == {
        isinstance(label, bool) for label in labels
    }
    assert {isinstance(label, str) for label in fitted} == {isinstance(label, str) for label in labels}
    assert set(before.tolist()) <= set(fitted)
    if codes is not None and len(set(labels)) > 1:
        assert [fitted[int(code)] for code in codes] == labels


@pytest.mark.parametrize("door", DOORS)
@settings(max_examples=60)
@given(columns())
def test_any_column_of_labels_comes_back_or_is_refused(tmp_path_factory, door, drawn):
    y, holder = drawn
    column = held(y, holder)
    if column is None:
        return
    if holder == "numpy" or (holder in ("pandas", "polars") and len({type(label) for label in y}) > 1):
        y = np.asarray(column).tolist()  # what the library has made of it is what it holds
        if holder == "numpy" and column.dtype.kind == "O":
            y = list(column)
    path = tmp_path_factory.mktemp("labels") / "model.safetensors"
    assert_kept(door, column, y, path)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_large_labels_stay_apart(tmp_path, door, holder):
    for pair in ((2**63 + 1, 2**63 + 3), (7, 2**63 + 1), (2**53, 2**53 + 1), (-(2**63), 2**63 - 1)):
        y = [pair[i % 2] for i in range(N)]
        column = held(y, holder)
        if holder == "numpy" and column.dtype.kind == "f":
            column = np.array(y, np.uint64)
        if column is not None:
            (loaded, _), (before, _), _ = DOORS[door](column, tmp_path / "m.safetensors")
            assert sorted(loaded) == sorted(pair)
            assert set(before.tolist()) <= set(pair)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "holder", ["list", "tuple", "objects", "pandas", "polars", "pyarrow", "column"]
)
@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (("a", "a\0"), "must hold text without the character NUL, got 'a.x00'"),
        (("a\0b", "a"), "must hold text without the character NUL, got 'a.x00b'"),
        ((2**64, 1), "must hold whole numbers from -2..63"),
        ((True, 1), "must hold labels of one type, got bool and int"),
        ((2.0**53, 2**53 + 1), "must hold whole numbers that a float holds"),
        ((datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)), "must hold labels or numbers, got"),
        ((b"a", b"a\0"), "must hold labels or numbers, got"),
    ],
    ids=repr,
)
def test_labels_that_would_be_merged_are_refused(tmp_path, door, holder, pair, sentence):
    column = held([pair[i % 2] for i in range(N)], holder)
    kept = getattr(column, "tolist", lambda: column)() if column is not None else []
    kept = [label[0] for label in kept] if holder == "column" else kept
    if {(type(label), label) for label in kept} != {(type(label), label) for label in pair}:
        pytest.skip("the library does not hold these labels")
    with pytest.raises((ValueError, TypeError), match=sentence):
        DOORS[door](column, tmp_path / "m.safetensors")


def test_labels_too_long_for_a_file_are_refused_before_anything_is_trained(tmp_path):
    y = ["x" * (10**6 + i % 2) for i in range(N)]
    for door in ("network", "classifier"):
        with pytest.raises(ValueError, match="labels of at most 1,500,000 bytes together, got 2,000,0"):
            DOORS[door](y, tmp_path / "m.safetensors")


def test_columns_of_several_types_keep_theirs(tmp_path):
    y = [[2**63 + i % 2, i % 2 == 0, "ab"[i % 2]] for i in range(N)]
    found = cp.MLPClassifier(max_iter=1).fit(X, y)
    found.save(tmp_path / "m.safetensors")
    for model in (found, cp.MLPClassifier.load(tmp_path / "m.safetensors")):
        assert [c.tolist() for c in model.classes_] == [[2**63, 2**63 + 1], [False, True], ["a", "b"]]
        kinds = {tuple(type(label) for label in row) for row in model.predict(X).tolist()}
        assert kinds == {(int, bool, str)}
