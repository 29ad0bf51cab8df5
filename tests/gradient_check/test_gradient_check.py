import dataclasses

import numpy as np
import pytest

import clearprop as cp
from clearprop import gradient_check
from clearprop.gradient_check import Estimate, check_gradient, judge


def network(layers=(4, 5, 3), cost="quadratic", seed=0, **more):
    net = cp.Network(list(layers), cost=cost, dtype="float64", seed=seed, **more)
    net.parameters[:] = np.random.default_rng(seed).normal(scale=0.6, size=net.n_parameters)
    return net


def batch(net, n=7, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, net.sizes[0])), rng.uniform(0.1, 0.9, (n, net.sizes[-1]))


# Right gradients pass


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "gelu", "mish", "selu"])
@pytest.mark.parametrize(
    ("cost", "output"),
    [
        ("quadratic", "identity"),
        ("quadratic", "softmax"),
        ("cross_entropy", "softmax"),
        ("cross_entropy", "sigmoid"),
        ("mean_absolute_error", "identity"),
        ("huber", "identity"),
        ("quantile", "identity"),
        ("poisson", "softplus"),
    ],
)
def test_own_gradient_passes(activation, cost, output):
    net = network(activation=activation, cost=cost, output=output)
    X, _ = batch(net)
    Y = np.random.default_rng(2).dirichlet(np.ones(3), 7)
    check = check_gradient(net, X, Y)
    assert check.verdict == "pass", str(check)
    assert check.max_relative_error <= 1e-7
    assert check.n_parameters == len(check.rows) == net.n_parameters
    assert bool(check)


def test_own_gradient_passes_after_training_too():
    net = network(activation="relu", cost="cross_entropy")
    X, _ = batch(net, 50)
    labels = (X[:, 0] > 0).astype(int)
    net.fit(X, labels, epochs=5, progress=False, optimizer=cp.Adam(0.01), engine="numpy")
    assert check_gradient(net, X, labels).verdict == "pass"


def test_network_in_float32_is_checked_in_float64_and_not_changed():
    net = cp.Network([4, 5, 3], cost="quadratic", dtype="float32", seed=0)
    before = net.parameters.copy()
    check = check_gradient(net, *batch(net))
    assert check.verdict == "pass"
    assert net.dtype == "float32"
    np.testing.assert_array_equal(net.parameters, before)


def test_sample_weights_scaling_labels_and_missing_biases_are_followed():
    net = cp.Network(
        [4, cp.Layer(5, ["tanh", "relu", "sigmoid", "gelu", "elu"], bias=False), 3],
        dtype="float64",
        seed=0,
        scaling=cp.Scaling(np.array([1.0, 2, 3, 4]), np.array([0.5])),
    )
    X, _ = batch(net)
    weight = np.array([0.0, 1, 2, 3, 4, 5, 6])
    labels = np.array([0, 2, 1, 1, 0, 2, 2])
    own = check_gradient(net, X, labels, sample_weight=weight)
    assert own.verdict == "pass"
    unweighted = net.gradient(X, labels)
    assert check_gradient(net, X, labels, unweighted, sample_weight=weight).verdict == "fail"


# Wrong ones fail


MUTANTS = {
    "times 1.001": lambda net, g: g * 1.001,
    "negative": lambda net, g: -g,
    "zero": lambda net, g: g * 0,
    "sum for mean": lambda net, g: g * 7,
    "one element": lambda net, g: g + np.where(np.arange(g.size) == 11, 1e-4, 0),
    "NaN": lambda net, g: np.where(np.arange(g.size) == 3, np.nan, g),
    "infinite": lambda net, g: np.where(np.arange(g.size) == 3, np.inf, g),
    "shifted": lambda net, g: np.roll(g, 1),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_wrong_gradient_fails(mutant, activation):
    net = network(activation=activation)
    X, Y = batch(net)
    check = check_gradient(net, X, Y, mutant(net, net.gradient(X, Y).flat))
    assert check.verdict == "fail"
    assert check.max_relative_error > 1e-7
    assert not check


@pytest.mark.parametrize("block", range(4))
def test_a_mistake_in_any_single_block_is_found_in_a_sample_of_a_large_network(block):
    net = network((784, 30, 10))
    X, Y = batch(net, 5)
    g = net.gradient(X, Y).flat.copy()
    g[net.blocks[block].slice] *= 1.001
    check = check_gradient(net, X, Y, g, n_parameters=40)
    assert check.verdict == "fail"
    assert {row.block for row in check.rows if row.verdict == "fail"} == {net.blocks[block].name}


@pytest.mark.parametrize("scale", [1e3, 1.0])
def test_a_right_gradient_too_small_to_move_the_outputs_passes(scale):
    # Each output is the same to the last bit at w - h and w + h, which does not make the slope 0.
    sizes = (3, 5, 2) if scale > 1 else (3, *[5] * 30, 2)
    net = cp.Network(list(sizes), dtype="float64", seed=0)
    net.parameters[:] *= scale
    X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    assert check_gradient(net, X, Y).verdict == "pass"
    assert check_gradient(net, X, Y, net.gradient(X, Y).flat * 1.001).verdict == "fail"


def test_a_tiny_gradient_that_is_wrong_does_not_pass():
    # Saturated: every derivative is around 1e-12, far below what differences can see.
    net = network((2, 3, 1), output="sigmoid")
    net.biases[1][:] = 28.0
    X, Y = batch(net)
    g = net.gradient(X, Y).flat
    assert np.abs(g).max() < 1e-10
    assert check_gradient(net, X, Y).verdict == "pass"  # the complex step sees it
    for wrong in (g * 2, g * 0, g * 1.001, -g):
        assert check_gradient(net, X, Y, wrong).verdict == "fail"
    # And where nothing is analytic, differences cannot tell: neither right nor wrong is certified.
    blunt = network((2, 3, 1), output="sigmoid", cost="mean_absolute_error")
    blunt.biases[1][:] = 28.0
    g = blunt.gradient(X, Y).flat
    assert check_gradient(blunt, X, Y, g).verdict == "undecided"
    for wrong in (g * 2, g * 0, g * 1.001, -g):
        assert check_gradient(blunt, X, Y, wrong).verdict in ("undecided", "fail")


@pytest.mark.parametrize("scale", [1e15, 3e38])
@pytest.mark.parametrize(
    ("cost", "output"), [("cross_entropy", "softmax"), ("quadratic", "identity"), ("huber", "identity")]
)
def test_a_step_that_rounding_swallows_decides_nothing(cost, output, scale):
    net = network(activation="relu", cost=cost, output=output)
    net.weights[1][:] *= scale
    X, _ = batch(net)
    Y = np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]
    own = net.gradient(X, Y).flat
    check = check_gradient(net, X, Y)
    assert check.verdict == "undecided"
    swallowed = {row.verdict for row in check.rows if row.block == "layers.1.bias"}
    assert swallowed == {"undecided"}
    # A claim of 0 is not certified by it, and one far beyond the resolution still fails.
    claimed = own.copy()
    claimed[net.blocks[3].slice] = 0.0
    rows = check_gradient(net, X, Y, claimed).rows
    assert {row.verdict for row in rows if row.block == "layers.1.bias"} == {"undecided"}
    claimed[net.blocks[3].slice] = 1e12 * scale**2
    rows = check_gradient(net, X, Y, claimed).rows
    assert {row.verdict for row in rows if row.block == "layers.1.bias"} == {"fail"}


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("activations", ["relu", ["relu", "tanh", "relu", "gelu", "elu"]])
def test_a_parameter_reaches_the_outputs_where_the_gradient_of_one_of_them_says_so(activations, scaled):
    layers = [4, cp.Layer(5, activations), cp.Layer(6, "relu"), 3]
    net = cp.Network(layers, cost="quadratic", dtype="float64", seed=0)
    if scaled:
        architecture = dataclasses.replace(net.architecture, input_scale=True)
        scale = [1.0, 0.5, 2.0, 0.0]
        net.model.parameters = np.concatenate([scale, net.parameters])
        net.model.architecture = architecture
    net.biases[0][0] = -50.0
    net.weights[2][:, 4] = 0.0
    net.biases[1][3] = -50.0
    X, Y = batch(net)
    X[:, 2] = 0.0
    moved = np.zeros(net.n_parameters, dtype=bool)
    for k in range(3):  # of any output of any sample, so that nothing cancels
        for row in X:
            y = net.predict(row[None])
            y[0, k] += 1.0
            moved |= net.gradient(row[None], y).flat != 0
    architecture = net.architecture
    made = gradient_check.differences.Differences(architecture, net.parameters, X, Y)
    found = [made._reaches_the_outputs(i) for i in range(net.n_parameters)]
    np.testing.assert_array_equal(found, moved)
    assert 0 < moved.sum() < net.n_parameters


# The verdict of one parameter


@pytest.mark.parametrize(
    ("a", "estimate", "verdict"),
    [
        (1.0, Estimate(1.0 + 1e-8, 1e-12, 1e-5), "pass"),
        (1.0, Estimate(1.0 + 1e-6, 1e-12, 1e-5), "fail"),
        (1.0, Estimate(1.0 + 1e-6, 1e-5, 1e-5), "undecided"),
        (1e-15, Estimate(2e-15, 1e-12, 1e-5), "undecided"),  # excused, never certified
        (0.0, Estimate(0.0, 1e-12, 1e-5), "undecided"),
        (0.0, Estimate(0.0, 0.0, 1e-5), "pass"),  # the outputs do not depend on it at all
        (np.nan, Estimate(1.0, 1e-12, 1e-5), "fail"),
        (np.nan, Estimate(1.0, np.inf, 1e-5), "fail"),
        (1.0, Estimate(0.5, 1e-12, 1e-5, kink=True), "kink"),
        (np.nan, Estimate(0.5, 1e-12, 1e-5, kink=True), "fail"),
    ],
)
def test_absolute_tolerance_excuses_and_never_certifies(a, estimate, verdict):
    assert judge(a, estimate) == verdict


@pytest.mark.parametrize(
    ("verdicts", "blind", "overall"),
    [
        ({"a": ["pass"] * 3, "b": ["pass"]}, (), "pass"),
        ({"a": ["pass"] * 3, "b": ["pass", "undecided"]}, (), "pass"),
        ({"a": ["pass"] * 3, "b": ["undecided"]}, (), "undecided"),  # nothing certifies b
        ({"a": ["pass", "undecided"], "b": ["pass", "undecided"]}, (), "undecided"),  # only half pass
        ({"a": ["pass"] * 3, "b": ["pass"]}, ("b",), "undecided"),
        ({"a": ["pass"] * 3, "b": ["pass", "kink"]}, (), "kink"),
        ({"a": ["pass", "kink"], "b": ["undecided", "fail"]}, (), "fail"),
    ],
)
def test_verdict_on_the_whole(verdicts, blind, overall):
    rows = [
        gradient_check.Row(block, (i,), "data", 1.0, 1.0, 0.0, 1e-5, verdict)
        for block, mine in verdicts.items()
        for i, verdict in enumerate(mine)
    ]
    assert gradient_check.verdict.overall(rows, blind) == overall


def test_negative_control_that_passes_takes_the_certificate_away(monkeypatch):
    # A check that lets everything through is found out by the corrupted gradient.
    for module in (gradient_check.check, gradient_check.differences):
        monkeypatch.setattr(module, "judge", lambda *args: "pass")
    net = network()
    check = check_gradient(net, *batch(net))
    assert check.verdict == "undecided"
    assert set(check.blind_blocks) == {block.name for block in net.blocks}
    assert "a corrupted gradient was not found out" in str(check)


# Kinks


def relu_at(z, cost="quadratic"):
    net = cp.Network([1, 1, 1], "relu", "identity", cost, dtype="float64", seed=0)
    net.weights[0][:], net.biases[0][:] = 1.0, z
    net.weights[1][:], net.biases[1][:] = 1.0, 0.3
    return net


def test_unit_on_its_kink_gives_the_verdict_kink():
    net = relu_at(0.0)
    check = check_gradient(net, [[0.0]], [[1.0]])
    assert check.verdict == "kink"
    assert [row.verdict for row in check.rows if row.block == "layers.0.bias"] == ["kink"]
    assert "kink" in str(check)


def test_kink_within_the_first_step_is_stepped_around():
    # z = 3e-6 is within h = 1e-5: the plain central difference is off by 15 %.
    net = relu_at(3e-6)
    assert check_gradient(net, [[0.0]], [[1.0]]).verdict in ("pass", "undecided")
    bias = next(
        row for row in check_gradient(net, [[0.0]], [[1.0]]).rows if row.block == "layers.0.bias"
    )
    assert bias.step < 3e-6
    assert bias.verdict == "pass"
    wrong = net.gradient([[0.0]], [[1.0]]).flat * 1.001
    assert check_gradient(net, [[0.0]], [[1.0]], wrong).verdict == "fail"


def test_smooth_neurons_of_a_mixed_layer_have_no_kink():
    net = cp.Network([1, cp.Layer(2, ["tanh", "relu"]), 1], cost="quadratic", dtype="float64", seed=0)
    net.parameters[:] = 0.5
    net.biases[0][:] = [0.0, 0.4]  # tanh at 0, relu away from it
    assert check_gradient(net, [[0.0]], [[1.0]]).verdict == "pass"
    net.biases[0][:] = [0.4, 0.0]
    assert check_gradient(net, [[0.0]], [[1.0]]).verdict == "kink"


@pytest.mark.parametrize("cost", ["mean_absolute_error", "quantile"])
def test_cost_on_its_kink_gives_the_verdict_kink(cost):
    net = cp.Network([1, 1], cost=cost, dtype="float64", seed=0)
    prediction = net.predict([[0.5]])
    assert check_gradient(net, [[0.5]], prediction).verdict == "kink"
    assert check_gradient(net, [[0.5]], prediction + 0.1).verdict == "pass"


def test_huber_at_its_joint_is_not_judged_across_it():
    net = cp.Network([1, 1], cost=cp.costs.huber(delta=0.5), dtype="float64", seed=0)
    prediction = net.predict([[0.5]])
    assert check_gradient(net, [[0.5]], prediction - 0.5).verdict in ("kink", "pass")
    assert check_gradient(net, [[0.5]], prediction - 0.5 - 3e-6).verdict == "pass"


# Penalties, by themselves


def test_penalties_are_checked_by_themselves():
    net = network()
    X, Y = batch(net)
    check = check_gradient(net, X, Y, l2=0.1, l1=0.01)
    assert check.verdict == "pass"
    assert {row.term for row in check.rows} == {"data", "penalty"}
    assert len(check.rows) == 2 * net.n_parameters


@pytest.mark.parametrize("l2", [1e-8, 1e8])
def test_neither_penalty_nor_data_hides_the_others_mistake(l2, monkeypatch):
    net = network()
    X, Y = batch(net)
    assert check_gradient(net, X, Y, l2=l2).verdict != "fail"
    right = cp.Network.gradient
    for term in ("l2", "data"):

        def wrong(self, X, Y, *, l2=0.0, _term=term, **more):
            if _term == "l2":
                return right(self, X, Y, l2=1.01 * l2, **more)
            made = right(self, X, Y, l2=l2, **more)
            made.flat[:] += 0.01 * right(self, X, Y, **more).flat
            return made

        monkeypatch.setattr(cp.Network, "gradient", wrong)
        check = check_gradient(net, X, Y, l2=l2)
        assert check.verdict == "fail"
        monkeypatch.setattr(cp.Network, "gradient", right)


def test_penalty_on_biases_is_found():
    net = network()
    X, Y = batch(net)
    g = net.gradient(X, Y).flat + 0.1 * net.parameters
    assert check_gradient(net, X, Y, g, l2=0.1).verdict == "fail"


def test_foreign_gradient_must_contain_the_penalty():
    net = network()
    X, Y = batch(net)
    with_it, without = net.gradient(X, Y, l2=0.1, l1=0.02), net.gradient(X, Y)
    assert check_gradient(net, X, Y, with_it, l2=0.1, l1=0.02).verdict == "pass"
    assert check_gradient(net, X, Y, without, l2=0.1, l1=0.02).verdict == "fail"
    assert check_gradient(net, X, Y, with_it).verdict == "fail"


def test_l1_of_a_zero_weight_is_a_kink():
    net = network()
    net.weights[0][1, 2] = 0.0
    check = check_gradient(net, *batch(net), l1=0.1)
    assert check.verdict == "kink"
    assert [row.index for row in check.rows if row.verdict == "kink"] == [(1, 2)]


# Sampling


def test_a_sample_has_every_block_and_small_blocks_wholly():
    net = network((784, 30, 10))
    check = check_gradient(net, *batch(net, 3))
    counts = {b.name: sum(row.block == b.name for row in check.rows) for b in net.blocks}
    assert counts["layers.0.bias"] == 30
    assert counts["layers.1.bias"] == 10
    assert counts["layers.0.weight"] == counts["layers.1.weight"] == 80
    assert sum(counts.values()) == 200


@pytest.mark.parametrize("n", [1, 3, 4, 5, 43, 1000])
def test_at_least_one_of_every_block_and_none_twice(n):
    net = network()
    rows = check_gradient(net, *batch(net), n_parameters=n).rows
    assert {row.block for row in rows} == {block.name for block in net.blocks}
    assert len(rows) == len({(row.block, row.index) for row in rows}) <= max(n, 4)
    assert len(rows) == 43 or n < 43


def test_a_seed_always_draws_the_same_sample():
    net = network((20, 30, 3))
    X, Y = batch(net)

    def places(seed):
        return [row[:2] for row in check_gradient(net, X, Y, n_parameters=20, seed=seed).rows]

    assert places(0) == places(0) != places(1)


def test_rows_say_where_they_are():
    net = network()
    X, Y = batch(net)
    g = net.gradient(X, Y)
    for row in check_gradient(net, X, Y).rows:
        kind, layer = row.block.split(".")[2], int(row.block.split(".")[1])
        values = (g.weights if kind == "weight" else g.biases)[layer]
        assert row.analytic == values[row.index]
        assert row.numeric == pytest.approx(row.analytic, rel=1e-6)


# Foreign gradients


def test_a_gradient_is_taken_flat_as_a_gradient_and_as_pairs():
    net = network()
    X, Y = batch(net)
    g = net.gradient(X, Y)
    for given in (g, g.flat, g.flat.tolist(), (g.weights, g.biases), [list(g.weights), g.biases]):
        assert check_gradient(net, X, Y, given).verdict == "pass"


class Tensor:
    """What a tensor of a graph is to us: an array once it is detached and brought here."""

    def __init__(self, array, dtype="float32"):
        self.array, self.shape, self.dtype, self.here = array, array.shape, dtype, False

    def detach(self):
        return Tensor(self.array, self.dtype)

    def cpu(self):
        self.here = True
        return self

    def __array__(self, dtype=None, copy=None):
        if not self.here or self.dtype == "bfloat16":
            raise RuntimeError("no numpy() of a tensor that requires grad")
        return self.array


@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (5, 5, 5, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_gradient_is_taken_as_the_arrays_of_the_blocks_and_layer_by_layer(sizes, bias):
    layers = [sizes[0], *(cp.Layer(n, bias=bias) for n in sizes[1:])]
    net = cp.Network(layers, cost="quadratic", output="sigmoid", dtype="float64", seed=0)
    X, Y = batch(net)
    g = net.gradient(X, Y)
    pairs = list(zip(g.weights, g.biases, strict=True))
    blocks = [each for pair in pairs for each in pair if each is not None]
    forms = [
        blocks,
        tuple(map(Tensor, blocks)),
        (each for each in blocks),
        [each.tolist() for each in blocks],
        pairs,
        [list(pair) for pair in pairs],
        (g.weights, g.biases),
    ]
    if not bias:
        forms.append([(W,) for W in g.weights])
    for form in forms:
        assert check_gradient(net, X, Y, form).verdict == "pass"
    wrong = [*blocks[:-1], 1.001 * blocks[-1]]
    assert check_gradient(net, X, Y, wrong).verdict == "fail"


def test_what_is_no_gradient_in_these_forms_is_refused_in_one_sentence():
    net = network()
    X, Y = batch(net)
    g = net.gradient(X, Y)
    (W0, W1), (b0, b1) = g.weights, g.biases
    none = r"got None; in PyTorch, p\.grad is None before backward\(\)"
    bfloat16 = Tensor(b1, "bfloat16")
    for given, kind, message in (
        ([None] * 4, ValueError, "an array for layers.0.weight, " + none),
        ([W0, b0, None, b1], ValueError, "an array for layers.1.weight, " + none),
        ([(W0, b0), (W1, None)], ValueError, "an array for layers.1.bias, " + none),
        (([W0, None], [b0, b1]), ValueError, "an array for layers.1.weight, " + none),
        (([None, None], [b0, b1]), ValueError, "an array for layers.0.weight, " + none),
        (([W0, W1], [None, None]), ValueError, "an array for layers.0.bias, " + none),
        ([(None, None)] * 2, ValueError, "an array for layers.0.weight, " + none),
        ({b.name: None for b in net.blocks}, ValueError, "an array for layers.0.weight, " + none),
        ([W0, b0, W1], ValueError, "4 arrays, one for each of net.blocks, got 3"),
        ([W0, W1, b0, b1], ValueError, r"the shape \(5,\) for layers.0.bias, got \(3, 5\)"),
        ([W0.T, b0, W1, b1], ValueError, r"\(5, 4\) for layers.0.weight, got \(4, 5\): row ="),
        ([(W0, b0)], ValueError, "2 pairs of weights and biases, one for each layer, .* got 1 groups"),
        ([(W0, b0, b0), (W1, b1)], ValueError, "2 arrays of weights, one for each layer, got 3"),
        ([W0, b0, W1, bfloat16], TypeError, "numbers for layers.1.bias, in one array, got bfloat16"),
        ([W0, b0, W1, b1.astype(str)], TypeError, "numbers for layers.1.bias, got dtype <U"),
        ([W0, b0, [[1.0, 2.0], [3.0]], b1], TypeError, "for layers.1.weight, in one array, got list"),
        ([(W0, b0), (None, None)], ValueError, "an array for layers.1.weight, " + none),
        (object(), TypeError, "float32 or float64 numbers, got dtype object"),
    ):
        with pytest.raises(kind, match=message):
            check_gradient(net, X, Y, given)


def test_a_gradient_in_float32_is_held_to_1e_4_whatever_holds_it():
    net = network()
    X, Y = batch(net)
    narrow = net.copy("float32").gradient(X, Y).flat
    for held in (narrow, narrow.astype(np.float64), narrow.tolist()):
        assert check_gradient(net, X, Y, held).verdict == "pass"
        wrong = np.asarray(held).copy()
        wrong[3] += 1e-4 * np.abs(wrong[:20]).max()
        assert check_gradient(net, X, Y, wrong).verdict == "fail"


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_right_gradient_in_float32_is_never_wrong_for_its_rounding(seed, shift):
    net = cp.Network([4, 5, 3], dtype="float64", seed=seed)
    X, Y = batch(net)
    labels = Y.argmax(axis=1)
    net.fit(X + shift, labels, epochs=300, batch_size=None, optimizer=cp.Adam(0.05), seed=seed)
    given = by_hand_in_float32(net, (X + shift).astype(np.float32), labels)
    found = check_gradient(net, X + shift, labels, given)
    assert (found.verdict != "fail", found.mistakes) == (True, ())
    wrong = check_gradient(net, X + shift, labels, given * np.float32(1.001))
    assert wrong.verdict == "fail"


def by_hand_in_float32(net, X, labels):
    """Return the gradient of a sigmoid layer and softmax, sample after sample."""
    (W, V), (b, c) = ([each.astype(np.float32) for each in kind] for kind in (net.weights, net.biases))
    total = [np.zeros_like(each) for each in (W, b, V, c)]
    for x, label in zip(X, labels, strict=True):
        a = 1 / (1 + np.exp(-(W @ x + b)))
        p = np.exp(V @ a + c)
        p /= p.sum()
        p[label] -= 1
        delta = V.T @ p * a * (1 - a)
        for one, part in zip(total, (np.outer(delta, x), delta, np.outer(p, a), p), strict=True):
            one += part
    return np.concatenate([each.ravel() / np.float32(len(X)) for each in total])


def test_gradients_of_other_shapes_are_refused_with_both():
    net = network()
    X, Y = batch(net)
    g = net.gradient(X, Y)
    with pytest.raises(ValueError, match=r"the shape of the parameters, \(43,\), got \(42,\)"):
        check_gradient(net, X, Y, g.flat[:-1])
    with pytest.raises(ValueError, match=r"the shape of the parameters, \(43,\), got \(7, 43\)"):
        check_gradient(net, X, Y, net.gradient(X, Y, per_sample=True))
    with pytest.raises(ValueError, match=r"the shape \(5, 4\) for layers.0.weight, got \(4, 5\)"):
        check_gradient(net, X, Y, ([W.T for W in g.weights], g.biases))
    with pytest.raises(ValueError, match=r"the shape \(5,\) for layers.0.bias, got \(5, 1\)"):
        check_gradient(net, X, Y, (g.weights, [b[:, None] for b in g.biases]))
    with pytest.raises(ValueError, match="2 arrays of weights, one for each layer, got 1"):
        check_gradient(net, X, Y, (g.weights[:1], g.biases))
    with pytest.raises(
        TypeError, match="gradient must hold float32 or float64 numbers, got dtype float16"
    ):
        check_gradient(net, X, Y, g.flat.astype(np.float16))
    with pytest.raises(TypeError, match="gradient must hold float32 or float64 numbers, got dtype <U"):
        check_gradient(net, X, Y, "abc")


def test_biases_for_a_layer_without_are_refused():
    net = cp.Network([2, cp.Layer(3, bias=False), 1], cost="quadratic", dtype="float64", seed=0)
    X, Y = batch(net)
    g = net.gradient(X, Y)
    assert check_gradient(net, X, Y, (g.weights, g.biases)).verdict == "pass"
    with pytest.raises(
        ValueError, match=r"None for the biases of layer 1, which has none, got shape \(3,"
    ):
        check_gradient(net, X, Y, (g.weights, [np.zeros(3), g.biases[1]]))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"n_parameters": 0}, ValueError, "n_parameters must be at least 1, got 0"),
        ({"n_parameters": 2.5}, TypeError, "n_parameters must be an integer of at least 1, got 2.5"),
        ({"n_parameters": True}, TypeError, "n_parameters must be an integer of at least 1, got True"),
        ({"seed": -1}, ValueError, "seed must be from 0"),
        ({"l2": -0.1}, ValueError, "l2 must be a finite number of at least 0, got -0.1"),
        ({"l1": np.nan}, ValueError, "l1 must be a finite number of at least 0, got nan"),
        ({"sample_weight": [1, 2]}, ValueError, r"sample_weight must have shape \(7,\)"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, kind, message):
    net = network()
    with pytest.raises(kind, match=message):
        check_gradient(net, *batch(net), **arguments)


def test_a_cost_that_is_not_finite_is_refused():
    net = network((1, 1, 1), activation="exp")
    net.parameters[:] = 1000.0
    with pytest.raises(
        ValueError, match="the cost must be finite for its gradient to be checked, got inf"
    ):
        check_gradient(net, [[1.0]], [[1.0]])


# The table


def test_table_names_verdict_blocks_and_the_worst_parameters():
    net = network()
    X, Y = batch(net)
    g = net.gradient(X, Y).flat.copy()
    g[7] *= 1.5
    text = str(check_gradient(net, X, Y, g))
    assert text.startswith("gradient check: fail (43 of 43 parameters, largest relative error 3.3e-01)")
    assert "layers.0.weight                20        3.3e-01  19 pass, 1 fail" in text
    assert "layers.0.weight[1, 3]" in text
    assert "First wrong layer, on the way back from the cost: layer 1 (layers.0.weight)." in text
    assert "None of the classic mistakes gives exactly these numbers." in text
    assert len(text.splitlines()) == 2 + 4 + 3 + 2 + 1


def test_table_of_many_failures_is_short():
    net = network()
    X, Y = batch(net)
    lines = str(check_gradient(net, X, Y, -net.gradient(X, Y).flat)).splitlines()
    assert lines[-1] == "... and 33 more"
    assert len(lines) < 24
    assert max(map(len, lines)) <= 104


def test_passes_forwards_are_two_for_each_parameter(monkeypatch):
    from clearprop import backprop

    calls, forward = [], backprop.forward
    monkeypatch.setattr(backprop, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    net = network()
    X, Y = batch(net)
    check_gradient(net, X, Y)
    # C2: 2N for central differences; a few more for costs, the claim and doubtful parameters.
    assert 2 * 43 <= len(calls) < 3 * 43
