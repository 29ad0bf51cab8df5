"""docs/take-it-anywhere.md: its programs, compiled and run as the page says, answer as the model does."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import clearprop as cp
from clearprop.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "take-it-anywhere.md").read_text("utf-8")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def shop():
    """Return an estimator of the columns that the page's programs name."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 60) * 1.0,
            "colour": rng.choice(["red", "blue"], 60),
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, 60), unit="s"),
        }
    )
    table.loc[3, "since"] = pd.NaT
    answers = np.where(table.age + rng.normal(size=60) > 45, "yes", "no")
    return cp.MLPClassifier((5,), preset="realmlp-s", max_iter=3, random_state=0).fit(
        table, answers
    ), table


def test_the_pages_c_program_answers_as_the_model_does(shop, tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    estimator, _ = shop
    estimator.save(tmp_path / "shop.safetensors")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "export",
                str(tmp_path / "shop.safetensors"),
                "--format",
                "c",
                "--output",
                f"{tmp_path}/model.c",
            ]
        )
    assert ended.value.code == 0
    (tmp_path / "answer.c").write_text(re.search(r"```c\n(.*?)```", PAGE, re.DOTALL)[1])
    command = re.search(r"^    cc (.*)$", PAGE, re.MULTILINE)[1].split()
    subprocess.run(["gcc", "-Wall", "-Werror", *command], cwd=tmp_path, check=True)
    row = pd.DataFrame({"age": [41.0], "colour": ["red"], "since": [pd.NaT]})
    said = f"{estimator.predict(row)[0]} {estimator.predict_proba(row).max():.3f}\n"
    run = subprocess.run(["./answer"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == said


def test_the_pages_lines_for_onnxruntime_run(shop, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'clearprop[onnx]'")
    estimator, table = shop
    monkeypatch.chdir(tmp_path)
    estimator.save("model.safetensors")
    onnx.save(estimator.to_onnx(), "model.onnx")
    table.to_csv("rows.csv", index=False)
    names = {}
    exec(re.search(r"```python\n(import onnxruntime\n.*?)```", PAGE, re.DOTALL)[1], names)
    assert (names["labels"] == estimator.predict(table)).all()
