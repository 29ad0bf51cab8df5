"""Whether a gradient, or a whole pass, is right, and if not, what is likely to be wrong with it."""

from clearprop.gradient_check.check import Checkable, check_gradient
from clearprop.gradient_check.mistakes import Mistake
from clearprop.gradient_check.traces import TraceCheck, TraceRow, check_trace, named_arrays
from clearprop.gradient_check.verdict import Estimate, GradientCheck, Row, judge

__all__ = [
    "Checkable",
    "Estimate",
    "GradientCheck",
    "Mistake",
    "Row",
    "TraceCheck",
    "TraceRow",
    "check_gradient",
    "check_trace",
    "judge",
    "named_arrays",
]
