"""Model files and checkpoints: safetensors, written atomically and verified on the way in."""

from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.network_file import (
    describe_network,
    flat_parameters,
    network_tensors,
    read_network,
)
from clearprop.checkpoint.tensor_file import read_tensors, write_tensors
from clearprop.checkpoint.writer_lock import WriterLock

__all__ = [
    "CheckpointError",
    "WriterLock",
    "describe_network",
    "flat_parameters",
    "network_tensors",
    "read_network",
    "read_tensors",
    "write_tensors",
]
