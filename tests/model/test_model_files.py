"""Files that an earlier version wrote load, predict the same, and are gone on from.

``model_files/make.py`` says how they were made. Predictions agree to rounding on any CPU. Where the CPU
and the libraries are those that the files were written with, so do the bits of what is resumed.
"""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors

import clearprop as cp
from model_files import make

INPUTS = np.load(make.HERE / "inputs.npz")
EXPECTED = np.load(make.HERE / "expected.npz")
MODELS = [name for name in EXPECTED.files if name != "machine" and not name.endswith("checkpoint")]
SAME_MACHINE = json.loads(str(EXPECTED["machine"])) == make.machine()


def agree(found, expected):
    """Of parameters and predictions of order 1; float32 has rounded them for some steps."""
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def test_the_files_are_there():
    names = {path.stem for path in make.HERE.glob("*.safetensors")}
    assert names == {*EXPECTED.files} - {"machine"}
    assert max(path.stat().st_size for path in make.HERE.iterdir() if path.is_file()) < 20_000


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_before_predicts_the_same(name):
    path = make.HERE / f"{name}.safetensors"
    kind = (
        cp
        if name.startswith("network")
        else cp.MLPRegressor
        if "regressor" in name
        else cp.MLPClassifier
    )
    model = kind.load(path)
    agree(make.answers(name, model, INPUTS), EXPECTED[name])
    if kind is cp.MLPClassifier and "words" in INPUTS and name in ("classifier", "realmlp-classifier"):
        assert {*model.classes_} == {"low", "middle", "high"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_checkpoint_of_before_goes_on_to_the_bits_of_the_unbroken_run(stream, tmp_path):
    name = "stream-checkpoint" if stream else "array-checkpoint"
    path = shutil.copy(make.HERE / f"{name}.safetensors", tmp_path)
    stopped = cp.load(path)
    with safetensors.safe_open(path, "numpy") as file:
        state = json.loads(file.metadata()["clearprop"])["training"]["state"]
    assert (state["epoch"], state["epoch_step"]) == (1, 2)  # in the middle of an epoch
    unbroken = make.run(INPUTS["X"], INPUTS["labels"], stream=stream)
    found = make.run(INPUTS["X"], INPUTS["labels"], stream=stream, checkpoint=path, resume=True)
    agree(found, unbroken)
    agree(found, EXPECTED[name])
    if SAME_MACHINE:
        np.testing.assert_array_equal(found.view(np.uint32), unbroken.view(np.uint32))
    assert np.abs(found - stopped.parameters).max() > 1e-3  # it went on


@pytest.mark.slow
@pytest.mark.parametrize("name", make.CHECKPOINTS)
def test_a_table_s_checkpoint_of_before_goes_on_to_the_bits_of_the_unbroken_run(name, tmp_path):
    for file in ("customers.csv", f"{name}.safetensors"):
        shutil.copy(make.HERE / file, tmp_path)

    def train(*more):
        words = [*make.CHECKPOINTS[name].split(), "--output", "done.safetensors", *more]
        done = subprocess.run(
            [sys.executable, "-m", "clearprop", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return cp.load(tmp_path / "done.safetensors").parameters, done.stderr

    found, said = train("--checkpoint", f"{name}.safetensors", "--resume")
    assert "resumed at epoch" in said
    unbroken, _ = train("--preset", "realmlp-s")  # the default of before, which the checkpoint says
    agree(found, unbroken)
    agree(found, EXPECTED[name])
    if SAME_MACHINE:
        np.testing.assert_array_equal(found.view(np.uint32), unbroken.view(np.uint32))


def test_parameters_begin_on_a_cache_line(tmp_path):
    """Not to do so costs a ninth of a step of 784-30-10 by single samples, in vectors of 64 bytes."""
    nets = [
        cp.Network([4, 5, 3], seed=k, dtype=dtype) for k in range(4) for dtype in ("float32", "float64")
    ]
    for k, net in enumerate(nets.copy()):
        net.save(tmp_path / f"{k}.safetensors")
        nets.append(cp.load(tmp_path / f"{k}.safetensors"))
    models = [each.model for each in nets]
    for model in (
        *models,
        *(each.copy() for each in models),
        *(each.copy("float32") for each in models),
    ):
        assert model.parameters.ctypes.data % 64 == 0
