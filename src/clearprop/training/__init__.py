"""Training: epochs of mini-batches, what is recorded of them, and when they end."""

from clearprop.training.divergence import DivergenceError
from clearprop.training.history import History
from clearprop.training.loop import Loop
from clearprop.training.stopping import EarlyStopping

__all__ = ["DivergenceError", "EarlyStopping", "History", "Loop"]
