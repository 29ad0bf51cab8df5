"""Golden vectors come back through `check --trace`, and lead whoever ports a network to the mistake."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop.cli.app import application

PORT = Path(__file__).with_name("port.js")


def run(*arguments):
    """Run a command in this process and return its exit code; what is wrong is raised."""
    return application([arguments[0]])(list(map(str, arguments)), standalone_mode=False) or 0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a network for iris and its golden vectors of 7 rows."""
    folder = tmp_path_factory.mktemp("golden")
    scaling, net = cp.data.scaling.divide_by(4.0), folder / "net.safetensors"
    how = {"scaling": scaling, "dtype": "float64", "bias_initializer": "normal"}
    cp.Network([4, 6, 5, 3], seed=0, **how).save(net)
    assert run("export", net, "iris", "--golden", "7") == 0
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


def checked(trace, capsys):
    """Return the exit code of a check, and what it says."""
    code = run("check", "net.safetensors", "iris", "--trace", trace, "--json")
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_they_are_read_back_as_right(folder, ending, capsys):
    code, found = checked(f"net.golden.{ending}", capsys)
    assert (code, found["verdict"], found["n_samples"]) == (0, "pass", 7)
    given = {(row["quantity"], row["layer"]) for row in found["quantities"]}
    wanted = {
        (what, layer)
        for what in ("z", "a", "delta", "weight_gradient", "bias_gradient")
        for layer in (1, 2, 3)
    }
    assert given >= wanted | {("x", 0), ("y", 0), ("cost", 0)}


def test_both_files_have_every_bit_of_the_pass(folder):
    said = json.loads((folder / "net.golden.json").read_text())
    with np.load(folder / "net.golden.npz") as packed:
        for number, layer in enumerate(said["layers"]):
            for name in ("z", "a", "delta", "weight_gradient"):
                assert np.array_equal(packed[f"layers.{number}.{name}"], np.array(layer[name]))
    dataset = cp.data.load("iris")
    X, Y = dataset.part("test")
    trace = cp.load(folder / "net.safetensors").trace(X[:7], Y[:7])
    assert np.array_equal(said["layers"][1]["z"], trace.layers[1].z)


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node on PATH")
@pytest.mark.parametrize(
    ("mistake", "where"),
    [
        ("none", None),
        ("no bias", ("z", 2, "bias")),
        ("slope of a", ("delta", 1, "f'(a), where f'(z) is meant")),
        ("sum", ("weight_gradient", 3, "it is 7 times what it should be")),
        ("transposed", ("weight_gradient", 2, "transpose")),
    ],
)
def test_a_port_is_led_to_its_mistake_by_them_alone(folder, mistake, where, capsys):
    ported = subprocess.run(
        ["node", PORT, folder / "net.golden.json", mistake], capture_output=True, text=True, check=True
    )
    (folder / "mine.json").write_text(ported.stdout)
    code, found = checked("mine.json", capsys)
    first = found["first_wrong"]
    assert code == (where is not None)
    if where is None:
        assert first is None
        return
    assert (first["quantity"], first["layer"]) == where[:2]
    assert where[2] in first["sentence"]


def test_what_is_no_trace_is_not_written_over(folder):
    (folder / "other.golden.npz").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"other.golden.npz exists and holds no trace"):
        run("export", "net.safetensors", "iris", "--golden", "7", "--output", "other.json")
    assert run("export", "net.safetensors", "iris", "--golden", "7") == 0
    with pytest.raises(ValueError, match="--golden 3 needs DATA"):
        run("export", "net.safetensors", "--golden", "3")
    with pytest.raises(
        ValueError, match=r"--golden must be in 1..30, the rows of iris in its part test, got 31"
    ):
        run("export", "net.safetensors", "iris", "--golden", "31")
