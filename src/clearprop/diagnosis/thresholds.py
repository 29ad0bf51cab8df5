"""Every number that a rule compares with, by name, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from clearprop.names import is_number

# ruff: noqa: SIM905 - a list of names reads best as words

# Limits above which something is wrong, and below which.
_UPPER = (
    "saturated_warning saturated_error saturated_cells_warning saturated_cells_error stuck_warning "
    "stuck_error low_activation_warning low_input_wanted dead_warning dead_error exploding_ratio "
    "exploding_norm exploding_growth gain_high update_high_info update_high_warning update_high_error "
    "swing_epochs diverging_best diverging_first bad_start bad_start_regression overfitting input_high "
    "input_offset input_offset_median input_z"
).split()
_LOWER = (
    "vanishing_warning vanishing_error gain_low update_low_info update_low_warning update_low_error "
    "input_low low_input association"
).split()


@dataclass(frozen=True)
class Thresholds:
    """The limits of the rules; ``dataclasses.replace(Thresholds(), dead_warning=0.2)`` changes one.

    Where the comment names nobody, the number was chosen on the calibration half of
    ``benchmarks/faults.py``. Shares are in 0..1.

    Raises
    ------
    TypeError, ValueError
        If one is not a finite number above 0.
    """

    # D2-D5: units. A slope is low below this share of the activation's steepest one.
    low_slope: float = 0.04  # sigmoid: f' < 0.01, |z| > 4.6; tanh: |z| > 2.3
    saturated_share: float = 0.99  # of the examples, for a unit (SageMaker Debugger)
    saturated_warning: float = 0.10  # of a layer's units
    saturated_error: float = 0.50  # SageMaker Debugger
    saturated_cells_warning: float = 0.65  # of a layer's (example, unit) pairs
    saturated_cells_error: float = 0.85
    wrong_by: float = 0.5  # of the range of the output
    stuck_warning: float = 0.01  # of the (example, output) pairs
    stuck_error: float = 0.10
    low_activation: float = 0.01  # of the RMS of the layer
    low_activation_warning: float = 0.10  # of a hidden layer
    low_input: float = 0.15  # of the RMS of the inputs, where it is not 0
    low_input_active: float = 0.05  # of the examples: what is there more rarely is left in peace
    low_input_wanted: float = 3.0  # standard errors of a correlation of 0
    dead_warning: float = 0.25  # of a layer
    dead_error: float = 0.40  # CS231n: "as much as 40 %"
    # D6-D8: layers. RMS of delta, first layer over last.
    vanishing_warning: float = 2e-2
    vanishing_error: float = 1e-3  # AutoTrainer
    exploding_ratio: float = 70.0  # AutoTrainer
    exploding_norm: float = 100.0  # of one weight matrix's gradient (nnscope, neurolens)
    exploding_growth: float = 10.0
    growth_evaluations: float = 10
    gain_low: float = 0.1
    gain_high: float = 10.0  # SageMaker Debugger: a ratio of 10
    # D9, D10: steps
    update_low_info: float = 1e-4
    update_low_warning: float = 1e-5
    update_low_error: float = 1e-7
    update_high_info: float = 5e-2  # neurolens
    update_high_warning: float = 0.4
    update_high_error: float = 1.0
    noise_ratio: float = 10.0  # between the batch and the noise scale (McCandlish et al. 2018)
    # D11-D15, D20: the run
    plateau_epochs: float = 10  # PyTorch, ReduceLROnPlateau
    plateau_improvement: float = 1e-4  # PyTorch, relative
    learned: float = 0.10  # of the cost of the best constant output: below, nothing is slow any more
    trivial: float = 0.95  # of that cost: above, nothing has been learned
    cancelling: float = 0.10  # ||mean gradient|| over the RMS of the samples': below, a minimum
    held: float = 0.5  # ||l2 W|| over the norm of the cost's gradient: above, the penalty wins
    bouncing: float = -0.3  # cosine between the gradients before and after a step
    swing: float = 0.10  # of the cost's range, between neighbouring extrema
    swing_least: float = 0.05  # of the lowest cost
    swing_epochs: float = 0.30  # share of epochs; AutoTrainer 0.2
    diverging_best: float = 3.0  # neurolens: times the best cost
    diverging_first: float = 10.0  # neurolens: times the first
    bad_start: float = 2.0  # times the cost of saying nothing
    bad_start_regression: float = 10.0
    overfitting: float = 0.10  # SageMaker Debugger: above the best validation cost
    overfitting_gain: float = 0.05  # of the validation cost in the epochs of a plateau, while ...
    overfitting_fall: float = 0.30  # ... the training cost falls by so much
    # D16, D17, D19: what is given
    identical_float32: float = 1e-6  # relative
    identical_float64: float = 1e-12
    unreachable: float = 1e-6  # of the output's range
    input_low: float = 0.1  # RMS over all features
    input_high: float = 10.0  # RMS of a feature
    input_offset: float = 5.0  # |mean| over the standard deviation of a feature
    input_offset_median: float = 2.0  # the same, the median over the features
    input_z: float = 3.0  # median |z| of a saturating first layer
    # D21: rows that may not belong together
    strangers_rows: float = 100  # below which chance may hide that they do
    strangers_epochs: float = 5  # for which the cost stays above `trivial` of that of a guess
    association: float = 2.5  # standard deviations of chance: below, X and Y are strangers
    associated: float = 5.0  # the same, with Y moved by a row: above, they are not
    # When a training is watched
    hysteresis: float = 0.8  # a finding is over once it would not be one with limits so much looser

    def __post_init__(self) -> None:
        """Check that each is a number that can be compared with."""
        for each in fields(self):
            value = getattr(self, each.name)
            if not is_number(value):
                raise TypeError(f"{each.name} must be a finite number, got {value!r}")
            if value <= 0 and each.name != "bouncing":
                raise ValueError(f"{each.name} must be above 0, got {value!r}")

    def looser(self) -> Thresholds:
        """Return the limits on the good side of which a finding is over."""
        return replace(
            self,
            **{name: getattr(self, name) * self.hysteresis for name in _UPPER},
            **{name: getattr(self, name) / self.hysteresis for name in _LOWER},
        )
