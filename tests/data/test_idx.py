"""IDX files and folders of them: what is read, and what is refused with which sentence."""

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clearprop import data
from clearprop.data import files
from data_files import IDX_NAMES, idx_bytes, idx_set, images, write_idx_folder

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


@given(
    array=st.sampled_from(sorted(CODES)).flatmap(
        lambda kind: hnp.arrays(">" + kind, hnp.array_shapes(max_dims=4, min_side=0, max_side=4))
    ),
    pack=st.booleans(),
)
def test_every_type_and_shape_comes_back_as_it_was_written(tmp_path_factory, array, pack):
    content = idx_bytes(array, CODES[array.dtype.str[1:]])
    path = tmp_path_factory.getbasetemp() / "round-trip.idx"
    path.write_bytes(gzip.compress(content) if pack else content)
    found = data.read_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.dtype.isnative


def test_gzip_is_told_by_the_first_bytes_and_not_by_the_name(tmp_path):
    content = idx_bytes(images())
    (tmp_path / "plain.gz").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    np.testing.assert_array_equal(data.read_idx(tmp_path / "plain.gz"), images())
    np.testing.assert_array_equal(data.read_idx(tmp_path / "packed"), images())


def test_a_gzip_file_of_several_members_is_one_stream(tmp_path):
    content = idx_bytes(images())
    path = tmp_path / "members.gz"
    path.write_bytes(gzip.compress(content[:50]) + gzip.compress(content[50:]) + b"\0" * 10)
    np.testing.assert_array_equal(data.read_idx(path), images())


def header(code=0x08, shape=(2, 3), start=b"\0\0"):
    return start + bytes([code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


BAD = {
    "empty": (b"", "must start with the 4 bytes of an IDX header, got 0"),
    "three bytes": (b"\0\0\x08", "must start with the 4 bytes of an IDX header, got 3"),
    "text": (b"a,b\n1,2\n", r"starts with 61 2c 62 0a"),
    "wrong magic": (header(start=b"\0\1") + b"x" * 6, "must start with 00 00, .* starts with 00 01 08"),
    "unknown type": (header(code=0x0A) + b"x" * 6, "starts with 00 00 0a 02"),
    "little-endian header": (b"\3\x08\0\0" + b"x" * 20, r"starts with 03 08 00 00 \(a little-endian"),
    "no dimensions": (b"\0\0\x08\0", "must have 1 to 8 dimensions, got 0"),
    "200 dimensions": (b"\0\0\x08\xc8" + b"\0" * 800, "must have 1 to 8 dimensions, got 200"),
    "header cut": (header()[:9], "must have 8 bytes for its 2 dimensions, got 5"),
    "body cut": (header() + b"x" * 5, "declares 2 x 3 elements, 6 bytes, but 5 bytes follow"),
    "no body": (header(), "declares 2 x 3 elements, 6 bytes, but 0 bytes follow"),
    "one byte more": (header() + b"x" * 7, "declares 2 x 3 elements, 6 bytes, but (at least )?7 bytes"),
    "type 0x0E for bytes": (header(code=0x0E) + b"x" * 6, "2 x 3 elements, 48 bytes, but 6 bytes"),
    "count of 2**31": (header(shape=(2**31, 28, 28)) + b"x", f"(must need at most|, ).*{2**31 * 784}"),
    "product beyond 64 bits": (
        header(shape=(2**32 - 1,) * 8) + b"x",
        f"(must need at most|, ).*{(2**32 - 1) ** 8}",
    ),
    "product that wraps to 6": (header(shape=(2**31, 2**31, 4, 6)) + b"x" * 6, "bytes"),
    "gzip in gzip": (gzip.compress(header() + b"x" * 6), r"starts with 1f 8b 08 00 \(gzip inside gzip"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("case", BAD)
def test_a_wrong_idx_file_is_refused_with_expected_and_actual(tmp_path, case, packed):
    content, message = BAD[case]
    if case == "gzip in gzip" and not packed:
        content = gzip.compress(content)
    path = tmp_path / "bad.idx"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=message) as caught:
        data.read_idx(path)
    assert str(path) in str(caught.value)


def test_what_follows_a_plain_file_is_counted_and_behind_gzip_it_is_not_unpacked(tmp_path):
    path = tmp_path / "longer.idx"
    path.write_bytes(header() + b"x" * 1000)
    with pytest.raises(ValueError, match="6 bytes, but 1000 bytes follow its header"):
        data.read_idx(path)
    path.write_bytes(gzip.compress(header() + b"x" * 1000))
    with pytest.raises(ValueError, match="6 bytes, but at least 7 bytes follow its header"):
        data.read_idx(path)


def packed_idx():
    return gzip.compress(idx_bytes(images(n=60)))


BAD_GZIP = {
    "truncated": (packed_idx()[:-20], "truncated"),
    "checksum": (packed_idx()[:-8] + b"\0\0\0\0" + packed_idx()[-4:], "damaged gzip data: CRC check"),
    "length": (packed_idx()[:-4] + b"\1\0\0\0", "damaged gzip data: Incorrect length"),
    "garbage behind": (packed_idx() + b"garbage", "has something else behind its gzip data"),
    "damaged stream": (packed_idx()[:30] + b"\xff" * 30 + packed_idx()[60:], "damaged gzip data"),
    "nothing but the magic": (b"\x1f\x8b", "truncated"),
    "an empty stream": (gzip.compress(b""), "must start with the 4 bytes"),
}


@pytest.mark.parametrize("case", BAD_GZIP)
def test_a_damaged_gzip_file_is_refused(tmp_path, case):
    content, message = BAD_GZIP[case]
    path = tmp_path / "bad.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data.read_idx(path)


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RATIO_FREE", 2**20)  # a smaller bomb for the same fuse
    size = 10_000_000
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    content = pack.compress(header(shape=(size,)))
    for _ in range(100):
        content += pack.compress(bytes(size // 100))
    path = tmp_path / "bomb.gz"
    path.write_bytes(content + pack.flush())
    assert_refused_without_memory(path, "must not be compressed more than 200 times, .* 10000000")


@pytest.mark.parametrize("size", [10**9, 2**32 - 1])
def test_memory_is_not_taken_on_the_word_of_a_header(tmp_path, size):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(header(shape=(size,)) + b"x" * 100)
    packed.write_bytes(gzip.compress(header(shape=(size,)) + b"x" * 100))
    assert_refused_without_memory(plain, f"{size} bytes, but 100 bytes follow")
    assert_refused_without_memory(packed, f"declares {size} bytes, its .* compressed bytes hold fewer")


def assert_refused_without_memory(path, message):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            data.read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_the_cap_on_memory_can_be_set(tmp_path, monkeypatch):
    path = tmp_path / "large.idx"
    path.write_bytes(idx_bytes(images()))
    monkeypatch.setattr(files, "MAX_BYTES", 139)
    with pytest.raises(ValueError, match=r"must need at most 139 bytes .*MAX_BYTES.*, declares 140"):
        data.read_idx(path)
    monkeypatch.setattr(files, "MAX_BYTES", 140)
    assert data.read_idx(path).nbytes == 140


def test_small_repetitive_files_may_be_compressed_a_thousand_times(tmp_path):
    labels = np.repeat(np.arange(10, dtype=np.uint8), 60_000)
    path = tmp_path / "sorted-labels.gz"
    path.write_bytes(gzip.compress(idx_bytes(labels)))
    assert path.stat().st_size < len(labels) / 500
    np.testing.assert_array_equal(data.read_idx(path), labels)


# folders


@pytest.mark.parametrize("pack", [False, True], ids=["plain", "gz"])
def test_a_folder_becomes_a_data_set_of_bytes_with_its_own_parts(tmp_path, pack):
    arrays = idx_set()
    found = data.load(write_idx_folder(tmp_path / "letters", arrays, pack))
    assert (found.name, found.task, found.image_shape) == ("letters", "classification", (5, 4))
    assert found.X_train.dtype == np.uint8
    np.testing.assert_array_equal(found.X_train, arrays["X_train"].reshape(7, 20))
    np.testing.assert_array_equal(found.test[0], arrays["X_test"].reshape(3, 20))
    assert found.classes == (1, 5, 200)
    assert all(type(label) is int for label in found.classes)
    np.testing.assert_array_equal(found.Y_train, [1, 0, 2, 0, 1, 1, 0])
    np.testing.assert_array_equal(found.Y_test, [0, 2, 1])
    assert found.Y_train.dtype == np.int64
    np.testing.assert_allclose(found.scaling(np.array([[0.0, 255.0]])), [[0, 1]])


def test_the_other_spelling_of_the_four_names_is_read_too(tmp_path):
    folder = write_idx_folder(tmp_path / "dots", idx_set())
    for name in IDX_NAMES.values():
        (folder / name).rename(folder / name.replace("-idx", ".idx"))
    assert data.load(folder).X_train.shape == (7, 20)


def test_one_part_is_read_without_the_images_of_the_other(tmp_path):
    folder = write_idx_folder(tmp_path / "letters", idx_set())
    whole = data.load(folder)
    (folder / IDX_NAMES["X_train"]).write_bytes(b"not an IDX file")
    found = data.load(folder, part="test")
    for mine, other in zip(found.part("test"), whole.part("test"), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert found.classes == whole.classes
    assert [len(rows) for rows in found.part("train")] == [0, 0]
    for part in ("train", "all"):
        with pytest.raises(ValueError, match="IDX"):
            data.load(folder, part=part)


def changed(**arrays):
    return idx_set() | arrays


BAD_FOLDERS = {
    "fewer labels": (
        changed(Y_train=np.arange(6, dtype=np.uint8)),
        "train-images-idx3-ubyte has 7 images, .*train-labels-idx1-ubyte 6 labels",
    ),
    "fewer test images": (changed(X_test=images(2)), "t10k-images.* has 2 images, .* 3 labels"),
    "labels as images": (
        changed(X_train=np.arange(7, dtype=np.uint8)),
        "train-images.* must hold images, bytes in 3 dimensions, got uint8 in 1: is it a file of labels",
    ),
    "images as labels": (
        changed(Y_test=images(3)),
        "t10k-labels.* must hold labels, integers in 1 dimension, got uint8 in 3: is it a file of images",
    ),
    "images of numbers": (
        changed(X_train=idx_bytes(np.zeros((7, 5, 4), ">f8"), 0x0E)),
        "must hold images, bytes in 3 dimensions, got float64 in 3",
    ),
    "labels of fractions": (
        changed(Y_train=idx_bytes(np.zeros(7, ">f4"), 0x0D)),
        "must hold labels, integers in 1 dimension, got float32 in 1",
    ),
    "other test images": (changed(X_test=images(3, 4, 5)), "images of 5 x 4, .* of 4 x 5"),
    "no images": (
        changed(X_train=images(0), Y_train=np.zeros(0, np.uint8)),
        r"at least one image of one pixel, got \(0, 5, 4\)",
    ),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_files_that_do_not_belong_together_are_refused(tmp_path, case):
    arrays, message = BAD_FOLDERS[case]
    with pytest.raises(ValueError, match=message):
        data.load(write_idx_folder(tmp_path / "bad", arrays))


def test_a_folder_that_lacks_a_file_is_refused_and_the_file_named(tmp_path):
    folder = write_idx_folder(tmp_path / "part", idx_set())
    (folder / IDX_NAMES["Y_test"]).unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks t10k-labels-idx1-ubyte$"):
        data.load(folder)
