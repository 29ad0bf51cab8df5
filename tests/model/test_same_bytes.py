"""Of equal data, options, seed, machine and version a model's file is the same to the byte."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import clearprop as cp

SCRIPT = """
import os, sys, warnings
warnings.simplefilter("ignore")
os.umask(int(sys.argv[3], 8))
import numpy as np, pandas
import clearprop as cp
from clearprop.cli import app
from clearprop.data import table
from clearprop.training import loop

loop.STRETCH_SECONDS = float(sys.argv[4])  # the clock cuts an epoch elsewhere
data, out = sys.argv[1] + "/", sys.argv[2] + "/"
rng = np.random.default_rng(0)
X = rng.normal(size=(70, 4))
y = np.array(["no", "yes", "maybe"])[rng.integers(0, 3, 70)]
r = X @ [1.0, 2.0, 3.0, 4.0]
for engine in ("numpy", "compiled"):
    net = cp.Network([4, 5, 3], seed=0)
    net.fit(X, y, epochs=2, batch_size=7, engine=engine, n_threads=2, progress=False, dropout=0.2,
            metrics=["accuracy"], validation_data=(X[:9], y[:9]), checkpoint=out + engine + ".checkpoint",
            early_stopping=cp.EarlyStopping())
    net.save(out + "network " + engine)
for preset, engine in (("sklearn", "numpy"), ("realmlp-s", "compiled")):
    for solver in ("adam", "sgd", "lbfgs"):
        how = dict(preset=preset, solver=solver, max_iter=3, hidden_layer_sizes=5, random_state=0, batch_size=7, engine=engine)
        if solver == "lbfgs":
            del how["batch_size"]
        cp.MLPClassifier(early_stopping=True, **how).fit(X, y).save(out + f"classifier {preset} {solver}")
        cp.MLPRegressor(**how).fit(X, r).save(out + f"regressor {preset} {solver}")
    for kind in ({"a", "b", "c"}, {"u": 1, "v": 2}):  # whose order hashing may change
        frame = pandas.DataFrame(X, columns=["k", "l", "m", "n"]).assign(c=sorted(kind)[0])
        frame["c"] = np.array(sorted(kind))[rng.integers(0, len(kind), 70)]
        fitted = cp.MLPClassifier(preset="realmlp-s", max_iter=2, hidden_layer_sizes=5, random_state=0)
        fitted.fit(frame, y).save(out + f"table {preset} {len(kind)}")
stream = table.stream(data + "t.csv", target="y", buffer_rows=64, seed=0)
fitted = cp.MLPClassifier(preset="realmlp-s", max_iter=2, hidden_layer_sizes=5, random_state=0)
fitted.fit(stream).save(out + "stream")
for name, options in (
    ("arrays", ["iris"]),
    ("regression", ["diabetes"]),
    ("table", [data + "t.csv", "--target", "y"]),
    ("streamed table", [data + "t.csv", "--target", "y", "--buffer", "64"]),
):
    quick = ["--epochs", "2", "--seed", "0", "--hidden", "5", "--threads", "2", "--quiet"]
    try:
        app.main(["train", *options, *quick, "--output", out + "shell " + name])
    except SystemExit as ended:
        assert ended.code == 0
"""
PLACES = (
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LANG": "C.UTF-8", "umask": "022", "stretch": "0.25"},
    {
        "PYTHONHASHSEED": "2",
        "TZ": "Asia/Tokyo",
        "LANG": "tr_TR.UTF-8",
        "umask": "077",
        "stretch": "0.0",
    },
)


def files_of(place: dict[str, str], data: Path, out: Path) -> dict[str, bytes]:
    """Train everything in a process of an environment; return the models' files."""
    out.mkdir()
    command = [sys.executable, "-c", SCRIPT, str(data), str(out), place["umask"], place["stretch"]]
    subprocess.run(command, env={**os.environ, **place}, check=True, cwd=out, timeout=600)
    return {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".checkpoint"}


@pytest.mark.slow
def test_a_models_file_is_the_same_in_every_process(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{rng.normal():.3f},{'uvw'[i % 3]},{'yes' if rng.random() < 0.5 else 'no'}" for i in range(400)
    ]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    one, other = (
        files_of(place, tmp_path, tmp_path / str(number)) for number, place in enumerate(PLACES)
    )
    assert len(one) == 23
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("estimator", [cp.MLPClassifier, cp.MLPRegressor])
def test_a_file_keeps_of_the_history_what_is_not_of_the_clock(estimator, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(23, 4)), np.arange(23) % 2
    fitted = estimator(max_iter=3, random_state=0).fit(X, y)
    assert "seconds" in fitted.history_
    fitted.save(tmp_path / "m")
    loaded = estimator.load(tmp_path / "m")
    kept = {name for name in fitted.history_.columns if name not in ("seconds", "samples_per_second")}
    assert loaded.history_.to_dict() == {name: fitted.history_[name] for name in kept}
    loaded.partial_fit(X, y)  # which has a duration again
    loaded.save(tmp_path / "n")
    assert len(estimator.load(tmp_path / "n").history_) == 4
