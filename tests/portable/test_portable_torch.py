"""A model as a PyTorch module says what the model says; modules of PyTorch come in. Skipped without torch."""

import numpy as np
import pytest

import clearprop as cp
from clearprop.portable import torch_module
from portable_models import CASES, agree, case_of, frame, network, words

torch = pytest.importorskip("torch", reason="torch is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NUMERIC = [name for name in CASES if not name.startswith("table")]


@pytest.mark.parametrize("name", NUMERIC)
def test_a_module_says_what_the_model_says(name):
    case = case_of(name)
    with torch.no_grad():
        found = torch_module.module_of(case.program)(torch.as_tensor(np.asarray(case.rows, float)))
    numbers = [each.numpy() for each in found] if isinstance(found, list) else found.numpy()
    tolerance = 1e-12 if case.program.dtype == "float64" else 1e-6
    agree(case._replace(told=None), None, numbers, tolerance)


def test_of_a_table_it_takes_what_the_columns_become():
    made = cp.MLPClassifier(preset="realmlp", hidden_layer_sizes=(4,), max_iter=2, random_state=0)
    rows = frame()
    made.fit(rows[["gap", "city"]], words(2))
    import pyarrow

    numbers = made.table_encoder_.encode(pyarrow.Table.from_pandas(rows[["gap", "city"]]))
    p = made.network_.to_torch()(torch.as_tensor(numbers)).detach().numpy()
    np.testing.assert_allclose(p, made.predict_proba(rows[["gap", "city"]]), atol=1e-6)


def test_its_parameters_go_on_learning():
    net = network(dtype="float32")
    module = net.to_torch()
    X, y = torch.as_tensor(np.eye(4)), torch.as_tensor([0, 1, 2, 0])
    loss = -module(X)[torch.arange(4), y].log().mean()
    loss.backward()
    gradient = net.gradient(X.numpy(), y.numpy())
    np.testing.assert_allclose(module.members[0]["W1"].grad, gradient.weights[0], atol=1e-6)


def test_modules_come_in():
    nn = torch.nn
    inner = nn.Sequential(nn.Linear(5, 6, bias=False), nn.GELU(), nn.Dropout(0.5))
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 5), nn.Tanh(), inner, nn.Linear(6, 3), nn.Softmax(dim=1)
    )
    net = cp.from_torch(module)
    assert (net.sizes, net.architecture.cost.name, net.biases[1]) == (
        (4, 5, 6, 3),
        "cross_entropy",
        None,
    )
    X = np.random.default_rng(0).normal(size=(7, 4)).astype("f")
    np.testing.assert_allclose(net.predict(X), module.eval()(torch.as_tensor(X)).detach(), atol=1e-6)


def test_what_cannot_come_in_is_named():
    nn = torch.nn
    for layers, sentence in (
        ([nn.Conv1d(1, 1, 3)], r"module '0' \(Conv1d\) cannot come in: Linear can, and ELU"),
        ([nn.Linear(4, 5), nn.LeakyReLU(0.2)], r"module '1' \(LeakyReLU\) must have negative_slope=0.01, got 0.2"),
        ([nn.ReLU(), nn.Linear(4, 5)], r"module '0' \(ReLU\) must come behind a Linear layer"),
        ([nn.Linear(4, 5), nn.Linear(4, 5)], "module '1' must take the 5 numbers of the layer before it, takes 4"),
        ([nn.Flatten()], "must have a Linear layer, has none"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=sentence):
            cp.from_torch(nn.Sequential(*layers))
    with pytest.raises(TypeError, match=r"must be a torch.nn.Sequential, got Linear"):
        cp.from_torch(nn.Linear(4, 5))
