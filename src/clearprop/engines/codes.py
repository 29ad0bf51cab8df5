"""Small constants that the kernels share with what calls them."""

from __future__ import annotations

# Sums may be reordered and products fused; NaN and infinity keep their meaning.
SUMS = {"reassoc", "contract", "nsz"}

# Activations and costs without a row in a table: several in a layer, and a user's own, which is called.
MIXED, OWN = -1, -2
# Columns of the table of a layer's factors: a few for each of its kinds of parameters.
KINDS = "weights", "biases", "scales", "shares"
WEIGHTS, BIASES, SCALES, SHARES = range(4)
RATE, DECAY_FACTOR, GRADIENT_FACTOR, FACTOR_COLUMNS = 0, 4, 8, 12
# An embedding's arrays, whose factors lie behind those of the layers, three in a row.
ARRAYS = "weight", "bias", "frequency", "phase", "vectors"
EMBEDDING = tuple(f"embedding.{name}" for name in ARRAYS)
MAP, OF_BIAS, OF_FREQUENCY, OF_PHASE, VECTORS = range(5)
MADE, BAD, UPDATES = range(3)  # what a run counts
DOUBTFUL = 2  # what BAD is where the next step may lead to a parameter that is not finite
NOT_FINITE, MEETING = range(2)  # what a prediction finds, and where its threads meet
COST, GRADIENT, INPUT_GRADIENT, JACOBIAN = range(4)  # what is wanted of single rows
FAR = 1e30  # far from the largest float32: no sum of steps below it gets there

LINE = 8  # integers of a cache line
FETCHED = 32 * 1024  # elements of a batch up to which the next one is asked for: both fit the cache
BOTH, GATHER, FOLLOW, DONE = range(4)  # phases of an update
