"""``{speed}``: what ``benchmarks/results`` says of time, drawn when the site is built."""

from __future__ import annotations

import base64
import json
import statistics
from html import escape
from pathlib import Path
from typing import Any

import svg_charts as charts
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
NAMES = {
    "torch_eager": "PyTorch",
    "torch_compile": "compiled",
    "jax": "JAX",
    "sklearn": "scikit-learn",
    "numpy": "NumPy",
}


def ratios(contestants: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return times over clearprop's by threads, contestant and round; one that was refused has none."""
    found: dict[str, dict[str, list[float]]] = {}
    for key, its in contestants.items():
        name, _, threads = key.partition(", ")
        ours = contestants.get(f"clearprop, {threads}")
        if name in NAMES and ours and its.get("seconds") and not its.get("refused"):
            rounds = zip(its["seconds"], ours["seconds"], strict=False)
            found.setdefault(threads, {})[NAMES[name]] = [theirs / us for theirs, us in rounds]
    return found


def chart(title: str, of: dict[str, list[float]]) -> str:
    """Return a chart as an image: a bar for each library, one below 1 in another colour."""
    bars = [(name, statistics.median(each), statistics.median(each) < 1) for name, each in of.items()]
    drawn = charts.bars(title, bars, limit=1.0, limit_name="clearprop", log=False)
    said = ", ".join(f"{name} {value:.2f}" for name, value, _ in bars)
    data = base64.b64encode(drawn.encode()).decode()
    alt = escape(f"{title}: {said}", quote=True)
    return f'<img class="chart" alt="{alt}" src="data:image/svg+xml;base64,{data}">'


def cell(of: list[float]) -> str:
    """Return a median with the least and the most."""
    return f"{statistics.median(of):.2f} <small>{min(of):.2f} to {max(of):.2f}</small>"


def table(about: str, of: dict[str, list[float]]) -> str:
    """Return a row for each library."""
    head = "<tr><th>Library</th><th>its time over clearprop's</th></tr>"
    rows = "".join(f"<tr><td>{name}</td><td>{cell(each)}</td></tr>" for name, each in of.items())
    return f"<table><caption>{escape(about)}</caption>{head}{rows}</table>"


class Speed(SphinxDirective):
    """Workloads of ``run-*.json``, those that are named or all: chart, table, machine and date."""

    optional_arguments = 100

    def run(self) -> list[nodes.Node]:
        """Return what the directive becomes."""
        html = []
        for path in sorted(RESULTS.glob("run-*.json")):
            self.env.note_dependency(str(path))
            made = json.loads(path.read_text("utf-8"))
            shown = {
                name: result
                for name, result in made["results"].items()
                if not self.arguments or name in self.arguments
            }
            for name, result in shown.items():
                html += self.workload(name, result)
            if shown:
                html.append(f"<p><small>{escape(self.machine(made))}</small></p>")
        return [nodes.raw("", "\n".join(html), format="html")]

    def workload(self, name: str, result: dict[str, Any]) -> list[str]:
        """Return charts and tables of a workload."""
        html = []
        for threads, of in ratios(result["contestants"]).items():
            title = f"{name}, {threads.replace('1 threads', '1 thread')}"
            about = result["workload"]["about"]
            html.append(f'<div class="measured">{chart(title, of)}{table(about, of)}</div>')
        return html

    def machine(self, made: dict[str, Any]) -> str:
        """Return machine, date, commit and rounds in a sentence."""
        its, versions = made["machine"], made["machine"]["versions"]
        others = ", ".join(f"{name} {version}" for name, version in versions.items())
        return (
            f"{its['cpu']}, {its['cores']} cores, {its['system']}, Python {its['python']}, {others}; "
            f"{its['date']}, commit {its['commit']}, {made['options']['rounds']} rounds."
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("speed", Speed)
    return {"parallel_read_safe": True}
