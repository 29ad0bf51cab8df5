"""Worksheet: one student's exercise."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clearprop.classroom import printing, working
from clearprop.classroom.working import ACTIVATIONS, BLANKS
from clearprop.explain import notation as notations
from clearprop.explain import remarks
from clearprop.explain.document import Document
from clearprop.explain.expression import Blank, Num
from clearprop.explain.forms import Line
from clearprop.explain.glyphs import Glyphs
from clearprop.explain.notation import Notation
from clearprop.explain.printers.text import TextPrinter
from clearprop.explain.step import Step
from clearprop.names import is_number, known_name
from clearprop.network import Network
from clearprop.optimizers import SGD

if TYPE_CHECKING:
    from clearprop.classroom.marking import Marked

FORMATS = ("text", "latex", "html")
COSTS = ("quadratic", "squared_error", "cross_entropy", "binary_cross_entropy")
MOST_NEURONS, MOST_LAYERS, MOST_ROWS = 4, 4, 3  # whose numbers a sheet can all show
Key = tuple[str, int, tuple[int, ...]]  # quantity, weight layer from 1, place in its array


class Worksheet:
    """A pass with blanks in it, its key, and marks for what is filled in.

    Parameters
    ----------
    net : Network
        At most 4 inputs and neurons a layer, 4 weight layers; of sigmoid, tanh, relu, leaky_relu,
        identity and softmax. It is copied.
    X, Y : array-like
        As for ``net.trace``; at most 3 rows.
    blanks : sequence of {"forward", "deltas", "gradients", "update"}
        What is to be filled in; what comes after the last of them is not on the sheet.
    learning_rate : float
        Of the update, which is one step of gradient descent.
    notation : str or Notation
    digits : int
        Significant digits to which every result is rounded, 2 to 8.
    number, of : int
        Which sheet this is, of how many.

    Attributes
    ----------
    trace : Trace
        The engine's numbers, to 13 digits: -1.6, where sums of tenths are -1.6000000000000003.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, its rule and the value.

    Examples
    --------
    >>> net = cp.Network([1, 1], output="sigmoid", cost="quadratic", dtype="float64", seed=0)
    >>> net.weights[0][:], net.biases[0][:] = 0.4, -0.2
    >>> worksheet = Worksheet(net, [[2.0]], [[1.0]], blanks=["forward"])
    >>> print(worksheet.sheet().splitlines()[18])
      z²₁ = w²₁₁ a¹₁ + b²₁ = ____(1)                                                                (23)
    >>> print(worksheet.mark({1: 0.8, 2: 0.69}))
    Sheet 1: 1 of 3 right, 1 of them after an earlier mistake; 1 not answered
      (1) no_bias: the bias is left out of z in layer 2
    """

    def __init__(
        self,
        net: Network,
        X: Any,
        Y: Any,
        *,
        blanks: Sequence[str] = BLANKS,
        learning_rate: float = 0.5,
        notation: str | Notation = "nielsen",
        digits: int = 4,
        number: int = 1,
        of: int = 1,
    ) -> None:
        if isinstance(blanks, str) or not blanks:
            raise TypeError(f"blanks must be a list with some of {', '.join(BLANKS)}, got {blanks!r}")
        self.blanks = tuple(known_name("blanks", each, BLANKS) for each in blanks)
        if isinstance(digits, bool) or not isinstance(digits, int) or not 2 <= digits <= 8:
            raise ValueError(f"digits must be an integer in 2..8, got {digits!r}")
        if not is_number(learning_rate) or learning_rate <= 0:
            raise ValueError(f"learning_rate must be a number above 0, got {learning_rate!r}")
        self.net, self.digits = net.copy("float64"), digits
        self.learning_rate = float(learning_rate) if "update" in self.blanks else None
        self.number, self.of = number, of
        _check(self.net)
        optimizer = None if self.learning_rate is None else SGD(self.learning_rate)
        trace = self.net.trace(X, Y, optimizer)
        if not 1 <= (n := len(trace.X)) <= MOST_ROWS:
            raise ValueError(f"X must have 1 to {MOST_ROWS} rows, so that all fit on a sheet, got {n}")
        self.trace = working.shortened(trace)
        self.glyphs = Glyphs(self.trace, notations.resolve(notation))

    @cached_property
    def _told(self) -> tuple[list[Step], list[Step], list[Line]]:
        """All steps, those of the sheet with blanks, and the lines that end in one."""
        steps = working.told(self.glyphs)
        return steps, *working.with_blanks(steps, self.blanks)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The formulas that end in a blank, in the order of their numbers."""
        return tuple(self._told[2])

    @property
    def answers(self) -> tuple[Blank, ...]:
        """The blanks, with the engine's numbers that belong into them."""
        ends = (line.formula.sides[-1] for line in self.lines)
        return tuple(each for each in ends if isinstance(each, Blank))

    @cached_property
    def asked(self) -> dict[Key, Num]:
        """Every number that is asked for, in the order of the blanks."""
        found = {}
        for blank in self.answers:
            if isinstance(num := blank.answer, Num):
                found[num.quantity, num.layer, num.index] = num
        return found

    @cached_property
    def given(self) -> frozenset[Key]:
        """Every number that the sheet gives as a result."""
        return frozenset((n.quantity, n.layer, n.index) for n in working.given(self._told[1]))

    def sheet(self, format: str = "text") -> str:
        """Return the sheet to hand out, as text, LaTeX (that needs amsmath) or a page to print.

        Raises
        ------
        ValueError
            If the format is unknown.
        """
        return together([self], format)

    def key(self, format: str = "text") -> str:
        """Return the sheet with all its numbers, and the key at the end.

        Raises
        ------
        ValueError
            If the format is unknown.
        """
        return together([self], format, keys=True)

    def form(self) -> str:
        """Return the CSV file into which a student writes the answers."""
        out, printer = io.StringIO(), TextPrinter(self.digits, ascii=True)
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("blank", "quantity", "answer"))
        for number, line in enumerate(self.lines, start=1):
            rows.writerow((number, printer.inline(line.formula.sides[0]), ""))
        return out.getvalue()

    def mark(self, answers: Mapping[Any, Any]) -> Marked:
        """Return what is right, what is wrong and why: each number after those written before it.

        Parameters
        ----------
        answers : mapping
            From the number of a blank to the number in it, or from the name of an array, as in
            ``layers.0.delta``, to the array, in the shape of the trace's; what is absent, None or NaN
            was not answered.

        Raises
        ------
        ValueError, TypeError
            If there is no such blank or array, or something is no number.
        """
        from clearprop.classroom import answers as read
        from clearprop.classroom import marking

        return marking.marked(self, read.by_blank(self, answers))

    def document(self, key: bool) -> Document:
        """Return what a printer needs, of the sheet or of its key."""
        what = "step" if self.learning_rate is not None else "pass"
        title = f"Worksheet {self.number} of {self.of}: one {what}"
        steps, with_blanks, _ = self._told
        shown = steps[: len(with_blanks)] if key else with_blanks
        facts = working.facts(self.glyphs, self.digits)
        if key:
            title = f"Key to worksheet {self.number} of {self.of}"
        else:
            facts = ("Name: " + "_" * 24, *facts)
        notes = remarks.footnotes(self.glyphs, shown, self.digits)
        # What is said of the textbook is for the teacher.
        notes = (*self._once_more(), *notes) if key else notes[-1:]
        return Document(self.glyphs, title, facts, tuple(shown), notes, self.answers if key else ())

    def _once_more(self) -> tuple[str, ...]:
        """Return what the cost is after the step, and what the gradient foretold of it."""
        trace, update, factor = self.trace, self.trace.update, self.glyphs.factors.cost
        if update is None:
            return ()
        after = self.net.copy()
        for mine, new in ((after.weights, update.weights), (after.biases, update.biases)):
            for array, value in zip(mine, new, strict=True):
                if array is not None and value is not None:
                    array[:] = value
        gradients = [
            each for layer in trace.layers for each in (layer.weight_gradient, layer.bias_gradient)
        ]
        square = sum(float((each**2).sum()) for each in gradients if each is not None)
        cost = after.trace(trace.X, trace.Y).cost
        told = (cost, trace.cost - cost, float(update.learning_rate) * square)
        now, fall, foretold = (f"{factor * each:.{self.digits}g}" for each in told)
        return (
            "Forwards once more, with the new weights and biases: "
            f"{self.glyphs.notation.cost_symbol} = {now}, lower by {fall}; "
            f"every derivative times its step, added up, foretold {foretold}",
        )

    def _repr_html_(self) -> str:
        return printing.in_notebook(self.document(key=False), self.digits)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.net.sizes))
        return f"<Worksheet {self.number} of {self.of}: {sizes}, {len(self.lines)} blanks>"


def together(worksheets: Sequence[Worksheet], format: str = "text", keys: bool = False) -> str:
    """Return sheets, or their keys, in one piece, each on a page of its own.

    Raises
    ------
    ValueError
        If the format is unknown.
    """
    documents = [each.document(keys) for each in worksheets]
    return printing.printed(documents, known_name("format", format, FORMATS), worksheets[0].digits)


def _check(net: Network) -> None:
    architecture = net.architecture
    if architecture.embedding is not None or architecture.input_scale:
        raise ValueError("a worksheet's network must have no embedding and no learned input scale")
    if max(net.sizes) > MOST_NEURONS or len(net.sizes) > MOST_LAYERS + 1:
        raise ValueError(
            f"a worksheet shows every number: at most {MOST_NEURONS} neurons a layer and {MOST_LAYERS} "
            f"layers after the input, got {'-'.join(map(str, net.sizes))}"
        )
    known_name("cost", architecture.cost.name, COSTS)
    for layer in architecture.layers:
        known_name("activation", layer.function.name, ACTIVATIONS)
    if not architecture.output.elementwise and architecture.cost.form(architecture.output) is None:
        raise ValueError(
            f"softmax outputs must come with cross_entropy on a worksheet, got {architecture.cost.name}"
        )
