"""Calls an entry point from eight threads at once, the first time in a process.

    python tests/engines/first_use_harness.py ENTRY [--half-imported]

Prints how many calls were made, and exits with 1 at the first that raises or differs from the others. With
--half-imported, predictions take the engine's module from where Python puts it before it is whole: the
harness has to notice.
"""

import sys
import tempfile
import threading
import warnings
from pathlib import Path

import numpy as np

import clearprop as cp

warnings.simplefilter("ignore")
N_THREADS = 8
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(7, 4)).astype(np.float32), np.array([0, 1, 2, 0, 1, 2, 0])
FOLDER = Path(tempfile.mkdtemp())


def made():
    return cp.Network([4, 5, 3], seed=0)


NET = made()


def fit():
    net = made()
    net.fit(X, Y, epochs=2, batch_size=3, progress=False)
    return net.parameters


def saved():
    path = FOLDER / f"{threading.get_ident()}.safetensors"
    NET.save(path)
    return cp.load(path).parameters


def classifier():
    return (
        cp.MLPClassifier(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, Y).predict_proba(X)
    )


def regressor():
    return (
        cp.MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, X[:, 0]).predict(X)
    )


def predictions():
    """Return what so many predictions give that the engine is loaded in their midst."""
    return np.array([NET.predict(X) for _ in range(400)])


def table():
    path = FOLDER / f"{threading.get_ident()}.csv"
    path.write_text("a,b,y\n" + "".join(f"{i},{i % 3},{'uv'[i % 2]}\n" for i in range(20)))
    return cp.data.load(str(path), target="y").all[0]


ENTRIES = {
    "predict": predictions,
    "classify": lambda: NET.classify(X),
    "cost": lambda: NET.cost(X, Y),
    "gradient": lambda: NET.gradient(X, Y).flat,
    "input_gradient": lambda: NET.input_gradient(X, Y),
    "trace": lambda: NET.trace(X, Y).cost,
    "fit": fit,
    "check_gradient": lambda: cp.check_gradient(NET, X, Y).verdict,
    "explain": lambda: cp.explain(NET, X[:1], Y[:1]),
    "diagnose": lambda: str(cp.diagnose(NET, X, Y)),
    "save": saved,
    "load": lambda: cp.data.load("iris").all[0],
    "table": table,
    "classifier": classifier,
    "regressor": regressor,
    "gelu": lambda: cp.Network([4, 5, 3], activation="gelu", seed=0).predict(X),
    "attributes": lambda: [getattr(cp, name).__name__ for name in cp.__all__],
    "data_attributes": lambda: [repr(getattr(cp.data, name))[:20] for name in cp.data.__all__],
}


def main():
    call, results, problems = ENTRIES[sys.argv[1]], [], []
    barrier = threading.Barrier(N_THREADS)
    if "--half-imported" in sys.argv:
        from clearprop.engines import choice

        class Half:
            def __getattr__(self, name):
                return getattr(sys.modules["clearprop.engines.compiled"], name)

            def __bool__(self):
                return "clearprop.engines.compiled" in sys.modules

        whole = choice.forward

        def forward(*arguments):
            choice.compiled = Half() if Half() else None
            return whole(*arguments)

        choice.forward = forward

    def work():
        barrier.wait()
        try:
            results.append(call())
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(N_THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if problems:
        raise problems[0]
    for each in results[1:]:
        if isinstance(each, np.ndarray | float):
            np.testing.assert_allclose(each, results[0], rtol=1e-5, atol=1e-6)  # of either engine
        else:
            assert each == results[0], (each, results[0])
    print(len(results))


if __name__ == "__main__":
    main()
