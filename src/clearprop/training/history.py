"""What a training recorded: one row for each epoch."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from clearprop.notebook import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNNING = ("samples", "epoch", "running_accuracy")
DONE = ("early stopping", "converged", "no further descent")  # nothing is left to go on with
TIMES = ("seconds", "samples_per_second")  # the columns that differ from run to run

_FIRST = ("epoch", "cost", "running_accuracy", "learning_rate", *TIMES)


class History:
    """The columns of a training, one value for each epoch.

    ``history["cost"]`` is the mean of the batches' costs, each before its step's update: it comes free
    of charge, and lags behind what the network costs at the end of the epoch.

    Attributes
    ----------
    running : dict of lists
        The running accuracy within epochs, at every ``running_every``-th sample: "samples" seen since
        the training began, the "epoch" they are, a broken number, and "running_accuracy". Empty lists
        where it was not asked for.
    stopped : str
        Why the training ended: "" (all epochs done), "early stopping", "callback", "time limit",
        "interrupted", "converged" (the cost of the training data falls no more: of L-BFGS and the
        estimators); of L-BFGS also "evaluations" (all done) and "no further descent".
    kept : int or None
        The epoch whose parameters early stopping has left in the network; None where they are the
        latest, or a mean.

    Examples
    --------
    >>> history = History()
    >>> history.append({"epoch": 1, "cost": 0.5})
    >>> history["cost"], len(history)
    ([0.5], 1)
    """

    def __init__(self) -> None:
        self.columns: dict[str, list[float]] = {}
        self.running: dict[str, list[float]] = {name: [] for name in RUNNING}
        self.stopped = ""
        self.kept: int | None = None

    def append(self, row: dict[str, float]) -> None:
        """Add an epoch; a column that is new, or missing, is filled with NaN."""
        n = len(self)
        for name in row:
            self.columns.setdefault(name, [float("nan")] * n)
        for name, values in self.columns.items():
            values.append(row.get(name, float("nan")))

    def __getitem__(self, column: str) -> list[float]:
        if column not in self.columns:
            raise KeyError(f"history has no column {column!r}; it has {', '.join(self.columns)}")
        return self.columns[column]

    def __contains__(self, column: object) -> bool:
        return column in self.columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def to_dict(self) -> dict[str, list[float]]:
        """Return a dict of lists, one value for each epoch, ready for a data frame."""
        return {name: list(values) for name, values in self.columns.items()}

    def row(self, i: int) -> dict[str, float]:
        """Return an epoch as a dict."""
        return {name: values[i] for name, values in self.columns.items()}

    def rows(self) -> list[dict[str, float]]:
        """Return a dict for each epoch."""
        return [self.row(i) for i in range(len(self))]

    def to_csv(self) -> str:
        """Return the table as CSV text with a header line.

        What was noted within epochs are rows as well, with a broken number of epochs and no value in
        the other columns.
        """
        rows: list[dict[str, float]] = self.rows()
        noted = zip(self.running["epoch"], self.running["running_accuracy"], strict=True)
        rows += [{"epoch": at, "running_accuracy": share} for at, share in noted if at % 1]
        names = list(self.columns) or (_FIRST if rows else [])  # no epoch may have ended yet
        out = io.StringIO()
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["epoch"]))
        return out.getvalue()

    def __str__(self) -> str:
        """Return the table, at most 12 epochs of it: the first two and the last ten."""
        names = list(self.columns)
        shown = [i for i in range(len(self)) if i < 2 or i >= len(self) - 10]
        table = [names] + [[_short(name, self.columns[name][i]) for name in names] for i in shown]
        widths = [max(len(row[j]) for row in table) for j in range(len(names))]
        lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in table]
        if len(shown) < len(self):
            lines.insert(3, "...".rjust(widths[0]))
        if self.stopped:
            lines.append(f"stopped: {self.stopped}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<History of {self._epochs()}: {', '.join(self.columns)}>"

    def _epochs(self) -> str:
        return f"{len(self)} epoch{'' if len(self) == 1 else 's'}"

    def _repr_html_(self) -> str:
        from clearprop.page import inert, joined, lines, tag

        ended = f"stopped: {self.stopped}" if self.stopped else ""
        kept, mark = "", None
        if self.kept is not None:
            kept, mark = f"epoch {self.kept:,} is kept", (float(self.kept), "kept")
        parts = [tag("p", ", ".join(filter(None, (self._epochs(), ended, kept))))]
        for panel in self._panels() if len(self) else ():
            title = "cost" if panel[0].endswith("cost") else "metrics"
            named = {name.replace("_", " "): self.columns[name] for name in panel}
            parts.append(lines(title, self["epoch"], named, axis="epoch", mark=mark))
        table = tag("pre", str(self), style="overflow-x: auto")
        parts.append(tag("details", tag("summary", inert("every column")), table))
        return tag("div", joined(parts, "\n"))

    def _panels(self) -> list[list[str]]:
        """Return the columns that are drawn together: costs, and metrics."""
        names = [name for name in self.columns if name not in ("epoch", "learning_rate", *TIMES)]
        costs = [name for name in names if name.endswith("cost")]
        return [each for each in (costs, [n for n in names if n not in costs]) if each]

    def plot(self, path: str | None = None) -> Figure:
        """Draw costs and metrics against epochs; return the matplotlib figure, which a cell shows.

        The epoch that is kept is marked.

        Parameters
        ----------
        path : str, optional
            Where to save the picture; the ending decides the format.

        Raises
        ------
        ImportError
            If matplotlib is not installed (the extra ``plot``).
        """
        panels = self._panels()
        figure = new_figure("history.plot", figsize=(5.5 * max(len(panels), 1), 4))
        from matplotlib.ticker import MaxNLocator

        for number, panel in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), number)
            for name in panel:
                style = "-" if name.startswith("validation") or len(panel) == 1 else "--"
                axes.plot(self["epoch"], self.columns[name], style, label=name.replace("_", " "))
            if self.running["epoch"] and "running_accuracy" in panel:
                axes.plot(self.running["epoch"], self.running["running_accuracy"], "k:", linewidth=1)
            if self.kept is not None:
                axes.axvline(self.kept, color="0.5", linestyle=":", label=f"kept: epoch {self.kept:,}")
            axes.set_xlabel("epoch")
            axes.set_title("cost" if panel[0].endswith("cost") else "metrics", loc="left")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            axes.legend(frameon=False)
            axes.spines[["top", "right"]].set_visible(False)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def _short(name: str, value: float) -> str:
    if name == "epoch":
        return str(int(value))
    if name == "samples_per_second":
        return f"{value:,.0f}"
    return f"{value:.2f}" if name == "seconds" else f"{value:.5g}"
