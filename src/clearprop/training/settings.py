"""The arguments of a training, each checked against its rule when they are given."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearprop import metrics as known_metrics
from clearprop import optimizers, randomness
from clearprop.distributed import SHARDS, STALL_TIMEOUT
from clearprop.engines import known_engine, refuse_a_clock
