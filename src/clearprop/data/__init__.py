"""What becomes X and Y: built-in sets, IDX, NPZ, CSV and Parquet.

`load` is the way in; it calls the reader that the source needs. Nothing read here is ever executed,
unpickled or extracted to disk: each declared size is held against the bytes that are there before
memory is taken for it, and a file that is not what it should be is refused with a ``ValueError``,
``TypeError`` or ``OSError`` that names the file, the rule and the value.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clearprop import forks

if TYPE_CHECKING:
    from clearprop.data.dataset import Dataset, Schema
    from clearprop.data.deformation import Deform, deform
    from clearprop.data.idx import read_idx, read_idx_folder
    from clearprop.data.loading import BUILT_IN, load
    from clearprop.data.npz import read_npz
    from clearprop.data.row_stream import RowStream
    from clearprop.data.scaling import divide_by, standardize
    from clearprop.data.split import holdout
    from clearprop.data.table import read_table, stream

__all__ = [
    "BUILT_IN",
    "Dataset",
    "Deform",
    "RowStream",
    "Schema",
    "deform",
    "divide_by",
    "holdout",
    "load",
    "read_idx",
    "read_idx_folder",
    "read_npz",
    "read_table",
    "standardize",
    "stream",
]


# Each is imported when it is first asked for: training on arrays needs none of them.
_LATER = {
    "dataset": ("Dataset", "Schema"),
    "deformation": ("Deform", "deform"),
    "idx": ("read_idx", "read_idx_folder"),
    "loading": ("BUILT_IN", "load"),
    "npz": ("read_npz",),
    "row_stream": ("RowStream",),
    "scaling": ("divide_by", "standardize"),
    "split": ("holdout",),
    "table": ("read_table", "stream"),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            with forks.LOCK:
                found = globals()[name] = getattr(import_module(f"clearprop.data.{module}"), name)
            return found
    raise AttributeError(f"module 'clearprop.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
