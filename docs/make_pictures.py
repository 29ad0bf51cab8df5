"""Draw the pictures of the documentation from what the program shows: python docs/make_pictures.py.

The live page is photographed in the Chromium on PATH.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

import clearprop as cp

FOLDER = Path(__file__).parent
LIVE = "#data=moons&hidden=4,3&optimizer=adam&rate=0.02&batch=10&seed=3&held=20&step=320&row=5"


def terminal(command: list[str], folder: str, width: int = 88) -> str:
    """Return what a command prints on a terminal of that width."""
    environment = {**os.environ, "COLUMNS": str(width), "FORCE_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "clearprop", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def svg(title: str, text: str, width: int = 88) -> str:
    """Return a terminal's text as an SVG that needs nothing from the network."""
    console = Console(record=True, width=width, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi(text))
    drawn = console.export_svg(title=title, unique_id="demo")
    return re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)  # rich's fonts are fetched


def live_page(path: Path) -> None:
    """Photograph the page of `clearprop explore` after 40 epochs on two moons."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder, "playground.html")
        cp.explore().write(page_file)
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport={"width": 1400, "height": 752}, color_scheme="light")
        page.goto(f"{page_file.as_uri()}{LIVE}")
        page.wait_for_selector("html[data-ready]", state="attached")
        page.focus('[data-item="w,2,0,2"]')
        page.click("#more")
        page.click("#tab-layers")
        page.screenshot(path=path)
        chromium.close()


def main() -> None:
    """Draw the demo and the live page."""
    live_page(FOLDER / "live-page.png")
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", "digits", "--seed", "0"]
        shown = "$ clearprop " + " ".join(command[:2]) + "\n\n" + terminal(command, folder)
    (FOLDER / "demo.svg").write_text(svg("clearprop train digits", shown))


if __name__ == "__main__":
    main()
