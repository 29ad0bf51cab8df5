"""What the documentation shows runs, and prints what it says."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(cp.__path__, "clearprop.")
    if not info.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    if name.startswith("clearprop.engines.jax."):
        pytest.importorskip("jax", reason="JAX is not installed: pip install 'clearprop[jax]'")
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(module, globs={**vars(module), "np": np, "cp": cp}):
        runner.run(test)
    assert runner.failures == 0


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/using-it.md",
        "docs/checking-a-gradient.md",
        "docs/coming-from-keras.md",
        "docs/coming-from-nielsen.md",
        "docs/coming-from-pytorch.md",
        "docs/deformed-images.md",
        "docs/determinism.md",
        "docs/embeddings.md",
        "docs/gpu.md",
        "docs/index.md",
        "docs/one-row.md",
        "docs/take-it-anywhere.md",
        "docs/trace-format.md",
    ],
)
def test_the_python_in_the_pages_runs_and_prints_what_they_say(page):
    if page == "docs/gpu.md":
        pytest.importorskip("jax", reason="JAX is not installed: pip install 'clearprop[jax]'")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    assert blocks
    parser, runner, names = doctest.DocTestParser(), doctest.DocTestRunner(), {}
    there = importlib.util.find_spec("onnx") is not None  # an extra, which not everyone has
    shown = [block for block in blocks if ">>>" in block and (there or "import onnx" not in block)]
    for number, block in enumerate(shown):
        test = parser.get_doctest(block, names, f"{page} block {number}", page, 0)
        runner.run(test, clear_globs=False)
        names = test.globs
    assert runner.failures == 0


def anchors(path):
    """Return what a link can lead to in a Markdown page: its headings, as code hosts and the site name them."""
    text = re.sub(r"^(`{3,}|:::).*?^\1", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each) for each in headings)
    named = re.findall(r"^\((\S+)\)=$|<a id=\"([^\"]+)\"", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in plain} | {
        one or other for one, other in named
    }


@pytest.mark.parametrize(
    "page",
    sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]),
)
def test_links_between_files_lead_somewhere(page):
    path = ROOT / page
    for target, anchor in re.findall(
        r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?", path.read_text()
    ):
        there = path.parent / target if target else path
        assert there.exists(), f"{page} links to {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{page} links to {target}#{anchor}"


@pytest.mark.parametrize(
    ("page", "before"),
    [
        ("README.md", r"\$ "),
        ("docs/using-it.md", "    "),
        ("docs/classroom.md", "    "),
        ("docs/tuning.md", r"\$ "),
        ("docs/take-it-anywhere.md", "    "),
    ],
)
def test_every_command_and_option_that_a_page_names_exists(page, before):
    import typer.main

    from clearprop.cli.app import application

    group = typer.main.get_command(application())
    lines = re.findall(rf"^{before}clearprop ([^\n#]*)", (ROOT / page).read_text(), flags=re.MULTILINE)
    assert lines
    for line in lines:
        name, *words = line.split()
        if name.startswith("-"):
            continue
        assert name in group.commands, name
        known = {option for parameter in group.commands[name].params for option in parameter.opts}
        for word in words:
            if word.startswith("--"):
                assert word in known, f"clearprop {name} has no {word}"
