"""The processor that machine code is built for: this one, or what several have in common.

Another vector width adds in another order, so it gives other bits: hosts that are to agree to the bit
run code for what all of them have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llvmlite import binding


class Processor(NamedTuple):
    """A processor as LLVM knows it."""

    triple: str
    name: str
    features: str  # each with + where it is there and - where it is not

    @property
    def has(self) -> frozenset[str]:
        """The features that are there."""
        return frozenset(each[1:] for each in self.features.split(",") if each.startswith("+"))


_agreed: list[Processor] = []


def here() -> Processor:
    """Return this host's processor."""
    features = binding.get_host_cpu_features().flatten()
    return Processor(binding.get_process_triple(), binding.get_host_cpu_name(), features)


def target() -> Processor:
    """Return the processor that code is built for."""
    return _agreed[0] if _agreed else here()


def common(processors: Sequence[Processor]) -> Processor:
    """Return what all have: one of them where they are equal.

    Raises
    ------
    ValueError
        If they are of different kinds, which share no machine code.
    """
    first = processors[0]
    if all(each == first for each in processors):
        return first
    kinds = sorted({each.triple for each in processors})
    if len(kinds) > 1:
        raise ValueError(f"processes must run on one kind of processor, got {', '.join(kinds)}")
    shared = frozenset.intersection(*(each.has for each in processors))
    every = sorted({name[1:] for each in processors for name in each.features.split(",")})
    signed = ",".join(("+" if name in shared else "-") + name for name in every)
    name = "x86-64" if first.triple.startswith("x86_64") else "generic"
    return Processor(first.triple, name, signed)


def build_for(processor: Processor) -> None:
    """Have code built for a processor, before any is: the kernels' source has its vectors' width."""
    _agreed[:] = [processor]
