"""What pages need beyond `engines.elementary`, as kernels: logarithms, powers, and angles in radians.

ECMAScript leaves the bits of its own open, and so does C. These are additions, multiplications and
divisions alone: the same bits in every browser, and in Python. Without fused multiply-adds, which no
browser makes, the largest errors of these and of those there, in units in the last place, are
(tests/engines/test_javascript.py):

    ============  ====
    exp            1.0
    log            0.7
    log_one_plus   0.7
    circle         0.8
    turned         2.0
    _tanh          3.0
    normal         5.0
    ============  ====

`circle` is for angles below FURTHEST, `normal` errs most where it is nearly 0, and the C library's own
tanh errs by 2.
"""

from __future__ import annotations

import math
from typing import Any

from clearprop.engines.elementary import _COS64, _LOG64, _SIN64
from clearprop.engines.intrinsics import kernel, polynomial

INFINITE, NAN = math.inf, math.nan
HALF_ROOT = 0.7071067811865476  # the root of 1/2
# log 2 and pi / 2 in parts, of which all but the last are exact in products with n up to 2^20
LOG2_HIGH, LOG2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
QUARTER_HIGH, QUARTER_MIDDLE, QUARTER_LOW = (
    1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21,
)  # fmt: skip
FURTHEST = 1e6
# (cos x - 1 + x^2 / 2) / x^4 and (sin x - x) / x^3 by x^2
COS, SIN = _COS64[:-1], (1 / 355687428096000, *_SIN64)
ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to whole numbers
COARSE = ROUND * 2.0**-26  # adding it rounds to multiples of 2^-26, whose squares are exact


@kernel()
def _square(x: Any) -> Any:
    """Return x^2 / 2 in two parts, of which the upper is exact, for |x| below 1."""
    high = (x + COARSE) - COARSE
    return 0.5 * high * high, 0.5 * (x - high) * (x + high)


@kernel()
def _log_of(f: Any, n: Any, more: Any) -> Any:
    """Return log(1 + f) + n log 2 + more, for f from -0.3 to 0.42 and a tiny `more`.

    With t = f / (2 + f), log(1 + f) = f - f^2 / 2 + t (f^2 / 2 + what `log1p` adds): only the last sum
    is rounded in a digit that counts.
    """
    t = f / (2.0 + f)
    u = t * t
    square, less = _square(f)
    near = f - square
    rest = (((f - near) - square) - less) + t * ((square + less) + u * polynomial(u, _LOG64, _LOG64))
    whole = n * LOG2_HIGH
    top = whole + near
    return top + (((whole - top) + near) + (rest + (n * LOG2_LOW + more)))


@kernel()
def log(x: Any) -> Any:
    """Return the natural logarithm of x."""
    if not x > 0.0:  # a NaN stays one
        return -INFINITE if x == 0.0 else NAN
    if x == INFINITE:
        return x
    m, n = math.frexp(x)
    if m < HALF_ROOT:
        return _log_of(2.0 * m - 1.0, n - 1.0, 0.0)
    return _log_of(m - 1.0, n, 0.0)


@kernel()
def log_one_plus(x: Any) -> Any:
    """Return log(1 + x); what 1 + x has no digits for is added to its logarithm."""
    w = 1.0 + x
    if not w > 0.0 or w == INFINITE:
        return log(w)
    if x > -0.25 and x < 0.375:
        return _log_of(x, 0.0, 0.0)
    lost = (x - (w - 1.0) if x < 1.0 else 1.0 - (w - x)) / w
    m, n = math.frexp(w)
    if m < HALF_ROOT:
        return _log_of(2.0 * m - 1.0, n - 1.0, lost)
    return _log_of(m - 1.0, n, lost)


@kernel()
def power(x: Any, n: Any) -> Any:
    """Return x^n for a whole n of at least 0, by squaring."""
    made = 1.0
    while n > 0.0:
        half = math.floor(0.5 * n)
        if half + half != n:
            made *= x
        x *= x
        n = half
    return made


@kernel()
def circle(x: Any) -> Any:
    """Return the cosine and the sine of x; NaN from FURTHEST on.

    x = n pi / 2 + y + low, in which low is what y has no digits for.
    """
    if not abs(x) < FURTHEST:
        return NAN, NAN
    n = (x * 0.6366197723675814 + ROUND) - ROUND
    r, w = x - n * QUARTER_HIGH, n * QUARTER_MIDDLE
    top = r - w
    rest = ((r - top) - w) - n * QUARTER_LOW
    y = top + rest
    low = (top - y) + rest
    u = y * y
    square, less = _square(y)
    near = 1.0 - square
    cos = near + (((1.0 - near) - square) - less + (u * u * polynomial(u, COS, COS) - y * low))
    sin = y + (y * u * polynomial(u, SIN, SIN) + low * near)
    quarter = n - 4.0 * math.floor(0.25 * n)
    odd = quarter == 1.0 or quarter == 3.0
    c, s = (sin if odd else cos), (cos if odd else sin)
    return (-c if quarter == 1.0 or quarter == 2.0 else c), (-s if quarter >= 2.0 else s)


# --- dC/da of the costs that are computed from z: what one output adds


@kernel()
def _ratio(y: Any, a: Any) -> Any:
    return 0.0 if y == 0.0 else y / a


@kernel()
def error_of_softmax_entropy(a: Any, y: Any) -> Any:
    """Return -y / a."""
    return -_ratio(y, a)


@kernel()
def error_of_sigmoid_entropy(a: Any, y: Any) -> Any:
    """Return (1 - y) / (1 - a) - y / a."""
    return _ratio(1.0 - y, 1.0 - a) - _ratio(y, a)


@kernel()
def error_of_poisson(a: Any, y: Any) -> Any:
    """Return 1 - y / a."""
    return 1.0 - _ratio(y, a)
