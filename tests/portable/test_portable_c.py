"""A model as C99: no warning, nothing undefined, and what the model says."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

import clearprop as cp
from clearprop.network import Network
from clearprop.portable import c_network, c_source
from clearprop.portable.c_columns import columns_of
from clearprop.portable.c_text import identifiers, literal
from clearprop.portable.program import MIXED, NO_TIME, NUMBERS, TIMES, program_of
from portable_models import CASES, Case, agree, case_of, network, of_network, standard

GCC = shutil.which("gcc")
pytestmark = [
    pytest.mark.skipif(GCC is None, reason="gcc is not installed"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
STRICT = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
WATCHED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# One of each kind; the rest are more instances of what these see.
QUICK = [
    "table, classes", "table, members, embedded", "calibrated, threshold", "columns", "indicators",
    "one for each neuron", "parametric_gelu", "far from zero", "embedded plr-lite",
    "embedded categories and numbers", "table, quantity",
]  # fmt: skip


def cell(value, holds):
    if holds == TIMES:
        return "INT64_MIN" if value == NO_TIME else f"INT64_C({value})"
    if holds == NUMBERS:
        return "NAN" if np.isnan(value) else repr(float(value))
    if holds == MIXED:
        number = value if value.replace(".", "").isdigit() else ""
        return f"{number or 'NAN'}, {'NULL' if number or not value else literal(value)}"
    return literal(value) if value else "NULL"


def driver(case):
    """Return a program that prints what a model says of rows: labels, then numbers."""
    program = case.program
    if program.columns:
        columns = [[cell(v, raw.holds) for v in case.rows[raw.name]] for raw in program.columns]
        rows = [", ".join(row) for row in zip(*columns, strict=True)]
        kind, pass_on = "model_row", "&rows[i]"
    else:
        rows = [", ".join(cell(v, NUMBERS) for v in row) for row in np.asarray(case.rows)]
        kind, pass_on = "double", "rows[i]"
    shape = f"[{len(rows)}]" + ("" if program.columns else f"[{program.n_features}]")
    several = program.answer.kind in ("columns", "indicators")
    body = ",\n".join(f"{{{row}}}" for row in rows)
    real = "float" if program.dtype == "float32" else "double"
    told = "MODEL_LABELS" if several else "1"
    return f"""
#include <math.h>
#include <stdio.h>
#include "model.h"
static const {kind} rows{shape} = {{{body}}};
int main(void)
{{
    for (int i = 0; i < {len(rows)}; i++) {{
        {real} outputs[MODEL_OUTPUTS];
        int labels[{told}];
        const int found = model_predict({pass_on}, outputs{", labels" if several else ""});
        {"" if several else "labels[0] = found;"}
        if (found < 0) {{
            return 1;
        }}
        for (int j = 0; j < {told}; j++) {{
            printf("%d ", labels[j]);
        }}
        for (int j = 0; j < MODEL_OUTPUTS; j++) {{
            printf("%.17g ", (double)outputs[j]);
        }}
        printf("\\n");
    }}
    return 0;
}}
"""


def built(folder, case, flags=(*STRICT, *WATCHED), int8=False):
    """Compile a model with its driver and return what it prints, a row of numbers each."""
    made = c_source.sources(case.program, "model", "Written", int8)
    (folder / "model.h").write_text(made.header)
    (folder / "model.c").write_text(made.source)
    (folder / "main.c").write_text(driver(case))
    command = [GCC, *flags, "main.c", "model.c", "-o", "main", "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    run = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return np.array([line.split() for line in run.stdout.splitlines()], float)


def answers(case, table):
    answer = case.program.answer
    n = {"columns": len(answer.labels), "indicators": answer.n_outputs}.get(answer.kind, 1)
    told, numbers = table[:, :n].astype(int), table[:, n:]
    if answer.kind == "quantities":
        return None, numbers
    if answer.kind == "indicators":
        return told, numbers
    labels = [np.array(known)[told[:, k]] for k, known in enumerate(answer.labels)]
    if answer.kind == "classes":
        return labels[0], numbers
    return labels, np.split(numbers, np.cumsum(answer.sizes)[:-1], axis=1)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in CASES]
)
def test_a_c_program_says_what_the_model_says(name, tmp_path):
    case = case_of(name)
    told, numbers = answers(case, built(tmp_path, case))
    agree(case, told, numbers, 1e-12 if case.program.dtype == "float64" else 1e-6)


def test_without_a_bent_activation_no_libm_is_needed(tmp_path):
    case = of_network(
        network(activation="leaky_relu", cost="quadratic", dtype="float32", scaling=standard())
    )
    made = c_source.sources(case.program, "model", "Written")
    assert "math.h" not in made.source
    (tmp_path / "model.h").write_text(made.header)
    (tmp_path / "model.c").write_text(made.source)
    main = '#include "model.h"\nint main(void) { double x[4] = {0}; float a[3]; return model_predict(x, a); }'
    (tmp_path / "main.c").write_text(main)
    command = [GCC, *STRICT, "-ffreestanding", "-nostdlib", "-c", "model.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([GCC, "main.c", "model.c", "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run(["./main"], cwd=tmp_path, check=False).returncode == 0


def test_columns_are_mapped_to_identifiers_that_are_all_different(tmp_path):
    names = [
        "age, in years",
        "age-in-years",
        "double",
        "7 of 9",
        "Größe",
        "",
        "x",
        "*/",
        "a\\",
        'q"??/',
        "int64_t",
    ]
    net = network((len(names), 3, 2), dtype="float32")
    net.feature_names = tuple(names)
    assert identifiers(names) == [
        "age_in_years", "age_in_years_2", "double_", "x_7_of_9", "Gr_e", "x", "x_2", "x_3", "a", "q", "int64_t_",
    ]  # fmt: skip
    X = np.linspace(-2, 2, 2 * len(names)).reshape(2, -1)
    case = Case(
        program_of(net.model), dict(zip(names, X.T, strict=True)), net.classify(X), net.predict(X)
    )
    agree(case, *answers(case, built(tmp_path, case)), 1e-6)
    fields = [field for each in columns_of(case.program) for field in each.fields]
    assert fields[0] == '    double age_in_years; /* "age, in years": a number */'


def test_a_missing_number_that_nothing_fills_is_told(tmp_path):
    case = of_network(network())
    case.rows[0, 2] = np.nan
    with pytest.raises(AssertionError, match=r"assert \(1, ''\)"):
        built(tmp_path, case)


def test_weights_of_a_byte_are_those_that_their_loss_is_measured_with(tmp_path):
    net = network(dtype="float32", activation="tanh")
    rounded = Network.of(c_network.as_int8(net.model))
    assert np.abs(net.parameters - rounded.parameters).max() > 1e-3
    case = of_network(rounded)._replace(program=program_of(net.model))
    agree(case, *answers(case, built(tmp_path, case, int8=True)), 1e-6)


def test_a_text_that_no_compiler_must_take_is_refused():
    with pytest.raises(ValueError, match="must have at most 4095 bytes, none of them 0"):
        literal("é" * 3000)
    with pytest.raises(ValueError, match="none of them 0"):
        literal("a\0b")


def test_the_command_writes_two_files_and_says_what_bytes_cost(tmp_path):
    def run(*more):
        command = [
            sys.executable,
            "-m",
            "clearprop",
            "export",
            "net.safetensors",
            "--format",
            "c",
            *more,
        ]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    net = cp.Network([13, 5, 3], seed=0, scaling=cp.data.scaling.divide_by(100.0))
    net.save(tmp_path / "net.safetensors")
    done = run("wine", "--int8")
    assert (done.returncode, done.stderr) == (0, "clearprop: wrote net.c and net.h\n")
    first, *rest = [line.split() for line in done.stdout.splitlines()]
    assert first == ["test,", "36", "rows", "float32", "int8"]
    assert [name for name, *_ in rest] == ["cost", "accuracy"]
    assert rest[0][1] != rest[0][2]
    subprocess.run([GCC, *STRICT, "-c", "net.c"], cwd=tmp_path, check=True)
    assert run("--output", "sub-net.c").returncode == 0
    assert '#include "sub-net.h"' in (tmp_path / "sub-net.c").read_text()
    assert "--int8 must come with --format c and DATA" in run("--int8").stderr
    (tmp_path / "other.h").write_text("mine")
    assert "other.h exists and holds no export" in run("--output", "other.c").stderr
    assert not (tmp_path / "other.c").exists()
