"""How wide vector registers are, and what fits them, on the processor that code is for."""

from __future__ import annotations

from clearprop.engines import cpu

REGISTER_BYTES = cpu.target().register_bytes
# (rows, columns) of the block of results, in scalars or vectors: most of 32 or 16 registers.
DOTS_BLOCK = (5, 5) if REGISTER_BYTES == 64 else (3, 4)
SUMS_BLOCK = (6, 4) if REGISTER_BYTES == 64 else (6, 2)
PANEL = SUMS_BLOCK[1] * REGISTER_BYTES // 4  # columns of float32; half of them in float64
