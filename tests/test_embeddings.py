"""Numeric embeddings: their gradients by three oracles, and a network with one through its life."""

import dataclasses
import itertools
import re

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import clearprop as cp
import oracles
from clearprop import backprop, building, penalties
from clearprop.checkpoint import read_tensors, write_tensors
from clearprop.diagnosis import quantities
from clearprop.diagnosis.thresholds import Thresholds
from problems import assert_close, classes

ROWS = np.random.default_rng(5).normal(size=(7, 4)).cumsum(axis=0) / 2


def embedding(kind, columns=None):
    if kind == "pl":
        return cp.embeddings.piecewise_linear(ROWS, bins=3, size=2, columns=columns)
    if kind == "pbld":
        return cp.embeddings.pbld(size=3, n_frequencies=5, frequency_scale=0.3, columns=columns)
    how = {"size": 3, "n_frequencies": 2, "frequency_scale": 0.3, "columns": columns}
    return cp.embeddings.periodic(lite=kind == "plr-lite", **how)


KINDS = ["pl", "plr", "plr-lite", "pbld"]
HOW = {
    "all": {},
    "some": {"columns": [1, 3]},
    "scaled": {"input_scale": True, "ntk": True},
    "penalties": {"l2": 0.1, "l1": 0.05, "columns": [0, 2]},
    "weighted": {"weighted": True, "input_scale": True, "columns": [2]},
}


def problem(kind, columns=None, weighted=False, l2=0.0, l1=0.0, **flags):
    made = building.build([4, 5, 3], "tanh", None, "cross_entropy", embedding(kind, columns))
    return classes(dataclasses.replace(made, **flags), ROWS, weighted, l2, l1)


def embedded(kind, p, x, k, index):
    """Return what one input becomes, a row for each sample, as the papers' formulas say it."""
    if kind == "pl":
        e = [x]
        edges = np.quantile(ROWS[:, k], [0, 1 / 3, 2 / 3, 1])
        for t, (left, right) in enumerate(itertools.pairwise(edges)):
            share = (x - left) / (right - left)
            share = share if t == 0 else anp.where(share < 0, 0.0, share)
            e.append(share if t == 2 else anp.where(share > 1, 1.0, share))
        V = p["weight"][index]
        return p["bias"][index] + sum(anp.outer(each, V[j]) for j, each in enumerate(e))
    turns = anp.outer(x, p["frequency"][index])
    if kind == "pbld":
        cos = anp.cos(2 * np.pi * turns + p["phase"][index])
        made = anp.dot(cos, p["weight"][index]) + p["bias"][index]
        return anp.concatenate([made, x[:, None]], axis=1)
    both = anp.concatenate([anp.cos(2 * np.pi * turns), anp.sin(2 * np.pi * turns)], axis=1)
    lite = kind == "plr-lite"
    V, b = (p["weight"], p["bias"]) if lite else (p["weight"][index], p["bias"][index])
    return anp.maximum(anp.dot(both, V) + b, 0.0)


def by_autograd(made, kind):
    a = made.architecture

    def parts(flat):
        return {b.name: anp.reshape(flat[b.offset : b.offset + b.size], b.shape) for b in a.blocks}

    def cost(flat):
        found = parts(flat)
        p = {name[10:]: each for name, each in found.items() if name.startswith("embedding.")}
        columns, x = list(a.embedding.columns), made.X
        inputs = anp.concatenate(
            [
                embedded(kind, p, x[:, k], k, columns.index(k)) if k in columns else x[:, k : k + 1]
                for k in range(4)
            ],
            axis=1,
        )
        if a.input_scale:
            inputs = inputs * found["layers.0.scale"]
        hidden = anp.tanh(anp.dot(inputs, found["layers.0.weight"].T) + found["layers.0.bias"])
        z = anp.dot(hidden, found["layers.1.weight"].T) + found["layers.1.bias"]
        log_p = z - anp.log(anp.sum(anp.exp(z), axis=1))[:, None]
        each = -anp.sum(made.Y * log_p, axis=1)
        total = anp.mean(each if made.sample_weight is None else each * made.sample_weight)
        for name, W in found.items():
            if name.endswith(".weight"):
                total = total + made.l2 / 2 * anp.sum(W**2) + made.l1 * anp.sum(anp.abs(W))
        return total

    return autograd.grad(cost)(made.parameters)


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_agrees_with_three_oracles(kind, how):
    made = problem(kind, **how)
    ours = made.gradient()
    assert_close(ours, by_autograd(made, kind), 1e-10, made)
    assert_close(ours, oracles.central_differences(made.cost, made.parameters), 1e-6, made)
    if not made.l1:
        exact = oracles.complex_step_gradient(made.cost, made.parameters)
        assert_close(ours, exact, 1e-12, made)


@pytest.mark.parametrize("kind", KINDS)
def test_each_samples_own_gradients_have_the_gradient_as_their_mean(kind):
    made = problem(kind, columns=[0, 3], input_scale=True)
    each = made.per_sample()
    assert each.shape == (7, made.architecture.n_parameters)
    assert_close(each.mean(axis=0), made.gradient(), 1e-13, made)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_inputs_is_that_of_the_cost(kind):
    made = problem(kind, columns=[0, 3], input_scale=True)
    a, p = made.architecture, made.parameters
    passed = backprop.forward(a, p, made.X)
    back = backprop.backward(a, p, passed, made.Y)
    ours = backprop.input_error(a, p, passed, back.delta[0]) / 7

    def cost_of(flat):
        made.X = flat.reshape(7, 4)
        return made.cost()

    inside = ROWS + 1e-3  # a quantile is a kink
    made.X = inside
    passed = backprop.forward(a, p, inside)
    back = backprop.backward(a, p, passed, made.Y)
    ours = backprop.input_error(a, p, passed, back.delta[0]) / 7
    exact = oracles.complex_step_gradient(cost_of, inside.ravel()).reshape(7, 4)
    np.testing.assert_allclose(ours, exact, rtol=1e-11, atol=1e-13)


def test_a_piecewise_linear_embedding_begins_as_a_line_and_can_bend():
    net = cp.Network([4, 5, 3], embedding=embedding("pl"), dtype="float64", seed=0)
    E = net.architecture.embedding
    views = net.architecture.embedding_views(net.parameters)
    x = np.linspace(-3, 3, 7)[:, None] * np.ones(4)
    out = E.forward(views, x).out
    np.testing.assert_allclose(np.diff(out, n=2, axis=0), 0.0, atol=1e-14)
    views["weight"][:, 2] = 1.0
    assert np.abs(np.diff(E.forward(views, x).out, n=2, axis=0)).max() > 0.1


def test_bins_are_those_of_the_paper():
    made = cp.embeddings.piecewise_linear(np.array([[0.0], [1], [2], [4]]), bins=3, size=1).of(1)
    p = {"weight": np.ones((1, 4, 1)), "bias": np.zeros((1, 1))}
    x = np.array([[-1.0], [0.5], [1.0], [3.0], [6.0]])
    e = made.forward(p, x).basis[:, 0, 1:]
    np.testing.assert_array_equal(e, [[-1, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 1, 0.5], [1, 1, 2.0]])


def test_equal_quantiles_are_one_edge_and_a_constant_input_has_one_bin():
    X = np.array([[0.0, 7, 0], [0, 7, 1], [0, 7, 2], [1, 7, 3]])
    made = cp.embeddings.piecewise_linear(X, bins=3, size=2)
    assert made.edges == ((0.0, 1.0), (7.0, 14.0), (0.0, 1.0, 2.0, 3.0))
    basis = made.of(3).basis({}, X)
    assert (basis[:, :2, 2:] == 0).all()  # bins that these have not


def test_first_parameters_are_drawn_as_published():
    net = cp.Network([300, 2], embedding=cp.embeddings.periodic(), seed=3)
    views = net.architecture.embedding_views(net.parameters)
    c = views["frequency"]
    assert c.shape == (300, 48)
    assert abs(c.std() - 0.01 * 0.9866) < 1e-4  # of a normal cut at 3 deviations
    assert 0.0295 < np.abs(c).max() <= 0.03
    assert abs(np.abs(views["weight"]).max() * 96**0.5 - 1) < 1e-3
    net = cp.Network([300, 2], embedding=cp.embeddings.pbld(), seed=3)
    views = net.architecture.embedding_views(net.parameters)
    assert abs(views["frequency"].std() - 0.1) < 2e-3
    assert np.abs(views["frequency"]).max() > 0.3  # not cut
    assert abs(np.abs(views["phase"]).max() - np.pi) < 1e-2
    assert abs(np.abs(views["bias"]).max() - 0.25) < 1e-2
    assert views["weight"].shape == (300, 16, 3)
    same = cp.Network([300, 2], embedding=cp.embeddings.pbld(), seed=3)
    np.testing.assert_array_equal(same.parameters, net.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_saved_and_loaded_with_its_embedding(kind, tmp_path):
    net = cp.Network([4, 5, 3], embedding=embedding(kind, [0, 2]), seed=1)
    net.save(tmp_path / "net.safetensors")
    again = cp.load(tmp_path / "net.safetensors")
    assert again.architecture.embedding == net.architecture.embedding
    np.testing.assert_array_equal(again.predict(ROWS), net.predict(ROWS))


BROKEN = {
    "kind": {"kind": "spline"},
    "columns": {"columns": [0, 7]},
    "rising": {"columns": [2, 0]},
    "edges": {"edges": [[0.0, 1.0], [1.0, 1.0]]},
    "too few edges": {"edges": [[0.0, 1.0]]},
    "unknown": {"colour": 1},
    "another size": {"size": 3},
    "huge": {"size": 2**40},
    "not a size": {"size": 2.5},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_file_whose_embedding_is_none_is_refused(change, tmp_path):
    path = tmp_path / "net.safetensors"
    cp.Network([4, 5, 3], embedding=embedding("pl", [0, 2]), seed=1).save(path)
    tensors, metadata = read_tensors(path)
    metadata["architecture"]["embedding"] |= change
    write_tensors(path, tensors, metadata)
    with pytest.raises(cp.CheckpointError):
        cp.load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_explain_shows_what_layer_1_sees(kind):
    net = cp.Network([4, 5, 3], embedding=embedding(kind, [0, 3]), seed=1)
    net.feature_names, y = ("a", "b", "c", "d"), np.arange(7) % 3
    width = net.architecture.widths[0]
    for how in ("latex", "mathml", "json", "html"):
        assert cp.explain(net, ROWS, y, format=how)
    told = cp.explain(net, ROWS, y, format="text")
    assert f"The 4 inputs are shown as the {width} numbers that the embedding makes of them" in told
    assert re.search(r"[ad] \[[1-3]\]", told)
    assert f"... {width} in all" in str(net.trace(ROWS, y))
    assert f"{width}  {net.architecture.embedding}" in str(net)
    total = cp.path_sum(net, ROWS[0], y[0], layer=0, to=1, source=width - 1).total
    assert np.isclose(total, net.gradient(ROWS[:1], y[:1]).weights[0][1, width - 1], rtol=1e-5)


def test_a_diagnosis_judges_the_scale_of_inputs_that_reach_layer_1_as_they_are():
    features = {"columns": [0, 3]}
    net = cp.Network([4, 5, 3], embedding=cp.embeddings.periodic(size=3, n_frequencies=2, **features))
    y = np.arange(7) % 3
    assert "D19" not in [each.id for each in cp.diagnose(net, ROWS * [300, 1, 1, 300], y)]
    (found,) = [each for each in cp.diagnose(net, ROWS * [300, 1, 300, 1], y) if each.id == "D19"]
    assert found.units == (2,)
    silent = cp.diagnose(net, ROWS * [0, 0, 1, 1], y)
    assert [each.units for each in silent if each.name == "silent features"] == [(1,)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_diagnosis_measures_of_embedded_inputs(kind):
    net = cp.Network([4, 5, 3], embedding=embedding(kind, [0, 2]), seed=1, dtype="float64")
    Y = np.eye(3)[np.arange(7) % 3]
    p = quantities.run(net.architecture, net.parameters, ROWS, Y)
    per_sample = net.gradient(ROWS, Y, per_sample=True)
    blocks = [*per_sample.weights, *per_sample.biases]
    centred = sum(np.square(each - each.mean(axis=0)).sum() for each in blocks)
    assert np.isclose(quantities.gradient_numbers(p).noise, centred / 6, rtol=1e-10)
    listened = quantities.layer_numbers(p, 0, Thresholds()).listened
    whole = np.square(per_sample.weights[0]).sum(axis=1).mean(axis=0)  # of each number of an embedding
    first, sizes = net.architecture.embedding.first, net.architecture.embedding.sizes
    expected = [whole[at : at + size].sum() for at, size in zip(first, sizes, strict=True)]
    assert len(listened) == 4
    np.testing.assert_allclose(listened, expected, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_is_gone_on_with_to_the_same_bits(kind, tmp_path):
    y = np.arange(7) % 3
    how = {"batch_size": 3, "optimizer": "adam", "seed": 2, "progress": False, "engine": "numpy"}
    one, two, other = (cp.Network([4, 5, 3], embedding=embedding(kind), seed=1) for _ in range(3))
    one.fit(ROWS, y, epochs=4, **how)
    two.fit(ROWS, y, epochs=2, checkpoint=tmp_path / "c", **how)
    other.fit(ROWS, y, epochs=4, checkpoint=tmp_path / "c", resume=True, **how)
    np.testing.assert_array_equal(other.parameters, one.parameters)
    assert not np.array_equal(two.parameters, one.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_of_a_gradient_sees_every_block(kind):
    net = cp.Network([4, 5, 3], embedding=embedding(kind, [0, 3]), seed=1, activation="tanh")
    net.parameters[:] += 0.1 * np.random.default_rng(0).normal(size=net.n_parameters)
    y = np.arange(7) % 3
    check = cp.check_gradient(net, ROWS, y, l2=0.1)
    assert check.verdict == "pass", str(check)
    exact = net.copy("float64").gradient(ROWS, y).flat
    assert cp.check_gradient(net, ROWS, y, exact.astype(np.float32)).verdict == "pass"
    arrays = [exact[block.slice].reshape(block.shape) for block in net.blocks]
    assert cp.check_gradient(net, ROWS, y, arrays).verdict == "pass"
    for block in net.blocks:
        wrong = exact.copy()
        wrong[block.offset] *= 1.001
        assert cp.check_gradient(net, ROWS, y, wrong).verdict == "fail", block.name


def test_a_trace_has_the_embedding_in_it():
    net = cp.Network([4, 5, 3], embedding=embedding("plr", [1, 2]), seed=1)
    trace = net.trace(ROWS, np.arange(7) % 3, "sgd")
    assert trace.inputs.shape == (7, 8) == trace.embedding.a.shape
    assert trace.embedding.basis.shape == (7, 2, 4)
    np.testing.assert_array_equal(trace.embedding.x, ROWS[:, 1:3].astype(np.float32))
    gradient = net.gradient(ROWS, np.arange(7) % 3)
    for name, each in trace.embedding.gradient.items():
        np.testing.assert_array_equal(each, gradient.embedding[name])
        moved = trace.embedding.parameters[name] - trace.update.learning_rate * each
        np.testing.assert_allclose(trace.update.embedding[name], moved, rtol=1e-6)


def test_an_embedding_can_be_frozen_and_a_penalty_is_on_its_map_alone():
    net = cp.Network([4, 5, 3], embedding=embedding("pbld"), seed=1)
    before = net.parameters.copy()
    net.fit(
        ROWS,
        np.arange(7) % 3,
        epochs=2,
        frozen=["embedding"],
        batch_size=7,
        progress=False,
        engine="numpy",
    )
    for block in net.blocks:
        moved = not np.array_equal(net.parameters[block.slice], before[block.slice])
        assert moved == (block.kind != "embedding")
    added = np.zeros(net.n_parameters)
    penalties.add_gradient(net.architecture, added, np.ones(net.n_parameters), 1.0, 0.0)
    assert {b.name for b in net.blocks if added[b.slice].any()} == {
        "embedding.weight", "layers.0.weight", "layers.1.weight",
    }  # fmt: skip


WRONG = {
    "embedding must be one of cp.embeddings": lambda: cp.Network([4, 3], embedding="pl"),
    "columns of the embedding must be below the 4 inputs, got 5": lambda: cp.Network(
        [4, 3], embedding=cp.embeddings.periodic(columns=[1, 5])
    ),
    "in rising order, got \\(2, 1\\)": lambda: cp.embeddings.pbld(columns=[2, 1]),
    "size must be at least 2": lambda: cp.embeddings.pbld(size=1),
    "frequency_scale must be a finite number above 0, got 0": lambda: cp.embeddings.periodic(
        frequency_scale=0
    ),
    "X must be a table of finite numbers": lambda: cp.embeddings.piecewise_linear([[np.nan]]),
    "edges must be given for each of the 5 inputs": lambda: cp.Network(
        [5, 2], embedding=cp.embeddings.piecewise_linear(ROWS)
    ),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_makes_no_embedding_is_refused_in_a_sentence(sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        WRONG[sentence]()
