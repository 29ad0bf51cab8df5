"""What may be asked of a served model, and by whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from clearprop.checkpoint.strict_json import parsed
from clearprop.serving import description
from clearprop.serving.answers import Answers, Row
from clearprop.serving.gathering import Gathering
from clearprop.serving.limits import BODY_SECONDS, MOST_BYTES, MOST_ROWS, Refused
from clearprop.watching.guard import App, Headers, Scope

_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Served:
    """The application around a model that may be exchanged.

    Parameters
    ----------
    answers : Answers
    about : dict
        What /health says of the model.
    """

    def __init__(self, answers: Answers, about: dict[str, Any]) -> None:
        self._gathering, self._about = Gathering(answers), about
        routes = [
            Route("/", self._page, methods=["GET"]),
            Route("/predict", self._predict, methods=["POST"]),
            Route("/schema", self._schema, methods=["GET"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            Route("/health", self._health, methods=["GET"]),
        ]
        handlers: dict[Any, Callable[..., Any]] = {
            Refused: _refused,
            HTTPException: _http_error,
            Exception: _failed,
        }
        self.app = Starlette(routes=routes, exception_handlers=handlers)

    def exchange(self, answers: Answers, about: dict[str, Any]) -> None:
        """Let another model answer from now on."""
        self._gathering.answers, self._about = answers, about

    async def _predict(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "the body must be of the content type application/json")
        asked = _rows(await _body(request))
        rows = asked if isinstance(asked, list) else [asked]
        said = await self._gathering.ask(rows)
        return _json(said if isinstance(asked, list) else said[0])

    async def _schema(self, request: Request) -> Response:
        return _json(description.schema(self._gathering.answers.model))

    async def _openapi(self, request: Request) -> Response:
        return _json(description.openapi(self._gathering.answers.model, self._about))

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(description.page(self._gathering.answers.model, self._about))

    async def _health(self, request: Request) -> Response:
        return _json({"status": "ok", **self._about})


class Door:
    """Lets requests in that are meant for this server, and no page of another site sends.

    Parameters
    ----------
    app : callable
        ASGI.
    hosts : set of bytes, optional
        What the header Host must be; None where it listens to other machines, which know it by names
        of their own.
    """

    def __init__(self, app: App, hosts: set[bytes] | None) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request, or refuse it."""
        headers = Headers(scope["headers"])
        host, origin = headers.only(b"host"), headers.only(b"origin")
        refused = None
        if host is None or (self._hosts is not None and host.lower() not in self._hosts):
            refused = Refused(403, "the Host must be this server's own")
        elif headers.has(b"origin") and origin not in (b"http://" + host, b"https://" + host):
            refused = Refused(403, "the Origin must be this server's own")
        answer: Any = self._app if refused is None else _json(refused.body, refused.status)
        await answer(scope, receive, _with_headers(send))


def _with_headers(send: Any) -> Any:
    async def sends(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_HEADERS]
        await send(message)

    return sends


async def _body(request: Request) -> bytes:
    """Return the body of a request, which is no larger than it may be and comes in time."""
    said = request.headers.get("content-length", "0")
    parts, size = [], int(said) if said.isascii() and said.isdigit() else 0
    if size <= MOST_BYTES:
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    parts.append(part)
                    size += len(part)
                    if size > MOST_BYTES:
                        break
        except TimeoutError:
            raise Refused(408, f"the body must come in {BODY_SECONDS:g} seconds") from None
        except ClientDisconnect:
            raise Refused(400, "the body must be whole") from None
    if size > MOST_BYTES:
        raise Refused(413, f"the body must have at most {MOST_BYTES:,} bytes: ask in several requests")
    return b"".join(parts)


def _rows(body: bytes) -> list[Row] | Row:
    """Return the row or the rows of a body."""
    try:
        asked = parsed(body)
    except (ValueError, RecursionError) as problem:
        raise Refused(400, f"the body must be JSON: {str(problem)[:200]}") from None
    if not isinstance(asked, dict | list) or not asked:
        raise Refused(422, "the body must be a row, or an array of rows, with one row at least")
    if isinstance(asked, dict):
        return asked
    if len(asked) > MOST_ROWS:
        raise Refused(413, f"a request must have at most {MOST_ROWS:,} rows, got {len(asked):,}")
    for number, row in enumerate(asked):
        if not isinstance(row, dict | list):
            raise Refused(422, f"row {number} must be an object or an array, got {row!r:.60}", number)
    return asked


def _json(value: object, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode(), status, media_type="application/json")


async def _refused(request: Request, problem: Refused) -> Response:
    return _json(problem.body, problem.status)


async def _http_error(request: Request, problem: HTTPException) -> Response:
    sentences = {
        404: "there is /predict, /schema, /openapi.json, /health, and a page at /",
        405: "POST is for /predict, GET for everything else",
    }
    return _json({"error": sentences.get(problem.status_code, problem.detail)}, problem.status_code)


async def _failed(request: Request, problem: Exception) -> Response:
    return _json({"error": f"the model could not answer: {type(problem).__name__}"}, 500)
