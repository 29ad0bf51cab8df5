"""Training.step: one row, one update, the bits of a fit to that row; counted, resumed and refused."""

import copy
import threading

import numpy as np
import pytest

import clearprop as cp
from clearprop.model import embedding as embeddings
from tables import OPTIMIZERS, OUTPUTS, optimizer_name, output_name

SIZES = (4, 5, 3)
X = np.random.default_rng(1).normal(size=(7, 4)).astype("f")
Y = np.random.default_rng(2).normal(size=(7, 3)).astype("f")
HOW = {"progress": False, "batch_size": 1, "shuffle": False}
ENGINES = ("numpy", "compiled")


def network(sizes=SIZES, **arguments):
    how = {"activation": "tanh", "cost": "quadratic", "bias_initializer": "normal", "seed": 1}
    return cp.Network(list(sizes), **how | arguments)


def after_steps(net, targets=Y, **settings):
    """Return a network trained by steps, and its training."""
    training = cp.Training(net, **settings)
    training.costs = [training.step(x, y) for x, y in zip(X, targets, strict=True)]
    return net, training


def after_epoch(net, targets=Y, **settings):
    """Return a network trained by an epoch of the same batches."""
    training = cp.Training(net, X, targets, **HOW | settings)
    training.run(1)
    return net, training


def same(one, other):
    assert np.array_equal(one[0].parameters, other[0].parameters)
    assert np.array_equal(one[1].state.moments, other[1].state.moments)
    assert one[1].state.step == other[1].state.step == 7
    assert one[1].state.updates == other[1].state.updates


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=optimizer_name)
def test_steps_have_the_bits_of_batches_of_one_row(optimizer, engine):
    how = {"optimizer": optimizer, "engine": engine, "l2": 0.01}
    by_steps, by_epoch = after_steps(network(), **how), after_epoch(network(), **how)
    same(by_steps, by_epoch)
    np.testing.assert_allclose(np.mean(by_steps[1].costs), by_epoch[1].history["cost"][-1], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:epoch . has changed no parameter")  # outputs through relu are dead
@pytest.mark.parametrize("pair", OUTPUTS, ids=output_name)
def test_a_step_is_a_fit_to_that_row(pair):
    cost, output = pair
    n = 1 if cost.one_output else 3
    targets = np.eye(3, dtype="f")[[0, 2, 1, 1, 0, 2, 1]][:, :n]
    stepped, fitted = (network((4, 5, n), cost=cost, output=output) for _ in range(2))
    training = cp.Training(stepped, optimizer=cp.SGD(0.1))
    for x, y in zip(X[:3], targets, strict=False):
        training.step(x, y)
        fitted.fit(x[None], y[None], epochs=1, optimizer=cp.SGD(0.1), **HOW)
        assert np.array_equal(stepped.parameters, fitted.parameters)
    assert (stepped.epochs_trained, stepped.steps_trained) == (3, 3)
    assert (fitted.epochs_trained, fitted.steps_trained) == (3, 3)


SETTINGS = {
    "dropout": {"dropout": 0.4},
    "clipped": {"clip_norm": 0.1},
    "l1, frozen": {"l1": 0.01, "frozen": ("layers.0.weight",)},
    "two threads": {"n_threads": 2},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_hold_for_steps(name):
    how = {"optimizer": cp.Adam(0.01), **SETTINGS[name]}
    same(after_steps(network(), **how), after_epoch(network(), **how))


NETWORKS = {
    "float64": {"dtype": "float64"},
    "scaled": {"scaling": cp.Scaling(np.ones(4), np.full(4, 2.0))},
    "embedded": {"embedding": embeddings.learn("pbld", X)},
    "members": {"members": 3},
    "parametric": {"activation": "parametric_mish"},
    "own cost": {"cost": cp.Cost("mine", lambda a, y: ((a - y) ** 4).sum(axis=1), lambda a, y: 4 * (a - y) ** 3)},
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_every_kind_make_steps(name):
    how = {"optimizer": cp.SGD(0.01, momentum=0.9), "dropout": 0.2}
    by_steps = after_steps(network(**NETWORKS[name]), **how)
    by_epoch = after_epoch(network(**NETWORKS[name]), **how)
    if name != "members":  # which see each row together here, and in an epoch each in its own order
        same(by_steps, by_epoch)
        return
    for k, member in enumerate(by_steps[0].members):
        alone, _ = after_steps(network(**NETWORKS[name]).members[k].copy(), **how)
        assert np.array_equal(member.parameters, alone.parameters)


def test_labels_are_told_by_the_classes():
    targets = [0, 2, 1, 1, 0, 2, 1]
    how = {"cost": "cross_entropy", "output": "softmax"}
    made = {"optimizer": cp.SGD(0.1), "label_smoothing": 0.1}
    by_epoch = after_epoch(network(**how), targets, **made)
    same(after_steps(network(**how), targets, **made), by_epoch)
    same(after_steps(network(**how), [np.int64(y) for y in targets], **made), by_epoch)
    same(after_steps(network(**how), np.eye(3)[targets].tolist(), **made), by_epoch)
    named = network(**how)
    named.classes = ("a", "b", "c")
    same(after_steps(named, ["abc"[y] for y in targets], **made), by_epoch)
    with pytest.raises(
        ValueError, match=r"labels that the network knows, \['a', 'b', 'c'\], got \['d'\]"
    ):
        cp.Training(named).step(X[0], "d")
    truths = network((4, 5, 1), cost="cross_entropy", output="sigmoid")
    truths.classes = (False, True)
    assert cp.Training(truths).step(X[0], True) > 0.0


def test_rows_of_any_form_are_taken():
    net = network()
    for x in (X[0], X[:1], X[0].tolist(), X[0].astype("d"), X[:1, ::-1][:, ::-1]):
        for y in (Y[0], Y[:1], Y[0].tolist(), Y[0].astype("d")):
            again = network()
            cp.Training(again, optimizer="sgd").step(x, y)
            cp.Training(net := network(), optimizer="sgd").step(X[0], Y[0])
            assert np.array_equal(again.parameters, net.parameters)
    one = network((4, 5, 1))
    costs = [cp.Training(one.copy()).step(X[0], y) for y in (0.5, [0.5], np.float32(0.5))]
    assert costs[0] == costs[1] == costs[2]


def test_schedules_count_steps_as_epochs_where_there_are_no_rows():
    schedule = cp.schedules.step(0.1, factor=0.5, every=2)
    rates = []

    def made(net):
        training = cp.Training(net, optimizer=cp.SGD(schedule))
        for x, y in zip(X, Y, strict=True):
            before = net.parameters.copy()
            gradient = net.gradient(x[None], y[None]).flat
            training.step(x, y)
            rates.append(float(np.median((before - net.parameters) / gradient)))

    made(network(dtype="float64"))
    np.testing.assert_allclose(rates, [schedule(k) for k in range(7)], rtol=1e-6)


def test_with_rows_steps_come_between_and_an_epoch_goes_on():
    optimizer, plain = cp.Adam(cp.schedules.cosine(0.01, 4)), {"progress": False, "batch_size": 3}
    training = cp.Training(net := network(), X, Y, optimizer=optimizer, **plain)
    training.run(2)
    epochs, before = net.epochs_trained, net.parameters.copy()
    training.step(X[0], Y[0])
    assert (net.epochs_trained, net.steps_trained, training.epochs_done) == (epochs, 7, 2)
    assert not np.array_equal(before, net.parameters)
    training.run(1)
    assert (net.epochs_trained, net.steps_trained, training.state.updates) == (3, 10, 10)


@pytest.mark.parametrize("optimizer", [OPTIMIZERS[-1], cp.Adam(0.01)], ids=optimizer_name)
def test_a_checkpoint_is_gone_on_from_to_the_same_bits(optimizer, tmp_path):
    def training(**more):
        return cp.Training(network(), optimizer=optimizer, dropout=0.3, **more)

    whole = training()
    kept = training(checkpoint=tmp_path / "c", checkpoint_every="4epochs")
    for x, y in zip(X[:5], Y, strict=False):
        assert whole.step(x, y) == kept.step(x, y)
    resumed = training(checkpoint=tmp_path / "c", resume=True)
    assert (resumed.state.step, resumed.epochs_done) == (4, 4)
    for x, y in zip(X[4:], Y[4:], strict=True):
        resumed.step(x, y)
    for x, y in zip(X[5:], Y[5:], strict=True):
        whole.step(x, y)
    assert np.array_equal(resumed.net.parameters, whole.net.parameters)
    assert np.array_equal(resumed.state.moments, whole.state.moments)
    assert cp.load(tmp_path / "c").steps_trained == 7
    with pytest.raises(
        ValueError, match="cannot be resumed with other settings: the data are not the same"
    ):
        cp.Training(
            network(),
            X,
            Y,
            optimizer=optimizer,
            dropout=0.3,
            batch_size=1,
            checkpoint=tmp_path / "c",
            resume=True,
        )


def test_a_step_that_diverges_is_not_made():
    net = network()
    training, before = cp.Training(net, optimizer=cp.SGD(1e36)), []

    def go_on():
        while True:
            before[:] = net.parameters.copy(), net.steps_trained, net.epochs_trained
            training.step(X[0], Y[0])

    with pytest.raises(cp.DivergenceError, match="the last finite parameters are kept"):
        go_on()
    assert np.array_equal(before[0], net.parameters)
    assert before[1:] == [net.steps_trained, net.epochs_trained]


REFUSED = {
    "a number that is missing": (lambda t: t.step([0.0, np.nan, 0.0, 0.0], Y[0]), r"X must be finite, got NaN in row 0, column 1"),
    "one in a row that is ready": (lambda t: t.step(np.full(4, np.inf, "f"), Y[0]), r"X must be finite, got infinity"),
    "a target that is missing": (lambda t: t.step(X[0], np.array([0, np.nan, 0], "f")), r"Y must be finite, got NaN in row 0"),
    "too few features": (lambda t: t.step(X[0, :3], Y[0]), r"X must have 2 dimensions"),
    "several rows": (lambda t: t.step(X, Y), r"step\(\) takes one row, got 7: run\(\) trains on many"),
    "too few targets": (lambda t: t.step(X[0], Y[0, :2]), r"Y must have shape \(n_samples, 3\)"),
    "run": (lambda t: t.run(1), r"run\(\) needs rows, this training was made without X and Y: step\(x, y\) trains it"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_row_is_refused_and_nothing_is_changed(name):
    ask, sentence = REFUSED[name]
    net = network()
    training = cp.Training(net)
    training.step(X[0], Y[0])
    before = net.parameters.copy(), net.steps_trained, net.epochs_trained
    with pytest.raises(ValueError, match=sentence):
        ask(training)
    assert np.array_equal(before[0], net.parameters)
    assert before[1:] == (net.steps_trained, net.epochs_trained)
    training.step(X[0], Y[0])


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"Y": Y}, "Y"),
        ({"validation_data": (X, Y)}, "validation_data"),
        ({"early_stopping": cp.EarlyStopping("cost")}, "early_stopping"),
        ({"callbacks": [print]}, "callbacks"),
        ({"n_batches": 2}, "n_batches"),
        ({"optimizer": cp.LBFGS()}, "LBFGS"),
        ({"optimizer": cp.SGD(cp.schedules.plateau(0.1, monitor="cost"))}, "a plateau's schedule"),
    ],
)
def test_what_goes_with_rows_is_refused_without_them(settings, name):
    with pytest.raises(ValueError, match=f"{name} needs X, rows to train on"):
        cp.Training(network(), **settings)


def test_two_at_once_are_refused_and_copies_go_their_own_way():
    net = network()
    training = cp.Training(
        net, X, Y, batch_size=7, progress=False, callbacks=[lambda t: t.step(X[0], Y[0])]
    )
    with pytest.raises(ValueError, match="cannot be trained a second time meanwhile"):
        training.run(1)
    one = cp.Training(network(), optimizer="adam")
    one.step(X[0], Y[0])
    other = copy.deepcopy(one)
    other.step(X[1], Y[1])
    assert (one.net.steps_trained, other.net.steps_trained) == (1, 2)
    one.step(X[1], Y[1])
    assert np.array_equal(one.net.parameters, other.net.parameters)
    stopped = cp.Training(network(), X, Y, batch_size=7, early_stopping=cp.EarlyStopping("cost"))
    with pytest.raises(ValueError, match=r"step\(\) cannot be used with early_stopping"):
        stopped.step(X[0], Y[0])


def test_threads_that_predict_meanwhile_see_finite_numbers():
    net = network((4, 40, 40, 3))
    training, problems = cp.Training(net, optimizer=cp.SGD(1e-3)), []

    def look():
        for _ in range(300):
            if not np.isfinite(net.predict(X[0])).all():
                problems.append("not finite")

    threads = [threading.Thread(target=look) for _ in range(3)]
    for each in threads:
        each.start()
    for k in range(300):
        training.step(X[k % 7], Y[k % 7])
    for each in threads:
        each.join()
    assert not problems
    assert net.steps_trained == 300


def test_quick_steps_are_quick_ones():
    """Otherwise the tests above would compare one way with itself."""
    training = cp.Training(network())
    training.step(X[0], Y[0])
    assert training._online._row_step is not None
    assert training._online._quick_step(X[0], Y[0], 0.0) is not None
