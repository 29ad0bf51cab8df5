"""The functions that an exported NumPy module may need, as their source: those used are written."""

from __future__ import annotations

NEEDS = {
    "mish": ("softplus",),
    "silu": ("sigmoid",),
    "number": ("doubles",),
    "number_or_word": ("doubles",),
    "category": ("text",),
}
"""What a function calls besides NumPy."""

SOURCES = {
    # Activations
    "identity": """\
def identity(z):
    return z
""",
    "sigmoid": """\
def sigmoid(z):
    e = np.exp(-np.abs(z))  # at most 1: never overflows
    return np.where(z >= 0, 1, e) / (1 + e)
""",
    "softplus": """\
def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
""",
    "tanh": """\
def tanh(z):
    return np.tanh(z)
""",
    "relu": """\
def relu(z):
    return np.maximum(z, 0)
""",
    "softmax": """\
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))  # the largest is e^0: never overflows
    return e / e.sum(axis=1, keepdims=True)
""",
    "scaled_tanh": """\
def scaled_tanh(z):
    return 1.7159 * np.tanh(2 / 3 * z)
""",
    "leaky_relu": """\
def leaky_relu(z):
    return np.maximum(z, 0.01 * z)
""",
    "elu": """\
def elu(z):
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
""",
    "selu": """\
def selu(z):
    return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
""",
    "gelu": """\
def gelu(z):
    erfc = np.vectorize(math.erfc, otypes=[float])
    return (0.5 * z * erfc(-math.sqrt(0.5) * z)).astype(z.dtype)
""",
    "silu": """\
def silu(z):
    return z * sigmoid(z)
""",
    "mish": """\
def mish(z):
    return z * np.tanh(softplus(z))
""",
    "exp": """\
def exp(z):
    return np.exp(z)
""",
    # Raw columns
    "doubles": '''\
def doubles(values):
    """Return numbers, NaN where nothing stands."""
    return np.array([np.nan if v is None or v == "" else float(v) for v in values])
''',
    "number": '''\
def number(values, fill, flagged):
    """Return a number, filled where it is missing, and beside it whether it is."""
    x = doubles(values)
    missing = np.isnan(x)
    filled = np.where(missing, fill, x)
    return np.column_stack([filled, missing] if flagged else [filled])
''',
    "number_or_word": '''\
def number_or_word(values, words, fill, flagged):
    """Return a number, whether it is missing, and for each word whether it stands in its place."""
    are = [np.array([v == word for v in values]) for word in words]
    x = doubles([None if any(there) else v for v, *there in zip(values, *are)])
    missing = np.isnan(x)
    gaps = [missing & ~np.any(are, axis=0)] if flagged else []
    return np.column_stack([np.where(missing, fill, x), *gaps, *are])
''',
    "text": '''\
def text(value):
    """Return a value as categories are written: 1.0 is 1, True is true."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    whole = isinstance(value, (float, np.floating)) and value == np.floor(value)
    return str(int(value) if whole and abs(value) < 2**53 else value)
''',
    "category": '''\
def category(values, categories, other, missing, pair):
    """Return 1 in the column of a value's category, else 0; of a pair -1 or 1, 0 for others."""
    numbers = {word: number for number, word in enumerate(categories)}
    gaps = [v is None or v == "" or v != v for v in values]
    codes = [missing if gap else numbers.get(text(v), other) for v, gap in zip(values, gaps)]
    width = max(len(categories), other + 1, missing + 1)
    made = (np.array(codes)[:, None] == np.arange(width)).astype(float)
    return made @ [[-1.0], [1.0]] if pair else made
''',
    "time": '''\
def time(values, fills, flagged):
    """Return parts of points in time, such as texts "2024-01-31T15:30", filled where one is missing."""
    when = np.array(["NaT" if v is None or v == "" or v != v else v for v in values], "datetime64[us]")
    missing, day = np.isnat(when), 86_400_000_000
    us = np.where(missing, 0, when.astype(np.int64))
    months = us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    turn = 2 * np.pi * (us % day) / day
    parts = {
        "year": 1970 + months // 12,
        "month": 1 + months % 12,
        "day of week": (us // day + 3) % 7,  # Monday is 0
        "hour": us // 3_600_000_000 % 24,
        "minute": us // 60_000_000 % 60,
        "sine of the day": np.sin(turn),
        "cosine of the day": np.cos(turn),
    }
    filled = [np.where(missing, fill, parts[part]) for part, fill in fills.items()]
    return np.column_stack([*filled, missing] if flagged else filled)
''',
}


def written(names: list[str]) -> list[str]:
    """Return the sources of some functions and of all that they call, those that are called first."""
    found: dict[str, str] = {}
    for name in names:
        for needed in (*NEEDS.get(name, ()), name):
            found[needed] = SOURCES[needed]
    return list(found.values())
