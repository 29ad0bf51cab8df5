"""Real processes, started by mpiexec: the same bits by any number of them."""

import ast
import subprocess
import sys

import pytest

from launching import HERE, alone, mpiexec, needs_mpi

pytestmark = needs_mpi


def digests(size, *arguments):
    found = mpiexec(size, HERE / "mpi_program.py", *arguments)
    assert found.returncode == 0, found.stderr
    each = ast.literal_eval(found.stdout)
    assert len(each) == size
    assert len(set(each)) == 1
    return each[0]


@pytest.fixture(scope="module")
def by_one():
    return digests(1)


def test_two_processes_and_three_that_go_on_from_there_have_the_bits_of_one(tmp_path, by_one):
    path = tmp_path / "c.safetensors"
    digests(2, path, 1)
    assert path.exists()
    assert digests(3, path, 2) == by_one


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_any_number_of_processes_has_the_same_bits(size, by_one):
    assert digests(size) == by_one
    assert digests(size, "--estimator") == digests(1, "--estimator")


def test_the_word_mpi_needs_mpiexec():
    program = (
        "import clearprop as cp; cp.Network([2, 2]).fit([[0, 1]] * 70, [0, 1] * 35, communicator='mpi')"
    )
    environment = alone()
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "communicator='mpi' needs processes that mpiexec has started" in found.stderr
