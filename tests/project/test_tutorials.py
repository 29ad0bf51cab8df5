"""Tutorials and pages of the reference do what they show: Python and commands, in their order, in one folder.

Numbers may differ a little from machine to machine: those that are printed are within a quarter of
those on the page. "..." stands for anything.
"""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    *sorted(DOCS.glob("tutorials/[!i]*.md")),
    DOCS / "reference" / "files.md",
    DOCS / "reference" / "messages.md",
]
BLOCK = re.compile(r"```(python|sh|text)\n(.*?)```", re.DOTALL)
TOKEN = re.compile(r"\.\.\.|\d+(?:[.,]\d+)*(?:e[-+]?\d+)?|[^\s\d.]+|\.")


def is_near(want, got):
    """Whether two tokens are the same, or numbers that are near each other."""
    if want == got:
        return True
    try:
        one, other = float(want.replace(",", "")), float(got.replace(",", ""))
    except ValueError:
        return False
    return abs(one - other) <= 0.25 * max(abs(one), abs(other))


def matches(want, got):
    """Whether what was printed is what the page shows."""
    want, got = TOKEN.findall(want), TOKEN.findall(got)
    at = [0]  # the places in `got` up to which `want` may have come
    for token in want:
        if token == "...":
            at = list(range(min(at), len(got) + 1))
        else:
            at = [i + 1 for i in at if i < len(got) and is_near(token, got[i])]
        if not at:
            return False
    return len(got) in at


class Near(doctest.OutputChecker):
    """Compares as `matches` does."""

    def check_output(self, want, got, flags):
        return matches(want.replace("<BLANKLINE>", ""), got)


def shell(text, folder, code=0):
    """Run the commands of a block, which end with this code; return what they print."""
    environment = {
        **os.environ,
        "COLUMNS": "100",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    shown = ""
    for line in text.splitlines():
        done = subprocess.run(
            line.removeprefix("$ "), shell=True, cwd=folder, env=environment,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        shown += (done.stderr if " train " in line else "") + done.stdout
    return shown


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_does_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser, runner, names, printed = doctest.DocTestParser(), doctest.DocTestRunner(Near()), {}, ""
    for kind, text in BLOCK.findall(page.read_text("utf-8")):
        if kind == "python":
            test = parser.get_doctest(text, names, page.stem, page.name, 0)
            runner.run(test, clear_globs=False)
            names = test.globs
        elif kind == "sh":
            printed = shell(text, tmp_path, 2 if page.stem == "messages" else 0)
        else:
            assert matches(text, printed), f"{text}\nis on the page, and this was printed:\n{printed}"
    assert runner.tries > 3
    assert runner.failures == 0


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("a 1.00 b", "a 1.1 b", True),
        ("a 1.00 b", "a 2.0 b", False),
        ("a ... c", "a b b c", True),
        ("a ... c", "a b b d", False),
        ("a\n...\n", "a b c", True),
        ("a", "a b", False),
        ("fail", "pass", False),
    ],
)
def test_outputs_are_compared_by_words_and_by_numbers_that_are_near(want, got, same):
    assert matches(want, got) is same
