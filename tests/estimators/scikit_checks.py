"""scikit-learn's checks of estimators, as pytest wants them."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks


def every_check(estimators, **how):
    """scikit-learn 1.6 hands pytest a generator, which pytest 9 warns of."""
    made = parametrize_with_checks(estimators, **how)
    names, checks = made.args
    return pytest.mark.parametrize(names, list(checks), **made.kwargs)
