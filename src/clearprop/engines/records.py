"""What the kernels are called with: records, whose fields are found by their names.

``compiled`` fills them in. A network is nothing but rows of the table of layers, whose columns are the
fields of `Layer`; offsets are into the flat vector of parameters or into one workspace.
"""

from __future__ import annotations

from typing import NamedTuple

from clearprop.engines.language import (
    Flags,
    Integers,
    IntegerTable,
    Numbers,
    NumberTable,
    Reals,
)


class Layer(NamedTuple):
    """A row of the table of layers; an offset is -1 where there is nothing."""

    n_in: int
    n_out: int
    weights: int  # these four in the parameters, what follows in the workspace
    biases: int
    shares: int
    scales: int  # of the input scale, a layer of its own below the first
    below: int
    below_slope: int
    below_bend: int
    below_delta: int
    above: int
    slope: int
    bend: int  # of a parametric activation f(z) - z, and on the way back that times dC/da
    delta: int
    z: int
    log_sums: int
    copies: int  # room for copies of a product's arguments, for each thread
    copied: int  # how much room
    panels: int  # the activations below, laid out for BP4
    code: int  # the activation's, MIXED or OWN
    address: int  # of a user's own activation
    first_segment: int
    last_segment: int


class Segment(NamedTuple):
    """Neighbouring neurons of a layer with one activation, or one group of outputs."""

    first: int
    last: int  # exclusive
    code: int
    address: int


class Embedding(NamedTuple):
    """What an embedding makes of inputs; a place is -1 where there is nothing."""

    exists: bool
    n: int  # inputs that are embedded as numbers
    n_features: int
    n_out: int  # what layer 1 sees
    n_basis: int
    n_mapped: int  # numbers of an input that its map makes
    n_waves: int  # 0 with bins
    shared: bool  # the map, by all inputs
    relu: bool
    appends: bool  # the input itself
    keeps: bool  # the sines of all rows
    weight: int  # these five in the parameters, what follows in the workspace
    bias: int
    frequency: int
    phase: int
    vectors: int
    x: int
    raw: int  # E, before the input scale
    basis: int
    sines: int
    errors: int
    phases: int
    steepest: float  # slope of a bin, and its largest shift
    furthest: float
    columns: Integers  # shape (n,)
    first: Integers  # where each input's numbers begin, shape (n_features,)
    bins: Reals  # slopes, shifts, least and most, shape (4, n, n_bins)
    n_vectors: int  # of all categories: their one-hot columns
    n_of_vector: int
    one_hot: Integers  # shape (n_vectors,)


class Settings(NamedTuple):
    """What all runs of a plan have in common."""

    batch: int  # rows of the largest
    n_larger: int  # batches up to which all have as many; later ones have one less
    seed: int
    cost: int  # its code, or OWN
    own_cost: int  # the address of a user's own
    cost_parameter: float
    sums: bool  # the costs, instead of their mean
    counts: bool  # the correct samples
    optimizer: int
    first: float  # the factor of its first moment, of its second
    second: float
    epsilon: float
    warmup: float  # steps in which its rate rises
    l2: float
    l1: float
    clips: bool
    clip_norm: float
    fused: bool  # a step is W -= rate (dC/dW + l2 W) and nothing else
    over_weight: bool
    gradient: int  # where in the workspace it lies
    chunk: int  # elements of it that are made at a time
    give_way: int  # the address of what lets another thread run


class Run(NamedTuple):
    """A stretch of steps: what `train` takes, and where it leaves what it finds."""

    settings: Settings
    layers: IntegerTable
    segments: IntegerTable
    embedding: Embedding
    factors: NumberTable
    work: Reals
    columns: Integers  # where the vectors of a row begin
    listed: (
        Integers  # room for those that the inputs of a small batch have anything in, and their number
    )
    costs: Numbers  # of a batch's samples, shape (batch,)
    norms: Numbers  # the threads' sums of squares of their gradients, shape (n_threads,)
    squares: Numbers  # and of what `stays_finite` looks at, shape (2 * n_layers * n_threads,)
    counter: Integers  # where threads meet
    parameters: Reals
    moments: Reals
    X: Reals
    Y: Reals
    sample_weight: Reals
    weighted: bool
    order: Integers
    rates: Numbers
    dropout: NumberTable  # the rate of each layer, shape (n_steps or 1, n_layers)
    weight_decay: Numbers  # shape (n_steps or 1,)
    largest: float  # of the inputs
    first_step: int  # of those that `order` has the rows of
    step: int  # since the seed was set
    watched: bool  # whether a step may be made that might leave the finite numbers
    correct: Flags
    counts: Integers  # MADE, BAD, UPDATES
    cuts: Integers  # where the rows of each batch begin, where no rule says it; else empty
    leaves: Numbers  # the cost of each batch, where its gradient is a leaf of a sum; else empty
    epoch_cost: Numbers  # shape (1,)
    thread: int
    n_threads: int


class Prediction(NamedTuple):
    """What `predict` takes."""

    parameters: Reals
    X: Reals
    n_rows: int
    block: int  # rows at a time
    layers: IntegerTable
    segments: IntegerTable
    embedding: Embedding
    work: Reals
    columns: Integers
    out: Reals
    z: Reals  # of the last layer, where the table of layers has a place for it
    panels: Reals  # room for all weights, laid out once for all blocks where rows are many
    found: Integers  # NOT_FINITE, MEETING
    give_way: int
    thread: int
    n_threads: int


class Pull(NamedTuple):
    """What `pull_back` takes."""

    parameters: Reals
    X: Reals
    Y: Reals
    n_rows: int  # one where the gradient is wanted
    wanted: int  # COST, GRADIENT, INPUT_GRADIENT or JACOBIAN
    cost: int  # its code
    cost_parameter: float
    layers: IntegerTable
    segments: IntegerTable
    work: Reals
    columns: Integers
    out: Reals
    cost_sum: Numbers  # shape (1,)
    found: Integers  # NOT_FINITE
    thread: int
    n_threads: int


class Batch(NamedTuple):
    """One step's samples, and what follows from how many they are; or leaves, or one of them."""

    rows: Integers  # shape (m,)
    first: int  # of `order`
    at: int  # the row of the workspace where they begin
    number: int  # of the stretch's steps
    n_leaves: int  # whose gradients are apart
    rate: float
    weight_decay: float
    scale: float  # what each sample's delta is multiplied by
    per: float  # and l2 and l1: 1, or one over the sum of the weights
    keep: float  # what is left of a weight after its decay


class Team(NamedTuple):
    """Who else works on it, and a thread's own room for copies."""

    thread: int
    n_threads: int
    n_layers: int
    counter: Integers
    give_way: int
    copies: Reals


class Filled(NamedTuple):
    """Zero-skipping: the `n` first of `columns` are where vectors begin that are not all zero."""

    columns: Integers
    n: int


class Rectangle(NamedTuple):
    """Rows i0 to i1 and columns j0 to j1 of a layer, both exclusive at the end."""

    i0: int
    i1: int
    j0: int
    j1: int


class Pass(NamedTuple):
    """What a layer reads and writes on the way forwards, each for all rows."""

    below: Reals
    above: Reals
    slopes: Reals
    bends: Reals
    z: Reals
    log_sums: Reals


class Block(NamedTuple):
    """A few neurons' weights, biases, scales or shares: `what` is one of `codes.KINDS`."""

    what: int
    first: int
    n: int
    frozen: bool


class Update(NamedTuple):
    """How the parameters are moved: the phase, the clipping's factor, and the number of the update."""

    phase: int
    shrink: float
    t: int


class Share(NamedTuple):
    """What an array's step is of the others': factors of the rate, the decay and the gradient."""

    rate: float
    decay: float
    by: float


class Stride(NamedTuple):
    """What an optimizer needs to know of a step of some parameters."""

    rate: float
    decay: float
    t: int
    first: float
    second: float
    epsilon: float
    warmup: float


class Matrix(NamedTuple):
    """Elements ``x[i * down + j * across]``."""

    x: Reals
    down: int
    across: int


class Strips(NamedTuple):
    """A matrix c[s, r], cut into strips of a few r; each begins `along_strip` after the one before."""

    x: Reals
    along_s: int
    along_r: int
    along_first: int  # where strips lie where they were: from the first row of one to that of the next
    along_strip: int
