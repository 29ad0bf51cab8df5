"""clearprop, through its public interface."""

from __future__ import annotations

from typing import Any

from workloads import ORDER_SEED, Rows, Workload

import clearprop as cp


class Contestant:
    engine = "auto"
    nearest: str | None = None

    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        self.net = cp.Network(
            list(work.sizes),
            activation=work.hidden,
            output=work.output,
            cost=work.cost,
            dtype=work.dtype,
            seed=0,
        )
        for mine, given in zip(self.net.weights, weights, strict=True):
            mine[:] = given
        for mine, given in zip(self.net.biases, biases, strict=True):
            mine[:] = given
        self.notes = ""
        if work.kind != "predict":
            optimizer = cp.SGD(work.rate) if work.optimizer == "sgd" else cp.Adam(work.rate)
            self.training = cp.Training(
                self.net,
                rows.X,
                rows.labels if work.output == "softmax" else rows.Y,
                batch_size=min(work.batch, len(rows.X)),
                optimizer=optimizer,
                l2=work.l2,
                engine=self.engine,
                n_threads=threads,
                seed=ORDER_SEED,
                shuffle=not work.full,
                progress=False,
            )
            self.notes = f"engine {self.training.engine.name}"

    def epochs(self, orders: Any) -> None:
        self.training.run(len(orders))  # draws the same orders itself, from ORDER_SEED and the epoch

    def parameters(self) -> tuple[Any, Any]:
        return self.net.weights, self.net.biases

    def predict(self, X: Any) -> Any:
        return self.net.predict(X)
