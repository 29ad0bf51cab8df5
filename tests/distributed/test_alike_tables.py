"""Two hosts that have not the same table: which of them, and in what, is said before anything is learned.

The hosts are folders of this machine.
"""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import clearprop as cp
from clearprop.data.row_stream import RowStream
from clearprop.data.table import fingerprint, open_table
from clearprop.distributed import agreement
from launching import mpiexec_in, needs_mpi
from thread_team import together

N = 600
RNG = np.random.default_rng(0)
A, B, WORDS = RNG.normal(size=N), RNG.normal(size=N), np.array(["red", "green"])
TABLE = pa.table({"a": A, "b": B, "word": WORDS[RNG.integers(0, 2, N)], "y": RNG.random(N) > 0.5})
TRAIN = ("train", "parts", "--target", "y", "--epochs", 1, "--seed", 1, "--buffer", 200)


def write(folder, table=TABLE):
    """Write a table as three files."""
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for number in range(3):
        part = table.slice(number * N // 3, N // 3)
        pq.write_table(part, folder / "parts" / f"part-{number}.parquet", use_dictionary=False)


def with_value(value):
    """Return the table with another value in the middle, no extreme one: no statistic differs."""
    a = A.copy()
    a[250] = value
    return TABLE.set_column(0, "a", pa.array(a))


CHANGES = {
    "value": (
        lambda b: write(b, with_value(0.25)),
        "has content of file part-1.parquet '",
    ),
    "part": (
        lambda b: (b / "parts" / "part-2.parquet").unlink(),
        "has no file part-2.parquet (rank 0 on ",
    ),
    "column": (
        lambda b: write(b, TABLE.rename_columns(["a", "c", "word", "y"])),
        "has no column b (rank 0 on ",
    ),
    "type": (
        lambda b: write(b, TABLE.set_column(1, "b", TABLE.column("b").cast(pa.float32()))),
        "has column b 'float, number 2' (rank 0 on ",
    ),
    "rows": (
        lambda b: write(b, TABLE.slice(0, 500)),
        "has file part-2.parquet '",
    ),
}  # fmt: skip


@pytest.fixture
def hosts(tmp_path):
    """Return two folders that have the same table and model."""
    folders = [tmp_path / name for name in ("A", "B")]
    for each in folders:
        write(each)
    return folders


def compared(folders):
    """Return what is said of two hosts."""

    def work(team):
        what = str(folders[team.rank] / "parts")
        for facts in fingerprint.facts_of(what, open_table(what).stored):
            agreement.compare(team, facts)

    try:
        together(2, work)
    except ValueError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_named(hosts, change):
    assert compared(hosts) == ""
    make, sentence = CHANGES[change]
    make(hosts[1])
    said = compared(hosts)
    assert said.startswith("all processes must have the same program, arguments and data; rank 1 on ")
    assert sentence in said


def test_of_large_files_samples_are_read_and_the_footer(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "_BLOCK", 1 << 10)
    monkeypatch.setattr(fingerprint, "_MOST_IN_ALL", 8)
    path, read = tmp_path / "t.parquet", []
    pq.write_table(pa.table({"a": RNG.normal(size=40_000)}), path, row_group_size=500)
    before = path.read_bytes()
    footer = int.from_bytes(before[-8:-4], "little")
    assert footer > 8 << 10
    told = fingerprint.facts_of(path, pa.schema([]))
    assert told[1] == {"file t.parquet": f"{len(before):,} bytes"}
    for place in (0, len(before) - footer, len(before) - 2000, len(before) // 2):
        changed = bytearray(before)
        changed[place] ^= 1
        path.write_bytes(changed)
        other = fingerprint.facts_of(path, pa.schema([]))
        read.append([mine == its for mine, its in zip(told, other, strict=True)])
    assert read == [[True, True, False]] * 3 + [[True, True, True]]  # the last is between two samples
    path.write_bytes(before)
    assert fingerprint.facts_of(path, pa.schema([])) == told
    monkeypatch.setattr(fingerprint, "_MOST", 1)  # as it is of a URL
    few = fingerprint.facts_of(path, pa.schema([]))
    assert few != told
    assert fingerprint.facts_of(path.as_uri(), pa.schema([])) == few


def test_files_are_named_as_they_are_in_their_folder(tmp_path):
    for name in ("x=1/t.csv", "x=2/t.csv"):
        (tmp_path / name).parent.mkdir()
        pyarrow.csv.write_csv(TABLE, tmp_path / name)
    both = [str(tmp_path / name) for name in ("x=1/t.csv", "x=2/t.csv")]
    assert list(fingerprint.facts_of(both, pa.schema([]))[1]) == ["file x=1/t.csv", "file x=2/t.csv"]
    assert list(fingerprint.facts_of(both[0], pa.schema([]))[1]) == ["file t.csv"]


# Commands


def assert_named_once(found, sentence):
    """Both hosts end with one sentence, which names the second."""
    assert found.returncode == 2, found.stderr
    assert found.stderr.count("clearprop: ") == 1, found.stderr
    assert "rank 1 on " in found.stderr
    assert sentence in found.stderr


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("change", ["value", "part", "column"])
def test_a_training_is_refused(hosts, change):
    make, sentence = CHANGES[change]
    make(hosts[1])
    assert_named_once(mpiexec_in(hosts, "-m", "clearprop", *TRAIN), sentence)


@needs_mpi
@pytest.mark.slow
def test_a_table_to_validate_on_is_compared(hosts):
    for folder, n in zip(hosts, (30, 29), strict=True):
        pyarrow.csv.write_csv(TABLE.slice(0, n), folder / "other.csv")
    found = mpiexec_in(hosts, "-m", "clearprop", *TRAIN, "--validation", "other.csv", "--quiet")
    assert_named_once(found, "has file other.csv '")


@needs_mpi
@pytest.mark.slow
def test_a_table_that_one_process_lacks_is_said_by_all(hosts):
    for path in (hosts[1] / "parts").iterdir():
        path.unlink()
    (hosts[1] / "parts").rmdir()
    how = ("--preset", "realmlp-s", "--stall-timeout", 5)
    found = mpiexec_in(hosts, "-m", "clearprop", *TRAIN, *how)
    assert_named_once(found, "there is no file or folder parts")


def save_model(folder, seed=0):
    how = {"preset": "realmlp-s", "max_iter": 1, "engine": "numpy"}
    made = cp.MLPClassifier((4,), random_state=seed, **how)
    made.fit(TABLE.select(["a", "b", "word"]), TABLE.column("y").to_numpy()).save(
        folder / "m.safetensors"
    )


@needs_mpi
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "change", ["part", *(pytest.param(each, marks=pytest.mark.slow) for each in ("value", "model"))]
)
def test_predictions_are_refused(hosts, change):
    for folder in hosts:
        save_model(folder)
    if change == "model":
        save_model(hosts[1], 1)
        sentence = " of MODEL "
    else:
        make, sentence = CHANGES[change]
        make(hosts[1])
    found = mpiexec_in(
        hosts, "-m", "clearprop", "predict", "m.safetensors", "parts", "--output", "q.parquet"
    )
    assert_named_once(found, sentence)
    assert not list(hosts[0].glob("q*"))


# Streams of Python


def trained(team, X, y):
    net = cp.Network([2, 3, 2], seed=0)
    stream = RowStream.of_arrays(X, y, buffer_rows=64)
    how = {"epochs": 1, "shards": 4, "engine": "numpy", "progress": False, "batch_size": 32}
    return net.fit(stream, communicator=team, **how)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda X, y: (X[:450], y[:450]), "rows 450 (rank 0 on "),
        (lambda X, y: (np.where(np.arange(N)[:, None] == N - 1, 0.5, X), y), "has data '"),
        (lambda X, y: (X, np.roll(y, 1)), "has data '"),
    ],
    ids=["rows", "X", "Y"],
)
def test_a_stream_that_is_another_one_is_refused(other, sentence):
    X, y = np.column_stack([A, B]), TABLE.column("y").to_numpy()

    def work(team):
        with pytest.raises(ValueError, match="must have the same program.*; rank 1 on ") as raised:
            trained(team, *((X, y) if team.rank == 0 else other(X, y)))
        return str(raised.value)

    first, last = together(2, work)
    assert first == last
    assert sentence in first


def test_of_a_stream_of_a_table_all_rows_are_compared(hosts):
    write(hosts[1], with_value(0.25))

    def work(team):
        rows = cp.data.stream(hosts[team.rank] / "parts", target="y", validation=0.0, buffer_rows=64)
        net = cp.Network([rows.n_features, 3, 2], seed=0)
        how = {"epochs": 1, "shards": 4, "engine": "numpy", "progress": False, "batch_size": 32}
        net.fit(rows, communicator=team, **how)

    with pytest.raises(ValueError, match="rank 1 on .* has data '"):
        together(2, work)
