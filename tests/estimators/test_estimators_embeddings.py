"""Estimators with `embedding`: which inputs it is of, and that a model lives on with it."""

import numpy as np
import pandas
import pytest

import clearprop as cp

KINDS = ["pl", "plr", "plr-lite", "pbld"]
RNG = np.random.default_rng(0)
AGE, FLAG = RNG.normal(40, 12, 90), RNG.integers(0, 2, 90)
COLOUR = RNG.choice(["red", "blue", "green"], 90)
LEFT = np.where(np.abs(AGE - 40) < 8, "yes", "no")
FRAME = pandas.DataFrame({"age": AGE, "flag": FLAG, "colour": COLOUR})
X = np.column_stack([AGE, FLAG, AGE**2 / 40, np.ones(90)])
QUICK = {"hidden_layer_sizes": 8, "max_iter": 4, "random_state": 0}


@pytest.fixture(autouse=True)
def _few_epochs_do_not_converge(recwarn):
    yield
    assert all("converge" in str(each.message) for each in recwarn)


@pytest.mark.filterwarnings("ignore:.*converge")
@pytest.mark.parametrize("kind", KINDS)
def test_the_numeric_inputs_of_an_array_are_embedded_and_others_are_not(kind, tmp_path):
    model = cp.MLPClassifier(embedding=kind, preprocessing="standard", **QUICK).fit(X, LEFT)
    embedding = model.network_.architecture.embedding
    assert embedding.columns == (0, 2)
    assert model.coefs_[0].shape == (2 * embedding.size + 2, 8)
    model.save(tmp_path / "m")
    again = cp.MLPClassifier.load(tmp_path / "m")
    assert again.get_params()["embedding"] == kind
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore:.*converge")
@pytest.mark.parametrize("kind", KINDS)
def test_of_a_table_one_hot_columns_stay_as_they_are(kind):
    model = cp.MLPClassifier(preset="realmlp-s", embedding=kind, **QUICK).fit(FRAME, LEFT)
    made = model.network_.architecture
    assert made.embedding.columns == (0,)
    assert made.input_scale
    (scale,) = (b for b in made.blocks if b.kind == "scales")
    assert scale.shape == (made.embedding.size + 4,)  # a flag and three colours
    assert np.abs(model.network_.parameters[scale.slice] - 1.0).max() < 1.0  # it began as 1
    assert made.embedding.n_features == 5 == len(model.network_.feature_names)


@pytest.mark.filterwarnings("ignore:.*converge")
def test_edges_are_of_the_rows_trained_on_as_the_network_sees_them():
    weight = np.r_[np.ones(60), np.zeros(30)]
    model = cp.MLPRegressor(embedding="pl", preprocessing="standard", **QUICK)
    model.fit(X, AGE, sample_weight=weight)
    edges = model.network_.architecture.embedding.edges[0]
    seen = model.network_.model.inputs(X.astype(np.float64))[:60, 0]
    assert (edges[0], edges[-1]) == pytest.approx((seen.min(), seen.max()))
    assert np.median(seen) == pytest.approx(edges[24])


@pytest.mark.filterwarnings("ignore:.*converge")
def test_a_training_is_gone_on_with_and_another_embedding_is_refused():
    model = cp.MLPRegressor(embedding="pbld", warm_start=True, **QUICK).fit(X, AGE)
    before = model.network_.parameters.copy()
    model.fit(X, AGE)
    assert not np.array_equal(model.network_.parameters, before)
    with pytest.raises(ValueError, match="embedding must be what the network has, pbld"):
        model.set_params(embedding="plr").fit(X, AGE)


REFUSED = {
    "embedding='pl' needs a numeric input with more than two values, got 3 inputs": lambda: (
        cp.MLPClassifier(preset="realmlp-s", embedding="pl", **QUICK).fit(FRAME[["colour"]], LEFT)
    ),
    "The 'embedding' parameter of MLPClassifier must be": lambda: cp.MLPClassifier(
        embedding="spline", **QUICK
    ).fit(X, LEFT),
    "scikit-learn has no embeddings, the network has 'periodic'": lambda: (
        cp.MLPClassifier(embedding="plr", **QUICK).fit(X, LEFT).to_sklearn()
    ),
    "embedding cannot be used with a stream": lambda: cp.MLPClassifier(
        preset="realmlp-s", embedding="pl", **QUICK
    ).fit(cp.data.stream(FRAME.assign(left=LEFT), target="left")),
}


@pytest.mark.filterwarnings("ignore:.*converge")
@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_embedded_is_refused_in_a_sentence(sentence):
    with pytest.raises(ValueError, match=sentence):
        REFUSED[sentence]()
