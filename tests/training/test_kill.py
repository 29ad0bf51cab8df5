"""A run killed with SIGKILL at any moment and resumed ends with the bits of the unbroken run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("kill_harness.py")
KILLS = int(os.environ.get("CLEARPROP_KILLS", "12"))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(HARNESS), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60 + 6 * KILLS,
    )


@pytest.mark.parametrize(
    ("engine", "every", "kills"),
    [
        ("auto", "1epoch", KILLS // 2),
        ("auto", "0.01s", KILLS // 4),
        pytest.param("numpy", "0.01s", KILLS // 4, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_it_is_the_unbroken_run(engine, every, kills, tmp_path):
    done = run(engine, every, kills, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["kills"] == kills
    assert counts["in_the_middle_of_a_save"] > 0


def test_a_stream_killed_in_the_middle_of_an_epoch_is_the_unbroken_run(tmp_path):
    done = run("auto", "0.01s", max(KILLS // 4, 2), tmp_path, "--stream")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_harness_notices_a_part_of_the_state_that_is_lost(tmp_path):
    done = run("numpy", "0.01s", 3, tmp_path, "--forget")
    assert done.returncode != 0
    assert "the bits differ from the unbroken run's" in done.stderr
