"""Built-in sets, paths, parts, scaling, held-out rows, and data brought into a model's form."""

import gzip
import itertools
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clearprop import data
from clearprop.data import files, mnist
from clearprop.data.split import whole_groups
from clearprop.data.targets import make_target
from data_files import IDX_NAMES, idx_bytes, idx_set, real_mnist, write_idx_folder

SIZES = {
    "digits": (1437, 360, 64, 10),
    "iris": (120, 30, 4, 3),
    "wine": (142, 36, 13, 3),
    "breast_cancer": (455, 114, 30, 2),
    "diabetes": (353, 89, 10, None),
}


# built-in sets


@pytest.mark.parametrize("name", SIZES)
def test_a_built_in_set_has_its_fixed_parts(name):
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    n_train, n_test, n_features, n_classes = SIZES[name]
    found = data.load(name)
    assert found.X_train.shape == (n_train, n_features)
    assert found.X_test.shape == (n_test, n_features)
    assert (None if found.classes is None else len(found.classes)) == n_classes
    assert len(found.feature_names) == n_features
    bunch = getattr(datasets, f"load_{name}")()
    X, Y = bunch.data, bunch.target
    stratify = None if name == "diabetes" else Y
    train, test = map(
        sorted, train_test_split(range(len(X)), test_size=0.2, random_state=0, stratify=stratify)
    )
    ours = (found.X_train, found.X_test, found.Y_train, found.Y_test)
    for expected, actual in zip((X[train], X[test], Y[train], Y[test]), ours, strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert list(found.feature_names) == list(bunch.feature_names)


def test_digits_are_read_without_loading_scikit_learn():
    code = "import sys, clearprop as cp; cp.data.load('digits'); cp.data.load('iris'); print('sklearn' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    )


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_the_scaling_of_a_table_is_fitted_on_its_training_part_alone(name):
    found = data.load(name)
    scaled = found.scaling(found.X_train)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-13)
    assert np.abs(found.scaling(found.X_test).mean(axis=0)).max() > 1e-3


def test_digits_are_images_divided_by_16():
    found = data.load("digits")
    assert found.image_shape == (8, 8)
    assert found.classes == tuple(range(10))
    np.testing.assert_array_equal(found.scaling(found.X_train), found.X_train / 16)


def test_the_classes_of_a_built_in_set_are_plain_values():
    assert data.load("iris").classes == ("setosa", "versicolor", "virginica")
    assert {type(label) for label in data.load("iris").classes} == {str}
    assert {type(label) for label in data.load("digits").classes} == {int}
    assert data.load("diabetes").task == "regression"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "species"}, "target must name a column .*, got 'species': iris is built in"),
        ({"task": "regression"}, "task must be classification for iris, got regression"),
    ],
    ids=["target", "task"],
)
def test_a_built_in_set_is_what_it_is(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.load("iris", **arguments)


def test_loading_data_does_not_import_heavy_libraries():
    code = (
        "import sys, clearprop.data\n"
        "heavy = {'sklearn', 'scipy', 'pyarrow', 'pandas', 'pooch', 'numba', 'requests'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# MNIST


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    """An empty cache, no folder named, and mirrors that refuse the connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    monkeypatch.setattr(mnist, "MIRRORS", (f"http://127.0.0.1:{port}/",))
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("CLEARPROP_DATA", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def test_real_mnist_is_found_checked_and_kept_as_bytes(monkeypatch):
    folder = real_mnist()
    monkeypatch.setenv("CLEARPROP_DATA", str(folder))
    found = data.load("mnist")
    assert (found.X_train.shape, found.X_test.shape) == ((60_000, 784), (10_000, 784))
    assert found.X_train.dtype == np.uint8
    assert (found.image_shape, found.classes) == ((28, 28), tuple(range(10)))
    assert found.Y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(found.Y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_allclose(found.X_train.mean() / 255, 0.1307, atol=5e-5)
    assert (found.scaling.shift.tolist(), found.scaling.factor.tolist()) == ([0], [1 / 255])


def test_mnist_is_found_in_a_subfolder_or_in_the_cache(tmp_path, monkeypatch, no_cache):
    (tmp_path / "named").mkdir()
    for place, named in ((tmp_path / "named" / "mnist", tmp_path / "named"), (no_cache, None)):
        write_idx_folder(place, idx_set())
        if named:
            monkeypatch.setenv("CLEARPROP_DATA", str(named))
        with pytest.raises(ValueError, match=f"{place}.* must be MNIST's"):  # found, and not MNIST
            data.load("mnist")
        for name in IDX_NAMES.values():
            (place / name).unlink()


def test_an_mnist_file_with_one_other_byte_is_refused(tmp_path, monkeypatch):
    folder, copy = real_mnist(), tmp_path / "mnist"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    labels = next(copy.glob("t10k-labels*"))
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[100] ^= 1
    labels.unlink()
    (copy / IDX_NAMES["Y_test"]).write_bytes(content)
    monkeypatch.setenv("CLEARPROP_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="must be MNIST's, of MD5 27ae3e4e09519cfbb04c329615203637"):
        data.load("mnist")


def test_without_files_and_without_network_one_sentence_says_what_to_do(no_cache):
    with pytest.raises(OSError, match="CLEARPROP_DATA") as caught:
        data.load("mnist")
    message = str(caught.value)
    assert "neither in the folder named by CLEARPROP_DATA (not set)" in message
    assert f"nor in {no_cache}, and could not be fetched (ConnectionError)" in message
    assert message.endswith("put its four IDX files in one of them")


def test_mnist_is_fetched_once_and_checked(tmp_path, monkeypatch, no_cache):
    import hashlib
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    folder = write_idx_folder(tmp_path / "mirror", idx_set(), pack=True)
    packed = {part: (folder / f"{name}.gz").read_bytes() for part, name in IDX_NAMES.items()}
    published = {part: hashlib.md5(content).hexdigest() for part, content in packed.items()}
    content = {part: hashlib.md5(idx_bytes(array)).hexdigest() for part, array in idx_set().items()}
    monkeypatch.setattr(mnist, "PUBLISHED_MD5", published)
    monkeypatch.setattr(mnist, "CONTENT_MD5", content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(mnist, "MIRRORS", (address + "nothing/", address))
        found = data.load("mnist")
        monkeypatch.setattr(mnist, "PUBLISHED_MD5", dict.fromkeys(IDX_NAMES, "0" * 32))
        with pytest.raises(OSError, match=r"could not be fetched \(ValueError\)"):
            mnist._fetch()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    np.testing.assert_array_equal(found.X_test, idx_set()["X_test"].reshape(3, 20))
    assert sorted(path.name for path in no_cache.iterdir()) == sorted(
        f"{n}.gz" for n in IDX_NAMES.values()
    )
    np.testing.assert_array_equal(data.load("mnist").X_train, found.X_train)  # the mirror is gone


# paths

TABLE = "a,b,y\n1,2,0\n3,4,1\n5,6,0\n"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("digit", FileNotFoundError, "no file or folder digit, .* did you mean 'digits'"),
        (
            "nowhere/data.csv",
            FileNotFoundError,
            r"no file or folder nowhere/data.csv, .*\(digits, iris",
        ),
        ("https://example.org/data.csv", ValueError, "must be a local file or folder, got the URL"),
        ("file:///data.csv", ValueError, "must be a local file or folder, got the URL"),
        ("", ValueError, "source must be the name of a file or folder, got ''"),
        ("a\0.csv", ValueError, r"source must be the name of a file or folder, got 'a\\x00.csv'"),
        (
            "~no_such_user/a.csv",
            ValueError,
            "source must be a file or folder, got '~no_such_user/a.csv'",
        ),
        ("x" * 300 + ".csv", OSError, "File name too long"),
        (b"iris", TypeError, "source must be a string or a path, got bytes"),
        (None, TypeError, "source must be a string or a path, got NoneType"),
        (7, TypeError, "source must be a string or a path, got int"),
    ],
    ids=lambda value: str(value)[:20] or "empty",
)
def test_a_source_that_is_none_is_refused(source, kind, message):
    with pytest.raises(kind, match=message):
        data.load(source)


@pytest.mark.parametrize("name", ["table.xlsx", "table", "table.csv.zip", ".csv.bak"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_text(TABLE)
    with pytest.raises(
        ValueError, match=r"must be a .csv, .csv.gz, .parquet, .jsonl or .npz file or a folder"
    ):
        data.load(tmp_path / name)


@pytest.mark.parametrize("name", ["a b.csv", "ä.csv", "-x.csv", "--help.csv", "%s{}.csv", "iris.csv"])
def test_odd_names_are_only_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(TABLE)
    assert data.load(name).X_train.shape == (3, 2)
    assert data.load(f"../{tmp_path.name}/{name}").X_train.shape == (3, 2)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "table.csv").write_text(TABLE)
    assert data.load("~/table.csv").source == str(tmp_path / "table.csv")


def test_a_built_in_name_wins_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_idx_folder(tmp_path / "iris", idx_set())
    assert data.load("iris").n_features == 4
    assert data.load("./iris").n_features == 20


READERS = {
    "table": data.read_table,
    "npz": data.read_npz,
    "idx": data.read_idx,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe must be a regular file, got a named pipe"):
        reader(tmp_path / "pipe")
    with pytest.raises(OSError, match="must be a regular file, got a device"):
        reader("/dev/zero")
    folder = ValueError if reader is data.read_table else IsADirectoryError  # it may be of Parquet
    with pytest.raises(
        folder, match=r"must be a file, got a folder|must hold \.parquet files, got none"
    ):
        reader(tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing"):
        reader(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match=r"symbolic links: .*loop"):
        reader(tmp_path / "loop")


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    (tmp_path / "file").write_text(TABLE)
    os.mkfifo(tmp_path / "pipe")
    regular = os.stat(tmp_path / "file")
    monkeypatch.setattr(files.os, "stat", lambda path: regular)
    with pytest.raises(OSError, match="pipe must be a regular file, got a named pipe"):
        data.read_idx(tmp_path / "pipe")


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
def test_load_refuses_them_too(tmp_path, ending):
    os.mkfifo(tmp_path / f"pipe{ending}")
    with pytest.raises(OSError, match="must be a regular file, got a named pipe"):
        data.load(tmp_path / f"pipe{ending}")
    (tmp_path / f"loop{ending}").symlink_to(tmp_path / f"loop{ending}")
    with pytest.raises(OSError, match="symbolic links"):
        data.load(tmp_path / f"loop{ending}")


def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text(TABLE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(PermissionError, match=r"secret\.csv"):
        data.load(path)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)

    def read_while_it_grows():
        with files.open_regular(path) as file, path.open("a") as other:
            file.read()
            other.write("7,8,1\n")
            other.flush()

    with pytest.raises(OSError, match="was changed while it was read"):
        read_while_it_grows()


def test_data_that_do_not_fit_into_memory_are_an_error_of_the_system(tmp_path, monkeypatch):
    def full(source, n_bytes):
        raise MemoryError

    monkeypatch.setattr(files, "read_up_to", full)
    (tmp_path / "table.csv").write_text(TABLE)
    with pytest.raises(OSError, match=r"it does not fit into memory: .*table\.csv"):
        data.load(tmp_path / "table.csv")


def test_a_table_larger_than_the_cap_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "table.csv").write_text(TABLE)
    needed = 3 * 3 * 8
    monkeypatch.setattr(files, "MAX_BYTES", needed - 1)
    with pytest.raises(ValueError, match=f"at most {needed - 1} bytes .*, declares {needed}"):
        data.load(tmp_path / "table.csv")


# parts


def test_parts_are_train_test_and_both():
    iris = data.load("iris")
    assert [len(iris.part(name)[0]) for name in ("train", "test", "all")] == [120, 30, 150]
    np.testing.assert_array_equal(iris.all[0][120:], iris.test[0])
    np.testing.assert_array_equal(iris.all[1][:120], iris.train[1])
    assert iris.inputs("test") is iris.X_test
    with pytest.raises(ValueError, match="part must be one of train, test, all, got 'validation'"):
        iris.part("validation")


def test_every_part_of_a_file_is_the_whole_file(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    found = data.load(tmp_path / "table.csv")
    assert found.X_test is None
    for X, Y in (found.train, found.test, found.all):
        assert (X is found.X_train, Y is found.Y_train) == (True, True)


# data in a model's form


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.csv").write_text("a,b,kind\n1,2,u\n3,4,v\n5,6,w\n")
    return data.load(tmp_path / "model.csv", target="kind").schema


def with_schema(tmp_path, text, schema, **arguments):
    (tmp_path / "other.csv").write_text(text)
    return data.load(tmp_path / "other.csv", schema=schema, **arguments)


def test_a_schema_says_what_a_model_was_trained_on(model):
    assert model == data.Schema("classification", 2, ("a", "b"), ("u", "v", "w"), "kind")


def test_columns_are_matched_by_name_and_labels_get_the_models_numbers(tmp_path, model):
    found = with_schema(tmp_path, "kind,b,a\nw,2,1\nu,4,3\n", model)
    np.testing.assert_array_equal(found.X_train, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(found.Y_train, [2, 0])
    assert found.schema == model


def test_a_target_may_be_constant_or_absent_where_a_model_exists(tmp_path, model):
    assert with_schema(tmp_path, "a,b,kind\n1,2,v\n3,4,v\n", model).Y_train.tolist() == [1, 1]
    found = with_schema(tmp_path, "b,a\n2,1\n", model, need_target=False)
    np.testing.assert_array_equal(found.inputs("test"), [[1, 2]])
    with pytest.raises(ValueError, match="has no column 'kind'"):
        with_schema(tmp_path, "b,a\n2,1\n", model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,kind\n1,u\n", "other.csv lacks 'b'; the columns must be the model's"),
        ("a,b,c,kind\n1,2,3,u\n", "other.csv has 'c', which the model does not know"),
        ("a,B,kind\n1,2,u\n", "lacks 'b' and has 'B', which the model does not know"),
        (
            "a,b,kind\n1,2,x\n3,4,u\n",
            "labels that the model does not know: 'x'; it knows 'u', 'v', 'w'",
        ),
    ],
    ids=["missing", "extra", "renamed", "label"],
)
def test_what_does_not_fit_the_model_is_refused_and_listed(tmp_path, model, text, message):
    with pytest.raises(ValueError, match=message):
        with_schema(tmp_path, text, model)


def test_labels_are_found_by_their_text_where_types_differ(tmp_path):
    schema = data.Schema("classification", 1, ("a",), ("10", "7", "True"), "y")
    assert with_schema(tmp_path, "a,y\n1,7\n2,10\n", schema).Y_train.tolist() == [1, 0]
    assert with_schema(tmp_path, "a,y\n1,true\n2,true\n", schema).Y_train.tolist() == [2, 2]


def test_one_and_true_are_different_labels(tmp_path):
    schema = data.Schema("classification", 1, ("a",), (False, True), "y")
    with pytest.raises(ValueError, match="does not know: 0, 1; it knows False, True"):
        with_schema(tmp_path, "a,y\n1,0\n2,1\n", schema)


def test_a_model_of_arrays_takes_any_names_but_not_any_number_of_columns(tmp_path):
    schema = data.Schema("regression", 2, None, None, None)
    found = with_schema(tmp_path, "c,d,y\n1,2,3\n4,5,6\n", schema)
    assert (found.task, found.Y_train.tolist()) == ("regression", [3, 6])
    with pytest.raises(ValueError, match=r"other.csv has 1 features, the model expects 2"):
        with_schema(tmp_path, "c,y\n1,2\n", schema)


def test_a_model_of_a_table_takes_arrays(tmp_path, model):
    np.savez(tmp_path / "a.npz", X=np.ones((2, 2)), y=np.array(["w", "u"]))
    assert data.load(tmp_path / "a.npz", schema=model).Y_train.tolist() == [2, 0]


def test_a_built_in_set_of_another_task_or_width_is_refused():
    with pytest.raises(
        ValueError, match="diabetes is a regression task, the model's is classification"
    ):
        data.load("diabetes", schema=data.load("iris").schema)
    images = replace(data.load("digits").schema, feature_names=None)
    with pytest.raises(ValueError, match="iris has 4 features, the model expects 64"):
        data.load("iris", schema=images)
    iris = data.load("iris")
    assert iris.conform(iris.schema).X_train is iris.X_train


# targets


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 10**400], "price must hold finite numbers, got 1000"),
        ([1.5, np.inf], "price must hold finite numbers, got inf"),
        ([0.5, "oops"], "price must hold numbers for a regression, got 'oops'"),
        ([1, 2**53 + 1], "price must hold numbers that float64 keeps exactly, got 9007199254740993"),
    ],
    ids=["beyond float64", "infinite", "text", "digits"],
)
def test_what_is_no_quantity_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        make_target(values, np.array([0, 1]), "regression", "price")


# scaling

finite = st.floats(-1e300, 1e300, allow_subnormal=True)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=finite))
def test_standardizing_never_divides_by_zero(X):
    scaling = data.standardize(X)
    assert np.isfinite(scaling.shift).all()
    assert np.isfinite(scaling.factor).all()
    with np.errstate(over="ignore"):
        scaled = scaling(X)
    constant = (X[0] == X).all(axis=0)
    assert (scaled[:, constant] == 0).all()
    assert (scaling.factor[constant] == 0).all()


def test_standardizing_agrees_with_scikit_learn():
    from sklearn.preprocessing import StandardScaler

    X = np.random.default_rng(0).normal([1e6, -3, 0], [1e-3, 1e5, 1e-20], (1000, 3))
    oracle = StandardScaler().fit(X)
    scaling = data.standardize(X)
    np.testing.assert_allclose(scaling.shift, oracle.mean_, rtol=1e-12, atol=1e-35)
    np.testing.assert_allclose(1 / scaling.factor, oracle.scale_, rtol=1e-6)


def test_standardizing_goes_through_large_tables_in_blocks(monkeypatch):
    X = np.random.default_rng(0).integers(0, 255, (101, 7)).astype(np.uint8)
    monkeypatch.setattr("clearprop.data.scaling._BLOCK_VALUES", 50)
    scaling = data.standardize(X)
    np.testing.assert_allclose(scaling.shift, X.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(1 / scaling.factor, X.std(axis=0), rtol=1e-14)


@pytest.mark.parametrize(
    "column",
    [[0.1] * 7, [1e300] * 7, [5e-324, 0, 0], [1e16, 1e16 + 2, 1e16], [1e-40, 2e-40, 3e-40]],
    ids=["0.1", "1e300", "subnormal", "rounding", "below float32"],
)
def test_a_column_that_hardly_varies_becomes_zero(column):
    scaling = data.standardize(np.array(column)[:, None])
    assert scaling.factor.tolist() == [0]
    np.testing.assert_allclose(scaling.shift, column[0], rtol=1e-15, atol=1e-30)


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        (np.zeros(3), ValueError, r"X must have shape \(n_samples, n_features\), .*\(3,\)"),
        (np.zeros((0, 3)), ValueError, r"both at least 1, got \(0, 3\)"),
        (np.array([[1.0], [np.nan]]), ValueError, "X must be finite, got NaN or infinity"),
        (np.array([[np.inf]]), ValueError, "X must be finite, got NaN or infinity"),
        (np.array([["a"]]), TypeError, "X must hold real numbers, got dtype <U1"),
        (np.array([[1j]]), TypeError, "X must hold real numbers, got dtype complex128"),
    ],
    ids=["1-d", "empty", "NaN", "infinity", "text", "complex"],
)
def test_what_cannot_be_standardized_is_refused(X, kind, message):
    with pytest.raises(kind, match=message):
        data.standardize(X)


@pytest.mark.parametrize("value", [0, np.nan, np.inf])
def test_a_divisor_is_finite_and_not_zero(value):
    with pytest.raises(ValueError, match=f"value must be finite and not 0, got {value}"):
        data.divide_by(value)


def test_a_file_is_scaled_on_the_rows_that_are_left_to_train_on(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    found = data.load(tmp_path / "table.csv")
    np.testing.assert_allclose(found.scaling.shift, [3, 4])
    np.testing.assert_allclose(found.scaling_of(found.X_train[:2]).shift, [2, 3])
    assert data.load("digits").scaling_of(np.zeros((1, 64))).factor.tolist() == [1 / 16]


# held-out rows


@given(
    labels=hnp.arrays(np.int64, st.integers(2, 60), elements=st.integers(0, 3)),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**64 - 1),
)
def test_held_out_rows_and_the_rest_are_every_row_once(labels, fraction, seed):
    n, n_held = len(labels), round(fraction * len(labels))
    if not 1 <= n_held < n:
        with pytest.raises(ValueError, match="at least one row to train on and one to validate on"):
            data.holdout(labels, fraction, seed)
        return
    train, held = data.holdout(labels, fraction, seed)
    assert len(held) == n_held
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(n))
    counts = np.unique(labels, return_counts=True)[1]
    if counts.min() >= 2 and n_held <= n - len(counts):
        assert set(labels[train]) == set(labels)
        shares = np.array([(labels[held] == label).sum() for label in np.unique(labels)])
        full = shares < counts - 1
        assert (np.abs(shares - counts * n_held / n)[full] < 2).all()


def test_each_class_gives_its_share():
    labels = np.repeat([7, 8, 9], [100, 50, 10])
    _, held = data.holdout(np.random.default_rng(0).permutation(labels), 0.2, 0)
    assert len(held) == 32
    train, held = data.holdout(labels, 0.2, seed=3)
    assert np.unique(labels[held], return_counts=True)[1].tolist() == [20, 10, 2]
    assert np.unique(labels[train], return_counts=True)[1].tolist() == [80, 40, 8]
    names = np.array(["x", "y", "z"])[labels - 7]
    np.testing.assert_array_equal(data.holdout(names, 0.2, seed=3)[1], held)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5])
def test_no_choice_of_whole_groups_comes_nearer_to_the_share(fraction, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 60, 9)
    held = whole_groups(sizes, fraction, rng.permutation(9))
    choices = [sum(each) for k in range(1, 9) for each in itertools.combinations(sizes.tolist(), k)]
    wanted = fraction * sizes.sum()
    assert abs(sizes[held].sum() - wanted) == min(abs(total - wanted) for total in choices)


def test_groups_of_very_different_sizes_come_near_to_the_share_and_are_drawn_by_the_order():
    rng = np.random.default_rng(0)
    sizes = np.concatenate([[30_000, 9_000], rng.integers(1, 300, 500)])
    held = [whole_groups(sizes, 0.2, rng.permutation(502)) for _ in range(5)]
    assert all(abs(sizes[each].sum() / sizes.sum() - 0.2) < 1e-3 for each in held)
    assert len({each.tobytes() for each in held}) == 5


def test_one_of_two_groups_is_held_out_however_large():
    for sizes in ([90, 10], [10, 90], [500, 500]):
        held = whole_groups(sizes, 0.01, [0, 1])
        assert held.sum() == 1
        assert np.array(sizes)[held] == min(sizes)


def test_the_largest_remainders_are_rounded_up():
    labels = np.repeat([0, 1, 2], [5, 3, 2])  # the shares of 3 of 10 rows are 1.5, 0.9 and 0.6
    _, held = data.holdout(labels, 0.3, seed=0)
    assert np.bincount(labels[held]).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("labels", "fraction"),
    [([0, 0, 1, 1, 2, 2], 0.7), ([0] * 9 + [1], 0.3)],
    ids=["too few rows to keep one of each class", "a class of one row"],
)
def test_classes_that_cannot_give_and_keep_a_row_are_not_looked_at(labels, fraction):
    for seed in range(20):
        expected = data.holdout(len(labels), fraction, seed)[1]
        np.testing.assert_array_equal(data.holdout(labels, fraction, seed)[1], expected)


def test_the_same_seed_holds_out_the_same_rows_and_another_others():
    golden = [5, 9, 10]
    assert data.holdout(15, 0.2, seed=0)[1].tolist() == golden
    assert data.holdout(np.arange(15) / 2, 0.2, seed=0)[1].tolist() == golden
    assert data.holdout(np.zeros((15, 2)), 0.2, seed=0)[1].tolist() == golden
    assert data.holdout(np.arange(15), 0.2, seed=0)[1].tolist() == golden  # a class for each row
    assert data.holdout(15, 0.2, seed=1)[1].tolist() != golden


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, np.nan])
def test_a_fraction_is_between_0_and_1(fraction):
    with pytest.raises(ValueError, match="fraction must be between 0 and 1, both excluded, got"):
        data.holdout(10, fraction, 0)


@pytest.mark.parametrize("fraction", [True, "0.2", None, [0.2]])
def test_a_fraction_is_a_number(fraction):
    with pytest.raises(TypeError, match="fraction must be a number between 0 and 1, got"):
        data.holdout(10, fraction, 0)


def test_a_fraction_leaves_a_row_on_either_side():
    with pytest.raises(
        ValueError, match=r"fraction must leave at least one row .*, got 0\.1 of 4 rows"
    ):
        data.holdout(4, 0.1, 0)
    with pytest.raises(
        ValueError, match=r"fraction must leave at least one row .*, got 0\.9 of 4 rows"
    ):
        data.holdout(4, 0.9, 0)
