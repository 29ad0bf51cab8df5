"""What docs/using-it.md says of the extras: every one is there, and weighs what was measured."""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_every_extra_is_there_and_weighs_what_was_measured():
    weights = json.loads((ROOT / "benchmarks/results/extras.json").read_text())["weights"]
    page = (ROOT / "docs" / "using-it.md").read_text()
    shown = dict(re.findall(r"^\| `\[?(\w+)\]?` \|[^|]+\| ([^|]+) \|$", page, re.MULTILINE))
    alone = weights.pop("")["MB"]
    measured = {name: f"+{its['MB'] - alone:.0f}" for name, its in weights.items()}
    assert shown == {"clearprop": f"{alone:.0f}", "bench": "not measured"} | measured
    assert shown.keys() == {"clearprop", *EXTRAS}
