"""What is said of a pass beside its steps: facts at the top, scale, errata and rounding at the foot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clearprop.data.feature_names import NameInRow
from clearprop.explain.document import count_factors, short_name
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.step import Step
from clearprop.trace import Trace


def facts(glyphs: Glyphs) -> tuple[str, ...]:
    """Return what the network and the pass are."""
    trace, n = glyphs.trace, glyphs.notation
    names = ", ".join(short_name(layer.function.name) for layer in trace.architecture.layers)
    depth = glyphs.last + n.layer_counts_input
    forward, backward = trace.multiply_adds
    said = [
        f"Network {'-'.join(map(str, glyphs.sizes))} ({names}), cost {trace.architecture.cost.name}, "
        f"{trace.layers[0].z.dtype}",
        f"Layers are numbered from {n.layer_base}, the input; L = {depth}"
        + ("" if n.layer_counts_input else ", the input not counted"),
        "A weight's indices are {}, of the unit it leads to, and {}, of the one it comes from".format(
            *n.index_names
        ),
        f"Multiply-adds: forward {forward:,}, backward {backward:,}; written out as chains, "
        f"{count_factors(glyphs.sizes):,} factors an example",
    ]
    if trace.architecture.embedding is not None:
        said.append(
            f"The {trace.architecture.n_features:,} inputs are shown as the {glyphs.sizes[0]:,} "
            "numbers that the embedding makes of them, as layer 1 sees them; a page has no formulas "
            "of it"
        )
    if trace.architecture.input_scale:
        said.append("The inputs are shown times the learned input scale, as layer 1 sees them")
    return tuple(said)


def _scale_notes(glyphs: Glyphs) -> list[str]:
    n, f, m = glyphs.notation, glyphs.factors, glyphs.n_samples
    cost = glyphs.trace.architecture.cost
    reasons = []
    if n.delta_sign == -1:
        reasons.append("delta, and what is printed with it, is minus the derivative: factor -1")
    if f.sample_cost != 1:
        half = "without the half" if n.cost_scale == 1 else "with the half"
        reasons.append(f"the cost is written {half}: factor {f.sample_cost:g}")
    elif n.cost_scale == 1 and cost.squares is None:
        reasons.append(f"the factor 2 of the squared error does not concern {cost.name}")
    where = {
        "cost": "1/m stands in the cost",
        "delta": "1/m stands in the delta of the output layer" + (f": factor 1/{m}" if m > 1 else ""),
        "update": "1/m stands in the update, as η/m, and before the sum in a gradient",
        "none": "1/m is dropped" + (f": factor m = {m}" if m > 1 else ""),
    }
    reasons.append(where[n.reduction_in])
    if f.delta == f.gradient == f.cost == 1:
        return [f"Scale of {n.name}: " + "; ".join(reasons) + "; every number is the engine's own"]
    return [
        f"Scale of {n.name}: " + "; ".join(reasons),
        f"So delta is {f.delta:g} times, a gradient {f.gradient:g} times, the cost {f.cost:g} times "
        "the engine's number",
    ]


def _not_finite(trace: Trace) -> list[str]:
    order: list[tuple[str, int, np.ndarray]] = []
    for number, layer in enumerate(trace.layers, start=1):
        order += [("weights", number, layer.weights), ("z", number, layer.z), ("a", number, layer.a)]
    order.append(("cost", len(trace.layers), trace.sample_costs))
    for number in range(len(trace.layers), 0, -1):
        layer = trace.layers[number - 1]
        order += [("dC/da", number, layer.error), ("delta", number, layer.delta)]
        order += [("weight gradients", number, layer.weight_gradient)]
    for what, number, array in order:
        if not np.isfinite(array).all():
            n = int((~np.isfinite(array)).sum())
            return [
                f"Not finite: the first such number is in {what} of weight layer {number} ({n:,} of "
                f"{array.size:,}); NaN is an undefined result such as inf - inf, and all that is "
                "computed from it is NaN too. Smaller weights, inputs or learning rate avoid it"
            ]
    return []


def footnotes(glyphs: Glyphs, steps: Sequence[Step], digits: int) -> tuple[str, ...]:
    """Return scale, errata and rounding."""
    kinds = {""} | {step.kind for step in steps}
    kinds |= {f"{step.kind}_matrix" for step in steps if any(x.form == "matrix" for x in step.lines)}
    kinds |= {line.form for step in steps for line in step.lines if line.form in ("chain", "path")}
    kinds |= {"batch"} if glyphs.n_samples > 1 else set()
    kinds |= {"softmax"} if glyphs.softmax and not glyphs.a_minus_y else set()
    kinds |= {"canonical"} if glyphs.a_minus_y else set()
    notes = _scale_notes(glyphs)
    for kind, erratum, sentence in glyphs.given.errata:
        if kind in kinds:
            notes.append(f"{erratum}: {sentence}")
    if glyphs.faithful:
        notes.append("Printed as the book has it; the values are right")
    notes += _not_finite(glyphs.trace)
    notes.append(f"Numbers are rounded to {digits} significant digits; shorter ones are exact")
    return tuple(notes)


def names_note(
    what: str, names: Sequence[object] | None, shown: Sequence[int], values: Sequence[str] = ()
) -> list[str]:
    """Return what the numbered inputs or outputs that are shown are called.

    Beside the raw values of a table's row, which the names hold then, stand those that are shown of it.
    """
    if names is None or not shown:
        return []
    raw = bool(values) and any(isinstance(each, NameInRow) for each in names)
    named = (f"{k + 1} = {names[k]}" + (f" ({values[k]})" if raw else "") for k in shown)
    return [f"{what}: {', '.join(named)}"]
