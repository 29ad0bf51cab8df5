"""`cp.explore` in JupyterLab, in a real Chromium: shown inline, it computes and can be touched."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytest.importorskip("jupyterlab")

from playwright.sync_api import TimeoutError

import browser

browser.require()
pytestmark = pytest.mark.slow

CODE = """import clearprop as cp
net = cp.Network([2, 3, 1], "tanh", cost="quadratic", seed=0)
cp.explore(net, [[0, 1], [1, 0], [1, 1], [0, 0]], [[1], [1], [0], [0]])"""
CELL = {
    "cell_type": "code",
    "execution_count": None,
    "id": "a",
    "metadata": {},
    "outputs": [],
    "source": CODE,
}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@pytest.fixture
def lab(tmp_path):
    """Return the address of a notebook in a JupyterLab of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    book = {"cells": [CELL], "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "book.ipynb").write_text(json.dumps(book), "utf-8")
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
    ]
    command += ["--IdentityProvider.token=t", f"--ServerApp.root_dir={tmp_path}"]
    environment = os.environ | {"HOME": str(tmp_path)}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    while True:
        assert process.poll() is None
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=t").close()
            break
        except OSError:
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}/lab/tree/book.ipynb?token=t"
    process.terminate()
    process.wait(30)


@pytest.fixture
def page(_browser):
    context = _browser.new_context(viewport={"width": 1400, "height": 1000})
    yield context.new_page()
    context.close()


def test_the_page_is_shown_inline_and_trains(page, lab):
    page.goto(lab)
    page.wait_for_selector(".jp-CodeCell .cm-content", timeout=90_000)
    for _ in range(20):  # a key that comes before the kernel is there runs nothing
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(TimeoutError):
            page.wait_for_selector(".jp-OutputArea-output iframe", timeout=5000)
            break
    shown = page.frame_locator(".jp-OutputArea-output iframe")
    assert shown.locator("#epochs").text_content(timeout=60_000) == "0"
    before = shown.locator("#cost").text_content()
    shown.locator("#play").click()
    shown.locator("#epochs:not(:text-is('0'))").wait_for(timeout=60_000)
    shown.locator("#play").click()
    assert shown.locator("#cost").text_content() != before
