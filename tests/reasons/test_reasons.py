"""Reasons: against closed forms, and against sums over another package's gradients along the line."""

import dataclasses

import autograd
import autograd.numpy as anp
import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.estimators.ensemble import Ensemble
from clearprop.model.calibration import Calibration
from clearprop.model.targets import Classes, Units
from clearprop.reasons.asking import MOST_BASELINES, Asked, rows_of_numbers

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FUNCTIONS = {
    "tanh": anp.tanh,
    "sigmoid": lambda z: 1.0 / (1.0 + anp.exp(-z)),
    "selu": lambda z: (
        1.0507009873554805 * anp.where(z > 0, z, 1.6732632423543772 * (anp.exp(anp.minimum(z, 0)) - 1))
    ),
    "identity": lambda z: z,
}


def softmax(z):
    e = anp.exp(z - anp.max(z, axis=1, keepdims=True))
    return e / anp.sum(e, axis=1, keepdims=True)


def log_odds(p, k):
    return anp.log(p[:, k]) - anp.log(1.0 - p[:, k])


def last_z(net, X, hidden):
    a = X
    for number, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        z = a @ W.T + b
        a = FUNCTIONS[hidden](z) if number < len(net.weights) - 1 else z
    return a


def summed(function, x, base, n=100_000):
    """Return (x - b) times the mean gradient at the middles of n steps."""
    t = (np.arange(n) + 0.5)[:, None] / n
    gradient = autograd.grad(lambda points: anp.sum(function(points)))(base + t * (x - base))
    return ((x - base) * gradient.mean(axis=0))[0]


def drawn(n, k, seed=0):
    return np.random.default_rng(seed).normal(size=(n, k))


def asked(model, x, base, of=None, weights=(1.0,), relative=1e-9):
    models = model if isinstance(model, list) else [model]
    rows = [rows_of_numbers(models[0], each) for each in (x, base)]
    return Asked(models, weights).reasons(*rows, of, relative)


@pytest.mark.parametrize(("hidden", "exact"), [("tanh", 1e-6), ("sigmoid", 1e-6), ("selu", 3e-6)])
def test_the_parts_are_a_sum_of_100_000_gradients(hidden, exact):
    net = cp.Network([4, 5, 3], activation=hidden, output="softmax", dtype="float64", seed=1)
    net.parameters[:] *= 2.0
    x, base = drawn(3, 4), drawn(1, 4, seed=1)
    for of in range(3):
        found = asked(net.model, x, base, of)
        wanted = summed(lambda X, of=of: log_odds(softmax(last_z(net, X, hidden)), of), x[of], base)
        np.testing.assert_allclose(found.parts[of], wanted, atol=exact * np.abs(wanted).max())
        assert np.abs(found.lacking).max() < 1e-12


def test_members_and_calibration_are_part_of_what_is_explained():
    nets = [
        cp.Network([4, 5, 2], activation="tanh", dtype="float64", seed=k, members=2) for k in range(2)
    ]
    # Probabilities near 1 and 0, where what is taken back of the smoothing bends.
    calibrations = Calibration(1.7, 0.01, 0.1), Calibration(0.6, 0.02)
    for net, calibration in zip(nets, calibrations, strict=True):
        net.model.targets = Classes(2, np.array(["no", "yes"]), calibration)
    share = (0.3, 0.7)

    def answer(X):
        total = 0.0
        for net, made, weight in zip(nets, calibrations, share, strict=True):
            p = sum(softmax(last_z(one, X, "tanh")) for one in net.members) / 2.0
            if made.label_smoothing:
                p = 0.99 * anp.maximum(p - 0.05, 0.0) / 0.9 + 0.005
            total = total + weight * (
                (1 - made.smoothing) * softmax(anp.log(p) / made.temperature) + made.smoothing / 2
            )
        return log_odds(total, 1)

    x, base = 2.0 * drawn(2, 4), drawn(1, 4, seed=1)
    found = asked([net.model for net in nets], x, base, weights=share)
    assert found.of == ("log odds of 'yes'",) * 2
    np.testing.assert_allclose(found.answer, answer(x), atol=1e-12)
    for row in range(2):
        wanted = summed(answer, x[row], base)
        np.testing.assert_allclose(found.parts[row], wanted, atol=1e-6 * np.abs(wanted).max())


def test_embedded_numbers_stand_for_their_inputs():
    embedding = cp.embeddings.pbld(columns=[1, 3])
    net = cp.Network(
        [4, 5, 1],
        activation="tanh",
        output="identity",
        cost="quadratic",
        embedding=embedding,
        dtype="float64",
        seed=3,
    )
    arrays = net.architecture.embedding_views(net.parameters)

    def answer(X):
        made = [X[:, 0:1]]
        for k, column in enumerate((1, 3)):
            x = X[:, column : column + 1]
            waves = anp.cos(2 * np.pi * arrays["frequency"][k] * x + arrays["phase"][k])
            made += [waves @ arrays["weight"][k] + arrays["bias"][k], x]
            made += [X[:, 2:3]] if column == 1 else []
        return last_z(net, anp.concatenate(made, axis=1), "tanh")[:, 0]

    x, base = drawn(2, 4), drawn(1, 4, seed=1)
    np.testing.assert_allclose(net.predict(x)[:, 0], answer(x), atol=1e-12)
    found = asked(net.model, x, base)
    for row in range(2):
        wanted = summed(answer, x[row], base)
        np.testing.assert_allclose(found.parts[row], wanted, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("kind", ["quantity", "log odds"])
def test_of_a_linear_network_they_are_the_closed_form(kind):
    X, y = drawn(60, 4) * [1.0, 10.0, 0.1, 5.0] + 3.0, drawn(60, 1, seed=2)[:, 0]
    how = {"hidden_layer_sizes": (), "preprocessing": "standard", "max_iter": 20, "random_state": 0}
    if kind == "quantity":
        model = cp.MLPRegressor(target="standardize", **how).fit(X, 100 * y)
        w = model.coefs_[0][:, 0] * model.target_scale_
    else:
        model = cp.MLPClassifier(**how).fit(X, y > 0)
        w = model.coefs_[0][:, 0]
    found = model.reasons(X[:7], baseline=X[9])
    wanted = w * model.preprocessing_.scaling.factor * (X[:7] - X[9])
    np.testing.assert_allclose(found.parts, wanted, rtol=1e-9)
    told = model.predict(X[:7]) if kind == "quantity" else model.decision_function(X[:7])
    np.testing.assert_allclose(found.answer, told, rtol=1e-6)
    mean = model.reasons(X[:7])  # of "standard" what is 0 to the network is the mean
    np.testing.assert_allclose(
        mean.parts,
        wanted + w * model.preprocessing_.scaling.factor * (X[9] - X.mean(axis=0)),
        rtol=1e-6,
    )


def table(n=80):
    rng = np.random.default_rng(5)
    frame = pandas.DataFrame(
        {
            "tenure": np.where(rng.random(n) < 0.1, np.nan, rng.integers(1, 72, n)),
            "contract": rng.choice(["month", "month", "year", "two years"], n),
            "since": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(rng.integers(0, 900, n), "D"),
            "paperless": rng.choice(["Yes", "No"], n),
        }
    )
    return frame, np.where(
        frame["tenure"].fillna(30) + 20 * (frame["contract"] == "year") + rng.normal(0, 9, n) > 40,
        "stays",
        "goes",
    )


@pytest.fixture(scope="module")
def model():
    frame, y = table()
    return cp.MLPClassifier(
        (5, 3), preset="realmlp-s", max_iter=8, batch_size=16, calibrate=True, random_state=0
    ).fit(frame, y)


def test_columns_of_a_table_have_what_their_numbers_have_together(model):
    frame, _ = table()
    found = model.reasons(frame, baseline=frame[3:4])
    assert found.columns == ("tenure", "contract", "since", "paperless")
    p = model.predict_proba(frame).astype(np.float64)
    np.testing.assert_allclose(found.answer, np.log(p[:, 1] / p[:, 0]), atol=1e-5)
    np.testing.assert_allclose(found.baseline, found.answer[3], atol=1e-12)
    difference = found.answer - found.baseline
    assert (np.abs(found.lacking) <= np.maximum(1e-3 * np.abs(difference), 1e-6)).all()
    largest = np.maximum(np.abs(difference), np.abs(found.parts).max(axis=1))
    assert (found.error <= 1e-3 * np.maximum(largest, 1e-3)).all()
    assert np.abs(found.parts[3]).max() == 0.0
    same = (frame["contract"] == frame["contract"][3]).to_numpy()
    assert (found.parts[same, 1] == 0.0).all()
    assert (found.parts[~same, 1] != 0.0).all()


def test_a_reason_speaks_as_the_table_does(model):
    frame, _ = table()
    row = frame.index[frame["tenure"].isna()][0]
    found = model.reasons(frame[row : row + 1])
    told = {each.column: each for each in found.top(0)}
    assert told["tenure"].value is None
    assert told["tenure"].baseline == frame["tenure"].median() or 1 <= told["tenure"].baseline <= 72
    assert (told["contract"].value, told["contract"].baseline) == (frame["contract"][row], "month")
    assert told["since"].value == frame["since"][row].to_pydatetime()
    assert told["since"].baseline.startswith("year 20")
    sizes = [abs(each.part) for each in found.top(0)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(found.top(0, 2)) == 2


def test_a_row_has_the_same_reasons_alone_and_after_it_was_saved(model, tmp_path):
    frame, _ = table()
    together = model.reasons(frame)
    alone = model.reasons(frame[11:12])
    np.testing.assert_allclose(alone.parts[0], together.parts[11], atol=1e-6)
    model.save(tmp_path / "model.safetensors")
    again = cp.MLPClassifier.load(tmp_path / "model.safetensors").reasons(frame[11:12])
    np.testing.assert_array_equal(again.parts, alone.parts)
    assert again.baseline_row == alone.baseline_row


def test_expected_gradients_are_the_mean_over_rows_always_the_same(model):
    frame, _ = table()
    several = model.reasons(frame[:2], baseline=frame[:5])
    each = [model.reasons(frame[:2], baseline=frame[k : k + 1]) for k in range(5)]
    np.testing.assert_allclose(several.parts, np.mean([one.parts for one in each], axis=0), atol=4e-3)
    np.testing.assert_allclose(several.baseline, np.mean([one.baseline for one in each], axis=0))
    assert (np.abs(several.lacking) <= 1e-3 * np.abs(several.answer - several.baseline)).all()
    assert several.top(0, 1)[0].baseline is None
    assert len(frame) > MOST_BASELINES
    many, again = (model.reasons(frame[:2], baseline=frame) for _ in range(2))
    np.testing.assert_array_equal(many.parts, again.parts)


def test_of_more_than_two_classes_each_row_is_explained_by_its_own():
    X = drawn(60, 4)
    y = X[:, :3].argmax(axis=1)
    model = cp.MLPClassifier((5,), max_iter=30, random_state=0).fit(X, y)
    found = model.reasons(X[:7], baseline=X[9])
    told = model.predict(X[:7])
    assert found.of == tuple(f"log odds of {label}" for label in told)
    p = model.predict_proba(X[:7])[np.arange(7), told]
    np.testing.assert_allclose(found.answer, np.log(p / (1 - p)), atol=1e-6)
    named = model.reasons(X[:7], baseline=X[9], of=2)
    assert set(named.of) == {"log odds of 2"}
    np.testing.assert_array_equal(named.parts[told == 2], found.parts[told == 2])


def test_an_ensemble_is_explained_as_it_answers():
    X = drawn(60, 4)
    members = [cp.MLPClassifier((5,), max_iter=9, random_state=k).fit(X, X[:, 0] > 0) for k in range(2)]
    both = Ensemble(tuple(members), (0.25, 0.75))
    p = both.predict_proba(X[:7])
    np.testing.assert_allclose(
        both.reasons(X[:7], baseline=X[9]).answer, np.log(p[:, 1] / p[:, 0]), atol=1e-9
    )


def test_quantiles_are_explained_by_the_middle_one_and_columns_by_their_number():
    X = drawn(60, 4)
    model = cp.MLPRegressor("quantiles", (5,), max_iter=9, random_state=0).fit(X, X[:, 0])
    np.testing.assert_allclose(
        model.reasons(X[:7], baseline=X[9]).answer, model.predict(X[:7]), atol=1e-9
    )
    two = cp.MLPRegressor(hidden_layer_sizes=(5,), max_iter=9, random_state=0).fit(X, X[:, :2])
    np.testing.assert_allclose(
        two.reasons(X[:7], baseline=X[9], of=1).answer, two.predict(X[:7])[:, 1], atol=1e-9
    )
    with pytest.raises(ValueError, match="of must be one of 0, 1: which of them is to be explained"):
        two.reasons(X[:7], baseline=X[9])
    assert isinstance(two.network_.model.targets, Units)


def test_a_network_gives_reasons_itself_from_where_its_scaled_features_are_0():
    X = drawn(60, 4) * [1.0, 10.0, 0.1, 5.0] + 3.0
    scaling = cp.data.standardize(X)
    net = cp.Network(
        [4, 5, 3], activation="tanh", output="softmax", dtype="float64", seed=1, scaling=scaling
    )
    found = net.reasons(X[:7], of=2)
    assert found.columns == ("x0", "x1", "x2", "x3")
    np.testing.assert_allclose(found.answer, log_odds(net.predict(X[:7]), 2), atol=1e-10)
    np.testing.assert_allclose(
        found.parts.sum(axis=1),
        found.answer - log_odds(net.predict(X.mean(axis=0)[None]), 2),
        atol=1e-10,
    )
    same = net.reasons(X[:7], baseline=X.mean(axis=0), of=2)
    np.testing.assert_allclose(same.parts, found.parts, atol=1e-12)
    assert found.top(0, 1)[0].value in X[0]
    model = cp.MLPRegressor(
        hidden_layer_sizes=(5,), preprocessing="standard", max_iter=3, random_state=0
    ).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="this network sees rows after its estimator's preprocessing"):
        model.network_.reasons(X[:7])


def test_what_is_wrong_is_said(model):
    frame, y = table()
    with pytest.raises(ValueError, match=r"of must be one of 'goes', 'stays', got 'maybe'"):
        model.reasons(frame, of="maybe")
    stream = cp.data.stream(frame.assign(y=y), target="y")
    with pytest.raises(ValueError, match="X must be rows, got a stream, whose rows come and go"):
        model.reasons(stream)
    X = drawn(60, 4)
    plain = cp.MLPClassifier((5,), max_iter=2, random_state=0).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="baseline must be given, a row or the rows of the training"):
        plain.reasons(X)
    with pytest.raises(ValueError, match="should match those|lacks|must be"):
        model.reasons(frame.drop(columns="tenure"))
    old = dataclasses.replace(model.table_encoder_.encoded[1], usual=None)
    with pytest.raises(ValueError, match="the usual category of 'contract' is not in the model's file"):
        old.middle()
