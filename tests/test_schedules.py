import math

import numpy as np
import pytest

from clearprop import schedules
from clearprop.schedules import (
    constant,
    cosine,
    coslog4,
    exponential,
    flat_cos,
    inverse_time,
    one_cycle,
    plateau,
    step,
    warmup,
)

TIMES = np.linspace(0, 12, 97)  # beyond the horizon of 10 too
pi = math.pi


def clipped(t):
    return min(t / 10, 1.0)


def one_cycle_by_hand(t):
    u, top, bottom = clipped(t), 0.2, 0.2 / 25
    if u < 0.3:
        return bottom + (top - bottom) * (1 - math.cos(pi * u / 0.3)) / 2
    end = bottom / 1e4
    return end + (top - end) * (1 + math.cos(pi * (u - 0.3) / 0.7)) / 2


FORMULAS = [
    (constant(0.2), lambda t: 0.2),
    (step(0.2, every=3, factor=0.5), lambda t: 0.2 * 0.5 ** (t // 3)),
    (exponential(0.2, factor=0.9), lambda t: 0.2 * 0.9**t),
    (inverse_time(0.2, decay=0.5, power=2), lambda t: 0.2 / (1 + 0.5 * t) ** 2),
    (cosine(0.2, epochs=10), lambda t: 0.2 * (1 + math.cos(pi * clipped(t))) / 2),
    (
        cosine(0.2, epochs=10, final=0.05),
        lambda t: 0.05 + 0.15 * (1 + math.cos(pi * clipped(t))) / 2,
    ),
    (one_cycle(0.2, epochs=10), one_cycle_by_hand),
    (
        coslog4(0.2, epochs=10),
        lambda t: 0.2 * (1 - math.cos(2 * pi * math.log2(1 + 15 * clipped(t)))) / 2,
    ),
    (
        flat_cos(0.2, epochs=10),
        lambda t: 0.2 if t < 5 else 0.2 * (1 + math.cos(pi * (2 * clipped(t) - 1))) / 2,
    ),
    (plateau(0.2), lambda t: 0.2),
    (
        warmup(4, exponential(0.2, factor=0.9), start=0.1),
        lambda t: (0.1 + 0.9 * min(t / 4, 1)) * 0.2 * 0.9**t,
    ),
]
each = pytest.mark.parametrize(
    ("schedule", "formula"),
    FORMULAS,
    ids=lambda v: type(v).__name__ if v in [f[0] for f in FORMULAS] else "",
)


@each
def test_schedule_is_its_formula(schedule, formula):
    np.testing.assert_allclose(
        [schedule(t) for t in TIMES], [formula(t) for t in TIMES], rtol=1e-13, atol=1e-17
    )


@each
def test_rates_are_never_negative_nor_above_the_peak(schedule, formula):
    rates = [schedule(t) for t in np.linspace(0, 30, 1000)]
    assert min(rates) >= 0
    assert max(rates) <= 0.2


@each
def test_description_makes_the_same_schedule(schedule, formula):
    assert schedules.from_description(schedules.describe(schedule)) == schedule


def test_published_points_of_each_shape():
    assert one_cycle(0.2, epochs=10)(3) == 0.2
    assert one_cycle(0.2, epochs=10)(10) == pytest.approx(0.2 / 25 / 1e4)
    # Four periods: zero where 1 + 15 t is 1, 2, 4, 8, 16.
    for t in (0, 1 / 15, 3 / 15, 7 / 15, 1):
        assert coslog4(1.0, epochs=1)(t) == pytest.approx(0, abs=1e-15)
    assert flat_cos(0.2, epochs=10)(5) == 0.2
    assert flat_cos(0.2, epochs=10)(10) == pytest.approx(0, abs=1e-17)
    assert one_cycle(0.2, epochs=10, rising=1.0)(10) == pytest.approx(0.2)


def test_a_number_is_a_constant_schedule():
    assert schedules.resolve(0.1) == constant(0.1)
    assert schedules.resolve(np.float32(0.5)) == constant(0.5)
    cosine_ = cosine(0.1, epochs=3)
    assert schedules.resolve(cosine_) is cosine_


@pytest.mark.parametrize("rate", [0, -0.1, math.nan, math.inf])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(ValueError, match=f"learning_rate must be a finite number above 0.*got {rate}"):
        schedules.resolve(rate)
    with pytest.raises(ValueError, match=f"rate must be a finite number above 0, got {rate}"):
        constant(rate)


@pytest.mark.parametrize("rate", ["0.1", None, [0.1], True], ids=repr)
def test_rates_of_another_kind_are_refused(rate):
    with pytest.raises((TypeError, ValueError), match="learning_rate must be a finite number above 0"):
        schedules.resolve(rate)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: step(0.1, every=0), "every must be a finite number above 0, got 0"),
        (lambda: step(0.1, factor=1.5), r"factor must be in \(0, 1\], got 1.5"),
        (lambda: cosine(0.1, epochs=0), "epochs must be a finite number above 0, got 0"),
        (
            lambda: cosine(0.1, epochs=5, final=-1),
            "final must be a finite number of at least 0, got -1",
        ),
        (lambda: one_cycle(0.1, 5, rising=0), r"rising must be in \(0, 1\], got 0"),
        (lambda: one_cycle(0.1, 5, divisor=0.5), r"divisor must be at least 1, got 0.5"),
        (lambda: inverse_time(0.1, decay=-1), "decay must be a finite number of at least 0, got -1"),
        (lambda: plateau(0.1, patience=0), "patience must be an integer of at least 1, got 0"),
        (lambda: plateau(0.1, min_delta=-1), "min_delta must be a finite number of at least 0, got -1"),
        (lambda: warmup(3, 0.1), r"schedule must be a schedule, got 0.1"),
        (lambda: warmup(3, constant(0.1), start=2), r"start must be in \[0, 1\], got 2"),
        (lambda: exponential("fast"), "rate must be a finite number above 0, got 'fast'"),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "cosin", "rate": 0.1}, r"schedule must be one of .*did you mean 'cosine'\?"),
        ({"rate": 0.1}, "schedule must be one of"),
        ({"name": "constant", "rate": 0.1, "extra": 1}, "schedule constant has other arguments"),
        ({"name": "cosine", "rate": 0.1}, "schedule cosine has other arguments"),
        ({"name": "constant", "rate": -1}, "rate must be"),
    ],
)
def test_a_damaged_description_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        schedules.from_description(data)


def test_plateau_is_found_inside_a_warmup():
    inner = plateau(0.1)
    assert schedules.find_plateau(warmup(2, inner)) is inner
    assert schedules.find_plateau(constant(0.1)) is None


def test_the_rate_of_larger_batches_rises_to_the_scaled_one():
    for rule, times in (("linear", 16.0), ("sqrt", 4.0)):
        rate = schedules.for_batches(0.01, 4096, rule, base=256, epochs=5)
        assert rate(0.0) == pytest.approx(0.01)  # as it is, at first
        assert rate(2.5) == pytest.approx(0.01 * (1 + times) / 2)
        assert rate(5.0) == rate(50.0) == pytest.approx(0.01 * times)
        again = schedules.from_description(schedules.describe(rate))  # a checkpoint has it
        assert again == rate
    assert schedules.for_batches(0.01, 64, "sqrt") == schedules.constant(0.005)  # no way up to go
    with pytest.raises(ValueError, match="rule must be"):
        schedules.for_batches(0.01, 4096, "cubic")
    with pytest.raises(ValueError, match="batch_size must be above 0, got 0"):
        schedules.for_batches(0.01, 0)
