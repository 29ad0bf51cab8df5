"""The elementary functions of the compiled engine are as exact as their file says, everywhere."""

import ctypes
import functools
import math
import re

import numpy as np
import pytest
from llvmlite import binding

from clearprop.engines import elementary, machine_code
from clearprop.engines.elementary import exp, exp_both, exp_falling, log1p, normal, turned
from clearprop.engines.intrinsics import kernel
from clearprop.engines.language import FLOAT32, FLOAT64, INT, Flat
from clearprop.engines.translation import Translation

# The oracle is the C library in 80-bit numbers: eleven digits more than float64.
EXTENDED = np.finfo(np.longdouble).nmant >= 63
needs_extended = pytest.mark.skipif(not EXTENDED, reason="NumPy's longdouble is float64 here")


@kernel()
def every_function(
    x, e, falling, e_both, less_one, logarithm, below, density, cos, sin, thread, n_threads
):
    for i in range(x.size):
        e[i] = exp(x[i])
    for i in range(x.size):
        falling[i] = exp_falling(x[i])
    for i in range(x.size):
        e_both[i], less_one[i] = exp_both(x[i])
    for i in range(x.size):
        logarithm[i] = log1p(x[i])
    for i in range(x.size):
        below[i], density[i] = normal(x[i])
    for i in range(x.size):
        cos[i], sin[i] = turned(x[i])


NAMES = (
    "exp",
    "exp_falling",
    "exp_both[0]",
    "exp_both[1]",
    "log1p",
    "normal[0]",
    "normal[1]",
    "turned[0]",
    "turned[1]",
)


@functools.cache
def _machine_code(dtype):
    target = machine_code.target_machine()
    made = Translation(target.triple, str(target.target_data))
    made.export(every_function, (*[Flat(FLOAT32 if dtype == "float32" else FLOAT64)] * 10, INT, INT))
    module = machine_code.optimised(str(made.module), target)
    engine = binding.create_mcjit_compiler(module, target)
    engine.finalize_object()
    return engine, engine.get_function_address("clearprop_every_function")


def computed(x):
    """Return what each function makes of x, by name."""
    found = {name: np.empty_like(x) for name in NAMES}
    words = [
        word for each in (x, *found.values()) for word in (machine_code.address(each), *each.shape)
    ]
    slots = np.array(words, np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    function(_machine_code(x.dtype.name)[1])(machine_code.address(slots), 0, 1)
    return found


def wanted(name, x):
    """Return a function's values in extended precision."""
    x = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        if name.startswith("exp"):
            return np.expm1(x) if name.endswith("[1]") else np.exp(x)
        if name == "log1p":
            return np.log1p(x)
        if name.startswith("turned"):
            return of_turns(x)[int(name[-2])]
        pi = np.longdouble("3.14159265358979323846264338327950288")
        return tail(x) if name == "normal[0]" else np.exp(-x * x / 2) / np.sqrt(2 * pi)


def of_turns(t):
    """Return cosine and sine of 2 pi t: of what is left of a quarter, which is exact."""
    left = t - np.rint(t)
    quarters = np.rint(4 * left)
    angle = 2 * np.longdouble("3.14159265358979323846264338327950288") * (left - quarters / 4)
    turned_by = [(np.cos(angle), np.sin(angle))]
    for _ in range(3):
        cos, sin = turned_by[-1]
        turned_by.append((-sin, cos))
    which = quarters.astype(int) % 4
    return [np.choose(which, [each[k] for each in turned_by]) for k in (0, 1)]


def tail(z):
    """Return P(Z < z): a series where z is small, otherwise Laplace's continued fraction."""
    pi = np.longdouble("3.14159265358979323846264338327950288")
    x = np.minimum(np.abs(z), 200)
    term = total = x
    for k in range(1, 120):
        term = term * x * x / (2 * k + 1)
        total = total + term
    fraction = np.zeros_like(x)
    for k in range(400, 0, -1):
        fraction = k / (x + fraction)
    density = np.exp(-x * x / 2) / np.sqrt(2 * pi)
    near = np.longdouble(0.5) - density * total
    far = density / (x + fraction)
    upper = np.where(x < 1.5, near, far)
    return np.where(z < 0, upper, 1 - upper)


def every_size(dtype, highest, lowest=0):
    """Return numbers of every exponent, subnormal ones too, and both zeros."""
    whole = np.int32 if dtype == "float32" else np.int64
    last = int(np.array(highest, dtype).view(whole))
    sizes = np.linspace(0, last, 40_001).astype(whole).view(dtype)
    even = np.linspace(0, highest, 40_001).astype(dtype)  # most floats are below 1, most trouble is not
    positive = np.concatenate([sizes, even, [highest]]).astype(dtype)
    return np.concatenate([positive, -positive]) if lowest < 0 else positive


FALLING = ("exp_falling", "exp_both[0]", "exp_both[1]")  # of what is at most 0
RANGE = {  # from where to where a function is to be exact
    "exp": {"float32": 88.7, "float64": 709.7},
    "log1p": {"float32": 1.0, "float64": 1.0},
    "normal": {"float32": 40.0, "float64": 40.0},
    "turned": {"float32": 1000.0, "float64": 1000.0},
}


def units(got, right):
    """Return the errors in units in the last place of the right values' dtype."""
    with np.errstate(all="ignore"):
        near = np.abs(right).astype(got.dtype)
        unit = np.spacing(np.maximum(near, np.finfo(got.dtype).smallest_subnormal))
        return np.abs(got.astype(np.longdouble) - right) / unit


def stated(name, dtype):
    """Return the bound in the table at the head of the file."""
    name = "exp" if name in ("exp_falling", "exp_both[0]") else name
    row = re.search(rf"^    {re.escape(name)} +([\d.]+) +([\d.]+)$", elementary.__doc__, re.MULTILINE)
    return float(row[1 if dtype == "float32" else 2])


@needs_extended
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_errors_are_at_most_those_stated_over_the_whole_range(name, dtype):
    kind = name.split("[")[0].removesuffix("_both").removesuffix("_falling")
    x = every_size(dtype, RANGE[kind][dtype], 0 if kind == "log1p" else -1)
    x = x[x <= 0] if name in FALLING else x
    if kind == "exp":  # down to where not even a subnormal number is left
        x = np.concatenate([x, np.linspace(-760, -80, 20_001).astype(dtype)])
    error = units(computed(x)[name], wanted(name, x))
    print(name, dtype, error.max(), x[error.argmax()])
    assert error.max() <= stated(name, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_nan_and_both_zeros_give_what_the_c_library_gives(dtype):
    top = np.finfo(dtype).max
    x = np.array([-np.inf, -top, -1e4, -0.0, 0.0, 1e4, top, np.inf, np.nan], dtype)
    got = computed(x)
    for name, values in {
        "exp": [0, 0, 0, 1, 1, np.inf, np.inf, np.inf, np.nan],
        "normal[0]": [0, 0, 0, 0.5, 0.5, 1, 1, 1, np.nan],
        "normal[1]": [0, 0, 0, *[1 / math.sqrt(2 * math.pi)] * 2, 0, 0, 0, np.nan],
    }.items():
        np.testing.assert_array_equal(got[name], np.array(values, dtype), err_msg=name)
    least = np.finfo(dtype).smallest_subnormal
    low = np.array([-np.inf, -top, -1e4, -least, -0.0, 0.0, np.nan], dtype)
    for name in ("exp_falling", "exp_both[0]"):
        np.testing.assert_array_equal(computed(low)[name], np.array([0, 0, 0, 1, 1, 1, np.nan]))
    np.testing.assert_array_equal(computed(low)["exp_both[1]"], [-1, -1, -1, -least, 0, 0, np.nan])
    share = np.array([0, least, 1, np.nan], dtype)
    logarithms = np.array([0, least, math.log(2), np.nan], dtype)
    np.testing.assert_array_equal(computed(share)["log1p"], logarithms)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_are_vector_instructions(dtype):
    target = machine_code.target_machine()
    made = Translation(target.triple, str(target.target_data))
    made.export(every_function, (*[Flat(FLOAT32 if dtype == "float32" else FLOAT64)] * 10, INT, INT))
    text = str(machine_code.optimised(str(made.module), target))
    number = "float" if dtype == "float32" else "double"
    loops = re.findall(rf"store <\d+ x {number}>", text)
    assert len(loops) >= 7
    assert "call double @" not in re.sub(r"@llvm\.", "", text)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_python_they_find_the_same(dtype):
    for x in np.array([-30.5, -3.25, -0.125, -1e-20, 0.0], dtype):
        got = computed(np.array([x, -x if x > -1 else 0.5], dtype))
        bound = 4 * float(np.finfo(dtype).eps)
        assert exp(x) == pytest.approx(got["exp"][0], rel=bound)
        assert exp_falling(x) == pytest.approx(got["exp_falling"][0], rel=bound)
        assert exp_both(x)[1] == pytest.approx(got["exp_both[1]"][0], rel=bound)
        assert normal(x) == pytest.approx((got["normal[0]"][0], got["normal[1]"][0]), rel=bound)
        if x > -1:
            assert log1p(-x) == pytest.approx(got["log1p"][1], rel=bound)
