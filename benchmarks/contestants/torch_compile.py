"""PyTorch under torch.compile: forward, loss, backward; the optimizer too where that is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from workloads import Rows, Workload

from contestants import torch_eager


class Contestant(torch_eager.Contestant):
    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        torch._dynamo.reset()
        super().__init__(work, rows, weights, biases, threads)
        if work.kind == "predict":
            softmax = work.output == "softmax"
            model = nn.Sequential(self.model, nn.Softmax(dim=1)) if softmax else self.model
            self.predictor = torch.compile(model, dynamic=False)

    def variants(self) -> list[str]:
        return ["one by one", "fused", "foreach, compiled"]

    def make_step(self, model: nn.Module, variant: str) -> Callable[[Any, Any], None]:
        base, _, compiled = variant.partition(", ")
        optimizer = torch_eager.make_optimizer(self.work, model, base)
        loss_of_batch = self.loss
        # one graph for each shape: the full batch and the short last one
        forward = torch.compile(lambda x, y: loss_of_batch(model(x), y), dynamic=False)
        update = torch.compile(optimizer.step) if compiled else optimizer.step

        def step(x: torch.Tensor, y: torch.Tensor) -> None:
            optimizer.zero_grad(set_to_none=True)
            forward(x, y).backward()
            update()

        return step

    @torch.inference_mode()
    def predict(self, X: Any) -> Any:
        return self.predictor(torch.from_numpy(X)).numpy()
