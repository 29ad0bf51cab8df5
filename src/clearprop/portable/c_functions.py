"""The functions that an exported C source may need, as templates: only those used are written.

`real` is float or double; functions of libm are written as of doubles, and get their f for floats.
"""

from __future__ import annotations

import re

_LIBM = re.compile(r"\b(exp|expm1|log|log1p|tanh|erfc|sin|cos|sqrt|fabs)\(")

NEEDS = {"mish": ("softplus",), "silu": ("sigmoid",), "time": ("floor_div",)}

SOURCES = {
    # Activations of a neuron
    "identity": """\
static real identity(real z)
{
    return z;
}
""",
    "sigmoid": """\
static real sigmoid(real z)
{
    const real e = exp(z < 0 ? z : -z); /* at most 1: never overflows */
    return (z < 0 ? e : 1) / (1 + e);
}
""",
    "softplus": """\
static real softplus(real z)
{
    return (z > 0 ? z : 0) + log1p(exp(z > 0 ? -z : z));
}
""",
    "tanh": """\
static real hyperbolic_tangent(real z)
{
    return tanh(z);
}
""",
    "relu": """\
static real relu(real z)
{
    return z > 0 ? z : 0;
}
""",
    "scaled_tanh": """\
static real scaled_tanh(real z)
{
    return (real)1.7159 * tanh((real)(2.0 / 3.0) * z);
}
""",
    "leaky_relu": """\
static real leaky_relu(real z)
{
    return z > 0 ? z : (real)0.01 * z;
}
""",
    "elu": """\
static real elu(real z)
{
    return z > 0 ? z : expm1(z);
}
""",
    "selu": """\
static real selu(real z)
{
    return (real)1.0507009873554805 * (z > 0 ? z : (real)1.6732632423543772 * expm1(z));
}
""",
    "gelu": """\
static real gelu(real z)
{
    return (real)0.5 * z * erfc(-(real)0.7071067811865476 * z);
}
""",
    "silu": """\
static real silu(real z)
{
    return z * sigmoid(z);
}
""",
    "mish": """\
static real mish(real z)
{
    return z * tanh(softplus(z));
}
""",
    "exp": """\
static real exponential(real z)
{
    return exp(z);
}
""",
    # Of three quantiles
    "middle": """\
static real middle(const real *a)
{
    const real low = a[0] < a[1] ? a[0] : a[1], high = a[0] < a[1] ? a[1] : a[0];
    return a[2] < low ? low : a[2] > high ? high : a[2];
}
""",
    # Layers
    "dense": """\
/* z = W a + b; sums are made in lanes, which a compiler puts side by side. */
static void dense(const real *W, const real *b, const real *a, real *z, int n_in, int n_out)
{
    for (int j = 0; j < n_out; j++) {
        const real *w = W + (size_t)j * (size_t)n_in;
        real lanes[32] = {0};
        real sum = 0;
        int i = 0;
        for (; i + 32 <= n_in; i += 32) {
            for (int k = 0; k < 32; k++) {
                lanes[k] += w[i + k] * a[i + k];
            }
        }
        for (; i < n_in; i++) {
            sum += w[i] * a[i];
        }
        for (int width = 16; width > 0; width /= 2) {
            for (int k = 0; k < width; k++) {
                lanes[k] += lanes[k + width];
            }
        }
        sum += lanes[0];
        z[j] = b ? sum + b[j] : sum;
    }
}
""",
    "dense_int8": """\
/* z = unit W a + b with whole numbers W; sums are made in lanes, which a compiler puts side by side. */
static void dense(const int8_t *W, const real *unit, const real *b, const real *a, real *z, int n_in,
                  int n_out)
{
    for (int j = 0; j < n_out; j++) {
        const int8_t *w = W + (size_t)j * (size_t)n_in;
        real lanes[32] = {0};
        real sum = 0;
        int i = 0;
        for (; i + 32 <= n_in; i += 32) {
            for (int k = 0; k < 32; k++) {
                lanes[k] += (real)w[i + k] * a[i + k];
            }
        }
        for (; i < n_in; i++) {
            sum += (real)w[i] * a[i];
        }
        for (int width = 16; width > 0; width /= 2) {
            for (int k = 0; k < width; k++) {
                lanes[k] += lanes[k + width];
            }
        }
        sum = unit[j] * (sum + lanes[0]);
        z[j] = b ? sum + b[j] : sum;
    }
}
""",
    "softmax": """\
static void softmax(real *a, int n)
{
    real most = a[0];
    real sum = 0;
    for (int j = 1; j < n; j++) {
        most = a[j] > most ? a[j] : most;
    }
    for (int j = 0; j < n; j++) {
        a[j] = exp(a[j] - most); /* the largest is e^0: never overflows */
        sum += a[j];
    }
    for (int j = 0; j < n; j++) {
        a[j] /= sum;
    }
}
""",
    "largest": """\
static int largest(const real *a, int n)
{
    int best = 0;
    for (int j = 1; j < n; j++) {
        best = a[j] > a[best] ? j : best;
    }
    return best;
}
""",
    # Raw columns
    "category_of_text": """\
/* Return the number of a text among the categories, or what stands for others, or for none. */
static int category_of_text(const char *value, const char *const *categories, int n, int other,
                            int missing)
{
    if (value == NULL || value[0] == 0) {
        return missing;
    }
    for (int k = 0; k < n; k++) {
        if (strcmp(value, categories[k]) == 0) {
            return k;
        }
    }
    return other;
}
""",
    "category_of_number": """\
static int category_of_number(double value, const double *categories, int n, int other, int missing)
{
    if (value != value) {
        return missing;
    }
    for (int k = 0; k < n; k++) {
        if (value == categories[k]) {
            return k;
        }
    }
    return other;
}
""",
    "one_hot": """\
static void one_hot(int number, double *v, int width)
{
    for (int k = 0; k < width; k++) {
        v[k] = k == number;
    }
}
""",
    "floor_div": """\
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}
""",
    "year_and_month": """\
/* Years are counted from March, in eras of 400: Hinnant, "chrono-compatible low-level date
   algorithms". */
static void year_and_month(int64_t microseconds, double *year, double *month)
{
    const int64_t days = floor_div(microseconds, INT64_C(86400000000)) + 719468;
    const int64_t era = floor_div(days, 146097), of_era = days - 146097 * era;
    const int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * y + y / 4 - y / 100), from_march = (5 * of_year + 2) / 153;
    *year = (double)(y + 400 * era + (from_march >= 10));
    *month = (double)((from_march + 2) % 12 + 1);
}
""",
}
NEEDS["year_and_month"] = ("floor_div",)

CALLED = {"tanh": "hyperbolic_tangent", "exp": "exponential"}
"""What activations are called that libm has of another type."""


def written(names: list[str], dtype: str) -> list[str]:
    """Return the sources of some functions and of all that they call, those that are called first."""
    found: dict[str, str] = {}
    for name in names:
        for needed in (*NEEDS.get(name, ()), name):
            found[needed] = of_type(SOURCES[needed], dtype)
    return list(found.values())


def of_type(source: str, dtype: str) -> str:
    """Return a source whose functions of libm are those of the network's type."""
    return _LIBM.sub(r"\1f(", source) if dtype == "float32" else source


def uses_libm(source: str) -> bool:
    """Return whether a source calls libm."""
    return re.search(r"\b(exp|expm1|log|log1p|tanh|erfc|sin|cos|sqrt)f?\)?\(", source) is not None
