"""What is too long to be read at once is found out: functions, lists of arguments, files.

Where one must be longer, ``# long: REASON`` stands on the line before it; of a file, it is its first
line. A reason without need of one is found out too.
"""

import ast
import re
from pathlib import Path

import pytest

import clearprop as cp
from clearprop.cli.app import COMMANDS as NAMES
from clearprop.cli.app import spelled
from test_public_api import code_lines
from test_typed_api import PUBLIC

PACKAGE = Path(cp.__file__).parent
MOST_CODE, MOST_ARGUMENTS, MOST_LINES = 60, 10, 400
MOST_EXCEPTIONS = 4
LONG = re.compile(r"# long:(.*)")
COMMANDS = [spelled(name) for name in NAMES]
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
API = {*PUBLIC, *(f"clearprop.cli.{name}.{name}" for name in COMMANDS)}


def functions(node, owner, is_inside=False):
    """Yield (name, function, whether another one holds it) of every function in a syntax tree."""
    for child in ast.iter_child_nodes(node):
        name = f"{owner}.{child.name}" if isinstance(child, FUNCTION | ast.ClassDef) else owner
        if isinstance(child, FUNCTION):
            yield name, child, is_inside
        yield from functions(child, name, is_inside or isinstance(child, FUNCTION))


def arguments(function):
    """Return how many arguments a caller may give; ``*`` and ``**`` are one each."""
    every = function.args
    named = [each.arg for each in (*every.posonlyargs, *every.args, *every.kwonlyargs)]
    return len([each for each in named if each not in ("self", "cls")]) + sum(
        each is not None for each in (every.vararg, every.kwarg)
    )


def reason_above(lines, number):
    """Return what the comments right above a line, counted from 1, give as a reason."""
    while number > 1 and lines[number - 2].lstrip().startswith("#"):
        number -= 1
        if found := LONG.match(lines[number - 1].strip()):
            return found[1].strip()
    return None


def judged(source, module, public=API):
    """Return what is too long in a module's source as sentences, and as pairs what has a reason to be."""
    lines = source.splitlines()
    first = LONG.match(lines[0])
    found = [(f"{module} has {len(lines)} lines", first and first[1].strip(), len(lines) > MOST_LINES)]
    for name, function, is_inside in functions(ast.parse(source), module):
        span = range(function.lineno, function.end_lineno + 1)
        # The lines hold no less than the code; to read the tokens of every file takes seconds.
        n = len(code_lines(source) & set(span)) if len(span) > MOST_CODE else len(span)
        n_arguments = 0 if name in public else arguments(function)
        start = min(each.lineno for each in (function, *function.decorator_list))
        what = f"{name} has {n} lines of code and {n_arguments} arguments"
        too_long = (n > MOST_CODE and not is_inside) or n_arguments > MOST_ARGUMENTS
        found.append((what, reason_above(lines, start), too_long))
    excused = [(what, reason) for what, reason, too_long in found if too_long and is_said(reason)]
    wrong = [what for what, reason, too_long in found if too_long and not is_said(reason)]
    wrong += [f"{what}: needs none" for what, reason, too_long in found if reason and not too_long]
    if len(LONG.findall(source)) > sum(reason is not None for _, reason, _ in found):
        wrong.append(f"{module}: a reason stands where nothing is")
    return wrong, excused


def is_said(reason):
    return reason is not None and len(reason.split()) >= 3


SOURCES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def test_nothing_is_too_long_without_a_reason_and_the_reasons_are_few():
    found = [judged(path.read_text(), name) for name, path in SOURCES.items()]
    assert [each for wrong, _ in found for each in wrong] == []
    excused = [each for _, excused in found for each in excused]
    assert len(excused) <= MOST_EXCEPTIONS, excused


@pytest.mark.parametrize(
    "name",
    ["network.Network.fit", "data.table.streamed.stream", *(f"cli.{each}.{each}" for each in COMMANDS)],
)
def test_what_is_public_may_take_many_arguments(name):
    name = f"clearprop.{name}"
    module = next(
        each for each in SOURCES if name.startswith(f"{each}.") and SOURCES[each].stem != "__init__"
    )
    assert name in [each for each, _, _ in functions(ast.parse(SOURCES[module].read_text()), module)]
    assert name in API


def body(n, indent="    "):
    return "".join(f"{indent}x = {i}\n" for i in range(n))


TEN = ", ".join("abcdefghij")
OVER = f"def f({TEN}, k):\n    pass\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f():\n" + body(59), None),
        ("def f():\n" + body(60), "m.f has 61 lines of code"),
        ('def f():\n    """One.\n\n    Two.\n    """\n\n    # three\n' + body(59), None),
        ("class C:\n    async def f(self):\n" + body(60, " " * 8), "m.C.f has 61 lines of code"),
        ("def f():\n    def g():\n" + body(59, " " * 8), "m.f has 61 lines of code"),
        ("if True:\n    def f():\n" + body(60, " " * 8), "m.f has 61 lines of code"),
        (f"def f(self, {TEN}):\n    pass\n", None),
        (OVER, "m.f has 2 lines of code and 11 arguments"),
        (f"def f({TEN}, **k):\n    pass\n", "11 arguments"),
        (f"def f({TEN}, *, k=1):\n    pass\n", "11 arguments"),
        (f"def f({TEN}, /, k):\n    pass\n", "11 arguments"),
        (f"def f():\n    def g({TEN}, *k):\n        pass\n", "m.f.g has 2 lines of code and 11"),
        (f"def public({TEN}, k):\n    pass\n", None),
        ("x = 1\n" * 400, None),
        ("\n" * 401, "m has 401 lines"),
        ("# long: a table of rows\n" + "x = 1\n" * 400, None),
        ("# long: a table of rows\n" + "x = 1\n" * 399, "m has 400 lines: needs none"),
        ("x = 1\n# long: a table of rows\n" + "x = 1\n" * 400, "m has 402 lines"),
        ("# long: arrays that travel together\n" + OVER, None),
        ("# long: arrays that travel together\n# and more\n@decorated\n" + OVER, None),
        ("# long:\n" + OVER, "11 arguments"),
        ("# long: it is\n" + OVER, "11 arguments"),
        ("# long: arrays that travel together\n\n" + OVER, "11 arguments"),
        ("# long: arrays that travel together\ndef f():\n    pass\n", "needs none"),
        ("def f():\n    pass  # long: of no use at all\n", "where nothing is"),
    ],
)
def test_what_is_too_long_is_found(source, found):
    above = "pass\n" if "def" in source else ""  # so that line 1, which is the file's, is another
    wrong, excused = judged(above + source, "m", {"m.public"})
    if found is None:
        assert wrong == []
        assert bool(excused) == ("# long:" in source)
    else:
        assert any(found in each for each in wrong), wrong
        assert excused == []
