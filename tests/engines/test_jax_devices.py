"""The JAX engine on several devices, and on several hosts: both of this machine's CPU."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="JAX is not installed: pip install 'clearprop[jax]'")
HERE = Path(__file__).parent
PATH = os.pathsep.join(map(str, (HERE, HERE.parent / "support", HERE.parent)))


def environment(**more):
    found = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    return found | {"PYTHONPATH": PATH, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"} | more


def test_four_devices_share_every_batch_and_agree_with_the_reference():
    quick = {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    }
    command = [sys.executable, str(HERE / "jax_devices_harness.py")]
    out = subprocess.run(command, env=environment(**quick), capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stderr
    found = json.loads(out.stdout)
    assert found["devices"] == 4
    assert max(found[name] for name in ("alone", "block by block", "members")) < 1e-9
    assert found["stopped"][0] == found["stopped"][1] > 1


def start(tmp_path, what):
    """Start two processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, str(HERE / "jax_hosts_harness.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return [
        subprocess.Popen([*command, str(rank), port, str(tmp_path), what], env=environment(), **pipes)
        for rank in range(2)
    ]


@pytest.mark.slow
def test_two_hosts_train_one_network_to_the_same_bits_and_refuse_what_differs(tmp_path):
    started = start(tmp_path, "together")
    outs = [each.communicate(timeout=400) for each in started]
    assert [each.returncode for each in started] == [0, 0], outs
    one, other = (np.load(tmp_path / f"whole-{rank}.npy") for rank in range(2))
    np.testing.assert_array_equal(one, other)
    said = [out.splitlines()[-2:] for out, _ in outs]
    assert said[0] == said[1]  # the number of epochs in a time that differs, and the refusal
    assert "all processes must train the same, got other arguments in process 1" in said[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_host_that_is_stopped_or_killed_ends_the_other(tmp_path, how, which):
    started = start(tmp_path, "for_ever")
    try:
        for each in started:
            for line in each.stdout:
                if line == "epoch\n":
                    break
        started[which].send_signal(how)
        started[1 - which].communicate(timeout=120)  # its service looks every few seconds
        assert started[1 - which].returncode != 0
    finally:
        for each in started:
            each.kill()
            each.communicate()
