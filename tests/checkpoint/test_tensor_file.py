"""Model files at their lowest level: what is written is what is read, or nothing is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from clearprop.checkpoint import CheckpointError, atomic_file, read_tensors, write_tensors
from model_file_forge import (
    HOSTILE,
    NEW,
    OLD,
    SOUND,
    FaultyOS,
    assert_alone,
    assert_holds,
    assert_same_tensors,
    entry,
    header_of,
    run_python,
    sealed,
    with_tensors,
)

METADATA = {
    "epoch": 3,
    "costs": [0.25, 1e-300, -0.0],
    "name": 'a "quoted" ünï\\code \ud800\x00',
    "nested": {"a": None},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "u8", "?"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_dtype_comes_back_bit_for_bit(path: Path, dtype: str, order: str) -> None:
    bits = np.random.default_rng(0).integers(0, 256, 24, np.uint8)
    array = (bits % 2).astype(bool) if dtype == "?" else bits.view(order + dtype)
    write_tensors(path, {"x": array}, {})
    assert_holds(path, {"x": array})


def test_not_a_number_infinities_and_negative_zero_come_back(path: Path) -> None:
    array = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324])
    write_tensors(path, {"x": array}, {})
    assert_holds(path, {"x": array})


LAYOUTS = {
    "transposed": lambda a: a.T,
    "Fortran": np.asfortranarray,
    "strided": lambda a: a[::2, ::3],
    "reversed": lambda a: a[::-1, ::-1],
    "broadcast": lambda a: np.broadcast_to(a[0], (5, 7)),
    "big-endian": lambda a: a.astype(">f8"),
    "big-endian and transposed": lambda a: a.astype(">f8").T,
    "a column": lambda a: a[:, 2],
    "a slice of a flat vector": lambda a: a.reshape(-1)[3:15].reshape(3, 4),
    "unaligned": lambda a: np.frombuffer(b"." + a.tobytes(), np.uint8)[1:].view("<f8"),
    "read-only": lambda a: np.frombuffer(a.tobytes()),
    "a scalar": lambda a: a[1, 1, ...],
    "no elements": lambda a: a[:0],
    "no columns, Fortran": lambda a: np.asfortranarray(a[:, :0]),
    "eight dimensions": lambda a: a.reshape(1, 6, 1, 1, 7, 1, 1, 1).transpose(7, 4, 2, 1, 0, 5, 6, 3),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_memory_layout_is_written_with_its_values(path: Path, layout: Any) -> None:
    array = layout(np.random.default_rng(1).normal(size=(6, 7)))
    before = array.copy()
    write_tensors(path, {"x": array, "y": np.ones(3, np.uint8)}, {})
    np.testing.assert_array_equal(array, before)
    assert_holds(path, {"x": before, "y": np.ones(3, np.uint8)})
    np.testing.assert_array_equal(safetensors.numpy.load_file(path)["x"], before.astype("<f8"))


def test_what_is_read_is_owned_aligned_and_writable(path: Path) -> None:
    tensors = {"odd": np.ones(3, np.uint8), "x": np.ones((2, 3)), "scalar": np.array(2.5)}
    write_tensors(path, tensors, {})
    for array in read_tensors(path)[0].values():
        assert array.flags.owndata
        assert array.flags.aligned
        assert array.flags.writeable
        assert array.flags.c_contiguous


def test_metadata_comes_back(path: Path) -> None:
    write_tensors(path, {}, METADATA)
    tensors, metadata = read_tensors(path)
    assert (tensors, metadata) == ({}, METADATA)
    assert str(metadata["costs"][2]) == "-0.0"


def test_the_official_library_reads_the_file(path: Path) -> None:
    write_tensors(path, {**OLD, "größe": np.array([True, False])}, METADATA)
    assert_same_tensors(safetensors.numpy.load_file(path), {**OLD, "größe": np.array([True, False])})
    with safetensors.safe_open(path, "np") as file:
        notes = file.metadata()
    assert list(notes) == ["clearprop"]
    assert list(json.loads(notes["clearprop"])) == ["checksum", *METADATA]


def test_the_checksum_is_the_sha256_of_the_file_with_its_digits_as_zeros(path: Path) -> None:
    write_tensors(path, OLD, {"like": "sha256:" + "ab" * 32})
    content = path.read_bytes()
    digits = json.loads(safetensors.safe_open(path, "np").metadata()["clearprop"])["checksum"][
        7:
    ].encode()
    assert hashlib.sha256(content.replace(digits, b"0" * 64)).hexdigest().encode() == digits


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", NEW, METADATA)
    write_tensors(tmp_path / "b", dict(reversed(NEW.items())), METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_path_may_be_bytes_relative_or_a_long_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (b"bytes", "relative", "n" * 255, "spaces and 'quotes'\n"):
        write_tensors(name, OLD, {})
        assert_same_tensors(read_tensors(name)[0], OLD)


def test_a_thousand_tensors_are_read(path: Path) -> None:
    tensors = {f"layers.{i}.bias": np.full(2, i, np.float32) for i in range(1000)}
    write_tensors(path, tensors, {}, sync=False)
    assert_holds(path, tensors)


BAD_TENSORS = [
    ({"x": [1.0]}, TypeError, r"tensors\['x'\] must be an ndarray, got list"),
    (
        {"x": np.ones(1, np.float16)},
        TypeError,
        r"tensors\['x'\] must be one of float32, .*, got float16",
    ),
    ({"x": np.ones(1, np.int32)}, TypeError, "must be one of .*, got int32"),
    ({"x": np.ones(1, np.complex128)}, TypeError, "must be one of .*, got complex128"),
    ({"x": np.array([None])}, TypeError, "must be one of .*, got object"),
    ({"x": np.array(["a"])}, TypeError, "must be one of .*, got <U1"),
    ({"x": np.ones(1, "f4,f8")}, TypeError, "must be one of .*, got"),
    ({"x": np.ones((1,) * 9)}, ValueError, r"tensors\['x'\] must have at most 8 dimensions, got 9"),
    ({1: np.ones(1)}, TypeError, "the name of a tensor must be a str, got 1"),
    *(
        ({name: np.ones(1)}, ValueError, "the name of a tensor must be 1 to 256 printable characters")
        for name in (
            "",
            "a/b",
            "..",
            "../../x",
            "a\\b",
            "a\0b",
            "a\nb",
            "\ud800",
            "n" * 257,
            "__metadata__",
        )
    ),
]


@pytest.mark.parametrize(("tensors", "kind", "message"), BAD_TENSORS)
def test_arrays_and_names_that_do_not_fit_are_refused_and_nothing_is_written(
    path: Path, tensors: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        write_tensors(path, tensors, {})
    assert list(path.parent.iterdir()) == []


def circular() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    return loop


BAD_METADATA = [
    ({"cost": float("nan")}, ValueError, r"metadata\['cost'\] must be finite, got nan"),
    (
        {"a": [1, {"b": float("-inf")}]},
        ValueError,
        r"metadata\['a'\]\[1\]\['b'\] must be finite, got -inf",
    ),
    ({"a": np.float32(1)}, TypeError, r"metadata\['a'\] must be what JSON can hold, got float32"),
    ({"a": np.ones(2)}, TypeError, "must be what JSON can hold, got ndarray"),
    ({"a": {1, 2}}, TypeError, "must be what JSON can hold, got set"),
    ({"a": b"x"}, TypeError, "must be what JSON can hold, got bytes"),
    ({1: 2}, TypeError, "every key of metadata must be a str, got 1"),
    ({"a": {None: 2}}, TypeError, r"every key of metadata\['a'\] must be a str, got None"),
    ({"checksum": "mine"}, ValueError, "metadata must leave the key 'checksum' to write_tensors"),
    (circular(), ValueError, "metadata must be nested at most 32 deep"),
    ({"a": 10**5000}, ValueError, "digits"),
    (
        {"a": "x" * 10_000_001},
        ValueError,
        "metadata must take at most 10000000 bytes as JSON, got 10000",
    ),
    (
        {"a": '"' * 3_000_000},
        ValueError,
        "metadata and names must take at most 10000000 bytes in the header",
    ),
]


@pytest.mark.parametrize(("metadata", "kind", "message"), BAD_METADATA, ids=range(len(BAD_METADATA)))
def test_metadata_that_does_not_fit_is_refused_and_nothing_is_written(
    path: Path, metadata: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        write_tensors(path, OLD, metadata)
    assert list(path.parent.iterdir()) == []


def test_what_is_nested_as_deep_as_is_read_is_written_too(path: Path) -> None:
    value: Any = 1.5
    for _ in range(31):  # and the metadata themselves
        value = [value]
    write_tensors(path, {}, {"deep": value})
    assert read_tensors(path) == ({}, {"deep": value})
    with pytest.raises(ValueError, match="nested at most 32 deep"):
        write_tensors(path, {}, {"deep": [value]})


def test_too_many_tensors_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="tensors must be at most 100000, got 100001"):
        write_tensors(path, dict.fromkeys(map(str, range(100_001)), np.ones(1)), {})


def test_bytes_that_change_on_the_way_to_the_disk_are_caught(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flipping(FaultyOS):
        def write(self, descriptor: int, piece: memoryview) -> int:
            return os.write(descriptor, piece.tobytes().replace(b"F64", b"I64"))

    write_tensors(path, OLD, {})
    monkeypatch.setattr(atomic_file, "os", Flipping())
    with pytest.raises(CheckpointError, match="the file must read back as it was written"):
        write_tensors(path, NEW, {})
    assert_holds(path, OLD)
    assert_alone(path)


@pytest.mark.parametrize(("content", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_file_is_refused_with_its_sentence(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(repr(str(path)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 400


def test_the_forge_makes_sound_files(path: Path) -> None:
    path.write_bytes(SOUND)
    assert_holds(path, {"b": np.array([1, 2], np.float32)})


def test_a_sound_header_whose_length_begins_like_a_pickle_is_read(path: Path) -> None:
    header = header_of(("b", entry()))
    path.write_bytes(sealed(header + b" " * (0x0280 - len(header)), bytes(8)))
    assert path.read_bytes().startswith(b"\x80\x02")
    assert_holds(path, {"b": np.zeros(2, np.float32)})


def test_too_many_tensors_are_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearprop.checkpoint.tensor_header.MOST_TENSORS", 2)
    path.write_bytes(with_tensors(*((str(i), entry("U8", [1], [i, i + 1])) for i in range(3)), size=3))
    with pytest.raises(CheckpointError, match="the file must hold at most 2 tensors, got 3"):
        read_tensors(path)


def test_a_file_too_large_for_memory_is_refused(path: Path) -> None:
    size = 2**36
    header = header_of(("a", entry("U8", [size], [0, size])))
    path.write_bytes(sealed(header, b""))
    os.truncate(path, 8 + len(header) + size)  # sparse: the disk does not feel it
    script = """
        import resource, sys
        from clearprop.checkpoint import CheckpointError, read_tensors
        resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
        try:
            read_tensors(sys.argv[1])
        except CheckpointError as error:
            print(error)
    """
    result = run_python(script, str(path))
    assert result.stderr == ""
    assert "the file must fit in memory, got 68719476" in result.stdout


@pytest.mark.parametrize("change", [-3, 3])
def test_a_file_that_changes_its_size_while_it_is_read_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, change: int
) -> None:
    path.write_bytes(SOUND)
    empty = np.empty

    def empty_and_resize(shape: Any, dtype: Any) -> np.ndarray:
        if dtype == np.float32:
            os.truncate(path, len(SOUND) + change)
        return empty(shape, dtype)

    monkeypatch.setattr(np, "empty", empty_and_resize)
    with pytest.raises(CheckpointError, match="the file must keep its size while it is read"):
        read_tensors(path)


@contextlib.contextmanager
def a_socket(path: Path) -> Any:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield


def test_only_regular_files_are_read_or_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mkdir("folder")
    with a_socket(Path("socket")):
        for name, kind in {
            "pipe": "pipe",
            "folder": "folder",
            "socket": "socket",
            "/dev/null": "device",
        }.items():
            with pytest.raises(
                CheckpointError, match=f"path must be a regular file, got a {kind}: '.*{name}'"
            ):
                read_tensors(name)
            with pytest.raises(
                CheckpointError, match=f"path must be a regular file, got a {kind}: '.*{name}'"
            ):
                write_tensors(name, OLD, {})
    assert sorted(os.listdir()) == ["folder", "pipe", "socket"]


def test_a_pipe_that_takes_the_place_of_the_file_does_not_hang(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(SOUND)
    look = os.stat

    def look_and_swap(name: Any, **options: Any) -> os.stat_result:
        found = look(name, **options)
        os.unlink(path)
        os.mkfifo(path)
        return found

    monkeypatch.setattr(os, "stat", look_and_swap)
    with pytest.raises(CheckpointError, match="the file must have at least 10 bytes, got 0"):
        read_tensors(path)


@pytest.mark.parametrize("function", [read_tensors, lambda name: write_tensors(name, OLD, {})])
def test_paths_that_cannot_be_are_refused(function: Any, tmp_path: Path) -> None:
    for name in (tmp_path / "missing" / "x", str(tmp_path / ("n" * 256))):
        with pytest.raises(OSError, match=f"{Path(name).name}"):
            function(name)
    with pytest.raises(TypeError):
        function(3)
    with pytest.raises(ValueError, match="null"):
        function("a\0b")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="loop"):
        function(loop)


@pytest.mark.parametrize("name", ["", "folder/"])
def test_a_path_without_a_file_name_is_not_written(name: str) -> None:
    with pytest.raises(CheckpointError, match=f"path must name a file, got '{name}'"):
        write_tensors(name, OLD, {})
