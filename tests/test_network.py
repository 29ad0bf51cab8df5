import copy
import pickle

import numpy as np
import pytest

import clearprop as cp

X = np.random.default_rng(1).normal(size=(7, 4))
LABELS = np.array([0, 2, 1, 1, 0, 2, 2])


def make(**how):
    return cp.Network([4, 5, 3], seed=0, **{"dtype": "float64", **how})


def test_sizes_shapes_and_counts_are_the_documented_ones():
    net = cp.Network(
        [2, cp.Layer(3, ["sigmoid", "tanh", "relu"]), cp.Layer(2, "identity", bias=False)],
        cost="quadratic",
        seed=0,
    )
    assert net.sizes == (2, 3, 2)
    assert [w.shape for w in net.weights] == [(3, 2), (2, 3)]
    assert net.biases[0].shape == (3,)
    assert net.biases[1] is None
    assert net.n_parameters == net.parameters.size == 6 + 3 + 6
    assert [block.name for block in net.blocks] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
    ]


def test_the_usual_output_goes_with_the_cost():
    def output(cost, n=2):
        return cp.Network([3, n], cost=cost, seed=0).layers[-1].function.name

    assert output("cross_entropy") == "softmax"
    assert output("cross_entropy", 1) == "sigmoid"
    assert output("binary_cross_entropy", 1) == "sigmoid"
    assert output("poisson") == "exp"
    assert output("quadratic") == "identity"


def duplicates(net, folder):
    net.save(folder / "net.safetensors")
    return {
        "copy": net.copy(),
        "copy.copy": copy.copy(net),
        "deepcopy": copy.deepcopy(net),
        "pickle": pickle.loads(pickle.dumps(net)),
        "file": cp.load(folder / "net.safetensors"),
    }


def test_weights_and_biases_are_writable_views_also_after_copying_pickling_and_loading(tmp_path):
    original = make()
    before = original.parameters.copy()
    for way, net in duplicates(original, tmp_path).items():
        net.weights[1][2, 4] = 7.0
        net.biases[0][3] = -5.0
        block = {b.name: b for b in net.blocks}
        assert net.parameters[block["layers.1.weight"].offset + 2 * 5 + 4] == 7.0, way
        assert net.parameters[block["layers.0.bias"].offset + 3] == -5.0, way
        assert net.predict(X).shape == (7, 3), way
    np.testing.assert_array_equal(original.parameters, before)  # the copies are independent


def test_a_copy_in_another_dtype_computes_in_it():
    net = make().copy("float32")
    assert net.dtype == "float32"
    assert net.predict(X).dtype == np.float32


def test_the_same_seed_gives_the_same_network_and_float32_is_the_cast_of_float64():
    np.testing.assert_array_equal(make().parameters, make().parameters)
    np.testing.assert_array_equal(make(dtype="float32").parameters, make().parameters.astype("float32"))
    assert (cp.Network([4, 5, 3], seed=1).parameters != make(dtype="float32").parameters).any()


def test_a_seed_of_none_is_drawn_once_and_recorded():
    net = cp.Network([4, 5, 3])
    np.testing.assert_array_equal(net.parameters, cp.Network([4, 5, 3], seed=net.seed).parameters)


def test_predict_in_blocks_equals_predict_at_once():
    many = np.random.default_rng(2).normal(size=(10_000, 4))
    net = make()
    whole = net.predict(many)
    np.testing.assert_allclose(whole[5000:5003], net.predict(many[5000:5003]), rtol=1e-14)


def test_cost_gradient_and_trace_tell_the_same_story():
    net = make()
    trace, gradient = net.trace(X, LABELS), net.gradient(X, LABELS)
    assert trace.cost == net.cost(X, LABELS)
    for l, layer in enumerate(trace.layers):  # noqa: E741
        np.testing.assert_array_equal(layer.weight_gradient, gradient.weights[l])
        np.testing.assert_array_equal(layer.bias_gradient, gradient.biases[l])
    np.testing.assert_allclose(
        trace.layers[-1].a, net.predict(X), rtol=1e-14
    )  # whichever engine predicts


def test_a_trace_cannot_be_written_to():
    trace = make().trace(X, LABELS)
    with pytest.raises(ValueError, match="read-only"):
        trace.layers[0].delta[0, 0] = 1.0
    with pytest.raises(AttributeError):
        trace.cost = 0.0


def test_the_gradient_is_the_mean_of_each_samples_own():
    net = make()
    each = net.gradient(X, LABELS, per_sample=True)
    assert each.weights[0].shape == (7, 5, 4)
    np.testing.assert_allclose(
        each.flat.mean(axis=0), net.gradient(X, LABELS).flat, rtol=1e-13, atol=1e-16
    )


def test_input_gradient_agrees_with_differences_of_raw_inputs():
    scaling = cp.Scaling(np.array([1.0, -2.0, 0.0, 3.0]), np.array([0.5, 2.0, 1.0, 0.1]))
    net = make(scaling=scaling)
    slope, h = net.input_gradient(X, LABELS), 1e-6
    for i, j in ((0, 0), (3, 1), (6, 3)):
        up, down = X.copy(), X.copy()
        up[i, j] += h
        down[i, j] -= h
        numeric = (net.cost(up[[i]], LABELS[[i]]) - net.cost(down[[i]], LABELS[[i]])) / (2 * h)
        assert slope[i, j] == pytest.approx(numeric, rel=1e-6, abs=1e-10)


def test_scaling_is_applied_to_raw_data_and_kept_in_the_file(tmp_path):
    scaling = cp.Scaling(np.arange(4.0), np.full(4, 0.5))
    net, plain = make(scaling=scaling), make()
    np.testing.assert_array_equal(net.predict(X), plain.predict((X - np.arange(4.0)) * 0.5))
    net.save(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(cp.load(tmp_path / "net.safetensors").predict(X), net.predict(X))


@pytest.mark.parametrize(
    "labels",
    [["b", "a", "c", "c"], [10, 5, 900, 900], [-1, -7, 2**62, 2**62]],
    ids=["text", "gaps", "large"],
)
def test_labels_come_back_as_they_were_given(labels, tmp_path):
    net = make()
    net.fit(X[:4], labels, epochs=200, batch_size=4, optimizer=cp.Adam(0.05), progress=False)
    assert net.classify(X[:4]).tolist() == labels
    assert net.classes == tuple(sorted(set(labels)))
    net.save(tmp_path / "net.safetensors")
    assert cp.load(tmp_path / "net.safetensors").classify(X[:4]).tolist() == labels


def test_one_sigmoid_output_tells_two_labels_apart():
    net = cp.Network([4, 5, 1], cost="binary_cross_entropy", seed=0)
    net.fit(
        X[:4],
        ["yes", "no", "no", "yes"],
        epochs=300,
        batch_size=4,
        optimizer=cp.Adam(0.05),
        progress=False,
    )
    assert net.classify(X[:4]).tolist() == ["yes", "no", "no", "yes"]


def test_a_regression_network_does_not_classify():
    with pytest.raises(ValueError, match="classify needs several outputs or one sigmoid output"):
        cp.Network([4, 1], cost="quadratic", seed=0).classify(X)


def test_your_own_activation_and_cost_are_found_again_by_name(tmp_path):
    square = cp.Activation("square", lambda z: z**2, lambda z: 2 * z)
    fourth = cp.Cost("fourth", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)
    net = cp.Network([4, 3, 2], activation=square, output="identity", cost=fourth, seed=0)
    net.save(tmp_path / "net.safetensors")
    again = cp.load(tmp_path / "net.safetensors", custom=(square, fourth))
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    with pytest.raises(
        cp.CheckpointError, match="activation 'square' is not known here; give it in custom="
    ):
        cp.load(tmp_path / "net.safetensors")


def test_the_summary_names_layers_parameters_cost_and_multiply_adds():
    text = str(cp.Network([784, 30, 10], cost="cross_entropy", seed=0))
    for fact in ("784", "30 x 784", "23,550", "23,860 parameters", "cross_entropy", "23,820", "24,120"):
        assert fact in text


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"layers": [4]}, r"layers must be a list of at least 2 sizes, the input's first, got \[4\]"),
        ({"layers": "abc"}, "layers must be a list of at least 2 sizes"),
        ({"layers": [4, 0, 3]}, "a layer's size must be at least 1, got 0"),
        ({"layers": [4, -1, 3]}, "a layer's size must be at least 1, got -1"),
        ({"layers": [4, 2.5, 3]}, "a layer's size must be an integer of at least 1, got 2.5"),
        ({"layers": [4, "5", 3]}, "a layer's size must be an integer of at least 1, got '5'"),
        ({"layers": [4, True, 3]}, "a layer's size must be an integer of at least 1, got True"),
        ({"layers": [4, 10**9, 3]}, r"at most 2\*\*31 parameters.*GB in float32"),
        (
            {"activation": "sigmod"},
            "activation must be one of .*, got 'sigmod'; did you mean 'sigmoid'",
        ),
        ({"activation": "softmax"}, "activation softmax is for the output layer, got it in layer 1"),
        ({"activation": 3}, "activation must be a name, an Activation, or a list"),
        ({"cost": "crossentropy"}, "cost must be one of .*; did you mean 'cross_entropy'"),
        (
            {"cost": "cross_entropy", "output": "tanh"},
            "needs outputs through softmax or sigmoid, got tanh",
        ),
        ({"cost": "binary_cross_entropy"}, "cost binary_cross_entropy needs one output, got 3"),
        ({"layers": [4, 1], "output": "softmax"}, "softmax needs at least 2 outputs, got 1"),
        ({"initializer": "glorot"}, "initializer must be one of .*, got 'glorot'"),
        ({"bias_initializer": "zero"}, "bias_initializer must be one of .*; did you mean 'zeros'"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64', got 'float16'"),
        ({"seed": -1}, r"seed must be from 0 to 2\*\*64 - 1, got -1"),
        ({"seed": 2**64}, r"seed must be from 0 to 2\*\*64 - 1"),
        ({"seed": np.random.default_rng(0)}, "seed must be None or an integer, got Generator"),
        ({"scaling": 3.0}, "scaling must be a Scaling, got 3.0"),
        (
            {"scaling": cp.Scaling(np.zeros(3), np.ones(3))},
            r"must have shape \(4,\) or \(1,\), got \(3,\)",
        ),
        (
            {"layers": [4, cp.Layer(3, "relu")], "output": "tanh"},
            "the output's activation must be given once",
        ),
    ],
)
def test_bad_arguments_are_named_with_their_rule_and_value(how, message):
    arguments = {"layers": [4, 5, 3], **how}
    with pytest.raises((ValueError, TypeError), match=message):
        cp.Network(arguments.pop("layers"), **arguments)


def test_a_layer_with_too_few_activations_is_refused():
    with pytest.raises(ValueError, match="a layer of 3 neurons needs 3 activations, got 2"):
        cp.Layer(3, ["relu", "tanh"])


@pytest.mark.parametrize("method", ["cost", "gradient", "trace", "input_gradient"])
def test_rows_that_do_not_match_are_both_named(method):
    with pytest.raises(ValueError, match="X and Y must have as many rows, got 7 and 6"):
        getattr(make(), method)(X, LABELS[:6])


def test_columns_of_a_data_frame_must_be_the_ones_trained_on():
    pandas = pytest.importorskip("pandas")
    net = make()
    net.feature_names = ("a", "b", "c", "d")
    net.predict(pandas.DataFrame(X, columns=list("abcd")))
    with pytest.raises(ValueError, match=r"missing \['d'\], unknown \['e'\]"):
        net.predict(pandas.DataFrame(X, columns=list("abce")))
    with pytest.raises(ValueError, match="all in another order"):
        net.predict(pandas.DataFrame(X, columns=list("bacd")))


def test_numpy_errors_raised_by_the_caller_are_the_callers_own():
    net = make(dtype="float32")
    with np.errstate(all="raise"):
        net.fit(X * 100, LABELS, epochs=3, batch_size=4, progress=False)
        net.predict(X * 1e4)
        net.trace(X * 1e4, LABELS)
