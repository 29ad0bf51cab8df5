"""The page's engine, asked in Node or in Chromium: `cases` go in, and the bits of the answers come out."""

import functools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from clearprop.engines import javascript
from clearprop.model.file import describe_architecture

CASES = (Path(__file__).parents[1] / "engines" / "page_cases.js").read_text("utf-8")
FUNCTIONS = (
    "exp",
    "exp_falling",
    "exp_both",
    "log1p",
    "normal",
    "log",
    "log_one_plus",
    "circle",
    "turned",
    "power",
)
ACTIVATIONS = "_tanh", "sigmoid", "softplus"
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="there is no node on PATH")


@functools.cache
def script():
    """Return the engine, which also shows the functions that it keeps to itself."""
    before, exports, after = javascript.script().rpartition("\nreturn { ")
    assert exports
    return f"{before}{exports}{', '.join((*FUNCTIONS, *ACTIVATIONS))}, {after}"


def in_node(cases, engine=None):
    """Return the answers of Node to the cases."""
    text = (
        f"{engine or script()}\n{CASES}\n"
        "process.stdout.write(JSON.stringify(answers(JSON.parse(require('fs').readFileSync(0, 'utf8')))));"
    )
    run = subprocess.run(
        ["node", "-e", text], input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def numbers(digits):
    """Return the numbers whose bits an answer gives."""
    return np.frombuffer(bytes.fromhex(digits), ">f8").astype(float)


def described(made):
    """Return what the engine is given of an architecture."""
    return json.loads(json.dumps(describe_architecture(made)))


def case(problem, kind="pass", **more):
    """Return a problem as a case."""
    weight = problem.sample_weight
    return {
        "kind": kind,
        "description": described(problem.architecture),
        "parameters": problem.parameters.tolist(),
        "X": problem.X.tolist(),
        "Y": problem.Y.tolist(),
        **({} if weight is None else {"sampleWeight": weight.tolist()}),
        **more,
    }
