"""A model as JavaScript says what the model says, as a module in Node and as a form in a browser."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from clearprop.cli.app import application
from clearprop.model.ends import rows_of
from clearprop.portable import javascript
from portable_models import CASES, agree, case_of, network, other_rows

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="there is no node on PATH")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ASK = """
import { readFileSync } from "fs";
const found = {};
for (const [name, file, rows] of JSON.parse(readFileSync("cases.json", "utf8"))) {
  found[name] = rows.map((await import(file)).predict);
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What every case's module says of its rows, all asked in one process."""
    folder, cases = tmp_path_factory.mktemp("modules"), []
    for number, name in enumerate(CASES):
        case = case_of(name)
        (folder / f"m{number}.mjs").write_text(javascript.module_of(case.model, "Written"))
        cases.append([name, f"./m{number}.mjs", raw(case)])
    (folder / "cases.json").write_text(json.dumps(cases))
    (folder / "ask.mjs").write_text(ASK)
    done = subprocess.run(["node", "ask.mjs"], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return json.loads(done.stdout)


def raw(case):
    """Return rows as JavaScript takes them: objects by names, or arrays."""
    if not case.program.columns:
        return np.asarray(case.rows).tolist()
    inputs = case.model.inputs
    (batch,) = inputs.open(other_rows()).batches()
    names = [each.name for each in case.program.columns]
    return [dict(zip(names, row, strict=True)) for row in rows_of(inputs, batch)]


def answers(case, found):
    if case.program.answer.kind == "quantities":
        return None, np.array([each["prediction"] for each in found])
    if case.program.answer.kind == "columns":
        n = len(case.program.answer.labels)
        told = [np.array([each["labels"][k] for each in found]) for k in range(n)]
        return told, [np.array([each["probabilities"][k] for each in found]) for k in range(n)]
    told = "labels" if case.program.answer.kind == "indicators" else "label"
    return np.array([each[told] for each in found]), np.array([each["probabilities"] for each in found])


@needs_node
@pytest.mark.parametrize("name", CASES)
def test_a_module_says_what_the_model_says(name, found):
    case = case_of(name)
    told, numbers = answers(case, found[name])
    agree(case, told, numbers, 1e-12 if case.program.dtype == "float64" else 1e-6)


def test_the_command_writes_a_module_and_a_form(tmp_path, monkeypatch, capsys):
    def run(*arguments):
        return application(["export"])(["export", *arguments], standalone_mode=False)

    monkeypatch.chdir(tmp_path)
    network().save("net.safetensors")
    for _ in range(2):  # an export is written over
        run("net.safetensors", "--format", "js")
    assert "wrote net.mjs and net.html" in capsys.readouterr().err
    assert "export const predict" in (tmp_path / "net.mjs").read_text()
    with pytest.raises(ValueError, match="--output must be an .mjs or .js file"):
        run("net.safetensors", "--format", "js", "--output", "net.txt")
    network((201, 2)).save("wide.safetensors")
    run("wide.safetensors", "--format", "js")
    assert "no form is written: it would have 201 fields" in capsys.readouterr().err
    assert not (tmp_path / "wide.html").exists()
