"""The caller's arrays: what is taken, and what is refused with which message (bad inputs 1 to 42)."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import assume, given
from hypothesis import strategies as st

import clearprop as cp
from clearprop.data.arrays import as_inputs, as_sample_weight, as_targets

GOOD = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def with_value(value, row=1, column=1, dtype=np.float64):
    X = np.array(GOOD, dtype)
    X[row, column] = value
    return X


def inputs(X, n_features=2, dtype="float64"):
    return as_inputs(X, n_features, dtype)


def labels(Y, n_outputs=3, classes=None, dtype="float64", learn=True):
    return as_targets(Y, n_outputs, dtype, classes, labelled=True, learn=learn)


def numbers(Y, n_outputs=1, dtype="float64"):
    return as_targets(Y, n_outputs, dtype, None, labelled=False)


# X


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        # 1, 2: not finite
        (with_value(np.nan), ValueError, "X must be finite, got NaN in row 1, column 1"),
        (with_value(np.inf), ValueError, r"X must be finite, got infinity \(inf\) in row 1, column 1"),
        (with_value(-np.inf, 2, 0), ValueError, r"got infinity \(-inf\) in row 2, column 0"),
        # 17, 18: of another kind
        (np.array([["a", "b"]]), TypeError, r"X must hold real numbers, got text \(dtype <U1\)"),
        (np.array([["1", "2"]]), TypeError, "X must hold real numbers, got text"),
        (np.array([[b"a", b"b"]]), TypeError, "X must hold real numbers, got bytes"),
        (np.array([[1j, 2]]), TypeError, "X must hold real numbers, got complex numbers"),
        (np.array([["2020-01-01"] * 2], "M8[D]"), TypeError, "X must hold real numbers, got dates"),
        (np.array([[1, 2]], "m8[s]"), TypeError, "X must hold real numbers, got time spans"),
        (
            np.array([[1, "a"]], object),
            TypeError,
            "X must hold real numbers, got 'a' in row 0, column 1",
        ),
        (
            np.array([["1", 2]], object),
            TypeError,
            "X must hold real numbers, got '1' in row 0, column 0",
        ),
        (np.array([[1, None]], object), TypeError, "X must hold real numbers, got None in row 0, col"),
        (np.array([[1, 1j]], object), TypeError, "X must hold real numbers, got 1j in row 0, column 1"),
        (np.array([[1, {}]], object), TypeError, "X must hold real numbers, got objects"),
        (np.array([[1, np.nan]], object), ValueError, "X must be finite, got NaN in row 0, column 1"),
        (np.zeros(2, [("a", float)]), TypeError, "X must hold real numbers, got values"),
        (None, TypeError, "X must hold real numbers, got None"),
        ({"a": [1, 2]}, TypeError, "X must hold real numbers"),
        (np.ma.masked_equal(GOOD, 3.0), ValueError, "X must have no masked values"),
        # 19: larger than a float
        ([[10**400, 1]], ValueError, "X holds an integer too large for float64"),
        # 20: sparse
        (
            scipy.sparse.csr_matrix(GOOD),
            TypeError,
            r"X must be a dense array, got a sparse csr_m.*X.toarray",
        ),
        (scipy.sparse.coo_array(GOOD), TypeError, "X must be a dense array, got a sparse coo_array"),
        # 21, 22: nothing
        (np.zeros((0, 2)), ValueError, r"X must have at least 1 row, got shape \(0, 2\)"),
        (np.zeros((3, 0)), ValueError, "X has 0 features, but the network is expecting 2"),
        # 24: of another shape
        (
            [1.0, 2.0],
            ValueError,
            r"X must have 2 dimensions .*got shape \(2,\); one sample is X.reshape",
        ),
        (3.0, ValueError, r"X must have 2 dimensions \(n_samples, n_features\), got shape \(\)"),
        (np.zeros((2, 2, 2)), ValueError, r"X must have 2 dimensions .*got shape \(2, 2, 2\)"),
        ([[1, 2], [3]], ValueError, "X must be a rectangular table, got rows of unequal lengths"),
        # 29: as many columns as the network has inputs
        (np.zeros((3, 5)), ValueError, "X has 5 features, but the network is expecting 2"),
        # 41: pandas
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), TypeError, "got 'x' in row 0, column 1"),
        (
            pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": 1.0}),
            (TypeError, ValueError),
            "X must",
        ),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"]), "b": 1.0}), TypeError, "X must hold real"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_bad_inputs_are_refused(X, kind, message):
    with pytest.raises(kind, match=message):
        inputs(X)


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_values_too_large_for_float32_are_refused_before_they_overflow(value):
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        with pytest.raises(
            ValueError, match=r"X must fit in float32, got -?1e\+3.* in row 1, column 1"
        ):
            inputs(with_value(value), dtype="float32")
    assert inputs(with_value(value))[1, 1] == value  # 3, 4: float64 holds it


def test_subnormal_values_are_taken():
    for dtype in ("float32", "float64"):
        assert np.isfinite(inputs(with_value(1e-310), dtype=dtype)).all()


def test_the_place_is_found_in_large_arrays_too():
    X = np.zeros((10_000, 2))
    X[9_999, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in row 9999, column 1"):
        inputs(X)


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float32", "float64", "longdouble", "int8", "uint8", "int64", "bool", ">f8", ">i4"],
)
@pytest.mark.parametrize("to", ["float32", "float64"])
def test_every_real_dtype_is_cast(dtype, to):
    X = np.array([[0, 1], [1, 1]]).astype(dtype)
    made = inputs(X, dtype=to)
    assert made.dtype == to
    assert made.dtype.isnative
    np.testing.assert_array_equal(made, [[0, 1], [1, 1]])


def test_objects_that_are_numbers_are_taken():
    from decimal import Decimal
    from fractions import Fraction

    made = inputs(np.array([[1, 2.5], [Decimal("0.5"), Fraction(1, 4)]], object))
    np.testing.assert_array_equal(made, [[1, 2.5], [0.5, 0.25]])


def test_integers_that_lose_digits_are_warned_of():
    with pytest.warns(UserWarning, match=r"X holds integers above 2\*\*53, .*got 9007199254740993"):
        inputs(np.array([[2**53 + 1, 0]]))
    with pytest.warns(UserWarning, match=r"X holds integers above 2\*\*53"):
        inputs(np.array([[-(2**62), 0]]))
    with pytest.warns(
        UserWarning, match=r"X holds integers above 2\*\*53, .*got 1180591620717411303424"
    ):
        inputs([[2**70, 1]])
    inputs(np.array([[2**53, -(2**53)]]))


X35 = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "make",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X[::-1][::-1],
        lambda X: X.astype(">f8"),
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X),
        lambda X: memoryview(X),
    ],
    ids=["fortran", "strided", "reversed", "swapped", "list", "frame", "buffer"],
)
def test_order_in_memory_and_container_do_not_matter(make):
    X = make(X35.copy())
    made = inputs(X, 4)
    np.testing.assert_array_equal(made, X35)
    assert made.flags.c_contiguous
    assert type(made) is np.ndarray


def test_broadcast_read_only_and_mapped_arrays_are_taken_unchanged(tmp_path):
    np.testing.assert_array_equal(inputs(np.broadcast_to([1.0, 2.0], (3, 2))), [[1, 2]] * 3)
    X = X35.copy()
    X.flags.writeable = False
    np.testing.assert_array_equal(inputs(X, 4), X35)
    mapped = np.memmap(tmp_path / "x", dtype="f8", mode="w+", shape=(3, 4))
    mapped[:] = X35
    np.testing.assert_array_equal(inputs(mapped, 4), X35)


def test_the_callers_array_is_never_changed():
    X = with_value(3.0)
    before = X.copy()
    inputs(X, dtype="float32")
    with pytest.raises(ValueError, match="NaN"):
        inputs(with_value(np.nan))
    np.testing.assert_array_equal(X, before)
    assert inputs(X) is X  # nothing to convert, no copy


# Y: labels


def test_labels_become_one_hot_rows():
    made, classes = labels([0, 2, 1])
    np.testing.assert_array_equal(made, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert classes == (0, 1, 2)
    assert made.dtype == "float64"


@pytest.mark.parametrize(
    ("Y", "classes"),
    [
        ([5, 900, 1, 5], (1, 5, 900)),  # 10: gaps
        ([-1, 0, 1], (-1, 0, 1)),
        (np.array([2**62, 0, 2**62 + 1]), (0, 2**62, 2**62 + 1)),
        (np.array([2**64 - 1, 0, 1], np.uint64), (0, 1, 2**64 - 1)),
        (["b", "a", "c"], ("a", "b", "c")),  # 11: text
        (np.array(["b", "a", "b"], object), ("a", "b")),
        ([True, False], (False, True)),
        ([1.0, 5.0], (1, 5)),
        (np.array(["<NA>", "NaT", "nan"], object), ("<NA>", "NaT", "nan")),  # text is no missing value
        (pd.Series(["x", "y"]), ("x", "y")),
        (pd.Series(["x", "y"], dtype="category"), ("x", "y")),  # 41
        (pd.Series([3, 4], dtype="Int64"), (3, 4)),
        (pd.Series(["x", "y"], dtype="string"), ("x", "y")),
        (["ä b", "<script>", 'quo"te\n'], tuple(sorted(["ä b", "<script>", 'quo"te\n']))),  # 34
    ],
    ids=str,
)
def test_other_labels_become_classes_exactly(Y, classes):
    made, found = labels(Y, len(classes))
    with pytest.raises(ValueError, match="as long as the network knows no others"):
        labels(Y, len(classes), learn=False)
    assert found == classes
    assert [type(c) for c in found] == [type(c) for c in classes]
    names = [classes[code] for code in made.argmax(axis=1)]
    assert names == [type(classes[0])(y) for y in np.asarray(Y).tolist()]


@pytest.mark.parametrize(
    ("Y", "kind", "message"),
    [
        # 7: missing
        ([0.0, np.nan], ValueError, "Y must have a label in each row, got NaN in row 1"),
        (
            np.array(["a", None], object),
            ValueError,
            "Y must have a label in each row, got None in row 1",
        ),
        (
            np.array(["a", np.nan], object),
            ValueError,
            "Y must have a label in each row, got NaN in row 1",
        ),
        (
            pd.Series(["a", pd.NA], dtype="string"),
            ValueError,
            "Y must have a label in each row, got <NA> in",
        ),
        (
            pd.Series([1, None], dtype="Int64"),
            ValueError,
            "Y must have a label in each row, got (NaN|<NA>) in row 1",
        ),
        # 6: infinite
        ([0.0, np.inf], ValueError, "Y must hold class labels, got inf in row 1"),
        ([1e30, 0.0], ValueError, r"Y must hold class labels, got 1e\+30 in row 0"),
        # 11: mixed
        (np.array(["a", 1], object), TypeError, "Y must hold labels of one type, got int and str"),
        (
            np.array([1, 1.0, "1", True], object),
            TypeError,
            "labels of one type, got bool and float and int",
        ),
        # 12: fractions
        ([0.0, 0.5], ValueError, "Y must hold class labels, one for each sample, got the number 0.5"),
        # more classes than outputs
        (
            [1, 2, 3, 4],
            ValueError,
            r"as many classes as the network has outputs, 3, got 4 \(1, 2, 3, 4\)",
        ),
        (list("abcdef"), ValueError, r"outputs, 3, got 6 \('a', 'b', 'c', 'd', 'e', ...\)"),
        # 18, 20, 21, 24
        (
            np.array(["2020-01-01"], "M8[D]"),
            TypeError,
            "Y must hold labels or numbers, got dtype datetime64",
        ),
        (np.array([1j]), TypeError, "Y must hold labels or numbers, got dtype complex128"),
        (scipy.sparse.csr_matrix([[1], [0]]), TypeError, "Y must be a dense array, got a sparse"),
        ([], ValueError, r"Y must have at least 1 row, got shape \(0,\)"),
        (3, ValueError, r"Y must have at least 1 row, got shape \(\)"),
        ([[1, 0], [1]], ValueError, "Y must be a rectangular table, got rows of unequal lengths"),
        (
            np.zeros((2, 5)),
            ValueError,
            r"Y must have shape \(n_samples, 3\), or .* for labels, got \(2, 5\)",
        ),
        (np.zeros((2, 3, 1)), ValueError, r"Y must have shape \(n_samples, 3\).*got \(2, 3, 1\)"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_bad_labels_are_refused(Y, kind, message):
    with pytest.raises(kind, match=message):
        labels(Y)


def test_labels_that_the_network_does_not_know_are_refused_with_both_sets():
    with pytest.raises(ValueError, match=r"that the network knows, \['a', 'b'\], got \['c'\]"):  # 13
        labels(["a", "c"], classes=("a", "b"))
    with pytest.raises(ValueError, match=r"that the network knows, \['a', 'b'\], got \[0, 1\]"):
        labels([0, 1], classes=("a", "b"))


def test_known_labels_are_looked_up_in_their_order():
    made, classes = labels(["b", "a"], 2, ("b", "a"))
    np.testing.assert_array_equal(made, np.eye(2))
    assert classes == ("b", "a")


def test_fewer_classes_than_outputs_are_taken_where_all_are_known():
    made, classes = labels([1, 1])  # 8
    np.testing.assert_array_equal(made, [[0, 1, 0]] * 2)
    assert classes == (0, 1, 2)
    assert labels([1, 1], learn=False)[1] is None
    np.testing.assert_array_equal(labels(["b", "b"], classes=("a", "b", "c"))[0], [[0, 1, 0]] * 2)
    with pytest.raises(ValueError, match=r"has outputs, 3, got 1 \('only'\); if some are missing here"):
        labels(["only", "only"])


def test_a_column_of_labels_is_warned_of_and_taken():
    with pytest.warns(UserWarning, match=r"Y is a column of shape \(3, 1\); labels are expected as"):
        made, _ = labels(np.array([[0], [1], [2]]))
    np.testing.assert_array_equal(made, np.eye(3))


def test_one_output_takes_two_classes():
    made, classes = labels(["no", "yes", "no"], 1)
    np.testing.assert_array_equal(made, [[0], [1], [0]])
    assert classes == ("no", "yes")
    with pytest.raises(ValueError, match=r"outputs, 2, got 3 \('a', 'b', 'c'"):
        labels(["a", "b", "c"], 1)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5), min_size=1, max_size=8))
def test_any_integers_come_back_as_they_went_in(values):
    n_outputs = 8 if max(values) < 8 and min(values) >= 0 else max(len(set(values)), 2)
    assume(n_outputs == 8 or len(set(values)) == n_outputs)
    made, classes = labels(np.array(values), n_outputs)
    codes = made.argmax(axis=1).tolist()
    assert [classes[c] if classes else c for c in codes] == values
    np.testing.assert_array_equal(made.sum(axis=1), 1)


# Y: numbers


def test_numbers_are_the_only_column_or_a_table():
    made, classes = numbers([1.5, 2.5])
    np.testing.assert_array_equal(made, [[1.5], [2.5]])
    assert classes is None
    np.testing.assert_array_equal(numbers(np.eye(3), 3)[0], np.eye(3))


@pytest.mark.parametrize(
    ("Y", "kind", "message"),
    [
        ([1.0, np.nan], ValueError, "Y must be finite, got NaN in row 1"),
        ([1.0, -np.inf], ValueError, r"Y must be finite, got infinity \(-inf\) in row 1"),
        (["a", "b"], TypeError, "Y must hold real numbers, got text"),
        ([[1.0, 2.0]], ValueError, r"Y must have shape \(n_samples, 1\).*got \(1, 2\)"),
    ],
)
def test_bad_numbers_are_refused(Y, kind, message):
    with pytest.raises(kind, match=message):
        numbers(Y)


def test_numbers_too_large_for_float32_are_refused():
    with pytest.raises(ValueError, match=r"Y must fit in float32, got 1e\+39 in row 0"):
        numbers([1e39], dtype="float32")


# Sample weights


@pytest.mark.parametrize(
    ("weight", "kind", "message"),
    [
        ([1, np.nan, 1], ValueError, "sample_weight must be finite, got nan in row 1"),  # 37
        ([1, 1, np.inf], ValueError, "sample_weight must be finite, got inf in row 2"),
        ([1, -0.5, 1], ValueError, "sample_weight must be at least 0, got -0.5 in row 1"),
        ([0, 0, 0], ValueError, "sample_weight must not be all zero"),
        (
            [1, 2],
            ValueError,
            r"sample_weight must have shape \(3,\), a number for each sample, got \(2,\)",
        ),
        (2.0, ValueError, r"sample_weight must have shape \(3,\)"),
        ([[1], [1], [1]], ValueError, r"sample_weight must have shape \(3,\).*got \(3, 1\)"),
        (["a", "b", "c"], TypeError, "sample_weight must hold real numbers, got text"),
        (
            np.array([1, None, 2], object),
            TypeError,
            "sample_weight must hold real numbers, got None in row 1",
        ),
    ],
    ids=str,
)
def test_bad_sample_weights_are_refused(weight, kind, message):
    with pytest.raises(kind, match=message):
        as_sample_weight(weight, 3, "float64")


@given(
    st.lists(st.floats(1e-9, 1e6) | st.just(0.0), min_size=1, max_size=9).filter(
        lambda w: sum(w) > 1e-3
    )
)
def test_sample_weights_have_mean_one(weight):
    made = as_sample_weight(weight, len(weight), "float64")
    assert made.mean() == pytest.approx(1)
    np.testing.assert_allclose(made * np.mean(weight), weight, rtol=1e-12)


@pytest.mark.parametrize(
    "weight", [[1e308, 1e308, 1e308], [5e-324, 0, 0], [True, False, True], [1, 2, 3]]
)
def test_sample_weights_of_any_size_are_taken(weight):
    made = as_sample_weight(weight, 3, "float32")
    assert made.dtype == "float32"
    assert np.isfinite(made).all()
    assert made.mean() == pytest.approx(1, rel=1e-6)


# Through the network


def test_arrays_of_unequal_lengths_are_refused_with_both_lengths():
    net = cp.Network([2, 3], seed=0)
    with pytest.raises(ValueError, match=r"X and Y .*3.*2"):  # 25
        net.cost(GOOD, [0, 1])
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(3,\).*got \(2,\)"):
        net.cost(GOOD, [0, 1, 2], sample_weight=[1, 2])


@pytest.mark.parametrize("bad", [with_value(np.nan), np.zeros((3, 5)), np.array([["a", "b"]])])
def test_a_refused_batch_leaves_the_network_as_it_was(bad):
    net = cp.Network([2, 3], seed=0)
    before, classes = net.parameters.copy(), net.classes
    for call in (
        lambda: net.predict(bad),
        lambda: net.fit(bad, [0, 1, 2], progress=False),
        lambda: net.fit(GOOD, ["a", None, "b"], progress=False),
    ):
        with pytest.raises((ValueError, TypeError)):
            call()
    np.testing.assert_array_equal(net.parameters, before)
    assert net.classes is classes
