"""Kernels are translated with Python's meaning, and machine code is kept where only its user can write."""

import contextlib
import ctypes
import functools
import hashlib
import inspect
import math
import os
import pathlib
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from llvmlite import binding

import clearprop as cp
from clearprop.building import build
from clearprop.engines import announcement, codes, compiled, kernels, language, machine_code, records
from clearprop.engines.announcement import announced
from clearprop.engines.elementary import exp
from clearprop.engines.intrinsics import kernel, like, part
from clearprop.engines.language import FLOAT32, FLOAT64, INT, Flat, Numbers, Table, types_of
from clearprop.engines.translation import Translation
from clearprop.training import loop
from kept_code import copied_to
from test_engines import OPTIMIZERS, SMALL, plan_for, problem

NUMBERS, INTEGERS, TABLE = Flat(FLOAT64), Flat(INT), Table(INT)
LIMIT = 7


def _of_this_machine():
    target = machine_code.target_machine()
    return target.triple, str(target.target_data)


@functools.cache
def compile_kernel(function, *types):
    """Return what calls a kernel's machine code with arrays."""
    target = machine_code.target_machine()
    made = Translation(target.triple, str(target.target_data))
    made.export(function, (*types, INT, INT))
    module = binding.parse_assembly(str(made.module))
    module.verify()
    engine = binding.create_mcjit_compiler(module, target)
    engine.finalize_object()
    address = engine.get_function_address(f"clearprop_{function.name}")
    signature = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)

    def call(*arrays):
        slots = np.array(
            [word for each in arrays for word in (machine_code.address(each), *each.shape)]
        )
        signature(address)(machine_code.address(slots), 0, 1)
        return engine

    return call


@kernel()
def _helper(a, b):
    return a + b, a * b


@kernel()
def _first_above(x, bar):
    for i in range(x.size):
        if x[i] > bar:
            return i
    return -1


@kernel()
def whole_numbers(x, out, thread, n_threads):
    a, b = x[0], x[1]
    out[0], out[1] = a // b, a % b
    out[2], out[3] = _helper(a, b)
    out[4] = min(a, b) - max(a, 3)
    out[5] = -a
    words = np.uint64(a * a) * np.uint64(0xD2511F53)
    out[6] = (words >> np.uint64(3)) & np.uint64(0xFFFF) ^ np.uint64(5)
    out[7] = (words << np.uint64(2) | np.uint64(1)) & np.uint64(0xFFFFFFFF)
    total = 0
    for i in range(9, 0, -2):
        if i == 5:
            continue
        total += i * i
    out[8] = total
    steps = 0
    while True:
        steps += 1
        if steps * steps > LIMIT * LIMIT:
            break
    out[9] = steps
    out[10] = 1 if a > b and b != 0 else 0
    out[11] = 1 if not a or b > 1 else 2
    out[12] = (a > 0) == (b > 0)
    out[13], out[14] = (a, b) if a < b else (0, 1)
    out[15] = _first_above(x, 2)


@kernel()
def real_numbers(x, out, thread, n_threads):
    a, b = x[0], x[1]
    out[0] = a / b + 1
    out[1] = math.sqrt(abs(a)) - math.log(abs(b)) + math.pow(abs(a), 3)
    out[2] = math.copysign(a, b) + math.copysign(2, a)
    out[3] = np.sign(a) + 2 * np.sign(b)
    out[4] = math.isfinite(a)
    out[5] = 7 // 2 / 2
    half = like(a, 0.5)
    tail = part(x, 1, x.size - 1)
    for i in range(tail.size):
        half += tail[i]
    out[6] = half
    out[7] = exp(like(a, 0.25))
    out[8] = np.float64(a) * tail.size
    out[9] = a if a != a or a > b else b


@kernel()
def tables(table, out, thread, n_threads):
    for i in range(table.shape[0]):
        row = table[i]
        for j in range(table.shape[1]):
            out[i] += table[i, j] * row[j] + row.size


@pytest.mark.parametrize(("a", "b"), [(7, 3), (-7, 3), (7, -3), (-7, -3), (0, 4), (6, 3), (2, 2)])
def test_whole_numbers_mean_what_they_mean_in_python(a, b):
    x, wanted, got = np.array([a, b]), np.zeros(16, np.int64), np.zeros(16, np.int64)
    with np.errstate(over="ignore"):
        whole_numbers(np.array([a, b], object), wanted, 0, 1)
    compile_kernel(whole_numbers, INTEGERS, INTEGERS)(x, got)
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("a", "b"), [(1.5, -2.25), (-0.75, 3.0), (0.0, 1.0), (np.nan, 1.0), (np.inf, 2.0)]
)
def test_real_numbers_mean_what_they_mean_in_python(a, b):
    x = np.array([a, b, 0.125])
    wanted, got = np.zeros(10), np.zeros(10)
    with np.errstate(all="ignore"):
        real_numbers(x, wanted, 0, 1)
    compile_kernel(real_numbers, NUMBERS, NUMBERS)(x, got)
    np.testing.assert_allclose(got, wanted, rtol=1e-14)


def test_in_float32_nothing_is_widened_unless_it_is_asked_for():
    x, got = np.float32([0.1, 3.0, 0.125]), np.zeros(10, np.float32)
    compile_kernel(real_numbers, Flat(FLOAT32), Flat(FLOAT32))(x, got)
    assert got[6] == np.float32(np.float32(0.5) + np.float32(3.0)) + np.float32(0.125)
    assert got[0] == np.float32(np.float32(0.1) / np.float32(3.0)) + np.float32(1)


def test_a_row_of_a_table_is_an_array():
    x, got = np.arange(12).reshape(4, 3), np.zeros(4, np.int64)
    compile_kernel(tables, TABLE, INTEGERS)(x, got)
    np.testing.assert_array_equal(got, (x * x).sum(axis=1) + 9)


class Corner(NamedTuple):
    row: int
    height: float


class Box(NamedTuple):
    corner: Corner
    content: Numbers
    full: bool


class Row(NamedTuple):
    power: int
    apply: Any


@kernel()
def _tenfold(x):
    return like(x, 10.0) * x


@kernel()
def _negative(x):
    return -x


ROWS = (Row(1, _tenfold), Row(2, _negative), Row(3, _tenfold))
PAIRS = ((5, _negative), (6, _tenfold))


@kernel()
def _further(box):
    return box._replace(corner=Corner(box.corner.row + 1, height=2 * box.corner.height))


@kernel()
def of_records(x, whole, out, thread, n_threads):
    box = Box(Corner(*whole), part(x, 1, 2), full=x.size)
    box = _further(box) if box.full else box
    box = _further(box)
    out[0], out[1] = box.corner.row, box.corner.height
    out[2], out[3] = box.content[1], box.content.size
    row, height = box.corner
    out[4] = row + height / 2
    out[5] = codes.LINE + math.pi
    i = 6
    for each in ROWS:
        if each.power == 2:
            continue
        out[i] = each.apply(x[0]) + each.power
        i += 1
    for number, f in PAIRS:
        out[i] = f(like(x[0], number))
        if i > 7:
            break
        i += 1


@kernel()
def first_row_of(code, x):
    for each in ROWS:
        if each.power == code:
            return each.apply(x)
    return x


@kernel()
def looks_up(x, out, thread, n_threads):
    for code in range(5):
        out[code] = first_row_of(code, x[0])


@kernel()
def grows(x, thread, n_threads):
    total = 0
    total += x[0]


@kernel()
def unknown_call(x, thread, n_threads):
    x[0] = np.cumsum(x)


@kernel()
def comprehends(x, thread, n_threads):
    x[0] = [1.0, 2.0]


@kernel()
def nameless(x, thread, n_threads):
    x[0] = missing  # noqa: F821


@kernel()
def lacks_a_field(x, thread, n_threads):
    x[0] = Corner(1).height


@kernel()
def has_no_such_field(x, thread, n_threads):
    x[0] = Corner(1, 2.0).width


@kernel()
def replaces_what_is_not_there(x, thread, n_threads):
    x[0] = Corner(1, 2.0)._replace(width=3).height


@kernel()
def changes_a_row(x, thread, n_threads):
    for number, _f in PAIRS:
        number = x[0]
        x[1] = number


@kernel()
def hides_a_variable(x, thread, n_threads):
    number = x[0]
    for number, _f in PAIRS:
        x[1] = number


@kernel()
def goes_through_an_array(x, thread, n_threads):
    for each in x:
        x[0] = each


@kernel()
def names_an_argument(x, thread, n_threads):
    x[0] = first_row_of(1, x=x[0])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (grows, "grows: total is int64, not float64"),
        (unknown_call, r"unknown_call, line \d+: kernels cannot call np.cumsum"),
        (comprehends, r"comprehends, line \d+: kernels have no List"),
        (nameless, r"nameless, line \d+: missing has no value yet"),
        (lacks_a_field, r"lacks_a_field, line \d+: Corner has the fields row, height"),
        (has_no_such_field, r"has_no_such_field, line \d+: Corner has no width"),
        (replaces_what_is_not_there, r"line \d+: Corner has no such fields"),
        (changes_a_row, "changes_a_row: number is of a table's row, and keeps its value"),
        (hides_a_variable, r"line \d+: number or _f is a variable already"),
        (goes_through_an_array, r"line \d+: for loops are over range\(...\) or a module's tuple"),
        (names_an_argument, r"line \d+: names of arguments are for records"),
    ],
)
def test_what_the_language_has_not_is_refused_with_its_place(function, message):
    with pytest.raises(TypeError, match=message):
        compile_kernel(function, NUMBERS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_records_constants_of_modules_and_tables_mean_what_they_mean_in_python(dtype):
    x, whole = np.array([1.5, -2.25, 0.75], dtype), np.array([3, 7])
    kind = Flat(FLOAT32 if dtype == "float32" else FLOAT64)
    wanted, got = np.zeros(11), np.zeros(11)
    of_records(x, whole, wanted, 0, 1)
    compile_kernel(of_records, kind, INTEGERS, NUMBERS)(x, whole, got)
    np.testing.assert_allclose(got, wanted, rtol=1e-14)
    looks_up(x, wanted, 0, 1)
    compile_kernel(looks_up, kind, NUMBERS)(x, got)
    np.testing.assert_array_equal(got, wanted)
    assert list(got[:5]) == [1.5, 15.0, -1.5, 15.0, 1.5]


@pytest.mark.parametrize("kind", [records.Run, records.Prediction, records.Settings], ids=str)
def test_every_field_of_a_record_is_found_in_the_slots_by_its_name(kind):
    number = iter(range(2, 999))

    def filled(hint):
        if hint is bool:
            return next(number) % 2 == 0
        if hint in (int, float):
            return hint(next(number))
        if language.is_record(hint):
            return hint(*[filled(each) for each in language.hints_of(hint).values()])
        shape = language.type_of(hint, FLOAT64)
        return np.zeros(next(number)) if isinstance(shape, Flat) else np.zeros((next(number), 3))

    record = filled(kind)
    slots, at = machine_code.slots(record), machine_code.places(kind)
    for name, hint in language.hints_of(kind).items():
        value, place = getattr(record, name), getattr(at, name)
        if isinstance(value, np.ndarray):
            assert list(slots[place : place + 1 + value.ndim]) == [
                machine_code.address(value),
                *value.shape,
            ]
        elif language.is_record(hint):
            inner = machine_code.slots(value)
            np.testing.assert_array_equal(slots[place : place + len(inner)], inner)
        else:
            assert slots[place : place + 1].view(float if hint is float else int)[0] == value
    types = language.parts_of(language.type_of(kind, FLOAT64))
    assert len(slots) == len(types)


def test_a_float_of_a_record_may_be_given_as_a_whole_number():
    at = machine_code.places(Corner)
    assert machine_code.slots(Corner(1, 2))[at.height :].view(float)[0] == 2.0


def stepped_through(monkeypatch):
    """Let the engine run its kernels as Python."""
    monkeypatch.setattr(machine_code, "slots", lambda run, _=None: run)
    monkeypatch.setattr(machine_code, "address", lambda run: run)
    monkeypatch.setattr(compiled, "side_by_side", lambda _, run, *__: kernels.train(run))


def trained(plan, data, parameters, n_steps=3):
    state = compiled.State(parameters.copy(), plan.optimizer.init(parameters))
    order, rates = np.arange(len(data.X)), np.full(n_steps, 0.1)
    compiled.CompiledEngine().run(plan, state, data, order, rates)
    return state


def test_the_kernels_run_as_python_too_and_find_the_same(monkeypatch):
    architecture = build(SMALL, "tanh", "softmax", "cross_entropy")
    data, parameters = problem(architecture, 7)
    plan = plan_for(architecture, OPTIMIZERS[4], dropout=(0.4,), l2=0.1, clip_norm=0.5)
    wanted = trained(plan, data, parameters)
    stepped_through(monkeypatch)
    got = trained(plan, data, parameters)
    np.testing.assert_allclose(got.parameters, wanted.parameters, rtol=1e-12)
    assert got.epoch_cost == pytest.approx(wanted.epoch_cost, rel=1e-12)


def test_code_is_kept_in_the_first_folder_that_only_its_user_can_write_to(tmp_path, monkeypatch):
    package, cache = tmp_path / "package", tmp_path / "cache"
    (package / "__pycache__").mkdir(parents=True)
    monkeypatch.delenv("CLEARPROP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(machine_code, "__file__", str(package / "machine_code.py"))
    assert machine_code._folder() == package / "__pycache__"
    (package / "__pycache__").chmod(0o777)
    assert machine_code._folder() == cache / "clearprop"
    assert (cache / "clearprop").stat().st_mode & 0o777 == 0o700
    (cache / "clearprop").chmod(0o770)
    assert machine_code._folder() is None
    monkeypatch.setenv("CLEARPROP_CACHE", str(tmp_path / "own"))
    assert machine_code._folder() == tmp_path / "own"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert machine_code._folder() is None


def test_what_is_compiled_says_whether_it_is_kept(tmp_path, monkeypatch):
    said, made = [], machine_code._read(pathlib.Path(copied_to(tmp_path)))
    monkeypatch.setattr(machine_code, "compile_for", lambda *_: made)
    with announced(said.append):
        for mode in (0o777, 0o755):
            tmp_path.chmod(mode)
            monkeypatch.setenv("CLEARPROP_CACHE", str(tmp_path / "cache"))
            machine_code._prepare("float32")
    assert "in every process: no folder" in said[0]
    assert "once; it is kept" in said[1]


def test_what_is_compiled_takes_no_time_of_an_epoch(tmp_path, monkeypatch):
    made, now = machine_code._read(pathlib.Path(copied_to(tmp_path))), [1.0]

    def compile_for(*_):
        now[0] += 1000.0
        return made

    monkeypatch.setenv("CLEARPROP_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(machine_code, "compile_for", compile_for)
    monkeypatch.setattr(machine_code, "_LOADED", {})
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(announcement, "time", clock)
    monkeypatch.setattr(loop, "time", clock)
    net = cp.Network([4, 5, 3], seed=0)
    history = net.fit(np.eye(4), [0, 1, 2, 0], batch_size=2, epochs=2, engine="compiled")
    assert history["seconds"] == [0.0, 0.0]
    assert now == [1001.0]


SOURCES = sorted(pathlib.Path(machine_code.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_changed_source_is_compiled_again(source, monkeypatch, tmp_path):
    package = tmp_path / "engines"
    shutil.copytree(source.parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(machine_code, "_SOURCES", package)
    before = machine_code._path("float32")
    assert before == machine_code._path("float32")
    with (package / source.name).open("a") as file:
        file.write("# changed")
    assert machine_code._path("float32") != before


def test_a_source_that_is_added_is_compiled_again(monkeypatch, tmp_path):
    package = tmp_path / "engines"
    shutil.copytree(SOURCES[0].parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(machine_code, "_SOURCES", package)
    before = machine_code._path("float32")
    (package / "more.py").write_text("MORE = 1")
    assert machine_code._path("float32") != before


def test_every_source_that_is_translated_is_looked_at():
    """Kernels, what writes their code and the constants they take stand in the folder of the key."""
    entries = [each.function for each in kernels.ENTRIES]
    made = Translation(*_of_this_machine())
    for each in kernels.ENTRIES:
        made.export(each, types_of(each.function, FLOAT64))
    translated = {inspect.getsourcefile(each.function) for each, _ in made.done}
    assert {inspect.getsourcefile(each) for each in entries} <= translated
    assert {pathlib.Path(file).parent for file in translated} == {machine_code._SOURCES}


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
def test_nothing_is_allocated_inside_a_run_and_nothing_but_mathematics_is_called(dtype):
    made = Translation(*_of_this_machine())
    for entry in kernels.ENTRIES:
        made.export(entry, types_of(entry.function, dtype))
    module = binding.parse_assembly(str(made.module))
    called = {each.name for each in module.functions if each.is_declaration}
    assert called
    assert all(name.startswith("llvm.") for name in called)
    assert not any("alloc" in name or "stacksave" in name for name in called)


def test_damaged_code_is_never_executed(tmp_path):
    path = tmp_path / "code.o"
    machine_code._write(path, b"some machine code")
    assert machine_code._read(path) == b"some machine code"
    content = path.read_bytes()
    for damaged in (b"", content[:20], content[:-1], content[:-1] + b"!", hashlib.sha256(b"").digest()):
        path.write_bytes(damaged)
        assert machine_code._read(path) is None
    assert [each.name for each in tmp_path.iterdir()] == ["code.o"]
    machine_code._write(tmp_path / "nowhere" / "code.o", b"a folder that is not there is no error")


def foreign(path):
    os.chown(path, 65534, -1)


def replaced_by(make):
    def change(path):
        path.unlink()
        make(path)

    return change


def a_link(path):
    (path.parent / "elsewhere").write_bytes(hashlib.sha256(b"code").digest() + b"code")
    path.symlink_to(path.parent / "elsewhere")


UNTRUSTED = {
    "writable by its group": lambda path: path.chmod(0o620),
    "writable by others": lambda path: path.chmod(0o602),
    "a link": replaced_by(a_link),
    "a pipe": replaced_by(os.mkfifo),
    "a folder": replaced_by(os.mkdir),
} | ({"another user's": foreign} if hasattr(os, "geteuid") and os.geteuid() == 0 else {})


def untrusted_are_refused(folder):
    """Return which of the files that are not to be trusted are read nevertheless, or not replaced."""
    wrong = []
    for name, change in UNTRUSTED.items():
        path = folder / f"{len(list(folder.iterdir()))}.o"
        machine_code._write(path, b"code")
        assert machine_code._read(path) == b"code"
        change(path)
        if machine_code._read(path) is not None:
            wrong.append(name)
        machine_code._write(path, b"other")
        if name != "a folder" and machine_code._read(path) != b"other":
            wrong.append(f"{name}, replaced")
    return wrong


def test_code_that_another_user_could_have_written_is_compiled_again_and_replaced(tmp_path):
    assert untrusted_are_refused(tmp_path) == []


def test_these_refusals_can_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(machine_code, "_is_mine", lambda found: True)
    named = [name for name in UNTRUSTED if "writable" in name or "user" in name]
    assert untrusted_are_refused(tmp_path) == named
    monkeypatch.undo()
    monkeypatch.setattr(machine_code, "_opened", lambda path: path.open("rb"))
    del UNTRUSTED["a pipe"]  # at which it would wait for good
    assert "a link" in untrusted_are_refused(tmp_path)


def test_code_and_its_folders_are_written_for_their_user_alone_whatever_the_umask(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("CLEARPROP_CACHE", str(tmp_path / "a" / "b"))
    before = os.umask(0)
    try:
        machine_code._write(machine_code._path("float32"), b"code")
    finally:
        os.umask(before)
    (path,) = (tmp_path / "a" / "b").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert {each.stat().st_mode & 0o777 for each in (path.parent, path.parent.parent)} == {0o700}


def writable_by_group(group):
    def change(path):
        os.chown(path, -1, group)
        path.chmod(0o775)

    return change


def is_alone_in_own_group():
    """Return whether the tests run as a user with a group of that name, in which nobody else is."""
    if not hasattr(os, "geteuid"):
        return False
    id_of = functools.partial(subprocess.check_output, text=True)
    own, everyone = id_of(["id", "-g"]).strip(), id_of(["getent", "passwd"]).splitlines()
    name, _, number, members = id_of(["getent", "group", own]).strip().split(":")
    primary = {each.split(":")[0] for each in everyone if each.split(":")[3] == number}
    return primary | {*filter(None, members.split(","))} == {name}


FOLDERS = [
    ("where others may only add", lambda above: above.chmod(0o1777), True),
    ("that others may write to", lambda above: above.chmod(0o777), False),
    ("that a group may write to", writable_by_group(65534), False),
    ("of another user", foreign, False),
]
if is_alone_in_own_group():
    FOLDERS.append(
        ("that only its user's own group may write to", writable_by_group(os.getgid()), True)
    )


@pytest.mark.parametrize(
    ("change", "kept"), [row[1:] for row in FOLDERS], ids=[row[0] for row in FOLDERS]
)
@pytest.mark.parametrize("linked", [False, True])
def test_the_folders_above_are_looked_at_too(change, kept, linked, tmp_path, monkeypatch):
    above = tmp_path / "above"
    (above / "cache").mkdir(parents=True, mode=0o700)
    if linked:
        (tmp_path / "link").symlink_to(above / "cache")
    chosen = tmp_path / "link" if linked else above / "cache"
    monkeypatch.setenv("CLEARPROP_CACHE", str(chosen))
    assert machine_code._folder() == chosen
    try:
        change(above)
    except PermissionError:
        pytest.skip("only root gives files away")
    assert machine_code._folder() == (chosen if kept else None)
    monkeypatch.setattr(machine_code, "_is_guarded", lambda path: True)  # the mutant
    assert machine_code._folder() == chosen


TRAINS = """
import numpy as np, clearprop as cp
from clearprop.engines import machine_code
net = cp.Network([4, 5, 3], seed=0)
net.fit(np.eye(4), [0, 1, 2, 0], batch_size=2, epochs=2, progress=False)
print(machine_code.compiled, net.parameters.tobytes().hex())
"""


def start(code, folder, **how):
    environment = {**os.environ, "CLEARPROP_CACHE": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
    )  # fmt: skip


@pytest.mark.slow
def test_a_pipe_in_the_place_of_the_code_stops_no_training(tmp_path, monkeypatch):
    monkeypatch.setenv("CLEARPROP_CACHE", str(tmp_path))
    os.mkfifo(machine_code._path("float32"))
    for compiled_anew in ("1", "0"):
        out, err = start(TRAINS, tmp_path).communicate(timeout=300)
        assert out.split()[0] == compiled_anew, err


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 6])
def test_processes_are_right_while_their_cache_is_damaged(n, tmp_path):
    """They begin while the file is cut, changed, emptied and put back, as fast as that goes."""
    path = pathlib.Path(copied_to(tmp_path))
    wanted = start(TRAINS, tmp_path).communicate(timeout=300)[0].split()[1]
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    running = [start(TRAINS, tmp_path) for _ in range(n)]
    while any(each.poll() is None for each in running):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 255
        cut = whole[: rng.integers(len(whole))]
        with contextlib.suppress(OSError):
            path.write_bytes([cut, bytes(damaged), b"", whole][rng.integers(4)])
        time.sleep(0.02)
    for each in running:
        out, err = each.communicate()
        assert each.returncode == 0, err
        assert out.split()[1] == wanted
