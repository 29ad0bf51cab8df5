"""Builds the kernels' libraries ahead, which a wheel carries: one for each variant and dtype.

    python wheels/kernels.py FOLDER [VARIANT...]

leaves FOLDER/x86_64 and FOLDER/aarch64. LLVM writes the code for either on either; `ld` links it, for
another machine than this one that of its binutils (Debian's binutils-aarch64-linux-gnu): without it
that machine is passed over, and said to be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import llvmlite

from clearprop.engines import cpu

DTYPES = "float32", "float64"
C_LIBRARY = "libm.so.6", "libc.so.6"
LINK = [
    "-shared", "-nostdlib", "--no-as-needed", "--strip-all", "--hash-style=gnu",
    "-z", "noexecstack", "-z", "relro", "-z", "now",
]  # fmt: skip


def main(folder: Path, variants: list[str]) -> None:
    """Build the variants, each in a process of its own: the kernels' source has its vectors' width."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(partial(build, folder), variants or cpu.VARIANTS))


def build(folder: Path, variant: str) -> None:
    """Build a variant, or say why not."""
    machine = cpu.VARIANTS[variant].triple.partition("-")[0]
    linker = shutil.which(f"{machine}-linux-gnu-ld")
    if linker is None and machine == os.uname().machine:
        linker = shutil.which("ld")
    if linker is None:
        print(f"{variant}: passed over, there is no {machine}-linux-gnu-ld (of binutils)", flush=True)
        return
    its = folder / machine
    its.mkdir(parents=True, exist_ok=True)
    (its / "llvmlite").write_text(llvmlite.__version__)
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([sys.executable, __file__, "--objects", made, variant], check=True)
        link(Path(made), its, linker, variant)


def objects(folder: Path, variant: str) -> None:
    """Write the object files of a variant."""
    cpu.build_for(cpu.VARIANTS[variant])
    from clearprop.engines import machine_code

    for dtype in DTYPES:
        target = machine_code.target_machine(ahead=True)
        (folder / f"{dtype}.o").write_bytes(machine_code.compile_for(dtype, target))


def link(objects: Path, folder: Path, linker: str, variant: str) -> None:
    """Link the object files to libraries that ask for the C library and nothing of its versions.

    What stands for the C library meanwhile has its names alone: so the libraries load beside any glibc,
    and no other machine's need be here.
    """
    for name in C_LIBRARY:
        subprocess.run([linker, "-shared", "-o", name, "/dev/null"], cwd=objects, check=True)
    for dtype in DTYPES:
        path = folder / cpu.file_name(variant, dtype)
        what = ["-o", path.absolute(), f"{dtype}.o", *C_LIBRARY]
        subprocess.run([linker, *LINK, *what], cwd=objects, check=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--objects":
        objects(Path(sys.argv[2]), sys.argv[3])
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
