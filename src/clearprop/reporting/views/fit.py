"""What is particular to quantities."""

from __future__ import annotations

from clearprop.page import Markup, joined, table
from clearprop.reporting.charts import Frame, around
from clearprop.reporting.shown import Shown, count, number, percent, signed
from clearprop.reporting.views.parts import card, figure, numbers, side_by_side, told


def fit(shown: Shown) -> Markup:
    """Return predicted against true, and residuals over the prediction and the strongest columns."""
    found = shown.at("fit")
    x, y = found["predicted"], found["true"]
    ends = around([*x, *y])
    frame = Frame(ends, ends, "predicted", "true")
    frame.points(x, y, "s0", "fit.true")
    frame.diagonal()
    rows = [(share, shown(f"fit.quantiles.{share}", signed)) for share in found["quantiles"]]
    quantiles = table("True less predicted", ("of the rows lie below", "residual"), rows)
    drawn = ["A sample of ", shown("fit.rows", count), " rows; on the dashed line they would be right."]
    figures = [figure("Predicted and true", frame.svg("Predicted and true"), told(joined(drawn)))]
    figures += [_over(shown, place) for place in range(len(found["over"]))]
    figures.append(quantiles)
    note = told(
        "Residuals are true less predicted: above the line the prediction is too low. The points are "
        "their means, with 95 % intervals."
    )
    return card("fit", "Where it is right and wrong", note, side_by_side(*figures))


def _over(shown: Shown, place: int) -> Markup:
    ref = f"fit.over.{place}"
    found = shown.at(ref)
    groups = found["groups"]
    errors = [each["error"] for each in groups]
    values = [error[name] for error in errors for name in ("value", "low", "high")]
    is_number = found["kind"] == "numeric"
    x = [each["middle"] if is_number else at for at, each in enumerate(groups)]
    words = () if is_number else [each["name"] for each in groups]
    ends = around(x) if is_number else (-0.5, len(groups) - 0.5)
    frame = Frame(ends, around(values, zero=True), found["column"], "true less predicted", words=words)
    frame.level(0.0)
    frame.intervals(x, [each["low"] for each in errors], [each["high"] for each in errors], "s0")
    frame.points(x, [each["value"] for each in errors], "s0 large", f"{ref}.groups")
    rows = [
        (
            each["name"],
            shown(f"{ref}.groups.{at}.n", count),
            shown.both(f"{ref}.groups.{at}.error", signed),
            shown(f"{ref}.groups.{at}.rmse", number),
        )
        for at, each in enumerate(groups)
    ]
    title = f"Residuals over {found['column']}"
    made = numbers(title, (found["column"], "rows", "mean residual", "RMSE"), rows)
    return figure(title, frame.svg(title), made)


def coverage(shown: Shown) -> Markup:
    """Return whether intervals hold as many rows as they say."""
    found = shown.at("coverage")
    parts: list[object] = []
    if found:
        rows = [
            (
                shown(f"coverage.{at}.level", percent),
                shown.both(f"coverage.{at}.held", percent),
                shown(f"coverage.{at}.width", number),
            )
            for at in range(len(found))
        ]
        columns = ("an interval for", "holds of these rows", "median width")
        parts.append(table("Intervals", columns, rows))
    if "coverage" in shown.at("notes"):
        parts.append(told(shown.at("notes")["coverage"]))
    return card("coverage", "Do its intervals hold?", *parts)
