"""Without Numba all works: only an activation of the user's own is the reference's, and that is said."""

import subprocess
import sys

SCRIPT = """
import sys, warnings
sys.modules["numba"] = None  # an import of it fails
import numpy as np
import clearprop as cp

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(70, 4)), rng.integers(0, 3, 70)
how = dict(epochs=2, batch_size=7, progress=False)
warnings.simplefilter("error")

engines = []
seen = lambda training: engines.append(training.engine.name)
net = cp.Network([4, 5, 3], seed=0)
net.fit(X, Y, **how, callbacks=[seen])
assert engines == ["compiled"] * 2, engines
assert np.isfinite(net.predict(X)).all()

twin = cp.Network([4, 5, 3], seed=0)
twin.fit(X, Y, **how, engine="numba")  # the engine's first name: it needs no Numba
assert np.array_equal(net.parameters, twin.parameters)

own = cp.Activation("cube", lambda z: z**3, lambda z: 3 * z**2)
mine = cp.Network([4, 5, 3], own, "softmax", seed=0)
try:
    mine.fit(X, Y, **how, engine="compiled")
except ValueError as problem:
    print(problem)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    mine.fit(X, Y, **how, callbacks=[seen])
assert engines[2:] == ["numpy"] * 2, engines
print(*[each.message for each in said], sep="\\n")
assert np.isfinite(mine.predict(X)).all()
warnings.simplefilter("ignore")  # it does not converge
cp.MLPClassifier(max_iter=2, hidden_layer_sizes=5, random_state=0).fit(X, Y).predict(X)
assert sys.modules["numba"] is None
"""
REASON = (
    "activation 'cube' of layer 1 is your own, and Numba, which would compile it, is not installed "
    "(pip install 'clearprop[jit]')"
)


def test_without_numba_networks_train_and_predict_and_an_own_activation_is_said_to_be_slower():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, warned = done.stdout.splitlines()
    assert refused == f"engine 'compiled' cannot run this: {REASON}; use engine='numpy' or 'auto'"
    assert warned == f"training with engine 'numpy', which is slower: {REASON}"


def test_nothing_but_an_own_activation_imports_numba():
    script = SCRIPT.split("own = ")[0].replace(
        'sys.modules["numba"] = None  # an import of it fails', ""
    )
    script += "assert not [name for name in sys.modules if name.split('.')[0] == 'numba']"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
