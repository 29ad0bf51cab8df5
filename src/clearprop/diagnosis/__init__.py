"""Why a network learns slowly: quantities of one pass, rules D1 to D21, findings in words.

``quantities`` are pure functions of a pass, ``measurements`` gathers them with those of a step and a
run, ``rules`` turns numbers into findings, ``text`` and ``html`` show them. ``attribution`` splits the
speed of each weight into activation, slope and error.
"""

from __future__ import annotations

from clearprop.diagnosis.attribution import Attribution, attribute
from clearprop.diagnosis.diagnose import diagnose
from clearprop.diagnosis.finding import Finding, Findings
from clearprop.diagnosis.thresholds import Thresholds
from clearprop.diagnosis.watching import DiagnosisCallback, DiagnosisWarning

__all__ = [
    "Attribution",
    "DiagnosisCallback",
    "DiagnosisWarning",
    "Finding",
    "Findings",
    "Thresholds",
    "attribute",
    "diagnose",
]
