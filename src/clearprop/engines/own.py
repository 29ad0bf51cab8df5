"""A user's own activation, compiled by Numba where it can be, and a user's own cost, which is called.

An activation's function and derivative become one C function, whose address stands beside the code of
the built-in ones: the kernels are not compiled again. What Numba makes of it has to agree with the
Python functions on a grid; otherwise, or where Numba cannot compile it or is not installed (it is the
extra ``clearprop[jit]``), the reference trains the network, and says so.

A cost is called from the machine code with NumPy's arrays, once for a batch: some microseconds, while
Numba takes seconds to compile a sum over columns.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import types
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from clearprop import forks
from clearprop.activations import Activation, Array
from clearprop.costs import Cost
from clearprop.engines.announcement import announce

_Made = tuple[int, Any]  # its address, and what holds the machine code
OF_COST = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)
_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
_TOLERANCE = {"f": 1e-6, "d": 1e-12}
# Both compute in float64, but a tanh may end in another bit, and 1 - tanh(z)**2 leaves little else.
_ROUNDING = 1e-12
# By its two functions, as long as both live: a table of layers holds nothing but the address, and its
# architecture holds them.
_MADE: dict[tuple[int, int], dict[str, _Made] | None] = {}


def address_of(activation: Activation, dtype: np.dtype[Any]) -> int | None:
    """Return the address of ``void(a, slope, n)``, which puts f(z) over z and f'(z) into slope.

    None where Numba cannot compile it.
    """
    key = _key(activation)
    with forks.LOCK:
        if key not in _MADE:
            _MADE[key] = _compile(activation)
            for function in (activation.function, activation.derivative):
                with contextlib.suppress(TypeError):  # NumPy's own: they live for good
                    weakref.finalize(function, _MADE.pop, key, None).atexit = False
        made = _MADE[key]
    return None if made is None else made[dtype.char][0]


def is_compiled(activation: Activation) -> bool:
    """Return whether an activation was compiled already: it takes a second."""
    return _MADE.get(_key(activation)) is not None


def why_not(activation: Activation, layer: int) -> str:
    """Return why an activation of the user's own has no machine code."""
    if _numba_is_there():
        return f"Numba cannot compile activation {activation.name!r} of layer {layer}"
    return (
        f"activation {activation.name!r} of layer {layer} is your own, and Numba, which would compile "
        "it, is not installed (pip install 'clearprop[jit]')"
    )


def _numba_is_there() -> bool:
    return importlib.util.find_spec("numba") is not None


def _key(activation: Activation) -> tuple[int, int]:
    return id(activation.function), id(activation.derivative)


def _compile(activation: Activation) -> dict[str, _Made] | None:
    """Return a C function for each dtype; both compute in float64, so f and f' are compiled once."""
    if not _numba_is_there():
        return None
    announce(f"activation {activation.name!r}")
    import numba
    from numba import types as kinds

    def both(a: Any, slope: Any, n: int) -> None:
        for i in range(n):
            z = np.float64(a[i])
            a[i] = f(z)
            slope[i] = slope_of(z)

    made: dict[str, _Made] = {}
    with warnings.catch_warnings(), _let_go_of_passes():
        warnings.simplefilter("ignore")
        try:
            f, slope_of = _jitted(activation.function), _jitted(activation.derivative)
            for char, number in (("d", kinds.float64), ("f", kinds.float32)):
                signature = kinds.void(kinds.CPointer(number), kinds.CPointer(number), kinds.intp)
                compiled = numba.cfunc(signature, error_model="numpy")(both)
                # Without `compiled`, which holds the two functions, so that they would never go.
                made[char] = compiled.address, compiled._library
        except Exception:  # whatever Numba raises: it is the reference's turn
            return None
    return made if all(_agrees(activation, np.dtype(c), made[c][0]) for c in made) else None


@contextlib.contextmanager
def _let_go_of_passes() -> Iterator[None]:
    """Let LLVM's pass managers be freed, of which Numba makes dozens for a function, 30 KiB each.

    llvmlite's inherit an empty method before the one that does it.
    """
    from llvmlite.binding import ffi
    from llvmlite.binding import newpassmanagers as passes

    kinds = (passes.ModulePassManager, passes.FunctionPassManager)
    broken = [each for each in kinds if each._dispose is ffi.ObjectRef._dispose]
    for each in broken:
        each._dispose = passes.NewPassManager._dispose
    try:
        yield
    finally:
        for each in broken:
            del each._dispose


def _jitted(function: Callable[..., Any]) -> Any:
    import numba

    plain = isinstance(function, types.FunctionType)  # a ufunc is one that Numba knows, or not
    return numba.njit(error_model="numpy")(function) if plain else function


def _agrees(activation: Activation, dtype: np.dtype[Any], address: int) -> bool:
    """Return whether the compiled function is the Python one, on a grid that hits no common kink."""
    z = np.concatenate([np.arange(-6.0, 6.0, 0.0917), [-30.03, -15.17, 15.17, 30.03]]).astype(dtype)
    a, slope = z.copy(), np.empty_like(z)
    apply(address, a, slope)
    wide = z.astype(np.float64)
    with np.errstate(all="ignore"):
        wanted = activation(wide), activation.slope(wide)
    return all(
        np.allclose(got, right, rtol=_TOLERANCE[dtype.char], atol=_ROUNDING, equal_nan=True)
        for got, right in zip((a, slope), wanted, strict=True)
    )


def apply(address: int, a: Any, slope: Any) -> None:
    """Call the function at an address."""
    _SIGNATURE(address)(a.ctypes.data, slope.ctypes.data, a.size)


class CostOfSamples:
    """What the machine code calls for the costs of samples `first` to `end` of a batch.

    Parameters
    ----------
    cost, output : Cost, Activation
    outputs : ndarray of shape (n_samples, n_outputs)
    errors : ndarray of shape (n_samples, n_outputs)
        Holds the targets when it is called, and dC/da afterwards.
    costs : ndarray of shape (at least n_samples,)
    """

    def __init__(
        self, cost: Cost, output: Activation, outputs: Array, errors: Array, costs: Array
    ) -> None:
        self.raised: list[BaseException] = []
        raised = self.raised  # without `self`, which would keep the workspace until the next collection

        def call(first: int, end: int) -> None:
            a, y = outputs[first:end], errors[first:end]
            try:
                costs[first:end] = cost.of_samples(output, a, a, y)
                y[:] = cost.error(output, a, y)
            except BaseException as problem:  # the machine code knows none, but stops at a NaN
                raised.append(problem)
                costs[first:end] = np.nan

        self._function = OF_COST(call)  # kept: the address belongs to it
        # Not by ctypes.cast, which makes the function refer to itself.
        self.address: int = ctypes.c_void_p.from_buffer(self._function).value or 0

    def raise_what_it_raised(self) -> None:
        """Raise an error of the user's own functions where a caller can see it."""
        if self.raised:
            first = self.raised[0]
            self.raised.clear()
            raise first
