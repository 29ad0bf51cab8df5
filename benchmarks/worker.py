"""One contestant in a process of its own: answers one JSON line for each one it is sent."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import workloads

from clearprop import randomness

PEAK_SIZE = 2048


class Worker:
    def __init__(self, name: str, threads: int, folder: Path) -> None:
        self.module = importlib.import_module(f"contestants.{name}")
        self.threads, self.folder = threads, folder
        self.contestant: Any = None
        self.square: Any = None  # of one dtype in a run

    def load(self, workload: dict[str, Any]) -> dict[str, Any]:
        workload["sizes"] = tuple(workload["sizes"])
        self.contestant = self.rows = None  # frees the last one's memory first
        self.work = work = workloads.Workload(**workload)
        self.rows = workloads.load_rows(self.folder, work)
        weights, biases = self.given = workloads.initial_parameters(work)
        began = time.perf_counter()
        self.contestant = self.module.Contestant(work, self.rows, weights, biases, self.threads)
        self.epochs_done, self.warm = 0, False
        return {
            "seconds": time.perf_counter() - began,
            "notes": self.contestant.notes,
            "nearest": self.contestant.nearest,
        }

    def epoch(self) -> dict[str, Any]:
        steps = range(self.epochs_done, self.epochs_done + self.work.passes)
        orders = [slice(None) if self.work.full else self._order(step) for step in steps]
        self.epochs_done = steps.stop
        taken = self._timed(lambda: self.contestant.epochs(orders))
        return {name: value / self.work.passes for name, value in taken.items()}

    def _order(self, step: int) -> Any:
        return randomness.permutation(workloads.ORDER_SEED, self.work.n_samples, step=step)

    def loss(self) -> dict[str, Any]:
        weights, biases = self.contestant.parameters()
        return {"loss": workloads.mean_cost(self.work, weights, biases, self.rows)}

    def accuracy(self) -> dict[str, Any]:
        weights, biases = self.contestant.parameters()
        return {"accuracy": workloads.accuracy(self.work, weights, biases, self.rows)}

    def prediction_error(self) -> dict[str, Any]:
        """Largest difference from the judge's float64 outputs, relative to the largest output."""
        X = self._rows_to_predict()[:1000]
        weights, biases = ([p.astype(np.float64) for p in part] for part in self.given)
        right = workloads.outputs(self.work, weights, biases, X.astype(np.float64))
        error = np.abs(self.contestant.predict(X) - right).max() / np.abs(right).max()
        return {"error": float(error)}

    def predict(self, at_least: float) -> dict[str, Any]:
        X, predict = self._rows_to_predict(), self.contestant.predict
        if not self.warm:  # whoever compiles or loads something after some calls has done it then
            began = time.perf_counter()
            while time.perf_counter() - began < at_least:
                predict(X)
            self.warm = True
        began = time.perf_counter()
        predict(X)
        repeats = max(1, round(at_least / max(time.perf_counter() - began, 1e-7)))

        def run() -> None:
            for _ in range(repeats):
                predict(X)

        taken = self._timed(run)
        return {name: value / repeats for name, value in taken.items()} | {"repeats": repeats}

    def peak(self) -> dict[str, Any]:
        """Seconds of one product of square matrices of the workload's dtype."""
        if self.square is None:
            rng = np.random.default_rng(0)
            self.square = rng.standard_normal((PEAK_SIZE, PEAK_SIZE), self.work.dtype)
            self.product = np.empty_like(self.square)
            np.dot(self.square, self.square, out=self.product)
        return self._timed(lambda: np.dot(self.square, self.square, out=self.product))

    def libraries(self) -> dict[str, Any]:
        """What runs the products here: kernel and threads of each BLAS and OpenMP in this process."""
        import threadpoolctl

        pools = [
            {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
            for pool in threadpoolctl.threadpool_info()
        ]
        return {"pools": pools, "cores": len(os.sched_getaffinity(0))}

    def _rows_to_predict(self) -> Any:
        return self.rows.X[: self.work.rows] if self.work.rows else self.rows.X

    def _timed(self, run: Any) -> dict[str, Any]:
        cpu, began = time.process_time(), time.perf_counter()
        run()
        return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}


def main() -> None:
    name, threads, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    try:
        worker = Worker(name, threads, folder)
        print(json.dumps({"ready": True}), file=answers, flush=True)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            import traceback

            traceback.print_exc()
            said = " ".join(str(error).splitlines()[:1])  # the whole is on standard error
            answer = {"error_message": f"{type(error).__name__}: {said}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
