"""Estimators with `members`: each to the bits of the estimator fitted alone, their mean, and their files."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone

import clearprop as cp
from clearprop.randomness import member_seed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
LABELS = np.where(X[:, 0] + RNG.normal(size=50) > 0, "yes", "no")
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 3, "dropout": 0.2, "early_stopping": False}
pytestmark = pytest.mark.filterwarnings("ignore:.*converge")


@pytest.mark.parametrize("preset", ["sklearn", "realmlp-s"])
def test_a_member_is_the_estimator_fitted_alone_with_its_seed_and_the_mean_is_of_probabilities(preset):
    model = cp.MLPClassifier(members=3, preset=preset, random_state=7, **QUICK).fit(X, LABELS)
    each, slopes = [], []
    for k, member in enumerate(model.network_.members):
        alone = cp.MLPClassifier(preset=preset, random_state=member_seed(7, k), **QUICK).fit(X, LABELS)
        np.testing.assert_array_equal(member.parameters, alone.network_.parameters)
        each.append(alone.predict_proba(X))
        slopes.append(alone.input_gradient(X))
    np.testing.assert_allclose(model.predict_proba(X), np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(model.input_gradient(X), np.mean(slopes, axis=0), atol=1e-6)


def test_a_regressor_averages_in_the_target_s_units_and_stops_by_the_average():
    model = cp.MLPRegressor(
        hidden_layer_sizes=(6,), max_iter=9, preset="realmlp-s", members=3, random_state=1
    )
    y = 100 + 10 * X[:, 0]
    model.fit(X, y, X_val=X[:20], y_val=y[:20])
    units = model.network_.model.targets
    each = [units.decode(member.predict(model.preprocessing_(X))) for member in model.network_.members]
    np.testing.assert_allclose(model.predict(X), np.mean(each, axis=0)[:, 0], rtol=1e-5)
    assert np.argmax(model.validation_scores_) == np.argmax(model.history_["validation_r2"])
    assert model.best_validation_score_ == pytest.approx(model.score(X[:20], y[:20]), abs=1e-5)


def test_columns_of_labels_are_averaged_by_their_probabilities():
    y = np.column_stack([LABELS, np.arange(50) % 3])
    model = cp.MLPClassifier(members=2, random_state=3, **QUICK).fit(X, y)
    alone = [
        cp.MLPClassifier(random_state=member_seed(3, k), **QUICK).fit(X, y).predict_proba(X)
        for k in range(2)
    ]
    for found, one, other in zip(model.predict_proba(X), *alone, strict=True):
        np.testing.assert_allclose(found, (one + other) / 2, atol=1e-12)
    with pytest.raises(ValueError, match="an input gradient of several columns needs one network"):
        model.input_gradient(X)


def test_a_model_lives_on_through_files_pickles_clones_and_more_epochs(tmp_path):
    model = cp.MLPClassifier(members=2, random_state=7, **QUICK).fit(X, LABELS)
    model.save(tmp_path / "m")
    again, pickled = cp.MLPClassifier.load(tmp_path / "m"), pickle.loads(pickle.dumps(model))
    assert again.members == pickled.members == clone(model).members == 2
    for each in (model, again, pickled):
        each.partial_fit(X, LABELS)
    for each in (again, pickled):
        np.testing.assert_array_equal(each.predict_proba(X), model.predict_proba(X))
    again.network_.members[1].save(tmp_path / "one")
    one = cp.MLPClassifier.load(tmp_path / "one")
    assert one.members == 1
    assert one.predict_proba(X).shape == (50, 2)
    model.set_params(members=3)
    with pytest.raises(ValueError, match="members must be what the network has, 2, .*got 3"):
        model.partial_fit(X, LABELS)
    assert model.find_learning_rate(X, LABELS, steps=12).suggestion > 0


@pytest.mark.parametrize("members", [0, -1, 1.5, "2"])
def test_members_must_be_a_number_of_networks(members):
    with pytest.raises(ValueError, match="'members' parameter"):
        cp.MLPRegressor(members=members).fit(X, X[:, 0])


def test_what_members_cannot_be_used_with_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(
        ValueError, match=re.escape("members cannot be used with solver='lbfgs', got 2")
    ):
        cp.MLPClassifier(members=2, solver="lbfgs").fit(X, LABELS)
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{'yn'[i % 2]}\n" for i in range(40)))
    stream = cp.data.stream(tmp_path / "t.csv", target="y")
    with pytest.raises(ValueError, match="members cannot be trained from a stream.*got 2"):
        cp.MLPClassifier(members=2, preset="realmlp-s").fit(stream)
    model = cp.MLPClassifier(members=2, random_state=0, **QUICK).fit(X, LABELS)
    assert not hasattr(model, "coefs_")
    with pytest.raises(ValueError, match="transform needs one network, got 2 members"):
        model.transform(X)
    with pytest.raises(ValueError, match="scikit-learn's needs one network, got 2 members"):
        model.to_sklearn()
