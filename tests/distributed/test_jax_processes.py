"""JAX on the devices of all processes that mpiexec has started: two CPUs over loopback."""

import json
import signal

import numpy as np
import pytest

import clearprop as cp
from launching import alone, mpiexec, needs_mpi
from test_bad_input import assert_a_process_that_is_hurt_ends_all, assert_said_once

pytest.importorskip("jax", reason="JAX is not installed: pip install 'clearprop[jax]'")
pytestmark = needs_mpi
RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=(203, 4)).astype(np.float32), RNG.integers(0, 3, 203)
ENGINE = ("--engine", "jax:all")
HOW = ("train", "rows.npz", "--seed", "1", "--hidden", "5", "--batch-size", "33", "--quiet")


def shell(folder, *arguments, size=2, **more):
    """Run clearprop by two processes that see one CPU each."""
    how = {"cwd": folder, "env": alone() | {"JAX_PLATFORMS": "cpu"} | more, "timeout": 300}
    return mpiexec(size, "-m", "clearprop", *arguments, **how)


@pytest.fixture
def rows(tmp_path):
    np.savez(tmp_path / "rows.npz", X=X, Y=Y)
    return tmp_path


def parameters(path):
    return cp.load(path).parameters


def test_the_shell_trains_one_network_on_the_devices_of_two_processes(rows):
    how = (*HOW, "--epochs", "3", "--dropout", "0.2")
    found = shell(rows, *how, *ENGINE, "--output", "two.safetensors", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["n_samples"]  # and nothing else: Gloo greets on standard output
    assert "jax:all engine" not in found.stderr
    alone_ = shell(rows, *how, "--engine", "numpy", "--shards", "1", "--output", "one", size=1)
    assert alone_.returncode == 0, alone_.stderr
    np.testing.assert_allclose(
        parameters(rows / "two.safetensors"), parameters(rows / "one"), atol=2e-6
    )


@pytest.mark.slow
def test_what_goes_on_from_a_checkpoint_has_the_bits_of_the_unbroken_run(rows):
    for name, *epochs in (("whole", 4), ("pieces", 2, 4)):
        for n in epochs:
            files = ("--checkpoint", f"{name}.ckpt", "--resume", "--output", f"{name}.safetensors")
            found = shell(rows, *HOW, "--epochs", n, *ENGINE, *files)
            assert found.returncode == 0, found.stderr
    whole, pieces = ((rows / f"{name}.safetensors").read_bytes() for name in ("whole", "pieces"))
    assert whole == pieces


@pytest.mark.slow
@pytest.mark.parametrize("buffer", [(), ("--buffer", "90")])
def test_a_table_is_trained_on_by_all_processes_from_all_of_its_rows(rows, buffer):
    text = "\n".join(f"{a},{b},{'u' if b > 0 else 'v'},{y}" for a, b, *_, y in np.column_stack([X, Y]))
    (rows / "rows.csv").write_text(f"a,b,c,y\n{text}\n")
    how = ("train", "rows.csv", "--target", "y", "--epochs", "2", "--seed", "1", "--quiet", *buffer)
    for size in (1, 2):
        found = shell(rows, *how, *ENGINE, "--output", f"{size}.safetensors", size=size)
        assert found.returncode == 0, found.stderr
    one, two = (parameters(rows / f"{size}.safetensors") for size in (1, 2))
    np.testing.assert_allclose(two, one, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_stopped_or_killed_ends_all_in_the_stall_timeout(rows, how, victim):
    command = ("train", "rows.npz", "--epochs", "1000000", *ENGINE)
    assert_a_process_that_is_hurt_ends_all(rows, victim, how, *command, JAX_PLATFORMS="cpu")


@pytest.mark.slow
def test_sharding_options_are_refused_once(rows):
    found = shell(rows, *HOW, *ENGINE, "--fast-sum")
    assert_said_once(found, "--fast-sum cannot be used with engine 'jax:all'")
    found = shell(rows, *HOW, *ENGINE, "--shards", 8)
    assert_said_once(found, "--engine 'jax:all' cannot train on shards: 'compiled' can")


PROGRAM = r"""
import sys
import numpy as np
from mpi4py import MPI
import clearprop as cp

rank, what = MPI.COMM_WORLD.rank, sys.argv[1]
rng = np.random.default_rng(0)
X, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)
how = {"epochs": 3, "batch_size": 7, "seed": 1, "progress": False, "dropout": 0.2}
def net():
    return cp.Network([4, 6, 3], output="softmax", cost="cross_entropy", seed=0, dtype="float64")
if what == "late":
    net().fit(X, y, engine="jax", **how)
if what == "error":
    how["callbacks"] = [lambda training: 1 / 0 if rank else None]
mine = slice(0, 9) if rank == 0 else slice(9, 23)
made, alone = net(), net()
try:
    made.fit(X[mine], y[mine], engine="jax:all", communicator=MPI.COMM_WORLD, stall_timeout=20, **how)
except ValueError as problem:
    sys.stderr.write(f"raised: {problem}\n")
    MPI.COMM_WORLD.Barrier()
    sys.exit(1)
alone.fit(X, y, engine="numpy", **how)
np.testing.assert_allclose(made.parameters, alone.parameters, rtol=1e-9)
every = MPI.COMM_WORLD.gather(made.parameters.tobytes())
assert rank or every[0] == every[1]
other = net()
limited = other.fit(
    X[mine], y[mine], engine="jax:all", communicator="mpi", progress=False, epochs=10**6, time_limit=0.5,
    batch_size=7,
)
every = MPI.COMM_WORLD.gather(other.parameters.tobytes())
if rank == 0:
    print("equal", every[0] == every[1], limited.stopped)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("fine", 0, ""),
        ("late", 1, "raised: engine 'jax:all' cannot join the processes of MPI: jax.distributed"),
        ("error", 1, "clearprop: rank 1 on "),
    ],
)
def test_python_gives_each_process_its_rows_and_has_the_numbers_of_the_reference(
    tmp_path, what, code, said
):
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = alone() | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
    found = mpiexec(2, tmp_path / "program.py", what, env=environment, timeout=300)
    assert found.returncode == code, found.stderr
    assert said in found.stderr
    if code == 0:
        assert found.stdout == "equal True time limit\n"
