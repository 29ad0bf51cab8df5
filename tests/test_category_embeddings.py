"""Categories as vectors: their gradients by three oracles, and a network with them through its life."""

import dataclasses
import re

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import clearprop as cp
import oracles
from clearprop import backprop, building, penalties
from clearprop.checkpoint import read_tensors, write_tensors
from problems import assert_close, classes

RNG = np.random.default_rng(5)
# Of 9 inputs two are numbers, one stays as it is, and two categories have 4 and 2 values.
GROUPS = ((1, 2, 5, 6), (8, 3))
CODES = np.array([[0, 1, 3, -1, 1, 0, 1], [1, 0, 0, 1, 1, 0, 1]])  # one is of a value that is unknown
ROWS = RNG.normal(size=(7, 9))
for group, codes in zip(GROUPS, CODES, strict=True):
    for value, column in enumerate(group):
        ROWS[:, column] = codes == value
NUMBERS = {
    None: lambda: None,
    "pl": lambda: cp.embeddings.piecewise_linear(ROWS, bins=3, size=2, columns=[0, 4]),
    "plr-lite": lambda: cp.embeddings.periodic(
        size=3, n_frequencies=2, frequency_scale=0.3, lite=True, columns=[0, 7]
    ),
    "pbld": lambda: cp.embeddings.pbld(size=3, n_frequencies=5, frequency_scale=0.3),
}


def embedding(numbers=None):
    return cp.embeddings.categories(GROUPS, size=2, numbers=NUMBERS[numbers]())


def problem(numbers=None, weighted=False, l2=0.0, l1=0.0, **flags):
    made = building.build([9, 5, 3], "tanh", None, "cross_entropy", embedding(numbers))
    return classes(dataclasses.replace(made, **flags), ROWS, weighted, l2, l1)


def by_autograd(made):
    """Return the gradient of a network with vectors alone, which are looked up."""
    a = made.architecture

    def cost(flat):
        p = {b.name: anp.reshape(flat[b.slice], b.shape) for b in a.blocks}
        Q = p["embedding.vectors"]
        first, second = Q[CODES[0]] * (CODES[0] >= 0)[:, None], Q[4 + CODES[1]]
        x = made.X
        inputs = anp.concatenate([x[:, :1], first, x[:, 4:5], x[:, 7:8], second], axis=1)
        if a.input_scale:
            inputs = inputs * p["layers.0.scale"]
        hidden = anp.tanh(anp.dot(inputs, p["layers.0.weight"].T) + p["layers.0.bias"])
        z = anp.dot(hidden, p["layers.1.weight"].T) + p["layers.1.bias"]
        log_p = z - anp.log(anp.sum(anp.exp(z), axis=1))[:, None]
        each = -anp.sum(made.Y * log_p, axis=1)
        total = anp.mean(each if made.sample_weight is None else each * made.sample_weight)
        for W in (Q, p["layers.0.weight"], p["layers.1.weight"]):
            total = total + made.l2 / 2 * anp.sum(W**2) + made.l1 * anp.sum(anp.abs(W))
        return total

    return autograd.grad(cost)(made.parameters)


HOW = {
    "plain": {},
    "scaled": {"input_scale": True, "ntk": True},
    "penalties": {"l2": 0.1, "l1": 0.05},
    "weighted": {"weighted": True, "input_scale": True},
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("numbers", NUMBERS)
def test_the_gradient_agrees_with_three_oracles(numbers, how):
    made = problem(numbers, **how)
    ours = made.gradient()
    if numbers is None:
        assert_close(ours, by_autograd(made), 1e-10, made)
    assert_close(ours, oracles.central_differences(made.cost, made.parameters), 1e-6, made)
    if not made.l1:
        exact = oracles.complex_step_gradient(made.cost, made.parameters)
        assert_close(ours, exact, 1e-12, made)


def test_each_samples_own_gradients_have_the_gradient_as_their_mean():
    made = problem("pbld", input_scale=True)
    assert_close(made.per_sample().mean(axis=0), made.gradient(), 1e-13, made)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_the_gradient_of_the_inputs_is_that_of_the_cost(numbers):
    made = problem(numbers, input_scale=True)
    a, p = made.architecture, made.parameters
    made.X = inside = ROWS + 1e-3  # a quantile is a kink
    passed = backprop.forward(a, p, inside)
    back = backprop.backward(a, p, passed, made.Y)
    ours = backprop.input_error(a, p, passed, back.delta[0]) / 7

    def cost_of(flat):
        made.X = flat.reshape(7, 9)
        return made.cost()

    exact = oracles.complex_step_gradient(cost_of, inside.ravel()).reshape(7, 9)
    np.testing.assert_allclose(ours, exact, rtol=1e-11, atol=1e-13)


def test_a_category_is_its_vector_and_one_that_is_unknown_is_nothing():
    net = cp.Network([9, 5, 3], embedding=embedding("pbld"), seed=1, dtype="float64")
    net.feature_names = tuple(f"{'colour' if k in GROUPS[0] else 'size'} = {k}" for k in range(9))
    E, Q = net.architecture.embedding, net.architecture.embedding_views(net.parameters)["vectors"]
    a = net.trace(ROWS, np.arange(7) % 3).inputs
    assert net.architecture.widths[0] == 3 * 3 + 2 + 2 == a.shape[1]
    np.testing.assert_array_equal(a[:, E.vectors[0]][[0, 2, 5]], Q[[0, 3, 0]])
    np.testing.assert_array_equal(a[:, E.vectors[1]], Q[4 + CODES[1]])
    np.testing.assert_array_equal(a[3, E.vectors[0]], 0.0)
    names = E.names(net.feature_names)
    assert [names[k] for k in E.vectors[0]] == ["colour [1]", "colour [2]"]
    assert str(E) == "pbld of 3 of 9 inputs, 3 numbers each; 2 categories of 6 columns, 2 numbers each"
    assert str(E) in str(net)


def test_vectors_begin_as_normal_numbers_and_learn_at_the_whole_rate_in_realmlps_parametrisation():
    groups = [list(range(1, 400)), list(range(400, 800))]
    net = cp.Network([800, 2], embedding=cp.embeddings.categories(groups), seed=3)
    Q = net.architecture.embedding_views(net.parameters)["vectors"]
    assert Q.shape == (799, 8)
    assert abs(Q.std() - 1.0) < 0.02
    assert np.abs(Q).max() > 3.0
    (block, _, _) = dataclasses.replace(net.architecture, ntk=True).blocks
    assert (block.name, block.lr_factor, block.decay_factor) == ("embedding.vectors", 1.0, 1.0)
    added = np.zeros(net.n_parameters)
    penalties.add_gradient(net.architecture, added, np.ones(net.n_parameters), 1.0, 0.0)
    assert added[block.slice].all()


@pytest.mark.parametrize("numbers", [None, "pbld"])
def test_a_network_is_saved_loaded_checked_and_explained(numbers, tmp_path):
    net = cp.Network([9, 5, 3], embedding=embedding(numbers), seed=1, activation="tanh")
    net.parameters[:] += 0.1 * RNG.normal(size=net.n_parameters)
    net.save(tmp_path / "net.safetensors")
    again, y = cp.load(tmp_path / "net.safetensors"), np.arange(7) % 3
    assert again.architecture.embedding == net.architecture.embedding
    np.testing.assert_array_equal(again.predict(ROWS), net.predict(ROWS))
    check = cp.check_gradient(net, ROWS, y, l2=0.1)
    assert check.verdict == "pass", str(check)
    exact = net.copy("float64").gradient(ROWS, y).flat
    assert cp.check_gradient(net, ROWS, y, exact.astype(np.float32)).verdict == "pass"
    block = next(b for b in net.blocks if b.name == "embedding.vectors")
    exact[block.offset] *= 1.001
    assert cp.check_gradient(net, ROWS, y, exact).verdict == "fail"
    told = cp.explain(net, ROWS, y, format="text")
    assert re.search(r"E¹₂₁ = u¹₂ Q₂₁", told), told[:3000]


BROKEN = {
    "twice": {"groups": [[1, 2], [2, 3]]},
    "too many": {"groups": [[1, 9]]},
    "a number too": {"groups": [[0, 1]]},
    "one alone": {"groups": [[1]]},
    "no list": {"groups": [1, 2]},
    "half": {"groups": [[1.5, 2]]},
    "size": {"size": 0},
    "unknown": {"colour": 1},
    "another size": {"size": 3},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_a_file_whose_categories_are_none_is_refused(change, tmp_path):
    path = tmp_path / "net.safetensors"
    cp.Network([9, 5, 3], embedding=embedding("pl"), seed=1).save(path)
    tensors, metadata = read_tensors(path)
    metadata["architecture"]["embedding"]["categories"] |= change
    write_tensors(path, tensors, metadata)
    with pytest.raises(cp.CheckpointError):
        cp.load(path)


WRONG = {
    "groups must be at least one category's columns": lambda: cp.embeddings.categories([]),
    "group must be at least 2 numbers of inputs": lambda: cp.embeddings.categories([[3]]),
    "an input in one of them only, got": lambda: cp.embeddings.categories([[3, 4], [4, 5]]),
    "must be below the 5 inputs, got 8": lambda: cp.Network([5, 3], embedding=embedding()),
    "others than those of categories, got \\[2\\]": lambda: cp.Network(
        [9, 3], embedding=cp.embeddings.categories(GROUPS, numbers=cp.embeddings.pbld(columns=[2, 4]))
    ),
    "as numbers must be some, and others": lambda: cp.Network(
        [2, 3], embedding=cp.embeddings.categories([[0, 1]], numbers=cp.embeddings.pbld())
    ),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_are_no_categories_is_refused_in_a_sentence(sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        WRONG[sentence]()
