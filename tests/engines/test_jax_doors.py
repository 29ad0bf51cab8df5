"""``engine="jax"`` through every door: estimators, streams, the shell; and where JAX is not there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop.data.row_stream import RowStream
from test_jax_devices import environment

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'clearprop[jax]'")
RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(53, 4)), RNG.integers(0, 3, 53)


def test_rows_of_a_stream_are_sent_again_when_the_buffer_has_others():
    def trained(engine):
        net = cp.Network([4, 5, 3], seed=0)
        net.fit(
            RowStream.of_arrays(X, Y, buffer_rows=17),
            epochs=3,
            batch_size=5,
            engine=engine,
            progress=False,
        )
        return net.parameters

    np.testing.assert_allclose(trained("jax"), trained("numpy"), atol=2e-6)


@pytest.mark.filterwarnings("ignore:max_iter")
def test_an_estimator_learns_the_same_as_by_another_engine():
    how = {
        "hidden_layer_sizes": (6,),
        "max_iter": 3,
        "random_state": 0,
        "members": 2,
        "dtype": "float32",
    }
    one, other = (cp.MLPClassifier(**how, engine=name).fit(X, Y) for name in ("jax", "numpy"))
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-5)
    with pytest.raises(ValueError, match="engine.*jax:gpus"):
        cp.MLPClassifier(engine="jax:gpus").fit(X, Y)


def test_the_shell_trains_resumes_and_says_which_engine_it_was(clearprop):
    how = (
        "--hidden",
        "6",
        "--batch-size",
        "300",
        "--seed",
        "0",
        "--checkpoint",
        "c",
        "--engine",
        "jax",
    )
    code, _, err = clearprop("train", "digits", "--epochs", "1", *how, "--output", "m")
    assert code == 0, err
    assert "jax engine" in err
    assert "compiling the steps for JAX's device ..." in err
    code, _, err = clearprop("train", "digits", "--epochs", "2", *how, "--output", "n", "--resume")
    assert code == 0, err
    assert "resumed at epoch 1" in err
    assert "engine              jax" in clearprop("info", "c")[1]
    code, _, err = clearprop("train", "digits", "--engine", "jax:tpu", "--output", "o")
    assert code == 2
    assert err.splitlines()[-1].startswith("clearprop: --engine 'jax:tpu' has no tpu here: JAX sees")
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_kind_of_device_that_jax_is_told_of_alone_and_does_not_have_is_said():
    command = [sys.executable, "-m", "clearprop", "train", "iris", "--engine", "jax", "--output", "o"]
    more = environment(JAX_PLATFORMS="rocm")
    out = subprocess.run(command, env=more, capture_output=True, text=True, timeout=120)
    assert out.returncode == 2, out.stderr
    assert "JAX finds none of what JAX_PLATFORMS=rocm names" in out.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path):
    text = (Path(__file__).parents[2] / "docs/gpu.md").read_text()
    commands = [
        line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
    ]
    shown = [line for line in commands if not line.startswith("pip install")]
    assert len(shown) == 3
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    for line in shown:
        more = environment(PATH=path)
        out = subprocess.run(
            line, shell=True, env=more, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert out.returncode == 0, out.stderr
        assert "test accuracy" in out.stdout


def test_without_jax_the_extra_is_named(clearprop, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match="engine 'jax' needs JAX, .*pip install 'clearprop\\[jax\\]'"):
        cp.Network([4, 5, 3]).fit(X, Y, engine="jax", progress=False)
    code, _, err = clearprop("train", "iris", "--engine", "jax", "--output", "o")
    assert code == 2
    assert "clearprop: --engine 'jax' needs JAX, which is not installed" in err


def test_auto_never_takes_it():
    training = cp.Training(cp.Network([4, 5, 3]), X, Y, progress=False)
    assert training.engine.name in ("compiled", "numpy")
