"""A contestant that learns 2 % too fast: the equal-loss check must refuse it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workloads import Rows, Workload

from contestants import numpy


class Contestant(numpy.Contestant):
    def __init__(self, work: Workload, rows: Rows, weights: Any, biases: Any, threads: int) -> None:
        super().__init__(replace(work, rate=1.02 * work.rate), rows, weights, biases, threads)
