"""Draw what the README shows: python docs/make_front.py [charts | pages].

The charts, and the table of docs/speed.md, are made from benchmarks/results alone. The others are
photographs of what the program makes, in the Chromium on PATH: the live page while it trains, a pass,
a report, a wrong gradient.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import svg_charts
from svg_charts import text

ROOT = Path(__file__).parents[1]
RESULTS, PICTURES = ROOT / "benchmarks" / "results", ROOT / "docs" / "pictures"
STREAMED = RESULTS / "streaming.md"
OTHERS = {"torch_eager": "PyTorch", "jax": "JAX", "sklearn": "scikit-learn"}
WORKS = {  # and threads
    "W1-dense": ("784-30-10, batch 10", 1), "W2-dense": ("784-30-10, one row", 1),
    "W3-dense": ("784-100-10, batch 32", 1),
    "W4": ("784-512-512-10, batch 128", 2), "W5": ("32-3x256-1, batch 256", 2),
    "W6": ("784-2500-...-10, batch 256", 2), "W9": ("4-32-16-4, all rows", 2),
}  # fmt: skip
FILES = ("run-W1-W2-W3.json", "run-W4-W5-W6-W9.json")
SPEED = ROOT / "docs" / "speed.md"
COLUMNS = {"torch_eager": "PyTorch", "torch_compile": "`torch.compile`", "jax": "JAX"}
COLUMNS |= {"sklearn": "scikit-learn"}
MARKS = {"PyTorch": "●", "JAX": "◆", "scikit-learn": "▲"}
SHOWN = {"realmlp": "●", "realmlp, 8 members": "◆", "trees": "▲"}  # beside RealMLP-TD
NAMED = {"realmlp": "clearprop", "realmlp, 8 members": "8 members", "trees": "boosted trees"}
COLOURS = {"●": "bar", "◆": "sick", "▲": "quiet"}
LEFT, TOP, STEP, WIDTH = 190, 62, 21, svg_charts.WIDTH
START = "#data=moons&hidden=4,3&optimizer=adam&rate=0.02&batch=10&seed=3&held=20&row=5"
FRAMES, NUDGES = 22, 6  # of the moving picture: epochs, and changes of a weight


def measured() -> dict[str, Any]:
    """Return what `run.py` has found, by work."""
    found: dict[str, Any] = {}
    for file in FILES:
        found |= json.loads((RESULTS / file).read_text())["results"]
    return found


def ratio(result: dict[str, Any], other: str, threads: int) -> float | None:
    """Return another's time over clearprop's, the median of the rounds; None where it has none."""
    of = result["contestants"]
    both = (of.get(f"{name}, {threads} threads", {}) for name in (other, "clearprop"))
    theirs, ours = (each.get("seconds") for each in both)
    if not isinstance(theirs, list):  # not installed, or its losses deviate
        return None
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


def speed() -> str:
    """Return the chart of the others' times over clearprop's."""
    found, rows = measured(), []
    for work, (name, threads) in WORKS.items():
        each = {OTHERS[key]: ratio(found[work], key, threads) for key in OTHERS}
        rows.append((name, {key: value for key, value in each.items() if value is not None}))
    title = "Their time over clearprop's (right of 1: clearprop is faster)"
    return _dots(title, rows, MARKS, (0.4, 150.0), (0.5, 1, 2, 5, 10, 30, 100))


def speed_table() -> str:
    """Return the same as a table, with the time of a step and the share of the peak."""
    found = measured()
    lines = [
        f"| Work, threads | {' | '.join(COLUMNS.values())} | clearprop, a step | share of peak |",
        "|---" + "|---:" * (len(COLUMNS) + 2) + "|",
    ]
    for work, result in found.items():
        plan, threads = result["workload"], WORKS.get(work, ("", 1))[1]
        seconds = statistics.median(result["contestants"][f"clearprop, {threads} threads"]["seconds"])
        step = seconds / math.ceil(plan["n_samples"] / plan["batch"])
        share = result["flops"] / seconds / 1e9 / statistics.median(result["peak_gflops"][str(threads)])
        ratios = (ratio(result, key, threads) for key in COLUMNS)
        taken = f"{1e6 * step:.3g} us" if step < 1e-3 else f"{1e3 * step:.3g} ms"
        lines.append(
            f"| {re.sub(r' [(][^)]*[)]', '', plan['about'])}; {threads} | "
            + " | ".join("" if each is None else _number(each) for each in ratios)
            + f" | {taken} | {100 * share:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def accuracy() -> str:
    """Return the chart of errors over RealMLP-TD's, on the splits that all have."""
    latest: dict[tuple[str, str], dict[int, float]] = {}
    for line in (RESULTS / "presets.jsonl").read_text().splitlines():
        said = json.loads(line)
        latest.setdefault((said["table"], said["contestant"]), {})[said["split"]] = said["error"]
    rows = []
    for table in dict.fromkeys(name for name, _ in latest):
        parts = {name: latest.get((table, name), {}) for name in ("RealMLP-TD", *SHOWN)}
        splits = sorted(set.intersection(*map(set, parts.values())))
        if splits:
            mean = {name: statistics.mean(each[k] for k in splits) for name, each in parts.items()}
            ratios = {NAMED[name]: mean[name] / mean["RealMLP-TD"] for name in SHOWN}
            rows.append((f"{table.replace('_sample', '').replace('_', ' ')} ({len(splits)})", ratios))
    title = "Error over RealMLP-TD's (left of 1: lower error; splits in brackets)"
    marks = {NAMED[name]: mark for name, mark in SHOWN.items()}
    return _dots(title, rows, marks, (0.78, 1.6), (0.8, 0.9, 1, 1.1, 1.25, 1.5))


def _dots(
    title: str,
    rows: Sequence[tuple[str, dict[str, float]]],
    marks: dict[str, str],
    ends: tuple[float, float],
    ticks: Sequence[float],
) -> str:
    """Return a chart of ratios, a row for each work, on a logarithmic scale."""
    low, high = map(math.log, ends)

    def x(ratio: float) -> float:
        return LEFT + (WIDTH - LEFT - 24) * (math.log(ratio) - low) / (high - low)

    bottom = TOP + STEP * len(rows)
    parts, place = [], LEFT
    for name, mark in marks.items():
        parts.append(text(place, 42, mark, kind=COLOURS[mark]))
        parts.append(text(place + 15, 42, name, kind="quiet"))
        place += 30 + 7 * len(name)
    for tick in ticks:
        kind = "limit" if tick == 1 else "axis"
        faint = "" if tick == 1 else ' stroke-opacity="0.3"'
        parts.append(f'<path class="{kind}" d="M{x(tick):.1f} {TOP - 10}V{bottom}"{faint}/>')
        parts.append(text(x(tick), bottom + 16, f"{tick:g}", "middle", "quiet"))
    for number, (name, ratios) in enumerate(rows):
        y = TOP + STEP * number + 8
        parts.append(text(LEFT - 10, y, name, "end"))
        for key, ratio in ratios.items():
            words = f"<title>{escape(f'{name}, {key}: {ratio:.3g}')}</title>"
            at = f'x="{x(ratio):.1f}" y="{y}" text-anchor="middle" class="{COLOURS[marks[key]]}"'
            parts.append(f"<text {at}>{words}{marks[key]}</text>")
    said = "; ".join(
        f"{name}: " + ", ".join(f"{key} {ratio:.3g}" for key, ratio in ratios.items())
        for name, ratios in rows
    )
    return svg_charts.picture(title, said, parts, bottom + 28)


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


def live_page(chromium: Any, folder: Path) -> None:
    """Film the page of `clearprop explore`: it trains, then a weight is touched."""
    from PIL import Image

    import clearprop as cp

    page_file = folder / "playground.html"
    cp.explore().write(page_file)
    page = chromium.new_page(viewport={"width": 1180, "height": 640}, color_scheme="light")
    page.goto(f"{page_file.as_uri()}{START}")
    page.wait_for_selector("html[data-ready]", state="attached")
    images, durations = [], []

    def take(milliseconds: int) -> None:
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        images.append(shot.resize((885, 480), Image.Resampling.LANCZOS))
        durations.append(milliseconds)

    take(900)
    for _ in range(FRAMES):
        page.keyboard.press(">")
        page.wait_for_timeout(60)
        take(220)
    page.focus('[data-item="w,2,0,2"]')
    take(1200)
    for _ in range(NUDGES):
        page.keyboard.press("+")
        page.wait_for_timeout(60)
        take(500)
    durations[-1] = 2500
    how = {"save_all": True, "append_images": images[1:], "duration": durations, "loop": 0}
    images[-1].save(
        PICTURES / "live-page-still.webp", quality=80
    )  # for the site, whose pages are light
    images[0].save(PICTURES / "live-page.webp", quality=70, method=4, **how)
    page.close()


def see(chromium: Any, folder: Path) -> None:
    """Photograph the page of one pass, at a weight whose paths are shown."""
    import clearprop as cp

    net = cp.Network([2, 3, 1], cost="quadratic", output="sigmoid", seed=4)
    _photograph(chromium, folder, net.trace([[0.4, 0.9]], [[1.0]]).to_html(), "see")


def use(chromium: Any, folder: Path) -> None:
    """Photograph the report of a table."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    import clearprop as cp

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    names = load_breast_cancer().target_names[y]
    X_train, X_test, y_train, y_test = train_test_split(X, names, random_state=0)
    model = cp.MLPClassifier(preset="realmlp", random_state=0).fit(X_train, y_train)
    _photograph(chromium, folder, cp.report(model, X_test, y_test).html, "use")


def _photograph(chromium: Any, folder: Path, html: str, name: str) -> None:
    path = folder / f"{name}.html"
    path.write_text(html)
    page = chromium.new_page(viewport={"width": 960, "height": 600}, color_scheme="light")
    page.goto(path.as_uri())
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")
    page.close()


def check() -> str:
    """Return what is said of a gradient whose hidden layer forgets f'(z), as a terminal shows it."""
    import numpy as np

    import clearprop as cp

    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(7, 4)), rng.uniform(size=(7, 3))
    net = cp.Network([4, 5, 3], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    outputs = net.trace(X, Y).layers[-1]
    delta = outputs.delta @ net.weights[1]
    mine = [delta.T @ X / 7, outputs.weight_gradient], [delta.mean(axis=0), outputs.bias_gradient]
    found = cp.check_gradient(net, X, Y, gradient=mine)
    lines = ["delta = outputs.delta @ net.weights[1]          # BP2, as somebody wrote it", ""]
    lines += [
        f"{name}: {each}"
        for name, each in (("verdict", found.verdict), ("first wrong", found.first_wrong))
    ]
    words = found.mistakes[0].sentence.split()
    while words:
        line = ""
        while words and len(line) + len(words[0]) < 66:
            line += f"{words.pop(0)} "
        lines.append(line)
    parts = [
        f'<text x="20" y="{58 + 22 * k}" style="font-family: monospace">{escape(line)}</text>'
        for k, line in enumerate(lines)
    ]
    return svg_charts.picture("A wrong gradient is named", " ".join(lines), parts, 70 + 22 * len(lines))


def scale() -> str:
    """Return the chart of rows a second of a table larger than memory."""
    found = re.findall(r"^\| (?:in memory|streamed).*?\| ([\d,]+) \| \d+ %", STREAMED.read_text(), re.M)
    names = ("in memory", "a buffer", "from a file")
    named = [(n, float(x.replace(",", "")), False) for n, x in zip(names, found, strict=True)]
    return svg_charts.bars("Rows a second: the file has 20 million", named, log=False)


def main(which: str | None) -> None:
    """Draw all, or the charts alone, which need no browser."""
    PICTURES.mkdir(exist_ok=True)
    for make in (speed, accuracy, check, scale):
        (PICTURES / f"{make.__name__}.svg").write_text(make())
    table = re.compile(r"\| Work, threads .*?\n(?=\n)", re.DOTALL)
    SPEED.write_text(table.sub(lambda _: speed_table(), SPEED.read_text(), count=1))
    if which != "charts":
        with tempfile.TemporaryDirectory() as folder, _browser() as chromium:
            for photograph in (live_page, see, use):
                photograph(chromium, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
