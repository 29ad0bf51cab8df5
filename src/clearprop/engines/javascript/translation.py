"""Kernels are Python; this turns those that compute with numbers into JavaScript.

It is `engines.translation` once more, for a language that knows no types: the same source, the same
operations in the same order, and so, without fused multiply-adds, the bits that the kernel gives when
it is run as Python with floats. Of the language of kernels it knows what activations, costs and
optimizers use; everything else is refused, with the line.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clearprop.engines import intrinsics
from clearprop.engines.javascript import functions
from clearprop.engines.language import Emitted, Kernel

# From the weakest to the strongest binding, as in both languages.
_BINARY: dict[type, tuple[str, int]] = {
    ast.Add: ("+", 5), ast.Sub: ("-", 5), ast.Mult: ("*", 6), ast.Div: ("/", 6),
}  # fmt: skip
_COMPARED = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "===", ast.NotEq: "!==",
}  # fmt: skip
_OR, _AND, _COMPARISON, _UNARY, _WHOLE = 1, 2, 3, 7, 9
# What a page's script may not be asked for by the names of a kernel's variables.
_RESERVED = {
    "case", "class", "const", "default", "delete", "export", "function", "in", "let", "new", "of",
    "this", "var", "void",
}  # fmt: skip

Written = tuple[str, int]  # an expression, and how strongly it binds


def _named(name: str) -> Callable[..., str]:
    return lambda *given: f"{name}({', '.join(given)})"


# What a kernel calls that is none; `elementary.js` has those that JavaScript lacks.
_CALLED: dict[Any, Callable[..., str]] = {
    abs: _named("Math.abs"),
    min: _named("Math.min"),
    max: _named("Math.max"),
    math.floor: _named("Math.floor"),
    math.sqrt: _named("Math.sqrt"),
    math.copysign: _named("copysign"),
    math.frexp: _named("mantissaAndExponent"),
    np.sign: _named("Math.sign"),
    np.float64: lambda x: x,
    intrinsics.power_of_two: _named("powerOfTwo"),
    intrinsics.part: lambda x, start, n: f"{x}.subarray({start}, {start} + ({n}))",
}
# Functions whose bits ECMAScript leaves open are kernels here.
_INSTEAD: dict[Any, Kernel] = {math.log: functions.log, math.pow: functions.power}


def _number(found: float) -> str:
    """Write a constant."""
    if math.isfinite(found):
        return repr(found) if found >= 0 else f"({found!r})"
    return "NaN" if math.isnan(found) else "Infinity" if found > 0 else "-Infinity"


class Translation:
    """Kernels in JavaScript, each once, after what it calls."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}  # functions and tables of coefficients, by their names
        self.kernels: dict[str, Kernel] = {}

    def name(self, kernel: Kernel) -> str:
        """Return the name of a kernel's function, which is written when it is first asked for."""
        name = kernel.name
        if self.kernels.setdefault(name, kernel) is not kernel:
            raise TypeError(f"there are two kernels with the name {name}")
        if name not in self.parts:
            self.parts[name] = _Writer(self, name, kernel.tree, kernel.function.__globals__).function(
                kernel.tree
            )
        return name

    def table(self, name: str, numbers: tuple[float, ...]) -> str:
        """Return the name of a module's tuple of numbers."""
        self.parts.setdefault(name, f"const {name} = {json.dumps(numbers)};\n")
        return name


def arrow(factory: Callable[..., Any]) -> str:
    """Return the function that a factory's source has in it; it takes the factory's arguments too."""
    tree = ast.parse(inspect.getsource(factory))
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.Lambda))
    given = list(inspect.signature(factory).parameters)
    writer = _Writer(Translation(), factory.__name__, found, factory.__globals__, given)
    more = f", {{ {', '.join(given)} }}" if given else ""
    return f"({', '.join(writer.arguments)}{more}) => {writer.text(found.body)}"


class _Writer:
    """Writes one function."""

    def __init__(
        self,
        translation: Translation,
        name: str,
        tree: ast.FunctionDef | ast.Lambda,
        known: Mapping[str, Any],
        around: Sequence[str] = (),
    ) -> None:
        self.translation, self.name, self.tree, self.known = translation, name, tree, known
        self.arguments = [each.arg for each in tree.args.args]
        assigned = [
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        loops = [node for node in ast.walk(tree) if isinstance(node, ast.For)]
        without = {*self.arguments, *(ast.unparse(node.target) for node in loops)}
        self.variables = [each for each in dict.fromkeys(assigned) if each not in without]
        self.local = {*self.arguments, *assigned, *around}
        if taken := self.local & _RESERVED:
            raise TypeError(f"{name}: JavaScript has another use for {', '.join(sorted(taken))}")

    def refuse(self, node: ast.AST, why: str) -> Exception:
        """Return the error that names the line."""
        return TypeError(f"{self.name}, line {getattr(node, 'lineno', '?')}: {why}")

    def function(self, tree: ast.FunctionDef) -> str:
        """Write a whole function, under the sentence of its docstring."""
        said = ast.get_docstring(tree)
        lines = [f"// {said.splitlines()[0]}"] if said else []
        lines.append(f"function {self.name}({', '.join(self.arguments)}) {{")
        if self.variables:
            lines.append(f"  let {', '.join(self.variables)};")
        return "\n".join([*lines, *self.body(tree.body), "}"]) + "\n"

    def body(self, statements: list[ast.stmt]) -> list[str]:
        """Write statements, as lines one step further in."""
        lines: list[str] = []
        for each in statements:
            write = getattr(self, f"do_{type(each).__name__}", None)
            if write is None:
                raise self.refuse(each, f"JavaScript is given no {type(each).__name__}")
            lines += ["  " + line for line in write(each)]
        return lines

    # Statements

    def do_Expr(self, node: ast.Expr) -> list[str]:
        """Write a call, or pass over a docstring."""
        return [] if isinstance(node.value, ast.Constant) else [self.text(node.value) + ";"]

    def do_Assign(self, node: ast.Assign) -> list[str]:
        """Write an assignment; of a tuple to names, one after the other where that is the same."""
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            names = {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
            used = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
            if not names & used:
                pairs = zip(target.elts, value.elts, strict=True)
                return [f"{self.text(to)} = {self.text(what)};" for to, what in pairs]
        return [f"{self.text(target)} = {self.text(value)};"]

    def do_AugAssign(self, node: ast.AugAssign) -> list[str]:
        """Write ``target op= value``."""
        if type(node.op) not in _BINARY:
            raise self.refuse(node, f"JavaScript is given no {type(node.op).__name__}")
        return [f"{self.text(node.target)} {_BINARY[type(node.op)][0]}= {self.text(node.value)};"]

    def do_Return(self, node: ast.Return) -> list[str]:
        """Write a return; a tuple is an array."""
        return ["return;" if node.value is None else f"return {self.text(node.value)};"]

    def do_If(self, node: ast.If) -> list[str]:
        """Write ``if`` and ``else``."""
        lines = [f"if ({self.text(node.test)}) {{", *self.body(node.body)]
        return [*lines, *(["} else {", *self.body(node.orelse)] if node.orelse else []), "}"]

    def do_While(self, node: ast.While) -> list[str]:
        """Write a loop with a condition."""
        return [f"while ({self.text(node.test)}) {{", *self.body(node.body), "}"]

    def do_For(self, node: ast.For) -> list[str]:
        """Write ``for name in range(...)``, upwards."""
        call, target = node.iter, node.target
        is_range = isinstance(call, ast.Call) and ast.unparse(call.func) == "range"
        if not (is_range and isinstance(target, ast.Name)) or len(call.args) > 2:  # type: ignore[attr-defined]
            raise self.refuse(node, "for loops are over range(start, stop)")
        bounds = [self.text(each) for each in call.args]  # type: ignore[attr-defined]
        start, stop = bounds if len(bounds) == 2 else ("0", *bounds)
        i = target.id
        return [f"for (let {i} = {start}; {i} < {stop}; {i}++) {{", *self.body(node.body), "}"]

    # Expressions

    def text(self, node: ast.expr) -> str:
        """Write an expression where it stands alone."""
        return self.value(node)[0]

    def value(self, node: ast.expr) -> Written:
        """Write an expression, and say how strongly it binds."""
        write = getattr(self, f"of_{type(node).__name__}", None)
        if write is None:
            raise self.refuse(node, f"JavaScript is given no {type(node).__name__}")
        found: Written = write(node)
        return found

    def bound(self, node: ast.expr, strength: int) -> str:
        """Write an expression, in parentheses where it binds less strongly than what is around it."""
        text, its = self.value(node)
        return text if its >= strength else f"({text})"

    def of_Constant(self, node: ast.Constant) -> Written:
        """Write a number or a truth."""
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.refuse(node, f"{node.value!r} is no number")
        return repr(node.value), _WHOLE

    def of_Name(self, node: ast.Name) -> Written:
        """Write a variable, or a constant of the module."""
        if node.id in self.local:
            return node.id, _WHOLE
        found = self.known.get(node.id)
        if isinstance(found, tuple) and all(isinstance(each, float) for each in found):
            return self.translation.table(node.id, found), _WHOLE
        if isinstance(found, int | float) and not isinstance(found, bool):
            return _number(found), _WHOLE
        raise self.refuse(node, f"{node.id} is no number")

    def of_Tuple(self, node: ast.Tuple) -> Written:
        """Write a tuple as an array."""
        return f"[{', '.join(map(self.text, node.elts))}]", _WHOLE

    def of_Attribute(self, node: ast.Attribute) -> Written:
        """Write a record's field, or an array's size."""
        name = "length" if node.attr == "size" else node.attr
        return f"{self.bound(node.value, _WHOLE)}.{name}", _WHOLE

    def of_Subscript(self, node: ast.Subscript) -> Written:
        """Write an element of an array, a tuple or a table."""
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        indices = "".join(f"[{self.text(each)}]" for each in places)
        return self.bound(node.value, _WHOLE) + indices, _WHOLE

    def of_UnaryOp(self, node: ast.UnaryOp) -> Written:
        """Write ``-x`` or ``not x``."""
        signs: dict[type, str] = {ast.USub: "-", ast.Not: "!"}
        if type(node.op) not in signs:
            raise self.refuse(node, f"JavaScript is given no {type(node.op).__name__}")
        return signs[type(node.op)] + self.bound(node.operand, _WHOLE), _UNARY

    def of_BinOp(self, node: ast.BinOp) -> Written:
        """Write arithmetic."""
        if type(node.op) not in _BINARY:
            raise self.refuse(node, f"JavaScript is given no {type(node.op).__name__}")
        sign, strength = _BINARY[type(node.op)]
        left, right = self.bound(node.left, strength), self.bound(node.right, strength + 1)
        return f"{left} {sign} {right}", strength

    def of_Compare(self, node: ast.Compare) -> Written:
        """Write a comparison of two values."""
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARED:
            raise self.refuse(node, "comparisons are of two numbers")
        left, right = (self.bound(e, _COMPARISON + 1) for e in (node.left, node.comparators[0]))
        return f"{left} {_COMPARED[type(node.ops[0])]} {right}", _COMPARISON

    def of_BoolOp(self, node: ast.BoolOp) -> Written:
        """Write ``and`` or ``or``."""
        sign, strength = ("&&", _AND) if isinstance(node.op, ast.And) else ("||", _OR)
        return f" {sign} ".join(self.bound(each, strength + 1) for each in node.values), strength

    def of_IfExp(self, node: ast.IfExp) -> Written:
        """Write ``a if test else b``."""
        test = self.bound(node.test, _OR)
        return f"({test} ? {self.text(node.body)} : {self.text(node.orelse)})", _WHOLE

    def callee(self, node: ast.expr) -> Any:
        """Return the Python object that is called."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = getattr(self.known.get(node.value.id), node.attr, None)
        else:
            name = ast.unparse(node)
            found = self.known.get(name, getattr(builtins, name, None))
        return _INSTEAD.get(found, found)

    def of_Call(self, node: ast.Call) -> Written:
        """Write a call of a kernel, or of what stands for a function of Python."""
        callee = self.callee(node.func)
        if callee in (intrinsics.like, intrinsics.by_width):
            return self.value(node.args[-1])  # of float64
        if callee is intrinsics.polynomial:  # without the coefficients of the other width
            return f"polynomial({self.text(node.args[0])}, {self.text(node.args[2])})", _WHOLE
        given = [self.text(each) for each in node.args]
        if callee in _CALLED:
            return _CALLED[callee](*given), _WHOLE
        if not isinstance(callee, Kernel) or isinstance(callee, Emitted) or node.keywords:
            raise self.refuse(node, f"JavaScript is given no {ast.unparse(node.func)}")
        return f"{self.translation.name(callee)}({', '.join(given)})", _WHOLE
