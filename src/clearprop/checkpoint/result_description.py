"""What a file may say of how good its model was on rows that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint.errors import CheckpointError
from clearprop.checkpoint.rules import (
    entries,
    integer,
    items,
    number,
    one_of,
    positive,
    real,
    record,
    share,
    text,
)

RESIDUALS = "targets.residuals"
_PART = ("test", "validation", "training", "out-of-fold")
TEMPERATURE = number(1e-3, 1e3, "a number from 0.001 to 1000")
_SMOOTHING = {
    "label_smoothing": number(0.0, float(np.nextafter(1.0, 0.0)), "a number of at least 0 and below 1")
}
CALIBRATION = record({"temperature": TEMPERATURE, "smoothing": share}, _SMOOTHING)
_RELIABILITY = record(dict.fromkeys(("ece", "ece_by_chance", "brier", "log_loss"), positive))
_RESULT = record(
    {"part": one_of(*_PART), "n_samples": integer(1), "cost": real},
    {
        "accuracy": share,
        "mae": positive,
        "rmse": positive,
        "r2": number(high=1.0, what="a number of at most 1"),
        **dict.fromkeys(("n_validation", "folds"), integer(1)),
        "within_90": positive,
        "threshold": record(
            {
                "value": share,
                "by": text,
                **dict.fromkeys(("score", "at_half"), real),
                "interval": items(real, 2),
            }
        ),
        "intervals": entries(items(real, 2)),
        "calibration": record(
            {
                "temperature": TEMPERATURE,
                "smoothing": share,
                "before": _RELIABILITY,
                "after": _RELIABILITY,
            },
            _SMOOTHING,
        ),
    },
)


def check_residuals(errors: NDArray[Any], n_outputs: int, least: float = 0.0) -> None:
    """Refuse what are not the sorted errors of a regressor's outputs, absolute where 0 is the least."""
    fits = errors.dtype == np.float64 and errors.shape[1:] == (n_outputs,) and len(errors) > 0
    if not (fits and np.isfinite(errors).all() and (errors[0] >= least).all() and is_sorted(errors)):
        raise CheckpointError(
            f"tensor {RESIDUALS} must be sorted float64 of at least {least:g}, of shape "
            f"(rows, {n_outputs}), got {errors.dtype} of shape {errors.shape}"
        )


def is_sorted(errors: NDArray[Any]) -> bool:
    """Return whether no column falls."""
    return bool((errors[1:] >= errors[:-1]).all())


def result(value: Any, where: str) -> None:
    """Require what was measured after a training: an accuracy, or errors of quantities."""
    _RESULT(value, where)
    measured: Mapping[str, Any] = value
    if "accuracy" not in measured and not {"mae", "rmse", "r2"} <= measured.keys():
        raise CheckpointError(f"{where} must hold an accuracy, or mae, rmse and r2")
