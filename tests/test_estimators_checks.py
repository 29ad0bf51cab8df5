import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import clearprop as cp

# scikit-learn's checks warn on purpose, and look for warnings themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


@parametrize_with_checks([cp.MLPClassifier(max_iter=100), cp.MLPRegressor(max_iter=100)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)
