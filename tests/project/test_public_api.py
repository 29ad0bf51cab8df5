import ast
import inspect
import io
import json
import pickle
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import clearprop as cp

PUBLIC = """
Activation Adam AdamW CheckpointError Cost DivergenceError EarlyStopping Gradient GradientCheck History LBFGS Layer
MLPClassifier MLPRegressor Network RMSProp SGD Scaling ScheduleFreeAdamW Trace Training check_gradient costs data initializers load metrics schedules
Notation Watch explain explore notation nudge path_sum DiagnosisCallback diagnose embeddings cross_validate tune report from_onnx from_torch from_weights grade worksheets
""".split()


def test_the_public_names_are_exactly_these():
    assert sorted(cp.__all__) == sorted(PUBLIC)
    assert all(hasattr(cp, name) for name in PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_is(name):
    thing = getattr(cp, name)
    assert thing.__doc__
    assert thing.__doc__.strip().splitlines()[0].endswith((".", ":"))
    if inspect.isclass(thing):
        for method, function in inspect.getmembers(thing, inspect.isfunction):
            if not method.startswith("_") and function.__module__.startswith("clearprop"):
                assert function.__doc__, f"{name}.{method} has no docstring"


def test_importing_loads_nothing_heavier_than_numpy():
    code = "import sys, json, clearprop; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(out.stdout)}
    heavy = {
        "numba",
        "llvmlite",
        "sklearn",
        "scipy",
        "safetensors",
        "pyarrow",
        "pooch",
        "rich",
        "typer",
        "matplotlib",
        "pandas",
    }
    assert not loaded & heavy


def loaded_by(code):
    """Return the modules of clearprop that a new process has after some code."""
    code = f"import sys, json; {code}; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in json.loads(out.stdout) if name.startswith("clearprop.")}


def test_importing_loads_the_tables_of_the_equations_and_predicting_nothing_that_trains():
    tables = (
        "activations",
        "costs",
        "forks",
        "names",
        "rarer_activations",
        "rarer_costs",
        "user_functions",
    )
    assert loaded_by("import clearprop") == {f"clearprop.{each}" for each in tables}
    code = "import clearprop as cp; cp.load; cp.Network([2, 3, 2]).predict([[0.0, 1.0]])"
    later = ("training", "trace", "optimizers", "schedules", "explain", "engines.members", "summary")
    assert not loaded_by(code) & {f"clearprop.{each}" for each in later}


def test_rows_that_other_modules_add_are_there_whatever_is_imported_first():
    for code in (
        "from clearprop.costs import COSTS; assert 'huber' in COSTS",
        "from clearprop.activations import ACTIVATIONS; assert 'mish' in ACTIVATIONS",
        "import clearprop as cp; cp.Training(cp.Network([2, 1]), optimizer='schedulefreeadamw')",
        "import clearprop as cp; cp.Network([2, 2]).trace([[0.0, 1.0]], [1], 'schedulefreeadamw')",
        "import clearprop as cp; assert cp.randomness.member_seed(1, 2)",
    ):
        loaded_by(code)


@pytest.mark.parametrize(
    "first",
    [
        "from clearprop.explain import nudge",
        "import clearprop.explain.document",
        "cp.explain",
        "cp.nudge",
    ],
)
def test_explain_is_the_function_whatever_was_imported_before(first):
    code = (
        f"import clearprop as cp\n{first}\n"
        "assert callable(cp.explain) and callable(cp.nudge) and callable(cp.diagnose)\n"
        "from clearprop import explain\nassert explain is cp.explain\n"
        "import clearprop.explain\nassert clearprop.explain is cp.explain\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_can_be_sent_to_another_process():
    assert pickle.loads(pickle.dumps(cp)) is cp


def test_the_version_is_the_installed_one():
    from importlib.metadata import version

    assert cp.__version__ == version("clearprop")


PACKAGE = Path(cp.__file__).parent
CORE = {
    name: (PACKAGE / f"{name}.py").read_text()
    for name in ("activations", "costs", "architecture", "backprop")
}


def test_the_order_of_reading_is_the_order_of_imports():
    seen = set()
    for name, text in CORE.items():
        for other in CORE:
            if other not in seen | {name}:
                assert f"clearprop.{other} import" not in text, (
                    f"{name} needs {other}, which comes later"
                )
        seen.add(name)


COMPARED = re.compile(r"\b(cost|output|activation|function)\.name (==|!=|in|not in) ")


def test_no_activation_or_cost_is_told_by_its_name():
    """A row says what is asked of it."""
    assert [str(path) for path in PACKAGE.rglob("*.py") if COMPARED.search(path.read_text())] == []
    assert COMPARED.search('if p.cost.name == "poisson":')
    assert COMPARED.search('output.name not in ("softmax", "sigmoid")')


def code_lines(source):
    """Return the numbers of the lines that hold code: no docstring, comment or blank line does."""
    ignored = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
    }  # fmt: skip
    lines, documented = set(), ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and ast.get_docstring(node):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def test_the_core_is_read_in_one_sitting():
    assert sum(len(code_lines(text)) for text in CORE.values()) <= 500
    assert sum(len(text.splitlines()) for text in CORE.values()) <= 900


def test_lines_of_code_are_counted_without_docstrings_comments_and_blank_lines():
    source = '''"""One
    docstring."""

import os  # counted

# not counted


def f(x):
    """Another."""
    text = """counted,
    and this"""
    return os.path.join(
        x,
        text,
    )
'''
    assert len(code_lines(source)) == 8
