"""Kernels that were built ahead: which are taken, without llvmlite, and that their bits are LLVM's own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp
from clearprop import engines
from clearprop.engines import cpu, machine_code

ROOT = Path(__file__).parents[2]
EMULATED = ROOT / "build" / "aarch64" / "python"
TRAINS = """
import hashlib, sys, warnings
import numpy as np
import clearprop as cp
from clearprop.engines import cpu

rng = np.random.default_rng(0)
digest = hashlib.sha256()
X, Y = rng.normal(size=(70, 37)), rng.integers(0, 3, 70)
for dtype in "float32", "float64":
    for batch, optimizer in (1, cp.SGD(0.1)), (7, cp.Adam(0.01)), (40, cp.SGD(0.1, momentum=0.5)):
        for activation in "sigmoid", "gelu":
            net = cp.Network([37, 21, 40, 3], activation, "softmax", seed=0, dtype=dtype)
            net.fit(X, Y, epochs=2, batch_size=batch, optimizer=optimizer, dropout=0.1, progress=False, engine="compiled")
            for each in net.parameters, net.predict(X.astype(dtype)), net.input_gradient(X[:1].astype(dtype), Y[:1]):
                digest.update(each.tobytes())
print(cpu.target().name, cpu.library("float64") is not None, "llvmlite.binding" in sys.modules, digest.hexdigest())
"""
WITHOUT = "import sys; sys.modules['llvmlite'] = sys.modules['numba'] = None\n"


AGREES = """
import numpy as np
import clearprop as cp
from clearprop import activations

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(70, 37)), rng.normal(size=(70, 3))
for number, activation in enumerate(sorted({*activations.ACTIVATIONS} - {"softmax"})):
    for dtype, off in ("float32", 2e-5), ("float64", 1e-12):
        batch, optimizer = ((1, cp.SGD(0.01)), (7, cp.RMSProp(0.001)), (40, cp.Adam(0.01)))[number % 3]
        of = []
        for engine in "compiled", "numpy":
            net = cp.Network([37, 21, 40, 3], activation, "identity", cost="quadratic", seed=0, dtype=dtype)
            net.fit(X, Y, epochs=2, batch_size=batch, optimizer=optimizer, dropout=0.1, progress=False, engine=engine)
            of.append((net.parameters, net.predict(X.astype(dtype))))
        for ours, its in zip(*of):
            np.testing.assert_allclose(ours, its, atol=off * np.abs(its).max(), rtol=0, err_msg=activation)
"""


def ran(code, python=sys.executable, **environment):
    done = subprocess.run(
        [python, "-c", code],
        capture_output=True,
        text=True,
        timeout=1800,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def fresh(monkeypatch):
    """No variant is chosen yet, nor agreed on by tests of several processes in this one."""
    cpu._chosen.cache_clear()
    monkeypatch.setattr(cpu, "_agreed", [])
    yield monkeypatch
    monkeypatch.undo()
    cpu._chosen.cache_clear()
    cpu.runs_here.cache_clear()


def processor(monkeypatch, flags, machine="x86_64"):
    """Have a processor with these of Linux's flags."""
    found = tuple(
        name
        for name, each in cpu.VARIANTS.items()
        if each.triple.startswith(machine) and {cpu._FLAGS.get(f, f) for f in each.has} <= set(flags)
    )
    monkeypatch.setattr(cpu, "runs_here", lambda: found)


def built(monkeypatch, folder, *variants):
    """Have libraries of some variants, of which nothing is loaded."""
    for variant in variants:
        (folder / cpu.file_name(variant, "float32")).touch()
    (folder / "llvmlite").write_text("0.1\n")
    monkeypatch.setattr(cpu, "LIBRARIES", folder)


V2 = "cx16 popcnt lahf_lm pni sse4_1 sse4_2 ssse3".split()
V3 = [*V2, *"avx avx2 bmi1 bmi2 f16c fma abm movbe xsave".split()]


@pytest.mark.parametrize(("flags", "best"), [(V2, "v2"), (V3, "v3"), (V3[:-2], "v2")])
def test_the_best_library_that_the_processor_runs_is_taken(fresh, tmp_path, flags, best):
    fresh.delenv(cpu.CHOICE, raising=False)
    processor(fresh, flags)
    built(fresh, tmp_path, "v2", "v3", "v4", "aarch64")
    assert cpu.target() == cpu.VARIANTS[best]
    assert cpu.library("float32") == tmp_path / f"kernels-{best}-float32.so"
    assert cpu.versions() == {"llvmlite": "0.1", "kernels": f"x86-64-{best}"}


def test_without_a_library_for_it_the_code_is_for_this_processor(fresh, tmp_path):
    fresh.delenv(cpu.CHOICE, raising=False)
    processor(fresh, V2)
    built(fresh, tmp_path, "v3")
    assert cpu.target() == cpu.here()
    assert cpu.library("float32") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v5", "CLEARPROP_KERNELS must be one of v2, v3, v4, aarch64, got 'v5'"),
        ("v4", "CLEARPROP_KERNELS must name code that this processor runs, got 'v4'; it runs v2, v3;"),
        ("aarch64", "must name code that this processor runs, got 'aarch64'"),
    ],
)
def test_a_variant_that_is_none_or_does_not_run_here_is_refused(fresh, name, message):
    processor(fresh, V3)
    fresh.setenv(cpu.CHOICE, name)
    with pytest.raises(ValueError, match=message):
        cpu.target()


def test_the_variant_that_is_asked_for_is_taken_also_where_llvm_has_to_compile_it(fresh, tmp_path):
    processor(fresh, V3)
    fresh.setenv(cpu.CHOICE, "v2")
    fresh.setattr(cpu, "LIBRARIES", tmp_path)
    assert cpu.target() == cpu.VARIANTS["v2"]
    assert cpu.library("float32") is None
    assert cpu.target().register_bytes == 16


def test_hosts_that_differ_agree_on_a_variant_that_all_run():
    v2, v3, v4 = (cpu.VARIANTS[name] for name in ("v2", "v3", "v4"))
    mine = cpu.Processor(v3.triple, "znver3", v3.features + ",+clwb,-avx512f")
    assert cpu.common([v4, v2, v3]) == v2
    assert cpu.common([mine, v4]) == v3
    assert cpu.common([mine, v4._replace(features=v4.features + ",+clwb")]).name == "x86-64"
    assert [each.label for each in (v3, mine, cpu.VARIANTS["aarch64"])] == [
        "x86-64-v3", "znver3", "aarch64-unknown-linux-gnu",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="one kind of processor"):
        cpu.common([v3, cpu.VARIANTS["aarch64"]])


def test_without_library_and_llvmlite_the_reference_trains_and_says_so_once(fresh):
    fresh.setattr(cpu, "has_code", lambda: False)
    fresh.setattr(engines, "_said", set())
    net = cp.Network([4, 5, 3], seed=0)
    X, Y = [[0.0, 1.0, 2.0, 3.0]] * 7, [0, 1, 2, 0, 1, 2, 0]
    sentence = (
        re.escape("no code for this processor was built ahead, and llvmlite") + ".*'clearprop.jit.'"
    )
    how = {"epochs": 1, "batch_size": 3, "progress": False}
    with pytest.warns(UserWarning, match=sentence):
        net.fit(X, Y, **how)
    net.fit(X, Y, **how)  # a warning would be an error
    with pytest.raises(ImportError, match=sentence):
        net.fit(X, Y, **how, engine="compiled")


def test_what_trains_and_predicts_needs_llvmlite_for_nothing_but_compiling():
    code = "from clearprop.engines import compiled, deformer, rows, stepping; print(compiled.CompiledEngine.name)"
    assert ran(WITHOUT + code, CLEARPROP_KERNELS=cpu.runs_here()[-1]) == ["compiled"]


def test_a_checkpoint_names_its_variant_and_says_where_another_goes_on(fresh, tmp_path, capsys):
    def fitted(epochs):
        net = cp.Network([4, 5, 3], seed=0)
        X, Y = [[0.0, 1.0, 2.0, 3.0]] * 7, [0, 1, 2, 0, 1, 2, 0]
        net.fit(
            X, Y, epochs=epochs, batch_size=3, progress=False, checkpoint=tmp_path / "c", resume=True
        )

    machine_code.code(np.dtype("float32"))  # loaded: a name that changes would have it compiled anew
    fresh.setattr(cpu, "versions", lambda: {"llvmlite": "0.48", "kernels": "x86-64-v2"})
    fitted(1)
    fitted(2)
    assert "was written with" not in capsys.readouterr().err
    fresh.setattr(cpu, "versions", lambda: {"llvmlite": "0.48", "kernels": "x86-64-v3"})
    fitted(3)
    said = capsys.readouterr().err
    assert "was written with kernels x86-64-v2 (now x86-64-v3): the run goes on, but not to the" in said


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Return what gives a process the libraries of a variant: built now, or before in CLEARPROP_BUILT."""
    before = os.environ.get("CLEARPROP_BUILT")
    folder = Path(before or tmp_path_factory.mktemp("built"))

    def of(variant):
        its = folder / cpu.VARIANTS[variant].triple.partition("-")[0]
        if before and not (its / cpu.file_name(variant, "float64")).exists():
            pytest.skip(f"{variant} was not built")
        if not before:
            build = [sys.executable, ROOT / "wheels" / "kernels.py", folder, variant]
            subprocess.run(build, check=True, timeout=1800)
        return f"from pathlib import Path; from clearprop.engines import cpu; cpu.LIBRARIES = Path({str(its)!r})\n"

    return of


@pytest.mark.slow
@pytest.mark.parametrize("variant", [*cpu.VARIANTS])
def test_a_library_has_the_bits_of_its_variant_compiled_where_it_runs(libraries, variant):
    python = sys.executable
    if variant == "aarch64" and EMULATED.exists():
        python = EMULATED
    elif variant not in cpu.runs_here():
        pytest.skip(
            f"this processor does not run {variant}; wheels/aarch64.sh build/aarch64 emulates one"
        )
    taken = WITHOUT + libraries(variant)
    how = {"python": python, "CLEARPROP_KERNELS": variant, "PYTHONPATH": str(ROOT / "src")}
    *ahead, its = ran(taken + TRAINS, **how)
    ran(taken + AGREES, **how)
    *compiled, same = ran(TRAINS, **how)
    name = cpu.VARIANTS[variant].name
    assert ahead == [name, "True", "False"]
    assert compiled == [name, "False", "True"]
    assert its == same
