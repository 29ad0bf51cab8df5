"""Tables that a URL names: pyarrow's filesystems, and nothing said of the keys."""

import os
import shutil
import socket
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSystem

import clearprop as cp
from clearprop.data.remote import Remote, without_keys
from clearprop.data.table import open_table
from clearprop.data.table.streamed import watch
from launching import alone, mpiexec, needs_mpi

N, SECRET = 205, "wJalrXUtnFEMI%2FK7MDENG"


def table():
    rng = np.random.default_rng(0)
    a, colour = rng.normal(size=N), np.array(["red", "green", "blue"])[rng.integers(0, 3, N)]
    return pa.table({"a": a, "b": rng.normal(size=N), "colour": colour, "y": a > 0.2})


def write_parts(system, folder):
    """Write a folder of files whose row groups have 30 rows; one is hidden, one no part of it."""
    for number, (first, n) in enumerate([(0, 70), (70, 120), (190, 15)]):
        inside = f"{folder}/half=h{number // 2}"
        system.create_dir(inside, recursive=True)
        part = f"{inside}/{number}.parquet"
        pq.write_table(table().slice(first, n), part, row_group_size=30, filesystem=system)
    for name in ("_hidden.parquet", "notes.txt"):
        with system.open_output_stream(f"{folder}/{name}") as file:
            file.write(b"no table")


@pytest.fixture
def here(tmp_path):
    """Return the URL of a folder of this machine."""
    system, path = FileSystem.from_uri(tmp_path.as_uri())
    write_parts(system, f"{path}/parts")
    return f"{tmp_path.as_uri()}/parts"


def rows_of(what):
    source = open_table(what)
    return pa.Table.from_batches(source.batches()), source


def test_a_folder_of_a_filesystem_is_the_table_that_it_is_here(here, tmp_path):
    want, local = rows_of(tmp_path / "parts")
    for url in (here, here + "/"):
        found, source = rows_of(url)
        assert found.equals(want)
        assert source.where == here
        assert source.name == local.name == "parts"
    assert want.column("half").to_pylist() == ["h0"] * 190 + ["h1"] * 15
    one, _ = rows_of(f"{here}/half=h0/1.parquet")
    assert one.column("a").to_pylist() == table().column("a").to_pylist()[70:190]
    both, _ = rows_of(f"{here}/half=h0/*.parquet")
    assert both.num_rows == 190
    with pytest.raises(ValueError, match="must all be here, or all at URLs, got 'file://"):
        rows_of([f"{here}/half=h1/2.parquet", tmp_path / "parts" / "half=h0" / "0.parquet"])
    pair, _ = rows_of([f"{here}/half=h1/2.parquet", f"{here}/half=h0/0.parquet"])
    assert pair.column("half").to_pylist() == ["h1"] * 15 + ["h0"] * 70


def test_a_stream_from_a_url_has_the_rows_of_one_from_here(here, tmp_path):
    how = {"target": "y", "seed": 1, "validation": 0.2}
    url, local = cp.data.stream(here, **how), cp.data.stream(str(tmp_path / "parts"), **how)
    assert url.spool.fingerprint() == local.spool.fingerprint()
    assert url.held.X.tolist() == local.held.X.tolist()


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_csv_comes_through_the_same_door(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    with pa.output_stream(path, compression="gzip" if ending == ".csv.gz" else None) as file:
        pyarrow.csv.write_csv(table(), file)
    found, _ = rows_of(path.as_uri())
    assert found.equals(rows_of(path)[0])
    assert found.num_rows == N


def test_a_file_that_is_changed_meanwhile_is_refused(here, tmp_path):
    unchanged, source = watch(here), open_table(here)
    unchanged()
    file = tmp_path / "parts" / "half=h0" / "0.parquet"
    os.utime(file, (1, 1))
    with pytest.raises(OSError, match=r"file://.*/half=h0/0\.parquet was changed while it was read"):
        unchanged()
    with pytest.raises(OSError, match=r"0\.parquet was changed while it was read"):
        list(source.batches())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///nowhere/t.parquet", "there is no file or folder file:///nowhere/t.parquet"),
        (
            "http://host/t.parquet",
            "such as s3://bucket/folder.*got http://host/t.parquet: Unrecognized",
        ),
        (f"s3://AKIA:{SECRET}/x@bucket/parts", "with %2F for a /; got s3://bucket/parts: Cannot parse"),
        (f"s3://AKIA:{SECRET}@bucket/parts?token={SECRET}", "got s3://bucket/parts: Unexpected query"),
    ],
)
def test_what_a_url_does_not_name_is_said_in_a_sentence_without_keys(url, message):
    for read in (open_table, lambda url: cp.data.stream(url, target="y")):
        with pytest.raises((OSError, ValueError), match=message) as raised:
            read(url)
        assert SECRET not in str(raised.value)
        assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="must be a local file or folder, got the URL") as raised:
        cp.data.load(url)
    assert SECRET not in str(raised.value)


def test_keys_are_left_out_of_any_text():
    said = without_keys(f"read 's3://a:{SECRET}@b/c?region=x&token={SECRET}' and gs://d/e@f, c:/g?h")
    assert said == "read 's3://b/c' and gs://d/e@f, c:/g?h"
    assert without_keys("s3://k:a/b@c@bucket/x?y") == "s3://bucket/x"
    made = Remote(f"s3://key:{SECRET}@bucket/parts/?region=us-east-1")
    assert repr(made) == str(made) == "s3://bucket/parts"
    assert (made.name, str(made.parent)) == ("parts", "s3://bucket")


def shell(folder, *arguments, size=0):
    command = ["-m", "clearprop", *map(str, arguments)]
    if size:
        return mpiexec(size, *command, cwd=folder)
    command = [sys.executable, *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=alone())


class Cloud(NamedTuple):
    """A server of one's own: how it is started, and the URL of a folder there."""

    install: str
    command: str  # with the port
    url: str  # with the port and the folder
    shown: str

    def started(self, port):
        command = self.command.format(port=port).split()
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


ENDPOINT = "scheme=http&endpoint_override=127.0.0.1:{port}"
CLOUDS = {
    "s3": Cloud(
        "moto[server]",
        "moto_server -H 127.0.0.1 -p {port}",
        f"s3://AKIA:{SECRET}@{{folder}}?{ENDPOINT}&region=us-east-1",
        "s3://",
    ),
    "gs": Cloud(
        "gcp-storage-emulator",
        "gcp-storage-emulator start --host=127.0.0.1 --port={port} --in-memory --default-bucket=bucket",
        f"gs://anonymous@{{folder}}?{ENDPOINT}&retry_limit_seconds=5",
        "gs://anonymous@",
    ),
}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(params=CLOUDS)
def cloud(request):
    """Return the URLs of a server's folders, and what is shown of them."""
    its, port = CLOUDS[request.param], free_port()
    if shutil.which(its.command.split()[0]) is None:
        pytest.skip(f"{its.command.split()[0]} is not installed: pip install '{its.install}'")
    server = its.started(port)

    def url(folder):
        return its.url.format(folder=folder, port=port)

    try:
        for _ in range(600):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        more = "&allow_bucket_creation=true&allow_delayed_open=true" if request.param == "s3" else ""
        system, _ = FileSystem.from_uri(url("bucket") + more)
        for _ in range(5):
            try:
                system.create_dir("bucket")
                break
            except OSError:  # it is still loading
                continue
        write_parts(system, "bucket/parts")
        yield url, its.shown
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
def test_a_table_in_a_cloud_is_trained_on_and_predicted(cloud, tmp_path):
    bucket, shown = cloud
    write_parts(FileSystem.from_uri(tmp_path.as_uri())[0], f"{tmp_path}/parts")
    url = bucket("bucket/parts")
    assert rows_of(url)[0].equals(rows_of(tmp_path / "parts")[0])
    how = ("--target", "y", "--epochs", 2, "--seed", 1, "--shards", 8, "--buffer", 60, "--hidden", 4)
    runs = {"one": (url, 0), "local": ("parts", 0)}
    if not needs_mpi.args[0]:
        runs["two"] = (url, 2)
    said = ""
    for name, (what, size) in runs.items():
        found = shell(tmp_path, "train", what, *how, "--log", "log.csv", "--output", name, size=size)
        assert found.returncode == 0, found.stderr
        said += found.stdout + found.stderr + (tmp_path / "log.csv").read_text()
    models = {name: cp.load(tmp_path / name) for name in runs}
    for each in models.values():
        assert each.parameters.tolist() == models["local"].parameters.tolist()
    found = shell(tmp_path, "predict", "one", url, "--output", "p.csv")
    assert found.returncode == 0, found.stderr
    measured = shell(tmp_path, "evaluate", "one", url)
    assert measured.returncode == 0, measured.stderr
    said += found.stderr + measured.stdout + measured.stderr + (tmp_path / "p.csv").read_text()
    assert f"{shown}bucket/parts: " in said
    for missing in ("bucket/nothing", "nobucket/parts", "nobucket/parts/x.parquet"):
        found = shell(tmp_path, "train", bucket(missing), "--target", "y")
        assert found.returncode == 2
        assert found.stderr == f"clearprop: there is no file or folder {shown}{missing}\n"
    named = shell(tmp_path, "train", url, *how)
    assert named.returncode == 0, named.stderr
    assert (tmp_path / "parts.safetensors").exists()
    said += named.stdout + named.stderr
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert SECRET not in said
    assert SECRET.encode() not in kept
    assert b"AKIA" not in kept


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named(tmp_path):
    url = CLOUDS["s3"].url.format(folder="bucket/parts", port=free_port())
    found = shell(tmp_path, "train", url, "--target", "y")
    assert found.returncode == 2
    assert found.stderr.startswith("clearprop: s3://bucket/parts cannot be read: ")
    assert "NETWORK_CONNECTION" in found.stderr
    assert found.stderr.count("\n") == 1
    assert SECRET not in found.stderr
