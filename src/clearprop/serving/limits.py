"""What a request may take, and how one that may not is refused."""

from __future__ import annotations

from typing import Any

MOST_BYTES = 8 << 20  # of a body
MOST_ROWS = 10_000  # of a request
MOST_WAITING = 100_000  # rows of all requests that are not answered yet
MOST_CONNECTIONS = 1024
BODY_SECONDS = 10.0  # in which a body must have come
LEAVE_SECONDS = 30  # in which requests are answered that are there when it ends


class Refused(Exception):
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    sentence : str
    row : int, optional
        Of the request, counted from 0.
    field : str, optional
    """

    def __init__(
        self, status: int, sentence: str, row: int | None = None, field: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.status, self.row, self.field = status, row, field

    @property
    def body(self) -> dict[str, Any]:
        """What is answered instead."""
        where = {"row": self.row, "field": self.field}
        return {"error": str(self)} | {name: each for name, each in where.items() if each is not None}
