"""Networks to explain, and a reading of their renderings that shares no code with the printers."""

import math
import re

import numpy as np

import clearprop as cp

PRESETS = ("nielsen", "jordan", "dp", "softmax-ce")


def mazur():
    """Return the golden 2-2-2 network, x and y."""
    net = cp.Network([2, 2, 2], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    net.weights[0][:], net.biases[0][:] = [[0.15, 0.20], [0.25, 0.30]], 0.35
    net.weights[1][:], net.biases[1][:] = [[0.40, 0.45], [0.50, 0.55]], 0.60
    return net, [[0.05, 0.10]], [[0.01, 0.99]]


def problem(
    sizes=(4, 5, 3), output=None, cost="quadratic", n=1, bias=True, dtype="float64", seed=0, **how
):
    """Return a network with random parameters, X and Y that go with its cost."""
    layers = [cp.Layer(size, bias=bias) for size in sizes[1:]]
    net = cp.Network([sizes[0], *layers], output=output, cost=cost, dtype=dtype, seed=seed, **how)
    rng = np.random.default_rng(seed)
    net.parameters[:] = rng.normal(scale=0.7, size=net.n_parameters)
    X = rng.normal(size=(n, sizes[0]))
    name = net.architecture.cost.name
    if name == "cross_entropy" and net.architecture.output.name == "softmax":
        Y = rng.dirichlet(np.ones(sizes[-1]), n)
    elif "entropy" in name:
        Y = rng.uniform(size=(n, sizes[-1]))
    elif name == "poisson":
        Y = rng.poisson(2.0, (n, sizes[-1])).astype(float)
    else:
        Y = rng.normal(size=(n, sizes[-1]))
    return net, X, Y


# name: how to make it
PROBLEMS = {
    "quadratic": {},
    "batch of 7": {"n": 7},
    "no biases": {"bias": False, "n": 3},
    "squared_error, sigmoid": {"cost": "squared_error", "output": "sigmoid"},
    "softmax, cross_entropy": {"cost": "cross_entropy"},
    "softmax, cross_entropy, batch": {"cost": "cross_entropy", "n": 5},
    "softmax, quadratic": {"output": "softmax"},
    "softmax, squared_error, batch": {"output": "softmax", "cost": "squared_error", "n": 3},
    "sigmoid, cross_entropy": {"cost": "cross_entropy", "output": "sigmoid"},
    "binary": {"sizes": (3, 4, 1), "cost": "binary_cross_entropy"},
    "huber": {"cost": "huber"},
    "poisson, exp": {"cost": "poisson"},
    "poisson, softplus": {"cost": "poisson", "output": "softplus", "n": 2},
    "sum": {"cost": cp.costs.quadratic(reduction="sum"), "n": 3},
    "one layer": {"sizes": (3, 2)},
    "deep": {"sizes": (3, 4, 2, 3, 2), "activation": "tanh"},
    "relu": {"activation": "relu", "n": 2},
    "wide": {"sizes": (40, 20, 12), "cost": "cross_entropy"},
    "wide batch": {"sizes": (40, 120, 12), "cost": "quadratic", "n": 9, "output": "tanh"},
    "float32": {"dtype": "float32", "n": 3},
}

# Each network in one notation, and each notation with one of each kind of output.
PAIRS = [
    (name, notation)
    for i, name in enumerate(PROBLEMS)
    for j, notation in enumerate(PRESETS)
    if i % 4 == j or name in ("batch of 7", "softmax, quadratic")
]


def look_up(trace, quantity, layer, index=()):
    """Return an element, or an array, of a rendering's references from its `trace/2` JSON."""
    owner, _, name = quantity.partition(".")
    if name:  # of the embedding, or of the input scale
        array = trace[owner][name]
    elif quantity in ("x", "y"):
        array = trace["batch"][quantity]
    elif quantity == "cost":
        array = trace["cost_value"]
    elif quantity == "sample_cost":
        array = trace["sample_costs"]
    elif quantity == "cost_parameter":
        array = trace["cost"]["parameter"]
    elif quantity == "learning_rate":
        array = trace["update"]["learning_rate"]
    elif quantity.endswith("_after"):
        array = trace["update"]["layers"][layer - 1][quantity]
    else:
        array = trace["layers"][layer - 1][quantity]
    for each in index:
        array = array[each]
    return np.array(array, dtype=float) if isinstance(array, list) else float(array)


class Elided(Exception):
    """A formula is not shown in full: it cannot be computed."""


FUNCTIONS = {
    "exp": np.exp,
    "cos": np.cos,
    "sin": np.sin,
    "relu": lambda z: np.maximum(z, 0.0),
    "relu'": lambda z: np.where(z > 0, 1.0, 0.0),
    "ln": np.log,
    "abs": np.abs,
    "sign": np.sign,
    "softmax": lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum(),
}


def evaluate(node, trace, activation):
    """Return the value of a formula whose symbols are numbers, from the references and the arithmetic."""
    go = lambda each: evaluate(each, trace, activation)  # noqa: E731
    match node["t"]:
        case "num":
            return node["factor"] * look_up(trace, node["quantity"], node["layer"], node["index"])
        case "mat":
            array = look_up(trace, node["quantity"], node["layer"])
            array = np.atleast_2d(array if "sample" not in node else array[node["sample"]])
            return node["factor"] * (array.T if node["transposed"] else array)
        case "int":
            return node["number"]
        case "sum":
            if node["elided"] and not node.get("elided_zero"):
                raise Elided
            return sum(go(each) for each in node["terms"])
        case "prod":
            return math.prod([go(each) for each in node["factors"]], start=1.0)
        case "neg":
            return -go(node["arg"])
        case "hadamard":
            return go(node["left"]) * go(node["right"])
        case "matvec":
            return go(node["left"]) @ go(node["right"])
        case "transpose":
            return go(node["arg"]).T
        case "frac":
            return go(node["top"]) / go(node["bottom"])
        case "pow":
            return go(node["arg"]) ** node["exponent"]
        case "fn":
            name = node["name"]["base"]
            if node.get("prime") == "prime" and f"{name}'" in FUNCTIONS:
                name += "'"
            if name not in FUNCTIONS and len(name) > 1:
                raise Elided  # a cost, named
            return FUNCTIONS.get(name, activation)(np.asarray(go(node["arg"]), float))
    raise Elided  # symbols, and costs that are only named


NUMBER = re.compile(r"(?<![\w.])([−-]?(?:\d+\.\d*(?:e[+−-]\d+)?|\d+e[+−-]\d+|∞|inf\b)|NaN)")


def interval(text):
    """Return value, and half a unit of the last digit shown, of a number as it is shown."""
    text = text.replace("−", "-").replace("∞", "inf")
    value = float(text)
    if not math.isfinite(value):
        return value, 0.0
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return value, 0.5 * 10.0 ** (int(exponent or 0) - decimals)


def within(text, value):
    """Return whether a number as it is shown is the value, within what its digits imply."""
    shown, half = interval(text)
    if not math.isfinite(value):
        return shown == value or (math.isnan(shown) and math.isnan(value))
    return abs(shown - value) <= half * (1 + 1e-9) + 1e-15 * abs(value)
