from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracles
from clearprop import randomness
from clearprop.engines import Data
from clearprop.training import supply


def philox_of(counter, key):
    """Hand four counter words and two key words to `randomness.philox` through its arguments."""
    c0, c1, c2, c3 = counter
    words = randomness.philox(
        key[1] << 32 | key[0],
        c0,
        c1,
        (c3 & 0xFFFF) << 32 | c2,
        purpose=c3 >> 28,
        layer=c3 >> 16 & 0xFFF,
    )
    return [int(word) for word in words]


KNOWN = [  # Random123's kat_vectors, philox4x32 10
    (
        (0x00000000,) * 4,
        (0x00000000,) * 2,
        [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8],
    ),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN, ids=["zeros", "ones", "pi"])
def test_philox_gives_the_known_answers(counter, key, words):
    assert philox_of(counter, key) == words
    assert oracles.philox4x32(counter, key) == words


word = st.integers(0, 2**32 - 1)


@given(st.tuples(word, word, word, word), st.tuples(word, word))
def test_philox_agrees_with_pythons_integers(counter, key):
    assert philox_of(counter, key) == oracles.philox4x32(counter, key)


def test_golden_draws():
    where = {"purpose": randomness.INITIAL_WEIGHTS, "layer": 0}
    # The first block: counter (0, 0, 0, 1 << 28), key (7, 0).
    w = oracles.philox4x32([0, 0, 0, 1 << 28], [7, 0])
    first = [(w[0] << 32 | w[1]) >> 11, (w[2] << 32 | w[3]) >> 11]
    np.testing.assert_array_equal(randomness.uniform(7, 2, **where), np.array(first) * 2.0**-53)
    np.testing.assert_array_equal(
        randomness.uniform(0, 4, **where),
        GOLDEN_UNIFORM,
    )
    np.testing.assert_allclose(randomness.normal(0, 4, **where), GOLDEN_NORMAL, rtol=1e-15)
    np.testing.assert_array_equal(randomness.permutation(0, 10, step=0), GOLDEN_ORDER)
    np.testing.assert_array_equal(randomness.keep_mask(0, 3, 1, 3, 6, 0.5).astype(int), GOLDEN_MASK)


# Drawn once on this definition; a change of any of them changes every network ever seeded.
GOLDEN_UNIFORM = [0.3456402043347413, 0.3665491304698739, 0.7739485323282669, 0.23182563432822467]
GOLDEN_NORMAL = [-0.6157472803853009, 0.6848730917065154, 0.19650076658482377, 1.7132929095412208]
GOLDEN_ORDER = [6, 9, 3, 1, 8, 7, 0, 2, 5, 4]
GOLDEN_MASK = [[1, 1, 1, 0, 0, 1], [1, 1, 0, 0, 1, 1], [1, 0, 0, 1, 0, 1]]


@given(st.integers(0, 2**64 - 1), st.integers(1, 40), st.integers(0, 2**47))
def test_permutation_holds_each_row_once_and_depends_on_its_key_alone(seed, n, epoch):
    order = randomness.permutation(seed, n, step=epoch)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(n))
    np.testing.assert_array_equal(order, randomness.permutation(seed, n, step=epoch))


@pytest.mark.parametrize("n_members", [1, 2])
def test_a_training_meets_the_orders_of_its_epochs_wherever_it_goes_on(monkeypatch, n_members):
    monkeypatch.setattr(supply, "_DRAWN_AT_ONCE", 30)  # four epochs of seven rows
    rows = supply.InMemory(Data(np.zeros((7, 2)), np.zeros((7, 1)), None))
    plan = SimpleNamespace(n_samples=7, n_members=n_members)
    for seed, epochs in ((5, range(12)), (5, [3, 4, 9, 1]), (6, [1, 2, 3])):
        plan.seeds = tuple(randomness.member_seed(seed, member) for member in range(n_members))
        for epoch in epochs:
            orders = np.atleast_2d(rows.part(plan, epoch, 0).order)
            for order, its in zip(orders, plan.seeds, strict=True):
                assert order.tolist() == randomness.permutation(its, 7, step=epoch).tolist()


@pytest.mark.parametrize("n", [1, 2, 7, 8])
@pytest.mark.parametrize("first", [0, 5])
def test_the_orders_of_several_epochs_are_each_epochs_own(n, first):
    together = randomness.permutations(4, n, steps=range(3, 8), first=first)

    alone = [randomness.permutation(4, n, step=epoch, first=first) for epoch in range(3, 8)]
    assert together.tolist() == [order.tolist() for order in alone]


def test_every_place_is_as_likely_for_every_row():
    counts = np.zeros((5, 5))
    for epoch in range(2000):
        counts[np.arange(5), randomness.permutation(1, 5, step=epoch)] += 1
    # Binomial(2000, 1/5): five standard deviations are 90.
    assert np.abs(counts - 400).max() < 90


def test_orders_of_other_epochs_and_seeds_differ():
    orders = [tuple(randomness.permutation(s, 50, step=e)) for s in range(4) for e in range(4)]
    assert len(set(orders)) == 16


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**48 - 1), st.integers(0, 4095))
def test_mask_of_a_part_is_the_part_of_the_mask(seed, step, layer):
    whole = randomness.keep_mask(seed, step, layer, 9, 11, 0.4)
    np.testing.assert_array_equal(randomness.keep_mask(seed, step, layer, 4, 11, 0.4), whole[:4])
    np.testing.assert_array_equal(randomness.keep_mask(seed, step, layer, 9, 6, 0.4), whole[:, :6])


def test_mask_is_the_documented_word_of_the_documented_block():
    mask = randomness.keep_mask(5, 2**32 + 3, 2, 3, 6, 0.5)
    for row in range(3):
        for neuron in range(6):
            counter = [neuron // 4, row, 3, randomness.DROPOUT << 28 | 2 << 16 | 1]
            drawn = oracles.philox4x32(counter, [5, 0])[neuron % 4]
            assert mask[row, neuron] == (drawn >= 2**31)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_mask_drops_its_share(rate):
    kept = randomness.keep_mask(0, 0, 0, 1000, 100, rate)
    # Five standard deviations of Binomial(100000, rate).
    assert abs((~kept).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / 1e5)


def test_masks_of_other_steps_layers_and_seeds_differ():
    keys = [(s, t, layer) for s in (0, 1) for t in (0, 1, 2**32) for layer in (0, 1)]
    masks = {randomness.keep_mask(*key, 20, 20, 0.5).tobytes() for key in keys}
    assert len(masks) == len(keys)


def test_purposes_layers_and_steps_never_share_a_counter():
    purposes = [
        randomness.INITIAL_WEIGHTS,
        randomness.INITIAL_BIASES,
        randomness.SAMPLE_ORDER,
        randomness.DROPOUT,
        randomness.HOLDOUT,
        randomness.CHECK,
    ]
    assert len(set(purposes)) == 6
    seen = [
        word
        for purpose in purposes
        for layer in (0, 1, 4095)
        for step in (0, 1, 2**32, 2**48 - 1)
        for word in randomness._words64(3, 50, purpose=purpose, layer=layer, step=step).tolist()
    ]
    # Distinct counters give distinct blocks; 64-bit words of 3600 draws collide with chance 4e-13.
    assert len(set(seen)) == len(seen)


def test_uniform_is_uniform_and_below_one():
    u = randomness.uniform(11, 100_000, purpose=1)
    assert u.min() >= 0
    assert u.max() < 1
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is its 0.1 % point.
    assert np.abs(np.sort(u) - np.arange(1e5) / 1e5).max() < 1.95 / np.sqrt(1e5)


def test_normal_has_the_moments_of_the_normal_distribution():
    z = randomness.normal(11, 200_001, purpose=1)
    assert z.shape == (200_001,)
    n = len(z)
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((z**3).mean()) < 5 * np.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < 5 * np.sqrt(96 / n)
    # Box-Muller's pairs are independent.
    assert abs(np.corrcoef(z[:-1:2], z[1::2])[0, 1]) < 5 / np.sqrt(n / 2)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_a_shorter_draw_is_the_start_of_a_longer_one(n):
    np.testing.assert_array_equal(
        randomness.uniform(3, n, purpose=1), randomness.uniform(3, 9, purpose=1)[:n]
    )
    np.testing.assert_array_equal(
        randomness.normal(3, n, purpose=1), randomness.normal(3, 9, purpose=1)[:n]
    )


def test_seed_none_is_drawn_once_from_the_operating_system():
    drawn = {randomness.check_seed(None) for _ in range(10)}
    assert len(drawn) == 10
    assert all(0 <= seed < 2**63 for seed in drawn)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int64(5), np.uint8(7)])
def test_integers_are_seeds(seed):
    assert randomness.check_seed(seed) == int(seed)
    assert type(randomness.check_seed(seed)) is int


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ValueError, match=rf"seed must be from 0 to 2\*\*64 - 1, got {seed}"):
        randomness.check_seed(seed)


@pytest.mark.parametrize(
    "seed",
    [1.0, "7", True, np.random.default_rng(0), np.random.RandomState(0), np.random.SeedSequence(1)],
)
def test_other_seeds_are_refused_by_name(seed):
    with pytest.raises(TypeError, match="seed must be None or an integer, got "):
        randomness.check_seed(seed)


@pytest.mark.parametrize("at_once", [2**15, 16])
@pytest.mark.parametrize("first", [0, 3])
def test_keys_that_agree_but_for_their_lowest_bits_are_sorted_by_these(first, at_once, monkeypatch):
    drawn = randomness.philox

    def coarse(*where, **more):  # words of which few differ: 50 in 64 keys agree in their highest bits
        w0, w1, w2, w3 = drawn(*where, **more)
        return w0 & np.uint64(1), w1 & np.uint64(7), w2 & np.uint64(1), w3 & np.uint64(7)

    monkeypatch.setattr(randomness, "philox", coarse)
    monkeypatch.setattr(randomness, "_AT_ONCE", at_once)
    steps = range(5, 8)
    found = randomness.permutations(1, 77, steps=steps, first=first)
    for order, step in zip(found, steps, strict=True):
        keys = randomness._words64(1, 77, purpose=randomness.SAMPLE_ORDER, step=step, first=first)
        assert len(set(keys.tolist())) < 77  # and equal ones as they come
        assert order.tolist() == np.argsort(keys, kind="stable").tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 1000, 1025, 2**18 + 1])
def test_a_permutation_is_the_order_of_its_keys(n):
    keys = randomness._words64(5, n, purpose=randomness.SAMPLE_ORDER, step=7)
    np.testing.assert_array_equal(randomness.permutation(5, n, step=7), np.argsort(keys, kind="stable"))
