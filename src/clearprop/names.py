"""Names that users type, looked up in closed tables."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def known_name(argument: str, name: object, known: Iterable[object]) -> str:
    """Return `name` if it is one of the `known` ones; otherwise say which there are.

    Raises
    ------
    ValueError
        If it is not, with the nearest known name.
    """
    names = [str(each) for each in known]
    if isinstance(name, str) and name in names:
        return name
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{argument} must be one of {', '.join(names)}, got {name!r}{hint}")
