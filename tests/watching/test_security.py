"""Who may ask the server of a training, and what it answers everybody else: the page's own requests alone."""

import re
import time

import pytest

pytest.importorskip("uvicorn")

from asking import answer, ask, connected, request, token_of, wish
from clearprop.watching import address, server
from clearprop.watching.page import page

ROUTES = ("/", "/events", "/do", "/nothing", "/../../etc/passwd")


@pytest.fixture(scope="module")
def served():
    made = server.Server(page("watch", ["2-3-1"]), 0, frozenset({"stop", "row"}))
    made.put({"said": 1})
    yield made
    made.close({"said": 2})


@pytest.fixture(autouse=True)
def _still_answers(served):
    yield
    assert ask(served.url)[0] == 200
    while served.wish() is not None:
        pass


def at(url, route):
    return f"{route}?token={token_of(url)}"


def test_the_page_is_served_to_who_knows_the_token(served):
    status, headers, body = ask(served.url)
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert body.startswith("<!DOCTYPE html>")
    assert token_of(served.url) not in body
    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "cross-origin-resource-policy": "same-origin",
        "content-security-policy": "frame-ancestors 'none'; object-src 'none'; base-uri 'none'",
        "connection": "close",
    }.items():
        assert headers[name] == value
    assert "server" not in headers


def test_the_pages_policy_allows_its_own_script_and_server_alone(served):
    body = ask(served.url)[2]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', body)[1]
    parts = dict(each.split(" ", 1) for each in policy.split("; "))
    assert parts["default-src"] == "'none'"
    assert parts["connect-src"] == "'self'"
    assert parts["script-src"].startswith("'sha256-")
    assert "unsafe" not in policy


def test_it_listens_on_the_loopback_interface_alone(served):
    assert served._server.servers[0].sockets[0].getsockname()[0] == "127.0.0.1"
    assert address.HOST == "127.0.0.1"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "host",
    [
        "evil.com", "evil.com:PORT", "127.0.0.1.evil.com:PORT", "localhost.evil.com:PORT", "127.0.0.1", "127.0.0.1:1",
        "127.0.0.2:PORT", "0.0.0.0:PORT", "[::1]:PORT", "localhost.:PORT", "127.1:PORT", "2130706433:PORT",
        "127.0.0.1:PORT@evil.com", "evil.com#127.0.0.1:PORT", "127.0.0.1:0PORT", " ", "",
        ("127.0.0.1:PORT", "evil.com"), ("127.0.0.1:PORT", "127.0.0.1:PORT"), (),
    ],
)  # fmt: skip
def test_a_forged_host_is_refused_everywhere(served, host, route):
    port = served.url.rsplit(":", 1)[1].partition("/")[0]
    hosts = [each.replace("PORT", port) for each in ([host] if isinstance(host, str) else host)]
    status, _, body = ask(served.url, at(served.url, route), host=hosts)
    assert status in (400, 403)
    assert "html" not in body
    status, _, body = ask(served.url, at(served.url, route), host=hosts, version="1.0")
    assert status in (400, 403)


@pytest.mark.parametrize("host", ["localhost:PORT", "LOCALHOST:PORT", "127.0.0.1:PORT"])
def test_a_name_of_this_machine_is_answered(served, host):
    port = served.url.rsplit(":", 1)[1].partition("/")[0]
    assert ask(served.url, host=host.replace("PORT", port))[0] == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.com", "null", "", "https://127.0.0.1:PORT", "http://127.0.0.1", "http://localhost:PORT",
     "http://127.0.0.1:PORT.evil.com", "file://", "http://127.0.0.1:PORT/"],
)  # fmt: skip
@pytest.mark.parametrize("route", ROUTES)
def test_a_forged_origin_is_refused_everywhere(served, origin, route):
    port = served.url.rsplit(":", 1)[1].partition("/")[0]
    origin = origin.replace("PORT", port)
    assert ask(served.url, at(served.url, route), headers=[("Origin", origin)])[0] == 403
    assert wish(served.url, "stop", origin=origin)[0] == 403
    assert served.wish() is None


def test_a_change_needs_an_origin_and_two_are_none(served):
    token = ("X-Clearprop-Token", token_of(served.url))
    kind = ("Content-Type", "application/json")
    assert ask(served.url, "/do", "POST", [token, kind], b'{"do": "stop"}')[0] == 403
    own = ("Origin", served.url.partition("/?")[0])
    assert ask(served.url, "/do", "POST", [own, own, token, kind], b'{"do": "stop"}')[0] == 403
    assert served.wish() is None


@pytest.mark.parametrize("route", ["/events", "/do", "/nothing"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "none, cross-site"])
def test_what_another_page_asks_for_is_refused(served, route, site):
    assert ask(served.url, at(served.url, route), headers=[("Sec-Fetch-Site", site)])[0] == 403


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "query",
    ["", "token=", "token=wrong", "token={}x", "token={}&token={}", "token[]={}", "TOKEN={}", "token=%00{}",
     "token=ü", "a=1&b=2&c=3&d=4&token={}"],
)  # fmt: skip
def test_without_the_token_nothing_is_told(served, route, query):
    given = query.replace("{}", token_of(served.url))
    status, _, body = ask(served.url, f"{route}?{given}")
    assert status == 403 if given.isascii() else status in (400, 403)
    assert "html" not in body
    assert token_of(served.url) not in body


def test_the_token_of_a_change_is_in_a_header_alone(served):
    for token in ("", "wrong", token_of(served.url)[:-1]):
        assert wish(served.url, "stop", token=token)[0] == 403
    kind, own = ("Content-Type", "application/json"), ("Origin", served.url.partition("/?")[0])
    assert ask(served.url, at(served.url, "/do"), "POST", [own, kind], b'{"do": "stop"}')[0] == 403
    assert served.wish() is None


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND"]
)
def test_other_methods_are_refused(served, method):
    own, token = ("Origin", served.url.partition("/?")[0]), ("X-Clearprop-Token", token_of(served.url))
    assert ask(served.url, at(served.url, "/do"), method, [own, token])[0] in (400, 405)


def test_a_get_changes_nothing_and_the_page_takes_no_post(served):
    assert ask(served.url, at(served.url, "/do"))[0] == 405
    own, token = ("Origin", served.url.partition("/?")[0]), ("X-Clearprop-Token", token_of(served.url))
    assert ask(served.url, "/", "POST", [own, token])[0] == 405
    assert served.wish() is None


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/%2e%2e%2f%2e%2e%2fetc/passwd", "/..\\..\\etc\\passwd", "//etc/passwd", "/etc/passwd",
     "/./.", "/%00", "/events/../../x", "/static/watch.css", "/favicon.ico", "/docs", "/openapi.json", "/do/", "//"],
)  # fmt: skip
def test_there_is_nothing_but_the_page(served, path):
    status, _, body = ask(served.url, at(served.url, path))
    assert status in (307, 404)  # 307: the same path without its last stroke, which is the page's
    assert "root:" not in body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"null", 400), (b'{"do": 1}', 400), (b'{"do": "delete"}', 400), (b'["stop"]', 400),
        (b'{"do": "stop", "more": 1}', 400), (b'{"do": "row", "row": NaN}', 400), (b'{"do": "row", "row": -1}', 400),
        (b'{"do": "row", "row": 1e999}', 400), (b'{"do": "row", "row": true}', 400), (b"\xff\xfe", 400),
        (b'{"do": "row", "row": ' + b"9" * 900 + b"}", 400), (b"[" * 1000, 400), (b'{"a":' * 150, 400),
        (b'{"do": "stop"}' + b" " * 2000, 413), (b'{"do": "row", "row": 3}', 204),
    ],
)  # fmt: skip
def test_only_small_and_known_wishes_are_taken(served, body, status):
    assert wish(served.url, "", body=body)[0] == status
    assert served.wish() == ({"do": "row", "row": 3} if status == 204 else None)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"]
)
def test_a_form_is_no_wish(served, kind):
    assert wish(served.url, "stop", kind=kind)[0] == 415
    assert served.wish() is None


def test_a_body_that_never_ends_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(server, "_ASK_SECONDS", 0.3)
    own, token = ("Origin", served.url.partition("/?")[0]), ("X-Clearprop-Token", token_of(served.url))
    head = [own, token, ("Content-Type", "application/json")]
    with connected(served.url) as wire:
        wire.sendall(request(served.url, "/do", "POST", [*head, ("Content-Length", "900")]) + b"{")
        assert answer(wire)[0] == 408
    with connected(served.url) as wire:
        sent = request(served.url, "/do", "POST", [*head, ("Transfer-Encoding", "chunked")])
        wire.sendall(sent + b"400\r\n" + b" " * 1024 + b"\r\n" + b"10\r\n" + b" " * 16 + b"\r\n")
        assert answer(wire)[0] == 413


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/9.9\r\n\r\n", b"\x00\xff\x16\x03\x01" * 100, b"GET " + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"],
)  # fmt: skip
def test_what_is_no_request_is_hung_up_on(served, sent):
    with connected(served.url) as wire:
        try:
            wire.sendall(sent)
        except OSError:
            return
        assert answer(wire)[0] in (0, 400, 403)


def test_no_second_request_comes_over_a_connection(served):
    with connected(served.url) as wire:
        wire.sendall(request(served.url) * 2)
        got = b""
        end = time.monotonic() + 20
        while part := wire.recv(1 << 16):
            got += part
            assert time.monotonic() < end
    assert got.count(b"HTTP/1.1 200") == 1


def test_hostile_names_are_inert_in_the_page():
    hostile = '</script><script>alert(1)</script>"><img src=x onerror=alert(1)>'
    html = page("watch", [hostile])
    assert "<img" not in html
    assert "alert(1)</script>" not in html
    assert html.count("<script") == 2
