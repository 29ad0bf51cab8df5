"""Networks of others come in with their own predictions, are trained on, and what cannot is named."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

import clearprop as cp
from clearprop.cli.app import application
from clearprop.incoming.files import network_in

RNG = np.random.default_rng(0)
W = [RNG.normal(size=(5, 4)), RNG.normal(size=(3, 5))]  # n_out, n_in
b = [RNG.normal(size=5), RNG.normal(size=3)]
X = RNG.normal(size=(7, 4))
WANTED = np.tanh(X @ W[0].T + b[0]) @ W[1].T + b[1]
HOW = {"activation": "tanh", "output": "identity", "cost": "quadratic"}


@pytest.mark.parametrize(
    "arrays",
    [
        [W[0], b[0], W[1], b[1]],  # PyTorch
        [W[0].T, b[0], W[1].T, b[1]],  # Keras
        [b[0], W[0].T, b[1], W[1].T],  # leaves of Flax
        [W[0].tolist(), b[0].tolist(), W[1].tolist(), b[1].tolist()],
    ],
)
def test_arrays_are_told_by_their_shapes(arrays):
    net = cp.from_weights(arrays, **HOW)
    assert net.sizes == (4, 5, 3)
    np.testing.assert_allclose(net.predict(X), WANTED, rtol=1e-12)


def test_layers_may_have_no_biases():
    net = cp.from_weights([W[0].T, W[1].T], **HOW)
    assert net.biases == (None, None)
    np.testing.assert_allclose(net.predict(X), np.tanh(X @ W[0].T) @ W[1].T, rtol=1e-12)


def test_what_came_in_is_checked_explained_and_trained_on_like_our_own():
    net = cp.from_weights([W[0], b[0], W[1], b[1]], activation="tanh", output="softmax")
    Y = np.arange(7) % 3
    assert cp.check_gradient(net, X, Y).verdict == "pass"
    assert "Network 4-5-3" in cp.explain(net, X[:1], Y[:1])
    before = net.cost(X, Y)
    net.fit(X, Y, epochs=3, batch_size=4, progress=False)
    assert net.cost(X, Y) < before


def test_square_weights_have_to_be_said():
    square = RNG.normal(size=(4, 4))
    with pytest.raises(ValueError, match="transposed must be said where all weights are square"):
        cp.from_weights([square, b[0][:4]], **HOW)
    for said, meant in ((False, square), (True, square.T)):
        net = cp.from_weights([square], **HOW, transposed=said)
        np.testing.assert_allclose(net.predict(X), X @ meant.T, rtol=1e-12)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ([], "must hold weights of two axes, got 0 arrays without any"),
        ([b[0]], "must hold weights of two axes, got 1 arrays without any"),
        ([W[0], b[0], b[0]], "one array of biases at most"),
        ([W[0], b[0][:3]], "must fit together, .* got weights of shape .5, 4. and 3 biases in layer 1"),
        ([W[0], W[1][:, :2]], r"got weights of shape \(3, 2\) after \(5, 4\) in layer 2"),
        ([W[0] * np.nan], "arrays must be finite, array 0 holds NaN or infinity"),
        ([np.array([["a", "b"]])], "numbers all, got array 0 of shape"),
        ([W[0][None]], r"got array 0 of shape \(1, 5, 4\)"),
        ([[[1.0], [1.0, 2.0]]], "got array 0"),
        ([np.empty((0, 3))], r"got array 0 of shape \(0, 3\)"),
    ],
)
def test_what_does_not_fit_together_is_said_in_a_sentence(arrays, sentence):
    with pytest.raises(ValueError, match=sentence):
        cp.from_weights(arrays, **HOW)


def test_arrays_that_do_not_fit_as_said():
    with pytest.raises(ValueError, match=r"got weights of shape \(5, 4\) and 5 biases in layer 1"):
        cp.from_weights([W[0], b[0]], **HOW, transposed=True)


# Files


def run(*arguments):
    return application([arguments[0]])(list(map(str, arguments)), standalone_mode=False) or 0


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_makes_a_model_of_arrays(there, capsys):
    np.savez("keras.npz", *[W[0].T, b[0], W[1].T, b[1]])
    names = ["net.2.weight", "net.2.bias", "net.10.weight", "net.10.bias"]
    save_file(dict(zip(names, [W[0], b[0], W[1], b[1]], strict=True)), "torch.safetensors")
    for file in ("keras.npz", "torch.safetensors"):
        options = "--activation", "tanh", "--output-activation", "identity", "--cost", "quadratic"
        assert run("import", file, *options, "--output", "mine.safetensors") == 0
        np.testing.assert_allclose(cp.load("mine.safetensors").predict(X), WANTED, rtol=1e-12)
    assert "weights" in capsys.readouterr().out
    with pytest.raises(ValueError, match="mine.safetensors is a model of clearprop already"):
        run("import", "mine.safetensors", "--output", "again.safetensors")
    (there / "other.safetensors").write_bytes(b"mine")
    with pytest.raises(ValueError, match="other.safetensors exists and is no clearprop model"):
        run("import", "keras.npz", "--output", "other.safetensors")


def test_which_neuron_a_row_is_may_be_said(there):
    square = RNG.normal(size=(4, 4))
    np.savez("square.npz", square)
    how = "--output-activation", "identity", "--cost", "quadratic", "--output", "mine.safetensors"
    assert run("import", "square.npz", "--rows", "source", *how) == 0
    np.testing.assert_allclose(cp.load("mine.safetensors").predict(X), X @ square, rtol=1e-12)


def test_what_is_pickled_is_refused_with_two_lines_that_convert_it(there):
    class Bomb:
        def __reduce__(self):
            return open, ("executed", "w")

    for name in ("net.pt", "net.pth", "net.pkl", "net.joblib"):
        (there / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(ValueError, match="is pickled: to read it could execute anything") as told:
            network_in(name)
        assert str(told.value).splitlines()[1:] == [
            "    import torch, safetensors.torch",
            f"    safetensors.torch.save_file(torch.load('{name}', weights_only=True), 'net.safetensors')",
        ]
    array = io.BytesIO()
    np.save(array, np.array([Bomb()], object), allow_pickle=True)
    with zipfile.ZipFile("bomb.npz", "w") as archive:
        archive.writestr("arr_0.npy", array.getvalue())
    with pytest.raises(ValueError):
        network_in("bomb.npz")
    assert not (there / "executed").exists()


def test_other_endings_are_told_what_comes_in(there):
    with pytest.raises(ValueError, match=r"numpy.savez\('m.npz', \*model.get_weights\(\)\)"):
        network_in("m.keras")
    with pytest.raises(ValueError, match="must come in as .onnx, .safetensors or .npz, got m.txt"):
        network_in("m.txt")
    with pytest.raises(ValueError, match="an ONNX graph says its activations and weights itself"):
        network_in("m.onnx", "tanh")
    (there / "m.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ValueError, match="arrays"):
        network_in("m.safetensors")
