"""Says what a wheel holds: with CLEARPROP_WHEEL=x86_64 (or aarch64) the libraries of build/kernels.

They are built before, by ``wheels/kernels.py``. A wheel without them needs llvmlite everywhere, so an
installation from source does as well; one with them leaves it to the markers of pyproject.toml.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Kernels(BuildHookInterface):  # type: ignore[type-arg]
    """Puts libraries into a wheel, or llvmlite among what it needs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Choose, before the wheel is written."""
        machine = os.environ.get("CLEARPROP_WHEEL")
        if not machine:
            build_data["dependencies"].append("llvmlite>=0.44")
            return
        folder = Path(self.root, "build", "kernels", machine)
        files = sorted(folder.glob("*"))
        if not files:
            raise FileNotFoundError(
                f"{folder} holds no libraries: python wheels/kernels.py build/kernels"
            )
        for each in files:
            build_data["force_include"][str(each)] = f"clearprop/engines/libraries/{each.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux2014_{machine}"
