"""Damaged data files: refused with a ValueError, TypeError or OSError, or read for what they are.

Each seed file is changed a few bytes at a time. CLEARPROP_FUZZ says how many files in all (2,000 if
it is not set). A crash of the interpreter, a hang or another exception fails the test.
"""

import gzip
import io
import os
import random
import signal
import struct
import zipfile
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearprop import data
from data_files import idx_bytes, images

TOTAL = int(os.environ.get("CLEARPROP_FUZZ", "2000"))
BATCHES = 5
HANG_SECONDS = 20

TABLE = b"a,b,y\n1,2,0\n3,4,1\n5,6.5,0\n"
ODD_WORDS = (0, 1, 3, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
ODD_BYTES = b'\0\1\x08\x0d\x0e\xff\x7f\x80\n\r",;(.-'


def npz(save, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def parquet():
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [1.5, 2, 3], "b": [1, 2, 3], "y": ["u", "v", "u"]}), file)
    return file.getvalue()


X = np.arange(18.0).reshape(6, 3)
SEEDS = {
    "idx": [idx_bytes(images()), gzip.compress(idx_bytes(images())), idx_bytes(X.astype(">f8"), 0x0E)],
    "npz": [
        npz(np.savez, X=X, y=np.array([0, 1, 2, 0, 1, 2])),
        npz(np.savez_compressed, X=X, y=np.array(list("abcabc"))),
        npz(np.savez_compressed, X=images(), y=np.arange(7) / 2),
        npz(np.savez, X=X > 3, y=X[:, 0] > 3),
    ],
    "csv": [
        TABLE,
        b'a;b;"y"\r\n1;2;"x"\r\n3;4;"z ""w"""\r\n',
        "a,b,y\n1,2,é\n3,4,b\n".encode(),
        gzip.compress(TABLE),
    ],
    "parquet": [parquet()],
}


def damaged(content, rng):
    """Return the bytes with one to eight changes: bits, bytes, lies about lengths, cuts, copies."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        size = len(content)
        if size == 0:
            break
        at, other = rng.randrange(size), rng.randrange(size)
        match rng.randrange(8):
            case 0:
                content[at] ^= 1 << rng.randrange(8)
            case 1:
                content[at] = rng.choice((*ODD_BYTES, rng.randrange(256)))
            case 2:
                content[at:at] = rng.randbytes(rng.randrange(1, 5))
            case 3:
                del content[at : at + rng.randrange(1, 9)]
            case 4:
                content[at:at] = content[other : other + rng.randrange(1, 20)]
            case 5:
                del content[at:]
            case 6:
                word = struct.pack(rng.choice(("<I", ">I", "<Q")), rng.choice(ODD_WORDS))
                content[at : at + len(word)] = word
            case 7:
                content[at : at + 4], content[other : other + 4] = (
                    content[other : other + 4],
                    content[at : at + 4],
                )
    return bytes(content)


class Hang(BaseException):
    """Outside every family that a reader could catch."""


@contextmanager
def time_limit():
    def stop(*_):
        raise Hang

    # Processor time, and the clock for what waits: a machine at work may stand still for a while.
    clocks = {
        signal.SIGPROF: (signal.ITIMER_PROF, HANG_SECONDS),
        signal.SIGALRM: (signal.ITIMER_REAL, 30 * HANG_SECONDS),
    }
    previous = {number: signal.signal(number, stop) for number in clocks}
    for timer, seconds in clocks.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _ in clocks.values():
            signal.setitimer(timer, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)


def read(kind, path):
    return data.read_idx(path) if kind == "idx" else data.load(path)


def assert_usable(kind, found):
    if kind == "idx":
        assert found.size < 1000
        return
    assert found.X_train.ndim == 2
    assert len(found.X_train) == len(found.Y_train) > 0
    assert np.isfinite(found.X_train).all()
    if found.classes is None:
        assert np.isfinite(found.Y_train).all()
    else:
        assert 0 <= found.Y_train.min() <= found.Y_train.max() < len(found.classes)
        "".join(map(str, found.classes)).encode()
    assert np.isfinite(found.scaling.factor).all()


@pytest.mark.filterwarnings("ignore:.*left out:UserWarning")  # rows whose target is a gap
@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("kind", SEEDS)
def test_a_damaged_file_is_refused_or_read(tmp_path, kind, batch):
    rng = random.Random(f"{kind} {batch}")
    path = tmp_path / f"damaged.{kind}"
    refused = 0
    for _ in range(-(-TOTAL // (BATCHES * len(SEEDS)))):
        content = damaged(rng.choice(SEEDS[kind]), rng)
        path.write_bytes(content)
        try:
            with time_limit():
                assert_usable(kind, read(kind, path))
        except (ValueError, TypeError, OSError) as error:
            refused += 1
            message = str(error)
            assert "damaged" in message, message
            assert "\n" not in message, message
            assert len(message) < 1000, message
        except BaseException:
            print(f"{kind}: {content!r}")
            raise
    assert refused > 0


@pytest.mark.parametrize("kind", SEEDS)
def test_the_undamaged_files_are_read(tmp_path, kind):
    for content in SEEDS[kind]:
        path = tmp_path / f"damaged.{kind}"
        path.write_bytes(content)
        assert_usable(kind, read(kind, path))


def test_no_damaged_archive_passes_for_another_data_set(tmp_path):
    """A CRC-32 guards each member: what is read at all is what was written."""
    rng = random.Random(0)
    content, path = SEEDS["npz"][0], tmp_path / "damaged.npz"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert all(member.CRC for member in archive.infolist())
    for _ in range(max(100, TOTAL // 10)):
        path.write_bytes(damaged(content, rng))
        try:
            found = data.load(path)
        except (ValueError, OSError):
            continue
        np.testing.assert_array_equal(found.X_train, X)
        assert found.Y_train.tolist() == [0, 1, 2, 0, 1, 2]
