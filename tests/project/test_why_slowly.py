"""docs/why-does-my-network-learn-slowly.md and its pictures are what the program makes."""

import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def files():
    spec = importlib.util.spec_from_file_location("make_why_slowly", DOCS / "make_why_slowly.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.page()


def test_the_page_and_its_pictures_are_up_to_date(files):
    for path, text in files.items():
        assert path.read_text("utf-8") == text, "run: python docs/make_why_slowly.py"
    assert {each.name for each in (DOCS / "why-slowly").iterdir()} == {
        path.name for path in files if path.suffix == ".svg"
    }


def test_every_finding_has_its_section_and_picture(files):
    page = (DOCS / "why-does-my-network-learn-slowly.md").read_text("utf-8")
    for number in range(1, 22):
        assert f"## D{number}: " in page
        assert f"why-slowly/D{number}.svg" in page
    assert "nan" not in page.lower().replace("nan or infinity", "").replace("nan or infinite", "")


def test_every_picture_is_a_drawing_that_is_also_told_in_words_and_keeps_within_its_edges(files):
    for path, text in files.items():
        if path.suffix != ".svg":
            continue
        root = ET.fromstring(text)
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        name = "{http://www.w3.org/2000/svg}"
        assert len(root.find(f"{name}title").text) > 20
        for each in root.iter():
            x, y = (float(each.attrib.get(key, 1)) for key in ("x", "y"))
            assert 0 <= x <= width
            assert 0 <= y <= height
