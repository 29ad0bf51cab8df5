"""Commands by several processes, as mpiexec starts them."""

import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "distributed"
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
needs_mpi = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or MPIEXEC is None,
    reason="mpi4py or an MPI is not installed: pip install 'clearprop[mpi]'",
)


def alone():
    """Return an environment in which no launcher says anything."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PMI", "OMPI", "MPI_"))}


def mpiexec(size, *arguments, **how):
    """Run Python by so many processes; return what has come of it."""
    return _run([MPIEXEC, "-n", str(size), sys.executable, *map(str, arguments)], **how)


def mpiexec_each(*programs, **how):
    """Run Python by a process for each of some lists of arguments; return what has come of it."""
    parts = [["-n", "1", sys.executable, *map(str, each), ":"] for each in programs]
    return _run([MPIEXEC, *itertools.chain(*parts)][:-1], **how)


def mpiexec_in(folders, *arguments, **how):
    """Run Python by a process in each of some folders, as if they were hosts with files of their own."""
    command = [sys.executable, *map(str, arguments), ":"]
    parts = [["-n", "1", "-wdir", str(each), *command] for each in folders]
    return _run([MPIEXEC, *itertools.chain(*parts)][:-1], **how)


def _run(command, **more):
    how = {"env": alone(), "timeout": 100} | more
    return subprocess.run(command, capture_output=True, text=True, check=False, **how)
