"""Real processes, started by mpiexec: the same bits by any number of them."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or MPIEXEC is None,
    reason="mpi4py or an MPI is not installed: pip install 'clearprop[mpi]'",
)


def mpiexec(size, *arguments, **how):
    """Run Python by so many processes; return what has come of it."""
    command = [MPIEXEC, "-n", str(size), sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **how)


def digests(size, *arguments):
    found = mpiexec(size, HERE / "mpi_program.py", *arguments)
    assert found.returncode == 0, found.stderr
    each = ast.literal_eval(found.stdout)
    assert len(each) == size
    assert len(set(each)) == 1
    return each[0]


@pytest.fixture(scope="module")
def alone():
    return digests(1)


def test_two_processes_and_three_that_go_on_from_there_have_the_bits_of_one(tmp_path, alone):
    path = tmp_path / "c.safetensors"
    digests(2, path, 1)
    assert path.exists()
    assert digests(3, path, 2) == alone


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_any_number_of_processes_has_the_same_bits(size, alone):
    assert digests(size) == alone
    assert digests(size, "--estimator") == digests(1, "--estimator")


def test_the_word_mpi_needs_mpiexec():
    program = (
        "import clearprop as cp; cp.Network([2, 2]).fit([[0, 1]] * 70, [0, 1] * 35, communicator='mpi')"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PMI", "OMPI"))}
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "communicator='mpi' needs processes that mpiexec has started" in found.stderr


def test_a_launcher_of_another_mpi_is_named():
    program = "from clearprop.distributed import mpi; mpi.communicator_of('mpi')"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PMI")}
    environment |= {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}  # what another says
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "mpiexec has started 2 processes, but mpi4py knows of one" in found.stderr
