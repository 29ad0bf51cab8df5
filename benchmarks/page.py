"""The live page in Chromium, by the browser's own trace: first paint, frames while a weight is dragged,
epochs a second with the drawing on, memory over minutes of training.

    python benchmarks/page.py                     # a minute
    python benchmarks/page.py --minutes 10        # memory over ten minutes

A trace's frames are its DrawFrame events; work of a frame is what the page's functions take in it. The
loads of the machine before and after stand beside the figures: where it is busy, they are lower.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

import clearprop as cp

CATEGORIES = [
    "devtools.timeline", "disabled-by-default-devtools.timeline.frame", "loading", "blink.user_timing",
]  # fmt: skip
DRAGGED = "#data=moons&hidden=16,16&output=cross_entropy&held=20"
SECONDS = 4
DRAG = """seconds => new Promise(done => {
    const slider = document.getElementById('slider'), began = performance.now();
    let frames = 0;
    const next = now => {
        slider.value = Math.sin((now - began) / 400);
        slider.dispatchEvent(new Event('input', {bubbles: true}));
        frames += 1;
        if (now - began < 1000 * seconds) requestAnimationFrame(next);
        else done(frames / seconds);
    };
    requestAnimationFrame(next);
})"""
EPOCHS = "Number(document.getElementById('epochs').textContent.replaceAll(',', ''))"


def traced(browser: Browser, page: Page, does: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Return what a function returns, and the events of the trace while it runs."""
    browser.start_tracing(page=page, categories=CATEGORIES)
    found = does()
    return found, json.loads(browser.stop_tracing())["traceEvents"]


def opened(browser: Browser, path: Path, fragment: str = "") -> Page:
    """Return a page that is ready."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.goto(f"{path.as_uri()}{fragment}")
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def first_paint(browser: Browser, path: Path) -> float:
    """Return the milliseconds from the start of a navigation to the first contentful paint."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()

    def load() -> None:
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        page.wait_for_timeout(300)

    _, events = traced(browser, page, load)
    page.context.close()
    began = [e["ts"] for e in events if e["name"] == "navigationStart" and path.name in str(e["args"])]
    painted = [e["ts"] for e in events if e["name"] == "firstContentfulPaint"]
    return (max(painted) - max(began)) / 1000


def dragging(browser: Browser, path: Path) -> dict[str, float]:
    """Return frames a second while a weight of 2-16-16-2 is changed at every frame, and their work."""
    page = opened(browser, path, DRAGGED)
    page.evaluate(DRAG, 1)
    asked, events = traced(browser, page, lambda: page.evaluate(DRAG, SECONDS))
    drawn = sorted(e["ts"] for e in events if e["name"] == "DrawFrame")
    threads = [e["tid"] for e in events if e["name"] == "FireAnimationFrame"]
    main = statistics.mode(threads)
    work = [
        e["dur"] / 1000
        for e in events
        if e["name"] == "FireAnimationFrame" and e["tid"] == main and "dur" in e
    ]
    page.context.close()
    return {
        "asked": asked,
        "drawn": len(drawn) / ((drawn[-1] - drawn[0]) / 1e6) if len(drawn) > 1 else 0.0,
        "median work, ms": statistics.median(work),
        "95th percentile, ms": sorted(work)[int(0.95 * len(work))],
    }


def training(browser: Browser, path: Path) -> float:
    """Return epochs a second on XOR, as fast as it goes, with everything drawn."""
    page = opened(browser, path)
    page.select_option("#speed", "100000")
    page.click("#play")
    page.wait_for_timeout(500)
    began, before = time.perf_counter(), page.evaluate(EPOCHS)
    page.wait_for_timeout(1000 * SECONDS)
    done, seconds = page.evaluate(EPOCHS) - before, time.perf_counter() - began
    page.context.close()
    return float(done / seconds)


def memory(browser: Browser, path: Path, minutes: float) -> list[float]:
    """Return the megabytes of JavaScript's heap, after a collection, at ten moments of a training."""
    page = opened(browser, path, DRAGGED)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.select_option("#speed", "100000")
    page.click("#tab-layers")
    page.click("#play")
    found = []
    for _ in range(10):
        page.wait_for_timeout(6000 * minutes)
        session.send("HeapProfiler.collectGarbage")
        metrics = session.send("Performance.getMetrics")["metrics"]
        found.append(next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize") / 1e6)
    page.context.close()
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.5, help="of training, for memory")
    parser.add_argument("--rounds", type=int, default=5, help="first paints")
    given = parser.parse_args()
    html = cp.explore().html
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        path.write_text(html, "utf-8")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        flags = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        print(f"Chromium {browser.version}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"size: {len(html.encode()) / 1000:.0f} kB")
        paints = [first_paint(browser, path) for _ in range(given.rounds)]
        print(f"first paint: {statistics.median(paints):.0f} ms (largest {max(paints):.0f})")
        for name, value in dragging(browser, path).items():
            print(f"dragging a weight of 2-16-16-2, {name}: {value:.1f}")
        print(f"XOR, drawn, as fast as it goes: {training(browser, path):,.0f} epochs/s")
        heap = ", ".join(f"{each:.1f}" for each in memory(browser, path, given.minutes))
        print(f"heap over {given.minutes:g} minutes of training, MB: {heap}")
        print(f"load {os.getloadavg()[0]:.1f}")
        browser.close()


if __name__ == "__main__":
    main()
