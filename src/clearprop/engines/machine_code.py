"""Kernels as machine code for this CPU: optimised by LLVM, kept on disk, found again.

A file holds the code of all kernels for one dtype. Its name is a digest of everything the code depends
on (the sources, LLVM, the CPU), its content begins with a digest of the rest. It is executed, so it is
looked at first: file and folder are this user's and nobody else's to write to, and nobody but root can
put another folder in their place; above them, a group may write that is this user's own. Otherwise the
code is compiled again, and the file replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import hashlib
import mmap
import os
import stat
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from clearprop import forks
from clearprop.engines import cpu, kernels, language, llvm
from clearprop.engines.announcement import compiling

Array = Any

_from_buffer = ctypes.c_char.from_buffer
compiled = 0  # how many times something was compiled, not loaded
_LOADED: dict[str, Code] = {}  # by the dtype's character: its name takes NumPy a microsecond
_FROM_C = ("log", "logf", "pow", "memset", "memcpy")
_NOWHERE = (
    "in every process: no folder to keep it in is safe from others; CLEARPROP_CACHE can name one that "
    "only you can write to, like all above it"
)
_SOURCES = Path(
    __file__
).parent  # all of this folder: a source that is not looked at would leave old code
# Bytes of address space that LLVM is sure to do with: where it finds none, it ends the process.
_ROOM_TO_LOAD, _ROOM_TO_COMPILE = 64 << 20, 256 << 20


class Code(NamedTuple):
    """The functions for one dtype; each takes (address of the slots, thread, number of threads)."""

    train: Callable[[int, int, int], None]
    predict: Callable[[int, int, int], None]
    pull_back: Callable[[int, int, int], None]
    deform_rows: Callable[[int, int, int], None]
    keep: Any  # what the code's memory belongs to


def code(dtype: np.dtype[Any]) -> Code:
    """Return the machine code for float32 or float64, compiled if it is not on disk."""
    found = _LOADED.get(dtype.char)
    if found is None:
        with forks.LOCK:
            found = _LOADED.get(dtype.char) or _prepare(dtype.name)
            _LOADED[dtype.char] = found
    return found


def is_loaded(dtype: np.dtype[Any]) -> bool:
    """Return whether there is machine code for a dtype in this process."""
    return dtype.char in _LOADED


def is_on_disk(dtype: np.dtype[Any]) -> bool:
    """Return whether the machine code for a dtype has to be read only, not to be made."""
    if cpu.library(dtype.name) is not None:
        return True
    path = _path(dtype.name)
    with contextlib.suppress(OSError), _opened(path):
        return True
    return False


def slots(record: Any, before: tuple[Any, Array] | None = None) -> Array:
    """Return the words that a kernel is called with: all that is in a record of a `language` type.

    Of arrays, which are C-contiguous, their addresses and sizes; of a float its bits. What a record has
    in common with the one `before` is taken from its words.
    """
    if before is None:
        return np.array(_words(record, type(record)), np.int64)
    kind: Any = type(record)
    found = before[1].copy()
    hints = language.hints_of(kind).values()
    for value, old, hint, start in zip(record, before[0], hints, places(kind), strict=True):
        if value is not old:
            words = _words(value, hint)
            found[start : start + len(words)] = words
    return found


def _words(value: Any, hint: Any) -> list[int]:
    if language.is_record(hint):
        fields = zip(value, language.hints_of(hint).values(), strict=True)
        return [word for each, its in fields for word in _words(each, its)]
    if hint is float:
        return list(struct.unpack("q", struct.pack("d", value)))
    return [address(value), *value.shape] if isinstance(value, np.ndarray) else [int(value)]


@functools.cache
def places(record: Any) -> Any:
    """Return a record that has, instead of its fields, the number of the first slot of each."""
    found, used = [], 0
    for kind in language.type_of(record, language.FLOAT64).of:  # type: ignore[union-attr]
        found.append(used)
        used += language.n_parts(kind)
    return record(*found)


def address(array: Array) -> int:
    """Return where an array's elements begin; the buffer's way takes a tenth of NumPy's own."""
    try:
        return ctypes.addressof(_from_buffer(array))
    except (TypeError, ValueError):  # read-only, or empty
        found: int = array.__array_interface__["data"][0]
        return found


def _prepare(dtype: str) -> Code:
    signature = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    names = [f"clearprop_{kernel.name}" for kernel in kernels.ENTRIES]
    built = cpu.library(dtype)
    if built is not None:
        library = ctypes.CDLL(os.fspath(built))
        train, predict, pull_back, deform_rows = (signature((name, library)) for name in names)
        return Code(train, predict, pull_back, deform_rows, library)
    engine = _linked(dtype)
    train, predict, pull_back, deform_rows = (
        signature(engine.get_function_address(name)) for name in names
    )
    return Code(train, predict, pull_back, deform_rows, engine)


def _linked(dtype: str) -> Any:
    """Return LLVM's engine with the code for this process, compiled if it is not on disk."""
    binding, target = llvm.binding, target_machine()
    path = _path(dtype)
    binary = _read(path)
    _check_room(_ROOM_TO_LOAD if binary else _ROOM_TO_COMPILE)
    if binary is None:
        kept = "once; it is kept for the next time" if path else _NOWHERE
        with compiling(f"the engine for this CPU ({kept})"):
            binary = compile_for(dtype, target)
        _write(path, binary)
    for name in _FROM_C:
        if binding.address_of_symbol(name) is None:
            binding.load_library_permanently(ctypes.util.find_library("m") or "libm.so.6")
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target)
    engine.add_object_file(binding.ObjectFileRef.from_data(binary))
    engine.finalize_object()
    return engine


def target_machine(ahead: bool = False) -> Any:
    """Return LLVM's description of what code is for: this process, or a library built ahead."""
    binding, its = llvm.binding, cpu.target()
    if ahead:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        where: dict[str, Any] = {"reloc": "pic", "codemodel": "small"}
    else:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        static = its.triple.startswith(("x86", "i"))
        where = {"reloc": "static" if static else "default", "codemodel": "jitdefault", "jit": True}
    found = binding.Target.from_triple(its.triple)
    return found.create_target_machine(cpu=its.name, features=its.features, opt=3, **where)


def compile_for(dtype: str, target: Any) -> bytes:
    """Return the object file of all kernels for a dtype."""
    from clearprop.engines import translation

    global compiled
    compiled += 1
    made = translation.Translation(target.triple, str(target.target_data))
    real = language.FLOAT32 if dtype == "float32" else language.FLOAT64
    for kernel in kernels.ENTRIES:
        made.export(kernel, language.types_of(kernel.function, real))
    binary: bytes = target.emit_object(optimised(str(made.module), target))
    return binary


def optimised(text: str, target: Any) -> Any:
    """Return an LLVM module, optimised as the engine is."""
    binding = llvm.binding
    module = binding.parse_assembly(text)
    module.verify()
    # Level 3 takes a second longer, and what it makes was no faster in side-by-side runs.
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    builder = binding.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return module


def _path(dtype: str) -> Path | None:
    """Return where the code for this machine is kept, or None where nothing may be."""
    parts = [*cpu.versions().values(), *cpu.target()]
    parts += [each.read_text("utf-8") for each in sorted(_SOURCES.glob("*.py"))]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    folder = _folder()
    return folder / f"kernels-{dtype}-{digest}.o" if folder else None


def _check_room(n_bytes: int) -> None:
    """Refuse what LLVM would end the process for.

    Raises
    ------
    MemoryError
        If so much address space is not to be had.
    """
    try:
        mmap.mmap(-1, n_bytes).close()
    except (OSError, ValueError):
        raise MemoryError(
            f"compiled code needs {n_bytes >> 20} MiB; engine='numpy' needs none"
        ) from None


def _folder() -> Path | None:
    """Return the first folder that only this user can write to."""
    chosen = os.environ.get("CLEARPROP_CACHE")
    folders = [Path(chosen)] if chosen else [Path(__file__).parent / "__pycache__"]
    if not chosen:
        with contextlib.suppress(RuntimeError):  # a user without a home
            cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
            folders.append(cache / "clearprop")
    for folder in folders:
        with contextlib.suppress(OSError):
            _make(folder)
            if (
                _is_mine(folder.stat())
                and _is_guarded(folder.absolute())
                and os.access(folder, os.W_OK)
            ):
                return folder
    return None


def _make(folder: Path) -> None:
    """Make a folder, and those above it: each is its user's alone, whatever the umask."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _is_mine(found: os.stat_result) -> bool:
    """Return whether something belongs to this user, and nobody else can write to it."""
    return not hasattr(os, "geteuid") or (
        found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _is_guarded(path: Path) -> bool:
    """Return whether nobody but root can put something else at a path.

    Where others can write to a folder above, its sticky bit keeps them from what is not theirs.
    """
    if not hasattr(os, "geteuid"):
        return True
    found = path.lstat()
    if found.st_uid not in (0, os.geteuid()):
        return False
    if stat.S_ISLNK(found.st_mode):
        if not _is_guarded(path.parent / path.readlink()):
            return False
    elif not found.st_mode & stat.S_ISVTX and (
        found.st_mode & stat.S_IWOTH
        or (found.st_mode & stat.S_IWGRP and not _is_alone_in(found.st_gid))
    ):
        return False
    return path.parent == path or _is_guarded(path.parent)


def _is_alone_in(group: int) -> bool:
    """Return whether a group is this user's own, with nobody else in it: there the umask is 002."""
    import grp
    import pwd

    try:
        me, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:  # without a name: nobody can say who else is in it
        return False
    members = {each.pw_name for each in pwd.getpwall() if each.pw_gid == group} | {*found.gr_mem}
    return me.pw_gid == group and members == {found.gr_name} == {me.pw_name}


def _opened(path: Path | None) -> BinaryIO:
    """Open a file of code to be read; it may be anything that others have put there.

    Raises
    ------
    OSError
        If it is not a file of this user's that nobody else can write to.
    """
    if path is None:
        raise FileNotFoundError
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb")  # noqa: SIM115 - returned
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or not _is_mine(found):
        file.close()
        raise PermissionError(path)
    return file


def _read(path: Path | None) -> bytes | None:
    """Return the code in a file, or None if there is none, or it is damaged or not to be trusted."""
    try:
        with _opened(path) as file:
            content = file.read()
    except OSError:
        return None
    digest, binary = content[:32], content[32:]
    return binary if binary and hashlib.sha256(binary).digest() == digest else None


def _write(path: Path | None, binary: bytes) -> None:
    """Keep the code, at once or not at all, instead of what is there; not being able to is no error."""
    if path is None:
        return
    with contextlib.suppress(OSError):
        number, part = tempfile.mkstemp(".part", path.stem, path.parent)  # of mode 0600
        try:
            with open(number, "wb") as file:
                file.write(hashlib.sha256(binary).digest() + binary)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
