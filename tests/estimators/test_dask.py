"""What runs on a cluster of Dask: real processes on this machine, where Dask is installed."""

import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import clearprop as cp

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,  # processes that start, and import everything
    pytest.mark.filterwarnings("ignore:max_iter"),  # three epochs
]


@pytest.fixture(scope="module")
def cluster():
    how = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**how) as made, distributed.Client(made) as client:
        yield client


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    return X, np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")


def network():
    return cp.MLPClassifier(hidden_layer_sizes=(4,), max_iter=3, random_state=0)


def test_a_grid_searched_by_workers_is_that_of_one_process(cluster, rows):
    def searched():
        grid = {"alpha": [0.0, 0.1], "learning_rate_init": [0.01, 0.1]}
        return GridSearchCV(network(), grid, cv=2, n_jobs=2).fit(*rows)

    def has_worked():  # in here, so that it travels by value
        return "clearprop" in sys.modules

    with joblib.parallel_config(backend="dask"):
        found = searched()
    assert all(cluster.run(has_worked).values())
    with joblib.parallel_config(backend="threading"):
        alone = searched()
    for name in ("mean_test_score", "rank_test_score"):
        assert np.array_equal(found.cv_results_[name], alone.cv_results_[name])
    assert np.array_equal(found.predict_proba(rows[0]), alone.predict_proba(rows[0]))


def test_workers_share_the_trials_of_one_study(cluster, rows, tmp_path):
    how = {"trials": 4, "storage": str(tmp_path / "study.log"), "seed": 1}
    estimator = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=(4,), max_iter=3)
    with joblib.parallel_config(backend="dask"):
        found = joblib.Parallel(n_jobs=2)(
            joblib.delayed(cp.tune)(estimator, *rows, **how) for _ in range(2)
        )
    numbers = [sorted(trial.number for trial in each.trials) for each in found]
    assert max(numbers, key=len)[:4] == [0, 1, 2, 3]
    assert len(numbers[0]) <= 5  # one that both had begun


def test_partitions_are_predicted_where_they_are(cluster, rows):
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rows[0], columns=["a", "b", "c"])
    model = network().fit(table, rows[1])
    parts = frames.from_pandas(table, npartitions=3)
    found = parts.map_partitions(model.predict, meta=np.array(["yes"])).compute()
    assert np.array_equal(found, model.predict(table))


def test_the_program_of_the_page_runs(tmp_path):
    pytest.importorskip("dask.dataframe")
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    (program,) = re.findall(r"```py\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "search.py").write_text(program)
    command = [sys.executable, "search.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"\{'alpha': .*\} [45] trials, 300 labels\n", ran.stdout)
