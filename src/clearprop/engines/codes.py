"""Where everything is in the tables of a run, and what their codes mean.

``compiled`` fills the tables in, the kernels read them; a network is nothing but rows of these.
"""

from __future__ import annotations

# Sums may be reordered and products fused; NaN and infinity keep their meaning.
SUMS = {"reassoc", "contract", "nsz"}

# Columns of the table of layers; one row for each.
(
    N_IN, N_OUT, WEIGHTS, BIASES, SCALES, BELOW, BELOW_SLOPE, BELOW_DELTA, ABOVE, SLOPE, DELTA, Z, CODE,
    FIRST_SEGMENT, LAST_SEGMENT, DROP, LOG_SUMS, COPIES, COPIED, PANELS,
) = range(20)  # fmt: skip
LAYER_COLUMNS = 20
# Columns of the table of a layer's factors: three for its weights, its biases and its input scale each.
RATE, WEIGHT_RATE, BIAS_RATE, SCALE_RATE = 0, 0, 1, 2
DECAY_FACTOR, GRADIENT_FACTOR, KEEP_SCALE = 3, 6, 9
FACTOR_COLUMNS = 10
# Integers of a run.
(
    BATCH, N_SAMPLES, FIRST_STEP, N_STEPS, STEP, UPDATES, SEED, COST, OPTIMIZER, COUNTS, SUM, CLIPS,
    WEIGHTED, FUSED, GRADIENT, CHUNK, MADE, BAD, YIELD, OVER_WEIGHT, COLUMNS, WATCHED, LARGER,
) = range(23)  # fmt: skip
N_INTEGERS = 23
DOUBTFUL = 2  # what BAD is where the next step may lead to a parameter that is not finite
# Numbers of a run.
L2, L1, CLIP, FIRST, SECOND, EPSILON, DECAY, COST_PARAMETER, EPOCH_COST, LARGEST = range(10)
N_NUMBERS = 10
FAR = 1e30  # far from the largest float32: no sum of steps below it gets there

ACTIVATION_CODES = {
    name: code
    for code, name in enumerate(
        (
            "identity", "sigmoid", "tanh", "scaled_tanh", "relu", "leaky_relu", "elu", "selu", "gelu",
            "silu", "mish", "softplus", "exp", "softmax",
        )
    )
}  # fmt: skip
(
    IDENTITY, SIGMOID, TANH, SCALED_TANH, RELU, LEAKY_RELU, ELU, SELU, GELU, SILU, MISH, SOFTPLUS, EXP,
    SOFTMAX,
) = range(14)  # fmt: skip
MIXED = -1

# Costs computed from z, for the output activation that belongs to them, come after the others.
(
    QUADRATIC, SQUARED_ERROR, MEAN_ABSOLUTE_ERROR, HUBER, QUANTILE, SOFTMAX_ENTROPY, SIGMOID_ENTROPY,
    POISSON_EXP, POISSON_SOFTPLUS, GROUPED_ENTROPY,
) = range(10)  # fmt: skip
SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW, FOLDED_ADAM = range(7)

LINE = 8  # integers of a cache line
FETCHED = 32 * 1024  # elements of a batch up to which the next one is asked for: both fit the cache
BOTH, GATHER, FOLLOW, DONE = range(4)  # what update_layer does
