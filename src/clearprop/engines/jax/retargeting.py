"""A NumPy function's own code, with jax.numpy in NumPy's place.

A row of the tables of activations and costs, and a user's own, is written once, for NumPy. JAX has the
same functions under the same names, so the code itself is run again, in a copy that finds them: no
formula is written twice, and a row that is added is there too.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy
import jax.scipy.special
import numpy as np

_MODULES = {"numpy": jax.numpy, "scipy.special": jax.scipy.special}


def for_jax(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that computes with JAX what this one computes with NumPy.

    What it calls is replaced too, as deep as it is written in Python. What changes an array in place,
    or asks for one of its values, JAX refuses when it is traced.
    """
    made: Callable[..., Any] = _replaced(function, {})
    return made


def _replaced(thing: Any, made: dict[int, Any]) -> Any:
    """Return JAX's in place of a module or a function of NumPy's, of others a copy that finds it."""
    if isinstance(thing, types.ModuleType):
        return _MODULES.get(thing.__name__, thing)
    if isinstance(thing, np.ufunc) or str(getattr(thing, "__module__", "")).startswith("numpy"):
        return _of_same_name(thing)
    if isinstance(thing, functools.partial):
        return functools.partial(_replaced(thing.func, made), *thing.args, **thing.keywords)
    plain = inspect.unwrap(thing) if callable(thing) else thing  # np.errstate wraps what it is put on
    if not isinstance(plain, types.FunctionType):
        return thing
    if id(plain) not in made:
        _copy(plain, made)
    return made[id(plain)]


def _of_same_name(thing: Any) -> Any:
    name = getattr(thing, "__name__", "")
    for module in _MODULES.values():
        if callable(thing) and hasattr(module, name):
            return getattr(module, name)
    return thing


def _copy(function: types.FunctionType, made: dict[int, Any]) -> None:
    """Put a copy of a function into `made`, before what it calls is looked at: that may be itself."""
    found: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": _imported}}
    cells = tuple(types.CellType() for _ in function.__closure__ or ())
    copy = types.FunctionType(function.__code__, found, function.__name__, function.__defaults__, cells)
    copy.__kwdefaults__ = function.__kwdefaults__
    made[id(function)] = copy
    for name in _names(function.__code__):
        if name in function.__globals__:
            found[name] = _replaced(function.__globals__[name], made)
    for its, cell in zip(function.__closure__ or (), cells, strict=True):
        cell.cell_contents = _replaced(its.cell_contents, made)


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function looks up outside of itself, and those of functions in it."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _names(each)


def _imported(name: str, *how: Any) -> Any:
    """Import what a function imports itself: JAX's, where there is one."""
    return _MODULES.get(name) or builtins.__import__(name, *how)
