"""ONNX graphs of others come in, or are refused by node; hostile ones read nothing and crash nothing."""

import os

import numpy as np
import pytest

import clearprop as cp
from clearprop.model.targets import Units
from clearprop.portable import onnx_model
from foreign_onnx import dense, keras_like, model, torch_like
from portable_models import case_of, frame

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(1).normal(size=(7, 4)).astype("f")
FUZZ = int(os.environ.get("CLEARPROP_FUZZ", "1000"))


def said(graph):
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(graph).run(None, {graph.graph.input[0].name: X})[0]


ACTIVATIONS = {
    "Relu": {}, "Sigmoid": {}, "Tanh": {}, "Elu": {}, "Selu": {}, "LeakyRelu": {"alpha": 0.01}, "Softplus": {},
    "Exp": {}, "Mish": {}, "Identity": {},
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_layers_as_keras_has_them_come_in(name):
    graph = keras_like(name, **ACTIVATIONS[name])
    net = cp.from_onnx(graph)
    assert (net.sizes, net.dtype, net.architecture.cost.name) == ((4, 5, 3), "float32", "cross_entropy")
    np.testing.assert_allclose(net.predict(X), said(graph), rtol=2e-5, atol=1e-7)


def test_layers_as_torch_has_them_come_in(tmp_path):
    onnx.save(torch_like(), tmp_path / "m.onnx")
    net = cp.from_onnx(tmp_path / "m.onnx")
    assert net.architecture.cost.name == "quadratic"
    np.testing.assert_allclose(net.predict(X), said(torch_like()), rtol=1e-5, atol=1e-6)
    assert cp.from_onnx(str(tmp_path / "m.onnx"), cost="huber").architecture.cost.name == "huber"
    assert np.array_equal(cp.from_onnx((tmp_path / "m.onnx").read_bytes()).parameters, net.parameters)


def test_what_scales_numbers_first_comes_in_as_the_scaling():
    mean, width = np.array([1, 2, 3, 4], "f"), np.array([2, 4, 0.5, 1], "f")
    nodes = [("Sub", ("x", "mean"), "c", {}), ("Div", ("c", "width"), "s", {}), ("Mul", ("two", "s"), "t", {}),
             ("Add", ("t", "one"), "u", {}), *dense(1, "u", "y")]  # fmt: skip
    two = {"mean": mean, "width": width, "two": np.array(2, "f"), "one": np.array([1], "f")}
    graph = model(nodes, two)
    net = cp.from_onnx(graph)
    assert net.scaling is not None
    np.testing.assert_allclose(net.predict(X), said(graph), rtol=1e-5, atol=1e-5)


def test_our_own_come_back():
    for output, cost, n in (
        ("softmax", "cross_entropy", 3),
        ("sigmoid", "cross_entropy", 1),
        ("identity", "quadratic", 2),
    ):
        net = cp.Network(
            [4, 5, n], activation="tanh", output=output, cost=cost, seed=0, bias_initializer="normal"
        )
        net.model.inputs = cp.Network([4, 1], scaling=cp.data.scaling.standardize(X)).model.inputs
        if n == 3:
            net.classes = ("a", "b", "c")
        back = cp.from_onnx(net.to_onnx())
        np.testing.assert_allclose(back.predict(X), net.predict(X), rtol=1e-5, atol=1e-7)
        assert (back.classes, back.architecture.cost.name) == (net.classes, cost)


def undescribed(graph):
    """Return one of our graphs without the description of the whole model, as another tool may leave it."""
    kept = [each for each in graph.metadata_props if each.key != "clearprop.model"]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    return graph


def came_back(name):
    case = case_of(name)
    return case, cp.from_onnx(undescribed(onnx_model.model_of(case.program)))


SEVERAL_NODES = ("leaky_relu", "scaled_tanh", "elu", "selu", "gelu", "silu", "softplus", "mish")


@pytest.mark.parametrize("name", SEVERAL_NODES)
def test_activations_that_are_several_nodes_come_in(name):
    for dtype in ("float32", "float64"):
        net = cp.Network([4, 5, 3], activation=name, cost="quadratic", dtype=dtype, seed=0)
        back = cp.from_onnx(undescribed(net.to_onnx()))
        assert [each.function.name for each in back.layers] == [name, "identity"]
        assert np.array_equal(back.parameters, net.parameters)


def test_several_nodes_of_another_slope_or_a_part_of_which_goes_elsewhere_are_refused():
    half, slope = {"c": np.array(0.5, "f")}, {"c": np.array(0.01, "f")}
    leaky = [
        *dense(1, "x", "z", "Identity"),
        ("Mul", ("z", "c"), "m", {}),
        ("Max", ("z", "m"), "a", {}),
    ]
    last = ("MatMul", ("a", "W2"), "y", {})
    assert cp.from_onnx(model([*leaky, last], slope)).layers[0].function.name == "leaky_relu"
    with pytest.raises(ValueError, match=r"node 'Max_4' \(Max\) cannot come in"):
        cp.from_onnx(model([*leaky, last], half))
    with pytest.raises(ValueError, match=r"node 'Max_4' \(Max\) cannot come in"):
        cp.from_onnx(model([*leaky, last, ("Neg", ("m",), "n", {})], slope))


@pytest.mark.parametrize(
    "name", ["members", "table, members, embedded", "table, quantiles", "columns", "truths"]
)
def test_what_clearprop_wrote_comes_back_whole(name):
    case = case_of(name)
    graph = onnx_model.model_of(case.program)
    back = cp.from_onnx(graph.SerializeToString())
    assert np.array_equal(back.parameters, case.model.in_raw_units().parameters)
    assert cp.from_onnx(back.to_onnx()).to_onnx().SerializeToString() == graph.SerializeToString()


def test_an_estimator_comes_back_whole_by_the_shell(clearprop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = frame()[["gap", "city"]]
    made = cp.MLPRegressor(preset="realmlp-s", max_iter=2, random_state=0, target="standardize")
    made.fit(rows, np.arange(len(rows)) * 1.5).save("m.safetensors")
    rows.to_csv("t.csv", index=False)
    assert clearprop("export", "m.safetensors", "--format", "onnx")[0] == 0
    assert clearprop("import", "m.onnx", "--output", "back.safetensors")[0] == 0
    back = cp.MLPRegressor.load("back.safetensors")
    np.testing.assert_allclose(back.predict(rows), made.predict(rows), rtol=1e-5)
    said = [clearprop("predict", each, "t.csv")[1] for each in ("m.safetensors", "back.safetensors")]
    numbers = [np.array([line.split(",")[1] for line in each.split()[1:]], float) for each in said]
    np.testing.assert_allclose(*numbers, rtol=1e-5)


def test_what_was_changed_behind_its_description_does_not_come_back_by_it():
    graph = cp.Network([4, 5, 3], activation="tanh", cost="quadratic", seed=0).to_onnx()
    next(node for node in graph.graph.node if node.op_type == "Tanh").op_type = "Relu"
    assert cp.from_onnx(graph).layers[0].function.name == "relu"
    graph = cp.Network([4, 5, 3], seed=0).to_onnx()
    next(each for each in graph.metadata_props if each.key == "clearprop.model").value = "[" * 10**5
    assert cp.from_onnx(graph).sizes == (4, 5, 3)


def test_calibration_and_threshold_come_back():
    for name in ("calibrated classes", "calibrated by a threshold"):
        case, back = came_back(name)
        targets = back.model.targets
        assert targets.describe_choices() == case.model.targets.describe_choices() != {}
        rows = np.asarray(case.rows, back.dtype)
        np.testing.assert_allclose(targets.probabilities(back.predict(rows)), case.numbers, rtol=1e-4)
        assert (back.classify(rows) == case.told).all()


def test_bounds_indicators_truths_and_columns_come_back():
    net = cp.Network([4, 3, 2], cost="quadratic", seed=0)
    net.model.targets = Units(low=np.array([-0.1, 0.0]), high=np.array([0.1, 0.2]))
    back = cp.from_onnx(net.to_onnx()).model.targets
    assert np.array_equal([back.low, back.high], [[-0.1, 0.0], [0.1, 0.2]])
    assert came_back("indicators")[1].model.targets.kind == "multilabel-indicator"
    assert came_back("truths")[1].classes == (False, True)
    net = cp.Network([2, 3, 1], cost="quadratic", seed=0)
    net.feature_names = ("age", "height, in cm")
    assert cp.from_onnx(net.to_onnx()).feature_names == net.feature_names


def test_what_of_ours_cannot_come_back_is_said():
    for name in ("members", "parametric_elu", "table, classes", "one class", "embedded pl"):
        with pytest.raises(
            ValueError,
            match="(cannot come in|must have one input).*; clearprop wrote this graph, and cp.load",
        ):
            came_back(name)


@pytest.mark.parametrize(
    "note",
    [
        '{"temperature": 1}',
        "[",
        '{"calibration": {"temperature": -1.0}}',
        '{"threshold": "a"}',
        "[[[[1]]]]",
    ],
)
def test_notes_that_do_not_fit_are_refused(note):
    graph = cp.Network([4, 3, 2], output="softmax", cost="cross_entropy").to_onnx()
    undescribed(graph).metadata_props.add(key="clearprop.chosen", value=note)
    with pytest.raises(ValueError, match="notes of itself as clearprop's must fit its network"):
        cp.from_onnx(graph)


def test_what_follows_the_outputs_of_others_is_never_dropped_in_silence():
    head = [*dense(1, "x", "p", "Softmax"), ("Cast", ("p",), "c", {"to": 11})]
    with pytest.raises(
        ValueError, match=r"node 'Log_4' \(Log\) cannot come in: behind the last layer only labels"
    ):
        cp.from_onnx(model([*head, ("Log", ("c",), "y", {})]))
    third = {"third": np.array(0.3, "f")}
    with pytest.warns(
        UserWarning, match=r"node 'Greater_3' \(Greater\) is left out: labels go by 1/2 again"
    ):
        cp.from_onnx(model([*head[:3], ("Greater", ("p", "third"), "y", {})], third))


REFUSED = {
    "residual": (
        [*dense(1, "x", "a"), ("Add", ("a", "x"), "y", {})],
        r"node 'MatMul_0' \(MatMul\) and node 'Add_3' \(Add\) both take 'x', .* without residuals",
    ),
    "convolution": ([("Conv", ("x", "W1"), "y", {})], r"node 'Conv_0' \(Conv\) cannot come in: dense layers"),
    "two inputs": ([("Add", ("x", "x2"), "y", {})], "must have one input, got 'x', 'x2'"),
    "no layer": ([("Relu", ("x",), "y", {})], r"node 'Relu_0' \(Relu\) must come behind a layer"),
    "nothing": ([("Identity", ("x",), "y", {})], "must have a layer"),
    "two activations": (
        [*dense(1, "x", "a"), ("Tanh", ("a",), "b", {}), ("MatMul", ("b", "W2"), "y", {})],
        r"node 'Tanh_3' \(Tanh\) must come behind a layer, and be its only activation",
    ),
    "another slope": (dense(1, "x", "y", "LeakyRelu", alpha=0.2), r"node 'LeakyRelu_2' .* with these attributes"),
    "scaled activations": (
        [*dense(1, "x", "a"), ("Mul", ("a", "b1"), "m", {}), ("MatMul", ("m", "W2"), "y", {})],
        r"node 'Mul_3' \(Mul\) cannot come in",
    ),
    "weights that are computed": ([("MatMul", ("x", "w"), "y", {})], "must take a constant as 'w', which is none"),
    "weights for others": (
        [("MatMul", ("x", "W1"), "a", {}), ("MatMul", ("a", "W1"), "y", {})],
        "must take the 5 numbers of the layer before it, got weights for 4",
    ),
    "biases for others": ([("Gemm", ("x", "W1", "b2"), "y", {})], "must have a number for each of 5 neurons"),
    "a circle": ([("Identity", ("x",), "x", {})], "lead back into itself"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_come_in_is_named_by_node(name):
    nodes, sentence = REFUSED[name]
    inputs = ("x", "x2") if name == "two inputs" else ("x",)
    with pytest.raises(ValueError, match=sentence):
        cp.from_onnx(model(nodes, inputs=inputs))


@pytest.mark.parametrize("opset", [6, 99])
def test_an_opset_that_is_too_old_or_too_new_is_refused(opset):
    with pytest.raises(ValueError, match=f"must be of an opset from 7 to .*, got {opset}"):
        cp.from_onnx(model(dense(1, "x", "y"), opset=opset))


# Hostile files


def changed(**fields):
    graph = keras_like()
    tensor = graph.graph.initializer[0]
    for name, value in fields.items():
        if isinstance(value, list):
            del getattr(tensor, name)[:]
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    return graph


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (
            lambda: changed(dims=[2**40, 2**20]),
            r"as many numbers as its dims \[1099511627776, 1048576\] say, got 20",
        ),
        (lambda: changed(dims=[-4, -5]), "as many numbers as its dims"),
        (lambda: changed(raw_data=b""), "got 0"),
        (lambda: changed(data_type=8), "must hold floats, got data type 8"),
        (lambda: changed(raw_data=b"\xff" * 80), "must be finite, it holds NaN or infinity"),
    ],
)
def test_what_a_tensor_declares_is_held_against_what_is_there(graph, sentence):
    with pytest.raises(ValueError, match=sentence):
        cp.from_onnx(graph())


def test_weights_in_other_files_are_not_looked_for(tmp_path, monkeypatch):
    (tmp_path / "secret").write_bytes(bytes(80))
    graph = keras_like()
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "net.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(
        ValueError, match="must be in the file itself, it says that it is in another one"
    ):
        cp.from_onnx(tmp_path / "m" / "net.onnx")


def test_no_regular_or_too_large_file_is_read(tmp_path):
    with pytest.raises(OSError):
        cp.from_onnx("/dev/zero")
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(2**31)  # which takes no room on the disk
    with pytest.raises(
        ValueError, match="must be smaller than 2 GB, as ONNX files are, got 2,147,483,648 bytes"
    ):
        cp.from_onnx(tmp_path / "large.onnx")


def told(content):
    """Return the sentence with which a file is refused; None where it came in."""
    try:
        assert cp.from_onnx(content).n_parameters < 100
    except ValueError as problem:
        return str(problem)
    return None


@pytest.mark.parametrize("ours", [False, True])
def test_mutated_files_are_refused_in_a_sentence_or_come_in(ours):
    graph = cp.Network([2, 3, 1], members=2, seed=0).to_onnx() if ours else keras_like()
    whole, rng, refused = graph.SerializeToString(), np.random.default_rng(0), 0
    for _ in range(FUZZ // 2):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(len(content)))
            content[at] = int(rng.integers(256))
            if rng.random() < 0.1:
                del content[at:]
                break
        sentence = told(bytes(content))
        refused += sentence is not None
        assert sentence is None or 10 < len(sentence) < 400
    assert refused > FUZZ // 20
