"""What exported models say of real tables, beside `clearprop predict`; and how fast the C is.

    python benchmarks/exports.py --data FOLDER [--tables adult letter]

FOLDER is that of tables.py. On each table the preset "realmlp" is trained for a few epochs on at most
4,000 rows and saved; 500 test rows are written as CSV and predicted by the command. The same CSV, read
by `raw_rows`, then goes through each export: NumPy, ONNX (in onnxruntime), C (gcc -O2), JavaScript
(Node), PyTorch; one that is not installed is left out. What counts is the largest difference of a
probability, or of a quantity beside the largest quantity, and how many labels are others. Beside it
stands how far clearprop and the C are from the same parameters computed with in double: whose rounding
a difference is. Everything is written to ``results/exports.md``.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pandas as pd

import clearprop as cp
import tables
from clearprop.model.ends import rows_of
from clearprop.model.model import Model
from clearprop.portable import c_source, javascript, onnx_model, python, torch_module
from clearprop.portable.program import NUMBERS, TIMES, Program, program_of
from clearprop.portable.rows import raw_rows

RESULTS = Path(__file__).parent / "results" / "exports.md"
ROWS, TRAINED, EPOCHS = 500, 4000, 8
Answers = tuple[np.ndarray | None, np.ndarray]  # labels, and probabilities or quantities


def predicted(model: Path, rows: Path) -> Answers:
    """Return what the command says."""
    command = [sys.executable, "-m", "clearprop", "predict", str(model), str(rows), "--output"]
    out = rows.with_name("said.csv")
    subprocess.run([*command, str(out)], check=True, stderr=subprocess.DEVNULL)
    said = pd.read_csv(out, keep_default_na=False)
    if said.shape[1] == 2:
        return None, said[["prediction"]].to_numpy(float)
    return said["prediction"].astype(str).to_numpy(), said.iloc[:, 2:].to_numpy(float)


def of_numpy(model: Model, program: Program, rows: Path, folder: Path) -> Answers:
    found = python.function_of(program)(raw_rows(model, rows))
    return (None, found[:, None]) if program.answer.kind == "quantities" else found


def of_onnx(model: Model, program: Program, rows: Path, folder: Path) -> Answers:
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_model.model_of(program).SerializeToString())
    fed = {name: each.reshape(-1, 1) for name, each in raw_rows(model, rows).items()}
    found = session.run(None, fed)
    return (None, found[0]) if len(found) == 1 else (found[0], found[1])


def of_c(model: Model, program: Program, rows: Path, folder: Path) -> Answers:
    library = built(program, folder, "-O2")
    held = {NUMBERS: ctypes.c_double, TIMES: ctypes.c_int64}
    kinds = [held.get(raw.holds, ctypes.c_char_p) for raw in program.columns]

    class Row(ctypes.Structure):
        _fields_ = [(f"c{k}", kind) for k, kind in enumerate(kinds)]

    real = ctypes.c_float if program.dtype == "float32" else ctypes.c_double
    outputs, answer = (real * 64)(), program.answer
    told, numbers = [], []
    n = len(answer.labels[0]) if answer.labels else answer.n_outputs
    for row in zip(*raw_rows(model, rows).values(), strict=True):
        values = [each.encode() if isinstance(each, str) else each for each in row]
        told.append(library.model_predict(ctypes.byref(Row(*values)), outputs))
        numbers.append(outputs[:n])
    labels = np.array([str(each) for each in answer.labels[0]])[told] if answer.labels else None
    return labels, np.array(numbers)


def built(program: Program, folder: Path, *flags: str) -> Any:
    made = c_source.sources(program, "model", "Written")
    (folder / "model.h").write_text(made.header)
    (folder / "model.c").write_text(made.source)
    command = ["gcc", "-std=c99", *flags, "-shared", "-fPIC", "model.c", "-o", "model.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "model.so"))


def of_javascript(model: Model, program: Program, rows: Path, folder: Path) -> Answers:
    (folder / "model.mjs").write_text(javascript.module_of(model, "Written"))
    names = [raw.name for raw in program.columns]
    if model.inputs.encoder is None:
        cells = np.stack(list(raw_rows(model, rows).values()), axis=1).tolist()
    else:
        source = model.inputs.open(rows)
        cells = [row for batch in source.batches() for row in rows_of(model.inputs, batch)]
    (folder / "rows.json").write_text(json.dumps([dict(zip(names, row, strict=True)) for row in cells]))
    ask = (
        'import { predict } from "./model.mjs"; import { readFileSync } from "fs";'
        'console.log(JSON.stringify(JSON.parse(readFileSync("rows.json", "utf8")).map(predict)));'
    )
    (folder / "ask.mjs").write_text(ask)
    done = subprocess.run(["node", "ask.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    if "prediction" in found[0]:
        return None, np.array([each["prediction"] for each in found])
    labels = np.array([str(each["label"]) for each in found])
    return labels, np.array([each["probabilities"] for each in found])


def of_torch(model: Model, program: Program, rows: Path, folder: Path) -> Answers:
    import torch

    if model.inputs.encoder is None:
        numbers = np.stack(list(raw_rows(model, rows).values()), axis=1)
    else:
        numbers = model.inputs.encoder.encode(model.inputs.open(rows).table(model.inputs.columns))
    with torch.no_grad():
        found = torch_module.module_of(program)(torch.as_tensor(numbers)).numpy()
    if program.answer.kind == "quantities":
        return None, found
    p = found[:, 1].astype(float)
    threshold = program.answer.threshold
    told = found.argmax(axis=1) if threshold is None else (p > threshold).astype(int)
    return np.array([str(each) for each in program.answer.labels[0]])[told], found


EXPORTS: dict[str, Callable[[Model, Program, Path, Path], Answers]] = {
    "NumPy": of_numpy,
    "ONNX": of_onnx,
    "C": of_c,
    "JavaScript": of_javascript,
    "PyTorch": of_torch,
}


def compared(name: str, data: Path, folder: Path) -> dict[str, str]:
    """Return what each export differs by on a table."""
    X, y, X_test, _ = tables.split(name, data, 0)
    kind = cp.MLPClassifier if tables.TABLES[name].classification else cp.MLPRegressor
    how = {"calibrate": True} if kind is cp.MLPClassifier else {}
    made = kind(preset="realmlp", max_iter=EPOCHS, random_state=0, n_threads=1, **how)
    made.fit(X[:TRAINED], y[:TRAINED]).save(folder / "model.safetensors")
    rows = folder / "rows.csv"
    X_test[:ROWS].to_csv(rows, index=False)
    labels, numbers = predicted(folder / "model.safetensors", rows)
    model = cp.load(folder / "model.safetensors").model
    program, found = program_of(model), {"table": name, "rows": str(len(numbers))}
    wide = model.copy("float64")  # the same parameters, computed with in double
    exact = of_numpy(wide, program_of(wide), rows, folder)[1]
    scale = 1.0 if labels is not None else np.abs(numbers).max()
    found["clearprop and double"] = f"{np.abs(numbers - exact).max() / scale:.1e}"
    for export, function in EXPORTS.items():
        try:
            told, said = function(model, program, rows, folder)
        except ImportError:
            found[export] = "not installed"
            continue
        away = np.abs(said - numbers).max() / scale
        if export == "C":
            found["C and double"] = f"{np.abs(said - exact).max() / scale:.1e}"
        wrong = 0 if labels is None else int((np.asarray(told).astype(str) != labels).sum())
        found[export] = f"{away:.1e}" + (f", {wrong} labels" if wrong else "")
    return found


def microseconds(folder: Path) -> float:
    """Return the time of a row of 784-30-10 in C, the best of 500 short rounds, on one core."""
    program = program_of(cp.Network([784, 30, 10], seed=0).model)
    built(program, folder, "-O3", "-march=native")
    x, outputs = (ctypes.c_double * 784)(*np.linspace(0, 1, 784)), (ctypes.c_float * 10)()
    n, rounds = 200, []
    (folder / "loop.c").write_text(
        '#include "model.h"\nint loop(const double *x, float *outputs, int n)\n{\n    int sum = 0;\n'
        "    for (int i = 0; i < n; i++) {\n        sum += model_predict(x, outputs);\n    }\n"
        "    return sum;\n}\n"
    )
    command = ["gcc", "-std=c99", "-O3", "-march=native", "-shared", "-fPIC", "loop.c", "model.c"]
    subprocess.run([*command, "-o", "loop.so", "-lm"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "loop.so"))
    for _ in range(500):
        begin = time.perf_counter()
        library.loop(x, outputs, n)
        rounds.append((time.perf_counter() - begin) / n * 1e6)
    return min(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=list(tables.TABLES), choices=list(tables.TABLES))
    given = parser.parse_args()
    rows = []
    for name in given.tables:
        folder = Path(tempfile.mkdtemp())
        rows.append(compared(name, given.data, folder))
        print(rows[-1], flush=True)
        shutil.rmtree(folder)
    folder = Path(tempfile.mkdtemp())
    took = microseconds(folder)
    shutil.rmtree(folder)
    columns = ["table", "rows", *EXPORTS, "clearprop and double", "C and double"]
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(row[each] for each in columns) + " |" for row in rows]
    text = (
        "# Exports beside `clearprop predict`\n\n"
        "The largest difference of a probability, or of a quantity beside the largest one; labels that "
        "are others are counted.\n`python benchmarks/exports.py --data FOLDER`\n\n"
        + "\n".join(lines)
        + "\n\n"
        f"A row of 784-30-10 in C, `gcc -O3 -march=native`, one core: {took:.1f} microseconds, "
        "the best of 500 rounds of 200 rows.\n\n" + "\n".join(machine.lines(machine.describe())) + "\n"
    )
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
