"""Embeddings in the compiled engine: it agrees with the reference, whatever surrounds them.

Those of categories are beside "pbld", with inputs of any numbers: the engine takes nothing for one-hot.
"""

import dataclasses

import numpy as np
import pytest

import clearprop as cp
import test_engines
from clearprop import backprop, optimizers
from clearprop.building import build
from clearprop.engines import State, compiled, forwards
from clearprop.engines.compiled import CompiledEngine
from clearprop.engines.reference import ReferenceEngine
from clearprop.flat_vector import select
from test_engines import OPTIMIZERS, assert_agrees, plan_for, problem

KINDS = ["pl", "plr", "plr-lite", "pbld", "categories"]
GROUPS = [[6, 1], [4, 5, 7]]
EVERY = [None, [0, 2, 3, 8]]


def network(kind, columns=None, sizes=(9, 21, 10), **flags):
    X = np.random.default_rng(3).normal(size=(40, sizes[0]))
    if kind == "categories":
        numbers = None if columns is None else cp.embeddings.pbld(columns=[0, 2, 3, 8])
        groups = GROUPS if sizes[0] == 9 else [[1, 3]]
        embedding = cp.embeddings.categories(groups, size=3, numbers=numbers)
    elif kind == "pl":
        embedding = cp.embeddings.piecewise_linear(X, bins=5, size=7, columns=columns)
    elif kind == "pbld":
        embedding = cp.embeddings.pbld(n_frequencies=11, frequency_scale=0.3, columns=columns)
    else:
        how = {"size": 5, "n_frequencies": 6, "frequency_scale": 0.3, "columns": columns}
        embedding = cp.embeddings.periodic(lite=kind == "plr-lite", **how)
    made = build(list(sizes), "selu", "softmax", "cross_entropy", embedding)
    return dataclasses.replace(made, **flags)


HOW = {
    "plain": {},
    "penalties, dropout, weights": {"l2": 0.1, "l1": 0.01, "dropout": (0.4,), "weighted": True},
    "clipped": {"clip_norm": 0.05},
    "frozen": {"frozen": ("map", "weights", "biases")},
    "over the weight": {"over_batch_weight": True, "l2": 0.1, "l1": 0.01, "weighted": True},
    "scaled": {"input_scale": True, "ntk": True},
    "scaled and clipped": {"input_scale": True, "clip_norm": 0.05},
}


def check(kind, optimizer, how, columns, n_threads=1, batch=32, n=101):
    how = dict(how)
    flags = {name: how.pop(name) for name in ("input_scale", "ntk") if name in how}
    made = network(kind, columns, **flags)
    data, parameters = problem(made, n, weighted=how.pop("weighted", False))
    its_map = "embedding.vectors" if kind == "categories" else "embedding.weight"
    frozen = [its_map if name == "map" else name for name in how.pop("frozen", ())]
    how["frozen"] = select(made.blocks, frozen)
    how |= {"counts_correct": True, "n_threads": n_threads}
    plan = plan_for(made, optimizer, n=n, batch=batch, **how)
    assert_agrees(plan, data, parameters)
    return plan, data, parameters


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("kind", KINDS)
def test_an_embedding_agrees_with_the_reference(kind, how):
    number = list(HOW.values()).index(how) + KINDS.index(kind)
    check(kind, OPTIMIZERS[number % len(OPTIMIZERS)], how, EVERY[number % 2])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_an_embedding_agrees_with_every_optimizer(kind, optimizer):
    check(kind, optimizer, {"l2": 0.01}, None)


@pytest.mark.parametrize("batch", [1, 2, 7, 101])
@pytest.mark.parametrize("kind", KINDS)
def test_an_embedding_agrees_in_batches_of_every_size(kind, batch):
    check(kind, OPTIMIZERS[4], {}, EVERY[1], batch=batch)


@pytest.mark.parametrize("how", [{}, {"clip_norm": 0.05, "input_scale": True}], ids=str)
@pytest.mark.parametrize("n_threads", [2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_an_embedding_agrees_on_any_number_of_threads_and_repeats_its_bits(
    kind, n_threads, how, monkeypatch
):
    monkeypatch.setattr(compiled, "WORTH_A_THREAD", 1)
    plan, data, parameters = check(kind, OPTIMIZERS[4], how, EVERY[1], n_threads, 96)
    one, two = (test_engines.train(CompiledEngine(), plan, data, parameters)[0] for _ in range(2))
    np.testing.assert_array_equal(one.parameters, two.parameters)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("n_rows", [1, 5, 300])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_with_an_embedding_are_the_references(kind, n_threads, n_rows, scaled, monkeypatch):
    monkeypatch.setattr(forwards, "PREDICTION_WORTH_A_THREAD", 1)
    made = network(kind, EVERY[1], (9, 65, 10), input_scale=scaled)
    data, parameters = problem(made, n_rows)
    wanted = backprop.forward(made, parameters, data.X).a[-1]
    got = CompiledEngine().predict(made, parameters, data.X, n_threads)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=0)
    short = parameters.astype("f4"), data.X.astype("f4")
    narrow = CompiledEngine().predict(made, *short, n_threads)
    np.testing.assert_allclose(narrow, wanted, rtol=1e-4, atol=1e-6)


def test_an_input_that_is_not_finite_is_found_before_it_is_embedded():
    made = network("pl")
    data, parameters = problem(made, 20)
    data.X[13, 4] = np.nan
    assert not forwards.forward_of(made, parameters.dtype).look_and_pass(parameters, data.X)[1]
    data.X[13, 4] = 0.0
    assert forwards.forward_of(made, parameters.dtype).look_and_pass(parameters, data.X)[1]


@pytest.mark.parametrize("engine", [ReferenceEngine(), CompiledEngine()], ids=lambda each: each.name)
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_would_leave_the_finite_numbers_is_not_made(engine, kind):
    made, optimizer = network(kind, sizes=(4, 5, 3)), optimizers.SGD(3e38)
    data, parameters = problem(made, 7, dtype="float32")
    plan = plan_for(made, optimizer)
    state = State(parameters.copy(), optimizer.init(parameters))
    with np.errstate(all="ignore"):
        report = engine.run(plan, state, data, np.arange(7), np.full(3, 3e38))
    assert report.bad
    assert report.n_steps < 3
    assert np.isfinite(state.parameters).all()


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("engine", [ReferenceEngine(), CompiledEngine()], ids=lambda each: each.name)
def test_frequencies_that_alone_would_leave_the_finite_numbers_do_not(engine, scaled):
    made, optimizer = network("plr", sizes=(4, 5, 3), input_scale=scaled), optimizers.SGD(1e12)
    data, parameters = problem(made, 7, dtype="float32")
    data.X[0, 0] = 1e30  # E is as ever, but the slope of a frequency is this
    plan = plan_for(made, optimizer)
    state = State(parameters.copy(), optimizer.init(parameters))
    with np.errstate(all="ignore"):
        report = engine.run(plan, state, data, np.arange(7), np.full(1, 1e12))
    assert report.bad
    np.testing.assert_array_equal(state.parameters, parameters)


def test_ordinary_steps_are_never_in_doubt(monkeypatch):
    """A step in doubt is made from a copy of everything: it takes twice as long."""
    monkeypatch.setattr(State, "copy", lambda self: pytest.fail("a step was in doubt"))
    for kind in KINDS:
        made = network(kind, input_scale=kind != "plr")
        data, parameters = problem(made, 101, dtype="float32")
        data = data._replace(X=data.X * 100)
        plan = plan_for(made, OPTIMIZERS[4], n=101, batch=32)
        test_engines.train(CompiledEngine(), plan, data, parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_with_an_embedding_is_compiled_and_resumes_to_the_same_bits(kind, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(40, 9)), np.arange(40) % 10
    how = {"batch_size": 8, "optimizer": "adam", "seed": 2, "progress": False}

    def net():
        return cp.Network.of(
            dataclasses.replace(
                cp.Network([9, 2], seed=1).model,
                architecture=network(kind),
                parameters=problem(network(kind), 1, dtype="float32")[1],
            )
        )

    one, two, other = net(), net(), net()
    one.fit(X, y, epochs=4, engine="compiled", **how)
    two.fit(X, y, epochs=2, checkpoint=tmp_path / "c", **how)
    other.fit(X, y, epochs=4, checkpoint=tmp_path / "c", resume=True, **how)
    np.testing.assert_array_equal(other.parameters, one.parameters)
