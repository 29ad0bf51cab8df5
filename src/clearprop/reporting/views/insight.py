"""Where the model is wrong, on what it rests, and what is strange about the columns."""

from __future__ import annotations

from collections.abc import Sequence

from clearprop.page import Markup, joined, table, tag
from clearprop.reporting.charts import Frame, around, bars
from clearprop.reporting.shown import (
    HOW,
    How,
    Shown,
    count,
    fixed,
    number,
    percent,
    points,
    signed,
)
from clearprop.reporting.views.about import NAMES
from clearprop.reporting.views.parts import card, figure, legend, numbers, side_by_side, told

_FIRST = 12  # segments that are shown at once
_MOST_BARS = 20
_CELLS = 14  # columns of a row that are shown


def segments(shown: Shown) -> Markup:
    """Return the segments, those that surely fall behind first."""
    found = shown.at("segments")
    behind = sum((each["behind"]["low"] or 0.0) > 0 for each in found["found"])
    few = "No segment surely falls behind the other rows."
    lead = (
        few
        if not behind
        else f"{behind} of {len(found['found'])} segments surely fall behind the other rows."
    )
    rows = [_segment(shown, place) for place in range(len(found["found"]))]
    measure = NAMES[found["measure"]]
    columns = ("segment", "rows", measure, "error larger than elsewhere by", "verdict")
    parts: list[object] = [
        tag("p", lead),
        table("Segments, by how far they fall behind at least", columns, rows[:_FIRST], class_="words"),
    ]
    if len(rows) > _FIRST:
        rest = table("The other segments", columns, rows[_FIRST:], class_="words")
        parts.append(tag("details", tag("summary", f"{len(rows) - _FIRST} more"), rest))
    parts.append(
        told(
            "A segment is compared with all other rows. The intervals of the differences hold together "
            "for all segments at 95 %, so that none stands out by chance; those beside the rows' own "
            "figure hold for it alone."
        )
    )
    if found["empty"]:
        named = ", ".join(found["empty"][:12]) + ("…" if len(found["empty"]) > 12 else "")
        parts.append(told(f"Known from the training, but no row here: {named}."))
    if found["constant"]:
        named = ", ".join(found["constant"][:12]) + ("…" if len(found["constant"]) > 12 else "")
        parts.append(told(f"The same in every row here, so that nothing can be compared: {named}."))
    return card("segments", "Where it is worse than elsewhere", *parts)


def _segment(shown: Shown, place: int) -> list[object]:
    ref = f"segments.found.{place}"
    each = shown.at(ref)
    measure = shown.at("segments.measure")
    how = HOW.get(measure, number)
    difference: How = points if measure == "accuracy" else signed
    low, high = each["behind"]["low"], each["behind"]["high"]
    verdict = "" if low is None or low <= 0 <= high else "behind" if low > 0 else "better"
    return [
        f"{each['column']}: {each['name']}",
        shown(f"{ref}.n", count),
        shown.both(f"{ref}.score", how),
        shown.both(f"{ref}.behind", difference),
        tag("span", verdict, class_=verdict) if verdict else "",
    ]


def worst(shown: Shown) -> Markup:
    """Return the rows that the model is most wrong about, as they are written."""
    found = shown.at("worst")
    is_class = bool(shown.at("about.classes"))
    made = [_worst(shown, place, is_class) for place in range(len(found["rows"]))]
    lead = told(
        "Rows count from 0. Look at them first for what is written wrongly: a target that is mistaken "
        "is the worst row of a good model."
    )
    parts: list[object] = [lead]
    if found["baseline"]:
        parts.append(
            told(
                f"What moved an answer, by integrated gradients from {found['baseline']}: all columns "
                "together make the whole difference, and the five that make most of it are shown."
            )
        )
    return card("worst", "The rows that it is most wrong about", *parts, *made)


def _worst(shown: Shown, place: int, is_class: bool) -> Markup:
    ref = f"worst.rows.{place}"
    each = shown.at(ref)
    if is_class:
        said: list[object] = [f"is {each['true']}, was told {each['predicted']}"]
        if each["said"] is not None:
            said += [f"; probability of {each['true']} ", shown(f"{ref}.said", percent)]
    else:
        said = ["is ", shown(f"{ref}.true"), ", was predicted ", shown(f"{ref}.predicted")]
    title = tag("h3", "row ", shown(f"{ref}.row", count), ": ", *said)
    columns = shown.at("worst.columns")
    cells = [
        tag("li", tag("span", name, class_="quiet"), " ", cell)
        for name, cell in list(zip(columns, each["cells"], strict=True))
    ]
    parts: list[object] = [title, tag("ul", *cells[:_CELLS], class_="cells")]
    if len(cells) > _CELLS:
        rest = tag("ul", *cells[_CELLS:], class_="cells")
        parts.append(tag("details", tag("summary", f"{len(cells) - _CELLS} more columns"), rest))
    if each["reasons"]:
        why = joined(
            [
                joined(
                    [f"{one['column']} = {one['cell']}: ", shown(f"{ref}.reasons.{k}.moved", signed)]
                )
                for k, one in enumerate(each["reasons"])
            ],
            "; ",
        )
        parts.append(tag("p", f"What moved the {each['of']}: ", why, ".", class_="moved"))
    return tag("div", *parts, class_="worst")


def importance(shown: Shown) -> Markup:
    """Return how much the answers rest on each column, and on those that go together."""
    found = shown.at("importance")
    metric = NAMES.get(found["metric"], found["metric"])
    how = number if found["metric"] == "rmse" else fixed
    text = [
        f"How much larger the {metric} (now ", shown("importance.now", how), ") is where the cells "
        "of the column are dealt to other rows: ", shown("importance.repeats", count), " times, on ",
        shown("importance.rows", count), " rows, with 95 % intervals.",
    ]  # fmt: skip
    figures = [_bars(shown, "columns", "By column")]
    if found["groups"]:
        figures.append(_bars(shown, "groups", "Columns that go together, dealt out together"))
        text.append(
            " Columns that go together stand in for one another: each alone seems to matter less than "
            "it does."
        )
    return card("importance", "On what it rests", told(joined(text)), side_by_side(*figures))


def _bars(shown: Shown, key: str, title: str) -> Markup:
    found = shown.at(f"importance.{key}")
    drawn = found[:_MOST_BARS]
    rows = [(" + ".join(each["columns"]), *_ends(each["lost"])) for each in drawn]
    ends = around([value for row in rows for value in row[1:]], zero=True)
    chart = bars(rows, ends, f"importance.{key}.{{}}.lost.value", title)
    made = numbers(
        title,
        ("column", "larger by"),
        [
            (" + ".join(each["columns"]), shown.both(f"importance.{key}.{place}.lost", signed))
            for place, each in enumerate(found)
        ],
    )
    return figure(title, chart, made)


def _ends(value: dict[str, float]) -> tuple[float, float, float]:
    return value["value"], value["low"], value["high"]


def dependence(shown: Shown) -> Markup:
    """Return the answer over the values of the strongest columns."""
    figures = [_curves(shown, place) for place in range(len(shown.at("dependence")))]
    text = [
        "Everything else of a row stays as it is, also where that makes rows that there are not. The "
        "thick line is the mean of ", shown("dependence.0.rows", count),
        " rows, thin ones are single rows.",
    ]  # fmt: skip
    return card("dependence", "What it does with them", told(joined(text)), side_by_side(*figures))


def _curves(shown: Shown, place: int) -> Markup:
    ref = f"dependence.{place}"
    found = shown.at(ref)
    x: Sequence[float] = found["x"]
    is_number = found["kind"] == "numeric"
    is_share = bool(shown.at("about.classes"))
    every = [value for curve in (*found["means"], *found["curves"]) for value in curve]
    y_name = f"probability of {found['of'][0]}" if len(found["of"]) == 1 and is_share else ""
    y_name = y_name or ("probability" if is_share else found["of"][0])
    frame = Frame(
        around(x) if is_number else (-0.5, len(x) - 0.5),
        (0, 1) if is_share else around(every),
        found["column"], y_name,
        words=() if is_number else found["names"], percent="y" if is_share else "",
    )  # fmt: skip
    for curve in found["curves"]:
        frame.line(x, curve, "faint")
    for k, mean in enumerate(found["means"]):
        frame.line(x, mean, f"s{k} thick", f"{ref}.means.{k}")
        frame.points(x, mean, f"s{k} large", f"{ref}.means.{k}")
    how = percent if is_share else number
    rows = [
        (name, *(shown(f"{ref}.means.{k}.{at}", how) for k in range(len(found["of"]))))
        for at, name in enumerate(found["names"])
    ]
    title = f"Over {found['column']}"
    keys = [(f"s{k}", name) for k, name in enumerate(found["of"])] if len(found["of"]) > 1 else []
    made = numbers(title, (found["column"], *found["of"]), rows)
    return figure(title, frame.svg(title), *([legend(keys)] if keys else []), made)


def drift(shown: Shown) -> Markup:
    """Return whether these rows are like those of the training."""
    found = shown.at("drift")
    title = "Are these rows like those of the training?"
    if found is None:
        return card("drift", title, told(shown.at("notes")["drift"]))
    moved = [each for each in found["columns"] if each["drifted"]]
    n = len(found["columns"])
    lead = f"All {n} columns are spread as in training, as far as these rows tell."
    if moved:
        lead = f"{len(moved)} of {n} columns are spread otherwise than in training."
    parts: list[object] = [tag("p", lead)]
    if shown.at("about.same_data"):
        parts.append(told("These are rows of the training itself, so that little can differ."))
    if moved:
        parts.append(tag("ul", *(_sentence(shown, place) for place in range(len(moved)))))
    rows = [
        (
            each["column"],
            shown(f"drift.columns.{place}.elsewhere", percent),
            shown(f"drift.columns.{place}.chance", fixed),
        )
        for place, each in enumerate(found["columns"])
    ]
    columns = ("column", "rows elsewhere", "by chance (corrected for all columns)")
    text = [
        "Chi-squared tests of two samples, ", shown("drift.n_then", count), " rows then and ",
        shown("drift.n_now", count), " now, in about ten slices of each number, with Holm's "
        "correction. Rows elsewhere: the share that would have to move for all slices to have the "
        "shares they had.",
    ]  # fmt: skip
    parts += [numbers("Every column", columns, rows), told(joined(text))]
    return card("drift", title, *parts)


def _sentence(shown: Shown, place: int) -> Markup:
    ref = f"drift.columns.{place}"
    each = shown.at(ref)
    return tag(
        "li", tag("b", each["column"]), ": ", shown(f"{ref}.elsewhere", percent),
        f" of the rows lie elsewhere, most of all “{each['most']}”, ", shown(f"{ref}.then", percent),
        " in training and ", shown(f"{ref}.now", percent), " here.",
    )  # fmt: skip


def leaks(shown: Shown) -> Markup:
    """Return which columns tell the target alone."""
    found = shown.at("leaks")
    suspects = [each["column"] for each in found["columns"] if each["suspect"]]
    if suspects:
        named = ", ".join(suspects)
        lead = tag(
            "p",
            tag("b", f"{named}"),
            " alone tells nearly all of the target: is it known when you predict, or written "
            "afterwards? If afterwards, drop it and train again.",
            class_="warn",
        )
    else:
        lead = tag("p", "No column alone gives the target away.")
    measure = found["measure"]
    how = HOW.get(measure, fixed)
    rows = [
        (
            each["column"],
            shown(f"leaks.columns.{place}.told", how),
            "looks like a leak" * each["suspect"],
        )
        for place, each in enumerate(found["columns"])
    ]
    text = [
        "Each half of ", shown("leaks.rows", count),
        f" rows is told by what the other half says of one column alone. Without any column the "
        f"{NAMES[measure]} is ", shown("leaks.nothing", how), ".",
    ]  # fmt: skip
    made = table("What columns tell alone", ("column", NAMES[measure], "remark"), rows, class_="words")
    return card("leaks", "Does a column give the target away?", lead, made, told(joined(text)))
