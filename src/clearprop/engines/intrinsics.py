"""What the kernels need and Python does not say: constants of a dtype, stretches, atomics, fast exp.

Each function is given twice: as Python, which is what it means and what runs when a kernel is stepped
through, and as a few instructions of LLVM, put where it is called. None allocates. ``like`` keeps a
constant in the dtype of the run (a Python float would widen a float32 loop to float64 and halve its
speed), ``power_of_two`` builds 2^n from its bits, ``part`` is a slice, ``arrive`` and ``arrived`` are
the barrier between threads.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from clearprop.engines import own
from clearprop.engines.language import (
    FLOAT32,
    FLOAT64,
    I8,
    I32,
    I64,
    INT,
    NOTHING,
    Choice,
    Emitted,
    Kernel,
    Value,
)
from clearprop.engines.translation import Writer


def kernel(fastmath: frozenset[str] | set[str] = frozenset()) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of what is translated to LLVM's language, with its fast-math flags."""
    return lambda function: Kernel(function, tuple(fastmath))


def written_by(emit: Callable[..., Value]) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of a function whose LLVM code is written by another."""
    return lambda function: Emitted(function, emit)


def for_each_dtype(float32: Kernel, float64: Kernel) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of a function that is another kernel in each dtype."""
    return lambda function: Choice(function, {FLOAT32: float32, FLOAT64: float64})


def _write_like(w: Writer, x: Value, constant: Value) -> Value:
    return w.cast(constant, x.type)


@written_by(_write_like)
def like(x: Any, constant: Any) -> Any:
    """Return the constant in the dtype of x."""
    return type(x)(constant)


def _write_power_of_two(w: Writer, shifted: Value) -> Value:
    b = w.builder
    bits = b.shl(b.bitcast(shifted.one, I32), I32(23))
    return Value(FLOAT32, (b.bitcast(b.add(bits, I32(127 << 23)), ir.FloatType()),))


@written_by(_write_power_of_two)
def power_of_two(shifted: Any) -> Any:
    """Return 2^n for a float32 that is n + 1.5 * 2^23: its low bits are n, moved to the exponent."""
    return np.float32(2.0 ** (float(shifted) - 12582912.0))


def _write_part(w: Writer, array: Value, start: Value, size: Value) -> Value:
    first, n = w.cast(start, INT).one, w.cast(size, INT).one
    return Value(array.type, (w.builder.gep(array.parts[0], [first], inbounds=True), n))


@written_by(_write_part)
def part(array: Any, start: int, size: int) -> Any:
    """Return ``array[start : start + size]`` of a flat array, unchecked."""
    return array[start : start + size]


def _write_prefetch(w: Writer, array: Value, start: Value) -> Value:
    place = w.builder.gep(array.parts[0], [w.cast(start, INT).one])
    place = w.builder.bitcast(place, I8.as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [place.type, I32, I32, I32])
    name = "llvm.prefetch.p0"
    function = w.module.globals.get(name) or ir.Function(w.module, kind, name)
    w.builder.call(function, [place, I32(0), I32(2), I32(1)])  # to read, into the second level, data
    return Value(NOTHING, ())


@written_by(_write_prefetch)
def prefetch(array: Any, start: int) -> None:
    """Ask for the cache line of ``array[start]``, without waiting for it."""


def _write_arrive(w: Writer, counter: Value) -> Value:
    return Value(INT, (w.builder.atomic_rmw("add", counter.parts[0], I64(1), "seq_cst"),))


@written_by(_write_arrive)
def arrive(counter: Any) -> int:
    """Add one to the first element of an int64 array, at once for all threads; return what it was."""
    counter[0] += 1
    return int(counter[0]) - 1


def _write_arrived(w: Writer, counter: Value) -> Value:
    return Value(INT, (w.builder.load_atomic(counter.parts[0], "seq_cst", 8),))


@written_by(_write_arrived)
def arrived(counter: Any) -> int:
    """Return the first element of an int64 array, as all threads see it."""
    return int(counter[0])


def _write_give_way(w: Writer, address: Value) -> Value:
    function = ir.FunctionType(I32, [])
    w.builder.call(w.builder.inttoptr(address.one, function.as_pointer()), [])
    return Value(NOTHING, ())


@written_by(_write_give_way)
def give_way(address: int) -> None:
    """Call the operating system's function at `address`, which lets another thread run."""


def _write_call_own(w: Writer, address: Value, a: Value, slope: Value) -> Value:
    pointer, size = a.parts
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, pointer.type, I64])
    own = w.builder.inttoptr(address.one, kind.as_pointer())
    w.builder.call(own, [pointer, slope.parts[0], size])
    return Value(NOTHING, ())


@written_by(_write_call_own)
def call_own(address: int, a: Any, slope: Any) -> None:
    """Call the function at `address`, which puts f(z) where z is in `a`, and f'(z) into `slope`."""
    own.apply(address, a, slope)


# --- exp: float32 by a polynomial that vectorises, float64 by the C library


@kernel({"contract"})
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


@kernel({"contract"})
def _exp32(x: np.float32) -> Any:
    s1, s2, q = _exp_pieces(x)
    return (s1 + s1 * q) * s2


@kernel({"contract"})
def _exp_both32(x: np.float32) -> Any:
    s1, s2, q = _exp_pieces(x)
    s = s1 * s2
    return (s1 + s1 * q) * s2, s * q + (s - like(x, 1.0))


@kernel({"contract"})
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


@kernel({"contract"})
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


@kernel()
def _exp64(x: Any) -> Any:
    return math.exp(x)


@kernel()
def _exp_both64(x: Any) -> Any:
    return math.exp(x), math.expm1(x)


@kernel()
def _log1p64(x: Any) -> Any:
    return math.log1p(x)


@kernel()
def _normal_cdf64(z: Any) -> Any:
    return 0.5 * math.erfc(-0.7071067811865476 * z)


@for_each_dtype(_exp32, _exp64)
def exp(x: Any) -> Any:
    """Return e^x in the dtype of x."""
    return np.exp(x)


@for_each_dtype(_exp_both32, _exp_both64)
def exp_both(x: Any) -> Any:
    """Return (e^x, e^x - 1), each to full precision, for x of at most 0."""
    return np.exp(x), np.expm1(x)


@for_each_dtype(_log1p32, _log1p64)
def log1p(x: Any) -> Any:
    """Return log(1 + x) for x in [0, 1]."""
    return np.log1p(x)


@for_each_dtype(_normal_cdf32, _normal_cdf64)
def normal_cdf(z: Any) -> Any:
    """Return the probability that a standard normal variable is below z."""
    return type(z)(0.5 * math.erfc(-math.sqrt(0.5) * z))


def address_of_yield() -> int:
    """Return the address of the system's sched_yield, 0 where threads cannot meet."""
    try:
        function = ctypes.CDLL(None).sched_yield
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
