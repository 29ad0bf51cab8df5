"""One latest message for any number of clients; nobody waits for any of them.

Every message is whole, so a client that was slow has missed nothing that the next one does not tell.
All that is kept is the latest: what a slow client has not taken is never queued for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

LEAST_SECONDS, MOST_SECONDS = 0.2, 30.0  # between two messages to a client
SHARE = (
    0.015  # of the process's CPU time that sending may take: of many clients each gets fewer messages
)
_SILENCE = 15.0  # seconds after which a client is told that the server is there
_RETRY = 1000  # milliseconds after which a page asks again


class Broadcast:
    """The latest message, and the clients that are to have it; used inside one event loop.

    Attributes
    ----------
    revision : int
        Of the latest message: it grows by one with each.
    n_clients : int
    """

    def __init__(self) -> None:
        self.revision = self.n_clients = 0
        self._message: dict[str, Any] | None = None
        self._event = b""
        self._arrived, self._next, self._hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._is_last = self._is_told = False

    def put(self, message: dict[str, Any], last: bool = False) -> None:
        """Replace the latest message; after the `last` one every client's stream ends.

        One whose "state" is not "training" slows nothing down, and is sent at once.
        """
        self.revision += 1
        self._message = message | {"revision": self.revision}
        self._is_last = self._is_last or last
        self._arrived.set()
        if last or message.get("state") != "training":
            self._hurry.set()

    async def pass_on(self) -> None:
        """Hand messages to the clients, no more often than fits the share, until the last one."""
        while True:
            await self._arrived.wait()
            self._is_told = self._is_last
            began, so_far, now = time.thread_time(), time.process_time(), time.monotonic()
            self._hand_on()
            if self._is_told:
                return
            await self._rest()  # in which the clients are sent it
            enough = so_far + (time.thread_time() - began) / SHARE
            while time.process_time() < enough and time.monotonic() < now + MOST_SECONDS:
                if not await self._rest():
                    break

    async def _rest(self) -> bool:
        """Return, after a while, whether there is still no hurry."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), LEAST_SECONDS)
        return not self._hurry.is_set()

    def _hand_on(self) -> None:
        self._arrived.clear()
        self._hurry.clear()
        data = json.dumps(self._message, allow_nan=False, separators=(",", ":"))
        self._event = f"id: {self.revision}\nretry: {_RETRY}\ndata: {data}\n\n".encode()
        waiting, self._next = self._next, asyncio.Event()
        waiting.set()

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield server-sent events: the latest message, then newer ones as this client takes them."""
        self.n_clients += 1
        seen = b""
        try:
            while True:
                following = self._next
                if self._event is not seen and self._event:
                    seen = self._event
                    yield seen
                    continue
                if self._is_told:
                    return
                try:
                    await asyncio.wait_for(following.wait(), _SILENCE)
                except TimeoutError:
                    yield b": here\n\n"
        finally:
            self.n_clients -= 1
