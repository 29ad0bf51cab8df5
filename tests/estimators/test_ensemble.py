"""Ensembles as files: unlike networks of one table, their weights, and what is no ensemble."""

import json

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.checkpoint import CheckpointError, read_tensors, write_tensors
from clearprop.estimators import Ensemble

RNG = np.random.default_rng(0)
N = 60
FRAME = pandas.DataFrame(RNG.normal(size=(N, 3)), columns=list("abc")).assign(
    plan=RNG.choice(["basic", "plus", "pro"], N)
)
LABELS = np.where(FRAME["a"] + RNG.normal(size=N) > 0, "yes", "no")
QUICK = {"max_iter": 3, "early_stopping": False, "engine": "numpy"}


def ensemble(kind=cp.MLPClassifier, y=LABELS, X=FRAME):
    """Return networks that have nothing in common but what they learned from."""
    arguments = [
        {"preset": "realmlp", "hidden_layer_sizes": (4, 5), "members": 2},
        {"preset": "realmlp", "hidden_layer_sizes": (3,), "embedding": "pl", "activation": "relu"},
        {"preset": "realmlp", "hidden_layer_sizes": (), "embedding": None, "solver": "adam"},
    ]
    members = [
        kind(**each, **QUICK, random_state=seed).fit(X, y) for seed, each in enumerate(arguments)
    ]
    return Ensemble(tuple(members), (0.5, 0.375, 0.125))


def test_an_ensemble_comes_back_from_its_file(here):
    made = ensemble()
    made.save("e.safetensors")
    found = cp.load("e.safetensors")
    assert isinstance(found, Ensemble)
    assert found.weights == made.weights
    assert found.classes_.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(found.predict_proba(FRAME), made.predict_proba(FRAME))
    assert found.predict(FRAME).tolist() == made.predict(FRAME).tolist()
    assert [each.network_.model.n_members for each in found.members] == [2, 1, 1]
    assert [each.activation for each in found.members] == [each.activation for each in made.members]
    found.save("again.safetensors")
    assert read_tensors("again.safetensors")[1] == read_tensors("e.safetensors")[1]


@pytest.mark.parametrize("several", [False, True])
def test_so_does_one_of_quantities(here, several):
    y = FRAME["a"].to_numpy() * 100 + 5000
    made = ensemble(cp.MLPRegressor, np.column_stack([y, -y]) if several else y)
    made.save("e.safetensors")
    np.testing.assert_array_equal(cp.load("e.safetensors").predict(FRAME), made.predict(FRAME))


def test_what_is_no_ensemble_is_refused_before_anything_is_written(here):
    first, other = ensemble(), cp.MLPClassifier(preset="realmlp", **QUICK, hidden_layer_sizes=(3,))
    others = {
        "preprocessing of ensemble.members": other.fit(FRAME[10:], LABELS[10:]),
        "classes of ensemble.members": other.__sklearn_clone__().fit(FRAME, LABELS == "yes"),
        "cost of ensemble.members": cp.MLPClassifier(
            (3,), preset="realmlp", loss="squared_error", **QUICK
        ).fit(FRAME, LABELS),
    }
    for message, stranger in others.items():
        with pytest.raises(ValueError, match=message):
            Ensemble((first.members[1], stranger), (0.5, 0.5)).save("e.safetensors")
    with pytest.raises(ValueError, match="weights must be numbers of sum 1, got"):
        Ensemble(first.members, (1.0, 1.0, 1.0)).save("e.safetensors")
    with pytest.raises(ValueError, match="weights must agree with the 3 ensemble.members, got 2"):
        Ensemble(first.members, (0.5, 0.5)).save("e.safetensors")
    labels = other.__sklearn_clone__().fit(FRAME, np.column_stack([LABELS == "yes", LABELS == "no"]))
    with pytest.raises(ValueError, match="several labels for a row, which are not averaged"):
        Ensemble((labels,), (1.0,)).save("e.safetensors")
    assert list(here.iterdir()) == []


def without(metadata, tensors):
    del tensors["members.1.layers.0.weight"]


def more(metadata, tensors):
    tensors["members.3.layers.0.weight"] = np.zeros((3, 2))


def text(metadata, tensors):
    metadata["ensemble"]["members"] = "none"


def lone(metadata, tensors):
    metadata["ensemble"]["members"][2]["about"] = {}


def infinite(metadata, tensors):
    tensors["members.2.layers.0.bias"][:] = np.inf


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without, "missing .'layers.0.weight'."),
        (more, "the tensors must agree with"),
        (text, "metadata.ensemble.members must be a list, got 'none'"),
        (lone, r"ensemble.members\[2\]: it is no estimator's network"),
        (infinite, "tensor layers.0.bias must be finite"),
    ],
)
def test_a_file_that_is_not_as_we_write_it_is_refused_with_its_name(here, damage, message):
    ensemble().save("e.safetensors")
    tensors, metadata = read_tensors("e.safetensors")
    metadata = json.loads(json.dumps(metadata))
    damage(metadata, tensors)
    write_tensors("e.safetensors", tensors, metadata)
    with pytest.raises(CheckpointError, match=f"e.safetensors.*{message}"):
        cp.load("e.safetensors")


def test_a_reader_of_one_network_says_who_reads_an_ensemble(here):
    ensemble().save("e.safetensors")
    with pytest.raises(CheckpointError, match="an ensemble of networks, which clearprop.load reads"):
        cp.MLPClassifier.load("e.safetensors")
