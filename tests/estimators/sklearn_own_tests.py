"""Runs scikit-learn's own tests of its multilayer perceptrons against ours.

Takes ``test_mlp.py`` from the installed scikit-learn, replaces the two names, and prints every item as
passed, skipped with its reason, or failed. The exit status is 1 if an item fails that has no reason here.

    python tests/estimators/sklearn_own_tests.py
"""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import pytest

THEIRS = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OURS = "from clearprop import MLPClassifier, MLPRegressor"
CONFTEST = """
import pytest
@pytest.fixture
def global_random_seed():
    return 42
"""
REASONS = {
    "test_fit": "sets private attributes by hand; its numbers are in test_estimators_ported.py",
    "test_gradient": "calls _loss_grad_lbfgs; ported to Network.gradient",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate; ported to history_['learning_rate']",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate; ported to history_['learning_rate']",
    "test_nonfinite_params": "pins the text of an error; ours names the layer and the step (D1)",
    "test_early_stopping_stratified": "pins a text with the label 'True'; ours names the label itself",
    "test_mlp_diverging_loss": "wants a diverged model; exempt: ours raises DivergenceError (D2)",
}


class _Tally:
    def __init__(self) -> None:
        self.passed: list[str] = []
        self.skipped: dict[str, str] = {}
        self.failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("::")[2]
        if report.when == "call" and report.passed:
            self.passed.append(name)
        elif report.failed:
            reason = REASONS.get(name.partition("[")[0])
            said = str(report.longrepr).strip().splitlines()[-1]
            (self.skipped if reason else self.failed)[name] = reason or said
        elif report.skipped:
            self.skipped[name] = str(report.longrepr)


def run() -> _Tally:
    text = (files("sklearn.neural_network") / "tests" / "test_mlp.py").read_text()
    assert text.count(THEIRS) == 1, "this scikit-learn's test_mlp.py imports other names"
    tally = _Tally()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "test_mlp.py")
        path.write_text(text.replace(THEIRS, OURS))
        Path(folder, "conftest.py").write_text(CONFTEST)
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        options = ["-p", "no:cacheprovider", "-p", "no:terminal"]
        pytest.main([str(path), "--rootdir", folder, "-c", f"{folder}/pytest.ini", *options], [tally])
    return tally


def main() -> int:
    tally = run()
    for name in tally.passed:
        print(f"passed   {name}")
    for kind, items in (("skipped", tally.skipped), ("failed", tally.failed)):
        for name, reason in items.items():
            print(f"{kind:8} {name}: {reason}")
    print(f"{len(tally.passed)} passed, {len(tally.skipped)} skipped, {len(tally.failed)} failed")
    return bool(tally.failed)


if __name__ == "__main__":
    sys.exit(main())
