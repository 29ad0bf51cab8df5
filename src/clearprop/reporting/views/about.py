"""What was learned from what: the head of the page, the columns, the course of the training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clearprop.page import Markup, joined, table, tag
from clearprop.reporting.charts import Frame, around
from clearprop.reporting.shown import DIFFERENCE, HOW, Shown, count
from clearprop.reporting.views.parts import card, figure, legend, side_by_side, told

NAMES = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "auc": "AUC",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R2",
}
_NO_LEFT_OUT = ("numeric", "boolean", "categorical", "datetime", "target")


def head(shown: Shown) -> Markup:
    """Return the title and the sentence that matters most."""
    said = shown.at("about")
    target = f"“{said['target']}”" if said["target"] else "the target"
    parts: list[object] = [tag("h1", f"How well {target} is predicted")]
    if shown.at("performance") is None:
        parts.append(tag("p", shown.at("notes")["performance"], class_="lead"))
    else:
        parts.append(tag("p", *_lead(shown), class_="lead"))
    if said["same_data"] and shown.at("performance") is not None:
        parts.append(tag("p", *_seen(shown), class_="lead warn"))
    return joined(parts, "\n")


def _lead(shown: Shown) -> Iterator[object]:
    main = shown.at("performance.main")
    how, difference = HOW.get(main), DIFFERENCE.get(main)
    ref = f"performance.contestants.0.values.{main}"
    yield f"{NAMES[main][0].upper()}{NAMES[main][1:]} "
    yield tag("b", shown(f"{ref}.value", *filter(None, [how])))
    yield " (95 % interval "
    yield shown.interval(ref, *filter(None, [how]))
    yield ") on "
    yield shown("performance.n_rows", count)
    yield " rows."
    for place, each in enumerate(shown.at("performance.contestants")[1:], 1):
        low, high = each["better"]["low"], each["better"]["high"]
        ahead, behind = "Ahead of", "Behind"
        verdict = ahead if low > 0 else behind if high < 0 else "No clear difference to"
        yield f" {verdict} {each['name']}: "
        better = f"performance.contestants.{place}.better"
        yield shown.both(better, *filter(None, [difference]))
        yield "."


def _seen(shown: Shown) -> Iterator[object]:
    """Say what rows that a model has learned from are worth, and what others said of it."""
    yield (
        "The model learned from rows of a file of this name. Of rows that it has seen every figure "
        "looks better than it is, and the baselines have not seen those that they answer."
    )
    result = shown.at("about.result")
    if result is None:
        return
    main = shown.at("performance.main")
    yield " On "
    yield shown("about.result.n_rows", count)
    yield f" rows that it has not learned from ({result['part']}), its training measured "
    yield f"{NAMES[main]} "
    yield shown.both(f"about.result.values.{main}", *filter(None, [HOW.get(main)]))
    yield "."


def provenance(shown: Shown) -> Markup:
    """Return what the report is made of."""
    said = shown.at("about")
    rows: list[tuple[object, object]] = []
    for name in ("model", "data"):
        if (file := said[name]) is not None:
            rows.append((name, file["name"]))
            rows.append(("its SHA-256", tag("code", file["sha256"])))
            rows.append(("last changed", file["modified"].replace("T", " ").replace("Z", " UTC")))
    rows.append(("network", said["network"]))
    rows += [(_TRAINED.get(name, name), value) for name, value in _trained(shown)]
    what = "a quantity" if not said["classes"] else ", ".join(said["classes"][:12])
    rows.append(("target", f"{said['target'] or 'not named'}: {what}"))
    rows.append(("rows of the data", shown("about.n_rows", count)))
    if said["n_without_target"]:
        rows.append(("left out, without a target", shown("about.n_without_target", count)))
    if said["n_used"] < said["n_rows"] - said["n_without_target"]:
        rows.append(("drawn at random for this report", shown("about.n_used", count)))
    rows.append(("made by", f"clearprop {said['version']}"))
    made = table("What the report is of", ("what", "here"), rows, class_="words facts")
    return card("about", "What was learned from what", made, _columns(shown))


_TRAINED = {
    "data": "learned from",
    "n_samples": "rows learned from",
    "stopped": "the training ended by",
    "planned_epochs": "epochs planned",
    "epochs": "epochs trained",
    "steps": "steps",
    "seed": "seed",
}


def _trained(shown: Shown) -> Iterator[tuple[str, object]]:
    for name, value in shown.at("about.trained").items():
        is_count = isinstance(value, int)
        yield name, shown(f"about.trained.{name}", count) if is_count else value


def _columns(shown: Shown) -> Markup:
    found = shown.at("columns")
    rows = [
        (
            each["name"],
            each["kind"],
            shown(f"columns.{place}.n_inputs", count) if each["n_inputs"] else "",
            shown(f"columns.{place}.n_missing", count) if each["n_missing"] else "",
            each["reason"],
        )
        for place, each in enumerate(found)
    ]
    left = sum(each["kind"] not in _NO_LEFT_OUT for each in found)
    title = f"{len(found):,} columns, {left:,} of them left out" if left else f"{len(found):,} columns"
    columns = ("column", "kind", "inputs", "missing here", "what became of it in training")
    made = table("Columns", columns, rows, class_="words")
    return tag("details", tag("summary", title), made)


def course(shown: Shown) -> Markup:
    """Return the training, epoch by epoch."""
    found = shown.at("course")
    if found is None:
        return card("course", "The training", told(shown.at("notes")["course"]))
    figures = [_panel(shown, title, names) for title, names in _panels(found["columns"])]
    parts: list[object] = [side_by_side(*figures)]
    if found["kept"] is not None:
        parts.append(told(joined(["The network of epoch ", shown("course.kept", count), " was kept."])))
    return card("course", "The training", *parts)


_PANELS = (
    ("cost", ("cost", "validation_cost")),
    ("accuracy", ("running_accuracy", "validation_accuracy")),
    ("R2", ("validation_r2",)),
    ("score", ("validation_score",)),
)


def _panels(columns: dict[str, Any]) -> list[tuple[str, list[str]]]:
    each = [(title, [name for name in names if name in columns]) for title, names in _PANELS]
    return [(title, names) for title, names in each if names]


def _panel(shown: Shown, title: str, names: list[str]) -> Markup:
    found = shown.at("course")
    epochs, kept = found["epochs"], found["kept"]
    series = [found["columns"][name] for name in names]
    frame = Frame(
        (min(epochs), max(epochs)), around(each for one in series for each in one), "epoch", title
    )
    looks = ["s1" if name.startswith("validation") else "s0" for name in names]
    for look, name, values in zip(looks, names, series, strict=True):
        frame.line(epochs, values, look, f"course.columns.{name}")
    if kept is not None:
        frame.mark(kept, "kept")
    said = f"{title} over {len(epochs)} epochs"
    keys = [(look, "rows held out" if look == "s1" else "rows trained on") for look in looks]
    caption = title[0].upper() + title[1:]
    return figure(f"{caption}, epoch by epoch", frame.svg(said), legend(keys))
