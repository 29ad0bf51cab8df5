"""Requests to a server on a port of this machine, written byte by byte: also those no browser makes."""

import json
import socket
import time
from urllib.parse import parse_qs, urlsplit


def connected(url):
    """Return a connection to a server."""
    return socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=20)


def token_of(url):
    return parse_qs(urlsplit(url).query)["token"][0]


def request(url, target=None, method="GET", headers=(), body=b"", host=None, version="1.1"):
    """Return the bytes of a request; ``host=()`` sends none, several send several."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if target is None else target
    hosts = [parts.netloc] if host is None else ([host] if isinstance(host, str) else host)
    lines = [f"{method} {target} HTTP/{version}", *(f"Host: {each}" for each in hosts)]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def ask(url, *args, **how):
    """Return status, headers and body of what a server answers."""
    with connected(url) as wire:
        wire.sendall(request(url, *args, **how))
        return answer(wire)


def answer(wire):
    """Return status, headers and body; the status is 0 where the server hung up."""
    got = b""
    try:
        while part := wire.recv(1 << 16):
            got += part
    except ConnectionResetError:
        pass
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]) if first else 0, headers, body.decode()


def wish(url, what, origin=None, token=None, kind="application/json", body=None, **more):
    """Ask a server for something; return the answer."""
    parts = urlsplit(url)
    headers = [
        ("Origin", f"http://{parts.netloc}" if origin is None else origin),
        ("X-Clearprop-Token", token_of(url) if token is None else token),
        ("Content-Type", kind),
    ]
    sent = json.dumps({"do": what} | more).encode() if body is None else body
    return ask(url, "/do", "POST", headers, sent)


class Events:
    """What a server streams, message by message."""

    def __init__(self, url):
        self.wire = connected(url)
        parts = urlsplit(url)
        self.wire.sendall(request(url, f"/events?{parts.query}"))
        self._got = b""

    def __iter__(self):
        while True:
            while b"\n\n" in self._got:
                event, self._got = self._got.split(b"\n\n", 1)
                for line in event.splitlines():
                    if line.startswith(b"data: "):
                        yield json.loads(line.removeprefix(b"data: "))
            try:
                part = self.wire.recv(1 << 16)
            except ConnectionResetError:
                return
            if not part:
                return
            self._got += part

    def until(self, holds, seconds=60.0):
        """Return the first message that fulfils a condition."""
        end = time.monotonic() + seconds
        for message in self:
            if holds(message):
                return message
            assert time.monotonic() < end, message
        raise AssertionError("the stream has ended")

    def close(self):
        self.wire.close()
