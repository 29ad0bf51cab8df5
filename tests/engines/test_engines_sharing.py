"""Members that share layers: a step is that of the mean of their losses, by every engine."""

import dataclasses

import numpy as np
import pytest

import clearprop as cp
import oracles
from clearprop import backprop, optimizers
from clearprop.building import build
from clearprop.engines import Data, Plan, select
from clearprop.engines.members import state_of
from clearprop.engines.reference import batch_costs
from clearprop.engines.sharing import SharingEngine, stretches
from clearprop.flat_vector import shared
from test_engines import OPTIMIZERS, problem, relative

K, N = 3, 40
MADE = dataclasses.replace(
    build(
        [4, 6, 5, 3], "tanh", None, "cross_entropy", cp.embeddings.pbld(size=3, n_frequencies=2, columns=[1])
    ),
    input_scale=True,
)  # fmt: skip
EVERY = (*OPTIMIZERS, cp.ScheduleFreeAdamW(0.01))
ORDER = np.array([np.random.default_rng(k).permutation(N) for k in range(K)])


def start(dtype="float64"):
    rng = np.random.default_rng(3)
    flat = rng.normal(scale=0.5, size=(K, MADE.n_parameters))
    for block in shared(MADE.blocks):
        flat[:, block.slice] = flat[0, block.slice]
    return flat.astype(dtype)


def plan_for(optimizer=OPTIMIZERS[0], **how):
    return Plan(MADE, optimizer, 5, 16, N, n_members=K, shares_layers=True, **how)


def train(engine, plan, data, n_steps=3, stretch=3):
    parameters = start(data.X.dtype)
    state = state_of(parameters, plan.optimizer.init, 0, 0)
    runner, correct = select(engine, plan), []
    for first in range(0, n_steps, stretch):
        rates = np.full(min(stretch, n_steps - first), plan.optimizer.schedule(0.0))
        report = runner.run(plan, state, data, ORDER, rates)
        assert not report.bad
        correct.append(report.correct)
    assert isinstance(runner, SharingEngine)
    assert runner.name == engine
    return state, correct


HOW = {
    "plain": {},
    "clipped, decayed": {"clip_norm": 0.02, "l2": 0.1, "l1": 0.01},
    "dropout, counted": {"dropout": (0.3, 0.0), "counts_correct": True},
    "frozen": {"frozen": tuple(b for b in MADE.blocks if b.kind in ("scales", "embedding"))},
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("optimizer", EVERY, ids=str)
def test_the_engines_agree_and_what_is_shared_stays_so(optimizer, how):
    data, _ = problem(MADE, N, weighted=optimizer == EVERY[4])
    (wanted, right), (got, found) = (
        train(engine, plan_for(optimizer, **how), data) for engine in ("numpy", "compiled")
    )
    assert relative(got.parameters, wanted.parameters) < 1e-9
    assert relative(got.moments, wanted.moments) < 1e-8
    assert got.epoch_cost == pytest.approx(wanted.epoch_cost, rel=1e-9)
    assert [s.updates for s in got.members] == [3] * K == [s.step for s in wanted.members]
    for state in (got, wanted):
        for block in shared(MADE.blocks):
            assert (state.parameters[:, block.slice] == state.parameters[0, block.slice]).all()
            assert (state.each_moment[..., block.slice] == state.each_moment[:, :1, block.slice]).all()
    if right[0] is not None:
        np.testing.assert_array_equal(found[0], right[0])
        assert right[0].shape == (K * N,)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_step_goes_down_the_mean_of_the_members_losses(engine):
    data, _ = problem(MADE, N)
    plan = plan_for(optimizers.SGD(0.1), l2=0.1)
    parts, first = stretches(MADE.blocks), start()
    own = [part.where for part in parts if not part.is_shared]
    names = [b.name for b in MADE.blocks if b not in shared(MADE.blocks)]
    assert names == ["layers.0.scale", "layers.2.weight", "layers.2.bias"]

    def whole(unique):  # what is shared once, then each member's own
        flat, at = np.empty(first.shape, unique.dtype), 0
        for where, is_shared in parts:
            rows = 1 if is_shared else K
            n = rows * (where.stop - where.start)
            flat[:, where] = unique[at : at + n].reshape(rows, -1)
            at += n
        return flat

    unique = np.concatenate(
        [(first[:1] if is_shared else first)[:, where].ravel() for where, is_shared in parts]
    )

    def cost(flat):
        total = 0.0
        for k, parameters in enumerate(whole(flat)):
            rows = ORDER[k][:16]
            passed = backprop.forward(MADE, parameters, data.X[rows])
            of_samples = MADE.cost.of_samples(MADE.output, passed.z[-1], passed.a[-1], data.Y[rows])
            total = total + of_samples.mean()
            for block in MADE.blocks:
                if block.is_map:
                    total = total + 0.05 * (parameters[block.slice] ** 2).sum()
        return total / K

    slope = oracles.complex_step_gradient(cost, unique)
    rates = MADE.factors("lr_factor")
    state, _ = train(engine, plan, data, n_steps=1)
    moved = first - 0.1 * whole(slope) * rates
    np.testing.assert_allclose(state.parameters, moved, rtol=1e-10, atol=1e-13)
    assert not np.allclose(state.parameters[0, own[0]], state.parameters[1, own[0]])
    assert batch_costs(plan.of_member(0), backprop.forward(MADE, first[0], data.X), data.Y, None) > 0


def test_bits_do_not_depend_on_threads_or_on_how_an_epoch_is_cut():
    data, _ = problem(MADE, N, dtype="float32")
    how = {"clip_norm": 0.1, "dropout": (0.2, 0.2)}
    states = [
        train("compiled", plan_for(EVERY[5], n_threads=n, **how), data, stretch=stretch)[0]
        for n, stretch in ((1, 3), (2, 3), (2, 1))
    ]
    for state in states[1:]:
        np.testing.assert_array_equal(state.parameters, states[0].parameters)
        np.testing.assert_array_equal(state.moments, states[0].moments)


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_batches_without_weight_are_of_no_account_and_a_step_to_infinity_is_not_made(engine):
    data, _ = problem(MADE, N)
    weight = np.ones(N)
    weight[ORDER[1][:16]] = 0.0  # of the second member none is left in the first batch
    state, _ = train(engine, plan_for(), data._replace(sample_weight=weight), n_steps=1)
    own = next(part.where for part in stretches(MADE.blocks) if not part.is_shared)
    moved = (state.parameters != start())[:, own].any(axis=1)
    np.testing.assert_array_equal(moved, [True, False, True])
    nothing = data._replace(sample_weight=np.zeros(N))
    state, _ = train(engine, plan_for(), nothing, n_steps=1)
    np.testing.assert_array_equal(state.parameters, start())
    assert [s.step for s in state.members] == [1] * K
    plan = plan_for(optimizers.SGD(1e300))
    state = state_of(start("float32"), plan.optimizer.init, 0, 0)
    narrow = Data(data.X.astype("f4"), data.Y.astype("f4"), None)
    report = select(engine, plan).run(plan, state, narrow, ORDER, np.full(2, 1e300))
    assert (report.bad, report.n_steps) == (True, 0)
    np.testing.assert_array_equal(state.parameters, start("float32"))
