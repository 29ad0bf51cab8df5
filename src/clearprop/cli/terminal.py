"""Standard output and the terminal behind it: which characters, how wide, and when it goes away."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class Unfailing:
    """A stream whose failures stop nothing: its disk may be full, its reader gone.

    Parameters
    ----------
    stream : text file or None
        What is written to, if anything. Without it, ``print(file=sys.stderr)`` would go to standard
        output, among the results.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.given = stream
        self._stream = open(os.devnull, "w") if stream is None else stream  # noqa: SIM115 - see close

    def write(self, text: str) -> int:
        """Write a text, or do without it."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, as far as that goes."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def close(self) -> None:
        """Close what was opened here."""
        if self.given is None:
            self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare() -> None:
    """Make both streams able to print anything, in ASCII where the locale asks for no more.

    Standard error, where nothing is told that the work depends on, cannot fail from here on.
    """
    plain = _plain_locale()
    for stream in (sys.stdout, sys.stderr):
        if not hasattr(stream, "reconfigure"):
            continue
        if plain:
            stream.reconfigure(encoding="ascii", errors="backslashreplace")
        else:
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stderr, Unfailing):
        sys.stderr = cast(TextIO, Unfailing(sys.stderr))


def _plain_locale() -> bool:
    # Python reads LANG=C as UTF-8 (PEP 538), and says so in LC_CTYPE, which therefore tells nothing.
    # A locale that nobody set is another matter: containers have none, and their terminals do UTF-8.
    named = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return named in ("C", "POSIX")


def is_wide(console: Console) -> bool:
    """Return whether blocks and braille may be printed."""
    return (console.encoding or "").lower().replace("_", "-").startswith("utf")


def console(*, error: bool = False) -> Console:
    """Return what results are printed with: it knows the width, NO_COLOR and dumb terminals."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, markup=False, emoji=False)


def plain(text: object) -> str:
    """Return a text from a file without the control characters that a terminal would obey."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


def number(value: float, figures: int = 4) -> str:
    """Return a number for a reader: so many figures, an exponent only where it would be long."""
    if value != value:
        return "none"
    size = math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
    if not -4 <= size < 12:
        return f"{value:.{figures - 1}e}"
    return f"{value:,.{max(figures - 1 - size, 0)}f}"


def percent(share: float, decimals: int = 1) -> str:
    """Return a share as per cent."""
    return f"{100 * share:.{decimals}f} %"


def print_line(console: Console, line: str) -> None:
    """Print a line of words: on a terminal it is broken between them, in a log it stays one."""
    console.print(plain(line), soft_wrap=not console.is_terminal)


def print_table(console: Console, table: Table) -> None:
    """Print a table without the blanks that would only fill its last column."""
    from rich.text import Text

    for line in console.render_lines(table, pad=False):
        text = Text.assemble(*((part.text, part.style or "") for part in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


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
    if isinstance(sys.stderr, Unfailing):
        unfailing, sys.stderr = sys.stderr, sys.stderr.given
        unfailing.close()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
