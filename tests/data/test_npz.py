"""NPZ files: what is read, and what is refused with which sentence."""

import gzip
import io
import pickle
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clearprop import data
from clearprop.data import files
from data_files import array_bytes, npy_bytes, npz_bytes

X = np.arange(12.0).reshape(4, 3)
y = np.array([0, 1, 1, 0])
KEPT = {"|u1": np.uint8, "<f4": np.float32, "<f8": np.float64, "<f2": np.float32, "<i8": np.float64}


def write(path, compress=False, **arrays):
    (np.savez_compressed if compress else np.savez)(path, **arrays)
    return path


def archive(path, *members, compression=zipfile.ZIP_STORED):
    path.write_bytes(npz_bytes(members, compression))
    return path


@given(
    kind=st.sampled_from(["<f8", ">f8", "<f4", ">f4", "<f2", "u1", "i1", "<i2", ">u4", "<i8", "?"]),
    shape=hnp.array_shapes(min_dims=2, max_dims=3, max_side=4),
    order=st.sampled_from("CF"),
    compress=st.booleans(),
    seed=st.integers(0, 99),
)
def test_x_comes_back_as_it_was_written(tmp_path_factory, kind, shape, order, compress, seed):
    values = np.random.default_rng(seed).integers(0, 2 if kind == "?" else 100, shape)
    array = np.asarray(values.astype(kind), order=order)
    path = tmp_path_factory.getbasetemp() / "round-trip.npz"
    found = data.read_npz(write(path, compress, X=array, y=np.arange(shape[0]) / 2))
    np.testing.assert_array_equal(found.X_train, values.reshape(shape[0], -1))
    assert found.X_train.flags.c_contiguous
    assert found.X_train.dtype.isnative
    assert found.image_shape == (shape[1:] if len(shape) == 3 else None)
    np.testing.assert_array_equal(found.Y_train, np.arange(shape[0]) / 2)


@pytest.mark.parametrize("kind", KEPT)
def test_bytes_and_floats_are_kept_and_other_numbers_become_float64(tmp_path, kind):
    found = data.load(write(tmp_path / "a.npz", X=X.astype(kind), y=y))
    assert found.X_train.dtype == KEPT[kind]


def test_images_of_bytes_are_flattened_and_divided_by_255(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    found = data.load(write(tmp_path / "a.npz", X=images, y=np.array(["cat", "dog"])))
    np.testing.assert_array_equal(found.X_train, images.reshape(2, 12))
    assert found.image_shape == (3, 4)
    assert found.divisor == 255
    assert found.classes == ("cat", "dog")


def test_a_table_of_floats_is_standardized(tmp_path):
    found = data.load(write(tmp_path / "a.npz", X=X, y=y))
    np.testing.assert_allclose(found.scaling(X).mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(found.scaling(X).std(axis=0), 1)


LABELS = {
    "integers": (np.array([900, 1, 1, 5]), "classification", (1, 5, 900), [2, 0, 0, 1]),
    "negative": (np.array([-1, 1, 1, -1], np.int8), "classification", (-1, 1), [0, 1, 1, 0]),
    "uint64": (
        np.array([2**64 - 1, 0, 0, 0], np.uint64),
        "classification",
        (0, 2**64 - 1),
        [1, 0, 0, 0],
    ),
    "booleans": (np.array([True, False, True, True]), "classification", (False, True), [1, 0, 1, 1]),
    "text": (np.array(["b", "ä", "b", "a"]), "classification", ("a", "b", "ä"), [1, 2, 1, 0]),
    "whole floats": (np.array([1.0, 0.0, 2.0, 0.0]), "classification", (0, 1, 2), [1, 0, 2, 0]),
    "fractions": (np.array([1.5, 0.0, 2.0, 0.0]), "regression", None, [1.5, 0, 2, 0]),
    "a column": (np.array([[1], [0], [2], [0]]), "classification", (0, 1, 2), [1, 0, 2, 0]),
    "two outputs": (np.arange(8.0).reshape(4, 2), "regression", None, np.arange(8.0).reshape(4, 2)),
}


@pytest.mark.parametrize("case", LABELS)
def test_the_target_decides_between_classes_and_quantities(tmp_path, case):
    target, task, classes, Y = LABELS[case]
    found = data.load(write(tmp_path / "a.npz", X=X, y=target))
    assert (found.task, found.classes) == (task, classes)
    assert [type(label) for label in found.classes or ()] == [type(label) for label in classes or ()]
    np.testing.assert_array_equal(found.Y_train, Y)
    assert found.Y_train.dtype == (np.float64 if classes is None else np.int64)


def test_twenty_whole_numbers_are_classes_and_one_more_makes_quantities(tmp_path):
    rows = np.arange(42.0).reshape(-1, 1)
    path = write(tmp_path / "a.npz", X=rows, y=np.arange(42) % 20)
    assert data.load(path).task == "classification"
    path = write(tmp_path / "b.npz", X=rows, y=np.arange(42) % 21)
    assert data.load(path).task == "regression"
    assert len(data.load(path, task="classification").classes) == 21


def test_task_overrides_what_the_target_looks_like(tmp_path):
    path = write(tmp_path / "a.npz", X=X, y=y)
    assert data.load(path, task="regression").classes is None
    assert data.load(path, task="regression").Y_train.dtype == np.float64
    path = write(tmp_path / "b.npz", X=X, y=y + 0.5)
    with pytest.raises(ValueError, match=r"y in .*b.npz must hold classes, whole numbers .*, got 0.5"):
        data.load(path, task="classification")
    path = write(tmp_path / "c.npz", X=X, y=np.array(list("abca")))
    with pytest.raises(ValueError, match="must hold numbers for a regression, got 'a'"):
        data.load(path, task="regression")
    with pytest.raises(ValueError, match="task must be one of classification, regression or None"):
        data.load(path, task="clustering")


def test_a_class_for_every_row_is_warned_about(tmp_path):
    names = np.array([f"row {i}" for i in range(101)])
    path = write(tmp_path / "a.npz", X=np.zeros((101, 1)), y=names)
    with pytest.warns(UserWarning, match="has 101 classes in 101 rows: is it a name or a number"):
        data.load(path)


def test_a_file_without_target_can_be_read_for_prediction(tmp_path):
    path = write(tmp_path / "a.npz", X=X)
    with pytest.raises(ValueError, match="must hold the arrays X and y, lacks y"):
        data.load(path)
    found = data.load(path, need_target=False)
    np.testing.assert_array_equal(found.inputs("test"), X)
    with pytest.raises(ValueError, match=r"a\.npz has no target, only features"):
        found.part("test")


BAD_ARRAYS = {
    "extra arrays": ({"z": y}, r"must hold the arrays X and y alone, got also 'z\.npy'"),
    "lower-case x": ({"x": X, "X": None}, r"got also 'x\.npy'"),
    "no y": ({"y": None}, "lacks y"),
    "lengths": ({"y": y[:3]}, "must have a y for each row of X, got 4 X, 3 y"),
    "one dimension": ({"X": X[0]}, r"X in .* must have shape \(n_samples, n_features\) .*, got \(3,\)"),
    "four dimensions": ({"X": np.zeros((4, 2, 2, 3))}, "must have at most 3 dimensions, got 4"),
    "scalar y": ({"y": np.array(1)}, r"y in .* must have shape \(n_samples,\), at least 1, got \(\)"),
    "no rows": ({"X": X[:0], "y": y[:0]}, r"each at least 1, got \(0, 3\)"),
    "no columns": ({"X": X[:, :0]}, r"each at least 1, got \(4, 0\)"),
    "NaN": ({"X": np.where(X == 7, np.nan, X)}, "finite numbers, got nan: row 2, column 1"),
    "infinity": ({"X": np.where(X == 11, -np.inf, X)}, "finite numbers, got -inf: row 3, column 2"),
    "infinity in y": ({"y": np.array([0, 1, np.inf, 2])}, "y in .* finite numbers, got inf: row 2$"),
    "no y at all": ({"y": np.full(4, np.nan)}, "must have a row with a target, got no value in 'y'"),
    "large integers": (
        {"X": np.full((4, 3), 2**53 + 1)},
        r"whole numbers up to 2\*\*53, got 9007199254740993",
    ),
    "text": ({"X": X.astype(str)}, "X in .* must hold numbers, got <U"),
    "complex": ({"X": X * 1j}, "must be numbers, booleans or text, got complex"),
    "dates": ({"X": X.astype("M8[s]")}, "must be numbers, booleans or text, got dates"),
    "bytes as labels": ({"y": y.astype("S1")}, "must be numbers, booleans or text, got bytes"),
    "structured": ({"y": np.zeros(4, "i4,f8")}, "must be numbers, booleans or text, got structured"),
    "one-hot": ({"y": np.eye(4)}, r"shape \(n_samples,\) for a classification, .* y.argmax\(axis=1\)"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_wrong_arrays_are_refused(tmp_path, case):
    arrays, message = BAD_ARRAYS[case]
    arrays = {k: v for k, v in ({"X": X, "y": y} | arrays).items() if v is not None}
    path = write(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        data.load(path)
    assert "bad.npz" in str(caught.value)


GAPS = {  # a y of which row 2 is missing, what is said of it, and what the others are
    "NaN": (np.array([0, 1, np.nan, 2]), "", [0, 1, 2]),
    "a column": (np.array([[0.5], [1], [np.nan], [2]]), "", [0.5, 1, 2]),
    "a word": (np.array(["a", "b", " NA ", "c"]), r" \('NA' in 1\)", [0, 1, 2]),
    "one of several": (
        np.array([[0.5, 1], [1, 1], [1, np.nan], [2, 5]]),
        "",
        [[0.5, 1], [1, 1], [2, 5]],
    ),
}


@pytest.mark.parametrize("case", GAPS)
def test_rows_without_a_target_are_left_out_and_counted_as_those_of_a_table(tmp_path, case):
    target, said, left = GAPS[case]
    path = write(tmp_path / "a.npz", X=X, y=target)
    with pytest.warns(UserWarning, match=f"a.npz: 1 of 4 rows has no target 'y'{said}: it is left out"):
        found = data.load(path)
    np.testing.assert_array_equal(found.X_train, X[[0, 1, 3]])
    np.testing.assert_array_equal(found.Y_train, left)
    assert found.rows.tolist() == [0, 1, 3]
    whole = data.load(path, need_target=False)
    np.testing.assert_array_equal(whole.inputs("all"), X)
    with pytest.raises(ValueError, match="no missing values in the target 'y', got 1: .* in row 2"):
        data.load(path, target_gaps="refuse")


class Boom:
    def __reduce__(self):
        return (sys.exit, (99,))


def test_objects_are_refused_and_never_unpickled(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, X=X, y=np.array([Boom()] * 4, dtype=object))
    with pytest.raises(ValueError, match=r"y\.npy .* got Python objects \(pickle\)"):
        data.load(path)
    archive(path, ("X.npy", pickle.dumps(Boom())), ("y.npy", array_bytes(y)))
    with pytest.raises(ValueError, match=r"X\.npy in .* is no NumPy array, starts with 80"):
        data.load(path)
    path.write_bytes(pickle.dumps(Boom()))
    with pytest.raises(ValueError, match="could not be read as NPZ: File is not a zip file"):
        data.load(path)


def described(descr="'<f8'", shape="(4, 3)", order="False", more=""):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {more}}}\n"


HEADERS = {
    "shape of 10**12": (described(shape="(1000000000000, 3)"), "24000000000000 bytes, but 96 follow"),
    "shape beyond 64 bits": (described(shape="(9999999999999999999, 9999999999999999999)"), "bytes"),
    "negative shape": (described(shape="(-4, 3)"), "must declare descr, fortran_order and shape"),
    "shape of booleans": (described(shape="(True, 3)"), "must declare descr, fortran_order and shape"),
    "shape too small": (described(shape="(3, 3)"), r"\(3, 3\) of float64, 72 bytes, but 96 follow"),
    "shape too large": (described(shape="(4, 4)"), r"\(4, 4\) of float64, 128 bytes, but 96 follow"),
    "code for a shape": (described(shape="__import__('os').abort()"), "must declare descr"),
    "code behind": (described(more="'x': __import__('os').abort()"), "must declare descr"),
    "twice": (described(more="'shape': (2, 6)"), "must declare descr"),
    "unknown type": (described(descr="'<f5'"), "has the unknown type 'f5'"),
    "long double": (described(descr="'<f16'"), "has the unknown type 'f16'"),
    "huge header": (described(more=" " * 20_000), "header of at most 10000 bytes, got 200"),
    "nested brackets": ("(" * 9_000, "must declare descr"),
    "no dictionary": ("\0\xff", "must declare descr"),
}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("case", HEADERS)
def test_a_wrong_array_header_is_refused_before_memory_is_taken(tmp_path, case, version):
    header, message = HEADERS[case]
    content = npy_bytes(header, X.tobytes(), version)
    path = archive(tmp_path / "bad.npz", ("X.npy", content), ("y.npy", array_bytes(y)))
    assert_refused_without_memory(path, message)


def test_headers_of_every_version_are_read(tmp_path):
    for version in (1, 2, 3):
        content = npy_bytes(described(), X.tobytes(), version)
        path = archive(tmp_path / "a.npz", ("X.npy", content), ("y.npy", array_bytes(y)))
        np.testing.assert_array_equal(data.load(path).X_train, X)


def test_a_version_of_the_future_is_refused(tmp_path):
    content = npy_bytes(described(), X.tobytes(), 4)
    path = archive(tmp_path / "a.npz", ("X.npy", content), ("y.npy", array_bytes(y)))
    with pytest.raises(ValueError, match="is no NumPy array, starts with 93 4e 55 4d 50 59 04 00"):
        data.load(path)


def good_members():
    return [("X.npy", array_bytes(X)), ("y.npy", array_bytes(y))]


BAD_MEMBERS = {
    "y and Y": ([*good_members(), ("Y.npy", array_bytes(y))], "one target, y or Y, got both"),
    "twice": ([good_members()[0], *good_members()], r"got 'X\.npy' more than once"),
    "outside": ([*good_members(), ("../X.npy", b"")], r"alone, got also '\.\./X\.npy'"),
    "absolute": ([*good_members(), ("/etc/passwd", b"")], "alone, got also '/etc/passwd'"),
    "many": ([*good_members(), *((str(i), b"") for i in range(99))], "and 89 more"),
    "nothing": ([], "lacks X and y"),
    "empty array": ([("X.npy", b""), good_members()[1]], "is no NumPy array"),
}


@pytest.mark.parametrize("case", BAD_MEMBERS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_wrong_members_are_refused_and_nothing_is_extracted(tmp_path, case):
    members, message = BAD_MEMBERS[case]
    path = archive(tmp_path / "bad.npz", *members)
    with pytest.raises(ValueError, match=message):
        data.load(path)
    assert list(tmp_path.iterdir()) == [path]


def test_other_compressions_and_encryption_are_refused(tmp_path):
    path = archive(tmp_path / "bad.npz", *good_members(), compression=zipfile.ZIP_LZMA)
    with pytest.raises(ValueError, match="must be stored or deflated, got method 14"):
        data.load(path)
    content = bytearray(npz_bytes(good_members()))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(magic) + offset
        content[start : start + 2] = struct.pack("<H", 1)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must not be encrypted"):
        data.load(path)


@pytest.mark.parametrize("compress", [False, True], ids=["stored", "deflated"])
def test_no_flipped_bit_changes_an_array_unnoticed(tmp_path, compress):
    path = write(tmp_path / "a.npz", compress, X=X, y=y)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as members:
        info = members.getinfo("X.npy")
    start = info.header_offset + 30 + len("X.npy")
    start += struct.unpack("<H", content[info.header_offset + 28 : info.header_offset + 30])[0]
    for offset in range(start, start + info.compress_size):
        flipped = bytearray(content)
        flipped[offset] ^= 1 << offset % 8
        path.write_bytes(flipped)
        try:
            found = data.load(path)
        except ValueError as error:
            message = str(error)
            assert "a.npz" in message
        else:  # deflate has bits that stand for nothing
            assert compress
            np.testing.assert_array_equal(found.X_train, X)


def test_a_truncation_is_noticed_wherever_it_is(tmp_path):
    path = write(tmp_path / "a.npz", X=X, y=y)
    content = path.read_bytes()
    for length in [*range(0, len(content), 11), *range(len(content) - 25, len(content))]:
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="could not be read as NPZ"):
            data.load(path)


@pytest.mark.parametrize("lie", [False, True], ids=["honest", "lying"])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, lie):
    monkeypatch.setattr(files, "RATIO_FREE", 2**20)  # a smaller bomb for the same fuse
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as members:
        with members.open("X.npy", "w") as member:
            member.write(npy_bytes(described(descr="'|u1'", shape="(10000, 1000)")))
            for _ in range(100):
                member.write(bytes(100_000))
        members.writestr("y.npy", array_bytes(np.zeros(10_000)))
    path = tmp_path / "bomb.npz"
    content = bytearray(bomb.getvalue())
    message = "must not be compressed more than 200 times, declares 10000"
    if lie:  # in the archive's directory: so many compressed bytes that the ratio is harmless
        start = content.index(b"PK\x01\x02") + 20
        content[start : start + 4] = struct.pack("<I", 10_000_000)
        message = r"X\.npy in .* declares 10000000 bytes in a file of"
    path.write_bytes(content)
    assert_refused_without_memory(path, message)


def test_the_cap_on_memory_counts_both_arrays(tmp_path, monkeypatch):
    path = write(tmp_path / "a.npz", X=np.zeros((40, 5)), y=np.arange(40.0))
    monkeypatch.setattr(files, "MAX_BYTES", 1919)
    with pytest.raises(ValueError, match=r"must need at most 1919 bytes .*MAX_BYTES.*, declares 1920"):
        data.load(path)


def test_a_member_that_ends_before_its_size_is_refused(tmp_path):
    whole = array_bytes(X)
    content = bytearray(npz_bytes([("X.npy", whole[:-16]), ("y.npy", array_bytes(y))]))
    start = content.index(b"PK\x01\x02") + 24
    content[start : start + 4] = struct.pack(
        "<I", len(whole)
    )  # the checksum is that of the shorter one
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"could not be read as NPZ: X\.npy ends after 80 of 96 bytes"):
        data.load(tmp_path / "a.npz")


def test_a_quantity_that_loses_digits_is_refused(tmp_path):
    path = write(tmp_path / "a.npz", X=X, y=np.array([1, 2, 3, 2**53 + 1]))
    assert data.load(path).classes[3] == 2**53 + 1
    with pytest.raises(ValueError, match="numbers that float64 keeps exactly, got 9007199254740993"):
        data.load(path, task="regression")


def test_booleans_other_than_0_and_1_are_refused(tmp_path):
    content = npy_bytes(described(descr="'|b1'"), bytes([0, 1, 2] * 4))
    path = archive(tmp_path / "a.npz", ("X.npy", content), ("y.npy", array_bytes(y)))
    with pytest.raises(ValueError, match=r"X\.npy holds a boolean of 2"):
        data.load(path)


def test_text_that_is_no_unicode_is_refused(tmp_path):
    for code in (0xD800, 0x110000):
        body = struct.pack("<4I", 97, 98, code, 97)
        content = npy_bytes(described(descr="'<U1'", shape="(4,)"), body)
        path = archive(tmp_path / "a.npz", ("X.npy", array_bytes(X)), ("y.npy", content))
        with pytest.raises(ValueError, match=r"a\.npz"):
            data.load(path)


def assert_refused_without_memory(path, message):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            data.load(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_the_cap_on_memory_counts_what_whole_numbers_become(tmp_path, monkeypatch):
    path = write(tmp_path / "a.npz", X=np.ones((40, 5), bool), y=np.arange(40.0))
    monkeypatch.setattr(files, "MAX_BYTES", 1919)
    with pytest.raises(ValueError, match=r"must need at most 1919 bytes .*MAX_BYTES.*, declares 1920"):
        data.load(path)


@pytest.mark.parametrize("inside", ["zip", "gzip"])
def test_an_archive_inside_the_archive_is_no_array(tmp_path, inside):
    nested = (
        npz_bytes([("X.npy", array_bytes(X))]) if inside == "zip" else gzip.compress(array_bytes(X))
    )
    path = tmp_path / "a.npz"
    path.write_bytes(npz_bytes([("X.npy", nested), ("y.npy", array_bytes(y))]))
    assert_refused_without_memory(path, r"X\.npy in .* is no NumPy array, starts with")


@pytest.mark.parametrize("name", ["y", "Y"])
def test_the_target_may_be_called_y_or_Y(name, tmp_path):
    path = tmp_path / "named.npz"
    np.savez(path, X=X, **{name: y})
    read = data.read_npz(path)
    np.testing.assert_array_equal(read.X_train, X)
    np.testing.assert_array_equal(read.Y_train, y)
    assert read.task == "classification"
    assert data.read_npz(path, need_target=False).Y_train is not None
