"""Model files and checkpoints: safetensors, written atomically and verified on the way in."""

from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.network_file import (
    NetworkParts,
    describe_network,
    flat_parameters,
    network_parts,
    network_tensors,
    read_file,
    read_network,
)
from clearprop.checkpoint.tensor_file import read_checksum, read_tensors, write_tensors
from clearprop.checkpoint.writer_lock import WriterLock

__all__ = [
    "CheckpointError",
    "NetworkParts",
    "WriterLock",
    "describe_network",
    "flat_parameters",
    "network_parts",
    "network_tensors",
    "read_checksum",
    "read_file",
    "read_network",
    "read_tensors",
    "write_tensors",
]
