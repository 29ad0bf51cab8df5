"""Tables that are larger than memory: encoded to disk, held out row by row, predicted in batches."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clearprop as cp
from clearprop.cli import predictions
from clearprop.data import spool as spools
from clearprop.data.spool import Spool
from clearprop.data.table import TableEncoder, held, open_table, streamed
from clearprop.data.table.quantiles import Quantiles

RNG = np.random.default_rng(13)
N = 700


def customers(n=N):
    rng = np.random.default_rng(4)
    age = rng.normal(40, 12, n).round(1)
    return pa.table({
        "age": pa.array(age, mask=rng.random(n) < 0.1),
        "colour": pa.array(rng.choice(["red", "green", "blue"], n)),
        "when": pa.array(rng.integers(1_500_000_000, 1_700_000_000, n), pa.timestamp("s")),
        "shop": pa.array(rng.choice([f"shop {i}" for i in range(12)], n)),
        "counts": pa.array(rng.integers(1, 5, n)),
        "churn": pa.array(np.where(age + rng.normal(0, 5, n) > 45, "yes", "no")),
    })  # fmt: skip


TABLE = customers()


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "customers.parquet"
    pq.write_table(TABLE, path, row_group_size=97)
    return path


def test_a_spool_gives_back_what_was_written_in_any_place():
    X, Y = RNG.normal(size=(50, 4)).astype("float32"), RNG.integers(0, 3, 50)
    spool = Spool(4, "float32", target_dtype="int32", weighted=True)
    for first in (0, 20, 33):
        last = {0: 20, 20: 33, 33: 50}[first]
        spool.append(X[first:last], Y[first:last], np.arange(first, last))
    assert (spool.n_rows, spool.n_features, spool.row_bytes) == (50, 4, 16 + 4 + 8)
    for first, last in ((0, 50), (19, 21), (49, 50), (7, 7)):
        np.testing.assert_array_equal(spool.X(first, last), X[first:last])
        np.testing.assert_array_equal(spool.Y(first, last), Y[first:last])
        np.testing.assert_array_equal(spool.weight(first, last), np.arange(first, last))
    before = spool.fingerprint()
    spool.transform(lambda rows: rows * 2)
    np.testing.assert_array_equal(spool.X(10, 30), X[10:30] * 2)
    assert spool.fingerprint() == before


def test_what_the_disk_cannot_hold_is_refused_with_the_bytes():
    with pytest.raises(OSError, match=r"encoded rows take 12000000000.0 GB of disk .* GB are free"):
        Spool(1, "float64", target_dtype="int32").check_space(10**18)


def test_a_killed_process_leaves_no_rows_on_the_disk(tmp_path):
    script = """
        import numpy as np, os, signal
        from clearprop.data.spool import Spool
        spool = Spool(4, "float32")
        spool.append(np.ones((1000, 4)), np.ones(1000))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment)
    assert done.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == []


def test_a_stream_holds_the_rows_that_the_encoder_makes_of_the_table(parquet):
    rows = cp.data.stream(parquet, target="churn", weight="counts", validation=0.0, buffer_rows=1000)
    source = open_table(parquet)
    encoder = TableEncoder.learn(source.batches(), rows.decisions)
    assert rows.encoder.to_json() == encoder.to_json()
    np.testing.assert_array_equal(rows.rows.X(0, N), encoder.encode(source.table(), "float32"))
    assert rows.rows.classes == ("no", "yes")
    assert [rows.rows.classes[i] for i in rows.rows.Y(0, N)] == TABLE["churn"].to_pylist()
    assert rows.rows.weight(0, N).tolist() == TABLE["counts"].to_pylist()
    assert rows.held is None


@pytest.mark.parametrize("ending", ["parquet", "csv", "folder"])
def test_every_kind_of_table_gives_the_same_rows(ending, tmp_path, parquet):
    if ending == "csv":
        import pyarrow.csv

        path = tmp_path / "customers.csv"
        pyarrow.csv.write_csv(TABLE, path)
    elif ending == "folder":
        path = tmp_path / "parts"
        path.mkdir()
        for i in range(3):
            pq.write_table(TABLE.slice(i * 300, 300), path / f"{i}.parquet")
    else:
        path = parquet
    rows = cp.data.stream(path, target="churn", seed=1)
    expected = cp.data.stream(TABLE, target="churn", seed=1)
    assert len(rows) == len(expected) > 600
    assert rows.spool.fingerprint() == expected.spool.fingerprint()
    np.testing.assert_array_equal(rows.held.X, expected.held.X)


def test_each_row_is_trained_on_or_held_out_and_the_draw_is_of_the_row_alone(monkeypatch):
    def parts(table):
        rows = cp.data.stream(table, target="churn", weight="id", validation=0.2, seed=3)
        return set(rows.rows.weight(0, len(rows)).tolist()), set(rows.held.weight.tolist())

    table = TABLE.append_column("id", pa.array(np.arange(float(N))))
    train, validation = parts(table)
    assert train | validation == set(range(N))
    assert not train & validation
    assert 100 < len(validation) < 180
    first, _ = parts(table.slice(0, 350))
    assert first == {row for row in train if row < 350}


@pytest.mark.parametrize("share", [0.15, 0.5, 0.99])
def test_few_rows_are_never_all_on_one_side(share):
    rows = pa.record_batch({"x": range(7)})
    for seed in range(60):
        mask = held.random_rows(seed, share, 7)(rows, 0)
        assert 2 <= mask.sum() < 7
        few = held.random_rows(seed, share, 7)(rows.slice(0, 3), 0)
        np.testing.assert_array_equal(few, mask[:3])  # a row's is its own, wherever a batch ends


def test_the_latest_rows_are_held_out_by_their_time():
    rows = cp.data.stream(TABLE, target="churn", weight="counts", time="when", validation=0.2)
    times = np.sort(TABLE["when"].cast(pa.int64()).to_numpy())
    cut = np.quantile(times, 0.8)
    assert len(rows.held.Y) == int((times > cut).sum()) == 140
    assert "the latest by 'when'" in rows.notes[0]
    assert not any(name.startswith("when") for name in rows.encoder.feature_names)


def test_a_time_with_few_values_holds_out_its_last_one():
    table = TABLE.append_column("year", pa.array(np.where(np.arange(N) < 300, 2019, 2020)))
    rows = cp.data.stream(table, target="churn", time="year", validation=0.2)
    assert len(rows.held.Y) == 400


@pytest.mark.parametrize("most", [100_000, 5])
def test_the_rows_of_a_group_stay_together(monkeypatch, most):
    monkeypatch.setattr(held, "_MOST_GROUPS", most)
    mask = held.whole_groups(open_table(TABLE), "shop", 0.3, 5)
    batches = TABLE.combine_chunks().to_batches(max_chunksize=70)
    held_out = np.concatenate([mask(batch, 0) for batch in batches])
    shops = np.array(TABLE["shop"].to_pylist())
    assert 0 < len(set(shops[held_out])) < 12
    assert not set(shops[held_out]) & set(shops[~held_out])
    if most > 12:
        assert held_out.mean() == pytest.approx(0.3, abs=0.002)


def test_few_large_groups_are_held_out_by_their_rows_and_a_share_far_from_that_asked_is_said():
    sizes = {"a": 560, "b": 77, None: 63}
    table = TABLE.append_column("where", pa.array([g for g, n in sizes.items() for _ in range(n)]))
    for seed in range(4):
        rows = cp.data.stream(table, target="churn", group="where", validation=0.1, seed=seed)
        assert (len(rows), len(rows.held.Y)) in ((637, 63), (623, 77))
    rows = cp.data.stream(table, target="churn", group="where", validation=0.4, seed=seed)
    assert rows.notes[0].endswith("(whole groups of 'where': 20 % of the rows, 40 % asked)")


def test_a_single_group_is_refused():
    table = TABLE.append_column("where", pa.array(["here"] * N))
    with pytest.raises(ValueError, match="the group 'where' of X must have at least 2 different"):
        cp.data.stream(table, target="churn", group="where")


def test_what_is_held_out_is_bounded(monkeypatch):
    monkeypatch.setattr(streamed, "HELD_ROWS", 50)
    drawn = cp.data.stream(TABLE, target="churn", validation=0.5, seed=0)
    assert 30 < len(drawn.held.Y) < 75
    assert len(drawn) == N - len(drawn.held.Y)
    latest = cp.data.stream(TABLE, target="churn", time="when", validation=0.5, seed=0)
    assert 30 < len(latest.held.Y) < 75
    assert len(latest) == N // 2  # later rows are not trained on, seen or not


def test_medians_are_those_of_the_rows_to_train_on():
    rows = cp.data.stream(TABLE, target="churn", weight="counts", validation=0.3, seed=0, buffer_rows=N)
    mask = held.random_rows(0, 0.3, TABLE.num_rows)(TABLE, 0)
    ages = TABLE["age"].filter(pa.array(~mask)).drop_null().to_numpy()
    assert rows.encoder.encoded[0].median == np.median(ages)


def test_a_stream_of_a_table_trains_as_its_encoded_rows_in_memory():
    rows = cp.data.stream(TABLE, target="churn", validation=0.0, buffer_rows=N)
    nets = [cp.Network([rows.n_features, 5, rows.n_outputs], seed=0) for _ in range(2)]
    nets[0].fit(rows, epochs=2, progress=False)
    nets[1].fit(rows.rows.X(0, N), TABLE["churn"].to_numpy(), epochs=2, progress=False)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert nets[0].classes == nets[1].classes == ("no", "yes")


def test_a_file_that_changes_while_it_is_read_is_noticed(parquet, monkeypatch):
    learn = TableEncoder.learn

    def changing(*arguments):
        learned = learn(*arguments)
        pq.write_table(customers(), parquet, row_group_size=80)
        return learned

    monkeypatch.setattr(TableEncoder, "learn", changing)
    with pytest.raises(OSError, match="was changed while it was read"):
        cp.data.stream(parquet, target="churn")


def test_a_file_that_changes_after_it_was_read_changes_nothing(parquet):
    rows = cp.data.stream(parquet, target="churn", validation=0.0)
    expected = rows.rows.X(0, N)
    parquet.write_bytes(b"gone")
    np.testing.assert_array_equal(rows.rows.X(0, N), expected)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"validation": 1.0}, r"validation must be in \[0, 1\), got 1.0"),
        ({"time": "when", "group": "shop"}, "group and time both say which rows are held out"),
        ({"time": "age"}, "X must have no missing values in the time 'age', got one: row 9"),
        ({"time": "day"}, "the time 'day' of X is undecided: dates such as '01/01/2024' can be read in 2 ways"),
        ({"time": "colour"}, "the time 'colour' of X must hold dates or numbers, got text"),
        ({"weight": "age"}, "X must hold weights of at least 0 in 'age', got nothing: row"),
        ({"weight": "nothing"}, "X must hold weights that are not all 0 in 'nothing'"),
        ({"buffer_rows": 0}, "buffer_rows must be at least 1, got 0"),
        ({"validation": 1e-9}, "validation must leave a row to train on and one to validate"),
        ({"columns": ["nowhere"]}, "X has no column 'nowhere'"),
    ],
)  # fmt: skip
def test_what_cannot_be_streamed_is_refused(how, message):
    days = pa.array([f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(N)])
    table = TABLE.append_column("nothing", pa.array([0.0] * N))
    if how == {"time": "day"}:  # else it is left out with a warning
        table = table.append_column("day", days)
    with pytest.raises(ValueError, match=message):
        cp.data.stream(table, target="churn", **how)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """What Python, NumPy and Arrow have allocated at most, of a row group of all rows and four times it.

    Resident memory has what their allocators keep as well, which depends on when threads ran, and
    ru_maxrss begins with the peak of the process that started this one.
    """
    paths = [tmp_path / "small.parquet", tmp_path / "large.parquet"]
    sizes, n_columns = (200_000, 800_000), 3
    for path, n in zip(paths, sizes, strict=True):
        rng = np.random.default_rng(0)
        columns = {f"x{i}": rng.normal(size=n) for i in range(n_columns)}
        pq.write_table(pa.table(columns | {"y": columns["x0"] > 0}), path, row_group_size=n)
    script = f"""
        import tracemalloc, clearprop as cp, pyarrow as pa
        from clearprop.data.table import parquet_files
        parquet_files._AT_ONCE = 0  # bytes of a file below which a column of a row group is
        def run(path):
            rows = cp.data.stream(path, target="y", buffer_rows=4096, validation=0.01)
            net = cp.Network([rows.n_features, 8, 2], seed=0)
            net.fit(rows, epochs=1, batch_size=256, progress=False)
        run({str(paths[0])!r})  # which imports what is imported
        tracemalloc.start()
        for path in {[str(path) for path in paths]}:
            run(path)
            print(tracemalloc.get_traced_memory()[1], pa.default_memory_pool().max_memory())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    peaks = [sum(map(int, line.split())) / 2**20 for line in done.stdout.splitlines()]
    encoded = (sizes[1] - sizes[0]) * n_columns * 4 / 2**20
    assert peaks[1] - peaks[0] < encoded / 2, peaks


def test_predictions_are_written_from_plain_text(monkeypatch):
    """Ctrl-C between two items of an iterated NumPy array of text is lost, in CPython 3.11."""
    rows = []

    class Writer:
        writerow = rows.append

        def writerows(self, more):
            rows.extend(more)

    monkeypatch.setattr(predictions.csv, "writer", lambda *_, **__: Writer())
    predictions._write_csv([{"row": np.arange(3), "prediction": np.array(["u", "v", "u"])}], None)
    assert rows[1:] == [("0", "u"), ("1", "v"), ("2", "u")]
    assert {type(each) for row in rows[1:] for each in row} == {str}


def test_the_default_folder_is_on_a_disk(monkeypatch, tmp_path):
    monkeypatch.delenv("TMPDIR", raising=False)
    assert spools.default_folder() == "/var/tmp"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert spools.default_folder() == str(tmp_path)


def test_medians_of_a_large_table_are_sketched(monkeypatch):
    seen, made = [], Quantiles.__init__
    monkeypatch.setattr(Quantiles, "__init__", lambda self, k=None: seen.append(k) or made(self, k))
    cp.data.stream(TABLE, target="churn", buffer_rows=500)
    assert seen
    assert None not in seen
    seen.clear()
    cp.data.stream(TABLE, target="churn", buffer_rows=100_000)
    assert set(seen) == {None}


def clearprop(*words, folder):
    done = subprocess.run(
        [sys.executable, "-m", "clearprop", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    pq.write_table(TABLE, folder / "customers.parquet")
    words = (
        "train",
        "customers.parquet",
        "--target",
        "churn",
        "--epochs",
        2,
        "--hidden",
        8,
        "--seed",
        0,
    )
    done = clearprop(*words, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "customers.safetensors"


@pytest.mark.slow
def test_a_table_of_many_blocks_is_predicted_in_its_order(model, tmp_path):
    n = 70_000  # more than a block
    new = customers(n).drop_columns(["churn"])
    pq.write_table(new, tmp_path / "new.parquet", row_group_size=40_000)
    for name in ("p.csv", "p.parquet"):
        done = clearprop("predict", model, "new.parquet", "--output", name, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    found = pq.read_table(tmp_path / "p.parquet")
    assert found["row"].to_pylist() == list(range(n))
    estimator = cp.MLPClassifier.load(model)
    features = new.select(TABLE.column_names[:-1])
    expected = estimator.predict_proba(features)
    np.testing.assert_allclose(
        found["probability_yes"].to_numpy(), expected[:, 1], rtol=1e-4, atol=1e-6
    )
    labels = found["prediction"].to_numpy(zero_copy_only=False)
    sure = np.abs(expected[:, 1] - 0.5) > 1e-5
    assert (labels[sure] == estimator.predict(features)[sure]).all()
    import pyarrow.csv

    text = pyarrow.csv.read_csv(tmp_path / "p.csv")
    assert text.column_names == ["row", "prediction", "probability_no", "probability_yes"]
    assert text["row"].to_pylist() == list(range(n))
    assert text["prediction"].to_pylist() == labels.tolist()


@pytest.mark.parametrize("name", [pytest.param("p.csv", marks=pytest.mark.slow), "p.parquet"])
def test_a_prediction_that_fails_in_the_middle_leaves_no_file(name, model, tmp_path):
    n = 70_000
    columns = {
        c: TABLE[c].take(pa.array(np.arange(n) % N)).to_pylist() for c in TABLE.column_names[:-1]
    }
    columns["age"][-1] = "a stray word"
    lines = [",".join(columns)] + [
        ",".join("" if v is None else str(v) for v in row)
        for row in zip(*columns.values(), strict=True)
    ]
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    done = clearprop("predict", model, "new.csv", "--output", name, folder=tmp_path)
    assert done.returncode == 2
    assert "a stray word" in done.stderr
    assert "line 70001" in done.stderr
    assert os.listdir(tmp_path) == ["new.csv"]


def in_order(monkeypatch):
    """Make the rows that a fit in memory holds out those that a stream does."""
    from clearprop.estimators import held_out

    def split(options, groups, n, strata, weight, state):
        mask = held.random_rows(0, options.validation_fraction, TABLE.num_rows)(TABLE, 0)
        return np.flatnonzero(~mask), np.flatnonzero(mask)

    monkeypatch.setattr(held_out, "split", split)


FIT = {
    "preset": "realmlp-s",
    "hidden_layer_sizes": (8, 5),
    "max_iter": 3,
    "random_state": 7,
    "dtype": "float32",
}


@pytest.mark.parametrize(
    "how",
    [{}, {"class_weight": {"yes": 3.0}}, {"preprocessing": "standard"}],
)
def test_an_estimator_learns_of_a_stream_what_it_learns_in_memory(how, monkeypatch):
    in_order(monkeypatch)
    X = TABLE.select(["age", "colour", "when", "shop"])
    in_memory = cp.MLPClassifier(**FIT, **how).fit(X, TABLE["churn"].to_pylist())
    rows = cp.data.stream(TABLE, target="churn", drop=["counts"], seed=0, validation=0.2, buffer_rows=N)
    streamed_fit = cp.MLPClassifier(**FIT, **how).fit(rows)
    assert (
        streamed_fit.table_encoder_.to_json()["columns"]
        == in_memory.table_encoder_.to_json()["columns"]
    )
    one, other = in_memory.preprocessing_.scaling, streamed_fit.preprocessing_.scaling
    np.testing.assert_allclose(other.shift, one.shift, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(other.factor, one.factor, rtol=1e-5)
    assert streamed_fit.history_["cost"] == pytest.approx(in_memory.history_["cost"], rel=1e-3)
    np.testing.assert_allclose(streamed_fit.predict_proba(X), in_memory.predict_proba(X), atol=2e-3)
    assert streamed_fit.classes_.tolist() == ["no", "yes"]


def test_balanced_classes_weigh_alike_among_the_rows_to_train_on():
    weighed = []
    for weights in ("balanced", None):
        rows = cp.data.stream(TABLE, target="churn", seed=0, validation=0.2, buffer_rows=N)
        if weights is None:
            counts = np.bincount(rows.rows.Y(0, len(rows)))
            weights = dict(zip(rows.rows.classes, len(rows) / (2 * counts), strict=True))
        weighed.append(cp.MLPClassifier(**FIT, class_weight=weights).fit(rows))
    assert weighed[0].network_.parameters.tobytes() == weighed[1].network_.parameters.tobytes()


def test_a_regressor_learns_of_a_stream_what_it_learns_in_memory(monkeypatch):
    in_order(monkeypatch)
    table = TABLE.append_column(
        "price", pa.array(np.where(np.arange(N) % 3, 1e3, 2e3) + RNG.normal(size=N))
    )
    features = ["age", "colour", "shop"]
    in_memory = cp.MLPRegressor(**FIT).fit(
        table.select(features), table["price"].to_numpy(), table["counts"].to_numpy()
    )
    rows = cp.data.stream(
        table, target="price", weight="counts", columns=features, seed=0, validation=0.2, buffer_rows=N
    )
    streamed_fit = cp.MLPRegressor(**FIT).fit(rows)
    np.testing.assert_allclose(streamed_fit.target_shift_, in_memory.target_shift_, rtol=1e-12)
    np.testing.assert_allclose(streamed_fit.target_scale_, in_memory.target_scale_, rtol=1e-12)
    one, other = (each.predict(table.select(features)) for each in (in_memory, streamed_fit))
    np.testing.assert_allclose(other, one, rtol=1e-3)


def test_an_estimator_trains_with_a_buffer_that_is_smaller_than_its_table(tmp_path):
    rows = cp.data.stream(TABLE, target="churn", validation=0.2, seed=0, buffer_rows=256)
    model = cp.MLPClassifier(**FIT | {"max_iter": 20}).fit(rows)
    assert model.best_validation_score_ > 0.8
    assert model.score(TABLE.select(rows.encoder.columns), TABLE["churn"].to_pylist()) > 0.8
    model.save(tmp_path / "m.safetensors")
    again = cp.MLPClassifier.load(tmp_path / "m.safetensors")
    X = TABLE.select(rows.encoder.columns)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("model", "how", "message"),
    [
        (cp.MLPRegressor(**FIT), {}, "a regressor cannot learn the target 'churn', which is a classification"),
        (cp.MLPClassifier(**FIT), {"validation": 0.0}, "early_stopping=True needs a stream with validation"),
        (cp.MLPClassifier(**FIT, scoring="roc_auc"), {}, "scoring cannot be used with a stream"),
        (cp.MLPClassifier(**FIT), {"dtype": "float64"}, "dtype must be the stream's, float64, got dtype='float32'"),
        (cp.MLPClassifier(**FIT, batch_size=256), {"buffer_rows": 100}, "batch_size must be at most the stream's buffer_rows, 100, got 256"),
    ],
)  # fmt: skip
def test_an_estimator_refuses_what_a_stream_cannot_be(model, how, message):
    with pytest.raises(ValueError, match=message):
        model.fit(cp.data.stream(TABLE, target="churn", **how))


def test_batches_are_no_larger_than_the_buffer_where_their_size_was_not_asked_for():
    models = [cp.MLPClassifier(**FIT, **how) for how in ({}, {"batch_size": 100})]
    with pytest.warns(UserWarning, match="batches are of 100 rows, not 256: no more fit"):
        models[0].fit(cp.data.stream(TABLE, target="churn", buffer_rows=100, seed=0))
    models[1].fit(cp.data.stream(TABLE, target="churn", buffer_rows=100, seed=0))
    one, other = (model.network_.parameters.tobytes() for model in models)
    assert one == other


TRAIN = ("train", "customers.parquet", "--target", "churn", "--hidden", 8, "--seed", 0, "--threads", 1)


@pytest.fixture
def here(tmp_path):
    pq.write_table(TABLE, tmp_path / "customers.parquet")
    return tmp_path


def test_train_with_a_buffer_says_what_it_does_and_makes_a_model(here):
    done = clearprop(*TRAIN, "--buffer", 300, "--epochs", 4, "--batch-size", 50, folder=here)
    assert done.returncode == 0, done.stderr
    assert "reading 700 rows for medians and categories" in done.stderr
    assert "writing encoded rows to disk" in done.stderr
    assert "rows are held out for validation (drawn)" in done.stderr
    model = cp.MLPClassifier.load(here / "customers.safetensors")
    assert model.best_validation_score_ > 0.7
    assert sorted(os.listdir(here)) == ["customers.parquet", "customers.safetensors"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--buffer", 0), "--buffer must be at least 1, got 0"),
        (("--buffer", 300, "--batch-size", 400), "--batch-size must be at most --buffer, 300, got 400"),
    ],
)  # fmt: skip
def test_a_buffer_that_cannot_be_is_refused(words, message, here):
    done = clearprop(*TRAIN, *words, folder=here)
    assert done.returncode == 2
    assert message in done.stderr
    assert os.listdir(here) == ["customers.parquet"]


@pytest.mark.slow
def test_a_buffer_that_holds_the_table_gives_the_model_of_memory(here):
    for name, words in (("a", ()), ("b", ("--buffer", N))):
        assert clearprop(*TRAIN, *words, "--epochs", 3, "--output", name, folder=here).returncode == 0
    one, other = (cp.load(here / name) for name in "ab")
    assert one.parameters.tobytes() == other.parameters.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("validation", ["0", "other.parquet"])
def test_a_stream_is_validated_on_nothing_or_on_another_table(validation, here):
    pq.write_table(customers(90), here / "other.parquet")
    words = ("--buffer", 300, "--epochs", 2, "--validation", validation)
    done = clearprop(*TRAIN, *words, folder=here)
    assert done.returncode == 0, done.stderr
    assert ("validated on 90 rows of other.parquet" in done.stderr) == (validation != "0")


@pytest.mark.slow
def test_a_command_killed_in_the_middle_of_an_epoch_goes_on_to_the_same_bits(here):
    words = (*TRAIN, "--buffer", 100, "--batch-size", 5, "--epochs", 200, "--validation", "0.2")
    assert clearprop(*words, "--output", "whole", folder=here).returncode == 0
    words = (
        *words,
        "--output",
        "broken",
        "--checkpoint",
        "c",
        "--checkpoint-every",
        "0.01s",
        "--resume",
    )
    command = [sys.executable, "-m", "clearprop", *map(str, words)]
    killed = resumed = 0
    for wait in (0.02, 0.05, 0.1, 0.2, None):  # None: to its end
        with subprocess.Popen(
            command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as started:
            said = list(
                itertools.takewhile(lambda line: not line.startswith("network "), started.stderr)
            )
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(wait)
            started.kill()
            said.append(started.communicate()[1])
        assert "Traceback" not in "".join(said)
        killed += started.returncode == -signal.SIGKILL
        resumed += "resumed" in "".join(said)
    assert started.returncode == 0
    assert (killed >= 2, resumed >= 2) == (True, True)
    one, other = (cp.load(here / name) for name in ("whole", "broken"))
    assert one.parameters.tobytes() == other.parameters.tobytes()
