import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clearprop as cp
from clearprop import checks, randomness
from clearprop.architecture import Layer
from clearprop.building import build
from clearprop.flat_vector import select
from clearprop.names import check_size


def made(*layers, activation="sigmoid", output=None, cost="quadratic"):
    return build(list(layers), activation, output, cost)


# Bad sizes and names (bad inputs 43 and 48)


@pytest.mark.parametrize(
    ("size", "kind", "message"),
    [
        (0, ValueError, "a layer's size must be at least 1, got 0"),
        (-1, ValueError, "a layer's size must be at least 1, got -1"),
        (2.5, TypeError, "a layer's size must be an integer of at least 1, got 2.5"),
        (2.0, TypeError, "a layer's size must be an integer of at least 1, got 2.0"),
        ("64", TypeError, "a layer's size must be an integer of at least 1, got '64'"),
        ((64,), TypeError, r"a layer's size must be an integer of at least 1, got \(64,\)"),
        (True, TypeError, "a layer's size must be an integer of at least 1, got True"),
        (None, TypeError, "a layer's size must be an integer of at least 1, got None"),
        (np.nan, TypeError, "a layer's size must be an integer of at least 1, got nan"),
    ],
    ids=repr,
)
def test_bad_sizes_are_refused(size, kind, message):
    for layers in ([4, size], [4, size, 3], [size, 3]):
        with pytest.raises(kind, match=message):
            cp.Network(layers, cost="quadratic")
    with pytest.raises(kind, match=message):
        Layer(size)


@pytest.mark.parametrize("size", [3, np.int64(3), np.uint8(3)])
def test_integers_of_any_kind_are_sizes(size):
    assert check_size(size) == 3
    assert type(check_size(size)) is int


@pytest.mark.parametrize("layers", [[], [4], "64", 64, None, b"ab", {4: 3}])
def test_layers_that_are_no_list_of_two_are_refused(layers):
    with pytest.raises(
        ValueError, match="layers must be a list of at least 2 sizes, the input's first"
    ):
        cp.Network(layers)


def test_a_layer_in_place_of_the_number_of_features_is_refused():
    with pytest.raises(
        TypeError, match="the first of layers must be the number of features, got Layer"
    ):
        made(Layer(3, "tanh"), 2)


def test_a_network_too_large_is_refused_with_the_memory_it_would_need():
    message = (
        r"at most 2\*\*31 parameters, got 6,000,000,001 for sizes \(4, 10+, 1\).* 24.0 GB in float32"
    )
    with pytest.raises(ValueError, match=message):
        made(4, 10**9, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"activation": "sigmod"},
            r"activation must be one of .*got 'sigmod'; did you mean 'sigmoid'\?",
        ),
        ({"output": "softmx"}, r"must be one of .*did you mean 'softmax'\?"),
        ({"cost": "quadratc"}, r"cost must be one of .*did you mean 'quadratic'\?"),
        ({"initializer": "he_norm"}, r"initializer must be one of .*did you mean 'he_normal'\?"),
        ({"bias_initializer": "zeroes"}, r"bias_initializer must be one of .*did you mean 'zeros'\?"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"dtype": "int32"}, "dtype must be"),
        ({"seed": -1}, "seed must be"),
    ],
    ids=str,
)
def test_unknown_names_are_refused_with_the_nearest(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        cp.Network([4, 5, 3], **arguments)


# What does not go together


def test_more_layers_than_the_random_numbers_have_keys_for_are_refused():
    assert len(made(*[1] * 4097).layers) == 4096
    with pytest.raises(ValueError, match=r"a network must have at most 4096 weight layers, got 4,097"):
        made(*[1] * 4098)


def test_softmax_in_a_hidden_layer_is_refused():
    with pytest.raises(
        ValueError, match="activation softmax is for the output layer, got it in layer 1"
    ):
        made(4, Layer(5, "softmax"), 3)
    with pytest.raises(
        ValueError, match="activation softmax is for the output layer, got it in layer 2"
    ):
        made(4, 5, Layer(5, "softmax"), 3)


def test_a_single_softmax_output_is_refused():
    with pytest.raises(ValueError, match="softmax needs at least 2 outputs, got 1"):
        made(4, 1, output="softmax")


def test_an_output_activation_given_twice_is_refused():
    with pytest.raises(ValueError, match="the output's activation must be given once, got Layer"):
        made(4, Layer(3, "tanh"), output="sigmoid")


def test_a_cost_that_does_not_go_with_the_outputs_is_refused():
    with pytest.raises(
        ValueError, match="cost cross_entropy needs outputs through softmax or sigmoid, got tanh"
    ):
        made(4, 3, output="tanh", cost="cross_entropy")
    with pytest.raises(ValueError, match="cost binary_cross_entropy needs one output, got 3"):
        made(4, 3, cost="binary_cross_entropy")


@pytest.mark.parametrize(
    ("cost", "n", "output"),
    [
        ("cross_entropy", 3, "softmax"),
        ("cross_entropy", 1, "sigmoid"),
        ("binary_cross_entropy", 1, "sigmoid"),
        ("poisson", 2, "exp"),
        ("quadratic", 3, "identity"),
        ("huber", 1, "identity"),
    ],
)
def test_outputs_go_with_the_cost_unless_given(cost, n, output):
    assert made(4, 5, n, activation="relu", cost=cost).output.name == output
    assert made(4, 5, n, activation="relu", cost=cost).layers[0].function.name == "relu"


# The flat vector

sizes = st.lists(st.integers(1, 6), min_size=2, max_size=5)


@given(sizes, st.data())
def test_blocks_cover_the_flat_vector_once(shape, data):
    layers = [shape[0], *(Layer(n, "tanh", bias=data.draw(st.booleans())) for n in shape[1:])]
    net = build(layers, "tanh", None, "quadratic")
    covered = np.zeros(net.n_parameters, int)
    for block in net.blocks:
        covered[block.slice] += 1
        assert block.size == np.prod(block.shape)
    assert (covered == 1).all()
    # C22: the gradient has as many elements as there are weights and biases.
    expected = sum(
        n * (m + layer.bias) for m, n, layer in zip(shape, shape[1:], layers[1:], strict=False)
    )
    assert net.n_parameters == expected


@given(sizes)
def test_views_are_views_in_the_documented_order_and_shapes(shape):
    net = made(*shape)
    flat = np.arange(net.n_parameters, dtype=float)
    weights, biases = net.views(flat)
    parts = [part.ravel() for W, b in zip(weights, biases, strict=True) for part in (W, b)]
    np.testing.assert_array_equal(np.concatenate(parts), flat)
    for W, b, n_in, n_out in zip(weights, biases, shape, shape[1:], strict=False):
        assert W.shape == (n_out, n_in)
        assert b.shape == (n_out,)
        assert np.shares_memory(W, flat)
        assert W.flags.c_contiguous


def test_leading_axes_are_kept_in_views():
    weights, biases = made(4, 5, 3).views(np.zeros((7, 43)))
    assert [W.shape for W in weights] == [(7, 5, 4), (7, 3, 5)]
    assert [b.shape for b in biases] == [(7, 5), (7, 3)]


def test_table_of_blocks_names_kinds_and_factors():
    net = build([4, Layer(5, "tanh", bias=False), 3], "tanh", None, "quadratic")
    assert [(b.name, b.shape, b.offset, b.kind, b.lr_factor, b.decay_factor) for b in net.blocks] == [
        ("layers.0.weight", (5, 4), 0, "weights", 1.0, 1.0),
        ("layers.1.weight", (3, 5), 20, "weights", 1.0, 1.0),
        ("layers.1.bias", (3,), 35, "biases", 1.0, 0.0),
    ]
    np.testing.assert_array_equal(net.factors("decay_factor"), [1.0] * 35 + [0.0] * 3)
    np.testing.assert_array_equal(net.factors("lr_factor"), np.ones(38))
    assert net.views(np.zeros(38))[1][0] is None


def test_blocks_are_selected_by_name_and_by_kind():
    net = made(4, 5, 3)

    def names(*which):
        return [block.name for block in select(net.blocks, which)]

    assert names("biases") == ["layers.0.bias", "layers.1.bias"]
    assert names("layers.0.weight", "biases") == ["layers.0.weight", "layers.0.bias", "layers.1.bias"]
    assert names() == []
    with pytest.raises(
        ValueError, match=r"frozen must be one of .*got 'bias'; did you mean 'biases'\?"
    ):
        names("bias")


def test_an_activation_for_each_neuron_belongs_to_its_layer():
    layer = Layer(3, ["sigmoid", "tanh", "relu"])
    assert [part.name for part in layer.function.parts] == ["sigmoid", "tanh", "relu"]
    assert repr(layer) == "Layer(3, [sigmoid, tanh, relu])"
    assert repr(Layer(2, "tanh", bias=False)) == "Layer(2, tanh, bias=False)"


# Scaling


def test_scaling_shifts_then_multiplies_and_keeps_the_dtype():
    scaling = cp.Scaling(np.array([1.0, 2.0]), np.array([10.0]))
    X = np.array([[1, 3], [2, 2]], np.float32)
    np.testing.assert_array_equal(scaling(X), [[0, 10], [10, 0]])
    assert scaling(X).dtype == np.float32
    np.testing.assert_array_equal(X, [[1, 3], [2, 2]])


# First parameters


def test_first_parameters_depend_on_the_seed_alone():
    def drawn(seed):
        return cp.Network([4, 5, 3], seed=seed).parameters

    np.testing.assert_array_equal(drawn(7), drawn(7))
    assert not np.array_equal(drawn(7), drawn(8))


def test_layers_draw_their_own_numbers():
    net = cp.Network([4, 4, 4, 4], initializer="normal", dtype="float64", seed=0)
    assert len(np.unique([W.ravel() for W in net.weights])) == 48
    for layer, W in enumerate(net.weights):
        where = {"purpose": randomness.INITIAL_WEIGHTS, "layer": layer}
        np.testing.assert_array_equal(W.ravel(), randomness.normal(0, 16, **where))


def test_largest_network_is_a_limit_not_a_promise_of_memory():
    # The size is counted, not allocated: this returns at once.
    assert made(2**15, 2**15, 1).n_parameters < checks.LARGEST_NETWORK


@pytest.mark.parametrize("given", [["tanh", "sigmoid"], ["tanh", "tanh"], [], "an activation"])
def test_a_list_of_activations_must_fit_every_layer_that_it_is_for(given):
    if given == "an activation":
        given = Layer(2, ["tanh", "sigmoid"]).function
    with pytest.raises(ValueError, match="a layer of 5 neurons needs 5 activations, got"):
        cp.Network([4, 5, 3], activation=given)  # two of the neurons had none, and what lay there
    with pytest.raises(ValueError, match="a layer of 5 neurons needs 5 activations, got"):
        Layer(5, given)
