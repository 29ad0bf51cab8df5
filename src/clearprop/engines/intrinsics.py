"""What the kernels need and Numba's Python does not say: constants, bit patterns, stretches, atomics.

Each is a few instructions of LLVM, put where it is called; none allocates. ``like`` keeps a constant in
the dtype of the run (a Python float would widen a float32 loop to float64 and halve its speed),
``power_of_two`` builds 2^n from its bits, ``part`` is a slice without what makes slices slow,
``arrive`` and ``arrived`` are the barrier between threads.

With NUMBA_DISABLE_JIT=1 the same names are plain Python, so that the kernels can be stepped through.
"""

from __future__ import annotations

import ctypes
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.core.compiler import Compiler
from numba.extending import intrinsic, overload
from numba.np.arrayobj import populate_array

from clearprop.engines.linking import LinkedCompiler

F = TypeVar("F", bound=Callable[..., Any])
Codegen = Callable[[Any, Any, Any, Any], Any]

INT = ir.IntType(32)
LONG = ir.IntType(64)


def kernel(**how: Any) -> Callable[[F], F]:
    """Return the decorator that compiles a function of the kernels.

    ``error_model="numpy"``: a division by zero gives inf instead of a Python exception, without which
    no loop that divides becomes vector instructions. What only kernels call gets no entry from Python:
    making those would take a third of the compilation.
    """
    how = {
        "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False,
        "pipeline_class": LinkedCompiler, **how,
    }  # fmt: skip
    return njit(error_model="numpy", **how)


def _version_of_sources() -> int:
    folder = Path(__file__).parent
    names = ("intrinsics.py", "linking.py", "products.py")
    sources = [(folder / name).read_bytes() for name in names if (folder / name).exists()]
    return zlib.crc32(b"".join(sources))


def entry(f: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls: cached on disk, and threads may run it side by side.

    Numba compiles again when the function's own file has changed; the name says which version of the
    other files it was made from.
    """
    f.__qualname__ += f"_{_version_of_sources():08x}"
    if config.DISABLE_JIT:
        return np.errstate(all="ignore")(f)  # compiled code never warns
    return kernel(no_cpython_wrapper=False, nogil=True, cache=True, pipeline_class=Compiler)(f)


def lowered(f: Callable[..., Any]) -> Any:
    """Make an intrinsic of the function that types one."""
    return intrinsic(f)


def _for_each_dtype(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of what chooses a function's compiled form by the dtype."""
    # strict would compare the annotations too
    return overload(function, strict=False)


@lowered
def like(typingctx: Any, x: Any, constant: Any) -> tuple[Any, Codegen]:
    """Return the constant in the dtype of x."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[1], constant, x)

    return x(x, constant), codegen


@lowered
def power_of_two(typingctx: Any, shifted: Any) -> tuple[Any, Codegen]:
    """Return 2^n for a float32 that is n + 1.5 * 2^23: its low bits are n, moved to the exponent."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.shl(builder.bitcast(args[0], INT), INT(23))
        return builder.bitcast(builder.add(bits, INT(127 << 23)), ir.FloatType())

    return types.float32(types.float32), codegen


def data_pointer(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    """Return where an array's elements begin."""
    return context.make_array(array_type)(context, builder, array).data


@lowered
def part(typingctx: Any, array: Any, start: Any, size: Any) -> tuple[Any, Codegen]:
    """Return ``array[start : start + size]`` of a flat array, unchecked and not counted as a reference.

    A slice would cost thirty instructions and an atomic increment, for each row of a batch.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = context.cast(builder, args[1], start, types.intp)
        n = context.cast(builder, args[2], size, types.intp)
        itemsize = context.get_constant(
            types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype))
        )
        stretch = context.make_array(array)(context, builder)
        populate_array(
            stretch,
            data=builder.gep(data_pointer(context, builder, array, args[0]), [first]),
            shape=[n],
            strides=[itemsize],
            itemsize=itemsize,
            meminfo=None,
        )
        return stretch._getvalue()

    return array(array, start, size), codegen


@lowered
def prefetch(typingctx: Any, array: Any, start: Any) -> tuple[Any, Codegen]:
    """Ask for the cache line of ``array[start]``, without waiting for it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = context.cast(builder, args[1], start, types.intp)
        pointer = builder.gep(data_pointer(context, builder, array, args[0]), [first])
        place = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, INT, INT, INT])
        name = "llvm.prefetch.p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [place, INT(0), INT(2), INT(1)])  # to read, into the second level, data
        return context.get_dummy_value()

    return types.void(array, start), codegen


@lowered
def arrive(typingctx: Any, counter: Any) -> tuple[Any, Codegen]:
    """Add one to the first element of an int64 array, at once for all threads."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = data_pointer(context, builder, counter, args[0])
        return builder.atomic_rmw("add", place, LONG(1), "seq_cst")

    return types.int64(counter), codegen


@lowered
def arrived(typingctx: Any, counter: Any) -> tuple[Any, Codegen]:
    """Return the first element of an int64 array, as all threads see it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(data_pointer(context, builder, counter, args[0]), "seq_cst", 8)

    return types.int64(counter), codegen


@lowered
def give_way(typingctx: Any, address: Any) -> tuple[Any, Codegen]:
    """Call the operating system's function at `address`, which lets another thread run."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(INT, [])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(address), codegen


# --- exp: float32 by a polynomial that vectorises, float64 by the C library


def exp(x: Any) -> Any:
    """Return e^x in the dtype of x."""
    return np.exp(x)


def exp_both(x: Any) -> Any:
    """Return (e^x, e^x - 1), each to full precision, for x of at most 0."""
    return np.exp(x), np.expm1(x)


def log1p(x: Any) -> Any:
    """Return log(1 + x) for x in [0, 1]."""
    return np.log1p(x)


def normal_cdf(z: Any) -> Any:
    """Return the probability that a standard normal variable is below z."""
    return type(z)(0.5 * math.erfc(-math.sqrt(0.5) * z))


@kernel(fastmath={"contract"})
def _exp_pieces(x: np.float32) -> Any:
    """Return (s1, s2, q) with e^x = s1 s2 (1 + q): x = n log 2 + r, q = e^r - 1, s1 s2 = 2^n.

    Cephes' polynomial. Contraction only: any freer arithmetic would cancel the shift that rounds. 2^n
    is made in two factors because n goes from -150 to 128, further than one exponent.
    """
    x = like(x, 89.0) if x > 89.0 else x  # not min(): a NaN has to stay one
    x = like(x, -104.0) if x < -104.0 else x
    shift = like(x, 12582912.0)  # 1.5 * 2^23: adding it rounds to an integer
    n = (x * like(x, 1.4426950408889634) + shift) - shift
    r = (x - n * like(x, 0.693359375)) + n * like(x, 2.12194440e-4)
    p = like(x, 1.9875691500e-4) * r + like(x, 1.3981999507e-3)
    p = p * r + like(x, 8.3334519073e-3)
    p = p * r + like(x, 4.1665795894e-2)
    p = p * r + like(x, 1.6666665459e-1)
    p = p * r + like(x, 5.0000001201e-1)
    half = (n * like(x, 0.5) + shift) - shift
    return power_of_two(half + shift), power_of_two((n - half) + shift), p * r * r + r


@kernel(fastmath={"contract"})
def _exp32(x: np.float32) -> Any:
    s1, s2, q = _exp_pieces(x)
    return (s1 + s1 * q) * s2


@kernel(fastmath={"contract"})
def _exp_both32(x: np.float32) -> Any:
    s1, s2, q = _exp_pieces(x)
    s = s1 * s2
    return (s1 + s1 * q) * s2, s * q + (s - like(x, 1.0))


@kernel(fastmath={"contract"})
def _log1p32(x: np.float32) -> Any:
    """By log(1 + x) = 2 artanh(x / (2 + x)), whose series converges fast for x in [0, 1]."""
    t = x / (like(x, 2.0) + x)
    u = t * t
    p = like(x, 1 / 13) * u + like(x, 1 / 11)
    p = p * u + like(x, 1 / 9)
    p = p * u + like(x, 1 / 7)
    p = p * u + like(x, 1 / 5)
    p = p * u + like(x, 1 / 3)
    return like(x, 2.0) * (t * u * p + t)


@kernel(fastmath={"contract"})
def _normal_cdf32(z: np.float32) -> Any:
    """By the fit of erfc in Numerical Recipes (erfcc), of relative error 1.2e-7 in exact arithmetic."""
    x = abs(z) * like(z, 0.7071067811865476)
    t = like(z, 1.0) / (like(z, 1.0) + like(z, 0.5) * x)
    p = like(z, 0.17087277) * t + like(z, -0.82215223)
    p = p * t + like(z, 1.48851587)
    p = p * t + like(z, -1.13520398)
    p = p * t + like(z, 0.27886807)
    p = p * t + like(z, -0.18628806)
    p = p * t + like(z, 0.09678418)
    p = p * t + like(z, 0.37409196)
    p = p * t + like(z, 1.00002368)
    p = p * t + like(z, -1.26551223)
    tail = like(z, 0.5) * t * _exp32(like(z, -0.5) * z * z) * _exp32(p)
    return tail if z < 0 else like(z, 1.0) - tail


@_for_each_dtype(exp)
def _exp(x: Any) -> Any:
    return (lambda x: _exp32(x)) if x == types.float32 else (lambda x: math.exp(x))


@_for_each_dtype(exp_both)
def _exp_both(x: Any) -> Any:
    if x == types.float32:
        return lambda x: _exp_both32(x)
    return lambda x: (math.exp(x), math.expm1(x))


@_for_each_dtype(log1p)
def _log1p(x: Any) -> Any:
    return (lambda x: _log1p32(x)) if x == types.float32 else (lambda x: math.log1p(x))


@_for_each_dtype(normal_cdf)
def _normal_cdf(z: Any) -> Any:
    if z == types.float32:
        return lambda z: _normal_cdf32(z)
    return lambda z: 0.5 * math.erfc(-0.7071067811865476 * z)


if config.DISABLE_JIT:

    def like(x: Any, constant: Any) -> Any:
        """As above, in Python."""
        return type(x)(constant)

    def power_of_two(shifted: Any) -> Any:
        """As above, in Python."""
        return np.float32(2.0 ** (float(shifted) - 12582912.0))

    def part(array: Any, start: int, size: int) -> Any:
        """As above, in Python."""
        return array[start : start + size]

    def prefetch(array: Any, start: int) -> None:
        """As above, in Python."""

    def arrive(counter: Any) -> int:
        """As above, in Python: there is one thread."""
        counter[0] += 1
        return int(counter[0])

    def arrived(counter: Any) -> int:
        """As above, in Python."""
        return int(counter[0])

    def give_way(address: int) -> None:
        """As above, in Python."""


def address_of_yield() -> int:
    """Return the address of the system's sched_yield, 0 where threads cannot or must not meet."""
    if config.DISABLE_JIT:
        return 0
    try:
        function = ctypes.CDLL(None).sched_yield
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
