"""Every engine agrees with the reference, to the tolerances stated here."""

import dataclasses
import gc
import itertools
import multiprocessing
import sys
import threading
import weakref

import joblib
import numpy as np
import pytest

from clearprop import backprop, costs, optimizers, randomness
from clearprop.activations import ACTIVATIONS, Activation
from clearprop.architecture import Layer
from clearprop.building import build
from clearprop.engines import (
    Data,
    Plan,
    State,
    calling,
    compiled,
    evaluate,
    forwards,
    helpers,
    machine_code,
    own,
    select,
)
from clearprop.engines.compiled import CompiledEngine
from clearprop.engines.reference import ReferenceEngine
from clearprop.flat_vector import select as select_blocks

HIDDEN = [name for name in ACTIVATIONS if name != "softmax"]
OPTIMIZERS = (
    optimizers.SGD(0.05),
    optimizers.SGD(0.02, momentum=0.9),
    optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    optimizers.RMSProp(0.01),
    optimizers.Adam(0.01),
    optimizers.AdamW(0.01, weight_decay=0.1),
)
COSTS = [  # (cost, an output activation that it goes with)
    ("quadratic", "identity"),
    ("quadratic", "sigmoid"),
    ("quadratic", "softmax"),
    ("squared_error", "tanh"),
    ("squared_error", "softmax"),
    ("cross_entropy", "softmax"),
    ("cross_entropy", "sigmoid"),
    ("mean_absolute_error", "identity"),
    ("mean_absolute_error", "softmax"),
    (costs.huber(0.3), "identity"),
    (costs.huber(0.3), "softmax"),
    (costs.quantile(0.2), "identity"),
    (costs.quantiles(0.8), "identity"),
    (costs.quantile(0.8), "softmax"),
    ("poisson", "exp"),
    ("poisson", "softplus"),
    (costs.quadratic("sum"), "sigmoid"),
    (costs.cross_entropy("sum"), "softmax"),
]
SMALL, LARGER = (4, 5, 3), (37, 65, 33, 10)


def problem(architecture, n, seed=0, dtype="float64", weighted=False):
    """Return data and parameters that suit an architecture."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, architecture.n_features))
    Y = rng.uniform(0.1, 1.0, size=(n, architecture.sizes[-1]))
    Y /= Y.sum(axis=1, keepdims=True)
    weight = rng.uniform(0.0, 2.0, n) if weighted else None
    if weighted:
        weight[:2] = 0.0
    parameters = np.concatenate(
        [
            rng.uniform(0.5, 1.5, b.size)
            if b.kind == "scales"
            else rng.normal(0.0, 0.7 / np.sqrt(b.shape[-1]) if b.kind == "weights" else 0.3, b.size)
            for b in architecture.blocks
        ]
    )
    data = Data(X.astype(dtype), Y.astype(dtype), None if weight is None else weight.astype(dtype))
    return data, parameters.astype(dtype)


def train(engine, plan, data, parameters, epochs=3, cuts=()):
    """Return the state and the correct samples after some epochs, each cut into stretches at `cuts`."""
    state = State(parameters.copy(), plan.optimizer.init(parameters))
    correct = []
    for epoch in range(epochs):
        order = randomness.permutation(plan.seed, plan.n_samples, step=epoch)
        state.epoch, state.epoch_step, state.epoch_cost = epoch, 0, 0.0
        rate = plan.optimizer.schedule(float(epoch))
        edges = [0, *cuts, plan.steps_per_epoch]
        for first, last in itertools.pairwise(edges):
            report = engine.run(plan, state, data, order, np.full(last - first, rate))
            if report.correct is not None:
                correct.append(report.correct)
            if report.bad:
                return state, report
            assert report.n_steps == last - first
    return state, np.concatenate(correct) if correct else report


def relative(got, wanted):
    """Return the largest difference, relative to the size of the vector's elements."""
    if not wanted.size:
        return 0.0
    scale = np.maximum(np.abs(wanted), 1e-3 * np.abs(wanted).max())
    return float((np.abs(got - wanted) / scale).max())


def assert_agrees(plan, data, parameters, tolerance=1e-9, engine=None):
    """Assert that three epochs are those of the reference, to rounding."""
    engine = engine or CompiledEngine()
    assert engine.supports(plan) is None
    wanted, correct = train(ReferenceEngine(), plan, data, parameters)
    got, its_correct = train(engine, plan, data, parameters)
    assert not np.array_equal(wanted.parameters, parameters)
    assert relative(got.parameters, wanted.parameters) < tolerance
    assert relative(got.moments, wanted.moments) < 10 * tolerance
    assert got.epoch_cost == pytest.approx(wanted.epoch_cost, rel=tolerance)
    assert (got.step, got.updates, got.epoch_step) == (wanted.step, wanted.updates, wanted.epoch_step)
    if plan.counts_correct:
        np.testing.assert_array_equal(its_correct, correct)


def plan_for(architecture, optimizer=OPTIMIZERS[0], n=7, batch=3, **how):
    return Plan(architecture, optimizer, 5, batch, n, **how)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("activation", HIDDEN)
def test_every_activation_with_every_optimizer_agrees(activation, optimizer):
    architecture = build(SMALL, activation, None, "quadratic")
    data, parameters = problem(architecture, 7)
    assert_agrees(plan_for(architecture, optimizer), data, parameters)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("cost", "output"), COSTS, ids=str)
def test_every_cost_agrees_with_and_without_weights(cost, output, weighted):
    architecture = build(SMALL, "tanh", output, cost)
    data, parameters = problem(architecture, 7, weighted=weighted)
    plan = plan_for(architecture, OPTIMIZERS[4], counts_correct=True)
    assert_agrees(plan, data, parameters)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_several_softmaxes_over_one_output_layer_agree(weighted, n_threads, dtype):
    architecture = build(LARGER, "tanh", "identity", costs.grouped_cross_entropy((3, 1, 6)))
    data, parameters = problem(architecture, 70, dtype=dtype, weighted=weighted)
    plan = plan_for(architecture, n=70, batch=32, n_threads=n_threads, l2=0.01)
    assert_agrees(plan, data, parameters, 1e-9 if dtype == "float64" else 2e-4)


def test_several_softmaxes_take_the_segments_after_those_of_mixed_activations():
    mixed = Layer(5, ["sigmoid", "tanh", "relu", "tanh", "tanh"])
    architecture = build((4, mixed, 3), None, "identity", costs.grouped_cross_entropy((1, 2)))
    data, parameters = problem(architecture, 7)
    assert_agrees(plan_for(architecture), data, parameters)


@pytest.mark.parametrize("cost", ["cross_entropy", "binary_cross_entropy", "quadratic"])
def test_a_single_sigmoid_output_agrees_and_counts_what_is_above_one_half(cost):
    architecture = build((4, 5, 1), "tanh", "sigmoid", cost)
    data, parameters = problem(architecture, 7)
    rounded = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0])[:, None]
    plan = plan_for(architecture, counts_correct=True)
    assert_agrees(plan, data._replace(Y=rounded), parameters)


COMBINATIONS = [
    dict(zip(("l2", "l1", "clip_norm", "frozen", "dropout", "weighted"), row, strict=True))
    for row in (
        (0.1, 0.0, None, (), (), False),
        (0.0, 0.01, None, (), (), True),
        (0.1, 0.01, 0.05, (), (), False),
        (0.0, 0.0, 0.05, ("biases",), (0.4, 0.0), True),
        (0.0, 0.0, None, ("layers.0.weight",), (0.4, 0.2), False),
        (0.1, 0.0, None, ("layers.1.bias", "layers.1.weight"), (0.0, 0.5), True),
        (0.0, 0.01, 1e6, ("layers.2.weight",), (0.3, 0.3), False),
    )
]


@pytest.mark.parametrize("how", COMBINATIONS, ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_penalties_clipping_freezing_dropout_and_weights_agree(optimizer, how):
    architecture = build(LARGER, "tanh", "softmax", "cross_entropy")
    how = dict(how)
    data, parameters = problem(architecture, 101, weighted=how.pop("weighted"))
    how["frozen"] = select_blocks(architecture.blocks, how["frozen"])
    plan = plan_for(architecture, optimizer, n=101, batch=32, counts_correct=True, **how)
    assert_agrees(plan, data, parameters)


@pytest.mark.parametrize("batch", [1, 2, 7, 40, 101])
@pytest.mark.parametrize("sizes", [(1, 1), (2, 1, 3), (17, 16, 15, 2), LARGER], ids=str)
def test_every_batch_size_and_odd_shapes_agree(sizes, batch):
    architecture = build(sizes, "sigmoid", "identity", "squared_error")
    data, parameters = problem(architecture, 101)
    assert_agrees(plan_for(architecture, n=101, batch=batch), data, parameters)


SCALED = [
    {},
    {"l2": 0.1, "l1": 0.01, "dropout": (0.4, 0.0), "weighted": True},
    {"clip_norm": 0.05},
    {"frozen": ("scales",)},
    {"frozen": ("weights", "biases")},
    {"over_batch_weight": True, "l2": 0.1, "weighted": True},
]


@pytest.mark.parametrize(("input_scale", "ntk"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("how", SCALED, ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_an_input_scale_and_the_neural_tangent_parametrisation_agree(optimizer, how, input_scale, ntk):
    made = build(LARGER, "selu", "softmax", "cross_entropy")
    architecture = dataclasses.replace(made, input_scale=input_scale, ntk=ntk)
    how = dict(how)
    frozen = [name for name in how.pop("frozen", ()) if name != "scales" or input_scale]
    if frozen == ["weights", "biases"] and not input_scale:
        frozen = ["biases"]
    how["frozen"] = select_blocks(architecture.blocks, frozen)
    data, parameters = problem(architecture, 101, weighted=how.pop("weighted", False))
    plan = plan_for(architecture, optimizer, n=101, batch=32, counts_correct=True, **how)
    assert select("auto", plan).name == "compiled"
    assert_agrees(plan, data, parameters)


def test_several_activations_in_a_layer_and_missing_biases_agree():
    mixed = [*HIDDEN, *HIDDEN[:5], "relu", "relu"]
    layers = [6, Layer(len(mixed), mixed, bias=False), 5, Layer(3, ["sigmoid", "tanh", "identity"])]
    architecture = build(layers, "tanh", None, "squared_error")
    data, parameters = problem(architecture, 20)
    plan = plan_for(architecture, n=20, batch=6, dropout=(0.3, 0.0))
    assert_agrees(plan, data, parameters)


def test_a_batch_whose_weights_are_all_zero_takes_no_step():
    architecture = build(SMALL, "tanh", None, "quadratic")
    data, parameters = problem(architecture, 6)
    order = np.arange(6)
    data = data._replace(sample_weight=np.array([0.0, 0.0, 2.0, 2.0, 0.0, 0.0]))
    plan = plan_for(architecture, OPTIMIZERS[4], n=6, batch=2)
    state = State(parameters.copy(), plan.optimizer.init(parameters))
    CompiledEngine().run(plan, state, data, order, np.full(1, 0.1))
    np.testing.assert_array_equal(state.parameters, parameters)
    CompiledEngine().run(plan, state, data, order, np.full(2, 0.1))
    assert (state.step, state.updates) == (3, 1)
    assert not np.array_equal(state.parameters, parameters)


FLOAT32 = [
    ("sigmoid", None, "quadratic", OPTIMIZERS[0], 2e-5),
    ("tanh", "softmax", "cross_entropy", OPTIMIZERS[4], 2e-3),
    ("selu", None, "squared_error", OPTIMIZERS[1], 1e-4),
    ("gelu", "softmax", "quadratic", OPTIMIZERS[0], 2e-5),
    ("mish", "sigmoid", "cross_entropy", OPTIMIZERS[2], 1e-4),
    ("scaled_tanh", "softplus", "poisson", OPTIMIZERS[0], 1e-4),
]


@pytest.mark.parametrize(("activation", "output", "cost", "optimizer", "bound"), FLOAT32, ids=str)
def test_float32_agrees_with_the_float64_reference(activation, output, cost, optimizer, bound):
    architecture = build(LARGER, activation, output, cost)
    data, parameters = problem(architecture, 101)
    plan = plan_for(architecture, optimizer, n=101, batch=32, dropout=(0.2, 0.0))
    wanted, _ = train(ReferenceEngine(), plan, data, parameters)
    narrow = Data(data.X.astype("float32"), data.Y.astype("float32"), None)
    got, _ = train(CompiledEngine(), plan, narrow, parameters.astype("float32"))
    assert got.parameters.dtype == np.float32
    change = np.abs(wanted.parameters - parameters).max()
    assert np.abs(got.parameters - wanted.parameters).max() < bound * max(change, 1.0)
    assert got.epoch_cost == pytest.approx(wanted.epoch_cost, rel=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(75, 9, 3), (4, 5, 3), (17, 3)], ids=str)
def test_the_next_samples_product_has_the_same_bits_within_a_stretch_as_at_its_beginning(sizes, dtype):
    """Plain SGD on one sample a step makes it while it moves W; a stretch begins without."""
    architecture = build(sizes, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 7, dtype=dtype)
    plan = plan_for(architecture, optimizers.SGD(0.05), n=7, batch=1)
    whole, _ = train(CompiledEngine(), plan, data, parameters)
    pieces, _ = train(CompiledEngine(), plan, data, parameters, cuts=(1, 2, 4, 5))
    np.testing.assert_array_equal(whole.parameters, pieces.parameters)
    assert whole.epoch_cost == pieces.epoch_cost


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bits_do_not_depend_on_how_an_epoch_is_cut(dtype):
    architecture = build(LARGER, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 101, dtype=dtype, weighted=True)
    plan = plan_for(
        architecture, OPTIMIZERS[4], n=101, batch=8, dropout=(0.5, 0.0), counts_correct=True
    )
    whole, correct = train(CompiledEngine(), plan, data, parameters)
    pieces, its_correct = train(CompiledEngine(), plan, data, parameters, cuts=(1, 2, 7, 12))
    np.testing.assert_array_equal(whole.parameters, pieces.parameters)
    np.testing.assert_array_equal(whole.moments, pieces.moments)
    np.testing.assert_array_equal(correct, its_correct)
    assert whole.epoch_cost == pieces.epoch_cost


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cost_that_is_not_finite_stops_at_the_same_step_before_its_update(dtype):
    architecture = build(SMALL, "relu", None, "quadratic")
    data, parameters = problem(architecture, 40, dtype=dtype)
    plan = plan_for(architecture, optimizers.SGD(60.0), n=40, batch=2, counts_correct=True)
    with np.errstate(all="ignore"):
        wanted, report = train(ReferenceEngine(), plan, data, parameters)
    got, its_report = train(CompiledEngine(), plan, data, parameters)
    assert report.bad
    assert its_report.bad
    assert (got.step, its_report.n_steps) == (wanted.step, report.n_steps)
    assert len(its_report.correct) == len(report.correct)
    assert np.isfinite(got.parameters).all()


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_nan_in_the_data_is_never_lost_on_its_way_to_the_cost(activation, dtype):
    architecture = build(SMALL, activation, None, "quadratic")
    data, parameters = problem(architecture, 6, dtype=dtype)
    data.X[3, 1] = np.nan
    plan = plan_for(architecture, n=6, batch=2)
    state = State(parameters, plan.optimizer.init(parameters))
    report = CompiledEngine().run(plan, state, data, np.arange(6), np.full(3, 0.01))
    assert (report.bad, report.n_steps) == (True, 1)


def _shifted(z):
    out = z.copy()  # what a number does not have
    out[z < 0] *= 0.5
    return out


def uncompilable():
    """Return an activation of which Numba makes nothing: it works on arrays only."""
    return Activation(
        "square", lambda z: _shifted(z) ** 2, lambda z: 2 * _shifted(z) * (1 - (z < 0) / 2)
    )


SOFT_RELU = Activation(
    "soft_relu",
    lambda z: np.where(z > 0.3, z, 0.1 * z + 0.27 * np.exp(np.minimum(z, 0.3) - 0.3)),
    lambda z: np.where(z > 0.3, 1.0, 0.1 + 0.27 * np.exp(np.minimum(z, 0.3) - 0.3)),
)


@pytest.mark.parametrize("optimizer", OPTIMIZERS[::4], ids=str)
@pytest.mark.usefixtures("threads_for_any_size")
def test_an_activation_of_the_users_own_runs_compiled_and_the_kernels_are_not_compiled_again(optimizer):
    mixed = [SOFT_RELU] * 70 + ["tanh"] * 60 + [SOFT_RELU] * 70
    architecture = build([37, 65, Layer(200, mixed), Layer(3, SOFT_RELU)], SOFT_RELU, None, "quadratic")
    data, parameters = problem(architecture, 101)
    plan = plan_for(architecture, optimizer, n=101, batch=32, dropout=(0.2, 0.0))
    machine_code.code(np.dtype("float64"))
    before = machine_code.compiled
    assert select("auto", plan).name == "compiled"
    assert_agrees(plan, data, parameters)
    assert machine_code.compiled == before
    wanted = backprop.forward(architecture, parameters, data.X).a[-1]
    np.testing.assert_allclose(
        CompiledEngine().predict(architecture, parameters, data.X), wanted, rtol=1e-11
    )
    narrow = CompiledEngine().predict(architecture, parameters.astype("f4"), data.X.astype("f4"))
    np.testing.assert_allclose(narrow, wanted, rtol=1e-5, atol=1e-6)
    alone, several = (
        train(CompiledEngine(), dataclasses.replace(plan, n_threads=n), data, parameters)[0]
        for n in (1, 3)
    )
    np.testing.assert_allclose(several.parameters, alone.parameters, rtol=1e-12)


CANCELLING = {  # slopes of which, far out, rounding leaves nothing else
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "scaled": (lambda z: 1.7159 * np.tanh(2 * z / 3), lambda z: 1.7159 * 2 / 3 * (1 - np.tanh(2 * z / 3) ** 2)),
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: (1 / (1 + np.exp(-z))) * (1 - 1 / (1 + np.exp(-z)))),
    "softplus": (lambda z: np.log(1 + np.exp(z)), lambda z: 1 - 1 / (1 + np.exp(z))),
}  # fmt: skip


@pytest.mark.parametrize("name", CANCELLING)
@pytest.mark.filterwarnings("error")
def test_an_activation_of_the_users_own_whose_slope_cancels_runs_compiled(name):
    activation = Activation(f"my {name}", *CANCELLING[name])
    architecture = build(SMALL, activation, None, "quadratic")
    data, parameters = problem(architecture, 7)
    plan = plan_for(architecture)
    assert select("auto", plan).name == "compiled"
    assert_agrees(plan, data, parameters)


@pytest.mark.parametrize("wrong_by", [1e-15, 1e-10])
def test_compiled_code_that_is_not_the_users_activation_is_not_taken(wrong_by):
    compiled_one, other = (
        Activation(
            "shifted",
            lambda z, each=each: np.tanh(z) + each,
            lambda z: 1 - np.tanh(z) ** 2,
        )
        for each in (0.0, wrong_by)
    )
    kind = np.dtype("float64")
    agrees = own._agrees(other, kind, own.address_of(compiled_one, kind))
    assert agrees == (wrong_by < 1e-12)


OWN_COSTS = [
    costs.Cost(
        "fourth",
        lambda a, y: ((a - y) ** 4).sum(axis=1),
        lambda a, y: 4 * (a - y) ** 3,
        reduction="sum",
    ),
    costs.Cost(  # of outputs that belong together
        "distance",
        lambda a, y: np.sqrt(1.0 + ((a - y) ** 2).sum(axis=1)),
        lambda a, y: (a - y) / np.sqrt(1.0 + ((a - y) ** 2).sum(axis=1)).reshape(-1, 1),
    ),
]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("output", ["identity", "softmax", "tanh"])
@pytest.mark.parametrize("cost", OWN_COSTS, ids=str)
@pytest.mark.usefixtures("threads_for_any_size")
def test_a_cost_of_the_users_own_is_called_by_the_compiled_engine(cost, output, n_threads):
    architecture = build(SMALL, "tanh", output, cost)
    data, parameters = problem(architecture, 7, weighted=True)
    plan = plan_for(architecture, OPTIMIZERS[4], clip_norm=0.5, n_threads=n_threads)
    assert select("auto", plan).name == "compiled"
    before = machine_code.compiled
    assert_agrees(plan, data, parameters)
    assert machine_code.compiled == before
    narrow = Data(*(each.astype("f4") for each in (data.X, data.Y, data.sample_weight)))
    got = train(CompiledEngine(), plan, narrow, parameters.astype("f4"))[0]
    wanted = train(ReferenceEngine(), plan, narrow, parameters.astype("f4"))[0]
    assert relative(got.parameters, wanted.parameters) < 1e-4


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("problem_of", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.usefixtures("threads_for_any_size")
def test_what_a_cost_of_the_users_own_raises_is_raised_and_its_step_is_not_made(n_threads, problem_of):
    calls, fourth = [], OWN_COSTS[0]

    def value(a, y):
        calls.append(len(a))
        if calls[0] == 0 and len(calls) > 1 + n_threads:  # in the second step
            raise problem_of("mine")
        return fourth.value(a, y)

    architecture = build(SMALL, "tanh", None, costs.Cost("mine", value, fourth.derivative))
    data, parameters = problem(architecture, 7)
    plan, engine = plan_for(architecture, OPTIMIZERS[0], batch=3, n_threads=n_threads), CompiledEngine()
    state = State(parameters.copy(), plan.optimizer.init(parameters))
    calls[:] = [0]
    with pytest.raises(problem_of, match="mine"):
        engine.run(plan, state, data, np.arange(7), np.full(3, 0.1))
    assert state.step == 1
    calls[:] = [1]  # and the next run knows nothing of it
    state = State(parameters.copy(), plan.optimizer.init(parameters))
    assert engine.run(plan, state, data, np.arange(7), np.full(3, 0.1)).n_steps == 3


def test_a_cost_of_the_users_own_does_not_keep_the_workspace_of_a_training_that_is_over():
    architecture = build(SMALL, "tanh", None, OWN_COSTS[0])
    data, parameters = problem(architecture, 7)
    plan, engine = plan_for(architecture, OPTIMIZERS[0]), CompiledEngine()
    train(engine, plan, data, parameters)
    work = engine._prepared[plan].work
    gone = weakref.ref(work if work.base is None else work.base)
    del work
    gc.collect()
    gc.disable()
    try:
        del engine
        assert gone() is None
    finally:
        gc.enable()


def test_a_cost_that_is_not_finite_stops_a_training_with_a_cost_of_the_users_own():
    logarithm = costs.Cost("logarithm", lambda a, y: -(y * np.log(a)).sum(axis=1), lambda a, y: -y / a)
    architecture = build(SMALL, "tanh", "identity", logarithm)
    data, parameters = problem(architecture, 7)
    plan = plan_for(architecture, OPTIMIZERS[0])
    got, _ = train(CompiledEngine(), plan, data, parameters)
    wanted, _ = train(ReferenceEngine(), plan, data, parameters)
    assert got.step == wanted.step


def test_what_is_not_built_in_is_named_with_a_reason():
    square = uncompilable()
    value, derivative = OWN_COSTS[0].value, OWN_COSTS[0].derivative
    form = costs.Canonical(value, derivative)
    of_z = costs.Cost("of z", value, derivative, canonical={"tanh": form})
    engine = CompiledEngine()
    assert "square" in engine.supports(plan_for(build(SMALL, square, None, "quadratic")))
    assert "of z" in engine.supports(plan_for(build(SMALL, "tanh", "tanh", of_z)))
    lbfgs = plan_for(build(SMALL, "tanh", None, "quadratic"), optimizers.LBFGS())
    assert "LBFGS" in engine.supports(lbfgs)
    mixed = build([4, Layer(2, [square, "tanh"]), 3], "tanh", None, "quadratic")
    assert "square" in engine.supports(plan_for(mixed))


def test_auto_is_the_compiled_engine_where_it_can_and_says_so_where_it_cannot():
    plan = plan_for(build(SMALL, "tanh", None, "quadratic"))
    assert select("auto", plan).name == "compiled"
    assert select("compiled", plan).name == "compiled"
    assert select("numba", plan).name == "compiled"  # its first name
    assert select("numpy", plan).name == "numpy"
    square = uncompilable()
    strange = plan_for(build(SMALL, square, None, "quadratic"))
    with pytest.warns(
        UserWarning, match=r"'numpy', which is slower: Numba cannot compile activation 'square'"
    ):
        assert select("auto", strange).name == "numpy"
    with pytest.raises(
        ValueError, match="'compiled' cannot run this: Numba cannot compile activation 'square'"
    ):
        select("compiled", strange)


@pytest.fixture
def threads_for_any_size(monkeypatch):
    monkeypatch.setattr(compiled, "WORTH_A_THREAD", 1)


@pytest.mark.parametrize("n_threads", [2, 3, 5])
@pytest.mark.parametrize("optimizer", OPTIMIZERS[::4], ids=str)
@pytest.mark.parametrize(
    "how", [{}, {"clip_norm": 0.05, "l1": 0.01}, {"dropout": (0.4, 0.2, 0.0)}], ids=str
)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.usefixtures("threads_for_any_size")
def test_any_number_of_threads_agrees_and_repeats_its_bits(n_threads, optimizer, how, scaled):
    mixed = ["tanh"] * 70 + ["sigmoid"] * 130
    layers = (37, Layer(200, mixed), 65, 130, 10)
    architecture = build(layers, "tanh", "softmax", "cross_entropy")
    architecture = dataclasses.replace(architecture, input_scale=scaled, ntk=scaled)
    data, parameters = problem(architecture, 101, weighted=True)
    plan = plan_for(
        architecture, optimizer, n=101, batch=32, counts_correct=True, n_threads=n_threads, **how
    )
    assert_agrees(plan, data, parameters)
    first, again = (train(CompiledEngine(), plan, data, parameters)[0] for _ in range(2))
    np.testing.assert_array_equal(first.parameters, again.parameters)


@pytest.mark.parametrize("n_rows", [0, 1, 5, 300])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("scaled", [False, True])
def test_predictions_are_the_forward_pass_of_the_reference(n_rows, n_threads, scaled, monkeypatch):
    monkeypatch.setattr(forwards, "PREDICTION_WORTH_A_THREAD", 1)
    layers = (37, Layer(19, ["tanh"] * 9 + ["gelu"] * 10, bias=False), 65, 10)
    architecture = build(layers, "selu", "softmax", "cross_entropy")
    architecture = dataclasses.replace(architecture, input_scale=scaled, ntk=scaled)
    data, parameters = problem(architecture, n_rows)
    wanted = backprop.forward(architecture, parameters, data.X).a[-1]
    got = CompiledEngine().predict(architecture, parameters, data.X, n_threads)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=0)
    narrow = CompiledEngine().predict(
        architecture, parameters.astype("f4"), data.X.astype("f4")[:, :], n_threads
    )
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("cost", "output"), COSTS, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_an_evaluation_is_the_references(cost, output, weighted):
    architecture = build(LARGER, "tanh", output, cost)
    data, parameters = problem(architecture, 300, weighted=weighted)
    wanted = evaluate(architecture, parameters, data, "numpy")
    got = evaluate(architecture, parameters, data, "compiled")
    assert not np.array_equal(got[0], wanted[0])  # the engines differ by rounding: both were used
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-11)
    assert got[1] == pytest.approx(wanted[1], rel=1e-12)


def every_size(dtype, highest):
    """Return numbers of every exponent and both signs, up to a size."""
    whole, step = {"float32": (np.int32, 30011), "float64": (np.int64, 30011 << 32)}[dtype]
    bits = np.arange(0, np.array(highest, dtype).view(whole), step, dtype=whole)
    positive, highest = bits.view(dtype), np.array([highest], dtype)
    return np.concatenate([-positive[::-1], positive, -highest, highest])


def through(activation, z):
    """Return f(z) by the compiled engine: a network of one weight, which is 1."""
    architecture = build((1, 1), "tanh", activation, "quadratic")
    return CompiledEngine().predict(architecture, np.array([1, 0], z.dtype), z[:, None])[:, 0]


ERRORS = [  # the largest error in float32 (2^29 times that in float64), relative to |f(z)| or to `scale(z)`
    ("exp", 2.0e-7, None),
    ("sigmoid", 3.0e-7, None),
    ("tanh", 4.0e-7, None),
    ("scaled_tanh", 5.0e-7, None),
    ("elu", 3.0e-7, None),
    ("selu", 3.0e-7, None),
    ("silu", 4.0e-7, None),
    ("softplus", 4.0e-7, None),
    ("mish", 6.0e-7, None),
    ("gelu", 4.0e-7, np.abs),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("activation", "bound", "scale"), ERRORS, ids=str)
def test_functions_are_as_exact_as_stated_over_the_whole_range(activation, bound, scale, dtype):
    wider = {"float32": np.float64, "float64": np.longdouble}[dtype]
    if np.finfo(wider).eps >= np.finfo(dtype).eps or (activation, dtype) == ("gelu", "float64"):
        pytest.skip("no oracle: SciPy's erfc, or NumPy's longdouble, is float64")
    z = every_size(dtype, {"float32": 88.0, "float64": 700.0}[dtype])
    wide = z.astype(wider)
    wanted = ACTIVATIONS[activation](wide)
    got = through(activation, z).astype(wider)
    size = np.abs(wanted) if scale is None else scale(wide)
    error = np.abs(got - wanted) / np.maximum(size, np.finfo(dtype).tiny)
    assert error.max() < bound * np.finfo(dtype).eps / np.finfo(np.float32).eps


@pytest.mark.parametrize("activation", HIDDEN)
def test_float32_functions_are_honest_beyond_their_range(activation):
    z = np.float32([-1e4, -200.0, -104.5, 89.5, 200.0, 1e4])
    with np.errstate(over="ignore"):
        wanted = ACTIVATIONS[activation](z.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(through(activation, z), wanted, rtol=1e-6, atol=1e-38)


def test_another_architecture_compiles_nothing():
    def run(sizes, activation, optimizer, **how):
        architecture = build(sizes, activation, None, "quadratic")
        data, parameters = problem(architecture, 9, dtype="float32")
        data.X.flags.writeable = False
        plan = plan_for(architecture, optimizer, n=9, batch=4, **how)
        train(CompiledEngine(), plan, data, parameters)
        CompiledEngine().predict(architecture, parameters, data.X[:3])

    run(SMALL, "tanh", OPTIMIZERS[0])
    before = machine_code.compiled
    run((3, 9, 9, 2), "gelu", OPTIMIZERS[4], l1=0.1, clip_norm=1.0, dropout=(0.5, 0.0))
    assert machine_code.compiled == before


def test_many_threads_predict_with_one_network_at_once():
    architecture = build(LARGER, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 3)
    engine = CompiledEngine()
    wanted = engine.predict(architecture, parameters, data.X)

    def agrees():
        return all(
            np.array_equal(engine.predict(architecture, parameters, data.X), wanted) for _ in range(300)
        )

    with joblib.parallel_backend("threading", n_jobs=4):
        assert all(joblib.Parallel(timeout=60)(joblib.delayed(agrees)() for _ in range(8)))


def assert_ends_well(process, timeout):
    process.join(timeout)
    alive = process.is_alive()
    process.kill()
    assert not alive
    assert process.exitcode == 0


def assert_agrees_in_a_child_and_in_threads(agrees):
    child = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(not agrees()))
    child.start()
    assert_ends_well(child, timeout=60)
    with joblib.parallel_backend("threading", n_jobs=3):
        assert all(joblib.Parallel(timeout=60)(joblib.delayed(agrees)() for _ in range(6)))


@pytest.mark.usefixtures("threads_for_any_size")
def test_threads_work_after_a_fork_and_inside_joblib():
    architecture = build(LARGER, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 101)
    plan = plan_for(architecture, OPTIMIZERS[4], n=101, batch=32, n_threads=2)
    wanted, _ = train(CompiledEngine(), plan, data, parameters)

    def agrees():
        got, _ = train(CompiledEngine(), plan, data, parameters)
        return np.array_equal(got.parameters, wanted.parameters)

    assert_agrees_in_a_child_and_in_threads(agrees)


CUT = [((1100, 130, 3), 20), ((7, 530, 9), 530), ((400, 150, 70, 3), 101)]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS[::4], ids=str)
@pytest.mark.parametrize(("sizes", "batch"), CUT, ids=str)
@pytest.mark.usefixtures("threads_for_any_size")
def test_products_that_are_cut_to_fit_the_cache_agree(sizes, batch, optimizer, n_threads):
    architecture = build(sizes, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, batch + 3)
    plan = plan_for(architecture, optimizer, n=batch + 3, batch=batch, n_threads=n_threads)
    assert_agrees(plan, data, parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_in", [1, 17, 383, 390])
@pytest.mark.parametrize("n_out", [1, 17, 140])
@pytest.mark.parametrize("n_rows", [1, 47, 48, 113])
def test_products_of_any_shape_are_those_of_numpy(n_rows, n_out, n_in, dtype):
    """One step of SGD on a layer of identities: z = a W^T, and dC/dW = delta^T a."""
    architecture = build((n_in, n_out), "identity", "identity", "quadratic")
    data, parameters = problem(architecture, n_rows, dtype=dtype)
    W, b = parameters[:-n_out].reshape(n_out, n_in).astype(float), parameters[-n_out:].astype(float)
    X, Y = (np.asarray(part, float) for part in data[:2])
    z = X @ W.T + b
    bound = 1e-12 if dtype == "float64" else 3e-5
    got = CompiledEngine().predict(architecture, parameters, data.X)
    np.testing.assert_allclose(got, z, rtol=bound, atol=bound)
    plan = plan_for(architecture, optimizers.SGD(1.0), n=n_rows, batch=n_rows)
    moved = train(CompiledEngine(), plan, data, parameters, epochs=1)[0].parameters[:-n_out]
    wanted = (W - (z - Y).T @ X / n_rows).ravel()
    np.testing.assert_allclose(moved, wanted, rtol=bound, atol=bound)


def some_columns_zero(X, seed=3):
    """Return inputs most of which are zero, some columns all along; of any three neighbours one is."""
    rng = np.random.default_rng(seed)
    X = X * (rng.random(X.shape) < 0.1)
    X[:, rng.random(X.shape[1]) < 0.3] = 0.0
    X[:, 16:40] = 0.0
    X[5:12] = 0.0  # whole rows
    return X


@pytest.mark.parametrize("batch", [1, 3, 40, 60])
@pytest.mark.parametrize("how", [{}, {"l2": 0.01}, {"frozen": True}], ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS[::4], ids=str)
@pytest.mark.parametrize("sizes", [(75, 9, 3), (78, 68, 3)], ids=str)
def test_inputs_that_are_zero_in_a_whole_batch_change_nothing(sizes, optimizer, how, batch):
    architecture = build(sizes, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 127)
    how = {"frozen": (architecture.blocks[1],)} if "frozen" in how else how
    plan = plan_for(architecture, optimizer, n=127, batch=batch, **how)
    assert_agrees(plan, data._replace(X=some_columns_zero(data.X)), parameters)


WIDE_ZEROS = [((1003, 131, 3), 60), ((230, 66, 9), 450), ((201, 61, 70, 3), 101), ((101, 61, 3), 600)]


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS[::4], ids=str)
@pytest.mark.parametrize("how", [{}, {"clip_norm": 0.05, "l1": 0.01}, {"l2": 0.01}], ids=str)
@pytest.mark.parametrize(("sizes", "batch"), WIDE_ZEROS, ids=str)
@pytest.mark.usefixtures("threads_for_any_size")
def test_large_batches_with_columns_of_zeros_agree(sizes, batch, how, optimizer, n_threads):
    architecture = build(sizes, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, batch + 55)
    data = data._replace(X=some_columns_zero(data.X))
    plan = plan_for(architecture, optimizer, n=batch + 55, batch=batch, n_threads=n_threads, **how)
    assert_agrees(plan, data, parameters)


def next_to_nothing(X):
    """Return inputs without columns of zeros, whose products vanish beside any other number."""
    tiny = np.array(1e-300 if X.dtype == np.float64 else 1e-42, X.dtype)
    return np.where((X == 0).all(axis=0), tiny, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS[:3], ids=str)
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.usefixtures("threads_for_any_size")
def test_columns_of_zeros_in_a_large_batch_do_not_change_a_bit(n_threads, optimizer, dtype):
    architecture = build((807, 103, 50, 3), "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 150, dtype=dtype)
    X = some_columns_zero(data.X)
    plan = plan_for(architecture, optimizer, n=150, batch=100, n_threads=n_threads)
    got, wanted = (
        train(CompiledEngine(), plan, data._replace(X=x), parameters)[0]
        for x in (X, next_to_nothing(X))
    )
    np.testing.assert_array_equal(got.parameters, wanted.parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_prediction_does_not_depend_on_what_is_zero_in_the_rows_beside_it(
    dtype, n_threads, monkeypatch
):
    monkeypatch.setattr(forwards, "PREDICTION_WORTH_A_THREAD", 1)
    architecture = build((807, 103, 50, 3), "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 700, dtype=dtype)
    X = some_columns_zero(data.X)
    X[:60, ::2] = 0.0
    predict = CompiledEngine().predict
    got = predict(architecture, parameters, X, n_threads)
    np.testing.assert_array_equal(got, predict(architecture, parameters, next_to_nothing(X), n_threads))
    np.testing.assert_array_equal(got[:60], predict(architecture, parameters, X[:60], 1))
    wanted = backprop.forward(architecture, parameters.astype("f8"), X.astype("f8")).a[-1]
    np.testing.assert_allclose(got, wanted, rtol=1e-12 if dtype == "float64" else 1e-4)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.usefixtures("threads_for_any_size")
def test_zero_times_a_weight_that_is_not_finite_is_not_taken_for_zero(value, n_threads, monkeypatch):
    monkeypatch.setattr(forwards, "PREDICTION_WORTH_A_THREAD", 1)
    architecture = build((75, 60, 3), "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 90)
    data = data._replace(X=some_columns_zero(data.X))
    parameters[20] = value  # input 20 is zero everywhere
    assert np.isnan(CompiledEngine().predict(architecture, parameters, data.X, n_threads)).all()
    for engine in (ReferenceEngine(), CompiledEngine()):
        _, report = train(
            engine, plan_for(architecture, n=90, batch=90, n_threads=n_threads), data, parameters
        )
        assert (report.bad, report.n_steps) == (True, 0)


def test_predictions_in_several_threads_start_those_once(monkeypatch):
    monkeypatch.setattr(forwards, "PREDICTION_WORTH_A_THREAD", 1)
    architecture = build(SMALL, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 300)
    first = CompiledEngine().predict(architecture, parameters, data.X, n_threads=2)
    running = threading.active_count()
    for _ in range(5):
        again = CompiledEngine().predict(architecture, parameters, data.X, n_threads=2)
        np.testing.assert_array_equal(again, first)
    assert threading.active_count() == running


def test_omp_num_threads_is_the_most_unless_threads_are_asked_for(monkeypatch):
    monkeypatch.setattr(helpers.os, "sched_getaffinity", lambda pid: range(8), raising=False)
    monkeypatch.setattr(calling.low, "address_of_yield", lambda: 1)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert calling.how_many_threads(None, 100) == 8
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert calling.how_many_threads(None, 100) == 2
    assert calling.how_many_threads(3, 100) == 3
    assert calling.how_many_threads(None, 1) == 1
    for unread in ("", "0", "4,2"):
        monkeypatch.setenv("OMP_NUM_THREADS", unread)
        assert calling.how_many_threads(None, 100) == 8


@pytest.mark.parametrize("n_rows", [1, 47, 130])
def test_an_input_that_is_not_finite_is_found_wherever_it_is(n_rows):
    architecture = build(SMALL, "tanh", "sigmoid", "quadratic")
    data, parameters = problem(architecture, n_rows)
    forward = compiled.forward_of(architecture, parameters.dtype)
    out, finite = forward.look_and_pass(parameters, data.X)
    assert finite
    np.testing.assert_array_equal(out, forward(parameters, data.X))
    for value in (np.nan, np.inf, -np.inf):
        for place in ((0, 0), (n_rows - 1, SMALL[0] - 1), (n_rows // 2, 1)):
            X = data.X.copy()
            X[place] = value
            assert not forward.look_and_pass(parameters, X)[1]
    assert forward.look_and_pass(parameters, data.X)[1]


def test_threads_lay_the_weights_out_together_and_see_what_any_of_them_sees(monkeypatch):
    monkeypatch.setattr(forwards, "PREDICTION_WORTH_A_THREAD", 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    architecture = build([21, 35, 34, 3], "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 400)
    forward = compiled.forward_of(architecture, parameters.dtype)
    wanted = backprop.forward(architecture, parameters, data.X).a[-1]
    for n_threads in (1, 2, 3, 5):
        np.testing.assert_allclose(forward(parameters, data.X, n_threads), wanted, rtol=1e-11)
        X = data.X.copy()
        X[-1, -1] = np.nan
        assert not forward.look_and_pass(parameters, X, n_threads)[1]


@pytest.mark.parametrize("engine", [ReferenceEngine(), CompiledEngine()], ids=lambda each: each.name)
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(
    ("optimizer", "how"),
    [
        (optimizers.SGD(3e38), {}),
        (optimizers.SGD(1e3), {"l2": 1e6}),  # weights that decay by more than themselves
        (optimizers.SGD(3e38, momentum=0.9), {}),
        (optimizers.Adam(1e38), {}),
        (optimizers.AdamW(1e3, weight_decay=1e7), {}),
    ],
    ids=str,
)
@pytest.mark.usefixtures("threads_for_any_size")
def test_a_step_that_would_leave_the_finite_numbers_is_not_made(engine, n_threads, optimizer, how):
    architecture = build(SMALL, "sigmoid", "sigmoid", "cross_entropy")
    data, parameters = problem(architecture, 7, dtype="float32")
    plan = dataclasses.replace(plan_for(architecture, optimizer, **how), n_threads=n_threads)
    rates = np.full(200, optimizer.schedule(0.0))
    order = np.tile(np.arange(7), 200)[: 3 * 200]
    plan = dataclasses.replace(plan, n_samples=600)

    def after(rates):
        state = State(parameters.copy(), optimizer.init(parameters))
        return state, engine.run(plan, state, data, order, rates)

    with np.errstate(all="ignore"):
        state, report = after(rates)
        assert report.bad
        assert report.n_steps == state.step < 200
        assert np.isfinite(state.parameters).all()
        before, fewer = after(rates[: report.n_steps])
    assert not fewer.bad
    np.testing.assert_array_equal(before.parameters, state.parameters)
    np.testing.assert_array_equal(before.moments, state.moments)
    assert (before.updates, before.epoch_cost) == (state.updates, state.epoch_cost)


@pytest.mark.parametrize("n_rows", [5, 130])
def test_threaded_predictions_work_after_a_fork_and_inside_joblib(n_rows, monkeypatch):
    monkeypatch.setattr(forwards, "PREDICTION_WORTH_A_THREAD", 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    architecture = build(LARGER, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, n_rows)
    wanted = CompiledEngine().predict(architecture, parameters, data.X, n_threads=2)

    def agrees():
        got = [
            CompiledEngine().predict(architecture, parameters, data.X, n_threads=2) for _ in range(50)
        ]
        return all(np.array_equal(each, wanted) for each in got)

    assert_agrees_in_a_child_and_in_threads(agrees)
