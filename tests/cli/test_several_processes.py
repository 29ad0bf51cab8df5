"""The shell by several processes: one model, one report, one sentence where something is wrong."""

import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

import clearprop as cp
from clearprop.cli import info, processes
from clearprop.engines import cpu
from launching import MPIEXEC, alone, mpiexec, mpiexec_each, needs_mpi

EPOCHS = 30


@pytest.fixture
def rows(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", X=X, Y=(X[:, 0] > 0).astype(int))
    return tmp_path


def shell(folder, *arguments, size=0):
    """Run clearprop, by mpiexec with a size."""
    command = ["-m", "clearprop", *map(str, arguments)]
    if size:
        return mpiexec(size, *command, cwd=folder)
    command = [sys.executable, *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=alone())


def broken_off(folder, *arguments):
    """Begin a training by two processes, and break it off when there is a checkpoint."""
    command = [MPIEXEC, "-n", "2", sys.executable, "-m", "clearprop", *map(str, arguments)]
    with subprocess.Popen(command, cwd=folder, env=alone(), stderr=subprocess.PIPE, text=True) as begun:
        while not (folder / "c").exists() and begun.poll() is None:
            time.sleep(0.02)
        begun.send_signal(signal.SIGINT)
        said = begun.communicate(timeout=60)[1]
    assert begun.returncode == 130, said


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@needs_mpi
def test_a_model_is_the_same_file_by_any_number_of_processes(rows, capsys):
    how = ("train", "rows.npz", "--epochs", 2, "--seed", 1, "--hidden", 5, "--batch-size", 16)
    found = shell(rows, *how, "--shards", 64, "--output", "one.safetensors", "--quiet")
    assert found.returncode == 0, found.stderr
    # Broken off after an epoch by three processes, gone on with by two.
    first = shell(rows, *how[:2], "--epochs", 1, *how[4:], "--checkpoint", "c", size=3)
    assert first.returncode == 0, first.stderr
    last = shell(rows, *how, "--checkpoint", "c", "--resume", "--output", "two.safetensors", size=2)
    assert last.returncode == 0, last.stderr
    assert digest(rows / "one.safetensors") == digest(rows / "two.safetensors")
    assert "resumed at epoch 1, step 10 (c)" in last.stderr
    assert last.stdout.count("saved") == 1
    assert "not to the same bits" not in last.stderr
    if cpu.has_code():
        (name,) = re.findall(
            r"^2 processes on 1 host; code for (\S+), which all have$", last.stderr, re.M
        )
        info.info(str(rows / "c"))
        assert re.search(rf"^code for +{re.escape(name)} [0-9a-f]{{8}}$", capsys.readouterr().out, re.M)
        info.info(str(rows / "c"), as_json=True)
        assert json.loads(capsys.readouterr().out)["processor"].startswith(f"{name} ")


@pytest.mark.parametrize(
    ("hosts", "processor", "line"),
    [
        (["a", "b", "a"], "x86-64-v3 0123abcd", "3 processes on 2 hosts; code for x86-64-v3, which all have"),
        (["a", "a"], "", "2 processes on 1 host"),  # the numpy engine has none
        (["a"], "x86-64-v3 0123abcd", ""),
    ],
)  # fmt: skip
def test_processes_are_described_in_a_line(monkeypatch, hosts, processor, line):
    monkeypatch.setattr(processes, "_team", [SimpleNamespace(size=len(hosts), hosts=hosts)])
    assert processes.described(processor) == line


@needs_mpi
@pytest.mark.parametrize(
    "buffer",
    [
        pytest.param((), id="memory", marks=pytest.mark.slow),
        pytest.param(("--buffer", 300), id="stream"),
    ],
)
def test_a_tables_model_is_the_same_file_by_any_number_of_processes_and_threads(tmp_path, buffer):
    rng = np.random.default_rng(0)
    a, colour = rng.normal(size=900), rng.choice(["red", "green", "blue"], 900)
    table = pa.table({"a": a, "b": rng.normal(size=900), "colour": colour, "y": a > 0.2})
    (tmp_path / "parts").mkdir()
    for number, first in enumerate((0, 400, 700)):
        part = table.slice(first, (400, 300, 200)[number])
        pq.write_table(part, tmp_path / "parts" / f"{number}.parquet", row_group_size=90)
    how = ("train", "parts", "--target", "y", "--seed", 1, "--hidden", 5, *buffer)
    how += ("--preset", "realmlp-s", "--shards", 8, "--epochs", EPOCHS)  # schedules are over these
    one = shell(tmp_path, *how, "--threads", 1, "--output", "one")
    assert one.returncode == 0, one.stderr
    broken_off(tmp_path, *how, "--quiet", "--checkpoint", "c", "--output", "last")
    last = shell(tmp_path, *how, "--checkpoint", "c", "--resume", "--output", "last", size=3)
    assert last.returncode == 0, last.stderr
    assert 0 < int(re.search(r"resumed at epoch (\d+)", last.stderr)[1]) < EPOCHS
    assert digest(tmp_path / "one") == digest(tmp_path / "last")


@needs_mpi
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "nothing.npz"), "nothing.npz"),
        (("train", "rows.npz", "--shards", 1), "at most as many processes as shards, 1, got 2; start fewer, or give --shards 2"),
        (("evaluate", "m", "rows.npz"), "evaluate runs in one process, mpiexec has started 2: start it without mpiexec"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once(rows, arguments, message):
    found = shell(rows, *arguments, size=2)
    assert found.returncode == 2
    assert found.stderr.count("clearprop: ") == 1
    assert message in found.stderr
    assert not list(rows.glob("*.safetensors"))


@pytest.mark.parametrize(
    "command",
    [("train", "rows.npz"), ("predict", "m.safetensors", "rows.npz")],
    ids=["train", "predict"],
)
def test_options_of_several_processes_need_several(rows, command):
    found = shell(rows, *command, "--stall-timeout", 5)
    assert found.returncode == 2
    assert (
        f"--stall-timeout is for several processes: mpiexec -n 4 clearprop {command[0]}" in found.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        (("--stall-timeout", "5"), 5),
        (("--quiet", "--stall-timeout=2.5"), 2.5),
        (("--stall-timeout",), 30),
        (("--stall-timeout", "soon"), 30),  # which is refused when the command reads it
        (("--stall-timeout", "0.1"), 30),
        (("--stall-timeout", "inf"), 30),
        ((), 30),
    ],
)
def test_the_stall_timeout_is_found_before_a_command_reads_its_options(arguments, seconds):
    assert processes._stall_timeout(["train", "rows.npz", *arguments]) == seconds


STOPS = """
import os, signal
from clearprop.cli import processes
processes.begin([{!r}, "--stall-timeout", "2"])
os.kill(os.getpid(), signal.SIGSTOP)
"""


@needs_mpi
@pytest.mark.parametrize(
    "command",
    [
        ("train", "rows.npz"),
        ("predict", "m.safetensors", "rows.npz", "--output", "p.parquet"),
    ],
    ids=["train", "predict"],
)
def test_the_stall_timeout_holds_from_the_beginning_when_there_is_no_checkpoint(rows, command):
    cp.Network([4, 3, 2], seed=0).save(rows / "m.safetensors")
    found = mpiexec_each(
        ("-m", "clearprop", *command, "--stall-timeout", 2), ("-c", STOPS.format(command[0])), cwd=rows
    )
    assert found.returncode != 0
    assert "clearprop: rank 1 on " in found.stderr
    assert "all processes end (--stall-timeout 2)\n" in found.stderr


@pytest.fixture
def parts(tmp_path):
    """Return a folder of two Parquet files; one has a single row group."""
    rng = np.random.default_rng(0)
    X, colour = rng.normal(size=(900, 3)), np.array(["red", "green"])[rng.integers(0, 2, 900)]
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "colour": colour, "y": X[:, 0] + (colour == "red")})
    (tmp_path / "parts").mkdir()
    pq.write_table(table.slice(0, 700), tmp_path / "parts" / "part-0.parquet")
    pq.write_table(table.slice(700), tmp_path / "parts" / "part-1.parquet", row_group_size=50)
    return tmp_path


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("buffer", [(), ("--buffer", 300)])
def test_a_table_is_the_same_model_by_any_number_of_processes(parts, buffer):
    how = ("train", "parts", "--target", "y", "--epochs", 3, "--seed", 1, "--quiet", *buffer)
    found = {}
    for size in (0, 1, 2, 3, 4):
        shards = () if size else ("--shards", 64)
        name = f"m{size}.safetensors"
        ran = shell(parts, *how, *shards, "--output", name, size=size)
        assert ran.returncode == 0, ran.stderr
        found[size] = digest(parts / name)
    assert len(set(found.values())) == 1, found
    assert cp.load(parts / "m3.safetensors").sizes[0] == 3  # two numbers, and which of two colours


@needs_mpi
def test_each_process_predicts_a_part_of_the_rows_in_their_order(rows):
    X = np.load(rows / "rows.npz")["X"]
    np.savez(rows / "others.npz", X=X[:101])
    net = cp.Network([4, 3, 2], seed=0)
    net.save(rows / "m.safetensors")
    found = shell(rows, "predict", "m.safetensors", "others.npz", "--output", "p.parquet", size=2)
    assert found.returncode == 0, found.stderr
    parts = [pq.read_table(rows / f"p-{rank}.parquet") for rank in range(2)]
    assert [len(part) for part in parts] == [50, 51]
    table = pa.concat_tables(parts).to_pydict()
    assert table["row"] == list(range(101))
    np.testing.assert_allclose(table["probability_1"], net.predict(X[:101])[:, 1], rtol=1e-5)
    found = shell(rows, "predict", "m.safetensors", "others.npz", size=2)
    assert "--output must be a .parquet file with several processes" in found.stderr
    assert found.stderr.count("clearprop: ") == 1


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_parts_in_the_order_of_their_names_are_what_one_process_predicts(parts, kind):
    ids = pa.array([f"id {i:03}" for i in range(900)])
    table = pq.read_table(parts / "parts").append_column("id", ids)
    pq.write_table(table, parts / "t.parquet", row_group_size=130)
    csv.write_csv(table, parts / "t.csv")
    how = ("train", "t.parquet", "--target", "y", "--epochs", 1, "--seed", 1, "--quiet")
    ran = shell(parts, *how, "--preset", "realmlp-s", "--engine", "numpy", "--output", "m")
    assert ran.returncode == 0, ran.stderr
    asked = ("predict", "m", f"t.{kind}", "--interval", 90, "--keep", "id,colour", "--output")
    for size in (0, 3):
        ran = shell(parts, *asked, f"of-{size}.parquet", size=size)
        assert ran.returncode == 0, ran.stderr
    one, names = pq.read_table(parts / "of-0.parquet"), sorted(parts.glob("of-3-*.parquet"))
    both = pa.concat_tables([pq.read_table(name) for name in names])
    assert len(names) == 3
    assert both.schema == one.schema
    for name in one.column_names:
        if pa.types.is_floating(one.schema.field(name).type):
            np.testing.assert_allclose(both.column(name), one.column(name), rtol=1e-5)
        else:
            assert both.column(name).to_pylist() == one.column(name).to_pylist()
    assert one.column_names == ["row", "id", "colour", "prediction", "low", "high"]


FULL = """
import resource
from clearprop.cli import main, predictions

def write(*how):
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    written(*how)

written, predictions.write = predictions.write, write
main()
"""


@needs_mpi
def test_where_one_part_cannot_be_written_there_is_none(rows):
    cp.Network([4, 3, 2], seed=0).save(rows / "m.safetensors")
    how = ("predict", "m.safetensors", "rows.npz", "--output", "q.parquet")
    found = mpiexec_each(("-m", "clearprop", *how), ("-c", FULL, *how), cwd=rows)
    assert found.returncode != 0
    assert found.stderr.count("clearprop: ") == 1, found.stderr
    assert "clearprop: rank 1 on " in found.stderr
    assert ": q-1.parquet: File too large" in found.stderr
    assert "wrote" not in found.stderr
    assert sorted(each.name for each in rows.iterdir()) == ["m.safetensors", "rows.npz"]
