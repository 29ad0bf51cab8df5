"""scikit-learn estimators: its multilayer perceptrons, with what its users have asked for.

`MLPClassifier` and `MLPRegressor` have scikit-learn's parameters, defaults and attributes, train a
`Network` (``network_``) through a `Training`, and say in one table of
``docs/coming-from-scikit-learn.md`` what is equal, new and different.
"""

from clearprop.estimators.classifier import MLPClassifier
from clearprop.estimators.ensemble import Ensemble
from clearprop.estimators.rate_finder import LearningRates
from clearprop.estimators.regressor import MLPRegressor

__all__ = ["Ensemble", "LearningRates", "MLPClassifier", "MLPRegressor"]
