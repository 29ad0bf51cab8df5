"""Commands by several processes, as mpiexec starts them."""

import importlib.util
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
    command = [MPIEXEC, "-n", str(size), sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=alone(), **how
    )
