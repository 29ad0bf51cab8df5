"""Model files and checkpoints: safetensors, written atomically and verified on the way in."""

from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.tensor_file import read_checksum, read_tensors, write_tensors
from clearprop.checkpoint.writer_lock import WriterLock

__all__ = [
    "CheckpointError",
    "WriterLock",
    "read_checksum",
    "read_tensors",
    "write_tensors",
]
