"""What the kernels need and Python does not say: constants of a dtype, polynomials, stretches, atomics.

Each function is given twice: as Python, which is what it means and what runs when a kernel is stepped
through, and as a few instructions of LLVM, put where it is called. None allocates. ``like`` keeps a
constant in the dtype of the run (a Python float would widen a float32 loop to float64 and halve its
speed), ``by_width`` chooses one, ``power_of_two`` builds one from its bits, ``part`` is a slice,
``arrive`` and ``arrived`` are the barrier between threads.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.engines import llvm, own
from clearprop.engines.language import (
    FLOAT32,
    INT,
    NOTHING,
    Emitted,
    Kernel,
    Value,
    split,
)

if TYPE_CHECKING:
    from clearprop.engines.translation import Writer


def kernel(fastmath: frozenset[str] | set[str] = frozenset()) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of what is translated to LLVM's language, with its fast-math flags."""
    return lambda function: Kernel(function, tuple(fastmath))


def written_by(emit: Callable[..., Value]) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of a function whose LLVM code is written by another."""
    return lambda function: Emitted(function, emit)


def _write_like(w: Writer, x: Value, constant: Value) -> Value:
    return w.cast(constant, x.type)


@written_by(_write_like)
def like(x: Any, constant: Any) -> Any:
    """Return the constant in the dtype of x."""
    return type(x)(constant)


def _write_by_width(w: Writer, x: Value, for32: Value, for64: Value) -> Value:
    return w.cast(for32 if x.type == FLOAT32 else for64, x.type)


@written_by(_write_by_width)
def by_width(x: Any, for32: Any, for64: Any) -> Any:
    """Return the constant that belongs to the dtype of x, in that."""
    return type(x)(for32 if isinstance(x, np.float32) else for64)


def _write_polynomial(w: Writer, x: Value, for32: Value, for64: Value) -> Value:
    first, *others = split(for32 if x.type == FLOAT32 else for64)
    total = w.cast(first, x.type).one
    for each in others:
        total = w.builder.fmul(total, x.one, flags=w.flags)
        total = w.builder.fadd(total, w.cast(each, x.type).one, flags=w.flags)
    return Value(x.type, (total,))


@written_by(_write_polynomial)
def polynomial(x: Any, for32: tuple[float, ...], for64: tuple[float, ...]) -> Any:
    """Return a polynomial's value by Horner's rule; the highest power's coefficient comes first."""
    total = type(x)(0)
    for each in for32 if isinstance(x, np.float32) else for64:
        total = total * x + type(x)(each)
    return total


def _write_power_of_two(w: Writer, shifted: Value, up: Value) -> Value:
    b, x = w.builder, shifted.one
    word, digits, bias = (llvm.I32, 23, 127) if shifted.type == FLOAT32 else (llvm.I64, 52, 1023)
    bits = b.shl(b.bitcast(x, word), word(digits))
    bias += up.one.constant
    return Value(shifted.type, (b.bitcast(b.add(bits, word(bias << digits)), x.type),))


@written_by(_write_power_of_two)
def power_of_two(shifted: Any, up: int) -> Any:
    """Return 2^(n + up) for a number that is n + 1.5 * 2^23 (float32) or 2^52: n moves to the exponent.

    `up` is a constant.
    """
    n = float(shifted - by_width(shifted, 1.5 * 2.0**23, 1.5 * 2.0**52))
    return type(shifted)(2.0 ** (n + up))


def _write_part(w: Writer, array: Value, start: Value, size: Value) -> Value:
    first, n = w.cast(start, INT).one, w.cast(size, INT).one
    return Value(array.type, (w.builder.gep(array.parts[0], [first], inbounds=True), n))


@written_by(_write_part)
def part(array: Any, start: int, size: int) -> Any:
    """Return ``array[start : start + size]`` of a flat array, unchecked."""
    return array[start : start + size]


def _write_prefetch(w: Writer, array: Value, start: Value) -> Value:
    place = w.builder.gep(array.parts[0], [w.cast(start, INT).one])
    place = w.builder.bitcast(place, llvm.I8.as_pointer())
    kind = llvm.ir.FunctionType(llvm.ir.VoidType(), [place.type, llvm.I32, llvm.I32, llvm.I32])
    name = "llvm.prefetch.p0"
    function = w.module.globals.get(name) or llvm.ir.Function(w.module, kind, name)
    w.builder.call(
        function, [place, llvm.I32(0), llvm.I32(3), llvm.I32(1)]
    )  # to read, into the first level, data
    return Value(NOTHING, ())


@written_by(_write_prefetch)
def prefetch(array: Any, start: int) -> None:
    """Ask for the cache line of ``array[start]``, without waiting for it."""


def _write_arrive(w: Writer, counter: Value) -> Value:
    return Value(INT, (w.builder.atomic_rmw("add", counter.parts[0], llvm.I64(1), "seq_cst"),))


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
    function = llvm.ir.FunctionType(llvm.I32, [])
    w.builder.call(w.builder.inttoptr(address.one, function.as_pointer()), [])
    return Value(NOTHING, ())


@written_by(_write_give_way)
def give_way(address: int) -> None:
    """Call the operating system's function at `address`, which lets another thread run."""


def _write_call_own(w: Writer, address: Value, a: Value, slope: Value) -> Value:
    pointer, size = a.parts
    kind = llvm.ir.FunctionType(llvm.ir.VoidType(), [pointer.type, pointer.type, llvm.I64])
    own = w.builder.inttoptr(address.one, kind.as_pointer())
    w.builder.call(own, [pointer, slope.parts[0], size])
    return Value(NOTHING, ())


@written_by(_write_call_own)
def call_own(address: int, a: Any, slope: Any) -> None:
    """Call the function at `address`, which puts f(z) where z is in `a`, and f'(z) into `slope`."""
    own.apply(address, a, slope)


def _write_call_own_cost(w: Writer, address: Value, first: Value, end: Value) -> Value:
    kind = llvm.ir.FunctionType(llvm.ir.VoidType(), [llvm.I64, llvm.I64])
    function = w.builder.inttoptr(address.one, kind.as_pointer())
    w.builder.call(function, [first.one, end.one])
    return Value(NOTHING, ())


@written_by(_write_call_own_cost)
def call_own_cost(address: int, first: int, end: int) -> None:
    """Call the function at `address`, which knows where the samples `first` to `end` are."""
    own.OF_COST(address)(first, end)


def address_of_yield() -> int:
    """Return the address of the system's sched_yield, 0 where threads cannot meet."""
    try:
        function = ctypes.CDLL(None).sched_yield
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
