"""Right gradients in mixed precisions, by NumPy that shares nothing with the package."""

import json

import numpy as np

import clearprop as cp

SLOPES = {  # f, f' of z, f' of a
    "sigmoid": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2,
        lambda a: a * (1 - a),
    ),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2, lambda a: 1 - a * a),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * z.dtype.type(1), lambda a: (a > 0) * a.dtype.type(1)),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, z * z.dtype.type(0.01)),
        lambda z: np.where(z > 0, z.dtype.type(1), z.dtype.type(0.01)),
        lambda a: np.where(a > 0, a.dtype.type(1), a.dtype.type(0.01)),
    ),
    "softplus": (
        lambda z: np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0),
        lambda z: 1 / (1 + np.exp(-z)),
        lambda a: -np.expm1(-a),
    ),
    "identity": (lambda z: z, np.ones_like, np.ones_like),
}  # fmt: skip
OUTPUTS = [
    ("identity", "quadratic"),
    ("sigmoid", "quadratic"),
    ("tanh", "squared_error"),
    ("sigmoid", "cross_entropy"),
    ("softmax", "cross_entropy"),
    ("softmax", "quadratic"),
    ("identity", "mean_absolute_error"),
    ("identity", "huber"),
]


def draw(seed):
    """Return a network, X, Y and a random generator."""
    rng = np.random.default_rng([20, seed])
    output, cost = OUTPUTS[rng.integers(len(OUTPUTS))]
    sizes = [int(n) for n in rng.integers(1, 8, rng.integers(2, 5))]
    sizes[-1] = max(sizes[-1], 2) if output == "softmax" else sizes[-1]
    activation = rng.choice([name for name in SLOPES if name != "identity"])
    dtype = str(rng.choice(["float32", "float64"]))
    net = cp.Network(sizes, activation, output, cost, dtype=dtype, seed=0)
    net.parameters[:] = rng.normal(scale=rng.uniform(0.3, 1.2), size=net.n_parameters)
    n = int(rng.integers(1, 20))
    X = rng.normal(size=(n, sizes[0])) * rng.choice([1.0, 2.0]) + rng.choice([0.0, 1.0])
    Y = rng.uniform(0.1, 0.9, (n, sizes[-1]))
    if output == "softmax":
        Y = np.eye(sizes[-1])[rng.integers(sizes[-1], size=n)]
    return net, X, Y, rng


def by_hand(net, X, Y, rng):
    """Return [(W, b), ...], forwards, backwards and sums in float32 or float64; if any was short."""
    kinds = [["float32"], ["float64"], ["float32", "float64"]][rng.integers(3)]
    held, there, back, total = rng.choice(kinds, 4)
    from_a, loop, early = rng.random(3) < 0.5
    names = [layer.function.name for layer in net.architecture.layers]
    cost = net.architecture.cost.name
    weights = [W.astype(held) for W in net.weights]
    biases = [b.astype(held) for b in net.biases]
    n = len(X)
    sums = [
        (np.zeros(W.shape, total), np.zeros(b.shape, total))
        for W, b in zip(weights, biases, strict=True)
    ]
    rows = np.split(np.arange(n), n) if loop else [np.arange(n)]
    for some in rows:
        a, zs = [X[some].astype(there)], []
        for W, b, name in zip(weights, biases, names, strict=True):
            z = (a[-1] @ W.T + b).astype(there)
            zs.append(z)
            if name == "softmax":
                e = np.exp(z - z.max(axis=1, keepdims=True))
                a.append(e / e.sum(axis=1, keepdims=True))
            else:
                a.append(SLOPES[name][0](z).astype(there))
        a, zs = [each.astype(back) for each in a], [each.astype(back) for each in zs]
        y, out = Y[some].astype(back), a[-1]
        error = {
            "quadratic": out - y,
            "cross_entropy": out - y,
            "squared_error": 2 * (out - y),
            "mean_absolute_error": np.sign(out - y),
            "huber": np.clip(out - y, -1, 1),
        }[cost]

        def slope(layer, zs=zs, a=a):
            _, of_z, of_a = SLOPES[names[layer]]
            return of_a(a[layer + 1]) if from_a else of_z(zs[layer])

        if cost == "cross_entropy":
            delta = error
        elif names[-1] == "softmax":
            delta = out * (error - (out * error).sum(axis=1, keepdims=True))
        else:
            delta = error * slope(len(names) - 1)
        if early:
            delta = delta / n
        for layer in range(len(names) - 1, -1, -1):
            W, b = sums[layer]
            W += delta.T @ a[layer]
            b += delta.sum(axis=0)
            if layer:
                delta = (delta @ weights[layer].astype(back)) * slope(layer - 1)
    short = "float32" in (held, there, back, total)
    return [(W, b) if early else (W / n, b / n) for W, b in sums], short


def flat(pairs):
    return np.concatenate([each.ravel() for pair in pairs for each in pair])


def handed(net, pairs, rng):
    """Return the gradient in one of the forms in which people hand it over; whether it rounds it."""
    g = flat(pairs)
    names = [block.name for block in net.blocks]
    blocks = dict(zip(names, (each for pair in pairs for each in pair), strict=True))
    forms = [
        (lambda: g, False),
        (lambda: g.tolist(), False),
        (lambda: pairs, False),
        (lambda: json.loads(json.dumps({name: each.tolist() for name, each in blocks.items()})), False),
        (lambda: [float(str(v)) for v in g], False),
        (lambda: [float(f"{v:.14e}") for v in g], False),
        (lambda: g.astype(np.float32), True),
        (lambda: g.astype(np.float32).astype(np.float64), True),
        (lambda: [float(f"{v:.9g}") for v in g], True),
        (lambda: [float(f"{v:.7e}") for v in g], True),
    ]
    made, rounds = forms[rng.integers(len(forms))]
    return made(), rounds


def mutated(pairs, threshold, rng):
    """Return the gradient with one thing wrong, by 10 to 1,000 thresholds of a block's largest."""
    pairs = [(W.astype(np.float64), b.astype(np.float64)) for W, b in pairs]
    blocks = [each for pair in pairs for each in pair if each.any()]
    block = blocks[rng.integers(len(blocks))]
    by = threshold * 10 ** rng.uniform(1, 3)
    largest = np.abs(block).max()
    match rng.integers(4):
        case 0 | 1:
            at = tuple(rng.integers(n) for n in block.shape)
            block[at] += rng.choice([-1, 1]) * by * largest
        case 2:
            block *= 1 + by
        case 3:
            for each in blocks:
                each *= 1 - by
    return pairs
