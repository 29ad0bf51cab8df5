"""The first calls in a process may come from many threads at once: each entry point, eight threads."""

import subprocess
import sys
from pathlib import Path

import pytest

from first_use_harness import ENTRIES, N_THREADS

HARNESS = Path(__file__).parent / "first_use_harness.py"


def first_calls(*arguments):
    return subprocess.run(
        [sys.executable, HARNESS, *arguments], capture_output=True, text=True, timeout=300
    )


SOON = ("predict", "fit", "explain", "table", "classifier")  # one for each module that is imported late


@pytest.mark.parametrize(
    "entry", [each if each in SOON else pytest.param(each, marks=pytest.mark.slow) for each in ENTRIES]
)
def test_first_calls_from_eight_threads_are_answered(entry):
    done = first_calls(entry)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == N_THREADS


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES)
def test_5000_first_calls_are_answered(entry):
    for _ in range(-(-5000 // (N_THREADS * len(ENTRIES)))):
        done = first_calls(entry)
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_an_engine_that_is_taken_before_it_is_whole_is_noticed():
    # whether a thread meets the import in its middle is luck (about 1 process in 8): tried until one does
    assert any(first_calls("predict", "--half-imported").returncode for _ in range(200))
