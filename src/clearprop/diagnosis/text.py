"""Findings as text for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from clearprop.diagnosis.rules.words import symbols

if TYPE_CHECKING:
    from clearprop.diagnosis.finding import Finding, Findings

WIDTH = 92
_MARKS = {"error": "✗", "warning": "!", "info": "i"}
_ASCII = {"error": "x", "warning": "!", "info": "i"}


def as_text(findings: Findings, ascii: bool = False) -> str:
    """Return a paragraph for each finding, ended by a newline."""
    about = f"{findings.subject}, {findings.n:,} examples" if findings.subject else ""
    if not findings:
        return "\n".join(filter(None, [about, "Nothing is wrong that these rules know."])) + "\n"
    parts = [about] if about else []
    parts += [_one(each, ascii) for each in findings]
    return "\n\n".join(parts) + "\n"


def _one(finding: Finding, ascii: bool) -> str:
    mark = (_ASCII if ascii else _MARKS)[finding.severity]
    head = f"{mark} {finding.id} {finding.name} ({finding.severity})"
    if finding.explains >= 0.005:
        head += f": explains {100 * min(finding.explains, 0.99999):.3g} % of the gradient"
    lines = [head]
    for text in (finding.what, finding.how, finding.remedy):
        lines += textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
    facts = [finding.equation if ascii else symbols(finding.equation)] if finding.equation else []
    if finding.evidence:
        facts.append(f"see rows {', '.join(map(str, finding.evidence))}")
    if finding.since is not None:
        facts.append(f"since epoch {finding.since}")
    lines += [f"    {fact}" for fact in facts]
    return "\n".join(lines)
