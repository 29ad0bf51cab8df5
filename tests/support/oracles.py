"""Slow, obvious versions, with loops over samples and neurons. Nothing is imported from clearprop."""

import cmath
import math

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf as autograd_erf

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


# --- activations of one number, and their derivatives as printed in textbooks ---------------------


def logistic(z):
    return 1.0 / (1.0 + math.exp(-z)) if z > -700 else math.exp(z)


def normal_density(z):
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def normal_distribution(z):
    return math.erfc(-z / math.sqrt(2)) / 2


def softplus(z):
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def _mish_slope(z):
    t = math.tanh(softplus(z))
    return t + z * (1 - t * t) * logistic(z)


SCALAR = {  # name: (f, f')
    "identity": (lambda z: z, lambda z: 1.0),
    "sigmoid": (logistic, lambda z: logistic(z) * logistic(-z)),
    "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "scaled_tanh": (
        lambda z: 1.7159 * math.tanh(2 * z / 3),
        lambda z: 1.7159 * 2 / 3 * (1 - math.tanh(2 * z / 3) ** 2),
    ),
    "relu": (lambda z: max(z, 0.0), lambda z: 1.0 if z > 0 else 0.0),
    "leaky_relu": (lambda z: z if z > 0 else 0.01 * z, lambda z: 1.0 if z > 0 else 0.01),
    "elu": (lambda z: z if z > 0 else math.expm1(z), lambda z: 1.0 if z > 0 else math.exp(z)),
    "selu": (
        lambda z: SELU_SCALE * (z if z > 0 else SELU_ALPHA * math.expm1(z)),
        lambda z: SELU_SCALE * (1.0 if z > 0 else SELU_ALPHA * math.exp(z)),
    ),
    "gelu": (
        lambda z: z * normal_distribution(z),
        lambda z: normal_distribution(z) + z * normal_density(z),
    ),
    "silu": (
        lambda z: z * logistic(z),
        lambda z: logistic(z) * (1 + z * logistic(-z)),
    ),
    "mish": (lambda z: z * math.tanh(softplus(z)), _mish_slope),
    "softplus": (softplus, logistic),
    "exp": (math.exp, math.exp),
}


# --- the gradient, one sample and one neuron at a time ---------------------------------------------


def _sample_cost_derivative(cost, parameters, a, y):
    """Return dC/da of one sample as a list, by the textbook's formula of each cost."""
    derivatives = {
        "quadratic": lambda a, y: a - y,
        "squared_error": lambda a, y: 2 * (a - y),
        "mean_absolute_error": lambda a, y: math.copysign(1, a - y) if a != y else 0.0,
        "huber": lambda a, y: max(-parameters["delta"], min(parameters["delta"], a - y)),
        "quantile": lambda a, y: 1 - parameters["q"] if a > y else -parameters["q"],
        "poisson": lambda a, y: 1 - y / a,
        "binary_cross_entropy": lambda a, y: -y / a + (1 - y) / (1 - a),
        "cross_entropy (sigmoid)": lambda a, y: -y / a + (1 - y) / (1 - a),
        "cross_entropy (softmax)": lambda a, y: -y / a,
    }
    if cost == "quantiles":
        low, step = 0.5 - parameters["level"] / 2, parameters["level"] / max(len(a) - 1, 1)
        shares = [low + step * j for j in range(len(a))] if len(a) > 1 else [0.5]
        return [(1 - q) if aj > yj else -q for q, aj, yj in zip(shares, a, y, strict=True)]
    return [derivatives[cost](aj, yj) for aj, yj in zip(a, y, strict=True)]


def loop_gradient(weights, biases, activations, cost, X, Y, parameters=None, weight=None):
    """Return (weight gradients, bias gradients), summed over samples: (23), (37), (44), BP3, BP4.

    Parameters
    ----------
    activations : list of list of str
        The name of every neuron's activation; ["softmax"] for a softmax layer.
    cost : str
        The key of a formula above.
    """
    dW = [np.zeros(W.shape) for W in weights]
    db = [None if b is None else np.zeros(b.shape) for b in biases]
    for s in range(len(X)):
        zs, acts = [], [list(X[s])]
        for W, b, names in zip(weights, biases, activations, strict=True):
            z = []
            for j in range(W.shape[0]):
                total = 0.0 if b is None else b[j]
                for k in range(W.shape[1]):
                    total += W[j, k] * acts[-1][k]
                z.append(total)
            zs.append(z)
            if names == ["softmax"]:
                largest = max(z)
                e = [math.exp(v - largest) for v in z]
                acts.append([v / sum(e) for v in e])
            else:
                acts.append([SCALAR[name][0](v) for name, v in zip(names, z, strict=True)])
        error = _sample_cost_derivative(cost, parameters, acts[-1], Y[s])
        for l in reversed(range(len(weights))):  # noqa: E741
            delta = []
            for j in range(weights[l].shape[0]):
                if activations[l] == ["softmax"]:
                    a = acts[l + 1]
                    delta.append(
                        sum(error[k] * a[k] * ((1.0 if k == j else 0.0) - a[j]) for k in range(len(a)))
                    )
                else:
                    delta.append(error[j] * SCALAR[activations[l][j]][1](zs[l][j]))
            w = 1.0 if weight is None else weight[s]
            for j in range(weights[l].shape[0]):
                if db[l] is not None:
                    db[l][j] += w * delta[j]
                for k in range(weights[l].shape[1]):
                    dW[l][j, k] += w * delta[j] * acts[l][k]
            error = [
                sum(weights[l][j, k] * delta[j] for j in range(weights[l].shape[0]))
                for k in range(weights[l].shape[1])
            ]
    return dW, db


# --- the listing of S2, in Python 3 ------------------------------------------------------------------


def sigmoid_vec(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime_vec(z):
    return sigmoid_vec(z) * (1 - sigmoid_vec(z))


class NielsenNetwork:
    """``Network.backprop`` of S2's listing: xrange, nabra_b and np.vectorize put right (X17, X18)."""

    def __init__(self, weights, biases):
        self.weights = list(weights)
        self.biases = [b[:, None] for b in biases]  # columns
        self.num_layers = len(self.weights) + 1

    def backprop(self, x, y):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        # feedforward
        activation = x
        activations = [x]  # list to store all the activations, layer by layer
        zs = []  # list to store all the z vectors, layer by layer
        for b, w in zip(self.biases, self.weights, strict=True):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid_vec(z)
            activations.append(activation)
        # backward pass
        delta = self.cost_derivative(activations[-1], y) * sigmoid_prime_vec(zs[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for l in range(2, self.num_layers):  # noqa: E741
            z = zs[-l]
            spv = sigmoid_prime_vec(z)
            delta = np.dot(self.weights[-l + 1].transpose(), delta) * spv
            nabla_b[-l] = delta
            nabla_w[-l] = np.dot(delta, activations[-l - 1].transpose())
        return (nabla_b, nabla_w)

    def cost_derivative(self, output_activations, y):
        return output_activations - y


# --- the same network for the autograd package -------------------------------------------------------


def _stable_logistic(z):
    return 0.5 * (1 + anp.tanh(z / 2))


def _autograd_softplus(z):
    return anp.logaddexp(0.0, z)


AUTOGRAD = {
    "identity": lambda z: z,
    "sigmoid": _stable_logistic,
    "tanh": anp.tanh,
    "scaled_tanh": lambda z: 1.7159 * anp.tanh(2 * z / 3),
    "relu": lambda z: anp.where(z > 0, z, 0.0),
    "leaky_relu": lambda z: anp.where(z > 0, z, 0.01 * z),
    "elu": lambda z: anp.where(z > 0, z, anp.exp(anp.where(z > 0, 0.0, z)) - 1),
    "selu": lambda z: (
        SELU_SCALE * anp.where(z > 0, z, SELU_ALPHA * (anp.exp(anp.where(z > 0, 0.0, z)) - 1))
    ),
    "gelu": lambda z: 0.5 * z * (1 + autograd_erf(z / math.sqrt(2))),
    "silu": lambda z: z * _stable_logistic(z),
    "mish": lambda z: z * anp.tanh(_autograd_softplus(z)),
    "softplus": _autograd_softplus,
    "exp": anp.exp,
}


def autograd_cost(weights, biases, activations, cost, parameters, X, Y, weight, mean, l2, l1):
    """Return the cost of a network in autograd's NumPy; arguments as in `loop_gradient`."""
    a = X
    for W, b, names in zip(weights, biases, activations, strict=True):
        z = anp.dot(a, anp.transpose(W)) + (0.0 if b is None else b)
        if names == ["softmax"]:
            e = anp.exp(z - anp.max(z, axis=1, keepdims=True))
            a = e / anp.sum(e, axis=1, keepdims=True)
        elif len(set(names)) == 1:
            a = AUTOGRAD[names[0]](z)
        else:
            a = anp.stack([AUTOGRAD[name](z[:, j]) for j, name in enumerate(names)], axis=1)
    r = a - Y
    shares = 0.5 + (parameters or {}).get("level", 0.0) * np.linspace(-0.5, 0.5, r.shape[1])
    per_output = {
        "quadratic": lambda: 0.5 * r**2,
        "squared_error": lambda: r**2,
        "mean_absolute_error": lambda: anp.abs(r),
        "huber": lambda: anp.where(
            anp.abs(r) <= parameters["delta"],
            0.5 * r**2,
            parameters["delta"] * (anp.abs(r) - 0.5 * parameters["delta"]),
        ),
        "quantile": lambda: anp.where(r > 0, (1 - parameters["q"]) * r, -parameters["q"] * r),
        "quantiles": lambda: anp.where(r > 0, (1 - shares) * r, -shares * r),
        "poisson": lambda: a - Y * anp.log(a),
        "binary_cross_entropy": lambda: -Y * anp.log(a) - (1 - Y) * anp.log(1 - a),
        "cross_entropy (sigmoid)": lambda: -Y * anp.log(a) - (1 - Y) * anp.log(1 - a),
        "cross_entropy (softmax)": lambda: -Y * anp.log(a),
    }[cost]()
    samples = anp.sum(per_output, axis=1)
    if weight is not None:
        samples = samples * weight
    total = anp.mean(samples) if mean else anp.sum(samples)
    for W in weights:
        total = total + 0.5 * l2 * anp.sum(W**2) + l1 * anp.sum(anp.abs(W))
    return total


def autograd_gradient(weights, biases, activations, cost, parameters, X, Y, weight, mean, l2, l1):
    """Return the gradient as one flat vector: weights, then biases, layer by layer."""

    def of(both):
        return autograd_cost(*both, activations, cost, parameters, X, Y, weight, mean, l2, l1)

    held = [None if b is None else np.array(b) for b in biases]
    dW, db = autograd.grad(
        lambda both: of((both[0], [None if b is None else both[1][i] for i, b in enumerate(held)]))
    )(([np.array(W) for W in weights], [np.zeros(1) if b is None else b for b in held]))
    parts = []
    for i in range(len(weights)):
        parts += [dW[i].ravel()] + ([] if held[i] is None else [db[i].ravel()])
    return np.concatenate(parts)


# --- derivatives of any function of a flat vector ----------------------------------------------------


def central_differences(function, x, h=1e-5):
    """Return the gradient of a function of a vector, with an error of order h^2."""
    gradient = np.empty(x.size)
    for i in range(x.size):
        above, below = x.copy(), x.copy()
        above[i] += h
        below[i] -= h
        gradient[i] = (function(above) - function(below)) / (above[i] - below[i])
    return gradient


def forward_differences(function, x, h=1e-6):
    """Return the gradient as in (46) of S2: N + 1 passes, and an error of order h."""
    base, gradient = function(x), np.empty(x.size)
    for i in range(x.size):
        above = x.copy()
        above[i] += h
        gradient[i] = (function(above) - base) / (above[i] - x[i])
    return gradient


def complex_step_gradient(function, x, h=1e-30):
    """Return the gradient of an analytic function of a vector, to rounding (Squire and Trapp 1998)."""
    gradient = np.empty(x.size)
    for i in range(x.size):
        aside = x.astype(complex)
        aside[i] += 1j * h
        gradient[i] = np.imag(function(aside)) / h
    return gradient


def complex_step(function, z, h=1e-30):
    """Return the derivative of an analytic function of one number."""
    return (function(z + 1j * h)).imag / h


def complex_logistic(z):
    return 1 / (1 + cmath.exp(-z))


# --- the recurrences of the papers, one parameter at a time -----------------------------------------


def sgd(p, gradients, rate, momentum=0.0, nesterov=False):
    """Polyak (1964), Sutskever et al. (2013), in PyTorch's form: yields p after each step."""
    v = 0.0
    for g in gradients:
        v = momentum * v + g
        p = p - rate * ((g + momentum * v) if nesterov else v)
        yield p


def rmsprop(p, gradients, rate, rho=0.9, epsilon=1e-8):
    """Hinton (2012), lecture 6e; epsilon outside the root."""
    s = 0.0
    for g in gradients:
        s = rho * s + (1 - rho) * g**2
        p = p - rate * g / (math.sqrt(s) + epsilon)
        yield p


def adam(p, gradients, rate, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0):
    """Kingma and Ba (2015), algorithm 1; with decay, Loshchilov and Hutter (2019), algorithm 2."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        p = p - rate * weight_decay * p - rate * m_hat / (math.sqrt(v_hat) + epsilon)
        yield p


def schedule_free_adamw(
    p, gradients, rate, weight_decay, warmup_steps, beta1=0.9, beta2=0.999, epsilon=1e-8
):
    """Defazio et al. (2024), algorithm 1, with z and x; yields y, where the next gradient is taken."""
    x = z = y = p
    v = weights = 0.0
    for t, g in enumerate(gradients, start=1):
        rate_t = rate * min(1.0, t / warmup_steps)
        v = beta2 * v + (1 - beta2) * g**2
        z = z - rate_t * (g / (math.sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * y)
        weights += rate_t**2
        c = rate_t**2 / weights if weights else 1.0
        x = (1 - c) * x + c * z
        y = (1 - beta1) * z + beta1 * x
        yield y, x


# --- Philox 4x32-10 in Python's integers -------------------------------------------------------------


def philox4x32(counter, key):
    """Salmon et al. (2011), section 4.2: four words and two words in, four words out."""
    c, k = list(counter), list(key)
    for _ in range(10):
        product0, product1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (product1 >> 32) ^ c[1] ^ k[0],
            product1 & 0xFFFFFFFF,
            (product0 >> 32) ^ c[3] ^ k[1],
            product0 & 0xFFFFFFFF,
        ]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c
