"""What kernels may call that is Python's or NumPy's, and the LLVM code that it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from clearprop.engines.language import BOOL, FLOAT32, FLOAT64, INT, WORD, Scalar, Value

if TYPE_CHECKING:
    from clearprop.engines.translation import Writer


def _of_llvm(name: str) -> Callable[..., Value]:
    def emit(w: Writer, *values: Value) -> Value:
        kind = FLOAT32 if all(each.type == FLOAT32 for each in values) else FLOAT64
        suffix = "f32" if kind == FLOAT32 else "f64"
        return w.call(f"llvm.{name}.{suffix}", *(w.cast(each, kind) for each in values))

    return emit


def _smaller_or_larger(sign: str) -> Callable[..., Value]:
    def emit(w: Writer, a: Value, b: Value) -> Value:
        x, y = w.cast(a, INT).one, w.cast(b, INT).one
        return Value(INT, (w.builder.select(w.builder.icmp_signed(sign, x, y), x, y),))

    return emit


def _to(kind: Scalar) -> Callable[..., Value]:
    return lambda w, x: w.cast(x, kind)


def _is_finite(w: Writer, x: Value) -> Value:
    infinity = ir.Constant(x.type.ir, math.inf)  # type: ignore[union-attr]
    size = _of_llvm("fabs")(w, x)
    return Value(BOOL, (w.builder.fcmp_ordered("<", size.one, infinity),))


def _sign(w: Writer, x: Value) -> Value:
    b, kind = w.builder, x.type.ir  # type: ignore[union-attr]
    zero, one, minus = (ir.Constant(kind, number) for number in (0.0, 1.0, -1.0))
    below = b.select(b.fcmp_ordered("<", x.one, zero), minus, x.one)
    return Value(x.type, (b.select(b.fcmp_ordered(">", x.one, zero), one, below),))


BUILT_IN: dict[Any, Callable[..., Value]] = {
    abs: _of_llvm("fabs"), math.sqrt: _of_llvm("sqrt"), math.log: _of_llvm("log"),
    math.pow: _of_llvm("pow"), math.copysign: _of_llvm("copysign"), math.isfinite: _is_finite,
    np.sign: _sign, min: _smaller_or_larger("<"), max: _smaller_or_larger(">"),
    np.uint64: _to(WORD), np.float64: _to(FLOAT64), int: _to(INT),
}  # fmt: skip
