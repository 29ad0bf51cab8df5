"""llvmlite and LLVM's types, imported when code is compiled: what was built ahead needs neither."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return llvmlite's module `ir`, one of its types, or the module `binding`, and keep all."""
    if name.startswith("__"):
        raise AttributeError(name)
    from llvmlite import binding, ir

    found = {f"I{bits}": ir.IntType(bits) for bits in (1, 8, 32, 64)}
    found |= {"F32": ir.FloatType(), "F64": ir.DoubleType(), "ir": ir, "binding": binding}
    globals().update(found)
    try:
        return found[name]
    except KeyError:
        raise AttributeError(name) from None
