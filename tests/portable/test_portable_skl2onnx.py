"""Estimators convert where scikit-learn's users have them: in pipelines, column transformers, searches."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import clearprop as cp
from clearprop.estimators.skl2onnx import register
from portable_models import words

skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(0).normal(3, 2, size=(60, 4))
QUICK = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0, "dtype": "float64"}


@pytest.fixture(autouse=True)
def registered():
    register()


def converted(model, options=None, initial=None, **how):
    from skl2onnx.common.data_types import DoubleTensorType

    kinds = initial or [("X", DoubleTensorType([None, 4]))]
    return skl2onnx.convert_sklearn(model, initial_types=kinds, options=options, **how)


def run(graph, rows=None):
    session = runtime.InferenceSession(graph.SerializeToString())
    return session.run(None, {"X": X} if rows is None else rows)


def classifier(y=None, **how):
    last = cp.MLPClassifier(**QUICK | how)
    return make_pipeline(StandardScaler(), last).fit(X, words(3) if y is None else y)


def plain(model, **options):
    return {id(model[-1]): {"zipmap": False} | options}


@pytest.mark.parametrize(
    ("y", "how"),
    [
        (words(3), {}),
        (words(2), {"calibrate": True, "threshold": "f1", "early_stopping": True, "validation_fraction": 0.4}),
        (np.arange(60) % 3 + 7, {"members": 2}),
        (np.arange(60) % 2 == 0, {}),
        (np.arange(180).reshape(60, 3) % 7 % 2, {}),
    ],
)  # fmt: skip
def test_behind_a_scaler_it_says_what_the_pipeline_says(y, how):
    model = classifier(y, **how)
    labels, probabilities = run(converted(model, plain(model)))
    assert (labels == model.predict(X)).all()
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=1e-12)


def test_zipmap_and_the_labels_beside_it():
    from skl2onnx.common.data_types import FloatTensorType

    model = classifier()
    graph = converted(
        model, initial=[("X", FloatTensorType([None, 4]))]
    )  # onnxruntime maps floats alone
    _, maps = run(graph, {"X": X.astype("f")})
    assert [list(each) for each in maps] == [list(model.classes_)] * len(X)
    np.testing.assert_allclose([list(m.values()) for m in maps], model.predict_proba(X), rtol=1e-4)
    columns = run(converted(model, {id(model[-1]): {"zipmap": "columns"}}))
    np.testing.assert_allclose(np.stack(columns[1:], axis=1), model.predict_proba(X), rtol=1e-12)
    *_, told = run(converted(model, plain(model, output_class_labels=True)))
    assert told.tolist() == model.classes_.tolist()


@pytest.mark.parametrize(("k", "loss"), [(3, "log_loss"), (2, "log_loss")])
def test_raw_scores_are_the_decision_function(k, loss):
    model = classifier(words(k), calibrate=False)
    _, scores = run(converted(model, plain(model, raw_scores=True)))
    wanted = model.decision_function(X)
    wanted = np.stack([-wanted, wanted], axis=1) if k == 2 else wanted
    np.testing.assert_allclose(scores, wanted, rtol=1e-10, atol=1e-12)


def test_behind_a_column_transformer_and_in_a_search():
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

    rows = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "city": words(4)})
    made = ColumnTransformer([("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(), ["city"])])
    search = GridSearchCV(
        make_pipeline(made, cp.MLPClassifier(**QUICK)), {"mlpclassifier__alpha": [0, 1]}, cv=2
    )
    best = search.fit(rows, words(3)).best_estimator_
    kinds = [(n, (StringTensorType if n == "city" else DoubleTensorType)([None, 1])) for n in rows]
    given = {n: rows[[n]].to_numpy(object if n == "city" else float) for n in rows}
    for model in (best, search):
        options = {id(best[-1]): {"zipmap": False}}
        labels, probabilities = run(converted(model, options, kinds), given)
        assert (labels == best.predict(rows)).all()
        np.testing.assert_allclose(probabilities, best.predict_proba(rows), rtol=1e-6)


def test_a_table_of_its_own_with_words_needs_no_step_before_it():
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

    rows = pd.DataFrame({"a": np.where(X[:, 0] > 4, np.nan, X[:, 0]), "city": words(4)})
    model = make_pipeline(cp.MLPRegressor(**QUICK, preset="realmlp-s")).fit(rows, X[:, :2])
    kinds = [("a", DoubleTensorType([None, 1])), ("city", StringTensorType([None, 1]))]
    (found,) = run(
        converted(model, initial=kinds),
        {"a": rows[["a"]].to_numpy(), "city": rows[["city"]].to_numpy(object)},
    )
    np.testing.assert_allclose(found, model.predict(rows), rtol=1e-10)
    with pytest.raises(
        ValueError, match="must hand on TensorProto.STRING as its column 'city', got TensorProto.DOUBLE"
    ):
        converted(model, initial=[("X", DoubleTensorType([None, 2]))])


def test_a_regressor_of_float32():
    from skl2onnx.common.data_types import FloatTensorType

    model = make_pipeline(StandardScaler(), cp.MLPRegressor(**QUICK)).fit(X, X[:, 0])
    graph = converted(
        model, initial=[("X", FloatTensorType([None, 4]))], target_opset={"": 18, "ai.onnx.ml": 3}
    )
    (found,) = run(graph, {"X": X.astype("f")})
    np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_is_said(monkeypatch):
    model = classifier(np.stack([words(3), words(2)], axis=1))
    with pytest.raises(ValueError, match="must have one column of labels or indicators, got 2 columns"):
        converted(model, plain(model))
    model = classifier(members=2)
    with pytest.raises(
        ValueError, match="raw_scores must be False for the mean of members.*got True for 2"
    ):
        converted(model, plain(model, raw_scores=True))
    with pytest.raises(ValueError, match="target_opset must be 18 or newer for ONNX.*got 17"):
        converted(model, plain(model), target_opset=17)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the package skl2onnx: pip install"):
        register()
