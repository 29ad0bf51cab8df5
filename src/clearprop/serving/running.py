"""A model served until it is told to end: SIGTERM and Ctrl-C end it, SIGHUP reads its file again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from clearprop.serving.answers import Answers
from clearprop.serving.application import Door, Served
from clearprop.serving.limits import LEAVE_SECONDS, MOST_CONNECTIONS
from clearprop.watching import address
from clearprop.watching.server import Connection

Loaded = tuple[Answers, dict[str, Any]]
_LOOPBACK = ("127.0.0.1", "localhost")


class _Connection(Connection):
    most = MOST_CONNECTIONS


class _Server(uvicorn.Server):  # type: ignore[misc]
    """Leaves signals to its owner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class Serving:
    """A server of one model.

    Parameters
    ----------
    load : callable
        Reads the model from its file, and what /health says of it.
    host : str
        The interface that it listens on.
    port : int
        0 for any that is free.
    say : callable
        Told what happens, in sentences.

    Attributes
    ----------
    url : str

    Raises
    ------
    ValueError
        If the port is taken, or the model cannot be read.
    """

    def __init__(
        self, load: Callable[[], Loaded], host: str, port: int, say: Callable[[str], None]
    ) -> None:
        self._load, self._say = load, say
        answers, about = load()
        answers.prepare()
        try:
            self._socket = address.listen(port, host)
        except OSError as problem:
            raise ValueError(
                f"--host must be an address of this machine, got {host!r}: {problem.strerror}"
            ) from None
        number = self._socket.getsockname()[1]
        self._port = {"port": number}
        self._served = Served(answers, about | self._port)
        self.url = f"http://{host}:{number}/"
        own = {f"{name}:{number}".encode() for name in _LOOPBACK}
        config = uvicorn.Config(
            Door(self._served.app, own if host in _LOOPBACK else None), http=_Connection, ws="none",
            lifespan="off", loop="asyncio", log_config=None, log_level="critical", access_log=False,
            server_header=False, proxy_headers=False, h11_max_incomplete_event_size=1 << 16,
            timeout_keep_alive=30, timeout_graceful_shutdown=LEAVE_SECONDS,
        )  # fmt: skip
        self._server = _Server(config)

    def run(self) -> None:
        """Answer until it is told to end, and then what was asked before."""
        with asyncio.Runner() as runner:
            runner.run(self.serve())

    async def serve(self) -> None:
        """Answer until it is told to end, in a loop that runs already."""
        loop, reading = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def read_again() -> None:
            task = loop.create_task(self.read_again())
            reading.add(task)
            task.add_done_callback(reading.discard)

        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # a thread, Windows
            for name in ("SIGINT", "SIGTERM"):
                loop.add_signal_handler(getattr(signal, name), self.end)
            loop.add_signal_handler(signal.SIGHUP, read_again)
        await self._server.serve([self._socket])

    def end(self) -> None:
        """Take no more requests, and end when those that are there are answered."""
        self._server.should_exit = True

    async def read_again(self) -> None:
        """Read the model's file again; what cannot be read leaves the old one in its place."""
        try:
            answers, about = await asyncio.to_thread(self._load)
            await asyncio.to_thread(answers.prepare)
        except (ValueError, OSError) as problem:
            self._say(f"the model stays as it was: {problem}")
            return
        self._served.exchange(answers, about | self._port)
        self._say("the model was read again")
