"""docs/scaling.md: its commands run, in their order, in one folder."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from launching import alone, needs_mpi

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
COMMANDS = [
    block
    for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    if not block.startswith(("pip ", "#!"))
]


@needs_mpi
@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    out = err = ""
    for block in COMMANDS:
        done = subprocess.run(
            ["sh", "-e", "-c", block], cwd=tmp_path, env=alone() | {"PATH": path}, capture_output=True,
            text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, (block, done.stderr)
        out, err = out + done.stdout, err + done.stderr
    assert len(COMMANDS) == 3
    (epochs,) = set(re.findall(r"--epochs (\d+)", PAGE))
    (stopped,) = re.findall(
        r"interrupted at (epoch (\d+), step \d+); the same command with --resume", err
    )
    assert 0 < int(stopped[1]) < int(epochs)
    assert f"checkpoint at       {stopped[0]}" in out
    assert "starting from the beginning" not in err  # so that it went on from there
    found = {each.name for each in tmp_path.iterdir()}
    assert {
        "four.safetensors",
        "three.safetensors",
        "predictions-0.parquet",
        "predictions-1.parquet",
    } <= found


def test_the_python_of_the_page_runs():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    test = doctest.DocTestParser().get_doctest(block, {}, "scaling.md", "scaling.md", 0)
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_job_script_names_options_that_there_are():
    (script,) = re.findall(r"```sh\n(#!.*?)```", PAGE, flags=re.DOTALL)
    options = re.findall(r"(?<= )--[a-z-]+", script.partition("clearprop train")[2])
    helped = subprocess.run(
        [sys.executable, "-m", "clearprop", "train", "--help"], capture_output=True, text=True,
        check=True, env=alone() | {"COLUMNS": "200"},
    ).stdout  # fmt: skip
    assert len(options) > 5
    assert [each for each in options if each not in helped] == []
