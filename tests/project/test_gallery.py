"""Every example of the gallery runs without a warning, prints what it found, and ends in a picture."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

GALLERY = sorted((Path(__file__).parents[2] / "examples" / "gallery").glob("*.py"))
NAMES = [path.stem for path in GALLERY]
# Runs it as `python FILE` does, and looks at the figure that it would show.
RUN = """
import runpy, sys
import matplotlib.pyplot as plt
runpy.run_path(sys.argv[1], run_name="__main__")
assert plt.get_fignums(), "there is no figure"
plt.savefig(sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("path", GALLERY, ids=NAMES)
def test_the_example_runs_without_a_warning_and_draws(path, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is an extra: clearprop[plot]")
    picture = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, path, picture],
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
        env={"MPLBACKEND": "agg", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert picture.stat().st_size > 5000


def test_there_are_fifteen_examples_or_more():
    assert len(GALLERY) >= 15


@pytest.mark.parametrize("path", GALLERY, ids=NAMES)
def test_an_example_has_a_title_is_short_and_ends_in_a_picture(path):
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    title, line, *_ = ast.get_docstring(tree).splitlines()
    assert line == "=" * len(title)
    assert len(text.splitlines()) <= 75
    assert text.endswith("plt.show()\n")
    assert "shared" not in text
