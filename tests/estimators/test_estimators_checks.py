import pytest
from sklearn.utils import estimator_checks

import clearprop as cp
from scikit_checks import every_check

# scikit-learn's checks warn on purpose, and look for warnings themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


@every_check([cp.MLPClassifier(max_iter=100), cp.MLPRegressor(max_iter=100)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


# Not in the list above, but used by scikit-learn on its own estimators.
MORE = [
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_inplace_ensure_writeable",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


@pytest.mark.parametrize("kind", [cp.MLPClassifier, cp.MLPRegressor])
@pytest.mark.parametrize("name", MORE)
def test_scikit_learns_checks_of_its_own_estimators_pass_too(name, kind):
    getattr(estimator_checks, name)(kind.__name__, kind(max_iter=5))
