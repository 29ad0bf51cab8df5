"""A class's signature is what Python says it is, also where ``__new__`` sees the arguments first."""

from __future__ import annotations

import inspect

from sphinx.application import Sphinx


def signature(app: Sphinx, what: str, name: str, thing: object, *_: object) -> tuple[str, str] | None:
    """Return the arguments of a class that autodoc took from ``__new__``."""
    if what not in ("class", "exception") or "__new__" not in _names(thing):
        return None
    said = inspect.signature(thing)
    bare = [each.replace(annotation=each.empty) for each in said.parameters.values()]
    return str(said.replace(parameters=bare, return_annotation=said.empty)), ""


def _names(kind: type) -> set[str]:
    ours = (each for each in kind.__mro__ if each.__module__.startswith("clearprop"))
    return {name for each in ours for name in vars(each)}


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True}
