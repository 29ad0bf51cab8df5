"""Which samples make a batch: the order from the keyed generator, sizes, S3's one partition."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clearprop as cp
import oracles
from clearprop import checkpoint, optimizers
from clearprop.data.row_stream import RowStream
from clearprop.engines import Plan

RNG = np.random.default_rng(3)
X = RNG.normal(size=(7, 4))
Y = RNG.normal(size=(7, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2, 1])
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 1.0, 0.0])
SEED = 5


def network(**how):
    return cp.Network(
        [4, 5, 3], activation="tanh", output="sigmoid", cost="quadratic", seed=1, dtype="float64", **how
    )


def order_of(seed, epoch, n):
    """Return the samples by the 64 bits that Philox gives each: counter (i // 2, 0, epoch, 3 << 28)."""
    keys = []
    for i in range(n):
        words = oracles.philox4x32([i // 2, 0, epoch, 3 << 28], [seed, 0])
        high, low = words[2 * (i % 2) : 2 * (i % 2) + 2]
        keys.append(high << 32 | low)
    return sorted(range(n), key=keys.__getitem__)


def dealt(n, n_batches):
    """Return the sizes of batches that samples are dealt to one by one, like cards."""
    sizes = [0] * n_batches
    for i in range(n):
        sizes[i % n_batches] += 1
    return sizes


def batches_of(epoch, *, shuffle="epoch", n_batches=None, batch_size=None, n=7):
    """Return the samples of each batch of an epoch."""
    order = list(range(n)) if shuffle is False else order_of(SEED, 0 if shuffle == "once" else epoch, n)
    sizes = dealt(n, n_batches) if n_batches else itertools.repeat(batch_size)
    left, found = iter(order), []
    for size in sizes:
        batch = list(itertools.islice(left, size))
        if not batch:
            break
        found.append(batch)
    return found


HOW = [
    {"shuffle": shuffle, **cut}
    for shuffle in ("epoch", "once", False)
    for cut in (
        {"n_batches": 3},
        {"n_batches": 5},
        {"n_batches": 7},
        {"n_batches": 1},
        {"batch_size": 3},
    )
]


def named(how):
    return " ".join(f"{name}={value}" for name, value in how.items())


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("how", HOW, ids=named)
def test_three_epochs_are_the_steps_that_plain_loops_make(how, engine, weights):
    """Every gradient is a loop over samples and neurons, every batch dealt from Philox's order."""
    net = network()
    W, b = [w.copy() for w in net.weights], [each.copy() for each in net.biases]
    scaled = np.ones(7) if weights is None else weights / weights.mean()
    costs = []
    for epoch in range(3):
        total = 0.0
        for rows in batches_of(epoch, **how):
            names = [["tanh"] * 5, ["sigmoid"] * 3]
            a = [1 / (1 + np.exp(-(np.tanh(X[i] @ W[0].T + b[0]) @ W[1].T + b[1]))) for i in rows]
            total += sum(
                scaled[i] * ((each - Y[i]) ** 2).sum() / 2 for i, each in zip(rows, a, strict=True)
            )
            dW, db = oracles.loop_gradient(
                W, b, names, "quadratic", X[rows], Y[rows], weight=scaled[rows]
            )
            W = [w - 0.7 / len(rows) * dw for w, dw in zip(W, dW, strict=True)]
            b = [each - 0.7 / len(rows) * d for each, d in zip(b, db, strict=True)]
        costs.append(total / 7)
    history = net.fit(
        X, Y, epochs=3, optimizer=cp.SGD(0.7), sample_weight=weights, engine=engine, seed=SEED, progress=False, **how
    )  # fmt: skip
    for mine, theirs in zip((*net.weights, *net.biases), (*W, *b), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(history["cost"], costs, rtol=1e-11)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_batches_are_a_partition_whose_sizes_differ_by_one_at_most(sizes):
    n, n_batches = sizes
    plan = Plan(
        network().architecture, optimizers.SGD(0.1), 0, batch_size=-(-n // n_batches), n_samples=n, n_batches=n_batches
    )  # fmt: skip
    assert plan.steps_per_epoch == n_batches
    found = [np.arange(n)[plan.batch(step)].tolist() for step in range(n_batches)]
    assert [i for batch in found for i in batch] == list(range(n))
    assert [len(batch) for batch in found] == dealt(n, n_batches)


def orders(net, epochs=3, **how):
    """Return the order of each epoch of a training."""
    training = cp.Training(net, X, Y, progress=False, engine="numpy", **how)
    found = []
    for _ in range(epochs):
        found.append(training.order.tolist())
        training.run(1)
    return found


def test_once_is_the_same_partition_in_every_epoch_and_fit_and_epoch_is_not():
    net = network()
    first = orders(net, n_batches=3, shuffle="once", seed=SEED)
    assert first == [order_of(SEED, 0, 7)] * 3
    assert orders(net, n_batches=3, shuffle="once") == first  # a fit that goes on
    assert orders(net, n_batches=3, shuffle="once", seed=SEED + 1)[0] != first[0]
    assert orders(network(), n_batches=3, seed=SEED) == [order_of(SEED, epoch, 7) for epoch in range(3)]


def test_true_and_false_are_words_too_and_the_default_is_an_order_for_each_epoch():
    expected = orders(network(), batch_size=3, seed=SEED)
    assert expected == [order_of(SEED, epoch, 7) for epoch in range(3)]
    for yes, no in ((True, False), (np.True_, np.False_)):
        assert orders(network(), batch_size=3, seed=SEED, shuffle=yes) == expected
        assert orders(network(), batch_size=3, seed=SEED, shuffle=no) == [list(range(7))] * 3


@pytest.mark.parametrize("how", [{"n_batches": 3}, {"n_batches": 5}, {"batch_size": 3}], ids=named)
def test_the_running_accuracy_is_over_the_samples_of_batches_of_two_sizes(how):
    """Both engines put each sample's answer in its own place, however an epoch is cut."""
    windows = []
    for engine in ("numpy", "compiled"):
        net = cp.Network([4, 5, 3], seed=2, dtype="float64", initializer="normal")
        training = cp.Training(
            net,
            X,
            LABELS,
            optimizer=cp.SGD(1.0),
            running_window=35,
            engine=engine,
            progress=False,
            **how,
        )
        training.run(40)
        windows.append(training.progress.window.tolist())
    # What is not written is False, and the last epochs have every sample right.
    assert windows == [[True] * 35] * 2


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n_batches": 0}, "n_batches must be at least 1, got 0"),
        ({"n_batches": 2.5}, "n_batches must be an integer of at least 1, got 2.5"),
        ({"n_batches": 8}, "n_batches must be at most the number of samples, 7, got 8"),
        ({"n_batches": 3, "batch_size": 32}, "n_batches cannot be used with batch_size.*n_batches=3 and batch_size=32$"),
        ({"n_batches": 3, "batch_size": None}, "n_batches cannot be used with batch_size.*batch_size=None$"),
        ({"n_batches": 3, "optimizer": "lbfgs"}, "n_batches cannot be used with LBFGS, got 3"),
        ({"shuffle": "onse"}, "shuffle must be 'epoch', 'once', True or False, got 'onse'"),
        ({"shuffle": None}, "shuffle must be 'epoch', 'once', True or False, got None"),
    ],
)  # fmt: skip
def test_what_makes_no_batches_is_refused_in_a_sentence(how, message):
    net = network()
    before = net.parameters.copy()
    for train in (net.fit, lambda *data, **more: cp.Training(net, *data, **more)):
        with pytest.raises((ValueError, TypeError), match=message):
            train(X, Y, progress=False, **how)
    np.testing.assert_array_equal(net.parameters, before)


# Streams


@pytest.mark.parametrize("shuffle", ["once", False])
def test_a_stream_that_is_held_whole_has_the_order_of_memory(shuffle):
    in_memory, streamed = network(), network()
    how = {"batch_size": 2, "epochs": 3, "shuffle": shuffle, "progress": False}
    in_memory.fit(X, Y, **how)
    streamed.fit(RowStream.of_arrays(X, Y, buffer_rows=8), **how)
    np.testing.assert_array_equal(streamed.parameters, in_memory.parameters)


def test_a_small_buffer_passes_once_in_one_order_and_epochs_in_their_own():
    def passed(shuffle):
        rows = RowStream.of_arrays(np.arange(28.0).reshape(7, 4), Y, buffer_rows=4)
        training = cp.Training(
            network(), rows, None, batch_size=2, epochs=5, engine="numpy", progress=False, seed=SEED, shuffle=shuffle
        )  # fmt: skip
        found, supply = [], training.supply
        with supply:
            for epoch in range(5):
                found.append([])
                for step in (0, 2):
                    part = supply.part(training.plan, epoch, step)
                    found[-1] += (part.data.X[part.order][:, 0] / 4).astype(int).tolist()
        return found

    once, each = passed("once"), passed("epoch")
    assert once == [once[0]] * 5
    assert sorted(once[0]) == list(range(7))
    assert once[0] == each[0]
    assert len({tuple(epoch) for epoch in each}) > 1
    assert passed(False) == [list(range(7))] * 5


def test_a_stream_has_batches_of_one_size():
    with pytest.raises(
        ValueError, match="n_batches cannot be used with a stream.*got 3; use batch_size"
    ):
        network().fit(RowStream.of_arrays(X, Y), n_batches=3, progress=False)


# Checkpoints


def older(path):
    """Take the choice of batches and their order out of a checkpoint, as one of before has none."""
    tensors, metadata = checkpoint.read_tensors(path)
    for name in ("n_batches", "shuffle"):
        del metadata["training"]["settings"][name]
    checkpoint.write_tensors(path, tensors, metadata)


def test_a_checkpoint_of_before_goes_on_with_an_order_for_each_epoch(tmp_path):
    how = {"batch_size": 3, "progress": False}
    unbroken = network()
    unbroken.fit(X, Y, epochs=4, **how)
    network().fit(X, Y, epochs=2, checkpoint=tmp_path / "c", **how)
    older(tmp_path / "c")
    with pytest.raises(ValueError, match="other settings: shuffle is 'once', was 'epoch'$"):
        network().fit(X, Y, epochs=4, checkpoint=tmp_path / "c", resume=True, shuffle="once", **how)
    resumed = network()
    resumed.fit(X, Y, epochs=4, checkpoint=tmp_path / "c", resume=True, **how)
    np.testing.assert_array_equal(resumed.parameters, unbroken.parameters)


def test_other_batches_and_another_order_are_named_on_resume(tmp_path):
    network().fit(
        X, Y, epochs=1, n_batches=3, shuffle="once", checkpoint=tmp_path / "c", progress=False
    )
    for how, message in (
        ({"n_batches": 4, "shuffle": "once"}, "n_batches is 4, was 3$"),
        ({"n_batches": 3}, "shuffle is 'epoch', was 'once'$"),
        ({"n_batches": 3, "shuffle": False}, "shuffle is False, was 'once'$"),
        ({"batch_size": 3, "shuffle": "once"}, "batch_size is 3, was None; n_batches is None, was 3$"),
    ):
        with pytest.raises(ValueError, match=message):
            network().fit(X, Y, checkpoint=tmp_path / "c", resume=True, progress=False, **how)


# Estimators

QUIET = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": SEED, "tol": 0.0}


def fitted(kind=cp.MLPRegressor, **how):
    y = Y if kind is cp.MLPRegressor else LABELS
    return kind(**SMALL | how).fit(X, y).network_.parameters


@QUIET
@pytest.mark.parametrize("kind", [cp.MLPClassifier, cp.MLPRegressor])
def test_an_estimators_batches_and_order_are_those_of_a_training(kind):
    seen = []

    def see(training):
        seen.append((training.order.tolist(), training.plan.n_batches, training.plan.batch_size))

    kind(n_batches=3, shuffle="once", callbacks=[see], **SMALL).fit(
        X, Y if kind is cp.MLPRegressor else LABELS
    )
    assert seen == [(order_of(SEED, 0, 7), 3, 3)] * 3
    same = fitted(kind, batch_size=3)
    for yes in (True, np.True_):
        np.testing.assert_array_equal(fitted(kind, batch_size=3, shuffle=yes), same)
    np.testing.assert_array_equal(fitted(kind, batch_size=3, shuffle="epoch"), same)
    assert (fitted(kind, batch_size=3, shuffle="once") != same).any()
    in_order = fitted(kind, batch_size=3, shuffle=False)
    assert (in_order != same).any()
    np.testing.assert_array_equal(fitted(kind, batch_size=3, shuffle=np.False_), in_order)
    # 7 samples in batches of 1 are 7 batches
    np.testing.assert_array_equal(fitted(kind, batch_size=1), fitted(kind, n_batches=7))
    np.testing.assert_array_equal(
        fitted(kind, batch_size="auto", n_batches=7), fitted(kind, n_batches=7)
    )


@QUIET
def test_partial_fit_cuts_what_each_call_gives_it():
    one, other = (cp.MLPRegressor(**SMALL | how) for how in ({"n_batches": 7}, {"batch_size": 1}))
    for model in (one, other):
        model.partial_fit(X, Y).partial_fit(X, Y)
    np.testing.assert_array_equal(one.network_.parameters, other.network_.parameters)
    with pytest.raises(ValueError, match="n_batches must be at most the number of samples, 6, got 7"):
        one.partial_fit(X[:6], Y[:6])


@QUIET
def test_realmlp_leaves_out_no_rows_where_every_epoch_would_leave_out_the_same():
    def trained_on(**how):
        seen = []
        cp.MLPRegressor(
            preset="realmlp-s", early_stopping=False, callbacks=[lambda t: seen.append(t.plan.n_samples)], **SMALL | how
        ).fit(X, Y)  # fmt: skip
        return set(seen)

    assert trained_on(batch_size=3) == {6}
    assert trained_on(batch_size=3, shuffle="once") == {7}
    assert trained_on(batch_size=3, shuffle=False) == {7}
    assert trained_on(n_batches=3) == {7}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n_batches": 0}, "The 'n_batches' parameter of MLPRegressor must be None or an int in the range"),
        ({"n_batches": 8}, "n_batches must be at most the number of samples, 7, got 8"),
        ({"n_batches": 3, "batch_size": 4}, "n_batches cannot be used with batch_size.*batch_size=4$"),
        ({"n_batches": 3, "solver": "lbfgs"}, "n_batches cannot be used with solver='lbfgs', got 3"),
        ({"shuffle": "onse"}, "The 'shuffle' parameter of MLPRegressor must be"),
    ],
)  # fmt: skip
def test_an_estimator_refuses_in_a_sentence(how, message):
    with pytest.raises(ValueError, match=message):
        fitted(**how)
