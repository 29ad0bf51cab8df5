"""Whether a gradient is right, and if it is not, what is likely to be wrong with it."""

from clearprop.gradient_check.check import Checkable, check_gradient
from clearprop.gradient_check.mistakes import Mistake
from clearprop.gradient_check.verdict import Estimate, GradientCheck, Row, judge

__all__ = ["Checkable", "Estimate", "GradientCheck", "Mistake", "Row", "check_gradient", "judge"]
