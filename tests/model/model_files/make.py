"""Write the model files and checkpoints that later versions must go on reading.

    PYTHONPATH=OLD/src python tests/model/model_files/make.py

OLD is a checkout of the version that is to have written them; those here are of commit a69705c. Beside
them: ``inputs.npz`` and ``customers.csv``, what they were trained on, and ``expected.npz``, what they
predict. Runs are stopped in the middle of an epoch by what is inside of that version.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import clearprop as cp

HERE = Path(__file__).parent
RESUMED = {
    "epochs": 4,
    "batch_size": 5,
    "engine": "numba",
    "n_threads": 1,
    "progress": False,
    "seed": 3,
}
ESTIMATOR = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "n_threads": 1}
# Nothing is held out: which of such rows choose the epoch has changed since.
SHELL = (
    "train customers.csv --target left --epochs 4 --batch-size 16 --hidden 5 --seed 0 --threads 1 "
    "--validation 0"
)
STREAM = f"{SHELL} --buffer 40"
CHECKPOINTS = {"table-checkpoint": SHELL, "table-stream-checkpoint": STREAM}


def data():
    """Return X, labels, words, quantities, two quantities and flags; 23 rows."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(23, 4)).astype("float32")
    labels = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.3)
    quantity = (X[:, 0] * 2 + X[:, 3] + 5).round(3)
    return {
        "X": X, "labels": labels, "words": np.array(["low", "middle", "high"])[labels],
        "quantity": quantity, "pair": np.stack([quantity, X[:, 2]], axis=1),
        "flags": (X[:, :3] > 0).astype(int),
    }  # fmt: skip


def write_table(path, n=60):
    """Write words, gaps, dates and numbers, and a target of two words."""
    rng = np.random.default_rng(6)
    lines = ["age,plan,since,shop,country,left"]
    for i in range(n):
        age, plan = round(rng.normal(40, 12), 1), rng.choice(["basic", "plus", "pro"])
        left = "yes" if (age > 40) ^ (plan == "pro") else "no"
        said = "" if i % 9 == 0 else age
        lines.append(f"{said},{plan},20{10 + i % 9}-0{1 + i % 9}-1{i % 10},{i % 6},NL,{left}")
    path.write_text("\n".join(lines) + "\n")


def start(of="float32"):
    """Return the network whose runs are resumed, as it begins."""
    return cp.Network([4, 5, 3], seed=1, dtype=of)


def run(X, labels, stream=False, **more):
    """Train that network; return its parameters."""
    net = start()
    how = RESUMED | {"optimizer": cp.Adam(0.02), "dropout": 0.2, "averaging": 0.5} | more
    rows = (cp.data.RowStream.of_arrays(X, labels, buffer_rows=10),) if stream else (X, labels)
    net.fit(*rows, **how)
    return net.parameters


def stop_after(steps):
    """Let every stretch be one step, and a run end after so many."""
    from clearprop.training import loop

    made, original = [0], loop.Training._stretch

    def stretch(self, interrupts, deadline, shown):
        original(self, interrupts, deadline, shown)
        made[0] += 1
        if made[0] == steps and not self.history.stopped:
            self.history.stopped = "interrupted"

    loop.STRETCH_SECONDS, loop.Training._stretch = 0.0, stretch


def shell(line):
    """Run a command of the shell in this folder; of one that is to be stopped, ``STOP`` steps."""
    subprocess.run(
        [sys.executable, __file__, "--shell", *line.split()],
        cwd=HERE,
        check=True,
        stdout=subprocess.PIPE,
    )


def networks(d):
    """Yield networks by name, with what they see."""
    net = cp.Network([4, 5, 3], "tanh", seed=0, scaling=cp.data.standardize(d["X"]))
    net.fit(d["X"], d["words"], epochs=2, progress=False)
    yield "network", net
    layers = [4, cp.Layer(3, ["sigmoid", "relu", "gelu"]), cp.Layer(2, "identity", bias=False)]
    scaling = cp.Scaling(np.array([1.0, 0.0, -1.0, 0.5]), np.array([2.0, 1.0, 0.5, 3.0]))
    net = cp.Network(layers, cost=cp.costs.huber(0.4), dtype="float64", seed=2, scaling=scaling)
    net.fit(d["X"], d["pair"], epochs=2, progress=False, optimizer=cp.SGD(0.01))
    yield "network-own-scaling", net


def estimators(d):
    """Yield fitted estimators by name; ``realmlp-s`` of tables see data frames."""
    import pandas

    X = d["X"]
    yield "classifier", cp.MLPClassifier(**ESTIMATOR, preprocessing="standard").fit(X, d["words"])
    yield "classifier-flags", cp.MLPClassifier(**ESTIMATOR).fit(X, d["flags"])
    columns = np.stack([d["labels"], d["flags"][:, 1]], axis=1)
    yield "classifier-columns", cp.MLPClassifier(**ESTIMATOR).fit(X, columns)
    yield "regressor", cp.MLPRegressor(**ESTIMATOR, preprocessing="robust").fit(X, d["quantity"])
    yield "regressor-lbfgs", cp.MLPRegressor(**ESTIMATOR, solver="lbfgs").fit(X, d["pair"])
    realmlp = ESTIMATOR | {"preset": "realmlp-s"}
    yield "realmlp-classifier", cp.MLPClassifier(**realmlp).fit(X, d["words"])
    yield "realmlp-regressor", cp.MLPRegressor(**realmlp).fit(X, d["quantity"])
    frame = pandas.read_csv(HERE / "customers.csv")
    features = frame.drop(columns="left")
    yield "table-classifier", cp.MLPClassifier(**realmlp).fit(features, frame["left"])
    shops = frame.drop(columns="shop")
    yield "table-regressor", cp.MLPRegressor(**realmlp).fit(shops, frame["shop"] * 1.5)
    rows = cp.data.stream(HERE / "customers.csv", target="left", buffer_rows=30, seed=0)
    yield "table-stream", cp.MLPClassifier(**realmlp | {"batch_size": 16}).fit(rows)


def answers(name, model, d):
    """Return what a model predicts."""
    import pandas

    if isinstance(model, cp.Network):
        return model.predict(d["X"])
    X = d["X"]
    if name.startswith("table"):
        X = pandas.read_csv(HERE / "customers.csv")[list(model.feature_names_in_)]
    found = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    return np.concatenate(found, axis=1) if isinstance(found, list) else found


def machine():
    """Return what bits depend on; nothing where the code was built ahead, for a variant."""
    try:
        import llvmlite
        from llvmlite import binding
    except ImportError:
        return []

    return [binding.get_host_cpu_name(), np.__version__, llvmlite.__version__]


def main():
    """Write everything anew."""
    for old in [*HERE.glob("*.safetensors*"), *HERE.glob("*.npz")]:
        old.unlink()
    d = data()
    np.savez_compressed(HERE / "inputs.npz", **d)
    write_table(HERE / "customers.csv")
    expected = {}
    for name, model in (*networks(d), *estimators(d)):
        model.save(HERE / f"{name}.safetensors")
        expected[name] = answers(name, model, d)
    expected["array-checkpoint"] = run(d["X"], d["labels"])
    expected["stream-checkpoint"] = run(d["X"], d["labels"], stream=True)
    for name, line in CHECKPOINTS.items():
        shell(f"{line} --output done.safetensors")
        expected[name] = cp.load(HERE / "done.safetensors").parameters
        (HERE / "done.safetensors").unlink()
        os.environ["STOP"] = "5"
        shell(f"{line} --checkpoint {name}.safetensors --output done.safetensors")
        del os.environ["STOP"]
        (HERE / "done.safetensors").unlink(missing_ok=True)
    np.savez_compressed(HERE / "expected.npz", machine=json.dumps(machine()), **expected)
    stop_after(7)
    how = {"checkpoint_every": "1000s"}
    run(d["X"], d["labels"], checkpoint=HERE / "array-checkpoint.safetensors", **how)
    stop_after(7)
    run(d["X"], d["labels"], stream=True, checkpoint=HERE / "stream-checkpoint.safetensors", **how)
    for lock in HERE.glob("*.lock"):
        lock.unlink()
    shutil.rmtree(HERE / "__pycache__", ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--shell"]:
        from clearprop.cli import main as command

        if "STOP" in os.environ:
            stop_after(int(os.environ["STOP"]))
        try:
            command(sys.argv[2:])
        except SystemExit as ended:
            sys.exit(ended.code if ended.code not in (130,) else 0)
    main()
