import os

# The suite runs a process on each core: threads of NumPy's own would wait for one another, spinning.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import random
import secrets
import signal
import warnings
from unittest import mock

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile(
    "ci", derandomize=True, max_examples=50, deadline=None, database=None, print_blob=True
)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# What a script starts in the background ignores Ctrl-C, and so would every command that a test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng():
    """Return a fresh generator for each test: no test can change what another draws."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _the_same_draws_each_time():
    """What is given no seed takes NumPy's one state, or bits of the system's: the same in every run."""
    np.random.seed(0)  # noqa: NPY002 - the state that scikit-learn draws from
    with mock.patch.object(secrets, "randbits", random.Random(0).getrandbits):
        yield


@pytest.fixture(autouse=True)
def _names_of_the_examples(doctest_namespace):
    import clearprop

    doctest_namespace["np"] = np
    doctest_namespace["cp"] = clearprop


@pytest.fixture(scope="session")
def _browser():
    """Start Chromium once for all tests of pages that this process runs."""
    from playwright.sync_api import sync_playwright

    import browser

    path = browser.chromium()
    assert path, "no chromium on PATH, and CI is set: the pages would not be tested"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=browser.FLAGS)
        yield started
        started.close()


@pytest.fixture
def pages(_browser, tmp_path):
    """Open pages in Chromium; at the end none may have logged anything or asked for anything."""
    import browser

    opened = browser.Pages(_browser, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder as a shell would, and leave this process as it was."""
    from clearprop.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(app, "_listen", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    for name in ("LC_ALL", "LANG", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def clearprop(here, capsys):
    """Call ``main`` in this process; return exit code, standard output and standard error."""
    from clearprop.cli import app

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            app.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call
