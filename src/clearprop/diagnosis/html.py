"""Findings as a page: what is wrong first, each with how it is known, in numbers and as a picture.

A reader sees, from top to bottom: how many findings there are and where in the network, a table of them,
and a card for each one. Every picture has its numbers beside it as text.
"""

# ruff: noqa: E501 - markup is read by its nesting

from __future__ import annotations

import importlib.resources
import math
from typing import TYPE_CHECKING

from clearprop.diagnosis.rules.words import named, number, percent, symbols
from clearprop.page import Markup, document, joined, table, tag

if TYPE_CHECKING:
    from clearprop.diagnosis.finding import Finding, Findings

MARKS = {"error": "✗", "warning": "!", "info": "i"}
_NOUNS = {"error": "error", "warning": "warning", "info": "note"}
_FACTORS = {
    "activation": "activation a",
    "slope": "slope f'(z)",
    "error": "error dC/da",
}
_SHOWN = 12  # positions listed in a sentence


def as_page(findings: Findings) -> str:
    """Return a whole document: one file, no network, no script."""
    title = f"Diagnosis: {findings.subject}" if findings.subject else "Diagnosis"
    return document(title, body(findings), style=style(), description=_counted(findings))


def as_fragment(findings: Findings) -> str:
    """Return what a notebook shows: the cards, with the page's style kept to themselves."""
    shared = importlib.resources.files("clearprop.page").joinpath("page.css").read_text("utf-8")
    # Only the colours and the cards of the page: a notebook has its own body and headings.
    colours = shared[shared.index(":root") : shared.index("* {")].replace(":root", ".diagnosis")
    kept = [
        rule
        for rule in _rules(shared)
        if rule.startswith((".card", ".scroll", "table", "caption", "th", "td"))
    ]
    scoped = "\n".join(_within(rule, ".diagnosis") for rule in kept)
    return f"<style>{colours}{scoped}{style()}</style>{body(findings, heading='h3')}"


def _within(rule: str, scope: str) -> str:
    """Return a rule of CSS that holds only inside an element."""
    selectors, rest = rule.split("{", 1)
    return ", ".join(f"{scope} {each.strip()}" for each in selectors.split(",")) + " {" + rest


def _rules(css: str) -> list[str]:
    """Return each rule outside of @media on one line."""
    flat, depth, found = "", 0, []
    for character in css:
        depth += (character == "{") - (character == "}")
        flat += " " if character == "\n" else character
        if character == "}" and depth == 0:
            rule = flat.strip()
            if not rule.startswith(("@", "/*")):
                found.append(rule)
            flat = ""
    return found


def style() -> str:
    """Return the style of what is particular to a diagnosis."""
    return importlib.resources.files("clearprop.diagnosis").joinpath("diagnosis.css").read_text("utf-8")


def body(findings: Findings, heading: str = "h1") -> Markup:
    """Return the content of the page."""
    parts = [tag(heading, "Why does this network learn slowly?")]
    about = [findings.subject] if findings.subject else []
    about += [f"{findings.n:,} examples were looked at"] if findings.n else []
    parts.append(tag("p", "; ".join(about), class_="quiet"))
    if not findings:
        parts.append(tag("p", "Nothing is wrong that these rules know.", class_="calm"))
    else:
        parts.append(tag("p", _counted(findings)))
    if findings.sizes:
        parts.append(_where(findings))
    if findings:
        parts.append(_overview(findings))
    parts += [_card(each, place) for place, each in enumerate(findings, start=1)]
    around = "main" if heading == "h1" else "div"  # a notebook has a main part of its own
    return tag(around, joined(parts, "\n"), class_="diagnosis")


def _counted(findings: Findings) -> str:
    counts = [
        named(sum(each.severity == severity for each in findings), noun)
        for severity, noun in _NOUNS.items()
        if any(each.severity == severity for each in findings)
    ]
    return ", ".join(counts) + "." if counts else "Nothing is wrong that these rules know."


def _place(finding: Finding) -> str:
    if finding.layer is None:
        return "the training"
    return "the inputs" if finding.layer == 0 else f"layer {finding.layer}"


def _overview(findings: Findings) -> Markup:
    rows = [
        (
            tag("a", f"{each.id} {each.name}", href=f"#finding-{place}"),
            f"{MARKS[each.severity]} {each.severity}",
            _place(each),
            number(each.value),
            number(each.threshold),
            percent(each.explains) if each.explains >= 0.005 else "–",
        )
        for place, each in enumerate(findings, start=1)
    ]
    columns = ("finding", "severity", "where", "value", "limit", "share of the gradient")
    return tag("section", table("All findings", columns, rows), class_="card")


def _where(findings: Findings) -> Markup:
    """Draw the layers as boxes, each marked with the worst of its findings."""
    sizes = findings.sizes
    shown = list(range(len(sizes)))
    if len(sizes) > 9:  # the first ones and the last ones
        shown = [*range(5), *range(len(sizes) - 3, len(sizes))]
    parts = []
    for place, layer in enumerate(shown):
        if place:
            x, gap = 8 + _STEP * place, " dashed" if shown[place - 1] != layer - 1 else ""
            middle = _TOP + _TALLEST / 2
            parts.append(tag("line", x1=x - 28, x2=x, y1=middle, y2=middle, class_=f"wire{gap}"))
        # the most severe is first
        worst = next((each.severity for each in findings if each.layer == layer), "")
        parts += _box(place, layer, sizes[layer], max(sizes), worst)
    said = (
        "; ".join(f"{_place(each)}: {each.name} ({each.severity})" for each in findings)
        or "no findings"
    )
    width, height = _STEP * len(shown) + 8, _TOP + _TALLEST + 26
    how = {"viewBox": f"0 0 {width} {height}", "width": width, "role": "img"}
    drawing = tag("svg", *parts, **how, aria_label=f"Where: {said}")
    caption = tag("figcaption", "Where it is: the layers with their numbers of units")
    return tag("figure", caption, tag("div", drawing, class_="scroll"))


_STEP, _TOP, _TALLEST = 86, 30, 96  # of the drawing of layers, in pixels


def _box(place: int, layer: int, size: int, largest: int, worst: str) -> list[Markup]:
    """Draw a layer; `worst` is the severity of its worst finding, if it has one."""
    tall = 26 + (_TALLEST - 26) * math.log(size + 1) / math.log(largest + 1)
    x, y = 8 + _STEP * place, _TOP + (_TALLEST - tall) / 2
    box = {"x": x, "y": f"{y:.1f}", "width": 58, "height": f"{tall:.1f}", "rx": 5}
    parts = [tag("rect", **box, class_=f"box {worst}".strip())]
    if worst:
        parts.append(tag("text", MARKS[worst], x=x + 29, y=_TOP + _TALLEST / 2 + 6,
                         text_anchor="middle", class_=f"mark {worst}"))  # fmt: skip
    name = "inputs" if layer == 0 else f"layer {layer}"
    below = _TOP + _TALLEST + 18
    parts.append(tag("text", name, x=x + 29, y=16, text_anchor="middle"))
    parts.append(tag("text", f"{size:,}", x=x + 29, y=below, text_anchor="middle", class_="quiet"))
    return parts


def _card(finding: Finding, place: int) -> Markup:
    severity = tag(
        "div", f"{MARKS[finding.severity]} {finding.severity}, {_place(finding)}", class_="severity"
    )
    parts = [severity, tag("h2", f"{finding.id} {finding.name}")]
    parts.append(tag("p", finding.what, class_="what"))
    parts.append(tag("p", finding.how))
    parts.append(tag("p", tag("b", "Try: "), finding.remedy, class_="try"))
    if finding.equation:
        parts.append(tag("p", symbols(finding.equation), class_="equation"))
    facts = [_numbers(finding, place)]
    if shares := _shares(finding):
        facts.append(shares)
    parts.append(tag("div", *facts, class_="facts"))
    return tag(
        "section", joined(parts, "\n"), class_=f"card finding {finding.severity}", id=f"finding-{place}"
    )


def _numbers(finding: Finding, place: int) -> Markup:
    rows: list[tuple[object, object]] = [
        ("value", number(finding.value)),
        ("limit", number(finding.threshold)),
        ("measured on", f"{finding.n:,}"),
    ]
    if finding.units:
        rows.append(("units, from 0", _listed(finding.units)))
    if finding.evidence:
        rows.append(("rows that show it", _listed(finding.evidence)))
    if finding.since is not None:
        rows.append(("since epoch", str(finding.since)))
    if finding.source:
        rows.append(("source", finding.source))
    return table("In numbers", ("what", "here"), rows, region=f"Finding {place} in numbers")


def _listed(positions: tuple[int, ...]) -> str:
    more = len(positions) - _SHOWN
    return ", ".join(map(str, positions[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _shares(finding: Finding) -> Markup | None:
    """Draw the factors of the gradient, on a logarithmic scale, and the share that is explained."""
    bars = [
        (_FACTORS[name], value, _logarithmic(value))
        for name, value in finding.factors.items()
        if name in _FACTORS and math.isfinite(value)
    ]
    if finding.explains >= 0.005:
        bars.append(("share of the gradient", finding.explains, finding.explains))
    if not bars:
        return None
    parts, row, left, long = [], 26, 142, 150
    for place, (name, value, share) in enumerate(bars):
        y = row * place
        parts.append(tag("text", name, x=0, y=y + 16))
        parts.append(tag("rect", x=left, y=y + 5, width=long, height=14, class_="rail"))
        parts.append(tag("rect", x=left, y=y + 5, width=f"{long * share:.1f}", height=14, class_="bar"))
        parts.append(tag("text", number(value), x=left + long + 6, y=y + 16))
    said = ", ".join(f"{name} {number(value)}" for name, value, _ in bars)
    drawing = tag(
        "svg", *parts, viewBox=f"0 0 350 {row * len(bars)}", width=350, role="img", aria_label=said
    )
    caption = "The factors, beside what is usual (1; logarithmic from 0.0001)"
    if not any(name in _FACTORS for name in finding.factors):
        caption = "How much of the samples' gradients it explains"
    return tag("figure", tag("figcaption", caption), drawing)


def _logarithmic(value: float) -> float:
    return min(max(1 + math.log10(max(value, 1e-12)) / 4, 0.0), 1.0)
