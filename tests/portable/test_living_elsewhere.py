"""Estimators go through cloudpickle and joblib, and come back with equal bits."""

import io

import joblib
import numpy as np
import pytest

import clearprop as cp
from portable_models import frame, words

cloudpickle = pytest.importorskip("cloudpickle", reason="cloudpickle is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def made():
    rows = frame()[["gap", "city", "when"]]
    how = {
        "preset": "realmlp",
        "hidden_layer_sizes": (5, 4),
        "max_iter": 2,
        "members": 2,
        "random_state": 0,
    }
    return cp.MLPClassifier(**how).fit(rows, words(3)), rows


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("through", [through_joblib, lambda e: cloudpickle.loads(cloudpickle.dumps(e))])
def test_a_round_trip_gives_equal_bits(made, through):
    estimator, rows = made
    back = through(estimator)
    assert np.array_equal(back.predict_proba(rows), estimator.predict_proba(rows))
    assert back.get_params() == estimator.get_params()
