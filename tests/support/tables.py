"""The lists that tests run over: what is added to clearprop is one row here and is tested by all."""

from clearprop import activations, costs, optimizers
from clearprop.schedule_free import ScheduleFreeAdamW

ACTIVATIONS = [f for f in activations.ACTIVATIONS.values() if f.elementwise]
SMOOTH = [f for f in ACTIVATIONS if f.smooth]
PER_NEURON = ("sigmoid", "tanh", "relu", "gelu", "identity")

ANY_OUTPUT = [
    costs.quadratic(),
    costs.squared_error(reduction="sum"),
    costs.mean_absolute_error(),
    costs.huber(delta=0.4),
    costs.quantile(q=0.3),
    costs.quantiles(level=0.7),
]
COSTS = [
    *ANY_OUTPUT,
    costs.cross_entropy(),
    costs.binary_cross_entropy(),
    costs.poisson(reduction="sum"),
]
OUTPUTS = [
    *((cost, output) for cost in ANY_OUTPUT for output in ("identity", "sigmoid", "relu", "softmax")),
    (costs.cross_entropy(), "softmax"),
    (costs.cross_entropy(reduction="sum"), "softmax"),
    (costs.cross_entropy(), "sigmoid"),
    (costs.binary_cross_entropy(), "sigmoid"),
    (costs.poisson(), "exp"),
    (costs.poisson(reduction="sum"), "softplus"),
]

OPTIMIZERS = [
    optimizers.SGD(0.1),
    optimizers.SGD(0.1, momentum=0.9),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    optimizers.RMSProp(0.01),
    optimizers.Adam(0.01),
    optimizers.AdamW(0.01, weight_decay=0.1),
    ScheduleFreeAdamW(0.01, weight_decay=0.1, warmup_steps=3),
]


def output_name(pair):
    cost, output = pair
    return f"{cost.name}{'-sum' if cost.reduction == 'sum' else ''}-{output}"


def optimizer_name(optimizer):
    kind = type(optimizer).__name__
    if getattr(optimizer, "nesterov", False):
        return f"{kind}-nesterov"
    return f"{kind}-momentum" if getattr(optimizer, "momentum", 0) else kind
