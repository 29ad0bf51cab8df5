"""A training that is watched: nothing of it changes, and messages are whole, few and bounded."""

import asyncio
import concurrent.futures
import copy
import io
import json
import pickle
import re
import socket
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("uvicorn")

import clearprop as cp
from asking import Events, ask, connected, request, wish
from clearprop.training.history import TIMES
from clearprop.watching import address, figures, server
from clearprop.watching.curve import MOST_POINTS, Curve
from clearprop.watching.observer import Observer

X = np.linspace(-1, 1, 7 * 4).reshape(7, 4)
LABELS = np.array([0, 1, 2, 0, 1, 2, 2])
Y = np.eye(3)[LABELS]
WISHES = frozenset({"stop"})


def net(**how):
    return cp.Network([4, 5, 3], "tanh", seed=0, **how)


def columns(history):
    return {name: values for name, values in history.to_dict().items() if name not in TIMES}


class Eager(Observer):
    """Has a message, and a look, whenever it is asked."""

    def due(self):
        self._next_look = 0.0
        return True


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr("clearprop.watching.watch.Observer", Eager)


@pytest.fixture
def served(monkeypatch):
    made = server.Server("<!DOCTYPE html><title>x</title>", 0, WISHES)
    made.put({"said": 0})
    yield made
    made.close({"said": -1})


# Nothing changes


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": cp.Adam(0.01), "dropout": 0.3, "validation_data": (X, Y)},
        {"optimizer": cp.LBFGS()},
        {"optimizer": "sgd", "averaging": 0.5, "running_every": 3},
    ],
    ids=["adam", "lbfgs", "averaging"],
)
def test_a_watched_run_has_the_bits_of_an_unwatched_one(eager, how):
    runs = []
    for callbacks in ([], [cp.Watch(browser=False)]):
        made = net()
        runs.append((made, made.fit(X, Y, epochs=6, batch_size=3, callbacks=callbacks, **how)))
    (alone, history), (watched, its) = runs
    np.testing.assert_array_equal(watched.parameters, alone.parameters)
    assert columns(its) == columns(history)
    assert its.running == history.running
    assert its.stopped == history.stopped


@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("members", [1, 3])
def test_an_estimator_is_watched_in_the_same_way(eager, members):
    found = []
    for callbacks in ([], [cp.Watch(browser=False)]):
        made = cp.MLPClassifier([5], max_iter=4, random_state=0, members=members, callbacks=callbacks)
        found.append(made.fit(X, LABELS))
    alone, watched = found
    np.testing.assert_array_equal(watched.network_.parameters, alone.network_.parameters)
    assert columns(watched.history_) == columns(alone.history_)


def test_an_estimator_with_a_watch_is_cloned_and_pickled():
    from sklearn.base import clone

    watch = cp.Watch(12345, browser=False)
    made = cp.MLPClassifier([5], max_iter=2, callbacks=[watch])
    assert repr(clone(made).callbacks) == repr([watch]) == "[Watch(port=12345, browser=False)]"
    assert repr(pickle.loads(pickle.dumps(watch))) == repr(copy.deepcopy(watch)) == repr(watch)


# What is told


def test_messages_have_the_engines_numbers(eager):
    told = []

    class Listener(cp.Watch):
        def _told(self, *args):
            told.append(super()._told(*args))
            return told[-1]

    made = net(dtype="float64")
    watch = Listener(browser=False)
    history = made.fit(X, Y, epochs=3, batch_size=4, validation_data=(X, Y), callbacks=[watch])
    first, *_, last = told
    assert (first["state"], last["state"], last["why"]) == ("training", "ended", "all epochs are done")
    assert (last["epoch"], last["epochs"], last["step"]) == (3, 3, 6)
    curves = {each["name"]: each["points"] for each in last["curves"]}
    for name in ("cost", "validation_cost"):
        for (_, value), true in zip(curves[name], history[name], strict=True):
            assert value == pytest.approx(true, rel=1e-5)
        assert [epoch for epoch, _ in curves[name]] == [1, 2, 3]
    trace = made.trace(X, Y)
    for shown, layer in zip(last["layers"], trace.layers, strict=True):
        for name in ("z", "a", "delta"):
            values = getattr(layer, name)
            assert shown["of"][name]["rms"] == pytest.approx(np.sqrt((values**2).mean()), rel=1e-5)
            assert shown["of"][name]["low"] == pytest.approx(values.min(), rel=1e-5)
            assert sum(shown["of"][name]["counts"]) == values.size
        assert shown["of"]["gradient"]["high"] == pytest.approx(layer.weight_gradient.max(), rel=1e-5)
    assert all(each["update"] > 0 for each in last["layers"])


def test_an_embedded_network_is_shown_without_the_rules(eager):
    told = []
    embedding = cp.embeddings.periodic()
    made = net(embedding=embedding)

    def keep(training):
        told.append(observer.message(training))

    observer = Eager()
    made.fit(X, Y, epochs=2, batch_size=3, callbacks=[keep], progress=False)
    assert len(told[-1]["layers"]) == 2
    assert told[-1]["findings"] == []


def test_findings_are_told_when_they_become_true(eager):
    told = []
    observer = Eager()
    made = cp.Network([4, 5, 1], "sigmoid", "sigmoid", "quadratic", seed=0)
    made.biases[1][:] = 9.0

    def keep(training):
        assert observer.due()
        told.append(observer.message(training))

    made.fit(
        X,
        np.zeros((7, 1)),
        epochs=5,
        batch_size=7,
        callbacks=[keep],
        progress=False,
        optimizer=cp.SGD(1e-3),
    )
    assert "D3" not in [each["id"] for each in told[0]["findings"]]  # as it may pass
    found = told[-1]["findings"][0]
    assert (found["id"], found["severity"], found["since"]) == ("D3", "error", 1)


def test_a_look_that_goes_wrong_ends_no_training(eager, monkeypatch):
    def broken(*args):
        raise RuntimeError("no figures today")

    monkeypatch.setattr("clearprop.watching.observer.layers_of", broken)
    with pytest.warns(UserWarning, match="are not shown: no figures today"):
        history = net().fit(
            X, Y, epochs=2, batch_size=7, callbacks=[cp.Watch(browser=False)], progress=False
        )
    assert len(history) == 2


def test_a_curve_is_bounded_and_keeps_every_swing():
    curve, rng = Curve(), np.random.default_rng(0)
    values = rng.normal(size=100_000)
    values[70_001] = 50.0
    for first in range(0, len(values), 937):
        part = values[first : first + 937]
        curve.extend(np.arange(first, first + len(part)), part)
        assert len(curve.points) <= 2 * MOST_POINTS
    assert (70_001, 50.0) in curve.points
    at = [epoch for epoch, _ in curve.points]
    assert at == sorted(set(at))
    assert (at[0], at[-1]) == (0, 99_999)
    assert np.diff(at).max() < 100_000 / 30  # no part of the run is coarser than the others


def test_a_message_is_bounded_whatever_the_network(eager):
    wide = cp.Network([30, *[300] * 40, 4], "tanh", seed=0)
    rng = np.random.default_rng(0)
    observer, told = Eager(), []
    wide.fit(
        rng.normal(size=(60, 30)), rng.integers(0, 4, 60), epochs=1, batch_size=60, progress=False,
        callbacks=[lambda training: told.append(observer.message(training))],
    )  # fmt: skip
    assert [each["layer"] for each in told[0]["layers"]] == [*range(1, 13), *range(30, 42)]
    assert len(json.dumps(told[0])) < 64_000


def test_numbers_that_are_not_finite_are_counted_and_never_written():
    found = figures.spread(np.array([np.nan, np.inf, 1.0, -1e300, 1e300, -np.inf, 5e-324]))
    assert found["not_finite"] == 3
    assert figures.spread(np.full(4, np.nan)) == {"n": 4, "not_finite": 4}
    assert sum(figures.spread(np.zeros((3, 2)))["counts"]) == 6
    json.dumps([found, figures.spread(np.full(3, 1e308))], allow_nan=False)


# How it ends


def listened(act, *callbacks, **given):
    """Train in a thread while `act(events, url)` goes on; return the history, or what was raised."""
    watch, found = cp.Watch(browser=False), []

    def train():
        try:
            how = {"batch_size": 7, "callbacks": [watch, *callbacks], "progress": False} | given
            found.append(net().fit(X, Y, **how))
        except BaseException as problem:
            found.append(problem)

    thread = threading.Thread(target=train)
    thread.start()
    while watch.url is None:
        assert thread.is_alive(), found
        time.sleep(0.01)
    url, events = watch.url, Events(watch.url)
    try:
        act(events, url)
    finally:
        thread.join(60)
        events.close()
    assert not thread.is_alive()
    assert not [each for each in threading.enumerate() if each.name == "clearprop page"]
    return found[0], url


def test_the_page_ends_a_run_between_two_stretches():
    last = []

    def stop(events, url):
        events.until(lambda message: message.get("epoch", 0))
        assert wish(url, "stop")[0] == 204
        last.append(events.until(lambda message: message["state"] == "ended"))

    history, url = listened(stop, epochs=10**7)
    assert history.stopped == "callback"
    assert last[0]["why"] == "stopped"
    with pytest.raises(ConnectionError):
        connected(url)


def test_the_page_is_told_why_a_run_diverged():
    last = []

    def wait(events, url):
        last.append(events.until(lambda message: message["state"] == "ended"))

    def spoil(training):
        if training.epochs_done == 3000:
            training.net.parameters[0] = np.nan

    problem, _ = listened(wait, spoil, epochs=10**6)
    assert isinstance(problem, cp.DivergenceError)
    assert last[0]["why"].startswith("training diverged")


def test_a_port_is_checked_and_told_in_one_sentence():
    with pytest.raises(ValueError, match=r"^port must be in 1 to 65535, got 65536$"):
        cp.Watch(65536)
    with pytest.raises(ValueError, match="^port must be at least 1, got 0$"):
        cp.Watch(0)
    with pytest.raises(TypeError, match="^port must be an integer of at least 1, got '80'$"):
        cp.Watch("80")
    taken = address.listen(0)
    number = taken.getsockname()[1]
    with pytest.raises(
        ValueError, match=f"^port must be one that is free, got {number}, which another"
    ):
        net().fit(
            X, Y, epochs=1, batch_size=7, callbacks=[cp.Watch(number, browser=False)], progress=False
        )
    taken.close()


def test_an_answer_is_sent_at_once():
    async def answered():
        with address.listen(0) as listening:
            server = await asyncio.start_server(lambda _, writer: kept.append(writer), sock=listening)
            _, asking = await asyncio.open_connection(*listening.getsockname())
            while not kept:
                await asyncio.sleep(0)
            made = kept[0].get_extra_info("socket")
            waits_not = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for each in (asking, kept[0], server):
                each.close()
            return waits_not

    kept = []
    with concurrent.futures.ThreadPoolExecutor() as threads:  # a browser's loop may run in this one
        assert threads.submit(asyncio.run, answered()).result()


def test_without_the_extra_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"pip install 'clearprop\[explore\]'"):
        cp.Watch()


def test_the_address_is_printed_and_a_missing_browser_told(monkeypatch, capsys):
    monkeypatch.setattr("webbrowser.get", lambda: (_ for _ in ()).throw(address.webbrowser.Error))
    net().fit(X, Y, epochs=1, batch_size=7, callbacks=[cp.Watch()], progress=False)
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"watch it at http://127\.0\.0\.1:\d+/\?token=\S{43} \(there is no browser to open here\)\n",
        said,
    )


def test_a_browser_of_the_terminal_is_not_opened(monkeypatch):
    terminal = address.webbrowser.GenericBrowser("lynx")
    monkeypatch.setattr("webbrowser.get", lambda: terminal)
    monkeypatch.setattr(terminal, "open", lambda url: pytest.fail("it would take the terminal"))
    assert not address.open_browser("http://127.0.0.1:1/")


def test_with_a_port_the_token_stays_and_without_it_does_not(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first = address.token_for(8123)
    assert address.token_for(8123) == first != address.token_for(8124)
    assert address.token_for(0) != address.token_for(0)
    key = tmp_path / "clearprop" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)  # others could have read it
    assert address.token_for(8123) not in (first, address.token_for(8123))
    key.unlink()
    key.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    assert address.token_for(8123) != address.token_for(8123)


# Slow and stuck clients


def test_fifty_clients_stuck_and_slow_ones_are_queued_nothing(served):
    query = served.url.partition("?")[2]
    clients = [connected(served.url) for _ in range(50)]
    for wire in clients:
        wire.sendall(request(served.url, f"/events?{query}"))
    slow, kept = Events(served.url), "x" * 50_000
    most = 0
    for i in range(1, 400):
        served.put({"said": i, "kept": kept})
        for wire in clients[:25]:  # the others never read
            wire.recv(1 << 10)
        each = [
            one.transport.get_write_buffer_size()
            for one in tuple(served._server.server_state.connections)
        ]
        most = max(most, *each)
    newest = slow.until(lambda message: message["said"] == 399)
    assert newest["revision"] == 400
    assert most < 2 * 65_536  # the mark above which a transport takes no more, and a message
    assert len(served._server.server_state.connections) == served._broadcast.n_clients == 51
    for wire in [*clients, slow.wire]:
        wire.close()
    while served._server.server_state.connections or served._broadcast.n_clients:
        time.sleep(0.01)


def test_a_client_that_takes_nothing_is_let_go(served, monkeypatch):
    monkeypatch.setattr(server, "_STUCK_SECONDS", 0.2)
    with connected(served.url) as wire:
        wire.sendall(request(served.url, "/events?" + served.url.partition("?")[2]))
        while not served._server.server_state.connections:
            time.sleep(0.01)
        i = 0
        while served._server.server_state.connections:
            served.put({"said": (i := i + 1), "kept": "x" * 200_000})
            time.sleep(0.01)


def test_many_clients_get_fewer_messages_and_news_comes_at_once(monkeypatch):
    monkeypatch.setattr("clearprop.watching.broadcast.SHARE", 1e-9)  # as if sending were that dear
    made = server.Server("", 0, WISHES)
    events = Events(made.url)
    made.put({"state": "training", "said": 1})
    events.until(lambda message: message["said"] == 1)
    made.put({"state": "training", "said": 2})  # has to wait
    made.put({"state": "waiting", "said": 3})
    assert next(iter(events))["said"] == 3
    made.close({"said": 4})
    assert [message["said"] for message in events] == [4]
    events.close()


def test_revisions_grow_and_every_message_is_whole(served):
    events, seen = Events(served.url), []
    for i in range(1, 4):
        served.put({"said": i})
        seen.append(events.until(lambda message, i=i: message["said"] == i)["revision"])
    assert seen == [2, 3, 4]
    late = Events(served.url)
    assert next(iter(late)) == {"said": 3, "revision": 4}
    events.close()
    late.close()


def test_a_connection_that_asks_nothing_is_let_go_and_there_are_few(monkeypatch):
    monkeypatch.setattr(server, "_ASK_SECONDS", 0.2)
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 10)
    made = server.Server("", 0, WISHES)
    idle = [connected(made.url) for _ in range(30)]
    idle[0].sendall(b"GET / HTTP/1.1\r\nHost: ")  # and never goes on
    assert all(wire.recv(1) == b"" if wire is idle[0] else hung_up(wire) for wire in idle)
    assert ask(made.url)[0] == 200
    made.close({})
    for wire in idle:
        wire.close()


def hung_up(wire):
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


def test_wishes_that_are_not_seen_are_bounded(served):
    statuses = [wish(served.url, "stop")[0] for _ in range(server.MOST_WAITING + 2)]
    assert statuses == [204] * server.MOST_WAITING + [503] * 2


def test_putting_never_waits_also_after_the_end():
    made = server.Server("", 0, WISHES)
    made.close({"said": 1})
    made.put({"said": 2})
    assert made.wish() is None
    assert not made._thread.is_alive()


def test_nothing_is_logged(served, capfd):
    ask(served.url, "/nothing")
    with connected(served.url) as wire:
        wire.sendall(b"no request\r\n\r\n")
        wire.recv(100)
    wish(served.url, "stop", body=b"[" * 1000)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert isinstance(sys.stderr, io.TextIOBase)
