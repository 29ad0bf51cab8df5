"""Where the system gives no more memory, the shell says so in a sentence: real processes, real limits."""

import os
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource")
COMMAND = [sys.executable, "-m", "clearprop"]


def limited(mib, *arguments, **environment):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))

    return subprocess.run(
        [*COMMAND, *arguments], preexec_fn=limit, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
@pytest.mark.parametrize(
    "mib",
    [200, 280, 360, 500, *(pytest.param(mib, marks=pytest.mark.slow) for mib in (240, 320, 400, 700))],
)
def test_a_training_without_memory_ends_with_a_sentence(mib, tmp_path):
    done = limited(
        mib, "train", "digits", "--epochs", "1", "--quiet", "--output", str(tmp_path / "m"),
        CLEARPROP_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode == 1, done.stderr
        assert done.stderr.splitlines()[-1].startswith("clearprop: there is not enough memory"), (
            done.stderr
        )
        assert not (tmp_path / "m").exists()
    assert mib > 240 or done.returncode == 1


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (MemoryError(), "there is not enough memory"),
        (MemoryError("LLVM needs 3 MiB"), "there is not enough memory (LLVM needs 3 MiB)"),
        (RuntimeError("can't start new thread"), "there is not enough memory"),
        (ImportError("x.so: failed to map segment from shared object"), "there is not enough memory"),
        (OSError(12, "Cannot allocate memory"), "there is not enough memory"),
        (ImportError("No module named x"), None),
        (RuntimeError("something else"), None),
    ],
    ids=str,
)
def test_a_lack_of_memory_is_told_by_whatever_notices_it(problem, said, capsys):
    from clearprop.cli import errors

    code = errors.tell(problem)
    told = capsys.readouterr().err
    assert (told == f"clearprop: {said}\n") == (said is not None)
    assert said is None or code == errors.FAILED
