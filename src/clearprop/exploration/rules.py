"""The rules of `diagnose` for a page: their own source, translated, with the limits they compare with.

A rule is a function from measurements to findings. What it says and when is written once, in
`diagnosis.rules`; here it becomes JavaScript, statement by statement, on the few functions of Python
and NumPy that rules call, which ``script/python.js`` has. Arrays in rules have one dimension. What a
page measures is ``script/measurements.js``.
"""

from __future__ import annotations

import ast
import builtins
import enum
import functools
import importlib.resources
import inspect
import itertools
import json
import math
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from clearprop import activations, costs
from clearprop.diagnosis import activation_range, measurements, quantities, rules
from clearprop.diagnosis.finding import SEVERITIES, Finding
from clearprop.diagnosis.rules import words
from clearprop.diagnosis.thresholds import Thresholds
from clearprop.page import library

_RESERVED = {"case", "class", "const", "default", "function", "new", "of", "this", "var", "with"}
_BINARY: dict[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow",
    ast.BitAnd: "bitand", ast.BitOr: "bitor",
}  # fmt: skip
_COMPARED: dict[type, str] = {
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne",
    ast.In: "within", ast.Is: "is", ast.IsNot: "isNot",
}  # fmt: skip
_KNOWN: dict[Any, str] = {
    getattr(module, name): name
    for module, names in (
        (builtins, "abs all any bool enumerate float int len max min next"),
        (builtins, "range round sorted str sum tuple zip"),
        (np, "isfinite isnan flatnonzero square where maximum median zeros_like sqrt"),
        (itertools, "pairwise"),
    )
    for name in names.split()
}
_KNOWN |= {math.isnan: "isnan", math.isinf: "isinf", math.isfinite: "isfinite"}
_KNOWN |= {math.sqrt: "sqrt", math.log: "log", math.floor: "floor", np.abs: "abs"}


@functools.cache
def script() -> str:
    """Return the rules as a classic script, which defines one name: ``diagnosis``."""
    folder = importlib.resources.files("clearprop.exploration")
    python = folder.joinpath("script/python.js").read_text("utf-8")
    return library("diagnosis", [python, _script()])


def _script() -> str:
    made = _Translation()
    named = {name: made.function(rule) for name, rule in rules.RULES.items()}
    limits = Thresholds()
    tables = {
        "RULES": "{ " + ", ".join(f"{json.dumps(name)}: {js}" for name, js in named.items()) + " }",
        "MEASUREMENTS": made.methods(measurements.Measurements),
        "GRADIENT": made.methods(quantities.GradientNumbers),
        "symbols": made.function(words.symbols),
        "LIMITS": json.dumps(asdict(limits)),
        "SEVERITIES": json.dumps(SEVERITIES),
        "RANGES": "{ " + ", ".join(_ranges()) + " }",
        "SQUARES": json.dumps(
            [name for name, cost in costs.COSTS.items() if cost().squares is not None]
        ),
    }
    exported = [f"export const {name} = {text};\n" for name, text in tables.items()]
    return "\n".join([*made.parts.values(), *exported])


def _ranges() -> Iterable[str]:
    for name, function in {**activations.ACTIVATIONS, **activations.PARAMETRIC}.items():
        found = activation_range.of_layer(function, 1)
        numbers = [_number(float(each[0])) for each in found]
        yield f"{name}: [{', '.join(numbers)}]"


def _number(value: float) -> str:
    return repr(value).replace("inf", "Infinity").replace("nan", "NaN")


class _Translation:
    """Functions in JavaScript, each once, after the constants that it names."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}

    def function(self, function: Callable[..., Any]) -> str:
        """Return the name of a function, which is written when it is first asked for."""
        assert isinstance(function, FunctionType)
        name = f"{function.__module__.rpartition('.')[2]}_{function.__name__.lstrip('_')}"
        if name not in self.parts:
            self.parts[name] = ""  # it may call itself
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
            assert isinstance(tree, ast.FunctionDef)
            self.parts[name] = _Writer(self, function.__globals__).definition(tree, f"function {name}")
        return name

    def methods(self, kind: type) -> str:
        """Return the methods and properties of a class as an object."""
        written = []
        for name, each in vars(kind).items():
            function = each.fget if isinstance(each, property) else each
            if not isinstance(function, FunctionType) or name.startswith("_"):
                continue
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
            assert isinstance(tree, ast.FunctionDef)
            head = f"get {name}" if isinstance(each, property) else name
            written.append(_Writer(self, function.__globals__).definition(tree, head, is_method=True))
        return "{\n" + ",\n".join(written) + "}"

    def constant(self, value: Any) -> str:
        """Write a module's constant."""
        if isinstance(value, enum.IntEnum):
            return str(int(value))
        if isinstance(value, float) and not isinstance(value, bool):
            return _number(value)
        if isinstance(value, tuple):
            return f"[{', '.join(map(self.constant, value))}]"
        return json.dumps(value)


class _Writer:
    """Writes one function."""

    def __init__(self, translation: _Translation, known: dict[str, Any]) -> None:
        self.translation, self.known = translation, known
        self.local: set[str] = set()

    def definition(self, tree: ast.FunctionDef, head: str, is_method: bool = False) -> str:
        """Write a whole function; one that yields is a generator."""
        names = [each.arg for each in tree.args.args][is_method:]
        defaults = tree.args.defaults
        given = [self.name(each) for each in names[: len(names) - len(defaults)]]
        for each, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            given.append(f"{self.name(each)} = {self.of(default)}")
        stored = (
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        assigned = [each for each in dict.fromkeys(stored) if each not in names]
        self.local = {*names, *assigned, *(["self"] if is_method else [])}
        if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(tree)):
            head = head.replace("function ", "function* ")
        lines = ["const self = this;"] if is_method else []
        lines += [f"let {', '.join(map(self.name, assigned))};"] if assigned else []
        inside = [f"  {each}" for each in (*lines, *self.body(tree.body))]
        return "\n".join([f"{head}({', '.join(given)}) {{", *inside, "}\n"])

    def name(self, python: str) -> str:
        """Return a variable's name."""
        return f"{python}_" if python in _RESERVED else python

    def body(self, statements: list[ast.stmt]) -> list[str]:
        """Write statements."""
        return [
            line for each in statements for line in getattr(self, f"do_{type(each).__name__}")(each)
        ]

    # Statements

    def do_Expr(self, node: ast.Expr) -> list[str]:
        """Write a yield; pass over a docstring."""
        return [] if isinstance(node.value, ast.Constant) else [self.of(node.value) + ";"]

    def do_Assert(self, node: ast.Assert) -> list[str]:
        """Leave out what mypy needs."""
        return []

    def do_Continue(self, node: ast.Continue) -> list[str]:
        """Write ``continue``."""
        return ["continue;"]

    def do_Return(self, node: ast.Return) -> list[str]:
        """Write a return; a tuple is an array."""
        return [f"return {self.of(node.value)};" if node.value else "return;"]

    def do_Assign(self, node: ast.Assign) -> list[str]:
        """Write an assignment to names, or into an array or a dictionary."""
        target, value = node.targets[0], self.of(node.value)
        if isinstance(target, ast.Subscript):
            return [f"py.put({self.of(target.value)}, {self.of(target.slice)}, {value});"]
        return [f"{self.of(target)} = {value};"]

    def do_AnnAssign(self, node: ast.AnnAssign) -> list[str]:
        """Write an assignment that has a type."""
        assert node.value is not None
        return [f"{self.of(node.target)} = {self.of(node.value)};"]

    def do_AugAssign(self, node: ast.AugAssign) -> list[str]:
        """Write ``a += b``."""
        target = self.of(node.target)
        return [f"{target} = py.{_BINARY[type(node.op)]}({target}, {self.of(node.value)});"]

    def do_If(self, node: ast.If) -> list[str]:
        """Write ``if`` and ``else``."""
        lines = [f"if (py.truth({self.of(node.test)})) {{", *self.body(node.body)]
        return [*lines, *(["} else {", *self.body(node.orelse)] if node.orelse else []), "}"]

    def do_For(self, node: ast.For) -> list[str]:
        """Write a loop over what an iterable has."""
        return [f"for ({self.of(node.target)} of {self.of(node.iter)}) {{", *self.body(node.body), "}"]

    # Expressions

    def of(self, node: ast.expr) -> str:
        """Write an expression."""
        write: Callable[[Any], str] | None = getattr(self, f"of_{type(node).__name__}", None)
        if write is None:
            raise TypeError(f"rules have no {type(node).__name__}: {ast.unparse(node)}")
        return write(node)

    def of_Constant(self, node: ast.Constant) -> str:
        """Write a number, a text, a truth or None."""
        return self.translation.constant(node.value)

    def of_Name(self, node: ast.Name) -> str:
        """Write a variable, or what stands in the module."""
        if node.id in self.local:
            return self.name(node.id)
        return self.found(self.known.get(node.id, getattr(builtins, node.id, None)), node)

    def found(self, found: Any, node: ast.expr) -> str:
        """Write something of a module: a function of the rules, of Python or NumPy, or a constant."""
        if callable(found) and found in _KNOWN:
            return f"py.{_KNOWN[found]}"
        if isinstance(found, FunctionType) and found.__module__.startswith("clearprop.diagnosis"):
            return self.translation.function(found)
        if isinstance(found, str | int | float | tuple | dict):
            return self.translation.constant(found)
        raise TypeError(f"rules know no {ast.unparse(node)}")

    def of_Attribute(self, node: ast.Attribute) -> str:
        """Write a number of the measurements, or what a module has."""
        if isinstance(node.value, ast.Name) and node.value.id not in self.local:
            holder = self.known.get(node.value.id)
            if isinstance(holder, ModuleType | enum.EnumMeta):
                return self.found(getattr(holder, node.attr), node)
        return f"{self.of(node.value)}.{node.attr}"

    def of_Tuple(self, node: ast.Tuple | ast.List) -> str:
        """Write an array."""
        return f"[{', '.join(map(self.of, node.elts))}]"

    of_List = of_Tuple

    def of_Starred(self, node: ast.Starred) -> str:
        """Write what is spread out."""
        return f"...{self.of(node.value)}"

    def of_Dict(self, node: ast.Dict) -> str:
        """Write an object."""
        pairs = zip(node.keys, node.values, strict=True)
        return f"({{ {', '.join(self.pair(key, value) for key, value in pairs)} }})"

    def pair(self, key: ast.expr | None, value: ast.expr) -> str:
        """Write an entry of an object; one without a key is spread out."""
        return f"...{self.of(value)}" if key is None else f"[{self.of(key)}]: {self.of(value)}"

    def of_IfExp(self, node: ast.IfExp) -> str:
        """Write ``a if test else b``."""
        return f"(py.truth({self.of(node.test)}) ? {self.of(node.body)} : {self.of(node.orelse)})"

    def of_BinOp(self, node: ast.BinOp) -> str:
        """Write arithmetic, of numbers, texts, arrays or dictionaries."""
        return f"py.{_BINARY[type(node.op)]}({self.of(node.left)}, {self.of(node.right)})"

    def of_UnaryOp(self, node: ast.UnaryOp) -> str:
        """Write ``not x``, ``-x`` or ``~x``."""
        operand = self.of(node.operand)
        if isinstance(node.op, ast.Not):
            return f"!py.truth({operand})"
        return f"py.{'invert' if isinstance(node.op, ast.Invert) else 'neg'}({operand})"

    def of_BoolOp(self, node: ast.BoolOp) -> str:
        """Write ``and`` and ``or``, whose value is one of their operands."""
        how = "both" if isinstance(node.op, ast.And) else "either"
        return f"py.{how}({', '.join(f'() => {self.of(each)}' for each in node.values)})"

    def of_Compare(self, node: ast.Compare) -> str:
        """Write a comparison; a chain is all of its links."""
        sides = [self.of(each) for each in (node.left, *node.comparators)]
        links = [
            f"py.{_COMPARED[type(op)]}({sides[i]}, {sides[i + 1]})" for i, op in enumerate(node.ops)
        ]
        return links[0] if len(links) == 1 else f"({' && '.join(links)})"

    def of_Subscript(self, node: ast.Subscript) -> str:
        """Write an element, those that a mask or positions choose, or a slice."""
        holder = self.of(node.value)
        if not isinstance(node.slice, ast.Slice):
            return f"py.at({holder}, {self.of(node.slice)})"
        ends = [self.of(each) if each else "undefined" for each in (node.slice.lower, node.slice.upper)]
        return f"{holder}.slice({', '.join(ends)})"

    def of_JoinedStr(self, node: ast.JoinedStr) -> str:
        """Write an f-string."""
        parts = []
        for each in node.values:
            if isinstance(each, ast.Constant):
                parts.append(json.dumps(each.value, ensure_ascii=False))
                continue
            assert isinstance(each, ast.FormattedValue)
            written = ast.walk(each.format_spec) if each.format_spec else ()
            spec = "".join(str(part.value) for part in written if isinstance(part, ast.Constant))
            parts.append(f"py.format({self.of(each.value)}, {json.dumps(spec)})")
        return f"({' + '.join(parts)})" if parts else '""'

    def of_Lambda(self, node: ast.Lambda) -> str:
        """Write a function of its own."""
        names = [each.arg for each in node.args.args]
        self.local |= {*names}
        return f"(({', '.join(names)}) => {self.of(node.body)})"

    def comprehended(self, node: Any, element: str) -> str:
        """Write a comprehension as an array."""
        text = f"[{element}]"
        for each in reversed(node.generators):
            for test in each.ifs:
                text = f"(py.truth({self.of(test)}) ? {text} : [])"
            text = f"[...{self.of(each.iter)}].flatMap(({self.of(each.target)}) => {text})"
        return text

    def of_ListComp(self, node: ast.ListComp | ast.GeneratorExp) -> str:
        """Write a list's or a generator's elements."""
        return self.comprehended(node, self.of(node.elt))

    of_GeneratorExp = of_ListComp

    def of_DictComp(self, node: ast.DictComp) -> str:
        """Write a dictionary's entries."""
        pair = f"[{self.of(node.key)}, {self.of(node.value)}]"
        return f"Object.fromEntries({self.comprehended(node, pair)})"

    def of_Yield(self, node: ast.Yield) -> str:
        """Write ``yield``."""
        assert node.value is not None
        return f"yield {self.of(node.value)}"

    def of_YieldFrom(self, node: ast.YieldFrom) -> str:
        """Write ``yield from``."""
        return f"yield* {self.of(node.value)}"

    def of_Call(self, node: ast.Call) -> str:
        """Write a call; a finding is an object, and so is a record."""
        given = [self.of(each) for each in node.args]
        keywords = [
            f"...{self.of(each.value)}" if each.arg is None else f"{each.arg}: {self.of(each.value)}"
            for each in node.keywords
        ]
        callee = self.known.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if callee is Finding:
            return f"({{ {', '.join(keywords)} }})"
        if callee is replace:
            return f"({{ ...{given[0]}, {', '.join(keywords)} }})"
        if isinstance(callee, type) and hasattr(callee, "_fields"):
            return f"({{ {', '.join(map(': '.join, zip(callee._fields, given, strict=True)))} }})"
        if isinstance(node.func, ast.Attribute) and not self.is_of_module(node.func):
            more = [f"{{ {', '.join(keywords)} }}"] if keywords else []
            arguments = ", ".join([self.of(node.func.value), *given, *more])
            if node.func.attr in ("has_learned", "last_layer_size", "share"):
                return f"{self.of(node.func)}({', '.join(given)})"
            return f"py.{node.func.attr}({arguments})"
        more = [f"{{ {', '.join(keywords)} }}"] if keywords else []
        return f"{self.of(node.func)}({', '.join([*given, *more])})"

    def is_of_module(self, node: ast.Attribute) -> bool:
        """Return whether a call is of a module's function."""
        return isinstance(node.value, ast.Name) and isinstance(
            self.known.get(node.value.id), ModuleType
        )
