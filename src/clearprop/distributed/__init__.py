"""Training by several processes: the same bits by any number of them.

`shards` says which rows make which step, `sums` how gradients are added, `communicator` what processes
must be able to do (`mpi` does it), `faults` what ends them, `agreement` what they must have in common.
"""

from clearprop.distributed.defaults import SHARDS, STALL_TIMEOUT

__all__ = ["SHARDS", "STALL_TIMEOUT"]
