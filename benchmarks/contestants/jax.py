"""JAX: one lax.scan under jit over the mini-batches of an epoch, parameters donated.

Where a batch is all rows, the scan is over epochs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from workloads import Rows, Workload

HIDDEN = {
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "selu": jax.nn.selu,
    "tanh": jnp.tanh,
    "scaled_tanh": lambda z: 1.7159 * jnp.tanh(2.0 / 3.0 * z),
}
tree_map = jax.tree_util.tree_map


def logits(work: Workload, parameters: Any, x: Any) -> Any:
    for W, b in parameters[:-1]:
        x = HIDDEN[work.hidden](x @ W + b)
    W, b = parameters[-1]
    return x @ W + b


def outputs(work: Workload, parameters: Any, x: Any) -> Any:
    z = logits(work, parameters, x)
    if work.output == "softmax":
        return jax.nn.softmax(z)
    return jax.nn.sigmoid(z) if work.output == "sigmoid" else z


def loss(work: Workload, parameters: Any, x: Any, y: Any) -> Any:
    z = logits(work, parameters, x)
    if work.cost == "cross_entropy":
        value = -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()
    elif work.cost == "squared_error":
        value = jnp.square(z - y).sum(axis=1).mean()
    else:
        value = 0.5 * jnp.square(jax.nn.sigmoid(z) - y).sum(axis=1).mean()
    if work.l2:
        value += 0.5 * work.l2 * sum(jnp.square(W).sum() for W, _ in parameters)
    return value


def step(work: Workload, carry: Any, batch: Any) -> Any:
    parameters, state = carry
    value, gradient = jax.value_and_grad(partial(loss, work))(parameters, *batch)
    if work.optimizer == "sgd":
        return (tree_map(lambda p, g: p - work.rate * g, parameters, gradient), state), value
    t, m, v = state
    t = t + 1
    m = tree_map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
    v = tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
    c1, c2 = 1 - 0.9**t, 1 - 0.999**t
    parameters = tree_map(
        lambda p, m, v: p - work.rate * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), parameters, m, v
    )
    return (parameters, (t, m, v)), value


@partial(jax.jit, static_argnums=0, donate_argnums=(1,))
def train_epoch(work: Workload, carry: Any, X: Any, Y: Any, order: Any) -> Any:
    X, Y = X[order], Y[order]
    full = len(X) // work.batch
    cut = full * work.batch
    batches = tuple(A[:cut].reshape(full, work.batch, *A.shape[1:]) for A in (X, Y))
    carry, values = jax.lax.scan(partial(step, work), carry, batches)
    if cut < len(X):
        carry, _ = step(work, carry, (X[cut:], Y[cut:]))
    return carry, values.mean()


@partial(jax.jit, static_argnums=(0, 4), donate_argnums=(1,))
def train_full(work: Workload, carry: Any, X: Any, Y: Any, n_epochs: int) -> Any:
    return jax.lax.scan(lambda carry, _: step(work, carry, (X, Y)), carry, length=n_epochs)


class Contestant:
    nearest: str | None = None
    notes = ""

    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        jax.config.update("jax_enable_x64", work.dtype == "float64")
        self.work = work
        self.parameters_ = [
            (jnp.array(W.T), jnp.array(b)) for W, b in zip(weights, biases, strict=True)
        ]
        self.X = jnp.array(rows.X)
        self.Y = jnp.array(rows.labels if work.cost == "cross_entropy" else rows.Y)
        state: Any = ()
        if work.optimizer == "adam":
            zeros = [tree_map(jnp.zeros_like, self.parameters_) for _ in range(2)]
            state = (jnp.zeros((), work.dtype), *zeros)
        self.carry = (self.parameters_, state)
        self.forward = jax.jit(partial(outputs, work))

    def epochs(self, orders: Any) -> None:
        if self.work.full:
            self.carry, _ = train_full(self.work, self.carry, self.X, self.Y, len(orders))
        else:
            for order in orders:
                self.carry, _ = train_epoch(self.work, self.carry, self.X, self.Y, jnp.asarray(order))
        jax.block_until_ready(self.carry)

    def parameters(self) -> tuple[Any, Any]:
        pairs = self.carry[0]
        return [np.asarray(W).T for W, _ in pairs], [np.asarray(b) for _, b in pairs]

    def predict(self, X: Any) -> Any:
        return np.asarray(self.forward(self.carry[0], X))
