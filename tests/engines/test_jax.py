"""The JAX engine on the CPU: it agrees with the reference, whatever is trained, and draws the same bits."""

import dataclasses

import numpy as np
import pytest

import clearprop as cp
import test_engines_embeddings
from clearprop import costs, optimizers, randomness
from clearprop.activations import Activation
from clearprop.architecture import Layer
from clearprop.building import build
from clearprop.costs import Cost
from clearprop.engines import Plan, State, select
from clearprop.engines.interface import Course
from clearprop.engines.members import state_of
from clearprop.engines.reference import ReferenceEngine
from clearprop.flat_vector import select as select_blocks
from clearprop.flat_vector import shared
from test_engines import (
    COSTS,
    HIDDEN,
    OPTIMIZERS,
    SMALL,
    assert_agrees,
    plan_for,
    problem,
    relative,
    train,
)

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'clearprop[jax]'")
EVERY = (
    *OPTIMIZERS,
    optimizers.FoldedAdam(0.01),
    cp.ScheduleFreeAdamW(0.01, weight_decay=0.1, warmup_steps=4),
)
PENALTIES = [
    {},
    {"l2": 0.1, "counts_correct": True},
    {"l1": 0.01, "dropout": (0.4, 0.0)},
    {"l2": 0.1, "l1": 0.01, "clip_norm": 0.05},
    {"frozen": ("biases", "layers.1.weight"), "dropout": (0.3, 0.2)},
    {"l2": 0.1, "l1": 0.01, "over_batch_weight": True},
    {"n_batches": 3, "clip_norm": 1e6},
]
ALL_COSTS = [*COSTS, (costs.grouped_cross_entropy((1, 2)), "identity")]


@pytest.fixture(autouse=True)
def _jax_of_these_tests(request):
    """Have JAX compute in float64 where it is asked to, and compile in half the time where many do."""
    wanted = {"jax_enable_x64": True}
    # The product is a thousand programs; other slow tests see what XLA makes of them for users.
    is_slow = request.node.get_closest_marker("slow") and "product" not in request.node.name
    wanted["jax_disable_most_optimizations"] = not is_slow
    before = {name: jax.config.read(name) for name in wanted}
    for name, value in wanted.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def engine(**how):
    from clearprop.engines.jax.engine import JaxEngine

    return JaxEngine("jax", **how)


def agrees(plan, data, parameters, tolerance=1e-9, **how):
    assert_agrees(plan, data, parameters, tolerance, engine(**how))


def check(hidden, cost, output, optimizer, how, weighted):
    architecture = build((4, hidden, 5, 3), "tanh", output, cost)
    data, parameters = problem(architecture, 7, weighted=weighted)
    frozen = select_blocks(architecture.blocks, how.get("frozen", ()))
    agrees(plan_for(architecture, optimizer, **how | {"frozen": frozen}), data, parameters)


N_QUICK = 8  # rows: every optimizer, activation and penalty
ROWS = [pytest.param(i, marks=[pytest.mark.slow] * (i >= N_QUICK)) for i in range(len(ALL_COSTS))]


@pytest.mark.parametrize("number", ROWS)
def test_rows_of_activations_costs_optimizers_and_penalties_agree(number):
    cost, output = ALL_COSTS[7 * number % len(ALL_COSTS)]
    hidden = Layer(4, [HIDDEN[(3 * number + k) % len(HIDDEN)] for k in (0, 1, 2, 1)])
    optimizer, how = EVERY[number % len(EVERY)], PENALTIES[number % len(PENALTIES)]
    check(hidden, cost, output, optimizer, how, number % 3 == 1)


@pytest.mark.slow
@pytest.mark.parametrize("how", PENALTIES, ids=str)
@pytest.mark.parametrize("optimizer", EVERY, ids=str)
@pytest.mark.parametrize(("cost", "output"), ALL_COSTS, ids=str)
def test_the_whole_product_agrees(cost, output, optimizer, how):
    check(Layer(len(HIDDEN), HIDDEN), cost, output, optimizer, how, EVERY.index(optimizer) % 2 == 0)


@pytest.mark.parametrize("seed", [0, 5, 2**64 - 1])
def test_dropout_is_drawn_to_the_same_bits(seed):
    from clearprop.engines.jax import philox

    key = np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)
    for step, layer, rows, neurons in ((0, 0, 3, 5), (2**32 + 7, 3, 9, 4), (2**48 - 1, 4095, 2, 17)):
        clock = np.array([step & 0xFFFFFFFF, step >> 32], np.uint32)
        draw = jax.jit(philox.drawn, static_argnums=(2, 4))
        drawn = np.asarray(draw(key, clock, layer, np.arange(rows), neurons))
        assert drawn.dtype == np.uint32
        for rate in (0.1, 0.5):
            wanted = randomness.keep_mask(seed, step, layer, rows, neurons, rate)
            np.testing.assert_array_equal(drawn >= randomness.dropout_threshold(rate), wanted)


@pytest.mark.parametrize("dtype", [pytest.param("float64", marks=pytest.mark.slow), "float32"])
def test_the_bits_do_not_depend_on_how_an_epoch_is_cut(dtype):
    architecture = build(SMALL, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 41, dtype=dtype, weighted=True)
    plan = plan_for(architecture, EVERY[4], n=41, batch=4, dropout=(0.5,), counts_correct=True)
    whole, correct = train(engine(), plan, data, parameters)
    pieces, its_correct = train(engine(), plan, data, parameters, cuts=(1, 2, 7))
    np.testing.assert_array_equal(whole.parameters, pieces.parameters)
    np.testing.assert_array_equal(whole.moments, pieces.moments)
    np.testing.assert_array_equal(correct, its_correct)
    assert whole.epoch_cost == pieces.epoch_cost
    assert whole.parameters.dtype == dtype
    wanted, _ = train(ReferenceEngine(), plan, data, parameters)
    bound = 1e-9 if dtype == "float64" else 2e-4
    assert relative(whole.parameters, wanted.parameters) < bound


def test_rows_that_do_not_fit_are_sent_block_by_block_to_the_same_bits():
    architecture = build(SMALL, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 41, weighted=True)
    plan = plan_for(architecture, EVERY[4], n=41, batch=4, counts_correct=True)
    whole, correct = train(engine(), plan, data, parameters)
    # Room for the steps and a few rows.
    little = engine(memory=7000)
    sent, its_correct = train(little, plan, data, parameters)
    prepared = little._prepared[plan]
    assert prepared.placed is None
    assert 1 <= prepared.chunk < plan.steps_per_epoch
    np.testing.assert_array_equal(whole.parameters, sent.parameters)
    np.testing.assert_array_equal(correct, its_correct)


def test_a_training_that_is_too_large_for_the_device_is_refused_with_what_would_fit():
    architecture = build((40, 50, 30), "tanh", None, "quadratic")
    data, parameters = problem(architecture, 70)
    plan = plan_for(architecture, n=70, batch=60)
    with pytest.raises(ValueError, match=r"device's memory .*; a batch_size of at most [1-5]?\d fits"):
        train(engine(memory=200_000), plan, data, parameters)
    with pytest.raises(ValueError, match=r"a network of at most [\d,]+ parameters fits"):
        train(engine(memory=30_000), plan, data, parameters)


def test_what_the_device_itself_has_no_memory_for_is_said_in_the_same_way():
    from clearprop.engines.jax import memory

    architecture = build((40, 50, 30), "tanh", None, "quadratic")
    _, parameters = problem(architecture, 7)
    plan, state = plan_for(architecture), State(parameters, parameters[None])
    with (
        pytest.raises(
            ValueError, match="a step must fit in the device's memory .* fits, or the engine"
        ),
        memory.explained(plan, state, engine().devices),
    ):
        jax.numpy.zeros(2**42)


@pytest.mark.parametrize(
    "optimizer",
    [optimizers.SGD(60.0), pytest.param(optimizers.SGD(1e200, momentum=0.9), marks=pytest.mark.slow)],
    ids=str,
)
def test_what_is_not_finite_stops_it_at_the_same_step_before_its_update(optimizer):
    architecture = build(SMALL, "relu", None, "quadratic")
    data, parameters = problem(architecture, 40)
    plan = plan_for(architecture, optimizer, n=40, batch=2, counts_correct=True)
    with np.errstate(all="ignore"):
        wanted, report = train(ReferenceEngine(), plan, data, parameters)
    got, its_report = train(engine(), plan, data, parameters)
    assert report.bad
    assert its_report.bad
    assert (got.step, its_report.n_steps) == (wanted.step, report.n_steps)
    assert len(its_report.correct) == len(report.correct)
    np.testing.assert_allclose(got.parameters, wanted.parameters, rtol=1e-6)


def test_a_batch_whose_weights_are_all_zero_takes_no_step():
    architecture = build(SMALL, "tanh", None, "quadratic")
    data, parameters = problem(architecture, 6)
    data = data._replace(sample_weight=np.array([2.0, 2.0, 0.0, 0.0, 0.0, 0.0]))
    plan = plan_for(architecture, OPTIMIZERS[4], n=6, batch=2)
    state = State(parameters.copy(), plan.optimizer.init(parameters))
    run = engine().run
    run(plan, state, data, np.arange(6), np.full(1, 0.1))
    before = state.copy()
    assert not np.array_equal(before.parameters, parameters)
    run(plan, state, data, np.arange(6), np.full(2, 0.1))
    assert (state.step, state.updates) == (3, 1)
    np.testing.assert_array_equal(state.parameters, before.parameters)
    np.testing.assert_array_equal(state.moments, before.moments)


EMBEDDED = {
    "pl": {"input_scale": True},
    "plr": {},
    "plr-lite": {"ntk": True},
    "pbld": {"input_scale": True, "ntk": True},
    "categories": {"input_scale": True},
}


@pytest.mark.parametrize(
    "kind",
    [
        "categories",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("pl", "plr", "plr-lite", "pbld")),
    ],
)
def test_embeddings_scales_and_parametric_activations_agree(kind):
    hidden = Layer(6, "parametric_mish")
    made = test_engines_embeddings.network(kind, [0, 2, 3, 8], sizes=(9, hidden, 10))
    made = dataclasses.replace(made, **EMBEDDED[kind])
    data, parameters = problem(made, 23, weighted=True)
    agrees(plan_for(made, EVERY[5], n=23, batch=6, l2=0.01, dropout=(0.3,)), data, parameters)


K = 3


def members(engine_name, plan, data, n_steps=4, course=None):
    rng = np.random.default_rng(3)
    flat = rng.normal(scale=0.5, size=(K, plan.architecture.n_parameters))
    for block in shared(plan.architecture.blocks) if plan.shares_layers else ():
        flat[:, block.slice] = flat[0, block.slice]
    state = state_of(flat, plan.optimizer.init, 0, 0)
    order = np.array([np.random.default_rng(k).permutation(len(data.X)) for k in range(K)])
    rates = np.full(n_steps, plan.optimizer.schedule(0.0))
    return state, select(engine_name, plan).run(plan, state, data, order, rates, 0, course)


SHARED = {"shares_layers": True, "clip_norm": 0.05, "l2": 0.1}


@pytest.mark.parametrize("how", [pytest.param({}, marks=pytest.mark.slow), SHARED], ids=str)
def test_members_agree_alone_and_where_they_share_layers(how):
    made = dataclasses.replace(build((4, 6, 5, 3), "tanh", None, "cross_entropy"), input_scale=True)
    data, _ = problem(made, 23, weighted=True)
    optimizer = EVERY[4 if how else 7]
    plan = Plan(made, optimizer, 5, 6, 23, n_members=K, counts_correct=True, dropout=(0.3, 0.0), **how)
    course = Course(np.linspace(0, 0.5, 8).reshape(4, 2), np.linspace(0.1, 0.3, 4))
    (wanted, report), (got, its) = (
        members(name, plan, data, course=course) for name in ("numpy", "jax")
    )
    assert relative(got.parameters, wanted.parameters) < 1e-9
    assert relative(got.moments, wanted.moments) < 1e-8
    np.testing.assert_array_equal(its.correct, report.correct)
    for mine, other in zip(got.members, wanted.members, strict=True):
        assert mine.epoch_cost == pytest.approx(other.epoch_cost, rel=1e-9)
        assert (mine.step, mine.updates, mine.epoch_step) == (other.step, other.updates, 4)


@pytest.mark.slow
def test_a_member_that_diverges_stops_them_all_and_is_named():
    made = build(SMALL, "relu", None, "quadratic")
    data, _ = problem(made, 23)
    plan = Plan(made, optimizers.SGD(50.0), 5, 2, 23, n_members=K)
    with np.errstate(all="ignore"):
        _, wanted = members("numpy", plan, data, n_steps=12)
    state, report = members("jax", plan, data, n_steps=12)
    assert report.bad
    assert (report.n_steps, report.member) == (wanted.n_steps, wanted.member)
    assert [each.step for each in state.members] == [report.n_steps] * K
    assert np.isfinite(state.parameters).all()


SQUARE = Activation("my_square", lambda z: np.where(z > 0, z**2, 0 * z), lambda z: 2 * np.maximum(z, 0))
FOURTH = Cost("my_fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)


def _in_place(z):
    out = z.copy()
    out[z < 0] = 0.0
    return out


def test_functions_of_the_users_own_run_or_are_refused_with_the_reason():
    made = build((4, 5, 3), SQUARE, "identity", FOURTH)
    data, parameters = problem(made, 7)
    agrees(plan_for(made), data, 0.3 * parameters)
    strange = Activation("my_relu", _in_place, lambda z: np.where(z > 0, 1.0, 0.0))
    reason = "engine 'jax' cannot run this: activation 'my_relu' of layer 1 cannot be traced by JAX .*;"
    with pytest.raises(ValueError, match=reason):
        select("jax", plan_for(build((4, 5, 3), strange, "identity", "quadratic")))


def fit(name="jax", **how):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)
    net = cp.Network([4, 6, 3], cost="cross_entropy", output="softmax", seed=0, dtype="float64")
    how = {"epochs": 4, "batch_size": 6, "dropout": 0.2, "seed": 1, "progress": False} | how
    return net, net.fit(X, y, engine=name, validation_data=(X, y), metrics=["accuracy"], **how)


def test_a_network_is_trained_judged_and_resumed_to_the_same_bits(tmp_path, capsys):
    how = {
        "optimizer": cp.AdamW(cp.schedules.cosine(0.05, epochs=4), weight_decay=0.01),
        "label_smoothing": cp.schedules.cosine(0.1, epochs=4),
    }
    file = tmp_path / "run.safetensors"
    whole, history = fit(**how)
    other, its = fit("numpy", **how)
    np.testing.assert_allclose(whole.parameters, other.parameters, rtol=1e-9)
    for column in ("cost", "validation_cost", "validation_accuracy"):
        np.testing.assert_allclose(history[column], its[column], rtol=1e-9)
    fit(checkpoint=file, epochs=2, **how)
    resumed, its = fit(checkpoint=file, resume=True, **how)
    np.testing.assert_array_equal(resumed.parameters, whole.parameters)
    assert its["cost"] == history["cost"]
    assert not capsys.readouterr().err
    with jax.default_matmul_precision("tensorfloat32"):
        fit(checkpoint=file, resume=True, **how)
    told = "devices 1 x cpu, highest (now 1 x cpu, tensorfloat32): the run goes on, but not to the same bits"
    assert told in capsys.readouterr().err
    with pytest.raises(ValueError, match="engine is 'numpy', was 'jax'"):
        fit("numpy", checkpoint=file, resume=True, **how)


@pytest.mark.slow
def test_a_training_that_diverges_says_where():
    with pytest.raises(cp.DivergenceError, match="diverged at epoch 1, step"):
        fit(optimizer=cp.SGD(1e308, momentum=0.9))


def test_a_device_that_is_not_there_is_refused_in_a_sentence():
    with pytest.raises(
        ValueError, match="engine 'jax:tpu' has no tpu here: JAX sees cpu alone; install JAX"
    ):
        fit("jax:tpu")


def test_float64_is_refused_where_jax_has_none():
    jax.config.update("jax_enable_x64", False)
    with pytest.raises(ValueError, match="dtype 'float64' with engine 'jax' needs .*JAX_ENABLE_X64=1"):
        fit()
