"""Standard output and the terminal behind it: which characters, how wide, and when it goes away."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def prepare() -> None:
    """Make both streams able to print anything, in ASCII where the locale asks for no more."""
    plain = _plain_locale()
    for stream in (sys.stdout, sys.stderr):
        if not hasattr(stream, "reconfigure"):
            continue
        if plain:
            stream.reconfigure(encoding="ascii", errors="backslashreplace")
        else:
            stream.reconfigure(errors="backslashreplace")


def _plain_locale() -> bool:
    # Python reads LANG=C as UTF-8 (PEP 538), and says so in LC_CTYPE, which therefore tells nothing.
    # A locale that nobody set is another matter: containers have none, and their terminals do UTF-8.
    named = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return named in ("C", "POSIX")


def is_wide(console: Console) -> bool:
    """Return whether blocks and braille may be printed."""
    return (console.encoding or "").lower().replace("_", "-").startswith("utf")


def console() -> Console:
    """Return what results are printed with: it knows the width, NO_COLOR and dumb terminals."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def plain(text: object) -> str:
    """Return a text from a file without the control characters that a terminal would obey."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; numbers that JSON does not have become null."""
    import json

    print(json.dumps(_strict(value), indent=2, allow_nan=False))


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value


def let_go() -> None:
    """Keep the interpreter from complaining about a reader that has gone, when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
