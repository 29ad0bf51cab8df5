"""What users of other libraries have reported against them comes out right here, and stays so.

Each test names the report. Those that concern files or trained models are small enough to read.
"""

import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp

pd = pytest.importorskip("pandas")
sparse = pytest.importorskip("scipy.sparse")

RNG = np.random.default_rng(0)
X = RNG.random((200, 2))
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:column .* alone gives the target away"),  # as some are made to
]


def classifier(**how):
    return cp.MLPClassifier(**({"random_state": 0, "max_iter": 30} | how))


def realmlp(**how):
    return classifier(preset="realmlp-s", **how)


def test_a_numeric_column_of_one_value_with_a_gap_gives_no_nan():
    """AutoGluon 4508."""
    a, c = RNG.random((2, 100))
    frame = pd.DataFrame({"a": a, "b": np.r_[np.nan, np.full(99, 0.5)], "c": c})
    y = (a > 0.5) ^ (c > 0.5)
    assert np.isfinite(realmlp().fit(frame, y).predict_proba(frame)).all()


def test_a_sparse_frame_is_learned_from():
    """AutoGluon 567."""
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.eye(300, format="csc")[:, :40])
    frame.columns = [f"c{i}" for i in range(40)]
    y = np.r_[np.ones(40), np.zeros(260)].astype(int)
    assert realmlp(max_iter=60).fit(frame, y).score(frame, y) > 0.85
    assert classifier().fit(frame, y).predict(frame).shape == (300,)


@pytest.mark.parametrize("as_type", ["int64", str, float])
def test_a_category_is_the_same_category_whatever_type_it_comes_in(as_type):
    """AutoGluon 5808."""
    k = RNG.integers(1, 7, 300)
    frame = pd.DataFrame({"k": pd.Categorical(k.astype(object)), "x": RNG.random(300)})
    model = realmlp(max_iter=10).fit(frame, k % 2)
    other = frame.assign(k=frame.k.astype(as_type))
    np.testing.assert_array_equal(model.predict_proba(frame), model.predict_proba(other))


def test_a_table_of_categories_alone_is_learned_from():
    """DeepTab 448."""
    frame = pd.DataFrame({"a": RNG.choice(list("xyz"), 200), "b": RNG.choice(list("uv"), 200)})
    assert realmlp().fit(frame, frame.a == "x").score(frame, frame.a == "x") == 1


def test_a_column_of_gaps_and_one_that_does_not_vary_do_no_harm():
    """DeepTab 448."""
    frame = pd.DataFrame({"a": RNG.random(200), "n": np.nan, "k": 3.0})
    assert realmlp().fit(frame, frame.a > 0.5).score(frame, frame.a > 0.5) > 0.95


def test_a_category_that_no_row_of_the_target_has_is_no_class():
    """fastai 3227."""
    y = pd.Categorical(np.resize(["a", "b"], 200), categories=["b", "c", "a"], ordered=True)
    assert list(classifier().fit(X, pd.Series(y)).classes_) == ["a", "b"]


def test_early_stopping_takes_labels_of_the_string_dtype():
    """scikit-learn 33760."""
    y = pd.Series(np.where(X[:, 0] > 0.5, "yes", "no"), dtype="string")
    assert 0 <= classifier(early_stopping=True).fit(X, y).score(X, y) <= 1


def test_the_decision_function_changes_its_sign_where_the_prediction_does():
    """introduction_to_ml_with_python 67."""
    model = classifier().fit(X, X[:, 0] > 0.5)
    np.testing.assert_array_equal(model.decision_function(X) > 0, model.predict(X))


def test_a_class_of_two_rows_survives_the_split_of_early_stopping():
    """mljar-supervised 216."""
    model = classifier(early_stopping=True).fit(X[:100], ["a"] * 98 + ["b"] * 2)
    assert list(model.classes_) == ["a", "b"]


def test_a_pickled_model_does_not_carry_its_training_data():
    """pytabkit 33."""
    rows = RNG.standard_normal((20000, 50))
    model = classifier(max_iter=1).fit(rows, rows[:, 0] > 0)
    assert len(pickle.dumps(model)) < 200_000 < rows.nbytes


def test_one_row_that_is_no_table_is_refused_with_its_remedy_or_is_an_array():
    """neural-networks-and-deep-learning 19."""
    net = cp.Network([2, 3, 3], seed=0)
    with pytest.raises(ValueError, match="reshape"):
        net.predict([1, 1])
    np.testing.assert_array_equal(net.predict(np.ones(2)), net.predict([[1, 1]])[0])


def test_labels_may_be_numbers_rather_than_vectors():
    """neural-networks-and-deep-learning 36."""
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    net, same = cp.Network([2, 3, 2], seed=0), cp.Network([2, 3, 2], seed=0)
    net.fit(corners, np.array([0, 1, 1, 0]), epochs=2, batch_size=4, seed=0, progress=False)
    same.fit(corners, np.eye(2)[[0, 1, 1, 0]], epochs=2, batch_size=4, seed=0, progress=False)
    np.testing.assert_array_equal(net.parameters, same.parameters)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_predicts_after_a_fit_on_threads():
    rows = RNG.standard_normal((4000, 50))
    model = classifier(batch_size=128, max_iter=2, hidden_layer_sizes=(128,)).fit(rows, rows[:, 0] > 0)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=lambda: answers.put(int(model.predict(rows[:100]).sum())))
    child.start()
    try:
        assert answers.get(timeout=60) == model.predict(rows[:100]).sum()
    finally:
        child.kill()
        child.join()


def test_a_class_may_come_in_a_later_part():
    """scikit-learn 6994."""
    model = classifier().partial_fit([[1], [2], [3]], ["a", "b", "c"], classes=list("abcd"))
    model.partial_fit([[4]], ["d"])
    assert model.predict_proba([[4]]).shape == (1, 4)


def test_a_warm_start_goes_on_for_as_many_epochs_again():
    """scikit-learn 16812 and 8713."""
    model = classifier(max_iter=3, warm_start=True, solver="sgd")
    assert len(model.fit(X, X[:, 0] > 0.5).loss_curve_) == 3
    assert len(model.fit(X, X[:, 0] > 0.5).loss_curve_) == 6


def test_question_marks_among_numbers_are_missing_values_and_counted(clearprop):
    """sirepo 2983: auto-mpg."""
    lines = [f"{40 - i / 10},{'?' if i % 40 == 7 else 60 + i},car {i}\n" for i in range(200)]
    Path("mpg.csv").write_text("mpg,hp,name\n" + "".join(lines))
    quick = ("--epochs", "2", "--hidden", "4")
    code, out, err = clearprop("train", "mpg.csv", "--target", "mpg", *quick)
    assert code == 0
    assert "5 missing" in " ".join((out + err).split())


def test_a_softmax_taken_for_independent_outputs_is_named():
    """casper-hansen's neural network from scratch, 1."""
    rows, Y = RNG.standard_normal((20, 4)), np.eye(3)[RNG.integers(0, 3, 20)]
    layers = [4, cp.Layer(5, "sigmoid"), cp.Layer(3, "softmax")]
    net = cp.Network(layers, cost="quadratic", dtype="float64", seed=0)
    first, last = net.trace(rows, Y).layers
    delta = 2 / 3 * (last.a - Y) * last.a * (1 - last.a)
    below = delta @ net.weights[1] * first.slope
    theirs = [below.T @ rows / 20, delta.T @ first.a / 20], [below.mean(0), delta.mean(0)]
    found = cp.check_gradient(net, rows, Y, gradient=theirs)
    assert [each.name for each in found.mistakes] == ["diagonal_jacobian"]
