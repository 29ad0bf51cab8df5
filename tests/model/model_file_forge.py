"""Model files made by hand, sound and hostile, by code that shares nothing with ours."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from clearprop.checkpoint import read_tensors

OLD = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
NEW = {"weight": np.full((40, 30), 7.5), "step": np.array(12)}
NO_DIGITS = "0" * 64


def metadata_text(**content: Any) -> str:
    """Return the text of the entry 'clearprop', its checksum still without digits."""
    return json.dumps({"checksum": "sha256:" + NO_DIGITS, **content})


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8), **more: Any) -> dict[str, Any]:
    """Return a tensor's entry in the header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


def header_of(*tensors: tuple[str, Any], text: Any = None) -> bytes:
    """Return a header; names may stand twice."""
    notes = {"clearprop": metadata_text() if text is None else text}
    pairs = [("__metadata__", notes), *tensors]
    return (
        "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    ).encode()


def sealed(header: bytes, data: bytes, length: int | None = None) -> bytes:
    """Return a file with the right checksum, if it has a place for one."""
    size = len(header) if length is None else length
    content = size.to_bytes(8, "little") + header + data
    digits = hashlib.sha256(content).hexdigest()
    return content.replace(b"sha256:" + NO_DIGITS.encode(), b"sha256:" + digits.encode(), 1)


SOUND = sealed(header_of(("b", entry())), np.array([1, 2], "<f4").tobytes())


class FaultyOS:
    """The module os for one of our modules, in which one call of those that count fails.

    `before` is called with the number and the name of each call that counts, and may raise.
    """

    counted = ("close", "fchmod", "fstat", "fsync", "open", "replace", "scandir", "stat", "write")

    def __init__(self, before: Any = lambda number, name: None) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.before = before

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        if name not in self.counted:
            return function

        def call(*arguments: Any, **options: Any) -> Any:
            number = len(self.calls)
            self.calls.append((name, arguments))
            if name == "close":  # a close that fails has closed all the same
                function(*arguments)
                self.before(number, name)
                return None
            self.before(number, name)
            return function(*arguments, **options)

        return call


FAULTS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS)


def assert_same_tensors(read: dict[str, np.ndarray], written: dict[str, np.ndarray]) -> None:
    """Require the same names, dtypes, shapes and bits."""
    assert read.keys() == written.keys()
    for name, array in written.items():
        assert read[name].dtype == array.dtype.newbyteorder("=")
        assert read[name].shape == array.shape
        assert read[name].tobytes() == array.astype(read[name].dtype).tobytes()


def assert_holds(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Require that a file holds these tensors."""
    assert_same_tensors(read_tensors(path)[0], tensors)


def assert_alone(path: Path) -> None:
    """Require that a file is the only one in its folder."""
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def run_python(
    script: str, *arguments: str, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a script, here or under another command, in a Python that can import what the tests can."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [*prefix, sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=environment, check=False
    )


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(2))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps([1]))
    return buffer.getvalue()


def with_text(text: Any) -> bytes:
    return sealed(header_of(("b", entry()), text=text), bytes(8))


def with_tensors(*tensors: tuple[str, Any], size: int = 8) -> bytes:
    return sealed(header_of(*tensors), bytes(size))


LARGE = 10_000_001
# By fault: the content of the file, and the pattern of the message.
HOSTILE: dict[str, tuple[bytes, str]] = {
    # the length of the header
    "empty": (b"", "the file must have at least 10 bytes, got 0"),
    "1 byte": (b"\x01", "the file must have at least 10 bytes, got 1"),
    "7 bytes": (bytes(7), "the file must have at least 10 bytes, got 7"),
    "9 bytes": (bytes(9), "the file must have at least 10 bytes, got 9"),
    "header of 0": (bytes(100), "header length must be from 2 to 92 bytes, got 0"),
    "header of 1": (sealed(b"{", bytes(9)), "header length must be from 2 to 10 bytes, got 1"),
    "header beyond the file": (sealed(b"{}", b"", 3), "header length must be from 2 to 2 bytes, got 3"),
    "header of 2**63": (
        sealed(b"{}", b"", 2**63),
        "header length must be from 2 to 2 bytes, got 9223372036",
    ),
    "header of 2**64-1": (b"\xff" * 8 + b"{}", "got 18446744073709551615"),
    "header too large": (
        LARGE.to_bytes(8, "little") + b"{" + bytes(LARGE),
        "header length must be from 2 to 10000000 bytes, got 10000001",
    ),
    "no header": (sealed(b"[1,2]", b""), r"header must begin with '\{', got b'\['"),
    "space first": (sealed(b" {}", b""), r"header must begin with '\{', got b' '"),
    # the text of the header
    "not UTF-8": (sealed(b'{"\xff":1}', b""), "header must be JSON .* can't decode byte 0xff"),
    "byte order mark": (sealed(b"\xef\xbb\xbf{}", b""), "header must begin with"),
    "not JSON": (sealed(b"{no}", b""), "header must be JSON as clearprop writes it: Expecting"),
    "two objects": (sealed(b"{}{}", b""), "header must be JSON as clearprop writes it: Extra data"),
    "NaN": (sealed(b'{"a":NaN}', b""), "every number must be finite, got NaN"),
    "-Infinity": (sealed(b'{"a":-Infinity}', b""), "every number must be finite, got -Infinity"),
    "1e999": (sealed(b'{"a":1e999}', b""), "every number must be finite, got 1e999"),
    "integer of 5000 digits": (
        sealed(b'{"a":' + b"9" * 5000 + b"}", b""),
        "header must be JSON .* digits",
    ),
    "100,000 lists": (
        sealed(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b""),
        "nested at most 32 deep, got 100001",
    ),
    "100,000 objects": (sealed(b'{"a":' * 100_000, b""), "nested at most 32 deep, got 100000"),
    "string without end": (
        sealed(b'{"a":"' + b'\\"' * 100_000, b""),
        "header must be JSON .* Unterminated",
    ),
    "backslash at the end": (sealed(b'{"a":"\\', b""), "header must be JSON"),
    "control character": (
        sealed(b'{"a\x01":1}', b""),
        "header must be JSON .* Invalid control character",
    ),
    # too little data, too much
    "data cut short": (SOUND[:-1], "the tensors must take 7 bytes, got 8: the file is cut short"),
    "trailing byte": (SOUND + b"\0", "the tensors must take 9 bytes, got 8: there is more behind them"),
    "a file behind the file": (SOUND + SOUND, "there is more behind them"),
    "data without tensors": (with_tensors(), "the tensors must take 8 bytes, got 0"),
    # places that overlap or leave holes
    "overlap": (
        with_tensors(("a", entry()), ("b", entry(offsets=[4, 12])), size=12),
        "tensor 'b' must begin at 8, got 4: it overlaps the tensor before it",
    ),
    "same place": (with_tensors(("a", entry()), ("b", entry())), "tensor 'b' must begin at 8, got 0"),
    "hole": (
        with_tensors(("a", entry(offsets=[8, 16])), size=16),
        "must begin at 0, got 8: it leaves a hole",
    ),
    "end before begin": (
        with_tensors(("a", entry(offsets=[8, 0]))),
        r"must be \[begin, end\], got \[8, 0\]",
    ),
    "negative offset": (
        with_tensors(("a", entry(offsets=[-8, 0]))),
        r"must be \[begin, end\], got \[-8, 0\]",
    ),
    "out of the file": (
        with_tensors(("a", entry(shape=[2**40], offsets=[0, 2**42]))),
        "the tensors must take 8 bytes, got 4398046511104",
    ),
    "three offsets": (with_tensors(("a", entry(offsets=[0, 4, 8]))), r"must be \[begin, end\]"),
    "offsets as text": (with_tensors(("a", entry(offsets="08"))), r"must be \[begin, end\], got '08'"),
    "offsets as floats": (with_tensors(("a", entry(offsets=[0.0, 8.0]))), r"must be \[begin, end\]"),
    "offset True": (
        with_tensors(("a", entry("U8", [1], [False, True])), size=1),
        r"must be \[begin, end\]",
    ),
    # shapes
    "shape too large": (
        with_tensors(("a", entry(shape=[3]))),
        r"shape \[3\] of F32 must take 12 bytes, got 8",
    ),
    "shape too small": (
        with_tensors(("a", entry(shape=[1]))),
        r"shape \[1\] of F32 must take 4 bytes, got 8",
    ),
    "shape of 2**64": (
        with_tensors(("a", entry(shape=[2**32, 2**32, 2]))),
        r"tensor 'a' must have less than 2\*\*63 bytes, got shape \[4294967296, 4294967296, 2\]",
    ),
    "shape that wraps to 8 bytes": (
        with_tensors(("a", entry(shape=[2**62 + 2]))),
        r"less than 2\*\*63 bytes",
    ),
    "nothing times too much": (
        with_tensors(("a", entry(shape=[0, 2**62], offsets=[0, 0]))),
        r"less than 2\*\*63",
    ),
    "offsets beyond 2**63": (
        with_tensors(("a", entry(offsets=[2**63, 2**63 + 8]))),
        r"less than 2\*\*63",
    ),
    "negative size": (
        with_tensors(("a", entry(shape=[-2]))),
        r"shape must be at most 8 integers from 0, got \[-2",
    ),
    "two negative sizes": (
        with_tensors(("a", entry(shape=[-1, -2]))),
        "shape must be at most 8 integers from 0",
    ),
    "size as float": (
        with_tensors(("a", entry(shape=[2.0]))),
        "shape must be at most 8 integers from 0",
    ),
    "size as text": (
        with_tensors(("a", entry(shape=["2"]))),
        "shape must be at most 8 integers from 0",
    ),
    "size True": (
        with_tensors(("a", entry(shape=[True, 2]))),
        "shape must be at most 8 integers from 0",
    ),
    "shape null": (with_tensors(("a", entry(shape=None))), "shape must be .* got None"),
    "nine dimensions": (
        with_tensors(("a", entry(shape=[1] * 8 + [2]))),
        "shape must be at most 8 integers",
    ),
    # dtypes
    **{
        f"dtype {dtype}": (
            with_tensors(("a", entry(dtype))),
            f"dtype must be one of F32, F64, I64, U8, U64, BOOL, got {dtype!r}".replace("[", r"\["),
        )
        for dtype in ("f32", "BF16", "F16", "F8_E4M3", "C64", "I32", "O", "", 5, None, ["F32"])
    },
    # what stands twice, is missing or is not known
    "name twice": (
        with_tensors(("a", entry()), ("a", entry())),
        "every name must stand once, got 'a' twice",
    ),
    "metadata twice": (
        with_tensors(("__metadata__", {"clearprop": metadata_text()})),
        "every name must stand once, got '__metadata__' twice",
    ),
    "dtype twice": (
        sealed(header_of(("a", entry())).replace(b'"dtype"', b'"dtype":"F64","dtype"'), bytes(8)),
        "every name must stand once, got 'dtype' twice",
    ),
    "unknown field": (
        with_tensors(("a", entry(url="http://x"))),
        "must be its dtype, shape and data_offsets",
    ),
    "missing field": (
        with_tensors(("a", {"dtype": "F32", "shape": [2]})),
        "must be its dtype, shape and data_off",
    ),
    "tensor is a list": (
        with_tensors(("a", [1])),
        r"must be its dtype, shape and data_offsets, got \[1\]",
    ),
    "tensor is null": (
        with_tensors(("a", None)),
        "must be its dtype, shape and data_offsets, got None",
    ),
    # metadata
    "no metadata": (sealed(b"{}", b""), "clearprop did not write this file"),
    "foreign safetensors": (
        safetensors.numpy.save({"w": np.ones((2, 3), np.float32)}, {"format": "pt"}),
        "clearprop did not write this file",
    ),
    "metadata null": (sealed(b'{"__metadata__":null}', b""), "clearprop did not write this file"),
    "metadata a list": (
        sealed(b'{"__metadata__":["clearprop"]}', b""),
        "clearprop did not write this file",
    ),
    "more metadata": (
        sealed(b'{"__metadata__":{"clearprop":"{}","a":"b"}}', b""),
        "clearprop did not write",
    ),
    "entry not text": (
        with_text({"checksum": "x"}),
        "entry 'clearprop' must be text, got {'checksum': 'x'}",
    ),
    "entry a number": (with_text(7), "entry 'clearprop' must be text, got 7"),
    "entry not JSON": (with_text("hello"), "entry 'clearprop' must be JSON as clearprop writes it"),
    "entry empty": (with_text(""), "entry 'clearprop' must be JSON"),
    "entry a list": (with_text("[1]"), r"entry 'clearprop' must be a JSON object, got \[1\]"),
    "entry deep": (with_text('{"a":' * 5000 + "1" + "}" * 5000), "nested at most 32 deep, got 5000"),
    "entry with NaN": (with_text('{"cost":NaN}'), "every number must be finite, got NaN"),
    "entry with a key twice": (with_text('{"a":1,"a":2}'), "every name must stand once, got 'a' twice"),
    "entry with lone surrogate": (with_text('{"a":"\ud800"}'), "entry 'clearprop' must be JSON"),
    "no checksum": (with_text("{}"), "checksum must be 'sha256:' and 64 digits, got None"),
    "checksum a number": (
        with_text('{"checksum":1}'),
        "checksum must be 'sha256:' and 64 digits, got 1",
    ),
    "checksum of another kind": (
        with_text('{"checksum":"md5:00"}'),
        "checksum must be .* got 'md5:00'",
    ),
    "checksum in capitals": (
        with_text('{"checksum":"sha256:' + "A" * 64 + '"}'),
        "checksum must be 'sha256:'",
    ),
    # the checksum, the data
    "byte of the data": (
        SOUND[:-1] + b"\x41",
        "checksum must be that of the content, sha256:.* got sha256:",
    ),
    "bool of 2": (
        sealed(header_of(("a", entry("BOOL", [2], [0, 2]))), b"\1\2"),
        "every byte of the BOOL tensor 'a' must be 0 or 1",
    ),
    # other kinds of files
    **{
        f"pickle {n}": (
            pickle.dumps({"a": 1}, n),
            "must be a safetensors file, looks like a pickle file: not opened",
        )
        for n in (2, 3, 4, 5)
    },
    "pickle that runs": (b"cos\nsystem\n(S'touch pwned'\ntR.", "looks like a text file"),
    "zip": (zipped(), r"looks like a zip archive \(.npz, PyTorch or Keras\)"),
    "gzip": (gzip.compress(SOUND), "looks like a gzip file"),
    "npy": (npy(), "looks like a NumPy .npy file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "looks like an HDF5 file"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(50), "looks like a PNG image"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "looks like a JPEG image"),
    "PDF": (b"%PDF-1.7\n%" + bytes(50), "looks like a PDF document"),
    "program": (b"\x7fELF\2\1\1" + bytes(50), "looks like a program"),
    "Parquet": (b"PAR1" + bytes(50), "looks like a Parquet file"),
    "bzip2": (b"BZh91AY&SY" + bytes(50), "looks like a bzip2 file"),
    "xz": (b"\xfd7zXZ\0" + bytes(50), "looks like an xz file"),
    "text": (b"hello, world\n", "looks like a text file"),
    "JSON": (b'{"sizes": [2, 3, 1]}', "looks like a text file"),
    # names that are no names
    **{
        f"name {name[:10]!r}": (
            with_tensors((name, entry())),
            "the name of a tensor must be 1 to 256 printable characters without",
        )
        for name in ("", "../../x", "a/b", "a\\b", "..", "a\0", "a\n", "\ud800", "n" * 1_000_000)
    },
}
