"""Quantiles of columns that are not in memory: equal to NumPy's where they are exact."""

import numpy as np
import pytest

from clearprop.data.selection import quantiles
from clearprop.data.table.quantiles import Quantiles

RNG = np.random.default_rng(3)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.7, 0.75, 1.0)


def blocks_of(rows, weight=None, size=7):
    def blocks():
        for first in range(0, len(rows), size):
            part = None if weight is None else weight[first : first + size]
            yield rows[first : first + size], part

    return blocks


COLUMNS = {
    "normal": RNG.normal(size=101),
    "huge and tiny": RNG.normal(size=101) * 10.0 ** RNG.integers(-30, 30, 101),
    "few values": RNG.integers(-1, 2, 101).astype(float),
    "one value": np.full(101, -2.5),
    "both zeros": np.where(RNG.random(101) < 0.5, 0.0, -0.0),
    "neighbours": 1.0 + np.arange(101) * 2.0**-23,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3, 100, 101])
def test_selected_quantiles_are_numpys_to_the_bit(dtype, n):
    rows = np.stack([each[:n] for each in COLUMNS.values()], axis=1).astype(dtype)
    found = quantiles(blocks_of(rows), SHARES)
    np.testing.assert_array_equal(found, np.quantile(rows.astype(np.float64), SHARES, axis=0))


def test_many_columns_are_counted_by_smaller_digits():
    rows = RNG.normal(size=(53, 40)).astype("float32")
    found = quantiles(blocks_of(rows), SHARES)
    np.testing.assert_array_equal(found, np.quantile(rows.astype(np.float64), SHARES, axis=0))


def test_a_row_of_weight_three_counts_as_three_rows():
    rows = np.stack(list(COLUMNS.values()), axis=1).astype("float32")
    weight = RNG.integers(0, 4, 101).astype(float)
    found = quantiles(blocks_of(rows, weight), SHARES)
    repeated = np.repeat(rows, weight.astype(int), axis=0).astype(np.float64)
    np.testing.assert_array_equal(found, np.quantile(repeated, SHARES, axis=0))


def test_quantiles_of_no_row_are_refused():
    with pytest.raises(ValueError, match="there must be a row to take quantiles of"):
        quantiles(blocks_of(np.zeros((0, 2))), (0.5,))


def test_a_sketch_is_exact_up_to_its_limit():
    values = RNG.normal(size=50_000)
    sketch = Quantiles(exact=50_000)
    for part in np.array_split(values, 9):
        sketch.add(part)
    assert [sketch.quantile(s) for s in SHARES] == [float(np.quantile(values, s)) for s in SHARES]
    assert np.isnan(Quantiles().quantile(0.5))


@pytest.mark.parametrize("order", ["random", "sorted", "reversed", "zigzag"])
def test_the_ranks_of_a_sketch_are_right_to_a_thousandth(order):
    n = 1_000_000
    values = RNG.permutation(n).astype(float) if order == "random" else np.arange(float(n))
    if order == "reversed":
        values = values[::-1]
    if order == "zigzag":
        values = np.concatenate([values[::2], values[::-2]])
    sketch = Quantiles(exact=0)
    for first in range(0, n, 65_536):
        sketch.add(values[first : first + 65_536])
    for share in SHARES[1:-1]:
        assert abs(sketch.quantile(share) / n - share) < 1e-3
    assert sum(len(part) for level in sketch._levels for part in level) < 250_000
