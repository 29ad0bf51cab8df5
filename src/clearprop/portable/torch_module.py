"""A model as a PyTorch module: numbers in, probabilities or quantities out; gradients flow all the way.

A raw table's columns become numbers first, by the encoder of the model (``net.model.inputs.encoder``):
texts are no tensors. Everything after that is in the module, and its parameters go on learning.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from clearprop.data.scaling import BOUND, Scaling
from clearprop.embeddings import PBLD, Periodic
from clearprop.input_embedding import TURN, Embedding
from clearprop.piecewise_linear import PiecewiseLinear
from clearprop.portable.program import CLASSES, COLUMNS, QUANTITIES, DenseLayer, Member, Program

if TYPE_CHECKING:
    from torch import nn

Tensor = Any


def module_of(program: Program) -> nn.Module:
    """Return a program as a module, which takes numbers of shape (n_samples, n_features).

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise ImportError("a PyTorch module needs PyTorch, which is not installed: pip install torch")
    import torch
    from torch import nn

    class Model(nn.Module):
        """A model of clearprop."""

        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList(nn.ParameterDict(_parameters(m)) for m in program.members)

        def forward(self, X: Tensor) -> Tensor:
            """Return probabilities or quantities; of several columns of labels a list."""
            x = _prepared(program, X.to(getattr(torch, program.dtype)))
            each = [_outputs(program, p, x) for p in self.members]
            a = torch.stack(each).to(torch.float64).mean(dim=0).to(x.dtype)
            return _answered(program, each[0] if len(each) == 1 else a)

    return Model()


def _parameters(member: Member) -> dict[str, Tensor]:
    import torch

    arrays = {f"embedding_{name}": each for name, each in member.embedding.items()}
    if member.scale is not None:
        arrays["scale"] = member.scale
    for number, layer in enumerate(member.layers, 1):
        parts = {"W": layer.weights, "b": layer.biases, "s": layer.shares}
        arrays |= {f"{name}{number}": each for name, each in parts.items() if each is not None}
    return {name: torch.from_numpy(each.copy()) for name, each in arrays.items()}


def _prepared(program: Program, x: Tensor) -> Tensor:
    for step in program.steps:
        if isinstance(step, Scaling):
            shift, factor = (_like(x, each) for each in (step.shift, step.factor))
            x = (x - shift) * factor
        else:
            x = x / (1 + (x / BOUND) ** 2).sqrt()
    return x


def _like(x: Tensor, array: Any) -> Tensor:
    import torch

    return torch.as_tensor(np.asarray(array), dtype=x.dtype, device=x.device)


def _outputs(program: Program, p: Any, x: Tensor) -> Tensor:
    import torch

    a = x if program.embedding is None else _embedded(program.embedding, p, x)
    a = a * p["scale"] if "scale" in p else a
    for number, layer in enumerate(program.members[0].layers, 1):
        z = a @ p[f"W{number}"].T
        z = z + p[f"b{number}"] if f"b{number}" in p else z
        a = _activated(layer, z)
        a = z + p[f"s{number}"] * (a - z) if f"s{number}" in p else a
    if program.answer.kind == COLUMNS:
        parts = torch.split(a, list(program.answer.sizes), dim=1)
        a = torch.cat([part.softmax(dim=1) for part in parts], dim=1)
    return a


def _activated(layer: DenseLayer, z: Tensor) -> Tensor:
    import torch

    if len(layer.functions) == 1:
        return _function(layer.functions[0])(z)
    return torch.stack([_function(f)(z[:, j]) for j, f in enumerate(layer.functions)], dim=1)


def _function(name: str) -> Callable[[Tensor], Tensor]:
    import torch
    from torch.nn import functional

    def softplus(z: Tensor) -> Tensor:  # torch's own is z itself beyond 20
        return torch.logaddexp(z, torch.zeros_like(z))

    found: dict[str, Callable[[Tensor], Tensor]] = {
        "identity": lambda z: z,
        "sigmoid": torch.sigmoid,
        "softplus": softplus,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "softmax": lambda z: z.softmax(dim=1),
        "scaled_tanh": lambda z: 1.7159 * torch.tanh(2 / 3 * z),
        "leaky_relu": lambda z: functional.leaky_relu(z, 0.01),
        "elu": functional.elu,
        "selu": functional.selu,
        "gelu": functional.gelu,
        "silu": functional.silu,
        "mish": lambda z: z * torch.tanh(softplus(z)),
        "exp": torch.exp,
    }
    return found[name]


def _embedded(its: Embedding, p: Any, x: Tensor) -> Tensor:
    """Return what layer 1 sees of x, put side by side and then into order."""
    import torch

    n = its.n_features or 0
    order = np.arange(its.n_outputs)
    order[its.first] = np.arange(n)
    parts = [x]
    if columns := list(its.columns or ()):
        phi = _basis(its, p, x[:, columns, None])
        h = (phi.transpose(0, 1) @ p["embedding_weight"]).transpose(0, 1) + p["embedding_bias"]
        h = torch.relu(h) if isinstance(its, Periodic) else h
        parts.append(h.flatten(1))
        made = np.arange(len(columns) * its.n_mapped).reshape(-1, its.n_mapped)
        order[its.places[:, : its.n_mapped]] = n + made
        if its.appends:
            order[its.places[:, -1]] = columns
        n += made.size
    for group, rows, place in zip(its.categories.groups, its.categories.rows, its.vectors, strict=True):
        parts.append(x[:, list(group)] @ p["embedding_vectors"][rows])
        order[place] = n + np.arange(len(place))
        n += len(place)
    return torch.cat(parts, dim=1)[:, order.tolist()]


def _basis(its: Embedding, p: Any, e: Tensor) -> Tensor:
    import torch

    if isinstance(its, PiecewiseLinear):
        slope, intercept, least, most = (_like(e, each) for each in its.bins)
        inside = torch.minimum(torch.maximum(e * slope + intercept, least), most)
        return torch.cat([e, inside], dim=2)
    phase = TURN * (e * p["embedding_frequency"])
    if isinstance(its, PBLD):
        return torch.cos(phase + p["embedding_phase"])
    return torch.cat([torch.cos(phase), torch.sin(phase)], dim=2)


def _answered(program: Program, a: Tensor) -> Tensor:
    import torch

    answer = program.answer
    if answer.kind == QUANTITIES and answer.low is not None and answer.high is not None:
        low, high = (_like(a.double(), each) for each in (answer.low, answer.high))
        a = torch.minimum(torch.maximum(a.double(), low), high).to(a.dtype)
    if answer.middle:  # of three quantiles
        return a.sort(dim=1).values[:, 1:2]
    if answer.kind == COLUMNS:
        return list(torch.split(a, list(answer.sizes), dim=1))
    if answer.kind != CLASSES:
        return a
    k = len(answer.labels[0])
    if k == 1:
        return torch.ones_like(a)
    p = torch.cat([1 - a, a], dim=1) if answer.n_outputs == 1 else a
    if answer.temperature is None:
        return p
    slope, below, left = answer.taken_back or (1.0, 0.0, 0.0)
    sharpened = slope * (p.double() - below).clamp(min=0.0) + left
    logs = sharpened.clamp(min=float(np.finfo(program.dtype).eps)).log()
    share = answer.smoothing or 0.0
    return ((1 - share) * (logs / answer.temperature).softmax(dim=1) + share / k).to(p.dtype)
