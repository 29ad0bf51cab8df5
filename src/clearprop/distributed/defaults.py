"""What is taken where nothing is said."""

SHARDS = 64  # parts of a batch
STALL_TIMEOUT = 30.0  # seconds in which a stall must have ended all processes
