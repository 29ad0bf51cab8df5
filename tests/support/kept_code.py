"""Folders of machine code, for processes that need not compile it: that takes seconds."""

import shutil

import numpy as np

from clearprop.engines import machine_code


def copied_to(folder):
    """Copy what this process trains float32 networks with, compiled where it is not; return its file."""
    machine_code.code(np.dtype("float32"))
    kept = machine_code._path("float32")
    assert kept is not None, "machine code is kept nowhere: set CLEARPROP_CACHE to a folder of your own"
    return shutil.copy(kept, folder)
