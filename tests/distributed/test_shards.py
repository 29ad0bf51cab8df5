"""Which rows make which batch, and how gradients are added: nothing asks how many processes there are."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

import clearprop as cp
from clearprop.architecture import Layer
from clearprop.building import build
from clearprop.data.row_stream import Passage
from clearprop.distributed.shards import Dealing, Holding, owned
from clearprop.distributed.sums import Node, aligned, joined, root, up_to
from clearprop.embeddings import periodic
from clearprop.engines import Data, Plan, State
from clearprop.engines.compiled import CompiledEngine
from clearprop.engines.leaves import TreeSum
from clearprop.engines.reference import ReferenceEngine

SIZES = [(103, 8, 10), (103, 5, 7), (64, 64, 32), (200, 64, 96), (7, 3, 7), (29, 4, 1)]


def plan_of(n_rows, batch_size, **how):
    net = cp.Network([4, 3], seed=0)
    return Plan(net.architecture, cp.SGD(0.1), 0, batch_size, n_rows, **how)


def rows_of_steps(plan, dealing, size):
    """Return the rows of each shard in each step of an epoch, from what each process has."""
    steps = [[] for _ in range(plan.steps_per_epoch)]
    for rank in range(size):
        holding = Holding(dealing, owned(dealing.n_shards, rank, size))
        starts = [int(dealing.starts[shard]) for shard in holding.shards]
        sizes = np.diff(dealing.starts)[holding.shards.start : holding.shards.stop]
        each = zip(sizes.tolist(), starts, strict=True)
        orders = [Passage(n, n, n, n, first_row=start).order(5, 2, 0) for n, start in each]
        order = holding.order(plan, 0, plan.steps_per_epoch, orders, starts)
        cuts = holding.cuts(plan, 0, 0, plan.steps_per_epoch)
        assert cuts[-1, -1] == len(order)
        for step, cut in zip(steps, cuts, strict=True):
            step += [order[a:b].tolist() for a, b in pairwise(cut)]
    return steps


@pytest.mark.parametrize(("n_rows", "n_shards", "batch_size"), SIZES)
def test_steps_have_the_same_rows_by_any_number_of_processes(n_rows, n_shards, batch_size):
    plan, dealing = plan_of(n_rows, batch_size), Dealing(n_rows, n_shards)
    alone = rows_of_steps(plan, dealing, 1)
    for size in {2, 3, n_shards} - {n_shards + 1}:
        assert rows_of_steps(plan, dealing, min(size, n_shards)) == alone
    flat = [row for step in alone for shard in step for row in shard]
    assert sorted(flat) == list(range(n_rows))
    assert [sum(map(len, step)) for step in alone] == [
        len(range(n_rows)[plan.batch(step)]) for step in range(plan.steps_per_epoch)
    ]
    counts = [list(map(len, step)) for step in alone]
    assert all(max(each) - min(each) <= 1 for each in counts)  # a fixed share of every batch


def test_a_batch_smaller_than_the_shards_has_rows_from_all_over_the_table():
    plan, dealing = plan_of(640, 16), Dealing(640, 64)
    for step in rows_of_steps(plan, dealing, 1):
        shards = [shard for shard, rows in enumerate(step) if rows]
        assert max(np.diff(shards)) <= 5


def test_steps_in_the_middle_of_an_epoch_are_found_alone():
    plan = plan_of(103, 10, n_batches=11)
    holding = Holding(Dealing(103, 8), range(3, 8))
    cuts = holding.cuts(plan, 0, 0, 11)
    np.testing.assert_array_equal(holding.cuts(plan, 4, 6, 9), cuts[6:9] - cuts[4, 0])


def test_every_shard_has_a_row():
    with pytest.raises(
        ValueError, match="shards must be at most the number of rows to train on, 7, got 8"
    ):
        Dealing(7, 8)


@pytest.mark.parametrize("n_shards", [1, 2, 3, 7, 8, 13])
def test_a_sum_has_the_bits_of_the_tree_by_any_number_of_processes(n_shards, rng):
    leaves = rng.normal(size=(n_shards, 11)).astype(np.float32)

    def up(node):
        parts = {Node(leaf, 1): leaves[leaf].copy() for leaf in range(n_shards)}
        return up_to(node, parts, n_shards)

    def by_hand(first, size):  # the tree as the docstring says it
        if size == 1:
            return leaves[first]
        left, right = by_hand(first, size // 2), first + size // 2
        return left if right >= n_shards else left + by_hand(right, size // 2)

    want = by_hand(*root(n_shards))
    for size in range(1, n_shards + 1):
        owners = [owned(n_shards, rank, size) for rank in range(size)]
        sent = [
            np.concatenate([up(node) for node in aligned(each.start, each.stop)]) for each in owners
        ]
        np.testing.assert_array_equal(joined(sent, owners, n_shards), want, strict=True)


def test_nodes_are_the_fewest_and_as_small_as_asked():
    assert aligned(0, 21) == [Node(0, 16), Node(16, 4), Node(20, 1)]
    assert aligned(5, 8) == [Node(5, 1), Node(6, 2)]
    assert aligned(0, 8, 4) == [Node(0, 4), Node(4, 4)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_kernel_climbs_the_tree_as_the_reference_does(dtype, rng):
    net = cp.Network([4, 5, 3], activation="tanh", seed=0, dtype=dtype)
    X, Y = rng.normal(size=(90, 4)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(0, 3, 90)]
    weight = rng.random(90).astype(dtype)
    weight[:6] = 0.0
    made = dataclasses.replace(net.architecture, cost=cp.costs.cross_entropy(reduction="sum"))
    plan = Plan(made, TreeSum(), 3, 60, 90, dropout=(0.3,), counts_correct=True, n_threads=1)
    order = np.arange(90)
    cuts = np.array([0, 3, 3, 6, 60, 61, 70, 80, 90])  # one is empty, one without weight
    found = []
    for engine in (CompiledEngine(), ReferenceEngine()):
        state = State(net.parameters, np.full((4, net.n_parameters), np.nan, dtype), step=11)
        found.append((state, engine.sum_leaves(plan, state, Data(X, Y, weight), order, cuts, None)))
    (mine, ours), (its, theirs) = found
    rounding = 1e-12 if dtype == "float64" else 1e-5  # of sums of 90 numbers of size 1
    np.testing.assert_allclose(mine.moments[3], its.moments[3], rtol=0, atol=rounding)
    np.testing.assert_allclose(ours.costs, theirs.costs, atol=rounding)
    np.testing.assert_array_equal(ours.correct, theirs.correct)
    assert not ours.bad
    assert not theirs.bad
    assert np.abs(its.moments[3]).max() > 0.1


MIXED = Layer(50, ["relu"] * 30 + ["mish", "elu"] * 10)
NETWORKS = {  # sizes, activation, dropout, and more of the architecture
    "wide": ([70, 60, 50, 3], "relu", (), {}),
    "narrow": ([4, 5, 3], "tanh", (), {}),
    "one output": ([9, 53, 1], "gelu", (), {}),
    "dropout": ([20, 64, 49, 3], "sigmoid", (0.3, 0.1), {}),
    "parametric, scaled": ([70, 55, 3], "parametric_silu", (), {"input_scale": True}),
    "mixed": ([6, MIXED, 3], "softplus", (), {}),
    "embedded": ([4, 50, 3], "selu", (), {"embedding": periodic(), "input_scale": True}),
}

# Rows of leaves: all fit at once, some do, and some do not though the batch is as large.
TOGETHER = {
    400: [60, 7, 113, 19, 1, 0, 80, 120],
    40: [1, 7, 40, 19, 2, 0, 13, 9],
    700: [100, 0, *[99] * 6],
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", TOGETHER)
@pytest.mark.parametrize("case", NETWORKS)
def test_a_leaf_has_the_same_bits_beside_any_others(case, batch_size, dtype, rng):
    sizes, activation, dropout, how = NETWORKS[case]
    made = build(sizes, activation, None, cp.costs.cross_entropy(reduction="sum"))
    made = dataclasses.replace(made, **how)
    n_rows, n_out = 700, made.sizes[-1]
    X = rng.normal(size=(n_rows, sizes[0])).astype(dtype)
    X[rng.random(X.shape) < 0.5] = 0.0  # some columns are empty in some leaves
    Y = rng.dirichlet(np.ones(n_out + 1), n_rows)[:, :n_out].astype(dtype)
    data, order = Data(X, Y, rng.random(n_rows).astype(dtype)), rng.permutation(n_rows)
    plan = Plan(
        made, TreeSum(), 3, batch_size, n_rows, dropout=dropout, counts_correct=True, n_threads=1
    )
    parameters = rng.normal(size=made.n_parameters).astype(dtype) / 4
    cuts, engine = np.cumsum([0, *TOGETHER[batch_size]]), CompiledEngine()

    def leaves(first, n):
        levels = np.full((n.bit_length(), len(parameters)), np.nan, dtype)
        state = State(parameters, levels, step=11 + first)
        found = engine.sum_leaves(plan, state, data, order, cuts[first : first + n + 1], None)
        return levels[-1], found

    alone = [leaves(leaf, 1) for leaf in range(8)]
    sums = [gradient for gradient, _ in alone]
    for n in (2, 4, 8):
        sums = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)]
        for node, want in enumerate(sums):
            its, parts = slice(node * n, (node + 1) * n), range(node * n, (node + 1) * n)
            gradient, found = leaves(its.start, n)
            np.testing.assert_array_equal(gradient, want, strict=True)
            np.testing.assert_array_equal(found.costs, [alone[k][1].costs[0] for k in parts])
            correct = np.concatenate([alone[k][1].correct for k in parts])
            np.testing.assert_array_equal(found.correct, correct)
    assert np.abs(sums[0]).max() > 0.1


def test_a_cost_of_ones_own_sees_a_leaf_at_a_time(rng):
    asked = []

    def fourth(a, y):
        asked.append(len(a))
        return ((a - y) ** 4).sum(axis=1)

    cost = cp.Cost("fourth", fourth, lambda a, y: 4 * (a - y) ** 3, reduction="sum")
    made = build([4, 5, 3], "tanh", None, cost)
    plan = Plan(made, TreeSum(), 3, 20, 14, n_threads=1)
    parameters = rng.normal(size=made.n_parameters)
    data = Data(rng.normal(size=(14, 4)), rng.random((14, 3)), None)
    state = State(parameters, np.zeros((3, len(parameters))))
    del asked[:]
    CompiledEngine().sum_leaves(plan, state, data, np.arange(14), np.array([0, 5, 8, 10, 14]), None)
    assert asked == [5, 3, 2, 4]
