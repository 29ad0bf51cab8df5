"""The network in C: constants, and the statements from its inputs x to its outputs a."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearprop.data.scaling import Scaling
from clearprop.embeddings import PBLD, Periodic
from clearprop.input_embedding import Embedding
from clearprop.model.model import Model
from clearprop.piecewise_linear import PiecewiseLinear
from clearprop.portable.c_functions import CALLED
from clearprop.portable.c_text import array
from clearprop.portable.program import COLUMNS, DenseLayer, Member, Program

Array = NDArray[Any]

# Of an embedding's arrays.
_SHORT = {"weight": "V", "bias": "c", "frequency": "f", "phase": "r", "vectors": "Q"}


class Network:
    """Writes everything between the numbers of a row and the outputs of the members.

    Parameters
    ----------
    program : Program
    int8 : bool

    Attributes
    ----------
    used : list of str
        The functions of `c_functions` that are called.
    """

    def __init__(self, program: Program, int8: bool) -> None:
        self._program, self._int8 = program, int8
        self._layers = program.members[0].layers
        self._widths = [each.weights.shape[1] for each in self._layers]
        self._widths.append(program.answer.n_outputs)
        self.used = ["dense_int8" if int8 else "dense"]
        for name in program.functions:
            self.used.append(name)
        if program.answer.kind == COLUMNS:
            self.used.append("softmax")

    # Constants

    def definitions(self) -> Iterator[str]:
        """Yield the arrays, and the function from x to a."""
        program = self._program
        for k, step in enumerate(s for s in program.steps if isinstance(s, Scaling)):
            yield array(f"shift{k or ''}", step.shift.astype(program.dtype), "real")
            yield array(f"factor{k or ''}", step.factor.astype(program.dtype), "real")
        if program.answer.low is not None and program.answer.high is not None:
            yield array("low", program.answer.low, "double")
            yield array("high", program.answer.high, "double")
        names: list[str] = []
        for k, member in enumerate(program.members):
            end = f"_of_{k}" if len(program.members) > 1 else ""
            names = []
            for name, values in self._arrays(member).items():
                kind = "int8_t" if values.dtype == np.int8 else "real"
                yield array(f"{name}{end}", values, kind)
                names.append(name)
        yield "typedef struct {"
        for name, values in self._arrays(program.members[0]).items():
            yield f"    const {'int8_t' if values.dtype == np.int8 else 'real'} *{name};"
        yield "} member;\n"
        yield f"static const member members[{len(program.members)}] = {{"
        for k in range(len(program.members)):
            end = f"_of_{k}" if len(program.members) > 1 else ""
            yield f"    {{{', '.join(f'{name}{end}' for name in names)}}},"
        yield "};\n"
        if program.embedding is not None:
            yield from self._embed(program.embedding)
        yield from self._forward()

    def _arrays(self, member: Member) -> dict[str, Array]:
        found = {_SHORT[name]: each for name, each in member.embedding.items()}
        if member.scale is not None:
            found["s"] = member.scale
        for number, layer in enumerate(member.layers, 1):
            if self._int8:
                found[f"W{number}"], found[f"unit{number}"] = quantised(layer.weights)
            else:
                found[f"W{number}"] = layer.weights
            for name, each in (("b", layer.biases), ("s", layer.shares)):
                if each is not None:
                    found[f"{name}{number}"] = each
        return {name: np.ascontiguousarray(each) for name, each in found.items()}

    # Functions

    def _embed(self, its: Embedding) -> Iterator[str]:
        n_in, of = its.n_features or 0, its.categories
        yield array("first", its.first, "int")
        if its.columns:
            yield from self._tables_of_numbers(its)
        if of.groups:
            yield array("one_hot_columns", np.array(of.columns), "int")
            yield array("ends", np.cumsum([0, *map(len, of.groups)]), "int")
        yield "/* E of x, in which inputs that are not embedded stay. */"
        yield "static void embed(const member *p, const real *x, real *E)\n{"
        yield f"    for (int i = 0; i < {n_in}; i++) {{\n        E[first[i]] = x[i];\n    }}"
        if its.columns:
            yield from self._embed_numbers(its)
        if of.groups:
            yield f"    for (int k = 0; k < {len(of.groups)}; k++) {{ /* a category's vector */"
            yield "        real *vector = E + first[one_hot_columns[ends[k]]];"
            yield f"        for (int j = 0; j < {of.size}; j++) {{\n            vector[j] = 0;"
            yield "            for (int i = ends[k]; i < ends[k + 1]; i++) {"
            yield f"                vector[j] += x[one_hot_columns[i]] * p->Q[i * {of.size} + j];"
            yield "            }\n        }\n    }"
        yield "}\n"

    def _tables_of_numbers(self, its: Embedding) -> Iterator[str]:
        yield array("columns", np.array(its.columns), "int")
        if isinstance(its, PiecewiseLinear):
            slope, intercept = its.bins[:2].astype(self._program.dtype)
            yield array("slope", slope, "real")
            yield array("intercept", intercept, "real")
            yield array("n_bins", np.array([len(each) - 1 for each in its.edges]), "int")

    def _embed_numbers(self, its: Embedding) -> Iterator[str]:
        """Yield h = phi V + c of each number that is embedded."""
        f, m, d, size = len(its.columns or ()), its.n_basis, its.n_mapped, its.size
        yield f"    for (int k = 0; k < {f}; k++) {{"
        yield "        const real e = x[columns[k]];"
        yield f"        real *h = E + first[columns[k]];\n        real phi[{m}];"
        yield from (f"        {line}" for line in self._basis(its))
        c = "[j]" if its.shared else f"[k * {d} + j]"
        yield f"        for (int j = 0; j < {d}; j++) {{"
        yield f"            h[j] = p->c{c};"
        yield f"            for (int t = 0; t < {m}; t++) {{"
        V = f"p->V[{'t' if its.shared else f'(k * {m} + t)'} * {d} + j]"
        yield f"                h[j] += phi[t] * {V};"
        yield "            }"
        if isinstance(its, Periodic):
            self.used.append("relu")
            yield "            h[j] = relu(h[j]);"
        yield "        }"
        if its.appends:
            yield f"        h[{size - 1}] = e;"
        yield "    }"

    def _basis(self, its: Embedding) -> Iterator[str]:
        if isinstance(its, PiecewiseLinear):
            n = its.n_basis - 1
            yield "phi[0] = e;"
            yield f"for (int t = 0; t < {n}; t++) {{ /* the share of each bin that lies below x */"
            yield f"    real share = e * slope[k * {n} + t] + intercept[k * {n} + t];"
            yield "    share = t > 0 && share < 0 ? 0 : share;"
            yield "    share = t < n_bins[k] - 1 && share > 1 ? 1 : share;"
            yield "    phi[t + 1] = t < n_bins[k] ? share : 0;"
            yield "}"
            return
        n = its.n_waves
        yield f"for (int t = 0; t < {n}; t++) {{"
        phase = f"(real)6.283185307179586 * (e * p->f[k * {n} + t])"
        if isinstance(its, PBLD):
            yield f"    phi[t] = cos({phase} + p->r[k * {n} + t]);"
        else:
            yield f"    const real phase = {phase};"
            yield "    phi[t] = cos(phase);"
            yield f"    phi[t + {n}] = sin(phase);"
        yield "}"

    def _forward(self) -> Iterator[str]:
        program, widest = self._program, max(self._widths)
        member = program.members[0]
        yield "/* The activations of the last layer. */"
        yield "static void network(const member *p, const real *x, real *outputs)\n{"
        yield f"    real z[{widest}];\n    real a[{widest}];"
        n = self._widths[0]
        if program.embedding is not None:
            yield "    embed(p, x, a);"
        else:
            yield f"    for (int i = 0; i < {n}; i++) {{\n        a[i] = x[i];\n    }}"
        if member.scale is not None:
            yield f"    for (int i = 0; i < {n}; i++) {{\n        a[i] *= p->s[i];\n    }}"
        for number, layer in enumerate(member.layers, 1):
            yield from self._layer(layer, number)
        if program.answer.kind == COLUMNS:
            first = 0
            for size in program.answer.sizes:
                yield f"    softmax(a + {first}, {size});"
                first += size
        n = program.answer.n_outputs
        yield f"    for (int j = 0; j < {n}; j++) {{\n        outputs[j] = a[j];\n    }}\n}}\n"

    def _layer(self, layer: DenseLayer, number: int) -> Iterator[str]:
        n_out, n_in = layer.weights.shape
        unit = f"p->unit{number}, " if self._int8 else ""
        b = f"p->b{number}" if layer.biases is not None else "NULL"
        yield f"    dense(p->W{number}, {unit}{b}, a, z, {n_in}, {n_out});"
        if layer.functions == ("softmax",):
            yield f"    for (int j = 0; j < {n_out}; j++) {{\n        a[j] = z[j];\n    }}"
            yield f"    softmax(a, {n_out});"
            return
        if len(layer.functions) > 1:
            for j, name in enumerate(layer.functions):
                yield f"    a[{j}] = {CALLED.get(name, name)}(z[{j}]);"
            return
        of_z = f"{CALLED.get(layer.functions[0], layer.functions[0])}(z[j])"
        if layer.shares is not None:
            of_z = f"z[j] + p->s{number}[j] * ({of_z} - z[j])"
        yield f"    for (int j = 0; j < {n_out}; j++) {{\n        a[j] = {of_z};\n    }}"

    # In the function that predicts

    def declarations(self) -> Iterator[str]:
        """Yield the outputs."""
        yield f"    real a[{self._program.answer.n_outputs}];"

    def statements(self) -> Iterator[str]:
        """Yield what makes outputs of x."""
        program, n = self._program, self._program.n_features
        k = 0
        for step in program.steps:
            yield f"    for (int i = 0; i < {n}; i++) {{"
            if isinstance(step, Scaling):
                i = "i" if step.shift.size > 1 or n == 1 else "0"
                yield f"        x[i] = (x[i] - shift{k or ''}[{i}]) * factor{k or ''}[{i}];"
                k += 1
            else:
                yield "        const real part = x[i] / 3;"
                yield "        x[i] /= sqrt(1 + part * part);"
            yield "    }"
        M, n = len(program.members), program.answer.n_outputs
        if M == 1:
            yield "    network(&members[0], x, a);"
            return
        yield f"    double total[{n}] = {{0}};"
        yield f"    for (int k = 0; k < {M}; k++) {{"
        yield "        network(&members[k], x, a);"
        yield f"        for (int j = 0; j < {n}; j++) {{\n            total[j] += a[j];\n        }}"
        yield "    }"
        yield f"    for (int j = 0; j < {n}; j++) {{\n        a[j] = (real)(total[j] / {M});\n    }}"


def as_int8(model: Model) -> Model:
    """Return a copy of a model whose weights are those that C has with int8."""
    made = model.in_raw_units().copy()
    for W in made.architecture.views(made.parameters)[0]:
        for one in W.reshape(-1, *W.shape[-2:]):  # of each member
            whole, unit = quantised(one)
            one[:] = whole * unit[:, None]
    return made


def quantised(W: Array) -> tuple[NDArray[np.int8], Array]:
    """Return weights as whole numbers from -127 to 127, and the unit of each row, in the dtype of W.

    A unit is the largest weight of its row over 127, so that nothing is cut off.
    """
    most = np.abs(W).max(axis=1)
    unit = np.where(most > 0, most / 127.0, 1.0).astype(W.dtype)
    return np.rint(W / unit[:, None]).astype(np.int8), unit
