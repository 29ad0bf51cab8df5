"""The shell of every page: escaping, the policy, bytes."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from clearprop.page import Markup, document, inert, json_text, library, module, table, tag

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--",
    "a & b < c",
    "\u2028\u202e\x00\x1b[31m",
    "'; DROP TABLE students",
]


class Elements(HTMLParser):
    """The elements and the text of a document."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_no_element_wherever_it_stands(name):
    made = document(
        name, table(name, [name, name], [[name, name]], note=name, id=name), data={name: name}
    )
    plain = document("x", table("x", ["x", "x"], [["x", "x"]], note="x", id="x"), data={"x": "x"})
    found, expected = Elements(made), Elements(plain)
    assert [each for each, _ in found.tags] == [each for each, _ in expected.tags]
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', made, re.S)[1]
    assert json.loads(data) == {name: name}


def test_text_reads_back_as_it_was_and_what_cannot_be_seen_is_named():
    assert Elements(tag("p", "a & b < c > \"d\" 'e'")).text == ["a & b < c > \"d\" 'e'"]
    assert inert("\x00\u202e") == r"\x00\u202e"
    assert inert(Markup("<b>")) == "<b>"


def test_the_policy_allows_this_style_and_this_script_and_nothing_else():
    made = document("x", tag("p", "y"), style="p { color: red; }", script="let x = 1;", data=[1])
    policy = next(a["content"] for t, a in Elements(made).tags if "content" in a and "http-equiv" in a)
    for kind, element in (("style-src", "style"), ("script-src", "script")):
        text = re.search(rf"<{element}>(.*?)</{element}>", made, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "script-src 'none'" in document("x", tag("p"))


def test_a_script_that_would_end_its_element_is_refused():
    with pytest.raises(ValueError, match="style and script"):
        document("x", tag("p"), script="'</script>'")


def test_attributes_of_none_and_false_are_left_out():
    assert (
        tag("input", disabled=True, hidden=False, value=None, class_="a")
        == '<input disabled class="a">'
    )


def test_json_in_a_script_has_nothing_that_ends_it():
    text = json_text({"a": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!-- & \u2028"}


def test_modules_become_one_script_without_import_and_export(tmp_path, monkeypatch):
    package = tmp_path / "some_scripts"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.js").write_text("export const one = 1;\n")
    (package / "b.js").write_text(
        'import { one } from "./a.js";\n\nexport function two() { return one + one; }\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = module("some_scripts", ["a.js", "b.js"])
    assert "import" not in made
    assert "export" not in made
    assert made.index("const one") < made.index("function two")


def test_a_library_shows_what_its_modules_export_and_stands_before_a_module(tmp_path, monkeypatch):
    made = library(
        "sums", ["const hidden = 1; // here\n", "// a\nexport class One {}\nexport const two = 2;\n"]
    )
    assert made.startswith("const sums = (() => {\n")
    assert "return { One, two };" in made
    assert "// a" not in made
    assert "export" not in made
    (tmp_path / "scripts_after").mkdir()
    (tmp_path / "scripts_after" / "c.js").write_text("sums.two;\n")
    monkeypatch.syspath_prepend(tmp_path)
    whole = module("scripts_after", ["c.js"], made)
    assert whole.index('"use strict"') < whole.index(made) < whole.index("sums.two;")
