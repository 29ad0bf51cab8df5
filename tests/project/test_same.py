"""The guard under changes of the inside: what it compares, and that it notices."""

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


def same(old, new, *arguments):
    words = [sys.executable, str(BENCHMARKS / "same.py"), str(old), str(new), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=1800, check=False)


def changed(folder, file, old, new):
    """Return a copy of the source in which one place is another."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "src" / "clearprop" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_what_is_no_version_and_what_expects_without_a_reason_are_refused(tmp_path):
    done = same(ROOT, "no-such-revision")
    assert done.returncode == 2
    assert "no-such-revision is no folder of a checkout and no revision" in done.stderr
    expected = tmp_path / "expected.toml"
    expected.write_text('[[change]]\nrun = "*"\n')
    done = same(ROOT, ROOT, "--expect", expected)
    assert done.returncode == 2
    assert "reason" in done.stderr


@pytest.mark.slow
def test_a_changed_sentence_is_shown(tmp_path):
    rule = '"epochs", self.epochs, 1'
    mutant = changed(tmp_path, "training/settings.py", rule, '"epochs", self.epochs, 2')
    done = same(ROOT, mutant, "--only", "network: refused")
    assert done.returncode == 1, done.stderr
    assert "network: refused | epochs 0 / says\n" in done.stdout
    assert "    old epochs must be at least 1, got 0\n    new epochs must be at least 2" in done.stdout


@pytest.mark.slow
def test_a_version_is_the_same_as_itself_but_for_one_bit_of_an_initial_weight(tmp_path):
    old = "math.sqrt(6.0 / (n_in + n_out))"
    mutant = changed(tmp_path, "initializers.py", old, "math.sqrt(6.0000001 / (n_in + n_out))")
    runs = ("--only", "network: sgd", "network: diverged", "shell: iris")
    done = same(ROOT, ROOT, *runs)
    assert (done.returncode, done.stdout) == (0, "3 runs; 0 differences\n"), done.stderr
    done = same(ROOT, mutant, *runs)
    assert done.returncode == 1, done.stderr
    assert "network: sgd | numpy float64, 1 threads / parameters\n" in done.stdout
    assert "shell: iris | predict iris.safetensors iris / stdout" in done.stdout


def test_an_expected_difference_is_one_with_the_run_the_quantity_and_the_new_value_that_were_said():
    code = """if True:
        import same
        [found] = same.compare("shell: iris", {"a": 1}, {"a": 22})
        for how in ({}, {"run": "shell: *", "new": "22"}, {"run": "net*"}, {"quantity": "b"}, {"new": "3"}):
            print(same.Change("it is meant", **how).covers(found), end=" ")
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BENCHMARKS, check=True, capture_output=True, text=True
    )
    assert done.stdout == "True True False False False "


def compared(old, new):
    code = f"import same, json; print(json.dumps([[d.quantity, d.said] for d in same.compare('r', {old!r}, {new!r})]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BENCHMARKS, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


ONE = {"dtype": "<f4", "shape": [2], "bits": "AACAPwAAAAA="}  # 1 and 0
MINUS_ZERO = ONE | {"bits": "AACAPwAAAIA="}


@pytest.mark.parametrize(
    ("old", "new", "quantity", "said"),
    [
        ({"a": ONE}, {"a": MINUS_ZERO}, "a", "1 of 2 values, by at most 0, the first [1]"),
        ({"a": ONE}, {"a": ONE | {"dtype": "<i4"}}, "a", "old float32 (2,)\nnew int32 (2,)"),
        ({"a": {"b": 1}}, {"a": {"b": 1.0}}, "a / b", "old 1\nnew 1.0"),
        ({"a": [1.5, 2.0]}, {"a": [1.5, 2.5]}, "a", "old [1.5, 2.0]\nnew [1.5, 2.5]"),
        ({"a": 1}, {}, "a", "old 1\nnew (absent)"),
        ({"a": "x\ny\n"}, {"a": "x\nz\n"}, "a", "old y\nnew z"),
        ({"a": True}, {"a": 1}, "a", "old true\nnew 1"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a / 0 / b", "old 1\nnew 2"),
        ({"a": "x\n"}, {"a": "x\r\n"}, "a", "the ends of lines differ"),
    ],
)
def test_every_kind_of_value_is_compared_and_shown(old, new, quantity, said):
    assert compared(old, old) == []
    [(where, shown)] = compared(old, new)
    assert where == quantity
    assert shown.startswith(said)
