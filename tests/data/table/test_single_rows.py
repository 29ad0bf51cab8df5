"""Rows one by one become the same numbers as in a table or a file, to the bit."""

import csv
import datetime
import pickle

import numpy as np
import pandas
import pytest

import clearprop as cp
from clearprop.data.scaling import Scaling, SmoothClip
from clearprop.data.table import ReadOptions, TableEncoder, decide, open_table
from clearprop.data.table.single_rows import MOST_SINGLE
from clearprop.model.inputs import Inputs

DAY = datetime.date(2021, 3, 4)


def cells(rng, n, *, new):
    """Return columns of every kind; with `new`, of what the training never had as well."""

    def some(values, gaps=0.1):
        found = [values[k] for k in rng.integers(0, len(values), n)]
        return [None if rng.random() < gaps else each for each in found]

    days = [(DAY + datetime.timedelta(days=int(k))).isoformat() for k in rng.integers(0, 900, n)]
    numbers = [float(each) for each in np.round(rng.normal(0, 1e3, n), rng.integers(0, 9))]
    return {
        "charge": [None if rng.random() < 0.1 else each for each in numbers],
        "months": some([*range(1, 60), *([-(2**40), 0] if new else [])]),
        "tenure": some(
            [*map(str, range(1, 40)), "never", "never", *([" 7 ", "1e2", "3.25"] if new else [])]
        ),
        "engine": [f"{each} CC" for each in rng.integers(800, 3000, n)],
        "colour": some(["red", "blue", " green ", *(["violet", "", "  ", "n/a"] if new else [])]),
        "paperless": some(["Yes", "No", *(["maybe"] if new else [])], gaps=0.05 * new),
        "code": some(["007", "012", "113", "204", "305"]),
        "active": some([True, False], gaps=0.1 * new),
        "signed": [None if rng.random() < 0.1 else each for each in days],
        "opens": some(["18:00", "06:30", "23:59", "00:00"]),
        "id": [f"{k:06}-X" for k in rng.permutation(n)],
    }


def as_frame(columns):
    return pandas.DataFrame(
        {
            name: pandas.Series(each, dtype=object if name == "active" else None)
            for name, each in columns.items()
        }
    )


@pytest.fixture(scope="module")
def inputs():
    source = open_table(
        as_frame(cells(np.random.default_rng(1), 400, new=False)),
        ReadOptions(missing=("-1099511627776",)),
    )
    decisions = decide(source)
    assert {each.kind for each in decisions} == {
        "numeric",
        "categorical",
        "boolean",
        "datetime",
        "identifier",
    }
    encoder = TableEncoder.learn(source.batches(), decisions)
    rng = np.random.default_rng(2)
    scaling = Scaling(rng.normal(size=encoder.n_features), rng.uniform(0.1, 2, encoder.n_features))
    return Inputs((scaling, SmoothClip()), encoder, source.read_options)


def written(path, columns):
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            rows.writerow(
                "" if cell is None else repr(cell) if isinstance(cell, float) else str(cell)
                for cell in row
            )
    return path


@pytest.mark.parametrize("n", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_row_alone_is_what_it_is_among_others_and_in_a_file(inputs, tmp_path, n):
    columns = cells(np.random.default_rng(n), n, new=True)
    names = list(columns)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    alone = np.concatenate([inputs.of_rows([row], "float32") for row in rows])
    few = np.concatenate([inputs.of_rows(rows[k : k + 7], "float32") for k in range(0, n, 7)])
    together = inputs.of_rows(rows, "float32")
    assert len(rows) > MOST_SINGLE
    frame = inputs.of_batch(inputs.open(as_frame(columns)).table(inputs.columns), "float32")
    read = inputs.open(written(tmp_path / "rows.csv", columns)).table(inputs.columns)
    file = inputs.of_batch(read, "float32")
    for found in (alone, few, together, file):
        np.testing.assert_array_equal(found.view(np.uint32), frame.view(np.uint32))


def test_what_is_kept_of_cells_is_of_their_type_and_is_not_kept_for_ever(inputs, monkeypatch):
    monkeypatch.setattr("clearprop.data.table.single_rows._KEPT", 3)
    columns = cells(np.random.default_rng(4), 60, new=True)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    own = pickle.loads(pickle.dumps(inputs))  # without what others have asked for
    assert "single_rows" not in vars(own)
    first = np.concatenate([own.of_rows([row], "float32") for row in rows])
    np.testing.assert_array_equal(first, inputs.of_rows(rows, "float32"))
    assert all(len(each.known) <= 3 for each in own.single_rows._columns)
    for one, other in ((True, "true"), (1, "1"), (1.0, 1), (np.float32(1), 1), ("007", "007 ")):
        row, same = (rows[0] | {"code": each} for each in (one, other))
        np.testing.assert_array_equal(own.of_rows([row], "float32"), own.of_rows([same], "float32"))


def test_what_is_wrong_with_a_row_is_said_with_its_number(inputs):
    columns = cells(np.random.default_rng(5), 7, new=False)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def refused(match, *wrong, error=ValueError):
        with pytest.raises(error, match=match):
            inputs.of_rows([*rows, *wrong], "float32")

    refused(r"X must hold numbers, got 'a lot': row 7, column 'charge'", rows[0] | {"charge": "a lot"})
    refused(
        r"X must hold finite numbers, got .*inf.*: row 7, column 'charge'|finite",
        rows[0] | {"charge": float("inf")},
    )
    refused(
        r"row 7 of X lacks 'months': a value that is missing is null",
        {k: v for k, v in rows[0].items() if k != "months"},
    )
    refused(
        r"row 7 of X has 'color', which the model does not know \(did you mean 'colour'\?\)",
        rows[0] | {"color": "red"},
    )
    refused(r"X must hold dates.*, got 'soon': row 7, column 'signed'", rows[0] | {"signed": "soon"})
    refused(r"list", rows[0] | {"colour": ["red"]})
    refused(r"struct|colour", rows[0] | {"colour": {"is": "red"}})
    refused(
        r"row 7 of X must be an object with a value for each column, got \[1, 2\]",
        [1, 2],
        error=TypeError,
    )
    with pytest.raises(ValueError, match="X must have rows, got none"):
        inputs.of_rows([], "float32")


def test_an_estimator_takes_a_row_as_a_mapping_or_a_frame_of_one():
    rng = np.random.default_rng(0)
    frame = as_frame(cells(rng, 400, new=False))
    model = cp.MLPRegressor(
        hidden_layer_sizes=(5, 3), preset="realmlp-s", max_iter=2, random_state=0
    ).fit(frame, rng.normal(size=400))
    few = model.predict(frame[:7])
    for k in range(7):
        row = frame[k : k + 1].to_dict("records")[0]
        np.testing.assert_allclose(model.predict(row), few[k : k + 1], rtol=1e-5)
        np.testing.assert_array_equal(model.predict(row), model.predict(frame[k : k + 1]))
        np.testing.assert_array_equal(model.reasons(row).parts, model.reasons(frame[k : k + 1]).parts)
    numbers = pandas.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
    plain = cp.MLPRegressor(
        hidden_layer_sizes=(5, 3), preset="realmlp-s", max_iter=2, random_state=0
    ).fit(numbers, numbers["a"])
    assert plain.table_encoder_ is None
    np.testing.assert_array_equal(
        plain.predict(numbers[3:4].to_dict("records")[0]), plain.predict(numbers[3:4])
    )
    for row, wrong in (
        ({"a": 1.0, "b": 2, "c": 3}, "X lacks 'd'"),
        ({"a": 1.0, "b": 2, "c": 3, "d": 4, "e": 5}, "X has 'e', which the model does not know"),
        ({"a": 1.0, "b": 2, "c": "x", "d": 4}, "X must hold finite numbers, got 'x' in column 'c'"),
    ):
        with pytest.raises(ValueError, match=wrong):
            plain.predict(row)
    nameless = cp.MLPRegressor(
        hidden_layer_sizes=(5, 3), preset="realmlp-s", max_iter=2, random_state=0
    ).fit(numbers.to_numpy(), numbers["a"])
    with pytest.raises(
        TypeError, match="X must be an array, as in fit, whose columns had no names; got a mapping"
    ):
        nameless.predict({"a": 1.0})
