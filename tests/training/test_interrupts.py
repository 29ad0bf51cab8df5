"""An interrupt at any moment harms nothing: no crash, no thread left busy, the next result right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")
HARNESS = Path(__file__).parent / "interrupt_harness.py"
WORK = ("predict", "train", "own-cost", "stream", "estimator")


def interrupted(*arguments):
    command = [sys.executable, "-X", "faulthandler", HARNESS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def assert_unharmed(what, times):
    done = interrupted(what, str(times))
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["interrupts"] >= times


@pytest.mark.parametrize("what", WORK)
def test_interrupts_at_random_moments_harm_nothing(what):
    assert_unharmed(what, 12)


@pytest.mark.slow
@pytest.mark.parametrize("what", [*WORK, "members"])
def test_500_interrupts_at_random_moments_harm_nothing(what):
    assert_unharmed(what, 500)


@pytest.mark.parametrize("what", ["predict", "train"])
def test_helpers_that_are_waited_for_between_bytecodes_are_noticed(what):
    assert interrupted(what, "500", "--careless").returncode != 0
