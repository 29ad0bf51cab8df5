"""Warnings that point to the user's own line."""

from __future__ import annotations

import sys
import warnings

_INSIDE = ("clearprop", "sklearn", "joblib")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called clearprop, by whatever door, also of scikit-learn and joblib."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
