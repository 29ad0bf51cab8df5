"""What a request must be before anything answers it.

Any page in the user's browser can send requests to this machine, under any name that leads to it; and
every user of the machine can. So a request must name this very address (no name that was bent to it),
must not come from another site's page, and must know the token.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

TOKEN_HEADER = b"x-clearprop-token"
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),  # a request each: nobody holds a connection without asking
    (b"content-security-policy", b"frame-ancestors 'none'; object-src 'none'; base-uri 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class Guard:
    """Lets an app see only the requests of its own page.

    Parameters
    ----------
    app : callable
        ASGI.
    port : int
    token : str
    """

    def __init__(self, app: App, port: int, token: str) -> None:
        self.app, self._token = app, token.encode()
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request, or refuse it."""
        refused = self._refusal(scope)
        if refused is None:
            await self.app(scope, receive, _with_headers(send))
            return
        status, why = refused
        plain = [(b"content-type", b"text/plain"), (b"content-length", str(len(why)).encode())]
        head = {"type": "http.response.start", "status": status, "headers": [*plain, *_HEADERS]}
        await send(head)
        await send({"type": "http.response.body", "body": why.encode()})

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope["headers"])
        host = headers.only(b"host")
        if host is None or host.lower() not in self._hosts:
            return 403, "the Host must be this server's own"
        changes, origin = scope["method"] != "GET", headers.only(b"origin")
        if (changes or headers.has(b"origin")) and origin != b"http://" + host.lower():
            return 403, "the Origin must be this server's own"
        site = headers.only(b"sec-fetch-site")
        # A link may lead to the page itself, but no other page may ask for more.
        is_asked_by_page = scope["path"] != "/"
        if (
            headers.has(b"sec-fetch-site")
            and is_asked_by_page
            and site not in (b"same-origin", b"none")
        ):
            return 403, "the request must be the page's own"
        if scope["method"] not in ("GET", "POST"):
            return 405, "the method must be GET or POST"
        given = headers.only(TOKEN_HEADER) if changes else _in_query(scope["query_string"])
        if given is None or not hmac.compare_digest(given, self._token):
            return 403, "the token is missing or wrong: open the address that was printed"
        return None


class Headers:
    """The headers of a request as they came, names in lower case."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._headers = headers

    def has(self, name: bytes) -> bool:
        """Return whether there is any of that name."""
        return any(key == name for key, _ in self._headers)

    def only(self, name: bytes) -> bytes | None:
        """Return the value of the only header of that name; None where there are none or several."""
        found = [value for key, value in self._headers if key == name]
        return found[0] if len(found) == 1 else None


def _in_query(query: bytes) -> bytes | None:
    try:
        found = parse_qs(query, max_num_fields=4).get(b"token", [])
    except ValueError:
        return None
    return found[0] if len(found) == 1 else None


def _with_headers(send: Any) -> Any:
    async def sends(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_HEADERS]
        await send(message)

    return sends
