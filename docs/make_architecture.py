"""Write docs/architecture.svg: the parts of clearprop and what imports what, read from the source.

The rows are the layers of the import contract in pyproject.toml. An arrow goes down to what is
imported; one that follows from others (a path of arrows leads there already) is left out, and so are
those to the last row, which everything may use.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from svg_charts import TOP, WIDTH, picture, text

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "clearprop"
PICTURE = Path(__file__).with_name("architecture.svg")
CORE = ("activations", "costs", "architecture", "backprop")
STEP, BOX = 52, 24  # from row to row, and the height of a box


def layers() -> list[list[str]]:
    """Return the parts of each layer, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    rows = next(each["layers"] for each in contracts if each["name"] == "Imports go one way")
    return [row.replace(":", "|").replace(" ", "").split("|") for row in rows]


def imported(source: str) -> set[str]:
    """Return the parts of clearprop that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "clearprop":
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clearprop."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {
                each.name.split(".")[1] for each in node.names if each.name.startswith("clearprop.")
            }
    return found


def imports() -> dict[str, set[str]]:
    """Return what each part imports of the others."""
    parts = [part for row in layers() for part in row]
    found = {}
    for part in parts:
        folder = PACKAGE / part
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{part}.py"]
        found[part] = {each for file in files for each in imported(file.read_text())} & set(parts) - {
            part
        }
    return found


def shortest(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the edges without those that follow from others."""

    def below(part: str) -> set[str]:
        return edges[part].union(*map(below, edges[part]))

    return {part: to - set().union(*map(below, to)) for part, to in edges.items()}


def drawing() -> str:
    """Return the picture."""
    rows, places, boxes = layers(), {}, []
    for number, row in enumerate(rows):
        widths = [14 + 7.2 * len(part) for part in row]
        gap = (WIDTH - sum(widths)) / (len(row) + 1)
        x, y = gap, TOP + 8 + STEP * number
        for part, width in zip(row, widths, strict=True):
            places[part] = x + width / 2, y
            box = f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BOX}" rx="5"'
            boxes.append(f'<rect class="card" {box}/>')
            if part in CORE:
                boxes.append(f'<rect class="line" {box}/>')
            boxes.append(text(x + width / 2, y + 16, part, "middle", "title" if part in CORE else ""))
            x += width + gap
    arrows = []
    for part, to in shortest(imports()).items():
        for other in sorted(to - set(rows[-1])):
            (x, y), (to_x, to_y) = places[part], places[other]
            bend = (to_y - y - BOX) / 2
            arrows.append(
                f'<path class="axis" d="M{x:.1f} {y + BOX} c0 {bend:.1f} {to_x - x:.1f} {bend:.1f} '
                f'{to_x - x:.1f} {2 * bend:.1f}"/>'
            )
    return picture(
        "What imports what",
        "From the command line at the top down to the equations; every line goes down.",
        [*arrows, *boxes],
        TOP + 8 + STEP * len(rows),
    )


if __name__ == "__main__":
    PICTURE.write_text(drawing())
