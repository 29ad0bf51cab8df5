# ruff: noqa: E501 - sentences of a page are one line
"""Write docs/figures.md: every figure of the documents, as text, with the numbers of one network."""

from __future__ import annotations

from pathlib import Path

import clearprop as cp
from clearprop.explain import FIGURES, figure

PAGE = Path(__file__).with_name("figures.md")
# Which document a figure is of; the page of `clearprop explain --format html` draws those in bold.
OF = {
    "S2, Nielsen": "V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12",
    "S1, Jordan": "V13 V14 V15 V16 V17 V18 V19 V20 V21",
    "S3": "V22",
}
DRAWN = ["V1", "V2", "V3", "V4", "V5", "V6", "V11", "V12", "V13", "V14", "V15", "V16", "V19"]
NOTATIONS = {"S2, Nielsen": "nielsen", "S1, Jordan": "jordan", "S3": "dp"}


def networks() -> dict[str, tuple[cp.Network, list[float], list[float]]]:
    """Return the network that each figure is drawn with: Mazur's, or the one that the book draws."""
    golden = cp.Network([2, 2, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    golden.weights[0][:], golden.biases[0][:] = [[0.15, 0.20], [0.25, 0.30]], 0.35
    golden.weights[1][:], golden.biases[1][:] = [[0.40, 0.45], [0.50, 0.55]], 0.60
    small = cp.Network([1, 1, 1], output="sigmoid", cost="quadratic", dtype="float64", seed=1)
    tall = cp.Network([3, 4, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=3)
    deep = cp.Network([2, 3, 3, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=2)
    samples = {
        "": (golden, [0.05, 0.10], [0.01, 0.99]),
        "V13 V14": (small, [0.5], [1.0]),
        "V1 V2": (tall, [0.5, -1.0, 0.8], [0.0, 1.0]),
        "V7 V8 V9 V10 V11 V12": (deep, [0.5, 1.0], [0.0, 1.0]),
    }
    return {name: made for names, made in samples.items() for name in (names.split() or FIGURES)}


def page() -> str:
    """Return the page."""
    made = networks()
    out = [
        "# The figures",
        "Every figure of the documents that this project follows, drawn by the program with the numbers of one "
        "pass: `docs/make_figures.py` writes this page, and a test fails when it is not what the program prints. "
        "The page of `clearprop explain --format html` draws those marked * in colour, and they can be touched "
        "there.",
        "```python\nfrom clearprop.explain import figure\n\n"
        'print(figure("V12", net, x, y, notation="nielsen", weight=(0, 2, 1)))  # net.weights[0][2, 1]\n```',
    ]
    for document, names in OF.items():
        out.append(f"## {document}")
        for name in names.split():
            title = FIGURES[name][0]
            weight = (1, 1, 3) if name == "V1" else None
            drawing = figure(name, *made[name], notation=NOTATIONS[document], weight=weight)
            out.append(f"### {name}{'*' if name in DRAWN else ''}: {title}")
            out.append("```text\n" + drawing.rstrip("\n") + "\n```")
    return "\n\n".join(out) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
