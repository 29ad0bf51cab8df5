"""Damaged CSV and Parquet tables: refused with one sentence, or read for what they hold.

Each seed file is changed a few bytes at a time and goes through all that ``clearprop train`` and
``predict`` do before and after a training. CLEARPROP_FUZZ says how many files in all (500 if it is not
set). A crash of the interpreter, a hang or another exception fails the test.
"""

import csv
import gzip
import io
import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearprop.data.table import Roles, TableEncoder, TargetEncoder, decide, open_table
from clearprop.names import trim
from test_fuzz_data import damaged, time_limit

# A damaged cell may be a gap of the target or look out of place, which is said.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

TOTAL = int(os.environ.get("CLEARPROP_FUZZ", "500"))
BATCHES = 4

ROWS = [
    (f"{i}.5", "red green blue".split()[i % 3], f"2024-0{1 + i % 9}-11", "true" if i % 4 else "", i % 2)
    for i in range(14)
]
NAMES = ("size", "colour", "day", "old", "y")


def as_csv(delimiter=",", quoting=csv.QUOTE_MINIMAL, end="\n"):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([NAMES, *ROWS])
    return file.getvalue()


def as_parquet(**options):
    file = io.BytesIO()
    columns = zip(*ROWS, strict=True)
    pq.write_table(pa.table([pa.array(c) for c in columns], names=NAMES), file, **options)
    return file.getvalue()


SEEDS = {
    "csv": [
        as_csv().encode(),
        as_csv(";", end="\r\n").replace(".5", ",5").encode(),
        as_csv(quoting=csv.QUOTE_ALL).replace("blue", "bläu").encode(),
        gzip.compress(as_csv().encode()),
    ],
    "parquet": [
        as_parquet(),
        as_parquet(compression="none", row_group_size=5),
        as_parquet(compression="zstd", use_dictionary=False, data_page_version="2.0"),
    ],
}


def go_through(path, target="y"):
    """Do all that a training and a prediction do with a table; return its rows."""
    source = open_table(path)
    decisions = decide(source, Roles(target=target))
    found = TargetEncoder.learn(source, target)
    encoder = TableEncoder.learn(source.batches(), decisions)
    again = open_table(path, source.read_options, source.types).with_target(target)
    table = again.table([*encoder.columns, target])
    X, y = encoder.encode(table), found.codes(table.column(target))
    kept = int(again.rows_with_target().sum())
    assert X.shape == (kept, encoder.n_features)
    assert np.isfinite(X).all()
    assert len(y) == len(X) > 0
    if found.classes is None:
        assert np.isfinite(y).all()
    else:
        assert 0 <= y.min() <= y.max() < len(found.classes)
    return source


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("kind", SEEDS)
def test_a_damaged_table_is_refused_or_read(tmp_path, kind, batch):
    rng = random.Random(f"tables {kind} {batch}")
    path = tmp_path / f"damaged.{kind}"
    refused = 0
    for _ in range(-(-TOTAL // (BATCHES * len(SEEDS)))):
        content = damaged(rng.choice(SEEDS[kind]), rng)
        path.write_bytes(content)
        try:
            with time_limit():
                go_through(path)
        except (ValueError, TypeError, OSError) as error:
            refused += 1
            message = str(error)
            assert "damaged" in message, message
            assert "\n" not in message, message
            assert len(message) < 1200, message
        except BaseException:
            print(f"{kind}: {content!r}")
            raise
    assert refused > 0
    assert os.listdir(tmp_path) == [path.name]


def records(text, delimiter=","):
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row][1:]


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(2))
def test_no_damaged_csv_is_read_with_other_rows_than_the_standard_library_reads(tmp_path, batch):
    """The oracle is Python's csv module: as many rows, and the same text in each cell of them."""
    rng = random.Random(f"oracle {batch}")
    path, compared = tmp_path / "damaged.csv", 0
    for _ in range(max(400, TOTAL // 20)):  # most are refused
        content = damaged(SEEDS["csv"][0], rng)
        path.write_bytes(content)
        try:
            source = open_table(path, types={})
            rows = [list(row.values()) for batch in source.batches() for row in batch.to_pylist()]
            source = go_through(path)
        except (ValueError, TypeError, OSError):
            continue
        text = content.decode().removeprefix("\ufeff")
        expected = records(text, source._raw.delimiter)
        assert len(rows) == len(expected), content
        for row, there in zip(rows, expected, strict=True):
            for cell, word in zip(row, there, strict=True):
                assert cell is None or cell == trim(word), content
        compared += 1
    assert compared > 20


@pytest.mark.parametrize("kind", SEEDS)
def test_the_undamaged_tables_are_read(tmp_path, kind):
    for content in SEEDS[kind]:
        path = tmp_path / f"t.{kind}"
        path.write_bytes(content)
        assert go_through(path).types == {
            "size": "number", "colour": "text", "day": "time", "old": "boolean", "y": "number",
        }  # fmt: skip
