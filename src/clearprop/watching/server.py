"""A server of one page and its numbers, in a thread of its own with an event loop of its own.

The training hands it messages and takes from it what was asked for; it waits for neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from clearprop.watching import address
from clearprop.watching.broadcast import Broadcast
from clearprop.watching.guard import Guard

MOST_CONNECTIONS = 128
MOST_BODY = 1024  # bytes of what a page may ask for
MOST_WAITING = 16  # wishes that the training has not seen yet
_ASK_SECONDS = 5.0  # in which a connection must have asked
_STUCK_SECONDS = 60.0  # after which a client that takes nothing is let go
_LEAVE_SECONDS = 2  # in which clients may take the last message
_START_SECONDS = 30.0

Wish = dict[str, Any]


class Connection(H11Protocol):  # type: ignore[misc]
    """A connection that asks soon, takes what it is sent, and is one of few."""

    most = MOST_CONNECTIONS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override, unused-ignore]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self._stuck: asyncio.TimerHandle | None = None
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self.loop.call_later(_ASK_SECONDS, self._has_asked)

    def _has_asked(self) -> None:
        if self.cycle is None:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Wait for the client, and not for ever."""
        super().pause_writing()
        self._stuck = self.loop.call_later(_STUCK_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()


class Server:
    """Serves a page, its messages, and what is wished from it.

    Parameters
    ----------
    html : str
        The page.
    port : int
        0 for any that is free.
    wishes : collection of str
        What the page may ask for: the values of "do".

    Attributes
    ----------
    url : str
        The page's address, with the token.
    """

    def __init__(self, html: str, port: int, wishes: frozenset[str]) -> None:
        self._socket = address.listen(port)
        number, token = self._socket.getsockname()[1], address.token_for(port)
        self.url = f"http://{address.HOST}:{number}/?token={token}"
        self._html, self._known = html, wishes
        self._wishes: queue.Queue[Wish] = queue.Queue(MOST_WAITING)
        self._broadcast = Broadcast()
        routes = [
            Route("/", self._page, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/do", self._do, methods=["POST"]),
        ]
        app = Guard(Starlette(routes=routes), number, token)
        config = uvicorn.Config(
            app, http=Connection, ws="none", lifespan="off", loop="asyncio", log_config=None,
            log_level="critical", access_log=False, server_header=False, date_header=False,
            proxy_headers=False, h11_max_incomplete_event_size=1 << 14,
            timeout_graceful_shutdown=_LEAVE_SECONDS,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clearprop page", daemon=True)
        self._thread.start()
        self._ready.wait(_START_SECONDS)

    # In the thread of the training

    def put(self, message: dict[str, Any]) -> None:
        """Let every client have a message; returns at once."""
        self._soon(message, False)

    def wish(self, seconds: float = 0.0) -> Wish | None:
        """Return the next thing that was asked for; None where nothing is, after so many seconds."""
        if not seconds and not self._wishes.queue:  # asked after every epoch: this takes no lock
            return None
        with contextlib.suppress(queue.Empty):
            return self._wishes.get(block=seconds > 0, timeout=seconds or None)
        return None

    def close(self, message: dict[str, Any]) -> None:
        """Give the clients a last message, and end; a client that does not take it is left."""
        self._soon(message, True)
        self._thread.join(2.0 * _LEAVE_SECONDS + 1.0)

    def _soon(self, message: dict[str, Any], last: bool) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._broadcast.put, message, last)

    # In the server's own

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self._server.serve([self._socket]))
        self._ready.set()
        await self._broadcast.pass_on()
        self._server.should_exit = True
        await serving

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(self._html)

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(self._broadcast.stream(), media_type="text/event-stream")

    async def _do(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            raise HTTPException(415, "the body must be application/json")
        wish = _wish(await _body(request))
        if wish is None or wish["do"] not in self._known:
            raise HTTPException(400, f"do must be one of {', '.join(sorted(self._known))}")
        try:
            self._wishes.put_nowait(wish)
        except queue.Full:
            raise HTTPException(503, "too much is asked for at once") from None
        return Response(status_code=204)


async def _body(request: Request) -> bytes:
    """Return the body of a request that is small and comes soon."""
    body = b""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BODY:
                    raise HTTPException(413, f"the body must have at most {MOST_BODY} bytes")
    except TimeoutError:
        raise HTTPException(408, "the body must come at once") from None
    return body


def _wish(body: bytes) -> Wish | None:
    """Return what a body asks for, "do" and a row; None where it asks for nothing."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not isinstance(read.get("do"), str):
        return None
    row = read.get("row", 0)
    is_row = isinstance(row, int) and not isinstance(row, bool) and 0 <= row < 2**53
    return {"do": read["do"], "row": row} if is_row and not set(read) - {"do", "row"} else None
