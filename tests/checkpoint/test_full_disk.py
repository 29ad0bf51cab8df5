"""What was trained is not lost with a disk that is full, or a folder that has moved."""

import os
import subprocess
import tempfile
import warnings

import numpy as np
import pytest

import clearprop as cp
from clearprop.cli import running
from clearprop.data.spool import Spool
from clearprop.data.table import stream

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), np.arange(60) % 3
HOW = {"epochs": 3, "batch_size": 7, "progress": False, "engine": "numpy"}


@pytest.fixture
def full(tmp_path):
    """Mount a disk that has room for the name of a file, and hardly for anything in it."""
    folder = tmp_path / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(folder)]
    if os.name == "nt" or os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def here(here, monkeypatch):
    """Work in a folder beside a table."""
    (here / "here").mkdir()
    monkeypatch.chdir(here / "here")
    monkeypatch.setenv("TMPDIR", str(here))
    warnings.simplefilter("default")  # as outside of the tests
    rows = [f"{a:.3f},{'uvw'[i % 3]},{'yes' if a > 0 else 'no'}" for i, a in enumerate(X[:, 0])]
    (here / "t.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    return here


def trained():
    net = cp.Network([4, 30, 30, 3], seed=0)
    net.fit(X, Y, **HOW)
    return net.parameters


def test_a_full_disk_under_the_checkpoint_leaves_the_network_trained(full):
    net = cp.Network([4, 30, 30, 3], seed=0)
    training = cp.Training(net, X, Y, **HOW, checkpoint=full / "c")
    with (
        pytest.warns(UserWarning, match="No space left on device.*; the training goes on"),
        pytest.raises(OSError, match="No space left on device"),
    ):
        training.run()
    np.testing.assert_array_equal(net.parameters, trained())
    assert len(training.history) == 3
    assert training.unwritten is not None
    assert list(full.iterdir()) == []


def test_a_folder_that_moves_under_the_checkpoint_leaves_the_network_trained(tmp_path):
    def move(training):
        if training.epochs_done == 2:
            (tmp_path / "folder").rename(tmp_path / "moved")

    (tmp_path / "folder").mkdir()
    net = cp.Network([4, 30, 30, 3], seed=0)
    with (
        pytest.warns(UserWarning, match="No such file or directory.*; the training goes on"),
        pytest.raises(FileNotFoundError),
    ):
        net.fit(X, Y, **HOW, checkpoint=tmp_path / "folder" / "c", callbacks=[move])
    np.testing.assert_array_equal(net.parameters, trained())
    assert cp.load(tmp_path / "moved" / "c").epochs_trained == 1


def test_a_disk_that_has_room_again_gets_the_checkpoint(full):
    (full / "ballast").write_bytes(bytes(4096))
    subprocess.run(["mount", "-o", "remount,size=64k", str(full)], check=True)
    (full / "ballast").write_bytes(bytes(60_000))
    net = cp.Network([4, 30, 30, 3], seed=0)

    def free(training):
        if training.epochs_done == 2:
            (full / "ballast").unlink()

    with pytest.warns(UserWarning, match="No space left on device"):
        net.fit(X, Y, **HOW, checkpoint=full / "c", callbacks=[free])
    assert cp.load(full / "c").epochs_trained == 3


TRAINED = {
    "arrays": ("iris",),
    "a table": ("../t.csv", "--target", "y"),
    "a stream": ("../t.csv", "--target", "y", "--buffer", "16"),
}
QUICK = ("--epochs", "3", "--seed", "0", "--hidden", "30", "--engine", "numpy", "--quiet")


@pytest.mark.parametrize("data", TRAINED)
def test_the_shell_saves_the_model_and_then_says_that_the_checkpoint_failed(data, full, clearprop):
    code, _, err = clearprop(
        "train", *TRAINED[data], *QUICK, "--output", "m", "--checkpoint", full / "c"
    )
    assert code == 1
    assert "No space left on device" in err.splitlines()[-2]
    assert "the training goes on, and tries again" in err
    assert err.splitlines()[-1].endswith(
        "the checkpoint lacks what was trained, the model was saved: m"
    )
    assert "Traceback" not in err
    assert clearprop("train", *TRAINED[data], *QUICK, "--output", "whole")[0] == 0
    np.testing.assert_array_equal(cp.load("m").parameters, cp.load("whole").parameters)


@pytest.mark.parametrize("data", TRAINED)
def test_an_output_folder_that_moves_does_not_drop_the_model(data, clearprop, monkeypatch, tmp_path):
    (tmp_path / "out").mkdir()

    def move(log, training):
        if training.epochs_done == 2:
            (tmp_path / "out").rename(tmp_path / "moved")

    monkeypatch.setattr(running.Log, "__call__", move)
    code, _, err = clearprop("train", *TRAINED[data], *QUICK, "--output", tmp_path / "out" / "m")
    assert code == 1
    assert f"there is no folder {tmp_path / 'out'}" in err
    saved = err.splitlines()[-1].split("the model was saved elsewhere: ")[1]
    assert os.path.dirname(saved) == os.getcwd()
    assert cp.load(saved).epochs_trained == 3


def test_a_checkpoint_folder_that_moves_does_not_drop_the_model(clearprop, monkeypatch, tmp_path):
    (tmp_path / "out").mkdir()

    def move(log, training):
        if training.epochs_done == 2:
            (tmp_path / "out").rename(tmp_path / "moved")

    monkeypatch.setattr(running.Log, "__call__", move)
    code, _, err = clearprop(
        "train", "iris", *QUICK, "--output", "m", "--checkpoint", tmp_path / "out" / "c"
    )
    assert code == 1
    assert "the model was saved: m" in err
    assert cp.load("m").epochs_trained == 3


def test_a_full_disk_under_the_buffer_is_a_sentence(full, clearprop, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(full))
    code, _, err = clearprop("train", *TRAINED["a stream"], *QUICK, "--output", "m")
    assert code == 1
    assert f"{full}: " in err
    assert "(TMPDIR names another folder)" in err
    assert "Traceback" not in err
    assert not os.path.exists("m")
    with pytest.raises(OSError, match="TMPDIR names another folder"):
        stream(tmp_path / "t.csv", target="y", seed=0)


def test_a_disk_that_fills_up_under_the_buffer_is_a_sentence(full):
    spool = Spool(40, "float64", folder=full)
    with pytest.raises(OSError, match="TMPDIR names another folder") as told:
        spool.append(np.ones((100, 40)), np.ones(100))
    assert told.value.filename == str(full)
    spool.close()
