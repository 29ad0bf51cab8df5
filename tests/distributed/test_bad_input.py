"""What is wrong with many processes: one sentence, from one of them, an exit code, and no hang."""

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import clearprop as cp
from fault_harness import ranks, wait_for_none
from launching import MPIEXEC, alone, mpiexec, mpiexec_each, needs_mpi
from thread_team import together

SLOW = [pytest.mark.slow]
RNG = np.random.default_rng(7)
X, Y = RNG.normal(size=(40, 4)), RNG.integers(0, 3, 40)
TRAIN = ("-m", "clearprop", "train", "rows.npz", "--epochs", "1", "--seed", "1", "--engine", "numpy")


@pytest.fixture
def rows(tmp_path):
    """Return a folder with rows to train on, few of them, and a network."""
    np.savez(tmp_path / "rows.npz", X=X, Y=Y)
    np.savez(tmp_path / "few.npz", X=X[:3], Y=Y[:3])
    cp.Network([4, 5, 3], seed=0).save(tmp_path / "m.safetensors")
    return tmp_path


def assert_said_once(found, sentence, code=2):
    """One process says it, in one sentence, and all end."""
    assert found.returncode == code, found.stderr
    assert found.stderr.count("clearprop: ") == 1, found.stderr
    assert sentence in found.stderr
    assert "Traceback" not in found.stderr


# What is not installed, or does not belong together

WITHOUT = "import sys; sys.modules[{!r}] = None; from clearprop.cli import main; main()"


@needs_mpi
def test_the_shell_without_mpi4py_names_the_extra(rows):
    found = mpiexec(2, "-c", WITHOUT.format("mpi4py"), *TRAIN[2:], cwd=rows)
    assert_said_once(
        found, "several processes needs MPI: pip install 'clearprop[mpi]' (import of mpi4py"
    )


@needs_mpi
@pytest.mark.slow
def test_mpi4py_without_an_mpi_says_what_it_looked_for(rows):
    found = mpiexec(2, *TRAIN, cwd=rows, env=alone() | {"MPI4PY_LIBMPI": "/nowhere/libmpi.so"})
    assert_said_once(found, "needs MPI: pip install 'clearprop[mpi]' (cannot load MPI library)")


def test_python_without_mpi4py_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("PMI_RANK", "0")
    with pytest.raises(
        ImportError, match=r"needs MPI: pip install 'clearprop\[mpi\]' \(import of mpi4"
    ):
        cp.Network([4, 5, 3]).fit(X, Y, shards=4, communicator="mpi")


@needs_mpi
@pytest.mark.parametrize("launcher", ["OMPI", pytest.param("MV2", marks=SLOW)])
def test_the_launcher_of_another_mpi_is_named_by_its_first_process(rows, launcher):
    found = []  # of the one, what is refused before MPI begins; of the other, after
    for rank in range(2):
        told = {f"{launcher}_COMM_WORLD_SIZE": "2", f"{launcher}_COMM_WORLD_RANK": str(rank)}
        command, how = [sys.executable, *TRAIN], {"cwd": rows, "env": alone() | told}
        found.append(subprocess.run(command, capture_output=True, text=True, check=False, **how))
    assert_said_once(found[0], "mpiexec has started 2 processes, but mpi4py knows of one: they belong")
    assert (found[1].returncode, found[1].stderr) == (2, "")


@needs_mpi
@pytest.mark.slow
def test_the_shell_without_jax_names_the_extra(rows):
    how = (*TRAIN[2:], "--engine", "jax:all")
    found = mpiexec(2, "-c", WITHOUT.format("jax"), *how, cwd=rows)
    assert_said_once(found, "--engine 'jax:all' needs JAX, which is not installed: pip install")


@needs_mpi
@pytest.mark.slow
def test_what_is_not_installed_for_one_process_is_said_as_its_own(rows):
    how = (*TRAIN[2:], "--engine", "jax:all")
    found = mpiexec_each(("-m", "clearprop", *how), ("-c", WITHOUT.format("jax"), *how), cwd=rows)
    assert_said_once(found, "--engine 'jax:all' needs JAX, which is not installed: pip install")
    assert "clearprop: rank 1 on " in found.stderr


@needs_mpi
@pytest.mark.slow
def test_an_engine_of_one_process_names_the_one_for_several(rows):
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'clearprop[jax]'")
    found = mpiexec(2, *TRAIN, "--shards", 8, "--engine", "jax", cwd=rows)
    assert_said_once(found, "--engine 'jax' cannot train on shards: 'compiled' can, and without shards")


# More processes than there is work for


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "arguments", "sentence"),
    [
        (2, TRAIN, "--shards must be at most the number of rows to train on, 32, got 64; give fewer"),
        (4, (*TRAIN, "--shards", 3), "there must be at most as many processes as shards, 3, got 4"),
        (
            4,
            ("-m", "clearprop", "predict", "m.safetensors", "few.npz", "--output", "p.parquet"),
            "there must be at most as many processes as rows, 3, got 4",
        ),
    ],
    ids=["rows", "shards", "predict"],
)
def test_more_processes_than_work_are_refused_once(rows, size, arguments, sentence):
    assert_said_once(mpiexec(size, *arguments, cwd=rows), sentence)
    assert not list(rows.glob("p*.parquet"))


# Processes that do not have the same arguments


@needs_mpi
@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ((*TRAIN, "--l2", 0.1, "--shards", 8), "has argument l2 0.1 (rank 0 on"),
        (
            ("-m", "clearprop", "predict", "m.safetensors", "rows.npz"),
            "has command 'predict' (rank 0 on",
        ),
    ],
    ids=["option", "command"],
)
def test_the_shell_refuses_processes_of_other_arguments(rows, other, sentence):
    found = mpiexec_each((*TRAIN, "--shards", 8), other, cwd=rows)
    assert_said_once(found, sentence)
    assert "all processes must have the same program, arguments and data; rank 1 on" in found.stderr


@needs_mpi
@pytest.mark.slow
def test_an_option_that_one_process_does_not_know_ends_all(rows):
    found = mpiexec_each((*TRAIN, "--stall-timeout", 9), (*TRAIN, "--epochs", "some"), cwd=rows)
    assert_said_once(found, "--epochs")
    assert "clearprop: rank 1 on " in found.stderr


HOW = {"epochs": 1, "shards": 4, "progress": False, "engine": "numpy"}


@pytest.mark.parametrize(
    ("others", "name"),
    [
        ({"engine": "compiled"}, "engine 'compiled'"),  # whose processes agree on a processor
        ({"validation_data": (X, Y)}, "validation_data True"),  # which is gathered
        ({"shards": 1}, "shards 1"),  # too few
        ({"seed": 3}, "seed 3"),
        ({"optimizer": cp.SGD(0.5)}, "optimizer {'name': 'sgd'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fit_refuses_processes_of_other_arguments(others, name):
    def work(team):
        how = HOW | {"communicator": team} | (others if team.rank == 2 else {})
        with pytest.raises(ValueError, match="same program, arguments and data; rank 2 on") as caught:
            cp.Network([4, 5, 3], seed=0).fit(X, Y, **how)
        return str(caught.value)

    said = together(3, work)
    assert len(set(said)) == 1
    assert f"argument {name}" in said[0]


@pytest.mark.parametrize(
    "others",
    [{"random_state": 0}, {"early_stopping": True}, {"alpha": 0.5}],
    ids=lambda each: next(iter(each)),
)
def test_estimators_refuse_processes_of_other_arguments(others):
    (name,) = others

    def work(team):
        how = {"max_iter": 1, "shards": 4, "communicator": team} | (others if team.rank else {})
        with pytest.raises(
            ValueError, match=f"rank 1 on .* has argument {name} {others[name]} .rank 0"
        ):
            cp.MLPClassifier((5,), **how).fit(X, Y)

    together(2, work)


@pytest.mark.parametrize("given", [{"stall_timeout": 3}, {"fast_sum": True}], ids=["stall", "fast"])
def test_estimators_refuse_what_is_for_several_processes(given):
    ((name, value),) = given.items()
    with pytest.raises(ValueError, match=f"{name}={value}.* needs communicator, got communicator=None"):
        cp.MLPClassifier((5,), max_iter=1, **given).fit(X, Y)


# Ends

LEAVES = r"""
from mpi4py import MPI
import numpy as np
import clearprop as cp

X, y = np.arange(80.0).reshape(40, 2) / 80, np.arange(40) % 2
how = {"epochs": 1, "shards": 4, "engine": "numpy", "progress": False, "stall_timeout": 2, "batch_size": 20}
for _ in range(1 if MPI.COMM_WORLD.rank else 2):
    cp.Network([2, 3, 2], seed=0).fit(X, y, communicator=MPI.COMM_WORLD, **how)
"""


@needs_mpi
def test_a_process_that_makes_fewer_calls_ends_those_that_wait_for_it():
    found = mpiexec(2, "-c", LEAVES)
    assert found.returncode != 0
    assert "has ended, and rank 0 waits for it, at step 4: all processes end" in found.stderr
    assert found.stderr.count("clearprop: rank 1 on ") == 1


@needs_mpi
def test_of_a_first_process_that_is_stopped_another_tells_the_shell(rows):
    command = ("train", "rows.npz", "--epochs", "1000000", "--shards", "8", "--engine", "numpy")
    assert_a_process_that_is_hurt_ends_all(rows, 0, signal.SIGSTOP, *command)


def assert_a_process_that_is_hurt_ends_all(folder, victim, how, *command, **more):
    """Train in the shell, hurt a process after the first epoch: another says so, and none is left."""
    program = (sys.executable, "-m", "clearprop", *command, "--stall-timeout", "5", "--output", "m")
    started = subprocess.Popen(
        [MPIEXEC, "-n", "2", *program], cwd=folder, env=alone() | more, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    pids = {}
    try:
        while not started.stderr.readline().startswith("epoch"):
            assert started.poll() is None
        pids = ranks(started.pid, "clearprop")
        assert sorted(pids) == [0, 1]
        os.kill(pids[victim], how)
        said = started.communicate(timeout=100)[1]
        assert started.returncode != 0
        if how == signal.SIGSTOP:
            assert f"clearprop: rank {victim} on " in said
            assert "has given no sign of life for" in said
        wait_for_none(pids.values())
    finally:
        for pid in pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        started.kill()
        started.communicate()
