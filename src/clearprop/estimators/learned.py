"""What is learned before there is a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clearprop.input_embedding import Embedding
from clearprop.model.inputs import Step
from clearprop.model.targets import Targets

if TYPE_CHECKING:
    from clearprop.data.table import TableEncoder


class Learned(NamedTuple):
    """What a model is made for: its two ends, as the rows to train on have them."""

    steps: tuple[Step, ...]
    encoder: TableEncoder | None
    targets: Targets
    n_features: int
    n_outputs: int
    embedding: Embedding | None = None
