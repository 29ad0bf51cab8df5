"""A network that its page trains: the engine's steps, and back to the start; the commands of the shell."""

import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("uvicorn")

import clearprop as cp
from asking import Events, connected, wish
from clearprop.watching.session import Session
from commands import Command

X = np.linspace(-1, 1, 7 * 4).reshape(7, 4)
LABELS = np.array([0, 1, 2, 0, 1, 2, 2])
Y = np.eye(3)[LABELS]
pytestmark = pytest.mark.filterwarnings("ignore:batch_size 32 is larger")


class Scripted:
    """Stands for a server: what is wished is given, what is told is kept."""

    def __init__(self, *wishes):
        self.wishes, self.told = list(wishes), []

    def wish(self, seconds=0.0):
        """Return the next wish, once the training has begun to tell."""
        if self.wishes and len(self.told) > self.wishes[0][0]:
            return self.wishes.pop(0)[1]
        return None

    def put(self, message):
        self.told.append(message)


def session(*wishes, **how):
    made = Session(cp.Network([4, 5, 3], "tanh", seed=0), X, Y, **how)
    made._server = Scripted(*wishes)
    return made


def test_a_step_is_an_epoch_of_the_engine():
    made = session(validation_data=(X[:3], Y[:3]))
    for _ in range(3):
        made._do("step", 0)
    alone = cp.Network([4, 5, 3], "tanh", seed=0)
    history = alone.fit(X, Y, epochs=3, validation_data=(X[:3], Y[:3]), progress=False)
    np.testing.assert_array_equal(made._training.net.parameters, alone.parameters)
    *_, last = made._server.told
    assert (last["state"], last["epoch"]) == ("waiting", 3)
    assert last["now"]["validation_cost"] == pytest.approx(history["validation_cost"][-1], rel=1e-5)


@pytest.mark.slow
def test_play_ends_with_a_pause_and_goes_on_from_there():
    made = session((3, {"do": "pause", "row": 0}))
    made._do("play", 0)
    done = made._training.epochs_done
    assert done > 0
    assert made._server.told[-1]["state"] == "waiting"
    made._do("step", 0)
    assert made._training.epochs_done == done + 1
    alone = cp.Network([4, 5, 3], "tanh", seed=0)
    alone.fit(X, Y, epochs=done + 1, progress=False)
    np.testing.assert_array_equal(made._training.net.parameters, alone.parameters)


@pytest.mark.parametrize("while_playing", [True, False])
def test_back_to_the_start_has_the_first_parameters_and_a_new_run(while_playing):
    made = session((2, {"do": "start", "row": 0}))
    first = made._net.parameters.copy()
    if while_playing:
        made._do("play", 0)
    else:
        made._do("step", 0)
        made._do("start", 0)
    np.testing.assert_array_equal(made._training.net.parameters, first)
    before, after = made._server.told[0], made._server.told[-1]
    assert before["run"] != after["run"]
    assert (after["epoch"], after["curves"]) == (0, [])


def test_the_row_that_is_chosen_is_passed_through():
    made = session()
    made._net.classes = ("a", "<b>", "c")
    made._do("start", 0)
    made._do("row", 4)
    told = made._server.told[-1]["row"]
    layers = made._net.trace(X[4:5], Y[4:5]).layers
    assert told["row"] == 4
    assert told["outputs"][0]["name"] == "<b>"
    assert told["outputs"][0]["y"] == 1.0
    for shown, layer in zip(told["layers"], layers, strict=True):
        assert shown["low"] == pytest.approx(layer.z.min(), rel=1e-4)
        assert shown["delta"] == pytest.approx(np.sqrt((layer.delta**2).mean()), rel=1e-4)
        assert shown["gradient"] == pytest.approx(np.linalg.norm(layer.weight_gradient), rel=1e-4)
    made._do("row", 10**9)
    assert made._server.told[-1]["row"]["row"] == 6


def test_a_divergence_is_told_and_the_start_is_still_there():
    made = session()
    made._training.net.parameters[0] = np.nan
    made._do("play", 0)
    assert "not finite" in made._server.told[-1]["why"]
    made._do("start", 0)
    made._do("step", 0)
    assert made._server.told[-1]["epoch"] == 1


# In the shell


def shell(*arguments):
    command = [sys.executable, "-m", "clearprop", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_served_network_steps_and_ends_with_ctrl_c(tmp_path):
    net = cp.Network([4, 5, 3], "tanh", seed=0)
    net.save(tmp_path / "net.safetensors")
    command = Command("explore", "--serve", tmp_path / "net.safetensors", "iris", state=tmp_path)
    events = Events(command.url)
    assert events.until(lambda message: "layers" in message)["epoch"] == 0
    assert wish(command.url, "step")[0] == 204
    last = events.until(lambda message: message["epoch"] == 1 and message["state"] == "waiting")
    iris = cp.data.load("iris")
    net.fit(*iris.train, epochs=1, progress=False)
    assert last["curves"][0]["points"][0][1] == pytest.approx(net.cost(*iris.train), rel=0.5)
    code, _, said = command.end()
    assert events.until(lambda message: message["state"] == "ended")
    events.close()
    assert (code, said.count("\n")) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["iris", "table"])
def test_watching_changes_no_bit_of_a_run_of_the_shell(tmp_path, data):
    if data == "table":
        rows = [f"{x},{'no' if x % 3 else 'yes'}" for x in range(60)]
        data = tmp_path / "rows.csv"
        data.write_text("\n".join(["x,target", *rows]), "utf-8")
    kept = []
    for name in ("alone", "watched"):
        model, log = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.csv"
        what = ["train", data, "--epochs", 4, "--seed", 1, "--output", model, "--log", log, "--quiet"]
        if name == "alone":
            assert shell(*what).returncode == 0
        else:
            assert Command(*what, "--watch", state=tmp_path).wait()[0] == 0
        lines = [line.split(",") for line in log.read_text("utf-8").splitlines()]
        timed = [i for i, each in enumerate(lines[0]) if each in ("seconds", "samples_per_second")]
        rows = [[cell for i, cell in enumerate(line) if i not in timed] for line in lines]
        kept.append((cp.load(model).parameters, rows))
    np.testing.assert_array_equal(kept[0][0], kept[1][0])
    assert kept[0][1] == kept[1][1]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_server_and_training(tmp_path, number, code):
    what = ["train", "iris", "--epochs", 10**7, "--output", tmp_path / "m.safetensors", "--watch"]
    command = Command(*what, state=tmp_path)
    events = Events(command.url)
    events.until(lambda message: "layers" in message)
    assert command.end(number)[0] == code
    assert events.until(lambda message: message["state"] == "ended")["why"] == "interrupted"
    events.close()
    with pytest.raises(ConnectionError):
        connected(command.url)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "iris", "--port", 8123], "--port goes with --watch, got --port 8123 alone"),
        (["train", "iris", "--watch", "--port", 99999], "--port must be in 1 to 65535, got 99999"),
        (["explore", "--serve"], "--serve needs MODEL and DATA: what is trained, and on what"),
        (["explore", "--port", 8123], "--port goes with --serve, got --port 8123 alone"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, tmp_path):
    ended = shell(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].endswith(sentence)
