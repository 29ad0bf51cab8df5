"""Replacing a file so that its path holds the old content or the new, whole, whatever happens."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence

from clearprop.checkpoint.errors import CheckpointError

if sys.platform != "win32":
    import fcntl

FilePath = str | os.PathLike[str]

_WRITE_CHUNK = 2**24  # bytes; a single write of 2 GiB is cut short on Linux and refused on macOS
_TEMPORARY = re.compile(r"\.clearprop-[0-9]+-[0-9a-f]{16}\.tmp")


def replace_file(
    path: FilePath,
    pieces: Sequence[memoryview],
    check: Callable[[str], None],
    *,
    sync: bool = True,
) -> None:
    """Write a file anew: temporary, fsync, check, rename, fsync of the folder.

    Whatever fails or interrupts this before the rename leaves the old file as it was and removes the
    temporary; that of a killed process is removed by the next call for the same folder. A link stays a
    link to the file that is replaced. Mode and, where the system lets us, owner and group of the old
    file are kept; other hard links to it keep the old content.

    Parameters
    ----------
    path : str or path-like
    pieces : sequence of memoryview
        The content, in order, as bytes.
    check : callable
        Called with the name of the temporary before it is renamed; its exception gives up.
    sync : bool
        Whether to wait until the disk has the file. Without it the file is safe from a killed process,
        but not from a power loss.

    Raises
    ------
    CheckpointError
        If the path names something else than a regular file.
    OSError
        If the system refuses: it names the path and the bytes that were needed.
    """
    name = os.fsdecode(path)
    if not os.path.basename(name):
        raise CheckpointError(f"path must name a file, got {name!r}")
    target = os.path.realpath(name)
    folder = os.path.dirname(target)
    outcome = "no file was changed"
    try:
        with _folder_to_sync(folder) as sync_folder:
            _remove_leftovers(folder)
            with _temporary(target) as (temporary, file):
                for piece in pieces:
                    _write_all(file.fileno(), piece)
                if sync:
                    os.fsync(file.fileno())
                check(temporary)
                if sys.platform == "win32":  # an open file cannot be renamed there
                    file.close()
                os.replace(temporary, target)
                outcome = "the new file is in place, but may not survive a power loss"
            if sync:
                sync_folder()
    except OSError as error:
        size = sum(len(piece) for piece in pieces)
        reason = error.strerror or str(error)
        message = f"could not save {size} bytes ({reason}); {outcome}"
        raise OSError(error.errno or errno.EIO, message, name) from error


@contextlib.contextmanager
def replacing(path: FilePath) -> Iterator[io.FileIO]:
    """Yield a file to write that takes the place of `path` when the ``with`` block ends well.

    As in `replace_file`: whatever fails before leaves the old file as it was, and nothing else.
    """
    target = os.path.realpath(os.fsdecode(path))
    folder = os.path.dirname(target)
    with _folder_to_sync(folder) as sync_folder:
        _remove_leftovers(folder)
        with _temporary(target) as (temporary, file):
            yield file
            os.fsync(file.fileno())
            if sys.platform == "win32":  # an open file cannot be renamed there
                file.close()
            os.replace(temporary, target)
        sync_folder()


def kind_of(mode: int) -> str:
    """Return what a path is that is not a regular file, from its ``st_mode``, in words."""
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((kind for holds, kind in kinds if holds(mode)), "a device")


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        count = os.write(descriptor, piece[:_WRITE_CHUNK])
        if not count:
            raise OSError(errno.EIO, "the disk takes no more bytes")
        piece = piece[count:]


@contextlib.contextmanager
def _temporary(target: str) -> Iterator[tuple[str, io.FileIO]]:
    """Yield name and file of a new temporary beside the target; remove it if the body fails."""
    before = _status(target)
    # The umask decides the mode of a new file. One that replaces another is opened to others only when
    # its group is known.
    mode = 0o666 if before is None else 0o600
    temporary, file = _locked_temporary(os.path.dirname(target), mode)
    try:
        with file:
            if before is not None and sys.platform != "win32":
                _keep_owner_and_mode(file.fileno(), before)
            yield temporary, file
    except BaseException:  # KeyboardInterrupt too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _status(target: str) -> os.stat_result | None:
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"path must be a regular file, got {kind_of(status.st_mode)}: {target!r}")
    # A rename asks for the right to write the folder only; who made a file read-only means the file.
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only", target)
    return status


def _locked_temporary(folder: str, mode: int) -> tuple[str, io.FileIO]:
    """Create a temporary and lock it: the lock says that its writer lives (see _remove_leftovers)."""

    def create(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    while True:
        # The process is named for people; the rest is unpredictable, and the file must be new ("x").
        temporary = os.path.join(folder, f".clearprop-{os.getpid()}-{os.urandom(8).hex()}.tmp")
        file = open(temporary, "xb", buffering=0, opener=create)  # noqa: SIM115 - _temporary closes it
        try:
            if sys.platform != "win32":
                # A file system without locks is written all the same: nothing is removed there.
                with contextlib.suppress(OSError):
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return temporary, file
            file.close()  # taken for a leftover in the moment before it was locked
        except BaseException:
            file.close()
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def _remove_leftovers(folder: str) -> None:
    """Remove temporaries whose writer is dead, that is, which nobody keeps locked.

    Not by process id: in a container the next run often has the id of the one that was killed, and
    processes of other containers seem dead.
    """
    if sys.platform == "win32":
        return
    with os.scandir(folder) as entries:
        leftovers = [entry.path for entry in entries if _TEMPORARY.fullmatch(entry.name)]
    for leftover in leftovers:
        with contextlib.suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(leftover)
            finally:
                os.close(descriptor)


def _keep_owner_and_mode(descriptor: int, before: os.stat_result) -> None:
    mode = before.st_mode & 0o777
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        except OSError:
            try:
                os.fchown(descriptor, -1, before.st_gid)
            except OSError:  # another group gets no more than everybody
                mode = mode & 0o707 | (mode & 0o007) << 3
    os.fchmod(descriptor, mode)


@contextlib.contextmanager
def _folder_to_sync(folder: str) -> Iterator[Callable[[], None]]:
    """Yield what syncs the folder. It is opened first: after the rename is too late to be refused."""
    if sys.platform == "win32":  # has no such call
        yield lambda: None
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield lambda: os.fsync(descriptor)
    finally:
        os.close(descriptor)
