"""A table of 20 million rows by 30 columns, trained on in a gibibyte, beside training in memory.

    python benchmarks/streaming.py [--rows 20000000] [--folder FOLDER] [--hidden 64,64] [--keep]

Makes the table as one Parquet file (about 5 GB; numbers, some missing, words, dates), and measures
three runs, each in a process of its own: the table streamed, its first 2 million rows streamed through
a smaller buffer, and these rows in memory. Rows per second are those of the training; what is done
before it (three passes over the file) is given beside them. Memory is the peak of the resident set
above that of an interpreter that has imported nothing. On a machine that others use, look at the
processor time of a row: that of the thread that trains, and that of all of them.
Needs about 10 GB of disk; the files are removed at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GIB = 2**30
NUMBERS, WORDS = 26, 3  # and one date: 30 columns beside the target
CHUNK = 500_000
SUBSET = 2_000_000
EPOCHS_IN_MEMORY = 3


def make_table(path: Path, rows: int) -> None:
    """Write the table a chunk of rows at a time; the target depends on a few columns, and noise."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = np.array(["north", "east", "south", "west", "centre", "abroad", "online", "unknown"])
    writer = None
    for number, first in enumerate(range(0, rows, CHUNK)):
        n = min(CHUNK, rows - first)
        rng = np.random.default_rng(number)
        X = rng.normal(size=(NUMBERS, n)) * 10.0 ** (np.arange(NUMBERS)[:, None] % 4 - 1)
        columns = {}
        for j in range(NUMBERS):
            missing = rng.random(n) < 0.05 if j % 9 == 4 else None
            columns[f"x{j:02}"] = pa.array(X[j], mask=missing)
        for j in range(WORDS):
            columns[f"word{j}"] = pa.array(words[rng.integers(0, len(words), n)])
        columns["when"] = pa.array(rng.integers(1_400_000_000, 1_700_000_000, n), pa.timestamp("s"))
        score = X[0] * 10 + X[1] * X[5] + np.sin(X[2]) + rng.normal(size=n)
        columns["y"] = pa.array(score > 0)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=CHUNK)
    assert writer is not None
    writer.close()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def worker(options: argparse.Namespace) -> None:
    """Train in this process, and print one line of JSON."""
    bare = resident()
    import numpy as np

    import clearprop as cp

    began = time.monotonic()
    what = options.table
    if options.rows:
        import pyarrow.parquet as pq

        groups = -(-options.rows // CHUNK)
        what = pq.ParquetFile(options.table).read_row_groups(list(range(groups))).slice(0, options.rows)
    say = lambda sentence: print(f"  {sentence}", file=sys.stderr)  # noqa: E731
    rows = cp.data.stream(
        what,
        target="y",
        buffer_rows=options.buffer,
        validation=0.01,
        seed=0,
        folder=options.folder,
        say=say,
    )
    scaling = cp.data.standardize(rows.held.X)  # of some thousand rows
    hidden = [int(size) for size in options.hidden.split(",")]
    net = cp.Network(
        [rows.n_features, *(cp.Layer(size, "relu") for size in hidden), 2], seed=0, scaling=scaling
    )
    n = len(rows)
    data = (rows,)
    if options.worker == "memory":
        data = rows.rows.X(0, n), rows.target.labels(rows.rows.Y(0, n))
    before = time.monotonic() - began
    how = {
        "batch_size": options.batch,
        "optimizer": cp.Adam(1e-3),
        "progress": True,
        "n_threads": options.threads,
    }
    net.fit(
        *(part[:4096] if isinstance(part, np.ndarray) else part for part in data),
        **how,
        time_limit=1e-9,
    )
    thread, process = time.thread_time(), time.process_time()
    history = net.fit(
        *data, epochs=options.epochs, validation_data=rows.validation, metrics=["accuracy"], **how
    )
    thread, process = time.thread_time() - thread, time.process_time() - process
    speeds = history["samples_per_second"]
    found = {
        "rows": n,
        "features": rows.n_features,
        "before": before,
        "rows_per_second": float(np.median(speeds)),
        "engine_cpu": thread / (n * options.epochs),
        "cpu": process / (n * options.epochs),
        "peak": peak() - bare,
        "cost": history["cost"][-1],
        "accuracy": history["validation_accuracy"][-1],
    }
    print(json.dumps(found))


def measure(kind: str, options: argparse.Namespace, table: Path, **how: object) -> dict:
    words = [
        sys.executable,
        __file__,
        "--worker",
        kind,
        "--table",
        str(table),
        "--hidden",
        options.hidden,
    ]
    words += [
        "--batch",
        str(options.batch),
        "--folder",
        str(options.folder),
        "--threads",
        str(options.threads),
    ]
    for name, value in how.items():
        words += [f"--{name}", str(value)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"the {kind} run ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--hidden", default="64,64")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the Parquet file")
    for hidden in ("--worker", "--table"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    for hidden in ("--buffer", "--epochs"):
        parser.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options)
        return
    rows = options.rows or 20_000_000
    subset = min(SUBSET, rows)
    path = Path(options.folder) / f"clearprop-streaming-{rows}.parquet"
    try:
        if not path.exists():
            began = time.monotonic()
            partial = Path(tempfile.mkdtemp(dir=options.folder)) / "table"
            make_table(partial, rows)
            partial.replace(path)
            partial.parent.rmdir()
            print(
                f"made {path.stat().st_size / 1e9:.2f} GB in {time.monotonic() - began:.0f} s",
                flush=True,
            )
        memory = measure("memory", options, path, rows=subset, epochs=EPOCHS_IN_MEMORY)
        small = measure(
            "stream", options, path, rows=subset, epochs=EPOCHS_IN_MEMORY, buffer=subset // 8
        )
        whole = measure("stream", options, path, epochs=1)
    finally:
        if not options.keep:
            path.unlink(missing_ok=True)
    titles = ("rows", 12), ("rows/s", 12), ("of memory", 11), ("peak, MiB", 11), ("before, s", 11)
    titles += ("thread, ns", 12), ("all, ns", 9)
    print("\n" + " " * 34 + "".join(f"{title:>{width}}" for title, width in titles) + "  accuracy")
    for name, run in (
        ("in memory", memory),
        (f"streamed, buffer {subset // 8:,}", small),
        ("streamed, default buffer", whole),
    ):
        ratio = run["rows_per_second"] / memory["rows_per_second"]
        print(
            f"{name:34}{run['rows']:12,}{run['rows_per_second']:12,.0f}{ratio:11.0%}"
            f"{run['peak'] / 2**20:11,.0f}{run['before']:11.0f}{run['engine_cpu'] * 1e9:12,.0f}"
            f"{run['cpu'] * 1e9:9,.0f}{run['accuracy']:10.4f}"
        )
    kept = "yes" if whole["peak"] <= GIB else "no"
    quick = "yes" if whole["rows_per_second"] >= 0.7 * memory["rows_per_second"] else "no"
    print(f"within 1 GiB: {kept}; at least 70 % of the rows per second in memory: {quick}")


if __name__ == "__main__":
    main()
