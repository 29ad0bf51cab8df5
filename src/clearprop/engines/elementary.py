"""exp, log(1 + x), the normal distribution and the circle, as loops that LLVM turns into vector code.

The C library's functions are called element by element; these are a few dozen multiplications and
additions without a branch, ten times as fast. Each is described once for both widths, which differ in
constants and in how many coefficients they need. NaN stays NaN, and beyond the range results are 0 or
infinite, as they are in the C library.

Largest errors, in units in the last place, over the whole range (tests/engines/test_elementary.py):

    =============  =======  =======
    function       float32  float64
    =============  =======  =======
    exp                1.0      1.1
    exp_both[1]        0.8      1.0
    log1p              1.0      1.0
    normal[0]          5.0      5.0
    normal[1]          2.0      2.2
    turned[0]          2.0      2.0
    turned[1]          2.0      2.0
    =============  =======  =======

Coefficients, from the highest power down, are minimax fits (Remez' exchange, in 50 digits); those of
exp in float32 are Cephes'. Contraction to fused multiply-adds is allowed, nothing freer: that would
cancel the shifts by which numbers are rounded.
"""

from __future__ import annotations

from typing import Any

from clearprop.engines.intrinsics import by_width, kernel, like, polynomial, power_of_two

# (cos x - 1) / x^2 and (sin x / x - 1) / x^2 by x^2, for |x| up to pi / 4: Taylor's
_COS64 = (
    1 / 20922789888000, -1 / 87178291200, 1 / 479001600, -1 / 3628800, 1 / 40320, -1 / 720, 1 / 24,
    -1 / 2,
)  # fmt: skip
_SIN64 = (
    -1 / 1307674368000, 1 / 6227020800, -1 / 39916800, 1 / 362880, -1 / 5040, 1 / 120, -1 / 6,
)  # fmt: skip
_COS32, _SIN32 = _COS64[-5:], _SIN64[-4:]
DOWN = 64  # 2^-150, the smallest float32's half, times 2^64 is no subnormal number; nor is 2^-1075
BACK = 2.0**-DOWN
# (e^r - 1 - r) / r^2 for |r| up to log(2) / 2
_EXP32 = (
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1,
)  # fmt: skip
_EXP64 = (
    2.5110049895858716e-08, 2.7620090518499427e-07, 2.7557242336680357e-06, 2.4801521290973345e-05,
    0.00019841269886591, 0.0013888888917217457, 0.008333333333322207, 0.04166666666662412,
    0.16666666666666674, 0.5000000000000001,
)  # fmt: skip
# 2 (artanh(t) / t - 1) / t^2 by u = t^2 up to 1/9
_LOG32 = (0.232537718, 0.217000542, 0.285928088, 0.399996964, 0.666666674)
_LOG64 = (
    0.16187568204346658, 0.0878899499175466, 0.12003515181263912, 0.13313870355685645,
    0.15385587955558622, 0.18181788749832642, 0.22222222732209662, 0.2857142856694937,
    0.40000000000015246, 0.6666666666666666,
)  # fmt: skip
# (4 + x) P(Z > x) e^(x^2 / 2) by (4 - x) / (4 + x), for x from 0 to where P is no number any more
_TAIL32 = (
    0.000131967438, 0.000179359964, -0.0015699178, -0.0035125633, 0.00752527029, 0.0604038351,
    0.186523441, 0.387136901, 0.607896588, 0.755285135,
)  # fmt: skip
TAIL64 = (
    -1.1967220997956608e-09, 3.396684158245332e-10, 1.4619188447949004e-08, -1.6071402732431184e-08,
    -7.72098299983258e-08, 1.5659532604829358e-07, 2.6415322380408693e-07, -1.0218599564387213e-06,
    -6.252272469444701e-07, 5.920012738103546e-06, 7.149749521477605e-07, -3.514457018011592e-05,
    -1.907843818731559e-06, 0.00023109490382789945, 0.00013334424850120052, -0.0016308184532944734,
    -0.0034796923616053676, 0.0075401889664361435, 0.06039657489066625, 0.1865218579596654,
    0.3871374007422195, 0.6078966419718921, 0.7552851304157515,
)  # fmt: skip


@kernel({"contract"})
def _pieces(x: Any, low: Any) -> Any:
    """Return (n + shift, q) with e^(x - low) = 2^n (1 + q); `low` is what x has no digits for.

    x = n log 2 + r and q = e^r - 1. Adding the shift, 1.5 * 2^23 or 52, rounds to whole numbers.
    """
    shift = by_width(x, 12582912.0, 6755399441055744.0)
    shifted = x * like(x, 1.4426950408889634) + shift
    n = shifted - shift
    r = x - n * by_width(x, 0.693359375, 0.693147180369123816490)  # log 2: exact in products with n
    r = (r - n * by_width(x, -2.12194440e-4, 1.90821492927058770002e-10)) - low
    return shifted, polynomial(r, _EXP32, _EXP64) * (r * r) + r


@kernel({"contract"})
def exp(x: Any) -> Any:
    """Return e^x in the dtype of x.

    2^n is made in two factors: n goes further than one exponent, to the smallest numbers and just above
    the largest.
    """
    highest, lowest = by_width(x, 89.0, 710.0), by_width(x, -104.0, -746.0)
    x = highest if x > highest else x  # not min(): a NaN has to stay one
    x = lowest if x < lowest else x
    shifted, q = _pieces(x, like(x, 0.0))
    shift = by_width(x, 12582912.0, 6755399441055744.0)
    n = shifted - shift
    half = (n * like(x, 0.5) + shift) - shift
    s1, s2 = power_of_two(half + shift, 0), power_of_two((n - half) + shift, 0)
    return (s1 + s1 * q) * s2


@kernel({"contract"})
def _falling(x: Any, low: Any) -> Any:
    """Return (s, q) with e^(x - low) = s (1 + q) 2^-DOWN, for x of at most 0.

    However small e^x is, s is no subnormal number: all digits of s (1 + q) are there.
    """
    lowest = by_width(x, -104.0, -746.0)
    x = lowest if x < lowest else x  # not max(): a NaN has to stay one
    shifted, q = _pieces(x, low)
    return power_of_two(shifted, DOWN), q


@kernel({"contract"})
def exp_falling(x: Any) -> Any:
    """Return e^x for x of at most 0: three quarters of the work of `exp`."""
    s, q = _falling(x, like(x, 0.0))
    return (s + s * q) * like(x, BACK)


@kernel({"contract"})
def exp_both(x: Any) -> Any:
    """Return (e^x, e^x - 1), each to full precision, for x of at most 0."""
    s, q = _falling(x, like(x, 0.0))
    down = like(x, BACK)
    whole = s * down
    return (s + s * q) * down, whole * q + (whole - like(x, 1.0))


@kernel({"contract"})
def log1p(x: Any) -> Any:
    """Return log(1 + x) for x in [0, 1].

    It is 2 artanh(t) with t = x / (2 + x), and 2 t = x - x t: only what is added to x is rounded twice.
    """
    t = x / (like(x, 2.0) + x)
    u = t * t
    return x - t * (x - u * polynomial(u, _LOG32, _LOG64))


@kernel({"contract"})
def turned(t: Any) -> Any:
    """Return the cosine and the sine of 2 pi t: of t turns.

    Whole turns, then quarters, are taken off without rounding. So far out that t has no digits for
    parts of a turn, the angle is 0.
    """
    shift, zero, half = by_width(t, 12582912.0, 6755399441055744.0), like(t, 0.0), like(t, 0.5)
    part_of_turn = t - ((t + shift) - shift)
    r = zero if abs(part_of_turn) > half else part_of_turn  # a NaN stays one
    quarters = (r * like(t, 4.0) + shift) - shift
    x = (r - quarters * like(t, 0.25)) * like(t, 6.283185307179586)
    u = x * x
    cos = like(t, 1.0) + u * polynomial(u, _COS32, _COS64)
    sin = x + x * u * polynomial(u, _SIN32, _SIN64)
    odd, far = abs(quarters) == like(t, 1.0), abs(quarters) == like(t, 2.0)
    c = sin * -quarters if odd else cos
    s = cos * quarters if odd else sin
    return (-c if far else c), (-s if far else s)


@kernel({"contract"})
def normal(z: Any) -> Any:
    """Return the probability that a standard normal variable is below z, and its density at z.

    The square of |z| is taken in two parts, of which the upper is exact: e^(-z^2 / 2) would have no
    digits right at z = -38 if the rounding of a number near 700 went into its exponent.
    """
    x, furthest = abs(z), by_width(z, 14.5, 39.0)
    x = furthest if x > furthest else x
    shift = by_width(z, 98304.0, 6442450944.0)  # rounds to a multiple of 2^-7 or 2^-20
    top = (x + shift) - shift
    half = like(z, 0.5)
    s, q = _falling(-half * top * top, half * (x - top) * (x + top))
    e = (s + s * q) * like(z, BACK)
    four = like(z, 4.0)
    t = like(z, 1.0) / (four + x)
    tail = e * (t * polynomial((four - x) * t, _TAIL32, TAIL64))
    return (tail if z < 0 else like(z, 1.0) - tail), e * like(z, 0.3989422804014327)
