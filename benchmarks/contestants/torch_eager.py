"""PyTorch, eager: nn.Sequential, slices of one shuffled tensor, the fastest optimizer variant."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from workloads import Rows, Workload


class ScaledTanh(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return 1.7159 * torch.tanh(2.0 / 3.0 * z)


HIDDEN = {
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "scaled_tanh": ScaledTanh,
}
VARIANTS: dict[str, dict[str, bool]] = {
    "one by one": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def build(work: Workload, weights: Any, biases: Any) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
        linear = nn.Linear(W.shape[1], W.shape[0])
        with torch.no_grad():
            linear.to(getattr(torch, work.dtype)).weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b))
        layers.append(linear)
        if i < len(weights) - 1:
            layers.append(HIDDEN[work.hidden]())
    if work.output == "sigmoid":
        layers.append(nn.Sigmoid())
    # softmax is in the loss, as PyTorch has it
    return nn.Sequential(*layers).to(getattr(torch, work.dtype))


def loss_of(work: Workload) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    if work.cost == "cross_entropy":
        return nn.functional.cross_entropy
    if work.cost == "squared_error":
        # its mean is one over elements; everyone's here over samples
        return lambda a, y: nn.functional.mse_loss(a, y) * a.shape[1]
    return lambda a, y: 0.5 * (a - y).square().sum(dim=1).mean()


def make_optimizer(work: Workload, model: nn.Module, variant: str) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.ndim == 2]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups: Any = list(model.parameters())
    if work.l2:
        groups = [{"params": weights, "weight_decay": work.l2}, {"params": biases}]
    kind = torch.optim.SGD if work.optimizer == "sgd" else torch.optim.Adam
    return kind(groups, lr=work.rate, **VARIANTS[variant])


class Contestant:
    nearest: str | None = None

    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        torch.set_num_threads(threads)
        self.work = work
        self.model = build(work, weights, biases)
        self.loss = loss_of(work)
        self.X = torch.from_numpy(rows.X)
        self.Y = torch.from_numpy(rows.labels if work.cost == "cross_entropy" else rows.Y)
        self.notes = ""
        self.predictor: Any = self.model
        if work.kind != "predict":
            self.step = self.fastest_step()

    def make_step(self, model: nn.Module, variant: str) -> Callable[[Any, Any], None]:
        optimizer, loss_of_batch = make_optimizer(self.work, model, variant), self.loss

        def step(x: torch.Tensor, y: torch.Tensor) -> None:
            optimizer.zero_grad(set_to_none=True)
            loss_of_batch(model(x), y).backward()
            optimizer.step()

        return step

    def variants(self) -> list[str]:
        return list(VARIANTS)

    def fastest_step(self) -> Callable[[Any, Any], None]:
        """Try each variant on a copy of the model, and take the fastest for the model itself."""
        x, y = self.X[: self.work.batch], self.Y[: self.work.batch]
        seconds = {}
        for variant in self.variants():
            step = self.make_step(copy.deepcopy(self.model), variant)
            for _ in range(3):
                step(x, y)
            taken = []
            end = time.perf_counter() + 0.3
            while len(taken) < 3 or time.perf_counter() < end:
                began = time.perf_counter()
                step(x, y)
                taken.append(time.perf_counter() - began)
            seconds[variant] = sorted(taken)[len(taken) // 2]
        best = min(seconds, key=seconds.__getitem__)
        self.notes = f"{self.work.optimizer} {best}"
        return self.make_step(self.model, best)

    def epochs(self, orders: Any) -> None:
        step = self.step
        for order in orders:
            X, Y = self.X[order], self.Y[order]
            for x, y in zip(X.split(self.work.batch), Y.split(self.work.batch), strict=True):
                step(x, y)

    def parameters(self) -> tuple[Any, Any]:
        linear = [layer for layer in self.model if isinstance(layer, nn.Linear)]
        weights = [layer.weight.detach().numpy() for layer in linear]
        return weights, [layer.bias.detach().numpy() for layer in linear]

    @torch.inference_mode()
    def predict(self, X: Any) -> Any:
        a = self.predictor(torch.from_numpy(X))
        return (torch.softmax(a, dim=1) if self.work.output == "softmax" else a).numpy()
