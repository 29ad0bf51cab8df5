"""The page for scikit-learn's users shows every new parameter, and what it shows runs."""

import doctest
import inspect
import re
from pathlib import Path

import pytest
from sklearn import neural_network

import clearprop as cp

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "coming-from-scikit-learn.md"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_python_of_the_page_runs_and_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    parser, runner, names = doctest.DocTestParser(), doctest.DocTestRunner(), {}
    for number, block in enumerate(blocks):
        test = parser.get_doctest(block, names, f"block {number}", PAGE.name, 0)
        runner.run(test, clear_globs=False)
        names = test.globs
    assert runner.tries > 40
    assert runner.failures == 0


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_every_new_parameter_has_an_example_on_the_page(name):
    theirs = inspect.signature(getattr(neural_network, name)).parameters
    ours = inspect.signature(getattr(cp, name)).parameters
    assert set(theirs) <= set(ours)
    shown = " ".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL))
    for parameter in set(ours) - set(theirs):
        assert re.search(rf"\b{parameter}=", shown), f"{parameter} has no example"
    for parameter, theirs_is in theirs.items():
        if theirs_is.default is not inspect.Parameter.empty:
            assert ours[parameter].default == theirs_is.default, parameter
