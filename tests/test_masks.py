"""Masked values are refused at every door: what lies under a mask is no value."""

import numpy as np
import pandas
import pytest

import clearprop as cp

pytestmark = pytest.mark.filterwarnings("ignore")  # few rows, few epochs, one class

N = 7
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
Y = np.arange(N) % 2
WEIGHT = np.ones(N)


def net(y=Y):
    found = cp.Network([3, 4, 2], seed=0)
    found.fit(X, y, epochs=1, progress=False)
    return found


def fit(X=X, Y=Y, **more):
    cp.Network([3, 4, 2], seed=0).fit(X, Y, epochs=1, progress=False, **more)


def stream(*arrays):
    rows = cp.data.RowStream.of_arrays(*arrays, buffer_rows=4)
    cp.Network([3, 4, 2], seed=0).fit(rows, epochs=1, batch_size=2, progress=False)


def classifier(X=X, y=Y, **fitted):
    return cp.MLPClassifier(max_iter=1, **fitted).fit(X, y)


def regressor(X=X, y=Y):
    return cp.MLPRegressor(max_iter=1).fit(X, y * 1.0)


FLAT = {
    "net.fit Y": lambda y: fit(Y=y),
    "net.fit weight": lambda w: fit(sample_weight=w),
    "validation Y": lambda y: fit(validation_data=(X, y)),
    "net.cost Y": lambda y: net().cost(X, y),
    "net.cost weight": lambda w: net().cost(X, Y, sample_weight=w),
    "net.gradient Y": lambda y: net().gradient(X, y),
    "net.input_gradient Y": lambda y: net().input_gradient(X, y),
    "net.trace Y": lambda y: net().trace(X, y),
    "one output": lambda y: cp.Network([3, 1], cost="quadratic", seed=0).cost(X, y),
    "Training Y": lambda y: cp.Training(net(), X, y, progress=False),
    "check Y": lambda y: cp.check_gradient(net(), X, y),
    "check weight": lambda w: cp.check_gradient(net(), X, Y, sample_weight=w),
    "diagnose Y": lambda y: cp.diagnose(net(), X, y),
    "stream Y": lambda y: stream(X, y),
    "stream weight": lambda w: stream(X, Y, w),
    "classifier y": lambda y: classifier(y=y),
    "classifier y_val": lambda y: cp.MLPClassifier(max_iter=1).fit(X, Y, X_val=X, y_val=y),
    "classifier weight": lambda w: cp.MLPClassifier(max_iter=1).fit(X, Y, sample_weight=w),
    "classifier groups": lambda g: cp.MLPClassifier(early_stopping=True).fit(X, Y, groups=g),
    "classifier score": lambda y: classifier().score(X, y),
    "classifier score weight": lambda w: classifier().score(X, Y, sample_weight=w),
    "partial_fit y": lambda y: cp.MLPClassifier().partial_fit(X, y, classes=[0, 1]),
    "partial_fit classes": lambda y: cp.MLPClassifier().partial_fit(X, Y, classes=y),
    "regressor y": lambda y: cp.MLPRegressor(max_iter=1).fit(X, y),
    "regressor score": lambda y: regressor().score(X, y),
    "regressor score weight": lambda w: regressor().score(X, Y, sample_weight=w),
    "regressor partial_fit": lambda y: cp.MLPRegressor().partial_fit(X, y),
    "find_learning_rate": lambda y: cp.MLPClassifier().find_learning_rate(X, y),
    "holdout": lambda y: cp.data.holdout(y, 0.3, 0),
}
WIDE = {
    "net.fit X": lambda X: fit(X=X),
    "validation X": lambda X: fit(validation_data=(X, Y)),
    "net.predict": lambda X: net().predict(X),
    "net.classify": lambda X: net().classify(X),
    "net.trace": lambda X: net().trace(X, Y),
    "classifier X": lambda X: classifier(X=X),
    "classifier realmlp": lambda X: classifier(X=X, preset="realmlp-s"),
    "classifier X_val": lambda X: cp.MLPClassifier(max_iter=1).fit(X_, Y, X_val=X, y_val=Y),
    "classifier predict": lambda X: classifier().predict(X),
    "classifier proba": lambda X: classifier().predict_proba(X),
    "classifier score": lambda X: classifier().score(X, Y),
    "classifier transform": lambda X: classifier().transform(X),
    "classifier input_gradient": lambda X: classifier().input_gradient(X),
    "regressor X": lambda X: regressor(X=X),
    "regressor predict": lambda X: regressor().predict(X),
    "standardize": cp.data.standardize,
}
X_ = X


def masked(array):
    """Return a masked array, and the places in which one can hide."""
    mask = np.zeros(array.shape, bool)
    mask[2:4] = True
    whole = np.ma.array(array, mask=mask)
    objects = array.astype(object)
    objects[(2,) * array.ndim] = np.ma.masked
    holder = (
        list(whole)
        if array.ndim > 1
        else [np.ma.masked if m else v for v, m in zip(array, mask, strict=True)]
    )
    return {"masked": whole, "list": holder, "tuple": tuple(holder), "objects": objects}


@pytest.mark.parametrize("form", masked(WEIGHT))
@pytest.mark.parametrize("door", FLAT)
def test_masked_labels_targets_and_weights_are_refused(door, form):
    given = masked(WEIGHT if "weight" in door else Y)[form]
    with pytest.raises(ValueError, match="must have no masked values; fill or drop them first"):
        FLAT[door](given)


@pytest.mark.parametrize("form", masked(X))
@pytest.mark.parametrize("door", WIDE)
def test_masked_features_are_refused(door, form):
    with pytest.raises(ValueError, match="must have no masked values; fill or drop them first"):
        WIDE[door](masked(X)[form])


def test_a_stream_whose_slices_are_masked_is_refused():
    class Variable:  # as of netCDF
        shape = X.shape

        def __getitem__(self, rows):
            return np.ma.masked_greater(X[rows], 1.0)

    with pytest.raises(ValueError, match="X must have no masked values"):
        stream(Variable(), Y)


def test_a_masked_gradient_is_refused():
    found = net()
    gradient = np.ma.masked_less(found.gradient(X, Y).flat, 0.0)
    with pytest.raises(ValueError, match="gradient must have no masked values"):
        cp.check_gradient(found, X, Y, gradient=gradient)


def test_a_masked_array_that_hides_nothing_is_an_array():
    plain = np.ma.array(Y)
    fit(X=np.ma.array(X), Y=plain)
    assert classifier(X=np.ma.array(X), y=plain).classes_.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "string"])
def test_a_missing_value_of_pandas_is_no_label(dtype):
    values = {"Int64": [1, None, 2], "boolean": [True, None, False], "string": ["a", None, "b"]}[dtype]
    y = pandas.Series((values * 3)[:N], dtype=dtype)
    for door in ("net.fit Y", "classifier y", "Training Y", "stream Y"):
        with pytest.raises(ValueError, match="label in each row|must be finite"):
            FLAT[door](y)
