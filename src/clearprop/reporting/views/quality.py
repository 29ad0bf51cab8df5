"""How good the model is: its metrics beside the baselines', and what is particular to classes."""

from __future__ import annotations

from typing import Any

from clearprop.page import Markup, joined, table, tag
from clearprop.reporting.charts import Frame
from clearprop.reporting.shown import (
    DIFFERENCE,
    HOW,
    NONE,
    How,
    Shown,
    count,
    escaped,
    fixed,
    number,
    percent,
    plain,
)
from clearprop.reporting.views.about import NAMES
from clearprop.reporting.views.parts import card, figure, legend, numbers, side_by_side, told

_WHOLE = 12  # classes up to which all of the confusion matrix is shown
_SMALL = 4  # up to which it stands beside the curves
_PAIRS = 12  # of classes that are mistaken for one another most often


def metrics(shown: Shown) -> Markup:
    """Return the metrics with their intervals, a column for each contestant."""
    found = shown.at("performance")
    contestants = found["contestants"]
    names = [name for name in NAMES if name in contestants[0]["values"]]
    rows: list[list[object]] = [
        [NAMES[name], *(_cell(shown, place, name) for place in range(len(contestants)))]
        for name in names
    ]
    main = found["main"]
    if len(contestants) > 1:
        better = [
            _two_lines(shown, f"performance.contestants.{place}.better", DIFFERENCE.get(main, number))
            if each["better"]
            else ""
            for place, each in enumerate(contestants)
        ]
        rows.append([f"the network's {NAMES[main]} is better by", *better])
    others = [""] * (len(contestants) - 1)
    if found["ece"] is not None:
        rows.append(["calibration error (ECE)", shown("performance.ece", fixed), *others])
        rows.append(["the same by chance", shown("performance.ece_by_chance", fixed), *others])
    rows.append([f"cost ({found['cost_name']})", shown("performance.cost"), *others])
    made = table(
        "Metrics, with 95 % intervals", ("metric", *(each["name"] for each in contestants)), rows
    )
    return card("metrics", "How good it is", made, *_about_metrics(shown))


def _cell(shown: Shown, place: int, name: str) -> Markup:
    ref = f"performance.contestants.{place}.values.{name}"
    if name not in shown.at(f"performance.contestants.{place}.values"):
        return Markup(NONE)
    return _two_lines(shown, ref, HOW.get(name, number))


def _two_lines(shown: Shown, ref: str, how: How) -> Markup:
    """Return a value above its interval."""
    value, interval = shown(f"{ref}.value", how), shown.interval(ref, how)
    return joined([value, tag("br"), tag("small", interval)])


def _about_metrics(shown: Shown) -> list[Markup]:
    found = shown.at("performance")
    text: list[object] = ["Intervals: bootstrap over rows, ", shown("performance.replicates", count)]
    text.append(" samples, percentiles")
    text.append("; the accuracy's is Wilson's." if found["wilson"] else ".")
    notes = [told(joined(text))]
    if len(found["contestants"]) > 1:
        learned = shown("performance.contestants.1.n_learned", count)
        notes.append(
            told(
                joined(
                    [
                        "The baselines answer ", shown("performance.n_compared", count),
                        " rows, cut into ", shown("performance.n_folds", count), " parts, each by "
                        "one that learned from the other parts (about ", learned, " rows): the report "
                        "has no rows of the training. The differences are paired by rows.",
                    ]
                )
            )
        )  # fmt: skip
    if found["n_unknown"]:
        labels = ", ".join(map(repr, found["unknown"][:5]))
        text = [
            shown("performance.n_unknown", count),
            f" rows have labels that the model does not know ({labels}): they count as wrong, and "
            "only in the accuracy.",
        ]
        notes.append(told(joined(text)))
    return notes


def confusion(shown: Shown) -> Markup:
    """Return a card of how often each class was told as each."""
    return card("confusion", "Confusions", _matrix(shown))


def _matrix(shown: Shown) -> Markup:
    """Return all of the matrix, or of many classes the pairs that are mistaken most often."""
    found = shown.at("confusion")
    classes, counts = found["classes"], found["counts"]
    if len(classes) > _WHOLE:
        return _pairs(shown)
    rows = [
        [name, *(_count(shown, i, j, sum(counts[i])) for j in range(len(classes)))]
        for i, name in enumerate(classes)
    ]
    if any(found["n_unknown"]):
        rows.append(
            ["(unknown)", *(shown(f"confusion.n_unknown.{j}", count) for j in range(len(classes)))]
        )
    made = table("Rows: what it is; columns: what was told", ("is", *classes), rows, class_="confusion")
    return joined([made, told("The shade is the share of a line's rows.")])


def _count(shown: Shown, i: int, j: int, of: int) -> Markup:
    ref = f"confusion.counts.{i}.{j}"
    share = shown.at(ref) / of if of else 0.0
    look = ("right" if i == j else "wrong") + f" shade{round(10 * share)}"
    return tag("span", shown(ref, count), class_=f"cell {look}")


def _pairs(shown: Shown) -> Markup:
    """Return the pairs of many classes that are mistaken most often."""
    found = shown.at("confusion")
    counts = found["counts"]
    wrong = [(n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
    rows = [
        [
            found["classes"][i], found["classes"][j], shown(f"confusion.counts.{i}.{j}", count),
            percent(n / sum(counts[i])),
        ]
        for n, i, j in sorted(wrong, key=lambda each: (-each[0], each[1:]))[:_PAIRS]
    ]  # fmt: skip
    columns = ("is", "was told as", "rows", "of that class")
    return table("The most frequent mistakes", columns, rows)


def is_small(shown: Shown) -> bool:
    """Return whether there is a confusion matrix that stands beside curves."""
    found = shown.at("confusion")
    return found is not None and len(found["classes"]) <= _SMALL and bool(shown.at("roc"))


def curves(shown: Shown) -> Markup:
    """Return the ROC and the precision-recall curves, beside a matrix that is small."""
    small = is_small(shown)
    figures = [tag("figure", tag("figcaption", "Confusions"), _matrix(shown))] if small else []
    for key, title, x, y in (
        ("roc", "ROC: positives found over false alarms", "false alarms", "positives found"),
        ("precision_recall", "Precision over recall", "recall", "precision"),
    ):
        found = shown.at(key)
        frame = Frame((0, 1), (0, 1), x, y, percent="xy")
        if key == "roc":
            frame.diagonal()
        for place, each in enumerate(found):
            frame.line(each["x"], each["y"], f"s{place}", f"{key}.{place}")
        area = "area" if key == "roc" else "average precision"
        keys = [
            (f"s{place}", joined([f"{each['name']}: {area} ", shown(f"{key}.{place}.area", fixed)]))
            for place, each in enumerate(found)
        ]
        rows = [
            (each["name"], shown(f"{key}.{k}.x.{at}", percent), shown(f"{key}.{k}.y.{at}", percent))
            for k, each in enumerate(found)
            for at in range(0, len(each["x"]), 4)
        ]
        said = f"{title}; " + ", ".join(f"{each['name']} {each['area']:.3f}" for each in found)
        made = numbers(f"{title}: points", ("class", x, y), rows)
        figures.append(figure(title, frame.svg(said), legend(keys), made))
    title = "Mistakes and ranking" if small else "Ranking"
    return card("curves", title, side_by_side(*figures))


def reliability(shown: Shown) -> Markup:
    """Return whether probabilities come true, and how often each was said."""
    found = shown.at("reliability")
    bins = found["bins"]
    frame = Frame((0, 1), (0, 1), "probability that was said", "how often it came", percent="xy")
    frame.diagonal()
    x = [each["said"] for each in bins]
    came = [each["came"] for each in bins]
    frame.intervals(x, [each["low"] for each in came], [each["high"] for each in came], "s0")
    frame.points(x, [each["value"] for each in came], "s0 large", "reliability.bins")
    rows = [
        (
            shown(f"reliability.bins.{at}.said", percent),
            shown.both(f"reliability.bins.{at}.came", percent),
            shown(f"reliability.bins.{at}.n", count),
        )
        for at in range(len(bins))
    ]
    title = f"Probability of {found['of']}: said, and come true"
    of_bins = numbers(title, ("said", "came, with its 95 % interval", "rows"), rows)
    ece = joined(
        ["Expected calibration error ", shown("performance.ece", fixed), "; of labels drawn from the "
         "probabilities themselves it would be ", shown("performance.ece_by_chance", fixed), "."]
    )  # fmt: skip
    figures = figure(title, frame.svg(title), told(ece), of_bins), _histogram(shown)
    return card("reliability", "Can its probabilities be trusted?", side_by_side(*figures))


def _histogram(shown: Shown) -> Markup:
    found = shown.at("scores")
    most = max(max(each) for each in found["counts"].values())
    frame = Frame((0, 1), (0, most * 1.05 or 1), f"probability of {found['of']}", "rows", percent="x")
    keys = []
    for place, (name, counts) in enumerate(found["counts"].items()):
        frame.steps(found["edges"], counts, f"s{place}", f"scores.counts.{escaped(name)}")
        keys.append((f"s{place}", joined([f"{name}: ", count(sum(counts)), " rows"])))
    title = "How often each probability was said"
    names = list(found["counts"])
    edges = found["edges"]
    rows = [
        (f"{percent(edges[at])} to {percent(edges[at + 1])}",
         *(shown(f"scores.counts.{escaped(name)}.{at}", count) for name in names))
        for at in range(len(edges) - 1)
    ]  # fmt: skip
    made = numbers(title, ("probability", *names), rows)
    return figure(title, frame.svg(title), legend(keys), made)


def thresholds(shown: Shown) -> Markup:
    """Return what mistakes cost above each threshold, with a control for those who can."""
    found = shown.at("thresholds")
    n = found["n_positive"] + found["n_negative"]
    alarms, missed = found["false_positives"], found["false_negatives"]
    ratios = (1.0, 5.0)
    costs = [[(a + ratio * b) / n for a, b in zip(alarms, missed, strict=True)] for ratio in ratios]
    top = max(map(max, costs))
    frame = Frame((0, 1), (0, top * 1.04), "threshold", "cost of a row", percent="x")
    for place, each in enumerate(costs):
        frame.line(found["at"], each, f"s{place}")
    frame.mark(found["current"], "now")
    keys = [
        (f"s{place}", f"a missed {found['positive']} costs as {_alarms(ratio)}")
        for place, ratio in enumerate(ratios)
    ]
    rows = [
        (
            shown(f"thresholds.choices.{at}.ratio", plain),
            shown(f"thresholds.choices.{at}.threshold", fixed),
            shown(f"thresholds.choices.{at}.cost", fixed),
            shown(f"thresholds.choices.{at}.cost_now", fixed),
        )
        for at in range(len(found["choices"]))
    ]
    columns = ("a missed one costs", "best threshold", "cost of a row", "now")
    title = f"Above which probability it is told “{found['positive']}”"
    chart = figure("Cost of a row over the threshold", frame.svg(title, id="cost-chart"), legend(keys))
    choices = joined(
        [
            table("The best thresholds of these rows", columns, rows),
            told(
                "Costs are in false alarms. The thresholds were chosen on these rows, and look a "
                "little better than they are."
            ),
        ]
    )
    lead = joined(
        ["Now it is told “", found["positive"], "” above ", shown("thresholds.current", plain), "."]
    )
    return card(
        "thresholds",
        "What mistakes cost",
        tag("p", lead),
        side_by_side(chart, tag("div", choices), _control(shown)),
    )


def _alarms(ratio: float) -> str:
    return "one false alarm" if ratio == 1 else f"{ratio:g} false alarms"


def _control(shown: Shown) -> Markup:
    found = shown.at("thresholds")
    cost, now = {"type": "number", "min": 0, "step": "any"}, round(100 * found["current"])
    fields: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("cost-missed", f"a missed {found['positive']} costs", cost | {"value": 5}),
        ("cost-alarm", "a false alarm costs", cost | {"value": 1}),
        ("threshold", "threshold", {"type": "range", "min": 0, "max": 100, "value": now}),
    )
    labels = [tag("label", text, tag("input", id=name, **how)) for name, text, how in fields]
    button = tag("button", "go to the best", id="threshold-best", type="button")
    said = tag("p", id="threshold-told", aria_live="polite")
    title = tag("h3", "Try your own costs")
    return tag("div", title, *labels, button, said, id="threshold-control", hidden=True)
