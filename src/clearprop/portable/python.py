"""A model as a readable function of NumPy alone, with the equations' names: z, a, W, b."""

from __future__ import annotations

import io
import linecache
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.scaling import Scaling
from clearprop.data.table.columns import CategoryColumn, NumericColumn, TimeColumn
from clearprop.embeddings import PBLD, Periodic
from clearprop.input_embedding import Embedding
from clearprop.piecewise_linear import PiecewiseLinear
from clearprop.portable import numpy_functions
from clearprop.portable.program import (
    CLASSES,
    COLUMNS,
    INDICATORS,
    MIXED,
    WORDS,
    DenseLayer,
    Member,
    Program,
    RawColumn,
    codes_of,
)

Array = NDArray[Any]

# Of an embedding's arrays.
_SHORT = {"weight": "V", "bias": "c", "frequency": "f", "phase": "r", "vectors": "Q"}
_COUNT = iter(range(1 << 62))


def function_of(program: Program) -> Callable[..., Any]:
    """Return the function `predict` of the module that `source` writes."""
    code, names = _code(program), _numbers(program)
    file = f"<clearprop function {next(_COUNT)}>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)  # for inspect
    exec(compile(code, file, "exec"), names)
    found: Callable[..., Any] = names["predict"]
    return found


def source(program: Program, written_by: str) -> str:
    """Return a model as a Python module that needs NumPy alone.

    Parameters
    ----------
    program : Program
    written_by : str
        The line that the module begins with.
    """
    out = io.StringIO()
    out.write(f'"""{written_by}: predict(...) below is the model."""\n\n')
    out.write(_code(program))
    for name, value in _numbers(program).items():
        out.write(f"\n{name} = {_literal(value)}\n")
    return out.getvalue()


def _literal(value: Any) -> str:
    """Return Python for numbers, arrays, and lists and dicts of them."""
    if isinstance(value, np.ndarray):
        if value.dtype == object or value.dtype.kind in "Uib":
            return f"np.array({value.tolist()!r})"
        return f"np.array({_nested(value)}, np.{value.dtype})"
    if isinstance(value, dict):
        return "{" + "".join(f"\n    {k!r}: {_literal(v)}," for k, v in value.items()) + "\n}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)


def _nested(array: Array) -> str:
    if array.ndim:
        return "[" + ", ".join(map(_nested, array)) + "]"
    return str(array[()]).replace("inf", "np.inf")  # the shortest that is read as the same bits


def _numbers(program: Program) -> dict[str, Any]:
    """Return what the code refers to by a name."""
    answer = program.answer
    found: dict[str, Any] = {}
    for number, step in enumerate(s for s in program.steps if isinstance(s, Scaling)):
        end = number or ""
        found |= {f"shift{end}": step.shift.astype(program.dtype)}
        found |= {f"factor{end}": step.factor.astype(program.dtype)}
    found |= _embedding_numbers(program.embedding, program.dtype)
    members = [_parameters(member) for member in program.members]
    found |= {"members": members} if len(members) > 1 else {"parameters": members[0]}
    if answer.labels:
        labels = [np.array(each) for each in answer.labels]
        found["labels"] = labels if answer.kind == COLUMNS else labels[0]
    if answer.low is not None:
        found |= {"low": answer.low, "high": answer.high}
    return found


def _embedding_numbers(embedding: Embedding | None, dtype: str) -> dict[str, Array]:
    if embedding is None:
        return {}
    found: dict[str, Array] = {"columns": np.array(embedding.columns), "first": embedding.first}
    found["places"] = embedding.places
    if isinstance(embedding, PiecewiseLinear):
        names = ("slope", "intercept", "least", "most")
        found |= dict(zip(names, embedding.bins.astype(dtype), strict=True))
    return found


def _parameters(member: Member) -> dict[str, Array]:
    found = {_SHORT[name]: each for name, each in member.embedding.items()}
    if member.scale is not None:
        found["s"] = member.scale
    for number, layer in enumerate(member.layers, 1):
        arrays = {"W": layer.weights, "b": layer.biases, "s": layer.shares}
        found |= {f"{name}{number}": each for name, each in arrays.items() if each is not None}
    return found


# The code


def _code(program: Program) -> str:
    body = list(_predict(program))
    used = [*program.functions]
    used += ["softmax"] * (program.answer.kind == COLUMNS or program.answer.temperature is not None)
    used += ["relu"] * isinstance(program.embedding, Periodic)
    used += [_reader(raw) for raw in program.columns]
    functions = numpy_functions.written(list(dict.fromkeys(used)))
    head = ["import math\n"] if "gelu" in used else []
    text = ["\n".join([*head, "import numpy as np\n"]), *functions]
    if program.embedding is not None:
        text.append("\n".join(_embed(program.embedding)))
    text += ["\n".join(_network(program)), "\n".join(body)]
    return "\n\n".join(text)


def _reader(raw: RawColumn) -> str:
    if isinstance(raw.column, NumericColumn):
        return "number_or_word" if raw.holds == MIXED else "number"
    return "category" if isinstance(raw.column, CategoryColumn) else "time"


def _read(raw: RawColumn) -> str:
    """Return the call that makes numbers of a raw column."""
    column, values = raw.column, f"table[{raw.name!r}]"
    if isinstance(column, NumericColumn):
        fill = "np.nan" if np.isnan(column.median) else repr(column.median)
        words = f"{list(column.words)!r}, " if raw.holds == MIXED else ""
        return f"{_reader(raw)}({values}, {words}{fill}, {column.flagged})"
    if isinstance(column, TimeColumn):
        return f"time({values}, {dict(column.parts)!r}, {column.flagged})"
    codes, pair = codes_of(raw), raw.width == 1 and len(column.categories) == 2
    return f"category({values}, {list(column.categories)!r}, {codes.other}, {codes.missing}, {pair})"


def _embed(embedding: Embedding) -> Iterator[str]:
    arrays = [_SHORT[name] for name in embedding.arrays()]
    yield f"def embed(x, {', '.join(arrays)}):"
    yield '    """Return what layer 1 sees of x: h = phi V + c for each input that is embedded."""'
    yield f"    E = np.empty((len(x), {embedding.n_outputs}), x.dtype)"
    yield "    E[:, first] = x  # those that are not embedded stay as they are"
    if embedding.columns:
        yield from _embed_numbers(embedding)
    of = embedding.categories
    for group, rows, place in zip(of.groups, of.rows, embedding.vectors[:, 0].tolist(), strict=True):
        values = f"x[:, {list(group)}] @ Q[{rows.start}:{rows.stop}]"
        yield f"    E[:, {place}:{place + of.size}] = {values}  # a category's vector"
    yield "    return E\n"


def _embed_numbers(embedding: Embedding) -> Iterator[str]:
    yield "    e = x[:, columns, None]"
    if isinstance(embedding, PiecewiseLinear):
        yield "    phi = np.concatenate([e, np.clip(e * slope + intercept, least, most)], axis=2)"
    elif isinstance(embedding, PBLD):
        yield "    phi = np.cos(2 * np.pi * (e * f) + r)"
    else:
        yield "    phase = 2 * np.pi * (e * f)"
        yield "    phi = np.concatenate([np.cos(phase), np.sin(phase)], axis=2)"
    yield "    h = (phi.swapaxes(0, 1) @ V).swapaxes(0, 1) + c"
    h = "relu(h)" if isinstance(embedding, Periodic) else "h"
    yield f"    E[:, places[:, :{embedding.n_mapped}]] = {h}"
    if embedding.appends:
        yield "    E[:, places[:, -1]] = x[:, columns]"


def _network(program: Program) -> Iterator[str]:
    member, embedding = program.members[0], program.embedding
    yield f"def network(x, {', '.join(_parameters(member))}):"
    yield '    """Return the activations of the last layer, a row for each row of x."""'
    below = "x"
    if embedding is not None:
        yield f"    a0 = embed(x, {', '.join(_SHORT[name] for name in embedding.arrays())})"
        below = "a0"
    if member.scale is not None:
        yield f"    a0 = s * {below}"
        below = "a0"
    for number, layer in enumerate(member.layers, 1):
        bias = f" + b{number}" if layer.biases is not None else ""
        yield f"    z{number} = {below} @ W{number}.T{bias}"
        yield from _activated(layer, number)
        below = f"a{number}"
    if program.answer.kind == COLUMNS:
        edges = np.cumsum(program.answer.sizes)[:-1].tolist()
        yield f"    {below} = np.hstack([softmax(each) for each in np.split({below}, {edges}, axis=1)])"
    yield f"    return {below}\n"


def _activated(layer: DenseLayer, number: int) -> Iterator[str]:
    z, a = f"z{number}", f"a{number}"
    if len(layer.functions) == 1:
        of_z = f"{layer.functions[0]}({z})"
        yield f"    {a} = {of_z if layer.shares is None else f'{z} + s{number} * ({of_z} - {z})'}"
        return
    yield f"    {a} = np.empty_like({z})"
    for name in dict.fromkeys(layer.functions):
        mine = [j for j, each in enumerate(layer.functions) if each == name]
        yield f"    {a}[:, {mine}] = {name}({z}[:, {mine}])"


def _predict(program: Program) -> Iterator[str]:
    yield f"def predict({'table' if program.columns else 'X'}):"
    yield f'    """Return {_returned(program)}.\n'
    yield from _described(program)
    if program.columns:
        yield "    X = np.hstack(["
        yield from (f"        {_read(raw)}," for raw in program.columns)
        yield "    ])"
    else:
        yield "    X = np.asarray(X, float)"
    yield "    if not np.isfinite(X).all():"
    yield '        raise ValueError("a number is missing, or is not finite")'
    yield f"    x = X.astype(np.{program.dtype})"
    n_scalings = 0
    for step in program.steps:
        if isinstance(step, Scaling):
            end = n_scalings or ""
            yield f"    x = (x - shift{end}) * factor{end}"
            n_scalings += 1
        else:
            yield "    x = x / np.sqrt(1 + (x / 3) ** 2)"
    if len(program.members) > 1:
        yield "    each = [network(x, **member) for member in members]"
        yield f"    a = np.mean(each, axis=0, dtype=float).astype(np.{program.dtype})"
    else:
        yield "    a = network(x, **parameters)"
    yield from _answered(program)


def _returned(program: Program) -> str:
    answer = program.answer
    if answer.kind == CLASSES:
        return f"labels, and {'probabilities' if answer.probable else 'outputs'} of each class"
    if answer.kind == COLUMNS:
        return "a list with the labels of each column, and one with their probabilities"
    if answer.kind == INDICATORS:
        return "which labels are there, and the output of each"
    return "predictions, of several quantities a column for each"


def _described(program: Program) -> Iterator[str]:
    if not program.columns:
        yield f"    X is an array of shape (n, {program.n_features})."
        yield '    """'
        return
    yield "    table has a list of values for each name, as a data frame has; None is a missing one:\n"
    for raw in program.columns:
        kind = {WORDS: "texts", MIXED: "numbers or texts"}.get(raw.holds, raw.holds)
        yield f"    {raw.name!r:30.200} {kind}".replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    yield '    """'


def _answered(program: Program) -> Iterator[str]:
    answer = program.answer
    if answer.kind == INDICATORS:
        yield "    return (a > 0.5).astype(int), a\n"
    elif answer.kind == COLUMNS:
        edges = np.cumsum(answer.sizes)[:-1].tolist()
        yield f"    p = np.split(a, {edges}, axis=1)"
        yield "    return [known[each.argmax(axis=1)] for known, each in zip(labels, p)], p\n"
    elif answer.kind == CLASSES:
        yield from _classified(program)
    else:
        if answer.low is not None:
            yield "    a = np.clip(a, low, high).astype(a.dtype)"
        if answer.middle:
            yield "    return np.sort(a, axis=1)[:, 1]  # of three quantiles\n"
        else:
            yield f"    return a{'[:, 0]' if answer.n_outputs == 1 else ''}\n"


def _classified(program: Program) -> Iterator[str]:
    answer = program.answer
    if len(answer.labels[0]) == 1:
        yield "    return labels[np.zeros(len(a), int)], np.ones_like(a)\n"
        return
    yield "    p = np.hstack([1 - a, a])" if answer.n_outputs == 1 else "    p = a"
    if answer.temperature is not None and answer.taken_back is not None:
        slope, below, left = answer.taken_back
        yield f"    q = {slope!r} * np.maximum(p.astype(float) - {below!r}, 0.0) + {left!r}"
        yield f"    log_q = np.log(np.maximum(q, {np.finfo(program.dtype).eps!r}))"
        yield f"    q = softmax(log_q / {answer.temperature!r})"
        share = answer.smoothing
        yield f"    p = ((1 - {share!r}) * q + {share!r} / q.shape[1]).astype(p.dtype)"
    if answer.threshold is not None:
        yield f"    told = (p[:, 1].astype(float) > {answer.threshold!r}).astype(int)"
    else:
        yield (
            "    told = (a[:, 0] > 0.5).astype(int)"
            if answer.n_outputs == 1
            else ("    told = a.argmax(axis=1)")
        )
    yield "    return labels[told], p\n"
