"""docs/equations.md has every equation and erratum, and each line that it quotes is where it says."""

import ast
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "equations.md"
ROW = re.compile(r"^\| (.+?) \| (.+?) \| \[`(.+?)`\]\((.+?)\) \| `(.+?)` \| (.*?) ?\|$")


def rows():
    """Return (id, file, function, line) of every row that quotes one."""
    found = []
    for line in PAGE.read_text().splitlines():
        if match := ROW.match(line):
            found.append((match[1], match[4], match[3], match[5]))
        else:
            assert not re.match(r"\| \(?F?\d", line), f"this row is not understood: {line}"
    return found


def definition(source, name):
    """Return the lines of a function, a method or a module's variable."""
    tree = ast.parse(source)
    for part in name.split("."):
        for node in ast.iter_child_nodes(tree):
            named = getattr(node, "name", None)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named = node.targets[0].id
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                named = node.target.id
            if named == part:
                tree = node
                break
        else:
            return None
    return source.splitlines()[tree.lineno - 1 : tree.end_lineno]  # with a comment after the last


def test_every_equation_has_a_row():
    ids = " ".join(each for each, *_ in rows())
    expected = [*range(1, 29), *range(30, 42), *range(50, 58)]
    assert re.findall(r"\bF(\d+)\b", ids) == [str(n) for n in expected]
    of_s0 = [each for each, *_ in rows() if re.fullmatch(r"\(\d+\)", each)]
    assert of_s0 == [f"({n})" for n in range(1, 14)]
    derivatives_of_z = [each for each, *_ in rows() if each.startswith("dz/")]
    assert derivatives_of_z == ["dz/dw", "dz/db", "dz/da"] * 2  # S3's and S0's


def test_every_numbered_equation_of_s2_is_named():
    ids = " ".join(each for each, *_ in rows() if each.startswith("F"))
    numbers = set()
    for first, last in re.findall(r"\((\d+)\)(?:-\((\d+)\))?", ids):
        numbers |= set(range(int(first), int(last or first) + 1))
    assert numbers == set(range(23, 54))
    for each in ("BP1", "BP1a", "BP2", "BP3", "BP4"):
        assert f"({each})" in ids


def test_every_erratum_is_told():
    assert {int(n) for n in re.findall(r"\bX(\d+)\b", PAGE.read_text())} == set(range(1, 54))


@pytest.mark.parametrize(("equation", "file", "function", "line"), rows())
def test_a_quoted_line_stands_in_the_function_that_is_named(equation, file, function, line):
    path = PAGE.parent / file
    assert path.exists(), f"{equation}: there is no {file}"
    source = definition(path.read_text(), function)
    assert source is not None, f"{equation}: {file} has no {function}"
    assert line in [each.strip() for each in source], (
        f"{equation}: {function} of {file} has no line {line!r}"
    )


def test_a_line_that_is_not_there_is_found_out():
    source = "def f():\n    x = 1\n\n\nclass C:\n    def g(self):\n        y = 2\n"
    assert definition(source, "f") == ["def f():", "    x = 1"]
    assert definition(source, "C.g") == ["    def g(self):", "        y = 2"]
    assert definition(source, "g") is None
