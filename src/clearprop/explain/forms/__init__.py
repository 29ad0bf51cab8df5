"""What is said of one pass: forward, cost, errors, deltas, gradients, update, each as formulas.

A formula is written once, with symbols that carry their numbers; the forms are ways to look at it:

    matrix      whole layers
    component   one neuron or weight, in symbols
    numbers     the same with the numbers put in
    chain       a gradient as the product of derivatives along the chain rule
    path        a gradient as the sum over all paths to the cost
"""

from clearprop.explain.forms.backward import (
    canonical,
    delta,
    delta_matrix,
    error,
    error_matrix,
    output_error,
)
from clearprop.explain.forms.costs import written
from clearprop.explain.forms.forward import activation, batch_cost, cost, forward_matrix, weighted_input
from clearprop.explain.forms.gradients import (
    bias_gradient,
    chain,
    gradient_matrix,
    path,
    path_product,
    weight_gradient,
)
from clearprop.explain.forms.line import (
    FORMS,
    INPUTS,
    NEURONS,
    PATHS,
    TERMS,
    Line,
    batch_scale,
    chosen,
    neurons,
    stands_for,
)
from clearprop.explain.forms.parametric import mixed, mixed_slope, share_gradient
from clearprop.explain.forms.update import (
    over_m,
    plain_descent,
    update_bias,
    update_matrix,
    update_weight,
)

__all__ = [
    "FORMS",
    "INPUTS",
    "NEURONS",
    "PATHS",
    "TERMS",
    "Line",
    "activation",
    "batch_cost",
    "batch_scale",
    "bias_gradient",
    "canonical",
    "chain",
    "chosen",
    "cost",
    "delta",
    "delta_matrix",
    "error",
    "error_matrix",
    "forward_matrix",
    "gradient_matrix",
    "mixed",
    "mixed_slope",
    "neurons",
    "output_error",
    "over_m",
    "path",
    "path_product",
    "plain_descent",
    "share_gradient",
    "stands_for",
    "update_bias",
    "update_matrix",
    "update_weight",
    "weight_gradient",
    "weighted_input",
    "written",
]
