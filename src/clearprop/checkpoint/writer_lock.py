"""One writer for one checkpoint: a lock that dies with its process."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from types import TracebackType

from clearprop.checkpoint.atomic_file import FilePath
from clearprop.checkpoint.errors import CheckpointError

if sys.platform != "win32":
    import fcntl

_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class WriterLock:
    """Keep other runs from writing the same checkpoint, for as long as the ``with`` block lasts.

    The file ``<path>.lock`` is locked with flock and removed at the end. A killed process leaves the
    file but not the lock, so nothing has to be cleaned by hand. Reading needs no lock. Where the file
    system (or Windows) has no such locks, this does nothing.

    Parameters
    ----------
    path : str or path-like
        The checkpoint, which need not exist. Links are followed, so that two names of one file share
        one lock.

    Raises
    ------
    CheckpointError
        On entering, if another run holds the lock; it names its process.
    OSError
        On entering, if the lock file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, WriterLock(folder + "/run.safetensors"):
    ...     os.listdir(folder)
    ['run.safetensors.lock']
    """

    def __init__(self, path: FilePath) -> None:
        self._path = os.fsdecode(path)
        self._lock_path = os.path.realpath(self._path) + ".lock"
        self._descriptor: int | None = None

    def __enter__(self) -> WriterLock:
        """Take the lock."""
        if self._descriptor is not None:
            raise CheckpointError(f"a WriterLock must be entered once at a time: {self._path!r}")
        if sys.platform == "win32":
            return self
        while True:
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            try:
                self._lock(descriptor)
                if self._is_current(descriptor):
                    break
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its owner removed it while we waited to lock it
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the number is only for the message
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        return self

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            digits = os.pread(descriptor, 20, 0).strip()
            owner = f" (pid {int(digits)})" if digits.isdigit() else ""
            raise CheckpointError(f"{self._path!r} is being written by another run{owner}") from None
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._lock_path))
        except FileNotFoundError:
            return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go of the lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):  # before the lock is let go: later the file may be another's
            os.unlink(self._lock_path)
        os.close(descriptor)
