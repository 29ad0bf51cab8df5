"""docs/architecture.md: its drawing is that of the source, and what it names is where it says."""

import importlib.util
import re
from pathlib import Path

import pytest

from test_equations_page import definition

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "architecture.md", *sorted((DOCS / "decisions").glob("*.md"))]
LINKS = [
    (page, name, target)
    for page in PAGES
    for name, target in re.findall(r"\[([^\]]+)\]\(([^)#]+?)\)", page.read_text())
]


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    spec = importlib.util.spec_from_file_location("make_architecture", DOCS / "make_architecture.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_drawing_is_that_of_the_source(drawn):
    assert drawn.PICTURE.read_text() == drawn.drawing(), "run python docs/make_architecture.py"


def test_every_arrow_of_the_drawing_goes_down_or_stays_in_its_row(drawn):
    row = {part: number for number, parts in enumerate(drawn.layers()) for part in parts}
    for part, others in drawn.imports().items():
        assert all(row[part] <= row[other] for other in others), part


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("from clearprop import costs, data as d", {"costs", "data"}),
        ("from clearprop.engines.codes import SGD", {"engines"}),
        ("import clearprop.cli.app", {"cli"}),
        ("def f():\n    from clearprop.model import file", {"model"}),
        ("if TYPE_CHECKING:\n    from clearprop.trace import Trace", {"trace"}),
        ("import numpy\nfrom numpy import costs", set()),
    ],
)
def test_an_import_is_seen_wherever_it_stands(drawn, source, parts):
    assert drawn.imported(source) == parts


def test_an_arrow_that_follows_from_others_is_left_out(drawn):
    edges = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert drawn.shortest(edges) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


@pytest.mark.parametrize(("page", "name", "target"), LINKS, ids=lambda each: str(each)[-40:])
def test_a_link_leads_to_what_it_names(page, name, target):
    path = page.parent / target
    assert path.exists(), f"there is no {target}"
    if name.startswith("`"):
        assert definition(path.read_text(), name.strip("`")) is not None, f"{target} has no {name}"


def test_hooks_and_templates_are_whole_and_name_no_address():
    root = DOCS.parent
    lint = (root / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    hooks = (root / ".pre-commit-config.yaml").read_text()
    for command in re.findall(r"\$\(BIN\)/(.+)", lint):
        assert f".venv/bin/{command.removesuffix(' .')}" in hooks
    templates = list((root / ".github" / "ISSUE_TEMPLATE").glob("*.md"))
    assert templates
    for path in [*templates, root / "SECURITY.md", root / ".pre-commit-config.yaml"]:
        assert "http" not in path.read_text()
    for path in templates:
        assert re.match(r"---\nname: .+\nabout: .+\nlabels: \w+\n---\n\n", path.read_text()), path
