"""Reasons: why a model answers a row as it does, by column of its table."""

from clearprop.reasons.result import Reason, Reasons

__all__ = ["Reason", "Reasons"]
