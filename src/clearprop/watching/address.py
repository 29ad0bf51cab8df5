"""Where a page is served: a port of this machine alone, and a token that nobody else knows."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import os
import secrets
import socket
import stat
import webbrowser
from pathlib import Path

from clearprop.names import integer

HOST = "127.0.0.1"
_SENT = 1 << 16  # bytes that the system keeps for a client that does not read
_KEY_BYTES = 32


def check_port(port: int | None) -> int:
    """Return a port, 0 for any that is free.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    if port is None:
        return 0
    number = integer("port", port, 1)
    if number > 65535:
        raise ValueError(f"port must be in 1 to 65535, got {number}")
    return number


def listen(port: int, host: str = HOST) -> socket.socket:
    """Return a socket that listens on a port of an interface, the loopback one; 0 is any that is free.

    Raises
    ------
    ValueError
        If the port is taken, or not for this user.
    """
    # asyncio sets TCP_NODELAY where the protocol is named: without, an answer in two parts took 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of one that was killed
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT)
        listening.bind((host, port))
        listening.listen()
    except OSError as problem:
        listening.close()
        if problem.errno == errno.EADDRINUSE:
            why = "which another program has"
        elif problem.errno == errno.EACCES:
            why = "which this user may not take"
        else:
            raise
        raise ValueError(f"port must be one that is free, got {port}, {why}") from None
    return listening


def token_for(port: int) -> str:
    """Return a token: of a port that was asked for always the same, otherwise a new one.

    With the same address a page goes on when a run that was killed is back. What it is made of lies in
    a file that only this user can read; where it cannot, the token is a new one too.
    """
    key = _key() if port else None
    if key is None:
        return secrets.token_urlsafe(32)
    return hmac.new(key, f"clearprop port {port}".encode(), hashlib.sha256).hexdigest()


def _key() -> bytes | None:
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    path = Path(base) / "clearprop" / "key"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            found, key = os.fstat(file.fileno()), file.read(_KEY_BYTES + 1)
    except OSError:
        return None
    user = getattr(os, "getuid", lambda: found.st_uid)()
    is_own = found.st_uid == user and not stat.S_IMODE(found.st_mode) & 0o077
    return key if is_own and len(key) == _KEY_BYTES else None


def open_browser(url: str) -> bool:
    """Open an address in a browser with a window; return whether there is one.

    One for the terminal would take it from the training.
    """
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    return type(found) is not webbrowser.GenericBrowser and found.open(url)
