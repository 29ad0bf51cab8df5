"""docs/tables.md: its commands run, in their order, and print the decisions that it shows."""

import contextlib
import http.client
import importlib.util
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pandas
import pytest

from clearprop.cli import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tables.md").read_text()
TABLES = {
    "churn.csv": "telco_churn/Telco-Customer-Churn.csv",
    "housing.csv": "california_housing/housing.csv",
}
SMALL = "--epochs 2 --hidden 8 --engine numpy"
SERVICES = "PhoneService MultipleLines InternetService OnlineSecurity Contract PaymentMethod".split()


def shared(name):
    """Return the real file, beside this project or beside the folder of its worktrees, or None."""
    found = [folder / "shared" / "data" / "tables" / TABLES[name] for folder in ROOT.parents]
    return next((path for path in found if path.exists()), None)


def made(name):
    """Return a small table with the columns that the page's commands name."""
    rng, n = np.random.default_rng(0), 200
    if name == "churn.csv":
        columns = {
            "customerID": [f"{i:04}-ABC" for i in range(n)],
            "gender": rng.choice(["Male", "Female"], n),
        }
        columns |= {"SeniorCitizen": rng.integers(0, 2, n), "tenure": rng.integers(0, 72, n)}
        columns |= {service: rng.choice(["Yes", "No", "None at all"], n) for service in SERVICES}
        columns |= {"TotalCharges": [" " if i % 50 == 0 else f"{i}.5" for i in range(n)]}
        return pandas.DataFrame(columns | {"Churn": rng.choice(["Yes", "No"], n)})
    rooms = np.where(rng.random(n) < 0.1, np.nan, rng.integers(1, 900, n))
    near = rng.choice(["INLAND", "NEAR BAY", "ISLAND"], n)
    price = rng.integers(50_000, 500_000, n)
    longitude = -120 + rng.random(n)
    return pandas.DataFrame(
        {
            "longitude": longitude,
            "total_bedrooms": rooms,
            "median_house_value": price,
            "ocean_proximity": near,
        }
    )


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """Run every command of the page in an empty folder; return them with what they printed."""
    folder = tmp_path_factory.mktemp("walkthrough")
    for name in TABLES:
        real = shared(name)
        if real is None:
            made(name).to_csv(folder / name, index=False)
        else:
            shutil.copyfile(real, folder / name)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    with pytest.MonkeyPatch.context() as changed:
        changed.chdir(folder)
        changed.setenv("COLUMNS", "100")
        changed.setattr(app, "_listen", lambda: None)
        changed.setattr(warnings, "showwarning", warnings.showwarning)
        return folder, [(line, *run(line)) for line in lines]


def served(line, port):
    """Ask what a line of curl asks, of a server on another port; return as `run` does."""
    words = shlex.split(line)
    body = Path(words[words.index("-d") + 1].removeprefix("@")).read_bytes()
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    name, _, value = words[words.index("-H") + 1].partition(": ")
    wire.request("POST", words[-1].partition(":8000")[2], body, {name: value})
    answer = wire.getresponse()
    said = answer.status != 200, answer.read().decode(), ""
    wire.close()
    return said


@contextlib.contextmanager
def serving():
    """Serve the page's model on a port that is free; give the port."""
    command = [sys.executable, "-m", "clearprop", "serve", "churn.safetensors", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        yield int(re.search(r"127\.0\.0\.1:(\d+)", line)[1])
        process.terminate()


def run(line):
    """Run a command, clearprop's in this process; return exit code, standard output and error."""
    if line.startswith("curl "):
        pytest.importorskip("uvicorn")
        with serving() as port:
            return served(line, port)
    if line.startswith("clearprop serve "):
        return 0, "", ""  # which goes on; it is asked in the next line
    if not line.startswith("clearprop "):
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr
    line, _, file = line.partition(" > ")
    words = shlex.split(line)[1:]
    if words[0] in ("train", "tune"):
        words += SMALL.split() + ["--trials", "1"] * (words[0] == "tune")
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            app.main(words)
        except SystemExit as ended:
            if file:
                Path(file).write_text(out.getvalue())
            return ended.code, out.getvalue(), err.getvalue()
    raise AssertionError("the program did not end")


def test_the_commands_run_in_their_order(walked):
    folder, found = walked
    if importlib.util.find_spec("optuna") is None:  # an extra, which not everyone has
        found = [each for each in found if "tune" not in each[0]]
    assert len(found) >= 10
    for line, code, _, err in found:
        assert code == 0, f"{line}\n{err}"
    for name in ("churn.safetensors", "predictions.parquet", "run.ckpt", "prices.csv", "churn.html"):
        assert (folder / name).stat().st_size > 0
    told = json.loads((folder / "result.json").read_text())
    assert (told["model"], told["target"]) == ("nightly.safetensors", "Churn")
    bounds = next(out for line, _, out, _ in found if "--interval" in line).splitlines()
    assert bounds[0] == "row,prediction,low,high"
    for line in bounds[1:]:
        prediction, low, high = map(float, line.split(",")[1:])
        assert low < prediction < high
    why = next(out for line, _, out, _ in found if line.startswith("clearprop explain"))
    assert "median row" in why
    assert "They add up to" in why
    answer = next(out for line, _, out, _ in found if line.startswith("curl"))
    assert list(json.loads(answer)) == ["prediction", "probabilities"]
    rows = len((folder / "housing.csv").read_text().splitlines()) - 1
    assert len((folder / "prices.csv").read_text().splitlines()) == rows + 1


@pytest.mark.parametrize("name", TABLES)
def test_the_decisions_are_those_that_the_page_shows(walked, name):
    if shared(name) is None:
        pytest.skip(f"{TABLES[name]} is not there: the commands ran on a table made like it")
    err = next(err for line, *_, err in walked[1] if line.startswith(f"clearprop train {name}"))
    printed = [line.split() for line in err.splitlines()]
    shown = re.search(rf"train {name}.*?\n```\n```\n(.*?)```", PAGE, flags=re.DOTALL)[1].splitlines()
    compared = 0
    for line in shown:
        if line.startswith("..."):
            continue
        if line.startswith("network"):
            break
        assert line.split() in printed, line
        compared += 1
    assert compared > 6


def _without_seconds(line):
    return re.sub(r"[\d.]+ s\b", "s", " ".join(line.split()))


@pytest.mark.slow
def test_training_in_full_ends_and_predicts_as_the_page_shows(tmp_path, monkeypatch):
    real = shared("churn.csv")
    if real is None:
        pytest.skip(f"{TABLES['churn.csv']} is not there")
    shutil.copyfile(real, tmp_path / "churn.csv")
    shown = re.search(r"train churn.csv --target Churn --seed 1\n```\n```\n(.*?)```", PAGE, re.DOTALL)[
        1
    ]
    ends = [
        line for line in shown.splitlines() if line.startswith(("test", "trained", "kept", "stopped"))
    ]
    assert len(ends) == 5
    rows = re.search(r"```\n(row,customerID,prediction,.*?)```", PAGE, re.DOTALL)[1].splitlines()
    commands = [
        "clearprop train churn.csv --target Churn --seed 1",
        "(head -1 churn.csv; tail -3 churn.csv) > new.csv",
        "clearprop predict churn.safetensors new.csv",
    ]
    assert all(f"$ {command}\n" in PAGE for command in commands)
    monkeypatch.setitem(globals(), "SMALL", "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(app, "_listen", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    trained, _, predicted = (run(command)[1].splitlines() for command in commands)
    printed = [_without_seconds(line) for line in trained]
    for line in ends:
        assert _without_seconds(line) in printed, line
    assert predicted[0] == rows[0]
    for told, line in zip(predicted[1:], rows[1:], strict=True):
        assert told.split(",")[:3] == line.split(",")[:3]
        figures = [[float(each) for each in text.split(",")[3:]] for text in (told, line)]
        np.testing.assert_allclose(*figures, rtol=1e-5)


def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = made("churn.csv")
    frame.to_csv("churn.csv", index=False)
    names = {"frame": frame}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(re.sub(r'(preset="[^"]*")', r"\1, max_iter=1, hidden_layer_sizes=8", block), names)
    assert names["model"].n_iter_ == 1
    assert Path("from_python.safetensors").exists()
