"""Model files mutated at random: none is accepted, none crashes, hangs, or makes us do anything else.

CLEARPROP_FUZZ=100000 makes as many mutants; CLEARPROP_FUZZ_SEED another run of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from clearprop.checkpoint import CheckpointError, read_tensors, write_tensors
from model_file_forge import HOSTILE, NO_DIGITS, assert_same_tensors, run_python, sealed

MUTANTS = int(os.environ.get("CLEARPROP_FUZZ", "2000"))
SEED = int(os.environ.get("CLEARPROP_FUZZ_SEED", "0"))
FAMILY = (ValueError, TypeError, OSError)
TENSORS = {
    "layers.0.weight": np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3),
    "layers.0.bias": np.zeros(5, np.float32),
    "moments": np.array([[0.5, np.nan]]),
    "classes": np.arange(3),
    "kept": np.array([True, False, True]),
    "nothing": np.zeros((0, 4), np.uint8),
    "state": np.array([2**64 - 1], np.uint64),
}
METADATA = {
    "format": 1,
    "sizes": [3, 5, 1],
    "history": {"cost": [0.5, 0.25]},
    "name": 'é "x"',
    "seed": None,
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "original"
    write_tensors(path, TENSORS, METADATA)
    return path.read_bytes()


@contextlib.contextmanager
def at_most(seconds: float, what: str) -> Iterator[None]:
    def too_long(number: int, frame: Any) -> None:
        raise AssertionError(f"reading hangs: {what}")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_mutant(path: Path, content: bytes, what: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what is read from the content, or None if it is refused as it must be."""
    with open(path, "r+b" if path.exists() else "xb") as file:  # "wb" would wait for the disk (ext4)
        file.write(content)
        file.truncate()
    with at_most(30, what):
        try:
            return read_tensors(path)
        except FAMILY:
            return None
        except BaseException as error:
            error.add_note(f"{what}: {content[:2000]!r}")
            raise


def flip_bits(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def set_bytes(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 4))):
        content[rng.randrange(len(content))] = rng.choice(b'\x00\xff {}[]":,\\09Aa-.\n')


def insert(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content) + 1)
    content[at:at] = rng.randbytes(rng.randint(1, 9))


def delete(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content))
    del content[at : at + rng.randint(1, 9)]


def truncate(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def append(content: bytearray, rng: random.Random) -> None:
    content += rng.randbytes(rng.randint(1, 20))


def repeat_a_part(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content))
    content[at:at] = content[at : at + rng.randint(1, 200)]


def swap_parts(content: bytearray, rng: random.Random) -> None:
    a, b = sorted(rng.sample(range(len(content)), 2))
    size = rng.randint(1, 16)
    content[a : a + size], content[b : b + size] = content[b : b + size], content[a : a + size]


def write_over(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(content))
    content[at : at + 8] = rng.randbytes(8)


def change_the_length(content: bytearray, rng: random.Random) -> None:
    length = int.from_bytes(content[:8], "little") + rng.choice((-8, -1, 1, 8, 2**31, 2**63))
    content[:8] = (length % 2**64).to_bytes(8, "little")


def white_space(content: bytearray, rng: random.Random) -> None:
    """Change nothing that a JSON parser sees, and keep the length of the header right."""
    length = min(int.from_bytes(content[:8], "little"), len(content))
    at = rng.choice([i for i, byte in enumerate(content[: 8 + length]) if byte in b"{}[],:"] or [0])
    content[at:at] = rng.choice((b" ", b"\n", b"\t"))
    content[:8] = (length + 1).to_bytes(8, "little")


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    *(flip_bits, set_bytes, insert, delete, truncate, append),
    *(repeat_a_part, swap_parts, write_over, change_the_length, white_space),
]


def test_every_mutant_is_refused(original: bytes, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    path = tmp_path / "mutant"
    for number in range(MUTANTS):
        content = bytearray(original)
        names = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            mutation = rng.choice(MUTATIONS)
            if len(content) > 1:
                mutation(content, rng)
                names.append(mutation.__name__)
        what = f"mutant {number}, {names}"
        result = read_mutant(path, bytes(content), what)
        assert (result is None) == (content != original), f"{what} was accepted: {bytes(content)!r}"


def test_every_changed_byte_of_the_file_is_refused(original: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mutant"
    for at, byte in enumerate(original):
        for other in (byte ^ 1, byte ^ 32, byte ^ 128):
            content = original[:at] + bytes([other]) + original[at + 1 :]
            assert read_mutant(path, content, f"byte {at} from {byte} to {other}") is None, (
                at,
                byte,
                other,
            )


def mutate_json(value: Any, rng: random.Random) -> Any:
    """Return the value with one thing in it changed, anywhere in the tree."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        changed = dict(value)
        name = rng.choice(list(changed))
        kind = rng.randrange(8)
        if kind == 0:
            del changed[name]
        elif kind == 1:
            changed[rng.choice(["", "x", "../x", "__metadata__", name + "\0", "é" * 200])] = changed[
                name
            ]
        elif kind == 2:
            changed[name] = changed[rng.choice(list(changed))]
        else:
            changed[name] = mutate_json(changed[name], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], mutate_json(value[at], rng), *value[at + rng.randint(0, 1) :]]
    if isinstance(value, int) and rng.random() < 0.6:
        return value + rng.choice((-8, -4, -1, 1, 4, 8, 2**31, 2**62, 2**64))
    odd = [
        None,
        True,
        -1,
        0,
        1,
        2**63,
        10**400,
        0.5,
        "",
        "F64",
        "f32",
        "BOOL",
        [],
        [0],
        [[]],
        {},
        {"a": 1},
    ]
    return rng.choice([*odd, "sha256:" + "0" * 64, "\ud800", -(2**63), [0, 0], [2**32, 2**32], 1e308])


def test_a_hostile_header_with_the_right_checksum_is_read_as_the_official_library_reads_it_or_refused(
    original: bytes, tmp_path: Path
) -> None:
    rng = random.Random(SEED + 1)
    path = tmp_path / "mutant"
    length = int.from_bytes(original[:8], "little")
    sound, data = json.loads(original[8 : 8 + length]), original[8 + length :]
    accepted = 0
    for number in range(MUTANTS // 2):
        text = json.loads(sound["__metadata__"]["clearprop"])
        text["checksum"] = "sha256:" + NO_DIGITS
        if rng.random() < 0.3:
            text = mutate_json(text, rng)
        header = {**sound, "__metadata__": {"clearprop": json.dumps(text)}}
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            header = mutate_json(header, rng)
        content = sealed(
            json.dumps(header).encode(), rng.choice((data, data, data[:-1], data + b"\0", b""))
        )
        result = read_mutant(path, content, f"header {number}")
        if result is not None:
            accepted += 1
            assert_same_tensors(result[0], safetensors.numpy.load(content))
            assert all(array.flags.owndata for array in result[0].values())
            assert all(
                set(array.tobytes()) <= {0, 1} for array in result[0].values() if array.dtype == bool
            )
    assert (
        accepted > MUTANTS // 50
    )  # else the mutants are too broken to test what comes after the header


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    rng = random.Random(SEED + 2)
    for number in range(MUTANTS // 10):
        start = rng.choice((b"", b"\x80\x04", b"PK\x03\x04", rng.randbytes(1) + bytes(7) + b"{", b'{"'))
        content = start + rng.randbytes(rng.randrange(300))
        assert read_mutant(tmp_path / "mutant", content, f"random {number}") is None


LISTENING = """
    import sys
    from clearprop.checkpoint import read_tensors
    from pathlib import Path

    sound, folder = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(map(str, folder.iterdir()))
    read_tensors(sound)  # warm-up: imports what is imported once
    events, refused, current = [], 0, None

    def listen(event, arguments):
        if current is not None and not (event == "open" and arguments[0] == current):
            events.append(f"{current}: {event} {arguments!r:.200}")

    sys.addaudithook(listen)
    for name in [str(sound), *files]:
        current = name
        try:
            read_tensors(name)
        except ValueError:
            refused += 1
        finally:
            current = None
    print(refused, *events, sep="\\n")
"""

TEMPTING = {
    "class": {"activation": "os.system", "cost": "__import__('os').system('touch pwned')"},
    "path": {"data": "/etc/passwd", "include": "file:///etc/passwd", "url": "http://127.0.0.1:9/model"},
    "pickle": {"state": "gASVHwAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjARleGl0lIWUUpQu"},
}


def test_reading_hostile_files_imports_opens_and_executes_nothing(
    original: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    (tmp_path / "sound").write_bytes(original)
    small = {
        number: content for number, (content, _) in enumerate(HOSTILE.values()) if len(content) < 10**6
    }
    for number, content in small.items():
        (folder / f"{number}").write_bytes(content)
    for name, metadata in TEMPTING.items():
        write_tensors(folder / name, TENSORS, metadata)
    rng = random.Random(SEED + 3)
    for number in range(200):
        content = bytearray(original)
        rng.choice(MUTATIONS)(content, rng)
        (folder / f"mutant{number}").write_bytes(content)
    result = run_python(LISTENING, str(tmp_path / "sound"), str(folder))
    assert result.stderr == ""
    refused, *events = result.stdout.splitlines()
    assert events == []
    assert int(refused) == len(small) + 200


def test_the_listener_hears_a_loader_that_imports(original: bytes, tmp_path: Path) -> None:
    (tmp_path / "hostile").mkdir()
    (tmp_path / "sound").write_bytes(original)
    head, tail = LISTENING.rsplit("read_tensors(name)", 1)
    result = run_python(f"{head}import this{tail}", str(tmp_path / "sound"), str(tmp_path / "hostile"))
    assert "sound: import ('this'" in result.stdout
    assert "sound: exec " in result.stdout


@pytest.mark.parametrize("fault", [CheckpointError, OSError])
def test_a_refusal_is_of_our_family(fault: type[Exception]) -> None:
    assert issubclass(fault, FAMILY)
