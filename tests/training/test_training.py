import copy
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import clearprop as cp
from clearprop import engines, randomness
from clearprop.data import arrays
from clearprop.training import loop

RNG = np.random.default_rng(5)
X = RNG.normal(size=(23, 4))
LABELS = RNG.integers(0, 3, 23)
TARGETS = RNG.normal(size=(23, 3))


def make(**how):
    return cp.Network([4, 5, 3], seed=0, **{"dtype": "float64", **how})


def fit(net, X=X, Y=LABELS, **how):
    return net.fit(X, Y, **{"progress": False, "batch_size": 5, "epochs": 2, "engine": "numpy", **how})


# One step, written out


def steps_by_hand(net, optimizer, epochs, seed, batch_size=5, sample_weight=None, l2=0.0):
    """Train with the public gradient and the optimizer's recurrence, nothing else of the library's loop."""
    moments, t, costs = optimizer.init(net.parameters), 0, []
    for epoch in range(epochs):
        order = randomness.permutation(seed, len(X), step=epoch)
        total = 0.0
        for first in range(0, len(X), batch_size):
            rows = order[first : first + batch_size]
            total += net.cost(X[rows], LABELS[rows]) * len(rows)
            t += 1
            gradient = net.gradient(X[rows], LABELS[rows], l2=l2).flat
            new, moments = optimizer.update(net.parameters, gradient, moments, 0.1, t)
            net.parameters[:] = new
        costs.append(total / len(X))
    return costs


@pytest.mark.parametrize(
    "optimizer",
    [
        cp.SGD(0.1),
        cp.SGD(0.1, momentum=0.9),
        cp.SGD(0.1, 0.9, nesterov=True),
        cp.RMSProp(0.1),
        cp.Adam(0.1),
    ],
    ids=repr,
)
def test_fit_makes_the_steps_that_are_written_out_here(optimizer):
    one, other = make(), make()
    history = fit(one, optimizer=optimizer, epochs=3, seed=11, l2=0.01)
    costs = steps_by_hand(other, optimizer, 3, seed=11, l2=0.01)
    np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(history["cost"], costs, rtol=1e-12)


def test_l2_pulls_weights_and_not_biases_once_a_step_whatever_the_batch_and_reduction():
    for reduction in ("mean", "sum"):
        net = make(
            output="identity", cost=cp.costs.quadratic(reduction=reduction), bias_initializer="normal"
        )
        before = net.copy()
        with_l2, without = net.copy(), net.copy()
        fit(with_l2, Y=TARGETS, optimizer=cp.SGD(0.01), l2=0.5, epochs=1, batch_size=None)
        fit(without, Y=TARGETS, optimizer=cp.SGD(0.01), epochs=1, batch_size=None)
        for w, plain, start in zip(with_l2.weights, without.weights, before.weights, strict=True):
            np.testing.assert_allclose(w - plain, -0.01 * 0.5 * start, rtol=1e-9)
        for b, plain in zip(with_l2.biases, without.biases, strict=True):
            np.testing.assert_array_equal(b, plain)


def test_l1_pulls_every_weight_by_the_same_amount():
    net = make(output="identity", cost="quadratic")
    before, plain = net.copy(), net.copy()
    fit(net, Y=TARGETS, optimizer=cp.SGD(0.01), l1=0.5, epochs=1, batch_size=None)
    fit(plain, Y=TARGETS, optimizer=cp.SGD(0.01), epochs=1, batch_size=None)
    np.testing.assert_allclose(
        net.weights[0] - plain.weights[0], -0.005 * np.sign(before.weights[0]), rtol=1e-9
    )


def test_clipping_bounds_the_step_and_leaves_short_gradients_alone():
    start = make()
    tight, loose, free = make(), make(), make()
    for net, clip in ((tight, 1e-3), (loose, 1e6), (free, None)):
        fit(net, optimizer=cp.SGD(1.0), epochs=1, batch_size=None, clip_norm=clip)
    assert np.linalg.norm(tight.parameters - start.parameters) == pytest.approx(1e-3, rel=1e-9)
    np.testing.assert_array_equal(loose.parameters, free.parameters)


@pytest.mark.parametrize("optimizer", [cp.SGD(0.1, 0.9), cp.Adam(0.1), cp.AdamW(0.1)], ids=repr)
def test_frozen_blocks_stay_and_do_not_count_for_clipping(optimizer):
    net = make(bias_initializer="normal")
    before = net.copy()
    fit(net, optimizer=optimizer, frozen=("biases", "layers.1.weight"), clip_norm=0.1)
    np.testing.assert_array_equal(net.weights[1], before.weights[1])
    np.testing.assert_array_equal(net.biases[0], before.biases[0])
    assert (net.weights[0] != before.weights[0]).all()


def test_dropout_masks_a_share_of_hidden_neurons_and_scales_the_rest():
    net = make(output="identity", cost="quadratic")
    plan = cp.Training(net, X, TARGETS, dropout=0.4, batch_size=5, progress=False).plan
    state = engines.State(net.parameters, np.zeros((0, net.n_parameters)))
    from clearprop.engines.reference import keep

    masks = keep(plan, state, 10_000)
    assert masks[-1] is None
    assert set(np.unique(masks[0])) == {0.0, 1 / 0.6}
    assert masks[0].mean() == pytest.approx(1.0, abs=0.01)


def test_a_training_goes_on_from_the_parameters_and_hands_over_their_mean():
    seen = []
    how = {"averaging": 0.75, "callbacks": [lambda t: seen.append(t.state.parameters.copy())]}
    net = cp.Network([4, 5, 3], seed=0, dtype="float64")
    training = cp.Training(net, X, LABELS, batch_size=7, seed=0, progress=False, **how)
    training.run(3)
    training.run(2)  # goes on as if nothing had been handed over
    plain = cp.Network([4, 5, 3], seed=0, dtype="float64")
    plain.fit(X, LABELS, epochs=5, batch_size=7, seed=0, progress=False)
    np.testing.assert_array_equal(seen[-1], plain.parameters)
    mean = seen[0]
    for now in seen[1:]:
        mean = 0.75 * mean + 0.25 * now
    np.testing.assert_allclose(net.parameters, mean, rtol=1e-12)


def test_early_stopping_hands_over_the_mean_that_was_judged_best():
    net, validation = cp.Network([4, 5, 3], seed=0, dtype="float64"), (X[14:], LABELS[14:])
    history = net.fit(
        X[:14], LABELS[:14], epochs=60, batch_size=7, seed=0, progress=False, optimizer=cp.Adam(0.1),
        averaging=0.75, validation_data=validation, early_stopping=cp.EarlyStopping(patience=3),
    )  # fmt: skip
    costs = history["validation_cost"]
    assert 0 < np.argmin(costs) < len(costs) - 1
    a = net.predict(validation[0])
    found = -np.log(a[np.arange(len(a)), np.searchsorted(net.classes, validation[1])]).mean()
    np.testing.assert_allclose(found, min(costs), rtol=1e-12)


def test_label_smoothing_trains_on_spread_targets():
    smoothed, plain = make(), make()
    spread = np.eye(3)[LABELS] * 0.7 + 0.1
    fit(smoothed, label_smoothing=0.3)
    fit(plain, Y=spread)
    np.testing.assert_allclose(smoothed.parameters, plain.parameters, rtol=1e-12)


def test_integer_weights_are_repetitions_and_zero_weights_are_absences_in_a_full_batch():
    weight = RNG.integers(0, 3, 23)
    weighted, repeated = make(), make()
    fit(weighted, sample_weight=weight, batch_size=None, optimizer=cp.SGD(0.5))
    fit(
        repeated,
        X=np.repeat(X, weight, axis=0),
        Y=np.repeat(LABELS, weight),
        batch_size=None,
        optimizer=cp.SGD(0.5),
    )
    np.testing.assert_allclose(weighted.parameters, repeated.parameters, rtol=1e-10, atol=1e-14)


def test_a_batch_whose_weights_are_all_zero_takes_no_step():
    weight = np.ones(23)
    order = randomness.permutation(0, 23, step=0)
    weight[order[5:10]] = 0.0  # the second batch
    net = make()
    training = cp.Training(
        net, X, LABELS, sample_weight=weight, batch_size=5, progress=False, engine="numpy"
    )
    rates = np.full(1, 0.1)
    training.engine.run(training.plan, training.state, training.data, training.order, rates)
    before = training.state.copy()
    training.engine.run(training.plan, training.state, training.data, training.order, rates)
    np.testing.assert_array_equal(training.state.parameters, before.parameters)
    np.testing.assert_array_equal(training.state.moments, before.moments)
    assert (training.state.updates, training.state.epoch_step) == (1, 2)


# Epochs, orders, histories


def test_every_sample_is_seen_once_an_epoch_the_last_short_batch_too(monkeypatch):
    seen = []
    original = engines.select

    def spying(name, plan):
        engine = original(name, plan)
        run = engine.run

        def spy(plan, state, data, order, rates, first_step, course):
            first = (state.epoch_step - first_step) * plan.batch_size
            seen.extend(order[first : first + len(rates) * plan.batch_size].tolist())
            return run(plan, state, data, order, rates, first_step, course)

        monkeypatch.setattr(engine, "run", spy, raising=False)
        return engine

    monkeypatch.setattr(engines, "select", spying)
    fit(make(), epochs=2)
    assert sorted(seen[:23]) == sorted(seen[23:]) == list(range(23))
    assert seen[:23] != seen[23:]


def test_two_fits_without_a_seed_see_the_orders_of_one_long_one():
    halves, whole = make(), make()
    fit(halves, optimizer=cp.SGD(0.1), epochs=3)
    fit(halves, optimizer=cp.SGD(0.1), epochs=3)
    fit(whole, optimizer=cp.SGD(0.1), epochs=6)
    np.testing.assert_array_equal(halves.parameters, whole.parameters)


def test_a_seed_sets_the_orders_and_never_the_parameters():
    one, other = make(), make()
    fit(one, epochs=3)
    fit(one, seed=9, epochs=1)
    other.parameters[:] = 0
    fit(other, epochs=3)
    assert (one.training_seed, one.epochs_trained) == (9, 1)
    again = make()
    fit(again, epochs=3)
    fit(again, seed=9, epochs=1)
    np.testing.assert_array_equal(one.parameters, again.parameters)


def test_training_goes_on_where_it_was():
    schedule = cp.schedules.cosine(0.1, epochs=5)
    options = {"optimizer": cp.Adam(schedule), "dropout": 0.3, "batch_size": 5, "progress": False}
    parts, whole = make(), make()
    training = cp.Training(parts, X, LABELS, **options)
    training.run(2)
    history = training.run(3)
    other = cp.Training(whole, X, LABELS, **options).run(5)
    np.testing.assert_array_equal(parts.parameters, whole.parameters)
    assert history["cost"] == other["cost"]
    assert history["epoch"] == [1, 2, 3, 4, 5]


def test_a_schedule_sets_the_rate_of_each_step():
    net = make()
    training = cp.Training(
        net, X, LABELS, optimizer=cp.SGD(cp.schedules.inverse_time(0.4)), batch_size=5, progress=False
    )
    np.testing.assert_allclose(training._rates(5), [0.4 / (1 + i / 5) for i in range(5)])
    history = training.run(2)
    np.testing.assert_allclose(history["learning_rate"], [0.4 / 1.8, 0.4 / 2.8])


def test_a_plateau_lowers_the_rate():
    schedule = cp.schedules.plateau(0.1, factor=0.5, patience=2, min_delta=1e9, monitor="cost")
    history = fit(make(), optimizer=cp.SGD(schedule), epochs=6)
    assert history["learning_rate"] == [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]


def test_however_an_epoch_is_cut_into_stretches_the_bits_are_the_same(monkeypatch):
    results = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(loop, "STRETCH_SECONDS", seconds)
        net = make()
        history = fit(net, epochs=4, dropout=0.2, sample_weight=np.arange(23) + 1.0)
        results.append((net.parameters.copy(), history["cost"], history["running_accuracy"]))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1:] == results[1][1:]


def test_the_running_accuracy_is_over_the_last_samples_before_their_updates():
    net = make()
    order, right = randomness.permutation(0, 23, step=0), []
    stepped = make()
    for row in order:
        right.append(int(stepped.classify(X[[row]])[0]) == LABELS[row])
        stepped.parameters[:] -= 0.1 * stepped.gradient(X[[row]], LABELS[[row]]).flat
    history = fit(net, batch_size=1, epochs=1, optimizer=cp.SGD(0.1), running_window=8)
    assert history["running_accuracy"] == [np.mean(right[-8:])]


def running_by_hand(every, window, batch_size, epochs):
    """Return (samples seen, accuracy over the last of them) at every so many, one sample at a time."""
    net, right, noted = make(), [], []
    for epoch in range(epochs):
        order = randomness.permutation(0, 23, step=epoch)
        for first in range(0, 23, batch_size):
            rows = order[first : first + batch_size]
            for row in rows:
                right.append(int(net.classify(X[[row]])[0]) == LABELS[row])
                if len(right) % every == 0:
                    last = right[-window:]
                    noted.append((len(right), sum(last) / len(last)))
            net.parameters[:] -= 0.1 * net.gradient(X[rows], LABELS[rows]).flat
    return noted


def noted(history):
    running = history.running
    assert running["epoch"] == [seen / 23 for seen in running["samples"]]
    return list(zip(running["samples"], running["running_accuracy"], strict=True))


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
@pytest.mark.parametrize("seconds", [0.0, 1e9])
@pytest.mark.parametrize(
    ("every", "window", "batch_size"), [(1, 8, 1), (4, 8, 5), (7, 50, 5), (23, 3, 4), (30, 8, 23)]
)
def test_the_running_accuracy_is_noted_within_epochs_as_counted_sample_by_sample(
    every, window, batch_size, engine, seconds, monkeypatch
):
    monkeypatch.setattr(loop, "STRETCH_SECONDS", seconds)
    how = {"batch_size": batch_size, "epochs": 3, "optimizer": cp.SGD(0.1), "engine": engine}
    net, without = make(), make()
    history = fit(net, running_window=window, running_every=every, **how)
    assert noted(history) == running_by_hand(every, window, batch_size, 3)
    at_ends = {seen: share for seen, share in noted(history) if seen % 23 == 0}
    for seen, share in at_ends.items():
        assert history["running_accuracy"][seen // 23 - 1] == share
    plain = fit(without, running_window=window, **how)
    assert plain["running_accuracy"] == history["running_accuracy"]
    assert plain.running == {"samples": [], "epoch": [], "running_accuracy": []}
    assert (net.parameters == without.parameters).all()


class Within:
    """A callback that also looks within epochs."""

    def __init__(self, stop=None):
        self.epochs, self.seen, self.stop = [], [], stop

    def __call__(self, training):
        self.epochs.append(training.epochs_done)

    def within_epoch(self, training):
        running, state = training.history.running, training.state
        self.seen.append((running["samples"][-1], state.step, running["running_accuracy"][-1]))
        return running["samples"][-1] == self.stop


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_a_callback_is_asked_within_epochs_after_the_step_of_its_sample(engine):
    watch, how = Within(), {"running_window": 8, "optimizer": cp.SGD(0.1), "engine": engine}
    net, alone = make(), make()
    history = fit(net, running_every=6, callbacks=[watch], **how)
    # Steps end after 5, 10, 15, 20, 23 samples of an epoch.
    assert [(seen, step) for seen, step, _ in watch.seen] == [
        (6, 2), (12, 3), (18, 4), (24, 6), (30, 7), (36, 8), (42, 9),
    ]  # fmt: skip
    assert [(seen, share) for seen, _, share in watch.seen] == noted(history)
    assert watch.epochs == [1, 2]
    fit(alone, **how)
    assert (net.parameters == alone.parameters).all()
    never = Within()
    fit(make(), callbacks=[never], **how)
    assert (never.epochs, never.seen) == ([1, 2], [])


def test_a_callback_that_returns_true_within_an_epoch_ends_the_training_there_and_it_can_go_on():
    unbroken = make()
    how = {"batch_size": 5, "epochs": 3, "progress": False, "engine": "numpy", "running_every": 6}
    whole = unbroken.fit(X, LABELS, **how)
    net = make()
    training = cp.Training(net, X, LABELS, callbacks=[Within(stop=30)], **how)
    history = training.run()
    assert (history.stopped, len(history), training.state.step) == ("callback", 1, 7)
    training.run()
    assert history.running == whole.running
    assert (net.parameters == unbroken.parameters).all()


def test_quantities_have_no_running_accuracy_to_note():
    with pytest.raises(ValueError, match="running_every needs targets that are classes, got 9 and"):
        fit(make(cost="quadratic", output="identity"), Y=TARGETS, running_every=9)


def test_notes_of_a_first_epoch_that_was_broken_off_are_written_too():
    history = fit(make(), running_every=6, callbacks=[Within(stop=12)])
    lines = history.to_csv().splitlines()
    assert lines[0] == "epoch,cost,running_accuracy,learning_rate,seconds,samples_per_second"
    assert [line.split(",")[0] for line in lines[1:]] == [str(6 / 23), str(12 / 23)]


def test_a_history_with_notes_within_epochs_is_one_table(tmp_path):
    history = fit(make(), running_every=10, running_window=8)
    lines = history.to_csv().splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    assert [float(row["epoch"]) for row in rows] == [10 / 23, 20 / 23, 1, 30 / 23, 40 / 23, 2]
    within = [row for row in rows if not row["cost"]]
    assert [float(row["running_accuracy"]) for row in within] == history.running["running_accuracy"]
    assert [float(row["cost"]) for row in rows if row["cost"]] == history["cost"]


def test_validation_and_training_metrics_are_what_the_network_says_afterwards():
    net = make()
    validation = (X[:9], LABELS[:9])
    history = fit(net, validation_data=validation, metrics=["accuracy", "rmse"], train_metrics=True)
    assert history["validation_cost"][-1] == pytest.approx(net.cost(*validation), rel=1e-12)
    assert history["validation_accuracy"][-1] == (net.classify(X[:9]) == LABELS[:9]).mean()
    assert history["training_cost"][-1] == pytest.approx(net.cost(X, LABELS), rel=1e-12)
    assert history["validation_rmse"][-1] == pytest.approx(
        np.sqrt(((net.predict(X[:9]) - np.eye(3)[LABELS[:9]]) ** 2).mean()), rel=1e-12
    )


def test_early_stopping_restores_the_best_parameters_and_can_be_gone_on_from():
    net = make()
    costs, kept = [], []

    def remember(training):
        costs.append(training.history["validation_cost"][-1])
        kept.append(training.state.parameters.copy())

    stop = cp.EarlyStopping(patience=3)
    history = fit(
        net,
        epochs=500,
        optimizer=cp.SGD(2.0),
        validation_data=(-X[:9], LABELS[:9]),
        early_stopping=stop,
        callbacks=[remember],
    )
    best = int(np.argmin(costs))
    assert history.stopped == "early stopping"
    assert len(costs) == best + 4
    np.testing.assert_array_equal(net.parameters, kept[best])


def test_early_stopping_on_an_accuracy_waits_for_it_to_rise():
    history = fit(
        make(),
        epochs=60,
        validation_data=(X, LABELS),
        metrics=["accuracy"],
        early_stopping=cp.EarlyStopping("validation_accuracy", patience=60),
    )
    assert len(history) == 60
    assert history["validation_accuracy"][-1] >= history["validation_accuracy"][0]


def test_a_callback_that_returns_true_ends_the_training():
    history = fit(make(), epochs=50, callbacks=[lambda training: training.epochs_done == 4])
    assert len(history) == 4
    assert history.stopped == "callback"


def test_a_time_limit_ends_the_training_and_keeps_what_was_learned():
    net = make()
    history = fit(net, epochs=10**6, batch_size=1, time_limit=0.3)
    assert history.stopped == "time limit"
    assert 0 < len(history) < 10**6


def test_lbfgs_descends_to_a_stationary_point():
    net = make()
    history = fit(net, optimizer=cp.LBFGS(), epochs=500, l2=0.1)
    assert np.abs(net.gradient(X, LABELS, l2=0.1).flat).max() < 1e-6
    assert all(np.diff(history["cost"]) < 1.0)


def test_lbfgs_needs_no_samples_twice_and_weights_count():
    weight = np.array([0.0] * 10 + [1.0] * 13)
    weighted, fewer = make(), make()
    fit(weighted, optimizer=cp.LBFGS(), epochs=300, l2=0.1, sample_weight=weight)
    fit(fewer, X=X[10:], Y=LABELS[10:], optimizer=cp.LBFGS(), epochs=300, l2=0.1)
    np.testing.assert_allclose(weighted.predict(X), fewer.predict(X), atol=1e-6)


# Divergence


def test_divergence_names_the_place_and_keeps_the_last_finite_parameters():
    net = make(output="identity", cost="quadratic", activation="relu")
    with pytest.raises(
        cp.DivergenceError,
        match=r"diverged at epoch \d+, step \d+: .* is not finite "
        r"\(learning rate 1e\+30\); the last finite parameters are kept",
    ) as caught:
        fit(net, Y=TARGETS, optimizer=cp.SGD(1e30), epochs=50)
    assert np.isfinite(net.parameters).all()
    assert caught.value.quantity in ("z", "a", "cost", "delta", "gradient", "parameters")
    assert isinstance(caught.value, ValueError)


def test_divergence_finds_the_first_layer_and_quantity():
    net = make(activation="identity", output="identity", cost="quadratic")
    net.weights[0][:] = 1e200
    net.weights[1][:] = 1e200
    with pytest.raises(
        cp.DivergenceError, match="epoch 1, step 1: z of layer 2 is not finite"
    ) as caught:
        fit(net, Y=TARGETS)
    assert (caught.value.layer, caught.value.quantity, caught.value.step) == (2, "z", 1)


def test_a_gradient_that_is_not_finite_under_a_finite_cost_is_found_too():
    bad = cp.Cost("edge", lambda a, y: np.abs(a - y).sum(axis=1), lambda a, y: np.sign(a - y))
    object.__setattr__(bad, "derivative", lambda a, y: np.full_like(a, np.inf))
    net = make(output="identity", cost=bad)
    with pytest.raises(cp.DivergenceError, match="delta of layer 2"):
        fit(net, Y=TARGETS, epochs=1, batch_size=None)
    assert np.isfinite(net.parameters).all()


# Bad arguments


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epochs": 2.5}, "epochs must be an integer of at least 1, got 2.5"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": -3}, "batch_size must be at least 1, got -3"),
        ({"batch_size": "auto"}, "batch_size must be an integer of at least 1, got 'auto'"),
        ({"running_window": 0}, "running_window must be at least 1, got 0"),
        ({"running_every": 0}, "running_every must be at least 1, got 0"),
        ({"running_every": 9, "optimizer": "lbfgs"}, "running_every cannot be used with LBFGS, got 9"),
        ({"n_threads": 0}, "n_threads must be at least 1, got 0"),
        ({"l2": -1.0}, "l2 must be a finite number of at least 0, got -1.0"),
        ({"l1": np.nan}, "l1 must be a finite number of at least 0, got nan"),
        ({"l2": True}, "l2 must be a finite number of at least 0, got True"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"dropout": [0.1, 0.2]}, "dropout must have a rate for each of 1 hidden layers"),
        ({"dropout": "0.5"}, "dropout must be a list or tuple, got '0.5'"),
        ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), got 1.0"),
        ({"averaging": 1.0}, r"averaging must be in \[0, 1\), got 1.0"),
        ({"clip_norm": 0}, "clip_norm must be a finite number above 0, got 0"),
        ({"time_limit": -1}, "time_limit must be a finite number above 0, got -1"),
        ({"frozen": ["bias"]}, "frozen must be one of weights, biases, layers.0.weight.*'biases'"),
        ({"frozen": "biases"}, "frozen must be a list or tuple, got 'biases'"),
        ({"metrics": ["accurracy"]}, "metric must be one of accuracy.*did you mean 'accuracy'"),
        ({"metrics": "accuracy"}, "metrics must be a list or tuple, got 'accuracy'"),
        ({"callbacks": [3]}, "callbacks must be callable, got 3"),
        ({"early_stopping": 5}, "early_stopping must be an EarlyStopping, got 5"),
        ({"early_stopping": cp.EarlyStopping()}, "monitor must be a column of the history.*validation_data"),
        ({"optimizer": "adm"}, "optimizer must be one of .*did you mean 'adam'"),
        ({"optimizer": 0.1}, "optimizer must be a name or an optimizer, got 0.1"),
        ({"engine": "complied"}, "engine must be one of .*did you mean 'compiled'"),
        ({"seed": -1}, r"seed must be from 0 to 2\*\*64 - 1, got -1"),
        ({"checkpoint_every": "soon"}, "checkpoint_every must be a number of epochs or seconds.*'soon'"),
        ({"checkpoint_every": "0s"}, "checkpoint_every must be"),
        ({"checkpoint_every": "1.5epochs"}, "checkpoint_every must be"),
        ({"resume": True}, "resume=True needs checkpoint"),
        ({"validation_data": X}, r"validation_data must be a pair \(X, Y\), got ndarray"),
        ({"validation_data": (X, LABELS[:3])}, "validation X and Y must have as many rows, got 23 and 3"),
        ({"sample_weight": [1.0]}, r"sample_weight must have shape \(23,\)"),
        ({"sample_weight": -np.ones(23)}, "sample_weight must be at least 0, got -1.0 in row 0"),
        ({"sample_weight": np.zeros(23)}, "sample_weight must not be all zero"),
        ({"optimizer": cp.LBFGS(), "dropout": 0.1}, "dropout cannot be used with LBFGS"),
        ({"optimizer": cp.LBFGS(), "checkpoint": "c"}, "checkpoint cannot be used with LBFGS"),
    ],
)  # fmt: skip
def test_bad_arguments_of_fit_are_named_with_their_rule_and_value(how, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit(make(), **how)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda: cp.SGD(0), "learning_rate must be a finite number above 0 or a schedule, got 0"),
        (lambda: cp.SGD(-0.1), "learning_rate must be a finite number above 0"),
        (lambda: cp.SGD(float("nan")), "learning_rate must be a finite number above 0.*nan"),
        (lambda: cp.SGD(True), "learning_rate must be a finite number above 0.*True"),
        (lambda: cp.SGD("0.1"), "learning_rate must be a finite number above 0.*'0.1'"),
        (lambda: cp.SGD(0.1, momentum=1.0), r"momentum must be in \[0, 1\), got 1.0"),
        (lambda: cp.SGD(0.1, nesterov=True), "nesterov=True needs momentum above 0"),
        (lambda: cp.Adam(0.1, beta1=1.0), r"beta1 must be in \[0, 1\), got 1.0"),
        (lambda: cp.Adam(0.1, epsilon=0), "epsilon must be a finite number above 0, got 0"),
        (lambda: cp.AdamW(0.1, weight_decay=-1), "weight_decay must be a finite number of at least 0"),
        (lambda: cp.LBFGS(memory=0), "memory must be an integer of at least 1, got 0"),
        (lambda: cp.EarlyStopping(patience=0), "patience must be an integer of at least 1, got 0"),
        (
            lambda: cp.EarlyStopping(min_delta=-1),
            "min_delta must be a finite number of at least 0, got -1",
        ),
        (lambda: cp.EarlyStopping(monitor=3), "monitor must be the name of a column"),
        (
            lambda: cp.EarlyStopping("validation_f1"),
            "mode must be 'min' or 'max' for a metric of your own, 'f1', got None",
        ),
        (lambda: cp.EarlyStopping("cost", mode="up"), "mode must be one of min, max, got 'up'"),
        (lambda: cp.SGD(10**400), "learning_rate must be a finite number above 0"),
        (lambda: cp.costs.huber("a"), "delta must be a finite number above 0, got 'a'"),
        (lambda: cp.costs.quantile(None), r"q must be in \(0, 1\), got None"),
        (
            lambda: cp.initializers.uniform(epsilon="x"),
            "epsilon must be a finite number above 0, got 'x'",
        ),
        (
            lambda: cp.Network([4, 3], initializer="constant"),
            r"value must be a finite number, as in constant\(0.5\)",
        ),
        (lambda: cp.schedules.cosine(0.1, epochs=0), "epochs must be a finite number above 0, got 0"),
        (lambda: cp.schedules.step(0.1, factor=2.0), r"factor must be in \(0, 1\], got 2.0"),
        (lambda: cp.schedules.warmup(3, 0.1), "schedule must be a schedule, got 0.1"),
    ],
)
def test_bad_descriptions_are_refused_when_they_are_made(what, message):
    with pytest.raises((ValueError, TypeError), match=message):
        what()


def test_a_numpy_scalar_is_a_number():
    fit(make(), optimizer=cp.SGD(np.float32(0.1)), l2=np.float64(0.1), epochs=np.int64(1))


def test_a_batch_larger_than_the_data_is_said_and_cut():
    with pytest.warns(UserWarning, match="batch_size 100 is larger than the 23 samples"):
        fit(make(), batch_size=100)


def test_what_the_caller_gave_is_not_changed():
    mine = X.copy(), LABELS.copy(), np.arange(23) + 1.0
    fit(make(), X=mine[0], Y=mine[1], sample_weight=mine[2])
    np.testing.assert_array_equal(mine[0], X)
    np.testing.assert_array_equal(mine[1], LABELS)
    np.testing.assert_array_equal(mine[2], np.arange(23) + 1.0)


def test_data_of_the_right_dtype_are_not_copied():
    ready = np.ascontiguousarray(X)
    assert arrays.as_inputs(ready, 4, "float64") is ready


# What a refusal, a callback or a second training must not do


def test_validation_labels_do_not_become_the_classes():
    with pytest.raises(
        ValueError,
        match=r"validation Y must hold labels that the network knows, \[0, 1, 2\], got \[5, 7\]",
    ):
        fit(make(), validation_data=(X[:2], [5, 7]))


def test_labels_that_were_never_trained_on_are_refused_afterwards():
    net = make()
    fit(net)
    with pytest.raises(ValueError, match=r"labels that the network knows, \[0, 1, 2\], got \[7\]"):
        net.cost(X[:2], [0, 7])
    with pytest.raises(
        ValueError, match="must hold labels from 0 to 2 as long as the network knows no others"
    ):
        make().cost(X[:2], ["a", "b"])


def test_there_is_a_class_for_each_output():
    with pytest.raises(
        ValueError, match=r"as many classes as the network has outputs, 3, got 2 \('a', 'b'\)"
    ):
        make().fit(X[:2], ["a", "b"], progress=False)
    net = make()
    net.classes = ("a", "b", "c")
    net.fit(X[:2], ["a", "b"], batch_size=2, progress=False)
    assert set(net.classify(X)) <= {"a", "b", "c"}


def test_labels_of_two_types_in_a_list_are_refused_with_both_named():
    with pytest.raises(TypeError, match="labels of one type, got int and str"):
        make().fit(X[:3], [1, "a", "b"], progress=False)


def test_an_accuracy_needs_classes():
    net = make(output="identity", cost="quadratic")
    with pytest.raises(
        ValueError, match="metrics must not hold 'accuracy' where the targets are not classes"
    ):
        fit(net, Y=TARGETS, metrics=["accuracy"])


def test_a_single_class_is_said():
    with pytest.warns(UserWarning, match="Y has a single class"):
        fit(make(), Y=np.ones(23, int))


@pytest.mark.parametrize(
    "bad", [{"early_stopping": cp.EarlyStopping("validation_cost")}, {"seed": 9, "dropout": [0.1, 0.2]}]
)
def test_a_fit_that_is_refused_changes_nothing(bad):
    net = make()
    fit(net, epochs=1)
    before = (net.classes, net.training_seed, net.epochs_trained, net.steps_trained)
    with pytest.raises(ValueError, match="must"):
        fit(net, **bad)
    assert (net.classes, net.training_seed, net.epochs_trained, net.steps_trained) == before
    fresh = make()
    with pytest.raises(ValueError, match="must"):
        fit(fresh, Y=np.array(list("abc"))[LABELS], early_stopping=cp.EarlyStopping())
    assert fresh.classes is None


def test_parameters_that_are_not_finite_are_refused_by_name():
    net = make()
    net.weights[1][0, 0] = np.nan
    with pytest.raises(
        ValueError, match="parameters must be finite, got NaN or infinity in layers.1.weight"
    ):
        fit(net)


def test_a_network_cannot_be_trained_a_second_time_by_its_own_callback():
    net = make()
    with pytest.raises(
        ValueError, match="a network that is being trained cannot be trained a second time"
    ):
        fit(net, callbacks=[lambda training: fit(training.net)])
    fit(net)  # and can be afterwards


def test_a_copy_that_a_callback_takes_can_be_trained():
    copies = []
    fit(make(), epochs=1, callbacks=[lambda training: copies.append(training.net.copy())])
    fit(copies[0])


def test_what_a_callback_returns_besides_true_does_not_stop():
    assert (
        len(fit(make(), epochs=3, callbacks=[lambda training: np.ones(3), lambda training: "yes"])) == 3
    )


@pytest.mark.parametrize("epochs", [-1, 0, 1.5, "2"])
def test_run_takes_a_number_of_epochs(epochs):
    with pytest.raises((ValueError, TypeError), match="epochs must be"):
        cp.Training(make(), X, LABELS, batch_size=5, progress=False).run(epochs)


def test_early_stopping_on_a_metric_of_your_own_goes_the_way_you_say():
    def f1(a, y):
        return float((a.argmax(axis=1) == y.argmax(axis=1)).mean())

    stop = cp.EarlyStopping("validation_f1", patience=3, mode="max")
    net = make()
    history = fit(
        net,
        epochs=60,
        optimizer=cp.SGD(2.0),
        validation_data=(X, LABELS),
        metrics=["cost", f1],
        early_stopping=stop,
    )
    assert (net.classify(X) == LABELS).mean() == max(history["validation_f1"])


def test_what_you_change_between_two_runs_is_kept():
    net = make()
    training = cp.Training(net, X, LABELS, batch_size=5, progress=False, validation_data=(-X, LABELS),
                           optimizer=cp.SGD(1e-9), early_stopping=cp.EarlyStopping("cost", patience=50))  # fmt: skip
    training.run(3)
    net.parameters[:] = 0.25
    training.run(1)
    assert np.abs(net.parameters - 0.25).max() < 1e-6


def test_a_deep_copy_of_a_training_trains_its_own_network():
    training = cp.Training(make(), X, LABELS, batch_size=5, progress=False)
    twin = copy.deepcopy(training)
    twin.run(2)
    assert (twin.net.parameters != training.net.parameters).any()
    training.run(2)
    np.testing.assert_array_equal(twin.net.parameters, training.net.parameters)


def test_a_divergence_passes_from_process_to_process():
    error = cp.DivergenceError("it diverged", 3, 7, 2, "z", 0.1)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (
            lambda: cp.Activation("tanh", np.cos, lambda z: -np.sin(z)),
            "must not be that of a built-in one, got 'tanh'",
        ),
        (
            lambda: cp.Activation("", np.cos, lambda z: -np.sin(z)),
            "the name of your own activation must be a text",
        ),
        (
            lambda: cp.Cost("quadratic", lambda a, y: a[:, 0], lambda a, y: a),
            "must not be that of a built-in one",
        ),
    ],
)
def test_your_own_functions_need_names_of_their_own(make_it, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_it()


# Interrupts and display, with real processes

SCRIPT = textwrap.dedent(
    """
    import os, sys, numpy as np, clearprop as cp
    rng = np.random.default_rng(0)
    net = cp.Network([4, 5, 3], seed=0)
    started = lambda training: print("started", flush=True) if training.epochs_done == 1 else None
    history = net.fit(rng.normal(size=(500, 4)), rng.integers(0, 3, 500), epochs=10**7, batch_size=5,
                      callbacks=[started], progress=False, engine="numpy")
    print(history.stopped, len(history) >= 1, flush=True)
    """
)


@pytest.mark.parametrize(
    ("number", "code", "out"),
    [(signal.SIGINT, 0, "interrupted True\n"), (signal.SIGTERM, -signal.SIGTERM, "")],
    ids=["SIGINT", "SIGTERM"],
)
def test_an_interrupt_ends_the_step_and_returns_the_history(number, code, out):
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (code, out)


def test_progress_off_a_terminal_is_plain_lines_on_standard_error(capsys):
    fit(make(), progress=True, epochs=3, validation_data=(X, LABELS), metrics=["accuracy"])
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 3/3  cost " in err
    assert "validation accuracy " in err
    assert "samples/s" in err


@pytest.mark.parametrize(("seconds", "lines"), [(0.01, 4), (1.0, 22), (100.0, 60)])
def test_a_log_gets_about_twenty_lines_and_one_a_minute_of_a_longer_one(
    seconds, lines, monkeypatch, capsys
):
    from clearprop.training import display

    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    shown = display.Lines()
    shown.start(0, 256)
    for epoch in range(1, 257):
        now += seconds
        shown.epoch({"epoch": epoch, "cost": 0.5, "samples_per_second": 1e5})
    shown.finish()
    printed = capsys.readouterr().err.splitlines()
    assert abs(len(printed) - lines) <= 2
    assert printed[0].startswith("epoch   1/256")
    assert printed[-1].startswith("epoch 256/256")


def test_a_log_is_not_silent_in_a_long_epoch_and_tells_no_time_of_an_epoch_that_was_compiled(
    monkeypatch, capsys
):
    from clearprop.training import display

    now = 0.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    shown = display.Lines()
    shown.start(0, 3)
    shown.compiling("the engine")
    now = 400.0
    shown.epoch({"epoch": 1, "cost": 0.5, "samples_per_second": 7.0})
    for part in (0.25, 0.5, 0.75):
        now += 50.0
        shown.stretch(1 + part, {"cost": 0.25, "running_accuracy": 0.5})
    printed = capsys.readouterr().err.splitlines()
    assert printed == [
        "compiling the engine ...",
        "epoch 1/3  cost 0.5000",
        "epoch 1.50/3  cost 0.2500  running accuracy 50.00 %  5 min left",
    ]


@pytest.mark.parametrize(("limit", "left"), [(90.0, "70 s left"), (1000.0, "3 min left")])
def test_the_time_left_in_a_log_is_the_limits_where_that_comes_first(limit, left, monkeypatch, capsys):
    from clearprop.training import display

    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    shown = display.Lines()
    shown.start(0, 10, now + limit)
    now += 20.0
    shown.epoch({"epoch": 1, "cost": 0.5, "samples_per_second": 7.0})
    assert capsys.readouterr().err.rstrip().endswith(f"  {left}")


@pytest.mark.parametrize(("limit", "left"), [(90.0, "0:00:30"), (1000.0, "0:02:20")])
def test_the_time_left_of_the_live_line_is_the_limits_where_that_comes_first(limit, left, monkeypatch):
    import io

    from rich.console import Console

    from clearprop.training import display

    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    out = io.StringIO()
    bar = display.Bar(Console(file=out, width=100, force_terminal=True, color_system=None))
    bar.start(0, 10, now + limit)
    bar._progress.get_time = bar._progress.tasks[0]._get_time = lambda: now
    for epoch in (1, 2, 3):
        now += 20.0
        bar.epoch({"epoch": epoch, "cost": 0.5, "samples_per_second": 7.0})
    bar.finish()
    assert f"{left} left" in out.getvalue()


def test_a_training_tells_its_display_when_time_is_up(monkeypatch):
    from clearprop.training import display

    told = []

    class Shown(display.Display):
        def start(self, done, epochs, deadline=float("inf")):
            told.append(deadline - time.monotonic())

    monkeypatch.setattr(display, "make", lambda progress: Shown())
    fit(make(), epochs=1, time_limit=1000.0)
    fit(make(), epochs=1)
    assert 0 < told[0] <= 1000.0
    assert told[1] == float("inf")


def test_a_time_is_told_in_the_units_in_which_people_say_it():
    from clearprop.training.display import duration

    assert [duration(each) for each in (3.4, 89, 90, 3000, 15240)] == [
        "3 s", "89 s", "2 min", "50 min", "4 h 14 min",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [60, 76, 80, 100, 200])
@pytest.mark.parametrize("validated", [True, False])
def test_the_live_line_has_epoch_cost_accuracy_speed_and_time_left_and_fits(width, validated):
    import io

    from rich.console import Console

    from clearprop.training.display import Bar

    out = io.StringIO()
    bar = Bar(Console(file=out, width=width, force_terminal=True, color_system=None))
    row = {"epoch": 7, "cost": 0.012345, "running_accuracy": 0.99912, "validation_cost": 0.123456,
           "validation_accuracy": 0.97534, "learning_rate": 0.1, "seconds": 0.01, "samples_per_second": 1234567.8}  # fmt: skip
    bar.start(0, 100)
    if not validated:
        row = {name: value for name, value in row.items() if not name.startswith("validation")}
    bar.epoch(row)
    bar.stretch(7.5, {"cost": 0.0121234, "running_accuracy": 0.87654})
    bar.finish()
    lines = [line for line in out.getvalue().replace("\r", "\n").splitlines() if "epoch 7/100" in line]
    assert lines
    speed = [] if width < 76 else ["/s"]
    share = "97.53 %" if validated else "accuracy 87.65 %"
    live = ["running accuracy 87.65 %"] if width >= 160 else []
    for fact in ("cost 0.01212", share, "left", ":", *speed, *live):
        assert fact in lines[-1], lines[-1]
    assert len(re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", lines[-1])) <= width


def test_epochs_without_a_change_are_said_once():
    net = make(activation="relu", output="identity", cost="quadratic", bias_initializer="zeros")
    net.biases[0][:] = -1e6  # dead
    targets = np.tile(net.biases[1], (23, 1))
    with pytest.warns(
        UserWarning, match="epoch 1 has changed no parameter: every step was zero"
    ) as caught:
        fit(net, Y=targets, epochs=3)
    assert len(caught) == 1


def test_of_steps_that_are_lost_in_rounding_no_zero_gradient_is_said():
    net = make(dtype="float32", bias_initializer="normal")
    assert np.abs(net.gradient(X, LABELS).flat).min() > 0
    said = "every step was zero, or less than float32 can tell, at a learning rate of 1e-20"
    with pytest.warns(UserWarning, match=said):
        fit(net, epochs=1, optimizer=cp.SGD(1e-20))


@pytest.mark.parametrize("value", [None, "x", np.ones(2)])
def test_a_metric_returns_a_number(value):
    with pytest.raises(TypeError, match="metric 'mine' must return a number"):
        fit(make(), validation_data=(X, LABELS), metrics=[named(lambda a, y: value, "mine")])


def named(function, name):
    function.__name__ = name
    return function


def test_metrics_have_names_of_their_own():
    with pytest.raises(ValueError, match="metrics must have names of their own, got .*<lambda>"):
        fit(make(), metrics=[lambda a, y: 1.0])


def test_nothing_is_shown_with_progress_false(capsys):
    fit(make(), progress=False)
    assert capsys.readouterr() == ("", "")


def test_validation_targets_obey_the_cost_too():
    with pytest.raises(ValueError, match="validation Y must be in .* and sum to 1 in each row"):
        fit(make(), validation_data=(X[:2], [[0.9, 0.9, 0.0], [1, 0, 0]]))


def test_the_columns_of_a_data_frame_are_kept_and_compared(tmp_path):
    pandas = pytest.importorskip("pandas")
    net = make()
    fit(net, X=pandas.DataFrame(X, columns=list("abcd")))
    assert net.feature_names == tuple("abcd")
    net.save(tmp_path / "net")
    with pytest.raises(ValueError, match="all in another order"):
        cp.load(tmp_path / "net").predict(pandas.DataFrame(X, columns=list("bacd")))


NESTED = SCRIPT.replace(
    "started = lambda training:",
    "other = cp.Network([4, 5, 3], seed=1)\n"
    "inner = lambda training: other.fit(rng.normal(size=(50, 4)), rng.integers(0, 3, 50), epochs=30, batch_size=5,"
    " progress=False, engine='numpy') and None\n"
    "started = lambda training:",
).replace("callbacks=[started]", "callbacks=[started, inner]")


def test_an_interrupt_inside_a_training_of_a_callback_ends_the_outer_one_too():
    with subprocess.Popen([sys.executable, "-c", NESTED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "interrupted True\n")


def test_initializers_can_be_pickled():
    for initializer in (
        cp.initializers.uniform(epsilon=0.2),
        cp.initializers.constant(0.5),
        cp.initializers.he_normal(),
    ):
        assert pickle.loads(pickle.dumps(initializer)) == initializer


@pytest.mark.slow
def test_compiling_is_said_once_and_only_where_nothing_is_cached(tmp_path):
    code = (
        "import numpy as np, clearprop as cp\n"
        "net = cp.Network([4, 5, 3], seed=0)\n"
        "for _ in range(2): net.fit(np.eye(4), [0, 1, 2, 0], batch_size=2, epochs=2)\n"
    )
    environment = {**os.environ, "CLEARPROP_CACHE": str(tmp_path)}
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stderr.count("compiling the engine for this CPU"))
    assert said == [1, 0]


def test_that_an_activation_of_ones_own_is_compiled_is_said_before(capsys):
    def doubled(z):
        return 2.0 * z

    own = cp.Activation("doubled", doubled, lambda z: 2.0 + 0.0 * z)
    for _ in range(2):
        net = cp.Network([4, cp.Layer(5, own), 3], seed=0)
        net.fit(np.eye(4), [0, 1, 2, 0], batch_size=2, epochs=1)
    assert capsys.readouterr().err.count("compiling activation 'doubled' ...") == 1
