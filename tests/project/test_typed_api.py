"""Every public signature says what it takes and returns, and a type checker of the user's sees it."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Union

import pytest

import clearprop as cp

PACKAGE = Path(cp.__file__).parent
# Besides the modules in clearprop.__all__: what the documentation calls by their full names.
MODULES = ["activations", "architecture", "model", "optimizers", "trace", "typing"]


def is_any(annotation: ast.expr, names: dict[str, Any]) -> bool:
    """Whether an annotation is Any: itself, one of a union, or by another name."""
    if isinstance(annotation, ast.BinOp):
        return is_any(annotation.left, names) or is_any(annotation.right, names)
    if isinstance(annotation, ast.Attribute):
        return annotation.attr == "Any"
    if isinstance(annotation, ast.Subscript):
        head = ast.unparse(annotation.value).rpartition(".")[2]
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if head == "Annotated":
            parts = parts[:1]
        elif head not in ("Optional", "Union", "Unpack", "ClassVar", "Final"):
            parts = []
        return any(is_any(each, names) for each in parts)
    if not isinstance(annotation, ast.Name):
        return False
    meant = names.get(annotation.id)
    return meant is Any or (Any in getattr(meant, "__args__", ()) and is_union(meant))


def is_union(meant: object) -> bool:
    return getattr(meant, "__origin__", None) is Union or type(meant).__name__ == "UnionType"


def untyped(function) -> list[str]:
    """Return the parameters of a function, and "return", that are Any or not annotated."""
    function = inspect.unwrap(function)
    said = dict(function.__annotations__)
    parameters = [
        name for name in inspect.signature(function).parameters if name not in ("self", "cls")
    ]
    found = [name for name in [*parameters, "return"] if name not in said]
    for name, annotation in said.items():
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        if is_any(ast.parse(text, mode="eval").body, {"Any": Any, **function.__globals__}):
            found.append(name)
    return found


def functions_of(kind: type):
    """Yield the methods and properties of a class that are public, its own and inherited ones of ours."""
    for base in kind.__mro__:
        if not base.__module__.startswith("clearprop"):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") and name not in ("__init__", "__call__", "__getitem__"):
                continue
            member = getattr(member, "func", member)  # of a cached_property
            for each in (
                [member.fget, member.fset]
                if isinstance(member, property)
                else [getattr(member, "fn", member)]
            ):
                each = getattr(each, "__func__", each)
                if inspect.isfunction(each) and each.__module__.startswith("clearprop"):
                    yield f"{base.__module__}.{base.__name__}.{name}", each


def public_functions() -> dict[str, Any]:
    """Return every function, method and property that is reached from clearprop's public names."""
    things = [getattr(cp, name) for name in cp.__all__]
    things += [import_module(f"clearprop.{name}") for name in MODULES]
    for module in [each for each in things if isinstance(each, ModuleType)]:
        names = getattr(module, "__all__", None) or [name for name in dir(module) if name[0] != "_"]
        things += [getattr(module, name) for name in names]
    found = {}
    for thing in things:
        if not (getattr(thing, "__module__", None) or "").startswith("clearprop"):
            continue
        if inspect.isclass(thing):
            found |= dict(functions_of(thing))
        elif inspect.isfunction(thing):
            found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return found


PUBLIC = public_functions()


def test_the_walk_meets_functions_methods_properties_and_what_is_inherited():
    assert {
        "clearprop.loading.load", "clearprop.network.Network.fit", "clearprop.network.Network.classes",
        "clearprop.training.loop.Loop.run", "clearprop.estimators.base.BaseMLP.fit",
        "clearprop.estimators.classifier.MLPClassifier.__init__", "clearprop.data.table.streamed.stream",
        "clearprop.estimators.classifier.MLPClassifier.partial_fit", "clearprop.rarer_costs.huber",
    } <= set(PUBLIC)  # fmt: skip
    assert len(PUBLIC) > 250


def test_no_public_signature_holds_a_bare_any():
    assert {name: bad for name, function in PUBLIC.items() if (bad := untyped(function))} == {}


Alias = Any
Either = int | Any


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        ("x: Any", ["x"]),
        ("x: typing.Any", ["x"]),
        ("x: int | Any", ["x"]),
        ("x: Optional[Any]", ["x"]),
        ("x: Alias", ["x"]),
        ("x: Either", ["x"]),
        ("x", ["x"]),
        ("*x: Any", ["x"]),
        ("**x: Any", ["x"]),
        ("x: 'NDArray[Any]'", []),
        ("x: 'dict[str, Any] | None'", []),
        ("x: object", []),
    ],
)
def test_what_a_bare_any_is(signature, found):
    space = dict(globals())
    exec(f"from __future__ import annotations\ndef f({signature}) -> None: ...", space)
    assert untyped(space["f"]) == found
    exec("from __future__ import annotations\ndef g(x: int) -> Any: ...\ndef h(x: int): ...", space)
    assert untyped(space["g"]) == untyped(space["h"]) == ["return"]


PROGRAM = """\
import numpy as np
import clearprop as cp

X = np.zeros((7, 4))
net = cp.Network([4, 5, 3], seed=0)
history = net.fit(X, ["a", "b", "c", "a", "b", "c", "a"], epochs=2, metrics=["accuracy"], progress=False)
reveal_type(history)
reveal_type(net.predict(X.tolist()))
reveal_type(net.gradient(X, [0, 1, 2, 0, 1, 2, 0]).flat)
reveal_type(cp.check_gradient(net, X, [0, 1, 2, 0, 1, 2, 0]))
model = cp.MLPClassifier((5, 4), solver=cp.Adam(0.01), dropout=[0.1, 0.0])
reveal_type(model.fit(X, [0, 1, 2, 0, 1, 2, 0]))
reveal_type(model.partial_fit(X, [0, 1, 2, 0, 1, 2, 0]))
reveal_type(model.score(X, [0, 1, 2, 0, 1, 2, 0]))


def stop(training: cp.Training) -> bool:
    return training.epochs_done > 3


net.fit(X, [0, 1, 2, 0, 1, 2, 0], callbacks=[stop])
"""
REVEALED = ["History", "ndarray", "ndarray", "GradientCheck", "MLPClassifier", "MLPClassifier", "float"]
MISTAKES = {
    "net.fit(X, [0], epochs='2')": "epochs",
    "net.predict({'a': 1})": "predict",
    "cp.Network(4, 3)": "Network",
    "cp.MLPClassifier(dropout='much')": "dropout",
    "cp.MLPRegressor(solver=0.1)": "solver",
    "net.fit(X, callbacks=[len])": "List item 0",
}


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.slow
def test_mypy_sees_the_types_in_a_program_of_a_users(tmp_path):
    pytest.importorskip("mypy")
    file = tmp_path / "program.py"
    file.write_text(PROGRAM + "\n".join(MISTAKES))
    first = PROGRAM.count("\n") + 1
    # Outside the repository: no settings of ours, as at a user's.
    command = [sys.executable, "-m", "mypy", "--strict", file.name]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    lines = [line for line in told.stdout.splitlines() if line.startswith(file.name)]
    revealed = [line for line in lines if "Revealed type" in line]
    assert len(revealed) == len(REVEALED), told.stdout
    for line, name in zip(revealed, REVEALED, strict=True):
        assert name in line.partition("Revealed type")[2].partition("[")[0]
    errors = [line for line in lines if ": error:" in line]
    for number, (mistake, named) in enumerate(MISTAKES.items(), start=first):
        assert any(f":{number}: error:" in line and named in line for line in errors), (mistake, errors)
    assert all(int(line.split(":")[1]) >= first for line in errors), errors
