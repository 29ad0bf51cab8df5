"""Draw the pictures of the documentation from what the program prints: python docs/make_pictures.py."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).parent


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


def main() -> None:
    """Draw the demo."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", "digits", "--seed", "0"]
        shown = "$ clearprop " + " ".join(command[:2]) + "\n\n" + terminal(command, folder)
    (FOLDER / "demo.svg").write_text(svg("clearprop train digits", shown))


if __name__ == "__main__":
    main()
