"""What was measured, as Markdown tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import contestants
import machine

# What was asked for: workload, threads -> clearprop's advantage over each, and the share of peak.
TARGETS: dict[tuple[str, int], dict[str, float]] = {
    ("W1", 1): {"torch_eager": 25, "torch_compile": 25, "jax": 3.5, "sklearn": 20, "peak": 0.50},
    ("W2", 1): {"torch_eager": 50, "torch_compile": 50, "jax": 5, "sklearn": 40, "peak": 0.40},
    ("W3", 1): {"torch_eager": 6, "torch_compile": 4, "jax": 2.5, "sklearn": 4, "peak": 0.67},
    ("W4", 2): {"torch_eager": 1.5, "torch_compile": 1.4, "jax": 1.5, "sklearn": 1.7, "peak": 0.76},
    ("W5", 2): {"torch_eager": 1.5, "torch_compile": 1.4, "jax": 1.4, "sklearn": 2, "peak": 0.65},
    ("W6", 2): {"torch_eager": 1.15, "torch_compile": 1.1, "jax": 1.3, "sklearn": 1.3, "peak": 0.88},
    ("W1-dense", 1): {"peak": 0.50},
    ("W2-dense", 1): {"peak": 0.40},
    ("W3-dense", 1): {"peak": 0.67},
    ("W7-W1-1", 1): {"torch_eager": 3, "jax": 3, "sklearn": 5},
    ("W7-W5-1", 1): {"torch_eager": 2, "jax": 2, "sklearn": 3},
    ("W7-W4-1", 1): {"torch_eager": 1.2, "jax": 1.2, "sklearn": 1.5},
} | {
    (f"W7-{work}-all", threads): {
        "torch_eager": 1.2,
        "torch_compile": 1.1,
        "jax": 1.2,
        "sklearn": 1.3,
        "peak": 0.75,
    }
    for work in ("W1", "W4", "W5")
    for threads in (1, 2)
}
OURS = ("clearprop", "clearprop_reference")


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size or unit == "us":
            scaled = value / size
            return f"{scaled:.3g} {unit}" if scaled < 1000 else f"{scaled:.0f} {unit}"
    raise AssertionError


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    right = ["---"] + ["---:"] * (len(header) - 1)
    lines = [header, right, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def entry_of(everything: dict[str, Any], work: str, name: str, threads: int) -> dict[str, Any] | None:
    entry = everything["results"][work]["contestants"].get(f"{name}, {threads} threads")
    shown = entry and entry.get("seconds") and not {"failed", "refused"} & entry.keys()
    return entry if shown else None


def ours(everything: dict[str, Any]) -> str | None:
    asked = everything["options"]["contestants"]
    return next((name for name in OURS if name in asked), None)


def paired_ratios(peer: dict[str, Any], mine: dict[str, Any]) -> list[float]:
    """Of the two times of each round: how many times as long the peer took."""
    return [a / b for a, b in zip(peer["seconds"], mine["seconds"], strict=True)]


def shares(everything: dict[str, Any], work: str, name: str, threads: int) -> dict[str, float]:
    """GFLOP/s, the share of the peak, and the share of the bare products."""
    result, entry = everything["results"][work], entry_of(everything, work, name, threads)
    if entry is None:
        return {}
    gflops = result["flops"] / statistics.median(entry["seconds"]) / 1e9
    found = {"gflops": gflops}
    if peaks := result["peak_gflops"].get(threads):
        found["peak"] = gflops / statistics.median(peaks)
    if bare := entry_of(everything, work, "products", threads):
        found["bare"] = statistics.median(bare["seconds"]) / statistics.median(entry["seconds"])
    return found


def head(everything: dict[str, Any]) -> str:
    lines = ["# clearprop beside its peers", "", *machine.lines(everything["machine"])]
    said = ", ".join(f"{name}: {what}" for name, what in everything["data"].items())
    lines.append(f"- data: {said}")
    options = everything["options"]
    lines.append(
        f"- {options['rounds']} rounds, threads {options['threads']}, {options['dtype']}"
        + ("; --quick: these times mean nothing" if options["quick"] else "")
    )
    kernels = {
        f"{pool['internal_api']} {pool['version'] or ''} {pool['architecture'] or ''}".strip()
        for about in everything["libraries"].values()
        for pool in about["pools"]
    }
    lines.append("- kernels: " + ", ".join(sorted(kernels)))
    for name, reason in everything["skipped"].items():
        lines.append(f"- skipped: {contestants.LABELS[name]} ({reason})")
    lines.append(
        "- ratio: the contestant's time over clearprop's in the same round, median [least, most]; "
        "above 1 clearprop is faster. Spread: (most - least) / median. Of peak: of a NumPy product of "
        "2048 x 2048 matrices in this run. Of bare: time of the workload's matrix products alone, in "
        "NumPy, over the contestant's."
    )
    return "\n".join(lines) + "\n"


def section(everything: dict[str, Any], work: str) -> str:
    result = everything["results"][work]
    lines = [f"## {work}: {result['workload']['about']}", ""]
    if "refused" in result:
        return "\n".join([*lines, f"REFUSED: {result['refused']}", ""])
    if "float64" in result:
        lines += [result["float64"], ""]
    race = result["workload"]["kind"] == "accuracy"
    for threads in everything["options"]["threads"]:
        rows = _race_rows(everything, work, threads) if race else _rows(everything, work, threads)
        if race:
            header = ["", "to 97 %", "epochs", "ratio", "to 98 %", "epochs", "ratio"]
            header += ["one epoch", "best", "note"]
        else:
            unit = "predict" if result["workload"]["kind"] == "predict" else "epoch"
            header = [f"{unit}, median", "a step", "spread", "ratio", "GFLOP/s", "of peak"]
            header = ["", *header, "of bare", "loss", "note"]
        peak = result.get("peak_gflops", {}).get(threads)
        said = f", peak {statistics.median(peak):.0f} GFLOP/s" if peak else ""
        lines += [f"{threads} thread{'s' * (threads > 1)}{said}", "", _table(header, rows), ""]
    return "\n".join(lines)


def _rows(everything: dict[str, Any], work: str, threads: int) -> list[list[str]]:
    result, rows = everything["results"][work], []
    steps = -(-result["workload"]["n_samples"] // result["workload"]["batch"])
    mine = entry_of(everything, work, ours(everything) or "", threads)
    for name in (*everything["options"]["contestants"], "products"):
        entry = entry_of(everything, work, name, threads)
        about = result["contestants"].get(f"{name}, {threads} threads", {})
        if entry is None:
            if why := about.get("failed") or about.get("refused"):
                rows.append([contestants.LABELS[name], *["-"] * 8, why])
            continue
        median = statistics.median(entry["seconds"])
        share = shares(everything, work, name, threads)
        ratio = ""
        if mine and mine is not entry and name != "products":
            ratios = paired_ratios(entry, mine)
            ratio = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
        note = "; ".join(filter(None, (entry["notes"], entry["nearest"])))
        rows.append(
            [
                contestants.LABELS[name],
                _seconds(median),
                "" if result["workload"]["kind"] == "predict" else _seconds(median / steps),
                _percent((max(entry["seconds"]) - min(entry["seconds"])) / median),
                ratio,
                f"{share['gflops']:.1f}",
                _percent(share["peak"]) if "peak" in share else "",
                _percent(share["bare"]) if "bare" in share else "",
                f"{entry['loss']:.6f}" if "loss" in entry else "",
                note,
            ]
        )
    return rows


def _race_rows(everything: dict[str, Any], work: str, threads: int) -> list[list[str]]:
    mine, rows = entry_of(everything, work, ours(everything) or "", threads), []
    for name in everything["options"]["contestants"]:
        entry = entry_of(everything, work, name, threads)
        about = everything["results"][work]["contestants"].get(f"{name}, {threads} threads", {})
        if entry is None:
            if why := about.get("failed") or about.get("refused"):
                rows.append([contestants.LABELS[name], *["-"] * 8, why])
            continue
        cells = [contestants.LABELS[name]]
        for level, reached in entry["reached"].items():
            ratio = ""
            if reached and mine and mine is not entry and mine["reached"][level]:
                ratio = f"{reached['seconds'] / mine['reached'][level]['seconds']:.2f}"
            cells += [_seconds(reached["seconds"]), str(reached["epochs"])] if reached else ["-", "-"]
            cells.append(ratio)
        cells += [_seconds(statistics.median(entry["seconds"])), _percent_exact(max(entry["accuracy"]))]
        cells.append("; ".join(filter(None, (entry["notes"], entry["nearest"]))))
        rows.append(cells)
    return rows


def _percent_exact(share: float) -> str:
    return f"{100 * share:.2f} %"


def summary(everything: dict[str, Any]) -> str:
    """The ratios that were measured, and what was asked for in brackets."""
    mine = ours(everything)
    if mine is None:
        return ""
    peers = [
        name
        for name in contestants.NAMES
        if name in everything["options"]["contestants"] and name != mine
    ]
    rows = []
    for work, result in everything["results"].items():
        if "refused" in result or result["workload"]["kind"] == "accuracy":
            continue
        for threads in everything["options"]["threads"]:
            own = entry_of(everything, work, mine, threads)
            if own is None:
                continue
            targets, cells = TARGETS.get((work, threads), {}), [f"{work}, {threads} threads"]
            for peer in peers:
                entry = entry_of(everything, work, peer, threads)
                value = statistics.median(paired_ratios(entry, own)) if entry else None
                cells.append(_cell(value, targets.get(peer), "{:.2f}"))
            share = shares(everything, work, mine, threads)
            cells.append(_cell(share.get("peak"), targets.get("peak"), "{:.0%}"))
            cells.append(f"{share['bare']:.0%}" if "bare" in share else "")
            rows.append([*cells, _scaling(everything, work, mine, threads)])
    if not rows:
        return ""
    header = [
        "",
        *(contestants.LABELS[peer] for peer in peers),
        "of peak",
        "of bare",
        "1 thread / this",
    ]
    said = (
        "Ratios to clearprop (above 1: clearprop is faster); asked for in brackets, bold where reached."
    )
    return "\n".join(["## Summary", "", said, "", _table(header, rows), ""])


def _cell(value: float | None, target: float | None, form: str) -> str:
    if value is None:
        return "-"
    text = form.format(value)
    if target is None:
        return text
    return (f"**{text}**" if value >= target else text) + f" ({form.format(target)})"


def _scaling(everything: dict[str, Any], work: str, name: str, threads: int) -> str:
    one, this = (entry_of(everything, work, name, n) for n in (1, threads))
    if threads == 1 or one is None or this is None:
        return ""
    return f"{statistics.median(paired_ratios(one, this)):.2f}"


def markdown(everything: dict[str, Any]) -> str:
    parts = [head(everything), summary(everything)]
    parts += [section(everything, work) for work in everything["results"]]
    return "\n".join(parts)
