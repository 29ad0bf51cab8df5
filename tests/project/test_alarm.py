"""The alarm for changes that make something slower: what it takes for slower, and that it goes off."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
pytestmark = pytest.mark.skipif(
    not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy"
)


def asked(expression):
    """Return what an expression is among the names of the script."""
    code = f"import json; from alarm import *; print(json.dumps({expression}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BENCHMARKS, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_slower_is_what_the_clock_shows_beyond_noise_or_instructions_that_the_clock_does_not_excuse():
    cases = [
        # instructions, times NEW / OLD, slower
        (1.00, [1.04, 1.05, 1.03] * 8, False),
        (1.00, [1.06, 1.07, 1.08] * 8, True),
        (1.00, [0.7, 1.06, 1.6] * 8, False),  # noise: the interval holds 1
        (1.06, [0.9, 1.0, 1.1] * 8, True),
        (1.06, [0.9, 0.91, 0.92] * 8, False),  # more instructions in less time
        (1.04, [0.9, 1.0, 1.1] * 8, False),
        (1.06, [], True),
        (1.04, [], False),
        (None, [1.06, 1.07, 1.08] * 8, True),
        (None, [1.0, 1.02, 1.04] * 8, False),
        (1.00, [2.0, 2.0], False),  # two times prove nothing
    ]
    calls = ", ".join(f"slower({count!r}, {times!r})" for count, times, _ in cases)
    assert asked(f"[{calls}]") == [expected for _, _, expected in cases]
    # Of 25 numbers the eighth and the eighteenth: Conover, Practical Nonparametric Statistics, 3.2.
    assert asked("interval([float(i) for i in range(1, 26)])") == [8.0, 13.0, 18.0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind counts the instructions")
def test_an_optimizer_that_does_more_than_it_has_to_raises_the_alarm_and_nothing_else_does(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "src" / "clearprop" / "engines" / "updates.py"
    text, line = path.read_text(encoding="utf-8"), "        u[i] = b1 * u[i] + c1 * g[i]\n"
    assert text.count(line) == 1
    path.write_text(
        text.replace(line, 16 * "        g[i] = (b1 + c1) * g[i]\n" + line), encoding="utf-8"
    )
    words = [str(BENCHMARKS / "alarm.py"), str(ROOT), str(tmp_path), "--works", "W2,W3", "--counts"]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 1, done.stderr
    of_sgd, of_adam = done.stdout.splitlines()
    assert of_sgd.startswith("W2       instructions x 1.000")
    assert of_adam.startswith("W3       instructions x 1.")
    assert "SLOWER" not in of_sgd
    assert of_adam.endswith("SLOWER")
