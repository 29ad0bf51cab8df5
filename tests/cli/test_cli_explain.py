"""``clearprop explain``, called in this process."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import clearprop as cp


@pytest.fixture
def here(here, monkeypatch):
    """Work where text may have more than ASCII."""
    monkeypatch.setenv("LANG", "C.UTF-8")
    return here


@pytest.fixture
def model(tmp_path):
    """Save a network for the digits."""
    digits = cp.data.load("digits")
    net = cp.Network([64, 30, 10], seed=0, scaling=digits.scaling)
    net.classes = digits.classes
    net.save(tmp_path / "digits.safetensors")
    return tmp_path / "digits.safetensors"


@pytest.mark.parametrize("notation", ["nielsen", "jordan", "dp", "softmax-ce"])
@pytest.mark.parametrize("format", ["text", "latex", "mathml", "json"])
def test_a_row_is_explained_in_every_notation_and_format(clearprop, model, notation, format):
    code, out, err = clearprop(
        "explain", model, "digits", "--row", 3, "--notation", notation, "--format", format
    )
    assert (code, err) == (0, "")
    digits = cp.data.load("digits")
    trace = cp.load(model).trace(digits.X_test[3:4], digits.Y_test[3:4])
    if format == "json":
        value = json.loads(out)
        assert value["notation"]["name"] == notation
        np.testing.assert_allclose(value["layers"][0]["z"], trace.layers[0].z, rtol=1e-5)
    elif format == "mathml":
        assert ET.fromstring(out).tag.endswith("article")
    else:
        factor = 1.0
        assert f"{trace.cost * factor:.4g}" in out
    assert format != "text" or max(map(len, out.splitlines())) < 115  # combining marks


def test_the_explanation_goes_into_a_file(clearprop, model, tmp_path):
    code, out, _ = clearprop("explain", model, "digits", "--row", 0, "--output", "shown.txt")
    assert (code, out) == (0, "")
    assert "BP2" in (tmp_path / "shown.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--row", "360"], r"--row must be in 0\.\.359, got 360: digits has 360 rows in its part test"),
        (["--row", "-1"], r"--row must be in 0\.\.359, got -1"),
        (["--notation", "jordans"], "--notation must be one of .* did you mean 'jordan'"),
        (
            ["--format", "html", "--learning-rate", "-1"],
            "--learning-rate must be a finite number above 0",
        ),
        (["--format", "pdf"], "pdf"),
        (["--algorithm", "A3"], "--algorithm must be one of A1, A2, A4, A6, A8, got 'A3'"),
        (
            ["--form", "poem"],
            "--form must be one of matrix, component, numbers, chain, path, got 'poem'",
        ),
        (["--digits", "18"], r"--digits must be an integer in 1\.\.17, got 18"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(clearprop, model, options, sentence):
    code, out, err = clearprop("explain", model, "digits", *options)
    assert (code, out) == (2, "")
    assert re.search(sentence, err)
    assert err.count("\n") == 1


def test_algorithm_form_and_digits_are_options(clearprop, model):
    on = ("explain", model, "digits", "--row", 3)
    code, out, _ = clearprop(*on, "--algorithm", "A6")
    assert code == 0
    assert "Base case. layer 2" in out
    assert "σ̇" in out  # in the notation of its book
    code, out, _ = clearprop(*on, "--form", "matrix", "--digits", 7)
    assert "δ² = ((w³)ᵀ δ³) ⊙ σ′(z²)" in out
    assert re.search(r"\d\.\d{6}\b", out)


def test_data_that_do_not_fit_the_model_are_refused(clearprop, model):
    code, _, err = clearprop("explain", model, "iris", "--row", 0)
    assert code == 2
    assert "iris has 4 features, the model expects 64" in err
    net = cp.load(model)
    net.feature_names = tuple(f"pixel {i}" for i in range(64))
    net.save(model)
    code, _, err = clearprop("explain", model, "iris", "--row", 0)
    assert code == 2
    assert "iris lacks 'pixel 0'" in err
    assert "the columns must be the model's: 64 features, got 4" in err


def test_a_class_that_the_model_does_not_know_is_refused(clearprop, model, tmp_path):
    rows = [",".join(["0"] * 64 + ["twelve"])] * 3
    (tmp_path / "odd.csv").write_text(
        "\n".join([",".join([*(f"p{i}" for i in range(64)), "label"]), *rows])
    )
    code, _, err = clearprop("explain", model, "odd.csv", "--row", 0)
    assert code == 2
    assert "twelve" in err


def test_the_help_has_an_example(clearprop):
    code, out, _ = clearprop("explain", "--help")
    assert code == 0
    assert "Example: clearprop explain " in out


def test_explaining_a_row_loads_nothing_heavy(model):
    code = (
        "import sys\n"
        "from clearprop.cli import app\n"
        "try: app.main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'numba', 'sklearn', 'scipy', 'pyarrow', 'pandas', 'pooch', 'matplotlib'}\n"
        "heavy |= {'clearprop.' + each for each in ('cli.train', 'data.table', 'evaluation', 'gradient_check')}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "explain", str(model), "digits", "--row", "3"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ran.stdout.splitlines()[-1] == "[]"


def test_the_page_is_written_into_a_file(clearprop, model, tmp_path):
    options = ("--format", "html", "--output", "page.html", "--learning-rate", 0.5, "--notation", "dp")
    said = "clearprop: wrote page.html\n"
    assert clearprop("explain", model, "digits", "--row", 3, *options) == (0, "", said)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert ">w</span> after the update" in page


def test_blanks_leave_the_derivatives_out_as_the_help_says(clearprop, model):
    _, said, _ = clearprop("explain", "--help")
    assert "Leave the derivatives out" in " ".join(said.replace("│", " ").split())
    code, out, _ = clearprop("explain", model, "digits", "--row", 3, "--blanks")
    assert code == 0
    assert "____" in out
    assert "Key" in out
