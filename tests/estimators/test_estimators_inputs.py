"""What is given to the estimators: labels, columns, formats; and arguments that change between fits."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import datasets, neural_network

import clearprop as cp

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = datasets.load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
NAMES = np.array(["setosa", "versicolor", "virginica"])
QUICK = {"hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0}


def objects(labels):
    return np.array(labels, dtype=object)


# Labels


@pytest.mark.parametrize("gap", [None, np.nan, "NA", "NaT"])
def test_a_missing_label_is_refused_with_its_row(gap):
    pandas = pytest.importorskip("pandas")
    y = objects(NAMES[Y])
    y[7] = getattr(pandas, gap) if isinstance(gap, str) else gap
    for given in (y, y.tolist(), np.column_stack([NAMES[Y].astype(object), y])):
        with pytest.raises(ValueError, match="y must have a label in each row, got .* in row 7"):
            cp.MLPClassifier(**QUICK).fit(X, given)


def test_a_missing_number_among_labels_is_refused_without_a_warning_from_below():
    y = Y.astype(float)
    y[11] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="y must have a label in each row, got NaN in row 11"):
            cp.MLPClassifier(**QUICK).fit(X, y)


@pytest.mark.parametrize("as_list", [False, True])
def test_texts_and_numbers_in_one_column_of_labels_are_refused_with_both_types(as_list):
    y = objects(NAMES[Y])
    y[3] = 1  # which a plain conversion of the list would make "1"
    with pytest.raises(TypeError, match="y must hold labels of one type, got int and str"):
        cp.MLPClassifier(**QUICK).fit(X, y.tolist() if as_list else y)


def test_columns_of_labels_keep_their_types():
    pandas = pytest.importorskip("pandas")
    y = pandas.DataFrame({"kind": NAMES[Y], "number": Y[::-1], "wide": X[:, 1] > 0})
    model = cp.MLPClassifier(solver="lbfgs", max_iter=100, random_state=0).fit(X, y)
    assert [each.dtype.kind for each in model.classes_] == ["U", "i", "b"]
    assert model.predict(X)[0].tolist() == ["setosa", 2, True]
    assert model.score(X, y) == (model.predict(X) == y.to_numpy()).all(axis=1).mean() > 0.9


@pytest.mark.parametrize(
    "labels", [["a", "b", "c"], [0, 1, 2], [False, True], [1.0, 5.0, 9.0]], ids=str
)
def test_the_fitted_network_knows_its_classes_and_features(labels, tmp_path):
    pandas = pytest.importorskip("pandas")
    y = np.array(labels)[Y % len(labels)]
    table = pandas.DataFrame(X, columns=list("wxyz"))
    model = cp.MLPClassifier(**QUICK).fit(table, y)
    assert model.network_.classes == tuple(labels)
    assert model.network_.feature_names == ("w", "x", "y", "z")
    np.testing.assert_array_equal(model.network_.classify(X), model.predict(table))
    assert "Backpropagation" in cp.explain(model.network_, X[:1], y[:1])
    model.save(tmp_path / "model.safetensors")
    assert cp.load(tmp_path / "model.safetensors").classes == tuple(labels)


def test_a_network_from_scikit_learn_knows_its_classes():
    theirs = neural_network.MLPClassifier(**QUICK).fit(X, NAMES[Y])
    assert cp.MLPClassifier.from_sklearn(theirs).network_.classes == tuple(NAMES.tolist())


# Features


@pytest.mark.parametrize(
    ("what", "column"),
    [
        ("the text 'setosa'", NAMES[Y]),
        ("dates", (Y + 19000).astype("M8[D]").astype("M8[ns]")),
        ("time spans", Y.astype("m8[s]").astype("m8[ns]")),
    ],
    ids=["text", "dates", "spans"],
)
def test_a_column_that_holds_no_numbers_is_named(what, column):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"width": X[:, 0], "when": column})
    message = f"X must hold numbers, got {what} in column 'when'; preset='realmlp-s' takes them"
    with pytest.raises(ValueError, match=message):
        cp.MLPClassifier(**QUICK).fit(table, Y)
    with pytest.raises(ValueError, match=message.replace("'when'", "'1'")):  # numbered columns too
        cp.MLPClassifier(**QUICK).fit(table.rename(columns={"width": 0, "when": 1}), Y)
    table["when"] = 1.0
    model = cp.MLPClassifier(**QUICK).fit(table, Y)
    with pytest.raises(ValueError, match=message):
        model.predict(table.assign(when=column))


def test_arrays_of_text_and_dates_are_refused_though_they_could_be_converted():
    with pytest.raises(ValueError, match="X must hold numbers, got text"):
        cp.MLPClassifier(**QUICK).fit(X.astype("U8"), Y)
    with pytest.raises(ValueError, match="X must hold numbers, got dates"):
        cp.MLPClassifier(**QUICK).fit((10 * X).astype("M8[s]"), Y)


def test_a_missing_number_in_a_table_is_called_missing():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": pandas.array([1, None] * 75, dtype="Int64"), "b": X[:, 0]})
    with pytest.raises(ValueError, match="Input X contains NaN"):
        cp.MLPClassifier(**QUICK).fit(table, Y)


@pytest.mark.parametrize("kind", ["bsr", "coo", "csc", "csr", "dok", "lil"])
def test_every_sparse_format_is_taken_also_by_a_scorer(kind):
    dense = np.where(np.abs(X) > 0.5, X, 0.0)
    sparse = getattr(sp, f"{kind}_array")(sp.csr_array(dense))
    model = cp.MLPClassifier(**QUICK, early_stopping=True, scoring="neg_log_loss")
    expected = model.fit(dense, Y).best_validation_score_
    assert model.fit(sparse, Y).best_validation_score_ == pytest.approx(expected, rel=1e-12)


# Arguments that would have no effect on a network that is there


UNCHANGED = {
    "activation": "tanh",
    "loss": "huber",
    "preprocessing": "standard",
    "dtype": "float32",
    "preset": "realmlp-s",
    "hidden_layer_sizes": (5, 4),
    "target": "standardize",
}


@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
@pytest.mark.parametrize("name", UNCHANGED)
def test_going_on_with_another_network_than_there_is_is_refused(name, way):
    kind = cp.MLPRegressor if name == "target" else cp.MLPClassifier
    how = {k: v for k, v in QUICK.items() if name != "preset"}
    model = kind(**how, warm_start=True).fit(X, Y)
    go_on = model.fit if way == "warm_start" else model.partial_fit
    model.set_params(**{name: UNCHANGED[name]})
    with pytest.raises(ValueError, match=f"{name} must be what the network has, .*, to go on with it"):
        go_on(X, Y)


def test_what_concerns_the_steps_can_change_between_fits():
    model = cp.MLPClassifier(**QUICK, warm_start=True).fit(X, Y)
    before = model.network_.parameters.copy()
    model.set_params(solver="sgd", learning_rate_init=0.1, alpha=1.0, batch_size=20, dropout=0.1)
    assert not np.array_equal(model.fit(X, Y).network_.parameters, before)


def test_a_dropout_rate_that_is_no_number_is_named():
    with pytest.raises(
        TypeError, match=r"dropout must hold numbers or schedules, got 'x' in \[0.1, 'x'\]"
    ):
        cp.MLPClassifier((4, 3), dropout=[0.1, "x"]).fit(X, Y)
