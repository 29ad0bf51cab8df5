"""What there is in a notebook: whether one is running, and figures that its cells show."""

from __future__ import annotations

import io
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def is_running() -> bool:
    """Return whether this runs in a notebook's kernel, which shows more than text."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None  # a terminal's shell has none


def new_figure(what: str, **how: Any) -> Figure:
    """Return an empty matplotlib figure, which the cell that ends in it shows once.

    It is none of pyplot's: those are shown at the end of a cell as well, a second time.

    Parameters
    ----------
    what : str
        What is drawn, for the message.
    **how
        As for ``matplotlib.figure.Figure``.

    Raises
    ------
    ImportError
        If matplotlib is not installed (the extra ``plot``).
    """
    try:
        from matplotlib.figure import Figure  # noqa: F401
    except ImportError:
        raise ImportError(f"{what} needs matplotlib: pip install 'clearprop[plot]'") from None
    made: Figure = _shown()(layout="constrained", **how)
    return made


@cache
def _shown() -> type[Figure]:
    from matplotlib.figure import Figure

    class CellFigure(Figure):  # type: ignore[misc, unused-ignore]
        """A figure that says itself how it is shown, also where pyplot was never imported."""

        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png", dpi=100)
            return out.getvalue()

    return CellFigure
