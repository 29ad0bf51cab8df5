"""docs/speed.md: its tables of growth are those of the results."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def test_the_tables_of_growth_are_those_of_the_results():
    page = (ROOT / "docs" / "speed.md").read_text().split("\n## How it grows\n")[1]
    measured = [(RESULTS / f"{name}.md").read_text() for name in ("growth", "threads")]
    shown = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    for line in shown:
        assert any(line in each for each in measured), line
    assert len(shown) > 10
