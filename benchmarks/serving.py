"""How fast a served model answers: python benchmarks/serving.py MODEL TABLE [--requests 100000]

MODEL is served by ``clearprop serve``; the rows of TABLE, a CSV file, are asked one in a request, over
loopback, from the same two cores:

- as many as possible: by `wrk` over 16 connections, where it is installed, else by the client below;
- half of that: an open loop, which asks when it is time to whether or not others are answered, so that
  a request that waits is counted from when it was due;
- 100,000 in which every hundredth is malformed: each must be answered, and as it should be; the
  server's memory is looked at after the first tenth and at the end.

Goals: 800 requests a second, 99 % within 25 ms at half of that, none lost, memory flat.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np

RESULTS = Path(__file__).parent / "results" / "serving.json"
CONNECTIONS, SECONDS = 16, 10.0
WRONG = (b'{"tenure": 1}', b'{"', b"[" * 1000, b'{"tenure": NaN}')
LUA = """
local bodies = {%s}
local k = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  k = k %% #bodies + 1
  return wrk.format(nil, "/predict", nil, bodies[k])
end
"""


def bodies(table: str, target: str) -> list[bytes]:
    """Return rows as JSON, without the target."""
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:2000]
    return [json.dumps({k: v for k, v in row.items() if k != target}).encode() for row in rows]


class Server:
    def __init__(self, model: str) -> None:
        command = [sys.executable, "-m", "clearprop", "serve", model, "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", self.process.stderr.readline())
        assert found is not None
        self.port = int(found[1])

    def memory(self) -> float:
        """Return MiB that are resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu(self) -> float:
        """Return seconds that were computed."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100.0

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


class Wire:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: Any = None

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"  # noqa: E501
        self.writer.write(head.encode() + body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        length = int(re.search(rb"content-length: (\d+)", lines)[1])  # type: ignore[index]
        said = await self.reader.readexactly(length)
        return int(lines.split(b" ", 2)[1]), said


async def closed_loop(
    port: int, rows: list[bytes], n: int, wrong_each: int = 0, look: Any = None
) -> dict[str, Any]:
    """Ask n requests over all connections, each when its last one is answered."""
    numbers, answers, lost = iter(range(n)), {"right": 0, "refused": 0}, 0
    known: dict[int, bytes] = {}

    async def one(wire: Wire) -> None:
        nonlocal lost
        for k in numbers:
            is_wrong = bool(wrong_each) and k % wrong_each == 0
            body = WRONG[k // wrong_each % len(WRONG)] if is_wrong else rows[k % len(rows)]
            status, said = await wire.ask(body)
            if is_wrong:
                answers["refused"] += status in (400, 422)
            else:  # the same row is answered alike, whatever is beside it
                answers["right"] += status == 200 and known.setdefault(k % len(rows), said) == said
            if look is not None and k == n // 10:
                look()

    start = time.perf_counter()
    await asyncio.gather(*(one(Wire(port)) for _ in range(CONNECTIONS)))
    seconds = time.perf_counter() - start
    return {
        "requests": n,
        "seconds": seconds,
        "per_second": n / seconds,
        "lost": n - sum(answers.values()),
        **answers,
    }


async def open_loop(port: int, rows: list[bytes], rate: float, seconds: float) -> dict[str, Any]:
    """Ask at a rate; a request waits for a connection from when it is due."""
    free: asyncio.Queue[Wire] = asyncio.Queue()
    for _ in range(4 * CONNECTIONS):
        free.put_nowait(Wire(port))
    waits: list[float] = []

    async def one(due: float, body: bytes) -> None:
        wire = await free.get()
        status, _ = await wire.ask(body)
        assert status == 200
        free.put_nowait(wire)
        waits.append(time.perf_counter() - due)

    start, tasks = time.perf_counter(), []
    for k in range(int(rate * seconds)):
        due = start + k / rate
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        tasks.append(asyncio.create_task(one(due, rows[k % len(rows)])))
    await asyncio.gather(*tasks)
    found = 1e3 * np.quantile(waits, [0.5, 0.9, 0.99, 0.999])
    return dict(
        zip(("p50_ms", "p90_ms", "p99_ms", "p999_ms"), found.round(2).tolist(), strict=True)
    ) | {"rate": rate}


def by_wrk(port: int, rows: list[bytes]) -> dict[str, Any]:
    quoted = ", ".join("[==[" + row.decode() + "]==]" for row in rows[:200])
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % quoted)
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS:g}s", "--latency", "-s", script.name]
        out = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
        ).stdout
    assert "Non-2xx" not in out, out
    return {"by": "wrk", "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])}  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("table")
    parser.add_argument("--target", default="Churn")
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    rows, server = bodies(options.table, options.target), Server(options.model)
    found: dict[str, Any] = {"machine": machine.describe()}
    asyncio.run(closed_loop(server.port, rows, 500))  # warm
    before = server.cpu()
    if shutil.which("wrk"):
        found["most"] = by_wrk(server.port, rows)
    else:
        found["most"] = asyncio.run(closed_loop(server.port, rows, 5000)) | {"by": "the client"}
    found["most"]["server_cpu_seconds"] = server.cpu() - before
    print(found["most"], flush=True)
    found["half"] = asyncio.run(open_loop(server.port, rows, 400.0, SECONDS))
    print(found["half"], flush=True)
    memory: list[float] = []
    many = closed_loop(server.port, rows, options.requests, 100, lambda: memory.append(server.memory()))
    found["many"] = asyncio.run(many) | {"mib": [*memory, server.memory()]}
    found["many"]["exit_code"] = server.end()
    print(found["many"], flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
