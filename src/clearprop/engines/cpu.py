"""The processor that machine code is for: a variant built ahead, this one, or what several share.

Another vector width adds in another order, so it gives other bits: hosts that are to agree to the bit
run code for what all of them have, and a checkpoint names what it was written with.

A wheel holds a library for each of `VARIANTS` of its architecture; the best that runs here is taken, or
the one that CLEARPROP_KERNELS names. Where there is none, llvmlite compiles for this processor.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from clearprop.engines import llvm
from clearprop.names import known_name

LIBRARIES = Path(__file__).parent / "libraries"
CHOICE = "CLEARPROP_KERNELS"
NEEDS_LLVMLITE = (
    "no code for this processor was built ahead, and llvmlite, which would compile it, is not "
    "installed (pip install 'clearprop[jit]')"
)


class Processor(NamedTuple):
    """A processor as LLVM knows it."""

    triple: str
    name: str
    features: str  # each with + where it is there and - where it is not

    @property
    def label(self) -> str:
        """The name, or the kind of processor where that says nothing."""
        return self.triple if self.name == "generic" else self.name

    @property
    def has(self) -> frozenset[str]:
        """The features that are there."""
        return frozenset(each[1:] for each in self.features.split(",") if each.startswith("+"))

    @property
    def register_bytes(self) -> int:
        """The bytes of a vector register."""
        return 64 if "avx512f" in self.has else 32 if "avx" in self.has else 16


def _level(number: int) -> Processor:
    """Return a level of x86-64, by its features over those that all have."""
    added = (
        "cx16 popcnt sahf sse3 sse4.1 sse4.2 ssse3",
        "avx avx2 bmi bmi2 f16c fma lzcnt movbe xsave",
        "avx512bw avx512cd avx512dq avx512f avx512vl",
    )
    features = sorted(" ".join(added[: number - 1]).split())
    signed = [f"+{each}" for each in features]
    if number == 4:  # LLVM's loops would keep to 32 bytes, as suits the first processors that had 64
        signed.append("-prefer-256-bit")
    return Processor("x86_64-unknown-linux-gnu", f"x86-64-v{number}", ",".join(signed))


# From the least to the best.
VARIANTS = {
    "v2": _level(2),
    "v3": _level(3),
    "v4": _level(4),
    "aarch64": Processor("aarch64-unknown-linux-gnu", "generic", ""),
}
# Linux has its own names for some of LLVM's features.
_FLAGS = {
    "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "sahf": "lahf_lm", "bmi": "bmi1",
    "lzcnt": "abm",
}  # fmt: skip
_agreed: list[Processor] = []


@functools.cache
def here() -> Processor:
    """Return this host's processor."""
    binding = llvm.binding
    features = binding.get_host_cpu_features().flatten()
    return Processor(binding.get_process_triple(), binding.get_host_cpu_name(), features)


@functools.cache
def runs_here() -> tuple[str, ...]:
    """Return the variants that this host's processor runs, the best last: those of Linux alone."""
    if not sys.platform.startswith("linux"):
        return ()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            line = next((each for each in file if each.startswith("flags")), "")
    except OSError:
        return ()
    flags = set(line.partition(":")[2].split())
    return tuple(
        name
        for name, each in VARIANTS.items()
        if each.triple.partition("-")[0] == os.uname().machine
        and {_FLAGS.get(feature, feature) for feature in each.has} <= flags
    )


@functools.cache
def _chosen() -> Processor | None:
    """Return the variant that is asked for, or the best one that was built ahead and runs here.

    Raises
    ------
    ValueError
        If what is asked for is none, or none that runs here.
    """
    name = os.environ.get(CHOICE)
    if not name:
        built = [each for each in runs_here() if (LIBRARIES / file_name(each, "float32")).exists()]
        return VARIANTS[built[-1]] if built else None
    known_name(CHOICE, name, tuple(VARIANTS))
    if name not in runs_here():
        raise ValueError(
            f"{CHOICE} must name code that this processor runs, got {name!r}; it runs "
            f"{', '.join(runs_here()) or 'none'}; leave it out for the best one"
        )
    return VARIANTS[name]


def file_name(variant: str, dtype: str) -> str:
    """Return what a library is called."""
    return f"kernels-{variant}-{dtype}.so"


def target() -> Processor:
    """Return the processor that code is for."""
    return _agreed[0] if _agreed else _chosen() or here()


def library(dtype: str) -> Path | None:
    """Return the library that was built ahead for the target, None where there is none."""
    wanted = _agreed[0] if _agreed else _chosen()
    for name, each in VARIANTS.items():
        if each == wanted and (path := LIBRARIES / file_name(name, dtype)).exists():
            return path
    return None


def has_code() -> bool:
    """Return whether there is code for the target: built ahead, or by llvmlite."""
    return library("float32") is not None or importlib.util.find_spec("llvmlite") is not None


def versions() -> dict[str, str]:
    """Return what the code's bits depend on: the target, and the llvmlite that has compiled it."""
    its = target()
    if library("float32") is None:
        from llvmlite import __version__ as compiler
    else:
        compiler = (LIBRARIES / "llvmlite").read_text("utf-8").strip()
    return {"llvmlite": compiler, "kernels": its.label}


def common(processors: Sequence[Processor]) -> Processor:
    """Return what all have: one of them where they are equal, a variant where it is one.

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
    for variant in VARIANTS.values():
        if variant.triple == first.triple and variant.has == shared:
            return variant
    every = sorted({name[1:] for each in processors for name in each.features.split(",")})
    signed = ",".join(("+" if name in shared else "-") + name for name in every)
    name = "x86-64" if first.triple.startswith("x86_64") else "generic"
    return Processor(first.triple, name, signed)


def build_for(processor: Processor) -> None:
    """Have code built for a processor, before any is: the kernels' source has its vectors' width."""
    _agreed[:] = [processor]
