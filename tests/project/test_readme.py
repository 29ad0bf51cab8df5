"""The README: what it shows runs, what it says is measured, and it is short."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
PICTURES = ROOT / "docs" / "pictures"
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4}


@pytest.fixture(scope="module")
def front():
    """Return the module that draws the README's pictures."""
    with pytest.MonkeyPatch.context() as changed:
        changed.syspath_prepend(ROOT / "docs")
        spec = importlib.util.spec_from_file_location("make_front", ROOT / "docs" / "make_front.py")
        module = importlib.util.module_from_spec(spec)
        changed.setitem(sys.modules, "make_front", module)
        spec.loader.exec_module(module)
        yield module


def test_it_is_at_most_600_words():
    assert len(TEXT.split()) <= 600


def test_its_film_is_under_2_megabytes():
    assert (PICTURES / "live-page.webp").stat().st_size < 2e6


@pytest.mark.parametrize("name", ["speed", "accuracy", "check", "scale"])
def test_its_charts_are_those_of_the_results(front, name):
    assert (PICTURES / f"{name}.svg").read_text() == getattr(front, name)(), (
        "python docs/make_front.py charts draws them again"
    )


def test_the_table_of_speed_is_that_of_the_results(front):
    assert front.speed_table() in front.SPEED.read_text(), "python docs/make_front.py charts"


def test_every_number_stands_in_the_results_that_it_links_to():
    prose = re.sub(r"```.*?```|`[^`]*`|^    [^\n]*$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    prose = prose.replace("Python 3.11 to 3.13", "").replace("BSD-3-Clause", "")
    linked = dict(re.findall(r"\[(\d[\d.,]*)\]\((benchmarks/results/[^)]*)\)", prose))
    for number, page in linked.items():
        assert re.search(rf"\b{re.escape(number)}", (ROOT / page).read_text()), (number, page)
    said = re.findall(r"\d[\d.,]*", re.sub(r"\]\([^)]*\)", "]", prose))
    assert said
    assert [number for number in said if number not in linked] == []


def test_where_it_loses_is_where_the_chart_shows_it():
    lines = (ROOT / "benchmarks/results/presets.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    errors = {}
    for row in rows:
        errors.setdefault(row["table"], {}).setdefault(row["contestant"], {})[row["split"]] = row[
            "error"
        ]
    lost = 0
    for each in errors.values():
        ours, trees = each["realmlp"], each["trees"]
        splits = ours.keys() & trees.keys()
        lost += sum(trees[k] for k in splits) < sum(ours[k] for k in splits)
    said = re.search(r"lower error on\s+(\w+) of \[eight tables\]", TEXT)[1]
    assert (NUMBERS[said], len(errors)) == (lost, 8)


def test_its_commands_print_what_it_shows(tmp_path, monkeypatch, capsys):
    from clearprop.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(app, "_listen", lambda: None)
    shown = re.search(r"```\n(\$ clearprop.*?)```", TEXT, re.DOTALL)[1]
    for command, *lines in (each.splitlines() for each in shown.split("$ ")[1:]):
        with pytest.raises(SystemExit) as ended:
            app.main(command.split()[1:])
        assert ended.value.code in (0, None)
        out = capsys.readouterr().out
        for line in lines:
            assert line in out
