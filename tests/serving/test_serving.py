"""A served model answers rows as it does in Python, whoever asks beside; what is wrong is said and harms nobody."""

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import numpy as np
import pandas
import pytest

pytest.importorskip("uvicorn")

import clearprop as cp
from clearprop import engines
from clearprop.cli import app
from clearprop.cli import model as model_files
from clearprop.serving import limits
from clearprop.serving.answers import Answers
from clearprop.serving.gathering import Gathering
from clearprop.serving.running import Serving

JSON = {"Content-Type": "application/json"}


def table(n=80):
    rng = np.random.default_rng(5)
    tenure = [None if rng.random() < 0.1 else int(k) for k in rng.integers(1, 72, n)]
    columns = {
        "id": [f"{k:05}" for k in range(n)],
        "tenure": tenure,
        "contract": rng.choice(["month", "month", "year", "two years"], n).tolist(),
        "since": [
            f"2020-{m:02}-{d:02}"
            for m, d in zip(rng.integers(1, 13, n), rng.integers(1, 28, n), strict=True)
        ],
        "charge": np.round(rng.normal(60, 20, n), 2).tolist(),
    }
    frame = pandas.DataFrame(columns)
    return frame, np.where(frame["charge"] + rng.normal(0, 9, n) > 60, "stays", "goes")


def rows_of(frame):
    return json.loads(frame.to_json(orient="records"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    frame, y = table()
    model = cp.MLPClassifier(
        (5, 3), preset="realmlp-s", calibrate=False, batch_size=16, max_iter=9, random_state=0
    ).fit(frame, y)
    found = tmp_path_factory.mktemp("served") / "model.safetensors"
    model.save(found)
    return found


def answers_of(path):
    net = model_files.load_answering(str(path))
    if not isinstance(net, cp.Network):
        return Answers(net.members, net.outputs)
    made = net.model
    return Answers([made], lambda X: engines.predict(made.architecture, made.parameters, X))


class Running:
    """A server in a thread of its own."""

    def __init__(self, path, host="127.0.0.1"):
        self.said = []
        about = {"model": path.name, "clearprop": cp.__version__}
        self.serving = Serving(lambda: (answers_of(path), about), host, 0, self.said.append)
        self.port = self.serving._port["port"]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(
            target=self.loop.run_until_complete, args=(self.serving.serve(),), daemon=True
        )
        self.thread.start()

    def ask(self, body=None, route="/predict", method=None, headers=None, raw=False):
        method = method or ("GET" if body is None else "POST")
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            wire.request(method, route, sent, JSON if headers is None else headers)
            got = wire.getresponse()
            text = got.read()
            return got.status, (text if raw else json.loads(text))
        finally:
            wire.close()

    def end(self):
        self.loop.call_soon_threadsafe(self.serving.end)
        self.thread.join(40)
        assert not self.thread.is_alive()
        self.loop.close()


@pytest.fixture(scope="module")
def served(path):
    running = Running(path)
    yield running
    running.end()


def test_a_row_and_rows_are_answered_as_in_python(served, path):
    frame, _ = table()
    model, rows = cp.MLPClassifier.load(path), rows_of(frame)
    status, said = served.ask(rows[:7])
    assert status == 200
    p = model.predict_proba(frame[:7])
    for row, each in enumerate(said):
        assert each["prediction"] == model.predict(frame[:7])[row]
        np.testing.assert_allclose(list(each["probabilities"].values()), p[row], rtol=1e-5)
        assert list(each["probabilities"]) == ["goes", "stays"]
    assert served.ask(rows[3]) == (200, said[3])
    assert served.ask([rows[3]]) == (200, [said[3]])
    without = {name: cell for name, cell in rows[3].items() if name != "id"}  # which was left out
    assert served.ask(without) == (200, said[3])
    many = [rows[k % 80] for k in range(300)]
    assert served.ask(many) == (
        200,
        [served.ask(rows[k % 80])[1] for k in range(80)] * 3
        + [served.ask(rows[k])[1] for k in range(60)],
    )


def test_an_answer_does_not_depend_on_what_is_answered_beside_it(served):
    rows = rows_of(table()[0])
    alone = [served.ask(row, raw=True)[1] for row in rows]
    with ThreadPoolExecutor(16) as threads:
        beside = list(threads.map(lambda row: served.ask(row, raw=True)[1], rows * 3))
    assert beside == alone * 3
    assert len(set(alone)) > 70


def test_requests_that_wait_are_answered_together_and_one_that_is_wrong_alone_is_refused(path):
    made, asked = answers_of(path), []
    made.prepare()
    rows = rows_of(table()[0])
    counting = Answers(made.models, lambda X: asked.append(len(X)) or made.outputs(X))

    async def all_at_once():
        gathering = Gathering(counting)
        wrong = rows[4] | {"charge": "a lot"}
        waits = [gathering.ask([row]) for row in [*rows[:4], wrong, *rows[5:20]]]
        return await asyncio.gather(*waits, return_exceptions=True)

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests keeps a loop in this one
        found = thread.submit(asyncio.run, all_at_once()).result()
    assert asked == [19]
    assert isinstance(found[4], limits.Refused)
    alone = [made.answer(made.inputs([row])) for row in rows[:20]]
    assert [each for k, each in enumerate(found) if k != 4] == [
        each for k, each in enumerate(alone) if k != 4
    ]


WRONG = [
    ({"tenure": 5, "contract": "year", "since": "2020-01-01"}, 422, "row 0 lacks 'charge'", "charge"),
    (
        {"charges": 1},
        422,
        r"row 0 has 'charges', which the model does not know \(did you mean 'charge'\?\)",
        "charges",
    ),
    (
        {"charge": "a lot"},
        422,
        "the row must hold numbers, got 'a lot': row 0, column 'charge'",
        "charge",
    ),
    ({"since": "yesterday"}, 422, "must hold dates such as .* got 'yesterday': row 0", "since"),
    (
        {"charge": [1, 2]},
        422,
        "'charge' of row 0 must be a text, a number, true, false or null, got an array",
        "charge",
    ),
    ({"contract": {"a": 1}}, 422, "'contract' of row 0 must be a text.* got an object", "contract"),
    ({"charge": 1e300}, 422, "must fit in float32", None),
]


@pytest.mark.parametrize(("change", "status", "sentence", "field"), WRONG)
def test_what_is_wrong_with_a_row_is_said_with_its_row_and_field(
    served, change, status, sentence, field
):
    row = rows_of(table()[0])[2]
    wrong = change if "contract" in change and "since" in change else row | change
    for asked, number in ((wrong, 0), ([row] * 3 + [wrong], 3)):
        found, said = served.ask(asked)
        assert found == status
        assert re.search(sentence.replace("row 0", f"row {number}"), said["error"]), said
        if field:
            assert (said["row"], said["field"]) == (number, field)
    assert served.ask(row)[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "the body must be JSON"),
        (b"{", 400, "the body must be JSON"),
        (b'{"charge": NaN}', 400, "every number must be finite, got NaN"),
        (b'{"charge": 1, "charge": 2}', 400, "every name must stand once, got 'charge' twice"),
        (b"\xff\xfe", 400, "the body must be JSON"),
        (b"[" * 1_000_000, 400, "nested at most 32 deep, got 1000000"),
        (b'{"a":' * 1_000_000, 400, "nested at most 32 deep"),
        (b"[" * 10_000_000, 413, "the body must have at most 8,388,608 bytes"),
        (b"[]", 422, "with one row at least"),
        (b'"row"', 422, "must be a row, or an array of rows"),
        (b"[1, 2]", 422, "row 0 must be an object or an array, got 1"),
        (b"[[1, 2]]", 422, "a row must be an object with a value for each column"),
        (b"[" + b"{}," * 10_000 + b"{}]", 413, "a request must have at most 10,000 rows, got 10,001"),
    ],
    ids=range(13),
)
def test_a_body_that_is_none_is_refused_in_a_sentence(served, body, status, sentence):
    found, said = served.ask(body)
    assert found == status
    assert sentence in said["error"]
    assert served.ask(rows_of(table()[0])[2])[0] == 200


def test_who_may_not_ask_is_refused(served):
    row = rows_of(table()[0])[2]
    assert served.ask(row, headers={"Content-Type": "text/plain"})[0] == 415
    assert served.ask(row, headers=JSON | {"Origin": "http://evil.example"})[0] == 403
    assert served.ask(row, headers=JSON | {"Host": "evil.example"})[0] == 403
    assert served.ask(row, headers=JSON | {"Origin": f"http://127.0.0.1:{served.port}"})[0] == 200
    assert served.ask(row, headers=JSON | {"Host": f"localhost:{served.port}"})[0] == 200
    assert served.ask(route="/predict")[0] == 405
    status, said = served.ask(route="/nothing")
    assert (status, said["error"][:8]) == (404, "there is")


def test_more_than_is_said_and_less_than_is_said_are_refused(served, monkeypatch):
    monkeypatch.setattr("clearprop.serving.application.BODY_SECONDS", 0.3)
    head = (
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        % served.port
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as wire:
        wire.sendall(head + b"Content-Length: 100\r\n\r\n{")
        assert b"408" in wire.recv(1 << 12)
    monkeypatch.setattr("clearprop.serving.application.MOST_BYTES", 1000)
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as wire:
        wire.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"[" * 1024 + b"\r\n")
        assert b"413" in wire.recv(1 << 12)


def test_the_schema_is_of_what_is_taken_and_openapi_of_what_is_said(served):
    rows = rows_of(table()[0])
    _, schema = served.ask(route="/schema")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(rows[2], schema)
    jsonschema.validate(rows, schema)
    for change, status, *_ in WRONG[:2] + WRONG[4:6]:
        wrong = change if "since" in change else rows[2] | change
        assert status == 422
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
    _, described = served.ask(route="/openapi.json")
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {"/predict", "/schema", "/health"}
    _, said = served.ask(rows[2])
    jsonschema.validate(said, described["components"]["schemas"]["answer"])
    _, wrong = served.ask(rows[2] | {"charge": "a lot"})
    jsonschema.validate(wrong, described["components"]["schemas"]["error"])
    _, health = served.ask(route="/health")
    assert (health["status"], health["model"]) == ("ok", "model.safetensors")
    status, page = served.ask(route="/", raw=True)
    text = page.decode()
    assert status == 200
    assert "contract" in text
    assert "script-src 'none'" in text
    example = re.search(r"-d &#x27;(\{.*?\})&#x27;", text)[1].replace("&quot;", '"')
    assert served.ask(json.loads(example))[0] == 200


def test_arrays_quantities_and_ensembles_are_served_too(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    two = cp.MLPRegressor(hidden_layer_sizes=(5,), preset="realmlp-s", max_iter=2, random_state=0)
    two.fit(X, pandas.DataFrame({"up": X[:, 0], "down": X[:, 1]}))
    two.save(tmp_path / "two.safetensors")
    made = answers_of(tmp_path / "two.safetensors")
    (said,) = made.answer(made.inputs([X[3].tolist()]))
    np.testing.assert_allclose(list(said["prediction"].values()), two.predict(X[3:4])[0], rtol=1e-5)
    assert list(said["prediction"]) == ["up", "down"]
    for row, wrong in (
        ([1, 2, 3], "row 0 must hold 4 numbers, got 3"),
        ([1, 2, 3, "x"], "'3' of row 0 must be a number, got 'x'"),
        ({"a": 1}, "row 0 must be an array of 4 numbers, got an object"),
    ):
        with pytest.raises(limits.Refused, match=wrong):
            made.inputs([row])
    named = cp.MLPRegressor(hidden_layer_sizes=(5,), preset="realmlp-s", max_iter=2, random_state=0)
    named.fit(pandas.DataFrame(X, columns=list("abcd")), X[:, 0]).save(tmp_path / "named.safetensors")
    made = answers_of(tmp_path / "named.safetensors")
    row = dict(zip("abcd", X[3].tolist(), strict=True))
    assert made.answer(made.inputs([row])) == made.answer(made.inputs([X[3].tolist()]))
    for wrong, sentence in (
        ({"a": 1}, "row 0 lacks 'b'"),
        (row | {"e": 1}, "row 0 has 'e'"),
        (row | {"a": True}, "'a' of row 0 must be a number"),
    ):
        with pytest.raises(limits.Refused, match=sentence):
            made.inputs([wrong])


def test_the_file_is_read_again_and_one_that_is_broken_is_not(path, tmp_path):
    frame, y = table()
    now = tmp_path / "model.safetensors"
    now.write_bytes(path.read_bytes())
    running = Running(now)
    row = rows_of(frame)[2]
    before = running.ask(row)
    cp.MLPClassifier(
        (5, 3), preset="realmlp-s", calibrate=False, batch_size=16, max_iter=9, random_state=1
    ).fit(frame, y).save(now)
    assert running.ask(row) == before

    def again():
        asyncio.run_coroutine_threadsafe(running.serving.read_again(), running.loop).result(30)

    again()
    after = running.ask(row)
    assert after[0] == 200
    assert after != before
    now.write_bytes(b"no model")
    again()
    assert running.said[0] == "the model was read again"
    assert running.said[1].startswith("the model stays as it was: ")
    assert running.ask(row) == after
    running.end()


def test_what_was_asked_is_answered_before_it_ends(path):
    running = Running(path)
    body = json.dumps(rows_of(table()[0])[2]).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as wire:
        wire.sendall(head.encode() + body[:9])
        while not running.serving._server.server_state.tasks:
            time.sleep(0.01)
        running.loop.call_soon_threadsafe(running.serving.end)
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), timeout=5).close()
        wire.sendall(body[9:])
        assert wire.recv(1 << 12).startswith(b"HTTP/1.1 200")
    running.end()


@pytest.mark.slow
def test_the_command_serves_until_a_signal_ends_it(path):
    command = [sys.executable, "-m", "clearprop", "serve", str(path), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    port = int(re.search(r"answers at http://127.0.0.1:(\d+)/", line)[1])
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    wire.request("POST", "/predict", json.dumps(rows_of(table()[0])[2]), JSON)
    assert wire.getresponse().status == 200
    wire.close()
    os.kill(process.pid, signal.SIGHUP)
    assert process.stderr.readline() == "clearprop: the model was read again\n"
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_the_command_says_what_it_needs(path, capsys, monkeypatch):
    def refused(*arguments):
        with pytest.raises(SystemExit) as ended:
            app.main(["serve", *map(str, arguments)])
        assert ended.value.code == 2
        return capsys.readouterr().err

    monkeypatch.setattr(app, "_listen", lambda: None)
    assert "--port must be in 0 to 65535, got 70000" in refused(path, "--port", 70000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port must be one that is free, got {port}" in refused(path, "--port", port)
    assert "there is no file" in refused(path.with_name("absent.safetensors"))
    assert "--host must be" in refused(path, "--host", "no.such.host.invalid", "--port", 0)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "clearprop.serving.running")
    assert "pip install 'clearprop[serve]'" in refused(path)
