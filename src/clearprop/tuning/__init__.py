"""How good a network will be on rows it has not seen, and which of many is best.

`cross_validate` measures one estimator on rows that each fold has not learned from; `tune` searches the
arguments of one, and chooses an ensemble.
"""

from clearprop.estimators.ensemble import Ensemble
from clearprop.tuning.cross_validation import CrossValidation, FoldResult, cross_validate
from clearprop.tuning.estimates import Estimate
from clearprop.tuning.study import TrialResult
from clearprop.tuning.tuner import Tuning, tune

__all__ = [
    "CrossValidation",
    "Ensemble",
    "Estimate",
    "FoldResult",
    "TrialResult",
    "Tuning",
    "cross_validate",
    "tune",
]
