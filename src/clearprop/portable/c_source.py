"""A model as C99: one header and one source, no allocation, the standard library's libm alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from clearprop.portable import c_functions
from clearprop.portable.c_columns import columns_of
from clearprop.portable.c_network import Network
from clearprop.portable.c_text import comment, identifier, literal, number
from clearprop.portable.program import CLASSES, COLUMNS, INDICATORS, QUANTITIES, Program


class Sources(NamedTuple):
    """The texts of the two files."""

    header: str
    source: str


def sources(program: Program, name: str, written_by: str, int8: bool = False) -> Sources:
    """Return a model as C.

    Parameters
    ----------
    program : Program
    name : str
        Of the files, without their endings; what the header declares begins with it.
    written_by : str
        What the files begin with.
    int8 : bool
        Whether weights of layers are whole numbers from -127 to 127, each row times its unit.
    """
    return _Writer(program, name, written_by, int8).write()


class _Writer:
    def __init__(self, program: Program, name: str, written_by: str, int8: bool) -> None:
        self._program, self._file, self._by = program, name, written_by
        self._name = identifier(name)
        self._real = "float" if program.dtype == "float32" else "double"
        self._columns = columns_of(program)
        self._network = Network(program, int8)
        self._used: list[str] = []

    def write(self) -> Sources:
        """Return both files."""
        body = "\n".join([*self._labels(), *self._network.definitions(), *self._function()])
        of_columns = [each for column in self._columns for each in column.used]
        names = list(dict.fromkeys([*of_columns, *self._network.used, *self._used]))
        functions = c_functions.written(names, self._program.dtype)
        text = "\n".join([*functions, c_functions.of_type(body, self._program.dtype)])
        includes = ["math"] * c_functions.uses_libm(text) + ["stddef", "stdint", "string"]
        head = [
            f"/* {self._by}: {self._name}_predict below is the model. */",
            f'#include "{self._file}.h"',
            "",
            *(f"#include <{each}.h>" for each in includes),
            "",
            f"typedef {self._real} real;",
            "",
        ]
        return Sources("\n".join(self._header()), "\n".join(head) + "\n" + text)

    # The header

    def _header(self) -> Iterator[str]:
        upper, answer = self._name.upper(), self._program.answer
        yield f"/* {self._by}. Do not compile with -ffast-math: numbers may be NAN. */"
        yield f"#ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n"
        yield '#ifdef __cplusplus\nextern "C" {\n#endif\n'
        yield f"#define {upper}_OUTPUTS {answer.n_answers} /* numbers that a prediction is */"
        if answer.kind in (COLUMNS, INDICATORS):
            yield f"#define {upper}_LABELS {self._n_told} /* labels of a row */"
        yield ""
        if self._columns:
            yield "/* A raw row. */\ntypedef struct {"
            for column in self._columns:
                yield from column.fields
            yield f"}} {self._name}_row;\n"
        for k, labels in enumerate(answer.labels):
            end = f"_{k + 1}" if answer.kind == COLUMNS else ""
            yield f"extern const {_label_type(labels)}{self._name}_labels{end}[{len(labels)}];"
        yield f"\n/* {self._promise()} */\n{self._declaration()};\n"
        yield f"#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {upper}_H */\n"

    @property
    def _n_told(self) -> int:
        answer = self._program.answer
        return len(answer.labels) if answer.kind == COLUMNS else answer.n_outputs

    def _declaration(self) -> str:
        columns, answer = self._columns, self._program.answer
        row = f"const {self._name}_row *row" if columns else "const double *row"
        told = ", int *labels" if answer.kind in (COLUMNS, INDICATORS) else ""
        return f"int {self._name}_predict({row}, {self._real} *outputs{told})"

    def _promise(self) -> str:
        answer = self._program.answer
        what = "probabilities" if answer.probable else "outputs"
        row = "a raw row" if self._columns else f"{self._program.n_features} numbers"
        wrong = "-1 where a number is missing that nothing fills, or is too large"
        if answer.kind == QUANTITIES:
            return f"Put the prediction of {row} into outputs; return 0, or {wrong}."
        if answer.kind == CLASSES:
            return (
                f"Put the {what} of the classes of {row} into outputs; return the number of the class, "
                f"or {wrong}."
            )
        meant = (
            "class of each column" if answer.kind == COLUMNS else "label that is there, 1, or not, 0,"
        )
        return f"Put the {what} of {row} into outputs, the {meant} into labels; return 0, or {wrong}."

    # The source

    def _labels(self) -> Iterator[str]:
        answer = self._program.answer
        for k, labels in enumerate(answer.labels):
            end = f"_{k + 1}" if answer.kind == COLUMNS else ""
            texts = isinstance(labels[0], str | bool)
            each = ", ".join(literal(str(v)) if texts else f"INT64_C({v})" for v in labels)
            yield f"const {_label_type(labels)}{self._name}_labels{end}[{len(labels)}] = {{{each}}};\n"

    def _function(self) -> Iterator[str]:
        n = self._program.n_features
        for column in self._columns:
            yield from column.constants
        yield f"{self._declaration()}\n{{"
        if self._columns:
            yield f"    double v[{n}];"
        yield f"    real x[{n}];"
        yield from self._network.declarations()
        for column in self._columns:
            yield f"    /* {comment(column.name)} */"
            yield from (f"    {line}" for line in column.statements)
        yield f"    for (int i = 0; i < {n}; i++) {{"
        yield f"        x[i] = (real){'v' if self._columns else 'row'}[i];"
        yield "        if (x[i] - x[i] != 0) { /* NAN, or infinite */"
        yield "            return -1;"
        yield "        }"
        yield "    }"
        yield from self._network.statements()
        yield from self._answered()
        yield "}"

    def _answered(self) -> Iterator[str]:
        answer, n = self._program.answer, self._program.answer.n_outputs
        if answer.kind == CLASSES:
            yield from self._classified()
            return
        if answer.low is not None and answer.high is not None:
            yield f"    for (int j = 0; j < {n}; j++) {{"
            yield "        const double most = a[j] > high[j] ? high[j] : a[j];"
            yield "        a[j] = (real)(most < low[j] ? low[j] : most);\n    }"
        if answer.middle:
            self._used.append("middle")
            yield "    outputs[0] = middle(a);\n    return 0;"
            return
        yield f"    for (int j = 0; j < {n}; j++) {{\n        outputs[j] = a[j];"
        if answer.kind == INDICATORS:
            yield "        labels[j] = a[j] > (real)0.5;"
        yield "    }"
        first = 0
        for k, size in enumerate(answer.sizes):
            self._used.append("largest")
            yield f"    labels[{k}] = largest(a + {first}, {size});"
            first += size
        yield "    return 0;"

    def _classified(self) -> Iterator[str]:
        answer, k = self._program.answer, self._program.answer.n_answers
        if k == 1:
            yield "    (void)a;\n    outputs[0] = 1;\n    return 0;"
            return
        if answer.n_outputs == 1:
            yield "    outputs[0] = 1 - a[0];\n    outputs[1] = a[0];"
        else:
            yield f"    for (int j = 0; j < {k}; j++) {{\n        outputs[j] = a[j];\n    }}"
        if answer.temperature is not None:
            yield from self._calibrated(k)
        if answer.threshold is not None:
            yield f"    return (double)outputs[1] > {number(answer.threshold, 'float64')};"
        elif answer.n_outputs == 1:
            yield "    return a[0] > (real)0.5;"
        else:
            self._used.append("largest")
            yield f"    return largest(a, {k});"

    def _calibrated(self, k: int) -> Iterator[str]:
        """Yield (1 - smoothing) softmax(log(q) / temperature) + smoothing / k, in double."""
        answer = self._program.answer
        eps = number(float(np.finfo(self._program.dtype).eps), "float64")
        temperature = number(float(answer.temperature or 1.0), "float64")
        share = answer.smoothing or 0.0
        slope, below, left = (number(each, "float64") for each in answer.taken_back or (1.0, 0.0, 0.0))
        rest, even = number(1.0 - share, "float64"), number(share / k, "float64")
        yield f"    double q[{k}], most = 0, sum = 0;"
        yield f"    for (int j = 0; j < {k}; j++) {{"
        yield f"        const double above = (double)outputs[j] - {below};"
        yield f"        q[j] = {slope} * (above > 0 ? above : 0) + {left};"
        yield f"        q[j] = (log)(q[j] > {eps} ? q[j] : {eps}) / {temperature};"
        yield "        most = j == 0 || q[j] > most ? q[j] : most;"
        yield "    }"
        yield f"    for (int j = 0; j < {k}; j++) {{"
        yield "        q[j] = (exp)(q[j] - most);"
        yield "        sum += q[j];"
        yield "    }"
        yield f"    for (int j = 0; j < {k}; j++) {{"
        yield f"        outputs[j] = (real)({rest} * (q[j] / sum) + {even});"
        yield "    }"


def _label_type(labels: tuple[object, ...]) -> str:
    return "char *const " if isinstance(labels[0], str | bool) else "int64_t "
