"""The measuring instrument runs, and refuses to show the times of work that is not the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run_bench(folder, contestants):
    pytest.importorskip("threadpoolctl")
    return subprocess.run(
        [
            sys.executable,
            str(BENCHMARKS / "run.py"),
            "--quick",
            "--workloads=W1",
            f"--contestants={contestants}",
            "--threads=1",
            f"--output={folder}",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")
def test_benchmark_of_one_workload_runs_and_writes_what_it_measured(tmp_path):
    done = run_bench(tmp_path, "clearprop,numpy")

    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "quick.json").read_text())
    measured = results["results"]["W1"]["contestants"]
    losses = [measured[f"{name}, 1 threads"]["loss"] for name in ("clearprop", "numpy")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    rounds = results["options"]["rounds"]
    assert all(len(each["seconds"]) == rounds for each in measured.values())
    assert {"date", "commit", "cpu", "versions"} <= set(results["machine"])
    assert "| plain NumPy |" in (tmp_path / "quick.md").read_text()
    assert "plain NumPy" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")
def test_benchmark_refuses_a_contestant_that_does_other_work(tmp_path):
    done = run_bench(tmp_path, "clearprop,mutant")

    assert done.returncode == 1
    assert "losses after the first epoch must agree" in done.stderr
    assert "REFUSED" in done.stdout
    assert "epoch, median" not in done.stdout
    refused = json.loads((tmp_path / "quick.json").read_text())["results"]["W1"]
    assert not any(
        "seconds" in each and isinstance(each["seconds"], list)
        for each in refused["contestants"].values()
    )


@pytest.mark.slow
@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")
def test_benchmark_refuses_the_one_that_deviates_and_shows_the_others(tmp_path):
    done = run_bench(tmp_path, "clearprop,numpy,mutant")

    assert done.returncode == 1
    found = json.loads((tmp_path / "quick.json").read_text())["results"]["W1"]
    assert "refused" not in found
    of = {name.split(",")[0]: entry for name, entry in found["contestants"].items()}
    assert not isinstance(of["mutant"]["seconds"], list)
    assert "its loss after the first epoch" in of["mutant"]["refused"]
    assert of["mutant"]["refused"] in done.stdout
    assert of["clearprop"]["seconds"]
    assert of["numpy"]["seconds"]


@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")
@pytest.mark.parametrize(
    ("losses", "wrong", "all_of_them"),
    [
        ({"clearprop": 1.0, "numpy": 1.0, "jax": 1.0}, [], False),
        ({"clearprop": 1.0, "numpy": 1.0, "jax": 1.1}, ["jax"], False),
        ({"clearprop": 1.0, "numpy": 1.0, "jax": float("nan")}, ["jax"], False),
        ({"clearprop": 1.0, "jax": 1.0, "torch": 1.1}, ["torch"], False),
        ({"clearprop": 1.1, "numpy": 1.0, "jax": 1.0}, [], True),
        ({"clearprop": float("nan"), "numpy": 1.0}, [], True),
        ({"clearprop": 1.1, "jax": 1.0, "torch": 1.0}, [], True),
        ({"clearprop": 1.0}, [], False),
        ({"jax": 1.0, "torch": 1.1}, [], True),
    ],
)
def test_who_deviates_is_refused_alone_unless_it_is_clearprop_or_the_judge(losses, wrong, all_of_them):
    named = {f"{name}, 1 threads": loss for name, loss in losses.items()}
    code = f"import run; nan = float('nan'); wrong, every = run.deviants({named!r}); print([*wrong], every)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BENCHMARKS, check=True, capture_output=True, text=True
    )
    shown = [f"{name}, 1 threads" for name in wrong]
    assert done.stdout.startswith(f"{shown} losses" if all_of_them else f"{shown} None")


@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")
@pytest.mark.parametrize(
    ("losses", "agree"),
    [
        ({"a": 1.0, "b": 1.00009}, True),
        ({"a": 1.0, "b": 1.00011}, False),
        ({"a": 1.0, "b": 1.0, "c": 0.9}, False),
        ({"a": 1.0, "b": float("nan")}, False),
        ({"a": float("nan"), "b": 1.0}, False),
    ],
)
def test_losses_agree_to_one_in_ten_thousand(losses, agree):
    code = f"import sys, run; nan = float('nan'); sys.exit(run.disagreement({losses!r}) is not None)"
    done = subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, check=False)
    assert done.returncode == (not agree)


@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")
def test_report_on_tables_takes_errors_from_all_lines_and_keeps_the_two_kinds_of_times_apart(tmp_path):
    """By hand: 1 thread 8/2 and 6/3 CPU seconds; 2 cores 9/1 by the clock; one line without times."""
    one = {"cpu_seconds": 2.0, "seconds": 50.0}, {"cpu_seconds": 8.0, "seconds": 60.0}
    two = {"cpu_seconds": 3.0, "seconds": 50.0}, {"cpu_seconds": 6.0, "seconds": 60.0}
    clock = {"threads": 2, "cpu_seconds": 70.0, "seconds": 1.0}, {"threads": 2, "seconds": 9.0}
    lines = []
    for split, run, errors, times in (
        (0, "a", (0.20, 0.21), one),  # of before there were two kinds
        (1, "b", (0.22, 0.21), ({"threads": 1} | two[0], {"threads": 1} | two[1])),
        (2, "c", (0.20, 0.20), clock),
        (3, "d", (0.20, 0.24), ({"threads": 1}, {"threads": 1})),
    ):
        for who, error, more in zip(("clearprop", "RealMLP-TD-S"), errors, times, strict=True):
            line = {"table": "letter", "split": split, "contestant": who, "error": error, "rows": 1000}
            lines.append(json.dumps(line | {"run": run} | more))
    results = tmp_path / "tables.jsonl"
    results.write_text("\n".join(lines))
    subprocess.run(
        [sys.executable, str(BENCHMARKS / "tables.py"), "--report", f"--results={results}"],
        check=True, capture_output=True,
    )  # fmt: skip
    report = results.with_suffix(".md").read_text()
    errors, differences, times = [x for x in report.splitlines() if x.startswith("| letter")]
    assert errors == "| letter | 4 | 20.5 |  |  | 21.5 |"
    # Differences -1, 1, 0, -4: mean -1, standard deviation 2.16, t(3) 3.182.
    assert differences.startswith("| letter | 4 | -1.00 | [-4.44, +2.44] |")
    assert times == "| letter | 2 | 2.50 | 7.00 | 3.0 (2.0 to 4.0) | 1 | 1.00 | 9.00 | 9.0 |"
