"""docs/backpropagation-shown.md is what the program prints."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def written():
    spec = importlib.util.spec_from_file_location("make_page", DOCS / "make_backpropagation_shown.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.page()


def test_the_page_is_up_to_date():
    assert (DOCS / "backpropagation-shown.md").read_text("utf-8") == written(), (
        "run: python docs/make_backpropagation_shown.py"
    )


def test_the_page_has_the_golden_numbers_and_every_step():
    page = written()
    for part in (
        "= 0.2984",
        "= 0.3589",
        "= 0.5614",
        "BP1",
        "BP2",
        "BP3",
        "BP4",
        "(53)",
        "0.298371",
        "**dp**",
        "## A mini-batch as one matrix",
    ):
        assert part in page
